/*
 * The end of a test's loop. A test that failed has left its handles open: waiting for them without a bound
 * would hide what it said behind a time-out.
 */
#ifndef LOGMILL_TESTS_LOOP_END_H
#define LOGMILL_TESTS_LOOP_END_H

#include <uv.h>

/* Runs the loop until nothing is left on it, ten seconds at most, and closes it: 0, or UV_EBUSY with what is
 * left named on standard error; its memory must stay then. */
int loop_end(uv_loop_t *loop);

#endif
