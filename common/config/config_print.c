#include "common/config/config_parts.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void spell(const char *name, const char *prefix, char separator, bool upper,
                  char out[LM_CONFIG_SPELLING_SIZE])
{
    size_t n = strlen(prefix);
    memcpy(out, prefix, n);
    for (; *name != '\0' && *name != '*' && n < LM_CONFIG_SPELLING_SIZE - 1; name++) {
        char c = *name == '.' || *name == '_' ? separator : *name;
        out[n++] = upper ? (char)toupper((unsigned char)c) : c;
    }
    out[n] = '\0';
}

void lm_config_variable(const char *name, char out[LM_CONFIG_SPELLING_SIZE])
{
    spell(name, "LOGMILL_", '_', true, out);
}

void lm_config_flag(const char *name, char out[LM_CONFIG_SPELLING_SIZE])
{
    spell(name, "", '-', false, out);
}

/* Writes a text as a YAML scalar: plain where that reads back the same, else as a JSON string, which YAML
 * accepts. */
static void print_scalar(const char *text, size_t len, FILE *out)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./@:-+*";
    bool plain = len > 0 && strspn(text, safe) >= len &&
                 (isalnum((unsigned char)text[0]) || text[0] == '/') && text[len - 1] != ':' &&
                 strncasecmp(text, "null", len) != 0;
    if (plain) {
        (void)fwrite(text, 1, len, out);
        return;
    }
    struct lm_buffer quoted;
    lm_buffer_init(&quoted, len * 6 + 16);
    lm_buffer_append_json(&quoted, text, len);
    const char *result = lm_buffer_text(&quoted);
    (void)fputs(result != NULL ? result : "\"(no memory)\"", out);
    lm_buffer_free(&quoted);
}

/* Replaces the password of "scheme://user:password@host" and of "?password=…" parameters. A password may
 * itself hold any delimiter that somebody forgot to encode, so everything up to the last '@' counts as it:
 * rather too much than too little. */
static void print_masked_url(const char *text, FILE *out)
{
    static const char mask[] = "****";
    struct lm_buffer masked;
    lm_buffer_init(&masked, strlen(text) * 2 + 64);
    const char *authority = strstr(text, "://") + 3;
    const char *at = strrchr(authority, '@');
    const char *colon = strchr(authority, ':');
    const char *rest = text;
    if (at != NULL && colon != NULL && colon < at) {
        lm_buffer_append(&masked, text, (size_t)(colon + 1 - text));
        lm_buffer_append_text(&masked, mask);
        rest = at;
    }
    const char *parameter;
    while ((parameter = strcasestr(rest, "password=")) != NULL) {
        parameter += strlen("password=");
        lm_buffer_append(&masked, rest, (size_t)(parameter - rest));
        lm_buffer_append_text(&masked, mask);
        rest = parameter + strcspn(parameter, "&");
    }
    lm_buffer_append_text(&masked, rest);
    const char *result = lm_buffer_text(&masked);
    print_scalar(result != NULL ? result : mask, result != NULL ? masked.len : strlen(mask), out);
    lm_buffer_free(&masked);
}

static void print_value(const char *text, bool secret, FILE *out)
{
    if (strstr(text, "://") != NULL)
        print_masked_url(text, out);
    else if (secret && text[0] != '\0')
        (void)fputs("\"****\"", out);
    else
        print_scalar(text, strlen(text), out);
}

/* Of a pass-through map nobody marked the secrets: librdkafka's are known by their names. */
static bool is_secret_name(const char *name)
{
    return strcasestr(name, "password") != NULL || strcasestr(name, "secret") != NULL ||
           strcasestr(name, "key.pem") != NULL || strcasestr(name, "token") != NULL ||
           strcasestr(name, "sasl.oauthbearer.config") != NULL;
}

static void print_origin(const struct lm_config_origin *origin, FILE *out)
{
    int len = (int)origin->name_len;
    switch (origin->source) {
    case LM_CONFIG_DEFAULT:
        (void)fputs("  # default\n", out);
        break;
    case LM_CONFIG_FILE:
        (void)fprintf(out, "  # %.*s:%zu\n", len, origin->name, origin->line);
        break;
    case LM_CONFIG_ENVIRONMENT:
        (void)fprintf(out, "  # environment %.*s\n", len, origin->name);
        break;
    case LM_CONFIG_FLAG:
        (void)fprintf(out, "  # flag %.*s\n", len, origin->name);
        break;
    }
}

static void print_map(const struct lm_config_option *option, const struct lm_config_map *map,
                      const struct lm_config_setting *setting, FILE *out)
{
    int prefix = (int)strlen(option->name) - 1;
    for (size_t i = 0; i < map->count; i++) {
        (void)fprintf(out, "%.*s%s: ", prefix, option->name, map->names[i]);
        print_value(map->values[i], option->secret || is_secret_name(map->names[i]), out);
        print_origin(&setting->entry_origins[i], out);
    }
}

void lm_config_print(const struct lm_config_loading *loading, FILE *out)
{
    (void)fprintf(out, "# %s %s\n", loading->program->name, LOGMILL_VERSION);
    for (size_t i = 0; i < loading->program->option_count; i++) {
        const struct lm_config_option *option = &loading->program->options[i];
        const struct lm_config_setting *setting = &loading->settings[i];
        const void *field = (const char *)loading->values + option->offset;
        if (option->type == LM_CONFIG_MAP) {
            print_map(option, field, setting, out);
            continue;
        }
        (void)fprintf(out, "%s: ", option->name);
        if (option->type == LM_CONFIG_LIST) {
            const struct lm_config_list *list = field;
            (void)fputc('[', out);
            for (size_t j = 0; j < list->count; j++) {
                (void)fputs(j > 0 ? ", " : "", out);
                print_value(list->items[j], option->secret, out);
            }
            (void)fputc(']', out);
        } else {
            const char *text = option->type == LM_CONFIG_TEXT ? *(char *const *)field : setting->text;
            print_value(text, option->secret, out);
        }
        print_origin(&setting->origin, out);
    }
}

/* What stands for the value in --help. */
static const char *placeholder(const struct lm_config_option *option)
{
    switch (option->type) {
    case LM_CONFIG_TEXT:
        return " TEXT";
    case LM_CONFIG_INT:
        return " NUMBER";
    case LM_CONFIG_BOOL:
        return "";
    case LM_CONFIG_DURATION:
        return " DURATION";
    case LM_CONFIG_SIZE:
        return " SIZE";
    case LM_CONFIG_ENUM:
        return " ";
    case LM_CONFIG_LIST:
        return " A,B,…";
    case LM_CONFIG_MAP:
        return "PROPERTY=VALUE";
    }
    return "";
}

void lm_config_help(const struct lm_config_program *program, FILE *out)
{
    char flag[LM_CONFIG_SPELLING_SIZE];
    const char *arguments = program->arguments != NULL ? program->arguments : "";
    (void)fprintf(out, "%s\n\nUsage: %s [OPTION …]%s%s\n\nOptions:\n", program->summary, program->name,
                  arguments[0] != '\0' ? " " : "", arguments);
    for (size_t i = 0; i < program->option_count; i++) {
        const struct lm_config_option *option = &program->options[i];
        lm_config_flag(option->name, flag);
        (void)fputs("  ", out);
        if (option->short_flag != '\0')
            (void)fprintf(out, "-%c, ", option->short_flag);
        (void)fprintf(out, "--%s%s%s%s\n      %s", option->type == LM_CONFIG_BOOL ? "[no-]" : "", flag,
                      placeholder(option), option->type == LM_CONFIG_ENUM ? option->choices : "",
                      option->description);
        if (option->default_text != NULL && option->default_text[0] != '\0')
            (void)fprintf(out, " Default: %s", option->default_text);
        (void)fputs(option->reloadable ? " (reloadable)\n" : "\n", out);
    }
    (void)fputs(
        "  --config FILE\n      YAML file with these settings.\n"
        "  --print-config\n      Show every setting with where it comes from, and exit.\n"
        "  --version\n      Show the version, and exit.\n"
        "  -h, --help\n      Show this, and exit.\n\n"
        "A setting is taken from the command line, else the environment (--log-level is LOGMILL_LOG_LEVEL),\n"
        "else the file (log_level: info), else its default. LOGMILL_CONFIG names the file where --config "
        "does\n"
        "not. Durations are written 150ms, 10s, 5m, 2h, 7d; sizes 64KiB, 16MiB, 1GiB. SIGHUP has a running\n"
        "program read them again: what is reloadable holds at once, the rest needs a restart.\n",
        out);
}

/* A text as a cell of a table: '|' would end it. */
static void print_cell(const char *text, const char *between, FILE *out)
{
    for (; *text != '\0'; text++) {
        if (*text == '|')
            (void)fputs(between, out);
        else
            (void)fputc(*text, out);
    }
}

static const char *type_name(enum lm_config_type type)
{
    switch (type) {
    case LM_CONFIG_TEXT:
        return "text";
    case LM_CONFIG_INT:
        return "number";
    case LM_CONFIG_BOOL:
        return "true or false";
    case LM_CONFIG_DURATION:
        return "duration";
    case LM_CONFIG_SIZE:
        return "size";
    case LM_CONFIG_ENUM:
        return "one of ";
    case LM_CONFIG_LIST:
        return "list";
    case LM_CONFIG_MAP:
        return "properties";
    }
    return "";
}

static void print_type(const struct lm_config_option *option, FILE *out)
{
    char min[32], max[32];
    (void)fputs(type_name(option->type), out);
    if (option->type == LM_CONFIG_ENUM)
        print_cell(option->choices, ", ", out);
    if (option->min != 0 || option->max != 0) {
        lm_config_format_number(option->type, option->min, min, sizeof(min));
        lm_config_format_number(option->type, option->max, max, sizeof(max));
        (void)fprintf(out, ", %s to %s", min, max);
    }
}

void lm_config_markdown(const struct lm_config_program *program, FILE *out)
{
    char flag[LM_CONFIG_SPELLING_SIZE], variable[LM_CONFIG_SPELLING_SIZE];
    (void)fprintf(out,
                  "## %s\n\n%s\n\n| YAML key | Environment | Flag | Type | Default | SIGHUP | Meaning |\n"
                  "|---|---|---|---|---|---|---|\n",
                  program->name, program->summary);
    for (size_t i = 0; i < program->option_count; i++) {
        const struct lm_config_option *option = &program->options[i];
        const char *star = option->type == LM_CONFIG_MAP ? "*" : "";
        lm_config_flag(option->name, flag);
        lm_config_variable(option->name, variable);
        (void)fprintf(out, "| `%s` | `%s%s` | `--%s%s`", option->name, variable, star, flag, star);
        if (option->short_flag != '\0')
            (void)fprintf(out, ", `-%c`", option->short_flag);
        (void)fputs(" | ", out);
        print_type(option, out);
        (void)fputs(" | ", out);
        if (option->default_text != NULL && option->default_text[0] != '\0') {
            (void)fputc('`', out);
            print_cell(option->default_text, "\\|", out);
            (void)fputc('`', out);
        }
        (void)fputs(option->reloadable ? " | yes | " : " | | ", out);
        print_cell(option->description, "\\|", out);
        (void)fputs(" |\n", out);
    }
    (void)fputc('\n', out);
}
