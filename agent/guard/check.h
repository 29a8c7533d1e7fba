/*
 * The walk over the parse tree. check_select.c knows SELECT and FROM, check_expression.c what may stand in an
 * expression, bound.c what bounds a relation in time. All run on the guard's thread; a rejection is a return
 * of -1 with the reason.
 */
#ifndef LOGMILL_AGENT_GUARD_CHECK_H
#define LOGMILL_AGENT_GUARD_CHECK_H

#include "agent/guard/guard.h"
#include "agent/guard/scope.h"
#include "agent/guard/tree.h"

#define AG_GUARD_MAX_SELECTS 8
#define AG_GUARD_MAX_JOINS 2
#define AG_GUARD_MAX_DEPTH 200     /* of expressions in expressions */
#define AG_GUARD_MAX_GROWTH 2      /* text-growing calls in each other */
#define AG_GUARD_MAX_WILDCARDS 3   /* of one LIKE */
#define AG_GUARD_MAX_SETS 2        /* set-returning calls of a statement */
#define AG_GUARD_MAX_OFFSET 100000 /* rows */

struct ag_check {
    const struct ag_guard_limits *limits;
    int64_t earliest_us; /* a lower bound before this is none */
    struct lm_arena *arena;
    unsigned selects;
    unsigned joins;
    unsigned sets;
    unsigned depth;
    bool too_early; /* a bound was there, but before earliest_us */
    char *reason;
    size_t reason_size;
};

/* What the expression around it must know of an expression. */
struct ag_facts {
    unsigned growth;
    bool short_text;  /* a bare short column */
    bool varies;      /* not the same for every row, as far as can be seen */
    uint32_t sources; /* bit i: refers to FROM item i of this SELECT */
    bool subquery;
};

/* Writes the reason unless one stands already; returns -1. */
int ag_reject(struct ag_check *check, const char *format, ...) LM_PRINTF(2, 3);

/* `out` (may be NULL) receives the names of the result's columns. */
int ag_check_select(struct ag_check *check, const PgQuery__SelectStmt *select, const struct ag_scope *parent,
                    const struct ag_cte *ctes, struct ag_outputs *out) LM_MUST_CHECK;
/* Where an expression stands: names are looked up in `scope`, the FROM of subqueries in `ctes` too. */
struct ag_place {
    struct ag_scope *scope;
    const struct ag_cte *ctes;
    bool target; /* in a select list: set-returning calls may stand here */
};
int ag_check_expression(struct ag_check *check, const PgQuery__Node *node, const struct ag_place *place,
                        struct ag_facts *facts) LM_MUST_CHECK;
int ag_check_sort(struct ag_check *check, const PgQuery__Node *node,
                  const struct ag_place *place) LM_MUST_CHECK;

/* Marks as bounded those FROM items [from, to) of `scope` whose time column a conjunct of `condition` bounds
 * below. */
void ag_bound_apply(struct ag_check *check, const PgQuery__Node *condition, struct ag_scope *scope,
                    size_t from, size_t to);

/* Whether both are constants, and the first is not before the longest window. */
bool ag_bound_window(struct ag_check *check, const PgQuery__Node *lower, const PgQuery__Node *upper);
/* The constant NULL. */
bool ag_bound_null(const PgQuery__Node *node);
/* NULL, or the constant text of a zone by its name. */
bool ag_bound_zone(const PgQuery__Node *node);

/* check_called.c: a relation of allow.c that is called with its window, as `name`; NULL after a rejection. */
const struct ag_relation *ag_check_called(struct ag_check *check, const PgQuery__RangeFunction *range,
                                          const char **name) LM_MUST_CHECK;

/* "func_call", "range_function" … for reasons. */
const char *ag_node_name(const PgQuery__Node *node);
/* The single, unqualified name in a list of String nodes, or NULL. */
const char *ag_single_name(PgQuery__Node *const *names, size_t count);

#endif
