"""Chunked bodies: sizes, extensions, data and line ends (RFC 9112 section 7.1)."""

from __future__ import annotations

from .case import NEXT, SEEN_NEXT, Case, bad, chunked, more, ok

DATA = "The body is the data of the chunks, up to the chunk of size zero."
SIZE = "A size is one or more hexadecimal digits and nothing else."
RANGE = "A size that does not fit must not be taken for another one."
EXTENSION = "Extensions follow a size after a semicolon; unknown ones are ignored."
GRAMMAR = "An extension is a name and perhaps = and a token or a quoted string."
BLANKS = "Blanks around the parts of an extension are obsolete: one of the two readers takes them for errors."
LINE_END = "Every line of a chunked body ends in CR LF."
LENGTH = "A chunk holds as many bytes as its size says, then CR LF."
LIMIT = "The size of all extensions together is limited."
CUT = "Without the last chunk and the empty line after it a body is not complete."


def served(id: str, rule: str, body: bytes, content: bytes, rfc: str = "RFC 9112 7.1") -> Case:
    seen = b"POST /a" + (b" " + content if content else b"")
    return ok(id, rfc, rule, chunked(body + NEXT), seen, SEEN_NEXT)


def refused(id: str, rule: str, body: bytes, rfc: str = "RFC 9112 7.1", answers: str = "400") -> Case:
    return bad(id, rfc, rule, chunked(body + NEXT), answers)


def size(text: bytes) -> bytes:
    """A body whose first chunk of five bytes has this size line."""
    return text + b"\r\nhello\r\n0\r\n\r\n"


CASES: tuple[Case, ...] = (
    served("one", DATA, size(b"5"), b"hello"),
    served("two", DATA, b"5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n", b"hello, world"),
    served("none", DATA, b"0\r\n\r\n", b""),
    served("of-one-byte", DATA, b"1\r\na\r\n" * 20 + b"0\r\n\r\n", b"a" * 20),
    served("data-like-chunks", DATA, b"8\r\na\r\n0\r\n\r\n\r\n0\r\n\r\n", b"a\r\n0\r\n\r\n"),
    served("data-like-a-request", DATA, b"10\r\nGET /b HTTP/1.1\n\r\n0\r\n\r\n", b"GET /b HTTP/1.1\n"),
    served("every-byte", DATA, b"100\r\n" + bytes(range(256)) + b"\r\n0\r\n\r\n", bytes(range(256))),
    served("size-in-capitals", SIZE, b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    served("size-in-lower-case", SIZE, b"a\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    served("leading-zeros", SIZE, size(b"0000005"), b"hello"),
    served("last-chunk-of-zeros", SIZE, b"5\r\nhello\r\n000\r\n\r\n", b"hello"),
    served("size-of-16-digits", SIZE, size(b"0000000000000005"), b"hello"),
    ok(
        "unknown-path",
        "RFC 9112 9.3",
        "The body is dropped.",
        chunked(size(b"5") + NEXT, target=b"/no"),
        SEEN_NEXT,
        answers="404 200",
    ),
    refused("size-empty", SIZE, size(b"")),
    refused("size-of-letters", SIZE, size(b"g")),
    refused("size-with-prefix", SIZE, size(b"0x5")),
    refused("size-with-suffix", SIZE, size(b"5h")),
    refused("size-with-plus", SIZE, size(b"+5")),
    refused("size-negative", SIZE, size(b"-5")),
    refused("size-minus-zero", SIZE, b"5\r\nhello\r\n-0\r\n\r\n"),
    refused("size-with-underscore", SIZE, size(b"0_5")),
    refused("size-with-dot", SIZE, size(b"5.0")),
    refused("size-with-comma", SIZE, size(b"5,5")),
    refused("size-in-quotes", SIZE, size(b'"5"')),
    refused("size-above-ascii", SIZE, size(b"\xb5")),
    refused("size-with-nul", SIZE, size(b"5\0")),
    refused("space-before-size", SIZE, size(b" 5")),
    refused("tab-before-size", SIZE, size(b"\t5")),
    refused("space-after-size", SIZE, size(b"5 ")),
    refused("tab-after-size", SIZE, size(b"5\t")),
    refused("space-in-size", SIZE, size(b"0 5")),
    refused("space-after-last-size", SIZE, b"5\r\nhello\r\n0 \r\n\r\n"),
    refused("empty-line-before-size", SIZE, b"\r\n5\r\nhello\r\n0\r\n\r\n"),
    refused("size-of-17-digits", RANGE, size(b"00000000000000005")),
    refused("size-beyond-63-bits", RANGE, size(b"8000000000000000"), answers="400/413"),
    refused("size-beyond-64-bits", RANGE, size(b"10000000000000005"), answers="400/413"),
    refused("size-of-64-bits", RANGE, size(b"ffffffffffffffff"), answers="400/413"),
    refused("size-of-32-bits-and-back", RANGE, b"100000005\r\n" + b"x" * 1048577, answers="400/413"),
    refused("size-of-1000-digits", RANGE, size(b"0" * 1000 + b"5")),
    served("extension", EXTENSION, size(b"5;a"), b"hello", "RFC 9112 7.1.1"),
    served("extension-with-value", EXTENSION, size(b"5;a=b"), b"hello", "RFC 9112 7.1.1"),
    served("extension-quoted", EXTENSION, size(b'5;a="b;\\"c,\t\xe9"'), b"hello", "RFC 9112 7.1.1"),
    served("extension-quoted-empty", EXTENSION, size(b'5;a=""'), b"hello", "RFC 9112 7.1.1"),
    served("extensions", EXTENSION, size(b"5;a;b=c;d"), b"hello", "RFC 9112 7.1.1"),
    served("extension-of-last-chunk", EXTENSION, b"5\r\nhello\r\n0;a=b\r\n\r\n", b"hello", "RFC 9112 7.1.1"),
    served("extension-of-every-tchar", EXTENSION, size(b"5;!#$%&'*+-.^_`|~09AZaz"), b"hello", "RFC 9112 7.1.1"),
    refused("extension-after-blank", BLANKS, size(b"5 ;a"), "RFC 9112 7.1.1"),
    refused("extension-blank-before-name", BLANKS, size(b"5; a"), "RFC 9112 7.1.1"),
    refused("extension-blank-before-equals", BLANKS, size(b"5;a =b"), "RFC 9112 7.1.1"),
    refused("extension-blank-before-semicolon", BLANKS, size(b"5;a=b ;c"), "RFC 9112 7.1.1"),
    refused("extension-without-name", GRAMMAR, size(b"5;"), "RFC 9112 7.1.1"),
    refused("extension-without-value", GRAMMAR, size(b"5;a="), "RFC 9112 7.1.1"),
    refused("extension-only-value", GRAMMAR, size(b"5;=b"), "RFC 9112 7.1.1"),
    refused("extension-without-semicolon", GRAMMAR, size(b"5 a"), "RFC 9112 7.1.1"),
    refused("extension-two-values", GRAMMAR, size(b"5;a=b=c"), "RFC 9112 7.1.1"),
    refused("extension-of-two-words", GRAMMAR, size(b"5;a b"), "RFC 9112 7.1.1"),
    refused("extension-with-separator", GRAMMAR, size(b"5;a=(b)"), "RFC 9112 7.1.1"),
    refused("extension-quote-open", GRAMMAR, size(b'5;a="b'), "RFC 9112 7.1.1"),
    refused("extension-after-quote", GRAMMAR, size(b'5;a="b"c'), "RFC 9112 7.1.1"),
    refused("extension-above-ascii", GRAMMAR, size(b"5;\xe9"), "RFC 9112 7.1.1"),
    refused("extension-with-nul", GRAMMAR, size(b"5;a\0"), "RFC 9112 7.1.1"),
    refused("extension-nul-in-quotes", GRAMMAR, size(b'5;a="\0"'), "RFC 9112 7.1.1"),
    refused("extension-with-bare-cr", LINE_END, size(b"5;a\rb"), "RFC 9112 7.1.1"),
    refused("extension-cr-in-quotes", LINE_END, size(b'5;a="\r"'), "RFC 9112 7.1.1"),
    refused("extension-lf-in-quotes", LINE_END, size(b'5;a="\n"'), "RFC 9112 7.1.1"),
    refused("extension-escaped-lf", LINE_END, size(b'5;a="\\\n"'), "RFC 9112 7.1.1"),
    refused("extension-ends-in-bare-lf", LINE_END, b"5;a\nhello\r\n0\r\n\r\n", "RFC 9112 7.1.1"),
    served("extensions-of-16384", LIMIT, size(b"5;" + b"e" * 16383), b"hello", "RFC 9112 7.1.1"),
    refused("extensions-too-long", LIMIT, size(b"5;" + b"e" * 16384), "RFC 9112 7.1.1"),
    refused(
        "extensions-too-many",
        LIMIT,
        b"1;" + b"e" * 99 + b"\r\nb\r\n" + (b"1;" + b"e" * 99 + b"\r\nb\r\n") * 170,
        "RFC 9112 7.1.1",
    ),
    refused("bare-lf-after-size", LINE_END, b"5\nhello\r\n0\r\n\r\n"),
    refused("bare-cr-after-size", LINE_END, b"5\rhello\r\n0\r\n\r\n"),
    refused("cr-cr-lf-after-size", LINE_END, size(b"5\r")),
    refused("bare-lf-after-data", LINE_END, b"5\r\nhello\n0\r\n\r\n"),
    refused("bare-cr-after-data", LINE_END, b"5\r\nhello\r0\r\n\r\n"),
    refused("nothing-after-data", LENGTH, b"5\r\nhello0\r\n\r\n"),
    refused("bare-lf-after-last-size", LINE_END, b"5\r\nhello\r\n0\n\r\n"),
    refused("bare-lf-at-the-end", LINE_END, b"5\r\nhello\r\n0\r\n\n"),
    refused("all-bare-lf", LINE_END, b"5\nhello\n0\n\n"),
    refused("data-too-long", LENGTH, b"4\r\nhello\r\n0\r\n\r\n"),
    refused("data-too-short", LENGTH, b"6\r\nhello\r\n0\r\n\r\n"),
    refused("two-line-ends-after-data", LENGTH, b"5\r\nhello\r\n\r\n0\r\n\r\n"),
    refused(
        "over-the-limit", "A body over the limit is 413.", b"100001\r\n" + b"x" * 1048577, "RFC 9110 15.5.14", "413"
    ),
    more("size-not-complete", "RFC 9112 8", CUT, chunked(b"5")),
    more("data-not-complete", "RFC 9112 8", CUT, chunked(b"5\r\nhel")),
    more("no-last-chunk", "RFC 9112 8", CUT, chunked(b"5\r\nhello\r\n")),
    more("no-empty-line", "RFC 9112 8", CUT, chunked(b"5\r\nhello\r\n0\r\n")),
    more("no-last-lf", "RFC 9112 8", CUT, chunked(b"5\r\nhello\r\n0\r\n\r")),
)
