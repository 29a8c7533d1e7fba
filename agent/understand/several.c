/*
 * Several measures of the same records in one question: 요청 수와 에러율, "errors and p95 by service", 유저
 * 몇 명이고 에러는 몇 건. What is listed side by side is measured; an error listed so is no condition on the
 * rest.
 */
#include "agent/understand/decision.h"

#include <string.h>

enum head { NONE, ERRORS, RECORDS, REQUESTS, RATE, DURATIONS };

struct listed {
    bool said[DURATIONS + 1];
    size_t count;
    size_t from, to; /* tokens of the list */
};

static bool counts(const struct ag_parse *p, size_t i)
{
    return ag_reads(p, i, AG_C_COUNT) && !ag_reads(p, i, AG_C_FIELD);
}

static bool is_statistic(const struct ag_parse *p, size_t i)
{
    const char *rule = i < p->tokens->count ? p->tokens->items[i].rule : NULL;

    return ag_reads(p, i, AG_C_DURATION) || ag_reads(p, i, AG_C_AVERAGE) || ag_reads(p, i, AG_C_MAXIMUM) ||
           ag_reads(p, i, AG_C_MINIMUM) || (rule && strcmp(rule, "percentile") == 0);
}

/* The measure named at token `i`, and where it ends. */
static enum head head_at(const struct ag_parse *p, size_t i, size_t *end)
{
    bool counted = counts(p, i) && !ag_is_korean(p, i);
    size_t at = counted ? i + 1 : i;
    enum head head = NONE;

    if (ag_reads(p, at, AG_C_RATE)) {
        *end = at + 1;
        return counted ? NONE : RATE;
    }
    if (ag_reads(p, at, AG_C_ERROR) && !ag_reads(p, at, AG_C_FIELD))
        head = ERRORS;
    else if (ag_reads(p, at, AG_C_REQUEST))
        head = REQUESTS;
    else if (ag_reads(p, at, AG_C_LOG))
        head = RECORDS;
    if (head != NONE) {
        *end = at + 1;
        while (*end < p->tokens->count && counts(p, *end))
            (*end)++;
        /* 로그 and 요청 are measures only with their number; "errors" are one listed. */
        return head != ERRORS && *end == at + 1 && !counted && ag_is_korean(p, at) ? NONE : head;
    }
    if (counts(p, i)) {
        *end = i + 1;
        return RECORDS;
    }
    if (!is_statistic(p, i))
        return NONE;
    for (*end = i + 1; *end < p->tokens->count && is_statistic(p, *end); (*end)++) {}
    return DURATIONS;
}

/* The measures listed from token `i` on. */
static void list_from(const struct ag_parse *p, size_t i, struct listed *out)
{
    size_t end;
    enum head head = head_at(p, i, &end);

    *out = (struct listed){.from = i};
    while (head != NONE) {
        size_t next = end;
        bool joined = false;
        out->count += !out->said[head];
        out->said[head] = true;
        out->to = end;
        while (next < p->tokens->count &&
               (ag_joins_list(p, next) || ag_reads(p, next, AG_C_AND) || ag_reads(p, next, AG_C_COMMA) ||
                ag_reads(p, next, AG_C_PARTICLE) || strcmp(ag_word(p, next), "the") == 0 ||
                strcmp(ag_word(p, next), "고") == 0 || strcmp(ag_word(p, next), "이고") == 0)) {
            const char *w = ag_word(p, next);
            joined = joined || ag_reads(p, next, AG_C_AND) || ag_reads(p, next, AG_C_COMMA) ||
                     strcmp(w, "와") == 0 || strcmp(w, "과") == 0 || strcmp(w, "랑") == 0 ||
                     strcmp(w, "이랑") == 0 || strcmp(w, "하고") == 0 || strcmp(w, "고") == 0 ||
                     strcmp(w, "이고") == 0;
            next++;
        }
        head = joined ? head_at(p, next, &end) : NONE;
    }
}

static void drop_errors(struct ag_parse *p, size_t from, size_t to)
{
    size_t kept = 0;

    for (size_t k = 0; k < p->mention_count; k++) {
        if (p->mentions[k].from >= from && p->mentions[k].to <= to && p->mentions[k].field == AG_LEVEL)
            continue;
        p->mentions[kept++] = p->mentions[k];
    }
    p->mention_count = kept;
}

static void use_statistics(struct decision *d)
{
    ag_use(d, AG_C_DURATION);
    ag_use(d, AG_C_AVERAGE);
    ag_use(d, AG_C_MAXIMUM);
    ag_use(d, AG_C_MINIMUM);
}

static void add_measure(struct decision *d, enum ag_measure_fn fn)
{
    struct ag_intent *in = d->intent;

    if (in->measure.fn == AG_COUNT && in->measure.field == AG_NO_FIELD)
        ag_set_measure(d, fn, fn == AG_COUNT || fn == AG_ERROR_RATE ? AG_NO_FIELD : AG_DURATION);
    else if (!ag_intent_measures(in, fn) && in->measure.also_count < AG_MAX_ALSO)
        in->measure.also[in->measure.also_count++] = fn;
}

/* The durations listed, as measures. */
static void take_durations(struct decision *d, const struct listed *list)
{
    struct ag_intent *in = d->intent;
    const struct ag_parse *p = d->p;
    bool any = false;

    for (size_t i = list->from; i < list->to; i++) {
        enum ag_measure_fn fn = ag_reads(p, i, AG_C_AVERAGE)   ? AG_AVG
                                : ag_reads(p, i, AG_C_MAXIMUM) ? AG_MAX
                                : ag_reads(p, i, AG_C_MINIMUM) ? AG_MIN
                                                               : AG_PERCENTILE;
        if (!is_statistic(p, i) || ag_reads(p, i, AG_C_DURATION))
            continue;
        add_measure(d, fn);
        any = true;
    }
    if (!any)
        add_measure(d, AG_PERCENTILE);
    if (ag_intent_measures(in, AG_PERCENTILE)) {
        in->measure.p_count = p->found.p_count ? p->found.p_count : 1;
        in->measure.p[0] = 0.95;
        if (p->found.p_count)
            memcpy(in->measure.p, p->found.p, sizeof in->measure.p);
    }
    use_statistics(d);
}

/* 유저 몇 명이고 에러는 몇 건: how many people, and how many records. */
static bool people_and_records(struct decision *d)
{
    struct ag_parse *p = d->p;
    bool records = false;

    if (!ag_heard(d, AG_C_COUNT_PEOPLE))
        return false;
    for (size_t i = 0; i < p->tokens->count; i++) {
        const char *word = ag_word(p, i);
        bool counted = strcmp(word, "몇 건") == 0 || strcmp(word, "건수") == 0 || strcmp(word, "몇건") == 0;
        bool listed = ag_reads(p, i, AG_C_COUNT) && !ag_is_korean(p, i) &&
                      !ag_reads(p, i, AG_C_COUNT_PEOPLE) &&
                      (ag_reads(p, i + 1, AG_C_ERROR) || ag_reads(p, i + 1, AG_C_LOG) ||
                       ag_reads(p, i + 1, AG_C_LEVEL));
        records = records || counted || listed;
    }
    if (!records)
        return false;
    if (p->target_count > 0 && p->targets[0].field == AG_USER_ID && !p->targets[0].grouped) {
        ag_consume(p->tokens, p->targets[0].from, p->targets[0].to, "distinct");
        memmove(&p->targets[0], &p->targets[1], --p->target_count * sizeof *p->targets);
    }
    ag_use(d, AG_C_COUNT_PEOPLE);
    ag_use(d, AG_C_DISTINCT);
    ag_set_measure(d, AG_DISTINCT, AG_USER_ID);
    d->intent->measure.also[d->intent->measure.also_count++] = AG_COUNT;
    return true;
}

static bool is_ranked(const struct decision *d)
{
    return ag_heard(d, AG_C_MOST) || ag_heard(d, AG_C_HIGHEST) || ag_heard(d, AG_C_FEWEST) ||
           ag_heard(d, AG_C_LOWEST) || ag_heard(d, AG_C_TOP) || ag_heard(d, AG_C_BOTTOM) ||
           ag_heard(d, AG_C_SLOWEST) || ag_heard(d, AG_C_ORDER) || d->p->found.threshold.set ||
           d->p->found.limit > 0;
}

bool ag_several_rule(struct decision *d)
{
    struct ag_parse *p = d->p;
    struct listed list;
    size_t i;

    for (i = 0; i < p->tokens->count; i++) {
        list_from(p, i, &list);
        if (list.count > 1)
            break;
    }
    if (i == p->tokens->count)
        return people_and_records(d);
    if (!list.said[RATE] && !list.said[DURATIONS])
        return false; /* errors and requests: told apart nowhere */
    if (list.said[REQUESTS] && list.said[ERRORS] && list.said[DURATIONS]) {
        ag_stop(p, AG_NOT_UNDERSTOOD,
                ag_say(p, "두 가지를 한꺼번에 셀 수 없습니다.", "Ask for one of the two at a time."), NULL);
        return true;
    }
    if (is_ranked(d) || ag_heard(d, AG_C_COUNT_PEOPLE)) {
        ag_stop(p, AG_NOT_UNDERSTOOD,
                ag_say(p, "여러 가지를 함께 물으면 무엇의 순서나 기준인지 알 수 없습니다.",
                       "With several measures it is not clear which of them is ranked."),
                ag_say(p, "예: \"서비스별 에러 수와 p95\"", "For example \"errors and p95 by service\"."));
        return true;
    }
    if (list.said[ERRORS])
        drop_errors(p, list.from, list.to);
    if (list.said[DURATIONS])
        take_durations(d, &list);
    if (list.said[RATE] || list.said[ERRORS])
        add_measure(d, AG_ERROR_RATE);
    if (list.said[RECORDS] || list.said[REQUESTS])
        add_measure(d, AG_COUNT);
    if (d->intent->measure.fn == AG_ERROR_RATE)
        d->intent->measure.also_count = 0; /* it comes with the counts it is of */
    ag_use(d, AG_C_RATE);
    if (list.said[REQUESTS])
        p->said[AG_C_RESPONSE] = 0;
    if (list.said[REQUESTS])
        ag_add_requests(d);
    ag_assume(p, "several_measures", "여러 값을 한 번에 구했습니다. 에러 수는 errors, 건수는 count 열입니다.",
              "Several measures at once: errors are the column errors, records the column count.");
    return true;
}
