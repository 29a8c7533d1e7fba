/*
 * Whether a request to the model may be made: a circuit breaker, a budget of tokens a day, and the cost so
 * far.
 *
 * The breaker opens after five failures of the server in a row, at once where the server names a time to wait
 * or does not accept the key, and stays so for 5 s, doubled at each further failure up to 5 min; then one
 * request tries, and its end decides. The budget counts what the server says a request took, else what its
 * bytes would be; a request sets aside the most it can take, so that requests under way together stay within
 * it. It begins anew at midnight UTC and with each start of the agent. Times are the caller's. Loop thread.
 */
#ifndef LOGMILL_AGENT_MODEL_GATE_H
#define LOGMILL_AGENT_MODEL_GATE_H

#include "common/error.h"
#include "common/metrics.h"

#include <stdint.h>

struct ag_gate;

struct ag_gate_options {
    int64_t daily_tokens; /* 0: any number */
    int64_t input_price;  /* hundredths of a unit of money for a million tokens */
    int64_t output_price; /* the same */
    struct lm_metrics *metrics;
};

struct ag_gate_time {
    int64_t mono_us;
    int64_t wall_us;
};

enum ag_gate_end {
    AG_GATE_GOOD,   /* the server answered, whatever it said */
    AG_GATE_FAILED, /* it did not, or badly */
    AG_GATE_CLOSED, /* it will not, for as long as it says, or until somebody changes something */
    AG_GATE_UNKNOWN /* nobody waited for it */
};

/* NULL without memory. */
struct ag_gate *ag_gate_new(const struct ag_gate_options *options);
void ag_gate_free(struct ag_gate *gate);
/* A request that takes `tokens` at most begins: 0, and it ends with ag_gate_leave. Else -1: LM_RETRY
 * "breaker" or "budget". */
int ag_gate_enter(struct ag_gate *gate, struct ag_gate_time now, int64_t tokens,
                  struct lm_error *error) LM_MUST_CHECK;
/* `tokens` as it entered; what it took; `wait_us` the server named, or 0. */
void ag_gate_leave(struct ag_gate *gate, struct ag_gate_time now, int64_t tokens, int64_t input,
                   int64_t output, enum ag_gate_end end, int64_t wait_us);

#endif
