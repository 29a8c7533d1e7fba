/*
 * What a model's reply means: an intent, SQL, or that it knows neither. Whatever the server promised about
 * its form, the reply is read as hostile input: the first JSON object in it, the intent by
 * ag_intent_from_json, every name in it looked up among those the asker may know. Any thread.
 */
#ifndef LOGMILL_AGENT_MODEL_REPLY_H
#define LOGMILL_AGENT_MODEL_REPLY_H

#include "agent/catalogue/catalogue.h"
#include "agent/intent.h"
#include "common/arena.h"
#include "common/error.h"

#include <stddef.h>
#include <stdint.h>

enum ag_model_says { AG_MODEL_INTENT, AG_MODEL_SQL, AG_MODEL_NOTHING };

struct ag_model_asker {
    const struct ag_catalogue *catalogue;
    enum ag_language language;
    const char *zone;
    int64_t now_us;
    bool sql; /* the asker may be answered by SQL of the model's */
};

struct ag_model_meaning {
    enum ag_model_says says;
    struct ag_intent intent; /* times resolved */
    const char *sql;
    /* With the error "unknown_entity": the name and its kind. */
    const char *unknown;
    enum ag_kind unknown_kind;
};

/* 0, or -1 with what to tell the model: LM_RETRY "bad_reply" or "unknown_entity"; LM_RETRY "memory". Texts
 * live in `arena`. */
int ag_model_read(const char *text, size_t len, const struct ag_model_asker *asker, struct lm_arena *arena,
                  struct ag_model_meaning *out, struct lm_error *error) LM_MUST_CHECK;

#endif
