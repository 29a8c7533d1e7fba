/*
 * Conditions are a short list in the order they were made; /readyz walks it. Everything is rendered when
 * asked for: nothing is kept up to date for a scraper that may never come.
 */
#include "common/http/admin.h"

#include "common/buffer.h"
#include "common/clock.h"
#include "common/log.h"

#include <stdlib.h>
#include <string.h>

#define MAX_REASON sizeof(((struct lm_error *)0)->text)
#define MAX_READYZ ((size_t)1 << 20)
#define MAX_METRICS ((size_t)64 << 20)

struct lm_condition {
    struct lm_condition *next;
    bool met;
    struct lm_gauge *gauge;
    int64_t since_us; /* wall clock: when `met` last changed */
    char *name;
    char reason[MAX_REASON];
};

struct lm_admin {
    struct lm_metrics *metrics;
    struct lm_condition *conditions;
};

static void on_healthz(struct lm_http_request *request, void *context)
{
    static const char body[] = "{\"status\":\"ok\"}\n";
    (void)context;
    lm_http_reply_header(request, "Cache-Control", "no-store");
    lm_http_reply(request, 200, "application/json", body, sizeof(body) - 1);
}

static void write_condition(const struct lm_condition *condition, struct lm_buffer *out)
{
    char since[LM_RFC3339_SIZE];
    lm_rfc3339_format(condition->since_us, since);
    lm_buffer_append_text(out, "{\"name\":");
    lm_buffer_append_json(out, condition->name, strlen(condition->name));
    lm_buffer_printf(out, ",\"since\":\"%s\",\"seconds\":%lld,\"reason\":", since,
                     (long long)((lm_clock_wall_us() - condition->since_us) / LM_SECOND_US));
    lm_buffer_append_json(out, condition->reason, strlen(condition->reason));
    lm_buffer_append_char(out, '}');
}

static void on_readyz(struct lm_http_request *request, void *context)
{
    const struct lm_admin *admin = context;
    bool ready = lm_admin_ready(admin), first = true;
    struct lm_buffer body;
    lm_buffer_init(&body, MAX_READYZ);
    lm_buffer_printf(&body, "{\"status\":\"%s\",\"unmet\":[", ready ? "ready" : "not_ready");
    for (const struct lm_condition *c = admin->conditions; c != NULL; c = c->next) {
        if (c->met)
            continue;
        if (!first)
            lm_buffer_append_char(&body, ',');
        first = false;
        write_condition(c, &body);
    }
    lm_buffer_append_text(&body, "]}\n");
    lm_http_reply_header(request, "Cache-Control", "no-store");
    if (body.failed)
        lm_http_reply_error(request, 500, "internal", "out of memory");
    else
        lm_http_reply(request, ready ? 200 : 503, "application/json", body.data, body.len);
    lm_buffer_free(&body);
}

static void on_metrics(struct lm_http_request *request, void *context)
{
    const struct lm_admin *admin = context;
    struct lm_buffer body;
    lm_buffer_init(&body, MAX_METRICS);
    lm_metrics_write(admin->metrics, &body);
    if (body.failed)
        lm_http_reply_error(request, 500, "internal", "out of memory");
    else
        lm_http_reply(request, 200, "text/plain; version=0.0.4; charset=utf-8", body.data, body.len);
    lm_buffer_free(&body);
}

int lm_admin_open(struct lm_http_server *server, struct lm_metrics *metrics, struct lm_admin **out,
                  struct lm_error *error)
{
    struct lm_admin *admin = calloc(1, sizeof(*admin));
    if (admin == NULL)
        return lm_error_set(error, LM_FATAL, "memory", "out of memory while opening the admin routes");
    admin->metrics = metrics;
    const struct lm_http_route routes[] = {
        {.method = "GET", .path = "/healthz", .handler = on_healthz, .context = admin},
        {.method = "GET", .path = "/readyz", .handler = on_readyz, .context = admin},
        {.method = "GET", .path = "/metrics", .handler = on_metrics, .context = admin},
    };
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (lm_http_server_route(server, &routes[i]) != 0) {
            /* Routes cannot be taken back, but without memory the program ends before it serves any. */
            lm_admin_free(admin);
            return lm_error_set(error, LM_FATAL, "memory", "out of memory while opening the admin routes");
        }
    }
    *out = admin;
    return 0;
}

void lm_admin_free(struct lm_admin *admin)
{
    if (admin == NULL)
        return;
    while (admin->conditions != NULL) {
        struct lm_condition *condition = admin->conditions;
        admin->conditions = condition->next;
        free(condition->name);
        free(condition);
    }
    free(admin);
}

static void set_reason(struct lm_condition *condition, const char *reason)
{
    struct lm_error cut; /* knows how to cut a text at a character */
    lm_error_set(&cut, LM_RETRY, "condition", "%s", reason);
    memcpy(condition->reason, cut.text, sizeof(cut.text));
}

static struct lm_gauge *gauge_of(const struct lm_admin *admin, const char *name)
{
    struct lm_buffer labels;
    lm_buffer_init(&labels, 1024);
    lm_metrics_label(&labels, "condition", name);
    struct lm_gauge *gauge = lm_gauge(admin->metrics, "logmill_ready", lm_buffer_text(&labels),
                                      "Whether the condition of /readyz holds.");
    lm_buffer_free(&labels);
    return gauge;
}

struct lm_condition *lm_admin_condition(struct lm_admin *admin, const char *name)
{
    struct lm_condition *condition = calloc(1, sizeof(*condition));
    if (condition == NULL)
        return NULL;
    condition->name = strdup(name);
    if (condition->name == NULL) {
        free(condition);
        return NULL;
    }
    condition->since_us = lm_clock_wall_us();
    condition->gauge = gauge_of(admin, name);
    set_reason(condition, "starting");
    struct lm_condition **last = &admin->conditions;
    while (*last != NULL)
        last = &(*last)->next;
    *last = condition;
    return condition;
}

void lm_condition_set(struct lm_condition *condition, const char *reason)
{
    bool met = reason == NULL;
    if (met != condition->met) {
        condition->since_us = lm_clock_wall_us();
        lm_log(met ? LM_LOG_INFO : LM_LOG_WARN, "admin", "%s: %s", condition->name, met ? "ready" : reason);
    }
    condition->met = met;
    lm_gauge_set(condition->gauge, met ? 1 : 0);
    set_reason(condition, met ? "" : reason);
}

bool lm_admin_ready(const struct lm_admin *admin)
{
    for (const struct lm_condition *condition = admin->conditions; condition != NULL;
         condition = condition->next) {
        if (!condition->met)
            return false;
    }
    return true;
}
