/* Where a head ends and what is in it, see brrt_head.h.  Rules about several fields are in head_rules.c. */
#include "brrt_head.h"

#include "brrt_authority.h"
#include "brrt_bytes.h"
#include "brrt_head_rules.h"
#include "brrt_simd.h"

/* ---- the end of a head ---- */

/* The offset after the empty line whose preceding LF is perhaps at s[i], i + 1 < len; 0 when it is not there. */
static inline size_t empty_line_at(const char *s, size_t i, size_t len) {
    if (s[i] != '\n') {
        return 0;
    }
    if (s[i + 1] == '\n') {
        return i + 2;
    }
    return s[i + 1] == '\r' && i + 2 < len && s[i + 2] == '\n' ? i + 3 : 0;
}

static size_t short_empty_line_end(const char *s, size_t from, size_t len) {
    size_t end = 0;
    for (size_t i = from; end == 0 && i + 1 < len; i++) {
        end = empty_line_at(s, i, len);
    }
    return end;
}

/* Where in the vector at p a LF is followed by another one, or by one with a byte between. */
static inline brrt_v maybe_empty_line(const char *p) {
    brrt_v next = brrt_v_or(brrt_v_eq(brrt_v_load(p + 1), '\n'), brrt_v_eq(brrt_v_load(p + 2), '\n'));
    return brrt_v_and(brrt_v_eq(brrt_v_load(p), '\n'), next);
}

/* The offset after the first empty line in s[from..len), 0 when there is none.  A line that ends in a bare LF ends
 * too: brrt_head_index is to refuse such a head at once instead of a client waiting for more of it. */
static size_t empty_line_end(const char *s, size_t from, size_t len) {
    enum { STEP = BRRT_V_BYTES, WINDOW = STEP + 2 };
    if (len < WINDOW) {
        return short_empty_line_end(s, from, len);
    }
    size_t last = len - WINDOW;
    size_t i = from < last ? from : last;
    for (; i + 4 * STEP <= last; i += 4 * STEP) {
        brrt_v first_half = brrt_v_or(maybe_empty_line(s + i), maybe_empty_line(s + i + STEP));
        brrt_v other_half = brrt_v_or(maybe_empty_line(s + i + 2 * STEP), maybe_empty_line(s + i + 3 * STEP));
        if (brrt_v_bits(brrt_v_or(first_half, other_half)) != 0) {
            break;
        }
    }
    for (;;) {
        for (uint64_t bits = brrt_v_bits(maybe_empty_line(s + i)); bits != 0; bits &= bits - 1) {
            size_t end = empty_line_at(s, i + brrt_v_first(bits), len);
            if (end != 0) {
                return end;
            }
        }
        if (i == last) {
            return empty_line_at(s, len - 2, len); /* the one place that no window begins at */
        }
        i = i + STEP < last ? i + STEP : last;
    }
}

size_t brrt_head_skip(const char *s, size_t len) {
    return len >= 2 && s[0] == '\r' && s[1] == '\n' ? 2 : 0;
}

brrt_status brrt_head_find(const char *s, size_t len, size_t from, const brrt_head_limits *limits, uint32_t *head_len) {
    if (len == 0) {
        return BRRT_PARTIAL;
    }
    if (!brrt_is(s[0], BRRT_IS_TOKEN) && !(len == 1 && s[0] == '\r')) {
        return BRRT_HEAD_METHOD; /* a lone CR may become the empty line that brrt_head_skip drops */
    }
    size_t seen = len < limits->total ? len : limits->total;
    size_t end = from < seen ? empty_line_end(s, from < 2 ? 0 : from - 2, seen) : 0;
    size_t line = (size_t)limits->line + 2;
    if (from < line && line <= (end != 0 ? end : seen) && memchr(s, '\n', line) == NULL) {
        return BRRT_HEAD_LINE_TOO_LONG;
    }
    if (end == 0) {
        return len >= limits->total ? BRRT_HEAD_TOO_LARGE : BRRT_PARTIAL;
    }
    *head_len = (uint32_t)end;
    return BRRT_OK;
}

/* ---- the index ---- */

/* Each reader below takes the first byte of its part and gives the byte after it, or NULL after fail().
 *
 * The last byte before `end` is a LF, and no search goes beyond a LF: a part that begins before `end` stops before it
 * too, so that only the first byte of a part needs to be compared with `end`. */
typedef struct reader {
    const char *s;
    const char *end;
    const char *failed_at;
    brrt_status status;
} reader;

#define BRRT_COLD __attribute__((cold, noinline))

/* The rule `status` is broken by the byte at p; at the end of the bytes that only means that more are needed. */
BRRT_COLD static const char *fail(reader *r, const char *p, brrt_status status) {
    r->failed_at = p;
    r->status = p == r->end ? BRRT_PARTIAL : status;
    return NULL;
}

/* Whether CR LF is at p, which is before the end: a CR is not the last byte. */
static inline int is_crlf(const char *p) {
    return p[0] == '\r' && p[1] == '\n';
}

static inline uint32_t offset_of(const reader *r, const char *p) {
    return (uint32_t)(p - r->s);
}

static inline brrt_span span_of(const reader *r, const char *from, const char *to) {
    return (brrt_span){offset_of(r, from), (uint32_t)(to - from)};
}

/* The first byte from p on that is no tchar. */
static inline const char *token_end(const char *p) {
    while (brrt_is(*p, BRRT_IS_TOKEN)) {
        p++;
    }
    return p;
}

/* RFC 9112 3.2: a target is made of visible ASCII; '#' starts a fragment, which is never sent. */
static inline brrt_v outside_target(brrt_v v) {
    return brrt_v_or(brrt_v_outside(v, '!', '~'), brrt_v_eq(v, '#'));
}

static inline brrt_v outside_path(brrt_v v) {
    return brrt_v_or(outside_target(v), brrt_v_eq(v, '?'));
}

/* RFC 9110 5.5: controls other than HTAB do not belong in a value. */
static inline brrt_v outside_value(brrt_v v) {
    brrt_v control = brrt_v_or(brrt_v_range(v, '\0', '\x1F'), brrt_v_eq(v, '\x7F'));
    return brrt_v_and_not(control, brrt_v_eq(v, '\t'));
}

/* The byte at p is a CR or LF, or one that breaks the rule `status`. */
BRRT_COLD static const char *fail_or_line_end(reader *r, const char *p, brrt_status status) {
    return fail(r, p, *p == '\r' || *p == '\n' ? BRRT_HEAD_LINE_END : status);
}

static int method_is(const reader *r, const brrt_head *head, const char *method, size_t len) {
    return head->method.len == len && memcmp(r->s + head->method.off, method, len) == 0;
}

/* The length of "http://" or "https://" at p, 0 when it is neither (RFC 3986 3.1: in any case). */
static size_t scheme_length(const char *p, const char *end) {
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t n = strlen(schemes[i]);
        if ((size_t)(end - p) >= n && brrt_equals_folded(p, n, schemes[i], n)) {
            return n;
        }
    }
    return 0;
}

/* RFC 9112 3.2.2 to 3.2.4: a target other than the origin-form, all of [p, stop), whose path and query were split as
 * those of an origin-form. */
static const char *read_other_form(reader *r, const char *p, const char *stop, brrt_head *head) {
    const char *error = NULL;
    if (method_is(r, head, "CONNECT", 7)) {
        error = brrt_authority_error(r->s, p, stop, 1);
        head->path = span_of(r, p, stop);
        head->query = span_of(r, stop, stop);
    } else if (*p == '*') {
        error = stop - p == 1 && method_is(r, head, "OPTIONS", 7) ? NULL : p;
        head->flags |= BRRT_HEAD_ASTERISK;
    } else {
        const char *authority = p + scheme_length(p, stop);
        const char *path_end = p + head->path.len;
        const char *path = authority;
        while (path < path_end && *path != '/') {
            path++;
        }
        error = authority == p ? p : brrt_authority_error(r->s, authority, path, 0);
        head->path = span_of(r, path, path_end);
    }
    return error == NULL ? stop : fail(r, error, BRRT_HEAD_TARGET);
}

static inline const char *read_target(reader *r, const char *p, brrt_head *head) {
    const char *path_end = brrt_v_find(r->s, p, r->end, outside_path);
    const char *query = path_end;
    const char *stop = path_end;
    if (*stop == '?') {
        query = stop + 1;
        stop = brrt_v_find(r->s, query, r->end, outside_target);
    }
    if (*stop != ' ' || stop == p) {
        return is_crlf(stop) ? fail(r, stop, BRRT_HEAD_VERSION) /* HTTP/0.9 */
                             : fail_or_line_end(r, stop, BRRT_HEAD_TARGET);
    }
    head->target = span_of(r, p, stop);
    head->path = span_of(r, p, path_end);
    head->query = span_of(r, query, stop);
    int connect = head->method.len == 7 && method_is(r, head, "CONNECT", 7);
    return *p == '/' && !connect ? stop : read_other_form(r, p, stop, head);
}

/* RFC 9112 2.3: neither HTTP/1.1 nor HTTP/1.0 is at p.  RFC 9110 2.5: a later minor version is served as HTTP/1.1.
 * Gives the CR LF after it. */
BRRT_COLD static const char *read_other_version(reader *r, const char *p, brrt_head *head) {
    static const char form[] = "HTTP/d.d";
    for (size_t i = 0; form[i] != '\0'; i++) {
        const char *at = p + i;
        if (!(form[i] == 'd' ? brrt_is_digit(*at) : *at == form[i])) {
            return fail(r, at, BRRT_HEAD_VERSION);
        }
    }
    const char *after = p + 8;
    if (!is_crlf(after)) {
        return fail_or_line_end(r, after, BRRT_HEAD_VERSION);
    }
    if (p[5] != '1') {
        return fail(r, p, BRRT_HEAD_VERSION_UNSUPPORTED);
    }
    head->flags |= BRRT_HEAD_LATER_MINOR;
    return after;
}

/* request-line = method SP request-target SP HTTP-version, and its CR LF */
static inline const char *read_request_line(reader *r, const char *line, uint32_t limit, brrt_head *head) {
    static const uint64_t version_10 = UINT64_C(0x302E312F50545448); /* "HTTP/1.0", the first byte lowest */
    static const uint64_t version_11 = UINT64_C(0x312E312F50545448);
    const char *p = token_end(line);
    if (p == line || *p != ' ') {
        return fail(r, p, BRRT_HEAD_METHOD);
    }
    head->method = span_of(r, line, p);
    p = read_target(r, p + 1, head);
    if (p == NULL) {
        return NULL;
    }
    p++;
    uint64_t version = r->end - p >= 10 ? brrt_load64(p) : 0;
    if (((version != version_11 && version != version_10) || !is_crlf(p + 8)) && !read_other_version(r, p, head)) {
        return NULL;
    }
    head->minor = version != version_10;
    return (size_t)(p + 8 - line) <= limit ? p + 10 : fail(r, line + limit, BRRT_HEAD_LINE_TOO_LONG);
}

/* ---- field lines ---- */

#define FIELD_SLOTS 32
#define FIELD_SLOT(len, initial) (((len) + ((unsigned char)(initial) & 31)) % FIELD_SLOTS)

/* The known field of each slot; two of them in one slot would be a compiler's warning. */
static const uint8_t field_of_slot[FIELD_SLOTS] = {
    [FIELD_SLOT(4, 'h')] = BRRT_FIELD_HOST,
    [FIELD_SLOT(14, 'c')] = BRRT_FIELD_CONTENT_LENGTH,
    [FIELD_SLOT(17, 't')] = BRRT_FIELD_TRANSFER_ENCODING,
    [FIELD_SLOT(10, 'c')] = BRRT_FIELD_CONNECTION,
    [FIELD_SLOT(12, 'c')] = BRRT_FIELD_CONTENT_TYPE,
    [FIELD_SLOT(6, 'e')] = BRRT_FIELD_EXPECT,
    [FIELD_SLOT(6, 'c')] = BRRT_FIELD_COOKIE,
    [FIELD_SLOT(7, 'u')] = BRRT_FIELD_UPGRADE,
    [FIELD_SLOT(13, 'a')] = BRRT_FIELD_AUTHORIZATION,
    [FIELD_SLOT(6, 'a')] = BRRT_FIELD_ACCEPT,
};

static const struct {
    char text[24];
    size_t len;
} field_names[BRRT_FIELD_COUNT] = {
#define FIELD_NAME(name, spelling) {spelling, sizeof(spelling) - 1},
    BRRT_FIELD_LIST(FIELD_NAME)
#undef FIELD_NAME
};

/* The known field with this name, a token.  Setting bit 5 of each byte folds the letters, and no other tchar
 * becomes one of those in the known names. */
static inline unsigned field_id(const char *name, size_t len) {
    static const uint64_t fold = UINT64_C(0x2020202020202020);
    unsigned id = field_of_slot[FIELD_SLOT(len, *name)];
    const char *known = field_names[id].text;
    if (field_names[id].len != len) {
        return BRRT_FIELD_OTHER;
    }
    uint64_t differ = 0;
    if (len < 8) { /* the shortest known name has four letters */
        differ = (brrt_load32(name) | (uint32_t)fold) ^ brrt_load32(known);
        differ |= (brrt_load32(name + len - 4) | (uint32_t)fold) ^ brrt_load32(known + len - 4);
    } else {
        for (size_t i = 0; i + 8 < len; i += 8) {
            differ |= (brrt_load64(name + i) | fold) ^ brrt_load64(known + i);
        }
        differ |= (brrt_load64(name + len - 8) | fold) ^ brrt_load64(known + len - 8);
    }
    return differ == 0 ? id : BRRT_FIELD_OTHER;
}

/* A field line whose name ended at p without a colon. */
BRRT_COLD static const char *fail_name(reader *r, const char *line, const char *p) {
    if (p != line) {
        return fail(r, p, BRRT_HEAD_NAME);
    }
    return brrt_is_blank(*p) ? fail(r, p, BRRT_HEAD_FOLD) : fail_or_line_end(r, p, BRRT_HEAD_NAME);
}

/* One field line into *field; `limit` is brrt_head_limits.field. */
static inline const char *read_field(reader *r, const char *line, uint32_t limit, brrt_field *field) {
    const char *colon = brrt_v_find(r->s, line, r->end, brrt_v_not_plain);
    if (*colon != ':' || colon == line) {
        colon = token_end(colon);
        if (*colon != ':' || colon == line) {
            return fail_name(r, line, colon);
        }
    }
    const char *value = colon + 1;
    while (brrt_is_blank(*value)) {
        value++;
    }
    const char *stop = brrt_v_find(r->s, value, r->end, outside_value);
    if (!is_crlf(stop)) {
        return fail_or_line_end(r, stop, BRRT_HEAD_VALUE);
    }
    const char *next = stop + 2;
    size_t name_len = (size_t)(colon - line);
    if ((size_t)(stop - line) > limit || name_len > UINT16_MAX) {
        return fail(r, line, BRRT_HEAD_FIELD_TOO_LONG);
    }
    while (stop != value && brrt_is_blank(stop[-1])) {
        stop--;
    }
    field->name_off = offset_of(r, line);
    field->value_off = offset_of(r, value);
    field->value_len = (uint32_t)(stop - value);
    field->name_len = (uint16_t)name_len;
    field->id = (uint16_t)field_id(line, name_len);
    return next;
}

/* All field lines from p on and the empty line; *ids gets what brrt_head_rules asks for. */
static inline const char *read_fields(reader *r, const char *p, const brrt_head_limits *limits, brrt_head *head,
                                      brrt_head_ids *ids) {
    uint32_t most = limits->fields < BRRT_HEAD_MAX_FIELDS ? limits->fields : BRRT_HEAD_MAX_FIELDS;
    uint32_t present = 0;
    uint32_t repeated = 0;
    uint32_t count = 0;
    for (; p == r->end || !is_crlf(p); count++) {
        if (p == r->end || count == most) {
            return fail(r, p, BRRT_HEAD_TOO_MANY_FIELDS);
        }
        p = read_field(r, p, limits->field, &head->fields[count]);
        if (p == NULL) {
            return NULL;
        }
        unsigned id = head->fields[count].id;
        uint32_t bit = UINT32_C(1) << id;
        if ((present & bit) == 0) {
            head->first[id] = (int16_t)count;
        }
        repeated |= present & bit;
        present |= bit;
    }
    *ids = (brrt_head_ids){present, repeated};
    head->count = count;
    return p + 2;
}

brrt_status brrt_head_index(const char *s, size_t len, const brrt_head_limits *limits, brrt_head *out, size_t *where) {
    size_t seen = len < limits->total ? len : limits->total;
    reader r = {s, s + seen, NULL, BRRT_PARTIAL};
    while (r.end != s && r.end[-1] != '\n') {
        r.end--; /* never for what brrt_head_find gave */
    }
    brrt_head_ids ids = {0, 0};
    out->flags = 0;
    out->count = 0;
    out->content_length = 0;
    memset(out->first, 0xFF, sizeof out->first); /* -1 everywhere */
    const char *p = r.end == s ? NULL : read_request_line(&r, s, limits->line, out);
    p = p == NULL ? NULL : read_fields(&r, p, limits, out, &ids);
    if (p == NULL && r.status == BRRT_PARTIAL) {
        *where = seen;
        return seen == limits->total ? BRRT_HEAD_TOO_LARGE : BRRT_PARTIAL;
    }
    if (p == NULL) {
        *where = offset_of(&r, r.failed_at);
        return r.status;
    }
    out->head_len = offset_of(&r, p);
    return brrt_head_rules(s, out, ids, where);
}
