#include "consumer/batch/ahead.h"

#include "common/record/record_json.h"
#include "consumer/batch/replay.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_MAX ((size_t)1 << 20)
/* One message may be a megabyte: what is taken beyond BYTES_MAX is bounded. */
#define TAKEN_AT_ONCE 32
#define ARENA_MAX ((size_t)64 << 20)

void co_ahead_clear(struct co_ahead *ahead)
{
    for (size_t i = 0; i < ahead->count; i++)
        rd_kafka_message_destroy(ahead->messages[ahead->first + i].message);
    ahead->first = ahead->count = ahead->bytes = 0;
}

void co_ahead_free(struct co_ahead *ahead)
{
    co_ahead_clear(ahead);
    free(ahead->messages);
    *ahead = (struct co_ahead){0};
}

bool co_ahead_fill(struct co_ahead *ahead, rd_kafka_queue_t *queue, size_t most)
{
    rd_kafka_message_t *taken[TAKEN_AT_ONCE];
    size_t until = ahead->count + most < CO_AHEAD_MAX ? ahead->count + most : CO_AHEAD_MAX;

    if (ahead->messages == NULL &&
        (ahead->messages = calloc(CO_AHEAD_MAX, sizeof(ahead->messages[0]))) == NULL)
        return false;
    memmove(&ahead->messages[0], &ahead->messages[ahead->first], ahead->count * sizeof(ahead->messages[0]));
    ahead->first = 0;
    while (ahead->count < until && ahead->bytes < BYTES_MAX) {
        size_t room = until - ahead->count < TAKEN_AT_ONCE ? until - ahead->count : TAKEN_AT_ONCE;
        ssize_t count = rd_kafka_consume_batch_queue(queue, 0, taken, room);
        if (count <= 0)
            break;
        for (ssize_t i = 0; i < count; i++) {
            ahead->messages[ahead->count++] = (struct co_ahead_message){.message = taken[i]};
            ahead->bytes += taken[i]->len;
        }
    }
    return true;
}

rd_kafka_message_t *co_ahead_take(struct co_ahead *ahead, bool *replay_answered, bool *replay_stored)
{
    if (ahead->count == 0)
        return NULL;
    const struct co_ahead_message *next = &ahead->messages[ahead->first++];
    ahead->count--;
    ahead->bytes -= next->message->len;
    *replay_answered = next->replay_answered;
    *replay_stored = next->replay_stored;
    return next->message;
}

/* ---- producers ---- */

/* Whether it brings a source; not where it cannot be decoded, or what it is is not the sequence's to say. */
static bool source_of(const rd_kafka_message_t *message, const struct lm_schema_set *schemas,
                      struct lm_arena *arena, int64_t *source)
{
    struct lm_record record;
    struct co_replay replay;
    struct lm_error error;

    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR || co_replay_read(message, &replay))
        return false;
    lm_arena_reset(arena);
    lm_record_init(&record);
    if (lm_record_decode(schemas, message->payload, message->len, arena, &record, &error) != 0 ||
        !record.has_source || !record.has_sequence)
        return false;
    *source = record.source;
    return true;
}

int co_ahead_ask_sources(const struct co_ahead *ahead, const struct lm_schema_set *schemas,
                         const struct co_sources *sources, const char *topic, int32_t partition, int64_t held,
                         struct lm_buffer *sql)
{
    struct lm_arena arena;
    int64_t source;

    lm_arena_init(&arena, ARENA_MAX);
    lm_buffer_printf(sql, "SELECT u.source, s.last_sequence FROM unnest('{%" PRId64, held);
    for (size_t i = 0; i < ahead->count; i++) {
        if (source_of(ahead->messages[ahead->first + i].message, schemas, &arena, &source) &&
            !co_sources_knows(sources, source))
            lm_buffer_printf(sql, ",%" PRId64, source);
    }
    lm_buffer_append_text(sql, "}'::bigint[]) AS u (source) LEFT JOIN logmill.ingest_source s ON s.topic = ");
    lm_buffer_append_literal(sql, topic, strlen(topic));
    lm_buffer_printf(sql, " AND s.partition = %d AND s.source = u.source", (int)partition);
    lm_arena_free(&arena);
    return sql->failed ? -1 : 0;
}

static int load_row(struct co_sources *sources, const PGresult *result, int row)
{
    int64_t source = strtoll(PQgetvalue(result, row, 0), NULL, 10);

    if (PQgetisnull(result, row, 1))
        return co_sources_load_new(sources, source);
    return co_sources_load(sources, source, strtoll(PQgetvalue(result, row, 1), NULL, 10));
}

int co_ahead_load_sources(struct co_sources *sources, int64_t held, const PGresult *result)
{
    int held_row = -1;

    for (int row = 0; row < PQntuples(result); row++) {
        if (strtoll(PQgetvalue(result, row, 0), NULL, 10) == held)
            held_row = row;
        else if (load_row(sources, result, row) != 0)
            return -1;
    }
    /* The last one: what makes room for others must not forget it. */
    return held_row < 0 ? -1 : load_row(sources, result, held_row);
}

/* ---- records put back ---- */

void co_ahead_ask_replays(const struct co_ahead *ahead, const rd_kafka_message_t *held, struct lm_buffer *sql)
{
    struct co_replay replay;
    const char *comma = "";

    lm_buffer_append_text(sql, "SELECT u.i FROM (VALUES ");
    for (size_t i = 0; i <= ahead->count; i++) {
        const rd_kafka_message_t *message = i == 0 ? held : ahead->messages[ahead->first + i - 1].message;
        if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR || !co_replay_read(message, &replay))
            continue;
        lm_buffer_printf(sql, "%s(%zu, ", comma, i);
        lm_buffer_append_literal(sql, replay.topic.data, replay.topic.len);
        lm_buffer_printf(sql, ", %d, %" PRId64 "::bigint)", (int)replay.partition, replay.offset);
        comma = ", ";
    }
    lm_buffer_append_text(
        sql, ") AS u (i, topic, partition, at) JOIN logmill.ingest_replay r ON r.topic = u.topic AND "
             "r.partition = u.partition AND r.\"offset\" = u.at");
}

bool co_ahead_note_replays(struct co_ahead *ahead, const PGresult *result)
{
    bool held_stored = false;

    for (size_t i = 0; i < ahead->count; i++) {
        ahead->messages[ahead->first + i].replay_answered = true;
        ahead->messages[ahead->first + i].replay_stored = false;
    }
    for (int row = 0; row < PQntuples(result); row++) {
        size_t i = strtoul(PQgetvalue(result, row, 0), NULL, 10);
        if (i == 0)
            held_stored = true;
        else
            ahead->messages[ahead->first + i - 1].replay_stored = true;
    }
    return held_stored;
}
