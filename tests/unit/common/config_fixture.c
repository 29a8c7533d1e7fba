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

extern char **environ;

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

const struct lm_config_program config_program = {
    .name = "logmill-test",
    .summary = "Is tested.",
    .arguments = "[FILE …]",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
};

void config_run_free(struct run *run)
{
    lm_config_free(&config_program, &run->settings);
    free(run->out);
    free(run->errors);
    run->out = run->errors = NULL;
}

void config_run(struct run *run, ...)
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
    run->outcome = lm_config_load(&config_program, &run->settings, argc, argv, run->arguments,
                                  &run->argument_count, out, errors);
    (void)fclose(out);
    (void)fclose(errors);
    if (run->yaml != NULL)
        (void)unlink(run->file);
}

void assert_loaded(const struct run *run)
{
    if (run->outcome != LM_CONFIG_RUN)
        fail_msg("not loaded: %s", run->errors);
    assert_string_equal(run->errors, "");
}

void assert_part(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("%s\nis not in\n%s", part, text);
}

int config_without_variables(void **state)
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

void config_set_variable(const char *name, const char *value)
{
    assert_int_equal(setenv(name, value, 1), 0);
}

const char *config_property(const struct run *run, const char *name)
{
    for (size_t i = 0; i < run->settings.kafka.count; i++) {
        if (strcmp(run->settings.kafka.names[i], name) == 0)
            return run->settings.kafka.values[i];
    }
    return "(absent)";
}

void assert_flag_refused(const char *flag, const char *value, const char *part)
{
    struct run run = {0};
    config_run(&run, flag, value, NULL);
    if (run.outcome != LM_CONFIG_EXIT_USAGE)
        fail_msg("accepted: %s %s", flag, value != NULL ? value : "");
    assert_part(run.errors, part);
    config_run_free(&run);
}
