/*
 * How many lines each pattern has, for `patterns --top`: the pattern, its template, a count and the first
 * line as a sample. Bounded: what comes after CT_PATTERNS_MAX patterns is counted as others.
 */
#ifndef LOGMILL_CTL_PATTERN_COUNT_H
#define LOGMILL_CTL_PATTERN_COUNT_H

#include "common/error.h"

#include <stddef.h>
#include <stdint.h>

#define CT_PATTERNS_MAX 100000
#define CT_SAMPLE_MAX 1000

struct ct_pattern_count {
    int64_t id;
    uint64_t n;
    char *text; /* the template, then the sample */
    size_t template_len, sample_len;
};

struct ct_pattern_counts;

struct ct_pattern_counts *ct_pattern_counts_new(void); /* NULL without memory */
void ct_pattern_counts_free(struct ct_pattern_counts *counts);
/* Counts a line. 0, or -1 without memory. `sample` is cut at a character within CT_SAMPLE_MAX bytes. */
int ct_pattern_counts_add(struct ct_pattern_counts *counts, int64_t id, const char *template,
                          size_t template_len, const char *sample, size_t sample_len) LM_MUST_CHECK;
/* Most lines first, equal ones by template. Owned by `counts`; nothing is added afterwards. */
const struct ct_pattern_count *ct_pattern_counts_sort(struct ct_pattern_counts *counts, size_t *count);
/* Lines of patterns that found no place. */
uint64_t ct_pattern_counts_others(const struct ct_pattern_counts *counts);

#endif
