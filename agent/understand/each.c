/*
 * Of each stretch of time its first: "which service had the most errors in each hour", 시간대별로 에러가 가장
 * 많은 서비스, "top 3 endpoints per day". Who comes first is picked anew in every bucket of a series; the
 * course of those that are first of all ("errors per hour for the top 3 services") is a question of two
 * steps, and held back.
 */
#include "agent/understand/decision.h"

#include <string.h>

/* Where the step of the series was said: token index + 1; 0: it was not. */
static size_t step_said(const struct ag_parse *p)
{
    return p->said[AG_C_BY_TIME]  ? p->said[AG_C_BY_TIME]
           : p->said[AG_C_BUCKET] ? p->said[AG_C_BUCKET]
                                  : p->said[AG_C_PER];
}

/* "errors per hour" is a number; "each hour" and "services per hour" are hours. */
static bool is_a_rate(const struct ag_parse *p, const struct ag_target *target)
{
    size_t at = p->said[AG_C_PER];
    const char *word = at ? ag_word(p, at - 1) : "";

    return at && at == step_said(p) && strstr(word, "each") == NULL && strstr(word, "every") == NULL &&
           strncmp(word, "매", strlen("매")) != 0 && !(target && target->to == at - 1);
}

/* Is what was ranked the question's head, and nothing that is asked about further? Korean has it last,
 * English behind no preposition. */
static bool heads(const struct ag_parse *p, const struct ag_target *target)
{
    static const enum ag_concept passed[] = {AG_C_NOISE,   AG_C_MOST,    AG_C_FEWEST,   AG_C_HIGHEST,
                                             AG_C_LOWEST,  AG_C_TOP,     AG_C_BOTTOM,   AG_C_SLOWEST,
                                             AG_C_FASTEST, AG_C_BUSIEST, AG_C_QUIETEST, AG_C_NUMBER};
    size_t i = target->from;

    if (ag_is_korean(p, i))
        return step_said(p) - 1 < i;
    while (i > 0) {
        bool pass = false;
        for (size_t k = 0; k < sizeof passed / sizeof *passed; k++)
            pass = pass || ag_reads(p, i - 1, passed[k]);
        if (!pass || strcmp(ag_word(p, i - 1), "of the") == 0)
            break;
        i--;
    }
    return i == 0 || !(ag_reads(p, i - 1, AG_C_PREPOSITION) || ag_reads(p, i - 1, AG_C_BY_BEFORE) ||
                       strcmp(ag_word(p, i - 1), "of the") == 0);
}

static const struct ag_target *ranked_target(const struct ag_parse *p)
{
    for (size_t k = 0; k < p->target_count; k++) {
        if (p->targets[k].field == p->intent->groups[0].field)
            return &p->targets[k];
    }
    return NULL;
}

void ag_of_each_bucket_rule(struct decision *d, size_t divided)
{
    struct ag_intent *in = d->intent;
    struct ag_parse *p = d->p;
    const struct ag_target *target;

    if (p->stopped || in->shape != AG_SERIES || !in->rank || in->group_count != 1 || in->each > 0 ||
        in->threshold.set)
        return;
    if (divided > 0 && in->limit == 0)
        return; /* 시간대별 서비스별 에러 많은 순 shows them all */
    target = ranked_target(p);
    if (divided > 0 || ag_said(p, AG_C_SERIES) || step_said(p) == 0 || is_a_rate(p, target) ||
        (target && !heads(p, target))) {
        ag_stop(
            p, AG_NOT_UNDERSTOOD,
            ag_say(p, "시간마다 누가 가장 많은지, 전체에서 가장 많은 것이 시간마다 어떤지 분명하지 않습니다.",
                   "It is not clear whether who had the most is asked for in each stretch of time, or how "
                   "those went that had the most of all."),
            ag_say(p, "예: \"오늘 시간대별로 에러가 가장 많은 서비스\", \"결제 서비스 시간대별 에러 추이\"",
                   "For example \"which service had the most errors in each hour today\" or \"errors by "
                   "hour for payment-service\"."));
        return;
    }
    if (in->limit == 0 && ag_asks_for_many(p, &in->groups[0]))
        return;
    in->each = in->limit > 0 ? in->limit : 1;
    in->limit = 0;
    if (!ag_intent_ranks_each(in) || in->each > AG_MAX_EACH)
        ag_stop(p, AG_NOT_UNDERSTOOD,
                ag_say(p, "시간마다 무엇을 몇 개씩 고를지 알 수 없습니다.",
                       "It is not clear of what so many are asked for in each stretch of time."),
                NULL);
}
