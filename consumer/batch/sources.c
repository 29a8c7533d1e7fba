#include "consumer/batch/sources.h"

#include <stdlib.h>
#include <string.h>

struct entry {
    int64_t source;
    int64_t sequence;
    uint32_t serial; /* batch that moved it last; LOADED for what PostgreSQL gave; 0: empty slot */
    uint32_t move;   /* its place in that batch's moves */
};

#define LOADED UINT32_MAX
#define NOTHING_YET (UINT32_MAX - 1) /* PostgreSQL has nothing of it */

struct table {
    struct entry *entries;
    size_t cap; /* a power of two, or 0 */
    size_t used;
};

struct co_sources {
    struct table young, old;
    size_t young_max;
    uint32_t serial;     /* batch being filled */
    uint32_t committed;  /* highest committed batch */
    uint32_t old_serial; /* highest batch that can have moved something in the old generation */
    bool complete;
};

static uint64_t mix(int64_t source)
{
    uint64_t x = (uint64_t)source; /* splitmix64's finaliser: ids may be offsets or counters */
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static struct entry *find(const struct table *table, int64_t source)
{
    if (table->cap == 0)
        return NULL;
    for (size_t at = (size_t)mix(source) & (table->cap - 1);; at = (at + 1) & (table->cap - 1)) {
        struct entry *entry = &table->entries[at];
        if (entry->serial == 0)
            return NULL;
        if (entry->source == source)
            return entry;
    }
}

static struct entry *place(struct table *table, int64_t source)
{
    size_t at = (size_t)mix(source) & (table->cap - 1);
    while (table->entries[at].serial != 0)
        at = (at + 1) & (table->cap - 1);
    table->used++;
    table->entries[at].source = source;
    return &table->entries[at];
}

static int grow(struct table *table)
{
    struct table wider = {.cap = table->cap == 0 ? 64 : table->cap * 2};
    wider.entries = calloc(wider.cap, sizeof(wider.entries[0]));
    if (wider.entries == NULL)
        return -1;
    for (size_t i = 0; i < table->cap; i++) {
        if (table->entries[i].serial != 0)
            *place(&wider, table->entries[i].source) = table->entries[i];
    }
    free(table->entries);
    *table = wider;
    return 0;
}

/* The old generation goes, unless a batch that is not committed yet may still need what it holds. */
static void age(struct co_sources *sources)
{
    if (sources->young.used < sources->young_max || sources->committed < sources->old_serial)
        return;
    if (sources->old.used > 0)
        sources->complete = false;
    free(sources->old.entries);
    sources->old = sources->young;
    sources->old_serial = sources->serial;
    sources->young = (struct table){0};
}

static struct entry *add(struct co_sources *sources, int64_t source)
{
    age(sources);
    if ((sources->young.used + 1) * 4 > sources->young.cap * 3 && grow(&sources->young) != 0)
        return NULL;
    return place(&sources->young, source);
}

struct co_sources *co_sources_new(size_t max)
{
    struct co_sources *sources = calloc(1, sizeof(*sources));
    if (sources != NULL)
        sources->young_max = max / 2 > 0 ? max / 2 : 1;
    return sources;
}

void co_sources_free(struct co_sources *sources)
{
    if (sources == NULL)
        return;
    free(sources->young.entries);
    free(sources->old.entries);
    free(sources);
}

bool co_sources_knows(const struct co_sources *sources, int64_t source)
{
    return sources->complete || find(&sources->young, source) != NULL || find(&sources->old, source) != NULL;
}

static int load(struct co_sources *sources, int64_t source, int64_t sequence, uint32_t serial)
{
    if (find(&sources->young, source) != NULL || find(&sources->old, source) != NULL)
        return 0;
    struct entry *entry = add(sources, source);
    if (entry == NULL)
        return -1;
    entry->sequence = sequence;
    entry->serial = serial;
    return 0;
}

int co_sources_load(struct co_sources *sources, int64_t source, int64_t sequence)
{
    return load(sources, source, sequence, LOADED);
}

int co_sources_load_new(struct co_sources *sources, int64_t source)
{
    return load(sources, source, INT64_MIN, NOTHING_YET);
}

void co_sources_set_complete(struct co_sources *sources, bool complete)
{
    sources->complete = complete;
}

void co_sources_begin(struct co_sources *sources, uint32_t serial)
{
    sources->serial = serial;
}

void co_sources_committed(struct co_sources *sources, uint32_t serial)
{
    sources->committed = serial;
}

/* The entry, brought into the young generation; NULL in *out where the source is new to the cache. */
static int recall(struct co_sources *sources, int64_t source, struct entry **out)
{
    struct entry *old;

    *out = find(&sources->young, source);
    if (*out != NULL)
        return 0;
    old = find(&sources->old, source);
    if (old == NULL)
        return 0;
    struct entry copy = *old; /* adding may drop the old generation */
    *out = add(sources, source);
    if (*out == NULL)
        return -1;
    **out = copy;
    return 0;
}

int co_sources_decide(struct co_sources *sources, int64_t source, int64_t sequence, size_t move_count,
                      enum co_verdict *verdict, size_t *move)
{
    struct entry *entry;

    if (recall(sources, source, &entry) != 0)
        return -1;
    if (entry == NULL && !sources->complete) {
        *verdict = CO_VERDICT_UNKNOWN;
        return 0;
    }
    if (entry != NULL && entry->serial != NOTHING_YET && sequence <= entry->sequence) {
        *verdict = CO_VERDICT_REPEAT;
        return 0;
    }
    if (entry == NULL && (entry = add(sources, source)) == NULL)
        return -1;
    if (entry->serial != sources->serial) {
        entry->serial = sources->serial;
        entry->move = (uint32_t)move_count;
    }
    entry->sequence = sequence;
    *verdict = CO_VERDICT_NEW;
    *move = entry->move;
    return 0;
}

size_t co_sources_count(const struct co_sources *sources)
{
    return sources->young.used + sources->old.used;
}
