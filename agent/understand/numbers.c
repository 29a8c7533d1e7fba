/*
 * Numbers that are not times: how fine a series, how long a request, how many of a group, how many rows,
 * which percentile. They run before the expressions of time, which would take "5 minutes" of "every 5
 * minutes" for a window.
 */
#include "agent/understand/parse.h"
#include "agent/understand/window.h"

#include <stdio.h>
#include <string.h>

static bool comparator(const struct ag_parse *p, size_t i, enum ag_op *op)
{
    const struct ag_tokens *t = p->tokens;

    if (ag_is(t, i, AG_C_AT_LEAST))
        *op = AG_AT_LEAST;
    else if (ag_is(t, i, AG_C_AT_MOST))
        *op = AG_AT_MOST;
    else if (ag_is(t, i, AG_C_ABOVE))
        *op = AG_ABOVE;
    else if (ag_is(t, i, AG_C_BELOW))
        *op = AG_BELOW;
    else
        return false;
    return true;
}

/* "busiest 5 minutes", 에러가 가장 몰린 10분: a superlative at token `i`, and nothing behind the length at
 * `end` that makes it a window. */
static bool is_fullest(const struct ag_parse *p, size_t i, size_t end)
{
    bool fullest;

    /* 제일 바빴던 10분 */
    while (i > 0 && ag_is_korean(p, i) && ag_is(p->tokens, i, AG_C_ENDING) && p->tokens->items[i].glued)
        i--;
    fullest = ag_is(p->tokens, i, AG_C_BUSIEST) || ag_is(p->tokens, i, AG_C_QUIETEST) ||
              (ag_is_korean(p, i) && ag_is(p->tokens, i, AG_C_MOST));

    return fullest && !ag_is(p->tokens, end, AG_C_DURING) && !ag_is(p->tokens, end, AG_C_WITHIN) &&
           !ag_is(p->tokens, end, AG_C_AGO);
}

/* 1분 단위, 5분 간격으로, 10분마다, "every 5 minutes", "per 10 minutes", "in 5 minute buckets", "5분별",
 * "which 10 minutes" */
static void bucket_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count; i++) {
        double n = 1;
        char unit = 'h';
        size_t start = i;
        size_t end = ag_length_read(p, i, &n, &unit);
        size_t behind = end;
        bool every = i > 0 && (ag_is(t, i - 1, AG_C_EVERY) || strcmp(ag_word(p, i - 1), "per") == 0);
        const char *single = ag_value(t, i, AG_C_UNIT);
        if (end == i && single && strcmp(single, "ms") != 0 && strcmp(single, "month_of_year") != 0 &&
            (ag_is(t, i + 1, AG_C_BUCKET) || (i > 0 && ag_is(t, i - 1, AG_C_EVERY)))) {
            unit = single[0];
            behind = end = i + 1;
        }
        if (end == i && ag_is(t, i, AG_C_NUMBER) && ag_is(t, i + 1, AG_C_BY_TIME) && t->items[i + 1].glued) {
            /* 10분마다 */
            n = t->items[i].number;
            unit = ag_value(t, i + 1, AG_C_BY_TIME)[0];
            end = i + 1;
            behind = i + 2;
        }
        if (end == i)
            continue;
        if (ag_is(t, end, AG_C_BUCKET) || ag_is(t, end, AG_C_EVERY) || ag_is(t, end, AG_C_BY))
            behind = end + 1;
        if (every)
            start = i - 1;
        if (behind == end && !every && !(i > 0 && (ag_is(t, i - 1, AG_C_WHICH) || is_fullest(p, i - 1, end))))
            continue;
        if (!(n * (double)ag_unit_us(unit) >= (double)AG_SECOND &&
              n * (double)ag_unit_us(unit) <= 366 * (double)AG_DAY))
            continue;
        p->found.bucket_us = (int64_t)(n * (double)ag_unit_us(unit));
        ag_consume(t, start, behind, "bucket");
        p->said[AG_C_BUCKET] = start + 1;
        return;
    }
}

/* 평균 응답시간 초 단위로: in which unit durations are told, and no step of a series. They are told in
 * milliseconds. */
static void unit_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;
    bool duration = false;
    bool series = false;

    for (size_t i = 0; i < t->count; i++) {
        duration = duration || ag_reads(p, i, AG_C_DURATION) || ag_reads(p, i, AG_C_PERCENTILE);
        series = series || ag_reads(p, i, AG_C_SERIES) || ag_reads(p, i, AG_C_BY_TIME);
    }
    for (size_t i = 0; duration && !series && i < t->count; i++) {
        const char *unit = ag_value(t, i, AG_C_UNIT);
        bool numbered = i > 0 && ag_reads(p, i - 1, AG_C_NUMBER);
        if (!unit || numbered || !ag_is(t, i + 1, AG_C_BUCKET) ||
            strncmp(ag_word(p, i + 1), "단위", strlen("단위")) != 0)
            continue;
        if (strcmp(unit, "ms") == 0)
            ag_consume(t, i, i + 2, "unit");
        else if (strcmp(unit, "s") == 0)
            ag_stop(p, AG_NEEDS_CLARIFICATION,
                    "소요 시간은 밀리초로 답합니다. 초마다 나눌 것인지도 분명하지 않습니다.",
                    "예: \"평균 응답시간\", \"1초 단위 평균 응답시간 추이\"");
    }
}

static double milliseconds(double n, char unit)
{
    return n * (double)ag_unit_us(unit) / 1000;
}

/* "slower than 500ms", 1초 넘게 걸린, 500ms 이상, "> 2s" */
static void length_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;
    bool talks = false;

    for (size_t i = 0; i < t->count; i++)
        talks = talks || ag_reads(p, i, AG_C_DURATION) || ag_reads(p, i, AG_C_PAGE_LOAD) ||
                ag_reads(p, i, AG_C_SLOW) || ag_reads(p, i, AG_C_PERCENTILE) ||
                ag_reads(p, i, AG_C_REQUEST) || ag_reads(p, i, AG_C_RESPONSE) ||
                strstr(ag_word(p, i), "slower") || strstr(ag_word(p, i), "faster") ||
                strncmp(ag_word(p, i), "걸", strlen("걸")) == 0 || strncmp(ag_word(p, i), "took", 4) == 0 ||
                strncmp(ag_word(p, i), "tak", 3) == 0;
    for (size_t i = 0; i < t->count; i++) {
        enum ag_op op;
        double n;
        char unit;
        size_t end = ag_length_read(p, i, &n, &unit);
        size_t next;
        if (end == i || (unit != 'z' && unit != 's' && unit != 'm') || !(talks || unit == 'z'))
            continue;
        if (i > 0 && comparator(p, i - 1, &op) && !ag_is_korean(p, i - 1)) {
            size_t start = i > 1 && ag_is(t, i - 2, AG_C_SLOW) ? i - 2 : i - 1;
            ag_consume(t, start, end, "length");
        } else {
            next = end;
            while (ag_is(t, next, AG_C_PARTICLE))
                next++;
            if (!comparator(p, next, &op))
                continue;
            ag_consume(t, i, next + 1, "length");
        }
        p->found.length_set = true;
        p->found.length_op = op;
        p->found.length_ms = milliseconds(n, unit);
        return;
    }
}

static bool has_percentile(const struct ag_parse *p, double value)
{
    for (size_t i = 0; i < p->found.p_count; i++) {
        if (p->found.p[i] == value)
            return true;
    }
    return false;
}

static void add_percentile(struct ag_parse *p, double value)
{
    if (has_percentile(p, value))
        return;
    if (p->found.p_count < AG_MAX_PERCENTILES)
        p->found.p[p->found.p_count++] = value;
    else
        ag_stop(p, AG_NOT_UNDERSTOOD,
                ag_say(p, "백분위수는 한 번에 네 개까지입니다.", "At most four percentiles at once."), NULL);
}

/* "latency percentiles", 응답 시간 분포: how durations are spread, told by those most looked at. */
static void spread_rule(struct ag_parse *p)
{
    static const double told[] = {0.5, 0.9, 0.95, 0.99};

    for (size_t i = 0; i < p->tokens->count && p->found.p_count == 0; i++) {
        size_t next = ag_after(p, i);
        bool spread = ag_is(p->tokens, i, AG_C_PERCENTILE_WORD) || ag_is(p->tokens, i, AG_C_DISTRIBUTION) ||
                      strncmp(ag_word(p, i), "distribution", strlen("distribution")) == 0;
        bool before = i > 0 && ag_reads(p, i - 1, AG_C_DURATION);
        if (!spread || !(before || ag_reads(p, next, AG_C_DURATION)))
            continue;
        ag_consume(p->tokens, i, i + 1, "percentile");
        for (size_t k = 0; k < sizeof told / sizeof *told; k++)
            add_percentile(p, told[k]);
        ag_assume(p, "spread_as_percentiles", "분포는 백분위수 p50, p90, p95, p99로 보였습니다.",
                  "The distribution is told by p50, p90, p95 and p99.");
    }
}

/* "95th percentile", 95퍼센타일, p95, median */
static void percentile_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count; i++) {
        const char *word = ag_value(t, i, AG_C_PERCENTILE);
        size_t end = i + 1;
        double value;
        if (word) {
            value = word[0] ? 0.5 : t->items[i].number;
        } else if (ag_is(t, i, AG_C_NUMBER) && t->items[i].number > 0 && t->items[i].number < 100) {
            if (ag_is(t, end, AG_C_ORDINAL))
                end++;
            if (!ag_is(t, end, AG_C_PERCENTILE_WORD))
                continue;
            value = t->items[i].number / 100;
            end++;
        } else {
            continue;
        }
        ag_consume(t, i, end, "percentile");
        add_percentile(p, value);
    }
}

static bool is_unit(const struct ag_parse *p, size_t i)
{
    return ag_is(p->tokens, i, AG_C_UNIT) || ag_is(p->tokens, i, AG_C_OCLOCK);
}

/* POST 중에 500 이상, "of the GET requests, 400 and above": a number of theirs, which is a status. */
static bool is_among_requests(const struct ag_parse *p, size_t i)
{
    size_t among = i > 0 ? ag_before(p, i) : SIZE_MAX;
    size_t of = among != SIZE_MAX && among > 0 ? ag_before(p, among) : SIZE_MAX;
    const char *value = of == SIZE_MAX ? NULL : ag_reads_value(p, of, AG_C_VALUE);

    return of != SIZE_MAX && strncmp(ag_word(p, among), "중", strlen("중")) == 0 &&
           (ag_reads(p, of, AG_C_REQUEST) || ag_reads(p, of, AG_C_RESPONSE) ||
            (value && strncmp(value, "method=", 7) == 0));
}

/* POST 중에 500 이상: the status, or how many? */
static bool may_be_a_status(const struct ag_parse *p, size_t i)
{
    double n = p->tokens->items[i].number;
    size_t before = i > 0 ? ag_before(p, i) : SIZE_MAX;

    if (before != SIZE_MAX && (ag_reads(p, before, AG_C_ERROR) || ag_reads(p, before, AG_C_LEVEL) ||
                               ag_reads(p, before, AG_C_LOG) || ag_reads(p, before, AG_C_REQUEST) ||
                               ag_reads(p, before, AG_C_COUNT)))
        return false; /* 에러가 500 넘는 */
    return (n == 400 || n == 500) && (ag_is_korean(p, i + 1) || ag_is(p->tokens, i + 1, AG_C_PARTICLE));
}

/* 10건 이상, 10번 넘은, "more than 20", "at least 5", 5% 이상 */
static void threshold_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count; i++) {
        enum ag_op op;
        size_t start = i;
        size_t end = i + 1;
        size_t before = i > 0 ? ag_before(p, i) : SIZE_MAX;
        bool counted;
        bool percent;
        bool status = i > 0 && ag_reads_value(p, ag_before(p, i), AG_C_FIELD) &&
                      strcmp(ag_reads_value(p, ag_before(p, i), AG_C_FIELD), "http_status") == 0;
        status = status || (i > 1 && ag_names_field(p, ag_before(p, i - 1), "http_status"));
        if (!ag_is(t, i, AG_C_NUMBER) || is_unit(p, end) || status)
            continue;
        counted = ag_is(t, end, AG_C_COUNTER);
        percent = ag_is(t, end, AG_C_PERCENT);
        if (counted || percent)
            end++;
        if (before != SIZE_MAX && comparator(p, before, &op) &&
            (before == i - 1 || !ag_reads(p, i - 1, AG_C_PARTICLE)) &&
            (!ag_is_korean(p, before) || (unsigned char)ag_word(p, before)[0] < 0x80)) {
            start = before; /* "exceeded a 5% error rate" */
        } else {
            size_t next = end;
            while (ag_is(t, next, AG_C_PARTICLE) && !comparator(p, next, &op)) /* 1건이라도 is at least */
                next++;
            if (!comparator(p, next, &op))
                continue;
            end = next + 1;
        }
        if (!counted && !percent && start == i && may_be_a_status(p, i) && is_among_requests(p, i)) {
            ag_mention_add(p, i, end, AG_HTTP_STATUS, NULL, op, t->items[i].text, "status");
            return;
        }
        if (!counted && !percent && start == i && may_be_a_status(p, i))
            ag_stop(p, AG_NEEDS_CLARIFICATION,
                    ag_say(p, "상태 코드인지 건수인지 분명하지 않습니다.",
                           "It is not clear whether that is a status or a count."),
                    ag_say(p, "예: \"상태 코드 500 이상\", \"500건 이상\"",
                           "For example \"status 500 and above\" or \"at least 500 records\"."));
        ag_consume(t, start, end, "threshold");
        p->found.threshold = (struct ag_threshold){.set = true, .op = op, .value = t->items[i].number};
        p->found.threshold_at = i + 1;
        p->found.threshold_percent = percent;
        if (percent)
            p->found.threshold.value /= 100;
        return;
    }
}

static bool names_rows(const struct ag_parse *p, size_t i)
{
    const struct ag_tokens *t = p->tokens;

    return ag_is(t, i, AG_C_LOG) || ag_is(t, i, AG_C_ERROR) || ag_is(t, i, AG_C_LEVEL) ||
           ag_is(t, i, AG_C_FIELD) || ag_is(t, i, AG_C_REQUEST) || ag_is(t, i, AG_C_SLOWEST) ||
           ag_is(t, i, AG_C_NEWEST) || ag_is(t, i, AG_C_OLDEST) || ag_is(t, i, AG_C_MOST) ||
           ag_is(t, i, AG_C_HIGHEST) || ag_is(t, i, AG_C_FEWEST) || ag_is(t, i, AG_C_LOWEST) ||
           ag_is(t, i, AG_C_FASTEST) || ag_is(t, i, AG_C_BUSIEST) || ag_is(t, i, AG_C_PATTERN) ||
           ag_is(t, i, AG_C_RESPONSE) || ag_is(t, i, AG_C_SLOW) || ag_is(t, i, AG_C_THING) ||
           ag_is(t, i, AG_C_STATUS_CLASS) || ag_is(t, i, AG_C_FAIL) || ag_is(t, i, AG_C_ENVIRONMENT) ||
           (i < t->count && t->items[i].name_count > 0) || ag_is(t, i, AG_C_DOMAIN);
}

/* "hosts with 5 warnings", 에러가 3건 난 서비스: how many there were, not how many to show. */
static bool is_amount(const struct ag_parse *p, size_t i, size_t end)
{
    size_t k = end;

    if (!ag_is_korean(p, i) && end == i + 1 && i > 0)
        return (ag_reads(p, i - 1, AG_C_VERB) && !ag_reads(p, i - 1, AG_C_SHOW)) ||
               strcmp(ag_word(p, i - 1), "with") == 0;
    /* 에러 10건인 서비스 */
    if (end > i + 1 && strcmp(ag_word(p, k), "인") == 0 && ag_is(p->tokens, k + 1, AG_C_FIELD))
        return true;
    if (!ag_is(p->tokens, k, AG_C_VERB))
        return false;
    while (ag_is(p->tokens, k, AG_C_VERB) || ag_is(p->tokens, k, AG_C_ENDING))
        k++;
    return ag_is(p->tokens, k, AG_C_FIELD);
}

/* 404 제일 많은 페이지, "top 404 pages": what is counted, not how many to show. */
static bool is_what_is_counted(const struct ag_parse *p, size_t i, bool top)
{
    static const enum ag_concept orders[] = {AG_C_MOST, AG_C_FEWEST, AG_C_HIGHEST, AG_C_LOWEST};
    int n = (int)p->tokens->items[i].number;
    bool ranked = false;

    for (size_t k = 0; k < sizeof orders / sizeof *orders; k++)
        ranked = ranked || ag_is(p->tokens, i + 1, orders[k]);
    if (ranked && !top)
        return ag_is_korean(p, i + 1);
    return top && n > 400 && n < 600 && n % 10 != 0 && ag_is(p->tokens, i + 1, AG_C_FIELD);
}

/* top 5, 상위 10개, 5개만, "last 10", "latest 20", "the 10 slowest", "first 3" */
static void limit_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count; i++) {
        size_t before = i > 0 ? i - 1 : SIZE_MAX;
        size_t end = i + 1;
        double n = ag_is(t, i, AG_C_NUMBER) ? t->items[i].number : 0;
        bool top;
        bool newest;
        bool oldest;
        bool counted;
        if (n < 1 || n > 10000 || n != (double)(int)n || is_unit(p, end) || ag_is(t, end, AG_C_PERCENT))
            continue;
        top = before != SIZE_MAX && (ag_is(t, before, AG_C_TOP) || ag_is(t, before, AG_C_BOTTOM));
        newest = before != SIZE_MAX && (ag_is(t, before, AG_C_NEWEST) || ag_is(t, before, AG_C_LAST) ||
                                        ag_is(t, before, AG_C_RECENT) || ag_is(t, before, AG_C_FINAL));
        oldest = before != SIZE_MAX && ag_is(t, before, AG_C_FIRST) && !ag_is(t, before, AG_C_NEW);
        counted = ag_is(t, end, AG_C_COUNTER);
        if (counted)
            end++;
        counted = counted || strcmp(ag_word(p, i), "하나") == 0;
        if (!top && !newest && !oldest && !counted &&
            !(!ag_is_korean(p, i) && names_rows(p, i + 1) &&
              !(n >= 100 && n <= 599 &&
                (ag_is(t, i + 1, AG_C_RESPONSE) || ag_is(t, i + 1, AG_C_ERROR) ||
                 ag_is(t, i + 1, AG_C_FIELD)))))
            continue;
        if (counted && strcmp(ag_word(p, end - 1), "times") == 0)
            continue;
        if (counted && ag_is_korean(p, end - 1) &&
            (strcmp(ag_word(p, end - 1), "번") == 0 || strcmp(ag_word(p, end - 1), "회") == 0 ||
             strcmp(ag_word(p, end - 1), "번째") == 0))
            continue; /* ten times is a frequency, the tenth a place; neither a number of rows */
        if (!top && !newest && !oldest && is_amount(p, i, end))
            continue;
        if (!newest && !oldest && !counted && is_what_is_counted(p, i, top))
            continue;
        if (before != SIZE_MAX && ag_names_field(p, ag_before(p, i), "http_status"))
            continue;
        if ((newest || oldest) && !counted && !names_rows(p, end) && end < t->count)
            continue;
        p->found.limit = (int)n;
        p->found.limit_newest = newest;
        p->found.limit_oldest = oldest;
        if (top || ((newest || oldest) && before != SIZE_MAX)) {
            enum ag_concept said = ag_is(t, before, AG_C_BOTTOM) ? AG_C_BOTTOM
                                   : top                         ? AG_C_TOP
                                   : newest                      ? AG_C_NEWEST
                                                                 : AG_C_OLDEST;
            p->said[said] = before + 1;
            ag_consume(t, before, before + 1, "limit");
        }
        ag_consume(t, i, end, "limit");
        return;
    }
}

/* 한 IP, "one address": the same one. */
static void one_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i + 1 < t->count; i++) {
        if (!ag_is(t, i, AG_C_NUMBER) || t->items[i].number != 1 || !ag_is(t, i + 1, AG_C_FIELD) ||
            ag_is(t, i + 1, AG_C_UNIT))
            continue;
        ag_consume(t, i, i + 1, "same");
        p->said[AG_C_SAME] = i + 1;
    }
}

/* "the single slowest request", "which single host had the most": one of it. */
static void single_rule(struct ag_parse *p)
{
    static const enum ag_concept extremes[] = {AG_C_SLOWEST, AG_C_FASTEST, AG_C_MOST,    AG_C_FEWEST,
                                               AG_C_HIGHEST, AG_C_LOWEST,  AG_C_BUSIEST, AG_C_QUIETEST,
                                               AG_C_NEWEST,  AG_C_OLDEST};
    static const char *const words[] = {"single", "a single", "one single"};
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i + 1 < t->count; i++) {
        bool extreme = i > 0 && ag_reads(p, i - 1, AG_C_WHICH) && ag_is(t, i + 1, AG_C_FIELD);
        if (t->items[i].rule || !ag_says(p, i, words, sizeof words / sizeof *words))
            continue;
        for (size_t k = 0; k < sizeof extremes / sizeof *extremes; k++)
            extreme = extreme || ag_is(t, i + 1, extremes[k]);
        if (!extreme)
            continue;
        ag_consume(t, i, i + 1, "limit");
        if (p->found.limit == 0)
            p->found.limit = 1;
    }
}

void ag_numbers_rule(struct ag_parse *p)
{
    unit_rule(p);
    bucket_rule(p);
    length_rule(p);
    percentile_rule(p);
    spread_rule(p);
    threshold_rule(p);
    limit_rule(p);
    single_rule(p);
    one_rule(p);
}
