#include "common/record/avro_reader.h"

#include <endian.h>
#include <string.h>

void lm_avro_reader_init(struct lm_avro_reader *in, const void *data, size_t len)
{
    *in = (struct lm_avro_reader){.start = data, .at = data};
    in->end = len > 0 ? in->start + len : in->start;
}

int lm_avro_reader_finish(struct lm_avro_reader *in, struct lm_error *error)
{
    if (in->at != in->end)
        lm_avro_fail(in, "trailing_bytes", "bytes follow the value");
    if (in->fault == NULL)
        return 0;
    return lm_error_set(error, LM_DEAD_LETTER, in->fault, "Avro: %s, at byte %zu of %zu", in->what,
                        (size_t)(in->at - in->start), (size_t)(in->end - in->start));
}

void lm_avro_fail(struct lm_avro_reader *in, const char *kind, const char *what)
{
    if (in->fault != NULL)
        return;
    in->fault = kind;
    in->what = what;
}

/* A number of at most eight bytes with as many to read: seven bits of each up to the first whose highest is
 * not set, closed up two, four and eight at a time. */
static bool read_word(struct lm_avro_reader *in, uint64_t *value)
{
    uint64_t word, ends;

    if (in->end - in->at < (ptrdiff_t)sizeof word)
        return false;
    memcpy(&word, in->at, sizeof word);
    word = le64toh(word);
    ends = ~word & UINT64_C(0x8080808080808080);
    if (ends == 0)
        return false;
    in->at += __builtin_ctzll(ends) / 8 + 1;
    word &= (ends ^ (ends - 1)) & UINT64_C(0x7F7F7F7F7F7F7F7F);
    word = (word & UINT64_C(0x007F007F007F007F)) | (word & UINT64_C(0x7F007F007F007F00)) >> 1;
    word = (word & UINT64_C(0x00003FFF00003FFF)) | (word & UINT64_C(0x3FFF00003FFF0000)) >> 2;
    *value = (word & UINT64_C(0x0FFFFFFF)) | (word & UINT64_C(0x0FFFFFFF00000000)) >> 4;
    return true;
}

int64_t lm_avro_long_number(struct lm_avro_reader *in)
{
    const unsigned char *at = in->at;
    uint64_t value = 0;

    if (in->fault != NULL)
        return 0;
    if (read_word(in, &value))
        return (int64_t)((value >> 1) ^ (0 - (value & 1)));
    for (unsigned shift = 0; at < in->end; shift += 7) {
        unsigned char byte = *at++;
        /* The tenth byte has room for one bit, and none may follow. */
        if (shift == 63 && byte > 1) {
            in->at = at;
            lm_avro_fail(in, "undecodable", "a number has more than 64 bits");
            return 0;
        }
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            in->at = at;
            return (int64_t)((value >> 1) ^ (0 - (value & 1)));
        }
    }
    in->at = at;
    lm_avro_fail(in, "truncated", "the value ends inside a number");
    return 0;
}

static uint64_t little_endian(struct lm_avro_reader *in, uint64_t len)
{
    struct lm_slice bytes = lm_avro_bytes(in, len);
    uint64_t value = 0;

    for (size_t i = 0; i < bytes.len; i++)
        value |= (uint64_t)(unsigned char)bytes.data[i] << (8 * i);
    return value;
}

float lm_avro_float(struct lm_avro_reader *in)
{
    uint32_t bits = (uint32_t)little_endian(in, sizeof bits);
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

double lm_avro_double(struct lm_avro_reader *in)
{
    uint64_t bits = little_endian(in, sizeof bits);
    double value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

bool lm_avro_block_begin(struct lm_avro_reader *in, struct lm_avro_block *block)
{
    int64_t count = lm_avro_long(in);

    /* A negative count announces its bytes as well. */
    block->bytes = count < 0 ? lm_avro_long(in) : -1;
    block->count = count < 0 ? 0 - (uint64_t)count : (uint64_t)count;
    block->start = in->at;
    if (in->fault == NULL && count < 0 && (block->bytes < 0 || block->bytes > in->end - in->at))
        lm_avro_fail(in, "length", "an array's block is longer than the rest of the value");
    return in->fault == NULL && count != 0;
}

void lm_avro_block_end(struct lm_avro_reader *in, const struct lm_avro_block *block)
{
    if (in->fault == NULL && block->bytes >= 0 && in->at - block->start != block->bytes)
        lm_avro_fail(in, "length", "an array's block is not as long as it says");
}
