#include "producer/ship/tail.h"

#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_SIZE ((size_t)128 << 10)
#define ROTATE_WAIT_US (5 * LM_SECOND_US) /* a writer may hold a renamed file open for a moment */

struct sh_tail {
    uv_loop_t *loop;
    struct sh_output *output;
    struct sh_positions *positions;
    struct sh_position *position; /* NULL while unknown */
    struct sh_input input;
    bool has_input;
    char *path;
    int fd;
    uint64_t device, inode;
    bool follow, stopping;
    bool reading; /* the read request belongs to the loop */
    enum sh_tail_state state;
    int64_t offset;  /* of the next read */
    int64_t grew_us; /* monotonic, when it last grew */
    uv_fs_t read;
    uv_buf_t buffer;
};

static void change_state(struct sh_tail *tail, enum sh_tail_state state)
{
    static const char *const names[] = {"unknown", "idle", "reading", "blocked", "failed", "ended"};

    if (tail->state == SH_TAIL_FAILED || tail->state == state) {
        return; /* failed is for good */
    }
    if (state >= SH_TAIL_FAILED || tail->state == SH_TAIL_UNKNOWN) {
        lm_log(LM_LOG_DEBUG, "tail", "%s: %s → %s", tail->path, names[tail->state], names[state]);
    }
    tail->state = state;
}

static bool is_cut(int64_t offset, void *context)
{
    return sh_position_is_cut(((struct sh_tail *)context)->position, offset);
}

/* Written down before the record goes: see positions.h. */
static int cut(int64_t offset, void *context)
{
    struct sh_tail *tail = context;
    struct lm_error error;

    if (sh_position_cut(tail->positions, tail->position, offset) != 0) {
        return -1;
    }
    if (sh_positions_save(tail->positions, &error) != 0) {
        lm_log_error(LM_LOG_WARN, "tail", &error, "%s", error.text);
        return -1;
    }
    return 0;
}

static void on_moved(struct sh_window *window, void *context)
{
    struct sh_tail *tail = context;

    sh_position_advance(tail->positions, tail->position, window->delivered);
    if (window->failed && window->count == 0) {
        /* What came after the refused record may be stored: it goes again under a new id, rather doubled than
         * lost. */
        sh_position_renew(tail->positions, tail->position, window->delivered);
    }
    if (window->failed) {
        change_state(tail, SH_TAIL_FAILED);
    }
}

/* "/var/log/shop.2026.log" is of the service "shop.2026". */
static int service_of(const char *path, const char *configured, char **out)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');

    if (*configured) {
        *out = strdup(configured);
    } else {
        *out = strndup(name, dot && dot > name ? (size_t)(dot - name) : strlen(name));
    }
    return *out ? 0 : -1;
}

static int start_input(struct sh_tail *tail, struct lm_error *error)
{
    char *service;
    int result;

    if (service_of(tail->path, tail->output->config->service, &service) != 0) {
        return lm_error_set(error, LM_RETRY, "memory", "no memory for %s", tail->path);
    }
    tail->offset = tail->position->offset;
    result = sh_input_init(&tail->input, tail->output, service, tail->path,
                           sh_identity_source(&tail->position->identity, tail->position->generation),
                           tail->offset, error);
    free(service);
    if (result != 0) {
        return -1;
    }
    tail->has_input = true;
    tail->input.is_cut = is_cut;
    tail->input.cut = cut;
    tail->input.context = tail;
    tail->input.window.moved = on_moved;
    tail->input.window.context = tail;
    return 0;
}

/* Finds out who the file is and where to go on. 0 also where it cannot be told yet. */
static int recognise(struct sh_tail *tail, struct lm_error *error)
{
    struct sh_identity identity;
    struct stat status;
    int known = sh_identity_of(tail->fd, !tail->follow, &identity, error);

    if (known <= 0) {
        return known;
    }
    tail->position = sh_positions_of(tail->positions, &identity, tail->path);
    if (!tail->position) {
        return lm_error_set(error, LM_RETRY, "memory", "no memory for %s", tail->path);
    }
    if (fstat(tail->fd, &status) == 0 && status.st_size < tail->position->offset) {
        lm_log(LM_LOG_WARN, "tail",
               "%s is shorter than what was delivered of it: read from its beginning as a new file",
               tail->path);
        sh_position_renew(tail->positions, tail->position, 0);
    }
    if (start_input(tail, error) != 0) {
        return -1;
    }
    lm_log(LM_LOG_INFO, "tail", "%s: reading from byte %lld", tail->path, (long long)tail->offset);
    change_state(tail, SH_TAIL_IDLE);
    return 0;
}

int sh_tail_open(const struct sh_tail_options *options, struct sh_tail **out, struct lm_error *error)
{
    struct sh_tail *tail = calloc(1, sizeof(*tail));
    struct stat status;

    if (!tail) {
        return lm_error_set(error, LM_RETRY, "memory", "no memory for %s", options->path);
    }
    *tail = (struct sh_tail){.loop = options->loop,
                             .output = options->output,
                             .positions = options->positions,
                             .path = strdup(options->path),
                             .fd = -1,
                             .follow = options->follow,
                             .grew_us = lm_clock_mono_us()};
    tail->buffer = uv_buf_init(malloc(READ_SIZE), READ_SIZE);
    if (!tail->path || !tail->buffer.base) {
        lm_error_set(error, LM_RETRY, "memory", "no memory for %s", options->path);
        goto fail;
    }
    tail->fd = open(options->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (tail->fd < 0 || fstat(tail->fd, &status) != 0) {
        lm_error_set(error, LM_RETRY, "file", "%s cannot be opened: %s", options->path, strerror(errno));
        goto fail;
    }
    if (!S_ISREG(status.st_mode)) {
        lm_error_set(error, LM_RETRY, "file", "%s is no regular file; pipe it into standard input",
                     options->path);
        goto fail;
    }
    tail->device = status.st_dev;
    tail->inode = status.st_ino;
    if (recognise(tail, error) != 0) {
        goto fail;
    }
    *out = tail;
    return 0;

fail:
    sh_tail_free(tail);
    return -1;
}

static void pump(struct sh_tail *tail, bool at_end);

static void on_read(uv_fs_t *request)
{
    struct sh_tail *tail = request->data;
    ssize_t got = request->result;

    uv_fs_req_cleanup(request);
    tail->reading = false;
    change_state(tail, SH_TAIL_IDLE);
    if (tail->stopping) {
        return; /* read again at the next start */
    }
    if (got < 0) {
        lm_log(LM_LOG_ERROR, "tail", "%s cannot be read: %s", tail->path, uv_strerror((int)got));
        tail->output->failed++;
        change_state(tail, SH_TAIL_FAILED);
        return;
    }
    if (got == 0) {
        if (!tail->follow) {
            pump(tail, true);
        }
        return;
    }
    if (tail->state == SH_TAIL_FAILED || sh_input_add(&tail->input, tail->buffer.base, (size_t)got) != 0) {
        return; /* read again from the same offset at the next look */
    }
    tail->offset += got;
    tail->grew_us = lm_clock_mono_us();
    pump(tail, false);
}

static void read_more(struct sh_tail *tail)
{
    tail->read.data = tail;
    if (tail->stopping) {
        return;
    }
    if (uv_fs_read(tail->loop, &tail->read, tail->fd, &tail->buffer, 1, tail->offset, on_read) == 0) {
        tail->reading = true;
        change_state(tail, SH_TAIL_READING);
    }
}

/* Sends what was read; goes on reading when all of it went. */
static void pump(struct sh_tail *tail, bool at_end)
{
    switch (sh_input_pump(&tail->input, at_end)) {
    case SH_PUMP_HUNGRY:
        if (at_end) {
            change_state(tail, SH_TAIL_ENDED);
        } else {
            change_state(tail, SH_TAIL_IDLE);
            read_more(tail);
        }
        break;
    case SH_PUMP_BLOCKED:
        change_state(tail, SH_TAIL_BLOCKED);
        break;
    case SH_PUMP_FAILED:
        on_moved(&tail->input.window, tail);
        break;
    }
}

/* The file was cut back under us: all of it is new. */
static void begin_anew(struct sh_tail *tail)
{
    struct lm_error error;

    if (tail->input.window.count > 0) {
        return; /* what is on its way first */
    }
    lm_log(LM_LOG_WARN, "tail", "%s was cut back: read from its beginning as a new file", tail->path);
    sh_input_free(&tail->input);
    tail->has_input = false;
    sh_position_renew(tail->positions, tail->position, 0);
    if (start_input(tail, &error) != 0) {
        lm_log_error(LM_LOG_ERROR, "tail", &error, "%s", error.text);
        change_state(tail, SH_TAIL_FAILED);
    }
}

/* Whether the name leads to another file now, or nowhere. */
static bool was_replaced(const struct sh_tail *tail)
{
    struct stat status;

    return stat(tail->path, &status) != 0 || status.st_dev != tail->device || status.st_ino != tail->inode;
}

void sh_tail_look(struct sh_tail *tail, int64_t now_us)
{
    struct lm_error error;
    struct stat status;

    if (tail->state == SH_TAIL_UNKNOWN) {
        if (recognise(tail, &error) != 0) {
            lm_log_error(LM_LOG_ERROR, "tail", &error, "%s: %s", tail->path, error.text);
        }
        if (tail->state == SH_TAIL_UNKNOWN && was_replaced(tail)) {
            change_state(tail, SH_TAIL_ENDED);
        }
        return;
    }
    if (tail->state != SH_TAIL_IDLE || fstat(tail->fd, &status) != 0) {
        return;
    }
    if (status.st_size < tail->offset) {
        begin_anew(tail);
    } else if (status.st_size > tail->offset || !tail->follow) {
        read_more(tail);
    } else if (sh_input_tick(&tail->input, now_us) == SH_PUMP_BLOCKED) {
        change_state(tail, SH_TAIL_BLOCKED);
    } else if (was_replaced(tail) && now_us - tail->grew_us > ROTATE_WAIT_US) {
        lm_log(LM_LOG_INFO, "tail", "%s was replaced and read to its end", tail->path);
        pump(tail, true);
    }
}

void sh_tail_resume(struct sh_tail *tail)
{
    if (tail->state == SH_TAIL_BLOCKED && !tail->stopping) {
        change_state(tail, SH_TAIL_IDLE);
        pump(tail, false);
    }
}

void sh_tail_stop(struct sh_tail *tail)
{
    tail->stopping = true;
    if (tail->has_input && tail->input.join.open && cut(tail->input.join.end, tail) == 0) {
        /* The record that waits is complete as far as it can be told: it goes, and ends here. */
        (void)sh_input_tick(&tail->input, INT64_MAX);
    }
    if (tail->state != SH_TAIL_READING) {
        change_state(tail, SH_TAIL_ENDED);
    }
}

enum sh_tail_state sh_tail_state(const struct sh_tail *tail)
{
    return tail->state;
}

bool sh_tail_reading(const struct sh_tail *tail)
{
    return tail->reading;
}

bool sh_tail_done(const struct sh_tail *tail)
{
    return (tail->state >= SH_TAIL_FAILED || tail->stopping) && !tail->reading &&
           (!tail->has_input || tail->input.window.count == 0);
}

const char *sh_tail_path(const struct sh_tail *tail)
{
    return tail->path;
}

bool sh_tail_is(const struct sh_tail *tail, uint64_t device, uint64_t inode)
{
    return tail->device == device && tail->inode == inode;
}

int sh_tail_rename(struct sh_tail *tail, const char *path)
{
    char *copy;

    if (strcmp(tail->path, path) == 0) {
        return 0;
    }
    copy = strdup(path);
    if (!copy) {
        return -1;
    }
    free(tail->path);
    tail->path = copy;
    if (tail->has_input) {
        tail->input.labels.path = copy;
    }
    return 0;
}

void sh_tail_free(struct sh_tail *tail)
{
    if (tail->has_input) {
        sh_input_free(&tail->input);
    }
    if (tail->fd >= 0) {
        close(tail->fd);
    }
    free(tail->buffer.base);
    free(tail->path);
    free(tail);
}
