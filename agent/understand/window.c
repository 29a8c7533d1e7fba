/*
 * From words to windows. A rule reads at one token and returns where it ends; the finder consumes what a rule read.
 */
#include "agent/understand/window.h"

#include "agent/understand/moment.h"
#include "agent/understand/time.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST_COUNT 100000

int64_t ag_unit_us(char unit)
{
    switch (unit) {
    case 'z':
        return 1000;
    case 's':
        return AG_SECOND;
    case 'm':
        return AG_MINUTE;
    case 'h':
        return AG_HOUR;
    case 'd':
        return AG_DAY;
    case 'w':
        return 7 * AG_DAY;
    case 'M':
        return 30 * AG_DAY;
    case 'q':
        return 91 * AG_DAY;
    default:
        return 365 * AG_DAY;
    }
}

static const char *unit_name(char unit)
{
    switch (unit) {
    case 's':
        return "second";
    case 'm':
        return "minute";
    case 'h':
        return "hour";
    case 'd':
        return "day";
    case 'w':
        return "week";
    case 'M':
        return "month";
    case 'q':
        return "quarter";
    default:
        return "year";
    }
}

static const char *text_at(const struct ag_parse *p, size_t i)
{
    return i < p->tokens->count ? p->tokens->items[i].text : "";
}

static bool is_korean(const struct ag_parse *p, size_t i)
{
    return (unsigned char)text_at(p, i)[0] >= 0x80;
}

size_t ag_length_read(const struct ag_parse *p, size_t i, double *n, char *unit)
{
    const struct ag_tokens *t = p->tokens;
    const char *span = ag_value(t, i, AG_C_SPAN);
    const char *value;
    char name[16];

    if (span && sscanf(span, "%lf %15s", n, name) == 2) {
        *unit = strcmp(name, "month") == 0 ? 'M' : name[0];
        return i + 1;
    }
    if (ag_is(t, i, AG_C_HALF) && (value = ag_value(t, i + 1, AG_C_UNIT)) != NULL) {
        *n = 0.5;
        *unit = value[0];
        return i + 2;
    }
    /* "5-minute" has its hyphen between. */
    if (ag_is(t, i, AG_C_NUMBER)) {
        size_t at = ag_is(t, i + 1, AG_C_DASH) && t->items[i + 1].glued && i + 2 < t->count && t->items[i + 2].glued ? i + 2 : i + 1;
        value = ag_value(t, at, AG_C_UNIT);
        if (!value || strcmp(value, "month_of_year") == 0)
            return i;
        *n = t->items[i].number;
        *unit = strcmp(value, "ms") == 0 ? 'z' : value[0];
        if (ag_is(t, at + 1, AG_C_HALF) && is_korean(p, at + 1)) {
            *n += 0.5;
            at++;
        }
        return at + 1;
    }
    return i;
}

/* A rolling window's canonical text; fractions go to the next smaller unit that is whole. */
static const char *rolling(struct ag_parse *p, double n, char unit)
{
    static const char smaller[] = {'y', 'M', 'w', 'd', 'h', 'm', 's'};
    static const double factor[] = {12, 30, 7, 24, 60, 60};

    for (size_t k = 0; k + 1 < sizeof smaller && n != floor(n); k++) {
        if (smaller[k] == unit) {
            n *= factor[k];
            unit = smaller[k + 1];
        }
    }
    if (unit == 'z' || n < 1 || n > LONGEST_COUNT || n != floor(n))
        return NULL;
    return ag_sayf(p, "last %ld %s", (long)n, unit_name(unit));
}

/* Fills the bounds of a canonical text; false when it cannot be resolved. */
static bool settle(struct ag_parse *p, struct ag_time_found *f, const char *symbolic)
{
    struct lm_error error;

    f->symbolic = symbolic;
    return symbolic && ag_time_resolve(symbolic, p->zone_name, p->now, &f->from_us, &f->to_us, NULL, &error) == 0;
}

static bool settle_span(struct ag_parse *p, struct ag_time_found *f, int64_t from, int64_t to, bool until_now)
{
    char a[40];
    char b[40];

    ag_zone_format(p->zone, from, a);
    ag_zone_format(p->zone, to, b);
    return settle(p, f, ag_sayf(p, "%s/%s", a, until_now ? "now" : b));
}

static void ask_future(struct ag_parse *p)
{
    ag_stop(p, AG_NEEDS_CLARIFICATION,
            ag_say(p, "질문한 시간이 아직 오지 않았습니다.", "That time has not come yet."),
            ag_say(p, "지난 시간으로 다시 물어봐 주세요. 예: \"오늘 에러 건수\", \"최근 1시간 에러\"",
                   "Ask about a time that has passed, for example \"errors today\" or \"errors in the last hour\"."));
}

static size_t rolling_rule(struct ag_parse *p, size_t i, struct ag_time_found *f)
{
    const struct ag_tokens *t = p->tokens;
    size_t at = i;
    bool led = false;   /* 최근, 지난, past, last in front */
    bool within = false;
    double n = 1;
    char unit = 'h';
    size_t end;

    if (ag_is(t, at, AG_C_DURING) || ag_is(t, at, AG_C_WITHIN)) {
        within = ag_is(t, at, AG_C_WITHIN);
        at++;
    }
    while (ag_is(t, at, AG_C_NOISE) && (strcmp(text_at(p, at), "the") == 0 || strcmp(text_at(p, at), "our") == 0))
        at++;
    if (ag_is(t, at, AG_C_RECENT) || ag_is(t, at, AG_C_PAST) || ag_is(t, at, AG_C_LAST)) {
        led = true;
        at++;
    } else if (ag_is(t, at, AG_C_DASH) && i == at && t->items[at].from + 1 == t->items[at + 1 < t->count ? at + 1 : at].from &&
               !t->items[at].glued) {
        led = true;
        at++;
    }
    end = ag_length_read(p, at, &n, &unit);
    if (end == at && led) {
        const char *value = ag_value(t, at, AG_C_UNIT);
        /* "last hour", "past week"; Korean always says how many. */
        if (!value || is_korean(p, at) || strcmp(value, "ms") == 0)
            return i;
        n = 1;
        unit = value[0];
        end = at + 1;
    }
    if (end == at && within && ag_is(t, at, AG_C_PER)) {
        unit = ag_value(t, at, AG_C_PER)[0];
        end = at + 1;
    }
    if (end == at || ag_is(t, end, AG_C_AGO))
        return i;
    at = end;
    while (ag_is(t, end, AG_C_DURING) || ag_is(t, end, AG_C_WITHIN) || (ag_is(t, end, AG_C_PARTICLE) && end == at)) {
        led = led || !ag_is(t, end, AG_C_PARTICLE);
        end++;
    }
    if (!(led || within))
        return i;
    return settle(p, f, rolling(p, n, unit)) ? end : i;
}

/* "over the last week", "in the last month": with the article a calendar word rolls. */
static size_t last_calendar_rule(struct ag_parse *p, size_t i, struct ag_time_found *f)
{
    const struct ag_tokens *t = p->tokens;
    const char *value = ag_value(t, i, AG_C_CALENDAR);
    char name[16];
    int k;

    if (!value || is_korean(p, i) || i == 0 || strcmp(text_at(p, i - 1), "the") != 0 || sscanf(value, "%15s %d", name, &k) != 2 ||
        k != -1)
        return i;
    return settle(p, f, ag_sayf(p, "last 1 %s", name)) ? i + 1 : i;
}

static size_t word_rule(struct ag_parse *p, size_t i, struct ag_time_found *f)
{
    const struct ag_tokens *t = p->tokens;
    const char *value = ag_value(t, i, AG_C_JUST_NOW);
    char name[16];
    long n;

    if (value && sscanf(value, "%ld %15s", &n, name) == 2) {
        if (!settle(p, f, ag_sayf(p, "last %ld %s", n, name)))
            return i;
        ag_assume(p, "vague_time", ag_sayf(p, "\"%s\"은(는) 최근 %ld%s로 보았습니다.", text_at(p, i), n,
                                           name[0] == 'm' ? "분" : name[0] == 'h' ? "시간" : "일"),
                  ag_sayf(p, "\"%s\" is taken as the last %ld %s%s.", text_at(p, i), n, name, n == 1 ? "" : "s"));
        return i + 1;
    }
    if (ag_is(t, i, AG_C_ALL_TIME))
        return settle(p, f, "all") ? i + 1 : i;
    return i;
}

/* -- moments and their relations ---------------------------------------------------------------------------------------- */

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
    int64_t day = m->has_date ? m->day : m->part_last ? ag_zone_add(p->zone, today, 'd', -1) : recent_day(p, m->part_from);

    if (m->has_date && m->unit != 'd')
        return false;
    s->from = ag_moment_on(p, day, m->part_from, 0);
    s->to = ag_moment_on(p, day, m->part_to, 0);
    if (!m->has_date || (m->symbolic && strncmp(m->symbolic, "day ", 4) == 0)) {
        const char *base = m->has_date ? m->symbolic : day == today ? "day 0" : "day -1";
        s->symbolic = ag_sayf(p, "%s %02d:%02d-%02d:%02d", base, m->part_from / 60, m->part_from % 60, m->part_to / 60,
                              m->part_to % 60);
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

static void note_kind(const struct ag_moment *m, const struct span *s, struct ag_time_found *f)
{
    f->day_only = m->has_date && !m->has_clock && !m->has_part && m->unit == 'd';
    f->clock_only = m->has_clock && !m->has_date;
    f->dateless = !m->has_date && !m->has_instant && (m->has_clock || (m->has_part && !m->part_last));
    f->instant = s->point;
    f->precision = s->precision;
    if (f->clock_only) {
        f->clock_from = ag_moment_minutes(m);
        f->clock_to = f->clock_from + (int)(precision_us(m->precision) / AG_MINUTE);
    }
}

static size_t relate(struct ag_parse *p, const struct ag_moment *m, enum relation relation, size_t i, size_t end,
                     struct ag_time_found *f)
{
    struct span s;
    int64_t day;

    if (!moment_span(p, m, &s))
        return i;
    note_kind(m, &s, f);
    if (relation != UNTIL && relation != BEFORE && (m->future || s.from > p->now)) {
        ask_future(p);
        return end;
    }
    if (m->midnight && m->has_date && relation == ALONE) {
        ag_stop(p, AG_NEEDS_CLARIFICATION,
                ag_say(p, "그날의 시작인 0시인지 끝인 24시인지 분명하지 않습니다.",
                       "That midnight may be the day's beginning or its end."),
                ag_say(p, "\"0시\" 또는 \"24시\"로 적어 주세요.", "Say 0:00 or 24:00."));
        return end;
    }
    switch (relation) {
    case ALONE:
        if (s.symbolic)
            return settle(p, f, s.symbolic) ? end : i;
        return settle_span(p, f, s.from, s.to, false) ? end : i;
    case SINCE:
        if (m->ago && m->ago_unit != 'q')
            return settle(p, f, rolling(p, (double)m->ago_n, m->ago_unit)) ? end : i;
        if (s.to > p->now && s.symbolic)
            return settle(p, f, s.symbolic) ? end : i;
        f->clock_to = -1;
        return settle_span(p, f, s.from, 0, true) ? end : i;
    case AFTER:
        f->clock_to = -1;
        day = s.point || m->has_part ? s.from : s.to;
        if (day >= p->now) {
            ask_future(p);
            return end;
        }
        return settle_span(p, f, day, 0, true) ? end : i;
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
        return s.from > day && settle_span(p, f, day, s.from, false) ? end : i;
    case AROUND:
        if (!s.point)
            return i;
        day = s.precision == 'h' ? 30 * AG_MINUTE : 5 * AG_MINUTE;
        f->clock_only = false;
        return settle_span(p, f, s.from - day, s.from + day, false) ? end : i;
    }
    return i;
}

/* Gives both ends of a range their half of the day: the second inherits the first's, a first without takes the second's. */
static void inherit(struct ag_moment *a, struct ag_moment *b)
{
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
static bool clock_range(struct ag_parse *p, struct ag_time_found *f, int64_t day, int from, int to)
{
    if (to >= 0 && to <= from)
        to += 1440;
    return settle_span(p, f, ag_moment_on(p, day, from, 0), to < 0 ? 0 : ag_moment_on(p, day, to, 0), to < 0);
}

static size_t range(struct ag_parse *p, struct ag_moment *a, struct ag_moment *b, size_t i, size_t end,
                    struct ag_time_found *f)
{
    struct span first;
    struct span second;

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
        return clock_range(p, f, recent_day(p, from), from, f->clock_to) ? end : i;
    }
    if (a->future) {
        ask_future(p);
        return end;
    }
    if (!moment_span(p, a, &first))
        return i;
    if (b->has_clock && !b->has_date) {
        int64_t day = ag_zone_floor(p->zone, first.from, 'd');
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
    if (first.from >= p->now) {
        ask_future(p);
        return end;
    }
    if (second.to <= first.from)
        return i;
    return settle_span(p, f, first.from, second.to, false) ? end : i;
}

/* What stands before an English moment. */
static bool leading(const struct ag_parse *p, size_t i, enum relation *relation, bool *opens_range)
{
    const struct ag_tokens *t = p->tokens;

    *opens_range = false;
    if (i >= t->count || is_korean(p, i))
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
    } else if (ag_is(t, i, AG_C_TO) && strcmp(text_at(p, i), "to") != 0) {
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

    if (i >= t->count || !is_korean(p, i))
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
    bool particle = ag_is(t, i, AG_C_PARTICLE) && (strcmp(text_at(p, i), "에서") == 0 || strcmp(text_at(p, i), "와") == 0 ||
                                                   strcmp(text_at(p, i), "과") == 0 || strcmp(text_at(p, i), "랑") == 0);

    if (ag_is(t, i, AG_C_FROM) || ag_is(t, i, AG_C_DASH) || particle)
        return i + 1;
    if (ag_is(t, i, AG_C_TO) && !is_korean(p, i))
        return i + 1;
    return opened && ag_is(t, i, AG_C_AND) ? i + 1 : i;
}

/* Behind a range: 까지, 사이, 사이에, 동안. */
static size_t closing(const struct ag_parse *p, size_t i)
{
    const struct ag_tokens *t = p->tokens;

    for (int n = 0; n < 3 && (ag_is(t, i, AG_C_BETWEEN) || (is_korean(p, i) && (ag_is(t, i, AG_C_TO) || ag_is(t, i, AG_C_DURING) ||
                                                                                ag_is(t, i, AG_C_PARTICLE))));
         n++)
        i++;
    return i;
}

static size_t moment_rule(struct ag_parse *p, size_t i, struct ag_time_found *f)
{
    const struct ag_tokens *t = p->tokens;
    struct ag_moment a;
    struct ag_moment b;
    enum relation relation = ALONE;
    bool opened = false;
    bool led = leading(p, i, &relation, &opened);
    bool at_word = strcmp(text_at(p, i), "at") == 0 && !t->items[i].rule;
    size_t start = led || at_word ? i + 1 : i;
    size_t end;
    size_t next;
    size_t second;

    if (led && ag_is(t, start, AG_C_NOISE) && strcmp(text_at(p, start), "the") == 0)
        start++;
    end = ag_moment_read(p, start, opened || at_word, NULL, &a);
    if (end == start)
        return i;
    next = hinge(p, end, opened);
    if (next > end) {
        if ((ag_is(t, next, AG_C_NOW) || ag_is(t, next, AG_C_SO_FAR)) && !ag_is(t, end, AG_C_PARTICLE))
            return relate(p, &a, SINCE, i, closing(p, next + 1), f);
        second = ag_moment_read(p, next, a.has_clock, &a, &b);
        /* 어제와 오늘 is a range only with 사이 behind it. */
        if (ag_is(t, end, AG_C_PARTICLE) && strcmp(ag_word(p, end), "에서") != 0 && !ag_is(t, ag_after(p, second - 1), AG_C_BETWEEN))
            second = next;
        if (second > next && (b.has_clock || b.has_date || b.has_part || b.has_instant) && (!a.bare_number || b.has_clock))
            return range(p, &a, &b, i, closing(p, second), f);
    }
    if (a.bare_number && !at_word)
        return i;
    /* "between" and "from" need both ends, but for "from yesterday". */
    if (led && ag_is(t, i, AG_C_BETWEEN))
        return i;
    if (!led) {
        size_t behind = trailing(p, end, &a, &relation);
        end = behind;
    }
    if (ag_is(t, end, AG_C_DURING) && is_korean(p, end))
        end++;
    /* A lone day of the month is too easily a number of days: it needs a particle or relation, or an ordinal. */
    return relate(p, &a, relation, i, end, f);
}

static size_t now_rule(struct ag_parse *p, size_t i, struct ag_time_found *f)
{
    if (ag_is(p->tokens, i, AG_C_NOW)) {
        f->past_is_vague = true; /* what now means depends on what is asked */
        return settle(p, f, "last 1 minute") ? i + 1 : i;
    }
    if (ag_is(p->tokens, i, AG_C_RECENT)) {
        f->past_is_vague = true;
        return settle(p, f, "last 1 hour") ? i + 1 : i;
    }
    return i;
}

/* -- finding ------------------------------------------------------------------------------------------------------------ */

void ag_zone_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count; i++) {
        const char *zone = ag_value(t, i, AG_C_ZONE);
        const char *city = ag_value(t, i, AG_C_CITY);
        const char *name = zone ? zone : city;
        size_t end = i + 1;
        struct ag_zone *found;
        if (!name)
            continue;
        while (ag_is(t, end, AG_C_IN_ZONE) || (ag_is(t, end, AG_C_PARTICLE) && ag_is(t, end - 1, AG_C_IN_ZONE)) ||
               (ag_is(t, end, AG_C_UNIT) && strcmp(text_at(p, end), "시간") == 0))
            end++;
        if (!zone && end == i + 1)
            continue;
        found = ag_zone_new(name);
        if (!found)
            continue;
        ag_zone_free(p->zone);
        p->zone = found;
        p->zone_name = name;
        ag_consume(t, i, end, "zone");
        return;
    }
}

typedef size_t (*time_rule)(struct ag_parse *, size_t, struct ag_time_found *);

static const struct {
    const char *name;
    time_rule read;
} rules[] = {
    {"rolling", rolling_rule},
    {"the last", last_calendar_rule},
    {"time word", word_rule},
    {"moment", moment_rule},
};

static void find(struct ag_parse *p, const char *name, time_rule read)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count && p->time_count < AG_MAX_TIMES; i++) {
        struct ag_time_found f = {0};
        size_t end;
        if (t->items[i].rule)
            continue;
        end = read(p, i, &f);
        if (end == i)
            continue;
        f.from = i;
        f.to = end;
        ag_consume(t, i, end, name);
        if (f.symbolic)
            p->times[p->time_count++] = f;
        i = end - 1;
    }
}

static int by_place(const void *a, const void *b)
{
    const struct ag_time_found *x = a;
    const struct ag_time_found *y = b;

    return (x->from > y->from) - (x->from < y->from);
}

static void drop(struct ag_parse *p, size_t k)
{
    memmove(&p->times[k], &p->times[k + 1], (p->time_count - k - 1) * sizeof *p->times);
    p->time_count--;
}

/* "between 2 and 3 pm" here, "yesterday" there: one window. */
static void join_clock_and_day(struct ag_parse *p)
{
    for (size_t a = 0; a < p->time_count; a++) {
        for (size_t b = 0; b < p->time_count; b++) {
            struct ag_time_found *clock = &p->times[a];
            struct ag_time_found *day = &p->times[b];
            int64_t start;
            int part_from = -1;
            int part_to = -1;
            int k;
            int minutes[4];
            bool night = strstr(day->symbolic, "20:00-28:00") != NULL || strstr(day->symbolic, "20:00-30:00") != NULL;
            if (sscanf(day->symbolic, "day %d %d:%d-%d:%d", &k, &minutes[0], &minutes[1], &minutes[2], &minutes[3]) == 5) {
                part_from = minutes[0] * 60 + minutes[1];
                part_to = minutes[2] * 60 + minutes[3];
            }
            if (a == b || !clock->clock_only || !(day->day_only || night || part_from >= 0))
                continue;
            /* "between 2 and 3 this afternoon": the half of the day is the part's. */
            if (!night && part_from >= 0 && clock->clock_to > 0) {
                int shift = clock->clock_from < part_from && clock->clock_from + 720 >= part_from && clock->clock_to + 720 <= part_to ? 720 : 0;
                if (clock->clock_from + shift < part_from || clock->clock_to + shift > part_to)
                    continue;
                clock->clock_from += shift;
                clock->clock_to += shift;
            }
            start = ag_zone_floor(p->zone, day->from_us, 'd');
            if (night && clock->clock_from < 720)
                start = ag_zone_add(p->zone, start, 'd', 1);
            if (ag_moment_on(p, start, clock->clock_from, 0) >= p->now) {
                ask_future(p);
                return;
            }
            if (!clock_range(p, clock, start, clock->clock_from, clock->clock_to))
                return;
            clock->clock_only = clock->dateless = false;
            drop(p, b);
            return;
        }
    }
}

void ag_times_find(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t k = 0; k < sizeof rules / sizeof *rules; k++)
        find(p, rules[k].name, rules[k].read);
    if (p->time_count == 0)
        find(p, "now", now_rule);
    qsort(p->times, p->time_count, sizeof *p->times, by_place);
    join_clock_and_day(p);
    for (size_t i = 0; i < t->count; i++) {
        /* With a window said, "so far", "now" and "recently" say nothing more; a window to come does. */
        if (p->time_count > 0 && (ag_is(t, i, AG_C_SO_FAR) || ag_is(t, i, AG_C_NOW) || ag_is(t, i, AG_C_RECENT)))
            ag_consume(t, i, i + 1, "now");
        if (ag_is(t, i, AG_C_FUTURE) && !p->stopped)
            ag_stop(p, AG_NOT_UNDERSTOOD,
                    ag_say(p, "아직 오지 않은 시간의 로그는 없고, 예측은 하지 않습니다.",
                           "There are no logs of a time to come, and nothing is predicted here."),
                    ag_say(p, "지난 시간으로 물어봐 주세요. 예: \"어제 에러 건수\"", "Ask about the past, for example \"errors yesterday\"."));
        if (ag_is(t, i, AG_C_UNSUPPORTED_TIME) && !p->stopped)
            ag_stop(p, AG_NOT_UNDERSTOOD,
                    ag_say(p, "평일이나 업무 시간처럼 나뉜 시간은 아직 다루지 않습니다.",
                           "Times in pieces, such as weekdays or business hours, are not supported yet."),
                    ag_say(p, "이어진 시간으로 물어봐 주세요. 예: \"어제 9시부터 18시까지 에러\"",
                           "Ask for one stretch, for example \"errors from 9:00 to 18:00 yesterday\"."));
    }
}
