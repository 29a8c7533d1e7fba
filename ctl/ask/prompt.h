/*
 * Lines that a person types, edited with libedit and kept in a history file over sessions (mode 0600), or
 * lines of a file or pipe, as standard input is one or the other. Main thread.
 */
#ifndef LOGMILL_CTL_ASK_PROMPT_H
#define LOGMILL_CTL_ASK_PROMPT_H

#include "common/error.h"

#include <stdbool.h>

struct ct_prompt;

enum ct_prompt_outcome {
    CT_PROMPT_LINE,
    CT_PROMPT_DROPPED, /* Ctrl-C: the line typed so far is not wanted */
    CT_PROMPT_END
};

/* `history`: the file, "" for none; "~/" at its beginning is the home directory. One that cannot be read or
 * written is done without. LM_FATAL "memory". Sets LC_CTYPE: libedit reads characters by the locale. */
int ct_prompt_open(const char *history, struct ct_prompt **out, struct lm_error *error) LM_MUST_CHECK;
/* Someone types: a prompt is shown. */
bool ct_prompt_is_typed(const struct ct_prompt *prompt);
/* *line has neither a line feed nor blanks at its ends and is not empty; valid until the next call. */
enum ct_prompt_outcome ct_prompt_read(struct ct_prompt *prompt, const char **line) LM_MUST_CHECK;
void ct_prompt_close(struct ct_prompt *prompt);

#endif
