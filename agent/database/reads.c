/*
 * Positions of the primary are remembered with the moment of the question, which is no later than that of the
 * answer: the errors of this measure make a replica look further behind, never nearer.
 */
#include "agent/database/reads.h"

#include "agent/database/execute.h"
#include "common/clock.h"
#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLL_MS 1000
#define SILENT_US (3 * LM_SECOND_US) /* without a word of the replica's it is not read */
#define POSITIONS 256
#define IDENTITY_SIZE 64

enum server { PRIMARY, REPLICA };

struct position {
    uint64_t lsn;
    int64_t mono_us, wall_us; /* of the question */
};

struct ag_reads {
    struct ag_reads_options options;
    enum server server;
    unsigned generation;
    uv_timer_t timer;
    struct ag_execution *execution; /* of the poll under way */
    bool polling;
    struct position asked;                /* of the poll under way */
    struct position positions[POSITIONS]; /* of the primary; a ring */
    size_t first, count;
    char identity[IDENTITY_SIZE]; /* of the primary's cluster and database */
    struct position shown;        /* the newest one that the replica had replayed */
    int64_t heard_us;             /* when it said so */
    bool fits;                    /* it is a replica, and of this primary */
    void (*closed)(void *context);
    void *closed_context;
    struct lm_gauge *lag_gauge, *replica_gauge;
    struct lm_log_limit complaint;
};

#define IDENTITY_SQL                                                                                         \
    "(SELECT s.system_identifier || '/' || d.oid FROM pg_control_system() s, pg_database d WHERE d.datname " \
    "= "                                                                                                     \
    "current_database())"

static const char primary_sql[] = "SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint, " IDENTITY_SQL;
static const char replica_sql[] =
    "SELECT (pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::bigint, " IDENTITY_SQL ", pg_is_in_recovery()";

static void read_from(struct ag_reads *reads, enum server server, const char *why)
{
    if (reads->server == server) {
        return;
    }
    reads->server = server;
    reads->generation++;
    lm_gauge_set(reads->replica_gauge, server == REPLICA ? 1 : 0);
    lm_log(LM_LOG_INFO, "reads", "reading from the %s: %s", server == REPLICA ? "replica" : "primary", why);
}

static int64_t lag_us(const struct ag_reads *reads)
{
    return reads->shown.mono_us != 0 ? lm_clock_mono_us() - reads->shown.mono_us : INT64_MAX;
}

/* Comes back only when it is well within the limit, so that it does not go to and fro. */
static void decide(struct ag_reads *reads)
{
    const int64_t limit_us = *reads->options.max_lag_ms * 1000;
    const int64_t lag = lag_us(reads);
    if (reads->options.replica == NULL) {
        return;
    }
    if (ag_pool_up(reads->options.replica) == 0) {
        read_from(reads, PRIMARY, "no connection to the replica is up");
    } else if (!reads->fits) {
        read_from(reads, PRIMARY, "the replica is not one of this primary's");
    } else if (lm_clock_mono_us() - reads->heard_us > SILENT_US) {
        read_from(reads, PRIMARY, "the replica does not answer");
    } else if (reads->server == REPLICA && lag > limit_us + POLL_MS * 1000) {
        read_from(reads, PRIMARY, "the replica is too far behind");
    } else if (reads->server == PRIMARY && lag <= limit_us / 2) {
        read_from(reads, REPLICA, "it is near enough");
    }
}

static void measure(struct ag_reads *reads)
{
    const int64_t lag = lag_us(reads);
    if (lag != INT64_MAX) {
        lm_gauge_set(reads->lag_gauge, (double)lag / 1e6);
    }
}

/* ---- the poll ---- */

static uint64_t number(const char *text)
{
    return text != NULL ? strtoull(text, NULL, 10) : 0;
}

static void remember(struct ag_reads *reads, const struct position *position)
{
    reads->positions[(reads->first + reads->count) % POSITIONS] = *position;
    if (reads->count < POSITIONS) {
        reads->count++;
    } else {
        reads->first = (reads->first + 1) % POSITIONS;
    }
}

/* The newest position at or before `lsn`; those before it are of no use any more. */
static void find_shown(struct ag_reads *reads, uint64_t lsn)
{
    while (reads->count > 0 && reads->positions[reads->first].lsn <= lsn) {
        reads->shown = reads->positions[reads->first];
        reads->first = (reads->first + 1) % POSITIONS;
        reads->count--;
    }
}

static void end_poll(struct ag_reads *reads)
{
    reads->execution = NULL;
    reads->polling = false;
    decide(reads);
    measure(reads);
}

static void ask(struct ag_reads *reads, struct ag_pool *pool, const char *sql, size_t columns,
                ag_execute_done done)
{
    struct lm_error error;
    const struct ag_statement statement = {
        .sql = sql, .columns = columns, .max_rows = 1, .max_bytes = 4096, .timeout_ms = 2000};
    if (ag_execute(pool, &statement, done, reads, &reads->execution, &error) != 0) {
        end_poll(reads);
    }
}

static void on_replica(struct ag_fetched *fetched, const struct lm_error *error, void *context)
{
    struct ag_reads *reads = context;
    if (fetched == NULL) {
        lm_log_limited(&reads->complaint, LM_LOG_AGAIN_MS, LM_LOG_WARN, "reads",
                       "the replica cannot be asked how far it is: %s", error->text);
    } else if (fetched->rows == 1 && fetched->cells[0] != NULL && fetched->cells[1] != NULL) {
        reads->heard_us = lm_clock_mono_us();
        reads->fits = fetched->cells[2][0] == 't' &&
                      (reads->identity[0] == '\0' || strcmp(reads->identity, fetched->cells[1]) == 0);
        find_shown(reads, number(fetched->cells[0]));
    } else {
        reads->fits = false; /* a primary has replayed nothing */
        reads->heard_us = lm_clock_mono_us();
    }
    ag_fetched_free(fetched);
    end_poll(reads);
}

static void on_primary(struct ag_fetched *fetched, const struct lm_error *error, void *context)
{
    struct ag_reads *reads = context;
    (void)error; /* the connections' own condition says it */
    if (fetched != NULL && fetched->rows == 1 && fetched->cells[0] != NULL && fetched->cells[1] != NULL) {
        reads->asked.lsn = number(fetched->cells[0]);
        snprintf(reads->identity, sizeof(reads->identity), "%s", fetched->cells[1]);
        remember(reads, &reads->asked);
    }
    ag_fetched_free(fetched);
    ask(reads, reads->options.replica, replica_sql, 3, on_replica);
}

static void on_timer(uv_timer_t *timer)
{
    struct ag_reads *reads = timer->data;
    decide(reads);
    if (!reads->polling) {
        reads->polling = true;
        reads->asked = (struct position){.mono_us = lm_clock_mono_us(), .wall_us = lm_clock_wall_us()};
        if (ag_pool_up(reads->options.primary) > 0) {
            ask(reads, reads->options.primary, primary_sql, 2, on_primary);
        } else {
            ask(reads, reads->options.replica, replica_sql, 3, on_replica);
        }
    }
}

/* ---- what the owner asks ---- */

struct ag_pool *ag_reads_pool(struct ag_reads *reads)
{
    decide(reads);
    return reads->server == REPLICA ? reads->options.replica : reads->options.primary;
}

struct ag_pool *ag_reads_primary(const struct ag_reads *reads)
{
    return reads->options.primary;
}

unsigned ag_reads_generation(struct ag_reads *reads)
{
    decide(reads);
    return reads->generation;
}

int64_t ag_reads_as_of(struct ag_reads *reads)
{
    decide(reads);
    return reads->server == REPLICA ? reads->shown.wall_us : lm_clock_wall_us();
}

int ag_reads_open(const struct ag_reads_options *options, struct ag_reads **out, struct lm_error *error)
{
    struct ag_reads *reads = calloc(1, sizeof(*reads));
    if (reads == NULL) {
        return lm_error_set(error, LM_FATAL, "memory", "out of memory for the choice of a server");
    }
    reads->options = *options;
    reads->lag_gauge = lm_gauge(options->metrics, "logmill_agent_replica_lag_seconds", NULL,
                                "How far the replica is behind the primary.");
    reads->replica_gauge = lm_gauge(options->metrics, "logmill_agent_replica_read", NULL,
                                    "1 while the replica is read, 0 while the primary is.");
    (void)uv_timer_init(options->loop, &reads->timer);
    reads->timer.data = reads;
    if (options->replica != NULL) {
        uv_timer_start(&reads->timer, on_timer, 0, POLL_MS);
    }
    *out = reads;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct ag_reads *reads = handle->data;
    void (*closed)(void *) = reads->closed;
    void *context = reads->closed_context;
    free(reads);
    closed(context);
}

void ag_reads_close(struct ag_reads *reads, void (*closed)(void *context), void *context)
{
    reads->closed = closed;
    reads->closed_context = context;
    if (reads->execution != NULL) {
        ag_execute_cancel(reads->execution);
    }
    uv_close((uv_handle_t *)&reads->timer, on_closed);
}
