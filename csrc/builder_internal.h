/* The mutable trie, shared by builder.c, which grows it, and freeze.c, which writes it out. */
#ifndef BRRT_BUILDER_INTERNAL_H
#define BRRT_BUILDER_INTERNAL_H

#include "matcher_internal.h"

enum { KIND_ROOT, KIND_LITERAL, KIND_MIXED, KIND_PARAM };

/* Links are node numbers, 0 means none.  Routes are linked by their number + 1. */
typedef struct build_node {
    uint32_t parent;
    uint32_t kind;
    uint32_t first;  /* spans: the literal, or the first literal of a mixed segment */
    uint32_t pieces;
    uint32_t next;   /* sibling of the same kind, in the order of addition */
    uint32_t literal_first, literal_last;
    uint32_t mixed_first, mixed_last;
    uint32_t param;
    uint32_t route_first, route_last;
} build_node;

typedef struct build_route {
    uint32_t method;
    uint32_t next;
    uint32_t predicate; /* first of `predicates` in builder->predicates */
    uint32_t predicates;
} build_route;

struct brrt_builder {
    build_node *nodes;
    char *text;
    brrt_span *spans;
    build_route *routes;
    brrt_predicate *predicates;
    uint32_t *index; /* open addressing over the literal edges, by parent and text */
    uint32_t nodes_count, nodes_cap;
    uint32_t text_count, text_cap;
    uint32_t spans_count, spans_cap;
    uint32_t routes_count, routes_cap;
    uint32_t predicates_count, predicates_cap;
    uint32_t index_size, literals;
    uint32_t method_count, max_segments;
    brrt_span methods[BRRT_MAX_METHODS];
};

/* Whether two routes of one template ask the same of a query. */
int brrt_same_predicates(const brrt_builder *b, const build_route *x, const build_route *y);

#endif
