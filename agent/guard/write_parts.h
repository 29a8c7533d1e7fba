/* Shared by the two halves of the writer: write_select.c and write_expression.c. */
#ifndef LOGMILL_AGENT_GUARD_WRITE_PARTS_H
#define LOGMILL_AGENT_GUARD_WRITE_PARTS_H

#include "agent/guard/write.h"

/* In parentheses where the grammar needs or bears them. */
int ag_write_expression(struct lm_buffer *out, const PgQuery__Node *node) LM_MUST_CHECK;
/* Separated by commas. */
int ag_write_expressions(struct lm_buffer *out, PgQuery__Node *const *nodes, size_t count) LM_MUST_CHECK;
/* " ORDER BY …", nothing for none. */
int ag_write_order(struct lm_buffer *out, PgQuery__Node *const *nodes, size_t count) LM_MUST_CHECK;
/* A quoted identifier. */
void ag_write_name(struct lm_buffer *out, const char *name);

#endif
