/*
 * A follow-up that says what it replaces: "errors instead of warnings", 경고 대신 에러로. What stands behind
 * "instead of" or before 대신 was asked for before and is no condition of this question.
 */
#include "agent/understand/parse.h"

#include <string.h>

static void ask_what_instead(struct ag_parse *p)
{
    ag_stop(p, AG_NEEDS_CLARIFICATION,
            ag_say(p, "무엇으로 바꿀지 알 수 없습니다.", "It is not clear what is wanted instead."), NULL);
}

/* "instead of errors, warnings and fatal": does the list end before the last or before both? */
static bool lists_further(const struct ag_parse *p, const struct ag_mention *m)
{
    const struct ag_mention *next = ag_joins_list(p, m->to) ? ag_mention_starting(p, m->to + 1) : NULL;

    return next &&
           (ag_joins_list(p, next->to) || ag_reads(p, m->to, AG_C_AND) || ag_reads(p, m->to, AG_C_OR));
}

/* "errors instead of warnings", 경고 대신 에러로: what the question before asked for, and no condition of
 * this one. */
void ag_instead_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; p->question->previous && i < t->count; i++) {
        bool korean = strcmp(ag_word(p, i), "대신") == 0;
        bool english = strcmp(ag_word(p, i), "instead") == 0 && strcmp(ag_word(p, i + 1), "of") == 0;
        const struct ag_mention *m = korean    ? ag_mention_ending(p, i)
                                     : english ? ag_mention_starting(p, ag_after(p, i + 1))
                                               : NULL;
        struct ag_mention old;
        size_t kept = 0;
        if (!m)
            continue;
        old = *m;
        if (english && lists_further(p, &old)) {
            ask_what_instead(p);
            return;
        }
        for (size_t k = 0; k < p->mention_count; k++) {
            if (p->mentions[k].from != old.from)
                p->mentions[kept++] = p->mentions[k];
        }
        p->mention_count = kept;
        if (!ag_mentions_field(p, old.field)) {
            ask_what_instead(p);
            return;
        }
        ag_consume(t, i, korean ? i + 1 : old.from, ag_concept_name(AG_C_FOLLOW));
        p->said[AG_C_FOLLOW] = i + 1;
    }
}
