/*
 * What a negation takes back: conditions that are to be denied, fields that a record lacks or has, and what
 * is said of everything a service or a host has ("no errors") and not of each record.
 */
#include "agent/understand/parse.h"

#include <string.h>

/* All mentions over the same tokens: "error" is two levels. */
static void negate(struct ag_parse *p, size_t from, size_t to)
{
    for (size_t k = 0; k < p->mention_count; k++) {
        if (p->mentions[k].from == from && p->mentions[k].to == to)
            p->mentions[k].negated = true;
    }
}

/* Words that may stand between a name and its negation. */
static bool is_filler(const struct ag_parse *p, size_t i)
{
    const struct ag_tokens *t = p->tokens;

    return ag_is(t, i, AG_C_LOG) || ag_is(t, i, AG_C_PARTICLE) || ag_is(t, i, AG_C_SERVICE_WORD) ||
           ag_is(t, i, AG_C_FIELD) || ag_is(t, i, AG_C_THING) || ag_is(t, i, AG_C_NOISE) ||
           ag_is(t, i, AG_C_PREPOSITION) || ag_is(t, i, AG_C_REQUEST) || ag_is(t, i, AG_C_ENDING) ||
           ag_is(t, i, AG_C_VERB);
}

/* 에러도 경고도 아닌: 도 joins what is denied together. */
static bool joins_denied(const struct ag_parse *p, size_t i)
{
    return ag_joins_list(p, i) || (ag_is(p->tokens, i, AG_C_PARTICLE) && strcmp(ag_word(p, i), "도") == 0);
}

/* 오늘 에러, 결제 빼고: a comma lists what is of one kind; behind another kind it begins what is left out. */
static bool begins_anew(const struct ag_parse *p, const struct ag_mention *left_out)
{
    size_t comma = left_out->from - 1;
    size_t end = comma;
    bool same = false;

    if (!ag_is(p->tokens, comma, AG_C_COMMA))
        return false;
    while (end > 0 && ag_is(p->tokens, end - 1, AG_C_PARTICLE))
        end--;
    for (size_t k = 0; k < p->mention_count; k++)
        same = same || (p->mentions[k].to == end && p->mentions[k].field == left_out->field);
    return !same;
}

/* Korean: what stands before, and what is joined to that. */
static bool negate_before(struct ag_parse *p, size_t at)
{
    bool any = false;
    size_t end = at;

    for (;;) {
        const struct ag_mention *m;
        size_t start;
        while (!(m = ag_mention_ending(p, end)) && end > 0 &&
               (is_filler(p, end - 1) || ag_joins_list(p, end - 1)) &&
               !(any && !ag_joins_list(p, end - 1) && !is_filler(p, end - 1)))
            end--;
        if (!m)
            return any;
        start = m->from;
        negate(p, m->from, m->to);
        ag_consume(p->tokens, m->to, at, "not");
        any = true;
        if (start == 0 || !joins_denied(p, start - 1) || begins_anew(p, m))
            return true;
        end = start;
    }
}

/* How far places and what happens there lie apart: an environment has services, a service has errors. 0:
 * neither. */
static int depth(enum ag_field field)
{
    switch (field) {
    case AG_ENVIRONMENT:
        return 1;
    case AG_SERVICE:
    case AG_HOST:
    case AG_COMPONENT:
        return 2;
    case AG_LEVEL:
    case AG_HTTP_STATUS:
    case AG_STATUS_CLASS:
    case AG_ERROR_TYPE:
        return 3;
    default:
        return 0;
    }
}

/* "and everything from staging", "or those in production": all there is of that is left out as well. The
 * token of the mention, or `i`. */
static size_t past_everything(const struct ag_parse *p, size_t i)
{
    static const char *const words[] = {"anything", "everything", "all",  "whatever", "those",
                                        "stuff",    "things",     "ones", "any"};
    size_t at = i;

    if (!ag_says(p, at, words, sizeof words / sizeof *words))
        return i;
    while (at < p->tokens->count &&
           (ag_says(p, at, words, sizeof words / sizeof *words) || ag_is(p->tokens, at, AG_C_LOG) ||
            ag_is(p->tokens, at, AG_C_REQUEST) || ag_is(p->tokens, at, AG_C_PREPOSITION) ||
            ag_is(p->tokens, at, AG_C_NOISE) || ag_is(p->tokens, at, AG_C_VERB)))
        at++;
    return at;
}

/* "but not payment in staging", "excluding payment and in production": whether the second is left out as well
 * or is where the first is, is not said. */
static void ask_how_far(struct ag_parse *p)
{
    ag_stop(
        p, AG_NEEDS_CLARIFICATION,
        ag_say(p, "무엇까지 제외하는지 분명하지 않습니다.", "It is not clear how far the exclusion goes."),
        ag_say(p, "예: \"결제 서비스와 스테이징 빼고\"",
               "For example \"errors in staging, excluding payment-service\"."));
}

/* Does the word leave out whole things: "except payment in staging"? "No errors in staging", "not from …" and
 * "non-200 in payment" say it of single records or of all that is there. */
static bool leaves_out(const struct ag_parse *p, size_t at)
{
    static const char *const plain[] = {"no",     "not",     "zero",  "neither", "without", "w/o",
                                        "non",    "non-",    "isn't", "weren't", "wasn't",  "aren't",
                                        "didn't", "doesn't", "don't", "haven't", "hasn't"};

    return !ag_says(p, at, plain, sizeof plain / sizeof *plain);
}

/* "except those from payment in staging", "excluding payment and order in staging": what is left out may be
 * both, or only the first, of what is in the second. */
static bool narrows_what_is_denied(struct ag_parse *p, size_t at, const struct ag_mention *m)
{
    bool those = past_everything(p, at + 1) != at + 1 || strcmp(ag_word(p, at), "except those") == 0 ||
                 strcmp(ag_word(p, at), "except from") == 0;
    const struct ag_mention *place;
    size_t end = m->to;

    while (ag_is(p->tokens, end, AG_C_LOG) || ag_is(p->tokens, end, AG_C_SERVICE_WORD) ||
           ag_is(p->tokens, end, AG_C_PREPOSITION))
        end++;
    place = end > m->to && ag_is(p->tokens, end - 1, AG_C_PREPOSITION) ? ag_mention_starting(p, end) : NULL;
    if (!place)
        return false;
    return those || (leaves_out(p, at) && depth(place->field) > 0 && depth(place->field) < depth(m->field));
}

/* Is something else of that kind wanted: 결제 에러 빼고 경고만? Then what is left out says nothing more. */
static bool has_wanted(const struct ag_parse *p, enum ag_field field)
{
    for (size_t k = 0; k < p->mention_count; k++) {
        if (p->mentions[k].field == field && !p->mentions[k].negated)
            return true;
    }
    return false;
}

/* payment-service 에러 빼고, 스테이징 결제 빼고: of that place all but those, or everywhere all but those of
 * that place? 결제에서 에러 빼고 is the former. */
static void place_before(struct ag_parse *p, size_t at)
{
    const struct ag_mention *first = NULL;
    const struct ag_mention *place;
    size_t end;

    for (size_t k = 0; k < p->mention_count; k++) {
        const struct ag_mention *m = &p->mentions[k];
        size_t rest = m->to;
        while (rest < at && (is_filler(p, rest) || p->tokens->items[rest].rule))
            rest++;
        if (m->negated && m->from < at && rest == at && (!first || m->from < first->from))
            first = m;
    }
    if (!first || first->from == 0 || has_wanted(p, first->field))
        return;
    end = first->from;
    while (end > 0 && (ag_reads(p, end - 1, AG_C_SERVICE_WORD) || ag_reads(p, end - 1, AG_C_FIELD)) &&
           !ag_mention_ending(p, end))
        end--;
    place = ag_mention_ending(p, end);
    if (!place || place->negated || depth(place->field) == 0 || depth(place->field) == 3 ||
        depth(first->field) <= depth(place->field))
        return;
    ag_stop(p, AG_NEEDS_CLARIFICATION,
            ag_sayf(p, "\"%s\"에서 뒤의 것을 뺀 나머지인지, \"%s\"의 그것만 뺀 전부인지 분명하지 않습니다.",
                    place->value, place->value),
            ag_sayf(p, "앞의 뜻이면 \"%s에서\"처럼 적어 주세요. 예: \"결제 서비스에서 에러 빼고 로그\"",
                    place->value));
}

/* "not warnings, errors": what a comma lists behind "not" may be what is wanted instead. */
static bool turns_around(const struct ag_parse *p, size_t at, const struct ag_mention *m)
{
    size_t next = m->to + 1;
    const struct ag_mention *other = ag_reads(p, m->to, AG_C_COMMA) ? ag_mention_starting(p, next) : NULL;

    if (strcmp(ag_word(p, at), "not") != 0 || !other || other->field != m->field)
        return false;
    for (size_t k = 0; k < p->mention_count; k++) {
        if (p->mentions[k].field == m->field && (p->mentions[k].from < at || p->mentions[k].from > next))
            return false;
    }
    return true;
}

/* English: what stands behind, and what is joined to that. */
static bool negate_after(struct ag_parse *p, size_t at)
{
    bool any = false;
    size_t start = at + 1;

    for (;;) {
        const struct ag_mention *m;
        while (!(m = ag_mention_starting(p, start)) && start < p->tokens->count && is_filler(p, start))
            start++;
        if (m && turns_around(p, at, m)) {
            ask_how_far(p);
            return true;
        }
        if (!m || (any && ag_is(p->tokens, ag_after(p, m->to - 1), AG_C_ONLY)))
            return any;
        negate(p, m->from, m->to);
        any = true;
        if (narrows_what_is_denied(p, at, m)) {
            ask_how_far(p);
            return true;
        }
        start = m->to;
        while (m && start < p->tokens->count &&
               (is_filler(p, start) && !ag_mention_starting(p, start) &&
                !ag_is(p->tokens, start, AG_C_PREPOSITION)))
            start++;
        if (!ag_joins_list(p, start))
            return true;
        for (bool nor = false; ag_joins_list(p, start) || (nor && is_filler(p, start)); start++)
            nor = nor || strcmp(ag_word(p, start), "nor") == 0;
        start = past_everything(p, start);
        if (!ag_mention_starting(p, start)) {
            if (ag_is(p->tokens, start, AG_C_PREPOSITION) && ag_reads(p, start - 1, AG_C_AND) &&
                ag_mention_starting(p, ag_after(p, start)))
                ask_how_far(p);
            return true;
        }
    }
}

static bool negated_field(const struct ag_parse *p, size_t i)
{
    for (size_t k = 0; k < p->mention_count; k++) {
        if (p->mentions[k].negated && ag_names_field(p, i, ag_field_name(p->mentions[k].field)))
            return true;
    }
    return false;
}

/* "hosts with no warnings", "users who did not hit": said of all records of a host, not of each. */
static bool denies_all(const struct ag_parse *p, size_t i)
{
    static const char *const did_not[] = {"didn't", "don't", "doesn't", "haven't", "hasn't"};
    const char *word = ag_word(p, i);
    const char *before = i > 0 ? ag_word(p, i - 1) : "";

    for (size_t k = 0; k < sizeof did_not / sizeof *did_not; k++) {
        if (strcmp(word, did_not[k]) == 0)
            return true;
    }
    if (strcmp(word, "not") == 0)
        return strcmp(before, "did") == 0 || strcmp(before, "does") == 0 || strcmp(before, "do") == 0 ||
               strcmp(before, "had") == 0 || strcmp(before, "have") == 0;
    return (strcmp(word, "no") == 0 || strcmp(word, "zero") == 0 || strcmp(word, "without") == 0) &&
           (ag_reads(p, i + 1, AG_C_LEVEL) || ag_reads(p, i + 1, AG_C_ERROR) ||
            ag_reads(p, i + 1, AG_C_STATUS_CLASS) || ag_reads(p, i + 1, AG_C_NUMBER) ||
            ag_reads(p, i + 2, AG_C_ERROR));
}

/* 에러 없는 서비스: of the service, not of its records. */
static void none_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count; i++) {
        size_t next = ag_after(p, i);
        /* 에러 0건인 서비스 */
        if (ag_is(t, i, AG_C_NUMBER) && t->items[i].number == 0 && ag_is(t, i + 1, AG_C_COUNTER) &&
            ag_is(t, ag_after(p, i + 1), AG_C_FIELD) && negate_before(p, i)) {
            p->negated_whole = true;
            ag_consume(t, i, i + 2, "without");
            continue;
        }
        if (!ag_is(t, i, AG_C_WITHOUT) || !(ag_is(t, next, AG_C_FIELD) || ag_is(t, next, AG_C_THING)) ||
            (ag_is(t, next, AG_C_THING) && ag_is(t, ag_before(p, i), AG_C_FIELD)) || !negate_before(p, i))
            continue;
        p->negated_whole = true;
        ag_consume(t, i, i + 1, "without");
    }
}

/* "non-fatal errors" are errors all the same: those of the level below. */
static void not_fatal(struct ag_parse *p, size_t at)
{
    const struct ag_mention *found = ag_mention_starting(p, at);
    struct ag_mention *m = found ? &p->mentions[found - p->mentions] : NULL;

    if (!m || m->field != AG_LEVEL || strcmp(m->value, "FATAL") != 0 ||
        !(strstr(ag_word(p, at), "error") || ag_reads(p, m->to, AG_C_ERROR)))
        return;
    m->value = "ERROR";
    m->negated = false;
}

/* What a record may lack. */
static enum ag_field optional_field(const struct ag_parse *p, size_t i)
{
    static const enum ag_field fields[] = {
        AG_STACK_TRACE, AG_TRACE_ID, AG_SPAN_ID,   AG_USER_ID, AG_SESSION_ID,  AG_CLIENT_IP, AG_ERROR_TYPE,
        AG_ERROR_CODE,  AG_ENDPOINT, AG_COMPONENT, AG_HOST,    AG_HTTP_STATUS, AG_DURATION};

    for (size_t k = 0; k < sizeof fields / sizeof *fields; k++) {
        if (i < p->tokens->count && !p->tokens->items[i].rule &&
            ag_names_field(p, i, ag_field_name(fields[k])))
            return fields[k];
    }
    return AG_NO_FIELD;
}

/* 로그 중 user_id 없는 거, 에러에 user_id 없는 게: the thing is one of the records named before. */
static bool of_records(const struct ag_parse *p, size_t at)
{
    size_t among = at > 0 ? ag_before(p, at) : SIZE_MAX;
    size_t of = among != SIZE_MAX && among > 0 ? ag_before(p, among) : SIZE_MAX;

    if (among != SIZE_MAX && strncmp(ag_word(p, among + 1), "에", strlen("에")) == 0 &&
        ag_reads(p, among + 1, AG_C_PARTICLE) &&
        (ag_reads(p, among, AG_C_LOG) || ag_reads(p, among, AG_C_ERROR)))
        return true;
    return of != SIZE_MAX && ag_reads(p, among, AG_C_PREPOSITION) &&
           (ag_reads(p, of, AG_C_LOG) || ag_reads(p, of, AG_C_ERROR) || ag_reads(p, of, AG_C_LEVEL) ||
            ag_reads(p, of, AG_C_REQUEST));
}

/* 트레이스 없는 에러, user id가 없는 로그, "errors without a trace id", "logs that have no session id": of
 * the record, which says nothing there. */
static void missing_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 1; i < t->count; i++) {
        bool korean = ag_is_korean(p, i);
        size_t at = korean ? ag_before(p, i) : ag_after(p, i);
        size_t next = korean ? ag_after(p, i) : at + 1;
        const char *word = ag_word(p, i);
        size_t led = ag_before(p, i);
        enum ag_field field = at == SIZE_MAX ? AG_NO_FIELD : optional_field(p, at);
        bool denies = korean ? (ag_is(t, i, AG_C_WITHOUT) || ag_is(t, i, AG_C_STOPPED)) &&
                                   (ag_reads(p, next, AG_C_ERROR) || ag_is(t, next, AG_C_LOG) ||
                                    ag_reads(p, next, AG_C_LEVEL) || ag_is(t, next, AG_C_REQUEST) ||
                                    (ag_is(t, next, AG_C_THING) && of_records(p, at)))
                             : strcmp(word, "without") == 0 ||
                                   (strcmp(word, "no") == 0 && led != SIZE_MAX &&
                                    (strcmp(ag_word(p, led), "with") == 0 || ag_reads(p, led, AG_C_VERB) ||
                                     strcmp(ag_word(p, led), "that have") == 0));
        bool itself =
            !korean && field != AG_NO_FIELD &&
            (ag_is(t, next, AG_C_ERROR) || ag_is(t, next, AG_C_LEVEL) || ag_is(t, next, AG_C_STATUS_CLASS));
        if (!denies || field == AG_NO_FIELD || itself)
            continue;
        ag_mention_add(p, korean ? at : i, korean ? i + 1 : at + 1, field, NULL, AG_IS_NULL, NULL, "missing");
    }
}

/* "stack traces of those errors", 에러 스택 트레이스 보여줘: the traces themselves are asked for. */
static bool asks_for_traces(const struct ag_parse *p, size_t i)
{
    static const char *const of[] = {"of", "for", "from", "behind"};
    size_t next = ag_after(p, i);
    size_t before = i > 0 ? ag_before(p, i) : SIZE_MAX;

    if (!ag_is_korean(p, i))
        return ag_says(p, i + 1, of, sizeof of / sizeof *of) && !ag_grouped_by(p, i);
    return before != SIZE_MAX && ag_mention_ending(p, before + 1) &&
           (next == p->tokens->count || ag_reads(p, next, AG_C_SHOW) || ag_reads(p, next, AG_C_LIST) ||
            ag_reads(p, next, AG_C_STOP));
}

/* 스택 트레이스 붙은 에러, "errors with a stack trace": of the record, which has one. */
static void present_rule(struct ag_parse *p)
{
    static const char *const hung[] = {"있", "붙", "달", "남", "포함"};
    static const char *const having[] = {"with",      "that have", "that has", "that had", "which have",
                                         "which had", "have",      "has",      "had",      "having",
                                         "carry",     "carries",   "carried",  "carrying", "bearing"};
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count; i++) {
        size_t next = ag_after(p, i);
        size_t before = i > 0 ? ag_before(p, i) : SIZE_MAX;
        if (!ag_is(t, i, AG_C_FIELD) || !ag_names_field(p, i, "stack_trace"))
            continue;
        if (asks_for_traces(p, i)) {
            ag_mention_add(p, i, i + 1, AG_STACK_TRACE, NULL, AG_NOT_NULL, NULL, "present");
            continue;
        }
        if (!ag_is_korean(p, i) && before != SIZE_MAX &&
            (ag_says(p, before, having, sizeof having / sizeof *having) || ag_reads(p, before, AG_C_VERB))) {
            ag_mention_add(p, i, i + 1, AG_STACK_TRACE, NULL, AG_NOT_NULL, NULL, "present");
            continue;
        }
        for (size_t k = 0; next < t->count && k < sizeof hung / sizeof *hung; k++) {
            if (strncmp(ag_word(p, next), hung[k], strlen(hung[k])) != 0)
                continue;
            ag_mention_add(p, i, next + 1, AG_STACK_TRACE, NULL, AG_NOT_NULL, NULL, "present");
            break;
        }
    }
}

void ag_negation_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    missing_rule(p);
    none_rule(p);
    present_rule(p);
    for (size_t i = 0; i < t->count; i++) {
        size_t rest;
        if (!ag_is(t, i, AG_C_NOT))
            continue;
        if (!(ag_is_korean(p, i) ? negate_before(p, i) : negate_after(p, i)))
            continue;
        if (ag_is_korean(p, i))
            place_before(p, i);
        if (denies_all(p, i))
            *(strcmp(ag_word(p, i), "without") == 0 ? &p->left_out : &p->negated_whole) = true;
        ag_consume(t, i, i + 1, "not");
        if (strcmp(ag_word(p, i), "non-") == 0)
            not_fatal(p, i + 1);
        /* 운영이 아닌 환경, 모바일 말고 다른 기기 */
        if (ag_is_korean(p, i) && ag_is(t, i + 1, AG_C_REST))
            ag_consume(t, i + 1, i + 2, "not");
        rest = ag_is_korean(p, i) && i + 1 < t->count && ag_reads(p, i + 1, AG_C_REST) ? i + 2 : i + 1;
        if (ag_is_korean(p, i) && ag_is(t, rest, AG_C_FIELD) && !ag_is(t, rest + 1, AG_C_BY) &&
            negated_field(p, rest) && !ag_are_others(p, rest))
            ag_consume(t, rest, rest + 1, "not");
    }
    ag_others_rule(p);
}
