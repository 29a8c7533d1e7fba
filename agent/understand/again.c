/*
 * Follow-ups that name nothing but what to see of what was asked before: its records ("show me the logs",
 * 로그 보여줘), which errors they were (어떤 에러들이야, "which errors are they"), or the time to set it
 * against (어제랑 비교해줘).
 */
#include "agent/understand/decision.h"
#include "agent/understand/window.h"

#include <string.h>

/* Is there nothing in the question but the thing asked for and words of asking? */
static bool asks_for_nothing_but(const struct ag_parse *p, enum ag_concept thing)
{
    static const enum ag_concept asking[] = {AG_C_SHOW,     AG_C_LIST,   AG_C_WHICH, AG_C_NOISE,
                                             AG_C_PARTICLE, AG_C_ENDING, AG_C_IS,    AG_C_STOP,
                                             AG_C_PRONOUN,  AG_C_COMMA,  AG_C_VERB,  AG_C_FOLLOW};
    bool named = false;
    bool asked = false;

    if (p->time_count > 0 || p->target_count > 0 || p->found.limit > 0 || p->found.length_set ||
        p->found.threshold.set)
        return false;
    for (size_t i = 0; i < p->tokens->count; i++) {
        bool known = ag_reads(p, i, thing);
        named = named || known;
        for (size_t k = 0; !known && k < sizeof asking / sizeof *asking; k++)
            known = ag_reads(p, i, asking[k]);
        asked = asked || ag_reads(p, i, AG_C_SHOW) || ag_reads(p, i, AG_C_WHICH) || ag_reads(p, i, AG_C_LIST);
        if (!known)
            return false;
    }
    return named && asked;
}

bool ag_asks_for_its_records(const struct ag_parse *p)
{
    return p->mention_count == 0 && asks_for_nothing_but(p, AG_C_LOG);
}

bool ag_asks_for_its_errors(const struct ag_parse *p)
{
    bool which = false;

    for (size_t i = 0; i < p->tokens->count; i++)
        which = which || ag_reads(p, i, AG_C_WHICH) || strcmp(ag_word(p, i), "what") == 0 ||
                strncmp(ag_word(p, i), "뭐", strlen("뭐")) == 0;
    return which && asks_for_nothing_but(p, AG_C_ERROR);
}

/* "show me them", 그것들 보여줘: the records that were counted. */
static bool show_records(struct ag_parse *p)
{
    struct ag_intent *in = p->intent;
    bool them = false;

    for (size_t i = 0; i < p->tokens->count; i++) {
        const char *word = ag_word(p, i);
        them = them || strcmp(word, "them") == 0 || strcmp(word, "those") == 0 ||
               strcmp(word, "these") == 0 || strcmp(word, "그것들") == 0 || strcmp(word, "이것들") == 0;
    }
    if (!them || !ag_take(p, AG_C_SHOW) || in->measure.fn != AG_COUNT || in->measure.also_count > 0 ||
        in->shape != AG_PLAIN || in->group_count > 0 || in->compare != AG_NO_COMPARE)
        return false;
    in->measure.fn = AG_LIST;
    in->order = AG_NEWEST;
    return true;
}

bool ag_show_its_records(struct ag_parse *p)
{
    struct ag_intent *in = p->intent;

    if (!ag_asks_for_its_records(p))
        return show_records(p);
    if ((in->shape != AG_PLAIN && in->shape != AG_SERIES) || in->compare != AG_NO_COMPARE ||
        in->part_count > 0 || in->measure.fn == AG_SHARE || in->measure.fn == AG_ERROR_RATE ||
        in->measure.fn == AG_FAILURE_RATE || in->threshold.set) {
        ag_stop(p, AG_NEEDS_CLARIFICATION,
                ag_say(p, "앞의 답의 어떤 기록을 볼지 알 수 없습니다.",
                       "It is not clear which records of the previous answer are wanted."),
                ag_say(p, "예: \"오늘 결제 서비스 에러 로그 보여줘\"",
                       "For example \"show me payment-service errors today\"."));
        return false;
    }
    ag_take(p, AG_C_LOG);
    ag_take(p, AG_C_SHOW);
    ag_take(p, AG_C_LIST);
    if (in->measure.fn == AG_LIST)
        return true;
    in->measure.fn = AG_LIST;
    in->measure.field = AG_NO_FIELD;
    in->measure.also_count = in->measure.p_count = 0;
    in->group_count = 0;
    in->counted = false;
    in->each = 0;
    in->shape = AG_PLAIN;
    in->bucket_us = 0;
    in->rank = false;
    in->limit = 0;
    in->order = AG_NEWEST;
    return true;
}

/* 어떤 에러였어?: the errors counted or listed before, by their type. */
bool ag_name_its_errors(struct ag_parse *p, bool asked)
{
    struct ag_intent *in = p->intent;
    bool it_was = asked && ag_said(p, AG_C_ERROR);
    bool fits = in->group_count == 0 && in->shape == AG_PLAIN && in->compare == AG_NO_COMPARE &&
                in->part_count == 0 && (in->measure.fn == AG_COUNT || in->measure.fn == AG_LIST);

    if (!fits && ag_asks_for_its_errors(p))
        ag_stop(p, AG_NEEDS_CLARIFICATION,
                ag_say(p, "앞의 답의 어떤 에러를 볼지 알 수 없습니다.",
                       "It is not clear which errors of the previous answer are meant."),
                NULL);
    if (!fits || !(it_was || ag_asks_for_its_errors(p)))
        return false;
    in->measure.fn = AG_COUNT;
    in->measure.field = AG_NO_FIELD;
    in->groups[in->group_count++] = (struct ag_group){AG_ERROR_TYPE, NULL};
    in->rank = true;
    in->order = AG_MOST;
    in->limit = 0;
    ag_assume(p, "errors_by_type", "에러를 에러 타입별로 세었습니다.", "Errors are counted by error type.");
    return true;
}

bool ag_compare_again(struct ag_parse *p)
{
    static const enum ag_concept others[] = {AG_C_SHIFT, AG_C_BEFORE_AFTER, AG_C_COUNT,
                                             AG_C_RATE,  AG_C_MOST,         AG_C_FEWEST};
    const struct ag_intent *in = p->intent;
    struct ag_time_found before = {.from = 0};
    bool compared = false;

    for (size_t i = 0; i < p->tokens->count; i++) {
        const char *way = ag_value(p->tokens, i, AG_C_COMPARE);
        compared = compared || (way && *way == '\0');
        if (way && *way)
            return false;
        for (size_t k = 0; k < sizeof others / sizeof *others; k++) {
            if (ag_is(p->tokens, i, others[k]))
                return false;
        }
    }
    if (!compared || p->time_count != 1 || p->mention_count > 0 || p->target_count > 0 ||
        p->found.limit > 0 || in->compare != AG_NO_COMPARE || in->shape != AG_PLAIN || in->part_count > 0 ||
        in->measure.fn == AG_LIST || !ag_settle(p, &before, in->window.symbolic))
        return false;
    before.day_only = strncmp(before.symbolic, "day ", 4) == 0 && !strchr(before.symbolic, ':');
    p->times[1] = p->times[0];
    p->times[0] = before;
    p->time_count = 2;
    ag_take(p, AG_C_COMPARE);
    ag_windows_rule(p);
    return true;
}

bool ag_asks_who_had_none(const struct ag_parse *p)
{
    for (size_t i = 0; i < p->tokens->count; i++) {
        const char *rule = p->tokens->items[i].rule;
        if (rule && strcmp(rule, "without") == 0)
            return true;
    }
    return p->left_out && p->target_count > 0;
}
