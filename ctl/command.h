/*
 * What a command of logmill-ctl is. Each lives in a file of its own and is one entry in commands.c; it runs
 * once, on the main thread, and may block: nothing else goes on in the process.
 */
#ifndef LOGMILL_CTL_COMMAND_H
#define LOGMILL_CTL_COMMAND_H

#include "ctl/config.h"

#include <stddef.h>
#include <stdio.h>

/* Exit codes; the first three are the same in every program. */
enum ct_exit {
    CT_DONE = 0,
    CT_FAILED = 1,
    CT_USAGE = 2,
    CT_UNANSWERED = 3,   /* ask: the agent is well but does not answer this question */
    CT_INTERRUPTED = 130 /* ask: Ctrl-C, as a shell has it */
};

struct ct_context {
    const struct ct_config *config;
    const char *const *arguments; /* what follows the command's name */
    size_t argument_count;
    FILE *out;    /* results and progress */
    FILE *errors; /* what went wrong; one sentence a line */
};

struct ct_command {
    const char *name;
    const char *arguments; /* for the usage line: "FILE …", "" for none */
    const char *summary;   /* half a sentence for the list of commands */
    size_t arguments_min, arguments_max;
    enum ct_exit (*run)(const struct ct_context *context);
};

extern const struct ct_command ct_ask_command;
extern const struct ct_command ct_migrate_command;
extern const struct ct_command ct_status_command;
extern const struct ct_command ct_topics_command;
extern const struct ct_command ct_offsets_command;
extern const struct ct_command ct_dlq_command;
extern const struct ct_command ct_fold_command;
extern const struct ct_command ct_patterns_command;
extern const struct ct_command ct_guard_command;
extern const struct ct_command ct_keys_command;

/* The table; ends with NULL. */
extern const struct ct_command *const ct_commands[];

/* The command of that name, or NULL. */
const struct ct_command *ct_command_find(const char *name);

/* Prints the commands, one a line. */
void ct_command_list(FILE *out);

#endif
