/* The gateway's configuration table. */
#ifndef LOGMILL_PRODUCER_GATEWAY_CONFIG_H
#define LOGMILL_PRODUCER_GATEWAY_CONFIG_H

#include "common/config/config.h"

struct gw_config {
    char *listen;
    char *brokers;
    char *topic_prefix;
    struct lm_config_map kafka;
    int log_level;
    int64_t max_body;      /* bytes as received */
    int64_t max_inflated;  /* bytes after decompression */
    int64_t queue_records; /* undelivered records at most */
    int64_t queue_bytes;
    int64_t delivery_timeout; /* ms a request waits for the brokers */
    int64_t stop_timeout;     /* ms a stop waits for what is under way */
};

extern const struct lm_config_program gw_config_program;

#endif
