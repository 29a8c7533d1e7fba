/*
 * An answer made of rows that a test writes as PostgreSQL gives them; the statement is what the writer makes
 * of the intent, which stands in the line `spec` (intent_spec.h).
 */
#ifndef LOGMILL_TESTS_ANSWER_FIXTURE_H
#define LOGMILL_TESTS_ANSWER_FIXTURE_H

#include "agent/answer/answer.h"

struct asked {
    struct lm_arena arena;
    struct ag_intent intent;
    struct ag_sql sql;
    struct ag_answer answer;
};

#define DAY "in 2026-03-17T00:00:00+09:00/2026-03-18T00:00:00+09:00"

/* `cells` as the statement's columns come, row after row; must work. done() it. */
struct asked *ask_limited(const char *spec, const char *const *cells, size_t count, int max_rows);
void done(struct asked *asked);
#define ASK(spec, ...)                                                                                       \
    ask_limited(spec, (const char *const[]){__VA_ARGS__},                                                    \
                sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *), 100)

/* Of the results. NULL: not there; text "" where it is no text. */
json_t *cell(const struct asked *asked, size_t row, const char *column);
const char *text(const struct asked *asked, size_t row, const char *column);
/* Is there a warning `code` that holds `words`? */
bool warned(const struct asked *asked, const char *code, const char *words);
/* The insight holds `words`. */
void assert_says(const struct asked *asked, const char *words);

#endif
