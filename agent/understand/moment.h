/*
 * A moment as people say it: a date, a clock, a part of the day, in the orders the two languages put them.
 * "어제 오후 3시", "3 pm yesterday", "3월 15일", "Friday of last week", "이틀 전 밤 11시".
 */
#ifndef LOGMILL_AGENT_UNDERSTAND_MOMENT_H
#define LOGMILL_AGENT_UNDERSTAND_MOMENT_H

#include "agent/understand/parse.h"

enum ag_meridiem { AG_NO_MERIDIEM, AG_IS_AM, AG_IS_PM, AG_IS_NIGHT, AG_IS_DAWN };

struct ag_moment {
    bool has_date;
    int64_t day, day_end; /* the span a date word names */
    char unit;            /* 'd', 'w', 'M', 'q', 'y'; 'h' 'm' 's' for "3 hours ago" */
    const char *symbolic; /* of the date alone, or NULL when only absolute */
    bool ago;             /* "N units ago" */
    int64_t ago_n;
    char ago_unit;
    bool weekday; /* the date came from a bare weekday or day of the month */
    bool day_of_month;

    bool has_clock;
    int hour, minute, second; /* as said; hour up to 24 */
    char precision;           /* 'h', 'm', 's' */
    enum ag_meridiem meridiem;
    bool midnight;
    bool from_24h; /* 14:05: no doubt which half of the day */
    bool leading_zero;

    bool has_part;
    int part_from, part_to; /* minutes */
    bool part_last;         /* "last night": of the day before */

    bool has_instant; /* fully written, or epoch */
    int64_t instant;
    bool future;      /* names a date to come */
    bool bare_number; /* only a number: a clock hour by context */
};

/* Reads a moment at token `i`; the token behind it, or `i` where there is none. Consumes nothing. `bare`: a
 * plain number from 0 to 24 may be an hour ("between 2 and 3 pm"). `anchor`: a moment said before, whose
 * month a lone day belongs to, or NULL. */
size_t ag_moment_read(struct ag_parse *p, size_t i, bool bare, const struct ag_moment *anchor,
                      struct ag_moment *out);

/* Minutes of the day of its clock (0 to 36 h) after AM, PM and night have been applied. */
int ag_moment_minutes(const struct ag_moment *m);
/* The local day `day` (its midnight) plus minutes and seconds. */
int64_t ag_moment_on(const struct ag_parse *p, int64_t day, int minutes, int seconds);

#endif
