/* The chunked coding (RFC 9112 7.1): a table, every split of each case, and mutations against regular expressions. */
#include <regex.h>
#include <stdlib.h>

#include "brrt_head.h"
#include "test.h"

#define CASE(rule, literal, status, used, total) {rule, BYTES(literal), BRRT_##status, used, total}

enum { EXTENSION_LIMIT = 24, TRAILER_LIMIT = 32 };

static const struct {
    const char *rule;
    const char *body;
    size_t len;
    brrt_status status;
    size_t used;
    uint64_t total;
} cases[] = {
    CASE("RFC 9112 7.1: the empty body", "0\r\n\r\n", OK, 5, 0),
    CASE("RFC 9112 7.1: one chunk", "3\r\nabc\r\n0\r\n\r\n", OK, 13, 3),
    CASE("RFC 9112 7.1: data may look like anything", "8\r\n\r\n0\r\n\r\n\0\r\n0\r\n\r\n", OK, 18, 8),
    CASE("RFC 9112 7.1: what follows is not used", "1\r\na\r\n00\r\n\r\nGET / HTTP/1.1", OK, 12, 1),
    CASE("RFC 9112 7.1: hexadecimal in both cases", "a\r\n0123456789\r\nB\r\n0123456789A\r\n0\r\n\r\n", OK, 36, 21),
    CASE("RFC 9112 7.1: sixteen digits", "0000000000000001\r\na\r\n0000000000000000\r\n\r\n", OK, 41, 1),
    CASE("RFC 9112 7.1: size of 2^63-1", "7fffffffffffffff\r\nabc", PARTIAL, 21, 3),
    CASE("RFC 9112 7.1: nothing yet", "", PARTIAL, 0, 0),
    CASE("RFC 9112 7.1: no last chunk yet", "1\r\na\r\n", PARTIAL, 6, 1),
    CASE("RFC 9112 7.1.1: extension", "1;a\r\nx\r\n0;b=c;d=\"e\"\r\n\r\n", OK, 23, 1),
    CASE("RFC 9112 7.1.1: bad whitespace", "1 ;\ta = b\t; c\r\nx\r\n0\r\n\r\n", OK, 23, 1),
    CASE("RFC 9112 7.1.1: quoted string", "1;a=\"; \\\"\r\t\"\r\nx", CHUNK_EXTENSION, 9, 0),
    CASE("RFC 9112 7.1.1: quoted string with an escape", "1;a=\"; \\\"\t\xC3\"\r\nx\r\n0\r\n\r\n", OK, 22, 1),
    CASE("RFC 9112 7.1.2: trailer", "0\r\nA: b\r\nc:\r\n\r\n", OK, 15, 0),
    CASE("RFC 9112 7.1.2: trailer with high bytes", "0\r\nA:\t\xC3\xA4 \r\n\r\n", OK, 13, 0),
    CASE("RFC 9112 7.1: no size", "\r\n", CHUNK_SIZE, 0, 0),
    CASE("RFC 9112 7.1: negative size", "-1\r\n", CHUNK_SIZE, 0, 0),
    CASE("RFC 9112 7.1: size with a prefix", "0x1\r\n", CHUNK_SIZE, 1, 0),
    CASE("RFC 9112 7.1: size with an underscore", "1_0\r\n", CHUNK_SIZE, 1, 0),
    CASE("RFC 9112 7.1: letters that are no digits", "g\r\n", CHUNK_SIZE, 0, 0),
    CASE("RFC 9112 7.1: SP before the size", " 1\r\n", CHUNK_SIZE, 0, 0),
    CASE("RFC 9112 7.1: size of 2^63", "8000000000000000\r\n", CHUNK_SIZE, 15, 0),
    CASE("RFC 9112 7.1: size of 2^64", "10000000000000000\r\n", CHUNK_SIZE, 16, 0),
    CASE("RFC 9112 7.1: seventeen digits", "00000000000000001\r\n", CHUNK_SIZE, 16, 0),
    CASE("RFC 9112 7.1: bare LF after the size", "1\na\r\n", CHUNK_SIZE, 1, 0),
    CASE("RFC 9112 7.1: bare CR after the size", "1\ra\r\n", CHUNK_SIZE, 2, 0),
    CASE("RFC 9112 7.1: NUL in the size", "1\0\r\n", CHUNK_SIZE, 1, 0),
    CASE("RFC 9112 7.1: bare LF after a last size", "0\n\r\n", CHUNK_SIZE, 1, 0),
    CASE("RFC 9112 7.1.1: SP after the size", "1 \r\na", CHUNK_EXTENSION, 2, 0),
    CASE("RFC 9112 7.1.1: no extension name", "1;\r\na", CHUNK_EXTENSION, 2, 0),
    CASE("RFC 9112 7.1.1: no value", "1;a=\r\na", CHUNK_EXTENSION, 4, 0),
    CASE("RFC 9112 7.1.1: value that is no token", "1;a=/\r\na", CHUNK_EXTENSION, 4, 0),
    CASE("RFC 9112 7.1.1: two values", "1;a=b=c\r\na", CHUNK_EXTENSION, 5, 0),
    CASE("RFC 9112 7.1.1: SP after the last name", "1;a \r\na", CHUNK_EXTENSION, 4, 0),
    CASE("RFC 9112 7.1.1: text after a quoted string", "1;a=\"b\"c\r\na", CHUNK_EXTENSION, 7, 0),
    CASE("RFC 9112 7.1.1: bare CR in an extension", "1;a\rb\r\na", CHUNK_SIZE, 4, 0),
    CASE("RFC 9112 7.1.1: bare LF in an extension", "1;a\nb\r\na", CHUNK_EXTENSION, 3, 0),
    CASE("RFC 9112 7.1.1: line end in a quoted string", "1;a=\"\r\n\"\r\na", CHUNK_EXTENSION, 5, 0),
    CASE("RFC 9112 7.1.1: escaped control byte", "1;a=\"\\\n\"\r\na", CHUNK_EXTENSION, 6, 0),
    CASE("RFC 9112 7.1.1: NUL in a quoted string", "1;a=\"\0\"\r\na", CHUNK_EXTENSION, 5, 0),
    CASE("RFC 9112 7.1.1: too much in one chunk", "1;a=0123456789012345678901\r\n", CHUNK_EXTENSION_TOO_LARGE, 25, 0),
    CASE("RFC 9112 7.1.1: as much as is allowed", "1;a=012345678901234567890\r\na\r\n0\r\n\r\n", OK, 35, 1),
    CASE("RFC 9112 7.1.1: too much in many chunks", "1;a=0123456789\r\na\r\n1;a=0123456789\r\n",
         CHUNK_EXTENSION_TOO_LARGE, 31, 1),
    CASE("RFC 9112 7.1: data longer than the size", "1\r\nab\r\n", CHUNK_END, 4, 1),
    CASE("RFC 9112 7.1: bare LF after the data", "1\r\na\n0\r\n\r\n", CHUNK_END, 4, 1),
    CASE("RFC 9112 7.1: bare CR after the data", "1\r\na\r0\r\n\r\n", CHUNK_END, 5, 1),
    CASE("RFC 9112 7.1.2: trailer without a colon", "0\r\nA\r\n\r\n", TRAILER, 4, 0),
    CASE("RFC 9112 7.1.2: trailer without a name", "0\r\n: a\r\n\r\n", TRAILER, 3, 0),
    CASE("RFC 9112 7.1.2: SP before the colon", "0\r\nA : b\r\n\r\n", TRAILER, 4, 0),
    CASE("RFC 9112 7.1.2: folded trailer", "0\r\nA: b\r\n c\r\n\r\n", TRAILER, 9, 0),
    CASE("RFC 9112 7.1.2: SP before the first trailer", "0\r\n A: b\r\n\r\n", TRAILER, 3, 0),
    CASE("RFC 9112 7.1.2: NUL in a trailer", "0\r\nA: \0\r\n\r\n", TRAILER, 6, 0),
    CASE("RFC 9112 7.1.2: bare LF after a trailer", "0\r\nA: b\n\r\n", TRAILER, 7, 0),
    CASE("RFC 9112 7.1.2: bare CR in a trailer", "0\r\nA: b\rc\r\n\r\n", TRAILER, 8, 0),
    CASE("RFC 9112 7.1.2: bare LF as the last line", "0\r\n\n", TRAILER, 3, 0),
    CASE("RFC 9112 7.1.2: bare CR as the last line", "0\r\n\rG", TRAILER, 4, 0),
    CASE("RFC 6585 5: trailers at the limit", "0\r\nA: 0123456\r\nB: 012345678901234\r\n\r\n", OK, 37, 0),
    CASE("RFC 6585 5: trailers above the limit", "0\r\nA: 0123456\r\nB: 0123456789012345\r\n\r\n", TRAILER_TOO_LARGE,
         35, 0),
};

typedef struct outcome {
    brrt_status status;
    size_t used;
    uint64_t total;
} outcome;

/* Read s[0..len) in pieces of 1 to `most` bytes, each at a guard page; `used` counts from the start of s. */
static outcome read_in_pieces(const char *s, size_t len, size_t most, int side) {
    brrt_chunked state;
    memset(&state, 0, sizeof state);
    state.extension_limit = EXTENSION_LIMIT;
    state.trailer_limit = TRAILER_LIMIT;
    outcome result = {BRRT_PARTIAL, 0, 0};
    do {
        size_t piece = most == 1 ? 1 : 1 + random_below(most);
        piece = piece < len - result.used ? piece : len - result.used;
        size_t used = SIZE_MAX;
        result.status = brrt_chunked_read(&state, guarded(side, s + result.used, piece), piece, &used);
        CHECK(used <= piece && (result.status != BRRT_PARTIAL || used == piece), "%zu of %zu", used, piece);
        result.used += used;
    } while (result.status == BRRT_PARTIAL && result.used < len);
    result.total = state.total;
    return result;
}

static outcome read_whole(const char *s, size_t len, int side) {
    brrt_chunked state;
    memset(&state, 0, sizeof state);
    state.extension_limit = EXTENSION_LIMIT;
    state.trailer_limit = TRAILER_LIMIT;
    outcome result;
    result.status = brrt_chunked_read(&state, guarded(side, s, len), len, &result.used);
    result.total = state.total;
    return result;
}

static int same(outcome a, outcome b) {
    return a.status == b.status && a.used == b.used && a.total == b.total;
}

static void check_case(size_t n) {
    const char *rule = cases[n].rule;
    outcome expected = {cases[n].status, cases[n].used, cases[n].total};
    for (int side = 0; side < GUARD_SIDES; side++) {
        outcome whole = read_whole(cases[n].body, cases[n].len, side);
        CHECK(same(whole, expected), "%s: %s, %zu used, %llu in all", rule, brrt_status_name((int)whole.status),
              whole.used, (unsigned long long)whole.total);
        saw_status((int)whole.status);
        for (size_t len = 0; len < cases[n].len; len++) {
            outcome cut = read_whole(cases[n].body, len, side);
            int early = cases[n].status == BRRT_PARTIAL ? 0 : cases[n].used < len;
            if (cases[n].status == BRRT_OK) {
                early = cases[n].used <= len;
            }
            CHECK(cut.status == (early ? cases[n].status : BRRT_PARTIAL), "%s: %s for %zu bytes", rule,
                  brrt_status_name((int)cut.status), len);
        }
        for (size_t most = 1; most < 8 && cases[n].len > 0; most++) {
            CHECK(same(read_in_pieces(cases[n].body, cases[n].len, most, side), expected), "%s in pieces", rule);
        }
    }
}

/* ---- mutations ---- */

enum { ROOM = 512 };
#define TCHAR "[!#$%&'*+.^_`|~0-9A-Za-z-]"
/* Bytes above 0x7F are read as '@', for expressions depend on the locale there. */
#define QUOTED "\"([\t !#-[^-~]|]|\\\\[\t -~])*\""

static int matches(const char *expression, const char *text) {
    regex_t compiled;
    if (regcomp(&compiled, expression, REG_EXTENDED | REG_NOSUB) != 0) {
        printf("bad expression %s\n", expression);
        exit(2);
    }
    int found = regexec(&compiled, text, 0, NULL, 0) == 0;
    regfree(&compiled);
    return found;
}

/* The line at *at without its CR LF into `line`, 0 when there is none or it holds a NUL. */
static int take_line(const char *s, size_t len, size_t *at, char *line) {
    size_t end = *at;
    while (end + 2 <= len && memcmp(s + end, "\r\n", 2) != 0) {
        end++;
    }
    if (end + 2 > len || memchr(s + *at, '\0', end - *at) != NULL) {
        return 0;
    }
    size_t line_len = end - *at;
    memcpy(line, s + *at, line_len);
    line[line_len] = '\0';
    for (size_t i = 0; i < line_len; i++) {
        line[i] = (unsigned char)line[i] > 0x7F ? '@' : line[i];
    }
    *at += line_len + 2;
    return 1;
}

/* Line by line with regular expressions: whether s[0..len) begins with a whole body, and where that ends. */
static int body_is_valid(const char *s, size_t len, size_t *used, uint64_t *total) {
    char line[ROOM + 1];
    size_t at = 0;
    size_t extension = 0;
    *total = 0;
    for (;;) {
        if (!take_line(s, len, &at, line) ||
            !matches("^[0-9A-Fa-f]{1,16}([ \t]*;[ \t]*" TCHAR "+([ \t]*=[ \t]*(" TCHAR "+|" QUOTED "))?)*$", line)) {
            return 0;
        }
        unsigned long long size = strtoull(line, NULL, 16);
        extension += strlen(line) - strspn(line, "0123456789abcdefABCDEF");
        if (size > INT64_MAX || extension > EXTENSION_LIMIT) {
            return 0;
        }
        if (size == 0) {
            break;
        }
        if (size > len - at || len - at - size < 2 || memcmp(s + at + size, "\r\n", 2) != 0) {
            return 0;
        }
        at += size + 2;
        *total += size;
    }
    for (size_t trailers = at; take_line(s, len, &at, line) && at - trailers - 2 <= TRAILER_LIMIT;) {
        if (*line == '\0') {
            *used = at;
            return 1;
        }
        if (!matches("^" TCHAR "+:[\t -~]*$", line)) {
            return 0;
        }
    }
    return 0;
}

static void check_mutations(void) {
    static const char *const seeds[] = {
        "3\r\nabc\r\n1a\r\n01234567890123456789012345\r\n0\r\n\r\n",
        "1;a=b;c\r\nx\r\n0\r\nA: b\r\nC:d\r\n\r\n",
        "2 ; a = \"b\\\"c\"\r\nxy\r\n00;d\r\n\r\nGET",
    };
    static const char palette[] = "\r\n\r\n0123456789abcfg \t;;==\"\"\\\\::\x01\x7F\x80[]";
    for (int round = 0; round < 200000; round++) {
        char text[ROOM];
        const char *seed = seeds[random_below(3)];
        size_t len = random_mutate(memcpy(text, seed, strlen(seed)), strlen(seed), 200, palette, sizeof palette - 1);
        if (len == 0) {
            continue;
        }
        outcome whole = read_whole(text, len, (int)random_below(2));
        outcome pieces = read_in_pieces(text, len, 1 + random_below(20), 0);
        CHECK(same(whole, pieces), "%s: %.*s", brrt_status_name((int)whole.status), (int)len, text);
        digest(whole.status * UINT64_C(100000) + whole.used);
        if (round % 32 == 0) {
            size_t used = 0;
            uint64_t total = 0;
            int valid = body_is_valid(text, len, &used, &total);
            CHECK((whole.status == BRRT_OK) == valid && (!valid || (whole.used == used && whole.total == total)),
                  "%s: %.*s", brrt_status_name((int)whole.status), (int)len, text);
        }
    }
}

void test_chunked(void) {
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        check_case(n);
    }
    check_mutations();
}
