#include "consumer/batch/duration.h"

#include <math.h>

/* 2^53 µs in milliseconds: exact as a double, and what the SQL functions cap at as well. */
static const double longest_ms = 9007199254740.992;
/* ln 1.06, written out so that C and PostgreSQL divide by the same double. */
static const double ln_gamma = 0.05826890812397576;

int64_t co_duration_us(double ms)
{
    return (int64_t)rint(fmin(ms, longest_ms) * 1000);
}

int16_t co_duration_bucket(double ms)
{
    double us = fmin(ms, longest_ms) * 1000;

    if (us <= 1)
        return 0;
    return (int16_t)ceil(log(us) / ln_gamma);
}
