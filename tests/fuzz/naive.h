/* Decoders as slow and plain as can be, for comparison with those of csrc, of which they use nothing but types. */
#ifndef BRRT_FUZZ_NAIVE_H
#define BRRT_FUZZ_NAIVE_H

#include <stddef.h>

typedef enum naive_result { NAIVE_OK, NAIVE_BAD_ESCAPE, NAIVE_BAD_UTF8 } naive_result;

/* Whether s[0..len) is UTF-8, by the arithmetic of code points (RFC 3629 section 3). */
int naive_utf8(const char *s, size_t len);

/* Bytes of the code point at s, which is valid UTF-8. */
size_t naive_code_point(const char *s);

/* s[0..len) percent-decoded into out, which has room for len bytes; *out_len is as in brrt_percent_decode. */
naive_result naive_decode(const char *s, size_t len, int plus, char *out, size_t *out_len);

/* Whether one pair of a query string decodes to the name and, when it is not NULL, the value. */
int naive_query_has(const char *s, size_t len, const char *name, size_t name_len, const char *value, size_t value_len);

#endif
