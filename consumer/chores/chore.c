#include "consumer/chores/chore.h"

#include "common/clock.h"

#include <string.h>

static void on_row(const PGresult *result, void *context)
{
    struct co_chore *chore = context;

    if (PQntuples(result) == 1)
        chore->more = chore->kind->read(result, chore->context);
}

static void on_done(const struct lm_error *error, void *context)
{
    struct co_chore *chore = context;
    const struct co_chore_kind *kind = chore->kind;

    chore->asked = false;
    chore->due_us =
        lm_clock_mono_us() + (error == NULL && chore->more ? kind->more_after_us : kind->every_us);
    if (error != NULL && strcmp(error->kind, "closing") != 0)
        lm_log_limited(&chore->limit, LM_LOG_AGAIN_MS, LM_LOG_WARN, kind->name, "%s: %s", kind->failure,
                       error->text);
}

void co_chore_tick(struct co_chore *chore)
{
    struct lm_buffer sql;
    struct lm_error error;
    int64_t now_us = lm_clock_mono_us();

    if (chore->due_us == 0) /* not in the rush of a start */
        chore->due_us = now_us + chore->kind->first_us;
    if (chore->asked || now_us < chore->due_us)
        return;
    chore->due_us = now_us + chore->kind->every_us;
    lm_buffer_init(&sql, 1024);
    chore->kind->write(&sql, chore->more, chore->context);
    chore->more = false;
    struct co_question question = {
        .sql = lm_buffer_text(&sql), .result = on_row, .done = on_done, .context = chore};
    chore->asked = question.sql != NULL && co_control_ask(chore->control, &question, &error) == 0;
    lm_buffer_free(&sql);
}
