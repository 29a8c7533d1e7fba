#include "common/record/avro_datum.h"

#include "common/clock.h"
#include "common/record/avro_reader.h"
#include "common/utf8.h"

#include <endian.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

/* What JSON may take: names cost more than the bytes they stand for, and a null costs bytes where Avro has
 * none, so that a count alone must not fill memory. */
enum { OUTPUT_SPARE = 256 << 10, OUTPUT_TIMES = 64 };

enum { DECIMAL_BYTES = 64 /* of a decimal that is read as one: 154 digits */ };

struct walk {
    struct lm_avro_reader in;
    struct lm_buffer *out;
    size_t output_max;
    int depth;
};

static void write_value(struct walk *walk, const struct lm_avro_type *type);

static void write_text(struct walk *walk, struct lm_slice text)
{
    enum lm_utf8_verdict verdict = lm_utf8_check(text.data, text.len);

    if (verdict == LM_UTF8_NUL)
        lm_avro_fail(&walk->in, "nul", "a text holds a NUL, which PostgreSQL cannot store");
    else if (verdict == LM_UTF8_INVALID)
        lm_avro_fail(&walk->in, "utf8", "a text is not valid UTF-8");
    else
        lm_buffer_append_json(walk->out, text.data, text.len);
}

static void write_hex(struct walk *walk, struct lm_slice bytes)
{
    lm_buffer_append_text(walk->out, "\"\\\\x");
    for (size_t i = 0; i < bytes.len && !walk->out->failed; i++) {
        lm_buffer_append_char(walk->out, "0123456789abcdef"[(unsigned char)bytes.data[i] >> 4]);
        lm_buffer_append_char(walk->out, "0123456789abcdef"[(unsigned char)bytes.data[i] & 15]);
    }
    lm_buffer_append_char(walk->out, '"');
}

static void write_double(struct walk *walk, double value, int digits)
{
    if (isnan(value))
        lm_buffer_append_text(walk->out, "\"NaN\"");
    else if (isinf(value))
        lm_buffer_append_text(walk->out, value < 0 ? "\"-Infinity\"" : "\"Infinity\"");
    else
        lm_buffer_printf(walk->out, "%.*g", digits, value);
}

/* How much of "2026-03-18T05:35:20.5Z" a count of units says. */
static const struct {
    int64_t us; /* in a unit; 0: a nanosecond */
    const char *unit;
    size_t from, drop; /* characters that are left out in front and behind */
} times[] = {
    [LM_AVRO_MILLIS] = {1000, "ms", 0, 0},
    [LM_AVRO_MICROS] = {1, "us", 0, 0},
    [LM_AVRO_NANOS] = {0, "ns", 0, 0},
    [LM_AVRO_LOCAL_MILLIS] = {1000, "ms", 0, sizeof "Z" - 1},
    [LM_AVRO_LOCAL_MICROS] = {1, "us", 0, sizeof "Z" - 1},
    [LM_AVRO_LOCAL_NANOS] = {0, "ns", 0, sizeof "Z" - 1},
    [LM_AVRO_TIME_MICROS] = {1, "us", sizeof "1970-01-01T" - 1, sizeof "Z" - 1},
    [LM_AVRO_TIME_MILLIS] = {1000, "ms", sizeof "1970-01-01T" - 1, sizeof "Z" - 1},
    [LM_AVRO_DATE] = {LM_DAY_US, "days", 0, sizeof "T00:00:00Z" - 1},
};

/* A time that RFC 3339 cannot say becomes a text that is no time. */
static void write_long(struct walk *walk, int64_t value, enum lm_avro_logical logical)
{
    char text[LM_RFC3339_SIZE];
    int64_t us = value, back;

    if (logical == LM_AVRO_PLAIN) {
        lm_buffer_printf(walk->out, "%" PRId64, value);
        return;
    }
    bool fits = times[logical].us == 0 || !__builtin_mul_overflow(value, times[logical].us, &us);
    if (times[logical].us == 0)
        us = value / 1000 - (value % 1000 < 0);
    if (times[logical].from > 0 && (us < 0 || us >= LM_DAY_US))
        fits = false;
    size_t n = fits ? lm_rfc3339_format(us, text) : 0, from = times[logical].from;
    if (fits && lm_rfc3339_parse(text, n, &back, NULL) == 0 && back == us)
        lm_buffer_printf(walk->out, "\"%.*s\"", (int)(n - from - times[logical].drop), text + from);
    else
        lm_buffer_printf(walk->out, "\"%" PRId64 " %s\"", value, times[logical].unit);
}

/* Divides the big-endian number by ten; returns the rest. */
static unsigned divide_by_ten(unsigned char *number, size_t len)
{
    unsigned rest = 0;

    for (size_t i = 0; i < len; i++) {
        rest = rest << 8 | number[i];
        number[i] = (unsigned char)(rest / 10);
        rest %= 10;
    }
    return rest;
}

/* A big-endian number in two's complement as a JSON number, every digit of it. */
static void write_decimal(struct walk *walk, struct lm_slice bytes, unsigned scale)
{
    unsigned char number[DECIMAL_BYTES];
    char digits[3 * DECIMAL_BYTES];
    size_t count = 0, wanted = 3 * bytes.len;
    bool negative = bytes.len > 0 && (unsigned char)bytes.data[0] >= 0x80;
    unsigned carry = negative;

    for (size_t i = bytes.len; i-- > 0;) {
        carry += negative ? 0xFFu ^ (unsigned char)bytes.data[i] : (unsigned char)bytes.data[i];
        number[i] = (unsigned char)carry;
        carry >>= 8;
    }
    while (count < wanted)
        digits[count++] = (char)('0' + divide_by_ten(number, bytes.len));
    while (count > 0 && digits[count - 1] == '0')
        count--;
    if (negative)
        lm_buffer_append_char(walk->out, '-');
    if (count <= scale)
        lm_buffer_append_char(walk->out, '0');
    for (size_t i = count > scale ? count : scale; i-- > 0;) {
        if (i + 1 == scale)
            lm_buffer_append_char(walk->out, '.');
        lm_buffer_append_char(walk->out, i < count ? digits[i] : '0');
    }
}

static void write_uuid(struct walk *walk, struct lm_slice bytes)
{
    lm_buffer_append_char(walk->out, '"');
    for (size_t i = 0; i < bytes.len; i++)
        lm_buffer_printf(walk->out, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
                         (unsigned char)bytes.data[i]);
    lm_buffer_append_char(walk->out, '"');
}

/* Months, days and milliseconds as ISO 8601 has them. */
static void write_duration(struct walk *walk, struct lm_slice bytes)
{
    uint32_t part[3];

    if (bytes.len != sizeof part)
        return; /* cut off: the reader knows */
    memcpy(part, bytes.data, sizeof part);
    lm_buffer_printf(walk->out, "\"P%" PRIu32 "M%" PRIu32 "DT%" PRIu32 ".%03" PRIu32 "S\"", le32toh(part[0]),
                     le32toh(part[1]), le32toh(part[2]) / 1000, le32toh(part[2]) % 1000);
}

static void write_record(struct walk *walk, const struct lm_avro_type *type)
{
    lm_buffer_append_char(walk->out, '{');
    for (size_t i = 0; i < type->count && walk->in.fault == NULL; i++) {
        const char *name = type->aliases[i] != NULL && walk->depth == 1 ? type->aliases[i] : type->names[i];
        lm_buffer_printf(walk->out, "%s\"%s\":", i > 0 ? "," : "", name);
        write_value(walk, type->items[i]);
    }
    lm_buffer_append_char(walk->out, '}');
}

/* Arrays, and maps with a key before each value: blocks until an empty one. */
static void write_blocks(struct walk *walk, const struct lm_avro_type *type)
{
    bool map = type->kind == LM_AVRO_MAP, first = true;
    struct lm_avro_block block;

    lm_buffer_append_char(walk->out, map ? '{' : '[');
    while (lm_avro_block_begin(&walk->in, &block)) {
        for (uint64_t i = 0; i < block.count && walk->in.fault == NULL; i++) {
            if (!first)
                lm_buffer_append_char(walk->out, ',');
            first = false;
            if (map) {
                write_text(walk, lm_avro_text(&walk->in));
                lm_buffer_append_char(walk->out, ':');
            }
            write_value(walk, type->items[0]);
        }
        lm_avro_block_end(&walk->in, &block);
    }
    lm_buffer_append_char(walk->out, map ? '}' : ']');
}

static void write_scalar(struct walk *walk, const struct lm_avro_type *type)
{
    struct lm_slice bytes;
    int64_t value;

    switch (type->kind) {
    case LM_AVRO_NULL:
        lm_buffer_append_text(walk->out, "null");
        return;
    case LM_AVRO_BOOLEAN:
        bytes = lm_avro_bytes(&walk->in, 1);
        if (bytes.len > 0 && (unsigned char)bytes.data[0] > 1)
            lm_avro_fail(&walk->in, "undecodable", "a boolean is neither 0 nor 1");
        lm_buffer_append_text(walk->out, bytes.len > 0 && bytes.data[0] == 1 ? "true" : "false");
        return;
    case LM_AVRO_INT:
        value = lm_avro_long(&walk->in);
        if (value < INT32_MIN || value > INT32_MAX)
            lm_avro_fail(&walk->in, "undecodable", "an int has more than 32 bits");
        write_long(walk, value, type->logical);
        return;
    case LM_AVRO_LONG:
        write_long(walk, lm_avro_long(&walk->in), type->logical);
        return;
    case LM_AVRO_FLOAT:
        write_double(walk, (double)lm_avro_float(&walk->in), 9);
        return;
    case LM_AVRO_DOUBLE:
        write_double(walk, lm_avro_double(&walk->in), 17);
        return;
    case LM_AVRO_BYTES:
        bytes = lm_avro_text(&walk->in);
        if (type->logical == LM_AVRO_DECIMAL && bytes.len <= DECIMAL_BYTES)
            write_decimal(walk, bytes, type->scale);
        else if (lm_utf8_check(bytes.data, bytes.len) == LM_UTF8_OK)
            write_text(walk, bytes);
        else
            write_hex(walk, bytes);
        return;
    case LM_AVRO_FIXED:
        bytes = lm_avro_bytes(&walk->in, type->size);
        if (type->logical == LM_AVRO_DECIMAL && bytes.len <= DECIMAL_BYTES)
            write_decimal(walk, bytes, type->scale);
        else if (type->logical == LM_AVRO_UUID)
            write_uuid(walk, bytes);
        else if (type->logical == LM_AVRO_DURATION)
            write_duration(walk, bytes);
        else
            write_hex(walk, bytes);
        return;
    default:
        write_text(walk, lm_avro_text(&walk->in));
    }
}

static void write_value(struct walk *walk, const struct lm_avro_type *type)
{
    uint64_t index;

    if (walk->in.fault != NULL || walk->out->failed)
        return;
    if (walk->depth == LM_AVRO_MAX_DEPTH || walk->out->len > walk->output_max) {
        lm_avro_fail(&walk->in, walk->depth == LM_AVRO_MAX_DEPTH ? "depth" : "length",
                     "the value is too deep or too large once decoded");
        return;
    }
    walk->depth++;
    switch (type->kind) {
    case LM_AVRO_REFERENCE:
        write_value(walk, type->items[0]);
        break;
    case LM_AVRO_UNION:
        index = (uint64_t)lm_avro_long(&walk->in);
        if (index >= type->count)
            lm_avro_fail(&walk->in, "union_index", "a union has no such branch");
        else
            write_value(walk, type->items[index]);
        break;
    case LM_AVRO_ENUM:
        index = (uint64_t)lm_avro_long(&walk->in);
        if (index >= type->count)
            lm_avro_fail(&walk->in, "enum_index", "an enum has no such symbol");
        else
            lm_buffer_printf(walk->out, "\"%s\"", type->names[index]);
        break;
    case LM_AVRO_RECORD:
        write_record(walk, type);
        break;
    case LM_AVRO_ARRAY:
    case LM_AVRO_MAP:
        write_blocks(walk, type);
        break;
    default:
        write_scalar(walk, type);
    }
    walk->depth--;
}

int lm_avro_datum_write_json(const struct lm_avro_type *type, const void *data, size_t len,
                             struct lm_buffer *out, struct lm_error *error)
{
    struct walk walk = {.out = out, .output_max = out->len + OUTPUT_SPARE + OUTPUT_TIMES * len};

    lm_avro_reader_init(&walk.in, data, len);
    write_value(&walk, type);
    if (walk.in.fault == NULL && out->failed)
        return lm_error_set(error, LM_RETRY, "memory", "no room left for a value of another writer's schema");
    return lm_avro_reader_finish(&walk.in, error);
}
