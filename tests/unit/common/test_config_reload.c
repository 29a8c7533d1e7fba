/* SIGHUP's half of the configuration: what changes in a running program's struct, and what must not. */
#include "failing_alloc.h"

#include "common/config/config.h"
#include "common/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct settings {
    char *url;
    int64_t rows, size;
    bool follow;
    int level;
    struct lm_config_list files;
    struct lm_config_map kafka;
    char *group;
    int64_t connections;
};

#define FIELD(name) offsetof(struct settings, name)

static const struct lm_config_option options[] = {
    {.name = "url", .type = LM_CONFIG_TEXT, .offset = FIELD(url), .reloadable = true, .description = "."},
    {.name = "rows",
     .type = LM_CONFIG_INT,
     .offset = FIELD(rows),
     .default_text = "5",
     .min = 1,
     .max = 100,
     .reloadable = true,
     .description = "."},
    {.name = "size", .type = LM_CONFIG_SIZE, .offset = FIELD(size), .reloadable = true, .description = "."},
    {.name = "follow",
     .type = LM_CONFIG_BOOL,
     .offset = FIELD(follow),
     .reloadable = true,
     .description = "."},
    {.name = "level",
     .type = LM_CONFIG_ENUM,
     .offset = FIELD(level),
     .default_text = "low",
     .choices = "low|high",
     .reloadable = true,
     .description = "."},
    {.name = "files", .type = LM_CONFIG_LIST, .offset = FIELD(files), .reloadable = true, .description = "."},
    {.name = "kafka.*",
     .type = LM_CONFIG_MAP,
     .offset = FIELD(kafka),
     .reloadable = true,
     .description = "."},
    {.name = "group", .type = LM_CONFIG_TEXT, .offset = FIELD(group), .description = "."},
    {.name = "connections", .type = LM_CONFIG_INT, .offset = FIELD(connections), .description = "."},
};

static const struct lm_config_program program = {.name = "logmill-test",
                                                 .summary = "Is tested.",
                                                 .arguments = "[FILE …]",
                                                 .options = options,
                                                 .option_count = sizeof(options) / sizeof(options[0])};

/* A running program whose file can be written anew. */
struct running {
    struct settings settings;
    struct lm_config_reloading reloading;
    char path[64], flag[96];
    char *argv[4];
    int applied;
    const char *url_before; /* must still be readable when the change is applied */
};

static void write_file(const struct running *running, const char *text)
{
    FILE *file = fopen(running->path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int check(const void *values, struct lm_error *error)
{
    const struct settings *settings = values;
    return settings->rows == 13 ? lm_error_set(error, LM_FATAL, "configuration", "13 is unlucky") : 0;
}

static void on_applied(void *context)
{
    struct running *running = context;
    running->applied++;
    if (running->url_before != NULL)
        assert_string_equal(running->url_before, "first");
}

static void start(struct running *running, const char *text)
{
    *running = (struct running){.path = "/tmp/logmill-test-reload-XXXXXX"};
    int fd = mkstemp(running->path);
    assert_true(fd >= 0);
    close(fd);
    lm_log_open("test", LM_LOG_FATAL);
    write_file(running, text);
    (void)snprintf(running->flag, sizeof(running->flag), "--config=%s", running->path);
    running->argv[0] = (char *)"logmill-test";
    running->argv[1] = running->flag;
    running->argv[2] = (char *)"an-argument";
    running->reloading = (struct lm_config_reloading){.program = &program,
                                                      .values = &running->settings,
                                                      .size = sizeof(running->settings),
                                                      .argc = 3,
                                                      .argv = running->argv,
                                                      .check = check,
                                                      .apply = on_applied,
                                                      .context = running};
    const char *arguments[3];
    size_t count;
    assert_int_equal(
        lm_config_load(&program, &running->settings, 3, running->argv, arguments, &count, stdout, stderr),
        LM_CONFIG_RUN);
}

static void stop(struct running *running)
{
    lm_config_free(&program, &running->settings);
    (void)unlink(running->path);
}

static const char before[] = "url: first\nrows: 7\nfiles: [a, b]\nkafka: {linger.ms: 1}\ngroup: g\n";
static const char after[] = "url: second\nrows: 8\nsize: 2KiB\nfollow: yes\nlevel: high\nfiles: [c]\n"
                            "kafka: {linger.ms: 2, acks: all}\ngroup: other\nconnections: 3\n";

static void assert_before(const struct settings *settings)
{
    assert_string_equal(settings->url, "first");
    assert_int_equal(settings->rows, 7);
    assert_int_equal(settings->size, 0);
    assert_false(settings->follow);
    assert_int_equal(settings->level, 0);
    assert_int_equal(settings->files.count, 2);
    assert_string_equal(settings->kafka.values[0], "1");
    assert_string_equal(settings->group, "g");
    assert_int_equal(settings->connections, 0);
}

static void assert_after(const struct settings *settings)
{
    assert_string_equal(settings->url, "second");
    assert_int_equal(settings->rows, 8);
    assert_int_equal(settings->size, 2048);
    assert_true(settings->follow);
    assert_int_equal(settings->level, 1);
    assert_int_equal(settings->files.count, 1);
    assert_string_equal(settings->files.items[0], "c");
    assert_int_equal(settings->kafka.count, 2);
    assert_string_equal(settings->group, "g"); /* needs a restart */
    assert_int_equal(settings->connections, 0);
}

static void what_is_reloadable_changes_and_the_rest_stays(void **state)
{
    struct running running;
    (void)state;
    start(&running, before);
    assert_before(&running.settings);
    running.url_before = running.settings.url;
    write_file(&running, after);
    assert_int_equal(lm_config_reload(&running.reloading), 0);
    assert_int_equal(running.applied, 1);
    assert_after(&running.settings);
    running.url_before = NULL;
    write_file(&running, "rows: 9\n"); /* what is not said any more goes back to its default */
    assert_int_equal(lm_config_reload(&running.reloading), 0);
    assert_string_equal(running.settings.url, "");
    assert_int_equal(running.settings.kafka.count, 0);
    assert_int_equal(running.settings.rows, 9);
    stop(&running);
}

static void with_any_error_nothing_changes(void **state)
{
    static const char *const wrong[] = {"url: second\nrows: many\n", "url: second\nrows: 101\n",
                                        "url: second\nrwos: 8\n", "url: second\nrows: 13\n", "url: [\n"};
    struct running running;
    (void)state;
    start(&running, before);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        write_file(&running, wrong[i]);
        assert_int_equal(lm_config_reload(&running.reloading), -1);
        assert_before(&running.settings);
    }
    assert_int_equal(unlink(running.path), 0);
    assert_int_equal(lm_config_reload(&running.reloading), -1);
    assert_before(&running.settings);
    assert_int_equal(running.applied, 0);
    stop(&running);
}

static void without_memory_nothing_changes(void **state)
{
    struct running running;
    unsigned refused = 0;
    (void)state;
    start(&running, before);
    write_file(&running, after);
    for (unsigned n = 1;; n++) {
        failing_alloc_after(n);
        int result = lm_config_reload(&running.reloading);
        failing_alloc_after(0);
        if (result == 0)
            break;
        refused++;
        assert_before(&running.settings);
        assert_int_equal(running.applied, 0);
    }
    assert_true(refused > 20);
    assert_after(&running.settings);
    stop(&running);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_reloadable_changes_and_the_rest_stays),
                                       cmocka_unit_test(with_any_error_nothing_changes),
                                       cmocka_unit_test(without_memory_nothing_changes)};
    (void)unsetenv("LOGMILL_CONFIG");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
