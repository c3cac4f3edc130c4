"""What answers carry: Date, lengths, Allow, bodies where they belong (RFC 9110 sections 6, 8.6 and 15)."""

from __future__ import annotations

from .case import NEXT, SEEN_NEXT, Case, End, case, chunked, get, post

FRAMED = "An answer has a Content-Length or is chunked, never both."
NO_LENGTH = "204 carries neither Content-Length nor Transfer-Encoding, and no body."
HEAD = "The answer to HEAD has the fields of the answer to GET and no body."
ALLOW = "405 names the methods of the resource in Allow."
OPTIONS = "The answer to OPTIONS names the methods in Allow."
LINGER = "An early error is readable although the client still sends: the server reads on before it closes."
SAYS_CLOSE = "A server that is about to close says so in its last answer."
NONE: dict[str, str | None] = {"content-length": None, "transfer-encoding": None}


def request(method: bytes, target: bytes, *fields: bytes) -> bytes:
    return b"\r\n".join([method + b" " + target + b" HTTP/1.1", b"Host: a", *fields]) + b"\r\n\r\n"


CASES: tuple[Case, ...] = (
    case(
        "plain",
        "RFC 9112 6.3",
        FRAMED,
        get(),
        "200",
        End.KEPT,
        b"GET /a",
        fields={"content-length": "2", "transfer-encoding": None, "connection": None},
    ),
    case(
        "stream",
        "RFC 9112 6.1",
        FRAMED,
        get(target=b"/stream"),
        "200",
        End.KEPT,
        b"GET /stream",
        fields={"content-length": None, "transfer-encoding": "chunked"},
    ),
    case(
        "head",
        "RFC 9110 9.3.2",
        HEAD,
        request(b"HEAD", b"/a"),
        "200h",
        End.KEPT,
        b"HEAD /a",
        fields={"content-length": "2", "content-type": "application/json"},
    ),
    case(
        "head-of-stream",
        "RFC 9110 9.3.2",
        HEAD,
        request(b"HEAD", b"/stream"),
        "200h",
        End.KEPT,
        b"HEAD /stream",
        fields={"transfer-encoding": "chunked"},
    ),
    case(
        "head-of-404",
        "RFC 9110 9.3.2",
        HEAD,
        request(b"HEAD", b"/no"),
        "404h",
        End.KEPT,
        fields={"content-type": "application/problem+json"},
    ),
    case(
        "head-of-204", "RFC 9110 8.6", HEAD, request(b"HEAD", b"/empty"), "204", End.KEPT, b"HEAD /empty", fields=NONE
    ),
    case("204", "RFC 9110 8.6", NO_LENGTH, get(target=b"/empty"), "204", End.KEPT, b"GET /empty", fields=NONE),
    case(
        "204-of-stream",
        "RFC 9112 6.1",
        NO_LENGTH,
        get(target=b"/empty-stream"),
        "204",
        End.KEPT,
        b"GET /empty-stream",
        fields=NONE,
    ),
    case(
        "204-closing",
        "RFC 9110 8.6",
        NO_LENGTH,
        get(b"Connection: close", target=b"/empty") + NEXT,
        "204",
        End.CLOSED,
        b"GET /empty",
        fields={**NONE, "connection": "close"},
    ),
    case(
        "304",
        "RFC 9110 15.4.5",
        "304 has no body.",
        get(target=b"/unmodified"),
        "304",
        End.KEPT,
        b"GET /unmodified",
        fields={"transfer-encoding": None},
    ),
    case(
        "304-of-stream",
        "RFC 9110 15.4.5",
        "304 has no body.",
        get(target=b"/unmodified-stream") + NEXT,
        "304 200",
        End.KEPT,
        b"GET /unmodified-stream",
        SEEN_NEXT,
    ),
    case(
        "405",
        "RFC 9110 15.5.6",
        ALLOW,
        request(b"DELETE", b"/good"),
        "405",
        End.KEPT,
        fields={"allow": "GET, HEAD, OPTIONS"},
    ),
    case(
        "options",
        "RFC 9110 9.3.7",
        OPTIONS,
        request(b"OPTIONS", b"/good"),
        "204",
        End.KEPT,
        fields={"allow": "GET, HEAD, OPTIONS"},
    ),
    case(
        "options-of-the-server",
        "RFC 9110 9.3.7",
        OPTIONS,
        request(b"OPTIONS", b"*"),
        "204",
        End.KEPT,
        fields={"allow": "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT", **NONE},
    ),
    case(
        "error-of-the-application",
        "RFC 9110 15.6.1",
        "A handler that fails is a 500; the connection can go on.",
        get(target=b"/broken"),
        "500",
        End.KEPT,
        b"GET /broken",
        fields={"content-type": "application/problem+json"},
    ),
    case(
        "error-says-close",
        "RFC 9112 9.6",
        SAYS_CLOSE,
        get(host=b""),
        "400",
        End.CLOSED,
        fields={"connection": "close", "content-type": "application/problem+json"},
    ),
    case(
        "expectation-says-close",
        "RFC 9112 9.6",
        SAYS_CLOSE,
        get(b"Expect: tea"),
        "417",
        End.CLOSED,
        fields={"connection": "close"},
    ),
    case(
        "linger-after-413",
        "RFC 9112 9.6",
        LINGER,
        post(b"Content-Length: 2000000", body=b"x" * 2000000),
        "413",
        End.CLOSED,
        fields={"connection": "close"},
    ),
    case(
        "linger-after-400",
        "RFC 9112 9.6",
        LINGER,
        post(b"Content-Length: x", body=b"x" * 1000000),
        "400",
        End.CLOSED,
        fields={"connection": "close"},
    ),
    case(
        "linger-after-bad-chunk",
        "RFC 9112 9.6",
        LINGER,
        chunked(b"z\r\n" + b"x" * 1000000),
        "400",
        End.CLOSED,
        fields={"connection": "close"},
    ),
    case(
        "linger-after-close",
        "RFC 9112 9.6",
        LINGER,
        get(b"Connection: close") + b"x" * 1000000,
        "200",
        End.CLOSED,
        b"GET /a",
        fields={"connection": "close"},
    ),
    case(
        "linger-after-404-that-expected",
        "RFC 9112 9.6",
        LINGER,
        post(b"Expect: 100-continue", b"Content-Length: 1000000", target=b"/no", body=b"x" * 1000000),
        "404",
        End.CLOSED,
        fields={"connection": "close"},
    ),
)
