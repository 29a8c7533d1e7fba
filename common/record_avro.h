/*
 * Avro single-object encoding of the log record (Avro specification 1.11, "Single object encoding"): C3 01, the schema's
 * CRC-64-AVRO fingerprint little-endian, the binary datum.
 *
 * Our own fingerprint is encoded and decoded by hand-written code, without allocation except for tags. Other writers'
 * schemas are read with avro-c by the writer's schema and mapped by field name and enum symbol (avro-c's resolver is not
 * used: it has no defaults and maps enums by position); fields unknown to this build go under metadata.
 */
#ifndef LOGMILL_COMMON_RECORD_AVRO_H
#define LOGMILL_COMMON_RECORD_AVRO_H

#include "common/arena.h"
#include "common/buffer.h"
#include "common/record.h"

/* Text of schemas/log_record.avsc, embedded at build time. */
extern const char lm_record_schema_json[];
/* CRC-64-AVRO of its Parsing Canonical Form; computed once, any thread. */
uint64_t lm_record_fingerprint(void);

/* Appends the single-object encoding. `record` must be complete (lm_record_complete). 0, or -1 when out of room. */
int lm_record_encode(const struct lm_record *record, struct lm_buffer *out) LM_MUST_CHECK;

/* Parsing Canonical Form of a schema (JSON text), appended to `out`. LM_DEAD_LETTER "schema" where it is none. */
int lm_avro_canonical_form(const char *schema, size_t len, struct lm_buffer *out, struct lm_error *error)
    LM_MUST_CHECK;
uint64_t lm_avro_fingerprint(const void *canonical, size_t len);

/* A set of writer schemas by fingerprint. Not thread-safe. */
struct lm_schema_set;
struct lm_schema_set *lm_schema_set_new(void); /* knows our own; NULL: no memory */
void lm_schema_set_free(struct lm_schema_set *set);
/* Adds a writer's schema; *fingerprint (may be NULL) receives its own. Known ones are accepted again. */
int lm_schema_set_add(struct lm_schema_set *set, const char *schema, size_t len, uint64_t *fingerprint,
                      struct lm_error *error) LM_MUST_CHECK;

/*
 * Decodes one single-object encoded value. Texts of the record point into `data` or `arena`. 0, or -1 with
 * LM_DEAD_LETTER and the kind "truncated", "trailing_bytes", "union_index", "enum_index", "length", "undecodable";
 * an unknown fingerprint is LM_RETRY, kind "unknown_schema" (the caller waits for the schema).
 */
int lm_record_decode_avro(const struct lm_schema_set *set, const void *data, size_t len, struct lm_arena *arena,
                          struct lm_record *record, struct lm_error *error) LM_MUST_CHECK;

#endif
