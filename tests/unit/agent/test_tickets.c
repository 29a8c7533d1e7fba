/* Tickets: good once, for their time, and in bounded number. */
#include "agent/access/tickets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW (100 * INT64_C(1000000))
#define LIFE (AG_TICKET_S * INT64_C(1000000))

static struct ag_shown_key key_of(unsigned number)
{
    struct ag_shown_key key = {.digest = {(uint8_t)number}};
    snprintf(key.prefix, sizeof(key.prefix), "%08u", number);
    return key;
}

/* False: there are too many. */
static bool give(struct ag_tickets *tickets, unsigned number, int64_t now, char out[AG_TICKET_SIZE])
{
    const struct ag_shown_key key = key_of(number);
    struct lm_error error;
    const int result = ag_ticket_give(tickets, &key, now, out, &error);
    if (result != 0)
        assert_string_equal(error.kind, "many");
    return result == 0;
}

static bool take(struct ag_tickets *tickets, const char *text, int64_t now)
{
    struct ag_shown_key key;
    return ag_ticket_take(tickets, text, now, &key);
}

static void a_ticket_is_worth_its_key_once(void **state)
{
    struct ag_tickets *tickets = ag_tickets_new();
    char first[AG_TICKET_SIZE], second[AG_TICKET_SIZE];
    struct ag_shown_key key;
    (void)state;
    assert_true(give(tickets, 1, NOW, first));
    assert_true(give(tickets, 2, NOW, second));
    assert_int_equal(strlen(first), AG_TICKET_SIZE - 1);
    assert_string_not_equal(first, second);
    assert_true(ag_ticket_take(tickets, first, NOW, &key));
    assert_string_equal(key.prefix, "00000001");
    assert_int_equal(key.digest[0], 1);
    assert_false(take(tickets, first, NOW));
    assert_true(take(tickets, second, NOW + LIFE - 1));
    ag_tickets_free(tickets);
}

static void what_is_none_or_too_old_is_not_taken(void **state)
{
    struct ag_tickets *tickets = ag_tickets_new();
    char ticket[AG_TICKET_SIZE], other[AG_TICKET_SIZE];
    (void)state;
    assert_false(take(tickets, "", NOW));
    assert_true(give(tickets, 1, NOW, ticket));
    memcpy(other, ticket, sizeof(other));
    other[0] = other[0] == '0' ? '1' : '0';
    assert_false(take(tickets, other, NOW));
    other[0] = '\0';
    assert_false(take(tickets, other, NOW));
    assert_false(take(tickets, ticket, NOW + LIFE));
    assert_false(take(tickets, ticket, NOW)); /* it is gone, not only passed over */
    ag_tickets_free(tickets);
}

static void a_key_has_so_many_and_all_have_so_many(void **state)
{
    struct ag_tickets *tickets = ag_tickets_new();
    char ticket[AG_TICKET_SIZE];
    (void)state;
    for (unsigned i = 0; i < AG_TICKETS; i++) {
        assert_true(give(tickets, i / AG_TICKETS_EACH, NOW + i, ticket));
        if (i == AG_TICKETS_EACH - 1)
            assert_false(give(tickets, 0, NOW + i, ticket));
    }
    assert_false(give(tickets, 999, NOW, ticket));
    assert_true(take(tickets, ticket, NOW));
    assert_true(give(tickets, 999, NOW, ticket));
    assert_true(give(tickets, 0, NOW + LIFE, ticket)); /* the first is over */
    assert_false(give(tickets, 0, NOW + LIFE, ticket));
    ag_tickets_free(tickets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ticket_is_worth_its_key_once),
        cmocka_unit_test(what_is_none_or_too_old_is_not_taken),
        cmocka_unit_test(a_key_has_so_many_and_all_have_so_many),
    };
    return cmocka_run_group_tests_name("tickets", tests, NULL, NULL);
}
