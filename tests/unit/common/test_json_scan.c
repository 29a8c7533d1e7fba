#include "tests/unit/common/record_fixture.h"

#include "common/byte_block.h"
#include "common/json_scan.h"

#include <jansson.h>

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

/* Every byte at every place of a string that spans two blocks: the answer must not depend on where it is. */
static void a_byte_means_the_same_wherever_it_stands(void **state)
{
    char text[48];

    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        const char *first = NULL;
        if (byte == '"' || byte == '\\') /* what they mean depends on what follows */
            continue;
        for (size_t at = 1; at <= 40; at++) {
            memset(text, 'a', sizeof text);
            text[0] = text[41] = '"';
            text[at] = (char)byte;
            const char *kind = kind_of(text, 42);
            first = at == 1 ? kind : first;
            if ((kind == NULL) != (first == NULL) || (kind != NULL && strcmp(kind, first) != 0))
                fail_msg("byte %d at %zu: %s", byte, at, kind == NULL ? "accepted" : kind);
        }
    }
}

static void text_beyond_ascii_is_taken_as_jansson_takes_it(void **state)
{
    static const char *const pieces[] = {
        "\xea\xb0\x80", "\xeb\x82\x98",     "\xec\x9d\xb4", " ",       "a",
        "\xc3\xa9",     "\xf0\x9f\x98\x80", "\\n",          "\\uac00", "\xe0\xa0\x80"};
    static const char *const faults[] = {"\xed\xa0\x80", "\xea\xb0", "\x80", "\xe0\x80\x80",
                                         "\n",           "\"",       "\\x"};

    (void)state;
    srand(5);
    for (int i = 0; i < 20000; i++) {
        char text[128] = "\"";
        int count = rand() % 24, fault = rand() % 2 == 0 ? rand() % 24 : -1;
        for (int j = 0; j < count; j++)
            strcat(text, j == fault ? faults[rand() % 7] : pieces[rand() % (i % 3 == 0 ? 10 : 4)]);
        strcat(text, "\"");
        json_t *theirs = json_loads(text, JSON_DECODE_ANY, NULL);
        if ((kind_of(text, strlen(text)) == NULL) != (theirs != NULL))
            fail_msg("%s: %s by jansson", text, theirs != NULL ? "taken" : "refused");
        json_decref(theirs);
    }
}

static void blocks_are_read_alike_with_and_without_sse2(void **state)
{
    char block[LM_BLOCK];

    (void)state;
    srand(11);
    for (int i = 0; i < 100000; i++) {
        for (size_t j = 0; j < sizeof block; j++)
            block[j] = (char)(rand() % 2 == 0 ? rand() : "\"\\ a@Z[`z{"[rand() % 10]);
        assert_int_equal(lm_block_not_plain(block), lm_block_not_plain_c(block));
        assert_int_equal(lm_block_not_ascii(block), lm_block_not_ascii_c(block));
        assert_int_equal(lm_block_not_letter(block), lm_block_not_letter_c(block));
        struct lm_block_utf8 masks = lm_block_utf8(block), masks_c = lm_block_utf8_c(block);
        assert_int_equal(masks.high, masks_c.high);
        assert_int_equal(masks.behind, masks_c.behind);
        assert_int_equal(masks.three, masks_c.three);
        assert_int_equal(masks.surrogate, masks_c.surrogate);
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

static void check_judged_alike(struct fixture *f, const char *text, size_t len)
{
    struct lm_json_scan scan;
    struct lm_json_value value;

    lm_json_open(&scan, text, len);
    bool is_object =
        lm_json_value(&scan, &value, &f->error) == 0 && value.type == LM_JSON_OBJECT && !lm_json_more(&scan);
    assert_int_equal(lm_json_check_object(text, len, &f->error) == 0, is_object);
}

/* They are told by a short cut: here with any one byte changed (to no exponent, which has bounds of its own)
 * and with the end cut off anywhere. */
static void a_flat_object_is_judged_as_any_value_is(void **state)
{
    static const char *const flat[] = {"{\"n\":10,\"region of it\":\"ap-1\"}", "{\"a\":0}",
                                       "{\"\":\"\",\"b\":7}", "{\"digits\":123456789012345678}"};
    static const char others[] = "0123.-+\"\\{}[]:, \n\x01\x7F\x80xnt"; /* and the NUL */
    struct fixture *f = *state;
    char text[64];

    for (size_t i = 0; i < sizeof flat / sizeof flat[0]; i++) {
        size_t len = strlen(flat[i]);
        for (size_t at = 0; at < len; at++) {
            check_judged_alike(f, flat[i], at);
            memcpy(text, flat[i], len);
            for (size_t other = 0; other < sizeof others; other++) {
                text[at] = others[other];
                check_judged_alike(f, text, len);
            }
        }
        check_judged_alike(f, flat[i], len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts_follow_rfc_8259),
        cmocka_unit_test(a_raw_nul_is_named),
        cmocka_unit_test(a_byte_means_the_same_wherever_it_stands),
        cmocka_unit_test(text_beyond_ascii_is_taken_as_jansson_takes_it),
        cmocka_unit_test(blocks_are_read_alike_with_and_without_sse2),
        cmocka_unit_test(sixty_four_levels_pass_and_one_more_is_too_deep),
        FIXTURE_TEST(members_and_elements_come_in_order),
        FIXTURE_TEST(concatenated_values_are_read_one_after_another),
        FIXTURE_TEST(an_entered_object_is_checked_as_it_is_read),
        FIXTURE_TEST(strings_are_unescaped),
        FIXTURE_TEST(metadata_must_be_an_object_that_jsonb_takes),
        FIXTURE_TEST(a_flat_object_is_judged_as_any_value_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
