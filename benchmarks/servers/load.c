/* Asks an HTTP server on the loopback over keep-alive connections and prints what it cost the client, as JSON.
 *
 *     load PORT CONNECTIONS DEPTH REQUESTS MILLISECONDS RATE FILE [DIGITS]
 *
 * FILE holds one request.  Each connection keeps DEPTH of them under way until REQUESTS were answered or so many
 * MILLISECONDS have passed.  With a RATE above 0 the requests are due at fixed times instead, RATE a second over all
 * connections, whether or not the server keeps up, and a latency counts from the time at which the request was due: a
 * stalled server cannot hide the requests that nobody could send meanwhile.  Where DIGITS stands in the request, each one
 * that is sent has another number of as many digits.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    MAX_CONNECTIONS = 1024,
    MAX_DEPTH = 64,
    MAX_REQUEST = 4096,
    IN_BYTES = 32768,
    BUCKETS = 1000000, /* of a microsecond each; what is longer counts as a second */
    MAX_SECONDS = 120,
    IDLE_SECONDS = 5, /* without any answer: the server has failed */
};

struct connection {
    int fd;
    unsigned awaited;  /* answers */
    uint64_t due;      /* of the oldest request under way, or of the next one */
    size_t filled;     /* bytes of `in` */
    char in[IN_BYTES];
};

static struct connection connections[MAX_CONNECTIONS];
static uint32_t histogram[BUCKETS + 1];
static char batch[MAX_REQUEST * MAX_DEPTH];

struct run {
    size_t request_length;
    size_t varied, digits; /* where a number stands that changes, and how long it is; 0 digits for nowhere */
    unsigned count, depth;
    uint64_t interval; /* nanoseconds between the requests of one connection, 0 for as fast as they are answered */
    uint64_t asked, answered, wanted, end;
};

static void fail(const char *what)
{
    fprintf(stderr, "load: %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
    exit(1);
}

static uint64_t now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

static void record(uint64_t nanoseconds)
{
    uint64_t at = nanoseconds / 1000;
    histogram[at < BUCKETS ? at : BUCKETS]++;
}

/* Bytes of the answer at the start of `s`, 0 while it is not complete; fails on any but a 200 with a Content-Length. */
static size_t answer_length(const char *s, size_t length)
{
    static const char name[] = "content-length:";
    const char *end = memmem(s, length, "\r\n\r\n", 4);
    const char *line;
    if (end == NULL)
        return 0;
    if (length < 12 || memcmp(s, "HTTP/1.1 200", 12) != 0)
        fail("an answer is not a 200");
    for (line = memchr(s, '\n', (size_t)(end - s)); line != NULL; line = memchr(line, '\n', (size_t)(end - line))) {
        line++;
        if ((*line == 'C' || *line == 'c') && strncasecmp(line, name, sizeof(name) - 1) == 0) {
            size_t whole = (size_t)(end + 4 - s) + strtoul(line + sizeof(name) - 1, NULL, 10);
            if (whole > IN_BYTES)
                fail("an answer is too long");
            return whole <= length ? whole : 0;
        }
    }
    fail("an answer has no Content-Length");
    return 0;
}

/* Give each of the requests of a batch a number that those before it had not, until all were used. */
static void vary(const struct run *run, unsigned requests)
{
    for (unsigned i = 0; i < requests; i++) {
        char *end = batch + i * run->request_length + run->varied + run->digits;
        uint64_t rest = run->asked + i;
        for (size_t at = 1; at <= run->digits; at++, rest /= 10)
            end[-(ptrdiff_t)at] = (char)('0' + (at == run->digits ? 1 + rest % 9 : rest % 10));
    }
}

static void ask(struct run *run, struct connection *c, unsigned requests)
{
    size_t length = run->request_length * requests;
    if (run->digits != 0)
        vary(run, requests);
    if (send(c->fd, batch, length, MSG_NOSIGNAL) != (ssize_t)length)
        fail("a request was not taken whole");
    c->awaited += requests;
    run->asked += requests;
}

/* Send what is due on a connection that waits for nothing. */
static void ask_more(struct run *run, struct connection *c, uint64_t at)
{
    if (run->asked >= run->wanted || c->awaited != 0)
        return;
    if (run->interval == 0) {
        c->due = at;
        ask(run, c, run->depth);
    } else if (at >= c->due) {
        ask(run, c, 1);
    }
}

static void receive(struct run *run, struct connection *c)
{
    size_t used = 0, length;
    uint64_t at;
    ssize_t got = recv(c->fd, c->in + c->filled, IN_BYTES - c->filled, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0)
        fail("the server has closed a connection");
    c->filled += (size_t)got;
    at = now();
    while (c->awaited != 0 && (length = answer_length(c->in + used, c->filled - used)) != 0) {
        used += length;
        c->awaited--;
        run->answered++;
        record(at - c->due);
        c->due += run->interval;
    }
    c->filled -= used;
    if (used != 0 && c->filled != 0)
        memmove(c->in, c->in + used, c->filled);
    ask_more(run, c, at);
}

static void connect_all(struct run *run, int epoll, uint16_t port, uint64_t start)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int yes = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (unsigned i = 0; i < run->count; i++) {
        struct connection *c = &connections[i];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof(address)) != 0)
            fail("connect");
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event) != 0)
            fail("epoll_ctl");
        c->due = start + run->interval * i / run->count;
    }
}

static void serve_events(struct run *run, int epoll)
{
    struct epoll_event events[256];
    uint64_t heard = now();
    while (run->answered < run->asked || (run->asked < run->wanted && now() < run->end)) {
        /* At a fixed rate the next request may be due in a microsecond: this loop never sleeps then. */
        int ready = epoll_wait(epoll, events, 256, run->interval != 0 ? 0 : 100);
        uint64_t at = now();
        if (ready < 0 && errno != EINTR)
            fail("epoll_wait");
        if (ready > 0)
            heard = at;
        if (run->answered < run->asked && at - heard > IDLE_SECONDS * UINT64_C(1000000000))
            fail("no answer comes");
        for (int i = 0; i < ready; i++)
            receive(run, events[i].data.ptr);
        if (at >= run->end)
            run->wanted = run->asked;
        for (unsigned i = 0; run->interval != 0 && i < run->count; i++)
            ask_more(run, &connections[i], at);
    }
}

static double percentile(uint64_t total, double share)
{
    uint64_t seen = 0, wanted = (uint64_t)((double)total * share);
    for (size_t i = 0; i <= BUCKETS; i++) {
        seen += histogram[i];
        if (seen > wanted)
            return (double)i;
    }
    return (double)BUCKETS;
}

static unsigned long number(const char *text, unsigned long least, unsigned long most)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    errno = 0;
    if (*end != '\0' || value < least || value > most) {
        fprintf(stderr, "load: %s is not a number from %lu to %lu\n", text, least, most);
        exit(2);
    }
    return value;
}

static void read_request(struct run *run, const char *name, const char *digits)
{
    const char *found;
    FILE *file = fopen(name, "rb");
    if (file == NULL)
        fail(name);
    run->request_length = fread(batch, 1, MAX_REQUEST, file);
    fclose(file);
    if (run->request_length == 0)
        fail("the request is empty");
    if (digits != NULL) {
        run->digits = strlen(digits);
        found = memmem(batch, run->request_length, digits, run->digits);
        if (run->digits == 0 || found == NULL)
            fail("the digits do not stand in the request");
        run->varied = (size_t)(found - batch);
    }
    for (unsigned i = 1; i < MAX_DEPTH; i++)
        memcpy(batch + i * run->request_length, batch, run->request_length);
}

int main(int argc, char **argv)
{
    struct run run = {0};
    unsigned long rate;
    uint64_t start;
    double seconds;
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (argc != 8 && argc != 9) {
        fprintf(stderr, "usage: load PORT CONNECTIONS DEPTH REQUESTS MILLISECONDS RATE FILE [DIGITS]\n");
        return 2;
    }
    run.count = (unsigned)number(argv[2], 1, MAX_CONNECTIONS);
    run.depth = (unsigned)number(argv[3], 1, MAX_DEPTH);
    run.wanted = number(argv[4], 1, 1000000000);
    rate = number(argv[6], 0, 1000000);
    run.interval = rate == 0 ? 0 : UINT64_C(1000000000) * run.count / rate;
    read_request(&run, argv[7], argc == 9 ? argv[8] : NULL);
    errno = 0;
    start = now() + (rate == 0 ? 0 : 20000000u); /* after the last connection is open */
    run.end = start + number(argv[5], 1, MAX_SECONDS * 1000) * UINT64_C(1000000);
    connect_all(&run, epoll, (uint16_t)number(argv[1], 1, 65535), start);
    for (unsigned i = 0; run.interval == 0 && i < run.count; i++)
        ask_more(&run, &connections[i], now());
    serve_events(&run, epoll);
    seconds = (double)(now() - start) / 1e9;
    printf("{\"requests\": %" PRIu64 ", \"seconds\": %.6f, \"p50\": %.0f, \"p99\": %.0f, \"p999\": %.0f}\n", run.answered,
           seconds, percentile(run.answered, 0.5), percentile(run.answered, 0.99), percentile(run.answered, 0.999));
    return 0;
}
