/* The first byte chooses the status; up to a newline it is the registry's answer for id 7, behind it the
 * datum of a value in Confluent's wire format that names it. Whatever the schema, the datum is read or
 * refused. */
#include "common/record/record_json.h"
#include "consumer/intake/registry.h"
#include "tests/fuzz/round_trip.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int statuses[] = {200, 404, 500, 302, 401};
    struct lm_schema_set *set = lm_schema_set_new();
    struct lm_arena arena;
    struct lm_record record;
    struct lm_error error;

    fuzz_require(set != NULL, "no memory");
    lm_schema_set_use_registry(set);
    int status = size > 0 ? statuses[data[0] % 5] : 200;
    const uint8_t *body = size > 0 ? data + 1 : data, *end = data + size;
    const uint8_t *newline = body < end ? memchr(body, '\n', (size_t)(end - body)) : NULL;
    const uint8_t *datum = newline != NULL ? newline + 1 : end;
    size_t len = (size_t)(end - datum), body_len = (size_t)((newline != NULL ? newline : end) - body);
    bool told =
        co_registry_read(set, 7, "http://registry", status, (const char *)body, body_len, &error) == 0;

    fuzz_require(told || error.decision == LM_RETRY, error.text);
    char *value = malloc(len + 5);
    fuzz_require(value != NULL, "no memory");
    memcpy(value, "\0\0\0\0\7", 5);
    if (len > 0)
        memcpy(value + 5, datum, len);
    lm_arena_init(&arena, 64 << 20);
    if (lm_record_decode(set, value, len + 5, &arena, &record, &error) == 0)
        fuzz_round_trip(&record, &arena);
    else
        fuzz_require(error.decision == LM_DEAD_LETTER || strcmp(error.kind, "memory") == 0 || !told,
                     error.text);
    lm_arena_free(&arena);
    free(value);
    lm_schema_set_free(set);
    return 0;
}
