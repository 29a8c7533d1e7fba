#include "consumer/kafka/prompt.h"

#include "common/clock.h"

#include <stdlib.h>

#define PAUSE_US 5000
#define TIMEOUT_MS 1000

struct prompt {
    struct co_prompter *prompter;
    struct co_partition *partition;
    uv_work_t work;
};

static void job(uv_work_t *work) /* thread pool */
{
    struct prompt *prompt = work->data;
    int64_t low, high;
    /* The answer does not matter, that the broker's thread wakes does. */
    (void)rd_kafka_query_watermark_offsets(prompt->prompter->kafka, prompt->partition->topic,
                                           prompt->partition->number, &low, &high, TIMEOUT_MS);
}

static void after_job(uv_work_t *work, int status)
{
    struct prompt *prompt = work->data;
    struct co_prompter *prompter = prompt->prompter;

    (void)status;
    prompt->partition->prompting = false;
    co_partition_unref(prompt->partition);
    free(prompt);
    if (--prompter->jobs == 0)
        prompter->settled(prompter->context);
}

void co_prompt(struct co_prompter *prompter, struct co_partition *partition)
{
    int64_t low, high, now_us = lm_clock_mono_us();
    size_t waiting;
    size_t enough = prompter->ahead.low_bytes / (partition->message_bytes > 0 ? partition->message_bytes : 1);

    if (enough > prompter->ahead.low_messages)
        enough = prompter->ahead.low_messages;
    struct prompt *prompt;

    if (partition->prompting || now_us - partition->prompted_us < PAUSE_US ||
        (waiting = rd_kafka_queue_length(partition->queue)) >= enough ||
        rd_kafka_get_watermark_offsets(prompter->kafka, partition->topic, partition->number, &low, &high) !=
            RD_KAFKA_RESP_ERR_NO_ERROR ||
        high - partition->position <= (int64_t)waiting)
        return;
    prompt = calloc(1, sizeof(*prompt));
    if (prompt == NULL)
        return;
    *prompt = (struct prompt){.prompter = prompter, .partition = co_partition_ref(partition)};
    prompt->work.data = prompt;
    if (uv_queue_work(prompter->loop, &prompt->work, job, after_job) != 0) {
        co_partition_unref(partition);
        free(prompt);
        return;
    }
    partition->prompting = true;
    partition->prompted_us = now_us;
    prompter->jobs++;
}
