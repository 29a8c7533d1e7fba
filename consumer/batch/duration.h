/*
 * Durations as the rollups keep them: whole microseconds and a logarithmic bucket (DDSketch, Masson et al.,
 * VLDB 2019): bucket b holds durations of (γ^(b-1), γ^b] µs with γ = 1.06, so the middle of a bucket is
 * within 3 % of every value in it. logmill.duration_us and logmill.duration_bucket in sql/ compute the same
 * to the bit.
 */
#ifndef LOGMILL_CONSUMER_BATCH_DURATION_H
#define LOGMILL_CONSUMER_BATCH_DURATION_H

#include <stdint.h>

/* Microseconds, rounded half to even, at most 2^53 (285 years). `ms` is not NaN and not negative. */
int64_t co_duration_us(double ms);
#define CO_DURATION_BUCKET_MAX 631
/* 0 for at most 1 µs, else ceil(ln(µs) / ln 1.06) of the same capped duration, unrounded: at most the above.
 */
int16_t co_duration_bucket(double ms);

#endif
