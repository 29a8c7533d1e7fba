#include "producer/ship/input.h"

#include "common/clock.h"
#include "common/record/record_avro.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMPLAINT_MS 1000 /* refused records are named at most so often; the metric counts all */

int sh_input_init(struct sh_input *input, struct sh_output *output, const char *service, const char *path,
                  int64_t source, int64_t offset, struct lm_error *error)
{
    const struct sh_config *config = output->config;

    *input = (struct sh_input){
        .output = output,
        .service = strdup(service),
        .source = source,
        .window = {.name = path ? path : "standard input", .delivered = offset},
    };
    if (!input->service) {
        return lm_error_set(error, LM_RETRY, "memory", "no memory for an input");
    }
    input->labels = (struct sh_labels){
        .category = (enum lm_category)config->category,
        .service = input->service,
        .environment = config->environment,
        .log_type = config->log_type,
        .host = output->host,
        .tags = &config->tags,
        .path = path,
        .utc = config->utc,
    };
    sh_lines_init(&input->lines, offset, (size_t)config->max_record);
    sh_join_init(&input->join, (enum sh_format)config->format, config->utc, (size_t)config->max_record);
    return 0;
}

void sh_input_free(struct sh_input *input)
{
    sh_lines_free(&input->lines);
    sh_join_free(&input->join);
    sh_window_clear(&input->window);
    free(input->service);
}

int sh_input_add(struct sh_input *input, const char *data, size_t len)
{
    return sh_lines_add(&input->lines, data, len);
}

/* A record that can never be stored is counted, said, and passed over: what follows it goes on. */
static void refuse(struct sh_output *output, const char *name, int64_t end, const struct lm_error *error)
{
    output->lost++;
    lm_counter_add(output->refused, 1);
    lm_log_limited(&output->complaints, COMPLAINT_MS, LM_LOG_ERROR, "output",
                   "%s: the record that ends at byte %lld is lost: %s", name, (long long)end, error->text);
}

/* Sends the waiting record. HUNGRY: it is on its way, or was refused. */
static enum sh_pump send_waiting(struct sh_input *input)
{
    struct sh_output *output = input->output;
    struct lm_record record;
    struct lm_error error;
    struct sh_sent *sent;
    char key[17];
    int taken;

    lm_arena_reset(&output->arena);
    lm_buffer_clear(&output->value);
    output->value.failed = false;
    if (sh_parse(&input->waiting, &input->labels, &output->arena, &record, &error) != 0) {
        if (error.decision != LM_DEAD_LETTER) {
            return SH_PUMP_BLOCKED;
        }
        refuse(output, input->window.name, input->waiting.end, &error);
        input->has_waiting = false;
        return SH_PUMP_HUNGRY;
    }
    record.source = input->source;
    record.sequence = input->waiting.end;
    record.has_source = record.has_sequence = true;
    sent = sh_window_prepare(&input->window, input->waiting.end);
    if (!sent || lm_record_encode(&record, &output->value) != 0) {
        free(sent);
        return SH_PUMP_BLOCKED;
    }
    snprintf(key, sizeof(key), "%016llx", (unsigned long long)input->source);
    taken = lm_kafka_producer_send(output->producer,
                                   &(struct lm_kafka_message){.topic = output->topic,
                                                              .partition = RD_KAFKA_PARTITION_UA,
                                                              .key = key,
                                                              .key_len = sizeof(key) - 1,
                                                              .value = output->value.data,
                                                              .value_len = output->value.len,
                                                              .opaque = sent},
                                   &error);
    if (taken > 0) {
        free(sent);
        return SH_PUMP_BLOCKED;
    }
    input->has_waiting = false;
    if (taken < 0) {
        free(sent);
        refuse(output, input->window.name, input->waiting.end, &error);
        return SH_PUMP_HUNGRY;
    }
    sh_window_add(sent);
    output->sent++;
    lm_counter_add(output->records, 1);
    lm_counter_add(output->bytes, input->waiting.text.len);
    return SH_PUMP_HUNGRY;
}

static enum sh_pump flush_open(struct sh_input *input)
{
    if (sh_join_flush(&input->join, &input->waiting) == 0) {
        return SH_PUMP_HUNGRY;
    }
    input->has_waiting = true;
    return send_waiting(input);
}

enum sh_pump sh_input_pump(struct sh_input *input, bool at_end)
{
    enum sh_pump state;
    int joined;

    if (input->window.gap) {
        return SH_PUMP_GAP;
    }
    if (input->has_waiting && (state = send_waiting(input)) != SH_PUMP_HUNGRY) {
        return state;
    }
    while (input->has_line || sh_lines_next(&input->lines, at_end, &input->line) > 0) {
        input->has_line = true;
        if (input->is_cut && input->is_cut(input->line.start, input->context) &&
            (state = flush_open(input)) != SH_PUMP_HUNGRY) {
            return state;
        }
        joined = sh_join_line(&input->join, &input->line, &input->waiting);
        if (joined < 0) {
            return SH_PUMP_BLOCKED;
        }
        input->has_line = false;
        input->last_line_us = lm_clock_mono_us();
        if (joined > 0) {
            input->has_waiting = true;
            if ((state = send_waiting(input)) != SH_PUMP_HUNGRY) {
                return state;
            }
        }
    }
    return at_end ? flush_open(input) : SH_PUMP_HUNGRY;
}

enum sh_pump sh_input_tick(struct sh_input *input, int64_t now_us)
{
    enum sh_pump state = sh_input_pump(input, false);

    if (state != SH_PUMP_HUNGRY || !input->join.open ||
        now_us - input->last_line_us < input->output->config->join_wait * 1000) {
        return state;
    }
    if (input->cut && input->cut(input->join.end, input->context) != 0) {
        return SH_PUMP_BLOCKED;
    }
    return flush_open(input);
}

void sh_output_delivered(void *opaque, const struct lm_error *error, void *context)
{
    struct sh_output *output = context;
    struct sh_sent *sent = opaque;
    enum sh_fate fate = SH_DELIVERED;

    if (!error) {
        output->acknowledged++;
        output->no_topic = false;
    } else if (error->decision == LM_DEAD_LETTER && strcmp(error->kind, "unknown_topic") != 0) {
        fate = SH_REFUSED;
        output->sent--;
        refuse(output, sent->window->name, sent->end, error);
    } else {
        /* The producer was closed first, or there is no such topic: nothing is wrong with the record. */
        fate = SH_UNDELIVERED;
        output->sent--;
        if (error->decision == LM_DEAD_LETTER) {
            output->no_topic = true;
            lm_log_limited(&output->complaints, COMPLAINT_MS, LM_LOG_ERROR, "output",
                           "the topic %s does not exist: create it with `logmill-ctl topics create`",
                           output->topic);
        }
    }
    sh_window_end(sent, fate);
}
