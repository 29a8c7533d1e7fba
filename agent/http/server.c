#include "agent/http/server.h"

#include "agent/access/access.h"
#include "agent/http/conversation.h"
#include "agent/http/history.h"
#include "agent/http/pages.h"
#include "agent/model/model.h"
#include "agent/run/run.h"
#include "agent/understand/vocabulary.h"
#include "agent/understand/zone.h"
#include "common/http/admin.h"
#include "common/http/origin.h"
#include "common/log.h"

#include <stdlib.h>
#include <string.h>

#define HURRIED_CLOSE_MS 1000 /* for the answers that are still on their way after a second signal */

enum server_state {
    SERVER_OPEN,
    SERVER_CLOSING_INTAKE,
    SERVER_DRAINING,
    SERVER_CLOSING_AUDIT,
    SERVER_CLOSING_READS
};

struct ag_server {
    const struct ag_config *config;
    uv_loop_t *loop;
    enum server_state state;
    struct lm_metrics *metrics;
    struct lm_http_server *http;
    struct lm_admin *admin;
    struct ag_vocabulary *vocabulary;
    struct ag_access *access;
    struct ag_pool *primary, *replica; /* the second NULL where there is none */
    struct ag_redis *redis;            /* NULL where there is none */
    struct ag_runs runs;
    struct ag_conversations conversations;
    struct ag_tickets *tickets;
    struct ag_pages pages;
    unsigned open; /* parts that are still closing */
    void (*stopped)(void *context);
    void *context;
};

static const char *const state_names[] = {"open", "closing intake", "draining", "closing audit",
                                          "closing reads"};

static void change_state(struct ag_server *server, enum server_state to)
{
    lm_log(LM_LOG_DEBUG, "server", "%s -> %s", state_names[server->state], state_names[to]);
    server->state = to;
}

static void on_query(struct lm_http_request *request, struct ag_caller *caller, void *context)
{
    struct ag_server *server = context;
    ag_run_start(&server->runs, request, caller, AG_WAY_QUERY);
}

static void on_export(struct lm_http_request *request, struct ag_caller *caller, void *context)
{
    struct ag_server *server = context;
    ag_run_start(&server->runs, request, caller, AG_WAY_EXPORT);
}

static void on_explain(struct lm_http_request *request, struct ag_caller *caller, void *context)
{
    struct ag_server *server = context;
    ag_run_start(&server->runs, request, caller, AG_WAY_EXPLAIN);
}

static int check(const struct ag_config *config, struct lm_error *error)
{
    if (lm_origins_check(&config->cors_origins, "cors.origins", error) != 0) {
        return -1;
    }
    if (!ag_zone_known(config->timezone)) {
        return lm_error_set(
            error, LM_FATAL, "timezone",
            "timezone \"%s\" is not in the time zone database (package tzdata): use a name as Asia/Seoul",
            config->timezone);
    }
    return 0;
}

static int open_http(struct ag_server *server, struct lm_error *error)
{
    const struct lm_http_options options = {
        .loop = server->loop,
        .listen = server->config->listen,
        .metrics = server->metrics,
        .cors = {.origins = &server->config->cors_origins,
                 .allowed_headers = "Authorization, Content-Type, X-API-Key, X-Request-Id",
                 .exposed_headers = "Retry-After, X-Request-Id"}};
    if (lm_http_server_open(&options, &server->http, error) != 0 ||
        lm_admin_open(server->http, server->metrics, &server->admin, error) != 0) {
        return -1;
    }
    return 0;
}

static int add_routes(struct ag_server *server, struct lm_error *error)
{
    const struct ag_access_route routes[] = {
        {"POST", "/query", AG_MAX_BODY, AG_RIGHT_READ, AG_COST_QUESTION, on_query, server},
        {"POST", "/explain", AG_MAX_BODY, AG_RIGHT_READ, AG_COST_QUESTION, on_explain, server},
        {"POST", "/export", AG_MAX_BODY, AG_RIGHT_EXPORT, AG_COST_QUESTION, on_export, server},
        {"GET", "/history", 0, AG_RIGHT_READ, AG_COST_PAGE, ag_history, ag_access_store(server->access)},
    };
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (ag_access_route(server->access, server->http, &routes[i], error) != 0) {
            return -1;
        }
    }
    server->tickets = ag_tickets_new();
    if (server->tickets == NULL) {
        return lm_error_set(error, LM_FATAL, "memory", "out of memory for the tickets");
    }
    server->conversations = (struct ag_conversations){
        .runs = &server->runs,
        .access = server->access,
        .tickets = server->tickets,
        .open = lm_gauge(server->metrics, "logmill_agent_websockets", NULL, "WebSockets open.")};
    if (ag_conversations_route(&server->conversations, server->http, error) != 0 ||
        ag_tickets_route(server->tickets, server->access, server->http, error) != 0) {
        return -1;
    }
    return ag_pages_route(&server->pages, server->access, server->http, error);
}

static int open_servers(struct ag_server *server, struct lm_error *error)
{
    const struct ag_config *config = server->config;
    struct ag_pool_options pool = {.loop = server->loop,
                                   .conninfo = config->postgres_url,
                                   .size = (unsigned)config->pool_size,
                                   .max_waiters = (unsigned)config->max_in_flight * 2,
                                   .migration = AG_MIGRATION,
                                   .condition = lm_admin_condition(server->admin, "postgres"),
                                   .metrics = server->metrics,
                                   .labels = "server=\"primary\""};
    if (ag_pool_open(&pool, &server->primary, error) != 0) {
        return -1;
    }
    pool.conninfo = config->replica_url;
    pool.condition = NULL; /* the primary will do */
    pool.labels = "server=\"replica\"";
    if (config->replica_url[0] != '\0' && ag_pool_open(&pool, &server->replica, error) != 0) {
        return -1;
    }
    const struct ag_reads_options reads = {.loop = server->loop,
                                           .primary = server->primary,
                                           .replica = server->replica,
                                           .max_lag_ms = &config->replica_max_lag_ms,
                                           .metrics = server->metrics};
    return ag_reads_open(&reads, &server->runs.reads, error);
}

/* What agents share: answers, and how often a key has asked. */
static int open_redis(struct ag_server *server, struct lm_error *error)
{
    const struct ag_config *config = server->config;
    const struct ag_redis_options redis = {.loop = server->loop,
                                           .url = config->redis_url,
                                           .ca_file = config->redis_ca_file,
                                           .timeout_ms = &config->redis_timeout_ms,
                                           .metrics = server->metrics};
    if (config->redis_url[0] != '\0' && ag_redis_open(&redis, &server->redis, error) != 0) {
        return -1;
    }
    const struct ag_shared_options shared = {.redis = server->redis,
                                             .ttl_ms = &config->redis_ttl_ms,
                                             .epochs = server->runs.epochs,
                                             .metrics = server->metrics};
    server->runs.shared = ag_shared_new(&shared);
    return server->runs.shared != NULL
               ? 0
               : lm_error_set(error, LM_FATAL, "memory", "out of memory for the shared cache");
}

static int open_reads(struct ag_server *server, struct lm_error *error)
{
    const struct ag_config *config = server->config;
    if (open_servers(server, error) != 0) {
        return -1;
    }
    const struct ag_names_options names = {.loop = server->loop,
                                           .reads = server->runs.reads,
                                           .refresh_ms = (unsigned)config->names_refresh_ms,
                                           .condition = lm_admin_condition(server->admin, "names"),
                                           .metrics = server->metrics};
    const struct ag_epochs_options epochs = {
        .loop = server->loop, .reads = server->runs.reads, .poll_ms = 1000};
    if (ag_names_open(&names, &server->runs.names, error) != 0 ||
        ag_epochs_open(&epochs, &server->runs.epochs, error) != 0) {
        return -1;
    }
    server->runs.cache = ag_cache_new((size_t)config->cache_bytes, server->runs.epochs, server->metrics);
    if (server->runs.cache == NULL) {
        return lm_error_set(error, LM_FATAL, "memory", "out of memory for the cache");
    }
    return open_redis(server, error);
}

/* What the agent does as logmill_agent: the audit log, and looking up API keys. */
static int open_writes(struct ag_server *server, struct lm_error *error)
{
    char *conninfo = ag_audit_conninfo(server->config->audit_url, server->config->postgres_url, error);
    if (conninfo == NULL) {
        return -1;
    }
    const struct ag_audit_options options = {
        .loop = server->loop,
        .conninfo = conninfo,
        .condition = server->config->audit_required ? lm_admin_condition(server->admin, "audit") : NULL,
        .metrics = server->metrics};
    const struct ag_access_options access = {.loop = server->loop,
                                             .config = server->config,
                                             .reads = server->runs.reads,
                                             .names = server->runs.names,
                                             .redis = server->redis,
                                             .conninfo = conninfo,
                                             .admin = server->admin,
                                             .metrics = server->metrics};
    int result = ag_audit_open(&options, &server->runs.audit, error);
    if (result == 0) {
        result = ag_access_open(&access, &server->access, error);
    }
    free(conninfo);
    return result;
}

static int open_parts(struct ag_server *server, struct lm_error *error)
{
    static const double bounds[] = {0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30};
    const struct ag_config *config = server->config;
    server->metrics = lm_metrics_new();
    if (server->metrics == NULL) {
        return lm_error_set(error, LM_FATAL, "memory", "out of memory for the metrics");
    }
    server->vocabulary = ag_vocabulary_new(config->vocabulary[0] != '\0' ? config->vocabulary : NULL, error);
    if (server->vocabulary == NULL) {
        return -1;
    }
    server->runs.loop = server->loop;
    server->runs.config = config;
    server->runs.vocabulary = server->vocabulary;
    server->runs.metrics = server->metrics;
    server->runs.seconds =
        lm_histogram(server->metrics, "logmill_agent_question_seconds", NULL, "Time from question to answer.",
                     bounds, sizeof(bounds) / sizeof(bounds[0]));
    const struct ag_turns_options turns = {.loop = server->loop,
                                           .places = (unsigned)config->max_in_flight,
                                           .max_waiting = (unsigned)config->queue_size,
                                           .max_wait_ms = &config->queue_wait_ms,
                                           .metrics = server->metrics};
    if (ag_turns_open(&turns, &server->runs.turns, error) != 0) {
        return -1;
    }
    if (open_http(server, error) != 0 || open_reads(server, error) != 0) {
        return -1;
    }
    server->pages =
        (struct ag_pages){.config = config,
                          .vocabulary = server->vocabulary,
                          .suggest_seconds = lm_histogram(server->metrics, "logmill_agent_suggest_seconds",
                                                          NULL, "Time to complete a question.", bounds,
                                                          sizeof(bounds) / sizeof(bounds[0]))};
    if (ag_model_configured(config) &&
        ag_model_open(server->loop, config, server->metrics, &server->runs.model, error) != 0) {
        return -1;
    }
    return open_writes(server, error) == 0 && add_routes(server, error) == 0 ? 0 : -1;
}

/* ---- stopping ---- */

static void release(void *context)
{
    struct ag_server *server = context;
    if (--server->open > 0) {
        return;
    }
    void (*stopped)(void *) = server->stopped;
    void *stopped_context = server->context;
    ag_tickets_free(server->tickets);
    ag_cache_free(server->runs.cache);
    lm_admin_free(server->admin);
    ag_vocabulary_free(server->vocabulary);
    lm_metrics_free(server->metrics);
    free(server);
    if (stopped != NULL) {
        stopped(stopped_context);
    }
}

/* The names, the epochs and the reads let go of their connections before the pools close. */
static void close_reads(struct ag_server *server)
{
    change_state(server, SERVER_CLOSING_READS);
    server->open = 1;
    if (server->runs.turns != NULL) {
        server->open++;
        ag_turns_close(server->runs.turns, release, server);
    }
    ag_shared_free(server->runs.shared);
    server->runs.shared = NULL;
    if (server->redis != NULL) {
        server->open++;
        ag_redis_close(server->redis, release, server);
    }
    if (server->runs.names != NULL) {
        server->open++;
        ag_names_close(server->runs.names, release, server);
    }
    if (server->runs.epochs != NULL) {
        server->open++;
        ag_epochs_close(server->runs.epochs, release, server);
    }
    if (server->runs.reads != NULL) {
        server->open++;
        ag_reads_close(server->runs.reads, release, server);
    }
    if (server->replica != NULL) {
        server->open++;
        ag_pool_close(server->replica, release, server);
    }
    if (server->primary != NULL) {
        server->open++;
        ag_pool_close(server->primary, release, server);
    }
    if (server->runs.model != NULL) {
        server->open++;
        ag_model_close(server->runs.model, release, server);
    }
    release(server);
}

static void on_access_closed(void *context)
{
    struct ag_server *server = context;
    server->access = NULL;
    close_reads(server);
}

static void on_audit_closed(void *context)
{
    struct ag_server *server = context;
    server->runs.audit = NULL;
    if (server->access != NULL) {
        ag_access_close(server->access, on_access_closed, server);
    } else {
        close_reads(server);
    }
}

static void close_audit(struct ag_server *server, unsigned deadline_ms)
{
    change_state(server, SERVER_CLOSING_AUDIT);
    if (server->runs.audit != NULL) {
        ag_audit_close(server->runs.audit, deadline_ms, on_audit_closed, server);
    } else {
        on_audit_closed(server);
    }
}

static void on_drained(void *context)
{
    struct ag_server *server = context;
    close_audit(server, (unsigned)server->config->drain_timeout_ms);
}

/* Runs whose client the HTTP server has already let go of are over, or come back from the thread pool. */
static void on_intake_closed(void *context)
{
    struct ag_server *server = context;
    server->http = NULL;
    change_state(server, SERVER_DRAINING);
    server->runs.stopping = true;
    server->runs.drained = on_drained;
    server->runs.drained_context = server;
    ag_runs_abort(&server->runs);
    if (server->runs.count == 0 && server->runs.drained != NULL) {
        server->runs.drained = NULL;
        on_drained(server);
    }
}

static void close_intake(struct ag_server *server, unsigned deadline_ms)
{
    change_state(server, SERVER_CLOSING_INTAKE);
    if (server->http != NULL) {
        lm_http_server_close(server->http, deadline_ms, on_intake_closed, server);
    } else {
        on_intake_closed(server);
    }
}

unsigned ag_server_stop(struct ag_server *server, bool now, void (*stopped)(void *context), void *context)
{
    const unsigned drain_ms = (unsigned)server->config->drain_timeout_ms;
    if (server->state == SERVER_OPEN) {
        server->stopped = stopped;
        server->context = context;
        ag_conversations_stop(&server->conversations);
        close_intake(server, now ? 0 : drain_ms);
        return now ? drain_ms : 2 * drain_ms;
    }
    if (server->state == SERVER_CLOSING_INTAKE || server->state == SERVER_DRAINING) {
        server->runs.stopping = true;
        ag_runs_abort(&server->runs);
        if (server->http != NULL) {
            /* Who never finishes sending a request is not waited for; who was aborted still gets the answer.
             */
            lm_http_server_close(server->http, HURRIED_CLOSE_MS, NULL, NULL);
        }
        return HURRIED_CLOSE_MS + drain_ms;
    }
    if (server->state == SERVER_CLOSING_AUDIT && server->runs.audit != NULL) {
        ag_audit_close(server->runs.audit, 0, on_audit_closed, server);
    }
    return 0;
}

int ag_server_open(uv_loop_t *loop, const struct ag_config *config, struct ag_server **out,
                   struct lm_error *error)
{
    if (check(config, error) != 0) {
        return -1;
    }
    struct ag_server *server = calloc(1, sizeof(*server));
    if (server == NULL) {
        return lm_error_set(error, LM_FATAL, "memory", "out of memory for the server");
    }
    server->config = config;
    server->loop = loop;
    if (open_parts(server, error) != 0) {
        /* What was opened closes on the loop, which the caller runs to its end. */
        close_intake(server, 0);
        return -1;
    }
    *out = server;
    return 0;
}

const char *ag_server_url(const struct ag_server *server)
{
    return lm_http_server_url(server->http);
}
