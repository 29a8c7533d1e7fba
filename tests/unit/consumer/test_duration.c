/* The table of values is checked against the formula; with LOGMILL_TEST_POSTGRES_URL also against the SQL
 * functions, whose text is taken from sql/0003_rollups.sql and created as temporary functions. */
#include "tests/unit/common/record_fixture.h"

#include "consumer/batch/duration.h"

#include <libpq-fe.h>
#include <math.h>

static void microseconds_round_halves_to_even_and_stop_at_2_53(void **state)
{
    (void)state;
    assert_int_equal(co_duration_us(0), 0);
    assert_int_equal(co_duration_us(-0.0), 0);
    assert_int_equal(co_duration_us(0.0005), 0);
    assert_int_equal(co_duration_us(0.0015), 2);
    assert_int_equal(co_duration_us(12.3456), 12346);
    assert_int_equal(co_duration_us(9007199254740.992), INT64_C(1) << 53);
    assert_int_equal(co_duration_us(1e300), INT64_C(1) << 53);
    assert_int_equal(co_duration_us(INFINITY), INT64_C(1) << 53);
}

/* Of a bucket, in milliseconds: 2γ^b / (γ + 1). */
static double middle_of(int16_t bucket)
{
    return 2 * pow(1.06, bucket) / 2.06 / 1000;
}

static void a_bucket_stands_for_its_values_within_three_percent(void **state)
{
    (void)state;
    assert_int_equal(co_duration_bucket(0), 0);
    assert_int_equal(co_duration_bucket(0.001), 0);
    assert_int_equal(co_duration_bucket(1e300), 631);
    for (double ms = 0.0011; ms < 1e12; ms *= 1.0137) {
        double back = middle_of(co_duration_bucket(ms));
        if (fabs(back - ms) > 0.03 * ms)
            fail_msg("%g ms comes back as %g", ms, back);
    }
}

enum { SAMPLES = 3000, PARTS = 7, BUCKETS = 632, SHAPES = 6 };

static double between(double low, double high)
{
    return low + (high - low) * rand() / RAND_MAX;
}

/* Milliseconds, from a µs up to days. */
static double sample(int shape)
{
    double u = between(1e-9, 1);

    switch (shape) {
    case 0:
        return between(0.001, 500);
    case 1:
        return 0.001 - 20 * log(u); /* exponential */
    case 2:
        return exp(between(-2, 4) + between(-2, 4) + between(-2, 4)); /* nearly lognormal */
    case 3:
        return 0.5 / pow(u, 1.2); /* a long tail */
    case 4:
        return rand() % 10 > 0 ? between(1, 1.5) : between(30000, 30100); /* answers and time-outs */
    default:
        return 17.25;
    }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The duration that `rank` (from 1) of those counted lie at or below. */
static double at_rank(const int64_t counts[BUCKETS], int64_t rank)
{
    int16_t bucket = 0;

    for (int64_t seen = counts[0]; seen < rank; seen += counts[bucket])
        bucket++;
    return middle_of(bucket);
}

static void every_quantile_of_merged_parts_is_that_of_all_within_five_percent(void **state)
{
    static double values[SAMPLES];
    static int64_t parts[PARTS][BUCKETS], merged[2][BUCKETS], whole[BUCKETS];
    (void)state;

    for (int shape = 0; shape < SHAPES; shape++) {
        srand((unsigned)shape + 1);
        memset(parts, 0, sizeof parts);
        memset(merged, 0, sizeof merged);
        memset(whole, 0, sizeof whole);
        for (int i = 0; i < SAMPLES; i++) {
            values[i] = sample(shape);
            whole[co_duration_bucket(values[i])]++;
            parts[rand() % PARTS][co_duration_bucket(values[i])]++;
        }
        /* In two orders: one after the other, and backwards starting in the middle. */
        for (int part = 0; part < PARTS; part++) {
            for (int bucket = 0; bucket < BUCKETS; bucket++) {
                merged[0][bucket] += parts[part][bucket];
                merged[1][bucket] += parts[(2 * PARTS + 3 - part) % PARTS][bucket];
            }
        }
        assert_memory_equal(merged[0], whole, sizeof whole);
        assert_memory_equal(merged[1], whole, sizeof whole);
        qsort(values, SAMPLES, sizeof values[0], by_value);
        for (int rank = 1; rank <= SAMPLES; rank++) {
            double estimate = at_rank(whole, rank), exact = values[rank - 1];
            if (fabs(estimate - exact) > 0.05 * exact)
                fail_msg("shape %d, rank %d: %g ms for %g ms", shape, rank, estimate, exact);
        }
    }
}

static double random_ms(int i)
{
    static const double edges[] = {
        0,    0.0005,  0.001, 0.0010000000000000002, 0.0015, 0.0025, 1e-320,  1,
        1000, 0.00106, 1e300, 9007199254740.992,     1e17,   5e-324, 1.7e308, 86400000};
    double value;

    if (i < (int)(sizeof edges / sizeof edges[0]))
        return edges[i];
    if (i % 3 == 0) /* the edge of a bucket, and the doubles next to it */
        value = nextafter(pow(1.06, i % 600) / 1000, i % 2 == 0 ? 0 : 1e300);
    else if (i % 3 == 1)
        value = (rand() % 2000001) / 2000.0;
    else
        value = (double)rand() / RAND_MAX * pow(10, rand() % 16 - 4);
    return value;
}

/* The two function definitions, made temporary. */
static char *sql_functions(void)
{
    char *text = calloc(1, 1 << 16), *out = calloc(1, 1 << 16);
    FILE *file = fopen(LOGMILL_SOURCE_DIR "/sql/0003_rollups.sql", "rb");

    assert_non_null(file);
    (void)!fread(text, 1, (1 << 16) - 1, file);
    fclose(file);
    char *from = strstr(text, "CREATE FUNCTION logmill.duration_us");
    char *end = strstr(text, "-- duration_buckets[i]");
    assert_true(from != NULL && end != NULL);
    *end = '\0';
    for (char *hit; (hit = strstr(from, "logmill.")) != NULL; from = hit + strlen("logmill.")) {
        strncat(out, from, (size_t)(hit - from));
        strcat(out, "pg_temp.");
    }
    strcat(out, from);
    free(text);
    return out;
}

static void sql_agrees_to_the_bit(void **state)
{
    enum { VALUES = 50000 };
    const char *url = getenv("LOGMILL_TEST_POSTGRES_URL");
    struct fixture *f = *state;

    if (url == NULL) {
        printf("LOGMILL_TEST_POSTGRES_URL is not set: the SQL functions are not compared\n");
        skip();
    }
    PGconn *connection = PQconnectdb(url);
    char *functions = sql_functions();
    PGresult *result = PQexec(connection, functions);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        fail_msg("%s", PQerrorMessage(connection));
    PQclear(result);
    free(functions);
    srand(42);
    double *values = calloc(VALUES, sizeof *values);
    lm_buffer_append_char(&f->buffer, '{');
    for (int i = 0; i < VALUES; i++) {
        values[i] = random_ms(i);
        lm_buffer_printf(&f->buffer, "%s%.17g", i > 0 ? "," : "", values[i]);
    }
    lm_buffer_append_char(&f->buffer, '}');
    const char *parameters[] = {lm_buffer_text(&f->buffer)};
    result = PQexecParams(connection,
                          "SELECT pg_temp.duration_us(v), pg_temp.duration_bucket(v) "
                          "FROM unnest($1::double precision[]) WITH ORDINALITY u(v, i) ORDER BY i",
                          1, NULL, parameters, NULL, NULL, 0);
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        fail_msg("%s", PQerrorMessage(connection));
    assert_int_equal(PQntuples(result), VALUES);
    for (int i = 0; i < VALUES; i++) {
        if (atoll(PQgetvalue(result, i, 0)) != co_duration_us(values[i]) ||
            atoi(PQgetvalue(result, i, 1)) != co_duration_bucket(values[i]))
            fail_msg("%.17g ms: SQL %s µs bucket %s, C %lld µs bucket %d", values[i],
                     PQgetvalue(result, i, 0), PQgetvalue(result, i, 1), (long long)co_duration_us(values[i]),
                     co_duration_bucket(values[i]));
    }
    PQclear(result);
    PQfinish(connection);
    free(values);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(microseconds_round_halves_to_even_and_stop_at_2_53),
        cmocka_unit_test(a_bucket_stands_for_its_values_within_three_percent),
        cmocka_unit_test(every_quantile_of_merged_parts_is_that_of_all_within_five_percent),
        FIXTURE_TEST(sql_agrees_to_the_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
