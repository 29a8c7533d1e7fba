/*
 * Resolves canonical window texts. See time.h for the grammar; nothing here knows a language.
 */
#include "agent/understand/time.h"

#include "agent/understand/zone.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define MAX_COUNT 1000000
/* Windows start no earlier than this: about the year 1900, well inside every arithmetic here. */
#define EARLIEST (-INT64_C(2208988800) * AG_SECOND)

struct scan {
    const char *at;
};

static bool word(struct scan *s, const char *text)
{
    size_t len = strlen(text);

    if (strncmp(s->at, text, len) != 0)
        return false;
    s->at += len;
    return true;
}

static bool integer(struct scan *s, int64_t *out)
{
    bool negative = *s->at == '-';
    const char *digits = s->at + negative;
    int64_t value = 0;
    size_t n = 0;

    for (; isdigit((unsigned char)digits[n]); n++) {
        if (n >= 7)
            return false;
        value = value * 10 + (digits[n] - '0');
    }
    if (n == 0)
        return false;
    *out = negative ? -value : value;
    s->at = digits + n;
    return true;
}

static bool unit(struct scan *s, char *out)
{
    static const struct {
        const char *name;
        char unit;
    } units[] = {{"second", 's'}, {"minute", 'm'}, {"hour", 'h'},    {"day", 'd'},
                 {"week", 'w'},   {"month", 'M'},  {"quarter", 'q'}, {"year", 'y'}};

    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (word(s, units[i].name)) {
            *out = units[i].unit;
            return true;
        }
    }
    return false;
}

/* Rolling: hours, days and weeks are fixed spans; months and longer follow the calendar and clip. */
static int64_t roll_back(const struct ag_zone *zone, int64_t from, char u, int64_t n)
{
    switch (u) {
    case 's':
        return from - n * AG_SECOND;
    case 'm':
        return from - n * AG_MINUTE;
    case 'h':
        return from - n * AG_HOUR;
    case 'd':
        return from - n * AG_DAY;
    case 'w':
        return from - n * 7 * AG_DAY;
    default:
        return ag_zone_add(zone, from, u, -n);
    }
}

static bool two_digits(struct scan *s, int low, int high, int *out)
{
    if (!isdigit((unsigned char)s->at[0]) || !isdigit((unsigned char)s->at[1]))
        return false;
    *out = (s->at[0] - '0') * 10 + (s->at[1] - '0');
    s->at += 2;
    return *out >= low && *out <= high;
}

/* An RFC 3339 instant with offset or Z. */
static bool instant(struct scan *s, int64_t *out)
{
    struct ag_zone *utc;
    struct ag_local t = {0};
    int hour = 0;
    int minute = 0;
    int high;
    int low;

    if (!two_digits(s, 0, 99, &high) || !two_digits(s, 0, 99, &low) || !word(s, "-"))
        return false;
    t.year = high * 100 + low;
    if (!two_digits(s, 1, 12, &t.month) || !word(s, "-") || !two_digits(s, 1, 31, &t.day) || !word(s, "T") ||
        !two_digits(s, 0, 23, &t.hour) || !word(s, ":") || !two_digits(s, 0, 59, &t.minute) ||
        !word(s, ":") || !two_digits(s, 0, 59, &t.second))
        return false;
    if (word(s, ".")) {
        int scale = 100000;
        if (!isdigit((unsigned char)*s->at))
            return false;
        for (; isdigit((unsigned char)*s->at); s->at++, scale /= 10)
            t.microsecond += scale * (*s->at - '0');
    }
    utc = ag_zone_new("UTC");
    if (!utc)
        return false;
    *out = ag_zone_instant(utc, &t);
    ag_zone_free(utc);
    if (word(s, "Z"))
        return true;
    if (*s->at == '+' || *s->at == '-') {
        int64_t sign = *s->at++ == '-' ? 1 : -1;
        if (!two_digits(s, 0, 15, &hour) || !word(s, ":") || !two_digits(s, 0, 59, &minute))
            return false;
        *out += sign * (hour * AG_HOUR + minute * AG_MINUTE);
        return true;
    }
    return false;
}

static bool last_n(struct scan *s, const struct ag_zone *zone, int64_t now, int64_t *from, int64_t *to)
{
    int64_t n;
    int64_t k = 0;
    char u;

    if (!integer(s, &n) || n < 1 || n > MAX_COUNT || !word(s, " ") || !unit(s, &u))
        return false;
    if (word(s, " ") && (!integer(s, &k) || k >= 0 || k < -MAX_COUNT))
        return false;
    if (n > (u == 'M' || u == 'q' || u == 'y' ? 2000 : 2000000) / (1 - k))
        return false;
    *to = roll_back(zone, now, u, n * -k);
    *from = roll_back(zone, now, u, n * (1 - k));
    return true;
}

static bool clock_time(struct scan *s, int *minutes)
{
    int hour;
    int minute;

    if (!two_digits(s, 0, 36, &hour) || !word(s, ":") || !two_digits(s, 0, 59, &minute))
        return false;
    *minutes = hour * 60 + minute;
    return *minutes <= 36 * 60;
}

static int64_t on_day(const struct ag_zone *zone, int64_t day, int minutes)
{
    struct ag_local t = ag_zone_local(zone, day);

    t.hour = 0;
    t.minute = 0;
    t.day += minutes / 1440;
    t.hour = minutes % 1440 / 60;
    t.minute = minutes % 60;
    return ag_zone_instant(zone, &t);
}

static bool calendar(struct scan *s, char u, const struct ag_zone *zone, int64_t now, int64_t *from,
                     int64_t *to)
{
    int64_t current = ag_zone_floor(zone, now, u);
    int64_t k;
    int first;
    int last;

    if (!word(s, " ") || !integer(s, &k) || k > 0 || k < -MAX_COUNT ||
        ((u == 'y' || u == 'q' || u == 'M') && k < -2000))
        return false;
    *from = ag_zone_add(zone, current, u, k);
    *to = ag_zone_add(zone, current, u, k + 1);
    if (word(s, " so far")) {
        /* The same elapsed part, by the wall clock: a day of 23 hours does not shift the comparison. */
        int64_t part = u == 'M' || u == 'q' || u == 'y' || u == 'w' || u == 'd' ? ag_zone_add(zone, now, u, k)
                                                                                : *from + (now - current);
        *to = part < *to ? part : *to;
        return true;
    }
    if (u == 'd' && word(s, " ")) {
        if (!clock_time(s, &first) || !word(s, "-") || !clock_time(s, &last) || last <= first)
            return false;
        *to = on_day(zone, *from, last);
        *from = on_day(zone, *from, first);
    }
    return true;
}

static bool absolute(struct scan *s, int64_t now, int64_t *from, int64_t *to)
{
    if (!instant(s, from) || !word(s, "/"))
        return false;
    if (word(s, "now")) {
        *to = now;
        return true;
    }
    return instant(s, to) && *from < *to;
}

static bool resolve(const char *symbolic, const struct ag_zone *zone, int64_t now, int64_t *from, int64_t *to)
{
    struct scan s = {symbolic};
    bool good;
    char u;

    if (word(&s, "last "))
        good = last_n(&s, zone, now, from, to);
    else if (unit(&s, &u))
        good = calendar(&s, u, zone, now, from, to);
    else
        good = absolute(&s, now, from, to);
    return good && *s.at == '\0';
}

int ag_time_resolve(const char *symbolic, const char *zone, int64_t now_us, int64_t *from, int64_t *to,
                    bool *open, struct lm_error *error)
{
    struct ag_zone *tz = ag_zone_new(zone);
    bool good;

    if (!tz)
        return lm_error_set(error, LM_FATAL, "bad_request", "unknown time zone");
    if (open)
        *open = true;
    if (strcmp(symbolic, "all") == 0) {
        *from = INT64_MIN;
        *to = now_us;
        ag_zone_free(tz);
        return 0;
    }
    good = resolve(symbolic, tz, now_us, from, to);
    ag_zone_free(tz);
    if (!good)
        return lm_error_set(error, LM_FATAL, "bad_request", "a window that cannot be read");
    if (*from >= now_us)
        return lm_error_set(error, LM_FATAL, "bad_request", "a window that starts in the future");
    if (*from < EARLIEST)
        *from = EARLIEST;
    if (*to <= *from)
        return lm_error_set(error, LM_FATAL, "bad_request", "a window that ends before it starts");
    if (open)
        *open = *to >= now_us;
    if (*to > now_us)
        *to = now_us;
    return 0;
}

int ag_intent_resolve(struct ag_intent *intent, int64_t now_us, struct lm_error *error)
{
    if (ag_time_resolve(intent->window.symbolic, intent->zone, now_us, &intent->window.from_us,
                        &intent->window.to_us, &intent->window.open, error) < 0)
        return -1;
    if (intent->compare == AG_NO_COMPARE)
        return 0;
    return ag_time_resolve(intent->against.symbolic, intent->zone, now_us, &intent->against.from_us,
                           &intent->against.to_us, &intent->against.open, error);
}
