/* Status codes of every function in csrc, in one list.
 *
 * X(name, value, http, text): `http` is the status that a server answers with when the code
 * came from a request (0: not an error of a request), `text` a short reason in plain words.
 */
#ifndef BRRT_STATUS_H
#define BRRT_STATUS_H

#define BRRT_STATUS_LIST(X)                                                                \
    X(OK, 0, 0, "ok")                                                                      \
    X(PARTIAL, 1, 0, "more bytes are needed")                                              \
    X(NOMEM, 2, 500, "out of memory")                                                      \
    X(NO_MATCH, 3, 404, "no template matches the path")                                    \
    X(NO_METHOD, 4, 405, "the path is known, the method is not")                           \
    X(BAD_ESCAPE, 5, 400, "a percent sign is not followed by two hexadecimal digits")      \
    X(BAD_UTF8, 6, 400, "the bytes are not UTF-8")                                         \
    X(NO_SPACE, 7, 500, "the caller's buffer is too small")                                \
    X(RANGE, 8, 0, "the number does not fit")                                              \
    X(SYNTAX, 9, 0, "the text does not have this form")                                    \
    X(TOO_MANY, 10, 400, "more items than the limit allows")                               \
    /* request line and head, RFC 9112 sections 2 to 6 and RFC 9110 section 5 */           \
    X(HEAD_METHOD, 20, 400, "the method is not a token")                                   \
    X(HEAD_TARGET, 21, 400, "the request target is malformed")                             \
    X(HEAD_VERSION, 22, 400, "the HTTP version is malformed")                              \
    X(HEAD_VERSION_UNSUPPORTED, 23, 505, "only HTTP/1.0 and HTTP/1.1 are served")          \
    X(HEAD_LINE_END, 24, 400, "a line does not end in CR LF")                              \
    X(HEAD_NAME, 25, 400, "a field name is not a token followed by a colon")               \
    X(HEAD_VALUE, 26, 400, "a field value has a control character")                        \
    X(HEAD_FOLD, 27, 400, "a field line is folded")                                        \
    X(HEAD_HOST_MISSING, 28, 400, "HTTP/1.1 needs exactly one Host field")                 \
    X(HEAD_HOST_REPEATED, 29, 400, "more than one Host field")                             \
    X(HEAD_HOST_INVALID, 30, 400, "the Host field is malformed")                           \
    X(HEAD_LENGTH, 31, 400, "Content-Length is malformed or contradicts itself")           \
    X(HEAD_LENGTH_AND_CODING, 32, 400, "Content-Length together with Transfer-Encoding")   \
    X(HEAD_CODING, 33, 501, "the only Transfer-Encoding understood is chunked")            \
    X(HEAD_CODING_10, 34, 400, "Transfer-Encoding in an HTTP/1.0 request")                 \
    X(HEAD_LINE_TOO_LONG, 35, 414, "the request line is too long")                         \
    X(HEAD_FIELD_TOO_LONG, 36, 431, "a field line is too long")                            \
    X(HEAD_TOO_LARGE, 37, 431, "the head is too large")                                    \
    X(HEAD_TOO_MANY_FIELDS, 38, 431, "too many header fields")                             \
    /* chunked coding, RFC 9112 section 7.1 */                                             \
    X(CHUNK_SIZE, 50, 400, "a chunk size is malformed")                                    \
    X(CHUNK_EXTENSION, 51, 400, "a chunk extension is malformed")                          \
    X(CHUNK_EXTENSION_TOO_LARGE, 52, 400, "the chunk extensions are too large")            \
    X(CHUNK_END, 53, 400, "a chunk does not end in CR LF")                                 \
    X(TRAILER, 54, 400, "a trailer field is malformed")                                    \
    X(TRAILER_TOO_LARGE, 55, 431, "the trailer section is too large")                      \
    /* path templates */                                                                   \
    X(TPL_START, 70, 0, "does not start with '/'")                                         \
    X(TPL_BRACE, 71, 0, "has a brace that does not open or close an expression")           \
    X(TPL_EMPTY_NAME, 72, 0, "has an expression without a name")                           \
    X(TPL_REPEATED_NAME, 73, 0, "uses the same name twice")                                \
    X(TPL_TOO_DEEP, 75, 0, "has more segments than the limit of 64")                       \
    X(TPL_TOO_MANY_CAPTURES, 76, 0, "has more expressions than the limit of 32")           \
    X(TPL_TOO_LONG, 77, 0, "is longer than the limit of 8,192 bytes")                      \
    X(TPL_ENCODING, 78, 0, "has a bad percent escape or is not UTF-8")                     \
    X(TPL_COLLISION, 79, 0, "matches the same paths with the same method as")              \
    X(TPL_METHOD, 80, 0, "has a method that is not a token")                               \
    X(TPL_TOO_MANY_METHODS, 81, 0, "brings more distinct methods than the limit of 32")    \
    X(TPL_FROZEN, 82, 0, "was added after the routes were frozen")

typedef enum brrt_status {
#define BRRT_STATUS_ENUM(name, value, http, text) BRRT_##name = (value),
    BRRT_STATUS_LIST(BRRT_STATUS_ENUM)
#undef BRRT_STATUS_ENUM
} brrt_status;

/* The text of a status; never NULL, static storage. */
const char *brrt_status_text(int status);
/* The name of a status without its prefix, "HEAD_FOLD"; never NULL, static storage. */
const char *brrt_status_name(int status);
/* The HTTP status that goes with it, 0 where it is no error of a request. */
int brrt_status_http(int status);

#endif
