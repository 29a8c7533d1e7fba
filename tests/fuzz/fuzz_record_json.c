#include "common/record/record_json.h"
#include "tests/fuzz/round_trip.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lm_arena arena;
    struct lm_record record;
    struct lm_error error;

    lm_arena_init(&arena, 16 << 20);
    if (lm_record_decode_json((const char *)data, size, &arena, &record, &error) == 0)
        fuzz_round_trip(&record, &arena);
    else
        fuzz_require(error.decision == LM_DEAD_LETTER || strcmp(error.kind, "memory") == 0, error.text);
    lm_arena_free(&arena);
    return 0;
}
