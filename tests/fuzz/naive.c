/* See naive.h. */
#include "naive.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static int continues(const char *s, size_t len, size_t at) {
    return at < len && ((unsigned char)s[at] >> 6) == 2;
}

int naive_utf8(const char *s, size_t len) {
    static const uint32_t smallest[] = {0, 0x80, 0x800, 0x10000};
    for (size_t at = 0; at < len;) {
        unsigned char lead = (unsigned char)s[at];
        size_t more = lead < 0x80 ? 0 : lead >> 5 == 6 ? 1 : lead >> 4 == 14 ? 2 : lead >> 3 == 30 ? 3 : SIZE_MAX;
        if (more == SIZE_MAX) {
            return 0;
        }
        uint32_t value = more == 0 ? lead : lead & (0x3Fu >> more);
        for (size_t i = 1; i <= more; i++) {
            if (!continues(s, len, at + i)) {
                return 0;
            }
            value = value << 6 | ((unsigned char)s[at + i] & 0x3Fu);
        }
        if (value < smallest[more] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) {
            return 0;
        }
        at += more + 1;
    }
    return 1;
}

size_t naive_code_point(const char *s) {
    size_t len = 1;
    while (((unsigned char)s[0] << len & 0x80) != 0 && ((unsigned char)s[0] & 0x80) != 0) {
        len++;
    }
    return len;
}

static int hex_digit(char c) {
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *found = c == '\0' ? NULL : strchr(digits, c);
    return found == NULL ? -1 : (int)((found - digits) % 16);
}

naive_result naive_decode(const char *s, size_t len, int plus, char *out, size_t *out_len) {
    *out_len = 0;
    for (size_t at = 0; at < len; at++) {
        char c = s[at];
        if (c == '%') {
            if (at + 2 >= len || hex_digit(s[at + 1]) < 0 || hex_digit(s[at + 2]) < 0) {
                *out_len = at;
                return NAIVE_BAD_ESCAPE;
            }
            c = (char)(hex_digit(s[at + 1]) * 16 + hex_digit(s[at + 2]));
            at += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        out[(*out_len)++] = c;
    }
    return naive_utf8(out, *out_len) ? NAIVE_OK : NAIVE_BAD_UTF8;
}

/* Bytes that are not UTF-8 may be compared: only a bad escape makes a text unequal to every other. */
static int decodes_to(const char *s, size_t len, const char *text, size_t text_len) {
    char *decoded = malloc(len + 1);
    size_t decoded_len;
    if (decoded == NULL) {
        abort();
    }
    int same = naive_decode(s, len, 1, decoded, &decoded_len) != NAIVE_BAD_ESCAPE && decoded_len == text_len &&
               (text_len == 0 || memcmp(decoded, text, text_len) == 0);
    free(decoded);
    return same;
}

int naive_query_has(const char *s, size_t len, const char *name, size_t name_len, const char *value, size_t value_len) {
    for (size_t from = 0; from < len;) {
        size_t to = from, equals;
        while (to < len && s[to] != '&') {
            to++;
        }
        for (equals = from; equals < to && s[equals] != '=';) {
            equals++;
        }
        size_t after = equals < to ? equals + 1 : to;
        if (to > from && decodes_to(s + from, equals - from, name, name_len) &&
            (value == NULL || decodes_to(s + after, to - after, value, value_len))) {
            return 1;
        }
        from = to + 1;
    }
    return 0;
}
