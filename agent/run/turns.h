/*
 * Whose turn it is. At most `places` questions are under way; the others wait in a bounded line. Every asker
 * (an API key, else an address) has a line of its own and they take turns, so one that asks a thousand things
 * at once waits for its own and the next question of another comes next. An asker never holds the last
 * quarter of the places, however slow its questions are. A full line drops the newest of whoever waits with
 * the most; who has waited too long is dropped as well. Loop thread.
 */
#ifndef LOGMILL_AGENT_RUN_TURNS_H
#define LOGMILL_AGENT_RUN_TURNS_H

#include "common/error.h"
#include "common/metrics.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct ag_turns;
struct ag_asker;

struct ag_turns_options {
    uv_loop_t *loop;
    unsigned places;
    unsigned max_waiting;
    const int64_t *max_wait_ms; /* read when needed: it may change */
    struct lm_metrics *metrics;
};

enum ag_turn_state { AG_TURN_NONE, AG_TURN_WAITING, AG_TURN_HELD };

/* One that wants a turn; memory of the caller's, zeroed but for the callbacks. */
struct ag_turn {
    struct ag_turn *next, *previous;
    struct ag_asker *asker;
    enum ag_turn_state state;
    int64_t since_us; /* monotonic */
    /* Later, never from inside ag_turn_ask; one of the two, once, unless ag_turn_end comes first. */
    void (*come)(void *context);    /* a place is held until ag_turn_end */
    void (*dropped)(void *context); /* there is no turn for it */
    void *context;
};

/* LM_FATAL without memory. */
int ag_turns_open(const struct ag_turns_options *options, struct ag_turns **out,
                  struct lm_error *error) LM_MUST_CHECK;
/* AG_TURN_HELD: it is its turn now. AG_TURN_WAITING: `come` or `dropped` is called. AG_TURN_NONE: the line is
 * full, and of its asker's. `asker` is copied. */
enum ag_turn_state ag_turn_ask(struct ag_turns *turns, struct ag_turn *turn, const char *asker);
/* Gives the place back, or leaves the line. Nothing happens for one that has neither. */
void ag_turn_end(struct ag_turns *turns, struct ag_turn *turn);
/* In how many seconds a turn may be had: what the last one waited, rounded up, at least 1. */
unsigned ag_turns_wait_s(const struct ag_turns *turns);
/* Nobody waits or holds any more. Calls `closed` once; freed by then. */
void ag_turns_close(struct ag_turns *turns, void (*closed)(void *context), void *context);

#endif
