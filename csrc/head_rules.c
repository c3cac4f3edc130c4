/* Framing and connection rules over an indexed head, see brrt_head_rules.h. */
#include "brrt_authority.h"
#include "brrt_bytes.h"
#include "brrt_head_rules.h"

/* Options of list fields, as bits; `other` is what an unknown option sets. */
enum { OPTION_CLOSE = 1, OPTION_KEEP_ALIVE = 2, OPTION_UPGRADE = 4, OPTION_CONTINUE = 8, OPTION_OTHER = 16 };

typedef struct list_option {
    const char *text;
    size_t len;
    unsigned bit;
} list_option;

#define LIST_OPTION(text, bit) {text, sizeof(text) - 1, bit}

static const list_option connection_options[] = {
    LIST_OPTION("close", OPTION_CLOSE),
    LIST_OPTION("keep-alive", OPTION_KEEP_ALIVE),
    LIST_OPTION("upgrade", OPTION_UPGRADE),
};
static const list_option expect_options[] = {LIST_OPTION("100-continue", OPTION_CONTINUE)};

#define ID_BIT(id) (UINT32_C(1) << (id))

static int is_present(brrt_head_ids ids, int id) {
    return (ids.present & ID_BIT(id)) != 0;
}

static int is_repeated(brrt_head_ids ids, int id) {
    return (ids.repeated & ID_BIT(id)) != 0;
}

/* The second field with this id; there is one. */
static const brrt_field *second_field(const brrt_head *head, int id) {
    const brrt_field *field = &head->fields[head->first[id] + 1];
    while (field->id != id) {
        field++;
    }
    return field;
}

/* The options in one comma-separated value (RFC 9110 5.6.1.2: empty elements are ignored). */
static unsigned options_of_value(const char *p, const char *end, const list_option *known, size_t known_count) {
    unsigned found = 0;
    while (p < end) {
        const char *comma = memchr(p, ',', (size_t)(end - p));
        const char *next = comma == NULL ? end : comma + 1;
        const char *stop = comma == NULL ? end : comma;
        while (p < stop && brrt_is_blank(*p)) {
            p++;
        }
        while (stop > p && brrt_is_blank(stop[-1])) {
            stop--;
        }
        unsigned bit = p < stop ? OPTION_OTHER : 0;
        for (size_t i = 0; i < known_count; i++) {
            if (brrt_equals_folded(p, (size_t)(stop - p), known[i].text, known[i].len)) {
                bit = known[i].bit;
            }
        }
        found |= bit;
        p = next;
    }
    return found;
}

/* The options in all fields with this id. */
static unsigned options_of(const char *s, const brrt_head *head, int id, brrt_head_ids ids, const list_option *known,
                           size_t known_count) {
    if (!is_present(ids, id)) {
        return 0;
    }
    const brrt_field *field = &head->fields[head->first[id]];
    const brrt_field *last = is_repeated(ids, id) ? &head->fields[head->count - 1] : field;
    unsigned found = 0;
    for (; field <= last; field++) {
        if (field->id == id) {
            const char *value = s + field->value_off;
            found |= options_of_value(value, value + field->value_len, known, known_count);
        }
    }
    return found;
}

/* RFC 9112 3.2: a 400 for a missing, repeated or invalid Host. */
static brrt_status check_host(const char *s, const brrt_head *head, brrt_head_ids ids, size_t *where) {
    if (!is_present(ids, BRRT_FIELD_HOST)) {
        *where = head->head_len - 2; /* where the fields end */
        return head->minor == 0 ? BRRT_OK : BRRT_HEAD_HOST_MISSING;
    }
    if (is_repeated(ids, BRRT_FIELD_HOST)) {
        *where = second_field(head, BRRT_FIELD_HOST)->name_off;
        return BRRT_HEAD_HOST_REPEATED;
    }
    const brrt_field *host = &head->fields[head->first[BRRT_FIELD_HOST]];
    if (host->value_len == 0) {
        return BRRT_OK;
    }
    const char *value = s + host->value_off;
    const char *error = brrt_authority_error(s, value, value + host->value_len, 0);
    if (error != NULL) {
        *where = (size_t)(error - s);
        return BRRT_HEAD_HOST_INVALID;
    }
    return BRRT_OK;
}

/* RFC 9112 6.1 and 6.3: whatever could be framed in two ways is refused. */
static brrt_status check_coding(const char *s, brrt_head *head, brrt_head_ids ids, size_t *where) {
    const brrt_field *coding = &head->fields[head->first[BRRT_FIELD_TRANSFER_ENCODING]];
    *where = coding->name_off;
    if (head->minor == 0) {
        return BRRT_HEAD_CODING_10;
    }
    if (is_present(ids, BRRT_FIELD_CONTENT_LENGTH)) {
        return BRRT_HEAD_LENGTH_AND_CODING;
    }
    if (is_repeated(ids, BRRT_FIELD_TRANSFER_ENCODING)) {
        *where = second_field(head, BRRT_FIELD_TRANSFER_ENCODING)->name_off;
        return BRRT_HEAD_CODING;
    }
    if (!brrt_equals_folded(s + coding->value_off, coding->value_len, "chunked", 7)) {
        *where = coding->value_off;
        return BRRT_HEAD_CODING;
    }
    head->flags |= BRRT_HEAD_CHUNKED;
    return BRRT_OK;
}

/* RFC 9110 8.6: 1*DIGIT; a list of equal numbers is refused here, as the section allows. */
static brrt_status check_length(const char *s, brrt_head *head, brrt_head_ids ids, size_t *where) {
    if (is_repeated(ids, BRRT_FIELD_CONTENT_LENGTH)) {
        *where = second_field(head, BRRT_FIELD_CONTENT_LENGTH)->name_off;
        return BRRT_HEAD_LENGTH;
    }
    const brrt_field *length = &head->fields[head->first[BRRT_FIELD_CONTENT_LENGTH]];
    const char *p = s + length->value_off;
    const char *end = p + length->value_len;
    uint64_t value = 0;
    *where = length->value_off;
    if (p == end) {
        return BRRT_HEAD_LENGTH;
    }
    for (; p != end; p++) {
        uint64_t digit = (uint64_t)((unsigned char)*p - '0');
        if (digit > 9 || value > (INT64_MAX - digit) / 10) {
            *where = (size_t)(p - s);
            return BRRT_HEAD_LENGTH;
        }
        value = value * 10 + digit;
    }
    head->content_length = value;
    head->flags |= BRRT_HEAD_HAS_LENGTH;
    return BRRT_OK;
}

/* Persistence (RFC 9112 9.3), expectations (RFC 9110 10.1.1) and upgrades (RFC 9110 7.8). */
static uint32_t connection_flags(const char *s, const brrt_head *head, brrt_head_ids ids) {
    unsigned connection = options_of(s, head, BRRT_FIELD_CONNECTION, ids, connection_options,
                                     sizeof connection_options / sizeof *connection_options);
    int has_upgrade = is_present(ids, BRRT_FIELD_UPGRADE);
    uint32_t flags = has_upgrade ? BRRT_HEAD_HAS_UPGRADE : 0;
    unsigned wanted = head->minor == 0 ? connection & OPTION_KEEP_ALIVE : 1;
    if (wanted != 0 && (connection & OPTION_CLOSE) == 0) {
        flags |= BRRT_HEAD_KEEP_ALIVE;
    }
    if (head->minor == 0) {
        return flags;
    }
    if (has_upgrade && (connection & OPTION_UPGRADE) != 0) {
        flags |= BRRT_HEAD_UPGRADE;
    }
    unsigned expect =
        options_of(s, head, BRRT_FIELD_EXPECT, ids, expect_options, sizeof expect_options / sizeof *expect_options);
    flags |= (expect & OPTION_CONTINUE) != 0 ? BRRT_HEAD_EXPECT_CONTINUE : 0;
    flags |= (expect & OPTION_OTHER) != 0 ? BRRT_HEAD_EXPECT_OTHER : 0;
    return flags;
}

brrt_status brrt_head_rules(const char *s, brrt_head *head, brrt_head_ids ids, size_t *where) {
    static const uint32_t connection_ids =
        ID_BIT(BRRT_FIELD_CONNECTION) | ID_BIT(BRRT_FIELD_EXPECT) | ID_BIT(BRRT_FIELD_UPGRADE);
    brrt_status status = check_host(s, head, ids, where);
    if (status == BRRT_OK && is_present(ids, BRRT_FIELD_TRANSFER_ENCODING)) {
        status = check_coding(s, head, ids, where);
    }
    if (status == BRRT_OK && is_present(ids, BRRT_FIELD_CONTENT_LENGTH)) {
        status = check_length(s, head, ids, where);
    }
    if ((ids.present & connection_ids) != 0) {
        head->flags |= connection_flags(s, head, ids);
    } else {
        head->flags |= head->minor == 0 ? 0 : BRRT_HEAD_KEEP_ALIVE;
    }
    return status;
}
