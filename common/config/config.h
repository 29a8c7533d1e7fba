/*
 * Configuration as one table: it fills the program's struct, prints --help and --print-config, and makes
 * docs/configuration.md. Precedence: built-in default < --config FILE (YAML) < environment < command line.
 *
 *   option "postgres_url"  →  YAML key postgres_url  →  LOGMILL_POSTGRES_URL  →  --postgres-url
 *
 * A dotted name ("window.raw") is a nested YAML mapping, LOGMILL_WINDOW_RAW and --window-raw. Names ending in
 * ".*" are pass-through maps ("kafka.*": kafka.linger.ms in YAML as nested or dotted keys,
 * LOGMILL_KAFKA_LINGER_MS, --kafka-linger-ms=… or --kafka linger.ms=…).
 *
 * All errors are collected and reported together; an unknown key names the nearest known one. An unknown
 * LOGMILL_* variable may be another program's, so it only earns a warning where it looks like a misspelt one
 * of this program. A variable that is set but empty counts as not set, but for a TEXT or LIST, which it
 * empties.
 *
 * A list given by a higher source replaces that of a lower one; entries of a map replace each other one by
 * one. In YAML a key without a value (or null) leaves the option as it is.
 */
#ifndef LOGMILL_COMMON_CONFIG_H
#define LOGMILL_COMMON_CONFIG_H

#include "common/buffer.h"
#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum lm_config_type {
    LM_CONFIG_TEXT,     /* char *; owned by the struct, never NULL after loading ("" when unset) */
    LM_CONFIG_INT,      /* int64_t, with min and max */
    LM_CONFIG_BOOL,     /* bool: true/false, yes/no, on/off, 1/0 */
    LM_CONFIG_DURATION, /* int64_t milliseconds; "150ms", "10s", "5m", "2h", "7d"; a bare number is
                           milliseconds */
    LM_CONFIG_SIZE,     /* int64_t bytes; "64KiB", "16MiB", "1GiB", "64k", "16M"; a bare number is bytes */
    LM_CONFIG_ENUM,     /* int; `choices` is "debug|info|warn", the value its index */
    LM_CONFIG_LIST,     /* struct lm_config_list; repeated flag, YAML sequence, or comma-separated */
    LM_CONFIG_MAP       /* struct lm_config_map; only for names ending in ".*" */
};

struct lm_config_list {
    char **items;
    size_t count;
};

struct lm_config_map {
    char **names;
    char **values;
    size_t count;
};

struct lm_config_option {
    const char *name; /* "brokers", "window.raw", "kafka.*" */
    enum lm_config_type type;
    size_t offset;            /* offsetof the field in the program's struct */
    const char *default_text; /* as a user would write it; NULL: "" / 0 / false / empty. An ENUM must have
                                 one, a MAP none */
    int64_t min, max;         /* for INT, DURATION (ms) and SIZE (bytes), inclusive; both 0: no bounds */
    const char *choices;      /* for ENUM */
    bool reloadable;          /* SIGHUP changes it in the running program, lm_config_reload */
    bool secret;              /* masked by --print-config; for a URL only its password is */
    char short_flag;          /* 0 for none */
    const char *description;  /* one sentence; for --help and docs/configuration.md */
};

struct lm_config_program {
    const char *name;      /* "logmill-consumer" */
    const char *summary;   /* one sentence for --help */
    const char *arguments; /* what follows the options in the usage line, "" for none: "[FILE …]" */
    const struct lm_config_option *options;
    size_t option_count;
};

enum lm_config_outcome {
    LM_CONFIG_RUN = 0,   /* loaded: go on */
    LM_CONFIG_EXIT_OK,   /* --help, --version or --print-config was served: exit 0 */
    LM_CONFIG_EXIT_USAGE /* errors (or that no memory was left) were printed to `errors`: exit 2 */
};

/*
 * Fills `values` (the program's struct, zeroed by the caller) from all four sources. argv is left as it is.
 * Arguments that are no options go to arguments[0 … *argument_count - 1], an array of the caller with room
 * for argc of them, as pointers into argv; a program without arguments passes NULL for both. "--" ends the
 * options. --help, --version and --print-config print to `out`; errors, and a warning for a variable that
 * looks misspelt, to `errors`. Free with lm_config_free in every case. Before other threads start: it reads
 * the environment.
 */
enum lm_config_outcome lm_config_load(const struct lm_config_program *program, void *values, int argc,
                                      char **argv, const char **arguments, size_t *argument_count, FILE *out,
                                      FILE *errors) LM_MUST_CHECK;
/* Frees the texts, lists and maps in `values`; also of a loading that failed or was never begun on a zeroed
 * struct. */
void lm_config_free(const struct lm_config_program *program, void *values);

/* How a running program takes in a changed configuration. */
struct lm_config_reloading {
    const struct lm_config_program *program;
    void *values; /* the program's struct, as lm_config_load filled it */
    size_t size;  /* of that struct */
    int argc;     /* as lm_config_load had them */
    char **argv;
    /* What the table cannot say; NULL: nothing. 0, or -1 and the whole configuration is refused. */
    int (*check)(const void *values, struct lm_error *error);
    /* `values` has the new ones; texts it replaced live until this returns. NULL: nothing is to be told.
     * Also called when nothing has changed: what files the options name may have. */
    void (*apply)(void *context);
    void *context;
};

/*
 * Reads the configuration anew from all four sources and moves what has changed and is `reloadable` into
 * `values`; the log's threshold follows an option log_level. One log line for each changed option says
 * whether it was taken or needs a restart; with any error nothing changes, and each error is logged. 0, or -1
 * where it was refused. Not beside another thread that changes the environment.
 */
int lm_config_reload(const struct lm_config_reloading *reloading);

/* A duration as an LM_CONFIG_DURATION takes it, in milliseconds. 0, or -1 where the text is none. */
int lm_config_duration(const char *text, int64_t *ms) LM_MUST_CHECK;

/* Writes the program's section of docs/configuration.md. */
void lm_config_markdown(const struct lm_config_program *program, FILE *out);

/* Options every program shares, for inclusion in its table: LM_CONFIG_LOG_LEVEL(struct type), … each expands
 * to one initializer. The struct has the field of that name. */
#define LM_CONFIG_LOG_LEVEL(owner)                                                                           \
    {                                                                                                        \
        .name = "log_level", .type = LM_CONFIG_ENUM, .offset = offsetof(owner, log_level),                   \
        .default_text = "info", .choices = "debug|info|warn|error|fatal", .reloadable = true,                \
        .description = "Lowest level of the program's own log lines."                                        \
    }
#define LM_CONFIG_BROKERS(owner)                                                                              \
    {                                                                                                         \
        .name = "brokers", .type = LM_CONFIG_TEXT, .offset = offsetof(owner, brokers),                        \
        .default_text = "localhost:9092", .description = "Kafka bootstrap servers, host:port[,host:port…]." \
    }
#define LM_CONFIG_TOPIC_PREFIX(owner)                                                                        \
    {                                                                                                        \
        .name = "topic_prefix", .type = LM_CONFIG_TEXT, .offset = offsetof(owner, topic_prefix),             \
        .default_text = "logs.",                                                                             \
        .description = "Topics are the prefix and the category: logs.raw, logs.summary …"                  \
    }
#define LM_CONFIG_KAFKA(owner)                                                                               \
    {                                                                                                        \
        .name = "kafka.*", .type = LM_CONFIG_MAP, .offset = offsetof(owner, kafka),                          \
        .description = "Any librdkafka property, passed through as it is."                                   \
    }
#define LM_CONFIG_POSTGRES_URL(owner)                                                                        \
    {                                                                                                        \
        .name = "postgres_url", .type = LM_CONFIG_TEXT, .offset = offsetof(owner, postgres_url),             \
        .default_text = "", .secret = true,                                                                  \
        .description = "PostgreSQL connection string or URL; empty: libpq's PG* variables."                  \
    }
#define LM_CONFIG_LISTEN(owner, address)                                                                     \
    {                                                                                                        \
        .name = "listen", .type = LM_CONFIG_TEXT, .offset = offsetof(owner, listen),                         \
        .default_text = address,                                                                             \
        .description =                                                                                       \
            "Address and port of the HTTP server: host:port, :port or [v6]:port; port 0 takes a free one."   \
    }

#endif
