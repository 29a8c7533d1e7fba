/*
 * Values met in a sample of the rows, of fields whose values are not catalogued: what the keys of the
 * metadata hold, pages, error codes, tags, and the form that identifiers of users and sessions have. With it
 * "errors in us-west-2" is a condition on the region, and pl-20042 a user.
 *
 * A key with few values is known by its values, one with many by their form, if they share one: digits are
 * '#'. Of users and sessions only the form is kept. Filled and sealed once, then read-only and readable by
 * any thread; holders are counted on one thread, the loop's.
 */
#ifndef LOGMILL_AGENT_CATALOGUE_SAMPLES_H
#define LOGMILL_AGENT_CATALOGUE_SAMPLES_H

#include "agent/intent.h"
#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>

struct ag_sample {
    enum ag_field field;
    const char *key;    /* of the metadata, else NULL */
    const char *value;  /* as stored; NULL: a form */
    const char *folded; /* the value or form, NFKC and case folded */
};

struct ag_samples;

/* NULL without memory. One holder. */
struct ag_samples *ag_samples_new(void);
struct ag_samples *ag_samples_hold(struct ag_samples *samples);
/* NULL is allowed. */
void ag_samples_drop(struct ag_samples *samples);
/* Texts are copied; those over 64 bytes or with control characters are left out. `key` is NULL but for
 * AG_METADATA. 0 or -1 without memory. Only before ag_samples_seal. */
int ag_samples_add(struct ag_samples *samples, enum ag_field field, const char *key,
                   const char *value) LM_MUST_CHECK;
/* 0 or -1 without memory. */
int ag_samples_seal(struct ag_samples *samples) LM_MUST_CHECK;

/* What `folded` was met as: values that are the same, else forms it has; at most `max` into `out`; how many
 * there are. None for NULL. */
size_t ag_samples_find(const struct ag_samples *samples, const char *folded, const struct ag_sample **out,
                       size_t max);
/* All of them, sorted by field, key and text. */
size_t ag_samples_count(const struct ag_samples *samples);
const struct ag_sample *ag_samples_at(const struct ag_samples *samples, size_t index);

#endif
