/* The settings of logmill-agent: one table (config.c). */
#ifndef LOGMILL_AGENT_CONFIG_H
#define LOGMILL_AGENT_CONFIG_H

#include "common/config/config.h"

enum ag_auth { AG_AUTH_KEYS, AG_AUTH_OFF };
enum ag_llm_provider { AG_LLM_NONE, AG_LLM_ANTHROPIC, AG_LLM_OPENAI };
enum ag_llm_format {
    AG_LLM_FORMAT_AUTO,
    AG_LLM_FORMAT_JSON_SCHEMA,
    AG_LLM_FORMAT_JSON_OBJECT,
    AG_LLM_FORMAT_TEXT
};

struct ag_config {
    int log_level;
    char *listen;
    char *postgres_url;
    char *audit_url;
    char *replica_url;
    int64_t replica_max_lag_ms;
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
    char *redis_url;
    char *redis_ca_file;
    int64_t redis_timeout_ms;
    int64_t redis_ttl_ms;
    int64_t names_refresh_ms;
    int64_t behind_after_ms;
    int64_t drain_timeout_ms;
    int64_t export_max_rows;
    int64_t export_in_flight;
    bool export_escape_formulas;
    int llm_provider; /* enum ag_llm_provider */
    char *llm_url;
    char *llm_model;
    char *llm_key;
    char *llm_key_file;
    char *llm_ca_file;
    int llm_format; /* enum ag_llm_format */
    int64_t llm_timeout_ms;
    int64_t llm_max_tokens;
    int64_t llm_daily_tokens;
    int64_t llm_in_flight;
    int64_t llm_input_price;
    int64_t llm_output_price;
    bool llm_sql;
    struct lm_config_list llm_metadata_keys;
    bool llm_share_results;
    char *llm_insight_model;
    struct lm_config_list cors_origins;
    int64_t websocket_connections;
    int64_t websocket_ping_ms;
};

extern const struct lm_config_program ag_config_program;

#endif
