#include "consumer/batch/window.h"

#include "common/clock.h"

/* What timestamptz holds reaches from 4714 BC to 294277 AD; beyond the year 9999 nothing that reads a date
 * goes along. */
#define EARLIEST_US INT64_C(-210866803200000000)
#define LATEST_US INT64_C(253402300799999999)

int co_window_check(const struct co_window *window, int64_t timestamp_us, int64_t now_us,
                    struct lm_error *error)
{
    char text[LM_RFC3339_SIZE];

    if (timestamp_us < EARLIEST_US || timestamp_us > LATEST_US)
        return lm_error_set(error, LM_DEAD_LETTER, "timestamp",
                            "the timestamp, %lld µs since 1970, is no date that can be stored",
                            (long long)timestamp_us);
    if (timestamp_us < now_us - window->past_us) {
        (void)lm_rfc3339_format(timestamp_us, text);
        return lm_error_set(error, LM_DEAD_LETTER, "time_window",
                            "the timestamp %s is older than the %lld days accepted for this category", text,
                            (long long)(window->past_us / LM_DAY_US));
    }
    if (timestamp_us > now_us + window->future_us) {
        (void)lm_rfc3339_format(timestamp_us, text);
        return lm_error_set(error, LM_DEAD_LETTER, "time_window",
                            "the timestamp %s is more than %lld minutes ahead of the clock", text,
                            (long long)(window->future_us / LM_MINUTE_US));
    }
    return 0;
}
