/*
 * The shipper: its inputs, its producer, and when it is done.
 *
 * Without --follow it ends when every input was read and every record acknowledged; with it, when it is told
 * to stop.
 */
#ifndef LOGMILL_PRODUCER_SHIP_SHIP_H
#define LOGMILL_PRODUCER_SHIP_SHIP_H

#include "common/http/admin.h"
#include "common/metrics.h"
#include "common/service.h"
#include "producer/ship/config.h"

struct ship;

struct ship_options {
    struct lm_service *service;
    const struct sh_config *config;
    struct lm_metrics *metrics;
    const char *const *paths; /* files and globs; none, or "-": standard input */
    size_t path_count;
};

/* Opens everything and starts reading. On failure what was opened is closed by ship_stop as well: *out is set
 * unless memory was short. */
int ship_open(const struct ship_options *options, struct ship **out, struct lm_error *error) LM_MUST_CHECK;
/* Stops reading, lets what is on its way arrive, closes, and releases the service. `now`: waits for nothing.
 */
void ship_stop(struct ship *ship, bool now);
/* After the loop has ended: whether everything that was read has arrived. */
bool ship_complete(const struct ship *ship);
void ship_free(struct ship *ship);

#endif
