/* JSON's scalars and nesting, see brrt_text.h. */
#include "brrt_text.h"

#include "brrt_simd.h"

static const char *skip_digits(const char *p, const char *end) {
    while (p != end && brrt_is_digit(*p)) {
        p++;
    }
    return p;
}

/* The end of `-?(0|[1-9][0-9]*)` at p, NULL when it is not there. */
static const char *integer_end(const char *p, const char *end) {
    if (p != end && *p == '-') {
        p++;
    }
    if (p == end || !brrt_is_digit(*p)) {
        return NULL;
    }
    return *p == '0' ? p + 1 : skip_digits(p, end);
}

brrt_status brrt_parse_int64(const char *s, size_t len, int64_t *out) {
    const char *end = s + len;
    if (integer_end(s, end) != end || len == 0) {
        return BRRT_SYNTAX;
    }
    int negative = *s == '-';
    uint64_t most = (uint64_t)INT64_MAX + (negative ? 1 : 0);
    uint64_t value = 0;
    for (const char *p = s + negative; p != end; p++) {
        uint64_t digit = (uint64_t)(*p - '0');
        if (value > (most - digit) / 10) {
            return BRRT_RANGE;
        }
        value = value * 10 + digit;
    }
    *out = (int64_t)(negative ? 0 - value : value);
    return BRRT_OK;
}

int brrt_is_number(const char *s, size_t len) {
    const char *end = s + len;
    const char *p = integer_end(s, end);
    if (p != NULL && p != end && *p == '.') {
        const char *fraction = ++p;
        p = skip_digits(fraction, end);
        if (p == fraction) {
            return 0;
        }
    }
    if (p != NULL && p != end && (*p | 0x20) == 'e') {
        p++;
        if (p != end && (*p == '+' || *p == '-')) {
            p++;
        }
        const char *exponent = p;
        p = skip_digits(exponent, end);
        if (p == exponent) {
            return 0;
        }
    }
    return p != NULL && p == end;
}

brrt_status brrt_parse_bool(const char *s, size_t len, int *out) {
    if (len == 4 && memcmp(s, "true", 4) == 0) {
        *out = 1;
        return BRRT_OK;
    }
    if (len == 5 && memcmp(s, "false", 5) == 0) {
        *out = 0;
        return BRRT_OK;
    }
    return BRRT_SYNTAX;
}

/* Setting bit 5 makes '[' of no other byte than '{', and ']' of none but '}'. */
static inline brrt_v is_structure(brrt_v v) {
    brrt_v folded = brrt_v_fold(v);
    return brrt_v_or(brrt_v_eq(v, '"'), brrt_v_or(brrt_v_eq(folded, '{'), brrt_v_eq(folded, '}')));
}

static inline brrt_v is_quote_or_escape(brrt_v v) {
    return brrt_v_or(brrt_v_eq(v, '"'), brrt_v_eq(v, '\\'));
}

/* The byte after the string whose opening quote is before p, or end. */
static const char *string_end(const char *base, const char *p, const char *end) {
    for (;;) {
        p = brrt_v_find(base, p, end, is_quote_or_escape);
        if (p == end || *p == '"') {
            return p == end ? end : p + 1;
        }
        p = end - p >= 2 ? p + 2 : end;
    }
}

size_t brrt_json_depth(const char *s, size_t len, size_t limit) {
    const char *end = s + len;
    const char *p = s;
    size_t depth = 0;
    size_t deepest = 0;
    while ((p = brrt_v_find(s, p, end, is_structure)) != end) {
        char c = *p++;
        if (c == '"') {
            p = string_end(s, p, end);
        } else if ((c | 0x20) == '{') {
            depth++;
            deepest = depth > deepest ? depth : deepest;
            if (deepest > limit) {
                return deepest;
            }
        } else if (depth > 0) {
            depth--;
        }
    }
    return deepest;
}

int brrt_has_digits(const char *s, size_t len, size_t count) {
    /* A run of `count` digits covers a multiple of `count`: look there first and go back only where one is. */
    size_t run = 0;
    for (size_t at = count - 1; at < len;) {
        if (!brrt_is_digit(s[at])) {
            at += count;
            continue;
        }
        size_t from = at, to = at + 1;
        while (from > 0 && brrt_is_digit(s[from - 1])) {
            from--;
        }
        while (to < len && brrt_is_digit(s[to])) {
            to++;
        }
        run = to - from;
        if (run >= count) {
            return 1;
        }
        at = to + count;
    }
    return 0;
}
