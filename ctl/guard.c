/*
 * `logmill-ctl guard FILE…`: what the agent's guard says about SQL texts, one JSON object a line. A file is
 * one text; "-" reads standard input, one JSON string a line. A rejection is an answer, not a failure: the
 * exit code is 0.
 */
#include "agent/guard/guard.h"
#include "common/buffer.h"
#include "common/clock.h"
#include "ctl/command.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

enum { MAX_ROWS = 10001, MAX_TEXT = 1 << 20 };

static void print(const struct ct_context *context, const struct ag_guard_verdict *verdict)
{
    struct lm_buffer out;
    lm_buffer_init(&out, 4u << 20);
    lm_buffer_printf(&out, "{\"verdict\":\"%s\",\"reason\":", verdict->pass ? "pass" : "reject");
    lm_buffer_append_json(&out, verdict->reason, strlen(verdict->reason));
    lm_buffer_append_text(&out, ",\"sql\":");
    if (verdict->sql != NULL)
        lm_buffer_append_json(&out, verdict->sql, strlen(verdict->sql));
    else
        lm_buffer_append_text(&out, "null");
    lm_buffer_append_text(&out, "}\n");
    const char *text = lm_buffer_text(&out);
    fputs(text != NULL ? text : "{\"verdict\":\"reject\",\"reason\":\"out of memory\",\"sql\":null}\n",
          context->out);
    lm_buffer_free(&out);
}

static enum ct_exit judge(const struct ct_context *context, const char *sql)
{
    const struct ag_guard_limits limits = {.now_us = lm_clock_wall_us(), .max_rows = MAX_ROWS};
    struct ag_guard_verdict verdict;
    struct lm_error error;
    const int failed = ag_guard(sql, &limits, &verdict, &error);
    if (failed != 0)
        fprintf(context->errors, "logmill-ctl guard: %s\n", error.text);
    print(context, &verdict);
    ag_guard_verdict_free(&verdict);
    return failed != 0 ? CT_FAILED : CT_DONE;
}

static enum ct_exit judge_line(const struct ct_context *context, const char *line, size_t len)
{
    json_t *text = json_loadb(line, len, JSON_DECODE_ANY, NULL);
    enum ct_exit code = CT_DONE;
    if (json_is_string(text)) {
        code = judge(context, json_string_value(text));
    } else {
        struct ag_guard_verdict verdict = {.reason = "the line is not one JSON string without NUL"};
        print(context, &verdict);
    }
    json_decref(text);
    return code;
}

static enum ct_exit judge_input(const struct ct_context *context)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t len = 0;
    enum ct_exit code = CT_DONE;
    while ((len = getline(&line, &size, stdin)) > 0) {
        if (strspn(line, " \t\r\n") == (size_t)len)
            continue;
        if (judge_line(context, line, (size_t)len) != CT_DONE)
            code = CT_FAILED;
    }
    free(line);
    return code;
}

static enum ct_exit judge_file(const struct ct_context *context, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(context->errors, "logmill-ctl guard: cannot read %s: %s\n", path, strerror(errno));
        return CT_FAILED;
    }
    enum ct_exit code = CT_FAILED;
    char *text = malloc(MAX_TEXT + 1);
    if (text == NULL) {
        fprintf(context->errors, "logmill-ctl guard: out of memory\n");
    } else {
        const size_t len = fread(text, 1, MAX_TEXT, file);
        text[len] = '\0';
        if (ferror(file) != 0)
            fprintf(context->errors, "logmill-ctl guard: cannot read %s: %s\n", path, strerror(errno));
        else if (memchr(text, '\0', len) != NULL)
            fprintf(context->errors, "logmill-ctl guard: %s holds a NUL byte, which is no SQL text\n", path);
        else
            code = judge(context, text);
    }
    free(text);
    fclose(file);
    return code;
}

static enum ct_exit run(const struct ct_context *context)
{
    enum ct_exit code = CT_DONE;
    for (size_t i = 0; i < context->argument_count; i++) {
        const char *path = context->arguments[i];
        if ((strcmp(path, "-") == 0 ? judge_input(context) : judge_file(context, path)) != CT_DONE)
            code = CT_FAILED;
    }
    return code;
}

const struct ct_command ct_guard_command = {
    .name = "guard",
    .arguments = "FILE …",
    .summary = "what the agent's guard says about SQL texts (- : one JSON string a line)",
    .arguments_min = 1,
    .arguments_max = 1000,
    .run = run,
};
