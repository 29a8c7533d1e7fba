/* Shared by the parts of the writer: write_select.c, write_expression.c and write_call.c. */
#ifndef LOGMILL_AGENT_GUARD_WRITE_PARTS_H
#define LOGMILL_AGENT_GUARD_WRITE_PARTS_H

#include "agent/guard/write.h"

/* In parentheses where the grammar needs or bears them. */
int ag_write_expression(struct lm_buffer *out, const PgQuery__Node *node) LM_MUST_CHECK;
/* Separated by commas. */
int ag_write_expressions(struct lm_buffer *out, PgQuery__Node *const *nodes, size_t count) LM_MUST_CHECK;
/* " ORDER BY …", nothing for none. */
int ag_write_order(struct lm_buffer *out, PgQuery__Node *const *nodes, size_t count) LM_MUST_CHECK;
int ag_write_call(struct lm_buffer *out, const PgQuery__FuncCall *call) LM_MUST_CHECK;
/* (left middle right); left may be NULL. */
int ag_write_infix(struct lm_buffer *out, const PgQuery__Node *left, const char *middle,
                   const PgQuery__Node *right) LM_MUST_CHECK;
/* Quoted identifiers with dots between them; -1 for none, or where one is no name. */
int ag_write_names(struct lm_buffer *out, PgQuery__Node *const *names, size_t count) LM_MUST_CHECK;
/* The text of a String node, else NULL. */
const char *ag_write_text_of(const PgQuery__Node *node);
/* A quoted identifier. */
void ag_write_name(struct lm_buffer *out, const char *name);

#endif
