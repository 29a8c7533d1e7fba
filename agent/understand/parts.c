/*
 * Several things asked for at once that are not of the same records: 에러 몇 건이고 경고는 몇 건, "how many
 * orders failed and how many logins today", "errors of A and the p95 of B".
 *
 * The question is cut where one thing asked for ends and the next begins; each clause is read as a question
 * of its own, so that no word of any is passed over, and what came out is put together: one window, what all
 * have in common, and a part for each. What only one clause says is another's as well where the language says
 * so; where that is open, the question asks back.
 */
#include "agent/understand/decision.h"

#include <string.h>

#define MAX_CLAUSES AG_MAX_MEASURED_PARTS

struct clause {
    size_t from, to; /* tokens of the question */
    size_t asked;    /* the token that says what is asked for */
    struct ag_understanding read;
    const char *name;
    bool placed;  /* names where: a service, an environment, a host */
    bool adverb;  /* … with a preposition, "in payment-service" */
    bool leading; /* … before what is asked for */
    bool other;   /* names something else than where and how grave: an event, a text */
};

struct cut {
    struct clause clauses[MAX_CLAUSES];
    size_t count;
};

/* A number asked for: 몇 건, "how many", 에러율, "p95 latency". */
static bool asks_a_number(const struct ag_parse *p, size_t i)
{
    static const enum ag_concept asking[] = {AG_C_COUNT,    AG_C_COUNT_PEOPLE, AG_C_RATE,    AG_C_FAIL_RATE,
                                             AG_C_DURATION, AG_C_AVERAGE,      AG_C_MAXIMUM, AG_C_MINIMUM};
    const char *rule = i < p->tokens->count ? p->tokens->items[i].rule : NULL;

    for (size_t k = 0; k < sizeof asking / sizeof *asking; k++) {
        if (ag_reads(p, i, asking[k]) && !ag_reads(p, i, AG_C_FIELD))
            return true;
    }
    return rule && strcmp(rule, "percentile") == 0;
}

static bool joins(const struct ag_parse *p, size_t i)
{
    static const char *const words[] = {"고", "이고", "며", "이며", "그리고", "및", "plus", "as well as"};

    return ag_joins_list(p, i)
               ? strcmp(ag_word(p, i), "or") != 0 && !ag_is(p->tokens, i, AG_C_OR)
               : ag_reads(p, i, AG_C_AND) || ag_reads(p, i, AG_C_COMMA) ||
                     ag_says(p, i, words, sizeof words / sizeof *words) || strcmp(ag_word(p, i), "와") == 0 ||
                     strcmp(ag_word(p, i), "과") == 0 || strcmp(ag_word(p, i), "랑") == 0 ||
                     strcmp(ag_word(p, i), "이랑") == 0 || strcmp(ag_word(p, i), "하고") == 0;
}

/* Does token `i` end what was asked without saying anything: 는, 요? */
static bool is_tail(const struct ag_parse *p, size_t i)
{
    return ag_reads(p, i, AG_C_PARTICLE) || ag_reads(p, i, AG_C_ENDING) || ag_reads(p, i, AG_C_COUNTER);
}

/* "and what was the p95": words before what is asked for. */
static bool leads_in(const struct ag_parse *p, size_t i)
{
    return strcmp(ag_word(p, i), "the") == 0 ||
           (!ag_is_korean(p, i) && !joins(p, i) &&
            (ag_reads(p, i, AG_C_SHOW) || ag_reads(p, i, AG_C_IS) || ag_reads(p, i, AG_C_NOISE)));
}

/* Where [from, to), between two things asked for, is cut: the joining tokens [*end, *next). */
static bool find_seam(const struct ag_parse *p, size_t from, size_t to, size_t *end, size_t *next)
{
    size_t at = from;

    while (at < to && !joins(p, at) && is_tail(p, at))
        at++;
    if (at == to || !joins(p, at)) {
        /* "… and how many", "…, and the p95": right before what is asked for next. */
        at = to;
        while (at > from && leads_in(p, at - 1))
            at--;
        if (at == from || !joins(p, at - 1))
            return false;
        while (at > from && joins(p, at - 1))
            at--;
    }
    *end = at;
    while (at < to && joins(p, at))
        at++;
    *next = at;
    return true;
}

static bool cut_clauses(const struct ag_parse *p, struct cut *cut)
{
    size_t last = SIZE_MAX; /* the end of what is asked for */

    cut->count = 0;
    for (size_t i = 0; i < p->tokens->count; i++) {
        size_t end;
        size_t next;
        if (!asks_a_number(p, i))
            continue;
        if (last == SIZE_MAX) {
            cut->clauses[cut->count++] = (struct clause){.from = 0, .asked = i};
        } else if (i > last && find_seam(p, last, i, &end, &next)) {
            if (cut->count == MAX_CLAUSES)
                return false;
            cut->clauses[cut->count - 1].to = end;
            cut->clauses[cut->count++] = (struct clause){.from = next, .asked = i};
        }
        last = i + 1;
    }
    if (cut->count < 2)
        return false;
    cut->clauses[cut->count - 1].to = p->tokens->count;
    return true;
}

static bool is_place(enum ag_field field)
{
    return field == AG_SERVICE || field == AG_ENVIRONMENT || field == AG_HOST || field == AG_COMPONENT ||
           field == AG_ENDPOINT || field == AG_MODULE || field == AG_USER_ID || field == AG_SESSION_ID ||
           field == AG_CLIENT_IP || field == AG_CATEGORY;
}

static bool is_grade(enum ag_field field)
{
    return field == AG_LEVEL || field == AG_HTTP_STATUS || field == AG_STATUS_CLASS || field == AG_REQUEST ||
           field == AG_DURATION;
}

/* What the clause says where, and how it says so. */
static void look_at(struct clause *c, const struct ag_parse *inner)
{
    const struct ag_intent *in = &c->read.intent;

    for (size_t i = 0; i < in->filter_count; i++) {
        c->placed = c->placed || is_place(in->filters[i].field);
        c->other = c->other || (!is_place(in->filters[i].field) && !is_grade(in->filters[i].field));
    }
    for (size_t k = 0; k < inner->mention_count; k++) {
        const struct ag_mention *m = &inner->mentions[k];
        size_t before = m->from > 0 ? ag_before(inner, m->from) : SIZE_MAX;
        if (!is_place(m->field))
            continue;
        /* "the p95 of order-service" is that p95's alone. */
        c->adverb = c->adverb || (before != SIZE_MAX && ag_reads(inner, before, AG_C_PREPOSITION) &&
                                  strcmp(ag_word(inner, before), "of") != 0);
        c->leading = c->leading || m->to <= c->asked - c->from;
    }
}

static bool is_time(const struct ag_parse *p, size_t i)
{
    for (size_t k = 0; k < p->time_count; k++) {
        if (i >= p->times[k].from && i < p->times[k].to)
            return true;
    }
    return false;
}

/* Words that ask and do not say for what. */
static bool says_nothing(const struct ag_parse *p, size_t i)
{
    static const enum ag_concept empty[] = {
        AG_C_PARTICLE, AG_C_ENDING,  AG_C_VERB,        AG_C_NOISE, AG_C_SHOW,      AG_C_STOP,    AG_C_COMMA,
        AG_C_IS,       AG_C_COUNTER, AG_C_PREPOSITION, AG_C_BY,    AG_C_BY_BEFORE, AG_C_BY_AFTER};
    const char *rule = p->tokens->items[i].rule;

    for (size_t k = 0; k < sizeof empty / sizeof *empty; k++) {
        if (ag_reads(p, i, empty[k]))
            return true;
    }
    if (rule && strcmp(rule, "group") == 0)
        return true;
    return is_time(p, i) || (ag_reads(p, i, AG_C_COUNT) && !ag_reads(p, i, AG_C_FIELD));
}

/* The clause's own words, without what asks and without the time. */
static const char *name_of(struct ag_parse *p, const struct ag_parse *inner, size_t asked,
                           const char *fallback)
{
    size_t from = ag_reads(inner, asked, AG_C_COUNT) && !ag_is_korean(inner, asked) ? asked : 0;
    size_t to = inner->tokens->count;
    size_t first;
    size_t len;

    while (from < to && says_nothing(inner, from))
        from++;
    while (to > from && says_nothing(inner, to - 1))
        to--;
    if (from == to)
        return fallback;
    first = inner->text.from[inner->tokens->items[from].from];
    len = inner->text.to[inner->tokens->items[to - 1].to - 1] - first;
    if (len > AG_MAX_PART_NAME)
        return fallback;
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)inner->question->text[first + i] < 0x20 ||
            inner->question->text[first + i] == 0x7f)
            return fallback;
    }
    return ag_keep(p, inner->question->text + first, len);
}

/* Names tell columns apart. */
static const char *own_name(struct ag_parse *p, const struct cut *cut, size_t k, const char *name)
{
    for (size_t i = 0; i < k; i++) {
        if (strcmp(cut->clauses[i].name, name) == 0)
            return ag_sayf(p, "%.*s %zu", AG_MAX_PART_NAME - 3, name, k + 1);
    }
    return name;
}

static bool is_one_number(const struct ag_intent *in)
{
    return ag_measure_of_part(in->measure.fn) && in->measure.also_count == 0 && in->measure.p_count <= 1 &&
           in->shape == AG_PLAIN && in->compare == AG_NO_COMPARE && !in->threshold.set && in->limit == 0 &&
           !in->rank && in->window.from_us != INT64_MIN;
}

/* Each clause as a question; 1 when one of them is none that could be a part, -1 without memory. */
static int read_clauses(struct ag_parse *p, struct cut *cut, struct lm_error *error)
{
    struct ag_parse *inner = lm_arena_alloc(p->arena, sizeof *inner);

    if (!inner)
        return lm_error_set(error, LM_RETRY, "memory", "not enough memory to read a question");
    for (size_t k = 0; k < cut->count; k++) {
        struct clause *c = &cut->clauses[k];
        struct ag_question question = *p->question;
        size_t first;
        if (c->from >= c->to)
            return 1;
        first = p->text.from[p->tokens->items[c->from].from];
        question.text = p->question->text + first;
        question.len = p->text.to[p->tokens->items[c->to - 1].to - 1] - first;
        question.previous = NULL;
        if (ag_read_clause(inner, &question, p, &c->read, error) < 0)
            return -1;
        if (c->read.outcome != AG_UNDERSTOOD || !is_one_number(&c->read.intent))
            return 1;
        look_at(c, inner);
        c->name = own_name(p, cut, k,
                           name_of(p, inner, c->asked - c->from, ag_measure_name(c->read.intent.measure.fn)));
    }
    return 0;
}

static bool same_filter(const struct ag_filter *a, const struct ag_filter *b)
{
    if (a->field != b->field || a->op != b->op || a->value_count != b->value_count ||
        (a->key != NULL) != (b->key != NULL) || (a->key && strcmp(a->key, b->key) != 0))
        return false;
    for (size_t i = 0; i < a->value_count; i++) {
        if (strcmp(a->values[i], b->values[i]) != 0)
            return false;
    }
    return true;
}

static bool has_filter(const struct ag_intent *in, const struct ag_filter *f)
{
    for (size_t i = 0; i < in->filter_count; i++) {
        if (same_filter(&in->filters[i], f))
            return true;
    }
    return false;
}

enum reach { OWN, SHARED, OPEN };

/* Is where clause `from` says it happened also where `to` asks about, which says nothing of that kind? */
static enum reach reaches(const struct ag_parse *p, const struct cut *cut, size_t from, size_t to)
{
    const struct clause *a = &cut->clauses[from];
    const struct clause *b = &cut->clauses[to];

    if (p->language == AG_KO) {
        /* What stands first is what all of it is about; what stands later is said of what follows. */
        return from > to ? OWN : b->placed || b->other ? OPEN : SHARED;
    }
    if (from > to && !a->adverb)
        return OWN; /* "… and how many payment warnings" */
    if (b->placed || b->other)
        return OPEN;
    /* "in payment, how many errors and how many warnings", "… errors and how many warnings in payment" */
    if (from > to && a->read.intent.measure.fn != b->read.intent.measure.fn)
        return OWN;
    return a->adverb && ((from == 0 && a->leading) || from + 1 == cut->count) ? SHARED : OPEN;
}

/* Gives clauses what another says for them. False where that is not clear. */
static bool share_places(const struct ag_parse *p, struct cut *cut)
{
    for (size_t k = 0; k < cut->count; k++) {
        const struct ag_intent own = cut->clauses[k].read.intent;
        for (size_t i = 0; i < own.filter_count; i++) {
            const struct ag_filter *f = &own.filters[i];
            for (size_t j = 0; is_place(f->field) && j < cut->count; j++) {
                struct ag_intent *in = &cut->clauses[j].read.intent;
                enum reach reach = j == k || ag_has_field(in, f->field) ? OWN : reaches(p, cut, k, j);
                if (reach == OPEN || (reach == SHARED && in->filter_count == AG_MAX_FILTERS))
                    return false;
                if (reach == SHARED)
                    in->filters[in->filter_count++] = *f;
            }
        }
    }
    return true;
}

/* 서비스별 … 몇 건이고 … 몇 건, "… and how many … by service": what all are broken down by. False where the
 * clauses name different things, or one in the middle names some. */
static bool share_groups(const struct ag_parse *p, struct cut *cut)
{
    size_t said = p->language == AG_KO ? 0 : cut->count - 1;
    const struct ag_intent *in = &cut->clauses[said].read.intent;

    for (size_t k = 0; k < cut->count; k++) {
        const struct ag_intent *other = &cut->clauses[k].read.intent;
        bool same = other->group_count == in->group_count;
        for (size_t i = 0; same && i < in->group_count; i++)
            same =
                other->groups[i].field == in->groups[i].field && !other->groups[i].key && !in->groups[i].key;
        if (!same && other->group_count > 0)
            return false;
    }
    cut->clauses[0].read.intent.group_count = in->group_count;
    memmove(cut->clauses[0].read.intent.groups, in->groups, sizeof in->groups);
    return true;
}

/* The one window all are of; false where two were said. */
static bool share_window(struct cut *cut)
{
    const struct ag_window *stated = NULL;

    for (size_t k = 0; k < cut->count; k++) {
        const struct ag_window *w = &cut->clauses[k].read.intent.window;
        if (stated && w->stated && strcmp(w->symbolic, stated->symbolic) != 0)
            return false;
        if (w->stated)
            stated = w;
    }
    if (!stated)
        stated = &cut->clauses[0].read.intent.window;
    for (size_t k = 0; k < cut->count; k++) {
        struct ag_window *w = &cut->clauses[k].read.intent.window;
        if (!stated->stated && strcmp(w->symbolic, stated->symbolic) != 0)
            return false;
    }
    cut->clauses[0].read.intent.window = *stated;
    return true;
}

static bool add_filter(struct ag_intent *in, const struct ag_filter *f, unsigned part)
{
    if (in->filter_count == AG_MAX_FILTERS)
        return false;
    in->filters[in->filter_count] = *f;
    in->filters[in->filter_count++].part = part;
    return true;
}

/* What all clauses filter by, then what each does. */
static bool put_together(const struct ag_parse *p, const struct cut *cut, struct ag_intent *out)
{
    bool fits = true;

    *out = cut->clauses[0].read.intent;
    out->filter_count = 0;
    out->language = p->language;
    for (size_t k = 0; k < cut->count; k++) {
        const struct ag_intent *in = &cut->clauses[k].read.intent;
        out->parts[out->part_count++] =
            (struct ag_measured_part){cut->clauses[k].name, in->measure.fn, in->measure.field,
                                      in->measure.p_count ? in->measure.p[0] : 0};
        for (size_t i = 0; i < in->filter_count; i++) {
            bool common = true;
            for (size_t j = 0; j < cut->count; j++)
                common = common && has_filter(&cut->clauses[j].read.intent, &in->filters[i]);
            if (!common || k == 0)
                fits = fits && add_filter(out, &in->filters[i], common ? 0 : (unsigned)k + 1);
        }
    }
    return fits;
}

static void take_assumptions(struct ag_parse *p, const struct cut *cut)
{
    p->out->assumption_count = 0;
    for (size_t k = 0; k < cut->count; k++) {
        const struct ag_understanding *read = &cut->clauses[k].read;
        for (size_t i = 0; i < read->assumption_count; i++) {
            const struct ag_assumption *a = &read->assumptions[i];
            if (!p->intent->window.stated || strcmp(a->code, "default_window") != 0)
                ag_assume(p, a->code, a->text, a->text);
        }
    }
    ag_assume(p, "parts", "따로 물은 값을 한 줄에 나란히 구했습니다.",
              "What was asked for separately is answered side by side.");
}

static void ask_apart(struct ag_parse *p)
{
    *p->out = (struct ag_understanding){.language = p->language};
    p->stopped = false;
    ag_stop(p, AG_NOT_UNDERSTOOD,
            ag_say(p, "두 가지를 한꺼번에 물었는데, 각각 무엇의 언제인지 분명하지 않습니다.",
                   "Two things are asked for, and it is not clear which time or name goes with which."),
            ag_say(p, "하나씩 물어봐 주세요.", "Ask for one at a time."));
}

/* Several measures of the same records, and a whole with its part, are one thing asked for; so is what is
 * more than a number. How many people is told from how many records only by what each clause says. */
static bool is_one_thing(const struct ag_parse *p, const struct ag_intent *whole)
{
    return (whole->measure.fn != AG_DISTINCT && (p->several || whole->measure.also_count > 0)) ||
           whole->measure.p_count > 1 || whole->measure.fn == AG_SHARE || p->part_at ||
           whole->shape != AG_PLAIN || whole->compare != AG_NO_COMPARE ||
           !ag_measure_of_part(whole->measure.fn);
}

/* 에러 겪은 유저 몇 명이고 에러는 몇 건: of the same records. */
static bool same_records(const struct cut *cut)
{
    const struct ag_intent *first = &cut->clauses[0].read.intent;

    for (size_t i = 0; i < first->filter_count; i++) {
        if (is_grade(first->filters[i].field) &&
            has_filter(&cut->clauses[cut->count - 1].read.intent, &first->filters[i]))
            return true;
    }
    return false;
}

/* "… 5xx responses, unique users": everybody, or those who met one? Told only where people come first, or
 * with a condition of their own. */
static bool is_open_whose(const struct cut *cut)
{
    bool conditioned = false;

    for (size_t k = 0; k < cut->count; k++) {
        const struct ag_intent *in = &cut->clauses[k].read.intent;
        bool own = false;
        for (size_t i = 0; i < in->filter_count; i++)
            own = own || !is_place(in->filters[i].field);
        if (in->measure.fn == AG_DISTINCT && !own && conditioned)
            return true;
        conditioned = conditioned || own;
    }
    return false;
}

/* 총 몇 건인지, "how many in total": asks and says nothing of what. 전체 몇 건 may be of all there is. */
static bool is_bare_count(const struct ag_parse *p, const struct clause *c)
{
    for (size_t i = c->from; i < c->to; i++) {
        const char *total = ag_reads_value(p, i, AG_C_TOTAL);
        if (total ? *total == '\0' : !says_nothing(p, i) && !joins(p, i))
            return false;
    }
    return c->read.intent.measure.fn == AG_COUNT;
}

/* 영향받은 유저 몇 명, 몇 명이 겪었어, "how many users were affected": those whom what was counted befell. */
static bool are_those_affected(const struct ag_parse *p, const struct clause *c)
{
    static const char *const words[] = {"겪", "영향", "피해", "당한", "당했", "affected", "impacted"};
    bool affected = false;

    for (size_t i = c->from; i < c->to; i++) {
        for (size_t k = 0; k < sizeof words / sizeof *words; k++)
            affected = affected || strstr(ag_word(p, i), words[k]) != NULL;
    }
    return affected && c->read.intent.measure.fn == AG_DISTINCT;
}

/* 건, 번: of what happened. "How many in total" may be of those who were counted before as well. */
static bool counts_happenings(const struct ag_parse *p, const struct clause *c)
{
    static const char *const counters[] = {"건", "번", "회", "횟수"};
    const char *word = ag_word(p, c->asked);

    for (size_t k = 0; k < sizeof counters / sizeof *counters; k++) {
        if (strstr(word, counters[k]))
            return true;
    }
    return false;
}

/* 로그인 실패한 유저 몇 명이고 총 몇 건, 에러 몇 건이고 영향받은 유저는 몇 명: of the records the first
 * clause is about. False where a clause without conditions may be of all records. */
static bool take_first_records(const struct ag_parse *p, struct cut *cut)
{
    const struct ag_intent *first = &cut->clauses[0].read.intent;

    for (size_t k = 1; k < cut->count; k++) {
        struct ag_intent *in = &cut->clauses[k].read.intent;
        bool bare = is_bare_count(p, &cut->clauses[k]);
        bool same = (bare && first->measure.fn == AG_DISTINCT && counts_happenings(p, &cut->clauses[k])) ||
                    (are_those_affected(p, &cut->clauses[k]) && first->measure.fn == AG_COUNT);
        if (in->filter_count > 0 || first->filter_count == 0)
            continue;
        if (!same && bare)
            return false;
        if (!same)
            continue;
        memcpy(in->filters, first->filters, sizeof in->filters);
        in->filter_count = first->filter_count;
    }
    return true;
}

static bool counts_twice(const struct ag_parse *p, const struct cut *cut)
{
    for (size_t k = 0; k < cut->count; k++) {
        if (!ag_reads(p, cut->clauses[k].asked, AG_C_COUNT))
            return false;
    }
    return true;
}

int ag_parts_rule(struct ag_parse *p, struct lm_error *error)
{
    const struct ag_intent *whole = &p->out->intent;
    struct cut *cut;
    int unread;

    if (p->out->outcome == AG_REFUSED || p->out->outcome == AG_BAD_QUESTION || !p->tokens)
        return 0;
    if (p->out->outcome == AG_UNDERSTOOD && is_one_thing(p, whole))
        return 0;
    cut = lm_arena_alloc(p->arena, sizeof *cut);
    if (!cut)
        return lm_error_set(error, LM_RETRY, "memory", "not enough memory to read a question");
    if (!cut_clauses(p, cut))
        return 0;
    unread = read_clauses(p, cut, error);
    if (unread < 0)
        return -1;
    if (unread > 0) {
        /* 주문 몇 건이고 결제 몇 건: two counts are not one of both. */
        if (p->out->outcome == AG_UNDERSTOOD && whole->measure.fn == AG_COUNT && counts_twice(p, cut))
            ask_apart(p);
        return 0;
    }
    if (p->out->outcome == AG_UNDERSTOOD && whole->measure.also_count > 0 && same_records(cut))
        return 0;
    if (!take_first_records(p, cut) || is_open_whose(cut) || !share_window(cut) || !share_places(p, cut) ||
        !share_groups(p, cut) || !put_together(p, cut, p->intent)) {
        ask_apart(p);
        return 0;
    }
    p->out->outcome = AG_UNDERSTOOD;
    p->out->message = p->out->hint = NULL;
    p->out->suggestion_count = p->out->choice_count = 0;
    p->which = 0;
    take_assumptions(p, cut);
    return p->memory ? lm_error_set(error, LM_RETRY, "memory", "not enough memory to read a question") : 0;
}
