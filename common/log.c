/*
 * Lines are composed on the stack in a buffer of fixed size and written in one go. The state is one static
 * struct of atomics: logging must work from any thread, before and after everything else, so there is no
 * handle to pass around.
 */
#include "common/log.h"

#include "common/buffer.h"
#include "common/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_SIZE = 4096, WRITE_WAIT_MS = 100 };

enum log_form { FORM_JSON, FORM_PLAIN, FORM_COLOUR };

static struct {
    _Atomic(const char *) service;
    atomic_int threshold;
    atomic_int form;
} state = {.service = "logmill", .threshold = LM_LOG_INFO, .form = FORM_JSON};

static const char *const level_names[] = {"DEBUG", "INFO", "WARN", "ERROR", "FATAL"};

static enum log_form choose_form(void)
{
    if (!isatty(STDERR_FILENO))
        return FORM_JSON;
    const char *term = getenv("TERM");
    const char *no_color = getenv("NO_COLOR");
    if ((no_color != NULL && no_color[0] != '\0') || term == NULL || strcmp(term, "dumb") == 0)
        return FORM_PLAIN;
    return FORM_COLOUR;
}

void lm_log_open(const char *service, enum lm_log_level threshold)
{
    atomic_store(&state.service, service);
    atomic_store(&state.threshold, (int)threshold);
    atomic_store(&state.form, (int)choose_form());
}

void lm_log_set_threshold(enum lm_log_level threshold)
{
    atomic_store(&state.threshold, (int)threshold);
}

/* Writes the line; what the descriptor does not take within a moment is dropped, for nobody else could be
 * told. */
static void write_line(const char *line, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDERR_FILENO, line, len);
        if (n > 0) {
            line += n;
            len -= (size_t)n;
        } else if (n < 0 && errno == EAGAIN) {
            struct pollfd wait = {.fd = STDERR_FILENO, .events = POLLOUT};
            if (poll(&wait, 1, WRITE_WAIT_MS) <= 0)
                return;
        } else if (n == 0 || errno != EINTR) {
            return;
        }
    }
}

/* Control characters as \xNN, so that a message from outside cannot steer the terminal or fake a line. */
static void append_visible(struct lm_buffer *line, const char *text, size_t len)
{
    size_t start = line->len;
    for (size_t i = 0; i < len;) {
        size_t plain = i;
        while (plain < len && (unsigned char)text[plain] >= 0x20 && text[plain] != 0x7F)
            plain++;
        lm_buffer_append_utf8(line, text + i, plain - i);
        i = plain;
        if (i < len) {
            if (text[i] == '\n')
                lm_buffer_append_text(line, "\\n");
            else
                lm_buffer_printf(line, "\\x%02x", (unsigned char)text[i]);
            i++;
        }
    }
    if (line->failed)
        line->len = start;
}

/* Appends the message, cut until it fits with `reserve` bytes left for what follows. */
static void append_message(struct lm_buffer *line, const char *text, size_t len, bool json, size_t reserve)
{
    char cut[LINE_SIZE];
    size_t kept = len < sizeof(cut) - sizeof("…") ? len : sizeof(cut) - sizeof("…");
    size_t ceiling = line->max;
    line->max -= reserve;
    for (;;) {
        memcpy(cut, text, kept);
        size_t shown = kept;
        if (kept < len) {
            /* Not inside a character: the half of it would be shown as U+FFFD. */
            while (shown > 0 && ((unsigned char)text[shown] & 0xC0) == 0x80)
                shown--;
            memcpy(cut + shown, "…", sizeof("…") - 1);
            shown += sizeof("…") - 1;
        }
        if (json)
            lm_buffer_append_json(line, cut, shown);
        else
            append_visible(line, cut, shown);
        if (!line->failed || kept == 0)
            break;
        line->failed = false;
        kept -= kept / 8 + 1;
    }
    line->max = ceiling;
}

static void append_field(struct lm_buffer *line, const char *name, const char *value)
{
    lm_buffer_printf(line, ",\"%s\":", name);
    lm_buffer_append_json(line, value, strlen(value));
}

static void compose_json(struct lm_buffer *line, enum lm_log_level level, const char *component,
                         const struct lm_error *error, const char *message, size_t len)
{
    char time[LM_RFC3339_SIZE];
    (void)lm_rfc3339_format(lm_clock_wall_us(), time);
    lm_buffer_printf(line, "{\"timestamp\":\"%s\",\"level\":\"%s\"", time, level_names[level]);
    append_field(line, "service", atomic_load(&state.service));
    if (component != NULL)
        append_field(line, "component", component);
    if (error != NULL && error->kind[0] != '\0')
        append_field(line, "error_type", error->kind);
    lm_buffer_printf(line, ",\"metadata\":{\"pid\":%ld", (long)getpid());
    if (error != NULL && error->sqlstate[0] != '\0')
        append_field(line, "sqlstate", error->sqlstate);
    lm_buffer_append_text(line, "},\"message\":");
    append_message(line, message, len, true, sizeof("}\n") - 1);
    lm_buffer_append_text(line, "}\n");
}

static void compose_plain(struct lm_buffer *line, enum lm_log_level level, const char *component,
                          const struct lm_error *error, const char *message, size_t len, bool colour)
{
    static const char *const colours[] = {"\033[2m", "\033[32m", "\033[33m", "\033[31m", "\033[1;31m"};
    char time[LM_RFC3339_SIZE];
    (void)lm_rfc3339_format(lm_clock_wall_us() / 1000 * 1000, time);
    lm_buffer_printf(line, "%.10s %.8s %s%-5s%s ", time, time + 11, colour ? colours[level] : "",
                     level_names[level], colour ? "\033[0m" : "");
    if (component != NULL)
        lm_buffer_printf(line, "%s: ", component);
    append_message(line, message, len, false,
                   sizeof(error->kind) + sizeof(error->sqlstate) + sizeof(" [ ]\n"));
    if (error != NULL && error->kind[0] != '\0')
        lm_buffer_printf(line, " [%s%s%s]", error->kind, error->sqlstate[0] != '\0' ? " " : "",
                         error->sqlstate);
    lm_buffer_append_char(line, '\n');
}

static void emit(enum lm_log_level level, const char *component, const struct lm_error *error,
                 const char *message, size_t len)
{
    char memory[LINE_SIZE + 1];
    struct lm_buffer line;
    lm_buffer_init_fixed(&line, memory, sizeof(memory));
    enum log_form form = (enum log_form)atomic_load(&state.form);
    if (form == FORM_JSON)
        compose_json(&line, level, component, error, message, len);
    else
        compose_plain(&line, level, component, error, message, len, form == FORM_COLOUR);
    write_line(line.data, line.len);
}

static bool wanted(enum lm_log_level level)
{
    return (int)level >= atomic_load_explicit(&state.threshold, memory_order_relaxed);
}

/* Formats the message, with the error's text or a note on what was left out behind it, and writes the line.
 */
static void log_message(enum lm_log_level level, const char *component, const struct lm_error *error,
                        unsigned suppressed, const char *format, va_list args)
{
    int saved_errno = errno;
    char message[LINE_SIZE + 1];
    int n = vsnprintf(message, sizeof(message), format, args);
    size_t len = n < 0 ? 0 : (size_t)n;
    if (len >= sizeof(message))
        len = sizeof(message) - 1;
    size_t room = sizeof(message) - len;
    n = 0;
    if (error != NULL && error->text[0] != '\0')
        n = snprintf(message + len, room, "%s%s", len > 0 ? ": " : "", error->text);
    else if (suppressed > 0)
        n = snprintf(message + len, room, " (%u more left out)", suppressed);
    if (n > 0)
        len = (size_t)n < room ? len + (size_t)n : sizeof(message) - 1;
    emit(level, component, error, message, len);
    errno = saved_errno;
}

void lm_log(enum lm_log_level level, const char *component, const char *format, ...)
{
    if (!wanted(level))
        return;
    va_list args;
    va_start(args, format);
    log_message(level, component, NULL, 0, format, args);
    va_end(args);
}

void lm_log_error(enum lm_log_level level, const char *component, const struct lm_error *error,
                  const char *format, ...)
{
    if (!wanted(level))
        return;
    va_list args;
    va_start(args, format);
    log_message(level, component, error, 0, format, args);
    va_end(args);
}

void lm_log_limited(struct lm_log_limit *limit, unsigned interval_ms, enum lm_log_level level,
                    const char *component, const char *format, ...)
{
    if (!wanted(level))
        return;
    int64_t now = lm_clock_mono_us();
    int64_t last = __atomic_load_n(&limit->last_us, __ATOMIC_RELAXED);
    bool due = last == 0 || now - last >= (int64_t)interval_ms * 1000;
    /* Of threads that come at once, the one that moves the time writes the line. */
    if (!due || !__atomic_compare_exchange_n(&limit->last_us, &last, now, false, __ATOMIC_RELAXED,
                                             __ATOMIC_RELAXED)) {
        (void)__atomic_fetch_add(&limit->suppressed, 1, __ATOMIC_RELAXED);
        return;
    }
    unsigned suppressed = __atomic_exchange_n(&limit->suppressed, 0, __ATOMIC_RELAXED);
    va_list args;
    va_start(args, format);
    log_message(level, component, NULL, suppressed, format, args);
    va_end(args);
}
