/* The consumer's settings: one table (config.c) fills this struct and makes --help, --print-config and the
 * documentation. */
#ifndef LOGMILL_CONSUMER_CONFIG_H
#define LOGMILL_CONSUMER_CONFIG_H

#include "common/config/config.h"
#include "common/record/record.h"

struct co_config {
    int log_level;
    char *brokers;
    char *topic_prefix;
    char *postgres_url;
    char *listen;
    char *group;
    struct lm_config_map kafka;
    struct lm_config_list categories;
    int64_t batch_rows;
    int64_t batch_bytes;
    int64_t batch_age_ms;
    int64_t connections;
    int64_t memory;
    int64_t grace_ms;
    int64_t schema_wait_ms;
    char *registry_url, *registry_user, *registry_password, *registry_token, *registry_ca;
    int64_t registry_timeout_ms;
    int64_t leaves_ahead_ms;
    char *fold_zone;
    int64_t rollup_retention_ms;
    bool count_seconds;
    int64_t lock_timeout_ms;
    int64_t dlq_max_bytes;
    int64_t source_expiry_ms;
    int64_t sources_max;
    int64_t names_max;
    int64_t patterns_max;
    int64_t retry_base_ms;
    int64_t retry_cap_ms;
    int64_t window_past_ms[LM_CATEGORY_COUNT];
    int64_t window_future_ms[LM_CATEGORY_COUNT];
};

extern const struct lm_config_program co_config_program;

/* What the table cannot say: the categories are ours, each named once. Fills subscribed[] by category.
 * LM_FATAL. */
int co_config_check(const struct co_config *config, bool subscribed[LM_CATEGORY_COUNT],
                    struct lm_error *error) LM_MUST_CHECK;

#endif
