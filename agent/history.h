/* GET /history?before=&limit=: questions asked, newest first, out of the audit log. A key sees its own, an
 * admin everybody's. */
#ifndef LOGMILL_AGENT_HISTORY_H
#define LOGMILL_AGENT_HISTORY_H

#include "agent/access.h"

/* An ag_access_handler; `context` is the store. */
void ag_history(struct lm_http_request *http, struct ag_caller *caller, void *context);

#endif
