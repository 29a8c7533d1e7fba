/*
 * Stands in for a partition's queue in librdkafka: its messages come in the order of their offsets, from 0,
 * and what is given back is counted. One queue a program; link with FAKE_QUEUE (--wrap; CMakeLists.txt).
 */
#ifndef LOGMILL_TESTS_CONSUMER_FAKE_QUEUE_H
#define LOGMILL_TESTS_CONSUMER_FAKE_QUEUE_H

#include <stddef.h>

enum { FAKE_QUEUE_SIZE = 160 };

/* No message, and none handed out. */
void fake_queue_clear(void);
/* `text` is the value, not copied; Kafka's time is a millisecond an offset from 1,700,000,000,000 ms. */
void fake_queue_add(const char *text);
/* From the first message again. */
void fake_queue_rewind(void);
/* How often messages were handed out and not given back; giving back what was not handed out fails the test.
 */
int fake_queue_held(void);

#endif
