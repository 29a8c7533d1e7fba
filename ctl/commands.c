/* The table of commands: a new one is a file with its `struct ct_command`, a line in command.h and one here.
 */
#include "ctl/command.h"

#include <string.h>

const struct ct_command *const ct_commands[] = {
    &ct_ask_command,
    &ct_migrate_command,
    &ct_status_command,
    &ct_topics_command,
    &ct_offsets_command,
    &ct_dlq_command,
    &ct_fold_command,
    &ct_patterns_command,
    &ct_guard_command,
    &ct_keys_command,
    NULL,
};

const struct ct_command *ct_command_find(const char *name)
{
    for (size_t i = 0; ct_commands[i] != NULL; i++) {
        if (strcmp(ct_commands[i]->name, name) == 0)
            return ct_commands[i];
    }
    return NULL;
}

#define SUMMARY_COLUMN 18

/* Characters, not bytes, that UTF-8 text takes on a line. */
static int width(const char *text)
{
    int count = 0;
    for (; *text != '\0'; text++)
        count += (*text & 0xC0) != 0x80;
    return count;
}

void ct_command_list(FILE *out)
{
    for (size_t i = 0; ct_commands[i] != NULL; i++) {
        const struct ct_command *command = ct_commands[i];
        const int padding = SUMMARY_COLUMN - width(command->name) - width(command->arguments);
        fprintf(out, "  %s %s%*s  %s\n", command->name, command->arguments, padding > 0 ? padding : 0, "",
                command->summary);
    }
}
