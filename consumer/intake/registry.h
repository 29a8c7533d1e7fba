/*
 * The schema registry: what the id in Confluent's wire format stands for (GET /schemas/ids/{id}). Answers go
 * into the schema set and stay there, for an id is never used again. Loop thread.
 *
 *   the schema                      known
 *   no such id (404, code 40403)    its records are dead-lettered, but the latest (schema_wait, intake.c):
 *                                   a registry may lag behind the one that gave the id out
 *   not Avro, references, no good   its records are dead-lettered
 *   anything else                   retried with back-off for ever: no record is lost because the registry
 *                                   is down, wants another password or is something else that speaks HTTP
 */
#ifndef LOGMILL_CONSUMER_INTAKE_REGISTRY_H
#define LOGMILL_CONSUMER_INTAKE_REGISTRY_H

#include "common/metrics.h"
#include "common/record/record_avro.h"

#include <uv.h>

struct co_registry;

struct co_registry_options {
    uv_loop_t *loop;
    const char *url; /* texts must outlive it */
    const char *user, *password, *token, *ca;
    int64_t timeout_ms;
    uint32_t retry_base_ms, retry_cap_ms;
    struct lm_schema_set *schemas; /* set to use a registry */
    struct lm_metrics *metrics;
};

/* Asks nothing yet. 0, or -1 without memory (LM_FATAL). */
int co_registry_open(const struct co_registry_options *options, struct co_registry **out,
                     struct lm_error *error) LM_MUST_CHECK;
/*
 * Asks what `id` stands for, once for all who ask at the same time. `done` is called once, later: NULL when
 * the set knows (or refuses) the id, else LM_RETRY with what is wrong and what to do; "closing" at the end.
 * 0, or -1 with LM_RETRY and `done` is not called: the registry did not answer lately and is left alone for a
 * while, or no memory.
 */
int co_registry_ask(struct co_registry *registry, uint32_t id,
                    void (*done)(const struct lm_error *error, void *context), void *context,
                    struct lm_error *error) LM_MUST_CHECK;
/* `closed` is called on the loop; freed by then. */
void co_registry_close(struct co_registry *registry, void (*closed)(void *context), void *context);

/* What an answer says. 0: the set knows or refuses the id now. -1: LM_RETRY. `url` is for the texts. */
int co_registry_read(struct lm_schema_set *schemas, uint32_t id, const char *url, int status,
                     const char *body, size_t len, struct lm_error *error) LM_MUST_CHECK;

#endif
