#include "consumer/replay.h"

#include <limits.h>
#include <string.h>

#define TOPIC_MAX 249 /* Kafka's own limit */

static bool header(const rd_kafka_headers_t *headers, const char *name, struct lm_slice *out)
{
    const void *value;

    if (rd_kafka_header_get_last(headers, name, &value, &out->len) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return false;
    out->data = value;
    return true;
}

/* Decimal digits and nothing else, at most `max`. */
static bool read_number(struct lm_slice text, int64_t max, int64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < text.len; i++) {
        int digit = text.data[i] - '0';
        if (digit < 0 || digit > 9 || *out > (max - digit) / 10)
            return false;
        *out = *out * 10 + digit;
    }
    return text.len > 0;
}

/* What Kafka takes as a topic's name. */
static bool is_topic_name(struct lm_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
              c == '_' || c == '-'))
            return false;
    }
    return text.len > 0 && text.len <= TOPIC_MAX;
}

bool co_replay_read(const rd_kafka_message_t *message, struct co_replay *out)
{
    rd_kafka_headers_t *headers;
    struct lm_slice partition, offset;
    int64_t number;

    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        !header(headers, "dlq.offset", &offset) || !header(headers, "dlq.topic", &out->topic) ||
        !header(headers, "dlq.partition", &partition) || !is_topic_name(out->topic) ||
        !read_number(offset, INT64_MAX, &out->offset) || !read_number(partition, INT32_MAX, &number))
        return false;
    out->partition = (int32_t)number;
    return true;
}

/* A number among the headers of a record put back; 0: none. */
static int64_t number_of(const rd_kafka_message_t *message, const char *name, int64_t max)
{
    struct co_replay replay;
    rd_kafka_headers_t *headers;
    struct lm_slice text;
    int64_t number;

    if (!co_replay_read(message, &replay) ||
        rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        !header(headers, name, &text) || !read_number(text, max, &number))
        return 0;
    return number;
}

int64_t co_replay_time_us(const rd_kafka_message_t *message)
{
    return number_of(message, "dlq.timestamp", INT64_MAX / 1000) * 1000;
}

unsigned co_replay_attempts(const rd_kafka_message_t *message)
{
    return (unsigned)number_of(message, "dlq.attempts", INT_MAX);
}

/* ---- those of a batch ---- */

static uint64_t hash_of(const struct co_replay *replay)
{
    uint64_t hash = (uint64_t)replay->offset * UINT64_C(0x9e3779b97f4a7c15) ^ (uint32_t)replay->partition;
    for (size_t i = 0; i < replay->topic.len; i++)
        hash = (hash ^ (unsigned char)replay->topic.data[i]) * UINT64_C(0x100000001b3);
    return (hash ^ hash >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
}

static bool same_place(const struct co_replay *a, const struct co_replay *b)
{
    return a->offset == b->offset && a->partition == b->partition && a->topic.len == b->topic.len &&
           memcmp(a->topic.data, b->topic.data, a->topic.len) == 0;
}

bool co_replay_in(const struct co_batch *batch, const struct co_replay *replay)
{
    uint64_t hash = hash_of(replay);
    size_t cursor = co_index_start(&batch->replay_index, hash);
    uint32_t at;

    while ((at = co_index_next(&batch->replay_index, hash, &cursor)) != CO_INDEX_NONE) {
        /* One that was taken back leaves its place to whoever came next. */
        if (at < batch->replay_count && same_place(&batch->replays[at], replay))
            return true;
    }
    return false;
}

int co_replay_add(struct co_batch *batch, const struct co_replay *replay)
{
    struct co_replay *kept = &batch->replays[batch->replay_count];

    *kept = *replay;
    kept->topic.data = lm_arena_copy(&batch->kept, replay->topic.data, replay->topic.len);
    if (kept->topic.data == NULL ||
        co_index_add(&batch->replay_index, hash_of(kept), (uint32_t)batch->replay_count) != 0)
        return -1;
    batch->replay_count++;
    return 0;
}

void co_replay_take_back(struct co_batch *batch)
{
    batch->replay_count--;
}

void co_replay_forget(struct co_batch *batch, size_t position)
{
    batch->replay_count--;
    memmove(&batch->replays[position - 1], &batch->replays[position],
            (batch->replay_count - (position - 1)) * sizeof(batch->replays[0]));
    for (size_t i = 0; i < batch->row_count; i++)
        batch->rows[i].replay -= batch->rows[i].replay > position;
    /* There was room for more. */
    co_index_clear(&batch->replay_index);
    for (size_t i = 0; i < batch->replay_count; i++)
        (void)!co_index_add(&batch->replay_index, hash_of(&batch->replays[i]), (uint32_t)i);
}
