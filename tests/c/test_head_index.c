/* The rules of a request head, one line for each case, named after the section that it comes from. */
#include "head_cases.h"
#include "test.h"

#define H "Host: a\r\n"
#define END H "\r\n"
#define GET "GET / HTTP/1.1\r\n"
#define POST "POST / HTTP/1.1\r\n" H
#define BAD(rule, literal, status, where) {rule, BYTES(literal), BRRT_##status, where}

/* The limits of these cases; the last argument of BAD is the offset of the offending byte. */
static const brrt_head_limits case_limits = {64, 80, 200, 4};

static const struct {
    const char *rule;
    const char *head;
    size_t len;
    brrt_status status;
    size_t where;
} bad_heads[] = {
    BAD("RFC 9112 3: method without a target", "GET\r\n" END, HEAD_METHOD, 3),
    BAD("RFC 9112 3.1: method with a separator", "GE(T / HTTP/1.1\r\n" END, HEAD_METHOD, 2),
    BAD("RFC 9112 3.1: method with a high byte", "G\xC3\x89T / HTTP/1.1\r\n" END, HEAD_METHOD, 1),
    BAD("RFC 9112 3: HTAB after the method", "GET\t/ HTTP/1.1\r\n" END, HEAD_METHOD, 3),
    BAD("RFC 9112 3: SP before the method", " GET / HTTP/1.1\r\n" END, HEAD_METHOD, 0),
    BAD("RFC 9112 3: two SP before the target", "GET  / HTTP/1.1\r\n" END, HEAD_TARGET, 4),
    BAD("RFC 9112 3: two SP after the target", "GET /  HTTP/1.1\r\n" END, HEAD_VERSION, 6),
    BAD("RFC 9112 3: SP in the target", "GET /a b HTTP/1.1\r\n" END, HEAD_VERSION, 7),
    BAD("RFC 9112 3: HTAB before the version", "GET /\tHTTP/1.1\r\n" END, HEAD_TARGET, 5),
    BAD("RFC 9112 3: SP after the version", "GET / HTTP/1.1 \r\n" END, HEAD_VERSION, 14),
    BAD("RFC 9112 3.2: NUL in the target", "GET /a\0b HTTP/1.1\r\n" END, HEAD_TARGET, 6),
    BAD("RFC 9112 3.2: DEL in the query", "GET /a?\x7F HTTP/1.1\r\n" END, HEAD_TARGET, 7),
    BAD("RFC 9112 3.2: high byte in the path", "GET /\xC3\xA4 HTTP/1.1\r\n" END, HEAD_TARGET, 5),
    BAD("RFC 9112 3.2: fragment after the path", "GET /a#b HTTP/1.1\r\n" END, HEAD_TARGET, 6),
    BAD("RFC 9112 3.2: fragment after the query", "GET /a?b#c HTTP/1.1\r\n" END, HEAD_TARGET, 8),
    BAD("RFC 9112 3.2.1: relative path", "GET a/b HTTP/1.1\r\n" END, HEAD_TARGET, 4),
    BAD("RFC 9112 3.2.1: query alone", "GET ?a=b HTTP/1.1\r\n" END, HEAD_TARGET, 4),
    BAD("RFC 9112 3.2.2: scheme ftp", "GET ftp://a/ HTTP/1.1\r\n" END, HEAD_TARGET, 4),
    BAD("RFC 9112 3.2.2: scheme without slashes", "GET http:/a HTTP/1.1\r\n" END, HEAD_TARGET, 4),
    BAD("RFC 9110 4.2.1: empty host", "GET http:///a HTTP/1.1\r\n" END, HEAD_TARGET, 11),
    BAD("RFC 9110 4.2.1: empty host before a port", "GET http://:80/ HTTP/1.1\r\n" END, HEAD_TARGET, 11),
    BAD("RFC 9110 4.2.4: userinfo", "GET http://u@a/ HTTP/1.1\r\n" END, HEAD_TARGET, 12),
    BAD("RFC 9110 4.2.4: userinfo with a password", "GET http://u:p@a/ HTTP/1.1\r\n" END, HEAD_TARGET, 13),
    BAD("RFC 9112 3.2.2: port too large", "GET http://a:65536/ HTTP/1.1\r\n" END, HEAD_TARGET, 17),
    BAD("RFC 9112 3.2.3: CONNECT with a path", "CONNECT / HTTP/1.1\r\n" END, HEAD_TARGET, 8),
    BAD("RFC 9112 3.2.3: CONNECT with an absolute-form", "CONNECT http://a/ HTTP/1.1\r\n" END, HEAD_TARGET, 13),
    BAD("RFC 9110 9.3.6: CONNECT without a port", "CONNECT a HTTP/1.1\r\n" END, HEAD_TARGET, 9),
    BAD("RFC 9110 9.3.6: CONNECT with an empty port", "CONNECT a: HTTP/1.1\r\n" END, HEAD_TARGET, 10),
    BAD("RFC 9112 3.2.3: authority-form of GET", "GET a:80 HTTP/1.1\r\n" END, HEAD_TARGET, 4),
    BAD("RFC 9112 3.2.4: * of GET", "GET * HTTP/1.1\r\n" END, HEAD_TARGET, 4),
    BAD("RFC 9112 3.2.4: * with more", "OPTIONS */ HTTP/1.1\r\n" END, HEAD_TARGET, 8),
    BAD("RFC 9112 3.2.4: * with a query", "OPTIONS *?a HTTP/1.1\r\n" END, HEAD_TARGET, 8),
    BAD("RFC 9112 2.3: no version (HTTP/0.9)", "GET /\r\n\r\n", HEAD_VERSION, 5),
    BAD("RFC 9112 2.3: lower case", "GET / http/1.1\r\n" END, HEAD_VERSION, 6),
    BAD("RFC 9112 2.3: one digit", "GET / HTTP/1\r\n" END, HEAD_VERSION, 12),
    BAD("RFC 9112 2.3: three digits", "GET / HTTP/1.10\r\n" END, HEAD_VERSION, 14),
    BAD("RFC 9112 2.3: letters", "GET / HTTP/x.y\r\n" END, HEAD_VERSION, 11),
    BAD("RFC 9112 2.3: another protocol", "GET / ICY/1.1\r\n" END, HEAD_VERSION, 6),
    BAD("RFC 9112 2.3: HTTP/0.9 written out", "GET / HTTP/0.9\r\n" END, HEAD_VERSION_UNSUPPORTED, 6),
    BAD("RFC 9112 2.3: HTTP/2.0", "GET / HTTP/2.0\r\n" END, HEAD_VERSION_UNSUPPORTED, 6),
    BAD("RFC 9112 2.2: bare LF after the version", "GET / HTTP/1.1\n" END, HEAD_LINE_END, 14),
    BAD("RFC 9112 2.2: bare LF after a new version", "GET / HTTP/2.0\n" END, HEAD_LINE_END, 14),
    BAD("RFC 9112 2.2: bare CR after the version", "GET / HTTP/1.1\rX: y\r\n" END, HEAD_LINE_END, 14),
    BAD("RFC 9112 2.2: bare LF in the target", "GET /\nHTTP/1.1\r\n" END, HEAD_LINE_END, 5),
    BAD("RFC 9112 2.2: bare CR in the target", "GET /\rHTTP/1.1\r\n" END, HEAD_LINE_END, 5),
    BAD("RFC 9112 2.2: bare LF after a value", GET "Host: a\n\r\n", HEAD_LINE_END, 23),
    BAD("RFC 9112 2.2: bare CR in a value", GET "Host: a\rb\r\n\r\n", HEAD_LINE_END, 23),
    BAD("RFC 9112 2.2: CR CR LF after a value", GET "Host: a\r\r\n\r\n", HEAD_LINE_END, 23),
    BAD("RFC 9112 2.2: bare LF as the empty line", GET "Host: a\r\n\n", HEAD_LINE_END, 25),
    BAD("RFC 9112 2.2: only bare LF", "GET / HTTP/1.1\nHost: a\n\n", HEAD_LINE_END, 14),
    BAD("RFC 9112 2.2: bare CR at a line's start", GET H "\rX: y\r\n\r\n", HEAD_LINE_END, 25),
    BAD("RFC 9112 5.1: SP before the colon", GET "Host : a\r\n\r\n", HEAD_NAME, 20),
    BAD("RFC 9112 5.1: HTAB before the colon", GET "Host\t: a\r\n\r\n", HEAD_NAME, 20),
    BAD("RFC 9110 5.1: empty name", GET H ": x\r\n\r\n", HEAD_NAME, 25),
    BAD("RFC 9110 5.1: SP in a name", GET H "X y: z\r\n\r\n", HEAD_NAME, 26),
    BAD("RFC 9110 5.1: separator in a name", GET H "X(y): z\r\n\r\n", HEAD_NAME, 26),
    BAD("RFC 9110 5.1: NUL in a name", GET H "X\0y: z\r\n\r\n", HEAD_NAME, 26),
    BAD("RFC 9110 5.1: high byte in a name", GET H "X\xFFy: z\r\n\r\n", HEAD_NAME, 26),
    BAD("RFC 9112 5: line without a colon", GET H "X\r\n\r\n", HEAD_NAME, 26),
    BAD("RFC 9112 5: bare LF after a name", GET H "X\n\r\n", HEAD_NAME, 26),
    BAD("RFC 9110 5.5: NUL in a value", GET H "X: a\0b\r\n\r\n", HEAD_VALUE, 29),
    BAD("RFC 9110 5.5: DEL in a value", GET H "X: a\x7F\r\n\r\n", HEAD_VALUE, 29),
    BAD("RFC 9110 5.5: a control byte in a value", GET H "X: \x01\r\n\r\n", HEAD_VALUE, 28),
    BAD("RFC 9110 5.5: a control byte far into a value", GET H "X: 0123456789012345678901234567\x1F\r\n\r\n",
        HEAD_VALUE, 56),
    BAD("RFC 9112 5.2: obs-fold with SP", GET H "X: a\r\n b\r\n\r\n", HEAD_FOLD, 31),
    BAD("RFC 9112 5.2: obs-fold with HTAB", GET H "X: a\r\n\tb\r\n\r\n", HEAD_FOLD, 31),
    BAD("RFC 9112 2.2: SP before the first field", GET " Host: a\r\n\r\n", HEAD_FOLD, 16),
    BAD("RFC 9112 2.2: a line of one SP", GET H " \r\n\r\n", HEAD_FOLD, 25),
    BAD("RFC 9112 3.2: no Host in HTTP/1.1", GET "X: y\r\n\r\n", HEAD_HOST_MISSING, 22),
    BAD("RFC 9112 3.2: no field at all", GET "\r\n", HEAD_HOST_MISSING, 16),
    BAD("RFC 9112 3.2: Host twice", GET H H "\r\n", HEAD_HOST_REPEATED, 25),
    BAD("RFC 9112 3.2: Host twice, the second empty", GET H "X: y\r\nhost:\r\n\r\n", HEAD_HOST_REPEATED, 31),
    BAD("RFC 9112 3.2: Host twice in HTTP/1.0", "GET / HTTP/1.0\r\n" H H "\r\n", HEAD_HOST_REPEATED, 25),
    BAD("RFC 9112 3.2: Host with a path", GET "Host: a/b\r\n\r\n", HEAD_HOST_INVALID, 23),
    BAD("RFC 9112 3.2: Host twice beside an absolute-form", "GET http://a/ HTTP/1.1\r\n" H H "\r\n", HEAD_HOST_REPEATED,
        33),
    BAD("RFC 9110 8.6: length with a sign", POST "Content-Length: +5\r\n\r\n", HEAD_LENGTH, 42),
    BAD("RFC 9110 8.6: negative length", POST "Content-Length: -5\r\n\r\n", HEAD_LENGTH, 42),
    BAD("RFC 9110 8.6: hexadecimal length", POST "Content-Length: 0x5\r\n\r\n", HEAD_LENGTH, 43),
    BAD("RFC 9110 8.6: empty length", POST "Content-Length:\r\n\r\n", HEAD_LENGTH, 41),
    BAD("RFC 9110 8.6: length with a fraction", POST "Content-Length: 5.0\r\n\r\n", HEAD_LENGTH, 43),
    BAD("RFC 9110 8.6: length with SP", POST "Content-Length: 5 5\r\n\r\n", HEAD_LENGTH, 43),
    BAD("RFC 9110 8.6: length of 2^63", POST "Content-Length: 9223372036854775808\r\n\r\n", HEAD_LENGTH, 60),
    BAD("RFC 9110 8.6: length of 2^64", POST "Content-Length: 18446744073709551616\r\n\r\n", HEAD_LENGTH, 61),
    BAD("RFC 9112 6.3: list of equal lengths", POST "Content-Length: 5, 5\r\n\r\n", HEAD_LENGTH, 43),
    BAD("RFC 9112 6.3: equal lengths", POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", HEAD_LENGTH, 45),
    BAD("RFC 9112 6.3: different lengths", POST "Content-Length: 5\r\ncontent-length: 6\r\n\r\n", HEAD_LENGTH, 45),
    BAD("RFC 9112 6.1: both lengths", POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        HEAD_LENGTH_AND_CODING, 45),
    BAD("RFC 9112 6.1: both lengths, turned round", POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
        HEAD_LENGTH_AND_CODING, 26),
    BAD("RFC 9112 6.1: both lengths, unknown coding", POST "Transfer-Encoding: x\r\nContent-Length: 5\r\n\r\n",
        HEAD_LENGTH_AND_CODING, 26),
    BAD("RFC 9112 6.1: another coding", POST "Transfer-Encoding: gzip\r\n\r\n", HEAD_CODING, 45),
    BAD("RFC 9112 6.1: chunked last of two", POST "Transfer-Encoding: gzip, chunked\r\n\r\n", HEAD_CODING, 45),
    BAD("RFC 9112 6.1: chunked twice", POST "Transfer-Encoding: chunked, chunked\r\n\r\n", HEAD_CODING, 45),
    BAD("RFC 9112 6.1: chunked not last", POST "Transfer-Encoding: chunked, x\r\n\r\n", HEAD_CODING, 45),
    BAD("RFC 9112 6.1: chunked in two lines", POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        HEAD_CODING, 54),
    BAD("RFC 9112 6.1: identity", POST "Transfer-Encoding: identity\r\n\r\n", HEAD_CODING, 45),
    BAD("RFC 9112 6.1: empty coding", POST "Transfer-Encoding:\r\n\r\n", HEAD_CODING, 44),
    BAD("RFC 9112 6.1: quoted coding", POST "Transfer-Encoding: \"chunked\"\r\n\r\n", HEAD_CODING, 45),
    BAD("RFC 9112 6.1: coding with a parameter", POST "Transfer-Encoding: chunked;a=b\r\n\r\n", HEAD_CODING, 45),
    BAD("RFC 9112 6.1: coding with a comma", POST "Transfer-Encoding: ,chunked\r\n\r\n", HEAD_CODING, 45),
    BAD("RFC 9112 6.1: coding in HTTP/1.0", "POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n",
        HEAD_CODING_10, 26),
    BAD("RFC 9112 3: request line above the limit",
        "GET /0123456789012345678901234567890123456789012345678901 HTTP/1.1\r\n" END, HEAD_LINE_TOO_LONG, 64),
    BAD("RFC 6585 5: field line above the limit",
        GET H "X: 0123456789012345678901234567890123456789012345678901234567890123456789012345678\r\n\r\n",
        HEAD_FIELD_TOO_LONG, 25),
    BAD("RFC 6585 5: head above the limit",
        GET H "A: 012345678901234567890123456789012345678901234567890123456789012345678901234\r\n"
              "B: 012345678901234567890123456789012345678901234567890123456789012345678901234\r\n"
              "C: 01234567890123456789\r\n\r\n",
        HEAD_TOO_LARGE, 200),
    BAD("RFC 6585 5: fields above the limit", GET H "A:\r\nB:\r\nC:\r\nD:\r\n\r\n", HEAD_TOO_MANY_FIELDS, 37),
};

/* A head at both guard pages: its own status, and nothing but PARTIAL or that status for each of its beginnings. */
static void check_bad_head(size_t n) {
    brrt_head head;
    for (int side = 0; side < GUARD_SIDES; side++) {
        const char *s = guarded(side, bad_heads[n].head, bad_heads[n].len);
        size_t where = SIZE_MAX;
        brrt_status status = brrt_head_index(s, bad_heads[n].len, &case_limits, &head, &where);
        CHECK(status == bad_heads[n].status, "%s: %s", bad_heads[n].rule, brrt_status_name((int)status));
        CHECK(where == bad_heads[n].where, "%s: at %zu", bad_heads[n].rule, where);
        saw_status((int)status);
        for (size_t len = 0; len < bad_heads[n].len; len++) {
            s = guarded(side, bad_heads[n].head, len);
            brrt_status cut = brrt_head_index(s, len, &case_limits, &head, &where);
            CHECK(cut == BRRT_PARTIAL || cut == bad_heads[n].status, "%s: %s for %zu bytes", bad_heads[n].rule,
                  brrt_status_name((int)cut), len);
            CHECK(where <= len, "%s: at %zu of %zu", bad_heads[n].rule, where, len);
        }
    }
}

enum {
    KEEP = BRRT_HEAD_KEEP_ALIVE,
    CHUNKED = BRRT_HEAD_CHUNKED,
    LENGTH = BRRT_HEAD_HAS_LENGTH,
    CONTINUE = BRRT_HEAD_EXPECT_CONTINUE,
    EXPECT = BRRT_HEAD_EXPECT_OTHER,
    UPGRADE = BRRT_HEAD_UPGRADE | BRRT_HEAD_HAS_UPGRADE,
    NO_UPGRADE = BRRT_HEAD_HAS_UPGRADE,
    ASTERISK = BRRT_HEAD_ASTERISK,
    LATER = BRRT_HEAD_LATER_MINOR
};

#define GET10 "GET / HTTP/1.0\r\n"
#define GOOD(rule, literal, path, query, flags, length) {rule, BYTES(literal), path, query, flags, length}

static const struct {
    const char *rule;
    const char *head;
    size_t len;
    const char *path;
    const char *query;
    uint32_t flags;
    uint64_t length;
} good_heads[] = {
    GOOD("RFC 9112 3: the least", "G / HTTP/1.0\r\n\r\n", "/", "", 0, 0),
    GOOD("RFC 9112 3.1: any token is a method", "!#$%&'*+-.^_`|~09azAZ / HTTP/1.1\r\n" END, "/", "", KEEP, 0),
    GOOD("RFC 9112 3.2.1: path and query", "GET /a/b%20c?d=e&f=%2F?g HTTP/1.1\r\n" END, "/a/b%20c", "d=e&f=%2F?g", KEEP,
         0),
    GOOD("RFC 9112 3.2.1: empty query", "GET /a? HTTP/1.1\r\n" END, "/a", "", KEEP, 0),
    GOOD("RFC 9112 3.2.1: two slashes", "GET //a//b HTTP/1.1\r\n" END, "//a//b", "", KEEP, 0),
    GOOD("RFC 9112 3.2: every visible byte but #", "GET /!\"$%&'()*+,-./:;<=>?@[\\]^_`{|}~ HTTP/1.1\r\n" END,
         "/!\"$%&'()*+,-./:;<=>", "@[\\]^_`{|}~", KEEP, 0),
    GOOD("RFC 9112 3.2.2: absolute-form", "GET http://b:80/c?d HTTP/1.1\r\n" END, "/c", "d", KEEP, 0),
    GOOD("RFC 9112 3.2.2: absolute-form, https, capitals", "GET HTTPS://B HTTP/1.1\r\n" END, "", "", KEEP, 0),
    GOOD("RFC 9112 3.2.2: absolute-form without a path", "GET http://b?c/d HTTP/1.1\r\n" END, "", "c/d", KEEP, 0),
    GOOD("RFC 9112 3.2.2: absolute-form, IPv6", "GET http://[::1]:80/?c HTTP/1.1\r\n" END, "/", "c", KEEP, 0),
    GOOD("RFC 9112 3.2.2: absolute-form, empty port", "GET http://b:/c HTTP/1.1\r\n" END, "/c", "", KEEP, 0),
    GOOD("RFC 9112 3.2.3: authority-form", "CONNECT b:443 HTTP/1.1\r\n" END, "b:443", "", KEEP, 0),
    GOOD("RFC 9112 3.2.4: asterisk-form", "OPTIONS * HTTP/1.1\r\n" END, "*", "", KEEP | ASTERISK, 0),
    GOOD("RFC 9112 3.2: no Host in HTTP/1.0", GET10 "\r\n", "/", "", 0, 0),
    GOOD("RFC 9112 3.2: empty Host", GET "Host: \r\n\r\n", "/", "", KEEP, 0),
    GOOD("RFC 9110 2.5: HTTP/1.2", "GET / HTTP/1.2\r\n" END, "/", "", KEEP | LATER, 0),
    GOOD("RFC 9110 2.5: HTTP/1.9, close", "GET / HTTP/1.9\r\nConnection: close\r\n" END, "/", "", LATER, 0),
    GOOD("RFC 9112 9.3: HTTP/1.0 closes", GET10 END, "/", "", 0, 0),
    GOOD("RFC 9112 9.3: HTTP/1.0 keep-alive", GET10 "Connection: Keep-Alive\r\n" END, "/", "", KEEP, 0),
    GOOD("RFC 9112 9.3: HTTP/1.0 keep-alive and close", GET10 "Connection: keep-alive, close\r\n" END, "/", "", 0, 0),
    GOOD("RFC 9112 9.6: close", GET "Connection: CLOSE\r\n" END, "/", "", 0, 0),
    GOOD("RFC 9112 9.6: close in a list", GET "Connection: x ,, close\t,y\r\n" END, "/", "", 0, 0),
    GOOD("RFC 9112 9.6: close in a second line", GET "Connection: keep-alive\r\nConnection: close\r\n" END, "/", "", 0,
         0),
    GOOD("RFC 9112 9.6: closed is not close", GET "Connection: closed\r\n" END, "/", "", KEEP, 0),
    GOOD("RFC 9112 9.6: close in quotes is not close", GET "Connection: \"close\"\r\n" END, "/", "", KEEP, 0),
    GOOD("RFC 9112 6.2: length", POST "Content-Length: 5\r\n\r\n", "/", "", KEEP | LENGTH, 5),
    GOOD("RFC 9112 6.2: length of zero", POST "CONTENT-LENGTH:0\r\n\r\n", "/", "", KEEP | LENGTH, 0),
    GOOD("RFC 9110 8.6: leading zeros", POST "Content-Length: 000000000000000000000042\r\n\r\n", "/", "", KEEP | LENGTH,
         42),
    GOOD("RFC 9110 8.6: length of 2^63-1", POST "Content-Length: 9223372036854775807\r\n\r\n", "/", "", KEEP | LENGTH,
         INT64_MAX),
    GOOD("RFC 9112 6.1: chunked", POST "Transfer-Encoding: chunked\r\n\r\n", "/", "", KEEP | CHUNKED, 0),
    GOOD("RFC 9112 6.1: chunked in any case", POST "transfer-ENCODING:\t ChunkeD \t\r\n\r\n", "/", "", KEEP | CHUNKED,
         0),
    GOOD("RFC 9110 10.1.1: 100-continue", POST "Expect: 100-Continue\r\n\r\n", "/", "", KEEP | CONTINUE, 0),
    GOOD("RFC 9110 10.1.1: another expectation", POST "Expect: 200-ok\r\n\r\n", "/", "", KEEP | EXPECT, 0),
    GOOD("RFC 9110 10.1.1: two expectations", POST "Expect: 100-continue\r\nExpect: x=y\r\n\r\n", "/", "",
         KEEP | CONTINUE | EXPECT, 0),
    GOOD("RFC 9110 10.1.1: none in HTTP/1.0", "POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n", "/", "", 0, 0),
    GOOD("RFC 9110 7.8: upgrade", GET "Upgrade: websocket\r\nConnection: Upgrade\r\n" END, "/", "", KEEP | UPGRADE, 0),
    GOOD("RFC 9110 7.8: upgrade not among the options", GET "Upgrade: websocket\r\n" END, "/", "", KEEP | NO_UPGRADE,
         0),
    GOOD("RFC 9110 7.8: option without the field", GET "Connection: upgrade\r\n" END, "/", "", KEEP, 0),
    GOOD("RFC 9110 7.8: none in HTTP/1.0", GET10 "Upgrade: x\r\nConnection: upgrade, keep-alive\r\n\r\n", "/", "",
         KEEP | NO_UPGRADE, 0),
    GOOD("RFC 9110 7.8: close and upgrade", GET "Upgrade: x\r\nConnection: upgrade, close\r\n" END, "/", "", UPGRADE,
         0),
};

static int span_is(const char *s, brrt_span span, const char *text) {
    return span.len == strlen(text) && memcmp(s + span.off, text, span.len) == 0;
}

static void check_good_head(size_t n) {
    static const brrt_head_limits limits = {64, 80, 200, 4};
    brrt_head head;
    const char *rule = good_heads[n].rule;
    for (int side = 0; side < GUARD_SIDES; side++) {
        size_t where = 0;
        for (size_t len = 0; len < good_heads[n].len; len++) {
            const char *cut = guarded(side, good_heads[n].head, len);
            CHECK(brrt_head_index(cut, len, &limits, &head, &where) == BRRT_PARTIAL, "%s: %zu bytes", rule, len);
        }
        const char *s = guarded(side, good_heads[n].head, good_heads[n].len);
        brrt_status status = brrt_head_index(s, good_heads[n].len, &limits, &head, &where);
        CHECK(status == BRRT_OK, "%s: %s at %zu", rule, brrt_status_name((int)status), where);
        if (status == BRRT_OK) {
            CHECK(head.head_len == good_heads[n].len, "%s: %u", rule, head.head_len);
            CHECK(span_is(s, head.path, good_heads[n].path), "%s: %.*s", rule, (int)head.path.len, s + head.path.off);
            CHECK(span_is(s, head.query, good_heads[n].query), "%s: %.*s", rule, (int)head.query.len,
                  s + head.query.off);
            CHECK(head.flags == good_heads[n].flags, "%s: %x", rule, head.flags);
            CHECK(head.content_length == good_heads[n].length, "%s: %llu", rule,
                  (unsigned long long)head.content_length);
            CHECK(head.minor == (strstr(good_heads[n].head, "HTTP/1.0") == NULL), "%s", rule);
        }
    }
}

/* What the index says about each field: names as sent, values without blanks around them, ids, first[]. */
static void check_fields(void) {
    static const struct {
        const char *name, *value;
        int id;
    } fields[] = {
        {"HOST", "example.org:8080", BRRT_FIELD_HOST},
        {"X-Blank", "", BRRT_FIELD_OTHER},
        {"Accept", "a \t b", BRRT_FIELD_ACCEPT},
        {"accepT", "\"\xC3\xA4\"", BRRT_FIELD_ACCEPT},
        {"Accepu", "x", BRRT_FIELD_OTHER},
        {"content-length", "7", BRRT_FIELD_CONTENT_LENGTH},
        {"Content-Type", "a/b; c=d", BRRT_FIELD_CONTENT_TYPE},
        {"cookie", "a=b", BRRT_FIELD_COOKIE},
        {"Cookie2", "a=b", BRRT_FIELD_OTHER},
        {"Authorization", "Bearer x", BRRT_FIELD_AUTHORIZATION},
        {"authorizatiom", "x", BRRT_FIELD_OTHER},
        {"EXPECT", "100-continue", BRRT_FIELD_EXPECT},
        {"upgrade", "x", BRRT_FIELD_UPGRADE},
        {"connection", "y", BRRT_FIELD_CONNECTION},
        {"user-agent", "z", BRRT_FIELD_OTHER},
        {"Transfer_Encoding", "chunked", BRRT_FIELD_OTHER},
        {"A", ":", BRRT_FIELD_OTHER},
        {"|~._-0aZ", "x: y", BRRT_FIELD_OTHER},
        {"a-name-of-more-than-sixteen-bytes", "0123456789abcdef0123456789abcdef0", BRRT_FIELD_OTHER},
    };
    enum { COUNT = sizeof fields / sizeof *fields };
    static const char *const blanks[] = {"", " ", "\t", " \t ", "                       "};
    enum { BLANKS = sizeof blanks / sizeof *blanks };
    for (size_t before = 0; before < BLANKS; before++) {
        for (size_t after = 0; after < BLANKS; after++) {
            char text[4096];
            size_t len = (size_t)sprintf(text, "PATCH /a/b?c HTTP/1.1\r\n");
            for (size_t i = 0; i < COUNT; i++) {
                len += (size_t)sprintf(text + len, "%s:%s%s%s\r\n", fields[i].name, blanks[before], fields[i].value,
                                       blanks[after]);
            }
            len += (size_t)sprintf(text + len, "\r\n");
            brrt_head head;
            size_t where = 0;
            const char *s = guarded(0, text, len);
            brrt_status status = brrt_head_index(s, len, &usual_limits, &head, &where);
            CHECK(status == BRRT_OK && head.count == COUNT, "%s at %zu", brrt_status_name((int)status), where);
            CHECK(span_is(s, head.method, "PATCH") && span_is(s, head.target, "/a/b?c"), "request line");
            for (size_t i = 0; i < COUNT && status == BRRT_OK; i++) {
                brrt_field field = head.fields[i];
                CHECK(span_is(s, (brrt_span){field.name_off, field.name_len}, fields[i].name), "%s", fields[i].name);
                CHECK(span_is(s, (brrt_span){field.value_off, field.value_len}, fields[i].value), "%s", fields[i].name);
                CHECK(field.id == fields[i].id, "%s: %d", fields[i].name, field.id);
            }
            for (int id = 0; id < BRRT_FIELD_COUNT && status == BRRT_OK; id++) {
                int first = 0;
                while (first < COUNT && fields[first].id != id) {
                    first++;
                }
                CHECK(head.first[id] == (first < COUNT ? first : -1), "id %d: %d", id, head.first[id]);
            }
        }
    }
}

/* Exactly at a limit is fine, and the caller's limit of fields cannot lift the hard one. */
static void check_limits(void) {
    static const char head_text[] =
        "GET /0123 HTTP/1.1\r\nHost: abc\r\nX: y\r\n\r\n"; /* 18, 9 and 4 bytes; 39 in all */
    static const struct {
        brrt_head_limits limits;
        brrt_status status;
    } cases[] = {
        {{18, 9, 39, 2}, BRRT_OK},
        {{17, 9, 39, 2}, BRRT_HEAD_LINE_TOO_LONG},
        {{18, 8, 39, 2}, BRRT_HEAD_FIELD_TOO_LONG},
        {{18, 9, 38, 2}, BRRT_HEAD_TOO_LARGE},
        {{18, 9, 39, 1}, BRRT_HEAD_TOO_MANY_FIELDS},
        {{UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX}, BRRT_OK},
    };
    brrt_head head;
    size_t where = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        brrt_status status = brrt_head_index(BYTES(head_text), &cases[i].limits, &head, &where);
        CHECK(status == cases[i].status, "case %zu: %s", i, brrt_status_name((int)status));
    }
    static const brrt_head_limits loose = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
    for (int count = BRRT_HEAD_MAX_FIELDS; count <= BRRT_HEAD_MAX_FIELDS + 1; count++) {
        static char many[64 + 4 * (BRRT_HEAD_MAX_FIELDS + 1)];
        size_t len = (size_t)sprintf(many, "GET / HTTP/1.0\r\n");
        for (int i = 0; i < count; i++) {
            len += (size_t)sprintf(many + len, "X:\r\n");
        }
        len += (size_t)sprintf(many + len, "\r\n");
        brrt_status status = brrt_head_index(guarded(0, many, len), len, &loose, &head, &where);
        CHECK(status == (count > BRRT_HEAD_MAX_FIELDS ? BRRT_HEAD_TOO_MANY_FIELDS : BRRT_OK), "%d fields", count);
    }
    static char name[70000 + 32]; /* longer than name_len can tell */
    size_t len = (size_t)sprintf(name, "GET / HTTP/1.0\r\n");
    memset(name + len, 'x', 70000);
    memcpy(name + len + 70000, ":\r\n\r\n", 5);
    len += 70005;
    CHECK(brrt_head_index(guarded(0, name, len), len, &loose, &head, &where) == BRRT_HEAD_FIELD_TOO_LONG, "long name");
}

/* A caller may pass more than the head: what follows is not read as part of it. */
static void check_bytes_after_head(void) {
    static const char text[] = GET END "X: \x01\n\n";
    brrt_head head;
    size_t where = 0;
    CHECK(brrt_head_index(BYTES(text), &usual_limits, &head, &where) == BRRT_OK, "at %zu", where);
    CHECK(head.head_len == sizeof(GET END) - 1 && head.count == 1, "%u", head.head_len);
}

void test_head_index(void) {
    for (size_t n = 0; n < sizeof bad_heads / sizeof *bad_heads; n++) {
        check_bad_head(n);
    }
    for (size_t n = 0; n < sizeof good_heads / sizeof *good_heads; n++) {
        check_good_head(n);
    }
    check_fields();
    check_limits();
    check_bytes_after_head();
}
