/*
 * Reading dates. Each function looks at one place for one way to say a date, sets the span of `m` and says
 * where it ends, or gives back where it began.
 */
#include "agent/understand/date.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 9시~10시랑 어제: two times, and no day of those hours. */
static bool lists(const struct ag_token *token)
{
    static const char *const words[] = {"랑", "이랑", "와", "과", "하고"};

    for (size_t k = 0; k < sizeof words / sizeof *words; k++) {
        if (strcmp(token->text, words[k]) == 0)
            return true;
    }
    return false;
}

size_t ag_date_skip(const struct ag_tokens *t, size_t i)
{
    while (i < t->count && !t->items[i].rule &&
           ((ag_is(t, i, AG_C_PARTICLE) && !lists(&t->items[i])) || ag_is(t, i, AG_C_PREPOSITION) ||
            (ag_is(t, i, AG_C_NOISE) && strcmp(t->items[i].text, "the") == 0)))
        i++;
    return i;
}

static char unit_of(const char *name)
{
    return strcmp(name, "month") == 0 ? 'M' : name[0];
}

static void set_span(struct ag_moment *m, int64_t from, int64_t to, char unit, const char *symbolic)
{
    m->has_date = true;
    m->day = from;
    m->day_end = to;
    m->unit = unit;
    m->symbolic = symbolic;
}

static void set_calendar(struct ag_parse *p, struct ag_moment *m, char unit, const char *name, int64_t k)
{
    int64_t current = ag_zone_floor(p->zone, p->now, unit);

    set_span(m, ag_zone_add(p->zone, current, unit, k), ag_zone_add(p->zone, current, unit, k + 1), unit,
             ag_sayf(p, "%s %lld", name, (long long)k));
}

static int64_t date_start(const struct ag_parse *p, int year, int month, int day)
{
    struct ag_local local = {.year = year, .month = month, .day = day};

    return ag_zone_instant(p->zone, &local);
}

static int month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : days[month - 1];
}

/* Year -1: this year, or the one before where that would lie ahead. Day -1: the month. False for a date that
 * does not exist. */
static bool set_date(struct ag_parse *p, struct ag_moment *m, int year, int month, int day)
{
    struct ag_local today = ag_zone_local(p->zone, p->now);
    bool guessed = year < 0;

    if (guessed)
        year = today.year;
    if (guessed && date_start(p, year, month, day > 0 ? day : 1) > p->now)
        year--;
    if (day > month_days(year, month)) {
        /* 29 February without a year is the last one there was. */
        while (guessed && month == 2 && day == 29 && month_days(year, 2) != 29)
            year--;
        if (day > month_days(year, month))
            return false;
    }
    if (day > 0)
        set_span(m, date_start(p, year, month, day), date_start(p, year, month, day + 1), 'd', NULL);
    else
        set_span(m, date_start(p, year, month, 1), date_start(p, year, month + 1, 1), 'M', NULL);
    m->future = m->day > p->now;
    return true;
}

/* "the first half of March", 올해 상반기: of a month 15 days and the rest, of a year six months each. */
static bool half(struct ag_parse *p, size_t i, struct ag_moment *m)
{
    const char *start = ag_value(p->tokens, i, AG_C_MONTH_START);
    const char *end = ag_value(p->tokens, i, AG_C_MONTH_END);
    bool first = start && strcmp(start, "half") == 0;
    struct ag_local local = ag_zone_local(p->zone, m->day);
    int64_t middle;

    if (!(first || (end && strcmp(end, "half") == 0)) || (m->unit != 'M' && m->unit != 'y'))
        return false;
    middle = m->unit == 'M' ? date_start(p, local.year, local.month, 16) : date_start(p, local.year, 7, 1);
    *(first ? &m->day_end : &m->day) = middle;
    m->symbolic = NULL;
    m->unit = 't';
    m->future = m->day > p->now;
    return true;
}

/* The third of a month that 초, 중순, 말 name, or its half; narrows what `m` holds. */
static size_t third(struct ag_parse *p, size_t i, struct ag_moment *m)
{
    struct ag_local start = ag_zone_local(p->zone, m->day);
    int64_t tenth = date_start(p, start.year, start.month, 11);
    int64_t twentieth = date_start(p, start.year, start.month, 21);

    if (half(p, i, m))
        return i + 1;
    if (m->unit != 'M')
        return i;
    if (ag_is(p->tokens, i, AG_C_MONTH_START))
        m->day_end = tenth;
    else if (ag_is(p->tokens, i, AG_C_MONTH_MIDDLE))
        m->day = tenth, m->day_end = twentieth;
    else if (ag_is(p->tokens, i, AG_C_MONTH_END))
        m->day = twentieth;
    else
        return i;
    m->symbolic = NULL;
    m->unit = 't';
    m->future = m->day > p->now;
    return i + 1;
}

/* The weekday of the week that starts at `week`. */
static void set_weekday_of(struct ag_parse *p, struct ag_moment *m, int64_t week, int weekday)
{
    int64_t day = ag_zone_add(p->zone, week, 'd', weekday - 1);

    set_span(m, day, ag_zone_add(p->zone, day, 'd', 1), 'd', NULL);
    m->weekday = true;
    m->future = day > p->now;
}

/* The most recent one, today included unless `before`. */
static void set_weekday(struct ag_parse *p, struct ag_moment *m, int weekday, bool before)
{
    int64_t today = ag_zone_floor(p->zone, p->now, 'd');
    int back = (ag_zone_local(p->zone, today).weekday - weekday + 7) % 7;
    int64_t day = ag_zone_add(p->zone, today, 'd', -(back == 0 && before ? 7 : back));

    set_span(m, day, ag_zone_add(p->zone, day, 'd', 1), 'd', NULL);
    m->weekday = true;
}

static void set_weekend(struct ag_parse *p, struct ag_moment *m, bool before)
{
    int64_t week = ag_zone_floor(p->zone, p->now, 'w');
    int64_t saturday = ag_zone_add(p->zone, week, 'd', 5);

    if (saturday > p->now || before)
        saturday = ag_zone_add(p->zone, saturday, 'd', -7);
    set_span(m, saturday, ag_zone_add(p->zone, saturday, 'd', 2), 'e', NULL);
}

static size_t read_calendar(struct ag_parse *p, size_t i, struct ag_moment *m)
{
    const struct ag_tokens *t = p->tokens;
    const char *value = ag_value(t, i, AG_C_CALENDAR);
    char name[16];
    long k;
    char unit;
    size_t next;
    const char *weekday;
    int day;

    if (!value || sscanf(value, "%15s %ld", name, &k) != 2)
        return i;
    unit = unit_of(name);
    set_calendar(p, m, unit, name, k);
    next = ag_date_skip(t, i + 1);
    if (unit == 'w' && (weekday = ag_value(t, next, AG_C_WEEKDAY)) != NULL) {
        set_weekday_of(p, m, m->day, weekday[0] - '0');
        return next + 1;
    }
    if (unit == 'w' && ag_is(t, next, AG_C_WEEKEND)) {
        int64_t saturday = ag_zone_add(p->zone, m->day, 'd', 5);
        set_span(m, saturday, ag_zone_add(p->zone, saturday, 'd', 2), 'e', NULL);
        m->future = saturday > p->now;
        return next + 1;
    }
    if (unit == 'y' && half(p, next, m))
        return next + 1;
    if (unit == 'M') {
        struct ag_local start = ag_zone_local(p->zone, m->day);
        size_t end = third(p, next, m);
        if (end > next)
            return end;
        if (ag_is_whole(t, next, 1, 31, &day) && ag_is_unit(t, next + 1, "d") &&
            set_date(p, m, start.year, start.month, day))
            return next + 2;
    }
    return i + 1;
}

static size_t read_weekday(struct ag_parse *p, size_t i, struct ag_moment *m)
{
    const struct ag_tokens *t = p->tokens;
    bool before = ag_is(t, i, AG_C_LAST) || ag_is(t, i, AG_C_PAST);
    size_t at = before || ag_is(t, i, AG_C_THIS) ? i + 1 : i;
    const char *weekday = ag_value(t, at, AG_C_WEEKDAY);
    size_t next;
    const char *value;
    long k = 0;

    if (ag_is(t, at, AG_C_WEEKEND)) {
        set_weekend(p, m, before && ag_zone_local(p->zone, p->now).weekday >= 6);
        return at + 1;
    }
    if (!weekday)
        return i;
    /* "Friday of last week" */
    next = ag_date_skip(t, at + 1);
    value = next > at + 1 ? ag_value(t, next, AG_C_CALENDAR) : NULL;
    if (value && sscanf(value, "week %ld", &k) == 1) {
        int64_t week = ag_zone_add(p->zone, ag_zone_floor(p->zone, p->now, 'w'), 'w', k);
        set_weekday_of(p, m, week, weekday[0] - '0');
        return next + 1;
    }
    set_weekday(p, m, weekday[0] - '0', before);
    return at + 1;
}

/* A day of a month that is not named: the most recent one, or of the month said before it. */
static bool set_lone_day(struct ag_parse *p, const struct ag_moment *anchor, int day, struct ag_moment *m)
{
    bool anchored = anchor && anchor->has_date;
    struct ag_local base = ag_zone_local(p->zone, anchored ? anchor->day : p->now);

    if (!anchored && day > base.day && --base.month == 0) {
        base.month = 12;
        base.year--;
    }
    if (!set_date(p, m, base.year, base.month, day))
        return false;
    m->day_of_month = true;
    return true;
}

/* 2026년 3월 1일, 3월 15일, 3월 초, 2025년, 15일 */
static size_t read_korean_date(struct ag_parse *p, size_t i, const struct ag_moment *anchor,
                               struct ag_moment *m)
{
    const struct ag_tokens *t = p->tokens;
    int year = -1;
    int month;
    int day = -1;
    size_t at = i;

    if (ag_is_whole(t, at, 1970, 2199, &year) && ag_is_unit(t, at + 1, "y")) {
        at += 2;
        if (!(ag_is_whole(t, at, 1, 12, &month) && ag_is_unit(t, at + 1, "month_of_year"))) {
            set_span(m, date_start(p, year, 1, 1), date_start(p, year + 1, 1, 1), 'y', NULL);
            m->future = m->day > p->now;
            return half(p, ag_date_skip(t, at), m) ? ag_date_skip(t, at) + 1 : at;
        }
    } else {
        year = -1;
    }
    if (ag_is_whole(t, at, 1, 12, &month) && ag_is_unit(t, at + 1, "month_of_year")) {
        size_t next = at + 2;
        if (ag_is_whole(t, next, 1, 31, &day) && ag_is_unit(t, next + 1, "d"))
            return set_date(p, m, year, month, day) ? next + 2 : i;
        if (!set_date(p, m, year, month, -1))
            return i;
        return third(p, ag_date_skip(t, next), m) > ag_date_skip(t, next) ? ag_date_skip(t, next) + 1 : next;
    }
    if (year < 0 && ag_is_whole(t, at, 1, 31, &day) && ag_is_unit(t, at + 1, "d") && t->items[at + 1].glued &&
        ag_is_korean(p, at + 1)) /* "7d" is seven days */
        return set_lone_day(p, anchor, day, m) ? at + 2 : i;
    return i;
}

/* March 15th 2026, 15 March, Mar 15, in March, the 15th */
static size_t read_english_date(struct ag_parse *p, size_t i, const struct ag_moment *anchor,
                                struct ag_moment *m)
{
    const struct ag_tokens *t = p->tokens;
    const char *month = ag_value(t, i, AG_C_MONTH_NAME);
    int year = -1;
    int day = -1;
    size_t at = i + 1;

    if (month) {
        if (ag_is_whole(t, at, 1, 31, &day) && !ag_is(t, at + 1, AG_C_AM) && !ag_is(t, at + 1, AG_C_PM)) {
            at++;
            if (ag_is(t, at, AG_C_ORDINAL))
                at++;
        } else {
            day = -1;
        }
    } else if (ag_is_whole(t, i, 1, 31, &day)) {
        if (ag_is(t, at, AG_C_ORDINAL))
            at++;
        month = ag_value(t, ag_date_skip(t, at), AG_C_MONTH_NAME);
        if (month) {
            at = ag_date_skip(t, at) + 1;
        } else if (ag_is(t, i + 1, AG_C_ORDINAL)) {
            return set_lone_day(p, anchor, day, m) ? at : i;
        }
    }
    if (!month)
        return i;
    {
        size_t comma = ag_is(t, at, AG_C_COMMA) ? at + 1 : at;
        if (ag_is_whole(t, comma, 1970, 2199, &year))
            at = comma + 1;
        else
            year = -1;
    }
    if (!set_date(p, m, year, atoi(month), day))
        return i;
    if (day < 0)
        at = third(p, at, m);
    return at;
}

/* "first half of March", "the second half of last month", "early March" */
static size_t read_third(struct ag_parse *p, size_t i, struct ag_moment *m)
{
    size_t next = ag_date_skip(p->tokens, i + 1);
    size_t end;

    if (ag_is_korean(p, i) ||
        !(ag_is(p->tokens, i, AG_C_MONTH_START) || ag_is(p->tokens, i, AG_C_MONTH_MIDDLE) ||
          ag_is(p->tokens, i, AG_C_MONTH_END)))
        return i;
    end = read_calendar(p, next, m);
    if (end == next)
        end = read_english_date(p, next, NULL, m);
    if (end > next && third(p, i, m) > i)
        return end;
    *m = (struct ag_moment){.has_date = false};
    return i;
}

static size_t read_written_date(struct ag_parse *p, size_t i, struct ag_moment *m)
{
    const struct ag_tokens *t = p->tokens;
    const struct ag_written_time *w = &t->items[i].time;

    if (ag_is(t, i, AG_C_DATE))
        return set_date(p, m, w->year, w->month, w->day) ? i + 1 : i;
    if (ag_is(t, i, AG_C_MONTH_DATE))
        return set_date(p, m, -1, w->month, w->day) ? i + 1 : i;
    if (ag_is(t, i, AG_C_YEAR_MONTH))
        return set_date(p, m, w->year, w->month, -1) ? i + 1 : i;
    if (ag_is(t, i, AG_C_INSTANT)) {
        struct ag_local local = {.year = w->year,
                                 .month = w->month,
                                 .day = w->day,
                                 .hour = w->hour,
                                 .minute = w->minute,
                                 .second = w->second < 0 ? 0 : w->second,
                                 .microsecond = w->microsecond};
        m->has_instant = true;
        if (w->zoned) {
            struct ag_zone *utc = ag_zone_new("UTC");
            if (!utc)
                return i;
            m->instant = ag_zone_instant(utc, &local) - w->offset * AG_SECOND;
            ag_zone_free(utc);
        } else {
            m->instant = ag_zone_instant(p->zone, &local);
        }
        /* Written to the full minute it names the minute, as the clock on the wall would. */
        m->precision = w->second > 0 || w->microsecond > 0 ? 's' : 'm';
        m->future = m->instant > p->now;
        return i + 1;
    }
    return i;
}

/* 10 or 13 digits: seconds or milliseconds since 1970. */
static size_t read_epoch(struct ag_parse *p, size_t i, struct ag_moment *m)
{
    const struct ag_token *token = i < p->tokens->count ? &p->tokens->items[i] : NULL;
    size_t digits = token ? strlen(token->text) : 0;

    if (!ag_is(p->tokens, i, AG_C_NUMBER) || strspn(token->text, "0123456789") != digits)
        return i;
    if (digits != 10 && digits != 13)
        return i;
    m->has_instant = true;
    m->instant = (int64_t)token->number * (digits == 10 ? AG_SECOND : 1000);
    m->precision = 's';
    m->future = m->instant > p->now;
    return i + 1;
}

/* "3 days ago", 이틀 전, 일주일 전, "a week ago": the unit that long ago, a day from weeks on up. */
static size_t read_ago(struct ag_parse *p, size_t i, struct ag_moment *m)
{
    const struct ag_tokens *t = p->tokens;
    const char *span = ag_value(t, i, AG_C_SPAN);
    const char *per = ag_value(t, i, AG_C_PER);
    const char *unit = NULL;
    char name[16] = "";
    long n = 0;
    char u;
    int64_t back;
    size_t at;

    if (span && sscanf(span, "%ld %15s", &n, name) == 2) {
        unit = strcmp(name, "month") == 0 ? "M" : name;
        at = i + 1;
    } else if (per && ag_is(t, i + 1, AG_C_AGO)) {
        n = 1;
        unit = per;
        at = i + 1;
    } else if (ag_is(t, i, AG_C_NUMBER) && t->items[i].number >= 1 && t->items[i].number <= 100000 &&
               t->items[i].number == (double)(long)t->items[i].number &&
               (unit = ag_value(t, i + 1, AG_C_UNIT)) != NULL) {
        n = (long)t->items[i].number;
        at = i + 2;
    } else {
        return i;
    }
    if (!ag_is(t, at, AG_C_AGO) || strcmp(unit, "ms") == 0 || strcmp(unit, "month_of_year") == 0)
        return i;
    u = unit[0];
    if ((u == 'M' || u == 'q' || u == 'y') && n > 1200)
        return i;
    m->ago = true;
    m->ago_n = n;
    m->ago_unit = u;
    back = u == 's' || u == 'm' || u == 'h' ? p->now - n * (u == 's'   ? AG_SECOND
                                                            : u == 'm' ? AG_MINUTE
                                                                       : AG_HOUR)
                                            : ag_zone_add(p->zone, p->now, u, -n);
    if (u == 's' || u == 'm' || u == 'h') {
        int64_t start = ag_zone_floor(p->zone, back, u);
        set_span(m, start, start + (u == 's' ? AG_SECOND : u == 'm' ? AG_MINUTE : AG_HOUR), u, NULL);
        if (u != 's')
            m->symbolic = ag_sayf(p, "%s %ld", u == 'm' ? "minute" : "hour", -n);
    } else {
        int64_t start = ag_zone_floor(p->zone, back, 'd');
        set_span(m, start, ag_zone_add(p->zone, start, 'd', 1), 'd', NULL);
        if (u == 'd' || u == 'w')
            m->symbolic = ag_sayf(p, "day %ld", u == 'w' ? -7 * n : -n);
    }
    return at + 1;
}

size_t ag_date_read(struct ag_parse *p, size_t i, const struct ag_moment *anchor, struct ag_moment *m)
{
    const char *day = ag_value(p->tokens, i, AG_C_DAY_REF);
    size_t at;

    if (day) {
        set_calendar(p, m, 'd', "day", atoi(day));
        return i + 1;
    }
    if ((at = read_ago(p, i, m)) > i || (at = read_epoch(p, i, m)) > i ||
        (at = read_written_date(p, i, m)) > i || (at = read_third(p, i, m)) > i ||
        (at = read_calendar(p, i, m)) > i || (at = read_weekday(p, i, m)) > i ||
        (at = read_korean_date(p, i, anchor, m)) > i)
        return at;
    return read_english_date(p, i, anchor, m);
}
