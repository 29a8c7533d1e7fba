/* What a model's server streams, in pieces of any size: the first byte says the protocol, the second the size
 * of the pieces. The same bytes in one piece give the same reply; what was said is bounded; it means an
 * intent that is written as it was read, or nothing. */
#include "agent/model/reply.h"
#include "agent/model/wire.h"
#include "common/http/event_stream.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MAX_EVENT 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct stream {
    struct lm_event_stream sse;
    struct ag_wire_reply reply;
    struct lm_error error;
    bool broken;
};

static bool on_event(const char *data, size_t len, void *context)
{
    struct stream *stream = context;
    if (len > MAX_EVENT || strlen(data) > len) {
        abort();
    }
    return ag_wire_event(&stream->reply, data, len, &stream->error) == 0;
}

static void feed(struct stream *stream, enum ag_wire_protocol protocol, const char *data, size_t len,
                 size_t piece)
{
    lm_event_stream_init(&stream->sse, MAX_EVENT);
    ag_wire_reply_init(&stream->reply, protocol);
    for (size_t at = 0; at < len && !stream->broken; at += piece) {
        const size_t n = len - at < piece ? len - at : piece;
        stream->broken = !lm_event_stream_feed(&stream->sse, data + at, n, on_event, stream);
    }
}

static void stream_free(struct stream *stream)
{
    lm_event_stream_free(&stream->sse);
    ag_wire_reply_free(&stream->reply);
}

static void read_reply(const struct ag_catalogue *catalogue, const struct lm_buffer *said)
{
    const struct ag_model_asker asker = {.catalogue = catalogue,
                                         .language = AG_EN,
                                         .zone = "UTC",
                                         .now_us = INT64_C(1773812120000000),
                                         .sql = true};
    struct ag_model_meaning meaning;
    struct lm_error error;
    struct lm_arena arena;
    lm_arena_init(&arena, 1u << 20);
    const int result = ag_model_read(said->data, said->len, &asker, &arena, &meaning, &error);
    if (result != 0 && (error.text[0] == '\0' || error.kind[0] == '\0')) {
        abort();
    }
    if (result == 0 && meaning.says == AG_MODEL_INTENT) {
        json_t *json = ag_intent_to_json(&meaning.intent);
        struct ag_intent again;
        if (json == NULL || ag_intent_from_json(json, &arena, &again, &error) != 0) {
            abort();
        }
        json_decref(json);
    }
    lm_arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    const enum ag_wire_protocol protocol = (data[0] & 1) != 0 ? AG_WIRE_OPENAI : AG_WIRE_ANTHROPIC;
    const char *text = (const char *)data + 2;
    struct stream pieces = {.broken = false};
    struct stream once = {.broken = false};
    struct lm_error error;
    feed(&pieces, protocol, text, size - 2, (size_t)(data[1] % 16) + 1);
    feed(&once, protocol, text, size - 2, size);
    const struct lm_buffer *said = ag_wire_said(&once.reply);
    const struct lm_buffer *other = ag_wire_said(&pieces.reply);
    if (said->len > AG_REPLY_MAX || pieces.broken != once.broken || said->len != other->len ||
        (said->len > 0 && memcmp(said->data, other->data, said->len) != 0)) {
        abort();
    }
    if (!once.broken && ag_wire_end(&once.reply, &error) == 0 && said->len == 0) {
        abort();
    }
    struct ag_catalogue *catalogue = ag_catalogue_new();
    if (catalogue != NULL && ag_catalogue_seal(catalogue) == 0 && said->len > 0) {
        read_reply(catalogue, said);
    }
    ag_catalogue_free(catalogue);
    stream_free(&pieces);
    stream_free(&once);
    return 0;
}
