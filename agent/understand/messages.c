/*
 * Messages that are ranked: "top 5 messages", 경고 메시지 상위 5개, "most common log messages". They are told
 * apart by pattern, and no list of the newest.
 */
#include "agent/understand/decision.h"

#include <string.h>

static bool names_messages(const struct ag_parse *p)
{
    for (size_t i = 0; i < p->tokens->count; i++) {
        const char *word = ag_word(p, i);
        if ((strstr(word, "message") || strstr(word, "메시지") || strstr(word, "메세지")) &&
            (ag_reads(p, i, AG_C_LOG) || ag_reads(p, i, AG_C_LEVEL)))
            return true;
    }
    return false;
}

void ag_messages_rule(struct decision *d)
{
    static const char *const amount[] = {"most", "the most", "많은", "가장 많은", "제일 많은"};
    const struct ag_parse *p = d->p;
    size_t most = p->said[AG_C_MOST];
    bool ranked =
        ag_heard(d, AG_C_TOP) || (most && !ag_says(p, most - 1, amount, sizeof amount / sizeof *amount));

    if (!ranked || !names_messages(p) || p->target_count > 0 || d->intent->group_count > 0 ||
        ag_heard(d, AG_C_NEWEST) || ag_heard(d, AG_C_OLDEST) || d->intent->shape != AG_PLAIN)
        return;
    ag_group_by_field(d, AG_PATTERN);
    ag_use(d, AG_C_TOP);
    d->intent->rank = true;
    d->intent->order = AG_MOST;
    ag_assume(d->p, "messages_by_pattern", "숫자와 이름만 다른 메시지는 같은 것으로 보았습니다.",
              "Messages that differ in numbers and names only are taken as one.");
}
