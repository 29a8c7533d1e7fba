#include "consumer/batch/partition.h"

#include "common/http/admin.h"
#include "common/log.h"
#include "consumer/batch/array.h"
#include "consumer/batch/piece.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const state_names[] = {"locating", "beyond_end", "seeking", "running",
                                          "holding",  "refused",    "gone"};

static const unsigned follows[] = {
    [CO_PARTITION_LOCATING] = 1u << CO_PARTITION_BEYOND_END | 1u << CO_PARTITION_SEEKING,
    [CO_PARTITION_BEYOND_END] = 1u << CO_PARTITION_LOCATING,
    [CO_PARTITION_SEEKING] =
        1u << CO_PARTITION_RUNNING | 1u << CO_PARTITION_LOCATING | 1u << CO_PARTITION_REFUSED,
    [CO_PARTITION_RUNNING] =
        1u << CO_PARTITION_HOLDING | 1u << CO_PARTITION_LOCATING | 1u << CO_PARTITION_REFUSED,
    [CO_PARTITION_HOLDING] = 1u << CO_PARTITION_RUNNING | 1u << CO_PARTITION_LOCATING,
    [CO_PARTITION_REFUSED] = 0,
    [CO_PARTITION_GONE] = 0,
};

int co_partition_change_state(struct co_partition *partition, enum co_partition_state to)
{
    enum co_partition_state from = partition->state;

    if (from == CO_PARTITION_GONE || (to != CO_PARTITION_GONE && (follows[from] >> to & 1u) == 0)) {
        lm_log(LM_LOG_ERROR, "partition", "%s/%d: %s cannot become %s", partition->topic,
               (int)partition->number, state_names[from], state_names[to]);
        return -1;
    }
    lm_log(LM_LOG_DEBUG, "partition", "%s/%d: %s -> %s", partition->topic, (int)partition->number,
           state_names[from], state_names[to]);
    partition->state = to;
    return 0;
}

struct co_partition *co_partition_new(const char *topic, int32_t number, enum lm_category category)
{
    struct co_partition *partition = calloc(1, sizeof(*partition));
    if (partition == NULL)
        return NULL;
    (void)snprintf(partition->topic, sizeof(partition->topic), "%s", topic);
    partition->piece_rows = CO_PIECE_WHOLE;
    partition->number = number;
    partition->category = category;
    partition->refs = 1;
    partition->lag = -1;
    return partition;
}

struct co_partition *co_partition_ref(struct co_partition *partition)
{
    partition->refs++;
    return partition;
}

void co_partition_unref(struct co_partition *partition)
{
    if (--partition->refs > 0)
        return;
    if (partition->held != NULL)
        rd_kafka_message_destroy(partition->held);
    co_ahead_free(&partition->ahead);
    if (partition->queue != NULL)
        rd_kafka_queue_destroy(partition->queue);
    co_sources_free(partition->sources);
    co_names_free(partition->names);
    free(partition->buried);
    free(partition);
}

void co_partition_say(struct co_partition *partition, const char *reason)
{
    if (partition->condition != NULL)
        lm_condition_set(partition->condition, reason);
}

static int by_offset(const void *a, const void *b)
{
    int64_t x, y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return x < y ? -1 : x > y;
}

bool co_partition_is_buried(const struct co_partition *partition, int64_t offset)
{
    return partition->buried_count > 0 &&
           bsearch(&offset, partition->buried, partition->buried_count, sizeof(offset), by_offset) != NULL;
}

void co_partition_keep_buried(struct co_partition *partition, const struct co_batch *batch)
{
    size_t known = partition->buried_count;

    if (known > 0 && partition->buried[known - 1] < partition->committed)
        partition->buried_count = known = 0;
    for (size_t i = 0; i < batch->letter_count; i++) {
        if (co_partition_is_buried(partition, batch->letters[i]))
            continue;
        if (co_array_room(&partition->buried, known, &partition->buried_cap, sizeof(partition->buried[0])) !=
            0)
            break;
        partition->buried[known++] = batch->letters[i];
    }
    partition->buried_count = known;
    if (known > 0)
        qsort(partition->buried, known, sizeof(partition->buried[0]), by_offset);
}

bool co_partition_empty(const struct co_partition *partition)
{
    return partition->filling == NULL && partition->line_count == 0 && partition->held == NULL &&
           partition->ahead.count == 0;
}
