/* The parts of the model's engine that need no server: wire, gate, shortlist, replies, and what may
 * be shown of an insight. */
#include "agent/model/gate.h"
#include "agent/model/insight.h"
#include "agent/model/prompt.h"
#include "agent/model/reply.h"
#include "agent/model/wire.h"
#include "common/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- the wire ---- */

struct wire_case {
    enum ag_wire_protocol protocol;
    const char *events; /* one a line */
    const char *said;   /* NULL: an error of this kind */
    const char *kind;
    int64_t input, output;
};

#define CHOICE(delta, finish)                                                                                \
    "{\"choices\":[{\"index\":0,\"delta\":" delta ",\"finish_reason\":" finish "}]}\n"

static const struct wire_case wire_cases[] = {
    {AG_WIRE_OPENAI, CHOICE("{\"content\":\"a\"}", "null") CHOICE("{\"content\":\"b\"}", "\"stop\""), "ab",
     "", -1, -1},
    {AG_WIRE_OPENAI, CHOICE("{\"content\":\"a\"}", "null") "[DONE]\n", "a", "", -1, -1},
    {AG_WIRE_OPENAI, CHOICE("{\"content\":\"a\"}", "null"), NULL, "cut", -1, -1},
    {AG_WIRE_OPENAI, CHOICE("{\"content\":\"a\"}", "\"length\""), NULL, "length", -1, -1},
    {AG_WIRE_OPENAI, CHOICE("{\"content\":\"a\"}", "\"content_filter\""), NULL, "refusal", -1, -1},
    {AG_WIRE_OPENAI, CHOICE("{\"refusal\":\"no\"}", "null") CHOICE("{}", "\"stop\""), NULL, "refusal", -1,
     -1},
    {AG_WIRE_OPENAI, CHOICE("{\"content\":null}", "\"stop\""), NULL, "empty", -1, -1},
    {AG_WIRE_OPENAI,
     CHOICE(
         "{\"reasoning_content\":\"hm\",\"content\":\"a\"}",
         "\"stop\"") "{\"choices\":null,\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}\n[DONE]\n",
     "a", "", 7, 3},
    {AG_WIRE_OPENAI,
     CHOICE("{\"tool_calls\":[{\"index\":0,\"function\":{\"name\":\"answer\",\"arguments\":\"{\"}}]}", "null")
         CHOICE("{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"}\"}}]}", "null")
             CHOICE("{\"tool_calls\":[{\"index\":1,\"function\":{\"arguments\":\"x\"}}]}", "\"tool_calls\""),
     "{}", "", -1, -1},
    {AG_WIRE_OPENAI, "{\"error\":{\"message\":\"m\",\"code\":502}}\n", NULL, "overloaded", -1, -1},
    {AG_WIRE_OPENAI, "nonsense\n", NULL, "garbage", -1, -1},
    {AG_WIRE_OPENAI, "[1]\n", NULL, "garbage", -1, -1},
    {AG_WIRE_ANTHROPIC,
     "{\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":5,\"cache_read_input_tokens\":20,"
     "\"output_tokens\":1}}}\n"
     "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n"
     "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"I "
     "will\"}}\n"
     "{\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"tool_use\",\"input\":{}}}"
     "\n{\"type\":\"ping\"}\n"
     "{\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"input_json_delta\",\"partial_"
     "json\":\"{\\\"a\\\":\"}}\n"
     "{\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"input_json_delta\",\"partial_"
     "json\":\"1}\"}}\n"
     "{\"type\":\"content_block_start\",\"index\":2,\"content_block\":{\"type\":\"tool_use\",\"input\":{}}}\n"
     "{\"type\":\"content_block_delta\",\"index\":2,\"delta\":{\"type\":\"input_json_delta\",\"partial_"
     "json\":\"{}\"}}\n"
     "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"},\"usage\":{\"output_tokens\":9}}"
     "\n",
     "{\"a\":1}", "", 25, 9},
    {AG_WIRE_ANTHROPIC, "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"refusal\"}}\n", NULL,
     "refusal", -1, -1},
    {AG_WIRE_ANTHROPIC,
     "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"model_context_window_exceeded\"}}\n", NULL,
     "length", -1, -1},
    {AG_WIRE_ANTHROPIC, "{\"type\":\"message_stop\"}\n", NULL, "empty", -1, -1},
    {AG_WIRE_ANTHROPIC, "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n", NULL,
     "overloaded", -1, -1},
};

static void reply_is_whole_or_names_what_it_lacks(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(wire_cases) / sizeof(wire_cases[0]); i++) {
        const struct wire_case *c = &wire_cases[i];
        struct ag_wire_reply reply;
        struct lm_error error = {.decision = LM_OK};
        int result = 0;
        ag_wire_reply_init(&reply, c->protocol);
        for (const char *at = c->events; *at != '\0' && result == 0; at += strcspn(at, "\n") + 1) {
            result = ag_wire_event(&reply, at, strcspn(at, "\n"), &error);
        }
        result = result == 0 ? ag_wire_end(&reply, &error) : result;
        assert_string_equal(c->kind, error.kind);
        assert_int_equal(c->said != NULL ? 0 : -1, result);
        if (c->said != NULL) {
            const struct lm_buffer *said = ag_wire_said(&reply);
            assert_int_equal(strlen(c->said), said->len);
            assert_memory_equal(c->said, said->data, said->len);
            assert_int_equal(c->input, reply.input_tokens);
            assert_int_equal(c->output, reply.output_tokens);
        }
        ag_wire_reply_free(&reply);
    }
}

static void refusal_of_a_server_says_what_to_do_and_quotes_nothing(void **state)
{
    static const struct {
        int status;
        enum lm_decision decision;
        const char *kind;
    } cases[] = {
        {429, LM_RETRY, "rate_limited"}, {529, LM_RETRY, "overloaded"}, {503, LM_RETRY, "overloaded"},
        {500, LM_RETRY, "server"},       {401, LM_FATAL, "key"},        {403, LM_FATAL, "key"},
        {400, LM_FATAL, "request"},      {404, LM_FATAL, "request"},    {302, LM_FATAL, "request"}};
    static const char body[] = "{\"error\":{\"type\":\"some_error\",\"message\":\"key sk-secret is bad\"}}";
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lm_error error;
        ag_wire_refusal(cases[i].status, body, sizeof(body) - 1, &error);
        assert_int_equal(cases[i].decision, error.decision);
        assert_string_equal(cases[i].kind, error.kind);
        assert_non_null(strstr(error.text, "some_error"));
        assert_null(strstr(error.text, "secret"));
    }
}

/* ---- the gate ---- */

static struct ag_gate_time at(int64_t seconds)
{
    return (struct ag_gate_time){.mono_us = seconds * LM_SECOND_US,
                                 .wall_us = INT64_C(1773792000) * LM_SECOND_US + seconds * LM_SECOND_US};
}

static const char *enters(struct ag_gate *gate, int64_t seconds)
{
    static struct lm_error error;
    lm_error_clear(&error);
    return ag_gate_enter(gate, at(seconds), 0, &error) == 0 ? "" : error.kind;
}

static void breaker_opens_after_five_failures_and_one_try_decides(void **state)
{
    const struct ag_gate_options options = {.daily_tokens = 0};
    struct ag_gate *gate = ag_gate_new(&options);
    (void)state;
    assert_non_null(gate);
    for (int i = 0; i < 5; i++) {
        assert_string_equal("", enters(gate, 0));
        ag_gate_leave(gate, at(0), 0, 0, 0, AG_GATE_FAILED, 0);
    }
    assert_string_equal("breaker", enters(gate, 4));
    assert_string_equal("", enters(gate, 5));        /* one tries */
    assert_string_equal("breaker", enters(gate, 5)); /* no other */
    ag_gate_leave(gate, at(6), 0, 0, 0, AG_GATE_FAILED, 0);
    assert_string_equal("breaker", enters(gate, 15)); /* twice as long */
    assert_string_equal("", enters(gate, 16));
    ag_gate_leave(gate, at(16), 0, 0, 0, AG_GATE_UNKNOWN, 0); /* nobody waited: the next one tries */
    assert_string_equal("", enters(gate, 16));
    ag_gate_leave(gate, at(17), 0, 0, 0, AG_GATE_GOOD, 0);
    assert_string_equal("", enters(gate, 17));
    ag_gate_leave(gate, at(17), 0, 0, 0, AG_GATE_CLOSED, 90 * LM_SECOND_US); /* the server says how long */
    assert_string_equal("breaker", enters(gate, 106));
    assert_string_equal("", enters(gate, 107));
    ag_gate_free(gate);
}

static void budget_holds_what_is_under_way_and_begins_anew_at_midnight(void **state)
{
    const struct ag_gate_options options = {.daily_tokens = 1000};
    struct ag_gate *gate = ag_gate_new(&options);
    struct lm_error error;
    (void)state;
    assert_int_equal(0, ag_gate_enter(gate, at(0), 600, &error));
    assert_int_equal(-1, ag_gate_enter(gate, at(0), 600, &error));
    assert_string_equal("budget", error.kind);
    ag_gate_leave(gate, at(1), 600, 100, 50, AG_GATE_GOOD, 0);
    assert_int_equal(0, ag_gate_enter(gate, at(1), 600, &error));
    ag_gate_leave(gate, at(2), 600, 500, 100, AG_GATE_GOOD, 0);
    assert_int_equal(-1, ag_gate_enter(gate, at(2), 600, &error));
    assert_int_equal(0, ag_gate_enter(gate, at(86400), 600, &error));
    ag_gate_leave(gate, at(86400), 600, 0, 0, AG_GATE_UNKNOWN, 0);
    ag_gate_free(gate);
}

/* ---- replies ---- */

#define INTENT                                                                                               \
    "{\"v\":1,\"measure\":{\"fn\":\"count\"},\"filters\":[{\"field\":\"service\",\"op\":\"in\",\"values\":[" \
    "\"pay\"]}],"                                                                                            \
    "\"group_by\":[],\"time\":{\"symbolic\":\"day "                                                          \
    "0\",\"zone\":\"UTC\"},\"order\":\"default\",\"rank\":false,\"limit\":0}"

static struct ag_catalogue *catalogue_of(const char *const *services, size_t count)
{
    struct ag_catalogue *catalogue = ag_catalogue_new();
    assert_non_null(catalogue);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(0, ag_catalogue_add(catalogue, AG_KIND_SERVICE, services[i], 1));
    }
    assert_int_equal(0, ag_catalogue_add(catalogue, AG_KIND_METADATA_KEY, "order_id", 5));
    assert_int_equal(0, ag_catalogue_add(catalogue, AG_KIND_METADATA_KEY, "secret", 5));
    assert_int_equal(0, ag_catalogue_seal(catalogue));
    return catalogue;
}

static void reply_means_an_intent_sql_or_nothing_and_else_is_refused(void **state)
{
    static const struct {
        const char *reply;
        int says; /* -1: refused */
    } cases[] = {
        {"{\"kind\":\"intent\",\"intent\":" INTENT "}", AG_MODEL_INTENT},
        {INTENT, AG_MODEL_INTENT},
        {"<think>{ maybe {\"kind\":\"sql\"}</think>\nSure! ```json\n{\"kind\":\"intent\",\"intent\":" INTENT
         "}\n```",
         AG_MODEL_INTENT},
        {"{x} {\"kind\":\"none\"}", AG_MODEL_NOTHING},
        {"{\"kind\":\"sql\",\"sql\":\"SELECT 1; \"}", AG_MODEL_SQL},
        {"{\"kind\":\"sql\",\"sql\":7}", -1},
        {"{\"kind\":\"sql\"}", -1},
        {"{\"kind\":\"drop\"}", -1},
        {"{\"kind\":null}", -1},
        {"{\"kind\":\"intent\"}", -1},
        {"{\"kind\":\"intent\",\"intent\":{\"v\":2}}", -1},
        {"{\"kind\":\"intent\",\"kind\":\"none\"}", -1},
        {"", -1},
        {"{{{{{{{{{{{{{{{{{{{{{\"kind\":\"none\"}", -1},
    };
    static const char *const names[] = {"pay"};
    struct ag_catalogue *catalogue = catalogue_of(names, 1);
    struct ag_catalogue *other = catalogue_of(names, 0);
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ag_model_asker asker = {.catalogue = catalogue,
                                       .language = AG_KO,
                                       .zone = "UTC",
                                       .now_us = INT64_C(1773812120000000),
                                       .sql = true};
        struct ag_model_meaning meaning;
        struct lm_error error = {.decision = LM_OK};
        struct lm_arena arena;
        lm_arena_init(&arena, 1u << 20);
        const int result =
            ag_model_read(cases[i].reply, strlen(cases[i].reply), &asker, &arena, &meaning, &error);
        if ((result == 0 ? (int)meaning.says : -1) != cases[i].says) {
            fail_msg("%s: %d, %s", cases[i].reply, result, error.text);
        }
        if (result == 0 && meaning.says == AG_MODEL_INTENT) {
            assert_int_equal(AG_KO, meaning.intent.language);
            asker.catalogue = other;
            assert_int_equal(
                -1, ag_model_read(cases[i].reply, strlen(cases[i].reply), &asker, &arena, &meaning, &error));
            assert_string_equal("unknown_entity", error.kind);
            assert_string_equal("pay", meaning.unknown);
        }
        if (result == 0 && meaning.says == AG_MODEL_SQL) {
            assert_string_equal("SELECT 1", meaning.sql);
            asker.sql = false;
            assert_int_equal(
                -1, ag_model_read(cases[i].reply, strlen(cases[i].reply), &asker, &arena, &meaning, &error));
        }
        lm_arena_free(&arena);
    }
    ag_catalogue_free(catalogue);
    ag_catalogue_free(other);
}

/* ---- the prompt ---- */

static void prompt_has_the_names_a_question_is_about(void **state)
{
    static const char *const few[] = {"payment-service", "order-service"};
    char *keys[] = {(char *)(uintptr_t) "order_id"};
    const struct lm_config_list listed = {.items = keys, .count = 1};
    char names[100][24];
    const char *many[102];
    struct lm_error error;
    struct lm_arena arena;
    (void)state;
    for (size_t i = 0; i < 100; i++) {
        snprintf(names[i], sizeof(names[i]), "aaa-%zu", i);
        many[i] = names[i];
    }
    memcpy(many + 100, few, sizeof(few));
    struct ag_catalogue *catalogue = catalogue_of(many, 102);
    struct ag_vocabulary *vocabulary = ag_vocabulary_new(NULL, &error);
    const char *question = "결제가 \"수상해\"?";
    const struct ag_prompt prompt = {.question = question,
                                     .question_len = strlen(question),
                                     .zone = "Asia/Seoul",
                                     .now_us = INT64_C(1773812120123456),
                                     .vocabulary = vocabulary,
                                     .catalogue = catalogue,
                                     .metadata_keys = &listed,
                                     .refused_reply = "\xff{",
                                     .refused_why = "why"};
    lm_arena_init(&arena, 4u << 20);
    char *text = ag_prompt_write(&prompt, &arena);
    json_t *json = json_loads(text, 0, NULL);
    const json_t *services = json_object_get(json_object_get(json, "names"), "service");
    assert_string_equal(question, json_string_value(json_object_get(json, "question")));
    assert_string_equal("2026-03-18T14:35:00+09:00", json_string_value(json_object_get(json, "now")));
    assert_string_equal("Wednesday", json_string_value(json_object_get(json, "weekday")));
    assert_string_equal("payment-service", json_string_value(json_array_get(services, 0)));
    assert_int_equal(AG_PROMPT_NAMES - 1, json_array_size(services));
    assert_int_equal(1, json_array_size(json_object_get(json_object_get(json, "names"), "metadata_key")));
    assert_string_equal("\xef\xbf\xbd{",
                        json_string_value(json_object_get(json_object_get(json, "refused"), "reply")));
    json_decref(json);
    free(text);
    lm_arena_free(&arena);
    ag_vocabulary_free(vocabulary);
    ag_catalogue_free(catalogue);
}

/* ---- the insight ---- */

static void insight_fits_when_all_of_it_stands_in_the_result(void **state)
{
    static const struct {
        const char *text;
        bool fits;
    } cases[] = {
        {"payment-service leads with 1,234 errors.", true},
        {"payment-service leads with 1234.", true},
        {"결제가 1,234건으로 가장 많습니다.", true},
        {"A drop of 5.5.", true},
        {"It was at 14:05.", true},
        {"The host is db.example.com.", true},
        {"The path /api/pay fails.", true},
        {"About 1,235.", false},
        {"About 12.", false},
        {"1234.5 of them.", false},
        {"12,34 is not a number of it.", false},
        {"５ of them.", false},
        {"Half (50%).", false},
        {"See evil.example.", false},
        {"See https://db.example.com.", false},
        {"See www.evil.", false},
        {"[a](b)", false},
        {"<img>", false},
        {"a@b", false},
        {"two\nlines", false},
        {"hidden\xe2\x80\xae"
         "text",
         false},
        {"broken \xff", false},
        {"", false},
    };
    json_t *results =
        json_pack("[{s:s, s:i, s:f, s:s, s:s, s:s}]", "service", "payment-service", "count", 1234, "change",
                  -5.5, "at", "2026-03-18T14:05:00+09:00", "host", "db.example.com", "endpoint", "/api/pay");
    (void)state;
    assert_non_null(results);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (ag_insight_fits(cases[i].text, strlen(cases[i].text), results) != cases[i].fits) {
            fail_msg("%s", cases[i].text);
        }
    }
    json_decref(results);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reply_is_whole_or_names_what_it_lacks),
        cmocka_unit_test(refusal_of_a_server_says_what_to_do_and_quotes_nothing),
        cmocka_unit_test(breaker_opens_after_five_failures_and_one_try_decides),
        cmocka_unit_test(budget_holds_what_is_under_way_and_begins_anew_at_midnight),
        cmocka_unit_test(reply_means_an_intent_sql_or_nothing_and_else_is_refused),
        cmocka_unit_test(prompt_has_the_names_a_question_is_about),
        cmocka_unit_test(insight_fits_when_all_of_it_stands_in_the_result),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
