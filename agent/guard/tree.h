/*
 * libpg_query's parse tree: parsing, and whether two trees say the same. Recursion is as deep as the text
 * nests, so callers run on the guard's own thread.
 */
#ifndef LOGMILL_AGENT_GUARD_TREE_H
#define LOGMILL_AGENT_GUARD_TREE_H

#include <pg_query/pg_query.pb-c.h>
#include <stdbool.h>
#include <stddef.h>

/* Parses `sql`; NULL with a phrase in `reason` on a syntax error or without memory. Free with ag_tree_free.
 */
PgQuery__ParseResult *ag_tree_parse(const char *sql, char *reason, size_t reason_size);
void ag_tree_free(PgQuery__ParseResult *tree);

/* The same in everything but source locations. Clears the locations of both. False without memory. */
bool ag_tree_equal(PgQuery__ParseResult *a, PgQuery__ParseResult *b);

#endif
