/*
 * The log record as JSON: our names and those of others (design.md 2 and 7), levels by name or number, times
 * as RFC 3339 or numbers by magnitude, 64-bit numbers also as strings; every other field goes under metadata
 * with its original text.
 */
#ifndef LOGMILL_COMMON_RECORD_JSON_H
#define LOGMILL_COMMON_RECORD_JSON_H

#include "common/arena.h"
#include "common/buffer.h"
#include "common/record/record.h"

/*
 * Decodes one JSON object. Strict: UTF-8 valid, no NUL, no trailing text, at most 64 levels deep. Texts point
 * into `data` or `arena`. 0, or -1 with LM_DEAD_LETTER and the kind "json", "nul", "utf8", "depth",
 * "not_an_object", "timestamp", "metadata"; LM_RETRY "memory" when the arena is full. Twenty
 * times the value and 64 KiB are always enough.
 *
 * Lenient in what a field means, so that no record is lost for a name it shares with ours:
 * - A field is known by our name or by one of others' (the table in record_names.c). Our own name wins, then
 * the table's order; the loser goes under metadata by its own name. The same name twice: the last one holds,
 * as in jsonb. null is the same as absent.
 * - A value that cannot be the field's (a level nobody knows, a category that is none of the four, an object
 * as `host`, the word "stderr" as `source`) goes under metadata by its name; the field stays empty. Numbers
 * and booleans are texts where a text is expected; a `message` that is an object or array is kept as its JSON
 * text. Only our own `timestamp` and `metadata` are refused where they are no time and no object.
 * - Metadata: the unknown fields exactly as written, then the members of a given `metadata` (an object, or a
 * string that holds one). In jsonb the later of equal names holds.
 */
int lm_record_decode_json(const char *data, size_t len, struct lm_arena *arena, struct lm_record *record,
                          struct lm_error *error) LM_MUST_CHECK;

/* Appends the record as one JSON object with our own names. */
void lm_record_write_json(const struct lm_record *record, struct lm_buffer *out);

/* A value as it stands on a topic: told apart by its first bytes (Avro single-object, Confluent framing,
 * JSON), and read as lm_record_decode_avro, lm_record_decode_registered and lm_record_decode_json say;
 * anything else is LM_DEAD_LETTER "not_a_record"; empty "empty". */
struct lm_schema_set;
int lm_record_decode(const struct lm_schema_set *set, const void *data, size_t len, struct lm_arena *arena,
                     struct lm_record *record, struct lm_error *error) LM_MUST_CHECK;

#endif
