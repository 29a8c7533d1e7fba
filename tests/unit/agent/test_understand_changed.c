/*
 * Questions changed by a word: tests/data/questions_changed.tsv, against the names of
 * tests/data/understand_names.tsv. What changes the meaning changes the intent or holds the answer back.
 */
#include "agent/understand/understand.h"
#include "agent/understand/vocabulary.h"
#include "tests/unit/agent/intent_line.h"
#include "tests/unit/agent/names_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW INT64_C(1773812120000000) /* 2026-03-18T14:35:20+09:00 */

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
    f->catalogue = names_file_read(LOGMILL_TEST_DATA "/understand_names.tsv");
    assert_non_null(f->vocabulary);
    assert_non_null(f->catalogue);
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

/* What a question comes to: its intent as a line with its window in instants apart, or the outcome's name. */
static bool understood(const struct fixture *f, const char *text, struct lm_buffer *out)
{
    struct ag_question q = {.text = text, .len = strlen(text), .zone = "Asia/Seoul", .now_us = NOW};
    struct ag_understanding u;
    struct lm_arena arena;
    struct lm_error error;
    bool answered;

    lm_arena_init(&arena, AG_UNDERSTAND_ARENA);
    assert_int_equal(ag_understand(&q, f->vocabulary, f->catalogue, &arena, &u, &error), 0);
    answered = u.outcome == AG_UNDERSTOOD;
    if (answered)
        intent_line(&u.intent, out);
    else
        lm_buffer_append_text(out, ag_outcome_name(u.outcome));
    lm_arena_free(&arena);
    return answered;
}

/* Does the changed question keep to its line? */
static bool keeps(const struct fixture *f, const char *base, const char *changed, const char *expected,
                  const char *intent)
{
    struct lm_buffer before;
    struct lm_buffer after;
    bool answered;
    bool good;

    lm_buffer_init(&before, 65536);
    lm_buffer_init(&after, 65536);
    assert_true(understood(f, base, &before) || strcmp(expected, "same") != 0);
    answered = understood(f, changed, &after);
    if (strcmp(expected, "held") == 0)
        good = !answered;
    else if (strcmp(expected, "same") == 0)
        good = answered && strcmp(lm_buffer_text(&before), lm_buffer_text(&after)) == 0;
    else
        good = answered && strcmp(lm_buffer_text(&after), intent) == 0;
    if (!good)
        print_error("%s\n  was      %s\n  expected %s %s\n  got      %s\n", changed, lm_buffer_text(&before),
                    expected, intent, lm_buffer_text(&after));
    lm_buffer_free(&before);
    lm_buffer_free(&after);
    return good;
}

static void a_word_that_changes_the_meaning_changes_the_answer_or_holds_it_back(void **state)
{
    FILE *file = fopen(LOGMILL_TEST_DATA "/questions_changed.tsv", "r");
    char line[4096];
    size_t count = 0;
    size_t wrong = 0;

    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        char *changed = strchr(line, '\t');
        char *expected = changed ? strchr(changed + 1, '\t') : NULL;
        char *intent;
        if (line[0] == '#' || !expected)
            continue;
        *changed++ = *expected++ = '\0';
        expected[strcspn(expected, "\n")] = '\0';
        intent = strchr(expected, '\t');
        if (intent)
            *intent++ = '\0';
        wrong += !keeps(*state, line, changed, expected, intent ? intent : "");
        count++;
    }
    fclose(file);
    assert_true(count > 300);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_word_that_changes_the_meaning_changes_the_answer_or_holds_it_back,
                                        set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
