/*
 * How well ids group messages. The files hold lines in the formats of many systems, each with the event that
 * made it (line, tab, system.event): pattern_groups.tsv is what the rules were tuned on, in
 * pattern_groups_unseen.tsv are other systems, written before and measured after.
 *
 * Measured as the Loghub benchmarks do, by system, then averaged: grouping accuracy is the share of lines
 * whose group holds all lines of their event and no others, F1 the same over groups.
 */
#include "tests/unit/common/record_fixture.h"

#include "common/pattern/pattern.h"

enum { LINES_MAX = 600, SYSTEM_MAX = 32 };

struct line {
    char event[SYSTEM_MAX];
    int64_t id;
};

struct score {
    double accuracy, f1;
};

static size_t read_lines(struct fixture *f, const char *path, struct line *lines)
{
    FILE *file = fopen(path, "r");
    char text[4096];
    size_t count = 0;

    assert_non_null(file);
    while (fgets(text, sizeof text, file) != NULL) {
        char *tab = strchr(text, '\t');
        assert_non_null(tab);
        assert_true(count < LINES_MAX);
        lines[count].id = lm_pattern(text, (size_t)(tab - text), &f->buffer);
        snprintf(lines[count].event, sizeof lines[count].event, "%.*s", (int)strcspn(tab + 1, "\n"), tab + 1);
        count++;
    }
    fclose(file);
    return count;
}

/* Whether line i's group and event are the same lines, and whether it is the first of either. */
static bool agrees(const struct line *lines, size_t from, size_t to, size_t i, bool *new_group,
                   bool *new_event)
{
    bool agree = true;

    *new_group = *new_event = true;
    for (size_t k = from; k < to; k++) {
        bool group = lines[k].id == lines[i].id, event = strcmp(lines[k].event, lines[i].event) == 0;
        agree = agree && group == event;
        *new_group = *new_group && !(group && k < i);
        *new_event = *new_event && !(event && k < i);
    }
    return agree;
}

static struct score score_system(const struct line *lines, size_t from, size_t to)
{
    size_t right = 0, right_groups = 0, groups = 0, events = 0;

    for (size_t i = from; i < to; i++) {
        bool new_group, new_event;
        bool agree = agrees(lines, from, to, i, &new_group, &new_event);
        right += agree;
        groups += new_group;
        events += new_event;
        right_groups += agree && new_group;
    }
    return (struct score){(double)right / (double)(to - from),
                          2.0 * (double)right_groups / (double)(groups + events)};
}

static struct score score_file(struct fixture *f, const char *path)
{
    static struct line lines[LINES_MAX];
    struct score mean = {0, 0};
    size_t count = read_lines(f, path, lines), systems = 0;

    for (size_t from = 0, to = 0; from < count; from = to, systems++) {
        size_t system = strcspn(lines[from].event, ".") + 1;
        while (to < count && strncmp(lines[to].event, lines[from].event, system) == 0)
            to++;
        struct score score = score_system(lines, from, to);
        print_message("%-12.*s accuracy %.3f F1 %.3f\n", (int)system - 1, lines[from].event, score.accuracy,
                      score.f1);
        mean.accuracy += score.accuracy;
        mean.f1 += score.f1;
    }
    mean.accuracy /= (double)systems;
    mean.f1 /= (double)systems;
    print_message("%zu systems      accuracy %.3f F1 %.3f\n", systems, mean.accuracy, mean.f1);
    return mean;
}

static void known_systems_group_by_event(void **state)
{
    struct score score = score_file(*state, LOGMILL_SOURCE_DIR "/tests/data/pattern_groups.tsv");
    assert_true(score.accuracy >= 0.97);
    assert_true(score.f1 >= 0.97);
}

static void unseen_systems_group_by_event(void **state)
{
    struct score score = score_file(*state, LOGMILL_SOURCE_DIR "/tests/data/pattern_groups_unseen.tsv");
    assert_true(score.accuracy >= 0.95);
    assert_true(score.f1 >= 0.93);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(known_systems_group_by_event),
        FIXTURE_TEST(unseen_systems_group_by_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
