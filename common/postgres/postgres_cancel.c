/*
 * Cancel requests. PQcancel blocks until the server has hung up on it, so it runs on libuv's thread pool;
 * libpq documents it as safe there. No statement of the connection starts meanwhile, so that a late request
 * never hits the next one.
 */
#include "common/log.h"
#include "common/postgres/postgres_internal.h"

#include <stdlib.h>

/* Thread pool: PQcancel connects, sends and waits for the server to hang up, and is documented as safe here.
 */
static void cancel_work(uv_work_t *work)
{
    struct pg_cancel *cancel = work->data;
    cancel->complaint[0] = '\0';
    if (PQcancel(cancel->packet, cancel->complaint, sizeof(cancel->complaint)) == 1)
        cancel->complaint[0] = '\0';
}

static void cancel_forget(struct pg_cancel *cancel)
{
    struct pg_cancel **link = &cancel->pg->cancels;
    while (*link != cancel)
        link = &(*link)->next;
    *link = cancel->next;
}

static void cancel_done(uv_work_t *work, int status)
{
    struct pg_cancel *cancel = work->data;
    struct lm_pg *pg = cancel->pg;
    if (status == 0 && cancel->complaint[0] != '\0')
        lm_log(LM_LOG_WARN, "postgres", "a cancel request did not go through: %s", cancel->complaint);
    if (pg != NULL) {
        cancel_forget(cancel);
        if (cancel->done != NULL)
            cancel->done(cancel->context);
        if (pg->state == PG_READY)
            pg_run_next(pg);
    }
    PQfreeCancel(cancel->packet);
    free(cancel);
}

static bool cancel_start(struct lm_pg *pg, void (*done)(void *context), void *context)
{
    if (pg->state < PG_READY || pg->state >= PG_LOST)
        return false;
    struct pg_cancel *cancel = calloc(1, sizeof(*cancel));
    if (cancel == NULL)
        return false;
    cancel->packet = PQgetCancel(pg->conn);
    cancel->pg = pg;
    cancel->done = done;
    cancel->context = context;
    cancel->work.data = cancel;
    if (cancel->packet == NULL || uv_queue_work(pg->loop, &cancel->work, cancel_work, cancel_done) != 0) {
        PQfreeCancel(cancel->packet);
        free(cancel);
        return false;
    }
    cancel->next = pg->cancels;
    pg->cancels = cancel;
    return true;
}

void lm_pg_cancel(struct lm_pg *pg, void (*done)(void *context), void *context)
{
    if (!cancel_start(pg, done, context) && done != NULL)
        done(context);
}
