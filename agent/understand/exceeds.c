/*
 * Which have more than one of them that is named: 결제보다 느린 서비스, "endpoints slower than /api/orders",
 * "which services have a p95 above that of payment". The name is no condition then: it says whose figure the
 * others are held against. It must be of the kind that is asked for, and alone; what cannot be measured so is
 * held back.
 */
#include "agent/understand/decision.h"

#include <string.h>

/* Which way a word of degree goes. */
static enum ag_claim way_of(const char *word)
{
    static const char *const more[] = {"more",  "higher", "greater", "worse", "slower", "larger", "bigger",
                                       "above", "over",   "많",      "높",    "심",     "느",     "더"};
    static const char *const less[] = {"fewer", "less",  "lower", "better", "faster", "shorter", "smaller",
                                       "below", "under", "적",    "낮",     "빠",     "덜"};

    if (strncmp(word, "보다 ", strlen("보다 ")) == 0)
        word += strlen("보다 ");
    return ag_begins_with_one_of(word, more, sizeof more / sizeof *more)   ? AG_CLAIM_MORE
           : ag_begins_with_one_of(word, less, sizeof less / sizeof *less) ? AG_CLAIM_LESS
                                                                           : AG_NO_CLAIM;
}

/* The one field asked for, ungrouped; NULL where there are others. */
static struct ag_target *asked_field(struct ag_parse *p)
{
    return p->target_count == 1 && !p->targets[0].grouped && ag_is_asked_for(p, &p->targets[0])
               ? &p->targets[0]
               : NULL;
}

/* The mention, of that field alone, which begins or ends at token `i`; SIZE_MAX: none. */
static size_t name_at(const struct ag_parse *p, size_t i, bool ends, enum ag_field field)
{
    size_t found = SIZE_MAX;
    size_t same = 0;

    for (size_t k = 0; k < p->mention_count; k++) {
        const struct ag_mention *m = &p->mentions[k];
        if (m->field != field)
            continue;
        same++;
        if (!m->negated && m->op == AG_IN && (ends ? m->to == i : m->from == i))
            found = k;
    }
    return same == 1 ? found : SIZE_MAX;
}

/* "than that of payment", "above the p95 of order": the token of the name. */
static size_t past_than(const struct ag_parse *p, size_t i)
{
    static const char *const words[] = {"the", "that", "those", "of", "in", "for", "on", "from"};
    size_t at = i + 1;

    while (ag_says(p, at, words, sizeof words / sizeof *words))
        at++;
    return at;
}

/* Korean: what stands behind 보다; English: what stands before "than". One way, which is said. */
static enum ag_claim degree(struct ag_parse *p, size_t from, size_t to)
{
    enum ag_claim found = AG_NO_CLAIM;

    for (size_t i = from; i < to; i++) {
        enum ag_claim way = p->tokens->items[i].rule ? AG_NO_CLAIM : way_of(ag_word(p, i));
        if (way == AG_NO_CLAIM || ag_reads(p, i, AG_C_ERROR) || ag_reads(p, i, AG_C_FIELD))
            continue;
        if (found != AG_NO_CLAIM && way != found)
            return AG_NO_CLAIM;
        found = way;
    }
    return found;
}

/* The words of degree say no more; slow and fast are of durations. */
static void take(struct ag_parse *p, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        const char *word = ag_word(p, i);
        bool duration = strstr(word, "slower") || strstr(word, "faster") || strstr(word, "느린") ||
                        strstr(word, "느려") || strstr(word, "빠른");
        if (p->tokens->items[i].rule || ag_reads(p, i, AG_C_ERROR) || ag_reads(p, i, AG_C_FIELD) ||
            way_of(word) == AG_NO_CLAIM)
            continue;
        ag_consume(p->tokens, i, i + 1, "than");
        if (duration)
            p->said[AG_C_SLOW] = i + 1;
    }
}

static void hold_against(struct ag_parse *p, size_t i)
{
    bool korean = ag_is_korean(p, i);
    struct ag_target *target = asked_field(p);
    const char *word = ag_word(p, i);
    size_t len = strlen(word);
    bool than = korean ? strncmp(word, "보다", strlen("보다")) == 0
                       : (len >= 4 && strcmp(word + len - 4, "than") == 0) || strcmp(word, "above") == 0 ||
                             strcmp(word, "below") == 0;
    bool plain = strcmp(word, "보다") == 0 || strcmp(word, "than") == 0;
    size_t at = korean ? i : past_than(p, i);
    size_t name;
    enum ag_claim way;

    if (!than || !target || p->tokens->items[i].rule || p->than_name)
        return;
    name = name_at(p, at, korean, target->field);
    if (name == SIZE_MAX)
        return;
    way = plain ? degree(p, korean ? i + 1 : 0, korean ? p->tokens->count : i) : way_of(word);
    if (way == AG_NO_CLAIM)
        return;
    if (plain)
        take(p, korean ? i + 1 : 0, korean ? p->tokens->count : i);
    else
        take(p, i, i + 1);
    ag_consume(p->tokens, i, korean ? i + 1 : at, "than");
    p->than_name = name + 1;
    p->less_than_name = way == AG_CLAIM_LESS;
}

static void hold_back(struct ag_parse *p)
{
    ag_stop(p, AG_NOT_UNDERSTOOD,
            ag_say(p, "이름 하나와 그렇게 견줄 수는 없습니다.",
                   "They cannot be held against one name like that."),
            ag_say(p, "예: \"오늘 payment-service보다 느린 서비스\"",
                   "For example \"services slower than payment-service today\"."));
}

/* 결제랑 주문보다 느린 서비스: held against two. */
static void several_names(struct ag_parse *p, size_t i)
{
    struct ag_target *target = asked_field(p);
    const struct ag_mention *last = ag_mention_ending(p, i);

    if (strncmp(ag_word(p, i), "보다", strlen("보다")) == 0 && target && last &&
        last->field == target->field && last->from > 0 && ag_joins_list(p, last->from - 1) && !p->than_name)
        hold_back(p);
}

void ag_exceeds_rule(struct ag_parse *p)
{
    for (size_t i = 0; i < p->tokens->count; i++) {
        hold_against(p, i);
        several_names(p, i);
    }
}

void ag_exceeds_groups(struct decision *d)
{
    static const enum ag_concept others[] = {AG_C_MOST,    AG_C_FEWEST,  AG_C_HIGHEST, AG_C_LOWEST,
                                             AG_C_COUNT,   AG_C_COMPARE, AG_C_NEW,     AG_C_STOPPED,
                                             AG_C_WHY,     AG_C_WHEN,    AG_C_SPIKE,   AG_C_SERIES,
                                             AG_C_BY_TIME, AG_C_CAUSE,   AG_C_FIRST};
    struct ag_parse *p = d->p;
    struct ag_target *target = ag_free_target(d);
    bool duration = ag_heard(d, AG_C_SLOW) || ag_heard(d, AG_C_DURATION) || p->found.p_count > 0;
    bool errors = ag_heard(d, AG_C_ERROR) || ag_heard(d, AG_C_RATE) || ag_mentions_field(p, AG_LEVEL);

    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (ag_heard(d, others[i]))
            hold_back(p);
    }
    if (!target || p->several || p->found.threshold.set || p->found.length_set || (duration && errors) ||
        p->counted || p->negated_whole || p->left_out) {
        hold_back(p);
        return;
    }
    ag_group_by(d, target);
    d->intent->rank = true;
    d->intent->order = p->less_than_name ? AG_FEWEST : AG_MOST;
}

void ag_exceeds_check(struct ag_parse *p)
{
    struct ag_intent *in = p->intent;
    bool counts = in->measure.fn == AG_COUNT || in->measure.fn == AG_DISTINCT;

    if (!p->than_name)
        return;
    in->threshold = (struct ag_threshold){.set = true,
                                          .op = p->less_than_name ? AG_BELOW : AG_ABOVE,
                                          .of = p->mentions[p->than_name - 1].value};
    in->order = p->less_than_name ? AG_FEWEST : AG_MOST;
    /* Those that had none are not among the records counted; and more of what must be said. */
    if (!ag_intent_exceeds_one(in) || (counts && p->less_than_name) ||
        (counts && in->filter_count == 0 && !ag_said(p, AG_C_LOG)))
        hold_back(p);
}
