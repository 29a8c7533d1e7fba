/*
 * Idioms, before anything else is read: "what was u1077 up to", "A vs B: who had more", "table of service x
 * level", "user u1077, when were they last seen". The words say nothing of their own there, or what a plainer
 * word says.
 */
#include "agent/understand/parse.h"

#include <string.h>

#define COUNT_OF(words) (sizeof words / sizeof *words)

static bool is_a_field(const struct ag_parse *p, size_t i)
{
    return ag_reads(p, i, AG_C_FIELD) || ag_reads(p, i, AG_C_SERVICE_WORD) ||
           ag_reads(p, i, AG_C_ENVIRONMENT);
}

/* "what was u1077 up to between 10 and 11": what somebody did. "Up to 11:00" and "up to 10 errors" end
 * something. */
static bool asks_for_doings(const struct ag_parse *p, size_t i)
{
    static const char *const asking[] = {"what",   "what was", "what were", "what is",
                                         "what's", "whats",    "what has",  "what are"};
    static const char *const behind[] = {"between", "from", "during", "in", "on", "since", "within"};

    if (strcmp(ag_word(p, i), "up to") != 0 || i == 0 || i > 4 || !ag_says(p, 0, asking, COUNT_OF(asking)))
        return false;
    for (size_t k = 1; k < i; k++) {
        if (ag_reads(p, k, AG_C_ERROR) || ag_reads(p, k, AG_C_LOG) || ag_reads(p, k, AG_C_REQUEST) ||
            ag_reads(p, k, AG_C_LEVEL) || ag_reads(p, k, AG_C_COUNT))
            return false;
    }
    return i + 1 == p->tokens->count || ag_reads(p, i + 1, AG_C_STOP) ||
           ag_says(p, i + 1, behind, COUNT_OF(behind));
}

/* "table of service x level": how it shall look. "The table of orders" is something else. */
static bool is_a_form(const struct ag_parse *p, size_t i)
{
    static const char *const forms[] = {"table", "matrix", "grid", "crosstab", "heatmap"};

    return ag_says(p, i, forms, COUNT_OF(forms)) && strcmp(ag_word(p, i + 1), "of") == 0 &&
           is_a_field(p, i + 2);
}

/* Is a name, or a word one may be called by, at `i`? */
static bool may_be_named(const struct ag_parse *p, size_t i)
{
    return i < p->tokens->count && (p->tokens->items[i].name_count > 0 || ag_reads(p, i, AG_C_DOMAIN) ||
                                    ag_reads(p, i, AG_C_ENVIRONMENT));
}

/* "A vs B: who had more errors", "A vs B, which is slower": one or the other of two. */
static bool sets_two_apart(const struct ag_parse *p, size_t i)
{
    static const char *const words[] = {"vs", "vs.", "versus"};
    static const char *const who[] = {"who",       "who had",       "who has",          "which",
                                      "which one", "which of them", "which of the two", "whose"};
    size_t at = i + 2;

    if (i == 0 || !ag_says(p, i, words, COUNT_OF(words)) || !may_be_named(p, i - 1) ||
        !may_be_named(p, i + 1))
        return false;
    while (ag_reads(p, at, AG_C_STOP) || ag_reads(p, at, AG_C_COMMA) || ag_reads(p, at, AG_C_DASH) ||
           strcmp(ag_word(p, at), ":") == 0)
        at++;
    return at > i + 2 && ag_says(p, at, who, COUNT_OF(who));
}

/* "user u1077, when were they last seen": whoever was named just before. */
static bool is_whom_was_named(const struct ag_parse *p, size_t i)
{
    static const char *const persons[] = {"they", "he", "she"};
    static const char *const verbs[] = {"was", "were",     "did",       "have",
                                        "has", "when was", "when were", "when did"};

    return i > 3 && ag_says(p, i, persons, COUNT_OF(persons)) && ag_names_field(p, 0, "user_id") &&
           ag_says(p, i - 1, verbs, COUNT_OF(verbs)) && p->tokens->items[1].glued == 0 &&
           strpbrk(ag_word(p, 1), "0123456789") != NULL;
}

/* 한 30분: about so long, while 한 시간 is one hour. */
static bool is_about(const struct ag_parse *p, size_t i)
{
    return strcmp(ag_word(p, i), "한") == 0 && (i == 0 || !p->tokens->items[i].glued) &&
           ag_reads(p, i + 1, AG_C_NUMBER) && !p->tokens->items[i + 1].glued && ag_reads(p, i + 2, AG_C_UNIT);
}

void ag_idioms_rule(struct ag_parse *p)
{
    static const struct ag_reading or = {.concept = AG_C_OR, .value = ""};
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count; i++) {
        if (is_about(p, i) || asks_for_doings(p, i) || is_whom_was_named(p, i))
            ag_token_remove(t, i);
        else if (is_a_form(p, i)) {
            ag_token_remove(t, i);
            ag_token_remove(t, i);
        } else if (sets_two_apart(p, i))
            t->items[i].readings = & or ;
    }
}
