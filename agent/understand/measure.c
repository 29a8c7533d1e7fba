/*
 * What is measured and in which shape. Words of measuring are taken as flags first; the decision that follows uses flags one
 * by one, and a flag said but used by nobody makes the question not understood.
 */
#include "agent/understand/parse.h"
#include "agent/understand/window.h"

#include <stdio.h>
#include <string.h>

struct decision {
    struct ag_parse *p;
    struct ag_intent *intent;
    bool used[AG_C_COUNT_OF];
    bool grouped;
};

/* Flags taken wherever they stand. Weak ones may stay unused. */
static const enum ag_concept strong[] = {
    AG_C_COUNT_PEOPLE, AG_C_RATE, AG_C_FAIL_RATE, AG_C_PERCENT, AG_C_SLOWEST, AG_C_FASTEST, AG_C_SLOW, AG_C_FAST, AG_C_AVERAGE,
    AG_C_MAXIMUM, AG_C_MINIMUM, AG_C_SUM, AG_C_DURATION, AG_C_PAGE_LOAD, AG_C_PER, AG_C_SERIES, AG_C_BY_TIME, AG_C_BUSIEST,
    AG_C_QUIETEST, AG_C_SPIKE, AG_C_STOPPED, AG_C_NEW, AG_C_FIRST, AG_C_STILL, AG_C_DISTINCT, AG_C_COMPARE, AG_C_BEFORE_AFTER,
    AG_C_WHY, AG_C_HISTORY, AG_C_CAUSE, AG_C_NEWEST, AG_C_OLDEST, AG_C_MOST, AG_C_FEWEST, AG_C_HIGHEST, AG_C_LOWEST, AG_C_TOP,
    AG_C_BOTTOM, AG_C_SAME, AG_C_SAME_TIME, AG_C_LOGIN_TRY, AG_C_FAIL, AG_C_DISTRIBUTION, AG_C_SHIFT, AG_C_EVENT_ANCHOR,
};
static const enum ag_concept weak[] = {AG_C_COUNT, AG_C_TOTAL, AG_C_LIST, AG_C_NAMES, AG_C_REQUEST, AG_C_RESPONSE, AG_C_EACH,
                                       AG_C_WHICH, AG_C_SHOW, AG_C_LOG, AG_C_IS, AG_C_ONLY, AG_C_ORDER, AG_C_SUMMARY};

static bool use(struct decision *d, enum ag_concept concept)
{
    d->used[concept] = true;
    return ag_said(d->p, concept);
}

static bool said(const struct decision *d, enum ag_concept concept)
{
    return ag_said(d->p, concept);
}

static bool use_any(struct decision *d, const enum ag_concept *concepts, size_t n)
{
    bool any = false;

    for (size_t i = 0; i < n; i++)
        any = use(d, concepts[i]) || any;
    return any;
}

/* -- filters ------------------------------------------------------------------------------------------------------------ */

static enum ag_op opposite(enum ag_op op)
{
    switch (op) {
    case AG_IN:
        return AG_NOT_IN;
    case AG_CONTAINS:
        return AG_NOT_CONTAINS;
    case AG_NOT_CONTAINS:
        return AG_CONTAINS;
    case AG_PREFIX:
        return AG_NOT_PREFIX;
    case AG_AT_LEAST:
        return AG_BELOW;
    case AG_AT_MOST:
        return AG_ABOVE;
    case AG_ABOVE:
        return AG_AT_MOST;
    case AG_BELOW:
        return AG_AT_LEAST;
    default:
        return op;
    }
}

static bool same_key(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static struct ag_filter *filter_of(struct ag_intent *intent, enum ag_field field, const char *key, enum ag_op op)
{
    for (size_t i = 0; i < intent->filter_count; i++) {
        struct ag_filter *f = &intent->filters[i];
        if (f->field == field && f->op == op && same_key(f->key, key))
            return f;
    }
    return NULL;
}

static void add_value(struct ag_filter *f, const char *value)
{
    for (size_t i = 0; i < f->value_count; i++) {
        if (strcmp(f->values[i], value) == 0)
            return;
    }
    if (f->value_count < AG_MAX_VALUES)
        f->values[f->value_count++] = value;
}

static void add_filter(struct ag_parse *p, enum ag_field field, const char *key, enum ag_op op, const char *value)
{
    struct ag_intent *intent = p->intent;
    bool collects = op == AG_IN || op == AG_NOT_IN;
    struct ag_filter *f = collects ? filter_of(intent, field, key, op) : NULL;

    if (!f) {
        if (intent->filter_count == AG_MAX_FILTERS) {
            ag_stop(p, AG_NOT_UNDERSTOOD, ag_say(p, "조건이 너무 많습니다.", "There are too many conditions."), NULL);
            return;
        }
        f = &intent->filters[intent->filter_count++];
        *f = (struct ag_filter){.field = field, .key = key, .op = op};
    }
    if (value)
        add_value(f, value);
}

static void remove_filter(struct ag_intent *intent, size_t i)
{
    memmove(&intent->filters[i], &intent->filters[i + 1], (intent->filter_count - i - 1) * sizeof *intent->filters);
    intent->filter_count--;
}

static bool holds(const struct ag_filter *f, const char *value)
{
    for (size_t i = 0; i < f->value_count; i++) {
        if (strcmp(f->values[i], value) == 0)
            return true;
    }
    return false;
}

/* "not staging, production": naming what is wanted says all; what is both wanted and not is a contradiction. */
static void reconcile(struct ag_parse *p)
{
    struct ag_intent *intent = p->intent;

    for (size_t i = 0; i < intent->filter_count; i++) {
        struct ag_filter *wanted = filter_of(intent, intent->filters[i].field, intent->filters[i].key, AG_IN);
        if (intent->filters[i].op != AG_NOT_IN || !wanted)
            continue;
        for (size_t k = 0; k < intent->filters[i].value_count; k++) {
            if (!holds(wanted, intent->filters[i].values[k]))
                continue;
            ag_stop(p, AG_NOT_UNDERSTOOD,
                    ag_say(p, "같은 것을 포함하면서 제외하는 조건입니다.", "The same thing is both wanted and excluded."), NULL);
            return;
        }
        remove_filter(intent, i--);
    }
    /* Two conditions on statuses would have to hold at once; "or" between them was meant. */
    if (filter_of(intent, AG_HTTP_STATUS, NULL, AG_IN) && filter_of(intent, AG_STATUS_CLASS, NULL, AG_IN))
        ag_stop(p, AG_NOT_UNDERSTOOD,
                ag_say(p, "상태 코드와 상태 클래스를 함께 쓸 수 없습니다.", "A status and a class of statuses cannot be combined."), NULL);
}

static void mentions_to_filters(struct ag_parse *p)
{
    for (size_t i = 0; i < p->mention_count; i++) {
        const struct ag_mention *m = &p->mentions[i];
        add_filter(p, m->field, m->key, m->negated ? opposite(m->op) : m->op, m->value);
    }
    reconcile(p);
}

static bool is_error_filter(const struct ag_filter *f)
{
    return f->field == AG_LEVEL && f->op == AG_IN && f->value_count == 2 && holds(f, "ERROR") && holds(f, "FATAL");
}

static bool has_error_filter(const struct ag_intent *intent)
{
    for (size_t i = 0; i < intent->filter_count; i++) {
        if (is_error_filter(&intent->filters[i]))
            return true;
    }
    return false;
}

static void drop_error_filter(struct ag_intent *intent)
{
    for (size_t i = 0; i < intent->filter_count; i++) {
        if (is_error_filter(&intent->filters[i]))
            remove_filter(intent, i--);
    }
}

static void add_errors(struct ag_parse *p)
{
    add_filter(p, AG_LEVEL, NULL, AG_IN, "ERROR");
    add_filter(p, AG_LEVEL, NULL, AG_IN, "FATAL");
}

static bool has_field(const struct ag_intent *intent, enum ag_field field)
{
    for (size_t i = 0; i < intent->filter_count; i++) {
        if (intent->filters[i].field == field)
            return true;
    }
    return false;
}

/* Records that are requests, unless another condition says so already. */
static void add_requests(struct decision *d)
{
    static const enum ag_field implied[] = {AG_ENDPOINT, AG_HTTP_STATUS, AG_STATUS_CLASS, AG_METHOD};

    for (size_t i = 0; i < sizeof implied / sizeof *implied; i++) {
        for (size_t k = 0; k < d->intent->filter_count; k++) {
            const struct ag_filter *f = &d->intent->filters[k];
            if (f->field == implied[i] && f->op != AG_NOT_IN && f->op != AG_NOT_PREFIX)
                return;
        }
    }
    add_filter(d->p, AG_REQUEST, NULL, AG_NOT_NULL, NULL);
    ag_assume(d->p, "requests", "엔드포인트나 상태 코드가 있는 기록을 요청으로 보았습니다.",
              "Requests are records with an endpoint or a status.");
}

/* -- targets ------------------------------------------------------------------------------------------------------------ */

static void group_by(struct decision *d, struct ag_target *target)
{
    struct ag_intent *intent = d->intent;

    target->grouped = true;
    ag_consume(d->p->tokens, target->from, target->to, "group");
    for (size_t i = 0; i < intent->group_count; i++) {
        if (intent->groups[i].field == target->field && same_key(intent->groups[i].key, target->key))
            return;
    }
    if (intent->group_count == AG_MAX_GROUPS) {
        ag_stop(d->p, AG_NOT_UNDERSTOOD,
                ag_say(d->p, "두 가지까지만 나눠 볼 수 있습니다.", "A break-down by at most two fields is possible."), NULL);
        return;
    }
    intent->groups[intent->group_count++] = (struct ag_group){target->field, target->key};
}

static void group_by_field(struct decision *d, enum ag_field field)
{
    struct ag_target target = {.field = field};

    group_by(d, &target);
}

static struct ag_target *free_target(struct decision *d)
{
    for (size_t k = 0; k < d->p->target_count; k++) {
        if (!d->p->targets[k].grouped)
            return &d->p->targets[k];
    }
    return NULL;
}

static void group_free_targets(struct decision *d)
{
    struct ag_target *target;

    while (!d->p->stopped && (target = free_target(d)) != NULL)
        group_by(d, target);
}

static void set_measure(struct decision *d, enum ag_measure_fn fn, enum ag_field field)
{
    d->intent->measure.fn = fn;
    d->intent->measure.field = field;
}

/* -- time shapes -------------------------------------------------------------------------------------------------------- */

static const char *token_value(const struct decision *d, enum ag_concept concept)
{
    size_t at = d->p->said[concept];

    return at ? ag_reads_value(d->p, at - 1, concept) : "";
}

static void series_rule(struct decision *d)
{
    struct ag_intent *intent = d->intent;
    const char *per = use(d, AG_C_PER) ? token_value(d, AG_C_PER) : "";
    bool series = use(d, AG_C_SERIES);
    const char *by_time = use(d, AG_C_BY_TIME) ? token_value(d, AG_C_BY_TIME) : "";

    if (*per == 's' && !series && !*by_time && d->p->found.bucket_us == 0 && intent->measure.fn == AG_COUNT) {
        intent->measure.fn = AG_RATE;
        intent->measure.rate_unit_us = AG_SECOND;
        return;
    }
    if (*per && said(d, AG_C_AVERAGE) && intent->measure.fn == AG_COUNT) {
        use(d, AG_C_AVERAGE);
        intent->measure.fn = AG_RATE;
        intent->measure.rate_unit_us = ag_unit_us(*per);
        return;
    }
    if (!*per && !series && !*by_time && d->p->found.bucket_us == 0)
        return;
    /* The course of a trace or session is its records, in order. */
    if (series && !*per && !*by_time && d->p->found.bucket_us == 0 && (has_field(intent, AG_TRACE_ID) || has_field(intent, AG_SESSION_ID))) {
        set_measure(d, AG_LIST, AG_NO_FIELD);
        intent->order = AG_OLDEST;
        return;
    }
    if (intent->shape != AG_PLAIN || intent->measure.fn == AG_NAMES || intent->measure.fn == AG_FIRST_SEEN || intent->measure.fn == AG_LAST_SEEN) {
        ag_stop(d->p, AG_NOT_UNDERSTOOD, ag_say(d->p, "시간별로 나눌 수 없는 질문입니다.", "This cannot be shown over time."), NULL);
        return;
    }
    if (intent->measure.fn == AG_LIST) {
        intent->measure.fn = AG_COUNT;
        intent->order = AG_ORDER_DEFAULT;
    }
    intent->shape = AG_SERIES;
    intent->bucket_us = d->p->found.bucket_us ? d->p->found.bucket_us : *by_time ? ag_unit_us(*by_time) : *per ? ag_unit_us(*per) : 0;
}

/* "which hour had the most", 가장 바쁜 시간대, 언제 제일 많았어 */
static bool busiest_rule(struct decision *d)
{
    static const enum ag_concept many[] = {AG_C_MOST, AG_C_HIGHEST, AG_C_BUSIEST, AG_C_MAXIMUM};
    static const enum ag_concept few[] = {AG_C_FEWEST, AG_C_LOWEST, AG_C_QUIETEST, AG_C_MINIMUM};
    bool extreme = said(d, AG_C_BUSIEST) || said(d, AG_C_QUIETEST);
    bool most = said(d, AG_C_MOST) || said(d, AG_C_HIGHEST) || said(d, AG_C_FEWEST) || said(d, AG_C_LOWEST);
    bool slot = false;

    if (!extreme && !most)
        return false;
    slot = ag_take(d->p, AG_C_TIME_SLOT);
    slot = ag_take(d->p, AG_C_WHEN) || slot;
    if (!slot && !said(d, AG_C_BUSIEST) && !said(d, AG_C_QUIETEST))
        return false;
    if (!slot && (d->p->target_count > 0 || d->intent->group_count > 0)) {
        /* "the busiest service" */
        use(d, AG_C_BUSIEST);
        use(d, AG_C_QUIETEST);
        group_free_targets(d);
        d->intent->rank = true;
        d->intent->order = said(d, AG_C_QUIETEST) ? AG_FEWEST : AG_MOST;
        return false;
    }
    d->intent->shape = AG_BUSIEST;
    d->intent->bucket_us = ag_unit_us(said(d, AG_C_TIME_SLOT) ? token_value(d, AG_C_TIME_SLOT)[0] : 'h');
    if (d->p->found.bucket_us)
        d->intent->bucket_us = d->p->found.bucket_us, d->p->found.bucket_us = 0;
    d->intent->order = use_any(d, few, 4) ? AG_FEWEST : AG_MOST;
    use_any(d, many, 4);
    return true;
}

/* -- measures ----------------------------------------------------------------------------------------------------------- */

static void set_p95(struct decision *d)
{
    set_measure(d, AG_PERCENTILE, AG_DURATION);
    d->intent->measure.p[0] = 0.95;
    d->intent->measure.p_count = 1;
    ag_assume(d->p, "slow_is_p95", "느림은 응답 시간의 95번째 백분위수(p95)로 보았습니다.",
              "Slowness is the 95th percentile of the duration (p95).");
}

/* Measures over durations. True when it decided. */
static bool duration_rule(struct decision *d)
{
    static const struct {
        enum ag_concept concept;
        enum ag_measure_fn fn;
    } statistics[] = {{AG_C_AVERAGE, AG_AVG}, {AG_C_MAXIMUM, AG_MAX}, {AG_C_MINIMUM, AG_MIN}, {AG_C_SUM, AG_SUM}};
    bool page = said(d, AG_C_PAGE_LOAD);
    bool duration = said(d, AG_C_DURATION) || page;
    size_t n = 0;

    for (size_t i = 0; i < sizeof statistics / sizeof *statistics; i++) {
        if (!said(d, statistics[i].concept) || d->used[statistics[i].concept])
            continue;
        if (!duration && d->p->found.p_count == 0)
            continue;
        use(d, statistics[i].concept);
        set_measure(d, statistics[i].fn, AG_DURATION);
        n++;
    }
    if (d->p->found.p_count > 0) {
        set_measure(d, AG_PERCENTILE, AG_DURATION);
        memcpy(d->intent->measure.p, d->p->found.p, sizeof d->intent->measure.p);
        d->intent->measure.p_count = d->p->found.p_count;
        n++;
    }
    if (n > 1) {
        ag_stop(d->p, AG_NOT_UNDERSTOOD,
                ag_say(d->p, "한 번에 한 가지 통계만 물을 수 있습니다.", "Ask for one statistic at a time."),
                ag_say(d->p, "예: \"평균 응답시간\", \"p95 응답시간\"", "For example \"average latency\" or \"p95 latency\"."));
        return true;
    }
    if (page) {
        use(d, AG_C_PAGE_LOAD);
        if (!has_field(d->intent, AG_PAGE_PATH))
            add_filter(d->p, AG_PAGE_PATH, NULL, AG_NOT_NULL, NULL);
    }
    use(d, AG_C_DURATION);
    if (n == 1) {
        use(d, AG_C_SLOW);
        return true;
    }
    return false;
}

static bool has_service_or_endpoint(const struct ag_intent *intent)
{
    return has_field(intent, AG_SERVICE) || has_field(intent, AG_ENDPOINT) || has_field(intent, AG_HOST) || has_field(intent, AG_COMPONENT);
}

/* Slow and fast without a statistic. */
static bool slow_rule(struct decision *d)
{
    bool slowest = use(d, AG_C_SLOWEST);
    bool fastest = use(d, AG_C_FASTEST) || use(d, AG_C_FAST);
    bool slow = use(d, AG_C_SLOW) || slowest || fastest;
    bool duration = said(d, AG_C_DURATION) || said(d, AG_C_PAGE_LOAD);
    bool series = said(d, AG_C_SERIES) || said(d, AG_C_BY_TIME) || said(d, AG_C_PER) || d->p->found.bucket_us;
    bool ranked = said(d, AG_C_HIGHEST) || said(d, AG_C_LOWEST) || said(d, AG_C_MOST);

    if (!slow && !duration)
        return false;
    if (free_target(d) || d->intent->group_count > 0) {
        set_p95(d);
        group_free_targets(d);
        if (slow || ranked) {
            d->intent->rank = true;
            d->intent->order = fastest || use(d, AG_C_LOWEST) ? AG_FEWEST : AG_MOST;
            use(d, AG_C_HIGHEST);
            use(d, AG_C_MOST);
        }
        return true;
    }
    if (slow && said(d, AG_C_COUNT) && !d->p->found.length_set) {
        ag_stop(d->p, AG_NEEDS_CLARIFICATION,
                ag_say(d->p, "얼마보다 오래 걸리면 느린 것인지 알 수 없습니다.", "It is not said how long is slow."),
                ag_say(d->p, "예: \"1초 넘게 걸린 요청 몇 건?\"", "For example \"how many requests slower than 1 second?\""));
        return true;
    }
    if (slow && (said(d, AG_C_REQUEST) || said(d, AG_C_LOG) || said(d, AG_C_RESPONSE) || d->p->found.limit > 0)) {
        set_measure(d, AG_LIST, AG_NO_FIELD);
        d->intent->order = fastest ? AG_FASTEST : AG_SLOWEST;
        return true;
    }
    if (duration && !slow && (said(d, AG_C_REQUEST) || said(d, AG_C_LOG)) && ranked) {
        set_measure(d, AG_LIST, AG_NO_FIELD);
        d->intent->order = use(d, AG_C_LOWEST) ? AG_FASTEST : AG_SLOWEST;
        use(d, AG_C_HIGHEST);
        use(d, AG_C_MOST);
        return true;
    }
    if (use(d, AG_C_WHY) && slow) {
        set_p95(d);
        group_by_field(d, AG_ENDPOINT);
        d->intent->rank = true;
        d->intent->order = AG_MOST;
        ag_assume(d->p, "evidence", "원인을 단정하지 않고, 엔드포인트별 응답 시간을 근거로 보여 줍니다.",
                  "No cause is claimed: latency by endpoint is shown as evidence.");
        return true;
    }
    if (duration || (series && slow) || (slow && has_service_or_endpoint(d->intent) && said(d, AG_C_SUMMARY))) {
        set_p95(d);
        return true;
    }
    ag_ask_what(d->p);
    return true;
}

/* Shares: error rate, failure rate, "what percentage of … are …". True when it decided. */
static bool rate_rule(struct decision *d)
{
    struct ag_intent *intent = d->intent;
    bool percent = said(d, AG_C_PERCENT);

    if (use(d, AG_C_FAIL_RATE) || (percent && said(d, AG_C_FAIL))) {
        use(d, AG_C_PERCENT);
        use(d, AG_C_FAIL);
        set_measure(d, AG_FAILURE_RATE, AG_NO_FIELD);
        ag_assume(d->p, "failures_are_5xx", "실패는 상태 코드가 있는 기록 가운데 5xx로 보았습니다.",
                  "Failures are 5xx among the records with a status.");
        return true;
    }
    if (use(d, AG_C_RATE) || (percent && has_error_filter(intent))) {
        use(d, AG_C_PERCENT);
        drop_error_filter(intent);
        if (has_field(intent, AG_LEVEL))
            return false;
        set_measure(d, AG_ERROR_RATE, AG_NO_FIELD);
        if (said(d, AG_C_REQUEST))
            add_requests(d);
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
            use(d, AG_C_PERCENT);
            remove_filter(intent, i);
            if (f.field != AG_LEVEL)
                add_filter(d->p, AG_HTTP_STATUS, NULL, AG_NOT_NULL, NULL);
            if (intent->filter_count < AG_MAX_FILTERS)
                intent->filters[intent->filter_count++] = f;
            set_measure(d, AG_SHARE, AG_NO_FIELD);
            return true;
        }
    }
    return false;
}

static bool is_countable(enum ag_field field)
{
    return field != AG_MESSAGE && field != AG_DURATION && field != AG_METADATA && field != AG_LEVEL;
}

/* Is "how many" said right at the field: 서비스 몇 개, "how many hosts", 에러 타입 수? */
static bool counted_target(const struct decision *d, const struct ag_target *target)
{
    size_t next = ag_after(d->p, target->to - 1);
    size_t before = target->from > 0 ? ag_before(d->p, target->from) : SIZE_MAX;

    while (before != SIZE_MAX && before > 0 && (ag_reads(d->p, before, AG_C_DISTINCT) || ag_reads(d->p, before, AG_C_PREPOSITION)))
        before = ag_before(d->p, before);
    if (ag_reads(d->p, next, AG_C_DISTINCT))
        next = ag_after(d->p, next);
    return (ag_is_korean(d->p, target->from) && ag_reads(d->p, next, AG_C_COUNT)) ||
           (ag_is_korean(d->p, target->from) && ag_reads(d->p, next, AG_C_COUNT_PEOPLE)) ||
           (before != SIZE_MAX && !ag_is_korean(d->p, before) && ag_reads(d->p, before, AG_C_COUNT));
}

/* How many different ones. */
static bool distinct_rule(struct decision *d)
{
    struct ag_target *target = free_target(d);
    bool people = said(d, AG_C_COUNT_PEOPLE);

    if (target && said(d, AG_C_LIST) && said(d, AG_C_DISTINCT) && !said(d, AG_C_COUNT)) {
        use(d, AG_C_DISTINCT);
        return false;
    }
    if (target && is_countable(target->field) && (said(d, AG_C_DISTINCT) || people || counted_target(d, target))) {
        ag_consume(d->p->tokens, target->from, target->to, "distinct");
        target->grouped = true;
        use(d, AG_C_DISTINCT);
        use(d, AG_C_COUNT_PEOPLE);
        set_measure(d, AG_DISTINCT, people ? AG_USER_ID : target->field);
        return true;
    }
    if (people) {
        use(d, AG_C_COUNT_PEOPLE);
        use(d, AG_C_DISTINCT);
        set_measure(d, AG_DISTINCT, AG_USER_ID);
        return true;
    }
    return false;
}

/* First and last. */
static bool seen_rule(struct decision *d)
{
    bool when = false;
    bool last;
    bool show = said(d, AG_C_SHOW) && !said(d, AG_C_COUNT);

    if (use(d, AG_C_STILL)) {
        set_measure(d, AG_LAST_SEEN, AG_NO_FIELD);
        return true;
    }
    last = ag_take(d->p, AG_C_FINAL) || (!said(d, AG_C_NEWEST) && ag_take(d->p, AG_C_LAST));
    if (!said(d, AG_C_FIRST) && !last) {
        /* "when was the latest error" */
        if (said(d, AG_C_NEWEST) && ag_take(d->p, AG_C_WHEN)) {
            use(d, AG_C_NEWEST);
            set_measure(d, AG_LAST_SEEN, AG_NO_FIELD);
            return true;
        }
        return false;
    }
    when = ag_take(d->p, AG_C_WHEN);
    if (said(d, AG_C_FIRST) && last)
        return false;
    use(d, AG_C_FIRST);
    if (!when && show) {
        set_measure(d, AG_LIST, AG_NO_FIELD);
        d->intent->order = last ? AG_NEWEST : AG_OLDEST;
        d->intent->limit = d->p->found.limit ? d->p->found.limit : 1;
        d->p->found.limit = 0;
        return true;
    }
    set_measure(d, last ? AG_LAST_SEEN : AG_FIRST_SEEN, AG_NO_FIELD);
    return true;
}

/* -- shapes of their own ------------------------------------------------------------------------------------------------ */

static bool stopped_rule(struct decision *d)
{
    if (!use(d, AG_C_STOPPED))
        return false;
    d->intent->shape = AG_SILENT;
    d->intent->silent_us = 15 * AG_MINUTE;
    set_measure(d, AG_LAST_SEEN, AG_NO_FIELD);
    if (d->intent->group_count == 0 && free_target(d))
        group_by(d, free_target(d));
    if (d->intent->group_count == 0)
        group_by_field(d, AG_SERVICE);
    if (d->intent->group_count > 1)
        d->intent->group_count = 1;
    ag_assume(d->p, "silent", "창 안에 기록이 있었으나 마지막 15분 동안 없는 것을 멈춘 것으로 보았습니다.",
              "Stopped means: seen in the window, and silent for its last 15 minutes.");
    return true;
}

static bool new_rule(struct decision *d)
{
    struct ag_target *target = free_target(d);

    if (!said(d, AG_C_NEW))
        return false;
    if (!target && d->intent->group_count == 0 && has_error_filter(d->intent)) {
        group_by_field(d, AG_ERROR_TYPE);
        ag_assume(d->p, "errors_by_type", "새 에러는 그 앞 기간에 없던 에러 타입으로 보았습니다.",
                  "New errors are error types not seen in the window before.");
    }
    if (!target && d->intent->group_count != 1)
        return false;
    use(d, AG_C_NEW);
    use(d, AG_C_FIRST);
    d->intent->shape = AG_NEW;
    set_measure(d, AG_COUNT, AG_NO_FIELD);
    if (target)
        group_by(d, target);
    return true;
}

static bool spike_rule(struct decision *d)
{
    bool spike = said(d, AG_C_SPIKE);

    if (!spike && !said(d, AG_C_CAUSE))
        return false;
    use(d, AG_C_SPIKE);
    if (free_target(d) || d->intent->group_count > 0) {
        /* "which component is responsible for the spike": who did most of it. */
        use(d, AG_C_CAUSE);
        use(d, AG_C_WHY);
        group_free_targets(d);
        set_measure(d, AG_COUNT, AG_NO_FIELD);
        d->intent->rank = true;
        d->intent->order = AG_MOST;
        if (spike && !has_field(d->intent, AG_LEVEL) && !has_field(d->intent, AG_HTTP_STATUS) && !has_field(d->intent, AG_STATUS_CLASS) && !said(d, AG_C_REQUEST)) {
            add_errors(d->p);
            ag_assume(d->p, "spike_of_errors", "급증은 에러의 급증으로 보았습니다.", "The spike is taken to be one of errors.");
        }
        return true;
    }
    if (!spike)
        return false;
    ag_take(d->p, AG_C_TIME_SLOT);
    ag_take(d->p, AG_C_WHEN);
    d->intent->shape = AG_SPIKE;
    set_measure(d, AG_COUNT, AG_NO_FIELD);
    d->intent->bucket_us = d->p->found.bucket_us;
    d->p->found.bucket_us = 0;
    return true;
}

/* What there is: 서비스 목록, "which services are there". */
static bool names_rule(struct decision *d)
{
    struct ag_target *target = free_target(d);
    bool asks = said(d, AG_C_LIST) || said(d, AG_C_WHICH) || said(d, AG_C_SHOW) || said(d, AG_C_IS);

    if (!target || !asks || d->intent->group_count > 0 || has_field(d->intent, AG_LEVEL) || has_field(d->intent, AG_HTTP_STATUS) ||
        has_field(d->intent, AG_STATUS_CLASS) || has_field(d->intent, AG_MESSAGE) || has_field(d->intent, AG_ERROR_TYPE) ||
        has_field(d->intent, AG_EVENT_TYPE) || said(d, AG_C_MOST) || said(d, AG_C_FEWEST) || said(d, AG_C_TOP) || said(d, AG_C_BOTTOM) ||
        said(d, AG_C_HIGHEST) || said(d, AG_C_LOWEST) || said(d, AG_C_REQUEST) || d->p->found.threshold.set || d->p->found.length_set)
        return false;
    if (target->field == AG_METADATA || target->field == AG_PATTERN || target->field == AG_DURATION)
        return false;
    ag_consume(d->p->tokens, target->from, target->to, "names");
    target->grouped = true;
    set_measure(d, AG_NAMES, target->field);
    return !free_target(d);
}

/* -- counts, ranks and lists -------------------------------------------------------------------------------------------- */

static bool rank_words(struct decision *d)
{
    static const enum ag_concept few[] = {AG_C_FEWEST, AG_C_LOWEST, AG_C_BOTTOM};
    static const enum ag_concept many[] = {AG_C_MOST, AG_C_HIGHEST, AG_C_TOP};
    bool least = use_any(d, few, 3);
    bool most = use_any(d, many, 3);

    if (!least && !most)
        return false;
    d->intent->rank = true;
    d->intent->order = least ? AG_FEWEST : AG_MOST;
    return true;
}

/* The field several values of which are asked about ("order or payment"), or none. */
static enum ag_field several(const struct ag_intent *intent)
{
    for (size_t i = 0; i < intent->filter_count; i++) {
        const struct ag_filter *f = &intent->filters[i];
        if (f->op == AG_IN && f->value_count > 1 && f->field != AG_LEVEL && f->field != AG_METADATA)
            return f->field;
    }
    return AG_NO_FIELD;
}

static void rank_rule(struct decision *d)
{
    struct ag_target *target = free_target(d);
    bool ranked;

    if (!said(d, AG_C_MOST) && !said(d, AG_C_FEWEST) && !said(d, AG_C_HIGHEST) && !said(d, AG_C_LOWEST) && !said(d, AG_C_TOP) && !said(d, AG_C_BOTTOM))
        return;
    if (!target && d->intent->group_count == 0) {
        const char *where = said(d, AG_C_WHICH) ? token_value(d, AG_C_WHICH) : "";
        enum ag_field listed = several(d->intent);
        if (listed != AG_NO_FIELD) {
            group_by_field(d, listed);
        } else if (strcmp(where, "user_id") == 0) {
            group_by_field(d, AG_USER_ID);
        } else if (has_error_filter(d->intent) && *where == '\0' && d->intent->measure.fn != AG_DISTINCT) {
            group_by_field(d, AG_ERROR_TYPE);
            ag_assume(d->p, "errors_by_type", "에러를 에러 타입별로 세었습니다.", "Errors are counted by error type.");
        } else if (*where) {
            group_by_field(d, AG_SERVICE);
            ag_assume(d->p, "where_is_service", "어디인지는 서비스로 보았습니다.", "Where is taken to be which service.");
        } else {
            return;
        }
    }
    ranked = rank_words(d);
    if (ranked)
        group_free_targets(d);
}

/* A field left: "services with errors", 에러 난 서비스, 10건 이상인 서비스, 같은 IP에서. */
static void left_target_rule(struct decision *d)
{
    struct ag_target *target = free_target(d);
    bool narrowed = d->intent->filter_count > 0;
    bool same;

    if (!target)
        return;
    same = use(d, AG_C_SAME);
    if (d->p->found.threshold.set || d->p->found.length_set || same || use(d, AG_C_DISTRIBUTION)) {
        group_free_targets(d);
        d->intent->rank = d->p->found.threshold.set;
        return;
    }
    if (target->field == AG_SERVICE && (said(d, AG_C_COUNT) || said(d, AG_C_RATE) || d->intent->measure.fn != AG_COUNT) && !said(d, AG_C_WHICH)) {
        /* "service errors": the word adds nothing. */
        ag_consume(d->p->tokens, target->from, target->to, "service");
        target->grouped = true;
        left_target_rule(d);
        return;
    }
    if ((target->field == AG_LEVEL || target->field == AG_HTTP_STATUS || target->field == AG_STATUS_CLASS) && !said(d, AG_C_COUNT)) {
        group_free_targets(d);
        return;
    }
    if ((said(d, AG_C_WHICH) || narrowed) && !said(d, AG_C_COUNT)) {
        group_free_targets(d);
        d->intent->rank = true;
        d->intent->order = AG_MOST;
    }
}

/* "errors last week, total" asks for a number; "all errors" does not. */
static bool wants_total(const struct decision *d)
{
    for (size_t i = 0; i < d->p->tokens->count; i++) {
        const char *value = ag_reads_value(d->p, i, AG_C_TOTAL);
        if (value && *value && d->p->tokens->items[i].rule && strcmp(d->p->tokens->items[i].rule, "total") == 0)
            return true;
    }
    return false;
}

static bool wants_list(const struct decision *d)
{
    return !said(d, AG_C_COUNT) && !wants_total(d) && !said(d, AG_C_COUNT_PEOPLE) && d->intent->group_count == 0;
}

static void list_order(struct decision *d)
{
    struct ag_intent *intent = d->intent;

    if (use(d, AG_C_OLDEST))
        intent->order = AG_OLDEST;
    else if (use(d, AG_C_NEWEST) || d->p->found.limit_newest)
        intent->order = AG_NEWEST;
    if (intent->order == AG_ORDER_DEFAULT)
        intent->order = d->p->found.limit_oldest || has_field(intent, AG_TRACE_ID) || has_field(intent, AG_SESSION_ID) ? AG_OLDEST
                                                                                                                       : AG_NEWEST;
}

static void plain_rule(struct decision *d)
{
    struct ag_intent *intent = d->intent;

    if (said(d, AG_C_SUMMARY) && intent->group_count == 0 && !said(d, AG_C_COUNT) && !said(d, AG_C_COMPARE)) {
        set_measure(d, AG_COUNT, AG_NO_FIELD);
        group_by_field(d, AG_LEVEL);
        ag_assume(d->p, "summary_by_level", "요약으로 레벨별 건수를 보여 줍니다.", "As a summary, records are counted by level.");
        return;
    }
    if (use(d, AG_C_WHY)) {
        if (!has_error_filter(intent) || intent->group_count > 0) {
            d->used[AG_C_WHY] = false;
            return;
        }
        set_measure(d, AG_COUNT, AG_NO_FIELD);
        d->p->said[AG_C_COMPARE] = 0;
        use(d, AG_C_MOST);
        group_by_field(d, AG_ERROR_TYPE);
        intent->rank = true;
        intent->order = AG_MOST;
        ag_assume(d->p, "evidence", "원인을 단정하지 않고, 에러 타입별 건수를 근거로 보여 줍니다.",
                  "No cause is claimed: errors by type are shown as evidence.");
        return;
    }
    if (wants_list(d) && intent->shape == AG_PLAIN && !said(d, AG_C_COMPARE) && !said(d, AG_C_BEFORE_AFTER) && !said(d, AG_C_SERIES) &&
        !said(d, AG_C_BY_TIME) && !said(d, AG_C_PER) && d->p->found.bucket_us == 0) {
        set_measure(d, AG_LIST, AG_NO_FIELD);
        use(d, AG_C_HISTORY);
        list_order(d);
        return;
    }
    set_measure(d, AG_COUNT, AG_NO_FIELD);
}

/* 각각, and comparing two services: the field with several values becomes the break-down. */
static void each_rule(struct decision *d)
{
    bool wanted = said(d, AG_C_EACH) || (said(d, AG_C_COMPARE) && d->p->time_count < 2 && !said(d, AG_C_SAME_TIME) && !said(d, AG_C_SHIFT));

    if (!wanted || d->intent->group_count > 0)
        return;
    for (size_t i = 0; i < d->intent->filter_count; i++) {
        const struct ag_filter *f = &d->intent->filters[i];
        if (f->op != AG_IN || f->value_count < 2 || is_error_filter(f))
            continue;
        group_by_field(d, f->field);
        d->p->said[AG_C_COMPARE] = 0;
        if (d->intent->measure.fn == AG_LIST) {
            set_measure(d, AG_COUNT, AG_NO_FIELD);
            d->intent->order = AG_ORDER_DEFAULT;
        }
        return;
    }
}

static void length_rule(struct decision *d)
{
    const struct ag_found *found = &d->p->found;
    struct ag_intent *intent = d->intent;

    if (!found->length_set)
        return;
    if (intent->measure.field == AG_DURATION && intent->group_count > 0) {
        intent->threshold = (struct ag_threshold){true, found->length_op, found->length_ms};
        return;
    }
    add_filter(d->p, AG_DURATION, NULL, found->length_op, ag_sayf(d->p, "%.15g", found->length_ms));
}

static void threshold_rule(struct decision *d)
{
    struct ag_intent *intent = d->intent;

    if (!d->p->found.threshold.set)
        return;
    if (intent->group_count == 0 && intent->shape != AG_SERIES) {
        ag_stop(d->p, AG_NOT_UNDERSTOOD,
                ag_say(d->p, "무엇별로 세어 비교할지 알 수 없습니다.", "It is not said what the number is to be counted by."),
                ag_say(d->p, "예: \"에러 10건 이상인 서비스\"", "For example \"services with more than 10 errors\"."));
        return;
    }
    if (d->p->found.threshold_percent && intent->measure.fn != AG_ERROR_RATE && intent->measure.fn != AG_FAILURE_RATE && intent->measure.fn != AG_SHARE) {
        ag_stop(d->p, AG_NOT_UNDERSTOOD, ag_say(d->p, "퍼센트는 비율에만 쓸 수 있습니다.", "A percentage fits a rate only."), NULL);
        return;
    }
    if (intent->measure.fn == AG_LIST) {
        set_measure(d, AG_COUNT, AG_NO_FIELD);
        intent->order = AG_ORDER_DEFAULT;
    }
    intent->threshold = d->p->found.threshold;
    if (intent->measure.fn == AG_AVG || intent->measure.fn == AG_PERCENTILE)
        return;
}

static void failures(struct decision *d)
{
    if (!said(d, AG_C_FAIL) || said(d, AG_C_PERCENT) || !said(d, AG_C_REQUEST))
        return;
    use(d, AG_C_FAIL);
    add_filter(d->p, AG_STATUS_CLASS, NULL, AG_IN, "5xx");
    ag_assume(d->p, "failures_are_5xx", "실패한 요청은 상태 코드 5xx로 보았습니다.", "Failed requests are those with a 5xx status.");
}

static void login_tries(struct decision *d)
{
    const struct ag_name *found[4];
    size_t n;

    if (!use(d, AG_C_LOGIN_TRY))
        return;
    if (has_field(d->intent, AG_EVENT_TYPE))
        return;
    n = ag_catalogue_with_part(d->p->catalogue, AG_KIND_EVENT_TYPE, "failed", found, 4);
    for (size_t i = 0; i < n && i < 4; i++) {
        if (strstr(found[i]->parts, " login ") || strstr(found[i]->parts, " signin ")) {
            add_filter(d->p, AG_EVENT_TYPE, NULL, AG_IN, found[i]->value);
            return;
        }
    }
    d->used[AG_C_LOGIN_TRY] = false;
}

/* "during the outage": an incident is a time nobody named, unless a summary of a time is asked for. */
static bool incident_used_as_time(const struct decision *d)
{
    if (d->intent->group_count == 1 && d->intent->groups[0].field == AG_LEVEL && d->p->time_count > 0)
        return false;
    for (size_t i = 0; i < d->p->tokens->count; i++) {
        const char *value = ag_reads_value(d->p, i, AG_C_SUMMARY);
        const char *rule = d->p->tokens->items[i].rule;
        if (value && *value && rule && strcmp(rule, "summary") == 0 && d->p->time_count == 0 && d->intent->group_count == 0)
            return true;
    }
    return false;
}

static void leave_unused(struct decision *d)
{
    if (incident_used_as_time(d)) {
        ag_stop(d->p, AG_NEEDS_CLARIFICATION, ag_say(d->p, "언제의 장애인지 알 수 없습니다.", "It is not said when that incident was."),
                ag_say(d->p, "시간을 적어 주세요. 예: \"오늘 10시부터 11시까지 에러\"", "Name the time, for example \"errors between 10:00 and 11:00\"."));
        return;
    }
    for (size_t i = 0; i < sizeof strong / sizeof *strong; i++) {
        size_t at = d->p->said[strong[i]];
        if (at == 0 || d->used[strong[i]])
            continue;
        /* Left for the stage of windows. */
        if (strong[i] == AG_C_COMPARE || strong[i] == AG_C_BEFORE_AFTER || strong[i] == AG_C_SAME_TIME || strong[i] == AG_C_SHIFT ||
            strong[i] == AG_C_EVENT_ANCHOR || strong[i] == AG_C_HISTORY)
            continue;
        if ((strong[i] == AG_C_TOP || strong[i] == AG_C_NEWEST || strong[i] == AG_C_OLDEST) && d->p->found.limit > 0)
            continue;
        ag_stop(d->p, AG_NOT_UNDERSTOOD,
                d->p->language == AG_KO ? ag_sayf(d->p, "\"%s\"을(를) 어떻게 써야 할지 알 수 없습니다.", ag_word(d->p, at - 1))
                                        : ag_sayf(d->p, "It is not clear what \"%s\" asks for here.", ag_word(d->p, at - 1)),
                NULL);
        return;
    }
}

static void take_flags(struct ag_parse *p)
{
    for (size_t i = 0; i < sizeof strong / sizeof *strong; i++) {
        /* Fields are targets before their words are anything else. */
        ag_take(p, strong[i]);
    }
    for (size_t i = 0; i < sizeof weak / sizeof *weak; i++)
        ag_take(p, weak[i]);
}

void ag_measure_rule(struct ag_parse *p)
{
    struct decision d = {.p = p, .intent = p->intent};
    bool decided;

    take_flags(p);
    mentions_to_filters(p);
    for (size_t k = 0; k < p->target_count; k++) {
        if (p->targets[k].grouped)
            group_by(&d, &p->targets[k]);
    }
    login_tries(&d);
    failures(&d);
    decided = stopped_rule(&d) || new_rule(&d) || spike_rule(&d);
    if (!decided) {
        bool busiest = busiest_rule(&d);
        decided = rate_rule(&d) || duration_rule(&d) || slow_rule(&d) || distinct_rule(&d) || (!busiest && (seen_rule(&d) || names_rule(&d)));
        if (decided && p->intent->measure.fn != AG_LIST && p->intent->measure.fn != AG_NAMES)
            rank_rule(&d);
        if (!decided && busiest) {
            set_measure(&d, AG_COUNT, AG_NO_FIELD);
            decided = true;
        }
    }
    if (p->stopped)
        return;
    if (!decided) {
        if (!said(&d, AG_C_WHY))
            rank_rule(&d);
        left_target_rule(&d);
        plain_rule(&d);
    } else if (p->intent->shape == AG_PLAIN) {
        left_target_rule(&d);
    }
    if (said(&d, AG_C_REQUEST) && p->intent->measure.fn != AG_FAILURE_RATE && p->intent->measure.fn != AG_ERROR_RATE)
        add_requests(&d);
    length_rule(&d);
    series_rule(&d);
    each_rule(&d);
    threshold_rule(&d);
    if (p->intent->group_count > 0)
        ag_take(p, AG_C_BY_AFTER);
    if (p->found.limit > 0)
        p->intent->limit = p->found.limit;
    if (p->found.limit > 0 && p->intent->group_count > 0 && p->intent->order == AG_ORDER_DEFAULT) {
        p->intent->order = AG_MOST;
        p->intent->rank = true;
    }
    if (p->intent->measure.fn == AG_LIST && p->intent->order == AG_ORDER_DEFAULT)
        list_order(&d);
    use(&d, AG_C_DISTRIBUTION);
    if (!p->stopped)
        leave_unused(&d);
}
