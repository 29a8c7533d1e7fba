/*
 * The command line. It is read twice: first for --config and for what is answered at once (--help), last,
 * when the file and the environment have been taken in, for its values.
 */
#include "common/config/config_parts.h"

#include <string.h>

static void note_flag_problem(struct lm_config_command_line *line, const struct lm_config_origin *origin,
                              const char *text)
{
    if (line->assign)
        lm_config_problem(line->loading, origin, "%s", text);
}

/* The value of the flag at hand: behind '=' or the next argument. NULL where there is none. */
static const char *take_value(struct lm_config_command_line *line, const char *attached,
                              const struct lm_config_origin *origin)
{
    if (attached != NULL)
        return attached;
    if (line->at + 1 < line->argc && strncmp(line->argv[line->at + 1], "--", 2) != 0)
        return line->argv[++line->at];
    note_flag_problem(line, origin, "needs a value, as in --name VALUE or --name=VALUE");
    return NULL;
}

/* The flag's name in one spelling: dashes for dots and underscores. */
static void spell(const char *flag, size_t len, char out[LM_CONFIG_SPELLING_SIZE])
{
    size_t n = len < LM_CONFIG_SPELLING_SIZE - 1 ? len : LM_CONFIG_SPELLING_SIZE - 1;
    for (size_t i = 0; i < n; i++)
        out[i] = flag[i] == '_' || flag[i] == '.' ? '-' : flag[i];
    out[n] = '\0';
}

static void set_flag(struct lm_config_command_line *line, size_t index, const char *key, const char *value,
                     const struct lm_config_origin *origin)
{
    if (line->assign)
        lm_config_assign(line->loading, index, key, value, origin);
}

/* --kafka linger.ms=5, where the flag named the map itself. */
static void read_pair(struct lm_config_command_line *line, size_t index, const char *attached,
                      const struct lm_config_origin *origin)
{
    char key[256];
    const char *pair = take_value(line, attached, origin);
    if (pair == NULL)
        return;
    size_t len = strcspn(pair, "=");
    if (pair[len] != '=' || len == 0 || len >= sizeof(key)) {
        note_flag_problem(line, origin, "needs a property and its value, as in linger.ms=5");
        return;
    }
    memcpy(key, pair, len);
    key[len] = '\0';
    set_flag(line, index, key, pair + len + 1, origin);
}

/* A flag of an option of the table; false where there is none of that name. */
static bool read_table_flag(struct lm_config_command_line *line, const char *flag, size_t len,
                            const char *attached, const struct lm_config_origin *origin)
{
    const struct lm_config_program *program = line->loading->program;
    char given[LM_CONFIG_SPELLING_SIZE], known[LM_CONFIG_SPELLING_SIZE], key[256];
    spell(flag, len, given);
    for (size_t i = 0; i < program->option_count; i++) {
        const struct lm_config_option *option = &program->options[i];
        lm_config_flag(option->name, known);
        if (option->type == LM_CONFIG_BOOL && strncmp(given, "no-", 3) == 0 &&
            strcmp(given + 3, known) == 0) {
            if (attached != NULL)
                note_flag_problem(line, origin, "takes no value");
            set_flag(line, i, NULL, "false", origin);
            return true;
        }
        if (option->type == LM_CONFIG_MAP || strcmp(given, known) != 0)
            continue;
        const char *value =
            option->type == LM_CONFIG_BOOL && attached == NULL ? "true" : take_value(line, attached, origin);
        if (value != NULL)
            set_flag(line, i, NULL, value, origin);
        return true;
    }
    for (size_t i = 0; i < program->option_count; i++) {
        lm_config_flag(program->options[i].name, known);
        size_t prefix = strlen(known); /* with the dash at its end */
        if (program->options[i].type != LM_CONFIG_MAP || strncmp(given, known, prefix - 1) != 0)
            continue;
        if (given[prefix - 1] == '\0') {
            read_pair(line, i, attached, origin);
            return true;
        }
        if (given[prefix - 1] == '-' && given[prefix] != '\0' && len - prefix < sizeof(key)) {
            for (size_t j = prefix; j < len; j++)
                key[j - prefix] = flag[j] == '-' || flag[j] == '_' ? '.' : flag[j];
            key[len - prefix] = '\0';
            const char *value = take_value(line, attached, origin);
            if (value != NULL)
                set_flag(line, i, key, value, origin);
            return true;
        }
    }
    return false;
}

static void report_unknown_flag(struct lm_config_command_line *line, const char *flag, size_t len,
                                const struct lm_config_origin *origin)
{
    static const char *const common[] = {"config", "help", "version", "print-config"};
    const struct lm_config_program *program = line->loading->program;
    char given[LM_CONFIG_SPELLING_SIZE], known[LM_CONFIG_SPELLING_SIZE],
        nearest[LM_CONFIG_SPELLING_SIZE] = "";
    if (!line->assign)
        return;
    spell(flag, len, given);
    size_t best = strlen(given) / 3 + 2;
    size_t common_count = sizeof(common) / sizeof(common[0]);
    for (size_t i = 0; i < program->option_count + common_count; i++) {
        if (i < common_count)
            memcpy(known, common[i], strlen(common[i]) + 1);
        else
            lm_config_flag(program->options[i - common_count].name, known);
        size_t distance = lm_config_distance(given, known, best);
        if (distance < best || (distance == best && nearest[0] == '\0')) {
            best = distance;
            memcpy(nearest, known, sizeof(nearest));
        }
    }
    if (nearest[0] != '\0')
        lm_config_problem(line->loading, origin, "unknown flag; did you mean --%s?", nearest);
    else
        lm_config_problem(line->loading, origin, "unknown flag; %s --help lists them", program->name);
}

/* "--name", "--name=value" and what every program has. */
static void read_long_flag(struct lm_config_command_line *line, const char *argument)
{
    const char *flag = argument + 2;
    size_t len = strcspn(flag, "=");
    const char *attached = flag[len] == '=' ? flag + len + 1 : NULL;
    struct lm_config_origin origin = {LM_CONFIG_FLAG, argument, len + 2, 0};
    char given[LM_CONFIG_SPELLING_SIZE];
    spell(flag, len, given);

    if (strcmp(given, "config") == 0) {
        line->config_file = take_value(line, attached, &origin);
    } else if (strcmp(given, "help") == 0) {
        line->action = LM_CONFIG_ACTION_HELP;
    } else if (strcmp(given, "version") == 0) {
        line->action = LM_CONFIG_ACTION_VERSION;
    } else if (strcmp(given, "print-options-markdown") == 0) {
        line->action = LM_CONFIG_ACTION_MARKDOWN;
    } else if (strcmp(given, "print-config") == 0) {
        line->action = line->action == LM_CONFIG_ACTION_RUN ? LM_CONFIG_ACTION_PRINT : line->action;
    } else if (!read_table_flag(line, flag, len, attached, &origin)) {
        report_unknown_flag(line, flag, len, &origin);
    }
}

/* "-x", "-x value", "-xvalue", and several without values as "-xyz". */
static void read_short_flags(struct lm_config_command_line *line, const char *argument)
{
    const struct lm_config_program *program = line->loading->program;
    for (const char *p = argument + 1; *p != '\0'; p++) {
        struct lm_config_origin origin = {LM_CONFIG_FLAG, argument, strlen(argument), 0};
        size_t i = 0;
        while (i < program->option_count && program->options[i].short_flag != *p)
            i++;
        if (i == program->option_count) {
            if (*p == 'h')
                line->action = LM_CONFIG_ACTION_HELP;
            else if (line->assign)
                lm_config_problem(line->loading, &origin, "unknown flag -%c; %s --help lists them", *p,
                                  program->name);
        } else if (program->options[i].type == LM_CONFIG_BOOL) {
            set_flag(line, i, NULL, "true", &origin);
        } else {
            const char *attached = p[1] != '\0' ? p + 1 : NULL;
            if (program->options[i].type == LM_CONFIG_MAP) {
                read_pair(line, i, attached, &origin);
                return;
            }
            const char *value = take_value(line, attached, &origin);
            if (value != NULL)
                set_flag(line, i, NULL, value, &origin);
            return;
        }
    }
}

static void read_argument(struct lm_config_command_line *line, const char *argument)
{
    const struct lm_config_program *program = line->loading->program;
    if (!line->assign)
        return;
    if (line->arguments == NULL || program->arguments == NULL || program->arguments[0] == '\0') {
        struct lm_config_origin origin = {LM_CONFIG_FLAG, argument, strlen(argument), 0};
        lm_config_problem(line->loading, &origin, "%s takes no arguments; options begin with --",
                          program->name);
        return;
    }
    line->arguments[line->argument_count++] = argument;
}

void lm_config_read_command_line(struct lm_config_command_line *line, bool assign)
{
    bool options_ended = false;
    line->assign = assign;
    for (line->at = 1; line->at < line->argc; line->at++) {
        const char *argument = line->argv[line->at];
        if (options_ended || argument[0] != '-' || argument[1] == '\0')
            read_argument(line, argument);
        else if (strcmp(argument, "--") == 0)
            options_ended = true;
        else if (argument[1] == '-')
            read_long_flag(line, argument);
        else
            read_short_flags(line, argument);
    }
}
