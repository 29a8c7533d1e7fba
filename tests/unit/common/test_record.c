#include "tests/unit/common/record_fixture.h"

#include <math.h>

static const int64_t kafka_us = INT64_C(1700000000000000);

/* A record with a message, as a decoder leaves it. */
static struct lm_record *fresh(struct fixture *f)
{
    lm_record_init(&f->record);
    f->record.text[LM_MESSAGE] = LM_SLICE("hello");
    lm_error_clear(&f->error);
    return &f->record;
}

static int complete(struct fixture *f)
{
    return lm_record_complete(&f->record, LM_RAW, kafka_us, &f->arena, &f->error);
}

static void assert_poison(struct fixture *f, const char *kind)
{
    assert_int_equal(complete(f), -1);
    assert_int_equal(f->error.decision, LM_DEAD_LETTER);
    assert_string_equal(f->error.kind, kind);
    assert_true(strlen(f->error.text) > 10);
}

static void what_is_missing_gets_its_default(void **state)
{
    struct fixture *f = *state;

    fresh(f)->text[LM_SERVICE] = LM_SLICE("");
    f->record.text[LM_CLIENT_IP] = LM_SLICE("");
    f->record.text[LM_METADATA] = LM_SLICE("");
    assert_int_equal(complete(f), 0);
    assert_true(f->record.has_timestamp);
    assert_int_equal(f->record.timestamp_us, kafka_us);
    assert_int_equal(f->record.level, LM_INFO);
    assert_slice(f->record.text[LM_LOG_TYPE], "BACKEND");
    assert_slice(f->record.text[LM_SERVICE], "unknown");
    assert_slice(f->record.text[LM_ENVIRONMENT], "production");
    assert_slice(f->record.text[LM_HOST], NULL);
    assert_slice(f->record.text[LM_CLIENT_IP], NULL);
    assert_slice(f->record.text[LM_METADATA], NULL);
}

static void what_is_there_stays(void **state)
{
    struct fixture *f = *state;

    fresh(f)->text[LM_SERVICE] = LM_SLICE("shop");
    f->record.has_timestamp = true;
    f->record.timestamp_us = 1;
    f->record.level = LM_WARN;
    f->record.text[LM_CLIENT_IP] = LM_SLICE("2001:db8::/32");
    f->record.text[LM_METADATA] = LM_SLICE("{\"a\":1}");
    assert_int_equal(complete(f), 0);
    assert_int_equal(f->record.timestamp_us, 1);
    assert_int_equal(f->record.level, LM_WARN);
    assert_slice(f->record.text[LM_SERVICE], "shop");
    assert_slice(f->record.text[LM_METADATA], "{\"a\":1}");
}

static void the_topic_decides_the_category(void **state)
{
    struct fixture *f = *state;

    fresh(f);
    assert_int_equal(complete(f), 0);
    assert_true(f->record.has_category && f->record.category == LM_RAW);
    assert_int_equal(complete(f), 0);
    fresh(f)->has_category = true;
    f->record.category = LM_TAGGED;
    assert_poison(f, "category_mismatch");
}

static void a_record_without_a_message_is_poison(void **state)
{
    struct fixture *f = *state;

    fresh(f)->text[LM_MESSAGE] = (struct lm_slice){NULL, 0};
    assert_poison(f, "no_message");
    fresh(f)->text[LM_MESSAGE] = LM_SLICE("");
    assert_poison(f, "no_message");
}

static void texts_that_postgresql_cannot_hold_are_poison(void **state)
{
    struct fixture *f = *state;
    struct lm_slice tag = LM_SLICE("a\0b");

    fresh(f)->text[LM_MESSAGE] = LM_SLICE("a\0b");
    assert_poison(f, "nul");
    fresh(f)->text[LM_DEVICE] = LM_SLICE("12345678\xff");
    assert_poison(f, "utf8");
    fresh(f)->text[LM_MESSAGE] = LM_SLICE("cut \xe2\x82");
    assert_poison(f, "utf8");
    fresh(f)->tags = &tag;
    f->record.tag_count = 1;
    assert_poison(f, "nul");
    fresh(f)->text[LM_METADATA] = LM_SLICE("{\"a\":\"\\u0000\"}");
    assert_poison(f, "nul");
    fresh(f)->text[LM_METADATA] = LM_SLICE("{\"a\":\"\xff\"}");
    assert_poison(f, "utf8");
    fresh(f)->text[LM_METADATA] = LM_SLICE("[1]");
    assert_poison(f, "metadata");
}

static void a_key_of_the_rollups_holds_255_bytes(void **state)
{
    static const enum lm_text keys[] = {LM_SERVICE, LM_ENVIRONMENT, LM_ERROR_TYPE};
    struct fixture *f = *state;
    char text[256];

    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < 3; i++) {
        fresh(f)->text[keys[i]] = (struct lm_slice){text, 255};
        assert_int_equal(complete(f), 0);
        fresh(f)->text[keys[i]] = (struct lm_slice){text, 256};
        assert_poison(f, "too_long");
    }
}

static void numbers_out_of_range_are_poison(void **state)
{
    struct fixture *f = *state;

    fresh(f)->has_http_status = true;
    f->record.http_status = 32768;
    assert_poison(f, "http_status");
    fresh(f)->has_timestamp = true;
    f->record.timestamp_us = INT64_MAX; /* PostgreSQL's infinity */
    assert_poison(f, "timestamp");
    f->record.timestamp_us = INT64_MIN;
    assert_poison(f, "timestamp");
    f->record.timestamp_us = INT64_C(253402300800000000);
    assert_poison(f, "timestamp");
    f->record.timestamp_us--;
    assert_int_equal(complete(f), 0);
    f->record.timestamp_us = INT64_C(-62135596800000000);
    assert_int_equal(complete(f), 0);
    f->record.timestamp_us--;
    assert_poison(f, "timestamp");
}

static void addresses_are_what_inet_takes(void **state)
{
    static const struct {
        const char *text;
        int bits; /* -1: no address */
    } cases[] = {{"192.0.2.1", 32},
                 {"192.0.2.1/24", 24},
                 {"0.0.0.0/0", 0},
                 {"::1", 128},
                 {"2001:db8::1/64", 64},
                 {"::ffff:192.0.2.1", 128},
                 {"192.0.2", -1},
                 {"192.0.2.1/33", -1},
                 {"::/129", -1},
                 {"192.0.2.256", -1},
                 {"192.0.2.1/", -1},
                 {"192.0.2.1/+8", -1},
                 {"192.0.2.1:80", -1},
                 {"fe80::1%eth0", -1},
                 {"localhost", -1},
                 {" 192.0.2.1", -1},
                 {"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb", -1}};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct lm_inet address;
        int result = lm_inet_parse(cases[i].text, strlen(cases[i].text), &address);
        if ((result == 0) != (cases[i].bits >= 0) || (result == 0 && address.bits != cases[i].bits))
            fail_msg("%s", cases[i].text);
    }
    fresh(f)->text[LM_CLIENT_IP] = LM_SLICE("not an address");
    assert_poison(f, "client_ip");
    fresh(f)->text[LM_CLIENT_IP] = LM_SLICE("1.2.3.4\0");
    assert_poison(f, "nul");
}

static void impossible_durations_move_to_metadata(void **state)
{
    static const struct {
        double ms;
        const char *given, *metadata;
    } cases[] = {
        {NAN, NULL, "{\"duration_ms\":\"NaN\"}"},
        {INFINITY, "{}", "{\"duration_ms\":\"Infinity\"}"},
        {-INFINITY, "{ \"a\":1}", "{\"duration_ms\":\"-Infinity\", \"a\":1}"},
        {-1.5, "{\"a\":1}", "{\"duration_ms\":-1.5,\"a\":1}"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fresh(f)->has_duration = true;
        f->record.duration_ms = cases[i].ms;
        if (cases[i].given != NULL)
            f->record.text[LM_METADATA] = slice_of(cases[i].given);
        assert_int_equal(complete(f), 0);
        assert_false(f->record.has_duration);
        assert_slice(f->record.text[LM_METADATA], cases[i].metadata);
    }
    fresh(f)->has_duration = true;
    f->record.duration_ms = 0;
    assert_int_equal(complete(f), 0);
    assert_true(f->record.has_duration);
}

static void blanks_around_metadata_go(void **state)
{
    struct fixture *f = *state;

    fresh(f)->text[LM_METADATA] = LM_SLICE(" \n{ \"a\":1 }\t ");
    assert_int_equal(complete(f), 0);
    assert_slice(f->record.text[LM_METADATA], "{ \"a\":1 }");
}

static void without_room_the_record_waits(void **state)
{
    struct fixture *f = *state;
    struct lm_arena none;

    lm_arena_init(&none, 0);
    fresh(f)->has_duration = true;
    f->record.duration_ms = NAN;
    assert_int_equal(lm_record_complete(&f->record, LM_RAW, kafka_us, &none, &f->error), -1);
    assert_int_equal(f->error.decision, LM_RETRY);
    lm_arena_free(&none);
}

static void levels_of_others_map_to_the_five(void **state)
{
    static const struct {
        const char *name;
        enum lm_level level;
    } cases[] = {{"DEBUG", LM_DEBUG},          {"Info", LM_INFO},
                 {"WARNING", LM_WARN},         {"err", LM_ERROR},
                 {"CRITICAL", LM_LEVEL_FATAL}, {"crit", LM_LEVEL_FATAL},
                 {"EMERG", LM_LEVEL_FATAL},    {"ALERT", LM_LEVEL_FATAL},
                 {"PANIC", LM_LEVEL_FATAL},    {"NOTICE", LM_INFO},
                 {"Information", LM_INFO},     {"LOG", LM_INFO},
                 {"TRACE", LM_DEBUG},          {"VERBOSE", LM_DEBUG},
                 {"FINE", LM_DEBUG},           {"SEVERE", LM_ERROR}};
    enum lm_level level;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(lm_level_parse(cases[i].name, strlen(cases[i].name), &level), 0);
        assert_int_equal(level, cases[i].level);
    }
    assert_int_equal(lm_level_parse("INF", 3, &level), -1);
    assert_int_equal(lm_level_parse("", 0, &level), -1);
}

static void names_and_parsers_agree(void **state)
{
    (void)state;
    for (int i = 0; i < LM_LEVEL_COUNT; i++) {
        enum lm_level level;
        const char *name = lm_level_name((enum lm_level)i);
        assert_int_equal(lm_level_parse(name, strlen(name), &level), 0);
        assert_int_equal(level, i);
    }
    for (int i = 0; i < LM_CATEGORY_COUNT; i++) {
        enum lm_category category;
        const char *name = lm_category_name((enum lm_category)i);
        assert_int_equal(lm_category_parse(name, strlen(name), &category), 0);
        assert_int_equal(category, i);
        assert_int_equal(lm_category_parse("RAW", 3, &category), -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(what_is_missing_gets_its_default),
        FIXTURE_TEST(what_is_there_stays),
        FIXTURE_TEST(the_topic_decides_the_category),
        FIXTURE_TEST(a_record_without_a_message_is_poison),
        FIXTURE_TEST(texts_that_postgresql_cannot_hold_are_poison),
        FIXTURE_TEST(a_key_of_the_rollups_holds_255_bytes),
        FIXTURE_TEST(numbers_out_of_range_are_poison),
        FIXTURE_TEST(addresses_are_what_inet_takes),
        FIXTURE_TEST(impossible_durations_move_to_metadata),
        FIXTURE_TEST(blanks_around_metadata_go),
        FIXTURE_TEST(without_room_the_record_waits),
        cmocka_unit_test(levels_of_others_map_to_the_five),
        cmocka_unit_test(names_and_parsers_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
