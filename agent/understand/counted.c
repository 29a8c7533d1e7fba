/*
 * Groups counted: "how many services had more than 10 errors", 에러율 5% 넘는 서비스 수, 에러 없는 호스트 몇
 * 개. The number is asked of the groups that a condition leaves, so the words of the number say nothing of
 * what is measured: they are taken first, the other rules decide the measure as for a list of those groups,
 * and what comes of it is held back where it cannot be counted. So is the total of such groups.
 */
#include "agent/understand/decision.h"

#include <string.h>

/* A condition on durations is one on groups where a statistic of them is asked for. */
static bool measures_durations(const struct decision *d)
{
    return d->p->found.p_count > 0 || ag_heard(d, AG_C_AVERAGE) ||
           (ag_heard(d, AG_C_DURATION) && !ag_heard(d, AG_C_REQUEST) && !ag_heard(d, AG_C_LOG));
}

/* "how many services had more errors than yesterday": with the groups the order of change is known. */
static bool counts_changed(struct decision *d)
{
    if (!ag_picks_changed(d->p))
        return false;
    d->intent->rank = true;
    return true;
}

/* 응답시간 1초 넘는 요청이 있는 엔드포인트 수: of requests that took as long, which have no statistic. */
static void lengths_of_requests(struct decision *d)
{
    if (d->p->found.length_set && !measures_durations(d))
        d->p->said[AG_C_DURATION] = 0;
}

/* 에러 10건 넘은 게 몇 개야, where one field alone can be meant. */
static bool counts_things(const struct ag_parse *p)
{
    for (size_t i = 1; i < p->tokens->count; i++) {
        size_t before = ag_before(p, i);
        if (ag_reads(p, i, AG_C_COUNT) && ag_is_korean(p, i) && before != SIZE_MAX &&
            ag_reads(p, before, AG_C_THING))
            return true;
    }
    return false;
}

/* "and which ones", 몇 개고 어디야: a list of them has their number. */
static bool asks_which_as_well(const struct decision *d)
{
    return ag_heard(d, AG_C_LIST) || ag_heard(d, AG_C_WHICH);
}

/* "how many slow endpoints": how slow nobody said. */
static bool counts_slow_ones(const struct decision *d)
{
    return ag_heard(d, AG_C_SLOW) && !d->p->found.length_set && !d->p->found.threshold.set &&
           !ag_heard(d, AG_C_COMPARE);
}

/* 에러 10건 넘는 서비스들 총 몇 건: of the records, not of the services. */
static bool counts_records(const struct ag_parse *p, const struct ag_target *target)
{
    size_t next = target ? ag_after(p, target->to - 1) : SIZE_MAX;

    while (next < p->tokens->count && (ag_reads(p, next, AG_C_TOTAL) || strcmp(ag_word(p, next), "들") == 0))
        next = ag_after(p, next);
    return next < p->tokens->count && ag_reads(p, next, AG_C_COUNT) &&
           (strstr(ag_word(p, next), "건") || strstr(ag_word(p, next), "번") ||
            strstr(ag_word(p, next), "회"));
}

/* Is the total at token `i` one of the records of groups over a threshold: 10건 넘는 서비스들의 총 에러 수,
 * "total errors of the services with more than 10"? 서비스 총 몇 개 is of the groups, and 총 10건 이상 of
 * each.
 */
static bool is_total_of_groups(const struct ag_parse *p, const struct ag_target *target, size_t i)
{
    size_t threshold = p->found.threshold_at;
    size_t next = ag_after(p, i);
    bool records =
        strstr(ag_word(p, next), "건") || strstr(ag_word(p, next), "번") || strstr(ag_word(p, next), "회");

    if (ag_is_korean(p, i))
        return i >= threshold && i >= target->to && (!ag_reads(p, next, AG_C_COUNT) || records);
    while (ag_reads(p, next, AG_C_COUNT) || ag_reads(p, next, AG_C_PREPOSITION) ||
           ag_reads(p, next, AG_C_NOISE))
        next = ag_after(p, next);
    if (i < target->from)
        return target->from < threshold && (next != target->from || strcmp(ag_word(p, i), "in total") == 0);
    return threshold > target->from && i > threshold && ag_reads(p, i - 1, AG_C_COMMA);
}

/* The sum over those groups: its words say nothing of what is measured of each. */
static void total_of_groups(struct decision *d)
{
    struct ag_parse *p = d->p;
    struct ag_target *target = ag_free_target(d);

    if (!p->found.threshold.set || !target || d->intent->group_count > 0)
        return;
    for (size_t i = 0; i < p->tokens->count; i++) {
        const char *total = ag_reads_value(p, i, AG_C_TOTAL);
        bool says = (total && *total) || ag_reads(p, i, AG_C_SUM) || strstr(ag_word(p, i), "total");
        p->summed = p->summed || (says && is_total_of_groups(p, target, i));
        /* "services with more than 10 errors, total": of them, or of the errors */
        if (says && !ag_is_korean(p, i) && p->summed && i > p->found.threshold_at &&
            !ag_reads(p, ag_after(p, i), AG_C_ERROR) && !ag_reads(p, ag_after(p, i), AG_C_LEVEL))
            ag_stop(p, AG_NEEDS_CLARIFICATION, "It is not said the total of what.",
                    "For example \"total errors of the services with more than 10 errors\".");
    }
    if (!p->summed)
        return;
    ag_group_by(d, target);
    d->intent->rank = true;
    ag_use(d, AG_C_SUM);
    p->said[AG_C_COUNT] = 0;
}

void ag_counted_rule(struct decision *d)
{
    struct ag_parse *p = d->p;
    struct ag_target *target = ag_free_target(d);
    bool held = p->found.threshold.set || (p->found.length_set && measures_durations(d));
    bool none = !held && (p->negated_whole || p->left_out);
    bool changed = !held && !none && ag_heard(d, AG_C_COMPARE);
    bool people = ag_heard(d, AG_C_COUNT_PEOPLE) && (!target || target->field == AG_USER_ID);

    total_of_groups(d);
    if (p->summed)
        return;
    /* 환경별 에러율 5% 넘는 서비스 수: a number of groups for each of others */
    if (held && d->intent->group_count > 0 && target && ag_counts_target(d, target) &&
        (p->found.threshold_percent || p->found.length_set))
        ag_stop(p, AG_NOT_UNDERSTOOD,
                ag_say(p, "나눈 것마다 몇인지는 아직 셀 수 없습니다.",
                       "How many there are for each of something cannot be counted yet."),
                ag_say(p, "예: \"운영에서 에러율 5% 넘는 서비스 몇 개?\"",
                       "For example \"how many services in production have an error rate above 5%?\""));
    if (target && ag_counts_target(d, target)) {
        lengths_of_requests(d);
        if (counts_slow_ones(d))
            ag_stop(p, AG_NEEDS_CLARIFICATION,
                    ag_say(p, "얼마보다 오래 걸리면 느린 것인지 알 수 없습니다.",
                           "It is not said how long is slow."),
                    ag_say(p, "예: \"오늘 p95가 1초 넘는 엔드포인트 몇 개?\"",
                           "For example \"how many endpoints have a p95 above 1 second today?\""));
    }
    if (held && counts_records(p, target))
        return;
    if (!(held || none || changed) || d->intent->group_count > 0 || p->target_count > 1 ||
        !(people || (target && (ag_counts_target(d, target) || (held && counts_things(p))))))
        return;
    if (!none) { /* who had none is looked for by a rule that takes the field itself */
        if (target)
            ag_group_by(d, target);
        else
            ag_group_by_field(d, AG_USER_ID);
        d->intent->rank = p->found.threshold.set;
    }
    if (changed && !counts_changed(d)) {
        d->intent->group_count = 0;
        if (target)
            target->grouped = false;
        return;
    }
    p->counted = !asks_which_as_well(d);
    ag_use(d, AG_C_COUNT_PEOPLE);
    ag_use(d, AG_C_DISTINCT);
    p->said[AG_C_COUNT] = p->said[AG_C_COUNT_PEOPLE] = 0;
}

/* "fewer than 10 errors": who had none at all is not among the records that are counted. */
static bool leaves_out_none(const struct ag_intent *in)
{
    return in->threshold.set && (in->threshold.op == AG_BELOW || in->threshold.op == AG_AT_MOST) &&
           (in->measure.fn == AG_COUNT || in->measure.fn == AG_DISTINCT) && in->filter_count > 0;
}

/* 에러 10건 이상인 서비스들의 총 요청 수: what is summed is not what the threshold is of. */
static bool sums_another_thing(const struct ag_parse *p)
{
    const struct ag_intent *in = p->intent;

    for (size_t i = 0; i < in->filter_count; i++) {
        const struct ag_filter *f = &in->filters[i];
        if (f->field == AG_LEVEL)
            return (f->value_count > 1 && !ag_is_error_filter(f)) || ag_said(p, AG_C_REQUEST) ||
                   ag_said(p, AG_C_LOG);
    }
    return ag_has_field(in, AG_STATUS_CLASS) && (ag_said(p, AG_C_REQUEST) || ag_said(p, AG_C_LOG));
}

void ag_counted_check(struct ag_parse *p)
{
    struct ag_intent *in = p->intent;

    in->summed = p->summed;
    if (p->summed && (!ag_intent_sums_groups(in) || p->target_count > 1 || sums_another_thing(p)))
        ag_stop(p, AG_NOT_UNDERSTOOD,
                ag_say(p, "기준을 넘는 것들만의 합계는 같은 것의 건수로만 구합니다.",
                       "The total of those over a threshold is told of what the threshold counts."),
                ag_say(p, "예: \"오늘 에러 10건 이상인 서비스들의 총 에러 수\"",
                       "For example \"total errors today of the services with more than 10 errors\"."));
    if (!p->counted)
        return;
    in->counted = true;
    if (leaves_out_none(in))
        ag_stop(p, AG_NOT_UNDERSTOOD,
                ag_say(p, "하나도 없는 것까지 셀 수는 없습니다.",
                       "Those that had none at all cannot be counted."),
                ag_say(p, "예: \"오늘 에러 10건 넘는 서비스 몇 개?\"",
                       "For example \"how many services had more than 10 errors today?\""));
    else if (!ag_intent_counts_groups(in))
        ag_stop(p, AG_NOT_UNDERSTOOD,
                ag_say(p, "무엇을 몇인지 세어야 하는지 알 수 없습니다.",
                       "It is not clear what is to be counted."),
                ag_say(p, "예: \"오늘 에러 10건 넘는 서비스 몇 개?\"",
                       "For example \"how many services had more than 10 errors today?\""));
}

/* "which ones?", 어디야?, 목록 보여줘 of what was counted: the groups themselves. What else was said of a
 * number may be the threshold's or the groups'. */
bool ag_name_counted(struct ag_parse *p)
{
    struct ag_intent *in = p->intent;
    bool asked = false;

    if (!in->counted)
        return false;
    if (p->found.limit > 0)
        ag_stop(p, AG_NEEDS_CLARIFICATION,
                ag_say(p, "기준을 바꿀지, 몇 개만 볼지 분명하지 않습니다.",
                       "It is not clear whether the threshold is to be changed, or so many are to be shown."),
                ag_say(p, "예: \"20건 이상은?\"", "For example \"what about more than 20?\""));
    if (p->target_count == 0) {
        asked = ag_take(p, AG_C_LIST);
        asked = ag_take(p, AG_C_WHICH) || asked;
    }
    p->said[AG_C_LIST] = 0; /* no list of records */
    if (asked)
        in->counted = false;
    return asked;
}
