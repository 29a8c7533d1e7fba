/*
 * Askers are there only while they wait or hold: their number is bounded by that of the turns, and they are
 * looked for one by one. The list of askers is the order of the round: who was served goes to its end.
 */
#include "agent/run/turns.h"

#include "common/clock.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_MS 250
#define LONGEST_RETRY_S 60

struct ag_asker {
    struct ag_asker *next, *previous;
    struct ag_turn *first, *last;
    unsigned waiting, held;
    char name[];
};

struct ag_turns {
    struct ag_turns_options options;
    struct ag_asker *first, *last;
    unsigned waiting, held;
    unsigned share; /* places of one asker, at most */
    int64_t waited_us;
    uv_timer_t timer;  /* hands places out, from the loop and not from inside the end of another */
    uv_timer_t looker; /* for those who have waited too long */
    unsigned open_handles;
    void (*closed)(void *context);
    void *closed_context;
    struct lm_gauge *held_gauge, *waiting_gauge;
};

static void measure(struct ag_turns *turns)
{
    lm_gauge_set(turns->held_gauge, turns->held);
    lm_gauge_set(turns->waiting_gauge, turns->waiting);
}

/* ---- askers ---- */

static void link_last(struct ag_turns *turns, struct ag_asker *asker)
{
    asker->next = NULL;
    asker->previous = turns->last;
    *(turns->last != NULL ? &turns->last->next : &turns->first) = asker;
    turns->last = asker;
}

static void unlink_asker(struct ag_turns *turns, struct ag_asker *asker)
{
    *(asker->previous != NULL ? &asker->previous->next : &turns->first) = asker->next;
    *(asker->next != NULL ? &asker->next->previous : &turns->last) = asker->previous;
}

static struct ag_asker *find_asker(struct ag_turns *turns, const char *name)
{
    for (struct ag_asker *asker = turns->first; asker != NULL; asker = asker->next) {
        if (strcmp(asker->name, name) == 0) {
            return asker;
        }
    }
    const size_t size = strlen(name) + 1;
    struct ag_asker *asker = calloc(1, sizeof(*asker) + size);
    if (asker != NULL) {
        memcpy(asker->name, name, size);
        link_last(turns, asker);
    }
    return asker;
}

static void forget_idle(struct ag_turns *turns, struct ag_asker *asker)
{
    if (asker->waiting == 0 && asker->held == 0) {
        unlink_asker(turns, asker);
        free(asker);
    }
}

/* ---- the line ---- */

static void wait_in_line(struct ag_turns *turns, struct ag_turn *turn)
{
    struct ag_asker *asker = turn->asker;
    turn->state = AG_TURN_WAITING;
    turn->next = NULL;
    turn->previous = asker->last;
    *(asker->last != NULL ? &asker->last->next : &asker->first) = turn;
    asker->last = turn;
    asker->waiting++;
    turns->waiting++;
}

static void leave_line(struct ag_turns *turns, struct ag_turn *turn)
{
    struct ag_asker *asker = turn->asker;
    *(turn->previous != NULL ? &turn->previous->next : &asker->first) = turn->next;
    *(turn->next != NULL ? &turn->next->previous : &asker->last) = turn->previous;
    turn->next = turn->previous = NULL;
    turn->state = AG_TURN_NONE;
    asker->waiting--;
    turns->waiting--;
}

static void drop(struct ag_turns *turns, struct ag_turn *turn)
{
    struct ag_asker *asker = turn->asker;
    leave_line(turns, turn);
    turn->asker = NULL;
    forget_idle(turns, asker);
    measure(turns);
    turn->dropped(turn->context);
}

static bool may_hold(const struct ag_turns *turns, const struct ag_asker *asker)
{
    return turns->held < turns->options.places && asker->held < turns->share;
}

static void hold(struct ag_turns *turns, struct ag_turn *turn)
{
    turn->state = AG_TURN_HELD;
    turn->asker->held++;
    turns->held++;
    turns->waited_us = lm_clock_mono_us() - turn->since_us;
}

static struct ag_asker *longest(const struct ag_turns *turns)
{
    struct ag_asker *most = turns->first;
    for (struct ag_asker *asker = turns->first; asker != NULL; asker = asker->next) {
        most = asker->waiting > most->waiting ? asker : most;
    }
    return most;
}

static void on_hand_out(uv_timer_t *timer)
{
    struct ag_turns *turns = timer->data;
    struct ag_asker *asker = turns->first;
    while (asker != NULL) {
        if (asker->first == NULL || !may_hold(turns, asker)) {
            asker = asker->next;
            continue;
        }
        struct ag_turn *turn = asker->first;
        leave_line(turns, turn);
        hold(turns, turn);
        unlink_asker(turns, asker);
        link_last(turns, asker);
        measure(turns);
        turn->come(turn->context);
        asker = turns->first; /* whatever came of it */
    }
}

static void on_look(uv_timer_t *timer)
{
    struct ag_turns *turns = timer->data;
    const int64_t latest_us = lm_clock_mono_us() - *turns->options.max_wait_ms * 1000;
    struct ag_asker *asker = turns->first;
    while (asker != NULL) {
        if (asker->first != NULL && asker->first->since_us < latest_us) {
            turns->waited_us = *turns->options.max_wait_ms * 1000;
            drop(turns, asker->first);
            asker = turns->first;
        } else {
            asker = asker->next;
        }
    }
    if (turns->waiting == 0) {
        uv_timer_stop(timer);
    }
}

enum ag_turn_state ag_turn_ask(struct ag_turns *turns, struct ag_turn *turn, const char *name)
{
    struct ag_asker *asker = find_asker(turns, name);
    if (asker == NULL) {
        return AG_TURN_NONE;
    }
    turn->asker = asker;
    turn->since_us = lm_clock_mono_us();
    /* While places are being handed out, those who wait come first. */
    if (may_hold(turns, asker) && asker->first == NULL && !uv_is_active((uv_handle_t *)&turns->timer)) {
        hold(turns, turn);
        measure(turns);
        return AG_TURN_HELD;
    }
    if (turns->waiting >= turns->options.max_waiting) {
        struct ag_asker *most = longest(turns);
        if (most->waiting <= asker->waiting + 1) {
            turn->asker = NULL;
            forget_idle(turns, asker);
            return AG_TURN_NONE;
        }
        wait_in_line(turns, turn);
        drop(turns, most->last);
    } else {
        wait_in_line(turns, turn);
    }
    if (!uv_is_active((uv_handle_t *)&turns->looker)) {
        uv_timer_start(&turns->looker, on_look, LOOK_MS, LOOK_MS);
    }
    measure(turns);
    return AG_TURN_WAITING;
}

void ag_turn_end(struct ag_turns *turns, struct ag_turn *turn)
{
    struct ag_asker *asker = turn->asker;
    if (turn->state == AG_TURN_NONE) {
        return;
    }
    if (turn->state == AG_TURN_WAITING) {
        leave_line(turns, turn);
    } else {
        turn->state = AG_TURN_NONE;
        asker->held--;
        turns->held--;
        if (turns->waiting > 0) {
            uv_timer_start(&turns->timer, on_hand_out, 0, 0);
        }
    }
    turn->asker = NULL;
    forget_idle(turns, asker);
    measure(turns);
}

unsigned ag_turns_wait_s(const struct ag_turns *turns)
{
    const int64_t seconds = turns->waited_us / LM_SECOND_US + 1;
    return seconds < LONGEST_RETRY_S ? (unsigned)seconds : LONGEST_RETRY_S;
}

/* ---- opening and closing ---- */

int ag_turns_open(const struct ag_turns_options *options, struct ag_turns **out, struct lm_error *error)
{
    struct ag_turns *turns = calloc(1, sizeof(*turns));
    if (turns == NULL) {
        return lm_error_set(error, LM_FATAL, "memory", "out of memory for the line of questions");
    }
    turns->options = *options;
    turns->share = options->places - options->places / 4;
    turns->held_gauge = lm_gauge(options->metrics, "logmill_agent_in_flight", NULL, "Questions under way.");
    turns->waiting_gauge =
        lm_gauge(options->metrics, "logmill_agent_waiting", NULL, "Questions that wait for their turn.");
    (void)uv_timer_init(options->loop, &turns->timer);
    (void)uv_timer_init(options->loop, &turns->looker);
    turns->timer.data = turns;
    turns->looker.data = turns;
    *out = turns;
    return 0;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct ag_turns *turns = handle->data;
    if (--turns->open_handles == 0) {
        void (*closed)(void *) = turns->closed;
        void *context = turns->closed_context;
        free(turns);
        closed(context);
    }
}

void ag_turns_close(struct ag_turns *turns, void (*closed)(void *context), void *context)
{
    turns->closed = closed;
    turns->closed_context = context;
    turns->open_handles = 2;
    uv_close((uv_handle_t *)&turns->timer, on_handle_closed);
    uv_close((uv_handle_t *)&turns->looker, on_handle_closed);
}
