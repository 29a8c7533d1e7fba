/*
 * Words that belong together. "ERROR-or-worse", "production-only", "per-service": the dash adds nothing. What
 * was named is named again: u1077 이 고객, OrderLockTimeoutException 이거, payment-service 얘. The pronoun
 * and the word for its kind add nothing; a word of another kind does, and stays.
 */
#include "agent/understand/link.h"

#include <string.h>

static bool is_pronoun(const struct ag_parse *p, size_t i)
{
    static const char *const words[] = {"이",   "그",   "해당", "위",   "이거", "이것", "이게", "이건",
                                        "이걸", "그거", "그것", "그게", "그건", "얘",   "걔",   "쟤"};

    return i < p->tokens->count && !p->tokens->items[i].rule &&
           ag_says(p, i, words, sizeof words / sizeof *words);
}

/* 분, 사람, 님: whoever a user is. */
static bool is_person(const struct ag_parse *p, size_t i)
{
    static const char *const words[] = {"분", "사람", "친구", "님", "분이", "고객님", "회원님", "유저님"};

    return ag_says(p, i, words, sizeof words / sizeof *words) || ag_names_field(p, i, "user_id") ||
           ag_reads(p, i, AG_C_DOMAIN);
}

static bool says_kind(const struct ag_parse *p, size_t i, enum ag_field field)
{
    if (i >= p->tokens->count || p->tokens->items[i].rule)
        return false;
    if (field == AG_USER_ID)
        return is_person(p, i);
    if (field == AG_ERROR_TYPE && ag_is(p->tokens, i, AG_C_ERROR))
        return true;
    return ag_names_field(p, i, ag_field_name(field)) || ag_is(p->tokens, i, AG_C_THING);
}

static bool is_named(enum ag_field field)
{
    return field == AG_USER_ID || field == AG_SESSION_ID || field == AG_TRACE_ID || field == AG_CLIENT_IP ||
           field == AG_ERROR_TYPE || field == AG_ERROR_CODE || field == AG_SERVICE || field == AG_HOST ||
           field == AG_ENDPOINT || field == AG_COMPONENT;
}

/* 이, 그 and 위 stand before a noun; 이거 and 얘 for one. */
static bool stands_alone(const struct ag_parse *p, size_t i)
{
    return strlen(ag_word(p, i)) > strlen("이") || strcmp(ag_word(p, i), "얘") == 0 ||
           strcmp(ag_word(p, i), "걔") == 0 || strcmp(ag_word(p, i), "쟤") == 0;
}

/* Is one of the word's roots a part of the name? */
static bool means_part_of(const struct ag_parse *p, size_t i, const struct ag_name *name)
{
    const char *roots = ag_value(p->tokens, i, AG_C_DOMAIN);

    while (roots && *roots) {
        size_t n = strcspn(roots, ",");
        if (ag_name_has_part(name, roots, n))
            return true;
        roots += n + (roots[n] == ',');
    }
    return false;
}

/* 주문(payment-service): two names that are not of one thing. */
static void other_name(struct ag_parse *p, size_t i, const struct ag_name *name)
{
    const struct ag_name *found[AG_MAX_CANDIDATES];

    if (name->kind != AG_KIND_SERVICE || !ag_is(p->tokens, i, AG_C_DOMAIN) ||
        ag_candidates(p, i, AG_KIND_SERVICE, found) == 0)
        return;
    ag_stop(p, AG_NOT_UNDERSTOOD,
            p->language == AG_KO ? ag_sayf(p, "\"%s\"와(과) 괄호 안의 \"%s\" 가운데 무엇인지 알 수 없습니다.",
                                           ag_word(p, i), name->value)
                                 : ag_sayf(p, "It is not clear whether \"%s\" or \"%s\" is meant.",
                                           ag_word(p, i), name->value),
            NULL);
}

/* Is token `i` of a word that a bracket behind may explain: letters nobody knows, a business word, a field?
 */
static bool may_be_glossed(const struct ag_parse *p, size_t i)
{
    return !p->tokens->items[i].rule && p->tokens->items[i].name_count == 0 &&
           (ag_is(p->tokens, i, AG_C_HANGUL) || ag_is(p->tokens, i, AG_C_DOMAIN) ||
            ag_is(p->tokens, i, AG_C_FIELD) || ag_is(p->tokens, i, AG_C_PARTICLE) ||
            ag_is(p->tokens, i, AG_C_ENDING) || ag_is(p->tokens, i, AG_C_SERVICE_WORD));
}

/* 제주 in 제주 허브(HUB-JEJU): a word before token `from` that nobody knows, be it read as single syllables.
 * Where it begins, or `from`. */
static size_t of_strange_word(const struct ag_parse *p, size_t from)
{
    const struct ag_token *items = p->tokens->items;
    size_t start = from;

    do {
        if (start == 0 || items[start - 1].rule || !ag_is_korean(p, start - 1) ||
            !(ag_is(p->tokens, start - 1, AG_C_HANGUL) || strlen(items[start - 1].text) == strlen("가")))
            return from;
        start--;
    } while (items[start].glued);
    return start + 1 == from && !ag_is(p->tokens, start, AG_C_HANGUL) ? from : start;
}

/* 제주 허브(HUB-JEJU), 김철수(u-20042): a value met in the records, or one of the form of some, and before it
 * what it is called. */
static void value_gloss(struct ag_parse *p, size_t open)
{
    const struct ag_samples *samples = ag_catalogue_samples(p->catalogue);
    const struct ag_sample *met[2];
    struct ag_tokens *t = p->tokens;
    size_t from = open;

    if (strpbrk(ag_word(p, open + 1), "0123456789-_.") == NULL ||
        ag_samples_find(samples, ag_word(p, open + 1), met, 2) != 1)
        return;
    while (from > 0 && t->items[from].glued && may_be_glossed(p, from - 1))
        from--;
    if (from == open || t->items[from].glued)
        return;
    from = of_strange_word(p, from);
    ag_consume(t, from, open + 1, "gloss");
    ag_consume(t, open + 2, open + 3, "gloss");
}

/* "failures (error+fatal)", 에러(ERROR/FATAL): which levels are meant by the word before the bracket. */
static void levels_gloss(struct ag_parse *p, size_t open)
{
    struct ag_tokens *t = p->tokens;
    size_t levels = 0;
    size_t close = open + 1;

    for (; close < t->count && strcmp(ag_word(p, close), ")") != 0; close++) {
        bool level = ag_is(t, close, AG_C_LEVEL) || ag_is(t, close, AG_C_ERROR);
        levels += level;
        if (!level && !ag_joins_list(p, close) && strcmp(ag_word(p, close), "+") != 0 &&
            strcmp(ag_word(p, close), "/") != 0)
            return;
    }
    if (levels < 2 || close == t->count || !(ag_is(t, open - 1, AG_C_FAIL) || ag_is(t, open - 1, AG_C_ERROR)))
        return;
    ag_consume(t, open - 1, open + 1, "gloss");
    for (size_t i = open + 1; i <= close; i++) {
        const char *level = ag_value(t, i, AG_C_LEVEL);
        /* Over no word: "FATAL errors" are FATAL, these are both. */
        if (level || ag_is(t, i, AG_C_ERROR))
            ag_mention_add(p, i, i, AG_LEVEL, NULL, AG_IN, level ? level : "ERROR", "level");
        ag_consume(t, i, i + 1, "gloss");
    }
}

/* 카드승인(card-auth), 화상 진료(video-consult), 채널(channel)별: the same thing in Korean and, in brackets
 * behind it, by its name. What is before the bracket is one word, of letters nobody knows or of roots of that
 * very name, and the words before it that mean a part of the name as well. */
void ag_gloss_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 1; i + 2 < t->count; i++) {
        const struct ag_token *inside = &t->items[i + 1];
        size_t from = i;
        bool same = false;
        if (strcmp(ag_word(p, i), "(") != 0)
            continue;
        levels_gloss(p, i);
        if (strcmp(ag_word(p, i + 2), ")") != 0 || !t->items[i].glued || inside->rule)
            continue;
        if (inside->name_count == 0) {
            value_gloss(p, i);
            continue;
        }
        while (from > 0 && t->items[from].glued)
            from--;
        for (size_t k = from; k < i; k++) {
            bool stands = ag_is(t, k, AG_C_HANGUL) || means_part_of(p, k, inside->names[0]);
            same = same || stands;
            if (t->items[k].rule || (!stands && !may_be_glossed(p, k))) {
                same = false;
                break;
            }
        }
        if (!same) {
            other_name(p, i - 1, inside->names[0]);
            continue;
        }
        while (from > 0 && means_part_of(p, from - 1, inside->names[0]) && !t->items[from - 1].glued)
            from--;
        ag_consume(t, from, i + 1, "gloss");
        ag_consume(t, i + 2, i + 3, "gloss");
    }
}

/* "nasdaq (component)": the kind of the name before it, in brackets. */
static void bracketed_kind(struct ag_parse *p, struct ag_mention *m)
{
    enum ag_kind kind = ag_kind_said(p, m->to + 1);
    const struct ag_name *name;

    if (kind == AG_KIND_COUNT || strcmp(ag_word(p, m->to), "(") != 0 ||
        strcmp(ag_word(p, m->to + 2), ")") != 0 || m->to != m->from + 1 ||
        !(name = ag_name_of_kind(&p->tokens->items[m->from], kind)))
        return;
    m->field = ag_kind_field(kind);
    m->value = ag_keep(p, name->value, strlen(name->value));
    ag_consume(p->tokens, m->to, m->to + 3, "gloss");
}

void ag_apposition_rule(struct ag_parse *p)
{
    for (size_t k = 0; k < p->mention_count; k++)
        bracketed_kind(p, &p->mentions[k]);
    for (size_t k = 0; k < p->mention_count; k++) {
        struct ag_mention *m = &p->mentions[k];
        size_t at = m->to;
        size_t to = at + 1;
        if (!is_named(m->field) || !ag_is_korean(p, at) || !is_pronoun(p, at) || p->tokens->items[at].glued)
            continue;
        if (says_kind(p, to, m->field))
            to++;
        else if (!stands_alone(p, at) || strcmp(ag_word(p, at), "해당") == 0)
            continue;
        ag_consume(p->tokens, at, to, "apposition");
    }
}

/* Is the dash at token `i` that of "ERROR-level", "WARN-or-above", "production-only", "payment-related"? */
static bool joins_a_compound(const struct ag_parse *p, size_t i)
{
    const struct ag_tokens *t = p->tokens;
    bool graded = ag_is(t, i - 1, AG_C_LEVEL) || ag_is(t, i - 1, AG_C_ERROR);

    if (!ag_is(t, i, AG_C_DASH) || !t->items[i].glued || !t->items[i + 1].glued || ag_is_korean(p, i + 1))
        return false;
    return (graded && (ag_names_field(p, i + 1, "level") || ag_is(t, i + 1, AG_C_AT_LEAST))) ||
           ag_is(t, i + 1, AG_C_ONLY) || strcmp(ag_word(p, i + 1), "related") == 0 ||
           (strcmp(ag_word(p, i - 1), "per") == 0 && ag_is(t, i + 1, AG_C_FIELD));
}

void ag_compound_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 1; i + 1 < t->count; i++) {
        if (joins_a_compound(p, i))
            ag_token_remove(t, i);
    }
}
