/*
 * logmill-ctl fold: folds all closed hours, and the days of --zone, that have no current fold, a portion at a
 * time and newest first. The consumers do the same for the last weeks by themselves; this is for the rest,
 * and for another zone. May be run at any time and stopped at any time.
 */
#include "ctl/command.h"
#include "ctl/database.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

/* For a first run, which marks where transactions stand, and for a consumer that is at it: tries a second
 * apart. */
#define WAITS_MAX 10
static const char portion[] =
    "SELECT hours, days, more FROM logmill.fold($1, interval '1000 years', interval '2 s')";

struct total {
    int64_t hours, days;
};

/* 1: there is more to do, 0: done, 2: to be tried again after a while, -1: failed. */
static int fold_portion(const struct ct_context *context, PGconn *connection, struct total *total,
                        struct lm_error *error)
{
    const char *const values[] = {context->config->zone};
    PGresult *row = ct_database_query_with(connection, portion, 1, values, error);

    if (row == NULL)
        return -1;
    const bool later = PQgetisnull(row, 0, 2) != 0;
    const bool more = PQgetvalue(row, 0, 2)[0] == 't';
    total->hours += strtoll(PQgetvalue(row, 0, 0), NULL, 10);
    total->days += strtoll(PQgetvalue(row, 0, 1), NULL, 10);
    PQclear(row);
    return later ? 2 : more;
}

static enum ct_exit run(const struct ct_context *context)
{
    static const struct timespec second = {.tv_sec = 1};
    struct total total = {0, 0};
    struct lm_error error;
    lm_error_clear(&error);
    int state = -1, waits = 0;
    PGconn *connection = ct_database_open(context->config->postgres_url, context->errors, &error);

    if (connection != NULL) {
        while ((state = fold_portion(context, connection, &total, &error)) > 0) {
            if (state == 1) {
                waits = 0;
                fprintf(context->out, "%" PRId64 " hours and %" PRId64 " days folded so far\n", total.hours,
                        total.days);
            } else if (++waits > WAITS_MAX) {
                break;
            } else {
                nanosleep(&second, NULL);
            }
        }
        PQfinish(connection);
    }
    if (state < 0)
        fprintf(context->errors, "logmill-ctl fold: %s\n", error.text);
    else if (state > 0)
        fprintf(context->errors,
                "logmill-ctl fold: another is folding, or a transaction is open since long; try later\n");
    else
        fprintf(context->out, "%" PRId64 " hours and %" PRId64 " days of %s folded; nothing is left to do\n",
                total.hours, total.days, context->config->zone);
    return state == 0 ? CT_DONE : CT_FAILED;
}

const struct ct_command ct_fold_command = {
    .name = "fold",
    .arguments = "",
    .summary = "folds closed hours and the days of --zone out of the minutes",
    .run = run,
};
