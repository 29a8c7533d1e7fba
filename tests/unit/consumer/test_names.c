#include "common/clock.h"
#include "consumer/batch/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
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
    uint32_t place;
    struct lm_record record = record_of("pay", NULL);
    (void)state;

    for (int i = 0; i < 3; i++)
        assert_int_equal(co_names_add(names, &record, &place), 0);
    assert_int_not_equal(place, CO_NAMES_NO_PLACE);
    assert_int_equal(co_names_take(names, now, &rows, &count, &cap), 0);
    assert_int_equal(count, 2);
    assert_int_equal(find(rows, count, CO_NAME_SERVICE, "pay")->n, 3);

    record.timestamp_us = 5000;
    assert_int_equal(co_names_add(names, &record, &place), 0);
    count = 0;
    assert_int_equal(co_names_take(names, now, &rows, &count, &cap), 0);
    assert_int_equal(count, 0);
    assert_int_equal(co_names_take(names, now + LM_MINUTE_US + LM_SECOND_US, &rows, &count, &cap), 0);
    assert_int_equal(find(rows, count, CO_NAME_SERVICE, "pay")->n, 1);
    assert_int_equal(find(rows, count, CO_NAME_SERVICE, "pay")->first_us, 5000);
    free(rows);
    co_names_free(names);
}

/* Of any length around what an entry holds by itself, and equal but for the last byte. */
static void names_that_differ_at_their_end_are_two(void **state)
{
    struct co_names *names = co_names_new(1000);
    struct co_name_row *rows = NULL;
    size_t count = 0, cap = 0;
    char host[64];
    uint32_t place;
    (void)state;

    for (int round = 0; round < 3; round++) {
        for (size_t len = 1; len < sizeof(host); len++) {
            for (char last = 'a'; last <= 'b'; last++) {
                struct lm_record record = record_of("pay", NULL);
                memset(host, 'x', len);
                host[len - 1] = last;
                record.text[LM_HOST] = (struct lm_slice){host, len};
                assert_int_equal(co_names_add(names, &record, &place), 0);
            }
        }
    }
    assert_int_equal(co_names_take(names, 0, &rows, &count, &cap), 0);
    assert_int_equal(count, 2 + 2 * (sizeof(host) - 1));
    for (size_t i = 0; i < count; i++) {
        if (rows[i].kind == CO_NAME_HOST)
            assert_int_equal(rows[i].n, 3);
    }
    free(rows);
    co_names_free(names);
}

/* The same number for the same texts, another for others. */
static void a_place_is_a_service_in_its_environment(void **state)
{
    struct co_names *names = co_names_new(100);
    struct lm_record pay = record_of("pay", NULL), ship = record_of("ship", NULL),
                     test = record_of("pay", NULL);
    uint32_t places[4];
    (void)state;

    test.text[LM_ENVIRONMENT] = LM_SLICE("test");
    assert_int_equal(co_names_add(names, &pay, &places[0]), 0);
    assert_int_equal(co_names_add(names, &ship, &places[1]), 0);
    assert_int_equal(co_names_add(names, &test, &places[2]), 0);
    assert_int_equal(co_names_add(names, &pay, &places[3]), 0);
    assert_int_equal(places[3], places[0]);
    assert_int_not_equal(places[1], places[0]);
    assert_int_not_equal(places[2], places[0]);
    assert_int_not_equal(places[2], places[1]);
    co_names_free(names);
}

static void only_top_level_keys_of_metadata_are_names(void **state)
{
    struct co_names *names = co_names_new(100);
    struct co_name_row *rows = NULL;
    size_t count = 0, cap = 0;
    uint32_t place;
    struct lm_record record = record_of("pay", "{\"order\": {\"inner\":1, \"x\":[{\"deep\":2}]}, "
                                               "\"text\":\"a \\\" : {\", \"list\":[\"no\",\"key\"],\"\":1}");
    (void)state;

    assert_int_equal(co_names_add(names, &record, &place), 0);
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
    uint32_t place;
    (void)state;

    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 4; i++) {
            char service[2] = {(char)('a' + i), 0};
            struct lm_record record = record_of(service, NULL);
            assert_int_equal(co_names_add(names, &record, &place), 0);
            assert_int_equal(place != CO_NAMES_NO_PLACE, i < 2);
        }
    }
    assert_int_equal(co_names_take_overflow(names), 2 * 4); /* their environments too */
    assert_int_equal(co_names_take_overflow(names), 0);
    co_names_free(names);
}

/* A partition whose names find no memory would start over for ever. */
static void names_of_the_greatest_length_find_memory_up_to_the_bound(void **state)
{
    enum { MAX = 100, LENGTH = 255 };
    static const enum lm_text texts[] = {LM_SERVICE, LM_ENVIRONMENT, LM_HOST,       LM_COMPONENT,
                                         LM_MODULE,  LM_ENDPOINT,    LM_ERROR_TYPE, LM_EVENT_TYPE};
    struct co_names *names = co_names_new(MAX);
    char text[LENGTH + 1], metadata[LENGTH + 8];
    uint32_t place;
    (void)state;

    for (int i = 0; i < 2 * MAX; i++) { /* the names of those without a place take most */
        struct lm_record record = record_of("", NULL);
        (void)snprintf(text, sizeof(text), "%0*d", LENGTH, i);
        (void)snprintf(metadata, sizeof(metadata), "{\"%s\":1}", text);
        for (size_t k = 0; k < (i < MAX ? 2 : sizeof(texts) / sizeof(texts[0])); k++)
            record.text[texts[k]] = (struct lm_slice){text, LENGTH};
        if (i >= MAX)
            record.text[LM_METADATA] = (struct lm_slice){metadata, strlen(metadata)};
        assert_int_equal(co_names_add(names, &record, &place), 0);
        assert_int_equal(place != CO_NAMES_NO_PLACE, i < MAX);
    }
    assert_int_equal(co_names_take_overflow(names), 2 * MAX); /* services and their environments */
    co_names_free(names);
}

enum { RECORDS = 4000, TRACKED_MAX = 4000 };

/* What should have been said of a name so far. */
struct expected {
    enum co_name_kind kind;
    char value[16], service[16], environment[16];
    int64_t n, first_us, last_us;
};

static struct expected *expect(struct expected *all, size_t *count, enum co_name_kind kind, const char *value,
                               const char *service, const char *environment)
{
    for (size_t i = 0; i < *count; i++) {
        if (all[i].kind == kind && strcmp(all[i].value, value) == 0 && strcmp(all[i].service, service) == 0 &&
            strcmp(all[i].environment, environment) == 0)
            return &all[i];
    }
    assert_true(*count < TRACKED_MAX);
    struct expected *e = &all[(*count)++];
    *e = (struct expected){.kind = kind};
    snprintf(e->value, sizeof e->value, "%s", value);
    snprintf(e->service, sizeof e->service, "%s", service);
    snprintf(e->environment, sizeof e->environment, "%s", environment);
    return e;
}

static void note(struct expected *e, int64_t n, int64_t first_us, int64_t last_us)
{
    e->first_us = e->n == 0 || first_us < e->first_us ? first_us : e->first_us;
    e->last_us = e->n == 0 || last_us > e->last_us ? last_us : e->last_us;
    e->n += n;
}

static void note_rows(struct expected *all, size_t *count, const struct co_name_row *rows, size_t row_count)
{
    for (size_t i = 0; i < row_count; i++) {
        char text[3][16];
        const struct lm_slice *slices[3] = {&rows[i].value, &rows[i].service, &rows[i].environment};
        for (int k = 0; k < 3; k++)
            snprintf(text[k], sizeof text[k], "%.*s", (int)slices[k]->len, slices[k]->data);
        note(expect(all, count, rows[i].kind, text[0], text[1], text[2]), rows[i].n, rows[i].first_us,
             rows[i].last_us);
    }
}

/* Random records against counting one by one; more hosts than a service remembers. */
static void every_name_of_every_record_is_said_with_its_count(void **state)
{
    static struct expected counted[TRACKED_MAX], said[TRACKED_MAX];
    static const struct {
        const char *json, *keys[3];
    } metadata[] = {{NULL, {NULL}},
                    {"{}", {NULL}},
                    {"{\"a\":1}", {"a"}},
                    {"{\"b\":{\"x\":1},\"a\":2}", {"b", "a"}},
                    {"{\"c\":[]}", {"c"}}};
    struct co_names *names = co_names_new(1000);
    struct co_name_row *rows = NULL;
    size_t count = 0, cap = 0, counted_count = 0, said_count = 0;
    int64_t now = lm_clock_mono_us();
    (void)state;

    srand(5);
    for (int i = 0; i < RECORDS; i++) {
        char service[16], host[16];
        size_t m = (size_t)rand() % (sizeof metadata / sizeof metadata[0]);
        const char *environment = rand() % 3 ? "production" : "test";
        snprintf(service, sizeof service, "s%d", rand() % (i < RECORDS / 2 ? 8 : 14));
        snprintf(host, sizeof host, "h%d", rand() % 12);
        struct lm_record record = record_of(service, metadata[m].json);
        const char *values[CO_NAME_KIND_COUNT + 3] = {
            [CO_NAME_SERVICE] = service, [CO_NAME_ENVIRONMENT] = environment, [CO_NAME_HOST] = host};
        uint32_t place;
        record.timestamp_us = rand();
        record.text[LM_ENVIRONMENT] = (struct lm_slice){environment, strlen(environment)};
        record.text[LM_HOST] = (struct lm_slice){host, strlen(host)};
        assert_int_equal(co_names_add(names, &record, &place), 0);
        assert_int_not_equal(place, CO_NAMES_NO_PLACE);

        memcpy(&values[CO_NAME_METADATA_KEY], metadata[m].keys, sizeof metadata[m].keys);
        for (size_t k = 0; k < sizeof values / sizeof values[0]; k++) {
            enum co_name_kind kind = k < CO_NAME_METADATA_KEY ? (enum co_name_kind)k : CO_NAME_METADATA_KEY;
            if (values[k] != NULL)
                note(expect(counted, &counted_count, kind, values[k], service, environment), 1,
                     record.timestamp_us, record.timestamp_us);
        }
        if (rand() % 50 == 0) {
            now += rand() % 2 ? LM_MINUTE_US + 1 : 0;
            count = 0;
            assert_int_equal(co_names_take(names, now, &rows, &count, &cap), 0);
            note_rows(said, &said_count, rows, count);
        }
    }
    count = 0;
    assert_int_equal(co_names_take(names, now + 2 * LM_MINUTE_US, &rows, &count, &cap), 0);
    note_rows(said, &said_count, rows, count);
    assert_int_equal(said_count, counted_count);
    for (size_t i = 0; i < counted_count; i++) {
        const struct expected *c = &counted[i];
        const struct expected *s = expect(said, &said_count, c->kind, c->value, c->service, c->environment);
        if (s->n != c->n || s->first_us != c->first_us || s->last_us != c->last_us)
            fail_msg("%s %s of %s in %s: said %lld times, is %lld", co_name_kind_name(c->kind), c->value,
                     c->service, c->environment, (long long)s->n, (long long)c->n);
    }
    free(rows);
    co_names_free(names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_name_goes_out_at_once_and_its_count_once_a_minute),
        cmocka_unit_test(every_name_of_every_record_is_said_with_its_count),
        cmocka_unit_test(names_that_differ_at_their_end_are_two),
        cmocka_unit_test(a_place_is_a_service_in_its_environment),
        cmocka_unit_test(only_top_level_keys_of_metadata_are_names),
        cmocka_unit_test(names_of_the_greatest_length_find_memory_up_to_the_bound),
        cmocka_unit_test(beyond_the_bound_services_are_counted_and_not_kept)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
