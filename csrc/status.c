/* The three look-ups of brrt_status.h, each one generated from the list. */
#include "brrt_status.h"

const char *brrt_status_text(int status) {
    switch (status) {
#define BRRT_STATUS_CASE(name, value, http, text)                                                                      \
    case value:                                                                                                        \
        return text;
        BRRT_STATUS_LIST(BRRT_STATUS_CASE)
#undef BRRT_STATUS_CASE
    default:
        return "unknown status";
    }
}

const char *brrt_status_name(int status) {
    switch (status) {
#define BRRT_STATUS_CASE(name, value, http, text)                                                                      \
    case value:                                                                                                        \
        return #name;
        BRRT_STATUS_LIST(BRRT_STATUS_CASE)
#undef BRRT_STATUS_CASE
    default:
        return "UNKNOWN";
    }
}

int brrt_status_http(int status) {
    switch (status) {
#define BRRT_STATUS_CASE(name, value, http, text)                                                                      \
    case value:                                                                                                        \
        return http;
        BRRT_STATUS_LIST(BRRT_STATUS_CASE)
#undef BRRT_STATUS_CASE
    default:
        return 0;
    }
}
