/*
 * Names sorted once, looked up by binary search: by folded text for exact links, by part for links like
 * "payment" to payment-service, and by a bounded edit distance for suggestions.
 */
#include "agent/catalogue.h"

#include "agent/understand/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>
#include <xxhash.h>

#define MAX_NAME 255
#define MAX_EDIT 64

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
    uint64_t version;
    bool sealed;
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
        c->version = XXH64(&c->names[i].kind, sizeof c->names[i].kind, c->version);
        c->version = XXH64(c->names[i].value, strlen(c->names[i].value), c->version);
    }
    for (; k <= AG_KIND_COUNT; k++)
        c->first[k] = c->count;
    split_parts(c);
    qsort((void *)c->by_folded, c->count, sizeof *c->by_folded, by_folded);
    qsort(c->parts, c->part_count, sizeof *c->parts, by_part);
    c->sealed = true;
    return 0;
}

uint64_t ag_catalogue_version(const struct ag_catalogue *catalogue)
{
    return catalogue->version;
}

size_t ag_catalogue_count(const struct ag_catalogue *catalogue, enum ag_kind kind)
{
    return catalogue->sealed ? catalogue->first[kind + 1] - catalogue->first[kind] : 0;
}

const struct ag_name *ag_catalogue_at(const struct ag_catalogue *catalogue, enum ag_kind kind, size_t index)
{
    return &catalogue->names[catalogue->first[kind] + index];
}

size_t ag_catalogue_find(const struct ag_catalogue *c, const char *folded, size_t len,
                         const struct ag_name **out, size_t max)
{
    size_t low = 0;
    size_t high = c->sealed ? c->count : 0;
    size_t found = 0;

    while (low < high) {
        size_t middle = (low + high) / 2;
        const char *text = c->by_folded[middle]->folded;
        if (compare_parts(text, strlen(text), folded, len) < 0)
            low = middle + 1;
        else
            high = middle;
    }
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
    size_t low = 0;
    size_t high = c->part_count;
    size_t found = 0;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (compare_parts(c->parts[middle].text, c->parts[middle].len, part, len) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < c->part_count && compare_parts(c->parts[low].text, c->parts[low].len, part, len) == 0;
         low++) {
        if (c->parts[low].name->kind != kind ||
            (found > 0 && found <= max && out[found - 1] == c->parts[low].name))
            continue;
        if (found < max)
            out[found] = c->parts[low].name;
        found++;
    }
    return found;
}

static size_t decode(const char *text, size_t len, int32_t out[MAX_EDIT])
{
    size_t n = 0;
    size_t at = 0;

    while (at < len) {
        utf8proc_int32_t cp;
        utf8proc_ssize_t step =
            utf8proc_iterate((const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)(len - at), &cp);
        if (step <= 0 || n == MAX_EDIT)
            return MAX_EDIT + 1;
        out[n++] = cp;
        at += (size_t)step;
    }
    return n;
}

unsigned ag_edit_distance(const char *a, size_t a_len, const char *b, size_t b_len, unsigned limit)
{
    int32_t x[MAX_EDIT];
    int32_t y[MAX_EDIT];
    unsigned rows[3][MAX_EDIT + 1];
    size_t n = decode(a, a_len, x);
    size_t m = decode(b, b_len, y);

    if (n > MAX_EDIT || m > MAX_EDIT || (n > m ? n - m : m - n) > limit)
        return limit + 1;
    for (size_t j = 0; j <= m; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= n; i++) {
        unsigned *row = rows[i % 3];
        const unsigned *before = rows[(i + 2) % 3];
        const unsigned *two_before = rows[(i + 1) % 3];
        unsigned best = row[0] = (unsigned)i;
        for (size_t j = 1; j <= m; j++) {
            unsigned cost = before[j - 1] + (x[i - 1] != y[j - 1]);
            if (before[j] + 1 < cost)
                cost = before[j] + 1;
            if (row[j - 1] + 1 < cost)
                cost = row[j - 1] + 1;
            if (i > 1 && j > 1 && x[i - 1] == y[j - 2] && x[i - 2] == y[j - 1] &&
                two_before[j - 2] + 1 < cost)
                cost = two_before[j - 2] + 1;
            row[j] = cost;
            best = cost < best ? cost : best;
        }
        if (best > limit)
            return limit + 1;
    }
    return rows[n % 3][m] <= limit ? rows[n % 3][m] : limit + 1;
}

/* Smaller is closer. A shared part ("coupon-service", "payment-service" share "service") counts a little. */
static unsigned closeness(const struct ag_name *name, const char *folded, size_t len)
{
    unsigned limit = (unsigned)(len / 2 + 2);
    unsigned distance = ag_edit_distance(name->folded, strlen(name->folded), folded, len, limit);
    const char *inside = len >= 3 && len < 64 ? strstr(name->folded, folded) : NULL;

    return inside ? 1 : distance * 2 > 2 * limit ? 1000 : distance * 2;
}

size_t ag_catalogue_nearest(const struct ag_catalogue *c, enum ag_kind kind, const char *folded, size_t len,
                            const struct ag_name **out, size_t max)
{
    unsigned best[16];
    size_t found = 0;
    size_t from = !c->sealed || kind == AG_KIND_COUNT ? 0 : c->first[kind];
    size_t to = !c->sealed ? 0 : kind == AG_KIND_COUNT ? c->count : c->first[kind + 1];

    if (max > 16)
        max = 16;
    for (size_t i = from; i < to; i++) {
        const struct ag_name *name = &c->names[i];
        unsigned cost = closeness(name, folded, len);
        size_t at = found;
        if (cost >= 1000)
            continue;
        while (at > 0 && (best[at - 1] > cost || (best[at - 1] == cost && out[at - 1]->n < name->n)))
            at--;
        if (at >= max)
            continue;
        if (found < max)
            found++;
        for (size_t k = found - 1; k > at; k--) {
            best[k] = best[k - 1];
            out[k] = out[k - 1];
        }
        best[at] = cost;
        out[at] = name;
    }
    return found;
}
