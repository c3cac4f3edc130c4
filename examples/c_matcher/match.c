/* Matches requests against path templates with nothing but libbrrt: see README.md beside this file.
 *
 * Routes come from the arguments and from lines `add METHOD TEMPLATE` of the standard input; every other line is a
 * request, `METHOD PATH`, and gets one line of answer.  The exit status is 1 when a route or a line was refused. */
#define _POSIX_C_SOURCE 200809L

#include <brrt_matcher.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

/* A route as added: the builder keeps no text that we could print, and the names of captures are offsets into it. */
typedef struct route {
    char *tpl;
    brrt_template info;
} route;

typedef struct router {
    brrt_builder *builder;
    brrt_matcher *matcher; /* NULL while routes were added since the last freeze */
    route *routes;
    size_t count;
    size_t room;
    char *scratch; /* for paths with escapes, grown as needed */
    size_t scratch_len;
    int refused;
} router;

static void *or_die(void *made) {
    if (made == NULL) {
        fputs("out of memory\n", stderr);
        exit(2);
    }
    return made;
}

static void add_route(router *r, const char *method, const char *tpl) {
    if (r->count == r->room) {
        r->room = r->room == 0 ? 16 : 2 * r->room;
        r->routes = or_die(realloc(r->routes, r->room * sizeof *r->routes));
    }
    route *made = &r->routes[r->count];
    uint32_t other = 0;
    brrt_status status = brrt_builder_add(r->builder, method, strlen(method), tpl, strlen(tpl), &made->info, &other);
    if (status == BRRT_OK) {
        made->tpl = or_die(strdup(tpl));
        r->count++; /* the builder numbers routes in the same way */
        brrt_matcher_free(r->matcher);
        r->matcher = NULL;
        return;
    }
    if (status == BRRT_NOMEM) {
        or_die(NULL);
    }
    r->refused = 1;
    printf("%s %s: %s", method, tpl, brrt_status_text((int)status));
    printf(status == BRRT_TPL_COLLISION ? " %s\n" : "\n", status == BRRT_TPL_COLLISION ? r->routes[other].tpl : "");
}

static void print_hit(const router *r, const brrt_match *match) {
    const route *hit = &r->routes[match->route];
    fputs(hit->tpl, stdout);
    for (uint32_t i = 0; i < match->count; i++) {
        brrt_span name = hit->info.names[i], value = match->captures[i];
        printf(" %.*s=%.*s", (int)name.len, hit->tpl + name.off, (int)value.len, match->base + value.off);
    }
    putchar('\n');
}

static void print_allowed(const router *r, uint32_t allowed) {
    const char *separator = " Allow: ";
    printf("405");
    for (int id = 0; id < BRRT_MAX_METHODS; id++) {
        size_t len = 0;
        if (allowed & (UINT32_C(1) << id)) {
            const char *name = brrt_matcher_method_name(r->matcher, id, &len);
            printf("%s%.*s", separator, (int)len, name);
            separator = ", ";
        }
    }
    putchar('\n');
}

static void answer(router *r, const char *method, const char *target) {
    if (r->matcher == NULL) {
        r->matcher = or_die(brrt_builder_freeze(r->builder, BRRT_AUTO_HEAD));
    }
    size_t len = strcspn(target, "?");
    const char *query = target[len] == '?' ? target + len + 1 : target + len;
    if (r->scratch_len < len) {
        r->scratch = or_die(realloc(r->scratch, len));
        r->scratch_len = len;
    }
    brrt_match match;
    int id = brrt_matcher_method(r->matcher, method, strlen(method));
    brrt_status status = brrt_matcher_match(r->matcher, id, target, len, query, strlen(query), r->scratch, r->scratch_len,
                                            &match);
    printf("%s %s -> ", method, target);
    if (status == BRRT_OK) {
        print_hit(r, &match);
    } else if (status == BRRT_NO_METHOD) {
        print_allowed(r, match.allowed);
    } else {
        printf("%d %s\n", brrt_status_http((int)status), brrt_status_text((int)status));
    }
}

/* `text` is cut into words in place; at most three are of interest. */
static void obey(router *r, char *text) {
    char *state = NULL, *words[3] = {NULL, NULL, NULL};
    for (int i = 0; i < 3; i++) {
        words[i] = strtok_r(i == 0 ? text : NULL, " \t\r\n", &state);
        if (words[i] == NULL) {
            break;
        }
    }
    if (words[0] == NULL) {
        return; /* an empty line */
    }
    if (words[2] != NULL && strcmp(words[0], "add") == 0) {
        add_route(r, words[1], words[2]);
    } else if (words[1] != NULL && words[2] == NULL) {
        answer(r, words[0], words[1]);
    } else {
        r->refused = 1;
        fputs("a line is METHOD PATH or add METHOD TEMPLATE\n", stderr);
    }
}

int main(int argc, char **argv) {
    if ((argc - 1) % 2 != 0) {
        fprintf(stderr, "usage: %s [METHOD TEMPLATE]... < REQUESTS\n", argv[0]);
        return 2;
    }
    router r = {.builder = or_die(brrt_builder_new())};
    for (int i = 1; i < argc; i += 2) {
        add_route(&r, argv[i], argv[i + 1]);
    }
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, stdin) >= 0) {
        obey(&r, line);
    }
    free(line);
    for (size_t i = 0; i < r.count; i++) {
        free(r.routes[i].tpl);
    }
    free(r.routes);
    free(r.scratch);
    brrt_matcher_free(r.matcher);
    brrt_builder_free(r.builder);
    return r.refused;
}
