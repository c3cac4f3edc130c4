/* Chunked bodies: the whole at once, every byte alone and random pieces give the same, and so does a plain reader.
 *
 * An input is a byte that chooses limits and the pieces, then the body. */
#include "brrt_head.h"
#include "fuzz.h"

enum { SMALL = 24, LARGE = 4096 };

typedef struct outcome {
    brrt_status status;
    size_t used;
    uint64_t total;
    uint32_t extension, trailer;
} outcome;

/* Feed s[0..len) in pieces of 1 to `most` bytes, all of it when `most` is 0. */
static outcome read_in_pieces(const char *s, size_t len, size_t most, uint32_t limit) {
    brrt_chunked state;
    memset(&state, 0, sizeof state);
    state.extension_limit = state.trailer_limit = limit;
    outcome result = {.status = BRRT_PARTIAL};
    uint32_t random = (uint32_t)len;
    while (result.status == BRRT_PARTIAL && result.used < len) {
        random = random * 1664525u + 1013904223u;
        size_t left = len - result.used, used = SIZE_MAX;
        size_t piece = most == 0 ? left : 1 + (random >> 16) % most;
        piece = piece < left ? piece : left;
        char *copy = exact(s + result.used, piece);
        result.status = brrt_chunked_read(&state, copy, piece, &used);
        free(copy);
        MUST(used <= piece && (result.status != BRRT_PARTIAL || used == piece), "%zu of %zu", used, piece);
        result.used += used;
    }
    result.total = state.total;
    result.extension = state.extension;
    result.trailer = state.trailer;
    return result;
}

static void check_same(outcome a, outcome b, const char *what) {
    MUST(a.status == b.status, "%s: %s, %s", what, brrt_status_name((int)a.status), brrt_status_name((int)b.status));
    MUST(a.used == b.used && a.total == b.total, "%s: %zu, %zu used", what, a.used, b.used);
    MUST(a.extension == b.extension && a.trailer == b.trailer, "%s: counters", what);
}

/* ---- the plain reader: RFC 9112 7.1 line by line, 0 for all that is not a whole and valid body ---- */

typedef struct cursor {
    const char *s;
    size_t len, at;
} cursor;

static int next_is(const cursor *c, char wanted) {
    return c->at < c->len && c->s[c->at] == wanted;
}

static int take(cursor *c, char wanted) {
    int found = next_is(c, wanted);
    c->at += (size_t)found;
    return found;
}

static int take_line_end(cursor *c) {
    return take(c, '\r') && take(c, '\n');
}

static size_t take_any(cursor *c, int (*belongs)(unsigned char)) {
    size_t from = c->at;
    while (c->at < c->len && belongs((unsigned char)c->s[c->at])) {
        c->at++;
    }
    return c->at - from;
}

static int is_blank(unsigned char c) {
    return c == ' ' || c == '\t';
}

static int is_hex(unsigned char c) {
    return c != 0 && strchr("0123456789abcdefABCDEF", c) != NULL;
}

static int is_token(unsigned char c) {
    return c > ' ' && c < 0x7F && strchr("\"(),/:;<=>?@[\\]{}", c) == NULL;
}

static int is_value(unsigned char c) {
    return c == '\t' || (c >= ' ' && c != 0x7F);
}

static int take_quoted(cursor *c) {
    c->at++;
    while (c->at < c->len && c->s[c->at] != '"') {
        c->at += c->s[c->at] == '\\' ? 1 : 0;
        if (c->at == c->len || !is_value((unsigned char)c->s[c->at])) {
            return 0;
        }
        c->at++;
    }
    return take(c, '"');
}

/* chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] ) */
static int take_extensions(cursor *c) {
    while (!next_is(c, '\r')) {
        take_any(c, is_blank);
        if (!take(c, ';')) {
            return 0;
        }
        take_any(c, is_blank);
        if (take_any(c, is_token) == 0) {
            return 0;
        }
        size_t name_end = c->at;
        take_any(c, is_blank);
        if (!take(c, '=')) {
            c->at = name_end;
            continue;
        }
        take_any(c, is_blank);
        if (!(next_is(c, '"') ? take_quoted(c) : take_any(c, is_token) != 0)) {
            return 0;
        }
    }
    return 1;
}

/* The size of a chunk and its line end; 0 for what is malformed. */
static int take_size(cursor *c, uint64_t *size, size_t *extensions) {
    size_t from = c->at, digits = take_any(c, is_hex);
    if (digits == 0 || digits > 16) {
        return 0;
    }
    *size = 0;
    for (size_t i = from; i < c->at; i++) {
        int digit = c->s[i] <= '9' ? c->s[i] - '0' : (c->s[i] | 0x20) - 'a' + 10;
        *size = *size << 4 | (uint64_t)digit;
    }
    from = c->at;
    if (*size > INT64_MAX || !take_extensions(c)) {
        return 0;
    }
    *extensions += c->at - from;
    return take_line_end(c);
}

static int plain_read(cursor *c, uint32_t limit, uint64_t *total) {
    uint64_t size;
    size_t extensions = 0;
    for (*total = 0;; *total += size) {
        if (!take_size(c, &size, &extensions) || extensions > limit) {
            return 0;
        }
        if (size == 0) {
            break;
        }
        if (size > c->len - c->at) {
            return 0;
        }
        c->at += size;
        if (!take_line_end(c)) {
            return 0;
        }
    }
    size_t trailers = c->at;
    while (!next_is(c, '\r')) {
        if (take_any(c, is_token) == 0 || !take(c, ':')) {
            return 0;
        }
        take_any(c, is_value);
        if (!take_line_end(c)) {
            return 0;
        }
    }
    return c->at - trailers <= limit && take_line_end(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) {
        return 0;
    }
    const char *s = (const char *)data + 1;
    size_t len = size - 1, most = 1 + data[0] / 2 % 32;
    uint32_t limit = data[0] % 2 ? SMALL : LARGE;
    outcome whole = read_in_pieces(s, len, 0, limit);
    check_same(whole, read_in_pieces(s, len, 1, limit), "bytes");
    check_same(whole, read_in_pieces(s, len, most, limit), "pieces");
    cursor c = {s, len, 0};
    uint64_t total;
    int valid = plain_read(&c, limit, &total);
    MUST((whole.status == BRRT_OK) == valid, "%s", brrt_status_name((int)whole.status));
    MUST(!valid || (whole.used == c.at && whole.total == total), "%zu, not %zu used", whole.used, c.at);
    return 0;
}
