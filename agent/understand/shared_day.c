/*
 * Hours set against each other whose day is said once: 어제 12시~13시랑 13시~14시 비교, "9-10am vs 10-11am
 * yesterday", 12시~13시, 13시~14시 … 어제 기준. The day is that of all of them. 9시~10시랑 어제 10시~11시
 * says it of the second alone.
 */
#include "agent/understand/window.h"

#include <string.h>

/* Do only words that list or set against each other stand between tokens [from, to)? */
static bool are_side_by_side(const struct ag_parse *p, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        if (!ag_joins_list(p, i) && !ag_reads(p, i, AG_C_COMPARE) && !ag_reads(p, i, AG_C_PARTICLE) &&
            !ag_reads(p, i, AG_C_PREPOSITION) && !ag_reads(p, i, AG_C_NOISE))
            return false;
    }
    return true;
}

/* Does the time begin with its hours and end with its day: "10-11am yesterday"? */
static bool ends_with_day(const struct ag_parse *p, const struct ag_time_found *f)
{
    static const enum ag_concept dates[] = {AG_C_DAY_REF, AG_C_DATE,     AG_C_MONTH_DATE, AG_C_MONTH_NAME,
                                            AG_C_WEEKDAY, AG_C_CALENDAR, AG_C_THIS,       AG_C_LAST};

    for (size_t k = 0; k < sizeof dates / sizeof *dates; k++) {
        if (ag_reads(p, f->from, dates[k]) || ag_reads(p, f->from + 1, dates[k]))
            return false;
    }
    return !ag_is_korean(p, f->to - 1);
}

/* The dated time whose day is that of the hours at `k` as well, or NULL. */
static const struct ag_time_found *dated_beside(const struct ag_parse *p, size_t k)
{
    const struct ag_time_found *f = &p->times[k];
    const struct ag_time_found *before = k > 0 ? &p->times[k - 1] : NULL;
    const struct ag_time_found *next = k + 1 < p->time_count ? &p->times[k + 1] : NULL;
    const struct ag_time_found *apart = NULL;
    bool several = false;

    for (size_t i = 0; i < p->time_count; i++) {
        several = several || (apart && p->times[i].day_of_clock);
        if (p->times[i].day_apart)
            apart = &p->times[i];
    }
    if (apart && !several)
        return apart;
    if (before && before->day_of_clock && are_side_by_side(p, before->to, f->from))
        return before;
    return next && next->day_of_clock && ends_with_day(p, next) && are_side_by_side(p, f->to, next->from) &&
                   (next->clock_from != f->clock_from || next->clock_to != f->clock_to)
               ? next
               : NULL;
}

/* 12시~13시 에러 어제랑 비교, "errors 12-13h vs yesterday": the day is what the hours are compared with. */
bool ag_is_set_against(const struct ag_parse *p, const struct ag_time_found *day)
{
    static const char *const with[] = {"to", "with", "against", "and"};
    size_t before = day->from > 0 ? ag_before(p, day->from) : SIZE_MAX;
    size_t i = day->to;

    if (!ag_is_korean(p, day->to - 1)) {
        bool behind = before != SIZE_MAX && ag_says(p, before, with, sizeof with / sizeof *with);
        for (size_t k = before; k != SIZE_MAX && k-- > 0 && behind;) {
            if (ag_reads(p, k, AG_C_COMPARE))
                return true; /* "compare 9-10am with yesterday" */
        }
        return before != SIZE_MAX && ag_reads(p, before, AG_C_COMPARE);
    }
    if (ag_reads(p, i, AG_C_PARTICLE) && ag_joins_list(p, i))
        i++;
    return ag_reads(p, i, AG_C_COMPARE) || ag_reads(p, i, AG_C_SAME_TIME);
}

bool ag_may_be_cut(const struct ag_parse *p, const struct ag_time_found *earlier,
                   const struct ag_time_found *later)
{
    int64_t length = (earlier->to_us < p->now ? earlier->to_us : p->now) - earlier->from_us;
    bool days = strcmp(later->symbolic, "day 0") == 0 && earlier->day_only && length <= 25 * AG_HOUR;

    return later->to_us >= p->now && length > p->now - later->from_us &&
           (days || length <= later->to_us - later->from_us);
}

bool ag_is_weekday(const struct ag_time_found *f)
{
    return f->day_only && strchr(f->symbolic, '/') != NULL;
}

void ag_share_day(struct ag_parse *p)
{
    for (size_t k = 0; k < p->time_count && !p->stopped; k++) {
        struct ag_time_found *f = &p->times[k];
        const struct ag_time_found *dated = f->clock_only && f->clock_to > 0 ? dated_beside(p, k) : NULL;
        if (!dated)
            continue;
        if (ag_clock_range(p, f, dated->day_of_clock, f->clock_from, f->clock_to)) {
            f->clock_only = f->dateless = false;
            f->day_of_clock = dated->day_of_clock;
        }
        if (f->from_us >= p->now)
            ag_ask_future(p);
    }
}
