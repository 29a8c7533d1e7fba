/* The intent's JSON as hostile input. */
#include "agent/intent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define GOOD                                                                                                 \
    "{\"v\":1,\"measure\":{\"fn\":\"count\"},\"filters\":[{\"field\":\"level\",\"op\":\"in\",\"values\":["   \
    "\"ERROR\"]}],"                                                                                          \
    "\"group_by\":[\"service\",\"metadata.tenant_id\"],\"time\":{\"symbolic\":\"day "                        \
    "-1\",\"zone\":\"Asia/Seoul\",\"stated\":true},"                                                         \
    "\"order\":\"most\",\"rank\":true,\"limit\":5,\"language\":\"ko\"}"

static int read_text(const char *text, struct ag_intent *intent, struct lm_arena *arena)
{
    json_t *json = json_loads(text, 0, NULL);
    struct lm_error error;
    int result;

    assert_non_null(json);
    result = ag_intent_from_json(json, arena, intent, &error);
    if (result < 0)
        assert_string_equal(error.kind, "bad_request");
    json_decref(json);
    return result;
}

static void an_intent_is_read_as_it_is_written(void **state)
{
    struct ag_intent intent;
    struct lm_arena arena;

    (void)state;
    lm_arena_init(&arena, 1 << 20);
    assert_int_equal(read_text(GOOD, &intent, &arena), 0);
    assert_int_equal(intent.measure.fn, AG_COUNT);
    assert_int_equal(intent.filter_count, 1);
    assert_int_equal(intent.group_count, 2);
    assert_string_equal(intent.groups[1].key, "tenant_id");
    assert_int_equal(intent.limit, 5);
    assert_true(intent.rank);
    lm_arena_free(&arena);
}

/* Each replaces one part of the good intent by something that must be refused. */
static const struct {
    const char *from;
    const char *to;
} forgeries[] = {
    {"\"v\":1", "\"v\":2"},
    {"\"v\":1", "\"v\":1,\"sql\":\"drop\""},
    {"\"count\"", "\"exec\""},
    {"\"count\"", "\"percentile\""},
    {"\"count\"", "\"avg\",\"field\":\"user_id\""},
    {"\"count\"", "\"avg\",\"field\":\"metadata\""},
    {"\"count\"", "\"avg\",\"field\":\"duration_ms\",\"key\":\"loss\""},
    {"\"count\"", "\"count\",\"key\":\"loss\""},
    {"\"count\"", "\"rate\""},
    {"\"level\",\"op\":\"in\"", "\"pg_authid\",\"op\":\"in\""},
    {"\"op\":\"in\"", "\"op\":\"or 1=1\""},
    {"\"op\":\"in\"", "\"op\":\"contains\""},
    {"[\"ERROR\"]", "[\"ERROR' or 1=1\"]"},
    {"[\"ERROR\"]", "[]"},
    {"[\"ERROR\"]", "[7]"},
    {"[\"ERROR\"]", "\"ERROR\""},
    {"\"level\",\"op\":\"in\",\"values\":[\"ERROR\"]", "\"http_status\",\"op\":\"in\",\"values\":[\"5e9\"]"},
    {"\"level\",\"op\":\"in\",\"values\":[\"ERROR\"]", "\"duration_ms\",\"op\":\">\",\"values\":[\"nan\"]"},
    {"\"level\",\"op\":\"in\",\"values\":[\"ERROR\"]",
     "\"client_ip\",\"op\":\"in\",\"values\":[\"10.0.0.999\"]"},
    {"\"level\",\"op\":\"in\",\"values\":[\"ERROR\"]", "\"metadata\",\"op\":\"in\",\"values\":[\"x\"]"},
    {"\"level\",\"op\":\"in\",\"values\":[\"ERROR\"]",
     "\"service\",\"key\":\"k\",\"op\":\"in\",\"values\":[\"x\"]"},
    {"\"level\",\"op\":\"in\",\"values\":[\"ERROR\"]",
     "\"service\",\"op\":\"in\",\"values\":[\"a\\u001bb\"]"},
    {"\"service\",\"metadata.tenant_id\"", "\"service\",\"host\",\"level\""},
    {"\"service\",\"metadata.tenant_id\"", "\"metadata.\""},
    {"\"service\",\"metadata.tenant_id\"", "\"duration_ms\""},
    {"\"zone\":\"Asia/Seoul\",", ""},
    {"\"day -1\"", "\"\""},
    {"\"most\"", "\"random\""},
    {"\"limit\":5", "\"limit\":-1"},
    {"\"limit\":5", "\"limit\":1000000"},
    {"\"limit\":5", "\"limit\":\"5\""},
    {"\"limit\":5", "\"each\":0"},
    {"\"limit\":5", "\"each\":101"},
    {"\"limit\":5", "\"counted\":true"},
    {"\"limit\":5", "\"summed\":true"},
    {"\"service\",\"metadata.tenant_id\"],", "\"service\"],\"each\":1,"},
    {"\"rank\":true", "\"each\":2,\"rank\":false"},
    {"\"rank\":true", "\"each\":2,\"rank\":true,\"compare\":{\"symbolic\":\"day -2\"}"},
    {"\"most\"", "\"newest\",\"each\":2"},
    {"\"count\"", "\"list\"},\"each\":2,\"x\":{\"fn\":\"count\""},
    {"\"limit\":5", "\"bucket\":0"},
    {"\"limit\":5", "\"threshold\":{\"op\":\"in\",\"value\":1}"},
    {"\"limit\":5", "\"threshold\":{\"op\":\">\",\"value\":\"1\"}"},
    {"\"limit\":5", "\"threshold\":{\"op\":\">\",\"of\":\"payment\",\"value\":1}"},
    {"\"limit\":5", "\"threshold\":{\"op\":\">\",\"of\":7}"},
    {"\"limit\":5", "\"threshold\":{\"op\":\">\",\"of\":\"payment\"}"}, /* of two groups */
    {"\"service\",\"metadata.tenant_id\"],",
     "\"service\"],\"threshold\":{\"op\":\">=\",\"of\":\"payment\"},"},
    {"\"limit\":5", "\"shape\":\"silent\""},
    {"\"limit\":5", "\"compare\":{\"symbolic\":\"day -1\",\"x\":1}"},
    {"\"ko\"", "\"fr\""},
};

#define PARTS                                                                                                \
    "{\"v\":1,\"measure\":{\"fn\":\"count\"},\"parts\":[{\"name\":\"errors\",\"fn\":\"count\"},{\"name\":"   \
    "\"slow\","                                                                                              \
    "\"fn\":\"percentile\",\"field\":\"duration_ms\",\"p\":0.95}],\"filters\":[{\"field\":\"level\",\"op\":" \
    "\"in\","                                                                                                \
    "\"values\":[\"ERROR\"],\"part\":1}],\"group_by\":[],\"time\":{\"symbolic\":\"day "                      \
    "0\",\"zone\":\"UTC\"},"                                                                                 \
    "\"order\":\"default\",\"rank\":false,\"limit\":0,\"language\":\"en\"}"

static void parts_are_read_as_they_are_written(void **state)
{
    static const struct {
        const char *from;
        const char *to;
    } forged[] = {
        {"\"part\":1", "\"part\":3"},
        {"\"part\":1", "\"part\":0"},
        {"\"slow\"", "\"errors\""},
        {"\"slow\"", "\"\""},
        {"\"order\"", "\"compare\":{\"symbolic\":\"day -1\",\"claim\":\"maybe\"},\"order\""},
        {"\"p\":0.95", "\"p\":95"},
        {",\"p\":0.95", ""},
        {"\"percentile\"", "\"list\""},
        {"\"duration_ms\"", "\"user_id\""},
        {"{\"fn\":\"count\"}", "{\"fn\":\"error_rate\"}"},
        {"\"limit\":0", "\"limit\":3"},
        {"\"rank\":false", "\"rank\":true"},
        {"\"rank\":false", "\"shape\":\"series\""},
        {"\"slow\"", "\"1234567890123456789012345678901234567890123456789012345678901234x\""},
    };
    struct lm_arena arena;
    struct ag_intent intent;

    (void)state;
    lm_arena_init(&arena, 1 << 20);
    assert_int_equal(read_text(PARTS, &intent, &arena), 0);
    assert_int_equal(intent.part_count, 2);
    assert_string_equal(intent.parts[1].name, "slow");
    assert_int_equal(intent.filters[0].part, 1);
    for (size_t i = 0; i < sizeof forged / sizeof *forged; i++) {
        char text[2048];
        const char *at = strstr(PARTS, forged[i].from);
        assert_non_null(at);
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - PARTS), PARTS, forged[i].to,
                 at + strlen(forged[i].from));
        if (read_text(text, &intent, &arena) == 0)
            fail_msg("accepted: %s", text);
    }
    lm_arena_free(&arena);
}

static void forged_intents_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof forgeries / sizeof *forgeries; i++) {
        char text[2048];
        const char *at = strstr(GOOD, forgeries[i].from);
        struct ag_intent intent;
        struct lm_arena arena;
        assert_non_null(at);
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - GOOD), GOOD, forgeries[i].to,
                 at + strlen(forgeries[i].from));
        lm_arena_init(&arena, 1 << 20);
        if (read_text(text, &intent, &arena) == 0)
            fail_msg("accepted: %s", text);
        lm_arena_free(&arena);
    }
}

static void what_is_no_object_is_refused(void **state)
{
    static const char *const texts[] = {"[]", "[1]", "{}", "{\"v\":1}", "{\"measure\":{}}"};
    struct lm_arena arena;
    struct ag_intent intent;

    (void)state;
    lm_arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(read_text(texts[i], &intent, &arena), -1);
    lm_arena_free(&arena);
}

static void the_same_intent_is_the_same_text(void **state)
{
    struct ag_intent intent;
    struct lm_arena arena;
    json_t *first;
    char *a;
    char *b;

    (void)state;
    lm_arena_init(&arena, 1 << 20);
    assert_int_equal(read_text(GOOD, &intent, &arena), 0);
    first = ag_intent_to_json(&intent);
    a = json_dumps(first, JSON_COMPACT);
    assert_string_equal(a, GOOD);
    b = json_dumps(first, JSON_COMPACT);
    assert_string_equal(a, b);
    free(a);
    free(b);
    json_decref(first);
    lm_arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_intent_is_read_as_it_is_written), cmocka_unit_test(forged_intents_are_refused),
        cmocka_unit_test(parts_are_read_as_they_are_written), cmocka_unit_test(what_is_no_object_is_refused),
        cmocka_unit_test(the_same_intent_is_the_same_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
