/*
 * libpg_query's parse tree: parsing, and whether two trees say the same. Recursion is as deep as the text
 * nests, so callers run on the guard's own thread.
 */
#ifndef LOGMILL_AGENT_GUARD_TREE_H
#define LOGMILL_AGENT_GUARD_TREE_H

#include <pg_query.h>
#include <pg_query/pg_query.pb-c.h>
#include <stdbool.h>
#include <stddef.h>

/* The tree as protobuf writes it. */
struct ag_tree {
    PgQueryProtobufParseResult parsed;
};

/* Parses `sql`; false with a phrase in `reason` on a syntax error or without memory, and nothing to free.
 * Else free with ag_tree_free. */
bool ag_tree_parse(struct ag_tree *tree, const char *sql, char *reason, size_t reason_size);
void ag_tree_free(struct ag_tree *tree);

/* Its nodes; NULL without memory. Free with pg_query__parse_result__free_unpacked. */
PgQuery__ParseResult *ag_tree_unpack(const struct ag_tree *tree);

/* The same in everything but source locations. */
bool ag_tree_equal(const struct ag_tree *a, const struct ag_tree *b);

#endif
