/*
 * Table logmill.dlq_replay: which letters were put back, as runs of offsets. It only saves work. A letter put
 * back without its mark (the command was killed in between) is put back once more, and the consumer drops it:
 * what was stored is known to ingest_replay.
 */
#include "ctl/database.h"
#include "ctl/dlq/dlq.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct run {
    int64_t first, last;
    int64_t at_us; /* when they were put back */
};

struct ct_dlq_marks {
    PGconn *database;
    struct run *runs; /* of the partition at hand, by their first offset */
    size_t count, at; /* runs before `at` end below every letter to come */
};

struct ct_dlq_marks *ct_dlq_marks_open(const struct ct_context *context, struct lm_error *error)
{
    struct ct_dlq_marks *marks = calloc(1, sizeof(*marks));
    if (marks == NULL) {
        (void)lm_error_set(error, LM_FATAL, "memory", "out of memory");
        return NULL;
    }
    marks->database = ct_database_open(context->config->postgres_url, context->errors, error);
    if (marks->database != NULL)
        return marks;
    free(marks);
    return NULL;
}

void ct_dlq_marks_close(struct ct_dlq_marks *marks)
{
    if (marks == NULL)
        return;
    PQfinish(marks->database);
    free(marks->runs);
    free(marks);
}

struct parameters {
    char partition[16], offset[24];
    const char *values[4];
};

static void set_key(struct parameters *out, const char *topic, int32_t partition, int64_t offset)
{
    (void)snprintf(out->partition, sizeof(out->partition), "%d", (int)partition);
    (void)snprintf(out->offset, sizeof(out->offset), "%" PRId64, offset);
    out->values[0] = topic;
    out->values[1] = out->partition;
    out->values[2] = out->offset;
}

int ct_dlq_marks_begin(struct ct_dlq_marks *marks, const struct ct_dlq_part *part, struct lm_error *error)
{
    struct parameters parameters;

    free(marks->runs);
    marks->runs = NULL;
    marks->count = marks->at = 0;
    set_key(&parameters, part->topic, part->partition, part->first);
    PGresult *rows = ct_database_query_with(
        marks->database,
        "SELECT first_offset, last_offset, (extract(epoch FROM replayed_at) * 1000000)::bigint "
        "FROM logmill.dlq_replay WHERE topic = $1 AND partition = $2::integer AND last_offset >= $3::bigint "
        "ORDER BY first_offset",
        3, parameters.values, error);
    if (rows == NULL)
        return -1;
    size_t count = (size_t)PQntuples(rows);
    marks->runs = calloc(count + 1, sizeof(*marks->runs));
    for (size_t i = 0; marks->runs != NULL && i < count; i++)
        marks->runs[i] = (struct run){strtoll(PQgetvalue(rows, (int)i, 0), NULL, 10),
                                      strtoll(PQgetvalue(rows, (int)i, 1), NULL, 10),
                                      strtoll(PQgetvalue(rows, (int)i, 2), NULL, 10)};
    PQclear(rows);
    if (marks->runs == NULL)
        return lm_error_set(error, LM_FATAL, "memory", "out of memory");
    marks->count = count;
    return 0;
}

bool ct_dlq_marks_has(struct ct_dlq_marks *marks, const struct ct_letter *letter)
{
    while (marks->at < marks->count && marks->runs[marks->at].last < letter->offset)
        marks->at++;
    for (size_t i = marks->at; i < marks->count && marks->runs[i].first <= letter->offset; i++) {
        /* A letter written afterwards is another one: its topic was made anew. */
        if (marks->runs[i].last >= letter->offset && marks->runs[i].at_us >= letter->time_us)
            return true;
    }
    return false;
}

static void append_runs(struct lm_buffer *firsts, struct lm_buffer *lasts, const int64_t *offsets,
                        size_t count)
{
    for (size_t i = 0, from = 0; i < count; i++) {
        if (i + 1 < count && offsets[i + 1] == offsets[i] + 1)
            continue;
        lm_buffer_printf(firsts, "%s%" PRId64, from == 0 ? "{" : ",", offsets[from]);
        lm_buffer_printf(lasts, "%s%" PRId64, from == 0 ? "{" : ",", offsets[i]);
        from = i + 1;
    }
    lm_buffer_append_char(firsts, '}');
    lm_buffer_append_char(lasts, '}');
}

int ct_dlq_marks_add(struct ct_dlq_marks *marks, const struct ct_dlq_part *part, const int64_t *offsets,
                     size_t count, struct lm_error *error)
{
    struct parameters parameters;
    struct lm_buffer firsts, lasts;
    PGresult *result = NULL;

    if (count == 0)
        return 0;
    set_key(&parameters, part->topic, part->partition, 0);
    lm_buffer_init(&firsts, (size_t)64 << 20);
    lm_buffer_init(&lasts, (size_t)64 << 20);
    append_runs(&firsts, &lasts, offsets, count);
    parameters.values[2] = lm_buffer_text(&firsts);
    parameters.values[3] = lm_buffer_text(&lasts);
    if (parameters.values[2] == NULL || parameters.values[3] == NULL)
        (void)lm_error_set(error, LM_FATAL, "memory", "out of memory");
    else
        result = ct_database_query_with(
            marks->database,
            "INSERT INTO logmill.dlq_replay (topic, partition, first_offset, last_offset) "
            "SELECT $1, $2::integer, u.first, u.last FROM unnest($3::bigint[], $4::bigint[]) AS u (first, "
            "last)",
            4, parameters.values, error);
    lm_buffer_free(&firsts);
    lm_buffer_free(&lasts);
    if (result == NULL)
        return -1;
    PQclear(result);
    return 0;
}

int ct_dlq_marks_forget(struct ct_dlq_marks *marks, const char *topic, int32_t partition, int64_t low,
                        struct lm_error *error)
{
    struct parameters parameters;

    set_key(&parameters, topic, partition, low);
    PGresult *result = ct_database_query_with(marks->database,
                                              "DELETE FROM logmill.dlq_replay WHERE topic = $1 AND "
                                              "partition = $2::integer AND last_offset < $3::bigint",
                                              3, parameters.values, error);
    if (result == NULL)
        return -1;
    PQclear(result);
    return 0;
}
