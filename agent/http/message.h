/*
 * What a client says on a WebSocket: {"type":"ask","id":…,…request} or {"type":"cancel","id":…}. Any thread.
 */
#ifndef LOGMILL_AGENT_HTTP_MESSAGE_H
#define LOGMILL_AGENT_HTTP_MESSAGE_H

#include "common/error.h"

#include <jansson.h>
#include <stddef.h>

#define AG_MESSAGE_ID_SIZE 129 /* with the NUL */

enum ag_message_type { AG_MESSAGE_ASK, AG_MESSAGE_CANCEL };

struct ag_message {
    enum ag_message_type type;
    char id[AG_MESSAGE_ID_SIZE]; /* "" where it could not be read */
    json_t *request;             /* of an ask: its other members, for ag_request_from_json; owned */
};

/* `text` is hostile. 0, or -1 with LM_FATAL "bad_request"; *out is to be cleared in any case. */
int ag_message_read(const char *text, size_t len, struct ag_message *out,
                    struct lm_error *error) LM_MUST_CHECK;
void ag_message_clear(struct ag_message *message);

#endif
