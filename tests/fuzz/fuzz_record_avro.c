/* The first byte says whose schema the rest was written with: ours, one of these, or none (a value as it
 * stands). */
#include "common/record/record_avro.h"
#include "common/record/record_json.h"
#include "tests/fuzz/round_trip.h"

#include <stdlib.h>
#include <string.h>

static const char *const schemas[] = {
    "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"level\",\"type\":{\"type\":\"enum\","
    "\"name\":\"L\","
    "\"symbols\":[\"TRACE\",\"ERROR\",\"ODD\"]}},{\"name\":\"message\",\"type\":[\"null\",\"string\","
    "\"bytes\"]},"
    "{\"name\":\"timestamp\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}},"
    "{\"name\":\"duration_ms\",\"type\":[\"float\",\"double\",\"int\",\"boolean\"]},"
    "{\"name\":\"tags\",\"type\":{\"type\":\"array\",\"items\":[\"null\",\"string\"]}},"
    "{\"name\":\"metadata\",\"type\":{\"type\":\"map\",\"values\":[\"long\",\"string\",\"R\"]}},"
    "{\"name\":\"digest\",\"type\":{\"type\":\"fixed\",\"name\":\"F\",\"size\":3}}]}",
    "{\"type\":\"record\",\"name\":\"T\",\"fields\":[{\"name\":\"next\",\"type\":[\"null\",\"T\"]},"
    "{\"name\":\"all\",\"type\":{\"type\":\"array\",\"items\":\"null\"}},"
    "{\"name\":\"at\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-nanos\"}}]}"};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lm_schema_set *set = lm_schema_set_new();
    uint64_t fingerprints[3] = {lm_record_fingerprint()};
    struct lm_arena arena;
    struct lm_record record;
    struct lm_error error;

    fuzz_require(set != NULL, "no memory");
    for (int i = 0; i < 2; i++)
        fuzz_require(lm_schema_set_add(set, schemas[i], strlen(schemas[i]), &fingerprints[i + 1], &error) ==
                         0,
                     error.text);
    uint8_t *value = malloc(size + 10);
    fuzz_require(value != NULL, "no memory");
    size_t len = size;
    if (size > 0 && data[0] < 3) {
        len = size - 1 + 10;
        memcpy(value, "\xC3\x01", 2);
        for (int i = 0; i < 8; i++)
            value[2 + i] = (uint8_t)(fingerprints[data[0]] >> (8 * i));
        memcpy(value + 10, data + 1, size - 1);
    } else if (size > 0) {
        memcpy(value, data, size);
    }
    lm_arena_init(&arena, 64 << 20);
    if (lm_record_decode(set, value, len, &arena, &record, &error) == 0)
        fuzz_round_trip(&record, &arena);
    else
        fuzz_require(error.decision == LM_DEAD_LETTER || strcmp(error.kind, "memory") == 0 ||
                         strcmp(error.kind, "unknown_schema") == 0,
                     error.text);
    lm_arena_free(&arena);
    free(value);
    lm_schema_set_free(set);
    return 0;
}
