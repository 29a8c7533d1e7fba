#include "common/clock.h"
#include "ctl/brokers.h"
#include "ctl/dlq/dlq.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS 10000
#define POLL_MS 250
#define SILENT_US (60 * LM_SECOND_US)

struct ct_dlq_scan {
    const struct ct_context *context;
    const struct ct_dlq_filter *filter;
    const char *subcommand;
    const volatile sig_atomic_t *stop;
    rd_kafka_t *kafka;
    struct ct_dlq_part *parts;
    size_t part_count, at;
    rd_kafka_topic_t *topic; /* of the partition being read; NULL: none is */
    int64_t position;        /* next offset of it */
    rd_kafka_message_t *message;
};

static int complain(const struct ct_dlq_scan *scan, const char *what, int32_t partition, const char *text)
{
    char number[16] = "";
    if (partition >= 0)
        (void)snprintf(number, sizeof(number), "/%d", (int)partition);
    fprintf(scan->context->errors, "logmill-ctl dlq %s: %s%s: %s\n", scan->subcommand, what, number, text);
    return -1;
}

/* ---- which partitions ---- */

int ct_dlq_scan_offset_at(struct ct_dlq_scan *scan, const struct ct_dlq_part *part, int64_t us,
                          int64_t *offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *asked = rd_kafka_topic_partition_list_add(list, part->topic, part->partition);

    asked->offset = us / 1000;
    rd_kafka_resp_err_t error = rd_kafka_offsets_for_times(scan->kafka, list, WAIT_MS);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
        error = asked->err;
    *offset = asked->offset < 0 || asked->offset > part->end ? part->end : asked->offset;
    rd_kafka_topic_partition_list_destroy(list);
    return error == RD_KAFKA_RESP_ERR_NO_ERROR
               ? 0
               : complain(scan, part->topic, part->partition, rd_kafka_err2str(error));
}

static int add_part(struct ct_dlq_scan *scan, const char *source, const char *topic, int32_t partition)
{
    const struct ct_dlq_filter *filter = scan->filter;
    struct ct_dlq_part part = {.partition = partition};
    int64_t first, end, high;

    ct_dlq_filter_range(filter, source, partition, &first, &end);
    if (first >= end)
        return 0;
    (void)snprintf(part.topic, sizeof(part.topic), "%s", topic);
    rd_kafka_resp_err_t error =
        rd_kafka_query_watermark_offsets(scan->kafka, topic, partition, &part.low, &high, WAIT_MS);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
        return complain(scan, topic, partition, rd_kafka_err2str(error));
    part.end = end < high ? end : high;
    part.first = first > part.low ? first : part.low;
    if (filter->time_of == CT_DLQ_TIME_OF_LETTER && filter->since_us > 0 && part.first < part.end) {
        if (ct_dlq_scan_offset_at(scan, &part, filter->since_us, &first) != 0)
            return -1;
        part.first = first > part.first ? first : part.first;
    }
    struct ct_dlq_part *wider = realloc(scan->parts, (scan->part_count + 1) * sizeof(*wider));
    if (wider == NULL)
        return complain(scan, topic, partition, "out of memory");
    scan->parts = wider;
    scan->parts[scan->part_count++] = part;
    return 0;
}

static int add_topic(struct ct_dlq_scan *scan, const char *source)
{
    const struct rd_kafka_metadata *metadata = NULL;
    char name[255];
    int outcome = 0;

    (void)snprintf(name, sizeof(name), "%s.dlq", source);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(scan->kafka, name, NULL);
    if (topic == NULL)
        return complain(scan, name, -1, "is no topic's name");
    rd_kafka_resp_err_t error = rd_kafka_metadata(scan->kafka, 0, topic, &metadata, WAIT_MS);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR && metadata->topic_cnt == 1)
        error = metadata->topics[0].err;
    if (error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART && !scan->filter->named) {
        outcome = 0; /* a category nobody uses */
    } else if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        outcome = complain(scan, name, -1, rd_kafka_err2str(error));
    } else {
        for (int32_t i = 0; outcome == 0 && i < metadata->topics[0].partition_cnt; i++)
            outcome = add_part(scan, source, name, i);
    }
    if (metadata != NULL)
        rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(topic);
    return outcome;
}

struct ct_dlq_scan *ct_dlq_scan_open(const struct ct_context *context, const struct ct_dlq_filter *filter,
                                     const char *subcommand, const volatile sig_atomic_t *stop)
{
    char text[512] = "";
    struct ct_dlq_scan *scan = calloc(1, sizeof(*scan));

    if (scan == NULL) {
        fprintf(context->errors, "logmill-ctl dlq %s: out of memory\n", subcommand);
        return NULL;
    }
    *scan =
        (struct ct_dlq_scan){.context = context, .filter = filter, .subcommand = subcommand, .stop = stop};
    scan->kafka = ct_brokers_open_reader(context->config, text, sizeof(text));
    if (scan->kafka == NULL) {
        (void)complain(scan, "Kafka", -1, text);
        goto refused;
    }
    for (size_t i = 0; i < filter->topic_count; i++) {
        if (add_topic(scan, filter->topics[i]) != 0)
            goto refused;
    }
    if (scan->part_count == 0 && !filter->named) {
        (void)complain(scan, context->config->topic_prefix, -1,
                       "no category has a dead-letter topic (logmill-ctl topics create makes them)");
        goto refused;
    }
    return scan;
refused:
    ct_dlq_scan_close(scan);
    return NULL;
}

/* ---- reading ---- */

static void leave_part(struct ct_dlq_scan *scan)
{
    if (scan->message != NULL)
        rd_kafka_message_destroy(scan->message);
    scan->message = NULL;
    if (scan->topic != NULL) {
        (void)rd_kafka_consume_stop(scan->topic, scan->parts[scan->at].partition);
        rd_kafka_topic_destroy(scan->topic);
    }
    scan->topic = NULL;
}

static int enter_part(struct ct_dlq_scan *scan)
{
    const struct ct_dlq_part *part = &scan->parts[scan->at];

    scan->position = part->first;
    scan->topic = rd_kafka_topic_new(scan->kafka, part->topic, NULL);
    if (scan->topic == NULL)
        return complain(scan, part->topic, part->partition, "out of memory");
    if (rd_kafka_consume_start(scan->topic, part->partition, part->first) == 0)
        return 0;
    rd_kafka_topic_destroy(scan->topic);
    scan->topic = NULL;
    return complain(scan, part->topic, part->partition, rd_kafka_err2str(rd_kafka_last_error()));
}

/* The next message below the end: 1, 0: the partition is read (or the scan stopped), -1. Control records and
 * what compaction took leave holes, so the end may never be seen as a message: librdkafka says when there is
 * no more. */
static int read_message(struct ct_dlq_scan *scan)
{
    const struct ct_dlq_part *part = &scan->parts[scan->at];
    int64_t since_us = lm_clock_mono_us();

    while (scan->position < part->end && (scan->stop == NULL || *scan->stop == 0)) {
        if (scan->message != NULL)
            rd_kafka_message_destroy(scan->message);
        scan->message = rd_kafka_consume(scan->topic, part->partition, POLL_MS);
        if (scan->message == NULL) {
            if (lm_clock_mono_us() - since_us > SILENT_US)
                return complain(scan, part->topic, part->partition, "no answer from Kafka for a minute");
            continue;
        }
        if (scan->message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
            return 0;
        if (scan->message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            if (lm_clock_mono_us() - since_us <= SILENT_US)
                continue; /* librdkafka goes on by itself */
            return complain(scan, part->topic, part->partition, rd_kafka_message_errstr(scan->message));
        }
        scan->position = scan->message->offset + 1;
        return scan->message->offset < part->end;
    }
    return 0;
}

int ct_dlq_scan_next(struct ct_dlq_scan *scan, struct ct_letter *letter)
{
    while (scan->at < scan->part_count && (scan->stop == NULL || *scan->stop == 0)) {
        const struct ct_dlq_part *part = &scan->parts[scan->at];
        int outcome = 0;

        if (scan->topic == NULL && part->first < part->end && enter_part(scan) != 0)
            return -1;
        if (scan->topic != NULL)
            outcome = read_message(scan);
        if (outcome < 0)
            return -1;
        if (outcome == 0) {
            if (scan->stop != NULL && *scan->stop != 0)
                return 0;
            leave_part(scan);
            scan->position = 0;
            scan->at++;
            continue;
        }
        ct_letter_read(scan->message, letter);
        if (ct_dlq_filter_takes(scan->filter, letter))
            return 1;
    }
    return 0;
}

void ct_dlq_scan_close(struct ct_dlq_scan *scan)
{
    if (scan == NULL)
        return;
    leave_part(scan);
    if (scan->kafka != NULL)
        rd_kafka_destroy(scan->kafka);
    free(scan->parts);
    free(scan);
}

const struct ct_dlq_part *ct_dlq_scan_parts(const struct ct_dlq_scan *scan, size_t *count)
{
    *count = scan->part_count;
    return scan->parts;
}

const struct ct_dlq_part *ct_dlq_scan_at(const struct ct_dlq_scan *scan, int64_t *left)
{
    *left = 0;
    for (size_t i = scan->at; i < scan->part_count; i++) {
        const struct ct_dlq_part *part = &scan->parts[i];
        int64_t from = i == scan->at && scan->topic != NULL ? scan->position : part->first;
        *left += part->end > from ? part->end - from : 0;
    }
    return scan->at < scan->part_count ? &scan->parts[scan->at] : NULL;
}

rd_kafka_t *ct_dlq_scan_client(const struct ct_dlq_scan *scan)
{
    return scan->kafka;
}
