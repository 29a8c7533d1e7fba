/*
 * What is sent to a model. The system prompts are files in prompts/, the same for every question; the user
 * message is one JSON object with all that belongs to the question, so that whatever stands in it is data.
 *
 * Of the data it holds names and nothing else: at most 50, chosen by the question, from the catalogue the
 * asker sees, none with control or format characters or over 64 characters, metadata keys only where the
 * operator lists them. No log text, no values, no results. Any thread.
 */
#ifndef LOGMILL_AGENT_MODEL_PROMPT_H
#define LOGMILL_AGENT_MODEL_PROMPT_H

#include "agent/catalogue/catalogue.h"
#include "agent/understand/vocabulary.h"
#include "common/arena.h"
#include "common/config/config.h"

#include <jansson.h>

#define AG_PROMPT_NAMES 50

/* The system prompt, with what is said about SQL where that may be written; malloc'd, NULL without memory. */
char *ag_prompt_system(bool sql);
char *ag_prompt_insight_system(void);
/* JSON Schema of the reply; NULL without memory. */
json_t *ag_prompt_schema(bool sql);

struct ag_prompt {
    const char *question;
    size_t question_len;
    const char *zone;
    int64_t now_us;
    const struct ag_intent *previous; /* NULL: none */
    const struct ag_vocabulary *vocabulary;
    const struct ag_catalogue *catalogue;
    const struct lm_config_list *metadata_keys; /* that may be named */
    const char *refused_reply;                  /* an earlier reply, and why it was refused; NULL: none */
    const char *refused_why;
};
/* The user message; malloc'd, NULL without memory. `arena` is scratch. */
char *ag_prompt_write(const struct ag_prompt *prompt, struct lm_arena *arena);

/* The names of a question, by kind: {"service": ["payment-service", …], …}. NULL without memory. */
json_t *ag_prompt_names(const struct ag_prompt *prompt, struct lm_arena *arena);

#endif
