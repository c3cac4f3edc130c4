/* Query strings: a table, and mutations against an oracle that copies every piece. */
#include "brrt_text.h"
#include "test.h"

enum { ROOM = 200, CAP = 128 };

/* Pieces between '&' one after another, each cut at its first '='; the number of all of them. */
static size_t naive_split(const char *s, size_t len, brrt_pair *out, size_t cap) {
    size_t count = 0;
    size_t start = 0;
    for (size_t i = 0; i <= len; i++) {
        if (i < len && s[i] != '&') {
            continue;
        }
        size_t equals = start;
        while (equals < i && s[equals] != '=') {
            equals++;
        }
        if (i > start && count++ < cap) {
            size_t value = equals < i ? equals + 1 : i;
            out[count - 1] = (brrt_pair){
                {(uint32_t)start, (uint32_t)(equals - start)}, {(uint32_t)value, (uint32_t)(i - value)}, equals < i};
        }
        start = i + 1;
    }
    return count;
}

static int same_pairs(const brrt_pair *a, const brrt_pair *b, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (a[i].name.off != b[i].name.off || a[i].name.len != b[i].name.len || a[i].value.len != b[i].value.len ||
            a[i].has_value != b[i].has_value || (a[i].value.len > 0 && a[i].value.off != b[i].value.off)) {
            return 0;
        }
    }
    return 1;
}

static void check_split(const char *s, size_t len, size_t cap) {
    brrt_pair expected[CAP], found[CAP + 1];
    size_t all = naive_split(s, len, expected, cap);
    size_t wanted = all < cap ? all : cap;
    for (int side = 0; side < GUARD_SIDES; side++) {
        size_t count = SIZE_MAX;
        memset(&found[cap], 0x5A, sizeof *found);
        brrt_status status = brrt_query_split(guarded(side, s, len), len, found, cap, &count);
        CHECK(status == (all > cap ? BRRT_TOO_MANY : BRRT_OK), "%s: %.*s", brrt_status_name((int)status), (int)len, s);
        CHECK(count == wanted && same_pairs(found, expected, wanted), "%zu, not %zu: %.*s", count, wanted, (int)len, s);
        CHECK(found[cap].has_value == 0x5A5A5A5A, "wrote beyond %zu", cap);
        for (size_t i = 0; i < count; i++) {
            CHECK(found[i].value.off + found[i].value.len <= len, "pair %zu: %.*s", i, (int)len, s);
        }
    }
    digest(wanted);
}

/* Split, decode both sides, compare. */
static int naive_has(const char *s, size_t len, const char *name, size_t name_len, const char *value,
                     size_t value_len) {
    brrt_pair pairs[CAP];
    char out[ROOM];
    size_t count = naive_split(s, len, pairs, CAP);
    for (size_t i = 0; i < count; i++) {
        size_t out_len = 0;
        if (brrt_percent_decode(s + pairs[i].name.off, pairs[i].name.len, 1, out, &out_len) == BRRT_BAD_ESCAPE ||
            out_len != name_len || memcmp(out, name, name_len) != 0) {
            continue;
        }
        if (value == NULL ||
            (brrt_percent_decode(s + pairs[i].value.off, pairs[i].value.len, 1, out, &out_len) != BRRT_BAD_ESCAPE &&
             out_len == value_len && memcmp(out, value, value_len) == 0)) {
            return 1;
        }
    }
    return 0;
}

static void check_has(const char *s, size_t len, const char *name, const char *value) {
    size_t value_len = value == NULL ? 0 : strlen(value);
    int expected = naive_has(s, len, name, strlen(name), value, value_len);
    for (int side = 0; side < GUARD_SIDES; side++) {
        int found = brrt_query_has(guarded(side, s, len), len, name, strlen(name), value, value_len);
        CHECK((found != 0) == expected, "%s=%s in %.*s", name, value == NULL ? "*" : value, (int)len, s);
    }
    digest((uint64_t)expected);
}

static void check_table(void) {
    static const struct {
        const char *query, *name, *value;
        int has;
    } all[] = {
        {"a=b", "a", "b", 1},     {"a=b", "a", NULL, 1},    {"a=b", "a", "", 0},          {"a=b", "b", NULL, 0},
        {"a", "a", "", 1},        {"a", "a", NULL, 1},      {"a=", "a", "", 1},           {"", "a", NULL, 0},
        {"", "", NULL, 0},        {"=b", "", "b", 1},       {"&&a=b&&", "a", "b", 1},     {"&", "", NULL, 0},
        {"a=1&a=2", "a", "2", 1}, {"%61=%62", "a", "b", 1}, {"a+b=c+d", "a b", "c d", 1}, {"a%2Bb=c", "a+b", "c", 1},
        {"a%2=b", "a%2", "b", 0}, {"a=%zz", "a", "%zz", 0}, {"a=%zz&a=b", "a", "b", 1},   {"a=b=c", "a", "b=c", 1},
        {"a=bc", "a", "b", 0},    {"a=b", "a", "bc", 0},    {"ab=c", "a", NULL, 0},       {"A=b", "a", NULL, 0},
        {"a=%", "a", "%", 0},     {"a=%4", "a", "%4", 0},   {"a%3Db=c", "a=b", "c", 1},   {"a=b%26c", "a", "b&c", 1},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const char *value = all[i].value;
        int found = brrt_query_has(all[i].query, strlen(all[i].query), all[i].name, strlen(all[i].name), value,
                                   value == NULL ? 0 : strlen(value));
        CHECK((found != 0) == all[i].has, "%s in %s", all[i].name, all[i].query);
    }
}

void test_query(void) {
    static const char palette[] = "&&&&====ab+%%2Bf61";
    static const char *const seeds[] = {
        "limit=10&offset=20&tag=a&tag=b",
        "a=b&&=c&d&e=&f==&",
        "q=some+words%20here&long_name_of_parameter=long_value_of_it",
        "",
        "&",
        "a%61b=c",
    };
    check_table();
    for (size_t len = 0; len < 40; len++) {
        for (size_t at = 0; at < len; at++) {
            for (const char *mark = "&="; *mark != '\0'; mark++) {
                char text[40];
                memset(text, 'a', len);
                text[at] = *mark;
                check_split(text, len, CAP);
            }
        }
    }
    for (int round = 0; round < 200000; round++) {
        char text[ROOM];
        const char *seed = seeds[random_below(6)];
        size_t len = random_mutate(memcpy(text, seed, strlen(seed)), strlen(seed), CAP, palette, sizeof palette - 1);
        check_split(text, len, random_below(4) == 0 ? random_below(6) : CAP);
        check_has(text, len, "a", random_below(2) ? "b" : NULL);
        check_has(text, len, "tag", "b");
    }
}
