/*
 * One question on its way through the five stages: retrieve_schema → generate_sql → validate_sql →
 * execute_query → generate_insight (stages.c has the table). A run belongs to the loop; stages marked so work
 * on libuv's thread pool, and then nothing else touches the run until they are back.
 */
#ifndef LOGMILL_AGENT_RUN_H
#define LOGMILL_AGENT_RUN_H

#include "agent/access/access.h"
#include "agent/answer/answer.h"
#include "agent/cache/cache.h"
#include "agent/cache/shared_cache.h"
#include "agent/catalogue/names.h"
#include "agent/config.h"
#include "agent/database/audit.h"
#include "agent/database/execute.h"
#include "agent/failure.h"
#include "agent/request.h"
#include "agent/run/asking.h"
#include "agent/run/events.h"
#include "agent/run/export.h"
#include "agent/run/step.h"
#include "agent/run/turns.h"
#include "agent/sql/sql.h"
#include "agent/understand/understand.h"
#include "common/http/http_server.h"

#define AG_MAX_ATTEMPTS 3
#define AG_RUN_ARENA ((size_t)8 << 20)

struct ag_run;

/* How a question came in. */
enum ag_way { AG_WAY_QUERY, AG_WAY_EVENTS, AG_WAY_EXPLAIN, AG_WAY_EXPORT };

/* What every run works with; all of it outlives the runs. */
struct ag_runs {
    uv_loop_t *loop;
    const struct ag_config *config;
    const struct ag_vocabulary *vocabulary;
    struct ag_reads *reads;
    struct ag_names *names;
    struct ag_epochs *epochs;
    struct ag_cache *cache;
    struct ag_shared_cache *shared;
    struct ag_audit *audit;
    struct ag_model *model; /* NULL: none is configured */
    struct lm_metrics *metrics;
    struct lm_histogram *seconds;
    struct ag_turns *turns;
    struct ag_run *first; /* under way, or waiting for their turn */
    unsigned count;
    unsigned exports; /* of them */
    bool stopping;
    void (*drained)(void *context); /* called when `count` falls to 0 while stopping */
    void *drained_context;
};

struct ag_stage {
    const char *name;
    bool off_loop; /* on the thread pool */
    enum ag_step (*step)(struct ag_run *run);
};

/* In order; `count` of them. */
extern const struct ag_stage ag_stages[];
extern const size_t ag_stage_count;
enum { AG_STAGE_SCHEMA, AG_STAGE_SQL, AG_STAGE_GUARD, AG_STAGE_EXECUTE, AG_STAGE_INSIGHT };

struct ag_run {
    struct ag_runs *runs;
    struct ag_run *next, *previous;
    struct lm_http_request *http; /* NULL once the client has gone, and for a question on a WebSocket */
    struct ag_caller *caller;     /* held */
    enum ag_way way;
    bool explain;            /* POST /explain: ends after validate_sql */
    struct ag_export export; /* POST /export */
    struct ag_events events; /* where they are wanted */
    char id[AG_REQUEST_ID_SIZE];
    char address[64];
    int64_t wall_us;
    int64_t started_us; /* monotonic */
    struct lm_arena arena;
    struct ag_request request;
    size_t stage;
    unsigned attempts;
    struct ag_turn turn;
    bool working; /* on the thread pool */
    uv_work_t work;
    enum ag_step outcome; /* of the stage that worked there */

    struct ag_names_copy *names;
    struct ag_kept kept;
    struct ag_names_waiter names_waiter;
    bool names_read; /* once for this question already */

    struct ag_understanding understanding;
    struct ag_asking asking;
    bool no_rollups; /* a later attempt: read rows only */
    bool on_primary; /* a later attempt: the replica could not */
    int64_t seen_us; /* what was committed until then is in the answer; wall clock */
    struct ag_sql sql;
    json_t *intent;
    char *intent_text;
    char *judged; /* what the guard lets run; malloc */

    int64_t rows_since_us; /* of the categories asked for; INT64_MIN: nothing was dropped */
    int64_t counts_since_us;

    uint8_t key[AG_KEY_SIZE];
    bool keyed;
    bool closed_window;
    int64_t until_us; /* an open window's entry is good until then; monotonic */
    struct ag_shared_lookup lookup;
    struct ag_execution *execution;
    struct ag_fetched *fetched;
    struct ag_run *leader;    /* runs the same question: this run waits for its result */
    struct ag_run *followers; /* wait for this run's result; linked by next_follower */
    struct ag_run *next_follower;

    struct ag_result *result;
    const char *cached; /* "process", "redis", or NULL */
    struct ag_failure failure;
};

/* Takes a request in: answers it at once when it is unfit, else starts a run. */
void ag_run_start(struct ag_runs *runs, struct lm_http_request *http, struct ag_caller *caller,
                  enum ag_way way);
/* A question on a connection that has many. */
struct ag_asked {
    const char *id; /* printable ASCII, 1 to AG_REQUEST_ID_SIZE - 1 bytes; copied, as all of it */
    const char *address;
    json_t *request;                   /* an object as the body of POST /query has it */
    const struct ag_events_sink *sink; /* is told the way and the end, maybe from inside ag_run_ask */
    void *to;
};
/* *out is the run from before the sink is told anything until its end. */
void ag_run_ask(struct ag_runs *runs, struct ag_caller *caller, const struct ag_asked *asked,
                struct ag_run **out);
/* The client wants no answer any more: tells the sink so. The run is not the caller's any longer. */
void ag_run_cancel(struct ag_run *run);
/* The client has gone: tells the sink nothing. */
void ag_run_abandon(struct ag_run *run);
/* Whose question it is, for taking turns: an API key, else an address. */
const char *ag_run_asker(const struct ag_run *run);
/* An export of records, which are sent while they are read; other exports are answers of another form. */
bool ag_run_streams(const struct ag_run *run);
/* From the loop, after AG_STEP_WAIT: goes on with `step`. */
void ag_run_resume(struct ag_run *run, enum ag_step step);
/* Ends every run with 503. For a stop that does not wait. */
void ag_runs_abort(struct ag_runs *runs);

/* The body of a finished run's answer; false without memory. reply.c. */
bool ag_reply_write(const struct ag_run *run, struct lm_buffer *out);
/* The shared part of an answer, from the fetched rows: sets run->result. Any thread. */
int ag_reply_result(struct ag_run *run, struct lm_error *error) LM_MUST_CHECK;
/* Sets run->key and what a cached answer is good for. */
void ag_run_make_key(struct ag_run *run);

#endif
