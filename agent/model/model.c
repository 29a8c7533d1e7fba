#include "agent/model/model.h"

#include "agent/model/address.h"
#include "agent/model/gate.h"
#include "agent/model/prompt.h"
#include "agent/model/wire.h"
#include "common/backoff.h"
#include "common/clock.h"
#include "common/http/event_stream.h"
#include "common/http/http_client.h"
#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_MS 5000
#define MAX_EVENT ((size_t)256 << 10)
#define MAX_ANSWER ((size_t)2 << 20) /* bytes of a stream, most of which says nothing */
#define MAX_REFUSAL ((size_t)16 << 10)
#define BYTES_A_TOKEN                                                                                        \
    3 /* where the server does not count; of Korean about right, of English too many tokens */

struct ag_model {
    uv_loop_t *loop;
    const struct ag_config *config;
    enum ag_wire_protocol protocol;
    struct lm_http_client *http;
    struct ag_gate *gate;
    struct ag_memory *memory;
    struct ag_wire_dialect dialect; /* as far as the server has taught it */
    json_t *schema;
    char *system;         /* the prompt of questions */
    char *insight_system; /* and of insights */
    struct ag_model_address address;
    unsigned calls;
    unsigned open; /* parts that are still closing */
    struct lm_metrics *metrics;
    struct lm_histogram *seconds;
    struct lm_histogram *first_token;
    void (*closed)(void *context);
    void *context;
};

enum call_state { CALL_STARTING, CALL_SENT, CALL_WAITING, CALL_OVER };

static const char *const state_names[] = {"starting", "sent", "waiting", "over"};

struct ag_model_call {
    struct ag_model *model;
    struct ag_model_question question;
    char *prompt;
    enum call_state state;
    uv_timer_t timer; /* the first start, and back-off */
    struct lm_backoff backoff;
    struct ag_wire_dialect dialect;
    struct lm_http_call *http;
    unsigned attempts;
    int64_t reserved;
    /* of the request under way */
    size_t sent; /* bytes */
    int64_t sent_us;
    int status;
    long retry_after_s;
    size_t received;
    bool streams; /* else it is one JSON object */
    bool told_first;
    struct lm_event_stream sse;
    struct lm_buffer body; /* of a refusal, or of a reply that is not streamed */
    struct ag_wire_reply reply;
    struct lm_error problem; /* found while reading; LM_OK: none */
};

static void change_state(struct ag_model_call *call, enum call_state to)
{
    const bool back = call->state == CALL_WAITING && to == CALL_SENT;
    if (to <= call->state && !back) {
        lm_log(LM_LOG_ERROR, "model", "a call cannot go from %s to %s", state_names[call->state],
               state_names[to]);
        return;
    }
    call->state = to;
}

static struct ag_gate_time now(void)
{
    return (struct ag_gate_time){.mono_us = lm_clock_mono_us(), .wall_us = lm_clock_wall_us()};
}

/* ---- the end of a request ---- */

static void count_outcome(struct ag_model *model, const char *outcome)
{
    struct lm_buffer label;
    char memory[96];
    lm_buffer_init_fixed(&label, memory, sizeof(memory));
    lm_metrics_label(&label, "outcome", outcome);
    lm_counter_add(lm_counter(model->metrics, "logmill_agent_model_requests_total", lm_buffer_text(&label),
                              "Requests to the model by what came of them."),
                   1);
}

static void clear_request(struct ag_model_call *call)
{
    lm_event_stream_free(&call->sse);
    lm_buffer_free(&call->body);
    ag_wire_reply_free(&call->reply);
}

static int64_t estimate(size_t bytes)
{
    return (int64_t)(bytes / BYTES_A_TOKEN + 1);
}

/* A request that the server never began costs nothing. */
static void leave_gate(struct ag_model_call *call, enum ag_gate_end end)
{
    const struct ag_wire_reply *reply = &call->reply;
    const bool counts = call->status >= 200 && call->status < 300;
    const int64_t input = reply->input_tokens >= 0 ? reply->input_tokens : counts ? estimate(call->sent) : 0;
    const int64_t output = reply->output_tokens >= 0 ? reply->output_tokens
                           : counts                  ? estimate(ag_wire_said(reply)->len)
                                                     : 0;
    ag_gate_leave(call->model->gate, now(), call->reserved, input, output, end,
                  (int64_t)call->retry_after_s * LM_SECOND_US);
    call->reserved = 0;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct ag_model_call *call = handle->data;
    free(call->prompt);
    free(call);
}

/* The model may be gone before the timer is. */
static void release(struct ag_model_call *call)
{
    change_state(call, CALL_OVER);
    clear_request(call);
    call->model->calls--;
    uv_close((uv_handle_t *)&call->timer, on_timer_closed);
}

static void finish(struct ag_model_call *call, const struct lm_error *error)
{
    const struct ag_model_question question = call->question;
    struct lm_buffer said;
    lm_buffer_init(&said, AG_REPLY_MAX);
    if (error == NULL) {
        lm_buffer_append(&said, ag_wire_said(&call->reply)->data, ag_wire_said(&call->reply)->len);
    }
    const unsigned attempts = call->attempts;
    const char *text = lm_buffer_text(&said);
    const struct lm_error memory = {
        .decision = LM_RETRY, .kind = "memory", .text = "out of memory for the model's reply"};
    error = error == NULL && text == NULL ? &memory : error;
    const struct lm_error told = error != NULL ? *error : (struct lm_error){.decision = LM_OK};
    release(call);
    question.done(error == NULL ? text : NULL, said.len, attempts, error != NULL ? &told : NULL,
                  question.context);
    lm_buffer_free(&said);
}

static void send_request(struct ag_model_call *call);

static void on_waited(uv_timer_t *timer)
{
    send_request(timer->data);
}

/* Tries again, or tells what went wrong. */
static void fail(struct ag_model_call *call, const struct lm_error *error)
{
    struct lm_error told = *error;
    int64_t wait_us = (int64_t)lm_backoff_next(&call->backoff) * 1000;
    if (call->retry_after_s > 0 && (int64_t)call->retry_after_s * LM_SECOND_US > wait_us) {
        wait_us = (int64_t)call->retry_after_s * LM_SECOND_US;
    }
    const bool in_time = lm_clock_mono_us() + wait_us < call->question.deadline_us;
    if (told.decision != LM_RETRY || call->attempts >= call->question.attempts || !in_time) {
        finish(call, &told);
        return;
    }
    clear_request(call);
    change_state(call, CALL_WAITING);
    /* A little more than the breaker waits, which counts the same time from the same moment. */
    uv_timer_start(&call->timer, on_waited, (uint64_t)(wait_us / 1000) + 10, 0);
}

/* ---- a request ---- */

static void on_head(int status, long retry_after_s, void *context)
{
    struct ag_model_call *call = context;
    call->status = status;
    call->retry_after_s = retry_after_s > 0 ? retry_after_s : 0;
}

static bool on_event(const char *data, size_t len, void *context)
{
    struct ag_model_call *call = context;
    const struct lm_buffer *said = ag_wire_said(&call->reply);
    const size_t before = said->len;
    if (ag_wire_event(&call->reply, data, len, &call->problem) != 0) {
        return false;
    }
    const struct lm_buffer *after = ag_wire_said(&call->reply);
    const size_t from = after == said ? before : 0;
    if (after->len > from) {
        if (!call->told_first) {
            call->told_first = true;
            lm_histogram_observe(call->model->first_token,
                                 (double)(lm_clock_mono_us() - call->question.asked_us) / 1e6);
        }
        if (call->question.token != NULL) {
            call->question.token(after->data + from, after->len - from, call->question.context);
        }
    }
    return true;
}

static bool on_data(const char *data, size_t len, void *context)
{
    struct ag_model_call *call = context;
    const bool good = call->status >= 200 && call->status < 300;
    if (call->received == 0) {
        size_t i = 0;
        while (i < len && (data[i] == ' ' || data[i] == '\r' || data[i] == '\n' || data[i] == '\t')) {
            i++;
        }
        call->streams = good && (i == len || data[i] != '{');
    }
    call->received += len;
    if (!good) {
        if (call->body.len + len <= MAX_REFUSAL) { /* more of it says nothing more */
            lm_buffer_append(&call->body, data, len);
        }
        return true;
    }
    if (call->received > MAX_ANSWER) {
        lm_error_set(&call->problem, LM_RETRY, "too_large", "the model's reply is longer than %zu bytes",
                     MAX_ANSWER);
        return false;
    }
    if (!call->streams) {
        lm_buffer_append(&call->body, data, len);
        return true;
    }
    if (!lm_event_stream_feed(&call->sse, data, len, on_event, call)) {
        if (call->problem.decision == LM_OK) {
            lm_error_set(&call->problem, LM_RETRY, "too_large",
                         "an event of the model's reply is longer than %zu bytes", MAX_EVENT);
        }
        return false;
    }
    return true;
}

/* What came of the request: 0 where a whole reply did. */
static int judge(struct ag_model_call *call, const struct lm_error *transport, struct lm_error *out)
{
    const char *body = call->body.data != NULL ? call->body.data : "";
    lm_error_clear(out);
    if (call->problem.decision != LM_OK) {
        *out = call->problem;
        return -1;
    }
    /* What breaks behind the end of a reply does not matter. */
    if (transport != NULL && call->reply.stop != AG_STOP_DONE) {
        if (strcmp(transport->kind, "timeout") == 0) {
            return lm_error_set(out, LM_FATAL, "timeout", "the model did not reply in time");
        }
        return lm_error_set(out, LM_RETRY, call->received > 0 ? "cut" : transport->kind, "%s",
                            transport->text);
    }
    if (call->status < 200 || call->status >= 300) {
        ag_wire_refusal(call->status, body, call->body.len, out);
        return -1;
    }
    if (!call->streams && ag_wire_whole(&call->reply, body, call->body.len, out) != 0) {
        return -1;
    }
    return ag_wire_end(&call->reply, out);
}

static enum ag_gate_end end_of(const struct ag_model_call *call, const struct lm_error *error)
{
    static const char *const of_the_model[] = {"length", "refusal", "empty", "too_large", "request"};
    if (error->decision == LM_OK) {
        return AG_GATE_GOOD;
    }
    for (size_t i = 0; i < sizeof(of_the_model) / sizeof(of_the_model[0]); i++) {
        if (strcmp(error->kind, of_the_model[i]) == 0) {
            return AG_GATE_GOOD;
        }
    }
    return strcmp(error->kind, "key") == 0 || call->retry_after_s > 0 ? AG_GATE_CLOSED : AG_GATE_FAILED;
}

static void on_done(int status, const struct lm_error *transport, void *context)
{
    struct ag_model_call *call = context;
    struct ag_model *model = call->model;
    struct lm_error error;
    call->http = NULL;
    call->status = status > 0 ? status : call->status;
    if (transport == NULL &&
        ag_wire_learn(&call->dialect, model->protocol, status, call->body.data, call->body.len)) {
        leave_gate(call, AG_GATE_UNKNOWN);
        count_outcome(model, "other_form");
        call->attempts--;
        clear_request(call);
        change_state(call, CALL_WAITING);
        uv_timer_start(&call->timer, on_waited, 0, 0);
        return;
    }
    const bool good = judge(call, transport, &error) == 0;
    leave_gate(call, end_of(call, &error));
    count_outcome(model, good ? "answered" : error.kind);
    lm_histogram_observe(model->seconds, (double)(lm_clock_mono_us() - call->sent_us) / 1e6);
    if (good) {
        model->dialect = call->dialect;
        finish(call, NULL);
        return;
    }
    lm_log(LM_LOG_WARN, "model", "attempt %u: %s", call->attempts, error.text);
    fail(call, &error);
}

static int start_http(struct ag_model_call *call, struct lm_error *error)
{
    struct ag_model *model = call->model;
    const struct ag_config *config = model->config;
    const bool insight = call->question.insight;
    const struct ag_wire_request request = {.protocol = model->protocol,
                                            .model = insight ? config->llm_insight_model : config->llm_model,
                                            .system = insight ? model->insight_system : model->system,
                                            .user = call->prompt,
                                            .schema = insight ? NULL : model->schema,
                                            .max_tokens = (int)config->llm_max_tokens};
    const char *headers[4] = {"Content-Type: application/json",
                              "Accept: text/event-stream, application/json"};
    size_t count = 2;
    if (model->protocol == AG_WIRE_ANTHROPIC) {
        headers[count++] = "anthropic-version: 2023-06-01";
    }
    if (model->address.key_header != NULL) {
        headers[count++] = model->address.key_header;
    }
    const char *list[5] = {NULL};
    memcpy(list, headers, count * sizeof(headers[0]));
    size_t len = 0;
    char *body = ag_wire_body(&request, &call->dialect, &len);
    if (body == NULL) {
        return lm_error_set(error, LM_RETRY, "memory", "out of memory for a request to the model");
    }
    const int64_t left_ms = (call->question.deadline_us - lm_clock_mono_us()) / 1000;
    const struct lm_http_call_options options = {
        .url = model->address.url,
        .headers = list,
        .bearer = model->address.bearer,
        .ca_file = config->llm_ca_file[0] != '\0' ? config->llm_ca_file : NULL,
        .body = body,
        .body_len = len,
        .connect_timeout_ms = left_ms < CONNECT_MS && left_ms > 0 ? (long)left_ms : CONNECT_MS,
        .timeout_ms = left_ms > 0 ? (long)left_ms : 1,
        .head = on_head,
        .data = on_data,
        .done = on_done,
        .context = call};
    call->sent = len;
    int result = -1;
    if (ag_gate_enter(model->gate, now(), estimate(len) + config->llm_max_tokens, error) == 0) {
        call->reserved = estimate(len) + config->llm_max_tokens;
        result = lm_http_call_start(model->http, &options, &call->http, error);
        if (result != 0) {
            leave_gate(call, AG_GATE_UNKNOWN);
        }
    }
    free(body);
    return result;
}

static void send_request(struct ag_model_call *call)
{
    struct lm_error error;
    change_state(call, CALL_SENT);
    call->attempts++;
    call->status = 0;
    call->retry_after_s = 0;
    call->received = 0;
    call->streams = false;
    call->sent_us = lm_clock_mono_us();
    lm_error_clear(&call->problem);
    lm_event_stream_init(&call->sse, MAX_EVENT);
    lm_buffer_init(&call->body, MAX_ANSWER);
    ag_wire_reply_init(&call->reply, call->model->protocol);
    if (start_http(call, &error) != 0) {
        finish(call, &error);
    }
}

static void on_start(uv_timer_t *timer)
{
    send_request(timer->data);
}

int ag_model_ask(struct ag_model *model, const struct ag_model_question *question, struct ag_model_call **out,
                 struct lm_error *error)
{
    if (model->calls >= (unsigned)model->config->llm_in_flight) {
        return lm_error_set(error, LM_RETRY, "busy",
                            "as many questions as allowed are with the model already");
    }
    struct ag_model_call *call = calloc(1, sizeof(*call));
    char *prompt = strdup(question->prompt);
    if (call == NULL || prompt == NULL) {
        free(call);
        free(prompt);
        return lm_error_set(error, LM_RETRY, "memory", "out of memory for a request to the model");
    }
    call->model = model;
    call->question = *question;
    call->prompt = prompt;
    call->dialect = model->dialect;
    lm_backoff_init(&call->backoff, 100, 4000, 0);
    (void)uv_timer_init(model->loop, &call->timer);
    call->timer.data = call;
    uv_timer_start(&call->timer, on_start, 0, 0);
    model->calls++;
    *out = call;
    return 0;
}

void ag_model_cancel(struct ag_model_call *call)
{
    if (call->http != NULL) {
        lm_http_call_cancel(call->http);
        call->http = NULL;
        leave_gate(call, AG_GATE_UNKNOWN);
        count_outcome(call->model, "cancelled");
    }
    release(call);
}

/* ---- opening and closing ---- */

bool ag_model_configured(const struct ag_config *config)
{
    return config->llm_provider != AG_LLM_NONE;
}

static void take_format(struct ag_model *model)
{
    static const enum ag_wire_format formats[] = {
        [AG_LLM_FORMAT_AUTO] = AG_WIRE_JSON_SCHEMA,
        [AG_LLM_FORMAT_JSON_SCHEMA] = AG_WIRE_JSON_SCHEMA,
        [AG_LLM_FORMAT_JSON_OBJECT] = AG_WIRE_JSON_OBJECT,
        [AG_LLM_FORMAT_TEXT] = AG_WIRE_PLAIN,
    };
    model->dialect.format = formats[model->config->llm_format];
    model->dialect.fixed_format = model->config->llm_format != AG_LLM_FORMAT_AUTO;
}

static void model_free(struct ag_model *model)
{
    ag_gate_free(model->gate);
    ag_memory_free(model->memory);
    json_decref(model->schema);
    free(model->system);
    free(model->insight_system);
    ag_model_address_clear(&model->address);
    free(model);
}

int ag_model_open(uv_loop_t *loop, const struct ag_config *config, struct lm_metrics *metrics,
                  struct ag_model **out, struct lm_error *error)
{
    static const double bounds[] = {0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120};
    struct ag_model *model = calloc(1, sizeof(*model));
    if (model == NULL) {
        return lm_error_set(error, LM_FATAL, "memory", "out of memory for the model");
    }
    model->loop = loop;
    model->config = config;
    model->metrics = metrics;
    model->protocol = config->llm_provider == AG_LLM_ANTHROPIC ? AG_WIRE_ANTHROPIC : AG_WIRE_OPENAI;
    take_format(model);
    if (config->llm_model[0] == '\0') {
        lm_error_set(error, LM_FATAL, "configuration", "llm.provider is set, but llm.model names no model");
        goto failed;
    }
    if (ag_model_address_take(config, &model->address, error) != 0) {
        goto failed;
    }
    const struct ag_gate_options gate = {.daily_tokens = config->llm_daily_tokens,
                                         .input_price = config->llm_input_price,
                                         .output_price = config->llm_output_price,
                                         .metrics = metrics};
    model->gate = ag_gate_new(&gate);
    model->memory = ag_memory_new();
    model->schema = ag_prompt_schema(config->llm_sql);
    model->system = ag_prompt_system(config->llm_sql);
    model->insight_system = ag_prompt_insight_system();
    if (model->gate == NULL || model->memory == NULL || model->schema == NULL || model->system == NULL ||
        model->insight_system == NULL) {
        lm_error_set(error, LM_FATAL, "memory", "out of memory for the model");
        goto failed;
    }
    model->seconds =
        lm_histogram(metrics, "logmill_agent_model_seconds", NULL, "Time of a request to the model.", bounds,
                     sizeof(bounds) / sizeof(bounds[0]));
    model->first_token = lm_histogram(metrics, "logmill_agent_model_first_token_seconds", NULL,
                                      "Time from a question to the first of what the model says.", bounds,
                                      sizeof(bounds) / sizeof(bounds[0]));
    if (lm_http_client_open(loop, &model->http, error) != 0) {
        goto failed;
    }
    lm_log(LM_LOG_INFO, "model", "questions that are not understood go to %s, model %s%s", model->address.url,
           config->llm_model,
           config->llm_share_results && config->llm_insight_model[0] != '\0' ? "; so do results" : "");
    *out = model;
    return 0;

failed:
    model_free(model);
    return -1;
}

struct ag_memory *ag_model_memory(struct ag_model *model)
{
    return model->memory;
}

static void on_http_closed(void *context)
{
    struct ag_model *model = context;
    void (*closed)(void *) = model->closed;
    void *closed_context = model->context;
    model_free(model);
    closed(closed_context);
}

void ag_model_close(struct ag_model *model, void (*closed)(void *context), void *context)
{
    model->closed = closed;
    model->context = context;
    lm_http_client_close(model->http, on_http_closed, model);
}
