#include "ctl/config.h"

#define HOUR_MS (INT64_C(3600) * 1000)

static const struct lm_config_option options[] = {
    LM_CONFIG_LOG_LEVEL(struct ct_config),
    LM_CONFIG_POSTGRES_URL(struct ct_config),
    LM_CONFIG_BROKERS(struct ct_config),
    LM_CONFIG_TOPIC_PREFIX(struct ct_config),
    LM_CONFIG_KAFKA(struct ct_config),
    {.name = "sql_dir",
     .type = LM_CONFIG_TEXT,
     .offset = offsetof(struct ct_config, sql_dir),
     .default_text = "",
     .description = "migrate, status: folder of migrations to use in place of the built-in ones."},
    {.name = "leaves_ahead",
     .type = LM_CONFIG_DURATION,
     .offset = offsetof(struct ct_config, leaves_ahead_ms),
     .default_text = "3h",
     .min = 0,
     .max = 31 * 24 * HOUR_MS,
     .description = "migrate: leaves of the log table are made from now to this far ahead."},
    {.name = "partitions",
     .type = LM_CONFIG_INT,
     .offset = offsetof(struct ct_config, partitions),
     .default_text = "4",
     .min = 1,
     .max = 10000,
     .description = "topics create: partitions of each category's topic."},
    {.name = "replication",
     .type = LM_CONFIG_INT,
     .offset = offsetof(struct ct_config, replication),
     .default_text = "-1",
     .min = -1,
     .max = 32767,
     .description = "topics create: replicas of each partition; -1 takes the brokers' default."},
};

const struct lm_config_program ct_config_program = {
    .name = "logmill-ctl",
    .summary =
        "What an operator of Logmill runs by hand or from cron; `logmill-ctl help` lists the commands.",
    .arguments = "COMMAND [ARGUMENT …]",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
};
