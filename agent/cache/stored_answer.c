#include "agent/cache/stored_answer.h"

#include "common/clock.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include <zstd.h>

#define HEAD 14    /* before the content */
#define NUMBERS 11 /* before the body */
#define COMPRESS_FROM 1024
#define LEVEL 1
#define LONGEST_OPEN_US LM_HOUR_US /* no open window is good for longer */

static void put_number(unsigned char *at, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        at[i] = (unsigned char)(value >> (8 * i));
    }
}

static uint64_t take_number(const unsigned char *at, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) {
        value |= (uint64_t)at[i] << (8 * i);
    }
    return value;
}

static uint64_t checksum(const uint8_t key[AG_KEY_SIZE], const void *content, size_t len)
{
    uint64_t seed = 0;
    memcpy(&seed, key, sizeof(seed));
    return XXH3_64bits_withSeed(content, len, seed ^ XXH3_64bits(key, AG_KEY_SIZE));
}

static int append_content(const unsigned char *content, size_t len, bool compressed, struct lm_buffer *out)
{
    if (!compressed) {
        lm_buffer_append(out, content, len);
        return out->failed ? -1 : 0;
    }
    const size_t room = ZSTD_compressBound(len);
    if (lm_buffer_reserve(out, room) != 0) {
        return -1;
    }
    const size_t size = ZSTD_compress(out->data + out->len, room, content, len, LEVEL);
    if (ZSTD_isError(size) != 0) {
        return -1;
    }
    out->len += size;
    return 0;
}

int ag_stored_write(const uint8_t key[AG_KEY_SIZE], const struct ag_result *result,
                    const struct ag_validity *validity, struct lm_buffer *out)
{
    const struct ag_spans *spans = &validity->spans;
    const int64_t until_us =
        validity->until_us != 0 ? lm_clock_wall_us() + validity->until_us - lm_clock_mono_us() : 0;
    const uint64_t numbers[NUMBERS] = {(uint64_t)until_us,
                                       (uint64_t)spans->from_us,
                                       (uint64_t)spans->to_us,
                                       (uint64_t)spans->against_from_us,
                                       (uint64_t)spans->against_to_us,
                                       (uint64_t)validity->version.count,
                                       (uint64_t)validity->version.sum,
                                       result->insight_at,
                                       result->insight_len,
                                       result->rows,
                                       result->bytes};
    const size_t len = sizeof(numbers) + result->len;
    unsigned char head[HEAD] = {AG_STORED_FORMAT, len >= COMPRESS_FROM};
    unsigned char *content = len <= AG_STORED_MAX ? malloc(len) : NULL;
    if (content == NULL) {
        return -1;
    }
    for (size_t i = 0; i < NUMBERS; i++) {
        put_number(content + 8 * i, numbers[i], 8);
    }
    memcpy(content + sizeof(numbers), result->body, result->len);
    put_number(head + 2, len, 4);
    put_number(head + 6, checksum(key, content, len), 8);
    lm_buffer_append(out, head, sizeof(head));
    const int written = append_content(content, len, head[1] != 0, out);
    free(content);
    return written;
}

/* The content, malloc; NULL for anything odd. */
static unsigned char *take_content(const uint8_t key[AG_KEY_SIZE], const unsigned char *data, size_t len,
                                   size_t *content_len)
{
    const size_t claimed = len >= HEAD ? (size_t)take_number(data + 2, 4) : 0;
    if (claimed < 8 * NUMBERS || claimed > AG_STORED_MAX || data[0] != AG_STORED_FORMAT || data[1] > 1 ||
        (data[1] == 0 && claimed != len - HEAD)) {
        return NULL;
    }
    unsigned char *content = malloc(claimed);
    if (content == NULL) {
        return NULL;
    }
    if (data[1] == 0) {
        memcpy(content, data + HEAD, claimed);
    } else if (ZSTD_decompress(content, claimed, data + HEAD, len - HEAD) != claimed) {
        free(content);
        return NULL;
    }
    if (checksum(key, content, claimed) != take_number(data + 6, 8)) {
        free(content);
        return NULL;
    }
    *content_len = claimed;
    return content;
}

/* The end by this process's clock; an end further off than any is as odd as one that has passed. */
static int64_t monotonic_end(int64_t until_us)
{
    const int64_t now_us = lm_clock_wall_us();
    const int64_t mono_us = lm_clock_mono_us();
    return until_us > now_us && until_us - now_us <= LONGEST_OPEN_US ? mono_us + until_us - now_us : mono_us;
}

struct ag_result *ag_stored_read(const uint8_t key[AG_KEY_SIZE], const char *data, size_t len,
                                 struct ag_validity *validity)
{
    uint64_t numbers[NUMBERS];
    size_t content_len = 0;
    unsigned char *content = take_content(key, (const unsigned char *)data, len, &content_len);
    if (content == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < NUMBERS; i++) {
        numbers[i] = take_number(content + 8 * i, 8);
    }
    const size_t body_len = content_len - sizeof(numbers);
    const bool fits = numbers[7] <= body_len && numbers[8] <= body_len - numbers[7];
    char *body = fits ? malloc(body_len + 1) : NULL;
    if (body != NULL) {
        memcpy(body, content + sizeof(numbers), body_len);
        body[body_len] = '\0';
    }
    free(content);
    struct ag_result *result =
        body != NULL ? ag_result_new(body, body_len, (size_t)numbers[9], (size_t)numbers[10]) : NULL;
    if (result == NULL) {
        return NULL;
    }
    result->insight_at = (size_t)numbers[7];
    result->insight_len = (size_t)numbers[8];
    *validity = (struct ag_validity){
        .until_us = numbers[0] != 0 ? monotonic_end((int64_t)numbers[0]) : 0,
        .spans = {(int64_t)numbers[1], (int64_t)numbers[2], (int64_t)numbers[3], (int64_t)numbers[4]},
        .version = {(int64_t)numbers[5], (int64_t)numbers[6]}};
    return result;
}
