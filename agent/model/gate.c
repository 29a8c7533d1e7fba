#include "agent/model/gate.h"

#include "common/clock.h"
#include "common/log.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>

#define FAILURES 5
#define SHORTEST_US (5 * LM_SECOND_US)
#define LONGEST_US (5 * LM_MINUTE_US)

enum breaker { BREAKER_CLOSED, BREAKER_TRYING, BREAKER_OPEN };

static const char *const breaker_names[] = {"closed", "trying", "open"};

struct ag_gate {
    struct ag_gate_options options;
    enum breaker breaker;
    unsigned failures; /* in a row */
    int64_t rest_us;   /* of the breaker, the last time */
    int64_t until_us;  /* open until then, monotonic */
    int64_t day;       /* since 1970, of the counts below */
    int64_t used;
    int64_t reserved;
    int64_t cost; /* hundredths of a millionth of a unit of money that were not counted yet */
    struct lm_counter *input_tokens;
    struct lm_counter *output_tokens;
    struct lm_counter *micros;
    struct lm_gauge *open;
    struct lm_gauge *left;
};

static void change_state(struct ag_gate *gate, enum breaker to)
{
    if (gate->breaker != to) {
        lm_log(to == BREAKER_OPEN ? LM_LOG_WARN : LM_LOG_INFO, "model", "circuit breaker: %s -> %s",
               breaker_names[gate->breaker], breaker_names[to]);
    }
    gate->breaker = to;
    lm_gauge_set(gate->open, to == BREAKER_OPEN ? 1 : 0);
}

struct ag_gate *ag_gate_new(const struct ag_gate_options *options)
{
    struct ag_gate *gate = calloc(1, sizeof(*gate));
    if (gate == NULL) {
        return NULL;
    }
    gate->options = *options;
    gate->input_tokens =
        lm_counter(options->metrics, "logmill_agent_model_tokens_total", "direction=\"input\"",
                   "Tokens of the model, as its server counts them, or estimated where it does not.");
    gate->output_tokens =
        lm_counter(options->metrics, "logmill_agent_model_tokens_total", "direction=\"output\"", "");
    gate->micros = lm_counter(
        options->metrics, "logmill_agent_model_cost_micros_total", NULL,
        "What the tokens cost, in millionths of the unit of llm.input_price and llm.output_price.");
    gate->open = lm_gauge(options->metrics, "logmill_agent_model_breaker_open", NULL,
                          "1 while no request is made because the model's server fails.");
    gate->left =
        lm_gauge(options->metrics, "logmill_agent_model_tokens_left", NULL,
                 "Tokens of llm.daily_tokens left today; not shown to change where there is no such bound.");
    lm_gauge_set(gate->left, (double)options->daily_tokens);
    return gate;
}

void ag_gate_free(struct ag_gate *gate)
{
    free(gate);
}

static void turn_day(struct ag_gate *gate, int64_t wall_us)
{
    const int64_t day = wall_us / LM_DAY_US;
    if (day != gate->day) {
        gate->day = day;
        gate->used = 0;
        lm_gauge_set(gate->left, (double)gate->options.daily_tokens);
    }
}

int ag_gate_enter(struct ag_gate *gate, struct ag_gate_time now, int64_t tokens, struct lm_error *error)
{
    const int64_t most = gate->options.daily_tokens;
    turn_day(gate, now.wall_us);
    if (most > 0 && gate->used + gate->reserved + tokens > most) {
        return lm_error_set(error, LM_RETRY, "budget", "today's %" PRId64 " tokens for the model are used up",
                            most);
    }
    if (gate->breaker == BREAKER_TRYING || (gate->breaker == BREAKER_OPEN && now.mono_us < gate->until_us)) {
        return lm_error_set(error, LM_RETRY, "breaker",
                            "the model's server fails and is left alone for a while");
    }
    if (gate->breaker == BREAKER_OPEN) {
        change_state(gate, BREAKER_TRYING);
    }
    gate->reserved += tokens;
    return 0;
}

static void count(struct ag_gate *gate, int64_t input, int64_t output)
{
    const struct ag_gate_options *options = &gate->options;
    lm_counter_add(gate->input_tokens, (uint64_t)input);
    lm_counter_add(gate->output_tokens, (uint64_t)output);
    gate->used += input + output;
    gate->cost += input * options->input_price + output * options->output_price;
    lm_counter_add(gate->micros, (uint64_t)(gate->cost / 100));
    gate->cost %= 100;
    if (options->daily_tokens > 0) {
        lm_gauge_set(gate->left,
                     gate->used < options->daily_tokens ? (double)(options->daily_tokens - gate->used) : 0);
    }
}

static void open_breaker(struct ag_gate *gate, int64_t mono_us, int64_t wait_us)
{
    gate->rest_us = gate->rest_us == 0 ? SHORTEST_US : gate->rest_us * 2;
    gate->rest_us = gate->rest_us > LONGEST_US ? LONGEST_US : gate->rest_us;
    const int64_t rest_us = wait_us > 0 ? wait_us : gate->rest_us;
    gate->until_us = mono_us + (rest_us > LM_DAY_US ? LM_DAY_US : rest_us);
    change_state(gate, BREAKER_OPEN);
}

void ag_gate_leave(struct ag_gate *gate, struct ag_gate_time now, int64_t tokens, int64_t input,
                   int64_t output, enum ag_gate_end end, int64_t wait_us)
{
    turn_day(gate, now.wall_us);
    gate->reserved -= tokens;
    count(gate, input, output);
    switch (end) {
    case AG_GATE_GOOD:
        gate->failures = 0;
        gate->rest_us = 0;
        if (gate->breaker == BREAKER_TRYING) {
            change_state(gate, BREAKER_CLOSED);
        }
        break;
    case AG_GATE_FAILED:
    case AG_GATE_CLOSED:
        gate->failures++;
        if (gate->breaker == BREAKER_TRYING ||
            (gate->breaker == BREAKER_CLOSED && (end == AG_GATE_CLOSED || gate->failures >= FAILURES))) {
            open_breaker(gate, now.mono_us, wait_us);
        }
        break;
    case AG_GATE_UNKNOWN:
        if (gate->breaker == BREAKER_TRYING) {
            gate->until_us = now.mono_us; /* the next one tries */
            change_state(gate, BREAKER_OPEN);
        }
        break;
    }
}
