"""Field lines: names, colons, values, folding, line ends and limits (RFC 9112 section 5, RFC 9110 section 5)."""

from __future__ import annotations

from .case import NEXT, SEEN_NEXT, Case, bad, get, more, ok

NAME = "A field name is a token."
COLON = "Nothing stands between a field name and its colon; else the answer is 400."
VALUE = "A value holds visible bytes, blanks between them and bytes above 0x7F."
CONTROL = "CR, LF, NUL and other controls make a value invalid."
BLANKS = "Blanks around a value are not part of it."
FOLD = "A line that begins with a blank continues no other one: it is refused."
LINE_END = "Each line ends in CR LF."
LIMIT = "A server may refuse fields beyond what it wants to handle, with 431."
REPEAT = "A field may come more than once; order within a name is kept."


def served(id: str, rfc: str, rule: str, *fields: bytes) -> Case:
    return ok(id, rfc, rule, get(*fields) + NEXT, b"GET /a", SEEN_NEXT)


def refused(id: str, rfc: str, rule: str, *fields: bytes, answers: str = "400") -> Case:
    return bad(id, rfc, rule, get(*fields) + NEXT, answers)


CASES: tuple[Case, ...] = (
    served("no-blank", "RFC 9112 5", "The blank after the colon is optional.", b"X:y"),
    served("tab-for-blank", "RFC 9112 5", BLANKS, b"X:\ty"),
    served("blanks-around", "RFC 9112 5", BLANKS, b"X: \t y \t "),
    served("empty-value", "RFC 9110 5.5", "A value may be empty.", b"X:"),
    served("value-of-blanks", "RFC 9110 5.5", "A value may be empty.", b"X: \t \t"),
    served("latin-1", "RFC 9110 5.5", VALUE, b"X: caf\xe9 \x80\xff"),
    served("utf-8", "RFC 9110 5.5", VALUE, "X: é日本".encode()),
    served("tab-inside", "RFC 9110 5.5", VALUE, b"X: a\tb"),
    served("every-visible-byte", "RFC 9110 5.5", VALUE, b"X: " + bytes(range(0x21, 0x7F))),
    served("colon-in-value", "RFC 9110 5.5", VALUE, b"X: a:b:c"),
    served("value-begins-with-colon", "RFC 9110 5.5", VALUE, b"X::"),
    served("every-tchar", "RFC 9110 5.6.2", NAME, b"!#$%&'*+-.^_`|~09AZaz: y"),
    served("name-of-one-byte", "RFC 9110 5.6.2", NAME, b"1: y"),
    served("name-with-underscore", "RFC 9110 5.6.2", NAME, b"X_Y: z"),
    served("unknown", "RFC 9110 5.1", "Unknown fields are ignored.", b"Never-Heard-Of: it"),
    served("repeated", "RFC 9110 5.3", REPEAT, b"X: a", b"Y: b", b"x: c"),
    served("open-quote", "RFC 9110 5.5", VALUE, b'X: "a'),
    refused("space-before-colon", "RFC 9112 5.1", COLON, b"X : y"),
    refused("tab-before-colon", "RFC 9112 5.1", COLON, b"X\t: y"),
    refused("space-before-colon-of-host", "RFC 9112 5.1", COLON, b"Host : b"),
    refused("space-in-name", "RFC 9110 5.6.2", NAME, b"X Y: z"),
    refused("empty-name", "RFC 9112 5.1", NAME, b": y"),
    refused("no-colon", "RFC 9112 5.1", COLON, b"X"),
    refused("no-colon-but-value", "RFC 9112 5.1", COLON, b"X y"),
    refused("name-with-parenthesis", "RFC 9110 5.6.2", NAME, b"X(y): z"),
    refused("name-with-slash", "RFC 9110 5.6.2", NAME, b"X/y: z"),
    refused("name-with-comma", "RFC 9110 5.6.2", NAME, b"X,y: z"),
    refused("name-with-semicolon", "RFC 9110 5.6.2", NAME, b"X;y: z"),
    refused("name-with-at", "RFC 9110 5.6.2", NAME, b"X@y: z"),
    refused("name-with-brackets", "RFC 9110 5.6.2", NAME, b"X[y]: z"),
    refused("name-with-braces", "RFC 9110 5.6.2", NAME, b"X{y}: z"),
    refused("name-with-backslash", "RFC 9110 5.6.2", NAME, b"X\\y: z"),
    refused("name-in-quotes", "RFC 9110 5.6.2", NAME, b'"X": z'),
    refused("name-with-equals", "RFC 9110 5.6.2", NAME, b"X=y: z"),
    refused("name-above-ascii", "RFC 9110 5.6.2", NAME, b"X\xe9: z"),
    refused("name-with-nul", "RFC 9110 5.6.2", NAME, b"X\0: z"),
    refused("name-with-control", "RFC 9110 5.6.2", NAME, b"X\x0b: z"),
    refused("name-with-del", "RFC 9110 5.6.2", NAME, b"X\x7f: z"),
    refused("name-with-bare-cr", "RFC 9112 2.2", LINE_END, b"X\r: z"),
    refused("nul", "RFC 9110 5.5", CONTROL, b"X: y\0z"),
    refused("nul-last", "RFC 9110 5.5", CONTROL, b"X: y\0"),
    refused("control-1", "RFC 9110 5.5", CONTROL, b"X: y\x01z"),
    refused("backspace", "RFC 9110 5.5", CONTROL, b"X: y\x08z"),
    refused("vertical-tab", "RFC 9110 5.5", CONTROL, b"X: y\x0bz"),
    refused("form-feed-last", "RFC 9110 5.5", CONTROL, b"X: y\x0c"),
    refused("escape", "RFC 9110 5.5", CONTROL, b"X: y\x1bz"),
    refused("control-31", "RFC 9110 5.5", CONTROL, b"X: \x1f"),
    refused("del", "RFC 9110 5.5", CONTROL, b"X: y\x7fz"),
    refused("bare-cr", "RFC 9112 2.2", LINE_END, b"X: y\rz"),
    refused("bare-cr-last", "RFC 9112 2.2", LINE_END, b"X: y\r"),
    refused("bare-cr-as-line-end", "RFC 9112 2.2", LINE_END, b"X: y\rContent-Length: 5"),
    refused("bare-lf-as-line-end", "RFC 9112 2.2", LINE_END, b"X: y\nY: z"),
    refused("bare-lf-first", "RFC 9112 2.2", LINE_END, b"\nX: y"),
    refused("lf-cr", "RFC 9112 2.2", LINE_END, b"X: y\n\rY: z"),
    bad("head-ends-in-bare-lf", "RFC 9112 2.2", LINE_END, b"GET /a HTTP/1.1\r\nHost: a\r\n\n"),
    bad("head-of-bare-lf", "RFC 9112 2.2", LINE_END, b"GET /a HTTP/1.1\nHost: a\n\n"),
    bad("last-field-ends-in-bare-lf", "RFC 9112 2.2", LINE_END, b"GET /a HTTP/1.1\r\nHost: a\n\r\n"),
    refused("folded", "RFC 9112 5.2", FOLD, b"X: y", b" z"),
    refused("folded-by-tab", "RFC 9112 5.2", FOLD, b"X: y", b"\tz"),
    refused("folded-blank-line", "RFC 9112 5.2", FOLD, b"X: y", b" "),
    refused("folded-empty-value", "RFC 9112 5.2", FOLD, b"X:", b" y"),
    refused("folded-host", "RFC 9112 5.2", FOLD, b" b"),
    refused("folded-like-a-field", "RFC 9112 5.2", FOLD, b"X: y", b" Content-Length: 5"),
    bad("blank-before-first-field", "RFC 9112 2.2", FOLD, get(host=b" Host: a")),
    bad("blank-line-before-first-field", "RFC 9112 2.2", FOLD, get(b"Host: a", host=b" ")),
    served("field-of-8000", "RFC 9110 5.4", LIMIT, b"X: " + b"v" * 8000),
    refused("field-too-long", "RFC 6585 5", LIMIT, b"X: " + b"v" * 16400, answers="431"),
    refused("name-too-long", "RFC 6585 5", LIMIT, b"X" * 16400 + b": v", answers="431"),
    bad("head-too-large", "RFC 6585 5", LIMIT, get(*[b"X: " + b"v" * 8000] * 5), "431"),
    served("100-fields", "RFC 6585 5", LIMIT, *[b"X: v"] * 99),
    refused("101-fields", "RFC 6585 5", LIMIT, *[b"X: v"] * 100, answers="431"),
    bad("head-without-end", "RFC 6585 5", LIMIT, b"GET /a HTTP/1.1\r\nHost: a\r\n" + b"X: vvvvv\r\n" * 3300, "431"),
    more("not-complete", "RFC 9112 2.1", "A head ends with an empty line.", b"GET /a HTTP/1.1\r\nHost: a\r\n"),
    more("cut-in-the-last-line-end", "RFC 9112 2.1", "A head ends with an empty line.", get()[:-1]),
)
