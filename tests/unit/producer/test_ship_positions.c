/* Positions over restarts, cuts, damage; and the window of what is on its way. */
#include "producer/ship/positions.h"
#include "producer/ship/window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const struct sh_identity app = {1, UINT64_MAX, 12345, 0xFEDCBA9876543210};

static int make_path(void **state)
{
    char *path = strdup("/tmp/logmill-positions-XXXXXX");
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    close(fd);
    unlink(path);
    *state = path;
    return 0;
}

static int remove_path(void **state)
{
    static const char *const suffixes[] = {"", ".broken", ".lock"};

    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        char *path;

        assert_true(asprintf(&path, "%s%s", (char *)*state, suffixes[i]) > 0);
        unlink(path);
        free(path);
    }
    free(*state);
    return 0;
}

static struct sh_positions *open_positions(const char *path)
{
    struct sh_positions *positions;
    struct lm_error error;

    if (sh_positions_open(path, &positions, &error) != 0) {
        fail_msg("%s", error.text);
    }
    return positions;
}

static void a_saved_position_is_there_after_a_restart(void **state)
{
    struct sh_positions *positions = open_positions(*state);
    struct sh_position *position = sh_positions_of(positions, &app, "/var/log/app.log");
    struct lm_error error;

    assert_int_equal(position->offset, 0);
    sh_position_advance(positions, position, 100);
    assert_int_equal(sh_position_cut(positions, position, 150), 0);
    assert_int_equal(sh_positions_save(positions, &error), 0);
    sh_positions_free(positions);

    positions = open_positions(*state);
    position = sh_positions_of(positions, &app, "/var/log/app.log.1");
    assert_int_equal(position->offset, 100);
    assert_true(sh_position_is_cut(position, 150));
    sh_position_advance(positions, position, 150);
    assert_false(sh_position_is_cut(position, 150));
    sh_position_advance(positions, position, 120);
    assert_int_equal(position->offset, 150);
    sh_positions_free(positions);
}

static void a_second_shipper_with_the_same_file_is_refused(void **state)
{
    struct sh_positions *first = open_positions(*state), *second;
    struct lm_error error;

    assert_int_equal(sh_positions_open(*state, &second, &error), -1);
    assert_int_equal(error.decision, LM_FATAL);
    assert_non_null(strstr(error.text, "--positions"));
    sh_positions_free(first);
    second = open_positions(*state);
    sh_positions_free(second);
}

static void another_file_in_the_same_place_begins_at_zero(void **state)
{
    struct sh_identity other = app;
    struct sh_positions *positions = open_positions(*state);

    sh_position_advance(positions, sh_positions_of(positions, &app, "a"), 100);
    other.first_line++;
    assert_int_equal(sh_positions_of(positions, &other, "a")->offset, 0);
    sh_positions_free(positions);
}

static void a_renewed_position_gives_another_source(void **state)
{
    struct sh_positions *positions = open_positions(*state);
    struct sh_position *position = sh_positions_of(positions, &app, "a");
    int64_t before = sh_identity_source(&position->identity, position->generation);

    assert_int_equal(before, sh_identity_source(&app, 0));
    sh_position_renew(positions, position, 40);
    assert_int_equal(position->offset, 40);
    assert_int_not_equal(before, sh_identity_source(&position->identity, position->generation));
    sh_positions_free(positions);
}

static void a_damaged_file_is_set_aside_and_delivery_begins_anew(void **state)
{
    static const char *const damaged[] = {"{", "[{\"path\":\"a\"}]", "[1]", "{}", ""};

    for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
        FILE *file = fopen(*state, "w");
        struct sh_positions *positions;
        char aside[200];

        assert_non_null(file);
        fputs(damaged[i], file);
        fclose(file);
        positions = open_positions(*state);
        snprintf(aside, sizeof(aside), "%s.broken", (char *)*state);
        assert_int_equal(access(aside, F_OK), 0);
        assert_int_equal(sh_positions_of(positions, &app, "a")->offset, 0);
        sh_positions_free(positions);
        unlink(aside);
    }
}

static void a_folder_that_cannot_be_written_is_said_at_the_start(void **state)
{
    struct sh_positions *positions;
    struct lm_error error;

    (void)state;
    assert_int_equal(sh_positions_open("/proc/nowhere/positions", &positions, &error), -1);
    assert_non_null(strstr(error.text, "/proc/nowhere/positions"));
}

static void more_cuts_than_can_be_held_are_refused(void **state)
{
    struct sh_positions *positions = open_positions(*state);
    struct sh_position *position = sh_positions_of(positions, &app, "a");

    for (int64_t i = 1; i <= SH_MAX_CUTS; i++) {
        assert_int_equal(sh_position_cut(positions, position, i), 0);
    }
    assert_int_equal(sh_position_cut(positions, position, 5), 0);
    assert_int_equal(sh_position_cut(positions, position, 1000), -1);
    sh_positions_free(positions);
}

static void count_moves(struct sh_window *window, void *context)
{
    (void)window;
    (*(int *)context)++;
}

static struct sh_sent *send(struct sh_window *window, int64_t end)
{
    struct sh_sent *sent = sh_window_prepare(window, end);

    assert_non_null(sent);
    sh_window_add(sent);
    return sent;
}

static void delivered_moves_only_without_a_gap(void **state)
{
    int moves = 0;
    struct sh_window window = {.moved = count_moves, .context = &moves};
    struct sh_sent *first = send(&window, 10), *second = send(&window, 20), *third = send(&window, 30);

    (void)state;
    sh_window_end(second, SH_DELIVERED);
    assert_int_equal(window.delivered, 0);
    sh_window_end(first, SH_DELIVERED);
    assert_int_equal(window.delivered, 20);
    sh_window_end(third, SH_DELIVERED);
    assert_int_equal(window.delivered, 30);
    assert_int_equal(window.count, 0);
    assert_int_equal(moves, 3);
    sh_window_clear(&window);
}

static void a_record_that_must_go_again_stops_the_delivered_offset(void **state)
{
    int moves = 0;
    struct sh_window window = {.moved = count_moves, .context = &moves};
    struct sh_sent *first = send(&window, 10), *second = send(&window, 20), *third = send(&window, 30);

    (void)state;
    sh_window_end(first, SH_DELIVERED);
    sh_window_end(second, SH_UNDELIVERED);
    assert_true(window.gap);
    assert_false(sh_window_passed_gap(&window));
    sh_window_end(third, SH_DELIVERED);
    assert_true(sh_window_passed_gap(&window));
    assert_int_equal(window.delivered, 10);
    assert_int_equal(window.count, 0);
    sh_window_clear(&window);
}

static void a_refused_record_is_passed_over(void **state)
{
    struct sh_window window = {0};
    struct sh_sent *first = send(&window, 10), *second = send(&window, 20);

    (void)state;
    sh_window_end(first, SH_REFUSED);
    sh_window_end(second, SH_DELIVERED);
    assert_false(window.gap);
    assert_int_equal(window.delivered, 20);
    assert_null(window.oldest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_saved_position_is_there_after_a_restart, make_path, remove_path),
        cmocka_unit_test_setup_teardown(a_second_shipper_with_the_same_file_is_refused, make_path,
                                        remove_path),
        cmocka_unit_test_setup_teardown(another_file_in_the_same_place_begins_at_zero, make_path,
                                        remove_path),
        cmocka_unit_test_setup_teardown(a_renewed_position_gives_another_source, make_path, remove_path),
        cmocka_unit_test_setup_teardown(a_damaged_file_is_set_aside_and_delivery_begins_anew, make_path,
                                        remove_path),
        cmocka_unit_test(a_folder_that_cannot_be_written_is_said_at_the_start),
        cmocka_unit_test_setup_teardown(more_cuts_than_can_be_held_are_refused, make_path, remove_path),
        cmocka_unit_test(delivered_moves_only_without_a_gap),
        cmocka_unit_test(a_record_that_must_go_again_stops_the_delivered_offset),
        cmocka_unit_test(a_refused_record_is_passed_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
