/*
 * Drives a run through the table of stages. Runs that ask the same at the same time share one execution: the
 * first is the leader, the others follow and get its result or its failure. A client that goes away takes its
 * run with it, unless others follow; the statement in the server is cancelled when nobody waits for it any
 * more.
 */
#include "agent/run/run_internal.h"

#include "common/clock.h"
#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define MOST_BYTES_HERE ((size_t)256 << 10) /* of cells made an answer on the loop */

static void advance(struct ag_run *run, enum ag_step step);
static void do_stage(struct ag_run *run);

void ag_run_count(struct ag_runs *runs, const char *outcome)
{
    struct lm_buffer label;
    char memory[128];
    lm_buffer_init(&label, sizeof(memory));
    lm_metrics_label(&label, "outcome", outcome);
    lm_counter_add(lm_counter(runs->metrics, "logmill_agent_questions_total", lm_buffer_text(&label),
                              "Questions by what came of them."),
                   1);
    lm_buffer_free(&label);
}

/* ---- the end of a run ---- */

static void audit(struct ag_run *run, const char *verdict)
{
    const char *key = run->caller->key.prefix;
    const struct ag_audit_row row = {.at_us = run->wall_us,
                                     .request_id = run->id,
                                     .key = key[0] != '\0' ? key : NULL,
                                     .role =
                                         key[0] != '\0' ? ag_key_role_name(run->caller->role) : "anonymous",
                                     .address = run->address,
                                     .question = run->request.question,
                                     .question_len = run->request.question_len,
                                     .sql = run->judged != NULL ? run->judged : run->sql.text,
                                     .parameters = run->intent_text,
                                     .engine = run->asking.asked ? "llm" : "builtin",
                                     .verdict = verdict,
                                     .rows = run->result != NULL ? (int64_t)run->result->rows
                                             : run->export.open  ? (int64_t)run->export.rows
                                                                 : -1,
                                     .bytes = run->result != NULL ? (int64_t)run->result->bytes
                                              : run->export.open  ? (int64_t)run->export.bytes
                                                                  : -1,
                                     .duration_ms = (double)(lm_clock_mono_us() - run->started_us) / 1000.0,
                                     .cached = run->cached};
    (void)ag_audit_add(run->runs->audit, &row);
}

void ag_run_free(struct ag_run *run)
{
    struct ag_runs *runs = run->runs;
    *(run->previous != NULL ? &run->previous->next : &runs->first) = run->next;
    if (run->next != NULL) {
        run->next->previous = run->previous;
    }
    runs->count--;
    runs->exports -= run->way == AG_WAY_EXPORT;
    json_decref(run->export.columns);
    ag_turn_end(runs->turns, &run->turn);
    ag_asking_free(run);
    json_decref(run->intent);
    free(run->intent_text);
    free(run->judged);
    ag_fetched_free(run->fetched);
    ag_result_drop(run->result);
    ag_failure_clear(&run->failure);
    ag_names_drop(run->names);
    ag_caller_drop(run->caller);
    lm_arena_free(&run->arena);
    free(run);
    if (runs->count == 0 && runs->stopping && runs->drained != NULL) {
        void (*drained)(void *) = runs->drained;
        runs->drained = NULL;
        drained(runs->drained_context);
    }
}

static void reply_answer(struct ag_run *run)
{
    struct lm_buffer out;
    if (run->way == AG_WAY_EXPORT) {
        lm_http_reply_header(run->http, "Cache-Control", "no-store");
        lm_http_reply(run->http, 200, ag_export_type(run->export.format), run->result->body,
                      run->result->len);
        return;
    }
    lm_buffer_init(&out, (size_t)64 << 20);
    if (ag_reply_write(run, &out) && lm_buffer_text(&out) != NULL) {
        lm_http_reply_header(run->http, "Cache-Control", "no-store");
        lm_http_reply(run->http, 200, "application/json", out.data, out.len);
    } else {
        ag_failure_set(&run->failure, "unavailable", "out of memory for the answer", NULL);
        ag_failure_reply(run->http, &run->failure);
    }
    lm_buffer_free(&out);
}

const char *ag_run_asker(const struct ag_run *run)
{
    const char *key = run->caller->key.prefix;
    return key[0] != '\0' ? key : run->address;
}

bool ag_run_streams(const struct ag_run *run)
{
    return run->way == AG_WAY_EXPORT && run->sql.lists_rows;
}

/* Somebody waits for what comes of it. */
static bool is_wanted(const struct ag_run *run)
{
    return run->http != NULL || run->events.sink != NULL;
}

static const char *const verdicts[] = {[AG_WAY_QUERY] = "answered",
                                       [AG_WAY_EVENTS] = "answered",
                                       [AG_WAY_EXPLAIN] = "explained",
                                       [AG_WAY_EXPORT] = "exported"};

/* Answers, audits, frees. */
static void finish(struct ag_run *run)
{
    struct ag_runs *runs = run->runs;
    const char *verdict = run->failure.code;
    if (verdict == NULL) {
        verdict = is_wanted(run) ? verdicts[run->way] : "abandoned";
    }
    audit(run, verdict);
    ag_run_count(runs, verdict);
    if (is_wanted(run)) {
        lm_histogram_observe(runs->seconds, (double)(lm_clock_mono_us() - run->started_us) / 1e6);
        if (ag_run_streams(run)) {
            ag_export_finish(run);
        } else if (run->events.sink != NULL) {
            ag_events_finish(run);
        } else if (run->failure.code != NULL) {
            ag_failure_reply(run->http, &run->failure);
        } else {
            reply_answer(run);
        }
    }
    ag_run_free(run);
}

static void copy_failure(struct ag_run *to, const struct ag_run *from)
{
    ag_failure_set(&to->failure, from->failure.code, from->failure.message, from->failure.hint);
}

static void serve_followers(struct ag_run *run)
{
    while (run->followers != NULL) {
        struct ag_run *follower = run->followers;
        run->followers = follower->next_follower;
        follower->leader = NULL;
        if (run->result != NULL) {
            follower->result = ag_result_hold(run->result);
        } else {
            copy_failure(follower, run);
        }
        finish(follower);
    }
}

void ag_run_end(struct ag_run *run)
{
    serve_followers(run);
    finish(run);
}

/* ---- sharing ---- */

static void leave_leader(struct ag_run *run)
{
    struct ag_run **at = &run->leader->followers;
    while (*at != NULL && *at != run) {
        at = &(*at)->next_follower;
    }
    if (*at == run) {
        *at = run->next_follower;
    }
    run->leader = NULL;
}

/* The run that executes the same question already, if there is one. */
static struct ag_run *find_leader(const struct ag_run *run)
{
    for (struct ag_run *other = run->runs->first; other != NULL; other = other->next) {
        if (other != run && other->keyed && !other->explain && other->leader == NULL &&
            other->stage >= AG_STAGE_GUARD && !other->request.refresh &&
            memcmp(other->key, run->key, AG_KEY_SIZE) == 0) {
            return other;
        }
    }
    return NULL;
}

static void stop_waiting(struct ag_run *run)
{
    ag_names_forget(run->caller->sight->names, &run->names_waiter);
    ag_asking_stop(run);
    ag_shared_forget(&run->lookup);
    if (run->execution != NULL) {
        struct ag_execution *execution = run->execution;
        run->execution = NULL;
        ag_execute_cancel(execution);
    }
}

/* Nobody waits for the run. Where it works on the thread pool its end comes when it is back. */
static void give_up(struct ag_run *run)
{
    if (run->working) {
        return;
    }
    stop_waiting(run);
    finish(run);
}

void ag_run_abandon(struct ag_run *run)
{
    run->http = NULL;
    run->events.sink = NULL;
    if (run->leader != NULL) {
        struct ag_run *leader = run->leader;
        leave_leader(run);
        finish(run);
        if (!is_wanted(leader) && leader->followers == NULL) {
            give_up(leader);
        }
        return;
    }
    if (run->followers == NULL) {
        give_up(run);
    }
}

void ag_run_cancel(struct ag_run *run)
{
    ag_events_cancel(&run->events);
    ag_run_abandon(run);
}

/* ---- the stages ---- */

static void work(uv_work_t *request)
{
    struct ag_run *run = request->data;
    run->outcome = ag_stages[run->stage].step(run);
}

static void worked(uv_work_t *request, int status)
{
    struct ag_run *run = request->data;
    run->working = false;
    if (status != 0 || (!is_wanted(run) && run->followers == NULL) || run->runs->stopping) {
        if (run->runs->stopping && run->failure.code == NULL) {
            ag_failure_set(&run->failure, "unavailable", "the agent is stopping", NULL);
        }
        ag_run_end(run);
        return;
    }
    advance(run, run->outcome);
}

static void on_names(void *context)
{
    struct ag_run *run = context;
    ag_names_drop(run->names);
    run->names = ag_names_hold(run->caller->sight->names);
    run->kept = ag_names_kept(run->runs->names);
    ag_failure_clear(&run->failure);
    advance(run, AG_STEP_AGAIN);
}

/* The names are read once for a question; a name that is still unknown then is not in the data. */
static bool wait_for_names(struct ag_run *run)
{
    if (run->names_read) {
        return false;
    }
    run->names_read = true;
    run->names_waiter = (struct ag_names_waiter){.read = on_names, .context = run};
    return ag_names_read_now(run->caller->sight->names, &run->names_waiter);
}

/* What Redis has for it. */
static void on_shared(struct ag_result *result, const struct ag_validity *validity, void *context)
{
    struct ag_run *run = context;
    if (result == NULL) {
        do_stage(run);
        return;
    }
    ag_cache_put(run->runs->cache, run->key, result, validity);
    run->result = result;
    run->cached = "redis";
    ag_run_end(run);
}

/* Nobody can say that a name is unknown while it cannot be looked for. */
static void cannot_look_up(struct ag_run *run)
{
    struct lm_error why;
    (void)ag_pool_why(ag_reads_pool(run->runs->reads), &why);
    const bool migrate = strcmp(why.kind, "not_migrated") == 0;
    ag_failure_clear(&run->failure);
    ag_failure_set(&run->failure, "unavailable", why.text,
                   migrate ? "run logmill-ctl migrate" : "ask again in a moment");
}

/* True when the run has what it needs, or waits for another's, or for what Redis has. */
static bool take_ready(struct ag_run *run)
{
    if (run->asking.wrote_sql) {
        return false; /* what another attempt may replace is nobody else's */
    }
    ag_run_make_key(run);
    if (!run->keyed || run->request.refresh) {
        return false;
    }
    run->result = ag_cache_get(run->runs->cache, run->key);
    if (run->result != NULL) {
        run->cached = "process";
        ag_run_end(run);
        return true;
    }
    struct ag_run *leader = find_leader(run);
    if (leader != NULL) {
        run->leader = leader;
        run->next_follower = leader->followers;
        leader->followers = run;
        return true;
    }
    run->lookup = (struct ag_shared_lookup){.told = on_shared, .context = run};
    return run->kept.database[0] != '\0' && ag_shared_get(run->runs->shared, run->key, &run->lookup);
}

static void keep(struct ag_run *run)
{
    struct ag_validity validity = {
        .until_us = run->until_us,
        .spans = {run->sql.from_us, run->sql.to_us, run->sql.against_from_us, run->sql.against_to_us}};
    const char *const *prelude = run->fetched->prelude;
    if (run->closed_window) {
        if (prelude[1] == NULL || prelude[2] == NULL) {
            return;
        }
        validity.version = (struct ag_version){strtoll(prelude[1], NULL, 10), strtoll(prelude[2], NULL, 10)};
    }
    if (run->keyed) {
        ag_cache_put(run->runs->cache, run->key, run->result, &validity);
        if (run->kept.database[0] != '\0') {
            ag_shared_put(run->runs->shared, run->key, run->result, &validity);
        }
    }
}

void ag_run_stage(struct ag_run *run)
{
    if (run->stage == AG_STAGE_INSIGHT && ag_run_streams(run)) {
        ag_run_end(run);
        return;
    }
    if (run->stage == ag_stage_count) {
        if (ag_asking_insight(run)) {
            return;
        }
        keep(run);
        ag_asking_remember(run);
        ag_run_end(run);
        return;
    }
    ag_events_stage(run);
    if (run->stage == AG_STAGE_GUARD && run->way != AG_WAY_EXPLAIN && run->way != AG_WAY_EXPORT &&
        run->attempts == 1 && take_ready(run)) {
        return;
    }
    if (run->stage == AG_STAGE_EXECUTE && run->explain) {
        ag_run_end(run);
        return;
    }
    do_stage(run);
}

/* To wake a thread and be woken by it takes longer than what is done there, and while a run is alone nobody
 * waits for the loop. Who was told that names are read is not through with them before those that are told
 * after it. */
static bool works_here(const struct ag_run *run)
{
    return !ag_stages[run->stage].off_loop ||
           (run->runs->count == 1 && !run->names_read &&
            (run->stage != AG_STAGE_INSIGHT || run->fetched->bytes <= MOST_BYTES_HERE));
}

static void do_stage(struct ag_run *run)
{
    if (works_here(run)) {
        advance(run, ag_stages[run->stage].step(run));
        return;
    }
    run->work.data = run;
    run->working = true;
    if (uv_queue_work(run->runs->loop, &run->work, work, worked) != 0) {
        run->working = false;
        ag_failure_set(&run->failure, "unavailable", "no worker for the question", NULL);
        ag_run_end(run);
    }
}

static void advance(struct ag_run *run, enum ag_step step)
{
    switch (step) {
    case AG_STEP_WAIT:
        return;
    case AG_STEP_NEXT:
        run->stage++;
        ag_run_stage(run);
        return;
    case AG_STEP_AGAIN:
        run->stage = AG_STAGE_SQL;
        ag_run_stage(run);
        return;
    case AG_STEP_SERVER:
        run->names_read = false;
        if (!wait_for_names(run)) {
            cannot_look_up(run);
            ag_run_end(run);
        }
        return;
    case AG_STEP_NAMES:
        if (wait_for_names(run)) {
            return;
        }
        if (ag_pool_up(ag_reads_pool(run->runs->reads)) == 0) {
            cannot_look_up(run);
        }
        ag_run_end(run);
        return;
    case AG_STEP_MODEL:
        if (!ag_asking_start(run)) {
            ag_run_end(run);
        }
        return;
    case AG_STEP_ENDED:
        ag_run_stage(run);
        return;
    case AG_STEP_FAILED:
        ag_run_end(run);
        return;
    }
}

void ag_run_resume(struct ag_run *run, enum ag_step step)
{
    advance(run, step);
}

/* ---- making and stopping ---- */

static void take_id(char out[AG_REQUEST_ID_SIZE], const char *id)
{
    if (ag_request_id_usable(id)) {
        snprintf(out, AG_REQUEST_ID_SIZE, "%s", id);
        return;
    }
    uint64_t random = 0;
    if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        random = (uint64_t)lm_clock_mono_us();
    }
    snprintf(out, AG_REQUEST_ID_SIZE, "%016llx", (unsigned long long)random);
}

struct ag_run *ag_run_new(struct ag_runs *runs, struct ag_caller *caller, enum ag_way way, const char *id,
                          const char *address)
{
    struct ag_run *run = calloc(1, sizeof(*run));
    if (run == NULL) {
        return NULL;
    }
    run->runs = runs;
    run->caller = ag_caller_hold(caller);
    run->way = way;
    run->explain = way == AG_WAY_EXPLAIN;
    runs->exports += way == AG_WAY_EXPORT;
    run->wall_us = lm_clock_wall_us();
    run->started_us = lm_clock_mono_us();
    run->attempts = 1;
    take_id(run->id, id);
    snprintf(run->address, sizeof(run->address), "%s", address);
    lm_arena_init(&run->arena, AG_RUN_ARENA);
    run->names = ag_names_hold(caller->sight->names);
    run->next = runs->first;
    if (runs->first != NULL) {
        runs->first->previous = run;
    }
    runs->first = run;
    runs->count++;
    return run;
}

void ag_runs_abort(struct ag_runs *runs)
{
    struct ag_run *next = NULL;
    for (struct ag_run *run = runs->first; run != NULL; run = next) {
        next = run->next;
        if (run->working || run->leader != NULL) {
            continue; /* comes back from the thread pool, or ends with its leader */
        }
        /* The followers that end with it may be `next`: start over. */
        const bool followed = run->followers != NULL;
        stop_waiting(run);
        ag_failure_set(&run->failure, "unavailable", "the agent is stopping", NULL);
        ag_run_end(run);
        if (followed) {
            next = runs->first;
        }
    }
}
