/* Layout of the frozen trie, shared by the file that writes it and the file that walks it. */
#ifndef BRRT_MATCHER_INTERNAL_H
#define BRRT_MATCHER_INTERNAL_H

#include <string.h>

#include "brrt_bytes.h"
#include "brrt_matcher.h"

/* A node is reached by a literal, by a mixed segment or by a bare expression; only the first kind uses key, literal and
 * literal_len.  All links are indices, 0 means none (node 0 is the root and nobody's child). */
typedef struct brrt_node {
    uint64_t key;         /* first eight bytes of the literal, padded with zeros */
    uint32_t literal_len;
    uint32_t literal;     /* offset of the whole literal in `text` */
    uint32_t table;       /* first slot of the hash table of literal children */
    uint32_t mask;        /* slots - 1, when there are literal children; a single child has one slot */
    uint32_t param;       /* child for a bare expression */
    uint32_t mixed;       /* first of mixed_count entries in `mixed` */
    uint32_t mixed_count;
    uint32_t leaf;        /* index in `leaves` */
    uint32_t has_literals;
    uint32_t pad;
} brrt_node;

/* A slot is the child's index in the low bits and some bits of its literal's hash above. 0 is an empty slot. */
#define BRRT_SLOT_BITS 24
#define BRRT_SLOT_CHILD(slot) ((slot) & ((1u << BRRT_SLOT_BITS) - 1u))
#define BRRT_SLOT_TAG(hash) ((uint32_t)((hash) >> 56) << BRRT_SLOT_BITS)

/* literal {capture} literal {capture} ... literal; `pieces` = captures + 1 literals, which may be empty. */
typedef struct brrt_mixed {
    uint32_t child;
    uint32_t pieces;
    uint32_t first;  /* index in `spans` of the first literal, offsets into `text` */
    uint32_t weight; /* literal characters: siblings stand in falling order */
} brrt_mixed;

typedef struct brrt_leaf {
    uint32_t methods; /* bit set of method numbers */
    uint32_t entry;   /* index in `entries` of the entry for the lowest method number, the others follow in order */
} brrt_leaf;

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
    const uint32_t *slots;
    const brrt_leaf *leaves;
    const uint32_t *entries;
    const brrt_mixed *mixed;
    const brrt_span *spans;
    const brrt_choice *choices;
    const brrt_predicate *predicates;
    const brrt_method *methods;
    const char *text;
    uint32_t node_count;
    uint32_t method_count;
    uint32_t max_segments;
    uint32_t options;
    size_t bytes;
};

/* The bytes s[0..len) as a word, the first eight of a longer text, padded with zeros; `base` is readable up to s + len. */
static inline uint64_t brrt_key(const char *base, const char *s, size_t len) {
    if (len >= 8) {
        return brrt_load64(s);
    }
    if (len != 0 && s + len - base >= 8) {
        /* One load that begins before the text is cheaper than several inside of it. */
        return brrt_load64(s + len - 8) >> (64 - 8 * len);
    }
    return brrt_load_short(s, len);
}

#define BRRT_HASH_MUL 0x9E3779B97F4A7C15u

/* Hash of a literal whose first bytes, zero padded, are `key`.  Words of a longer literal are read inside of it. */
static inline uint64_t brrt_hash(uint64_t key, const char *s, size_t len) {
    uint64_t hash = key * BRRT_HASH_MUL;
    if (len > 8) {
        size_t at = 8;
        for (; at + 8 < len; at += 8) {
            hash = ((hash ^ (hash >> 29)) + brrt_load64(s + at)) * BRRT_HASH_MUL;
        }
        hash = ((hash ^ (hash >> 29)) + brrt_load64(s + len - 8)) * BRRT_HASH_MUL;
    }
    return hash ^ (hash >> 32);
}

#endif
