/*
 * Questions of more than one step, which one statement would answer wrongly: what the service with the most
 * errors also had, what those did who had errors, what came then, the last few records by who left them, one
 * name then against another name now, and a second question that is one name. They are held back, but for the
 * last, which asks for each of the names; and but for so many of each, which one statement can pick.
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

/* Behind the words of "top 3", 5건; 0 where none were said. */
static size_t limit_end(const struct ag_parse *p)
{
    size_t end = 0;

    for (size_t i = 0; i < p->tokens->count; i++) {
        const char *rule = p->tokens->items[i].rule;
        if (rule && strcmp(rule, "limit") == 0)
            end = i + 1;
    }
    return end;
}

static const char *const each[] = {"per",     "for each", "for every", "from each", "in each",
                                   "of each", "each",     "every",     "in every"};

/* 상위 3개씩, "top 3 per service", "the last 5 for each host" */
static bool asks_so_many_of_each(const struct ag_parse *p)
{
    size_t end = limit_end(p);

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

bool ag_asks_for_many(const struct ag_parse *p, const struct ag_group *ranked)
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
    if (in->limit == 0 && (ag_asks_for_many(p, &in->groups[1]) || ag_heard(d, AG_C_ORDER)))
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

/* What the intent measures, in the terms of what it may be ranked by. */
static enum kind kind_measured(const struct ag_intent *in)
{
    if (in->measure.field == AG_DURATION)
        return DURATIONS;
    return in->measure.fn == AG_ERROR_RATE || in->measure.fn == AG_FAILURE_RATE || in->measure.fn == AG_SHARE
               ? RATES
               : RECORDS;
}

/* What the words right before token `i`, or right behind it, measure: 에러 수 상위, "by number of errors". */
static enum kind kind_beside(const struct ag_parse *p, size_t i, bool behind)
{
    while (behind ? ++i < p->tokens->count : i-- > 0) {
        enum kind kind = kind_of(p, i);
        if (kind != NO_KIND)
            return kind;
        if (!ag_reads(p, i, AG_C_PARTICLE) && !ag_reads(p, i, AG_C_COUNT) && !ag_reads(p, i, AG_C_NOISE) &&
            !ag_reads(p, i, AG_C_TOTAL) && !ag_reads(p, i, AG_C_VERB))
            break;
    }
    return NO_KIND;
}

/* 가장 많이 호출된, "most called": how often, said by the verb alone. 가장 많이 걸린 is of time. */
static bool ranks_by_calls(const struct ag_parse *p, size_t i)
{
    static const char *const words[] = {"most called", "most requested", "most visited",
                                        "most hit",    "most used",      "most active"};
    const char *verb = ag_word(p, i + 1);

    if (!ag_reads(p, i, AG_C_MOST))
        return false;
    return ag_is_korean(p, i) ? strstr(ag_word(p, i), "많이") && ag_reads(p, i + 1, AG_C_VERB) &&
                                    strncmp(verb, "걸", strlen("걸")) != 0
                              : ag_says(p, i, words, sizeof words / sizeof *words);
}

/* 요청 수 상위 10개 엔드포인트 p95, "top 3 services by errors and their p95": ranked by one number, and
 * another is asked for. */
static bool ranks_by_another(const struct ag_parse *p)
{
    enum kind measured = kind_measured(p->intent);

    for (size_t i = 0; i < p->tokens->count && measured != RECORDS; i++) {
        bool korean = ag_is_korean(p, i) && (ag_reads(p, i, AG_C_TOP) || ag_reads(p, i, AG_C_BOTTOM) ||
                                             ag_reads(p, i, AG_C_MOST) || ag_reads(p, i, AG_C_FEWEST));
        bool english = p->intent->rank && strcmp(ag_word(p, i), "by") == 0;
        enum kind ranked = korean || english ? kind_beside(p, i, english) : NO_KIND;
        if (ranked == ERRORS || ranked == RECORDS || (ranked == NO_KIND && ranks_by_calls(p, i)))
            return true;
    }
    return false;
}

static bool said_with_by(const struct ag_parse *p, const struct ag_target *target)
{
    size_t before = target->from > 0 ? ag_before(p, target->from) : SIZE_MAX;

    return ag_reads(p, target->to, AG_C_BY) || ag_reads(p, ag_after(p, target->to - 1), AG_C_BY_AFTER) ||
           (before != SIZE_MAX && (ag_reads(p, before, AG_C_BY_BEFORE) || ag_reads(p, before, AG_C_EACH) ||
                                   ag_reads(p, before, AG_C_EVERY)));
}

static bool has_mention_between(const struct ag_parse *p, size_t from, size_t to)
{
    for (size_t k = 0; k < p->mention_count; k++) {
        if (p->mentions[k].from >= from && p->mentions[k].to <= to)
            return true;
    }
    return false;
}

/* 에러 난 사용자가 접속한 서비스, "endpoints called by users who had errors": what those did, at whatever
 * time. "services that hosts with errors run" and other ways of saying it count as well. */
static bool is_of_those(const struct ag_parse *p, const struct ag_target *first, const struct ag_target *next)
{
    static const char *const relative[] = {"that", "which", "where", "whose"};
    bool verb = false;
    bool korean = ag_is_korean(p, first->from);

    for (size_t i = first->to; i < next->from; i++) {
        if (ag_joins_list(p, i) || ag_reads(p, i, AG_C_AND) || ag_reads(p, i, AG_C_STOP))
            return false;
        verb = verb || ag_reads(p, i, AG_C_VERB) || ag_reads(p, i, AG_C_CONTAINS) ||
               ag_says(p, i, relative, sizeof relative / sizeof *relative);
    }
    return verb && (korean ? has_mention_between(p, 0, first->from)
                           : has_mention_between(p, next->to, p->tokens->count));
}

/* "total users and users with errors", 요청 10건 이상 보낸 사용자 중 에러 난 사용자: two groups of people. */
static bool is_said_again(const struct ag_parse *p, const struct ag_target *first,
                          const struct ag_target *next)
{
    bool joined = has_mention_between(p, first->to, next->from);

    if (ag_said(p, AG_C_SAME) && p->said[AG_C_SAME] == first->from)
        return false; /* 한 IP에서 20번 넘은 IP */
    for (size_t i = first->to; i < next->from; i++) {
        const char *rule = p->tokens->items[i].rule;
        joined = joined || ag_reads(p, i, AG_C_AND) || (rule && strcmp(rule, "threshold") == 0);
    }
    return joined;
}

static bool has_two_groups(const struct ag_parse *p)
{
    for (size_t a = 0; a < p->target_count; a++) {
        for (size_t b = 0; b < p->target_count; b++) {
            const struct ag_target *first = &p->targets[a];
            const struct ag_target *next = &p->targets[b];
            if (first->to > next->from || first->field == AG_METADATA || said_with_by(p, first) ||
                said_with_by(p, next))
                continue;
            if (first->field == next->field ? is_said_again(p, first, next) : is_of_those(p, first, next))
                return true;
        }
    }
    return false;
}

/* 에러 난 세션의 전체 로그, "logs of sessions with errors": all records of those that had some. */
static bool asks_for_records_of_groups(const struct ag_parse *p)
{
    static const char *const of[] = {"of", "from", "for", "of the", "in"};

    for (size_t k = 0; k < p->target_count; k++) {
        const struct ag_target *target = &p->targets[k];
        size_t i = target->to;
        if (said_with_by(p, target))
            continue;
        if (ag_is_korean(p, target->from)) {
            while (ag_reads(p, i, AG_C_PARTICLE) || ag_reads(p, i, AG_C_TOTAL) || ag_reads(p, i, AG_C_NOISE))
                i++;
            if (i > target->to && ag_reads(p, i, AG_C_LOG) && has_mention_between(p, 0, target->from))
                return true;
        } else if (has_mention_between(p, target->to, p->tokens->count)) {
            for (i = target->from;
                 i > 0 && ag_reads(p, i - 1, AG_C_NOISE) && !ag_says(p, i - 1, of, sizeof of / sizeof *of);
                 i--) {}
            if (i > 1 && ag_says(p, i - 1, of, sizeof of / sizeof *of) && ag_reads(p, i - 2, AG_C_LOG))
                return true;
        }
    }
    return false;
}

/* 최근 에러 5건의 사용자: so many records, and then who left them. */
static bool groups_a_few_records(const struct ag_parse *p)
{
    size_t end = limit_end(p);

    if (end == 0 || strcmp(ag_word(p, end - 1), "건") != 0 || ag_said(p, AG_C_TOP) ||
        ag_said(p, AG_C_BOTTOM) || ag_said(p, AG_C_MOST) || ag_said(p, AG_C_FEWEST))
        return false;
    for (size_t k = 0; k < p->target_count; k++) {
        if (p->targets[k].from >= end)
            return true;
    }
    return false;
}

/* "users who had an error and then logged in": one after the other. */
static bool comes_then(const struct ag_parse *p)
{
    for (size_t i = 1; i < p->tokens->count; i++) {
        if (strcmp(ag_word(p, i), "then") == 0 &&
            (ag_reads(p, i - 1, AG_C_AND) || ag_reads(p, i - 1, AG_C_COMMA)) &&
            has_mention_between(p, 0, i - 1))
            return true;
    }
    return false;
}

/* 첫 5분, 이번 달 첫날, 지난주 마지막 날, "the first hour": a piece of a time, not a record. */
static bool is_piece_of_a_time(const struct ag_parse *p)
{
    for (size_t i = 0; i < p->tokens->count; i++) {
        size_t next = ag_after(p, i);
        const char *slot = ag_reads_value(p, next, AG_C_TIME_SLOT);
        const char *rule = p->tokens->items[i].rule;
        bool last = ag_reads(p, i, AG_C_FINAL) && ag_is_korean(p, i);
        bool timed = false;
        for (size_t k = 0; k < p->time_count; k++)
            timed = timed || (i >= p->times[k].from && i < p->times[k].to);
        if (!(ag_reads(p, i, AG_C_FIRST) || last) || ag_reads(p, i, AG_C_NEW) || !rule || timed)
            continue;
        if ((slot && *slot == 'd') || ag_reads(p, next, AG_C_WEEKEND) ||
            (ag_reads(p, next, AG_C_UNIT) && strcmp(ag_reads_value(p, next, AG_C_UNIT), "ms") != 0) ||
            (ag_reads(p, next, AG_C_NUMBER) && ag_reads(p, next + 1, AG_C_UNIT)) ||
            (ag_reads(p, next, AG_C_SPAN) && !last))
            return true;
    }
    return false;
}

static bool is_other_word_of(const struct ag_mention *a, const struct ag_mention *b)
{
    return a->field != b->field || strcmp(a->value ? a->value : "", b->value ? b->value : "") != 0;
}

/* Is token `i` what a name before it is asked about: records, requests, durations? */
static bool is_asked_of_it(const struct ag_parse *p, size_t i)
{
    return ag_reads(p, i, AG_C_LOG) || ag_reads(p, i, AG_C_REQUEST) || ag_reads(p, i, AG_C_RESPONSE);
}

/* 결제 에러와 주문 경고, "payment errors and order warnings": each name has a condition of its own, and both
 * conditions of both names would be more than that. */
static bool is_paired(const struct ag_parse *p)
{
    for (size_t k = 0; k < p->mention_count * p->mention_count; k++) {
        const struct ag_mention *a = &p->mentions[k / p->mention_count];
        const struct ag_mention *c = &p->mentions[k % p->mention_count];
        const struct ag_mention *own = NULL;
        const struct ag_mention *last = NULL;
        bool asked = false;
        if (a->field != c->field || a->to > c->from || a->negated || c->negated || a->op != AG_IN ||
            c->op != AG_IN || strcmp(a->value, c->value) == 0 || a->field == AG_MESSAGE)
            continue;
        for (size_t n = 0; n < p->mention_count; n++) {
            const struct ag_mention *m = &p->mentions[n];
            if (m->field == a->field || m->negated || m->of_part)
                continue;
            if (m->from >= a->to && m->to <= c->from && !(own && own->from == m->from))
                own = m;
            last = m->from >= c->to && !last ? m : last;
        }
        for (size_t i = c->to; own && !last && i < p->tokens->count && i <= c->to + 1; i++)
            asked = asked || is_asked_of_it(p, i);
        if (own && (last ? is_other_word_of(own, last) : asked && ag_joins_list(p, own->to)))
            return true;
    }
    return false;
}

void ag_steps_rule(struct ag_parse *p)
{
    bool nested = false;

    for (size_t i = 0; i < p->tokens->count; i++) {
        if (is_superlative(p, i))
            nested = nested || (ag_is_korean(p, i) ? korean_step(p, i) : english_step(p, i));
    }
    if (nested || ranks_by_another(p))
        ag_stop(p, AG_NOT_UNDERSTOOD,
                ag_say(p, "먼저 누가 가장 많은지, 다음에 그것에 대해 따로 물어봐 주세요.",
                       "Ask first who had the most, then about that one."),
                ag_say(p, "예: \"에러가 가장 많은 서비스\", 이어서 \"결제 서비스 p95\"",
                       "For example \"service with the most errors\", then \"p95 of payment-service\"."));
    if (has_two_groups(p) || asks_for_records_of_groups(p) || groups_a_few_records(p) || comes_then(p))
        ag_stop(p, AG_NOT_UNDERSTOOD,
                ag_say(p, "먼저 누가 그런지, 다음에 그들이 무엇을 했는지 따로 물어봐 주세요.",
                       "Ask first who that was, then what those did."),
                ag_say(p, "예: \"오늘 에러를 겪은 사용자\", 이어서 \"u1001 로그\"",
                       "For example \"users with errors today\", then \"logs of user u1001\"."));
    if (is_piece_of_a_time(p))
        ag_stop(p, AG_NOT_UNDERSTOOD,
                ag_say(p, "기간의 처음이나 끝을 뜻하는 말은 아직 다루지 않습니다.",
                       "The beginning or end of a window is not supported yet."),
                ag_say(p, "예: \"3월 1일 에러\", \"오늘 0시부터 0시 5분까지 에러\"",
                       "For example \"errors today from 0:00 to 0:05\"."));
    if (is_paired(p))
        ag_stop(p, AG_NOT_UNDERSTOOD,
                ag_say(p, "이름마다 다른 조건을 한꺼번에 셀 수 없습니다.",
                       "Names with a condition of their own each cannot be put into one number."),
                ag_say(p, "예: \"결제 에러 몇 건이고 주문 경고 몇 건?\"",
                       "For example \"how many payment errors, and how many order warnings?\""));
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
