/* What is said of which partitions, and when nothing may be said. The control connection is stood in for. */
#include "common/clock.h"
#include "common/log.h"
#include "consumer/chores/progress.h"

#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct {
    struct co_partition *partitions;
    struct co_question question;
    char sql[1024];
    int asked, refuse;
    int64_t now_us;
} world;

struct co_partition *__wrap_co_assignment_first(const struct co_assignment *assignment);
int __wrap_co_control_ask(struct co_control *control, const struct co_question *question,
                          struct lm_error *error);
int64_t __wrap_lm_clock_mono_us(void);

struct co_partition *__wrap_co_assignment_first(const struct co_assignment *assignment)
{
    (void)assignment;
    return world.partitions;
}

int __wrap_co_control_ask(struct co_control *control, const struct co_question *question,
                          struct lm_error *error)
{
    (void)control;
    if (world.refuse)
        return lm_error_set(error, LM_RETRY, "busy", "busy");
    world.asked++;
    world.question = *question;
    (void)snprintf(world.sql, sizeof(world.sql), "%s", question->sql);
    return 0;
}

int64_t __wrap_lm_clock_mono_us(void)
{
    return world.now_us;
}

static struct co_partition idle[3];

static int set_up(void **state)
{
    (void)state;
    memset(&world, 0, sizeof(world));
    memset(idle, 0, sizeof(idle));
    world.now_us = 100 * LM_SECOND_US;
    for (int i = 0; i < 3; i++) {
        (void)snprintf(idle[i].topic, sizeof(idle[i].topic), "logs.o'brien");
        idle[i].number = i;
        idle[i].state = CO_PARTITION_RUNNING;
        idle[i].committed = 10 + i;
        idle[i].next = i < 2 ? &idle[i + 1] : NULL;
    }
    world.partitions = &idle[0];
    return 0;
}

static void tick(struct co_progress *progress, int64_t late_us)
{
    world.now_us += LM_SECOND_US;
    co_progress_tick(progress, late_us);
}

static void only_what_is_stored_to_its_end_is_said(void **state)
{
    struct co_progress progress = {0};
    struct co_batch *batch = (struct co_batch *)&progress; /* never looked into */
    (void)state;

    idle[1].lag = 1;
    tick(&progress, 0);
    assert_string_equal(world.sql,
                        "SELECT logmill.check_offsets(ARRAY['logs.o''brien','logs.o''brien']::text[],"
                        "ARRAY[0,2]::integer[],ARRAY[10,12]::bigint[])");
    world.question.done(NULL, world.question.context);

    idle[0].state = CO_PARTITION_LOCATING;
    idle[2].filling = batch; /* something is on its way */
    for (int i = 0; i < 20; i++)
        tick(&progress, 0);
    assert_int_equal(world.asked, 1);
    idle[1].lag = -1; /* not known yet */
    tick(&progress, 0);
    assert_int_equal(world.asked, 1);
}

static void it_is_said_every_ten_seconds_one_question_at_a_time(void **state)
{
    struct co_progress progress = {0};
    struct lm_error error;
    (void)state;

    for (int i = 0; i < 30; i++)
        tick(&progress, 0);
    assert_int_equal(world.asked, 1); /* no answer yet */
    (void)lm_error_set(&error, LM_RETRY, "connection_lost", "gone");
    world.question.done(&error, world.question.context);
    tick(&progress, 0);
    assert_int_equal(world.asked, 2);
    for (int i = 0; i < 30; i++) {
        world.question.done(NULL, world.question.context);
        tick(&progress, 0);
    }
    assert_int_equal(world.asked, 5);
    world.question.done(NULL, world.question.context);
    world.refuse = 1;
    for (int i = 0; i < 30; i++)
        tick(&progress, 0);
    world.refuse = 0;
    for (int i = 0; i < 10; i++)
        tick(&progress, 0);
    assert_int_equal(world.asked, 6);
}

/* By then the group has told it what it has lost. */
static void a_process_that_was_stopped_says_nothing_for_a_while(void **state)
{
    struct co_progress progress = {0};
    (void)state;

    tick(&progress, 15 * LM_SECOND_US);
    for (int i = 0; i < 9; i++)
        tick(&progress, 0);
    assert_int_equal(world.asked, 0);
    tick(&progress, 0);
    assert_int_equal(world.asked, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(only_what_is_stored_to_its_end_is_said, set_up),
        cmocka_unit_test_setup(it_is_said_every_ten_seconds_one_question_at_a_time, set_up),
        cmocka_unit_test_setup(a_process_that_was_stopped_says_nothing_for_a_while, set_up)};
    lm_log_open("test", LM_LOG_FATAL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
