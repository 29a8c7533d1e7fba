/*
 * Questions and what they must come to: tests/data/understood.tsv, against the names of
 * tests/data/understand_names.tsv, and understood_hospital.tsv against hospital_names.tsv. A line is id, id
 * of the question it follows, question, and the intent as a line (intent_line.h) or the outcome's name.
 */
#include "agent/understand/time.h"
#include "agent/understand/understand.h"
#include "agent/understand/vocabulary.h"
#include "agent/understand/zone.h"
#include "tests/unit/agent/intent_line.h"
#include "tests/unit/agent/names_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define NOW INT64_C(1773812120000000) /* 2026-03-18T14:35:20+09:00 */
#define MAX_QUESTIONS 4096

struct fixture {
    struct ag_vocabulary *vocabulary;
    struct ag_catalogue *catalogue;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct lm_error error;

    assert_non_null(f);
    f->vocabulary = ag_vocabulary_new(NULL, &error);
    assert_non_null(f->vocabulary);
    f->catalogue = names_file_read(LOGMILL_TEST_DATA "/understand_names.tsv");
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    ag_vocabulary_free(f->vocabulary);
    ag_catalogue_free(f->catalogue);
    free(f);
    return 0;
}

static struct ag_understanding ask(const struct fixture *f, struct lm_arena *arena, const char *text,
                                   const struct ag_intent *previous)
{
    struct ag_question q = {
        .text = text, .len = strlen(text), .zone = "Asia/Seoul", .now_us = NOW, .previous = previous};
    struct ag_understanding out;
    struct lm_error error;

    assert_int_equal(ag_understand(&q, f->vocabulary, f->catalogue, arena, &out, &error), 0);
    return out;
}

struct asked {
    char id[32];
    struct ag_intent intent;
    bool understood;
};

static const struct ag_intent *previous_of(const struct asked *asked, size_t count, const char *id)
{
    for (size_t i = 0; *id && i < count; i++) {
        if (strcmp(asked[i].id, id) == 0 && asked[i].understood)
            return &asked[i].intent;
    }
    return NULL;
}

static void check_table(const struct fixture *f, const char *path, size_t at_least)
{
    FILE *file = fopen(path, "r");
    struct asked *asked = calloc(MAX_QUESTIONS, sizeof *asked);
    struct lm_arena kept;
    char line[4096];
    size_t count = 0;
    size_t wrong = 0;

    assert_non_null(file);
    assert_non_null(asked);
    lm_arena_init(&kept, (size_t)64 << 20);
    while (fgets(line, sizeof line, file)) {
        char *context = strchr(line, '\t');
        char *text = context ? strchr(context + 1, '\t') : NULL;
        char *expected = text ? strchr(text + 1, '\t') : NULL;
        struct ag_understanding out;
        struct lm_buffer got;
        struct lm_arena arena;
        if (line[0] == '#' || !expected)
            continue;
        *context++ = *text++ = *expected++ = '\0';
        expected[strcspn(expected, "\n")] = '\0';
        assert_true(count < MAX_QUESTIONS);
        lm_arena_init(&arena, AG_UNDERSTAND_ARENA);
        lm_buffer_init(&got, 65536);
        out = ask(f, &arena, text, previous_of(asked, count, context));
        if (out.outcome == AG_UNDERSTOOD)
            intent_line(&out.intent, &got);
        else
            lm_buffer_append_text(&got, ag_outcome_name(out.outcome));
        if (strcmp(lm_buffer_text(&got), expected) != 0) {
            print_error("%s %s\n  expected %s\n  got      %s%s%s\n", line, text, expected,
                        lm_buffer_text(&got), out.message ? ": " : "", out.message ? out.message : "");
            wrong++;
        }
        memcpy(asked[count].id, line, strnlen(line, sizeof asked[count].id - 1));
        asked[count].understood =
            out.outcome == AG_UNDERSTOOD && ag_intent_copy(&out.intent, &kept, &asked[count].intent) == 0;
        count++;
        lm_buffer_free(&got);
        lm_arena_free(&arena);
    }
    fclose(file);
    lm_arena_free(&kept);
    free(asked);
    assert_true(count >= at_least);
    assert_int_equal(wrong, 0);
}

static void questions_of_the_table_come_to_what_it_says(void **state)
{
    check_table(*state, LOGMILL_TEST_DATA "/understood.tsv", 400);
}

/* Asked by somebody who knew the fleet and not the rules. */
static void questions_about_a_hospital_come_to_what_they_ask(void **state)
{
    const struct fixture *shop = *state;
    struct fixture f = {shop->vocabulary, names_file_read(LOGMILL_TEST_DATA "/hospital_names.tsv")};

    check_table(&f, LOGMILL_TEST_DATA "/understood_hospital.tsv", 150);
    ag_catalogue_free(f.catalogue);
}

static void every_intent_survives_json_and_back(void **state)
{
    const struct fixture *f = *state;
    FILE *file = fopen(LOGMILL_TEST_DATA "/understood.tsv", "r");
    char line[4096];

    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        char *context = strchr(line, '\t');
        char *text = context ? strchr(context + 1, '\t') : NULL;
        char *expected = text ? strchr(text + 1, '\t') : NULL;
        struct ag_understanding out;
        struct ag_intent back;
        struct lm_buffer before;
        struct lm_buffer after;
        struct lm_arena arena;
        struct lm_error error;
        json_t *json;
        if (line[0] == '#' || !expected)
            continue;
        *context++ = *text++ = *expected++ = '\0';
        lm_arena_init(&arena, AG_UNDERSTAND_ARENA);
        out = ask(f, &arena, text, NULL);
        if (out.outcome == AG_UNDERSTOOD) {
            lm_buffer_init(&before, 65536);
            lm_buffer_init(&after, 65536);
            json = ag_intent_to_json(&out.intent);
            assert_non_null(json);
            if (ag_intent_from_json(json, &arena, &back, &error) < 0)
                fail_msg("%s: %s", text, error.text);
            assert_int_equal(ag_intent_resolve(&back, NOW, &error), 0);
            intent_line(&out.intent, &before);
            intent_line(&back, &after);
            assert_string_equal(lm_buffer_text(&before), lm_buffer_text(&after));
            assert_int_equal(back.window.from_us, out.intent.window.from_us);
            assert_int_equal(back.window.to_us, out.intent.window.to_us);
            json_decref(json);
            lm_buffer_free(&before);
            lm_buffer_free(&after);
        }
        lm_arena_free(&arena);
    }
    fclose(file);
}

static void offered_choices_are_understood_as_offered(void **state)
{
    static const char *const questions[] = {"느린 거 보여줘",  "결제 서비스", "어제",
                                            "payment-service", "yesterday",   "show me the numbers"};
    const struct fixture *f = *state;

    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
        struct ag_understanding out;
        struct lm_arena arena;
        lm_arena_init(&arena, 4 * AG_UNDERSTAND_ARENA);
        out = ask(f, &arena, questions[i], NULL);
        assert_int_equal(out.outcome, AG_NEEDS_CLARIFICATION);
        assert_in_range(out.choice_count, 2, 5);
        for (size_t k = 0; k < out.choice_count; k++) {
            struct ag_understanding chosen = ask(f, &arena, out.choices[k].question, NULL);
            if (chosen.outcome != AG_UNDERSTOOD)
                fail_msg("%s: %s", out.choices[k].question, chosen.message);
            assert_int_equal(chosen.intent.measure.fn, out.choices[k].intent->measure.fn);
            assert_int_equal(chosen.intent.window.from_us, out.choices[k].intent->window.from_us);
        }
        lm_arena_free(&arena);
    }
}

static void a_word_for_two_services_offers_both(void **state)
{
    const struct fixture *f = *state;
    struct ag_catalogue *two = ag_catalogue_new();
    struct ag_question q = {.text = "어제 채팅 서비스 에러 몇 건?", .zone = "Asia/Seoul", .now_us = NOW};
    struct ag_understanding out;
    struct lm_arena arena;
    struct lm_error error;

    assert_int_equal(ag_catalogue_add(two, AG_KIND_SERVICE, "chat-server", 1), 0);
    assert_int_equal(ag_catalogue_add(two, AG_KIND_SERVICE, "chat-archive", 1), 0);
    assert_int_equal(ag_catalogue_seal(two), 0);
    q.len = strlen(q.text);
    lm_arena_init(&arena, AG_UNDERSTAND_ARENA);
    assert_int_equal(ag_understand(&q, f->vocabulary, two, &arena, &out, &error), 0);
    assert_int_equal(out.outcome, AG_NEEDS_CLARIFICATION);
    assert_int_equal(out.choice_count, 2);
    assert_string_equal(out.choices[0].label, "chat-archive");
    assert_string_equal(out.choices[1].question, "어제 chat-server 서비스 에러 몇 건?");
    assert_string_equal(out.choices[1].intent->filters[0].values[0], "chat-server");
    assert_string_equal(out.choices[1].intent->window.symbolic, "day -1");
    lm_arena_free(&arena);
    ag_catalogue_free(two);
}

static void an_unknown_service_suggests_those_there_are(void **state)
{
    const struct fixture *f = *state;
    struct lm_arena arena;
    struct ag_understanding out;

    lm_arena_init(&arena, AG_UNDERSTAND_ARENA);
    out = ask(f, &arena, "coupon-service 에러 몇 건이야?", NULL);
    assert_int_equal(out.outcome, AG_UNKNOWN_ENTITY);
    assert_int_equal(out.language, AG_KO);
    assert_true(out.suggestion_count > 0);
    assert_non_null(strstr(out.message, "coupon-service"));
    lm_arena_free(&arena);
}

static void every_default_taken_is_an_assumption(void **state)
{
    const struct fixture *f = *state;
    struct lm_arena arena;
    struct ag_understanding out;

    lm_arena_init(&arena, AG_UNDERSTAND_ARENA);
    out = ask(f, &arena, "slowest endpoints", NULL);
    assert_int_equal(out.outcome, AG_UNDERSTOOD);
    assert_int_equal(out.assumption_count, 2);
    assert_string_equal(out.assumptions[0].code, "slow_is_p95");
    assert_string_equal(out.assumptions[1].code, "default_window");
    assert_false(out.intent.window.stated);
    lm_arena_free(&arena);
}

static void control_characters_and_broken_text_are_bad_questions(void **state)
{
    static const char *const bad[] = {"",
                                      "   ",
                                      "errors\x1b[31m today",
                                      "에러\x01 몇 건",
                                      "errors \xff today",
                                      "errors \xe2\x80\xae today"};
    const struct fixture *f = *state;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct lm_arena arena;
        lm_arena_init(&arena, AG_UNDERSTAND_ARENA);
        assert_int_equal(ask(f, &arena, bad[i], NULL).outcome, AG_BAD_QUESTION);
        lm_arena_free(&arena);
    }
}

static void a_question_of_2001_characters_is_refused_and_one_of_2000_takes_milliseconds(void **state)
{
    static const char *const units[] = {"에", "a ",  "1시간 ",   "payment-service ", "가나다라",
                                        "\"", "~1-", "오늘부터", "없는서비스 "};
    const struct fixture *f = *state;

    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        char text[AG_QUESTION_MAX_BYTES + 64] = "";
        size_t n = strlen(units[i]);
        size_t chars = 0;
        struct lm_arena arena;
        struct timespec a;
        struct timespec b;
        for (const char *c = units[i]; *c; c++)
            chars += ((unsigned char)*c & 0xC0) != 0x80;
        for (size_t k = 0; k < AG_QUESTION_MAX_CHARS / chars; k++)
            memcpy(text + k * n, units[i], n);
        lm_arena_init(&arena, AG_UNDERSTAND_ARENA);
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
        ask(f, &arena, text, NULL);
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
        /* The promise is 10 ms of an optimised build; this one may be sanitised. */
        assert_true((double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6 < 1000);
        strcat(text, "123456789");
        if (chars == 1)
            assert_int_equal(ask(f, &arena, text, NULL).outcome, AG_BAD_QUESTION);
        lm_arena_free(&arena);
    }
}

static void a_full_arena_is_an_error_and_no_crash(void **state)
{
    const struct fixture *f = *state;

    for (size_t max = 0; max < 700000; max += 4099) {
        struct ag_question q = {
            .text = "어제 결제 서비스 에러 상위 5개", .zone = "Asia/Seoul", .now_us = NOW};
        struct ag_understanding out;
        struct lm_arena arena;
        struct lm_error error;
        q.len = strlen(q.text);
        lm_arena_init(&arena, max);
        if (ag_understand(&q, f->vocabulary, f->catalogue, &arena, &out, &error) < 0)
            assert_string_equal(error.kind, "memory");
        lm_arena_free(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(questions_of_the_table_come_to_what_it_says, set_up, tear_down),
        cmocka_unit_test_setup_teardown(questions_about_a_hospital_come_to_what_they_ask, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_intent_survives_json_and_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(offered_choices_are_understood_as_offered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_word_for_two_services_offers_both, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_unknown_service_suggests_those_there_are, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_default_taken_is_an_assumption, set_up, tear_down),
        cmocka_unit_test_setup_teardown(control_characters_and_broken_text_are_bad_questions, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            a_question_of_2001_characters_is_refused_and_one_of_2000_takes_milliseconds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_arena_is_an_error_and_no_crash, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
