/* Matching: see brrt_matcher.h for the rules.  Nothing here allocates or writes outside of the caller's memory. */
#define _GNU_SOURCE /* memmem */

#include "brrt_simd.h"
#include "matcher_internal.h"

#include <stdlib.h>

/* A path taken apart: segment i is base[start[i] .. start[i + 1] - 1), the byte between being the '/'. */
typedef struct segments {
    const char *base;
    const char *end;
    uint32_t count;
    uint32_t start[BRRT_MAX_SEGMENTS + 2 + BRRT_V_BYTES]; /* a block of slashes may go beyond the limit */
} segments;

/* A place to come back to: at `node` with segment `at` the mixed children before `next` were tried. */
typedef struct choice_point {
    uint32_t node;
    uint32_t at;
    uint32_t captures;
    uint32_t next;
} choice_point;

/* What split() saw beside the slashes; MANY: more segments than any template has, the rest was not split. */
enum { SEEN_PERCENT = 1, SEEN_HIGH = 2, SEEN_MANY = 4 };

/* What the blocks of a path have in common, gathered so that it is looked at only once. */
typedef struct gathered {
    brrt_v percent, high;
} gathered;

static inline uint32_t split_block(brrt_v block, size_t at, size_t skip, segments *out, uint32_t count,
                                   gathered *seen) {
    uint64_t slashes = brrt_v_drop(brrt_v_bits(brrt_v_eq(block, '/')), skip);
    seen->percent = brrt_v_or(seen->percent, brrt_v_eq(block, '%'));
    seen->high = brrt_v_or(seen->high, block);
    while (slashes != 0) {
        out->start[count++] = (uint32_t)(at + brrt_v_first(slashes)) + 1;
        slashes &= slashes - 1;
    }
    return count;
}

/* Find the segments of a path; a set of SEEN_*. */
__attribute__((noinline)) static unsigned split(const char *s, size_t len, segments *out, uint32_t max) {
    uint32_t count = 0;
    size_t at = 0;
    brrt_v none = brrt_v_load_short(s, 0);
    gathered seen = {none, none};
    if (len < BRRT_V_BYTES) {
        count = split_block(brrt_v_load_short(s, len), 0, 0, out, count, &seen);
    } else {
        for (; at + BRRT_V_BYTES <= len && count <= max; at += BRRT_V_BYTES) {
            count = split_block(brrt_v_load(s + at), at, 0, out, count, &seen);
        }
        if (at < len && count <= max) {
            /* The last block overlaps the one before, so that nothing beyond the path is read. */
            brrt_v last = brrt_v_load(s + len - BRRT_V_BYTES);
            count = split_block(last, at, BRRT_V_BYTES - (len - at), out, count, &seen);
        }
    }
    unsigned result = brrt_v_bits(seen.percent) != 0 ? SEEN_PERCENT : 0u;
    result |= brrt_v_bits(brrt_v_high(seen.high)) != 0 ? SEEN_HIGH : 0u;
    if (count > max) {
        count = max;
        result |= SEEN_MANY;
    }
    out->count = count;
    return result;
}

/* Decode the path segment by segment into scratch; a '/' that was escaped stays inside of its segment. */
static brrt_status decode(const char *path, size_t len, char *scratch, segments *out, uint32_t max, int *many) {
    size_t from = 1, to = 1;
    uint32_t count = 0;
    scratch[0] = '/';
    *many = 0;
    while (from <= len) {
        const char *slash = from < len ? memchr(path + from, '/', len - from) : NULL;
        size_t end = slash ? (size_t)(slash - path) : len;
        size_t written = 0;
        brrt_status status = brrt_percent_decode(path + from, end - from, 0, scratch + to, &written);
        if (status != BRRT_OK) {
            return status;
        }
        if (count == max) {
            *many = 1;
        } else {
            out->start[count++] = (uint32_t)to;
        }
        to += written;
        if (to < len) {
            scratch[to] = '/';
        }
        to += 1;
        from = end + 1;
    }
    out->start[count] = (uint32_t)to;
    out->count = count;
    out->base = scratch;
    out->end = scratch + to - 1;
    return BRRT_OK;
}

static inline int is_literal(const brrt_matcher *m, const brrt_node *node, uint64_t key, uint64_t tail, const char *s,
                             size_t len) {
    return node->key == key && node->tail == tail && node->literal_len == len &&
           brrt_same_middle(m->text + node->literal, s, len);
}

/* The literal child for the segment s[0..len), 0 when there is none; the node has literal children.  [base, end) is
 * readable and holds the segment. */
static inline uint32_t literal_child(const brrt_matcher *m, const brrt_node *node, const char *base, const char *end,
                                     const char *s, size_t len) {
    uint64_t key = brrt_key(base, end, s, len), tail = brrt_tail(s, len);
    if (node->shift == BRRT_ONE_LITERAL) {
        return is_literal(m, &m->nodes[node->table], key, tail, s, len) ? node->table : 0;
    }
    const uint32_t *slots = m->slots + node->table;
    for (uint64_t at = brrt_hash(key, tail, s, len) >> node->shift;; at = (at + 1) & (UINT64_MAX >> node->shift)) {
        uint32_t child = slots[at];
        if (child == 0 || is_literal(m, &m->nodes[child], key, tail, s, len)) {
            return child;
        }
    }
}

static inline size_t code_point_len(const char *s) {
    unsigned char c = (unsigned char)s[0];
    return c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
}

/* Match base[at, end) against a mixed segment and write its captures. */
static int match_mixed(const brrt_matcher *m, const brrt_mixed *mixed, const char *base, uint32_t at, uint32_t end,
                       brrt_span *captures) {
    const brrt_span *literal = m->spans + mixed->first;
    const brrt_span *last = literal + mixed->pieces - 1;
    if ((uint64_t)(end - at) < (uint64_t)literal->len + last->len + 1 ||
        memcmp(base + at, m->text + literal->off, literal->len) != 0 ||
        memcmp(base + end - last->len, m->text + last->off, last->len) != 0) {
        return 0;
    }
    at += literal->len;
    end -= last->len;
    for (literal++; literal < last; literal++, captures++) {
        uint32_t cut;
        if (literal->len == 0) {
            cut = at + (uint32_t)code_point_len(base + at); /* adjacent expressions: the left one takes one character */
        } else {
            if (end - at < 2) {
                return 0;
            }
            const char *hit = memmem(base + at + 1, end - at - 1, m->text + literal->off, literal->len);
            if (hit == NULL) {
                return 0;
            }
            cut = (uint32_t)(hit - base);
        }
        captures->off = at;
        captures->len = cut - at;
        at = cut + literal->len;
        if (at >= end) {
            return 0;
        }
    }
    captures->off = at;
    captures->len = end - at;
    return 1;
}

static int choose(const brrt_matcher *m, uint32_t list, const char *query, size_t len, uint32_t *route) {
    for (const brrt_choice *choice = m->choices + list;; choice++) {
        uint32_t k = 0;
        for (; k < choice->count; k++) {
            const brrt_predicate *p = m->predicates + choice->first + k;
            const char *value = p->has_value ? m->text + p->value.off : NULL;
            if (!brrt_query_has(query, len, m->text + p->name.off, p->name.len, value, p->value.len)) {
                break;
            }
        }
        if (k == choice->count) {
            *route = choice->route;
            return 1;
        }
        if (choice->last) {
            return 0;
        }
    }
}

/* The entry for a method that the node has. */
static inline uint32_t entry_for(const brrt_matcher *m, const brrt_node *node, int method) {
    return m->entries[node->entry + (uint32_t)method];
}

/* The bit of a method in the set of a node; 0 when no route has it. */
static inline uint32_t bit_of(int method) { return method < 0 ? 0 : 1u << (unsigned)method; }

/* What is asked for beside the path; `bit` is that of the method, 0 when no route has it. */
typedef struct asked {
    int method;
    uint32_t bit;
    const char *query;
    size_t query_len;
} asked;

/* Whether the node has a route for the method; adds its methods to out->allowed when not. */
static int take_route(const brrt_matcher *m, const brrt_node *node, const asked *ask, brrt_match *out) {
    if (node->methods & ask->bit) {
        uint32_t entry = entry_for(m, node, ask->method);
        if (!(entry & BRRT_ENTRY_CHOICE)) {
            out->route = entry;
            return 1;
        }
        if (choose(m, entry & ~BRRT_ENTRY_CHOICE, ask->query, ask->query_len, &out->route)) {
            return 1;
        }
    }
    /* A method whose routes all need a query that is not there is no method of this resource. */
    for (uint32_t methods = node->methods; methods != 0; methods &= methods - 1) {
        int method = __builtin_ctz(methods);
        uint32_t entry = entry_for(m, node, method), route;
        if (!(entry & BRRT_ENTRY_CHOICE) || choose(m, entry & ~BRRT_ENTRY_CHOICE, ask->query, ask->query_len, &route)) {
            out->allowed |= 1u << method;
        }
    }
    return 0;
}

/* A template without expressions, found by one hash of its end.  It wins over every other one that matches, because in
 * each segment it has the literal; write_whole in freeze.c says which are not in the table. */
static inline int match_whole(const brrt_matcher *m, int method, const char *path, size_t len, brrt_match *out) {
    uint64_t hash = brrt_whole_hash(path, len);
    uint32_t tag = (uint32_t)hash;
    const brrt_whole *whole = m->wholes + 2 * (hash >> m->wholes_shift);
    if (whole[0].tag != tag && whole[1].tag != tag) {
        return 0;
    }
    whole += whole[0].tag != tag;
    if (whole->len != len || memcmp(m->text + whole->text, path, len) != 0) {
        return 0;
    }
    const brrt_node *node = m->nodes + whole->node;
    out->route = node->methods & bit_of(method) ? entry_for(m, node, method) : BRRT_ENTRY_CHOICE;
    out->count = 0;
    return !(out->route & BRRT_ENTRY_CHOICE);
}

/* The common case in one pass over the path, without a list of its segments: plain ASCII, the best choice in every
 * segment, none of the others remembered.  Gives OK, NO_MATCH when there was no other choice, or NO_SPACE when only
 * the long way can tell. */

/* A block of the path: its slashes as bits; bytes above 0x7F and '%' leave a top bit in *odd. */
static inline uint64_t slashes_in(brrt_v block, brrt_v *odd) {
    *odd = brrt_v_or(*odd, brrt_v_or(block, brrt_v_eq(block, '%')));
    return brrt_v_bits(brrt_v_eq(block, '/'));
}

/* The length of a segment that goes beyond s + BRRT_V_BYTES or that lies in the last bytes of the path. */
static inline size_t segment_rest(const char *path, const char *s, const char *end, brrt_v *odd) {
    size_t left = (size_t)(end - s), length = 0;
    for (; left >= BRRT_V_BYTES; left -= BRRT_V_BYTES, length += BRRT_V_BYTES) {
        uint64_t slashes = slashes_in(brrt_v_load(s + length), odd);
        if (slashes != 0) {
            return length + brrt_v_first(slashes);
        }
    }
    if (left == 0) {
        return length;
    }
    uint64_t slashes;
    if (end - path >= BRRT_V_BYTES) { /* the last block may begin before s */
        slashes = brrt_v_drop(slashes_in(brrt_v_load(end - BRRT_V_BYTES), odd), BRRT_V_BYTES - left);
    } else {
        slashes = slashes_in(brrt_v_load_short(s + length, left), odd);
    }
    return length + (slashes != 0 ? brrt_v_first(slashes) : left);
}

/* The bytes from s up to the next '/' or the end. */
static inline size_t segment_length(const char *path, const char *s, const char *end, brrt_v *odd) {
    if (end - s >= BRRT_V_BYTES) {
        uint64_t slashes = slashes_in(brrt_v_load(s), odd);
        if (slashes != 0) {
            return brrt_v_first(slashes);
        }
    }
    return segment_rest(path, s, end, odd);
}

static inline int is_plain(brrt_v odd) { return brrt_v_bits(brrt_v_high(odd)) == 0; }

/* NO_MATCH at s, unless the rest of the path may be malformed, which is worth saying. */
__attribute__((noinline)) static brrt_status give_up(const char *path, const char *s, const char *end, brrt_v odd) {
    while (s < end) {
        s += segment_length(path, s, end, &odd) + 1;
    }
    return is_plain(odd) ? BRRT_NO_MATCH : BRRT_NO_SPACE;
}

/* What to do when descend() finds no child at s. */
__attribute__((noinline)) static brrt_status no_child(const brrt_matcher *m, const brrt_node *node, uint32_t others,
                                                      const char *path, const char *s,
                                              const char *end, brrt_v odd) {
    others |= node->mixed_count | (m->options & BRRT_SLASH_IGNORE);
    return others != 0 ? BRRT_NO_SPACE : give_up(path, s, end, odd);
}

static inline brrt_status descend(const brrt_matcher *m, int method, const char *path, size_t len, brrt_match *out) {
    const char *s = path + 1, *const end = path + len;
    const brrt_node *node = m->nodes;
    brrt_span *capture = out->captures;
    uint32_t others = 0;
    brrt_v odd = brrt_v_load_short(path, 0);
    for (;; s++) {
        size_t length = segment_length(path, s, end, &odd);
        uint32_t child = node->shift != BRRT_NO_LITERALS ? literal_child(m, node, path, end, s, length) : 0;
        if (child != 0) {
            __builtin_prefetch(m->nodes + child + 1); /* its first child in depth-first order */
            others |= node->param | node->mixed_count;
        } else {
            child = node->param;
            if (node->mixed_count != 0 || child == 0 || length == 0) {
                return no_child(m, node, others, path, s, end, odd);
            }
            capture->off = (uint32_t)(s - path);
            capture->len = (uint32_t)length;
            capture++;
        }
        node = m->nodes + child;
        s += length;
        if (s == end) {
            break;
        }
    }
    if (!(node->methods & bit_of(method)) || !is_plain(odd)) {
        return BRRT_NO_SPACE;
    }
    out->route = entry_for(m, node, method);
    out->count = (uint32_t)(capture - out->captures);
    return out->route & BRRT_ENTRY_CHOICE ? BRRT_NO_SPACE : BRRT_OK;
}

static brrt_status walk(const brrt_matcher *m, const segments *path, const asked *ask, brrt_match *out) {
    choice_point stack[BRRT_MAX_SEGMENTS + 2];
    uint32_t depth = 0, index = 0, at = 0, captures = 0, visits = 0, next = 0;
    const char *base = path->base;
    for (;;) {
        const brrt_node *node = &m->nodes[index];
        visits++;
        if (at == path->count) {
            if (node->methods != 0 && take_route(m, node, ask, out)) {
                out->count = captures;
                out->visits += visits;
                return BRRT_OK;
            }
            goto back;
        }
        uint32_t from, to;
        from = path->start[at];
        to = path->start[at + 1] - 1;
        if (node->shift != BRRT_NO_LITERALS) {
            uint32_t child = literal_child(m, node, base, path->end, base + from, to - from);
            if (child != 0) {
                if (node->param | node->mixed_count) {
                    stack[depth++] = (choice_point){index, at, captures, 0};
                }
                index = child;
                at++;
                continue;
            }
        }
        next = 0;
    others:
        for (; next < node->mixed_count; next++) {
            const brrt_mixed *mixed = m->mixed + node->mixed + next;
            if (match_mixed(m, mixed, base, from, to, out->captures + captures)) {
                if (node->param != 0 || next + 1 < node->mixed_count) {
                    stack[depth++] = (choice_point){index, at, captures, next + 1};
                }
                index = mixed->child;
                captures += mixed->pieces - 1;
                at++;
                goto down;
            }
        }
        if (node->param != 0 && to > from) {
            out->captures[captures].off = from;
            out->captures[captures].len = to - from;
            captures++;
            index = node->param;
            at++;
            continue;
        }
    back:
        if (depth == 0) {
            out->visits += visits;
            return out->allowed ? BRRT_NO_METHOD : BRRT_NO_MATCH;
        }
        depth--;
        index = stack[depth].node;
        at = stack[depth].at;
        captures = stack[depth].captures;
        next = stack[depth].next;
        node = &m->nodes[index];
        from = path->start[at];
        to = path->start[at + 1] - 1;
        goto others;
    down:;
    }
}

/* The same path with one '/' more or less at its end. */
static int other_slash(segments *path) {
    uint32_t count = path->count;
    if (count > 1 && path->start[count] - 1 == path->start[count - 1]) {
        path->count = count - 1;
        return 1;
    }
    if (path->start[count] - 1 == path->start[count - 1]) {
        return 0; /* "/" itself */
    }
    path->start[count + 1] = path->start[count] + 1;
    path->count = count + 1;
    return 1;
}

/* Any path: split, decode when there are escapes, then look at every choice. */
__attribute__((noinline)) static brrt_status match_slowly(const brrt_matcher *matcher, const asked *ask,
                                                          const char *path, size_t len, char *scratch,
                                                          size_t scratch_len, brrt_match *out) {
    segments parts;
    parts.base = path;
    parts.end = path + len;
    uint32_t max = matcher->max_segments;
    unsigned seen = split(path, len, &parts, max);
    int many = (seen & SEEN_MANY) != 0;
    if (many) {
        /* Too deep for any template, but a malformed path is said to be malformed whatever its length. */
        unsigned all = brrt_scan(path, len);
        seen |= ((all & BRRT_HAS_PERCENT) ? SEEN_PERCENT : 0u) | ((all & BRRT_HAS_HIGH) ? SEEN_HIGH : 0u);
    }
    parts.start[parts.count] = (uint32_t)len + 1;
    if (seen & SEEN_PERCENT) {
        if (scratch_len < len) {
            return BRRT_NO_SPACE;
        }
        brrt_status status = decode(path, len, scratch, &parts, max, &many);
        if (status != BRRT_OK) {
            return status;
        }
        out->base = scratch;
        out->high = 1;
    } else if (seen & SEEN_HIGH) {
        if (!brrt_utf8_valid(path, len)) {
            return BRRT_BAD_UTF8;
        }
        out->high = 1;
    }
    if (many) {
        return BRRT_NO_MATCH;
    }
    brrt_status status = walk(matcher, &parts, ask, out);
    if (status != BRRT_OK && (matcher->options & BRRT_SLASH_IGNORE) && other_slash(&parts) && parts.count <= max) {
        return walk(matcher, &parts, ask, out);
    }
    return status;
}

brrt_status brrt_matcher_try(const brrt_matcher *matcher, int method, const char *path, size_t len, brrt_match *out) {
    if (len < 8 || len > UINT32_MAX - 2 || path[0] != '/') {
        return BRRT_NO_SPACE;
    }
    out->high = 0;
    out->base = path;
    if (match_whole(matcher, method, path, len, out)) {
        return BRRT_OK;
    }
    return descend(matcher, method, path, len, out);
}

brrt_status brrt_matcher_match(const brrt_matcher *matcher, int method, const char *path, size_t len, const char *query,
                               size_t query_len, char *scratch, size_t scratch_len, brrt_match *out) {
    out->allowed = 0;
    out->visits = 0;
    brrt_status status = brrt_matcher_try(matcher, method, path, len, out);
    if (status != BRRT_NO_SPACE) {
        return status;
    }
    if (len == 0 || len > UINT32_MAX - 2 || path[0] != '/') {
        return BRRT_NO_MATCH;
    }
    asked ask = {method, bit_of(method), query, query_len};
    out->high = 0;
    out->base = path;
    return match_slowly(matcher, &ask, path, len, scratch, scratch_len, out);
}

int brrt_matcher_method(const brrt_matcher *matcher, const char *method, size_t len) {
    uint64_t key = brrt_key(method, method + len, method, len);
    for (uint32_t i = 0; i < matcher->method_count; i++) {
        const brrt_method *known = &matcher->methods[i];
        if (known->key == key && known->len == len &&
            (len <= 8 || memcmp(matcher->text + known->text, method, len) == 0)) {
            return (int)i;
        }
    }
    return -1;
}

const char *brrt_matcher_method_name(const brrt_matcher *matcher, int id, size_t *len) {
    if (id < 0 || (uint32_t)id >= matcher->method_count) {
        return NULL;
    }
    *len = matcher->methods[id].len;
    return matcher->text + matcher->methods[id].text;
}

uint32_t brrt_matcher_nodes(const brrt_matcher *matcher) { return matcher->node_count; }

size_t brrt_matcher_bytes(const brrt_matcher *matcher) { return matcher->bytes; }

void brrt_matcher_free(brrt_matcher *matcher) { free(matcher); }
