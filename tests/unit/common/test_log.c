#include "common/clock.h"
#include "common/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Standard error, redirected into a pipe while lines are written. */
struct capture {
    int saved;
    int reader;
};

static void capture_begin(struct capture *capture)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    capture->saved = dup(STDERR_FILENO);
    assert_true(capture->saved >= 0);
    assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    close(ends[1]);
    capture->reader = ends[0];
}

/* What was written since capture_begin; fits into the pipe. */
static void capture_end(struct capture *capture, char *text, size_t size)
{
    assert_int_equal(dup2(capture->saved, STDERR_FILENO), STDERR_FILENO);
    close(capture->saved);
    size_t len = 0;
    ssize_t n;
    while (len < size - 1 && (n = read(capture->reader, text + len, size - 1 - len)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    close(capture->reader);
}

static json_t *one_json_line(const char *text)
{
    size_t len = strlen(text);
    assert_true(len > 0);
    assert_ptr_equal(strchr(text, '\n'), text + len - 1);
    json_error_t error;
    json_t *line = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (line == NULL)
        fail_msg("%s: %s", text, error.text);
    return line;
}

static const char *field(const json_t *line, const char *name)
{
    return json_string_value(json_object_get(line, name));
}

static void off_a_terminal_a_line_is_json_with_the_records_names(void **state)
{
    (void)state;
    char text[8192];
    struct capture capture;
    capture_begin(&capture);
    lm_log_open("logmill-test", LM_LOG_INFO);
    lm_log(LM_LOG_WARN, "batch", "a \"quoted\" %s\n한", "line");
    capture_end(&capture, text, sizeof(text));
    json_t *line = one_json_line(text);
    assert_string_equal(field(line, "level"), "WARN");
    assert_string_equal(field(line, "service"), "logmill-test");
    assert_string_equal(field(line, "component"), "batch");
    assert_string_equal(field(line, "message"), "a \"quoted\" line\n한");
    assert_null(json_object_get(line, "error_type"));
    const json_t *metadata = json_object_get(line, "metadata");
    assert_int_equal(json_integer_value(json_object_get(metadata, "pid")), getpid());
    int64_t us;
    const char *time = field(line, "timestamp");
    assert_int_equal(lm_rfc3339_parse(time, strlen(time), &us, NULL), 0);
    assert_true(llabs(us - lm_clock_wall_us()) < LM_MINUTE_US);
    json_decref(line);
}

static void an_errors_kind_sqlstate_and_text_are_in_the_line(void **state)
{
    (void)state;
    char text[8192];
    struct capture capture;
    struct lm_error error;
    (void)lm_error_set(&error, LM_RETRY, "deadlock", "deadlock detected");
    memcpy(error.sqlstate, "40P01", 6);
    capture_begin(&capture);
    lm_log_open("logmill-test", LM_LOG_INFO);
    lm_log_error(LM_LOG_ERROR, "postgres", &error, "batch %d was rolled back", 7);
    capture_end(&capture, text, sizeof(text));
    json_t *line = one_json_line(text);
    assert_string_equal(field(line, "message"), "batch 7 was rolled back: deadlock detected");
    assert_string_equal(field(line, "error_type"), "deadlock");
    assert_string_equal(field(json_object_get(line, "metadata"), "sqlstate"), "40P01");
    json_decref(line);
}

static void without_an_error_lm_log_error_is_lm_log(void **state)
{
    (void)state;
    char text[8192];
    struct capture capture;
    struct lm_error empty;
    lm_error_clear(&empty);
    const struct lm_error *none[] = {NULL, &empty};
    for (size_t i = 0; i < 2; i++) {
        capture_begin(&capture);
        lm_log_open("logmill-test", LM_LOG_INFO);
        lm_log_error(LM_LOG_ERROR, NULL, none[i], "alone");
        capture_end(&capture, text, sizeof(text));
        json_t *line = one_json_line(text);
        assert_string_equal(field(line, "message"), "alone");
        assert_null(json_object_get(line, "error_type"));
        assert_null(json_object_get(line, "component"));
        json_decref(line);
    }
}

static void below_the_threshold_nothing_is_written(void **state)
{
    (void)state;
    char text[8192];
    struct capture capture;
    capture_begin(&capture);
    lm_log_open("logmill-test", LM_LOG_WARN);
    lm_log(LM_LOG_INFO, "x", "hidden");
    lm_log_set_threshold(LM_LOG_FATAL);
    lm_log(LM_LOG_ERROR, "x", "hidden");
    capture_end(&capture, text, sizeof(text));
    assert_string_equal(text, "");
}

static void a_line_never_passes_4096_bytes_and_stays_json(void **state)
{
    (void)state;
    static const char *const fillers[] = {"a", "한", "\x01", "\"", "\xff", "😀"};
    char message[20000];
    char text[16384];
    for (size_t f = 0; f < sizeof(fillers) / sizeof(fillers[0]); f++) {
        size_t width = strlen(fillers[f]);
        for (size_t at = 0; at + width < sizeof(message); at += width)
            memcpy(message + at, fillers[f], width + 1);
        struct capture capture;
        capture_begin(&capture);
        lm_log_open("logmill-test", LM_LOG_INFO);
        lm_log(LM_LOG_INFO, "x", "%s", message);
        capture_end(&capture, text, sizeof(text));
        assert_in_range(strlen(text), 3000, 4096);
        json_t *line = one_json_line(text);
        const char *shown = field(line, "message");
        assert_string_equal(shown + strlen(shown) - strlen("…"), "…");
        if (fillers[f][0] != '\xff')
            assert_null(strstr(shown, "\xEF\xBF\xBD"));
        json_decref(line);
    }
}

static void logging_leaves_errno_alone(void **state)
{
    (void)state;
    int saved = dup(STDERR_FILENO);
    close(STDERR_FILENO);
    lm_log_open("logmill-test", LM_LOG_INFO);
    errno = ENOENT;
    lm_log(LM_LOG_FATAL, "x", "nobody sees this");
    int after = errno;
    assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    close(saved);
    assert_int_equal(after, ENOENT);
}

/* The line as a pseudo-terminal shows it. */
static void line_on_terminal(const char *message, const struct lm_error *error, char *text, size_t size)
{
    int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(terminal >= 0);
    assert_int_equal(grantpt(terminal) + unlockpt(terminal), 0);
    int side = open(ptsname(terminal), O_RDWR | O_NOCTTY);
    assert_true(side >= 0);
    int saved = dup(STDERR_FILENO);
    assert_int_equal(dup2(side, STDERR_FILENO), STDERR_FILENO);
    lm_log_open("logmill-test", LM_LOG_INFO);
    lm_log_error(LM_LOG_ERROR, "batch", error, "%s", message);
    assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    close(saved);
    ssize_t n = read(terminal, text, size - 1);
    assert_true(n > 0);
    text[n] = '\0';
    close(side);
    close(terminal);
    lm_log_open("logmill-test", LM_LOG_INFO);
}

static void on_a_terminal_a_line_is_readable_and_coloured(void **state)
{
    (void)state;
    char text[8192];
    struct lm_error error;
    (void)lm_error_set(&error, LM_RETRY, "deadlock", "deadlock detected");
    memcpy(error.sqlstate, "40P01", 6);
    assert_int_equal(setenv("TERM", "xterm", 1) + unsetenv("NO_COLOR"), 0);
    line_on_terminal("rolled back", &error, text, sizeof(text));
    assert_null(strchr(text, '{'));
    assert_non_null(strstr(text, "\033[31mERROR\033[0m"));
    assert_non_null(strstr(text, "batch: rolled back: deadlock detected [deadlock 40P01]"));
}

static void no_color_is_respected(void **state)
{
    (void)state;
    char text[8192];
    assert_int_equal(setenv("TERM", "xterm", 1) + setenv("NO_COLOR", "1", 1), 0);
    line_on_terminal("plain", NULL, text, sizeof(text));
    assert_null(strchr(text, '\033'));
    assert_non_null(strstr(text, "ERROR batch: plain"));
    assert_int_equal(unsetenv("NO_COLOR"), 0);
}

static void a_message_cannot_steer_the_terminal_or_fake_a_line(void **state)
{
    (void)state;
    char text[8192];
    assert_int_equal(setenv("NO_COLOR", "1", 1), 0);
    line_on_terminal("a\033[2J\nfake\xff", NULL, text, sizeof(text));
    assert_null(strchr(text, '\033'));
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    assert_non_null(strstr(text, "a\\x1b[2J\\nfake\xEF\xBF\xBD"));
    assert_int_equal(unsetenv("NO_COLOR"), 0);
}

static void a_limited_line_comes_once_an_interval_and_says_what_was_left_out(void **state)
{
    (void)state;
    char text[8192];
    struct lm_log_limit limit = {0};
    struct capture capture;
    capture_begin(&capture);
    lm_log_open("logmill-test", LM_LOG_INFO);
    for (int i = 0; i < 5; i++)
        lm_log_limited(&limit, 60000, LM_LOG_INFO, "x", "again");
    limit.last_us -= 60 * LM_SECOND_US; /* as if the interval had passed */
    lm_log_limited(&limit, 60000, LM_LOG_INFO, "x", "again");
    capture_end(&capture, text, sizeof(text));
    char *second = strchr(text, '\n') + 1;
    assert_non_null(strstr(text, "\"again\"}\n"));
    assert_true(strstr(text, "\"again\"}\n") < second);
    assert_non_null(strstr(second, "\"again (4 more left out)\""));
    assert_ptr_equal(strchr(second, '\n'), text + strlen(text) - 1);
}

enum { THREADS = 4, LINES = 500 };

static void *write_lines(void *argument)
{
    static struct lm_log_limit shared;
    char filler[3000];
    memset(filler, 'f', sizeof(filler) - 1);
    filler[sizeof(filler) - 1] = '\0';
    for (int i = 0; i < LINES; i++) {
        lm_log(LM_LOG_INFO, "thread", "%s %d %.*s", (const char *)argument, i, (i * 37) % 2999, filler);
        lm_log_limited(&shared, 3600000, LM_LOG_DEBUG, "thread", "hidden");
    }
    return NULL;
}

static void lines_of_threads_on_a_pipe_never_mix(void **state)
{
    (void)state;
    static char names[THREADS][2] = {"a", "b", "c", "d"};
    pthread_t threads[THREADS];
    struct capture capture;
    capture_begin(&capture);
    lm_log_open("logmill-test", LM_LOG_INFO);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, names[i]), 0);
    FILE *lines = fdopen(dup(capture.reader), "r");
    assert_non_null(lines);
    char line[8192];
    int next[THREADS] = {0};
    for (int n = 0; n < THREADS * LINES; n++) {
        assert_non_null(fgets(line, sizeof(line), lines));
        json_t *parsed = one_json_line(line);
        char name;
        int number;
        assert_int_equal(sscanf(field(parsed, "message"), "%c %d", &name, &number), 2);
        assert_int_equal(number, next[name - 'a']++);
        json_decref(parsed);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    (void)fclose(lines);
    capture_end(&capture, line, sizeof(line));
    assert_string_equal(line, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(off_a_terminal_a_line_is_json_with_the_records_names),
        cmocka_unit_test(an_errors_kind_sqlstate_and_text_are_in_the_line),
        cmocka_unit_test(without_an_error_lm_log_error_is_lm_log),
        cmocka_unit_test(below_the_threshold_nothing_is_written),
        cmocka_unit_test(a_line_never_passes_4096_bytes_and_stays_json),
        cmocka_unit_test(logging_leaves_errno_alone),
        cmocka_unit_test(on_a_terminal_a_line_is_readable_and_coloured),
        cmocka_unit_test(no_color_is_respected),
        cmocka_unit_test(a_message_cannot_steer_the_terminal_or_fake_a_line),
        cmocka_unit_test(a_limited_line_comes_once_an_interval_and_says_what_was_left_out),
        cmocka_unit_test(lines_of_threads_on_a_pipe_never_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
