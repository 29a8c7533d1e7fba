/*
 * Each slot is a small state machine: down → opening → warming → idle → taken → idle …, and down again from
 * anywhere when the connection is lost. A connection that is lost while taken tells its holder through the
 * holder's own statement; the slot only remembers that there is nothing left to give back.
 *
 * Health: the adapter sees a server that closes at once. One that has vanished without a word is met by the
 * deadlines of whoever asks next (execute.c), who then gives the connection back as broken.
 */
#include "agent/database/pool.h"

#include "agent/database/refused.h"
#include "common/backoff.h"
#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum slot_state { SLOT_DOWN, SLOT_OPENING, SLOT_WARMING, SLOT_IDLE, SLOT_TAKEN, SLOT_CLOSING };

struct slot {
    struct ag_pool *pool;
    struct lm_pg *pg; /* NULL in SLOT_DOWN */
    enum slot_state state;
    int migration;            /* of the database, in SLOT_WARMING */
    struct ag_waiter *holder; /* in SLOT_TAKEN */
    struct lm_backoff backoff;
    uv_timer_t timer;
};

struct ag_pool {
    struct ag_pool_options options;
    struct slot *slots;
    unsigned size;
    struct ag_waiter *first, *last;
    unsigned waiting;
    unsigned open_handles;
    bool closing;
    void (*closed)(void *context);
    void *closed_context;
    struct lm_gauge *up_gauge, *taken_gauge, *waiting_gauge;
    struct lm_log_limit complaint;
    bool not_migrated; /* the last connection failed for that */
};

/* Fails where logmill-ctl migrate has never run (42P01), or no present one (42501). */
static const char migration_sql[] = "SELECT max(number) FROM public.logmill_migration";

/* Loads what the first statement would otherwise load: the partition tree, the views, their columns; and
 * makes the plans that stay. */
static const char warming[] =
    "SELECT 1 FROM logs WHERE created_at >= '2000-01-01 00:00:00+00' AND created_at < "
    "'2000-01-01 00:00:01+00'; SELECT 1 FROM log_rollup_minute WHERE minute = '2000-01-01 00:00:00+00'; "
    "SELECT behind_since('0'); "
    "SELECT 1 FROM log_total('2000-01-01 00:00:00+00', '2000-01-03 00:00:00+00', 'day', 'UTC'); "
    "SELECT 1 FROM log_count('2000-01-01 00:00:00+00', '2000-01-03 00:00:00+00', 'day', 'UTC', '', NULL, "
    "NULL); "
    "SELECT 1 FROM log_count('2000-01-01 00:00:00+00', '2000-01-03 00:00:00+00', 'day', 'UTC', '', NULL, "
    "ARRAY[''])";

static void open_slot(struct slot *slot);

static const char *const state_names[] = {"down", "opening", "warming", "idle", "taken", "closing"};

static void change_state(struct slot *slot, enum slot_state to)
{
    if (slot->state == SLOT_CLOSING) {
        return;
    }
    const bool known = to == SLOT_CLOSING || to == SLOT_DOWN ||
                       (to == SLOT_OPENING && slot->state == SLOT_DOWN) ||
                       (to == SLOT_WARMING && slot->state == SLOT_OPENING) ||
                       (to == SLOT_IDLE && (slot->state == SLOT_WARMING || slot->state == SLOT_TAKEN)) ||
                       (to == SLOT_TAKEN && slot->state == SLOT_IDLE);
    if (!known) {
        lm_log(LM_LOG_ERROR, "pool", "a connection cannot go from %s to %s", state_names[slot->state],
               state_names[to]);
        return;
    }
    if (to != SLOT_TAKEN && slot->state != SLOT_TAKEN) {
        lm_log(LM_LOG_DEBUG, "pool", "connection: %s -> %s", state_names[slot->state], state_names[to]);
    }
    slot->state = to;
}

uv_loop_t *ag_pool_loop(const struct ag_pool *pool)
{
    return pool->options.loop;
}

unsigned ag_pool_up(const struct ag_pool *pool)
{
    unsigned up = 0;
    for (unsigned i = 0; i < pool->size; i++) {
        up += pool->slots[i].state == SLOT_IDLE || pool->slots[i].state == SLOT_TAKEN ? 1 : 0;
    }
    return up;
}

static void measure(struct ag_pool *pool)
{
    unsigned taken = 0;
    for (unsigned i = 0; i < pool->size; i++) {
        taken += pool->slots[i].state == SLOT_TAKEN ? 1 : 0;
    }
    lm_gauge_set(pool->up_gauge, ag_pool_up(pool));
    lm_gauge_set(pool->taken_gauge, taken);
    lm_gauge_set(pool->waiting_gauge, pool->waiting);
}

static void unlink_waiter(struct ag_pool *pool, struct ag_waiter *waiter)
{
    *(waiter->previous != NULL ? &waiter->previous->next : &pool->first) = waiter->next;
    *(waiter->next != NULL ? &waiter->next->previous : &pool->last) = waiter->previous;
    waiter->next = waiter->previous = NULL;
    waiter->waiting = false;
    pool->waiting--;
}

static void refuse_waiters(struct ag_pool *pool, const struct lm_error *error)
{
    while (pool->first != NULL) {
        struct ag_waiter *waiter = pool->first;
        unlink_waiter(pool, waiter);
        waiter->ready(NULL, error, waiter->context);
    }
}

static unsigned held_by(const struct ag_pool *pool, const char *asker)
{
    unsigned held = 0;
    for (unsigned i = 0; i < pool->size; i++) {
        const struct slot *slot = &pool->slots[i];
        held += slot->state == SLOT_TAKEN && strcmp(slot->holder->asker, asker) == 0 ? 1 : 0;
    }
    return held;
}

static struct ag_waiter *next_waiter(const struct ag_pool *pool)
{
    struct ag_waiter *next = NULL;
    unsigned fewest = pool->size - pool->size / 4;
    for (struct ag_waiter *waiter = pool->first; waiter != NULL; waiter = waiter->next) {
        const unsigned held = waiter->asker[0] != '\0' ? held_by(pool, waiter->asker) : 0;
        if (held < fewest) {
            fewest = held;
            next = waiter;
        }
    }
    return next;
}

static void serve(struct slot *slot)
{
    struct ag_pool *pool = slot->pool;
    struct ag_waiter *waiter = slot->state == SLOT_IDLE && !pool->closing ? next_waiter(pool) : NULL;
    if (waiter != NULL) {
        unlink_waiter(pool, waiter);
        change_state(slot, SLOT_TAKEN);
        slot->holder = waiter;
        waiter->ready(slot->pg, NULL, waiter->context);
    }
    measure(pool);
}

static void on_again(uv_timer_t *timer)
{
    open_slot(timer->data);
}

/* Nothing of the connection is left; tries again after a while. */
static void slot_down(struct slot *slot, const struct lm_error *error)
{
    struct ag_pool *pool = slot->pool;
    slot->pg = NULL;
    if (slot->state == SLOT_CLOSING) {
        return;
    }
    change_state(slot, SLOT_DOWN);
    const uint32_t delay = lm_backoff_next(&slot->backoff);
    uv_timer_start(&slot->timer, on_again, delay, 0);
    lm_log_limited(&pool->complaint, LM_LOG_AGAIN_MS, LM_LOG_WARN, "pool",
                   "no connection to PostgreSQL, again in %u ms: %s", delay, error->text);
    if (ag_pool_up(pool) == 0) {
        char takes[64];
        (void)snprintf(takes, sizeof(takes), "up to %u connections as this role (pool.size)", pool->size);
        ag_refused(pool->options.condition, error, takes);
        refuse_waiters(pool, error);
    }
    measure(pool);
}

static void on_lost(struct lm_pg *pg, const struct lm_error *error, void *context)
{
    struct slot *slot = context;
    struct ag_waiter *holder = slot->state == SLOT_TAKEN ? slot->holder : NULL;
    (void)pg;
    if (holder != NULL && holder->lost != NULL) {
        holder->lost(holder->context);
    }
    slot_down(slot, error);
}

static void slot_idle(struct slot *slot)
{
    change_state(slot, SLOT_IDLE);
    if (slot->pool->options.condition != NULL) {
        lm_condition_set(slot->pool->options.condition, NULL);
    }
    serve(slot);
}

static void on_warm(const struct lm_error *error, void *context)
{
    struct slot *slot = context;
    if (slot->state != SLOT_WARMING) {
        return;
    }
    if (error == NULL) {
        lm_backoff_reset(&slot->backoff);
        slot_idle(slot);
    } else if (strcmp(error->kind, "connection_lost") != 0) {
        /* Most likely the views are not there or not ours to read: the schema is not migrated. Say so and try
         * again. */
        struct lm_error told = *error;
        lm_pg_close(slot->pg, NULL, NULL);
        slot_down(slot, &told);
    }
    /* A broken connection comes through on_lost. */
}

static void on_migration_row(const PGresult *result, void *context)
{
    struct slot *slot = context;
    const bool known = PQntuples(result) == 1 && PQgetisnull(result, 0, 0) == 0;
    slot->migration = known ? atoi(PQgetvalue(result, 0, 0)) : 0;
}

static void on_migration(const struct lm_error *error, void *context)
{
    struct slot *slot = context;
    struct ag_pool *pool = slot->pool;
    struct lm_error failure;
    if (slot->state != SLOT_WARMING || (error != NULL && strcmp(error->kind, "connection_lost") == 0)) {
        return; /* comes through on_lost */
    }
    pool->not_migrated =
        slot->migration < pool->options.migration && (error == NULL || error->decision == LM_FATAL);
    if (pool->not_migrated && slot->migration > 0) {
        lm_error_set(&failure, LM_RETRY, "not_migrated",
                     "the database is at migration %d, this agent needs %d: run logmill-ctl migrate",
                     slot->migration, pool->options.migration);
    } else if (pool->not_migrated) {
        lm_error_set(&failure, LM_RETRY, "not_migrated",
                     "the database has not been migrated to %d: run logmill-ctl migrate (%s)",
                     pool->options.migration, error != NULL ? error->text : "no migration");
    } else if (error != NULL) {
        failure = *error;
    } else {
        const struct lm_pg_request warm = {.sql = warming, .done = on_warm, .context = slot};
        if (lm_pg_send(slot->pg, &warm, &failure) == 0) {
            return;
        }
    }
    lm_pg_close(slot->pg, NULL, NULL);
    slot_down(slot, &failure);
}

static void on_opened(struct lm_pg *pg, const struct lm_error *error, void *context)
{
    struct slot *slot = context;
    struct lm_error failure;
    if (error != NULL) {
        slot_down(slot, error);
        return;
    }
    change_state(slot, SLOT_WARMING);
    slot->migration = 0;
    const struct lm_pg_request migration = {
        .sql = migration_sql, .result = on_migration_row, .done = on_migration, .context = slot};
    if (lm_pg_send(pg, &migration, &failure) != 0) {
        lm_pg_close(pg, NULL, NULL);
        slot_down(slot, &failure);
    }
}

/* What every statement runs with: RESET ALL comes back to it. */
static const char settings[] = "-c search_path=logmill_read,pg_temp -c timezone=UTC -c datestyle=ISO,MDY "
                               "-c intervalstyle=postgres -c bytea_output=hex -c extra_float_digits=1 "
                               "-c standard_conforming_strings=on";

static void open_slot(struct slot *slot)
{
    struct lm_error error;
    if (slot->state != SLOT_DOWN) {
        return;
    }
    const struct lm_pg_options options = {.loop = slot->pool->options.loop,
                                          .conninfo = slot->pool->options.conninfo,
                                          .application_name = "logmill-agent",
                                          .settings = settings,
                                          .opened = on_opened,
                                          .lost = on_lost,
                                          .context = slot};
    change_state(slot, SLOT_OPENING);
    if (lm_pg_open(&options, &slot->pg, &error) != 0) {
        slot_down(slot, &error);
    }
}

int ag_pool_open(const struct ag_pool_options *options, struct ag_pool **out, struct lm_error *error)
{
    struct ag_pool *pool = calloc(1, sizeof(*pool));
    struct slot *slots = calloc(options->size, sizeof(*slots));
    if (pool == NULL || slots == NULL) {
        free(pool);
        free(slots);
        return lm_error_set(error, LM_FATAL, "memory", "out of memory for %u connections", options->size);
    }
    *pool = (struct ag_pool){.options = *options, .slots = slots, .size = options->size};
    pool->up_gauge = lm_gauge(options->metrics, "logmill_agent_connections", options->labels,
                              "Reading connections that are up.");
    pool->taken_gauge = lm_gauge(options->metrics, "logmill_agent_connections_taken", options->labels,
                                 "Reading connections in use.");
    pool->waiting_gauge = lm_gauge(options->metrics, "logmill_agent_connection_waiters", options->labels,
                                   "Statements that wait for a connection.");
    for (unsigned i = 0; i < pool->size; i++) {
        slots[i].pool = pool;
        lm_backoff_init(&slots[i].backoff, 100, 5000, 0);
        /* Cannot fail: it only links the handle into the loop. */
        (void)uv_timer_init(options->loop, &slots[i].timer);
        slots[i].timer.data = &slots[i];
    }
    for (unsigned i = 0; i < pool->size; i++) {
        open_slot(&slots[i]);
    }
    *out = pool;
    return 0;
}

int ag_pool_why(const struct ag_pool *pool, struct lm_error *error)
{
    return pool->not_migrated
               ? lm_error_set(error, LM_RETRY, "not_migrated",
                              "the database lacks migrations of this agent's")
               : lm_error_set(error, LM_RETRY, "unavailable", "no connection to PostgreSQL is up");
}

int ag_pool_acquire(struct ag_pool *pool, struct ag_waiter *waiter, struct lm_error *error)
{
    if (pool->closing || ag_pool_up(pool) == 0) {
        return ag_pool_why(pool, error);
    }
    if (pool->waiting >= pool->options.max_waiters) {
        return lm_error_set(error, LM_FATAL, "busy", "%u statements wait for a connection already",
                            pool->waiting);
    }
    waiter->waiting = true;
    waiter->next = NULL;
    waiter->previous = pool->last;
    *(pool->last != NULL ? &pool->last->next : &pool->first) = waiter;
    pool->last = waiter;
    pool->waiting++;
    for (unsigned i = 0; i < pool->size && pool->first != NULL; i++) {
        serve(&pool->slots[i]);
    }
    measure(pool);
    return 0;
}

void ag_pool_forget(struct ag_pool *pool, struct ag_waiter *waiter)
{
    if (waiter->waiting) {
        unlink_waiter(pool, waiter);
        measure(pool);
    }
}

void ag_pool_release(struct ag_pool *pool, struct lm_pg *pg, bool broken)
{
    for (unsigned i = 0; i < pool->size; i++) {
        struct slot *slot = &pool->slots[i];
        if (slot->pg != pg || slot->state != SLOT_TAKEN) {
            continue;
        }
        if (broken) {
            struct lm_error error;
            lm_pg_close(pg, NULL, NULL);
            lm_error_set(&error, LM_RETRY, "connection", "a connection was given up");
            slot_down(slot, &error);
        } else {
            change_state(slot, SLOT_IDLE);
            serve(slot);
        }
        return;
    }
}

static void release_handle(struct ag_pool *pool)
{
    if (--pool->open_handles > 0) {
        return;
    }
    void (*closed)(void *) = pool->closed;
    void *context = pool->closed_context;
    free(pool->slots);
    free(pool);
    if (closed != NULL) {
        closed(context);
    }
}

static void on_timer_closed(uv_handle_t *handle)
{
    release_handle(((struct slot *)handle->data)->pool);
}

static void on_pg_closed(void *context)
{
    release_handle(context);
}

void ag_pool_close(struct ag_pool *pool, void (*closed)(void *context), void *context)
{
    struct lm_error error;
    pool->closing = true;
    pool->closed = closed;
    pool->closed_context = context;
    lm_error_set(&error, LM_RETRY, "unavailable", "the agent is stopping");
    refuse_waiters(pool, &error);
    pool->open_handles = 1;
    for (unsigned i = 0; i < pool->size; i++) {
        struct slot *slot = &pool->slots[i];
        struct lm_pg *pg = slot->pg;
        struct ag_waiter *holder = slot->state == SLOT_TAKEN ? slot->holder : NULL;
        change_state(slot, SLOT_CLOSING);
        slot->pg = NULL;
        pool->open_handles++;
        uv_close((uv_handle_t *)&slot->timer, on_timer_closed);
        if (pg != NULL) {
            pool->open_handles++;
            if (holder != NULL) {
                lm_pg_cancel(pg, NULL, NULL);
            }
            lm_pg_close(pg, on_pg_closed, pool);
        }
        if (holder != NULL) {
            holder->revoked(holder->context);
        }
    }
    release_handle(pool);
}
