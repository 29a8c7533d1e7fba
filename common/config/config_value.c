#include "common/config/config_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct unit {
    const char *name;
    int64_t factor;
};

/* Largest first, so that a number is shown in the largest unit that divides it. */
static const struct unit duration_units[] = {
    {"d", INT64_C(86400000)}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {NULL, 0}};
static const struct unit size_units[] = {
    {"TiB", INT64_C(1) << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {NULL, 0}};

static int convert_int(const char *text, int64_t *value)
{
    char *end;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    /* strtoll skips white space in front; a number has none. */
    if (end == text || *end != '\0' || errno != 0 || strchr(" \t\n\v\f\r", text[0]) != NULL)
        return -1;
    *value = n;
    return 0;
}

static int convert_bool(const char *text, bool *value)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasecmp(text, words[i]) == 0) {
            *value = i % 2 == 1;
            return 0;
        }
    }
    return -1;
}

/* Takes digits from *text. -1 where there are none or they do not fit. */
static int take_number(const char **text, int64_t *value)
{
    const char *p = *text;
    *value = 0;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (__builtin_mul_overflow(*value, 10, value) || __builtin_add_overflow(*value, *p - '0', value))
            return -1;
    }
    if (p == *text)
        return -1;
    *text = p;
    return 0;
}

/* "150ms", "2h", "1h30m", "500". */
int lm_config_duration(const char *text, int64_t *value)
{
    int64_t total = 0;
    const char *p = text;
    do {
        int64_t number;
        if (take_number(&p, &number) != 0)
            return -1;
        if (*p == '\0' && total == 0) {
            *value = number;
            return 0;
        }
        size_t len = strspn(p, "dhms");
        const struct unit *unit = duration_units;
        while (unit->name != NULL && (strlen(unit->name) != len || strncmp(unit->name, p, len) != 0))
            unit++;
        if (unit->name == NULL || __builtin_mul_overflow(number, unit->factor, &number) ||
            __builtin_add_overflow(total, number, &total))
            return -1;
        p += len;
    } while (*p != '\0');
    *value = total;
    return 0;
}

/* "64KiB", "64k", "65536"; in any case. */
static int convert_size(const char *text, int64_t *value)
{
    if (take_number(&text, value) != 0)
        return -1;
    if (*text == '\0' || strcasecmp(text, "B") == 0)
        return 0;
    const struct unit *unit = size_units;
    while (unit->name != NULL && strcasecmp(text, unit->name) != 0 &&
           (strlen(text) != 1 || strncasecmp(text, unit->name, 1) != 0))
        unit++;
    if (unit->name == NULL || __builtin_mul_overflow(*value, unit->factor, value))
        return -1;
    return 0;
}

static int convert_enum(const char *choices, const char *text, int *value)
{
    size_t len = strlen(text);
    *value = 0;
    for (const char *p = choices; len > 0;) {
        size_t word = strcspn(p, "|");
        if (word == len && strncasecmp(p, text, len) == 0)
            return 0;
        if (p[word] == '\0')
            break;
        p += word + 1;
        (*value)++;
    }
    return -1;
}

void lm_config_format_number(enum lm_config_type type, int64_t value, char *out, size_t size)
{
    const struct unit *unit = type == LM_CONFIG_DURATION ? duration_units : size_units;
    if (type == LM_CONFIG_DURATION || type == LM_CONFIG_SIZE) {
        while (unit->name != NULL && (value == 0 || value % unit->factor != 0))
            unit++;
        if (unit->name != NULL) {
            (void)snprintf(out, size, "%" PRId64 "%s", value / unit->factor, unit->name);
            return;
        }
    }
    (void)snprintf(out, size, "%" PRId64, value);
}

static int check_bounds(const struct lm_config_option *option, const char *text, int64_t value,
                        struct lm_error *why)
{
    char min[32], max[32];
    if ((option->min == 0 && option->max == 0) || (value >= option->min && value <= option->max))
        return 0;
    lm_config_format_number(option->type, option->min, min, sizeof(min));
    lm_config_format_number(option->type, option->max, max, sizeof(max));
    return lm_error_set(why, LM_FATAL, "config", "%s is out of bounds; write %s to %s", text, min, max);
}

static int refuse(const char *text, const char *what, const char *instead, struct lm_error *why)
{
    return lm_error_set(why, LM_FATAL, "config", "\"%.100s\" is not %s; write %s", text, what, instead);
}

int lm_config_convert(const struct lm_config_option *option, const char *text, void *field,
                      struct lm_error *why)
{
    int64_t number = 0;
    bool flag = false;
    int choice = 0;

    switch (option->type) {
    case LM_CONFIG_INT:
        if (convert_int(text, &number) != 0)
            return refuse(text, "a whole number", "digits only", why);
        break;
    case LM_CONFIG_DURATION:
        if (lm_config_duration(text, &number) != 0)
            return refuse(text, "a duration", "150ms, 10s, 5m, 2h or 7d", why);
        break;
    case LM_CONFIG_SIZE:
        if (convert_size(text, &number) != 0)
            return refuse(text, "a size", "a number of bytes, 64KiB, 16MiB or 1GiB", why);
        break;
    case LM_CONFIG_BOOL:
        if (convert_bool(text, &flag) != 0)
            return refuse(text, "a yes or no", "true or false", why);
        memcpy(field, &flag, sizeof(flag));
        return 0;
    case LM_CONFIG_ENUM:
        if (convert_enum(option->choices, text, &choice) != 0)
            return refuse(text, "one of the choices", option->choices, why);
        memcpy(field, &choice, sizeof(choice));
        return 0;
    case LM_CONFIG_TEXT:
    case LM_CONFIG_LIST:
    case LM_CONFIG_MAP:
        return lm_error_set(why, LM_FATAL, "config", "needs no conversion");
    }
    if (check_bounds(option, text, number, why) != 0)
        return -1;
    memcpy(field, &number, sizeof(number));
    return 0;
}

/* Optimal string alignment over three rows. Names are short: longer texts count as far away. */
size_t lm_config_distance(const char *a, const char *b, size_t limit)
{
    enum { LONGEST = 96 };
    size_t rows[3][LONGEST + 1];
    size_t a_len = strlen(a), b_len = strlen(b);
    size_t gap = a_len > b_len ? a_len - b_len : b_len - a_len;
    if (a_len > LONGEST || b_len > LONGEST || gap > limit)
        return limit + 1;
    for (size_t j = 0; j <= b_len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i - 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t best = above[j - 1] + (a[i - 1] != b[j - 1]);
            if (above[j] + 1 < best)
                best = above[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                rows[(i - 2) % 3][j - 2] + 1 < best)
                best = rows[(i - 2) % 3][j - 2] + 1;
            row[j] = best;
        }
    }
    size_t distance = rows[a_len % 3][b_len];
    return distance <= limit ? distance : limit + 1;
}
