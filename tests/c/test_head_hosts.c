/* Hosts and ports (RFC 9110 7.2, RFC 3986 3.2.2 and 3.2.3), through the Host field and through absolute-form. */
#include <arpa/inet.h>

#include "head_cases.h"
#include "test.h"

static const char *const good_hosts[] = {
    "a",
    "localhost",
    "localhost:8080",
    "example.org.",
    "EXAMPLE.org:",
    "a:0",
    "a:65535",
    "a:00080",
    "127.0.0.1:80",
    "256.1.1.1",
    "a_b",
    "a~b",
    "xn--bcher-kva.example",
    "%C3%A4:80",
    "a,b;c=d!$&'()*+",
    "-",
    ".",
    "0",
    "[::1]",
    "[::]",
    "[::1]:8080",
    "[::1]:",
    "[1:2:3:4:5:6:7:8]",
    "[1:2:3:4:5:6:7::]",
    "[::2:3:4:5:6:7:8]",
    "[1::8]:1",
    "[fe80::ABCD:0]",
    "[1:2:3:4:5:6:127.0.0.1]",
    "[::ffff:1.2.3.4]:80",
    "[::255.255.255.255]",
    "[0001:0002::]",
    "[v1.a:b]",
    "[VF.~]:1",
    "a-name-that-is-longer-than-one-vector.example.org:443",
};

static const char *const bad_hosts[] = {
    ":",
    ":80",
    "u@a",
    "u:p@a",
    "@a",
    "a/",
    "/a",
    "a?b",
    "a#b",
    "a b",
    "a\tb",
    "a:b",
    "a:80:80",
    "a:-1",
    "a:+1",
    "a:65536",
    "a:99999999999999999999",
    "a:80/",
    "a: 80",
    "a :80",
    "a:8 0",
    "http://a",
    "a\\b",
    "a\"b",
    "<a>",
    "a^b",
    "a`b",
    "a{b}",
    "a|b",
    "\xC3\xA4",
    "%",
    "%4",
    "%4g",
    "%zz",
    "a%",
    "a%2",
    "[",
    "]",
    "[]",
    "[:]",
    "[::1",
    "::1]",
    "::1",
    "[::1]80",
    "[::1]a",
    "[::1]]",
    "[[::1]]",
    "[::1]:65536",
    "[::1]:a",
    "[1:2:3:4:5:6:7]",
    "[1:2:3:4:5:6:7:8:9]",
    "[1::2::3]",
    "[:::]",
    "[1:2:3:4:5:6:7:]",
    "[:1:2:3:4:5:6:7]",
    "[1::2:3:4:5:6:7:8]",
    "[12345::]",
    "[g::]",
    "[::1%25eth0]",
    "[::1%eth0]",
    "[1.2.3.4]",
    "[::1.2.3]",
    "[::1.2.3.4.5]",
    "[::1.2.3.256]",
    "[::1.2.3.04]",
    "[::1.2.3.]",
    "[::1.2.3.4:5]",
    "[1:2:3:4:5:6:7:1.2.3.4]",
    "[v.a]",
    "[v1.]",
    "[v1]",
    "[v1a]",
    "[vg.a]",
    "[v1.a@]",
    "[v1.a]b",
    "[V]",
    "a,b c",
    "[ ::1]",
};

static brrt_status status_of_host(const char *format, const char *host, size_t *where, int side) {
    char text[512];
    brrt_head head;
    size_t len = (size_t)snprintf(text, sizeof text, format, host);
    return brrt_head_index(guarded(side, text, len), len, &usual_limits, &head, where);
}

static void check_host(const char *host, int valid) {
    size_t where = 0;
    for (int side = 0; side < GUARD_SIDES; side++) {
        brrt_status status = status_of_host("GET / HTTP/1.1\r\nHost: %s\r\n\r\n", host, &where, side);
        CHECK(status == (valid ? BRRT_OK : BRRT_HEAD_HOST_INVALID), "Host: %s: %s", host,
              brrt_status_name((int)status));
        CHECK(valid || (where >= 22 && where <= 22 + strlen(host)), "Host: %s: at %zu", host, where);
    }
    if (strpbrk(host, " \t/?#") != NULL) {
        return; /* in a target these end the host, or the target */
    }
    brrt_status status = status_of_host("GET http://%s/ HTTP/1.0\r\n\r\n", host, &where, 0);
    CHECK(status == (valid ? BRRT_OK : BRRT_HEAD_TARGET), "http://%s/: %s", host, brrt_status_name((int)status));
    CHECK(valid || (where >= 11 && where <= 11 + strlen(host)), "http://%s/: at %zu", host, where);
}

/* The system's reader of IPv6 addresses is the oracle. */
static void check_random_ipv6(void) {
    static const char palette[] = "0123456789abcdefABCDEF::::....";
    static const char *const seeds[] = {"1:2:3:4:5:6:7:8",    "::1", "1::", "1:2::7:8", "::ffff:1.2.3.4",
                                        "1:2:3:4:5:6:1.2.3.4"};
    for (int round = 0; round < 30000; round++) {
        char address[64];
        char host[80];
        size_t len = strlen(strcpy(address, seeds[random_below(6)]));
        len = random_mutate(address, len, sizeof address - 8, palette, sizeof palette - 1);
        for (size_t i = 0; i < len; i++) { /* the oracle reads C strings, and the brackets end at the first ']' */
            if (strchr(palette, address[i]) == NULL || address[i] == '\0') {
                address[i] = 'g';
            }
        }
        address[len] = '\0';
        snprintf(host, sizeof host, "[%s]", address);
        struct in6_addr parsed;
        size_t where = 0;
        int valid = inet_pton(AF_INET6, address, &parsed) == 1;
        brrt_status status = status_of_host("GET / HTTP/1.1\r\nHost: %s\r\n\r\n", host, &where, 0);
        CHECK(status == (valid ? BRRT_OK : BRRT_HEAD_HOST_INVALID), "%s: %s", host, brrt_status_name((int)status));
        digest(status);
        digest(where);
    }
}

void test_head_hosts(void) {
    for (size_t i = 0; i < sizeof good_hosts / sizeof *good_hosts; i++) {
        check_host(good_hosts[i], 1);
    }
    for (size_t i = 0; i < sizeof bad_hosts / sizeof *bad_hosts; i++) {
        check_host(bad_hosts[i], 0);
    }
    check_random_ipv6();
}
