"""Pipelined requests: order, errors among them, answers without bodies (RFC 9112 section 9.3.2)."""

from __future__ import annotations

from .case import NEXT, SEEN_NEXT, Case, End, bad, case, chunked, get, more, ok, post

ORDER = "Answers come in the order of their requests."
GOOD_FIRST = "Requests before a bad one are answered, then it is refused and the connection is closed."
NOTHING_AFTER = "After a request that is refused nothing is read as a request."
NO_BODY = "An answer without a body is followed by the next one at once."
SLOW = get(target=b"/slow")
SEEN_SLOW = b"GET /slow"


def numbered(count: int) -> tuple[bytes, list[bytes]]:
    """So many requests and what a handler sees of them."""
    targets = [b"/a?%d" % number for number in range(count)]
    return b"".join(get(target=target) for target in targets), [b"GET " + target for target in targets]


def many(count: int) -> Case:
    data, seen = numbered(count)
    return ok(f"{count}-requests", "RFC 9112 9.3.2", ORDER, data, *seen)


def after_good(id: str, rfc: str, data: bytes, answers: str = "400") -> Case:
    return bad(id, rfc, GOOD_FIRST, NEXT + data, f"200 {answers}", SEEN_NEXT)


CASES: tuple[Case, ...] = (
    many(2),
    many(16),
    many(17),
    many(40),
    ok("slow-then-fast", "RFC 9112 9.3.2", ORDER, SLOW + NEXT, SEEN_SLOW, SEEN_NEXT),
    ok("slow-fast-slow", "RFC 9112 9.3.2", ORDER, SLOW + NEXT + SLOW, SEEN_SLOW, SEEN_NEXT, SEEN_SLOW),
    ok("20-slow-ones", "RFC 9112 9.3.2", ORDER, SLOW * 20, *[SEEN_SLOW] * 20),
    ok(
        "bodies-of-both-kinds",
        "RFC 9112 9.3.2",
        ORDER,
        post(b"Content-Length: 2", body=b"hi") + chunked(b"2\r\nho\r\n0\r\n\r\n") + NEXT,
        b"POST /a hi",
        b"POST /a ho",
        SEEN_NEXT,
    ),
    ok(
        "error-of-the-application",
        "RFC 9110 15.6.1",
        ORDER,
        get(target=b"/broken") + NEXT,
        b"GET /broken",
        SEEN_NEXT,
        answers="500 200",
    ),
    ok(
        "not-found-between",
        "RFC 9112 9.3.2",
        ORDER,
        NEXT + get(target=b"/no") + NEXT,
        SEEN_NEXT,
        SEEN_NEXT,
        answers="200 404 200",
    ),
    ok(
        "head-then-get",
        "RFC 9110 9.3.2",
        NO_BODY,
        b"HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n" + NEXT,
        b"HEAD /a",
        SEEN_NEXT,
        answers="200h 200",
    ),
    ok(
        "head-404-then-get",
        "RFC 9110 9.3.2",
        NO_BODY,
        b"HEAD /no HTTP/1.1\r\nHost: a\r\n\r\n" + NEXT,
        SEEN_NEXT,
        answers="404h 200",
    ),
    ok(
        "head-of-stream-then-get",
        "RFC 9110 9.3.2",
        NO_BODY,
        b"HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n" + NEXT,
        b"HEAD /stream",
        SEEN_NEXT,
        answers="200h 200",
    ),
    ok(
        "204-then-get",
        "RFC 9110 15.3.5",
        NO_BODY,
        get(target=b"/empty") + NEXT,
        b"GET /empty",
        SEEN_NEXT,
        answers="204 200",
    ),
    ok(
        "304-then-get",
        "RFC 9110 15.4.5",
        NO_BODY,
        get(target=b"/unmodified") + NEXT,
        b"GET /unmodified",
        SEEN_NEXT,
        answers="304 200",
    ),
    ok(
        "options-then-get",
        "RFC 9110 9.3.7",
        NO_BODY,
        b"OPTIONS /a HTTP/1.1\r\nHost: a\r\n\r\n" + NEXT,
        SEEN_NEXT,
        answers="204 200",
    ),
    ok(
        "asterisk-then-get",
        "RFC 9110 9.3.7",
        NO_BODY,
        b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n" + NEXT,
        SEEN_NEXT,
        answers="204 200",
    ),
    ok("stream-then-get", "RFC 9112 7.1", ORDER, get(target=b"/stream") + NEXT, b"GET /stream", SEEN_NEXT),
    ok(
        "connect-then-get",
        "RFC 9110 9.3.6",
        "Without a tunnel the connection goes on in HTTP.",
        b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n" + NEXT,
        SEEN_NEXT,
        answers="4xx 200",
    ),
    after_good("good-then-no-host", "RFC 9112 9.3.2", get(host=b"")),
    after_good("good-then-garbage", "RFC 9112 9.3.2", b"\0\1\2"),
    after_good("good-then-folded", "RFC 9112 9.3.2", get(b" X: y")),
    after_good("good-then-bad-length", "RFC 9112 9.3.2", post(b"Content-Length: x")),
    after_good("good-then-both-lengths", "RFC 9112 9.3.2", post(b"Content-Length: 5", b"Transfer-Encoding: chunked")),
    after_good("good-then-bad-chunk", "RFC 9112 9.3.2", chunked(b"x\r\n")),
    after_good("good-then-unknown-method", "RFC 9112 9.3.2", b"BREW /a HTTP/1.1\r\nHost: a\r\n\r\n", "501"),
    after_good("good-then-unknown-coding", "RFC 9112 9.3.2", post(b"Transfer-Encoding: x"), "501"),
    after_good("good-then-http-2", "RFC 9112 9.3.2", b"GET /a HTTP/2.0\r\nHost: a\r\n\r\n", "505"),
    after_good("good-then-too-large", "RFC 9112 9.3.2", post(b"Content-Length: 9999999"), "413"),
    after_good("good-then-too-long", "RFC 9112 9.3.2", get(target=b"/" + b"x" * 8400), "414"),
    bad(
        "16-good-then-bad",
        "RFC 9112 9.3.2",
        GOOD_FIRST,
        NEXT * 16 + get(host=b""),
        "200 " * 16 + "400",
        *[SEEN_NEXT] * 16,
    ),
    bad("slow-then-bad", "RFC 9112 9.3.2", GOOD_FIRST, SLOW + get(host=b""), "200 400", SEEN_SLOW),
    bad("slow-slow-then-bad", "RFC 9112 9.3.2", GOOD_FIRST, SLOW * 2 + b"\0", "200 200 400", SEEN_SLOW, SEEN_SLOW),
    bad("bad-then-good", "RFC 9112 9.6", NOTHING_AFTER, get(host=b"") + NEXT),
    bad("bad-then-many", "RFC 9112 9.6", NOTHING_AFTER, get(host=b"") + NEXT * 100),
    bad("bad-chunk-then-good", "RFC 9112 9.6", NOTHING_AFTER, chunked(b"5\r\nhello!\r\n0\r\n\r\n") + NEXT),
    bad("too-large-then-good", "RFC 9112 9.6", NOTHING_AFTER, post(b"Content-Length: 9999999", body=NEXT * 20), "413"),
    case(
        "slow-that-closes-then-good",
        "RFC 9112 9.6",
        NOTHING_AFTER,
        get(b"Connection: close", target=b"/slow") + NEXT,
        "200",
        End.CLOSED,
        SEEN_SLOW,
    ),
    more(
        "good-then-half", "RFC 9112 8", "Half a request is not answered.", NEXT + get()[:-2], SEEN_NEXT, answers="200"
    ),
)
