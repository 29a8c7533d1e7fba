/*
 * Avro single-object encoding of the log record (Avro specification 1.11, "Single object encoding"): C3 01,
 * the schema's CRC-64-AVRO fingerprint little-endian, the binary datum.
 *
 * Our own fingerprint is encoded and decoded by hand-written code, without allocation except for tags. Values
 * of other writers are read by the writer's schema, every length and index checked, and mapped by field name
 * and enum symbol; what a field of another name or type means is decided as for JSON (record_json.h), so
 * fields unknown to this build go under metadata. avro-c takes no part in it: its resolver has no defaults
 * and maps enums by position, and its reader believes the lengths it is given. The tests use it as an
 * independent writer and reader.
 */
#ifndef LOGMILL_COMMON_RECORD_AVRO_H
#define LOGMILL_COMMON_RECORD_AVRO_H

#include "common/arena.h"
#include "common/buffer.h"
#include "common/embedded.h"
#include "common/record/record.h"

/* schemas/log_record.avsc, one file. */
extern const struct lm_embedded lm_record_schema[];
/* CRC-64-AVRO of its Parsing Canonical Form: a constant, which a test computes again from the schema. Any
 * thread. */
uint64_t lm_record_fingerprint(void);

/* Appends the single-object encoding. `record` must be complete (lm_record_complete). 0, or -1 when out of
 * room. */
int lm_record_encode(const struct lm_record *record, struct lm_buffer *out) LM_MUST_CHECK;

/* Decodes a datum written with our own schema, without the ten bytes in front. Otherwise as
 * lm_record_decode_avro. */
int lm_record_decode_datum(const void *data, size_t len, struct lm_arena *arena, struct lm_record *record,
                           struct lm_error *error) LM_MUST_CHECK;

/* Parsing Canonical Form of a schema (JSON text), appended to `out`. LM_DEAD_LETTER "schema" where it is
 * none. */
int lm_avro_canonical_form(const char *schema, size_t len, struct lm_buffer *out,
                           struct lm_error *error) LM_MUST_CHECK;
uint64_t lm_avro_fingerprint(const void *canonical, size_t len);

/* A set of writer schemas by fingerprint. Not thread-safe. */
struct lm_schema_set;
struct lm_schema_set *lm_schema_set_new(void); /* knows our own; NULL: no memory */
void lm_schema_set_free(struct lm_schema_set *set);
/* Adds a writer's schema, a record; *fingerprint (may be NULL) receives its own. Known ones are accepted
 * again. LM_DEAD_LETTER "schema" where it is no schema of a record, LM_RETRY "memory". At most 4,096 schemas
 * of 1 MiB. */
int lm_schema_set_add(struct lm_schema_set *set, const char *schema, size_t len, uint64_t *fingerprint,
                      struct lm_error *error) LM_MUST_CHECK;

/*
 * Decodes one single-object encoded value. Texts of the record point into `data` or `arena`. 0, or -1 with
 * LM_DEAD_LETTER and the kind "truncated", "trailing_bytes", "union_index", "enum_index", "length",
 * "undecodable" (or, for other writers' values, "depth" and what lm_record_decode_json says); an unknown
 * fingerprint is LM_RETRY, kind "unknown_schema" (the caller waits for the schema); LM_RETRY "memory" when
 * the arena is full.
 */
int lm_record_decode_avro(const struct lm_schema_set *set, const void *data, size_t len,
                          struct lm_arena *arena, struct lm_record *record,
                          struct lm_error *error) LM_MUST_CHECK;

/*
 * Confluent wire format: a zero byte, the id of the writer's schema in a registry (4 bytes, big-endian), the
 * binary datum. The set learns the schemas from whoever asks the registry.
 */

/* The set is told what ids stand for: one it does not know is waited for. Without this such values are
 * refused. */
void lm_schema_set_use_registry(struct lm_schema_set *set);
/* What `id` stands for, for ever: ids are never used again. As lm_schema_set_add, but for a set of its own:
 * schemas of one canonical form may differ in what their numbers count. */
int lm_schema_set_add_id(struct lm_schema_set *set, uint32_t id, const char *schema, size_t len,
                         struct lm_error *error) LM_MUST_CHECK;
/* Values that name `id` are refused with `why` (LM_DEAD_LETTER) until the monotonic time `until_us`; 256 such
 * ids are remembered. 0, or -1 without memory. */
int lm_schema_set_refuse_id(struct lm_schema_set *set, uint32_t id, const struct lm_error *why,
                            int64_t until_us) LM_MUST_CHECK;
/* The id that a value names. 0, or -1 where it is none in this format. */
int lm_schema_id(const void *data, size_t len, uint32_t *id) LM_MUST_CHECK;
/* As lm_record_decode_avro; LM_DEAD_LETTER "no_registry" without lm_schema_set_use_registry, what
 * lm_schema_set_refuse_id was given, LM_RETRY "unknown_schema_id". */
int lm_record_decode_registered(const struct lm_schema_set *set, const void *data, size_t len,
                                struct lm_arena *arena, struct lm_record *record,
                                struct lm_error *error) LM_MUST_CHECK;

#endif
