/* Which pages are those of a list, or our own, and which hosts are surely this machine. */
#include "common/http/origin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool listed(const char *item, const char *origin)
{
    char *items[] = {(char *)(uintptr_t) "https://first.example", (char *)(uintptr_t)item};
    const struct lm_config_list list = {items, 2};
    return lm_origin_listed(&list, origin);
}

static void origins_are_compared_as_browsers_write_them(void **state)
{
    static const struct {
        const char *item, *origin;
        bool same;
    } cases[] = {
        {"https://panel.example", "https://panel.example", true},
        {"https://panel.example", "https://first.example", true},
        {"HTTPS://Panel.Example", "https://panel.example", true},
        {"https://panel.example:443", "https://panel.example", true},
        {"http://panel.example", "http://panel.example:80", true},
        {"https://panel.example", "https://panel.example:80", false},
        {"https://panel.example", "http://panel.example", false},
        {"https://panel.example", "https://panel.example:8443", false},
        {"https://panel.example", "https://panel.example.evil", false},
        {"https://panel.example", "https://evil.panel.example", false},
        {"https://panel.example", "https://panel.exampl", false},
        {"https://panel.example", "https://panel.example/", false},
        {"https://panel.example", "https://panel.example@evil", false},
        {"https://panel.example", "panel.example", false},
        {"https://panel.example", "", false},
        {"https://panel.example", "null", false},
        {"app://logs", "app://logs", true},
        {"app://logs:80", "app://logs", false},
        {"*", "https://any.example", true},
        {"*", "null", false},
        {"*", "", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (listed(cases[i].item, cases[i].origin) != cases[i].same)
            fail_msg("%s and %s", cases[i].item, cases[i].origin);
    }
}

static void what_would_never_match_is_refused_when_it_is_configured(void **state)
{
    static const char *const bad[] = {"",
                                      "panel.example",
                                      "https://",
                                      "://panel",
                                      "https://panel.example/",
                                      "https://panel.example/app",
                                      "https://user@panel.example",
                                      "https://*.example",
                                      "https://a b",
                                      "null"};
    static const char *const good[] = {"*", "https://panel.example", "http://10.0.0.1:3000",
                                       "http://[::1]:3000", "chrome-extension://abc"};
    struct lm_error error;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char *items[] = {(char *)(uintptr_t)bad[i]};
        const struct lm_config_list list = {items, 1};
        assert_int_equal(lm_origins_check(&list, "cors.origins", &error), -1);
        assert_non_null(strstr(error.text, "cors.origins"));
    }
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        char *items[] = {(char *)(uintptr_t)good[i]};
        const struct lm_config_list list = {items, 1};
        assert_int_equal(lm_origins_check(&list, "cors.origins", &error), 0);
    }
}

static void only_names_that_cannot_lead_elsewhere_are_this_machine(void **state)
{
    static const char *const ours[] = {"localhost",   "LOCALHOST:8001", "127.0.0.1", "127.0.0.1:8001",
                                       "127.9.8.7:1", "[::1]",          "[::1]:8001"};
    static const char *const not_ours[] = {"",
                                           ":8001",
                                           "localhost.evil.example",
                                           "127.evil.example:8001",
                                           "127.0.0.1.evil.example",
                                           "logs.example",
                                           "10.0.0.1:8001",
                                           "0.0.0.0:8001",
                                           "[::]:8001",
                                           "[::1].evil.example",
                                           "127.0.0.1@evil.example",
                                           "1127.0.0.1"};
    (void)state;
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        if (!lm_host_is_loopback(ours[i]))
            fail_msg("%s", ours[i]);
    }
    for (size_t i = 0; i < sizeof(not_ours) / sizeof(not_ours[0]); i++) {
        if (lm_host_is_loopback(not_ours[i]))
            fail_msg("%s", not_ours[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(origins_are_compared_as_browsers_write_them),
        cmocka_unit_test(what_would_never_match_is_refused_when_it_is_configured),
        cmocka_unit_test(only_names_that_cannot_lead_elsewhere_are_this_machine),
    };
    return cmocka_run_group_tests_name("origin", tests, NULL, NULL);
}
