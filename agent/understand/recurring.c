/*
 * Times in pieces: weekdays, weekends and working hours. They are no window but a condition on the clock
 * beside one: "errors on weekdays last month" are those of last month whose day is Monday to Friday in the
 * asker's zone.
 */
#include "agent/understand/parse.h"
#include "agent/understand/window.h"

#include <string.h>

#define WORK_FROM 9
#define WORK_TO 18

static void add_days(struct ag_parse *p, size_t from, size_t to, const char *days)
{
    for (const char *day = days; *day; day += day[1] == ',' ? 2 : 1)
        ag_mention_add(p, from, to, AG_DAY_OF_WEEK, NULL, AG_IN, ag_keep(p, day, 1), "days");
}

static void drop_time(struct ag_parse *p, size_t k)
{
    memmove(&p->times[k], &p->times[k + 1], (p->time_count - k - 1) * sizeof *p->times);
    p->time_count--;
}

/* 업무시간(9시~18시): the hours are said beside it, on full hours of one day. */
static bool hours_said(struct ag_parse *p, size_t at, int *from, int *to)
{
    for (size_t k = 0; k < p->time_count; k++) {
        const struct ag_time_found *f = &p->times[k];
        size_t near = at + 1;
        while (ag_reads(p, near, AG_C_STOP) || ag_reads(p, near, AG_C_PARTICLE) ||
               ag_reads(p, near, AG_C_FROM))
            near++;
        if (f->from != near || !f->clock_only || f->clock_to <= f->clock_from || f->clock_from % 60 != 0 ||
            f->clock_to % 60 != 0 || f->clock_to > 24 * 60)
            continue;
        *from = f->clock_from / 60;
        *to = f->clock_to / 60;
        drop_time(p, k);
        return true;
    }
    return false;
}

static void work_hours(struct ag_parse *p, size_t at, bool days_said)
{
    int from = WORK_FROM;
    int to = WORK_TO;

    if (!hours_said(p, at, &from, &to) || !days_said)
        ag_assume(p, "work_hours", "업무 시간은 따로 말하지 않으면 평일 9시부터 18시까지로 보았습니다.",
                  "Unless said otherwise, working hours are Monday to Friday, 9:00 to 18:00.");
    if (!days_said)
        add_days(p, at, at + 1, "1,2,3,4,5");
    for (int hour = from; hour < to; hour++)
        ag_mention_add(p, at, at + 1, AG_HOUR_OF_DAY, NULL, AG_IN, ag_sayf(p, "%d", hour), "hours");
}

/* "this month's weekends": a bare weekend beside a longer window is every weekend in it. */
static bool weekends_of_a_window(struct ag_parse *p)
{
    for (size_t k = 0; k < p->time_count; k++) {
        const struct ag_time_found *f = &p->times[k];
        bool inside = false;
        if (f->to != f->from + 1 || !ag_reads(p, f->from, AG_C_WEEKEND))
            continue;
        for (size_t other = 0; other < p->time_count; other++) {
            const struct ag_time_found *window = &p->times[other];
            inside = inside || (other != k && (window->from_us == INT64_MIN ||
                                               window->to_us - window->from_us >= 3 * ag_unit_us('d')));
        }
        if (inside) {
            add_days(p, f->from, f->to, "6,7");
            drop_time(p, k);
            return true;
        }
    }
    return false;
}

/* A weekend that is a window of its own. */
static bool says_weekend(const struct ag_parse *p)
{
    for (size_t k = 0; k < p->time_count; k++) {
        if (p->times[k].to == p->times[k].from + 1 && ag_reads(p, p->times[k].from, AG_C_WEEKEND))
            return true;
    }
    return false;
}

void ag_recurring_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;
    bool days = weekends_of_a_window(p);

    for (size_t i = 0; i < t->count; i++) {
        const char *value = ag_value(t, i, AG_C_DAYS);
        if (!value)
            continue;
        if (days || says_weekend(p))
            ag_stop(
                p, AG_NOT_UNDERSTOOD,
                ag_say(p, "평일과 주말은 한 번에 하나만 볼 수 있습니다.",
                       "Weekdays and weekends can be asked for one at a time."),
                ag_say(p, "예: \"지난달 요일별 에러\"", "For example \"errors by day of week last month\"."));
        add_days(p, i, i + 1, value);
        days = true;
    }
    for (size_t i = 0; i < t->count; i++) {
        if (ag_is(t, i, AG_C_WORK_HOURS))
            work_hours(p, i, days);
    }
}
