#include "common/clock.h"
#include "consumer/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct lm_record record_of(const char *service, const char *metadata)
{
    struct lm_record record;
    lm_record_init(&record);
    record.timestamp_us = 1000;
    record.text[LM_SERVICE] = (struct lm_slice){service, strlen(service)};
    record.text[LM_ENVIRONMENT] = LM_SLICE("production");
    if (metadata != NULL)
        record.text[LM_METADATA] = (struct lm_slice){metadata, strlen(metadata)};
    return record;
}

static const struct co_name_row *find(const struct co_name_row *rows, size_t count, enum co_name_kind kind,
                                      const char *value)
{
    for (size_t i = 0; i < count; i++) {
        if (rows[i].kind == kind && rows[i].value.len == strlen(value) &&
            memcmp(rows[i].value.data, value, rows[i].value.len) == 0)
            return &rows[i];
    }
    return NULL;
}

static void a_new_name_goes_out_at_once_and_its_count_once_a_minute(void **state)
{
    struct co_names *names = co_names_new(100);
    struct co_name_row *rows = NULL;
    size_t count = 0, cap = 0;
    int64_t now = lm_clock_mono_us();
    bool known;
    struct lm_record record = record_of("pay", NULL);
    (void)state;

    for (int i = 0; i < 3; i++)
        assert_int_equal(co_names_add(names, &record, &known), 0);
    assert_true(known);
    assert_int_equal(co_names_take(names, now, &rows, &count, &cap), 0);
    assert_int_equal(count, 2);
    assert_int_equal(find(rows, count, CO_NAME_SERVICE, "pay")->n, 3);

    record.timestamp_us = 5000;
    assert_int_equal(co_names_add(names, &record, &known), 0);
    count = 0;
    assert_int_equal(co_names_take(names, now, &rows, &count, &cap), 0);
    assert_int_equal(count, 0);
    assert_int_equal(co_names_take(names, now + LM_MINUTE_US + LM_SECOND_US, &rows, &count, &cap), 0);
    assert_int_equal(find(rows, count, CO_NAME_SERVICE, "pay")->n, 1);
    assert_int_equal(find(rows, count, CO_NAME_SERVICE, "pay")->first_us, 5000);
    free(rows);
    co_names_free(names);
}

static void only_top_level_keys_of_metadata_are_names(void **state)
{
    struct co_names *names = co_names_new(100);
    struct co_name_row *rows = NULL;
    size_t count = 0, cap = 0;
    bool known;
    struct lm_record record = record_of("pay", "{\"order\": {\"inner\":1, \"x\":[{\"deep\":2}]}, "
                                               "\"text\":\"a \\\" : {\", \"list\":[\"no\",\"key\"],\"\":1}");
    (void)state;

    assert_int_equal(co_names_add(names, &record, &known), 0);
    assert_int_equal(co_names_take(names, 0, &rows, &count, &cap), 0);
    assert_non_null(find(rows, count, CO_NAME_METADATA_KEY, "order"));
    assert_non_null(find(rows, count, CO_NAME_METADATA_KEY, "text"));
    assert_non_null(find(rows, count, CO_NAME_METADATA_KEY, "list"));
    assert_int_equal(count, 2 + 3);
    free(rows);
    co_names_free(names);
}

static void beyond_the_bound_services_are_counted_and_not_kept(void **state)
{
    struct co_names *names = co_names_new(2);
    bool known;
    (void)state;

    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 4; i++) {
            char service[2] = {(char)('a' + i), 0};
            struct lm_record record = record_of(service, NULL);
            assert_int_equal(co_names_add(names, &record, &known), 0);
            assert_int_equal(known, i < 2);
        }
    }
    assert_int_equal(co_names_take_overflow(names), 2 * 4); /* their environments too */
    assert_int_equal(co_names_take_overflow(names), 0);
    co_names_free(names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_name_goes_out_at_once_and_its_count_once_a_minute),
        cmocka_unit_test(only_top_level_keys_of_metadata_are_names),
        cmocka_unit_test(beyond_the_bound_services_are_counted_and_not_kept)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
