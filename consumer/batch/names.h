/*
 * Names for the agent to link words to (log_name), seen by one partition: new ones go out with the batch that
 * brought them, counts of known ones gather here and go out once a minute. After a crash a minute's counts
 * are missing; the names are not. Bounded for each kind; what is beyond the bound is counted, not kept.
 */
#ifndef LOGMILL_CONSUMER_BATCH_NAMES_H
#define LOGMILL_CONSUMER_BATCH_NAMES_H

#include "common/record/record.h"

enum co_name_kind {
    CO_NAME_SERVICE,
    CO_NAME_ENVIRONMENT,
    CO_NAME_HOST,
    CO_NAME_COMPONENT,
    CO_NAME_MODULE,
    CO_NAME_ENDPOINT,
    CO_NAME_ERROR_TYPE,
    CO_NAME_EVENT_TYPE,
    CO_NAME_METADATA_KEY,
    CO_NAME_KIND_COUNT
};

struct co_names;

/* A row for log_name: what was not written yet. Texts are owned by the cache. */
struct co_name_row {
    enum co_name_kind kind;
    struct lm_slice value, service, environment;
    int64_t first_us, last_us;
    int64_t n;
};

struct co_names *co_names_new(size_t max_of_kind); /* NULL without memory */
void co_names_free(struct co_names *names);

#define CO_NAMES_NO_PLACE UINT32_MAX
/*
 * Counts the names of a record. *place numbers its service in its environment, the same for as long as
 * `names` lives; CO_NAMES_NO_PLACE where the service found none. 0, or -1 without memory.
 */
int co_names_add(struct co_names *names, const struct lm_record *record, uint32_t *place) LM_MUST_CHECK;

/*
 * What a batch about to be written takes along: every name not written before, and after a minute all counts.
 * The rows are appended to *rows (grown with realloc, owned by the caller); their counts start again at 0. 0,
 * or -1 without memory: what was not appended goes with a later batch.
 */
int co_names_take(struct co_names *names, int64_t now_us, struct co_name_row **rows, size_t *count,
                  size_t *cap) LM_MUST_CHECK;

/* Names that found no place since this was asked last. */
uint64_t co_names_take_overflow(struct co_names *names);
const char *co_name_kind_name(enum co_name_kind kind);

#endif
