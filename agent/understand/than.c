/*
 * Comparisons said as a degree: 어제보다 많아, "worse than yesterday", "are errors up?", "is staging slower
 * than production". What is set against is another time or another name, never a number.
 */
#include "agent/understand/parse.h"

#include <string.h>

/* What is said to be more or less: "more errors than …", 어제보다 많아. A superlative is none. */
static bool is_degree(const struct ag_parse *p, size_t i)
{
    static const char *const english[] = {"more",  "fewer",  "less",    "higher", "lower",
                                          "worse", "better", "greater", "busier"};
    static const char *const korean[] = {"많", "높", "낮", "심", "적", "더"};

    if (!ag_is_korean(p, i))
        return ag_says(p, i, english, sizeof english / sizeof *english);
    return (ag_is(p->tokens, i, AG_C_HANGUL) || ag_is(p->tokens, i, AG_C_MOST) ||
            ag_is(p->tokens, i, AG_C_HIGHEST) || ag_is(p->tokens, i, AG_C_LOWEST) ||
            ag_is(p->tokens, i, AG_C_FEWEST)) &&
           ag_begins_with_one_of(ag_word(p, i), korean, sizeof korean / sizeof *korean);
}

static void take_degrees(struct ag_parse *p, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        if (is_degree(p, i))
            ag_consume(p->tokens, i, i + 1, "than");
    }
}

/* Does a time, or a word such as "the day before", stand at token `i`, or end there? */
static bool is_a_time(const struct ag_parse *p, size_t i, bool ends)
{
    size_t of = ends && i > 0 ? i - 1 : i;
    const char *rule = of < p->tokens->count ? p->tokens->items[of].rule : NULL;

    if (ends && ag_is(p->tokens, of, AG_C_SAME_TIME))
        return true; /* 어제 같은 시간보다 */
    if (ag_is(p->tokens, i, AG_C_SHIFT) || (rule && strcmp(rule, "shift") == 0))
        return true;
    for (size_t k = 0; k < p->time_count; k++) {
        if (ends ? p->times[k].to == i : p->times[k].from == i)
            return true;
    }
    return false;
}

/* The name that begins at token `i`, or ends there. */
static const struct ag_mention *name_at(const struct ag_parse *p, size_t i, bool ends)
{
    for (size_t k = 0; k < p->mention_count; k++) {
        const struct ag_mention *m = &p->mentions[k];
        if (!m->negated && m->op == AG_IN && m->field != AG_LEVEL && m->field != AG_HTTP_STATUS &&
            m->field != AG_STATUS_CLASS && (ends ? m->to == i : m->from == i))
            return m;
    }
    return NULL;
}

/* Is another name of the same kind said, the one that is set against this one? */
static bool has_counterpart(const struct ag_parse *p, const struct ag_mention *name)
{
    size_t others = 0;

    for (size_t k = 0; name && k < p->mention_count; k++) {
        const struct ag_mention *m = &p->mentions[k];
        if (m != name && m->field == name->field && m->field != AG_METADATA && !m->negated && m->op == AG_IN)
            others++;
    }
    return others == 1;
}

/* Is the word of token `i` said before token `before` too? "the error rate of payment … the error rate of
 * order" */
static bool repeats(const struct ag_parse *p, size_t i, size_t before)
{
    for (size_t k = 0; k < before; k++) {
        if (ag_word(p, i)[0] != '\0' && strcmp(ag_word(p, k), ag_word(p, i)) == 0)
            return true;
    }
    return false;
}

/* What is set against behind the "than" at token `than`: "than it was yesterday", "than that of order", "than
 * the error rate of order"; SIZE_MAX: nothing that is known. */
static size_t set_against_at(const struct ag_parse *p, size_t than)
{
    static const char *const words[] = {"it",   "they",  "we", "was",    "were", "had", "did",
                                        "saw",  "in",    "on", "during", "over", "at",  "the",
                                        "that", "those", "of", "for",    "from"};
    size_t i = ag_after(p, than);

    while (!is_a_time(p, i, false) && !has_counterpart(p, name_at(p, i, false))) {
        if (!ag_says(p, i, words, sizeof words / sizeof *words) && !repeats(p, i, than))
            return SIZE_MAX;
        i++;
    }
    return i;
}

/* "worse" without anything measured: how large a part of the records are errors. */
static void worse_is_error_rate(struct ag_parse *p)
{
    static const enum ag_concept measures[] = {AG_C_ERROR,   AG_C_RATE, AG_C_FAIL_RATE, AG_C_OK_RATE,
                                               AG_C_PERCENT, AG_C_SLOW, AG_C_DURATION,  AG_C_REQUEST,
                                               AG_C_LOG,     AG_C_FAST, AG_C_FAIL,      AG_C_BUSIEST};
    size_t worse = SIZE_MAX;

    for (size_t i = 0; i < p->tokens->count; i++) {
        const char *word = ag_word(p, i);
        for (size_t k = 0; k < sizeof measures / sizeof *measures; k++) {
            if (ag_reads(p, i, measures[k]))
                return;
        }
        if (strcmp(word, "worse") == 0 || strcmp(word, "better") == 0)
            worse = i;
    }
    if (worse == SIZE_MAX || p->mention_count == 0 || ag_mentions_field(p, AG_LEVEL) ||
        ag_mentions_field(p, AG_HTTP_STATUS) || ag_mentions_field(p, AG_STATUS_CLASS) || p->found.p_count > 0)
        return;
    p->said[AG_C_RATE] = worse + 1;
    ag_assume(p, "worse_is_error_rate", "", "Better or worse is taken to be by error rate.");
}

/* "less than 2 hours ago" is an age, "fewer errors than 2 hours ago" a comparison. */
static bool is_an_age(const struct ag_parse *p, size_t i)
{
    static const char *const words[] = {"less than", "more than", "over", "under"};
    size_t next = ag_after(p, i);

    for (size_t k = 0; k < p->time_count; k++) {
        if (p->times[k].from == next)
            return ag_says(p, i, words, sizeof words / sizeof *words) && ag_reads(p, next, AG_C_NUMBER) &&
                   ag_reads(p, p->times[k].to - 1, AG_C_AGO);
    }
    return false;
}

static void set_against(struct ag_parse *p, size_t i, bool time)
{
    ag_consume(p->tokens, i, i + 1, "than");
    p->said[AG_C_COMPARE] = i + 1;
    p->than_a_time = p->than_a_time || time;
}

/* "higher than yesterday", "more errors than the hour before", "slower than order-service". */
static void english_than(struct ag_parse *p, size_t i)
{
    const char *word = ag_word(p, i);
    size_t len = strlen(word);
    bool plain = strcmp(word, "than") == 0;
    if (len < 4 || strcmp(word + len - 4, "than") != 0 || is_an_age(p, i) ||
        (!plain && !ag_is(p->tokens, i, AG_C_ABOVE) && !ag_is(p->tokens, i, AG_C_BELOW)))
        return;
    size_t at = set_against_at(p, i);
    if (at == SIZE_MAX)
        return;
    bool time = is_a_time(p, at, false);
    ag_consume(p->tokens, ag_after(p, i), at, "than");
    take_degrees(p, 0, i);
    worse_is_error_rate(p);
    if (plain)
        return;
    set_against(p, i, time);
    if (strncmp(word, "slower", 6) == 0 || strncmp(word, "faster", 6) == 0)
        p->said[AG_C_SLOW] = i + 1;
}

/* 어제보다 많아, 어제보다 많이 났어, 결제가 주문보다 에러 많아, 결제 에러율이 주문 에러율보다 높아. */
static void korean_than(struct ag_parse *p, size_t i)
{
    const char *word = ag_word(p, i);
    bool plain = strcmp(word, "보다") == 0;
    bool time = is_a_time(p, i, true);
    size_t end = i;

    if (strncmp(word, "보다", strlen("보다")) != 0)
        return;
    while (!time && end > 0 && !has_counterpart(p, name_at(p, end, true)) && repeats(p, end - 1, end - 1))
        end--;
    if (!time && !has_counterpart(p, name_at(p, end, true)))
        return;
    take_degrees(p, i + 1, p->tokens->count);
    if (plain)
        return;
    set_against(p, i, time);
    if (strstr(word, "느린") || strstr(word, "빠른"))
        p->said[AG_C_SLOW] = i + 1;
}

/* Does token `i` end what is said of something: "are errors up?", "up today", "up compared to last week"? */
static bool ends_a_predicate(const struct ag_parse *p, size_t i)
{
    return i == p->tokens->count || ag_reads(p, i, AG_C_STOP) || ag_reads(p, i, AG_C_COMMA) ||
           ag_reads(p, i, AG_C_COMPARE) || is_a_time(p, i, false) || ag_reads(p, i, AG_C_NOW);
}

static bool asks_yes_or_no(const struct ag_parse *p, size_t i)
{
    static const char *const words[] = {"is", "are", "was", "were", "has", "have"};
    size_t clause = i;

    while (clause > 0 && !ag_reads(p, clause - 1, AG_C_COMMA) && !ag_reads(p, clause - 1, AG_C_STOP))
        clause--;
    return ag_says(p, clause, words, sizeof words / sizeof *words);
}

/* "is payment-service down" does not compare: errors, traffic or latency are up or down. */
static bool says_a_measure(const struct ag_parse *p, size_t i)
{
    static const enum ag_concept measures[] = {AG_C_ERROR,    AG_C_LEVEL,        AG_C_RATE, AG_C_FAIL_RATE,
                                               AG_C_OK_RATE,  AG_C_STATUS_CLASS, AG_C_LOG,  AG_C_REQUEST,
                                               AG_C_DURATION, AG_C_COUNT,        AG_C_FAIL, AG_C_RESPONSE};

    while (i-- > 0) {
        for (size_t k = 0; k < sizeof measures / sizeof *measures; k++) {
            if (ag_reads(p, i, measures[k]))
                return true;
        }
    }
    return ag_mentions_field(p, AG_HTTP_STATUS) || p->found.p_count > 0;
}

/* "are errors up?", "is latency down since yesterday", "up from last week". */
static void up_or_down(struct ag_parse *p, size_t i)
{
    static const char *const ways[] = {"up", "down", "worse", "better", "higher", "lower", "elevated"};
    bool leads = ag_reads(p, i + 1, AG_C_FROM) || strcmp(ag_word(p, i + 1), "on") == 0;

    if (!ag_says(p, i, ways, sizeof ways / sizeof *ways) || p->tokens->items[i].rule || !asks_yes_or_no(p, i))
        return;
    if ((strcmp(ag_word(p, i), "up") == 0 || strcmp(ag_word(p, i), "down") == 0) && !says_a_measure(p, i))
        return;
    if (leads && (is_a_time(p, i + 1, false) || is_a_time(p, i + 2, false))) {
        ag_consume(p->tokens, i + 1, i + 2, "than");
        p->than_a_time = true;
    } else if (!ends_a_predicate(p, i + 1)) {
        return;
    }
    ag_consume(p->tokens, i, i + 1, "than");
    if (!ag_said(p, AG_C_COMPARE))
        p->said[AG_C_COMPARE] = i + 1;
    worse_is_error_rate(p);
}

/* 5xx 떨어진 거, 에러 떨어진 로그: records that came, not fewer of them. */
static void fallen_records(struct ag_parse *p)
{
    static const enum ag_concept records[] = {AG_C_THING, AG_C_LOG, AG_C_REQUEST, AG_C_RESPONSE};

    for (size_t i = 1; i < p->tokens->count; i++) {
        size_t next = ag_after(p, i);
        size_t before = ag_before(p, i);
        bool graded = false;
        bool of_records = false;
        if (strcmp(ag_word(p, i), "떨어진") != 0 || p->tokens->items[i].rule)
            continue;
        for (size_t k = 0; k < p->mention_count; k++) {
            const struct ag_mention *m = &p->mentions[k];
            graded = graded ||
                     (before != SIZE_MAX && m->to == before + 1 &&
                      (m->field == AG_LEVEL || m->field == AG_HTTP_STATUS || m->field == AG_STATUS_CLASS));
        }
        for (size_t k = 0; k < sizeof records / sizeof *records; k++)
            of_records = of_records || ag_reads(p, next, records[k]);
        if (graded && of_records)
            ag_consume(p->tokens, i, i + 1, "happened");
    }
}

/* 느려진, "got slower", 빨라진: it was not so before; 느린, "slow" alone is so now. */
bool ag_became_slow(const struct ag_parse *p, size_t i)
{
    static const char *const words[] = {"느려",   "늦어",   "got",    "gotten", "get",
                                        "become", "became", "slowed", "slowing"};

    const char *how = ag_reads_value(p, i, AG_C_SLOW);

    return how && (*how || ag_begins_with_one_of(ag_word(p, i), words, sizeof words / sizeof *words) ||
                   (i > 0 && ag_says(p, i - 1, words, sizeof words / sizeof *words)));
}

/* "which endpoints got slower since yesterday": slower than then; 요즘 느려진 서비스: than the span before.
 * Since a moment, those that are slow since then. */
static void slower_since(struct ag_parse *p, size_t i)
{
    const char *symbolic = p->time_count == 1 ? p->times[0].symbolic : "";
    size_t len = strlen(symbolic);
    bool since = len > 4 && strcmp(symbolic + len - 4, "/now") == 0;

    if (ag_became_slow(p, i) && !ag_said(p, AG_C_COMPARE) &&
        (ag_reads(p, i + 1, AG_C_SINCE) || (p->target_count > 0 && p->time_count < 2 && !since)))
        p->said[AG_C_COMPARE] = i + 1;
}

/* -- two names, and which of them has more -- */

/* The name whose counterpart stands behind it in the same list, "A and B", "A or B", A랑 B; NULL. */
static const struct ag_mention *first_of_two(const struct ag_parse *p, const struct ag_mention **second)
{
    for (size_t i = 0; i < p->tokens->count; i++) {
        const struct ag_mention *a = name_at(p, i, false);
        size_t at;
        if (!a || !has_counterpart(p, a))
            continue;
        for (at = a->to; at < p->tokens->count && (ag_joins_list(p, at) || ag_reads(p, at, AG_C_NOISE));
             at++) {}
        *second = at > a->to ? name_at(p, at, false) : NULL;
        if (*second && (*second)->field == a->field)
            return a;
    }
    return NULL;
}

static bool asks_which_of_two(const struct ag_parse *p, const struct ag_mention *a,
                              const struct ag_mention *b)
{
    for (size_t i = 0; i < p->tokens->count; i++) {
        if (ag_is(p->tokens, i, AG_C_WHICH) || strncmp(ag_word(p, i), "which", 5) == 0 ||
            strncmp(ag_word(p, i), "who", 3) == 0 ||
            (i >= a->to && i < b->from && ag_is(p->tokens, i, AG_C_OR)))
            return true;
    }
    return false;
}

/* "more", "worse": the most of the two, and "fewer" the fewest. "more than" is no choice between them. */
static enum ag_concept choosing_word(const struct ag_parse *p, size_t i)
{
    static const char *const more[] = {"more", "greater", "busier", "noisier"};
    static const char *const fewer[] = {"fewer", "less"};
    static const char *const higher[] = {"higher", "worse"};
    static const char *const lower[] = {"lower", "better"};
    bool slower = !ag_became_slow(p, i) &&
                  (strstr(ag_word(p, i), "slower") || (ag_is_korean(p, i) && ag_is(p->tokens, i, AG_C_SLOW)));

    if (p->tokens->items[i].rule || ag_reads(p, i + 1, AG_C_NUMBER) || strcmp(ag_word(p, i + 1), "than") == 0)
        return AG_C_NONE;
    return ag_says(p, i, more, sizeof more / sizeof *more)         ? AG_C_MOST
           : ag_says(p, i, fewer, sizeof fewer / sizeof *fewer)    ? AG_C_FEWEST
           : ag_says(p, i, higher, sizeof higher / sizeof *higher) ? AG_C_HIGHEST
           : ag_says(p, i, lower, sizeof lower / sizeof *lower)    ? AG_C_LOWEST
           : slower                                                ? AG_C_SLOW
                                                                   : AG_C_NONE;
}

static bool says_compared(const struct ag_parse *p)
{
    for (size_t i = 0; i < p->tokens->count; i++) {
        if (ag_reads(p, i, AG_C_COMPARE))
            return true;
    }
    return ag_said(p, AG_C_COMPARE);
}

/* "between A and B, which had more errors?", "which is slower, A or B?": both, in that order. */
static void which_of_two(struct ag_parse *p)
{
    const struct ag_mention *b = NULL;
    const struct ag_mention *a = first_of_two(p, &b);
    enum ag_concept how = AG_C_NONE;
    size_t before = a && a->from > 0 ? ag_before(p, a->from) : SIZE_MAX;

    if (!a || p->target_count == AG_MAX_TARGETS || !asks_which_of_two(p, a, b))
        return;
    /* "A or B, which user saw more": it is a user that is asked for. */
    for (size_t k = 0; k < p->target_count; k++) {
        if (!p->targets[k].grouped && p->targets[k].field != a->field)
            return;
    }
    for (size_t i = 0; i < p->tokens->count; i++) {
        enum ag_concept word = choosing_word(p, i);
        if (word == AG_C_NONE)
            continue;
        if (how != AG_C_NONE)
            return;
        how = word;
        if (how == AG_C_SLOW)
            continue;
        ag_consume(p->tokens, i, i + 1, "than");
        p->said[how] = i + 1;
    }
    if (how == AG_C_NONE)
        return;
    worse_is_error_rate(p);
    if (before != SIZE_MAX && ag_is(p->tokens, before, AG_C_BETWEEN))
        ag_consume(p->tokens, before, before + 1, "than");
    for (size_t k = 0; k < p->target_count; k++) {
        if (p->targets[k].field == a->field)
            return;
    }
    p->targets[p->target_count++] =
        (struct ag_target){.from = a->from, .to = a->from, .field = a->field, .key = a->key, .grouped = true};
}

void ag_than_rule(struct ag_parse *p)
{
    fallen_records(p);
    for (size_t i = 0; i < p->tokens->count; i++) {
        if (ag_is_korean(p, i))
            korean_than(p, i);
        else
            english_than(p, i);
    }
    for (size_t i = 0; i < p->tokens->count; i++) {
        up_or_down(p, i);
        slower_since(p, i);
    }
    if (!says_compared(p))
        which_of_two(p);
}

/* -- what is asked to be confirmed -- */

/* Which way a word says it went; "slower" is more only of durations. */
static enum ag_claim way_of(const struct ag_parse *p, size_t i)
{
    static const char *const more[] = {"more",   "higher", "greater", "busier", "worse", "elevated", "up",
                                       "slower", "slow",   "많",      "높",     "심",    "더",       "느"};
    static const char *const less[] = {"fewer", "less", "lower", "better", "down", "faster",
                                       "fast",  "적",   "낮",    "빠",     "덜"};
    const char *way = ag_reads_value(p, i, AG_C_COMPARE);
    const char *how = ag_reads_value(p, i, AG_C_SLOW);
    const char *rule = p->tokens->items[i].rule;
    const char *word = ag_word(p, i);
    bool said = rule && (strcmp(rule, "than") == 0 || strcmp(rule, ag_concept_name(AG_C_SLOW)) == 0 ||
                         strcmp(rule, ag_concept_name(AG_C_FAST)) == 0);

    if (way && strcmp(way, "up") == 0)
        return AG_CLAIM_MORE;
    if (way && strcmp(way, "down") == 0)
        return AG_CLAIM_LESS;
    if (how && *how)
        return strcmp(how, "faster") == 0 ? AG_CLAIM_LESS : AG_CLAIM_MORE;
    if (!said)
        return AG_NO_CLAIM;
    if (strncmp(word, "보다 ", strlen("보다 ")) == 0)
        word += strlen("보다 ");
    return ag_begins_with_one_of(word, more, sizeof more / sizeof *more)   ? AG_CLAIM_MORE
           : ag_begins_with_one_of(word, less, sizeof less / sizeof *less) ? AG_CLAIM_LESS
                                                                           : AG_NO_CLAIM;
}

/* "is it", "did errors …", 늘었어?: not how many, which or why, nor "show me". */
static bool asks_to_confirm(const struct ag_parse *p, size_t way)
{
    static const enum ag_concept asking[] = {AG_C_COUNT,        AG_C_COUNT_PEOPLE, AG_C_WHICH, AG_C_WHEN,
                                             AG_C_WHY,          AG_C_SHOW,         AG_C_LIST,  AG_C_SUMMARY,
                                             AG_C_DISTRIBUTION, AG_C_MOST,         AG_C_ORDER};
    static const char *const verbs[] = {"is", "are", "was", "were", "did", "does", "do", "has", "have"};
    size_t last = p->tokens->count;

    for (size_t i = 0; i < p->tokens->count; i++) {
        const char *rule = p->tokens->items[i].rule;
        if (rule && strcmp(rule, "change") == 0)
            return false;
        for (size_t k = 0; k < sizeof asking / sizeof *asking; k++) {
            if (rule && strcmp(rule, ag_concept_name(asking[k])) == 0 && ag_reads(p, i, asking[k]))
                return false;
        }
    }
    if (p->language == AG_EN)
        return ag_says(p, 0, verbs, sizeof verbs / sizeof *verbs);
    while (last > 0 && (ag_reads(p, last - 1, AG_C_STOP) || ag_reads(p, last - 1, AG_C_ENDING) ||
                        ag_reads(p, last - 1, AG_C_PARTICLE) || ag_reads(p, last - 1, AG_C_NOISE) ||
                        ag_reads(p, last - 1, AG_C_VERB)))
        last--;
    return last == way + 1;
}

/* "increased the most", 가장 많이 늘어난: a superlative beside the one word of change. The greatest fall
 * comes first where that word is one of falling. */
bool ag_ranks_by_change(struct ag_parse *p)
{
    size_t change = SIZE_MAX;
    bool beside = false;

    for (size_t i = 0; i < p->tokens->count; i++) {
        const char *way = ag_reads_value(p, i, AG_C_COMPARE);
        if ((!way || !*way) && !(p->intent->measure.field == AG_DURATION && ag_reads(p, i, AG_C_SLOW)))
            continue;
        if (change != SIZE_MAX && !(way && strcmp(way, ag_reads_value(p, change, AG_C_COMPARE)
                                                           ? ag_reads_value(p, change, AG_C_COMPARE)
                                                           : "") == 0))
            return false;
        change = i;
    }
    if (change == SIZE_MAX || ag_said(p, AG_C_FEWEST) || ag_said(p, AG_C_LOWEST) || ag_said(p, AG_C_BOTTOM))
        return false;
    for (size_t i = 0; i < p->tokens->count; i++) {
        if ((ag_reads(p, i, AG_C_MOST) || ag_reads(p, i, AG_C_HIGHEST)) &&
            (ag_after(p, i) == change || (i > 0 && ag_before(p, i) == change)))
            beside = true;
    }
    /* "the top 3 by increase" */
    if (change > 0 && ag_said(p, AG_C_TOP) && ag_before(p, change) != SIZE_MAX &&
        ag_reads(p, ag_before(p, change), AG_C_BY_BEFORE))
        beside = true;
    if (beside && way_of(p, change) == AG_CLAIM_LESS)
        p->intent->order = AG_FEWEST;
    return beside;
}

/* 많이 는 순서로: an order in the word of change itself. */
bool ag_says_order_of_change(const struct ag_parse *p)
{
    for (size_t i = 0; i < p->tokens->count; i++) {
        if (ag_reads(p, i, AG_C_COMPARE) && strstr(ag_word(p, i), "순"))
            return true;
    }
    return false;
}

/* Which way all words that say so went; AG_NO_CLAIM where there is none, or they differ. */
static enum ag_claim way_of_all(const struct ag_parse *p)
{
    enum ag_claim claim = AG_NO_CLAIM;

    for (size_t i = 0; i < p->tokens->count; i++) {
        enum ag_claim way = way_of(p, i);
        if (way == AG_NO_CLAIM && (ag_became_slow(p, i) || ag_reads(p, i, AG_C_SPIKE)))
            way = AG_CLAIM_MORE;
        if (way == AG_NO_CLAIM || (ag_reads(p, i, AG_C_SLOW) && !ag_became_slow(p, i) && !p->than_a_time))
            continue;
        if (claim != AG_NO_CLAIM && way != claim)
            return AG_NO_CLAIM;
        claim = way;
    }
    return claim;
}

bool ag_says_a_change(const struct ag_parse *p)
{
    return way_of_all(p) != AG_NO_CLAIM;
}

bool ag_picks_changed(struct ag_parse *p)
{
    enum ag_claim claim;

    if (p->intent->group_count == 0 || ag_said(p, AG_C_MOST) || ag_said(p, AG_C_FEWEST) ||
        ag_said(p, AG_C_HIGHEST) || ag_said(p, AG_C_LOWEST))
        return false;
    claim = way_of_all(p);
    if (claim != AG_NO_CLAIM)
        p->intent->order = claim == AG_CLAIM_MORE ? AG_MOST : AG_FEWEST;
    return claim != AG_NO_CLAIM;
}

void ag_claim_rule(struct ag_parse *p)
{
    struct ag_intent *in = p->intent;
    enum ag_claim claim = AG_NO_CLAIM;
    size_t at = 0;

    if (in->compare != AG_COMPARE_WINDOW || in->shape != AG_PLAIN || in->group_count > 0 ||
        in->part_count > 0 || in->measure.also_count > 0 || in->measure.p_count > 1 ||
        in->measure.fn == AG_SHARE)
        return;
    for (size_t i = 0; i < p->tokens->count; i++) {
        enum ag_claim way = way_of(p, i);
        if (way != AG_NO_CLAIM && claim != AG_NO_CLAIM && way != claim)
            return;
        if (way != AG_NO_CLAIM) {
            claim = way;
            at = i;
        }
    }
    if (claim != AG_NO_CLAIM && asks_to_confirm(p, at))
        in->claim = claim;
}
