/* Whose turn it is: who goes at once, who waits, in which order they come, and who is dropped. */
#include "agent/run/turns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ASKED 16

struct fixture {
    uv_loop_t loop;
    struct lm_metrics *metrics;
    struct ag_turns *turns;
    int64_t wait_ms;
    struct asked {
        struct fixture *fixture;
        struct ag_turn turn;
        char name[4];
    } asked[ASKED];
    size_t count;
    char order[128]; /* "a1 b1 -a3": a1 came, b1 came, a3 was dropped */
};

static void note(struct asked *asked, const char *sign)
{
    struct fixture *fixture = asked->fixture;
    const size_t len = strlen(fixture->order);
    snprintf(fixture->order + len, sizeof(fixture->order) - len, "%s%s%s", len > 0 ? " " : "", sign,
             asked->name);
}

static void come(void *context)
{
    note(context, "");
}

static void dropped(void *context)
{
    note(context, "-");
}

static struct fixture *open_turns(unsigned places, unsigned max_waiting)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct lm_error error;
    assert_non_null(fixture);
    assert_int_equal(uv_loop_init(&fixture->loop), 0);
    fixture->metrics = lm_metrics_new();
    fixture->wait_ms = 60000;
    const struct ag_turns_options options = {.loop = &fixture->loop,
                                             .places = places,
                                             .max_waiting = max_waiting,
                                             .max_wait_ms = &fixture->wait_ms,
                                             .metrics = fixture->metrics};
    assert_int_equal(ag_turns_open(&options, &fixture->turns, &error), 0);
    return fixture;
}

static void on_closed(void *context)
{
    struct fixture *fixture = context;
    fixture->turns = NULL;
}

static void close_turns(struct fixture *fixture)
{
    ag_turns_close(fixture->turns, on_closed, fixture);
    uv_run(&fixture->loop, UV_RUN_DEFAULT);
    assert_null(fixture->turns);
    assert_int_equal(uv_loop_close(&fixture->loop), 0);
    lm_metrics_free(fixture->metrics);
    free(fixture);
}

/* "a1": asker a's first. */
static enum ag_turn_state ask(struct fixture *fixture, const char *name)
{
    struct asked *asked = &fixture->asked[fixture->count++];
    const char asker[] = {name[0], '\0'};
    asked->fixture = fixture;
    snprintf(asked->name, sizeof(asked->name), "%s", name);
    asked->turn = (struct ag_turn){.come = come, .dropped = dropped, .context = asked};
    return ag_turn_ask(fixture->turns, &asked->turn, asker);
}

static void end(struct fixture *fixture, const char *name)
{
    for (size_t i = 0; i < fixture->count; i++) {
        if (strcmp(fixture->asked[i].name, name) == 0) {
            ag_turn_end(fixture->turns, &fixture->asked[i].turn);
        }
    }
    uv_run(&fixture->loop, UV_RUN_NOWAIT);
    uv_run(&fixture->loop, UV_RUN_NOWAIT);
}

static void end_all(struct fixture *fixture)
{
    for (size_t i = 0; i < fixture->count; i++) {
        ag_turn_end(fixture->turns, &fixture->asked[i].turn);
    }
    close_turns(fixture);
}

static void askers_take_turns_whatever_the_length_of_their_lines(void **state)
{
    struct fixture *fixture = open_turns(1, 10);
    (void)state;
    assert_int_equal(ask(fixture, "a1"), AG_TURN_HELD);
    assert_int_equal(ask(fixture, "a2"), AG_TURN_WAITING);
    assert_int_equal(ask(fixture, "a3"), AG_TURN_WAITING);
    assert_int_equal(ask(fixture, "b1"), AG_TURN_WAITING);
    assert_int_equal(ask(fixture, "c1"), AG_TURN_WAITING);
    assert_int_equal(ask(fixture, "c2"), AG_TURN_WAITING);
    static const char *const ends[] = {"a1", "a2", "b1", "c1", "a3", "c2"};
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        end(fixture, ends[i]);
    }
    assert_string_equal(fixture->order, "a2 b1 c1 a3 c2");
    end_all(fixture);
}

static void the_last_quarter_of_the_places_is_not_for_one_asker(void **state)
{
    struct fixture *fixture = open_turns(4, 10);
    (void)state;
    assert_int_equal(ask(fixture, "a1"), AG_TURN_HELD);
    assert_int_equal(ask(fixture, "a2"), AG_TURN_HELD);
    assert_int_equal(ask(fixture, "a3"), AG_TURN_HELD);
    assert_int_equal(ask(fixture, "a4"), AG_TURN_WAITING);
    assert_int_equal(ask(fixture, "b1"), AG_TURN_HELD);
    assert_int_equal(ask(fixture, "b2"), AG_TURN_WAITING);
    end(fixture, "b1");
    assert_string_equal(fixture->order, "b2");
    end(fixture, "a1");
    assert_string_equal(fixture->order, "b2 a4");
    end_all(fixture);
}

static void a_full_line_drops_the_newest_of_who_waits_with_the_most(void **state)
{
    struct fixture *fixture = open_turns(1, 3);
    (void)state;
    assert_int_equal(ask(fixture, "a1"), AG_TURN_HELD);
    assert_int_equal(ask(fixture, "a2"), AG_TURN_WAITING);
    assert_int_equal(ask(fixture, "a3"), AG_TURN_WAITING);
    assert_int_equal(ask(fixture, "a4"), AG_TURN_WAITING);
    assert_int_equal(ask(fixture, "a5"), AG_TURN_NONE);
    assert_string_equal(fixture->order, "");
    assert_int_equal(ask(fixture, "b1"), AG_TURN_WAITING);
    assert_string_equal(fixture->order, "-a4");
    assert_int_equal(ask(fixture, "b2"),
                     AG_TURN_NONE); /* two of a's and one of b's: no better than a's own */
    end(fixture, "a1");
    assert_string_equal(fixture->order, "-a4 a2");
    end_all(fixture);
}

static void who_leaves_the_line_is_not_called(void **state)
{
    struct fixture *fixture = open_turns(1, 3);
    (void)state;
    assert_int_equal(ask(fixture, "a1"), AG_TURN_HELD);
    assert_int_equal(ask(fixture, "a2"), AG_TURN_WAITING);
    assert_int_equal(ask(fixture, "b1"), AG_TURN_WAITING);
    end(fixture, "a2");
    end(fixture, "a1");
    assert_string_equal(fixture->order, "b1");
    end(fixture, "b1");
    end(fixture, "b1"); /* twice harms nothing */
    assert_int_equal(ask(fixture, "c1"), AG_TURN_HELD);
    end_all(fixture);
}

static void who_waits_too_long_is_dropped(void **state)
{
    struct fixture *fixture = open_turns(1, 3);
    (void)state;
    fixture->wait_ms = 1;
    const uint64_t begin_ns = uv_hrtime();
    assert_int_equal(ask(fixture, "a1"), AG_TURN_HELD);
    assert_int_equal(ask(fixture, "a2"), AG_TURN_WAITING);
    assert_int_equal(ask(fixture, "b1"), AG_TURN_WAITING);
    uv_run(&fixture->loop, UV_RUN_DEFAULT); /* ends when nobody waits any more */
    assert_string_equal(fixture->order, "-a2 -b1");
    assert_in_range(ag_turns_wait_s(fixture->turns), 1, 1 + (uv_hrtime() - begin_ns) / 1000000000);
    end_all(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(askers_take_turns_whatever_the_length_of_their_lines),
        cmocka_unit_test(the_last_quarter_of_the_places_is_not_for_one_asker),
        cmocka_unit_test(a_full_line_drops_the_newest_of_who_waits_with_the_most),
        cmocka_unit_test(who_leaves_the_line_is_not_called),
        cmocka_unit_test(who_waits_too_long_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
