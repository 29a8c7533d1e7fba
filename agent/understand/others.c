/*
 * What is left when some are left out: "which other services", StoreTimeout 말고 다른 타입들 건수, 나머지
 * 종류. The word for the rest adds nothing to a negation of the same kind; without one it is not known other
 * than what, and stays. Several that are counted (타입들 건수, 나머지 호스트들 몇 건씩) are counted one by
 * one.
 */
#include "agent/understand/parse.h"

#include <string.h>

#define COUNT_OF(words) (sizeof words / sizeof *words)

/* The kind that token `i` names: a field's word, or "type" and 종류, which of errors are their types. */
static enum ag_field kind_at(const struct ag_parse *p, size_t i)
{
    static const char *const types[] = {"type", "types", "kind", "kinds", "타입", "유형", "종류"};
    const char *name = i < p->tokens->count ? ag_reads_value(p, i, AG_C_FIELD) : NULL;

    if (name)
        return ag_field_named(name);
    return ag_says(p, i, types, COUNT_OF(types)) ? AG_ERROR_TYPE : AG_NO_FIELD;
}

static bool is_left_out(const struct ag_parse *p, enum ag_field field)
{
    for (size_t k = 0; k < p->mention_count; k++) {
        if (p->mentions[k].negated && p->mentions[k].field == field)
            return true;
    }
    return false;
}

bool ag_are_others(const struct ag_parse *p, size_t i)
{
    return strstr(ag_word(p, i), "들") != NULL ||
           (ag_reads(p, i + 1, AG_C_PARTICLE) && strncmp(ag_word(p, i + 1), "들", strlen("들")) == 0);
}

static bool is_counted(const struct ag_parse *p)
{
    for (size_t i = 0; i < p->tokens->count; i++) {
        if (ag_reads(p, i, AG_C_COUNT))
            return true;
    }
    return false;
}

void ag_others_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i + 1 < t->count && p->target_count < AG_MAX_TARGETS; i++) {
        size_t at = i + 1;
        enum ag_field field;
        bool asked;
        if (!ag_reads(p, i, AG_C_REST))
            continue;
        if (ag_is(t, at, AG_C_ERROR) && kind_at(p, at + 1) == AG_ERROR_TYPE)
            at++;
        field = kind_at(p, at);
        if (field == AG_NO_FIELD || t->items[at].rule || !is_left_out(p, field))
            continue;
        ag_consume(t, i, i + 1, "not");
        asked = ag_is_korean(p, i) ? ag_are_others(p, at) && is_counted(p)
                                   : i > 0 && ag_reads(p, i - 1, AG_C_WHICH);
        if (!asked && ag_reads(p, at, AG_C_FIELD))
            continue;
        if (asked)
            p->targets[p->target_count++] =
                (struct ag_target){.from = at, .to = at + 1, .field = field, .grouped = true};
        ag_consume(t, i + 1, at + 1, asked ? "group" : "not");
    }
}
