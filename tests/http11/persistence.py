"""Connection, Upgrade, HTTP/1.0 and the end of connections (RFC 9112 section 9, RFC 9110 sections 7.6.1 and 7.8)."""

from __future__ import annotations

from .case import NEXT, SEEN_NEXT, Case, End, bad, case, get, more, ok, post

KEPT = "HTTP/1.1 keeps a connection unless one side says close."
CLOSE = "After close no more requests are read; the answer says close too."
LIST = "Connection is a list of case-insensitive options; several lines are one list."
IGNORED = "Unknown options and the fields they name change nothing for this server."
HALF = "A client that has sent its last request and closed its side still gets its answers."
OLD = "HTTP/1.0 closes unless the client asks for keep-alive."
OLD_KEPT = "HTTP/1.0 with keep-alive is kept, and the answer says so."
UPGRADE = "A server may ignore Upgrade: it goes on in HTTP/1.1 and loses no byte."
OLD_UPGRADE = "Upgrade in an HTTP/1.0 request is ignored."
OLD_HOST = "Host is optional in HTTP/1.0; but when it is there its rules hold."
HELLO = b"hello" + NEXT


def closes(id: str, rfc: str, rule: str, data: bytes, seen: bytes = b"GET /a") -> Case:
    return case(id, rfc, rule, data, "200", End.CLOSED, seen, fields={"connection": "close"})


def old(*fields: bytes, line: bytes = b"GET /a") -> bytes:
    """An HTTP/1.0 request."""
    return b"\r\n".join([line + b" HTTP/1.0", *fields]) + b"\r\n\r\n"


CASES: tuple[Case, ...] = (
    ok("kept", "RFC 9112 9.3", KEPT, get() + NEXT, b"GET /a", SEEN_NEXT),
    ok("keep-alive", "RFC 9112 9.3", KEPT, get(b"Connection: keep-alive") + NEXT, b"GET /a", SEEN_NEXT),
    closes("close", "RFC 9112 9.6", CLOSE, get(b"Connection: close")),
    closes("close-then-next", "RFC 9112 9.6", CLOSE, get(b"Connection: close") + NEXT),
    closes("close-in-capitals", "RFC 9110 7.6.1", LIST, get(b"CONNECTION: CLOSE") + NEXT),
    closes("close-in-list", "RFC 9110 7.6.1", LIST, get(b"Connection: x, close") + NEXT),
    closes("close-after-empty-members", "RFC 9110 5.6.1", LIST, get(b"Connection: , ,\tclose ,") + NEXT),
    closes("close-in-second-line", "RFC 9110 7.6.1", LIST, get(b"Connection: x", b"Connection: close") + NEXT),
    closes("close-in-first-line", "RFC 9110 7.6.1", LIST, get(b"Connection: close", b"Connection: x") + NEXT),
    closes("close-beside-keep-alive", "RFC 9112 9.3", CLOSE, get(b"Connection: keep-alive, close") + NEXT),
    closes(
        "close-with-body",
        "RFC 9112 9.6",
        CLOSE,
        post(b"Connection: close", b"Content-Length: 5", body=HELLO),
        b"POST /a hello",
    ),
    closes("close-then-garbage", "RFC 9112 9.6", CLOSE, get(b"Connection: close") + b"\0\0\0"),
    case("close-of-404", "RFC 9112 9.6", CLOSE, get(b"Connection: close", target=b"/no") + NEXT, "404", End.CLOSED),
    ok("option-like-close", "RFC 9110 7.6.1", LIST, get(b"Connection: closed") + NEXT, b"GET /a", SEEN_NEXT),
    ok("option-unknown", "RFC 9110 7.6.1", IGNORED, get(b"Connection: x", b"X: y") + NEXT, b"GET /a", SEEN_NEXT),
    ok("option-empty", "RFC 9110 7.6.1", IGNORED, get(b"Connection:") + NEXT, b"GET /a", SEEN_NEXT),
    ok("option-names-host", "RFC 9110 7.6.1", IGNORED, get(b"Connection: host") + NEXT, b"GET /a", SEEN_NEXT),
    ok(
        "option-names-length",
        "RFC 9110 7.6.1",
        IGNORED,
        post(b"Connection: content-length", b"Content-Length: 5", body=HELLO),
        b"POST /a hello",
        SEEN_NEXT,
    ),
    ok("keep-alive-field", "RFC 9112 9.3", IGNORED, get(b"Keep-Alive: timeout=1, max=1") + NEXT, b"GET /a", SEEN_NEXT),
    ok("proxy-connection", "RFC 9112 C.2.2", IGNORED, get(b"Proxy-Connection: close") + NEXT, b"GET /a", SEEN_NEXT),
    bad("error-closes", "RFC 9112 9.3", "An error of framing closes.", get(b"Connection: keep-alive", host=b"")),
    more("half-closed", "RFC 9112 9.6", HALF, get() + NEXT, b"GET /a", SEEN_NEXT, answers="200 200"),
    more("half-closed-slow", "RFC 9112 9.6", HALF, get(target=b"/slow"), b"GET /slow", answers="200"),
    more("half-closed-stream", "RFC 9112 9.6", HALF, get(target=b"/stream"), b"GET /stream", answers="200"),
    closes("http-1.0", "RFC 9112 9.3", OLD, old()),
    closes("http-1.0-then-next", "RFC 9112 9.3", OLD, old() + NEXT),
    closes("http-1.0-close", "RFC 9112 9.3", OLD, old(b"Connection: close") + NEXT),
    closes("http-1.0-unknown-option", "RFC 9112 9.3", OLD, old(b"Connection: x") + NEXT),
    case(
        "http-1.0-keep-alive",
        "RFC 9112 C.2.2",
        OLD_KEPT,
        old(b"Connection: keep-alive"),
        "200",
        End.KEPT,
        b"GET /a",
        fields={"connection": "keep-alive"},
    ),
    ok(
        "http-1.0-keep-alive-in-list",
        "RFC 9112 9.3",
        OLD_KEPT,
        old(b"Connection: x, Keep-Alive") + NEXT,
        b"GET /a",
        SEEN_NEXT,
    ),
    closes("http-1.0-keep-alive-and-close", "RFC 9112 9.3", OLD, old(b"Connection: keep-alive, close") + NEXT),
    ok(
        "http-1.0-keep-alive-with-body",
        "RFC 9112 9.3",
        OLD_KEPT,
        old(b"Connection: keep-alive", b"Content-Length: 5", line=b"POST /a") + HELLO,
        b"POST /a hello",
        SEEN_NEXT,
    ),
    closes(
        "http-1.0-with-body", "RFC 9112 6.3", OLD, old(b"Content-Length: 5", line=b"POST /a") + HELLO, b"POST /a hello"
    ),
    closes("http-1.0-host", "RFC 9112 3.2", OLD_HOST, old(b"Host: a")),
    closes("http-1.0-absolute", "RFC 9112 3.2.2", "The absolute form is accepted.", old(line=b"GET http://a/a")),
    bad("http-1.0-two-hosts", "RFC 9112 3.2", OLD_HOST, old(b"Host: a", b"Host: a")),
    bad("http-1.0-bad-host", "RFC 9112 3.2", OLD_HOST, old(b"Host: a/b")),
    case("http-1.0-error", "RFC 9112 9.3", OLD, old(line=b"GET /no") + NEXT, "404", End.CLOSED),
    case(
        "http-1.0-answer-is-1.1",
        "RFC 9110 2.5",
        "The answer names the version of the server; HTTP/1.0 gets no transfer coding.",
        old(line=b"GET /stream"),
        "200",
        End.CLOSED,
        b"GET /stream",
        fields={"transfer-encoding": None},
    ),
    ok(
        "upgrade-websocket",
        "RFC 9110 7.8",
        UPGRADE,
        get(b"Connection: upgrade", b"Upgrade: websocket") + NEXT,
        b"GET /a",
        SEEN_NEXT,
    ),
    ok(
        "upgrade-unknown",
        "RFC 9110 7.8",
        UPGRADE,
        get(b"Connection: Upgrade", b"Upgrade: tea/1") + NEXT,
        b"GET /a",
        SEEN_NEXT,
    ),
    ok(
        "upgrade-list",
        "RFC 9110 7.8",
        UPGRADE,
        get(b"Connection: upgrade", b"Upgrade: a/1, b") + NEXT,
        b"GET /a",
        SEEN_NEXT,
    ),
    ok(
        "upgrade-two-lines",
        "RFC 9110 7.8",
        UPGRADE,
        get(b"Upgrade: a", b"Connection: upgrade", b"Upgrade: b") + NEXT,
        b"GET /a",
        SEEN_NEXT,
    ),
    ok("upgrade-without-option", "RFC 9110 7.8", UPGRADE, get(b"Upgrade: websocket") + NEXT, b"GET /a", SEEN_NEXT),
    ok("option-without-upgrade", "RFC 9110 7.8", UPGRADE, get(b"Connection: upgrade") + NEXT, b"GET /a", SEEN_NEXT),
    ok(
        "upgrade-h2c-with-body",
        "RFC 9110 7.8",
        UPGRADE,
        post(
            b"Connection: Upgrade, HTTP2-Settings",
            b"Upgrade: h2c",
            b"HTTP2-Settings: AA",
            b"Content-Length: 5",
            body=HELLO,
        ),
        b"POST /a hello",
        SEEN_NEXT,
    ),
    ok(
        "upgrade-with-chunks",
        "RFC 9110 7.8",
        UPGRADE,
        post(
            b"Connection: Upgrade",
            b"Upgrade: h2c",
            b"Transfer-Encoding: chunked",
            body=b"5\r\nhello\r\n0\r\n\r\n" + NEXT,
        ),
        b"POST /a hello",
        SEEN_NEXT,
    ),
    ok(
        "upgrade-that-expects",
        "RFC 9110 7.8",
        UPGRADE,
        post(b"Connection: Upgrade", b"Upgrade: h2c", b"Expect: 100-continue", b"Content-Length: 5", body=HELLO),
        b"POST /a hello",
        SEEN_NEXT,
        answers="100 200 200",
    ),
    closes("upgrade-and-close", "RFC 9112 9.6", UPGRADE, get(b"Connection: close, upgrade", b"Upgrade: h2c") + NEXT),
    ok(
        "http-1.0-upgrade",
        "RFC 9110 7.8",
        OLD_UPGRADE,
        old(b"Connection: upgrade, keep-alive", b"Upgrade: h2c") + NEXT,
        b"GET /a",
        SEEN_NEXT,
    ),
)
