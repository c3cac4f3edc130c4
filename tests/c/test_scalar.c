/* Integers, numbers, booleans and nesting of JSON, against oracles that ask the C library. */
#include <errno.h>
#include <regex.h>
#include <stdlib.h>

#include "brrt_text.h"
#include "test.h"

enum { ROOM = 120 };

static regex_t integer, number;

static brrt_status naive_int64(const char *text, int64_t *out) {
    if (regexec(&integer, text, 0, NULL, 0) != 0) {
        return BRRT_SYNTAX;
    }
    errno = 0;
    *out = strtoll(text, NULL, 10);
    return errno == ERANGE ? BRRT_RANGE : BRRT_OK;
}

static void check_scalar(const char *text) {
    size_t len = strlen(text);
    int64_t expected = 0;
    brrt_status wanted = naive_int64(text, &expected);
    for (int side = 0; side < GUARD_SIDES; side++) {
        int64_t found = 0;
        const char *s = guarded(side, text, len);
        brrt_status status = brrt_parse_int64(s, len, &found);
        CHECK(status == wanted && (status != BRRT_OK || found == expected), "%s: %s", text,
              brrt_status_name((int)status));
        CHECK((brrt_is_number(s, len) != 0) == (regexec(&number, text, 0, NULL, 0) == 0), "%s", text);
        int flag = 7;
        status = brrt_parse_bool(s, len, &flag);
        int known = strcmp(text, "true") == 0 ? 1 : strcmp(text, "false") == 0 ? 0 : 7;
        CHECK(flag == known && status == (known == 7 ? BRRT_SYNTAX : BRRT_OK), "%s: %d", text, flag);
        digest(status * UINT64_C(31) + (uint64_t)found);
    }
}

static size_t naive_depth(const char *s, size_t len) {
    size_t depth = 0, deepest = 0;
    int in_string = 0;
    for (size_t i = 0; i < len; i++) {
        if (in_string && s[i] == '\\') {
            i++;
        } else if (s[i] == '"') {
            in_string = !in_string;
        } else if (!in_string && (s[i] == '[' || s[i] == '{')) {
            depth++;
            deepest = depth > deepest ? depth : deepest;
        } else if (!in_string && (s[i] == ']' || s[i] == '}') && depth > 0) {
            depth--;
        }
    }
    return deepest;
}

static void check_depth(const char *text, size_t len) {
    size_t expected = naive_depth(text, len);
    for (size_t limit = 0; limit < 8; limit++) {
        for (int side = 0; side < GUARD_SIDES; side++) {
            size_t depth = brrt_json_depth(guarded(side, text, len), len, limit);
            CHECK(depth == (expected > limit ? limit + 1 : expected), "%zu of %zu, limit %zu: %.*s", depth, expected,
                  limit, (int)len, text);
        }
    }
    digest(expected);
}

static void check_random_scalars(void) {
    static const char *const seeds[] = {
        "0",
        "-0",
        "42",
        "-9223372036854775808",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775809",
        "1.5",
        "1e5",
        "-1.25E-10",
        "true",
        "false",
        "123456789012345678901234567890",
        "-",
        "",
    };
    static const char palette[] = "0011223456789--++..eE ";
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
        check_scalar(seeds[i]);
    }
    for (int round = 0; round < 200000; round++) {
        char text[ROOM];
        const char *seed = seeds[random_below(sizeof seeds / sizeof *seeds)];
        size_t len =
            random_mutate(memcpy(text, seed, strlen(seed)), strlen(seed), ROOM - 1, palette, sizeof palette - 1);
        text[len] = '\0'; /* a NUL inside is for the one case below: the oracles read C strings */
        check_scalar(text);
    }
    int64_t out = 0;
    CHECK(brrt_parse_int64("1\0", 2, &out) == BRRT_SYNTAX && !brrt_is_number("1\0", 2), "NUL after a digit");
}

static void check_random_depths(void) {
    static const char *const seeds[] = {
        "{\"a\": [1, {\"b\": []}], \"c\": \"[[[[\"}",
        "[[[[[[[[]]]]]]]]",
        "\"a\\\"[\\\\\"[[\"",
        "\"never closed [[[",
        "]]]][",
        "{\"a long name\": \"a long text with [brackets] and {braces} in it\", \"x\": [[[0]]]}",
    };
    static const char palette[] = "[[[]]]{{}}\"\"\\\\a, ;\x5B\x7B\x3B";
    for (int round = 0; round < 30000; round++) {
        char text[ROOM];
        const char *seed = seeds[random_below(6)];
        size_t len = random_mutate(memcpy(text, seed, strlen(seed)), strlen(seed), ROOM, palette, sizeof palette - 1);
        check_depth(text, len);
    }
    static char nested[GUARD_ROOM];
    memset(nested, '[', sizeof nested);
    CHECK(brrt_json_depth(nested, sizeof nested, 128) == 129, "stops above the limit");
    CHECK(brrt_json_depth(nested, sizeof nested, SIZE_MAX) == sizeof nested, "counts all");
}

static int slow_has_digits(const char *s, size_t len, size_t count) {
    size_t run = 0;
    for (size_t i = 0; i < len; i++) {
        run = s[i] >= '0' && s[i] <= '9' ? run + 1 : 0;
        if (run == count) {
            return 1;
        }
    }
    return 0;
}

static void check_random_digits(void) {
    static const char palette[] = "0123456789012345678901234567890123456789.,";
    for (int round = 0; round < 100000; round++) {
        char text[ROOM];
        size_t len = random_below(60), count = 1 + random_below(21);
        for (size_t i = 0; i < len; i++) {
            text[i] = palette[random_below(sizeof palette - 1)];
        }
        for (int side = 0; side < GUARD_SIDES; side++) {
            int found = brrt_has_digits(guarded(side, text, len), len, count);
            CHECK(found == slow_has_digits(text, len, count), "%zu digits in %.*s", count, (int)len, text);
        }
    }
}

void test_scalar(void) {
    if (regcomp(&integer, "^-?(0|[1-9][0-9]*)$", REG_EXTENDED | REG_NOSUB) != 0 ||
        regcomp(&number, "^-?(0|[1-9][0-9]*)([.][0-9]+)?([eE][+-]?[0-9]+)?$", REG_EXTENDED | REG_NOSUB) != 0) {
        CHECK(0, "bad expression");
        return;
    }
    check_random_scalars();
    check_random_depths();
    check_random_digits();
    regfree(&integer);
    regfree(&number);
}
