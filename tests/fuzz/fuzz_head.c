/* Heads of requests: one step and two give the same answer, any pieces do, and what is accepted is clean.
 *
 * An input is a byte that chooses limits, pieces and alignment, then what a connection sent. */
#include <strings.h>

#include "brrt_head.h"
#include "fuzz.h"

enum { ALIGNMENTS = 16 };
static const brrt_head_limits limits_of[] = {{100, 60, 200, 5}, {8384, 16384, 32768, 100}};

typedef struct reading {
    brrt_status status;
    size_t where;
    brrt_head head;
} reading;

/* Index s[0..len) in memory that ends with it and is aligned as told; offsets do not depend on where it is. */
static void read_index(const char *s, size_t len, size_t before, const brrt_head_limits *limits, reading *out) {
    char *copy = exact_after(s, len, before);
    out->where = SIZE_MAX;
    out->status = brrt_head_index(copy, len, limits, &out->head, &out->where);
    free(copy - before);
}

static brrt_status find_in_pieces(const char *s, size_t len, size_t most, const brrt_head_limits *limits,
                                  uint32_t *head_len) {
    brrt_status status = BRRT_PARTIAL;
    uint32_t random = (uint32_t)len;
    for (size_t from = 0; status == BRRT_PARTIAL && from < len;) {
        random = random * 1664525u + 1013904223u;
        size_t to = from + 1 + (random >> 16) % most;
        to = to < len ? to : len;
        char *copy = exact(s, to);
        status = brrt_head_find(copy, to, from, limits, head_len);
        free(copy);
        from = to;
    }
    return status;
}

static int same_span(brrt_span a, brrt_span b) {
    return a.off == b.off && a.len == b.len;
}

static void check_same_head(const brrt_head *a, const brrt_head *b) {
    MUST(same_span(a->method, b->method) && same_span(a->target, b->target), "request line");
    MUST(same_span(a->path, b->path) && same_span(a->query, b->query) && a->minor == b->minor, "target");
    MUST(a->flags == b->flags && a->content_length == b->content_length, "%x, %x", a->flags, b->flags);
    MUST(a->head_len == b->head_len && a->count == b->count, "%u, %u", a->head_len, b->head_len);
    MUST(memcmp(a->first, b->first, sizeof a->first) == 0, "first");
    for (uint32_t i = 0; i < a->count; i++) {
        MUST(memcmp(&a->fields[i], &b->fields[i], sizeof a->fields[i]) == 0, "field %u", i);
    }
}

static void check_same(const reading *a, const reading *b) {
    MUST(a->status == b->status, "%s, %s", brrt_status_name((int)a->status), brrt_status_name((int)b->status));
    if (a->status == BRRT_OK) {
        check_same_head(&a->head, &b->head);
    } else {
        MUST(a->where == b->where, "%s at %zu, %zu", brrt_status_name((int)a->status), a->where, b->where);
    }
}

/* ---- what is accepted ---- */

static int is_token(unsigned char c) {
    return c > ' ' && c < 0x7F && strchr("\"(),/:;<=>?@[\\]{}", c) == NULL;
}

static int is_target(unsigned char c) {
    return c > ' ' && c < 0x7F && c != '#';
}

static int is_value(unsigned char c) {
    return c == '\t' || (c >= ' ' && c != 0x7F);
}

static void check_bytes(const char *s, size_t from, size_t len, int (*belongs)(unsigned char)) {
    for (size_t i = from; i < from + len; i++) {
        MUST(belongs((unsigned char)s[i]), "byte %02x at %zu", (unsigned char)s[i], i);
    }
}

static int is_blank_at(const char *s, size_t at) {
    return s[at] == ' ' || s[at] == '\t';
}

static int is_crlf_at(const char *s, size_t at) {
    return s[at] == '\r' && s[at + 1] == '\n';
}

/* The parts stand one after the other with what the grammar puts between them, and nothing else is there. */
static void check_layout(const char *s, const brrt_head *head, const brrt_head_limits *limits) {
    size_t at = (size_t)head->method.len + 1 + head->target.len + 1;
    MUST(head->method.off == 0 && head->method.len > 0 && s[head->method.len] == ' ', "method");
    MUST(head->target.off == head->method.len + 1 && head->target.len > 0 && s[at - 1] == ' ', "target");
    MUST(memcmp(s + at, "HTTP/1.", 7) == 0 && s[at + 7] >= '0' && s[at + 7] <= '9' && is_crlf_at(s, at + 8), "version");
    MUST(head->minor == (s[at + 7] != '0'), "minor version");
    check_bytes(s, 0, head->method.len, is_token);
    check_bytes(s, head->target.off, head->target.len, is_target);
    MUST(at + 8 <= limits->line && head->head_len <= limits->total && head->count <= limits->fields, "limits");
    at += 10;
    for (uint32_t i = 0; i < head->count; i++) {
        brrt_field field = head->fields[i];
        size_t line = at;
        MUST(field.name_off == at && field.name_len > 0 && s[at + field.name_len] == ':', "name of field %u", i);
        check_bytes(s, at, field.name_len, is_token);
        for (at += field.name_len + 1u; is_blank_at(s, at); at++) {
        }
        MUST(field.value_len == 0 || field.value_off == at, "value of field %u", i);
        check_bytes(s, field.value_off, field.value_len, is_value);
        MUST(field.value_len == 0 || !is_blank_at(s, field.value_off + field.value_len - 1), "end of field %u", i);
        for (at = field.value_len == 0 ? at : field.value_off + field.value_len; is_blank_at(s, at); at++) {
        }
        MUST(is_crlf_at(s, at) && at - line <= limits->field, "end of the line of field %u", i);
        at += 2;
    }
    MUST(is_crlf_at(s, at) && head->head_len == at + 2, "end of the head");
}

static const char *const names[] = {
#define FIELD_NAME(name, spelling) spelling,
    BRRT_FIELD_LIST(FIELD_NAME)
#undef FIELD_NAME
};

static int text_is(const char *s, size_t len, const char *wanted) {
    return len == strlen(wanted) && strncasecmp(s, wanted, len) == 0;
}

static unsigned id_of(const char *name, size_t len) {
    unsigned id = BRRT_FIELD_COUNT - 1;
    while (id != BRRT_FIELD_OTHER && !text_is(name, len, names[id])) {
        id--;
    }
    return id;
}

static int count_of(const brrt_head *head, unsigned id) {
    int count = 0;
    for (uint32_t i = 0; i < head->count; i++) {
        count += head->fields[i].id == id;
    }
    return count;
}

/* How many members of the comma-separated lists in all fields with this id are `wanted`, NULL: are not empty. */
static int members(const char *s, const brrt_head *head, unsigned id, const char *wanted) {
    int count = 0;
    for (uint32_t i = 0; i < head->count; i++) {
        size_t at = head->fields[i].value_off, end = at + head->fields[i].value_len;
        while (head->fields[i].id == id && at < end) {
            size_t from = at, to;
            while (at < end && s[at] != ',') {
                at++;
            }
            for (to = at++; from < to && is_blank_at(s, from); from++) {
            }
            for (; to > from && is_blank_at(s, to - 1); to--) {
            }
            count += wanted == NULL ? to > from : text_is(s + from, to - from, wanted);
        }
    }
    return count;
}

static uint32_t flags_of(const char *s, const brrt_head *head) {
    int keep = head->minor ? 1 : members(s, head, BRRT_FIELD_CONNECTION, "keep-alive") != 0;
    int upgrades = count_of(head, BRRT_FIELD_UPGRADE) != 0;
    int continues = members(s, head, BRRT_FIELD_EXPECT, "100-continue");
    uint32_t flags = keep && members(s, head, BRRT_FIELD_CONNECTION, "close") == 0 ? BRRT_HEAD_KEEP_ALIVE : 0;
    flags |= count_of(head, BRRT_FIELD_TRANSFER_ENCODING) != 0 ? BRRT_HEAD_CHUNKED : 0;
    flags |= count_of(head, BRRT_FIELD_CONTENT_LENGTH) != 0 ? BRRT_HEAD_HAS_LENGTH : 0;
    flags |= upgrades ? BRRT_HEAD_HAS_UPGRADE : 0;
    flags |= head->target.len == 1 && s[head->target.off] == '*' ? BRRT_HEAD_ASTERISK : 0;
    flags |= s[head->target.off + head->target.len + 8] > '1' ? BRRT_HEAD_LATER_MINOR : 0;
    if (head->minor) {
        flags |= continues != 0 ? BRRT_HEAD_EXPECT_CONTINUE : 0;
        flags |= members(s, head, BRRT_FIELD_EXPECT, NULL) > continues ? BRRT_HEAD_EXPECT_OTHER : 0;
        flags |= upgrades && members(s, head, BRRT_FIELD_CONNECTION, "upgrade") != 0 ? BRRT_HEAD_UPGRADE : 0;
    }
    return flags;
}

static void check_framing(const char *s, const brrt_head *head) {
    int hosts = count_of(head, BRRT_FIELD_HOST), lengths = count_of(head, BRRT_FIELD_CONTENT_LENGTH);
    int codings = count_of(head, BRRT_FIELD_TRANSFER_ENCODING);
    MUST(hosts == 1 || (hosts == 0 && head->minor == 0), "%d Host fields", hosts);
    MUST(lengths + codings <= 1 && (codings == 0 || head->minor), "%d lengths, %d codings", lengths, codings);
    if (codings) {
        const brrt_field *field = &head->fields[head->first[BRRT_FIELD_TRANSFER_ENCODING]];
        MUST(text_is(s + field->value_off, field->value_len, "chunked"), "coding");
    }
    uint64_t length = 0;
    if (lengths) {
        const brrt_field *field = &head->fields[head->first[BRRT_FIELD_CONTENT_LENGTH]];
        MUST(field->value_len > 0, "empty length");
        for (uint32_t i = 0; i < field->value_len; i++) {
            char c = s[field->value_off + i];
            MUST(c >= '0' && c <= '9' && length <= (INT64_MAX - (uint64_t)(c - '0')) / 10, "length");
            length = length * 10 + (uint64_t)(c - '0');
        }
    }
    MUST(head->content_length == length, "%llu", (unsigned long long)length);
}

static void check_accepted(const char *s, const brrt_head *head, const brrt_head_limits *limits) {
    check_layout(s, head, limits);
    for (uint32_t i = head->count; i-- > 0;) {
        brrt_field field = head->fields[i];
        MUST(field.id == id_of(s + field.name_off, field.name_len), "id of field %u", i);
    }
    for (unsigned id = 0; id < BRRT_FIELD_COUNT; id++) {
        int first = head->first[id];
        MUST((first < 0) == (count_of(head, id) == 0), "first of %u", id);
        for (int i = 0; i < first; i++) {
            MUST(head->fields[i].id != id, "first of %u", id);
        }
        MUST(first < 0 || head->fields[first].id == id, "first of %u", id);
    }
    check_framing(s, head);
    MUST(head->flags == flags_of(s, head), "%x, not %x", head->flags, flags_of(s, head));
    MUST(head->path.off >= head->target.off && head->query.off + head->query.len <= head->target.off + head->target.len,
         "path and query");
    MUST(head->path.len == 0 || memchr(s + head->path.off, '?', head->path.len) == NULL, "path with a query");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static reading one, two; /* large */
    if (size < 2) {
        return 0;
    }
    const char *s = (const char *)data + 1;
    size_t len = size - 1, before = data[0] / 2 % ALIGNMENTS, most = 1 + data[0] / 8;
    const brrt_head_limits *limits = &limits_of[data[0] % 2];
    size_t skip = brrt_head_skip(s, len);
    s += skip;
    len -= skip;
    uint32_t head_len = 0, pieces_len = 0;
    char *copy = exact_after(s, len, before);
    brrt_status found = brrt_head_find(copy, len, 0, limits, &head_len);
    free(copy - before);
    if (len > 0) {
        MUST(find_in_pieces(s, len, most, limits, &pieces_len) == found && pieces_len == head_len, "%s in pieces",
             brrt_status_name((int)found));
    }
    read_index(s, len, before, limits, &one);
    MUST(one.status != BRRT_OK || (found == BRRT_OK && head_len == one.head.head_len), "%s for an accepted head",
         brrt_status_name((int)found));
    if (found == BRRT_OK) {
        MUST(head_len <= len, "%u of %zu", head_len, len);
        read_index(s, head_len, ALIGNMENTS - before, limits, &two);
        check_same(&one, &two);
        MUST(two.status == BRRT_OK || (two.status != BRRT_PARTIAL && two.where < head_len), "%s at %zu",
             brrt_status_name((int)two.status), two.where);
    }
    if (one.status == BRRT_OK) {
        check_accepted(s, &one.head, limits);
    }
    return 0;
}
