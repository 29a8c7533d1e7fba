/* SELECT, its FROM and its ordering; the expressions are write_expression.c's. */
#include "agent/guard/write_parts.h"

#include <string.h>

int ag_write_order(struct lm_buffer *out, PgQuery__Node *const *nodes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (nodes[i]->node_case != PG_QUERY__NODE__NODE_SORT_BY) {
            return -1;
        }
        const PgQuery__SortBy *sort = nodes[i]->sort_by;
        lm_buffer_append_text(out, i == 0 ? " ORDER BY " : ", ");
        if (ag_write_expression(out, sort->node) != 0) {
            return -1;
        }
        if (sort->sortby_dir == PG_QUERY__SORT_BY_DIR__SORTBY_ASC) {
            lm_buffer_append_text(out, " ASC");
        } else if (sort->sortby_dir == PG_QUERY__SORT_BY_DIR__SORTBY_DESC) {
            lm_buffer_append_text(out, " DESC");
        }
        if (sort->sortby_nulls == PG_QUERY__SORT_BY_NULLS__SORTBY_NULLS_FIRST) {
            lm_buffer_append_text(out, " NULLS FIRST");
        } else if (sort->sortby_nulls == PG_QUERY__SORT_BY_NULLS__SORTBY_NULLS_LAST) {
            lm_buffer_append_text(out, " NULLS LAST");
        }
    }
    return 0;
}

static int write_name_list(struct lm_buffer *out, PgQuery__Node *const *names, size_t count)
{
    if (count == 0) {
        return 0;
    }
    lm_buffer_append_char(out, '(');
    for (size_t i = 0; i < count; i++) {
        if (names[i]->node_case != PG_QUERY__NODE__NODE_STRING) {
            return -1;
        }
        if (i > 0) {
            lm_buffer_append_text(out, ", ");
        }
        ag_write_name(out, names[i]->string->sval);
    }
    lm_buffer_append_char(out, ')');
    return 0;
}

static int write_alias(struct lm_buffer *out, const PgQuery__Alias *alias)
{
    if (alias == NULL) {
        return 0;
    }
    lm_buffer_append_text(out, " AS ");
    ag_write_name(out, alias->aliasname);
    return write_name_list(out, alias->colnames, alias->n_colnames);
}

static int write_from(struct lm_buffer *out, const PgQuery__Node *node);

static int write_join(struct lm_buffer *out, const PgQuery__JoinExpr *join)
{
    static const char *const words[] = {[PG_QUERY__JOIN_TYPE__JOIN_INNER] = " JOIN ",
                                        [PG_QUERY__JOIN_TYPE__JOIN_LEFT] = " LEFT JOIN ",
                                        [PG_QUERY__JOIN_TYPE__JOIN_FULL] = " FULL JOIN ",
                                        [PG_QUERY__JOIN_TYPE__JOIN_RIGHT] = " RIGHT JOIN "};
    if (join->jointype < PG_QUERY__JOIN_TYPE__JOIN_INNER ||
        join->jointype > PG_QUERY__JOIN_TYPE__JOIN_RIGHT || join->alias != NULL || join->is_natural) {
        return -1;
    }
    lm_buffer_append_char(out, '(');
    if (write_from(out, join->larg) != 0) {
        return -1;
    }
    lm_buffer_append_text(out, words[join->jointype]);
    if (write_from(out, join->rarg) != 0) {
        return -1;
    }
    if (join->n_using_clause > 0) {
        lm_buffer_append_text(out, " USING ");
        if (write_name_list(out, join->using_clause, join->n_using_clause) != 0) {
            return -1;
        }
    } else {
        lm_buffer_append_text(out, " ON ");
        if (ag_write_expression(out, join->quals) != 0) {
            return -1;
        }
    }
    lm_buffer_append_char(out, ')');
    return 0;
}

/* name(arguments); what else such an item may have is not written, so the comparison rejects it. */
static int write_called(struct lm_buffer *out, const PgQuery__RangeFunction *range)
{
    const PgQuery__Node *item = range->n_functions == 1 ? range->functions[0] : NULL;
    if (item == NULL || item->node_case != PG_QUERY__NODE__NODE_LIST || item->list->n_items == 0 ||
        item->list->items[0]->node_case != PG_QUERY__NODE__NODE_FUNC_CALL ||
        ag_write_call(out, item->list->items[0]->func_call) != 0) {
        return -1;
    }
    return write_alias(out, range->alias);
}

static int write_from(struct lm_buffer *out, const PgQuery__Node *node)
{
    if (node == NULL) {
        return -1;
    }
    switch (node->node_case) {
    case PG_QUERY__NODE__NODE_RANGE_VAR:
        if (node->range_var->schemaname[0] != '\0' || node->range_var->catalogname[0] != '\0') {
            return -1;
        }
        ag_write_name(out, node->range_var->relname);
        return write_alias(out, node->range_var->alias);
    case PG_QUERY__NODE__NODE_RANGE_SUBSELECT:
        if (node->range_subselect->lateral || node->range_subselect->subquery == NULL ||
            node->range_subselect->subquery->node_case != PG_QUERY__NODE__NODE_SELECT_STMT) {
            return -1;
        }
        lm_buffer_append_char(out, '(');
        if (ag_write_select(out, node->range_subselect->subquery->select_stmt) != 0) {
            return -1;
        }
        lm_buffer_append_char(out, ')');
        return write_alias(out, node->range_subselect->alias);
    case PG_QUERY__NODE__NODE_RANGE_FUNCTION:
        return write_called(out, node->range_function);
    case PG_QUERY__NODE__NODE_JOIN_EXPR:
        return write_join(out, node->join_expr);
    default:
        return -1;
    }
}

static int write_with(struct lm_buffer *out, const PgQuery__WithClause *with)
{
    if (with == NULL) {
        return 0;
    }
    if (with->recursive) {
        return -1;
    }
    for (size_t i = 0; i < with->n_ctes; i++) {
        const PgQuery__Node *node = with->ctes[i];
        if (node->node_case != PG_QUERY__NODE__NODE_COMMON_TABLE_EXPR) {
            return -1;
        }
        const PgQuery__CommonTableExpr *cte = node->common_table_expr;
        lm_buffer_append_text(out, i == 0 ? "WITH " : ", ");
        ag_write_name(out, cte->ctename);
        if (write_name_list(out, cte->aliascolnames, cte->n_aliascolnames) != 0) {
            return -1;
        }
        lm_buffer_append_text(out, " AS ");
        if (cte->ctematerialized == PG_QUERY__CTEMATERIALIZE__CTEMaterializeAlways) {
            lm_buffer_append_text(out, "MATERIALIZED ");
        } else if (cte->ctematerialized == PG_QUERY__CTEMATERIALIZE__CTEMaterializeNever) {
            lm_buffer_append_text(out, "NOT MATERIALIZED ");
        }
        lm_buffer_append_char(out, '(');
        if (cte->ctequery == NULL || cte->ctequery->node_case != PG_QUERY__NODE__NODE_SELECT_STMT ||
            ag_write_select(out, cte->ctequery->select_stmt) != 0) {
            return -1;
        }
        lm_buffer_append_char(out, ')');
    }
    lm_buffer_append_char(out, ' ');
    return 0;
}

static int write_targets(struct lm_buffer *out, const PgQuery__SelectStmt *select)
{
    for (size_t i = 0; i < select->n_target_list; i++) {
        const PgQuery__Node *node = select->target_list[i];
        if (node->node_case != PG_QUERY__NODE__NODE_RES_TARGET || node->res_target->n_indirection > 0) {
            return -1;
        }
        if (i > 0) {
            lm_buffer_append_text(out, ", ");
        }
        if (ag_write_expression(out, node->res_target->val) != 0) {
            return -1;
        }
        if (node->res_target->name[0] != '\0') {
            lm_buffer_append_text(out, " AS ");
            ag_write_name(out, node->res_target->name);
        }
    }
    return 0;
}

static int write_plain(struct lm_buffer *out, const PgQuery__SelectStmt *select)
{
    lm_buffer_append_text(out, select->n_distinct_clause > 0 ? "SELECT DISTINCT " : "SELECT ");
    if (write_targets(out, select) != 0) {
        return -1;
    }
    if (select->n_from_clause > 0) {
        lm_buffer_append_text(out, " FROM ");
        if (select->n_from_clause > 1 || write_from(out, select->from_clause[0]) != 0) {
            return -1;
        }
    }
    if (select->where_clause != NULL) {
        lm_buffer_append_text(out, " WHERE ");
        if (ag_write_expression(out, select->where_clause) != 0) {
            return -1;
        }
    }
    if (select->n_group_clause > 0) {
        lm_buffer_append_text(out, " GROUP BY ");
        if (ag_write_expressions(out, select->group_clause, select->n_group_clause) != 0) {
            return -1;
        }
    }
    if (select->having_clause != NULL) {
        lm_buffer_append_text(out, " HAVING ");
        if (ag_write_expression(out, select->having_clause) != 0) {
            return -1;
        }
    }
    return 0;
}

static int write_set_operation(struct lm_buffer *out, const PgQuery__SelectStmt *select)
{
    const char *word = NULL;
    switch (select->op) {
    case PG_QUERY__SET_OPERATION__SETOP_UNION:
        word = " UNION ";
        break;
    case PG_QUERY__SET_OPERATION__SETOP_INTERSECT:
        word = " INTERSECT ";
        break;
    case PG_QUERY__SET_OPERATION__SETOP_EXCEPT:
        word = " EXCEPT ";
        break;
    default:
        return -1;
    }
    if (select->larg == NULL || select->rarg == NULL) {
        return -1;
    }
    lm_buffer_append_char(out, '(');
    if (ag_write_select(out, select->larg) != 0) {
        return -1;
    }
    lm_buffer_append_char(out, ')');
    lm_buffer_append_text(out, word);
    lm_buffer_append_text(out, select->all ? "ALL (" : "(");
    if (ag_write_select(out, select->rarg) != 0) {
        return -1;
    }
    lm_buffer_append_char(out, ')');
    return 0;
}

int ag_write_select(struct lm_buffer *out, const PgQuery__SelectStmt *select)
{
    if (select == NULL || write_with(out, select->with_clause) != 0) {
        return -1;
    }
    const bool plain = select->op == PG_QUERY__SET_OPERATION__SETOP_NONE;
    if ((plain ? write_plain(out, select) : write_set_operation(out, select)) != 0) {
        return -1;
    }
    if (ag_write_order(out, select->sort_clause, select->n_sort_clause) != 0) {
        return -1;
    }
    if (select->limit_count != NULL) {
        lm_buffer_append_text(out, " LIMIT ");
        if (ag_write_expression(out, select->limit_count) != 0) {
            return -1;
        }
    }
    if (select->limit_offset != NULL) {
        lm_buffer_append_text(out, " OFFSET ");
        if (ag_write_expression(out, select->limit_offset) != 0) {
            return -1;
        }
    }
    return 0;
}
