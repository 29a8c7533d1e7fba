#include "tests/unit/common/record_fixture.h"

#include "common/pattern/pattern.h"
#include "common/utf8.h"

#include <locale.h>
#include <xxhash.h>

static int64_t pattern_of(struct fixture *f, const char *message)
{
    /* A copy of just its size, so that a sanitizer sees a byte read too many. */
    size_t len = strlen(message);
    char *copy = malloc(len + 1);
    memcpy(copy, message, len);
    int64_t id = lm_pattern(copy, len, &f->buffer);
    free(copy);
    return id;
}

/* tests/data/pattern_golden.tsv: id, template, message. Ids are stored in every rollup: a change of the rules
 * changes them knowingly, by changing that file. */
static void ids_and_templates_are_those_of_the_golden_file(void **state)
{
    struct fixture *f = *state;
    FILE *file = fopen(LOGMILL_SOURCE_DIR "/tests/data/pattern_golden.tsv", "r");
    char line[4096];
    size_t lines = 0;

    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        char *template = strchr(line, '\t') + 1;
        char *message = strchr(template, '\t') + 1;
        template[-1] = message[-1] = '\0';
        message[strcspn(message, "\n")] = '\0';
        int64_t id = pattern_of(f, message);
        assert_slice((struct lm_slice){f->buffer.data, f->buffer.len}, template);
        assert_int_equal(id, strtoll(line, NULL, 10));
        assert_int_equal(id, (int64_t)XXH3_64bits(template, strlen(template)));
        lines++;
    }
    fclose(file);
    assert_true(lines > 40);
}

static void only_the_first_line_that_is_not_blank_counts(void **state)
{
    struct fixture *f = *state;
    int64_t id = pattern_of(f, "second line 2");

    assert_int_equal(pattern_of(f, "\n \n  second\t line 3 \nthird 3"), id);
    assert_int_equal(pattern_of(f, "second line 4\r\nthird"), id);
    assert_int_equal(pattern_of(f, "\x1b[1;31msecond\x1b[0m line 5"), id);
    assert_int_equal(pattern_of(f, ""), pattern_of(f, " \n"));
    assert_int_equal(f->buffer.len, 0);
}

static void what_is_cut_does_not_depend_on_the_values(void **state)
{
    struct fixture *f = *state;
    char message[2][3000] = {{0}};

    for (int i = 0; i < 100; i++) {
        snprintf(message[0] + strlen(message[0]), 30, "step %d of job, ", i);
        snprintf(message[1] + strlen(message[1]), 30, "step %d00000 of job, ", i);
    }
    assert_int_equal(pattern_of(f, message[0]), pattern_of(f, message[1]));
    assert_int_equal(f->buffer.len, LM_PATTERN_MAX);
}

static void a_long_message_is_cut_at_a_character(void **state)
{
    struct fixture *f = *state;
    char message[2 * LM_PATTERN_INPUT_MAX];

    for (size_t shift = 0; shift < 3; shift++) {
        memset(message, 'x', shift);
        for (size_t i = shift; i + 3 <= sizeof message; i += 3)
            memcpy(message + i, "가", 3);
        (void)lm_pattern(message, sizeof message - 3, &f->buffer);
        assert_in_range(f->buffer.len, LM_PATTERN_MAX - 3, LM_PATTERN_MAX);
        assert_int_equal(lm_utf8_check(f->buffer.data, f->buffer.len), LM_UTF8_OK);
    }
    memset(message, '1', sizeof message);
    for (size_t i = 1; i < sizeof message; i += 2)
        message[i] = '[';
    (void)lm_pattern(message, sizeof message, &f->buffer);
    assert_in_range(f->buffer.len, LM_PATTERN_MAX - 3, LM_PATTERN_MAX);
}

static void the_id_does_not_depend_on_room_for_the_template(void **state)
{
    struct fixture *f = *state;
    struct lm_buffer none;

    lm_buffer_init(&none, 4);
    assert_int_equal(lm_pattern("order 17 lost", 13, &none), lm_pattern("order 18 lost", 13, &f->buffer));
    lm_buffer_free(&none);
}

static void the_id_does_not_depend_on_the_locale(void **state)
{
    struct fixture *f = *state;
    const char *message = "Größe 1,5 MB, İstanbul 3건 at Sat Jun 18 02:08:10 2005";
    int64_t id = pattern_of(f, message);

    if (setlocale(LC_ALL, "tr_TR.UTF-8") == NULL && setlocale(LC_ALL, "C.UTF-8") == NULL)
        skip();
    assert_int_equal(pattern_of(f, message), id);
    setlocale(LC_ALL, "C");
}

static void any_bytes_have_a_bounded_template(void **state)
{
    static const char pieces[][8] = {"\"",  "'",  "\\", "=",  "a=",  "1",      ",", " ",     "/",
                                     "://", "@",  ".",  ":",  "for", " user ", "{", "\x1b[", "\xea\xb0\x80",
                                     "<",   "5 ", "ms", "\n", "\0x"};
    struct fixture *f = *state;
    char message[256];

    srand(4);
    for (int round = 0; round < 20000; round++) {
        size_t len = 0;
        while (len + 8 < sizeof message && rand() % 40 > 0) {
            const char *piece = pieces[(size_t)rand() % (sizeof pieces / sizeof pieces[0])];
            size_t n = strlen(piece) + (piece[0] == '\0');
            memcpy(message + len, piece, n);
            len += n;
        }
        char *copy = malloc(len + 1);
        memcpy(copy, message, len);
        int64_t id = lm_pattern(copy, len, &f->buffer);
        assert_in_range(f->buffer.len, 0, LM_PATTERN_MAX);
        assert_int_not_equal(lm_utf8_check(f->buffer.data == NULL ? "" : f->buffer.data, f->buffer.len),
                             LM_UTF8_INVALID);
        assert_int_equal(lm_pattern(copy, len, &f->buffer), id);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(ids_and_templates_are_those_of_the_golden_file),
        FIXTURE_TEST(only_the_first_line_that_is_not_blank_counts),
        FIXTURE_TEST(what_is_cut_does_not_depend_on_the_values),
        FIXTURE_TEST(a_long_message_is_cut_at_a_character),
        FIXTURE_TEST(the_id_does_not_depend_on_room_for_the_template),
        FIXTURE_TEST(the_id_does_not_depend_on_the_locale),
        FIXTURE_TEST(any_bytes_have_a_bounded_template),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
