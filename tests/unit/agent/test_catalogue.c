/* Names: exact, by part, nearest. */
#include "agent/catalogue/catalogue.h"

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

/* -- the index says what looking at every name says -- */

#define MANY 2000
#define WANTED 5

static unsigned draw(unsigned below)
{
    static uint64_t seed = 20261121;
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)((seed >> 33) % below);
}

/* Words alike enough to be mistaken for each other, some of them in Hangul, in twos and threes; some are one
 * letter off. */
static void random_text(char *out, size_t size)
{
    static const char *const words[] = {"pay",     "payment", "order", "orders", "gate",
                                        "gateway", "web",     "결제",  "결재",   "user",
                                        "users",   "auth",    "a",     "search", "Client"};
    static const char *const joints[] = {"-", "_", ".", "", "-"};
    size_t len = 0;
    for (unsigned i = 1 + draw(3); i > 0; i--)
        len += (size_t)snprintf(out + len, size - len, "%s%s", words[draw(sizeof words / sizeof *words)],
                                i > 1 ? joints[draw(sizeof joints / sizeof *joints)] : "");
    if (draw(3) == 0)
        snprintf(out + len, size - len, "-%u", draw(40));
    else if (len > 2 && (unsigned char)out[len - 2] < 0x80 && (unsigned char)out[len - 1] < 0x80 &&
             draw(3) == 0)
        out[len - 1] = (char)('a' + draw(26));
}

static struct ag_catalogue *many(void)
{
    struct ag_catalogue *c = ag_catalogue_new();
    char text[128];

    assert_non_null(c);
    for (int i = 0; i < MANY; i++) {
        random_text(text, sizeof text);
        assert_int_equal(ag_catalogue_add(c, (enum ag_kind)draw(AG_KIND_COUNT), text, 1 + draw(4)), 0);
    }
    assert_int_equal(ag_catalogue_seal(c), 0);
    return c;
}

/* As far as the order is settled: what is as close, and as frequent, may come in any. */
static unsigned cost_of(const struct ag_name *name, const char *folded, size_t len)
{
    unsigned limit = (unsigned)(len / 2 + 2);
    if (len >= 3 && len < 64 && strstr(name->folded, folded))
        return 1;
    return 2 * ag_edit_distance(name->folded, strlen(name->folded), folded, len, limit);
}

static void the_nearest_are_those_of_a_look_at_every_name(void **state)
{
    struct ag_catalogue *c = many();

    (void)state;
    for (int i = 0; i < 400; i++) {
        const struct ag_name *found[WANTED];
        const struct ag_name *best[WANTED];
        char text[128];
        enum ag_kind kind = (enum ag_kind)draw(AG_KIND_COUNT + 1);
        size_t count = 0;
        random_text(text, sizeof text);
        size_t len = strlen(text);
        for (int k = 0; k < AG_KIND_COUNT; k++) {
            size_t n =
                kind == AG_KIND_COUNT || kind == (enum ag_kind)k ? ag_catalogue_count(c, (enum ag_kind)k) : 0;
            for (size_t j = 0; j < n; j++) {
                const struct ag_name *name = ag_catalogue_at(c, (enum ag_kind)k, j);
                unsigned cost = cost_of(name, text, len);
                size_t at = count;
                if (cost > 2 * (len / 2 + 2))
                    continue;
                while (at > 0 && (cost_of(best[at - 1], text, len) > cost ||
                                  (cost_of(best[at - 1], text, len) == cost && best[at - 1]->n < name->n)))
                    at--;
                if (at == WANTED)
                    continue;
                count += count < WANTED;
                memmove((void *)(best + at + 1), (void *)(best + at), (count - at - 1) * sizeof *best);
                best[at] = name;
            }
        }
        assert_int_equal(ag_catalogue_nearest(c, kind, text, len, found, WANTED), count);
        for (size_t j = 0; j < count; j++)
            assert_ptr_equal(found[j], best[j]);
    }
    ag_catalogue_free(c);
}

struct seen {
    const struct ag_name *names[2 * MANY];
    size_t count, whole;
};

static void see(const struct ag_name *name, bool whole, void *context)
{
    struct seen *seen = context;
    for (size_t i = 0; i < seen->count; i++)
        assert_ptr_not_equal(seen->names[i], name);
    seen->names[seen->count++] = name;
    seen->whole += whole;
}

static bool part_is(const struct ag_name *name, const char *part, size_t len, bool begins)
{
    for (const char *at = name->parts; (at = strchr(at, ' ')) != NULL; at++) {
        if (at[1] != '\0' && strncmp(at + 1, part, len) == 0 && (begins || at[1 + len] == ' '))
            return true;
    }
    return false;
}

static void beginnings_and_parts_are_those_of_a_look_at_every_name(void **state)
{
    static const char *const starts[] = {"p",      "pay", "payment", "us", "결", "a",
                                         "orders", "1",   "client",  "zz", "-"};
    struct ag_catalogue *c = many();
    struct seen *seen = test_malloc(sizeof *seen);

    (void)state;
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        size_t len = strlen(starts[i]);
        size_t whole = 0;
        size_t begun = 0;
        size_t having = 0;
        for (int k = 0; k < AG_KIND_COUNT; k++) {
            for (size_t j = 0; j < ag_catalogue_count(c, (enum ag_kind)k); j++) {
                const struct ag_name *name = ag_catalogue_at(c, (enum ag_kind)k, j);
                bool starts_so = strncmp(name->folded, starts[i], len) == 0;
                whole += starts_so;
                begun += starts_so || part_is(name, starts[i], len, true);
                having += part_is(name, starts[i], len, false);
            }
        }
        seen->count = seen->whole = 0;
        ag_catalogue_starting(c, starts[i], len, see, seen);
        assert_int_equal(seen->whole, whole);
        assert_int_equal(seen->count, begun);
        seen->count = 0;
        struct ag_part_walk walk = ag_catalogue_part_walk(c, starts[i], len);
        for (const struct ag_name *name; (name = ag_catalogue_part_next(c, &walk)) != NULL;) {
            assert_true(part_is(name, starts[i], len, false));
            see(name, false, seen);
        }
        assert_int_equal(seen->count, having);
    }
    test_free(seen);
    ag_catalogue_free(c);
}

static void add_sample(struct ag_samples *samples, enum ag_field field, const char *key, const char *value)
{
    assert_int_equal(ag_samples_add(samples, field, key, value), 0);
}

static void few_values_are_known_by_themselves_and_many_by_their_form(void **state)
{
    struct ag_samples *samples = ag_samples_new();
    struct ag_catalogue *c = some();
    const struct ag_sample *found[4];
    char text[32];

    (void)state;
    assert_non_null(samples);
    assert_int_equal(ag_samples_find(ag_catalogue_samples(c), "eu", found, 4), 0);
    add_sample(samples, AG_METADATA, "region", "EU-West");
    add_sample(samples, AG_METADATA, "zone", "eu-west");
    add_sample(samples, AG_USER_ID, NULL, "pl-#");
    add_sample(samples, AG_METADATA, "region", "a\x1b[0m");
    for (int i = 0; i < 200; i++) {
        snprintf(text, sizeof text, "ord-%d", i);
        add_sample(samples, AG_METADATA, "order_id", text);
        snprintf(text, sizeof text, "%c%cx%d", 'a' + i % 26, 'a' + i / 26, i); /* of no form */
        add_sample(samples, AG_METADATA, "pod", text);
    }
    assert_int_equal(ag_samples_seal(samples), 0);
    ag_catalogue_set_samples(c, samples);
    ag_samples_drop(samples);
    assert_int_equal(ag_samples_find(ag_catalogue_samples(c), "eu-west", found, 4), 2);
    assert_string_equal(found[0]->value, "EU-West");
    assert_string_equal(found[0]->key, "region");
    assert_int_equal(ag_samples_find(ag_catalogue_samples(c), "pl-20042", found, 4), 1);
    assert_int_equal(found[0]->field, AG_USER_ID);
    assert_null(found[0]->value);
    assert_int_equal(ag_samples_find(ag_catalogue_samples(c), "ord-987654", found, 4), 1);
    assert_string_equal(found[0]->key, "order_id");
    assert_int_equal(ag_samples_find(ag_catalogue_samples(c), "aax0", found, 4), 0);
    assert_int_equal(ag_samples_find(ag_catalogue_samples(c), "pl-2004x", found, 4), 0);
    assert_int_equal(ag_samples_count(ag_catalogue_samples(c)), 4);
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
        cmocka_unit_test(hostile_names_are_left_out),
        cmocka_unit_test(the_nearest_are_those_of_a_look_at_every_name),
        cmocka_unit_test(beginnings_and_parts_are_those_of_a_look_at_every_name),
        cmocka_unit_test(few_values_are_known_by_themselves_and_many_by_their_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
