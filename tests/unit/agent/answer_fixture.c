#include "tests/unit/agent/answer_fixture.h"

#include "tests/unit/agent/intent_spec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct asked *ask_limited(const char *spec, const char *const *cells, size_t count, int max_rows)
{
    struct asked *asked = calloc(1, sizeof *asked);
    assert_non_null(asked);
    lm_arena_init(&asked->arena, (size_t)16 << 20);
    assert_true(intent_spec_parse(spec, &asked->arena, &asked->intent));
    const struct ag_sql_context context = {.now_us = SPEC_NOW,
                                           .max_rows = max_rows,
                                           .max_rows_stated = max_rows != 100,
                                           .rows_since_us = INT64_MIN};
    struct lm_error error;
    if (ag_sql_write(&asked->intent, &context, &asked->arena, &asked->sql, &error) != 0) {
        fail_msg("%s: %s", spec, error.text);
    }
    assert_int_equal(count % asked->sql.column_count, 0);
    const struct ag_answer_input input = {
        &asked->intent, &asked->sql, {cells, count / asked->sql.column_count}, false};
    if (ag_answer_make(&input, &asked->arena, &asked->answer, &error) != 0) {
        fail_msg("%s: %s", spec, error.text);
    }
    return asked;
}

void done(struct asked *asked)
{
    ag_answer_free(&asked->answer);
    lm_arena_free(&asked->arena);
    free(asked);
}

json_t *cell(const struct asked *asked, size_t row, const char *column)
{
    return json_object_get(json_array_get(asked->answer.results, row), column);
}

const char *text(const struct asked *asked, size_t row, const char *column)
{
    const char *value = json_string_value(cell(asked, row, column));
    return value == NULL ? "" : value;
}

bool warned(const struct asked *asked, const char *code, const char *words)
{
    size_t i = 0;
    json_t *warning = NULL;
    json_array_foreach(asked->answer.warnings, i, warning)
    {
        if (strcmp(json_string_value(json_object_get(warning, "code")), code) == 0 &&
            strstr(json_string_value(json_object_get(warning, "text")), words) != NULL) {
            return true;
        }
    }
    return false;
}

void assert_says(const struct asked *asked, const char *words)
{
    if (strstr(asked->answer.insight, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", asked->answer.insight, words);
    }
}
