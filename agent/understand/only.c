/*
 * "Only" said of everything a service or a user has: 에러만 낸 호스트, "users who only hit checkout". That is
 * no condition on single records, and those who had something else besides would be among the answers.
 */
#include "agent/understand/decision.h"

#include <string.h>

/* Is what is asked for, and not broken down by, said at token `i`? */
static bool is_asked_for(const struct ag_parse *p, size_t i)
{
    for (size_t k = 0; k < p->target_count; k++) {
        if (i >= p->targets[k].from && i < p->targets[k].to)
            return true;
    }
    return false;
}

static bool is_relative(const struct ag_parse *p, size_t i)
{
    static const char *const words[] = {"that",     "who",        "which",    "whose",   "with",
                                        "have",     "has",        "had",      "having",  "that have",
                                        "that had", "which have", "who have", "who had", "which had"};

    return ag_says(p, i, words, sizeof words / sizeof *words);
}

/* 오전에만, "only this morning": does a time end before token `i` or with it, or begin there? */
static bool is_at_a_time(const struct ag_parse *p, size_t i, bool begins)
{
    for (size_t k = 0; k < p->time_count; k++) {
        if (begins ? p->times[k].from == i : p->times[k].to == i || p->times[k].to == i + 1)
            return true;
    }
    return false;
}

/* "users who only hit checkout", "services with only errors", "hosts with errors only in staging" */
static bool english_only(const struct ag_parse *p, size_t only)
{
    size_t next = ag_after(p, only);
    bool relative = ag_reads(p, next, AG_C_VERB) || (only > 0 && ag_reads(p, only - 1, AG_C_VERB));
    bool named;

    while (ag_reads(p, next, AG_C_VERB) || ag_reads(p, next, AG_C_PREPOSITION) ||
           ag_reads(p, next, AG_C_NOISE))
        next++;
    named = ag_mention_starting(p, next) || is_at_a_time(p, next, true);
    for (size_t i = only; named && i-- > 0;) {
        if (ag_reads(p, i, AG_C_COMMA) || ag_reads(p, i, AG_C_STOP) || ag_reads(p, i, AG_C_BY_BEFORE))
            return false;
        if (is_asked_for(p, i))
            return relative;
        relative = relative || is_relative(p, i);
    }
    return false;
}

/* 에러만 낸 호스트, 운영에서만 에러 난 서비스, 오전에만 에러 난 서비스, 결제만 쓴 사용자: what is asked for
 * stands behind its verb. */
static bool korean_only(const struct ag_parse *p, size_t only)
{
    bool verb = false;

    for (size_t i = ag_after(p, only); i < p->tokens->count; i++) {
        if (ag_reads(p, i, AG_C_COMMA) || ag_reads(p, i, AG_C_STOP))
            return false;
        if (is_asked_for(p, i))
            return verb && !ag_reads(p, i + 1, AG_C_BY) && !ag_reads(p, i + 1, AG_C_BY_AFTER);
        verb = ag_reads(p, i, AG_C_VERB) || ag_reads(p, i, AG_C_CONTAINS) || ag_reads(p, i, AG_C_IS) ||
               (verb && (ag_reads(p, i, AG_C_ENDING) || ag_reads(p, i, AG_C_PARTICLE)));
    }
    return false;
}

/* "errors that only happen on web-01", web-01에서만 나는 에러 뭐야: those that are nowhere else. */
static bool errors_nowhere_else(const struct ag_parse *p, size_t only)
{
    static const char *const asking[] = {"뭐", "무엇", "뭔", "있"};
    size_t verb = ag_after(p, only);
    size_t error = verb + 1;

    if (!ag_reads(p, verb, AG_C_VERB))
        return false;
    if (!ag_is_korean(p, only))
        return only > 1 && strcmp(ag_word(p, only - 1), "that") == 0 && ag_reads(p, only - 2, AG_C_ERROR);
    while (ag_reads(p, error, AG_C_ENDING) || ag_reads(p, error, AG_C_VERB))
        error++;
    for (size_t k = 0; ag_reads(p, error, AG_C_ERROR) && k < sizeof asking / sizeof *asking; k++) {
        if (strncmp(ag_word(p, ag_after(p, error)), asking[k], strlen(asking[k])) == 0)
            return true;
    }
    return false;
}

static bool ends_in_only(const struct ag_parse *p, size_t i)
{
    static const char *const particles[] = {"만", "에서만", "에만", "로만", "만은"};

    return ag_says(p, i, particles, sizeof particles / sizeof *particles);
}

void ag_only_rule(struct ag_parse *p, bool broken_down)
{
    const struct ag_intent *in = p->intent;
    bool several = in->group_count > 0 || in->measure.fn == AG_DISTINCT || in->measure.fn == AG_NAMES;
    bool ranked = ag_said(p, AG_C_MOST) || ag_said(p, AG_C_FEWEST) || ag_said(p, AG_C_TOP) ||
                  ag_said(p, AG_C_BOTTOM) || ag_said(p, AG_C_HIGHEST) || ag_said(p, AG_C_LOWEST);

    if (broken_down || ranked)
        return;
    for (size_t i = 1; i < p->tokens->count; i++) {
        bool korean = ag_is_korean(p, i) && ends_in_only(p, i) &&
                      (ag_mention_ending(p, i) || is_at_a_time(p, i, false) ||
                       (ag_reads(p, i - 1, AG_C_PARTICLE) && ag_mention_ending(p, i - 1)));
        bool english = !ag_is_korean(p, i) && ag_reads(p, i, AG_C_ONLY);
        if (!((korean || english) && errors_nowhere_else(p, i)) &&
            !(several && korean && korean_only(p, i)) && !(several && english && english_only(p, i)))
            continue;
        ag_stop(p, AG_NOT_UNDERSTOOD,
                ag_say(p, "그것만 있는 대상을 찾는 질문은 아직 답하지 못합니다.",
                       "Who had that and nothing else cannot be asked yet."),
                ag_say(p, "예: \"에러가 있는 서비스\", \"운영 환경의 서비스별 에러\"",
                       "For example \"services with errors\" or \"errors by service in production\"."));
        return;
    }
}
