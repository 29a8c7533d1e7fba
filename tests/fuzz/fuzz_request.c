/* The body of a question: any bytes are read or refused with a sentence, and what is read is within its
 * bounds. */
#include "agent/request.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct ag_request_rules rules = {
        .zone = "UTC", .allow_now = true, .wall_us = INT64_C(1773812120000000)};
    struct ag_request request;
    struct lm_arena arena;
    struct lm_error error = {.decision = LM_OK};
    lm_arena_init(&arena, 1u << 20);
    const int result = ag_request_read((const char *)data, size, &rules, &arena, &request, &error);
    if (result == 0 &&
        (request.question == NULL || strlen(request.question) != request.question_len ||
         request.max_results < 1 || request.max_results > AG_MAX_RESULTS || request.zone == NULL)) {
        abort();
    }
    if (result != 0 && (error.text[0] == '\0' || error.kind[0] == '\0')) {
        abort();
    }
    lm_arena_free(&arena);
    return 0;
}
