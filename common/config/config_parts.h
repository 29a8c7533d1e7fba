/*
 * What the files of the configuration share; no program includes this. config.c gathers the four sources,
 * config_file.c reads the YAML file, config_value.c turns text into values, config_print.c writes --help and
 * the rest.
 */
#ifndef LOGMILL_COMMON_CONFIG_PARTS_H
#define LOGMILL_COMMON_CONFIG_PARTS_H

#include "common/config/config.h"

enum lm_config_source { LM_CONFIG_DEFAULT, LM_CONFIG_FILE, LM_CONFIG_ENVIRONMENT, LM_CONFIG_FLAG };

/* Where a value was written. `name` (file, variable or flag) points into argv or the environment and is not
 * owned. */
struct lm_config_origin {
    enum lm_config_source source;
    const char *name;
    size_t name_len;
    size_t line; /* for a file; from 1, 0 for the file as a whole */
};

/* What is known of one option besides its value. */
struct lm_config_setting {
    bool set; /* by anything but the default */
    struct lm_config_origin origin;
    char *text; /* as written; NULL for TEXT, LIST and MAP, which show their value */
    struct lm_config_origin *entry_origins; /* of a MAP, one for each entry */
};

/* One run of lm_config_load. */
struct lm_config_loading {
    const struct lm_config_program *program;
    void *values;
    struct lm_config_setting *settings; /* one for each option */
    struct lm_buffer problems;          /* one line each */
    size_t problem_count;
    bool no_memory;
};

/* Where a dotted name leads. */
enum lm_config_match {
    LM_CONFIG_UNKNOWN,
    LM_CONFIG_OPTION, /* an option, or an entry of a map */
    LM_CONFIG_BRANCH  /* something that options lie below */
};

/* Adds a line "where: text" to the problems. */
void lm_config_problem(struct lm_config_loading *loading, const struct lm_config_origin *origin,
                       const char *format, ...) LM_PRINTF(3, 4);

/* For LM_CONFIG_OPTION *index is the option and *key the name within a map (pointing into `name`), else NULL.
 */
enum lm_config_match lm_config_match_name(const struct lm_config_program *program, const char *name,
                                          size_t *index, const char **key);

/* Sets an option from text as a user writes it; a list's is split at commas. Problems are noted. */
void lm_config_assign(struct lm_config_loading *loading, size_t index, const char *key, const char *text,
                      const struct lm_config_origin *origin);
/* Sets a list to empty where the origin's source has not set it yet; the items follow. */
void lm_config_begin_list(struct lm_config_loading *loading, size_t index,
                          const struct lm_config_origin *origin);
/* Adds one item as it is. */
void lm_config_add_item(struct lm_config_loading *loading, size_t index, const char *text, size_t len);

enum lm_config_action {
    LM_CONFIG_ACTION_RUN,
    LM_CONFIG_ACTION_HELP,
    LM_CONFIG_ACTION_VERSION,
    LM_CONFIG_ACTION_MARKDOWN,
    LM_CONFIG_ACTION_PRINT
};

/* The command line while it is read. */
struct lm_config_command_line {
    struct lm_config_loading *loading;
    int argc;
    char **argv;
    int at;      /* the argument being read */
    bool assign; /* false in the first reading: nothing is stored, no problem noted */
    enum lm_config_action action;
    const char *config_file; /* of --config, or NULL */
    const char **arguments;
    size_t argument_count;
};

/* config_flags.c. */
void lm_config_read_command_line(struct lm_config_command_line *line, bool assign);

/* config_file.c: assigns what the file says. */
void lm_config_read_file(struct lm_config_loading *loading, const char *path);

/* config_value.c. Converts text for INT, BOOL, DURATION, SIZE and ENUM into `field`; 0, or -1 with *why
 * saying what is wrong and what to write instead. */
int lm_config_convert(const struct lm_config_option *option, const char *text, void *field,
                      struct lm_error *why) LM_MUST_CHECK;
/* A bound in the option's unit, as a user would write it: "10s", "64KiB". */
void lm_config_format_number(enum lm_config_type type, int64_t value, char *out, size_t size);
/* Edits (insert, delete, replace, swap of neighbours) between two texts, capped at `limit` + 1. */
size_t lm_config_distance(const char *a, const char *b, size_t limit);

/* config_print.c. The spellings of an option are written to `out`: "LOGMILL_WINDOW_RAW", "window-raw". A
 * map's end in
 * "_" and "-". */
enum { LM_CONFIG_SPELLING_SIZE = 96 };
void lm_config_variable(const char *name, char out[LM_CONFIG_SPELLING_SIZE]);
void lm_config_flag(const char *name, char out[LM_CONFIG_SPELLING_SIZE]);
void lm_config_print(const struct lm_config_loading *loading, FILE *out);
void lm_config_help(const struct lm_config_program *program, FILE *out);

#endif
