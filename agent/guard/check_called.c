/*
 * FROM name(lower, upper [, unit, zone [, columns, categories, services]]): the only functions in FROM, those
 * of allow.c that are called. Their arguments are constants and bound what is read, so nothing else has to.
 */
#include "agent/guard/check.h"

#include <string.h>

static const PgQuery__FuncCall *only_call(const PgQuery__RangeFunction *range)
{
    /* Each item is a list of the call and its column definitions. */
    if (range->n_functions != 1 || range->functions[0]->node_case != PG_QUERY__NODE__NODE_LIST) {
        return NULL;
    }
    const PgQuery__List *item = range->functions[0]->list;
    if (item->n_items == 0 || item->items[0]->node_case != PG_QUERY__NODE__NODE_FUNC_CALL) {
        return NULL;
    }
    return item->items[0]->func_call;
}

static bool plain(const PgQuery__FuncCall *call)
{
    return call->n_agg_order == 0 && call->agg_filter == NULL && call->over == NULL &&
           !call->agg_within_group && !call->agg_star && !call->agg_distinct && !call->func_variadic &&
           call->funcformat == PG_QUERY__COERCION_FORM__COERCE_EXPLICIT_CALL;
}

/* The text of a constant; NULL: it is none. */
static const char *constant_text(const PgQuery__Node *node)
{
    bool is = node->node_case == PG_QUERY__NODE__NODE_A_CONST && !node->a_const->isnull &&
              node->a_const->val_case == PG_QUERY__A__CONST__VAL_SVAL;
    return is ? node->a_const->sval->sval : NULL;
}

static bool is_unit(const PgQuery__Node *node)
{
    const char *text = constant_text(node);
    if (text == NULL) {
        return false;
    }
    return strcmp(text, "minute") == 0 || strcmp(text, "slot") == 0 || strcmp(text, "hour") == 0 ||
           strcmp(text, "day") == 0;
}

/* "at,service" */
static bool is_column_list(const PgQuery__Node *node)
{
    static const char *const names[] = {"at", "category", "service", "environment", "level"};
    const char *text = constant_text(node);
    if (text == NULL || text[0] == '\0') {
        return text != NULL;
    }
    for (bool more = true; more;) {
        size_t len = strcspn(text, ",");
        bool known = false;
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
            known |= strlen(names[i]) == len && strncmp(names[i], text, len) == 0;
        }
        if (!known) {
            return false;
        }
        more = text[len] == ',';
        text += len + more;
    }
    return true;
}

/* ARRAY['a', 'b'] or NULL. */
static bool is_text_array(const PgQuery__Node *node)
{
    if (node->node_case != PG_QUERY__NODE__NODE_A_ARRAY_EXPR) {
        return ag_bound_null(node);
    }
    const PgQuery__AArrayExpr *array = node->a_array_expr;
    for (size_t i = 0; i < array->n_elements; i++) {
        if (constant_text(array->elements[i]) == NULL) {
            return false;
        }
    }
    return array->n_elements > 0;
}

const struct ag_relation *ag_check_called(struct ag_check *check, const PgQuery__RangeFunction *range,
                                          const char **name)
{
    const PgQuery__FuncCall *call = only_call(range);
    *name = call == NULL ? NULL : ag_single_name(call->funcname, call->n_funcname);
    const struct ag_relation *relation = *name == NULL ? NULL : ag_relation_find(*name);
    if (relation == NULL || relation->arguments == 0) {
        ag_reject(check, "a function in FROM");
        return NULL;
    }
    if (range->lateral || range->ordinality || range->is_rowsfrom || range->n_coldeflist > 0 ||
        (range->alias != NULL && range->alias->n_colnames > 0) || !plain(call)) {
        ag_reject(check, "%s with something besides its arguments", *name);
        return NULL;
    }
    unsigned arguments = relation->arguments;
    if (call->n_args != arguments ||
        (arguments > 2 && (!is_unit(call->args[2]) || !ag_bound_zone(call->args[3]))) ||
        (arguments > 4 && (!is_column_list(call->args[4]) || !is_text_array(call->args[5]) ||
                           !is_text_array(call->args[6])))) {
        ag_reject(
            check, "%s takes two constant times%s%s", *name,
            arguments > 2 ? ", 'minute', 'slot', 'hour' or 'day', and a zone or NULL" : "",
            arguments > 4
                ? ", the columns told apart as 'at,service', categories and services as ARRAY['a'] or NULL"
                : "");
        return NULL;
    }
    if (!ag_bound_window(check, call->args[0], call->args[1])) {
        ag_reject(check, "%s: the window is not constant or begins before the longest one", *name);
        return NULL;
    }
    if (range->alias != NULL) {
        *name = range->alias->aliasname;
    }
    return relation;
}
