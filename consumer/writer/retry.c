#include "consumer/writer/retry.h"

#include <stdio.h>
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

/* By the beginning of the SQLSTATE; the first match counts. */
static const struct {
    const char *prefix, *advice;
} advices[] = {
    {"28", "mend the user or password in postgres_url, the role, or pg_hba.conf"},
    {"3D000", "make the database and run logmill-ctl migrate, or mend its name in postgres_url"},
    {"42501", "grant it to the consumer's role again; sql/0007_access.sql has all that it needs"},
    {"3F",
     "the schema is older than this program or was changed: run logmill-ctl migrate, or undo the change"},
    {"42",
     "the schema is older than this program or was changed: run logmill-ctl migrate, or undo the change"},
    {"08P01", "a column has another type than this program writes: undo the change"},
    {"53100", "make room on PostgreSQL's disk"},
    {"53300", "let PostgreSQL take more connections (max_connections, the role's CONNECTION LIMIT)"},
    {"25006", "end the server's read-only mode, or name the new primary among the hosts of postgres_url"},
    {"LM002", "wait a minute, or raise on_demand_per_minute in logmill.leaf_period"},
    {"P0001", "a trigger or function raises this: mend it"},
};

static const char *advice_on(const struct lm_error *error)
{
    for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++) {
        if (strncmp(error->sqlstate, advices[i].prefix, strlen(advices[i].prefix)) == 0)
            return advices[i].advice;
    }
    return NULL;
}

/* The longest beginning of whole characters. */
static int cut(const char *text, size_t max)
{
    size_t len = strnlen(text, max + 1);
    if (len <= max)
        return (int)len;
    while (max > 0 && ((unsigned char)text[max] & 0xC0) == 0x80)
        max--;
    return (int)max;
}

void co_retry_explain(const struct lm_error *error, bool everything, char *out, size_t size)
{
    const char *advice =
        everything
            ? "every row that was tried is refused, so the table is at fault and not the records: undo "
              "the constraint, trigger or type that was changed"
            : advice_on(error);
    size_t room = advice != NULL ? strlen(advice) + 3 : 1;

    if (room >= size)
        (void)snprintf(out, size, "%.*s", cut(error->text, size - 1), error->text);
    else
        (void)snprintf(out, size, "%.*s%s%s", cut(error->text, size - room), error->text,
                       advice != NULL ? "; " : "", advice != NULL ? advice : "");
}
