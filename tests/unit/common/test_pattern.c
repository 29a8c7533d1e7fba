#include "tests/unit/common/record_fixture.h"

#include "common/pattern.h"
#include "common/utf8.h"

#include <xxhash.h>

static void messages_are_masked_as_the_rules_say(void **state)
{
    static const struct {
        const char *message;
        const char *template;
    } cases[] = {
        {"timeout after 5200ms, order 1234", "timeout after <*>ms, order <*>"},
        {"user-db-3 answered E5040 over http2", "user-db-<*> answered E<*> over http<*>"},
        {"took 1.5s", "took <*>.<*>s"},
        {"no numbers at all", "no numbers at all"},
        {"", ""},
        {"\n\n  second line 2\nthird 3", "second line <*>"},
        {"first\r\nsecond", "first"},
        {"id 550e8400-e29b-41d4-a716-446655440000 gone", "id <*> gone"},
        {"id 550E8400-E29B-41D4-A716-446655440000.", "id <*>."},
        {"at 0x7ffe12ab", "at <*>"},
        {"trace 4bf92f3577b34da6a3ce929d0e0e4736 ended", "trace <*> ended"},
        {"commit deadbeef facade", "commit deadbeef facade"},
        {"commit deadbee5 cab1e", "commit <*> cab<*>e"},
        {"from 10.20.30.40:5432 to 10.20.30.41", "from <*> to <*>"},
        {"version 1.2.3.4.5", "version <*>.<*>.<*>.<*>.<*>"},
        {"from 2001:db8::1: refused", "from <*>: refused"},
        {"from fe80::1ff:fe23:4567:890a.", "from <*>."},
        {"std::vector a::b", "std::vector a::b"},
        {"at 12:34:56", "at <*>:<*>:<*>"},
        {"opened /var/log/app-3.log, line 7", "opened <*>, line <*>"},
        {"GET https://shop.example/cart/17?x=1 failed", "GET https:<*> failed"},
        {"read and/or write 3 / 4", "read and/or write <*> / <*>"},
        {"opened C:\\logs\\a.log now", "opened <*> now"},
        {"user \"alice\" not found in 'orders'", "user \"<*>\" not found in '<*>'"},
        {"can't open the user's file", "can't open the user's file"},
        {"key=`x y`", "key=`<*>`"},
        {"empty \"\" stays", "empty \"\" stays"},
        {"unclosed \"quote 5", "unclosed \"quote <*>"},
        {"결제 실패: 주문 1234번", "결제 실패: 주문 <*>번"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t len = strlen(cases[i].message);
        char *copy = malloc(len + 1);
        memcpy(copy, cases[i].message, len);
        int64_t id = lm_pattern(copy, len, &f->buffer);
        free(copy);
        assert_slice((struct lm_slice){f->buffer.len > 0 ? f->buffer.data : "", f->buffer.len},
                     cases[i].template);
        assert_int_equal(id, (int64_t)XXH3_64bits(cases[i].template, strlen(cases[i].template)));
    }
}

static void a_long_message_is_cut_at_a_character(void **state)
{
    struct fixture *f = *state;
    char message[1600];

    for (size_t shift = 0; shift < 3; shift++) {
        memset(message, 'x', shift);
        for (size_t i = shift; i + 3 <= sizeof message; i += 3)
            memcpy(message + i, "가", 3);
        (void)lm_pattern(message, sizeof message - 3, &f->buffer);
        assert_in_range(f->buffer.len, 509, 512);
        assert_int_equal(lm_utf8_check(f->buffer.data, f->buffer.len), LM_UTF8_OK);
    }
    for (size_t i = 0; i < sizeof message; i++)
        message[i] = i % 2 == 0 ? '1' : 'x';
    (void)lm_pattern(message, sizeof message, &f->buffer);
    assert_int_equal(f->buffer.len, 4 * 256);
}

static void the_id_does_not_depend_on_room_for_the_template(void **state)
{
    struct fixture *f = *state;
    struct lm_buffer none;

    lm_buffer_init(&none, 4);
    assert_int_equal(lm_pattern("order 17 lost", 13, &none), lm_pattern("order 18 lost", 13, &f->buffer));
    lm_buffer_free(&none);
}

/* Stored in every rollup: a change of the rules is a migration. */
static void ids_are_the_same_for_ever(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(lm_pattern("order 17 lost", 13, &f->buffer), INT64_C(-4840466867819907367));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(messages_are_masked_as_the_rules_say),
        FIXTURE_TEST(a_long_message_is_cut_at_a_character),
        FIXTURE_TEST(the_id_does_not_depend_on_room_for_the_template),
        FIXTURE_TEST(ids_are_the_same_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
