#include "consumer/retry.h"

#include <string.h>

static bool is_state(const struct lm_error *error, const char *sqlstate)
{
    return strcmp(error->sqlstate, sqlstate) == 0;
}

static bool is_class(const struct lm_error *error, const char *class)
{
    return strncmp(error->sqlstate, class, 2) == 0;
}

enum co_remedy co_retry_decide(const struct lm_error *error, long long line, bool closing)
{
    if (strcmp(error->kind, "connection_lost") == 0)
        return closing ? CO_REMEDY_READ_BACK : CO_REMEDY_WAIT;
    if (is_state(error, "LM001"))
        return CO_REMEDY_START_OVER;
    if (strcmp(error->kind, "no_partition") == 0)
        return CO_REMEDY_LEAF;
    if (closing) {
        /* A replayed record was stored by another batch after we had looked: decide anew. */
        if (is_state(error, "23505"))
            return CO_REMEDY_START_OVER;
        if (is_state(error, "55P03"))
            return CO_REMEDY_END_HOLDER;
    }
    if (error->decision == LM_DEAD_LETTER && line > 0)
        return CO_REMEDY_TAKE_ROW;
    if (is_class(error, "22"))
        return CO_REMEDY_SEARCH;
    if (is_state(error, "25006"))
        return CO_REMEDY_RECONNECT;
    return CO_REMEDY_WAIT;
}

const char *co_remedy_name(enum co_remedy remedy)
{
    static const char *const names[] = {"wait", "read_back",  "take_row",   "search",
                                        "leaf", "end_holder", "start_over", "reconnect"};
    return names[remedy];
}
