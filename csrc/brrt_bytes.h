/* Classes of single bytes, unaligned loads and case-insensitive comparison; private to csrc. */
#ifndef BRRT_BYTES_H
#define BRRT_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    BRRT_IS_TOKEN = 1,    /* tchar, RFC 9110 5.6.2 */
    BRRT_IS_REG_NAME = 2, /* unreserved / sub-delims, RFC 3986 2.2 and 2.3: a reg-name without its '%' */
    BRRT_IS_HEX = 4       /* HEXDIG of either case */
};

/* A set of the bits above for each byte. */
extern const uint8_t brrt_class[256];

/* The value of a hexadecimal digit, -1 for every other byte. */
extern const int8_t brrt_hex[256];

static inline int brrt_is(char c, unsigned classes) {
    return (brrt_class[(unsigned char)c] & classes) != 0;
}

static inline int brrt_is_digit(char c) {
    return (unsigned)((unsigned char)c - '0') <= 9;
}

/* SP or HTAB, the bytes of OWS and BWS (RFC 9110 5.6.3). */
static inline int brrt_is_blank(char c) {
    return c == ' ' || c == '\t';
}

/* Loads put the first byte into the lowest eight bits on every machine. */
static inline uint64_t brrt_load64(const char *p) {
    uint64_t word;
    memcpy(&word, p, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

static inline uint64_t brrt_load32(const char *p) {
    uint32_t word;
    memcpy(&word, p, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap32(word);
#endif
    return word;
}

/* The n bytes at p, n below 8, the rest zero. */
static inline uint64_t brrt_load_short(const char *p, size_t n) {
    if (n >= 4) {
        return brrt_load32(p) | brrt_load32(p + n - 4) >> (8 * (8 - n)) << 32;
    }
    uint64_t word = 0;
    for (size_t i = 0; i < n; i++) {
        word |= (uint64_t)(unsigned char)p[i] << (8 * i);
    }
    return word;
}

/* Whether s[0..len) is `lower`, a text without capitals, when the case of letters is ignored. */
static inline int brrt_equals_folded(const char *s, size_t len, const char *lower, size_t lower_len) {
    if (len != lower_len) {
        return 0;
    }
    for (size_t i = 0; i < len; i++) {
        char c = s[i];
        if (c >= 'A' && c <= 'Z') {
            c = (char)(c | 0x20);
        }
        if (c != lower[i]) {
            return 0;
        }
    }
    return 1;
}

#endif
