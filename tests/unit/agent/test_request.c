/* The body of a question: what is taken, what is refused, and under which code. */
#include "agent/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WALL_US INT64_C(1773812120000000)

static const struct ag_request_rules strict = {.zone = "UTC", .wall_us = WALL_US};
static const struct ag_request_rules replaying = {
    .zone = "Asia/Seoul", .allow_now = true, .wall_us = WALL_US};

struct reading {
    struct lm_arena arena;
    struct ag_request request;
    struct lm_error error;
};

static int read_body(struct reading *reading, const struct ag_request_rules *rules, const char *body)
{
    lm_arena_init(&reading->arena, 1u << 20);
    lm_error_clear(&reading->error);
    return ag_request_read(body, strlen(body), rules, &reading->arena, &reading->request, &reading->error);
}

static void a_bare_question_gets_the_defaults(void **state)
{
    (void)state;
    struct reading reading;
    assert_int_equal(read_body(&reading, &strict, "{\"question\":\"에러?\"}"), 0);
    assert_string_equal(reading.request.question, "에러?");
    assert_int_equal(reading.request.question_len, strlen("에러?"));
    assert_int_equal(reading.request.max_results, AG_DEFAULT_RESULTS);
    assert_false(reading.request.max_results_stated);
    assert_string_equal(reading.request.zone, "UTC");
    assert_true(reading.request.now_us == WALL_US);
    assert_null(reading.request.previous);
    lm_arena_free(&reading.arena);
}

static void every_key_is_read(void **state)
{
    (void)state;
    struct reading reading;
    assert_int_equal(
        read_body(&reading, &replaying,
                  "{\"question\":\"x\",\"max_results\":7,\"timezone\":\"America/New_York\",\"refresh\":true,"
                  "\"engine\":\"builtin\",\"now\":\"2026-03-18T14:35:20+09:00\",\"previous\":null}"),
        0);
    assert_int_equal(reading.request.max_results, 7);
    assert_true(reading.request.max_results_stated);
    assert_string_equal(reading.request.zone, "America/New_York");
    assert_true(reading.request.refresh);
    assert_true(reading.request.now_given);
    assert_true(reading.request.now_us == WALL_US);
    lm_arena_free(&reading.arena);
}

static void now_is_ignored_and_noted_where_it_is_not_allowed(void **state)
{
    (void)state;
    struct reading reading;
    assert_int_equal(read_body(&reading, &strict, "{\"question\":\"x\",\"now\":\"2020-01-01T00:00:00Z\"}"),
                     0);
    assert_true(reading.request.now_ignored);
    assert_false(reading.request.now_given);
    assert_true(reading.request.now_us == WALL_US);
    lm_arena_free(&reading.arena);
}

static void an_intent_given_back_is_resolved_against_now(void **state)
{
    (void)state;
    struct reading reading;
    assert_int_equal(
        read_body(&reading, &replaying,
                  "{\"question\":\"x\",\"previous\":{\"v\":1,\"measure\":{\"fn\":\"count\"},\"filters\":[],"
                  "\"group_by\":[],\"time\":{\"symbolic\":\"last 1 hour\",\"zone\":\"UTC\",\"stated\":true},"
                  "\"order\":\"default\",\"rank\":false,\"limit\":0,\"language\":\"en\",\"choice\":2}}"),
        0);
    assert_non_null(reading.request.previous);
    assert_true(reading.request.previous->window.to_us == WALL_US);
    assert_true(reading.request.previous->window.from_us == WALL_US - INT64_C(3600000000));
    lm_arena_free(&reading.arena);
}

static void what_is_not_right_is_refused_with_its_code(void **state)
{
    (void)state;
    static const char *const bodies[] = {"",
                                         "{",
                                         "[]",
                                         "null",
                                         "7",
                                         "\"x\"",
                                         "{}",
                                         "{\"question\":7}",
                                         "{\"question\":null}",
                                         "{\"question\":\"x\",\"question\":\"y\"}",
                                         "{\"question\":\"\\u0000\"}",
                                         "{\"question\":\"\xff\"}",
                                         "{\"question\":\"\\ud800\"}",
                                         "{\"question\":\"x\"} trailing",
                                         "{\"question\":\"x\",\"sql\":\"SELECT 1\"}",
                                         "{\"question\":\"x\",\"Question\":\"y\"}",
                                         "{\"question\":\"x\",\"max_results\":0}",
                                         "{\"question\":\"x\",\"max_results\":10001}",
                                         "{\"question\":\"x\",\"max_results\":1.5}",
                                         "{\"question\":\"x\",\"max_results\":\"7\"}",
                                         "{\"question\":\"x\",\"max_results\":99999999999999999999}",
                                         "{\"question\":\"x\",\"timezone\":\"\"}",
                                         "{\"question\":\"x\",\"timezone\":\"../../etc/passwd\"}",
                                         "{\"question\":\"x\",\"timezone\":\"Mars/X\"}",
                                         "{\"question\":\"x\",\"timezone\":\"+09:00\"}",
                                         "{\"question\":\"x\",\"now\":\"2026-03-18T14:35:20\"}",
                                         "{\"question\":\"x\",\"now\":\"9999-12-31T23:59:59Z\"}",
                                         "{\"question\":\"x\",\"timezone\":7}",
                                         "{\"question\":\"x\",\"refresh\":1}",
                                         "{\"question\":\"x\",\"engine\":\"llm\"}",
                                         "{\"question\":\"x\",\"engine\":\"gpt\"}",
                                         "{\"question\":\"x\",\"engine\":7}",
                                         "{\"question\":\"x\",\"now\":7}",
                                         "{\"question\":\"x\",\"now\":\"tomorrow\"}",
                                         "{\"question\":\"x\",\"previous\":[]}",
                                         "{\"question\":\"x\",\"previous\":{}}",
                                         "{\"question\":\"x\",\"previous\":{\"v\":2}}",
                                         "{\"question\":\"x\",\"previous\":\"last\"}"};
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct reading reading;
        if (read_body(&reading, &strict, bodies[i]) == 0 || strcmp(reading.error.kind, "bad_request") != 0) {
            fail_msg("not refused as bad_request but \"%s\": %s", reading.error.kind, bodies[i]);
        }
        assert_true(reading.error.text[0] != '\0');
        lm_arena_free(&reading.arena);
    }
}

static char *question_of(const char *unit, size_t times)
{
    char *body = malloc(strlen(unit) * times + 32);
    assert_non_null(body);
    char *at = stpcpy(body, "{\"question\":\"");
    for (size_t i = 0; i < times; i++) {
        at = stpcpy(at, unit);
    }
    stpcpy(at, "\"}");
    return body;
}

static void a_question_of_2000_characters_is_taken_and_one_more_is_too_large(void **state)
{
    (void)state;
    static const char *const units[] = {"q", "에"};
    for (size_t i = 0; i < 2; i++) {
        struct reading reading;
        char *fits = question_of(units[i], 2000);
        char *longer = question_of(units[i], 2001);
        assert_int_equal(read_body(&reading, &strict, fits), 0);
        lm_arena_free(&reading.arena);
        assert_int_equal(read_body(&reading, &strict, longer), -1);
        assert_string_equal(reading.error.kind, "too_large");
        lm_arena_free(&reading.arena);
        free(fits);
        free(longer);
    }
}

static void without_memory_it_says_so(void **state)
{
    (void)state;
    struct reading reading = {.request = {0}};
    static const char body[] = "{\"question\":\"a question longer than the arena\"}";
    lm_arena_init(&reading.arena, 16);
    assert_int_equal(
        ag_request_read(body, sizeof(body) - 1, &strict, &reading.arena, &reading.request, &reading.error),
        -1);
    assert_int_equal(reading.error.decision, LM_RETRY);
    lm_arena_free(&reading.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bare_question_gets_the_defaults),
        cmocka_unit_test(every_key_is_read),
        cmocka_unit_test(now_is_ignored_and_noted_where_it_is_not_allowed),
        cmocka_unit_test(an_intent_given_back_is_resolved_against_now),
        cmocka_unit_test(what_is_not_right_is_refused_with_its_code),
        cmocka_unit_test(a_question_of_2000_characters_is_taken_and_one_more_is_too_large),
        cmocka_unit_test(without_memory_it_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
