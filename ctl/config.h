/* The settings of logmill-ctl: one table (config.c) for all of its commands. */
#ifndef LOGMILL_CTL_CONFIG_H
#define LOGMILL_CTL_CONFIG_H

#include "common/config/config.h"

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
    struct lm_config_list topic;
    struct lm_config_list class;
    char *since, *until, *before;
    int time_of; /* enum ct_dlq_time */
    int64_t limit;
    char *zone;
    char *name;
    int role; /* of an API key: viewer, operator, admin */
    int64_t expires_ms;
    struct lm_config_list service, environment;
    char *agent_url, *agent_key, *agent_key_file, *agent_ca;
    char *time_zone;
    char *history_file;
    bool csv, sql, explain, table, refresh;
    bool top, count, json, dry_run, again, yes;
};

extern const struct lm_config_program ct_config_program;

#endif
