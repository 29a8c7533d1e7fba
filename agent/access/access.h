/*
 * The door: who asks, and may they? Every page that shows something of the logs goes through ag_access_route,
 * or ag_access_ask where there is no HTTP request (a question on a WebSocket). A key comes as `Authorization:
 * Bearer lm_…` or `X-API-Key`; never in the URL. With auth=off, and on the loopback address while no key was
 * ever made, who shows none may do everything; the latter only where the Host is the loopback address, too.
 * Loop thread.
 *
 *   viewer    reads, without what `mask` hides
 *   operator  reads, exports, configures
 *   admin     reads, exports, configures, deletes; without a scope sees everybody's history
 */
#ifndef LOGMILL_AGENT_ACCESS_H
#define LOGMILL_AGENT_ACCESS_H

#include "agent/access/keyring.h"
#include "agent/access/rates.h"
#include "agent/config.h"
#include "agent/failure.h"

enum ag_right { AG_RIGHT_READ, AG_RIGHT_EXPORT, AG_RIGHT_CONFIGURE, AG_RIGHT_DELETE };
/* Of a question towards the key's rate limit, and of a page that the dashboard asks for by itself. */
#define AG_COST_QUESTION 1.0
#define AG_COST_PAGE 0.1

bool ag_role_may(enum ag_key_role role, enum ag_right right);

struct ag_access;

struct ag_access_options {
    uv_loop_t *loop;
    const struct ag_config *config;
    struct ag_reads *reads;
    struct ag_names *names; /* of who sees everything; outlives the access */
    struct ag_redis *redis; /* outlives the access; NULL where there is none */
    const char *conninfo;   /* as logmill_agent */
    struct lm_admin *admin;
    struct lm_metrics *metrics;
};

/* Before the loop runs: where keys are needed it asks PostgreSQL, for up to 5 s, whether there is one. 0, or
 * -1 with LM_FATAL: no memory, a mask that cannot be, no key at all though `listen` is not this machine's
 * address. *out, where it is not NULL, is to be closed in either case. */
int ag_access_open(const struct ag_access_options *options, struct ag_access **out,
                   struct lm_error *error) LM_MUST_CHECK;
/* For other things that are asked as logmill_agent. */
struct ag_store *ag_access_store(struct ag_access *access);
/* After the HTTP server and the runs, before the pool and the names. Calls `closed` once; freed by then. */
void ag_access_close(struct ag_access *access, void (*closed)(void *context), void *context);

/* ---- without HTTP ---- */

/* One that asks for admission; memory of the caller's, zeroed but for what is set. */
struct ag_admission {
    enum ag_right right;
    double cost;
    /* Once, maybe from inside ag_access_ask: `caller` (valid during the call; hold it to keep it) and NULL,
     * or NULL and why not. */
    void (*told)(struct ag_caller *caller, const struct ag_failure *failure, void *context);
    void *context;
    /* its own */
    struct ag_access *access;
    struct ag_key_waiter key;
    struct ag_rate_question rate;
    struct ag_names_waiter names;
    struct ag_caller *admitted; /* held while Redis is asked, or its names are read for the first time */
};
/* `key` as it was sent (hostile), or NULL for none. */
void ag_access_ask(struct ag_access *access, const char *key, struct ag_admission *admission);
/* Once more with the key of somebody admitted before: it may be revoked, or its rate over. */
void ag_access_ask_again(struct ag_access *access, const struct ag_shown_key *shown,
                         struct ag_admission *admission);
void ag_access_forget(struct ag_admission *admission);

/* ---- with HTTP ---- */

/* `caller` is valid during the call. */
typedef void (*ag_access_handler)(struct lm_http_request *http, struct ag_caller *caller, void *context);

struct ag_access_route {
    const char *method;
    const char *path;
    size_t max_body;
    enum ag_right right;
    double cost;
    ag_access_handler handler;
    void *context;
};
/* Adds a route whose handler is called for who may; the others are answered 401, 403, 429 or 503. The handler
 * must set its own lm_http_on_abandoned where it answers later. LM_FATAL without memory. */
int ag_access_route(struct ag_access *access, struct lm_http_server *http,
                    const struct ag_access_route *route, struct lm_error *error) LM_MUST_CHECK;
/* The key in the headers of a request: NULL for none; "", which is never good, for an Authorization that is
 * no bearer's, and for none where Host names another machine. */
const char *ag_access_key(const struct lm_http_request *http);

#endif
