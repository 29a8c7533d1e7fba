/*
 * Conditions on level and status, and what a negation takes back.
 */
#include "agent/understand/parse.h"

#include <ctype.h>
#include <string.h>

bool ag_joins_list(const struct ag_parse *p, size_t i)
{
    const struct ag_tokens *t = p->tokens;
    const char *w = ag_word(p, i);

    return ag_is(t, i, AG_C_AND) || ag_is(t, i, AG_C_OR) || ag_is(t, i, AG_C_COMMA) ||
           (ag_is(t, i, AG_C_PARTICLE) &&
            (strcmp(w, "랑") == 0 || strcmp(w, "이랑") == 0 || strcmp(w, "와") == 0 || strcmp(w, "과") == 0 ||
             strcmp(w, "하고") == 0 || strcmp(w, "나") == 0 || strcmp(w, "이나") == 0));
}

bool ag_names_field(const struct ag_parse *p, size_t i, const char *name)
{
    const struct ag_reading *r = i < p->tokens->count ? p->tokens->items[i].readings : NULL;

    for (; r; r = r->next) {
        if (r->concept == AG_C_FIELD && strcmp(r->value, name) == 0)
            return true;
    }
    return false;
}

bool ag_grouped_by(const struct ag_parse *p, size_t i)
{
    size_t before = i > 0 ? ag_before(p, i) : SIZE_MAX;

    return ag_is(p->tokens, i + 1, AG_C_BY) ||
           (before != SIZE_MAX && ag_is(p->tokens, before, AG_C_BY_BEFORE));
}

/* -- levels -- */

void ag_level_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count; i++) {
        const char *level = ag_value(t, i, AG_C_LEVEL);
        bool error = ag_is(t, i, AG_C_ERROR);
        size_t end = i + 1;
        size_t start = i;
        enum ag_op op = AG_IN;
        if (!level && !error)
            continue;
        /* "WARN 레벨", "level WARN" */
        if (ag_names_field(p, end, "level") && !t->items[end].rule && !ag_grouped_by(p, end))
            end++;
        while (ag_is(t, end, AG_C_LOG) && ag_is_korean(p, end))
            end++;
        if (i > 0 && ag_names_field(p, i - 1, "level") && !t->items[i - 1].rule && !ag_grouped_by(p, i - 1))
            start = i - 1;
        else if (i > 1 && ag_is(t, i - 1, AG_C_EQUALS) && ag_names_field(p, i - 2, "level"))
            start = i - 2;
        if (ag_is(t, end, AG_C_AT_LEAST))
            op = AG_AT_LEAST;
        else if (ag_is(t, end, AG_C_AT_MOST))
            op = AG_AT_MOST;
        else if (i > 0 && ag_is(t, i - 1, AG_C_AT_LEAST)) {
            op = AG_AT_LEAST;
            start = i > 1 && ag_names_field(p, i - 2, "level") && !t->items[i - 2].rule ? i - 2 : i - 1;
        }
        if (op != AG_IN && ag_is(t, end, AG_C_AT_LEAST) + ag_is(t, end, AG_C_AT_MOST) > 0)
            end++;
        if (op == AG_AT_LEAST || op == AG_AT_MOST) {
            ag_mention_add(p, start, end, AG_LEVEL, NULL, op, level ? level : "ERROR", "level");
        } else if (error) {
            ag_mention_add(p, start, end, AG_LEVEL, NULL, AG_IN, "ERROR", "level");
            ag_mention_add(p, start, end, AG_LEVEL, NULL, AG_IN, "FATAL", "level");
            p->said[AG_C_ERROR] = i + 1;
        } else {
            ag_mention_add(p, start, end, AG_LEVEL, NULL, AG_IN, level, "level");
        }
    }
}

static bool listed_with(const struct ag_parse *p, size_t a, size_t b)
{
    for (size_t i = a; i < b; i++) {
        if (ag_joins_list(p, i))
            return true;
    }
    return false;
}

static void drop_level(struct ag_parse *p, const char *but)
{
    size_t kept = 0;

    for (size_t k = 0; k < p->mention_count; k++) {
        const struct ag_mention *m = &p->mentions[k];
        if (m->field != AG_LEVEL || m->op != AG_IN || m->negated || strcmp(m->value, but) == 0)
            p->mentions[kept++] = *m;
    }
    p->mention_count = kept;
}

/* 에러 중 FATAL 비율: the part and the whole are different levels. */
static bool asks_for_a_share(const struct ag_parse *p)
{
    for (size_t i = 0; i < p->tokens->count; i++) {
        if (ag_is(p->tokens, i, AG_C_PERCENT))
            return true;
    }
    return false;
}

/* "FATAL 에러", "errors, FATAL only": a level named beside "error" and not listed with it is the level meant.
 */
void ag_one_level_rule(struct ag_parse *p)
{
    const struct ag_mention *error = NULL;
    const struct ag_mention *level = NULL;
    const char *value;
    bool only;

    for (size_t k = 0; k < p->mention_count; k++) {
        const struct ag_mention *m = &p->mentions[k];
        bool is_error = false;
        if (m->field != AG_LEVEL || m->op != AG_IN || m->negated)
            continue;
        for (size_t i = m->from; i < m->to; i++)
            is_error = is_error || ag_reads(p, i, AG_C_ERROR);
        if (is_error)
            error = m;
        else if (level)
            return;
        else
            level = m;
    }
    if (!error || !level || asks_for_a_share(p))
        return;
    value = level->value;
    only = ag_reads(p, level->to, AG_C_ONLY) ||
           (level->from > 0 && ag_reads(p, level->from - 1, AG_C_ONLY)) ||
           (ag_reads(p, level->to, AG_C_PARTICLE) && strcmp(ag_word(p, level->to), "만") == 0);
    if (!only && (level->from < error->from ? listed_with(p, level->to, error->from)
                                            : listed_with(p, error->to, level->from)))
        return;
    if (strcmp(value, "FATAL") != 0 && !only) {
        ag_stop(p, AG_NOT_UNDERSTOOD,
                ag_say(p, "두 레벨 가운데 무엇인지 알 수 없습니다.",
                       "It is not clear which of the two levels is meant."),
                NULL);
        return;
    }
    drop_level(p, value);
}

/* -- statuses -- */

static bool is_status_number(const struct ag_parse *p, size_t i)
{
    const struct ag_token *token = i < p->tokens->count ? &p->tokens->items[i] : NULL;

    return token && ag_is(p->tokens, i, AG_C_NUMBER) && strlen(token->text) == 3 && token->text[0] >= '1' &&
           token->text[0] <= '5' && isdigit((unsigned char)token->text[1]) &&
           isdigit((unsigned char)token->text[2]);
}

static bool is_status_noun(const struct ag_parse *p, size_t i)
{
    return ag_is(p->tokens, i, AG_C_RESPONSE) || ag_is(p->tokens, i, AG_C_ERROR) ||
           ag_is(p->tokens, i, AG_C_REQUEST) ||
           (ag_names_field(p, i, "http_status") && !p->tokens->items[i].rule);
}

static bool is_status_plural(const struct ag_parse *p, size_t i)
{
    return i < p->tokens->count && p->tokens->items[i].glued && strcmp(p->tokens->items[i].text, "s") == 0 &&
           !p->tokens->items[i].rule;
}

/* 404 or 502 by itself: nothing else is counted or asked for by that number. */
static bool is_bare_status(const struct ag_parse *p, size_t i)
{
    static const enum ag_concept counted[] = {AG_C_COUNTER, AG_C_UNIT,  AG_C_OCLOCK,   AG_C_PERCENT,
                                              AG_C_LOG,     AG_C_LEVEL, AG_C_AT_LEAST, AG_C_AT_MOST,
                                              AG_C_ABOVE,   AG_C_BELOW, AG_C_DASH,     AG_C_NUMBER};
    static const enum ag_concept counts[] = {AG_C_TOP,   AG_C_BOTTOM, AG_C_NEWEST,   AG_C_OLDEST,  AG_C_LAST,
                                             AG_C_FIRST, AG_C_RECENT, AG_C_AT_LEAST, AG_C_AT_MOST, AG_C_ABOVE,
                                             AG_C_BELOW, AG_C_DASH,   AG_C_NUMBER,   AG_C_DOMAIN,  AG_C_WORD};
    bool glued_unit =
        i + 1 < p->tokens->count && p->tokens->items[i + 1].glued && ag_is(p->tokens, i + 1, AG_C_UNIT);

    if (ag_word(p, i)[0] != '4' && ag_word(p, i)[0] != '5')
        return false;
    for (size_t k = 0; k < sizeof counted / sizeof *counted; k++) {
        if (ag_is(p->tokens, i + 1, counted[k]) &&
            !(counted[k] == AG_C_PERCENT && !glued_unit && !p->tokens->items[i + 1].glued))
            return false;
    }
    for (size_t k = 0; k < sizeof counts / sizeof *counts && i > 0; k++) {
        if (ag_is(p->tokens, i - 1, counts[k]) && p->tokens->items[i - 1].name_count == 0)
            return false;
    }
    return true;
}

/* "that returned 200", "non-200", 200 말고 다른 응답: said as what came back, any status is one. */
static bool is_what_came_back(const struct ag_parse *p, size_t i, size_t before)
{
    static const char *const verbs[] = {"return",       "returned",       "returns", "returning",
                                        "respond with", "responded with", "non-",    "get",
                                        "got",          "반환",           "not"};
    size_t next = ag_after(p, i);

    for (size_t k = 0; before < p->tokens->count && k < sizeof verbs / sizeof *verbs; k++) {
        if (strcmp(ag_word(p, before), verbs[k]) == 0)
            return !ag_is(p->tokens, i + 1, AG_C_LOG) && !ag_is(p->tokens, i + 1, AG_C_LEVEL) &&
                   !ag_is(p->tokens, i + 1, AG_C_ERROR) && !ag_is(p->tokens, i + 1, AG_C_UNIT);
    }
    if (!ag_is(p->tokens, next, AG_C_NOT) || !ag_is_korean(p, next))
        return false;
    next = ag_after(p, next);
    if (ag_is(p->tokens, next, AG_C_REST))
        next = ag_after(p, next);
    return is_status_noun(p, next) && !ag_is(p->tokens, next, AG_C_ERROR);
}

/* A status number stands beside a word that says what it is. */
static bool status_near(const struct ag_parse *p, size_t i)
{
    size_t before = i > 0 ? ag_before(p, i) : SIZE_MAX;
    size_t next = ag_after(p, i);

    if (is_status_plural(p, i + 1) || is_status_noun(p, next))
        return true;
    if (is_what_came_back(p, i, before))
        return true;
    if (before == SIZE_MAX)
        return is_bare_status(p, i);
    if (ag_is(p->tokens, before, AG_C_EQUALS) && before > 0)
        before = ag_before(p, before);
    if (strncmp(ag_word(p, before), "http", 4) == 0)
        return true;
    return (before != SIZE_MAX && ag_names_field(p, before, "http_status") &&
            !p->tokens->items[before].rule) ||
           is_bare_status(p, i);
}

static void status_list(struct ag_parse *p, size_t i)
{
    struct ag_tokens *t = p->tokens;
    size_t end = i;

    /* 404, 404와 500, 404s or 500s */
    while (is_status_number(p, end)) {
        size_t next = end + 1;
        ag_mention_add(p, end, next, AG_HTTP_STATUS, NULL, AG_IN, t->items[end].text, "status");
        if (is_status_plural(p, next))
            ag_consume(t, next, next + 1, "status"), next++;
        end = next;
        while (ag_joins_list(p, next))
            next++;
        if (next > end && is_status_number(p, next)) {
            ag_consume(t, end, next, "status");
            end = next;
        }
    }
    while (is_status_noun(p, end)) {
        ag_consume(t, end, end + 1, "status");
        end++;
    }
}

static void status_compare(struct ag_parse *p, size_t i, enum ag_op op, size_t end)
{
    ag_mention_add(p, i, end, AG_HTTP_STATUS, NULL, op, p->tokens->items[i].text, "status");
}

/* "404 to 410", 500부터 503까지: neither the one nor the other alone. */
static void status_range(struct ag_parse *p)
{
    for (size_t k = 0; k + 1 < p->mention_count; k++) {
        const struct ag_mention *a = &p->mentions[k];
        const struct ag_mention *b = &p->mentions[k + 1];
        if (a->field != AG_HTTP_STATUS || b->field != AG_HTTP_STATUS || a->op != AG_IN || b->op != AG_IN)
            continue;
        for (size_t i = a->to; i < b->from; i++) {
            if (ag_reads(p, i, AG_C_TO) || ag_reads(p, i, AG_C_FROM) || ag_reads(p, i, AG_C_DASH) ||
                ag_reads(p, i, AG_C_BETWEEN))
                ag_stop(
                    p, AG_NOT_UNDERSTOOD,
                    ag_say(p, "상태 코드의 범위는 다루지 않습니다.", "Ranges of statuses are not supported."),
                    ag_say(p, "예: \"404와 410 응답\", \"5xx 응답\"",
                           "For example \"404 and 410 responses\" or \"5xx responses\"."));
        }
    }
}

void ag_status_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count; i++) {
        const char *status_class = ag_value(t, i, AG_C_STATUS_CLASS);
        size_t before = i > 0 ? ag_before(p, i) : SIZE_MAX;
        if (status_class) {
            size_t end = i + 1;
            ag_mention_add(p, i, i + 1, AG_STATUS_CLASS, NULL, AG_IN, status_class, "status");
            while (is_status_noun(p, end) && !ag_grouped_by(p, end)) {
                ag_consume(t, end, end + 1, "status");
                end++;
            }
            if (before != SIZE_MAX && ag_names_field(p, before, "http_status") && !t->items[before].rule &&
                !ag_grouped_by(p, before))
                ag_consume(t, before, before + 1, "status");
            continue;
        }
        if (!is_status_number(p, i) || !status_near(p, i))
            continue;
        if (before != SIZE_MAX && ag_names_field(p, before, "http_status") && !t->items[before].rule)
            ag_consume(t, before, before + 1, "status");
        if (before != SIZE_MAX && ag_is(t, before, AG_C_EQUALS))
            ag_consume(t, ag_before(p, before), before + 1, "status");
        if (ag_is(t, i + 1, AG_C_AT_LEAST))
            status_compare(p, i, AG_AT_LEAST, i + 2);
        else if (ag_is(t, i + 1, AG_C_AT_MOST))
            status_compare(p, i, AG_AT_MOST, i + 2);
        else if (ag_is(t, i + 1, AG_C_BELOW))
            status_compare(p, i, AG_BELOW, i + 2);
        else
            status_list(p, i);
    }
    /* "status >= 500" */
    for (size_t i = 0; i + 2 < t->count; i++) {
        if (ag_names_field(p, i, "http_status") && !t->items[i].rule && is_status_number(p, i + 2)) {
            enum ag_op op = ag_is(t, i + 1, AG_C_AT_LEAST)  ? AG_AT_LEAST
                            : ag_is(t, i + 1, AG_C_ABOVE)   ? AG_ABOVE
                            : ag_is(t, i + 1, AG_C_BELOW)   ? AG_BELOW
                            : ag_is(t, i + 1, AG_C_AT_MOST) ? AG_AT_MOST
                                                            : AG_IN;
            if (op != AG_IN) {
                ag_consume(t, i, i + 2, "status");
                status_compare(p, i + 2, op, i + 3);
            }
        }
    }
    status_range(p);
}

/* -- negation -- */

static struct ag_mention *ending_at(struct ag_parse *p, size_t end)
{
    for (size_t k = 0; k < p->mention_count; k++) {
        if (p->mentions[k].to == end)
            return &p->mentions[k];
    }
    return NULL;
}

static struct ag_mention *starting_at(struct ag_parse *p, size_t start)
{
    for (size_t k = 0; k < p->mention_count; k++) {
        if (p->mentions[k].from == start)
            return &p->mentions[k];
    }
    return NULL;
}

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

/* Korean: what stands before, and what is joined to that. */
static bool negate_before(struct ag_parse *p, size_t at)
{
    bool any = false;
    size_t end = at;

    for (;;) {
        const struct ag_mention *m;
        size_t start;
        while (!(m = ending_at(p, end)) && end > 0 && (is_filler(p, end - 1) || ag_joins_list(p, end - 1)) &&
               !(any && !ag_joins_list(p, end - 1) && !is_filler(p, end - 1)))
            end--;
        if (!m)
            return any;
        start = m->from;
        negate(p, m->from, m->to);
        ag_consume(p->tokens, m->to, at, "not");
        any = true;
        if (start == 0 || !joins_denied(p, start - 1))
            return true;
        end = start;
    }
}

/* English: what stands behind, and what is joined to that. */
static bool negate_after(struct ag_parse *p, size_t at)
{
    bool any = false;
    size_t start = at + 1;

    for (;;) {
        const struct ag_mention *m;
        while (!(m = starting_at(p, start)) && start < p->tokens->count && is_filler(p, start))
            start++;
        if (!m)
            return any;
        negate(p, m->from, m->to);
        any = true;
        start = m->to;
        while (m && start < p->tokens->count &&
               (is_filler(p, start) && !starting_at(p, start) && !ag_is(p->tokens, start, AG_C_PREPOSITION)))
            start++;
        if (!ag_joins_list(p, start))
            return true;
        for (bool nor = false; ag_joins_list(p, start) || (nor && is_filler(p, start)); start++)
            nor = nor || strcmp(ag_word(p, start), "nor") == 0;
        if (!starting_at(p, start))
            return true;
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
            !negate_before(p, i))
            continue;
        p->negated_whole = true;
        ag_consume(t, i, i + 1, "without");
    }
}

/* "non-fatal errors" are errors all the same: those of the level below. */
static void not_fatal(struct ag_parse *p, size_t at)
{
    struct ag_mention *m = starting_at(p, at);

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
        bool denies = korean ? ag_is(t, i, AG_C_WITHOUT) &&
                                   (ag_reads(p, next, AG_C_ERROR) || ag_is(t, next, AG_C_LOG) ||
                                    ag_reads(p, next, AG_C_LEVEL) || ag_is(t, next, AG_C_REQUEST))
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

/* 스택 트레이스 붙은 에러, "errors with a stack trace": of the record, which has one. */
static void present_rule(struct ag_parse *p)
{
    static const char *const hung[] = {"있", "붙", "달", "남", "포함"};
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count; i++) {
        size_t next = ag_after(p, i);
        size_t before = i > 0 ? ag_before(p, i) : SIZE_MAX;
        if (!ag_is(t, i, AG_C_FIELD) || !ag_names_field(p, i, "stack_trace"))
            continue;
        if (!ag_is_korean(p, i) && before != SIZE_MAX &&
            (strcmp(ag_word(p, before), "with") == 0 || ag_reads(p, before, AG_C_VERB))) {
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

    none_rule(p);
    missing_rule(p);
    present_rule(p);
    for (size_t i = 0; i < t->count; i++) {
        size_t rest;
        if (!ag_is(t, i, AG_C_NOT))
            continue;
        if (!(ag_is_korean(p, i) ? negate_before(p, i) : negate_after(p, i)))
            continue;
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
            negated_field(p, rest))
            ag_consume(t, rest, rest + 1, "not");
    }
}
