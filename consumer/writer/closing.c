#include "consumer/writer/closing.h"

#include <string.h>

/* Decimal digits without printf: a batch of 1,000 sources has 3,000 numbers. */
static void append_int(struct lm_buffer *out, int64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0)
        lm_buffer_append_char(out, '-');
    lm_buffer_append(out, digits + at, sizeof(digits) - at);
}

/* An element of an array literal that stands in a string literal: quotes and backslashes are escaped for the
 * array, single quotes for SQL. The text holds no NUL and is UTF-8: lm_record_complete saw to it. */
static void append_element(struct lm_buffer *out, struct lm_slice text)
{
    size_t from = 0;

    lm_buffer_append_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c != '"' && c != '\\' && c != '\'')
            continue;
        lm_buffer_append(out, text.data + from, i - from);
        lm_buffer_append_char(out, c == '\'' ? '\'' : '\\');
        from = i;
    }
    if (text.len > 0)
        lm_buffer_append(out, text.data + from, text.len - from);
    lm_buffer_append_char(out, '"');
}

static void begin_array(struct lm_buffer *out)
{
    lm_buffer_append_text(out, ", '{");
}

static void end_array(struct lm_buffer *out, const char *type)
{
    lm_buffer_append_text(out, "}'::");
    lm_buffer_append_text(out, type);
    lm_buffer_append_text(out, "[]");
}

static void separate(struct lm_buffer *out, size_t i)
{
    if (i > 0)
        lm_buffer_append_char(out, ',');
}

/* One column of the arrays: how to read element i of a list of structs `size` bytes apart. */
struct column {
    const void *first; /* the field in element 0 */
    size_t size;
    size_t count;
};

static void append_ints(struct lm_buffer *out, struct column column)
{
    begin_array(out);
    for (size_t i = 0; i < column.count; i++) {
        int64_t value;
        memcpy(&value, (const char *)column.first + i * column.size, sizeof(value));
        separate(out, i);
        append_int(out, value);
    }
    end_array(out, "bigint");
}

static void append_texts(struct lm_buffer *out, struct column column)
{
    begin_array(out);
    for (size_t i = 0; i < column.count; i++) {
        struct lm_slice value;
        memcpy(&value, (const char *)column.first + i * column.size, sizeof(value));
        separate(out, i);
        append_element(out, value);
    }
    end_array(out, "text");
}

/* "SELECT logmill.NAME('raw', 3" */
static void begin_call(struct lm_buffer *out, const char *function, const struct co_closing_options *options)
{
    lm_buffer_append_text(out, ";\nSELECT logmill.");
    lm_buffer_append_text(out, function);
    lm_buffer_append_text(out, "('");
    lm_buffer_append_text(out, lm_category_name(options->category));
    lm_buffer_append_text(out, "', ");
    append_int(out, options->partition);
}

static void append_topic(struct lm_buffer *out, const struct co_closing_options *options)
{
    lm_buffer_append_literal(out, options->topic, strlen(options->topic));
    lm_buffer_append_text(out, ", ");
    append_int(out, options->partition);
}

/* A histogram is a number of HISTOGRAM_DIGITS decimal digits a bucket, the lowest bucket's last
 * (sql/0024_histograms.sql); here it is the sum of its runs: as many buckets as lie together, and how many
 * digits follow. Empty buckets cost their digits, a run some forty digits' time. */
enum { HISTOGRAM_DIGITS = 16, RUN_GAP_MAX = 3 };

struct run {
    int lowest, highest; /* buckets, which are not empty */
};

/* The histogram's first run that is not below `from`; false: there is none. */
static bool find_run(const struct co_histogram *histogram, int from, struct run *run)
{
    uint32_t count;
    int bucket = co_histogram_next(histogram, from, &count);

    run->lowest = bucket;
    run->highest = bucket;
    while (bucket >= 0 && bucket - run->highest <= RUN_GAP_MAX + 1) {
        run->highest = bucket;
        bucket = co_histogram_next(histogram, bucket + 1, &count);
    }
    return run->lowest >= 0;
}

static void append_run(struct lm_buffer *out, const struct co_histogram *histogram, const struct run *run)
{
    char digits[(CO_DURATION_BUCKET_MAX + 1) * HISTOGRAM_DIGITS]; /* the larger histogram's */
    size_t len = (size_t)(run->highest - run->lowest + 1) * HISTOGRAM_DIGITS;
    char *begin = digits;
    uint32_t count;

    memset(digits, '0', len);
    for (int bucket = run->lowest - 1; bucket < run->highest;) {
        bucket = co_histogram_next(histogram, bucket + 1, &count);
        begin = digits + (size_t)(run->highest - bucket + 1) * HISTOGRAM_DIGITS;
        for (; count > 0; count /= 10)
            *--begin = (char)('0' + count % 10);
    }
    lm_buffer_append(out, begin, (size_t)(digits + len - begin));
    lm_buffer_append_char(out, 'e');
    append_int(out, (int64_t)run->lowest * HISTOGRAM_DIGITS);
}

/* Which of a group's histograms: co_rollup_durations or co_rollup_seconds. */
typedef struct co_histogram histogram_fn(const struct co_rollup *rollup, const struct co_group *group);

/* The runs of all groups, or, where not `runs`, for each run the number of its group, from 1. */
static void append_runs(struct lm_buffer *out, const struct co_rollup *rollup, histogram_fn *histogram_of,
                        bool runs)
{
    struct run run;
    size_t n = 0;

    begin_array(out);
    for (size_t i = 0; i < rollup->group_count; i++) {
        struct co_histogram histogram = histogram_of(rollup, &rollup->groups[i]);
        for (int from = 0; find_run(&histogram, from, &run); from = run.highest + 1, n++) {
            separate(out, n);
            if (runs)
                append_run(out, &histogram, &run);
            else
                append_int(out, (int64_t)i + 1);
        }
    }
    end_array(out, runs ? "numeric" : "bigint");
}

static void append_minutes(struct lm_buffer *out, const struct co_rollup *rollup,
                           const struct co_closing_options *options)
{
    const struct co_group *groups = rollup->groups;
    size_t size = sizeof(groups[0]), count = rollup->group_count;

    if (count == 0)
        return;
    begin_call(out, "add_minutes", options);
    append_ints(out, (struct column){&groups[0].minute_us, size, count});
    append_texts(out, (struct column){&groups[0].service, size, count});
    append_texts(out, (struct column){&groups[0].environment, size, count});
    begin_array(out);
    for (size_t i = 0; i < count; i++) {
        separate(out, i);
        lm_buffer_append_text(out, lm_level_name(groups[i].level));
    }
    end_array(out, "logmill.log_level");
    append_ints(out, (struct column){&groups[0].n, size, count});
    append_ints(out, (struct column){&groups[0].duration_n, size, count});
    append_ints(out, (struct column){&groups[0].duration_sum_us, size, count});
    append_ints(out, (struct column){&groups[0].duration_max_us, size, count});
    append_runs(out, rollup, co_rollup_durations, false);
    append_runs(out, rollup, co_rollup_durations, true);
    if (options->count_seconds) {
        append_runs(out, rollup, co_rollup_seconds, false);
        append_runs(out, rollup, co_rollup_seconds, true);
    }
    lm_buffer_append_char(out, ')');
}

static void append_errors(struct lm_buffer *out, const struct co_rollup *rollup,
                          const struct co_closing_options *options)
{
    const struct co_error_group *errors = rollup->errors;
    size_t size = sizeof(errors[0]), count = rollup->error_count;

    if (count == 0)
        return;
    begin_call(out, "add_error_patterns", options);
    append_ints(out, (struct column){&errors[0].hour_us, size, count});
    append_texts(out, (struct column){&errors[0].service, size, count});
    append_texts(out, (struct column){&errors[0].environment, size, count});
    append_texts(out, (struct column){&errors[0].error_type, size, count});
    append_ints(out, (struct column){&errors[0].pattern, size, count});
    append_ints(out, (struct column){&errors[0].n, size, count});
    append_ints(out, (struct column){&errors[0].first_us, size, count});
    append_ints(out, (struct column){&errors[0].last_us, size, count});
    append_texts(out, (struct column){&errors[0].sample, size, count});
    lm_buffer_append_char(out, ')');
}

static void append_patterns(struct lm_buffer *out, const struct co_batch *batch)
{
    const struct co_pattern_row *patterns = batch->patterns;
    size_t size = sizeof(patterns[0]), count = batch->pattern_count;

    if (count == 0)
        return;
    lm_buffer_append_text(out, ";\nSELECT logmill.add_patterns('{");
    for (size_t i = 0; i < count; i++) {
        separate(out, i);
        append_int(out, patterns[i].id);
    }
    end_array(out, "bigint");
    append_texts(out, (struct column){&patterns[0].template, size, count});
    append_ints(out, (struct column){&patterns[0].first_us, size, count});
    lm_buffer_append_char(out, ')');
}

static void append_names(struct lm_buffer *out, const struct co_batch *batch,
                         const struct co_closing_options *options)
{
    const struct co_name_row *names = batch->names;
    size_t size = sizeof(names[0]), count = batch->name_count;

    if (count == 0)
        return;
    begin_call(out, "add_names", options);
    begin_array(out);
    for (size_t i = 0; i < count; i++) {
        separate(out, i);
        lm_buffer_append_text(out, co_name_kind_name(names[i].kind));
    }
    end_array(out, "text");
    append_texts(out, (struct column){&names[0].value, size, count});
    append_texts(out, (struct column){&names[0].service, size, count});
    append_texts(out, (struct column){&names[0].environment, size, count});
    append_ints(out, (struct column){&names[0].first_us, size, count});
    append_ints(out, (struct column){&names[0].last_us, size, count});
    append_ints(out, (struct column){&names[0].n, size, count});
    lm_buffer_append_char(out, ')');
}

static void append_hours(struct lm_buffer *out, const struct co_rollup *rollup,
                         const struct co_closing_options *options)
{
    if (rollup->hour_count == 0)
        return;
    begin_call(out, "raise_epochs", options);
    append_ints(out, (struct column){rollup->hours, sizeof(rollup->hours[0]), rollup->hour_count});
    lm_buffer_append_char(out, ')');
}

static void append_moves(struct lm_buffer *out, const struct co_batch *batch,
                         const struct co_closing_options *options)
{
    const struct co_source_move *moves = batch->moves;
    size_t size = sizeof(moves[0]), count = batch->move_count;

    if (count == 0)
        return;
    lm_buffer_append_text(out, ";\nSELECT logmill.advance_sources(");
    append_topic(out, options);
    append_ints(out, (struct column){&moves[0].source, size, count});
    append_ints(out, (struct column){&moves[0].sequence, size, count});
    append_ints(out, (struct column){&moves[0].time_us, size, count});
    lm_buffer_append_char(out, ')');
}

static void append_replays(struct lm_buffer *out, const struct co_batch *batch)
{
    const struct co_replay *replays = batch->replays;
    size_t size = sizeof(replays[0]), count = batch->replay_count;

    if (count == 0)
        return;
    lm_buffer_append_text(out, ";\nSELECT logmill.add_replays('{");
    for (size_t i = 0; i < count; i++) {
        separate(out, i);
        append_element(out, replays[i].topic);
    }
    end_array(out, "text");
    begin_array(out);
    for (size_t i = 0; i < count; i++) {
        separate(out, i);
        append_int(out, replays[i].partition);
    }
    end_array(out, "int");
    append_ints(out, (struct column){&replays[0].offset, size, count});
    lm_buffer_append_char(out, ')');
}

static void append_advance(struct lm_buffer *out, const struct co_batch *batch,
                           const struct co_closing_options *options)
{
    lm_buffer_append_text(out, ";\nSELECT logmill.advance_offset(");
    append_topic(out, options);
    lm_buffer_append_text(out, ", ");
    append_int(out, batch->expected_offset);
    lm_buffer_append_text(out, ", ");
    append_int(out, batch->next_offset);
    lm_buffer_append_text(out, ", ");
    if (batch->kafka_time_us > 0) {
        lm_buffer_append_text(out, "logmill.at_us(");
        append_int(out, batch->kafka_time_us);
        lm_buffer_append_text(out, "))");
    } else {
        lm_buffer_append_text(out, "NULL)");
    }
}

int co_closing_write(struct co_batch *batch, const struct co_closing_options *options, struct lm_error *error)
{
    struct lm_buffer *out = &batch->closing;

    lm_buffer_clear(out);
    lm_buffer_append_text(out, "SET LOCAL lock_timeout = ");
    append_int(out, options->lock_timeout_ms);
    /* The lock first: a bare compare-and-set would not wait for a predecessor, it would match nothing. */
    lm_buffer_append_text(out,
                          ";\nSELECT next_offset FROM logmill.ingest_offset WHERE (topic, partition) = (");
    append_topic(out, options);
    lm_buffer_append_text(out, ") FOR UPDATE");
    append_minutes(out, &batch->rollup, options);
    append_errors(out, &batch->rollup, options);
    append_patterns(out, batch);
    append_names(out, batch, options);
    append_hours(out, &batch->rollup, options);
    append_moves(out, batch, options);
    append_replays(out, batch);
    if (!options->rehearse)
        append_advance(out, batch, options);
    /* What COMMIT would check must be checked in a rehearsal too. */
    lm_buffer_append_text(out,
                          options->rehearse ? ";\nSET CONSTRAINTS ALL IMMEDIATE;\nROLLBACK" : ";\nCOMMIT");
    if (lm_buffer_text(out) == NULL)
        return lm_error_set(error, LM_RETRY, "memory", "no memory for the closing message of a batch");
    return 0;
}
