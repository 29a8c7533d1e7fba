/*
 * From a request to its first stage: what is unfit is refused by its status, the rest becomes a run and waits
 * for its turn.
 */
#include "agent/run/run_internal.h"

#include "common/clock.h"

#include <string.h>
#include <strings.h>

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

static void refuse(struct ag_runs *runs, struct lm_http_request *http, const struct ag_failure *failure)
{
    ag_run_count(runs, failure->code);
    ag_failure_reply(http, failure);
}

static void refuse_as(struct ag_runs *runs, struct lm_http_request *http, const char *code,
                      const char *message, const char *hint)
{
    struct ag_failure failure = {.code = NULL};
    ag_failure_set(&failure, code, message, hint);
    refuse(runs, http, &failure);
}

static void on_abandoned(struct lm_http_request *http, void *context)
{
    (void)http;
    ag_run_abandon(context);
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
    ag_run_count(run->runs, run->failure.code);
    if (run->events.sink != NULL) {
        ag_events_finish(run);
    } else if (run->http != NULL) {
        ag_failure_reply(run->http, &run->failure);
    }
    ag_run_free(run);
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
        ag_run_end(run);
        return;
    }
    if (way == AG_WAY_EXPORT) {
        run->export.format = run->request.format != AG_FORMAT_NONE
                                 ? run->request.format
                                 : ag_export_accepted(lm_http_header(run->http, "Accept"));
        if (run->export.format == AG_FORMAT_NONE) {
            ag_failure_set(&run->failure, "not_acceptable", "exports are text/csv or application/x-ndjson",
                           "accept one of them, or say \"format\"");
            ag_run_end(run);
            return;
        }
    }
    if (way == AG_WAY_EVENTS && !ag_events_open(run)) {
        ag_failure_set(&run->failure, "unavailable", "out of memory for the question", NULL);
        ag_run_end(run);
        return;
    }
    ag_run_stage(run);
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
    struct ag_run *run =
        ag_run_new(runs, caller, way, lm_http_header(http, "X-Request-Id"), lm_http_peer(http));
    if (run == NULL) {
        refuse_as(runs, http, "unavailable", "out of memory for the question", NULL);
        return;
    }
    run->http = http;
    if (!ag_request_id_usable(lm_http_header(http, "X-Request-Id"))) { /* else the door has echoed it */
        lm_http_reply_header(http, "X-Request-Id", run->id);
    }
    lm_http_on_abandoned(http, on_abandoned, run);
    take_turn(run, begin);
}

static void begin_asked(void *context)
{
    struct ag_run *run = context;
    run->wall_us = lm_clock_wall_us();
    run->request.now_us = run->request.now_given ? run->request.now_us : run->wall_us;
    ag_run_stage(run);
}

void ag_run_ask(struct ag_runs *runs, struct ag_caller *caller, const struct ag_asked *asked,
                struct ag_run **out)
{
    struct lm_error error;
    struct ag_failure failure = {.code = NULL};
    struct ag_events events = {.sink = asked->sink, .to = asked->to, .id = asked->id};
    struct ag_run *run = NULL;
    if (may_ask(runs, &failure)) {
        run = ag_run_new(runs, caller, AG_WAY_EVENTS, asked->id, asked->address);
    }
    if (run == NULL) {
        if (failure.code == NULL) {
            ag_failure_set(&failure, "unavailable", "out of memory for the question", NULL);
        }
        ag_run_count(runs, failure.code);
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
        ag_run_end(run);
        return;
    }
    take_turn(run, begin_asked);
}
