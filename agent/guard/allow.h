/*
 * The allow-lists of the guard: what may be named in SQL at all. Data only; a line added here is reviewed as
 * a permission.
 */
#ifndef LOGMILL_AGENT_GUARD_ALLOW_H
#define LOGMILL_AGENT_GUARD_ALLOW_H

#include <stdbool.h>
#include <stddef.h>

struct ag_relation {
    const char *name; /* of a view or function in logmill_read */
    const char
        *time_column; /* must be bounded below wherever the relation is read; NULL: small, no bound asked */
    const char *const *columns; /* NULL-terminated */
    /* How many of a function in FROM, whose arguments bound it in time: 2, name(lower, upper); 4, and unit
     * and zone; 7, and 'at,service', which of the columns are told apart, and of which categories and
     * services, each ARRAY['a', 'b'] or NULL for all. 0: a view. */
    unsigned arguments;
};

/* What calling a function means to the guard. */
enum ag_function_flag {
    AG_FN_PLAIN = 0,
    AG_FN_GROWS = 1,   /* the result can be much longer than the arguments: may not nest */
    AG_FN_ROWS = 2,    /* returns a set: only over a bare column, in the select list */
    AG_FN_COLLECTS = 4 /* an aggregate whose result grows with the rows: only DISTINCT over a short column */
};

struct ag_function {
    const char *name;
    int flags;
};

/* Each NULL when the name is not on its list. */
const struct ag_relation *ag_relation_find(const char *name);
const struct ag_function *ag_function_find(const char *name);
/* A function that the grammar itself writes with pg_catalog: EXTRACT, AT TIME ZONE, SUBSTRING … */
bool ag_syntax_function_known(const char *name);
/* Binary and prefix operators alike. */
bool ag_operator_known(const char *name);
/* Operators of `x op ANY (…)`. */
bool ag_comparison_known(const char *name);
bool ag_type_known(const char *name);
/* A column whose values are at most 255 bytes. */
bool ag_column_short(const char *name);

#endif
