/* The table of commands: a new one is a file with its `struct ct_command`, a line in command.h and one here.
 */
#include "ctl/command.h"

#include <string.h>

const struct ct_command *const ct_commands[] = {
    &ct_migrate_command,  &ct_status_command, &ct_topics_command,
    &ct_patterns_command, &ct_guard_command,  NULL,
};

const struct ct_command *ct_command_find(const char *name)
{
    for (size_t i = 0; ct_commands[i] != NULL; i++) {
        if (strcmp(ct_commands[i]->name, name) == 0)
            return ct_commands[i];
    }
    return NULL;
}

void ct_command_list(FILE *out)
{
    for (size_t i = 0; ct_commands[i] != NULL; i++) {
        const struct ct_command *command = ct_commands[i];
        char usage[64];
        snprintf(usage, sizeof usage, "%s %s", command->name, command->arguments);
        fprintf(out, "  %-20s %s\n", usage, command->summary);
    }
}
