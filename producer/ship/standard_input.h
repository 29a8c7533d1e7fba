/*
 * Standard input as an input: a pipe, a terminal or a file, read while Kafka has room. One stream with a
 * random id: what comes through a pipe cannot be read again.
 */
#ifndef LOGMILL_PRODUCER_SHIP_STANDARD_INPUT_H
#define LOGMILL_PRODUCER_SHIP_STANDARD_INPUT_H

#include "producer/ship/identity.h"
#include "producer/ship/input.h"

#include <uv.h>

struct sh_standard_input;

/* Begins to read; input that cannot be opened is logged and at its end, not an error. 0, or -1 without memory
 * (LM_FATAL). `output` must outlive it. */
int sh_standard_input_open(uv_loop_t *loop, struct sh_output *output, struct sh_standard_input **out,
                           struct lm_error *error) LM_MUST_CHECK;
/* Once a poll interval: sends what has waited long enough. */
void sh_standard_input_look(struct sh_standard_input *input, int64_t now_us);
void sh_standard_input_resume(struct sh_standard_input *input);
/* No more reading; what was read goes out, complete or not. */
void sh_standard_input_stop(struct sh_standard_input *input);
/* At its end, and nothing is on its way. */
bool sh_standard_input_done(const struct sh_standard_input *input);
/* Everything of it has arrived: to its end, or of a pipe that was stopped, to where it was read. */
bool sh_standard_input_complete(const struct sh_standard_input *input);
/* Closes its handle; `closed` is called on the loop, freed by then. The producer has closed before. */
void sh_standard_input_close(struct sh_standard_input *input, void (*closed)(void *context), void *context);

#endif
