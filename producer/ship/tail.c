#include "producer/ship/tail.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_SIZE ((size_t)128 << 10)
#define BEGINNING_SIZE ((size_t)16 << 10)
#define ROTATE_WAIT_US LM_MINUTE_US      /* a writer may hold a renamed file open for a while */
#define TRY_AGAIN_US (10 * LM_SECOND_US) /* after a failure */
#define COMPLAINT_MS 30000

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
    bool reading;  /* the read request belongs to the loop */
    bool cut_back; /* its bytes are not those that were delivered: never go on under the same source */
    bool at_end;   /* all of it was read and sent */
    enum sh_tail_state state;
    int64_t offset;    /* of the next read */
    int64_t grew_us;   /* monotonic, when it last grew */
    int64_t failed_us; /* and when it failed */
    struct lm_log_limit complaints;
    uv_fs_t read;
    uv_buf_t buffer;
};

static void change_state(struct sh_tail *tail, enum sh_tail_state state)
{
    static const char *const names[] = {"unknown", "idle", "reading", "blocked", "failed", "ended"};

    if (tail->state == state || (tail->state == SH_TAIL_FAILED && state != SH_TAIL_UNKNOWN) ||
        tail->state == SH_TAIL_ENDED) {
        return; /* ended is for good, and out of a failure leads only the beginning */
    }
    if (state == SH_TAIL_FAILED) {
        tail->failed_us = lm_clock_mono_us();
    }
    if (state >= SH_TAIL_FAILED || state == SH_TAIL_UNKNOWN || tail->state == SH_TAIL_UNKNOWN) {
        lm_log(LM_LOG_DEBUG, "tail", "%s: %s → %s", tail->path, names[tail->state], names[state]);
    }
    tail->state = state;
}

static bool is_cut(int64_t offset, void *context)
{
    return sh_position_is_cut(((struct sh_tail *)context)->position, offset);
}

static int save(struct sh_tail *tail)
{
    struct lm_error error;

    if (sh_positions_save(tail->positions, &error) != 0) {
        lm_log_limited(&tail->complaints, COMPLAINT_MS, LM_LOG_WARN, "tail", "%s waits: %s", tail->path,
                       error.text);
        return -1;
    }
    return 0;
}

/* Written down before the record goes: see positions.h. */
static int cut(int64_t offset, void *context)
{
    struct sh_tail *tail = context;

    return sh_position_cut(tail->positions, tail->position, offset) == 0 ? save(tail) : -1;
}

static void on_moved(struct sh_window *window, void *context)
{
    struct sh_tail *tail = context;

    sh_position_advance(tail->positions, tail->position, window->delivered);
    if (!window->gap) {
        return;
    }
    if (window->count == 0 && sh_window_passed_gap(window)) {
        /* What came behind the gap is stored: under the same source the gap would now be dropped as a repeat.
         * Rather doubled than lost. */
        sh_position_renew(tail->positions, tail->position, window->delivered);
    }
    change_state(tail, SH_TAIL_FAILED);
}

/* "/var/log/shop.2026.log" is of the service "shop.2026". A byte that is no UTF-8 becomes "?": a record of
 * such a service could never be stored. */
static int service_of(const char *path, const char *configured, char **out)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
    size_t len, step;

    if (*configured) {
        *out = strdup(configured);
        return *out ? 0 : -1;
    }
    *out = strndup(name, dot && dot > name ? (size_t)(dot - name) : strlen(name));
    if (!*out) {
        return -1;
    }
    len = strlen(*out);
    for (size_t at = 0; at < len; at += step) {
        step = lm_utf8_sequence(*out + at, len - at);
        if (step == 0) {
            (*out)[at] = '?';
            step = 1;
        }
    }
    return 0;
}

/* What the lines are is decided by the file's first, wherever reading goes on. */
static void settle_format(struct sh_tail *tail)
{
    char beginning[BEGINNING_SIZE];
    ssize_t got = tail->offset > 0 ? pread(tail->fd, beginning, sizeof(beginning), 0) : 0;

    if (got > 0) {
        sh_join_settle(&tail->input.join, beginning, (size_t)got);
    }
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
    settle_format(tail);
    tail->input.is_cut = is_cut;
    tail->input.cut = cut;
    tail->input.context = tail;
    tail->input.window.moved = on_moved;
    tail->input.window.context = tail;
    return 0;
}

/* Finds out who the file is and where to go on. 0 also where it cannot be told yet; `complete`: it must be.
 */
static int recognise(struct sh_tail *tail, bool complete, struct lm_error *error)
{
    struct sh_position *before = tail->position;
    struct sh_identity identity;
    bool renewed = false;
    struct stat status;
    int known = sh_identity_of(tail->fd, complete, &identity, error);

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
        renewed = true;
    } else if (tail->cut_back && (tail->position == before || tail->position->offset > 0)) {
        renewed = true; /* it begins as one that was delivered */
    }
    if (renewed) {
        /* A random generation cannot be derived again: it is written down before anything goes under it. */
        sh_position_renew(tail->positions, tail->position, 0);
        if (sh_positions_save(tail->positions, error) != 0) {
            return -1;
        }
    }
    if (start_input(tail, error) != 0) {
        return -1;
    }
    tail->cut_back = false;
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
    if (recognise(tail, !tail->follow, error) != 0) {
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
    if (tail->stopping || tail->state == SH_TAIL_FAILED) {
        return; /* read again later */
    }
    if (got < 0) {
        lm_log(LM_LOG_ERROR, "tail", "%s cannot be read: %s", tail->path, uv_strerror((int)got));
        change_state(tail, SH_TAIL_FAILED);
        return;
    }
    if (got == 0) {
        if (!tail->follow) {
            pump(tail, true);
        }
        return;
    }
    if (sh_input_add(&tail->input, tail->buffer.base, (size_t)got) != 0) {
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
            tail->at_end = true;
            change_state(tail, SH_TAIL_ENDED);
        } else {
            change_state(tail, SH_TAIL_IDLE);
            read_more(tail);
        }
        break;
    case SH_PUMP_BLOCKED:
        change_state(tail, SH_TAIL_BLOCKED);
        break;
    case SH_PUMP_GAP:
        change_state(tail, SH_TAIL_FAILED);
        break;
    }
}

/* Goes on from the delivered position, or as another file. Only with nothing on its way. */
static void begin_anew(struct sh_tail *tail)
{
    if (tail->has_input) {
        sh_input_free(&tail->input);
        tail->has_input = false;
    }
    change_state(tail, SH_TAIL_UNKNOWN);
}

/* Whether the bytes that were read are gone: the file is shorter, or begins with another line. */
static bool was_cut_back(const struct sh_tail *tail, int64_t size)
{
    struct sh_identity now;

    if (size < tail->offset) {
        return true;
    }
    return size > tail->offset && tail->follow && sh_identity_of(tail->fd, false, &now, NULL) == 1 &&
           now.first_line != tail->position->identity.first_line;
}

/* Whether the name leads to another file now, or nowhere. */
static bool was_replaced(const struct sh_tail *tail)
{
    struct stat status;

    return stat(tail->path, &status) != 0 || status.st_dev != tail->device || status.st_ino != tail->inode;
}

static void look_unknown(struct sh_tail *tail, int64_t now_us)
{
    bool gone = was_replaced(tail) && now_us - tail->grew_us > ROTATE_WAIT_US;
    struct lm_error error;

    if (recognise(tail, gone || !tail->follow, &error) != 0) {
        lm_log_limited(&tail->complaints, COMPLAINT_MS, LM_LOG_ERROR, "tail", "%s: %s", tail->path,
                       error.text);
    }
}

static void look_idle(struct sh_tail *tail, int64_t now_us)
{
    struct stat status;

    if (fstat(tail->fd, &status) != 0) {
        return;
    }
    sh_position_touch(tail->positions, tail->position);
    if (was_cut_back(tail, status.st_size)) {
        if (tail->input.window.count == 0) { /* what is on its way first */
            lm_log(LM_LOG_WARN, "tail", "%s was cut back: read from its beginning", tail->path);
            tail->cut_back = true;
            begin_anew(tail);
        }
    } else if (status.st_size > tail->offset || !tail->follow) {
        read_more(tail);
    } else if (sh_input_tick(&tail->input, now_us) == SH_PUMP_BLOCKED) {
        change_state(tail, SH_TAIL_BLOCKED);
    } else if (was_replaced(tail) && now_us - tail->grew_us > ROTATE_WAIT_US) {
        lm_log(LM_LOG_INFO, "tail", "%s was replaced and read to its end", tail->path);
        pump(tail, true);
    }
}

void sh_tail_look(struct sh_tail *tail, int64_t now_us)
{
    if (tail->stopping) {
        return;
    }
    switch (tail->state) {
    case SH_TAIL_UNKNOWN:
        look_unknown(tail, now_us);
        break;
    case SH_TAIL_IDLE:
        look_idle(tail, now_us);
        break;
    case SH_TAIL_BLOCKED:
        sh_tail_resume(tail); /* what memory or the positions had no room for brings no word from Kafka */
        break;
    case SH_TAIL_FAILED:
        if (tail->follow && !tail->reading && now_us - tail->failed_us > TRY_AGAIN_US &&
            (!tail->has_input || tail->input.window.count == 0)) {
            begin_anew(tail);
        }
        break;
    case SH_TAIL_READING:
    case SH_TAIL_ENDED:
        break;
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
    if (tail->follow && tail->has_input && tail->state != SH_TAIL_FAILED) {
        /* The record that waits is complete as far as it can be told: it goes, and ends here. */
        (void)sh_input_tick(&tail->input, INT64_MAX);
    }
}

enum sh_tail_state sh_tail_state(const struct sh_tail *tail)
{
    return tail->state;
}

bool sh_tail_done(const struct sh_tail *tail)
{
    bool over =
        tail->state == SH_TAIL_ENDED || tail->stopping || (tail->state == SH_TAIL_FAILED && !tail->follow);

    return over && !tail->reading && (!tail->has_input || tail->input.window.count == 0);
}

bool sh_tail_complete(const struct sh_tail *tail)
{
    return tail->state != SH_TAIL_FAILED && (tail->at_end || tail->follow) &&
           (!tail->has_input || (tail->input.window.count == 0 && !tail->input.window.gap));
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
        tail->input.window.name = copy;
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
