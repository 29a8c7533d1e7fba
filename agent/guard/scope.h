/*
 * Names as PostgreSQL resolves them: each SELECT has a scope of FROM items, whose parent is the scope of the
 * SELECT it stands in; WITH queries are a list of their own, the innermost first. Everything lives in the
 * check's arena.
 */
#ifndef LOGMILL_AGENT_GUARD_SCOPE_H
#define LOGMILL_AGENT_GUARD_SCOPE_H

#include "agent/guard/allow.h"
#include "common/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AG_MAX_SOURCES 8 /* FROM items of one SELECT; more than the joins allowed can make */

/* A column of a subquery or a WITH query. */
struct ag_output {
    const char *name; /* NULL: cannot be referred to */
    unsigned growth;  /* text-growing calls it went through */
    bool short_text;  /* at most 255 bytes */
    bool constant;    /* the same in every row: joining on it joins everything */
};

struct ag_outputs {
    struct ag_output *items;
    size_t count;
};

/* One FROM item. */
struct ag_source {
    const char *name;                   /* alias, or the relation's own name */
    const struct ag_relation *relation; /* NULL for a subquery or WITH query */
    struct ag_outputs columns;          /* of a subquery or WITH query */
    bool bounded;              /* its time column has a constant lower bound; true where none is asked */
    const char *const *merged; /* column names USING took from the left side instead; count in merged_count */
    size_t merged_count;
};

struct ag_scope {
    const struct ag_scope *parent;
    struct ag_source sources[AG_MAX_SOURCES];
    size_t count;
    size_t visible_from; /* inside ON only the items of that join are seen: from here to count */
};

/* A WITH query that is in sight. */
struct ag_cte {
    const char *name;
    struct ag_outputs columns;
    const struct ag_cte *next; /* further out */
};

enum ag_lookup { AG_LOOKUP_FOUND, AG_LOOKUP_UNKNOWN, AG_LOOKUP_AMBIGUOUS };

/* What a column reference stands for. */
struct ag_resolved {
    size_t source; /* index in its scope */
    bool local;    /* in the scope itself, not in one further out */
    unsigned growth;
    bool short_text;
    bool time_column; /* the time column of its relation */
    bool constant;    /* a constant column of a subquery */
};

/* `table` NULL: an unqualified name. Searches `scope` and then its parents, nearest first. */
enum ag_lookup ag_scope_resolve(const struct ag_scope *scope, const char *table, const char *column,
                                struct ag_resolved *out);
const struct ag_cte *ag_cte_find(const struct ag_cte *ctes, const char *name);

#endif
