/*
 * The JSON of an answer. What depends only on the result (rows, insight, chart, SQL …) is written once and
 * shared by all that ask the same; what depends on the asking (how it was understood, how long it took) is
 * put around it.
 */
#include "agent/run/run.h"

#include "agent/understand/zone.h"
#include "common/clock.h"

#include <stdlib.h>
#include <string.h>

#define MAX_BODY ((size_t)48 << 20)

static bool append_json(struct lm_buffer *out, const char *name, const json_t *value)
{
    char *text = value != NULL ? json_dumps(value, AG_JSON_FLAGS | JSON_ENCODE_ANY) : NULL;
    if (text == NULL) {
        return false;
    }
    lm_buffer_printf(out, ",\"%s\":", name);
    lm_buffer_append_text(out, text);
    free(text);
    return true;
}

static void append_text(struct lm_buffer *out, const char *name, const char *text)
{
    lm_buffer_printf(out, ",\"%s\":", name);
    if (text == NULL) {
        lm_buffer_append_text(out, "null");
    } else {
        lm_buffer_append_json(out, text, strlen(text));
    }
}

static void append_instant(struct lm_buffer *out, const char *name, int64_t us, const struct ag_zone *zone)
{
    char text[40];
    if (us == INT64_MIN) {
        lm_buffer_printf(out, ",\"%s\":null", name);
        return;
    }
    ag_zone_format(zone, us, text);
    append_text(out, name, text);
}

static void warn(json_t *warnings, const char *code, const char *text)
{
    (void)json_array_append_new(warnings, json_pack("{s:s, s:s}", "code", code, "text", text));
}

/* When the answer is of: the moment it was read, or, with a pipeline that lags, the oldest time committed. */
static int64_t as_of(const struct ag_run *run, json_t *warnings)
{
    const char *behind = run->fetched->prelude[0];
    const bool korean = run->understanding.language == AG_KO;
    /* A replica's answer is of when the replica is of. */
    const bool older = !run->request.now_given && run->seen_us < run->request.now_us;
    const int64_t seen_us = older ? run->seen_us : run->request.now_us;
    if (behind == NULL || run->request.now_given || run->closed_window) {
        return seen_us;
    }
    const int64_t since_us = strtoll(behind, NULL, 10);
    char text[256];
    snprintf(text, sizeof(text),
             korean ? "수집이 %lld초 늦어지고 있어 최근 기록이 아직 빠져 있을 수 있습니다."
                    : "The pipeline is %lld seconds behind: the newest records may not be in yet.",
             (long long)((run->wall_us - since_us) / LM_SECOND_US));
    warn(warnings, "pipeline_behind", text);
    return since_us < seen_us ? since_us : seen_us;
}

/* From when on the answer has everything, where one of its windows reaches before that; else INT64_MIN. The
 * rollups outlive the rows: of what is counted a ragged first minute or hour, which is read from rows, may be
 * missing before they are gone themselves. */
static int64_t complete_from(const struct ag_run *run)
{
    const struct ag_sql *sql = &run->sql;
    const int64_t starts[] = {sql->from_us, sql->against_from_us < sql->against_to_us ? sql->against_from_us
                                                                                      : sql->from_us};
    const int64_t whole_us = sql->source == AG_FROM_PATTERNS ? LM_HOUR_US : LM_MINUTE_US;
    int64_t from_us = INT64_MIN;
    for (size_t i = 0; i < 2; i++) {
        const bool rows = sql->source == AG_FROM_LOGS || starts[i] % whole_us != 0;
        const int64_t since_us = rows ? run->rows_since_us : run->counts_since_us;
        if (starts[i] < since_us && since_us > from_us) {
            from_us = since_us;
        }
    }
    return from_us;
}

static void append_coverage(const struct ag_run *run, int64_t from_us, const struct ag_zone *zone,
                            json_t *warnings, struct lm_buffer *out)
{
    char since[40];
    char text[256];
    ag_zone_format(zone, from_us, since);
    snprintf(text, sizeof(text),
             run->understanding.language == AG_KO
                 ? "기록은 %s부터 보관되어 있어, 그 이전은 답에 들어 있지 않습니다."
                 : "Records are kept from %s on: what lies before is not in the answer.",
             since);
    warn(warnings, "incomplete_coverage", text);
    lm_buffer_printf(out, ",\"coverage\":{\"from\":\"%s\",\"complete\":false}", since);
}

/* The rows alone, all of them or none. */
static int write_export(struct ag_run *run, const struct ag_answer *answer, struct lm_error *error)
{
    struct lm_buffer out;
    if (answer->truncated && !run->request.max_results_stated) {
        return lm_error_set(error, LM_FATAL, "too_many",
                            "there are more rows than one export of this kind has");
    }
    lm_buffer_init(&out, MAX_BODY);
    ag_export_write(run->export.format, answer->columns, answer->results, true,
                    run->runs->config->export_escape_formulas, &out);
    size_t len = 0;
    char *body = lm_buffer_detach(&out, &len);
    run->result = body != NULL ? ag_result_new(body, len, answer->count, run->fetched->bytes) : NULL;
    return run->result != NULL ? 0 : lm_error_set(error, LM_RETRY, "memory", "out of memory for the answer");
}

static const char *interpretation(const struct ag_run *run)
{
    /* The arena is the run's own; the sentence fits it or is left out. */
    struct lm_arena *arena = (struct lm_arena *)(uintptr_t)&run->arena;
    return run->asking.wrote_sql ? ag_asking_interpretation(run)
                                 : ag_interpretation(&run->understanding.intent, &run->sql, arena);
}

static int write_result(struct ag_run *run, const struct ag_answer *answer, const struct ag_zone *zone)
{
    struct lm_buffer out;
    lm_buffer_init(&out, MAX_BODY);
    const int64_t at_us = as_of(run, answer->warnings);
    lm_buffer_append_text(&out, "\"sql\":");
    lm_buffer_append_json(&out, run->sql.text, strlen(run->sql.text));
    if (run->asking.wrote_sql) {
        warn(answer->warnings, "unverified_sql", ag_asking_interpretation(run));
    } else if (complete_from(run) != INT64_MIN) {
        append_coverage(run, complete_from(run), zone, answer->warnings, &out);
    }
    const bool complete =
        append_json(&out, "results", answer->results) && append_json(&out, "columns", answer->columns) &&
        append_json(&out, "chart", answer->chart) && append_json(&out, "warnings", answer->warnings);
    lm_buffer_printf(&out, ",\"count\":%zu,\"truncated\":%s", answer->count,
                     answer->truncated ? "true" : "false");
    const size_t insight_at = out.len + sizeof(",\"insight\":") - 1;
    append_text(&out, "insight", answer->insight);
    const size_t insight_end = out.len;
    append_text(&out, "interpretation", interpretation(run));
    append_instant(&out, "as_of", at_us, zone);
    append_instant(&out, "from", run->asking.wrote_sql ? INT64_MIN : run->sql.from_us, zone);
    append_instant(&out, "to", run->sql.to_us, zone);
    const size_t len = out.len;
    char *body = complete && lm_buffer_text(&out) != NULL ? lm_buffer_detach(&out, NULL) : NULL;
    lm_buffer_free(&out);
    if (body == NULL) {
        return -1;
    }
    run->result = ag_result_new(body, len, answer->count, run->fetched->bytes);
    if (run->result == NULL) {
        return -1;
    }
    run->result->insight_at = insight_at;
    run->result->insight_len = insight_end - insight_at;
    return 0;
}

int ag_reply_result(struct ag_run *run, struct lm_error *error)
{
    struct ag_answer answer = {.results = NULL};
    const struct ag_answer_input input = {.intent = &run->understanding.intent,
                                          .sql = &run->sql,
                                          .rows = {run->fetched->cells, run->fetched->rows},
                                          .cut = run->fetched->cut};
    int result = run->asking.wrote_sql ? ag_answer_plain(&input, &run->arena, &answer, error)
                                       : ag_answer_make(&input, &run->arena, &answer, error);
    if (result == 0 && run->way == AG_WAY_EXPORT) {
        result = write_export(run, &answer, error);
    } else if (result == 0) {
        struct ag_zone *zone = ag_zone_new(run->request.zone);
        result = zone != NULL ? write_result(run, &answer, zone) : -1;
        if (result != 0) {
            lm_error_set(error, LM_RETRY, "memory", "out of memory for the answer");
        }
        ag_zone_free(zone);
    }
    ag_answer_free(&answer);
    return result;
}

static void append_assumptions(const struct ag_run *run, struct lm_buffer *out)
{
    const struct ag_understanding *understanding = &run->understanding;
    lm_buffer_append_text(out, ",\"assumptions\":[");
    for (size_t i = 0; i < understanding->assumption_count; i++) {
        lm_buffer_append_text(out, i > 0 ? ",{\"code\":" : "{\"code\":");
        lm_buffer_append_json(out, understanding->assumptions[i].code,
                              strlen(understanding->assumptions[i].code));
        append_text(out, "text", understanding->assumptions[i].text);
        lm_buffer_append_char(out, '}');
    }
    if (run->request.now_ignored) {
        lm_buffer_append_text(out, understanding->assumption_count > 0 ? ",{" : "{");
        lm_buffer_append_text(out, "\"code\":\"now_ignored\"");
        append_text(out, "text",
                    understanding->language == AG_KO ? "요청의 now는 이 서버에서 쓰이지 않습니다."
                                                     : "The request's now is not honoured by this server.");
        lm_buffer_append_char(out, '}');
    }
    lm_buffer_append_char(out, ']');
}

static void append_understood(const struct ag_run *run, struct lm_buffer *out)
{
    lm_buffer_append_text(out, "\"intent\":");
    lm_buffer_append_text(out, run->asking.wrote_sql ? "null" : run->intent_text);
    append_assumptions(run, out);
}

static bool write_explanation(const struct ag_run *run, struct lm_buffer *out)
{
    struct ag_zone *zone = ag_zone_new(run->request.zone);
    if (zone == NULL) {
        return false;
    }
    lm_buffer_append_char(out, '{');
    append_understood(run, out);
    append_text(out, "interpretation", interpretation(run));
    append_instant(out, "from", run->asking.wrote_sql ? INT64_MIN : run->sql.from_us, zone);
    append_instant(out, "to", run->sql.to_us, zone);
    append_text(out, "sql", run->sql.text);
    lm_buffer_append_char(out, '}');
    ag_zone_free(zone);
    return true;
}

bool ag_reply_write(const struct ag_run *run, struct lm_buffer *out)
{
    if (run->explain) {
        return write_explanation(run, out);
    }
    lm_buffer_append_char(out, '{');
    lm_buffer_append(out, run->result->body, run->result->len);
    lm_buffer_append_char(out, ',');
    append_understood(run, out);
    lm_buffer_printf(out, ",\"execution_time_ms\":%.3f,\"engine\":\"%s\",\"attempts\":%u,\"cached\":",
                     (double)(lm_clock_mono_us() - run->started_us) / 1000.0,
                     run->asking.asked ? "llm" : "builtin", run->attempts);
    if (run->cached != NULL) {
        lm_buffer_append_json(out, run->cached, strlen(run->cached));
    } else {
        lm_buffer_append_text(out, "false");
    }
    lm_buffer_append_char(out, '}');
    return true;
}
