/*
 * The poll reads one row, count and sum of all versions; only when that has changed are the hours read again.
 * So a quiet second costs one small aggregate, and a busy one a row an hour.
 */
#include "agent/cache/epochs.h"

#include "agent/database/execute.h"
#include "common/clock.h"
#include "common/log.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define IDLE_AFTER_US (60 * LM_SECOND_US)
#define STALE_AFTER_US (3 * LM_SECOND_US)
#define MAX_HOURS 200000

struct hour {
    int64_t start_us;
    struct ag_version version;
};

struct ag_epochs {
    struct ag_epochs_options options;
    uv_timer_t timer;
    bool polling; /* the timer runs */
    struct ag_execution *execution;
    bool reading;
    unsigned generation;     /* of the reads that `hours` is from, or of the poll under way */
    struct ag_version total; /* what `hours` was read at */
    struct ag_version seen;  /* of the poll under way */
    struct hour *hours;      /* ascending */
    size_t hour_count;
    bool known;
    int64_t polled_us; /* monotonic */
    int64_t asked_us;
    void (*closed)(void *context);
    void *closed_context;
};

static const char total_sql[] = "SELECT count(*), coalesce(sum(version), 0)::bigint FROM data_epoch";
static const char hours_sql[] =
    "SELECT (extract(epoch FROM hour) * 1000000)::bigint, count(*), sum(version)::bigint "
    "FROM data_epoch GROUP BY hour ORDER BY hour";

static int64_t number(const char *text)
{
    return text != NULL ? strtoll(text, NULL, 10) : 0;
}

static int64_t hour_floor(int64_t us)
{
    const int64_t rest = us % LM_HOUR_US;
    return us - (rest < 0 ? rest + LM_HOUR_US : rest);
}

static void end_poll(struct ag_epochs *epochs, bool good)
{
    epochs->reading = false;
    epochs->execution = NULL;
    if (good) {
        epochs->known = true;
        epochs->polled_us = lm_clock_mono_us();
    }
}

static void run(struct ag_epochs *epochs, const char *sql, size_t columns, size_t rows, ag_execute_done done)
{
    struct lm_error error;
    const struct ag_statement statement = {
        .sql = sql, .columns = columns, .max_rows = rows, .max_bytes = (size_t)32 << 20, .timeout_ms = 5000};
    if (ag_reads_generation(epochs->options.reads) != epochs->generation) {
        end_poll(epochs, false); /* another server is read now */
        return;
    }
    if (ag_execute(ag_reads_pool(epochs->options.reads), &statement, done, epochs, &epochs->execution,
                   &error) != 0) {
        end_poll(epochs, false);
    }
}

static void on_hours(struct ag_fetched *fetched, const struct lm_error *error, void *context)
{
    struct ag_epochs *epochs = context;
    (void)error;
    struct hour *hours = fetched != NULL ? malloc((fetched->rows + 1) * sizeof(*hours)) : NULL;
    if (hours == NULL) {
        ag_fetched_free(fetched);
        end_poll(epochs, false);
        return;
    }
    for (size_t i = 0; i < fetched->rows; i++) {
        const char *const *cells = fetched->cells + i * fetched->columns;
        hours[i] = (struct hour){number(cells[0]), {number(cells[1]), number(cells[2])}};
    }
    free(epochs->hours);
    epochs->hours = hours;
    epochs->hour_count = fetched->rows;
    /* Read after the total: at least as new as it. If newer, the next poll finds another total and reads
     * again. */
    epochs->total = epochs->seen;
    ag_fetched_free(fetched);
    end_poll(epochs, true);
}

static void on_total(struct ag_fetched *fetched, const struct lm_error *error, void *context)
{
    struct ag_epochs *epochs = context;
    (void)error;
    if (fetched == NULL || fetched->rows != 1) {
        ag_fetched_free(fetched);
        end_poll(epochs, false);
        return;
    }
    epochs->seen = (struct ag_version){number(fetched->cells[0]), number(fetched->cells[1])};
    ag_fetched_free(fetched);
    if (epochs->known && epochs->seen.count == epochs->total.count && epochs->seen.sum == epochs->total.sum) {
        end_poll(epochs, true);
        return;
    }
    run(epochs, hours_sql, 3, MAX_HOURS, on_hours);
}

static void on_timer(uv_timer_t *timer)
{
    struct ag_epochs *epochs = timer->data;
    if (lm_clock_mono_us() - epochs->asked_us > IDLE_AFTER_US) {
        uv_timer_stop(timer);
        epochs->polling = false;
        return;
    }
    if (!epochs->reading) {
        const unsigned generation = ag_reads_generation(epochs->options.reads);
        epochs->known = epochs->known && generation == epochs->generation;
        epochs->generation = generation;
        epochs->reading = true;
        run(epochs, total_sql, 2, 1, on_total);
    }
}

static void add_span(const struct ag_epochs *epochs, int64_t from_us, int64_t to_us, struct ag_version *out)
{
    if (from_us >= to_us) {
        return;
    }
    for (size_t i = 0; i < epochs->hour_count; i++) {
        const int64_t start = epochs->hours[i].start_us;
        if (start >= to_us) {
            break;
        }
        if (from_us == INT64_MIN || start >= hour_floor(from_us)) {
            out->count += epochs->hours[i].version.count;
            out->sum += epochs->hours[i].version.sum;
        }
    }
}

bool ag_epochs_version(struct ag_epochs *epochs, const struct ag_spans *spans, struct ag_version *out)
{
    const int64_t now = lm_clock_mono_us();
    epochs->asked_us = now;
    if (!epochs->polling) {
        epochs->polling = true;
        uv_timer_start(&epochs->timer, on_timer, 0, epochs->options.poll_ms);
    }
    if (!epochs->known || epochs->generation != ag_reads_generation(epochs->options.reads) ||
        now - epochs->polled_us > STALE_AFTER_US) {
        return false;
    }
    *out = (struct ag_version){0, 0};
    add_span(epochs, spans->from_us, spans->to_us, out);
    add_span(epochs, spans->against_from_us, spans->against_to_us, out);
    return true;
}

static void write_span(int64_t from_us, int64_t to_us, struct lm_buffer *out)
{
    char text[LM_RFC3339_SIZE];
    if (from_us != INT64_MIN) {
        lm_rfc3339_format(hour_floor(from_us), text);
        lm_buffer_printf(out, "hour >= '%s' AND ", text);
    }
    lm_rfc3339_format(to_us, text);
    lm_buffer_printf(out, "hour < '%s'", text);
}

/* Hours in both spans count twice, as in add_span: hence a sum over two selections and not one condition. */
void ag_epochs_write_sql(const struct ag_spans *spans, struct lm_buffer *out)
{
    lm_buffer_append_text(
        out, "count(*), coalesce(sum(version), 0)::bigint FROM (SELECT version FROM data_epoch WHERE ");
    write_span(spans->from_us, spans->to_us, out);
    if (spans->against_from_us < spans->against_to_us) {
        lm_buffer_append_text(out, " UNION ALL SELECT version FROM data_epoch WHERE ");
        write_span(spans->against_from_us, spans->against_to_us, out);
    }
    lm_buffer_append_text(out, ") AS versions");
}

int ag_epochs_open(const struct ag_epochs_options *options, struct ag_epochs **out, struct lm_error *error)
{
    struct ag_epochs *epochs = calloc(1, sizeof(*epochs));
    if (epochs == NULL) {
        return lm_error_set(error, LM_FATAL, "memory", "out of memory for the data epochs");
    }
    epochs->options = *options;
    (void)uv_timer_init(options->loop, &epochs->timer);
    epochs->timer.data = epochs;
    *out = epochs;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct ag_epochs *epochs = handle->data;
    void (*closed)(void *) = epochs->closed;
    void *context = epochs->closed_context;
    free(epochs->hours);
    free(epochs);
    if (closed != NULL) {
        closed(context);
    }
}

void ag_epochs_close(struct ag_epochs *epochs, void (*closed)(void *context), void *context)
{
    epochs->closed = closed;
    epochs->closed_context = context;
    if (epochs->execution != NULL) {
        ag_execute_cancel(epochs->execution);
    }
    uv_close((uv_handle_t *)&epochs->timer, on_closed);
}
