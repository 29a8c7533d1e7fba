/*
 * A binary Avro datum as JSON text, read by its writer's schema. Every length, count and index is checked
 * against the bytes that are there, nesting and output are bounded. Any thread.
 *
 * Enums become their symbols, unions the value without its branch's name, maps objects, NaN and infinities
 * texts; bytes become a text where they are one in UTF-8, otherwise (and for every fixed) hex behind "\x".
 * Logical types become what people write: timestamps, dates and times of day texts as in RFC 3339, decimals
 * numbers, uuids and durations (ISO 8601) texts. A decimal of more than 64 bytes is bytes.
 */
#ifndef LOGMILL_COMMON_RECORD_AVRO_DATUM_H
#define LOGMILL_COMMON_RECORD_AVRO_DATUM_H

#include "common/record/avro_schema.h"

/* Appends to `out`, whose ceiling should be far above the 256 KiB + 64 `len` that a datum may become. 0, or
 * -1 with LM_DEAD_LETTER ("truncated", "trailing_bytes", "union_index", "enum_index", "length",
 * "undecodable", "utf8", "nul", "depth") or LM_RETRY "memory". */
int lm_avro_datum_write_json(const struct lm_avro_type *type, const void *data, size_t len,
                             struct lm_buffer *out, struct lm_error *error) LM_MUST_CHECK;

#endif
