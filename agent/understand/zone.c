/*
 * Calendar arithmetic over GTimeZone. Days are counted with the civil-from-days algorithm, so that nothing
 * here depends on the process's own zone or on the C library's calendar.
 */
#include "agent/understand/zone.h"

#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ag_zone {
    GTimeZone *zone;
};

/* Days since 1970-01-01 of a civil date; month may be out of 1-12. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t era;
    int64_t of_era;
    int64_t of_year;

    month -= 1;
    year += month / 12;
    month %= 12;
    if (month < 0) {
        month += 12;
        year--;
    }
    month += 1;
    year -= month <= 2;
    era = (year >= 0 ? year : year - 399) / 400;
    of_era = year - era * 400;
    of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void civil_of(int64_t days, struct ag_local *local)
{
    int64_t era;
    int64_t of_era;
    int64_t year_of_era;
    int64_t of_year;
    int64_t shifted;

    days += 719468;
    era = (days >= 0 ? days : days - 146096) / 146097;
    of_era = days - era * 146097;
    year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    shifted = (5 * of_year + 2) / 153;
    local->day = (int)(of_year - (153 * shifted + 2) / 5 + 1);
    local->month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
    local->year = (int)(year_of_era + era * 400 + (local->month <= 2));
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b != 0 && (a % b < 0) != (b < 0));
}

struct ag_zone *ag_zone_new(const char *name)
{
    struct ag_zone *zone;
    GTimeZone *found;

    /* GLib also takes file paths and TZ strings; only database names and plain offsets are wanted. */
    if (!name || !*name || strlen(name) > 64 ||
        strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-:/") != strlen(name) ||
        name[0] == '/' || name[0] == ':' || strchr(name, '.'))
        return NULL;
    found = g_time_zone_new_identifier(name);
    if (!found)
        return NULL;
    zone = malloc(sizeof *zone);
    if (!zone) {
        g_time_zone_unref(found);
        return NULL;
    }
    zone->zone = found;
    return zone;
}

void ag_zone_free(struct ag_zone *zone)
{
    if (!zone)
        return;
    g_time_zone_unref(zone->zone);
    free(zone);
}

bool ag_zone_known(const char *name)
{
    struct ag_zone *zone = ag_zone_new(name);

    ag_zone_free(zone);
    return zone != NULL;
}

int ag_zone_offset(const struct ag_zone *zone, int64_t us)
{
    int interval = g_time_zone_find_interval(zone->zone, G_TIME_TYPE_UNIVERSAL, floor_div(us, AG_SECOND));

    return interval < 0 ? 0 : g_time_zone_get_offset(zone->zone, interval);
}

struct ag_local ag_zone_local(const struct ag_zone *zone, int64_t us)
{
    int64_t shifted = us + (int64_t)ag_zone_offset(zone, us) * AG_SECOND;
    int64_t day = floor_div(shifted, AG_DAY);
    int64_t rest = shifted - day * AG_DAY;
    struct ag_local local = {0};

    civil_of(day, &local);
    local.hour = (int)(rest / AG_HOUR);
    local.minute = (int)(rest / AG_MINUTE % 60);
    local.second = (int)(rest / AG_SECOND % 60);
    local.microsecond = (int)(rest % AG_SECOND);
    local.weekday = (int)((day + 3) % 7 + (day < -3 ? 7 : 0)) % 7 + 1;
    return local;
}

int64_t ag_zone_instant(const struct ag_zone *zone, const struct ag_local *local)
{
    int64_t wall = days_of(local->year, local->month, local->day) * AG_DAY + local->hour * AG_HOUR +
                   local->minute * AG_MINUTE + local->second * AG_SECOND + local->microsecond;
    int before = ag_zone_offset(zone, wall - AG_DAY);
    int after = ag_zone_offset(zone, wall + AG_DAY);
    int64_t first = wall - before * AG_SECOND;
    int64_t second = wall - after * AG_SECOND;

    if (before == after)
        return first;
    /* A change lies within the day either side. The earlier offset's reading is the first of two, where it
     * holds. */
    if (ag_zone_offset(zone, first) == before)
        return first;
    if (ag_zone_offset(zone, second) == after)
        return second;
    /* The wall time was skipped: the instant of the change is where both meet. */
    {
        int64_t low = second < first ? second : first;
        int64_t high = second < first ? first : second;
        while (high - low > 1) {
            int64_t middle = low + (high - low) / 2;
            if (ag_zone_offset(zone, middle) == before)
                low = middle;
            else
                high = middle;
        }
        return high;
    }
}

int64_t ag_zone_floor(const struct ag_zone *zone, int64_t us, char unit)
{
    struct ag_local local = ag_zone_local(zone, us);
    int64_t offset = (int64_t)ag_zone_offset(zone, us) * AG_SECOND;

    /* Below a day the wall clock is floored without a way back through it: an hour that exists twice stays
     * the one it is. */
    switch (unit) {
    case 's':
        return floor_div(us, AG_SECOND) * AG_SECOND;
    case 'm':
        return floor_div(us + offset, AG_MINUTE) * AG_MINUTE - offset;
    case 'h':
        return floor_div(us + offset, AG_HOUR) * AG_HOUR - offset;
    default:
        break;
    }
    local.hour = local.minute = local.second = local.microsecond = 0;
    if (unit == 'w')
        local.day -= local.weekday - 1;
    if (unit == 'M' || unit == 'q' || unit == 'y')
        local.day = 1;
    if (unit == 'q')
        local.month -= (local.month - 1) % 3;
    if (unit == 'y')
        local.month = 1;
    return ag_zone_instant(zone, &local);
}

int64_t ag_zone_add(const struct ag_zone *zone, int64_t us, char unit, int64_t n)
{
    struct ag_local local = ag_zone_local(zone, us);
    struct ag_local month = {0};
    int64_t months;

    switch (unit) {
    case 's':
        return us + n * AG_SECOND;
    case 'm':
        return us + n * AG_MINUTE;
    case 'h':
        return us + n * AG_HOUR;
    case 'd':
    case 'w':
        local.day += (int)(unit == 'w' ? n * 7 : n);
        return ag_zone_instant(zone, &local);
    default:
        break;
    }
    months = unit == 'y' ? n * 12 : unit == 'q' ? n * 3 : n;
    local.month += (int)months;
    /* The last day of the month arrived at: the day before the next one's first. */
    civil_of(days_of(local.year, local.month + 1, 1) - 1, &month);
    if (local.day > month.day)
        local.day = month.day;
    return ag_zone_instant(zone, &local);
}

void ag_zone_format(const struct ag_zone *zone, int64_t us, char out[40])
{
    struct ag_local t = ag_zone_local(zone, us);
    int offset = ag_zone_offset(zone, us) / 60;
    unsigned away = (unsigned)(offset < 0 ? -offset : offset);
    char text[96];
    char fraction[16] = "";

    if (t.microsecond != 0)
        snprintf(fraction, sizeof fraction, ".%06d", t.microsecond);
    snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d%s%c%02u:%02u", t.year, t.month, t.day, t.hour,
             t.minute, t.second, fraction, offset < 0 ? '-' : '+', away / 60, away % 60);
    text[39] = '\0';
    memcpy(out, text, 40);
}
