#include "agent/access/access.h"

#include "agent/request.h"

#include "common/clock.h"
#include "common/http/origin.h"
#include "common/log.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_ROUTES 32

struct route {
    struct ag_access *access;
    struct ag_access_route is;
};

struct ag_access {
    struct ag_access_options options;
    bool off; /* auth=off */
    struct ag_mask *mask;
    struct ag_sights *sights;
    struct ag_store *store;
    struct ag_keyring *keyring;
    struct ag_rates *rates;
    struct ag_caller *everybody; /* with auth=off */
    struct route routes[MAX_ROUTES];
    size_t route_count;
    void (*closed)(void *context);
    void *closed_context;
};

/* A request on its way through the door. */
struct visit {
    struct ag_admission admission;
    struct route *route;
    struct lm_http_request *http; /* NULL once the client has gone */
};

bool ag_role_may(enum ag_key_role role, enum ag_right right)
{
    static const bool may[][AG_RIGHT_DELETE + 1] = {
        [AG_VIEWER] = {[AG_RIGHT_READ] = true},
        [AG_OPERATOR] = {[AG_RIGHT_READ] = true, [AG_RIGHT_EXPORT] = true, [AG_RIGHT_CONFIGURE] = true},
        [AG_ADMIN] = {[AG_RIGHT_READ] = true,
                      [AG_RIGHT_EXPORT] = true,
                      [AG_RIGHT_CONFIGURE] = true,
                      [AG_RIGHT_DELETE] = true},
    };
    return may[role][right];
}

static void count_refusal(const struct ag_access *access, const char *code)
{
    struct lm_buffer label;
    lm_buffer_init(&label, 256);
    lm_metrics_label(&label, "code", code);
    lm_counter_add(lm_counter(access->options.metrics, "logmill_agent_refused_total", lm_buffer_text(&label),
                              "Requests that were not let in, by the code of the answer."),
                   1);
    lm_buffer_free(&label);
}

static void refuse(struct ag_admission *admission, const char *code, const char *message, const char *hint,
                   unsigned retry_after_s)
{
    struct ag_failure failure = {.code = NULL};
    ag_failure_set(&failure, code, message, hint);
    failure.retry_after_s = retry_after_s;
    count_refusal(admission->access, code);
    admission->told(NULL, &failure, admission->context);
}

/* ---- admission ---- */

static void let_in(struct ag_admission *admission, struct ag_caller *caller)
{
    admission->told(caller, NULL, admission->context);
}

/* The scope's names are there now, or cannot be read: then nothing can be asked by name. */
static void on_names(void *context)
{
    struct ag_admission *admission = context;
    struct ag_caller *caller = admission->admitted;
    admission->admitted = NULL;
    let_in(admission, caller);
    ag_caller_drop(caller);
}

static void admit(struct ag_admission *admission, struct ag_caller *caller)
{
    struct ag_names *names = caller->sight->names;
    if (names == admission->access->options.names || ag_names_known(names)) {
        let_in(admission, caller);
        return;
    }
    admission->names = (struct ag_names_waiter){.read = on_names, .context = admission};
    admission->admitted = ag_caller_hold(caller);
    if (!ag_names_read_now(names, &admission->names)) {
        on_names(admission);
    }
}

/* ---- the rate ---- */

static void refuse_rate(struct ag_admission *admission, int64_t wait_us)
{
    refuse(admission, "too_many_requests", "this API key asks more often than it may",
           "ask again in a moment", (unsigned)((wait_us + LM_SECOND_US - 1) / LM_SECOND_US));
}

/* What the agent itself knows of how often the key has asked. */
static int64_t take_own(struct ag_admission *admission)
{
    struct ag_bucket *bucket = ag_keyring_bucket(admission->access->keyring, admission->key.shown.prefix);
    return bucket != NULL ? ag_bucket_take(bucket, admission->access->options.config, admission->cost,
                                           lm_clock_mono_us())
                          : 0;
}

static void pass(struct ag_admission *admission, struct ag_caller *caller, int64_t wait_us)
{
    if (wait_us > 0) {
        refuse_rate(admission, wait_us);
    } else {
        admit(admission, caller);
    }
}

/* What this agent let pass is taken from its own bucket as well, which decides once Redis is away. */
static void on_rate(int64_t wait_us, void *context)
{
    struct ag_admission *admission = context;
    struct ag_caller *caller = admission->admitted;
    admission->admitted = NULL;
    if (wait_us <= 0) {
        const int64_t own_us = take_own(admission);
        wait_us = wait_us < 0 ? own_us : 0;
    }
    pass(admission, caller, wait_us);
    ag_caller_drop(caller);
}

static void pay(struct ag_admission *admission, struct ag_caller *caller, const struct ag_bucket *bucket)
{
    struct ag_access *access = admission->access;
    struct ag_bucket copy = *bucket;
    const int64_t wait_us =
        ag_bucket_take(&copy, access->options.config, admission->cost, lm_clock_mono_us());
    if (caller->key.prefix[0] == '\0' || access->options.config->rate_limit == 0 || admission->cost <= 0) {
        admit(admission, caller);
        return;
    }
    /* A key that has used up what this agent knows of has used up what all of them know of. */
    admission->rate = (struct ag_rate_question){.told = on_rate, .context = admission};
    if (wait_us == 0 && ag_rates_ask(access->rates, caller->key.prefix, admission->cost, &admission->rate)) {
        admission->admitted = ag_caller_hold(caller);
        return;
    }
    pass(admission, caller, take_own(admission));
}

static void on_key(enum ag_key_verdict verdict, struct ag_caller *caller, const struct ag_bucket *bucket,
                   void *context)
{
    struct ag_admission *admission = context;
    if (verdict == AG_KEY_UNKNOWABLE) {
        refuse(admission, "unavailable", "API keys cannot be looked up at the moment",
               ag_store_lacks_migrations(admission->access->store) ? "run logmill-ctl migrate"
                                                                   : "ask again in a moment",
               2);
    } else if (verdict == AG_KEY_BAD) {
        refuse(admission, "unauthorized", "an API key is needed, one that is neither expired nor revoked",
               "send Authorization: Bearer lm_…; logmill-ctl keys create makes one", 0);
    } else if (!ag_role_may(caller->role, admission->right)) {
        refuse(admission, "forbidden", "the role of this API key does not allow it",
               "ask for a key with another role", 0);
    } else {
        pay(admission, caller, bucket);
    }
}

void ag_access_ask_again(struct ag_access *access, const struct ag_shown_key *shown,
                         struct ag_admission *admission)
{
    admission->access = access;
    if (access->off) {
        let_in(admission, access->everybody);
        return;
    }
    admission->key.shown = *shown;
    admission->key.told = on_key;
    admission->key.context = admission;
    ag_keyring_ask(access->keyring, &admission->key);
}

void ag_access_ask(struct ag_access *access, const char *key, struct ag_admission *admission)
{
    struct ag_shown_key shown = {.prefix = ""};
    const bool formed =
        key == NULL || (lm_api_key_parse(key, shown.prefix) &&
                        EVP_Digest(key, strlen(key), shown.digest, NULL, EVP_sha256(), NULL) == 1);
    if (formed || access->off) {
        ag_access_ask_again(access, &shown, admission);
    } else {
        admission->access = access;
        on_key(AG_KEY_BAD, NULL, NULL, admission);
    }
}

void ag_access_forget(struct ag_admission *admission)
{
    ag_keyring_forget(&admission->key);
    ag_rates_forget(&admission->rate);
    if (admission->admitted != NULL) {
        ag_names_forget(admission->admitted->sight->names, &admission->names);
        ag_caller_drop(admission->admitted);
        admission->admitted = NULL;
    }
}

/* ---- HTTP ---- */

/* Who needs no key on the loopback address must have meant that: a page whose own name leads there did not.
 */
static bool is_of_this_machine(const struct lm_http_request *http)
{
    const char *host = lm_http_header(http, "Host");
    return host == NULL || lm_host_is_loopback(host);
}

const char *ag_access_key(const struct lm_http_request *http)
{
    static const char bearer[] = "Bearer ";
    const char *header = lm_http_header(http, "Authorization");
    if (header == NULL) {
        header = lm_http_header(http, "X-API-Key");
        return header != NULL || is_of_this_machine(http) ? header : "";
    }
    if (strncasecmp(header, bearer, sizeof(bearer) - 1) != 0) {
        return "";
    }
    header += sizeof(bearer) - 1;
    return header + strspn(header, " ");
}

static void on_abandoned(struct lm_http_request *http, void *context)
{
    struct visit *visit = context;
    (void)http;
    ag_access_forget(&visit->admission);
    free(visit);
}

static void on_told(struct ag_caller *caller, const struct ag_failure *failure, void *context)
{
    struct visit *visit = context;
    struct lm_http_request *http = visit->http;
    const struct ag_access_route *route = &visit->route->is;
    lm_http_on_abandoned(http, NULL, NULL);
    free(visit);
    if (failure != NULL) {
        ag_failure_reply(http, failure);
    } else {
        route->handler(http, caller, route->context);
    }
}

static void on_request(struct lm_http_request *http, void *context)
{
    struct route *route = context;
    struct visit *visit = calloc(1, sizeof(*visit));
    const char *id = lm_http_header(http, "X-Request-Id");
    if (ag_request_id_usable(id)) {
        lm_http_reply_header(http, "X-Request-Id", id);
    }
    if (visit == NULL) {
        struct ag_failure failure = {.code = NULL};
        ag_failure_set(&failure, "unavailable", "out of memory for the request", "ask again in a moment");
        ag_failure_reply(http, &failure);
        return;
    }
    visit->route = route;
    visit->http = http;
    visit->admission = (struct ag_admission){
        .right = route->is.right, .cost = route->is.cost, .told = on_told, .context = visit};
    lm_http_on_abandoned(http, on_abandoned, visit);
    ag_access_ask(route->access, ag_access_key(http), &visit->admission);
}

int ag_access_route(struct ag_access *access, struct lm_http_server *http,
                    const struct ag_access_route *route, struct lm_error *error)
{
    struct route *kept = &access->routes[access->route_count];
    const struct lm_http_route added = {.method = route->method,
                                        .path = route->path,
                                        .max_body = route->max_body,
                                        .handler = on_request,
                                        .context = kept};
    if (access->route_count == MAX_ROUTES || lm_http_server_route(http, &added) != 0) {
        return lm_error_set(error, LM_FATAL, "memory", "out of memory for the routes");
    }
    *kept = (struct route){.access = access, .is = *route};
    access->route_count++;
    return 0;
}

/* ---- opening and closing ---- */

/*
 * Without keys whoever reaches the port may read every log: only this machine, unless told otherwise. Asked
 * once, before the loop runs; where the database cannot say, nobody is let in without a key all the same.
 */
static int check_listen(const struct ag_access_options *options, struct lm_error *error)
{
    const char *const names[] = {"dbname", "connect_timeout", "application_name", NULL};
    const char *const values[] = {options->conninfo, "5", "logmill-agent keys", NULL};
    PGconn *connection = PQconnectdbParams(names, values, 1);
    PGresult *result = PQexec(connection, "SELECT any_key FROM logmill.auth_key('')");
    const bool none = PQresultStatus(result) == PGRES_TUPLES_OK && PQgetvalue(result, 0, 0)[0] == 'f';
    PQclear(result);
    PQfinish(connection);
    if (!none) {
        return 0;
    }
    return lm_error_set(
        error, LM_FATAL, "listen",
        "no API key has been made, so the agent listens on this machine only, not on %s: make "
        "one with logmill-ctl keys create, use --listen 127.0.0.1:8001, or --auth off where "
        "everybody may read every log",
        options->config->listen);
}

static struct ag_caller *new_everybody(struct ag_sights *sights)
{
    struct ag_caller *caller = calloc(1, sizeof(*caller));
    if (caller != NULL) {
        caller->holders = 1;
        caller->role = AG_ADMIN;
        caller->sight = ag_sights_find(sights, "", 0, NULL, NULL, false);
    }
    return caller;
}

static int open_parts(struct ag_access *access, struct lm_error *error)
{
    const struct ag_access_options *options = &access->options;
    const bool loopback = lm_host_is_loopback(options->config->listen);
    if (ag_mask_new(&options->config->mask, &access->mask, error) != 0 ||
        (!access->off && !loopback && check_listen(options, error) != 0)) {
        return -1;
    }
    const struct ag_sights_options sights = {
        .names = {.loop = options->loop,
                  .reads = options->reads,
                  .refresh_ms = (unsigned)options->config->names_refresh_ms},
        .everything = options->names,
        .mask = access->mask};
    access->sights = ag_sights_new(&sights);
    access->everybody = access->sights != NULL ? new_everybody(access->sights) : NULL;
    if (access->everybody == NULL || access->everybody->sight == NULL) {
        return lm_error_set(error, LM_FATAL, "memory", "out of memory for the API keys");
    }
    struct lm_condition *condition = access->off ? NULL : lm_admin_condition(options->admin, "keys");
    if (ag_store_open(options->loop, options->conninfo, condition, &access->store, error) != 0) {
        return -1;
    }
    const struct ag_rates_options rates = {
        .config = options->config, .redis = options->redis, .metrics = options->metrics};
    const struct ag_keyring_options keyring = {.loop = options->loop,
                                               .store = access->store,
                                               .sights = access->sights,
                                               .open_without_keys = loopback};
    access->keyring = ag_keyring_new(&keyring);
    access->rates = ag_rates_new(&rates);
    return access->keyring != NULL && access->rates != NULL
               ? 0
               : lm_error_set(error, LM_FATAL, "memory", "out of memory for the API keys");
}

int ag_access_open(const struct ag_access_options *options, struct ag_access **out, struct lm_error *error)
{
    struct ag_access *access = calloc(1, sizeof(*access));
    if (access == NULL) {
        return lm_error_set(error, LM_FATAL, "memory", "out of memory for the API keys");
    }
    access->options = *options;
    access->off = options->config->auth == AG_AUTH_OFF;
    *out = access; /* the server closes what there is of it */
    return open_parts(access, error);
}

struct ag_store *ag_access_store(struct ag_access *access)
{
    return access->store;
}

static void on_sights_closed(void *context)
{
    struct ag_access *access = context;
    void (*closed)(void *) = access->closed;
    void *closed_context = access->closed_context;
    ag_mask_free(access->mask);
    ag_rates_free(access->rates);
    free(access);
    closed(closed_context);
}

static void on_store_closed(void *context)
{
    struct ag_access *access = context;
    ag_caller_drop(access->everybody);
    if (access->sights != NULL) {
        ag_sights_close(access->sights, on_sights_closed, access);
    } else {
        on_sights_closed(access);
    }
}

static void on_keyring_closed(void *context)
{
    struct ag_access *access = context;
    if (access->store != NULL) {
        ag_store_close(access->store, on_store_closed, access);
    } else {
        on_store_closed(access);
    }
}

void ag_access_close(struct ag_access *access, void (*closed)(void *context), void *context)
{
    access->closed = closed;
    access->closed_context = context;
    if (access->keyring != NULL) {
        ag_keyring_close(access->keyring, on_keyring_closed, access);
    } else {
        on_keyring_closed(access);
    }
}
