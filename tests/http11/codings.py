"""Transfer-Encoding, alone and beside Content-Length (RFC 9112 sections 6.1, 6.3 and 7)."""

from __future__ import annotations

from .case import NEXT, SEEN_NEXT, Case, bad, chunked, get, ok, post

CHUNKED = "The one coding that a server must understand is chunked; its name ignores case."
UNKNOWN = "A coding that the server does not understand is 501."
LAST = "chunked is the last coding, else the length of the body cannot be known: an error and close."
TWICE = "chunked is applied once at most."
BOTH = "Content-Length beside Transfer-Encoding may be smuggling: refused, and the connection is closed."
OLD = "Transfer-Encoding in an HTTP/1.0 request is faulty framing: refused, and the connection is closed."
TEXT = "What is not exactly the coding's name is another coding."
HIDDEN = "A field that another server might see is no reason to guess."
END = b"5\r\nhello\r\n0\r\n\r\n"


def refused(id: str, rfc: str, rule: str, value: bytes, answers: str = "400/501") -> Case:
    return bad(id, rfc, rule, post(b"Transfer-Encoding:" + value, body=END + NEXT), answers)


CASES: tuple[Case, ...] = (
    ok("chunked", "RFC 9112 7", CHUNKED, chunked(END + NEXT), b"POST /a hello", SEEN_NEXT),
    ok("in-capitals", "RFC 9112 7", CHUNKED, post(b"TRANSFER-ENCODING: CHUNKED", body=END), b"POST /a hello"),
    ok("in-mixed-case", "RFC 9112 7", CHUNKED, post(b"transfer-encoding: cHuNkEd", body=END), b"POST /a hello"),
    ok("no-blank", "RFC 9112 5", CHUNKED, post(b"Transfer-Encoding:chunked", body=END), b"POST /a hello"),
    ok("blanks-around", "RFC 9112 5", CHUNKED, post(b"Transfer-Encoding: \t chunked \t", body=END), b"POST /a hello"),
    ok(
        "get-with-chunks",
        "RFC 9112 6",
        CHUNKED,
        get(b"Transfer-Encoding: chunked") + END + NEXT,
        b"GET /a hello",
        SEEN_NEXT,
    ),
    ok(
        "te-is-another-field",
        "RFC 9110 10.1.4",
        "TE says what the answer may use and frames nothing.",
        get(b"TE: trailers, deflate;q=0.5", b"Connection: TE") + NEXT,
        b"GET /a",
        SEEN_NEXT,
    ),
    ok(
        "name-with-underscore",
        "RFC 9110 5.1",
        "Transfer_Encoding is another field.",
        post(b"Transfer_Encoding: chunked", b"Content-Length: 5", body=b"hello" + NEXT),
        b"POST /a hello",
        SEEN_NEXT,
    ),
    refused("gzip", "RFC 9112 6.1", UNKNOWN, b" gzip"),
    refused("identity", "RFC 9112 7", UNKNOWN, b" identity"),
    refused("unknown", "RFC 9112 6.1", UNKNOWN, b" cow", "501"),
    refused("gzip-chunked", "RFC 9112 6.1", UNKNOWN, b" gzip, chunked", "501"),
    refused("chunked-gzip", "RFC 9112 6.3", LAST, b" chunked, gzip"),
    refused("chunked-identity", "RFC 9112 6.3", LAST, b" chunked, identity"),
    refused("chunked-chunked", "RFC 9112 6.1", TWICE, b" chunked, chunked"),
    refused("chunked-twice-without-blank", "RFC 9112 6.1", TWICE, b" chunked,chunked"),
    refused("chunked-in-two-lines", "RFC 9112 6.1", TWICE, b" chunked\r\nTransfer-Encoding: chunked"),
    refused("gzip-then-chunked-line", "RFC 9112 6.1", UNKNOWN, b" gzip\r\nTransfer-Encoding: chunked"),
    refused("chunked-then-gzip-line", "RFC 9112 6.3", LAST, b" chunked\r\nTransfer-Encoding: gzip"),
    refused("chunked-then-empty-line", "RFC 9112 6.1", TEXT, b" chunked\r\nTransfer-Encoding:"),
    refused("chunked-then-cow-apart", "RFC 9112 6.3", LAST, b" chunked\r\nX: y\r\ntransfer-encoding: cow"),
    refused("empty", "RFC 9112 6.1", TEXT, b""),
    refused("comma", "RFC 9112 6.1", TEXT, b" ,"),
    refused("comma-after", "RFC 9112 6.1", TEXT, b" chunked,"),
    refused("comma-before", "RFC 9112 6.1", TEXT, b" ,chunked"),
    refused("quotes", "RFC 9112 7", TEXT, b' "chunked"'),
    refused("single-quotes", "RFC 9112 7", TEXT, b" 'chunked'"),
    refused("prefix", "RFC 9112 7", TEXT, b" xchunked"),
    refused("suffix", "RFC 9112 7", TEXT, b" chunkedx"),
    refused("cut-short", "RFC 9112 7", TEXT, b" chunke"),
    refused("two-words", "RFC 9112 7", TEXT, b" chunked x"),
    refused("parameter", "RFC 9112 7", TEXT, b" chunked;q=1"),
    refused("semicolon", "RFC 9112 7", TEXT, b" chunked;"),
    refused("equals", "RFC 9112 7", TEXT, b" =chunked"),
    refused("above-ascii", "RFC 9112 7", TEXT, b" chun\xe7ed"),
    refused("long-k", "RFC 9112 7", TEXT, " chun\u212aed".encode()),
    refused("no-break-space-before", "RFC 9112 7", TEXT, b" \xa0chunked"),
    refused("vertical-tab-before", "RFC 9110 5.5", TEXT, b" \x0bchunked"),
    refused("form-feed-after", "RFC 9110 5.5", TEXT, b" chunked\x0c"),
    refused("nul-after", "RFC 9110 5.5", TEXT, b" chunked\0"),
    refused("bare-cr-before", "RFC 9112 2.2", TEXT, b"\rchunked"),
    refused("folded", "RFC 9112 5.2", "No folding.", b"\r\n chunked"),
    refused("folded-after", "RFC 9112 5.2", "No folding.", b" chunked\r\n ,gzip"),
    refused("and-length", "RFC 9112 6.3", BOTH, b" chunked\r\nContent-Length: 5"),
    refused("and-length-zero", "RFC 9112 6.3", BOTH, b" chunked\r\nContent-Length: 0"),
    refused("and-length-of-the-whole", "RFC 9112 6.3", BOTH, b" chunked\r\nContent-Length: 15"),
    refused("and-bad-length", "RFC 9112 6.3", BOTH, b" chunked\r\nContent-Length: x"),
    refused("gzip-and-length", "RFC 9112 6.3", BOTH, b" gzip\r\nContent-Length: 5"),
    refused("empty-and-length", "RFC 9112 6.3", BOTH, b"\r\nContent-Length: 5"),
    bad(
        "length-first",
        "RFC 9112 6.3",
        BOTH,
        post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + NEXT),
    ),
    bad("both-in-get", "RFC 9112 6.3", BOTH, get(b"Content-Length: 5", b"Transfer-Encoding: chunked") + b"0\r\n\r\n"),
    bad(
        "space-before-colon",
        "RFC 9112 5.1",
        HIDDEN,
        post(b"Transfer-Encoding : chunked", b"Content-Length: 5", body=b"hello"),
    ),
    bad("blank-before-name", "RFC 9112 5.2", HIDDEN, post(b"X: y", b" Transfer-Encoding: chunked", body=END)),
    bad("after-bare-lf", "RFC 9112 2.2", HIDDEN, post(b"X: y\nTransfer-Encoding: chunked", body=END)),
    bad("after-bare-cr", "RFC 9112 2.2", HIDDEN, post(b"X: y\rTransfer-Encoding: chunked", body=END)),
    bad("nul-in-name", "RFC 9110 5.6.2", HIDDEN, post(b"Transfer\0Encoding: chunked", body=END)),
    bad("colon-twice", "RFC 9112 7", TEXT, post(b"Transfer-Encoding:: chunked", body=END), "400/501"),
    bad("http-1.0", "RFC 9112 6.1", OLD, b"POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + END),
    bad(
        "http-1.0-keep-alive",
        "RFC 9112 6.1",
        OLD,
        b"POST /a HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n" + END + NEXT,
    ),
    bad("http-1.0-unknown", "RFC 9112 6.1", OLD, b"POST /a HTTP/1.0\r\nTransfer-Encoding: cow\r\n\r\n", "400/501"),
    bad("http-1.0-empty", "RFC 9112 6.1", OLD, b"GET /a HTTP/1.0\r\nTransfer-Encoding:\r\n\r\n", "400/501"),
)
