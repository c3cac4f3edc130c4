/* What the fuzz targets share.  Each is a file with LLVMFuzzerTestOneInput, which libFuzzer or replay.c calls. */
#ifndef BRRT_FUZZ_H
#define BRRT_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A claim that every input has to satisfy; the message names what disagreed. */
#define MUST(condition, ...)                                                                                           \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: not so: %s: ", __FILE__, __LINE__, #condition);                                    \
            fprintf(stderr, __VA_ARGS__);                                                                              \
            fputc('\n', stderr);                                                                                       \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* A copy of exactly `len` bytes on the heap, so that AddressSanitizer sees one byte read beyond it. */
static inline char *exact(const void *bytes, size_t len) {
    char *copy = malloc(len == 0 ? 1 : len);
    if (copy == NULL) {
        abort();
    }
    if (len != 0) {
        memcpy(copy, bytes, len);
    }
    return copy;
}

/* The same with `before` bytes in front of the copy, which change its alignment; free the result less `before`. */
static inline char *exact_after(const void *bytes, size_t len, size_t before) {
    char *block = malloc(before + len + (before + len == 0));
    if (block == NULL) {
        abort();
    }
    memset(block, '/', before);
    if (len != 0) {
        memcpy(block + before, bytes, len);
    }
    return block + before;
}

#endif
