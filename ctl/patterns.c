/*
 * logmill-ctl patterns FILE…: pattern id and template of every line, as the consumer stores them. "-":
 * standard input. With --top one line a pattern, the most frequent first: count, id, template, a sample.
 * Reads once, line by line; what it keeps is bounded.
 */
#include "common/pattern/pattern.h"
#include "ctl/command.h"
#include "ctl/pattern_count.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Where the next line is read; a longer one is a pattern of its first bytes, the rest is passed over. */
#define LINE_SIZE ((size_t)64 * 1024)

struct reader {
    const struct ct_context *context;
    struct lm_buffer template;
    struct lm_buffer json;
    struct ct_pattern_counts *counts; /* NULL: every line is printed */
    char *line;
};

static void print_json(struct reader *reader, int64_t id, const char *template, size_t template_len,
                       const struct ct_pattern_count *count)
{
    struct lm_buffer *json = &reader->json;

    lm_buffer_clear(json);
    lm_buffer_printf(json, "{\"pattern\":\"%" PRId64 "\",\"template\":", id); /* beyond 2^53: as text */
    lm_buffer_append_json(json, template, template_len);
    if (count != NULL) {
        lm_buffer_printf(json, ",\"count\":%" PRIu64 ",\"sample\":", count->n);
        lm_buffer_append_json(json, count->text + count->template_len, count->sample_len);
    }
    lm_buffer_append_text(json, "}\n");
    fwrite(json->data, 1, json->len, reader->context->out);
}

static int take_line(struct reader *reader, size_t len)
{
    const int64_t id = lm_pattern(reader->line, len, &reader->template);
    const char *template = reader->template.len > 0 ? reader->template.data : "";

    if (reader->counts != NULL)
        return ct_pattern_counts_add(reader->counts, id, template, reader->template.len, reader->line, len);
    if (reader->context->config != NULL && reader->context->config->json)
        print_json(reader, id, template, reader->template.len, NULL);
    else
        fprintf(reader->context->out, "%" PRId64 "\t%.*s\n", id, (int)reader->template.len, template);
    return 0;
}

/* The next line without its end, which may hold any bytes; false at the end of the file. */
static bool next_line(struct reader *reader, FILE *file, size_t *len)
{
    int c = getc_unlocked(file);

    *len = 0;
    if (c == EOF)
        return false;
    for (; c != EOF && c != '\n'; c = getc_unlocked(file)) {
        if (*len < LINE_SIZE)
            reader->line[(*len)++] = (char)c;
    }
    return true;
}

/* 0, or -1 with the reason in errno. */
static int read_lines(struct reader *reader, FILE *file)
{
    size_t len;

    while (next_line(reader, file, &len)) {
        if (take_line(reader, len) != 0) {
            errno = ENOMEM;
            return -1;
        }
    }
    return ferror(file) ? -1 : 0;
}

static void print_counts(struct reader *reader)
{
    const struct ct_config *config = reader->context->config;
    size_t count = 0;
    const struct ct_pattern_count *counts = ct_pattern_counts_sort(reader->counts, &count);

    for (size_t i = 0; i < count && (config->limit == 0 || (int64_t)i < config->limit); i++) {
        const struct ct_pattern_count *c = &counts[i];
        if (config->json)
            print_json(reader, c->id, c->text, c->template_len, c);
        else
            fprintf(reader->context->out, "%" PRIu64 "\t%" PRId64 "\t%.*s\t%.*s\n", c->n, c->id,
                    (int)c->template_len, c->text, (int)c->sample_len, c->text + c->template_len);
    }
    if (ct_pattern_counts_others(reader->counts) > 0)
        fprintf(reader->context->errors,
                "logmill-ctl patterns: %" PRIu64 " lines of patterns beyond the first %d are not shown\n",
                ct_pattern_counts_others(reader->counts), CT_PATTERNS_MAX);
}

static enum ct_exit read_files(struct reader *reader)
{
    const struct ct_context *context = reader->context;
    enum ct_exit code = CT_DONE;

    for (size_t i = 0; i < context->argument_count; i++) {
        const char *name = context->arguments[i];
        FILE *file = strcmp(name, "-") == 0 ? stdin : fopen(name, "r");
        if (file == NULL || read_lines(reader, file) != 0) {
            fprintf(context->errors, "logmill-ctl patterns: cannot read %s: %s\n", name, strerror(errno));
            code = CT_FAILED;
        }
        if (file != NULL && file != stdin)
            fclose(file);
    }
    return code;
}

static enum ct_exit run_patterns(const struct ct_context *context)
{
    const bool top = context->config != NULL && context->config->top;
    struct reader reader = {.context = context, .line = malloc(LINE_SIZE)};
    enum ct_exit code = CT_FAILED;

    setvbuf(context->out, NULL, _IOFBF, 1 << 16); /* millions of lines, not progress */
    lm_buffer_init(&reader.template, LM_PATTERN_MAX);
    lm_buffer_init(&reader.json, (size_t)64 * 1024);
    if (top)
        reader.counts = ct_pattern_counts_new();
    if (reader.line == NULL || (top && reader.counts == NULL)) {
        fprintf(context->errors, "logmill-ctl patterns: out of memory\n");
    } else {
        code = read_files(&reader);
        if (top)
            print_counts(&reader);
    }
    ct_pattern_counts_free(reader.counts);
    lm_buffer_free(&reader.json);
    lm_buffer_free(&reader.template);
    free(reader.line);
    return code;
}

const struct ct_command ct_patterns_command = {
    .name = "patterns",
    .arguments = "FILE …",
    .summary = "prints the pattern id and template of every line (\"-\": standard input); --top counts them",
    .arguments_min = 1,
    .arguments_max = SIZE_MAX,
    .run = run_patterns,
};
