/* Query strings, see brrt_text.h. */
#include "brrt_text.h"

#include "brrt_simd.h"

/* The split in progress: the piece that began at `start`, its first '=' at `equals` (`NONE` before one is seen). */
typedef struct splitter {
    size_t start;
    size_t equals;
    brrt_pair *out;
    size_t cap;
    size_t count;
} splitter;

#define NONE SIZE_MAX

static inline brrt_pair pair_of(size_t start, size_t equals, size_t end) {
    size_t name_end = equals == NONE ? end : equals;
    size_t value = equals == NONE ? end : equals + 1;
    return (brrt_pair){
        .name = {(uint32_t)start, (uint32_t)(name_end - start)},
        .value = {(uint32_t)value, (uint32_t)(end - value)},
        .has_value = equals != NONE,
    };
}

/* The piece ends before `end`.  0 when there is no room for it. */
static inline int end_piece(splitter *split, size_t end) {
    if (end != split->start) {
        if (split->count == split->cap) {
            return 0;
        }
        split->out[split->count++] = pair_of(split->start, split->equals, end);
    }
    split->start = end + 1;
    split->equals = NONE;
    return 1;
}

/* `bits` marks every '&' and '=' in the vector at s + base.  0 when there is no room. */
static inline int read_marks(splitter *split, const char *s, size_t base, uint64_t bits) {
    for (; bits != 0; bits &= bits - 1) {
        size_t at = base + brrt_v_first(bits);
        if (s[at] == '&') {
            if (!end_piece(split, at)) {
                return 0;
            }
        } else if (split->equals == NONE) {
            split->equals = at;
        }
    }
    return 1;
}

static inline uint64_t marks_of(brrt_v v) {
    return brrt_v_bits(brrt_v_or(brrt_v_eq(v, '&'), brrt_v_eq(v, '=')));
}

/* Spans are 32 bits wide, as everywhere in csrc: the limits of a head keep a query far below that. */
brrt_status brrt_query_split(const char *s, size_t len, brrt_pair *out, size_t cap, size_t *count) {
    splitter split = {0, NONE, out, cap, 0};
    size_t i = 0;
    int room = 1;
    for (; room && len - i >= BRRT_V_BYTES; i += BRRT_V_BYTES) {
        room = read_marks(&split, s, i, marks_of(brrt_v_load(s + i)));
    }
    if (room && i < len) {
        room = read_marks(&split, s, i, marks_of(brrt_v_load_short(s + i, len - i)));
    }
    room = room && end_piece(&split, len);
    *count = split.count;
    return room ? BRRT_OK : BRRT_TOO_MANY;
}

/* Whether s[0..len) is decoded `text`, as application/x-www-form-urlencoded has it. */
static int equals_decoded(const char *s, size_t len, const char *text, size_t text_len) {
    size_t i = 0;
    for (size_t n = 0; n < text_len; n++) {
        if (i == len) {
            return 0;
        }
        int byte = (unsigned char)s[i++];
        if (byte == '+') {
            byte = ' ';
        } else if (byte == '%') {
            if (len - i < 2) {
                return 0;
            }
            int high = brrt_hex[(unsigned char)s[i]];
            int low = brrt_hex[(unsigned char)s[i + 1]];
            byte = (high | low) < 0 ? -1 : high << 4 | low;
            i += 2;
        }
        if (byte != (unsigned char)text[n]) {
            return 0;
        }
    }
    return i == len;
}

int brrt_query_has(const char *s, size_t len, const char *name, size_t name_len, const char *value, size_t value_len) {
    for (size_t start = 0; start < len;) {
        const char *amp = memchr(s + start, '&', len - start);
        size_t end = amp == NULL ? len : (size_t)(amp - s);
        if (end != start) {
            const char *sign = memchr(s + start, '=', end - start);
            brrt_pair pair = pair_of(start, sign == NULL ? NONE : (size_t)(sign - s), end);
            if (equals_decoded(s + pair.name.off, pair.name.len, name, name_len) &&
                (value == NULL || equals_decoded(s + pair.value.off, pair.value.len, value, value_len))) {
                return 1;
            }
        }
        start = end + 1;
    }
    return 0;
}
