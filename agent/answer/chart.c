/*
 * Which picture shows the answer: {type, x, y, series?, stacked}, naming columns of the result.
 */
#include "agent/answer/table.h"

static json_t *measures(const struct ag_table *table, bool with_previous)
{
    json_t *names = json_array();
    for (size_t i = 0; names != NULL && i < table->column_count; i++) {
        enum ag_role role = table->columns[i].role;
        if (role == AG_ROLE_MEASURE || (with_previous && role == AG_ROLE_PREVIOUS)) {
            if (json_array_append_new(names, json_string(table->columns[i].name)) != 0) {
                json_decref(names);
                return NULL;
            }
        }
    }
    return names;
}

static json_t *chart(const char *type, const char *x, json_t *y, const char *series, bool stacked)
{
    if (y == NULL) {
        return NULL;
    }
    json_t *made = json_pack("{s:s, s:s?, s:o, s:b}", "type", type, "x", x, "y", y, "stacked", stacked);
    if (made != NULL && series != NULL && json_object_set_new(made, "series", json_string(series)) != 0) {
        json_decref(made);
        return NULL;
    }
    return made;
}

static const char *name_of(const struct ag_table *table, size_t column)
{
    return column < table->column_count ? table->columns[column].name : NULL;
}

json_t *ag_chart(const struct ag_table *table)
{
    const struct ag_intent *intent = table->intent;
    size_t bucket = ag_table_find(table, AG_ROLE_BUCKET, 0);
    size_t group = ag_table_find(table, AG_ROLE_GROUP, 0);
    size_t second =
        group < table->column_count ? ag_table_find(table, AG_ROLE_GROUP, group + 1) : table->column_count;
    size_t side = ag_table_find(table, AG_ROLE_SIDE, 0);
    bool adds_up = intent->measure.fn == AG_COUNT;
    if (table->row_count == 0) {
        return json_null();
    }
    if (table->sql->lists_rows || intent->measure.fn == AG_NAMES || intent->measure.fn == AG_FIRST_SEEN ||
        intent->measure.fn == AG_LAST_SEEN || intent->shape == AG_SILENT || intent->shape == AG_NEW ||
        intent->shape == AG_WITHOUT || intent->shape == AG_EVIDENCE) {
        return chart("table", NULL, json_array(), NULL, false);
    }
    if (intent->shape == AG_SERIES && intent->each == 0) {
        const char *series = name_of(table, side < table->column_count ? side : group);
        return chart("line", "bucket", measures(table, false), series,
                     adds_up && group < table->column_count && side >= table->column_count);
    }
    if (bucket < table->column_count) {
        return chart("bar", "bucket", measures(table, false), name_of(table, group), false);
    }
    if (group < table->column_count) {
        return chart("bar", name_of(table, group), measures(table, true), name_of(table, second),
                     adds_up && second < table->column_count);
    }
    return chart("number", NULL, measures(table, true), NULL, false);
}
