#include "tests/fuzz/round_trip.h"

#include "common/record/record_avro.h"
#include "common/record/record_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OUT_MAX = 64 << 20 };

void fuzz_require(int fine, const char *sentence)
{
    if (fine)
        return;
    fprintf(stderr, "%s\n", sentence);
    abort();
}

static void write_again(const struct lm_record *record, struct lm_buffer *out)
{
    lm_buffer_init(out, OUT_MAX);
    lm_record_write_json(record, out);
    fuzz_require(!out->failed, "a record does not fit into JSON");
}

static void require_same(const struct lm_buffer *a, const struct lm_buffer *b, const char *sentence)
{
    if (a->len == b->len && memcmp(a->data, b->data, a->len) == 0)
        return;
    fprintf(stderr, "%.*s\n%.*s\n", (int)a->len, a->data, (int)b->len, b->data);
    fuzz_require(0, sentence);
}

void fuzz_round_trip(struct lm_record *record, struct lm_arena *arena)
{
    struct lm_error error;
    struct lm_record again;
    struct lm_buffer avro, first, second, third;

    if (lm_record_complete(record, record->has_category ? record->category : LM_RAW, 1, arena, &error) != 0) {
        fuzz_require(error.decision == LM_DEAD_LETTER || strcmp(error.kind, "memory") == 0, error.text);
        return;
    }
    write_again(record, &first);
    if (lm_record_decode_json(first.data, first.len, arena, &again, &error) != 0) {
        fuzz_require(strcmp(error.kind, "memory") == 0, error.text);
        lm_buffer_free(&first);
        return;
    }
    write_again(&again, &second);
    require_same(&first, &second, "not the same after JSON");
    lm_buffer_init(&avro, OUT_MAX);
    fuzz_require(lm_record_encode(record, &avro) == 0, "a record does not fit into Avro");
    int result = lm_record_decode_avro(NULL, avro.data, avro.len, arena, &again, &error);
    fuzz_require(result == 0 || strcmp(error.kind, "memory") == 0, error.text);
    if (result == 0) {
        write_again(&again, &third);
        require_same(&first, &third, "not the same after Avro");
        lm_buffer_free(&third);
    }
    lm_buffer_free(&avro);
    lm_buffer_free(&second);
    lm_buffer_free(&first);
}
