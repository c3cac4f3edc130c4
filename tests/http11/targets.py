"""The four forms of the request target and their bytes (RFC 9112 section 3.2, RFC 3986)."""

from __future__ import annotations

from .case import Case, bad, get, ok

ORIGIN = "The target of an ordinary request is an absolute path and perhaps a query."
BYTES = "A target holds visible ASCII only; whitespace and controls are invalid."
FRAGMENT = "A fragment is never part of a target."
ESCAPE = "A percent sign is followed by two hexadecimal digits."
ABSOLUTE = "A server accepts the absolute form although only proxies are sent it."
OVERRULED = "The host of an absolute target counts, whatever Host says."
EMPTY_HOST = "An http URI without a host is invalid."
USERINFO = "Userinfo in an http URI is taken for an error."
PORT = "A port is empty or a decimal number that fits 16 bits."
ASTERISK = "The asterisk form is for OPTIONS of the whole server only."
AUTHORITY = "The authority form, host and port, is for CONNECT and for nothing else."
TUNNEL = "A server that is no proxy makes no tunnel and does not answer CONNECT with 2xx."


def line(text: bytes) -> bytes:
    """A request of this request line."""
    return text + b" HTTP/1.1\r\nHost: a\r\n\r\n"


CASES: tuple[Case, ...] = (
    ok("query", "RFC 9112 3.2.1", ORIGIN, get(target=b"/a?x=1&y=/?z"), b"GET /a?x=1&y=/?z"),
    ok("empty-query", "RFC 9112 3.2.1", ORIGIN, get(target=b"/a?"), b"GET /a"),
    ok("root", "RFC 9112 3.2.1", ORIGIN, get(target=b"/"), b"GET /"),
    ok("unknown-path", "RFC 9110 15.5.5", ORIGIN, get(target=b"/nowhere"), answers="404"),
    ok("two-slashes", "RFC 9112 3.2.1", "A target that begins with // is a path.", get(target=b"//a"), answers="404"),
    ok("sub-delims", "RFC 3986 3.3", ORIGIN, get(target=b"/a?!$&'()*+,;=:@-._~"), b"GET /a?!$&'()*+,;=:@-._~"),
    ok("escaped-letter", "RFC 3986 6.2.2.2", "%61 and a are the same.", get(target=b"/%61"), b"GET /%61"),
    ok("colon-in-path", "RFC 3986 3.3", ORIGIN, get(target=b"/a:b"), answers="404"),
    ok("escape-malformed", "RFC 3986 2.1", ESCAPE, get(target=b"/a%zz"), answers="400"),
    ok("escape-cut-off", "RFC 3986 2.1", ESCAPE, get(target=b"/a%4"), answers="400"),
    bad("no-slash", "RFC 9112 3.2.1", ORIGIN, get(target=b"a")),
    bad("query-alone", "RFC 9112 3.2.1", ORIGIN, get(target=b"?x")),
    bad("dot", "RFC 9112 3.2.1", ORIGIN, get(target=b"./a")),
    bad("backslash-first", "RFC 9112 3.2.1", ORIGIN, get(target=b"\\a")),
    bad("space-in-path", "RFC 9112 3.2", BYTES, get(target=b"/a b")),
    bad("space-in-query", "RFC 9112 3.2", BYTES, get(target=b"/a?x y")),
    bad("tab", "RFC 9112 3.2", BYTES, get(target=b"/a\tb")),
    bad("nul", "RFC 9112 3.2", BYTES, get(target=b"/a\0")),
    bad("nul-in-query", "RFC 9112 3.2", BYTES, get(target=b"/a?\0")),
    bad("control", "RFC 9112 3.2", BYTES, get(target=b"/a\x1f")),
    bad("del", "RFC 9112 3.2", BYTES, get(target=b"/a\x7f")),
    bad("above-ascii", "RFC 9112 3.2", BYTES, get(target=b"/\xe9")),
    bad("utf-8", "RFC 9112 3.2", BYTES, get(target=b"/a?\xc3\xa9")),
    bad("bare-cr", "RFC 9112 2.2", BYTES, get(target=b"/a\rb")),
    bad("bare-lf", "RFC 9112 2.2", BYTES, get(target=b"/a\nb")),
    bad("fragment", "RFC 9112 3.2.1", FRAGMENT, get(target=b"/a#b")),
    bad("fragment-after-query", "RFC 9112 3.2.1", FRAGMENT, get(target=b"/a?x#b")),
    bad("fragment-alone", "RFC 9112 3.2.1", FRAGMENT, get(target=b"#")),
    ok("absolute", "RFC 9112 3.2.2", ABSOLUTE, get(target=b"http://other.example/a?x"), b"GET /a?x"),
    ok("host-of-host", "RFC 9110 7.2", "Host says the host.", get(target=b"/host"), b"GET /host a"),
    ok("absolute-host", "RFC 9112 3.2.2", OVERRULED, get(target=b"http://b.example/host"), b"GET /host b.example"),
    ok("absolute-host-port", "RFC 9112 3.2.2", OVERRULED, get(target=b"HTTP://[::1]:81/host"), b"GET /host [::1]:81"),
    ok("absolute-host-https", "RFC 9112 3.2.2", OVERRULED, get(target=b"https://b/host"), b"GET /host b"),
    ok(
        "absolute-host-over-empty",
        "RFC 9112 3.2.2",
        OVERRULED,
        get(b"X: y", target=b"http://b/host", host=b"Host:"),
        b"GET /host b",
    ),
    ok("absolute-https", "RFC 9112 3.2.2", ABSOLUTE, get(target=b"https://a/a"), b"GET /a"),
    ok("absolute-in-capitals", "RFC 3986 3.1", "Schemes ignore case.", get(target=b"HTTP://A/a"), b"GET /a"),
    ok("absolute-with-port", "RFC 9112 3.2.2", ABSOLUTE, get(target=b"http://a:8080/a"), b"GET /a"),
    ok("absolute-with-empty-port", "RFC 3986 3.2.3", PORT, get(target=b"http://a:/a"), b"GET /a"),
    ok("absolute-ipv4", "RFC 3986 3.2.2", ABSOLUTE, get(target=b"http://127.0.0.1/a"), b"GET /a"),
    ok("absolute-ipv6", "RFC 3986 3.2.2", ABSOLUTE, get(target=b"http://[::1]:80/a"), b"GET /a"),
    ok("absolute-without-path", "RFC 9110 4.2.3", "An empty path is /.", get(target=b"http://a"), b"GET /"),
    ok("absolute-query-without-path", "RFC 9110 4.2.3", "An empty path is /.", get(target=b"http://a?x"), b"GET /?x"),
    ok("absolute-unknown-path", "RFC 9112 3.2.2", ABSOLUTE, get(target=b"http://a/no"), answers="404"),
    bad("absolute-without-host-field", "RFC 9112 3.2", "Host is needed too.", get(target=b"http://a/a", host=b"")),
    bad("absolute-without-authority", "RFC 9110 4.2.1", EMPTY_HOST, get(target=b"http:///a")),
    bad("absolute-without-slashes", "RFC 9110 4.2.1", EMPTY_HOST, get(target=b"http:/a")),
    bad("absolute-only-port", "RFC 9110 4.2.1", EMPTY_HOST, get(target=b"http://:80/a")),
    bad("absolute-scheme-only", "RFC 9110 4.2.1", EMPTY_HOST, get(target=b"http://")),
    bad("absolute-with-userinfo", "RFC 9110 4.2.4", USERINFO, get(target=b"http://me@a/a")),
    bad("absolute-with-password", "RFC 9110 4.2.4", USERINFO, get(target=b"http://me:pw@a/a")),
    bad("absolute-port-too-large", "RFC 3986 3.2.3", PORT, get(target=b"http://a:65536/a")),
    bad("absolute-port-no-number", "RFC 3986 3.2.3", PORT, get(target=b"http://a:8o/a")),
    bad("absolute-bracket-open", "RFC 3986 3.2.2", ABSOLUTE, get(target=b"http://[::1/a")),
    bad("absolute-ipv6-malformed", "RFC 3986 3.2.2", ABSOLUTE, get(target=b"http://[::g]/a")),
    bad("absolute-backslash", "RFC 3986 3.2.2", ABSOLUTE, get(target=b"http://a\\b/a")),
    bad("absolute-other-scheme", "RFC 9110 4.2", "Only http and https are served.", get(target=b"ftp://a/a")),
    bad("absolute-fragment", "RFC 9112 3.2.2", FRAGMENT, get(target=b"http://a/a#x")),
    ok("asterisk", "RFC 9112 3.2.4", ASTERISK, line(b"OPTIONS *"), answers="204/200"),
    bad("asterisk-with-get", "RFC 9112 3.2.4", ASTERISK, line(b"GET *")),
    bad("asterisk-with-post", "RFC 9112 3.2.4", ASTERISK, line(b"POST *")),
    bad("asterisk-and-more", "RFC 9112 3.2.4", ASTERISK, line(b"OPTIONS *a")),
    bad("asterisk-twice", "RFC 9112 3.2.4", ASTERISK, line(b"OPTIONS **")),
    bad("asterisk-with-query", "RFC 9112 3.2.4", ASTERISK, line(b"OPTIONS *?x")),
    ok("asterisk-as-a-path", "RFC 3986 3.3", ORIGIN, line(b"GET /*"), answers="404"),
    ok("options-of-a-path", "RFC 9110 9.3.7", "OPTIONS is answered.", line(b"OPTIONS /a"), answers="200/204"),
    ok("options-absolute", "RFC 9112 3.2.4", ASTERISK, line(b"OPTIONS http://a/a"), answers="200/204"),
    bad("authority-with-get", "RFC 9112 3.2.3", AUTHORITY, line(b"GET a.example:80")),
    bad("authority-with-options", "RFC 9112 3.2.3", AUTHORITY, line(b"OPTIONS a.example:80")),
    ok("connect", "RFC 9110 9.3.6", TUNNEL, line(b"CONNECT a.example:443"), answers="4xx/501"),
    ok("connect-ipv6", "RFC 9110 9.3.6", TUNNEL, line(b"CONNECT [::1]:443"), answers="4xx/501"),
    bad("connect-without-port", "RFC 9110 9.3.6", AUTHORITY, line(b"CONNECT a.example")),
    bad("connect-with-empty-port", "RFC 9110 9.3.6", AUTHORITY, line(b"CONNECT a.example:")),
    bad("connect-bad-port", "RFC 9110 9.3.6", AUTHORITY, line(b"CONNECT a.example:x")),
    bad("connect-port-too-large", "RFC 9110 9.3.6", AUTHORITY, line(b"CONNECT a.example:65536")),
    bad("connect-with-a-path", "RFC 9112 3.2.3", AUTHORITY, line(b"CONNECT /a")),
    bad("connect-absolute", "RFC 9112 3.2.3", AUTHORITY, line(b"CONNECT http://a/a")),
    bad("connect-asterisk", "RFC 9112 3.2.3", AUTHORITY, line(b"CONNECT *")),
    bad("connect-with-userinfo", "RFC 9112 3.2.3", AUTHORITY, line(b"CONNECT me@a:443")),
    ok(
        "trace-not-offered",
        "RFC 9110 9.3.8",
        "TRACE is refused where it is not offered.",
        line(b"TRACE /a"),
        answers="405/501",
    ),
)
