/*
 * A follow-up that says what it replaces: "errors instead of warnings", 경고 대신 에러로, "error types
 * instead of services", 그제 말고 어제. What stands behind "instead of" or before 대신 was asked for before
 * and is no condition, group or time of this question.
 */
#include "agent/understand/decision.h"

#include <string.h>

static void ask_what_instead(struct ag_parse *p)
{
    ag_stop(p, AG_NEEDS_CLARIFICATION,
            ag_say(p, "무엇으로 바꿀지 알 수 없습니다.", "It is not clear what is wanted instead."), NULL);
}

/* "instead of errors, warnings and fatal": does the list end before the last or before both? */
static bool lists_further(const struct ag_parse *p, const struct ag_mention *m)
{
    const struct ag_mention *next = ag_joins_list(p, m->to) ? ag_mention_starting(p, m->to + 1) : NULL;

    return next &&
           (ag_joins_list(p, next->to) || ag_reads(p, m->to, AG_C_AND) || ag_reads(p, m->to, AG_C_OR));
}

/* "errors instead of warnings", 경고 대신 에러로: what the question before asked for, and no condition of
 * this one. */
void ag_instead_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; p->question->previous && i < t->count; i++) {
        bool korean = strcmp(ag_word(p, i), "대신") == 0;
        bool english = strcmp(ag_word(p, i), "instead") == 0 && strcmp(ag_word(p, i + 1), "of") == 0;
        const struct ag_mention *m = korean    ? ag_mention_ending(p, i)
                                     : english ? ag_mention_starting(p, ag_after(p, i + 1))
                                               : NULL;
        struct ag_mention old;
        size_t kept = 0;
        if (!m)
            continue;
        old = *m;
        if (english && lists_further(p, &old)) {
            ask_what_instead(p);
            return;
        }
        for (size_t k = 0; k < p->mention_count; k++) {
            if (p->mentions[k].from != old.from)
                p->mentions[kept++] = p->mentions[k];
        }
        p->mention_count = kept;
        if (!ag_mentions_field(p, old.field)) {
            ask_what_instead(p);
            return;
        }
        ag_consume(t, i, korean ? i + 1 : old.from, ag_concept_name(AG_C_FOLLOW));
        p->said[AG_C_FOLLOW] = i + 1;
    }
}

/* Where what is replaced stands: [from, to) are the words that say so, and `name` is where it begins behind
 * them, or ends before. */
struct replaced {
    size_t from, to;
    size_t name;
    bool korean;
};

static bool finds_replaced(const struct ag_parse *p, size_t i, struct replaced *out)
{
    const char *word = ag_word(p, i);
    bool of = strcmp(word, "instead") == 0 &&
              (strcmp(ag_word(p, i + 1), "of") == 0 || strcmp(ag_word(p, i + 1), "of the") == 0);
    bool than = strcmp(word, "rather") == 0 && strcmp(ag_word(p, i + 1), "than") == 0;

    *out = (struct replaced){.from = i, .to = i + 1, .name = i, .korean = true};
    if (of || than) {
        out->korean = false;
        out->to = out->name = i + 2;
        while (ag_reads(p, out->name, AG_C_BY_BEFORE) || ag_reads(p, out->name, AG_C_PREPOSITION) ||
               ag_reads(p, out->name, AG_C_NOISE))
            out->name++;
        out->to = out->name;
        return true;
    }
    return strcmp(word, "대신") == 0 || strcmp(word, "말고") == 0;
}

static bool was_grouped_by(const struct ag_intent *previous, const struct ag_target *target)
{
    for (size_t k = 0; k < previous->group_count; k++) {
        if (previous->groups[k].field == target->field && ag_same_key(previous->groups[k].key, target->key))
            return true;
    }
    return false;
}

/* Does [from, to) of a target or a time stand where what is replaced does? */
static bool is_replaced(const struct ag_parse *p, const struct replaced *r, size_t from, size_t to)
{
    if (!r->korean)
        return from == r->name || (from >= r->from && from < r->name);
    return to == r->name || (to < r->name && ag_after(p, to - 1) == r->name) ||
           (to + 1 == r->name && ag_reads(p, to, AG_C_BY));
}

/* "error types instead of services", 서비스 대신 에러 타입으로 */
static bool replace_target(struct ag_parse *p, const struct replaced *r)
{
    for (size_t k = 0; k < p->target_count; k++) {
        struct ag_target old = p->targets[k];
        if (!is_replaced(p, r, old.from, old.to))
            continue;
        if (p->target_count != 2 || p->question->previous->group_count != 1 ||
            !was_grouped_by(p->question->previous, &old)) {
            ask_what_instead(p);
            return true;
        }
        ag_consume(p->tokens, r->korean ? old.from : r->from, r->korean ? r->to : old.to,
                   ag_concept_name(AG_C_FOLLOW));
        p->targets[0] = p->targets[1 - k];
        p->target_count = 1;
        return true;
    }
    return false;
}

/* "yesterday instead of today", 그제 말고 어제 */
static bool replace_time(struct ag_parse *p, const struct replaced *r)
{
    for (size_t k = 0; k < p->time_count; k++) {
        struct ag_time_found old = p->times[k];
        if (!is_replaced(p, r, old.from, old.to))
            continue;
        if (p->time_count != 2) {
            ask_what_instead(p);
            return true;
        }
        ag_consume(p->tokens, r->from, r->to, ag_concept_name(AG_C_FOLLOW));
        p->times[0] = p->times[1 - k];
        p->time_count = 1;
        return true;
    }
    return false;
}

bool ag_turns(const struct ag_parse *p, size_t i)
{
    static const char *const verbs[] = {"바꿔",   "바꾸", "변경해", "늘려", "늘리", "늘",   "넓혀",  "넓히",
                                        "확대해", "줄여", "줄이",   "줄",   "좁혀", "좁히", "축소해"};
    static const char *const objects[] = {"을", "를"};
    static const char to[] = "로";
    const char *before = i > 0 ? ag_word(p, i - 1) : "";
    size_t len = strlen(before);

    for (size_t k = 0; k < i; k++) {
        if (ag_says(p, k, objects, sizeof objects / sizeof *objects) || ag_reads(p, k, AG_C_LOG))
            return false;
    }
    return p->question->previous && ag_says(p, i, verbs, sizeof verbs / sizeof *verbs) &&
           len >= sizeof to - 1 && strcmp(before + len - (sizeof to - 1), to) == 0;
}

/* Does a name, a kind or a time end before token `to`? */
static bool ends_a_subject(const struct ag_parse *p, size_t to)
{
    bool ends = ag_mention_ending(p, to) != NULL || ag_reads(p, to - 1, AG_C_BY_TIME);

    for (size_t k = 0; k < p->target_count; k++)
        ends = ends || p->targets[k].to == to;
    for (size_t k = 0; k < p->time_count; k++)
        ends = ends || p->times[k].to == to;
    return ends;
}

/* 기간을 오늘로 바꿔줘, 같은 걸 loan-desk로 바꿔서 */
static void turn(struct ag_parse *p)
{
    for (size_t i = 1; i < p->tokens->count; i++) {
        size_t end = strcmp(ag_word(p, i + 1), "서") == 0 ? i + 2 : i + 1;
        if (p->tokens->items[i].rule || !ag_turns(p, i) ||
            !(ends_a_subject(p, i) || (i > 1 && ends_a_subject(p, i - 1))))
            continue;
        ag_consume(p->tokens, i, end, ag_concept_name(AG_C_FOLLOW));
        p->said[AG_C_FOLLOW] = i + 1;
    }
}

void ag_swap_rule(struct ag_parse *p)
{
    turn(p);
    for (size_t i = 0; p->question->previous && !p->stopped && i < p->tokens->count; i++) {
        struct replaced r;
        if (p->tokens->items[i].rule || !finds_replaced(p, i, &r))
            continue;
        if (replace_target(p, &r) || replace_time(p, &r))
            p->said[AG_C_FOLLOW] = i + 1;
    }
}
