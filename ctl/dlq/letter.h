/*
 * A dead letter as its message says: where it lies, where its record came from, what was wrong with it
 * (consumer/kafka/dead_letter.h writes it). Everything in it may be forged by whoever can write to the topic,
 * so every text is shown through ct_terminal_append_safe.
 */
#ifndef LOGMILL_CTL_DLQ_LETTER_H
#define LOGMILL_CTL_DLQ_LETTER_H

#include "common/arena.h"
#include "common/buffer.h"
#include "common/record/record_avro.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>

struct ct_letter {
    const rd_kafka_message_t *message;
    const char *topic; /* the dead-letter topic */
    int32_t partition;
    int64_t offset;
    int64_t time_us; /* when it was written; 0: unknown */

    bool has_origin; /* the next three were there and are well formed */
    struct lm_slice from_topic;
    int32_t from_partition;
    int64_t from_offset;
    int64_t from_time_us;                                      /* Kafka's time of the record; 0: unknown */
    struct lm_slice class, text, sqlstate, attempts, consumer; /* data NULL: no such header */
};

/* Points into the message, which stays the caller's. */
void ct_letter_read(const rd_kafka_message_t *message, struct ct_letter *out);

/* What is needed to decode values; freed with ct_letter_reader_free also when half opened. */
struct ct_letter_reader {
    struct lm_schema_set *schemas;
    struct lm_arena arena;
    struct lm_record record;
    struct lm_buffer text, decoded;
};
/* 0, or -1 without memory. */
int ct_letter_reader_init(struct ct_letter_reader *reader) LM_MUST_CHECK;
void ct_letter_reader_free(struct ct_letter_reader *reader);

/* One line: when, where it lies, where it came from, class, size, what was wrong, what the record says. */
void ct_letter_print_line(struct ct_letter_reader *reader, const struct ct_letter *letter, FILE *out);
/* The same as a JSON object on a line. `whole`: headers, key and value (base 16) too. */
void ct_letter_print_json(struct ct_letter_reader *reader, const struct ct_letter *letter, bool whole,
                          FILE *out);
/* Everything, over many lines. */
void ct_letter_print_whole(struct ct_letter_reader *reader, const struct ct_letter *letter, FILE *out);

#endif
