/*
 * Numbers that a condition names, found by numbers.c: of single records (requests slower than 500 ms) or of
 * groups (services with more than 10 errors), and of what is measured or of something else, which is held
 * back.
 */
#include "agent/understand/decision.h"
#include "agent/understand/window.h"

#include <string.h>

void ag_length_rule(struct decision *d)
{
    const struct ag_found *found = &d->p->found;
    struct ag_intent *intent = d->intent;

    if (!found->length_set)
        return;
    if (intent->measure.field == AG_DURATION && intent->group_count > 0 && !found->threshold.set) {
        intent->threshold =
            (struct ag_threshold){.set = true, .op = found->length_op, .value = found->length_ms};
        return;
    }
    ag_filter_add(d->p, AG_DURATION, NULL, found->length_op, ag_sayf(d->p, "%.15g", found->length_ms));
}

static bool is_ratio(const struct ag_intent *intent)
{
    return intent->measure.fn == AG_ERROR_RATE || intent->measure.fn == AG_FAILURE_RATE ||
           intent->measure.fn == AG_SHARE;
}

/* 개, 곳, 명: of whatever is no record. */
static bool counts_things(const struct ag_parse *p, size_t i)
{
    static const char *const counters[] = {"개", "곳", "대", "명", "군데", "가지", "종류"};

    return ag_says(p, i, counters, sizeof counters / sizeof *counters);
}

/* Does the number stand behind what is counted in records: 에러 10개 이상의 서비스? */
static bool is_behind_records(const struct ag_parse *p, size_t at)
{
    static const enum ag_concept records[] = {AG_C_ERROR, AG_C_LEVEL, AG_C_REQUEST,
                                              AG_C_LOG,   AG_C_COUNT, AG_C_STATUS_CLASS};
    size_t before = at > 0 ? ag_before(p, at) : SIZE_MAX;

    for (size_t k = 0; before != SIZE_MAX && k < sizeof records / sizeof *records; k++) {
        if (ag_reads(p, before, records[k]))
            return true;
    }
    return false;
}

/* 3개 이상의 호스트에서 난 에러: of hosts, not of what is counted; 에러가 10개 이상의 서비스 is of errors. */
static bool counts_what_follows(const struct ag_parse *p, size_t at)
{
    size_t next = at + 1;
    const char *word;

    if (is_behind_records(p, at) || !counts_things(p, next))
        return false;
    while (ag_reads(p, next, AG_C_COUNTER) || ag_reads(p, next, AG_C_PARTICLE))
        next++;
    word = ag_word(p, next);
    if (strlen(word) < 3 || strcmp(word + strlen(word) - 3, "의") != 0)
        next++;
    return (strcmp(ag_word(p, next), "의") == 0 || ag_reads(p, next, AG_C_AT_LEAST) ||
            ag_reads(p, next, AG_C_AT_MOST) || ag_reads(p, next, AG_C_BELOW)) &&
           ag_reads(p, next + 1, AG_C_FIELD);
}

/* 에러 10건 넘는 서비스별 에러 타입: of each service, or of each type in it? */
static bool stands_before_groups(const struct decision *d)
{
    for (size_t k = 0; d->intent->group_count > 1 && k < d->p->target_count; k++) {
        if (d->p->targets[k].from >= d->p->found.threshold_at)
            return true;
    }
    return false;
}

/* 3번, 3건, "more than 3 times", "more than 3 errors" */
static bool counts_records(const struct ag_parse *p, size_t unit)
{
    static const char *const counters[] = {"건", "번", "회", "times"};

    return ag_says(p, unit, counters, sizeof counters / sizeof *counters) ||
           ((ag_reads(p, unit, AG_C_ERROR) || ag_reads(p, unit, AG_C_LEVEL) ||
             ag_reads(p, unit, AG_C_REQUEST) || ag_reads(p, unit, AG_C_LOG)) &&
            !ag_reads(p, unit, AG_C_FIELD));
}

/* "errors by endpoint with more than 100 requests", 에러 10명 이상인: a number of something else. */
static bool counts_another_thing(const struct decision *d)
{
    const struct ag_parse *p = d->p;
    size_t at = p->found.threshold_at - 1;
    size_t next = at + 1;
    bool level = ag_has_field(d->intent, AG_LEVEL);

    if (counts_what_follows(p, at) || stands_before_groups(d))
        return true;
    if (strcmp(ag_word(p, next), "명") == 0)
        return d->intent->measure.fn != AG_DISTINCT;
    /* 서비스별로 에러 3번 이상 난 사용자 수 is no number of users over three */
    if (d->intent->measure.fn == AG_DISTINCT && counts_records(p, next))
        return true;
    /* 두 개 이상의 서비스에서 에러 겪은 사용자 */
    if (d->intent->group_count > 1 && ag_reads(p, next, AG_C_COUNTER) &&
        ag_reads(p, next + 1, AG_C_AT_LEAST) && ag_reads(p, ag_after(p, next + 1), AG_C_FIELD))
        return true;
    if (ag_reads(p, next, AG_C_COUNTER) && (d->intent->measure.field == AG_DURATION || is_ratio(d->intent)))
        return true; /* 응답시간 50건 이상, 실패율 10건 이상 */
    while (next < p->tokens->count && ag_reads(p, next, AG_C_PREPOSITION))
        next++;
    if (ag_is_korean(p, next))
        return false;
    if (ag_reads(p, next, AG_C_REQUEST) || ag_reads(p, next, AG_C_RESPONSE))
        return level || d->intent->measure.fn != AG_COUNT;
    return ag_reads(p, next, AG_C_FIELD) && !ag_reads(p, next, AG_C_ERROR) &&
           d->intent->measure.fn != AG_DISTINCT;
}

/* The tokens of the threshold, [*from, *to). */
static void threshold_words(const struct ag_parse *p, size_t *from, size_t *to)
{
    *from = p->found.threshold_at - 1;
    *to = *from + 1;
    while (*from > 0 && p->tokens->items[*from - 1].rule &&
           strcmp(p->tokens->items[*from - 1].rule, "threshold") == 0)
        (*from)--;
    while (*to < p->tokens->count && p->tokens->items[*to].rule &&
           strcmp(p->tokens->items[*to].rule, "threshold") == 0)
        (*to)++;
}

/* 3개 이상인, 10개 넘는: what follows has that many of what stands before. */
static bool describes_what_follows(const struct ag_parse *p, size_t last)
{
    static const char *const endings[] = {"인", "는", "은", "한"};
    const char *word = ag_word(p, last);
    size_t len = strlen(word);

    for (size_t k = 0; k < sizeof endings / sizeof *endings; k++) {
        size_t n = strlen(endings[k]);
        if (len >= n && strcmp(word + len - n, endings[k]) == 0)
            return true;
    }
    return false;
}

/* "more than 2 services", 두 개 이상의 서비스, 사용자 5명 이상: does the number count different ones of this
 * field? */
static bool is_numbered(const struct ag_parse *p, const struct ag_target *target)
{
    size_t from;
    size_t to;
    size_t before;

    threshold_words(p, &from, &to);
    before = from > 0 ? ag_before(p, from) : SIZE_MAX;
    if (before != SIZE_MAX && before >= target->from && before < target->to)
        return p->language == AG_KO;
    if (p->language == AG_KO && (is_behind_records(p, from) || describes_what_follows(p, to - 1)))
        return false;
    while (ag_reads(p, to, AG_C_PARTICLE) || ag_reads(p, to, AG_C_DISTINCT))
        to++;
    return to == target->from;
}

/* Does something else than a count of different ones want the number? */
static bool measures_otherwise(const struct decision *d)
{
    static const enum ag_concept others[] = {AG_C_RATE,    AG_C_FAIL_RATE, AG_C_OK_RATE,
                                             AG_C_PERCENT, AG_C_DURATION,  AG_C_AVERAGE,
                                             AG_C_MOST,    AG_C_FEWEST,    AG_C_TOP};

    for (size_t k = 0; k < sizeof others / sizeof *others; k++) {
        if (ag_heard(d, others[k]))
            return true;
    }
    return d->p->found.p_count > 0 || d->p->found.length_set || d->p->found.threshold_percent;
}

static bool may_differ(enum ag_field field)
{
    return field != AG_METADATA && field != AG_MESSAGE && field != AG_DURATION && field != AG_TAG &&
           field != AG_PATTERN;
}

bool ag_different_rule(struct decision *d)
{
    struct ag_parse *p = d->p;
    struct ag_target users = {.field = AG_USER_ID};
    struct ag_target *of = NULL;
    struct ag_target *head = ag_heard(d, AG_C_COUNT_PEOPLE) ? &users : NULL;
    bool number = head != NULL;

    if (!p->found.threshold.set || p->target_count + number != 2 || d->intent->group_count > 0 ||
        (ag_reads(p, p->found.threshold_at, AG_C_COUNTER) && !counts_things(p, p->found.threshold_at)) ||
        measures_otherwise(d))
        return false;
    for (size_t k = 0; k < p->target_count; k++)
        *(is_numbered(p, &p->targets[k]) ? &of : &head) = &p->targets[k];
    if (!of || !head || of->field == head->field || !may_differ(of->field) || of->grouped || head->grouped)
        return false;
    if (head != &users && (p->language == AG_KO ? head->from < of->from : head->from > of->from))
        return false;
    number = number || ag_counts_target(d, head);
    if (ag_heard(d, AG_C_COUNT) && !number)
        return false;
    p->counted = number;
    p->said[AG_C_COUNT] = p->said[AG_C_COUNT_PEOPLE] = 0;
    ag_use(d, AG_C_DISTINCT);
    ag_consume(p->tokens, of->from, of->to, "distinct");
    of->grouped = true;
    if (head == &users)
        ag_group_by_field(d, AG_USER_ID);
    else
        ag_group_by(d, head);
    ag_set_measure(d, AG_DISTINCT, of->field);
    d->intent->rank = true;
    d->different = true;
    return true;
}

void ag_threshold_rule(struct decision *d)
{
    struct ag_intent *intent = d->intent;

    if (!d->p->found.threshold.set)
        return;
    /* 에러율이 5% 넘은 시간대, "hours with more than 100 errors" */
    if (intent->group_count == 0 && intent->shape == AG_PLAIN && ag_take(d->p, AG_C_TIME_SLOT)) {
        intent->shape = AG_SERIES;
        intent->bucket_us = ag_unit_us(ag_heard_value(d, AG_C_TIME_SLOT)[0]);
    }
    /* 에러 하나라도 있어, "at least one error": whether there is any. */
    if (intent->group_count == 0 && intent->shape == AG_PLAIN && d->p->found.threshold.op == AG_AT_LEAST &&
        d->p->found.threshold.value == 1 && (intent->measure.fn == AG_LIST || intent->measure.fn == AG_COUNT))
        return;
    if (intent->group_count == 0 && intent->shape != AG_SERIES) {
        ag_stop(d->p, AG_NOT_UNDERSTOOD,
                ag_say(d->p, "무엇별로 세어 비교할지 알 수 없습니다.",
                       "It is not said what the number is to be counted by."),
                ag_say(d->p, "예: \"에러 10건 이상인 서비스\"",
                       "For example \"services with more than 10 errors\"."));
        return;
    }
    if (!d->different && counts_another_thing(d)) {
        ag_stop(d->p, AG_NOT_UNDERSTOOD,
                ag_say(d->p, "세는 것과 조건의 수가 서로 다른 것입니다.",
                       "The number is of something else than what is counted."),
                NULL);
        return;
    }
    if (is_ratio(intent) && !d->p->found.threshold_percent && d->p->found.threshold.value > 1) {
        ag_stop(d->p, AG_NOT_UNDERSTOOD,
                ag_say(d->p, "비율은 퍼센트로 견줄 수 있습니다.", "A rate is compared with a percentage."),
                ag_say(d->p, "예: \"에러율 5% 이상인 서비스\"",
                       "For example \"services with an error rate above 5%\"."));
        return;
    }
    if (d->p->found.threshold_percent && !is_ratio(intent)) {
        ag_stop(d->p, AG_NOT_UNDERSTOOD,
                ag_say(d->p, "퍼센트는 비율에만 쓸 수 있습니다.", "A percentage fits a rate only."), NULL);
        return;
    }
    if (intent->measure.fn == AG_LIST)
        ag_count_instead(d->p);
    intent->threshold = d->p->found.threshold;
}
