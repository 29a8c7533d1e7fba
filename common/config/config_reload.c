/*
 * SIGHUP: the configuration is read anew into a second struct, held against the running one option by option,
 * and what may change is exchanged. What was replaced goes with the second struct, after the program has been
 * told.
 */
#include "common/config/config_parts.h"
#include "common/log.h"

#include <stdlib.h>
#include <string.h>

static const char component[] = "config";

static size_t field_size(enum lm_config_type type)
{
    switch (type) {
    case LM_CONFIG_TEXT:
        return sizeof(char *);
    case LM_CONFIG_BOOL:
        return sizeof(bool);
    case LM_CONFIG_ENUM:
        return sizeof(int);
    case LM_CONFIG_LIST:
        return sizeof(struct lm_config_list);
    case LM_CONFIG_MAP:
        return sizeof(struct lm_config_map);
    case LM_CONFIG_INT:
    case LM_CONFIG_DURATION:
    case LM_CONFIG_SIZE:
        break;
    }
    return sizeof(int64_t);
}

static bool same_texts(char *const *a, char *const *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(a[i], b[i]) != 0)
            return false;
    }
    return true;
}

static bool same(enum lm_config_type type, const void *a, const void *b)
{
    const struct lm_config_list *lists[] = {a, b};
    const struct lm_config_map *maps[] = {a, b};

    switch (type) {
    case LM_CONFIG_TEXT:
        return strcmp(*(char *const *)a, *(char *const *)b) == 0;
    case LM_CONFIG_LIST:
        return lists[0]->count == lists[1]->count &&
               same_texts(lists[0]->items, lists[1]->items, lists[0]->count);
    case LM_CONFIG_MAP:
        return maps[0]->count == maps[1]->count &&
               same_texts(maps[0]->names, maps[1]->names, maps[0]->count) &&
               same_texts(maps[0]->values, maps[1]->values, maps[0]->count);
    default:
        return memcmp(a, b, field_size(type)) == 0;
    }
}

static void exchange(void *a, void *b, size_t size)
{
    char kept[sizeof(struct lm_config_map)];
    memcpy(kept, a, size);
    memcpy(a, b, size);
    memcpy(b, kept, size);
}

/* How many options were taken. */
static size_t take_changes(const struct lm_config_program *program, char *values, char *fresh)
{
    size_t taken = 0, left = 0;

    for (size_t i = 0; i < program->option_count; i++) {
        const struct lm_config_option *option = &program->options[i];
        char *now = values + option->offset, *then = fresh + option->offset;
        if (same(option->type, now, then))
            continue;
        if (option->reloadable) {
            exchange(now, then, field_size(option->type));
            lm_log(LM_LOG_INFO, component, "%s has changed and holds from now on", option->name);
            taken++;
        } else {
            lm_log(LM_LOG_WARN, component, "%s has changed and needs a restart; the old value stays",
                   option->name);
            left++;
        }
    }
    lm_log(LM_LOG_INFO, component, "configuration read again: %zu taken, %zu need a restart", taken, left);
    return taken;
}

static void set_log_level(const struct lm_config_program *program, const char *values)
{
    for (size_t i = 0; i < program->option_count; i++) {
        if (program->options[i].type == LM_CONFIG_ENUM && strcmp(program->options[i].name, "log_level") == 0)
            lm_log_set_threshold((enum lm_log_level) * (const int *)(values + program->options[i].offset));
    }
}

/* A line of the log for each line of the report. */
static void log_report(char *report)
{
    char *rest = NULL;
    for (char *line = strtok_r(report, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        lm_log(LM_LOG_ERROR, component, "%s", line);
}

static enum lm_config_outcome load_fresh(const struct lm_config_reloading *reloading, void *fresh,
                                         const char **arguments)
{
    const char *taken = reloading->program->arguments;
    const bool takes_arguments = taken != NULL && taken[0] != '\0';
    size_t argument_count, len = 0;
    char *report = NULL;
    FILE *file = open_memstream(&report, &len);

    if (file == NULL)
        return LM_CONFIG_EXIT_USAGE;
    enum lm_config_outcome outcome = lm_config_load(reloading->program, fresh, reloading->argc,
                                                    reloading->argv, takes_arguments ? arguments : NULL,
                                                    takes_arguments ? &argument_count : NULL, file, file);
    (void)fclose(file);
    if (report != NULL)
        log_report(report);
    free(report);
    return outcome;
}

int lm_config_reload(const struct lm_config_reloading *reloading)
{
    void *fresh = calloc(1, reloading->size);
    const char **arguments = calloc((size_t)reloading->argc + 1, sizeof(*arguments));
    struct lm_error error;
    int result = -1;

    if (fresh == NULL || arguments == NULL)
        lm_log(LM_LOG_ERROR, component, "no memory to read the configuration again");
    else if (load_fresh(reloading, fresh, arguments) != LM_CONFIG_RUN)
        lm_log(LM_LOG_ERROR, component, "the configuration is refused; nothing has changed");
    else if (reloading->check != NULL && reloading->check(fresh, &error) != 0)
        lm_log(LM_LOG_ERROR, component, "the configuration is refused, nothing has changed: %s", error.text);
    else {
        (void)take_changes(reloading->program, reloading->values, fresh);
        set_log_level(reloading->program, reloading->values);
        if (reloading->apply != NULL)
            reloading->apply(reloading->context);
        result = 0;
    }
    if (fresh != NULL)
        lm_config_free(reloading->program, fresh);
    free(fresh);
    free(arguments);
    return result;
}
