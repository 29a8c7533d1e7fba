/*
 * What is measured and in which shape. Words of measuring are taken as flags first; the decision that follows
 * uses flags one by one, and a flag said but used by nobody makes the question not understood.
 */
#include "agent/understand/decision.h"
#include "agent/understand/window.h"

#include <string.h>

/* Flags taken wherever they stand. Weak ones may stay unused. */
static const enum ag_concept strong[] = {
    AG_C_COUNT_PEOPLE, AG_C_RATE,         AG_C_FAIL_RATE, AG_C_OK_RATE,      AG_C_PERCENT,   AG_C_SLOWEST,
    AG_C_FASTEST,      AG_C_SLOW,         AG_C_FAST,      AG_C_AVERAGE,      AG_C_MAXIMUM,   AG_C_MINIMUM,
    AG_C_SUM,          AG_C_DURATION,     AG_C_PAGE_LOAD, AG_C_PER,          AG_C_SERIES,    AG_C_BY_TIME,
    AG_C_BUSIEST,      AG_C_QUIETEST,     AG_C_SPIKE,     AG_C_STOPPED,      AG_C_NEW,       AG_C_FIRST,
    AG_C_STILL,        AG_C_DISTINCT,     AG_C_COMPARE,   AG_C_BEFORE_AFTER, AG_C_WHY,       AG_C_HISTORY,
    AG_C_CAUSE,        AG_C_NEWEST,       AG_C_OLDEST,    AG_C_MOST,         AG_C_FEWEST,    AG_C_HIGHEST,
    AG_C_LOWEST,       AG_C_TOP,          AG_C_BOTTOM,    AG_C_SAME,         AG_C_SAME_TIME, AG_C_LOGIN_TRY,
    AG_C_FAIL,         AG_C_DISTRIBUTION, AG_C_SHIFT,     AG_C_EVENT_ANCHOR,
};
static const enum ag_concept weak[] = {AG_C_COUNT,    AG_C_TOTAL, AG_C_LIST,  AG_C_NAMES,  AG_C_REQUEST,
                                       AG_C_RESPONSE, AG_C_EACH,  AG_C_WHICH, AG_C_SHOW,   AG_C_LOG,
                                       AG_C_IS,       AG_C_ONLY,  AG_C_ORDER, AG_C_SUMMARY};

bool ag_use(struct decision *d, enum ag_concept concept)
{
    d->used[concept] = true;
    return ag_said(d->p, concept);
}

bool ag_heard(const struct decision *d, enum ag_concept concept)
{
    return ag_said(d->p, concept);
}

bool ag_use_any(struct decision *d, const enum ag_concept *concepts, size_t n)
{
    bool any = false;

    for (size_t i = 0; i < n; i++)
        any = ag_use(d, concepts[i]) || any;
    return any;
}

const char *ag_heard_value(const struct decision *d, enum ag_concept concept)
{
    size_t at = d->p->said[concept];

    return at ? ag_reads_value(d->p, at - 1, concept) : "";
}

void ag_group_by(struct decision *d, struct ag_target *target)
{
    struct ag_intent *intent = d->intent;

    target->grouped = true;
    ag_consume(d->p->tokens, target->from, target->to, "group");
    for (size_t i = 0; i < intent->group_count; i++) {
        if (intent->groups[i].field == target->field && ag_same_key(intent->groups[i].key, target->key))
            return;
    }
    if (intent->group_count == AG_MAX_GROUPS) {
        ag_stop(d->p, AG_NOT_UNDERSTOOD,
                ag_say(d->p, "두 가지까지만 나눠 볼 수 있습니다.",
                       "A break-down by at most two fields is possible."),
                NULL);
        return;
    }
    intent->groups[intent->group_count++] = (struct ag_group){target->field, target->key};
}

void ag_group_by_field(struct decision *d, enum ag_field field)
{
    struct ag_target target = {.field = field};

    ag_group_by(d, &target);
}

struct ag_target *ag_free_target(struct decision *d)
{
    for (size_t k = 0; k < d->p->target_count; k++) {
        if (!d->p->targets[k].grouped)
            return &d->p->targets[k];
    }
    return NULL;
}

void ag_group_free_targets(struct decision *d)
{
    struct ag_target *target;

    while (!d->p->stopped && (target = ag_free_target(d)) != NULL)
        ag_group_by(d, target);
}

void ag_set_measure(struct decision *d, enum ag_measure_fn fn, enum ag_field field)
{
    d->intent->measure.fn = fn;
    d->intent->measure.field = field;
}

void ag_count_instead(struct ag_parse *p)
{
    struct ag_intent *intent = p->intent;

    if (intent->order == AG_SLOWEST || intent->order == AG_FASTEST)
        ag_stop(
            p, AG_NOT_UNDERSTOOD,
            ag_say(p, "가장 느린 기록은 나누거나 비교할 수 없습니다.",
                   "The slowest records themselves cannot be broken down or compared."),
            ag_say(p, "예: \"p95 응답시간 어제와 비교\"", "For example \"p95 latency today vs yesterday\"."));
    intent->measure.fn = AG_COUNT;
    intent->measure.field = AG_NO_FIELD;
    intent->order = AG_ORDER_DEFAULT;
}

static void failures(struct decision *d)
{
    bool endpoint = ag_has_field(d->intent, AG_ENDPOINT) && !ag_has_field(d->intent, AG_EVENT_TYPE) &&
                    !ag_has_field(d->intent, AG_HTTP_STATUS) && !ag_has_field(d->intent, AG_LEVEL) &&
                    !ag_has_field(d->intent, AG_STATUS_CLASS);

    if (!ag_heard(d, AG_C_FAIL) || ag_heard(d, AG_C_PERCENT) || !(ag_heard(d, AG_C_REQUEST) || endpoint))
        return;
    ag_use(d, AG_C_FAIL);
    ag_filter_add(d->p, AG_STATUS_CLASS, NULL, AG_IN, "5xx");
    ag_assume(d->p, "failures_are_5xx", "실패한 요청은 상태 코드 5xx로 보았습니다.",
              "Failed requests are those with a 5xx status.");
}

/* The first token from `i` on that says no time and joins nothing: 결제 어제 실패. */
static size_t past_times(const struct ag_parse *p, size_t i)
{
    for (size_t k = 0; k < p->time_count; k++) {
        if (i >= p->times[k].from && i < p->times[k].to)
            i = ag_after(p, p->times[k].to - 1);
    }
    return i;
}

/* 결제 실패 몇 건, "payment failures": of a service, what went wrong in it. Not who failed, nor how often. */
static void failures_of_a_service(struct decision *d)
{
    struct ag_intent *in = d->intent;
    size_t at = d->p->said[AG_C_FAIL];
    size_t next = at ? ag_after(d->p, at - 1) : SIZE_MAX;
    bool beside = false;

    if (!at || ag_heard(d, AG_C_REQUEST) || ag_heard(d, AG_C_PERCENT) || ag_heard(d, AG_C_COUNT_PEOPLE) ||
        d->p->target_count > 0 || ag_has_field(in, AG_LEVEL) || ag_has_field(in, AG_EVENT_TYPE) ||
        ag_has_field(in, AG_HTTP_STATUS) || ag_has_field(in, AG_STATUS_CLASS) || ag_has_field(in, AG_MESSAGE))
        return;
    for (size_t k = 0; k < d->p->mention_count; k++) {
        const struct ag_mention *m = &d->p->mentions[k];
        beside = beside || ((m->field == AG_SERVICE || m->field == AG_COMPONENT) && !m->negated &&
                            (past_times(d->p, ag_after(d->p, m->to - 1)) == at - 1 || next == m->from ||
                             ag_after(d->p, next) == m->from));
    }
    if (!beside)
        return;
    ag_use(d, AG_C_FAIL);
    ag_add_errors(d->p);
    ag_assume(d->p, "failures_are_errors", "실패는 그 서비스의 ERROR와 FATAL 기록으로 보았습니다.",
              "Failures are taken to be the service's records of ERROR and FATAL.");
}

static void login_tries(struct decision *d)
{
    const struct ag_name *found[4];
    size_t n;

    if (!ag_use(d, AG_C_LOGIN_TRY))
        return;
    if (ag_has_field(d->intent, AG_EVENT_TYPE))
        return;
    n = ag_catalogue_with_part(d->p->catalogue, AG_KIND_EVENT_TYPE, "failed", found, 4);
    for (size_t i = 0; i < n && i < 4; i++) {
        if (strstr(found[i]->parts, " login ") || strstr(found[i]->parts, " signin ")) {
            ag_filter_add(d->p, AG_EVENT_TYPE, NULL, AG_IN, found[i]->value);
            return;
        }
    }
    d->used[AG_C_LOGIN_TRY] = false;
}

/* "during the outage", "after the incident", 장애 동안, 장애 이후 */
static bool is_beside_a_time(const struct ag_parse *p, size_t i)
{
    static const enum ag_concept relations[] = {AG_C_DURING, AG_C_BEFORE, AG_C_AFTER, AG_C_SINCE,
                                                AG_C_AGO,    AG_C_FROM,   AG_C_TO,    AG_C_AROUND};
    size_t before = i > 0 ? ag_before(p, i) : SIZE_MAX;
    size_t next = ag_after(p, i);

    for (size_t k = 0; k < sizeof relations / sizeof *relations; k++) {
        if (ag_is_korean(p, i)
                ? ag_reads(p, next, relations[k]) && ag_is_korean(p, next)
                : before != SIZE_MAX && ag_reads(p, before, relations[k]) &&
                      strcmp(ag_word(p, before), "from") != 0 && strcmp(ag_word(p, before), "to") != 0)
            return true;
    }
    return false;
}

/* "during the outage": an incident is a time nobody named, unless a summary of a time is asked for. */
static bool incident_used_as_time(const struct decision *d)
{
    bool summary =
        d->intent->group_count == 1 && d->intent->groups[0].field == AG_LEVEL && d->p->time_count > 0;

    for (size_t i = 0; i < d->p->tokens->count; i++) {
        const char *value = ag_reads_value(d->p, i, AG_C_SUMMARY);
        const char *rule = d->p->tokens->items[i].rule;
        if (!value || strcmp(value, "incident") != 0 || !rule || strcmp(rule, "summary") != 0)
            continue;
        if (summary)
            continue;
        if (is_beside_a_time(d->p, i) || (d->p->time_count == 0 && d->intent->group_count == 0))
            return true;
    }
    return false;
}

/* A metadata key was taken before its use was known. */
static const struct ag_target *unused_key(const struct decision *d)
{
    for (size_t k = 0; k < d->p->target_count; k++) {
        if (d->p->targets[k].field == AG_METADATA && !d->p->targets[k].grouped)
            return &d->p->targets[k];
    }
    return NULL;
}

static void leave_unused(struct decision *d)
{
    const struct ag_target *key = unused_key(d);

    if (key) {
        ag_stop(
            d->p, AG_NOT_UNDERSTOOD,
            d->p->language == AG_KO
                ? ag_sayf(d->p, "\"%s\"을(를) 어떻게 써야 할지 알 수 없습니다.", ag_word(d->p, key->to - 1))
                : ag_sayf(d->p, "It is not clear what \"%s\" asks for here.", ag_word(d->p, key->to - 1)),
            ag_say(d->p, "예: \"리전별 에러\", \"tenant_id가 t-01인 에러\"",
                   "For example \"errors by region\" or \"errors with tenant_id t-01\"."));
        return;
    }
    if (incident_used_as_time(d)) {
        ag_stop(d->p, AG_NEEDS_CLARIFICATION,
                ag_say(d->p, "언제의 장애인지 알 수 없습니다.", "It is not said when that incident was."),
                ag_say(d->p, "시간을 적어 주세요. 예: \"오늘 10시부터 11시까지 에러\"",
                       "Name the time, for example \"errors between 10:00 and 11:00\"."));
        return;
    }
    for (size_t i = 0; i < sizeof strong / sizeof *strong; i++) {
        size_t at = d->p->said[strong[i]];
        if (at == 0 || d->used[strong[i]])
            continue;
        /* Left for the stage of windows. */
        if (strong[i] == AG_C_COMPARE || strong[i] == AG_C_BEFORE_AFTER || strong[i] == AG_C_SAME_TIME ||
            strong[i] == AG_C_SHIFT || strong[i] == AG_C_EVENT_ANCHOR || strong[i] == AG_C_HISTORY)
            continue;
        if ((strong[i] == AG_C_TOP ||
             (d->intent->measure.fn == AG_LIST && (strong[i] == AG_C_NEWEST || strong[i] == AG_C_OLDEST))) &&
            d->p->found.limit > 0)
            continue;
        ag_stop(d->p, AG_NOT_UNDERSTOOD,
                d->p->language == AG_KO
                    ? ag_sayf(d->p, "\"%s\"을(를) 어떻게 써야 할지 알 수 없습니다.", ag_word(d->p, at - 1))
                    : ag_sayf(d->p, "It is not clear what \"%s\" asks for here.", ag_word(d->p, at - 1)),
                NULL);
        return;
    }
}

/* "errors and requests", 에러와 요청: two things, not what is both. */
static bool lists_requests(const struct ag_parse *p)
{
    size_t at = p->said[AG_C_REQUEST] - 1;

    /* "latency, ordered by traffic", 요청 많은 순 */
    if (p->intent->measure.field == AG_DURATION &&
        ((at > 0 && ag_reads(p, at - 1, AG_C_ORDER)) ||
         (ag_is_korean(p, at) && ag_reads(p, ag_after(p, at), AG_C_MOST))))
        return true;
    for (size_t k = 0; k < p->mention_count; k++) {
        const struct ag_mention *m = &p->mentions[k];
        if ((m->field == AG_LEVEL || m->field == AG_STATUS_CLASS || m->field == AG_HTTP_STATUS) &&
            !m->negated &&
            ((m->to + 1 == at && ag_joins_list(p, m->to)) || (at + 2 == m->from && ag_joins_list(p, at + 1))))
            return true;
    }
    return false;
}

/* "outside working hours" is at other hours or on other days: not both conditions turned around. */
static bool denies_work_hours(const struct ag_parse *p)
{
    bool days = false;
    bool hours = false;

    for (size_t k = 0; k < p->mention_count; k++) {
        days = days || (p->mentions[k].negated && p->mentions[k].field == AG_DAY_OF_WEEK);
        hours = hours || (p->mentions[k].negated && p->mentions[k].field == AG_HOUR_OF_DAY);
    }
    return days && hours;
}

/* "production error rate minus staging error rate" takes one number from another. */
static bool subtracts(const struct ag_parse *p)
{
    for (size_t i = 0; p->negation_dropped && i < p->tokens->count; i++) {
        if (strcmp(ag_word(p, i), "minus") == 0)
            return true;
    }
    return false;
}

/* Conditions on everything a user or host did are not conditions on single records. */
static void check_negations(struct ag_parse *p, bool broken_down)
{
    bool several = p->intent->measure.fn == AG_DISTINCT || p->intent->group_count > 0;
    bool whole = p->negated_whole || (p->left_out && !broken_down);

    if (subtracts(p))
        ag_stop(p, AG_NOT_UNDERSTOOD, "One number cannot be taken from another yet.",
                "For example \"error rate of production and staging, each\".");
    if (denies_work_hours(p))
        ag_stop(p, AG_NOT_UNDERSTOOD,
                ag_say(p, "업무 시간이 아닌 때는 아직 다루지 않습니다.",
                       "Times outside working hours are not supported yet."),
                ag_say(p, "예: \"지난주 주말들 에러\", \"지난주 시간대별 에러\"",
                       "For example \"errors on weekends last month\"."));
    if ((several && whole && p->intent->shape != AG_WITHOUT) ||
        ((p->intent->measure.fn == AG_DISTINCT || p->intent->measure.fn == AG_NAMES ||
          (p->intent->group_count > 0 && !broken_down)) &&
         p->negation_dropped))
        ag_stop(p, AG_NOT_UNDERSTOOD,
                ag_say(p, "무엇이 없었던 것을 찾는 질문은 아직 답하지 못합니다.",
                       "Who had none of something cannot be asked yet."),
                NULL);
}

/* "responses other than 404": of the records that have a status. */
static void only_responses(struct decision *d)
{
    bool negative = false;

    for (size_t i = 0; i < d->intent->filter_count; i++) {
        const struct ag_filter *f = &d->intent->filters[i];
        if (f->field != AG_HTTP_STATUS && f->field != AG_STATUS_CLASS)
            continue;
        if (f->op != AG_NOT_IN)
            return;
        negative = true;
    }
    for (size_t i = 0; negative && i < d->p->tokens->count; i++) {
        if (!ag_reads(d->p, i, AG_C_RESPONSE))
            continue;
        ag_filter_add(d->p, AG_HTTP_STATUS, NULL, AG_NOT_NULL, NULL);
        return;
    }
}

/* 가장 느린 요청 5개 어느 서비스야, "top 3 slowest calls by service": so many of the requests, and no more of
 * the groups. */
static bool counts_slow_requests(const struct ag_parse *p)
{
    for (size_t i = 1; p->found.limit > 0 && p->intent->measure.field == AG_DURATION &&
                       p->intent->group_count > 0 && i + 1 < p->tokens->count;
         i++) {
        const char *rule = p->tokens->items[i].rule;
        if (!rule || strcmp(rule, "limit") != 0 || !ag_reads(p, i, AG_C_NUMBER))
            continue;
        if (ag_is_korean(p, i - 1) ? ag_reads(p, i - 1, AG_C_REQUEST)
                                   : ag_reads(p, i + 1, AG_C_REQUEST) || (ag_reads(p, i + 1, AG_C_SLOWEST) &&
                                                                          ag_reads(p, i + 2, AG_C_REQUEST)))
            return true;
    }
    return false;
}

/* "p95 error rate", "top 5 error rate": a number said of what is measured that this measure has no use for.
 */
static void check_numbers(struct ag_parse *p)
{
    const struct ag_intent *in = p->intent;
    bool rows = in->measure.fn == AG_LIST || in->measure.fn == AG_NAMES;

    if (p->found.p_count > 0 && !ag_intent_measures(in, AG_PERCENTILE))
        ag_stop(p, AG_NOT_UNDERSTOOD,
                ag_say(p, "백분위수는 소요 시간에만 구할 수 있습니다.", "Percentiles are of durations only."),
                ag_say(p, "예: \"p95 응답시간\"", "For example \"p95 latency\"."));
    if (counts_slow_requests(p))
        ag_stop(p, AG_NOT_UNDERSTOOD,
                ag_say(p, "가장 느린 요청인지, 요청이 가장 느린 것인지 분명하지 않습니다.",
                       "It is not clear whether the slowest requests are wanted or what has them."),
                ag_say(p, "예: \"오늘 가장 느린 요청 5개\", \"가장 느린 서비스 5개\"",
                       "For example \"slowest 5 requests today\" or \"slowest 5 services\"."));
    if (p->found.limit > 0 && !rows && in->group_count == 0 &&
        (in->shape == AG_PLAIN || in->shape == AG_SERIES))
        ag_stop(
            p, AG_NOT_UNDERSTOOD,
            ag_say(p, "무엇의 상위 몇 개인지 알 수 없습니다.",
                   "It is not said of what so many are asked for."),
            ag_say(p, "예: \"에러가 많은 서비스 상위 5개\"", "For example \"top 5 services by errors\"."));
}

/* 트래픽 몰린 시간대, "when was traffic highest": how busy it was, by all that was recorded. */
static bool is_traffic_by_time(const struct decision *d)
{
    const char *word = ag_word(d->p, d->p->said[AG_C_REQUEST] - 1);

    if (d->intent->shape != AG_BUSIEST || (strcmp(word, "traffic") != 0 && strcmp(word, "트래픽") != 0))
        return false;
    ag_assume(d->p, "traffic_is_records", "트래픽은 모든 기록의 수로 보았습니다.",
              "Traffic is taken to be the number of all records.");
    return true;
}

/* "what was web-03 logging": its records. */
static void was_logging(struct ag_parse *p)
{
    static const char *const asking[] = {"what was", "what were", "what is", "what are"};
    static const char *const being[] = {"was", "were", "is", "are"};
    bool asks = ag_says(p, 0, asking, sizeof asking / sizeof *asking) ||
                (strcmp(ag_word(p, 0), "what") == 0 && ag_says(p, 1, being, sizeof being / sizeof *being));

    for (size_t k = 0; asks && k < p->mention_count; k++) {
        size_t at = p->mentions[k].to;
        if (p->mentions[k].negated || strcmp(ag_word(p, at), "logging") != 0 || p->tokens->items[at].rule)
            continue;
        ag_consume(p->tokens, at, at + 1, ag_concept_name(AG_C_LOG));
        p->said[AG_C_LOG] = at + 1;
    }
}

static void take_flags(struct ag_parse *p)
{
    was_logging(p);
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
    bool broken_down; /* by a field said with by, not one found to be what is asked for */
    bool decided;
    bool several;
    size_t grouped_at_first;

    ag_longest_average(p);
    take_flags(p);
    ag_share_parts(p);
    several = p->several = ag_several_rule(&d);
    ag_filters_from_mentions(p);
    for (size_t k = 0; k < p->target_count; k++) {
        if (p->targets[k].grouped)
            ag_group_by(&d, &p->targets[k]);
    }
    grouped_at_first = p->intent->group_count;
    broken_down = grouped_at_first > 0;
    ag_counted_rule(&d);
    login_tries(&d);
    failures(&d);
    failures_of_a_service(&d);
    if (p->than_name)
        ag_exceeds_groups(&d);
    else if (!several)
        ag_changed_rule(&d);
    decided = several || ag_different_rule(&d) || ag_share_rule(&d) || ag_without_rule(&d) ||
              ag_stopped_rule(&d) || ag_new_rule(&d) || ag_spike_rule(&d);
    if (!decided) {
        bool busiest = ag_busiest_rule(&d);
        decided = ag_rate_rule(&d) || ag_key_rule(&d) || ag_duration_rule(&d) || ag_slow_rule(&d) ||
                  ag_distinct_rule(&d) || (!busiest && (ag_seen_rule(&d) || ag_list_names_rule(&d)));
        if (decided && p->intent->measure.fn != AG_LIST && p->intent->measure.fn != AG_NAMES)
            ag_rank_rule(&d);
        if (!decided && busiest) {
            ag_set_measure(&d, AG_COUNT, AG_NO_FIELD);
            decided = true;
        }
    }
    if (p->stopped)
        return;
    if (!decided) {
        ag_messages_rule(&d);
        if (!ag_heard(&d, AG_C_WHY))
            ag_rank_rule(&d);
        ag_left_target_rule(&d);
        ag_plain_rule(&d);
    } else if (p->intent->shape == AG_PLAIN) {
        ag_left_target_rule(&d);
    }
    ag_what_they_were(&d);
    if (ag_heard(&d, AG_C_REQUEST) && p->intent->measure.fn != AG_FAILURE_RATE &&
        p->intent->measure.fn != AG_ERROR_RATE) {
        if (lists_requests(p))
            ag_stop(p, AG_NOT_UNDERSTOOD,
                    ag_say(p, "두 가지를 한꺼번에 셀 수 없습니다.", "Ask for one of the two at a time."),
                    NULL);
        if (!is_traffic_by_time(&d))
            ag_add_requests(&d);
    }
    only_responses(&d);
    ag_affected_rule(&d);
    ag_only_rule(p, broken_down);
    check_negations(p, broken_down);
    ag_length_rule(&d);
    ag_series_rule(&d);
    ag_each_rule(&d);
    ag_threshold_rule(&d);
    if (p->intent->group_count > 0)
        ag_take(p, AG_C_BY_AFTER);
    if ((p->found.limit_newest || p->found.limit_oldest) && p->intent->group_count > 0)
        ag_stop(p, AG_NOT_UNDERSTOOD,
                ag_say(p, "마지막 몇 건만 세거나 나눌 수는 없습니다.",
                       "The last few records alone cannot be broken down."),
                NULL);
    check_numbers(p);
    if (p->than_a_time && p->intent->group_count > 0 && !p->intent->rank)
        ag_stop(p, AG_NOT_UNDERSTOOD,
                ag_say(p, "그때보다 많은 것만 고를 수는 없습니다.",
                       "Only those that had more than at that time cannot be picked out."),
                ag_say(p, "예: \"서비스별 에러 어제와 비교\"",
                       "For example \"errors by service today vs yesterday\"."));
    /* "the busiest endpoint by latency" */
    if ((ag_heard(&d, AG_C_BUSIEST) || ag_heard(&d, AG_C_QUIETEST)) && p->intent->measure.fn != AG_COUNT &&
        p->intent->measure.fn != AG_RATE && !p->stopped) {
        d.used[AG_C_BUSIEST] = d.used[AG_C_QUIETEST] = false;
    }
    if (p->found.limit > 0)
        p->intent->limit = p->found.limit;
    if (p->found.limit > 0 && p->intent->group_count > 0 && p->intent->order == AG_ORDER_DEFAULT) {
        p->intent->order = AG_MOST;
        p->intent->rank = true;
    }
    if (p->intent->measure.fn == AG_LIST && p->intent->order == AG_ORDER_DEFAULT)
        ag_list_order(&d);
    if (p->intent->group_count > 0)
        ag_use(&d, AG_C_DISTRIBUTION);
    ag_of_each_rule(&d, grouped_at_first);
    ag_of_each_bucket_rule(&d, grouped_at_first);
    ag_steps_rule(p);
    if (!p->stopped)
        leave_unused(&d);
}
