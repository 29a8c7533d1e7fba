/*
 * A record as one tuple of PostgreSQL's binary COPY, written straight into the batch's buffer. The columns
 * are those of logmill.logs in table order without deleted_at; tests/unit/consumer/test_copy_row holds the
 * two together.
 */
#ifndef LOGMILL_CONSUMER_BATCH_COPY_ROW_H
#define LOGMILL_CONSUMER_BATCH_COPY_ROW_H

#include "common/buffer.h"
#include "common/record/record.h"

/* What a row holds besides the record. Times in microseconds since 1970, UTC. */
struct co_row_extra {
    enum lm_category category;
    int32_t partition;
    int64_t offset;
    int64_t ingested_us;
    int64_t pattern;
};

/* "(created_at,category,…)": the column list of the COPY statement. */
extern const char co_copy_columns[];

/* What stands before the first tuple (CO_COPY_BEGIN_BYTES) and, without its NUL, after the last. */
#define CO_COPY_BEGIN_BYTES 19
void co_copy_begin(struct lm_buffer *out);
#define CO_COPY_END "\377\377"

/* An upper bound of the bytes a record's tuple takes. */
size_t co_copy_room(const struct lm_record *record);
/*
 * Appends the tuple of a complete record (lm_record_complete). On -1 `out` is as before: LM_RETRY "memory"
 * when the buffer is at its ceiling. Any thread.
 */
int co_copy_row(const struct lm_record *record, const struct co_row_extra *extra, struct lm_buffer *out,
                struct lm_error *error) LM_MUST_CHECK;

/*
 * The other way round, as far as the rollups want it: timestamp, level, service, environment, message,
 * error_type and duration of a tuple that co_copy_row wrote, and the row's pattern; the other fields are
 * empty. Texts point into the tuple. Any thread.
 */
void co_copy_read(const char *tuple, struct lm_record *record, int64_t *pattern);

#endif
