/* Hosts and ports, see brrt_authority.h. */
#include "brrt_authority.h"

#include "brrt_simd.h"

/* Each reader below takes the whole of [p, end) for one thing and answers like brrt_authority_error. */

static const char *ipv4_error(const char *p, const char *end) {
    for (int octet = 0; octet < 4; octet++) {
        if (octet > 0) {
            if (p == end || *p != '.') {
                return p;
            }
            p++;
        }
        const char *start = p;
        int value = 0;
        while (p != end && brrt_is_digit(*p)) {
            value = value * 10 + (*p - '0');
            if (value > 255 || (p > start && *start == '0')) {
                return p;
            }
            p++;
        }
        if (p == start) {
            return p;
        }
    }
    return p == end ? NULL : p;
}

static const char *ipv6_error(const char *p, const char *end) {
    int groups = 0;
    int gap = end - p >= 2 && p[0] == ':' && p[1] == ':';
    p += gap ? 2 : 0;
    while (p != end) {
        const char *start = p;
        while (p != end && p - start < 4 && brrt_is(*p, BRRT_IS_HEX)) {
            p++;
        }
        if (p == start) {
            return p;
        }
        if (p != end && *p == '.') {
            const char *error = ipv4_error(start, end);
            if (error != NULL) {
                return error;
            }
            groups += 2;
            p = end;
            break;
        }
        groups++;
        if (p == end) {
            break;
        }
        if (*p++ != ':' || p == end) {
            return p - 1;
        }
        if (*p == ':') {
            if (gap) {
                return p;
            }
            gap = 1;
            p++;
        }
    }
    return (gap ? groups <= 7 : groups == 8) ? NULL : p;
}

/* IPvFuture = "v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" ) */
static const char *ipv_future_error(const char *p, const char *end) {
    const char *start = ++p;
    while (p != end && brrt_is(*p, BRRT_IS_HEX)) {
        p++;
    }
    if (p == start || p == end || *p != '.') {
        return p;
    }
    start = ++p;
    while (p != end && (*p == ':' || brrt_is(*p, BRRT_IS_REG_NAME))) {
        p++;
    }
    return p != start && p == end ? NULL : p;
}

static const char *port_error(const char *p, const char *end) {
    unsigned value = 0;
    for (; p != end; p++) {
        if (!brrt_is_digit(*p)) {
            return p;
        }
        value = value * 10 + (unsigned)(*p - '0');
        if (value > 65535) {
            return p;
        }
    }
    return NULL;
}

/* The first byte that is not part of a reg-name (an IPv4 address is one too). */
static const char *reg_name_end(const char *base, const char *p, const char *end) {
    p = brrt_v_find(base, p, end, brrt_v_not_plain);
    while (p != end) {
        if (brrt_is(*p, BRRT_IS_REG_NAME)) {
            p++;
        } else if (*p == '%' && end - p >= 3 && brrt_is(p[1], BRRT_IS_HEX) && brrt_is(p[2], BRRT_IS_HEX)) {
            p += 3;
        } else {
            break;
        }
    }
    return p;
}

const char *brrt_authority_error(const char *base, const char *p, const char *end, int need_port) {
    const char *host = p;
    if (p != end && *p == '[') {
        const char *close = memchr(p, ']', (size_t)(end - p));
        if (close == NULL) {
            return end;
        }
        p++;
        const char *error = p != close && (*p | 0x20) == 'v' ? ipv_future_error(p, close) : ipv6_error(p, close);
        if (error != NULL) {
            return error;
        }
        p = close + 1;
    } else {
        p = reg_name_end(base, p, end);
    }
    if (p == host) {
        return p;
    }
    if (p == end) {
        return need_port ? end : NULL;
    }
    if (*p != ':') {
        return p;
    }
    p++;
    return need_port && p == end ? end : port_error(p, end);
}
