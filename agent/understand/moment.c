/*
 * Reading moments. Dates (date.c), clocks and parts of the day each look at one place and say where they end;
 * the loop in ag_moment_read puts them together in any order.
 */
#include "agent/understand/moment.h"

#include "agent/understand/date.h"

#include <stdio.h>
#include <string.h>

static enum ag_meridiem meridiem_at(const struct ag_tokens *t, size_t i)
{
    const char *night = ag_value(t, i, AG_C_NIGHT);

    if (night)
        return strcmp(night, "dawn") == 0 ? AG_IS_DAWN : AG_IS_NIGHT;
    if (ag_is(t, i, AG_C_AM))
        return AG_IS_AM;
    if (ag_is(t, i, AG_C_PM))
        return AG_IS_PM;
    return AG_NO_MERIDIEM;
}

/* "in the morning", "at night", "in the afternoon" behind a clock. */
static size_t trailing_part(const struct ag_tokens *t, size_t i, struct ag_moment *m)
{
    size_t at = ag_date_skip(t, i);
    const char *part = at > i ? ag_value(t, at, AG_C_PART) : NULL;

    if (!part || (unsigned char)t->items[at].text[0] >= 0x80)
        return i;
    if (strcmp(t->items[at].text, "morning") == 0)
        m->meridiem = AG_IS_AM;
    else if (strcmp(t->items[at].text, "afternoon") == 0 || strcmp(t->items[at].text, "evening") == 0)
        m->meridiem = AG_IS_PM;
    else if (strcmp(t->items[at].text, "night") == 0)
        m->meridiem = AG_IS_NIGHT;
    else
        return i;
    return at + 1;
}

/* The day of "this morning", and of "last night" the one it began on. */
static void day_of_part(const struct ag_parse *p, bool last, struct ag_moment *m)
{
    int64_t today = ag_zone_floor(p->zone, p->now, 'd');

    m->has_date = true;
    m->unit = 'd';
    m->day = last ? ag_zone_add(p->zone, today, 'd', -1) : today;
    m->day_end = ag_zone_add(p->zone, m->day, 'd', 1);
}

/* "9 this morning", "8 last night", "7 yesterday evening": the day and its part behind a number, which is an
 * hour by them. The token behind, or `i`. */
static size_t day_and_part(struct ag_parse *p, size_t i, struct ag_moment *m)
{
    static const struct {
        const char *text;
        enum ag_meridiem meridiem;
    } parts[] = {{"this morning", AG_IS_AM},
                 {"this afternoon", AG_IS_PM},
                 {"this evening", AG_IS_PM},
                 {"last night", AG_IS_NIGHT},
                 {"yesterday night", AG_IS_NIGHT},
                 {"morning", AG_IS_AM},
                 {"afternoon", AG_IS_PM},
                 {"evening", AG_IS_PM},
                 {"night", AG_IS_NIGHT}};
    struct ag_moment day = *m;
    size_t at = i;
    bool dated = ag_is(p->tokens, i, AG_C_DAY_REF) && !ag_is_korean(p, i);

    if (dated && (at = ag_date_read(p, i, NULL, &day)) == i)
        return i;
    for (size_t k = 0; ag_is(p->tokens, at, AG_C_PART) && k < sizeof parts / sizeof *parts; k++) {
        bool last = strcmp(ag_value(p->tokens, at, AG_C_PART), "last 20:00-28:00") == 0;
        if (strcmp(ag_word(p, at), parts[k].text) != 0 || (!dated && strchr(parts[k].text, ' ') == NULL))
            continue;
        if (!dated)
            day_of_part(p, last, &day);
        *m = day;
        m->meridiem = parts[k].meridiem;
        return at + 1;
    }
    return i;
}

/* 9~11시, "10-11am", "12-13h", "6 to 8pm": a number at `i` that is an hour by what stands at the other end.
 */
static bool opens_dash(const struct ag_tokens *t, size_t i)
{
    size_t to = i + 2;

    if (ag_is(t, i + 1, AG_C_TO) && (unsigned char)t->items[i + 1].text[0] < 0x80 &&
        ag_is(t, to, AG_C_NUMBER) && (ag_is(t, to + 1, AG_C_AM) || ag_is(t, to + 1, AG_C_PM)))
        return true;
    return ag_is(t, i + 1, AG_C_DASH) && t->items[i + 1].glued && to < t->count && t->items[to].glued &&
           (ag_is(t, to, AG_C_CLOCK) ||
            (ag_is(t, to, AG_C_NUMBER) &&
             (ag_is(t, to + 1, AG_C_OCLOCK) || ag_is(t, to + 1, AG_C_AM) || ag_is(t, to + 1, AG_C_PM) ||
              (ag_is_unit(t, to + 1, "h") && strcmp(t->items[to + 1].text, "h") == 0))));
}

/* "half past 9", "quarter to ten", "a quarter past nine": the token behind, or `i`. */
static size_t spoken_clock(const struct ag_parse *p, size_t i, struct ag_moment *m)
{
    bool half = strcmp(ag_word(p, i), "half") == 0;
    bool quarter = strcmp(ag_word(p, i), "quarter") == 0;
    bool past = strcmp(ag_word(p, i + 1), "past") == 0;
    int hour;

    if (!(half && past) && !(quarter && (past || strcmp(ag_word(p, i + 1), "to") == 0)))
        return i;
    /* A quarter to twelve at night is of the day before. */
    if (!ag_is_whole(p->tokens, i + 2, 1, past ? 12 : 11, &hour) || ag_is(p->tokens, i + 3, AG_C_UNIT))
        return i;
    m->hour = past ? hour : hour - 1;
    m->minute = half ? 30 : past ? 15 : 45;
    m->precision = 'm';
    return i + 3;
}

/* 오후 2시 30분, 밤 12시, 3시 반, 14:05, 2:30pm, 2 pm, noon */
static size_t read_clock(struct ag_parse *p, size_t i, bool bare, struct ag_moment *m)
{
    const struct ag_tokens *t = p->tokens;
    enum ag_meridiem before = meridiem_at(t, i);
    size_t at = i;
    size_t end;
    bool spoken = false;
    int value;

    m->meridiem = AG_NO_MERIDIEM;
    m->minute = m->second = 0;
    if (ag_is(t, i, AG_C_NOON) || ag_is(t, i, AG_C_MIDNIGHT)) {
        m->has_clock = true;
        m->midnight = ag_is(t, i, AG_C_MIDNIGHT);
        m->hour = m->midnight ? 0 : 12;
        m->precision = 'h';
        m->from_24h = true;
        return i + 1;
    }
    if (before != AG_NO_MERIDIEM)
        at = i + 1;
    if (ag_is(t, at, AG_C_CLOCK)) {
        const struct ag_written_time *w = &t->items[at].time;
        m->hour = w->hour;
        m->minute = w->minute;
        m->second = w->second < 0 ? 0 : w->second;
        m->precision = w->second >= 0 ? 's' : 'm';
        m->from_24h = true;
        m->leading_zero = t->items[at].text[0] == '0';
        end = at + 1;
    } else if (ag_is_whole(t, at, 0, 24, &value) && ag_is(t, at + 1, AG_C_OCLOCK)) {
        m->hour = value;
        m->precision = 'h';
        end = at + 2;
        if (ag_is(t, end, AG_C_HALF)) {
            m->minute = 30;
            m->precision = 'm';
            end++;
        } else if (ag_is_whole(t, end, 0, 59, &value) && ag_is_unit(t, end + 1, "m")) {
            m->minute = value;
            m->precision = 'm';
            end += 2;
            if (ag_is_whole(t, end, 0, 59, &value) && ag_is_unit(t, end + 1, "s")) {
                m->second = value;
                m->precision = 's';
                end += 2;
            }
        }
    } else if (ag_is_whole(t, at, 0, 24, &value) && before == AG_NO_MERIDIEM &&
               (ag_is(t, at + 1, AG_C_AM) || ag_is(t, at + 1, AG_C_PM)) &&
               (unsigned char)t->items[at + 1].text[0] < 0x80) {
        m->hour = value;
        m->precision = 'h';
        end = at + 1;
    } else if (before == AG_NO_MERIDIEM && (end = spoken_clock(p, at, m)) > at) {
        spoken = true;
    } else if (ag_is_whole(t, at, 0, 24, &value) && opens_dash(t, at)) {
        m->hour = value;
        m->precision = 'h';
        m->bare_number = true;
        end = at + 1;
    } else if (bare && at > 0 && ag_is_whole(t, at, 0, 24, &value) && ag_is(t, at - 1, AG_C_DASH) &&
               ag_is_unit(t, at + 1, "h") && strcmp(t->items[at + 1].text, "h") == 0) {
        m->hour = value;
        m->precision = 'h';
        end = at + 2;
    } else if (bare && before == AG_NO_MERIDIEM && ag_is_whole(t, at, 0, 24, &value) &&
               !ag_is(t, at + 1, AG_C_UNIT) && !ag_is(t, at + 1, AG_C_COUNTER) &&
               !ag_is(t, at + 1, AG_C_PERCENT)) {
        m->hour = value;
        m->precision = 'h';
        m->bare_number = true;
        end = at + 1;
    } else {
        return i;
    }
    m->has_clock = true;
    m->meridiem = before;
    if (before == AG_NO_MERIDIEM) {
        enum ag_meridiem after = end < t->count && (unsigned char)t->items[end].text[0] < 0x80
                                     ? meridiem_at(t, end)
                                     : AG_NO_MERIDIEM;
        if (after == AG_IS_AM || after == AG_IS_PM) {
            m->meridiem = after;
            end++;
            m->bare_number = false;
        } else {
            size_t part = trailing_part(t, end, m);
            if (part == end && (m->bare_number || spoken))
                part = day_and_part(p, end, m);
            m->bare_number = m->bare_number && part == end;
            end = part;
        }
    }
    if (m->meridiem != AG_NO_MERIDIEM)
        m->from_24h = false;
    return end;
}

static size_t read_part(struct ag_parse *p, size_t i, struct ag_moment *m)
{
    const char *value = ag_value(p->tokens, i, AG_C_PART);
    int h1, m1, h2, m2;
    bool last = value && strncmp(value, "last ", 5) == 0;

    if (!value || sscanf(value + (last ? 5 : 0), "%d:%d-%d:%d", &h1, &m1, &h2, &m2) != 4)
        return i;
    m->has_part = true;
    m->part_last = last;
    m->part_from = h1 * 60 + m1;
    m->part_to = h2 * 60 + m2;
    return i + 1;
}

/* 어젯밤 11시, 어제 밤 12시: an hour of the night that began yesterday. */
static void place_in_last_night(const struct ag_parse *p, struct ag_moment *m)
{
    day_of_part(p, true, m);
    if (!m->from_24h && m->meridiem == AG_NO_MERIDIEM)
        m->meridiem = AG_IS_NIGHT;
}

size_t ag_moment_read(struct ag_parse *p, size_t i, bool bare, const struct ag_moment *anchor,
                      struct ag_moment *out)
{
    size_t end = i;

    *out = (struct ag_moment){0};
    for (size_t at = i; at < p->tokens->count;) {
        struct ag_moment next = *out;
        size_t got = at;
        if (!out->has_clock && !out->has_instant && (got = read_clock(p, at, bare, &next)) > at &&
            next.has_clock)
            ;
        else if (!out->has_date && !out->has_instant &&
                 (next = *out, got = ag_date_read(p, at, anchor, &next)) > at)
            ;
        else if (!out->has_part && !out->has_clock && !out->has_instant &&
                 (next = *out, got = read_part(p, at, &next)) > at)
            ;
        else
            break;
        *out = next;
        end = got;
        if (out->has_instant || (out->bare_number && !out->has_date))
            break;
        at = ag_date_skip(p->tokens, end);
    }
    if (out->has_part && out->part_last && out->has_clock && !out->has_date)
        place_in_last_night(p, out);
    return end;
}

int ag_moment_minutes(const struct ag_moment *m)
{
    int hour = m->hour;

    if (hour > 12 || m->meridiem == AG_NO_MERIDIEM)
        return hour * 60 + m->minute;
    switch (m->meridiem) {
    case AG_IS_AM:
    case AG_IS_DAWN:
        hour = hour == 12 ? 0 : hour;
        break;
    case AG_IS_PM:
        hour = hour == 12 || hour == 0 ? 12 : hour + 12;
        break;
    case AG_IS_NIGHT:
        /* 밤 12시 is 24:00, 밤 1시 the small hours of the next day, 밤 9시 the evening. */
        hour = hour == 12 || hour == 0 ? 24 : hour < 6 ? 24 + hour : 12 + hour;
        break;
    case AG_NO_MERIDIEM:
        break;
    }
    return hour * 60 + m->minute;
}

int64_t ag_moment_on(const struct ag_parse *p, int64_t day, int minutes, int seconds)
{
    struct ag_local local = ag_zone_local(p->zone, day);

    local.day += minutes / 1440;
    local.hour = minutes % 1440 / 60;
    local.minute = minutes % 60;
    local.second = seconds;
    local.microsecond = 0;
    return ag_zone_instant(p->zone, &local);
}
