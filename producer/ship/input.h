/*
 * One input on its way to Kafka: bytes in, lines, records, messages out, the delivered offset back. Standard
 * input and every file have one; they differ in where the bytes come from.
 *
 * Nothing is read ahead of what Kafka takes: when the producer is full the record waits here and
 * sh_input_pump says so.
 */
#ifndef LOGMILL_PRODUCER_SHIP_INPUT_H
#define LOGMILL_PRODUCER_SHIP_INPUT_H

#include "common/kafka/kafka_producer.h"
#include "common/log.h"
#include "common/metrics.h"
#include "producer/ship/join.h"
#include "producer/ship/parse.h"
#include "producer/ship/window.h"

/* What all inputs share. */
struct sh_output {
    struct lm_kafka_producer *producer;
    const struct sh_config *config;
    char *topic;
    const char *host;
    struct lm_arena arena;
    struct lm_buffer value;
    struct lm_counter *records, *bytes, *refused;
    struct lm_log_limit complaints;
    /* Of the records given to the producer: those it gave back to go again do not count as sent. */
    uint64_t sent, acknowledged;
    uint64_t lost; /* records refused for good, and reads of what cannot be read twice that failed */
    bool no_topic; /* Kafka says that the topic does not exist */
};

struct sh_input {
    struct sh_output *output;
    struct sh_labels labels;
    char *service; /* owned; labels.service */
    int64_t source;
    struct sh_lines lines;
    struct sh_join join;
    struct sh_window window;
    struct sh_entry waiting; /* a record the producer had no room for */
    bool has_waiting;
    struct sh_line line; /* a line the join had no memory for */
    bool has_line;
    int64_t last_line_us; /* monotonic, when the last line came */
    /* Whether a record must end at that offset, and: one will end there because its wait is over (0, or -1:
     * not now). */
    bool (*is_cut)(int64_t offset, void *context);
    int (*cut)(int64_t offset, void *context);
    void *context;
};

enum sh_pump {
    SH_PUMP_HUNGRY,  /* all that was given is sent, but for a record that waits for its continuation */
    SH_PUMP_BLOCKED, /* no room in the producer, or no memory: again later */
    SH_PUMP_GAP      /* a record must go again: nothing more is sent behind it */
};

/* `service`: of records that name none. `path`: of the file, kept by pointer, or NULL. `offset`: of the first
 * byte to come. */
int sh_input_init(struct sh_input *input, struct sh_output *output, const char *service, const char *path,
                  int64_t source, int64_t offset, struct lm_error *error) LM_MUST_CHECK;
void sh_input_free(struct sh_input *input);
/* 0, or -1 without memory: give the bytes again later. Only after a pump that was hungry. */
int sh_input_add(struct sh_input *input, const char *data, size_t len) LM_MUST_CHECK;
/* Sends what can be sent. `at_end`: no more bytes will come; the last line needs no line end and no record
 * waits. */
enum sh_pump sh_input_pump(struct sh_input *input, bool at_end);
/* Sends the record that has waited for continuation lines longer than join_wait. */
enum sh_pump sh_input_tick(struct sh_input *input, int64_t now_us);
/* The delivery callback of the producer that all inputs share; its context is the sh_output. */
void sh_output_delivered(void *opaque, const struct lm_error *error, void *context);

#endif
