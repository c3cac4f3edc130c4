/* Percent-decoding, see brrt_text.h. */
#include "brrt_text.h"

#include "brrt_simd.h"

static inline brrt_v is_percent(brrt_v v) {
    return brrt_v_eq(v, '%');
}

static inline brrt_v is_percent_or_plus(brrt_v v) {
    return brrt_v_or(brrt_v_eq(v, '%'), brrt_v_eq(v, '+'));
}

brrt_status brrt_percent_decode(const char *s, size_t len, int plus, char *out, size_t *out_len) {
    const char *p = s;
    const char *end = s + len;
    char *to = out;
    while (p != end) {
        if (*p != '%') { /* escapes come in runs */
            const char *stop = plus ? brrt_v_find(s, p, end, is_percent_or_plus) : brrt_v_find(s, p, end, is_percent);
            size_t plain = (size_t)(stop - p);
            memmove(to, p, plain);
            to += plain;
            p = stop;
            if (p == end) {
                break;
            }
        }
        if (*p == '+') {
            *to++ = ' ';
            p++;
            continue;
        }
        int high = end - p >= 3 ? brrt_hex[(unsigned char)p[1]] : -1;
        int low = end - p >= 3 ? brrt_hex[(unsigned char)p[2]] : -1;
        if ((high | low) < 0) {
            *out_len = (size_t)(p - s);
            return BRRT_BAD_ESCAPE;
        }
        *to++ = (char)(high << 4 | low);
        p += 3;
    }
    *out_len = (size_t)(to - out);
    return brrt_utf8_valid(out, *out_len) ? BRRT_OK : BRRT_BAD_UTF8;
}
