/* Where a head ends, and which errors are certain before it does. */
#include "head_cases.h"
#include "test.h"

#define FIND(rule, literal, status, length) {rule, BYTES(literal), BRRT_##status, length}
#define FORTY "0123456789012345678901234567890123456789"

static const brrt_head_limits find_limits = {30, 80, 100, 4};

static const struct {
    const char *rule;
    const char *bytes;
    size_t len;
    brrt_status status;
    uint32_t head_len;
} cases[] = {
    FIND("RFC 9112 2.1: a head", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", OK, 27),
    FIND("RFC 9112 2.1: a head and a body", "GET / HTTP/1.1\r\nHost: a\r\n\r\nbody\r\n\r\n", OK, 27),
    FIND("RFC 9112 2.1: no field", "GET / HTTP/1.1\r\n\r\n\r\n", OK, 18),
    FIND("RFC 9112 2.1: a short head", "G\r\n\r\n", OK, 5),
    FIND("RFC 9112 2.1: no empty line yet", "GET / HTTP/1.1\r\nHost: a\r\n", PARTIAL, 0),
    FIND("RFC 9112 2.1: half of the empty line", "GET / HTTP/1.1\r\nHost: a\r\n\r", PARTIAL, 0),
    FIND("RFC 9112 2.1: CR alone is no line end", "GET / HTTP/1.1\r\r\r\r", PARTIAL, 0),
    FIND("RFC 9112 2.2: bare LF twice ends a head", "GET / HTTP/1.1\nHost: a\n\nbody", OK, 24),
    FIND("RFC 9112 2.2: bare LF, then CR LF", "GET / HTTP/1.1\r\nHost: a\n\r\n", OK, 26),
    FIND("RFC 9112 2.2: CR LF, then bare LF", "GET / HTTP/1.1\r\nHost: a\r\n\n", OK, 26),
    FIND("RFC 9112 2.2: LF, other byte, LF", "G / HTTP/1.1\n\n", OK, 14),
    FIND("RFC 9112 2.2: a line of one byte", "G\nX\nY\rZ\nX\n\r\n", OK, 12),
    FIND("RFC 9112 3.1: a TLS client hello", "\x16\x03\x01\x02\x00\x01\xFC", HEAD_METHOD, 0),
    FIND("RFC 9112 3.1: a stray body", "{\"a\": 1}", HEAD_METHOD, 0),
    FIND("RFC 9112 2.2: a second empty line", "\r\nGET / HTTP/1.1\r\n\r\n", HEAD_METHOD, 0),
    FIND("RFC 9112 2.2: CR that starts no empty line", "\rGET", HEAD_METHOD, 0),
    FIND("RFC 9112 2.2: CR that may start one", "\r", PARTIAL, 0),
    FIND("RFC 9112 2.2: bare LF first", "\n", HEAD_METHOD, 0),
    FIND("RFC 9112 3: line at the limit", "GET /0123456789012345 HTTP/1.1\r\nA: b", PARTIAL, 0),
    FIND("RFC 9112 3: line above the limit", "GET /01234567890123456 HTTP/1.1\r\nA: b\r\n\r\n", HEAD_LINE_TOO_LONG, 0),
    FIND("RFC 9112 3: line that never ends", "GET /" FORTY, HEAD_LINE_TOO_LONG, 0),
    FIND("RFC 6585 5: head at the limit",
         "GET / HTTP/1.1\r\nHost: a\r\nA: " FORTY "\r\nB: 01234567890123456789012\r\n\r\nbody", OK, 100),
    FIND("RFC 6585 5: head above the limit",
         "GET / HTTP/1.1\r\nHost: a\r\nA: " FORTY "\r\nB: 012345678901234567890123\r\n\r\n", HEAD_TOO_LARGE, 0),
    FIND("RFC 6585 5: head that never ends", "GET / HTTP/1.1\r\nHost: a\r\nA: " FORTY FORTY FORTY, HEAD_TOO_LARGE, 0),
};

static void check_find(size_t n) {
    for (int side = 0; side < GUARD_SIDES; side++) {
        uint32_t head_len = 0;
        const char *s = guarded(side, cases[n].bytes, cases[n].len);
        brrt_status status = brrt_head_find(s, cases[n].len, 0, &find_limits, &head_len);
        CHECK(status == cases[n].status, "%s: %s", cases[n].rule, brrt_status_name((int)status));
        CHECK(head_len == cases[n].head_len, "%s: %u", cases[n].rule, head_len);
        saw_status((int)status);
    }
    for (size_t most = 1; most < 8; most++) {
        uint32_t head_len = 0;
        brrt_status status = find_in_pieces(cases[n].bytes, cases[n].len, most, &find_limits, &head_len);
        CHECK(status == cases[n].status && head_len == cases[n].head_len, "%s in pieces: %s, %u", cases[n].rule,
              brrt_status_name((int)status), head_len);
    }
}

/* The empty line at every offset against the vectors, whole and with every place to go on from. */
static void check_every_offset(void) {
    static const brrt_head_limits limits = {8192, 8192, 8192, 100};
    static const char *const ends[] = {"\r\n\r\n", "\n\n", "\n\r\n"};
    for (size_t e = 0; e < 3; e++) {
        for (size_t before = 1; before < 70; before++) {
            char text[128];
            memset(text, 'x', sizeof text);
            memcpy(text + before, ends[e], strlen(ends[e]));
            size_t head_len = before + strlen(ends[e]);
            for (size_t len = before; len < before + 40; len++) {
                for (size_t from = 0; from <= len && from < head_len; from++) {
                    uint32_t found = 0;
                    const char *s = guarded(0, text, len);
                    brrt_status status = brrt_head_find(s, len, from, &limits, &found);
                    int whole = len >= head_len;
                    CHECK(status == (whole ? BRRT_OK : BRRT_PARTIAL) && found == (whole ? head_len : 0),
                          "end %zu after %zu in %zu from %zu: %u", e, before, len, from, found);
                }
            }
        }
    }
}

static void check_skip(void) {
    static const struct {
        const char *bytes;
        size_t skip;
    } all[] = {{"", 0}, {"\r", 0}, {"\r\n", 2}, {"\r\n\r\n", 2}, {"\n", 0}, {"\n\n", 0}, {"GET", 0}, {"\rG", 0}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        for (int side = 0; side < GUARD_SIDES; side++) {
            size_t len = strlen(all[i].bytes);
            CHECK(brrt_head_skip(guarded(side, all[i].bytes, len), len) == all[i].skip, "case %zu", i);
        }
    }
    uint32_t head_len = 0;
    CHECK(brrt_head_find(guarded(0, "", 0), 0, 0, &usual_limits, &head_len) == BRRT_PARTIAL, "nothing");
}

void test_head_find(void) {
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        check_find(n);
    }
    check_every_offset();
    check_skip();
}
