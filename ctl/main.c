/* logmill-ctl COMMAND: finds the command in the table and runs it. Exit codes: 0 done, 1 failed, 2 used
 * wrongly. */
#include "common/log.h"
#include "ctl/command.h"

#include <stdlib.h>
#include <string.h>

static int usage(const char *name)
{
    if (name != NULL)
        fprintf(stderr, "logmill-ctl: there is no command \"%s\". The commands are:\n", name);
    else
        fprintf(stderr, "usage: logmill-ctl [OPTION …] COMMAND [ARGUMENT …]\n");
    ct_command_list(stderr);
    fprintf(stderr, "`logmill-ctl --help` lists the options.\n");
    return CT_USAGE;
}

static int run(const struct ct_config *config, const char *const *arguments, size_t count)
{
    if (count == 0)
        return usage(NULL);
    if (strcmp(arguments[0], "help") == 0) {
        ct_command_list(stdout);
        return CT_DONE;
    }
    const struct ct_command *command = ct_command_find(arguments[0]);
    if (command == NULL)
        return usage(arguments[0]);
    if (count - 1 < command->arguments_min || count - 1 > command->arguments_max) {
        fprintf(stderr, "usage: logmill-ctl %s %s\n", command->name, command->arguments);
        return CT_USAGE;
    }
    const struct ct_context context = {
        .config = config,
        .arguments = arguments + 1,
        .argument_count = count - 1,
        .out = stdout,
        .errors = stderr,
    };
    return (int)command->run(&context);
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0); /* progress shows as it happens, in a pipe too */
    struct ct_config config = {0};
    int code = CT_FAILED;
    size_t count = 0;
    const char **arguments = calloc((size_t)argc + 1, sizeof *arguments);
    if (arguments == NULL) {
        fprintf(stderr, "logmill-ctl: out of memory\n");
        return CT_FAILED;
    }
    switch (lm_config_load(&ct_config_program, &config, argc, argv, arguments, &count, stdout, stderr)) {
    case LM_CONFIG_RUN:
        lm_log_open("logmill-ctl", (enum lm_log_level)config.log_level);
        code = run(&config, arguments, count);
        break;
    case LM_CONFIG_EXIT_OK:
        code = CT_DONE;
        break;
    case LM_CONFIG_EXIT_USAGE:
        code = CT_USAGE;
        break;
    }
    lm_config_free(&ct_config_program, &config);
    free(arguments);
    if (fflush(stdout) != 0 && code == CT_DONE) {
        fprintf(stderr, "logmill-ctl: cannot write to standard output\n");
        code = CT_FAILED;
    }
    return code;
}
