/*
 * Tickets: what a page shows instead of its API key when it opens a WebSocket, where a browser lets it set no
 * header. POST /ws/ticket gives one for the key it is asked with. It opens one connection, within 60 s, at
 * the agent that gave it, and is then worth what its key is worth: a key that was revoked meanwhile opens
 * nothing, and its role and scope are those of that moment. 192 random bits; only digests are held, so that
 * what is taken for a ticket tells nothing by its time. Loop thread.
 */
#ifndef LOGMILL_AGENT_ACCESS_TICKETS_H
#define LOGMILL_AGENT_ACCESS_TICKETS_H

#include "agent/access/access.h"

#define AG_TICKET_SIZE 49 /* as text, with the NUL */
#define AG_TICKET_S 60
#define AG_TICKETS_EACH 64 /* not used yet, of one key */
#define AG_TICKETS 1024    /* of all */

struct ag_tickets;

/* NULL without memory. */
struct ag_tickets *ag_tickets_new(void);
void ag_tickets_free(struct ag_tickets *tickets);
/* Adds POST /ws/ticket. LM_FATAL without memory. */
int ag_tickets_route(struct ag_tickets *tickets, struct ag_access *access, struct lm_http_server *http,
                     struct lm_error *error) LM_MUST_CHECK;

/* One for this caller; `now_us` is monotonic. -1: LM_RETRY "many", as many as may be are not used yet, or
 * LM_RETRY "random", the system gives no random bytes. */
int ag_ticket_give(struct ag_tickets *tickets, const struct ag_shown_key *key, int64_t now_us,
                   char out[AG_TICKET_SIZE], struct lm_error *error) LM_MUST_CHECK;
/* Is `text` (hostile) one that is good? Then it is so no longer, and `key` is the one it was given for. */
bool ag_ticket_take(struct ag_tickets *tickets, const char *text, int64_t now_us,
                    struct ag_shown_key *key) LM_MUST_CHECK;

#endif
