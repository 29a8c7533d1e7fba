/*
 * Groups picked by how they changed: 어제보다 에러율 높은 서비스, "services with a higher p95 than last
 * week", "which services spiked". The field stands for what is asked for and nobody ranked it, so it is
 * grouped by before the measure is decided; which of them rose or fell is left to the comparison. What surged
 * did so against the span before.
 */
#include "agent/understand/decision.h"

#include <string.h>

/* Is what stands behind token `i` no more than asking, so that the sentence is about it: 서비스 있어?,
 * 서비스들 보여줘? */
static bool is_last_noun(const struct ag_parse *p, size_t i)
{
    static const enum ag_concept asking[] = {AG_C_PARTICLE, AG_C_ENDING, AG_C_VERB, AG_C_NOISE, AG_C_IS,
                                             AG_C_SHOW,     AG_C_LIST,   AG_C_STOP, AG_C_THING, AG_C_NAMES};

    for (i++; i < p->tokens->count; i++) {
        bool asks = strcmp(ag_word(p, i), "들") == 0;
        for (size_t k = 0; k < p->time_count; k++)
            asks = asks || (i >= p->times[k].from && i < p->times[k].to);
        for (size_t k = 0; k < sizeof asking / sizeof *asking; k++)
            asks = asks || ag_reads(p, i, asking[k]);
        if (!asks)
            return false;
    }
    return true;
}

/* "services with", "services whose", "services that got": several of them, described by what follows. */
static bool is_plural_head(const struct ag_parse *p, const struct ag_target *target)
{
    static const enum ag_concept described[] = {AG_C_ERROR, AG_C_RATE,    AG_C_LOG,     AG_C_LEVEL,
                                                AG_C_COUNT, AG_C_REQUEST, AG_C_DURATION};
    const char *word = ag_word(p, target->to - 1);
    size_t len = strlen(word);

    for (size_t k = 0; k < sizeof described / sizeof *described; k++) {
        if (ag_reads(p, target->to, described[k]))
            return false;
    }
    return len > 1 && word[len - 1] == 's' && !ag_reads(p, target->to, AG_C_OR);
}

bool ag_is_asked_for(const struct ag_parse *p, const struct ag_target *target)
{
    size_t before = target->from > 0 ? ag_before(p, target->from) : SIZE_MAX;

    if (before != SIZE_MAX && ag_reads(p, before, AG_C_WHICH))
        return true;
    return ag_is_korean(p, target->from) || ag_is_korean(p, target->to) ? is_last_noun(p, target->to - 1)
                                                                        : is_plural_head(p, target);
}

/* Words of other shapes, or of an order, decide for themselves. */
static bool is_something_else(const struct decision *d)
{
    static const enum ag_concept others[] = {
        AG_C_MOST,    AG_C_FEWEST,       AG_C_HIGHEST, AG_C_LOWEST,  AG_C_TOP,      AG_C_BOTTOM, AG_C_ORDER,
        AG_C_NEW,     AG_C_STOPPED,      AG_C_WHY,     AG_C_CAUSE,   AG_C_COUNT,    AG_C_WHEN,   AG_C_FIRST,
        AG_C_PERCENT, AG_C_BEFORE_AFTER, AG_C_SERIES,  AG_C_BY_TIME, AG_C_TIME_SLOT};
    const struct ag_parse *p = d->p;

    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (ag_heard(d, others[i]))
            return true;
    }
    return p->counted || p->found.threshold.set || p->found.length_set || p->found.limit > 0 ||
           p->found.bucket_us > 0 || p->negated_whole || p->left_out || d->intent->group_count > 0;
}

/* 급증한 서비스, "which services spiked": of errors, where nothing else is said to have grown. */
static void surge_of_errors(struct decision *d, enum ag_field field)
{
    if (field == AG_ERROR_TYPE || ag_heard(d, AG_C_REQUEST) || ag_heard(d, AG_C_LOG) ||
        ag_heard(d, AG_C_RATE) || ag_heard(d, AG_C_FAIL_RATE) || ag_heard(d, AG_C_DURATION) ||
        ag_heard(d, AG_C_SLOW) || d->p->found.p_count > 0 || d->intent->filter_count > 0)
        return;
    ag_add_errors(d->p);
    ag_assume(d->p, "spike_of_errors", "급증은 에러의 급증으로 보았습니다.",
              "The spike is taken to be one of errors.");
}

/* 결제 느려졌어?, "has payment gotten slow": of what is named. */
static bool asks_whether_slower(const struct decision *d, size_t i)
{
    static const char *const asking[] = {"did", "has", "have", "is", "are"};
    const struct ag_parse *p = d->p;

    if (!ag_became_slow(p, i) || p->target_count > 0 || p->mention_count == 0 || d->intent->group_count > 0 ||
        ag_heard(d, AG_C_WHY) || ag_heard(d, AG_C_WHICH) || ag_heard(d, AG_C_REQUEST) ||
        ag_heard(d, AG_C_WHEN))
        return false;
    return ag_is_korean(p, i) ? strstr(ag_word(p, i), "졌") != NULL
                              : ag_says(p, 0, asking, sizeof asking / sizeof *asking);
}

/* 10건 이상 늘어난, "at least 10 more errors than yesterday": a threshold of the change, not of what there
 * is. */
static bool is_threshold_of_change(const struct ag_parse *p)
{
    static const char *const degrees[] = {"more", "fewer", "less", "higher", "lower"};
    size_t i = p->found.threshold_at;

    if (!p->found.threshold.set || !ag_said(p, AG_C_COMPARE))
        return false;
    while (i < p->tokens->count && p->tokens->items[i].rule &&
           strcmp(p->tokens->items[i].rule, "threshold") == 0)
        i++;
    while (ag_reads(p, i, AG_C_PARTICLE))
        i++;
    return (ag_reads(p, i, AG_C_COMPARE) && *ag_reads_value(p, i, AG_C_COMPARE)) ||
           ag_says(p, i, degrees, sizeof degrees / sizeof *degrees) || strcmp(ag_word(p, i), "더") == 0 ||
           (ag_is_korean(p, i) && p->than_a_time &&
            (ag_reads(p, i, AG_C_MOST) || ag_reads(p, i, AG_C_HIGHEST) || ag_reads(p, i, AG_C_FEWEST)));
}

/* 갑자기 느려진, 빨라졌어: than before, which nobody had to say. Of several it is asked by a field. */
static void became_another(struct decision *d)
{
    struct ag_parse *p = d->p;

    for (size_t i = 0; i < p->tokens->count; i++) {
        const char *how = ag_reads_value(p, i, AG_C_SLOW);
        if (!how || !ag_said(p, AG_C_SLOW) || !(*how || asks_whether_slower(d, i)))
            continue;
        if (!ag_said(p, AG_C_COMPARE))
            p->said[AG_C_COMPARE] = i + 1;
        if (ag_heard(d, AG_C_WHICH) && !ag_free_target(d) && d->intent->group_count == 0)
            ag_stop(p, AG_NOT_UNDERSTOOD,
                    ag_say(p, "무엇이 느려지거나 빨라졌는지는 서비스나 엔드포인트로 물어봐 주세요.",
                           "Ask which service or endpoint got slower or faster."),
                    ag_say(p, "예: \"어제보다 빨라진 서비스\"",
                           "For example \"services faster than yesterday\"."));
    }
}

/* "slower and with more errors", 에러율은 높은데 빨라진: two numbers, each with a change of its own. */
static bool changes_twice(const struct decision *d)
{
    bool duration = ag_heard(d, AG_C_SLOW) || ag_heard(d, AG_C_FAST) || ag_heard(d, AG_C_DURATION) ||
                    d->p->found.p_count > 0;

    return duration && (ag_heard(d, AG_C_ERROR) || ag_heard(d, AG_C_RATE) || ag_heard(d, AG_C_FAIL_RATE) ||
                        ag_mentions_field(d->p, AG_LEVEL));
}

/* 급증한 에러 메시지, "which error messages spiked": which there were more of, not when. */
static bool asks_which_messages(const struct ag_parse *p)
{
    for (size_t i = 0; i < p->tokens->count; i++) {
        size_t at = ag_is_korean(p, i) ? ag_after(p, i) : (i > 0 ? ag_before(p, i) : SIZE_MAX);
        const char *word = ag_word(p, at);
        size_t which = at > 0 && at != SIZE_MAX ? ag_before(p, at) : SIZE_MAX;
        if (!ag_reads(p, i, AG_C_SPIKE) || at == SIZE_MAX || !ag_reads(p, at, AG_C_ERROR))
            continue;
        if (strstr(word, "메시지") || strstr(word, "메세지") ||
            (strstr(word, "message") && which != SIZE_MAX && ag_reads(p, which, AG_C_WHICH)))
            return true;
    }
    return false;
}

static void group_surged_messages(struct decision *d)
{
    ag_use(d, AG_C_SPIKE);
    if (!ag_heard(d, AG_C_COMPARE))
        d->p->said[AG_C_COMPARE] = d->p->said[AG_C_SPIKE];
    ag_group_errors(d);
    d->intent->rank = true;
    d->intent->order = AG_MOST;
}

void ag_changed_rule(struct decision *d)
{
    struct ag_parse *p = d->p;
    struct ag_target *target = ag_free_target(d);
    bool surged = ag_heard(d, AG_C_SPIKE);

    became_another(d);
    if (is_threshold_of_change(p))
        ag_stop(
            p, AG_NOT_UNDERSTOOD,
            ag_say(p, "얼마나 늘거나 줄었는지로는 아직 고를 수 없습니다.",
                   "Those that rose or fell by so much cannot be picked out yet."),
            ag_say(p, "예: \"어제보다 에러 늘어난 서비스\"는 차이도 보여 줍니다.",
                   "For example \"services with more errors than yesterday\" shows the difference of each."));
    if (target && ag_says_a_change(p) && changes_twice(d)) {
        ag_stop(p, AG_NOT_UNDERSTOOD,
                ag_say(p, "한 번에 한 가지의 변화만 물을 수 있습니다.",
                       "Ask for the change of one number at a time."),
                ag_say(p, "예: \"어제보다 에러율 높은 서비스\", \"어제보다 느려진 서비스\"",
                       "For example \"services with more errors than yesterday\" or \"services slower than "
                       "yesterday\"."));
        return;
    }
    if (surged && p->target_count == 0 && !is_something_else(d) && asks_which_messages(p)) {
        group_surged_messages(d);
        return;
    }
    if (!target || p->target_count > 1 || is_something_else(d) || !ag_is_asked_for(p, target) ||
        target->field == AG_LEVEL || target->field == AG_METADATA)
        return;
    if (!surged && (!ag_heard(d, AG_C_COMPARE) || !ag_says_a_change(p)))
        return;
    if (surged) {
        surge_of_errors(d, target->field);
        ag_use(d, AG_C_SPIKE);
        if (!ag_heard(d, AG_C_COMPARE))
            p->said[AG_C_COMPARE] = p->said[AG_C_SPIKE];
    }
    ag_group_by(d, target);
    d->intent->rank = true;
    d->intent->order = AG_MOST;
}
