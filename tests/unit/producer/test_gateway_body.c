/* Bodies under their encodings: undone, bounded, refused. */
#include "producer/gateway/body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include <cmocka.h>

static size_t pack(int window, const char *text, size_t len, char *out, size_t room)
{
    z_stream stream = {0};

    assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = (Bytef *)(uintptr_t)text;
    stream.avail_in = (uInt)len;
    stream.next_out = (Bytef *)out;
    stream.avail_out = (uInt)room;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    deflateEnd(&stream);
    return room - stream.avail_out;
}

static enum gw_body_result decode(const char *encoding, const char *body, size_t len, size_t max,
                                  const char *expected)
{
    struct lm_buffer out;
    const char *text;
    size_t text_len;
    enum gw_body_result result;

    lm_buffer_init(&out, max);
    result = gw_body_decode(encoding, body, len, &out, &text, &text_len);
    if (result == GW_BODY_OK && expected) {
        assert_int_equal(text_len, strlen(expected));
        assert_memory_equal(text, expected, text_len);
    }
    lm_buffer_free(&out);
    return result;
}

static void every_known_encoding_gives_the_text_back(void **state)
{
    const char *text = "{\"message\":\"hello hello hello hello\"}";
    char packed[256];
    size_t len;

    (void)state;
    assert_int_equal(decode(NULL, text, strlen(text), 1000, text), GW_BODY_OK);
    assert_int_equal(decode("Identity", text, strlen(text), 1000, text), GW_BODY_OK);
    len = pack(MAX_WBITS + 16, text, strlen(text), packed, sizeof(packed));
    assert_int_equal(decode("gzip", packed, len, 1000, text), GW_BODY_OK);
    assert_int_equal(decode("X-GZIP", packed, len, strlen(text), text), GW_BODY_OK);
    len = pack(MAX_WBITS, text, strlen(text), packed, sizeof(packed));
    assert_int_equal(decode("deflate", packed, len, 1000, text), GW_BODY_OK);
    len = pack(-MAX_WBITS, text, strlen(text), packed, sizeof(packed));
    assert_int_equal(decode("deflate", packed, len, 1000, text), GW_BODY_OK);
}

static void zstd_frames_are_undone_up_to_the_ceiling(void **state)
{
    const char *text = "{\"message\":\"hello hello hello hello\"}";
    size_t text_len = strlen(text), len, more, zeros_len = 1 << 20;
    char packed[1024], twice[256], *zeros = calloc(1, zeros_len);

    (void)state;
    assert_non_null(zeros);
    len = ZSTD_compress(packed, sizeof(packed), text, text_len, 3);
    assert_false(ZSTD_isError(len));
    assert_int_equal(decode("zstd", packed, len, 1000, text), GW_BODY_OK);
    assert_int_equal(decode("ZSTD", packed, len, text_len, text), GW_BODY_OK);
    assert_int_equal(decode("zstd", packed, len, text_len - 1, NULL), GW_BODY_TOO_LARGE);
    assert_int_equal(decode("zstd", packed, len - 1, 1000, NULL), GW_BODY_BROKEN);
    assert_int_equal(decode("zstd", text, text_len, 1000, NULL), GW_BODY_BROKEN);
    assert_int_equal(decode("zstd", packed, 0, 1000, NULL), GW_BODY_BROKEN);
    more = ZSTD_compress(packed + len, sizeof(packed) - len, text, text_len, 3);
    memcpy(twice, text, text_len);
    memcpy(twice + text_len, text, text_len + 1);
    assert_int_equal(decode("zstd", packed, len + more, 1000, twice), GW_BODY_OK);
    assert_int_equal(decode("zstd", packed, len + more, text_len, NULL), GW_BODY_TOO_LARGE);
    len = ZSTD_compress(packed, sizeof(packed), zeros, zeros_len, 3);
    assert_int_equal(decode("zstd", packed, len, zeros_len, NULL), GW_BODY_OK);
    assert_int_equal(decode("zstd", packed, len, zeros_len - 1, NULL), GW_BODY_TOO_LARGE);
    free(zeros);
}

static void gzip_members_one_after_another_are_one_body(void **state)
{
    char packed[256];
    size_t len = pack(MAX_WBITS + 16, "ab", 2, packed, sizeof(packed));

    (void)state;
    len += pack(MAX_WBITS + 16, "cd", 2, packed + len, sizeof(packed) - len);
    assert_int_equal(decode("gzip", packed, len, 1000, "abcd"), GW_BODY_OK);
}

static void a_bomb_stops_at_the_ceiling(void **state)
{
    size_t len = 10 << 20;
    char *zeros = calloc(1, len), *packed = malloc(len);
    size_t packed_len;

    (void)state;
    assert_true(zeros && packed);
    packed_len = pack(MAX_WBITS + 16, zeros, len, packed, len);
    assert_int_equal(decode("gzip", packed, packed_len, 1 << 20, NULL), GW_BODY_TOO_LARGE);
    assert_int_equal(decode("gzip", packed, packed_len, len, NULL), GW_BODY_OK);
    free(zeros);
    free(packed);
}

static void damage_and_unknown_encodings_are_told_apart(void **state)
{
    char packed[256];
    size_t len = pack(MAX_WBITS + 16, "hello", 5, packed, sizeof(packed));

    (void)state;
    assert_int_equal(decode("gzip", packed, len - 3, 1000, NULL), GW_BODY_BROKEN);
    packed[len - 5] ^= 0x55;
    assert_int_equal(decode("gzip", packed, len, 1000, NULL), GW_BODY_BROKEN);
    assert_int_equal(decode("gzip", "plain", 5, 1000, NULL), GW_BODY_BROKEN);
    assert_int_equal(decode("gzip", "", 0, 1000, NULL), GW_BODY_BROKEN);
    assert_int_equal(decode("br", "x", 1, 1000, NULL), GW_BODY_UNSUPPORTED);
    assert_int_equal(decode("gzip, gzip", "x", 1, 1000, NULL), GW_BODY_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_known_encoding_gives_the_text_back),
        cmocka_unit_test(zstd_frames_are_undone_up_to_the_ceiling),
        cmocka_unit_test(gzip_members_one_after_another_are_one_body),
        cmocka_unit_test(a_bomb_stops_at_the_ceiling),
        cmocka_unit_test(damage_and_unknown_encodings_are_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
