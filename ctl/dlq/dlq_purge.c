/*
 * logmill-ctl dlq purge: deletes the letters of a partition up to a time. Kafka deletes nothing but the
 * beginning of a partition, so there is no purging by class or place. What is deleted is gone: without --yes,
 * or a y on the terminal, it only says what would go.
 */
#include "common/clock.h"
#include "ctl/dlq/dlq.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WAIT_MS 30000

struct purge {
    const struct ct_context *context;
    struct ct_dlq_scan *scan;
    int64_t *ends; /* for each partition of the scan: the first offset that stays */
    int64_t letters;
};

static bool usable(const struct ct_context *context, const struct ct_dlq_filter *filter, int64_t *before_us)
{
    const struct ct_config *config = context->config;
    bool prefix =
        config->class.count == 0 && *config->since == '\0' && *config->until == '\0' && config->limit == 0;

    for (size_t i = 0; i < filter->place_count; i++) {
        const struct ct_dlq_place *place = &filter->places[i];
        prefix = prefix && (place->partition < 0 || place->lies) && place->first == 0 &&
                 place->last == INT64_MAX - 1;
    }
    if (!prefix) {
        fprintf(context->errors,
                "logmill-ctl dlq purge: Kafka deletes only everything before a point of a partition, so say "
                "--before TIME and TOPIC or TOPIC.dlq/PARTITION, nothing finer\n");
        return false;
    }
    if (*config->before == '\0' || ct_dlq_time_parse(config->before, lm_clock_wall_us(), before_us) != 0) {
        fprintf(
            context->errors,
            "logmill-ctl dlq purge: say before when with --before: 2026-03-18T05:35:20Z, or how long ago: "
            "30m, 2h, 30d\n");
        return false;
    }
    return true;
}

/* What would go, said line by line. -1: said. */
static int find(struct purge *purge, int64_t before_us)
{
    size_t count;
    const struct ct_dlq_part *parts = ct_dlq_scan_parts(purge->scan, &count);

    purge->ends = calloc(count + 1, sizeof(*purge->ends));
    if (purge->ends == NULL) {
        fprintf(purge->context->errors, "logmill-ctl dlq purge: out of memory\n");
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        if (parts[i].low >= parts[i].end)
            continue;
        if (ct_dlq_scan_offset_at(purge->scan, &parts[i], before_us, &purge->ends[i]) != 0)
            return -1;
        if (purge->ends[i] <= parts[i].low)
            continue;
        purge->letters += purge->ends[i] - parts[i].low;
        fprintf(purge->context->out, "%s/%d: offsets %" PRId64 " to %" PRId64 " go, %" PRId64 " stay\n",
                parts[i].topic, (int)parts[i].partition, parts[i].low, purge->ends[i] - 1,
                parts[i].end - purge->ends[i]);
    }
    return 0;
}

static bool confirmed(const struct purge *purge)
{
    const struct ct_context *context = purge->context;
    char answer[8] = "";

    if (context->config->dry_run)
        return false;
    if (context->config->yes)
        return true;
    if (!isatty(STDIN_FILENO)) {
        fprintf(context->out, "nothing deleted: --yes deletes\n");
        return false;
    }
    fprintf(context->out, "Delete these %" PRId64 " letters for good? [y/N] ", purge->letters);
    (void)fflush(context->out);
    return fgets(answer, sizeof(answer), stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y');
}

static bool print_results(struct purge *purge, rd_kafka_event_t *event)
{
    bool all = true;

    if (event == NULL || rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        fprintf(purge->context->errors, "logmill-ctl dlq purge: Kafka at %s: %s\n",
                purge->context->config->brokers,
                event == NULL ? "no answer" : rd_kafka_event_error_string(event));
        return false;
    }
    const rd_kafka_topic_partition_list_t *list =
        rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event));
    for (int i = 0; i < list->cnt; i++) {
        if (list->elems[i].err == RD_KAFKA_RESP_ERR_NO_ERROR)
            continue;
        fprintf(purge->context->errors, "logmill-ctl dlq purge: %s/%d: %s\n", list->elems[i].topic,
                (int)list->elems[i].partition, rd_kafka_err2str(list->elems[i].err));
        all = false;
    }
    return all;
}

static bool delete_letters(struct purge *purge)
{
    size_t count;
    const struct ct_dlq_part *parts = ct_dlq_scan_parts(purge->scan, &count);
    rd_kafka_t *kafka = ct_dlq_scan_client(purge->scan);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);

    for (size_t i = 0; i < count; i++) {
        if (purge->ends[i] > parts[i].low)
            rd_kafka_topic_partition_list_add(list, parts[i].topic, parts[i].partition)->offset =
                purge->ends[i];
    }
    rd_kafka_DeleteRecords_t *request = rd_kafka_DeleteRecords_new(list);
    rd_kafka_DeleteRecords(kafka, &request, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, WAIT_MS);
    bool all = print_results(purge, event);
    if (event != NULL)
        rd_kafka_event_destroy(event);
    rd_kafka_DeleteRecords_destroy(request);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_queue_destroy(queue);
    return all;
}

/* The record of what was put back need not name them any more; left, it does no harm. */
static void forget_marks(struct purge *purge)
{
    size_t count;
    const struct ct_dlq_part *parts = ct_dlq_scan_parts(purge->scan, &count);
    struct lm_error error;
    struct ct_dlq_marks *marks = ct_dlq_marks_open(purge->context, &error);
    bool done = marks != NULL;

    for (size_t i = 0; done && i < count; i++)
        done = purge->ends[i] <= parts[i].low ||
               ct_dlq_marks_forget(marks, parts[i].topic, parts[i].partition, purge->ends[i], &error) == 0;
    if (!done)
        fprintf(purge->context->errors,
                "  note: which of them were put back is still noted in PostgreSQL (harmless): %s\n",
                error.text);
    ct_dlq_marks_close(marks);
}

static enum ct_exit run(struct purge *purge, int64_t before_us)
{
    if (find(purge, before_us) != 0)
        return CT_FAILED;
    if (purge->letters == 0) {
        fprintf(purge->context->out, "no letters were written before then\n");
        return CT_DONE;
    }
    if (!confirmed(purge))
        return CT_DONE;
    if (!delete_letters(purge))
        return CT_FAILED;
    fprintf(purge->context->out, "deleted\n");
    forget_marks(purge);
    return CT_DONE;
}

enum ct_exit ct_dlq_purge(const struct ct_context *context, const struct ct_dlq_filter *filter)
{
    struct purge purge = {.context = context};
    enum ct_exit code = CT_FAILED;
    int64_t before_us;

    if (!usable(context, filter, &before_us))
        return CT_USAGE;
    purge.scan = ct_dlq_scan_open(context, filter, "purge", NULL);
    if (purge.scan != NULL)
        code = run(&purge, before_us);
    free(purge.ends);
    ct_dlq_scan_close(purge.scan);
    return code;
}
