/* The shipper's configuration table. */
#ifndef LOGMILL_PRODUCER_SHIP_CONFIG_H
#define LOGMILL_PRODUCER_SHIP_CONFIG_H

#include "common/config/config.h"

enum sh_format { SH_AUTO, SH_PLAIN, SH_JSON, SH_LOG4J };

struct sh_config {
    char *brokers;
    char *topic_prefix;
    struct lm_config_map kafka;
    int log_level;
    char *listen;
    int category;
    char *service;
    char *environment;
    char *log_type;
    char *host;
    struct lm_config_list tags;
    int format;
    bool utc;
    bool follow;
    char *positions;
    int64_t join_wait;     /* ms a record waits for continuation lines */
    int64_t poll_interval; /* ms between two looks at the files */
    int64_t max_record;    /* bytes of one record's text */
    int64_t queue_records;
    int64_t queue_bytes;
    int64_t delivery_timeout; /* ms without an acknowledgement before the end is given up; 0: never */
    int64_t stop_timeout;     /* ms that a stop waits for what is on its way */
};

extern const struct lm_config_program sh_config_program;

#endif
