#include "tests/unit/common/record_fixture.h"

#include "common/json_scan.h"

#include <math.h>

/* NULL where the text is one value and nothing else, else the kind of the fault. */
static const char *kind_of(const char *text, size_t len)
{
    static struct lm_error error;
    struct lm_json_scan scan;
    struct lm_json_value value;

    /* Exactly as many bytes as there are, so that a read behind them is seen. */
    char *copy = malloc(len > 0 ? len : 1);
    memcpy(copy, text, len);
    lm_json_open(&scan, copy, len);
    int result = lm_json_value(&scan, &value, &error);
    bool more = result == 0 && lm_json_more(&scan);
    free(copy);
    if (result != 0) {
        assert_int_equal(error.decision, LM_DEAD_LETTER);
        return error.kind;
    }
    return more ? "more" : NULL;
}

static void verdicts_follow_rfc_8259(void **state)
{
    static const struct {
        const char *text;
        const char *kind;
    } cases[] = {
        {"{}", NULL},
        {" [ ] ", NULL},
        {"[1,-0,0.5,1e9,1E-9,1.25e+3,true,false,null,\"\"]", NULL},
        {"{\"a\":{\"b\":[{},[],\"\\ud83d\\ude00\"]},\"a\":2}", NULL},
        {"\"\xf0\x9f\x98\x80 \xea\xb0\x80\"", NULL},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"", NULL},
        {"\"\x7f\"", NULL},
        {"", "json"},
        {"  ", "json"},
        {"{", "json"},
        {"[", "json"},
        {"[1", "json"},
        {"[1,", "json"},
        {"[1,]", "json"},
        {"[,1]", "json"},
        {"[1 2]", "json"},
        {"{\"a\"", "json"},
        {"{\"a\":", "json"},
        {"{\"a\":1,}", "json"},
        {"{\"a\" 1}", "json"},
        {"{a:1}", "json"},
        {"{'a':1}", "json"},
        {"{\"a\":1]", "json"},
        {"[1}", "json"},
        {"]", "json"},
        {"01", "more"},
        {"1.", "json"},
        {".5", "json"},
        {"+1", "json"},
        {"-", "json"},
        {"1e", "json"},
        {"1e+", "json"},
        {"NaN", "json"},
        {"Infinity", "json"},
        {"nul", "json"},
        {"truE", "json"},
        {"\"abc", "json"},
        {"\"abcdefghijklmnop", "json"},
        {"\"\\x\"", "json"},
        {"\"\\u12g4\"", "json"},
        {"\"\\u123", "json"},
        {"\"\\", "json"},
        {"\"a\nb\"", "json"},
        {"\"12345678\x1f\"", "json"},
        {"[1] 2", "more"},
        {"\"\\u0000\"", "nul"},
        {"{\"a\\u0000\":1}", "nul"},
        {"\"\\ud800\"", "utf8"},
        {"\"\\ud800x\"", "utf8"},
        {"\"\\ud800\\u0041\"", "utf8"},
        {"\"\\udc00\"", "utf8"},
        {"\"\xff\"", "utf8"},
        {"\"\xc0\xaf\"", "utf8"},
        {"\"\xed\xa0\x80\"", "utf8"},
        {"\"\xf4\x90\x80\x80\"", "utf8"},
        {"\"\xe2\x82\"", "utf8"},
        {"{\"\x80\":1}", "utf8"},
        {"// no comments\n1", "json"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *kind = kind_of(cases[i].text, strlen(cases[i].text));
        if (kind == NULL ? cases[i].kind != NULL : cases[i].kind == NULL || strcmp(kind, cases[i].kind) != 0)
            fail_msg("%s: %s, expected %s", cases[i].text, kind != NULL ? kind : "accepted",
                     cases[i].kind != NULL ? cases[i].kind : "accepted");
    }
}

static void a_raw_nul_is_named(void **state)
{
    (void)state;
    assert_string_equal(kind_of("\"a\0b\"", 5), "nul");
    assert_string_equal(kind_of("\"abcdefgh\0b\"", 12), "nul");
}

static void sixty_four_levels_pass_and_one_more_is_too_deep(void **state)
{
    char text[2 * (LM_JSON_MAX_DEPTH + 1)];

    (void)state;
    for (size_t depth = LM_JSON_MAX_DEPTH; depth <= LM_JSON_MAX_DEPTH + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        const char *kind = kind_of(text, 2 * depth);
        if (depth == LM_JSON_MAX_DEPTH)
            assert_null(kind);
        else
            assert_string_equal(kind, "depth");
    }
}

static void members_and_elements_come_in_order(void **state)
{
    struct fixture *f = *state;
    struct lm_json_scan scan, inner;
    struct lm_json_value value, key, element;
    struct lm_slice text;

    lm_json_open(&scan, " { \"a\" : [ 1 , \"x\\ny\" ] , \"b\\u0063\":{} } tail", 45);
    assert_int_equal(lm_json_value(&scan, &value, &f->error), 0);
    assert_int_equal(value.type, LM_JSON_OBJECT);
    assert_true(lm_json_more(&scan));
    lm_json_enter(&inner, &value);
    assert_int_equal(lm_json_member(&inner, &key, &value, &f->error), 1);
    assert_slice(key.raw, "\"a\"");
    assert_slice(value.raw, "[ 1 , \"x\\ny\" ]");
    struct lm_json_scan array;
    lm_json_enter(&array, &value);
    assert_int_equal(lm_json_element(&array, &element, &f->error), 1);
    assert_slice(element.raw, "1");
    assert_int_equal(lm_json_element(&array, &element, &f->error), 1);
    assert_int_equal(lm_json_string(&element, &f->arena, &text, &f->error), 0);
    assert_slice(text, "x\ny");
    assert_int_equal(lm_json_element(&array, &element, &f->error), 0);
    assert_int_equal(lm_json_member(&inner, &key, &value, &f->error), 1);
    assert_int_equal(lm_json_string(&key, &f->arena, &text, &f->error), 0);
    assert_slice(text, "bc");
    assert_int_equal(lm_json_member(&inner, &key, &value, &f->error), 0);
}

static void concatenated_values_are_read_one_after_another(void **state)
{
    struct fixture *f = *state;
    struct lm_json_scan scan;
    struct lm_json_value value;
    const char *text = "{\"a\":1}{\"a\":2}\n[3] 4 \"5\"\n";
    size_t n = 0;

    lm_json_open(&scan, text, strlen(text));
    for (; lm_json_more(&scan); n++)
        assert_int_equal(lm_json_value(&scan, &value, &f->error), 0);
    assert_int_equal(n, 5);
}

static void an_entered_object_is_checked_as_it_is_read(void **state)
{
    struct fixture *f = *state;
    struct lm_json_scan scan;
    struct lm_json_value key, value;
    const char *text = "{\"a\":1,\"b\":}";

    lm_json_open(&scan, text, strlen(text));
    assert_int_equal(lm_json_begin_object(&scan, &f->error), 0);
    assert_int_equal(lm_json_member(&scan, &key, &value, &f->error), 1);
    assert_int_equal(lm_json_member(&scan, &key, &value, &f->error), -1);
    assert_string_equal(f->error.kind, "json");
    lm_json_open(&scan, "[]", 2);
    assert_int_equal(lm_json_begin_object(&scan, &f->error), -1);
    assert_string_equal(f->error.kind, "not_an_object");
    lm_json_open(&scan, "nope", 4);
    assert_int_equal(lm_json_begin_object(&scan, &f->error), -1);
    assert_string_equal(f->error.kind, "json");
}

static void strings_are_unescaped(void **state)
{
    struct fixture *f = *state;
    struct lm_json_scan scan;
    struct lm_json_value value;
    struct lm_slice text;
    const char *json = "\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\uac00\\ud83d\\ude00z\"";

    lm_json_open(&scan, json, strlen(json));
    assert_int_equal(lm_json_value(&scan, &value, &f->error), 0);
    assert_int_equal(lm_json_string(&value, &f->arena, &text, &f->error), 0);
    assert_slice(text, "a\"\\/\b\f\n\r\tA\xc3\xa9\xea\xb0\x80\xf0\x9f\x98\x80z");
    struct lm_arena none;
    lm_arena_init(&none, 0);
    assert_int_equal(lm_json_string(&value, &none, &text, &f->error), -1);
    assert_int_equal(f->error.decision, LM_RETRY);
    lm_arena_free(&none);
}

static void integers_are_exact_or_refused(void **state)
{
    static const struct {
        const char *text;
        bool fits;
        int64_t value;
    } cases[] = {
        {"0", true, 0},
        {"-0", true, 0},
        {"1e3", true, 1000},
        {"1.0", true, 1},
        {"1.50e1", true, 15},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"922337203685477580.7e1", true, INT64_MAX},
        {"1.5", false, 0},
        {"1e-1", false, 0},
        {"1e400", false, 0},
        {"0e999999999999", true, 0},
        {"1e-999999999999", false, 0},
        {"100000000000000000000000000000000000000000000000000000000000000000000", false, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t value = -1;
        int result = lm_json_int64(slice_of(cases[i].text), &value);
        if ((result == 0) != cases[i].fits || (cases[i].fits && value != cases[i].value))
            fail_msg("%s: %d, %lld", cases[i].text, result, (long long)value);
    }
}

static void scaling_rounds_by_digits(void **state)
{
    static const struct {
        const char *text;
        int shift;
        int64_t value;
    } cases[] = {
        {"1700000000.123456", 6, 1700000000123456},
        {"1700000000.1234559999", 6, 1700000000123456},
        {"1700000000.1234560013580322265625", 6, 1700000000123456},
        {"-1.5", 0, -2},
        {"1700000000123456789", -3, 1700000000123457},
        {"1544712660300000000", -3, 1544712660300000},
        {"0.4999999999999999999999999999999999999999999999999999999", 0, 0},
        {"0.5", 0, 1},
        {"1e-30", 6, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t value = -1;
        assert_int_equal(lm_json_scaled(slice_of(cases[i].text), cases[i].shift, &value), 0);
        assert_int_equal(value, cases[i].value);
    }
}

static void doubles_are_the_nearest(void **state)
{
    static const char *const cases[] = {"0",
                                        "-0.0",
                                        "1.5",
                                        "0.1",
                                        "123456.789",
                                        "1e22",
                                        "1e23",
                                        "5e-324",
                                        "1e-400",
                                        "2.2250738585072011e-308",
                                        "9007199254740993",
                                        "1.7976931348623157e308",
                                        "-123456789012345678901234567890",
                                        "0.1000000000000000055511151231257827021181583404541015625"};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double expected = strtod(cases[i], NULL), value = lm_json_double(slice_of(cases[i]));
        if (memcmp(&expected, &value, sizeof value) != 0)
            fail_msg("%s: %.17g, expected %.17g", cases[i], value, expected);
    }
    assert_true(isinf(lm_json_double(slice_of("1e309"))));
    assert_true(lm_json_double(slice_of("-1e99999999")) < 0);
    srand(7);
    for (int i = 0; i < 20000; i++) {
        char text[64];
        double d = (double)rand() / (double)(1 + rand() % 1000000) * pow(10, rand() % 40 - 20);
        snprintf(text, sizeof text, "%.*g", 3 + rand() % 15, d);
        double expected = strtod(text, NULL), value = lm_json_double(slice_of(text));
        if (memcmp(&expected, &value, sizeof value) != 0)
            fail_msg("%s: %.17g, expected %.17g", text, value, expected);
    }
}

static void metadata_must_be_an_object_that_jsonb_takes(void **state)
{
    static const struct {
        const char *text;
        const char *kind;
    } cases[] = {
        {"{}", NULL},
        {" {\"a\":18446744073709551615,\"b\":0.1} ", NULL},
        {"[]", "metadata"},
        {"\"x\"", "metadata"},
        {"", "metadata"},
        {"{} {}", "metadata"},
        {"{\"a\":}", "metadata"},
        {"{\"a\":1e999999}", "metadata"},
        {"{\"a\":[1e-999999]}", "metadata"},
        {"{\"a\":\"\\u0000\"}", "nul"},
        {"{\"a\":\"\\ud800\"}", "utf8"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int result = lm_json_check_object(cases[i].text, strlen(cases[i].text), &f->error);
        assert_int_equal(result, cases[i].kind == NULL ? 0 : -1);
        if (cases[i].kind != NULL)
            assert_string_equal(f->error.kind, cases[i].kind);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts_follow_rfc_8259),
        cmocka_unit_test(a_raw_nul_is_named),
        cmocka_unit_test(sixty_four_levels_pass_and_one_more_is_too_deep),
        FIXTURE_TEST(members_and_elements_come_in_order),
        FIXTURE_TEST(concatenated_values_are_read_one_after_another),
        FIXTURE_TEST(an_entered_object_is_checked_as_it_is_read),
        FIXTURE_TEST(strings_are_unescaped),
        cmocka_unit_test(integers_are_exact_or_refused),
        cmocka_unit_test(scaling_rounds_by_digits),
        cmocka_unit_test(doubles_are_the_nearest),
        FIXTURE_TEST(metadata_must_be_an_object_that_jsonb_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
