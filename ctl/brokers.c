#include "ctl/brokers.h"

rd_kafka_t *ct_brokers_open(const struct ct_config *config, char *error, size_t size)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (rd_kafka_conf_set(conf, "bootstrap.servers", config->brokers, error, size) != RD_KAFKA_CONF_OK ||
        rd_kafka_conf_set(conf, "client.id", "logmill-ctl", error, size) != RD_KAFKA_CONF_OK ||
        rd_kafka_conf_set(conf, "log_level", "2", error, size) != RD_KAFKA_CONF_OK)
        goto destroy;
    for (size_t i = 0; i < config->kafka.count; i++) {
        if (rd_kafka_conf_set(conf, config->kafka.names[i], config->kafka.values[i], error, size) !=
            RD_KAFKA_CONF_OK)
            goto destroy;
    }
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, size);
    if (client != NULL)
        return client;
destroy:
    rd_kafka_conf_destroy(conf);
    return NULL;
}
