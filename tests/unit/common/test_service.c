#include "common/log.h"
#include "common/service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* A program with one timer, which it closes when asked to stop now, or a little later when asked to drain. */
struct program {
    struct lm_service service;
    uv_timer_t work;
    int drains, stops, reloads;
    bool drain_for_ever;
    unsigned drain_ms; /* what it says that it waits, at most */
    bool forget_timer;
};

static void on_closed(uv_handle_t *handle)
{
    struct program *program = handle->data;
    lm_service_release(&program->service);
    lm_service_release(&program->service);
}

static void close_all(struct program *program)
{
    if (program->forget_timer) {
        (void)uv_timer_stop(&program->work);
        lm_service_release(&program->service);
    } else if (!uv_is_closing((uv_handle_t *)&program->work)) {
        uv_close((uv_handle_t *)&program->work, on_closed);
    }
}

static unsigned stop(void *context, bool now)
{
    struct program *program = context;
    if (now)
        program->stops++;
    else
        program->drains++;
    if (now || !program->drain_for_ever)
        close_all(program);
    return now ? 0 : program->drain_ms;
}

static void on_applied(void *context)
{
    struct program *program = context;
    program->reloads++;
    lm_service_stop(&program->service);
}

static void on_work(uv_timer_t *timer)
{
    (void)timer;
}

static void start(struct program *program)
{
    struct lm_error error;
    *program = (struct program){0};
    lm_log_open("test", LM_LOG_FATAL);
    assert_int_equal(lm_service_open(&program->service, stop, program, &error), 0);
    assert_int_equal(uv_timer_init(&program->service.loop, &program->work), 0);
    program->work.data = program;
    assert_int_equal(uv_timer_start(&program->work, on_work, 1, 1), 0);
}

static void on_raise(uv_timer_t *timer)
{
    int *number = timer->data;
    uv_close((uv_handle_t *)timer, NULL);
    assert_int_equal(raise(*number), 0);
}

static void raise_in(struct program *program, uv_timer_t *timer, int *number, unsigned ms)
{
    assert_int_equal(uv_timer_init(&program->service.loop, timer), 0);
    timer->data = number;
    assert_int_equal(uv_timer_start(timer, on_raise, ms, 0), 0);
}

static void each_stopping_signal_drains_and_the_loop_ends_clean(void **state)
{
    (void)state;
    int numbers[] = {SIGTERM, SIGINT};
    for (size_t i = 0; i < 2; i++) {
        struct program program;
        uv_timer_t timer;
        start(&program);
        raise_in(&program, &timer, &numbers[i], 5);
        assert_int_equal(lm_service_run(&program.service), 0);
        assert_int_equal(program.drains, 1);
        assert_int_equal(program.stops, 0);
    }
}

static void a_second_signal_skips_the_drain_and_a_third_does_nothing(void **state)
{
    (void)state;
    int term = SIGTERM, interrupt = SIGINT;
    struct program program;
    uv_timer_t first, second;
    start(&program);
    program.drain_for_ever = true;
    raise_in(&program, &first, &term, 5);
    raise_in(&program, &second, &interrupt, 20);
    assert_int_equal(lm_service_run(&program.service), 0);
    assert_int_equal(program.drains, 1);
    assert_int_equal(program.stops, 1);
    lm_service_stop(&program.service);
    assert_int_equal(program.drains + program.stops, 2);
}

static void sighup_reloads_where_the_program_can(void **state)
{
    (void)state;
    int hangup = SIGHUP;
    struct program program;
    uv_timer_t timer;
    start(&program);
    static const struct lm_config_program nothing = {.name = "test"};
    char *argv[] = {(char *)"test", NULL};
    const struct lm_config_reloading reloading = {.program = &nothing,
                                                  .values = &program,
                                                  .size = 1,
                                                  .argc = 1,
                                                  .argv = argv,
                                                  .apply = on_applied,
                                                  .context = &program};
    program.service.reloading = &reloading;
    raise_in(&program, &timer, &hangup, 5);
    assert_int_equal(lm_service_run(&program.service), 0);
    assert_int_equal(program.reloads, 1);
    assert_int_equal(program.drains, 1);
}

static void sighup_stops_nothing(void **state)
{
    (void)state;
    int hangup = SIGHUP, term = SIGTERM;
    struct program program;
    uv_timer_t first, second;
    start(&program);
    raise_in(&program, &first, &hangup, 5);
    raise_in(&program, &second, &term, 20);
    assert_int_equal(lm_service_run(&program.service), 0);
    assert_int_equal(program.drains, 1);
    assert_int_equal(program.stops, 0);
}

static void signals_behind_the_release_leave_the_exit_code_alone(void **state)
{
    (void)state;
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        int status = 0;
        pid_t child = fork();
        if (child == 0) {
            struct program program;
            start(&program);
            lm_service_stop(&program.service);
            int run = lm_service_run(&program.service);
            (void)raise(numbers[i]);
            _exit(run == 0 ? 7 : 1);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 7);
    }
}

static void stop_by_the_program_itself_is_like_a_signal(void **state)
{
    (void)state;
    struct program program;
    start(&program);
    lm_service_stop(&program.service);
    assert_int_equal(program.drains, 1);
    assert_int_equal(lm_service_run(&program.service), 0);
}

static void a_handle_left_open_makes_run_fail(void **state)
{
    (void)state;
    struct program program;
    start(&program);
    program.forget_timer = true;
    lm_service_stop(&program.service);
    assert_int_equal(lm_service_run(&program.service), -1);
    /* Now properly, so that the test itself leaks nothing. */
    uv_close((uv_handle_t *)&program.work, NULL);
    assert_int_equal(uv_run(&program.service.loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&program.service.loop), 0);
}

static void a_broken_pipe_is_an_error_not_the_end(void **state)
{
    (void)state;
    struct program program;
    int ends[2];
    start(&program);
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    assert_int_equal(write(ends[1], "x", 1), -1);
    assert_int_equal(errno, EPIPE);
    close(ends[1]);
    lm_service_stop(&program.service);
    assert_int_equal(lm_service_run(&program.service), 0);
}

/* The exit code of a child whose program never ends by itself once `act` was called. Unwatched, it fails. */
static int exit_code_of(void (*act)(struct program *program))
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        struct program program;
        (void)alarm(60);
        start(&program);
        program.service.closing_ms = 20;
        program.service.cut_status = 7;
        program.drain_for_ever = true;
        act(&program);
        for (;;)
            (void)pause();
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void ask_to_stop(struct program *program)
{
    lm_service_stop(&program->service);
}

static void ask_twice(struct program *program)
{
    program->drain_ms = 600000;
    lm_service_stop(&program->service);
    lm_service_stop(&program->service);
}

static void find_out_that_it_was_for_nothing(struct program *program)
{
    program->drain_ms = 600000;
    lm_service_stop(&program->service);
    program->service.cut_status = 9;
    lm_service_end_within(&program->service, 0);
}

static void fail_to_start(struct program *program)
{
    lm_service_abandon(&program->service);
}

static void every_end_that_hangs_is_cut_short_with_the_exit_code_wanted(void **state)
{
    (void)state;
    assert_int_equal(exit_code_of(ask_to_stop), 7);
    assert_int_equal(exit_code_of(ask_twice), 7);
    assert_int_equal(exit_code_of(find_out_that_it_was_for_nothing), 9);
    assert_int_equal(exit_code_of(fail_to_start), EXIT_FAILURE);
}

static void an_end_in_time_is_left_alone(void **state)
{
    (void)state;
    struct program program;
    start(&program);
    program.drain_ms = 600000;
    lm_service_stop(&program.service);
    assert_int_equal(lm_service_run(&program.service), 0);
    assert_null(program.service.end);
}

static void a_stop_may_take_as_long_as_the_program_says(void **state)
{
    (void)state;
    int interrupt = SIGINT;
    struct program program;
    uv_timer_t timer;
    start(&program);
    program.service.closing_ms = 0;
    program.drain_ms = 600000;
    program.drain_for_ever = true;
    lm_service_stop(&program.service);
    program.service.closing_ms = 600000; /* for the second stop, which leaves the first its time until then */
    raise_in(&program, &timer, &interrupt, 40);
    assert_int_equal(lm_service_run(&program.service), 0);
    assert_int_equal(program.stops, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_end_that_hangs_is_cut_short_with_the_exit_code_wanted),
        cmocka_unit_test(a_stop_may_take_as_long_as_the_program_says),
        cmocka_unit_test(an_end_in_time_is_left_alone),
        cmocka_unit_test(signals_behind_the_release_leave_the_exit_code_alone),
        cmocka_unit_test(each_stopping_signal_drains_and_the_loop_ends_clean),
        cmocka_unit_test(a_second_signal_skips_the_drain_and_a_third_does_nothing),
        cmocka_unit_test(sighup_reloads_where_the_program_can),
        cmocka_unit_test(sighup_stops_nothing),
        cmocka_unit_test(stop_by_the_program_itself_is_like_a_signal),
        cmocka_unit_test(a_handle_left_open_makes_run_fail),
        cmocka_unit_test(a_broken_pipe_is_an_error_not_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
