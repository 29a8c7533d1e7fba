/* Headers of a Kafka message; of several with a name the last one counts. Any thread that owns the message.
 */
#ifndef LOGMILL_COMMON_KAFKA_HEADER_H
#define LOGMILL_COMMON_KAFKA_HEADER_H

#include "common/record/record.h"

#include <librdkafka/rdkafka.h>

/* The value, in the message; false (*out empty, data NULL): no such header, or a null one. */
bool lm_kafka_header(const rd_kafka_message_t *message, const char *name, struct lm_slice *out);
/* A value of decimal digits and nothing else, at most `max`; false: there is none. */
bool lm_kafka_header_number(const rd_kafka_message_t *message, const char *name, int64_t max, int64_t *out);

#endif
