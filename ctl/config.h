/* The settings of logmill-ctl: one table (config.c) for all of its commands. */
#ifndef LOGMILL_CTL_CONFIG_H
#define LOGMILL_CTL_CONFIG_H

#include "common/config.h"

struct ct_config {
    int log_level;
    char *postgres_url;
    char *brokers;
    char *topic_prefix;
    struct lm_config_map kafka;
    char *sql_dir;
    int64_t leaves_ahead_ms;
    int64_t partitions;
    int64_t replication;
};

extern const struct lm_config_program ct_config_program;

#endif
