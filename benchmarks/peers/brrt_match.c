/* csrc over routes and paths from two files, one in a line: brrt_match ROUTES PATHS PASSES.
 *
 * Prints a digest of all answers, which matchit_rs must print too, and the nanoseconds of CPU time per match. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "brrt_matcher.h"

enum { MOST = 4096, LONGEST = 512 };

typedef struct line {
    char *s;
    size_t len;
} line;

static size_t read_lines(const char *name, line *out) {
    char text[LONGEST];
    size_t count = 0;
    FILE *file = fopen(name, "r");
    while (file != NULL && count < MOST && fgets(text, sizeof text, file) != NULL) {
        size_t len = strcspn(text, "\n");
        out[count] = (line){malloc(len + 1), len};
        if (out[count].s == NULL) {
            abort();
        }
        memcpy(out[count++].s, text, len);
    }
    if (file != NULL) {
        fclose(file);
    }
    return count;
}

static brrt_match match_one(const brrt_matcher *matcher, line path) {
    brrt_match match;
    if (brrt_matcher_match(matcher, 0, path.s, path.len, NULL, 0, NULL, 0, &match) != BRRT_OK) {
        fprintf(stderr, "no match: %.*s\n", (int)path.len, path.s);
        exit(1);
    }
    return match;
}

int main(int argc, char **argv) {
    static line routes[MOST], paths[MOST];
    if (argc != 4) {
        return 2;
    }
    size_t route_count = read_lines(argv[1], routes), path_count = read_lines(argv[2], paths);
    long passes = atol(argv[3]);
    brrt_builder *builder = brrt_builder_new();
    for (size_t i = 0; i < route_count; i++) {
        brrt_template info;
        uint32_t other;
        if (brrt_builder_add(builder, "GET", 3, routes[i].s, routes[i].len, &info, &other) != BRRT_OK) {
            fprintf(stderr, "refused: %.*s\n", (int)routes[i].len, routes[i].s);
            return 1;
        }
    }
    brrt_matcher *matcher = brrt_builder_freeze(builder, 0);
    brrt_builder_free(builder);
    uint64_t digest = 0;
    for (size_t i = 0; i < path_count; i++) {
        brrt_match match = match_one(matcher, paths[i]);
        digest = digest * 31 + match.route;
        for (uint32_t k = 0; k < match.count; k++) {
            digest = digest * 31 + match.captures[k].len;
        }
    }
    clock_t start = clock();
    for (long pass = 0; pass < passes; pass++) {
        for (size_t i = 0; i < path_count; i++) {
            brrt_match match;
            brrt_status status =
                brrt_matcher_match(matcher, 0, paths[i].s, paths[i].len, NULL, 0, NULL, 0, &match);
            /* Makes the compiler believe that the answer is used. */
            __asm__ volatile("" : : "r"(&match), "r"(status) : "memory");
        }
    }
    double nanoseconds = (double)(clock() - start) * (1e9 / CLOCKS_PER_SEC);
    printf("%llu %.3f\n", (unsigned long long)digest, nanoseconds / (double)passes / (double)path_count);
    brrt_matcher_free(matcher);
    return 0;
}
