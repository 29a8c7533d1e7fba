/*
 * Cells as JSON: PostgreSQL's text by the type of its column.
 */
#include "agent/answer/table.h"
#include "common/clock.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EXACT_INTEGER                                                                                        \
    INT64_C(9007199254740992) /* 2^53: beyond it a double, which JSON readers use, is not exact */

/* At most AG_MAX_CELL bytes, cut between characters and marked. */
static json_t *text_value(struct ag_table *table, const char *text)
{
    size_t len = strlen(text);
    if (len <= AG_MAX_CELL) {
        return json_stringn(text, len);
    }
    table->cells_cut++;
    size_t end = AG_MAX_CELL;
    while (end > 0 && ((unsigned char)text[end] & 0xC0) == 0x80) {
        end--;
    }
    struct lm_buffer cut;
    lm_buffer_init(&cut, AG_MAX_CELL + 8);
    lm_buffer_append(&cut, text, end);
    lm_buffer_append_text(&cut, "…");
    const char *whole = lm_buffer_text(&cut);
    json_t *value = whole == NULL ? NULL : json_stringn(whole, cut.len);
    lm_buffer_free(&cut);
    return value;
}

static json_t *integer_value(int64_t n, const char *text)
{
    return n > EXACT_INTEGER || n < -EXACT_INTEGER ? json_string(text) : json_integer(n);
}

static json_t *number_value(const char *text)
{
    double value = strtod(text, NULL);
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *timestamp_value(const struct ag_table *table, const char *text)
{
    int64_t us = 0;
    struct lm_error ignored;
    if (lm_rfc3339_parse(text, strlen(text), &us, &ignored) != 0) {
        return json_null(); /* infinity, or before the year 1 */
    }
    char out[40];
    ag_zone_format(table->zone, us, out);
    return json_string(out);
}

/* {a,"b \"c\"",NULL}: one dimension of text. NULL without memory or when it is none. */
static json_t *array_value(const char *text)
{
    json_t *array = json_array();
    struct lm_buffer item;
    lm_buffer_init(&item, (size_t)1 << 20);
    bool good = array != NULL && *text == '{';
    const char *c = good ? text + 1 : text;
    while (good && *c != '}' && *c != '\0') {
        lm_buffer_clear(&item);
        bool quoted = *c == '"';
        for (c += quoted; *c != '\0' && (quoted ? *c != '"' : *c != ',' && *c != '}'); c++) {
            c += quoted && *c == '\\' && c[1] != '\0';
            lm_buffer_append_char(&item, *c);
        }
        c += quoted && *c == '"';
        c += *c == ',';
        const char *value = lm_buffer_text(&item);
        bool null = !quoted && value != NULL && strcmp(value, "NULL") == 0;
        good = value != NULL &&
               json_array_append_new(array, null ? json_null() : json_stringn(value, item.len)) == 0;
    }
    lm_buffer_free(&item);
    if (!good) {
        json_decref(array);
        return NULL;
    }
    return array;
}

/* Integers that are not exact as doubles become text, at every depth. */
static int make_exact(json_t *value)
{
    const char *key = NULL;
    json_t *inner = NULL;
    size_t i = 0;
    json_object_foreach(value, key, inner)
    {
        if (json_is_integer(inner) && llabs(json_integer_value(inner)) > EXACT_INTEGER) {
            json_t *text = json_sprintf("%lld", (long long)json_integer_value(inner));
            if (json_object_set_new(value, key, text) != 0) {
                return -1;
            }
        } else if (make_exact(inner) != 0) {
            return -1;
        }
    }
    json_array_foreach(value, i, inner)
    {
        if (json_is_integer(inner) && llabs(json_integer_value(inner)) > EXACT_INTEGER) {
            json_t *text = json_sprintf("%lld", (long long)json_integer_value(inner));
            if (json_array_set_new(value, i, text) != 0) {
                return -1;
            }
        } else if (make_exact(inner) != 0) {
            return -1;
        }
    }
    return 0;
}

/* What was cut in SQL, or holds numbers no type of ours takes, is shown as the text it is. */
static json_t *object_value(struct ag_table *table, const char *text)
{
    json_t *value = strlen(text) > AG_MAX_CELL ? NULL : json_loads(text, JSON_DECODE_ANY, NULL);
    if (value == NULL) {
        return text_value(table, text);
    }
    if (make_exact(value) != 0) {
        json_decref(value);
        return NULL;
    }
    return value;
}

static json_t *cell_value(struct ag_table *table, const char *text, enum ag_type type)
{
    if (text == NULL) {
        return json_null();
    }
    switch (type) {
    case AG_INTEGER: {
        char *end = NULL;
        errno = 0;
        int64_t n = strtoll(text, &end, 10);
        if (end == text || *end != '\0' || errno != 0) {
            (void)lm_error_set(table->error, LM_FATAL, "bad_rows",
                               "\"%.32s\" came where a whole number was expected", text);
            return NULL;
        }
        return integer_value(n, text);
    }
    case AG_NUMBER:
        return number_value(text);
    case AG_BOOLEAN:
        return json_boolean(text[0] == 't');
    case AG_TIMESTAMP:
        return timestamp_value(table, text);
    case AG_ARRAY:
        return array_value(text);
    case AG_OBJECT:
        return object_value(table, text);
    default:
        return text_value(table, text);
    }
}

json_t *ag_results_rows(struct ag_table *table)
{
    lm_error_clear(table->error);
    json_t *rows = json_array();
    for (size_t i = 0; rows != NULL && i < table->row_count; i++) {
        json_t *row = json_object();
        for (size_t j = 0; row != NULL && j < table->column_count; j++) {
            json_t *value = cell_value(table, table->rows[i][j], table->columns[j].type);
            if (json_object_set_new(row, table->columns[j].name, value) != 0) {
                json_decref(row);
                row = NULL;
            }
        }
        if (json_array_append_new(rows, row) != 0) {
            json_decref(rows);
            rows = NULL;
        }
    }
    return rows;
}

json_t *ag_results_columns(const struct ag_column *columns, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < count; i++) {
        json_t *column =
            json_pack("{s:s, s:s}", "name", columns[i].name, "type", ag_type_name(columns[i].type));
        bool good =
            column != NULL && (columns[i].unit == NULL ||
                               json_object_set_new(column, "unit", json_string(columns[i].unit)) == 0);
        if (!good) {
            json_decref(column);
            column = NULL;
        }
        if (json_array_append_new(list, column) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}
