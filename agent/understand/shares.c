/*
 * Shares whose part and whole are both said: 에러 중 결제 서비스 비율, "what percentage of errors come from
 * mobile", 2초 넘는 요청 비율. Before the word that parts them stands the whole, behind it the part; the part
 * is one condition.
 */
#include "agent/understand/decision.h"

#include <string.h>

/* "5xx rate", "WARN rates": the share of what stands before, where no rate has a name of its own. */
void ag_rate_of_rule(struct ag_parse *p)
{
    for (size_t k = 0; k < p->mention_count; k++) {
        const struct ag_mention *m = &p->mentions[k];
        const char *word = ag_word(p, m->to);
        bool graded = m->field == AG_STATUS_CLASS || m->field == AG_HTTP_STATUS || m->field == AG_LEVEL;
        if (!graded || m->negated || p->said[AG_C_PERCENT] ||
            (strcmp(word, "rate") != 0 && strcmp(word, "rates") != 0) || p->tokens->items[m->to].rule)
            continue;
        ag_consume(p->tokens, m->to, m->to + 1, ag_concept_name(AG_C_PERCENT));
        p->said[AG_C_PERCENT] = m->to + 1;
    }
}

static size_t percent_at(const struct ag_parse *p)
{
    for (size_t i = 0; i < p->tokens->count; i++) {
        const char *rule = p->tokens->items[i].rule;
        if (ag_reads(p, i, AG_C_PERCENT) && (!rule || strcmp(rule, ag_concept_name(AG_C_PERCENT)) == 0))
            return i;
    }
    return SIZE_MAX;
}

/* 전체 트래픽에서, 모든 에러에서: of all there is. */
static bool says_all(const struct ag_parse *p, size_t i)
{
    return ag_reads(p, i - 2, AG_C_TOTAL) &&
           (ag_reads(p, i - 1, AG_C_REQUEST) || ag_reads(p, i - 1, AG_C_LOG) ||
            ag_reads(p, i - 1, AG_C_ERROR) || ag_reads(p, i - 1, AG_C_LEVEL));
}

/* 중, 중에, 가운데 behind the whole. */
static size_t korean_hinge(const struct ag_parse *p)
{
    static const char *const words[] = {"중", "중에", "중에서", "가운데", "중에서도"};

    for (size_t i = 1; i < p->tokens->count; i++) {
        if (ag_says(p, i, words, sizeof words / sizeof *words))
            return i;
        if (strcmp(ag_word(p, i), "에서") == 0 && i > 1 && says_all(p, i))
            return i;
    }
    return SIZE_MAX;
}

/* 로그 중에, "of requests are": the whole is all there is of them. */
static bool is_of_records(const struct ag_parse *p, size_t i)
{
    return ag_reads(p, i, AG_C_LOG) || ag_reads(p, i, AG_C_REQUEST);
}

/* The verb between whole and part: "of errors come from", "of 5xx are", "of requests had". */
static size_t english_hinge(const struct ag_parse *p, size_t percent)
{
    static const char *const words[] = {
        "is",        "are",        "was",         "were",           "come",        "comes", "came",
        "came from", "come from",  "coming from", "originate from", "belong to",   "have",  "had",
        "has",       "returned",   "return",      "from",           "came out of", "by",    "on",
        "in",        "ended in a", "ended in an", "ended up in a"};
    static const char *const doing[] = {"does", "do", "did"};
    static const char *const being[] = {"are", "is", "were", "come from", "came from"};

    for (size_t i = percent + 1; i < p->tokens->count; i++) {
        bool named = false;
        /* "what percentage of requests are mobile" */
        if (is_of_records(p, i - 1) && ag_says(p, i, being, sizeof being / sizeof *being))
            return i;
        for (size_t k = 0; k < p->mention_count; k++)
            named = named || (p->mentions[k].to <= i && p->mentions[k].from > percent);
        if (named && ag_says(p, i, words, sizeof words / sizeof *words))
            return i;
        /* "what percentage of errors does payment-service account for" */
        if (named && ag_says(p, i, doing, sizeof doing / sizeof *doing) &&
            ag_mention_starting(p, ag_after(p, i)))
            return i;
    }
    return SIZE_MAX;
}

static void ask_which_part(struct ag_parse *p)
{
    ag_stop(p, AG_NOT_UNDERSTOOD,
            ag_say(p, "무엇 가운데 무엇의 비율인지 분명하지 않습니다.",
                   "It is not clear which part of which whole the share is."),
            ag_say(p, "예: \"오늘 에러 중 결제 서비스 비율\"",
                   "For example \"what percentage of errors come from payment-service today\"."));
}

/* "of all logs are payment errors", 에러 중 운영 결제 비율: the part is of several conditions. Of a level in
 * an environment it is that environment's rate. */
static bool has_several_parts(const struct ag_parse *p, size_t hinge)
{
    const struct ag_mention *first = NULL;
    bool several = false;
    bool placed = false;
    bool graded = false;

    for (size_t k = 0; k < p->mention_count; k++) {
        const struct ag_mention *m = &p->mentions[k];
        if (m->from <= hinge || m->negated)
            continue;
        several = several || (first && first->field != m->field);
        placed = placed || m->field == AG_SERVICE || m->field == AG_HOST || m->field == AG_COMPONENT;
        graded = graded || m->field == AG_LEVEL || m->field == AG_HTTP_STATUS || m->field == AG_STATUS_CLASS;
        first = first ? first : m;
    }
    return several && (placed || !graded);
}

/* 결제 에러가 전체 로그에서 몇 %, "payment errors as a share of all errors": the whole is said last, and the
 * part is more than a level, whose share of all records is a rate. */
static bool says_the_whole_last(const struct ag_parse *p, size_t percent, size_t hinge)
{
    bool before = false;
    bool behind = false;
    bool whole = false;
    bool as =
        percent > 1 && (strcmp(ag_word(p, percent - 1), "as") == 0 ||
                        (strcmp(ag_word(p, percent - 2), "as") == 0 && ag_reads(p, percent - 1, AG_C_NOISE)));
    bool all = hinge != SIZE_MAX && hinge > 1 && says_all(p, hinge);
    bool named = false; /* before 전체 로그에서 */

    for (size_t k = 0; k < p->mention_count; k++) {
        const struct ag_mention *m = &p->mentions[k];
        before = before || (m->to + 2 <= hinge && m->field != AG_LEVEL && m->field != AG_ENVIRONMENT);
        behind = behind || m->from > hinge;
        whole = whole || m->from > percent;
    }
    /* 전체 로그에서: all there is, of any time, where nothing is measured against it. */
    for (size_t i = 0; i < percent; i++) {
        for (size_t k = 0; k < p->mention_count && strcmp(ag_word(p, i), "전체 로그에서") == 0; k++)
            named = named || (p->mentions[k].to <= i && p->mentions[k].field != AG_LEVEL &&
                              p->mentions[k].field != AG_ENVIRONMENT);
    }
    return named || (as && whole) || (all && before && !behind);
}

/* Marks the mentions behind the hinge, if they are one condition and something is before it. */
static void mark_parts(struct ag_parse *p, size_t hinge)
{
    const struct ag_mention *first = NULL;
    bool whole = p->part_at != 0 || (hinge > 1 && says_all(p, hinge));
    bool of_records = hinge > 0 && is_of_records(p, hinge - 1);

    for (size_t k = 0; k < p->mention_count; k++) {
        const struct ag_mention *m = &p->mentions[k];
        if (m->to <= hinge) {
            whole = true;
            continue;
        }
        if (m->negated ||
            (first && (first->field != m->field || first->op != m->op || !ag_same_key(first->key, m->key))))
            return;
        first = first ? first : m;
    }
    if (!first || !(whole || of_records))
        return;
    /* Of all records, those of a level or status are a rate. */
    if (!whole &&
        (first->field == AG_LEVEL || first->field == AG_HTTP_STATUS || first->field == AG_STATUS_CLASS))
        return;
    for (size_t k = 0; k < p->mention_count; k++)
        p->mentions[k].of_part = p->mentions[k].from > hinge;
}

/* dispatch-engine이 에러에서 차지하는 비중, "payment-service accounts for what percentage of errors": the
 * part is what does, said first, and the rest is the whole. Of a verb at token `does`. */
static bool mark_first(struct ag_parse *p, size_t percent, size_t does)
{
    struct ag_mention *part = NULL;
    bool whole = false;

    for (size_t k = 0; k < p->mention_count; k++) {
        struct ag_mention *m = &p->mentions[k];
        bool subject = ag_is_korean(p, does) ? !part && m->to < does && ag_reads(p, m->to, AG_C_PARTICLE) &&
                                                   p->tokens->items[m->to].glued &&
                                                   (strcmp(ag_word(p, m->to), "이") == 0 ||
                                                    strcmp(ag_word(p, m->to), "가") == 0)
                                             : m->to <= does;
        if (!subject) {
            whole = whole || m->from > percent || ag_is_korean(p, does);
            continue;
        }
        if (part || m->negated)
            return false;
        part = m;
    }
    if (!part || !whole)
        return false;
    part->of_part = true;
    return true;
}

/* The verb of taking a share: 차지하는 비중, "accounts for", "makes up"; SIZE_MAX. */
static size_t share_verb(const struct ag_parse *p, size_t percent)
{
    for (size_t i = 0; i <= percent; i++) {
        const char *word = ag_word(p, i);
        if (strncmp(word, "차지", strlen("차지")) == 0 || strcmp(word, "make up") == 0 ||
            strcmp(word, "makes up") == 0 || strcmp(word, "made up") == 0 ||
            (strncmp(word, "account", 7) == 0 && ag_reads(p, i, AG_C_VERB)))
            return i;
    }
    return SIZE_MAX;
}

/* 에러 대비 경고 비율, "ratio of 5xx to 4xx", "error to warning ratio": one number by another, neither of
 * which is a part of the other. */
static bool is_ratio_of_two(const struct ag_parse *p, size_t percent)
{
    static const char *const words[] = {"대비", "to", "대"};

    if (ag_said(p, AG_C_RATE))
        return false;
    for (size_t i = 1; i < p->tokens->count; i++) {
        const struct ag_mention *a;
        const struct ag_mention *b = ag_mention_starting(p, ag_after(p, i));
        size_t before = ag_before(p, i);
        bool of = percent < i || ag_is_korean(p, i);
        if (!ag_says(p, i, words, sizeof words / sizeof *words) || before == SIZE_MAX || !b)
            continue;
        while (before > 0 && ag_reads(p, before, AG_C_COUNT))
            before = ag_before(p, before);
        a = ag_mention_ending(p, before + 1);
        if (a && a->field == b->field &&
            (a->field == AG_LEVEL || a->field == AG_STATUS_CLASS || a->field == AG_HTTP_STATUS) &&
            (of || percent == b->to))
            return true;
    }
    return false;
}

void ag_share_parts(struct ag_parse *p)
{
    size_t percent = percent_at(p);
    size_t verb;
    size_t hinge;

    if (p->part_at) {
        mark_parts(p, p->part_at - 1);
        return;
    }
    if (percent == SIZE_MAX || p->outcome_share)
        return;
    if (is_ratio_of_two(p, percent)) {
        ag_stop(p, AG_NOT_UNDERSTOOD,
                ag_say(p, "한 건수를 다른 건수로 나눌 수는 없습니다.",
                       "One number cannot be divided by another yet."),
                ag_say(p, "예: \"오늘 에러 수와 경고 수\", \"오늘 5xx 비율\"",
                       "For example \"errors and warnings today\" or \"5xx rate today\"."));
        return;
    }
    verb = share_verb(p, percent);
    if (verb != SIZE_MAX && p->mention_count > 0) {
        if (!mark_first(p, percent, verb))
            ask_which_part(p);
        return;
    }
    hinge = korean_hinge(p);
    if (hinge == SIZE_MAX && !ag_is_korean(p, percent))
        hinge = english_hinge(p, percent);
    /* 에러의 몇 %가 결제야 */
    if (hinge == SIZE_MAX && percent > 0 && strncmp(ag_word(p, percent), "몇", strlen("몇")) == 0 &&
        strcmp(ag_word(p, percent - 1), "의") == 0)
        hinge = percent;
    if (says_the_whole_last(p, percent, hinge) ||
        (hinge != SIZE_MAX && hinge > 0 &&
         (is_of_records(p, hinge - 1) || ag_mention_ending(p, hinge) || hinge == percent) &&
         has_several_parts(p, hinge)))
        ask_which_part(p);
    else if (hinge != SIZE_MAX)
        mark_parts(p, hinge);
}

/* "of them", "of which", 그중: the whole stands before it. */
static bool points_at_the_whole(const struct ag_parse *p, size_t i)
{
    static const char *const words[] = {"그중",      "그 중",      "그중에",       "그중에서",
                                        "그 중에",   "그 중에서",  "이중",         "이 중",
                                        "그 가운데", "그중에서도", "of those",     "of these",
                                        "of them",   "among them", "out of those", "of which"};

    return ag_says(p, i, words, sizeof words / sizeof *words);
}

/* "how many errors today, and how many of them are FATAL", 에러 몇 건이고 그중 FATAL은 몇 건: a number of the
 * whole and of a part. */
void ag_part_rule(struct ag_parse *p)
{
    static const char *const them[] = {"them", "those", "these", "which"};

    for (size_t i = 1; i < p->tokens->count; i++) {
        bool whole = false;
        bool counted = false;
        size_t end = i + 1;
        if (p->tokens->items[i].rule)
            continue;
        if (strcmp(ag_word(p, i), "of") == 0 && ag_says(p, i + 1, them, sizeof them / sizeof *them))
            end = i + 2;
        else if (!points_at_the_whole(p, i))
            continue;
        for (size_t k = 0; k < i; k++) {
            whole = whole || ag_reads(p, k, AG_C_LOG) || ag_reads(p, k, AG_C_REQUEST);
            counted = counted || ag_reads(p, k, AG_C_COUNT);
        }
        for (size_t k = 0; k < p->mention_count; k++)
            whole = whole || p->mentions[k].to <= i;
        if (!whole || !counted)
            continue;
        ag_consume(p->tokens, i, end, "part");
        p->part_at = i + 1;
        return;
    }
}

static void part_filter(const struct ag_parse *p, struct ag_filter *part)
{
    *part = (struct ag_filter){0};
    for (size_t k = 0; k < p->mention_count; k++) {
        const struct ag_mention *m = &p->mentions[k];
        if (!m->of_part)
            continue;
        part->field = m->field;
        part->key = m->key;
        part->op = m->op;
        if (m->value && part->value_count < AG_MAX_VALUES)
            part->values[part->value_count++] = m->value;
    }
}

static void set_share(struct decision *d, const struct ag_filter *part)
{
    struct ag_intent *in = d->intent;

    if (in->filter_count == AG_MAX_FILTERS) {
        ag_stop(d->p, AG_NOT_UNDERSTOOD,
                ag_say(d->p, "조건이 너무 많습니다.", "There are too many conditions."), NULL);
        return;
    }
    in->filters[in->filter_count++] = *part;
    ag_use(d, AG_C_PERCENT);
    ag_set_measure(d, AG_SHARE, AG_NO_FIELD);
}

/* 서비스별 에러 비중, "share of errors by service": each one's error rate, or its part of all errors? */
static bool is_of_each(const struct decision *d)
{
    const char *word = ag_word(d->p, d->p->said[AG_C_PERCENT] - 1);

    return d->intent->group_count > 0 && ag_has_error_filter(d->intent) &&
           (strncmp(word, "share", 5) == 0 || strncmp(word, "what share", 10) == 0 || strstr(word, "비중") ||
            strcmp(word, "percentages") == 0 || ag_heard(d, AG_C_DISTRIBUTION));
}

bool ag_share_rule(struct decision *d)
{
    struct ag_found *found = &d->p->found;
    struct ag_filter part;

    if ((!ag_heard(d, AG_C_PERCENT) && !d->p->part_at) || d->p->outcome_share)
        return false;
    part_filter(d->p, &part);
    if (d->p->part_at && part.field == AG_NO_FIELD) {
        ag_stop(d->p, AG_NOT_UNDERSTOOD,
                ag_say(d->p, "전체 가운데 어느 부분을 세는지 알 수 없습니다.",
                       "It is not clear which part of the whole is to be counted."),
                ag_say(d->p, "예: \"오늘 에러 몇 건이고 그중 FATAL은 몇 건?\"",
                       "For example \"how many errors today, and how many of them are FATAL?\""));
        return true;
    }
    if (part.field != AG_NO_FIELD && !found->length_set) {
        if (ag_heard(d, AG_C_REQUEST))
            ag_add_requests(d);
        set_share(d, &part);
        return true;
    }
    if (part.field != AG_NO_FIELD) {
        ag_stop(d->p, AG_NOT_UNDERSTOOD,
                ag_say(d->p, "비율의 부분이 둘 이상입니다.", "More than one part of a share was said."),
                NULL);
        return true;
    }
    if (found->length_set && !found->threshold.set) {
        if (ag_heard(d, AG_C_REQUEST))
            ag_add_requests(d);
        ag_filter_add(d->p, AG_DURATION, NULL, AG_NOT_NULL, NULL);
        part = (struct ag_filter){.field = AG_DURATION, .op = found->length_op, .value_count = 1};
        part.values[0] = ag_sayf(d->p, "%.15g", found->length_ms);
        found->length_set = false;
        ag_use(d, AG_C_SLOW);
        ag_use(d, AG_C_DURATION);
        set_share(d, &part);
        ag_assume(d->p, "share_of_timed", "소요 시간이 있는 기록 가운데에서의 비율입니다.",
                  "The share is among the records that have a duration.");
        return true;
    }
    if (is_of_each(d)) {
        ag_stop(d->p, AG_NEEDS_CLARIFICATION,
                ag_say(d->p, "각각의 에러율인지, 전체 에러 가운데 각각이 차지하는 몫인지 분명하지 않습니다.",
                       "It is not clear whether the error rate of each is meant or its part of all errors."),
                ag_say(d->p, "예: \"서비스별 에러율\", \"서비스별 에러 건수\"",
                       "For example \"error rate by service\" or \"errors by service\"."));
        return true;
    }
    return false;
}
