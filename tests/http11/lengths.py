"""Content-Length (RFC 9110 section 8.6, RFC 9112 sections 6.2 and 6.3)."""

from __future__ import annotations

from .case import NEXT, SEEN_NEXT, Case, End, bad, case, get, more, ok, post

BODY = "The body is as long as Content-Length says; the next request follows it."
NONE = "A request without Content-Length and Transfer-Encoding has no body."
DIGITS = "Content-Length is one or more decimal digits and nothing else."
RANGE = "A number that does not fit must not be taken for another one."
TWICE = "Different lengths are an unrecoverable error: 400 and close."
LIST = "Equal lengths may be refused as well as joined; here they are refused."
LIMIT = "A body over the limit is 413, known from its head."
CUT = "A body that is shorter than its length is not complete."
UNREAD = "The body of a request that is not for a handler is read and dropped."


def refused(id: str, rfc: str, rule: str, value: bytes, answers: str = "400") -> Case:
    return bad(id, rfc, rule, post(b"Content-Length:" + value, body=b"hello" + NEXT), answers)


CASES: tuple[Case, ...] = (
    ok("body", "RFC 9112 6.2", BODY, post(b"Content-Length: 5", body=b"hello" + NEXT), b"POST /a hello", SEEN_NEXT),
    ok("zero", "RFC 9112 6.2", BODY, post(b"Content-Length: 0", body=NEXT), b"POST /a", SEEN_NEXT),
    ok("none", "RFC 9112 6.3", NONE, post(body=NEXT), b"POST /a", SEEN_NEXT),
    ok("none-for-put", "RFC 9112 6.3", NONE, b"PUT /a HTTP/1.1\r\nHost: a\r\n\r\n" + NEXT, b"PUT /a", SEEN_NEXT),
    ok("get-with-body", "RFC 9110 9.3.1", BODY, get(b"Content-Length: 2") + b"hi" + NEXT, b"GET /a hi", SEEN_NEXT),
    ok(
        "delete-with-body",
        "RFC 9110 9.3.5",
        BODY,
        b"DELETE /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi" + NEXT,
        b"DELETE /a hi",
        SEEN_NEXT,
    ),
    ok(
        "head-with-body",
        "RFC 9110 9.3.2",
        BODY,
        b"HEAD /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi" + NEXT,
        b"HEAD /a hi",
        SEEN_NEXT,
        answers="200h 200",
    ),
    ok(
        "options-with-body",
        "RFC 9110 9.3.7",
        UNREAD,
        b"OPTIONS /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi" + NEXT,
        SEEN_NEXT,
        answers="204 200",
    ),
    ok(
        "body-like-a-request",
        "RFC 9112 6.3",
        BODY,
        post(b"Content-Length: 16", body=b"GET /b HTTP/1.1\n" + NEXT),
        b"POST /a GET /b HTTP/1.1\n",
        SEEN_NEXT,
    ),
    ok(
        "body-of-every-byte",
        "RFC 9112 6.2",
        BODY,
        post(b"Content-Length: 256", body=bytes(range(256)) + NEXT),
        b"POST /a " + bytes(range(256)),
        SEEN_NEXT,
    ),
    ok("body-of-crlf", "RFC 9112 6.2", BODY, post(b"Content-Length: 4", body=b"\r\n" * 2), b"POST /a \r\n\r\n"),
    ok("leading-zeros", "RFC 9110 8.6", DIGITS, post(b"Content-Length: 005", body=b"hello"), b"POST /a hello"),
    ok("name-in-lower-case", "RFC 9110 5.1", BODY, post(b"content-length: 5", body=b"hello"), b"POST /a hello"),
    ok("blanks-around", "RFC 9110 5.5", BODY, post(b"Content-Length:\t 5 \t", body=b"hello"), b"POST /a hello"),
    ok(
        "name-with-underscore",
        "RFC 9110 5.1",
        "Content_Length is another field.",
        post(b"Content_Length: 5", body=NEXT),
        b"POST /a",
        SEEN_NEXT,
    ),
    ok("path-unknown", "RFC 9112 9.3", UNREAD, post(b"Content-Length: 2", target=b"/no", body=b"hi"), answers="404"),
    ok(
        "path-unknown-then-next",
        "RFC 9112 9.3",
        UNREAD,
        post(b"Content-Length: 5", target=b"/no", body=b"hello" + NEXT),
        SEEN_NEXT,
        answers="404 200",
    ),
    bad(
        "shorter-than-body",
        "RFC 9112 6.3",
        "What follows the body is the next request, whatever it is.",
        post(b"Content-Length: 4", body=b"hello" + NEXT),
        "200 501",
        b"POST /a hell",
    ),
    refused("empty", "RFC 9110 8.6", DIGITS, b""),
    refused("blank", "RFC 9110 8.6", DIGITS, b"  "),
    refused("negative", "RFC 9110 8.6", DIGITS, b" -5"),
    refused("minus-zero", "RFC 9110 8.6", DIGITS, b" -0"),
    refused("plus", "RFC 9110 8.6", DIGITS, b" +5"),
    refused("word", "RFC 9110 8.6", DIGITS, b" five"),
    refused("hexadecimal", "RFC 9110 8.6", DIGITS, b" 0x5"),
    refused("hexadecimal-digit", "RFC 9110 8.6", DIGITS, b" a"),
    refused("fraction", "RFC 9110 8.6", DIGITS, b" 5.0"),
    refused("exponent", "RFC 9110 8.6", DIGITS, b" 5e0"),
    refused("space-inside", "RFC 9110 8.6", DIGITS, b" 1 5"),
    refused("tab-inside", "RFC 9110 8.6", DIGITS, b" 1\t5"),
    refused("underscore", "RFC 9110 8.6", DIGITS, b" 0_5"),
    refused("letter-after", "RFC 9110 8.6", DIGITS, b" 5a"),
    refused("semicolon-after", "RFC 9110 8.6", DIGITS, b" 5;q=1"),
    refused("quotes", "RFC 9110 8.6", DIGITS, b' "5"'),
    refused("superscript", "RFC 9110 8.6", DIGITS, b" \xb2"),
    refused("arabic-digit", "RFC 9110 8.6", DIGITS, " ٥".encode()),
    refused("nul-after", "RFC 9110 5.5", DIGITS, b" 5\0"),
    refused("63-bits-and-one", "RFC 9110 8.6", RANGE, b" 9223372036854775808"),
    bad(
        "63-bits-and-one-with-upgrade",
        "RFC 9110 8.6",
        RANGE,
        post(b"Connection: upgrade", b"Upgrade: x", b"Content-Length: 9223372036854775808"),
    ),
    refused("64-bits-and-back", "RFC 9110 8.6", RANGE, b" 18446744073709551621"),
    refused("32-bits-and-back", "RFC 9110 8.6", RANGE, b" 4294967301", "413"),
    refused("100-digits", "RFC 9110 8.6", RANGE, b" " + b"1" * 100),
    refused("list-equal", "RFC 9112 6.3", LIST, b" 5, 5"),
    refused("list-without-blank", "RFC 9112 6.3", LIST, b" 5,5"),
    refused("list-differs", "RFC 9112 6.3", TWICE, b" 5, 6"),
    refused("list-with-empty-member", "RFC 9112 6.3", TWICE, b" 5,"),
    refused("comma-first", "RFC 9112 6.3", TWICE, b" ,5"),
    refused("two-equal", "RFC 9112 6.3", LIST, b" 5\r\nContent-Length: 5"),
    refused("two-differ", "RFC 9112 6.3", TWICE, b" 5\r\nContent-Length: 6"),
    refused("two-differ-in-spelling", "RFC 9112 6.3", LIST, b" 5\r\ncontent-length: 05"),
    refused("two-one-zero", "RFC 9112 6.3", TWICE, b" 0\r\nX: y\r\nContent-Length: 5"),
    refused("two-one-bad", "RFC 9112 6.3", TWICE, b" 5\r\nContent-Length: x"),
    bad("space-before-colon", "RFC 9112 5.1", "No blank before a colon.", post(b"Content-Length : 5", body=b"hello")),
    bad("folded", "RFC 9112 5.2", "No folding.", post(b"Content-Length:", b" 5", body=b"hello")),
    bad("nul-in-name", "RFC 9110 5.6.2", "A name is a token.", post(b"Content-Length\0: 5", body=b"hello")),
    refused("over-the-limit", "RFC 9110 15.5.14", LIMIT, b" 1048577", "413"),
    refused("63-bits", "RFC 9110 15.5.14", LIMIT, b" 9223372036854775807", "413"),
    more("body-cut-off", "RFC 9112 8", CUT, post(b"Content-Length: 5", body=b"hell")),
    more("body-not-begun", "RFC 9112 8", CUT, post(b"Content-Length: 5")),
    more("good-then-cut-off", "RFC 9112 8", CUT, NEXT + post(b"Content-Length: 5"), SEEN_NEXT, answers="200"),
    case(
        "connect-with-body",
        "RFC 9110 9.3.6",
        "Content of CONNECT has no meaning, so that it is refused.",
        b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\nContent-Length: 5\r\n\r\nhello" + NEXT,
        "4xx",
        End.CLOSED,
    ),
)
