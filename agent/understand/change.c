/*
 * By how many percent something rose or fell: 몇 % 늘었어, "by what percentage did errors increase". A
 * comparison of two times says that beside its figures; no share or error rate is asked for.
 */
#include "agent/understand/parse.h"

#include <string.h>

static bool says_a_way(const struct ag_parse *p, size_t i)
{
    static const char *const more[] = {"more", "fewer", "less", "higher", "lower"};
    const char *way = ag_reads_value(p, i, AG_C_COMPARE);

    return (way && *way) || ag_says(p, i, more, sizeof more / sizeof *more);
}

/* 몇 퍼센트 늘었어, 몇 프로나 줄었나 */
static bool korean_change(const struct ag_parse *p, size_t i)
{
    size_t next = ag_after(p, i);

    while (ag_reads(p, next, AG_C_ENDING) || ag_reads(p, next, AG_C_NOISE))
        next++;
    return strncmp(ag_word(p, i), "몇", strlen("몇")) == 0 && says_a_way(p, next);
}

/* "by what percentage did errors increase", "what percent more errors", "how many percent did it drop". "The
 * error percentage" and "percentage of errors" are rates. */
static bool english_change(const struct ag_parse *p, size_t i)
{
    static const char *const before[] = {"by", "what", "how many", "many"};
    const char *word = ag_word(p, i);
    size_t len = strlen(word);

    if ((len > 3 && strcmp(word + len - 3, " of") == 0) || strcmp(ag_word(p, i + 1), "of") == 0 ||
        !(i == 0 || strncmp(word, "what ", 5) == 0 ||
          ag_says(p, i - 1, before, sizeof before / sizeof *before)))
        return false;
    for (size_t k = i + 1; k < p->tokens->count; k++) {
        if (says_a_way(p, k))
            return true;
    }
    return false;
}

void ag_change_rule(struct ag_parse *p)
{
    for (size_t i = 0; i < p->tokens->count; i++) {
        if (!ag_is(p->tokens, i, AG_C_PERCENT) ||
            !(ag_is_korean(p, i) ? korean_change(p, i) : english_change(p, i)))
            continue;
        ag_consume(p->tokens, i, i + 1, "change");
        if (i > 0 && (strcmp(ag_word(p, i - 1), "how many") == 0 || strcmp(ag_word(p, i - 1), "what") == 0))
            ag_consume(p->tokens, i - 1, i, "change");
    }
}
