/*
 * From mentions to the filters of an intent: values of one field are collected, contradictions are not
 * understood.
 */
#include "agent/understand/decision.h"

#include <string.h>

static enum ag_op opposite(enum ag_op op)
{
    switch (op) {
    case AG_IN:
        return AG_NOT_IN;
    case AG_CONTAINS:
        return AG_NOT_CONTAINS;
    case AG_NOT_CONTAINS:
        return AG_CONTAINS;
    case AG_PREFIX:
        return AG_NOT_PREFIX;
    case AG_AT_LEAST:
        return AG_BELOW;
    case AG_AT_MOST:
        return AG_ABOVE;
    case AG_ABOVE:
        return AG_AT_MOST;
    case AG_BELOW:
        return AG_AT_LEAST;
    default:
        return op;
    }
}

bool ag_same_key(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static struct ag_filter *filter_of(struct ag_intent *intent, enum ag_field field, const char *key,
                                   enum ag_op op)
{
    for (size_t i = 0; i < intent->filter_count; i++) {
        struct ag_filter *f = &intent->filters[i];
        if (f->field == field && f->op == op && ag_same_key(f->key, key))
            return f;
    }
    return NULL;
}

static void add_value(struct ag_filter *f, const char *value)
{
    for (size_t i = 0; i < f->value_count; i++) {
        if (strcmp(f->values[i], value) == 0)
            return;
    }
    if (f->value_count < AG_MAX_VALUES)
        f->values[f->value_count++] = value;
}

void ag_filter_add(struct ag_parse *p, enum ag_field field, const char *key, enum ag_op op, const char *value)
{
    struct ag_intent *intent = p->intent;
    bool collects = op == AG_IN || op == AG_NOT_IN;
    struct ag_filter *f = collects ? filter_of(intent, field, key, op) : NULL;

    if (!f) {
        if (intent->filter_count == AG_MAX_FILTERS) {
            ag_stop(p, AG_NOT_UNDERSTOOD,
                    ag_say(p, "조건이 너무 많습니다.", "There are too many conditions."), NULL);
            return;
        }
        f = &intent->filters[intent->filter_count++];
        *f = (struct ag_filter){.field = field, .key = key, .op = op};
    }
    if (value)
        add_value(f, value);
}

bool ag_said_as_one(const struct ag_parse *p, enum ag_field field)
{
    const struct ag_mention *first = NULL;

    for (size_t k = 0; k < p->mention_count; k++) {
        const struct ag_mention *m = &p->mentions[k];
        if (m->field != field || m->negated)
            continue;
        if (first && first->from != m->from)
            return false;
        first = first ? first : m;
    }
    return first != NULL;
}

void ag_filter_remove(struct ag_intent *intent, size_t i)
{
    memmove(&intent->filters[i], &intent->filters[i + 1],
            (intent->filter_count - i - 1) * sizeof *intent->filters);
    intent->filter_count--;
}

static bool holds(const struct ag_filter *f, const char *value)
{
    for (size_t i = 0; i < f->value_count; i++) {
        if (strcmp(f->values[i], value) == 0)
            return true;
    }
    return false;
}

/* "not staging, production": naming what is wanted says all; what is both wanted and not is a contradiction.
 */
static void reconcile(struct ag_parse *p)
{
    struct ag_intent *intent = p->intent;

    for (size_t i = 0; i < intent->filter_count; i++) {
        struct ag_filter *wanted = filter_of(intent, intent->filters[i].field, intent->filters[i].key, AG_IN);
        if (intent->filters[i].op != AG_NOT_IN || !wanted)
            continue;
        for (size_t k = 0; k < intent->filters[i].value_count; k++) {
            if (!holds(wanted, intent->filters[i].values[k]))
                continue;
            ag_stop(p, AG_NOT_UNDERSTOOD,
                    ag_say(p, "같은 것을 포함하면서 제외하는 조건입니다.",
                           "The same thing is both wanted and excluded."),
                    NULL);
            return;
        }
        p->negation_dropped = true;
        ag_filter_remove(intent, i--);
    }
    /* "with status 500 or without a status": nothing is both. */
    for (size_t i = 0; i < intent->filter_count; i++) {
        const struct ag_filter *f = &intent->filters[i];
        if (f->op == AG_IS_NULL && filter_of(intent, f->field, f->key, AG_IN))
            ag_stop(p, AG_NOT_UNDERSTOOD,
                    ag_say(p, "값이 있으면서 없는 기록은 없습니다.", "No record both has that and lacks it."),
                    ag_say(p, "하나씩 물어봐 주세요.", "Ask for one at a time."));
    }
    /* Two conditions on statuses would have to hold at once; "or" between them was meant. */
    if (filter_of(intent, AG_HTTP_STATUS, NULL, AG_IN) && filter_of(intent, AG_STATUS_CLASS, NULL, AG_IN))
        ag_stop(p, AG_NOT_UNDERSTOOD,
                ag_say(p, "상태 코드와 상태 클래스를 함께 쓸 수 없습니다.",
                       "A status and a class of statuses cannot be combined."),
                NULL);
}

/* Texts joined by "or" are values of one condition; others must all hold. */
static bool is_alternative(const struct ag_parse *p, const struct ag_mention *before,
                           const struct ag_mention *m)
{
    if (before->field != AG_MESSAGE || m->field != AG_MESSAGE || before->op != m->op ||
        before->negated != m->negated || !m->value)
        return false;
    for (size_t i = before->to; i < m->from; i++) {
        if (ag_reads(p, i, AG_C_OR))
            return p->intent->filter_count > 0;
    }
    return false;
}

/* "calls from payment to order": which of the two wrote the record is not said. */
static void from_one_to_another(struct ag_parse *p)
{
    for (size_t i = 0; i + 1 < p->mention_count; i++) {
        const struct ag_mention *a = &p->mentions[i];
        const struct ag_mention *b = &p->mentions[i + 1];
        if (a->field == b->field && a->from > 0 && strcmp(ag_word(p, a->from - 1), "from") == 0 &&
            b->from == a->to + 1 && strcmp(ag_word(p, a->to), "to") == 0)
            ag_stop(p, AG_NOT_UNDERSTOOD, "What goes from one to another cannot be told from the records.",
                    NULL);
    }
}

void ag_filters_from_mentions(struct ag_parse *p)
{
    from_one_to_another(p);
    for (size_t i = 0; i < p->mention_count; i++) {
        const struct ag_mention *m = &p->mentions[i];
        if (m->of_part || i + 1 == p->than_name)
            continue;
        if (i > 0 && is_alternative(p, &p->mentions[i - 1], m))
            add_value(&p->intent->filters[p->intent->filter_count - 1], m->value);
        else
            ag_filter_add(p, m->field, m->key, m->negated ? opposite(m->op) : m->op, m->value);
    }
    reconcile(p);
}

bool ag_is_error_filter(const struct ag_filter *f)
{
    return f->field == AG_LEVEL && f->op == AG_IN && f->value_count == 2 && holds(f, "ERROR") &&
           holds(f, "FATAL");
}

bool ag_has_error_filter(const struct ag_intent *intent)
{
    for (size_t i = 0; i < intent->filter_count; i++) {
        if (ag_is_error_filter(&intent->filters[i]))
            return true;
    }
    return false;
}

void ag_drop_error_filter(struct ag_intent *intent)
{
    for (size_t i = 0; i < intent->filter_count; i++) {
        if (ag_is_error_filter(&intent->filters[i]))
            ag_filter_remove(intent, i--);
    }
}

void ag_add_errors(struct ag_parse *p)
{
    ag_filter_add(p, AG_LEVEL, NULL, AG_IN, "ERROR");
    ag_filter_add(p, AG_LEVEL, NULL, AG_IN, "FATAL");
}

bool ag_has_field(const struct ag_intent *intent, enum ag_field field)
{
    for (size_t i = 0; i < intent->filter_count; i++) {
        if (intent->filters[i].field == field)
            return true;
    }
    return false;
}

/* Records that are requests, unless another condition says so already. */
void ag_add_requests(struct decision *d)
{
    static const enum ag_field implied[] = {AG_REQUEST, AG_ENDPOINT, AG_HTTP_STATUS, AG_STATUS_CLASS,
                                            AG_METHOD};

    for (size_t i = 0; i < sizeof implied / sizeof *implied; i++) {
        for (size_t k = 0; k < d->intent->filter_count; k++) {
            const struct ag_filter *f = &d->intent->filters[k];
            if (f->field == implied[i] && f->op != AG_NOT_IN && f->op != AG_NOT_PREFIX && f->op != AG_IS_NULL)
                return;
        }
    }
    ag_filter_add(d->p, AG_REQUEST, NULL, AG_NOT_NULL, NULL);
    ag_assume(d->p, "requests", "엔드포인트나 상태 코드가 있는 기록을 요청으로 보았습니다.",
              "Requests are records with an endpoint or a status.");
}
