/* A canonical form is a schema, and its own canonical form. */
#include "common/record/record_avro.h"
#include "tests/fuzz/round_trip.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lm_buffer first, second;
    struct lm_error error;

    lm_buffer_init(&first, 16 << 20);
    lm_buffer_init(&second, 16 << 20);
    if (lm_avro_canonical_form((const char *)data, size, &first, &error) == 0) {
        fuzz_require(lm_avro_canonical_form(first.data, first.len, &second, &error) == 0, error.text);
        fuzz_require(first.len == second.len && memcmp(first.data, second.data, first.len) == 0,
                     "a canonical form has another canonical form");
    } else {
        fuzz_require(error.decision == LM_DEAD_LETTER || strcmp(error.kind, "memory") == 0, error.text);
    }
    lm_buffer_free(&first);
    lm_buffer_free(&second);
    return 0;
}
