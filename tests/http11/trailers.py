"""Trailer sections of chunked bodies (RFC 9112 section 7.1.2, RFC 9110 section 6.5)."""

from __future__ import annotations

from .case import NEXT, SEEN_NEXT, Case, bad, chunked, more, ok

SECTION = "Fields may follow the last chunk; an empty line ends them."
GRAMMAR = "Trailer fields have the grammar of header fields."
IGNORED = "Trailers are not merged into the header section: none of them frames, routes or authenticates."
FORBIDDEN = "Framing does not belong in a trailer: it is ignored or refused, never obeyed."
LIMIT = "The trailer section is limited as the header section is."


def section(lines: bytes, *fields: bytes) -> bytes:
    """A chunked request with these bytes as its trailers, and a request behind it."""
    return chunked(b"5\r\nhello\r\n0\r\n" + lines + b"\r\n\r\n" + NEXT, *fields)


def served(id: str, rfc: str, rule: str, lines: bytes, *fields: bytes) -> Case:
    return ok(id, rfc, rule, section(lines, *fields), b"POST /a hello", SEEN_NEXT)


def refused(id: str, rfc: str, rule: str, lines: bytes, answers: str = "400") -> Case:
    return bad(id, rfc, rule, section(lines), answers)


CASES: tuple[Case, ...] = (
    served("one", "RFC 9112 7.1.2", SECTION, b"X: y"),
    served("announced", "RFC 9110 6.6.2", SECTION, b"X: y", b"Trailer: X"),
    served("two", "RFC 9112 7.1.2", SECTION, b"X: y\r\nZ: \xe9"),
    served("empty-value", "RFC 9112 7.1.2", GRAMMAR, b"X:"),
    served("of-routing", "RFC 9110 6.5.1", IGNORED, b"Host: b"),
    served("of-authentication", "RFC 9110 6.5.1", IGNORED, b"Authorization: Bearer x\r\nCookie: a=b"),
    served("of-expectation", "RFC 9110 6.5.1", IGNORED, b"Expect: 100-continue"),
    served("with-close", "RFC 9110 6.5.1", IGNORED, b"Connection: close"),
    served("with-upgrade", "RFC 9110 6.5.1", IGNORED, b"Connection: upgrade\r\nUpgrade: h2c"),
    refused("content-length", "RFC 9110 6.5.1", FORBIDDEN, b"Content-Length: 99"),
    refused("content-length-zero", "RFC 9110 6.5.1", FORBIDDEN, b"Content-Length: 0"),
    refused("transfer-encoding", "RFC 9110 6.5.1", FORBIDDEN, b"Transfer-Encoding: chunked"),
    refused("transfer-encoding-gzip", "RFC 9110 6.5.1", FORBIDDEN, b"Transfer-Encoding: gzip"),
    refused("transfer-encoding-empty", "RFC 9110 6.5.1", FORBIDDEN, b"Transfer-Encoding:"),
    refused("no-colon", "RFC 9112 5.1", GRAMMAR, b"X"),
    refused("empty-name", "RFC 9112 5.1", GRAMMAR, b": y"),
    refused("space-before-colon", "RFC 9112 5.1", GRAMMAR, b"X : y"),
    refused("name-no-token", "RFC 9110 5.6.2", GRAMMAR, b"X(y): z"),
    refused("name-above-ascii", "RFC 9110 5.6.2", GRAMMAR, b"X\xe9: z"),
    refused("folded", "RFC 9112 5.2", GRAMMAR, b"X: y\r\n z"),
    refused("blank-first", "RFC 9112 5.2", GRAMMAR, b" X: y"),
    refused("nul", "RFC 9110 5.5", GRAMMAR, b"X: \0"),
    refused("control", "RFC 9110 5.5", GRAMMAR, b"X: \x01"),
    refused("del", "RFC 9110 5.5", GRAMMAR, b"X: \x7f"),
    refused("bare-cr", "RFC 9112 2.2", GRAMMAR, b"X: y\rz"),
    refused("bare-lf", "RFC 9112 2.2", GRAMMAR, b"X: y\nZ: z"),
    refused("ends-in-bare-lf", "RFC 9112 2.2", GRAMMAR, b"X: y\n"),
    refused("request-for-trailers", "RFC 9112 7.1.2", GRAMMAR, b"GET /a HTTP/1.1\r\nHost: a"),
    served("of-16384", "RFC 6585 5", LIMIT, b"X: " + b"v" * 16379),
    refused("too-large", "RFC 6585 5", LIMIT, b"X: " + b"v" * 16380, "431"),
    more("not-complete", "RFC 9112 7.1.2", SECTION, chunked(b"5\r\nhello\r\n0\r\nX: y\r\n")),
)
