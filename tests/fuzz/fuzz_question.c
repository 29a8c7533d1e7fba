/*
 * Any bytes as a question, with or without a previous one: no crash, no leak, bounded memory, and an
 * understanding that survives its JSON. The first byte chooses the zone, the present and whether a follow-up
 * is asked.
 */
#include "agent/understand/time.h"
#include "agent/understand/understand.h"
#include "agent/understand/vocabulary.h"
#include "agent/understand/zone.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static struct ag_vocabulary *vocabulary;
static struct ag_catalogue *catalogue;

static void prepare(void)
{
    static const struct {
        enum ag_kind kind;
        const char *value;
    } names[] = {
        {AG_KIND_SERVICE, "payment-service"},
        {AG_KIND_SERVICE, "payment-gateway"},
        {AG_KIND_SERVICE, "order-service"},
        {AG_KIND_SERVICE, "주문"},
        {AG_KIND_HOST, "web-03"},
        {AG_KIND_ENVIRONMENT, "production"},
        {AG_KIND_ENVIRONMENT, "staging"},
        {AG_KIND_ERROR_TYPE, "LockTimeout"},
        {AG_KIND_EVENT_TYPE, "login_failed"},
        {AG_KIND_ENDPOINT, "/api/orders"},
        {AG_KIND_METADATA_KEY, "tenant_id"},
        {AG_KIND_COMPONENT, "card"},
        {AG_KIND_MODULE, "login"},
        {AG_KIND_SERVICE, "a b c"},
        {AG_KIND_METADATA_KEY, "region"},
    };
    struct lm_error error;

    vocabulary = ag_vocabulary_new(NULL, &error);
    catalogue = ag_catalogue_new();
    if (!vocabulary || !catalogue)
        abort();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (ag_catalogue_add(catalogue, names[i].kind, names[i].value, 1) < 0)
            abort();
    }
    if (ag_catalogue_seal(catalogue) < 0)
        abort();
}

static void check(const struct ag_understanding *out, struct lm_arena *arena, int64_t now)
{
    struct ag_intent back;
    struct lm_error error;
    json_t *json;

    if (out->outcome != AG_UNDERSTOOD) {
        if (!out->message)
            abort();
        return;
    }
    if (out->intent.window.from_us >= out->intent.window.to_us || out->intent.window.to_us > now)
        abort();
    json = ag_intent_to_json(&out->intent);
    if (!json)
        abort();
    /* Values longer than a previous intent may hold are the one thing that does not come back. */
    if (ag_intent_from_json(json, arena, &back, &error) == 0 && ag_intent_resolve(&back, now, &error) < 0)
        abort();
    json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const zones[] = {"Asia/Seoul", "America/New_York", "UTC", "Pacific/Chatham"};
    struct ag_understanding first;
    struct ag_understanding second;
    struct lm_arena arena;
    struct lm_error error;
    struct ag_question q;

    if (!vocabulary)
        prepare();
    if (size < 1)
        return 0;
    q = (struct ag_question){.text = (const char *)data + 1, .len = size - 1, .zone = zones[data[0] & 3]};
    q.now_us = INT64_C(1773812120000000) + (data[0] >> 2) * 11 * AG_DAY + (data[0] >> 3) * AG_HOUR;
    lm_arena_init(&arena, 2 * AG_UNDERSTAND_ARENA);
    if (ag_understand(&q, vocabulary, catalogue, &arena, &first, &error) < 0)
        abort();
    check(&first, &arena, q.now_us);
    if (first.outcome == AG_UNDERSTOOD) {
        /* The second half of the same text, as a follow-up. */
        q.previous = &first.intent;
        q.text += q.len / 2;
        q.len -= q.len / 2;
        if (ag_understand(&q, vocabulary, catalogue, &arena, &second, &error) < 0)
            abort();
        check(&second, &arena, q.now_us);
    }
    lm_arena_free(&arena);
    return 0;
}
