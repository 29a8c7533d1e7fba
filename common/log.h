/*
 * The programs' own log: one line an event to standard error, readable on a terminal, one JSON object
 * otherwise (the field names of the log record, so that logmill-ship takes it as it is). Never blocks on
 * anything but the descriptor itself, never fails its caller, allocates nothing, leaves errno alone. Any
 * thread.
 *
 * A line is one write(2) of at most 4,096 bytes, which a pipe takes as one piece: lines of threads and of
 * processes sharing a pipe never mix. A longer message is cut and ends in "…". Invalid UTF-8 becomes U+FFFD.
 */
#ifndef LOGMILL_COMMON_LOG_H
#define LOGMILL_COMMON_LOG_H

#include "common/error.h"

#include <stdint.h>

enum lm_log_level { LM_LOG_DEBUG, LM_LOG_INFO, LM_LOG_WARN, LM_LOG_ERROR, LM_LOG_FATAL };

/* Once, before the first line: `service` is the program's name ("logmill-consumer"), kept by pointer. Decides
 * by standard error being a terminal which of the two forms is written; colour unless NO_COLOR is set or TERM
 * is "dumb". Before it, lines go out as service "logmill" from level info on. */
void lm_log_open(const char *service, enum lm_log_level threshold);
void lm_log_set_threshold(enum lm_log_level threshold);

/* `component` names the module ("batch", "postgres"); NULL for none. */
void lm_log(enum lm_log_level level, const char *component, const char *format, ...) LM_PRINTF(3, 4);
/* The same with an error's kind and sqlstate as fields of their own (error_type, and sqlstate under metadata)
 * and the error's text after the message: "message: text". NULL or an empty error: as lm_log. */
void lm_log_error(enum lm_log_level level, const char *component, const struct lm_error *error,
                  const char *format, ...) LM_PRINTF(4, 5);
/* What is repeated is said once, and then so often with how many were left out. */
#define LM_LOG_AGAIN_MS 60000
/* At most one line in `interval_ms` for each limit, which starts zeroed ({0}, one for each call site); the
 * next line says how many were left out. Threads may share a limit. */
struct lm_log_limit {
    int64_t last_us; /* monotonic time of the last line */
    unsigned suppressed;
};
void lm_log_limited(struct lm_log_limit *limit, unsigned interval_ms, enum lm_log_level level,
                    const char *component, const char *format, ...) LM_PRINTF(5, 6);

#endif
