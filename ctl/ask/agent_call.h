/*
 * Requests to the agent, one at a time: blocks until the answer is there, shows on a terminal what goes on
 * when it takes more than a second, and is given up by Ctrl-C, upon which the agent cancels the question.
 * Main thread: it takes SIGINT for as long as it is open.
 */
#ifndef LOGMILL_CTL_ASK_AGENT_CALL_H
#define LOGMILL_CTL_ASK_AGENT_CALL_H

#include "ctl/config.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct ct_agent;

/* Reads the key's file. LM_FATAL "usage" where it cannot be read or two keys are given, "memory". `progress`:
 * where to show what goes on; nothing is shown where that is no terminal. */
int ct_agent_open(const struct ct_config *config, FILE *progress, struct ct_agent **out,
                  struct lm_error *error) LM_MUST_CHECK;
void ct_agent_close(struct ct_agent *agent);

struct ct_agent_request {
    const char *path;   /* "/query" */
    const json_t *body; /* stays the caller's */
    bool events;        /* as server-sent events */
    FILE *stream;       /* not NULL: a body with status 200 is written here as it comes, and nowhere else */
};

struct ct_agent_reply {
    bool cancelled;     /* by Ctrl-C */
    int status;         /* of HTTP */
    json_t *json;       /* the answer, or {"error": …}; NULL where the body is no JSON, or was streamed */
    char *text;         /* the body as it came, unless it came as events or was streamed; NUL-terminated */
    long retry_after_s; /* 0: not said */
};

/* 0, or -1: LM_RETRY "unreachable", "timeout", "tls", "aborted" (the answer was cut off, or could not be
 * written), "memory". ct_agent_reply_free in either case. */
int ct_agent_ask(struct ct_agent *agent, const struct ct_agent_request *request, struct ct_agent_reply *reply,
                 struct lm_error *error) LM_MUST_CHECK;
void ct_agent_reply_free(struct ct_agent_reply *reply);

#endif
