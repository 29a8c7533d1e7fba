/*
 * Intents written as one line, for tests: clauses separated by ';', any order but the measure first.
 *
 *   count | distinct FIELD | names FIELD | error_rate | failure_rate | share | avg | min | max | sum |
 *     p 0.5 0.95 | rate SECONDS | first_seen | last_seen | list
 *     avg metadata.KEY, and so min, max, sum
 *   where FIELD OP VALUE|VALUE      metadata.KEY is a field too; OP as ag_op_name writes it
 *   by FIELD
 *   in FROM/TO | in all
 *   against FROM/TO
 *   series [SECONDS] | busiest [SECONDS] | spike [SECONDS] | silent [SECONDS] | new | without | evidence
 *   rank | limit N | order NAME | also FN | also p 0.95 … | having OP NUMBER | above NAME | below NAME | zone
 * NAME | ko | en unstated | closed claim more | claim less part NAME MEASURE | where PART FIELD OP VALUE   of
 * the part so counted
 *
 * Times are RFC 3339; without `in` the window is the hour before now (2026-03-18T14:35:20+09:00).
 */
#ifndef LOGMILL_TESTS_AGENT_INTENT_SPEC_H
#define LOGMILL_TESTS_AGENT_INTENT_SPEC_H

#include "agent/intent.h"
#include "common/arena.h"

#define SPEC_NOW INT64_C(1773812120000000)

/* Fills `intent`; texts in the arena. False, with a line on standard error, for a clause it does not know. */
bool intent_spec_parse(const char *line, struct lm_arena *arena, struct ag_intent *intent);

#endif
