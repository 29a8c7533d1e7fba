/* logmill-ctl dlq list and show. Kafka only. */
#include "ctl/dlq/dlq.h"
#include "ctl/terminal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_ROWS_MAX 1000
#define COUNT_BYTES_MAX ((size_t)1 << 20)

void ct_dlq_counts_init(struct ct_dlq_counts *counts)
{
    *counts = (struct ct_dlq_counts){0};
    lm_arena_init(&counts->arena, COUNT_BYTES_MAX);
}

void ct_dlq_counts_free(struct ct_dlq_counts *counts)
{
    free(counts->rows);
    lm_arena_free(&counts->arena);
}

static bool same(struct lm_slice a, struct lm_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static struct ct_dlq_count *find_row(struct ct_dlq_counts *counts, struct lm_slice topic,
                                     struct lm_slice class)
{
    for (size_t i = 0; i < counts->row_count; i++) {
        if (same(counts->rows[i].topic, topic) && same(counts->rows[i].class, class))
            return &counts->rows[i];
    }
    return NULL;
}

static struct ct_dlq_count *new_row(struct ct_dlq_counts *counts, struct lm_slice topic,
                                    struct lm_slice class)
{
    if (counts->row_count == counts->row_cap) {
        size_t cap = counts->row_cap == 0 ? 16 : 2 * counts->row_cap;
        struct ct_dlq_count *wider = realloc(counts->rows, cap * sizeof(*wider));
        if (wider == NULL)
            return NULL;
        counts->rows = wider;
        counts->row_cap = cap;
    }
    struct ct_dlq_count *row = &counts->rows[counts->row_count];
    *row = (struct ct_dlq_count){.topic = {lm_arena_copy(&counts->arena, topic.data, topic.len), topic.len},
                                 .class = {lm_arena_copy(&counts->arena, class.data, class.len), class.len}};
    if (row->topic.data == NULL || row->class.data == NULL)
        return NULL;
    counts->row_count++;
    return row;
}

int ct_dlq_counts_add(struct ct_dlq_counts *counts, const struct ct_letter *letter)
{
    struct lm_slice topic = {letter->topic, strlen(letter->topic) - strlen(".dlq")}, class = letter->class;

    if (class.len > 256)
        class = LM_SLICE("(other)");
    struct ct_dlq_count *row = find_row(counts, topic, class);
    if (row == NULL && counts->row_count >= COUNT_ROWS_MAX) {
        class = LM_SLICE("(other)");
        row = find_row(counts, topic, class);
    }
    if (row == NULL && (row = new_row(counts, topic, class)) == NULL)
        return -1;
    row->letters++;
    row->bytes += (int64_t)letter->message->len;
    return 0;
}

void ct_dlq_counts_print(const struct ct_dlq_counts *counts, bool json, FILE *out)
{
    struct lm_buffer text;

    lm_buffer_init(&text, COUNT_BYTES_MAX * 8);
    for (size_t i = 0; i < counts->row_count; i++) {
        const struct ct_dlq_count *row = &counts->rows[i];
        if (json) {
            lm_buffer_append_text(&text, "{\"topic\":");
            lm_buffer_append_json(&text, row->topic.data, row->topic.len);
            lm_buffer_append_text(&text, ",\"class\":");
            lm_buffer_append_json(&text, row->class.data, row->class.len);
            lm_buffer_printf(&text, ",\"letters\":%" PRId64 ",\"bytes\":%" PRId64 "}\n", row->letters,
                             row->bytes);
        } else {
            lm_buffer_printf(&text, "%10" PRId64 "  %12" PRId64 " B  %.*s  ", row->letters, row->bytes,
                             (int)row->topic.len, row->topic.data);
            if (row->class.len == 0)
                lm_buffer_append_char(&text, '-');
            ct_terminal_append_safe(&text, row->class.data, row->class.len, 80);
            lm_buffer_append_char(&text, '\n');
        }
    }
    if (!text.failed && text.len > 0)
        (void)!fwrite(text.data, 1, text.len, out);
    lm_buffer_free(&text);
}

struct printing {
    const struct ct_context *context;
    struct ct_letter_reader reader;
    struct ct_dlq_counts counts;
    int64_t letters;
};

/* 0, or -1: said. */
static int each_letter(struct printing *printing, const struct ct_letter *letter, bool whole)
{
    const struct ct_context *context = printing->context;

    if (!whole && context->config->count) {
        if (ct_dlq_counts_add(&printing->counts, letter) != 0) {
            fprintf(context->errors, "logmill-ctl dlq list: out of memory\n");
            return -1;
        }
    } else if (context->config->json) {
        ct_letter_print_json(&printing->reader, letter, whole, context->out);
    } else if (whole) {
        if (printing->letters > 0)
            fputc('\n', context->out);
        ct_letter_print_whole(&printing->reader, letter, context->out);
    } else {
        ct_letter_print_line(&printing->reader, letter, context->out);
    }
    return ferror(context->out) ? -1 : 0;
}

static enum ct_exit print_letters(struct printing *printing, const struct ct_dlq_filter *filter, bool whole)
{
    const struct ct_context *context = printing->context;
    int64_t limit = context->config->limit;
    struct ct_letter letter;
    int outcome = 1;
    struct ct_dlq_scan *scan = ct_dlq_scan_open(context, filter, whole ? "show" : "list", NULL);

    if (scan == NULL)
        return CT_FAILED;
    while (outcome == 1 && (limit == 0 || printing->letters < limit)) {
        outcome = ct_dlq_scan_next(scan, &letter);
        if (outcome == 1 && each_letter(printing, &letter, whole) != 0)
            outcome = -1;
        printing->letters += outcome == 1;
    }
    ct_dlq_scan_close(scan);
    return outcome < 0 ? CT_FAILED : CT_DONE;
}

static enum ct_exit run(const struct ct_context *context, const struct ct_dlq_filter *filter, bool whole,
                        int64_t *letters)
{
    struct printing printing = {.context = context};
    enum ct_exit code = CT_FAILED;

    ct_dlq_counts_init(&printing.counts);
    if (ct_letter_reader_init(&printing.reader) != 0)
        fprintf(context->errors, "logmill-ctl dlq: out of memory\n");
    else
        code = print_letters(&printing, filter, whole);
    if (code == CT_DONE)
        ct_dlq_counts_print(&printing.counts, context->config->json, context->out);
    *letters = printing.letters;
    ct_dlq_counts_free(&printing.counts);
    ct_letter_reader_free(&printing.reader);
    return code;
}

enum ct_exit ct_dlq_list(const struct ct_context *context, const struct ct_dlq_filter *filter)
{
    int64_t letters;
    return run(context, filter, false, &letters);
}

enum ct_exit ct_dlq_show(const struct ct_context *context, const struct ct_dlq_filter *filter)
{
    bool named = filter->place_count > 0;
    int64_t letters;
    enum ct_exit code;

    for (size_t i = 0; i < filter->place_count; i++)
        named = named && filter->places[i].partition >= 0;
    if (!named) {
        fprintf(context->errors, "logmill-ctl dlq show: say which letters: TOPIC/PARTITION@OFFSET …\n");
        return CT_USAGE;
    }
    code = run(context, filter, true, &letters);
    if (code == CT_DONE && letters == 0) {
        fprintf(context->errors, "logmill-ctl dlq show: there is no such letter (any more)\n");
        return CT_FAILED;
    }
    return code;
}
