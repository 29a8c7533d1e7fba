/*
 * The window of an intent, and the one it is compared with.
 */
#include "agent/understand/compare.h"

#include "agent/understand/decision.h"
#include "agent/understand/time.h"
#include "agent/understand/window.h"

#include <stdio.h>
#include <string.h>

#define BESIDE_AN_INSTANT AG_HOUR

const char *ag_span_text(struct ag_parse *p, int64_t from, int64_t to)
{
    char a[40];
    char b[40];

    ag_zone_format(p->zone, from, a);
    ag_zone_format(p->zone, to, b);
    return ag_sayf(p, "%s/%s", a, to >= p->now ? "now" : b);
}

static void ask_spans(struct ag_parse *p)
{
    ag_stop(p, AG_NEEDS_CLARIFICATION,
            ag_say(p, "길이가 다른 두 기간은 비교할 수 없습니다.",
                   "Two windows of different length cannot be compared."),
            ag_say(p, "예: \"오늘과 어제 에러 비교\", \"이번 주와 지난주 비교\"",
                   "For example \"errors today vs yesterday\" or \"this week vs last week\"."));
}

/* "UNIT K" of a canonical text; false for others. */
bool ag_calendar_of(const char *symbolic, char name[16], int *k)
{
    int n = 0;

    return sscanf(symbolic, "%15[a-z] %d%n", name, k, &n) == 2 && symbolic[n] == '\0' &&
           strcmp(name, "last") != 0;
}

static bool rolling_of(const char *symbolic, long *count, char name[16])
{
    int n = 0;

    return sscanf(symbolic, "last %ld %15[a-z]%n", count, name, &n) == 2 && symbolic[n] == '\0';
}

/* The equal window before, or NULL. */
static const char *window_before(struct ag_parse *p, const char *symbolic)
{
    char name[16];
    long count;
    int k;
    int64_t from;
    int64_t to;

    if (ag_calendar_of(symbolic, name, &k))
        return ag_sayf(p, "%s %d%s", name, k - 1, k == 0 ? " so far" : "");
    if (rolling_of(symbolic, &count, name))
        return ag_sayf(p, "%s -1", symbolic);
    if (strcmp(symbolic, "all") == 0 ||
        ag_time_resolve(symbolic, p->zone_name, p->now, &from, &to, NULL, NULL) < 0)
        return NULL;
    /* A part of a day is compared with the same part of the day before. */
    if (to - from < AG_DAY)
        return ag_span_text(p, ag_zone_add(p->zone, from, 'd', -1), ag_zone_add(p->zone, to, 'd', -1));
    return ag_span_text(p, from - (to - from), from);
}

/* `symbolic` moved back by a unit: the day before, the week before. */
static const char *shifted(struct ag_parse *p, const char *symbolic, const char *unit)
{
    char name[16];
    long count;
    int k;
    int64_t from;
    int64_t to;
    char u = unit[0] == 'm' ? 'M' : unit[0];

    if (strcmp(unit, "same") == 0)
        return window_before(p, symbolic);
    if (ag_calendar_of(symbolic, name, &k) && strcmp(name, unit) == 0)
        return ag_sayf(p, "%s %d", name, k - 1);
    if (rolling_of(symbolic, &count, name) && strcmp(name, unit) == 0)
        return ag_sayf(p, "%s -1", symbolic);
    if (strcmp(symbolic, "all") == 0 ||
        ag_time_resolve(symbolic, p->zone_name, p->now, &from, &to, NULL, NULL) < 0)
        return NULL;
    if (u == 'h')
        return ag_span_text(p, from - AG_HOUR, to - AG_HOUR);
    return ag_span_text(p, ag_zone_add(p->zone, from, u, -1), ag_zone_add(p->zone, to, u, -1));
}

void ag_set_window(struct ag_parse *p, const char *symbolic, bool stated)
{
    p->intent->window.symbolic = symbolic;
    p->intent->window.stated = stated;
}

void ag_set_against(struct ag_parse *p, const char *symbolic)
{
    if (!symbolic) {
        ask_spans(p);
        return;
    }
    p->intent->compare = AG_COMPARE_WINDOW;
    p->intent->against = (struct ag_window){.symbolic = symbolic, .stated = true};
}

static void before_after(struct ag_parse *p)
{
    int64_t at;
    int64_t span;

    if (p->time_count != 1 || !p->times[0].instant) {
        ag_ask_when(p);
        return;
    }
    at = p->times[0].from_us;
    span = p->beside_us ? p->beside_us : BESIDE_AN_INSTANT;
    span = p->now - at < span ? p->now - at : span;
    if (span <= 0) {
        ag_ask_when(p);
        return;
    }
    ag_set_window(p, ag_span_text(p, at, at + span), true);
    ag_set_against(p, ag_span_text(p, at - span, at));
    if (!p->beside_us)
        ag_assume(p, "equal_spans", "그 시각 앞뒤로 같은 길이(최대 1시간)를 비교했습니다.",
                  "Equal spans of at most one hour either side of that moment are compared.");
}

/* A rate or a percentile does not grow with its window: windows of any length can be compared by it. */
static bool is_of_any_length(const struct ag_intent *in)
{
    static const enum ag_measure_fn counted[] = {AG_COUNT, AG_DISTINCT, AG_SUM};
    enum ag_measure_fn fn = in->measure.fn;

    for (size_t i = 0; i < sizeof counted / sizeof *counted; i++) {
        if (ag_intent_measures(in, counted[i]))
            return false;
    }
    return fn == AG_ERROR_RATE || fn == AG_FAILURE_RATE || fn == AG_SHARE || fn == AG_AVG ||
           fn == AG_PERCENTILE;
}

/* Hours of one day against another day: 오늘 점심시간 에러 어제랑 비교, "11-13h yesterday vs today". The same
 * hours of that day, be it the later one or the earlier. */
static bool same_hours(struct ag_parse *p, const struct ag_time_found *later,
                       const struct ag_time_found *earlier)
{
    const struct ag_time_found *day = later->day_only ? later : earlier;
    const struct ag_time_found *hours = later->day_only ? earlier : later;
    const char *same;

    if (hours->day_only || (hours->instant && (hours->precision != 'h' || strstr(hours->symbolic, "/now"))) ||
        strncmp(hours->symbolic, "last ", 5) == 0 || !(same = ag_same_clock(p, hours->symbolic, day)))
        return false;
    ag_set_window(p, day == later ? same : hours->symbolic, true);
    ag_set_against(p, day == later ? hours->symbolic : same);
    ag_assume(p, "same_hours", "두 날의 같은 시간대를 비교했습니다.",
              "The same hours of the two days are compared.");
    return true;
}

static void two_windows(struct ag_parse *p)
{
    const struct ag_time_found *a = &p->times[0];
    const struct ag_time_found *b = &p->times[1];
    const struct ag_time_found *later =
        a->to_us > b->to_us || (a->to_us == b->to_us && a->from_us > b->from_us) ? a : b;
    const struct ag_time_found *earlier = later == a ? b : a;
    char later_name[16];
    char earlier_name[16];
    int later_k;
    int earlier_k;
    long count;
    int64_t elapsed;
    int64_t other;

    if (strcmp(a->symbolic, b->symbolic) == 0) {
        /* "the last hour against the previous hour" */
        ag_set_window(p, a->symbolic, true);
        ag_set_against(p, shifted(p, a->symbolic, ag_is_weekday(a) ? "week" : "same"));
        return;
    }
    ag_set_window(p, later->symbolic, true);
    if (ag_calendar_of(later->symbolic, later_name, &later_k) &&
        ag_calendar_of(earlier->symbolic, earlier_name, &earlier_k) &&
        strcmp(later_name, earlier_name) == 0) {
        ag_set_against(p, later_k == 0 ? ag_sayf(p, "%s so far", earlier->symbolic) : earlier->symbolic);
        return;
    }
    /* "this hour against the previous hour" */
    if (ag_calendar_of(later->symbolic, later_name, &later_k) && later_k == 0 &&
        rolling_of(earlier->symbolic, &count, earlier_name) && count == 1 &&
        strcmp(later_name, earlier_name) == 0) {
        ag_set_against(p, ag_sayf(p, "%s -1 so far", later_name));
        return;
    }
    /* "noon to 12:30 today vs yesterday, same window" */
    if (ag_said(p, AG_C_SAME_TIME) && later->to_us - later->from_us < AG_DAY) {
        const char *same = ag_same_clock(p, later->symbolic, earlier);
        if (same) {
            ag_set_against(p, same);
            return;
        }
    }
    elapsed = (later->to_us < p->now ? later->to_us : p->now) - later->from_us;
    other = (earlier->to_us < p->now ? earlier->to_us : p->now) - earlier->from_us;
    /* Both said by their clocks: "12-13h against since 13:10". A day against half an hour may mean the same
     * half hour of that day. */
    if (strchr(a->symbolic, '/') && strchr(b->symbolic, '/') && is_of_any_length(p->intent)) {
        ag_set_against(p, earlier->symbolic);
        return;
    }
    if (other != elapsed && same_hours(p, later, earlier))
        return;
    if (earlier->from_us == INT64_MIN || (other != elapsed && !ag_may_be_cut(p, earlier, later))) {
        ask_spans(p);
        return;
    }
    ag_set_against(p, other == elapsed ? earlier->symbolic
                                       : ag_span_text(p, earlier->from_us, earlier->from_us + elapsed));
}

/* 보다, 대비, compared with: a word that sets one window against another, besides one that says it changed.
 */
static bool names_other_side(const struct ag_parse *p)
{
    for (size_t i = 0; i < p->tokens->count; i++) {
        const char *way = ag_reads_value(p, i, AG_C_COMPARE);
        if ((way && !*way) || (i > 0 && ag_reads(p, i, AG_C_SINCE)))
            return true;
    }
    return ag_said(p, AG_C_SAME_TIME) || p->than_a_time;
}

/* "grew since yesterday", "up since last week": what is so far of that unit against the one named. The name
 * of the unit, or NULL. */
static const char *since_unit(struct ag_parse *p, const struct ag_time_found *f)
{
    static const struct {
        const char *name;
        char unit;
    } units[] = {{"day", 'd'}, {"week", 'w'}, {"month", 'M'}};

    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        int64_t start = ag_zone_floor(p->zone, p->now, units[i].unit);
        if (f->to_us >= p->now && f->from_us == ag_zone_add(p->zone, start, units[i].unit, -1))
            return units[i].name;
    }
    return NULL;
}

static bool says_since(const struct ag_parse *p, const struct ag_time_found *f)
{
    for (size_t i = f->from > 0 ? f->from - 1 : 0; i <= f->to; i++) {
        if (ag_reads(p, i, AG_C_SINCE) || (ag_reads(p, i, AG_C_AFTER) && f->to_us >= p->now))
            return true;
    }
    return false;
}

/* From one midnight to another, be there days of 23 or 25 hours between. */
static int days_between(int64_t from, int64_t to)
{
    return (int)((to - from + (to > from ? AG_DAY / 2 : -AG_DAY / 2)) / AG_DAY);
}

/* "[from, to)" on another day, by the clock. */
static const char *on_day(struct ag_parse *p, int64_t from, int64_t to, int64_t day)
{
    int days = days_between(ag_zone_floor(p->zone, from, 'd'), day);

    return ag_span_text(p, ag_zone_add(p->zone, from, 'd', days), ag_zone_add(p->zone, to, 'd', days));
}

const char *ag_same_clock(struct ag_parse *p, const char *symbolic, const struct ag_time_found *day)
{
    int64_t from;
    int64_t to;
    int64_t base;

    if (strcmp(symbolic, "all") == 0 || !day->day_only ||
        (ag_zone_add(p->zone, day->from_us, 'd', 1) != day->to_us && day->to_us < p->now) ||
        ag_time_resolve(symbolic, p->zone_name, p->now, &from, &to, NULL, NULL) < 0 || to - from > AG_DAY)
        return NULL;
    base = ag_zone_floor(p->zone, from, 'd');
    return ag_zone_add(p->zone, from, 'd', days_between(base, day->from_us)) < p->now
               ? on_day(p, from, to < p->now ? to : p->now, day->from_us)
               : NULL;
}

/* "until": up to the same time, not at it. */
static bool says_until(const struct ag_parse *p, size_t i)
{
    const char *word = ag_word(p, i);

    return strstr(word, "까지") || strstr(word, "until") || strstr(word, "up to") ||
           strncmp(word, "by ", 3) == 0 || ag_reads(p, ag_after(p, i), AG_C_TO) ||
           (i > 0 && ag_reads(p, i - 1, AG_C_TO)) || strcmp(ag_word(p, i + 1), "까지") == 0 ||
           (i > 0 && strcmp(ag_word(p, i - 1), "by") == 0);
}

/* 어제 같은 시간까지 에러 몇 건, "errors by the same time yesterday": that day so far. Which hours are the
 * same nobody said who has not asked before. Without a word that compares. */
static bool at_the_same_time(struct ag_parse *p)
{
    char name[16];
    int k;

    if (!ag_said(p, AG_C_SAME_TIME) || ag_said(p, AG_C_COMPARE) || p->time_count != 1 ||
        !ag_calendar_of(p->times[0].symbolic, name, &k) || k >= 0)
        return false;
    if (strcmp(name, "day") == 0 && says_until(p, p->said[AG_C_SAME_TIME] - 1))
        ag_set_window(p, ag_sayf(p, "day %d so far", k), true);
    else
        ag_stop(p, AG_NEEDS_CLARIFICATION,
                ag_say(p, "어느 시간과 같은지 알 수 없습니다.", "It is not said the same as what."),
                ag_say(p,
                       "시간을 적어 주세요. 예: \"어제 13시부터 14시까지 에러\", \"어제 같은 시간까지 에러\"",
                       "Name the hours, for example \"errors yesterday from 13:00 to 14:00\"."));
    return true;
}

/* Is token `i` part of a time, or of a word such as 전날 or 같은 시간? */
static bool is_of_a_time(const struct ag_parse *p, size_t i)
{
    for (size_t k = 0; k < p->time_count; k++) {
        if (i >= p->times[k].from && i < p->times[k].to)
            return true;
    }
    return ag_reads(p, i, AG_C_SHIFT) || ag_reads(p, i, AG_C_SAME_TIME) || ag_reads(p, i, AG_C_PAST) ||
           ag_reads(p, i, AG_C_BEFORE) || ag_reads(p, i, AG_C_NOW) || ag_reads(p, i, AG_C_FOLLOW) ||
           ag_reads(p, i, AG_C_PRONOUN) || ag_reads(p, i, AG_C_EVENT_ANCHOR) || ag_reads(p, i, AG_C_UNIT);
}

/* Does a name, and no level or status, end before token `to`? */
static bool ends_a_name(const struct ag_parse *p, size_t to)
{
    const struct ag_mention *m = ag_mention_ending(p, to);

    return m && m->field != AG_LEVEL && m->field != AG_HTTP_STATUS && m->field != AG_STATUS_CLASS;
}

/* FATAL 대비 ERROR, 사용자 수 대비 에러 수, p99와 p50 차이: one number against another, at no other time. */
static bool sets_numbers_against(const struct ag_parse *p)
{
    static const char *const against[] = {"대비", "비해", "비해서"};
    static const char *const apart[] = {"차이", "difference", "differ"};
    bool timed = ag_said(p, AG_C_SHIFT) || ag_said(p, AG_C_SAME_TIME) || p->time_count > 0;

    for (size_t i = 0; i < p->tokens->count; i++) {
        size_t before = i > 0 ? ag_before(p, i) : SIZE_MAX;
        if (ag_says(p, i, apart, sizeof apart / sizeof *apart) && !timed && p->intent->group_count == 0)
            return true;
        if (ag_says(p, i, against, sizeof against / sizeof *against) && before != SIZE_MAX &&
            !is_of_a_time(p, before) && !ends_a_name(p, before + 1))
            return true;
    }
    return false;
}

/* 오늘이랑 어제 비교, 어제도 같은 시각까지만: named once more. */
static void forget_repeated(struct ag_parse *p)
{
    size_t kept = 0;

    for (size_t i = 0; i < p->time_count; i++) {
        bool again = false;
        for (size_t k = 0; k < kept; k++)
            again = again || strcmp(p->times[k].symbolic, p->times[i].symbolic) == 0;
        if (!again)
            p->times[kept++] = p->times[i];
    }
    p->time_count = kept;
}

static void compare_windows(struct ag_parse *p)
{
    const char *unit = ag_said(p, AG_C_SHIFT) ? ag_reads_value(p, p->said[AG_C_SHIFT] - 1, AG_C_SHIFT) : NULL;
    char name[16];
    int k;

    if (p->time_count > 2 && ag_said(p, AG_C_SAME_TIME))
        forget_repeated(p);
    if (p->time_count == 2 && ag_is_crossed(p)) {
        ag_stop(p, AG_NOT_UNDERSTOOD,
                ag_say(p, "이름도 시간도 서로 다른 둘은 비교할 수 없습니다.",
                       "Two names, each at a time of its own, cannot be compared."),
                ag_say(p, "예: \"결제 에러 오늘과 어제 비교\"",
                       "For example \"errors of payment-service today vs yesterday\"."));
        return;
    }
    if (sets_numbers_against(p)) {
        ag_stop(p, AG_NOT_UNDERSTOOD,
                ag_say(p, "두 수를 서로 견주는 질문은 아직 답하지 못합니다.",
                       "One number cannot be set against another yet."),
                ag_say(p, "예: \"오늘 에러 수와 요청 수\", \"어제 대비 오늘 에러\"",
                       "For example \"errors today vs yesterday\"."));
        return;
    }
    if (p->time_count == 2 && !unit) {
        two_windows(p);
        return;
    }
    if (p->time_count >= 2) {
        ask_spans(p);
        return;
    }
    if (p->time_count == 0) {
        ag_set_window(p,
                      unit && strcmp(unit, "same") != 0 && strcmp(unit, "hour") != 0
                          ? ag_sayf(p, "%s 0", unit)
                          : "last 1 hour",
                      false);
        ag_set_against(p, window_before(p, p->intent->window.symbolic));
        return;
    }
    if (!unit && says_since(p, &p->times[0])) {
        const char *since = since_unit(p, &p->times[0]);
        if (since) {
            ag_set_window(p, ag_sayf(p, "%s 0", since), true);
            ag_set_against(p, ag_sayf(p, "%s -1 so far", since));
            return;
        }
        if (p->now - p->times[0].from_us < 12 * AG_HOUR) {
            before_after(p);
            return;
        }
    }
    if (!unit && names_other_side(p) && ag_calendar_of(p->times[0].symbolic, name, &k) && k < 0) {
        /* "compared with yesterday": the current one against it; "did errors rise yesterday" is not that. */
        ag_set_window(p, ag_sayf(p, "%s 0", name), true);
        ag_set_against(p, ag_sayf(p, "%s so far", p->times[0].symbolic));
        return;
    }
    ag_set_window(p, p->times[0].symbolic, true);
    if (unit && strcmp(unit, "same") != 0) {
        const char *before = shifted(p, p->times[0].symbolic, unit);
        if (before && ag_calendar_of(p->times[0].symbolic, name, &k) && k == 0 && strcmp(name, unit) == 0)
            before = ag_sayf(p, "%s so far", before);
        ag_set_against(p, before);
    } else {
        ag_set_against(p, window_before(p, p->times[0].symbolic));
        ag_assume(p, "compared_with_before", "바로 앞의 같은 길이와 비교했습니다.",
                  "Compared with the equal span before it.");
    }
}

/* "errors vs payment-service", 결제보다: not with another time. */
static bool compares_with_a_name(const struct ag_parse *p)
{
    size_t at = p->said[AG_C_COMPARE] - 1;
    const char *word = ag_word(p, at);
    bool korean = ag_is_korean(p, at);

    if (!ag_said(p, AG_C_COMPARE) || p->time_count > 1 || ag_said(p, AG_C_SHIFT) ||
        (korean && strcmp(word, "보다") != 0 && strcmp(word, "대비") != 0 && strcmp(word, "비해") != 0))
        return false;
    for (size_t k = 0; k < p->mention_count; k++) {
        const struct ag_mention *m = &p->mentions[k];
        if (m->field != AG_LEVEL && m->field != AG_HTTP_STATUS && m->field != AG_STATUS_CLASS &&
            (korean ? m->to == at || (m->to + 1 == at && ag_reads(p, m->to, AG_C_PARTICLE))
                    : m->from == at + 1))
            return true;
    }
    return false;
}

/* "Why" without another window: the one said, or the last hour, and the one before it. */
static void evidence_windows(struct ag_parse *p)
{
    bool stated = p->time_count == 1 && !p->times[0].past_is_vague;

    ag_set_window(p, stated ? p->times[0].symbolic : "last 1 hour", stated);
    if (!stated)
        ag_assume(p, "default_window", "시간을 말하지 않아 최근 1시간을 보았습니다.",
                  "No time was said: the last hour.");
    ag_set_against(p, window_before(p, p->intent->window.symbolic));
}

/* Days of the week are told apart in more than one day, hours in whole days. */
static bool days_fit(const struct ag_intent *in)
{
    bool hours = ag_has_field(in, AG_HOUR_OF_DAY);
    int day;

    if (!ag_has_field(in, AG_DAY_OF_WEEK) || in->window.from_us == INT64_MIN)
        return true;
    if (hours && sscanf(in->window.symbolic, "day %d", &day) == 1 && !strchr(in->window.symbolic, ':'))
        return true;
    return in->window.to_us - in->window.from_us > (hours ? AG_DAY - 1 : AG_DAY);
}

/* Whether what is asked can be asked of two windows. */
static void check_comparison(struct ag_parse *p)
{
    struct ag_intent *in = p->intent;

    if (in->compare == AG_COMPARE_WINDOW && in->measure.fn == AG_LIST) {
        ag_count_instead(p);
        if (p->stopped)
            return;
    }
    if (in->compare == AG_COMPARE_WINDOW && in->rank && (ag_ranks_by_change(p) || ag_picks_changed(p))) {
        ag_assume(p, "ranked_by_change", "두 기간의 차이가 큰 순서입니다.",
                  "In order of the difference between the two windows.");
    } else if (in->compare == AG_COMPARE_WINDOW &&
               (in->rank || ag_says_order_of_change(p) ||
                (ag_said(p, AG_C_ORDER) && p->said[AG_C_ORDER] == p->said[AG_C_COMPARE] + 1))) {
        ag_stop(
            p, AG_NOT_UNDERSTOOD,
            ag_say(p, "값의 순서인지 변화의 순서인지 분명하지 않습니다.",
                   "It is not clear whether the order is that of the values or of their changes."),
            ag_say(
                p, "예: \"어제보다 에러가 가장 많이 늘어난 서비스\", \"오늘 에러가 가장 많은 서비스\"",
                "For example \"which service's errors increased the most vs yesterday?\" or \"services with "
                "the most errors today\"."));
        return;
    }
    if (in->compare == AG_COMPARE_WINDOW &&
        ((in->shape != AG_PLAIN && in->shape != AG_EVIDENCE && in->shape != AG_NEW) ||
         in->measure.fn == AG_NAMES || in->measure.fn == AG_FIRST_SEEN || in->measure.fn == AG_LAST_SEEN)) {
        ag_stop(p, AG_NOT_UNDERSTOOD,
                ag_say(p, "이런 질문은 비교할 수 없습니다.", "This cannot be compared."), NULL);
    }
}

/* The windows' bounds, and whether what is asked fits into them. */
static void resolve(struct ag_parse *p)
{
    struct ag_intent *in = p->intent;
    struct lm_error error;

    if (ag_intent_resolve(in, p->now, &error) < 0)
        ag_stop(p, AG_NEEDS_CLARIFICATION,
                ag_say(p, "시간을 알아들을 수 없습니다.", "The time could not be understood."), NULL);
    else if (!days_fit(in))
        ag_stop(p, AG_NOT_UNDERSTOOD,
                ag_say(p, "기간이 짧아 평일, 주말, 업무 시간으로 나눌 수 없습니다.",
                       "The window is too short to be divided into weekdays, weekends or working hours."),
                NULL);
    else if (in->shape == AG_SERIES && !in->threshold.set && in->window.from_us != INT64_MIN &&
             !in->window.open && in->bucket_us > in->window.to_us - in->window.from_us)
        ag_stop(p, AG_NOT_UNDERSTOOD,
                ag_say(p, "나누는 단위가 기간보다 깁니다.", "The steps are longer than the window."), NULL);
}

void ag_windows_rule(struct ag_parse *p)
{
    struct ag_intent *in = p->intent;
    bool vague = p->time_count == 1 && p->times[0].past_is_vague;

    in->zone = p->zone_name;
    if (ag_said(p, AG_C_BEFORE_AFTER)) {
        before_after(p);
    } else if (in->shape == AG_EVIDENCE && p->time_count < 2 && !names_other_side(p)) {
        evidence_windows(p);
    } else if (compares_with_a_name(p)) {
        ag_stop(
            p, AG_NOT_UNDERSTOOD,
            ag_say(p, "이름 하나와의 비교는 다루지 않습니다.",
                   "A comparison with one name is not supported."),
            ag_say(p, "예: \"결제와 주문 에러 비교\"", "For example \"errors of payment and order, each\"."));
    } else if (at_the_same_time(p)) {
        /* one window */
    } else if (ag_said(p, AG_C_COMPARE) || ag_said(p, AG_C_SAME_TIME)) {
        compare_windows(p);
    } else if (p->time_count == 2 && in->shape == AG_NEW) {
        ag_new_since(p);
    } else if (ag_was_absent(p)) {
        ag_came_since(p);
    } else if (p->time_count > 1) {
        ag_stop(
            p, AG_NOT_UNDERSTOOD, ag_say(p, "시간이 둘 이상 있습니다.", "More than one time was said."),
            ag_say(p, "한 기간만 적거나 \"비교\"를 붙여 주세요.", "Say one window, or ask to compare two."));
    } else if (p->time_count == 1 && ag_said(p, AG_C_SHIFT)) {
        ag_stop(
            p, AG_NOT_UNDERSTOOD, ag_say(p, "시간이 둘 이상 있습니다.", "More than one time was said."),
            ag_say(p, "한 기간만 적거나 \"비교\"를 붙여 주세요.", "Say one window, or ask to compare two."));
    } else if (p->time_count == 1 && !vague) {
        ag_set_window(p, p->times[0].symbolic, true);
    } else if (ag_said(p, AG_C_SHIFT)) {
        ag_stop(p, AG_NEEDS_CLARIFICATION,
                ag_say(p, "무엇의 전인지 알 수 없습니다.", "It is not clear before what."),
                ag_say(p, "기간을 적어 주세요. 예: \"어제\", \"지난주\"",
                       "Name the window, for example \"yesterday\" or \"last week\"."));
    } else {
        ag_unsaid_window(p);
    }
    /* "why is it failing since noon": a beginning, not another side. */
    if (!p->stopped && in->shape == AG_EVIDENCE && in->compare == AG_NO_COMPARE)
        ag_set_against(p, window_before(p, in->window.symbolic));
    if (!p->stopped && in->shape == AG_SERIES && in->bucket_us >= AG_DAY && p->time_count == 1 &&
        p->times[0].instant)
        ag_stop(p, AG_NOT_UNDERSTOOD,
                ag_say(p, "매일 같은 시각처럼 나뉜 시간은 아직 다루지 않습니다.",
                       "Times in pieces, such as an hour of every day, are not supported yet."),
                NULL);
    if (!p->stopped)
        ag_never_before(p);
    if (!p->stopped)
        check_comparison(p);
    if (!p->stopped)
        resolve(p);
}

const char *ag_shift_window(struct ag_parse *p, const char *symbolic, const char *unit)
{
    return shifted(p, symbolic, unit);
}
