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
