/* Taking a path template apart; see brrt_matcher.h. */
#include <string.h>

#include "brrt_matcher.h"

static int repeated(const char *s, const brrt_template *out, brrt_span name) {
    for (uint32_t i = 0; i < out->name_count; i++) {
        if (out->names[i].len == name.len && memcmp(s + out->names[i].off, s + name.off, name.len) == 0) {
            return 1;
        }
    }
    return 0;
}

static brrt_status take_name(const char *s, size_t open, size_t close, brrt_template *out) {
    brrt_span name = {(uint32_t)open + 1, (uint32_t)(close - open - 1)};
    if (name.len == 0) {
        return BRRT_TPL_EMPTY_NAME;
    }
    if (out->name_count == BRRT_MAX_CAPTURES) {
        return BRRT_TPL_TOO_MANY_CAPTURES;
    }
    if (repeated(s, out, name)) {
        return BRRT_TPL_REPEATED_NAME;
    }
    out->names[out->name_count++] = name;
    return BRRT_OK;
}

/* The offset of the '}' that closes the expression opened at `open`, 0 when another '{' or the end comes first. */
static size_t closing(const char *s, size_t len, size_t open) {
    for (size_t i = open + 1; i < len && s[i] != '{'; i++) {
        if (s[i] == '}') {
            return i;
        }
    }
    return 0;
}

/* Whether the literal s[from, to) can be decoded: escapes are complete and spell UTF-8. */
static int decodes(const char *s, size_t from, size_t to) {
    char text[BRRT_MAX_TEMPLATE];
    size_t written;
    return brrt_percent_decode(s + from, to - from, 0, text, &written) == BRRT_OK;
}

brrt_status brrt_template_parse(const char *s, size_t len, brrt_template *out) {
    if (len > BRRT_MAX_TEMPLATE) {
        return BRRT_TPL_TOO_LONG;
    }
    if (len == 0 || s[0] != '/') {
        return BRRT_TPL_START;
    }
    *out = (brrt_template){.path_len = (uint32_t)len};
    if (!brrt_utf8_valid(s, len)) {
        return BRRT_TPL_ENCODING;
    }
    uint32_t segments = 0;
    size_t at = 0, literal = 0; /* where the literal began that `at` is in */
    for (; at < len && s[at] != '?' && s[at] != '#'; at++) {
        if ((s[at] == '{' || s[at] == '/') && !decodes(s, literal, at)) {
            return BRRT_TPL_ENCODING;
        }
        if (s[at] == '{') {
            size_t close = closing(s, len, at);
            if (close == 0) {
                return BRRT_TPL_BRACE;
            }
            brrt_status status = take_name(s, at, close, out);
            if (status != BRRT_OK) {
                return status;
            }
            at = close;
            literal = close + 1;
        } else if (s[at] == '}') {
            return BRRT_TPL_BRACE;
        } else if (s[at] == '/') {
            if (++segments > BRRT_MAX_SEGMENTS) {
                return BRRT_TPL_TOO_DEEP;
            }
            literal = at + 1;
        }
    }
    if (!decodes(s, literal, at)) {
        return BRRT_TPL_ENCODING;
    }
    out->path_len = (uint32_t)at;
    if (at < len && s[at] == '?') {
        size_t from = at + 1;
        const char *hash = memchr(s + from, '#', len - from);
        size_t end = hash ? (size_t)(hash - s) : len;
        out->query = (brrt_span){(uint32_t)from, (uint32_t)(end - from)};
        at = end;
    }
    out->has_fragment = at < len;
    return BRRT_OK;
}
