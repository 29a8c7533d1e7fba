/*
 * Each request is a link of its own until it is answered, so that a server that answers nothing can be given
 * up: the connection is closed, which drops what it had, and every request is told.
 */
#include "agent/database/store.h"

#include "agent/database/refused.h"
#include "common/backoff.h"
#include "common/clock.h"
#include "common/log.h"

#include <stdlib.h>
#include <string.h>

#define MAX_WAITING 256
#define SILENT_US (5 * LM_SECOND_US)
#define PROBE_US LM_SECOND_US
#define TICK_MS 500

enum store_state { STORE_DOWN, STORE_OPENING, STORE_UP, STORE_CLOSED };

struct asked {
    struct asked *next;
    struct ag_store *store;
    struct ag_store_request request; /* done NULL: forgotten */
    int64_t asked_us;
};

struct ag_store {
    uv_loop_t *loop;
    char *conninfo;
    struct lm_condition *condition;
    enum store_state state;
    struct lm_pg *pg;
    uv_timer_t timer;
    struct lm_backoff backoff;
    int64_t again_us; /* the next attempt to connect, or to see whether the functions are there by now */
    bool usable;      /* the last probe was answered */
    bool lacking;     /* by an error that only migrations mend */
    struct asked *first, **last;
    unsigned count;
    unsigned open; /* what is still closing */
    void (*closed)(void *context);
    void *closed_context;
    struct lm_log_limit complaint;
};

static void connect_now(struct ag_store *store);

static void change_state(struct ag_store *store, enum store_state to)
{
    static const char *const names[] = {"down", "opening", "up", "closed"};
    if (store->state == STORE_CLOSED) {
        return;
    }
    lm_log(LM_LOG_DEBUG, "store", "%s -> %s", names[store->state], names[to]);
    store->state = to;
}

static void tell(struct asked *asked, const struct lm_error *error)
{
    if (asked->request.done != NULL) {
        asked->request.done(error, asked->request.context);
    }
    free(asked);
}

static struct asked *take_first(struct ag_store *store)
{
    struct asked *asked = store->first;
    store->first = asked->next;
    if (store->first == NULL) {
        store->last = &store->first;
    }
    store->count--;
    return asked;
}

static void went_down(struct ag_store *store, const struct lm_error *error)
{
    store->pg = NULL;
    store->usable = false;
    change_state(store, STORE_DOWN);
    const uint32_t delay = lm_backoff_next(&store->backoff);
    store->again_us = lm_clock_mono_us() + (int64_t)delay * 1000;
    ag_refused(store->condition, error, AG_REFUSED_WRITING);
    lm_log_limited(&store->complaint, LM_LOG_AGAIN_MS, LM_LOG_WARN, "store",
                   "no connection for API keys and history, again in %u ms: %s", delay, error->text);
    while (store->first != NULL) {
        tell(take_first(store), error);
    }
}

static void on_lost(struct lm_pg *pg, const struct lm_error *error, void *context)
{
    (void)pg;
    went_down(context, error);
}

/* Looked at once: a database that is not migrated that far has no keys to look up. */
static void on_probed(const struct lm_error *error, void *context)
{
    struct ag_store *store = context;
    store->usable = error == NULL;
    store->lacking = error != NULL && error->decision == LM_FATAL;
    if (store->lacking) {
        lm_log_limited(&store->complaint, LM_LOG_AGAIN_MS, LM_LOG_ERROR, "store",
                       "API keys cannot be looked up, run logmill-ctl migrate: %s", error->text);
    }
    if (store->condition != NULL) {
        lm_condition_set(store->condition, error != NULL ? error->text : NULL);
    }
}

static void probe(struct ag_store *store)
{
    struct lm_error refused;
    const struct lm_pg_request request = {
        .sql = "SELECT any_key FROM logmill.auth_key('')", .done = on_probed, .context = store};
    store->again_us = lm_clock_mono_us() + PROBE_US;
    if (lm_pg_send(store->pg, &request, &refused) != 0) {
        on_probed(&refused, store);
    }
}

static void on_opened(struct lm_pg *pg, const struct lm_error *error, void *context)
{
    struct ag_store *store = context;
    (void)pg;
    if (error != NULL) {
        went_down(store, error);
        return;
    }
    lm_backoff_reset(&store->backoff);
    change_state(store, STORE_UP);
    probe(store);
}

static void connect_now(struct ag_store *store)
{
    struct lm_error error;
    const struct lm_pg_options options = {.loop = store->loop,
                                          .conninfo = store->conninfo,
                                          .application_name = "logmill-agent keys",
                                          .opened = on_opened,
                                          .lost = on_lost,
                                          .context = store};
    change_state(store, STORE_OPENING);
    if (lm_pg_open(&options, &store->pg, &error) != 0) {
        went_down(store, &error);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct ag_store *store = timer->data;
    const int64_t now_us = lm_clock_mono_us();
    if (store->state == STORE_DOWN && now_us >= store->again_us) {
        connect_now(store);
    } else if (store->state == STORE_UP && store->first != NULL &&
               now_us - store->first->asked_us > SILENT_US) {
        struct lm_error error;
        lm_error_set(&error, LM_RETRY, "unavailable", "PostgreSQL does not answer");
        lm_pg_close(store->pg, NULL, NULL);
        went_down(store, &error);
    } else if (store->state == STORE_UP && !store->usable && now_us >= store->again_us) {
        probe(store);
    }
}

static void on_result(const PGresult *result, void *context)
{
    const struct asked *asked = context;
    if (asked->request.done != NULL && asked->request.row != NULL) {
        asked->request.row(result, asked->request.context);
    }
}

/* Answers come in the order of the questions: it is the first. */
static void on_done(const struct lm_error *error, void *context)
{
    struct asked *asked = context;
    tell(take_first(asked->store), error);
}

int ag_store_ask(struct ag_store *store, const struct ag_store_request *request, struct lm_error *error)
{
    if (store->state != STORE_UP || store->count >= MAX_WAITING) {
        return lm_error_set(error, LM_RETRY, "unavailable",
                            store->state != STORE_UP ? "no connection to PostgreSQL for API keys is up"
                                                     : "too many look-ups of API keys wait");
    }
    struct asked *asked = calloc(1, sizeof(*asked));
    if (asked == NULL) {
        return lm_error_set(error, LM_RETRY, "memory", "out of memory for a look-up");
    }
    *asked = (struct asked){.store = store, .request = *request, .asked_us = lm_clock_mono_us()};
    const struct lm_pg_request sent = {.sql = request->sql,
                                       .extended = true,
                                       .param_count = request->param_count,
                                       .params = request->params,
                                       .result = on_result,
                                       .done = on_done,
                                       .context = asked};
    if (lm_pg_send(store->pg, &sent, error) != 0) {
        free(asked);
        return -1;
    }
    *store->last = asked;
    store->last = &asked->next;
    store->count++;
    return 0;
}

bool ag_store_lacks_migrations(const struct ag_store *store)
{
    return store->lacking;
}

void ag_store_forget(struct ag_store *store, const void *context)
{
    for (struct asked *asked = store->first; asked != NULL; asked = asked->next) {
        if (asked->request.context == context) {
            asked->request.done = NULL;
        }
    }
}

int ag_store_open(uv_loop_t *loop, const char *conninfo, struct lm_condition *condition,
                  struct ag_store **out, struct lm_error *error)
{
    struct ag_store *store = calloc(1, sizeof(*store));
    char *copy = strdup(conninfo);
    if (store == NULL || copy == NULL) {
        free(store);
        free(copy);
        return lm_error_set(error, LM_FATAL, "memory", "out of memory for a connection");
    }
    *store = (struct ag_store){.loop = loop, .conninfo = copy, .condition = condition};
    store->last = &store->first;
    lm_backoff_init(&store->backoff, 100, 5000, 0);
    (void)uv_timer_init(loop, &store->timer);
    store->timer.data = store;
    uv_timer_start(&store->timer, on_timer, TICK_MS, TICK_MS);
    connect_now(store);
    *out = store;
    return 0;
}

static void release(void *context)
{
    struct ag_store *store = context;
    if (--store->open > 0) {
        return;
    }
    void (*closed)(void *) = store->closed;
    void *closed_context = store->closed_context;
    free(store->conninfo);
    free(store);
    if (closed != NULL) {
        closed(closed_context);
    }
}

static void on_timer_closed(uv_handle_t *handle)
{
    release(handle->data);
}

void ag_store_close(struct ag_store *store, void (*closed)(void *context), void *context)
{
    store->closed = closed;
    store->closed_context = context;
    change_state(store, STORE_CLOSED);
    store->open = 1;
    while (store->first != NULL) {
        free(take_first(store));
    }
    if (store->pg != NULL) {
        store->open++;
        lm_pg_close(store->pg, release, store);
    }
    uv_close((uv_handle_t *)&store->timer, on_timer_closed);
}
