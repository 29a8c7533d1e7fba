/*
 * A reading has two steps: how many names there are (names are only ever added, retention takes some away),
 * and only when that has changed, or the copy is a minute old, all of them. The new catalogue is made beside
 * the old one and swapped in; questions under way keep the one they hold.
 */
#include "agent/catalogue/names.h"

#include "agent/database/execute.h"
#include "common/clock.h"
#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FULL_EVERY_US (60 * LM_SECOND_US)
#define YOUNG_US LM_SECOND_US
#define FIRST_AGAIN_MS 50
#define MAX_NAMES 1000000
#define MAX_SAMPLE 50000
#define MAX_BYTES ((size_t)64 << 20)

struct ag_names {
    struct ag_names_options options;
    struct ag_names_copy *copy;
    struct ag_kept kept;
    uv_timer_t timer;
    struct ag_execution *execution;
    bool reading;
    unsigned generation; /* of the reading under way */
    int64_t counted;     /* what the last full reading was made from */
    int64_t read_us;     /* monotonic; when the copy was last known to be current */
    int64_t full_us;
    struct ag_samples *samples; /* NULL: none were taken yet */
    int64_t sampled_us;
    struct ag_names_waiter *first;
    void (*closed)(void *context);
    void *closed_context;
    struct lm_gauge *count_gauge;
    struct lm_log_limit complaint;
};

static const char count_sql[] =
    "SELECT count(*) AS n, coalesce(bool_or(kind = 'service' AND value = '(other)'), false) AS other, "
    "(extract(epoch FROM min(first_seen)) * 1000000)::bigint AS oldest FROM log_name";
static const char names_sql[] = "SELECT kind, value, sum(n)::bigint AS n FROM log_name GROUP BY kind, value";

/* Of the newest two days and the newest half hour, the first rows that come: no order, so that no more is
 * read. */
static const char sample_sql[] =
    "WITH r AS MATERIALIZED ("
    "(SELECT user_id, session_id, page_path, error_code, tags, metadata FROM logs "
    "WHERE created_at >= (SELECT max(last_seen) - interval '2 days' FROM log_name) LIMIT 3000) UNION ALL "
    "(SELECT user_id, session_id, page_path, error_code, tags, metadata FROM logs "
    "WHERE created_at >= (SELECT max(last_seen) - interval '30 minutes' FROM log_name) LIMIT 3000)) "
    "SELECT DISTINCT 'user_id', NULL, regexp_replace(user_id, '[0-9]+', '#', 'g') FROM r "
    "WHERE user_id IS NOT NULL UNION ALL "
    "SELECT DISTINCT 'session_id', NULL, regexp_replace(session_id, '[0-9]+', '#', 'g') FROM r "
    "WHERE session_id IS NOT NULL UNION ALL "
    "SELECT DISTINCT 'page_path', NULL, page_path FROM r WHERE page_path IS NOT NULL UNION ALL "
    "SELECT DISTINCT 'error_code', NULL, error_code FROM r WHERE error_code IS NOT NULL UNION ALL "
    "SELECT DISTINCT 'tag', NULL, t FROM r, unnest(tags) AS t UNION ALL "
    "SELECT DISTINCT 'metadata', m.key, m.value FROM r, jsonb_each_text(metadata) AS m WHERE length(m.value) "
    "<= 64";

const char *const ag_categories[AG_CATEGORY_COUNT] = {"raw", "summary", "training", "tagged"};

static const char since_sql[] =
    "SELECT category::text, least((extract(epoch FROM r.since) * 1000000)::numeric, "
    "9000000000000000000)::bigint, (extract(epoch FROM c.since) * 1000000)::bigint "
    "FROM rows_since r FULL JOIN counts_since c USING (category)";

/* The cluster, its history (a restore to a point in time begins another), and the database in it. */
static const char database_sql[] =
    "SELECT s.system_identifier || '/' || c.timeline_id || '/' || d.oid FROM pg_control_system() s, "
    "pg_control_checkpoint() c, pg_database d WHERE d.datname = current_database()";

static void on_timer(uv_timer_t *timer);
static void on_names(struct ag_fetched *fetched, const struct lm_error *error, void *context);
static void on_sample(struct ag_fetched *fetched, const struct lm_error *error, void *context);
static void on_since(struct ag_fetched *fetched, const struct lm_error *error, void *context);
static void on_database(struct ag_fetched *fetched, const struct lm_error *error, void *context);
static void run(struct ag_names *names, const char *sql, size_t columns, size_t max_rows,
                ag_execute_done done);

static struct ag_names_copy *new_copy(void)
{
    struct ag_names_copy *copy = calloc(1, sizeof(*copy));
    if (copy == NULL) {
        return NULL;
    }
    copy->holders = 1;
    copy->catalogue = ag_catalogue_new();
    if (copy->catalogue == NULL) {
        free(copy);
        return NULL;
    }
    return copy;
}

struct ag_names_copy *ag_names_hold(struct ag_names *names)
{
    names->copy->holders++;
    return names->copy;
}

void ag_names_drop(struct ag_names_copy *copy)
{
    if (copy != NULL && --copy->holders == 0) {
        ag_catalogue_free(copy->catalogue);
        free(copy);
    }
}

bool ag_names_known(const struct ag_names *names)
{
    return names->read_us != 0;
}

struct ag_kept ag_names_kept(const struct ag_names *names)
{
    return names->kept;
}

static void unlink_waiter(struct ag_names *names, struct ag_names_waiter *waiter)
{
    *(waiter->previous != NULL ? &waiter->previous->next : &names->first) = waiter->next;
    if (waiter->next != NULL) {
        waiter->next->previous = waiter->previous;
    }
    waiter->next = waiter->previous = NULL;
    waiter->waiting = false;
}

static void end_reading(struct ag_names *names, const struct lm_error *error)
{
    names->reading = false;
    names->execution = NULL;
    if (error != NULL) {
        names->counted = -1;
        names->kept.database[0] = '\0';
        if (names->read_us == 0) {
            /* Not even the first reading: the connections are still being made. */
            uv_timer_start(&names->timer, on_timer, FIRST_AGAIN_MS, names->options.refresh_ms);
        }
        lm_log_limited(&names->complaint, LM_LOG_AGAIN_MS, names->read_us == 0 ? LM_LOG_DEBUG : LM_LOG_WARN,
                       "names", "the names in the data could not be read: %s", error->text);
    } else {
        names->read_us = lm_clock_mono_us();
        if (names->options.condition != NULL) {
            lm_condition_set(names->options.condition, NULL);
        }
    }
    while (names->first != NULL) {
        struct ag_names_waiter *waiter = names->first;
        unlink_waiter(names, waiter);
        waiter->read(waiter->context);
    }
}

static int fill(struct ag_catalogue *catalogue, const struct ag_fetched *fetched, const struct ag_mask *mask)
{
    for (size_t i = 0; i < fetched->rows; i++) {
        const char *const *cells = fetched->cells + i * fetched->columns;
        const int kind = cells[0] != NULL ? ag_kind_from_name(cells[0]) : -1;
        if (kind >= 0 && cells[1] != NULL && !ag_mask_name(mask, (enum ag_kind)kind, cells[1]) &&
            ag_catalogue_add(catalogue, (enum ag_kind)kind, cells[1],
                             cells[2] ? strtoll(cells[2], NULL, 10) : 0) != 0) {
            return -1;
        }
    }
    return ag_catalogue_seal(catalogue);
}

static struct ag_samples *samples_of(const struct ag_fetched *fetched, const struct ag_mask *mask)
{
    struct ag_samples *samples = ag_samples_new();
    for (size_t i = 0; samples != NULL && i < fetched->rows; i++) {
        const char *const *cells = fetched->cells + i * fetched->columns;
        const enum ag_field field = cells[0] != NULL ? ag_field_named(cells[0]) : AG_NO_FIELD;
        if (field != AG_NO_FIELD && cells[2] != NULL && !ag_mask_field(mask, field, cells[1]) &&
            ag_samples_add(samples, field, cells[1], cells[2]) != 0) {
            ag_samples_drop(samples);
            return NULL;
        }
    }
    if (samples != NULL && ag_samples_seal(samples) != 0) {
        ag_samples_drop(samples);
        return NULL;
    }
    return samples;
}

/* A sample that could not be taken leaves the one before: names are read all the same. */
static void on_sample(struct ag_fetched *fetched, const struct lm_error *error, void *context)
{
    struct ag_names *names = context;
    struct ag_samples *samples = fetched != NULL ? samples_of(fetched, names->options.mask) : NULL;
    if (fetched == NULL && error->decision == LM_RETRY) {
        end_reading(names, error);
        return;
    }
    ag_fetched_free(fetched);
    names->sampled_us = lm_clock_mono_us();
    if (samples != NULL) {
        ag_samples_drop(names->samples);
        names->samples = samples;
    }
    run(names, names_sql, 3, MAX_NAMES, on_names);
}

static void on_names(struct ag_fetched *fetched, const struct lm_error *error, void *context)
{
    struct ag_names *names = context;
    struct lm_error memory;
    if (fetched == NULL) {
        end_reading(names, error);
        return;
    }
    struct ag_names_copy *copy = new_copy();
    if (copy == NULL || fill(copy->catalogue, fetched, names->options.mask) != 0) {
        ag_names_drop(copy);
        ag_fetched_free(fetched);
        lm_error_set(&memory, LM_RETRY, "memory", "out of memory for the names");
        end_reading(names, &memory);
        return;
    }
    ag_catalogue_set_samples(copy->catalogue, names->samples);
    ag_names_drop(names->copy);
    copy->generation = names->generation;
    names->copy = copy;
    names->full_us = lm_clock_mono_us();
    lm_gauge_set(names->count_gauge, (double)fetched->rows);
    ag_fetched_free(fetched);
    run(names, since_sql, 3, AG_CATEGORY_COUNT, on_since);
}

static void run(struct ag_names *names, const char *sql, size_t columns, size_t max_rows,
                ag_execute_done done)
{
    struct lm_error error;
    const struct ag_statement statement = {.sql = sql,
                                           .role = names->options.role,
                                           .columns = columns,
                                           .max_rows = max_rows,
                                           .max_bytes = MAX_BYTES,
                                           .timeout_ms = 10000};
    if (ag_reads_generation(names->options.reads) != names->generation) {
        lm_error_set(&error, LM_RETRY, "unavailable", "another server is read now");
        end_reading(names, &error);
        return;
    }
    if (ag_execute(ag_reads_pool(names->options.reads), &statement, done, names, &names->execution, &error) !=
        0) {
        end_reading(names, &error);
    }
}

static int64_t since(const char *cell)
{
    return cell != NULL ? strtoll(cell, NULL, 10) : INT64_MIN;
}

static void forget_since(struct ag_kept *kept)
{
    for (size_t i = 0; i < AG_CATEGORY_COUNT; i++) {
        kept->rows_since_us[i] = kept->counts_since_us[i] = INT64_MIN;
    }
}

static void on_since(struct ag_fetched *fetched, const struct lm_error *error, void *context)
{
    struct ag_names *names = context;
    if (fetched == NULL) {
        end_reading(names, error);
        return;
    }
    forget_since(&names->kept);
    for (size_t row = 0; row < fetched->rows; row++) {
        const char *const *cells = fetched->cells + row * fetched->columns;
        for (size_t i = 0; i < AG_CATEGORY_COUNT; i++) {
            if (cells[0] != NULL && strcmp(cells[0], ag_categories[i]) == 0) {
                names->kept.rows_since_us[i] = since(cells[1]);
                names->kept.counts_since_us[i] = since(cells[2]);
            }
        }
    }
    ag_fetched_free(fetched);
    run(names, database_sql, 1, 1, on_database);
}

/* Where it may not be asked, answers are not shared with other agents, and that is all. */
static void on_database(struct ag_fetched *fetched, const struct lm_error *error, void *context)
{
    struct ag_names *names = context;
    const char *database = fetched != NULL && fetched->rows == 1 ? fetched->cells[0] : NULL;
    if (fetched == NULL && error->decision == LM_RETRY) {
        end_reading(names, error);
        return;
    }
    snprintf(names->kept.database, sizeof(names->kept.database), "%s", database != NULL ? database : "");
    ag_fetched_free(fetched);
    end_reading(names, NULL);
}

static void on_count(struct ag_fetched *fetched, const struct lm_error *error, void *context)
{
    struct ag_names *names = context;
    if (fetched == NULL) {
        end_reading(names, error);
        return;
    }
    const char *const count = fetched->rows == 1 ? fetched->cells[0] : NULL;
    const int64_t counted = count != NULL ? strtoll(count, NULL, 10) : 0;
    names->kept.services_overflowed = count != NULL && strcmp(fetched->cells[1], "t") == 0;
    names->kept.oldest_us = count != NULL ? since(fetched->cells[2]) : INT64_MIN;
    ag_fetched_free(fetched);
    if (counted == names->counted && names->copy->generation == names->generation &&
        lm_clock_mono_us() - names->full_us < FULL_EVERY_US) {
        end_reading(names, NULL);
        return;
    }
    names->counted = counted;
    if (names->sampled_us == 0 || lm_clock_mono_us() - names->sampled_us >= FULL_EVERY_US) {
        run(names, sample_sql, 3, MAX_SAMPLE, on_sample);
    } else {
        run(names, names_sql, 3, MAX_NAMES, on_names);
    }
}

static void start_reading(struct ag_names *names)
{
    if (!names->reading) {
        names->reading = true;
        names->generation = ag_reads_generation(names->options.reads);
        run(names, count_sql, 3, 1, on_count);
    }
}

static void on_timer(uv_timer_t *timer)
{
    start_reading(timer->data);
}

bool ag_names_read_now(struct ag_names *names, struct ag_names_waiter *waiter)
{
    const bool current = names->copy->generation == ag_reads_generation(names->options.reads);
    if ((current && names->read_us != 0 && lm_clock_mono_us() - names->read_us < YOUNG_US) ||
        ag_pool_up(ag_reads_pool(names->options.reads)) == 0) {
        return false;
    }
    waiter->waiting = true;
    waiter->previous = NULL;
    waiter->next = names->first;
    if (names->first != NULL) {
        names->first->previous = waiter;
    }
    names->first = waiter;
    /* A reading may fail at once and have told the waiter already: that is an answer too, but not from inside
     * this call. */
    if (!names->reading) {
        uv_timer_start(&names->timer, on_timer, 0, names->options.refresh_ms);
    }
    return true;
}

void ag_names_forget(struct ag_names *names, struct ag_names_waiter *waiter)
{
    if (waiter->waiting) {
        unlink_waiter(names, waiter);
    }
}

int ag_names_open(const struct ag_names_options *options, struct ag_names **out, struct lm_error *error)
{
    struct ag_names *names = calloc(1, sizeof(*names));
    struct ag_names_copy *copy = names != NULL ? new_copy() : NULL;
    if (copy == NULL || ag_catalogue_seal(copy->catalogue) != 0) {
        ag_names_drop(copy);
        free(names);
        return lm_error_set(error, LM_FATAL, "memory", "out of memory for the names");
    }
    *names = (struct ag_names){.options = *options, .copy = copy, .counted = -1};
    forget_since(&names->kept);
    names->count_gauge =
        lm_gauge(options->metrics, "logmill_agent_names", NULL, "Names known from the data.");
    (void)uv_timer_init(options->loop, &names->timer);
    names->timer.data = names;
    uv_timer_start(&names->timer, on_timer, 0, options->refresh_ms);
    *out = names;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct ag_names *names = handle->data;
    void (*closed)(void *) = names->closed;
    void *context = names->closed_context;
    ag_names_drop(names->copy);
    ag_samples_drop(names->samples);
    free(names);
    if (closed != NULL) {
        closed(context);
    }
}

void ag_names_close(struct ag_names *names, void (*closed)(void *context), void *context)
{
    names->closed = closed;
    names->closed_context = context;
    if (names->execution != NULL) {
        ag_execute_cancel(names->execution);
    }
    while (names->first != NULL) {
        unlink_waiter(names, names->first);
    }
    uv_close((uv_handle_t *)&names->timer, on_closed);
}
