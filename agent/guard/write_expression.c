/*
 * Each expression is one parenthesised unit, so the parser has no choice left in reading it. Where the
 * grammar takes no parentheses (the right side of IN, the name of a function) none are written.
 */
#include "agent/guard/write_parts.h"

#include <string.h>

void ag_write_name(struct lm_buffer *out, const char *name)
{
    lm_buffer_append_char(out, '"');
    for (; *name != '\0'; name++) {
        if (*name == '"') {
            lm_buffer_append_char(out, '"');
        }
        lm_buffer_append_char(out, *name);
    }
    lm_buffer_append_char(out, '"');
}

const char *ag_write_text_of(const PgQuery__Node *node)
{
    return node != NULL && node->node_case == PG_QUERY__NODE__NODE_STRING ? node->string->sval : NULL;
}

int ag_write_expressions(struct lm_buffer *out, PgQuery__Node *const *nodes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            lm_buffer_append_text(out, ", ");
        }
        if (ag_write_expression(out, nodes[i]) != 0) {
            return -1;
        }
    }
    return 0;
}

int ag_write_names(struct lm_buffer *out, PgQuery__Node *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *name = ag_write_text_of(names[i]);
        if (name == NULL) {
            return -1;
        }
        if (i > 0) {
            lm_buffer_append_char(out, '.');
        }
        ag_write_name(out, name);
    }
    return count > 0 ? 0 : -1;
}

static int write_constant(struct lm_buffer *out, const PgQuery__AConst *constant)
{
    if (constant->isnull) {
        lm_buffer_append_text(out, "NULL");
        return 0;
    }
    switch (constant->val_case) {
    case PG_QUERY__A__CONST__VAL_IVAL:
        lm_buffer_printf(out, constant->ival->ival < 0 ? "(%d)" : "%d", constant->ival->ival);
        return 0;
    case PG_QUERY__A__CONST__VAL_FVAL:
        lm_buffer_printf(out, constant->fval->fval[0] == '-' ? "(%s)" : "%s", constant->fval->fval);
        return 0;
    case PG_QUERY__A__CONST__VAL_BOOLVAL:
        lm_buffer_append_text(out, constant->boolval->boolval ? "TRUE" : "FALSE");
        return 0;
    case PG_QUERY__A__CONST__VAL_SVAL:
        lm_buffer_append_literal(out, constant->sval->sval, strlen(constant->sval->sval));
        return 0;
    default:
        return -1;
    }
}

/* (left middle right), left may be missing. */
int ag_write_infix(struct lm_buffer *out, const PgQuery__Node *left, const char *middle,
                   const PgQuery__Node *right)
{
    lm_buffer_append_char(out, '(');
    if (left != NULL && ag_write_expression(out, left) != 0) {
        return -1;
    }
    lm_buffer_append_char(out, ' ');
    lm_buffer_append_text(out, middle);
    lm_buffer_append_char(out, ' ');
    if (ag_write_expression(out, right) != 0) {
        return -1;
    }
    lm_buffer_append_char(out, ')');
    return 0;
}

static int write_list_operation(struct lm_buffer *out, const PgQuery__AExpr *expr, const char *name)
{
    if (expr->rexpr == NULL || expr->rexpr->node_case != PG_QUERY__NODE__NODE_LIST) {
        return -1;
    }
    const PgQuery__List *list = expr->rexpr->list;
    lm_buffer_append_char(out, '(');
    if (ag_write_expression(out, expr->lexpr) != 0) {
        return -1;
    }
    if (expr->kind == PG_QUERY__A__EXPR__KIND__AEXPR_IN) {
        lm_buffer_append_text(out, strcmp(name, "=") == 0 ? " IN (" : " NOT IN (");
        if (ag_write_expressions(out, list->items, list->n_items) != 0) {
            return -1;
        }
        lm_buffer_append_text(out, "))");
        return 0;
    }
    lm_buffer_append_text(out, expr->kind == PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN ? " BETWEEN "
                                                                                    : " NOT BETWEEN ");
    if (list->n_items != 2 || ag_write_expression(out, list->items[0]) != 0) {
        return -1;
    }
    lm_buffer_append_text(out, " AND ");
    if (ag_write_expression(out, list->items[1]) != 0) {
        return -1;
    }
    lm_buffer_append_char(out, ')');
    return 0;
}

static int write_any(struct lm_buffer *out, const PgQuery__AExpr *expr, const char *name,
                     const char *quantifier)
{
    lm_buffer_append_char(out, '(');
    if (ag_write_expression(out, expr->lexpr) != 0) {
        return -1;
    }
    lm_buffer_printf(out, " %s %s (", name, quantifier);
    if (ag_write_expression(out, expr->rexpr) != 0) {
        return -1;
    }
    lm_buffer_append_text(out, "))");
    return 0;
}

static int write_operation(struct lm_buffer *out, const PgQuery__AExpr *expr)
{
    const char *name = expr->n_name == 1 ? ag_write_text_of(expr->name[0]) : NULL;
    if (name == NULL) {
        return -1;
    }
    switch (expr->kind) {
    case PG_QUERY__A__EXPR__KIND__AEXPR_OP:
        return ag_write_infix(out, expr->lexpr, name, expr->rexpr);
    case PG_QUERY__A__EXPR__KIND__AEXPR_OP_ANY:
        return write_any(out, expr, name, "ANY");
    case PG_QUERY__A__EXPR__KIND__AEXPR_OP_ALL:
        return write_any(out, expr, name, "ALL");
    case PG_QUERY__A__EXPR__KIND__AEXPR_DISTINCT:
        return ag_write_infix(out, expr->lexpr, "IS DISTINCT FROM", expr->rexpr);
    case PG_QUERY__A__EXPR__KIND__AEXPR_NOT_DISTINCT:
        return ag_write_infix(out, expr->lexpr, "IS NOT DISTINCT FROM", expr->rexpr);
    case PG_QUERY__A__EXPR__KIND__AEXPR_LIKE:
        return ag_write_infix(out, expr->lexpr, name[0] == '!' ? "NOT LIKE" : "LIKE", expr->rexpr);
    case PG_QUERY__A__EXPR__KIND__AEXPR_ILIKE:
        return ag_write_infix(out, expr->lexpr, name[0] == '!' ? "NOT ILIKE" : "ILIKE", expr->rexpr);
    case PG_QUERY__A__EXPR__KIND__AEXPR_NULLIF:
        lm_buffer_append_text(out, "NULLIF(");
        if (ag_write_expression(out, expr->lexpr) != 0) {
            return -1;
        }
        lm_buffer_append_text(out, ", ");
        if (ag_write_expression(out, expr->rexpr) != 0) {
            return -1;
        }
        lm_buffer_append_char(out, ')');
        return 0;
    case PG_QUERY__A__EXPR__KIND__AEXPR_IN:
    case PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN:
    case PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN:
        return write_list_operation(out, expr, name);
    default:
        return -1;
    }
}

static int write_bool(struct lm_buffer *out, const PgQuery__BoolExpr *expr)
{
    const char *between = NULL;
    switch (expr->boolop) {
    case PG_QUERY__BOOL_EXPR_TYPE__NOT_EXPR:
        lm_buffer_append_text(out, "(NOT ");
        if (expr->n_args != 1 || ag_write_expression(out, expr->args[0]) != 0) {
            return -1;
        }
        lm_buffer_append_char(out, ')');
        return 0;
    case PG_QUERY__BOOL_EXPR_TYPE__AND_EXPR:
        between = " AND ";
        break;
    case PG_QUERY__BOOL_EXPR_TYPE__OR_EXPR:
        between = " OR ";
        break;
    default:
        return -1;
    }
    lm_buffer_append_char(out, '(');
    for (size_t i = 0; i < expr->n_args; i++) {
        if (i > 0) {
            lm_buffer_append_text(out, between);
        }
        if (ag_write_expression(out, expr->args[i]) != 0) {
            return -1;
        }
    }
    lm_buffer_append_char(out, ')');
    return 0;
}

static int write_type(struct lm_buffer *out, const PgQuery__TypeName *type)
{
    if (type == NULL || type->setof || type->pct_type) {
        return -1;
    }
    for (size_t i = 0; i < type->n_names; i++) {
        const char *name = ag_write_text_of(type->names[i]);
        if (name == NULL) {
            return -1;
        }
        if (i > 0) {
            lm_buffer_append_char(out, '.');
        }
        ag_write_name(out, name);
    }
    if (type->n_typmods > 0) {
        lm_buffer_append_char(out, '(');
        if (ag_write_expressions(out, type->typmods, type->n_typmods) != 0) {
            return -1;
        }
        lm_buffer_append_char(out, ')');
    }
    for (size_t i = 0; i < type->n_array_bounds; i++) {
        lm_buffer_append_text(out, "[]");
    }
    return 0;
}

static int write_cast(struct lm_buffer *out, const PgQuery__TypeCast *cast)
{
    lm_buffer_append_text(out, "CAST(");
    if (ag_write_expression(out, cast->arg) != 0) {
        return -1;
    }
    lm_buffer_append_text(out, " AS ");
    if (write_type(out, cast->type_name) != 0) {
        return -1;
    }
    lm_buffer_append_char(out, ')');
    return 0;
}

static int write_case(struct lm_buffer *out, const PgQuery__CaseExpr *expr)
{
    lm_buffer_append_text(out, "(CASE");
    if (expr->arg != NULL) {
        lm_buffer_append_char(out, ' ');
        if (ag_write_expression(out, expr->arg) != 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < expr->n_args; i++) {
        if (expr->args[i]->node_case != PG_QUERY__NODE__NODE_CASE_WHEN) {
            return -1;
        }
        lm_buffer_append_text(out, " WHEN ");
        if (ag_write_expression(out, expr->args[i]->case_when->expr) != 0) {
            return -1;
        }
        lm_buffer_append_text(out, " THEN ");
        if (ag_write_expression(out, expr->args[i]->case_when->result) != 0) {
            return -1;
        }
    }
    if (expr->defresult != NULL) {
        lm_buffer_append_text(out, " ELSE ");
        if (ag_write_expression(out, expr->defresult) != 0) {
            return -1;
        }
    }
    lm_buffer_append_text(out, " END)");
    return 0;
}

static int write_sublink(struct lm_buffer *out, const PgQuery__SubLink *link)
{
    if (link->subselect == NULL || link->subselect->node_case != PG_QUERY__NODE__NODE_SELECT_STMT) {
        return -1;
    }
    lm_buffer_append_char(out, '(');
    switch (link->sub_link_type) {
    case PG_QUERY__SUB_LINK_TYPE__EXPR_SUBLINK:
        if (ag_write_select(out, link->subselect->select_stmt) != 0) {
            return -1;
        }
        lm_buffer_append_char(out, ')');
        return 0;
    case PG_QUERY__SUB_LINK_TYPE__EXISTS_SUBLINK:
        lm_buffer_append_text(out, "EXISTS (");
        break;
    case PG_QUERY__SUB_LINK_TYPE__ANY_SUBLINK:
    case PG_QUERY__SUB_LINK_TYPE__ALL_SUBLINK: {
        const char *name = link->n_oper_name == 1 ? ag_write_text_of(link->oper_name[0]) : NULL;
        if (ag_write_expression(out, link->testexpr) != 0 || (name == NULL && link->n_oper_name > 0)) {
            return -1;
        }
        const bool any = link->sub_link_type == PG_QUERY__SUB_LINK_TYPE__ANY_SUBLINK;
        if (name == NULL) {
            lm_buffer_append_text(out, " IN (");
        } else {
            lm_buffer_printf(out, " %s %s (", name, any ? "ANY" : "ALL");
        }
        break;
    }
    default:
        return -1;
    }
    if (ag_write_select(out, link->subselect->select_stmt) != 0) {
        return -1;
    }
    lm_buffer_append_text(out, "))");
    return 0;
}

static int write_tested(struct lm_buffer *out, const PgQuery__Node *argument, const char *test)
{
    lm_buffer_append_char(out, '(');
    if (test == NULL || ag_write_expression(out, argument) != 0) {
        return -1;
    }
    lm_buffer_append_text(out, test);
    lm_buffer_append_char(out, ')');
    return 0;
}

static const char *boolean_test(PgQuery__BoolTestType type)
{
    switch (type) {
    case PG_QUERY__BOOL_TEST_TYPE__IS_TRUE:
        return " IS TRUE";
    case PG_QUERY__BOOL_TEST_TYPE__IS_NOT_TRUE:
        return " IS NOT TRUE";
    case PG_QUERY__BOOL_TEST_TYPE__IS_FALSE:
        return " IS FALSE";
    case PG_QUERY__BOOL_TEST_TYPE__IS_NOT_FALSE:
        return " IS NOT FALSE";
    case PG_QUERY__BOOL_TEST_TYPE__IS_UNKNOWN:
        return " IS UNKNOWN";
    case PG_QUERY__BOOL_TEST_TYPE__IS_NOT_UNKNOWN:
        return " IS NOT UNKNOWN";
    default:
        return NULL;
    }
}

static const char *session_value(PgQuery__SQLValueFunctionOp op)
{
    switch (op) {
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_DATE:
        return "CURRENT_DATE";
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_TIMESTAMP:
        return "CURRENT_TIMESTAMP";
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_LOCALTIMESTAMP:
        return "LOCALTIMESTAMP";
    default:
        return NULL;
    }
}

static int write_enclosed(struct lm_buffer *out, const char *open, PgQuery__Node *const *nodes, size_t count,
                          const char *close)
{
    lm_buffer_append_text(out, open);
    if (ag_write_expressions(out, nodes, count) != 0) {
        return -1;
    }
    lm_buffer_append_text(out, close);
    return 0;
}

int ag_write_expression(struct lm_buffer *out, const PgQuery__Node *node)
{
    const char *text = NULL;
    if (node == NULL) {
        return -1;
    }
    switch (node->node_case) {
    case PG_QUERY__NODE__NODE_COLUMN_REF:
        return ag_write_names(out, node->column_ref->fields, node->column_ref->n_fields);
    case PG_QUERY__NODE__NODE_A_CONST:
        return write_constant(out, node->a_const);
    case PG_QUERY__NODE__NODE_A_EXPR:
        return write_operation(out, node->a_expr);
    case PG_QUERY__NODE__NODE_BOOL_EXPR:
        return write_bool(out, node->bool_expr);
    case PG_QUERY__NODE__NODE_TYPE_CAST:
        return write_cast(out, node->type_cast);
    case PG_QUERY__NODE__NODE_FUNC_CALL:
        return ag_write_call(out, node->func_call);
    case PG_QUERY__NODE__NODE_NULL_TEST:
        return write_tested(
            out, node->null_test->arg,
            node->null_test->nulltesttype == PG_QUERY__NULL_TEST_TYPE__IS_NULL ? " IS NULL" : " IS NOT NULL");
    case PG_QUERY__NODE__NODE_BOOLEAN_TEST:
        return write_tested(out, node->boolean_test->arg, boolean_test(node->boolean_test->booltesttype));
    case PG_QUERY__NODE__NODE_CASE_EXPR:
        return write_case(out, node->case_expr);
    case PG_QUERY__NODE__NODE_COALESCE_EXPR:
        return write_enclosed(out, "COALESCE(", node->coalesce_expr->args, node->coalesce_expr->n_args, ")");
    case PG_QUERY__NODE__NODE_MIN_MAX_EXPR:
        return write_enclosed(
            out, node->min_max_expr->op == PG_QUERY__MIN_MAX_OP__IS_GREATEST ? "GREATEST(" : "LEAST(",
            node->min_max_expr->args, node->min_max_expr->n_args, ")");
    case PG_QUERY__NODE__NODE_A_ARRAY_EXPR:
        return write_enclosed(out, "ARRAY[", node->a_array_expr->elements, node->a_array_expr->n_elements,
                              "]");
    case PG_QUERY__NODE__NODE_SUB_LINK:
        return write_sublink(out, node->sub_link);
    case PG_QUERY__NODE__NODE_SQLVALUE_FUNCTION:
        text = session_value(node->sqlvalue_function->op);
        if (text == NULL) {
            return -1;
        }
        lm_buffer_append_text(out, text);
        return 0;
    default:
        return -1;
    }
}
