/*
 * What a Redis server sends: the replies are the same in whatever pieces they come, never more than were
 * asked for, and what is taken for an answer is one that was stored. The first byte is the number of commands
 * asked, the second the size of the pieces.
 */
#include "agent/cache/resp.h"
#include "agent/cache/stored_answer.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_REPLY 65536

static const uint8_t key[AG_KEY_SIZE] = {1, 2, 3};

struct heard {
    size_t count;
    uint64_t digest;
};

static void on_reply(const struct ag_reply *reply, void *context)
{
    struct heard *heard = context;
    struct ag_validity validity;
    heard->count++;
    heard->digest = XXH3_64bits_withSeed(reply->text, reply->len,
                                         heard->digest ^ (uint64_t)reply->type ^ (uint64_t)reply->number);
    if (reply->text[reply->len] != '\0') {
        abort();
    }
    struct ag_result *result = ag_stored_read(key, reply->text, reply->len, &validity);
    if (result != NULL && result->insight_at + result->insight_len > result->len) {
        abort();
    }
    ag_result_drop(result);
}

/* 0 or -1, as ag_resp_feed. */
static int hear(const uint8_t *data, size_t size, size_t asked, size_t piece, struct heard *heard)
{
    const struct ag_resp_argument get[] = {{"GET", 3}, {(const char *)key, sizeof(key)}};
    struct ag_resp *resp = ag_resp_new(MAX_REPLY);
    struct lm_buffer out;
    struct lm_error error = {.decision = LM_OK};
    int result = 0;
    *heard = (struct heard){.count = 0};
    lm_buffer_init(&out, 1u << 20);
    for (size_t i = 0; resp != NULL && i < asked; i++) {
        if (ag_resp_write(resp, get, 2, on_reply, heard, &out) != 0 && i < AG_RESP_WINDOW) {
            abort();
        }
    }
    for (size_t at = 0; resp != NULL && result == 0 && at < size; at += piece) {
        result = ag_resp_feed(resp, (const char *)data + at, size - at < piece ? size - at : piece, &error);
    }
    if (heard->count > asked || (result != 0 && error.text[0] == '\0')) {
        abort();
    }
    ag_resp_free(resp);
    lm_buffer_free(&out);
    return result;
}

/* What is stored comes back; with a byte changed, it or nothing. */
static void store(const uint8_t *data, size_t size, uint8_t changed)
{
    const struct ag_validity kept = {.spans = {1, 2, 3, 4}, .version = {5, 6}};
    struct ag_validity validity;
    struct lm_buffer out;
    char *body = malloc(size + 1);
    struct ag_result *result = NULL;
    if (body != NULL) {
        memcpy(body, data, size);
        result = ag_result_new(body, size, 7, 8);
    }
    lm_buffer_init(&out, 1u << 22);
    if (result != NULL && ag_stored_write(key, result, &kept, &out) == 0) {
        struct ag_result *back = ag_stored_read(key, out.data, out.len, &validity);
        if (back == NULL || back->len != size || memcmp(back->body, data, size) != 0 ||
            memcmp(&validity.spans, &kept.spans, sizeof(kept.spans)) != 0) {
            abort();
        }
        ag_result_drop(back);
        out.data[(size_t)changed * 7 % out.len] ^= (char)(1 + changed % 255);
        back = ag_stored_read(key, out.data, out.len, &validity);
        if (back != NULL && (back->len != size || memcmp(back->body, data, size) != 0)) {
            abort();
        }
        ag_result_drop(back);
    }
    ag_result_drop(result);
    lm_buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct heard whole;
    struct heard pieces;
    if (size < 2 || size > MAX_REPLY) {
        return 0;
    }
    const int result = hear(data + 2, size - 2, data[0], size, &whole);
    const int again = hear(data + 2, size - 2, data[0], (size_t)data[1] + 1, &pieces);
    if (result != again || whole.count != pieces.count || whole.digest != pieces.digest) {
        abort();
    }
    store(data + 2, size - 2, data[1]);
    return 0;
}
