/* A record that was decoded and is fit to be stored must come back the same from JSON and from Avro;
 * otherwise aborts. */
#ifndef LOGMILL_TESTS_FUZZ_ROUND_TRIP_H
#define LOGMILL_TESTS_FUZZ_ROUND_TRIP_H

#include "common/record/record.h"

/* Completes `record`; where that succeeds, the round trips are made. */
void fuzz_round_trip(struct lm_record *record, struct lm_arena *arena);

/* Aborts with the sentence unless `fine`. */
void fuzz_require(int fine, const char *sentence);

#endif
