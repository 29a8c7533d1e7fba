/*
 * Conditions on the HTTP status: classes (5xx), single ones and lists of them, bounds. A number of three
 * digits is a status only where a word beside it says so, or nothing else could be meant by it.
 */
#include "agent/understand/parse.h"

#include <ctype.h>
#include <string.h>

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
        /* What joins them is left: a negation reaches over it. */
        if (next > end && is_status_number(p, next))
            end = next;
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
