/*
 * What viewers must not see: columns of the log record and keys of its metadata, from the option `mask`. A
 * masked column is not among the results, and nothing may be filtered, grouped, measured or ordered by it:
 * whoever may filter by a value can find it out. Read-only after ag_mask_new; any thread.
 */
#ifndef LOGMILL_AGENT_CATALOGUE_MASK_H
#define LOGMILL_AGENT_CATALOGUE_MASK_H

#include "agent/catalogue/catalogue.h"
#include "agent/intent.h"
#include "common/config/config.h"

struct ag_mask;

/* Of names like "user_id" and "metadata.card". NULL in `out` for an empty list. LM_FATAL for a name that is
 * no column, or is one that answers are made of (created_at, category, level, service, environment). */
int ag_mask_new(const struct lm_config_list *names, struct ag_mask **out,
                struct lm_error *error) LM_MUST_CHECK;
void ag_mask_free(struct ag_mask *mask);

/* All of it take NULL for a mask that hides nothing. */
bool ag_mask_column(const struct ag_mask *mask, const char *column);
bool ag_mask_field(const struct ag_mask *mask, enum ag_field field, const char *key);
/* A name of this kind must not be shown. */
bool ag_mask_name(const struct ag_mask *mask, enum ag_kind kind, const char *value);
/* The column that the intent asks for and that is hidden, or NULL. */
const char *ag_mask_asked(const struct ag_mask *mask, const struct ag_intent *intent);
/* Hidden keys of metadata, NULL at the end of them. */
const char *ag_mask_key(const struct ag_mask *mask, size_t index);

#endif
