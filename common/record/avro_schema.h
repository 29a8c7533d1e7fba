/*
 * A writer's Avro schema as a tree, its Parsing Canonical Form and its fingerprint (Avro specification 1.11,
 * "Parsing Canonical Form for Schemas"). Lenient where the canonical form leaves things out (docs, defaults,
 * order), strict in what decides how bytes are read. The tree lives in the arena it was parsed into and never
 * changes: any thread may read it.
 */
#ifndef LOGMILL_COMMON_RECORD_AVRO_SCHEMA_H
#define LOGMILL_COMMON_RECORD_AVRO_SCHEMA_H

#include "common/arena.h"
#include "common/buffer.h"
#include "common/error.h"

#include <stddef.h>
#include <stdint.h>

#define LM_AVRO_MAX_DEPTH 64

/* The primitive types first, in the order of their names in avro_schema.c. */
enum lm_avro_kind {
    LM_AVRO_NULL,
    LM_AVRO_BOOLEAN,
    LM_AVRO_INT,
    LM_AVRO_LONG,
    LM_AVRO_FLOAT,
    LM_AVRO_DOUBLE,
    LM_AVRO_BYTES,
    LM_AVRO_STRING,
    LM_AVRO_RECORD,
    LM_AVRO_ENUM,
    LM_AVRO_FIXED,
    LM_AVRO_ARRAY,
    LM_AVRO_MAP,
    LM_AVRO_UNION,
    LM_AVRO_REFERENCE /* to a named type, in items[0] */
};

/* What the bytes of a type mean besides, as far as a reader must know; a logical type on a type it does not
 * belong to is none, as the specification wants it. A string's uuid is the string. */
enum lm_avro_logical {
    LM_AVRO_PLAIN,
    LM_AVRO_MILLIS, /* of a long: what it counts since the epoch */
    LM_AVRO_MICROS,
    LM_AVRO_NANOS,
    LM_AVRO_LOCAL_MILLIS, /* the same in a zone that is not said */
    LM_AVRO_LOCAL_MICROS,
    LM_AVRO_LOCAL_NANOS,
    LM_AVRO_TIME_MICROS, /* of a long: since midnight */
    LM_AVRO_TIME_MILLIS, /* of an int */
    LM_AVRO_DATE,        /* of an int: days since the epoch */
    LM_AVRO_DECIMAL,     /* of bytes or a fixed: a big-endian number with `scale` digits behind the point */
    LM_AVRO_UUID,        /* of a fixed of 16 */
    LM_AVRO_DURATION     /* of a fixed of 12: months, days, milliseconds */
};

struct lm_avro_type {
    enum lm_avro_kind kind;
    enum lm_avro_logical logical;
    unsigned scale;       /* of a decimal */
    const char *name;     /* full name of a record, enum or fixed */
    size_t count;         /* of names and items */
    const char **names;   /* a record's fields, an enum's symbols */
    const char **aliases; /* of a record's fields: the first alias that names a field of ours, or NULL */
    struct lm_avro_type **items; /* a record's field types, a union's branches, what an array or map holds */
    uint64_t size;               /* of a fixed */
};

/* Parses `len` bytes of JSON. 0, or -1 with LM_DEAD_LETTER "schema", or LM_RETRY "memory" when the arena is
 * full. */
int lm_avro_schema_parse(const char *json, size_t len, struct lm_arena *arena,
                         const struct lm_avro_type **out, struct lm_error *error) LM_MUST_CHECK;

/* Appends the Parsing Canonical Form. */
void lm_avro_schema_write(const struct lm_avro_type *type, struct lm_buffer *out);

#endif
