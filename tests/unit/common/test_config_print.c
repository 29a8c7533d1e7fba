#include "config_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static void print_config_shows_every_value_with_its_origin_and_no_secret(void **state)
{
    (void)state;
    struct run run = {.yaml =
                          "window.raw: 3d\nkafka:\n  sasl.password: hunter2\n  linger.ms: 5\nfiles: [a b]\n"};
    char part[128];
    config_set_variable("LOGMILL_POSTGRES_URL",
                        "postgres://writer:hunter2@db/logmill?sslpassword=hunter2&connect_timeout=5");
    config_set_variable("LOGMILL_TOKEN", "hunter2");
    config_run(&run, "--print-config", "--batch-rows=5", NULL);
    assert_int_equal(run.outcome, LM_CONFIG_EXIT_OK);
    assert_null(strstr(run.out, "hunter2"));
    assert_part(run.out, "\nbrokers: localhost:9092  # default\n");
    assert_part(run.out,
                "\npostgres_url: \"postgres://writer:****@db/logmill?sslpassword=****&connect_timeout=5\"  "
                "# environment LOGMILL_POSTGRES_URL\n");
    assert_part(run.out, "\ntoken: \"****\"  # environment LOGMILL_TOKEN\n");
    assert_part(run.out, "\nbatch.rows: 5  # flag --batch-rows\n");
    (void)snprintf(part, sizeof(part), "\nwindow.raw: 3d  # %s:1\n", run.file);
    assert_part(run.out, part);
    (void)snprintf(part, sizeof(part), "\nkafka.linger.ms: 5  # %s:4\n", run.file);
    assert_part(run.out, part);
    (void)snprintf(part, sizeof(part), "\nfiles: [\"a b\"]  # %s:5\n", run.file);
    assert_part(run.out, part);
    config_run_free(&run);
}

static void passwords_are_masked_however_the_url_is_written(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "postgres://u:hunter2@h/db",        "postgres://u:hun/hunter2@h/db",
        "postgres://u:x@hunter2@h/db",      "postgres://u:x?hunter2@h/db",
        "postgres://h/db?password=hunter2", "postgres://h/db?user=a&PASSWORD=hunter2&b=c",
        "host=h user=u password=hunter2",   "postgres://:hunter2@h/db",
    };
    struct run run = {0};
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        config_run(&run, "--print-config", "--postgres-url", urls[i], NULL);
        assert_int_equal(run.outcome, LM_CONFIG_EXIT_OK);
        if (strstr(run.out, "hunter2") != NULL)
            fail_msg("%s is shown: %s", urls[i], run.out);
        config_run_free(&run);
    }
    config_run(&run, "--print-config", "--postgres-url", "postgres://u@h:5432/db", NULL);
    assert_part(run.out, "postgres_url: postgres://u@h:5432/db ");
    config_run_free(&run);
}

static void what_print_config_shows_can_be_loaded_again(void **state)
{
    (void)state;
    struct run first = {.yaml = "brokers: \"a: #b, 'c' \\\"d\\\" 한\"\nkafka: {client.id: 'null', x: ''}\n"
                                "files: ['a, b', '', '- c', '{d']\ntoken: ~\nbatch.rows: -5\nfollow: yes\n"};
    config_run(&first, "--print-config", NULL);
    assert_int_equal(first.outcome, LM_CONFIG_EXIT_OK);
    struct run second = {.yaml = first.out};
    config_run(&second, NULL);
    assert_loaded(&second);
    assert_string_equal(second.settings.brokers, "a: #b, 'c' \"d\" 한");
    assert_string_equal(config_property(&second, "client.id"), "null");
    assert_string_equal(config_property(&second, "x"), "");
    assert_int_equal(second.settings.files.count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(second.settings.files.items[i], first.settings.files.items[i]);
    assert_int_equal(second.settings.batch_rows, -5);
    assert_true(second.settings.follow);
    config_run_free(&second);
    config_run_free(&first);
}

static void help_version_and_markdown_are_served_whatever_else_is_wrong(void **state)
{
    (void)state;
    struct run run = {.yaml = "a: b\n"};
    config_run(&run, "--wrong", "--help", NULL);
    assert_int_equal(run.outcome, LM_CONFIG_EXIT_OK);
    assert_part(run.out, "Usage: logmill-test [OPTION …] [FILE …]\n");
    assert_part(run.out, "  -n, --batch-rows NUMBER\n");
    assert_part(run.out, "  -f, --[no-]follow\n");
    assert_part(run.out, "  --kafka-PROPERTY=VALUE\n");
    assert_part(run.out, "How old a record may be. Default: 7d\n");
    assert_string_equal(run.errors, "");
    config_run_free(&run);
    config_run(&run, "-h", NULL);
    assert_int_equal(run.outcome, LM_CONFIG_EXIT_OK);
    config_run_free(&run);
    config_run(&run, "--version", "--wrong", NULL);
    assert_int_equal(run.outcome, LM_CONFIG_EXIT_OK);
    assert_string_equal(run.out, "logmill-test " LOGMILL_VERSION "\n");
    config_run_free(&run);
    config_run(&run, "--print-options-markdown", NULL);
    assert_int_equal(run.outcome, LM_CONFIG_EXIT_OK);
    assert_part(run.out,
                "| `window.raw` | `LOGMILL_WINDOW_RAW` | `--window-raw` | duration, 1s to 30d | `7d` | ");
    assert_part(run.out, "| `kafka.*` | `LOGMILL_KAFKA_*` | `--kafka-*` | properties |");
    assert_part(run.out, "Rows of a batch; any \\| number. |\n");
    config_run_free(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(print_config_shows_every_value_with_its_origin_and_no_secret,
                               config_without_variables),
        cmocka_unit_test_setup(passwords_are_masked_however_the_url_is_written, config_without_variables),
        cmocka_unit_test_setup(what_print_config_shows_can_be_loaded_again, config_without_variables),
        cmocka_unit_test_setup(help_version_and_markdown_are_served_whatever_else_is_wrong,
                               config_without_variables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
