/*
 * GET /ws/query: questions on a WebSocket, up to AG_CONVERSATION_QUESTIONS at once on each connection.
 *
 * The client says {"type":"ask","id":…,…request} with what POST /query takes, and {"type":"cancel","id":…};
 * it hears the events of events.h, of each id in order, and exactly one result, error or cancelled. An id is
 * free again after that. A message that names no question (no JSON, no id, an id under way) is answered by
 * an error whose id is null. A cancel of what is over is no error: the two may have crossed.
 *
 * The key, or a ticket for it, is shown once, in the handshake; every question is admitted anew, pays the
 * key's rate and runs with the rights of that moment. A key that was revoked closes the connection (1008) at
 * the next question or ping. No question outlives its connection. Loop thread.
 */
#ifndef LOGMILL_AGENT_HTTP_CONVERSATION_H
#define LOGMILL_AGENT_HTTP_CONVERSATION_H

#include "agent/access/access.h"
#include "agent/access/tickets.h"
#include "agent/run/run.h"

#define AG_CONVERSATION_QUESTIONS 8
#define AG_CONVERSATION_MESSAGE AG_MAX_BODY      /* bytes */
#define AG_CONVERSATION_UNSENT ((size_t)4 << 20) /* bytes; tokens are left out long before: events.c */

/* All of an agent. */
struct ag_conversations {
    struct ag_runs *runs;
    struct ag_access *access;
    struct ag_tickets *tickets;
    struct lm_gauge *open;
    struct ag_conversation *first;
    unsigned count;
    bool stopping;
};

/* Adds the route; `all` is set but for its list, and outlives the server. */
int ag_conversations_route(struct ag_conversations *all, struct lm_http_server *http,
                           struct lm_error *error) LM_MUST_CHECK;
/* No question more; connections close (1001) as soon as theirs are answered, and at the latest with the HTTP
 * server's deadline. */
void ag_conversations_stop(struct ag_conversations *all);

#endif
