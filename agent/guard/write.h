/*
 * Writes SQL from a checked tree: every expression in parentheses, every name quoted, so that nothing depends
 * on precedence. (libpg_query's own deparser drops parentheses and so changes meaning.) Node types it does
 * not know fail it, whatever the check said.
 */
#ifndef LOGMILL_AGENT_GUARD_WRITE_H
#define LOGMILL_AGENT_GUARD_WRITE_H

#include "common/buffer.h"

#include <pg_query/pg_query.pb-c.h>

/* Appends the statement. 0, or -1 when something in it cannot be written; the buffer's own failure is the
 * caller's to see. */
int ag_write_select(struct lm_buffer *out, const PgQuery__SelectStmt *select) LM_MUST_CHECK;

#endif
