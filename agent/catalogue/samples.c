#include "agent/catalogue/samples.h"

#include "agent/text.h"
#include "common/arena.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BYTES ((size_t)8 << 20)
#define MAX_TEXT 64
#define MAX_VALUES 100 /* of a key that is known by its values */
#define MAX_FORMS 4

struct ag_samples {
    unsigned holders;
    struct lm_arena arena;
    struct ag_sample *items;
    size_t count;
    size_t cap;
};

struct ag_samples *ag_samples_new(void)
{
    struct ag_samples *samples = calloc(1, sizeof(*samples));
    if (samples != NULL) {
        samples->holders = 1;
        lm_arena_init(&samples->arena, MAX_BYTES);
    }
    return samples;
}

struct ag_samples *ag_samples_hold(struct ag_samples *samples)
{
    samples->holders++;
    return samples;
}

void ag_samples_drop(struct ag_samples *samples)
{
    if (samples != NULL && --samples->holders == 0) {
        lm_arena_free(&samples->arena);
        free(samples->items);
        free(samples);
    }
}

static bool acceptable(const char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
            return false;
        }
    }
    return len > 0 && len <= MAX_TEXT;
}

static const char *keep(struct ag_samples *samples, const char *text)
{
    return lm_arena_copy(&samples->arena, text, strlen(text));
}

int ag_samples_add(struct ag_samples *samples, enum ag_field field, const char *key, const char *value)
{
    struct ag_sample sample = {.field = field};
    if (!acceptable(value) || (key != NULL && !acceptable(key))) {
        return 0;
    }
    char *folded = ag_fold(value, strlen(value));
    if (folded == NULL) {
        return 0; /* not UTF-8 */
    }
    sample.folded = keep(samples, folded);
    free(folded);
    sample.value = keep(samples, value);
    sample.key = key != NULL ? keep(samples, key) : NULL;
    if (sample.folded == NULL || sample.value == NULL || (key != NULL && sample.key == NULL)) {
        return -1;
    }
    if (samples->count == samples->cap) {
        size_t cap = samples->cap > 0 ? 2 * samples->cap : 256;
        struct ag_sample *items = realloc(samples->items, cap * sizeof(*items));
        if (items == NULL) {
            return -1;
        }
        samples->items = items;
        samples->cap = cap;
    }
    samples->items[samples->count++] = sample;
    return 0;
}

static int compare_group(const struct ag_sample *a, const struct ag_sample *b)
{
    if (a->field != b->field) {
        return a->field < b->field ? -1 : 1;
    }
    return strcmp(a->key != NULL ? a->key : "", b->key != NULL ? b->key : "");
}

static int by_group_and_text(const void *a, const void *b)
{
    const struct ag_sample *x = a;
    const struct ag_sample *y = b;
    int order = compare_group(x, y);
    return order != 0 ? order : strcmp(x->folded, y->folded);
}

/* Writes `text` with each run of digits as '#'; has it letters and digits? */
static bool form_of(const char *text, char out[MAX_TEXT * 4 + 1])
{
    size_t n = 0;
    bool letters = false;
    bool digits = false;
    for (; *text != '\0' && n < (size_t)MAX_TEXT * 4; text++) {
        bool digit = isdigit((unsigned char)*text) || *text == '#';
        letters = letters || isalpha((unsigned char)*text);
        digits = digits || digit;
        if (!digit) {
            out[n++] = *text;
        } else if (n == 0 || out[n - 1] != '#') {
            out[n++] = '#';
        }
    }
    out[n] = '\0';
    return letters && digits;
}

static bool only_forms(const struct ag_sample *sample)
{
    return sample->field == AG_USER_ID || sample->field == AG_SESSION_ID;
}

/* Replaces items [from, to), of one field and key, by the forms they have, from `kept` on; where they share
 * none, by nothing. How many are kept, or SIZE_MAX without memory. */
static size_t keep_forms(struct ag_samples *samples, size_t kept, size_t from, size_t to)
{
    const struct ag_sample group = samples->items[from];
    char forms[MAX_FORMS][MAX_TEXT * 4 + 1];
    size_t count = 0;
    for (size_t i = from; i < to; i++) {
        char form[MAX_TEXT * 4 + 1];
        size_t k = 0;
        if (!form_of(samples->items[i].folded, form)) {
            return 0;
        }
        while (k < count && strcmp(forms[k], form) != 0) {
            k++;
        }
        if (k == MAX_FORMS) {
            return 0;
        }
        if (k == count) {
            memcpy(forms[count++], form, sizeof(form));
        }
    }
    for (size_t k = 0; k < count; k++) {
        struct ag_sample *item = &samples->items[kept + k];
        *item = (struct ag_sample){.field = group.field, .key = group.key, .folded = keep(samples, forms[k])};
        if (item->folded == NULL) {
            return SIZE_MAX;
        }
    }
    return count;
}

int ag_samples_seal(struct ag_samples *samples)
{
    size_t kept = 0;
    if (samples->count > 0) {
        qsort(samples->items, samples->count, sizeof(*samples->items), by_group_and_text);
    }
    for (size_t from = 0, to; from < samples->count; from = to) {
        for (to = from + 1;
             to < samples->count && compare_group(&samples->items[from], &samples->items[to]) == 0; to++) {}
        if (to - from <= MAX_VALUES && !only_forms(&samples->items[from])) {
            memmove(&samples->items[kept], &samples->items[from], (to - from) * sizeof(*samples->items));
            kept += to - from;
            continue;
        }
        size_t forms = keep_forms(samples, kept, from, to);
        if (forms == SIZE_MAX) {
            return -1;
        }
        kept += forms;
    }
    samples->count = kept;
    return 0;
}

static size_t find(const struct ag_samples *samples, const char *folded, bool form,
                   const struct ag_sample **out, size_t max)
{
    size_t found = 0;
    for (size_t i = 0; i < samples->count; i++) {
        const struct ag_sample *item = &samples->items[i];
        if ((item->value == NULL) != form || strcmp(item->folded, folded) != 0) {
            continue;
        }
        if (found < max) {
            out[found] = item;
        }
        found++;
    }
    return found;
}

size_t ag_samples_find(const struct ag_samples *samples, const char *folded, const struct ag_sample **out,
                       size_t max)
{
    char form[MAX_TEXT * 4 + 1];
    if (samples == NULL || strlen(folded) > (size_t)MAX_TEXT * 4) {
        return 0;
    }
    size_t found = find(samples, folded, false, out, max);
    return found > 0 || !form_of(folded, form) ? found : find(samples, form, true, out, max);
}

size_t ag_samples_count(const struct ag_samples *samples)
{
    return samples != NULL ? samples->count : 0;
}

const struct ag_sample *ag_samples_at(const struct ag_samples *samples, size_t index)
{
    return &samples->items[index];
}
