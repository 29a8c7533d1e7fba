/*
 * Words with a form of their own: numbers, dates, clocks, addresses, paths, identifiers, quoted text. Each
 * scanner is asked at one place of the matching text and says how far it would read.
 */
#ifndef LOGMILL_AGENT_UNDERSTAND_SCAN_H
#define LOGMILL_AGENT_UNDERSTAND_SCAN_H

#include "agent/understand/tokens.h"

#include <stdbool.h>
#include <stddef.h>

struct ag_scan {
    enum ag_concept concept;
    size_t len;
    unsigned cost;
    double number;
    struct ag_written_time time;
    const char *value; /* for the reading; "" mostly */
};

#define AG_MAX_SCANS 8

/* May a word start at `at`, may one end there? */
bool ag_scan_starts(const struct ag_text *text, size_t at);
bool ag_scan_ends(const struct ag_text *text, size_t at);

/* Every way to read the text from `at` by form; how many. `arena` holds values. */
size_t ag_scan(const struct ag_text *text, size_t at, struct lm_arena *arena,
               struct ag_scan out[AG_MAX_SCANS]);

#endif
