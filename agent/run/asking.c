#include "agent/run/asking.h"

#include "agent/model/insight.h"
#include "agent/model/prompt.h"
#include "agent/model/reply.h"
#include "agent/run/run.h"
#include "agent/text.h"
#include "common/clock.h"
#include "common/log.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *say(const struct ag_run *run, const char *ko, const char *en)
{
    return run->asking.builtin->language == AG_KO ? ko : en;
}

static enum ag_step out_of_memory(struct ag_run *run)
{
    ag_failure_set(&run->failure, "unavailable", "out of memory for the question", NULL);
    return AG_STEP_FAILED;
}

/* ---- without the model ---- */

/* What the built-in engine had to say, and what became of the model. */
static enum ag_step give_up(struct ag_run *run, const char *note)
{
    const struct ag_understanding *builtin = run->asking.builtin;
    char hint[512];
    if (builtin->message == NULL) {
        ag_failure_set(&run->failure, "not_understood", note, NULL);
        return AG_STEP_FAILED;
    }
    snprintf(hint, sizeof(hint), "%s%s%s", builtin->hint != NULL ? builtin->hint : "",
             builtin->hint != NULL ? " " : "", note);
    ag_failure_set(&run->failure, "not_understood", builtin->message, hint);
    return AG_STEP_FAILED;
}

static enum ag_step unavailable(struct ag_run *run, const struct lm_error *error)
{
    const char *note =
        strcmp(error->kind, "budget") == 0
            ? say(run, "오늘 모델에 쓸 토큰을 다 썼습니다.", "Today's tokens for the model are used up.")
            : say(run, "지금은 모델에 물어볼 수 없습니다.", "The model cannot be asked at the moment.");
    if (run->request.engine != AG_ENGINE_LLM) {
        return give_up(run, note);
    }
    ag_failure_set(
        &run->failure, "unavailable", note,
        say(run, "잠시 뒤에 다시 물어보거나 engine 없이 물어보세요.", "Ask again later, or without engine."));
    return AG_STEP_FAILED;
}

/* ---- asking ---- */

bool ag_asking_wanted(const struct ag_run *run)
{
    const enum ag_outcome outcome = run->understanding.outcome;
    if (run->runs->model == NULL || run->asking.asked || run->request.engine == AG_ENGINE_BUILTIN) {
        return false;
    }
    if (run->request.engine == AG_ENGINE_LLM) {
        return outcome == AG_UNDERSTOOD || outcome == AG_NOT_UNDERSTOOD || outcome == AG_NEEDS_CLARIFICATION;
    }
    return outcome == AG_NOT_UNDERSTOOD;
}

enum ag_step ag_asking_prepare(struct ag_run *run)
{
    struct ag_asking *asking = &run->asking;
    struct lm_arena scratch;
    if (!asking->asked) {
        struct ag_understanding *builtin = lm_arena_alloc(&run->arena, sizeof(*builtin));
        if (builtin == NULL) {
            return out_of_memory(run);
        }
        *builtin = run->understanding;
        asking->builtin = builtin;
        asking->asked = true;
        asking->deadline_us = lm_clock_mono_us() + run->runs->config->llm_timeout_ms * 1000;
    }
    const struct ag_prompt prompt = {.question = run->request.question,
                                     .question_len = run->request.question_len,
                                     .zone = run->request.zone,
                                     .now_us = run->request.now_us,
                                     .previous = run->request.previous,
                                     .vocabulary = run->runs->vocabulary,
                                     .catalogue = run->names->catalogue,
                                     .metadata_keys = &run->runs->config->llm_metadata_keys,
                                     .refused_reply = asking->refused,
                                     .refused_why = asking->why[0] != '\0' ? asking->why : NULL};
    const bool first = asking->prompt == NULL;
    free(asking->prompt);
    lm_arena_init(&scratch, AG_UNDERSTAND_ARENA);
    asking->prompt = ag_prompt_write(&prompt, &scratch);
    lm_arena_free(&scratch);
    if (asking->prompt == NULL || (first && EVP_Digest(asking->prompt, strlen(asking->prompt), asking->key,
                                                       NULL, EVP_sha256(), NULL) != 1)) {
        return out_of_memory(run);
    }
    return AG_STEP_MODEL;
}

static void on_token(const char *text, size_t len, void *context)
{
    struct ag_run *run = context;
    ag_events_token(run, "model", text, len);
}

static bool take_reply(struct ag_asking *asking, const char *reply, size_t len)
{
    asking->reply = malloc(len + 1);
    if (asking->reply == NULL) {
        return false;
    }
    memcpy(asking->reply, reply, len);
    asking->reply[len] = '\0';
    asking->reply_len = len;
    return true;
}

static void on_reply(const char *reply, size_t len, unsigned attempts, const struct lm_error *error,
                     void *context)
{
    struct ag_run *run = context;
    struct ag_asking *asking = &run->asking;
    asking->call = NULL;
    run->attempts += attempts > 1 ? attempts - 1 : 0;
    if (error != NULL) {
        ag_run_resume(run, unavailable(run, error));
        return;
    }
    ag_run_resume(run, take_reply(asking, reply, len) ? AG_STEP_AGAIN : out_of_memory(run));
}

/* The model has replied to this very prompt already. */
static bool recall(struct ag_run *run)
{
    size_t len = 0;
    const char *reply = run->attempts > 1 || run->request.refresh
                            ? NULL
                            : ag_memory_recall(ag_model_memory(run->runs->model), run->asking.key, &len);
    return reply != NULL && take_reply(&run->asking, reply, len);
}

void ag_asking_remember(struct ag_run *run)
{
    if (run->asking.asked && run->asking.reply != NULL) {
        ag_memory_keep(ag_model_memory(run->runs->model), run->asking.key, run->asking.reply,
                       run->asking.reply_len);
    }
}

bool ag_asking_start(struct ag_run *run)
{
    struct lm_error error;
    if (recall(run)) {
        ag_run_resume(run, AG_STEP_AGAIN);
        return true;
    }
    const struct ag_model_question question = {.prompt = run->asking.prompt,
                                               .attempts = AG_MAX_ATTEMPTS - run->attempts + 1,
                                               .deadline_us = run->asking.deadline_us,
                                               .asked_us = run->started_us,
                                               .token = on_token,
                                               .done = on_reply,
                                               .context = run};
    if (ag_model_ask(run->runs->model, &question, &run->asking.call, &error) == 0) {
        return true;
    }
    (void)unavailable(run, &error);
    return false;
}

/* ---- replies ---- */

enum ag_step ag_asking_again(struct ag_run *run, const char *why)
{
    struct ag_asking *asking = &run->asking;
    lm_log(LM_LOG_INFO, "model", "question %s, attempt %u: the model's reply is not taken: %s", run->id,
           run->attempts, why);
    if (run->attempts >= AG_MAX_ATTEMPTS || lm_clock_mono_us() >= asking->deadline_us) {
        return give_up(
            run, say(run, "모델의 답도 쓸 수 없었습니다.", "What the model replied was of no use either."));
    }
    run->attempts++;
    free(asking->refused);
    asking->refused = asking->reply;
    asking->reply = NULL;
    asking->wrote_sql = false;
    run->no_rollups = false;
    snprintf(asking->why, sizeof(asking->why), "%s", why);
    return AG_STEP_AGAIN;
}

static enum ag_step unknown_name(struct ag_run *run, const struct ag_model_meaning *meaning)
{
    const struct ag_name *nearest[AG_FAILURE_SUGGESTIONS];
    char message[256];
    char *folded = ag_fold(meaning->unknown, strlen(meaning->unknown));
    if (folded == NULL) {
        return out_of_memory(run);
    }
    snprintf(message, sizeof(message),
             say(run, "\"%.128s\"은(는) 로그에 없습니다.", "There is no \"%.128s\" in the logs."),
             meaning->unknown);
    ag_failure_set(&run->failure, "unknown_entity", message, NULL);
    const size_t count = ag_catalogue_nearest(run->names->catalogue, meaning->unknown_kind, folded,
                                              strlen(folded), nearest, AG_FAILURE_SUGGESTIONS);
    free(folded);
    for (size_t i = 0; i < count && i < AG_FAILURE_SUGGESTIONS; i++) {
        run->failure.suggestions[run->failure.suggestion_count++] = nearest[i]->value;
    }
    return AG_STEP_FAILED;
}

/* The guard judges it next. */
static enum ag_step take_sql(struct ag_run *run, const char *text)
{
    run->asking.wrote_sql = true;
    ag_intent_init(&run->understanding.intent);
    run->understanding.intent.zone = run->request.zone;
    run->understanding.intent.language = run->understanding.language;
    run->rows_since_us = run->counts_since_us = INT64_MIN;
    run->sql = (struct ag_sql){.text = text,
                               .row_limit = run->request.max_results,
                               .source = AG_FROM_LOGS,
                               .from_us = run->request.now_us,
                               .to_us = run->request.now_us};
    return AG_STEP_NEXT;
}

enum ag_step ag_asking_read(struct ag_run *run)
{
    const struct ag_sight *sight = run->caller->sight;
    const struct ag_model_asker asker = {.catalogue = run->names->catalogue,
                                         .language = run->asking.builtin->language,
                                         .zone = run->request.zone,
                                         .now_us = run->request.now_us,
                                         .sql = run->runs->config->llm_sql && sight->role[0] == '\0' &&
                                                sight->mask == NULL};
    struct ag_model_meaning meaning;
    struct lm_error error;
    if (ag_model_read(run->asking.reply, run->asking.reply_len, &asker, &run->arena, &meaning, &error) != 0) {
        if (strcmp(error.kind, "memory") == 0) {
            return out_of_memory(run);
        }
        const enum ag_step step = ag_asking_again(run, error.text);
        return step == AG_STEP_FAILED && meaning.unknown != NULL ? unknown_name(run, &meaning) : step;
    }
    if (meaning.says == AG_MODEL_NOTHING) {
        return give_up(run,
                       say(run, "모델도 이해하지 못했습니다.", "The model did not understand it either."));
    }
    run->understanding = (struct ag_understanding){.outcome = AG_UNDERSTOOD, .language = asker.language};
    if (meaning.says == AG_MODEL_SQL) {
        return take_sql(run, meaning.sql);
    }
    run->understanding.intent = meaning.intent;
    run->understanding.assumptions[run->understanding.assumption_count++] = (struct ag_assumption){
        "read_by_model", say(run, "질문을 모델이 읽었습니다. 어떻게 이해했는지 확인하세요.",
                             "A model has read the question: see how it was understood.")};
    return AG_STEP_NEXT;
}

const char *ag_asking_interpretation(const struct ag_run *run)
{
    return say(run, "모델이 쓴 SQL의 결과입니다. 질문과 맞는지는 확인되지 않았습니다.",
               "The result of SQL that a model wrote. Nothing has checked that it says what was asked.");
}

/* ---- what SQL of the model's has brought ---- */

static enum ag_type type_of(unsigned oid)
{
    switch (oid) { /* pg_type.dat */
    case 20:
    case 21:
    case 23:
        return AG_INTEGER;
    case 700:
    case 701:
    case 1700:
        return AG_NUMBER;
    case 16:
        return AG_BOOLEAN;
    case 1184:
        return AG_TIMESTAMP;
    case 1009:
    case 1015:
        return AG_ARRAY;
    case 114:
    case 3802:
        return AG_OBJECT;
    default:
        return AG_STRING;
    }
}

static bool is_taken(const struct ag_sql *sql, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(sql->columns[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

int ag_asking_describe(struct ag_run *run, struct lm_error *error)
{
    const struct ag_fetched *fetched = run->fetched;
    struct ag_sql *sql = &run->sql;
    for (size_t i = 0; i < fetched->columns; i++) {
        char name[80];
        snprintf(name, sizeof(name), "%.63s", fetched->names[i]);
        for (unsigned n = 2; is_taken(sql, i, name); n++) {
            snprintf(name, sizeof(name), "%.60s_%u", fetched->names[i], n);
        }
        sql->columns[i] = (struct ag_column){.name = lm_arena_copy(&run->arena, name, strlen(name)),
                                             .type = type_of(fetched->types[i]),
                                             .role = AG_ROLE_DETAIL};
        if (sql->columns[i].name == NULL) {
            return lm_error_set(error, LM_RETRY, "memory", "out of memory for the answer");
        }
    }
    sql->column_count = fetched->columns;
    return 0;
}

/* ---- the insight ---- */

static void on_insight(const char *reply, size_t len, unsigned attempts, const struct lm_error *error,
                       void *context)
{
    struct ag_run *run = context;
    run->asking.call = NULL;
    (void)attempts;
    if (error == NULL && !ag_insight_add(run->result, run->understanding.language, reply, len)) {
        lm_log(LM_LOG_INFO, "model", "question %s: what the model says about the result is not shown",
               run->id);
    }
    ag_run_resume(run, AG_STEP_ENDED);
}

bool ag_asking_insight(struct ag_run *run)
{
    const struct ag_config *config = run->runs->config;
    struct lm_error error;
    if (!run->asking.asked || run->asking.insight_asked || !config->llm_share_results ||
        config->llm_insight_model[0] == '\0' || (run->way != AG_WAY_QUERY && run->way != AG_WAY_EVENTS) ||
        run->result->rows == 0) {
        return false;
    }
    run->asking.insight_asked = true;
    char *prompt = ag_insight_prompt(run->result, run->request.question, run->request.question_len,
                                     run->understanding.language);
    if (prompt == NULL) {
        return false;
    }
    const struct ag_model_question question = {.prompt = prompt,
                                               .insight = true,
                                               .attempts = 1,
                                               .deadline_us =
                                                   lm_clock_mono_us() + config->llm_timeout_ms * 1000,
                                               .asked_us = run->started_us,
                                               .done = on_insight,
                                               .context = run};
    const bool waits = ag_model_ask(run->runs->model, &question, &run->asking.call, &error) == 0;
    free(prompt);
    return waits;
}

/* ---- the end ---- */

void ag_asking_stop(struct ag_run *run)
{
    if (run->asking.call != NULL) {
        ag_model_cancel(run->asking.call);
        run->asking.call = NULL;
    }
}

void ag_asking_free(struct ag_run *run)
{
    free(run->asking.prompt);
    free(run->asking.reply);
    free(run->asking.refused);
}
