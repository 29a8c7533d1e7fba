#include "producer/ship/positions.h"

#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FORGET_US (30 * LM_DAY_US)

struct sh_positions {
    char *path, *temporary;
    int lock;                   /* descriptor; -1: none */
    struct sh_position **items; /* each of its own, so that pointers stay */
    size_t count, room;
    bool changed;
};

static void free_position(struct sh_position *position)
{
    if (position) {
        free(position->path);
        free(position);
    }
}

void sh_positions_free(struct sh_positions *positions)
{
    if (!positions) {
        return;
    }
    for (size_t i = 0; i < positions->count; i++) {
        free_position(positions->items[i]);
    }
    free(positions->items);
    if (positions->lock >= 0) {
        close(positions->lock);
    }
    free(positions->path);
    free(positions->temporary);
    free(positions);
}

/* Takes the position. 0, or -1 without memory: then it is freed. */
static int add(struct sh_positions *positions, struct sh_position *position)
{
    if (positions->count == positions->room) {
        size_t room = positions->room ? positions->room * 2 : 16;
        struct sh_position **grown = realloc(positions->items, room * sizeof(struct sh_position *));

        if (!grown) {
            free_position(position);
            return -1;
        }
        positions->items = grown;
        positions->room = room;
    }
    positions->items[positions->count++] = position;
    return 0;
}

/* 64-bit numbers stand as hex text: JSON readers round large ones. */
static int read_hex(const json_t *object, const char *name, uint64_t *out)
{
    const char *text = json_string_value(json_object_get(object, name));
    char *end;

    if (!text || !*text) {
        return -1;
    }
    errno = 0;
    *out = strtoull(text, &end, 16);
    return errno == 0 && *end == '\0' ? 0 : -1;
}

static json_t *write_hex(uint64_t value)
{
    char text[17];

    snprintf(text, sizeof(text), "%016" PRIx64, value);
    return json_string(text);
}

static struct sh_position *parse_position(const json_t *object)
{
    const json_t *offset = json_object_get(object, "offset"), *cuts = json_object_get(object, "cuts"),
                 *seen = json_object_get(object, "seen");
    const char *path = json_string_value(json_object_get(object, "path"));
    struct sh_position *position = calloc(1, sizeof(*position));
    uint64_t born;

    if (!position || !path || !json_is_integer(offset) || !json_is_integer(seen) ||
        json_integer_value(seen) < 0 || json_integer_value(seen) > INT64_MAX / LM_SECOND_US ||
        json_integer_value(offset) < 0 || json_array_size(cuts) > SH_MAX_CUTS ||
        read_hex(object, "device", &position->identity.device) != 0 ||
        read_hex(object, "inode", &position->identity.inode) != 0 || read_hex(object, "born", &born) != 0 ||
        read_hex(object, "first_line", &position->identity.first_line) != 0 ||
        read_hex(object, "generation", &position->generation) != 0) {
        goto fail;
    }
    position->identity.born_ns = (int64_t)born;
    position->offset = json_integer_value(offset);
    position->seen_us = json_integer_value(seen) * LM_SECOND_US;
    for (size_t i = 0; i < json_array_size(cuts); i++) {
        position->cuts[position->cut_count++] = json_integer_value(json_array_get(cuts, i));
    }
    position->path = strdup(path);
    if (position->path) {
        return position;
    }
fail:
    free_position(position);
    return NULL;
}

/* The file may be shipped further any day, however long it was quiet. */
static bool still_there(const struct sh_position *position)
{
    struct stat status;

    return stat(position->path, &status) == 0 && status.st_ino == position->identity.inode;
}

/* 0, or -1 where the text is not what sh_positions_save writes. */
static int parse(struct sh_positions *positions, FILE *file)
{
    json_t *root = json_loadf(file, JSON_REJECT_DUPLICATES, NULL), *item;
    int64_t now = lm_clock_wall_us();
    int result = json_is_array(root) ? 0 : -1;
    size_t index;

    json_array_foreach(root, index, item)
    {
        struct sh_position *position = parse_position(item);

        if (!position) {
            result = -1;
            break;
        }
        if (now - position->seen_us > FORGET_US && !still_there(position)) {
            free_position(position);
        } else if (add(positions, position) != 0) {
            result = -1;
            break;
        }
    }
    json_decref(root);
    return result;
}

static int set_aside(struct sh_positions *positions, struct lm_error *error)
{
    char *aside;
    int result = 0;

    if (asprintf(&aside, "%s.broken", positions->path) < 0) {
        return lm_error_set(error, LM_FATAL, "memory", "no memory to start");
    }
    if (rename(positions->path, aside) != 0) {
        result = lm_error_set(error, LM_FATAL, "positions", "%s is damaged and cannot be set aside as %s: %s",
                              positions->path, aside, strerror(errno));
    } else {
        lm_log(LM_LOG_WARN, "positions",
               "%s was damaged and is now %s: files are read from their beginning, what was stored "
               "before is dropped as a repeat",
               positions->path, aside);
    }
    for (size_t i = 0; i < positions->count; i++) {
        free_position(positions->items[i]);
    }
    positions->count = 0;
    free(aside);
    return result;
}

/* The lock ends with the process, however it ends. */
static int take_lock(struct sh_positions *positions, struct lm_error *error)
{
    char *name;

    if (asprintf(&name, "%s.lock", positions->path) < 0) {
        return lm_error_set(error, LM_FATAL, "memory", "no memory to start");
    }
    positions->lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    free(name);
    if (positions->lock < 0) {
        return lm_error_set(error, LM_FATAL, "positions",
                            "%s.lock cannot be written: %s. Make its folder writable, or choose another with "
                            "--positions",
                            positions->path, strerror(errno));
    }
    if (flock(positions->lock, LOCK_EX | LOCK_NB) != 0) {
        return lm_error_set(error, LM_FATAL, "positions",
                            "another logmill-ship uses %s: stop it, or choose another file with --positions",
                            positions->path);
    }
    return 0;
}

int sh_positions_open(const char *path, struct sh_positions **out, struct lm_error *error)
{
    struct sh_positions *positions = calloc(1, sizeof(*positions));
    FILE *file;

    if (positions) {
        positions->lock = -1;
    }
    if (!positions || !(positions->path = strdup(path)) ||
        asprintf(&positions->temporary, "%s.new", path) < 0) {
        lm_error_set(error, LM_FATAL, "memory", "no memory to start");
        goto fail;
    }
    if (*path) {
        if (take_lock(positions, error) != 0) {
            goto fail;
        }
        file = fopen(path, "re");
        if (!file && errno != ENOENT) {
            lm_error_set(error, LM_FATAL, "positions",
                         "%s cannot be read: %s. Mend its rights, or choose another with --positions", path,
                         strerror(errno));
            goto fail;
        }
        if (file) {
            int parsed = parse(positions, file);

            fclose(file);
            if (parsed != 0 && set_aside(positions, error) != 0) {
                goto fail;
            }
        }
        positions->changed = true;
        if (sh_positions_save(positions, error) != 0) {
            goto fail; /* better now than after an hour */
        }
    }
    *out = positions;
    return 0;

fail:
    sh_positions_free(positions);
    return -1;
}

struct sh_position *sh_positions_of(struct sh_positions *positions, const struct sh_identity *identity,
                                    const char *path)
{
    struct sh_position *position = NULL;
    char *copy = strdup(path);

    if (!copy) {
        return NULL;
    }
    for (size_t i = 0; i < positions->count && !position; i++) {
        if (sh_identity_equal(&positions->items[i]->identity, identity)) {
            position = positions->items[i];
        }
    }
    if (position) {
        free(position->path);
    } else {
        position = calloc(1, sizeof(*position));
        if (!position || add(positions, position) != 0) {
            free(copy);
            return NULL;
        }
        position->identity = *identity;
    }
    position->path = copy;
    position->seen_us = lm_clock_wall_us();
    positions->changed = true;
    return position;
}

void sh_position_advance(struct sh_positions *positions, struct sh_position *position, int64_t offset)
{
    size_t kept = 0;

    if (offset <= position->offset) {
        return;
    }
    position->offset = offset;
    position->seen_us = lm_clock_wall_us();
    for (size_t i = 0; i < position->cut_count; i++) {
        if (position->cuts[i] > offset) {
            position->cuts[kept++] = position->cuts[i];
        }
    }
    position->cut_count = kept;
    positions->changed = true;
}

int sh_position_cut(struct sh_positions *positions, struct sh_position *position, int64_t offset)
{
    if (sh_position_is_cut(position, offset)) {
        return 0;
    }
    if (position->cut_count == SH_MAX_CUTS) {
        return -1;
    }
    position->cuts[position->cut_count++] = offset;
    positions->changed = true;
    return 0;
}

bool sh_position_is_cut(const struct sh_position *position, int64_t offset)
{
    for (size_t i = 0; i < position->cut_count; i++) {
        if (position->cuts[i] == offset) {
            return true;
        }
    }
    return false;
}

void sh_position_touch(struct sh_positions *positions, struct sh_position *position)
{
    int64_t now = lm_clock_wall_us();

    if (now - position->seen_us > LM_DAY_US) {
        position->seen_us = now;
        positions->changed = true;
    }
}

void sh_position_renew(struct sh_positions *positions, struct sh_position *position, int64_t offset)
{
    position->generation = (uint64_t)sh_random_source();
    position->offset = offset;
    position->cut_count = 0;
    positions->changed = true;
}

static json_t *to_json(const struct sh_position *position)
{
    json_t *cuts = json_array();

    for (size_t i = 0; i < position->cut_count; i++) {
        json_array_append_new(cuts, json_integer(position->cuts[i]));
    }
    return json_pack("{s:s, s:I, s:o, s:I, s:o, s:o, s:o, s:o, s:o}", "path", position->path, "offset",
                     (json_int_t)position->offset, "cuts", cuts, "seen",
                     (json_int_t)(position->seen_us / LM_SECOND_US), "device",
                     write_hex(position->identity.device), "inode", write_hex(position->identity.inode),
                     "born", write_hex((uint64_t)position->identity.born_ns), "first_line",
                     write_hex(position->identity.first_line), "generation", write_hex(position->generation));
}

/* Replaced as a whole: a crash leaves the old file or the new one, never half of one. */
static int replace(const struct sh_positions *positions, const json_t *root)
{
    FILE *file = fopen(positions->temporary, "we");
    int result;

    if (!file) {
        return -1;
    }
    result = json_dumpf(root, file, JSON_INDENT(1)) == 0 && fputc('\n', file) != EOF && fflush(file) == 0 &&
                     fsync(fileno(file)) == 0
                 ? 0
                 : -1;
    if (fclose(file) != 0) {
        result = -1;
    }
    return result == 0 ? rename(positions->temporary, positions->path) : -1;
}

int sh_positions_save(struct sh_positions *positions, struct lm_error *error)
{
    json_t *root;
    int result = 0;

    if (!positions->changed || !*positions->path) {
        return 0;
    }
    root = json_array();
    for (size_t i = 0; i < positions->count && result == 0; i++) {
        result = json_array_append_new(root, to_json(positions->items[i]));
    }
    if (result != 0 || !root) {
        result = lm_error_set(error, LM_RETRY, "memory", "no memory to write %s", positions->path);
    } else if (replace(positions, root) != 0) {
        result = lm_error_set(error, LM_RETRY, "positions",
                              "%s cannot be written: %s. Make its folder writable, or choose "
                              "another with --positions",
                              positions->path, strerror(errno));
    } else {
        positions->changed = false;
    }
    json_decref(root);
    return result;
}
