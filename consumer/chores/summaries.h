/*
 * Has PostgreSQL summarise what was written to the leaves in their BRIN index (logmill.summarise), every
 * three seconds, so that times, traces and rare services of the running hour are found without reading all of
 * it. The chore has no context. Loop thread.
 */
#ifndef LOGMILL_CONSUMER_CHORES_SUMMARIES_H
#define LOGMILL_CONSUMER_CHORES_SUMMARIES_H

#include "consumer/chores/chore.h"

extern const struct co_chore_kind co_summaries_kind;

#endif
