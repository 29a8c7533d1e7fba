/*
 * Moments in relation: since, until, around, and ranges from one to another.
 */
#include "agent/understand/moment.h"
#include "agent/understand/window.h"

#include <string.h>

enum relation { ALONE, SINCE, AFTER, UNTIL, BEFORE, AROUND };

/* The length of the unit a point was said to. */
static int64_t precision_us(char precision)
{
    return precision == 'h' ? AG_HOUR : precision == 'm' ? AG_MINUTE : AG_SECOND;
}

struct span {
    int64_t from, to;
    const char *symbolic;
    bool point;
    char precision;
};

/* Today's occurrence of minutes of the day, or the latest one before now. */
static int64_t recent_day(const struct ag_parse *p, int minutes)
{
    int64_t today = ag_zone_floor(p->zone, p->now, 'd');

    return ag_moment_on(p, today, minutes, 0) <= p->now ? today : ag_zone_add(p->zone, today, 'd', -1);
}

static bool part_span(struct ag_parse *p, const struct ag_moment *m, struct span *s)
{
    int64_t today = ag_zone_floor(p->zone, p->now, 'd');
    int64_t day = m->has_date    ? m->day
                  : m->part_last ? ag_zone_add(p->zone, today, 'd', -1)
                                 : recent_day(p, m->part_from);

    if (m->has_date && m->unit != 'd')
        return false;
    s->from = ag_moment_on(p, day, m->part_from, 0);
    s->to = ag_moment_on(p, day, m->part_to, 0);
    if (!m->has_date || (m->symbolic && strncmp(m->symbolic, "day ", 4) == 0)) {
        const char *base = m->has_date ? m->symbolic : day == today ? "day 0" : "day -1";
        s->symbolic = ag_sayf(p, "%s %02d:%02d-%02d:%02d", base, m->part_from / 60, m->part_from % 60,
                              m->part_to / 60, m->part_to % 60);
    }
    return true;
}

/* The span a moment names by itself. */
static bool moment_span(struct ag_parse *p, const struct ag_moment *m, struct span *s)
{
    *s = (struct span){0};
    if (m->has_instant) {
        s->from = m->instant;
        s->to = m->instant + precision_us(m->precision);
        s->point = true;
        s->precision = m->precision;
        return true;
    }
    if (m->has_clock) {
        int minutes = ag_moment_minutes(m);
        int64_t day = m->has_date ? m->day : recent_day(p, minutes);
        if (m->has_date && m->unit != 'd')
            return false;
        s->from = ag_moment_on(p, day, minutes, m->second);
        /* Thursday, 3 pm, said on a Thursday at noon: the one a week ago. */
        if (s->from > p->now && m->weekday)
            s->from = ag_moment_on(p, ag_zone_add(p->zone, day, 'd', -7), minutes, m->second);
        s->to = s->from + precision_us(m->precision);
        s->point = true;
        s->precision = m->precision;
        return true;
    }
    if (m->has_part)
        return part_span(p, m, s);
    if (!m->has_date)
        return false;
    s->from = m->day;
    s->to = m->day_end;
    s->symbolic = m->symbolic;
    return true;
}

bool ag_moment_point(struct ag_parse *p, const struct ag_moment *m, int64_t *at)
{
    struct span s;

    if ((m->midnight && m->has_date && m->day < ag_zone_floor(p->zone, p->now, 'd')) || m->has_part ||
        !moment_span(p, m, &s) || !(s.point || m->ago || (m->has_date && m->unit == 'd')))
        return false;
    /* "2 hours ago" is that moment, not the clock's hour. */
    *at = m->ago ? p->now - m->ago_n * ag_unit_us(m->ago_unit) : s.from;
    return true;
}

static void note_kind(const struct ag_moment *m, const struct span *s, struct ag_time_found *f)
{
    f->day_only = m->has_date && !m->has_clock && !m->has_part && m->unit == 'd';
    f->clock_only = m->has_clock && !m->has_date;
    f->dateless = !m->has_date && !m->has_instant && (m->has_clock || (m->has_part && !m->part_last));
    f->instant = s->point;
    f->precision = s->precision;
    if (m->has_date && m->has_clock && m->unit == 'd') {
        f->day_of_clock = m->day;
        f->clock_from = ag_moment_minutes(m);
        f->clock_to = f->clock_from + (int)(precision_us(m->precision) / AG_MINUTE);
    }
    if (m->has_part && !m->has_clock) {
        f->part_from = m->part_from;
        f->part_to = m->part_to;
    }
    if (f->clock_only) {
        f->clock_from = ag_moment_minutes(m);
        f->clock_to = f->clock_from + (int)(precision_us(m->precision) / AG_MINUTE);
    }
}

static size_t relate(struct ag_parse *p, const struct ag_moment *m, enum relation relation, size_t i,
                     size_t end, struct ag_time_found *f)
{
    struct span s;
    int64_t day;

    if (!moment_span(p, m, &s))
        return i;
    note_kind(m, &s, f);
    if (relation != UNTIL && relation != BEFORE && (m->future || s.from > p->now)) {
        ag_ask_future(p);
        return end;
    }
    if (m->midnight && m->has_date &&
        (relation == ALONE || (relation == SINCE && m->day < ag_zone_floor(p->zone, p->now, 'd')))) {
        ag_stop(p, AG_NEEDS_CLARIFICATION,
                ag_say(p, "그날의 시작인 0시인지 끝인 24시인지 분명하지 않습니다.",
                       "That midnight may be the day's beginning or its end."),
                ag_say(p, "\"0시\" 또는 \"24시\"로 적어 주세요.", "Say 0:00 or 24:00."));
        return end;
    }
    switch (relation) {
    case ALONE:
        if (s.symbolic)
            return ag_settle(p, f, s.symbolic) ? end : i;
        return ag_settle_span(p, f, s.from, s.to, false) ? end : i;
    case SINCE:
        if (m->ago && m->ago_unit != 'q')
            return ag_settle(p, f, ag_rolling(p, (double)m->ago_n, m->ago_unit)) ? end : i;
        if (s.to > p->now && s.symbolic)
            return ag_settle(p, f, s.symbolic) ? end : i;
        f->clock_to = -1;
        return ag_settle_span(p, f, s.from, 0, true) ? end : i;
    case AFTER:
        f->clock_to = -1;
        day = s.point || m->has_part ? s.from : s.to;
        if (day >= p->now) {
            ag_ask_future(p);
            return end;
        }
        return ag_settle_span(p, f, day, 0, true) ? end : i;
    case UNTIL:
    case BEFORE:
        if (!s.point && !m->has_part) {
            ag_stop(p, AG_NEEDS_CLARIFICATION,
                    ag_say(p, "언제부터인지 알 수 없습니다.", "It is not said from when."),
                    ag_say(p, "시작도 함께 적어 주세요. 예: \"3월 10일부터 어제까지\"",
                           "Name the beginning as well, for example \"from March 10 to yesterday\"."));
            return end;
        }
        f->clock_from = 0;
        f->clock_to = ag_moment_minutes(m);
        if (!m->has_date && !m->has_instant) {
            /* Until an hour of today, be it to come. */
            int64_t today = ag_zone_floor(p->zone, p->now, 'd');
            s.from = m->has_part ? s.from : ag_moment_on(p, today, ag_moment_minutes(m), m->second);
        }
        day = ag_zone_floor(p->zone, s.from, 'd');
        if (m->has_part && relation == UNTIL)
            s.from = s.to;
        return s.from > day && ag_settle_span(p, f, day, s.from, false) ? end : i;
    case AROUND:
        if (!s.point)
            return i;
        day = s.precision == 'h' ? 30 * AG_MINUTE : 5 * AG_MINUTE;
        f->clock_only = false;
        return ag_settle_span(p, f, s.from - day, s.from + day, false) ? end : i;
    }
    return i;
}

/* "from noon to 2", 11시 30분부터 1시까지, "9 to 5": the afternoon's hour, and not that of the next night. */
static bool is_next_half(const struct ag_moment *a, const struct ag_moment *b)
{
    return a->has_clock && b->has_clock && !(a->has_date && b->has_date) && !a->midnight &&
           !a->leading_zero && !b->from_24h && a->meridiem == AG_NO_MERIDIEM &&
           b->meridiem == AG_NO_MERIDIEM && a->hour <= 12 && b->hour >= 1 && b->hour < 12 &&
           ag_moment_minutes(b) <= ag_moment_minutes(a);
}

/* Gives both ends of a range their half of the day: the second inherits the first's, a first without takes
 * the second's. */
static void inherit(struct ag_moment *a, struct ag_moment *b)
{
    /* "between 2:00 and 2:20 pm": written so, 2:00 may be of either half; 02:00 is of the first. */
    if (a->from_24h && !a->leading_zero && a->hour <= 12 && b->has_clock && b->meridiem != AG_NO_MERIDIEM)
        a->from_24h = false;
    if (is_next_half(a, b))
        b->meridiem = AG_IS_PM;
    if (!a->has_clock || !b->has_clock || a->from_24h || b->from_24h)
        return;
    if (b->meridiem == AG_NO_MERIDIEM && a->meridiem != AG_NO_MERIDIEM && b->hour <= 12) {
        b->meridiem = a->meridiem;
        if (ag_moment_minutes(b) <= ag_moment_minutes(a)) {
            b->meridiem = a->meridiem == AG_IS_PM ? AG_IS_AM : AG_IS_PM;
            /* 오전 10시부터 2시: the afternoon. 오후 10시부터 2시: past midnight. */
        }
    } else if (a->meridiem == AG_NO_MERIDIEM && b->meridiem != AG_NO_MERIDIEM && a->hour <= 12) {
        a->meridiem = b->meridiem;
        if (ag_moment_minutes(a) >= ag_moment_minutes(b))
            a->meridiem = b->meridiem == AG_IS_PM ? AG_IS_AM : AG_IS_PM;
    }
}

/* A clock range on a day given: from `day`. */
bool ag_clock_range(struct ag_parse *p, struct ag_time_found *f, int64_t day, int from, int to)
{
    if (to >= 0 && to <= from)
        to += 1440;
    return ag_settle_span(p, f, ag_moment_on(p, day, from, 0), to < 0 ? 0 : ag_moment_on(p, day, to, 0),
                          to < 0);
}

static size_t range(struct ag_parse *p, struct ag_moment *a, struct ag_moment *b, size_t i, size_t end,
                    struct ag_time_found *f)
{
    struct span first;
    struct span second;

    /* "11-12am": noon by what is meant, midnight by what is said. */
    if (a->bare_number && b->hour == 12 && b->meridiem == AG_IS_AM)
        return i;
    inherit(a, b);
    if (!a->has_date && !a->has_instant && a->has_clock && b->has_date && b->has_clock) {
        /* "between 2 and 3 pm yesterday": the day is both's. */
        a->has_date = true;
        a->day = b->day;
        a->day_end = b->day_end;
        a->unit = b->unit;
    }
    if (a->has_clock && !a->has_date && b->has_clock && !b->has_date && !b->has_instant) {
        int from = ag_moment_minutes(a);
        f->clock_only = f->dateless = true;
        f->clock_from = from;
        f->clock_to = ag_moment_minutes(b);
        if (a->meridiem == AG_IS_NIGHT && f->clock_to >= 1440 && from < 1440 && b->meridiem != AG_IS_NIGHT)
            f->clock_to -= 1440;
        return ag_clock_range(p, f, recent_day(p, from), from, f->clock_to) ? end : i;
    }
    if (a->has_clock && a->has_date && a->unit == 'd' && b->has_clock) {
        f->day_of_clock = a->day;
        f->clock_from = ag_moment_minutes(a);
        f->clock_to = ag_moment_minutes(b);
    }
    if (a->future) {
        ag_ask_future(p);
        return end;
    }
    if (!moment_span(p, a, &first))
        return i;
    if (b->has_clock && !b->has_date) {
        int64_t day = a->has_date && a->unit == 'd' ? a->day : ag_zone_floor(p->zone, first.from, 'd');
        int minutes = ag_moment_minutes(b);
        second.to = ag_moment_on(p, day, minutes, b->second);
        if (second.to <= first.from)
            second.to = ag_moment_on(p, day, minutes + 1440, b->second);
    } else {
        if (!moment_span(p, b, &second))
            return i;
        /* "Monday to Wednesday": the Wednesday after that Monday. */
        if (b->weekday && a->weekday && second.from < first.from)
            second.to = ag_zone_add(p->zone, second.to, 'd', 7);
        if (second.point)
            second.to = second.from;
    }
    /* "1시간 전부터 30분 전까지": those very moments, not the clock's hour and minute. */
    if (a->ago && (a->ago_unit == 'h' || a->ago_unit == 'm' || a->ago_unit == 's'))
        first.from = p->now - a->ago_n * ag_unit_us(a->ago_unit);
    if (b->ago && (b->ago_unit == 'h' || b->ago_unit == 'm' || b->ago_unit == 's'))
        second.to = p->now - b->ago_n * ag_unit_us(b->ago_unit);
    if (first.from >= p->now) {
        ag_ask_future(p);
        return end;
    }
    if (second.to <= first.from)
        return i;
    return ag_settle_span(p, f, first.from, second.to, false) ? end : i;
}

/* What stands before an English moment. */
static bool leading(const struct ag_parse *p, size_t i, enum relation *relation, bool *opens_range)
{
    const struct ag_tokens *t = p->tokens;

    *opens_range = false;
    if (i >= t->count || ag_is_korean(p, i))
        return false;
    if (ag_is(t, i, AG_C_FROM) || ag_is(t, i, AG_C_BETWEEN)) {
        *relation = SINCE;
        *opens_range = true;
    } else if (ag_is(t, i, AG_C_SINCE)) {
        *relation = SINCE;
        *opens_range = true;
    } else if (ag_is(t, i, AG_C_AFTER)) {
        *relation = AFTER;
    } else if (ag_is(t, i, AG_C_BEFORE)) {
        *relation = BEFORE;
    } else if (ag_is(t, i, AG_C_TO) && strcmp(ag_word(p, i), "to") != 0) {
        *relation = UNTIL;
    } else if (ag_is(t, i, AG_C_AROUND)) {
        *relation = AROUND;
    } else {
        return false;
    }
    return true;
}

/* What stands behind a moment, Korean or between two; the token behind it. */
static size_t trailing(const struct ag_parse *p, size_t i, const struct ag_moment *m, enum relation *relation)
{
    const struct ag_tokens *t = p->tokens;

    if (i >= t->count || !ag_is_korean(p, i))
        return i;
    if (ag_is(t, i, AG_C_FROM))
        *relation = SINCE;
    else if (ag_is(t, i, AG_C_SINCE))
        *relation = SINCE;
    else if (ag_is(t, i, AG_C_TO))
        *relation = UNTIL;
    else if (ag_is(t, i, AG_C_BEFORE) || (ag_is(t, i, AG_C_AGO) && m->has_clock))
        *relation = BEFORE;
    else if (ag_is(t, i, AG_C_AFTER))
        *relation = AFTER;
    else if (ag_is(t, i, AG_C_AROUND))
        *relation = AROUND;
    else
        return i;
    return i + 1;
}

/* Between the two ends of a range: the token where the second begins, or `i`. */
static size_t hinge(const struct ag_parse *p, size_t i, bool opened)
{
    const struct ag_tokens *t = p->tokens;
    bool particle = ag_is(t, i, AG_C_PARTICLE) &&
                    (strcmp(ag_word(p, i), "에서") == 0 || strcmp(ag_word(p, i), "와") == 0 ||
                     strcmp(ag_word(p, i), "과") == 0 || strcmp(ag_word(p, i), "랑") == 0);

    if (ag_is(t, i, AG_C_FROM) || ag_is(t, i, AG_C_DASH) || particle)
        return i + 1;
    if (ag_is(t, i, AG_C_TO) && !ag_is_korean(p, i))
        return i + 1;
    return opened && ag_is(t, i, AG_C_AND) ? i + 1 : i;
}

/* Behind a range: 까지, 사이, 사이에, 동안. */
static size_t closing(const struct ag_parse *p, size_t i)
{
    const struct ag_tokens *t = p->tokens;

    for (int n = 0; n < 3 && (ag_is(t, i, AG_C_BETWEEN) ||
                              (ag_is_korean(p, i) && (ag_is(t, i, AG_C_TO) || ag_is(t, i, AG_C_DURING) ||
                                                      ag_is(t, i, AG_C_PARTICLE))));
         n++)
        i++;
    return i;
}

/* 13시 50분에 배포하고나서, 13:50 배포 이후: what happened then stands between the time and the relation. */
static size_t past_event(const struct ag_parse *p, size_t i)
{
    size_t at = i + ag_is(p->tokens, i, AG_C_PARTICLE);

    return ag_is(p->tokens, at, AG_C_EVENT_ANCHOR) ? at + 1 : i;
}

/* "since the deploy at 13:50", "after we deployed at 13:50": what happened then, and "at", stand between the
 * relation and the time. The token of the time, or `i`. */
static size_t past_english_event(const struct ag_parse *p, size_t i)
{
    const struct ag_tokens *t = p->tokens;
    size_t at = i;

    while (strcmp(ag_word(p, at), "we") == 0 || strcmp(ag_word(p, at), "they") == 0 ||
           strcmp(ag_word(p, at), "our") == 0)
        at++;
    if (ag_is_korean(p, at) || !ag_is(t, at, AG_C_EVENT_ANCHOR))
        return i;
    at++;
    return strcmp(ag_word(p, at), "at") == 0 || ag_is(t, at, AG_C_AROUND) ? at + 1 : i;
}

/* 3월 16일 하루 동안: all of that day. 하루 전 is another. */
static bool says_whole_day(const struct ag_parse *p, size_t i)
{
    const char *span = ag_value(p->tokens, i, AG_C_SPAN);

    return span && strcmp(span, "1 day") == 0 && ag_is_korean(p, i) && !ag_reads(p, i + 1, AG_C_AGO) &&
           !ag_reads(p, i + 1, AG_C_BEFORE) && !ag_reads(p, i + 1, AG_C_AFTER) &&
           !ag_reads(p, i + 1, AG_C_SINCE);
}

/* "since 9", "before 9 today": an hour of today that can only be one of the two halves of the day, where
 * nothing behind it could be what there are so many of. */
static bool is_plain_hour(const struct ag_parse *p, size_t lead, size_t end, const struct ag_moment *m)
{
    static const char *const leads[] = {"since", "after", "before"};
    const struct ag_tokens *t = p->tokens;
    const char *day = ag_value(t, end, AG_C_DAY_REF);
    int64_t today = ag_zone_floor(p->zone, p->now, 'd');
    int minutes = ag_moment_minutes(m);

    if (!ag_says(p, lead, leads, sizeof leads / sizeof *leads) ||
        !(end == t->count || ag_is(t, end, AG_C_STOP) || ag_is(t, end, AG_C_COMMA) ||
          (ag_is(t, end, AG_C_BY_BEFORE) && !ag_is_korean(p, end)) ||
          (day && strcmp(day, "0") == 0 && !ag_is_korean(p, end))))
        return false;
    return ag_moment_on(p, today, minutes, 0) <= p->now &&
           (minutes > 720 || ag_moment_on(p, today, minutes + 720, 0) > p->now);
}

size_t ag_moment_rule(struct ag_parse *p, size_t i, struct ag_time_found *f)
{
    const struct ag_tokens *t = p->tokens;
    struct ag_moment a;
    struct ag_moment b;
    enum relation relation = ALONE;
    bool opened = false;
    bool led = leading(p, i, &relation, &opened);
    bool at_word = strcmp(ag_word(p, i), "at") == 0 && !t->items[i].rule;
    bool told = p->since_told == i + 1;
    size_t start = led || at_word ? i + 1 : i;
    size_t end;
    size_t next;
    size_t second;

    if (led && ag_is(t, start, AG_C_NOISE) && strcmp(ag_word(p, start), "the") == 0)
        start++;
    if (led)
        start = past_english_event(p, start);
    end = ag_moment_read(p, start, led || at_word, NULL, &a);
    if (end == start)
        return i;
    next = hinge(p, end, opened);
    if (next > end) {
        if ((ag_is(t, next, AG_C_NOW) || ag_is(t, next, AG_C_SO_FAR)) && !ag_is(t, end, AG_C_PARTICLE))
            return relate(p, &a, SINCE, i, closing(p, next + 1), f);
        second = ag_moment_read(p, next, a.has_clock, &a, &b);
        /* 어제와 오늘 is a range only with 사이 behind it. */
        if (ag_is(t, end, AG_C_PARTICLE) && strcmp(ag_word(p, end), "에서") != 0 &&
            !ag_is(t, ag_after(p, second - 1), AG_C_BETWEEN))
            second = next;
        if (second > next && (b.has_clock || b.has_date || b.has_part || b.has_instant) &&
            (!a.bare_number || b.has_clock))
            return range(p, &a, &b, i, closing(p, second), f);
    }
    if (a.bare_number && !at_word && !is_plain_hour(p, i, end, &a))
        return i;
    /* "between" and "from" need both ends, but for "from yesterday". */
    if (led && ag_is(t, i, AG_C_BETWEEN))
        return i;
    /* "errors from yesterday" are yesterday's; from an hour, or from two hours ago, they go on until now. */
    if (led && strcmp(ag_word(p, i), "from") == 0 && !a.has_clock && !a.has_instant && !a.ago)
        relation = ALONE;
    if (!led) {
        size_t happening = a.has_clock ? past_event(p, end) : end;
        size_t behind = trailing(p, happening, &a, &relation);
        end = behind > happening ? behind : trailing(p, end, &a, &relation);
    }
    if (told)
        relation = SINCE;
    /* "after the 13:50 deploy" */
    if (led && relation != ALONE && a.has_clock && !ag_is_korean(p, end) && ag_is(t, end, AG_C_EVENT_ANCHOR))
        end++;
    if (a.has_date && !a.has_clock && says_whole_day(p, end))
        end++;
    if (ag_is(t, end, AG_C_DURING) && ag_is_korean(p, end))
        end++;
    /* A lone day of the month is too easily a number of days: it needs a particle or relation, or an ordinal.
     */
    return relate(p, &a, relation, i, end, f);
}
