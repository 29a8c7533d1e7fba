/*
 * SELECT: its clauses, its FROM and the names it gives out. Clauses that are not named here are rejected by
 * being set.
 */
#include "agent/guard/check.h"

#include <string.h>

static int check_from(struct ag_check *check, const PgQuery__Node *node, struct ag_scope *scope,
                      const struct ag_cte *ctes);

static struct ag_source *add_source(struct ag_check *check, struct ag_scope *scope, const char *name)
{
    for (size_t i = 0; i < scope->count; i++) {
        if (strcmp(scope->sources[i].name, name) == 0) {
            ag_reject(check, "the name %s twice in one FROM", name);
            return NULL;
        }
    }
    if (scope->count == AG_MAX_SOURCES) {
        ag_reject(check, "more than %d items in one FROM", AG_MAX_SOURCES);
        return NULL;
    }
    struct ag_source *source = &scope->sources[scope->count++];
    *source = (struct ag_source){.name = name};
    return source;
}

/* Puts the names of a column list over `columns`; a shorter list renames the first ones. */
static int rename_columns(struct ag_check *check, PgQuery__Node *const *names, size_t count,
                          struct ag_outputs *columns)
{
    if (count > columns->count) {
        return ag_reject(check, "more column names than columns");
    }
    for (size_t i = 0; i < count; i++) {
        if (names[i]->node_case != PG_QUERY__NODE__NODE_STRING) {
            return ag_reject(check, "a column list that is not of names");
        }
        columns->items[i].name = names[i]->string->sval;
    }
    for (size_t i = 0; i < columns->count; i++) {
        if (columns->items[i].name == NULL) {
            return ag_reject(check, "a column of a subquery without a name");
        }
    }
    return 0;
}

static int check_relation(struct ag_check *check, const PgQuery__RangeVar *range, struct ag_scope *scope,
                          const struct ag_cte *ctes)
{
    if (range->catalogname[0] != '\0' || range->schemaname[0] != '\0') {
        return ag_reject(check, "relation %s.%s", range->schemaname, range->relname);
    }
    if (!range->inh || strcmp(range->relpersistence, "p") != 0) {
        return ag_reject(check, "relation %s with ONLY", range->relname);
    }
    if (range->alias != NULL && range->alias->n_colnames > 0) {
        return ag_reject(check, "relation %s with a column list", range->relname);
    }
    const char *name = range->alias != NULL ? range->alias->aliasname : range->relname;
    const struct ag_cte *cte = ag_cte_find(ctes, range->relname);
    const struct ag_relation *relation = cte == NULL ? ag_relation_find(range->relname) : NULL;
    if (cte == NULL && (relation == NULL || relation->arguments > 0)) {
        return ag_reject(check, "relation %s", range->relname);
    }
    struct ag_source *source = add_source(check, scope, name);
    if (source == NULL) {
        return -1;
    }
    source->relation = relation;
    if (cte != NULL) {
        source->columns = cte->columns;
    }
    source->bounded = relation == NULL || relation->time_column == NULL;
    return 0;
}

static int check_called(struct ag_check *check, const PgQuery__RangeFunction *range, struct ag_scope *scope)
{
    const char *name = NULL;
    const struct ag_relation *relation = ag_check_called(check, range, &name);
    struct ag_source *source = relation == NULL ? NULL : add_source(check, scope, name);
    if (source == NULL) {
        return -1;
    }
    source->relation = relation;
    source->bounded = true;
    return 0;
}

static int check_subselect(struct ag_check *check, const PgQuery__RangeSubselect *range,
                           struct ag_scope *scope, const struct ag_cte *ctes)
{
    if (range->lateral) {
        return ag_reject(check, "LATERAL");
    }
    if (range->alias == NULL || range->subquery == NULL ||
        range->subquery->node_case != PG_QUERY__NODE__NODE_SELECT_STMT) {
        return ag_reject(check, "a subquery in FROM without a name");
    }
    struct ag_outputs columns = {0};
    if (ag_check_select(check, range->subquery->select_stmt, scope->parent, ctes, &columns) != 0 ||
        rename_columns(check, range->alias->colnames, range->alias->n_colnames, &columns) != 0) {
        return -1;
    }
    struct ag_source *source = add_source(check, scope, range->alias->aliasname);
    if (source == NULL) {
        return -1;
    }
    source->columns = columns;
    source->bounded = true;
    return 0;
}

static uint32_t mask(size_t from, size_t to)
{
    uint32_t bits = 0;
    for (size_t i = from; i < to; i++) {
        bits |= UINT32_C(1) << i;
    }
    return bits;
}

/* One side of the equality speaks of the left items only, the other of the right ones only. */
static bool joins_sides(struct ag_check *check, const PgQuery__Node *node, const struct ag_place *place,
                        uint32_t left, uint32_t right)
{
    if (node->node_case == PG_QUERY__NODE__NODE_BOOL_EXPR &&
        node->bool_expr->boolop == PG_QUERY__BOOL_EXPR_TYPE__AND_EXPR) {
        for (size_t i = 0; i < node->bool_expr->n_args; i++) {
            if (joins_sides(check, node->bool_expr->args[i], place, left, right)) {
                return true;
            }
        }
        return false;
    }
    if (node->node_case != PG_QUERY__NODE__NODE_A_EXPR ||
        node->a_expr->kind != PG_QUERY__A__EXPR__KIND__AEXPR_OP || node->a_expr->lexpr == NULL) {
        return false;
    }
    const char *name = ag_single_name(node->a_expr->name, node->a_expr->n_name);
    if (name == NULL || strcmp(name, "=") != 0) {
        return false;
    }
    /* Both sides were accepted before; this second look must not count their subqueries again. */
    struct ag_check again = *check;
    struct ag_facts a = {0}, b = {0};
    if (ag_check_expression(&again, node->a_expr->lexpr, place, &a) != 0 ||
        ag_check_expression(&again, node->a_expr->rexpr, place, &b) != 0 || a.subquery || b.subquery ||
        a.sources == 0 || b.sources == 0) {
        return false;
    }
    return ((a.sources & ~left) == 0 && (b.sources & ~right) == 0) ||
           ((a.sources & ~right) == 0 && (b.sources & ~left) == 0);
}

/* USING takes the column from the left side; the right side's is then seen only when qualified. */
static int check_using(struct ag_check *check, const PgQuery__JoinExpr *join, struct ag_scope *scope,
                       size_t first, size_t middle)
{
    if (join->jointype != PG_QUERY__JOIN_TYPE__JOIN_INNER &&
        join->jointype != PG_QUERY__JOIN_TYPE__JOIN_LEFT) {
        return ag_reject(check, "USING in a right or full join");
    }
    if (scope->count != middle + 1 || join->join_using_alias != NULL) {
        return ag_reject(check, "USING with more than one item on the right");
    }
    const char **names = lm_arena_alloc(check->arena, join->n_using_clause * sizeof(*names));
    if (names == NULL) {
        return ag_reject(check, "out of memory");
    }
    const size_t saved_from = scope->visible_from;
    const size_t saved_count = scope->count;
    int result = 0;
    for (size_t i = 0; i < join->n_using_clause && result == 0; i++) {
        const char *name = ag_single_name(&join->using_clause[i], 1);
        struct ag_resolved resolved = {0};
        struct ag_scope left = *scope;
        left.parent = NULL;
        left.visible_from = first;
        left.count = middle;
        struct ag_scope right = *scope;
        right.parent = NULL;
        right.visible_from = middle;
        if (name == NULL || ag_scope_resolve(&left, NULL, name, &resolved) != AG_LOOKUP_FOUND ||
            resolved.constant || ag_scope_resolve(&right, NULL, name, &resolved) != AG_LOOKUP_FOUND ||
            resolved.constant) {
            result = ag_reject(check, "column %s of USING", name ? name : "");
        }
        names[i] = name;
    }
    scope->visible_from = saved_from;
    scope->count = saved_count;
    if (result == 0) {
        scope->sources[middle].merged = names;
        scope->sources[middle].merged_count = join->n_using_clause;
    }
    return result;
}

static int check_on(struct ag_check *check, const PgQuery__JoinExpr *join, struct ag_scope *scope,
                    const struct ag_cte *ctes, size_t first, size_t middle)
{
    const struct ag_place place = {.scope = scope, .ctes = ctes};
    const size_t saved = scope->visible_from;
    struct ag_facts facts = {0};
    scope->visible_from = first;
    int result = ag_check_expression(check, join->quals, &place, &facts);
    if (result == 0 &&
        !joins_sides(check, join->quals, &place, mask(first, middle), mask(middle, scope->count))) {
        result = ag_reject(check, "join without an equality between its sides");
    }
    if (result == 0) {
        /* A condition of an outer join takes no row away from the side that is kept whole. */
        const bool inner = join->jointype == PG_QUERY__JOIN_TYPE__JOIN_INNER;
        if (inner || join->jointype == PG_QUERY__JOIN_TYPE__JOIN_RIGHT) {
            ag_bound_apply(check, join->quals, scope, first, middle);
        }
        if (inner || join->jointype == PG_QUERY__JOIN_TYPE__JOIN_LEFT) {
            ag_bound_apply(check, join->quals, scope, middle, scope->count);
        }
    }
    scope->visible_from = saved;
    return result;
}

static int check_join(struct ag_check *check, const PgQuery__JoinExpr *join, struct ag_scope *scope,
                      const struct ag_cte *ctes)
{
    check->joins++;
    if (check->joins > AG_GUARD_MAX_JOINS) {
        return ag_reject(check, "more than %d joins", AG_GUARD_MAX_JOINS);
    }
    if (join->is_natural || join->alias != NULL || join->jointype < PG_QUERY__JOIN_TYPE__JOIN_INNER ||
        join->jointype > PG_QUERY__JOIN_TYPE__JOIN_RIGHT) {
        return ag_reject(check, "join of this kind");
    }
    const size_t first = scope->count;
    if (check_from(check, join->larg, scope, ctes) != 0) {
        return -1;
    }
    const size_t middle = scope->count;
    if (check_from(check, join->rarg, scope, ctes) != 0) {
        return -1;
    }
    if (join->n_using_clause > 0) {
        return check_using(check, join, scope, first, middle);
    }
    if (join->quals == NULL) {
        return ag_reject(check, "join without an equality between its sides");
    }
    return check_on(check, join, scope, ctes, first, middle);
}

static int check_from(struct ag_check *check, const PgQuery__Node *node, struct ag_scope *scope,
                      const struct ag_cte *ctes)
{
    int result = -1;
    if (node == NULL || check->depth >= AG_GUARD_MAX_DEPTH) {
        return ag_reject(check, "FROM nested too deeply");
    }
    check->depth++;
    switch (node->node_case) {
    case PG_QUERY__NODE__NODE_RANGE_VAR:
        result = check_relation(check, node->range_var, scope, ctes);
        break;
    case PG_QUERY__NODE__NODE_RANGE_SUBSELECT:
        result = check_subselect(check, node->range_subselect, scope, ctes);
        break;
    case PG_QUERY__NODE__NODE_RANGE_FUNCTION:
        result = check_called(check, node->range_function, scope);
        break;
    case PG_QUERY__NODE__NODE_JOIN_EXPR:
        result = check_join(check, node->join_expr, scope, ctes);
        break;
    default:
        result = ag_reject(check, "node %s in FROM", ag_node_name(node));
    }
    check->depth--;
    return result;
}

static int check_with(struct ag_check *check, const PgQuery__WithClause *with, const struct ag_scope *parent,
                      const struct ag_cte **ctes)
{
    if (with->recursive) {
        return ag_reject(check, "WITH RECURSIVE");
    }
    for (size_t i = 0; i < with->n_ctes; i++) {
        if (with->ctes[i]->node_case != PG_QUERY__NODE__NODE_COMMON_TABLE_EXPR) {
            return ag_reject(check, "node %s in WITH", ag_node_name(with->ctes[i]));
        }
        const PgQuery__CommonTableExpr *cte = with->ctes[i]->common_table_expr;
        if (cte->search_clause != NULL || cte->cycle_clause != NULL || cte->ctequery == NULL ||
            cte->ctequery->node_case != PG_QUERY__NODE__NODE_SELECT_STMT) {
            return ag_reject(check, "WITH of something that is no SELECT");
        }
        if (ag_relation_find(cte->ctename) != NULL) {
            return ag_reject(check, "WITH query named as the relation %s", cte->ctename);
        }
        struct ag_cte *entry = lm_arena_alloc(check->arena, sizeof(*entry));
        if (entry == NULL) {
            return ag_reject(check, "out of memory");
        }
        *entry = (struct ag_cte){.name = cte->ctename, .next = *ctes};
        if (ag_check_select(check, cte->ctequery->select_stmt, parent, *ctes, &entry->columns) != 0 ||
            rename_columns(check, cte->aliascolnames, cte->n_aliascolnames, &entry->columns) != 0) {
            return -1;
        }
        *ctes = entry;
    }
    return 0;
}

/* The name PostgreSQL gives a column of the result; NULL where we do not follow it, which then cannot be
 * referred to. */
static const char *column_name(const PgQuery__Node *node)
{
    switch (node->node_case) {
    case PG_QUERY__NODE__NODE_COLUMN_REF: {
        const PgQuery__Node *last = node->column_ref->fields[node->column_ref->n_fields - 1];
        return last->node_case == PG_QUERY__NODE__NODE_STRING ? last->string->sval : NULL;
    }
    case PG_QUERY__NODE__NODE_FUNC_CALL: {
        const PgQuery__Node *last = node->func_call->funcname[node->func_call->n_funcname - 1];
        return last->node_case == PG_QUERY__NODE__NODE_STRING ? last->string->sval : NULL;
    }
    case PG_QUERY__NODE__NODE_TYPE_CAST:
        if (node->type_cast->arg->node_case == PG_QUERY__NODE__NODE_COLUMN_REF ||
            node->type_cast->arg->node_case == PG_QUERY__NODE__NODE_FUNC_CALL) {
            return column_name(node->type_cast->arg);
        }
        return NULL;
    default:
        return NULL;
    }
}

static int check_targets(struct ag_check *check, const PgQuery__SelectStmt *select,
                         const struct ag_place *place, struct ag_outputs *out)
{
    if (select->n_target_list == 0) {
        return ag_reject(check, "an empty select list");
    }
    out->items = lm_arena_alloc(check->arena, select->n_target_list * sizeof(*out->items));
    if (out->items == NULL) {
        return ag_reject(check, "out of memory");
    }
    for (size_t i = 0; i < select->n_target_list; i++) {
        const PgQuery__Node *node = select->target_list[i];
        if (node->node_case != PG_QUERY__NODE__NODE_RES_TARGET || node->res_target->n_indirection > 0 ||
            node->res_target->val == NULL) {
            return ag_reject(check, "a select list of something else");
        }
        const PgQuery__ResTarget *target = node->res_target;
        struct ag_facts facts = {0};
        if (ag_check_expression(check, target->val, place, &facts) != 0) {
            return -1;
        }
        const char *name = target->name[0] != '\0' ? target->name : column_name(target->val);
        out->items[out->count++] = (struct ag_output){
            .name = name, .growth = facts.growth, .short_text = facts.short_text, .constant = !facts.varies};
    }
    return 0;
}

static const char *bare_name(const PgQuery__Node *node)
{
    if (node == NULL || node->node_case != PG_QUERY__NODE__NODE_COLUMN_REF) {
        return NULL;
    }
    return ag_single_name(node->column_ref->fields, node->column_ref->n_fields);
}

static bool has_column(const struct ag_outputs *columns, const char *name)
{
    for (size_t i = 0; i < columns->count; i++) {
        if (columns->items[i].name != NULL && strcmp(columns->items[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* A bare name in GROUP BY is a column of FROM, else one of the select list. */
static int check_group(struct ag_check *check, const PgQuery__SelectStmt *select,
                       const struct ag_place *place, const struct ag_outputs *targets)
{
    for (size_t i = 0; i < select->n_group_clause; i++) {
        const PgQuery__Node *node = select->group_clause[i];
        const char *name = bare_name(node);
        struct ag_facts facts = {0};
        struct ag_resolved resolved;
        if (name != NULL && has_column(targets, name) &&
            ag_scope_resolve(place->scope, NULL, name, &resolved) == AG_LOOKUP_UNKNOWN) {
            continue;
        }
        if (ag_check_expression(check, node, place, &facts) != 0) {
            return -1;
        }
    }
    return 0;
}

/* A bare name in ORDER BY is a column of the select list, else one of FROM. `place` NULL: of a set operation,
 * where only the names and numbers of result columns are known. */
static int check_order(struct ag_check *check, const PgQuery__SelectStmt *select,
                       const struct ag_place *place, const struct ag_outputs *targets)
{
    for (size_t i = 0; i < select->n_sort_clause; i++) {
        const PgQuery__Node *node = select->sort_clause[i];
        if (node->node_case != PG_QUERY__NODE__NODE_SORT_BY || node->sort_by->node == NULL ||
            node->sort_by->n_use_op > 0 || node->sort_by->sortby_dir == PG_QUERY__SORT_BY_DIR__SORTBY_USING) {
            return ag_reject(check, "ORDER BY of something else");
        }
        const char *name = bare_name(node->sort_by->node);
        if (name != NULL && has_column(targets, name)) {
            continue;
        }
        const bool number = node->sort_by->node->node_case == PG_QUERY__NODE__NODE_A_CONST;
        if (place == NULL && !number) {
            return ag_reject(check, "ORDER BY of a set operation by something that is no result column");
        }
        if (place != NULL && ag_check_sort(check, node, place) != 0) {
            return -1;
        }
    }
    return 0;
}

static bool is_row_count(const PgQuery__Node *node, int most)
{
    return node->node_case == PG_QUERY__NODE__NODE_A_CONST && !node->a_const->isnull &&
           node->a_const->val_case == PG_QUERY__A__CONST__VAL_IVAL && node->a_const->ival->ival >= 0 &&
           node->a_const->ival->ival <= most;
}

static int check_limit(struct ag_check *check, const PgQuery__SelectStmt *select)
{
    if (select->limit_option == PG_QUERY__LIMIT_OPTION__LIMIT_OPTION_WITH_TIES) {
        return ag_reject(check, "WITH TIES");
    }
    if (select->limit_count != NULL && !is_row_count(select->limit_count, INT32_MAX)) {
        return ag_reject(check, "LIMIT not constant");
    }
    if (select->limit_offset != NULL && !is_row_count(select->limit_offset, AG_GUARD_MAX_OFFSET)) {
        return ag_reject(check, "OFFSET not constant or over %d", AG_GUARD_MAX_OFFSET);
    }
    return 0;
}

static int check_bounds(struct ag_check *check, const struct ag_scope *scope)
{
    for (size_t i = 0; i < scope->count; i++) {
        if (!scope->sources[i].bounded) {
            return ag_reject(check,
                             check->too_early ? "%s: the lower bound of %s lies before the longest window"
                                              : "%s: no lower time bound by a constant on %s",
                             scope->sources[i].name, scope->sources[i].relation->time_column);
        }
    }
    return 0;
}

static int check_plain(struct ag_check *check, const PgQuery__SelectStmt *select,
                       const struct ag_scope *parent, const struct ag_cte *ctes, struct ag_outputs *out)
{
    check->selects++;
    if (check->selects > AG_GUARD_MAX_SELECTS) {
        return ag_reject(check, "more than %d SELECTs", AG_GUARD_MAX_SELECTS);
    }
    struct ag_scope *scope = lm_arena_alloc(check->arena, sizeof(*scope));
    if (scope == NULL) {
        return ag_reject(check, "out of memory");
    }
    *scope = (struct ag_scope){.parent = parent};
    if (select->n_from_clause > 1) {
        return ag_reject(check, "comma join");
    }
    if (select->n_from_clause == 1 && check_from(check, select->from_clause[0], scope, ctes) != 0) {
        return -1;
    }
    const struct ag_place place = {.scope = scope, .ctes = ctes};
    const struct ag_place target_place = {.scope = scope, .ctes = ctes, .target = true};
    struct ag_facts facts = {0};
    if (check_targets(check, select, &target_place, out) != 0) {
        return -1;
    }
    if (select->where_clause != NULL) {
        if (ag_check_expression(check, select->where_clause, &place, &facts) != 0) {
            return -1;
        }
        ag_bound_apply(check, select->where_clause, scope, 0, scope->count);
    }
    if (check_group(check, select, &place, out) != 0) {
        return -1;
    }
    if (select->having_clause != NULL &&
        ag_check_expression(check, select->having_clause, &place, &facts) != 0) {
        return -1;
    }
    if (check_order(check, select, &place, out) != 0) {
        return -1;
    }
    return check_bounds(check, scope);
}

static int check_set_operation(struct ag_check *check, const PgQuery__SelectStmt *select,
                               const struct ag_scope *parent, const struct ag_cte *ctes,
                               struct ag_outputs *out)
{
    struct ag_outputs right = {0};
    if (select->larg == NULL || select->rarg == NULL) {
        return ag_reject(check, "a set operation with one side");
    }
    if (ag_check_select(check, select->larg, parent, ctes, out) != 0 ||
        ag_check_select(check, select->rarg, parent, ctes, &right) != 0) {
        return -1;
    }
    if (right.count != out->count) {
        return ag_reject(check, "a set operation of %zu and %zu columns", out->count, right.count);
    }
    for (size_t i = 0; i < out->count; i++) {
        if (right.items[i].growth > out->items[i].growth) {
            out->items[i].growth = right.items[i].growth;
        }
        out->items[i].short_text = out->items[i].short_text && right.items[i].short_text;
        out->items[i].constant = false;
    }
    return check_order(check, select, NULL, out);
}

int ag_check_select(struct ag_check *check, const PgQuery__SelectStmt *select, const struct ag_scope *parent,
                    const struct ag_cte *ctes, struct ag_outputs *out)
{
    struct ag_outputs unused = {0};
    struct ag_outputs *columns = out != NULL ? out : &unused;
    if (select->into_clause != NULL) {
        return ag_reject(check, "SELECT INTO");
    }
    if (select->n_values_lists > 0) {
        return ag_reject(check, "VALUES");
    }
    if (select->n_locking_clause > 0) {
        return ag_reject(check, "locking clause");
    }
    if (select->n_window_clause > 0) {
        return ag_reject(check, "a named window");
    }
    if (select->group_distinct) {
        return ag_reject(check, "GROUP BY DISTINCT");
    }
    if (select->n_distinct_clause > 1 ||
        (select->n_distinct_clause == 1 &&
         select->distinct_clause[0]->node_case != PG_QUERY__NODE__NODE__NOT_SET)) {
        return ag_reject(check, "DISTINCT ON");
    }
    if (check->depth >= AG_GUARD_MAX_DEPTH) {
        return ag_reject(check, "SELECTs nested too deeply");
    }
    if (select->with_clause != NULL && check_with(check, select->with_clause, parent, &ctes) != 0) {
        return -1;
    }
    if (check_limit(check, select) != 0) {
        return -1;
    }
    check->depth++;
    int result = -1;
    switch (select->op) {
    case PG_QUERY__SET_OPERATION__SETOP_NONE:
        result = check_plain(check, select, parent, ctes, columns);
        break;
    case PG_QUERY__SET_OPERATION__SETOP_UNION:
    case PG_QUERY__SET_OPERATION__SETOP_INTERSECT:
    case PG_QUERY__SET_OPERATION__SETOP_EXCEPT:
        result = check_set_operation(check, select, parent, ctes, columns);
        break;
    default:
        result = ag_reject(check, "a set operation of this kind");
    }
    check->depth--;
    return result;
}
