/* The path matcher: path templates in, an immutable trie in one block of memory, then matches without allocation.
 *
 * Life of the two objects.  A builder is mutable, single-threaded, and owned by whoever made it; it copies the
 * templates that it is given.  brrt_builder_freeze makes a matcher, which owns one block of memory, refers to
 * nothing outside of it and never changes: any number of threads may match with it at once.  Free each with its
 * own function.
 *
 * Templates (OpenAPI 3.2 section 4.8.8, path templating): '/' separated segments of literals and `{name}` expressions.
 * Literals are percent-decoded once, so `%7E` equals `~`.  A `?name=value&...` at the end makes predicates: the route
 * matches only when the query of the request holds these pairs.  A `#fragment` is ignored.
 *
 * Matching.  A path is split on raw '/', then each segment is percent-decoded once.  Segment by segment from the left,
 * a literal wins over a mixed segment (with more literal characters first, then the order of addition) and that over a
 * bare expression; when a choice fails further right the next one is tried.  A capture is never empty.  Inside a mixed
 * segment the first literal is anchored at the start, the last one at the end, and those between are found leftmost.
 * The best template without the method gives way to the next matching one that has it.
 *
 * Time.  A template without expressions is found by one hash of the path, as a rule.  Else a first pass follows the
 * best choice of each segment; when that does not decide, a second one looks at every choice and visits each node of the
 * trie at most once (twice with BRRT_SLASH_IGNORE).  So no more nodes are looked at than the trie and the path have
 * together, and each at the cost of its segment's length.
 */
#ifndef BRRT_MATCHER_H
#define BRRT_MATCHER_H

#include <stddef.h>
#include <stdint.h>

#include "brrt_status.h"
#include "brrt_text.h"

#define BRRT_MAX_SEGMENTS 64    /* in a template; longer paths match nothing */
#define BRRT_MAX_CAPTURES 32    /* in a template */
#define BRRT_MAX_TEMPLATE 8192  /* bytes */
#define BRRT_MAX_METHODS 32     /* distinct methods in one matcher; HEAD is counted whether it is added or not */

/* What a template consists of, as offsets into the template's own bytes. */
typedef struct brrt_template {
    uint32_t path_len;    /* bytes of the path part: up to '?' or '#' outside of braces */
    brrt_span query;      /* of the predicates, without '?' */
    int has_fragment;     /* a '#fragment' was ignored */
    uint32_t name_count;
    brrt_span names[BRRT_MAX_CAPTURES];
} brrt_template;

/* Take a template apart.  OK, or TPL_* with nothing else promised. */
brrt_status brrt_template_parse(const char *s, size_t len, brrt_template *out);

typedef struct brrt_builder brrt_builder;
typedef struct brrt_matcher brrt_matcher;

brrt_builder *brrt_builder_new(void); /* NULL: out of memory */
void brrt_builder_free(brrt_builder *builder); /* NULL is fine */

/* Add a route.  Routes are numbered 0, 1, 2, ... in the order of the calls that return OK.
 * TPL_COLLISION: *other is the number of the route that matches the same requests.  Other errors: TPL_*, NOMEM.
 * After TPL_* the builder routes as it did before the call; after NOMEM it is only fit to be freed. */
brrt_status brrt_builder_add(brrt_builder *builder, const char *method, size_t method_len, const char *tpl, size_t len,
                             brrt_template *info, uint32_t *other);

enum {
    BRRT_AUTO_HEAD = 1,   /* where a template with its predicates has GET and no HEAD, HEAD matches the route of GET */
    BRRT_SLASH_IGNORE = 2 /* when nothing matches, try again with one '/' more or less at the end */
};

/* Make the matcher; the builder stays usable.  NULL: out of memory. */
brrt_matcher *brrt_builder_freeze(const brrt_builder *builder, unsigned options);
void brrt_matcher_free(brrt_matcher *matcher); /* NULL is fine */

typedef struct brrt_match {
    uint32_t route;     /* OK: the number of the route */
    uint32_t allowed;   /* NO_METHOD: a bit for each method of all templates that match the path */
    uint32_t visits;    /* nodes visited beside those of the first pass, at most one for each segment */
    uint32_t count;     /* OK: captures */
    int high;           /* some captured or matched byte may be above 0x7F */
    const char *base;   /* what the captures are offsets into: the path, or the scratch space */
    brrt_span captures[BRRT_MAX_CAPTURES]; /* decoded, valid UTF-8, in the order of the template */
} brrt_match;

/* The number of a method (case-sensitive, RFC 9110 9.1) for brrt_matcher_match, -1 when no route has it. */
int brrt_matcher_method(const brrt_matcher *matcher, const char *method, size_t len);
/* The spelling of method number `id` as added; *len its length.  NULL when there is no such number. */
const char *brrt_matcher_method_name(const brrt_matcher *matcher, int id, size_t *len);

/* Find the route for a path and the raw query.
 * `scratch` is only needed when the path holds '%': it then must have `len` bytes, else NO_SPACE is returned (call
 * again with more; at most `len` are ever needed) and must live as long as the captures are used.
 * A `method` of -1 matches no route, which gives the methods allowed for the path.
 * OK, NO_MATCH, NO_METHOD, BAD_ESCAPE, BAD_UTF8 or NO_SPACE. */
brrt_status brrt_matcher_match(const brrt_matcher *matcher, int method, const char *path, size_t len, const char *query,
                               size_t query_len, char *scratch, size_t scratch_len, brrt_match *out);

/* The common case of brrt_matcher_match and nothing else: OK and NO_MATCH as there, NO_SPACE when only that function can
 * tell.  It sets neither `allowed` nor `visits`; a route whose template has predicates is never its answer. */
brrt_status brrt_matcher_try(const brrt_matcher *matcher, int method, const char *path, size_t len, brrt_match *out);

/* Numbers for reports: trie nodes and bytes of the block. */
uint32_t brrt_matcher_nodes(const brrt_matcher *matcher);
size_t brrt_matcher_bytes(const brrt_matcher *matcher);

#endif
