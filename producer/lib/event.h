/* From the arguments of a log call to the encoded record. */
#ifndef LOGMILL_PRODUCER_LIB_EVENT_H
#define LOGMILL_PRODUCER_LIB_EVENT_H

#include "common/buffer.h"
#include "common/record/record.h"
#include "producer/lib/logmill.h"

struct pl_event {
    enum logmill_category category;
    enum logmill_level level;
    int64_t timestamp_us;
    const char *message;
    const struct logmill_field *fields;
    size_t field_count;
};

/* What every record of a client starts from. */
struct pl_defaults {
    const char *service, *environment, *log_type, *host;
    int64_t source;
};

/*
 * Fills `record` from the client's defaults and the event's fields, and checks it; texts point into the
 * arguments and into `arena`. LOGMILL_OK, LOGMILL_INVALID or LOGMILL_NOMEM.
 */
int pl_event_record(const struct pl_event *event, const struct pl_defaults *defaults, struct lm_arena *arena,
                    struct lm_record *record) LOGMILL_CHECKED;

#endif
