#include "common/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

struct settings {
    char *brokers;
    char *postgres_url;
    char *token;
    struct lm_config_map kafka;
    int log_level;
    int64_t window_raw;
    int64_t batch_bytes;
    int64_t batch_rows;
    bool follow;
    struct lm_config_list files;
};

static const struct lm_config_option options[] = {
    LM_CONFIG_BROKERS(struct settings),
    LM_CONFIG_POSTGRES_URL(struct settings),
    LM_CONFIG_KAFKA(struct settings),
    LM_CONFIG_LOG_LEVEL(struct settings),
    {.name = "token",
     .type = LM_CONFIG_TEXT,
     .offset = offsetof(struct settings, token),
     .secret = true,
     .description = "A secret."},
    {.name = "window.raw",
     .type = LM_CONFIG_DURATION,
     .offset = offsetof(struct settings, window_raw),
     .default_text = "7d",
     .min = 1000,
     .max = INT64_C(30) * 86400000,
     .description = "How old a record may be."},
    {.name = "batch.bytes",
     .type = LM_CONFIG_SIZE,
     .offset = offsetof(struct settings, batch_bytes),
     .default_text = "16MiB",
     .min = 1024,
     .max = 1 << 30,
     .description = "Size of a batch."},
    {.name = "batch.rows",
     .type = LM_CONFIG_INT,
     .offset = offsetof(struct settings, batch_rows),
     .short_flag = 'n',
     .description = "Rows of a batch; any | number."},
    {.name = "follow",
     .type = LM_CONFIG_BOOL,
     .offset = offsetof(struct settings, follow),
     .short_flag = 'f',
     .description = "Whether to go on."},
    {.name = "files",
     .type = LM_CONFIG_LIST,
     .offset = offsetof(struct settings, files),
     .default_text = "x,y",
     .description = "What to read."},
};

static const struct lm_config_program program = {
    .name = "logmill-test",
    .summary = "Is tested.",
    .arguments = "[FILE …]",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
};

/* One loading: what goes in and what came of it. */
struct run {
    const char *yaml; /* content of the file, or NULL */
    size_t yaml_len;  /* 0: up to the NUL */
    struct settings settings;
    const char *arguments[16];
    size_t argument_count;
    enum lm_config_outcome outcome;
    char *out, *errors;
    char file[64];
};

static void run_free(struct run *run)
{
    lm_config_free(&program, &run->settings);
    free(run->out);
    free(run->errors);
    run->out = run->errors = NULL;
}

/* The arguments after `run` are the command line's, up to NULL. */
static void load(struct run *run, ...)
{
    char *argv[24] = {(char *)"logmill-test"};
    int argc = 1;
    char config_flag[96];
    run->settings = (struct settings){0};
    if (run->yaml != NULL) {
        memcpy(run->file, "/tmp/logmill-test-config-XXXXXX", sizeof("/tmp/logmill-test-config-XXXXXX"));
        int fd = mkstemp(run->file);
        assert_true(fd >= 0);
        size_t len = run->yaml_len > 0 ? run->yaml_len : strlen(run->yaml);
        assert_int_equal(write(fd, run->yaml, len), (ssize_t)len);
        close(fd);
        (void)snprintf(config_flag, sizeof(config_flag), "--config=%s", run->file);
        argv[argc++] = config_flag;
    }
    va_list args;
    va_start(args, run);
    char *argument;
    while ((argument = va_arg(args, char *)) != NULL)
        argv[argc++] = argument;
    va_end(args);
    size_t out_len, errors_len;
    FILE *out = open_memstream(&run->out, &out_len);
    FILE *errors = open_memstream(&run->errors, &errors_len);
    assert_true(out != NULL && errors != NULL);
    run->outcome = lm_config_load(&program, &run->settings, argc, argv, run->arguments, &run->argument_count,
                                  out, errors);
    (void)fclose(out);
    (void)fclose(errors);
    if (run->yaml != NULL)
        (void)unlink(run->file);
}

static void assert_loaded(const struct run *run)
{
    if (run->outcome != LM_CONFIG_RUN)
        fail_msg("not loaded: %s", run->errors);
    assert_string_equal(run->errors, "");
}

static void assert_part(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("%s\nis not in\n%s", part, text);
}

/* Loading the file must fail with this, file name left out, among the errors. */
static void assert_refused(const char *yaml, const char *part)
{
    struct run run = {.yaml = yaml};
    load(&run, NULL);
    if (run.outcome != LM_CONFIG_EXIT_USAGE)
        fail_msg("accepted: %s", yaml);
    assert_part(run.errors, part);
    assert_part(run.errors, run.file);
    run_free(&run);
}

static void assert_flag_refused(const char *flag, const char *value, const char *part)
{
    struct run run = {0};
    load(&run, flag, value, NULL);
    if (run.outcome != LM_CONFIG_EXIT_USAGE)
        fail_msg("accepted: %s %s", flag, value != NULL ? value : "");
    assert_part(run.errors, part);
    run_free(&run);
}

static int without_variables(void **state)
{
    (void)state;
    char name[128];
    for (char **variable = environ; *variable != NULL;) {
        size_t len = strcspn(*variable, "=");
        if (strncmp(*variable, "LOGMILL_", 8) == 0 && len < sizeof(name)) {
            memcpy(name, *variable, len);
            name[len] = '\0';
            (void)unsetenv(name);
            variable = environ;
        } else {
            variable++;
        }
    }
    return 0;
}

static void set(const char *name, const char *value)
{
    assert_int_equal(setenv(name, value, 1), 0);
}

static void with_nothing_given_every_option_has_its_default(void **state)
{
    (void)state;
    struct run run = {0};
    load(&run, NULL);
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
    run_free(&run);
}

static void file_environment_and_flag_take_precedence_in_this_order(void **state)
{
    (void)state;
    struct run run = {.yaml = "batch: {rows: 1, bytes: 2KiB}\nwindow:\n  raw: 3d\nbrokers: file\n"};
    set("LOGMILL_BATCH_ROWS", "2");
    set("LOGMILL_BROKERS", "environment");
    load(&run, "--batch-rows", "3", NULL);
    assert_loaded(&run);
    assert_int_equal(run.settings.batch_bytes, 2048);
    assert_true(run.settings.window_raw == INT64_C(3) * 86400000);
    assert_string_equal(run.settings.brokers, "environment");
    assert_int_equal(run.settings.batch_rows, 3);
    run_free(&run);
}

static void the_file_may_be_named_by_the_environment(void **state)
{
    (void)state;
    struct run run = {.yaml = "batch.rows: 9\n"};
    char path[64];
    load(&run, NULL);
    assert_int_equal(run.settings.batch_rows, 9);
    run_free(&run);

    (void)snprintf(path, sizeof(path), "/tmp/logmill-test-%ld", (long)getpid());
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs("batch.rows: 10\n", file);
    (void)fclose(file);
    set("LOGMILL_CONFIG", path);
    run = (struct run){0};
    load(&run, NULL);
    (void)unlink(path);
    assert_loaded(&run);
    assert_int_equal(run.settings.batch_rows, 10);
    run_free(&run);
}

static void flags_may_be_spelt_in_every_documented_way(void **state)
{
    (void)state;
    struct run run = {0};
    load(&run, "--window-raw=1h", "a", "-fn5", "--files", "p,q", "--files=r", "--", "--b", NULL);
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
    run_free(&run);

    load(&run, "--follow", "--no-follow", "-n", "-7", "-", NULL);
    assert_loaded(&run);
    assert_false(run.settings.follow);
    assert_int_equal(run.settings.batch_rows, -7);
    assert_string_equal(run.arguments[0], "-");
    run_free(&run);
    load(&run, "--no-follow", "--follow=yes", NULL);
    assert_true(run.settings.follow);
    run_free(&run);
}

static const char *property(const struct run *run, const char *name)
{
    for (size_t i = 0; i < run->settings.kafka.count; i++) {
        if (strcmp(run->settings.kafka.names[i], name) == 0)
            return run->settings.kafka.values[i];
    }
    return "(absent)";
}

static void properties_come_from_all_sources_and_replace_each_other_one_by_one(void **state)
{
    (void)state;
    struct run run = {.yaml = "kafka:\n  linger.ms: 1\n  socket: {timeout.ms: 2}\nkafka.acks: all\n"};
    set("LOGMILL_KAFKA_LINGER_MS", "3");
    set("LOGMILL_KAFKA_CLIENT_ID", "env");
    load(&run, "--kafka-client-id=flag", "--kafka", "fetch.min.bytes=5", "--kafka-check.crcs", "true", NULL);
    assert_loaded(&run);
    assert_int_equal(run.settings.kafka.count, 6);
    assert_string_equal(property(&run, "linger.ms"), "3");
    assert_string_equal(property(&run, "socket.timeout.ms"), "2");
    assert_string_equal(property(&run, "acks"), "all");
    assert_string_equal(property(&run, "client.id"), "flag");
    assert_string_equal(property(&run, "fetch.min.bytes"), "5");
    assert_string_equal(property(&run, "check.crcs"), "true");
    run_free(&run);
}

static void a_list_of_a_higher_source_replaces_the_lower_one(void **state)
{
    (void)state;
    struct run run = {.yaml = "files: [a, 'b,c', d]\n"};
    load(&run, NULL);
    assert_loaded(&run);
    assert_int_equal(run.settings.files.count, 3);
    assert_string_equal(run.settings.files.items[1], "b,c");
    run_free(&run);

    set("LOGMILL_FILES", " e , ,f ");
    load(&run, NULL);
    assert_int_equal(run.settings.files.count, 2);
    assert_string_equal(run.settings.files.items[0], "e");
    assert_string_equal(run.settings.files.items[1], "f");
    run_free(&run);

    set("LOGMILL_FILES", "");
    load(&run, NULL);
    assert_int_equal(run.settings.files.count, 0);
    run_free(&run);
}

static void empty_and_null_values_leave_an_option_as_it_is(void **state)
{
    (void)state;
    struct run run = {.yaml = "brokers:\nwindow: ~\nkafka:\nbatch: {rows: null}\npostgres_url: ''\n# end"};
    set("LOGMILL_WINDOW_RAW", "");
    load(&run, NULL);
    assert_loaded(&run);
    assert_string_equal(run.settings.brokers, "localhost:9092");
    assert_true(run.settings.window_raw == INT64_C(7) * 86400000);
    assert_string_equal(run.settings.postgres_url, "");
    run_free(&run);
    run.yaml = "# nothing at all\n";
    load(&run, NULL);
    assert_loaded(&run);
    run_free(&run);
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
        load(&run, "--window-raw", durations[i].text, NULL);
        assert_loaded(&run);
        assert_true(run.settings.window_raw == durations[i].ms);
        run_free(&run);
    }
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        load(&run, "--batch-bytes", sizes[i].text, NULL);
        assert_loaded(&run);
        assert_true(run.settings.batch_bytes == sizes[i].bytes);
        run_free(&run);
    }
    static const char *const words[] = {"false", "TRUE", "no", "yes", "Off", "on", "0", "1"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        set("LOGMILL_FOLLOW", words[i]);
        load(&run, NULL);
        assert_loaded(&run);
        assert_int_equal(run.settings.follow, i % 2 == 1);
        run_free(&run);
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
    set("LOGMILL_BATCH_ROWS", "many");
    load(&run, "--batch-byte=1k", "--follow=perhaps", NULL);
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
    run_free(&run);
}

static void a_wrong_value_is_reported_even_where_a_flag_replaces_it(void **state)
{
    (void)state;
    struct run run = {.yaml = "batch.rows: x\n"};
    load(&run, "--batch-rows=1", NULL);
    assert_int_equal(run.outcome, LM_CONFIG_EXIT_USAGE);
    run_free(&run);
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
    load(&run, NULL);
    assert_int_equal(run.outcome, LM_CONFIG_EXIT_USAGE);
    assert_part(run.errors, "nested more than");
    run_free(&run);

    memset(text, '#', MIB + 1);
    run.yaml_len = MIB;
    load(&run, NULL);
    assert_loaded(&run);
    run_free(&run);
    run.yaml_len = MIB + 1;
    load(&run, NULL);
    assert_int_equal(run.outcome, LM_CONFIG_EXIT_USAGE);
    assert_part(run.errors, "is larger than 1 MiB");
    run_free(&run);

    size_t len = 0;
    for (int i = 0; i < 12000; i++)
        len += (size_t)sprintf(text + len, "kafka.k%d: 1\n", i);
    run.yaml_len = len;
    load(&run, NULL);
    assert_int_equal(run.outcome, LM_CONFIG_EXIT_USAGE);
    assert_part(run.errors, "more than 10000 keys");
    run_free(&run);
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
    struct lm_config_program bare = program;
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
    set("LOGMILL_GATEWAY_ONLY_OPTION", "1");
    set("LOGMILL_TEST_BROKERS", "x");
    set("LOGMILL_DATA_DIR", "x");
    set("LOGMILL_CASES_DIR", "x");
    set("LOGMILL_RUN_DIR", "x");
    load(&run, NULL);
    assert_loaded(&run);
    run_free(&run);
    set("LOGMILL_BROKRES", "1");
    load(&run, NULL);
    assert_int_equal(run.outcome, LM_CONFIG_RUN);
    assert_part(run.errors,
                "the variable LOGMILL_BROKRES is not known and not used; did you mean LOGMILL_BROKERS?\n");
    run_free(&run);
}

static void print_config_shows_every_value_with_its_origin_and_no_secret(void **state)
{
    (void)state;
    struct run run = {.yaml =
                          "window.raw: 3d\nkafka:\n  sasl.password: hunter2\n  linger.ms: 5\nfiles: [a b]\n"};
    char part[128];
    set("LOGMILL_POSTGRES_URL", "postgres://writer:hunter2@db/logmill?sslpassword=hunter2&connect_timeout=5");
    set("LOGMILL_TOKEN", "hunter2");
    load(&run, "--print-config", "--batch-rows=5", NULL);
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
    run_free(&run);
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
        load(&run, "--print-config", "--postgres-url", urls[i], NULL);
        assert_int_equal(run.outcome, LM_CONFIG_EXIT_OK);
        if (strstr(run.out, "hunter2") != NULL)
            fail_msg("%s is shown: %s", urls[i], run.out);
        run_free(&run);
    }
    load(&run, "--print-config", "--postgres-url", "postgres://u@h:5432/db", NULL);
    assert_part(run.out, "postgres_url: postgres://u@h:5432/db ");
    run_free(&run);
}

static void what_print_config_shows_can_be_loaded_again(void **state)
{
    (void)state;
    struct run first = {.yaml = "brokers: \"a: #b, 'c' \\\"d\\\" 한\"\nkafka: {client.id: 'null', x: ''}\n"
                                "files: ['a, b', '', '- c', '{d']\ntoken: ~\nbatch.rows: -5\nfollow: yes\n"};
    load(&first, "--print-config", NULL);
    assert_int_equal(first.outcome, LM_CONFIG_EXIT_OK);
    struct run second = {.yaml = first.out};
    load(&second, NULL);
    assert_loaded(&second);
    assert_string_equal(second.settings.brokers, "a: #b, 'c' \"d\" 한");
    assert_string_equal(property(&second, "client.id"), "null");
    assert_string_equal(property(&second, "x"), "");
    assert_int_equal(second.settings.files.count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(second.settings.files.items[i], first.settings.files.items[i]);
    assert_int_equal(second.settings.batch_rows, -5);
    assert_true(second.settings.follow);
    run_free(&second);
    run_free(&first);
}

static void help_version_and_markdown_are_served_whatever_else_is_wrong(void **state)
{
    (void)state;
    struct run run = {.yaml = "a: b\n"};
    load(&run, "--wrong", "--help", NULL);
    assert_int_equal(run.outcome, LM_CONFIG_EXIT_OK);
    assert_part(run.out, "Usage: logmill-test [OPTION …] [FILE …]\n");
    assert_part(run.out, "  -n, --batch-rows NUMBER\n");
    assert_part(run.out, "  -f, --[no-]follow\n");
    assert_part(run.out, "  --kafka-PROPERTY=VALUE\n");
    assert_part(run.out, "How old a record may be. Default: 7d\n");
    assert_string_equal(run.errors, "");
    run_free(&run);
    load(&run, "-h", NULL);
    assert_int_equal(run.outcome, LM_CONFIG_EXIT_OK);
    run_free(&run);
    load(&run, "--version", "--wrong", NULL);
    assert_int_equal(run.outcome, LM_CONFIG_EXIT_OK);
    assert_string_equal(run.out, "logmill-test " LOGMILL_VERSION "\n");
    run_free(&run);
    load(&run, "--print-options-markdown", NULL);
    assert_int_equal(run.outcome, LM_CONFIG_EXIT_OK);
    assert_part(run.out,
                "| `window.raw` | `LOGMILL_WINDOW_RAW` | `--window-raw` | duration, 1s to 30d | `7d` | ");
    assert_part(run.out, "| `kafka.*` | `LOGMILL_KAFKA_*` | `--kafka-*` | properties |");
    assert_part(run.out, "Rows of a batch; any \\| number. |\n");
    run_free(&run);
}

static void whichever_allocation_fails_loading_says_so_and_leaks_nothing(void **state)
{
    (void)state;
    struct run run = {.yaml = "brokers: a\nkafka: {x: 1, y: 2}\nfiles: [a, b]\nbatch: {rows: 5}\n"};
    set("LOGMILL_TOKEN", "t");
    bool struck = true;
    for (unsigned nth = 1; struck; nth++) {
        failing_alloc_after(nth);
        load(&run, "--files=c", "--kafka-z=3", NULL);
        struck = failing_alloc_struck();
        failing_alloc_after(0);
        assert_int_equal(run.outcome, struck ? LM_CONFIG_EXIT_USAGE : LM_CONFIG_RUN);
        if (struck)
            assert_part(run.errors, "no memory was left");
        run_free(&run);
        assert_in_range(nth, 1, 500);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(with_nothing_given_every_option_has_its_default, without_variables),
        cmocka_unit_test_setup(file_environment_and_flag_take_precedence_in_this_order, without_variables),
        cmocka_unit_test_setup(the_file_may_be_named_by_the_environment, without_variables),
        cmocka_unit_test_setup(flags_may_be_spelt_in_every_documented_way, without_variables),
        cmocka_unit_test_setup(properties_come_from_all_sources_and_replace_each_other_one_by_one,
                               without_variables),
        cmocka_unit_test_setup(a_list_of_a_higher_source_replaces_the_lower_one, without_variables),
        cmocka_unit_test_setup(empty_and_null_values_leave_an_option_as_it_is, without_variables),
        cmocka_unit_test_setup(durations_sizes_and_truth_are_read_in_all_their_units, without_variables),
        cmocka_unit_test_setup(values_of_the_wrong_type_or_out_of_bounds_are_refused, without_variables),
        cmocka_unit_test_setup(all_errors_of_all_sources_come_at_once_each_with_its_place, without_variables),
        cmocka_unit_test_setup(a_wrong_value_is_reported_even_where_a_flag_replaces_it, without_variables),
        cmocka_unit_test_setup(a_file_of_the_wrong_shape_is_refused_with_the_line, without_variables),
        cmocka_unit_test_setup(deep_and_long_files_are_refused_quickly, without_variables),
        cmocka_unit_test_setup(a_file_that_cannot_be_read_is_named, without_variables),
        cmocka_unit_test_setup(wrong_flags_are_refused, without_variables),
        cmocka_unit_test_setup(a_program_without_arguments_refuses_them, without_variables),
        cmocka_unit_test_setup(unknown_variables_do_not_stop_a_program_but_misspelt_ones_are_named,
                               without_variables),
        cmocka_unit_test_setup(print_config_shows_every_value_with_its_origin_and_no_secret,
                               without_variables),
        cmocka_unit_test_setup(passwords_are_masked_however_the_url_is_written, without_variables),
        cmocka_unit_test_setup(what_print_config_shows_can_be_loaded_again, without_variables),
        cmocka_unit_test_setup(help_version_and_markdown_are_served_whatever_else_is_wrong,
                               without_variables),
        cmocka_unit_test_setup(whichever_allocation_fails_loading_says_so_and_leaks_nothing,
                               without_variables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
