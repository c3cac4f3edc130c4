/* The head of an HTTP/1.1 request: where it ends, and an index of what is in it (RFC 9112, RFC 9110).
 *
 * These functions are the strict one of two readers.  The other is llhttp; the protocol compares what
 * the two say about where a message ends.  Everything is an offset into the caller's bytes, nothing is
 * copied, kept or allocated, and never a byte at or beyond `len` is read.
 */
#ifndef BRRT_HEAD_H
#define BRRT_HEAD_H

#include <stddef.h>
#include <stdint.h>

#include "brrt_status.h"
#include "brrt_text.h"

#define BRRT_HEAD_MAX_FIELDS 256 /* the hard limit; the caller's own limit is in brrt_head_limits */

typedef struct brrt_head_limits {
    uint32_t line;   /* bytes of the request line without CR LF: 414 beyond */
    uint32_t field;  /* bytes of one field line without CR LF: 431 beyond */
    uint32_t total;  /* bytes of the head with its last CR LF: 431 beyond (431 is also for a head that never ends) */
    uint32_t fields; /* number of field lines, at most BRRT_HEAD_MAX_FIELDS: 431 beyond */
} brrt_head_limits;

/* Fields whose names the server itself knows; the rest are OTHER.  X(name, spelling in lower case) */
#define BRRT_FIELD_LIST(X)                        \
    X(OTHER, "")                                  \
    X(HOST, "host")                               \
    X(CONTENT_LENGTH, "content-length")           \
    X(TRANSFER_ENCODING, "transfer-encoding")     \
    X(CONNECTION, "connection")                   \
    X(CONTENT_TYPE, "content-type")               \
    X(EXPECT, "expect")                           \
    X(COOKIE, "cookie")                           \
    X(UPGRADE, "upgrade")                         \
    X(AUTHORIZATION, "authorization")             \
    X(ACCEPT, "accept")

enum {
#define BRRT_FIELD_ENUM(name, spelling) BRRT_FIELD_##name,
    BRRT_FIELD_LIST(BRRT_FIELD_ENUM)
#undef BRRT_FIELD_ENUM
    BRRT_FIELD_COUNT
};

typedef struct brrt_field {
    uint32_t name_off;
    uint32_t value_off; /* without surrounding SP and HTAB */
    uint32_t value_len;
    uint16_t name_len;
    uint16_t id; /* BRRT_FIELD_* */
} brrt_field;

/* Bits of brrt_head.flags */
enum {
    BRRT_HEAD_KEEP_ALIVE = 1,      /* the connection may persist (RFC 9112 9.3): version and Connection considered */
    BRRT_HEAD_CHUNKED = 2,         /* Transfer-Encoding is exactly `chunked`, once, case-insensitively */
    BRRT_HEAD_HAS_LENGTH = 4,      /* content_length is set */
    BRRT_HEAD_EXPECT_CONTINUE = 8, /* HTTP/1.1 and Expect is `100-continue`, case-insensitively */
    BRRT_HEAD_EXPECT_OTHER = 16,   /* HTTP/1.1 and some other expectation: 417 */
    BRRT_HEAD_UPGRADE = 32,        /* HTTP/1.1, an Upgrade field, and `upgrade` among the Connection options */
    BRRT_HEAD_HAS_UPGRADE = 64,    /* an Upgrade field at all */
    BRRT_HEAD_ASTERISK = 128,      /* the target is `*` */
    BRRT_HEAD_LATER_MINOR = 256    /* HTTP/1.2 to HTTP/1.9, served as HTTP/1.1 (RFC 9110 2.5) */
};

typedef struct brrt_head {
    brrt_span method;
    brrt_span target; /* as sent */
    /* Path and query of the target in origin-form or absolute-form (RFC 9112 3.2.1, 3.2.2), undecoded.
     * An absolute-form without a path has an empty `path`, to be read as "/".  For `*` (OPTIONS only) and for the
     * authority-form (CONNECT only) `path` is the target itself. */
    brrt_span path;
    brrt_span query; /* without '?', empty when there is none */
    uint32_t minor;  /* 0 or 1: HTTP/1.0 or HTTP/1.1; 1 for later ones too */
    uint32_t flags;
    uint64_t content_length;
    uint32_t head_len; /* bytes from the start of the buffer up to the body */
    uint32_t count;    /* fields written */
    int16_t first[BRRT_FIELD_COUNT]; /* index of the first field with that id, -1 when there is none */
    brrt_field fields[BRRT_HEAD_MAX_FIELDS];
} brrt_head;

/* Look for the end of a head in s[0..len), of which s[0..from) was already searched without success.
 * Leading empty lines (CR LF) before a request line are not skipped here: the caller drops at most one, see
 * brrt_head_skip.  Returns OK and the length of the head in *head_len, or PARTIAL, or the error that is certain
 * already: HEAD_LINE_TOO_LONG, HEAD_TOO_LARGE (by `limits`), or HEAD_METHOD when the first byte cannot start a
 * method (a TLS client hello, a stray body). */
brrt_status brrt_head_find(const char *s, size_t len, size_t from, const brrt_head_limits *limits, uint32_t *head_len);

/* How many bytes of one leading empty line (CR LF) to ignore before a request line (RFC 9112 2.2): 0 or 2. */
size_t brrt_head_skip(const char *s, size_t len);

/* Index the head s[0..len), where len is the length that brrt_head_find gave.
 * OK: *out is filled.  Otherwise the first rule that is broken, and *where is the offset of the offending byte.
 *
 * Rules, beside those of the flags above: request-line = method SP request-target SP HTTP-version CR LF with
 * single spaces; method is a token; target has only bytes 0x21-0x7E and is origin-form, absolute-form with scheme
 * http or https and a non-empty valid authority, `*` with OPTIONS, or authority-form with CONNECT, and has no '#';
 * every line ends in CR LF, a bare CR, bare LF or NUL is an error; a field name is a token directly followed by
 * ':'; values hold HTAB, 0x20-0x7E and 0x80-0xFF; a line that starts with SP or HTAB is HEAD_FOLD; Host exactly
 * once in HTTP/1.1 (at most once in 1.0), empty or uri-host [":" port] by RFC 3986 3.2.2 without userinfo, port 0
 * to 65535 or empty; Content-Length only digits, fitting 63 bits, repeated or listed values are an error even when
 * equal; Transfer-Encoding anything but one `chunked` is HEAD_CODING, an empty one too; both lengths are an error;
 * HTTP/1.0 with Transfer-Encoding is an error; versions of the form HTTP/d.d with another first digit than 1 are
 * HEAD_VERSION_UNSUPPORTED (case-sensitive "HTTP"), and a second digit above 1 counts as 1. */
brrt_status brrt_head_index(const char *s, size_t len, const brrt_head_limits *limits, brrt_head *out, size_t *where);

/* Chunked bodies (RFC 9112 section 7.1).  Set to zero bytes and set the limits before the first call. */
typedef struct brrt_chunked {
    uint64_t left;      /* bytes of the current chunk still to come */
    uint64_t total;     /* bytes of content seen */
    uint32_t state;     /* private */
    uint32_t digits;    /* private */
    uint32_t extension; /* bytes of chunk extensions so far */
    uint32_t trailer;   /* bytes of the trailer section so far */
    uint32_t line;      /* private */
    uint32_t extension_limit;
    uint32_t trailer_limit;
} brrt_chunked;

/* Read s[0..len).  *used is how many bytes belong to the chunked body.
 * OK: the body ended, *used bytes from the start of this call.  PARTIAL: all of it was used, more is needed.
 * Otherwise the error, *used is the offset of the offending byte.  After OK or an error call it no more.
 * Chunk sizes: 1 to 16 hexadecimal digits, value fitting 63 bits; extensions by the grammar of 7.1.1 (with BWS);
 * trailer lines by the rules of header fields; every line ends in CR LF. */
brrt_status brrt_chunked_read(brrt_chunked *state, const char *s, size_t len, size_t *used);

#endif
