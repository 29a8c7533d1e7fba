/*
 * Where the model is asked, and with what key: llm.url, llm.key and llm.key_file, checked. A key is never
 * logged; that the way there is not https is. Any thread.
 */
#ifndef LOGMILL_AGENT_MODEL_ADDRESS_H
#define LOGMILL_AGENT_MODEL_ADDRESS_H

#include "agent/config.h"
#include "common/error.h"

struct ag_model_address {
    char *url;        /* of the one path that is asked */
    char *key_header; /* "x-api-key: …", where the protocol has it there, or NULL */
    char *bearer;     /* the key, where it is a bearer's, or NULL */
};

/* -1: LM_FATAL with a sentence, and there is nothing to clear. */
int ag_model_address_take(const struct ag_config *config, struct ag_model_address *out,
                          struct lm_error *error) LM_MUST_CHECK;
/* Frees what there is of it. */
void ag_model_address_clear(struct ag_model_address *address);

#endif
