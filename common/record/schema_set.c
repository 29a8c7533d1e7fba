/*
 * The writers' schemas a process knows, and the decoding of a value by whichever it names. Another writer's
 * datum is turned into a JSON object by its schema and read as one from there (record_json.h), so that names,
 * levels, times and everything unknown are treated alike wherever they come from.
 */
#include "common/clock.h"
#include "common/record/avro_datum.h"
#include "common/record/record_avro.h"
#include "common/record/record_json.h"

#include <endian.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    HEADER_LEN = 10,
    REGISTRY_HEADER_LEN = 5,
    SCHEMAS_MAX = 4096,
    SCHEMA_TEXT_MAX = 1 << 20,
    TREE_MAX = 4 << 20,
    REFUSED_MAX = 256
};

struct writer {
    uint64_t fingerprint;
    struct lm_arena arena; /* holds the tree */
    const struct lm_avro_type *type;
    struct writer *next;
};

/* An id of the schema registry. */
struct registered {
    uint32_t id;
    struct writer *writer;
};

/* An id that stands for nothing that can be read. */
struct refused {
    uint32_t id;
    int64_t until_us; /* monotonic; 0: free */
    struct lm_error why;
};

struct lm_schema_set {
    struct writer *writers;
    size_t count;
    bool registry;
    struct registered *ids; /* in order */
    size_t id_count;
    struct refused *refused; /* REFUSED_MAX, the oldest is the next to go; NULL until one is needed */
    size_t refused_next;
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
    for (size_t i = 0; i < set->id_count; i++)
        writer_free(set->ids[i].writer);
    free(set->ids);
    free(set->refused);
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

void lm_schema_set_use_registry(struct lm_schema_set *set)
{
    set->registry = true;
}

/* Where `id` stands, or where it would. */
static size_t place_of(const struct lm_schema_set *set, uint32_t id)
{
    size_t low = 0, high = set->id_count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (set->ids[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Its values are read as ours. The canonical form leaves out what a long counts. */
static bool is_ours(const struct writer *writer)
{
    const struct lm_avro_type *type = writer->type;
    bool ours = writer->fingerprint == lm_record_fingerprint();

    for (size_t i = 0; i < type->count && ours; i++)
        ours = type->items[i]->logical == LM_AVRO_PLAIN || type->items[i]->logical == LM_AVRO_MICROS;
    return ours;
}

int lm_schema_set_add_id(struct lm_schema_set *set, uint32_t id, const char *schema, size_t len,
                         struct lm_error *error)
{
    size_t place = place_of(set, id);
    struct writer *writer;
    struct registered *ids;

    if (place < set->id_count && set->ids[place].id == id)
        return 0;
    if (set->id_count == SCHEMAS_MAX)
        return lm_error_set(error, LM_DEAD_LETTER, "schema",
                            "%d Avro schemas of the registry are known already, no more are kept",
                            SCHEMAS_MAX);
    writer = calloc(1, sizeof *writer);
    ids = writer != NULL ? realloc(set->ids, (set->id_count + 1) * sizeof *ids) : NULL;
    if (ids == NULL) {
        free(writer);
        return lm_error_set(error, LM_RETRY, "memory", "no memory for an Avro schema");
    }
    set->ids = ids;
    lm_arena_init(&writer->arena, TREE_MAX);
    if (read_schema(writer, schema, len, error) != 0) {
        writer_free(writer);
        return -1;
    }
    memmove(&ids[place + 1], &ids[place], (set->id_count - place) * sizeof *ids);
    ids[place] = (struct registered){id, writer};
    set->id_count++;
    return 0;
}

int lm_schema_set_refuse_id(struct lm_schema_set *set, uint32_t id, const struct lm_error *why,
                            int64_t until_us)
{
    if (set->refused == NULL && (set->refused = calloc(REFUSED_MAX, sizeof *set->refused)) == NULL)
        return -1;
    set->refused[set->refused_next] = (struct refused){id, until_us, *why};
    set->refused_next = (set->refused_next + 1) % REFUSED_MAX;
    return 0;
}

static const struct lm_error *find_refused(const struct lm_schema_set *set, uint32_t id)
{
    for (size_t i = 0; set->refused != NULL && i < REFUSED_MAX; i++) {
        const struct refused *refused = &set->refused[i];
        if (refused->id == id && refused->until_us > 0 && refused->until_us > lm_clock_mono_us())
            return &refused->why;
    }
    return NULL;
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
    uint64_t fingerprint;

    if (len < 2 || bytes[0] != 0xC3 || bytes[1] != 0x01)
        return lm_error_set(error, LM_DEAD_LETTER, "undecodable", "Avro: no single-object encoding");
    if (len < HEADER_LEN)
        return lm_error_set(error, LM_DEAD_LETTER, "truncated",
                            "Avro: the value ends inside its fingerprint");
    memcpy(&fingerprint, bytes + 2, sizeof fingerprint);
    fingerprint = le64toh(fingerprint);
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

int lm_schema_id(const void *data, size_t len, uint32_t *id)
{
    const unsigned char *bytes = data;

    if (len < REGISTRY_HEADER_LEN || bytes[0] != 0)
        return -1;
    *id = (uint32_t)bytes[1] << 24 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 8 | bytes[4];
    return 0;
}

int lm_record_decode_registered(const struct lm_schema_set *set, const void *data, size_t len,
                                struct lm_arena *arena, struct lm_record *record, struct lm_error *error)
{
    const char *datum = (const char *)data + REGISTRY_HEADER_LEN;
    const struct lm_error *why;
    uint32_t id;

    if (!set->registry)
        return lm_error_set(error, LM_DEAD_LETTER, "no_registry",
                            "Confluent wire format, but no schema registry is configured");
    if (lm_schema_id(data, len, &id) != 0)
        return lm_error_set(error, LM_DEAD_LETTER, "truncated", "the value ends inside the id of its schema");
    size_t place = place_of(set, id);
    if (place == set->id_count || set->ids[place].id != id) {
        if ((why = find_refused(set, id)) == NULL)
            return lm_error_set(error, LM_RETRY, "unknown_schema_id",
                                "the registry was not asked for schema %" PRIu32 " yet", id);
        *error = *why;
        return -1;
    }
    const struct writer *writer = set->ids[place].writer;
    if (is_ours(writer))
        return lm_record_decode_datum(datum, len - REGISTRY_HEADER_LEN, arena, record, error);
    return decode_foreign(writer, datum, len - REGISTRY_HEADER_LEN, arena, record, error);
}
