/* What kinds of bytes a text holds: brrt_scan and brrt_utf8_valid of brrt_text.h. */
#include "brrt_text.h"

#include "brrt_simd.h"

typedef struct scan_masks {
    brrt_v percent;
    brrt_v high;
    brrt_v plus;
} scan_masks;

static inline scan_masks scan_of(brrt_v v) {
    return (scan_masks){brrt_v_eq(v, '%'), brrt_v_high(v), brrt_v_eq(v, '+')};
}

static inline void scan_more(scan_masks *seen, brrt_v v) {
    scan_masks more = scan_of(v);
    seen->percent = brrt_v_or(seen->percent, more.percent);
    seen->high = brrt_v_or(seen->high, more.high);
    seen->plus = brrt_v_or(seen->plus, more.plus);
}

unsigned brrt_scan(const char *s, size_t len) {
    if (len == 0) {
        return 0;
    }
    scan_masks seen;
    if (len < BRRT_V_BYTES) {
        seen = scan_of(brrt_v_load_short(s, len));
    } else {
        seen = scan_of(brrt_v_load(s + len - BRRT_V_BYTES)); /* the last bytes, some of them twice */
        for (size_t i = 0; i + BRRT_V_BYTES < len; i += BRRT_V_BYTES) {
            scan_more(&seen, brrt_v_load(s + i));
        }
    }
    unsigned found = brrt_v_bits(seen.percent) != 0 ? BRRT_HAS_PERCENT : 0;
    found |= brrt_v_bits(seen.high) != 0 ? BRRT_HAS_HIGH : 0;
    found |= brrt_v_bits(seen.plus) != 0 ? BRRT_HAS_PLUS : 0;
    return found;
}

/* The rows of the table in RFC 3629 section 4: for lead bytes up to `lead`, how many bytes follow, and which may
 * follow directly (that is where overlong forms, surrogates and code points above U+10FFFF are cut off). */
static const struct {
    unsigned char lead, follow, low, high;
} utf8_rows[] = {
    {0xC1, 0, 0, 0},       {0xDF, 1, 0x80, 0xBF}, {0xE0, 2, 0xA0, 0xBF}, {0xEC, 2, 0x80, 0xBF}, {0xED, 2, 0x80, 0x9F},
    {0xEF, 2, 0x80, 0xBF}, {0xF0, 3, 0x90, 0xBF}, {0xF3, 3, 0x80, 0xBF}, {0xF4, 3, 0x80, 0x8F}, {0xFF, 0, 0, 0},
};

/* The length of the sequence with a lead byte above 0x7F at p, 0 when it is malformed or cut. */
static size_t utf8_length(const unsigned char *p, size_t left) {
    size_t row = 0;
    while (*p > utf8_rows[row].lead) {
        row++;
    }
    size_t follow = utf8_rows[row].follow;
    if (follow == 0 || left <= follow || p[1] < utf8_rows[row].low || p[1] > utf8_rows[row].high) {
        return 0;
    }
    for (size_t i = 2; i <= follow; i++) {
        if ((p[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    return follow + 1;
}

int brrt_utf8_valid(const char *s, size_t len) {
    const char *end = s + len;
    const char *p = brrt_v_find(s, s, end, brrt_v_high);
    while (p != end) {
        size_t step = utf8_length((const unsigned char *)p, (size_t)(end - p));
        if (step == 0) {
            return 0;
        }
        p += step;
        if (p != end && (*p & 0x80) == 0) { /* words of one script seldom mix with ASCII: look first */
            p = brrt_v_find(s, p, end, brrt_v_high);
        }
    }
    return 1;
}
