/*
 * PostgreSQL would take a name that is no column for a whole row, a system column or a function of the row.
 * Here all of those are unknown, and unknown is rejected.
 */
#include "agent/guard/scope.h"

#include <string.h>

static bool merged_away(const struct ag_source *source, const char *column)
{
    for (size_t i = 0; i < source->merged_count; i++) {
        if (strcmp(source->merged[i], column) == 0) {
            return true;
        }
    }
    return false;
}

static enum ag_lookup in_relation(const struct ag_relation *relation, const char *column,
                                  struct ag_resolved *out)
{
    for (const char *const *name = relation->columns; *name != NULL; name++) {
        if (strcmp(*name, column) == 0) {
            out->growth = 0;
            out->short_text = ag_column_short(column);
            out->time_column = relation->time_column != NULL && strcmp(relation->time_column, column) == 0;
            return AG_LOOKUP_FOUND;
        }
    }
    return AG_LOOKUP_UNKNOWN;
}

static enum ag_lookup in_columns(const struct ag_outputs *columns, const char *column,
                                 struct ag_resolved *out)
{
    enum ag_lookup found = AG_LOOKUP_UNKNOWN;
    for (size_t i = 0; i < columns->count; i++) {
        if (columns->items[i].name == NULL || strcmp(columns->items[i].name, column) != 0) {
            continue;
        }
        if (found == AG_LOOKUP_FOUND) {
            return AG_LOOKUP_AMBIGUOUS;
        }
        found = AG_LOOKUP_FOUND;
        out->growth = columns->items[i].growth;
        out->short_text = columns->items[i].short_text;
        out->time_column = false;
        out->constant = columns->items[i].constant;
    }
    return found;
}

static enum ag_lookup in_source(const struct ag_source *source, const char *column, struct ag_resolved *out)
{
    return source->relation != NULL ? in_relation(source->relation, column, out)
                                    : in_columns(&source->columns, column, out);
}

static enum ag_lookup in_scope(const struct ag_scope *scope, const char *table, const char *column,
                               struct ag_resolved *out)
{
    enum ag_lookup found = AG_LOOKUP_UNKNOWN;
    for (size_t i = scope->visible_from; i < scope->count; i++) {
        const struct ag_source *source = &scope->sources[i];
        struct ag_resolved one = {.source = i};
        if (table != NULL && strcmp(source->name, table) != 0) {
            continue;
        }
        if (table == NULL && merged_away(source, column)) {
            continue;
        }
        const enum ag_lookup here = in_source(source, column, &one);
        if (table != NULL) {
            /* The nearest item of that name decides, whether it has the column or not. */
            *out = one;
            return here == AG_LOOKUP_UNKNOWN ? AG_LOOKUP_AMBIGUOUS : here;
        }
        if (here == AG_LOOKUP_AMBIGUOUS || (here == AG_LOOKUP_FOUND && found == AG_LOOKUP_FOUND)) {
            return AG_LOOKUP_AMBIGUOUS;
        }
        if (here == AG_LOOKUP_FOUND) {
            *out = one;
            found = AG_LOOKUP_FOUND;
        }
    }
    return found;
}

enum ag_lookup ag_scope_resolve(const struct ag_scope *scope, const char *table, const char *column,
                                struct ag_resolved *out)
{
    bool local = true;
    for (; scope != NULL; scope = scope->parent) {
        const enum ag_lookup found = in_scope(scope, table, column, out);
        if (found != AG_LOOKUP_UNKNOWN) {
            out->local = local;
            return found;
        }
        local = false;
    }
    return AG_LOOKUP_UNKNOWN;
}

const struct ag_cte *ag_cte_find(const struct ag_cte *ctes, const char *name)
{
    for (; ctes != NULL; ctes = ctes->next) {
        if (strcmp(ctes->name, name) == 0) {
            return ctes;
        }
    }
    return NULL;
}
