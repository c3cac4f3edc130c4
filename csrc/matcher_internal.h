/* Layout of the frozen trie, shared by the file that writes it and the file that walks it. */
#ifndef BRRT_MATCHER_INTERNAL_H
#define BRRT_MATCHER_INTERNAL_H

#include <string.h>

#include "brrt_bytes.h"
#include "brrt_matcher.h"

/* A node is reached by a literal, by a mixed segment or by a bare expression; only the first kind uses key, tail,
 * literal and literal_len.  All links are indices, 0 means none (node 0 is the root and nobody's child).  64 bytes: a
 * cache line. */
typedef struct brrt_node {
    uint64_t key;         /* first eight bytes of the literal, padded with zeros */
    uint64_t tail;        /* last eight bytes of a literal of more than eight, else 0 */
    uint32_t literal_len;
    uint32_t literal;     /* offset of the whole literal in `text` */
    uint32_t shift;       /* 64 - log2 of the slots for literal children; or BRRT_NO_LITERALS, or BRRT_ONE_LITERAL */
    uint32_t table;       /* first slot of that table; the child itself with BRRT_ONE_LITERAL */
    uint32_t param;       /* child for a bare expression */
    uint32_t mixed;       /* first of mixed_count entries in `mixed` */
    uint32_t mixed_count;
    uint32_t methods;     /* bit set of the methods of routes that end here */
    uint32_t entry;       /* what to add to the number of one of these methods for its index in `entries` */
    uint32_t unused[3];
} brrt_node;

#define BRRT_NO_LITERALS UINT32_MAX
#define BRRT_ONE_LITERAL 0u

/* A template without expressions and the node where it ends; a hash says a pair of them, one after the other. */
typedef struct brrt_whole {
    uint32_t tag; /* the low half of the hash */
    uint32_t len;
    uint32_t text;
    uint32_t node; /* 0: empty */
} brrt_whole;

/* literal {capture} literal {capture} ... literal; `pieces` = captures + 1 literals, which may be empty. */
typedef struct brrt_mixed {
    uint32_t child;
    uint32_t pieces;
    uint32_t first;  /* index in `spans` of the first literal, offsets into `text` */
    uint32_t weight; /* literal characters: siblings stand in falling order */
} brrt_mixed;

/* An entry is a route number, or, with the top bit set, the index of a list in `choices`. */
#define BRRT_ENTRY_CHOICE 0x80000000u

/* One route of several that share template and method and differ in predicates. The last of a list has `last` set. */
typedef struct brrt_choice {
    uint32_t route;
    uint32_t first; /* index in `predicates` */
    uint32_t count;
    uint32_t last;
} brrt_choice;

typedef struct brrt_predicate {
    brrt_span name; /* decoded, in `text` */
    brrt_span value;
    uint32_t has_value;
} brrt_predicate;

typedef struct brrt_method {
    uint64_t key;
    uint32_t len;
    uint32_t text;
} brrt_method;

struct brrt_matcher {
    const brrt_node *nodes;
    const uint32_t *slots; /* of the hash tables: children, 0 is an empty slot */
    const uint32_t *entries;
    const brrt_whole *wholes;
    const brrt_mixed *mixed;
    const brrt_span *spans;
    const brrt_choice *choices;
    const brrt_predicate *predicates;
    const brrt_method *methods;
    const char *text;
    uint32_t node_count;
    uint32_t method_count;
    uint32_t wholes_shift; /* 64 - log2 of the pairs in `wholes` */
    uint32_t max_segments;
    uint32_t options;
    size_t bytes;
};

/* The bytes s[0..len) as a word, the first eight of a longer text, padded with zeros.  [base, end) is readable and
 * holds them: one load that begins before a short text, or ends after it, is cheaper than several inside of it. */
static inline uint64_t brrt_key(const char *base, const char *end, const char *s, size_t len) {
    if (len >= 8) {
        return brrt_load64(s);
    }
    if (len == 0) {
        return 0;
    }
    if (end - s >= 8) {
        return brrt_load64(s) & (UINT64_MAX >> (64 - 8 * len));
    }
    if (s + len - base >= 8) {
        return brrt_load64(s + len - 8) >> (64 - 8 * len);
    }
    return brrt_load_short(s, len);
}

#define BRRT_HASH_MUL UINT64_C(0x9E3779B97F4A7C15)

/* The last eight bytes of a literal of more than eight, 0 for a shorter one, whose key says all. */
static inline uint64_t brrt_tail(const char *s, size_t len) { return len > 8 ? brrt_load64(s + len - 8) : 0; }

/* Hash of a literal by its two words and, when it has more than sixteen bytes, by those between.  Only the top bits are
 * good: they depend on every bit that was multiplied. */
static inline uint64_t brrt_hash(uint64_t key, uint64_t tail, const char *s, size_t len) {
    uint64_t hash = key * BRRT_HASH_MUL;
    if (len > 8) {
        for (size_t at = 8; len > 16 && at + 8 < len; at += 8) {
            hash = ((hash ^ (hash >> 29)) + brrt_load64(s + at)) * BRRT_HASH_MUL;
        }
        hash = ((hash ^ (hash >> 29)) + tail) * BRRT_HASH_MUL;
    }
    return hash;
}

/* Hash of a path of eight bytes or more by its length and its last eight bytes: what comes before is more often alike. */
static inline uint64_t brrt_whole_hash(const char *path, size_t len) {
    return (brrt_load64(path + len - 8) ^ len) * BRRT_HASH_MUL;
}

/* Whether two literals of the same length and words, which say all up to sixteen bytes, are the same. */
static inline int brrt_same_middle(const char *literal, const char *s, size_t len) {
    return len <= 16 || memcmp(literal + 8, s + 8, len - 16) == 0;
}

#endif
