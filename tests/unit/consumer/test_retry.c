#include "consumer/writer/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct verdict {
    const char *kind, *sqlstate;
    enum lm_decision decision;
    long long line;
    bool closing;
    enum co_remedy remedy;
};

static const struct verdict verdicts[] = {
    {"connection_lost", "", LM_RETRY, 0, false, CO_REMEDY_WAIT},
    {"connection_lost", "57P01", LM_RETRY, 0, false, CO_REMEDY_WAIT},
    {"connection_lost", "", LM_RETRY, 0, true, CO_REMEDY_READ_BACK},
    {"connection_lost", "57P01", LM_RETRY, 0, true, CO_REMEDY_READ_BACK},
    {"raised", "LM001", LM_RETRY, 0, true, CO_REMEDY_START_OVER},
    {"unique_violation", "23505", LM_RETRY, 0, true, CO_REMEDY_START_OVER},
    {"no_partition", "23514", LM_RETRY, 7, false, CO_REMEDY_LEAF},
    {"check_violation", "23514", LM_DEAD_LETTER, 7, false, CO_REMEDY_TAKE_ROW},
    {"out_of_range", "22003", LM_DEAD_LETTER, 1, false, CO_REMEDY_TAKE_ROW},
    {"stack_depth", "54001", LM_DEAD_LETTER, 1, false, CO_REMEDY_TAKE_ROW},
    {"out_of_range", "22003", LM_RETRY, 0, true, CO_REMEDY_SEARCH},
    {"out_of_range", "22003", LM_RETRY, 0, false, CO_REMEDY_SEARCH},
    {"check_violation", "23514", LM_RETRY, 0, true, CO_REMEDY_WAIT},
    {"stack_depth", "54001", LM_RETRY, 0, true, CO_REMEDY_WAIT},
    {"lock_timeout", "55P03", LM_RETRY, 0, true, CO_REMEDY_END_HOLDER},
    {"lock_timeout", "55P03", LM_RETRY, 0, false, CO_REMEDY_WAIT},
    {"deadlock", "40P01", LM_RETRY, 0, true, CO_REMEDY_WAIT},
    {"disk_full", "53100", LM_RETRY, 12, false, CO_REMEDY_WAIT},
    {"read_only", "25006", LM_RETRY, 0, false, CO_REMEDY_RECONNECT},
    {"privilege", "42501", LM_FATAL, 0, false, CO_REMEDY_WAIT},
    {"undefined_column", "42703", LM_FATAL, 0, false, CO_REMEDY_WAIT},
};

static void every_error_has_its_remedy(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
        const struct verdict *v = &verdicts[i];
        struct lm_error error;
        (void)lm_error_set(&error, v->decision, v->kind, "x");
        memcpy(error.sqlstate, v->sqlstate, strlen(v->sqlstate) + 1);
        assert_string_equal(co_remedy_name(co_retry_decide(&error, v->line, v->closing)),
                            co_remedy_name(v->remedy));
    }
}

static struct lm_error error_of(const char *sqlstate, const char *text)
{
    struct lm_error error;
    (void)lm_error_set(&error, LM_FATAL, "test", "%s", text);
    memcpy(error.sqlstate, sqlstate, strlen(sqlstate) + 1);
    return error;
}

static void what_a_person_can_do_stands_behind_what_went_wrong(void **state)
{
    static const char *const known[][2] = {{"28P01", "postgres_url"},
                                           {"3D000", "logmill-ctl migrate"},
                                           {"42P01", "logmill-ctl migrate"},
                                           {"42501", "grant"},
                                           {"53100", "room"},
                                           {"25006", "read-only"}};
    char out[512];
    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        struct lm_error error = error_of(known[i][0], "it went wrong");
        co_retry_explain(&error, false, out, sizeof(out));
        assert_memory_equal(out, "it went wrong; ", 15);
        assert_non_null(strstr(out, known[i][1]));
    }
    struct lm_error error = error_of("40001", "it went wrong");
    co_retry_explain(&error, false, out, sizeof(out));
    assert_string_equal(out, "it went wrong");
    co_retry_explain(&error, true, out, sizeof(out));
    assert_non_null(strstr(out, "every row"));
}

static void a_long_text_is_cut_at_a_character_and_the_advice_stays_whole(void **state)
{
    char text[480], out[512];
    (void)state;
    for (size_t shift = 0; shift < 3; shift++) {
        memset(text, 'x', shift);
        for (size_t i = shift; i + 3 < sizeof(text); i += 3)
            memcpy(text + i, "\xea\xb0\x80", 4);
        struct lm_error error = error_of("53100", text);
        co_retry_explain(&error, false, out, 100);
        assert_in_range(strlen(out), 96, 99);
        const char *advice = strstr(out, "; make room on PostgreSQL's disk");
        assert_non_null(advice);
        assert_int_equal((size_t)(advice - out - (ptrdiff_t)shift) % 3, 0);
        co_retry_explain(&error, false, out, 8);
        assert_in_range(strlen(out), 5, 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_has_its_remedy),
        cmocka_unit_test(what_a_person_can_do_stands_behind_what_went_wrong),
        cmocka_unit_test(a_long_text_is_cut_at_a_character_and_the_advice_stays_whole)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
