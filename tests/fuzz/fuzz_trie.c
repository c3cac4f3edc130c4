/* The trie against the linear matcher: the same templates taken, the same routes found, the same captures.
 *
 * An input is text.  First line: a digit, whose bits are the options.  Then a line for each template, after an empty
 * line one for each request; the first byte of a line says which method. */
#include "brrt_matcher.h"
#include "fuzz.h"
#include "linear.h"

static const char *const methods[LINEAR_METHODS] = {"GET",   "HEAD",   "POST",            "PUT",
                                                    "QUERY", "DELETE", "VERSION-CONTROL", "VERSION-CONTROLS"};
enum { GET, HEAD, REQUESTS = 16, LONGEST = 1024 };

static int method_of(char c) {
    return (unsigned char)c % LINEAR_METHODS;
}

/* The line at *at without its LF; 0 at the end. */
static int take_line(text whole, size_t *at, text *line) {
    if (*at >= whole.len) {
        return 0;
    }
    const char *from = whole.s + *at;
    const char *end = memchr(from, '\n', whole.len - *at);
    line->s = from;
    line->len = end == NULL ? whole.len - *at : (size_t)(end - from);
    *at += line->len + 1;
    return 1;
}

static void check_info(const brrt_template *info, const char *tpl, const linear_route *route) {
    MUST(info->name_count == route->name_count, "%u names", info->name_count);
    for (uint32_t i = 0; i < info->name_count; i++) {
        const text name = route->names[i];
        MUST(info->names[i].len == name.len && tpl + info->names[i].off == name.s, "name %u", i);
    }
}

/* Add one template to both.  `tpl` stays valid as long as the list. */
static void add(brrt_builder *builder, linear *list, int method, const char *tpl, size_t len) {
    brrt_template info;
    uint32_t other = UINT32_MAX;
    size_t naive_other = SIZE_MAX;
    const char *name = methods[method];
    brrt_status status = brrt_builder_add(builder, name, strlen(name), tpl, len, &info, &other);
    linear_result result = linear_add(list, method, tpl, len, &naive_other);
    linear_result said = status == BRRT_OK              ? LINEAR_TAKEN
                         : status == BRRT_TPL_COLLISION ? LINEAR_COLLISION
                                                        : LINEAR_REFUSED;
    MUST(said == result, "%s for %.*s", brrt_status_name((int)status), (int)len, tpl);
    if (result == LINEAR_COLLISION) {
        MUST(other == naive_other, "%.*s collides with %u", (int)len, tpl, other);
    }
    if (result == LINEAR_TAKEN) {
        check_info(&info, tpl, &list->routes[list->count - 1]);
    }
}

/* The methods of NO_METHOD as bits of the table above. */
static unsigned allowed_of(const brrt_matcher *matcher, uint32_t allowed) {
    unsigned found = 0;
    for (int i = 0; i < LINEAR_METHODS; i++) {
        int id = brrt_matcher_method(matcher, methods[i], strlen(methods[i]));
        if (id >= 0) {
            size_t len;
            const char *name = brrt_matcher_method_name(matcher, id, &len);
            MUST(len == strlen(methods[i]) && memcmp(name, methods[i], len) == 0, "method %d", id);
            found |= (allowed >> id & 1) << i;
            allowed &= ~(UINT32_C(1) << id);
        }
    }
    MUST(allowed == 0, "bits of no method: %x", allowed);
    return found;
}

static void check_captures(const brrt_match *match, const linear_match *wanted, text path) {
    MUST(match->count == wanted->count, "%u captures of %.*s", match->count, (int)path.len, path.s);
    for (uint32_t i = 0; i < match->count; i++) {
        brrt_span have = match->captures[i];
        text want = wanted->captures[i];
        MUST(have.len == want.len && memcmp(match->base + have.off, want.s, want.len) == 0, "capture %u of %.*s", i,
             (int)path.len, path.s);
        for (size_t at = 0; at < want.len && !match->high; at++) {
            MUST((unsigned char)want.s[at] <= 0x7F, "high is not set for %.*s", (int)path.len, path.s);
        }
    }
}

static void ask(const brrt_matcher *matcher, const linear *list, int method, text path, text query) {
    static const brrt_status status_of[] = {BRRT_OK, BRRT_NO_MATCH, BRRT_NO_METHOD, BRRT_BAD_ESCAPE, BRRT_BAD_UTF8};
    linear_match wanted;
    linear_answer answer = linear_find(list, method, path.s, path.len, query, &wanted);
    int id = method < 0 ? -1 : brrt_matcher_method(matcher, methods[method], strlen(methods[method]));
    char *own_path = exact(path.s, path.len), *own_query = exact(query.s, query.len);
    char *scratch = exact(path.s, path.len);
    brrt_match match;
    brrt_status status = brrt_matcher_match(matcher, id, own_path, path.len, own_query, query.len, scratch,
                                            path.len == 0 ? 0 : path.len - 1, &match);
    int escaped = path.len != 0 && path.s[0] == '/' && memchr(path.s, '%', path.len) != NULL;
    MUST((status == BRRT_NO_SPACE) == escaped, "%s with too little scratch", brrt_status_name((int)status));
    status = brrt_matcher_match(matcher, id, own_path, path.len, own_query, query.len, scratch, path.len, &match);
    MUST(status == status_of[answer], "%s for %.*s, not %s", brrt_status_name((int)status), (int)path.len, path.s,
         brrt_status_name((int)status_of[answer]));
    if (status == BRRT_OK) {
        MUST(match.route == wanted.route, "%u for %.*s, not %zu", match.route, (int)path.len, path.s, wanted.route);
        check_captures(&match, &wanted, path);
    } else if (status == BRRT_NO_METHOD) {
        MUST(allowed_of(matcher, match.allowed) == wanted.allowed, "%x", wanted.allowed);
    }
    /* Each node once for each of two spellings, and once more for each segment of the first way down. */
    MUST(match.visits <= 2 * brrt_matcher_nodes(matcher) + BRRT_MAX_SEGMENTS + 2, "%u visits", match.visits);
    free(own_path);
    free(own_query);
    free(scratch);
    free(wanted.decoded);
}

static void ask_line(const brrt_matcher *matcher, const linear *list, text line) {
    text path = {line.s + 1, line.len - 1}, query = {line.s + line.len, 0};
    const char *mark = memchr(path.s, '?', path.len);
    if (mark != NULL) {
        query = (text){mark + 1, (size_t)(line.s + line.len - mark) - 1};
        path.len = (size_t)(mark - path.s);
    }
    ask(matcher, list, method_of(line.s[0]), path, query);
    ask(matcher, list, -1, path, query);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static linear list; /* large; what is in use of it is set below */
    text whole = {(const char *)data, size}, line;
    size_t at = 0;
    if (size > LONGEST || !take_line(whole, &at, &line) || line.len != 1) {
        return 0;
    }
    unsigned options = (unsigned)line.s[0] & (BRRT_AUTO_HEAD | BRRT_SLASH_IGNORE);
    list.get = GET;
    list.head = HEAD;
    list.auto_head = (options & BRRT_AUTO_HEAD) != 0;
    list.slash_ignore = (options & BRRT_SLASH_IGNORE) != 0;
    list.count = 0;
    brrt_builder *builder = brrt_builder_new();
    char *copies[LINEAR_ROUTES];
    size_t added = 0;
    while (added < LINEAR_ROUTES && take_line(whole, &at, &line) && line.len != 0) {
        copies[added] = exact(line.s + 1, line.len - 1);
        add(builder, &list, method_of(line.s[0]), copies[added], line.len - 1);
        added++;
    }
    brrt_matcher *matcher = brrt_builder_freeze(builder, options);
    brrt_builder_free(builder);
    for (int n = 0; n < REQUESTS && take_line(whole, &at, &line); n++) {
        if (line.len != 0) {
            ask_line(matcher, &list, line);
        }
    }
    brrt_matcher_free(matcher);
    linear_free(&list);
    while (added-- > 0) {
        free(copies[added]);
    }
    return 0;
}
