/*
 * The words the parser knows, Korean and English, as data: the files of agent/vocabulary, built in, and one
 * of the operator's.
 *
 * A line is `surface<TAB>concept[<TAB>value]`; several lines may share a surface, which then has several
 * readings, and `a|b` in the first column are two surfaces of one line. `#` starts a comment. Surfaces are
 * folded (NFKC, case) as questions are. A space in a surface is, in the question, a space, a hyphen, an
 * underscore or nothing. A surface that starts with `-` only continues a word (particles, endings, 별). One
 * that ends in `~` is the stem of a Korean verb and stands for its forms (conjugate.h).
 */
#ifndef LOGMILL_AGENT_UNDERSTAND_VOCABULARY_H
#define LOGMILL_AGENT_UNDERSTAND_VOCABULARY_H

#include "agent/understand/concept.h"
#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ag_vocabulary;

/* One meaning of a surface. */
struct ag_reading {
    enum ag_concept concept;
    const char *value; /* "" where there is none */
    bool suffix;       /* only continues a word */
    const struct ag_reading *next;
};

/* A match that starts at a given place. */
struct ag_match {
    size_t len; /* code points of the text */
    const struct ag_reading *readings;
};

/* The built-in words and those of the file `path` (NULL: none) on top. NULL on failure, with `error` LM_FATAL
 * naming file and line. Free with ag_vocabulary_free. Read-only afterwards: any thread. */
struct ag_vocabulary *ag_vocabulary_new(const char *path, struct lm_error *error);
/* NULL is allowed. */
void ag_vocabulary_free(struct ag_vocabulary *vocabulary);

/* Every surface that text[0..len) starts with, shortest first, at most `max`; how many. Text is folded code
 * points. */
size_t ag_vocabulary_match(const struct ag_vocabulary *vocabulary, const uint32_t *text, size_t len,
                           struct ag_match *out, size_t max);
/* Is it a Latin word of everyday language (folded) that is here only so that it is not taken for a
 * misspelling? */
bool ag_vocabulary_is_ordinary(const struct ag_vocabulary *vocabulary, const char *word, size_t len);
/* The Latin surface closest to a misspelt word (one edit from 4 letters, two from 8), if only one is and the
 * word is not an ordinary one; NULL otherwise. */
const struct ag_reading *ag_vocabulary_typo(const struct ag_vocabulary *vocabulary, const char *word,
                                            size_t len);
/* Surfaces that say what is asked about or when, of two to six Hangul syllables, that text[0..len) starts
 * with but for one letter mistyped (conjugate.h) and that are not the beginning of what it says otherwise: as
 * ag_vocabulary_match, only lengths with one meaning. */
size_t ag_vocabulary_slips(const struct ag_vocabulary *vocabulary, const uint32_t *text, size_t len,
                           struct ag_match *out, size_t max);
/* Calls `visit` with every surface (UTF-8) until it returns false: for completion and tests. */
void ag_vocabulary_each(const struct ag_vocabulary *vocabulary,
                        bool (*visit)(const char *surface, const struct ag_reading *readings, void *context),
                        void *context);

#endif
