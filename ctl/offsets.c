/*
 * logmill-ctl offsets: where each partition is read from, beside what its topic holds.
 * logmill-ctl offsets set TOPIC PARTITION beginning|end|OFFSET: decides where it goes on.
 *
 * The position in PostgreSQL is the only one that counts. Setting it back stores records again, setting it
 * ahead leaves records out, so it is never done by itself: a consumer whose position lies beyond the end of
 * its topic waits for this command. A consumer that is at work notices by its compare-and-set and reads the
 * new position.
 */
#include "ctl/brokers.h"
#include "ctl/command.h"
#include "ctl/database.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS 10000

static void print_error(const struct ct_context *context, const char *text)
{
    fprintf(context->errors, "logmill-ctl offsets: %s\n", text);
}

/* What the topic holds: the first offset and the one after the last. false: said on `errors`. */
static bool watermarks(const struct ct_context *context, rd_kafka_t *brokers, const char *topic,
                       int32_t partition, int64_t *low, int64_t *high)
{
    const rd_kafka_resp_err_t err =
        rd_kafka_query_watermark_offsets(brokers, topic, partition, low, high, WAIT_MS);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
        return true;
    fprintf(context->errors, "logmill-ctl offsets: Kafka at %s says of %s/%d: %s\n", context->config->brokers,
            topic, (int)partition, rd_kafka_err2str(err));
    return false;
}

static const char *remark(int64_t position, int64_t low, int64_t high, bool stopped)
{
    if (position > high || stopped)
        return "beyond the topic's end: made anew? decide with offsets set";
    if (position < low)
        return "below the topic's beginning: records expired unread";
    return "";
}

static enum ct_exit list(const struct ct_context *context, PGconn *database, rd_kafka_t *brokers)
{
    struct lm_error error;
    PGresult *rows =
        ct_database_query(database,
                          "SELECT topic, partition, next_offset, coalesce(committed_time::text, '-'), "
                          "beyond_end IS NOT DISTINCT FROM next_offset "
                          "FROM logmill.ingest_offset ORDER BY topic, partition",
                          &error);
    if (rows == NULL) {
        print_error(context, error.text);
        return CT_FAILED;
    }
    enum ct_exit code = CT_DONE;
    fprintf(context->out, "%-24s %9s %14s %14s %14s %12s  %s\n", "topic", "partition", "first", "position",
            "end", "behind", "committed");
    for (int i = 0; i < PQntuples(rows); i++) {
        const char *topic = PQgetvalue(rows, i, 0);
        const int32_t partition = (int32_t)strtol(PQgetvalue(rows, i, 1), NULL, 10);
        const int64_t position = strtoll(PQgetvalue(rows, i, 2), NULL, 10);
        int64_t low = 0, high = 0;
        if (!watermarks(context, brokers, topic, partition, &low, &high)) {
            code = CT_FAILED;
            continue;
        }
        fprintf(context->out, "%-24s %9d %14" PRId64 " %14" PRId64 " %14" PRId64 " %12" PRId64 "  %s  %s\n",
                topic, (int)partition, low, position, high, high - position, PQgetvalue(rows, i, 3),
                remark(position, low, high, *PQgetvalue(rows, i, 4) == 't'));
    }
    PQclear(rows);
    return code;
}

/* "beginning", "end" or a number within the topic. false: said on `errors`. */
static bool read_target(const struct ct_context *context, const char *text, int64_t low, int64_t high,
                        int64_t *target)
{
    char *end = NULL;
    if (strcmp(text, "beginning") == 0) {
        *target = low;
        return true;
    }
    if (strcmp(text, "end") == 0) {
        *target = high;
        return true;
    }
    errno = 0;
    *target = strtoll(text, &end, 10);
    if (*text != '\0' && *end == '\0' && errno == 0 && *target >= low && *target <= high)
        return true;
    fprintf(context->errors,
            "logmill-ctl offsets: \"%s\" is no offset of this partition: say beginning, end, or a number "
            "from %" PRId64 " to %" PRId64 "\n",
            text, low, high);
    return false;
}

static enum ct_exit set(const struct ct_context *context, PGconn *database, rd_kafka_t *brokers)
{
    const char *topic = context->arguments[1];
    char *end = NULL;
    const long partition = strtol(context->arguments[2], &end, 10);
    int64_t low = 0, high = 0, target = 0;
    char offset[24];
    struct lm_error error;

    if (*context->arguments[2] == '\0' || *end != '\0' || partition < 0 || partition > INT32_MAX) {
        fprintf(context->errors, "logmill-ctl offsets: \"%s\" is no partition number\n",
                context->arguments[2]);
        return CT_USAGE;
    }
    if (!watermarks(context, brokers, topic, (int32_t)partition, &low, &high) ||
        !read_target(context, context->arguments[3], low, high, &target))
        return CT_FAILED;
    (void)snprintf(offset, sizeof offset, "%" PRId64, target);
    const char *const values[] = {topic, context->arguments[2], offset};
    PGresult *moved = ct_database_query_with(
        database,
        "WITH old AS (SELECT * FROM logmill.ingest_offset WHERE topic = $1 AND partition = $2::integer FOR "
        "UPDATE) "
        "UPDATE logmill.ingest_offset o SET next_offset = $3::bigint, beyond_end = NULL, updated_at = "
        "clock_timestamp() FROM "
        "old "
        "WHERE o.topic = old.topic AND o.partition = old.partition RETURNING old.next_offset",
        3, values, &error);
    if (moved == NULL) {
        print_error(context, error.text);
        return CT_FAILED;
    }
    const bool known = PQntuples(moved) == 1;
    if (known)
        fprintf(context->out, "%s/%ld: %s → %s\n", topic, partition, PQgetvalue(moved, 0, 0), offset);
    else
        fprintf(
            context->errors,
            "logmill-ctl offsets: no position is stored for %s/%ld: no consumer has been assigned it yet\n",
            topic, partition);
    PQclear(moved);
    return known ? CT_DONE : CT_FAILED;
}

static enum ct_exit run_offsets(const struct ct_context *context)
{
    const bool setting = context->argument_count == 4 && strcmp(context->arguments[0], "set") == 0;
    enum ct_exit code = CT_FAILED;
    char text[512] = "";
    struct lm_error error;

    if (!setting && context->argument_count != 0) {
        fprintf(context->errors, "usage: logmill-ctl offsets [set TOPIC PARTITION beginning|end|OFFSET]\n");
        return CT_USAGE;
    }
    PGconn *database = ct_database_open(context->config->postgres_url, context->errors, &error);
    if (database == NULL) {
        print_error(context, error.text);
        return CT_FAILED;
    }
    rd_kafka_t *brokers = ct_brokers_open(context->config, text, sizeof text);
    if (brokers == NULL)
        print_error(context, text);
    else
        code = setting ? set(context, database, brokers) : list(context, database, brokers);
    if (brokers != NULL)
        rd_kafka_destroy(brokers);
    PQfinish(database);
    return code;
}

const struct ct_command ct_offsets_command = {
    .name = "offsets",
    .arguments = "[set …]",
    .summary = "positions beside what the topics hold; set TOPIC PARTITION beginning|end|OFFSET moves one",
    .arguments_min = 0,
    .arguments_max = 4,
    .run = run_offsets,
};
