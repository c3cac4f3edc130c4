/* From the mutable trie to one block of memory: see matcher_internal.h for the layout.
 *
 * Nodes are written in depth-first order, so that the children of a node are near it, and every array is counted before
 * anything is written: the single allocation is exact. */
#include "builder_internal.h"

#include <stdlib.h>

enum { CACHE_LINE = 64 };

typedef struct counts {
    uint32_t slots, entries, mixed, choices;
    uint32_t wholes; /* templates without expressions, */
    uint64_t text;   /* and their bytes */
} counts;

typedef struct writer {
    const brrt_builder *b;
    unsigned options;
    uint32_t head, get; /* method numbers, UINT32_MAX when absent */
    brrt_node *nodes;
    uint32_t *slots;
    uint32_t *entries;
    brrt_whole *wholes;
    uint32_t wholes_shift;
    brrt_mixed *mixed;
    brrt_choice *choices;
    char *text;
    counts used;
} writer;

static uint32_t find(const brrt_builder *b, const char *name, uint32_t len) {
    for (uint32_t i = 0; i < b->method_count; i++) {
        if (b->methods[i].len == len && memcmp(b->text + b->methods[i].off, name, len) == 0) {
            return i;
        }
    }
    return UINT32_MAX;
}

/* Whether HEAD has a route of its own with the predicates of `route`, at the same node. */
static int has_own_head(const writer *w, uint32_t node, const build_route *route) {
    for (uint32_t r = w->b->nodes[node].route_first; r != 0; r = w->b->routes[r - 1].next) {
        const build_route *own = &w->b->routes[r - 1];
        if (own->method == w->head && brrt_same_predicates(w->b, own, route)) {
            return 1;
        }
    }
    return 0;
}

/* Whether a route of the node answers the method: its own one, or HEAD where GET answers for it. */
static int answers(const writer *w, uint32_t node, const build_route *route, uint32_t method) {
    return route->method == method || ((w->options & BRRT_AUTO_HEAD) && method == w->head && route->method == w->get &&
                                       !has_own_head(w, node, route));
}

/* The bit set of methods of one node: what becomes a leaf when it is not empty. */
static uint32_t leaf_methods(const writer *w, uint32_t node) {
    uint32_t methods = 0;
    for (uint32_t r = w->b->nodes[node].route_first; r != 0; r = w->b->routes[r - 1].next) {
        const build_route *route = &w->b->routes[r - 1];
        methods |= 1u << route->method;
        if ((w->options & BRRT_AUTO_HEAD) && answers(w, node, route, w->head)) {
            methods |= 1u << w->head;
        }
    }
    return methods;
}

/* The last route of the node for the method, and in *most how many predicates one of them has at most. */
static uint32_t last_route(const writer *w, uint32_t node, uint32_t method, uint32_t *most) {
    uint32_t last = 0;
    *most = 0;
    for (uint32_t r = w->b->nodes[node].route_first; r != 0; r = w->b->routes[r - 1].next) {
        const build_route *route = &w->b->routes[r - 1];
        if (answers(w, node, route, method)) {
            *most = route->predicates > *most ? route->predicates : *most;
            last = r - 1;
        }
    }
    return last;
}

static uint32_t literal_count(const brrt_builder *b, uint32_t node) {
    uint32_t count = 0;
    for (uint32_t child = b->nodes[node].literal_first; child != 0; child = b->nodes[child].next) {
        count++;
    }
    return count;
}

/* One child needs no table; more get one that is at most half full. */
static uint32_t table_size(uint32_t children) {
    uint32_t size = 4;
    while (size < children * 2) {
        size *= 2;
    }
    return children > 1 ? size : 0;
}

/* The numbers of the first and the last method of a set that is not empty. */
static uint32_t first_method(uint32_t methods) { return (uint32_t)__builtin_ctz(methods); }
static uint32_t last_method(uint32_t methods) { return 31u - (uint32_t)__builtin_clz(methods); }

/* Bytes of the path of a node that match_whole may find: reached by literals only, all of them plain ASCII that a path
 * has as it is.  A '/' inside of a literal was escaped, and a path never has it there.  Else 0. */
static uint32_t whole_length(const brrt_builder *b, uint32_t node) {
    uint32_t length = 0;
    for (; node != 0; node = b->nodes[node].parent) {
        if (b->nodes[node].kind != KIND_LITERAL) {
            return 0;
        }
        brrt_span literal = b->spans[b->nodes[node].first];
        for (uint32_t i = 0; i < literal.len; i++) {
            char c = b->text[literal.off + i];
            if ((unsigned char)c > 0x7F || c == '%' || c == '/') {
                return 0;
            }
        }
        length += literal.len + 1;
    }
    return length >= 8 ? length : 0;
}

static counts count_all(const writer *w) {
    counts c = {0};
    for (uint32_t node = 0; node < w->b->nodes_count; node++) {
        c.slots += table_size(literal_count(w->b, node));
        for (uint32_t child = w->b->nodes[node].mixed_first; child != 0; child = w->b->nodes[child].next) {
            c.mixed++;
        }
        uint32_t methods = leaf_methods(w, node);
        if (methods != 0) {
            c.entries += last_method(methods) - first_method(methods) + 1;
            uint32_t length = whole_length(w->b, node);
            c.wholes += length != 0;
            c.text += length;
            for (uint32_t r = w->b->nodes[node].route_first; r != 0; r = w->b->routes[r - 1].next) {
                c.choices += 2; /* once for its method, once for HEAD */
            }
        }
    }
    return c;
}

/* The routes of one method with predicates, those with more predicates first. */
static uint32_t write_choices(writer *w, uint32_t node, uint32_t method, uint32_t most) {
    uint32_t first = w->used.choices;
    for (uint32_t left = most + 1; left-- > 0;) {
        for (uint32_t r = w->b->nodes[node].route_first; r != 0; r = w->b->routes[r - 1].next) {
            const build_route *route = &w->b->routes[r - 1];
            if (route->predicates == left && answers(w, node, route, method)) {
                w->choices[w->used.choices++] = (brrt_choice){r - 1, route->predicate, route->predicates, 0};
            }
        }
    }
    w->choices[w->used.choices - 1].last = 1;
    return BRRT_ENTRY_CHOICE | first;
}

/* What a method of a node leads to: a route, or a list of choices. */
static uint32_t write_entry(writer *w, uint32_t node, uint32_t method) {
    uint32_t most;
    uint32_t last = last_route(w, node, method, &most);
    return most != 0 ? write_choices(w, node, method, most) : last;
}

static void write_methods(writer *w, uint32_t from, uint32_t to) {
    uint32_t methods = leaf_methods(w, from);
    brrt_node *node = &w->nodes[to];
    node->methods = methods;
    if (methods == 0) {
        return;
    }
    uint32_t first = first_method(methods);
    node->entry = w->used.entries - first;
    w->used.entries += last_method(methods) - first + 1;
    for (; methods != 0; methods &= methods - 1) {
        uint32_t method = first_method(methods);
        w->entries[node->entry + method] = write_entry(w, from, method);
    }
}

/* Enter the path of a node into the table of whole templates.  One that hashes to a crowded place stays out: the trie
 * finds it as well. */
static void write_whole(writer *w, uint32_t from, uint32_t to) {
    const brrt_builder *b = w->b;
    uint32_t length = w->nodes[to].methods != 0 ? whole_length(b, from) : 0;
    if (length == 0) {
        return;
    }
    char *text = w->text + w->used.text, *end = text + length;
    for (uint32_t node = from; node != 0; node = b->nodes[node].parent) {
        brrt_span literal = b->spans[b->nodes[node].first];
        end -= literal.len;
        memcpy(end, b->text + literal.off, literal.len);
        *--end = '/';
    }
    uint64_t hash = brrt_whole_hash(text, length);
    brrt_whole *place = w->wholes + 2 * (hash >> w->wholes_shift);
    for (uint32_t probe = 0; probe < 2; probe++) {
        if (place[probe].node == 0) {
            place[probe] = (brrt_whole){(uint32_t)hash, length, (uint32_t)w->used.text, to};
            w->used.text += length;
            return;
        }
    }
}

static void write_literals(writer *w, uint32_t from, uint32_t to, const uint32_t *number) {
    const brrt_builder *b = w->b;
    uint32_t count = literal_count(b, from), size = table_size(count);
    brrt_node *node = &w->nodes[to];
    node->shift = count == 0 ? BRRT_NO_LITERALS : count == 1 ? BRRT_ONE_LITERAL : 64 - (uint32_t)__builtin_ctz(size);
    node->table = w->used.slots;
    w->used.slots += size;
    for (uint32_t child = b->nodes[from].literal_first; child != 0; child = b->nodes[child].next) {
        brrt_span literal = b->spans[b->nodes[child].first];
        const char *s = b->text + literal.off;
        uint64_t key = brrt_key(s, s + literal.len, s, literal.len);
        brrt_node *to_child = &w->nodes[number[child]];
        to_child->key = key;
        to_child->tail = brrt_tail(s, literal.len);
        to_child->literal = literal.off;
        to_child->literal_len = literal.len;
        if (count == 1) {
            node->table = number[child];
            return;
        }
        uint64_t at = brrt_hash(key, to_child->tail, s, literal.len) >> node->shift;
        while (w->slots[node->table + at] != 0) {
            at = (at + 1) & (size - 1);
        }
        w->slots[node->table + at] = number[child];
    }
}

/* Literal characters (not bytes) of a mixed segment: what orders the mixed children of a node. */
static uint32_t literal_characters(const brrt_builder *b, uint32_t node) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < b->nodes[node].pieces; i++) {
        brrt_span piece = b->spans[b->nodes[node].first + i];
        for (uint32_t k = 0; k < piece.len; k++) {
            count += ((unsigned char)b->text[piece.off + k] & 0xC0u) != 0x80u;
        }
    }
    return count;
}

static void write_mixed(writer *w, uint32_t from, uint32_t to, const uint32_t *number) {
    const brrt_builder *b = w->b;
    uint32_t first = w->used.mixed;
    for (uint32_t child = b->nodes[from].mixed_first; child != 0; child = b->nodes[child].next) {
        brrt_mixed entry = {number[child], b->nodes[child].pieces, b->nodes[child].first, literal_characters(b, child)};
        uint32_t at = w->used.mixed++;
        for (; at > first && w->mixed[at - 1].weight < entry.weight; at--) {
            w->mixed[at] = w->mixed[at - 1];
        }
        w->mixed[at] = entry;
    }
    w->nodes[to].mixed = first;
    w->nodes[to].mixed_count = w->used.mixed - first;
}

/* Depth-first numbers and their inverse; each array has a place for each node. */
static void number_nodes(const brrt_builder *b, uint32_t *number, uint32_t *order, uint32_t *stack) {
    uint32_t depth = 0, next = 0;
    stack[depth++] = 0;
    while (depth != 0) {
        uint32_t node = stack[--depth];
        order[next] = node;
        number[node] = next++;
        if (b->nodes[node].param != 0) {
            stack[depth++] = b->nodes[node].param;
        }
        for (uint32_t child = b->nodes[node].mixed_first; child != 0; child = b->nodes[child].next) {
            stack[depth++] = child;
        }
        for (uint32_t child = b->nodes[node].literal_first; child != 0; child = b->nodes[child].next) {
            stack[depth++] = child;
        }
    }
}

static size_t aligned(size_t bytes) { return (bytes + 15u) & ~(size_t)15u; }

static void *take(char **at, size_t count, size_t size) {
    void *here = *at;
    *at += aligned(count * size);
    return here;
}

/* Allocate the block and lay the arrays out in it. */
static brrt_matcher *layout(writer *w, counts c, uint32_t method_count) {
    const brrt_builder *b = w->b;
    if (c.text > UINT32_MAX - 4u - b->text_count) {
        return NULL; /* offsets have 32 bits */
    }
    uint32_t places = 2;
    while (places < c.wholes) {
        places *= 2;
    }
    size_t wholes = (size_t)places * 2;
    size_t bytes = aligned(sizeof(brrt_matcher)) + CACHE_LINE + aligned(b->nodes_count * sizeof(brrt_node)) +
                   aligned(c.slots * sizeof(uint32_t)) + aligned(c.entries * sizeof(uint32_t)) +
                   aligned(wholes * sizeof(brrt_whole)) + aligned(c.mixed * sizeof(brrt_mixed)) +
                   aligned(b->spans_count * sizeof(brrt_span)) + aligned(c.choices * sizeof(brrt_choice)) +
                   aligned(b->predicates_count * sizeof(brrt_predicate)) + aligned(method_count * sizeof(brrt_method)) +
                   aligned(b->text_count + 4u + c.text);
    char *at = calloc(1, bytes);
    if (at == NULL) {
        return NULL;
    }
    brrt_matcher *m = take(&at, 1, sizeof *m);
    at += (CACHE_LINE - (uintptr_t)at % CACHE_LINE) % CACHE_LINE; /* a node in one cache line */
    m->nodes = w->nodes = take(&at, b->nodes_count, sizeof(brrt_node));
    m->slots = w->slots = take(&at, c.slots, sizeof(uint32_t));
    m->entries = w->entries = take(&at, c.entries, sizeof(uint32_t));
    m->wholes = w->wholes = take(&at, wholes, sizeof(brrt_whole));
    m->wholes_shift = w->wholes_shift = 64 - (uint32_t)__builtin_ctz(places);
    m->mixed = w->mixed = take(&at, c.mixed, sizeof(brrt_mixed));
    brrt_span *spans = take(&at, b->spans_count, sizeof(brrt_span));
    m->spans = spans;
    m->choices = w->choices = take(&at, c.choices, sizeof(brrt_choice));
    brrt_predicate *predicates = take(&at, b->predicates_count, sizeof(brrt_predicate));
    m->predicates = predicates;
    brrt_method *methods = take(&at, method_count, sizeof(brrt_method));
    m->methods = methods;
    char *text = take(&at, b->text_count + 4u + c.text, 1);
    m->text = w->text = text;
    w->used.text = b->text_count + 4u;
    if (b->spans_count != 0) {
        memcpy(spans, b->spans, b->spans_count * sizeof *spans);
    }
    if (b->predicates_count != 0) {
        memcpy(predicates, b->predicates, b->predicates_count * sizeof *predicates);
    }
    memcpy(text, b->text, b->text_count);
    memcpy(text + b->text_count, "HEAD", 4);
    for (uint32_t i = 0; i < method_count; i++) {
        brrt_span name = i < b->method_count ? b->methods[i] : (brrt_span){b->text_count, 4};
        const char *s = text + name.off;
        methods[i] = (brrt_method){brrt_key(s, s + name.len, s, name.len), name.len, name.off};
    }
    m->node_count = b->nodes_count;
    m->method_count = method_count;
    m->options = w->options;
    m->max_segments = b->max_segments + ((w->options & BRRT_SLASH_IGNORE) ? 1u : 0u);
    m->bytes = bytes;
    return m;
}

brrt_matcher *brrt_builder_freeze(const brrt_builder *b, unsigned options) {
    writer w = {.b = b, .options = options};
    w.get = find(b, "GET", 3);
    w.head = find(b, "HEAD", 4);
    uint32_t method_count = b->method_count;
    if (w.head == UINT32_MAX) {
        if ((options & BRRT_AUTO_HEAD) && w.get != UINT32_MAX) {
            w.head = method_count++;
        } else {
            w.options &= ~(unsigned)BRRT_AUTO_HEAD;
        }
    }
    uint32_t *number = malloc((size_t)b->nodes_count * 3 * sizeof *number);
    if (number == NULL) {
        return NULL;
    }
    brrt_matcher *m = layout(&w, count_all(&w), method_count);
    if (m != NULL) {
        uint32_t *order = number + b->nodes_count;
        number_nodes(b, number, order, order + b->nodes_count);
        for (uint32_t to = 0; to < b->nodes_count; to++) {
            uint32_t node = order[to];
            write_literals(&w, node, to, number);
            write_mixed(&w, node, to, number);
            write_methods(&w, node, to);
            write_whole(&w, node, to);
            w.nodes[to].param = b->nodes[node].param ? number[b->nodes[node].param] : 0;
        }
        m->options = w.options;
    }
    free(number);
    return m;
}
