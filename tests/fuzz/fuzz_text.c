/* Decoders of texts against their slow forms.
 *
 * An input is a byte whose low bits say how the text is aligned and whose high bits are a small number, then texts
 * separated by LF: the text itself, and a name and a value to look for in it. */
#include "brrt_text.h"
#include "fuzz.h"
#include "naive.h"

enum { ALIGNMENTS = 32 };

static void check_scan(const char *s, size_t len) {
    unsigned wanted = 0;
    for (size_t i = 0; i < len; i++) {
        wanted |= s[i] == '%' ? BRRT_HAS_PERCENT : 0u;
        wanted |= (unsigned char)s[i] > 0x7F ? BRRT_HAS_HIGH : 0u;
        wanted |= s[i] == '+' ? BRRT_HAS_PLUS : 0u;
    }
    MUST(brrt_scan(s, len) == wanted, "%u", wanted);
    MUST(brrt_utf8_valid(s, len) == naive_utf8(s, len), "UTF-8 of %zu bytes", len);
}

static void check_decode(char *s, size_t len) {
    static const brrt_status status_of[] = {BRRT_OK, BRRT_BAD_ESCAPE, BRRT_BAD_UTF8};
    char *wanted = exact(s, len), *out = exact(s, len);
    for (int plus = 0; plus < 2; plus++) {
        size_t wanted_len, out_len;
        naive_result result = naive_decode(s, len, plus, wanted, &wanted_len);
        brrt_status status = brrt_percent_decode(s, len, plus, out, &out_len);
        MUST(status == status_of[result], "%s", brrt_status_name((int)status));
        MUST(status == BRRT_BAD_UTF8 || out_len == wanted_len, "%zu, not %zu", out_len, wanted_len);
        MUST(status != BRRT_OK || memcmp(out, wanted, wanted_len) == 0, "other bytes");
        memcpy(out, s, len);
        size_t in_place_len;
        MUST(brrt_percent_decode(out, len, plus, out, &in_place_len) == status && in_place_len == out_len, "in place");
        MUST(status != BRRT_OK || memcmp(out, wanted, wanted_len) == 0, "other bytes in place");
    }
    free(wanted);
    free(out);
}

/* The pairs, one byte at a time. */
static size_t naive_split(const char *s, size_t len, brrt_pair *out) {
    size_t count = 0, from = 0, equals = SIZE_MAX;
    for (size_t at = 0; at <= len; at++) {
        if (at < len && s[at] != '&') {
            equals = s[at] == '=' && equals == SIZE_MAX ? at : equals;
            continue;
        }
        if (at > from) {
            int has_value = equals != SIZE_MAX;
            size_t name_end = has_value ? equals : at, value = has_value ? equals + 1 : at;
            out[count++] = (brrt_pair){{(uint32_t)from, (uint32_t)(name_end - from)},
                                       {(uint32_t)value, (uint32_t)(at - value)},
                                       has_value};
        }
        from = at + 1;
        equals = SIZE_MAX;
    }
    return count;
}

static int same_pair(brrt_pair a, brrt_pair b) {
    return a.has_value == b.has_value && a.name.off == b.name.off && a.name.len == b.name.len &&
           a.value.off == b.value.off && a.value.len == b.value.len;
}

static void check_split(const char *s, size_t len, size_t cap) {
    brrt_pair *wanted = malloc((len + 1) * sizeof *wanted), *out = malloc((cap + 1) * sizeof *out);
    if (wanted == NULL || out == NULL) {
        abort();
    }
    size_t all = naive_split(s, len, wanted), count = SIZE_MAX;
    brrt_status status = brrt_query_split(s, len, out, cap, &count);
    MUST(status == (all > cap ? BRRT_TOO_MANY : BRRT_OK), "%zu pairs", all);
    MUST(count == (all > cap ? cap : all), "%zu, not %zu", count, all);
    for (size_t i = 0; i < count; i++) {
        MUST(same_pair(out[i], wanted[i]), "pair %zu", i);
    }
    free(wanted);
    free(out);
}

/* ---- scalars ---- */

static size_t digits_at(const char *s, size_t len, size_t at) {
    size_t from = at;
    while (at < len && s[at] >= '0' && s[at] <= '9') {
        at++;
    }
    return at - from;
}

/* The bytes of the integer at the start, 0 when there is none. */
static size_t integer_at(const char *s, size_t len) {
    size_t sign = len != 0 && s[0] == '-', digits = digits_at(s, len, sign);
    return digits == 0 ? 0 : s[sign] == '0' ? sign + 1 : sign + digits;
}

static int naive_number(const char *s, size_t len) {
    size_t at = integer_at(s, len);
    if (at == 0) {
        return 0;
    }
    if (at < len && s[at] == '.') {
        size_t digits = digits_at(s, len, at + 1);
        if (digits == 0) {
            return 0;
        }
        at += 1 + digits;
    }
    if (at < len && (s[at] == 'e' || s[at] == 'E')) {
        at += at + 1 < len && (s[at + 1] == '+' || s[at + 1] == '-') ? 2 : 1;
        size_t digits = digits_at(s, len, at);
        if (digits == 0) {
            return 0;
        }
        at += digits;
    }
    return at == len;
}

static brrt_status naive_int64(const char *s, size_t len, int64_t *out) {
    if (integer_at(s, len) != len || len == 0) {
        return BRRT_SYNTAX;
    }
    int negative = s[0] == '-';
    __int128 value = 0;
    for (size_t i = (size_t)negative; i < len; i++) {
        value = value * 10 + (s[i] - '0');
        if (value > (__int128)INT64_MAX + negative) {
            return BRRT_RANGE;
        }
    }
    *out = (int64_t)(negative ? -value : value);
    return BRRT_OK;
}

static size_t naive_depth(const char *s, size_t len) {
    size_t depth = 0, deepest = 0;
    int in_string = 0;
    for (size_t i = 0; i < len; i++) {
        if (in_string) {
            in_string = s[i] != '"';
            i += s[i] == '\\' ? 1 : 0; /* what follows is no end of the string */
        } else if (s[i] == '"') {
            in_string = 1;
        } else if (s[i] == '[' || s[i] == '{') {
            depth++;
            deepest = depth > deepest ? depth : deepest;
        } else if ((s[i] == ']' || s[i] == '}') && depth > 0) {
            depth--;
        }
    }
    return deepest;
}

static void check_scalars(const char *s, size_t len, size_t number) {
    int64_t wanted = 0, value = 0;
    brrt_status status = brrt_parse_int64(s, len, &value);
    MUST(status == naive_int64(s, len, &wanted), "%s", brrt_status_name((int)status));
    MUST(status != BRRT_OK || value == wanted, "%lld", (long long)value);
    MUST(brrt_is_number(s, len) == naive_number(s, len), "%.*s", (int)len, s);
    int truth = -1, is_true = len == 4 && memcmp(s, "true", 4) == 0, is_false = len == 5 && memcmp(s, "false", 5) == 0;
    status = brrt_parse_bool(s, len, &truth);
    MUST((status == BRRT_OK) == (is_true || is_false), "%.*s", (int)len, s);
    MUST(status != BRRT_OK || truth == is_true, "%d", truth);
    size_t longest = 0;
    for (size_t at = 0; at < len; at++) {
        size_t run = digits_at(s, len, at);
        longest = run > longest ? run : longest;
    }
    MUST(brrt_has_digits(s, len, number + 1) == (longest >= number + 1), "%zu digits", longest);
    size_t depth = naive_depth(s, len), found = brrt_json_depth(s, len, number);
    MUST(depth <= number ? found == depth : found > number && found <= depth, "%zu deep, not %zu", found, depth);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) {
        return 0;
    }
    size_t aligned = data[0] % ALIGNMENTS, number = data[0] / ALIGNMENTS;
    const char *parts[3];
    size_t lens[3] = {0, 0, 0}, at = 1;
    for (int i = 0; i < 3; i++) {
        const void *end = i == 2 || at >= size ? NULL : memchr(data + at, '\n', size - at);
        size_t stop = end == NULL ? size : (size_t)((const uint8_t *)end - data);
        lens[i] = stop > at ? stop - at : 0;
        parts[i] = exact(data + (at < size ? at : size), lens[i]);
        at = stop + 1;
    }
    char *s = exact_after(parts[0], lens[0], aligned);
    check_scan(s, lens[0]);
    check_decode(s, lens[0]);
    check_split(s, lens[0], number == 7 ? lens[0] : number);
    check_scalars(s, lens[0], number);
    for (int with_value = 0; with_value < 2; with_value++) {
        const char *value = with_value ? parts[2] : NULL;
        MUST(brrt_query_has(s, lens[0], parts[1], lens[1], value, lens[2]) ==
                 naive_query_has(s, lens[0], parts[1], lens[1], value, lens[2]),
             "with value: %d", with_value);
    }
    free(s - aligned);
    for (int i = 0; i < 3; i++) {
        free((char *)(uintptr_t)parts[i]);
    }
    return 0;
}
