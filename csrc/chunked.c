/* The chunked transfer coding as a table of states and byte classes (RFC 9112 7.1), see brrt_chunked_read. */
#include "brrt_bytes.h"
#include "brrt_head.h"

/* Classes of bytes. */
enum {
    CTL, /* no rule allows it */
    HEX,
    TCHAR, /* other than HEX */
    BLANK,
    CR,
    LF,
    SEMICOLON,
    EQUALS,
    COLON,
    QUOTE,
    BACKSLASH,
    TEXT, /* visible, or above 0x7F, and none of the others */
    CLASSES
};

/* States; zero is the start of a body. */
enum {
    SIZE_FIRST,
    SIZE,
    EXT_BLANK, /* BWS that a ';' must follow */
    EXT_NAME_FIRST,
    EXT_NAME,
    EXT_NAME_BLANK, /* BWS after a name: '=' or ';' must follow */
    EXT_VALUE_FIRST,
    EXT_TOKEN,
    EXT_QUOTED,
    EXT_ESCAPED,
    EXT_QUOTED_END,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER_FIRST,
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    FINAL_LF,
    STATES,
    BAD = STATES
};

static const uint8_t class_of[256] = {
    ['\t'] = BLANK,         ['\n'] = LF,           ['\r'] = CR,
    [' '] = BLANK,          ['!'] = TCHAR,         ['"'] = QUOTE,
    ['#' ... '\''] = TCHAR, ['(' ... ')'] = TEXT,  ['*' ... '+'] = TCHAR,
    [','] = TEXT,           ['-' ... '.'] = TCHAR, ['/'] = TEXT,
    ['0' ... '9'] = HEX,    [':'] = COLON,         [';'] = SEMICOLON,
    ['<'] = TEXT,           ['='] = EQUALS,        ['>' ... '@'] = TEXT,
    ['A' ... 'F'] = HEX,    ['G' ... 'Z'] = TCHAR, ['['] = TEXT,
    ['\\'] = BACKSLASH,     [']'] = TEXT,          ['^' ... '`'] = TCHAR,
    ['a' ... 'f'] = HEX,    ['g' ... 'z'] = TCHAR, ['{'] = TEXT,
    ['|'] = TCHAR,          ['}'] = TEXT,          ['~'] = TCHAR,
    [0x80 ... 0xFF] = TEXT,
};

/* What follows a state on a byte class; the rows are in the order of the states, the columns in that of the classes.
 * DATA is not driven by its row.  SIZE_LF goes on to DATA, or to the trailers after a last chunk. */
static const uint8_t next_state[STATES][CLASSES] = {
#define ROW(state, ctl, hex, tchar, blank, cr, lf, semi, equals, colon, quote, slash, text)                            \
    [state] = {ctl, hex, tchar, blank, cr, lf, semi, equals, colon, quote, slash, text}
#define Q EXT_QUOTED
#define V TRAILER_VALUE
#define N TRAILER_NAME
    ROW(SIZE_FIRST, BAD, SIZE, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD),
    ROW(SIZE, BAD, SIZE, BAD, EXT_BLANK, SIZE_LF, BAD, EXT_NAME_FIRST, BAD, BAD, BAD, BAD, BAD),
    ROW(EXT_BLANK, BAD, BAD, BAD, EXT_BLANK, BAD, BAD, EXT_NAME_FIRST, BAD, BAD, BAD, BAD, BAD),
    ROW(EXT_NAME_FIRST, BAD, EXT_NAME, EXT_NAME, EXT_NAME_FIRST, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD),
    ROW(EXT_NAME, BAD, EXT_NAME, EXT_NAME, EXT_NAME_BLANK, SIZE_LF, BAD, EXT_NAME_FIRST, EXT_VALUE_FIRST, BAD, BAD, BAD,
        BAD),
    ROW(EXT_NAME_BLANK, BAD, BAD, BAD, EXT_NAME_BLANK, BAD, BAD, EXT_NAME_FIRST, EXT_VALUE_FIRST, BAD, BAD, BAD, BAD),
    ROW(EXT_VALUE_FIRST, BAD, EXT_TOKEN, EXT_TOKEN, EXT_VALUE_FIRST, BAD, BAD, BAD, BAD, BAD, EXT_QUOTED, BAD, BAD),
    ROW(EXT_TOKEN, BAD, EXT_TOKEN, EXT_TOKEN, EXT_BLANK, SIZE_LF, BAD, EXT_NAME_FIRST, BAD, BAD, BAD, BAD, BAD),
    ROW(EXT_QUOTED, BAD, Q, Q, Q, BAD, BAD, Q, Q, Q, EXT_QUOTED_END, EXT_ESCAPED, Q),
    ROW(EXT_ESCAPED, BAD, Q, Q, Q, BAD, BAD, Q, Q, Q, Q, Q, Q),
    ROW(EXT_QUOTED_END, BAD, BAD, BAD, EXT_BLANK, SIZE_LF, BAD, EXT_NAME_FIRST, BAD, BAD, BAD, BAD, BAD),
    ROW(SIZE_LF, BAD, BAD, BAD, BAD, BAD, DATA, BAD, BAD, BAD, BAD, BAD, BAD),
    ROW(DATA, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD),
    ROW(DATA_CR, BAD, BAD, BAD, BAD, DATA_LF, BAD, BAD, BAD, BAD, BAD, BAD, BAD),
    ROW(DATA_LF, BAD, BAD, BAD, BAD, BAD, SIZE_FIRST, BAD, BAD, BAD, BAD, BAD, BAD),
    ROW(TRAILER_FIRST, BAD, N, N, BAD, FINAL_LF, BAD, BAD, BAD, BAD, BAD, BAD, BAD),
    ROW(TRAILER_NAME, BAD, N, N, BAD, BAD, BAD, BAD, BAD, V, BAD, BAD, BAD),
    ROW(TRAILER_VALUE, BAD, V, V, V, TRAILER_LF, BAD, V, V, V, V, V, V),
    ROW(TRAILER_LF, BAD, BAD, BAD, BAD, BAD, TRAILER_FIRST, BAD, BAD, BAD, BAD, BAD, BAD),
    ROW(FINAL_LF, BAD, BAD, BAD, BAD, BAD, TRAILER_FIRST, BAD, BAD, BAD, BAD, BAD, BAD),
#undef N
#undef V
#undef Q
#undef ROW
};

/* The error for a byte that a state does not allow. */
static const uint8_t error_in[STATES] = {
    [SIZE_FIRST] = BRRT_CHUNK_SIZE,
    [SIZE] = BRRT_CHUNK_SIZE,
    [EXT_BLANK] = BRRT_CHUNK_EXTENSION,
    [EXT_NAME_FIRST] = BRRT_CHUNK_EXTENSION,
    [EXT_NAME] = BRRT_CHUNK_EXTENSION,
    [EXT_NAME_BLANK] = BRRT_CHUNK_EXTENSION,
    [EXT_VALUE_FIRST] = BRRT_CHUNK_EXTENSION,
    [EXT_TOKEN] = BRRT_CHUNK_EXTENSION,
    [EXT_QUOTED] = BRRT_CHUNK_EXTENSION,
    [EXT_ESCAPED] = BRRT_CHUNK_EXTENSION,
    [EXT_QUOTED_END] = BRRT_CHUNK_EXTENSION,
    [SIZE_LF] = BRRT_CHUNK_SIZE,
    [DATA] = BRRT_CHUNK_END,
    [DATA_CR] = BRRT_CHUNK_END,
    [DATA_LF] = BRRT_CHUNK_END,
    [TRAILER_FIRST] = BRRT_TRAILER,
    [TRAILER_NAME] = BRRT_TRAILER,
    [TRAILER_VALUE] = BRRT_TRAILER,
    [TRAILER_LF] = BRRT_TRAILER,
    [FINAL_LF] = BRRT_TRAILER,
};

static brrt_status add_digit(brrt_chunked *state, char c) {
    if (state->digits == 16 || state->left > (uint64_t)INT64_MAX >> 4) {
        return BRRT_CHUNK_SIZE;
    }
    state->digits++;
    state->left = state->left << 4 | (uint64_t)brrt_hex[(unsigned char)c];
    return BRRT_OK;
}

static int is_in_extension(uint32_t state) {
    return state >= EXT_BLANK && state <= EXT_QUOTED_END;
}

static int is_in_trailer(uint32_t state) {
    return state >= TRAILER_FIRST && state <= TRAILER_LF;
}

/* What entering `to` by the byte c does beside changing the state. */
static brrt_status enter(brrt_chunked *state, uint32_t from, uint32_t to, char c) {
    if (is_in_extension(to)) {
        state->extension++;
        return state->extension > state->extension_limit ? BRRT_CHUNK_EXTENSION_TOO_LARGE : BRRT_OK;
    }
    if (is_in_trailer(to)) {
        state->trailer++;
        return state->trailer > state->trailer_limit ? BRRT_TRAILER_TOO_LARGE : BRRT_OK;
    }
    if (to == SIZE) {
        return add_digit(state, c);
    }
    if (from == SIZE_LF) {
        state->state = state->left == 0 ? TRAILER_FIRST : DATA;
        state->digits = 0;
    }
    return BRRT_OK;
}

brrt_status brrt_chunked_read(brrt_chunked *state, const char *s, size_t len, size_t *used) {
    size_t i = 0;
    while (i < len) {
        uint32_t from = state->state;
        if (from == DATA) {
            size_t step = state->left < len - i ? (size_t)state->left : len - i;
            state->left -= step;
            state->total += step;
            state->state = state->left == 0 ? DATA_CR : DATA;
            i += step;
            continue;
        }
        uint32_t to = next_state[from][class_of[(unsigned char)s[i]]];
        brrt_status status = BRRT_OK;
        if (to == BAD) {
            status = (brrt_status)error_in[from];
        } else if (from == FINAL_LF) {
            *used = i + 1;
            return BRRT_OK;
        } else {
            state->state = to;
            status = enter(state, from, to, s[i]);
        }
        if (status != BRRT_OK) {
            *used = i;
            return status;
        }
        i++;
    }
    *used = len;
    return BRRT_PARTIAL;
}
