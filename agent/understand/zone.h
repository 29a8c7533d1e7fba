/*
 * Time zones and calendar arithmetic in them, over GLib's GTimeZone. Instants are microseconds since 1970
 * UTC; a local time that does not exist (spring forward) is the instant the clocks jump to, one that exists
 * twice is the first.
 */
#ifndef LOGMILL_AGENT_UNDERSTAND_ZONE_H
#define LOGMILL_AGENT_UNDERSTAND_ZONE_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AG_SECOND INT64_C(1000000)
#define AG_MINUTE (60 * AG_SECOND)
#define AG_HOUR (60 * AG_MINUTE)
#define AG_DAY (24 * AG_HOUR)

struct ag_zone;

/* Proleptic Gregorian; fields may be out of range before ag_zone_instant normalises them (month 14, hour 26).
 */
struct ag_local {
    int year, month, day;     /* month 1-12 */
    int hour, minute, second; /* 0-23, 0-59, 0-59 */
    int microsecond;
    int weekday; /* 1 Monday … 7 Sunday; filled by ag_zone_local */
};

/* Does the tz database know it? Takes IANA names, "UTC", and offsets "+09:00". Any thread. */
bool ag_zone_known(const char *name);
/* NULL when unknown or without memory. Free with ag_zone_free. Any thread; a zone may be read by many. */
struct ag_zone *ag_zone_new(const char *name);
void ag_zone_free(struct ag_zone *zone);

struct ag_local ag_zone_local(const struct ag_zone *zone, int64_t us);
/* Normalises out-of-range fields, clips nothing: day 31 of a 30-day month is the next month's 1st. */
int64_t ag_zone_instant(const struct ag_zone *zone, const struct ag_local *local);
/* Offset from UTC in seconds at an instant. */
int ag_zone_offset(const struct ag_zone *zone, int64_t us);

/* Start of the unit that holds `us`: unit 's' 'm' 'h' 'd' 'w' (Monday) 'M' 'q' 'y'. */
int64_t ag_zone_floor(const struct ag_zone *zone, int64_t us, char unit);
/* `us` moved by n units; months, quarters and years clip the day, days and weeks keep the local clock. */
int64_t ag_zone_add(const struct ag_zone *zone, int64_t us, char unit, int64_t n);

/* "2026-03-18T14:35:20+09:00", with microseconds where there are some; `out` holds at least 40 bytes. */
void ag_zone_format(const struct ag_zone *zone, int64_t us, char out[40]);

#endif
