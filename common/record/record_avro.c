/*
 * Our own schema, encoded and decoded by hand in the order of its fields: one pass, no allocation but the
 * array of tags. A change of schemas/log_record.avsc changes this file and the fingerprint below;
 * test_record_avro compares all three.
 */
#include "common/record/record_avro.h"

#include "common/record/avro_reader.h"

#include <string.h>

static const uint64_t own_fingerprint = UINT64_C(0x99C0E473FDFAE9BC);

/* The texts stand in the order of the schema, some numbers between them: those up to the message are plain
 * strings, all others unions with null. */
static const struct texts {
    enum lm_text first, last;
} required_texts = {LM_LOG_TYPE, LM_MESSAGE}, texts_to_status = {LM_HOST, LM_STACK_TRACE},
  texts_to_duration = {LM_ENDPOINT, LM_METHOD}, texts_to_tags = {LM_CLIENT_IP, LM_DEVICE},
  last_text = {LM_METADATA, LM_METADATA};

enum { HEADER_LEN = 10, VARINT_MAX = 10 };

uint64_t lm_record_fingerprint(void)
{
    return own_fingerprint;
}

/* ---- encoding: the size is bounded first, so that every write behind it is unchecked ---- */

static char *put_long(char *p, int64_t value)
{
    uint64_t zigzag = ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);

    while (zigzag > 0x7F) {
        *p++ = (char)(zigzag | 0x80);
        zigzag >>= 7;
    }
    *p++ = (char)zigzag;
    return p;
}

static char *put_text(char *p, struct lm_slice text)
{
    p = put_long(p, (int64_t)text.len);
    return text.len > 0 ? mempcpy(p, text.data, text.len) : p;
}

/* Unions are [null, T]: branch 0 or 1, which zigzag writes as 0 or 2. */
static char *put_optional_texts(char *p, const struct lm_record *record, struct texts texts)
{
    for (enum lm_text i = texts.first; i <= texts.last; i++) {
        struct lm_slice text = record->text[i];
        *p++ = text.data != NULL ? 2 : 0;
        if (text.data != NULL)
            p = put_text(p, text);
    }
    return p;
}

static char *put_optional_long(char *p, bool has, int64_t value)
{
    *p++ = has ? 2 : 0;
    return has ? put_long(p, value) : p;
}

static char *put_little_endian(char *p, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        *p++ = (char)(value >> (8 * i));
    return p;
}

static size_t encoded_bound(const struct lm_record *record)
{
    /* Ten bytes for each number and each text's length, one for each union's branch. */
    size_t bound = HEADER_LEN + (size_t)(LM_TEXT_COUNT + 9) * (VARINT_MAX + 1);

    for (int i = 0; i < LM_TEXT_COUNT; i++)
        bound += record->text[i].len;
    for (size_t i = 0; i < record->tag_count; i++)
        bound += VARINT_MAX + record->tags[i].len;
    return bound;
}

int lm_record_encode(const struct lm_record *record, struct lm_buffer *out)
{
    if (lm_buffer_reserve(out, encoded_bound(record)) != 0)
        return -1;
    char *p = out->data + out->len;
    *p++ = (char)0xC3;
    *p++ = (char)0x01;
    p = put_little_endian(p, own_fingerprint);
    p = put_long(p, record->timestamp_us);
    p = put_long(p, (int64_t)record->category);
    p = put_long(p, (int64_t)record->level);
    for (enum lm_text i = required_texts.first; i <= required_texts.last; i++)
        p = put_text(p, record->text[i]);
    p = put_optional_texts(p, record, texts_to_status);
    p = put_optional_long(p, record->has_http_status, record->http_status);
    p = put_optional_texts(p, record, texts_to_duration);
    *p++ = record->has_duration ? 2 : 0;
    if (record->has_duration) {
        uint64_t bits;
        memcpy(&bits, &record->duration_ms, sizeof bits);
        p = put_little_endian(p, bits);
    }
    p = put_optional_texts(p, record, texts_to_tags);
    if (record->tag_count > 0)
        p = put_long(p, (int64_t)record->tag_count);
    for (size_t i = 0; i < record->tag_count; i++)
        p = put_text(p, record->tags[i]);
    *p++ = 0;
    p = put_optional_texts(p, record, last_text);
    p = put_optional_long(p, record->has_source, record->source);
    p = put_optional_long(p, record->has_sequence, record->sequence);
    out->len = (size_t)(p - out->data);
    return 0;
}

/* ---- decoding ---- */

static bool get_branch(struct lm_avro_reader *in)
{
    int64_t branch = lm_avro_long(in);

    if (branch != 0 && branch != 1)
        lm_avro_fail(in, "union_index", "a union has no such branch");
    return branch == 1;
}

/* Nearly every text is null or at most 63 bytes long, so that its branch and its length are a byte each and
 * one comparison says whether all of it is there: those are read without the reader. */
static void get_optional_texts(struct lm_avro_reader *in, struct lm_record *record, struct texts texts)
{
    struct lm_slice *text = &record->text[texts.first], *last = &record->text[texts.last];
    const unsigned char *at = in->at, *end = in->end;

    if (in->fault != NULL)
        return;
    for (; text <= last; text++) {
        size_t left = (size_t)(end - at);
        if (left > 0 && at[0] == 0) {
            at++;
        } else if (left > 1 && at[0] == 2 && (at[1] & 0x81) == 0 && at[1] / 2u <= left - 2) {
            size_t len = at[1] / 2u;
            *text = (struct lm_slice){(const char *)at + 2, len};
            at += 2 + len;
        } else {
            in->at = at;
            if (get_branch(in))
                *text = lm_avro_text(in);
            if (in->fault != NULL)
                return;
            at = in->at;
        }
    }
    in->at = at;
}

static int get_enum(struct lm_avro_reader *in, int count)
{
    int64_t symbol = lm_avro_long(in);

    if (symbol >= 0 && symbol < count)
        return (int)symbol;
    lm_avro_fail(in, "enum_index", "an enum has no such symbol");
    return 0;
}

/* Walks the blocks of the array; where `tags` is not NULL the texts go there. Returns how many there are. */
static size_t get_tags(struct lm_avro_reader *in, struct lm_slice *tags)
{
    struct lm_avro_block block;
    size_t count = 0;

    while (lm_avro_block_begin(in, &block)) {
        for (uint64_t i = 0; i < block.count && in->fault == NULL; i++) {
            struct lm_slice tag = lm_avro_text(in);
            if (tags != NULL)
                tags[count] = tag;
            count++;
        }
        lm_avro_block_end(in, &block);
    }
    return count;
}

/* Once to count and check them, once to keep them. -1 when the arena is full: every other fault is the
 * reader's. */
static int read_tags(struct lm_avro_reader *in, struct lm_arena *arena, struct lm_record *record)
{
    if (in->fault == NULL && in->at < in->end && *in->at == 0) { /* an empty array, as nearly always */
        in->at++;
        return 0;
    }
    struct lm_avro_reader again = *in;
    size_t count = get_tags(in, NULL);

    if (in->fault != NULL || count == 0)
        return 0;
    record->tags = lm_arena_alloc(arena, count * sizeof *record->tags);
    if (record->tags == NULL)
        return -1;
    record->tag_count = get_tags(&again, record->tags);
    return 0;
}

int lm_record_decode_datum(const void *data, size_t len, struct lm_arena *arena, struct lm_record *record,
                           struct lm_error *error)
{
    struct lm_avro_reader in;

    lm_avro_reader_init(&in, data, len);
    lm_record_init(record);
    record->timestamp_us = lm_avro_long(&in);
    record->has_timestamp = true;
    record->category = (enum lm_category)get_enum(&in, LM_CATEGORY_COUNT);
    record->has_category = true;
    record->level = (enum lm_level)get_enum(&in, LM_LEVEL_COUNT);
    for (enum lm_text i = required_texts.first; i <= required_texts.last; i++)
        record->text[i] = lm_avro_text(&in);
    get_optional_texts(&in, record, texts_to_status);
    record->has_http_status = get_branch(&in);
    if (record->has_http_status) {
        int64_t status = lm_avro_long(&in);
        if (status < INT32_MIN || status > INT32_MAX)
            lm_avro_fail(&in, "undecodable", "http_status has more than 32 bits");
        else
            record->http_status = (int32_t)status;
    }
    get_optional_texts(&in, record, texts_to_duration);
    record->has_duration = get_branch(&in);
    if (record->has_duration)
        record->duration_ms = lm_avro_double(&in);
    get_optional_texts(&in, record, texts_to_tags);
    if (read_tags(&in, arena, record) != 0)
        return lm_error_set(error, LM_RETRY, "memory", "no room left for the tags of a record");
    get_optional_texts(&in, record, last_text);
    record->has_source = get_branch(&in);
    record->source = record->has_source ? lm_avro_long(&in) : 0;
    record->has_sequence = get_branch(&in);
    record->sequence = record->has_sequence ? lm_avro_long(&in) : 0;
    return lm_avro_reader_finish(&in, error);
}
