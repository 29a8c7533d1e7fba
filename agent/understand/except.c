/*
 * A value left out of what is broken down: "errors by component, except token", 컴포넌트별로 token은 빼고.
 * A word that means something else elsewhere is of the field that is broken down by, if that has a value of
 * exactly this name.
 */
#include "agent/understand/link.h"

#include <string.h>

/* The kind that token `i` is broken down by, or AG_KIND_COUNT. */
static enum ag_kind kind_broken_down(const struct ag_parse *p, size_t i)
{
    return ag_reads(p, i, AG_C_FIELD) && ag_grouped_by(p, i) ? ag_kind_said(p, i) : AG_KIND_COUNT;
}

/* The kind whose values are broken down by and have a name such as token `i` says. */
static const struct ag_name *value_at(const struct ag_parse *p, size_t i)
{
    const struct ag_token *token = &p->tokens->items[i];

    for (size_t k = 0; k < p->tokens->count; k++) {
        enum ag_kind kind = kind_broken_down(p, k);
        const struct ag_name *name = kind == AG_KIND_COUNT ? NULL : ag_name_of_kind(token, kind);
        if (name)
            return name;
    }
    return NULL;
}

/* 단, 다만: what is left out follows. */
static void drop_but(struct ag_parse *p, size_t at)
{
    static const char *const buts[] = {"단", "다만"};

    for (size_t i = at; i-- > 0 && at - i < 8;) {
        if (p->tokens->items[i].rule || !ag_says(p, i, buts, sizeof buts / sizeof *buts) ||
            !(i == 0 || ag_is(p->tokens, i - 1, AG_C_COMMA) || ag_is(p->tokens, i + 1, AG_C_COMMA)))
            continue;
        ag_consume(p->tokens, i, i + 1, "not");
        return;
    }
}

void ag_except_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count; i++) {
        size_t at;
        const struct ag_name *name;
        if (!ag_is(t, i, AG_C_NOT) || t->items[i].rule)
            continue;
        at = !ag_is_korean(p, i) ? ag_after(p, i) : i > 0 ? ag_before(p, i) : SIZE_MAX;
        if (at >= t->count)
            continue;
        name = t->items[at].rule ? NULL : value_at(p, at);
        if (name)
            ag_mention_add(p, at, at + 1, ag_kind_field(name->kind), NULL, AG_IN, name->value, "name");
        if (ag_is_korean(p, i))
            drop_but(p, i);
    }
}
