"""The Host field (RFC 9112 section 3.2, RFC 9110 section 7.2, RFC 3986 section 3.2)."""

from __future__ import annotations

from .case import NEXT, SEEN_NEXT, Case, bad, get, ok

ONCE = "HTTP/1.1 needs exactly one Host field; with none or several the answer is 400."
VALUE = "Host is a host of RFC 3986 and perhaps a port; anything else is 400."
EMPTY = "Host is empty when the target has no authority."
PORT = "A port is empty or a decimal number that fits 16 bits."
IPV6 = "An address in brackets is an IPv6 address by its grammar."
USERINFO = "Userinfo has no place in Host."
BLANKS = "Blanks around a value are not part of it."


def host(value: bytes) -> bytes:
    """A request with this value of Host."""
    return get(host=b"Host: " + value)


def served(id: str, rfc: str, rule: str, value: bytes) -> Case:
    return ok(id, rfc, rule, host(value), b"GET /a")


def refused(id: str, rfc: str, rule: str, value: bytes) -> Case:
    return bad(id, rfc, rule, host(value) + NEXT)


CASES: tuple[Case, ...] = (
    bad("missing", "RFC 9112 3.2", ONCE, get(host=b"")),
    bad("missing-among-others", "RFC 9112 3.2", ONCE, get(b"X-Host: a", b"Hosts: a", host=b"")),
    bad("twice", "RFC 9112 3.2", ONCE, get(b"Host: b")),
    bad("twice-the-same", "RFC 9112 3.2", ONCE, get(b"Host: a")),
    bad("twice-in-another-case", "RFC 9112 3.2", ONCE, get(b"X: y", b"hOSt: b")),
    bad("twice-one-empty", "RFC 9112 3.2", ONCE, get(b"Host:")),
    bad("three-times", "RFC 9112 3.2", ONCE, get(b"Host: a", b"Host: a")),
    bad("twice-for-absolute", "RFC 9112 3.2", ONCE, get(b"Host: a", target=b"http://a/a")),
    bad("bad-for-absolute", "RFC 9112 3.2", VALUE, get(target=b"http://a/a", host=b"Host: a/b")),
    bad("missing-after-a-good-one", "RFC 9112 3.2", ONCE, NEXT + get(host=b""), "200 400", SEEN_NEXT),
    ok("in-lower-case", "RFC 9110 5.1", "Field names ignore case.", get(host=b"host: a"), b"GET /a"),
    ok("in-capitals", "RFC 9110 5.1", "Field names ignore case.", get(host=b"HOST:a"), b"GET /a"),
    ok(
        "last",
        "RFC 9110 5.3",
        "Fields of different names may be in any order.",
        get(b"X: y", b"Host: a", host=b""),
        b"GET /a",
    ),
    served("empty", "RFC 9110 7.2", EMPTY, b""),
    served("blank", "RFC 9110 5.5", BLANKS, b"  \t"),
    served("blanks-around", "RFC 9110 5.5", BLANKS, b"\t a.example \t"),
    served("with-port", "RFC 9110 7.2", PORT, b"a.example:8080"),
    served("with-empty-port", "RFC 3986 3.2.3", PORT, b"a.example:"),
    served("port-0", "RFC 3986 3.2.3", PORT, b"a:0"),
    served("port-65535", "RFC 3986 3.2.3", PORT, b"a:65535"),
    served("port-with-leading-zeros", "RFC 3986 3.2.3", PORT, b"a:00080"),
    served("final-dot", "RFC 3986 3.2.2", VALUE, b"a.example."),
    served("escape", "RFC 3986 3.2.2", VALUE, b"a%2Db"),
    served("sub-delims", "RFC 3986 3.2.2", VALUE, b"a!$&'()*+,;=b"),
    served("unreserved", "RFC 3986 3.2.2", VALUE, b"a-b_c.d~e"),
    served("ipv4", "RFC 3986 3.2.2", VALUE, b"127.0.0.1:80"),
    served("ipv6", "RFC 3986 3.2.2", IPV6, b"[2001:db8::1]"),
    served("ipv6-with-port", "RFC 3986 3.2.2", IPV6, b"[::1]:8080"),
    served("ipv6-unspecified", "RFC 3986 3.2.2", IPV6, b"[::]"),
    served("ipv6-with-ipv4", "RFC 3986 3.2.2", IPV6, b"[::ffff:127.0.0.1]"),
    served("ipv6-eight-groups", "RFC 3986 3.2.2", IPV6, b"[1:2:3:4:5:6:7:8]"),
    served("ip-future", "RFC 3986 3.2.2", IPV6, b"[v1.a:b]"),
    refused("ipv6-without-brackets", "RFC 3986 3.2.2", IPV6, b"::1"),
    refused("ipv6-letter", "RFC 3986 3.2.2", IPV6, b"[::g]"),
    refused("ipv6-two-gaps", "RFC 3986 3.2.2", IPV6, b"[1::2::3]"),
    refused("ipv6-nine-groups", "RFC 3986 3.2.2", IPV6, b"[1:2:3:4:5:6:7:8:9]"),
    refused("ipv6-seven-groups", "RFC 3986 3.2.2", IPV6, b"[1:2:3:4:5:6:7]"),
    refused("ipv6-five-digits", "RFC 3986 3.2.2", IPV6, b"[::12345]"),
    refused("ipv6-zone", "RFC 3986 3.2.2", IPV6, b"[fe80::1%25eth0]"),
    refused("ipv6-open", "RFC 3986 3.2.2", IPV6, b"[::1"),
    refused("ipv6-then-letters", "RFC 3986 3.2.2", IPV6, b"[::1]a"),
    refused("brackets-empty", "RFC 3986 3.2.2", IPV6, b"[]"),
    refused("bracket-alone", "RFC 3986 3.2.2", VALUE, b"a]"),
    refused("port-65536", "RFC 3986 3.2.3", PORT, b"a:65536"),
    refused("port-beyond-64-bits", "RFC 3986 3.2.3", PORT, b"a:18446744073709551696"),
    refused("port-with-letters", "RFC 3986 3.2.3", PORT, b"a:80x"),
    refused("port-negative", "RFC 3986 3.2.3", PORT, b"a:-80"),
    refused("port-with-space", "RFC 3986 3.2.3", PORT, b"a: 80"),
    refused("two-ports", "RFC 3986 3.2.3", PORT, b"a:80:80"),
    refused("port-alone", "RFC 9110 4.2.1", VALUE, b":80"),
    refused("userinfo", "RFC 9110 4.2.4", USERINFO, b"me@a"),
    refused("userinfo-with-password", "RFC 9110 4.2.4", USERINFO, b"me:pw@a:80"),
    refused("path", "RFC 9112 3.2", VALUE, b"a/b"),
    refused("uri", "RFC 9112 3.2", VALUE, b"http://a"),
    refused("query", "RFC 9112 3.2", VALUE, b"a?b"),
    refused("fragment", "RFC 9112 3.2", VALUE, b"a#b"),
    refused("backslash", "RFC 9112 3.2", VALUE, b"a\\b"),
    refused("list", "RFC 9112 3.2", "Host is one value and no list.", b"a, b"),
    refused("space-inside", "RFC 9112 3.2", VALUE, b"a b"),
    refused("tab-inside", "RFC 9112 3.2", VALUE, b"a\tb"),
    refused("quotes", "RFC 9112 3.2", VALUE, b'"a"'),
    refused("angle-brackets", "RFC 9112 3.2", VALUE, b"<a>"),
    refused("above-ascii", "RFC 9112 3.2", VALUE, b"\xe9.example"),
    refused("nul", "RFC 9110 5.5", VALUE, b"a\0"),
    refused("escape-malformed", "RFC 3986 2.1", VALUE, b"a%2"),
)
