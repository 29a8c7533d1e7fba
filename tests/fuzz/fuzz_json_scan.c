/* Our verdict on a JSON text against jansson's, and walking what was accepted. */
#include "common/json_number.h"
#include "common/json_scan.h"
#include "common/utf8.h"
#include "tests/fuzz/round_trip.h"

#include <jansson.h>
#include <string.h>

static size_t walk(const struct lm_json_value *container, struct lm_arena *arena)
{
    struct lm_json_scan scan;
    struct lm_json_value key, value;
    struct lm_error error;
    struct lm_slice text;
    size_t count = 0;
    int more;

    lm_json_enter(&scan, container);
    for (;;) {
        more = container->type == LM_JSON_OBJECT ? lm_json_member(&scan, &key, &value, &error)
                                                 : lm_json_element(&scan, &value, &error);
        if (more != 1)
            break;
        count++;
        if (container->type == LM_JSON_OBJECT)
            count += lm_json_string(&key, arena, &text, &error) == 0 ? text.len : 0;
        if (value.type == LM_JSON_OBJECT || value.type == LM_JSON_ARRAY)
            count += walk(&value, arena);
        if (value.type == LM_JSON_STRING && lm_json_string(&value, arena, &text, &error) == 0)
            fuzz_require(lm_utf8_check(text.data, text.len) == LM_UTF8_OK,
                         "an accepted string is no good text");
        if (value.type == LM_JSON_NUMBER) {
            int64_t number;
            fuzz_require(lm_json_is_number(value.raw.data, value.raw.len), "an accepted number is none");
            count += lm_json_int64(value.raw, &number) == 0 && lm_json_double(value.raw) != (double)number;
            count += lm_json_scaled(value.raw, 6, &number) == 0;
        }
    }
    fuzz_require(more == 0, "an accepted container is faulty inside");
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lm_json_scan scan;
    struct lm_json_value value;
    struct lm_error error, other;
    struct lm_arena arena;
    json_error_t theirs;

    lm_json_open(&scan, (const char *)data, size);
    bool accepted = lm_json_value(&scan, &value, &error) == 0 && !lm_json_more(&scan);
    json_t *tree = json_loadb((const char *)data, size, JSON_DECODE_ANY, &theirs);
    if (accepted)
        fuzz_require(tree != NULL || json_error_code(&theirs) == json_error_numeric_overflow,
                     "accepted here, refused by jansson");
    else if (tree != NULL && memchr(data, '\0', size) == NULL) /* jansson takes a NUL for the end */
        fuzz_require(strcmp(error.kind, "depth") == 0, "refused here, accepted by jansson");
    json_decref(tree);
    lm_arena_init(&arena, 16 << 20);
    if (accepted && (value.type == LM_JSON_OBJECT || value.type == LM_JSON_ARRAY))
        walk(&value, &arena);
    if (lm_json_check_object((const char *)data, size, &other) == 0)
        fuzz_require(accepted && value.type == LM_JSON_OBJECT, "metadata that is no object");
    lm_arena_free(&arena);
    return 0;
}
