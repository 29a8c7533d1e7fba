/*
 * Fields named without a value: what to break down, rank, count or list by.
 */
#include "agent/understand/decision.h"

#include <string.h>

static struct ag_target *target_over(struct ag_parse *p, size_t i)
{
    for (size_t k = 0; k < p->target_count; k++) {
        if (i >= p->targets[k].from && i < p->targets[k].to)
            return &p->targets[k];
    }
    return NULL;
}

static bool joins(const struct ag_parse *p, size_t i)
{
    const char *w = ag_word(p, i);

    return ag_reads(p, i, AG_C_AND) || ag_reads(p, i, AG_C_COMMA) ||
           (ag_reads(p, i, AG_C_PARTICLE) &&
            (strcmp(w, "와") == 0 || strcmp(w, "과") == 0 || strcmp(w, "랑") == 0 || strcmp(w, "이랑") == 0 ||
             strcmp(w, "하고") == 0));
}

/* "any level", 모든 환경: no condition and no break-down. */
static bool means_any(const struct ag_parse *p, size_t i)
{
    const char *before = i > 0 ? ag_word(p, i - 1) : "";

    return (strcmp(before, "any") == 0 || strcmp(before, "whatever") == 0 || strcmp(before, "어떤") == 0 ||
            strcmp(before, "아무") == 0) &&
           !ag_is(p->tokens, i + 1, AG_C_BY) && ag_value(p->tokens, i, AG_C_FIELD) &&
           strcmp(ag_value(p->tokens, i, AG_C_FIELD), "level") == 0;
}

/* "errors by type", 에러 건수 유형별로: of errors, their type. */
static void errors_by_type(struct ag_parse *p)
{
    static const char *const words[] = {"type", "types", "kind", "kinds", "타입", "유형", "종류"};
    struct ag_tokens *t = p->tokens;
    bool errors = false;

    for (size_t i = 0; i < t->count; i++)
        errors = errors || ag_reads(p, i, AG_C_ERROR);
    for (size_t i = 0; errors && i < t->count && p->target_count < AG_MAX_TARGETS; i++) {
        if (t->items[i].rule || !ag_says(p, i, words, sizeof words / sizeof *words) || !ag_grouped_by(p, i))
            continue;
        p->targets[p->target_count++] = (struct ag_target){.from = i, .to = i + 1, .field = AG_ERROR_TYPE};
        ag_consume(t, i, i + 1, "group");
        ag_assume(p, "errors_by_type", "에러를 에러 타입별로 세었습니다.",
                  "Errors are counted by error type.");
    }
}

size_t ag_past_value_word(const struct ag_parse *p, size_t i)
{
    static const char *const words[] = {"값", "값들", "밸류", "value", "values"};

    return ag_is(p->tokens, i, AG_C_THING) && ag_says(p, i, words, sizeof words / sizeof *words) ? i + 1 : i;
}

/* "all spans of trace …", 트레이스 … 스팬 전부: its records. Which or how many are asked of the spans
 * themselves. */
static bool are_records_of_a_trace(const struct ag_parse *p, size_t i)
{
    static const enum ag_concept asking[] = {AG_C_WHICH,     AG_C_COUNT, AG_C_DISTINCT,
                                             AG_C_BY_BEFORE, AG_C_MOST,  AG_C_TOP};
    const char *name = ag_value(p->tokens, i, AG_C_FIELD);

    if (!name || strcmp(name, "span_id") != 0 || !ag_mentions_field(p, AG_TRACE_ID) ||
        strstr(ag_word(p, i), "id") || ag_is(p->tokens, i + 1, AG_C_BY) ||
        ag_is(p->tokens, i + 1, AG_C_BY_AFTER))
        return false;
    for (size_t k = 0; k < p->tokens->count; k++) {
        for (size_t n = 0; n < sizeof asking / sizeof *asking; n++) {
            if (ag_is(p->tokens, k, asking[n]))
                return false;
        }
    }
    return true;
}

/* What users have: errors, requests, a rate of them. */
static bool is_had(const struct ag_parse *p, size_t i)
{
    return ag_reads(p, i, AG_C_ERROR) || ag_reads(p, i, AG_C_REQUEST) || ag_reads(p, i, AG_C_LEVEL) ||
           ag_reads(p, i, AG_C_RATE) || ag_reads(p, i, AG_C_FAIL_RATE);
}

/* 크롬 사용자 에러, 모바일 사용자가 겪은 에러, "errors of mobile users", "errors chrome users saw": the users
 * of what was named before are those records. Not where they are counted. */
static bool is_of_value(const struct ag_parse *p, size_t i)
{
    const struct ag_mention *value = ag_mention_ending(p, i);
    size_t next = ag_after(p, i);
    size_t before;

    if (!value || ag_grouped_by(p, i) ||
        (value->field != AG_BROWSER && value->field != AG_DEVICE && value->field != AG_METADATA))
        return false;
    if (ag_is_korean(p, i)) {
        while (ag_reads(p, next, AG_C_VERB) || ag_reads(p, next, AG_C_ENDING))
            next++;
        return is_had(p, next);
    }
    before = value->from > 1 ? ag_before(p, value->from) : SIZE_MAX;
    if (before == SIZE_MAX || ag_reads(p, before, AG_C_PREPOSITION))
        return before != SIZE_MAX;
    while (before > 0 && (strcmp(ag_word(p, before), "that") == 0 || ag_reads(p, before, AG_C_VERB)))
        before = ag_before(p, before);
    return before != SIZE_MAX && is_had(p, before) && ag_reads(p, next, AG_C_VERB);
}

/* 로그 레벨이 WARN 이상, "level is ERROR", "where service is payment-service"; "API responses": the word for
 * what is said right behind it. */
static bool is_named_beside(const struct ag_parse *p, size_t i, const char *name)
{
    size_t next = ag_after(p, i);
    const struct ag_mention *m;

    if (ag_grouped_by(p, i))
        return false;
    if (strcmp(ag_word(p, i), "api") == 0)
        return ag_reads(p, i + 1, AG_C_RESPONSE) || ag_reads(p, i + 1, AG_C_REQUEST);
    if (strcmp(ag_word(p, next), "is") == 0 || ag_reads(p, next, AG_C_EQUALS))
        next = ag_after(p, next);
    else if (strcmp(name, "level") != 0)
        return false;
    m = ag_mention_starting(p, next);
    return m && m->field == ag_field_named(name);
}

/* "top 3 riders by errors (user_id)": in brackets, what was named before. */
static bool is_bracketed_again(const struct ag_parse *p, size_t i, enum ag_field field)
{
    bool before = false;

    for (size_t k = 0; k < p->target_count; k++)
        before = before || p->targets[k].field == field;
    return before && i > 0 && strcmp(ag_word(p, i - 1), "(") == 0 && strcmp(ag_word(p, i + 1), ")") == 0;
}

static void find_targets(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count; i++) {
        const char *name = ag_value(t, i, AG_C_FIELD);
        bool pattern = ag_is(t, i, AG_C_PATTERN);
        struct ag_target *known = target_over(p, i);
        if (known || (!name && !pattern) || p->target_count == AG_MAX_TARGETS)
            continue;
        /* "API 엔드포인트별", "user id": one field said twice */
        if (name && ag_value(t, i + 1, AG_C_FIELD) && strcmp(name, ag_value(t, i + 1, AG_C_FIELD)) == 0) {
            ag_consume(t, i, i + 1, "said twice");
            continue;
        }
        if (name && is_bracketed_again(p, i, ag_field_named(name))) {
            ag_consume(t, i - 1, i + 2, "said twice");
            continue;
        }
        if (are_records_of_a_trace(p, i)) {
            if (i > 0 && (ag_is(t, i - 1, AG_C_EVERY) || ag_is(t, i - 1, AG_C_EACH)))
                ag_consume(t, i - 1, i, "log");
            ag_consume(t, i, i + 1, ag_concept_name(AG_C_LOG));
            p->said[AG_C_LOG] = i + 1;
            continue;
        }
        if (name && is_named_beside(p, i, name)) {
            ag_consume(t, i, i + 1, "said twice");
            continue;
        }
        if (name && strcmp(name, "user_id") == 0 && is_of_value(p, i)) {
            ag_consume(t, i, i + 1, "users of it");
            continue;
        }
        if (means_any(p, i)) {
            ag_consume(t, i - 1, i + 1, "any");
            continue;
        }
        if (name && (strcmp(name, "metadata") == 0 || strcmp(name, "message") == 0 ||
                     strcmp(name, "stack_trace") == 0))
            continue;
        if (pattern) {
            bool twice = false;
            for (size_t k = 0; k < p->target_count; k++)
                twice = twice || p->targets[k].field == AG_PATTERN;
            if (twice) {
                ag_consume(t, i, i + 1, "pattern");
                continue;
            }
        }
        p->targets[p->target_count++] =
            (struct ag_target){.from = i,
                               .to = ag_past_value_word(p, i + 1),
                               .field = pattern ? AG_PATTERN : ag_field_named(name),
                               .grouped = pattern};
    }
}

/* 서비스별, 서비스 기준으로, by service, each service */
static void mark_grouped(struct ag_parse *p, struct ag_target *target)
{
    struct ag_tokens *t = p->tokens;
    /* 채널(channel)별 */
    bool glossed =
        target->to < t->count && t->items[target->to].rule && strcmp(t->items[target->to].rule, "gloss") == 0;
    size_t next = target->to + glossed;
    size_t before = target->from > 0 ? ag_before(p, target->from) : SIZE_MAX;

    if (ag_is(t, next, AG_C_BY) || ag_is(t, next, AG_C_BY_AFTER)) {
        target->grouped = true;
        ag_consume(t, next, next + 1, "by");
    } else if (ag_is(t, next, AG_C_PARTICLE) && ag_is(t, next + 1, AG_C_BY_AFTER)) {
        target->grouped = true;
        ag_consume(t, next, next + 2, "by");
    } else if (ag_is(t, ag_after(p, target->to - 1), AG_C_DISTRIBUTION)) {
        target->grouped = true;
        p->said[AG_C_DISTRIBUTION] = ag_after(p, target->to - 1) + 1;
        ag_consume(t, next, ag_after(p, target->to - 1) + 1, "by");
    }
    if (p->crossed && (target->to + 1 == p->crossed || target->from == p->crossed))
        target->grouped = true;
    if (before != SIZE_MAX &&
        (ag_is(t, before, AG_C_BY_BEFORE) || ag_is(t, before, AG_C_EACH) || ag_is(t, before, AG_C_EVERY))) {
        target->grouped = true;
        ag_consume(t, before, target->from, "by");
    }
}

/* "by user and endpoint", 서비스와 레벨별: what is joined to a grouped field is grouped as well. */
static void spread_groups(struct ag_parse *p)
{
    for (size_t a = 0; a < p->target_count; a++) {
        for (size_t b = 0; b < p->target_count; b++) {
            struct ag_target *left = &p->targets[a];
            struct ag_target *right = &p->targets[b];
            size_t at = left->to;
            if (left->to > right->from || left->grouped == right->grouped || left->field == AG_PATTERN ||
                right->field == AG_PATTERN)
                continue;
            if (ag_reads(p, at, AG_C_BY))
                at++;
            if (at >= right->from)
                continue;
            while (at < right->from && joins(p, at))
                at++;
            if (at != right->from)
                continue;
            left->grouped = right->grouped = true;
            ag_consume(p->tokens, left->to, right->from, "by");
        }
    }
}

static bool is_field(const struct ag_parse *p, size_t i)
{
    return ag_is(p->tokens, i, AG_C_FIELD) || ag_is(p->tokens, i, AG_C_SERVICE_WORD) ||
           ag_is(p->tokens, i, AG_C_ENVIRONMENT);
}

/* "errors where service is payment-service": a condition on what stands before, and no place asked for. */
static void relative_where(struct ag_parse *p)
{
    static const enum ag_concept nouns[] = {AG_C_ERROR,   AG_C_LOG,      AG_C_LEVEL, AG_C_REQUEST,
                                            AG_C_DAY_REF, AG_C_RESPONSE, AG_C_FAIL,  AG_C_STATUS_CLASS,
                                            AG_C_UNIT,    AG_C_CALENDAR};
    struct ag_tokens *t = p->tokens;

    for (size_t i = 1; i + 2 < t->count; i++) {
        size_t what = ag_after(p, i);
        size_t is = ag_after(p, what);
        bool noun = false;
        if (strcmp(ag_word(p, i), "where") != 0)
            continue;
        for (size_t k = 0; k < sizeof nouns / sizeof *nouns; k++)
            noun = noun || ag_reads(p, i - 1, nouns[k]);
        if (noun && (ag_is(t, is, AG_C_EQUALS) || strcmp(ag_word(p, is), "is") == 0) &&
            (is_field(p, what) || t->items[what].name_count > 0 || ag_is(t, what, AG_C_DOMAIN)))
            ag_token_remove(t, i);
    }
}

/* "break today's errors down by region", "slice the 5xx up by host": a verb of breaking down, apart from its
 * "by". What is told to do so begins the question or a clause of it. */
static void parted_verb(struct ag_parse *p)
{
    static const char *const verbs[] = {"break",  "split",   "slice",    "chop",      "carve",
                                        "divide", "segment", "separate", "partition", "group"};
    static const char *const led[] = {"please", "pls",   "can you", "could you", "would you", "and", "then",
                                      "now",    "to",    "you",     "we",        "i",         "me",  ",",
                                      "just",   "let's", "can i",   "could i",   "can we",    "ok",  "so"};
    static const char *const ways[] = {"down", "up", "out", "apart"};
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i + 2 < t->count; i++) {
        size_t by = i + 2;
        if (t->items[i].rule || !ag_says(p, i, verbs, sizeof verbs / sizeof *verbs) ||
            (i > 0 && !ag_says(p, i - 1, led, sizeof led / sizeof *led)))
            continue;
        while (by < t->count && !ag_is(t, by, AG_C_BY_BEFORE) && !ag_is(t, by, AG_C_STOP))
            by++;
        if (!ag_is(t, by, AG_C_BY_BEFORE) || ag_is_korean(p, by))
            continue;
        if (ag_says(p, by - 1, ways, sizeof ways / sizeof *ways))
            ag_consume(t, by - 1, by, "by");
        ag_consume(t, i, i + 1, "by");
    }
}

void ag_cross_rule(struct ag_parse *p)
{
    relative_where(p);
    parted_verb(p);
    for (size_t i = 1; i + 1 < p->tokens->count; i++) {
        bool cross = strcmp(ag_word(p, i), "x") == 0 || strcmp(ag_word(p, i), "×") == 0 ||
                     strcmp(ag_word(p, i), "*") == 0;
        if (!cross || !is_field(p, i - 1) || !is_field(p, i + 1))
            continue;
        ag_consume(p->tokens, i, i + 1, "by");
        p->crossed = i + 1;
    }
}

/* "/a and /b, which of the two is slower", 결제랑 주문 중에 뭐가 더 느려: by the field of which both are. */
static void which_of_several(struct ag_parse *p)
{
    for (size_t i = 0; i < p->tokens->count; i++) {
        const char *of = ag_value(p->tokens, i, AG_C_EACH);
        const struct ag_mention *a = p->mention_count > 1 ? &p->mentions[0] : NULL;
        bool alike = a != NULL;
        if (!of || strcmp(of, "of") != 0)
            continue;
        for (size_t k = 1; alike && k < p->mention_count; k++)
            alike = p->mentions[k].field == AG_LEVEL ||
                    (p->mentions[k].field == a->field && ag_same_key(p->mentions[k].key, a->key));
        if (!alike || a->field == AG_LEVEL || a->op != AG_IN || p->target_count == AG_MAX_TARGETS)
            continue;
        p->targets[p->target_count++] =
            (struct ag_target){.from = i, .to = i + 1, .field = a->field, .key = a->key, .grouped = true};
        ag_consume(p->tokens, i, i + 1, "group");
    }
}

/* "the most common error per service", 서비스별 가장 많은 에러: which error that is, of each, by its type.
 * "Most errors by service" and 서비스별 에러 많은 순 are of services. */
static void error_of_each(struct ag_parse *p)
{
    static const char *const one[] = {"error", "에러", "오류"};
    static const char *const amount[] = {"most", "the most", "more often"};

    if (p->target_count != 1 || !p->targets[0].grouped || p->targets[0].field == AG_LEVEL ||
        p->targets[0].field == AG_PATTERN)
        return;
    for (size_t i = 1; i < p->tokens->count; i++) {
        size_t most = ag_before(p, i);
        size_t next = ag_after(p, i);
        if (!ag_reads(p, i, AG_C_ERROR) || !ag_says(p, i, one, sizeof one / sizeof *one))
            continue;
        while (most != SIZE_MAX && most > 0 && ag_is_korean(p, i) && ag_reads(p, most, AG_C_VERB) &&
               !ag_reads(p, most, AG_C_MOST))
            most = ag_before(p, most);
        if (most == SIZE_MAX ||
            !(ag_reads(p, most, AG_C_MOST) || (ag_reads(p, most, AG_C_TOP) && !ag_is_korean(p, i))) ||
            ag_says(p, most, amount, sizeof amount / sizeof *amount) || p->found.limit > 1)
            continue;
        if (ag_is_korean(p, i) ? p->targets[0].to > most || ag_reads(p, next, AG_C_COUNT)
                               : p->targets[0].from < i || ag_reads(p, next, AG_C_COUNT))
            continue;
        p->targets[p->target_count++] = (struct ag_target){.from = i, .to = i + 1, .field = AG_ERROR_TYPE};
        ag_assume(p, "errors_by_type", "에러를 에러 타입별로 세었습니다.",
                  "Errors are counted by error type.");
        return;
    }
}

/* "the most active users", "top 5 active users": ranked, and no number of those who were active. */
static void active_users(struct ag_parse *p)
{
    static const char *const words[] = {"active users", "활성 사용자"};

    for (size_t i = 1; i < p->tokens->count && p->target_count < AG_MAX_TARGETS; i++) {
        if (p->tokens->items[i].rule || !ag_says(p, i, words, sizeof words / sizeof *words) ||
            !(ag_reads(p, i - 1, AG_C_MOST) || ag_reads(p, i - 1, AG_C_FEWEST) ||
              ag_reads(p, i - 1, AG_C_TOP) || ag_reads(p, i - 1, AG_C_NUMBER)))
            continue;
        p->targets[p->target_count++] = (struct ag_target){.from = i, .to = i + 1, .field = AG_USER_ID};
        ag_consume(p->tokens, i, i + 1, "group");
    }
}

void ag_targets_rule(struct ag_parse *p)
{
    errors_by_type(p);
    active_users(p);
    find_targets(p);
    which_of_several(p);
    for (size_t k = 0; k < p->target_count; k++)
        mark_grouped(p, &p->targets[k]);
    spread_groups(p);
    spread_groups(p);
    for (size_t k = 0; k < p->target_count; k++) {
        if (p->targets[k].grouped)
            ag_consume(p->tokens, p->targets[k].from, p->targets[k].to, "group");
    }
    error_of_each(p);
    ag_together_rule(p);
}
