/*
 * Measures with words of their own: durations, slowness, shares, different values, first and last.
 */
#include "agent/understand/decision.h"

#include <string.h>

static void set_p95(struct decision *d)
{
    ag_set_measure(d, AG_PERCENTILE, AG_DURATION);
    d->intent->measure.p[0] = 0.95;
    d->intent->measure.p_count = 1;
    ag_assume(d->p, "slow_is_p95", "느림은 응답 시간의 95번째 백분위수(p95)로 보았습니다.",
              "Slowness is the 95th percentile of the duration (p95).");
}

/* "by number of errors, in order of latency" asks for two numbers. */
static bool counts_as_well(const struct decision *d)
{
    const char *word = ag_heard(d, AG_C_COUNT) ? ag_word(d->p, d->p->said[AG_C_COUNT] - 1) : "";

    return !d->p->found.length_set && (strcmp(word, "number of") == 0 || strcmp(word, "count of") == 0 ||
                                       strcmp(word, "how many") == 0 || strcmp(word, "count") == 0 ||
                                       strcmp(word, "건수") == 0 || strcmp(word, "몇 건") == 0);
}

/* The next statistic said at token `i` or behind it: its tokens end at the result; SIZE_MAX where there is
 * none. */
static size_t statistic_at(const struct decision *d, size_t i, enum ag_measure_fn *fn, size_t *start)
{
    static const struct {
        enum ag_concept concept;
        enum ag_measure_fn fn;
    } words[] = {{AG_C_AVERAGE, AG_AVG}, {AG_C_MAXIMUM, AG_MAX}, {AG_C_MINIMUM, AG_MIN}, {AG_C_SUM, AG_SUM}};
    const struct ag_tokens *t = d->p->tokens;

    for (; i < t->count; i++) {
        const char *rule = t->items[i].rule;
        *start = i;
        if (!rule)
            continue;
        if (strcmp(rule, "percentile") == 0) {
            *fn = AG_PERCENTILE;
            while (i + 1 < t->count && t->items[i + 1].rule == rule)
                i++;
            return i + 1;
        }
        for (size_t k = 0; k < sizeof words / sizeof *words; k++) {
            if (d->used[words[k].concept] || strcmp(rule, ag_concept_name(words[k].concept)) != 0)
                continue;
            *fn = words[k].fn;
            return i + 1;
        }
    }
    return SIZE_MAX;
}

/* Are two statistics listed: "average and p95", 평균이랑 p99, "min, max"? "highest average" is not. */
static bool are_listed(const struct ag_parse *p, size_t from, size_t to)
{
    bool joined = from == to && ag_reads(p, from, AG_C_PERCENTILE);

    for (size_t i = from; i < to; i++) {
        joined = joined || ag_joins_list(p, i);
        if (!ag_joins_list(p, i) && !ag_reads(p, i, AG_C_PARTICLE) && !ag_reads(p, i, AG_C_DURATION))
            return false;
    }
    return joined;
}

/* Takes the statistics said, the first as the measure; how many, or SIZE_MAX where they are no list. */
static size_t take_statistics(struct decision *d)
{
    struct ag_intent *intent = d->intent;
    size_t count = 0;
    size_t end = 0;
    size_t start;
    size_t next;
    enum ag_measure_fn fn;

    while ((next = statistic_at(d, end, &fn, &start)) != SIZE_MAX) {
        /* "9-10h p95 against 13-14h p95" */
        if (count > 0 && d->p->time_count == 2 && fn == intent->measure.fn &&
            (fn != AG_PERCENTILE || d->p->found.p_count == 1)) {
            end = next;
            continue;
        }
        if (count > 0 && !are_listed(d->p, end, start))
            return SIZE_MAX;
        end = next;
        if (count > 0 && fn == AG_PERCENTILE && ag_intent_measures(intent, fn))
            continue; /* "p95 and p99" are one measure's percentiles */
        if (count > 0 && ag_intent_measures(intent, fn))
            return SIZE_MAX;
        if (count == 0)
            ag_set_measure(d, fn, AG_DURATION);
        else
            intent->measure.also[intent->measure.also_count++] = fn;
        count++;
    }
    if (d->p->found.p_count > 0) {
        memcpy(intent->measure.p, d->p->found.p, sizeof intent->measure.p);
        intent->measure.p_count = d->p->found.p_count;
    }
    ag_use(d, AG_C_AVERAGE);
    ag_use(d, AG_C_MAXIMUM);
    ag_use(d, AG_C_MINIMUM);
    ag_use(d, AG_C_SUM);
    return count;
}

void ag_longest_average(struct ag_parse *p)
{
    static const char *const words[] = {"가장 긴", "제일 긴", "젤 긴", "가장 길었던", "longest"};
    struct ag_token *items = p->tokens->items;
    bool statistic = p->found.p_count > 0;

    for (size_t i = 0; i < p->tokens->count; i++)
        statistic = statistic || ag_is(p->tokens, i, AG_C_AVERAGE);
    for (size_t i = 0; statistic && p->target_count > 0 && i < p->tokens->count; i++) {
        if (items[i].rule || !ag_says(p, i, words, sizeof words / sizeof *words))
            continue;
        items[i].own = (struct ag_reading){.concept = AG_C_HIGHEST, .value = ""};
        items[i].readings = &items[i].own;
    }
}

/* Is token `i` a statistic, be it taken by now: 평균, max, p95? */
static bool is_statistic(const struct ag_parse *p, size_t i)
{
    return ag_reads(p, i, AG_C_AVERAGE) || ag_reads(p, i, AG_C_MAXIMUM) || ag_reads(p, i, AG_C_MINIMUM) ||
           ag_reads(p, i, AG_C_SUM) || ag_reads(p, i, AG_C_PERCENTILE);
}

/* 평균 loss, loss 평균, "average of loss": a key with a statistic right beside it. */
static bool is_measured(const struct ag_parse *p, const struct ag_target *target)
{
    size_t before = target->from > 0 ? ag_before(p, target->from) : SIZE_MAX;

    if (before != SIZE_MAX && strcmp(ag_word(p, before), "of") == 0)
        before = ag_before(p, before);
    return (before != SIZE_MAX && is_statistic(p, before)) || is_statistic(p, ag_after(p, target->to - 1));
}

bool ag_key_rule(struct decision *d)
{
    struct ag_target *key = NULL;
    size_t n;

    for (size_t k = 0; k < d->p->target_count; k++) {
        struct ag_target *target = &d->p->targets[k];
        if (target->field != AG_METADATA || target->grouped || !is_measured(d->p, target))
            continue;
        if (key)
            return false;
        key = target;
    }
    if (!key || ag_heard(d, AG_C_DURATION) || ag_heard(d, AG_C_PAGE_LOAD) || ag_heard(d, AG_C_SLOW) ||
        ag_heard(d, AG_C_RATE) || ag_heard(d, AG_C_COUNT) || d->p->found.length_set ||
        ag_is_never_a_number(d->p, key->key))
        return false;
    n = take_statistics(d);
    if (n == 0 || n == SIZE_MAX) {
        ag_stop(d->p, AG_NOT_UNDERSTOOD,
                ag_say(d->p, "여러 통계를 어떻게 물은 것인지 알 수 없습니다.",
                       "It is not clear how the statistics named belong together."),
                NULL);
        return true;
    }
    key->grouped = true;
    d->intent->measure.field = AG_METADATA;
    d->intent->measure.key = key->key;
    return true;
}

/* Measures over durations. True when it decided. */
bool ag_duration_rule(struct decision *d)
{
    bool page = ag_heard(d, AG_C_PAGE_LOAD);
    bool slow_one = (ag_heard(d, AG_C_AVERAGE) || ag_heard(d, AG_C_MAXIMUM) || ag_heard(d, AG_C_MINIMUM)) &&
                    (ag_heard(d, AG_C_SLOW) || ag_heard(d, AG_C_SLOWEST) || ag_heard(d, AG_C_FASTEST)) &&
                    !ag_heard(d, AG_C_REQUEST);
    bool longer = d->p->found.length_set && !ag_heard(d, AG_C_REQUEST) && !ag_heard(d, AG_C_LOG) &&
                  (ag_heard(d, AG_C_AVERAGE) || ag_heard(d, AG_C_MAXIMUM)); /* 평균 500ms 넘는 서비스 */
    bool duration = ag_heard(d, AG_C_DURATION) || page || slow_one || longer;
    size_t n = duration || d->p->found.p_count > 0 ? take_statistics(d) : 0;

    if (n == SIZE_MAX || ((n > 0 || duration) && counts_as_well(d))) {
        ag_stop(d->p, AG_NOT_UNDERSTOOD,
                ag_say(d->p, "여러 통계를 어떻게 물은 것인지 알 수 없습니다.",
                       "It is not clear how the statistics named belong together."),
                ag_say(d->p, "예: \"평균과 p95 응답시간\"", "For example \"average and p95 latency\"."));
        return true;
    }
    if (n == 0 && duration && ag_wants_total(d)) {
        ag_stop(d->p, AG_NOT_UNDERSTOOD,
                ag_say(d->p, "시간의 합계를 묻는 것인지 알 수 없습니다.",
                       "It is not clear whether the sum of the durations is meant."),
                ag_say(d->p, "예: \"평균 응답시간\", \"응답시간 총합\"",
                       "For example \"average latency\" or \"sum of latency\"."));
        return true;
    }
    if (page) {
        ag_use(d, AG_C_PAGE_LOAD);
        if (!ag_has_field(d->intent, AG_PAGE_PATH))
            ag_filter_add(d->p, AG_PAGE_PATH, NULL, AG_NOT_NULL, NULL);
    }
    ag_use(d, AG_C_DURATION);
    if (n > 0 && (ag_heard(d, AG_C_SLOWEST) || ag_heard(d, AG_C_FASTEST)) &&
        (ag_free_target(d) || d->intent->group_count > 0)) {
        /* "the 3 slowest services by p95" */
        ag_group_free_targets(d);
        d->intent->rank = true;
        d->intent->order = ag_heard(d, AG_C_FASTEST) ? AG_FEWEST : AG_MOST;
        ag_use(d, AG_C_SLOWEST);
        ag_use(d, AG_C_FASTEST);
        return true;
    }
    if (n > 0) {
        size_t slow = d->p->said[AG_C_SLOW];
        /* "p95 of slow requests" is of some requests, but not said of which. */
        if (!slow || !ag_reads(d->p, ag_after(d->p, slow - 1), AG_C_REQUEST))
            ag_use(d, AG_C_SLOW);
        /* "why so slow? how long does it take on average": the one that can be measured. */
        if (slow && ag_reads(d->p, slow - 2 + (slow < 2), AG_C_WHY) && ag_use(d, AG_C_WHY))
            ag_assume(d->p, "evidence", "원인을 단정하지 않고, 응답 시간을 보여 줍니다.",
                      "No cause is claimed: the duration is shown.");
        return true;
    }
    return false;
}

static bool has_service_or_endpoint(const struct ag_intent *intent)
{
    return ag_has_field(intent, AG_SERVICE) || ag_has_field(intent, AG_ENDPOINT) ||
           ag_has_field(intent, AG_HOST) || ag_has_field(intent, AG_COMPONENT);
}

/* 몇 ms, 몇 초 */
static bool asks_how_long(const struct decision *d)
{
    size_t at = d->p->said[AG_C_DURATION];

    return at && strncmp(ag_word(d->p, at - 1), "몇", strlen("몇")) == 0;
}

/* "how long was the slowest request", "how long did the longest call take": its duration. */
static bool asks_how_long_it_took(struct decision *d)
{
    struct ag_parse *p = d->p;
    size_t at = p->said[AG_C_SLOWEST];

    for (size_t i = 0; i + 2 < at; i++) {
        size_t next = i + 2;
        if (strcmp(ag_word(p, i), "how") != 0 || strcmp(ag_word(p, i + 1), "long") != 0 ||
            p->tokens->items[i].rule)
            continue;
        while (next < at - 1 && ag_reads(p, next, AG_C_NOISE))
            next++;
        if (next != at - 1)
            continue;
        ag_consume(p->tokens, i, i + 2, ag_concept_name(AG_C_DURATION));
        return true;
    }
    return false;
}

/* "which host served the slowest request": whose one request took longest, not who is slow. */
static bool asks_whose_slowest(const struct decision *d)
{
    size_t at = d->p->said[AG_C_SLOWEST];
    size_t next = at ? ag_after(d->p, at - 1) : SIZE_MAX;
    const char *word = at ? ag_word(d->p, next) : "";
    const struct ag_target *target = d->p->target_count == 1 ? &d->p->targets[0] : NULL;

    return at && target && !ag_is_korean(d->p, at - 1) && target->to <= at - 1 && target->from > 0 &&
           ag_reads(d->p, ag_before(d->p, target->from), AG_C_WHICH) &&
           (strcmp(word, "request") == 0 || strcmp(word, "call") == 0 || strcmp(word, "response") == 0);
}

/* The first or the last record, or as many as were asked for. */
static void list_one(struct decision *d, enum ag_order order)
{
    ag_set_measure(d, AG_LIST, AG_NO_FIELD);
    d->intent->order = order;
    d->intent->limit = d->p->found.limit ? d->p->found.limit : 1;
    d->p->found.limit = 0;
}

/* "the slowest request and which endpoint", 제일 느린 요청이랑 어느 엔드포인트인지: the record has it. */
static bool shows_as_well(struct decision *d)
{
    struct ag_parse *p = d->p;
    struct ag_target *target = ag_free_target(d);
    size_t which = target && target->from > 0 ? ag_before(p, target->from) : SIZE_MAX;
    size_t joint = which != SIZE_MAX && which > 0 ? which - 1 : SIZE_MAX;

    if (joint == SIZE_MAX || p->target_count != 1 || d->intent->group_count > 0 ||
        !ag_reads(p, which, AG_C_WHICH) || !ag_joins_list(p, joint))
        return false;
    ag_consume(p->tokens, target->from, target->to, "shown");
    p->target_count = 0;
    return true;
}

/* 응답시간 3초 넘은 요청, "latency above 500 ms": the word is of a condition on the records. */
static bool is_of_a_length(struct decision *d)
{
    size_t at = d->p->said[AG_C_DURATION];
    size_t next = at ? ag_after(d->p, at - 1) : SIZE_MAX;
    const char *rule = next < d->p->tokens->count ? d->p->tokens->items[next].rule : NULL;

    return d->p->found.length_set && rule && strcmp(rule, "length") == 0 && d->intent->group_count == 0 &&
           !ag_free_target(d) &&
           (ag_heard(d, AG_C_REQUEST) || ag_heard(d, AG_C_LOG) || ag_heard(d, AG_C_COUNT));
}

/* Slow and fast without a statistic. */
bool ag_slow_rule(struct decision *d)
{
    bool slowest = ag_use(d, AG_C_SLOWEST);
    bool fastest = ag_use(d, AG_C_FASTEST) || ag_use(d, AG_C_FAST);
    bool slow = ag_use(d, AG_C_SLOW) || slowest || fastest;
    bool duration = ag_heard(d, AG_C_DURATION) || ag_heard(d, AG_C_PAGE_LOAD);
    bool series = ag_heard(d, AG_C_SERIES) || ag_heard(d, AG_C_BY_TIME) || ag_heard(d, AG_C_PER) ||
                  d->p->found.bucket_us;
    bool ranked = ag_heard(d, AG_C_HIGHEST) || ag_heard(d, AG_C_LOWEST) || ag_heard(d, AG_C_MOST);

    if (!slow && !duration)
        return false;
    if (!slow && is_of_a_length(d)) {
        ag_use(d, AG_C_DURATION);
        return false;
    }
    if (asks_how_long(d) && !slowest) {
        d->used[AG_C_DURATION] = false; /* 에러가 몇 초 asks nothing */
        return false;
    }
    if (asks_whose_slowest(d) || (d->p->found.limit == 0 && asks_how_long_it_took(d))) {
        bool each = ag_free_target(d) || d->intent->group_count > 0;
        ag_set_measure(d, AG_MAX, AG_DURATION);
        ag_group_free_targets(d);
        d->intent->rank = each;
        d->intent->order = each ? AG_MOST : AG_ORDER_DEFAULT;
        return true;
    }
    if (slowest && ag_heard(d, AG_C_REQUEST) && shows_as_well(d)) {
        list_one(d, fastest ? AG_FASTEST : AG_SLOWEST);
        return true;
    }
    if (ag_free_target(d) || d->intent->group_count > 0) {
        set_p95(d);
        ag_group_free_targets(d);
        if (slow || ranked) {
            d->intent->rank = true;
            d->intent->order = fastest || ag_use(d, AG_C_LOWEST) ? AG_FEWEST : AG_MOST;
            ag_use(d, AG_C_HIGHEST);
            ag_use(d, AG_C_MOST);
        }
        return true;
    }
    /* 제일 오래 걸린 요청이 몇 ms */
    if (asks_how_long(d) && d->p->found.limit == 0) {
        ag_set_measure(d, AG_MAX, AG_DURATION);
        return true;
    }
    /* "slower than yesterday", 어제보다 느려졌어 */
    if (slow && !slowest && ag_heard(d, AG_C_COMPARE) && !ag_heard(d, AG_C_REQUEST) &&
        !ag_heard(d, AG_C_COUNT)) {
        set_p95(d);
        return true;
    }
    if (slow && ag_heard(d, AG_C_COUNT) && !d->p->found.length_set) {
        ag_stop(d->p, AG_NEEDS_CLARIFICATION,
                ag_say(d->p, "얼마보다 오래 걸리면 느린 것인지 알 수 없습니다.",
                       "It is not said how long is slow."),
                ag_say(d->p, "예: \"1초 넘게 걸린 요청 몇 건?\"",
                       "For example \"how many requests slower than 1 second?\""));
        return true;
    }
    if (slow && (ag_heard(d, AG_C_REQUEST) || ag_heard(d, AG_C_LOG) || ag_heard(d, AG_C_RESPONSE) ||
                 d->p->found.limit > 0)) {
        ag_set_measure(d, AG_LIST, AG_NO_FIELD);
        d->intent->order = fastest ? AG_FASTEST : AG_SLOWEST;
        return true;
    }
    if (duration && !slow && (ag_heard(d, AG_C_REQUEST) || ag_heard(d, AG_C_LOG)) && ranked) {
        ag_set_measure(d, AG_LIST, AG_NO_FIELD);
        d->intent->order = ag_use(d, AG_C_LOWEST) ? AG_FASTEST : AG_SLOWEST;
        ag_use(d, AG_C_HIGHEST);
        ag_use(d, AG_C_MOST);
        return true;
    }
    if (ag_use(d, AG_C_WHY) && slow) {
        set_p95(d);
        ag_group_by_field(d, AG_ENDPOINT);
        d->intent->rank = true;
        d->intent->order = AG_MOST;
        ag_assume(d->p, "evidence", "원인을 단정하지 않고, 엔드포인트별 응답 시간을 근거로 보여 줍니다.",
                  "No cause is claimed: latency by endpoint is shown as evidence.");
        return true;
    }
    if (duration || (series && slow) ||
        (slow && has_service_or_endpoint(d->intent) && ag_heard(d, AG_C_SUMMARY))) {
        set_p95(d);
        return true;
    }
    ag_ask_what(d->p);
    return true;
}

/* Does a condition on levels leave no errors, or errors alone? "without debug" leaves both sides of a rate.
 */
static bool narrows_levels(const struct ag_intent *intent)
{
    for (size_t i = 0; i < intent->filter_count; i++) {
        const struct ag_filter *f = &intent->filters[i];
        if (f->field == AG_LEVEL &&
            (f->op != AG_NOT_IN || strcmp(f->values[0], "ERROR") == 0 || strcmp(f->values[0], "FATAL") == 0))
            return true;
    }
    return false;
}

/* 총 요청 대비 실패 비율: what the share is of, and no other time. */
static void share_of_requests(struct decision *d)
{
    struct ag_parse *p = d->p;
    size_t at = p->said[AG_C_COMPARE];
    size_t before = at > 1 ? ag_before(p, at - 1) : SIZE_MAX;

    if (!at || strncmp(ag_word(p, at - 1), "대비", strlen("대비")) != 0 || before == SIZE_MAX ||
        !(ag_heard(d, AG_C_PERCENT) || ag_heard(d, AG_C_FAIL_RATE)) ||
        !(ag_reads(p, before, AG_C_REQUEST) || ag_reads(p, before, AG_C_LOG)))
        return;
    p->said[AG_C_COMPARE] = 0;
}

/* Shares: error rate, failure rate, "what percentage of … are …". True when it decided. */
bool ag_rate_rule(struct decision *d)
{
    struct ag_intent *intent = d->intent;
    bool percent = ag_heard(d, AG_C_PERCENT);
    bool of_status = ag_has_field(intent, AG_STATUS_CLASS) || ag_has_field(intent, AG_HTTP_STATUS);

    share_of_requests(d);
    if (d->p->outcome_share) {
        /* Of the events that ended either way, those that ended so. */
        ag_use(d, AG_C_PERCENT);
        struct ag_filter of = {.field = AG_EVENT_TYPE, .op = AG_IN, .value_count = 1};
        of.values[0] = d->p->outcome_share;
        if (intent->filter_count < AG_MAX_FILTERS)
            intent->filters[intent->filter_count++] = of;
        ag_set_measure(d, AG_SHARE, AG_NO_FIELD);
        return true;
    }
    /* "failed with 5xx": the status says what failing is. */
    if (of_status && (ag_heard(d, AG_C_FAIL_RATE) || (percent && ag_heard(d, AG_C_FAIL)))) {
        ag_use(d, AG_C_FAIL_RATE);
        ag_use(d, AG_C_FAIL);
        percent = true;
    } else if (ag_use(d, AG_C_FAIL_RATE) || (percent && ag_heard(d, AG_C_FAIL))) {
        ag_use(d, AG_C_PERCENT);
        ag_use(d, AG_C_FAIL);
        ag_set_measure(d, AG_FAILURE_RATE, AG_NO_FIELD);
        ag_assume(d->p, "failures_are_5xx", "실패는 상태 코드가 있는 기록 가운데 5xx로 보았습니다.",
                  "Failures are 5xx among the records with a status.");
        return true;
    }
    /* What the failure rate leaves. */
    if (!of_status && intent->filter_count + 2 <= AG_MAX_FILTERS && ag_use(d, AG_C_OK_RATE)) {
        ag_filter_add(d->p, AG_HTTP_STATUS, NULL, AG_NOT_NULL, NULL);
        ag_filter_add(d->p, AG_STATUS_CLASS, NULL, AG_NOT_IN, "5xx");
        ag_set_measure(d, AG_SHARE, AG_NO_FIELD);
        ag_assume(d->p, "success_is_not_5xx",
                  "성공은 상태 코드가 있는 기록 가운데 5xx가 아닌 것으로 보았습니다.",
                  "Successes are what is not 5xx among the records with a status.");
        return true;
    }
    /* "5xx error rate": of requests, those with that status. */
    if (ag_heard(d, AG_C_RATE) && of_status) {
        ag_use(d, AG_C_RATE);
        percent = true;
    }
    if ((ag_heard(d, AG_C_RATE) && !of_status) || (percent && ag_has_error_filter(intent))) {
        ag_use(d, AG_C_RATE);
        ag_use(d, AG_C_PERCENT);
        ag_drop_error_filter(intent);
        if (narrows_levels(intent) || (ag_heard(d, AG_C_COUNT) && !percent && counts_as_well(d))) {
            ag_stop(
                d->p, AG_NOT_UNDERSTOOD,
                ag_say(d->p, "에러율과 함께 다른 것을 셀 수 없습니다.",
                       "An error rate is of all levels, and asked for alone."),
                ag_say(d->p, "예: \"결제 서비스 에러율\"", "For example \"error rate of payment-service\"."));
            return true;
        }
        ag_set_measure(d, AG_ERROR_RATE, AG_NO_FIELD);
        if (ag_heard(d, AG_C_REQUEST))
            ag_add_requests(d);
        else
            ag_assume(d->p, "error_rate", "에러율은 전체 기록 가운데 ERROR와 FATAL의 비율입니다.",
                      "The error rate is ERROR and FATAL among all records.");
        return true;
    }
    if (percent && intent->filter_count > 0) {
        /* The last condition of a status or level is what the share is of. */
        for (size_t i = intent->filter_count; i-- > 0;) {
            struct ag_filter f = intent->filters[i];
            if (f.field != AG_LEVEL && f.field != AG_HTTP_STATUS && f.field != AG_STATUS_CLASS)
                continue;
            ag_use(d, AG_C_PERCENT);
            ag_filter_remove(intent, i);
            if (f.field != AG_LEVEL)
                ag_filter_add(d->p, AG_HTTP_STATUS, NULL, AG_NOT_NULL, NULL);
            if (intent->filter_count < AG_MAX_FILTERS)
                intent->filters[intent->filter_count++] = f;
            ag_set_measure(d, AG_SHARE, AG_NO_FIELD);
            return true;
        }
    }
    return false;
}

static bool is_countable(enum ag_field field)
{
    return field != AG_MESSAGE && field != AG_DURATION && field != AG_METADATA && field != AG_LEVEL;
}

bool ag_lists_count(const struct ag_parse *p, const struct ag_target *target)
{
    return ag_is_korean(p, target->from) && ag_joins_list(p, target->to) &&
           ag_reads(p, target->to + 1, AG_C_COUNT);
}

/* Is "how many" said right at the field: 서비스 몇 개, "how many hosts", 에러 타입 수? */
static bool counted_target(const struct decision *d, const struct ag_target *target)
{
    size_t next = ag_after(d->p, target->to - 1);
    size_t before = target->from > 0 ? ag_before(d->p, target->from) : SIZE_MAX;

    if (ag_lists_count(d->p, target))
        return false;
    while (before != SIZE_MAX && before > 0 &&
           (ag_reads(d->p, before, AG_C_DISTINCT) || ag_reads(d->p, before, AG_C_PREPOSITION)))
        before = ag_before(d->p, before);
    if (ag_reads(d->p, next, AG_C_DISTINCT))
        next = ag_after(d->p, next);
    if (ag_reads(d->p, next, AG_C_ERROR) || ag_reads(d->p, next, AG_C_REQUEST))
        return false; /* "client errors" are no clients */
    return (ag_is_korean(d->p, target->from) && ag_reads(d->p, next, AG_C_COUNT)) ||
           (ag_is_korean(d->p, target->from) && ag_reads(d->p, next, AG_C_COUNT_PEOPLE)) ||
           (before != SIZE_MAX && !ag_is_korean(d->p, before) && ag_reads(d->p, before, AG_C_COUNT));
}

/* "distinct errors": different in what is not said. */
static bool distinct_of_records(const struct decision *d)
{
    size_t at = d->p->said[AG_C_DISTINCT];
    size_t next = at ? ag_after(d->p, at - 1) : SIZE_MAX;

    return at && !ag_is_korean(d->p, at - 1) &&
           (ag_reads(d->p, next, AG_C_ERROR) || ag_reads(d->p, next, AG_C_LEVEL)) &&
           !ag_reads(d->p, next, AG_C_FIELD);
}

/* 몇 종류의 에러: different in what is not said. */
static bool counts_kinds(const struct decision *d)
{
    const char *word = ag_heard(d, AG_C_COUNT) ? ag_word(d->p, d->p->said[AG_C_COUNT] - 1) : "";

    return strcmp(word, "몇 종류") == 0 || strcmp(word, "몇 가지") == 0;
}

/* 브라우저 종류 뭐뭐 있어, "which different browsers": what they are, not how many. */
static bool asks_what(const struct decision *d, const struct ag_target *target)
{
    size_t at = d->p->said[AG_C_DISTINCT] - 1;

    if (ag_after(d->p, target->to - 1) != at && ag_after(d->p, at) != target->from)
        return false;
    for (size_t i = 0; i < d->p->tokens->count; i++) {
        if (ag_reads(d->p, i, AG_C_SHOW) && ag_is_korean(d->p, i) && i > target->from &&
            (strncmp(ag_word(d->p, i), "뭐", strlen("뭐")) == 0 ||
             strncmp(ag_word(d->p, i), "무엇", strlen("무엇")) == 0))
            return true;
    }
    return ag_heard(d, AG_C_WHICH);
}

/* How many different ones. */
bool ag_distinct_rule(struct decision *d)
{
    struct ag_target *target = ag_free_target(d);
    bool people = ag_heard(d, AG_C_COUNT_PEOPLE);

    if (target && !people && !ag_heard(d, AG_C_COUNT) && ag_heard(d, AG_C_DISTINCT) &&
        (ag_heard(d, AG_C_LIST) || asks_what(d, target))) {
        ag_use(d, AG_C_DISTINCT);
        return false;
    }
    if (distinct_of_records(d))
        return false;
    if (!target && !people && counts_kinds(d)) {
        ag_stop(d->p, AG_NOT_UNDERSTOOD,
                ag_say(d->p, "무엇의 종류를 세는지 알 수 없습니다.", "It is not said kinds of what."),
                ag_say(d->p, "예: \"에러 타입 몇 가지?\"", "For example \"how many error types?\""));
        return true;
    }
    if (target && people && target->field != AG_USER_ID)
        target = NULL; /* "endpoints by number of users" */
    if (target && is_countable(target->field) &&
        (ag_heard(d, AG_C_DISTINCT) || people || counted_target(d, target))) {
        ag_consume(d->p->tokens, target->from, target->to, "distinct");
        target->grouped = true;
        ag_use(d, AG_C_DISTINCT);
        ag_use(d, AG_C_COUNT_PEOPLE);
        ag_set_measure(d, AG_DISTINCT, people ? AG_USER_ID : target->field);
        /* 기사님 몇 명, user_id 중복 빼고: the field is said twice. */
        while ((target = ag_free_target(d)) != NULL && target->field == d->intent->measure.field) {
            ag_consume(d->p->tokens, target->from, target->to, "said twice");
            target->grouped = true;
        }
        return true;
    }
    if (people) {
        ag_use(d, AG_C_COUNT_PEOPLE);
        ag_use(d, AG_C_DISTINCT);
        ag_set_measure(d, AG_DISTINCT, AG_USER_ID);
        return true;
    }
    return false;
}

bool ag_asks_what_it_was(const struct ag_parse *p, size_t when)
{
    for (size_t i = when; i < p->tokens->count; i++) {
        const char *word = ag_word(p, i);
        if (ag_reads(p, i, AG_C_SHOW) &&
            (strncmp(word, "뭐", strlen("뭐")) == 0 || strncmp(word, "뭔", strlen("뭔")) == 0 ||
             strncmp(word, "무엇", strlen("무엇")) == 0 || strncmp(word, "what", strlen("what")) == 0))
            return true;
    }
    return false;
}

/* "when did it last happen and on which host", 마지막으로 언제 어느 호스트에서: the one record has both. */
static bool asks_where_as_well(struct decision *d)
{
    struct ag_parse *p = d->p;
    struct ag_target *target = ag_free_target(d);
    size_t before = target && target->from > 0 ? ag_before(p, target->from) : SIZE_MAX;

    if (!target || p->target_count != 1 || target->field == AG_METADATA || d->intent->group_count > 0 ||
        p->found.limit > 0 || before == SIZE_MAX || !ag_reads(p, before, AG_C_WHICH) ||
        before < p->said[AG_C_WHEN])
        return false;
    ag_consume(p->tokens, target->from, target->to, "shown");
    p->target_count = 0;
    return true;
}

/* "what time did the first one happen", 처음 난 게 몇 시야: when, and no hour of the day. */
static void take_what_time(struct ag_parse *p)
{
    static const char *const words[] = {"what time", "몇 시", "몇시"};

    for (size_t i = 0; i < p->tokens->count; i++) {
        if (!ag_is(p->tokens, i, AG_C_TIME_SLOT) || !ag_says(p, i, words, sizeof words / sizeof *words))
            continue;
        ag_consume(p->tokens, i, i + 1, ag_concept_name(AG_C_WHEN));
        p->said[AG_C_WHEN] = i + 1;
    }
}

/* First and last. */
bool ag_seen_rule(struct decision *d)
{
    bool when = false;
    bool last;
    bool show = ag_heard(d, AG_C_SHOW) && !ag_heard(d, AG_C_COUNT);

    if (!ag_heard(d, AG_C_COUNT) && ag_use(d, AG_C_STILL)) {
        ag_set_measure(d, AG_LAST_SEEN, AG_NO_FIELD);
        return true;
    }
    last = ag_take(d->p, AG_C_FINAL) || (!ag_heard(d, AG_C_NEWEST) && ag_take(d->p, AG_C_LAST));
    if (!ag_heard(d, AG_C_FIRST) && !last) {
        /* "when was the latest error" */
        if (ag_heard(d, AG_C_NEWEST) && ag_take(d->p, AG_C_WHEN)) {
            ag_use(d, AG_C_NEWEST);
            if (ag_asks_what_it_was(d->p, d->p->said[AG_C_WHEN]))
                list_one(d, AG_NEWEST);
            else
                ag_set_measure(d, AG_LAST_SEEN, AG_NO_FIELD);
            return true;
        }
        return false;
    }
    if (!d->p->found.threshold.set)
        take_what_time(d->p);
    when = ag_take(d->p, AG_C_WHEN);
    if (ag_heard(d, AG_C_FIRST) && last)
        return false;
    if (when && asks_where_as_well(d)) {
        ag_use(d, AG_C_FIRST);
        list_one(d, last ? AG_NEWEST : AG_OLDEST);
        return true;
    }
    if ((ag_heard(d, AG_C_COUNT) && !when) || ag_free_target(d)) {
        /* A number of firsts, or who was first. */
        if (last)
            ag_stop(d->p, AG_NOT_UNDERSTOOD,
                    ag_say(d->p, "마지막이 무엇을 뜻하는지 알 수 없습니다.",
                           "It is not clear what \"last\" asks for here."),
                    NULL);
        return false;
    }
    ag_use(d, AG_C_FIRST);
    if ((!when && (show || d->p->found.limit > 0)) ||
        (when && ag_asks_what_it_was(d->p, d->p->said[AG_C_WHEN]))) {
        list_one(d, last ? AG_NEWEST : AG_OLDEST);
        return true;
    }
    ag_set_measure(d, last ? AG_LAST_SEEN : AG_FIRST_SEEN, AG_NO_FIELD);
    return true;
}
