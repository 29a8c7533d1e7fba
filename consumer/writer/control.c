#include "consumer/writer/control.h"

#include "common/backoff.h"
#include "common/log.h"
#include "common/postgres/postgres.h"

#include <stdlib.h>
#include <string.h>

#define WAITING_MAX 10000

struct question {
    struct co_control *control;
    char *sql;
    struct co_question asked;
    struct question *next;
};

struct co_control {
    struct co_control_options options;
    struct lm_pg *pg; /* NULL: closed, waiting for the timer */
    bool connected;
    bool dropping; /* the old connection is closing, the timer not started yet */
    bool closing;
    struct lm_backoff backoff;
    uv_timer_t timer;
    struct question *waiting, **waiting_tail;
    struct question *sent; /* under way, to be freed on close: lm_pg_close calls nobody back */
    size_t waiting_count;
    void (*closed)(void *context);
    void *closed_context;
    int open_parts; /* timer and connection still to close */
};

static void connect_now(struct co_control *control);

static void forget(struct co_control *control, struct question *question)
{
    for (struct question **at = &control->sent; *at != NULL; at = &(*at)->next) {
        if (*at == question) {
            *at = question->next;
            break;
        }
    }
    free(question->sql);
    free(question);
}

static void on_result(const PGresult *result, void *context)
{
    struct question *question = context;
    const struct co_question *asked = &question->asked;
    if (asked->result != NULL)
        asked->result(result, asked->context);
}

static void reconnect(struct co_control *control);
static void send_waiting(struct co_control *control);

static void on_done(const struct lm_error *error, void *context)
{
    struct question *question = context;
    struct co_control *control = question->control;
    struct co_question asked = question->asked;
    /* The server has become read-only, after a fail-over: another one can write. */
    bool elsewhere = error != NULL && strcmp(error->sqlstate, "25006") == 0;

    forget(control, question);
    asked.done(error, asked.context);
    if (elsewhere)
        reconnect(control);
    else
        send_waiting(control); /* what found the connection's own queue full */
}

/* A question that cannot be sent goes on waiting: the connection is about to be reported as lost. */
static int send_question(struct co_control *control, struct question *question)
{
    struct lm_error error;
    struct lm_pg_request request = {
        .sql = question->sql, .result = on_result, .done = on_done, .context = question};
    return lm_pg_send(control->pg, &request, &error);
}

static void send_waiting(struct co_control *control)
{
    while (control->waiting != NULL && control->connected && !control->closing) {
        struct question *question = control->waiting;
        if (send_question(control, question) != 0)
            return;
        control->waiting = question->next;
        if (control->waiting == NULL)
            control->waiting_tail = &control->waiting;
        control->waiting_count--;
        question->next = control->sent;
        control->sent = question;
    }
}

static void on_timer(uv_timer_t *timer)
{
    connect_now(timer->data);
}

static void retry_later(struct co_control *control, const struct lm_error *error)
{
    uint32_t delay = lm_backoff_next(&control->backoff);
    control->pg = NULL;
    control->connected = false;
    control->options.state(error, control->options.context);
    if (!control->closing)
        (void)uv_timer_start(&control->timer, on_timer, delay, 0);
}

static void on_opened(struct lm_pg *pg, const struct lm_error *error, void *context)
{
    struct co_control *control = context;
    (void)pg;
    if (error != NULL) {
        retry_later(control, error);
        return;
    }
    lm_backoff_reset(&control->backoff);
    control->connected = true;
    control->options.state(NULL, control->options.context);
    send_waiting(control);
}

static void on_lost(struct lm_pg *pg, const struct lm_error *error, void *context)
{
    (void)pg;
    retry_later(context, error);
}

static void connect_now(struct co_control *control)
{
    struct lm_error error;
    struct lm_pg_options options = {
        .loop = control->options.loop,
        .conninfo = control->options.conninfo,
        .application_name = "logmill-consumer control",
        .settings =
            "-c standard_conforming_strings=on -c timezone=UTC -c lock_timeout=10s -c statement_timeout=60s "
            "-c idle_in_transaction_session_timeout=30s",
        .opened = on_opened,
        .lost = on_lost,
        .context = control,
    };
    if (control->closing)
        return;
    if (lm_pg_open(&options, &control->pg, &error) != 0)
        retry_later(control, &error);
}

static void fail_all(struct question *list, const struct lm_error *error)
{
    for (struct question *at = list, *next; at != NULL; at = next) {
        next = at->next;
        at->asked.done(error, at->asked.context);
        free(at->sql);
        free(at);
    }
}

static void part_closed(struct co_control *control)
{
    if (--control->open_parts > 0)
        return;
    control->closed(control->closed_context);
    free(control);
}

static void on_dropped(void *context)
{
    struct co_control *control = context;
    control->dropping = false;
    if (control->closing)
        part_closed(control);
    else
        (void)uv_timer_start(&control->timer, on_timer, lm_backoff_next(&control->backoff), 0);
}

static void reconnect(struct co_control *control)
{
    struct question *sent = control->sent;
    struct lm_pg *pg = control->pg;
    struct lm_error error;

    if (pg == NULL || control->closing)
        return;
    (void)lm_error_set(&error, LM_RETRY, "reconnecting",
                       "PostgreSQL is read-only; connecting to another server");
    control->pg = NULL;
    control->connected = false;
    control->sent = NULL;
    control->dropping = true;
    lm_pg_close(pg, on_dropped, control);
    control->options.state(&error, control->options.context);
    fail_all(sent, &error);
}

int co_control_open(const struct co_control_options *options, struct co_control **out, struct lm_error *error)
{
    struct co_control *control = calloc(1, sizeof(*control));
    if (control == NULL)
        return lm_error_set(error, LM_FATAL, "memory", "no memory for the control connection");
    control->options = *options;
    control->waiting_tail = &control->waiting;
    lm_backoff_init(&control->backoff, options->retry_base_ms, options->retry_cap_ms, 0);
    (void)uv_timer_init(options->loop, &control->timer);
    control->timer.data = control;
    *out = control;
    connect_now(control);
    return 0;
}

int co_control_ask(struct co_control *control, const struct co_question *question, struct lm_error *error)
{
    struct question *copy;

    if (control->closing)
        return lm_error_set(error, LM_RETRY, "closing", "the consumer stops");
    if (control->waiting_count >= WAITING_MAX)
        return lm_error_set(error, LM_RETRY, "busy", "the control connection takes no more questions");
    copy = calloc(1, sizeof(*copy));
    if (copy == NULL || (copy->sql = strdup(question->sql)) == NULL) {
        free(copy);
        return lm_error_set(error, LM_RETRY, "memory", "no memory for a question to PostgreSQL");
    }
    copy->asked = *question;
    copy->control = control;
    *control->waiting_tail = copy;
    control->waiting_tail = &copy->next;
    control->waiting_count++;
    send_waiting(control);
    return 0;
}

void co_control_set(struct co_control *control, const char *conninfo, uint32_t retry_base_ms,
                    uint32_t retry_cap_ms)
{
    control->options.conninfo = conninfo;
    lm_backoff_init(&control->backoff, retry_base_ms, retry_cap_ms, 0);
}

static void pg_closed(void *context)
{
    part_closed(context);
}

static void timer_closed(uv_handle_t *handle)
{
    part_closed(handle->data);
}

void co_control_close(struct co_control *control, void (*closed)(void *context), void *context)
{
    struct question *lists[] = {control->sent, control->waiting};
    struct lm_error error;

    control->closing = true;
    control->sent = control->waiting = NULL;
    control->closed = closed;
    control->closed_context = context;
    (void)lm_error_set(&error, LM_RETRY, "closing", "the consumer stops");
    fail_all(lists[0], &error);
    fail_all(lists[1], &error);
    control->open_parts = 1 + (control->pg != NULL) + control->dropping;
    if (control->pg != NULL)
        lm_pg_close(control->pg, pg_closed, control);
    uv_close((uv_handle_t *)&control->timer, timer_closed);
}
