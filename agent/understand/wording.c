/*
 * English words by the words they stand beside: "very" in "the very first" says nothing of its own, "accounts
 * for" is no account of a user's, a "breakdown of errors by host" is not by errors.
 */
#include "agent/understand/parse.h"

#include <string.h>

/* "the very first time", "the very last error". "Very slow" says more than slow. */
static bool only_stresses(const struct ag_parse *p, size_t i)
{
    static const enum ag_concept ends[] = {AG_C_FIRST,  AG_C_FINAL,   AG_C_LAST,   AG_C_NEWEST,
                                           AG_C_OLDEST, AG_C_SLOWEST, AG_C_FASTEST};

    for (size_t k = 0; strcmp(ag_word(p, i), "very") == 0 && k < sizeof ends / sizeof *ends; k++) {
        if (ag_reads(p, i + 1, ends[k]))
            return true;
    }
    return false;
}

/* "most", "the bulk of", "what percentage": behind "accounts for". */
static bool says_how_much(const struct ag_parse *p, size_t i)
{
    while (ag_reads(p, i, AG_C_NOISE))
        i++;
    return ag_reads(p, i, AG_C_MOST) || ag_reads(p, i, AG_C_PERCENT) ||
           (strcmp(ag_word(p, i), "what") == 0 && ag_reads(p, i + 1, AG_C_PERCENT));
}

/* "which service accounts for", "does payment-service account for", "is accounted for by". "Which accounts
 * for" and "how many accounts for" are of users. */
static bool makes_up(const struct ag_parse *p, size_t i)
{
    static const char *const nouns[] = {"account", "accounts"};
    static const char *const verbs[] = {"accounted", "accounting"};
    static const char *const asking[] = {"which", "what", "does", "do", "did"};

    if (strcmp(ag_word(p, i + 1), "for") != 0)
        return false;
    if (ag_says(p, i, verbs, sizeof verbs / sizeof *verbs))
        return true;
    if (ag_says(p, i, nouns, sizeof nouns / sizeof *nouns) && says_how_much(p, i + 2))
        return true;
    return i > 1 && ag_says(p, i, nouns, sizeof nouns / sizeof *nouns) &&
           !ag_names_field(p, i - 1, "user_id") && !ag_reads(p, i - 1, AG_C_NOISE) &&
           !ag_reads(p, i - 1, AG_C_COUNTER) &&
           (ag_reads(p, i - 1, AG_C_SERVICE_WORD) || ag_reads(p, i - 1, AG_C_FIELD) ||
            ag_says(p, i - 2, asking, sizeof asking / sizeof *asking));
}

/* "breakdown of errors by version", "host breakdown of 5xx": what is broken down stands behind, and by what
 * is said elsewhere. "Breakdown of levels" is by them. */
static bool breaks_down(const struct ag_parse *p, size_t i)
{
    static const char *const of[] = {"breakdown of", "break down of", "distribution of"};
    size_t next = i + 1;

    if (!ag_says(p, i, of, sizeof of / sizeof *of))
        return false;
    while (ag_reads(p, next, AG_C_NOISE) || ag_reads(p, next, AG_C_DAY_REF))
        next++;
    if (ag_reads(p, next, AG_C_FIELD) || ag_reads(p, next, AG_C_SERVICE_WORD))
        return false;
    if (i > 0 && (ag_reads(p, i - 1, AG_C_FIELD) || ag_reads(p, i - 1, AG_C_SERVICE_WORD) ||
                  ag_reads(p, i - 1, AG_C_WORD) || ag_reads(p, i - 1, AG_C_DOMAIN) ||
                  ag_reads(p, i - 1, AG_C_ORGANIZATION)))
        return true;
    for (size_t k = next; k < p->tokens->count && !ag_reads(p, k, AG_C_COMPARE); k++) {
        if (strcmp(ag_word(p, k), "by") == 0 || strcmp(ag_word(p, k), "per") == 0)
            return true;
    }
    return false;
}

/* "how many slow requests over 2s", "users with slow requests over 2s": the length says what slow is. */
static bool is_told_by_length(const struct ag_parse *p, size_t i)
{
    bool counted = false;
    size_t end = i + 2;

    if (strcmp(ag_word(p, i), "slow") != 0 || !ag_reads(p, i + 1, AG_C_REQUEST))
        return false;
    while (ag_reads(p, end, AG_C_NOISE) || ag_reads(p, end, AG_C_VERB))
        end++;
    for (size_t k = 0; k < i; k++)
        counted = counted || ag_reads(p, k, AG_C_COUNT) || ag_reads(p, k, AG_C_FIELD);
    return counted && (ag_reads(p, end, AG_C_ABOVE) || ag_reads(p, end, AG_C_AT_LEAST)) &&
           ag_reads(p, end + 1, AG_C_NUMBER) && ag_reads(p, end + 2, AG_C_UNIT);
}

/* "which hosts had errors, and how many", 어느 서비스에서 났고 몇 건이야: the number is that of each, which
 * is told beside it anyway. How many tokens say so, from `i` on. */
static size_t how_many_of_each(const struct ag_parse *p, size_t i)
{
    bool which = false;
    size_t end = i + 2;

    if (i == 0)
        return 0;
    for (size_t k = 0; k + 1 < i; k++) {
        size_t next = ag_after(p, k);
        which = which || ((ag_reads(p, k, AG_C_WHICH) || strcmp(ag_word(p, k), "what") == 0) &&
                          (ag_reads(p, next, AG_C_FIELD) || ag_reads(p, next, AG_C_SERVICE_WORD)));
    }
    if (!which)
        return 0;
    if (ag_is_korean(p, i))
        return ag_reads(p, i, AG_C_COUNT) && strncmp(ag_word(p, i), "몇", strlen("몇")) == 0 &&
               strcmp(ag_word(p, i - 1), "고") == 0;
    if (!ag_reads(p, i, AG_C_AND) || strcmp(ag_word(p, i + 1), "how many") != 0)
        return 0;
    if (strcmp(ag_word(p, end), "each") == 0)
        end++;
    return end == p->tokens->count || ag_reads(p, end, AG_C_STOP) ? end - i : 0;
}

/* "are most errors from payment-service?", "is the most common error from it?": whether it is so is asked,
 * not which there are most of. */
static void are_most(struct ag_parse *p)
{
    static const char *const being[] = {"are", "is", "were", "was"};
    static const char *const doing[] = {"do", "did", "does"};
    static const char *const half[] = {"most",        "the most",        "most of",    "bulk of",
                                       "the bulk of", "the majority of", "majority of"};
    size_t next = strcmp(ag_word(p, 1), "the") == 0 ? 2 : 1;

    if (!(ag_says(p, 0, being, sizeof being / sizeof *being) && ag_reads(p, next, AG_C_MOST)) &&
        !(ag_says(p, 0, doing, sizeof doing / sizeof *doing) &&
          ag_says(p, next, half, sizeof half / sizeof *half)))
        return;
    ag_stop(p, AG_NOT_UNDERSTOOD, "Whether that is most of them cannot be asked yet.",
            "For example \"what percentage of errors come from payment-service today\".");
}

void ag_wording_rule(struct ag_parse *p)
{
    static const struct ag_reading verb = {.concept = AG_C_VERB, .value = ""};
    static const struct ag_reading distribution = {.concept = AG_C_DISTRIBUTION, .value = ""};
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count; i++) {
        if (only_stresses(p, i) || is_told_by_length(p, i))
            ag_token_remove(t, i);
        for (size_t n = how_many_of_each(p, i); n > 0; n--)
            ag_token_remove(t, i);
        if (i >= t->count)
            break;
        if (breaks_down(p, i))
            t->items[i].readings = &distribution;
        else if (makes_up(p, i))
            t->items[i].readings = &verb;
    }
    are_most(p);
}
