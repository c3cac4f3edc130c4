/* The mutable trie: templates go in one by one, brrt_builder_freeze (freeze.c) writes them out.
 *
 * Ownership: every array below belongs to the builder and is freed by brrt_builder_free.  A refused brrt_builder_add
 * may leave text and predicates behind that nothing refers to, but never a node: nodes decide the order of mixed
 * segments. */
#include "builder_internal.h"

#include <stdlib.h>

/* Keeps every index and every doubling inside of 32 bits. */
#define MAX_ITEMS (UINT32_C(1) << 31)

/* Make room for `extra` more items in a growing array; 0 when out of memory. */
static int grow(void **items, uint32_t *cap, uint32_t count, uint32_t extra, size_t size) {
    if (extra > MAX_ITEMS - count) {
        return 0;
    }
    if (count + extra <= *cap) {
        return 1;
    }
    uint32_t want = *cap ? *cap * 2 : 64;
    while (want < count + extra) {
        want *= 2;
    }
    void *grown = realloc(*items, (size_t)want * size);
    if (grown == NULL) {
        return 0;
    }
    *items = grown;
    *cap = want;
    return 1;
}

#define GROW(b, name, extra) \
    grow((void **)&(b)->name, &(b)->name##_cap, (b)->name##_count, (uint32_t)(extra), sizeof *(b)->name)

brrt_builder *brrt_builder_new(void) {
    brrt_builder *b = calloc(1, sizeof *b);
    if (b == NULL) {
        return NULL;
    }
    if (!GROW(b, nodes, 1) || !GROW(b, text, 1)) {
        brrt_builder_free(b);
        return NULL;
    }
    b->nodes[0] = (build_node){0};
    b->nodes_count = 1;
    return b;
}

void brrt_builder_free(brrt_builder *b) {
    if (b == NULL) {
        return;
    }
    free(b->nodes);
    free(b->text);
    free(b->spans);
    free(b->routes);
    free(b->predicates);
    free(b->index);
    free(b);
}

static uint64_t edge_hash(uint32_t parent, const char *s, size_t len) {
    uint64_t key = brrt_key(s, s + len, s, len);
    return ((brrt_hash(key, brrt_tail(s, len), s, len) >> 32) ^ ((uint64_t)parent << 32)) * BRRT_HASH_MUL;
}

static uint64_t node_hash(const brrt_builder *b, uint32_t node) {
    const build_node *n = &b->nodes[node];
    return edge_hash(n->parent, b->text + b->spans[n->first].off, b->spans[n->first].len);
}

/* Keep the index of literal edges at most half full. */
static int grow_index(brrt_builder *b) {
    if ((b->literals + 1) * 2 <= b->index_size) {
        return 1;
    }
    uint32_t size = b->index_size ? b->index_size * 2 : 256;
    uint32_t *index = calloc(size, sizeof *index);
    if (index == NULL) {
        return 0;
    }
    for (uint32_t i = 0; i < b->index_size; i++) {
        uint32_t node = b->index[i];
        if (node != 0) {
            uint32_t at = (uint32_t)(node_hash(b, node) >> 32) & (size - 1);
            while (index[at] != 0) {
                at = (at + 1) & (size - 1);
            }
            index[at] = node;
        }
    }
    free(b->index);
    b->index = index;
    b->index_size = size;
    return 1;
}

/* A new child of `parent` for the segment just written to spans/text; 0 when out of memory. */
static uint32_t new_node(brrt_builder *b, uint32_t parent, uint32_t kind, uint32_t first, uint32_t pieces) {
    if (b->nodes_count >= UINT32_MAX || !GROW(b, nodes, 1)) {
        return 0;
    }
    uint32_t node = b->nodes_count++;
    b->nodes[node] = (build_node){.parent = parent, .kind = kind, .first = first, .pieces = pieces};
    build_node *up = &b->nodes[parent];
    if (kind == KIND_PARAM) {
        up->param = node;
    } else {
        uint32_t *head = kind == KIND_LITERAL ? &up->literal_first : &up->mixed_first;
        uint32_t *tail = kind == KIND_LITERAL ? &up->literal_last : &up->mixed_last;
        if (*head == 0) {
            *head = node;
        } else {
            b->nodes[*tail].next = node;
        }
        *tail = node;
    }
    return node;
}

static uint32_t literal_node(brrt_builder *b, uint32_t parent, brrt_span literal) {
    if (!grow_index(b)) {
        return 0;
    }
    const char *s = b->text + literal.off;
    uint32_t at = (uint32_t)(edge_hash(parent, s, literal.len) >> 32) & (b->index_size - 1);
    for (; b->index[at] != 0; at = (at + 1) & (b->index_size - 1)) {
        const build_node *node = &b->nodes[b->index[at]];
        brrt_span have = b->spans[node->first];
        if (node->parent == parent && have.len == literal.len && memcmp(b->text + have.off, s, have.len) == 0) {
            return b->index[at];
        }
    }
    if (!GROW(b, spans, 1)) {
        return 0;
    }
    uint32_t first = b->spans_count++;
    b->spans[first] = literal;
    uint32_t node = new_node(b, parent, KIND_LITERAL, first, 1);
    if (node != 0) {
        b->index[at] = node;
        b->literals++;
    }
    return node;
}

static int same_pieces(const brrt_builder *b, const build_node *node, const brrt_span *pieces, uint32_t count) {
    if (node->pieces != count) {
        return 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        brrt_span have = b->spans[node->first + i];
        if (have.len != pieces[i].len || memcmp(b->text + have.off, b->text + pieces[i].off, have.len) != 0) {
            return 0;
        }
    }
    return 1;
}

static uint32_t mixed_node(brrt_builder *b, uint32_t parent, const brrt_span *pieces, uint32_t count) {
    for (uint32_t node = b->nodes[parent].mixed_first; node != 0; node = b->nodes[node].next) {
        if (same_pieces(b, &b->nodes[node], pieces, count)) {
            return node;
        }
    }
    if (!GROW(b, spans, count)) {
        return 0;
    }
    uint32_t first = b->spans_count;
    memcpy(b->spans + first, pieces, count * sizeof *pieces);
    b->spans_count += count;
    return new_node(b, parent, KIND_MIXED, first, count);
}

/* Copy s[from, to) percent-decoded to the end of text. */
static brrt_status copy_literal(brrt_builder *b, const char *s, size_t from, size_t to, int plus, brrt_span *out) {
    if (!GROW(b, text, to - from)) {
        return BRRT_NOMEM;
    }
    size_t written = 0;
    if (brrt_percent_decode(s + from, to - from, plus, b->text + b->text_count, &written) != BRRT_OK) {
        return BRRT_TPL_ENCODING;
    }
    *out = (brrt_span){b->text_count, (uint32_t)written};
    b->text_count += (uint32_t)written;
    return BRRT_OK;
}

/* Step from `*node` to the child for the segment s[from, to). */
static brrt_status add_segment(brrt_builder *b, const char *s, size_t from, size_t to, uint32_t *node) {
    brrt_span pieces[BRRT_MAX_CAPTURES + 1];
    uint32_t count = 0, literal_bytes = 0;
    for (size_t at = from;;) {
        size_t open = at;
        while (open < to && s[open] != '{') {
            open++;
        }
        brrt_status status = copy_literal(b, s, at, open, 0, &pieces[count]);
        if (status != BRRT_OK) {
            return status;
        }
        literal_bytes += pieces[count++].len;
        if (open == to) {
            break;
        }
        at = (size_t)((const char *)memchr(s + open, '}', to - open) - s) + 1;
    }
    uint32_t child;
    if (count == 1) {
        child = literal_node(b, *node, pieces[0]);
    } else if (count == 2 && literal_bytes == 0) {
        child = b->nodes[*node].param;
        child = child != 0 ? child : new_node(b, *node, KIND_PARAM, 0, 0);
    } else {
        child = mixed_node(b, *node, pieces, count);
    }
    *node = child;
    return child != 0 ? BRRT_OK : BRRT_NOMEM;
}

static brrt_status add_path(brrt_builder *b, const char *s, size_t len, uint32_t *node, uint32_t *depth) {
    size_t from = 1;
    *node = 0;
    *depth = 0;
    for (size_t at = 1; at <= len; at++) {
        if (at < len && s[at] == '{') {
            /* A name may hold '/'. */
            at = (size_t)((const char *)memchr(s + at, '}', len - at) - s);
        } else if (at == len || s[at] == '/') {
            brrt_status status = add_segment(b, s, from, at, node);
            if (status != BRRT_OK) {
                return status;
            }
            *depth += 1;
            from = at + 1;
        }
    }
    return BRRT_OK;
}

static brrt_status add_predicates(brrt_builder *b, const char *s, brrt_span query, build_route *route) {
    brrt_pair pairs[BRRT_MAX_CAPTURES];
    size_t count = 0;
    const char *base = s + query.off;
    if (brrt_query_split(base, query.len, pairs, BRRT_MAX_CAPTURES, &count) != BRRT_OK) {
        return BRRT_TPL_TOO_MANY_CAPTURES;
    }
    if (!GROW(b, predicates, count)) {
        return BRRT_NOMEM;
    }
    route->predicate = b->predicates_count;
    for (size_t i = 0; i < count; i++) {
        brrt_predicate *p = &b->predicates[b->predicates_count];
        brrt_span name = pairs[i].name, value = pairs[i].value;
        brrt_status status = copy_literal(b, base, name.off, (size_t)name.off + name.len, 1, &p->name);
        if (status == BRRT_OK) {
            status = copy_literal(b, base, value.off, (size_t)value.off + value.len, 1, &p->value);
        }
        if (status != BRRT_OK) {
            return status;
        }
        p->has_value = (uint32_t)pairs[i].has_value;
        b->predicates_count++;
        route->predicates++;
    }
    return BRRT_OK;
}

static int same_span(const brrt_builder *b, brrt_span x, brrt_span y) {
    return x.len == y.len && memcmp(b->text + x.off, b->text + y.off, x.len) == 0;
}

/* Whether a query that satisfies y satisfies x too: each predicate of x is one of y's, or asks less than one. */
static int predicates_within(const brrt_builder *b, const build_route *x, const build_route *y) {
    for (uint32_t i = 0; i < x->predicates; i++) {
        const brrt_predicate *p = &b->predicates[x->predicate + i];
        uint32_t k = 0;
        for (; k < y->predicates; k++) {
            const brrt_predicate *q = &b->predicates[y->predicate + k];
            int same_value = p->has_value == q->has_value && same_span(b, p->value, q->value);
            if (same_span(b, p->name, q->name) && (!p->has_value || same_value)) {
                break;
            }
        }
        if (k == y->predicates) {
            return 0;
        }
    }
    return 1;
}

int brrt_same_predicates(const brrt_builder *b, const build_route *x, const build_route *y) {
    return predicates_within(b, x, y) && predicates_within(b, y, x);
}

static int is_head(const char *method, size_t len) { return len == 4 && memcmp(method, "HEAD", 4) == 0; }

/* Methods that there are, with the one that BRRT_AUTO_HEAD may need. */
static uint32_t methods_taken(const brrt_builder *b) {
    for (uint32_t i = 0; i < b->method_count; i++) {
        if (is_head(b->text + b->methods[i].off, b->methods[i].len)) {
            return b->method_count;
        }
    }
    return b->method_count + 1;
}

static brrt_status find_method(brrt_builder *b, const char *method, size_t len, uint32_t *id) {
    for (*id = 0; *id < b->method_count; ++*id) {
        brrt_span have = b->methods[*id];
        if (have.len == len && memcmp(b->text + have.off, method, len) == 0) {
            return BRRT_OK;
        }
    }
    static const char token[] = "!#$%&'*+-.^_`|~"; /* and letters and digits, RFC 9110 5.6.2 */
    for (size_t i = 0; i < len; i++) {
        char c = method[i];
        int alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!alnum && (c == '\0' || strchr(token, c) == NULL)) {
            return BRRT_TPL_METHOD;
        }
    }
    if (len == 0 || len > 255) {
        return BRRT_TPL_METHOD;
    }
    if (methods_taken(b) == BRRT_MAX_METHODS && !is_head(method, len)) {
        return BRRT_TPL_TOO_MANY_METHODS;
    }
    if (!GROW(b, text, len)) {
        return BRRT_NOMEM;
    }
    memcpy(b->text + b->text_count, method, len);
    b->methods[*id] = (brrt_span){b->text_count, (uint32_t)len};
    b->text_count += (uint32_t)len;
    return BRRT_OK;
}

brrt_status brrt_builder_add(brrt_builder *b, const char *method, size_t method_len, const char *tpl, size_t len,
                             brrt_template *info, uint32_t *other) {
    build_route route = {0};
    uint32_t node = 0, depth = 0;
    brrt_status status = brrt_template_parse(tpl, len, info);
    if (status == BRRT_OK) {
        status = find_method(b, method, method_len, &route.method);
    }
    if (status == BRRT_OK) {
        status = add_predicates(b, tpl, info->query, &route);
    }
    if (status == BRRT_OK) {
        status = add_path(b, tpl, info->path_len, &node, &depth); /* last: what refuses stands before the first node */
    }
    if (status == BRRT_OK && !GROW(b, routes, 1)) {
        status = BRRT_NOMEM;
    }
    if (status != BRRT_OK) {
        return status;
    }
    for (uint32_t r = b->nodes[node].route_first; r != 0; r = b->routes[r - 1].next) {
        const build_route *have = &b->routes[r - 1];
        if (have->method == route.method && brrt_same_predicates(b, have, &route)) {
            *other = r - 1;
            return BRRT_TPL_COLLISION;
        }
    }
    uint32_t number = b->routes_count++;
    b->routes[number] = route;
    build_node *leaf = &b->nodes[node];
    if (leaf->route_first == 0) {
        leaf->route_first = number + 1;
    } else {
        b->routes[leaf->route_last - 1].next = number + 1;
    }
    leaf->route_last = number + 1;
    if (route.method == b->method_count) {
        b->method_count++;
    }
    if (depth > b->max_segments) {
        b->max_segments = depth;
    }
    return BRRT_OK;
}
