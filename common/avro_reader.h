/*
 * Reads Avro's binary encoding. After the first fault every read answers nothing (0, an empty slice), so that
 * a decoder runs straight through and asks once at the end. Never reads outside the bytes it was given. Any
 * thread.
 */
#ifndef LOGMILL_COMMON_AVRO_READER_H
#define LOGMILL_COMMON_AVRO_READER_H

#include "common/error.h"
#include "common/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lm_avro_reader {
    const unsigned char *start, *at, *end;
    const char *fault; /* the kind of the first fault, NULL while all is well */
    const char *what;  /* the sentence to it */
};

/* Over `len` bytes, which must outlive the slices it hands out. */
void lm_avro_reader_init(struct lm_avro_reader *in, const void *data, size_t len);
/* 0 when all bytes were read without a fault, or -1 with LM_DEAD_LETTER and the kind ("trailing_bytes"
 * included). */
int lm_avro_reader_finish(struct lm_avro_reader *in, struct lm_error *error) LM_MUST_CHECK;
/* Notes a fault; the first one stays. Both texts are literals. */
void lm_avro_fail(struct lm_avro_reader *in, const char *kind, const char *what);

/* An int or long: zigzag, at most ten bytes. "truncated", "undecodable". */
int64_t lm_avro_long(struct lm_avro_reader *in);
float lm_avro_float(struct lm_avro_reader *in);
double lm_avro_double(struct lm_avro_reader *in);
/* `len` bytes as they are. "truncated". */
struct lm_slice lm_avro_bytes(struct lm_avro_reader *in, uint64_t len);
/* A string or bytes: its length, then as many. Also "length" for a negative one. Not NULL unless a fault was
 * noted. */
struct lm_slice lm_avro_text(struct lm_avro_reader *in);

/* A block of an array or map. */
struct lm_avro_block {
    uint64_t count;             /* of items */
    const unsigned char *start; /* of them */
    int64_t bytes;              /* they take, as the writer says; -1 where it does not */
};
/* The next block; false at the end or after a fault. */
bool lm_avro_block_begin(struct lm_avro_reader *in, struct lm_avro_block *block);
/* After its items: they must take the bytes that were announced. "length". */
void lm_avro_block_end(struct lm_avro_reader *in, const struct lm_avro_block *block);

#endif
