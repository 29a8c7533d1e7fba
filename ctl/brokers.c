#include "ctl/brokers.h"

#include <stddef.h>

static const char *const client[][2] = {{"client.id", "logmill-ctl"}, {"log_level", "2"}, {NULL, NULL}};
static const char *const reader[][2] = {
    {"client.id", "logmill-ctl"},           {"log_level", "2"},
    {"queued.max.messages.kbytes", "8192"}, {"enable.partition.eof", "true"},
    {"auto.offset.reset", "earliest"},      {NULL, NULL}};

static rd_kafka_t *open_client(const struct ct_config *config, rd_kafka_type_t type,
                               const char *const (*properties)[2], char *error, size_t size)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (rd_kafka_conf_set(conf, "bootstrap.servers", config->brokers, error, size) != RD_KAFKA_CONF_OK)
        goto destroy;
    for (; (*properties)[0] != NULL; properties++) {
        if (rd_kafka_conf_set(conf, (*properties)[0], (*properties)[1], error, size) != RD_KAFKA_CONF_OK)
            goto destroy;
    }
    for (size_t i = 0; i < config->kafka.count; i++) {
        if (rd_kafka_conf_set(conf, config->kafka.names[i], config->kafka.values[i], error, size) !=
            RD_KAFKA_CONF_OK)
            goto destroy;
    }
    rd_kafka_t *kafka = rd_kafka_new(type, conf, error, size);
    if (kafka != NULL)
        return kafka;
destroy:
    rd_kafka_conf_destroy(conf);
    return NULL;
}

rd_kafka_t *ct_brokers_open(const struct ct_config *config, char *error, size_t size)
{
    return open_client(config, RD_KAFKA_PRODUCER, client, error, size);
}

rd_kafka_t *ct_brokers_open_reader(const struct ct_config *config, char *error, size_t size)
{
    return open_client(config, RD_KAFKA_CONSUMER, reader, error, size);
}
