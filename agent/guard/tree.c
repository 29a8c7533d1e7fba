/*
 * Two trees are compared as the bytes protobuf has written for them, field by field, with every location
 * passed over: a member of the same type has the same fields in the same order, and what is no location
 * must be the same byte for byte. Which fields are messages, and which locations, is in protobuf's own
 * descriptors, so no node type can be forgotten; what they do not know is compared as bytes. Making nodes of
 * the bytes takes longer than parsing, so it is left to who reads them.
 */
#include "agent/guard/tree.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum wire { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

/* Bytes yet to be read. */
struct bytes {
    const uint8_t *at, *end;
};

/* A field as it is written. */
struct member {
    const ProtobufCFieldDescriptor *field; /* NULL where the descriptor does not know the number */
    uint64_t tag;                          /* number and wire type */
    struct bytes value;                    /* of WIRE_BYTES what is behind the length */
};

bool ag_tree_parse(struct ag_tree *tree, const char *sql, char *reason, size_t reason_size)
{
    tree->parsed = pg_query_parse_protobuf(sql);
    if (tree->parsed.error != NULL) {
        const char *message = tree->parsed.error->message;
        snprintf(reason, reason_size, "%s", message != NULL ? message : "syntax error");
        ag_tree_free(tree);
        return false;
    }
    return true;
}

void ag_tree_free(struct ag_tree *tree)
{
    pg_query_free_protobuf_parse_result(tree->parsed);
}

PgQuery__ParseResult *ag_tree_unpack(const struct ag_tree *tree)
{
    const PgQueryProtobuf *written = &tree->parsed.parse_tree;
    return pg_query__parse_result__unpack(NULL, written->len, (const uint8_t *)written->data);
}

static bool read_varint(struct bytes *bytes, uint64_t *out)
{
    *out = 0;
    for (unsigned shift = 0; shift < 64 && bytes->at < bytes->end; shift += 7) {
        const uint8_t byte = *bytes->at++;
        *out |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            return true;
        }
    }
    return false;
}

static bool read_value(struct bytes *bytes, enum wire wire, struct bytes *value)
{
    uint64_t size = wire == WIRE_64 ? 8 : 4;
    value->at = bytes->at;
    if (wire == WIRE_VARINT) {
        uint64_t ignored;
        if (!read_varint(bytes, &ignored)) {
            return false;
        }
        value->end = bytes->at;
        return true;
    }
    if (wire == WIRE_BYTES) {
        if (!read_varint(bytes, &size)) {
            return false;
        }
        value->at = bytes->at;
    } else if (wire != WIRE_64 && wire != WIRE_32) {
        return false;
    }
    if (size > (uint64_t)(bytes->end - bytes->at)) {
        return false;
    }
    bytes->at += size;
    value->end = bytes->at;
    return true;
}

static bool is_location(const ProtobufCFieldDescriptor *field)
{
    return field != NULL && field->type == PROTOBUF_C_TYPE_INT32 &&
           field->label != PROTOBUF_C_LABEL_REPEATED &&
           (strcmp(field->name, "location") == 0 || strcmp(field->name, "stmt_location") == 0 ||
            strcmp(field->name, "stmt_len") == 0);
}

/* The next member that is no location: 1, 0 at the end, -1 where the bytes are no message. */
static int next(struct bytes *bytes, const ProtobufCMessageDescriptor *type, struct member *out)
{
    do {
        if (bytes->at == bytes->end) {
            return 0;
        }
        if (!read_varint(bytes, &out->tag) || !read_value(bytes, (enum wire)(out->tag & 7), &out->value)) {
            return -1;
        }
        out->field = protobuf_c_message_descriptor_get_field(type, (unsigned)(out->tag >> 3));
    } while (is_location(out->field));
    return 1;
}

static bool equal(struct bytes a, struct bytes b, const ProtobufCMessageDescriptor *type)
{
    struct member left, right;
    for (;;) {
        const int more = next(&a, type, &left);
        if (more != next(&b, type, &right) || more < 0) {
            return false;
        }
        if (more == 0) {
            return true;
        }
        if (left.tag != right.tag) {
            return false;
        }
        if (left.field != NULL && left.field->type == PROTOBUF_C_TYPE_MESSAGE) {
            if (!equal(left.value, right.value, left.field->descriptor)) {
                return false;
            }
            continue;
        }
        const size_t size = (size_t)(left.value.end - left.value.at);
        if (size != (size_t)(right.value.end - right.value.at) ||
            (size > 0 && memcmp(left.value.at, right.value.at, size) != 0)) {
            return false;
        }
    }
}

bool ag_tree_equal(const struct ag_tree *a, const struct ag_tree *b)
{
    const PgQueryProtobuf *left = &a->parsed.parse_tree, *right = &b->parsed.parse_tree;
    return equal((struct bytes){(const uint8_t *)left->data, (const uint8_t *)left->data + left->len},
                 (struct bytes){(const uint8_t *)right->data, (const uint8_t *)right->data + right->len},
                 &pg_query__parse_result__descriptor);
}
