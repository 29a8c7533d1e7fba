/*
 * Patterns put together: names that vary are, words that mean something never. The labelled files are those
 * of test_pattern_groups: no two events of a system may become one.
 */
#include "agent/answer/alike.h"
#include "common/pattern/pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MAX = 600 };

/* How many templates are left of `words` put into the place of % in `form`; `common` is what the first is
 * then. */
static size_t left_of(const char *form, const char *const *words, size_t count, char common[256])
{
    const char *templates[MAX];
    char texts[64][256];
    size_t leaders[MAX], left = 0;
    const char *place = strchr(form, '%');
    struct lm_arena arena;

    lm_arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < count; i++) {
        snprintf(texts[i], sizeof texts[i], "%.*s%s%s", (int)(place - form), form, words[i], place + 1);
        templates[i] = texts[i];
    }
    assert_int_equal(ag_alike_find(templates, count, &arena, leaders), 0);
    for (size_t i = 0; i < count; i++) {
        left += leaders[i] == i;
        assert_true(leaders[i] <= i && leaders[leaders[i]] == leaders[i]);
    }
    snprintf(common, 256, "%s", templates[0]);
    lm_arena_free(&arena);
    return left;
}

#define LEFT(form, ...)                                                                                      \
    left_of(form, (const char *const[]){__VA_ARGS__},                                                        \
            sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *), common)

#define EIGHT_NAMES "alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"

static void names_that_vary_are_one_pattern(void **state)
{
    char common[256];
    (void)state;

    assert_int_equal(LEFT("Denied for % (<*>)", EIGHT_NAMES), 8); /* too few other words */
    assert_int_equal(LEFT("Login has failed for % from <*>", EIGHT_NAMES), 1);
    assert_string_equal(common, "Login has failed for <*> from <*>");
    assert_int_equal(LEFT("사용자 % 로그인 실패 <*>회 초과", EIGHT_NAMES), 1);
    assert_int_equal(LEFT("Could not obtain lock on [%], giving up", "orders", "mail", "stock", "carts",
                          "users", "prices", "bills", "trips", "returns"),
                     1);
    assert_string_equal(common, "Could not obtain lock on [<*>], giving up");
    assert_int_equal(LEFT("Handler stopped early % after <*> ms", "order_items", "eu-west", "a.b.C",
                          "TaskRunner", "x/y", "cart_sync", "mail-out", "PriceTask"),
                     1);
}

static void seven_words_are_too_few(void **state)
{
    char common[256];
    (void)state;

    assert_int_equal(
        LEFT("Login has failed for % from <*>", "alice", "bob", "carol", "dave", "erin", "frank", "grace"),
        7);
    assert_int_equal(LEFT("Login has failed for % from <*>", "alice", "alice", "alice", "alice", "alice",
                          "alice", "alice", "alice"),
                     8); /* one word, however often */
}

static void words_that_mean_something_stay(void **state)
{
    char common[256];
    (void)state;

    assert_int_equal(LEFT("Failed to % the order <*> again", "create", "cancel", "refund", "ship", "load",
                          "save", "close", "open", "split"),
                     9);
    assert_int_equal(LEFT("Order % request was rejected: <*>", "create", "cancel", "refund", "ship", "load",
                          "save", "close", "open"),
                     8);
    assert_int_equal(LEFT("Request to shop failed with % after <*>", "IOException", "SqlException",
                          "ParseError", "ReadTimeout", "LinkFailure", "BusFault", "AuthError",
                          "RpcException"),
                     8);
    assert_int_equal(LEFT("The session of <*> was in state % too long", "open", "half_open", "new_one",
                          "idle", "busy_wait", "closing_now", "gone", "lost"),
                     8);
    assert_int_equal(LEFT("Connection with peer <*> on % is gone", "LEADING", "LOOKING", "IDLE", "DOWN", "UP",
                          "BUSY", "LOST", "NEW"),
                     8);
    assert_int_equal(LEFT("Message for the queue was % by <*> today", "accepted", "rejected", "dropped",
                          "delayed", "read", "merged", "copied", "moved"),
                     8);
    assert_int_equal(
        LEFT("결제 요청 처리 중 % 오류 발생", "승인", "취소", "환불", "조회", "한도", "통신", "인증", "중복"),
        8);
    assert_int_equal(LEFT("Worker got for level=% a new limit", "debug_a", "debug_b", "debug_c", "debug_d",
                          "debug_e", "debug_f", "debug_g", "debug_h"),
                     8);
    assert_int_equal(LEFT("% was not found in the cache", EIGHT_NAMES), 8); /* the first word */
}

static void two_words_may_vary(void **state)
{
    static const char *const names[] = {EIGHT_NAMES};
    const char *templates[64];
    char texts[64][128];
    size_t leaders[64];
    struct lm_arena arena;
    (void)state;

    lm_arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < 64; i++) {
        snprintf(texts[i], sizeof texts[i], "Access was denied for %s on host %s_db", names[i / 8],
                 names[i % 8]);
        templates[i] = texts[i];
    }
    assert_int_equal(ag_alike_find(templates, 64, &arena, leaders), 0);
    for (size_t i = 0; i < 64; i++)
        assert_int_equal(leaders[i], 0);
    assert_string_equal(templates[0], "Access was denied for <*> on host <*>");
    lm_arena_free(&arena);
}

static size_t read_templates(const char *path, const char **templates, char events[][32],
                             struct lm_arena *arena)
{
    FILE *file = fopen(path, "r");
    struct lm_buffer template;
    char line[4096];
    size_t count = 0;

    assert_non_null(file);
    lm_buffer_init(&template, 4096);
    while (fgets(line, sizeof line, file) != NULL) {
        char *tab = strchr(line, '\t');
        assert_true(tab != NULL && count < MAX);
        (void)lm_pattern(line, (size_t)(tab - line), &template);
        templates[count] = lm_arena_copy(arena, template.data, template.len);
        snprintf(events[count], 32, "%.*s", (int)strcspn(tab + 1, "\n"), tab + 1);
        count++;
    }
    fclose(file);
    lm_buffer_free(&template);
    return count;
}

/* All systems of a file at once, which is harder than each alone. */
static void no_labelled_events_become_one(void **state)
{
    static const char *const files[] = {LOGMILL_TEST_DATA "/pattern_groups.tsv",
                                        LOGMILL_TEST_DATA "/pattern_groups_unseen.tsv"};
    static char events[MAX][32];
    const char *templates[MAX];
    size_t leaders[MAX];
    (void)state;

    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        struct lm_arena arena;
        lm_arena_init(&arena, (size_t)4 << 20);
        size_t count = read_templates(files[f], templates, events, &arena);
        assert_int_equal(ag_alike_find(templates, count, &arena, leaders), 0);
        for (size_t i = 0; i < count; i++)
            assert_string_equal(events[i], events[leaders[i]]);
        lm_arena_free(&arena);
    }
}

static void without_memory_it_fails_and_null_stands_alone(void **state)
{
    const char *templates[] = {NULL, "", "<*>", NULL};
    size_t leaders[4];
    struct lm_arena arena;
    (void)state;

    lm_arena_init(&arena, 1 << 20);
    assert_int_equal(ag_alike_find(templates, 4, &arena, leaders), 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(leaders[i], i);
    lm_arena_free(&arena);
    lm_arena_init(&arena, 0);
    const char *alike[] = {"Login has failed for a_a now", "Login has failed for a_b now",
                           "Login has failed for a_c now", "Login has failed for a_d now",
                           "Login has failed for a_e now", "Login has failed for a_f now",
                           "Login has failed for a_g now", "Login has failed for a_h now"};
    size_t eight[8];
    assert_int_equal(ag_alike_find(alike, 8, &arena, eight), -1);
    lm_arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_that_vary_are_one_pattern),
        cmocka_unit_test(seven_words_are_too_few),
        cmocka_unit_test(words_that_mean_something_stay),
        cmocka_unit_test(two_words_may_vary),
        cmocka_unit_test(no_labelled_events_become_one),
        cmocka_unit_test(without_memory_it_fails_and_null_stands_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
