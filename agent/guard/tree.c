/*
 * Two trees are compared by the bytes protobuf writes for them once every location is cleared. The walk that
 * clears them goes by protobuf's own descriptors, so no node type can be forgotten.
 */
#include "agent/guard/tree.h"

#include <pg_query.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

PgQuery__ParseResult *ag_tree_parse(const char *sql, char *reason, size_t reason_size)
{
    PgQuery__ParseResult *tree = NULL;
    PgQueryProtobufParseResult result = pg_query_parse_protobuf(sql);
    if (result.error != NULL) {
        snprintf(reason, reason_size, "%s", result.error->message ? result.error->message : "syntax error");
    } else {
        tree = pg_query__parse_result__unpack(NULL, result.parse_tree.len,
                                              (const uint8_t *)result.parse_tree.data);
        if (tree == NULL) {
            snprintf(reason, reason_size, "the parse tree could not be read");
        }
    }
    pg_query_free_protobuf_parse_result(result);
    return tree;
}

void ag_tree_free(PgQuery__ParseResult *tree)
{
    if (tree != NULL) {
        pg_query__parse_result__free_unpacked(tree, NULL);
    }
}

static bool is_location(const char *name)
{
    return strcmp(name, "location") == 0 || strcmp(name, "stmt_location") == 0 ||
           strcmp(name, "stmt_len") == 0;
}

static void clear_locations(ProtobufCMessage *message);

static void clear_field(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    char *member = (char *)message + field->offset;
    if (field->type == PROTOBUF_C_TYPE_INT32 && field->label != PROTOBUF_C_LABEL_REPEATED &&
        is_location(field->name)) {
        memset(member, 0, sizeof(int32_t));
        return;
    }
    if (field->type != PROTOBUF_C_TYPE_MESSAGE) {
        return;
    }
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        const size_t count =
            *(const size_t *)(const void *)((const char *)message + field->quantifier_offset);
        ProtobufCMessage **items = *(ProtobufCMessage ***)(void *)member;
        for (size_t i = 0; i < count; i++) {
            clear_locations(items[i]);
        }
        return;
    }
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        /* Members of a oneof share their bytes: only the one that is set may be followed. */
        const uint32_t which =
            *(const uint32_t *)(const void *)((const char *)message + field->quantifier_offset);
        if (which != field->id) {
            return;
        }
    }
    ProtobufCMessage *child = *(ProtobufCMessage **)(void *)member;
    if (child != NULL) {
        clear_locations(child);
    }
}

static void clear_locations(ProtobufCMessage *message)
{
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        clear_field(message, &message->descriptor->fields[i]);
    }
}

bool ag_tree_equal(PgQuery__ParseResult *a, PgQuery__ParseResult *b)
{
    clear_locations(&a->base);
    clear_locations(&b->base);
    const size_t size = pg_query__parse_result__get_packed_size(a);
    if (size != pg_query__parse_result__get_packed_size(b)) {
        return false;
    }
    uint8_t *left = malloc(size + 1);
    uint8_t *right = malloc(size + 1);
    const bool equal = left != NULL && right != NULL && pg_query__parse_result__pack(a, left) == size &&
                       pg_query__parse_result__pack(b, right) == size && memcmp(left, right, size) == 0;
    free(right);
    free(left);
    return equal;
}
