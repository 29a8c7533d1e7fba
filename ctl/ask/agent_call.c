#include "ctl/ask/agent_call.h"

#include "common/http/event_stream.h"
#include "common/http/http_client.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BODY_MAX ((size_t)64 << 20) /* an answer is at most 48 MiB */
#define KEY_MAX 256
#define CONNECT_TIMEOUT_MS 5000
#define TIMEOUT_MS (5 * 60 * 1000)
#define QUIET_MS 1000

/* One request under way. */
struct call {
    const struct ct_agent_request *request;
    struct ct_agent_reply *reply;
    struct lm_error *error;
    struct lm_http_call *http; /* NULL: over */
    struct lm_buffer body;
    struct lm_event_stream events;
    bool failed;
};

struct ct_agent {
    uv_loop_t loop;
    struct lm_http_client *http;
    uv_signal_t interrupted;
    uv_timer_t second;
    const struct ct_config *config;
    char key[KEY_MAX];
    FILE *progress; /* NULL: no terminal */
    unsigned seconds;
    char node[32]; /* the stage the question is at */
    bool shown;    /* a line of progress is on the terminal */
    bool closed;
    struct call *call; /* NULL: none */
};

/* ---- progress ---- */

static const char *doing(const char *node)
{
    static const struct {
        const char *node, *doing;
    } stages[] = {{"retrieve_schema", "reads the names in the data"},
                  {"generate_sql", "reads the question"},
                  {"validate_sql", "checks the SQL"},
                  {"execute_query", "searches"},
                  {"generate_insight", "writes the answer"}};
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++) {
        if (strcmp(node, stages[i].node) == 0)
            return stages[i].doing;
    }
    return "works";
}

static void wipe_progress(struct ct_agent *agent)
{
    if (agent->shown)
        fputs("\r\033[K", agent->progress);
    if (agent->shown)
        fflush(agent->progress);
    agent->shown = false;
}

static void on_second(uv_timer_t *timer)
{
    struct ct_agent *agent = timer->data;
    FILE *const out = agent->progress;

    agent->seconds++;
    if (agent->call == NULL || out == NULL || agent->call->request->stream != NULL)
        return;
    fprintf(out, "\r\033[K%u s: the agent %s (Ctrl-C gives up)", agent->seconds, doing(agent->node));
    fflush(out);
    agent->shown = true;
}

/* ---- what comes in ---- */

static bool on_event(const char *data, size_t len, void *context)
{
    struct ct_agent *agent = context;
    json_t *event = json_loadb(data, len, JSON_ALLOW_NUL, NULL);
    const char *type = json_string_value(json_object_get(event, "type"));
    const char *node = json_string_value(json_object_get(event, "node"));
    json_t *content = json_object_get(event, "content");
    struct ct_agent_reply *reply = agent->call->reply;

    if (type != NULL && node != NULL && strcmp(type, "node_start") == 0)
        snprintf(agent->node, sizeof agent->node, "%s", node);
    else if (type != NULL && strcmp(type, "result") == 0 && reply->json == NULL)
        reply->json = json_incref(content);
    else if (type != NULL && strcmp(type, "error") == 0 && reply->json == NULL && content != NULL)
        reply->json = json_pack("{s:O}", "error", content);
    json_decref(event);
    return true;
}

static void on_head(int status, long retry_after_s, void *context)
{
    struct ct_agent *agent = context;
    agent->call->reply->status = status;
    agent->call->reply->retry_after_s = retry_after_s;
}

static bool on_data(const char *data, size_t len, void *context)
{
    struct ct_agent *agent = context;
    struct call *call = agent->call;

    if (call->reply->status == 200 && call->request->stream != NULL)
        return fwrite(data, 1, len, call->request->stream) == len;
    if (call->reply->status == 200 && call->request->events)
        return lm_event_stream_feed(&call->events, data, len, on_event, agent);
    lm_buffer_append(&call->body, data, len);
    return !call->body.failed;
}

static void on_done(int status, const struct lm_error *error, void *context)
{
    struct ct_agent *agent = context;
    struct call *call = agent->call;

    (void)status;
    call->http = NULL;
    call->failed = error != NULL;
    if (error != NULL)
        *call->error = *error;
}

static void on_interrupt(uv_signal_t *signal, int number)
{
    struct ct_agent *agent = signal->data;
    struct call *call = agent->call;

    (void)number;
    if (call == NULL || call->http == NULL)
        return;
    lm_http_call_cancel(call->http);
    call->http = NULL;
    call->reply->cancelled = true;
}

/* ---- asking ---- */

static void take_body(struct call *call)
{
    size_t len;

    if (call->body.len == 0)
        return;
    if (call->reply->json == NULL)
        call->reply->json = json_loadb(call->body.data, call->body.len, JSON_ALLOW_NUL, NULL);
    call->reply->text = lm_buffer_detach(&call->body, &len);
}

static int start(struct ct_agent *agent, struct call *call, const char *url, const char *body)
{
    static const char *const json[] = {"Content-Type: application/json", "Accept: application/json", NULL};
    static const char *const events[] = {"Content-Type: application/json", "Accept: text/event-stream", NULL};
    const struct ct_config *config = agent->config;
    const bool streamed = call->request->stream != NULL;
    const struct lm_http_call_options options = {
        .url = url,
        .headers = call->request->events ? events : json,
        .bearer = agent->key[0] != '\0' ? agent->key : NULL,
        .ca_file = config->agent_ca[0] != '\0' ? config->agent_ca : NULL,
        .body = body,
        .body_len = strlen(body),
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
        .timeout_ms = streamed ? 0 : TIMEOUT_MS,
        .head = on_head,
        .data = on_data,
        .done = on_done,
        .context = agent,
    };
    return lm_http_call_start(agent->http, &options, &call->http, call->error);
}

static void wait_for(struct ct_agent *agent, struct call *call)
{
    agent->node[0] = '\0';
    agent->seconds = 0;
    (void)uv_timer_start(&agent->second, on_second, QUIET_MS, 1000);
    while (call->http != NULL)
        uv_run(&agent->loop, UV_RUN_ONCE);
    (void)uv_timer_stop(&agent->second);
    wipe_progress(agent);
}

int ct_agent_ask(struct ct_agent *agent, const struct ct_agent_request *request, struct ct_agent_reply *reply,
                 struct lm_error *error)
{
    struct call call = {.request = request, .reply = reply, .error = error};
    const char *const base = agent->config->agent_url;
    size_t base_len = strlen(base);
    char *body = json_dumps(request->body, JSON_COMPACT);
    char url[1024];
    int result = -1;

    *reply = (struct ct_agent_reply){0};
    while (base_len > 0 && base[base_len - 1] == '/')
        base_len--;
    int url_len = snprintf(url, sizeof url, "%.*s%s", (int)base_len, base, request->path);
    lm_buffer_init(&call.body, BODY_MAX);
    lm_event_stream_init(&call.events, BODY_MAX);
    uv_run(&agent->loop, UV_RUN_NOWAIT); /* a Ctrl-C from before is not about this question */
    agent->call = &call;
    if (body == NULL || url_len < 0 || (size_t)url_len >= sizeof url) {
        (void)lm_error_set(error, LM_RETRY, "memory", "no memory for the question, or agent_url is too long");
    } else if (start(agent, &call, url, body) == 0) {
        wait_for(agent, &call);
        take_body(&call);
        result = call.failed ? -1 : 0;
    }
    if (result == 0 && !reply->cancelled && request->events && reply->status == 200 && reply->json == NULL)
        result = lm_error_set(error, LM_RETRY, "aborted", "the agent's answer was cut off");
    agent->call = NULL;
    lm_event_stream_free(&call.events);
    lm_buffer_free(&call.body);
    free(body);
    return result;
}

void ct_agent_reply_free(struct ct_agent_reply *reply)
{
    json_decref(reply->json);
    free(reply->text);
    *reply = (struct ct_agent_reply){0};
}

/* ---- opening and closing ---- */

/* The first word of the file, or the option itself. */
static int read_key(const struct ct_config *config, char *out, struct lm_error *error)
{
    const char *const path = config->agent_key_file;
    char line[KEY_MAX] = "";
    FILE *file;

    if (path[0] == '\0') {
        if (strlen(config->agent_key) >= KEY_MAX)
            return lm_error_set(error, LM_FATAL, "usage", "agent_key is no API key");
        strcpy(out, config->agent_key);
        return 0;
    }
    if (config->agent_key[0] != '\0')
        return lm_error_set(error, LM_FATAL, "usage", "give agent_key or agent_key_file, not both");
    file = fopen(path, "re");
    if (file == NULL || fgets(line, sizeof line, file) == NULL) {
        if (file != NULL)
            fclose(file);
        return lm_error_set(error, LM_FATAL, "usage", "no API key can be read from %s", path);
    }
    fclose(file);
    line[strcspn(line, " \t\r\n")] = '\0';
    strcpy(out, line);
    return 0;
}

static void on_http_closed(void *context)
{
    struct ct_agent *agent = context;
    agent->closed = true;
}

int ct_agent_open(const struct ct_config *config, FILE *progress, struct ct_agent **out,
                  struct lm_error *error)
{
    struct ct_agent *agent = calloc(1, sizeof *agent);

    if (agent == NULL)
        return lm_error_set(error, LM_FATAL, "memory", "out of memory");
    agent->config = config;
    agent->progress = isatty(fileno(progress)) == 1 ? progress : NULL;
    if (read_key(config, agent->key, error) != 0)
        goto no_loop;
    if (uv_loop_init(&agent->loop) != 0) {
        (void)lm_error_set(error, LM_FATAL, "memory", "out of memory");
        goto no_loop;
    }
    if (lm_http_client_open(&agent->loop, &agent->http, error) != 0)
        goto no_client;
    (void)uv_timer_init(&agent->loop, &agent->second);
    (void)uv_signal_init(&agent->loop, &agent->interrupted);
    agent->second.data = agent->interrupted.data = agent;
    (void)uv_signal_start(&agent->interrupted, on_interrupt, SIGINT);
    *out = agent;
    return 0;

no_client:
    (void)uv_loop_close(&agent->loop);
no_loop:
    free(agent);
    return -1;
}

void ct_agent_close(struct ct_agent *agent)
{
    if (agent == NULL)
        return;
    lm_http_client_close(agent->http, on_http_closed, agent);
    uv_close((uv_handle_t *)&agent->second, NULL);
    uv_close((uv_handle_t *)&agent->interrupted, NULL);
    while (!agent->closed)
        uv_run(&agent->loop, UV_RUN_ONCE);
    uv_run(&agent->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&agent->loop);
    explicit_bzero(agent->key, sizeof agent->key);
    free(agent);
}
