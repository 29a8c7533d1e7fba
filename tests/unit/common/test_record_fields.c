/* Holds the C field table, the Avro schema, the JSON names and the SQL columns together. */
#include "tests/unit/common/record_fixture.h"

#include "common/record/record_names.h"

#include <ctype.h>
#include <jansson.h>

static const struct lm_record_field *fields;
static size_t field_count;

static json_t *load_schema(void)
{
    json_error_t error;
    json_t *schema = json_loads(lm_record_schema->text, JSON_REJECT_DUPLICATES, &error);

    if (schema == NULL)
        fail_msg("%s", error.text);
    return schema;
}

static const char *avro_type(enum lm_field_kind kind)
{
    switch (kind) {
    case LM_FIELD_TIMESTAMP:
    case LM_FIELD_SOURCE:
    case LM_FIELD_SEQUENCE:
        return "long";
    case LM_FIELD_CATEGORY:
    case LM_FIELD_LEVEL:
        return "enum";
    case LM_FIELD_TEXT:
        return "string";
    case LM_FIELD_HTTP_STATUS:
        return "int";
    case LM_FIELD_DURATION:
        return "double";
    case LM_FIELD_TAGS:
        return "array";
    }
    return "";
}

static void the_schema_has_our_fields_in_our_order(void **state)
{
    json_t *schema = load_schema();
    const json_t *list = json_object_get(schema, "fields");

    (void)state;
    assert_string_equal(json_string_value(json_object_get(schema, "name")), "LogRecord");
    assert_string_equal(json_string_value(json_object_get(schema, "namespace")), "io.logmill");
    assert_int_equal(json_array_size(list), field_count);
    for (size_t i = 0; i < field_count; i++) {
        const json_t *field = json_array_get(list, i), *type = json_object_get(field, "type");
        assert_string_equal(json_string_value(json_object_get(field, "name")), fields[i].name);
        assert_true(json_string_length(json_object_get(field, "doc")) > 10);
        assert_int_equal(json_is_array(type), fields[i].nullable);
        if (fields[i].nullable) {
            assert_int_equal(json_array_size(type), 2);
            assert_string_equal(json_string_value(json_array_get(type, 0)), "null");
            assert_true(json_is_null(json_object_get(field, "default")));
            type = json_array_get(type, 1);
        }
        if (json_is_object(type))
            type = json_object_get(type, "type");
        assert_string_equal(json_string_value(type), avro_type(fields[i].kind));
    }
    json_decref(schema);
}

static void the_schemas_enums_are_ours(void **state)
{
    json_t *schema = load_schema();
    const json_t *list = json_object_get(schema, "fields");

    (void)state;
    const json_t *symbols = json_object_get(json_object_get(json_array_get(list, 1), "type"), "symbols");
    assert_int_equal(json_array_size(symbols), LM_CATEGORY_COUNT);
    for (int i = 0; i < LM_CATEGORY_COUNT; i++)
        assert_string_equal(json_string_value(json_array_get(symbols, (size_t)i)),
                            lm_category_name((enum lm_category)i));
    symbols = json_object_get(json_object_get(json_array_get(list, 2), "type"), "symbols");
    assert_int_equal(json_array_size(symbols), LM_LEVEL_COUNT);
    for (int i = 0; i < LM_LEVEL_COUNT; i++)
        assert_string_equal(json_string_value(json_array_get(symbols, (size_t)i)),
                            lm_level_name((enum lm_level)i));
    json_decref(schema);
}

static void every_text_of_the_struct_is_a_field_once(void **state)
{
    int next = 0;

    (void)state;
    for (size_t i = 0; i < field_count; i++) {
        if (fields[i].kind == LM_FIELD_TEXT)
            assert_int_equal(fields[i].text, next++);
    }
    assert_int_equal(next, LM_TEXT_COUNT);
}

static void json_has_the_same_names(void **state)
{
    struct fixture *f = *state;
    struct lm_slice tag = LM_SLICE("t");
    json_error_t error;

    lm_record_init(&f->record);
    for (int i = 0; i < LM_TEXT_COUNT; i++)
        f->record.text[i] = LM_SLICE("{}");
    f->record.has_timestamp = f->record.has_category = f->record.has_http_status = f->record.has_duration =
        true;
    f->record.has_source = f->record.has_sequence = true;
    f->record.tags = &tag;
    f->record.tag_count = 1;
    lm_record_write_json(&f->record, &f->buffer);
    json_t *object = json_loads(lm_buffer_text(&f->buffer), JSON_REJECT_DUPLICATES, &error);
    assert_non_null(object);
    size_t i = 0;
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        assert_true(i < field_count);
        assert_string_equal(key, fields[i].name);
        const struct lm_record_name *name = lm_record_name_find(key, strlen(key));
        assert_non_null(name);
        if (fields[i].kind == LM_FIELD_TEXT)
            assert_int_equal(name->slot, fields[i].text);
        i++;
    }
    assert_int_equal(i, field_count);
    json_decref(object);
}

/* Rows "| `field` | `name` `name` |" of the page, in the order of the ranks. */
static void the_page_lists_the_names_we_know(void **state)
{
    char *text = calloc(1, 1 << 16);
    FILE *file = fopen(LOGMILL_SOURCE_DIR "/schemas/README.md", "rb");
    size_t name_count, listed = 0;

    (void)state;
    assert_non_null(file);
    (void)!fread(text, 1, (1 << 16) - 1, file);
    fclose(file);
    (void)lm_record_names(&name_count);
    char *rest = strstr(text, "| field | also known as |\n|---|---|\n"), *line;
    assert_non_null(rest);
    (void)strsep(&rest, "\n");
    (void)strsep(&rest, "\n");
    for (size_t i = 0; i < field_count; i++) {
        int slot = -1, rank = 0;
        line = strsep(&rest, "\n");
        (void)strsep(&line, "`");
        for (char *name; line != NULL && (name = strsep(&line, "`")) != NULL; (void)strsep(&line, "`")) {
            const struct lm_record_name *known = lm_record_name_find(name, strlen(name));
            if (known == NULL)
                fail_msg("the page lists %s, which is not known", name);
            if (rank == 0)
                assert_string_equal(name, fields[i].name);
            assert_int_equal(known->rank, rank++);
            assert_true(slot == -1 || slot == known->slot);
            slot = known->slot;
            listed++;
        }
    }
    assert_int_equal(listed, name_count);
    free(text);
}

/* The words of the migrations are few enough to read the definition itself: name, type, [NOT NULL]. */
static const char *sql_type(char *type)
{
    static const struct {
        const char *written, *formatted;
    } types[] = {{"timestamptz", "timestamp with time zone"}, {"double precision", "double precision"}};

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(type, types[i].written) == 0)
            return types[i].formatted;
    }
    return type;
}

static void the_table_of_logs_begins_with_our_columns(void **state)
{
    char *text = calloc(1, 1 << 16);
    FILE *file = fopen(LOGMILL_SOURCE_DIR "/sql/0002_logs.sql", "rb");

    (void)state;
    assert_non_null(file);
    (void)!fread(text, 1, (1 << 16) - 1, file);
    fclose(file);
    char *rest = strstr(text, "CREATE TABLE logmill.logs (\n");
    assert_non_null(rest);
    (void)strsep(&rest, "\n");
    for (size_t i = 0; i < field_count; i++) {
        if (fields[i].column == NULL)
            continue;
        char *line = strsep(&rest, ",");
        while (isspace((unsigned char)*line))
            line++;
        char *type = line + strcspn(line, " ");
        *type++ = '\0';
        type += strspn(type, " ");
        char *not_null = strstr(type, " NOT NULL");
        if (not_null != NULL)
            *not_null = '\0';
        assert_string_equal(line, fields[i].column);
        assert_string_equal(sql_type(type), fields[i].sql_type);
        /* Tags are an empty array in Avro and may be NULL in the table. */
        assert_int_equal(not_null == NULL, fields[i].nullable || fields[i].kind == LM_FIELD_TAGS);
    }
    while (isspace((unsigned char)*rest))
        rest++;
    assert_int_equal(strncmp(rest, "kafka_partition", 15), 0);
    free(text);
}

static void sql_enums_are_ours(void **state)
{
    char *text = calloc(1, 1 << 16), expected[256];
    FILE *file = fopen(LOGMILL_SOURCE_DIR "/sql/0002_logs.sql", "rb");
    size_t n;

    (void)state;
    assert_non_null(file);
    (void)!fread(text, 1, (1 << 16) - 1, file);
    fclose(file);
    n = (size_t)sprintf(expected, "CREATE TYPE logmill.log_category AS ENUM (");
    for (int i = 0; i < LM_CATEGORY_COUNT; i++)
        n +=
            (size_t)sprintf(expected + n, "%s'%s'", i > 0 ? ", " : "", lm_category_name((enum lm_category)i));
    strcpy(expected + n, ");");
    assert_non_null(strstr(text, expected));
    n = (size_t)sprintf(expected, "CREATE TYPE logmill.log_level AS ENUM (");
    for (int i = 0; i < LM_LEVEL_COUNT; i++)
        n += (size_t)sprintf(expected + n, "%s'%s'", i > 0 ? ", " : "", lm_level_name((enum lm_level)i));
    strcpy(expected + n, ");");
    assert_non_null(strstr(text, expected));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_schema_has_our_fields_in_our_order),
        cmocka_unit_test(the_schemas_enums_are_ours),
        cmocka_unit_test(every_text_of_the_struct_is_a_field_once),
        FIXTURE_TEST(json_has_the_same_names),
        cmocka_unit_test(the_table_of_logs_begins_with_our_columns),
        cmocka_unit_test(sql_enums_are_ours),
        cmocka_unit_test(the_page_lists_the_names_we_know),
    };
    fields = lm_record_fields(&field_count);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
