"""The only place where Cython meets C: declarations of csrc, nothing else."""

from libc.stdint cimport int16_t, int64_t, uint16_t, uint32_t, uint64_t


cdef extern from "brrt_status.h" nogil:
    ctypedef enum brrt_status:
        BRRT_OK
        BRRT_PARTIAL
        BRRT_NOMEM
        BRRT_NO_MATCH
        BRRT_NO_METHOD
        BRRT_BAD_ESCAPE
        BRRT_BAD_UTF8
        BRRT_NO_SPACE
        BRRT_RANGE
        BRRT_SYNTAX
        BRRT_TOO_MANY
        BRRT_TPL_COLLISION
    const char *brrt_status_text(int status)
    const char *brrt_status_name(int status)
    int brrt_status_http(int status)


cdef extern from "brrt_text.h" nogil:
    ctypedef struct brrt_span:
        uint32_t off
        uint32_t len
    enum:
        BRRT_HAS_PERCENT
        BRRT_HAS_HIGH
        BRRT_HAS_PLUS
    unsigned brrt_scan(const char *s, size_t len)
    bint brrt_utf8_valid(const char *s, size_t len)
    brrt_status brrt_percent_decode(const char *s, size_t len, int plus, char *out, size_t *out_len)
    ctypedef struct brrt_pair:
        brrt_span name
        brrt_span value
        int has_value
    brrt_status brrt_query_split(const char *s, size_t len, brrt_pair *out, size_t cap, size_t *count)
    brrt_status brrt_parse_int64(const char *s, size_t len, int64_t *out)
    bint brrt_is_number(const char *s, size_t len)
    brrt_status brrt_parse_bool(const char *s, size_t len, int *out)
    bint brrt_has_digits(const char *s, size_t len, size_t count)
    size_t brrt_json_depth(const char *s, size_t len, size_t limit)


cdef extern from "brrt_matcher.h" nogil:
    enum:
        BRRT_MAX_CAPTURES
        BRRT_MAX_METHODS
        BRRT_AUTO_HEAD
        BRRT_SLASH_IGNORE
    ctypedef struct brrt_template:
        uint32_t path_len
        brrt_span query
        int has_fragment
        uint32_t name_count
        brrt_span names[32]
    ctypedef struct brrt_builder:
        pass
    ctypedef struct brrt_matcher:
        pass
    brrt_status brrt_template_parse(const char *s, size_t len, brrt_template *out)
    brrt_builder *brrt_builder_new()
    void brrt_builder_free(brrt_builder *builder)
    brrt_status brrt_builder_add(brrt_builder *builder, const char *method, size_t method_len, const char *tpl,
                                 size_t len, brrt_template *info, uint32_t *other)
    brrt_matcher *brrt_builder_freeze(const brrt_builder *builder, unsigned options)
    void brrt_matcher_free(brrt_matcher *matcher)
    ctypedef struct brrt_match:
        uint32_t route
        uint32_t allowed
        uint32_t visits
        uint32_t count
        int high
        const char *base
        brrt_span captures[32]
    int brrt_matcher_method(const brrt_matcher *matcher, const char *method, size_t len)
    const char *brrt_matcher_method_name(const brrt_matcher *matcher, int id, size_t *len)
    brrt_status brrt_matcher_try(const brrt_matcher *matcher, int method, const char *path, size_t len,
                                 brrt_match *out)
    brrt_status brrt_matcher_match(const brrt_matcher *matcher, int method, const char *path, size_t len,
                                   const char *query, size_t query_len, char *scratch, size_t scratch_len,
                                   brrt_match *out)
    uint32_t brrt_matcher_nodes(const brrt_matcher *matcher)
    size_t brrt_matcher_bytes(const brrt_matcher *matcher)


cdef extern from "brrt_head.h" nogil:
    enum:
        BRRT_HEAD_MAX_FIELDS
        BRRT_FIELD_OTHER
        BRRT_FIELD_HOST
        BRRT_FIELD_CONTENT_LENGTH
        BRRT_FIELD_TRANSFER_ENCODING
        BRRT_FIELD_CONNECTION
        BRRT_FIELD_CONTENT_TYPE
        BRRT_FIELD_EXPECT
        BRRT_FIELD_COOKIE
        BRRT_FIELD_UPGRADE
        BRRT_FIELD_AUTHORIZATION
        BRRT_FIELD_ACCEPT
        BRRT_FIELD_COUNT
    enum:
        BRRT_HEAD_KEEP_ALIVE
        BRRT_HEAD_CHUNKED
        BRRT_HEAD_HAS_LENGTH
        BRRT_HEAD_EXPECT_CONTINUE
        BRRT_HEAD_EXPECT_OTHER
        BRRT_HEAD_UPGRADE
        BRRT_HEAD_HAS_UPGRADE
        BRRT_HEAD_ASTERISK
        BRRT_HEAD_LATER_MINOR
    ctypedef struct brrt_head_limits:
        uint32_t line
        uint32_t field
        uint32_t total
        uint32_t fields
    ctypedef struct brrt_field:
        uint32_t name_off
        uint32_t value_off
        uint32_t value_len
        uint16_t name_len
        uint16_t id
    ctypedef struct brrt_head:
        brrt_span method
        brrt_span target
        brrt_span path
        brrt_span query
        uint32_t minor
        uint32_t flags
        uint64_t content_length
        uint32_t head_len
        uint32_t count
        int16_t first[11]
        brrt_field fields[256]
    brrt_status brrt_head_find(const char *s, size_t len, size_t from_, const brrt_head_limits *limits,
                               uint32_t *head_len)
    size_t brrt_head_skip(const char *s, size_t len)
    brrt_status brrt_head_index(const char *s, size_t len, const brrt_head_limits *limits, brrt_head *out,
                                size_t *where)
    ctypedef struct brrt_chunked:
        uint64_t left
        uint64_t total
        uint32_t state
        uint32_t digits
        uint32_t extension
        uint32_t trailer
        uint32_t line
        uint32_t extension_limit
        uint32_t trailer_limit
    brrt_status brrt_chunked_read(brrt_chunked *state, const char *s, size_t len, size_t *used)
