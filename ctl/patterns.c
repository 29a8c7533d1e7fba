/* logmill-ctl patterns FILE…: pattern id and template of every line, as consumer and agent see them. "-":
 * standard input. */
#include "common/pattern.h"
#include "ctl/command.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TEMPLATE_MAX 8192

static void print_pattern(const struct ct_context *context, const char *line, size_t len,
                          struct lm_buffer *template)
{
    const int64_t id = lm_pattern(line, len, template);
    fprintf(context->out, "%" PRId64 "\t%.*s\n", id, (int)template->len,
            template->len > 0 ? template->data : "");
}

/* 0, or -1 with the reason in errno. */
static int read_lines(const struct ct_context *context, FILE *file, struct lm_buffer *template)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    errno = 0;
    while ((len = getline(&line, &cap, file)) >= 0) {
        if (len > 0 && line[len - 1] == '\n')
            len--;
        print_pattern(context, line, (size_t)len, template);
        errno = 0;
    }
    const int failure = feof(file) ? 0 : errno != 0 ? errno : EIO;
    free(line);
    errno = failure;
    return failure == 0 ? 0 : -1;
}

static enum ct_exit run_patterns(const struct ct_context *context)
{
    enum ct_exit code = CT_DONE;
    struct lm_buffer template;
    lm_buffer_init(&template, TEMPLATE_MAX);
    for (size_t i = 0; i < context->argument_count; i++) {
        const char *name = context->arguments[i];
        FILE *file = strcmp(name, "-") == 0 ? stdin : fopen(name, "r");
        if (file == NULL || read_lines(context, file, &template) != 0) {
            fprintf(context->errors, "logmill-ctl patterns: cannot read %s: %s\n", name, strerror(errno));
            code = CT_FAILED;
        }
        if (file != NULL && file != stdin)
            fclose(file);
    }
    lm_buffer_free(&template);
    return code;
}

const struct ct_command ct_patterns_command = {
    .name = "patterns",
    .arguments = "FILE …",
    .summary = "prints the pattern id and template of every line (\"-\": standard input)",
    .arguments_min = 1,
    .arguments_max = SIZE_MAX,
    .run = run_patterns,
};
