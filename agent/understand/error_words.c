/*
 * Errors called by a word of their names: "timeout errors", 에러 중 타임아웃 빼고, "errors but not
 * deadlocks". A type that is that word and "Error" or "Exception" is it. Of others it is not said whether the
 * types with that word in their names are meant, or every record that says so: both are offered.
 */
#include "agent/understand/link.h"

#include <string.h>

#define LONGEST_LIST 400 /* bytes of types joined for a choice */

/* Words that mean an error by themselves: "timeouts today", 데드락 몇 건. */
static bool is_an_error(const struct ag_parse *p, size_t i)
{
    static const char *const roots[] = {"timeout", "deadlock"};
    const char *meant = ag_value(p->tokens, i, AG_C_DOMAIN);

    for (size_t k = 0; k < sizeof roots / sizeof *roots; k++) {
        if (strncmp(meant ? meant : ag_word(p, i), roots[k], strlen(roots[k])) == 0)
            return true;
    }
    return false;
}

static bool says_errors(const struct ag_parse *p)
{
    for (size_t i = 0; i < p->tokens->count; i++) {
        if (ag_reads(p, i, AG_C_ERROR) || ag_reads(p, i, AG_C_LEVEL) || ag_reads(p, i, AG_C_RATE))
            return true;
    }
    return false;
}

/* 타임아웃 빼고, "excluding timeouts": errors are asked for, but for these. */
static bool is_left_out(const struct ag_parse *p, size_t i)
{
    size_t before = i > 0 ? ag_before(p, i) : SIZE_MAX;

    if (!says_errors(p))
        return false;
    if (ag_is_korean(p, ag_after(p, i)) && ag_is(p->tokens, ag_after(p, i), AG_C_NOT))
        return true;
    return before != SIZE_MAX && !ag_is_korean(p, before) && ag_is(p->tokens, before, AG_C_NOT);
}

/* Adds types with this part in their names to `found`; how many there are then. */
static size_t add_types(const struct ag_parse *p, const char *part, size_t len, const struct ag_name **found,
                        size_t count)
{
    for (size_t k = 0; k < ag_catalogue_count(p->catalogue, AG_KIND_ERROR_TYPE); k++) {
        const struct ag_name *name = ag_catalogue_at(p->catalogue, AG_KIND_ERROR_TYPE, k);
        bool known = false;
        if (!ag_name_has_part(name, part, len))
            continue;
        for (size_t n = 0; n < count && n < AG_MAX_CANDIDATES; n++)
            known = known || found[n] == name;
        if (!known) {
            if (count < AG_MAX_CANDIDATES)
                found[count] = name;
            count++;
        }
    }
    return count;
}

/* The types of token `i`: by its letters, without a plural's, and by each root of its meaning. `part` is what
 * of those is written in their names. */
static size_t types_of(struct ag_parse *p, size_t i, const struct ag_name **found, const char **part)
{
    const char *roots = ag_value(p->tokens, i, AG_C_DOMAIN);
    const char *word = ag_word(p, i);
    size_t len = strlen(word);
    size_t count = add_types(p, word, len, found, 0);

    if (count == 0 && len > 3 && word[len - 1] == 's')
        count = add_types(p, word, --len, found, 0);
    *part = count > 0 ? ag_keep(p, word, len) : "";
    while (roots && *roots) {
        size_t n = strcspn(roots, ",");
        count = add_types(p, roots, n, found, count);
        if (count > 0 && **part == '\0')
            *part = ag_keep(p, roots, n);
        roots += n + (roots[n] == ',');
    }
    return count;
}

/* Is the type this word, and that it is an error? */
static bool is_all_of(const struct ag_name *name, const char *part)
{
    size_t len = strlen(part);

    return strncmp(name->folded, part, len) == 0 &&
           (strcmp(name->folded + len, "error") == 0 || strcmp(name->folded + len, "exception") == 0);
}

static void ask_which_errors(struct ag_parse *p, size_t i, const struct ag_name **found, size_t count,
                             const char *part)
{
    const char *types = "";

    for (size_t k = 0; k < count && count <= AG_MAX_CANDIDATES; k++)
        types = ag_sayf(p, "%s%s%s", types, k ? ", " : "", found[k]->value);
    if (*types && strlen(types) < LONGEST_LIST)
        ag_suggest(p, types);
    ag_suggest(p, ag_sayf(p, "\"%s\"", part));
    ag_stop(p, AG_NEEDS_CLARIFICATION,
            p->language == AG_KO
                ? ag_sayf(p, "\"%s\"이(가) 에러 타입의 이름인지, 메시지의 글인지 분명하지 않습니다.",
                          ag_word(p, i))
                : ag_sayf(p, "\"%s\" may be in the names of error types, or in what messages say.",
                          ag_word(p, i)),
            ag_say(p, "에러 타입을 그대로 적거나, 찾을 글을 따옴표로 묶어 주세요.",
                   "Name the error types, or quote the text to be searched for."));
    p->which = i + 1;
}

/* 메시지에 timeout: it is said already where the word stands. */
static bool says_message(const struct ag_parse *p)
{
    for (size_t i = 0; i < p->tokens->count; i++) {
        if (ag_names_field(p, i, "message"))
            return true;
    }
    return false;
}

void ag_error_words_rule(struct ag_parse *p)
{
    if (says_message(p))
        return;
    for (size_t i = 0; i < p->tokens->count && !p->stopped; i++) {
        const struct ag_name *found[AG_MAX_CANDIDATES];
        const char *part;
        size_t count;
        if (!ag_is_mainly_domain(p, i) || p->tokens->items[i].name_count > 0 ||
            !(ag_is(p->tokens, i + 1, AG_C_ERROR) || is_left_out(p, i) || is_an_error(p, i)))
            continue;
        count = types_of(p, i, found, &part);
        if (count == 0)
            continue;
        if (count > 1 || ag_is_korean(p, i) || !is_all_of(found[0], part)) {
            ask_which_errors(p, i, found, count, part);
            continue;
        }
        ag_mention_add(p, i, i + 1, AG_ERROR_TYPE, NULL, AG_IN,
                       ag_keep(p, found[0]->value, strlen(found[0]->value)), "error called");
        ag_assume(p, "linked_name",
                  ag_sayf(p, "\"%s\"은(는) %s(으)로 보았습니다.", ag_word(p, i), found[0]->value),
                  ag_sayf(p, "\"%s\" is taken to be %s.", ag_word(p, i), found[0]->value));
    }
}
