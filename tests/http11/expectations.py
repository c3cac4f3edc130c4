"""Expect (RFC 9110 section 10.1.1)."""

from __future__ import annotations

from .case import NEXT, SEEN_NEXT, Case, End, bad, case, chunked, get, more, ok, post

CONTINUE = "A client that waits for 100 gets it, or a final answer, at once; the value ignores case."
NO_BODY = "Without content to come there is nothing to wait for: no 100 is sent."
FINAL = "A final answer instead of 100 says what the head already decides; the body is not read, so the server closes."
OTHER = "An expectation that is not understood is 417."
OLD = "An expectation of an HTTP/1.0 client is ignored, and 100 is never sent to one."
WAIT = b"Expect: 100-continue"
FIVE = b"Content-Length: 5"

CASES: tuple[Case, ...] = (
    ok("length", "RFC 9110 10.1.1", CONTINUE, post(WAIT, FIVE, body=b"hello"), b"POST /a hello", answers="100 200"),
    ok(
        "chunks",
        "RFC 9110 10.1.1",
        CONTINUE,
        chunked(b"5\r\nhello\r\n0\r\n\r\n", WAIT),
        b"POST /a hello",
        answers="100 200",
    ),
    ok(
        "in-capitals",
        "RFC 9110 10.1.1",
        CONTINUE,
        post(b"EXPECT: 100-CONTINUE", FIVE, body=b"hello"),
        b"POST /a hello",
        answers="100 200",
    ),
    ok(
        "then-next",
        "RFC 9110 10.1.1",
        CONTINUE,
        post(WAIT, FIVE, body=b"hello" + NEXT),
        b"POST /a hello",
        SEEN_NEXT,
        answers="100 200 200",
    ),
    ok(
        "twice",
        "RFC 9110 10.1.1",
        CONTINUE,
        post(WAIT, FIVE, body=b"hello") * 2,
        b"POST /a hello",
        b"POST /a hello",
        answers="100 200 100 200",
    ),
    ok(
        "of-put",
        "RFC 9110 10.1.1",
        CONTINUE,
        b"PUT /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
        b"PUT /a hi",
        answers="100 200",
    ),
    more("body-not-begun", "RFC 9110 10.1.1", CONTINUE, post(WAIT, FIVE), answers="100"),
    more("chunks-not-begun", "RFC 9110 10.1.1", CONTINUE, chunked(b"", WAIT), answers="100"),
    more("after-a-good-one", "RFC 9110 10.1.1", CONTINUE, NEXT + post(WAIT, FIVE), SEEN_NEXT, answers="200 100"),
    ok("no-body", "RFC 9110 10.1.1", NO_BODY, get(WAIT), b"GET /a"),
    ok("no-body-of-post", "RFC 9110 10.1.1", NO_BODY, post(WAIT), b"POST /a"),
    ok("empty-body", "RFC 9110 10.1.1", NO_BODY, post(WAIT, b"Content-Length: 0"), b"POST /a"),
    bad("path-unknown", "RFC 9110 10.1.1", FINAL, post(WAIT, FIVE, target=b"/no"), "404"),
    bad("path-unknown-chunked", "RFC 9110 10.1.1", FINAL, chunked(b"", WAIT, target=b"/no"), "404"),
    bad(
        "path-unknown-with-body", "RFC 9110 10.1.1", FINAL, post(WAIT, FIVE, target=b"/no", body=b"hello" + NEXT), "404"
    ),
    bad("method-not-here", "RFC 9110 10.1.1", FINAL, post(WAIT, FIVE, target=b"/good"), "405"),
    bad("too-large", "RFC 9110 10.1.1", FINAL, post(WAIT, b"Content-Length: 1048577"), "413"),
    bad("bad-length", "RFC 9110 10.1.1", FINAL, post(WAIT, b"Content-Length: x"), "400"),
    bad("bad-coding", "RFC 9110 10.1.1", FINAL, post(WAIT, b"Transfer-Encoding: x"), "501"),
    bad(
        "chunk-malformed",
        "RFC 9110 10.1.1",
        "After a 100 an error is still an error.",
        chunked(b"x\r\n", WAIT),
        "100 400",
    ),
    bad("other", "RFC 9110 10.1.1", OTHER, post(b"Expect: 200-ok", FIVE, body=b"hello"), "417"),
    bad("other-without-body", "RFC 9110 10.1.1", OTHER, get(b"Expect: tea"), "417"),
    bad("other-beside-continue", "RFC 9110 10.1.1", OTHER, post(b"Expect: 100-continue, tea", FIVE), "417"),
    bad("other-in-second-line", "RFC 9110 10.1.1", OTHER, post(WAIT, b"Expect: tea", FIVE), "417"),
    bad("almost", "RFC 9110 10.1.1", OTHER, post(b"Expect: 100-continued", FIVE), "417"),
    bad("number", "RFC 9110 10.1.1", OTHER, post(b"Expect: 100", FIVE), "417"),
    bad("with-parameter", "RFC 9110 10.1.1", OTHER, post(b"Expect: 100-continue;a=b", FIVE), "417"),
    bad("of-head", "RFC 9110 9.3.2", OTHER, b"HEAD /a HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n", "417h"),
    bad("other-after-a-good-one", "RFC 9112 9.3.2", OTHER, NEXT + get(b"Expect: tea"), "200 417", SEEN_NEXT),
    case(
        "http-1.0",
        "RFC 9110 10.1.1",
        OLD,
        b"POST /a HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
        "200",
        End.CLOSED,
        b"POST /a hello",
    ),
    case(
        "http-1.0-other",
        "RFC 9110 10.1.1",
        OLD,
        b"POST /a HTTP/1.0\r\nExpect: tea\r\nContent-Length: 5\r\n\r\nhello",
        "200",
        End.CLOSED,
        b"POST /a hello",
    ),
    more(
        "http-1.0-body-not-begun",
        "RFC 9110 10.1.1",
        OLD,
        b"POST /a HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
    ),
)
