/*
 * A program with one option of each type, and one call that loads its configuration and keeps all that came
 * of it.
 */
#ifndef LOGMILL_TESTS_CONFIG_FIXTURE_H
#define LOGMILL_TESTS_CONFIG_FIXTURE_H

#include "common/config/config.h"

struct settings {
    char *brokers;
    char *postgres_url;
    char *token;
    struct lm_config_map kafka;
    int log_level;
    int64_t window_raw;
    int64_t batch_bytes;
    int64_t batch_rows;
    bool follow;
    struct lm_config_list files;
};

extern const struct lm_config_program config_program;

/* One loading: what goes in and what came of it. */
struct run {
    const char *yaml; /* content of the file, or NULL */
    size_t yaml_len;  /* 0: up to the NUL */
    struct settings settings;
    const char *arguments[16];
    size_t argument_count;
    enum lm_config_outcome outcome;
    char *out, *errors;
    char file[64];
};

/* Loads with `yaml` as the file; the arguments after `run` are the command line's, up to NULL. */
void config_run(struct run *run, ...);
void config_run_free(struct run *run);

/* The value of a pass-through property, or "(absent)". */
const char *config_property(const struct run *run, const char *name);

void assert_loaded(const struct run *run);
void assert_part(const char *text, const char *part);
void assert_flag_refused(const char *flag, const char *value, const char *part);

void config_set_variable(const char *name, const char *value);
/* A test's setup: no LOGMILL_* variable is set. */
int config_without_variables(void **state);

#endif
