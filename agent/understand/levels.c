/*
 * Conditions on the level.
 */
#include "agent/understand/parse.h"

#include <string.h>

void ag_level_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count; i++) {
        const char *level = ag_value(t, i, AG_C_LEVEL);
        bool error = ag_is(t, i, AG_C_ERROR);
        size_t end = i + 1;
        size_t start = i;
        enum ag_op op = AG_IN;
        if (!level && !error)
            continue;
        /* "WARN 레벨", "level WARN" */
        if (ag_names_field(p, end, "level") && !t->items[end].rule && !ag_grouped_by(p, end))
            end++;
        while (ag_is(t, end, AG_C_LOG) && ag_is_korean(p, end))
            end++;
        if (i > 0 && ag_names_field(p, i - 1, "level") && !t->items[i - 1].rule && !ag_grouped_by(p, i - 1))
            start = i - 1;
        else if (i > 1 && ag_is(t, i - 1, AG_C_EQUALS) && ag_names_field(p, i - 2, "level"))
            start = i - 2;
        if (ag_is(t, end, AG_C_AT_LEAST) && !ag_reads(p, end, AG_C_PARTICLE)) /* 경고라도 있어? */
            op = AG_AT_LEAST;
        else if (ag_is(t, end, AG_C_AT_MOST))
            op = AG_AT_MOST;
        else if (i > 0 && ag_is(t, i - 1, AG_C_AT_LEAST)) {
            op = AG_AT_LEAST;
            start = i > 1 && ag_names_field(p, i - 2, "level") && !t->items[i - 2].rule ? i - 2 : i - 1;
        }
        if (op != AG_IN && ag_is(t, end, AG_C_AT_LEAST) + ag_is(t, end, AG_C_AT_MOST) > 0)
            end++;
        if (op == AG_AT_LEAST || op == AG_AT_MOST) {
            ag_mention_add(p, start, end, AG_LEVEL, NULL, op, level ? level : "ERROR", "level");
        } else if (error) {
            ag_mention_add(p, start, end, AG_LEVEL, NULL, AG_IN, "ERROR", "level");
            ag_mention_add(p, start, end, AG_LEVEL, NULL, AG_IN, "FATAL", "level");
            p->said[AG_C_ERROR] = i + 1;
        } else {
            ag_mention_add(p, start, end, AG_LEVEL, NULL, AG_IN, level, "level");
        }
    }
}

static bool listed_with(const struct ag_parse *p, size_t a, size_t b)
{
    for (size_t i = a; i < b; i++) {
        if (ag_joins_list(p, i))
            return true;
    }
    return false;
}

static void drop_level(struct ag_parse *p, const char *but)
{
    size_t kept = 0;

    for (size_t k = 0; k < p->mention_count; k++) {
        const struct ag_mention *m = &p->mentions[k];
        if (m->field != AG_LEVEL || m->op != AG_IN || m->negated || strcmp(m->value, but) == 0)
            p->mentions[kept++] = *m;
    }
    p->mention_count = kept;
}

/* 에러 중 FATAL 비율: the part and the whole are different levels. */
static bool asks_for_a_share(const struct ag_parse *p)
{
    for (size_t i = 0; i < p->tokens->count; i++) {
        if (ag_is(p->tokens, i, AG_C_PERCENT))
            return true;
    }
    return p->part_at != 0;
}

/* "FATAL 에러", "errors, FATAL only": a level named beside "error" and not listed with it is the level meant.
 */
void ag_one_level_rule(struct ag_parse *p)
{
    const struct ag_mention *error = NULL;
    const struct ag_mention *level = NULL;
    const char *value;
    bool only;

    for (size_t k = 0; k < p->mention_count; k++) {
        const struct ag_mention *m = &p->mentions[k];
        bool is_error = false;
        if (m->field != AG_LEVEL || m->op != AG_IN || m->negated)
            continue;
        for (size_t i = m->from; i < m->to; i++)
            is_error = is_error || ag_reads(p, i, AG_C_ERROR);
        if (is_error)
            error = m;
        else if (level)
            return;
        else
            level = m;
    }
    if (!error || !level || asks_for_a_share(p))
        return;
    value = level->value;
    only = ag_reads(p, level->to, AG_C_ONLY) ||
           (level->from > 0 && ag_reads(p, level->from - 1, AG_C_ONLY)) ||
           (ag_reads(p, level->to, AG_C_PARTICLE) && strcmp(ag_word(p, level->to), "만") == 0);
    if (!only && (level->from < error->from ? listed_with(p, level->to, error->from)
                                            : listed_with(p, error->to, level->from)))
        return;
    if (strcmp(value, "FATAL") != 0 && !only) {
        ag_stop(p, AG_NOT_UNDERSTOOD,
                ag_say(p, "두 레벨 가운데 무엇인지 알 수 없습니다.",
                       "It is not clear which of the two levels is meant."),
                NULL);
        return;
    }
    drop_level(p, value);
}
