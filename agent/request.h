/* What a client asked, checked: the body of POST /query and /explain. */
#ifndef LOGMILL_AGENT_REQUEST_H
#define LOGMILL_AGENT_REQUEST_H

#include "agent/intent.h"
#include "common/arena.h"
#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AG_MAX_BODY ((size_t)64 << 10)
#define AG_MAX_PREVIOUS ((size_t)16 << 10)
#define AG_MAX_RESULTS 10000
#define AG_DEFAULT_RESULTS 100
#define AG_REQUEST_ID_SIZE 129

/* What reads the question. */
enum ag_engine {
    AG_ENGINE_AUTO,    /* the built-in engine, and a model where that does not understand */
    AG_ENGINE_BUILTIN, /* nothing else */
    AG_ENGINE_LLM      /* a model, whatever the built-in engine understands; not what it refuses */
};

enum ag_format { AG_FORMAT_NONE, AG_FORMAT_CSV, AG_FORMAT_NDJSON };

struct ag_request {
    const char *question; /* UTF-8, NUL-terminated as well */
    size_t question_len;
    int max_results;
    bool max_results_stated;
    const char *zone;
    const struct ag_intent *previous; /* times resolved; NULL: none */
    bool refresh;
    enum ag_engine engine;
    int64_t now_us; /* the wall clock, or what the request says */
    bool now_given;
    enum ag_format format; /* of an export, where the body says it */
    bool now_ignored;      /* it said, but that is not allowed here */
};

struct ag_request_rules {
    const char *zone; /* for requests that name none */
    bool allow_now;
    bool model;      /* one is configured */
    int export_rows; /* an export: `format` is a key, and max_results may be, and is, so many; 0: none */
    int64_t wall_us;
};

/*
 * Reads a JSON body into `out`; texts live in `arena`. 0, or -1 with LM_FATAL: kind "bad_request" (unknown
 * key, wrong type, forged previous, unknown zone …) or "too_large" (the question is over 2,000 characters),
 * or LM_RETRY "memory".
 */
int ag_request_read(const char *body, size_t len, const struct ag_request_rules *rules,
                    struct lm_arena *arena, struct ag_request *out, struct lm_error *error) LM_MUST_CHECK;
/* The same of JSON that was read already, with JSON_REJECT_DUPLICATES. */
int ag_request_from_json(const json_t *json, const struct ag_request_rules *rules, struct lm_arena *arena,
                         struct ag_request *out, struct lm_error *error) LM_MUST_CHECK;

/* Is `id` (NULL: no) one that a client may give its question? Printable ASCII without blanks. */
bool ag_request_id_usable(const char *id);

#endif
