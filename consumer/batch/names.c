#include "consumer/batch/names.h"

#include "common/arena.h"
#include "common/clock.h"
#include "consumer/batch/array.h"
#include "consumer/batch/index.h"

#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

/* A B-tree entry holds 2,704 bytes, three texts of a name at most 255 each. */
#define VALUE_MAX 255
#define NAME_MAX_BYTES (3 * (VALUE_MAX + 1)) /* in the arena, which rounds up to 16 */
#define FLUSH_US LM_MINUTE_US
/* Keys of one metadata object that are looked at. */
#define METADATA_KEYS_MAX 64

/* Names of a record that are tried where its service had them last: each of the texts of of_record in one of
 * MEMO_WAYS places, then keys. */
enum { MEMO_TEXTS = 7, MEMO_WAYS = 8, MEMO_KEYS = 8, MEMO_SLOTS = MEMO_TEXTS * MEMO_WAYS + MEMO_KEYS };
/* Services that are tried first. */
enum { RECENT_WAYS = 64 };

/* What is read and written for each name of a record: small and in one piece, most texts included. */
struct entry {
    int64_t n, first_us, last_us;
    /* The entry of its service in its environment; CO_INDEX_NONE for a service, and where that found no
     * place. */
    uint32_t context;
    uint8_t kind, len;
    char head[34]; /* as much of the text as there is room for */
};
_Static_assert(sizeof(struct entry) == 64, "as large as a cache line");

/* The rest of it. Service and environment are those of its context, where it has one. */
struct origin {
    struct lm_slice value, service, environment;
    uint32_t memo; /* of a service: its place in `memos` */
};

/* Where a record's names are looked for. */
struct place {
    uint32_t context;
    uint64_t seed;
    uint32_t *memo; /* NULL where there is none */
};

struct co_names {
    struct entry *entries;
    struct origin *origins; /* of the same positions */
    size_t count, cap, origin_cap;
    uint32_t recent[RECENT_WAYS]; /* services, by recent_of(); CO_INDEX_NONE for none */
    uint32_t *fresh;              /* entries never written */
    size_t fresh_count, fresh_cap;
    struct co_index index;
    uint32_t (*memos)[MEMO_SLOTS]; /* by service: the entry each slot had last, CO_INDEX_NONE for none */
    size_t memo_cap;
    struct lm_arena texts;
    size_t of_kind[CO_NAME_KIND_COUNT];
    size_t max_of_kind;
    uint64_t overflow;
    int64_t flushed_us; /* monotonic */
};

static const char *const kind_names[CO_NAME_KIND_COUNT] = {
    [CO_NAME_SERVICE] = "service",
    [CO_NAME_ENVIRONMENT] = "environment",
    [CO_NAME_HOST] = "host",
    [CO_NAME_COMPONENT] = "component",
    [CO_NAME_MODULE] = "module",
    [CO_NAME_ENDPOINT] = "endpoint",
    [CO_NAME_ERROR_TYPE] = "error_type",
    [CO_NAME_EVENT_TYPE] = "event_type",
    [CO_NAME_METADATA_KEY] = "metadata_key",
};

static const struct {
    enum co_name_kind kind;
    enum lm_text text;
} of_record[] = {
    {CO_NAME_ENVIRONMENT, LM_ENVIRONMENT}, {CO_NAME_HOST, LM_HOST},
    {CO_NAME_COMPONENT, LM_COMPONENT},     {CO_NAME_MODULE, LM_MODULE},
    {CO_NAME_ENDPOINT, LM_ENDPOINT},       {CO_NAME_ERROR_TYPE, LM_ERROR_TYPE},
    {CO_NAME_EVENT_TYPE, LM_EVENT_TYPE},
};

const char *co_name_kind_name(enum co_name_kind kind)
{
    return kind_names[kind];
}

struct co_names *co_names_new(size_t max_of_kind)
{
    struct co_names *names = calloc(1, sizeof(*names));
    if (names == NULL)
        return NULL;
    names->max_of_kind = max_of_kind;
    names->flushed_us = lm_clock_mono_us();
    for (size_t i = 0; i < RECENT_WAYS; i++)
        names->recent[i] = CO_INDEX_NONE;
    lm_arena_init(&names->texts, max_of_kind * CO_NAME_KIND_COUNT * NAME_MAX_BYTES);
    return names;
}

void co_names_free(struct co_names *names)
{
    if (names == NULL)
        return;
    free(names->entries);
    free(names->origins);
    free(names->fresh);
    free(names->memos);
    co_index_free(&names->index);
    lm_arena_free(&names->texts);
    free(names);
}

uint64_t co_names_take_overflow(struct co_names *names)
{
    uint64_t overflow = names->overflow;
    names->overflow = 0;
    return overflow;
}

static int keep(struct co_names *names, struct lm_slice text, struct lm_slice *out)
{
    out->len = text.len;
    out->data = lm_arena_copy(&names->texts, text.data, text.len);
    return out->data == NULL ? -1 : 0;
}

static int keep_origin(struct co_names *names, const struct co_name_row *row, uint32_t context,
                       struct origin *out)
{
    if (keep(names, row->value, &out->value) != 0)
        return -1;
    if (context != CO_INDEX_NONE) {
        out->service = names->origins[context].service;
        out->environment = names->origins[context].environment;
        return 0;
    }
    if (keep(names, row->service, &out->service) != 0)
        return -1;
    return keep(names, row->environment, &out->environment);
}

static int room_for_one(struct co_names *names, enum co_name_kind kind)
{
    if (co_array_room(&names->entries, names->count, &names->cap, sizeof(names->entries[0])) != 0 ||
        co_array_room(&names->origins, names->count, &names->origin_cap, sizeof(names->origins[0])) != 0 ||
        co_array_room(&names->fresh, names->fresh_count, &names->fresh_cap, sizeof(names->fresh[0])) != 0)
        return -1;
    return kind == CO_NAME_SERVICE ? co_array_room(&names->memos, names->of_kind[CO_NAME_SERVICE],
                                                   &names->memo_cap, sizeof(names->memos[0]))
                                   : 0;
}

/* The new entry's position, or CO_INDEX_NONE without memory. */
static uint32_t add_entry(struct co_names *names, uint64_t hash, const struct co_name_row *row,
                          uint32_t context)
{
    struct entry entry = {.n = 1,
                          .first_us = row->first_us,
                          .last_us = row->last_us,
                          .context = context,
                          .kind = (uint8_t)row->kind,
                          .len = (uint8_t)row->value.len};
    struct origin origin = {.memo = (uint32_t)names->of_kind[CO_NAME_SERVICE]};

    if (room_for_one(names, row->kind) != 0 || keep_origin(names, row, context, &origin) != 0 ||
        co_index_add(&names->index, hash, (uint32_t)names->count) != 0)
        return CO_INDEX_NONE;
    if (row->kind == CO_NAME_SERVICE) {
        for (size_t i = 0; i < MEMO_SLOTS; i++)
            names->memos[origin.memo][i] = CO_INDEX_NONE;
    }
    memcpy(entry.head, row->value.data,
           row->value.len < sizeof(entry.head) ? row->value.len : sizeof(entry.head));
    names->fresh[names->fresh_count++] = (uint32_t)names->count;
    names->entries[names->count] = entry;
    names->origins[names->count] = origin;
    names->of_kind[row->kind]++;
    return (uint32_t)names->count++;
}

static void count(struct entry *entry, int64_t at_us)
{
    if (entry->n == 0 || at_us < entry->first_us)
        entry->first_us = at_us;
    if (entry->n == 0 || at_us > entry->last_us)
        entry->last_us = at_us;
    entry->n++;
}

_Static_assert(sizeof(of_record) / sizeof(of_record[0]) == MEMO_TEXTS, "ways for each text");

/* Names of one kind differ at their end: web-1, web-2, /orders/17. */
static size_t end_of(struct lm_slice value)
{
    return value.len > 0 ? (unsigned char)value.data[value.len - 1] + value.len : 0;
}

static size_t slot_of(size_t text, struct lm_slice value)
{
    return text * MEMO_WAYS + end_of(value) % MEMO_WAYS;
}

static uint32_t *recent_of(struct co_names *names, const struct co_name_row *row)
{
    return &names->recent[(end_of(row->service) + row->environment.len * 8) % RECENT_WAYS];
}

static bool has_value(const struct co_names *names, uint32_t at, struct lm_slice value)
{
    const struct entry *entry = &names->entries[at];
    struct lm_slice known = {entry->head, entry->len};

    if (entry->len > sizeof(entry->head))
        known.data = names->origins[at].value.data;
    return lm_slice_equal(known, value);
}

/* What has no context is told apart by its service and environment: a service's value is that. */
static bool is_name(const struct co_names *names, uint32_t at, const struct co_name_row *row,
                    uint32_t context)
{
    const struct entry *entry = &names->entries[at];
    const struct origin *origin = &names->origins[at];

    if (entry->context != context || entry->kind != row->kind || !has_value(names, at, row->value))
        return false;
    return context != CO_INDEX_NONE ||
           ((row->kind == CO_NAME_SERVICE || lm_slice_equal(origin->service, row->service)) &&
            lm_slice_equal(origin->environment, row->environment));
}

/* 1: counted (*at is the entry), 0: found no place, -1: no memory. */
static int find_or_add(struct co_names *names, const struct co_name_row *row, uint32_t context, uint64_t hash,
                       uint32_t *at)
{
    size_t cursor = co_index_start(&names->index, hash);

    while ((*at = co_index_next(&names->index, hash, &cursor)) != CO_INDEX_NONE) {
        if (is_name(names, *at, row, context)) {
            count(&names->entries[*at], row->first_us);
            return 1;
        }
    }
    if (row->value.len > VALUE_MAX || names->of_kind[row->kind] >= names->max_of_kind) {
        names->overflow++;
        return 0;
    }
    *at = add_entry(names, hash, row, context);
    return *at == CO_INDEX_NONE ? -1 : 1;
}

/* Counts a name other than a service where its place had it last; false where it had another. */
static inline bool count_again(struct co_names *names, const struct place *place, size_t slot,
                               struct lm_slice value, int64_t at_us)
{
    uint32_t at = place->memo != NULL && slot < MEMO_SLOTS ? place->memo[slot] : CO_INDEX_NONE;

    if (at == CO_INDEX_NONE || !has_value(names, at, value))
        return false;
    count(&names->entries[at], at_us);
    return true;
}

/* One that was not there: as find_or_add, and remembered at `slot`. */
static int add_name(struct co_names *names, const struct co_name_row *row, const struct place *place,
                    size_t slot)
{
    uint64_t hash = XXH3_64bits_withSeed(row->value.data, row->value.len, place->seed + (uint64_t)row->kind);
    uint32_t at;
    int outcome = find_or_add(names, row, place->context, hash, &at);

    if (outcome == 1 && place->memo != NULL && slot < MEMO_SLOTS)
        place->memo[slot] = at;
    return outcome;
}

/* The record's service: as find_or_add; *place is where its other names are looked for. */
static int add_service(struct co_names *names, const struct co_name_row *row, struct place *place)
{
    uint32_t *recent = recent_of(names, row), at = *recent;
    uint64_t hash = 0;
    int outcome = 1;

    if (at != CO_INDEX_NONE && is_name(names, at, row, CO_INDEX_NONE)) {
        count(&names->entries[at], row->first_us);
    } else {
        hash = XXH3_64bits_withSeed(row->environment.data, row->environment.len,
                                    XXH3_64bits(row->service.data, row->service.len));
        outcome = find_or_add(names, row, CO_INDEX_NONE, hash, &at);
    }
    if (outcome == 1) {
        *recent = at;
        /* Spread over all bits, so that a kind added to it makes another seed. */
        *place = (struct place){.context = at,
                                .seed = (at + UINT64_C(1)) * UINT64_C(0x9e3779b97f4a7c15),
                                .memo = names->memos[names->origins[at].memo]};
    } else {
        *place = (struct place){.context = CO_INDEX_NONE, .seed = hash};
    }
    return outcome;
}

/* Behind the quote that closes the string that begins at `at`; `end` where there is none. */
static const char *behind_string(const char *at, const char *end, bool *escaped)
{
    *escaped = false;
    for (; at < end && *at != '"'; at++) {
        if (*at == '\\') {
            *escaped = true;
            at++;
        }
    }
    return at < end ? at + 1 : end;
}

/* The comma or bracket behind the value at `at`. */
static const char *behind_value(const char *at, const char *end)
{
    unsigned depth = 0;
    bool escaped;

    while (at < end && (depth > 0 || (*at != ',' && *at != '}'))) {
        if (*at == '"') {
            at = behind_string(at + 1, end, &escaped);
            continue;
        }
        depth += *at == '{' || *at == '[';
        depth -= *at == '}' || *at == ']';
        at++;
    }
    return at;
}

/*
 * The keys of a JSON object at its top level, where JSON has been checked already. Keys with an escape are
 * left out: what names a key in a question has none.
 */
static int add_metadata_keys(struct co_names *names, struct co_name_row *row, struct lm_slice json,
                             const struct place *place)
{
    const char *at = json.data, *end = json.data + json.len;
    size_t keys = 0;

    row->kind = CO_NAME_METADATA_KEY;
    while (at < end && keys < METADATA_KEYS_MAX) {
        const char *key = at + 1;
        bool escaped;

        if (*at++ != '"')
            continue;
        at = behind_string(key, end, &escaped);
        if (at == end)
            return 0;
        row->value = (struct lm_slice){key, (size_t)(at - 1 - key)};
        at = behind_value(at, end);
        if (escaped || row->value.len == 0)
            continue;
        size_t slot = MEMO_SLOTS - MEMO_KEYS + keys++;
        if (!count_again(names, place, slot, row->value, row->first_us) &&
            add_name(names, row, place, slot) < 0)
            return -1;
    }
    return 0;
}

int co_names_add(struct co_names *names, const struct lm_record *record, uint32_t *service_place)
{
    const struct lm_slice *text = record->text;
    struct place place;
    struct co_name_row row = {.kind = CO_NAME_SERVICE,
                              .value = text[LM_SERVICE],
                              .service = text[LM_SERVICE],
                              .environment = text[LM_ENVIRONMENT],
                              .first_us = record->timestamp_us,
                              .last_us = record->timestamp_us,
                              .n = 1};
    int outcome = add_service(names, &row, &place);

    if (outcome < 0)
        return -1;
    *service_place = outcome == 1 ? place.context : CO_NAMES_NO_PLACE;
    for (size_t i = 0; i < sizeof(of_record) / sizeof(of_record[0]); i++) {
        struct lm_slice value = text[of_record[i].text];
        size_t slot = slot_of(i, value);

        if (value.len == 0 || count_again(names, &place, slot, value, record->timestamp_us))
            continue;
        row.kind = of_record[i].kind;
        row.value = value;
        if (add_name(names, &row, &place, slot) < 0)
            return -1;
    }
    if (text[LM_METADATA].len > 2)
        return add_metadata_keys(names, &row, text[LM_METADATA], &place);
    return 0;
}

static int take(struct co_names *names, uint32_t at, struct co_name_row **rows, size_t *row_count,
                size_t *cap)
{
    struct entry *entry = &names->entries[at];
    const struct origin *origin = &names->origins[at];

    if (co_array_room(rows, *row_count, cap, sizeof(**rows)) != 0)
        return -1;
    (*rows)[(*row_count)++] = (struct co_name_row){.kind = entry->kind,
                                                   .value = origin->value,
                                                   .service = origin->service,
                                                   .environment = origin->environment,
                                                   .first_us = entry->first_us,
                                                   .last_us = entry->last_us,
                                                   .n = entry->n};
    entry->n = 0;
    return 0;
}

int co_names_take(struct co_names *names, int64_t now_us, struct co_name_row **rows, size_t *row_count,
                  size_t *cap)
{
    size_t taken = 0;
    while (taken < names->fresh_count && take(names, names->fresh[taken], rows, row_count, cap) == 0)
        taken++;
    names->fresh_count -= taken;
    if (names->fresh_count > 0) {
        memmove(names->fresh, names->fresh + taken, names->fresh_count * sizeof(names->fresh[0]));
        return -1;
    }
    if (now_us - names->flushed_us < FLUSH_US)
        return 0;
    names->flushed_us = now_us;
    for (size_t i = 0; i < names->count; i++) {
        if (names->entries[i].n > 0 && take(names, (uint32_t)i, rows, row_count, cap) != 0)
            return -1;
    }
    return 0;
}
