/* The rules of a head that concern more than one field line; private to csrc. */
#ifndef BRRT_HEAD_RULES_H
#define BRRT_HEAD_RULES_H

#include "brrt_head.h"

/* Sets of BRRT_FIELD_*, one bit for each: those in a head, and those that are in it more than once. */
typedef struct brrt_head_ids {
    uint32_t present;
    uint32_t repeated;
} brrt_head_ids;

/* Check Host, Content-Length and Transfer-Encoding and set content_length and the bits of head->flags from the
 * fields.  Answers like brrt_head_index. */
brrt_status brrt_head_rules(const char *s, brrt_head *head, brrt_head_ids ids, size_t *where);

#endif
