/*
 * How long things took: statistics of durations and of numbers in the metadata, slowness, single slow
 * requests.
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
bool ag_counts_as_well(const struct decision *d)
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

    if (n == SIZE_MAX || ((n > 0 || duration) && ag_counts_as_well(d))) {
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

static bool has_a_place(const struct ag_intent *intent)
{
    return ag_has_field(intent, AG_SERVICE) || ag_has_field(intent, AG_ENDPOINT) ||
           ag_has_field(intent, AG_HOST) || ag_has_field(intent, AG_COMPONENT) ||
           ag_has_field(intent, AG_PAGE_PATH);
}

/* "how slow is payment", "is payment slow", 결제 느려?: said of a place that is named. */
static bool asks_how_slow(const struct decision *d)
{
    static const char *const being[] = {"is", "was", "are", "were", "how slow"};
    const struct ag_parse *p = d->p;
    size_t at = d->p->said[AG_C_SLOW];
    size_t i = at;

    if (!at || d->p->target_count > 0 || p->found.limit > 0)
        return false;
    if (!ag_is_korean(p, at - 1))
        return ag_says(p, 0, being, sizeof being / sizeof *being);
    while (i < p->tokens->count && (ag_reads(p, i, AG_C_ENDING) || ag_reads(p, i, AG_C_STOP) ||
                                    ag_reads(p, i, AG_C_PARTICLE) || ag_reads(p, i, AG_C_NOISE)))
        i++;
    return i == p->tokens->count;
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
void ag_list_one(struct decision *d, enum ag_order order)
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

/* 응답시간 3초 넘은 요청, "latency above 500 ms", "where the duration is over 2 s": the word is of a
 * condition on the records. */
static bool is_of_a_length(struct decision *d)
{
    static const char *const links[] = {"is", "was", "were", "are"};
    size_t at = d->p->said[AG_C_DURATION];
    size_t next = at ? ag_after(d->p, at - 1) : SIZE_MAX;
    const char *rule;

    while (ag_says(d->p, next, links, sizeof links / sizeof *links))
        next++;
    rule = next < d->p->tokens->count ? d->p->tokens->items[next].rule : NULL;
    return d->p->found.length_set && rule && strcmp(rule, "length") == 0 && d->intent->group_count == 0 &&
           !ag_free_target(d) &&
           (ag_heard(d, AG_C_REQUEST) || ag_heard(d, AG_C_LOG) || ag_heard(d, AG_C_COUNT) ||
            ag_has_error_filter(d->intent));
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
        ag_list_one(d, fastest ? AG_FASTEST : AG_SLOWEST);
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
        (slow && has_a_place(d->intent) && (ag_heard(d, AG_C_SUMMARY) || asks_how_slow(d)))) {
        set_p95(d);
        return true;
    }
    ag_ask_what(d->p);
    return true;
}
