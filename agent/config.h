/* The settings of logmill-agent: one table (config.c). */
#ifndef LOGMILL_AGENT_CONFIG_H
#define LOGMILL_AGENT_CONFIG_H

#include "common/config.h"

enum ag_auth { AG_AUTH_KEYS, AG_AUTH_OFF };

struct ag_config {
    int log_level;
    char *listen;
    char *postgres_url;
    char *audit_url;
    char *timezone;
    char *vocabulary;
    int auth; /* enum ag_auth */
    struct lm_config_list mask;
    int64_t rate_limit;
    int64_t rate_burst;
    bool allow_now;
    bool audit_required;
    int64_t pool_size;
    int64_t max_in_flight;
    int64_t queue_size;
    int64_t queue_wait_ms;
    int64_t statement_timeout_ms;
    int64_t max_cost;
    int64_t scan_window_ms;
    int64_t longest_window_ms;
    int64_t cache_bytes;
    int64_t names_refresh_ms;
    int64_t behind_after_ms;
    int64_t drain_timeout_ms;
    int64_t export_max_rows;
    int64_t export_in_flight;
    bool export_escape_formulas;
};

extern const struct lm_config_program ag_config_program;

#endif
