/*
 * The words the parser knows, Korean and English, as data: agent/vocabulary (TSV), built in, and files of the operator's own.
 *
 * A line is `surface<TAB>concept[<TAB>value]`; several lines may share a surface, which then has several readings. Spaces in
 * a Korean surface are optional in the question; `a|b` in the first column are two surfaces of one line. `#` starts a comment.
 * Surfaces are folded (NFKC, case) as the question is.
 */
#ifndef LOGMILL_AGENT_UNDERSTAND_VOCABULARY_H
#define LOGMILL_AGENT_UNDERSTAND_VOCABULARY_H

#include "common/error.h"

#include <stddef.h>
#include <stdint.h>

struct ag_vocabulary;

/* The built-in words and those of `path` (NULL: none) on top. NULL on failure with `error` LM_FATAL naming file and line. */
struct ag_vocabulary *ag_vocabulary_new(const char *path, struct lm_error *error);
/* NULL is allowed. */
void ag_vocabulary_free(struct ag_vocabulary *vocabulary);
/* Hash of all lines: part of cache keys. */
uint64_t ag_vocabulary_version(const struct ag_vocabulary *vocabulary);

#endif
