/* Why a question got no answer, and the closed list of codes an error answer can carry (openapi.json has the
 * same). */
#ifndef LOGMILL_AGENT_FAILURE_H
#define LOGMILL_AGENT_FAILURE_H

#include "common/buffer.h"
#include "common/http/http_server.h"

#include <jansson.h>

#define AG_FAILURE_SUGGESTIONS 5

struct ag_failure {
    const char *code;
    char message[512];
    char hint[512];
    const char *suggestions[AG_FAILURE_SUGGESTIONS]; /* not owned */
    size_t suggestion_count;
    unsigned retry_after_s; /* 0: as the status has it */
    json_t *choices;        /* array of {label, question, intent}, or NULL; owned */
};

/* Texts are copied and cut; `hint` may be NULL. */
void ag_failure_set(struct ag_failure *failure, const char *code, const char *message, const char *hint);
void ag_failure_clear(struct ag_failure *failure);
/* Appends it as a JSON object: {"code":…,"message":…,"hint":…,"suggestions":[…],"choices":[…]?}. */
void ag_failure_write(const struct ag_failure *failure, struct lm_buffer *out);
/* Answers the request with it: JSON, Cache-Control, Retry-After where the status asks for one. */
void ag_failure_reply(struct lm_http_request *request, const struct ag_failure *failure);

#endif
