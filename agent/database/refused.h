/*
 * Why a connection of the agent's is not up, for /readyz: what PostgreSQL says, and where it has no
 * connection left to give, what an agent takes and how there will be more. Pure but for the condition it
 * sets.
 */
#ifndef LOGMILL_AGENT_DATABASE_REFUSED_H
#define LOGMILL_AGENT_DATABASE_REFUSED_H

#include "common/http/admin.h"

#define AG_REFUSED_WRITING "two connections as this role, for the audit log and for API keys"

/* `condition` (NULL: nothing is done) is unmet by `error`. `takes`: the connections that one agent takes as
 * the role in question, "two …". */
void ag_refused(struct lm_condition *condition, const struct lm_error *error, const char *takes);

#endif
