/* A small harness.  A suite is a file with `void test_NAME(void)`, listed in SUITES below. */
#ifndef BRRT_TEST_H
#define BRRT_TEST_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define SUITES(X)                                                                                                      \
    X(head_index)                                                                                                      \
    X(head_hosts)                                                                                                      \
    X(head_find)                                                                                                       \
    X(head_fuzz)                                                                                                       \
    X(chunked)                                                                                                         \
    X(text)                                                                                                            \
    X(query)                                                                                                           \
    X(scalar)                                                                                                          \
    X(matcher)                                                                                                         \
    X(matcher_memory)                                                                                                  \
    X(status) /* last: asks what the others have seen */

#define SUITE_DECLARE(name) void test_##name(void);
SUITES(SUITE_DECLARE)
#undef SUITE_DECLARE

/* Count one check; on failure print where, the condition and a printf-style message naming the case. */
#define CHECK(condition, ...) check((condition) != 0, __FILE__, __LINE__, #condition, __VA_ARGS__)

__attribute__((format(printf, 5, 6))) void check(int passed, const char *file, int line, const char *condition,
                                                 const char *message, ...);

/* Copies of the same bytes: one ends directly before a page that cannot be read, one begins directly after one.
 * Each is valid until the next call for the same side and may be written to. */
enum { GUARD_SIDES = 2, GUARD_ROOM = 1 << 18 };
char *guarded(int side, const void *bytes, size_t len);

/* Deterministic numbers. */
uint64_t random_next(void);
size_t random_below(size_t bound);

/* A mutation of bytes[0..len), room for `room`: some bytes changed, inserted, removed or repeated.  `palette` holds
 * the bytes that matter to the grammar.  The new length. */
size_t random_mutate(char *bytes, size_t len, size_t room, const char *palette, size_t palette_len);

/* Fold a result into the digest that main prints; builds with and without SIMD must print the same. */
void digest(uint64_t value);

/* Note that a status was produced; test_status runs last and asks. */
void saw_status(int status);
int was_status_seen(int status);

/* A literal with NULs, as two arguments. */
#define BYTES(literal) literal, sizeof(literal) - 1

#endif
