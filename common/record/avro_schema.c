#include "common/record/avro_schema.h"

#include "common/record/record.h"
#include "common/record/record_avro.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <string.h>

enum {
    TREE_MAX = 4 << 20, /* bytes of a schema's tree */
    SCALE_MAX = 1000    /* digits behind the point of a decimal that is read as one */
};

static const char *const primitive_names[] = {"null",  "boolean", "int",   "long",
                                              "float", "double",  "bytes", "string"};

struct named {
    struct lm_avro_type *type;
    struct named *next;
};

struct parser {
    struct lm_arena *arena;
    struct named *named;
    struct lm_error *error;
    int depth;
};

static struct lm_avro_type *parse_type(struct parser *parser, const json_t *json, const char *space);

static void *refuse(struct parser *parser, const char *what, const char *name)
{
    (void)lm_error_set(parser->error, LM_DEAD_LETTER, "schema", "Avro schema: %s%s%.100s%s", what,
                       name[0] != '\0' ? " \"" : "", name, name[0] != '\0' ? "\"" : "");
    return NULL;
}

static void *allocate(struct parser *parser, size_t size)
{
    void *memory = lm_arena_alloc(parser->arena, size);

    if (memory == NULL)
        (void)lm_error_set(parser->error, LM_RETRY, "memory", "no room left for an Avro schema");
    else
        memset(memory, 0, size);
    return memory;
}

static const char *copy_name(struct parser *parser, const char *name)
{
    char *copy = allocate(parser, strlen(name) + 1);

    return copy != NULL ? strcpy(copy, name) : NULL;
}

static struct lm_avro_type *new_type(struct parser *parser, enum lm_avro_kind kind)
{
    struct lm_avro_type *type = allocate(parser, sizeof *type);

    if (type != NULL)
        type->kind = kind;
    return type;
}

/* Letters, digits and underscores, no digit first; with `dotted` several of these joined by dots. */
static bool is_name(const char *name, bool dotted)
{
    bool start = true;

    for (const char *p = name; *p != '\0'; p++) {
        bool letter = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || *p == '_';
        bool digit = *p >= '0' && *p <= '9';
        if (*p == '.' && dotted && !start) {
            start = true;
            continue;
        }
        if (!letter && !(digit && !start))
            return false;
        start = false;
    }
    return !start;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : "";
}

/* `name` within `space`: a name with a dot is full already. */
static char *full_name(struct parser *parser, const char *name, const char *space)
{
    bool full = strchr(name, '.') != NULL || space[0] == '\0';
    size_t len = strlen(name) + (full ? 0 : strlen(space) + 1);
    char *out = allocate(parser, len + 1);

    if (out == NULL)
        return NULL;
    if (!full)
        strcat(strcat(out, space), ".");
    return strcat(out, name);
}

/* The namespace that a full name's inner types are in. */
static char *space_of(struct parser *parser, const char *name)
{
    const char *dot = strrchr(name, '.');
    size_t len = dot != NULL ? (size_t)(dot - name) : 0;
    char *out = allocate(parser, len + 1);

    if (out != NULL)
        memcpy(out, name, len);
    return out;
}

static struct lm_avro_type *find_named(const struct parser *parser, const char *name)
{
    for (const struct named *entry = parser->named; entry != NULL; entry = entry->next) {
        if (strcmp(entry->type->name, name) == 0)
            return entry->type;
    }
    return NULL;
}

static struct lm_avro_type *parse_name(struct parser *parser, const char *name, const char *space)
{
    for (size_t i = 0; i < sizeof primitive_names / sizeof primitive_names[0]; i++) {
        if (strcmp(name, primitive_names[i]) == 0)
            return new_type(parser, (enum lm_avro_kind)i);
    }
    const char *full = full_name(parser, name, space);
    if (full == NULL)
        return NULL;
    struct lm_avro_type *target = find_named(parser, full);
    if (target == NULL)
        return refuse(parser, "unknown type", full);
    struct lm_avro_type *type = new_type(parser, LM_AVRO_REFERENCE);
    if (type == NULL || (type->items = allocate(parser, sizeof *type->items)) == NULL)
        return NULL;
    type->name = target->name;
    type->items[0] = target;
    type->count = 1;
    return type;
}

/* Our field that one of the writer's aliases names, where the field's own name is none of ours. */
static const char *known_alias(const json_t *field)
{
    size_t count, i;
    const json_t *alias;
    const struct lm_record_field *fields = lm_record_fields(&count);

    for (size_t f = 0; f < count; f++) {
        if (strcmp(fields[f].name, text_of(field, "name")) == 0)
            return NULL;
    }
    json_array_foreach(json_object_get(field, "aliases"), i, alias)
    {
        const char *name = json_string_value(alias);
        for (size_t f = 0; name != NULL && f < count; f++) {
            if (strcmp(fields[f].name, name) == 0)
                return fields[f].name;
        }
    }
    return NULL;
}

static int allocate_items(struct parser *parser, struct lm_avro_type *type, size_t count)
{
    type->names = allocate(parser, count * sizeof *type->names);
    type->aliases = type->names != NULL ? allocate(parser, count * sizeof *type->aliases) : NULL;
    type->items = type->aliases != NULL ? allocate(parser, count * sizeof *type->items) : NULL;
    return type->items != NULL ? 0 : -1;
}

static struct lm_avro_type *parse_record(struct parser *parser, const json_t *json, struct lm_avro_type *type)
{
    const json_t *fields = json_object_get(json, "fields"), *field;
    const char *space = space_of(parser, type->name);
    size_t i;

    if (!json_is_array(fields))
        return refuse(parser, "no fields in record", type->name);
    if (space == NULL || allocate_items(parser, type, json_array_size(fields)) != 0)
        return NULL;
    json_array_foreach(fields, i, field)
    {
        const char *name = text_of(field, "name");
        if (!is_name(name, false))
            return refuse(parser, "no good name of a field in record", type->name);
        type->names[i] = copy_name(parser, name);
        type->aliases[i] = known_alias(field);
        type->items[i] =
            type->names[i] != NULL ? parse_type(parser, json_object_get(field, "type"), space) : NULL;
        if (type->items[i] == NULL)
            return NULL;
        type->count++;
    }
    return type;
}

static struct lm_avro_type *parse_enum(struct parser *parser, const json_t *json, struct lm_avro_type *type)
{
    const json_t *symbols = json_object_get(json, "symbols"), *symbol;
    size_t i;

    if (!json_is_array(symbols))
        return refuse(parser, "no symbols in enum", type->name);
    if (allocate_items(parser, type, json_array_size(symbols)) != 0)
        return NULL;
    json_array_foreach(symbols, i, symbol)
    {
        const char *name = json_string_value(symbol);
        if (name == NULL || !is_name(name, false))
            return refuse(parser, "no good symbol in enum", type->name);
        if ((type->names[i] = copy_name(parser, name)) == NULL)
            return NULL;
        type->count++;
    }
    return type;
}

/* What `type` means besides: the definition may name any logical type, but only those that fit count. */
static void set_logical(struct lm_avro_type *type, const json_t *json)
{
    static const struct {
        const char *name;
        enum lm_avro_kind kind;
        enum lm_avro_logical logical;
        uint64_t size; /* of a fixed; 0: any */
    } known[] = {{"timestamp-millis", LM_AVRO_LONG, LM_AVRO_MILLIS, 0},
                 {"timestamp-micros", LM_AVRO_LONG, LM_AVRO_MICROS, 0},
                 {"timestamp-nanos", LM_AVRO_LONG, LM_AVRO_NANOS, 0},
                 {"local-timestamp-millis", LM_AVRO_LONG, LM_AVRO_LOCAL_MILLIS, 0},
                 {"local-timestamp-micros", LM_AVRO_LONG, LM_AVRO_LOCAL_MICROS, 0},
                 {"local-timestamp-nanos", LM_AVRO_LONG, LM_AVRO_LOCAL_NANOS, 0},
                 {"time-micros", LM_AVRO_LONG, LM_AVRO_TIME_MICROS, 0},
                 {"time-millis", LM_AVRO_INT, LM_AVRO_TIME_MILLIS, 0},
                 {"date", LM_AVRO_INT, LM_AVRO_DATE, 0},
                 {"decimal", LM_AVRO_BYTES, LM_AVRO_DECIMAL, 0},
                 {"decimal", LM_AVRO_FIXED, LM_AVRO_DECIMAL, 0},
                 {"uuid", LM_AVRO_FIXED, LM_AVRO_UUID, 16},
                 {"duration", LM_AVRO_FIXED, LM_AVRO_DURATION, 12}};
    const char *name = text_of(json, "logicalType");
    json_int_t scale = json_integer_value(json_object_get(json, "scale"));
    json_int_t precision = json_integer_value(json_object_get(json, "precision"));

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (type->kind != known[i].kind || strcmp(name, known[i].name) != 0 ||
            (known[i].size > 0 && type->size != known[i].size))
            continue;
        if (known[i].logical == LM_AVRO_DECIMAL &&
            (precision < 1 || scale < 0 || scale > precision || scale > SCALE_MAX))
            return;
        type->logical = known[i].logical;
        type->scale = (unsigned)scale;
    }
}

static struct lm_avro_type *parse_named(struct parser *parser, const json_t *json, enum lm_avro_kind kind,
                                        const char *space)
{
    const char *name = text_of(json, "name");
    const char *own_space = json_object_get(json, "namespace") != NULL ? text_of(json, "namespace") : space;
    struct lm_avro_type *type = new_type(parser, kind);
    struct named *entry = allocate(parser, sizeof *entry);

    if (type == NULL || entry == NULL || (type->name = full_name(parser, name, own_space)) == NULL)
        return NULL;
    if (!is_name(type->name, true))
        return refuse(parser, "no good name of a type:", type->name);
    if (find_named(parser, type->name) != NULL)
        return refuse(parser, "defined twice:", type->name);
    /* Known before its fields are read, for they may hold it. */
    *entry = (struct named){type, parser->named};
    parser->named = entry;
    if (kind == LM_AVRO_RECORD)
        return parse_record(parser, json, type);
    if (kind == LM_AVRO_ENUM)
        return parse_enum(parser, json, type);
    json_int_t size = json_integer_value(json_object_get(json, "size"));
    if (!json_is_integer(json_object_get(json, "size")) || size < 0)
        return refuse(parser, "no size in fixed", type->name);
    type->size = (uint64_t)size;
    set_logical(type, json);
    return type;
}

static struct lm_avro_type *parse_union(struct parser *parser, const json_t *json, const char *space)
{
    struct lm_avro_type *type = new_type(parser, LM_AVRO_UNION);
    const json_t *branch;
    size_t i;

    if (type == NULL || allocate_items(parser, type, json_array_size(json)) != 0)
        return NULL;
    json_array_foreach(json, i, branch)
    {
        type->items[i] = parse_type(parser, branch, space);
        if (type->items[i] == NULL)
            return NULL;
        if (type->items[i]->kind == LM_AVRO_UNION)
            return refuse(parser, "a union directly within a union", "");
        type->count++;
    }
    return type;
}

static struct lm_avro_type *parse_object(struct parser *parser, const json_t *json, const char *space)
{
    static const struct {
        const char *name;
        enum lm_avro_kind kind;
    } complex[] = {{"record", LM_AVRO_RECORD},
                   {"enum", LM_AVRO_ENUM},
                   {"fixed", LM_AVRO_FIXED},
                   {"array", LM_AVRO_ARRAY},
                   {"map", LM_AVRO_MAP}};
    const char *name = text_of(json, "type");

    for (size_t i = 0; i < sizeof complex / sizeof complex[0]; i++) {
        if (strcmp(name, complex[i].name) != 0)
            continue;
        if (complex[i].kind < LM_AVRO_ARRAY)
            return parse_named(parser, json, complex[i].kind, space);
        struct lm_avro_type *type = new_type(parser, complex[i].kind);
        if (type == NULL || allocate_items(parser, type, 1) != 0)
            return NULL;
        type->count = 1;
        type->items[0] = parse_type(
            parser, json_object_get(json, type->kind == LM_AVRO_ARRAY ? "items" : "values"), space);
        return type->items[0] != NULL ? type : NULL;
    }
    struct lm_avro_type *type = parse_type(parser, json_object_get(json, "type"), space);
    if (type != NULL)
        set_logical(type, json);
    return type;
}

static struct lm_avro_type *parse_type(struct parser *parser, const json_t *json, const char *space)
{
    struct lm_avro_type *type;

    if (++parser->depth > LM_AVRO_MAX_DEPTH)
        return refuse(parser, "more than 64 levels", "");
    if (json_is_string(json))
        type = parse_name(parser, json_string_value(json), space);
    else if (json_is_array(json))
        type = parse_union(parser, json, space);
    else if (json_is_object(json))
        type = parse_object(parser, json, space);
    else
        type = refuse(parser, "a type is missing", "");
    parser->depth--;
    return type;
}

int lm_avro_schema_parse(const char *json, size_t len, struct lm_arena *arena,
                         const struct lm_avro_type **out, struct lm_error *error)
{
    struct parser parser = {.arena = arena, .error = error};
    json_error_t fault;
    json_t *tree = json_loadb(json, len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &fault);

    if (tree == NULL && json_error_code(&fault) == json_error_out_of_memory)
        return lm_error_set(error, LM_RETRY, "memory", "no memory for an Avro schema");
    if (tree == NULL)
        return lm_error_set(error, LM_DEAD_LETTER, "schema", "Avro schema: no JSON: %s", fault.text);
    *out = parse_type(&parser, tree, "");
    json_decref(tree);
    return *out != NULL ? 0 : -1;
}

static void write_names(const struct lm_avro_type *type, struct lm_buffer *out)
{
    for (size_t i = 0; i < type->count; i++)
        lm_buffer_printf(out, "%s\"%s\"", i > 0 ? "," : "", type->names[i]);
}

static void write_fields(const struct lm_avro_type *type, struct lm_buffer *out)
{
    for (size_t i = 0; i < type->count; i++) {
        lm_buffer_printf(out, "%s{\"name\":\"%s\",\"type\":", i > 0 ? "," : "", type->names[i]);
        lm_avro_schema_write(type->items[i], out);
        lm_buffer_append_char(out, '}');
    }
}

void lm_avro_schema_write(const struct lm_avro_type *type, struct lm_buffer *out)
{
    switch (type->kind) {
    case LM_AVRO_RECORD:
        lm_buffer_printf(out, "{\"name\":\"%s\",\"type\":\"record\",\"fields\":[", type->name);
        write_fields(type, out);
        lm_buffer_append_text(out, "]}");
        return;
    case LM_AVRO_ENUM:
        lm_buffer_printf(out, "{\"name\":\"%s\",\"type\":\"enum\",\"symbols\":[", type->name);
        write_names(type, out);
        lm_buffer_append_text(out, "]}");
        return;
    case LM_AVRO_FIXED:
        lm_buffer_printf(out, "{\"name\":\"%s\",\"type\":\"fixed\",\"size\":%" PRIu64 "}", type->name,
                         type->size);
        return;
    case LM_AVRO_ARRAY:
    case LM_AVRO_MAP:
        lm_buffer_append_text(out, type->kind == LM_AVRO_ARRAY ? "{\"type\":\"array\",\"items\":"
                                                               : "{\"type\":\"map\",\"values\":");
        lm_avro_schema_write(type->items[0], out);
        lm_buffer_append_char(out, '}');
        return;
    case LM_AVRO_UNION:
        for (size_t i = 0; i < type->count; i++) {
            lm_buffer_append_char(out, i > 0 ? ',' : '[');
            lm_avro_schema_write(type->items[i], out);
        }
        lm_buffer_append_text(out, type->count > 0 ? "]" : "[]");
        return;
    case LM_AVRO_REFERENCE:
        lm_buffer_printf(out, "\"%s\"", type->name);
        return;
    default:
        lm_buffer_printf(out, "\"%s\"", primitive_names[type->kind]);
    }
}

int lm_avro_canonical_form(const char *schema, size_t len, struct lm_buffer *out, struct lm_error *error)
{
    struct lm_arena arena;
    const struct lm_avro_type *type;

    lm_arena_init(&arena, TREE_MAX);
    int result = lm_avro_schema_parse(schema, len, &arena, &type, error);
    if (result == 0) {
        lm_avro_schema_write(type, out);
        if (out->failed)
            result = lm_error_set(error, LM_RETRY, "memory", "no room left for a schema's canonical form");
    }
    lm_arena_free(&arena);
    return result;
}

uint64_t lm_avro_fingerprint(const void *canonical, size_t len)
{
    const uint64_t empty = UINT64_C(0xC15D213AA4D7A795);
    const unsigned char *bytes = canonical;
    uint64_t fingerprint = empty;

    for (size_t i = 0; i < len; i++) {
        uint64_t entry = (fingerprint ^ bytes[i]) & 0xFF;
        for (int bit = 0; bit < 8; bit++)
            entry = (entry >> 1) ^ (empty & (0 - (entry & 1)));
        fingerprint = (fingerprint >> 8) ^ entry;
    }
    return fingerprint;
}
