/* Mutated heads: the same answer whole and in pieces, and the same verdict as regular expressions give. */
#include <arpa/inet.h>
#include <regex.h>
#include <stdlib.h>
#include <strings.h>

#include "head_cases.h"
#include "test.h"

static const char *const seeds[] = {
    "GET /pets/42 HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: x\r\nAccept: */*\r\n\r\n",
    "POST /a?b=c&d HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\nConnection: keep-alive, close\r\n\r\n",
    "PUT http://a.b:80/c HTTP/1.1\r\nHost: [::1]:80\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n",
    "OPTIONS * HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\nX-Long-Name-Of-Some-Kind: \t\xC3\xA4 0123456789 0123456789 \r\n\r\n",
    "G / HTTP/1.0\r\n\r\n",
};
static const char palette[] = "\r\n\r\n\t  ::/?#%*,;@[]\"0159azAZ-_.\x01\x7F\x80";
enum { SEEDS = sizeof seeds / sizeof *seeds, ROOM = 512 };

static const brrt_head_limits fuzz_limits = {100, 60, 200, 5};

/* The grammar once more, as slowly and plainly as can be: one expression for each rule. */
#define TCHAR "[!#$%&'*+.^_`|~0-9A-Za-z-]"
#define REG_NAME "([0-9A-Za-z._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})"
#define AUTHORITY "(" REG_NAME "+|\\[[0-9A-Fa-f:.]+\\])(:[0-9]{0,5})?"

static int matches(const char *expression, const char *text) {
    static struct {
        const char *expression;
        regex_t compiled;
    } cache[16];
    size_t i = 0;
    while (cache[i].expression != NULL && cache[i].expression != expression) {
        i++;
    }
    if (cache[i].expression == NULL) {
        if (regcomp(&cache[i].compiled, expression, REG_EXTENDED | REG_NOSUB) != 0) {
            printf("bad expression %s\n", expression);
            exit(2);
        }
        cache[i].expression = expression;
    }
    return regexec(&cache[i].compiled, text, 0, NULL, 0) == 0;
}

/* What the expression cannot say: the address between brackets, and how large the port is. */
static int numbers_are_valid(const char *authority) {
    const char *colon = strrchr(authority, ':');
    const char *close = strchr(authority, ']');
    if (close != NULL) {
        char address[ROOM];
        struct in6_addr parsed;
        memcpy(address, authority + 1, (size_t)(close - authority) - 1);
        address[close - authority - 1] = '\0';
        if (inet_pton(AF_INET6, address, &parsed) != 1) {
            return 0;
        }
    }
    return colon == NULL || strchr(colon, ']') != NULL || atol(colon + 1) <= 65535;
}

static int target_is_valid(const char *method, const char *target) {
    static const char visible[] = "^[!-\"$-~]+$";
    static const char absolute[] = "^[hH][tT][tT][pP][sS]?://" AUTHORITY "([/?].*)?$";
    static const char connect[] = "^" AUTHORITY "$";
    char authority[ROOM];
    if (!matches(visible, target)) {
        return 0;
    }
    if (strcmp(method, "CONNECT") == 0) {
        return matches(connect, target) && matches(":[0-9]+$", target) && numbers_are_valid(target);
    }
    if (*target == '/' || strcmp(target, "*") == 0) {
        return *target == '/' || strcmp(method, "OPTIONS") == 0;
    }
    if (!matches(absolute, target)) {
        return 0;
    }
    strcpy(authority, strstr(target, "://") + 3);
    authority[strcspn(authority, "/?")] = '\0';
    return numbers_are_valid(authority);
}

typedef struct naive_head {
    int minor, hosts, lengths, codings, fields;
} naive_head;

/* One line without its CR LF, a field; whether it is valid by itself.  Bytes above 0x7F, on which expressions depend
 * on the locale, become '@': in no name or host and in any other value as well. */
static int field_is_valid(char *line, naive_head *head) {
    static const char field[] = "^" TCHAR "+:[\t -~]*$";
    for (char *p = line; *p != '\0'; p++) {
        *p = (unsigned char)*p > 0x7F ? '@' : *p;
    }
    if (!matches(field, line)) {
        return 0;
    }
    char *colon = strchr(line, ':');
    char *value = colon + 1 + strspn(colon + 1, " \t");
    for (size_t len = strlen(value); len > 0 && strchr(" \t", value[len - 1]) != NULL; len--) {
        value[len - 1] = '\0';
    }
    *colon = '\0';
    head->fields++;
    if (strcasecmp(line, "host") == 0) {
        head->hosts++;
        return *value == '\0' || (matches("^" AUTHORITY "$", value) && numbers_are_valid(value));
    }
    if (strcasecmp(line, "content-length") == 0) {
        head->lengths++;
        return matches("^0*[0-9]{1,18}$", value);
    }
    if (strcasecmp(line, "transfer-encoding") == 0) {
        head->codings++;
        return strcasecmp(value, "chunked") == 0;
    }
    return 1;
}

/* Whether s[0..len), which ends in an empty line, is a head. */
static int head_is_valid(const char *s, size_t len) {
    char text[ROOM];
    naive_head head = {0, 0, 0, 0, 0};
    if (memchr(s, '\0', len) != NULL) {
        return 0;
    }
    memcpy(text, s, len);
    text[len] = '\0';
    for (char *line = text; strcmp(line, "\r\n") != 0;) {
        char *end = strstr(line, "\r\n");
        if (end == NULL || memchr(line, '\n', (size_t)(end - line)) != NULL) {
            return 0;
        }
        *end = '\0';
        if (line == text) {
            if (strlen(line) > fuzz_limits.line || !matches("^" TCHAR "+ [^ ]+ HTTP/1[.][0-9]$", line)) {
                return 0;
            }
            head.minor = end[-1] != '0';
            char *target = strchr(line, ' ') + 1;
            target[-1] = '\0';
            *strchr(target, ' ') = '\0';
            if (!target_is_valid(line, target)) {
                return 0;
            }
        } else if (strlen(line) > fuzz_limits.field || !field_is_valid(line, &head)) {
            return 0;
        }
        line = end + 2;
    }
    return (head.minor == 0 ? head.hosts <= 1 && head.codings == 0 : head.hosts == 1) && head.lengths <= 1 &&
           head.codings <= 1 && head.lengths + head.codings <= 1 && head.fields <= (int)fuzz_limits.fields;
}

/* What must hold for every accepted head, whatever it is. */
static void check_accepted(const char *s, size_t len, const brrt_head *head) {
    size_t at = (size_t)head->target.off + head->target.len + 11;
    for (uint32_t i = 0; i < head->count; i++) {
        brrt_field field = head->fields[i];
        const char *value = s + field.value_off;
        CHECK(field.name_off == at && s[at + field.name_len] == ':', "field %u", i);
        CHECK(field.value_len == 0 ||
                  (strchr(" \t", value[0]) == NULL && strchr(" \t", value[field.value_len - 1]) == NULL),
              "blanks at field %u", i);
        at = (size_t)field.value_off + field.value_len;
        while (s[at] == ' ' || s[at] == '\t') {
            at++;
        }
        at += 2;
    }
    CHECK(at + 2 == len && head->head_len == len, "%zu of %zu", at, len);
    digest(head->flags);
    digest(head->content_length);
    digest(head->path.off * 1000 + head->path.len);
    digest(head->query.off * 1000 + head->query.len);
}

static void check_mutation(char *text, size_t len, int with_oracle) {
    static brrt_head head;
    uint32_t whole_len = 0;
    uint32_t pieces_len = 0;
    size_t where = 0;
    const char *s = guarded((int)random_below(2), text, len);
    brrt_status found = brrt_head_find(s, len, 0, &fuzz_limits, &whole_len);
    digest(found);
    digest(whole_len);
    if (random_below(8) == 0) {
        brrt_status again = find_in_pieces(text, len, 1 + random_below(20), &fuzz_limits, &pieces_len);
        CHECK(again == found && pieces_len == whole_len, "%s, %s: %.*s", brrt_status_name((int)found),
              brrt_status_name((int)again), (int)len, text);
    }
    if (found != BRRT_OK) {
        return;
    }
    s = guarded((int)random_below(2), text, whole_len);
    brrt_status status = brrt_head_index(s, whole_len, &fuzz_limits, &head, &where);
    digest(status);
    if (with_oracle) {
        CHECK((status == BRRT_OK) == head_is_valid(s, whole_len), "%s: %.*s", brrt_status_name((int)status), (int)len,
              text);
    }
    if (status == BRRT_OK) {
        check_accepted(s, whole_len, &head);
    } else {
        CHECK(status != BRRT_PARTIAL && where < whole_len, "%s at %zu of %u", brrt_status_name((int)status), where,
              whole_len);
        digest(where);
    }
}

void test_head_fuzz(void) {
    for (int round = 0; round < 200000; round++) {
        char text[ROOM];
        const char *seed = seeds[random_below(SEEDS)];
        size_t len = random_mutate(memcpy(text, seed, strlen(seed)), strlen(seed), 250, palette, sizeof palette - 1);
        check_mutation(text, len, round % 8 == 0);
    }
}
