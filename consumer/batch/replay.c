#include "consumer/batch/replay.h"

#include "common/kafka/kafka_header.h"

#include <limits.h>
#include <string.h>

#define TOPIC_MAX 249 /* Kafka's own limit */

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
    int64_t partition;

    if (!lm_kafka_header_number(message, "dlq.offset", INT64_MAX, &out->offset) ||
        !lm_kafka_header_number(message, "dlq.partition", INT32_MAX, &partition) ||
        !lm_kafka_header(message, "dlq.topic", &out->topic) || !is_topic_name(out->topic))
        return false;
    out->partition = (int32_t)partition;
    return true;
}

/* A number among the headers of a record put back; 0: none. */
static int64_t number_of(const rd_kafka_message_t *message, const char *name, int64_t max)
{
    struct co_replay replay;
    int64_t number;

    return co_replay_read(message, &replay) && lm_kafka_header_number(message, name, max, &number) ? number
                                                                                                   : 0;
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
    return a->offset == b->offset && a->partition == b->partition && lm_slice_equal(a->topic, b->topic);
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
