/* The client library's fields: which fill the record, which go under metadata, which are refused. */
#include "producer/lib/event.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct pl_defaults defaults = {"shop", "production", "BACKEND", "host-1", 42};

static int make(struct lm_arena *arena, struct lm_record *record, const char *message,
                const struct logmill_field *fields, size_t count)
{
    struct pl_event event = {LOGMILL_TAGGED, LOGMILL_WARN, 1700000000000000, message, fields, count};

    lm_arena_init(arena, 1 << 20);
    return pl_event_record(&event, &defaults, arena, record);
}

static void assert_text(const struct lm_record *record, enum lm_text text, const char *expected)
{
    assert_int_equal(record->text[text].len, strlen(expected));
    assert_memory_equal(record->text[text].data, expected, strlen(expected));
}

static void takes_the_clients_defaults(void **state)
{
    struct lm_arena arena;
    struct lm_record record;

    (void)state;
    assert_int_equal(make(&arena, &record, "hello", NULL, 0), LOGMILL_OK);
    assert_text(&record, LM_MESSAGE, "hello");
    assert_text(&record, LM_SERVICE, "shop");
    assert_text(&record, LM_HOST, "host-1");
    assert_int_equal(record.category, LM_TAGGED);
    assert_int_equal(record.level, LM_WARN);
    assert_int_equal(record.timestamp_us, 1700000000000000);
    assert_int_equal(record.source, 42);
    assert_null(record.text[LM_METADATA].data);
    lm_arena_free(&arena);
}

static void known_names_fill_the_record_and_others_go_under_metadata(void **state)
{
    struct logmill_field fields[] = {
        logmill_text("service", "cart"),   logmill_integer("http_status", 503),
        logmill_integer("duration_ms", 7), logmill_text("tag", "slow"),
        logmill_text("tag", "retry"),      logmill_text("tenant", "a\"b"),
        logmill_boolean("cached", true),   logmill_number("ratio", 0.5),
        logmill_number("broken", NAN),     logmill_text("http_status", "not here"),
        logmill_text("user_id", NULL),
    };
    struct lm_arena arena;
    struct lm_record record;

    (void)state;
    assert_int_equal(make(&arena, &record, "m", fields, sizeof(fields) / sizeof(fields[0])), LOGMILL_OK);
    assert_text(&record, LM_SERVICE, "cart");
    assert_true(record.has_http_status);
    assert_int_equal(record.http_status, 503);
    assert_true(record.has_duration && record.duration_ms == 7.0);
    assert_int_equal(record.tag_count, 2);
    assert_memory_equal(record.tags[1].data, "retry", 5);
    assert_null(record.text[LM_USER_ID].data);
    assert_text(
        &record, LM_METADATA,
        "{\"tenant\":\"a\\\"b\",\"cached\":true,\"ratio\":0.5,\"broken\":null,\"http_status\":\"not here\"}");
    lm_arena_free(&arena);
}

static void a_field_cannot_replace_what_has_an_argument_of_its_own(void **state)
{
    struct logmill_field fields[] = {logmill_text("message", "other"), logmill_text("level", "FATAL"),
                                     logmill_integer("source", 1)};
    struct lm_arena arena;
    struct lm_record record;

    (void)state;
    assert_int_equal(make(&arena, &record, "mine", fields, 3), LOGMILL_OK);
    assert_text(&record, LM_MESSAGE, "mine");
    assert_int_equal(record.level, LM_WARN);
    assert_int_equal(record.source, 42);
    assert_text(&record, LM_METADATA, "{\"message\":\"other\",\"level\":\"FATAL\",\"source\":1}");
    lm_arena_free(&arena);
}

static void refuses_what_could_never_be_stored(void **state)
{
    char service[300] = "";
    struct logmill_field long_service[] = {logmill_text("service", service)};
    struct lm_arena arena;
    struct lm_record record;

    (void)state;
    memset(service, 's', sizeof(service) - 1);
    service[sizeof(service) - 1] = '\0';
    assert_int_equal(make(&arena, &record, "m", long_service, 1), LOGMILL_INVALID);
    lm_arena_free(&arena);
    assert_int_equal(make(&arena, &record, "", NULL, 0), LOGMILL_INVALID);
    lm_arena_free(&arena);
    assert_int_equal(make(&arena, &record, NULL, NULL, 0), LOGMILL_INVALID);
    lm_arena_free(&arena);
    assert_int_equal(make(&arena, &record, "\xff\xfe", NULL, 0), LOGMILL_INVALID);
    lm_arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_the_clients_defaults),
        cmocka_unit_test(known_names_fill_the_record_and_others_go_under_metadata),
        cmocka_unit_test(a_field_cannot_replace_what_has_an_argument_of_its_own),
        cmocka_unit_test(refuses_what_could_never_be_stored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
