/* Decoding of text: percent escapes, UTF-8, query strings, scalars.
 *
 * Every function reads `len` bytes from `s` and never one more, writes only into buffers of the
 * caller and keeps no state.  Input need not end in NUL.  Nothing is allocated.
 */
#ifndef BRRT_TEXT_H
#define BRRT_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "brrt_status.h"

/* A piece of the caller's bytes. */
typedef struct brrt_span {
    uint32_t off;
    uint32_t len;
} brrt_span;

/* What brrt_scan found in a text; a bit set. */
enum { BRRT_HAS_PERCENT = 1, BRRT_HAS_HIGH = 2, BRRT_HAS_PLUS = 4 };

/* Which of '%', bytes above 0x7F and '+' occur in the text.  One pass. */
unsigned brrt_scan(const char *s, size_t len);

/* Whether the text is UTF-8 by RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF. */
int brrt_utf8_valid(const char *s, size_t len);

/* Percent-decode (RFC 3986 section 2.1) into `out`, which has room for `len` bytes and may be `s` itself.
 * With `plus` not zero '+' becomes a space (application/x-www-form-urlencoded).
 * OK: *out_len bytes were written; they are UTF-8 too, else BAD_UTF8.
 * BAD_ESCAPE: '%' without two hexadecimal digits; *out_len is then the offset of that '%' in `s`. */
brrt_status brrt_percent_decode(const char *s, size_t len, int plus, char *out, size_t *out_len);

/* One `name=value` of a query string, undecoded.  A pair without '=' has has_value 0 and an empty value. */
typedef struct brrt_pair {
    brrt_span name;
    brrt_span value;
    int has_value;
} brrt_pair;

/* Split a query string on '&'; empty pieces are skipped, order and duplicates are kept.
 * OK: *count pairs were written.  TOO_MANY: there are more than `cap` pairs; `cap` were written. */
brrt_status brrt_query_split(const char *s, size_t len, brrt_pair *out, size_t cap, size_t *count);

/* Whether a query string holds a pair whose decoded name is name[0..name_len) and, when value is not
 * NULL, whose decoded value is value[0..value_len).  Bad escapes compare unequal.  No buffer is needed. */
int brrt_query_has(const char *s, size_t len, const char *name, size_t name_len, const char *value, size_t value_len);

/* The JSON grammar of an integer, `-?(0|[1-9][0-9]*)` (RFC 8259 section 6 without fraction and exponent).
 * OK: *out.  RANGE: it is an integer that does not fit int64.  SYNTAX: it is none. */
brrt_status brrt_parse_int64(const char *s, size_t len, int64_t *out);

/* Whether the text has the JSON grammar of a number (RFC 8259 section 6). */
int brrt_is_number(const char *s, size_t len);

/* Exactly `true` or `false`.  OK: *out is 1 or 0.  SYNTAX: neither. */
brrt_status brrt_parse_bool(const char *s, size_t len, int *out);

/* Whether the text has `count` decimal digits in a row; count is not 0. */
int brrt_has_digits(const char *s, size_t len, size_t count);

/* The deepest nesting of '[' and '{' outside of strings in a JSON text, stopping early once it is above
 * `limit`.  The text need not be valid JSON. */
size_t brrt_json_depth(const char *s, size_t len, size_t limit);

#endif
