/*
 * Lengths of time that hang on a moment: 14시부터 30분 동안, "the first 15 minutes after midnight", 어제
 * 마지막 2시간; as long before it and after it: 13:50 앞뒤로 30분, "2 hours before and after 8:20". And a
 * length with nothing to hang on, which is the last so long: "errors 6h", p95 24시간.
 */
#include "agent/understand/moment.h"
#include "agent/understand/window.h"

#include <math.h>
#include <string.h>

#define MAX_TOLD 6 /* words of what happened at a moment */

struct length {
    double n;
    char unit;
    int64_t us;
};

/* A length at token `i`; the token behind it, or `i`. */
static size_t read_length(const struct ag_parse *p, size_t i, struct length *out)
{
    size_t end = ag_length_read(p, i, &out->n, &out->unit);

    out->us = end > i ? (int64_t)(out->n * (double)ag_unit_us(out->unit)) : 0;
    return end > i && out->us >= AG_SECOND && out->us <= 366 * AG_DAY ? end : i;
}

/* "hour" behind first or last is one. */
static size_t read_length_or_unit(const struct ag_parse *p, size_t i, struct length *out)
{
    const char *unit = ag_value(p->tokens, i, AG_C_UNIT);
    size_t end = read_length(p, i, out);

    if (end > i || !unit || ag_is_korean(p, i) || !strchr("smh", unit[0]) || strcmp(unit, "ms") == 0)
        return end;
    *out = (struct length){1, unit[0], ag_unit_us(unit[0])};
    return i + 1;
}

static bool is_of_days(const struct length *length)
{
    return strchr("smhz", length->unit) == NULL;
}

/* `from` moved by a length, by the calendar where it is one of days; INT64_MIN where it cannot be. */
static int64_t moved(const struct ag_parse *p, int64_t from, const struct length *length, int way)
{
    if (!is_of_days(length))
        return from + way * length->us;
    return length->n == floor(length->n) ? ag_zone_add(p->zone, from, length->unit, way * (int)length->n)
                                         : INT64_MIN;
}

/* The window [from, to) found from tokens [i, end): `end`, or `i` where it is none. */
static size_t found(struct ag_parse *p, struct ag_time_found *f, int64_t from, int64_t to, size_t i,
                    size_t end)
{
    if (from == INT64_MIN || to == INT64_MIN || to <= from)
        return i;
    if (from >= p->now) {
        ag_ask_future(p);
        return end;
    }
    return ag_settle_span(p, f, from, to, to >= p->now) ? end : i;
}

/* A clock whose day may be said elsewhere: where the stretch begins and ends on it. */
static void note_clock(struct ag_time_found *f, const struct ag_moment *m, const struct length *length,
                       int way)
{
    int at = ag_moment_minutes(m);
    int minutes = (int)(length->us / AG_MINUTE);

    if (!m->has_clock || m->has_date || is_of_days(length) || length->us % AG_MINUTE != 0 ||
        (way < 0 && at < minutes))
        return;
    f->clock_only = f->dateless = true;
    f->clock_from = way < 0 ? at - minutes : at;
    f->clock_to = way < 0 ? at : at + minutes;
}

/* As long as `length` before the moment and after it: compare.c makes the two windows. */
static size_t beside(struct ag_parse *p, struct ag_time_found *f, int64_t at, const struct length *length,
                     size_t i, size_t end)
{
    if (found(p, f, at, at + AG_MINUTE, i, end) == i)
        return i;
    f->instant = true;
    p->beside_us = length->us;
    p->said[AG_C_BEFORE_AFTER] = i + 1;
    return end;
}

/* -- Korean: the moment, its relation, the length -- */

static bool says_after(const struct ag_parse *p, size_t i)
{
    return ag_is_korean(p, i) && (ag_is(p->tokens, i, AG_C_FROM) || ag_is(p->tokens, i, AG_C_SINCE) ||
                                  ag_is(p->tokens, i, AG_C_AFTER));
}

static bool says_before(const struct ag_parse *p, size_t i)
{
    return ag_is_korean(p, i) && (ag_is(p->tokens, i, AG_C_BEFORE) || ag_is(p->tokens, i, AG_C_AGO));
}

/* Behind a length: 동안, 간; the token behind them, or SIZE_MAX where the length is another thing's: 30분 전,
 * 30분까지. */
static size_t closed(const struct ag_parse *p, size_t i, bool *during)
{
    const struct ag_tokens *t = p->tokens;

    *during = ag_is(t, i, AG_C_DURING) && ag_is_korean(p, i);
    if (*during)
        return i + 1;
    return ag_is(t, i, AG_C_AGO) || ag_is(t, i, AG_C_BEFORE) || ag_is(t, i, AG_C_AFTER) ||
                   ag_is(t, i, AG_C_TO) || ag_is(t, i, AG_C_FROM) || ag_is(t, i, AG_C_WITHIN)
               ? SIZE_MAX
               : i;
}

/* May token `i` tell what happened at the moment: no name, measure or time? */
static bool may_be_told(const struct ag_parse *p, size_t i)
{
    static const enum ag_concept told[] = {AG_C_HANGUL, AG_C_EVENT_ANCHOR, AG_C_VERB,  AG_C_ENDING,
                                           AG_C_DOMAIN, AG_C_PARTICLE,     AG_C_NOISE, AG_C_NUMBER,
                                           AG_C_FIRST,  AG_C_FINAL};

    if (i >= p->tokens->count || !ag_is_korean(p, i) || p->tokens->items[i].name_count > 0)
        return false;
    for (size_t k = 0; k < sizeof told / sizeof *told; k++) {
        if (ag_is(p->tokens, i, told[k]))
            return true;
    }
    return false;
}

/* What happened at a moment is told between it and its relation. */
static void tell(struct ag_parse *p, size_t from, size_t to)
{
    const struct ag_token *items = p->tokens->items;
    const char *told = ag_text_utf8(&p->text, items[from].from, items[to - 1].to, p->arena);

    p->memory = p->memory || !told;
    ag_assume(p, "background",
              ag_sayf(p, "\"%s\"은(는) 배경 설명으로 보고 조건에서 뺐습니다.", told ? told : ""),
              "What happened then is taken as background, not as a condition.");
}

/* 08:20 설정변경 전 2시간, 13:50 배포 전후 30분, 13:50 기준 앞뒤로 10분. The token of the relation where a
 * length follows, or `i`. */
static size_t past_event(struct ag_parse *p, size_t i)
{
    struct length length;

    for (size_t k = i; k < i + MAX_TOLD; k++) {
        bool related = says_before(p, k) || says_after(p, k) ||
                       (ag_is(p->tokens, k, AG_C_BEFORE_AFTER) && ag_is_korean(p, k));
        size_t at = k + 1 + ag_is(p->tokens, k + 1, AG_C_PARTICLE);
        if (related && read_length(p, at, &length) > at) {
            if (k > i && !ag_is(p->tokens, i, AG_C_BY_AFTER))
                tell(p, i, k);
            return k;
        }
        if (!may_be_told(p, k) && !ag_is(p->tokens, k, AG_C_BY_AFTER))
            break;
    }
    return i;
}

/* 9시 장 열리고 10분 동안, 13시 50분에 배포하고 30분간: what happened then stands between, and ends in -고.
 * The token of the length, or `i`. */
static size_t past_told(struct ag_parse *p, size_t i)
{
    static const char *const ends[] = {"고", "고서", "하고", "되고", "나고", "하고나서", "되고나서", "나서"};
    struct length length;
    bool during;

    for (size_t k = i; k < i + MAX_TOLD && (may_be_told(p, k) || says_after(p, k)); k++) {
        size_t end = k > i ? read_length(p, k + 1, &length) : k + 1;
        if (end == k + 1 || closed(p, end, &during) == SIZE_MAX || !during ||
            !(says_after(p, k) || ag_says(p, k, ends, sizeof ends / sizeof *ends)))
            continue;
        tell(p, i, k + 1);
        return k + 1;
    }
    return i;
}

/* 08:20 전 2시간 / 후 2시간: the same length on the other side. The token behind it, or `i`. */
static size_t other_side(const struct ag_parse *p, size_t i, const struct length *length)
{
    struct length other;
    size_t at = i;
    size_t end;

    while (ag_joins_list(p, at) || strcmp(ag_word(p, at), "/") == 0 || ag_is(p->tokens, at, AG_C_DASH))
        at++;
    if (!says_after(p, at) || ag_is(p->tokens, at, AG_C_FROM))
        return i;
    end = read_length(p, at + 1, &other);
    return end > at + 1 && other.us == length->us ? end : i;
}

/* 오늘 첫 1시간, 어제 마지막 2시간 */
static size_t edge_of_day(struct ag_parse *p, size_t i, size_t end, const struct ag_moment *m,
                          struct ag_time_found *f)
{
    const struct ag_tokens *t = p->tokens;
    struct length length;
    bool first = ag_is(t, end, AG_C_FIRST);
    bool during;
    size_t to;

    if (!m->has_date || m->has_clock || m->has_part || m->unit != 'd' ||
        !(first || ag_is(t, end, AG_C_FINAL)) || !ag_is_korean(p, end))
        return i;
    to = read_length(p, end + 1, &length);
    if (to == end + 1 || is_of_days(&length) || (to = closed(p, to, &during)) == SIZE_MAX)
        return i;
    return first ? found(p, f, m->day, m->day + length.us, i, to)
                 : found(p, f, m->day_end - length.us, m->day_end, i, to);
}

static size_t korean(struct ag_parse *p, size_t i, struct ag_time_found *f)
{
    const struct ag_tokens *t = p->tokens;
    struct ag_moment m;
    struct length length;
    int64_t at = 0;
    bool during;
    size_t read = ag_moment_read(p, i, false, NULL, &m);
    size_t relation;
    size_t to;
    size_t end;
    bool until;

    if (read == i || m.bare_number)
        return i;
    if ((end = edge_of_day(p, i, read, &m, f)) > i)
        return end;
    if (!ag_moment_point(p, &m, &at))
        return i;
    relation = past_event(p, read + (strcmp(ag_word(p, read), "에") == 0));
    until = ag_is(t, relation, AG_C_TO) && ag_is_korean(p, relation);
    if (ag_is(t, relation, AG_C_BEFORE_AFTER) && ag_is_korean(p, relation)) {
        relation = ag_is(t, relation + 1, AG_C_PARTICLE) ? relation + 1 : relation;
        to = read_length(p, relation + 1, &length);
        return to > relation + 1 && m.has_clock ? beside(p, f, at, &length, i, to) : i;
    }
    if (m.has_clock && (says_before(p, relation) || until) &&
        (to = read_length(p, relation + 1, &length)) > relation + 1) {
        end = other_side(p, to, &length);
        if (end > to)
            return beside(p, f, at, &length, i, end);
        to = closed(p, to, &during);
        if (to == SIZE_MAX || (!during && until))
            return i;
        note_clock(f, &m, &length, -1);
        return found(p, f, moved(p, at, &length, -1), at, i, to);
    }
    if (!says_after(p, relation) || (to = read_length(p, relation + 1, &length)) == relation + 1) {
        relation = past_told(p, relation);
        if ((to = read_length(p, relation, &length)) == relation || !m.has_clock)
            return i;
    }
    to = closed(p, to, &during);
    /* 3월 1일부터 3일간; 어제부터 3시간 says nothing of when. */
    if (to == SIZE_MAX || (!m.has_clock && !m.ago && !(during && is_of_days(&length))))
        return i;
    note_clock(f, &m, &length, 1);
    return found(p, f, at, moved(p, at, &length, 1), i, to);
}

/* -- English: the length, its relation, the moment -- */

static bool is_the(const struct ag_parse *p, size_t i)
{
    return strcmp(ag_word(p, i), "the") == 0;
}

/* "2 hours before and 2 hours after", "before and after": the token behind it, or `i`. */
static size_t both_sides(const struct ag_parse *p, size_t i, const struct length *length)
{
    const struct ag_tokens *t = p->tokens;
    struct length other;
    size_t end;

    if (ag_is(t, i, AG_C_BEFORE_AFTER))
        return i + 1;
    if (!ag_is(t, i, AG_C_BEFORE) || !ag_is(t, i + 1, AG_C_AND))
        return i;
    end = read_length(p, i + 2, &other);
    return end > i + 2 && other.us == length->us && ag_is(t, end, AG_C_AFTER) ? end + 1 : i;
}

/* "first hour of today", "the last 30 minutes of yesterday" */
static size_t english_edge(struct ag_parse *p, size_t i, size_t at, bool first, const struct length *length,
                           struct ag_time_found *f)
{
    struct ag_moment m;
    size_t start = at + 1 + is_the(p, at + 1);
    size_t end = ag_moment_read(p, start, false, NULL, &m);

    if (end == start || !m.has_date || m.has_clock || m.has_part || m.unit != 'd' || is_of_days(length))
        return i;
    return first ? found(p, f, m.day, m.day + length->us, i, end)
                 : found(p, f, m.day_end - length->us, m.day_end, i, end);
}

static size_t english(struct ag_parse *p, size_t i, struct ag_time_found *f)
{
    const struct ag_tokens *t = p->tokens;
    struct ag_moment m;
    struct length length;
    int64_t moment = 0;
    size_t at = i;
    size_t start;
    size_t end;
    bool first;
    bool last;
    bool led;
    bool before;

    while (at < i + 3 &&
           (ag_is(t, at, AG_C_PREPOSITION) || ag_is(t, at, AG_C_DURING) || ag_is(t, at, AG_C_WITHIN) ||
            is_the(p, at)) &&
           !ag_is_korean(p, at))
        at++;
    led = at > i;
    if (strcmp(ag_word(p, i), "from") == 0 || (i > 0 && strcmp(ag_word(p, i - 1), "from") == 0))
        return i; /* "from 10 minutes before 14:00" goes on until now */
    first = ag_is(t, at, AG_C_FIRST);
    last = ag_is(t, at, AG_C_LAST) || ag_is(t, at, AG_C_FINAL);
    at += first || last;
    end = first || last ? read_length_or_unit(p, at, &length) : read_length(p, at, &length);
    if (end == at || ag_is_korean(p, end))
        return i;
    if ((first || last) && (strcmp(ag_word(p, end), "of") == 0 || strcmp(ag_word(p, end), "of the") == 0))
        return english_edge(p, i, end, first, &length, f);
    start = both_sides(p, end, &length);
    before = start == end && ag_is(t, end, AG_C_BEFORE);
    if (start == end && !before &&
        !(first ? ag_is(t, end, AG_C_AFTER) || ag_is(t, end, AG_C_SINCE) || ag_is(t, end, AG_C_FROM)
                : led && !last && (ag_is(t, end, AG_C_AFTER) || ag_is(t, end, AG_C_FROM))))
        return i;
    start = start > end ? start : end + 1;
    start += is_the(p, start);
    at = ag_moment_read(p, start, false, NULL, &m);
    if (at == start || !m.has_clock || !ag_moment_point(p, &m, &moment))
        return i;
    if (start > end + 1 + is_the(p, end + 1) || ag_is(t, end, AG_C_BEFORE_AFTER))
        return beside(p, f, moment, &length, i, at);
    note_clock(f, &m, &length, before ? -1 : 1);
    return before ? found(p, f, moved(p, moment, &length, -1), moment, i, at)
                  : found(p, f, moment, moved(p, moment, &length, 1), i, at);
}

size_t ag_stretch_rule(struct ag_parse *p, size_t i, struct ag_time_found *f)
{
    size_t end = korean(p, i, f);

    return end > i || p->stopped ? end : english(p, i, f);
}

/* -- a length alone -- */

/* Does nothing that matters stand from token `i` on? */
static bool ends_at(const struct ag_parse *p, size_t i)
{
    while (i < p->tokens->count && (ag_reads(p, i, AG_C_STOP) || ag_reads(p, i, AG_C_NOISE) ||
                                    ag_reads(p, i, AG_C_ENDING) || ag_reads(p, i, AG_C_PARTICLE)))
        i++;
    return i >= p->tokens->count;
}

/* Is token `i` what a window is of: errors, logs, a rate? */
static bool has_a_window(const struct ag_parse *p, size_t i)
{
    static const enum ag_concept nouns[] = {AG_C_ERROR,        AG_C_LEVEL,        AG_C_LOG,
                                            AG_C_REQUEST,      AG_C_RATE,         AG_C_FAIL_RATE,
                                            AG_C_SERVICE_WORD, AG_C_STATUS_CLASS, AG_C_FIELD};

    for (size_t k = 0; k < sizeof nouns / sizeof *nouns; k++) {
        if (ag_reads(p, i, nouns[k]))
            return true;
    }
    return false;
}

/* Is a length said of something else than the window here: a silence, a condition, a duration? */
static bool is_of_another(const struct ag_parse *p, size_t i, char unit)
{
    static const enum ag_concept before[] = {AG_C_ABOVE,     AG_C_BELOW, AG_C_AT_LEAST, AG_C_AT_MOST,
                                             AG_C_BY_BEFORE, AG_C_EVERY, AG_C_TOP,      AG_C_NUMBER};

    for (size_t k = 0; k < p->tokens->count; k++) {
        if (ag_reads(p, k, AG_C_STOPPED) || ag_reads(p, k, AG_C_WITHOUT) ||
            (ag_reads(p, k, AG_C_COMPARE) && !ag_turns(p, k)) ||
            (unit == 'm' && (ag_reads(p, k, AG_C_DURATION) || ag_reads(p, k, AG_C_SLOW))))
            return true;
    }
    for (size_t k = 0; i > 0 && k < sizeof before / sizeof *before; k++) {
        if (ag_reads(p, i - 1, before[k]))
            return true;
    }
    return false;
}

/* 1시간으로 늘려봐, 10분으로: of what was asked before, unless that has steps, which may be meant as well. */
static bool is_turned_to(const struct ag_parse *p, size_t end)
{
    const struct ag_intent *previous = p->question->previous;

    return previous && previous->shape != AG_SERIES && previous->bucket_us == 0 && ag_is_korean(p, end - 1) &&
           ag_says(p, end, (const char *const[]){"으로", "로"}, 2) &&
           (ends_at(p, end + 1) || ag_turns(p, end + 1));
}

size_t ag_lone_length_rule(struct ag_parse *p, size_t i, struct ag_time_found *f)
{
    struct length length;
    size_t end = read_length(p, i, &length);
    bool bracketed = i > 0 && strcmp(ag_word(p, i - 1), "(") == 0 && strcmp(ag_word(p, end), ")") == 0;

    if (end == i || !strchr("mhdwM", length.unit) || is_of_another(p, i, length.unit))
        return i;
    if (!bracketed && !ends_at(p, end) && !is_turned_to(p, end) && !ag_is(p->tokens, end, AG_C_BY_BEFORE) &&
        !((ag_is_korean(p, end - 1) || i == 0) && has_a_window(p, end)))
        return i;
    if (!ag_settle(p, f, ag_rolling(p, length.n, length.unit)))
        return i;
    ag_assume(p, "rolling_length", "길이만 말한 시간은 지금까지의 최근 그만큼으로 보았습니다.",
              "A length of time alone is taken as the last so long, until now.");
    return end;
}

/* "vs", "than", 보다: is something set against something else at all? */
static bool sets_against(const struct ag_parse *p)
{
    for (size_t i = 0; i < p->tokens->count; i++) {
        if (ag_reads(p, i, AG_C_COMPARE) || strcmp(ag_word(p, i), "than") == 0 ||
            strncmp(ag_word(p, i), "보다", strlen("보다")) == 0)
            return true;
    }
    return false;
}

void ag_take_equal_span(struct ag_parse *p)
{
    const struct ag_time_found *window = &p->times[0];
    size_t count = p->time_count == 1 && sets_against(p) ? p->tokens->count : 0;

    for (size_t i = 0; i < count; i++) {
        struct length length;
        size_t end = read_length(p, i, &length);
        size_t before = ag_before(p, i);
        if (end == i || (i >= window->from && i < window->to) || length.us != window->to_us - window->from_us)
            continue;
        size_t next = ag_after(p, end - 1);
        if (ag_reads(p, next, AG_C_BEFORE))
            ag_consume(p->tokens, i, next + 1, "shift");
        else if (ag_reads(p, next, AG_C_SHIFT) || (before != SIZE_MAX && ag_reads(p, before, AG_C_SHIFT)))
            ag_consume(p->tokens, i, end, "shift");
    }
}
