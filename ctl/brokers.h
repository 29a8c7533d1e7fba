/* A librdkafka client for commands: they wait for its answers, nothing else goes on. */
#ifndef LOGMILL_CTL_BROKERS_H
#define LOGMILL_CTL_BROKERS_H

#include "ctl/config.h"

#include <librdkafka/rdkafka.h>

/* With the brokers and kafka.* properties of the configuration; quiet. Does not wait for a connection.
 * Destroy with rd_kafka_destroy. NULL: `error`, of `size` bytes, says which property was refused. */
rd_kafka_t *ct_brokers_open(const struct ct_config *config, char *error, size_t size);
/* The same for reading topics (rd_kafka_consume_start, no group): it fetches little ahead, says where a
 * partition ends, and goes on with what is left where records were deleted. */
rd_kafka_t *ct_brokers_open_reader(const struct ct_config *config, char *error, size_t size);

#endif
