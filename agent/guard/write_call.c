/* Function calls: plain ones, aggregates, windows, and those the grammar spells with words (EXTRACT, AT TIME
 * ZONE …). */
#include "agent/guard/write_parts.h"

#include <string.h>

/* Bits of WindowDef.frame_options, as in PostgreSQL's parsenodes.h. */
#define FRAME_NONDEFAULT 0x00001
#define FRAME_RANGE 0x00002
#define FRAME_ROWS 0x00004
#define FRAME_GROUPS 0x00008
#define FRAME_BETWEEN 0x00010
#define FRAME_START_UNBOUNDED_PRECEDING 0x00020
#define FRAME_END_UNBOUNDED_FOLLOWING 0x00100
#define FRAME_START_CURRENT_ROW 0x00200
#define FRAME_END_CURRENT_ROW 0x00400
#define FRAME_START_OFFSET_PRECEDING 0x00800
#define FRAME_END_OFFSET_PRECEDING 0x01000
#define FRAME_START_OFFSET_FOLLOWING 0x02000
#define FRAME_END_OFFSET_FOLLOWING 0x04000

static int write_frame_bound(struct lm_buffer *out, int options, bool start, const PgQuery__Node *offset)
{
    if ((options & (start ? FRAME_START_UNBOUNDED_PRECEDING : FRAME_END_UNBOUNDED_FOLLOWING)) != 0) {
        lm_buffer_append_text(out, start ? "UNBOUNDED PRECEDING" : "UNBOUNDED FOLLOWING");
        return 0;
    }
    if ((options & (start ? FRAME_START_CURRENT_ROW : FRAME_END_CURRENT_ROW)) != 0) {
        lm_buffer_append_text(out, "CURRENT ROW");
        return 0;
    }
    const bool preceding =
        (options & (start ? FRAME_START_OFFSET_PRECEDING : FRAME_END_OFFSET_PRECEDING)) != 0;
    const bool following =
        (options & (start ? FRAME_START_OFFSET_FOLLOWING : FRAME_END_OFFSET_FOLLOWING)) != 0;
    if ((!preceding && !following) || offset == NULL || ag_write_expression(out, offset) != 0) {
        return -1;
    }
    lm_buffer_append_text(out, preceding ? " PRECEDING" : " FOLLOWING");
    return 0;
}

/* An exclusion clause (EXCLUDE …) is not written, so the comparison rejects it. */
static int write_frame(struct lm_buffer *out, const PgQuery__WindowDef *window)
{
    const int options = window->frame_options;
    if ((options & FRAME_NONDEFAULT) == 0) {
        return 0;
    }
    lm_buffer_append_text(out, (options & FRAME_ROWS) != 0     ? " ROWS"
                               : (options & FRAME_GROUPS) != 0 ? " GROUPS"
                                                               : " RANGE");
    if ((options & FRAME_BETWEEN) == 0) {
        lm_buffer_append_char(out, ' ');
        return write_frame_bound(out, options, true, window->start_offset);
    }
    lm_buffer_append_text(out, " BETWEEN ");
    if (write_frame_bound(out, options, true, window->start_offset) != 0) {
        return -1;
    }
    lm_buffer_append_text(out, " AND ");
    return write_frame_bound(out, options, false, window->end_offset);
}

static int write_window(struct lm_buffer *out, const PgQuery__WindowDef *window)
{
    lm_buffer_append_text(out, " OVER (");
    if (window->n_partition_clause > 0) {
        lm_buffer_append_text(out, "PARTITION BY ");
        if (ag_write_expressions(out, window->partition_clause, window->n_partition_clause) != 0) {
            return -1;
        }
    }
    if (ag_write_order(out, window->order_clause, window->n_order_clause) != 0 ||
        write_frame(out, window) != 0) {
        return -1;
    }
    lm_buffer_append_char(out, ')');
    return 0;
}

/* FUNCTION(argument word argument …) */
static int write_worded(struct lm_buffer *out, const char *open, PgQuery__Node *const *args, size_t count,
                        const char *const *words)
{
    lm_buffer_append_text(out, open);
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            lm_buffer_append_text(out, words[i - 1]);
        }
        if (ag_write_expression(out, args[i]) != 0) {
            return -1;
        }
    }
    lm_buffer_append_char(out, ')');
    return 0;
}

/* Calls the grammar makes out of keywords; their arguments stand in PostgreSQL's order, not in the text's. */
static int write_syntax_call(struct lm_buffer *out, const PgQuery__FuncCall *call)
{
    static const char *const from[] = {" FROM ", " FOR "};
    static const char *const in[] = {" IN "};
    const char *name = call->n_funcname == 2 ? ag_write_text_of(call->funcname[1]) : NULL;
    PgQuery__Node *swapped[2] = {NULL, NULL};
    if (name == NULL || call->n_args == 0 || call->over != NULL || call->agg_filter != NULL ||
        call->n_agg_order > 0) {
        return -1;
    }
    if (call->n_args == 2) {
        swapped[0] = call->args[1];
        swapped[1] = call->args[0];
    }
    if (strcmp(name, "extract") == 0 && call->n_args == 2) {
        return write_worded(out, "EXTRACT(", call->args, 2, from);
    }
    if (strcmp(name, "timezone") == 0 && call->n_args == 2) {
        return ag_write_infix(out, call->args[1], "AT TIME ZONE", call->args[0]);
    }
    if (strcmp(name, "position") == 0 && call->n_args == 2) {
        return write_worded(out, "POSITION(", swapped, 2, in);
    }
    if (strcmp(name, "substring") == 0 && call->n_args <= 3) {
        return write_worded(out, "SUBSTRING(", call->args, call->n_args, from);
    }
    const char *open = strcmp(name, "btrim") == 0   ? "TRIM(BOTH "
                       : strcmp(name, "ltrim") == 0 ? "TRIM(LEADING "
                       : strcmp(name, "rtrim") == 0 ? "TRIM(TRAILING "
                                                    : NULL;
    if (open == NULL || call->n_args > 2) {
        return -1;
    }
    if (call->n_args == 2) {
        return write_worded(out, open, swapped, 2, from);
    }
    lm_buffer_append_text(out, open);
    return write_worded(out, "FROM ", call->args, 1, from);
}

int ag_write_call(struct lm_buffer *out, const PgQuery__FuncCall *call)
{
    if (call->func_variadic) {
        return -1;
    }
    if (call->funcformat == PG_QUERY__COERCION_FORM__COERCE_SQL_SYNTAX) {
        return write_syntax_call(out, call);
    }
    if (ag_write_names(out, call->funcname, call->n_funcname) != 0) {
        return -1;
    }
    lm_buffer_append_char(out, '(');
    if (call->agg_star) {
        lm_buffer_append_char(out, '*');
    }
    if (call->agg_distinct) {
        lm_buffer_append_text(out, "DISTINCT ");
    }
    if (ag_write_expressions(out, call->args, call->n_args) != 0) {
        return -1;
    }
    if (!call->agg_within_group && ag_write_order(out, call->agg_order, call->n_agg_order) != 0) {
        return -1;
    }
    lm_buffer_append_char(out, ')');
    if (call->agg_within_group) {
        lm_buffer_append_text(out, " WITHIN GROUP (");
        if (ag_write_order(out, call->agg_order, call->n_agg_order) != 0) {
            return -1;
        }
        lm_buffer_append_char(out, ')');
    }
    if (call->agg_filter != NULL) {
        lm_buffer_append_text(out, " FILTER (WHERE ");
        if (ag_write_expression(out, call->agg_filter) != 0) {
            return -1;
        }
        lm_buffer_append_char(out, ')');
    }
    return call->over != NULL ? write_window(out, call->over) : 0;
}
