#include "consumer/kafka/kafka.h"

#include "common/kafka/kafka_wake.h"

#include <stdio.h>
#include <string.h>

#define PROBE_MS 3000
#define FETCH_MAX ((size_t)2 << 20)
/* A broker answers a fetch once it has as much, or has waited as long: at a few thousand records a second,
 * one answer for each batch of a producer took the consumer and the broker twice the CPU. Not where the user
 * has said how long a fetch may wait, for so long would each record, or how little it holds. */
#define FETCH_MIN_BYTES "65536"
#define FETCH_WAIT_MS "25"
/* Below this librdkafka keeps more with a message than its own bytes. */
#define SMALL_MESSAGE 300

static int set(rd_kafka_conf_t *conf, const char *name, const char *value, struct lm_error *error)
{
    char text[256];
    if (rd_kafka_conf_set(conf, name, value, text, sizeof(text)) == RD_KAFKA_CONF_OK)
        return 0;
    return lm_error_set(error, LM_FATAL, "configuration", "kafka.%s: %s", name, text);
}

/* What the user may change stands before the user's own properties; what the guarantees rest on comes after
 * them. */
static int configure(rd_kafka_conf_t *conf, const struct co_kafka_options *options, struct lm_error *error)
{
    static const char *const fixed[][2] = {
        {"enable.auto.commit", "false"},       {"enable.auto.offset.store", "false"},
        {"auto.offset.reset", "error"},        {"isolation.level", "read_committed"},
        {"enable.partition.eof", "true"},      {"partition.assignment.strategy", "range,roundrobin"},
        {"allow.auto.create.topics", "false"},
    };

    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
        if (set(conf, fixed[i][0], fixed[i][1], error) != 0)
            return -1;
    }
    return set(conf, "group.id", options->group, error);
}

static bool is_given(const struct lm_config_map *properties, const char *name)
{
    for (size_t i = 0; i < properties->count; i++) {
        if (strcmp(properties->names[i], name) == 0)
            return true;
    }
    return false;
}

/* Ours unless the user has set it. */
static int prefer(rd_kafka_conf_t *conf, const struct co_kafka_options *options, const char *name,
                  const char *value, struct lm_error *error)
{
    return is_given(options->properties, name) ? 0 : set(conf, name, value, error);
}

struct co_kafka_ahead co_kafka_ahead(size_t bytes)
{
    size_t sixth = bytes / 6, fetch = sixth < FETCH_MAX ? sixth : FETCH_MAX;

    return (struct co_kafka_ahead){.fetch_bytes = fetch,
                                   .low_bytes = bytes * 4 / 3 - fetch,
                                   .low_messages = (bytes - fetch) / SMALL_MESSAGE};
}

int co_kafka_open(const struct co_kafka_options *options, rd_kafka_t **out, struct lm_error *error)
{
    rd_kafka_conf_t *conf = NULL;
    char text[512], kbytes[24], fetch[24], messages[24];
    const struct co_kafka_ahead *ahead = &options->ahead;

    if (lm_kafka_conf(options->brokers, options->properties, &conf, error) != 0)
        return -1;
    (void)snprintf(fetch, sizeof(fetch), "%zu", ahead->fetch_bytes);
    (void)snprintf(kbytes, sizeof(kbytes), "%zu", ahead->low_bytes / 1024);
    (void)snprintf(messages, sizeof(messages), "%zu", ahead->low_messages);
    /* A fetch that waits for records holds up what else is asked of that broker: watermarks, above all. */
    if (configure(conf, options, error) != 0 ||
        prefer(conf, options, "queued.max.messages.kbytes", kbytes, error) != 0 ||
        prefer(conf, options, "queued.min.messages", messages, error) != 0 ||
        /* A fetch is one buffer that stays whole until its last message has been taken. */
        prefer(conf, options, "fetch.message.max.bytes", fetch, error) != 0 ||
        prefer(conf, options, "fetch.wait.max.ms", FETCH_WAIT_MS, error) != 0 ||
        (!is_given(options->properties, "fetch.wait.max.ms") &&
         !is_given(options->properties, "fetch.message.max.bytes") &&
         prefer(conf, options, "fetch.min.bytes", FETCH_MIN_BYTES, error) != 0) ||
        /* What a killed consumer had stands still for as long. */
        prefer(conf, options, "session.timeout.ms", "10000", error) != 0 ||
        /* Members hear of a rebalance with their next heartbeat; the first to hear stands still until the
         * last has heard. */
        prefer(conf, options, "heartbeat.interval.ms", "500", error) != 0 ||
        /* New partitions, and topics made later, are seen as late as this. */
        prefer(conf, options, "topic.metadata.refresh.interval.ms", "10000", error) != 0) {
        rd_kafka_conf_destroy(conf);
        return -1;
    }
    rd_kafka_conf_set_opaque(conf, options->opaque);
    rd_kafka_conf_set_error_cb(conf, options->error);
    rd_kafka_conf_set_rebalance_cb(conf, options->rebalance);
    *out = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
    if (*out == NULL) {
        rd_kafka_conf_destroy(conf);
        return lm_error_set(error, LM_FATAL, "configuration", "the Kafka consumer cannot be made: %s", text);
    }
    (void)rd_kafka_poll_set_consumer(*out);
    return 0;
}

static void probe_job(uv_work_t *work) /* thread pool */
{
    struct co_kafka_probe *probe = work->data;
    const struct rd_kafka_metadata *metadata = NULL;

    probe->answered =
        rd_kafka_metadata(probe->kafka, 0, NULL, &metadata, PROBE_MS) == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (metadata != NULL)
        rd_kafka_metadata_destroy(metadata);
}

static void after_probe(uv_work_t *work, int status)
{
    struct co_kafka_probe *probe = work->data;
    (void)status;
    probe->busy = false;
    probe->done(probe->answered, probe->context);
}

void co_kafka_probe(struct co_kafka_probe *probe, uv_loop_t *loop)
{
    if (probe->busy)
        return;
    probe->work.data = probe;
    probe->busy = uv_queue_work(loop, &probe->work, probe_job, after_probe) == 0;
}
