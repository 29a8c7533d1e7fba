/* The table of commands, and the command that needs no server. */
#include "common/pattern/pattern.h"
#include "ctl/command.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void every_command_is_found_by_its_name_and_only_by_it(void **state)
{
    (void)state;
    for (size_t i = 0; ct_commands[i] != NULL; i++)
        assert_ptr_equal(ct_command_find(ct_commands[i]->name), ct_commands[i]);
    assert_null(ct_command_find("migrat"));
    assert_null(ct_command_find(""));
}

static void the_list_names_every_command(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    ct_command_list(out);
    assert_int_equal(fclose(out), 0);
    for (size_t i = 0; ct_commands[i] != NULL; i++)
        assert_non_null(strstr(text, ct_commands[i]->summary));
    free(text);
}

/* Runs `patterns` over one file; *out and *errors are to be freed. */
static enum ct_exit patterns_with(const struct ct_config *config, const char *name, char **out, char **errors)
{
    size_t out_len = 0, errors_len = 0;
    const char *const arguments[] = {name};
    struct ct_context context = {
        .config = config,
        .arguments = arguments,
        .argument_count = 1,
        .out = open_memstream(out, &out_len),
        .errors = open_memstream(errors, &errors_len),
    };
    assert_non_null(context.out);
    assert_non_null(context.errors);
    const enum ct_exit code = ct_patterns_command.run(&context);
    assert_int_equal(fclose(context.out), 0);
    assert_int_equal(fclose(context.errors), 0);
    return code;
}

static enum ct_exit patterns_of(const char *name, char **out, char **errors)
{
    const struct ct_config config = {0};
    return patterns_with(&config, name, out, errors);
}

static void write_file(char *name, const void *text, size_t len)
{
    const int fd = mkstemp(name);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), (ssize_t)len);
    assert_int_equal(close(fd), 0);
}

static void patterns_top_counts_and_shows_the_first_line(void **state)
{
    (void)state;
    char name[] = "/tmp/logmill-patterns-XXXXXX";
    static const char lines[] = "b gone\nuser 42 in\nuser 43 in\na gone\nuser 44 in\n\"x\" 1\n\"y\" 2";
    struct ct_config config = {.top = true};
    char *out = NULL, *errors = NULL;
    write_file(name, lines, sizeof lines - 1);

    assert_int_equal(patterns_with(&config, name, &out, &errors), CT_DONE);
    assert_true(strncmp(out, "3\t", 2) == 0);
    assert_non_null(strstr(out, "\tuser <*> in\tuser 42 in\n2\t"));
    assert_true(strstr(out, "a gone\ta gone\n") < strstr(out, "b gone\tb gone\n"));
    assert_string_equal(errors, "");
    free(out);
    free(errors);

    config.json = true;
    config.limit = 2;
    assert_int_equal(patterns_with(&config, name, &out, &errors), CT_DONE);
    assert_non_null(strstr(out, "\"template\":\"user <*> in\",\"count\":3,\"sample\":\"user 42 in\"}\n"));
    assert_non_null(strstr(out, "\"template\":\"\\\"<*>\\\" <*>\",\"count\":2,"));
    assert_null(strstr(out, "gone"));
    free(out);
    free(errors);
    unlink(name);
}

static void patterns_takes_lines_of_any_bytes_and_length(void **state)
{
    (void)state;
    char name[] = "/tmp/logmill-patterns-XXXXXX";
    const size_t size = 200000;
    char *lines = malloc(size);
    char *out = NULL, *errors = NULL;
    assert_non_null(lines);
    memset(lines, 'x', size);
    memcpy(lines, "a\0b 1\na\0b 2\n", 12);
    lines[size - 1] = '\n';
    write_file(name, lines, size);

    assert_int_equal(patterns_of(name, &out, &errors), CT_DONE);
    char *second = strchr(out, '\n') + 1;
    assert_int_equal(second - out, strchr(second, '\n') + 1 - second);
    assert_memory_equal(out, second, (size_t)(second - out));
    assert_in_range(strlen(second), 500, 1200);
    free(out);
    free(errors);
    free(lines);
    unlink(name);
}

static void patterns_prints_id_and_template_of_every_line(void **state)
{
    (void)state;
    char name[] = "/tmp/logmill-patterns-XXXXXX";
    const int fd = mkstemp(name);
    assert_true(fd >= 0);
    static const char lines[] = "user 42 logged in\n\nuser 43 logged in";
    assert_int_equal(write(fd, lines, sizeof lines - 1), (ssize_t)sizeof lines - 1);
    assert_int_equal(close(fd), 0);

    char *out = NULL, *errors = NULL;
    assert_int_equal(patterns_of(name, &out, &errors), CT_DONE);
    assert_string_equal(errors, "");

    struct lm_buffer template;
    lm_buffer_init(&template, 1024);
    char expected[512];
    const int64_t id = lm_pattern("user 42 logged in", 17, &template);
    const int64_t empty = lm_pattern("", 0, &template);
    snprintf(expected, sizeof expected,
             "%" PRId64 "\tuser <*> logged in\n%" PRId64 "\t\n%" PRId64 "\tuser <*> logged in\n", id, empty,
             id);
    assert_string_equal(out, expected);
    lm_buffer_free(&template);
    free(out);
    free(errors);
    unlink(name);
}

static void patterns_of_a_missing_file_fails_and_names_it(void **state)
{
    (void)state;
    char *out = NULL, *errors = NULL;
    assert_int_equal(patterns_of("/no/such/file", &out, &errors), CT_FAILED);
    assert_non_null(strstr(errors, "/no/such/file"));
    assert_string_equal(out, "");
    free(out);
    free(errors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_is_found_by_its_name_and_only_by_it),
        cmocka_unit_test(the_list_names_every_command),
        cmocka_unit_test(patterns_prints_id_and_template_of_every_line),
        cmocka_unit_test(patterns_top_counts_and_shows_the_first_line),
        cmocka_unit_test(patterns_takes_lines_of_any_bytes_and_length),
        cmocka_unit_test(patterns_of_a_missing_file_fails_and_names_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
