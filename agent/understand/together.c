/*
 * What is asked of all of a kind at once: "all services combined", 전체 서비스 합쳐서, 서비스 구분 없이,
 * "regardless of region", "how many errors across all services". The kind named so is neither broken down by
 * nor a condition.
 */
#include "agent/understand/parse.h"
#include "agent/understand/window.h"

#include <string.h>

#define COUNT_OF(words) (sizeof words / sizeof *words)

static bool is_quantifier(const struct ag_parse *p, size_t i)
{
    static const char *const words[] = {"all", "all the", "all of the", "all of our", "every",
                                        "any", "전체",    "모든",       "전",         "각"};

    return ag_says(p, i, words, COUNT_OF(words)) || ag_reads(p, i, AG_C_TOTAL);
}

/* Where "all of our" and 전체 begin before the kind at `from`; `from` where nothing says that all are meant.
 */
static size_t quantified(const struct ag_parse *p, size_t from)
{
    static const char *const passed[] = {"the", "our", "of"};
    size_t start = from;

    for (size_t i = from; i > 0 && !ag_reads(p, i - 1, AG_C_BY_BEFORE); i--) {
        if (is_quantifier(p, i - 1))
            start = i - 1;
        else if (!ag_says(p, i - 1, passed, COUNT_OF(passed)))
            break;
    }
    return start;
}

/* Put into one: 합쳐서, 합산, "combined". "Combined with" and 서비스 합계 are not that. */
static bool puts_together(const struct ag_parse *p, size_t i)
{
    static const char *const sums[] = {"총", "합계", "total", "overall", "in all"};

    if (strcmp(ag_word(p, i + 1), "with") == 0)
        return false;
    return strcmp(ag_word(p, i), "together") == 0 ||
           (ag_reads(p, i, AG_C_TOTAL) && *ag_reads_value(p, i, AG_C_TOTAL) != '\0' &&
            !ag_says(p, i, sums, COUNT_OF(sums)));
}

/* Behind the kind: the token behind what puts it together, or `to`. */
static size_t past_together(const struct ag_parse *p, size_t to)
{
    static const char *const fillers[] = {"taken", "put",  "added", "lumped", "all",
                                          "다",    "전부", "모두",  "싹"};
    size_t at = ag_after(p, to - 1);

    if (ag_is(p->tokens, at, AG_C_WHATEVER) && ag_is_korean(p, at))
        return at + 1;
    for (int n = 0; n < 2 && !puts_together(p, at) && ag_says(p, at, fillers, COUNT_OF(fillers)); n++)
        at = ag_after(p, at);
    return puts_together(p, at) ? at + 1 : to;
}

/* "top 5 errors", "most common errors": not "most errors", which somebody has. */
static bool ranks_errors(const struct ag_parse *p)
{
    static const char *const words[] = {"top", "most common", "most frequent", "commonest"};

    for (size_t i = 0; i < p->tokens->count; i++) {
        size_t next = ag_reads(p, i + 1, AG_C_NUMBER) ? i + 2 : i + 1;
        if (ag_says(p, i, words, COUNT_OF(words)) && ag_reads(p, next, AG_C_ERROR))
            return true;
    }
    return false;
}

/* "how many errors across all services", 전체 서비스에서 에러 몇 건, "the slowest endpoints across all
 * services": one number, its course, or a ranking of others. Which of the services, or how they compare, is
 * asked of each. */
static bool is_of_all(const struct ag_parse *p, size_t all, const struct ag_target *target)
{
    static const enum ag_concept picked[] = {AG_C_WHICH,  AG_C_MOST,    AG_C_FEWEST,  AG_C_TOP,
                                             AG_C_BOTTOM, AG_C_HIGHEST, AG_C_LOWEST,  AG_C_COMPARE,
                                             AG_C_EACH,   AG_C_LIST,    AG_C_SLOWEST, AG_C_FASTEST};
    static const enum ag_concept one[] = {AG_C_COUNT, AG_C_SERIES,    AG_C_BY_TIME, AG_C_PER,
                                          AG_C_RATE,  AG_C_FAIL_RATE, AG_C_AVERAGE, AG_C_PERCENTILE};
    static const char *const whole[] = {"전체", "전"};
    bool korean = ag_says(p, all, whole, COUNT_OF(whole));
    bool single = false;

    if (korean ? ag_reads(p, ag_after(p, target->to - 1), AG_C_COUNT) /* 전체 세션 수 */
               : all == 0 || strcmp(ag_word(p, all - 1), "across") != 0)
        return false;
    if (p->target_count > 1 || ranks_errors(p))
        return true;
    for (size_t i = 0; i < p->tokens->count; i++) {
        for (size_t k = 0; k < COUNT_OF(picked); k++) {
            if (ag_reads(p, i, picked[k]))
                return false;
        }
        for (size_t k = 0; k < COUNT_OF(one); k++)
            single = single || ag_reads(p, i, one[k]);
    }
    return single;
}

bool ag_are_put_together(const struct ag_parse *p)
{
    for (size_t i = 0; i < p->tokens->count; i++) {
        if (puts_together(p, i))
            return true;
    }
    return false;
}

static void drop_target(struct ag_parse *p, size_t k)
{
    memmove(&p->targets[k], &p->targets[k + 1], (p->target_count - k - 1) * sizeof *p->targets);
    p->target_count--;
}

/* 전체 서비스 에러율 비교, "compare error rates of all services": with each other, where nothing else is said
 * that they are compared with. */
static bool are_compared(const struct ag_parse *p)
{
    bool compared = false;

    for (size_t i = 0; i < p->tokens->count; i++)
        compared = compared || ag_says(p, i, (const char *const[]){"비교", "compare"}, 2);
    return compared && (p->time_count == 0 || (p->time_count == 1 && !ag_is_set_against(p, &p->times[0])));
}

/* 결제랑 주문 합쳐서, "payment and order combined": names put together, and no first few. */
static bool are_names_put_together(const struct ag_parse *p)
{
    for (size_t i = 0; i < p->tokens->count; i++) {
        if (puts_together(p, i) && ag_mention_ending(p, i))
            return true;
    }
    return false;
}

static bool is_limited(const struct ag_parse *p, size_t from)
{
    const char *rule = from > 0 ? p->tokens->items[from - 1].rule : NULL;

    return rule && strcmp(rule, "limit") == 0;
}

void ag_together_rule(struct ag_parse *p)
{
    bool dropped = false;

    for (size_t k = p->target_count; k-- > 0;) {
        struct ag_target *target = &p->targets[k];
        size_t from = quantified(p, target->from);
        size_t to = target->to;
        size_t end = past_together(p, to);
        if (end == to && from < target->from && are_compared(p)) {
            target->grouped = true;
            ag_consume(p->tokens, target->from, to, "group");
            continue;
        }
        if (end == to && from > 0 && ag_is(p->tokens, from - 1, AG_C_WHATEVER) && !ag_is_korean(p, from - 1))
            from--;
        else if (is_limited(p, from) || (end == to && !(from < target->from && !ag_reads(p, to, AG_C_BY) &&
                                                        is_of_all(p, from, target))))
            continue;
        if (end > to && ag_reads(p, end - 1, AG_C_TOTAL))
            end--; /* it asks for a number as well */
        ag_consume(p->tokens, from, end, "together");
        drop_target(p, k);
        dropped = true;
    }
    if (p->found.limit > 0 && p->target_count > 0 && !dropped && ag_are_put_together(p) &&
        !are_names_put_together(p))
        ag_stop(
            p, AG_NOT_UNDERSTOOD,
            ag_say(p, "상위 몇 개만 합할 수는 없습니다.",
                   "The first few alone cannot be put into one number."),
            ag_say(p, "예: \"에러가 많은 서비스 상위 3개\"", "For example \"top 3 services by errors\"."));
}
