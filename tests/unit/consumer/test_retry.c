#include "consumer/retry.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_error_has_its_remedy)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
