/*
 * Questions of more than one step, which one statement would answer wrongly: what the service with the most
 * errors also had, one name then against another name now, and a second question that is one name. They are
 * held back, but for the last, which asks for each of the names; and but for so many of each, which one
 * statement can pick.
 */
#include "agent/understand/decision.h"

#include <string.h>

enum kind { NO_KIND, ERRORS, DURATIONS, RATES, RECORDS, FIELDS };

/* What token `i` measures, be it in passing. */
static enum kind kind_of(const struct ag_parse *p, size_t i)
{
    const char *rule = i < p->tokens->count ? p->tokens->items[i].rule : NULL;

    if (ag_reads(p, i, AG_C_RATE) || ag_reads(p, i, AG_C_FAIL_RATE))
        return RATES;
    if (ag_reads(p, i, AG_C_DURATION) || ag_reads(p, i, AG_C_SLOWEST) || ag_reads(p, i, AG_C_FASTEST) ||
        ag_reads(p, i, AG_C_SLOW) || (rule && strcmp(rule, "percentile") == 0))
        return DURATIONS;
    if (ag_reads(p, i, AG_C_FIELD))
        return FIELDS;
    if (ag_reads(p, i, AG_C_ERROR) || ag_reads(p, i, AG_C_LEVEL))
        return ERRORS;
    if (ag_reads(p, i, AG_C_REQUEST) || ag_reads(p, i, AG_C_LOG) || ag_reads(p, i, AG_C_BUSIEST) ||
        ag_reads(p, i, AG_C_QUIETEST))
        return RECORDS;
    return NO_KIND;
}

static bool is_superlative(const struct ag_parse *p, size_t i)
{
    static const enum ag_concept all[] = {AG_C_MOST,    AG_C_FEWEST,  AG_C_HIGHEST, AG_C_LOWEST,
                                          AG_C_SLOWEST, AG_C_FASTEST, AG_C_BUSIEST, AG_C_QUIETEST};

    for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
        if (ag_reads(p, i, all[k]))
            return true;
    }
    return false;
}

/* 에러가 가장 많은 서비스의 p95: behind "of" stands something else than what is ranked by. */
static bool korean_step(const struct ag_parse *p, size_t most)
{
    size_t field = most + 1;
    bool other = false;

    while (ag_reads(p, field, AG_C_VERB) || ag_reads(p, field, AG_C_ENDING) ||
           ag_reads(p, field, AG_C_PARTICLE))
        field++;
    if (!ag_reads(p, field, AG_C_FIELD) || strcmp(ag_word(p, field + 1), "의") != 0)
        return false;
    for (size_t i = field + 2; i < p->tokens->count; i++) {
        enum kind kind = kind_of(p, i);
        bool ranked = kind == kind_of(p, most);
        for (size_t k = 0; k < most; k++)
            ranked = ranked || (kind == kind_of(p, k) && kind != FIELDS);
        other = other || (kind != NO_KIND && !ranked) || ag_reads(p, i, AG_C_LIST);
    }
    return other;
}

/* "p95 of the service with the most errors", "errors on the slowest endpoint" */
static bool english_step(const struct ag_parse *p, size_t most)
{
    static const char *const of[] = {"of", "of the", "for", "on", "in", "from", "by"};
    bool with = false;
    size_t i = most;
    enum kind asked = NO_KIND;
    enum kind ranked = kind_of(p, most);

    while (i > 0 && strcmp(ag_word(p, i - 1), "of the") != 0 &&
           (ag_reads(p, i - 1, AG_C_NOISE) || strcmp(ag_word(p, i - 1), "with") == 0)) {
        with = with || !ag_reads(p, i - 1, AG_C_NOISE) || strcmp(ag_word(p, i - 1), "that") == 0;
        i--;
    }
    if (with) {
        if (i == 0 || !ag_reads(p, i - 1, AG_C_FIELD))
            return false;
        ranked = kind_of(p, most + 1);
        i--;
        while (i > 0 && ag_reads(p, i - 1, AG_C_NOISE) && strcmp(ag_word(p, i - 1), "of the") != 0)
            i--;
    } else if (!ag_reads(p, most + 1, AG_C_FIELD) || ranked == NO_KIND) {
        return false;
    }
    if (i == 0 || !ag_says(p, i - 1, of, sizeof of / sizeof *of))
        return false;
    for (size_t k = i - 1; k-- > 0 && asked == NO_KIND;)
        asked = kind_of(p, k);
    return asked != NO_KIND && asked != ranked;
}

static const char *const each[] = {"per",     "for each", "for every", "from each", "in each",
                                   "of each", "each",     "every",     "in every"};

/* 상위 3개씩, "top 3 per service", "the last 5 for each host" */
static bool asks_so_many_of_each(const struct ag_parse *p)
{
    size_t end = 0;

    for (size_t i = 0; i < p->tokens->count; i++) {
        const char *rule = p->tokens->items[i].rule;
        if (rule && strcmp(rule, "limit") == 0)
            end = i + 1;
    }
    if (end == 0 || p->found.limit == 0)
        return false;
    if (strncmp(ag_word(p, end), "씩", strlen("씩")) == 0)
        return p->found.limit > 1 || p->target_count > 0;
    for (size_t i = end; i < end + 4 && i < p->tokens->count; i++) {
        if (ag_says(p, i, each, sizeof each / sizeof *each) || ag_reads(p, i, AG_C_EACH))
            return p->target_count > 0;
        if (kind_of(p, i) == NO_KIND && !ag_reads(p, i, AG_C_PATTERN) && !ag_reads(p, i, AG_C_MOST))
            return false;
    }
    return false;
}

/* "per service", "of each service" */
static bool divides(const struct ag_parse *p, const struct ag_target *target)
{
    return target->from > 0 && (ag_says(p, target->from - 1, each, sizeof each / sizeof *each) ||
                                ag_reads(p, target->from - 1, AG_C_EACH));
}

/* What divides comes first, whatever was said first. */
static void divider_first(const struct ag_parse *p, struct ag_intent *in)
{
    for (size_t i = 0; i < p->target_count; i++) {
        if (divides(p, &p->targets[i]) && p->targets[i].field == in->groups[1].field) {
            const struct ag_group second = in->groups[1];
            in->groups[1] = in->groups[0];
            in->groups[0] = second;
            return;
        }
    }
}

/* "endpoints": more than the first of each is asked for, but not how many. */
static bool asks_for_many(const struct ag_parse *p, const struct ag_group *ranked)
{
    for (size_t i = 0; i < p->target_count; i++) {
        const struct ag_target *target = &p->targets[i];
        const char *last = ag_word(p, target->to - 1);
        size_t len = strlen(last);
        if (target->field != ranked->field)
            continue;
        if (ag_is_korean(p, target->to - 1) ? strncmp(ag_word(p, target->to), "들", strlen("들")) == 0
                                            : len > 1 && last[len - 1] == 's' && last[len - 2] != 's')
            return true;
    }
    return false;
}

void ag_of_each_rule(struct decision *d, size_t divided)
{
    struct ag_intent *in = d->intent;
    struct ag_parse *p = d->p;
    bool said = asks_so_many_of_each(p);
    bool wanted = said || (in->group_count == 2 && divided == 1 && in->rank);

    if (p->stopped || !wanted)
        return;
    if (in->limit == 0 && (asks_for_many(p, &in->groups[1]) || ag_heard(d, AG_C_ORDER)))
        return;
    if (in->group_count == 2)
        divider_first(p, in);
    in->each = in->limit > 0 ? in->limit : 1;
    in->limit = 0;
    if (!ag_intent_ranks_each(in) || in->each > AG_MAX_EACH)
        ag_stop(p, AG_NOT_UNDERSTOOD,
                ag_say(p, "무엇마다 무엇을 몇 개씩 고를지 알 수 없습니다.",
                       "It is not clear of what so many are asked for, for each of what."),
                ag_say(p, "예: \"서비스별 에러 타입 상위 3개\"",
                       "For example \"top 3 error types of each service\"."));
}

void ag_steps_rule(struct ag_parse *p)
{
    bool nested = false;

    for (size_t i = 0; i < p->tokens->count; i++) {
        if (is_superlative(p, i))
            nested = nested || (ag_is_korean(p, i) ? korean_step(p, i) : english_step(p, i));
    }
    if (nested)
        ag_stop(p, AG_NOT_UNDERSTOOD,
                ag_say(p, "먼저 누가 가장 많은지, 다음에 그것에 대해 따로 물어봐 주세요.",
                       "Ask first who had the most, then about that one."),
                ag_say(p, "예: \"에러가 가장 많은 서비스\", 이어서 \"결제 서비스 p95\"",
                       "For example \"service with the most errors\", then \"p95 of payment-service\"."));
}

/* How many times are said between tokens [from, to)? */
static size_t times_between(const struct ag_parse *p, size_t from, size_t to)
{
    size_t n = 0;

    for (size_t k = 0; k < p->time_count; k++)
        n += p->times[k].from >= from && p->times[k].from < to;
    return n;
}

bool ag_is_crossed(const struct ag_parse *p)
{
    for (size_t a = 0; a < p->mention_count; a++) {
        for (size_t b = 0; b < p->mention_count; b++) {
            const struct ag_mention *left = &p->mentions[a];
            const struct ag_mention *right = &p->mentions[b];
            if (left->field != right->field || left->field == AG_LEVEL || left->to > right->from ||
                left->op != AG_IN || right->op != AG_IN || left->negated || right->negated ||
                strcmp(left->value, right->value) == 0)
                continue;
            if (times_between(p, left->to, right->from) == 1 &&
                (times_between(p, 0, left->from) == 1 || times_between(p, right->to, p->tokens->count) == 1))
                return true;
        }
    }
    return false;
}

/* Is what ends at token `i` and begins at `from` a question of its own: "몇 건? 주문은?", "…? And order?" */
static bool stands_as_question(const struct ag_parse *p, size_t from, size_t i)
{
    static const char *const topics[] = {"은", "는", "도", "은요", "는요"};
    size_t before = from;
    bool topic = ag_says(p, i, topics, sizeof topics / sizeof *topics);

    while (before > 0 && (ag_reads(p, before - 1, AG_C_AND) || ag_reads(p, before - 1, AG_C_NOISE) ||
                          ag_reads(p, before - 1, AG_C_PREPOSITION)))
        before--;
    if (before < 2 || !ag_reads(p, before - 1, AG_C_STOP) || strcmp(ag_word(p, before - 1), "?") != 0)
        return false;
    if (!topic && (ag_is_korean(p, from) || before == from))
        return false;
    for (i += topic; i < p->tokens->count; i++) {
        if (!ag_reads(p, i, AG_C_STOP) && !ag_reads(p, i, AG_C_ENDING) && !ag_reads(p, i, AG_C_SERVICE_WORD))
            return false;
    }
    return true;
}

bool ag_asks_again(struct ag_parse *p)
{
    for (size_t k = 0; k < p->mention_count; k++) {
        const struct ag_mention *last = &p->mentions[k];
        bool counterpart = false;
        if (last->negated || !stands_as_question(p, last->from, last->to))
            continue;
        for (size_t i = 0; i < p->mention_count; i++)
            counterpart = counterpart || (i != k && p->mentions[i].field == last->field &&
                                          p->mentions[i].to <= last->from && !p->mentions[i].negated);
        if (!counterpart)
            ag_stop(p, AG_NOT_UNDERSTOOD,
                    ag_say(p, "두 가지를 한꺼번에 물었습니다.", "Two things are asked at once."),
                    ag_say(p, "하나씩 물어봐 주세요.", "Ask for one at a time."));
        return counterpart;
    }
    return false;
}
