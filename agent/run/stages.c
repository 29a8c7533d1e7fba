/*
 * The five stages as a table. A stage that works off the loop touches nothing but its run (and what any
 * thread may read: the vocabulary, the names it holds, the configuration).
 */
#include "agent/guard/guard.h"
#include "agent/run/run.h"
#include "agent/understand/time.h"
#include "common/clock.h"
#include "common/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_RESULT_BYTES ((size_t)4 << 20)

static enum ag_step failed(struct ag_run *run, const char *code, const char *message, const char *hint)
{
    ag_failure_set(&run->failure, code, message, hint);
    return AG_STEP_FAILED;
}

static enum ag_step out_of_memory(struct ag_run *run)
{
    return failed(run, "unavailable", "out of memory for the question", "ask for less at once");
}

/* A fault of ours in what was written: the rows can tell what the rollups could not. */
static enum ag_step try_rows(struct ag_run *run, const char *what, const char *why)
{
    lm_log(LM_LOG_ERROR, "stages", "question %s, attempt %u: %s: %s; SQL: %.1000s", run->id, run->attempts,
           what, why, run->sql.text != NULL ? run->sql.text : "");
    if (run->attempts >= AG_MAX_ATTEMPTS || run->no_rollups) {
        return failed(run, "internal", "the question was understood, but its SQL failed",
                      "the agent's log has the reason");
    }
    run->attempts++;
    run->no_rollups = true;
    return AG_STEP_AGAIN;
}

/* ---- retrieve_schema ---- */

static enum ag_step retrieve_schema(struct ag_run *run)
{
    /* What questions can be about: the names in the data, as of the last refresh. The views are the guard's
     * tables. */
    ag_names_drop(run->names);
    run->names = ag_names_hold(run->caller->sight->names);
    run->kept = ag_names_kept(run->runs->names);
    return AG_STEP_NEXT;
}

/* ---- generate_sql ---- */

static json_t *choice_json(const char *label, const char *question, const struct ag_intent *intent)
{
    json_t *json = intent != NULL ? ag_intent_to_json(intent) : json_null();
    return json_pack("{s:s, s:s, s:o}", "label", label != NULL ? label : "", "question",
                     question != NULL ? question : "", "intent", json != NULL ? json : json_null());
}

static enum ag_step not_understood(struct ag_run *run)
{
    const struct ag_understanding *understanding = &run->understanding;
    const char *code = ag_outcome_name(understanding->outcome);
    ag_failure_set(&run->failure, code, understanding->message, understanding->hint);
    run->failure.suggestion_count = 0;
    for (size_t i = 0; i < understanding->suggestion_count && i < AG_FAILURE_SUGGESTIONS; i++) {
        run->failure.suggestions[run->failure.suggestion_count++] = understanding->suggestions[i];
    }
    if (understanding->choice_count > 0) {
        run->failure.choices = json_array();
        for (size_t i = 0; i < understanding->choice_count; i++) {
            const struct ag_choice *choice = &understanding->choices[i];
            (void)json_array_append_new(run->failure.choices,
                                        choice_json(choice->label, choice->question, choice->intent));
        }
    }
    return understanding->outcome == AG_UNKNOWN_ENTITY && !run->names_read ? AG_STEP_NAMES : AG_STEP_FAILED;
}

static struct ag_sql_context sql_context(const struct ag_run *run)
{
    const struct ag_config *config = run->runs->config;
    return (struct ag_sql_context){.now_us = run->request.now_us,
                                   .live = !run->request.now_given,
                                   .max_rows = run->request.max_results,
                                   .list_ceiling = run->way == AG_WAY_EXPORT ? run->request.max_results : 0,
                                   .max_rows_stated = run->request.max_results_stated,
                                   .scan_window_us = config->scan_window_ms * 1000,
                                   .longest_window_us = config->longest_window_ms * 1000,
                                   .rows_since_us = run->rows_since_us,
                                   .counts_since_us = run->counts_since_us,
                                   .oldest_us = run->kept.oldest_us,
                                   .services_overflowed = run->kept.services_overflowed,
                                   .scope = &run->caller->sight->scope,
                                   .mask = run->caller->sight->mask,
                                   .no_rollups = run->no_rollups};
}

static enum ag_step narrower(struct ag_run *run, const char *message)
{
    struct ag_narrower choices[AG_MAX_NARROWER];
    const struct ag_sql_context context = sql_context(run);
    const size_t count = ag_sql_narrower(&run->understanding.intent, &context, &run->arena, choices);
    ag_failure_set(&run->failure, "needs_clarification", message, NULL);
    run->failure.choices = json_array();
    for (size_t i = 0; i < count; i++) {
        (void)json_array_append_new(run->failure.choices,
                                    choice_json(choices[i].label, choices[i].question, &choices[i].intent));
    }
    return AG_STEP_FAILED;
}

static bool asks_for(const struct ag_intent *intent, const char *category)
{
    for (size_t i = 0; i < intent->filter_count; i++) {
        const struct ag_filter *filter = &intent->filters[i];
        if (filter->field != AG_CATEGORY || filter->op != AG_IN || filter->part != 0) {
            continue;
        }
        bool named = false;
        for (size_t j = 0; j < filter->value_count; j++) {
            named = named || strcmp(filter->values[j], category) == 0;
        }
        if (!named) {
            return false;
        }
    }
    return true;
}

/* From when on every category that is asked for has all it ever had, of these times by category. */
static int64_t all_since(const struct ag_run *run, const int64_t by_category[AG_CATEGORY_COUNT])
{
    int64_t since_us = INT64_MIN;
    for (size_t i = 0; i < AG_CATEGORY_COUNT; i++) {
        if (by_category[i] > since_us && asks_for(&run->understanding.intent, ag_categories[i])) {
            since_us = by_category[i];
        }
    }
    return since_us;
}

static enum ag_step write_sql(struct ag_run *run)
{
    struct lm_error error;
    run->rows_since_us = all_since(run, run->kept.rows_since_us);
    run->counts_since_us = all_since(run, run->kept.counts_since_us);
    const struct ag_sql_context context = sql_context(run);
    if (ag_sql_write(&run->understanding.intent, &context, &run->arena, &run->sql, &error) == 0) {
        return AG_STEP_NEXT;
    }
    if (error.decision == LM_RETRY) {
        return out_of_memory(run);
    }
    if (strcmp(error.kind, "needs_narrower") == 0) {
        return narrower(run, error.text);
    }
    if (run->asking.asked) {
        return ag_asking_again(run, error.text);
    }
    return failed(run, strcmp(error.kind, "bad_request") == 0 ? "bad_request" : "not_understood", error.text,
                  NULL);
}

static enum ag_step understand(struct ag_run *run)
{
    struct lm_error error;
    const struct ag_question question = {.text = run->request.question,
                                         .len = run->request.question_len,
                                         .zone = run->request.zone,
                                         .now_us = run->request.now_us,
                                         .previous = run->request.previous};
    if (ag_understand(&question, run->runs->vocabulary, run->names->catalogue, &run->arena,
                      &run->understanding, &error) != 0) {
        return out_of_memory(run);
    }
    if (ag_asking_wanted(run)) {
        return ag_asking_prepare(run);
    }
    return run->understanding.outcome == AG_UNDERSTOOD ? AG_STEP_NEXT : not_understood(run);
}

static enum ag_step write_intent(struct ag_run *run)
{
    const char *hidden = ag_mask_asked(run->caller->sight->mask, &run->understanding.intent);
    if (hidden != NULL) {
        char message[128];
        snprintf(message, sizeof(message),
                 run->understanding.language == AG_KO ? "이 키로는 %s을(를) 볼 수 없습니다."
                                                      : "With this key %s is not to be seen.",
                 hidden);
        return failed(run, "forbidden", message, "ask for a key with another role");
    }
    json_decref(run->intent);
    free(run->intent_text);
    run->intent = ag_intent_to_json(&run->understanding.intent);
    run->intent_text = run->intent != NULL ? json_dumps(run->intent, AG_JSON_FLAGS) : NULL;
    if (run->intent_text == NULL) {
        return out_of_memory(run);
    }
    return write_sql(run);
}

static enum ag_step generate_sql(struct ag_run *run)
{
    enum ag_step step;
    if (!run->asking.asked) {
        step = understand(run);
    } else {
        step = run->asking.reply != NULL ? ag_asking_read(run) : ag_asking_prepare(run);
    }
    return step == AG_STEP_NEXT && !run->asking.wrote_sql ? write_intent(run) : step;
}

/* ---- validate_sql ---- */

static enum ag_step validate_sql(struct ag_run *run)
{
    struct ag_guard_verdict verdict;
    struct lm_error error;
    const bool streams = ag_run_streams(run);
    /* The answer tells by one row more than it shows that there was more; series may have more rows than
     * that. */
    const struct ag_guard_limits limits = {
        .now_us = run->request.now_us,
        .longest_window_us = run->runs->config->longest_window_ms * 1000 + LM_DAY_US,
        .max_rows = (streams || run->asking.wrote_sql ? run->sql.row_limit : AG_MAX_RESULTS) + 1};
    if (ag_guard(run->sql.text, &limits, &verdict, &error) != 0) {
        return failed(run, "unavailable", error.text, NULL);
    }
    if (!verdict.pass && run->asking.wrote_sql) {
        return ag_asking_again(run, verdict.reason);
    }
    if (!verdict.pass) {
        return try_rows(run, "the guard rejected our own SQL", verdict.reason);
    }
    free(run->judged);
    run->judged = verdict.sql;
    return AG_STEP_NEXT;
}

/* ---- execute_query ---- */

/* SQL of a model's that PostgreSQL does not take: names, grammar, data that do not fit it, temporary files.
 */
static bool is_models_fault(const struct ag_run *run, const struct lm_error *error)
{
    static const char *const classes[] = {"0A", "21", "22", "42", "53400", "54"};
    for (size_t i = 0; run->asking.wrote_sql && i < sizeof(classes) / sizeof(classes[0]); i++) {
        if (strncmp(error->sqlstate, classes[i], strlen(classes[i])) == 0) {
            return true;
        }
    }
    return run->asking.wrote_sql && strcmp(error->kind, "bad_rows") == 0;
}

/* What is said of names and grammar is of the statement; anything else may quote the data, which the model
 * must not see. */
static enum ag_step model_sql_failed(struct ag_run *run, const struct lm_error *error)
{
    char why[128];
    const bool says_nothing = strncmp(error->sqlstate, "42", 2) == 0 || error->sqlstate[0] == '\0';
    if (says_nothing) {
        return ag_asking_again(run, error->text);
    }
    snprintf(why, sizeof(why), "PostgreSQL could not run it: SQLSTATE %s", error->sqlstate);
    return ag_asking_again(run, why);
}

static enum ag_step execution_failed(struct ag_run *run, const struct lm_error *error)
{
    if (strcmp(error->kind, "statement_timeout") == 0) {
        return failed(run, "statement_timeout", "the statement ran longer than allowed and was ended",
                      "ask about a shorter time, or about fewer records");
    }
    if (strcmp(error->kind, "busy") == 0) {
        return failed(run, "too_many_requests", "more is asked than can be answered at once",
                      "ask again in a moment");
    }
    if (strcmp(error->kind, "too_costly") == 0) {
        const bool korean = run->understanding.language == AG_KO;
        lm_log(LM_LOG_INFO, "stages", "question %s: %s", run->id, error->text);
        if (run->asking.wrote_sql) {
            return ag_asking_again(run, "it would read too many records: a shorter time, or fewer of them");
        }
        return narrower(
            run, korean ? "읽어야 할 기록이 너무 많습니다. 기간이나 대상을 좁혀 주세요."
                        : "That would read too many records: ask about a shorter time, or about fewer.");
    }
    if (run->export.open) {
        lm_log(LM_LOG_WARN, "stages", "export %s is broken off: %s", run->id, error->text);
        return failed(run, "unavailable", error->text, NULL);
    }
    if (is_models_fault(run, error)) {
        return model_sql_failed(run, error);
    }
    /* A statement on the replica that stands in the way of what is replayed is ended. Once on the primary:
     * its epoch and rows are the primary's then, and the names no newer than these. */
    if (strcmp(error->sqlstate, "40001") == 0 && !run->on_primary && run->attempts < AG_MAX_ATTEMPTS) {
        run->on_primary = true;
        run->attempts++;
        return AG_STEP_AGAIN;
    }
    /* A serialisation failure or a lost connection may be over at once; a server that is down is told at
     * once. */
    if (error->decision == LM_RETRY && run->attempts < AG_MAX_ATTEMPTS &&
        ag_pool_up(ag_reads_pool(run->runs->reads)) > 0) {
        run->attempts++;
        return AG_STEP_AGAIN;
    }
    if (strcmp(error->kind, "not_migrated") == 0) {
        return failed(run, "unavailable", error->text, "run logmill-ctl migrate");
    }
    if (error->decision == LM_RETRY) {
        lm_log(LM_LOG_WARN, "stages", "question %s: %s", run->id, error->text);
        return failed(run, "unavailable", "PostgreSQL cannot be asked at the moment",
                      "ask again in a moment");
    }
    return try_rows(run, "PostgreSQL refused our own SQL", error->text);
}

static void on_executed(struct ag_fetched *fetched, const struct lm_error *error, void *context)
{
    struct ag_run *run = context;
    run->execution = NULL;
    if (fetched == NULL) {
        ag_run_resume(run, execution_failed(run, error));
        return;
    }
    run->fetched = fetched;
    ag_run_resume(run, AG_STEP_NEXT);
}

/* Cells: since when the pipeline lags (NULL: it does not); for a closed window, count and sum of its
 * versions. */
static const char *write_prelude(const struct ag_run *run, struct lm_buffer *out)
{
    lm_buffer_printf(out, "SELECT behind_since(%" PRId64 " * interval '1 millisecond') AS behind",
                     run->runs->config->behind_after_ms);
    if (run->closed_window) {
        const struct ag_spans spans = {run->sql.from_us, run->sql.to_us, run->sql.against_from_us,
                                       run->sql.against_to_us};
        lm_buffer_append_text(out, ", ");
        ag_epochs_write_sql(&spans, out);
    }
    return lm_buffer_text(out);
}

static enum ag_step execute_query(struct ag_run *run)
{
    struct ag_reads *reads = run->runs->reads;
    if (!run->on_primary && run->names->generation != ag_reads_generation(reads)) {
        if (run->attempts >= AG_MAX_ATTEMPTS) {
            return failed(run, "unavailable", "the server that is read keeps changing",
                          "ask again in a moment");
        }
        run->attempts++;
        return AG_STEP_SERVER;
    }
    struct lm_buffer prelude;
    struct lm_error error;
    lm_buffer_init(&prelude, 4096);
    const struct ag_statement statement = {.sql = run->judged,
                                           .prelude = write_prelude(run, &prelude),
                                           .role = run->caller->sight->role,
                                           .asker = ag_run_asker(run),
                                           .columns = run->asking.wrote_sql ? 0 : run->sql.column_count,
                                           .serial = run->asking.wrote_sql,
                                           .max_rows = AG_MAX_RESULTS + 1,
                                           .max_bytes = MAX_RESULT_BYTES,
                                           .timeout_ms = (unsigned)run->runs->config->statement_timeout_ms,
                                           .rows = ag_run_streams(run) ? ag_export_rows : NULL,
                                           .max_cost = run->sql.source == AG_FROM_LOGS && !run->sql.filled
                                                           ? (double)run->runs->config->max_cost
                                                           : 0};
    ag_fetched_free(run->fetched);
    run->fetched = NULL;
    if (statement.prelude == NULL) {
        lm_buffer_free(&prelude);
        return out_of_memory(run);
    }
    run->seen_us = run->on_primary ? lm_clock_wall_us() : ag_reads_as_of(reads);
    const int result = ag_execute(run->on_primary ? ag_reads_primary(reads) : ag_reads_pool(reads),
                                  &statement, on_executed, run, &run->execution, &error);
    lm_buffer_free(&prelude);
    return result == 0 ? AG_STEP_WAIT : execution_failed(run, &error);
}

/* ---- generate_insight ---- */

static enum ag_step generate_insight(struct ag_run *run)
{
    struct lm_error error;
    if ((!run->asking.wrote_sql || ag_asking_describe(run, &error) == 0) &&
        ag_reply_result(run, &error) == 0) {
        return AG_STEP_NEXT;
    }
    if (strcmp(error.kind, "too_many") == 0) {
        return failed(run, "needs_clarification", error.text, "name fewer groups, or say max_results");
    }
    return error.decision == LM_RETRY ? out_of_memory(run)
                                      : try_rows(run, "the rows are not as described", error.text);
}

const struct ag_stage ag_stages[] = {
    [AG_STAGE_SCHEMA] = {"retrieve_schema", false, retrieve_schema},
    [AG_STAGE_SQL] = {"generate_sql", true, generate_sql},
    [AG_STAGE_GUARD] = {"validate_sql", true, validate_sql},
    [AG_STAGE_EXECUTE] = {"execute_query", false, execute_query},
    [AG_STAGE_INSIGHT] = {"generate_insight", true, generate_insight},
};
const size_t ag_stage_count = sizeof(ag_stages) / sizeof(ag_stages[0]);
