/* What the shipper reads out of a record's text. */
#include "producer/ship/log4j.h"
#include "producer/ship/parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static const struct lm_config_list no_tags;
static const struct sh_labels labels = {LM_RAW,   "svc",    "production", "BACKEND",
                                        "host-1", &no_tags, NULL,         true};

struct parsed {
    struct lm_arena arena;
    struct lm_record record;
};

static void parse(struct parsed *parsed, enum sh_format format, const char *text, size_t len)
{
    struct sh_entry entry = {{text, len}, format, 0, (int64_t)len};
    struct lm_error error;

    lm_arena_init(&parsed->arena, 1 << 20);
    if (sh_parse(&entry, &labels, &parsed->arena, &parsed->record, &error) != 0) {
        fail_msg("%s", error.text);
    }
}

static void assert_text(const struct parsed *parsed, enum lm_text field, const char *expected)
{
    const struct lm_slice *text = &parsed->record.text[field];

    if (!expected) {
        assert_null(text->data);
        return;
    }
    assert_int_equal(text->len, strlen(expected));
    assert_memory_equal(text->data, expected, text->len);
}

struct header {
    const char *line;
    int64_t us;
    int level; /* -1: none */
    const char *logger, *thread, *message;
};

static void headers_of_the_common_layouts_are_read(void **state)
{
    static const struct header headers[] = {
        {"[2016-12-19 16:04:03,213] INFO Rolled new log segment for 'test-5' in 1 ms. (kafka.log.Log)",
         1482163443213000, LM_INFO, "kafka.log.Log", NULL, "Rolled new log segment for 'test-5' in 1 ms."},
        {"[2026-11-21 09:04:43,479] [main] [INFO] kafka.server.KafkaRaftServer - [KafkaRaftServer nodeId=1] "
         "Kafka Server started",
         1795251883479000, LM_INFO, "kafka.server.KafkaRaftServer", "main",
         "[KafkaRaftServer nodeId=1] Kafka Server started"},
        {"2026-11-21 09:04:43.479 [http-nio-1] ERROR c.e.Cart - no amount", 1795251883479000, LM_ERROR,
         "c.e.Cart", "http-nio-1", "no amount"},
        {"2026-11-21T18:04:43.479+09:00  WARN 1 --- [nio-8080] c.e.shop.Cart : slow", 1795251883479000,
         LM_WARN, "c.e.shop.Cart", "nio-8080", "slow"},
        {"2026-11-21T09:04:43Z just words", 1795251883000000, -1, NULL, NULL, "just words"},
        {"[2016-12-19 16:04:03,213] TRACE [Controller 0]: checking need (k.c.KafkaController)",
         1482163443213000, LM_DEBUG, "k.c.KafkaController", NULL, "[Controller 0]: checking need"},
        {"2026-11-21 09:04:43 ERROR failed (a, b)", 1795251883000000, LM_ERROR, NULL, NULL, "failed (a, b)"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        const struct header *header = &headers[i];
        struct sh_log4j line;

        assert_int_equal(sh_log4j_parse(header->line, strlen(header->line), true, &line), 0);
        assert_int_equal(line.timestamp_us, header->us);
        assert_int_equal(line.has_level ? (int)line.level : -1, header->level);
        assert_int_equal(line.message.len, strlen(header->message));
        assert_memory_equal(line.message.data, header->message, line.message.len);
        assert_int_equal(line.logger.len, header->logger ? strlen(header->logger) : 0);
        assert_memory_equal(line.logger.data ? line.logger.data : "", header->logger ? header->logger : "",
                            line.logger.len);
        if (header->thread) {
            assert_int_equal(line.thread.len, strlen(header->thread));
            assert_memory_equal(line.thread.data, header->thread, line.thread.len);
        }
    }
}

static void what_is_no_time_begins_no_record(void **state)
{
    static const char *const lines[] = {"",
                                        "[",
                                        "2016",
                                        "2016-12-19",
                                        "[2016-12-19 16:04:03,213",
                                        "2016-13-45 99:99:99 x",
                                        "\tat a.b.C(D.java:1)",
                                        "java.io.IOException: x",
                                        "16:04:03 x"};
    int64_t us;

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        assert_int_equal(sh_log4j_time(lines[i], strlen(lines[i]), true, &us), 0);
    }
}

static void times_without_an_offset_are_of_the_machines_zone_unless_utc(void **state)
{
    const char *line = "2026-11-21 18:04:43 x";
    int64_t us;

    (void)state;
    setenv("TZ", "Asia/Seoul", 1);
    tzset();
    assert_true(sh_log4j_time(line, strlen(line), false, &us) > 0);
    assert_int_equal(us, 1795251883000000);
    assert_true(sh_log4j_time(line, strlen(line), true, &us) > 0);
    assert_int_equal(us, 1795251883000000 + INT64_C(9) * 3600 * 1000000);
    unsetenv("TZ");
    tzset();
}

static void a_stack_trace_gives_the_error_type(void **state)
{
    const char *text =
        "[2016-12-19 16:04:03,213] ERROR oops (a.B)\njava.io.IOException: x\n\tat a.B(C.java:1)\n";
    struct parsed parsed;

    (void)state;
    parse(&parsed, SH_LOG4J, text, strlen(text));
    assert_text(&parsed, LM_MESSAGE, "oops");
    assert_text(&parsed, LM_COMPONENT, "a.B");
    assert_text(&parsed, LM_ERROR_TYPE, "java.io.IOException");
    assert_text(&parsed, LM_STACK_TRACE, "java.io.IOException: x\n\tat a.B(C.java:1)");
    assert_text(&parsed, LM_SERVICE, "svc");
    assert_int_equal(parsed.record.level, LM_ERROR);
    lm_arena_free(&parsed.arena);
}

static void a_json_line_keeps_what_it_says_and_takes_the_labels_for_the_rest(void **state)
{
    const char *text =
        "{\"level\":\"warn\",\"msg\":\"slow\",\"service\":\"cart\",\"user_id\":\"u1\",\"n\":3,\"source\":7}";
    struct parsed parsed;

    (void)state;
    parse(&parsed, SH_JSON, text, strlen(text));
    assert_text(&parsed, LM_MESSAGE, "slow");
    assert_text(&parsed, LM_SERVICE, "cart");
    assert_text(&parsed, LM_HOST, "host-1");
    assert_text(&parsed, LM_METADATA, "{\"n\":3}");
    assert_int_equal(parsed.record.level, LM_WARN);
    assert_false(parsed.record.has_source);
    lm_arena_free(&parsed.arena);
}

static void a_json_line_that_is_no_record_is_its_own_message(void **state)
{
    static const char *const lines[] = {"{\"kind\":\"x\"}",
                                        "{\"broken\":", "{\"message\":\"m\",\"category\":\"tagged\"}",
                                        "{\"message\":\"a\\u0000b\"}"};
    struct parsed parsed;

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        parse(&parsed, SH_JSON, lines[i], strlen(lines[i]));
        assert_int_equal(parsed.record.category, LM_RAW);
        if (i != 2) {
            assert_text(&parsed, LM_MESSAGE, lines[i]);
        }
        lm_arena_free(&parsed.arena);
    }
}

static void what_is_not_utf8_is_repaired_and_still_arrives(void **state)
{
    struct parsed parsed;

    (void)state;
    parse(&parsed, SH_PLAIN, "caf\xe9 a\0b", 8);
    assert_text(&parsed, LM_MESSAGE,
                "caf\xEF\xBF\xBD a\xEF\xBF\xBD"
                "b");
    lm_arena_free(&parsed.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_of_the_common_layouts_are_read),
        cmocka_unit_test(what_is_no_time_begins_no_record),
        cmocka_unit_test(times_without_an_offset_are_of_the_machines_zone_unless_utc),
        cmocka_unit_test(a_stack_trace_gives_the_error_type),
        cmocka_unit_test(a_json_line_keeps_what_it_says_and_takes_the_labels_for_the_rest),
        cmocka_unit_test(a_json_line_that_is_no_record_is_its_own_message),
        cmocka_unit_test(what_is_not_utf8_is_repaired_and_still_arrives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
