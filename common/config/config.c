/*
 * Gathers the four sources in the order of their precedence, each value converted and stored as it is met, so
 * that a wrong value is reported even where a later source replaces it. Problems are collected and printed
 * together.
 */
#include "common/config/config.h"

#include "common/config/config_parts.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

extern char **environ;

enum { MAX_PROBLEMS = 64 * 1024 };

void lm_config_problem(struct lm_config_loading *loading, const struct lm_config_origin *origin,
                       const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    loading->problem_count++;
    lm_buffer_append_text(&loading->problems, "  ");
    lm_buffer_append(&loading->problems, origin->name, origin->name_len);
    if (origin->line > 0)
        lm_buffer_printf(&loading->problems, ":%zu", origin->line);
    lm_buffer_printf(&loading->problems, ": %s\n", text);
}

enum lm_config_match lm_config_match_name(const struct lm_config_program *program, const char *name,
                                          size_t *index, const char **key)
{
    size_t len = strlen(name);
    bool branch = false;
    *key = NULL;
    for (size_t i = 0; i < program->option_count; i++) {
        const struct lm_config_option *option = &program->options[i];
        if (option->type != LM_CONFIG_MAP && strcmp(option->name, name) == 0) {
            *index = i;
            return LM_CONFIG_OPTION;
        }
        branch = branch || (strncmp(option->name, name, len) == 0 && option->name[len] == '.');
    }
    for (size_t i = 0; i < program->option_count; i++) {
        const struct lm_config_option *option = &program->options[i];
        size_t prefix = strlen(option->name) - 1; /* without the star */
        if (option->type == LM_CONFIG_MAP && len > prefix && strncmp(option->name, name, prefix) == 0) {
            *index = i;
            *key = name + prefix;
            return LM_CONFIG_OPTION;
        }
    }
    return branch ? LM_CONFIG_BRANCH : LM_CONFIG_UNKNOWN;
}

static void *field_of(const struct lm_config_loading *loading, size_t index)
{
    return (char *)loading->values + loading->program->options[index].offset;
}

static bool same_source(const struct lm_config_setting *setting, const struct lm_config_origin *origin)
{
    return setting->set && setting->origin.source == origin->source;
}

static void clear_list(struct lm_config_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct lm_config_list){0};
}

static void clear_map(struct lm_config_map *map)
{
    for (size_t i = 0; i < map->count; i++) {
        free(map->names[i]);
        free(map->values[i]);
    }
    free(map->names);
    free(map->values);
    *map = (struct lm_config_map){0};
}

void lm_config_begin_list(struct lm_config_loading *loading, size_t index,
                          const struct lm_config_origin *origin)
{
    struct lm_config_setting *setting = &loading->settings[index];
    if (!same_source(setting, origin))
        clear_list(field_of(loading, index));
    setting->set = true;
    setting->origin = *origin;
}

void lm_config_add_item(struct lm_config_loading *loading, size_t index, const char *text, size_t len)
{
    struct lm_config_list *list = field_of(loading, index);
    char **items = realloc(list->items, (list->count + 1) * sizeof(*items));
    if (items != NULL)
        list->items = items;
    char *item = items != NULL ? strndup(text, len) : NULL;
    if (item == NULL)
        loading->no_memory = true;
    else
        list->items[list->count++] = item;
}

/* Splits at commas; white space around an item is not part of it, empty items are left out. */
static void add_items(struct lm_config_loading *loading, size_t index, const char *text)
{
    while (*text != '\0') {
        size_t whole = strcspn(text, ",");
        size_t start = strspn(text, " \t");
        size_t end = whole;
        while (end > start && (text[end - 1] == ' ' || text[end - 1] == '\t'))
            end--;
        if (start < end)
            lm_config_add_item(loading, index, text + start, end - start);
        text += whole + (text[whole] == ',');
    }
}

/* Makes room for one entry more in each of a map's arrays. */
static bool grow_map(struct lm_config_map *map, struct lm_config_setting *setting)
{
    size_t count = map->count + 1;
    char **names = realloc(map->names, count * sizeof(*names));
    if (names != NULL)
        map->names = names;
    char **values = realloc(map->values, count * sizeof(*values));
    if (values != NULL)
        map->values = values;
    struct lm_config_origin *origins = realloc(setting->entry_origins, count * sizeof(*origins));
    if (origins != NULL)
        setting->entry_origins = origins;
    return names != NULL && values != NULL && origins != NULL;
}

static void assign_entry(struct lm_config_loading *loading, size_t index, const char *key, const char *text,
                         const struct lm_config_origin *origin)
{
    struct lm_config_map *map = field_of(loading, index);
    struct lm_config_setting *setting = &loading->settings[index];
    size_t i = 0;
    while (i < map->count && strcmp(map->names[i], key) != 0)
        i++;
    bool is_new = i == map->count;
    char *name = is_new ? strdup(key) : NULL;
    char *value = strdup(text);
    if (value == NULL || (is_new && (name == NULL || !grow_map(map, setting)))) {
        free(name);
        free(value);
        loading->no_memory = true;
        return;
    }
    if (is_new) {
        map->names[i] = name;
        map->count++;
    } else {
        free(map->values[i]);
    }
    map->values[i] = value;
    setting->entry_origins[i] = *origin;
    setting->set = true;
}

/* TEXT, and the scalars that are converted. */
static void assign_scalar(struct lm_config_loading *loading, size_t index, const char *text,
                          const struct lm_config_origin *origin)
{
    const struct lm_config_option *option = &loading->program->options[index];
    struct lm_config_setting *setting = &loading->settings[index];
    struct lm_error why;
    char *copy = strdup(text);
    if (copy == NULL) {
        loading->no_memory = true;
        return;
    }
    if (option->type == LM_CONFIG_TEXT) {
        char **field = field_of(loading, index);
        free(*field);
        *field = copy;
    } else {
        if (lm_config_convert(option, text, field_of(loading, index), &why) != 0)
            lm_config_problem(loading, origin, "%s: %s", option->name, why.text);
        free(setting->text);
        setting->text = copy;
    }
    setting->set = true;
    setting->origin = *origin;
}

void lm_config_assign(struct lm_config_loading *loading, size_t index, const char *key, const char *text,
                      const struct lm_config_origin *origin)
{
    switch (loading->program->options[index].type) {
    case LM_CONFIG_LIST:
        lm_config_begin_list(loading, index, origin);
        add_items(loading, index, text);
        break;
    case LM_CONFIG_MAP:
        assign_entry(loading, index, key, text, origin);
        break;
    default:
        assign_scalar(loading, index, text, origin);
    }
}

/* The default of an option whose table gives none. */
static const char *empty_text(const struct lm_config_option *option)
{
    switch (option->type) {
    case LM_CONFIG_INT:
    case LM_CONFIG_DURATION:
    case LM_CONFIG_SIZE:
        return "0";
    case LM_CONFIG_BOOL:
        return "false";
    default:
        return "";
    }
}

static void assign_defaults(struct lm_config_loading *loading)
{
    for (size_t i = 0; i < loading->program->option_count; i++) {
        const struct lm_config_option *option = &loading->program->options[i];
        struct lm_config_origin origin = {LM_CONFIG_DEFAULT, option->name, strlen(option->name), 0};
        if (loading->settings[i].set || option->type == LM_CONFIG_MAP)
            continue;
        const char *text = option->default_text != NULL ? option->default_text : empty_text(option);
        lm_config_assign(loading, i, NULL, text, &origin);
    }
}

/* Variables of the test suite and of ./dev, never of an option. */
static bool is_foreign(const char *name, size_t len)
{
    static const char *const prefixes[] = {"LOGMILL_TEST_", "LOGMILL_RUN_"};
    static const char *const names[] = {"LOGMILL_CONFIG", "LOGMILL_DATA_DIR", "LOGMILL_CASES_DIR"};
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strlen(names[i]) == len && strncmp(name, names[i], len) == 0)
            return true;
    }
    return false;
}

/* Other programs share the environment, so an unknown variable is no error; one that looks misspelt is worth
 * a line. */
static void warn_if_misspelt(const struct lm_config_program *program, const char *name, size_t len,
                             FILE *errors)
{
    char given[LM_CONFIG_SPELLING_SIZE], known[LM_CONFIG_SPELLING_SIZE];
    if (len >= sizeof(given) || is_foreign(name, len))
        return;
    memcpy(given, name, len);
    given[len] = '\0';
    for (size_t i = 0; i < program->option_count; i++) {
        lm_config_variable(program->options[i].name, known);
        if (program->options[i].type != LM_CONFIG_MAP && lm_config_distance(given, known, 2) <= 2) {
            (void)fprintf(errors, "%s: the variable %s is not known and not used; did you mean %s?\n",
                          program->name, given, known);
            return;
        }
    }
}

/* One variable, "LOGMILL_NAME=value". */
static void read_variable(struct lm_config_loading *loading, const char *variable, FILE *errors)
{
    const struct lm_config_program *program = loading->program;
    char known[LM_CONFIG_SPELLING_SIZE], key[256];
    size_t len = strcspn(variable, "=");
    const char *value = variable + len + (variable[len] == '=');
    struct lm_config_origin origin = {LM_CONFIG_ENVIRONMENT, variable, len, 0};

    for (size_t i = 0; i < program->option_count; i++) {
        const struct lm_config_option *option = &program->options[i];
        lm_config_variable(option->name, known);
        if (option->type == LM_CONFIG_MAP || strlen(known) != len || strncmp(known, variable, len) != 0)
            continue;
        /* "VARIABLE=" is how compose files leave something unset; only a text or a list can be meant to be
         * empty. */
        if (*value != '\0' || option->type == LM_CONFIG_TEXT || option->type == LM_CONFIG_LIST)
            lm_config_assign(loading, i, NULL, value, &origin);
        return;
    }
    for (size_t i = 0; i < program->option_count; i++) {
        lm_config_variable(program->options[i].name, known);
        size_t prefix = strlen(known);
        if (program->options[i].type != LM_CONFIG_MAP || len <= prefix ||
            strncmp(known, variable, prefix) != 0 || len - prefix >= sizeof(key))
            continue;
        for (size_t j = prefix; j < len; j++)
            key[j - prefix] = variable[j] == '_' ? '.' : (char)tolower((unsigned char)variable[j]);
        key[len - prefix] = '\0';
        lm_config_assign(loading, i, key, value, &origin);
        return;
    }
    warn_if_misspelt(program, variable, len, errors);
}

static void read_environment(struct lm_config_loading *loading, FILE *errors)
{
    for (char **variable = environ; variable != NULL && *variable != NULL; variable++) {
        if (strncmp(*variable, "LOGMILL_", 8) == 0)
            read_variable(loading, *variable, errors);
    }
}

/* What needs no configuration. */
static bool serve_at_once(const struct lm_config_program *program, enum lm_config_action action, FILE *out)
{
    if (action == LM_CONFIG_ACTION_HELP)
        lm_config_help(program, out);
    else if (action == LM_CONFIG_ACTION_VERSION)
        (void)fprintf(out, "%s %s\n", program->name, LOGMILL_VERSION);
    else if (action == LM_CONFIG_ACTION_MARKDOWN)
        lm_config_markdown(program, out);
    else
        return false;
    return true;
}

static void report(struct lm_config_loading *loading, FILE *errors)
{
    const char *name = loading->program->name;
    if (loading->problem_count > 0) {
        (void)fprintf(errors, "%s: %zu error%s in the configuration:\n", name, loading->problem_count,
                      loading->problem_count == 1 ? "" : "s");
        if (loading->problems.len > 0)
            (void)fwrite(loading->problems.data, 1, loading->problems.len, errors);
        if (loading->problems.failed)
            (void)fprintf(errors, "  and more\n");
    }
    if (loading->no_memory)
        (void)fprintf(errors, "%s: no memory was left to read the configuration\n", name);
}

static void free_settings(struct lm_config_loading *loading)
{
    for (size_t i = 0; loading->settings != NULL && i < loading->program->option_count; i++) {
        free(loading->settings[i].text);
        free(loading->settings[i].entry_origins);
    }
    free(loading->settings);
    lm_buffer_free(&loading->problems);
}

enum lm_config_outcome lm_config_load(const struct lm_config_program *program, void *values, int argc,
                                      char **argv, const char **arguments, size_t *argument_count, FILE *out,
                                      FILE *errors)
{
    struct lm_config_loading loading = {.program = program, .values = values};
    struct lm_config_command_line line = {
        .loading = &loading, .argc = argc, .argv = argv, .arguments = arguments};
    lm_buffer_init(&loading.problems, MAX_PROBLEMS);
    lm_config_read_command_line(&line, false);
    if (serve_at_once(program, line.action, out))
        return LM_CONFIG_EXIT_OK;

    loading.settings =
        calloc(program->option_count > 0 ? program->option_count : 1, sizeof(*loading.settings));
    if (loading.settings != NULL) {
        const char *variable = getenv("LOGMILL_CONFIG");
        const char *file = line.config_file != NULL ? line.config_file : variable;
        if (file != NULL && file[0] != '\0')
            lm_config_read_file(&loading, file);
        read_environment(&loading, errors);
        lm_config_read_command_line(&line, true);
        assign_defaults(&loading);
    } else {
        loading.no_memory = true;
    }
    enum lm_config_outcome outcome = LM_CONFIG_RUN;
    if (loading.problem_count > 0 || loading.no_memory) {
        report(&loading, errors);
        outcome = LM_CONFIG_EXIT_USAGE;
    } else if (line.action == LM_CONFIG_ACTION_PRINT) {
        lm_config_print(&loading, out);
        outcome = LM_CONFIG_EXIT_OK;
    }
    if (argument_count != NULL)
        *argument_count = line.argument_count;
    free_settings(&loading);
    return outcome;
}

void lm_config_free(const struct lm_config_program *program, void *values)
{
    for (size_t i = 0; i < program->option_count; i++) {
        void *field = (char *)values + program->options[i].offset;
        if (program->options[i].type == LM_CONFIG_TEXT) {
            char **text = field;
            free(*text);
            *text = NULL;
        } else if (program->options[i].type == LM_CONFIG_LIST) {
            clear_list(field);
        } else if (program->options[i].type == LM_CONFIG_MAP) {
            clear_map(field);
        }
    }
}
