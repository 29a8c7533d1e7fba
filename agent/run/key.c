/*
 * The key of a cached answer and how long it is good. An open window (one that ends now) is asked for in
 * buckets: the bucket stands in the key only, the SQL runs to now. A closed window (it ended before the
 * current hour) stands in the key with its bounds and is good while the versions of its hours hold.
 */
#include "agent/run/run.h"

#include "common/clock.h"

#include <inttypes.h>
#include <openssl/evp.h>

#define FORMAT 3
#define LIST_US (2 * LM_SECOND_US)

static int64_t bucket_width(int64_t window_us)
{
    if (window_us <= 15 * LM_MINUTE_US) {
        return 5 * LM_SECOND_US;
    }
    if (window_us <= LM_HOUR_US) {
        return 10 * LM_SECOND_US;
    }
    return window_us <= LM_DAY_US ? 60 * LM_SECOND_US : 5 * LM_MINUTE_US;
}

static bool is_closed(const struct ag_run *run)
{
    const int64_t hour = run->wall_us - run->wall_us % LM_HOUR_US;
    return run->sql.to_us <= hour &&
           (run->sql.against_from_us >= run->sql.against_to_us || run->sql.against_to_us <= hour);
}

/* What differs between agents that share a cache: the database, and settings that answers depend on. */
static void write_shared(const struct ag_run *run, struct lm_buffer *out)
{
    const struct ag_config *config = run->runs->config;
    lm_buffer_printf(out, "%s %" PRId64 " %" PRId64 " %" PRId64 "|", run->kept.database,
                     config->scan_window_ms, config->longest_window_ms, config->behind_after_ms);
    for (size_t i = 0; run->caller->sight->mask != NULL && i < config->mask.count; i++) {
        lm_buffer_printf(out, "%s|", config->mask.items[i]);
    }
}

void ag_run_make_key(struct ag_run *run)
{
    struct lm_buffer text;
    lm_buffer_init(&text, 64u << 10);
    run->closed_window = is_closed(run);
    lm_buffer_printf(&text, "%d|%s|%s|%s|%s|%d|%d|%d|", FORMAT, LOGMILL_VERSION,
                     run->asking.asked ? "llm" : "builtin", run->intent_text, run->request.zone,
                     run->request.max_results, (int)run->request.max_results_stated,
                     (int)run->kept.services_overflowed);
    lm_buffer_printf(&text, "%s %" PRId64 " %d|", run->caller->sight->role, run->caller->sight->version,
                     (int)(run->caller->sight->mask != NULL));
    write_shared(run, &text);
    if (run->request.now_given) {
        lm_buffer_printf(&text, "now %" PRId64 "|", run->request.now_us);
    }
    if (run->closed_window) {
        run->until_us = 0;
        lm_buffer_printf(&text, "%" PRId64 " %" PRId64 " %" PRId64 " %" PRId64, run->sql.from_us,
                         run->sql.to_us, run->sql.against_from_us, run->sql.against_to_us);
    } else {
        /* A count of the last hour begins with a second: it is no longer than an hour for that. */
        const int64_t window_us = run->sql.to_us - run->sql.from_us;
        const int64_t width = bucket_width(window_us - window_us % LM_SECOND_US);
        int64_t left = width - run->wall_us % width;
        if (run->sql.lists_rows && left > LIST_US) {
            left = LIST_US;
        }
        run->until_us = run->started_us + left;
        lm_buffer_printf(&text, "bucket %" PRId64 " of %" PRId64, run->wall_us / width, width);
    }
    run->keyed = lm_buffer_text(&text) != NULL &&
                 EVP_Digest(text.data, text.len, run->key, NULL, EVP_sha256(), NULL) == 1;
    lm_buffer_free(&text);
}
