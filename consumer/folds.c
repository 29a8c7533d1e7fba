#include "consumer/folds.h"

#include "common/buffer.h"
#include "common/clock.h"

#include <stdlib.h>
#include <string.h>

#define EVERY_US LM_MINUTE_US
#define MORE_AFTER_US (2 * LM_SECOND_US)
/* Every hour it is looked further back, for what was soft-deleted or came late; what is older still is left
 * to logmill-ctl fold. */
#define FAR_EVERY 60
#define NEAR "interval '3 days'"
#define FAR "interval '35 days'"
#define PORTION "interval '150 ms'"

static void on_folded(const PGresult *result, void *context)
{
    struct co_folds *folds = context;

    /* Nothing but NULLs where another is at it. */
    if (PQntuples(result) != 1 || PQnfields(result) != 3 || PQgetisnull(result, 0, 0))
        return;
    folds->more = PQgetvalue(result, 0, 2)[0] == 't';
    if (folds->made != NULL)
        lm_counter_add(folds->made, strtoull(PQgetvalue(result, 0, 0), NULL, 10) +
                                        strtoull(PQgetvalue(result, 0, 1), NULL, 10));
}

static void on_done(const struct lm_error *error, void *context)
{
    struct co_folds *folds = context;

    folds->asked = false;
    folds->due_us = lm_clock_mono_us() + (error == NULL && folds->more ? MORE_AFTER_US : EVERY_US);
    if (error != NULL && strcmp(error->kind, "closing") != 0)
        lm_log_limited(&folds->limit, LM_LOG_AGAIN_MS, LM_LOG_WARN, "folds",
                       "hours and days were not folded (questions about long windows take longer): %s",
                       error->text);
}

void co_folds_tick(struct co_folds *folds)
{
    struct lm_buffer sql;
    struct lm_error error;
    int64_t now_us = lm_clock_mono_us();

    if (folds->due_us == 0) /* not in the rush of a start */
        folds->due_us = now_us + EVERY_US / 4;
    if (folds->asked || now_us < folds->due_us)
        return;
    folds->due_us = now_us + EVERY_US;
    lm_buffer_init(&sql, 1024);
    lm_buffer_append_text(&sql, "SELECT hours, days, more FROM logmill.fold(");
    lm_buffer_append_literal(&sql, folds->zone, strlen(folds->zone));
    folds->far = folds->more ? folds->far : folds->calls++ % FAR_EVERY == 0;
    lm_buffer_append_text(&sql, folds->far ? ", " FAR ", " PORTION ")" : ", " NEAR ", " PORTION ")");
    struct co_question question = {
        .sql = lm_buffer_text(&sql), .result = on_folded, .done = on_done, .context = folds};
    folds->more = false;
    folds->asked = question.sql != NULL && co_control_ask(folds->control, &question, &error) == 0;
    lm_buffer_free(&sql);
}
