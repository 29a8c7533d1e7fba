/*
 * Patterns that differ in a name only, put together. The masking at ingestion (common/pattern/pattern.h) sees
 * one message; here all patterns of an answer are seen, and a place that is filled with many different words
 * is one where something varies: "Could not obtain lock on mail within <*>", "… on inventory within <*>".
 *
 * Two events that differ in a word that means something must never become one, so all of this is needed:
 *  - the patterns are the same but for one word, byte for byte, and at least AG_ALIKE_WORDS different words
 *    stand there: states, verbs and levels are fewer;
 *  - at least three other words are plain text;
 *  - the word can be a name: an identifier (order_items, eu-west, TaskHandler), or behind a word that
 *    announces one (user, table, for, on, 사용자 …); not behind one that announces a kind (event, state,
 * error …); no capitals throughout, no key=value, no label, no -ed, -ing, -Exception, -Error, nor in Hangul.
 * Done twice, so that two words may vary. What comes out depends on the set of patterns alone.
 *
 * The idea, a position judged by how many tokens it takes, is that of Drain (He et al., ICWS 2017).
 */
#ifndef LOGMILL_AGENT_ANSWER_ALIKE_H
#define LOGMILL_AGENT_ANSWER_ALIKE_H

#include "agent/answer/table.h"

#define AG_ALIKE_WORDS 8

/* leaders[i] becomes the first template that i goes together with, itself where it stands alone; the text of
 * a leader becomes the common one, in the arena. NULL is alike to nothing. 0, or -1 without memory. */
int ag_alike_find(const char **templates, size_t count, struct lm_arena *arena,
                  size_t *leaders) LM_MUST_CHECK;

/* Puts rows of alike patterns together: counts are summed, the sample is that of the most frequent; the
 * largest first. */
int ag_alike_merge(struct ag_table *table) LM_MUST_CHECK;
/* How many patterns the merged ones among the rows shown stand for. */
size_t ag_alike_shown(const struct ag_table *table);

#endif
