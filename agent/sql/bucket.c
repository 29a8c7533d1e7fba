/*
 * Time buckets: on the clock of the asker's zone, hours and longer by calendar, shorter ones from local
 * midnight.
 */
#include "agent/sql/plan.h"

/* What a bucket may be, ascending. `unit` as in ag_zone_add: cut by calendar; 0: fixed width from local
 * midnight. */
static const struct width {
    int64_t us;
    char unit;
    const char *name; /* date_trunc's field, or date_bin's stride */
} widths[] = {
    {AG_SECOND, 0, "1 second"},
    {5 * AG_SECOND, 0, "5 seconds"},
    {10 * AG_SECOND, 0, "10 seconds"},
    {30 * AG_SECOND, 0, "30 seconds"},
    {AG_MINUTE, 0, "1 minute"},
    {5 * AG_MINUTE, 0, "5 minutes"},
    {10 * AG_MINUTE, 0, "10 minutes"},
    {15 * AG_MINUTE, 0, "15 minutes"},
    {30 * AG_MINUTE, 0, "30 minutes"},
    {AG_HOUR, 'h', "hour"},
    {2 * AG_HOUR, 0, "2 hours"},
    {3 * AG_HOUR, 0, "3 hours"},
    {6 * AG_HOUR, 0, "6 hours"},
    {12 * AG_HOUR, 0, "12 hours"},
    {AG_DAY, 'd', "day"},
    {7 * AG_DAY, 'w', "week"},
    {30 * AG_DAY, 'M', "month"},
    {91 * AG_DAY, 'q', "quarter"},
    {365 * AG_DAY, 'y', "year"},
};
#define WIDTH_COUNT (sizeof widths / sizeof *widths)

/* Without a width asked for: about as many buckets as a chart shows well. */
static int64_t automatic(enum ag_shape shape, int64_t window)
{
    if (shape == AG_SPIKE) {
        return window <= AG_DAY + AG_HOUR ? 5 * AG_MINUTE : window <= 14 * AG_DAY ? AG_HOUR : AG_DAY;
    }
    if (shape == AG_BUSIEST) {
        return window <= 2 * AG_HOUR ? 5 * AG_MINUTE : window <= 14 * AG_DAY ? AG_HOUR : AG_DAY;
    }
    if (window <= 2 * AG_MINUTE) {
        return AG_SECOND;
    }
    if (window <= 10 * AG_MINUTE) {
        return 10 * AG_SECOND;
    }
    if (window <= 2 * AG_HOUR) {
        return AG_MINUTE;
    }
    if (window <= 6 * AG_HOUR) {
        return 5 * AG_MINUTE;
    }
    if (window <= 4 * AG_DAY) {
        return AG_HOUR;
    }
    return window <= 120 * AG_DAY ? AG_DAY : window <= 3 * 365 * AG_DAY ? 7 * AG_DAY : 30 * AG_DAY;
}

void ag_bucket_choose(struct ag_plan *plan)
{
    struct ag_sql *out = plan->out;
    int64_t window = out->to_us - out->from_us;
    int64_t wanted =
        plan->intent->bucket_us > 0 ? plan->intent->bucket_us : automatic(plan->intent->shape, window);
    int64_t us = wanted < AG_SECOND ? AG_SECOND : wanted;
    for (size_t i = 0; i < WIDTH_COUNT && window / us >= AG_MAX_BUCKETS; i++) {
        us = widths[i].us > us ? widths[i].us : us;
    }
    out->bucket_us = us;
    out->bucket_coarsened = us > wanted;
    out->bucket_unit = 0;
    out->bucket_origin_us = ag_zone_floor(plan->zone, out->from_us, 'd');
    for (size_t i = 0; i < WIDTH_COUNT; i++) {
        if (widths[i].us == us) {
            out->bucket_unit = widths[i].unit;
        }
    }
}

const char *ag_bucket_expr(struct ag_plan *plan, const char *time)
{
    const struct ag_sql *out = plan->out;
    const char *stride = NULL;
    for (size_t i = 0; i < WIDTH_COUNT; i++) {
        if (widths[i].us == out->bucket_us) {
            if (widths[i].unit != 0) {
                return ag_plan_text(plan, "date_trunc('%s', %s, %s)", widths[i].name, time,
                                    ag_plan_zone(plan));
            }
            stride = widths[i].name;
        }
    }
    if (out->bucket_us == AG_MINUTE || out->bucket_us == AG_SECOND) {
        return ag_plan_text(plan, "date_trunc('%s', %s, %s)", stride + 2, time, ag_plan_zone(plan));
    }
    if (stride == NULL) {
        stride = ag_plan_text(plan, "%lld seconds", (long long)(out->bucket_us / AG_SECOND));
    }
    return ag_plan_text(plan, "date_bin('%s', %s, %s)", stride, time,
                        ag_plan_instant(plan, out->bucket_origin_us));
}
