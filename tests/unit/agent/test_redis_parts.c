/* The parts of the cache in Redis that need no Redis: its URL, and an answer as bytes. */
#include "agent/cache/redis_url.h"
#include "agent/cache/stored_answer.h"
#include "common/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t key[AG_KEY_SIZE] = {42};

static void a_url_says_where_and_who(void **state)
{
    struct ag_redis_url url;
    struct lm_error error;
    (void)state;
    assert_int_equal(ag_redis_url_parse("redis://cache.example", &url, &error), 0);
    assert_false(url.tls);
    assert_string_equal(url.host, "cache.example");
    assert_string_equal(url.port, "6379");
    assert_string_equal(url.database, "0");
    assert_string_equal(url.password, "");
    assert_false(ag_redis_url_is_private(&url));
    assert_int_equal(ag_redis_url_parse("rediss://me:a%40b%3Ac@[2001:db8::1]:7000/12", &url, &error), 0);
    assert_true(url.tls);
    assert_string_equal(url.host, "2001:db8::1");
    assert_string_equal(url.port, "7000");
    assert_string_equal(url.user, "me");
    assert_string_equal(url.password, "a@b:c");
    assert_string_equal(url.database, "12");
    assert_true(ag_redis_url_is_private(&url));
    assert_int_equal(ag_redis_url_parse("redis://:se@cret@localhost:1/", &url, &error), 0);
    assert_string_equal(url.user, "");
    assert_string_equal(url.password, "se@cret");
    assert_true(ag_redis_url_is_private(&url));
}

static void a_url_that_makes_no_sense_is_refused_without_its_password(void **state)
{
    static const char *const wrong[] = {"",
                                        "localhost",
                                        "http://localhost",
                                        "redis://",
                                        "redis://:topsecret@",
                                        "redis://:topsecret@host:",
                                        "redis://:topsecret@host:65536",
                                        "redis://:topsecret@host:12x",
                                        "redis://:topsecret@host/db",
                                        "redis://:topsecret@host?x=1",
                                        "redis://:topsecret%zz@host",
                                        "redis://:topsecret%00@host",
                                        "redis://[::1",
                                        "redis://[::1]x"};
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct ag_redis_url url;
        struct lm_error error;
        if (ag_redis_url_parse(wrong[i], &url, &error) == 0) {
            fail_msg("taken: %s", wrong[i]);
        }
        assert_int_equal(error.decision, LM_FATAL);
        assert_null(strstr(error.text, "topsecret"));
    }
}

static struct ag_result *make_result(size_t len)
{
    char *body = malloc(len + 1);
    assert_non_null(body);
    for (size_t i = 0; i < len; i++) {
        body[i] = (char)('a' + i % 23);
    }
    struct ag_result *result = ag_result_new(body, len, 17, 1234);
    assert_non_null(result);
    result->insight_at = len / 2;
    result->insight_len = len / 4;
    return result;
}

static void stored(size_t len, const struct ag_validity *validity, struct lm_buffer *out)
{
    struct ag_result *result = make_result(len);
    lm_buffer_init(out, 1u << 24);
    assert_int_equal(ag_stored_write(key, result, validity, out), 0);
    ag_result_drop(result);
}

static void an_answer_comes_back_as_it_was(void **state)
{
    static const size_t lens[] = {0, 10, 900, 1024, 300000};
    (void)state;
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        const struct ag_validity validity = {.spans = {-5, INT64_MAX, INT64_MIN, 7}, .version = {3, -4}};
        struct ag_validity back;
        struct lm_buffer out;
        stored(lens[i], &validity, &out);
        assert_true(lens[i] < 1024 || out.len < lens[i] / 2);
        struct ag_result *result = ag_stored_read(key, out.data, out.len, &back);
        struct ag_result *expected = make_result(lens[i]);
        assert_non_null(result);
        assert_int_equal(result->len, lens[i]);
        assert_memory_equal(result->body, expected->body, lens[i]);
        assert_int_equal(result->insight_at, expected->insight_at);
        assert_int_equal(result->insight_len, expected->insight_len);
        assert_int_equal(result->rows, 17);
        assert_int_equal(result->bytes, 1234);
        assert_memory_equal(&back.spans, &validity.spans, sizeof(back.spans));
        assert_int_equal(back.version.count, 3);
        assert_int_equal(back.version.sum, -4);
        assert_int_equal(back.until_us, 0);
        ag_result_drop(result);
        ag_result_drop(expected);
        lm_buffer_free(&out);
    }
}

static void an_end_is_that_of_the_wall_clock_and_never_far(void **state)
{
    static const int64_t left_us[] = {-LM_SECOND_US, 30 * LM_SECOND_US, 2 * LM_DAY_US};
    static const bool good[] = {false, true, false};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        const struct ag_validity validity = {.until_us = lm_clock_mono_us() + left_us[i]};
        struct ag_validity back;
        struct lm_buffer out;
        bool over = false;
        stored(100, &validity, &out);
        struct ag_result *result = ag_stored_read(key, out.data, out.len, &back);
        assert_non_null(result);
        assert_int_not_equal(back.until_us, 0);
        assert_int_equal(ag_validity_holds(NULL, &back, &over), good[i]);
        ag_result_drop(result);
        lm_buffer_free(&out);
    }
}

static void anything_else_is_no_answer(void **state)
{
    const struct ag_validity validity = {.version = {1, 1}};
    static const uint8_t other[AG_KEY_SIZE] = {43};
    struct ag_validity back;
    (void)state;
    for (size_t len = 200; len <= 5000; len += 4800) {
        struct lm_buffer out;
        stored(len, &validity, &out);
        assert_null(ag_stored_read(other, out.data, out.len, &back));
        for (size_t i = 0; i < out.len; i++) {
            assert_null(ag_stored_read(key, out.data, i, &back)); /* cut */
            out.data[i] ^= 0x15;
            struct ag_result *result = ag_stored_read(key, out.data, out.len, &back);
            /* Some bits of a zstd frame mean nothing: then it is the same answer. */
            assert_true(result == NULL || (i >= 14 && result->len == len));
            ag_result_drop(result);
            out.data[i] ^= 0x15;
        }
        lm_buffer_append_char(&out, 'x');
        assert_null(ag_stored_read(key, out.data, out.len, &back));
        lm_buffer_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_url_says_where_and_who),
        cmocka_unit_test(a_url_that_makes_no_sense_is_refused_without_its_password),
        cmocka_unit_test(an_answer_comes_back_as_it_was),
        cmocka_unit_test(an_end_is_that_of_the_wall_clock_and_never_far),
        cmocka_unit_test(anything_else_is_no_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
