/*
 * /healthz, /readyz and /metrics, the same on every server. A program registers named conditions; it is ready
 * when all of them hold, and /readyz names those that do not, since when and why. Loop thread.
 */
#ifndef LOGMILL_COMMON_HTTP_ADMIN_H
#define LOGMILL_COMMON_HTTP_ADMIN_H

#include "common/http/http_server.h"

struct lm_admin;
struct lm_condition;

/* Adds the three routes to `server`, which must outlive the admin. LM_FATAL without memory. */
int lm_admin_open(struct lm_http_server *server, struct lm_metrics *metrics, struct lm_admin **out,
                  struct lm_error *error) LM_MUST_CHECK;
/* After the server has closed. */
void lm_admin_free(struct lm_admin *admin);

/* A condition starts unmet with the reason "starting". NULL without memory. Lives as long as the admin. */
struct lm_condition *lm_admin_condition(struct lm_admin *admin, const char *name);
/* `reason` NULL: met. Otherwise unmet, with a sentence (copied) saying what is wrong and what to do. */
void lm_condition_set(struct lm_condition *condition, const char *reason);
bool lm_admin_ready(const struct lm_admin *admin);

#endif
