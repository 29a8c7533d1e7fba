/*
 * Reads Avro's binary encoding. After the first fault every read answers nothing (0, an empty slice), so that
 * a decoder runs straight through and asks once at the end. Never reads outside the bytes it was given. Any
 * thread.
 */
#ifndef LOGMILL_COMMON_RECORD_AVRO_READER_H
#define LOGMILL_COMMON_RECORD_AVRO_READER_H

#include "common/error.h"
#include "common/record/record.h"

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

/* lm_avro_long of any length. */
int64_t lm_avro_long_number(struct lm_avro_reader *in);
/* An int or long: zigzag, at most ten bytes. "truncated", "undecodable". */
static inline int64_t lm_avro_long(struct lm_avro_reader *in)
{
    /* Lengths, branches and symbols are nearly always one byte. */
    if (in->at == in->end || *in->at >= 0x80 || in->fault != NULL)
        return lm_avro_long_number(in);
    uint64_t value = *in->at++;
    return (int64_t)((value >> 1) ^ (0 - (value & 1)));
}
float lm_avro_float(struct lm_avro_reader *in);
double lm_avro_double(struct lm_avro_reader *in);
/* `len` bytes as they are. "truncated". */
static inline struct lm_slice lm_avro_bytes(struct lm_avro_reader *in, uint64_t len)
{
    if (in->fault == NULL && len > (uint64_t)(in->end - in->at))
        lm_avro_fail(in, "truncated", "a text is longer than the rest of the value");
    if (in->fault != NULL)
        return (struct lm_slice){NULL, 0};
    struct lm_slice bytes = {(const char *)in->at, (size_t)len};
    in->at += len;
    return bytes;
}
/* A string or bytes: its length, then as many. Also "length" for a negative one. Not NULL unless a fault was
 * noted. */
static inline struct lm_slice lm_avro_text(struct lm_avro_reader *in)
{
    int64_t len = lm_avro_long(in);

    if (len < 0)
        lm_avro_fail(in, "length", "a text's length is negative");
    return lm_avro_bytes(in, (uint64_t)len);
}

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
