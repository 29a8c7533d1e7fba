/*
 * The consumer as a whole: opens its parts in order, turns the loop's events into reading and writing, and
 * stops in phases. One thread, the loop's; librdkafka has its own.
 *
 *   running → draining   SIGTERM: nothing is read any more, what was taken is written
 *           → leaving    all written, or the grace period is over: offsets to Kafka, leave the group
 *           → closing    connections, servers, handles
 */
#ifndef LOGMILL_CONSUMER_CONSUMER_H
#define LOGMILL_CONSUMER_CONSUMER_H

#include "common/service.h"
#include "consumer/config.h"

struct co_consumer;

/* Opens everything; the configuration must outlive it. On -1 (LM_FATAL) everything opened so far is closing:
 * run the service to its end before freeing. */
int co_consumer_open(struct lm_service *service, const struct co_config *config, struct co_consumer *consumer,
                     struct lm_error *error) LM_MUST_CHECK;
/* NULL without memory. */
struct co_consumer *co_consumer_new(void);
/* After the service has run to its end. */
void co_consumer_free(struct co_consumer *consumer);
/* The configuration has changed: what is reloadable holds from now on. The texts it replaced must live until
 * this returns. */
void co_consumer_reconfigure(void *context);
/* What lm_service's stop is to do, and to return. */
unsigned co_consumer_stop(struct co_consumer *consumer, bool now);

#endif
