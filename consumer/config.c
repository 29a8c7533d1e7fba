#include "consumer/config.h"

#include <string.h>

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)
#define YEARS_100_MS (36525 * DAY_MS)
#define MIB (INT64_C(1024) * 1024)

#define FIELD(name) offsetof(struct co_config, name)

static const struct lm_config_option options[] = {
    LM_CONFIG_LOG_LEVEL(struct co_config),
    LM_CONFIG_BROKERS(struct co_config),
    LM_CONFIG_TOPIC_PREFIX(struct co_config),
    LM_CONFIG_KAFKA(struct co_config),
    LM_CONFIG_POSTGRES_URL(struct co_config),
    LM_CONFIG_LISTEN(struct co_config, "127.0.0.1:9101"),
    {.name = "group",
     .type = LM_CONFIG_TEXT,
     .offset = FIELD(group),
     .default_text = "logmill-consumer",
     .description = "Kafka consumer group; consumers of one group share the partitions."},
    {.name = "categories",
     .type = LM_CONFIG_LIST,
     .offset = FIELD(categories),
     .default_text = "raw,summary,training,tagged",
     .description = "Categories whose topics are consumed."},
    {.name = "batch.rows",
     .type = LM_CONFIG_INT,
     .offset = FIELD(batch_rows),
     .default_text = "10000",
     .min = 1,
     .max = 200000,
     .description = "Most records in one transaction."},
    {.name = "batch.bytes",
     .type = LM_CONFIG_SIZE,
     .offset = FIELD(batch_bytes),
     .default_text = "8MiB",
     .min = 64 * 1024,
     .max = 256 * MIB,
     .description = "Most COPY bytes in one transaction."},
    {.name = "batch.age",
     .type = LM_CONFIG_DURATION,
     .offset = FIELD(batch_age_ms),
     .default_text = "100ms",
     .min = 1,
     .max = MINUTE_MS,
     .description = "A batch that is not full is written when its first record has waited this long and a "
                    "connection is free."},
    {.name = "connections",
     .type = LM_CONFIG_INT,
     .offset = FIELD(connections),
     .default_text = "2",
     .min = 1,
     .max = 16,
     .description = "PostgreSQL connections that write batches; one more is used for everything else."},
    {.name = "memory",
     .type = LM_CONFIG_SIZE,
     .offset = FIELD(memory),
     .default_text = "40MiB",
     .min = 8 * MIB,
     .max = 65536 * MIB,
     .description = "Budget for records in memory: three quarters for batches, one for what librdkafka has "
                    "fetched ahead."},
    {.name = "grace",
     .type = LM_CONFIG_DURATION,
     .offset = FIELD(grace_ms),
     .default_text = "20s",
     .min = 100,
     .max = HOUR_MS,
     .description = "After SIGTERM, how long batches under way may take before they are given up; Kafka "
                    "still has them."},
    {.name = "schema_wait",
     .type = LM_CONFIG_DURATION,
     .offset = FIELD(schema_wait_ms),
     .default_text = "10m",
     .min = 0,
     .max = 7 * DAY_MS,
     .description = "How long a partition waits for a writer's schema that is not known before its record is "
                    "dead-lettered."},
    {.name = "leaves_ahead",
     .type = LM_CONFIG_DURATION,
     .offset = FIELD(leaves_ahead_ms),
     .default_text = "3h",
     .min = HOUR_MS,
     .max = 60 * DAY_MS,
     .description = "Leaves of the log table are made this long before they are needed."},
    {.name = "lock_timeout",
     .type = LM_CONFIG_DURATION,
     .offset = FIELD(lock_timeout_ms),
     .default_text = "10s",
     .min = 100,
     .max = HOUR_MS,
     .description = "How long a batch's last step waits for a row lock before the consumer that holds it is "
                    "disconnected."},
    {.name = "dlq_max_bytes",
     .type = LM_CONFIG_SIZE,
     .offset = FIELD(dlq_max_bytes),
     .default_text = "16MiB",
     .min = 1024,
     .max = 512 * MIB,
     .description =
         "Largest dead letter sent; the dead-letter topics must accept as much (max.message.bytes)."},
    {.name = "source_expiry",
     .type = LM_CONFIG_DURATION,
     .offset = FIELD(source_expiry_ms),
     .default_text = "7d",
     .min = MINUTE_MS,
     .max = 3650 * DAY_MS,
     .description = "A producer's last sequence is forgotten this long (Kafka time) after its last record."},
    {.name = "sources_max",
     .type = LM_CONFIG_INT,
     .offset = FIELD(sources_max),
     .default_text = "200000",
     .min = 1000,
     .max = 100000000,
     .description = "Producers' last sequences held in memory, for each partition; others are looked up."},
    {.name = "names_max",
     .type = LM_CONFIG_INT,
     .offset = FIELD(names_max),
     .default_text = "10000",
     .min = 100,
     .max = 1000000,
     .description = "Most names of a kind kept for each partition; services beyond it count under (other) in "
                    "the rollups."},
    {.name = "patterns_max",
     .type = LM_CONFIG_INT,
     .offset = FIELD(patterns_max),
     .default_text = "50000",
     .min = 100,
     .max = 10000000,
     .description = "Most message patterns whose template is stored."},
    {.name = "retry.base",
     .type = LM_CONFIG_DURATION,
     .offset = FIELD(retry_base_ms),
     .default_text = "100ms",
     .min = 1,
     .max = MINUTE_MS,
     .description =
         "Shortest wait before a failed batch or connection is tried again; doubled each time, with jitter."},
    {.name = "retry.cap",
     .type = LM_CONFIG_DURATION,
     .offset = FIELD(retry_cap_ms),
     .default_text = "5s",
     .min = 1,
     .max = HOUR_MS,
     .description = "Longest such wait."},
#define WINDOW(category, index, past)                                                                        \
    {.name = "window." category ".past",                                                                     \
     .type = LM_CONFIG_DURATION,                                                                             \
     .offset = FIELD(window_past_ms[index]),                                                                 \
     .default_text = past,                                                                                   \
     .min = MINUTE_MS,                                                                                       \
     .max = YEARS_100_MS,                                                                                    \
     .description = "Oldest event time accepted for " category "; older records are dead-lettered."},        \
    {                                                                                                        \
        .name = "window." category ".future", .type = LM_CONFIG_DURATION,                                    \
        .offset = FIELD(window_future_ms[index]), .default_text = "1h", .min = 0, .max = YEARS_100_MS,       \
        .description = "How far ahead of the clock an event time may be for " category "."                   \
    }
    WINDOW("raw", LM_RAW, "7d"),
    WINDOW("summary", LM_SUMMARY, "90d"),
    WINDOW("training", LM_TRAINING, "3650d"),
    WINDOW("tagged", LM_TAGGED, "3650d"),
};

const struct lm_config_program co_config_program = {
    .name = "logmill-consumer",
    .summary = "Takes log records from Kafka and stores each of them exactly once in PostgreSQL.",
    .arguments = "",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
};

int co_config_check(const struct co_config *config, bool subscribed[LM_CATEGORY_COUNT],
                    struct lm_error *error)
{
    memset(subscribed, 0, sizeof(bool) * LM_CATEGORY_COUNT);
    for (size_t i = 0; i < config->categories.count; i++) {
        const char *name = config->categories.items[i];
        enum lm_category category;
        if (lm_category_parse(name, strlen(name), &category) != 0)
            return lm_error_set(error, LM_FATAL, "configuration",
                                "categories: \"%s\" is none of raw, summary, training, tagged", name);
        subscribed[category] = true;
    }
    if (config->categories.count == 0)
        return lm_error_set(error, LM_FATAL, "configuration",
                            "categories is empty: name at least one of raw, summary, training, tagged");
    if (config->retry_cap_ms < config->retry_base_ms)
        return lm_error_set(error, LM_FATAL, "configuration", "retry.cap is shorter than retry.base");
    return 0;
}
