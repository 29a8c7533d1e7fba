/*
 * Drives a run through the table of stages. Runs that ask the same at the same time share one execution: the
 * first is the leader, the others follow and get its result or its failure. A client that goes away takes its
 * run with it, unless others follow; the statement in the server is cancelled when nobody waits for it any
 * more.
 */
#include "agent/run.h"

#include "common/clock.h"
#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static void advance(struct ag_run *run, enum ag_step step);
static void do_stage(struct ag_run *run);

/* ---- taking a request in ---- */

static bool usable_id(const char *id)
{
    const size_t len = id != NULL ? strlen(id) : 0;
    if (len == 0 || len >= AG_REQUEST_ID_SIZE) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (id[i] <= ' ' || id[i] > '~') {
            return false;
        }
    }
    return true;
}

static void take_id(char out[AG_REQUEST_ID_SIZE], const char *id)
{
    if (usable_id(id)) {
        snprintf(out, AG_REQUEST_ID_SIZE, "%s", id);
        return;
    }
    uint64_t random = 0;
    if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        random = (uint64_t)lm_clock_mono_us();
    }
    snprintf(out, AG_REQUEST_ID_SIZE, "%016llx", (unsigned long long)random);
}

static bool is_json(const char *type)
{
    static const char json[] = "application/json";
    if (type == NULL || strncasecmp(type, json, sizeof(json) - 1) != 0) {
        return false;
    }
    const char next = type[sizeof(json) - 1];
    return next == '\0' || next == ';' || next == ' ';
}

static bool accepts_json(const char *accept)
{
    return accept == NULL || accept[0] == '\0' || strstr(accept, "application/json") != NULL ||
           strstr(accept, "*/*") != NULL || strstr(accept, "application/*") != NULL;
}

static void count_outcome(struct ag_runs *runs, const char *outcome)
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

static void refuse(struct ag_runs *runs, struct lm_http_request *http, const struct ag_failure *failure)
{
    count_outcome(runs, failure->code);
    ag_failure_reply(http, failure);
}

static void refuse_as(struct ag_runs *runs, struct lm_http_request *http, const char *code,
                      const char *message, const char *hint)
{
    struct ag_failure failure = {.code = NULL};
    ag_failure_set(&failure, code, message, hint);
    refuse(runs, http, &failure);
}

/* ---- the end of a run ---- */

static void audit(struct ag_run *run, const char *verdict)
{
    const struct ag_audit_row row = {.at_us = run->wall_us,
                                     .request_id = run->id,
                                     .key = run->caller->key[0] != '\0' ? run->caller->key : NULL,
                                     .role = run->caller->key[0] != '\0' ? ag_key_role_name(run->caller->role)
                                                                         : "anonymous",
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

static void free_run(struct ag_run *run)
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
    return run->caller->key[0] != '\0' ? run->caller->key : run->address;
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
    count_outcome(runs, verdict);
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
    free_run(run);
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

static void end(struct ag_run *run)
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

static void on_abandoned(struct lm_http_request *http, void *context)
{
    (void)http;
    ag_run_abandon(context);
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
        end(run);
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
    end(run);
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
        end(run);
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

static void start_stage(struct ag_run *run)
{
    if (run->stage == AG_STAGE_INSIGHT && ag_run_streams(run)) {
        end(run);
        return;
    }
    if (run->stage == ag_stage_count) {
        if (ag_asking_insight(run)) {
            return;
        }
        keep(run);
        ag_asking_remember(run);
        end(run);
        return;
    }
    ag_events_stage(run);
    if (run->stage == AG_STAGE_GUARD && run->way != AG_WAY_EXPLAIN && run->way != AG_WAY_EXPORT &&
        run->attempts == 1 && take_ready(run)) {
        return;
    }
    if (run->stage == AG_STAGE_EXECUTE && run->explain) {
        end(run);
        return;
    }
    do_stage(run);
}

static void do_stage(struct ag_run *run)
{
    if (!ag_stages[run->stage].off_loop) {
        advance(run, ag_stages[run->stage].step(run));
        return;
    }
    run->work.data = run;
    run->working = true;
    if (uv_queue_work(run->runs->loop, &run->work, work, worked) != 0) {
        run->working = false;
        ag_failure_set(&run->failure, "unavailable", "no worker for the question", NULL);
        end(run);
    }
}

static void advance(struct ag_run *run, enum ag_step step)
{
    switch (step) {
    case AG_STEP_WAIT:
        return;
    case AG_STEP_NEXT:
        run->stage++;
        start_stage(run);
        return;
    case AG_STEP_AGAIN:
        run->stage = AG_STAGE_SQL;
        start_stage(run);
        return;
    case AG_STEP_SERVER:
        run->names_read = false;
        if (!wait_for_names(run)) {
            cannot_look_up(run);
            end(run);
        }
        return;
    case AG_STEP_NAMES:
        if (wait_for_names(run)) {
            return;
        }
        if (ag_pool_up(ag_reads_pool(run->runs->reads)) == 0) {
            cannot_look_up(run);
        }
        end(run);
        return;
    case AG_STEP_MODEL:
        if (!ag_asking_start(run)) {
            end(run);
        }
        return;
    case AG_STEP_ENDED:
        start_stage(run);
        return;
    case AG_STEP_FAILED:
        end(run);
        return;
    }
}

void ag_run_resume(struct ag_run *run, enum ag_step step)
{
    advance(run, step);
}

/* ---- starting and stopping ---- */

static struct ag_run *new_run(struct ag_runs *runs, struct ag_caller *caller, enum ag_way way, const char *id,
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

/* False: nothing can be asked now, and why. */
static bool may_ask(const struct ag_runs *runs, struct ag_failure *failure)
{
    if (runs->stopping) {
        ag_failure_set(failure, "unavailable", "the agent is stopping", "ask again in a moment");
        return false;
    }
    if (runs->config->audit_required && ag_audit_full(runs->audit)) {
        ag_failure_set(failure, "unavailable",
                       "the audit log cannot be written, and nothing is answered without it",
                       "see whether PostgreSQL is up; audit.required turns this off");
        return false;
    }
    return true;
}

static bool fit(struct ag_runs *runs, struct lm_http_request *http, enum ag_way way)
{
    const char *encoding = lm_http_header(http, "Content-Encoding");
    if (!is_json(lm_http_header(http, "Content-Type")) ||
        (encoding != NULL && strcasecmp(encoding, "identity") != 0)) {
        refuse_as(runs, http, "unsupported_media_type", "the body must be application/json, not compressed",
                  "send the header Content-Type: application/json");
        return false;
    }
    if ((way == AG_WAY_QUERY || way == AG_WAY_EXPLAIN) && !accepts_json(lm_http_header(http, "Accept"))) {
        refuse_as(runs, http, "not_acceptable", "answers are application/json",
                  "accept application/json, or text/event-stream for /query");
        return false;
    }
    struct ag_failure failure = {.code = NULL};
    if (!may_ask(runs, &failure)) {
        refuse(runs, http, &failure);
        return false;
    }
    if (way == AG_WAY_EXPORT && runs->exports >= (unsigned)runs->config->export_in_flight) {
        refuse_as(runs, http, "unavailable", "as many exports as allowed are under way already",
                  "ask again when one of them is done");
        return false;
    }
    return true;
}

static const char *request_code(const struct lm_error *error)
{
    return error->decision == LM_RETRY             ? "unavailable"
           : strcmp(error->kind, "too_large") == 0 ? "too_large"
                                                   : "bad_request";
}

/* No turn for it. Not in the audit log: a flood of these must not fill that. */
static void turn_away(void *context)
{
    struct ag_run *run = context;
    ag_failure_set(&run->failure, "too_many_requests", "more is asked than can be answered at once",
                   "ask again in a moment");
    run->failure.retry_after_s = ag_turns_wait_s(run->runs->turns);
    count_outcome(run->runs, run->failure.code);
    if (run->events.sink != NULL) {
        ag_events_finish(run);
    } else if (run->http != NULL) {
        ag_failure_reply(run->http, &run->failure);
    }
    free_run(run);
}

static void take_turn(struct ag_run *run, void (*come)(void *context))
{
    run->turn = (struct ag_turn){.come = come, .dropped = turn_away, .context = run};
    switch (ag_turn_ask(run->runs->turns, &run->turn, ag_run_asker(run))) {
    case AG_TURN_HELD:
        come(run);
        break;
    case AG_TURN_WAITING:
        break;
    case AG_TURN_NONE:
        turn_away(run);
        break;
    }
}

/* Its turn has come. What waited is asked as of now. */
static void begin(void *context)
{
    struct ag_run *run = context;
    struct ag_runs *runs = run->runs;
    const enum ag_way way = run->way;
    struct lm_error error;
    size_t len = 0;
    run->wall_us = lm_clock_wall_us();
    const char *body = lm_http_body(run->http, &len);
    const struct ag_request_rules rules = {.zone = runs->config->timezone,
                                           .allow_now = runs->config->allow_now,
                                           .model = runs->model != NULL,
                                           .export_rows =
                                               way == AG_WAY_EXPORT ? (int)runs->config->export_max_rows : 0,
                                           .wall_us = run->wall_us};
    if (ag_request_read(body, len, &rules, &run->arena, &run->request, &error) != 0) {
        ag_failure_set(&run->failure, request_code(&error), error.text, NULL);
        end(run);
        return;
    }
    if (way == AG_WAY_EXPORT) {
        run->export.format = run->request.format != AG_FORMAT_NONE
                                 ? run->request.format
                                 : ag_export_accepted(lm_http_header(run->http, "Accept"));
        if (run->export.format == AG_FORMAT_NONE) {
            ag_failure_set(&run->failure, "not_acceptable", "exports are text/csv or application/x-ndjson",
                           "accept one of them, or say \"format\"");
            end(run);
            return;
        }
    }
    if (way == AG_WAY_EVENTS && !ag_events_open(run)) {
        ag_failure_set(&run->failure, "unavailable", "out of memory for the question", NULL);
        end(run);
        return;
    }
    start_stage(run);
}

void ag_run_start(struct ag_runs *runs, struct lm_http_request *http, struct ag_caller *caller,
                  enum ag_way way)
{
    if (way == AG_WAY_QUERY && ag_events_wanted(lm_http_header(http, "Accept"))) {
        way = AG_WAY_EVENTS;
    }
    if (!fit(runs, http, way)) {
        return;
    }
    struct ag_run *run = new_run(runs, caller, way, lm_http_header(http, "X-Request-Id"), lm_http_peer(http));
    if (run == NULL) {
        refuse_as(runs, http, "unavailable", "out of memory for the question", NULL);
        return;
    }
    run->http = http;
    lm_http_reply_header(http, "X-Request-Id", run->id);
    lm_http_on_abandoned(http, on_abandoned, run);
    take_turn(run, begin);
}

static void begin_asked(void *context)
{
    struct ag_run *run = context;
    run->wall_us = lm_clock_wall_us();
    run->request.now_us = run->request.now_given ? run->request.now_us : run->wall_us;
    start_stage(run);
}

void ag_run_ask(struct ag_runs *runs, struct ag_caller *caller, const struct ag_asked *asked,
                struct ag_run **out)
{
    struct lm_error error;
    struct ag_failure failure = {.code = NULL};
    struct ag_events events = {.sink = asked->sink, .to = asked->to, .id = asked->id};
    struct ag_run *run = NULL;
    if (may_ask(runs, &failure)) {
        run = new_run(runs, caller, AG_WAY_EVENTS, asked->id, asked->address);
    }
    if (run == NULL) {
        if (failure.code == NULL) {
            ag_failure_set(&failure, "unavailable", "out of memory for the question", NULL);
        }
        count_outcome(runs, failure.code);
        ag_events_fail(&events, &failure);
        return;
    }
    *out = run;
    events.id = run->id;
    run->events = events;
    const struct ag_request_rules rules = {.zone = runs->config->timezone,
                                           .allow_now = runs->config->allow_now,
                                           .model = runs->model != NULL,
                                           .wall_us = run->wall_us};
    if (ag_request_from_json(asked->request, &rules, &run->arena, &run->request, &error) != 0) {
        ag_failure_set(&run->failure, request_code(&error), error.text, NULL);
        end(run);
        return;
    }
    take_turn(run, begin_asked);
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
        end(run);
        if (followed) {
            next = runs->first;
        }
    }
}
