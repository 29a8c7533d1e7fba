/*
 * What the sentences are about, found in the table once for both languages.
 */
#include "agent/answer/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define OUTSTANDING 3.0
#define OUTSTANDING_OF 5

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median_of(const struct ag_table *table, size_t measure)
{
    double *values = calloc(table->row_count + 1, sizeof *values);
    size_t count = 0;
    for (size_t i = 0; values != NULL && i < table->row_count; i++) {
        double value = ag_table_number(table, i, measure);
        if (!isnan(value)) {
            values[count++] = value;
        }
    }
    double median = NAN;
    if (count > 0) {
        qsort(values, count, sizeof *values, ascending);
        median = (values[(count - 1) / 2] + values[count / 2]) / 2;
    }
    free(values);
    return median;
}

struct ag_facts ag_facts_of(const struct ag_table *table)
{
    struct ag_facts facts = {
        .measure = ag_table_find(table, AG_ROLE_MEASURE, 0),
        .previous = ag_table_find(table, AG_ROLE_PREVIOUS, 0),
        .group = ag_table_find(table, AG_ROLE_GROUP, 0),
        .bucket = ag_table_find(table, AG_ROLE_BUCKET, 0),
        .samples = ag_table_find(table, AG_ROLE_SAMPLES, 0),
        .median = NAN,
    };
    double peak = NAN;
    for (size_t i = 0; i < table->row_count; i++) {
        bool named = true;
        for (size_t j = 0; j < table->column_count; j++) {
            named &= table->columns[j].role != AG_ROLE_GROUP || table->rows[i][j] != NULL;
        }
        facts.named += named;
        double value = ag_table_number(table, i, facts.measure);
        if (isnan(value)) {
            continue;
        }
        facts.sum += value;
        if (isnan(peak) || value > peak) {
            peak = value;
            facts.peak = i;
        }
    }
    if (facts.bucket < table->column_count && facts.group == table->column_count) {
        facts.median = median_of(table, facts.measure);
        facts.stands_out =
            table->row_count >= OUTSTANDING_OF && facts.median > 0 && peak >= OUTSTANDING * facts.median;
    }
    if (table->has_total && table->total > 0 && table->row_count > 0) {
        facts.share = ag_table_number(table, 0, facts.measure) / (double)table->total;
        facts.has_share = isfinite(facts.share);
    }
    return facts;
}

static bool names(const struct ag_filter *filter, const char *value)
{
    for (size_t i = 0; i < filter->value_count; i++) {
        if (strcmp(filter->values[i], value) == 0) {
            return true;
        }
    }
    return false;
}

bool ag_only_errors(const struct ag_filter *filter)
{
    if (filter->field != AG_LEVEL) {
        return false;
    }
    bool both =
        filter->op == AG_IN && filter->value_count == 2 && names(filter, "ERROR") && names(filter, "FATAL");
    return both || (filter->op == AG_AT_LEAST && filter->value_count == 1 && names(filter, "ERROR"));
}

struct ag_subject ag_subject_of(const struct ag_intent *intent)
{
    struct ag_subject subject = {.errors = false};
    for (size_t i = 0; i < intent->filter_count; i++) {
        const struct ag_filter *filter = &intent->filters[i];
        bool one = filter->op == AG_IN && filter->value_count == 1;
        if (filter->part != 0) {
            continue;
        }
        if (intent->measure.fn == AG_SHARE && i + 1 == intent->filter_count) {
            break; /* it is the part, not the whole */
        }
        if (filter->field == AG_LEVEL) {
            bool from = filter->op == AG_AT_LEAST && filter->value_count == 1;
            subject.errors |= ag_only_errors(filter);
            if (!subject.errors && (one || from)) {
                subject.level = filter->values[0];
                subject.level_or_above = from;
            } else if (!subject.errors) {
                subject.others++;
            }
        } else if (filter->field == AG_SERVICE && one && subject.service == NULL) {
            subject.service = filter->values[0];
        } else {
            subject.only = subject.others == 0 && one ? filter : NULL;
            subject.others++;
        }
    }
    if (subject.others != 1) {
        subject.only = NULL;
    }
    return subject;
}
