/*
 * A producer, whatever brokers it is given, and what came of each message: every one must end in exactly one
 * callback, which the closing counts. A test that hangs dies with SIGALRM.
 */
#ifndef LOGMILL_TESTS_KAFKA_FIXTURE_H
#define LOGMILL_TESTS_KAFKA_FIXTURE_H

#include "common/kafka/kafka_producer.h"

#include <stdbool.h>

enum { FIXTURE_SENT = 20000 };

struct fixture {
    uv_loop_t loop;
    char brokers[512], topic[64]; /* the test's to fill */
    struct lm_kafka_producer *producer;
    struct lm_metrics *metrics;
    size_t sent, delivered, dead, unknown, done, rooms, closed;
    unsigned char calls[FIXTURE_SENT]; /* callbacks of each message */
    struct lm_error error;             /* the last one */
    bool close_in_callback, send_in_callback;
};

/* Part of a larger struct of the test's: 0, or -1. The end closes the producer too and fails if anything is
 * left on the loop or a message was not called back once. */
int fixture_begin(struct fixture *f);
int fixture_end(struct fixture *f);

/* Opens f->producer; loop, brokers and callbacks are filled in. */
void open_with(struct fixture *f, struct lm_kafka_producer_options options);
void wait_until(struct fixture *f, const size_t *what, size_t value);
/* As lm_kafka_producer_send; what is taken is counted in f->sent. */
int try_send(struct fixture *f, const struct lm_kafka_message *from);
/* Must be taken. NULL: no key, no value. */
void send_text(struct fixture *f, const char *key, const char *value);
/* The numbers in [from, to) as texts, all with one key. */
void send_numbers(struct fixture *f, int from, int to);

/* What is called back; each takes the fixture as its context. */
void on_delivered(void *opaque, const struct lm_error *error, void *context);
void on_closed(void *context);

/* Reads the topic's partition 0 from its beginning to its end; calls `seen` for each message. How many. */
size_t read_back(struct fixture *f, void (*seen)(const rd_kafka_message_t *, size_t, void *), void *context);

/* Of numbers read back: repeats are allowed, gaps and steps back to something new are not. */
struct order {
    int next;
    size_t repeats;
};
/* For read_back; `context` is a zeroed struct order. */
void check_order(const rd_kafka_message_t *message, size_t index, void *context);

#endif
