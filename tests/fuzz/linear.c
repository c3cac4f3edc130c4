/* See linear.h. */
#include "linear.h"

#include <stdlib.h>
#include <string.h>

static char *bytes_for(size_t len) {
    char *bytes = malloc(len + 1);
    if (bytes == NULL) {
        abort();
    }
    return bytes;
}

static int same_text(text a, text b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.s, b.s, a.len) == 0);
}

/* ---- templates ---- */

/* Where templates are taken apart: s[at..len) is still to be read, decoded literals go to `to`. */
typedef struct parser {
    const char *s;
    size_t len, at;
    char *to;
} parser;

static int take_decoded(parser *p, size_t from, size_t to, int plus, text *out) {
    size_t written;
    if (naive_decode(p->s + from, to - from, plus, p->to, &written) != NAIVE_OK) {
        return 0;
    }
    *out = (text){p->to, written};
    p->to += written;
    return 1;
}

static int take_expression(parser *p, linear_route *route) {
    size_t from = p->at + 1, to = from;
    while (to < p->len && p->s[to] != '{' && p->s[to] != '}') {
        to++;
    }
    text name = {p->s + from, to - from};
    if (to == p->len || p->s[to] == '{' || name.len == 0 || route->name_count == LINEAR_CAPTURES) {
        return 0;
    }
    for (size_t i = 0; i < route->name_count; i++) {
        if (same_text(route->names[i], name)) {
            return 0;
        }
    }
    route->names[route->name_count++] = name;
    route->pieces[route->piece_count++] = (piece){1, {NULL, 0}};
    p->at = to + 1;
    return 1;
}

/* The segment at p->at, which ends at '/', '?', '#' or the end. */
static int take_segment(parser *p, linear_route *route) {
    if (route->segment_count == LINEAR_SEGMENTS) {
        return 0;
    }
    segment *own = &route->segments[route->segment_count++];
    own->first = route->piece_count;
    while (p->at < p->len && memchr("/?#", p->s[p->at], 3) == NULL) {
        if (p->s[p->at] == '{') {
            if (!take_expression(p, route)) {
                return 0;
            }
            continue;
        }
        size_t from = p->at;
        while (p->at < p->len && memchr("/?#{}", p->s[p->at], 5) == NULL) {
            p->at++;
        }
        piece *literal = &route->pieces[route->piece_count++];
        literal->is_expression = 0;
        if ((p->at < p->len && p->s[p->at] == '}') || !take_decoded(p, from, p->at, 0, &literal->literal)) {
            return 0;
        }
    }
    own->count = route->piece_count - own->first;
    return 1;
}

static int take_pairs(parser *p, linear_route *route) {
    size_t end = p->at;
    while (end < p->len && p->s[end] != '#') {
        end++;
    }
    while (p->at < end) {
        size_t from = ++p->at, equals;
        while (p->at < end && p->s[p->at] != '&') {
            p->at++;
        }
        for (equals = from; equals < p->at && p->s[equals] != '=';) {
            equals++;
        }
        if (from == p->at) {
            continue;
        }
        if (route->pair_count == LINEAR_CAPTURES) {
            return 0;
        }
        pair *own = &route->pairs[route->pair_count++];
        own->has_value = equals < p->at;
        if (!take_decoded(p, from, equals, 1, &own->name) ||
            !take_decoded(p, own->has_value ? equals + 1 : p->at, p->at, 1, &own->value)) {
            return 0;
        }
    }
    return 1;
}

static int parse(const char *s, size_t len, linear_route *route) {
    parser p = {s, len, 0, route->decoded};
    if (len == 0 || s[0] != '/' || !naive_utf8(s, len)) {
        return 0;
    }
    while (p.at < len && s[p.at] == '/') {
        p.at++;
        if (!take_segment(&p, route)) {
            return 0;
        }
    }
    return p.at == len || s[p.at] == '#' || take_pairs(&p, route);
}

static int same_segment(const linear_route *a, const linear_route *b, size_t depth) {
    const segment *x = &a->segments[depth], *y = &b->segments[depth];
    if (x->count != y->count) {
        return 0;
    }
    for (size_t i = 0; i < x->count; i++) {
        const piece *p = &a->pieces[x->first + i], *q = &b->pieces[y->first + i];
        if (p->is_expression != q->is_expression || (!p->is_expression && !same_text(p->literal, q->literal))) {
            return 0;
        }
    }
    return 1;
}

/* Whether the first `depth` segments of both match the same texts. */
static int same_prefix(const linear_route *a, const linear_route *b, size_t depth) {
    for (size_t i = 0; i < depth; i++) {
        if (i >= a->segment_count || i >= b->segment_count || !same_segment(a, b, i)) {
            return 0;
        }
    }
    return 1;
}

/* Whether a query that `b` accepts is always accepted by `a`. */
static int asks_no_more(const linear_route *a, const linear_route *b) {
    for (size_t i = 0; i < a->pair_count; i++) {
        int found = 0;
        for (size_t k = 0; k < b->pair_count; k++) {
            const pair *p = &a->pairs[i], *q = &b->pairs[k];
            found |= same_text(p->name, q->name) &&
                     (!p->has_value || (q->has_value && same_text(p->value, q->value)));
        }
        if (!found) {
            return 0;
        }
    }
    return 1;
}

static int same_requests(const linear_route *a, const linear_route *b) {
    return a->segment_count == b->segment_count && same_prefix(a, b, a->segment_count) && asks_no_more(a, b) &&
           asks_no_more(b, a);
}

linear_result linear_add(linear *list, int method, const char *s, size_t len, size_t *other) {
    linear_route *route = &list->routes[list->count];
    *route = (linear_route){.method = method, .decoded = bytes_for(len)};
    linear_result result = parse(s, len, route) ? LINEAR_TAKEN : LINEAR_REFUSED;
    for (size_t i = 0; i < list->count && result == LINEAR_TAKEN; i++) {
        if (list->routes[i].method == method && same_requests(&list->routes[i], route)) {
            *other = i;
            result = LINEAR_COLLISION;
        }
    }
    if (result == LINEAR_TAKEN) {
        list->count++;
    } else {
        free(route->decoded);
    }
    return result;
}

void linear_free(linear *list) {
    for (size_t i = 0; i < list->count; i++) {
        free(list->routes[i].decoded);
    }
}

/* ---- paths ---- */

/* Read s as pieces[0..count), the captures as short as can be from the left.  dead[i] has a bit for each place where
 * piece i was tried in vain, which keeps this from being exponential; a text has at most 64 KiB. */
typedef struct reading {
    const piece *pieces;
    size_t count;
    text whole;
    unsigned char *dead;
    text *captures;
} reading;

static int read_pieces(reading *r, size_t i, size_t at) {
    if (i == r->count) {
        return at == r->whole.len;
    }
    unsigned char *dead = &r->dead[i * (r->whole.len + 1) + at];
    if (*dead) {
        return 0;
    }
    const piece *own = &r->pieces[i];
    if (!own->is_expression) {
        if (r->whole.len - at >= own->literal.len &&
            (own->literal.len == 0 || memcmp(r->whole.s + at, own->literal.s, own->literal.len) == 0) &&
            read_pieces(r, i + 1, at + own->literal.len)) {
            return 1;
        }
    } else {
        text *capture = r->captures++;
        for (size_t to = at; to < r->whole.len;) {
            to += naive_code_point(r->whole.s + to);
            *capture = (text){r->whole.s + at, to - at};
            if (read_pieces(r, i + 1, to)) {
                return 1;
            }
        }
        r->captures--;
    }
    *dead = 1;
    return 0;
}

static int match_segment(const linear_route *route, const segment *own, text whole, text **captures) {
    size_t cells = (own->count + 1) * (whole.len + 1);
    reading r = {route->pieces + own->first, own->count, whole, calloc(cells, 1), *captures};
    if (r.dead == NULL) {
        abort();
    }
    int found = read_pieces(&r, 0, 0);
    free(r.dead);
    *captures = r.captures;
    return found;
}

static int match_route(const linear_route *route, const text *texts, size_t count, text query, linear_match *out) {
    text *captures = out->captures;
    if (route->segment_count != count) {
        return 0;
    }
    for (size_t i = 0; i < route->pair_count; i++) {
        const pair *p = &route->pairs[i];
        if (!naive_query_has(query.s, query.len, p->name.s, p->name.len, p->has_value ? p->value.s : NULL,
                             p->value.len)) {
            return 0;
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (!match_segment(route, &route->segments[i], texts[i], &captures)) {
            return 0;
        }
    }
    out->count = (size_t)(captures - out->captures);
    return 1;
}

/* ---- which of those that match ---- */

/* Literal, mixed, bare: the kinds of segments in the order in which they are preferred. */
static int kind_of(const linear_route *route, const segment *own) {
    int literals = 0, expressions = 0;
    for (size_t i = 0; i < own->count; i++) {
        const piece *p = &route->pieces[own->first + i];
        expressions += p->is_expression;
        literals += !p->is_expression && p->literal.len != 0;
    }
    return expressions == 0 ? 0 : literals != 0 || expressions > 1 ? 1 : 2;
}

static size_t literal_characters(const linear_route *route, const segment *own) {
    size_t count = 0;
    for (size_t i = 0; i < own->count; i++) {
        text literal = route->pieces[own->first + i].literal;
        for (size_t at = 0; at < literal.len; at += naive_code_point(literal.s + at)) {
            count++;
        }
    }
    return count;
}

/* The number of the first route that begins like the first `depth` segments of this one. */
static size_t first_like(const linear *list, const linear_route *route, size_t depth) {
    size_t i = 0;
    while (!same_prefix(&list->routes[i], route, depth)) {
        i++;
    }
    return i;
}

static int is_better(const linear *list, const linear_route *a, const linear_route *b) {
    for (size_t depth = 0; depth < a->segment_count; depth++) {
        if (same_segment(a, b, depth)) {
            continue;
        }
        const segment *x = &a->segments[depth], *y = &b->segments[depth];
        int kinds = kind_of(a, x) - kind_of(b, y);
        if (kinds != 0) {
            return kinds < 0;
        }
        size_t of_a = literal_characters(a, x), of_b = literal_characters(b, y);
        if (of_a != of_b) {
            return of_a > of_b;
        }
        return first_like(list, a, depth + 1) < first_like(list, b, depth + 1);
    }
    return a->pair_count > b->pair_count; /* the earlier one when they are equal: it is asked about first */
}

static int has_own_head(const linear *list, const linear_route *route) {
    for (size_t i = 0; i < list->count; i++) {
        if (list->routes[i].method == list->head && same_requests(&list->routes[i], route)) {
            return 1;
        }
    }
    return 0;
}

/* The methods that a route answers. */
static unsigned methods_of(const linear *list, const linear_route *route) {
    unsigned own = 1u << route->method;
    int heads = list->auto_head && route->method == list->get && !has_own_head(list, route);
    return heads ? own | 1u << list->head : own;
}

static int find_spelling(const linear *list, int method, const text *texts, size_t count, text query,
                         linear_match *out) {
    const linear_route *best = NULL;
    for (size_t i = 0; i < list->count; i++) {
        const linear_route *route = &list->routes[i];
        linear_match found = *out;
        if (!match_route(route, texts, count, query, &found)) {
            continue;
        }
        unsigned methods = methods_of(list, route);
        out->allowed |= methods;
        if (method >= 0 && (methods >> method & 1) && (best == NULL || is_better(list, route, best))) {
            best = route;
            found.route = i;
            found.allowed = out->allowed;
            *out = found;
        }
    }
    return best != NULL;
}

linear_answer linear_find(const linear *list, int method, const char *path, size_t len, text query,
                          linear_match *out) {
    text texts[LINEAR_SEGMENTS + 2];
    size_t count = 0;
    *out = (linear_match){.decoded = bytes_for(len)};
    char *to = out->decoded;
    if (len == 0 || path[0] != '/') {
        return NO_PATH;
    }
    for (size_t from = 1, end; from <= len; from = end + 1) {
        size_t written;
        for (end = from; end < len && path[end] != '/';) {
            end++;
        }
        naive_result result = naive_decode(path + from, end - from, 0, to, &written);
        if (result != NAIVE_OK) {
            return result == NAIVE_BAD_ESCAPE ? BAD_ESCAPE : BAD_UTF8;
        }
        if (count < LINEAR_SEGMENTS + 2) {
            texts[count++] = (text){to, written};
        }
        to += written;
    }
    if (find_spelling(list, method, texts, count, query, out)) {
        return MATCHED;
    }
    if (list->slash_ignore && !(count == 1 && texts[0].len == 0) && count <= LINEAR_SEGMENTS + 1) {
        if (texts[count - 1].len == 0) {
            count--;
        } else {
            texts[count++] = (text){to, 0};
        }
        if (find_spelling(list, method, texts, count, query, out)) {
            return MATCHED;
        }
    }
    return out->allowed != 0 ? NO_METHOD : NO_PATH;
}
