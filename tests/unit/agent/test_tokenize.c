/* Words: folding, particles, spacing, forms. */
#include "agent/text.h"
#include "agent/understand/concept.h"
#include "agent/understand/tokens.h"
#include "agent/understand/vocabulary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct words {
    struct ag_vocabulary *vocabulary;
    struct ag_catalogue *catalogue;
    struct lm_arena arena;
};

static int set_up(void **state)
{
    struct words *w = calloc(1, sizeof *w);
    struct lm_error error;

    assert_non_null(w);
    w->vocabulary = ag_vocabulary_new(NULL, &error);
    w->catalogue = ag_catalogue_new();
    assert_non_null(w->vocabulary);
    assert_non_null(w->catalogue);
    assert_int_equal(ag_catalogue_add(w->catalogue, AG_KIND_SERVICE, "order-service", 1), 0);
    assert_int_equal(ag_catalogue_seal(w->catalogue), 0);
    lm_arena_init(&w->arena, (size_t)16 << 20);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct words *w = *state;

    lm_arena_free(&w->arena);
    ag_catalogue_free(w->catalogue);
    ag_vocabulary_free(w->vocabulary);
    free(w);
    return 0;
}

/* The tokens' texts, with | between. */
static void expect_tokens(struct words *w, const char *text, const char *expected)
{
    struct ag_text folded;
    struct ag_tokens *tokens = lm_arena_alloc(&w->arena, sizeof *tokens);
    char got[2048] = "";

    assert_non_null(tokens);
    assert_int_equal(ag_text_fold(text, strlen(text), 2000, &w->arena, &folded), AG_TEXT_GOOD);
    assert_int_equal(ag_tokenize(&folded, w->vocabulary, w->catalogue, &w->arena, tokens), 0);
    for (size_t i = 0; i < tokens->count; i++) {
        if (i)
            strcat(got, "|");
        strcat(got, tokens->items[i].text);
    }
    assert_string_equal(got, expected);
}

static void korean_words_are_cut_from_their_particles_and_endings(void **state)
{
    expect_tokens(*state, "에러가 몇 건이야?", "에러|가|몇 건|이야|?");
    expect_tokens(*state, "서비스별로 에러를", "서비스|별로|에러|를");
    expect_tokens(*state, "order-service에서", "order-service|에서");
    expect_tokens(*state, "15일까지", "15|일|까지");
}

static void spacing_does_not_matter_where_people_differ(void **state)
{
    expect_tokens(*state, "에러로그 몇개", "에러로그|몇개");
    expect_tokens(*state, "상태코드 응답시간", "상태코드|응답시간");
    expect_tokens(*state, "상태 코드 응답 시간", "상태 코드|응답 시간");
}

static void forms_are_read_whole(void **state)
{
    expect_tokens(*state, "2026-03-15T10:20:00Z", "2026-03-15t10:20:00z");
    expect_tokens(*state, "web-03 3.8.0 10.0.0.1 /api/orders p99.9 1,000",
                  "web-03|3.8.0|10.0.0.1|/api/orders|p99.9|1,000");
    expect_tokens(*state, "last 2h 500ms", "last|2|h|500|ms");
    expect_tokens(*state, "\"connection refused\" today's", "\"connection refused\"|today's");
}

static void full_width_and_jamo_fold_to_the_plain_word(void **state)
{
    expect_tokens(*state, "ｅｒｒｏｒｓ ＴＯＤＡＹ", "errors|today");
    expect_tokens(*state, "\xe1\x84\x8b\xe1\x85\xa5\xe1\x84\x8c\xe1\x85\xa6", "어제"); /* decomposed */
}

static void positions_lead_back_to_what_was_typed(void **state)
{
    struct words *w = *state;
    const char *typed = "　\"Connection　Refused\"  에러";
    struct ag_text folded;

    assert_int_equal(ag_text_fold(typed, strlen(typed), 2000, &w->arena, &folded), AG_TEXT_GOOD);
    for (size_t i = 0; i < folded.len; i++) {
        assert_true(folded.from[i] < folded.to[i]);
        assert_true(folded.to[i] <= strlen(typed));
        assert_true(i == 0 || folded.from[i] >= folded.from[i - 1]);
    }
    for (size_t i = 0; i + 10 < folded.len; i++) {
        if (folded.cp[i] == 'c' && folded.cp[i + 1] == 'o')
            assert_string_equal(ag_text_typed(&folded, i, i + 10, &w->arena), "Connection");
    }
}

static void every_surface_of_the_vocabulary_is_a_word(void **state)
{
    struct words *w = *state;
    struct ag_match matches[24];
    static const uint32_t text[] = {0xC5D0, 0xB7EC, 0}; /* 에러 */
    size_t n = ag_vocabulary_match(w->vocabulary, text, 2, matches, 24);

    assert_true(n >= 1);
    assert_int_equal(matches[n - 1].len, 2);
    assert_int_equal(matches[n - 1].readings->concept, AG_C_ERROR);
    for (int i = 1; i < AG_C_COUNT_OF; i++)
        assert_int_equal(ag_concept_from_name(ag_concept_name((enum ag_concept)i)), i);
    assert_int_equal(ag_concept_from_name("nonsense"), -1);
}

static void an_operators_file_adds_words_and_its_faults_name_the_line(void **state)
{
    char path[] = "/tmp/vocabulary-XXXXXX";
    int fd = mkstemp(path);
    FILE *file = fdopen(fd, "w");
    struct lm_error error;
    struct ag_vocabulary *v;

    (void)state;
    fputs("# ours\n마일로|milo\tdomain\tmilo,loyalty\n", file);
    fclose(file);
    v = ag_vocabulary_new(path, &error);
    assert_non_null(v);
    ag_vocabulary_free(v);
    file = fopen(path, "w");
    fputs("good\tnoise\nbad line\n", file);
    fclose(file);
    assert_null(ag_vocabulary_new(path, &error));
    assert_non_null(strstr(error.text, "line 2"));
    remove(path);
    assert_null(ag_vocabulary_new("/nonexistent", &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(korean_words_are_cut_from_their_particles_and_endings, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(spacing_does_not_matter_where_people_differ, set_up, tear_down),
        cmocka_unit_test_setup_teardown(forms_are_read_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(full_width_and_jamo_fold_to_the_plain_word, set_up, tear_down),
        cmocka_unit_test_setup_teardown(positions_lead_back_to_what_was_typed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_surface_of_the_vocabulary_is_a_word, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_operators_file_adds_words_and_its_faults_name_the_line, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
