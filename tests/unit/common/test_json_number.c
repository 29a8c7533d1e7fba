#include "tests/unit/common/record_fixture.h"

#include "common/json_number.h"

#include <math.h>

static void integers_are_exact_or_refused(void **state)
{
    static const struct {
        const char *text;
        bool fits;
        int64_t value;
    } cases[] = {
        {"0", true, 0},
        {"-0", true, 0},
        {"1e3", true, 1000},
        {"1.0", true, 1},
        {"1.50e1", true, 15},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"922337203685477580.7e1", true, INT64_MAX},
        {"1.5", false, 0},
        {"1e-1", false, 0},
        {"1e400", false, 0},
        {"0e999999999999", true, 0},
        {"1e-999999999999", false, 0},
        {"100000000000000000000000000000000000000000000000000000000000000000000", false, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t value = -1;
        int result = lm_json_int64(slice_of(cases[i].text), &value);
        if ((result == 0) != cases[i].fits || (cases[i].fits && value != cases[i].value))
            fail_msg("%s: %d, %lld", cases[i].text, result, (long long)value);
    }
}

static void integers_of_any_length_are_read(void **state)
{
    (void)state;
    srand(3);
    for (int i = 0; i < 20000; i++) {
        char text[32];
        uint64_t random = (uint64_t)rand() << 33 ^ (uint64_t)rand() << 8 ^ (uint64_t)rand();
        int64_t value, number = (int64_t)(random >> (1 + rand() % 63));
        number = rand() % 2 == 0 ? number : -number;
        snprintf(text, sizeof text, "%lld", (long long)number);
        assert_int_equal(lm_json_int64(slice_of(text), &value), 0);
        assert_int_equal(value, number);
        assert_true(lm_json_is_number(text, strlen(text)));
        text[(size_t)rand() % strlen(text)] = "/:-x"[rand() % 4];
        assert_int_equal(lm_json_is_number(text, strlen(text)),
                         text[0] == '-' && text[1] != '\0' &&
                             strspn(text + 1, "0123456789") == strlen(text + 1) &&
                             (text[1] != '0' || text[2] == '\0'));
    }
}

static void scaling_rounds_by_digits(void **state)
{
    static const struct {
        const char *text;
        int shift;
        int64_t value;
    } cases[] = {
        {"1700000000.123456", 6, 1700000000123456},
        {"1700000000.1234559999", 6, 1700000000123456},
        {"1700000000.1234560013580322265625", 6, 1700000000123456},
        {"-1.5", 0, -2},
        {"1700000000123456789", -3, 1700000000123457},
        {"1544712660300000000", -3, 1544712660300000},
        {"0.4999999999999999999999999999999999999999999999999999999", 0, 0},
        {"0.5", 0, 1},
        {"1e-30", 6, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t value = -1;
        assert_int_equal(lm_json_scaled(slice_of(cases[i].text), cases[i].shift, &value), 0);
        assert_int_equal(value, cases[i].value);
    }
}

static void doubles_are_the_nearest(void **state)
{
    static const char *const cases[] = {"0",
                                        "-0.0",
                                        "1.5",
                                        "0.1",
                                        "123456.789",
                                        "1e22",
                                        "1e23",
                                        "5e-324",
                                        "1e-400",
                                        "2.2250738585072011e-308",
                                        "9007199254740993",
                                        "1.7976931348623157e308",
                                        "-123456789012345678901234567890",
                                        "0.1000000000000000055511151231257827021181583404541015625"};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double expected = strtod(cases[i], NULL), value = lm_json_double(slice_of(cases[i]));
        if (memcmp(&expected, &value, sizeof value) != 0)
            fail_msg("%s: %.17g, expected %.17g", cases[i], value, expected);
    }
    assert_true(isinf(lm_json_double(slice_of("1e309"))));
    assert_true(lm_json_double(slice_of("-1e99999999")) < 0);
    srand(7);
    for (int i = 0; i < 40000; i++) {
        char text[64];
        double d = (double)rand() / (double)(1 + rand() % 1000000) * pow(10, rand() % 40 - 20);
        if (i % 2 == 0)
            snprintf(text, sizeof text, "%.*g", 3 + rand() % 15, d);
        else /* up to 22 digits and a point anywhere behind the first */
            snprintf(text, sizeof text, "%d.%0*d%d", rand() >> rand() % 31, 1 + rand() % 9, rand() % 10,
                     rand());
        double expected = strtod(text, NULL), value = lm_json_double(slice_of(text));
        if (memcmp(&expected, &value, sizeof value) != 0)
            fail_msg("%s: %.17g, expected %.17g", text, value, expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_exact_or_refused),
        cmocka_unit_test(integers_of_any_length_are_read),
        cmocka_unit_test(scaling_rounds_by_digits),
        cmocka_unit_test(doubles_are_the_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
