#include "config_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Loading the file must fail with this, file name left out, among the errors. */
static void assert_refused(const char *yaml, const char *part)
{
    struct run run = {.yaml = yaml};
    config_run(&run, NULL);
    if (run.outcome != LM_CONFIG_EXIT_USAGE)
        fail_msg("accepted: %s", yaml);
    assert_part(run.errors, part);
    assert_part(run.errors, run.file);
    config_run_free(&run);
}

static void the_file_may_be_named_by_the_environment(void **state)
{
    (void)state;
    struct run run = {.yaml = "batch.rows: 9\n"};
    char path[64];
    config_run(&run, NULL);
    assert_int_equal(run.settings.batch_rows, 9);
    config_run_free(&run);

    (void)snprintf(path, sizeof(path), "/tmp/logmill-test-%ld", (long)getpid());
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs("batch.rows: 10\n", file);
    (void)fclose(file);
    config_set_variable("LOGMILL_CONFIG", path);
    run = (struct run){0};
    config_run(&run, NULL);
    (void)unlink(path);
    assert_loaded(&run);
    assert_int_equal(run.settings.batch_rows, 10);
    config_run_free(&run);
}

static void empty_and_null_values_leave_an_option_as_it_is(void **state)
{
    (void)state;
    struct run run = {.yaml = "brokers:\nwindow: ~\nkafka:\nbatch: {rows: null}\npostgres_url: ''\n# end"};
    config_set_variable("LOGMILL_WINDOW_RAW", "");
    config_run(&run, NULL);
    assert_loaded(&run);
    assert_string_equal(run.settings.brokers, "localhost:9092");
    assert_true(run.settings.window_raw == INT64_C(7) * 86400000);
    assert_string_equal(run.settings.postgres_url, "");
    config_run_free(&run);
    run.yaml = "# nothing at all\n";
    config_run(&run, NULL);
    assert_loaded(&run);
    config_run_free(&run);
}

static void a_file_of_the_wrong_shape_is_refused_with_the_line(void **state)
{
    (void)state;
    assert_refused("brokers: a\n\tbatch: b\n", ":2: ");
    assert_refused("window:\n\traw: 5d\n", "the line holds a tab: indent with spaces");
    assert_refused("a: b: c\n", ":1: mapping values are not allowed in this context");
    assert_refused("brokers: a\n\nbrokers: b\n", ":3: brokers is set twice, first in line 1");
    assert_refused("window.raw: 1d\nwindow:\n  raw: 1d\n", ":3: window.raw is set twice, first in line 1");
    assert_refused("window: {raw: 1d}\nwindow: {raw: 1d}\n", ":2: window is set twice, first in line 1");
    assert_refused("brokers:\n  - a\n", "brokers takes no list");
    assert_refused("brokers:\n  a: b\n", "brokers takes a value, nothing below it");
    assert_refused("window: 5d\n", ":1: window takes settings below it, not a value");
    assert_refused("window: [5d]\n", ":1: window takes no list");
    assert_refused("files: [a, {b: c}, [d]]\n", ":1: an item of files must be one value");
    assert_refused("files: {a: b}\n", "files takes a value, nothing below it");
    assert_refused("nothing:\n  like: {this: [1]}\n", "unknown key nothing");
    assert_refused("- a\n", ":1: the file must hold settings");
    assert_refused("just text\n", ":1: the file must hold settings");
    assert_refused("? [a]\n: b\n", ":1: a key must be a plain name");
    assert_refused("brokers: &x a\ntoken: *x\n", ":2: token: aliases (*name) are not supported");
    assert_refused("brokers: a\n---\nbrokers: b\n", ":2: a second document begins here");
    assert_refused("brokers: \"a\\0b\"\n", ":1: brokers holds a NUL character");
    assert_refused("brokers: a\ntoken: \xff\n", ":2: ");
    assert_refused("brokers: 'a\n", "found unexpected end of stream");
    assert_refused("kafka: {a: {b: {c: {d: {e: {f: {g: {h: {i: {j: {k: {l: {m: {n: {o: {p: {q: {r: "
                   "1}}}}}}}}}}}}}}}}}}\n",
                   ":1: ");
}

static void deep_and_long_files_are_refused_quickly(void **state)
{
    (void)state;
    enum { MIB = 1 << 20 };
    char *text = malloc(MIB + 2);
    assert_non_null(text);
    struct run run = {.yaml = text};

    memset(text, '[', MIB - 1);
    memcpy(text, "a: ", 3);
    run.yaml_len = MIB - 1;
    config_run(&run, NULL);
    assert_int_equal(run.outcome, LM_CONFIG_EXIT_USAGE);
    assert_part(run.errors, "nested more than");
    config_run_free(&run);

    memset(text, '#', MIB + 1);
    run.yaml_len = MIB;
    config_run(&run, NULL);
    assert_loaded(&run);
    config_run_free(&run);
    run.yaml_len = MIB + 1;
    config_run(&run, NULL);
    assert_int_equal(run.outcome, LM_CONFIG_EXIT_USAGE);
    assert_part(run.errors, "is larger than 1 MiB");
    config_run_free(&run);

    size_t len = 0;
    for (int i = 0; i < 12000; i++)
        len += (size_t)sprintf(text + len, "kafka.k%d: 1\n", i);
    run.yaml_len = len;
    config_run(&run, NULL);
    assert_int_equal(run.outcome, LM_CONFIG_EXIT_USAGE);
    assert_part(run.errors, "more than 10000 keys");
    config_run_free(&run);
    free(text);
}

static void a_file_that_cannot_be_read_is_named(void **state)
{
    (void)state;
    assert_flag_refused("--config=/nowhere/logmill.yaml", NULL,
                        "/nowhere/logmill.yaml: cannot be read: No such file or directory");
    assert_flag_refused("--config=/tmp", NULL, "/tmp: cannot be read: Is a directory");
    assert_flag_refused("--config", NULL, "--config: needs a value");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_file_may_be_named_by_the_environment, config_without_variables),
        cmocka_unit_test_setup(empty_and_null_values_leave_an_option_as_it_is, config_without_variables),
        cmocka_unit_test_setup(a_file_of_the_wrong_shape_is_refused_with_the_line, config_without_variables),
        cmocka_unit_test_setup(deep_and_long_files_are_refused_quickly, config_without_variables),
        cmocka_unit_test_setup(a_file_that_cannot_be_read_is_named, config_without_variables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
