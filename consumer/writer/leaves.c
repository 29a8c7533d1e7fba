#include "consumer/writer/leaves.h"

#include "common/buffer.h"
#include "common/clock.h"
#include "common/log.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define AHEAD_EVERY_MS (10 * 60 * 1000)
/* Ranges kept for a category; beyond it they are forgotten and asked for again. */
#define RANGES_MAX 20000
/* Leaves asked for in one go: each costs locks until its transaction ends, so each is a statement of its own.
 */
#define MAKE_MAX 64

struct range {
    int64_t lower_us, upper_us; /* half-open */
};

struct ranges {
    struct range *items; /* as they came: few, and the newest are asked for most */
    size_t count, cap;
};

struct co_leaves {
    struct co_leaves_options options;
    struct ranges of[LM_CATEGORY_COUNT];
    uv_timer_t timer;
    struct lm_log_limit limit;
    void (*closed)(void *context);
    void *closed_context;
};

struct making {
    struct co_leaves *leaves;
    enum lm_category category;
    size_t pending; /* questions under way */
    struct lm_error error;
    void (*done)(const struct lm_error *error, void *context);
    void *context;
};

static bool covers(const struct ranges *ranges, int64_t at_us)
{
    for (size_t i = ranges->count; i-- > 0;) {
        if (at_us >= ranges->items[i].lower_us && at_us < ranges->items[i].upper_us)
            return true;
    }
    return false;
}

bool co_leaves_known(const struct co_leaves *leaves, enum lm_category category, const int64_t *hours,
                     size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!covers(&leaves->of[category], hours[i]))
            return false;
    }
    return true;
}

static int learn(struct ranges *ranges, struct range range)
{
    if (covers(ranges, range.lower_us) && covers(ranges, range.upper_us - 1))
        return 0;
    if (ranges->count >= RANGES_MAX)
        ranges->count = 0;
    if (ranges->count == ranges->cap) {
        size_t cap = ranges->cap == 0 ? 64 : ranges->cap * 2;
        struct range *items = realloc(ranges->items, cap * sizeof(items[0]));
        if (items == NULL)
            return -1;
        ranges->items = items;
        ranges->cap = cap;
    }
    ranges->items[ranges->count++] = range;
    return 0;
}

static void on_bounds(const PGresult *result, void *context)
{
    struct making *making = context;

    if (PQnfields(result) != 2) /* ensure_leaf's own answer */
        return;
    for (int i = 0; i < PQntuples(result); i++) {
        struct range range = {strtoll(PQgetvalue(result, i, 0), NULL, 10),
                              strtoll(PQgetvalue(result, i, 1), NULL, 10)};
        if (learn(&making->leaves->of[making->category], range) != 0)
            (void)lm_error_set(&making->error, LM_RETRY, "memory", "no memory for the bounds of leaves");
    }
}

static void on_made(const struct lm_error *error, void *context)
{
    struct making *making = context;

    if (error != NULL)
        making->error = *error;
    if (--making->pending > 0)
        return;
    making->done(making->error.decision == LM_OK ? NULL : &making->error, making->context);
    free(making);
}

static int ask_for(struct making *making, int64_t hour_us, struct lm_error *error)
{
    char sql[1024], at[LM_RFC3339_SIZE];
    const char *category = lm_category_name(making->category);

    (void)lm_rfc3339_format(hour_us, at);
    (void)snprintf(
        sql, sizeof(sql),
        "SELECT logmill.ensure_leaf('%s', '%s');"
        "SELECT (extract(epoch FROM greatest(lower, '0001-01-01Z')) * 1000000)::bigint,"
        " (extract(epoch FROM least(upper, '9999-12-31Z')) * 1000000)::bigint"
        " FROM logmill.leaf WHERE category = '%s' AND '%s' >= lower AND '%s' < upper AND NOT detaching",
        category, at, category, at, at);
    struct co_question question = {.sql = sql, .result = on_bounds, .done = on_made, .context = making};
    return co_control_ask(making->leaves->options.control, &question, error);
}

int co_leaves_make(struct co_leaves *leaves, enum lm_category category, const int64_t *hours, size_t count,
                   void (*done)(const struct lm_error *error, void *context), void *context,
                   struct lm_error *error)
{
    struct making *making = calloc(1, sizeof(*making));
    if (making == NULL)
        return lm_error_set(error, LM_RETRY, "memory", "no memory to ask for leaves");
    *making = (struct making){.leaves = leaves, .category = category, .done = done, .context = context};
    for (size_t i = 0; i < count && making->pending < MAKE_MAX; i++) {
        if (covers(&leaves->of[category], hours[i]))
            continue;
        if (ask_for(making, hours[i], &making->error) != 0)
            break;
        making->pending++;
    }
    if (making->pending > 0)
        return 0;
    if (making->error.decision == LM_OK)
        (void)lm_error_set(&making->error, LM_RETRY, "leaves", "the leaves are known already");
    if (error != NULL)
        *error = making->error;
    free(making);
    return -1;
}

void co_leaves_forget(struct co_leaves *leaves, enum lm_category category)
{
    leaves->of[category].count = 0;
}

static void on_ahead_made(const struct lm_error *error, void *context)
{
    struct co_leaves *leaves = context;
    if (error != NULL && strcmp(error->kind, "closing") != 0)
        lm_log_limited(&leaves->limit, LM_LOG_AGAIN_MS, LM_LOG_WARN, "leaves",
                       "leaves were not made ahead of time (they are made on demand): %s", error->text);
}

static void on_timer(uv_timer_t *timer)
{
    struct co_leaves *leaves = timer->data;
    struct lm_error error;
    char sql[128];

    (void)snprintf(sql, sizeof(sql), "SELECT logmill.ensure_leaves(interval '%" PRId64 " milliseconds')",
                   leaves->options.ahead_ms);
    struct co_question question = {.sql = sql, .done = on_ahead_made, .context = leaves};
    if (co_control_ask(leaves->options.control, &question, &error) != 0)
        on_ahead_made(&error, leaves);
}

void co_leaves_set_ahead(struct co_leaves *leaves, int64_t ahead_ms)
{
    leaves->options.ahead_ms = ahead_ms;
}

int co_leaves_open(const struct co_leaves_options *options, struct co_leaves **out, struct lm_error *error)
{
    struct co_leaves *leaves = calloc(1, sizeof(*leaves));
    if (leaves == NULL)
        return lm_error_set(error, LM_FATAL, "memory", "no memory for the leaves");
    leaves->options = *options;
    (void)uv_timer_init(options->loop, &leaves->timer);
    leaves->timer.data = leaves;
    (void)uv_timer_start(&leaves->timer, on_timer, 0, AHEAD_EVERY_MS);
    *out = leaves;
    return 0;
}

static void timer_closed(uv_handle_t *handle)
{
    struct co_leaves *leaves = handle->data;
    void (*closed)(void *context) = leaves->closed;
    void *context = leaves->closed_context;

    for (size_t i = 0; i < LM_CATEGORY_COUNT; i++)
        free(leaves->of[i].items);
    free(leaves);
    closed(context);
}

void co_leaves_close(struct co_leaves *leaves, void (*closed)(void *context), void *context)
{
    leaves->closed = closed;
    leaves->closed_context = context;
    uv_close((uv_handle_t *)&leaves->timer, timer_closed);
}
