/*
 * Where something went wrong and who it happened to, without a field named: 오늘 에러 어디서 났어, "who
 * failed to log in", "did anyone get an error". Told by the services, or the users, that have such records.
 */
#include "agent/understand/decision.h"

#include <string.h>

/* 누가 어디서: two questions at once. */
static bool asks_for_two(const struct decision *d)
{
    const char *asked = ag_heard(d, AG_C_WHICH) ? ag_heard_value(d, AG_C_WHICH) : "";

    for (size_t i = 0; i < d->p->tokens->count; i++) {
        const char *value = ag_reads_value(d->p, i, AG_C_WHICH);
        if (value && *value && strcmp(value, asked) != 0)
            return true;
    }
    return false;
}

/* 어디서 and "where" are of a service, 누가 and "who" of a user. "Whose" says more of what stands before. */
static enum ag_field field_asked_for(const struct decision *d)
{
    const char *first = ag_word(d->p, 0);

    if (asks_for_two(d))
        return AG_NO_FIELD;
    if (strcmp(first, "who") == 0 || strncmp(first, "who ", 4) == 0)
        return AG_USER_ID;
    if (!ag_heard(d, AG_C_WHICH) || strcmp(ag_word(d->p, d->p->said[AG_C_WHICH] - 1), "whose") == 0)
        return AG_NO_FIELD;
    return ag_field_named(ag_heard_value(d, AG_C_WHICH));
}

/* "who had errors, payment or order": which of the two is asked for. */
static bool names_several(const struct ag_intent *in)
{
    for (size_t i = 0; i < in->filter_count; i++) {
        const struct ag_filter *f = &in->filters[i];
        if ((f->field == AG_SERVICE || f->field == AG_HOST) && f->value_count > 1)
            return true;
    }
    return false;
}

/* 오늘 에러 어디서 났어, "who had errors today": what went wrong, by where it did or who had it. The field,
 * or AG_NO_FIELD. */
enum ag_field ag_asks_where(const struct decision *d)
{
    static const enum ag_concept others[] = {AG_C_COUNT,  AG_C_LOG,   AG_C_LIST, AG_C_NEWEST,
                                             AG_C_OLDEST, AG_C_FIRST, AG_C_WHY,  AG_C_COMPARE};
    const struct ag_intent *in = d->intent;
    enum ag_field field = field_asked_for(d);
    bool wrong = ag_has_field(in, AG_LEVEL) || ag_has_field(in, AG_ERROR_TYPE) ||
                 ag_has_field(in, AG_STATUS_CLASS) || ag_has_field(in, AG_HTTP_STATUS) ||
                 (field == AG_USER_ID && ag_has_field(in, AG_EVENT_TYPE) && !ag_heard(d, AG_C_EVENT_ANCHOR));

    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (ag_heard(d, others[i]))
            return AG_NO_FIELD;
    }
    return wrong && in->shape == AG_PLAIN && in->group_count == 0 && d->p->found.limit == 0 &&
                   d->p->found.bucket_us == 0 &&
                   ((field == AG_USER_ID && !names_several(in)) ||
                    (!ag_has_field(in, AG_SERVICE) && !ag_has_field(in, AG_HOST))) &&
                   !ag_has_field(in, AG_USER_ID) && !ag_has_field(in, AG_TRACE_ID) &&
                   !ag_has_field(in, AG_SESSION_ID) && d->p->target_count == 0
               ? field
               : AG_NO_FIELD;
}
