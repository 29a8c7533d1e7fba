#include "config_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void with_nothing_given_every_option_has_its_default(void **state)
{
    (void)state;
    struct run run = {0};
    config_run(&run, NULL);
    assert_loaded(&run);
    assert_string_equal(run.settings.brokers, "localhost:9092");
    assert_string_equal(run.settings.token, "");
    assert_int_equal(run.settings.kafka.count, 0);
    assert_int_equal(run.settings.log_level, 1);
    assert_true(run.settings.window_raw == INT64_C(7) * 86400000);
    assert_int_equal(run.settings.batch_bytes, 16 << 20);
    assert_int_equal(run.settings.batch_rows, 0);
    assert_false(run.settings.follow);
    assert_int_equal(run.settings.files.count, 2);
    assert_string_equal(run.settings.files.items[1], "y");
    assert_int_equal(run.argument_count, 0);
    config_run_free(&run);
}

static void file_environment_and_flag_take_precedence_in_this_order(void **state)
{
    (void)state;
    struct run run = {.yaml = "batch: {rows: 1, bytes: 2KiB}\nwindow:\n  raw: 3d\nbrokers: file\n"};
    config_set_variable("LOGMILL_BATCH_ROWS", "2");
    config_set_variable("LOGMILL_BROKERS", "environment");
    config_run(&run, "--batch-rows", "3", NULL);
    assert_loaded(&run);
    assert_int_equal(run.settings.batch_bytes, 2048);
    assert_true(run.settings.window_raw == INT64_C(3) * 86400000);
    assert_string_equal(run.settings.brokers, "environment");
    assert_int_equal(run.settings.batch_rows, 3);
    config_run_free(&run);
}

static void flags_may_be_spelt_in_every_documented_way(void **state)
{
    (void)state;
    struct run run = {0};
    config_run(&run, "--window-raw=1h", "a", "-fn5", "--files", "p,q", "--files=r", "--", "--b", NULL);
    assert_loaded(&run);
    assert_int_equal(run.settings.window_raw, 3600000);
    assert_int_equal(run.settings.batch_rows, 5);
    assert_true(run.settings.follow);
    assert_int_equal(run.settings.files.count, 3);
    assert_string_equal(run.settings.files.items[0], "p");
    assert_string_equal(run.settings.files.items[2], "r");
    assert_int_equal(run.argument_count, 2);
    assert_string_equal(run.arguments[0], "a");
    assert_string_equal(run.arguments[1], "--b");
    config_run_free(&run);

    config_run(&run, "--follow", "--no-follow", "-n", "-7", "-", NULL);
    assert_loaded(&run);
    assert_false(run.settings.follow);
    assert_int_equal(run.settings.batch_rows, -7);
    assert_string_equal(run.arguments[0], "-");
    config_run_free(&run);
    config_run(&run, "--no-follow", "--follow=yes", NULL);
    assert_true(run.settings.follow);
    config_run_free(&run);
}

static void properties_come_from_all_sources_and_replace_each_other_one_by_one(void **state)
{
    (void)state;
    struct run run = {.yaml = "kafka:\n  linger.ms: 1\n  socket: {timeout.ms: 2}\nkafka.acks: all\n"};
    config_set_variable("LOGMILL_KAFKA_LINGER_MS", "3");
    config_set_variable("LOGMILL_KAFKA_CLIENT_ID", "env");
    config_run(&run, "--kafka-client-id=flag", "--kafka", "fetch.min.bytes=5", "--kafka-check.crcs", "true",
               NULL);
    assert_loaded(&run);
    assert_int_equal(run.settings.kafka.count, 6);
    assert_string_equal(config_property(&run, "linger.ms"), "3");
    assert_string_equal(config_property(&run, "socket.timeout.ms"), "2");
    assert_string_equal(config_property(&run, "acks"), "all");
    assert_string_equal(config_property(&run, "client.id"), "flag");
    assert_string_equal(config_property(&run, "fetch.min.bytes"), "5");
    assert_string_equal(config_property(&run, "check.crcs"), "true");
    config_run_free(&run);
}

static void a_list_of_a_higher_source_replaces_the_lower_one(void **state)
{
    (void)state;
    struct run run = {.yaml = "files: [a, 'b,c', d]\n"};
    config_run(&run, NULL);
    assert_loaded(&run);
    assert_int_equal(run.settings.files.count, 3);
    assert_string_equal(run.settings.files.items[1], "b,c");
    config_run_free(&run);

    config_set_variable("LOGMILL_FILES", " e , ,f ");
    config_run(&run, NULL);
    assert_int_equal(run.settings.files.count, 2);
    assert_string_equal(run.settings.files.items[0], "e");
    assert_string_equal(run.settings.files.items[1], "f");
    config_run_free(&run);

    config_set_variable("LOGMILL_FILES", "");
    config_run(&run, NULL);
    assert_int_equal(run.settings.files.count, 0);
    config_run_free(&run);
}

static void durations_sizes_and_truth_are_read_in_all_their_units(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } durations[] = {{"1500", 1500},  {"1500ms", 1500},  {"10s", 10000},    {"5m", 300000},
                     {"2h", 7200000}, {"7d", 604800000}, {"1h30m", 5400000}};
    static const struct {
        const char *text;
        int64_t bytes;
    } sizes[] = {{"65536", 65536},    {"64KiB", 65536},  {"64k", 65536}, {"16M", 16 << 20},
                 {"16mib", 16 << 20}, {"1GiB", 1 << 30}, {"2000B", 2000}};
    struct run run = {0};
    for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
        config_run(&run, "--window-raw", durations[i].text, NULL);
        assert_loaded(&run);
        assert_true(run.settings.window_raw == durations[i].ms);
        config_run_free(&run);
    }
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        config_run(&run, "--batch-bytes", sizes[i].text, NULL);
        assert_loaded(&run);
        assert_true(run.settings.batch_bytes == sizes[i].bytes);
        config_run_free(&run);
    }
    static const char *const words[] = {"false", "TRUE", "no", "yes", "Off", "on", "0", "1"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        config_set_variable("LOGMILL_FOLLOW", words[i]);
        config_run(&run, NULL);
        assert_loaded(&run);
        assert_int_equal(run.settings.follow, i % 2 == 1);
        config_run_free(&run);
    }
}

static void values_of_the_wrong_type_or_out_of_bounds_are_refused(void **state)
{
    (void)state;
    static const char *const durations[] = {"",
                                            "x",
                                            "5w",
                                            "1.5h",
                                            "-1s",
                                            "10 s",
                                            "s",
                                            "1h30",
                                            "5mm",
                                            "1msx",
                                            "99999999999999999999s",
                                            "9223372036854775807d",
                                            "999ms",
                                            "31d"};
    for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++)
        assert_flag_refused("--window-raw", durations[i], "--window-raw: window.raw: ");
    static const char *const sizes[] = {
        "", "x", "5KB", "1.5M", "-1", "5 k", "99999999999999999999", "9223372036854775807k", "1023", "2GiB"};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        assert_flag_refused("--batch-bytes", sizes[i], "--batch-bytes: batch.bytes: ");
    static const char *const numbers[] = {"", "x", "1x", "0x10", " 1", "1 ", "9223372036854775808", "1.0"};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        assert_flag_refused("--batch-rows", numbers[i], "is not a whole number; write digits only");
    assert_flag_refused("--follow=maybe", NULL, "\"maybe\" is not a yes or no; write true or false");
    assert_flag_refused("--log-level", "trace", "write debug|info|warn|error|fatal");
    assert_flag_refused("--log-level", "inf", "write debug|info|warn|error|fatal");
    assert_flag_refused("--log-level", "", "write debug|info|warn|error|fatal");
    assert_flag_refused("--window-raw", "31d", "31d is out of bounds; write 1s to 30d");
    assert_flag_refused("--batch-bytes", "1023", "1023 is out of bounds; write 1KiB to 1GiB");
}

static void all_errors_of_all_sources_come_at_once_each_with_its_place(void **state)
{
    (void)state;
    struct run run = {.yaml = "brokrs: x\nwindow:\n  raw: soon\n  rwa: 1d\nlog_level: loud\n"};
    char part[128];
    config_set_variable("LOGMILL_BATCH_ROWS", "many");
    config_run(&run, "--batch-byte=1k", "--follow=perhaps", NULL);
    assert_int_equal(run.outcome, LM_CONFIG_EXIT_USAGE);
    assert_part(run.errors, "logmill-test: 7 errors in the configuration:\n");
    (void)snprintf(part, sizeof(part), "%s:1: unknown key brokrs; did you mean brokers?\n", run.file);
    assert_part(run.errors, part);
    (void)snprintf(part, sizeof(part), "%s:3: window.raw: \"soon\" is not a duration", run.file);
    assert_part(run.errors, part);
    (void)snprintf(part, sizeof(part), "%s:4: unknown key window.rwa; did you mean window.raw?\n", run.file);
    assert_part(run.errors, part);
    (void)snprintf(part, sizeof(part), "%s:5: log_level: \"loud\"", run.file);
    assert_part(run.errors, part);
    assert_part(run.errors, "  LOGMILL_BATCH_ROWS: batch.rows: \"many\"");
    assert_part(run.errors, "  --batch-byte: unknown flag; did you mean --batch-bytes?\n");
    assert_part(run.errors, "  --follow: follow: \"perhaps\"");
    config_run_free(&run);
}

static void a_wrong_value_is_reported_even_where_a_flag_replaces_it(void **state)
{
    (void)state;
    struct run run = {.yaml = "batch.rows: x\n"};
    config_run(&run, "--batch-rows=1", NULL);
    assert_int_equal(run.outcome, LM_CONFIG_EXIT_USAGE);
    config_run_free(&run);
}

static void wrong_flags_are_refused(void **state)
{
    (void)state;
    assert_flag_refused("--brokers", NULL, "--brokers: needs a value");
    assert_flag_refused("--brokers", "--follow", "--brokers: needs a value");
    assert_flag_refused("--no-brokers", NULL, "--no-brokers: unknown flag; did you mean --brokers?");
    assert_flag_refused("--no-follow=1", NULL, "--no-follow: takes no value");
    assert_flag_refused("--hepl", NULL, "did you mean --help?");
    assert_flag_refused("--zzzzzzzzzzzz", NULL,
                        "--zzzzzzzzzzzz: unknown flag; logmill-test --help lists them");
    assert_flag_refused("-q", NULL, "unknown flag -q");
    assert_flag_refused("-n", NULL, "needs a value");
    assert_flag_refused("--kafka", "linger.ms", "needs a property and its value");
    assert_flag_refused("--kafka", "=5", "needs a property and its value");
}

static void a_program_without_arguments_refuses_them(void **state)
{
    (void)state;
    struct lm_config_program bare = config_program;
    struct settings settings = {0};
    char *argv[] = {(char *)"logmill-test", (char *)"stray"};
    char *text;
    size_t len;
    bare.arguments = "";
    FILE *errors = open_memstream(&text, &len);
    assert_int_equal(lm_config_load(&bare, &settings, 2, argv, NULL, NULL, stdout, errors),
                     LM_CONFIG_EXIT_USAGE);
    (void)fclose(errors);
    assert_part(text, "stray: logmill-test takes no arguments");
    free(text);
    lm_config_free(&bare, &settings);
}

static void unknown_variables_do_not_stop_a_program_but_misspelt_ones_are_named(void **state)
{
    (void)state;
    struct run run = {0};
    config_set_variable("LOGMILL_GATEWAY_ONLY_OPTION", "1");
    config_set_variable("LOGMILL_TEST_BROKERS", "x");
    config_set_variable("LOGMILL_DATA_DIR", "x");
    config_set_variable("LOGMILL_CASES_DIR", "x");
    config_set_variable("LOGMILL_RUN_DIR", "x");
    config_run(&run, NULL);
    assert_loaded(&run);
    config_run_free(&run);
    config_set_variable("LOGMILL_BROKRES", "1");
    config_run(&run, NULL);
    assert_int_equal(run.outcome, LM_CONFIG_RUN);
    assert_part(run.errors,
                "the variable LOGMILL_BROKRES is not known and not used; did you mean LOGMILL_BROKERS?\n");
    config_run_free(&run);
}

static void whichever_allocation_fails_loading_says_so_and_leaks_nothing(void **state)
{
    (void)state;
    struct run run = {.yaml = "brokers: a\nkafka: {x: 1, y: 2}\nfiles: [a, b]\nbatch: {rows: 5}\n"};
    config_set_variable("LOGMILL_TOKEN", "t");
    bool struck = true;
    for (unsigned nth = 1; struck; nth++) {
        failing_alloc_after(nth);
        config_run(&run, "--files=c", "--kafka-z=3", NULL);
        struck = failing_alloc_struck();
        failing_alloc_after(0);
        assert_int_equal(run.outcome, struck ? LM_CONFIG_EXIT_USAGE : LM_CONFIG_RUN);
        if (struck)
            assert_part(run.errors, "no memory was left");
        config_run_free(&run);
        assert_in_range(nth, 1, 500);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(with_nothing_given_every_option_has_its_default, config_without_variables),
        cmocka_unit_test_setup(file_environment_and_flag_take_precedence_in_this_order,
                               config_without_variables),
        cmocka_unit_test_setup(flags_may_be_spelt_in_every_documented_way, config_without_variables),
        cmocka_unit_test_setup(properties_come_from_all_sources_and_replace_each_other_one_by_one,
                               config_without_variables),
        cmocka_unit_test_setup(a_list_of_a_higher_source_replaces_the_lower_one, config_without_variables),
        cmocka_unit_test_setup(durations_sizes_and_truth_are_read_in_all_their_units,
                               config_without_variables),
        cmocka_unit_test_setup(values_of_the_wrong_type_or_out_of_bounds_are_refused,
                               config_without_variables),
        cmocka_unit_test_setup(all_errors_of_all_sources_come_at_once_each_with_its_place,
                               config_without_variables),
        cmocka_unit_test_setup(a_wrong_value_is_reported_even_where_a_flag_replaces_it,
                               config_without_variables),
        cmocka_unit_test_setup(wrong_flags_are_refused, config_without_variables),
        cmocka_unit_test_setup(a_program_without_arguments_refuses_them, config_without_variables),
        cmocka_unit_test_setup(unknown_variables_do_not_stop_a_program_but_misspelt_ones_are_named,
                               config_without_variables),
        cmocka_unit_test_setup(whichever_allocation_fails_loading_says_so_and_leaks_nothing,
                               config_without_variables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
