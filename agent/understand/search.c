/*
 * Text that is searched for in messages: quoted, or beside "containing", 포함된, 검색.
 */
#include "agent/understand/link.h"

#include <string.h>

const char *ag_typed(struct ag_parse *p, size_t from, size_t to)
{
    char *text = ag_text_typed(&p->text, from, to, p->arena);

    p->memory = p->memory || !text;
    return text ? text : "";
}

const char *ag_quoted(struct ag_parse *p, size_t i)
{
    return ag_typed(p, p->tokens->items[i].from + 1, p->tokens->items[i].to - 1);
}

/* A text that may be searched, named: 메시지, "stack trace". */
static bool is_message_field(const struct ag_parse *p, size_t i)
{
    return ag_names_field(p, i, "message") || ag_names_field(p, i, "stack_trace");
}

/* Which text the tokens [from, to) search. */
static enum ag_field searched_in(const struct ag_parse *p, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        if (ag_names_field(p, i, "stack_trace"))
            return AG_STACK_TRACE;
    }
    return AG_MESSAGE;
}

/* A word that may be searched for without quotes: unknown, or of no grammatical use. */
static bool is_searchable(const struct ag_parse *p, size_t i)
{
    const struct ag_tokens *t = p->tokens;

    return ag_is(t, i, AG_C_WORD) || ag_is(t, i, AG_C_HANGUL) || ag_is(t, i, AG_C_DOMAIN) ||
           ag_is(t, i, AG_C_FAIL) || ag_is(t, i, AG_C_SQL) || ag_is(t, i, AG_C_ATTEMPT);
}

/* "search for", 검색 */
static bool search_word(const struct ag_parse *p, size_t i)
{
    return ag_is(p->tokens, i, AG_C_SHOW) &&
           (strncmp(ag_word(p, i), "검색", strlen("검색")) == 0 || strcmp(ag_word(p, i), "search for") == 0 ||
            strcmp(ag_word(p, i), "search") == 0);
}

static bool contains_word(const struct ag_parse *p, size_t i, bool *negative)
{
    const struct ag_tokens *t = p->tokens;

    if (strcmp(ag_word(p, i), "담기") == 0)
        return false; /* 장바구니 담기: what is done */
    *negative = ag_is(t, i, AG_C_NOT_CONTAINS);
    return *negative || ag_is(t, i, AG_C_CONTAINS) || search_word(p, i);
}

/* "contain the phrase", "don't mention the word": where the words that say so begin, one behind the other,
 * the last of them token `i`. A denial among them denies. */
static size_t first_contains_word(const struct ag_parse *p, size_t i, bool *negative)
{
    size_t before = i;
    bool denies = false;

    while (before > 0 && (before = ag_before(p, before)) != SIZE_MAX && !p->tokens->items[before].rule &&
           !ag_is_korean(p, before) && contains_word(p, before, &denies)) {
        *negative = *negative || denies;
        i = before;
    }
    return i;
}

/* Is the quoted text at `i` the value of a field, a tag or a key said before it? */
static bool is_value_of_field(const struct ag_parse *p, size_t before)
{
    if (ag_reads(p, before, AG_C_EQUALS) || ag_reads(p, before, AG_C_TAGGED))
        return true;
    if (before < p->tokens->count && p->tokens->items[before].name_count > 0)
        return true;
    return ag_reads(p, before, AG_C_FIELD) && !is_message_field(p, before);
}

/* tagged with "a" and "b": the second belongs to the field of the first. */
static bool continues_values(const struct ag_parse *p, size_t before)
{
    size_t at = before;

    while (at > 0 && (ag_joins_list(p, at) || ag_is(p->tokens, at, AG_C_NOT)))
        at--;
    return at > 0 && at < before && ag_is(p->tokens, at, AG_C_QUOTED) &&
           is_value_of_field(p, ag_before(p, at));
}

/* Which quoted texts are searched for, and the words around them. With `all`, also those nobody else took. */
static void take_quoted(struct ag_parse *p, bool all)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count; i++) {
        const char *text;
        bool negative = false;
        size_t from = i;
        size_t to = i + 1;
        size_t next;
        size_t before;
        const struct ag_name *names[AG_TOKEN_NAMES];
        char *folded;
        if (!ag_is(t, i, AG_C_QUOTED))
            continue;
        text = ag_quoted(p, i);
        if (*text == '\0')
            continue;
        next = ag_after(p, i);
        before = i > 0 ? ag_before(p, i) : SIZE_MAX;
        if (is_message_field(p, next) && !t->items[next].rule && !ag_grouped_by(p, next) &&
            contains_word(p, ag_after(p, next), &negative)) {
            to = ag_after(p, next) + 1;
        } else if (is_message_field(p, next) && !t->items[next].rule && !ag_grouped_by(p, next)) {
            to = next + 1;
        } else if (contains_word(p, next, &negative)) {
            to = next + 1;
            /* 'reset' 포함된 메시지 */
            if (is_message_field(p, to) && !t->items[to].rule && !ag_grouped_by(p, to) && ag_is_korean(p, to))
                to++;
        } else if (before != SIZE_MAX && contains_word(p, before, &negative)) {
            from = first_contains_word(p, before, &negative);
        } else if (before != SIZE_MAX && is_message_field(p, before)) {
            from = before;
        } else if (!all && before != SIZE_MAX &&
                   (is_value_of_field(p, before) || continues_values(p, before))) {
            continue;
        } else {
            /* A quoted name is a name. */
            folded = ag_text_utf8(&p->text, t->items[i].from + 1, t->items[i].to - 1, p->arena);
            t->items[i].name_count =
                folded ? ag_catalogue_find(p->catalogue, folded, strlen(folded), names, AG_TOKEN_NAMES) : 0;
            if (t->items[i].name_count > AG_TOKEN_NAMES)
                t->items[i].name_count = AG_TOKEN_NAMES;
            memcpy((void *)t->items[i].names, (const void *)names, t->items[i].name_count * sizeof *names);
            if (t->items[i].name_count > 0)
                continue;
            ag_assume(p, "text_search", "따옴표 안의 글은 메시지에서 찾았습니다.",
                      "The quoted text is searched for in messages.");
        }
        if (from > 0 && is_message_field(p, ag_before(p, from)) && ag_before(p, from) != SIZE_MAX &&
            !t->items[ag_before(p, from)].rule)
            from = ag_before(p, from);
        ag_mention_add(p, from, to, searched_in(p, from, to), NULL, negative ? AG_NOT_CONTAINS : AG_CONTAINS,
                       text, "text");
    }
}

/* "including payment-service", api-gateway 포함: a name besides others, not a text; a regular expression is
 * none either. */
static bool includes_a_name(const struct ag_parse *p, size_t i)
{
    const struct ag_name *found[AG_MAX_CANDIDATES];
    const char *word = ag_word(p, i);
    size_t at = ag_is_korean(p, i) ? (i > 0 ? ag_before(p, i) : SIZE_MAX) : ag_after(p, i);

    if (at >= p->tokens->count)
        return false;
    if (strncmp(ag_word(p, at), "regex", strlen("regex")) == 0)
        return true;
    return (p->tokens->items[at].name_count > 0 ||
            (ag_is(p->tokens, at, AG_C_DOMAIN) && ag_candidates(p, at, AG_KIND_SERVICE, found) > 0)) &&
           (strcmp(word, "포함") == 0 || strcmp(word, "including") == 0);
}

/* could not connect 라는 문구: English words of grammar, which say nothing in a Korean question, are of the
 * text that ends at token `first`. Where it begins. */
static size_t phrase_before(const struct ag_parse *p, size_t first, size_t i)
{
    static const enum ag_concept grammar[] = {AG_C_NOISE, AG_C_NOT,     AG_C_PREPOSITION, AG_C_AND,
                                              AG_C_VERB,  AG_C_PRONOUN, AG_C_IS,          AG_C_WITHOUT};
    size_t from = first;
    bool passes = true;

    if (strncmp(ag_word(p, i), "라는", strlen("라는")) != 0 &&
        strncmp(ag_word(p, i), "이라는", strlen("이라는")) != 0 &&
        strncmp(ag_word(p, i), "있는 문구", strlen("있는 문구")) != 0)
        return first;
    while (from > 0 && passes && !ag_is_korean(p, from) && !ag_is_korean(p, from - 1)) {
        const struct ag_token *token = &p->tokens->items[from - 1];
        passes = is_searchable(p, from - 1);
        for (size_t k = 0; k < sizeof grammar / sizeof *grammar; k++)
            passes = passes || ag_is(p->tokens, from - 1, grammar[k]);
        passes = passes && !token->rule && token->name_count == 0;
        if (passes)
            from--;
    }
    return from;
}

/* timeout 들어간, 메시지에 timeout 포함된, "containing timeout" */
static void contained_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count; i++) {
        bool negative = false;
        size_t first;
        size_t last;
        size_t from;
        bool weak;
        if (!contains_word(p, i, &negative))
            continue;
        weak = strcmp(ag_word(p, i), "없는") == 0 || ag_is(t, i, AG_C_VERB) || ag_is(t, i, AG_C_NOT) ||
               ag_is(t, i, AG_C_IS) || ag_is(t, i, AG_C_PARTICLE);
        if (includes_a_name(p, i))
            continue;
        if (ag_is_korean(p, i)) {
            last = i > 0 ? ag_before(p, i) : SIZE_MAX;
            if (last == SIZE_MAX || !is_searchable(p, last))
                continue;
            first = last;
            while (first > 0 && is_searchable(p, first - 1) && !t->items[first].glued)
                first--;
            first = phrase_before(p, first, i);
            if (weak && !(first > 0 && is_message_field(p, ag_before(p, first))))
                continue;
            {
                from =
                    first > 0 && ag_before(p, first) != SIZE_MAX && is_message_field(p, ag_before(p, first))
                        ? ag_before(p, first)
                        : first;
                ag_mention_add(p, from, i + 1, searched_in(p, from, i + 1), NULL,
                               negative ? AG_NOT_CONTAINS : AG_CONTAINS,
                               ag_typed(p, t->items[first].from, t->items[last].to), "text");
            }
        } else {
            first = ag_after(p, i);
            if (is_message_field(p, first))
                first = ag_after(p, first);
            if (!is_searchable(p, first))
                continue;
            last = first;
            while (is_searchable(p, last + 1) && last - first < 4)
                last++;
            from = first_contains_word(p, i, &negative);
            if (from > 0 && ag_before(p, from) != SIZE_MAX &&
                ag_names_field(p, ag_before(p, from), "stack_trace"))
                from = ag_before(p, from);
            ag_mention_add(p, from, last + 1, searched_in(p, from, last + 1), NULL,
                           negative ? AG_NOT_CONTAINS : AG_CONTAINS,
                           ag_typed(p, t->items[first].from, t->items[last].to), "text");
        }
    }
}

/* A word nobody knows, or of business that names nothing here. */
static bool names_nothing(struct ag_parse *p, size_t i)
{
    const struct ag_token *token = &p->tokens->items[i];
    const struct ag_name *found[AG_MAX_CANDIDATES];

    if (token->rule || token->name_count > 0 || token->slip)
        return false;
    for (const struct ag_reading *r = token->readings; r; r = r->next) {
        if (r->concept != AG_C_HANGUL && r->concept != AG_C_DOMAIN)
            return false;
    }
    return token->readings->concept == AG_C_HANGUL || ag_candidates(p, i, AG_KIND_SERVICE, found) == 0;
}

/* 원장 불일치 로그: two words or more that are no name and no word of asking, before 로그, are what it says.
 */
void ag_untitled_text_rule(struct ag_parse *p)
{
    for (size_t i = 2; i < p->tokens->count; i++) {
        size_t from = i;
        bool unknown = false;
        if (!ag_is(p->tokens, i, AG_C_LOG) || !ag_is_korean(p, i) || p->tokens->items[i].glued)
            continue;
        while (from > 0 && names_nothing(p, from - 1)) {
            from--;
            unknown = unknown || ag_is(p->tokens, from, AG_C_HANGUL);
        }
        if (i - from < 2 || !unknown || p->tokens->items[i - 1].glued)
            continue;
        ag_mention_add(p, from, i, AG_MESSAGE, NULL, AG_CONTAINS,
                       ag_typed(p, p->tokens->items[from].from, p->tokens->items[i - 1].to), "text");
        ag_assume(p, "text_search", "이름이 아닌 말은 메시지에서 찾았습니다.",
                  "Words that are no name are searched for in messages.");
    }
}

void ag_text_rule(struct ag_parse *p)
{
    take_quoted(p, false);
    contained_rule(p);
}

void ag_quoted_rule(struct ag_parse *p)
{
    take_quoted(p, true);
}
