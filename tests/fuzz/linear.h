/* A matcher without a trie: a list of templates, each compared with the path, the best of those that match taken.
 * The rules are those at the top of brrt_matcher.h, written once more from their text. */
#ifndef BRRT_FUZZ_LINEAR_H
#define BRRT_FUZZ_LINEAR_H

#include "naive.h"

enum { LINEAR_ROUTES = 24, LINEAR_SEGMENTS = 64, LINEAR_CAPTURES = 32, LINEAR_METHODS = 8 };

typedef struct text {
    const char *s; /* borrowed from the caller, or from the block of decoded bytes that owns it */
    size_t len;
} text;

/* One piece of a segment: a literal (decoded) or an expression. */
typedef struct piece {
    int is_expression;
    text literal;
} piece;

typedef struct segment {
    size_t first, count; /* in linear_route.pieces; adjacent expressions have no empty literal between them */
} segment;

typedef struct pair {
    text name, value;
    int has_value;
} pair;

typedef struct linear_route {
    int method;
    size_t segment_count, piece_count, name_count, pair_count;
    segment segments[LINEAR_SEGMENTS];
    piece pieces[2 * LINEAR_CAPTURES + LINEAR_SEGMENTS + 1];
    text names[LINEAR_CAPTURES];
    pair pairs[LINEAR_CAPTURES];
    char *decoded; /* owned */
} linear_route;

typedef struct linear {
    int get, head, auto_head, slash_ignore;
    size_t count;
    linear_route routes[LINEAR_ROUTES];
} linear;

typedef enum linear_result { LINEAR_TAKEN, LINEAR_COLLISION, LINEAR_REFUSED } linear_result;

/* Add a template; *other is the route that it collides with.  The template must outlive the list. */
linear_result linear_add(linear *list, int method, const char *s, size_t len, size_t *other);

typedef enum linear_answer { MATCHED, NO_PATH, NO_METHOD, BAD_ESCAPE, BAD_UTF8 } linear_answer;

typedef struct linear_match {
    size_t route;
    unsigned allowed; /* a bit for each method */
    size_t count;
    text captures[LINEAR_CAPTURES];
    char *decoded; /* what the captures are in; free it */
} linear_match;

/* Find the best route; a method of -1 is none that any route has. */
linear_answer linear_find(const linear *list, int method, const char *path, size_t len, text query, linear_match *out);

void linear_free(linear *list);

#endif
