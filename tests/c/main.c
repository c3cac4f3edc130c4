/* Runs every suite; prints a digest of what the fuzzed functions said and "N passed, N failed". */
#include "test.h"

#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static unsigned long passed_count;
static unsigned long failed_count;
static uint64_t random_state = UINT64_C(0x9E3779B97F4A7C15);
static uint64_t digest_state = UINT64_C(0xCBF29CE484222325);
static unsigned char seen_statuses[256];

void check(int passed, const char *file, int line, const char *condition, const char *message, ...) {
    if (passed) {
        passed_count++;
        return;
    }
    failed_count++;
    if (failed_count > 50) {
        return;
    }
    va_list arguments;
    va_start(arguments, message);
    printf("%s:%d: %s: ", file, line, condition);
    vprintf(message, arguments);
    printf("\n");
    va_end(arguments);
}

char *guarded(int side, const void *bytes, size_t len) {
    static char *areas[GUARD_SIDES];
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (areas[side] == NULL) {
        char *area = mmap(NULL, GUARD_ROOM + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (area == MAP_FAILED || mprotect(area + page, GUARD_ROOM, PROT_READ | PROT_WRITE) != 0) {
            perror("mmap");
            exit(2);
        }
        areas[side] = area;
    }
    if (len > GUARD_ROOM) {
        printf("guarded: %zu bytes are too many\n", len);
        exit(2);
    }
    char *start = areas[side] + page + (side == 0 ? GUARD_ROOM - len : 0);
    memcpy(start, bytes, len);
    return start;
}

uint64_t random_next(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

size_t random_below(size_t bound) {
    return (size_t)(random_next() >> 20) % bound;
}

static char random_byte(const char *palette, size_t palette_len) {
    return random_below(8) == 0 ? (char)random_next() : palette[random_below(palette_len)];
}

size_t random_mutate(char *bytes, size_t len, size_t room, const char *palette, size_t palette_len) {
    for (size_t changes = random_below(4); changes > 0; changes--) {
        size_t at = random_below(len + 1);
        size_t piece = 1 + random_below(6);
        switch (random_below(4)) {
        case 0: /* change */
            if (at < len) {
                bytes[at] = random_byte(palette, palette_len);
            }
            break;
        case 1: /* insert */
            if (len < room) {
                memmove(bytes + at + 1, bytes + at, len - at);
                bytes[at] = random_byte(palette, palette_len);
                len++;
            }
            break;
        case 2: /* remove */
            piece = piece > len - at ? len - at : piece;
            memmove(bytes + at, bytes + at + piece, len - at - piece);
            len -= piece;
            break;
        default: /* repeat */
            if (at + piece <= len && len + piece <= room) {
                memmove(bytes + at + piece, bytes + at, len - at);
                len += piece;
            }
        }
    }
    return len;
}

void digest(uint64_t value) {
    digest_state = (digest_state ^ value) * UINT64_C(0x100000001B3);
}

void saw_status(int status) {
    seen_statuses[status & 255] = 1;
}

int was_status_seen(int status) {
    return seen_statuses[status & 255];
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
#define SUITE_RUN(name) test_##name();
    SUITES(SUITE_RUN)
#undef SUITE_RUN
    printf("digest %016llx\n", (unsigned long long)digest_state);
    printf("%lu passed, %lu failed\n", passed_count, failed_count);
    return failed_count != 0;
}
