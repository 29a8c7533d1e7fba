/*
 * librdkafka on the loop: any number of its queues wake one uv_async, and a timer fires once a second
 * besides, because an idle consumer that is not polled is evicted from its group.
 */
#ifndef LOGMILL_COMMON_KAFKA_WAKE_H
#define LOGMILL_COMMON_KAFKA_WAKE_H

#include "common/config/config.h"
#include "common/error.h"

#include <librdkafka/rdkafka.h>
#include <uv.h>

struct lm_kafka_wake {
    uv_async_t async;
    uv_timer_t timer;
    void (*ready)(void *context);
    void *context;
    int open_handles;
    void (*closed)(void *context);
};

/* `ready` is called on the loop whenever an attached queue may hold something, and once a second. */
int lm_kafka_wake_open(struct lm_kafka_wake *wake, uv_loop_t *loop, void (*ready)(void *context),
                       void *context, struct lm_error *error) LM_MUST_CHECK;
/* The queue wakes the loop when it turns from empty to not empty, so read it until it is empty, or call
 * lm_kafka_wake_again. Detach before the wake is closed. */
void lm_kafka_wake_attach(struct lm_kafka_wake *wake, rd_kafka_queue_t *queue);
void lm_kafka_wake_detach(rd_kafka_queue_t *queue);
/* Calls `ready` once more from the loop: for whoever stopped reading before a queue was empty. Any thread. */
void lm_kafka_wake_again(struct lm_kafka_wake *wake);
/* `closed` is called on the loop when both handles are gone; the struct may be freed then. */
void lm_kafka_wake_close(struct lm_kafka_wake *wake, void (*closed)(void *context));

/* A librdkafka configuration with our defaults (socket.nagle.disable …), the user's kafka.* map over them,
 * its log lines on our log. LM_FATAL names the property that was refused. The caller owns *out until
 * rd_kafka_new takes it. */
int lm_kafka_conf(const char *brokers, const struct lm_config_map *properties, rd_kafka_conf_t **out,
                  struct lm_error *error) LM_MUST_CHECK;
/* One more property; LM_FATAL names it where it is refused. */
int lm_kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value,
                      struct lm_error *error) LM_MUST_CHECK;

#endif
