/* What each role may, and what a mask hides. */
#include "agent/access/access.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void each_role_has_its_rights_and_no_others(void **state)
{
    (void)state;
    static const bool expected[3][4] = {
        [AG_VIEWER] = {true, false, false, false},
        [AG_OPERATOR] = {true, true, true, false},
        [AG_ADMIN] = {true, true, true, true},
    };
    for (int role = AG_VIEWER; role <= AG_ADMIN; role++) {
        for (int right = AG_RIGHT_READ; right <= AG_RIGHT_DELETE; right++) {
            assert_int_equal(ag_role_may((enum ag_key_role)role, (enum ag_right)right),
                             expected[role][right]);
        }
    }
}

static struct ag_mask *mask_of(const char *first, const char *second)
{
    struct lm_error error;
    char *names[] = {(char *)(uintptr_t)first, (char *)(uintptr_t)second};
    const struct lm_config_list list = {names, second != NULL ? 2 : 1};
    struct ag_mask *mask = NULL;
    return ag_mask_new(&list, &mask, &error) == 0 ? mask : NULL;
}

static void a_column_is_hidden_under_every_name_it_is_asked_by(void **state)
{
    (void)state;
    static const struct {
        const char *column;
        enum ag_field field;
    } cases[] = {
        {"message", AG_MESSAGE},         {"message", AG_PATTERN},
        {"http_status", AG_HTTP_STATUS}, {"http_status", AG_REQUEST},
        {"duration_ms", AG_DURATION},    {"http_status", AG_STATUS_CLASS},
        {"endpoint", AG_REQUEST},        {"tags", AG_TAG},
        {"metadata", AG_METADATA},       {"user_id", AG_USER_ID},
        {"client_ip", AG_CLIENT_IP},     {"stack_trace", AG_STACK_TRACE},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ag_mask *mask = mask_of(cases[i].column, NULL);
        assert_non_null(mask);
        assert_true(ag_mask_field(mask, cases[i].field, "any"));
        assert_true(ag_mask_column(mask, cases[i].column));
        assert_false(ag_mask_field(mask, AG_SERVICE, NULL));
        assert_false(ag_mask_field(NULL, cases[i].field, "any"));
        ag_mask_free(mask);
    }
}

static void a_key_of_the_metadata_is_hidden_and_the_others_are_not(void **state)
{
    (void)state;
    struct ag_mask *mask = mask_of("metadata.card", "host");
    assert_true(ag_mask_field(mask, AG_METADATA, "card"));
    assert_false(ag_mask_field(mask, AG_METADATA, "cart"));
    assert_false(ag_mask_column(mask, "metadata"));
    assert_true(ag_mask_name(mask, AG_KIND_METADATA_KEY, "card"));
    assert_true(ag_mask_name(mask, AG_KIND_HOST, "web-1"));
    assert_false(ag_mask_name(mask, AG_KIND_METADATA_KEY, "cart"));
    assert_string_equal(ag_mask_key(mask, 0), "card");
    assert_null(ag_mask_key(mask, 1));
    ag_mask_free(mask);
}

static void an_intent_is_refused_for_its_filters_groups_measures_and_orders(void **state)
{
    (void)state;
    struct ag_mask *mask = mask_of("duration_ms", "user_id");
    struct ag_intent intent;
    ag_intent_init(&intent);
    assert_null(ag_mask_asked(mask, &intent));
    intent.order = AG_SLOWEST;
    assert_string_equal(ag_mask_asked(mask, &intent), "duration_ms");
    intent.order = AG_ORDER_DEFAULT;
    intent.measure.fn = AG_PERCENTILE;
    assert_string_equal(ag_mask_asked(mask, &intent), "duration_ms");
    intent.measure.fn = AG_DISTINCT;
    intent.measure.field = AG_USER_ID;
    assert_string_equal(ag_mask_asked(mask, &intent), "user_id");
    ag_intent_init(&intent);
    intent.groups[0].field = AG_USER_ID;
    intent.group_count = 1;
    assert_string_equal(ag_mask_asked(mask, &intent), "user_id");
    ag_intent_init(&intent);
    intent.filters[0].field = AG_USER_ID;
    intent.filters[0].op = AG_NOT_NULL;
    intent.filter_count = 1;
    assert_string_equal(ag_mask_asked(mask, &intent), "user_id");
    ag_mask_free(mask);
}

static void what_answers_are_made_of_and_what_is_no_column_cannot_be_hidden(void **state)
{
    (void)state;
    static const char *const names[] = {"created_at", "level", "service",   "environment", "category",
                                        "",           "x",     "metadata.", "deleted_at"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_null(mask_of(names[i], NULL));
    }
}

static void a_bucket_fills_with_time_and_never_beyond_its_burst(void **state)
{
    (void)state;
    const struct ag_config config = {.rate_limit = 60, .rate_burst = 3}; /* one a second */
    const struct ag_config none = {.rate_limit = 0, .rate_burst = 1};
    const int64_t second = 1000000;
    struct ag_bucket bucket = {0};
    int64_t now = 1000 * second;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ag_bucket_take(&bucket, &config, 1, now), 0);
    }
    assert_int_equal(ag_bucket_take(&bucket, &config, 1, now), second);
    assert_int_equal(ag_bucket_take(&bucket, &config, 0.1, now), second / 10);
    assert_int_equal(ag_bucket_take(&bucket, &config, 1, now + second / 4), second * 3 / 4);
    assert_int_equal(ag_bucket_take(&bucket, &config, 1, now + second), 0);
    assert_int_equal(ag_bucket_take(&bucket, &config, 1, now + second), second);
    now += 1000 * second;
    for (int i = 0; i < 30; i++) {
        assert_int_equal(ag_bucket_take(&bucket, &config, 0.1, now), 0);
    }
    assert_true(ag_bucket_take(&bucket, &config, 0.1, now) > 0);
    assert_int_equal(ag_bucket_take(&bucket, &none, 1, now), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_role_has_its_rights_and_no_others),
        cmocka_unit_test(a_column_is_hidden_under_every_name_it_is_asked_by),
        cmocka_unit_test(a_key_of_the_metadata_is_hidden_and_the_others_are_not),
        cmocka_unit_test(an_intent_is_refused_for_its_filters_groups_measures_and_orders),
        cmocka_unit_test(what_answers_are_made_of_and_what_is_no_column_cannot_be_hidden),
        cmocka_unit_test(a_bucket_fills_with_time_and_never_beyond_its_burst),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
