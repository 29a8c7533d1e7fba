/*
 * What was named is named again: u1077 이 고객, OrderLockTimeoutException 이거, payment-service 얘. The
 * pronoun and the word for its kind add nothing; a word of another kind does, and stays.
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

/* Could the word stand for the name: unknown letters, or a word one of whose roots is a part of it? */
static bool may_stand_for(const struct ag_parse *p, size_t i, const struct ag_name *name)
{
    const char *roots = ag_value(p->tokens, i, AG_C_DOMAIN);

    if (ag_is(p->tokens, i, AG_C_HANGUL))
        return true;
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

/* 카드승인(card-auth), 채널(channel)별: the same thing in Korean and, in brackets behind it, by its name.
 * What is before the bracket is one word, of letters nobody knows or of roots of that very name. */
void ag_gloss_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 1; i + 2 < t->count; i++) {
        const struct ag_token *inside = &t->items[i + 1];
        size_t from = i;
        bool same = false;
        if (strcmp(ag_word(p, i), "(") != 0 || strcmp(ag_word(p, i + 2), ")") != 0 || !t->items[i].glued ||
            inside->name_count == 0 || inside->rule)
            continue;
        while (from > 0 && t->items[from].glued)
            from--;
        for (size_t k = from; k < i; k++) {
            bool stands = may_stand_for(p, k, inside->names[0]);
            same = same || stands;
            if (t->items[k].rule || (!stands && !ag_is(t, k, AG_C_PARTICLE) && !ag_is(t, k, AG_C_ENDING))) {
                same = false;
                break;
            }
        }
        if (!same) {
            other_name(p, i - 1, inside->names[0]);
            continue;
        }
        ag_consume(t, from, i + 1, "gloss");
        ag_consume(t, i + 2, i + 3, "gloss");
    }
}

void ag_apposition_rule(struct ag_parse *p)
{
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
