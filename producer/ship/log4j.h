/*
 * Lines as log4j, logback, slf4j and their kin write them: a time first, then in any order thread, level and
 * logger, then the message. Lines that begin otherwise continue the record: stack traces, wrapped messages.
 *
 *     [2016-12-19 16:04:03,213] INFO Rolled new log segment (kafka.log.Log)
 *     2026-11-21 09:04:43.479 [main] ERROR kafka.server.KafkaServer - message
 *     2026-11-21T09:04:43.479+09:00  WARN 1 --- [nio-8080] c.e.shop.Cart : message
 */
#ifndef LOGMILL_PRODUCER_SHIP_LOG4J_H
#define LOGMILL_PRODUCER_SHIP_LOG4J_H

#include "common/record/record.h"

struct sh_log4j {
    int64_t timestamp_us;
    bool has_level;
    enum lm_level level;
    struct lm_slice logger; /* data NULL where there is none */
    struct lm_slice thread;
    struct lm_slice message; /* of the first line */
};

/* Length of the time that the line begins with (with its brackets), and the instant; 0 where it begins with
 * none. `utc`: a time without an offset is UTC, else in the process's zone. */
size_t sh_log4j_time(const char *line, size_t len, bool utc, int64_t *us);

/* Reads the first line of a record. 0, or -1 where it does not begin with a time. */
int sh_log4j_parse(const char *line, size_t len, bool utc, struct sh_log4j *out) LM_MUST_CHECK;

/* The exception named in a record's further lines ("java.io.IOException: …" gives java.io.IOException), or an
 * empty slice. */
struct lm_slice sh_log4j_exception(const char *text, size_t len);

#endif
