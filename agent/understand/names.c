/*
 * Linking words to names really in the data: exact, by the parts of a name ("결제 서비스", "payment"), by
 * several words that together are a name ("failed logins"). Slips of the pen and strangers: spelling.c.
 */
#include "agent/understand/link.h"

#include <stdio.h>
#include <string.h>

#define MAX_ROOT 48

static const struct {
    enum ag_field field;
    enum ag_kind kind;
} kinds_of_fields[] = {
    {AG_SERVICE, AG_KIND_SERVICE},
    {AG_ENVIRONMENT, AG_KIND_ENVIRONMENT},
    {AG_HOST, AG_KIND_HOST},
    {AG_COMPONENT, AG_KIND_COMPONENT},
    {AG_MODULE, AG_KIND_MODULE},
    {AG_ENDPOINT, AG_KIND_ENDPOINT},
    {AG_ERROR_TYPE, AG_KIND_ERROR_TYPE},
    {AG_EVENT_TYPE, AG_KIND_EVENT_TYPE},
};

/* The kind a field word names ("컴포넌트", "host"), or AG_KIND_COUNT. */
enum ag_kind ag_kind_said(const struct ag_parse *p, size_t i)
{
    const struct ag_reading *r =
        i < p->tokens->count && !p->tokens->items[i].rule ? p->tokens->items[i].readings : NULL;

    for (; r; r = r->next) {
        if (r->concept != AG_C_FIELD)
            continue;
        for (size_t k = 0; k < sizeof kinds_of_fields / sizeof *kinds_of_fields; k++) {
            if (strcmp(r->value, ag_field_name(kinds_of_fields[k].field)) == 0)
                return kinds_of_fields[k].kind;
        }
    }
    return AG_KIND_COUNT;
}

/* -- exact names -- */

const struct ag_name *ag_name_of_kind(const struct ag_token *token, enum ag_kind kind)
{
    for (size_t k = 0; k < token->name_count; k++) {
        if (token->names[k]->kind == kind)
            return token->names[k];
    }
    return NULL;
}

/* Names that nobody would write by accident: with a digit, a joint, or two capitals' worth of parts. */
static bool is_distinctive(const struct ag_name *name)
{
    size_t parts = 0;

    for (const char *c = name->parts; *c; c++)
        parts += *c == ' ';
    return parts > 2 || strpbrk(name->value, "0123456789-_./") != NULL;
}

/* The kind said beside a name, and which tokens say it. "order-service 서비스", "component stock-sync", "host
 * web-03". */
enum ag_kind ag_kind_beside(const struct ag_parse *p, size_t *from, size_t *to)
{
    enum ag_kind behind = ag_kind_said(p, *to);
    enum ag_kind before;
    size_t b = *from > 0 ? ag_before(p, *from) : SIZE_MAX;

    if (behind != AG_KIND_COUNT && !ag_is(p->tokens, *to + 1, AG_C_BY) &&
        !ag_is(p->tokens, *to + 1, AG_C_DISTINCT)) {
        *to += 1;
        return behind;
    }
    if (b == SIZE_MAX)
        return AG_KIND_COUNT;
    if (ag_is(p->tokens, b, AG_C_EQUALS) && b > 0)
        b--;
    before = ag_kind_said(p, b);
    if (before != AG_KIND_COUNT && !ag_grouped_by(p, b) && !ag_is(p->tokens, *from - 1, AG_C_BY)) {
        *from = b;
        return before;
    }
    return AG_KIND_COUNT;
}

static const struct ag_name *choose(const struct ag_token *token)
{
    static const enum ag_kind order[] = {AG_KIND_SERVICE,    AG_KIND_HOST,        AG_KIND_ERROR_TYPE,
                                         AG_KIND_EVENT_TYPE, AG_KIND_ENVIRONMENT, AG_KIND_COMPONENT,
                                         AG_KIND_MODULE};

    for (size_t k = 0; k < sizeof order / sizeof *order; k++) {
        const struct ag_name *name = ag_name_of_kind(token, order[k]);
        if (name)
            return name;
    }
    return NULL;
}

/* NullPointerExceptions: several of that type. */
static void find_plural(const struct ag_parse *p, struct ag_token *token)
{
    const struct ag_name *found[AG_TOKEN_NAMES];
    size_t len = strlen(token->text);
    size_t n;

    if (len < 6 || token->text[len - 1] != 's')
        return;
    n = ag_catalogue_find(p->catalogue, token->text, len - 1, found, AG_TOKEN_NAMES);
    for (size_t k = 0; k < n && k < AG_TOKEN_NAMES; k++) {
        if (found[k]->kind == AG_KIND_ERROR_TYPE)
            token->names[token->name_count++] = found[k];
    }
}

static void exact_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count; i++) {
        struct ag_token *token = &t->items[i];
        bool plain = ag_is(t, i, AG_C_WORD) || ag_is(t, i, AG_C_HANGUL) || ag_is(t, i, AG_C_QUOTED) ||
                     ag_is(t, i, AG_C_PATH);
        size_t from = i;
        size_t to = i + 1;
        enum ag_kind said;
        const struct ag_name *name;
        if (!token->rule && token->name_count == 0 && ag_is(t, i, AG_C_WORD))
            find_plural(p, token);
        if (token->rule || token->name_count == 0)
            continue;
        said = ag_kind_beside(p, &from, &to);
        name = said == AG_KIND_COUNT ? NULL : ag_name_of_kind(token, said);
        if (!name) {
            from = i;
            to = i + 1;
            name = choose(token);
            /* A common word is a name only where its kind is said, or where it means nothing else. */
            if (!name || (!plain && !is_distinctive(name) && name->kind != AG_KIND_EVENT_TYPE))
                continue;
            if (!is_distinctive(name) && !plain && !ag_reads(p, i, AG_C_DOMAIN))
                continue;
        }
        ag_mention_add(p, from, to, ag_kind_field(name->kind), NULL, AG_IN,
                       ag_keep(p, name->value, strlen(name->value)), "name");
    }
}

/* -- names by several words -- */

/* Is `part` one of the comma-separated roots? */
static bool has_root(const char *roots, const char *part, size_t len)
{
    while (*roots) {
        size_t n = strcspn(roots, ",");
        if (n == len && memcmp(roots, part, len) == 0)
            return true;
        roots += n + (roots[n] == ',');
    }
    return false;
}

/* Does token `i` stand for this part of a name? */
static bool means_part(const struct ag_parse *p, size_t i, const char *part, size_t len)
{
    const struct ag_token *token = &p->tokens->items[i];
    size_t n = strlen(token->text);

    if (token->rule)
        return false;
    for (const struct ag_reading *r = token->readings; r; r = r->next) {
        if (r->concept == AG_C_DOMAIN && has_root(r->value, part, len))
            return true;
    }
    if ((unsigned char)token->text[0] >= 0x80)
        return false;
    return (n == len && memcmp(token->text, part, len) == 0) ||
           (n == len + 1 && token->text[len] == 's' && memcmp(token->text, part, len) == 0);
}

/* The part of an error type's name that says no more than that it is one. */
static bool says_error(const char *part)
{
    size_t len = strcspn(part, " ");

    return (len == 5 && memcmp(part, "error", len) == 0) || (len == 9 && memcmp(part, "exception", len) == 0);
}

/* Do the tokens from `i` on, in any order, stand for all parts of a name? With `short_form` but for the
 * "Error" at its end. At most `most` of them. The token behind them, or `i`. */
static size_t spells(const struct ag_parse *p, size_t i, const struct ag_name *name, bool short_form,
                     size_t most)
{
    uint32_t seen = 0;
    size_t parts = 0;
    bool shortened = false;
    size_t at = i;
    size_t end = i;

    for (const char *c = name->parts + 1; *c; c = strchr(c, ' ') + 1) {
        if (!(short_form && says_error(c)))
            parts++;
        else
            shortened = true;
    }
    if (short_form && !shortened)
        return i;
    if (parts < 2 || parts > most)
        return i;
    for (size_t n = 0; n < parts; n++) {
        size_t k = 0;
        bool hit = false;
        while (n > 0 && ag_is(p->tokens, at, AG_C_PARTICLE))
            at++;
        if (at >= p->tokens->count)
            return i;
        for (const char *c = name->parts + 1; *c && !hit; c = strchr(c, ' ') + 1, k++) {
            size_t len = strcspn(c, " ");
            if (!(seen >> k & 1) && !(short_form && says_error(c)) && means_part(p, at, c, len)) {
                seen |= 1U << k;
                hit = true;
            }
        }
        if (!hit)
            return i;
        end = ++at;
    }
    return end;
}

/* Which kinds the words from a token on may spell, the first that is meant alone. */
static const enum ag_kind spelled_kinds[] = {AG_KIND_EVENT_TYPE, AG_KIND_ERROR_TYPE, AG_KIND_COMPONENT,
                                             AG_KIND_SERVICE,    AG_KIND_HOST,       AG_KIND_ERROR_TYPE};
#define SPELLED_KINDS (sizeof spelled_kinds / sizeof *spelled_kinds)
#define IN_SHORT (SPELLED_KINDS - 1)
#define MAX_SPELLED 5 /* parts of a name */

/* The name of a kind that takes the most words. */
struct spelling {
    const struct ag_name *best;
    size_t end;
    bool tie; /* another takes as many */
};

/* Names with this part are the only ones that a word which means it can begin. */
static void try_part(const struct ag_parse *p, size_t i, const char *part, size_t len, size_t most,
                     struct spelling found[SPELLED_KINDS])
{
    struct ag_part_walk walk = ag_catalogue_part_walk(p->catalogue, part, len);
    const struct ag_name *name;

    while ((name = ag_catalogue_part_next(p->catalogue, &walk)) != NULL) {
        for (size_t k = 0; k < SPELLED_KINDS; k++) {
            size_t end = name->kind == spelled_kinds[k] ? spells(p, i, name, k == IN_SHORT, most) : i;
            if (end > found[k].end)
                found[k] = (struct spelling){name, end, false};
            else if (end > i && end == found[k].end && name != found[k].best)
                found[k].tie = true;
        }
    }
}

static bool is_part(const struct ag_parse *p, const char *part, size_t len)
{
    struct ag_part_walk walk = ag_catalogue_part_walk(p->catalogue, part, len);

    return len > 0 && ag_catalogue_part_next(p->catalogue, &walk) != NULL;
}

/* Does token `i` stand for a part of any name? */
static bool may_mean_part(const struct ag_parse *p, size_t i)
{
    const struct ag_token *token = &p->tokens->items[i];
    size_t len = strlen(token->text);

    for (const struct ag_reading *r = token->readings; r; r = r->next) {
        const char *root = r->concept == AG_C_DOMAIN ? r->value : "";
        while (*root) {
            size_t n = strcspn(root, ",");
            if (is_part(p, root, n))
                return true;
            root += n + (root[n] == ',');
        }
    }
    return is_part(p, token->text, len) ||
           (len > 1 && token->text[len - 1] == 's' && is_part(p, token->text, len - 1));
}

/* How many tokens from `i` on may each be a part: no longer name is spelled there, however many names have
 * the part that `i` stands for. */
static size_t most_parts(const struct ag_parse *p, size_t i)
{
    size_t n = 1;

    for (i++; n < MAX_SPELLED; n++, i++) {
        while (ag_is(p->tokens, i, AG_C_PARTICLE))
            i++;
        if (i >= p->tokens->count || !may_mean_part(p, i))
            break;
    }
    return n;
}

/* By each part that token `i` may stand for, as means_part() has it. */
static void find_spellings(const struct ag_parse *p, size_t i, struct spelling found[SPELLED_KINDS])
{
    const struct ag_token *token = &p->tokens->items[i];
    size_t len = strlen(token->text);
    size_t most = most_parts(p, i);

    for (size_t k = 0; k < SPELLED_KINDS; k++)
        found[k] = (struct spelling){.end = i};
    if (most < 2)
        return;
    for (const struct ag_reading *r = token->readings; r; r = r->next) {
        const char *root = r->concept == AG_C_DOMAIN ? r->value : "";
        while (*root) {
            size_t n = strcspn(root, ",");
            try_part(p, i, root, n, most, found);
            root += n + (root[n] == ',');
        }
    }
    if ((unsigned char)token->text[0] >= 0x80)
        return;
    try_part(p, i, token->text, len, most, found);
    if (len > 1 && token->text[len - 1] == 's')
        try_part(p, i, token->text, len - 1, most, found);
}

static void spelled_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count; i++) {
        struct spelling found[SPELLED_KINDS];
        if (t->items[i].rule ||
            !(ag_is(t, i, AG_C_DOMAIN) || ag_is(t, i, AG_C_WORD) || ag_is(t, i, AG_C_FAIL)))
            continue;
        find_spellings(p, i, found);
        for (size_t k = 0; k < SPELLED_KINDS; k++) {
            size_t to = found[k].end;
            enum ag_kind said;
            if (!found[k].best || found[k].tie)
                continue;
            said = ag_kind_said(p, to);
            if (said == spelled_kinds[k] ||
                (spelled_kinds[k] == AG_KIND_SERVICE && ag_is(t, to, AG_C_SERVICE_WORD)))
                to += !ag_is(t, to + 1, AG_C_BY);
            ag_mention_add(p, i, to, ag_kind_field(spelled_kinds[k]), NULL, AG_IN,
                           ag_keep(p, found[k].best->value, strlen(found[k].best->value)), "name in words");
            break;
        }
    }
}

/* -- names by one part -- */

static size_t add_candidates(const struct ag_parse *p, enum ag_kind kind, const char *root, size_t len,
                             const struct ag_name **out, size_t count)
{
    const struct ag_name *found[AG_MAX_CANDIDATES];
    char part[MAX_ROOT];
    size_t n;

    if (len == 0 || len >= sizeof part)
        return count;
    memcpy(part, root, len);
    part[len] = '\0';
    n = ag_catalogue_with_part(p->catalogue, kind, part, found, AG_MAX_CANDIDATES);
    for (size_t i = 0; i < n && i < AG_MAX_CANDIDATES; i++) {
        bool known = false;
        for (size_t k = 0; k < count; k++)
            known = known || out[k] == found[i];
        if (!known && count < AG_MAX_CANDIDATES)
            out[count++] = found[i];
    }
    return count;
}

/* Names of `kind` that token `i` may stand for: its own letters first; only when there are none, the roots of
 * its meaning. */
size_t ag_candidates(const struct ag_parse *p, size_t i, enum ag_kind kind, const struct ag_name **out)
{
    const struct ag_token *token = &p->tokens->items[i];
    const char *roots = ag_value(p->tokens, i, AG_C_DOMAIN);
    size_t len = strlen(token->text);
    size_t count = add_candidates(p, kind, token->text, len, out, 0);

    if (count == 0 && len > 3 && (unsigned char)token->text[0] < 0x80)
        count = token->text[len - 1] == 's' ? add_candidates(p, kind, token->text, len - 1, out, 0) : 0;
    /* The first root that names something decides: 결제 is payment before it is billing. */
    while (roots && *roots && count == 0) {
        size_t n = strcspn(roots, ",");
        count = add_candidates(p, kind, roots, n, out, 0);
        roots += n + (roots[n] == ',');
    }
    return count;
}

static void ask_which(struct ag_parse *p, size_t i, const struct ag_name **names, size_t count)
{
    for (size_t k = 0; k < count && k < AG_MAX_SUGGESTIONS; k++)
        ag_suggest(p, ag_keep(p, names[k]->value, strlen(names[k]->value)));
    ag_stop(p, AG_NEEDS_CLARIFICATION,
            p->language == AG_KO ? ag_sayf(p, "\"%s\"에 맞는 이름이 여럿입니다.", ag_word(p, i))
                                 : ag_sayf(p, "\"%s\" could be one of several names.", ag_word(p, i)),
            ag_say(p, "이름을 그대로 적어 주세요.", "Use the exact name."));
    p->which = i + 1;
}

/* Is the domain meaning what the token is about, and not one of its grammatical ones? */
bool ag_is_mainly_domain(const struct ag_parse *p, size_t i)
{
    const struct ag_token *token = &p->tokens->items[i];

    return !token->rule && (token->readings->concept == AG_C_DOMAIN || token->readings->concept == AG_C_WORD);
}

static enum ag_kind wanted_kind(const struct ag_parse *p, size_t i, size_t *to)
{
    enum ag_kind behind = ag_kind_said(p, i + 1);

    if (ag_is(p->tokens, i + 1, AG_C_BY))
        return AG_KIND_COUNT;
    if (ag_is(p->tokens, i + 1, AG_C_SERVICE_WORD) && !ag_is(p->tokens, i + 2, AG_C_BY)) {
        *to = i + 2;
        return AG_KIND_SERVICE;
    }
    if (behind == AG_KIND_COMPONENT || behind == AG_KIND_MODULE || behind == AG_KIND_ERROR_TYPE) {
        if (ag_is(p->tokens, i + 2, AG_C_BY))
            return AG_KIND_COUNT;
        *to = i + 2;
        return behind;
    }
    return AG_KIND_COUNT;
}

/* A word of asking that is also a service ("검색 에러", "errors in search"): the name is meant where a name
 * would stand. */
static void ambiguous_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count && !p->stopped; i++) {
        const struct ag_name *names[AG_MAX_CANDIDATES];
        const struct ag_name *exact = ag_name_of_kind(&t->items[i], AG_KIND_SERVICE);
        size_t count = exact ? 1 : 0;
        bool led = i > 0 && ag_is(t, i - 1, AG_C_PREPOSITION) && !ag_is_korean(p, i - 1);
        bool named = ag_takes_a_name(p, ag_after(p, i));
        if (t->items[i].rule || ag_is_mainly_domain(p, i) || ag_is(t, i, AG_C_FIELD) ||
            ag_is(t, i, AG_C_ERROR) || !(led || named))
            continue;
        if (exact)
            names[0] = exact;
        else if (ag_is(t, i, AG_C_DOMAIN))
            count = ag_candidates(p, i, AG_KIND_SERVICE, names);
        /* 검색 에러: of searching, which nothing here does. 에러 검색 asks for them. */
        if (count == 0 && named && ag_is_korean(p, i) && ag_is(t, i, AG_C_DOMAIN) && ag_is(t, i, AG_C_SHOW) &&
            !ag_is(t, i + 1, AG_C_LOG) && ag_after(p, i) == i + 1)
            ag_unknown_name(p, AG_KIND_SERVICE, i, i + 1);
        if (count == 0 && ag_is(t, i, AG_C_LOG) && ag_is(t, i + 1, AG_C_SERVICE_WORD))
            ag_unknown_name(p, AG_KIND_SERVICE, i, i + 1);
        if (count == 0)
            continue;
        if (count > 1 || (i == 0 && !ag_is_korean(p, i) && !ag_is(t, i + 1, AG_C_SERVICE_WORD))) {
            ask_which(p, i, names, count);
            return;
        }
        ag_mention_add(p, i, ag_is(t, i + 1, AG_C_SERVICE_WORD) && !ag_is(t, i + 2, AG_C_BY) ? i + 2 : i + 1,
                       AG_SERVICE, NULL, AG_IN, ag_keep(p, names[0]->value, strlen(names[0]->value)), "name");
        ag_assume(p, "linked_name",
                  ag_sayf(p, "\"%s\"은(는) %s(으)로 보았습니다.", ag_word(p, i), names[0]->value),
                  ag_sayf(p, "\"%s\" is taken to be %s.", ag_word(p, i), names[0]->value));
    }
}

static void part_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count && !p->stopped; i++) {
        const struct ag_name *names[AG_MAX_CANDIDATES];
        size_t to = i + 1;
        enum ag_kind wanted;
        enum ag_kind kind;
        size_t count;
        if (!(ag_is(t, i, AG_C_DOMAIN) || ag_is(t, i, AG_C_WORD)))
            continue;
        if (ag_is_done(p, i))
            continue;
        wanted = wanted_kind(p, i, &to);
        /* "payment error types": those of the service, where there is one. */
        if (wanted == AG_KIND_ERROR_TYPE && ag_candidates(p, i, AG_KIND_SERVICE, names) > 0) {
            wanted = AG_KIND_COUNT;
            to = i + 1;
        }
        if (wanted == AG_KIND_COUNT && !ag_is_mainly_domain(p, i))
            continue;
        kind = wanted == AG_KIND_COUNT ? AG_KIND_SERVICE : wanted;
        count = ag_candidates(p, i, kind, names);
        if (count == 0 && ag_is(t, i, AG_C_EVENT_ANCHOR))
            continue; /* 배포된 서비스 */
        if (count == 0 && wanted != AG_KIND_COUNT) {
            if (ag_is(t, i, AG_C_DOMAIN) || kind != AG_KIND_SERVICE || strlen(ag_word(p, i)) > 2)
                ag_unknown_name(p, kind, i, i + 1);
            continue;
        }
        if (count == 0)
            count = ag_called(p, i, names, &kind, &to);
        if (count == 0)
            continue;
        if (count > 1 && to > i + 1 && kind == AG_KIND_SERVICE)
            count = ag_plain_service(names, count);
        if (count > 1) {
            ask_which(p, i, names, count);
            continue;
        }
        if (ag_one_name_or_two(p, i, names[0]))
            continue;
        ag_mention_add(p, i, to, ag_kind_field(kind), NULL, AG_IN,
                       ag_keep(p, names[0]->value, strlen(names[0]->value)), "name by part");
        if ((kind == AG_KIND_SERVICE || wanted == AG_KIND_COUNT) &&
            strcmp(names[0]->folded, ag_word(p, i)) != 0)
            ag_assume(p, "linked_name",
                      ag_sayf(p, "\"%s\"은(는) %s(으)로 보았습니다.", ag_word(p, i), names[0]->value),
                      ag_sayf(p, "\"%s\" is taken to be %s.", ag_word(p, i), names[0]->value));
    }
}

/* -- environments -- */

static const struct ag_name *environment_of(const struct ag_parse *p, const char *names)
{
    while (*names) {
        size_t n = strcspn(names, ",");
        for (size_t k = 0; k < ag_catalogue_count(p->catalogue, AG_KIND_ENVIRONMENT); k++) {
            const struct ag_name *name = ag_catalogue_at(p->catalogue, AG_KIND_ENVIRONMENT, k);
            if (strlen(name->folded) == n && memcmp(name->folded, names, n) == 0)
                return name;
        }
        names += n + (names[n] == ',');
    }
    return NULL;
}

static void environment_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count; i++) {
        const char *names = ag_value(t, i, AG_C_ENVIRONMENT);
        const struct ag_name *name;
        size_t from = i;
        size_t to = i + 1;
        if (!names || (ag_is(t, to, AG_C_SERVICE_WORD) && !ag_is(t, to + 1, AG_C_BY)))
            continue;
        name = environment_of(p, names);
        if (ag_kind_said(p, to) == AG_KIND_ENVIRONMENT && !ag_is(t, to + 1, AG_C_BY))
            to++;
        else if (i > 0 && ag_kind_said(p, i - 1) == AG_KIND_ENVIRONMENT && !ag_grouped_by(p, i - 1))
            from = i - 1;
        if (!name) {
            ag_unknown_name(p, AG_KIND_ENVIRONMENT, i, i + 1);
            return;
        }
        ag_mention_add(p, from, to, AG_ENVIRONMENT, NULL, AG_IN, ag_keep(p, name->value, strlen(name->value)),
                       "environment");
    }
}

void ag_names_rule(struct ag_parse *p)
{
    environment_rule(p);
    spelled_rule(p);
    exact_rule(p);
    ag_apposition_rule(p);
    ag_place_rule(p);
    ag_metadata_rule(p);
    ag_sampled_rule(p);
    ag_apposition_rule(p);
    ag_attempts_rule(p);
    ag_outcomes_rule(p);
    part_rule(p);
    if (!p->stopped)
        ambiguous_rule(p);
    if (!p->stopped)
        ag_error_words_rule(p);
    if (!p->stopped)
        ag_untitled_text_rule(p);
    if (!p->stopped)
        ag_stranger_rule(p);
    if (!p->stopped)
        ag_quoted_rule(p);
}
