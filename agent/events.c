#include "agent/events.h"

#include "agent/run.h"

#include <stdlib.h>
#include <string.h>

#define MAX_UNSENT ((size_t)64 << 20)  /* an answer is at most 48 MiB */
#define TOKENS_UNTIL ((size_t)1 << 20) /* unsent bytes from which tokens are left out */

bool ag_events_wanted(const char *accept)
{
    const char *events = accept != NULL ? strstr(accept, "text/event-stream") : NULL;
    const char *json = accept != NULL ? strstr(accept, "application/json") : NULL;
    return events != NULL && (json == NULL || events < json);
}

bool ag_events_open(struct ag_run *run)
{
    const struct lm_http_stream stream = {
        .status = 200, .content_type = "text/event-stream", .max_unsent = MAX_UNSENT};
    lm_http_reply_header(run->http, "Cache-Control", "no-store");
    lm_http_reply_header(run->http, "X-Accel-Buffering", "no"); /* a proxy must not keep events back */
    run->events.open = lm_http_stream_open(run->http, &stream) == 0;
    return run->events.open;
}

/* `done`: stages behind the question now. */
static void begin_event(struct ag_run *run, const char *type, size_t done, struct lm_buffer *out)
{
    lm_buffer_init(out, MAX_UNSENT);
    lm_buffer_printf(out, "event: %s\ndata: {\"id\":", type);
    lm_buffer_append_json(out, run->id, strlen(run->id));
    lm_buffer_printf(out, ",\"seq\":%u,\"type\":\"%s\",\"node\":", ++run->events.seq, type);
    if (run->events.started) {
        lm_buffer_printf(out, "\"%s\"", ag_stages[run->events.node].name);
    } else {
        lm_buffer_append_text(out, "null");
    }
    lm_buffer_printf(out, ",\"progress\":%.1f", (double)done / (double)ag_stage_count);
}

static void end_event(struct ag_run *run, struct lm_buffer *out)
{
    lm_buffer_append_text(out, "}\n\n");
    if (out->failed || lm_http_stream_write(run->http, out->data, out->len) < 0) {
        run->events.broken = true;
    }
    lm_buffer_free(out);
}

static void start_node(struct ag_run *run, size_t stage)
{
    struct lm_buffer out;
    run->events.started = true;
    run->events.node = stage;
    begin_event(run, "node_start", stage, &out);
    end_event(run, &out);
}

static void end_node(struct ag_run *run)
{
    struct lm_buffer out;
    if (run->events.started) {
        begin_event(run, "node_end", run->events.node + 1, &out);
        end_event(run, &out);
    }
}

void ag_events_stage(struct ag_run *run)
{
    if (!run->events.open || run->http == NULL || (run->events.started && run->events.node == run->stage)) {
        return;
    }
    end_node(run);
    start_node(run, run->stage);
}

static void send_token(struct ag_run *run, const char *text, size_t len)
{
    struct lm_buffer out;
    begin_event(run, "token", run->events.node, &out);
    lm_buffer_append_text(&out, ",\"field\":\"insight\",\"content\":");
    lm_buffer_append_json(&out, text, len);
    end_event(run, &out);
}

/* A word and the blanks behind it each. */
static void send_insight(struct ag_run *run)
{
    const struct ag_result *result = run->result;
    json_t *insight =
        json_loadb(result->body + result->insight_at, result->insight_len, JSON_DECODE_ANY, NULL);
    const char *text = json_string_value(insight);
    while (text != NULL && *text != '\0' && lm_http_stream_unsent(run->http) < TOKENS_UNTIL) {
        size_t len = strcspn(text, " \n");
        len += strspn(text + len, " \n");
        send_token(run, text, len);
        text += len;
    }
    json_decref(insight);
}

/* An answer that was there already, or came of another's run, has gone its way too: five nodes in any case.
 */
static void send_answer(struct ag_run *run)
{
    struct lm_buffer out;
    struct lm_buffer answer;
    for (size_t stage = run->events.started ? run->events.node + 1 : 0; stage < ag_stage_count; stage++) {
        end_node(run);
        start_node(run, stage);
    }
    send_insight(run);
    end_node(run);
    lm_buffer_init(&answer, MAX_UNSENT);
    begin_event(run, "result", ag_stage_count, &out);
    lm_buffer_append_text(&out, ",\"content\":");
    out.failed = out.failed || !ag_reply_write(run, &answer) || answer.failed;
    lm_buffer_append(&out, answer.data, answer.len);
    lm_buffer_free(&answer);
    end_event(run, &out);
}

static void send_failure(struct ag_run *run)
{
    struct lm_buffer out;
    begin_event(run, "error", run->events.started ? run->events.node : 0, &out);
    lm_buffer_append_text(&out, ",\"content\":");
    ag_failure_write(&run->failure, &out);
    end_event(run, &out);
}

void ag_events_finish(struct ag_run *run)
{
    if (run->failure.code != NULL) {
        send_failure(run);
    } else {
        send_answer(run);
    }
    lm_http_stream_end(run->http, !run->events.broken);
}
