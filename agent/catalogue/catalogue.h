/*
 * The names really in the data, by kind: an immutable snapshot made from log_name. The parser links words to
 * them, and only to them; the service makes a new one at each refresh and swaps the pointer.
 */
#ifndef LOGMILL_AGENT_CATALOGUE_H
#define LOGMILL_AGENT_CATALOGUE_H

#include "agent/catalogue/samples.h"
#include "agent/intent.h"
#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As log_name.kind spells them. */
enum ag_kind {
    AG_KIND_SERVICE,
    AG_KIND_ENVIRONMENT,
    AG_KIND_HOST,
    AG_KIND_COMPONENT,
    AG_KIND_MODULE,
    AG_KIND_ENDPOINT,
    AG_KIND_ERROR_TYPE,
    AG_KIND_EVENT_TYPE,
    AG_KIND_METADATA_KEY,
    AG_KIND_COUNT
};

const char *ag_kind_name(enum ag_kind kind);
/* -1 for an unknown name. */
int ag_kind_from_name(const char *name);
/* The field a name of this kind filters. */
enum ag_field ag_kind_field(enum ag_kind kind);

/* What a text is written with: a bound on how alike two can be. */
struct ag_letters {
    uint64_t classes; /* bit c % 64 of every code point c */
    unsigned count;   /* code points */
};

struct ag_name {
    enum ag_kind kind;
    const char *value;  /* as stored */
    const char *folded; /* NFKC, case folded */
    const char *parts;  /* folded parts split at - _ . / : and case changes, each between single spaces: "
                           payment service " */
    int64_t n;          /* rows seen, for ranking suggestions */
    struct ag_letters letters; /* of `folded` */
};

struct ag_catalogue;

/* NULL without memory. */
struct ag_catalogue *ag_catalogue_new(void);
/* NULL is allowed. */
void ag_catalogue_free(struct ag_catalogue *catalogue);
/* Adds one name (seen `n` times; repeated calls add up). Names over 255 bytes or with control characters are
 * left out. 0 or -1 without memory. Only before ag_catalogue_seal. */
int ag_catalogue_add(struct ag_catalogue *catalogue, enum ag_kind kind, const char *value,
                     int64_t n) LM_MUST_CHECK;
/* Sorts and indexes; after it the snapshot is read-only and may be read by any thread. 0 or -1 without
 * memory. */
int ag_catalogue_seal(struct ag_catalogue *catalogue) LM_MUST_CHECK;
/* Values of fields that are not catalogued, met in a sample; may be NULL. The catalogue holds them. Only
 * before it is handed out. */
void ag_catalogue_set_samples(struct ag_catalogue *catalogue, struct ag_samples *samples);
/* NULL where there are none. */
const struct ag_samples *ag_catalogue_samples(const struct ag_catalogue *catalogue);

/* Names of a kind, sorted by value. */
size_t ag_catalogue_count(const struct ag_catalogue *catalogue, enum ag_kind kind);
const struct ag_name *ag_catalogue_at(const struct ag_catalogue *catalogue, enum ag_kind kind, size_t index);

/* The names whose folded text is `folded[0..len)`, any kind, at most `max` into `out`; how many there are. */
size_t ag_catalogue_find(const struct ag_catalogue *catalogue, const char *folded, size_t len,
                         const struct ag_name **out, size_t max);
/* May a name start with this text? A cheap filter before ag_catalogue_find. */
bool ag_catalogue_may_start(const struct ag_catalogue *catalogue, const char *folded, size_t len);
/* A name of this kind by its stored value, or NULL. */
const struct ag_name *ag_catalogue_exact(const struct ag_catalogue *catalogue, enum ag_kind kind,
                                         const char *value);
/* Names of `kind` with `part` (folded) among their parts. */
size_t ag_catalogue_with_part(const struct ag_catalogue *catalogue, enum ag_kind kind, const char *part,
                              const struct ag_name **out, size_t max);
/* Is part[0..len) (folded) one of the name's parts? */
bool ag_name_has_part(const struct ag_name *name, const char *part, size_t len);
/* Names with a part, of every kind, without a bound: each name once. `part` must outlive the walk. */
struct ag_part_walk {
    const char *part;
    size_t len;
    size_t at;
    const struct ag_name *last;
};
struct ag_part_walk ag_catalogue_part_walk(const struct ag_catalogue *catalogue, const char *part,
                                           size_t len);
/* NULL: no more. */
const struct ag_name *ag_catalogue_part_next(const struct ag_catalogue *catalogue, struct ag_part_walk *walk);
/* Each name that starts with `start` (folded, not empty; `whole`), then each other of which a part does. */
typedef void (*ag_catalogue_visit)(const struct ag_name *name, bool whole, void *context);
void ag_catalogue_starting(const struct ag_catalogue *catalogue, const char *start, size_t len,
                           ag_catalogue_visit visit, void *context);
/* The first name in the intent's filters that is not in the data, or NULL; its kind into `kind` (may be
 * NULL). Keys of the metadata and what is only searched for are not looked at. */
const char *ag_catalogue_unknown(const struct ag_catalogue *catalogue, const struct ag_intent *intent,
                                 enum ag_kind *kind);
/* The names of `kind` (AG_KIND_COUNT: any) closest to `folded`, best first: equal parts, then edit distance,
 * then frequency. */
size_t ag_catalogue_nearest(const struct ag_catalogue *catalogue, enum ag_kind kind, const char *folded,
                            size_t len, const struct ag_name **out, size_t max);
void ag_letters(const char *text, size_t len, struct ag_letters *out);
/* Damerau-Levenshtein distance over bytes of ASCII or code points, at most `limit` + 1; both under 64 code
 * points, else that. */
unsigned ag_edit_distance(const char *a, size_t a_len, const char *b, size_t b_len, unsigned limit);

#endif
