#include "producer/ship/standard_input.h"

#include "common/clock.h"
#include "common/log.h"

#include <stdlib.h>

#define READ_SIZE ((size_t)64 << 10)

struct sh_standard_input {
    uv_loop_t *loop;
    struct sh_output *output;
    struct sh_input input;
    bool is_file; /* read by uv_fs_read; else a stream */
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_pipe_t pipe;
        uv_tty_t tty;
        uv_tcp_t tcp;
    } in;
    uv_fs_t read;
    uv_buf_t buffer;
    bool reading;  /* the stream is started, or a file read is under way */
    bool ended;    /* no more bytes will come */
    bool finished; /* and all that came was sent */
    bool broken;   /* something that was there, or should have been, was not sent */
    void (*closed)(void *context);
    void *closed_context;
};

static void read_more(struct sh_standard_input *standard);

static void pause_reading(struct sh_standard_input *standard)
{
    if (!standard->is_file && standard->reading) {
        uv_read_stop(&standard->in.stream);
        standard->reading = false;
    }
}

static void pump(struct sh_standard_input *standard)
{
    switch (sh_input_pump(&standard->input, standard->ended)) {
    case SH_PUMP_HUNGRY:
        standard->finished = standard->ended;
        read_more(standard);
        break;
    case SH_PUMP_BLOCKED:
        pause_reading(standard);
        break;
    case SH_PUMP_GAP:
        /* There is no topic, and a pipe cannot be read again: the writer sees it closed. */
        pause_reading(standard);
        standard->ended = standard->finished = standard->broken = true;
        break;
    }
}

static void take(struct sh_standard_input *standard, ssize_t got)
{
    if (got > 0) {
        if (sh_input_add(&standard->input, standard->buffer.base, (size_t)got) != 0) {
            lm_log(LM_LOG_ERROR, "input", "no memory for %zd bytes of standard input: they are lost", got);
            standard->broken = true;
        }
    } else {
        if (got != UV_EOF && got != 0) {
            lm_log(LM_LOG_ERROR, "input", "standard input cannot be read: %s", uv_strerror((int)got));
            standard->broken = true;
        }
        pause_reading(standard);
        standard->ended = true;
    }
    pump(standard);
}

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)suggested;
    *buffer = ((struct sh_standard_input *)handle->data)->buffer;
}

static void on_stream(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
    (void)buffer;
    if (got != 0) { /* 0: nothing just now */
        take(stream->data, got);
    }
}

static void release(struct sh_standard_input *standard)
{
    void (*closed)(void *context) = standard->closed;
    void *context = standard->closed_context;

    sh_input_free(&standard->input);
    free(standard->buffer.base);
    free(standard);
    closed(context);
}

static void on_file(uv_fs_t *request)
{
    struct sh_standard_input *standard = request->data;
    ssize_t got = request->result;

    uv_fs_req_cleanup(request);
    standard->reading = false;
    if (standard->closed) {
        release(standard);
    } else if (!standard->ended) {
        take(standard, got);
    }
}

static void read_more(struct sh_standard_input *standard)
{
    if (standard->ended || standard->reading) {
        return;
    }
    if (standard->is_file) {
        standard->read.data = standard;
        standard->reading =
            uv_fs_read(standard->loop, &standard->read, 0, &standard->buffer, 1, -1, on_file) == 0;
    } else {
        standard->reading = uv_read_start(&standard->in.stream, on_allocate, on_stream) == 0;
    }
}

static int open_handle(struct sh_standard_input *standard)
{
    int result;

    switch (uv_guess_handle(0)) {
    case UV_NAMED_PIPE:
        uv_pipe_init(standard->loop, &standard->in.pipe, 0);
        result = uv_pipe_open(&standard->in.pipe, 0);
        break;
    case UV_TCP:
        uv_tcp_init(standard->loop, &standard->in.tcp);
        result = uv_tcp_open(&standard->in.tcp, 0);
        break;
    case UV_TTY:
        result = uv_tty_init(standard->loop, &standard->in.tty, 0, 1);
        standard->is_file = result != 0; /* then it is read like one */
        result = 0;
        break;
    default:
        standard->is_file = true;
        return 0;
    }
    standard->in.handle.data = standard;
    return result;
}

int sh_standard_input_open(uv_loop_t *loop, struct sh_output *output, struct sh_standard_input **out,
                           struct lm_error *error)
{
    const char *service = *output->config->service ? output->config->service : "unknown";
    struct sh_standard_input *standard = calloc(1, sizeof(*standard));
    int result;

    if (!standard) {
        return lm_error_set(error, LM_FATAL, "memory", "no memory to start");
    }
    standard->loop = loop;
    standard->output = output;
    standard->buffer = uv_buf_init(malloc(READ_SIZE), READ_SIZE);
    if (!standard->buffer.base ||
        sh_input_init(&standard->input, output, service, NULL, sh_random_source(), 0, error) != 0) {
        free(standard->buffer.base);
        free(standard);
        return lm_error_set(error, LM_FATAL, "memory", "no memory to start");
    }
    result = open_handle(standard);
    if (result != 0) {
        /* The handle is initialised: it goes through sh_standard_input_close like any other. */
        standard->ended = standard->finished = standard->broken = true;
        lm_log(LM_LOG_ERROR, "input", "standard input cannot be opened: %s", uv_strerror(result));
    }
    read_more(standard);
    *out = standard;
    return 0;
}

void sh_standard_input_look(struct sh_standard_input *standard, int64_t now_us)
{
    if (standard->finished) {
        return;
    }
    if (!standard->ended) {
        (void)sh_input_tick(&standard->input, now_us);
    }
    pump(standard); /* also what memory had no room for: that brings no word from Kafka */
}

void sh_standard_input_resume(struct sh_standard_input *standard)
{
    if (!standard->finished) {
        pump(standard);
    }
}

void sh_standard_input_stop(struct sh_standard_input *standard)
{
    if (!standard->ended) {
        pause_reading(standard);
        standard->ended = true;
        standard->broken = standard->broken || standard->is_file; /* it has an end, and this is not it */
        pump(standard);
    }
}

bool sh_standard_input_complete(const struct sh_standard_input *standard)
{
    return standard->finished && !standard->broken && standard->input.window.count == 0 &&
           !standard->input.window.gap;
}

bool sh_standard_input_done(const struct sh_standard_input *standard)
{
    return standard->finished && standard->input.window.count == 0 &&
           !(standard->is_file && standard->reading);
}

static void on_closed(uv_handle_t *handle)
{
    release(handle->data);
}

void sh_standard_input_close(struct sh_standard_input *standard, void (*closed)(void *context), void *context)
{
    standard->closed = closed;
    standard->closed_context = context;
    if (!standard->is_file) {
        uv_close(&standard->in.handle, on_closed);
    } else if (!standard->reading) {
        release(standard);
    }
}
