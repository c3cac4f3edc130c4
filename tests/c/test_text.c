/* brrt_scan, UTF-8 and percent-decoding, each against an oracle that goes byte by byte. */
#include "brrt_text.h"
#include "test.h"

enum { ROOM = 300 };

static unsigned naive_scan(const char *s, size_t len) {
    unsigned found = 0;
    for (size_t i = 0; i < len; i++) {
        found |= s[i] == '%' ? BRRT_HAS_PERCENT : 0;
        found |= (unsigned char)s[i] > 0x7F ? BRRT_HAS_HIGH : 0;
        found |= s[i] == '+' ? BRRT_HAS_PLUS : 0;
    }
    return found;
}

/* Decode to code points and look at them: RFC 3629 section 3. */
static int naive_utf8(const char *text, size_t len) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *s = (const unsigned char *)text;
    for (size_t i = 0; i < len;) {
        size_t bytes = s[i] < 0x80             ? 1
                       : (s[i] & 0xE0) == 0xC0 ? 2
                       : (s[i] & 0xF0) == 0xE0 ? 3
                       : (s[i] & 0xF8) == 0xF0 ? 4
                                               : 0;
        if (bytes == 0 || bytes > len - i) {
            return 0;
        }
        uint32_t code = bytes == 1 ? s[i] : s[i] & (0xFFU >> (bytes + 1));
        for (size_t k = 1; k < bytes; k++) {
            if ((s[i + k] & 0xC0) != 0x80) {
                return 0;
            }
            code = code << 6 | (s[i + k] & 0x3F);
        }
        if (code < least[bytes] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) {
            return 0;
        }
        i += bytes;
    }
    return 1;
}

static int naive_hex(int c) {
    const char *digits = "0123456789abcdef0123456789ABCDEF";
    const char *at = c == 0 ? NULL : strchr(digits, c);
    return at == NULL ? -1 : (int)((at - digits) % 16);
}

static brrt_status naive_decode(const char *s, size_t len, int plus, char *out, size_t *out_len) {
    *out_len = 0;
    for (size_t i = 0; i < len; i++) {
        char c = s[i];
        if (c == '+' && plus) {
            c = ' ';
        } else if (c == '%') {
            if (i + 2 >= len || naive_hex(s[i + 1]) < 0 || naive_hex(s[i + 2]) < 0) {
                *out_len = i;
                return BRRT_BAD_ESCAPE;
            }
            c = (char)(naive_hex(s[i + 1]) * 16 + naive_hex(s[i + 2]));
            i += 2;
        }
        out[(*out_len)++] = c;
    }
    return naive_utf8(out, *out_len) ? BRRT_OK : BRRT_BAD_UTF8;
}

static void check_scan(const char *s, size_t len) {
    unsigned expected = naive_scan(s, len);
    for (int side = 0; side < GUARD_SIDES; side++) {
        unsigned found = brrt_scan(guarded(side, s, len), len);
        CHECK(found == expected, "%u, not %u: %.*s", found, expected, (int)len, s);
    }
}

static void check_utf8(const char *s, size_t len) {
    int expected = naive_utf8(s, len);
    for (int side = 0; side < GUARD_SIDES; side++) {
        CHECK((brrt_utf8_valid(guarded(side, s, len), len) != 0) == expected, "%d: %.*s", expected, (int)len, s);
    }
    digest((uint64_t)expected);
}

static void check_decode(const char *s, size_t len) {
    char expected[ROOM], out[ROOM];
    for (int plus = 0; plus < 2; plus++) {
        size_t expected_len = 0;
        size_t out_len = 0;
        brrt_status wanted = naive_decode(s, len, plus, expected, &expected_len);
        for (int in_place = 0; in_place < 2; in_place++) {
            char *copy = guarded(0, s, len);
            char *to = in_place ? copy : guarded(1, out, len);
            brrt_status status = brrt_percent_decode(copy, len, plus, to, &out_len);
            CHECK(status == wanted && out_len == expected_len, "%s, %zu: %.*s", brrt_status_name((int)status), out_len,
                  (int)len, s);
            CHECK(status == BRRT_BAD_ESCAPE || memcmp(to, expected, expected_len) == 0, "plus %d: %.*s", plus, (int)len,
                  s);
        }
        digest(wanted * UINT64_C(1000) + out_len);
    }
}

/* Each interesting byte at each offset of texts of each length around the vectors' sizes. */
static void check_every_offset(void) {
    static const char *const pieces[] = {"", "%", "+", "\x80", "%41", "%4", "%C3%A4", "\xC3\xA4", "\xC3", "%+%"};
    for (size_t n = 0; n < sizeof pieces / sizeof *pieces; n++) {
        size_t piece = strlen(pieces[n]);
        for (size_t len = piece; len < 70; len++) {
            for (size_t at = 0; at + piece <= len; at++) {
                char text[80];
                memset(text, 'a', len);
                memcpy(text + at, pieces[n], piece);
                check_scan(text, len);
                check_utf8(text, len);
                check_decode(text, len);
            }
        }
    }
}

/* RFC 3629: every pair of bytes as the start of every kind of sequence, cut at each length. */
static void check_every_sequence(void) {
    static const unsigned char tails[] = {0x00, 0x7F, 0x80, 0xBF, 0xC0};
    for (int lead = 0x70; lead < 0x100; lead++) {
        for (int second = 0x70; second < 0x100; second++) {
            for (size_t third = 0; third < sizeof tails; third++) {
                for (size_t fourth = 0; fourth < sizeof tails; fourth++) {
                    char text[] = {(char)lead, (char)second, (char)tails[third], (char)tails[fourth]};
                    CHECK((brrt_utf8_valid(text, 4) != 0) == naive_utf8(text, 4), "%x %x %zu %zu", lead, second, third,
                          fourth);
                }
                char text[] = {(char)lead, (char)second, (char)tails[third]};
                for (size_t len = 1; len <= 3; len++) {
                    CHECK((brrt_utf8_valid(text, len) != 0) == naive_utf8(text, len), "%x %x %zu", lead, second, third);
                }
            }
        }
    }
}

/* RFC 3986 2.1: every pair of bytes after a percent sign. */
static void check_every_escape(void) {
    for (int first = 0; first < 256; first++) {
        for (int second = 0; second < 256; second++) {
            char text[] = {'%', (char)first, (char)second};
            char out[3];
            size_t out_len = 0;
            int valid = naive_hex(first) >= 0 && naive_hex(second) >= 0;
            brrt_status status = brrt_percent_decode(text, 3, 0, out, &out_len);
            CHECK((status != BRRT_BAD_ESCAPE) == valid, "%%%02x%02x", first, second);
            CHECK(!valid || (out_len == 1 && (unsigned char)*out == naive_hex(first) * 16 + naive_hex(second)),
                  "%%%c%c", first, second);
        }
    }
}

static void check_random(void) {
    static const char palette[] = "%%%%++aB0129CcEeFf&=/\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\xED\xA0\xFF";
    static const char *const seeds[] = {
        "plain text of some length without anything",
        "%E2%82%AC+%F0%9F%98%80",
        "a%20b%2Fc+d",
        "%41%42%43%44%45%46",
        "\xE2\x82\xAC\xF0\x9F\x98\x80 \xC3\xA4\xC3\xB6\xC3\xBC and ASCII for a while \xED\x9F\xBF",
        "",
    };
    for (int round = 0; round < 200000; round++) {
        char text[ROOM];
        const char *seed = seeds[random_below(6)];
        size_t len = random_mutate(memcpy(text, seed, strlen(seed)), strlen(seed), ROOM, palette, sizeof palette - 1);
        check_scan(text, len);
        check_utf8(text, len);
        check_decode(text, len);
    }
}

void test_text(void) {
    check_every_offset();
    check_every_sequence();
    check_every_escape();
    check_random();
}
