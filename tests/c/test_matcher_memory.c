/* Builder and freeze when memory runs out: their sources once more, with allocations that fail on call. */
#include <stdlib.h>

#include "test.h"

static long allowed; /* allocations until all fail */
static long live;

static void *counted(void *made) {
    live += made != NULL;
    return made;
}

static void *failing_malloc(size_t size) { return allowed-- > 0 ? counted(malloc(size)) : NULL; }

static void *failing_calloc(size_t count, size_t size) { return allowed-- > 0 ? counted(calloc(count, size)) : NULL; }

static void *failing_realloc(void *old, size_t size) {
    if (allowed-- <= 0) {
        return NULL;
    }
    live -= old != NULL;
    return counted(realloc(old, size));
}

static void counting_free(void *old) {
    live -= old != NULL;
    free(old);
}

/* Names of their own for the second copy; matcher.c stays as it is, the frozen block has the same layout. */
#define brrt_builder_new memory_builder_new
#define brrt_builder_free memory_builder_free
#define brrt_builder_add memory_builder_add
#define brrt_builder_freeze memory_builder_freeze
#define brrt_same_predicates memory_same_predicates
#define malloc failing_malloc
#define calloc failing_calloc
#define realloc failing_realloc
#define free counting_free
#include "builder.c"
#include "freeze.c"

enum { COUNT = 400 };

/* Build, freeze and match with `budget` allocations; whether that was enough. */
static int attempt(long budget) {
    int done = 0;
    allowed = budget;
    brrt_matcher *m = NULL;
    brrt_builder *b = brrt_builder_new();
    for (int i = 0; b != NULL && i < COUNT; i++) {
        char tpl[80];
        brrt_template info;
        uint32_t other;
        int len = snprintf(tpl, sizeof tpl, "/api/resource%d/{id}.%d/x%d-{y}?q%d=%d", i, i % 7, i % 3, i % 5, i);
        brrt_status status = brrt_builder_add(b, "GET", 3, tpl, (size_t)len, &info, &other);
        CHECK(status == BRRT_OK || status == BRRT_NOMEM, "%s with %ld: %s", tpl, budget, brrt_status_name((int)status));
        if (status != BRRT_OK) {
            saw_status((int)status);
            brrt_builder_free(b);
            b = NULL;
        }
    }
    if (b != NULL) {
        m = brrt_builder_freeze(b, BRRT_AUTO_HEAD);
        brrt_builder_free(b);
    }
    if (m != NULL) {
        brrt_match found;
        brrt_status status = brrt_matcher_match(m, 0, BYTES("/api/resource9/7.2/x0-z"), BYTES("q4=9"), NULL, 0, &found);
        CHECK(status == BRRT_OK && found.route == 9 && found.count == 2, "%s", brrt_status_name((int)status));
        done = 1;
        counting_free(m);
    }
    CHECK(live == 0, "%ld blocks are left with %ld allocations", live, budget);
    return done;
}

void test_matcher_memory(void) {
    long budget = 0;
    while (!attempt(budget) && budget < 1000) {
        budget++;
    }
    CHECK(budget > 10 && budget < 1000, "%ld allocations were enough", budget);
}
