#include "common/json_number.h"

#include <endian.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EACH_BYTE UINT64_C(0x0101010101010101)

/* numeric holds 131,072 digits before the point and 16,383 behind it; nothing a log carries comes near these.
 */
enum { NUMERIC_MAX_TEXT = 10000, NUMERIC_MAX_EXPONENT = 10000 };
enum { SHORT_DIGITS = 19 /* and a point; always fit 64 bits */ };

static const uint64_t powers_of_ten[SHORT_DIGITS + 1] = {1,
                                                         10,
                                                         100,
                                                         1000,
                                                         10000,
                                                         100000,
                                                         1000000,
                                                         10000000,
                                                         100000000,
                                                         1000000000,
                                                         10000000000,
                                                         100000000000,
                                                         1000000000000,
                                                         10000000000000,
                                                         100000000000000,
                                                         1000000000000000,
                                                         10000000000000000,
                                                         100000000000000000,
                                                         1000000000000000000,
                                                         UINT64_C(10000000000000000000)};

static bool is_digit(char c)
{
    return (unsigned char)(c - '0') <= 9;
}

/* Eight bytes that are all digits, the first in the lowest byte: in such a byte the upper half is 3 and stays
 * so when 6 is added. */
static bool are_digits(uint64_t bytes)
{
    return ((bytes & (EACH_BYTE * 0xF0)) | ((bytes + EACH_BYTE * 6) & (EACH_BYTE * 0xF0)) >> 4) ==
           EACH_BYTE * 0x33;
}

static uint64_t load8(const char *p)
{
    uint64_t bytes;

    memcpy(&bytes, p, sizeof bytes);
    return le64toh(bytes);
}

/* Their number: neighbours are joined to pairs, pairs to fours, fours to eight digits. */
static uint64_t joined(uint64_t bytes)
{
    bytes = (bytes & (EACH_BYTE * 0x0F)) * (1 + (10 << 8)) >> 8;
    bytes = (bytes & UINT64_C(0x00FF00FF00FF00FF)) * (1 + (100 << 16)) >> 16;
    return (bytes & UINT64_C(0x0000FFFF0000FFFF)) * (1 + (UINT64_C(10000) << 32)) >> 32;
}

static const char *digits_end(const char *p, const char *end)
{
    while (end - p >= 8 && are_digits(load8(p)))
        p += 8;
    while (p < end && is_digit(*p))
        p++;
    return p;
}

/* Over one digit at least: false where there is none. */
static bool digits(const char **at, const char *end)
{
    const char *start = *at;

    *at = digits_end(start, end);
    return *at > start;
}

const char *lm_json_number_end(const char *at, const char *end)
{
    if (at < end && *at == '-')
        at++;
    if (at < end && *at == '0')
        at++;
    else if (!digits(&at, end))
        return NULL;
    if (at < end && *at == '.') {
        at++;
        if (!digits(&at, end))
            return NULL;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-'))
            at++;
        if (!digits(&at, end))
            return NULL;
    }
    return at;
}

bool lm_json_is_number(const char *text, size_t len)
{
    return len > 0 && lm_json_number_end(text, text + len) == text + len;
}

/* ± digits / 10^places */
struct short_number {
    bool negative;
    uint64_t digits;
    unsigned places;
};

static const char *append_digits(const char *p, const char *end, uint64_t *value)
{
    for (; end - p >= 8; p += 8) {
        uint64_t bytes = load8(p);
        if (!are_digits(bytes))
            break;
        *value = *value * 100000000 + joined(bytes);
    }
    for (; p < end && is_digit(*p); p++)
        *value = *value * 10 + (uint64_t)(*p - '0');
    return p;
}

/* False where the number has an exponent or more digits than fit. */
static bool read_short(struct lm_slice number, struct short_number *s)
{
    const char *p = number.data, *end = p + number.len;

    s->negative = *p == '-';
    p += s->negative;
    if (end - p > SHORT_DIGITS)
        return false;
    s->digits = 0;
    p = append_digits(p, end, &s->digits);
    s->places = 0;
    if (p < end && *p == '.') {
        const char *point = p;
        p = append_digits(p + 1, end, &s->digits);
        s->places = (unsigned)(p - point) - 1;
    }
    return p == end;
}

static int with_sign(bool negative, uint64_t magnitude, int64_t *out)
{
    if (magnitude > (uint64_t)INT64_MAX + negative)
        return -1;
    *out = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return 0;
}

/* A JSON number as digits: the value is ± digits × 10^exponent. */
struct decimal {
    bool negative;
    unsigned __int128 digits;
    long exponent;
    bool rest;   /* more digits than fit followed; the exponent counts those before the point */
    int dropped; /* the first of them */
};

/* Enough for any 64-bit number and what is left of it after a shift; the rest only rounds. */
static const unsigned __int128 digits_max = (unsigned __int128)1 << 120;

static struct decimal decimal_of(struct lm_slice number)
{
    struct decimal d = {0};
    const char *p = number.data, *end = p + number.len;
    bool point = false;

    if (p < end && *p == '-') {
        d.negative = true;
        p++;
    }
    for (; p < end && *p != 'e' && *p != 'E'; p++) {
        if (*p == '.') {
            point = true;
            continue;
        }
        if (d.rest || d.digits > digits_max / 16) {
            d.dropped = d.rest ? d.dropped : *p - '0';
            d.rest = true;
            d.exponent += !point;
            continue;
        }
        d.digits = d.digits * 10 + (unsigned)(*p - '0');
        d.exponent -= point;
    }
    if (p < end) {
        bool down = *++p == '-';
        long exponent = 0;
        for (p += *p == '-' || *p == '+'; p < end; p++)
            exponent = exponent < 1000000 ? exponent * 10 + (*p - '0') : exponent;
        d.exponent += down ? -exponent : exponent;
    }
    return d;
}

/* The decimal as an integer; `exact` refuses what had to be rounded. */
static int to_int64(struct decimal d, bool exact, int64_t *out)
{
    if (d.rest && exact)
        return -1;
    if (d.rest && d.exponent == 0)
        d.digits += d.dropped >= 5;
    for (; d.exponent > 0 && d.digits > 0; d.exponent--) {
        if (d.digits > digits_max / 16)
            return -1;
        d.digits *= 10;
    }
    unsigned last = 0;
    for (; d.exponent < 0 && (d.digits > 0 || last > 0); d.exponent++) {
        last = (unsigned)(d.digits % 10);
        if (exact && last != 0)
            return -1;
        d.digits /= 10;
    }
    if (d.exponent == 0 && last >= 5)
        d.digits++;
    if (d.digits > UINT64_MAX)
        return -1;
    return with_sign(d.negative, (uint64_t)d.digits, out);
}

int lm_json_int64(struct lm_slice number, int64_t *out)
{
    struct short_number s;

    if (read_short(number, &s) && s.places == 0)
        return with_sign(s.negative, s.digits, out);
    return to_int64(decimal_of(number), true, out);
}

int lm_json_scaled(struct lm_slice number, int shift, int64_t *out)
{
    struct short_number s;
    uint64_t value;

    if (read_short(number, &s)) {
        int places = (int)s.places - shift;
        if (places <= 0 && places >= -SHORT_DIGITS) {
            if (__builtin_mul_overflow(s.digits, powers_of_ten[-places], &value))
                return -1;
            return with_sign(s.negative, value, out);
        }
        if (places > 0 && places <= SHORT_DIGITS) {
            uint64_t unit = powers_of_ten[places];
            return with_sign(s.negative, s.digits / unit + (s.digits % unit >= unit / 2), out);
        }
    }
    struct decimal d = decimal_of(number);
    d.exponent += shift;
    return to_int64(d, false, out);
}

/*
 * digits / 10^places, rounded once. The dividend fills 128 bits, so that the quotient has 64 at least: more
 * than the 53 and two that rounding to nearest needs, the last of which stands for any remainder.
 */
static double divided(uint64_t dividend, unsigned places)
{
    int shift = 64 + __builtin_clzll(dividend);
    unsigned __int128 wide = (unsigned __int128)dividend << shift;
    unsigned __int128 quotient = wide / powers_of_ten[places];

    quotient |= quotient * powers_of_ten[places] != wide;
    return ldexp((double)quotient, -shift);
}

double lm_json_double(struct lm_slice number)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    struct short_number s;
    char text[64];

    /* Both factors are exact, so one operation rounds once: the nearest double (Clinger, PLDI 1990). */
    if (read_short(number, &s) && s.places <= SHORT_DIGITS) {
        double value =
            s.digits <= (uint64_t)1 << 53 ? (double)s.digits / powers[s.places] : divided(s.digits, s.places);
        return s.negative ? -value : value;
    }
    struct decimal d = decimal_of(number);
    if (!d.rest && d.digits <= (uint64_t)1 << 53 && d.exponent >= -22 && d.exponent <= 22) {
        double value = (double)(uint64_t)d.digits;
        value = d.exponent < 0 ? value / powers[-d.exponent] : value * powers[d.exponent];
        return d.negative ? -value : value;
    }
    /* 35 digits and more stand for the rest: only a tie that is decided behind them could come out one bit
     * off. */
    uint64_t high = (uint64_t)(d.digits / 1000000000000000000u),
             low = (uint64_t)(d.digits % 1000000000000000000u);
    snprintf(text, sizeof text, "%s%" PRIu64 "%018" PRIu64 "e%ld", d.negative ? "-" : "", high, low,
             d.exponent);
    return strtod(text, NULL);
}

bool lm_json_fits_numeric(struct lm_slice number)
{
    struct short_number s;

    if (read_short(number, &s))
        return true;
    if (number.len > NUMERIC_MAX_TEXT)
        return false;
    long exponent = decimal_of(number).exponent;
    return exponent >= -NUMERIC_MAX_EXPONENT && exponent <= NUMERIC_MAX_EXPONENT;
}
