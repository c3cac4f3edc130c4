/* Reading heads the way a connection does, for the suites about heads. */
#ifndef BRRT_HEAD_CASES_H
#define BRRT_HEAD_CASES_H

#include "brrt_head.h"

extern const brrt_head_limits usual_limits;

/* Find and index the head at the start of s[0..len) whole.  *where is the offset of an error of the index. */
brrt_status read_whole(const char *s, size_t len, const brrt_head_limits *limits, brrt_head *head, size_t *where);

/* Feed s[0..len) to brrt_head_find in pieces of 1 to `most` bytes; the status and length that it ended with. */
brrt_status find_in_pieces(const char *s, size_t len, size_t most, const brrt_head_limits *limits, uint32_t *head_len);

#endif
