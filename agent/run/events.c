#include "agent/run/events.h"

#include "agent/run/run.h"

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

static bool send_to_stream(void *to, const char *data, size_t len)
{
    return lm_http_stream_write(to, data, len) >= 0;
}

static size_t unsent_of_stream(void *to)
{
    return lm_http_stream_unsent(to);
}

static void end_stream(void *to, bool complete)
{
    lm_http_stream_end(to, complete);
}

static const struct ag_events_sink stream_sink = {
    .server_sent = true, .send = send_to_stream, .unsent = unsent_of_stream, .end = end_stream};

bool ag_events_open(struct ag_run *run)
{
    const struct lm_http_stream stream = {
        .status = 200, .content_type = "text/event-stream", .max_unsent = MAX_UNSENT};
    lm_http_reply_header(run->http, "Cache-Control", "no-store");
    lm_http_reply_header(run->http, "X-Accel-Buffering", "no"); /* a proxy must not keep events back */
    if (lm_http_stream_open(run->http, &stream) != 0) {
        return false;
    }
    run->events = (struct ag_events){.sink = &stream_sink, .to = run->http, .id = run->id};
    return true;
}

/* `done`: stages behind the question now. */
static void begin_event(struct ag_events *events, const char *type, size_t done, struct lm_buffer *out)
{
    lm_buffer_init(out, MAX_UNSENT);
    if (events->sink->server_sent) {
        lm_buffer_printf(out, "event: %s\ndata: ", type);
    }
    lm_buffer_append_text(out, "{\"id\":");
    if (events->id != NULL) {
        lm_buffer_append_json(out, events->id, strlen(events->id));
    } else {
        lm_buffer_append_text(out, "null");
    }
    lm_buffer_printf(out, ",\"seq\":%u,\"type\":\"%s\",\"node\":", ++events->seq, type);
    if (events->started) {
        lm_buffer_printf(out, "\"%s\"", ag_stages[events->node].name);
    } else {
        lm_buffer_append_text(out, "null");
    }
    lm_buffer_printf(out, ",\"progress\":%.1f", (double)done / (double)ag_stage_count);
}

static void end_event(struct ag_events *events, struct lm_buffer *out)
{
    lm_buffer_append_text(out, events->sink->server_sent ? "}\n\n" : "}");
    if (out->failed || !events->sink->send(events->to, out->data, out->len)) {
        events->broken = true;
    }
    lm_buffer_free(out);
}

static void end_all(struct ag_events *events)
{
    const struct ag_events_sink *sink = events->sink;
    events->sink = NULL;
    sink->end(events->to, !events->broken);
}

static void start_node(struct ag_events *events, size_t stage)
{
    struct lm_buffer out;
    events->started = true;
    events->node = stage;
    begin_event(events, "node_start", stage, &out);
    end_event(events, &out);
}

static void end_node(struct ag_events *events)
{
    struct lm_buffer out;
    if (events->started) {
        begin_event(events, "node_end", events->node + 1, &out);
        end_event(events, &out);
    }
}

void ag_events_stage(struct ag_run *run)
{
    struct ag_events *events = &run->events;
    if (events->sink == NULL || (events->started && events->node == run->stage)) {
        return;
    }
    end_node(events);
    start_node(events, run->stage);
}

static void send_token(struct ag_events *events, const char *field, const char *text, size_t len)
{
    struct lm_buffer out;
    begin_event(events, "token", events->node, &out);
    lm_buffer_printf(&out, ",\"field\":\"%s\",\"content\":", field);
    lm_buffer_append_json(&out, text, len);
    end_event(events, &out);
}

void ag_events_token(struct ag_run *run, const char *field, const char *text, size_t len)
{
    struct ag_events *events = &run->events;
    if (events->sink != NULL && events->sink->unsent(events->to) < TOKENS_UNTIL) {
        send_token(events, field, text, len);
    }
}

/* A word and the blanks behind it each. */
static void send_insight(struct ag_run *run)
{
    const struct ag_result *result = run->result;
    json_t *insight =
        json_loadb(result->body + result->insight_at, result->insight_len, JSON_DECODE_ANY, NULL);
    const char *text = json_string_value(insight);
    struct ag_events *events = &run->events;
    while (text != NULL && *text != '\0' && events->sink->unsent(events->to) < TOKENS_UNTIL) {
        size_t len = strcspn(text, " \n");
        len += strspn(text + len, " \n");
        send_token(events, "insight", text, len);
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
    struct ag_events *events = &run->events;
    for (size_t stage = events->started ? events->node + 1 : 0; stage < ag_stage_count; stage++) {
        end_node(events);
        start_node(events, stage);
    }
    send_insight(run);
    end_node(events);
    lm_buffer_init(&answer, MAX_UNSENT);
    begin_event(events, "result", ag_stage_count, &out);
    lm_buffer_append_text(&out, ",\"content\":");
    out.failed = out.failed || !ag_reply_write(run, &answer) || answer.failed;
    lm_buffer_append(&out, answer.data, answer.len);
    lm_buffer_free(&answer);
    end_event(events, &out);
}

void ag_events_fail(struct ag_events *events, const struct ag_failure *failure)
{
    struct lm_buffer out;
    begin_event(events, "error", events->started ? events->node : 0, &out);
    lm_buffer_append_text(&out, ",\"content\":");
    ag_failure_write(failure, &out);
    end_event(events, &out);
    end_all(events);
}

void ag_events_cancel(struct ag_events *events)
{
    struct lm_buffer out;
    begin_event(events, "cancelled", events->started ? events->node : 0, &out);
    end_event(events, &out);
    end_all(events);
}

void ag_events_finish(struct ag_run *run)
{
    if (run->failure.code != NULL) {
        ag_events_fail(&run->events, &run->failure);
    } else {
        send_answer(run);
        end_all(&run->events);
    }
}
