/*
 * The YAML file, by libyaml's events: a mapping of mappings whose paths are the options' dotted names. Of
 * YAML only what a configuration needs: one document, scalars, sequences of scalars, mappings; no aliases (a
 * file of a few lines could otherwise grow without bound). Syntax errors end the reading, everything else is
 * noted and reading goes on.
 */
#include "common/config/config_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>

enum { MAX_FILE = 1 << 20, MAX_DEPTH = 16, MAX_KEYS = 10000 };

struct seen_path {
    char *path;
    size_t line;
};

struct reader {
    struct lm_config_loading *loading;
    const char *file;
    const char *text; /* of the file, for hints */
    size_t text_len;
    yaml_parser_t parser;
    struct lm_buffer path; /* dotted name of the place being read */
    struct seen_path *seen;
    size_t seen_count;
    bool broken; /* nothing more can be read */
};

static struct lm_config_origin origin_at(const struct reader *reader, size_t line)
{
    return (struct lm_config_origin){
        .source = LM_CONFIG_FILE, .name = reader->file, .name_len = strlen(reader->file), .line = line};
}

static size_t line_of(const yaml_event_t *event)
{
    return event->start_mark.line + 1;
}

/* The syntax error the parser stopped at. */
static void report_syntax(struct reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    size_t line = parser->problem_mark.line + 1;
    reader->broken = true;
    if (parser->error == YAML_MEMORY_ERROR) {
        reader->loading->no_memory = true;
        return;
    }
    const char *what = parser->problem != NULL ? parser->problem : "not YAML";
    if (parser->error == YAML_READER_ERROR) {
        /* The reader knows only how many bytes it had read. */
        line = 1;
        for (size_t i = 0; i < parser->problem_offset && i < reader->text_len; i++)
            line += reader->text[i] == '\n';
    }
    /* A tab is the commonest cause and libyaml does not name it. */
    const char *start = reader->text;
    const char *end = reader->text + reader->text_len;
    for (size_t i = 1; i < line && start != NULL; i++) {
        start = memchr(start, '\n', (size_t)(end - start));
        start = start != NULL ? start + 1 : NULL;
    }
    const char *line_end = start != NULL ? memchr(start, '\n', (size_t)(end - start)) : NULL;
    size_t line_len = start == NULL ? 0 : (size_t)((line_end != NULL ? line_end : end) - start);
    bool tab = line_len > 0 && memchr(start, '\t', line_len) != NULL;
    struct lm_config_origin origin = origin_at(reader, line);
    lm_config_problem(reader->loading, &origin, "%s%s%s%s", what, parser->context != NULL ? " " : "",
                      parser->context != NULL ? parser->context : "",
                      tab ? "; the line holds a tab: indent with spaces" : "");
}

/* The next event; false at a syntax error. The caller deletes it. */
static bool next_event(struct reader *reader, yaml_event_t *event)
{
    if (reader->broken)
        return false;
    if (yaml_parser_parse(&reader->parser, event) == 0) {
        report_syntax(reader);
        return false;
    }
    return true;
}

/* Reads past the value that `first` began. */
static void skip_value(struct reader *reader, yaml_event_type_t first)
{
    size_t depth = first == YAML_MAPPING_START_EVENT || first == YAML_SEQUENCE_START_EVENT;
    yaml_event_t event;
    while (depth > 0 && next_event(reader, &event)) {
        if (event.type == YAML_MAPPING_START_EVENT || event.type == YAML_SEQUENCE_START_EVENT)
            depth++;
        else if (event.type == YAML_MAPPING_END_EVENT || event.type == YAML_SEQUENCE_END_EVENT)
            depth--;
        if (depth > MAX_DEPTH) {
            struct lm_config_origin origin = origin_at(reader, line_of(&event));
            lm_config_problem(reader->loading, &origin, "nested more than %d levels deep; no option is",
                              MAX_DEPTH);
            reader->broken = true;
        }
        yaml_event_delete(&event);
    }
}

/* Notes the path of a key, and a problem where it stands in the file already. */
static void note_path(struct reader *reader, const char *path, size_t line)
{
    struct lm_config_origin origin = origin_at(reader, line);
    for (size_t i = 0; i < reader->seen_count; i++) {
        if (strcmp(reader->seen[i].path, path) == 0) {
            lm_config_problem(reader->loading, &origin, "%s is set twice, first in line %zu; keep one", path,
                              reader->seen[i].line);
            return;
        }
    }
    if (reader->seen_count == MAX_KEYS) {
        lm_config_problem(reader->loading, &origin, "more than %d keys: this is no configuration file",
                          MAX_KEYS);
        reader->broken = true;
        return;
    }
    if ((reader->seen_count & (reader->seen_count - 1)) == 0) { /* full at each power of two */
        size_t room = reader->seen_count == 0 ? 1 : reader->seen_count * 2;
        struct seen_path *more = realloc(reader->seen, room * sizeof(*more));
        if (more == NULL) {
            reader->loading->no_memory = reader->broken = true;
            return;
        }
        reader->seen = more;
    }
    char *copy = strdup(path);
    if (copy == NULL) {
        reader->loading->no_memory = reader->broken = true;
        return;
    }
    reader->seen[reader->seen_count++] = (struct seen_path){copy, line};
}

static void report_unknown(struct reader *reader, const char *path, size_t line)
{
    const struct lm_config_program *program = reader->loading->program;
    struct lm_config_origin origin = origin_at(reader, line);
    const char *nearest = NULL;
    size_t best = strlen(path) / 3 + 2;
    for (size_t i = 0; i < program->option_count; i++) {
        size_t distance = lm_config_distance(path, program->options[i].name, best);
        if (distance < best || (distance == best && nearest == NULL)) {
            best = distance;
            nearest = program->options[i].name;
        }
    }
    if (nearest != NULL)
        lm_config_problem(reader->loading, &origin, "unknown key %s; did you mean %s?", path, nearest);
    else
        lm_config_problem(reader->loading, &origin, "unknown key %s; %s --help lists the options", path,
                          program->name);
}

/* A plain `~`, `null` or nothing: the option is left as it is. */
static bool is_null(const yaml_event_t *event)
{
    if (event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    const char *value = (const char *)event->data.scalar.value;
    return strcmp(value, "") == 0 || strcmp(value, "~") == 0 || strcmp(value, "null") == 0;
}

static bool holds_nul(struct reader *reader, const char *path, const yaml_event_t *event)
{
    if (memchr(event->data.scalar.value, '\0', event->data.scalar.length) == NULL)
        return false;
    struct lm_config_origin origin = origin_at(reader, line_of(event));
    lm_config_problem(reader->loading, &origin, "%s holds a NUL character; take it out", path);
    return true;
}

static void read_scalar(struct reader *reader, const char *path, const yaml_event_t *event)
{
    size_t index;
    const char *key;
    struct lm_config_origin origin = origin_at(reader, line_of(event));
    switch (lm_config_match_name(reader->loading->program, path, &index, &key)) {
    case LM_CONFIG_OPTION:
        if (!is_null(event) && !holds_nul(reader, path, event))
            lm_config_assign(reader->loading, index, key, (const char *)event->data.scalar.value, &origin);
        break;
    case LM_CONFIG_BRANCH:
        if (!is_null(event))
            lm_config_problem(reader->loading, &origin, "%s takes settings below it, not a value", path);
        break;
    case LM_CONFIG_UNKNOWN:
        report_unknown(reader, path, origin.line);
        break;
    }
}

static void read_sequence(struct reader *reader, const char *path, size_t line)
{
    size_t index;
    const char *key;
    struct lm_config_origin origin = origin_at(reader, line);
    enum lm_config_match match = lm_config_match_name(reader->loading->program, path, &index, &key);
    if (match != LM_CONFIG_OPTION || reader->loading->program->options[index].type != LM_CONFIG_LIST) {
        if (match == LM_CONFIG_UNKNOWN)
            report_unknown(reader, path, line);
        else
            lm_config_problem(reader->loading, &origin, "%s takes no list", path);
        skip_value(reader, YAML_SEQUENCE_START_EVENT);
        return;
    }
    lm_config_begin_list(reader->loading, index, &origin);
    yaml_event_t event;
    while (next_event(reader, &event)) {
        yaml_event_type_t type = event.type;
        if (type == YAML_SCALAR_EVENT) {
            if (!holds_nul(reader, path, &event))
                lm_config_add_item(reader->loading, index, (const char *)event.data.scalar.value,
                                   event.data.scalar.length);
        } else if (type != YAML_SEQUENCE_END_EVENT) {
            struct lm_config_origin at = origin_at(reader, line_of(&event));
            lm_config_problem(reader->loading, &at, "an item of %s must be one value", path);
        }
        yaml_event_delete(&event);
        if (type == YAML_SEQUENCE_END_EVENT)
            return;
        skip_value(reader, type);
    }
}

static void read_mapping(struct reader *reader, size_t depth);

/* The value that `event` begins, at the reader's path. */
static void read_value(struct reader *reader, const yaml_event_t *event, size_t depth)
{
    const char *path = lm_buffer_text(&reader->path);
    size_t line = line_of(event);
    struct lm_config_origin origin = origin_at(reader, line);
    size_t index;
    const char *key;

    if (path == NULL) {
        reader->loading->no_memory = reader->broken = true;
    } else if (event->type == YAML_SCALAR_EVENT) {
        read_scalar(reader, path, event);
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        read_sequence(reader, path, line);
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        enum lm_config_match match = lm_config_match_name(reader->loading->program, path, &index, &key);
        if (depth < MAX_DEPTH && (match == LM_CONFIG_BRANCH || (match == LM_CONFIG_OPTION && key != NULL))) {
            read_mapping(reader, depth + 1);
            return;
        }
        if (match == LM_CONFIG_UNKNOWN)
            report_unknown(reader, path, line);
        else
            lm_config_problem(reader->loading, &origin, "%s takes a value, nothing below it", path);
        skip_value(reader, YAML_MAPPING_START_EVENT);
    } else {
        lm_config_problem(reader->loading, &origin, "%s: aliases (*name) are not supported; write the value",
                          path);
    }
}

/* Appends a key to the path; false where it is none that can be. */
static bool enter_key(struct reader *reader, const yaml_event_t *key)
{
    struct lm_config_origin origin = origin_at(reader, line_of(key));
    if (key->type != YAML_SCALAR_EVENT) {
        lm_config_problem(reader->loading, &origin, "a key must be a plain name");
        reader->broken = true;
        return false;
    }
    if (reader->path.len > 0)
        lm_buffer_append_char(&reader->path, '.');
    lm_buffer_append(&reader->path, key->data.scalar.value, strlen((const char *)key->data.scalar.value));
    if (lm_buffer_text(&reader->path) == NULL) {
        lm_config_problem(reader->loading, &origin, "a key is too long for any option");
        reader->broken = true;
        return false;
    }
    return true;
}

/* The pairs of a mapping whose start was read. */
static void read_mapping(struct reader *reader, size_t depth)
{
    size_t path_len = reader->path.len;
    yaml_event_t event;
    while (next_event(reader, &event)) {
        bool end = event.type == YAML_MAPPING_END_EVENT;
        bool entered = !end && enter_key(reader, &event);
        size_t line = line_of(&event);
        yaml_event_delete(&event);
        if (end || !entered || !next_event(reader, &event))
            return;
        note_path(reader, reader->path.data, line);
        if (!reader->broken)
            read_value(reader, &event, depth);
        yaml_event_delete(&event);
        reader->path.len = path_len;
    }
}

static void read_document(struct reader *reader)
{
    yaml_event_t event;
    size_t documents = 0;
    bool end = false;
    while (!end && next_event(reader, &event)) {
        struct lm_config_origin origin = origin_at(reader, line_of(&event));
        end = event.type == YAML_STREAM_END_EVENT;
        if (event.type == YAML_DOCUMENT_START_EVENT && ++documents > 1) {
            lm_config_problem(reader->loading, &origin, "a second document begins here; a file holds one");
            reader->broken = true;
        } else if (event.type == YAML_MAPPING_START_EVENT) {
            read_mapping(reader, 1);
        } else if (event.type == YAML_SEQUENCE_START_EVENT || event.type == YAML_ALIAS_EVENT ||
                   (event.type == YAML_SCALAR_EVENT && !is_null(&event))) {
            lm_config_problem(reader->loading, &origin, "the file must hold settings, each as name: value");
            reader->broken = true;
        }
        yaml_event_delete(&event);
    }
}

/* Reads the file into `text`; false, with the problem noted, where that cannot be. */
static bool load_text(struct lm_config_loading *loading, const struct lm_config_origin *origin,
                      const char *path, struct lm_buffer *text)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    ssize_t n = fd < 0 ? -1 : 1;
    while (n > 0 && text->len <= MAX_FILE) {
        if (lm_buffer_reserve(text, 4096) != 0) {
            loading->no_memory = true;
            break;
        }
        n = read(fd, text->data + text->len, 4096);
        if (n > 0)
            text->len += (size_t)n;
        else if (n < 0 && errno == EINTR)
            n = 1;
    }
    if (n < 0)
        lm_config_problem(loading, origin, "cannot be read: %s", strerror(errno));
    else if (text->len > MAX_FILE)
        lm_config_problem(loading, origin, "is larger than 1 MiB: this is no configuration file");
    if (fd >= 0)
        (void)close(fd);
    return n == 0 && text->len <= MAX_FILE;
}

void lm_config_read_file(struct lm_config_loading *loading, const char *path)
{
    struct reader reader = {.loading = loading, .file = path};
    struct lm_config_origin whole = origin_at(&reader, 0);
    struct lm_buffer text;
    lm_buffer_init(&text, MAX_FILE + 8192);
    lm_buffer_init(&reader.path, 1024);

    if (load_text(loading, &whole, path, &text)) {
        reader.text = text.data;
        reader.text_len = text.len;
        if (yaml_parser_initialize(&reader.parser) == 0) {
            loading->no_memory = true;
        } else {
            yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text.data, text.len);
            read_document(&reader);
            yaml_parser_delete(&reader.parser);
        }
    }
    for (size_t i = 0; i < reader.seen_count; i++)
        free(reader.seen[i].path);
    free(reader.seen);
    lm_buffer_free(&reader.path);
    lm_buffer_free(&text);
}
