/* A record's text to the log record: JSON, log4j-style or plain, with the shipper's own answers for what it
 * does not say. */
#ifndef LOGMILL_PRODUCER_SHIP_PARSE_H
#define LOGMILL_PRODUCER_SHIP_PARSE_H

#include "common/arena.h"
#include "producer/ship/join.h"

struct sh_labels {
    enum lm_category category;
    const char *service, *environment, *log_type, *host; /* host may be NULL */
    const struct lm_config_list *tags;
    const char *path; /* of the file, NULL for standard input; goes to metadata as "file" */
    bool utc;
};

/*
 * Fills and completes `record`; texts point into the entry and into `arena`. What is not UTF-8 is repaired
 * with U+FFFD, a NUL becomes U+FFFD too. A JSON object that is no record, or a line that does not parse,
 * becomes a plain record with the line as its message. 0, or -1 when the arena is full or the record can
 * never be stored (`error` says which).
 */
int sh_parse(const struct sh_entry *entry, const struct sh_labels *labels, struct lm_arena *arena,
             struct lm_record *record, struct lm_error *error) LM_MUST_CHECK;

#endif
