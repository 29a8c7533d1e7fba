/* GET /history?before=&limit=: questions asked, newest first, out of the audit log. A key sees its own, an
 * admin without a scope everybody's: what others ask about need not be in the scope. */
#ifndef LOGMILL_AGENT_HTTP_HISTORY_H
#define LOGMILL_AGENT_HTTP_HISTORY_H

#include "agent/access/access.h"

/* An ag_access_handler; `context` is the store. */
void ag_history(struct lm_http_request *http, struct ag_caller *caller, void *context);

#endif
