/*
 * "How many users were affected": by errors, a status or slowness that is said. Without one nobody knows who
 * was.
 */
#include "agent/understand/decision.h"

#include <string.h>

static bool says_affected(const struct ag_parse *p)
{
    for (size_t i = 0; i < p->tokens->count; i++) {
        const char *word = ag_word(p, i);
        if (strstr(word, "affect") || strstr(word, "impact") || strncmp(word, "영향", strlen("영향")) == 0 ||
            strncmp(word, "피해", strlen("피해")) == 0)
            return ag_reads(p, i, AG_C_VERB);
    }
    return false;
}

void ag_affected_rule(struct decision *d)
{
    static const enum ag_field troubles[] = {AG_LEVEL,        AG_ERROR_TYPE, AG_ERROR_CODE,  AG_HTTP_STATUS,
                                             AG_STATUS_CLASS, AG_MESSAGE,    AG_STACK_TRACE, AG_EVENT_TYPE};
    const struct ag_intent *in = d->intent;
    bool trouble = in->measure.fn == AG_ERROR_RATE || in->measure.fn == AG_FAILURE_RATE ||
                   d->p->found.length_set || ag_has_field(in, AG_DURATION) ||
                   in->measure.field == AG_DURATION;

    for (size_t k = 0; k < sizeof troubles / sizeof *troubles; k++)
        trouble = trouble || ag_has_field(in, troubles[k]);
    if (trouble || !says_affected(d->p))
        return;
    ag_stop(d->p, AG_NEEDS_CLARIFICATION,
            ag_say(d->p, "무엇의 영향인지 알 수 없습니다.", "It is not said by what they were affected."),
            ag_say(d->p, "예: \"오늘 결제 에러를 겪은 사용자 수\"",
                   "For example \"how many users had payment errors today\"."));
}
