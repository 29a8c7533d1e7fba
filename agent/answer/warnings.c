/*
 * Warnings: what a reader of the results must know and cannot see in them, as {code, text} in the question's
 * language.
 */
#include "agent/answer/table.h"

#include <string.h>

struct writer {
    struct ag_table *table;
    json_t *list;
    struct lm_buffer text;
    bool failed;
};

static bool korean(const struct writer *writer)
{
    return writer->table->intent->language == AG_KO;
}

static void finish(struct writer *writer, const char *code)
{
    const char *text = lm_buffer_text(&writer->text);
    json_t *warning = text == NULL ? NULL : json_pack("{s:s, s:s}", "code", code, "text", text);
    writer->failed |= json_array_append_new(writer->list, warning) != 0;
    lm_buffer_clear(&writer->text);
}

static void without_value(struct writer *writer)
{
    const struct ag_table *table = writer->table;
    size_t group = ag_table_find(table, AG_ROLE_GROUP, 0);
    if (table->without_value <= 0 || group >= table->column_count) {
        return;
    }
    struct lm_buffer *text = &writer->text;
    const char *name = table->columns[group].name;
    if (korean(writer)) {
        lm_buffer_append_text(text, name);
        ag_put_particle(text, AG_I_GA);
        lm_buffer_append_text(text, " 없는 기록 ");
        ag_put_count(text, table->without_value);
        lm_buffer_append_text(text, "건은 뺐습니다.");
    } else {
        ag_put_count(text, table->without_value);
        lm_buffer_printf(text, " record%s without %s %s left out.", table->without_value == 1 ? "" : "s",
                         name, table->without_value == 1 ? "was" : "were");
    }
    finish(writer, "without_value");
}

static void few_samples(struct writer *writer)
{
    const struct ag_table *table = writer->table;
    struct lm_buffer *text = &writer->text;
    if (table->few_count == 0) {
        return;
    }
    if (korean(writer)) {
        lm_buffer_printf(text, "표본이 %d개보다 적어 뺐습니다: ", AG_MIN_SAMPLES);
    } else {
        lm_buffer_printf(text, "Left out for having fewer than %d samples: ", AG_MIN_SAMPLES);
    }
    for (size_t i = 0; i < table->few_count; i++) {
        lm_buffer_append_text(text, i > 0 ? ", " : "");
        ag_put_name(text, table->few[i]);
    }
    lm_buffer_append_char(text, '.');
    finish(writer, "few_samples");
}

/* A value that is looked up rather than chosen from the catalogue may simply not exist. */
static bool looked_up(const struct ag_filter *filter)
{
    switch (filter->field) {
    case AG_USER_ID:
    case AG_SESSION_ID:
    case AG_TRACE_ID:
    case AG_SPAN_ID:
    case AG_CLIENT_IP:
    case AG_MESSAGE:
    case AG_STACK_TRACE:
    case AG_ERROR_CODE:
    case AG_METADATA:
    case AG_PAGE_PATH:
    case AG_TAG:
        return (filter->op == AG_IN || filter->op == AG_CONTAINS || filter->op == AG_PREFIX) &&
               filter->value_count > 0;
    default:
        return false;
    }
}

static void nothing_of_it(struct writer *writer)
{
    const struct ag_intent *intent = writer->table->intent;
    if (!ag_table_empty(writer->table) || writer->table->few_count > 0 || writer->table->without_value > 0) {
        return;
    }
    for (size_t i = 0; i < intent->filter_count; i++) {
        const struct ag_filter *filter = &intent->filters[i];
        if (!looked_up(filter) || filter->part != 0) {
            continue;
        }
        struct lm_buffer *text = &writer->text;
        const char *name =
            filter->field == AG_METADATA && filter->key != NULL ? filter->key : ag_field_name(filter->field);
        if (korean(writer)) {
            lm_buffer_append_text(text, "이 기간에 ");
            ag_put_name(text, name);
            ag_put_particle(text, AG_I_GA);
            lm_buffer_append_text(text, " ");
            ag_put_quoted(text, filter->values[0], 64);
            lm_buffer_append_text(text,
                                  filter->op == AG_IN ? "인 기록은 없습니다." : "에 맞는 기록은 없습니다.");
        } else {
            lm_buffer_append_text(text, "No record in this window has ");
            lm_buffer_append_text(text, filter->op == AG_IN ? "the " : "a ");
            ag_put_name(text, name);
            lm_buffer_append_text(text, filter->op == AG_CONTAINS ? " containing "
                                        : filter->op == AG_PREFIX ? " beginning with "
                                                                  : " ");
            ag_put_quoted(text, filter->values[0], 64);
            lm_buffer_append_char(text, '.');
        }
        finish(writer, "nothing_found");
    }
}

static void say(struct writer *writer, bool when, const char *code, const char *ko, const char *en)
{
    if (when) {
        lm_buffer_append_text(&writer->text, korean(writer) ? ko : en);
        finish(writer, code);
    }
}

json_t *ag_warnings(struct ag_table *table)
{
    const struct ag_sql *sql = table->sql;
    const struct ag_intent *intent = table->intent;
    struct writer writer = {.table = table, .list = json_array()};
    lm_buffer_init(&writer.text, 4096);
    if (writer.list == NULL) {
        return NULL;
    }
    nothing_of_it(&writer);
    without_value(&writer);
    few_samples(&writer);
    say(&writer,
        intent->counted && intent->rank && intent->measure.fn == AG_PERCENTILE &&
            intent->compare == AG_NO_COMPARE,
        "few_samples", "표본이 20개보다 적은 것은 세지 않았습니다.",
        "Those with fewer than 20 samples were not counted.");
    say(&writer, table->tie, "tie", "마지막 순위와 같은 값이 더 있습니다.",
        "More groups tie with the last one shown.");
    say(&writer, table->alike_count > AG_MAX_PATTERNS, "patterns_not_all",
        "패턴이 많아 가장 흔한 1,000개에서만 비슷한 것을 찾아 합쳤습니다.",
        "There are many patterns: alike ones were looked for among the 1,000 most frequent only.");
    say(&writer, sql->bucket_coarsened, "coarser_buckets", "구간이 너무 많아 더 긴 단위로 나누었습니다.",
        "The buckets asked for were too many; longer ones are shown.");
    say(&writer, sql->source == AG_FROM_HISTOGRAMS, "approximate",
        "기간이 길어 백분위수를 분포 요약에서 구했습니다. 오차는 3% 이내입니다.",
        "The window is long: percentiles come from histograms and are within 3%.");
    say(&writer, table->cells_cut > 0, "cells_cut", "긴 값은 8 KiB에서 잘라 …로 표시했습니다.",
        "Long values are cut at 8 KiB and end in ….");
    lm_buffer_free(&writer.text);
    if (writer.failed) {
        json_decref(writer.list);
        return NULL;
    }
    return writer.list;
}
