/*
 * Random expressions, written with as few parentheses as chance leaves: whatever the guard accepts it must
 * also be able to write so that it reads the same. "reads differently" is never an answer to a text made of
 * allowed parts.
 */
#include "agent/guard/guard.h"
#include "common/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW_US INT64_C(1773812120000000)
#define TEXTS 6000

struct generator {
    uint64_t state;
    struct lm_buffer out;
};

static unsigned roll(struct generator *generator, unsigned sides)
{
    generator->state = generator->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(generator->state >> 33) % sides;
}

static const char *pick(struct generator *generator, const char *const *list, unsigned count)
{
    return list[roll(generator, count)];
}

#define PICK(generator, list) pick(generator, list, (unsigned)(sizeof(list) / sizeof((list)[0])))

static void put(struct generator *generator, const char *text)
{
    lm_buffer_append_text(&generator->out, text);
}

static void expression(struct generator *generator, int depth);

/* Sometimes in parentheses, mostly not: precedence decides then. */
static void operand(struct generator *generator, int depth)
{
    const bool wrapped = roll(generator, 4) == 0;
    put(generator, wrapped ? "(" : "");
    expression(generator, depth);
    put(generator, wrapped ? ")" : "");
}

static void leaf(struct generator *generator)
{
    static const char *const leaves[] = {"service",
                                         "level",
                                         "l.message",
                                         "http_status",
                                         "duration_ms",
                                         "1",
                                         "-2",
                                         "0",
                                         "1.50",
                                         "'a''b'",
                                         "'\\x'",
                                         "NULL",
                                         "true",
                                         "false",
                                         "tags",
                                         "metadata",
                                         "now()",
                                         "created_at",
                                         "CURRENT_DATE",
                                         "1e3",
                                         "-0.5",
                                         "client_ip",
                                         "2147483648",
                                         "''",
                                         "E'\\n'",
                                         "interval '1 day'",
                                         "date '2026-03-18'"};
    put(generator, PICK(generator, leaves));
}

static void binary(struct generator *generator, int depth)
{
    static const char *const words[] = {" + ",
                                        " - ",
                                        " * ",
                                        " / ",
                                        " % ",
                                        " = ",
                                        " <> ",
                                        " != ",
                                        " < ",
                                        " <= ",
                                        " > ",
                                        " >= ",
                                        " AND ",
                                        " OR ",
                                        " -> ",
                                        " ->> ",
                                        " @> ",
                                        " <@ ",
                                        " && ",
                                        " ? ",
                                        " AND NOT ",
                                        " IS DISTINCT FROM ",
                                        " IS NOT DISTINCT FROM ",
                                        " AT TIME ZONE ",
                                        " #>> "};
    operand(generator, depth);
    put(generator, PICK(generator, words));
    operand(generator, depth);
}

static void postfix(struct generator *generator, int depth)
{
    static const char *const words[] = {" IS NULL",
                                        " IS NOT NULL",
                                        "::text",
                                        "::numeric(10,2)",
                                        " IS TRUE",
                                        " IS NOT FALSE",
                                        " IS UNKNOWN",
                                        " LIKE '%a_'",
                                        " NOT LIKE 'a'",
                                        " ILIKE '%\\%%'",
                                        " IN (1, 2)",
                                        " NOT IN (1, -2)",
                                        "::int",
                                        "::text[]",
                                        " BETWEEN 1 AND 2",
                                        " NOT BETWEEN 1 AND 2",
                                        " = ANY (tags)",
                                        " IN (SELECT value FROM log_name)",
                                        "::double precision"};
    operand(generator, depth);
    put(generator, PICK(generator, words));
}

static void call(struct generator *generator, int depth)
{
    static const char *const open[] = {"coalesce(",
                                       "greatest(",
                                       "nullif(",
                                       "concat(",
                                       "CASE WHEN ",
                                       "EXTRACT(hour FROM ",
                                       "upper(",
                                       "ARRAY[",
                                       "NOT ",
                                       "- ",
                                       "CAST(",
                                       "substring(",
                                       "EXISTS (SELECT 1 WHERE ",
                                       "(SELECT ",
                                       "position(",
                                       "trim(both 'x' from "};
    static const char *const middle[] = {", ", ", ", ", ", ", ", " THEN ", NULL, NULL,   ", ",
                                         NULL, NULL, NULL, NULL, NULL,     NULL, " IN ", NULL};
    static const char *const close[] = {")", ")", ")", ")", " ELSE 0 END", ")",
                                        ")", "]", "",  "",  " AS text)",   " FROM 2 FOR 3)",
                                        ")", ")", ")", ")"};
    const unsigned which = roll(generator, sizeof(open) / sizeof(open[0]));
    put(generator, open[which]);
    if (middle[which] != NULL && which == 14) {
        leaf(generator); /* POSITION takes no full expression on its left */
    } else {
        operand(generator, depth);
    }
    if (middle[which] != NULL) {
        put(generator, middle[which]);
        operand(generator, depth);
    }
    put(generator, close[which]);
}

static void expression(struct generator *generator, int depth)
{
    const unsigned kind = depth <= 0 ? 0 : roll(generator, 8);
    if (kind < 2) {
        leaf(generator);
    } else if (kind < 5) {
        binary(generator, depth - 1);
    } else if (kind < 7) {
        postfix(generator, depth - 1);
    } else {
        call(generator, depth - 1);
    }
}

static void whatever_is_accepted_can_be_written_to_read_the_same(void **state)
{
    (void)state;
    const struct ag_guard_limits limits = {.now_us = NOW_US};
    struct generator generator = {.state = 20260318};
    size_t passed = 0;
    lm_buffer_init(&generator.out, 1u << 20);
    for (int i = 0; i < TEXTS; i++) {
        struct ag_guard_verdict verdict;
        struct lm_error error;
        lm_buffer_clear(&generator.out);
        put(&generator, "SELECT ");
        expression(&generator, 4);
        put(&generator, " FROM logs l WHERE created_at >= '2026-03-18' AND (");
        expression(&generator, 4);
        put(&generator, ") ORDER BY ");
        expression(&generator, 2);
        assert_int_equal(ag_guard(lm_buffer_text(&generator.out), &limits, &verdict, &error), 0);
        if (strstr(verdict.reason, "reads differently") != NULL ||
            strstr(verdict.reason, "written") != NULL) {
            fail_msg("%s: %s", verdict.reason, lm_buffer_text(&generator.out));
        }
        passed += verdict.pass ? 1 : 0;
        ag_guard_verdict_free(&verdict);
    }
    lm_buffer_free(&generator.out);
    print_message("%zu of %d texts passed\n", passed, TEXTS);
    assert_true(passed > TEXTS / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_is_accepted_can_be_written_to_read_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
