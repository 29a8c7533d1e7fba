/*
 * The writers' schemas a process knows, and the decoding of a value by whichever it names. Another writer's
 * datum is turned into a JSON object by its schema and read as one from there (record_json.h), so that names,
 * levels, times and everything unknown are treated alike wherever they come from.
 */
#include "common/avro_datum.h"
#include "common/record_avro.h"
#include "common/record_json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_LEN = 10, SCHEMAS_MAX = 4096, SCHEMA_TEXT_MAX = 1 << 20, TREE_MAX = 4 << 20 };

struct writer {
    uint64_t fingerprint;
    struct lm_arena arena; /* holds the tree */
    const struct lm_avro_type *type;
    struct writer *next;
};

struct lm_schema_set {
    struct writer *writers;
    size_t count;
};

struct lm_schema_set *lm_schema_set_new(void)
{
    return calloc(1, sizeof(struct lm_schema_set));
}

static void writer_free(struct writer *writer)
{
    lm_arena_free(&writer->arena);
    free(writer);
}

void lm_schema_set_free(struct lm_schema_set *set)
{
    if (set == NULL)
        return;
    while (set->writers != NULL) {
        struct writer *next = set->writers->next;
        writer_free(set->writers);
        set->writers = next;
    }
    free(set);
}

static const struct writer *find(const struct lm_schema_set *set, uint64_t fingerprint)
{
    const struct writer *writer = set->writers;

    while (writer != NULL && writer->fingerprint != fingerprint)
        writer = writer->next;
    return writer;
}

/* Parses into `writer` and takes the fingerprint. */
static int read_schema(struct writer *writer, const char *schema, size_t len, struct lm_error *error)
{
    struct lm_buffer canonical;

    if (len > SCHEMA_TEXT_MAX)
        return lm_error_set(error, LM_DEAD_LETTER, "schema", "Avro schema: %zu bytes, at most %d are read",
                            len, SCHEMA_TEXT_MAX);
    if (lm_avro_schema_parse(schema, len, &writer->arena, &writer->type, error) != 0)
        return -1;
    if (writer->type->kind != LM_AVRO_RECORD)
        return lm_error_set(error, LM_DEAD_LETTER, "schema",
                            "Avro schema: not a record, so no log record either");
    lm_buffer_init(&canonical, 2 * SCHEMA_TEXT_MAX);
    lm_avro_schema_write(writer->type, &canonical);
    int result = 0;
    if (canonical.failed)
        result = lm_error_set(error, LM_RETRY, "memory", "no room left for a schema's canonical form");
    else
        writer->fingerprint = lm_avro_fingerprint(canonical.data, canonical.len);
    lm_buffer_free(&canonical);
    return result;
}

int lm_schema_set_add(struct lm_schema_set *set, const char *schema, size_t len, uint64_t *fingerprint,
                      struct lm_error *error)
{
    struct writer *writer = calloc(1, sizeof *writer);

    if (writer == NULL)
        return lm_error_set(error, LM_RETRY, "memory", "no memory for an Avro schema");
    lm_arena_init(&writer->arena, TREE_MAX);
    if (read_schema(writer, schema, len, error) != 0)
        goto refused;
    if (fingerprint != NULL)
        *fingerprint = writer->fingerprint;
    if (writer->fingerprint == lm_record_fingerprint() || find(set, writer->fingerprint) != NULL) {
        writer_free(writer);
        return 0;
    }
    if (set->count == SCHEMAS_MAX) {
        (void)lm_error_set(error, LM_DEAD_LETTER, "schema",
                           "%d Avro schemas are known already, no more are kept", SCHEMAS_MAX);
        goto refused;
    }
    writer->next = set->writers;
    set->writers = writer;
    set->count++;
    return 0;

refused:
    writer_free(writer);
    return -1;
}

static int decode_foreign(const struct writer *writer, const void *data, size_t len, struct lm_arena *arena,
                          struct lm_record *record, struct lm_error *error)
{
    struct lm_buffer json;

    lm_buffer_init(&json, SIZE_MAX / 2);
    int result = lm_avro_datum_write_json(writer->type, data, len, &json, error);
    if (result == 0) {
        const char *text = lm_arena_copy(arena, json.data, json.len);
        if (text == NULL)
            result = lm_error_set(error, LM_RETRY, "memory",
                                  "no room left for a value of another writer's schema");
        else
            result = lm_record_decode_json(text, json.len, arena, record, error);
    }
    lm_buffer_free(&json);
    return result;
}

int lm_record_decode_avro(const struct lm_schema_set *set, const void *data, size_t len,
                          struct lm_arena *arena, struct lm_record *record, struct lm_error *error)
{
    const unsigned char *bytes = data;
    uint64_t fingerprint = 0;

    if (len < 2 || bytes[0] != 0xC3 || bytes[1] != 0x01)
        return lm_error_set(error, LM_DEAD_LETTER, "undecodable", "Avro: no single-object encoding");
    if (len < HEADER_LEN)
        return lm_error_set(error, LM_DEAD_LETTER, "truncated",
                            "Avro: the value ends inside its fingerprint");
    for (int i = 0; i < 8; i++)
        fingerprint |= (uint64_t)bytes[2 + i] << (8 * i);
    if (fingerprint == lm_record_fingerprint())
        return lm_record_decode_datum(bytes + HEADER_LEN, len - HEADER_LEN, arena, record, error);
    const struct writer *writer = find(set, fingerprint);
    if (writer == NULL)
        return lm_error_set(error, LM_RETRY, "unknown_schema",
                            "no schema with the fingerprint %016" PRIx64
                            " is known; add it to schemas/ and run "
                            "logmill-ctl migrate",
                            fingerprint);
    return decode_foreign(writer, bytes + HEADER_LEN, len - HEADER_LEN, arena, record, error);
}
