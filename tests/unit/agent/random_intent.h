/*
 * Random intents for the tests of the SQL writer, as lines of intent_spec or as they could come from a
 * hostile caller.
 */
#ifndef LOGMILL_TESTS_AGENT_RANDOM_INTENT_H
#define LOGMILL_TESTS_AGENT_RANDOM_INTENT_H

#include "agent/intent.h"

#include <stdint.h>

/* Room for a line. */
#define MAX_SPEC 1024

void random_seed(uint64_t value);
/* 0 to below - 1. */
unsigned random_draw(unsigned below);
/* A sensible question. */
void random_spec(char *spec);
/* Two things asked for at once. */
void random_parts(char *spec);
/* Appends a clause. */
void random_add(char *spec, const char *clause);
/* Appends "in" or "against" and a window of up to six days before SPEC_NOW. */
void random_window(char *spec, const char *word);
/* A clause that log_rollup_minute can answer. */
const char *random_coarse_filter(void);
const char *random_coarse_group(void);
/* Any field, operator, value, measure and shape together, as a hostile `previous` could ask. */
void random_wild_intent(struct ag_intent *intent);

#endif
