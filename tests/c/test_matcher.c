/* The matcher: a table of answers, every refusal of a template, and fuzzed routes and paths against guard pages. */
#include "brrt_matcher.h"
#include "test.h"

#include <stdlib.h>

enum { ROOM = 300, ROUTES = 24 };

typedef struct answer {
    brrt_status status;
    brrt_match match;
    char captures[ROOM * 2]; /* one after another, a '|' behind each */
    size_t captures_len;
} answer;

/* Match with scratch space of exactly the length of the path, which the sanitizer watches. */
static answer ask(const brrt_matcher *m, int method, const char *path, size_t len, const char *query,
                  size_t query_len) {
    answer a = {0};
    char *scratch = malloc(len ? len : 1);
    memset(&a.match, 0x5A, sizeof a.match);
    a.status = brrt_matcher_match(m, method, path, len, query, query_len, scratch, len, &a.match);
    saw_status((int)a.status);
    if (a.status == BRRT_OK) {
        CHECK(a.match.count <= BRRT_MAX_CAPTURES, "%u captures", a.match.count);
        for (uint32_t i = 0; i < a.match.count; i++) {
            brrt_span span = a.match.captures[i];
            CHECK(span.len > 0 && (size_t)span.off + span.len <= len, "capture %u of %.*s", i, (int)len, path);
            const char *text = a.match.base + span.off;
            CHECK(brrt_utf8_valid(text, span.len), "capture %u of %.*s", i, (int)len, path);
            CHECK(a.match.high || !(brrt_scan(text, span.len) & BRRT_HAS_HIGH), "high: %.*s", (int)len, path);
            memcpy(a.captures + a.captures_len, text, span.len);
            a.captures_len += span.len;
            a.captures[a.captures_len++] = '|';
        }
    }
    free(scratch);
    return a;
}

static int same(const answer *a, const answer *b) {
    if (a->status != b->status) {
        return 0;
    }
    if (a->status == BRRT_NO_METHOD) {
        return a->match.allowed == b->match.allowed;
    }
    return a->status != BRRT_OK || (a->match.route == b->match.route && a->captures_len == b->captures_len &&
                                    memcmp(a->captures, b->captures, a->captures_len) == 0);
}

/* The answer, which must be the same wherever path and query lie. */
static answer ask_guarded(const brrt_matcher *m, int method, const char *path, size_t len, const char *query,
                          size_t query_len) {
    answer first = ask(m, method, path, len, query, query_len);
    for (int side = 0; side < GUARD_SIDES; side++) {
        answer other =
            ask(m, method, guarded(side, path, len), len, guarded(1 - side, query, query_len), query_len);
        CHECK(same(&first, &other), "side %d: %.*s", side, (int)len, path);
    }
    digest((uint64_t)first.status);
    if (first.status == BRRT_OK) {
        digest(first.match.route);
        for (size_t i = 0; i < first.captures_len; i++) {
            digest((unsigned char)first.captures[i]);
        }
    }
    return first;
}

static brrt_status add(brrt_builder *b, const char *method, const char *tpl, size_t len) {
    brrt_template info;
    uint32_t other = UINT32_MAX;
    brrt_status status = brrt_builder_add(b, method, strlen(method), guarded(0, tpl, len), len, &info, &other);
    CHECK((status == BRRT_TPL_COLLISION) == (other != UINT32_MAX), "%.*s", (int)len, tpl);
    saw_status((int)status);
    return status;
}

static void answers(void) {
    static const char *const routes[][2] = {
        {"GET", "/"},           {"GET", "/pets"},          {"POST", "/pets/{id}"},     {"GET", "/pets/mine"},
        {"GET", "/{a}-{b}"},    {"GET", "/{a}.json"},      {"GET", "/a/{x}/c/{y}"},    {"GET", "/a/b/{z}/d"},
        {"GET", "/q?x=1"},      {"GET", "/%7Eme"},         {"GET", "/a-literal-that-is-longer-than-two-words"},
        {"GET", "/{a}{b}!"},
    };
    static const struct {
        const char *method, *path, *query;
        brrt_status status;
        uint32_t route;
        const char *captures; /* as in an answer */
    } cases[] = {
        {"GET", "/", "", BRRT_OK, 0, ""},
        {"GET", "/pets", "", BRRT_OK, 1, ""},
        {"GET", "/pets/mine", "", BRRT_OK, 3, ""},
        {"POST", "/pets/mine", "", BRRT_OK, 2, "mine|"},
        {"POST", "/pets/a%2Fb", "", BRRT_OK, 2, "a/b|"},
        {"GET", "/pets/7", "", BRRT_NO_METHOD, 0, ""},
        {"PUT", "/pets", "", BRRT_NO_METHOD, 0, ""},
        {"GET", "/x-y-z", "", BRRT_OK, 4, "x|y-z|"},
        {"GET", "/x-y.json", "", BRRT_OK, 5, "x-y|"},
        {"GET", "/a/b/c/d", "", BRRT_OK, 7, "c|"},
        {"GET", "/a/b/c/e", "", BRRT_OK, 6, "b|e|"},
        {"GET", "/q", "", BRRT_NO_MATCH, 0, ""},
        {"GET", "/q", "y=2&x=%31", BRRT_OK, 8, ""},
        {"GET", "/~me", "", BRRT_OK, 9, ""},
        {"GET", "/%7eme", "", BRRT_OK, 9, ""},
        {"GET", "/a-literal-that-is-longer-than-two-words", "", BRRT_OK, 10, ""},
        {"GET", "/a%2Dliteral-that-is-longer-than-two-word%73", "", BRRT_OK, 10, ""},
        {"GET", "/\xC3\xA9z!", "", BRRT_OK, 11, "\xC3\xA9|z|"},
        {"GET", "/z!", "", BRRT_NO_MATCH, 0, ""},
        {"GET", "", "", BRRT_NO_MATCH, 0, ""},
        {"GET", "*", "", BRRT_NO_MATCH, 0, ""},
        {"GET", "/x%", "", BRRT_BAD_ESCAPE, 0, ""},
        {"GET", "/a/b/c/d/e/f/g/h/%zz", "", BRRT_BAD_ESCAPE, 0, ""},
        {"GET", "/\xFF", "", BRRT_BAD_UTF8, 0, ""},
        {"GET", "/%C3/%A9", "", BRRT_BAD_UTF8, 0, ""},
    };
    brrt_builder *b = brrt_builder_new();
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        CHECK(add(b, routes[i][0], routes[i][1], strlen(routes[i][1])) == BRRT_OK, "%s", routes[i][1]);
    }
    brrt_matcher *m = brrt_builder_freeze(b, 0);
    brrt_builder_free(b);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *path = cases[i].path, *query = cases[i].query;
        int method = brrt_matcher_method(m, cases[i].method, strlen(cases[i].method));
        answer a = ask_guarded(m, method, path, strlen(path), query, strlen(query));
        CHECK(a.status == cases[i].status, "%s: %s", path, brrt_status_name((int)a.status));
        if (a.status == BRRT_OK && cases[i].status == BRRT_OK) {
            CHECK(a.match.route == cases[i].route, "%s: route %u", path, a.match.route);
            CHECK(strcmp(a.captures, cases[i].captures) == 0, "%s: %s", path, a.captures);
        }
    }
    size_t length = 0;
    CHECK(strncmp(brrt_matcher_method_name(m, 1, &length), "POST", 4) == 0 && length == 4, "%zu", length);
    CHECK(brrt_matcher_method_name(m, 2, &length) == NULL, "two methods");
    CHECK(brrt_matcher_method_name(m, -1, &length) == NULL, "two methods");
    CHECK(brrt_matcher_method(m, "GETX", 3) == 0 && brrt_matcher_method(m, "GE", 2) == -1, "methods");
    brrt_match out;
    char small[4];
    CHECK(brrt_matcher_match(m, 0, BYTES("/%41b"), NULL, 0, small, 4, &out) == BRRT_NO_SPACE, "a byte is missing");
    CHECK(brrt_matcher_match(m, 0, BYTES("/pets"), NULL, 0, NULL, 0, &out) == BRRT_OK, "no scratch is needed");
    brrt_matcher_free(m);
}

static void refusals(void) {
    static const struct {
        const char *tpl;
        size_t len;
        brrt_status status;
    } cases[] = {
        {BYTES(""), BRRT_TPL_START},
        {BYTES("a"), BRRT_TPL_START},
        {BYTES("/{"), BRRT_TPL_BRACE},
        {BYTES("/}"), BRRT_TPL_BRACE},
        {BYTES("/{a{b}"), BRRT_TPL_BRACE},
        {BYTES("/{a"), BRRT_TPL_BRACE},
        {BYTES("/{}"), BRRT_TPL_EMPTY_NAME},
        {BYTES("/{a}{a}"), BRRT_TPL_REPEATED_NAME},
        {BYTES("/%"), BRRT_TPL_ENCODING},
        {BYTES("/%4"), BRRT_TPL_ENCODING},
        {BYTES("/{a}%4"), BRRT_TPL_ENCODING},
        {BYTES("/never/{a}/%4"), BRRT_TPL_ENCODING},
        {BYTES("/never/x-{a}/%4/y"), BRRT_TPL_ENCODING},
        {BYTES("/never/x-{a}/%4{b}"), BRRT_TPL_ENCODING},
        {BYTES("/%C3{a}%A9"), BRRT_TPL_ENCODING},
        {BYTES("/\xFF"), BRRT_TPL_ENCODING},
        {BYTES("/a?%"), BRRT_TPL_ENCODING},
        {BYTES("/a?b=%zz"), BRRT_TPL_ENCODING},
        {BYTES("/known/{x}"), BRRT_TPL_COLLISION},
        {BYTES("/kn%6Fwn/{y}?#z"), BRRT_TPL_COLLISION},
    };
    brrt_builder *b = brrt_builder_new();
    CHECK(add(b, "GET", BYTES("/known/{a}")) == BRRT_OK, "known");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        brrt_status status = add(b, "GET", cases[i].tpl, cases[i].len);
        CHECK(status == cases[i].status, "%s: %s", cases[i].tpl, brrt_status_name((int)status));
    }
    char *large = malloc(BRRT_MAX_TEMPLATE + 1);
    memset(large, '/', BRRT_MAX_TEMPLATE + 1);
    CHECK(add(b, "GET", large, BRRT_MAX_TEMPLATE + 1) == BRRT_TPL_TOO_LONG, "a byte too long");
    CHECK(add(b, "GET", large, BRRT_MAX_SEGMENTS + 1) == BRRT_TPL_TOO_DEEP, "a segment too many");
    CHECK(add(b, "GET", large, BRRT_MAX_SEGMENTS) == BRRT_OK, "as deep as can be");
    size_t len = 0;
    for (int i = 0; i <= BRRT_MAX_CAPTURES; i++) {
        len += (size_t)snprintf(large + len, 16, "/{n%d}", i);
    }
    CHECK(add(b, "GET", large, len) == BRRT_TPL_TOO_MANY_CAPTURES, "a capture too many");
    CHECK(add(b, "G T", BYTES("/m")) == BRRT_TPL_METHOD && add(b, "", BYTES("/m")) == BRRT_TPL_METHOD, "methods");
    brrt_matcher *m = brrt_builder_freeze(b, BRRT_AUTO_HEAD | BRRT_SLASH_IGNORE);
    CHECK(brrt_matcher_nodes(m) == 3 + BRRT_MAX_SEGMENTS, "refused templates left nodes: %u", brrt_matcher_nodes(m));
    memset(large, '/', BRRT_MAX_TEMPLATE);
    answer a = ask(m, 0, large, BRRT_MAX_SEGMENTS + 1, "", 0);
    CHECK(a.status == BRRT_OK, "the deepest path with one slash more: %s", brrt_status_name((int)a.status));
    a = ask(m, 0, large, BRRT_MAX_SEGMENTS + 2, "", 0);
    CHECK(a.status == BRRT_NO_MATCH, "with two: %s", brrt_status_name((int)a.status));
    for (int i = 0; i < BRRT_MAX_METHODS - 2; i++) {
        char name[16];
        snprintf(name, sizeof name, "M%d", i);
        CHECK(add(b, name, BYTES("/m")) == BRRT_OK, "the builder stays usable: %s", name);
    }
    CHECK(add(b, "MORE", BYTES("/m")) == BRRT_TPL_TOO_MANY_METHODS, "a method too many");
    CHECK(add(b, "HEAD", BYTES("/m")) == BRRT_OK, "room is kept for HEAD");
    free(large);
    brrt_matcher_free(m);
    brrt_builder_free(b);
    brrt_builder_free(NULL);
    brrt_matcher_free(NULL);
}

static size_t random_template(char *out) {
    static const char *const pieces[] = {"{}", "{}", "a",   "b",   "-", "ab",  "/",       "/",
                                         ".",  "é", "/",   "%7E", "%2F", "~", "abc", "abcdefg", "/",
                                         "literal-of-many-words"};
    size_t len = 1;
    unsigned names = 0;
    out[0] = '/';
    for (size_t count = random_below(9); count > 0; count--) {
        const char *piece = pieces[random_below(sizeof pieces / sizeof *pieces)];
        int named = piece[0] == '{';
        int written = named ? snprintf(out + len, 32, "{n%u}", names++) : snprintf(out + len, 32, "%s", piece);
        len += (size_t)written;
    }
    return len;
}

/* The template with texts for its expressions. */
static size_t random_path(const char *tpl, size_t len, char *out) {
    static const char *const values[] = {"a", "b-", "xyz", "%41", "é", "%C3%A9", "%2F", "a.b-c", "-", "eightbyt", "%"};
    size_t to = 0;
    for (size_t i = 0; i < len; i++) {
        if (tpl[i] != '{') {
            out[to++] = tpl[i];
            continue;
        }
        to += (size_t)snprintf(out + to, 16, "%s", values[random_below(sizeof values / sizeof *values)]);
        i = (size_t)((const char *)memchr(tpl + i, '}', len - i) - tpl);
    }
    return to;
}

static void fuzz(void) {
    static const char *const methods[] = {"GET", "POST", "HEAD"};
    static const char queries[][8] = {"", "x=1", "x=1&y=%", "x"};
    char templates[ROUTES][ROOM], path[ROOM];
    size_t lengths[ROUTES];
    unsigned long matched = 0;
    for (int round = 0; round < 400; round++) {
        brrt_builder *b = brrt_builder_new();
        for (size_t i = 0; i < ROUTES; i++) {
            lengths[i] = random_template(templates[i]);
            if (random_below(4) == 0) {
                size_t mutated = random_mutate(templates[i], lengths[i], ROOM, BYTES("/{}%?#=&a"));
                digest((uint64_t)add(b, methods[random_below(3)], templates[i], mutated));
                lengths[i] = random_template(templates[i]);
            }
            digest((uint64_t)add(b, methods[random_below(3)], templates[i], lengths[i]));
        }
        brrt_matcher *m = brrt_builder_freeze(b, (unsigned)random_below(4));
        brrt_builder_free(b);
        for (int i = 0; i < 60; i++) {
            size_t which = random_below(ROUTES);
            size_t len = random_path(templates[which], lengths[which], path);
            len = random_below(2) ? len : random_mutate(path, len, ROOM - 4, BYTES("/%-.a\xC3\xA9"));
            const char *query = queries[random_below(4)];
            answer a = ask_guarded(m, (int)random_below(4) - 1, path, len, query, strlen(query));
            matched += a.status == BRRT_OK;
        }
        brrt_matcher_free(m);
    }
    CHECK(matched > 4000, "only %lu paths matched: the generator is out of tune", matched);
}

/* Slashes and literals at every alignment, and every length around the width of a vector. */
static void widths(void) {
    brrt_builder *b = brrt_builder_new();
    char text[ROOM];
    for (size_t len = 1; len <= 80; len++) {
        text[0] = '/';
        memset(text + 1, 'a', len);
        CHECK(add(b, "GET", text, len + 1) == BRRT_OK, "%zu", len);
        memcpy(text + 1 + len, "/{x}/b", 6);
        CHECK(add(b, "GET", text, len + 7) == BRRT_OK, "%zu", len);
    }
    brrt_matcher *m = brrt_builder_freeze(b, 0);
    brrt_builder_free(b);
    for (uint32_t len = 1; len <= 80; len++) {
        text[0] = '/';
        memset(text + 1, 'a', len);
        answer a = ask_guarded(m, 0, text, len + 1, "", 0);
        CHECK(a.status == BRRT_OK && a.match.route == 2 * (len - 1), "%u", len);
        for (size_t value = 1; value <= 40; value++) {
            text[len + 1] = '/';
            memset(text + len + 2, 'v', value);
            memcpy(text + len + 2 + value, "/b", 2);
            a = ask_guarded(m, 0, text, len + value + 4, "", 0);
            CHECK(a.status == BRRT_OK && a.match.route == 2 * len - 1, "%u %zu", len, value);
            CHECK(a.captures_len == value + 1, "%u %zu", len, value);
        }
        memset(text + 1, 'a', len);
        text[len] = 'b';
        a = ask_guarded(m, 0, text, len + 1, "", 0);
        CHECK(a.status == BRRT_NO_MATCH, "%u", len);
    }
    brrt_matcher_free(m);
}

void test_matcher(void) {
    answers();
    refusals();
    widths();
    fuzz();
}
