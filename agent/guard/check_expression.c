/*
 * Expressions: only the node types named in check_node's switch, only names of allow.c, only columns in
 * scope.
 */
#include "agent/guard/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int ag_reject(struct ag_check *check, const char *format, ...)
{
    if (check->reason[0] == '\0') {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(check->reason, check->reason_size, format, arguments);
        va_end(arguments);
    }
    return -1;
}

const char *ag_single_name(PgQuery__Node *const *names, size_t count)
{
    if (count != 1 || names[0]->node_case != PG_QUERY__NODE__NODE_STRING) {
        return NULL;
    }
    return names[0]->string->sval;
}

const char *ag_node_name(const PgQuery__Node *node)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field(&pg_query__node__descriptor, (unsigned)node->node_case);
    return field != NULL ? field->name : "(empty)";
}

static void merge(struct ag_facts *into, const struct ag_facts *from)
{
    if (from->growth > into->growth) {
        into->growth = from->growth;
    }
    into->sources |= from->sources;
    into->varies = into->varies || from->varies;
    into->subquery = into->subquery || from->subquery;
}

static int check_part(struct ag_check *check, const PgQuery__Node *node, const struct ag_place *place,
                      struct ag_facts *facts)
{
    struct ag_facts part = {0};
    if (ag_check_expression(check, node, place, &part) != 0) {
        return -1;
    }
    merge(facts, &part);
    return 0;
}

static int check_list(struct ag_check *check, PgQuery__Node *const *nodes, size_t count,
                      const struct ag_place *place, struct ag_facts *facts)
{
    for (size_t i = 0; i < count; i++) {
        if (check_part(check, nodes[i], place, facts) != 0) {
            return -1;
        }
    }
    return 0;
}

static int check_growth(struct ag_check *check, struct ag_facts *facts)
{
    facts->growth++;
    if (facts->growth > AG_GUARD_MAX_GROWTH) {
        return ag_reject(check, "text-growing calls nested more than %d deep", AG_GUARD_MAX_GROWTH);
    }
    return 0;
}

static int check_column(struct ag_check *check, const PgQuery__ColumnRef *column,
                        const struct ag_place *place, struct ag_facts *facts)
{
    const char *names[2] = {NULL, NULL};
    for (size_t i = 0; i < column->n_fields; i++) {
        if (column->fields[i]->node_case == PG_QUERY__NODE__NODE_A_STAR) {
            return ag_reject(check, "star must be expanded");
        }
        if (column->fields[i]->node_case != PG_QUERY__NODE__NODE_STRING || column->n_fields > 2) {
            return ag_reject(check, "a column is named as column or item.column");
        }
        names[i] = column->fields[i]->string->sval;
    }
    if (names[0] == NULL) {
        return ag_reject(check, "a column without a name");
    }
    const char *table = column->n_fields == 2 ? names[0] : NULL;
    const char *name = column->n_fields == 2 ? names[1] : names[0];
    struct ag_resolved resolved = {0};
    switch (ag_scope_resolve(place->scope, table, name, &resolved)) {
    case AG_LOOKUP_FOUND:
        break;
    case AG_LOOKUP_AMBIGUOUS:
        return ag_reject(check, "column %s%s%s is ambiguous or not there", table ? table : "",
                         table ? "." : "", name);
    case AG_LOOKUP_UNKNOWN:
        return ag_reject(check, "column %s%s%s", table ? table : "", table ? "." : "", name);
    }
    facts->growth = resolved.growth;
    facts->short_text = resolved.short_text;
    facts->varies = !resolved.constant;
    if (resolved.local && !resolved.constant) {
        facts->sources = UINT32_C(1) << resolved.source;
    }
    return 0;
}

static int check_constant(struct ag_check *check, const PgQuery__AConst *constant)
{
    if (constant->isnull) {
        return 0;
    }
    switch (constant->val_case) {
    case PG_QUERY__A__CONST__VAL_IVAL:
    case PG_QUERY__A__CONST__VAL_FVAL:
    case PG_QUERY__A__CONST__VAL_BOOLVAL:
    case PG_QUERY__A__CONST__VAL_SVAL:
        return 0;
    default:
        return ag_reject(check, "a bit string constant");
    }
}

static int check_type(struct ag_check *check, const PgQuery__TypeName *type)
{
    if (type == NULL || type->setof || type->pct_type || type->n_names == 0 || type->n_names > 2) {
        return ag_reject(check, "a type that is not a plain name");
    }
    for (size_t i = 0; i < type->n_names; i++) {
        if (type->names[i]->node_case != PG_QUERY__NODE__NODE_STRING) {
            return ag_reject(check, "a type that is not a plain name");
        }
    }
    const char *schema = type->n_names == 2 ? type->names[0]->string->sval : NULL;
    const char *name = type->names[type->n_names - 1]->string->sval;
    if (schema != NULL && strcmp(schema, "pg_catalog") != 0) {
        return ag_reject(check, "type schema %s", schema);
    }
    if (!ag_type_known(name)) {
        return ag_reject(check, "type %s", name);
    }
    if (type->n_typmods > 0 && strcmp(name, "numeric") != 0 && strcmp(name, "varchar") != 0) {
        return ag_reject(check, "type %s with a modifier", name);
    }
    for (size_t i = 0; i < type->n_typmods; i++) {
        const PgQuery__Node *node = type->typmods[i];
        if (node->node_case != PG_QUERY__NODE__NODE_A_CONST ||
            node->a_const->val_case != PG_QUERY__A__CONST__VAL_IVAL) {
            return ag_reject(check, "a type modifier that is not a number");
        }
    }
    /* Bounds given inside the brackets mean nothing to PostgreSQL; ours are written empty and compared. */
    if (type->n_array_bounds > 1) {
        return ag_reject(check, "an array of more than one dimension");
    }
    return 0;
}

/* Only a constant pattern can be judged: how many wildcards it has decides what a match costs. */
static int check_like(struct ag_check *check, const PgQuery__AExpr *expr)
{
    const PgQuery__Node *node = expr->rexpr;
    if (node == NULL || node->node_case != PG_QUERY__NODE__NODE_A_CONST ||
        node->a_const->val_case != PG_QUERY__A__CONST__VAL_SVAL) {
        return ag_reject(check, "LIKE with a pattern that is not a constant");
    }
    unsigned wildcards = 0;
    for (const char *at = node->a_const->sval->sval; *at != '\0'; at++) {
        if (*at == '\\' && at[1] != '\0') {
            at++;
        } else if (*at == '%' || *at == '_') {
            wildcards++;
        }
    }
    if (wildcards > AG_GUARD_MAX_WILDCARDS) {
        return ag_reject(check, "LIKE with more than %d wildcards", AG_GUARD_MAX_WILDCARDS);
    }
    return 0;
}

static bool is_concatenation(const PgQuery__Node *node)
{
    if (node == NULL || node->node_case != PG_QUERY__NODE__NODE_A_EXPR ||
        node->a_expr->kind != PG_QUERY__A__EXPR__KIND__AEXPR_OP) {
        return false;
    }
    const char *name = ag_single_name(node->a_expr->name, node->a_expr->n_name);
    return name != NULL && strcmp(name, "||") == 0;
}

/* A chain a || b || c grows once, however long: it is no longer than its parts. */
static int check_concatenation(struct ag_check *check, const PgQuery__AExpr *expr,
                               const struct ag_place *place, struct ag_facts *facts)
{
    const PgQuery__Node *sides[2] = {expr->lexpr, expr->rexpr};
    for (size_t i = 0; i < 2; i++) {
        struct ag_facts part = {0};
        if (sides[i] == NULL || ag_check_expression(check, sides[i], place, &part) != 0) {
            return ag_reject(check, "|| with one side");
        }
        if (!is_concatenation(sides[i]) && check_growth(check, &part) != 0) {
            return -1;
        }
        merge(facts, &part);
    }
    return 0;
}

static int check_operation(struct ag_check *check, const PgQuery__AExpr *expr, const struct ag_place *place,
                           struct ag_facts *facts)
{
    const char *name = ag_single_name(expr->name, expr->n_name);
    if (name == NULL) {
        return ag_reject(check, "qualified operator");
    }
    switch (expr->kind) {
    case PG_QUERY__A__EXPR__KIND__AEXPR_OP:
        if (!ag_operator_known(name)) {
            return ag_reject(check, "operator %s", name);
        }
        if (strcmp(name, "||") == 0) {
            return check_concatenation(check, expr, place, facts);
        }
        if (expr->lexpr == NULL && strcmp(name, "-") != 0 && strcmp(name, "+") != 0) {
            return ag_reject(check, "prefix operator %s", name);
        }
        break;
    case PG_QUERY__A__EXPR__KIND__AEXPR_OP_ANY:
    case PG_QUERY__A__EXPR__KIND__AEXPR_OP_ALL:
        if (!ag_comparison_known(name)) {
            return ag_reject(check, "operator %s with ANY or ALL", name);
        }
        break;
    case PG_QUERY__A__EXPR__KIND__AEXPR_LIKE:
    case PG_QUERY__A__EXPR__KIND__AEXPR_ILIKE:
        if (check_like(check, expr) != 0) {
            return -1;
        }
        break;
    case PG_QUERY__A__EXPR__KIND__AEXPR_DISTINCT:
    case PG_QUERY__A__EXPR__KIND__AEXPR_NOT_DISTINCT:
    case PG_QUERY__A__EXPR__KIND__AEXPR_NULLIF:
        break;
    case PG_QUERY__A__EXPR__KIND__AEXPR_IN:
    case PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN:
    case PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN:
        /* The right side is a bare list, which is no expression by itself. */
        if (expr->lexpr == NULL || expr->rexpr == NULL ||
            expr->rexpr->node_case != PG_QUERY__NODE__NODE_LIST) {
            return ag_reject(check, "IN or BETWEEN without a list");
        }
        if (check_part(check, expr->lexpr, place, facts) != 0) {
            return -1;
        }
        return check_list(check, expr->rexpr->list->items, expr->rexpr->list->n_items, place, facts);
    default:
        return ag_reject(check, "operator %s of this kind", name);
    }
    if (expr->lexpr != NULL && check_part(check, expr->lexpr, place, facts) != 0) {
        return -1;
    }
    if (expr->rexpr == NULL) {
        return ag_reject(check, "operator %s without a right side", name);
    }
    return check_part(check, expr->rexpr, place, facts);
}

static int check_frame_offset(struct ag_check *check, const PgQuery__Node *offset)
{
    if (offset != NULL && (offset->node_case != PG_QUERY__NODE__NODE_A_CONST ||
                           offset->a_const->val_case != PG_QUERY__A__CONST__VAL_IVAL)) {
        return ag_reject(check, "a window frame with an offset that is not a number");
    }
    return 0;
}

static int check_window(struct ag_check *check, const PgQuery__WindowDef *window,
                        const struct ag_place *place, struct ag_facts *facts)
{
    if (window->name[0] != '\0' || window->refname[0] != '\0') {
        return ag_reject(check, "a named window");
    }
    if (check_list(check, window->partition_clause, window->n_partition_clause, place, facts) != 0) {
        return -1;
    }
    for (size_t i = 0; i < window->n_order_clause; i++) {
        if (ag_check_sort(check, window->order_clause[i], place) != 0) {
            return -1;
        }
    }
    if (check_frame_offset(check, window->start_offset) != 0) {
        return -1;
    }
    return check_frame_offset(check, window->end_offset);
}

/* substring(text, text) is a regular expression: only numbers may follow the text. */
static int check_substring(struct ag_check *check, const PgQuery__FuncCall *call)
{
    for (size_t i = 1; i < call->n_args; i++) {
        const PgQuery__Node *argument = call->args[i];
        const bool number = argument->node_case == PG_QUERY__NODE__NODE_A_CONST &&
                            argument->a_const->val_case == PG_QUERY__A__CONST__VAL_IVAL;
        bool cast = false;
        if (argument->node_case == PG_QUERY__NODE__NODE_TYPE_CAST) {
            const PgQuery__TypeName *type = argument->type_cast->type_name;
            cast = type != NULL && type->n_names > 0 && type->n_array_bounds == 0 &&
                   type->names[type->n_names - 1]->node_case == PG_QUERY__NODE__NODE_STRING &&
                   strcmp(type->names[type->n_names - 1]->string->sval, "int4") == 0;
        }
        if (!number && !cast) {
            return ag_reject(check, "substring with a pattern");
        }
    }
    return 0;
}

/* Rows out of a few values listed: unnest(ARRAY[service, host]). */
#define MAX_LISTED 16

static bool lists_few(const PgQuery__FuncCall *call, const char *name)
{
    const PgQuery__Node *argument = call->args[0];
    return strcmp(name, "unnest") == 0 && argument->node_case == PG_QUERY__NODE__NODE_A_ARRAY_EXPR &&
           argument->a_array_expr->n_elements <= MAX_LISTED;
}

static int check_set(struct ag_check *check, const PgQuery__FuncCall *call, const struct ag_place *place,
                     const char *name)
{
    if (!place->target) {
        return ag_reject(check, "function %s outside the select list", name);
    }
    if (call->n_args != 1 ||
        (call->args[0]->node_case != PG_QUERY__NODE__NODE_COLUMN_REF && !lists_few(call, name))) {
        return ag_reject(check, "function %s of something that is not a column or a short list", name);
    }
    check->sets++;
    if (check->sets > AG_GUARD_MAX_SETS) {
        return ag_reject(check, "more than %d set-returning calls", AG_GUARD_MAX_SETS);
    }
    return 0;
}

/* The function's entry, or NULL with the reason. */
static const struct ag_function *find_function(struct ag_check *check, const PgQuery__FuncCall *call)
{
    const PgQuery__Node *last = call->n_funcname > 0 ? call->funcname[call->n_funcname - 1] : NULL;
    if (last == NULL || last->node_case != PG_QUERY__NODE__NODE_STRING) {
        ag_reject(check, "a function without a name");
        return NULL;
    }
    const char *name = last->string->sval;
    bool known = call->n_funcname == 1;
    if (call->funcformat == PG_QUERY__COERCION_FORM__COERCE_SQL_SYNTAX) {
        known = call->n_funcname == 2 && call->funcname[0]->node_case == PG_QUERY__NODE__NODE_STRING &&
                strcmp(call->funcname[0]->string->sval, "pg_catalog") == 0 && ag_syntax_function_known(name);
    } else if (call->funcformat != PG_QUERY__COERCION_FORM__COERCE_EXPLICIT_CALL) {
        known = false;
    }
    const struct ag_function *function = known ? ag_function_find(name) : NULL;
    if (function == NULL) {
        ag_reject(check, "function %s", name);
    }
    return function;
}

/* The values collected are few and short; a separator is a constant, or DISTINCT would be over pairs. */
static int check_collected(struct ag_check *check, const PgQuery__FuncCall *call, size_t position,
                           const struct ag_facts *argument)
{
    const char *name = call->funcname[call->n_funcname - 1]->string->sval;
    if (position == 0 && !(call->agg_distinct && argument->short_text)) {
        return ag_reject(check, "function %s without DISTINCT over a short column", name);
    }
    if (position > 0 && call->args[position]->node_case != PG_QUERY__NODE__NODE_A_CONST) {
        return ag_reject(check, "function %s with a separator that is not a constant", name);
    }
    return 0;
}

static int check_call(struct ag_check *check, const PgQuery__FuncCall *call, const struct ag_place *place,
                      struct ag_facts *facts)
{
    const struct ag_function *function = find_function(check, call);
    if (function == NULL) {
        return -1;
    }
    facts->varies = true;
    if (call->func_variadic) {
        return ag_reject(check, "function %s with VARIADIC", function->name);
    }
    if ((function->flags & AG_FN_ROWS) != 0 && check_set(check, call, place, function->name) != 0) {
        return -1;
    }
    if (strcmp(function->name, "substring") == 0 && check_substring(check, call) != 0) {
        return -1;
    }
    for (size_t i = 0; i < call->n_args; i++) {
        struct ag_facts argument = {0};
        if (ag_check_expression(check, call->args[i], place, &argument) != 0) {
            return -1;
        }
        if ((function->flags & AG_FN_COLLECTS) != 0 && check_collected(check, call, i, &argument) != 0) {
            return -1;
        }
        merge(facts, &argument);
    }
    if ((function->flags & AG_FN_GROWS) != 0 && check_growth(check, facts) != 0) {
        return -1;
    }
    for (size_t i = 0; i < call->n_agg_order; i++) {
        if (ag_check_sort(check, call->agg_order[i], place) != 0) {
            return -1;
        }
    }
    if (call->agg_filter != NULL && check_part(check, call->agg_filter, place, facts) != 0) {
        return -1;
    }
    return call->over != NULL ? check_window(check, call->over, place, facts) : 0;
}

static int check_case(struct ag_check *check, const PgQuery__CaseExpr *expr, const struct ag_place *place,
                      struct ag_facts *facts)
{
    if (expr->arg != NULL && check_part(check, expr->arg, place, facts) != 0) {
        return -1;
    }
    for (size_t i = 0; i < expr->n_args; i++) {
        if (expr->args[i]->node_case != PG_QUERY__NODE__NODE_CASE_WHEN) {
            return ag_reject(check, "CASE without WHEN");
        }
        const PgQuery__CaseWhen *when = expr->args[i]->case_when;
        if (check_part(check, when->expr, place, facts) != 0 ||
            check_part(check, when->result, place, facts) != 0) {
            return -1;
        }
    }
    return expr->defresult != NULL ? check_part(check, expr->defresult, place, facts) : 0;
}

static int check_sublink(struct ag_check *check, const PgQuery__SubLink *link, const struct ag_place *place,
                         struct ag_facts *facts)
{
    facts->subquery = true;
    facts->varies = true;
    switch (link->sub_link_type) {
    case PG_QUERY__SUB_LINK_TYPE__EXISTS_SUBLINK:
    case PG_QUERY__SUB_LINK_TYPE__EXPR_SUBLINK:
        break;
    case PG_QUERY__SUB_LINK_TYPE__ANY_SUBLINK:
    case PG_QUERY__SUB_LINK_TYPE__ALL_SUBLINK:
        if (link->n_oper_name > 0) {
            const char *name = ag_single_name(link->oper_name, link->n_oper_name);
            if (name == NULL || !ag_comparison_known(name)) {
                return ag_reject(check, "operator %s with a subquery", name ? name : "(qualified)");
            }
        }
        if (link->testexpr == NULL || check_part(check, link->testexpr, place, facts) != 0) {
            return ag_reject(check, "a subquery compared with nothing");
        }
        break;
    default:
        return ag_reject(check, "a subquery of this kind");
    }
    if (link->subselect == NULL || link->subselect->node_case != PG_QUERY__NODE__NODE_SELECT_STMT) {
        return ag_reject(check, "a subquery that is no SELECT");
    }
    struct ag_outputs columns = {0};
    if (ag_check_select(check, link->subselect->select_stmt, place->scope, place->ctes, &columns) != 0) {
        return -1;
    }
    for (size_t i = 0; i < columns.count; i++) {
        if (columns.items[i].growth > facts->growth) {
            facts->growth = columns.items[i].growth;
        }
    }
    return 0;
}

static int check_now(struct ag_check *check, const PgQuery__SQLValueFunction *function)
{
    switch (function->op) {
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_DATE:
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_TIMESTAMP:
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_LOCALTIMESTAMP:
        return 0;
    default:
        return ag_reject(check, "a value of the session");
    }
}

static int check_node(struct ag_check *check, const PgQuery__Node *node, const struct ag_place *place,
                      struct ag_facts *facts)
{
    switch (node->node_case) {
    case PG_QUERY__NODE__NODE_COLUMN_REF:
        return check_column(check, node->column_ref, place, facts);
    case PG_QUERY__NODE__NODE_A_CONST:
        return check_constant(check, node->a_const);
    case PG_QUERY__NODE__NODE_A_EXPR:
        return check_operation(check, node->a_expr, place, facts);
    case PG_QUERY__NODE__NODE_BOOL_EXPR:
        return check_list(check, node->bool_expr->args, node->bool_expr->n_args, place, facts);
    case PG_QUERY__NODE__NODE_TYPE_CAST:
        if (check_type(check, node->type_cast->type_name) != 0) {
            return -1;
        }
        return check_part(check, node->type_cast->arg, place, facts);
    case PG_QUERY__NODE__NODE_FUNC_CALL:
        return check_call(check, node->func_call, place, facts);
    case PG_QUERY__NODE__NODE_NULL_TEST:
        return check_part(check, node->null_test->arg, place, facts);
    case PG_QUERY__NODE__NODE_BOOLEAN_TEST:
        return check_part(check, node->boolean_test->arg, place, facts);
    case PG_QUERY__NODE__NODE_CASE_EXPR:
        return check_case(check, node->case_expr, place, facts);
    case PG_QUERY__NODE__NODE_COALESCE_EXPR:
        return check_list(check, node->coalesce_expr->args, node->coalesce_expr->n_args, place, facts);
    case PG_QUERY__NODE__NODE_MIN_MAX_EXPR:
        return check_list(check, node->min_max_expr->args, node->min_max_expr->n_args, place, facts);
    case PG_QUERY__NODE__NODE_A_ARRAY_EXPR:
        if (check_list(check, node->a_array_expr->elements, node->a_array_expr->n_elements, place, facts) !=
            0) {
            return -1;
        }
        return check_growth(check, facts);
    case PG_QUERY__NODE__NODE_SUB_LINK:
        return check_sublink(check, node->sub_link, place, facts);
    case PG_QUERY__NODE__NODE_SQLVALUE_FUNCTION:
        return check_now(check, node->sqlvalue_function);
    default:
        return ag_reject(check, "node %s", ag_node_name(node));
    }
}

int ag_check_expression(struct ag_check *check, const PgQuery__Node *node, const struct ag_place *place,
                        struct ag_facts *facts)
{
    if (node == NULL) {
        return ag_reject(check, "an expression that is not there");
    }
    if (check->depth >= AG_GUARD_MAX_DEPTH) {
        return ag_reject(check, "expressions nested more than %d deep", AG_GUARD_MAX_DEPTH);
    }
    check->depth++;
    const int result = check_node(check, node, place, facts);
    check->depth--;
    return result;
}

int ag_check_sort(struct ag_check *check, const PgQuery__Node *node, const struct ag_place *place)
{
    if (node->node_case != PG_QUERY__NODE__NODE_SORT_BY) {
        return ag_reject(check, "ORDER BY of something else");
    }
    const PgQuery__SortBy *sort = node->sort_by;
    if (sort->n_use_op > 0 || sort->sortby_dir == PG_QUERY__SORT_BY_DIR__SORTBY_USING) {
        return ag_reject(check, "ORDER BY USING");
    }
    struct ag_facts facts = {0};
    return ag_check_expression(check, sort->node, place, &facts);
}
