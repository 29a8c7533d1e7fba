#include "ctl/pattern_count.h"

#include "common/utf8.h"

#include <stdlib.h>
#include <string.h>

/* A power of two, at least twice the most patterns: ids are hashes, their low bits the place to start. */
#define SLOTS ((size_t)1 << 18)

struct ct_pattern_counts {
    struct ct_pattern_count *items; /* in the order they came */
    size_t count, cap;
    uint64_t others;
    uint32_t slots[SLOTS]; /* position + 1 */
};

struct ct_pattern_counts *ct_pattern_counts_new(void)
{
    return calloc(1, sizeof(struct ct_pattern_counts));
}

void ct_pattern_counts_free(struct ct_pattern_counts *counts)
{
    if (counts == NULL)
        return;
    for (size_t i = 0; i < counts->count; i++)
        free(counts->items[i].text);
    free(counts->items);
    free(counts);
}

static int add_new(struct ct_pattern_counts *counts, struct ct_pattern_count *item, const char *template,
                   const char *sample)
{
    if (counts->count == counts->cap) {
        size_t cap = counts->cap == 0 ? 256 : counts->cap * 2;
        struct ct_pattern_count *items = realloc(counts->items, cap * sizeof items[0]);
        if (items == NULL)
            return -1;
        counts->items = items;
        counts->cap = cap;
    }
    item->text = malloc(item->template_len + item->sample_len + 1);
    if (item->text == NULL)
        return -1;
    memcpy(item->text, template, item->template_len);
    memcpy(item->text + item->template_len, sample, item->sample_len);
    counts->items[counts->count++] = *item;
    return 0;
}

int ct_pattern_counts_add(struct ct_pattern_counts *counts, int64_t id, const char *template,
                          size_t template_len, const char *sample, size_t sample_len)
{
    size_t at = (size_t)id & (SLOTS - 1);

    while (counts->slots[at] != 0) {
        struct ct_pattern_count *known = &counts->items[counts->slots[at] - 1];
        if (known->id == id) {
            known->n++;
            return 0;
        }
        at = (at + 1) & (SLOTS - 1);
    }
    if (counts->count >= CT_PATTERNS_MAX) {
        counts->others++;
        return 0;
    }
    struct ct_pattern_count item = {.id = id,
                                    .n = 1,
                                    .template_len = template_len,
                                    .sample_len = lm_utf8_cut(sample, sample_len, CT_SAMPLE_MAX)};
    if (add_new(counts, &item, template, sample) != 0)
        return -1;
    counts->slots[at] = (uint32_t)counts->count;
    return 0;
}

static int by_count(const void *a, const void *b)
{
    const struct ct_pattern_count *x = a, *y = b;
    if (x->n != y->n)
        return x->n > y->n ? -1 : 1;
    /* qsort may change the order of equal ones. */
    size_t shorter = x->template_len < y->template_len ? x->template_len : y->template_len;
    int order = memcmp(x->text, y->text, shorter);
    return order != 0 ? order : (x->template_len > y->template_len) - (x->template_len < y->template_len);
}

const struct ct_pattern_count *ct_pattern_counts_sort(struct ct_pattern_counts *counts, size_t *count)
{
    if (counts->count > 1)
        qsort(counts->items, counts->count, sizeof counts->items[0], by_count);
    memset(counts->slots, 0, sizeof counts->slots);
    *count = counts->count;
    return counts->items;
}

uint64_t ct_pattern_counts_others(const struct ct_pattern_counts *counts)
{
    return counts->others;
}
