/*
 * The calendar is computed with Howard Hinnant's days_from_civil and civil_from_days (proleptic Gregorian),
 * not with timegm or strptime: those depend on the locale, accept what RFC 3339 does not, and are slow on the
 * ingest path.
 */
#include "common/clock.h"

#include <stdbool.h>
#include <time.h>

/* 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999999Z. */
#define FIRST_US (INT64_C(-62135596800) * LM_SECOND_US)
#define LAST_US (INT64_C(253402300800) * LM_SECOND_US - 1)

static int64_t read_clock(clockid_t id)
{
    struct timespec now;
    /* Cannot fail: both clocks exist on Linux and the pointer is valid. */
    (void)clock_gettime(id, &now);
    return (int64_t)now.tv_sec * LM_SECOND_US + now.tv_nsec / 1000;
}

int64_t lm_clock_wall_us(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t lm_clock_mono_us(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

/* Days since 1970-01-01 of a date whose year is 0..9999. March is the first month, so the leap day comes
 * last. */
static int64_t days_from_civil(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void civil_from_days(int64_t days, int *year, int *month, int *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted_month = (5 * day_of_year + 2) / 153;
    *day = (int)(day_of_year - (153 * shifted_month + 2) / 5 + 1);
    *month = (int)(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
    *year = (int)(year_of_era + era * 400 + (*month <= 2));
}

static char *put_digits(char *out, int value, int width)
{
    for (int i = width - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return out + width;
}

size_t lm_rfc3339_format(int64_t us, char *out)
{
    if (us < FIRST_US)
        us = FIRST_US;
    if (us > LAST_US)
        us = LAST_US;
    int64_t days = us / LM_DAY_US;
    int64_t rest = us % LM_DAY_US;
    if (rest < 0) {
        rest += LM_DAY_US;
        days--;
    }
    int year, month, day;
    civil_from_days(days, &year, &month, &day);

    char *p = put_digits(out, year, 4);
    *p++ = '-';
    p = put_digits(p, month, 2);
    *p++ = '-';
    p = put_digits(p, day, 2);
    *p++ = 'T';
    p = put_digits(p, (int)(rest / LM_HOUR_US), 2);
    *p++ = ':';
    p = put_digits(p, (int)(rest / LM_MINUTE_US % 60), 2);
    *p++ = ':';
    p = put_digits(p, (int)(rest / LM_SECOND_US % 60), 2);
    int fraction = (int)(rest % LM_SECOND_US);
    if (fraction != 0) {
        *p++ = '.';
        p = put_digits(p, fraction, 6);
        while (p[-1] == '0')
            p--;
    }
    *p++ = 'Z';
    *p = '\0';
    return (size_t)(p - out);
}

/* A position in a text being read. */
struct cursor {
    const char *at;
    const char *end;
};

static bool take_char(struct cursor *c, const char *any_of)
{
    if (c->at == c->end)
        return false;
    for (; *any_of != '\0'; any_of++) {
        if (*c->at == *any_of) {
            c->at++;
            return true;
        }
    }
    return false;
}

static bool take_digits(struct cursor *c, int width, int low, int high, int *value)
{
    if (c->end - c->at < width)
        return false;
    *value = 0;
    for (int i = 0; i < width; i++) {
        if (c->at[i] < '0' || c->at[i] > '9')
            return false;
        *value = *value * 10 + (c->at[i] - '0');
    }
    c->at += width;
    return *value >= low && *value <= high;
}

static int month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

static bool take_date(struct cursor *c, int64_t *days)
{
    int year, month, day;
    bool read = take_digits(c, 4, 1, 9999, &year) && take_char(c, "-") && take_digits(c, 2, 1, 12, &month) &&
                take_char(c, "-") && take_digits(c, 2, 1, 31, &day);
    if (!read || day > month_days(year, month))
        return false;
    *days = days_from_civil(year, month, day);
    return true;
}

/* A second of 60 is simply added: the leap second is the first of the next minute, as PostgreSQL reads it. */
static bool take_time(struct cursor *c, int64_t *us)
{
    int hour, minute, second;
    if (!take_digits(c, 2, 0, 23, &hour) || !take_char(c, ":") || !take_digits(c, 2, 0, 59, &minute) ||
        !take_char(c, ":") || !take_digits(c, 2, 0, 60, &second))
        return false;
    *us = hour * LM_HOUR_US + minute * LM_MINUTE_US + second * LM_SECOND_US;
    if (!take_char(c, ".,"))
        return true;
    int digit;
    int64_t worth = LM_SECOND_US / 10;
    if (!take_digits(c, 1, 0, 9, &digit))
        return false;
    do {
        *us += digit * worth;
        worth /= 10;
    } while (take_digits(c, 1, 0, 9, &digit));
    return true;
}

static bool take_offset(struct cursor *c, int64_t *us)
{
    *us = 0;
    if (c->at == c->end || take_char(c, "Zz"))
        return true;
    bool east = *c->at == '+';
    int hour, minute = 0;
    if (!take_char(c, "+-") || !take_digits(c, 2, 0, 23, &hour))
        return false;
    if (c->at != c->end) {
        (void)take_char(c, ":");
        if (!take_digits(c, 2, 0, 59, &minute))
            return false;
    }
    *us = hour * LM_HOUR_US + minute * LM_MINUTE_US;
    if (!east)
        *us = -*us;
    return true;
}

int lm_rfc3339_parse(const char *text, size_t len, int64_t *us, struct lm_error *error)
{
    struct cursor c = {text, text + len};
    int64_t days, time, offset;
    if (len > 0 && take_date(&c, &days) && take_char(&c, "Tt ") && take_time(&c, &time) &&
        take_offset(&c, &offset) && c.at == c.end) {
        int64_t value = days * LM_DAY_US + time - offset;
        if (value >= FIRST_US && value <= LAST_US) {
            *us = value;
            return 0;
        }
    }
    return lm_error_set(error, LM_DEAD_LETTER, "timestamp",
                        "\"%.*s\" is not an RFC 3339 time such as 2026-03-18T05:35:20.123Z",
                        (int)(len < 64 ? len : 64), len > 0 ? text : "");
}
