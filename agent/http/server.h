/*
 * The agent as a service: opens what the runs work with in order, serves POST /query and POST /explain beside
 * the admin routes, and stops in the reverse order: intake, questions under way, audit log, connections.
 */
#ifndef LOGMILL_AGENT_HTTP_SERVER_H
#define LOGMILL_AGENT_HTTP_SERVER_H

#include "agent/config.h"
#include "common/error.h"

#include <stdbool.h>
#include <uv.h>

struct ag_server;

/* `config` must outlive the server. LM_FATAL with a sentence: address taken, unknown time zone, nothing but
 * loopback without keys … */
int ag_server_open(uv_loop_t *loop, const struct ag_config *config, struct ag_server **out,
                   struct lm_error *error) LM_MUST_CHECK;
/* "http://127.0.0.1:8001" */
const char *ag_server_url(const struct ag_server *server);
/* Stops; a second call with `now` skips the waiting. `stopped` (of the first call) is called once when all is
 * closed and the server freed. Returns how many ms questions under way and then the audit log are waited for,
 * at most. */
unsigned ag_server_stop(struct ag_server *server, bool now, void (*stopped)(void *context), void *context);

#endif
