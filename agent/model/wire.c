#include "agent/model/wire.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define TOOL "answer"
#define MAX_USAGE INT64_C(1000000000)

/* ---- requests ---- */

static json_t *schema_of(const struct ag_wire_request *request)
{
    return json_incref((json_t *)(uintptr_t)request->schema);
}

/* The system prompt is the same for every question: servers that can keep it do. */
static json_t *anthropic_body(const struct ag_wire_request *request, const struct ag_wire_dialect *dialect)
{
    json_t *body = json_pack("{s:s, s:i, s:b, s:[{s:s, s:s, s:{s:s}}], s:[{s:s, s:s}]}", "model",
                             request->model, "max_tokens", request->max_tokens, "stream", 1, "system", "type",
                             "text", "text", request->system, "cache_control", "type", "ephemeral",
                             "messages", "role", "user", "content", request->user);
    json_t *choice = NULL;
    json_t *tools = NULL;
    if (body == NULL || request->schema == NULL) {
        return body;
    }
    tools = json_pack("[{s:s, s:s, s:o}]", "name", TOOL, "description", "Gives the reply to the question.",
                      "input_schema", schema_of(request));
    choice = dialect->free_choice
                 ? json_pack("{s:s}", "type", "auto")
                 : json_pack("{s:s, s:s, s:b}", "type", "tool", "name", TOOL, "disable_parallel_tool_use", 1);
    if (json_object_set_new(body, "tools", tools) != 0 ||
        json_object_set_new(body, "tool_choice", choice) != 0) {
        json_decref(body);
        return NULL;
    }
    return body;
}

/* Where the server is not given the schema as a schema, the prompt has it. */
static json_t *system_message(const struct ag_wire_request *request, const struct ag_wire_dialect *dialect)
{
    if (request->schema == NULL || dialect->format == AG_WIRE_JSON_SCHEMA) {
        return json_string(request->system);
    }
    char *schema = json_dumps(request->schema, JSON_COMPACT);
    json_t *text =
        schema == NULL
            ? NULL
            : json_sprintf("%s\n\nReply with one JSON object and nothing else. Its JSON Schema:\n%s",
                           request->system, schema);
    free(schema);
    return text;
}

static json_t *response_format(const struct ag_wire_request *request, const struct ag_wire_dialect *dialect)
{
    if (dialect->format == AG_WIRE_JSON_OBJECT) {
        return json_pack("{s:s}", "type", "json_object");
    }
    return json_pack("{s:s, s:{s:s, s:b, s:o}}", "type", "json_schema", "json_schema", "name", TOOL, "strict",
                     0, "schema", schema_of(request));
}

static json_t *openai_body(const struct ag_wire_request *request, const struct ag_wire_dialect *dialect)
{
    json_t *body = json_pack("{s:s, s:i, s:b, s:[{s:s, s:o}, {s:s, s:s}]}", "model", request->model,
                             dialect->completion_tokens ? "max_completion_tokens" : "max_tokens",
                             request->max_tokens, "stream", 1, "messages", "role", "system", "content",
                             system_message(request, dialect), "role", "user", "content", request->user);
    int failed = body == NULL;
    if (!failed && !dialect->no_usage) {
        failed = json_object_set_new(body, "stream_options", json_pack("{s:b}", "include_usage", 1));
    }
    if (!failed && request->schema != NULL && dialect->format != AG_WIRE_PLAIN) {
        failed = json_object_set_new(body, "response_format", response_format(request, dialect));
    }
    if (failed != 0) {
        json_decref(body);
        return NULL;
    }
    return body;
}

char *ag_wire_body(const struct ag_wire_request *request, const struct ag_wire_dialect *dialect, size_t *len)
{
    json_t *body = request->protocol == AG_WIRE_ANTHROPIC ? anthropic_body(request, dialect)
                                                          : openai_body(request, dialect);
    char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    *len = text != NULL ? strlen(text) : 0;
    return text;
}

/* ---- replies ---- */

void ag_wire_reply_init(struct ag_wire_reply *reply, enum ag_wire_protocol protocol)
{
    *reply = (struct ag_wire_reply){
        .protocol = protocol, .tool_index = -1, .input_tokens = -1, .output_tokens = -1};
    lm_buffer_init(&reply->text, AG_REPLY_MAX);
    lm_buffer_init(&reply->tool, AG_REPLY_MAX);
}

void ag_wire_reply_free(struct ag_wire_reply *reply)
{
    lm_buffer_free(&reply->text);
    lm_buffer_free(&reply->tool);
}

const struct lm_buffer *ag_wire_said(const struct ag_wire_reply *reply)
{
    return reply->tool.len > 0 ? &reply->tool : &reply->text;
}

static const char *text_at(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static bool is(const json_t *object, const char *key, const char *value)
{
    return strcmp(text_at(object, key), value) == 0;
}

static void append(struct lm_buffer *buffer, const json_t *piece)
{
    if (json_is_string(piece)) {
        lm_buffer_append(buffer, json_string_value(piece), json_string_length(piece));
    }
}

static int64_t count_at(const json_t *usage, const char *key)
{
    const json_t *value = json_object_get(usage, key);
    const int64_t count = json_is_integer(value) ? json_integer_value(value) : -1;
    return count > MAX_USAGE ? MAX_USAGE : count;
}

/* What is told later counts: it is told in all, not in addition. */
static void take_count(int64_t *count, int64_t told)
{
    *count = told >= 0 ? told : *count;
}

static void take_stop(struct ag_wire_reply *reply, const json_t *reason)
{
    static const char *const done[] = {"end_turn",   "tool_use",      "stop_sequence", "stop",
                                       "tool_calls", "function_call", "eos_token"};
    static const char *const refused[] = {"refusal", "content_filter"};
    const char *text = json_string_value(reason);
    if (text == NULL) {
        return;
    }
    reply->stop = AG_STOP_LENGTH; /* whatever is not known to be an end is one before the end */
    for (size_t i = 0; i < sizeof(done) / sizeof(done[0]); i++) {
        reply->stop = strcmp(text, done[i]) == 0 ? AG_STOP_DONE : reply->stop;
    }
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        reply->stop = strcmp(text, refused[i]) == 0 ? AG_STOP_REFUSED : reply->stop;
    }
}

/* The name an error has for itself, where it looks like one. */
static void put_kind(const json_t *error, char *out, size_t size)
{
    const char *name = text_at(error, "type");
    if (name[0] == '\0') {
        name = text_at(error, "code");
    }
    size_t len = 0;
    while (len + 1 < size && (isalnum((unsigned char)name[len]) || name[len] == '_')) {
        out[len] = name[len];
        len++;
    }
    out[name[len] == '\0' ? len : 0] = '\0';
}

static int stream_error(const json_t *error, struct lm_error *out)
{
    char kind[48];
    put_kind(error, kind, sizeof(kind));
    return lm_error_set(out, LM_RETRY, "overloaded", "the model's server broke the reply off: %s",
                        kind[0] != '\0' ? kind : "no reason given");
}

static int check_size(const struct ag_wire_reply *reply, struct lm_error *error)
{
    return reply->text.failed || reply->tool.failed
               ? lm_error_set(error, LM_RETRY, "too_large", "the model's reply is longer than %zu bytes",
                              AG_REPLY_MAX)
               : 0;
}

/* ---- Anthropic ---- */

static void anthropic_usage(struct ag_wire_reply *reply, const json_t *usage)
{
    static const char *const cached[] = {"cache_creation_input_tokens", "cache_read_input_tokens"};
    int64_t input = count_at(usage, "input_tokens");
    for (size_t i = 0; input >= 0 && i < sizeof(cached) / sizeof(cached[0]); i++) {
        const int64_t more = count_at(usage, cached[i]);
        input += more > 0 ? more : 0;
    }
    take_count(&reply->input_tokens, input);
    take_count(&reply->output_tokens, count_at(usage, "output_tokens"));
}

/* A block of the content, from a stream its beginning. */
static void anthropic_block(struct ag_wire_reply *reply, const json_t *block, int index)
{
    if (is(block, "type", "text")) {
        append(&reply->text, json_object_get(block, "text"));
    } else if (is(block, "type", "tool_use") && reply->tool_index < 0) {
        const json_t *input = json_object_get(block, "input");
        reply->tool_index = index;
        if (json_object_size(input) > 0) { /* streams begin with an empty one */
            char *text = json_dumps(input, JSON_COMPACT);
            lm_buffer_append_text(&reply->tool, text != NULL ? text : "");
            free(text);
        }
    }
}

static void anthropic_delta(struct ag_wire_reply *reply, const json_t *event)
{
    const json_t *delta = json_object_get(event, "delta");
    const json_t *index = json_object_get(event, "index");
    if (is(delta, "type", "text_delta")) {
        append(&reply->text, json_object_get(delta, "text"));
    } else if (is(delta, "type", "input_json_delta") && reply->tool_index >= 0 &&
               json_integer_value(index) == reply->tool_index) {
        append(&reply->tool, json_object_get(delta, "partial_json"));
    }
}

static int anthropic_event(struct ag_wire_reply *reply, const json_t *event, struct lm_error *error)
{
    if (is(event, "type", "error")) {
        return stream_error(json_object_get(event, "error"), error);
    }
    if (is(event, "type", "message_start")) {
        anthropic_usage(reply, json_object_get(json_object_get(event, "message"), "usage"));
    } else if (is(event, "type", "content_block_start")) {
        const json_int_t index = json_integer_value(json_object_get(event, "index"));
        anthropic_block(reply, json_object_get(event, "content_block"),
                        index >= 0 && index < 1000 ? (int)index : 1000);
    } else if (is(event, "type", "content_block_delta")) {
        anthropic_delta(reply, event);
    } else if (is(event, "type", "message_delta")) {
        take_stop(reply, json_object_get(json_object_get(event, "delta"), "stop_reason"));
        anthropic_usage(reply, json_object_get(event, "usage"));
    } else if (is(event, "type", "message_stop")) {
        reply->ended = true;
    }
    return check_size(reply, error);
}

static void anthropic_whole(struct ag_wire_reply *reply, const json_t *message)
{
    const json_t *content = json_object_get(message, "content");
    for (size_t i = 0; i < json_array_size(content) && i < 1000; i++) {
        anthropic_block(reply, json_array_get(content, i), (int)i);
    }
    take_stop(reply, json_object_get(message, "stop_reason"));
    anthropic_usage(reply, json_object_get(message, "usage"));
    reply->ended = true;
}

/* ---- chat completions ---- */

/* `message` is a delta of a stream, or all of it. */
static void openai_message(struct ag_wire_reply *reply, const json_t *message)
{
    const json_t *call = json_array_get(json_object_get(message, "tool_calls"), 0);
    const json_t *refusal = json_object_get(message, "refusal");
    append(&reply->text, json_object_get(message, "content"));
    if (call != NULL && json_integer_value(json_object_get(call, "index")) == 0) {
        append(&reply->tool, json_object_get(json_object_get(call, "function"), "arguments"));
    }
    if (json_string_length(refusal) > 0) {
        reply->stop = AG_STOP_REFUSED;
    }
}

static int openai_event(struct ag_wire_reply *reply, const json_t *event, struct lm_error *error)
{
    const json_t *choice = json_array_get(json_object_get(event, "choices"), 0);
    const json_t *problem = json_object_get(event, "error");
    const json_t *usage = json_object_get(event, "usage");
    const bool refused = reply->stop == AG_STOP_REFUSED;
    if (problem != NULL && !json_is_null(problem)) {
        return stream_error(problem, error);
    }
    openai_message(reply, json_object_get(choice, "delta"));
    openai_message(reply, json_object_get(choice, "message"));
    take_stop(reply, json_object_get(choice, "finish_reason"));
    reply->stop = refused ? AG_STOP_REFUSED : reply->stop;
    take_count(&reply->input_tokens, count_at(usage, "prompt_tokens"));
    take_count(&reply->output_tokens, count_at(usage, "completion_tokens"));
    return check_size(reply, error);
}

/* ---- both ---- */

static json_t *parse(const char *data, size_t len, struct lm_error *error)
{
    json_t *json = json_loadb(data, len, 0, NULL);
    if (!json_is_object(json)) {
        json_decref(json);
        lm_error_set(error, LM_RETRY, "garbage", "what came from the model's server is no JSON object");
        return NULL;
    }
    return json;
}

int ag_wire_event(struct ag_wire_reply *reply, const char *data, size_t len, struct lm_error *error)
{
    if (reply->protocol == AG_WIRE_OPENAI && len == 6 && memcmp(data, "[DONE]", 6) == 0) {
        reply->ended = true;
        return 0;
    }
    json_t *event = parse(data, len, error);
    if (event == NULL) {
        return -1;
    }
    const int result = reply->protocol == AG_WIRE_ANTHROPIC ? anthropic_event(reply, event, error)
                                                            : openai_event(reply, event, error);
    json_decref(event);
    return result;
}

int ag_wire_whole(struct ag_wire_reply *reply, const char *body, size_t len, struct lm_error *error)
{
    json_t *message = parse(body, len, error);
    int result = 0;
    if (message == NULL) {
        return -1;
    }
    if (reply->protocol == AG_WIRE_OPENAI || is(message, "type", "error")) {
        result = reply->protocol == AG_WIRE_OPENAI ? openai_event(reply, message, error)
                                                   : anthropic_event(reply, message, error);
        reply->ended = true;
    } else {
        anthropic_whole(reply, message);
        result = check_size(reply, error);
    }
    json_decref(message);
    return result;
}

int ag_wire_end(const struct ag_wire_reply *reply, struct lm_error *error)
{
    switch (reply->stop) {
    case AG_STOP_LENGTH:
        return lm_error_set(error, LM_RETRY, "length", "the model stopped before its reply was whole");
    case AG_STOP_REFUSED:
        return lm_error_set(error, LM_RETRY, "refusal", "the model refused to reply");
    case AG_STOP_NONE:
        if (!reply->ended) {
            return lm_error_set(error, LM_RETRY, "cut", "the model's reply broke off");
        }
        break;
    case AG_STOP_DONE:
        break;
    }
    return ag_wire_said(reply)->len > 0 ? 0
                                        : lm_error_set(error, LM_RETRY, "empty", "the model said nothing");
}

void ag_wire_refusal(int status, const char *body, size_t len, struct lm_error *error)
{
    json_t *json = json_loadb(body, len, 0, NULL);
    char named[64] = "";
    put_kind(json_object_get(json, "error"), named, sizeof(named));
    json_decref(json);
    const char *name = named[0] != '\0' ? named : "no reason given";
    if (status == 429) {
        lm_error_set(error, LM_RETRY, "rate_limited", "the model's server asks for fewer requests (429, %s)",
                     name);
    } else if (status == 529 || status == 503) {
        lm_error_set(error, LM_RETRY, "overloaded", "the model's server is overloaded (%d, %s)", status,
                     name);
    } else if (status >= 500 || status == 408 || status == 409) {
        lm_error_set(error, LM_RETRY, "server", "the model's server failed (%d, %s)", status, name);
    } else if (status == 401 || status == 403) {
        lm_error_set(error, LM_FATAL, "key", "the model's server does not accept the key (%d, %s)", status,
                     name);
    } else {
        lm_error_set(error, LM_FATAL, "request", "the model's server does not take the request (%d, %s)",
                     status, name);
    }
}

bool ag_wire_learn(struct ag_wire_dialect *dialect, enum ag_wire_protocol protocol, int status,
                   const char *body, size_t len)
{
    if (status != 400 && status != 422) {
        return false;
    }
    if (protocol == AG_WIRE_ANTHROPIC) {
        if (dialect->free_choice || memmem(body, len, "tool_choice", 11) == NULL) {
            return false;
        }
        dialect->free_choice = true;
        return true;
    }
    if (!dialect->completion_tokens && memmem(body, len, "max_completion_tokens", 21) != NULL) {
        dialect->completion_tokens = true;
        return true;
    }
    if (!dialect->no_usage && memmem(body, len, "stream_options", 14) != NULL) {
        dialect->no_usage = true;
        return true;
    }
    if (!dialect->fixed_format && dialect->format != AG_WIRE_PLAIN) {
        dialect->format = dialect->format == AG_WIRE_JSON_SCHEMA ? AG_WIRE_JSON_OBJECT : AG_WIRE_PLAIN;
        return true;
    }
    return false;
}
