/*
 * Names sorted once, looked up by binary search: by folded text for exact links and beginnings, by part for
 * links like "payment" to payment-service. What is only alike is found by nearest.c.
 */
#include "agent/catalogue/catalogue.h"

#include "agent/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#define MAX_NAME 255

struct part {
    const char *text; /* points into a name's parts, not terminated there */
    size_t len;
    const struct ag_name *name;
};

struct ag_catalogue {
    struct ag_name *names; /* sorted by kind, then value, once sealed */
    size_t count;
    size_t cap;
    size_t first[AG_KIND_COUNT + 1];
    const struct ag_name **by_folded;
    struct part *parts;
    size_t part_count;
    bool sealed;
    struct ag_samples *samples;
    uint8_t starts[65536 / 8]; /* by the first two bytes of folded names */
};

static const char *const kind_names[AG_KIND_COUNT] = {"service",    "environment", "host",
                                                      "component",  "module",      "endpoint",
                                                      "error_type", "event_type",  "metadata_key"};

const char *ag_kind_name(enum ag_kind kind)
{
    return (unsigned)kind < AG_KIND_COUNT ? kind_names[kind] : "";
}

int ag_kind_from_name(const char *name)
{
    for (int i = 0; i < AG_KIND_COUNT; i++) {
        if (strcmp(kind_names[i], name) == 0)
            return i;
    }
    return -1;
}

enum ag_field ag_kind_field(enum ag_kind kind)
{
    static const enum ag_field fields[AG_KIND_COUNT] = {AG_SERVICE,    AG_ENVIRONMENT, AG_HOST,
                                                        AG_COMPONENT,  AG_MODULE,      AG_ENDPOINT,
                                                        AG_ERROR_TYPE, AG_EVENT_TYPE,  AG_METADATA};

    return (unsigned)kind < AG_KIND_COUNT ? fields[kind] : AG_NO_FIELD;
}

struct ag_catalogue *ag_catalogue_new(void)
{
    return calloc(1, sizeof(struct ag_catalogue));
}

void ag_catalogue_free(struct ag_catalogue *catalogue)
{
    if (!catalogue)
        return;
    for (size_t i = 0; i < catalogue->count; i++) {
        free((char *)(uintptr_t)catalogue->names[i].value);
        free((char *)(uintptr_t)catalogue->names[i].folded);
        free((char *)(uintptr_t)catalogue->names[i].parts);
    }
    ag_samples_drop(catalogue->samples);
    free(catalogue->names);
    free((void *)catalogue->by_folded);
    free(catalogue->parts);
    free(catalogue);
}

static bool splits(char c)
{
    return c == '-' || c == '_' || c == '.' || c == '/' || c == ':' || c == ' ';
}

/* " payment gateway timeout ": at separators and where an upper-case letter follows a lower-case one or ends
 * a run. */
static char *parts_of(const char *value)
{
    size_t len = strlen(value);
    char *spaced = malloc(2 * len + 3);
    char *folded;
    char *out;
    size_t n = 0;

    if (!spaced)
        return NULL;
    spaced[n++] = ' ';
    for (size_t i = 0; i < len; i++) {
        char c = value[i];
        bool upper = isupper((unsigned char)c);
        bool after_lower =
            i > 0 && (islower((unsigned char)value[i - 1]) || isdigit((unsigned char)value[i - 1]));
        bool ends_run = i > 0 && isupper((unsigned char)value[i - 1]) && islower((unsigned char)value[i + 1]);
        if (splits(c)) {
            if (spaced[n - 1] != ' ')
                spaced[n++] = ' ';
            continue;
        }
        if (upper && (after_lower || ends_run) && spaced[n - 1] != ' ')
            spaced[n++] = ' ';
        spaced[n++] = c;
    }
    if (spaced[n - 1] != ' ')
        spaced[n++] = ' ';
    folded = ag_fold(spaced, n);
    free(spaced);
    if (!folded)
        return NULL;
    out = strdup(folded);
    free(folded);
    return out;
}

static bool acceptable(const char *value)
{
    size_t len = strlen(value);

    if (len == 0 || len > MAX_NAME)
        return false;
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)value[i] < 0x20 || value[i] == 0x7f)
            return false;
    }
    return true;
}

int ag_catalogue_add(struct ag_catalogue *catalogue, enum ag_kind kind, const char *value, int64_t n)
{
    struct ag_name name = {.kind = kind, .n = n};
    char *folded;

    if (!acceptable(value))
        return 0;
    folded = ag_fold(value, strlen(value));
    if (!folded)
        return 0; /* not UTF-8: it can never be asked for by name */
    if (catalogue->count == catalogue->cap) {
        size_t cap = catalogue->cap ? 2 * catalogue->cap : 256;
        struct ag_name *names = realloc(catalogue->names, cap * sizeof *names);
        if (!names) {
            free(folded);
            return -1;
        }
        catalogue->names = names;
        catalogue->cap = cap;
    }
    name.value = strdup(value);
    name.folded = folded;
    name.parts = parts_of(value);
    ag_letters(folded, strlen(folded), &name.letters);
    catalogue->names[catalogue->count++] = name;
    return name.value && name.parts ? 0 : -1;
}

static int by_kind_and_value(const void *a, const void *b)
{
    const struct ag_name *x = a;
    const struct ag_name *y = b;

    return x->kind != y->kind ? (x->kind < y->kind ? -1 : 1) : strcmp(x->value, y->value);
}

static int by_folded(const void *a, const void *b)
{
    const struct ag_name *x = *(const struct ag_name *const *)a;
    const struct ag_name *y = *(const struct ag_name *const *)b;
    int order = strcmp(x->folded, y->folded);

    return order != 0 ? order : by_kind_and_value(x, y);
}

static int compare_parts(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

    return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

static int by_part(const void *a, const void *b)
{
    const struct part *x = a;
    const struct part *y = b;
    int order = compare_parts(x->text, x->len, y->text, y->len);

    return order != 0 ? order : by_kind_and_value(x->name, y->name);
}

/* Equal names are one; their counts add up. */
static void merge(struct ag_catalogue *c)
{
    size_t kept = 0;

    for (size_t i = 0; i < c->count; i++) {
        if (kept > 0 && by_kind_and_value(&c->names[kept - 1], &c->names[i]) == 0) {
            c->names[kept - 1].n += c->names[i].n;
            free((char *)(uintptr_t)c->names[i].value);
            free((char *)(uintptr_t)c->names[i].folded);
            free((char *)(uintptr_t)c->names[i].parts);
        } else {
            c->names[kept++] = c->names[i];
        }
    }
    c->count = kept;
}

static size_t count_parts(const struct ag_catalogue *c)
{
    size_t n = 0;

    for (size_t i = 0; i < c->count; i++) {
        for (const char *p = c->names[i].parts; *p; p++)
            n += *p == ' ';
    }
    return n;
}

static void split_parts(struct ag_catalogue *c)
{
    for (size_t i = 0; i < c->count; i++) {
        const char *p = c->names[i].parts + 1;
        while (*p) {
            const char *end = strchr(p, ' ');
            if (!end)
                break;
            if (end > p)
                c->parts[c->part_count++] = (struct part){p, (size_t)(end - p), &c->names[i]};
            p = end + 1;
        }
    }
}

static unsigned start_of(const char *folded)
{
    return (unsigned)(unsigned char)folded[0] << 8 | (unsigned char)folded[1];
}

static void mark_start(struct ag_catalogue *c, const char *folded)
{
    unsigned start = start_of(folded);

    c->starts[start / 8] = (uint8_t)(c->starts[start / 8] | 1U << start % 8);
}

bool ag_catalogue_may_start(const struct ag_catalogue *c, const char *folded, size_t len)
{
    unsigned one = (unsigned)(unsigned char)folded[0] << 8;
    unsigned two = len > 1 ? start_of(folded) : one;

    return len > 0 && ((c->starts[two / 8] >> two % 8 & 1) != 0 || (c->starts[one / 8] >> one % 8 & 1) != 0);
}

int ag_catalogue_seal(struct ag_catalogue *c)
{
    size_t k = 0;

    if (c->count > 0)
        qsort(c->names, c->count, sizeof *c->names, by_kind_and_value);
    merge(c);
    c->by_folded = calloc(c->count + 1, sizeof *c->by_folded);
    c->parts = calloc(count_parts(c) + 1, sizeof *c->parts);
    if (!c->by_folded || !c->parts)
        return -1;
    for (size_t i = 0; i < c->count; i++) {
        for (; k <= (size_t)c->names[i].kind; k++)
            c->first[k] = i;
        c->by_folded[i] = &c->names[i];
        mark_start(c, c->names[i].folded);
    }
    for (; k <= AG_KIND_COUNT; k++)
        c->first[k] = c->count;
    split_parts(c);
    qsort((void *)c->by_folded, c->count, sizeof *c->by_folded, by_folded);
    qsort(c->parts, c->part_count, sizeof *c->parts, by_part);
    c->sealed = true;
    return 0;
}

void ag_catalogue_set_samples(struct ag_catalogue *catalogue, struct ag_samples *samples)
{
    ag_samples_drop(catalogue->samples);
    catalogue->samples = samples ? ag_samples_hold(samples) : NULL;
}

const struct ag_samples *ag_catalogue_samples(const struct ag_catalogue *catalogue)
{
    return catalogue->samples;
}

size_t ag_catalogue_count(const struct ag_catalogue *catalogue, enum ag_kind kind)
{
    return catalogue->sealed ? catalogue->first[kind + 1] - catalogue->first[kind] : 0;
}

const struct ag_name *ag_catalogue_at(const struct ag_catalogue *catalogue, enum ag_kind kind, size_t index)
{
    return &catalogue->names[catalogue->first[kind] + index];
}

/* The first in by_folded that is not before it. */
static size_t first_folded(const struct ag_catalogue *c, const char *folded, size_t len)
{
    size_t low = 0;
    size_t high = c->sealed ? c->count : 0;

    while (low < high) {
        size_t middle = (low + high) / 2;
        const char *text = c->by_folded[middle]->folded;
        if (compare_parts(text, strlen(text), folded, len) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The first in `parts` that is not before it, of this kind or a later one. */
static size_t first_part_of(const struct ag_catalogue *c, const char *part, size_t len, enum ag_kind kind)
{
    size_t low = 0;
    size_t high = c->part_count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = compare_parts(c->parts[middle].text, c->parts[middle].len, part, len);
        if (order < 0 || (order == 0 && c->parts[middle].name->kind < kind))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static size_t first_part(const struct ag_catalogue *c, const char *part, size_t len)
{
    return first_part_of(c, part, len, (enum ag_kind)0);
}

size_t ag_catalogue_find(const struct ag_catalogue *c, const char *folded, size_t len,
                         const struct ag_name **out, size_t max)
{
    size_t low = first_folded(c, folded, len);
    size_t found = 0;

    for (; c->sealed && low < c->count; low++) {
        const char *text = c->by_folded[low]->folded;
        if (compare_parts(text, strlen(text), folded, len) != 0)
            break;
        if (found < max)
            out[found] = c->by_folded[low];
        found++;
    }
    return found;
}

const struct ag_name *ag_catalogue_exact(const struct ag_catalogue *c, enum ag_kind kind, const char *value)
{
    struct ag_name key = {.kind = kind, .value = value};

    return c->sealed && c->count > 0 ? bsearch(&key, c->names, c->count, sizeof key, by_kind_and_value)
                                     : NULL;
}

static const char *unknown_value(const struct ag_catalogue *catalogue, enum ag_kind kind,
                                 const struct ag_filter *filter)
{
    if (ag_kind_field(kind) != filter->field || (filter->op != AG_IN && filter->op != AG_NOT_IN))
        return NULL;
    for (size_t i = 0; i < filter->value_count; i++) {
        if (!ag_catalogue_exact(catalogue, kind, filter->values[i]))
            return filter->values[i];
    }
    return NULL;
}

const char *ag_catalogue_unknown(const struct ag_catalogue *catalogue, const struct ag_intent *intent,
                                 enum ag_kind *kind)
{
    for (size_t i = 0; i < intent->filter_count; i++) {
        for (int k = 0; k < AG_KIND_METADATA_KEY; k++) {
            const char *value = unknown_value(catalogue, (enum ag_kind)k, &intent->filters[i]);
            if (value && kind)
                *kind = (enum ag_kind)k;
            if (value)
                return value;
        }
    }
    return NULL;
}

size_t ag_catalogue_with_part(const struct ag_catalogue *c, enum ag_kind kind, const char *part,
                              const struct ag_name **out, size_t max)
{
    size_t len = strlen(part);
    struct ag_part_walk walk = {.part = part, .len = len, .at = first_part_of(c, part, len, kind)};
    const struct ag_name *name;
    size_t found = 0;

    while ((name = ag_catalogue_part_next(c, &walk)) != NULL && name->kind == kind) {
        if (found < max)
            out[found] = name;
        found++;
    }
    return found;
}

struct ag_part_walk ag_catalogue_part_walk(const struct ag_catalogue *c, const char *part, size_t len)
{
    return (struct ag_part_walk){.part = part, .len = len, .at = first_part(c, part, len)};
}

const struct ag_name *ag_catalogue_part_next(const struct ag_catalogue *c, struct ag_part_walk *walk)
{
    while (walk->at < c->part_count) {
        const struct part *p = &c->parts[walk->at];
        if (compare_parts(p->text, p->len, walk->part, walk->len) != 0)
            break;
        walk->at++;
        if (p->name != walk->last) /* a part that a name has twice */
            return walk->last = p->name;
    }
    return NULL;
}

/* The first part of a name that starts so; NULL where none does. */
static const char *starting_part(const struct ag_name *name, const char *start, size_t len)
{
    for (const char *part = name->parts; (part = strchr(part, ' ')) != NULL; part++) {
        if (part[1] != '\0' && strncmp(part + 1, start, len) == 0)
            return part + 1;
    }
    return NULL;
}

void ag_catalogue_starting(const struct ag_catalogue *c, const char *start, size_t len,
                           ag_catalogue_visit visit, void *context)
{
    for (size_t i = first_folded(c, start, len); c->sealed && i < c->count; i++) {
        if (strncmp(c->by_folded[i]->folded, start, len) != 0)
            break;
        visit(c->by_folded[i], true, context);
    }
    for (size_t i = first_part(c, start, len); i < c->part_count; i++) {
        const struct part *p = &c->parts[i];
        if (p->len < len || memcmp(p->text, start, len) != 0)
            break;
        if (strncmp(p->name->folded, start, len) != 0 && starting_part(p->name, start, len) == p->text)
            visit(p->name, false, context);
    }
}

bool ag_name_has_part(const struct ag_name *name, const char *part, size_t len)
{
    for (const char *c = name->parts + 1; *c; c = strchr(c, ' ') + 1) {
        size_t n = strcspn(c, " ");
        if (n == len && memcmp(c, part, n) == 0)
            return true;
    }
    return false;
}
