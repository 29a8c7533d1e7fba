#include "consumer/batch/batch.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/pattern/pattern.h"
#include "consumer/batch/array.h"
#include "consumer/batch/copy_row.h"
#include "consumer/batch/partition.h"
#include "consumer/batch/replay.h"

#include <stdlib.h>
#include <string.h>

/* One record may be as large as Kafka lets it be; a batch takes it and is full. */
#define COPY_MAX ((size_t)1 << 30)
#define ARENA_MAX ((size_t)1 << 30)
/* What librdkafka keeps for a message besides its bytes. */
#define MESSAGE_OVERHEAD 400
/* Memory that a huge record took is given back. */
#define ARENA_KEEP ((size_t)1 << 20)
/* Half a kilobyte each, which the budget does not see: of records from all over the past there may be nearly
 * as many groups as rows. */
#define GROUPS_MAX ((size_t)16384)
#define GROWING_AGES 9
#define GROWING_US (5 * LM_SECOND_US)

static const char *const state_names[] = {"filling", "sealed",  "ready",   "copying",
                                          "copied",  "closing", "unknown", "done"};

/* What may follow what, a bit a state. Everything may end: its partition can be lost at any moment. */
static const unsigned follows[] = {
    [CO_BATCH_FILLING] = 1u << CO_BATCH_SEALED | 1u << CO_BATCH_COPYING,
    [CO_BATCH_SEALED] = 1u << CO_BATCH_READY,
    [CO_BATCH_READY] = 1u << CO_BATCH_COPYING | 1u << CO_BATCH_SEALED,
    [CO_BATCH_COPYING] = 1u << CO_BATCH_COPIED | 1u << CO_BATCH_SEALED,
    [CO_BATCH_COPIED] = 1u << CO_BATCH_CLOSING | 1u << CO_BATCH_SEALED,
    [CO_BATCH_CLOSING] = 1u << CO_BATCH_SEALED | 1u << CO_BATCH_UNKNOWN,
    [CO_BATCH_UNKNOWN] = 1u << CO_BATCH_SEALED,
    [CO_BATCH_DONE] = 0,
};

int co_batch_change_state(struct co_batch *batch, enum co_batch_state to)
{
    if (batch->state == CO_BATCH_DONE || (to != CO_BATCH_DONE && (follows[batch->state] >> to & 1u) == 0)) {
        lm_log(LM_LOG_ERROR, "batch", "a %s batch cannot become %s", state_names[batch->state],
               state_names[to]);
        return -1;
    }
    lm_log(LM_LOG_DEBUG, "batch", "batch %u [%lld, %lld): %s -> %s", batch->serial,
           (long long)batch->expected_offset, (long long)batch->next_offset, state_names[batch->state],
           state_names[to]);
    batch->state = to;
    if (to != CO_BATCH_READY) /* which goes on with the wait that began when it was sealed */
        batch->since_us = lm_clock_mono_us();
    return 0;
}

struct co_batch *co_batch_new(struct co_chunks *chunks)
{
    struct co_batch *batch = calloc(1, sizeof(*batch));
    if (batch == NULL)
        return NULL;
    batch->chunks = chunks;
    lm_buffer_init(&batch->closing, COPY_MAX);
    lm_arena_init(&batch->arena, ARENA_MAX);
    lm_arena_init(&batch->kept, ARENA_MAX);
    co_rollup_init(&batch->rollup);
    co_batch_reset(batch);
    return batch;
}

static void destroy_messages(struct co_batch *batch)
{
    for (size_t i = 0; batch->keeps_messages && i < batch->row_count; i++)
        rd_kafka_message_destroy(batch->rows[i].message);
    batch->row_count = 0;
}

void co_batch_free(struct co_batch *batch)
{
    if (batch == NULL)
        return;
    destroy_messages(batch);
    free(batch->rows);
    free(batch->letters);
    free(batch->moves);
    free(batch->patterns);
    co_index_free(&batch->pattern_index);
    free(batch->names);
    free(batch->replays);
    co_index_free(&batch->replay_index);
    co_chunk_give(batch->chunks, batch->copy);
    lm_buffer_free(&batch->closing);
    lm_arena_free(&batch->arena);
    lm_arena_free(&batch->kept);
    co_rollup_free(&batch->rollup);
    free(batch);
}

void co_batch_reset(struct co_batch *batch)
{
    destroy_messages(batch);
    batch->partition = NULL;
    batch->state = CO_BATCH_FILLING;
    batch->kafka_time_us = 0;
    batch->first_time_us = 0;
    batch->opened_us = 0;
    batch->since_us = 0;
    batch->decoding_us = 0;
    batch->keeps_messages = batch->open = batch->flows = batch->broken = false;
    batch->cleared = 0;
    batch->record_count = 0;
    batch->record_max = SIZE_MAX;
    batch->repeat_count = 0;
    batch->payload_bytes = 0;
    batch->letter_count = 0;
    batch->letter_bytes = 0;
    batch->move_count = 0;
    batch->pattern_count = 0;
    co_index_clear(&batch->pattern_index);
    batch->name_count = 0;
    batch->replay_count = 0;
    co_index_clear(&batch->replay_index);
    batch->letters_pending = 0;
    batch->letters_until_us = 0;
    batch->recount = false;
    batch->asked = false;
    batch->attempts = 0;
    batch->unanswered = false;
    batch->not_before_us = 0;
    batch->probing = false;
    batch->refusal = (struct co_refusal){0};
    batch->next = NULL;
    co_rollup_clear(&batch->rollup);
    lm_arena_reset(&batch->arena);
    lm_arena_reset(&batch->kept);
    lm_buffer_clear(&batch->closing);
    co_chunk_give(batch->chunks, batch->copy);
    batch->copy = batch->copy_last = NULL;
    batch->copy_bytes = batch->copy_held = 0;
}

bool co_batch_full(const struct co_batch *batch, const struct co_policy *policy)
{
    return batch->record_count >= policy->rows || batch->record_count >= batch->record_max ||
           batch->rollup.group_count >= GROUPS_MAX || batch->copy_bytes >= policy->bytes ||
           batch->payload_bytes + batch->letter_bytes >= policy->bytes;
}

bool co_batch_due(const struct co_batch *batch, const struct co_policy *policy, int64_t now_us, bool behind)
{
    int64_t more_us = policy->age_us < GROWING_US / GROWING_AGES ? GROWING_AGES * policy->age_us : GROWING_US;

    if (batch->record_count == 0)
        return false;
    return co_batch_full(batch, policy) ||
           now_us - batch->opened_us >= policy->age_us + (batch->open && behind ? more_us : 0);
}

size_t co_batch_memory(const struct co_batch *batch)
{
    size_t messages = batch->keeps_messages ? batch->row_count * MESSAGE_OVERHEAD : 0;

    return batch->kept.used + batch->rollup.texts.used + batch->payload_bytes + batch->letter_bytes +
           batch->closing.len + messages;
}

int64_t co_message_time_us(const rd_kafka_message_t *message)
{
    rd_kafka_timestamp_type_t type;
    int64_t ms = rd_kafka_message_timestamp(message, &type);
    return ms > 0 && ms < INT64_MAX / 1000 ? ms * 1000 : lm_clock_wall_us();
}

int co_batch_reserve(struct co_batch *batch)
{
    if ((batch->keeps_messages &&
         co_array_room(&batch->rows, batch->row_count, &batch->row_cap, sizeof(batch->rows[0])) != 0) ||
        co_array_room(&batch->moves, batch->move_count, &batch->move_cap, sizeof(batch->moves[0])) != 0 ||
        co_array_room(&batch->patterns, batch->pattern_count, &batch->pattern_cap,
                      sizeof(batch->patterns[0])) != 0 ||
        co_array_room(&batch->replays, batch->replay_count, &batch->replay_cap, sizeof(batch->replays[0])) !=
            0)
        return -1;
    return 0;
}

/* For a record without a time of its own: Kafka's; of one that was put back the one it first had. */
static int64_t default_time_us(const struct lm_record *record, const rd_kafka_message_t *message)
{
    int64_t us = record->has_timestamp ? 0 : co_replay_time_us(message);
    return us > 0 ? us : co_message_time_us(message);
}

int co_batch_decode(struct co_batch *batch, struct co_batch_scratch *scratch,
                    const rd_kafka_message_t *message, enum lm_category category, struct lm_error *error)
{
    if (batch->arena.used > ARENA_KEEP)
        lm_arena_free(&batch->arena);
    else if (batch->arena.used > 0)
        lm_arena_reset(&batch->arena);
    scratch->decoded = lm_record_decode(scratch->schemas, message->payload, message->len, &batch->arena,
                                        &scratch->record, error) == 0;
    if (!scratch->decoded)
        return -1;
    return lm_record_complete(&scratch->record, category, default_time_us(&scratch->record, message),
                              &batch->arena, error);
}

static int count(struct co_batch *batch, const struct lm_record *record, uint32_t place, int64_t pattern,
                 struct lm_error *error)
{
    if (co_rollup_add(&batch->rollup, record, place, pattern) != 0)
        return lm_error_set(error, LM_RETRY, "memory", "no memory for the batch's rollups");
    return 0;
}

/* Where the next tuple goes: a chunk with room for it. NULL without memory. */
static struct co_chunk *chunk_for(struct co_batch *batch, size_t room)
{
    struct co_chunk *last = batch->copy_last;

    if (last != NULL && last->bytes.max - last->bytes.len >= room)
        return last;
    struct co_chunk *chunk = co_chunk_take(batch->chunks, room);
    if (chunk == NULL)
        return NULL;
    chunk->first_row = batch->row_count;
    if (last == NULL)
        batch->copy = chunk;
    else
        last->next = chunk;
    batch->copy_last = chunk;
    batch->copy_held += chunk->bytes.cap;
    return chunk;
}

static bool brings(const struct co_batch *batch, int64_t id)
{
    size_t cursor = co_index_start(&batch->pattern_index, (uint64_t)id);
    uint32_t at;

    while ((at = co_index_next(&batch->pattern_index, (uint64_t)id, &cursor)) != CO_INDEX_NONE) {
        if (batch->patterns[at].id == id)
            return true;
    }
    return false;
}

/* A pattern whose template finds no memory is not noted: the next record of its kind brings it again. */
static void take_pattern(struct co_batch *batch, struct co_batch_scratch *scratch,
                         const struct co_patterns *patterns, int64_t id)
{
    const struct lm_buffer *template = &scratch->template;
    char *copy;

    if (template->failed || !co_patterns_wants(patterns, id) || brings(batch, id))
        return;
    copy = lm_arena_copy(&batch->kept, template->len > 0 ? template->data : "", template->len);
    if (copy == NULL ||
        co_index_add(&batch->pattern_index, (uint64_t)id, (uint32_t)batch->pattern_count) != 0)
        return;
    batch->patterns[batch->pattern_count++] = (struct co_pattern_row){
        .id = id, .template = {copy, template->len}, .first_us = scratch->record.timestamp_us};
}

int co_batch_add(struct co_batch *batch, struct co_batch_scratch *scratch, rd_kafka_message_t *message,
                 enum lm_category category, uint32_t place, struct co_patterns *patterns,
                 struct lm_error *error)
{
    const struct lm_slice *text = scratch->record.text;
    struct co_row_extra extra = {.category = category,
                                 .partition = message->partition,
                                 .offset = message->offset,
                                 .ingested_us = scratch->now_us};
    struct co_chunk *chunk = chunk_for(batch, co_copy_room(&scratch->record));

    if (chunk == NULL)
        return lm_error_set(error, LM_RETRY, "memory", "no memory for a row");
    size_t from = chunk->bytes.len;
    extra.pattern = lm_pattern(text[LM_MESSAGE].data, text[LM_MESSAGE].len, &scratch->template);
    if (co_copy_row(&scratch->record, &extra, &chunk->bytes, error) != 0)
        return -1;
    if (count(batch, &scratch->record, place, extra.pattern, error) != 0) {
        chunk->bytes.len = from;
        return -1;
    }
    take_pattern(batch, scratch, patterns, extra.pattern);
    batch->copy_bytes += chunk->bytes.len - from;
    if (batch->keeps_messages) {
        batch->payload_bytes += message->len + message->key_len;
        batch->rows[batch->row_count] = (struct co_row){.message = message,
                                                        .chunk = chunk,
                                                        .from = (uint32_t)from,
                                                        .to = (uint32_t)chunk->bytes.len,
                                                        .place = place};
    }
    batch->row_count++;
    return 0;
}

int co_batch_note_letter(struct co_batch *batch, int64_t offset)
{
    if (co_array_room(&batch->letters, batch->letter_count, &batch->letter_cap, sizeof(batch->letters[0])) !=
        0)
        return -1;
    batch->letters[batch->letter_count++] = offset;
    return 0;
}

void co_batch_passed(struct co_batch *batch, int64_t offset, int64_t kafka_time_us, int64_t now_us)
{
    if (batch->record_count == 0)
        batch->opened_us = now_us;
    if (batch->first_time_us == 0)
        batch->first_time_us = kafka_time_us;
    batch->record_count++;
    batch->next_offset = offset + 1;
    batch->kafka_time_us = kafka_time_us;
}

void co_batch_skip(struct co_batch *batch, int64_t next_offset, int64_t now_us)
{
    if (batch->record_count == 0) {
        batch->opened_us = now_us;
        batch->record_count = 1; /* something to commit */
    }
    batch->next_offset = next_offset;
}

void co_batch_range(const struct co_batch *batch, size_t *from, size_t *to)
{
    *from = batch->probing ? batch->probe_from : 0;
    *to = batch->probing ? batch->probe_to : batch->row_count;
}

static size_t run_of_chunk(const struct co_batch *batch, size_t row, struct lm_slice *bytes)
{
    const struct co_chunk *chunk = batch->copy;

    while (chunk->next != NULL && chunk->next->first_row <= row)
        chunk = chunk->next;
    *bytes = (struct lm_slice){chunk->bytes.data, chunk->bytes.len};
    return chunk->next != NULL ? chunk->next->first_row : batch->row_count;
}

size_t co_batch_run(const struct co_batch *batch, size_t row, size_t end, struct lm_slice *bytes)
{
    const struct co_row *rows = batch->rows;

    if (!batch->keeps_messages)
        return run_of_chunk(batch, row, bytes);
    size_t from = rows[row].from;
    bytes->data = rows[row].chunk->bytes.data + from;
    do
        row++;
    while (row < end && rows[row].chunk == rows[row - 1].chunk && rows[row].from == rows[row - 1].to);
    bytes->len = rows[row - 1].to - from;
    return row;
}

bool co_batch_front(const struct co_batch *batch, struct lm_slice *tuples)
{
    const struct co_chunk *chunk = batch->copy;

    if (chunk == NULL || (batch->open && chunk == batch->copy_last) ||
        (chunk->next != NULL ? chunk->next->first_row : batch->row_count) > batch->cleared)
        return false;
    *tuples = (struct lm_slice){chunk->bytes.data, chunk->bytes.len};
    return true;
}

void co_batch_drop_front(struct co_batch *batch)
{
    struct co_chunk *chunk = batch->copy;

    batch->copy = chunk->next;
    if (batch->copy == NULL)
        batch->copy_last = NULL;
    batch->broken = true;
    batch->copy_held -= chunk->bytes.cap;
    chunk->next = NULL;
    co_chunk_give(batch->chunks, chunk);
}

int co_batch_recount(struct co_batch *batch, struct lm_error *error)
{
    struct lm_record record;
    int64_t pattern = 0;
    size_t from, to;

    if (!batch->recount)
        return 0;
    co_batch_range(batch, &from, &to);
    co_rollup_clear(&batch->rollup);
    for (size_t i = from; i < to; i++) {
        co_copy_read(batch->rows[i].chunk->bytes.data + batch->rows[i].from, &record, &pattern);
        if (count(batch, &record, batch->rows[i].place, pattern, error) != 0)
            return -1;
    }
    batch->recount = false;
    return 0;
}

rd_kafka_message_t *co_batch_take_row(struct co_batch *batch, size_t row)
{
    rd_kafka_message_t *message = batch->rows[row].message;
    if (batch->rows[row].replay > 0)
        co_replay_forget(batch, batch->rows[row].replay);
    batch->row_count--;
    memmove(&batch->rows[row], &batch->rows[row + 1], (batch->row_count - row) * sizeof(batch->rows[0]));
    batch->payload_bytes -= message->len + message->key_len;
    batch->recount = true;
    return message;
}
