/* See head_cases.h. */
#include "head_cases.h"

#include "test.h"

const brrt_head_limits usual_limits = {8384, 16384, 32768, 100};

brrt_status read_whole(const char *s, size_t len, const brrt_head_limits *limits, brrt_head *head, size_t *where) {
    uint32_t head_len = 0;
    *where = 0;
    brrt_status status = brrt_head_find(s, len, 0, limits, &head_len);
    return status == BRRT_OK ? brrt_head_index(s, head_len, limits, head, where) : status;
}

brrt_status find_in_pieces(const char *s, size_t len, size_t most, const brrt_head_limits *limits, uint32_t *head_len) {
    brrt_status status = BRRT_PARTIAL;
    size_t from = 0;
    while (status == BRRT_PARTIAL && from < len) {
        size_t to = from + 1 + random_below(most);
        to = to < len ? to : len;
        const char *copy = guarded(0, s, to);
        status = brrt_head_find(copy, to, from, limits, head_len);
        from = to;
    }
    return status;
}
