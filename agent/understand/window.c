/*
 * From words to windows. A rule reads at one token and returns where it ends; the finder consumes what a rule
 * read.
 */
#include "agent/understand/window.h"

#include "agent/understand/moment.h"
#include "agent/understand/time.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST_COUNT 100000
#define PART_SLACK 120 /* minutes for which hours may outlast the part of the day they begin in */

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
        size_t at =
            ag_is(t, i + 1, AG_C_DASH) && t->items[i + 1].glued && i + 2 < t->count && t->items[i + 2].glued
                ? i + 2
                : i + 1;
        value = ag_value(t, at, AG_C_UNIT);
        if (!value || strcmp(value, "month_of_year") == 0)
            return i;
        *n = t->items[i].number;
        *unit = strcmp(value, "ms") == 0 ? 'z' : value[0];
        if (ag_is(t, at + 1, AG_C_HALF) && ag_is_korean(p, at + 1)) {
            *n += 0.5;
            at++;
        }
        return at + 1;
    }
    return i;
}

/* A rolling window's canonical text; fractions go to the next smaller unit that is whole. */
const char *ag_rolling(struct ag_parse *p, double n, char unit)
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
bool ag_settle(struct ag_parse *p, struct ag_time_found *f, const char *symbolic)
{
    struct lm_error error;

    f->symbolic = symbolic;
    return symbolic &&
           ag_time_resolve(symbolic, p->zone_name, p->now, &f->from_us, &f->to_us, NULL, &error) == 0;
}

bool ag_settle_span(struct ag_parse *p, struct ag_time_found *f, int64_t from, int64_t to, bool until_now)
{
    char a[40];
    char b[40];

    ag_zone_format(p->zone, from, a);
    ag_zone_format(p->zone, to, b);
    return ag_settle(p, f, ag_sayf(p, "%s/%s", a, until_now ? "now" : b));
}

void ag_ask_future(struct ag_parse *p)
{
    ag_stop(p, AG_NEEDS_CLARIFICATION,
            ag_say(p, "질문한 시간이 아직 오지 않았습니다.", "That time has not come yet."),
            ag_say(p, "지난 시간으로 다시 물어봐 주세요. 예: \"오늘 에러 건수\", \"최근 1시간 에러\"",
                   "Ask about a time that has passed, for example \"errors today\" or \"errors in the last "
                   "hour\"."));
}

/* 3월 16일 하루 동안: that day's length, not one of its own. */
static bool is_of_a_date(const struct ag_parse *p, size_t i)
{
    const char *span = ag_value(p->tokens, i, AG_C_SPAN);
    const char *unit = i > 0 ? ag_value(p->tokens, i - 1, AG_C_UNIT) : NULL;

    return span && strcmp(span, "1 day") == 0 && i > 0 &&
           ((unit && strcmp(unit, "d") == 0 && ag_is_korean(p, i - 1)) ||
            ag_is(p->tokens, i - 1, AG_C_DATE) || ag_is(p->tokens, i - 1, AG_C_MONTH_DATE));
}

/* 30분에서 1시간 사이, 1초와 2초 사이, 2시 20분 사이: not so long ago, but between the two. */
static bool ends_a_range(const struct ag_parse *p, size_t i)
{
    static const char *const tied[] = {"부터", "에서", "후", "뒤", "전", "이후", "직후", "시"};

    for (size_t k = i; k-- > 0 && i - k < 5;) {
        if (ag_says(p, k, tied, sizeof tied / sizeof *tied) || ag_reads(p, k, AG_C_FROM))
            return true;
    }
    return i > 0 && (ag_joins_list(p, i - 1) || ag_reads(p, i - 1, AG_C_UNIT));
}

static size_t rolling_rule(struct ag_parse *p, size_t i, struct ag_time_found *f)
{
    const struct ag_tokens *t = p->tokens;
    size_t at = i;
    bool led = false; /* 최근, 지난, past, last in front */
    bool within = false;
    double n = 1;
    char unit = 'h';
    size_t end;

    if (ag_is(t, at, AG_C_DURING) || ag_is(t, at, AG_C_WITHIN)) {
        within = ag_is(t, at, AG_C_WITHIN);
        at++;
    } else if (i > 0 && ag_reads(p, i - 1, AG_C_STOPPED) &&
               (strcmp(ag_word(p, i), "for") == 0 || strcmp(ag_word(p, i), "in") == 0)) {
        within = true; /* "silent for 30 minutes", "nothing logged in an hour" */
        at++;
    }
    while (ag_is(t, at, AG_C_NOISE) &&
           (strcmp(ag_word(p, at), "the") == 0 || strcmp(ag_word(p, at), "our") == 0))
        at++;
    if (ag_is(t, at, AG_C_RECENT) || ag_is(t, at, AG_C_PAST) || ag_is(t, at, AG_C_LAST) ||
        (ag_is(t, at, AG_C_JUST_NOW) && ag_is_korean(p, at))) {
        led = true;
        at++;
    } else if (ag_is(t, at, AG_C_DASH) && i == at &&
               t->items[at].from + 1 == t->items[at + 1 < t->count ? at + 1 : at].from &&
               !t->items[at].glued) {
        led = true;
        at++;
    }
    end = ag_length_read(p, at, &n, &unit);
    if (end == at && led) {
        const char *value = ag_value(t, at, AG_C_UNIT);
        /* "last hour", "past week"; Korean always says how many. */
        if (!value || ag_is_korean(p, at) || strcmp(value, "ms") == 0)
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
    while (ag_is(t, end, AG_C_DURING) || ag_is(t, end, AG_C_WITHIN) ||
           (ag_is(t, end, AG_C_BETWEEN) && ag_is_korean(p, end) && (led || !ends_a_range(p, i))) ||
           (ag_is(t, end, AG_C_PARTICLE) && end == at)) {
        led = led || !ag_is(t, end, AG_C_PARTICLE);
        end++;
    }
    if (!(led || within) || is_of_a_date(p, i))
        return i;
    return ag_settle(p, f, ag_rolling(p, n, unit)) ? end : i;
}

/* "over the last week", "in the last month": with the article a calendar word rolls. */
static size_t last_calendar_rule(struct ag_parse *p, size_t i, struct ag_time_found *f)
{
    const struct ag_tokens *t = p->tokens;
    const char *value = ag_value(t, i, AG_C_CALENDAR);
    char name[16];
    int k;

    if (!value || ag_is_korean(p, i) || i == 0 || strcmp(ag_word(p, i - 1), "the") != 0 ||
        sscanf(value, "%15s %d", name, &k) != 2 || k != -1)
        return i;
    return ag_settle(p, f, ag_sayf(p, "last 1 %s", name)) ? i + 1 : i;
}

static size_t word_rule(struct ag_parse *p, size_t i, struct ag_time_found *f)
{
    const struct ag_tokens *t = p->tokens;
    const char *value = ag_value(t, i, AG_C_JUST_NOW);
    char name[16];
    long n;

    if (value && sscanf(value, "%ld %15s", &n, name) == 2) {
        if (!ag_settle(p, f, ag_sayf(p, "last %ld %s", n, name)))
            return i;
        ag_assume(
            p, "vague_time",
            ag_sayf(p, "\"%s\"은(는) 최근 %ld%s로 보았습니다.", ag_word(p, i), n,
                    name[0] == 'm'   ? "분"
                    : name[0] == 'h' ? "시간"
                                     : "일"),
            ag_sayf(p, "\"%s\" is taken as the last %ld %s%s.", ag_word(p, i), n, name, n == 1 ? "" : "s"));
        /* 방금 전부터 지금까지 */
        if (ag_is(t, i + 1, AG_C_FROM) && ag_is(t, i + 2, AG_C_SO_FAR))
            return i + 3;
        if (ag_is(t, i + 1, AG_C_FROM) && ag_is(t, i + 2, AG_C_NOW) && ag_is(t, i + 3, AG_C_TO))
            return i + 4;
        return i + 1 + ag_is(t, i + 1, AG_C_FROM);
    }
    if (ag_is(t, i, AG_C_ALL_TIME))
        return ag_settle(p, f, "all") ? i + 1 : i;
    return i;
}

static size_t now_rule(struct ag_parse *p, size_t i, struct ag_time_found *f)
{
    if (ag_is(p->tokens, i, AG_C_NOW)) {
        f->past_is_vague = true; /* what now means depends on what is asked */
        return ag_settle(p, f, "last 1 minute") ? i + 1 : i;
    }
    if (ag_is(p->tokens, i, AG_C_RECENT)) {
        f->past_is_vague = true;
        return ag_settle(p, f, "last 1 hour") ? i + 1 : i;
    }
    return i;
}

/* -- finding -- */

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
        while (ag_is(t, end, AG_C_IN_ZONE) ||
               (ag_is(t, end, AG_C_PARTICLE) && ag_is(t, end - 1, AG_C_IN_ZONE)) ||
               (ag_is(t, end, AG_C_UNIT) && strcmp(ag_word(p, end), "시간") == 0))
            end++;
        if (!zone && end == i + 1)
            continue;
        /* "on March 17, UTC day" */
        if (zone && strcmp(ag_word(p, end), "day") == 0 && ag_is(t, end, AG_C_UNIT))
            end++;
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
    {"stretch", ag_stretch_rule}, {"rolling", rolling_rule},  {"the last", last_calendar_rule},
    {"time word", word_rule},     {"moment", ag_moment_rule},
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

/* "last night at 11", 어젯밤 10시부터 11시: hours of the evening; 12 is the day's end. */
static void of_the_night(struct ag_time_found *clock)
{
    if (clock->clock_from < 360 || clock->clock_from > 720)
        return;
    if (clock->clock_to > clock->clock_from && clock->clock_to <= 780)
        clock->clock_to += 720;
    clock->clock_from += 720;
}

static bool is_compared(const struct ag_parse *p)
{
    for (size_t i = 0; i < p->tokens->count; i++) {
        if (ag_reads(p, i, AG_C_COMPARE) || ag_reads(p, i, AG_C_SAME_TIME))
            return true;
    }
    return false;
}

/* 점심시간에 결제 요청 몇 건 오늘: a part of the day here, the day there. */
static void join_part_and_day(struct ag_parse *p)
{
    struct ag_time_found *part = &p->times[0];
    struct ag_time_found *day = &p->times[1];
    int64_t start;
    int k;
    int m[4];

    if (p->time_count != 2 || is_compared(p))
        return;
    if (!part->dateless) {
        part = &p->times[1];
        day = &p->times[0];
    }
    if (!part->dateless || part->clock_only || !day->day_only ||
        sscanf(part->symbolic, "day %d %d:%d-%d:%d", &k, &m[0], &m[1], &m[2], &m[3]) != 5)
        return;
    start = ag_zone_floor(p->zone, day->from_us, 'd');
    if (ag_moment_on(p, start, m[0] * 60 + m[1], 0) >= p->now) {
        ag_ask_future(p);
        return;
    }
    if (strncmp(day->symbolic, "day ", 4) == 0
            ? !ag_settle(p, part, ag_sayf(p, "%s %02d:%02d-%02d:%02d", day->symbolic, m[0], m[1], m[2], m[3]))
            : !ag_settle_span(p, part, ag_moment_on(p, start, m[0] * 60 + m[1], 0),
                              ag_moment_on(p, start, m[2] * 60 + m[3], 0), false))
        return;
    part->dateless = false;
    drop(p, (size_t)(day - p->times));
}

/* "between 2 and 3 pm" here, "yesterday" there: one window. */
static void join_clock_and_day(struct ag_parse *p)
{
    for (size_t a = 0; a < p->time_count; a++) {
        for (size_t b = 0; b < p->time_count; b++) {
            struct ag_time_found *clock = &p->times[a];
            struct ag_time_found *day = &p->times[b];
            int64_t start;
            bool night = day->part_from == 20 * 60;
            if (a == b || !clock->clock_only || !(day->day_only || day->part_to > 0) ||
                (p->time_count == 2 && ag_is_set_against(p, day)))
                continue;
            /* "between 2 and 3 this afternoon": the half of the day is the part's, beyond whose end the hours
             * may last: "Monday morning between 9 and 11". */
            if (!night && day->part_to > 0 && clock->clock_to > 0) {
                int shift = clock->clock_from < day->part_from ? 720 : 0;
                int first = clock->clock_from + shift;
                bool inside = first >= day->part_from && first < day->part_to &&
                              clock->clock_to > clock->clock_from &&
                              clock->clock_to + shift <= day->part_to + PART_SLACK;
                /* 오늘 점심(11시~13시): what is in brackets says which hours are meant. */
                if (!inside && !(day->to + 1 == clock->from && strcmp(ag_word(p, day->to), "(") == 0))
                    continue;
                clock->clock_from += inside ? shift : 0;
                clock->clock_to += inside ? shift : 0;
            }
            start = ag_zone_floor(p->zone, day->from_us, 'd');
            if (night)
                of_the_night(clock);
            if (night && clock->clock_from < 720)
                start = ag_zone_add(p->zone, start, 'd', 1);
            if (ag_moment_on(p, start, clock->clock_from, 0) >= p->now) {
                ag_ask_future(p);
                return;
            }
            if (!ag_clock_range(p, clock, start, clock->clock_from, clock->clock_to))
                return;
            clock->clock_only = clock->dateless = false;
            clock->day_of_clock = start;
            clock->day_apart = true;
            drop(p, b);
            return;
        }
    }
}

/* 최근 한 시간, "the last hour" is a window; "within an hour", 한 시간 동안 alone may be a step in one. */
static bool is_bare_length(const struct ag_parse *p, const struct ag_time_found *f)
{
    static const enum ag_concept leads[] = {AG_C_RECENT, AG_C_PAST, AG_C_LAST, AG_C_JUST_NOW};

    if (strncmp(f->symbolic, "last ", 5) != 0 || f->past_is_vague || f->to_us - f->from_us >= AG_DAY)
        return false;
    for (size_t i = f->from; i < f->to; i++) {
        for (size_t k = 0; k < sizeof leads / sizeof *leads; k++) {
            if (ag_reads(p, i, leads[k]))
                return false;
        }
        if (ag_is(p->tokens, i, AG_C_DASH))
            return false;
    }
    return true;
}

/* 한 시간에 30건 넘은, 10분에 5번 이상: so many in each step of the window said. 14시 10분에 is a time. */
static void length_of_a_step(struct ag_parse *p, const struct ag_time_found *window)
{
    static const enum ag_concept others[] = {AG_C_OCLOCK, AG_C_EVERY, AG_C_RECENT, AG_C_PAST,
                                             AG_C_LAST,   AG_C_FINAL, AG_C_FIRST,  AG_C_AROUND};
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; p->found.bucket_us == 0 && i < t->count; i++) {
        double n;
        char unit;
        size_t end = t->items[i].rule ? i : ag_length_read(p, i, &n, &unit);
        size_t before = i > 0 ? ag_before(p, i) : SIZE_MAX;
        int64_t length;
        if (end == i || !ag_is_korean(p, end - 1) || !strchr("smh", unit) ||
            strcmp(ag_word(p, end), "에") != 0 || !t->items[end].glued)
            continue;
        for (size_t k = 0; before != SIZE_MAX && k < sizeof others / sizeof *others; k++) {
            if (ag_reads(p, before, others[k]))
                return;
        }
        length = (int64_t)(n * (double)ag_unit_us(unit));
        if (length >= window->to_us - window->from_us)
            return;
        p->found.bucket_us = length;
        ag_consume(t, i, end + 1, "bucket");
    }
}

/* 어제 한 시간 동안 에러 30건 넘은 서비스, "more than 30 errors within ten minutes yesterday": so many in one
 * step of the day. */
static void join_length_and_window(struct ag_parse *p)
{
    const struct ag_found *found = &p->found;

    if (!found->threshold.set || found->threshold_percent || found->bucket_us > 0 || is_compared(p))
        return;
    if (p->time_count == 1 && !p->times[0].past_is_vague)
        length_of_a_step(p, &p->times[0]);
    for (size_t k = 0; p->time_count == 2 && k < 2; k++) {
        const struct ag_time_found *step = &p->times[k];
        const struct ag_time_found *window = &p->times[1 - k];
        int64_t length = step->to_us - step->from_us;
        if (!is_bare_length(p, step) || is_bare_length(p, window) || window->past_is_vague ||
            window->to_us - window->from_us <= length)
            continue;
        p->found.bucket_us = length;
        drop(p, k);
        return;
    }
}

void ag_times_find(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t k = 0; k < sizeof rules / sizeof *rules; k++)
        find(p, rules[k].name, rules[k].read);
    if (p->time_count == 0)
        find(p, "length alone", ag_lone_length_rule);
    if (p->time_count == 0)
        find(p, "now", now_rule);
    qsort(p->times, p->time_count, sizeof *p->times, by_place);
    /* 어제 기준으로, 13시 50분 기준으로 */
    for (size_t k = 0; k < p->time_count; k++) {
        if (ag_is(t, p->times[k].to, AG_C_BY_AFTER) && strncmp(ag_word(p, p->times[k].to), "기준", 6) == 0)
            ag_consume(t, p->times[k].to, p->times[k].to + 1, "time");
    }
    join_clock_and_day(p);
    ag_share_day(p);
    join_part_and_day(p);
    join_length_and_window(p);
    ag_take_equal_span(p);
    for (size_t i = 0; i < t->count; i++) {
        /* With a window said, "so far", "now" and "recently" say nothing more; a window to come does. */
        if (p->time_count > 0 &&
            (ag_is(t, i, AG_C_SO_FAR) || ag_is(t, i, AG_C_NOW) || ag_is(t, i, AG_C_RECENT)))
            ag_consume(t, i, i + 1, "now");
        if (ag_is(t, i, AG_C_FUTURE) && !p->stopped)
            ag_stop(p, AG_NOT_UNDERSTOOD,
                    ag_say(p, "아직 오지 않은 시간의 로그는 없고, 예측은 하지 않습니다.",
                           "There are no logs of a time to come, and nothing is predicted here."),
                    ag_say(p, "지난 시간으로 물어봐 주세요. 예: \"어제 에러 건수\"",
                           "Ask about the past, for example \"errors yesterday\"."));
    }
}
