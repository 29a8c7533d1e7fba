/*
 * Has PostgreSQL forget the counts by the second that are no longer asked for (logmill.forget_seconds), once
 * a minute. The chore has no context. Loop thread.
 */
#ifndef LOGMILL_CONSUMER_CHORES_SECONDS_H
#define LOGMILL_CONSUMER_CHORES_SECONDS_H

#include "consumer/chores/chore.h"

extern const struct co_chore_kind co_seconds_kind;

#endif
