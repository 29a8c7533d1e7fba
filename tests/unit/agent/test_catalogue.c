/* Names: exact, by part, nearest. */
#include "agent/catalogue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct ag_catalogue *some(void)
{
    static const struct {
        enum ag_kind kind;
        const char *value;
        int64_t n;
    } names[] = {
        {AG_KIND_SERVICE, "payment-service", 900},
        {AG_KIND_SERVICE, "order-service", 800},
        {AG_KIND_SERVICE, "payment-gateway", 100},
        {AG_KIND_SERVICE, "결제서비스", 10},
        {AG_KIND_HOST, "web-03", 5},
        {AG_KIND_ERROR_TYPE, "PaymentGatewayTimeout", 7},
        {AG_KIND_ERROR_TYPE, "HTTPClientError", 2},
        {AG_KIND_COMPONENT, "order-service", 1},
        {AG_KIND_SERVICE, "order-service", 5},
        {AG_KIND_METADATA_KEY, "tenant_id", 4},
    };
    struct ag_catalogue *c = ag_catalogue_new();

    assert_non_null(c);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(ag_catalogue_add(c, names[i].kind, names[i].value, names[i].n), 0);
    assert_int_equal(ag_catalogue_seal(c), 0);
    return c;
}

static void equal_names_are_one_and_their_counts_add_up(void **state)
{
    struct ag_catalogue *c = some();

    (void)state;
    assert_int_equal(ag_catalogue_count(c, AG_KIND_SERVICE), 4);
    assert_int_equal(ag_catalogue_exact(c, AG_KIND_SERVICE, "order-service")->n, 805);
    assert_null(ag_catalogue_exact(c, AG_KIND_SERVICE, "Order-Service"));
    ag_catalogue_free(c);
}

static void names_are_found_folded_and_of_every_kind(void **state)
{
    struct ag_catalogue *c = some();
    const struct ag_name *found[4];

    (void)state;
    assert_int_equal(ag_catalogue_find(c, "order-service", 13, found, 4), 2);
    assert_int_equal(ag_catalogue_find(c, "paymentgatewaytimeout", 21, found, 4), 1);
    assert_string_equal(found[0]->value, "PaymentGatewayTimeout");
    assert_int_equal(ag_catalogue_find(c, "order", 5, found, 4), 0);
    assert_int_equal(ag_catalogue_find(c, "결제서비스", strlen("결제서비스"), found, 4), 1);
    assert_true(ag_catalogue_may_start(c, "web", 3));
    assert_false(ag_catalogue_may_start(c, "zebra", 5));
    ag_catalogue_free(c);
}

static void parts_split_at_joints_and_at_changes_of_case(void **state)
{
    struct ag_catalogue *c = some();
    const struct ag_name *found[4];

    (void)state;
    assert_string_equal(ag_catalogue_exact(c, AG_KIND_ERROR_TYPE, "PaymentGatewayTimeout")->parts,
                        " payment gateway timeout ");
    assert_string_equal(ag_catalogue_exact(c, AG_KIND_ERROR_TYPE, "HTTPClientError")->parts,
                        " http client error ");
    assert_int_equal(ag_catalogue_with_part(c, AG_KIND_SERVICE, "payment", found, 4), 2);
    assert_int_equal(ag_catalogue_with_part(c, AG_KIND_SERVICE, "order", found, 4), 1);
    assert_int_equal(ag_catalogue_with_part(c, AG_KIND_SERVICE, "pay", found, 4), 0);
    ag_catalogue_free(c);
}

static void the_nearest_name_comes_first(void **state)
{
    struct ag_catalogue *c = some();
    const struct ag_name *found[3];

    (void)state;
    assert_true(ag_catalogue_nearest(c, AG_KIND_SERVICE, "paymnet-service", 15, found, 3) >= 1);
    assert_string_equal(found[0]->value, "payment-service");
    assert_int_equal(ag_catalogue_nearest(c, AG_KIND_SERVICE, "zzzzzz", 6, found, 3), 0);
    ag_catalogue_free(c);
}

static void edit_distance_counts_slips_up_to_its_limit(void **state)
{
    (void)state;
    assert_int_equal(ag_edit_distance("abc", 3, "abc", 3, 2), 0);
    assert_int_equal(ag_edit_distance("abc", 3, "acb", 3, 2), 1);
    assert_int_equal(ag_edit_distance("eror", 4, "error", 5, 2), 1);
    assert_int_equal(ag_edit_distance("결제", 6, "결재", 6, 2), 1);
    assert_int_equal(ag_edit_distance("kitten", 6, "sitting", 7, 2), 3);
    assert_int_equal(ag_edit_distance("", 0, "", 0, 1), 0);
}

static void the_version_is_of_names_and_not_of_counts(void **state)
{
    struct ag_catalogue *a = ag_catalogue_new();
    struct ag_catalogue *b = ag_catalogue_new();
    struct ag_catalogue *c = ag_catalogue_new();

    (void)state;
    assert_int_equal(ag_catalogue_add(a, AG_KIND_SERVICE, "x", 1), 0);
    assert_int_equal(ag_catalogue_add(b, AG_KIND_SERVICE, "x", 2), 0);
    assert_int_equal(ag_catalogue_add(c, AG_KIND_HOST, "x", 1), 0);
    assert_int_equal(ag_catalogue_seal(a) + ag_catalogue_seal(b) + ag_catalogue_seal(c), 0);
    assert_true(ag_catalogue_version(a) == ag_catalogue_version(b));
    assert_true(ag_catalogue_version(a) != ag_catalogue_version(c));
    ag_catalogue_free(a);
    ag_catalogue_free(b);
    ag_catalogue_free(c);
}

static void hostile_names_are_left_out(void **state)
{
    struct ag_catalogue *c = ag_catalogue_new();
    char text[600];

    (void)state;
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(ag_catalogue_add(c, AG_KIND_SERVICE, text, 1), 0);
    assert_int_equal(ag_catalogue_add(c, AG_KIND_SERVICE, "", 1), 0);
    assert_int_equal(ag_catalogue_add(c, AG_KIND_SERVICE, "a\x1b[0m", 1), 0);
    assert_int_equal(ag_catalogue_add(c, AG_KIND_SERVICE, "\xff\xfe", 1), 0);
    assert_int_equal(ag_catalogue_seal(c), 0);
    assert_int_equal(ag_catalogue_count(c, AG_KIND_SERVICE), 0);
    ag_catalogue_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_names_are_one_and_their_counts_add_up),
        cmocka_unit_test(names_are_found_folded_and_of_every_kind),
        cmocka_unit_test(parts_split_at_joints_and_at_changes_of_case),
        cmocka_unit_test(the_nearest_name_comes_first),
        cmocka_unit_test(edit_distance_counts_slips_up_to_its_limit),
        cmocka_unit_test(the_version_is_of_names_and_not_of_counts),
        cmocka_unit_test(hostile_names_are_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
