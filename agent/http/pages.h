/*
 * What the agent serves beside questions: GET /schema (what can be asked about), GET /suggest?q=
 * (completions) and GET /openapi.json. Loop thread.
 */
#ifndef LOGMILL_AGENT_HTTP_PAGES_H
#define LOGMILL_AGENT_HTTP_PAGES_H

#include "agent/access/access.h"
#include "agent/config.h"
#include "agent/understand/vocabulary.h"
#include "common/http/http_server.h"

struct ag_pages {
    const struct ag_config *config;
    const struct ag_vocabulary *vocabulary;
    struct lm_histogram *suggest_seconds;
};

/* Adds the routes; `pages` outlives the server. 0, or -1 with LM_FATAL without memory. */
int ag_pages_route(struct ag_pages *pages, struct ag_access *access, struct lm_http_server *http,
                   struct lm_error *error) LM_MUST_CHECK;

#endif
