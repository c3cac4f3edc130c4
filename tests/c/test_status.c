/* Every status has a name, a text and an HTTP status; those of heads and chunked bodies can be brought about. */
#include "brrt_status.h"
#include "test.h"

void test_status(void) {
    static const struct {
        const char *name;
        int value, http;
        const char *text;
    } all[] = {
#define ROW(name, value, http, text) {#name, value, http, text},
        BRRT_STATUS_LIST(ROW)
#undef ROW
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        CHECK(strcmp(brrt_status_name(all[i].value), all[i].name) == 0, "%s", all[i].name);
        CHECK(strcmp(brrt_status_text(all[i].value), all[i].text) == 0, "%s", all[i].name);
        CHECK(brrt_status_http(all[i].value) == all[i].http, "%s", all[i].name);
        if (all[i].value >= BRRT_HEAD_METHOD && all[i].value <= BRRT_TRAILER_TOO_LARGE) {
            CHECK(was_status_seen(all[i].value), "no case of the tables gives %s", all[i].name);
        }
    }
    static const int unknown[] = {-1, 11, 255, 1 << 20};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        CHECK(brrt_status_name(unknown[i])[0] != '\0', "%d", unknown[i]);
        CHECK(brrt_status_text(unknown[i])[0] != '\0', "%d", unknown[i]);
        CHECK(brrt_status_http(unknown[i]) == 0, "%d", unknown[i]);
    }
}
