/*
 * Scanners by form. They know no language; what a form means is decided by the rules.
 */
#include "agent/understand/scan.h"

#include "agent/understand/zone.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#define COST_FORM 8
#define COST_NUMBER 10
#define COST_UNKNOWN 60
#define COST_HANGUL 40
#define COST_SYLLABLE 20

static bool digit(uint32_t c)
{
    return c >= '0' && c <= '9';
}

static bool letter(uint32_t c)
{
    return c >= 'a' && c <= 'z';
}

static bool alnum(uint32_t c)
{
    return digit(c) || letter(c);
}

static bool hex(uint32_t c)
{
    return digit(c) || (c >= 'a' && c <= 'f');
}

/* Joins the parts of an identifier when something follows. */
static bool joint(uint32_t c)
{
    return c == '-' || c == '_' || c == '.' || c == '@' || c == '$' || c == '#';
}

/* "canary-tagged", "payment-related", "ERROR-or-worse", "per-service": the joint belongs to neither. */
static bool is_seam(const struct ag_text *text, size_t at)
{
    static const char *const ends[] = {"tagged",    "related",    "only",      "level",
                                       "levels",    "or-worse",   "or-above",  "or-higher",
                                       "and-above", "and-higher", "and-worse", "and-up"};

    for (size_t k = 0; text->cp[at] == '-' && k < sizeof ends / sizeof *ends; k++) {
        size_t n = 0;
        while (ends[k][n] && text->cp[at + 1 + n] == (uint32_t)(unsigned char)ends[k][n])
            n++;
        if (ends[k][n] == '\0' && !alnum(text->cp[at + 1 + n]) && !joint(text->cp[at + 1 + n]))
            return true;
    }
    /* "per-service" */
    return text->cp[at] == '-' && at >= 3 && text->cp[at - 3] == 'p' && text->cp[at - 2] == 'e' &&
           text->cp[at - 1] == 'r' && (at == 3 || !(alnum(text->cp[at - 4]) || joint(text->cp[at - 4])));
}

/* "am", "pm" or "h" at text[at, at + n); how many letters. */
static size_t hour_mark(const struct ag_text *text, size_t at)
{
    if ((text->cp[at] == 'a' || text->cp[at] == 'p') && text->cp[at + 1] == 'm')
        return 2;
    return text->cp[at] == 'h' ? 1 : 0;
}

/* The dash of "10-11am", "9:00-11:30", "12-13h": between two hours, and no part of a longer name. */
static bool is_between_hours(const struct ag_text *text, size_t at)
{
    size_t left = at;
    size_t right = at + 1;
    size_t digits = 0;

    if (text->cp[at] != '-')
        return false;
    if (left > 1 && hour_mark(text, left - 2) == 2)
        left -= 2;
    else if (left > 0 && text->cp[left - 1] == 'h')
        left--;
    while (left > 0 && digits < 6 && (digit(text->cp[left - 1]) || text->cp[left - 1] == ':')) {
        left--;
        digits++;
    }
    if (digits == 0 || digits > 5 || (digits > 2 && text->cp[at - 3] != ':') || text->cp[left] == ':' ||
        (left > 0 && (alnum(text->cp[left - 1]) || joint(text->cp[left - 1]) || text->cp[left - 1] == '/')))
        return false;
    for (digits = 0; digit(text->cp[right]) && digits < 3; right++)
        digits++;
    if (digits == 0 || digits > 2)
        return false;
    if (text->cp[right] == ':' && digit(text->cp[right + 1]) && digit(text->cp[right + 2]))
        right += 3;
    right += hour_mark(text, right);
    return !alnum(text->cp[right]) && text->cp[right] != '/' &&
           !(joint(text->cp[right]) && alnum(text->cp[right + 1]));
}

bool ag_scan_starts(const struct ag_text *text, size_t at)
{
    uint32_t before = at > 0 ? text->cp[at - 1] : ' ';

    if (!alnum(text->cp[at]))
        return true;
    if (alnum(before))
        return digit(text->cp[at]) != digit(before);
    /* "non-200", "non-production" */
    if (before == '-' && at > 3 && text->cp[at - 2] == 'n' && text->cp[at - 3] == 'o' &&
        text->cp[at - 4] == 'n' && (at == 4 || !alnum(text->cp[at - 5])))
        return true;
    if (at > 1 && (is_seam(text, at - 1) || is_between_hours(text, at - 1)))
        return true;
    if (joint(before) && at > 1 && alnum(text->cp[at - 2]))
        return letter(text->cp[at]) && digit(text->cp[at - 2]);
    return true;
}

bool ag_scan_ends(const struct ag_text *text, size_t at)
{
    uint32_t last = at > 0 ? text->cp[at - 1] : ' ';
    uint32_t next = text->cp[at];

    if (!alnum(last))
        return true;
    if (alnum(next))
        return false;
    return is_seam(text, at) || is_between_hours(text, at) || !(joint(next) && alnum(text->cp[at + 1]));
}

static size_t number(const struct ag_text *t, size_t at, size_t most, int *out)
{
    size_t n = 0;
    int value = 0;

    while (n < most && digit(t->cp[at + n]))
        value = value * 10 + (int)(t->cp[at + n++] - '0');
    *out = value;
    return n;
}

static struct ag_written_time no_time(void)
{
    return (struct ag_written_time){-1, -1, -1, -1, -1, -1, 0, false, 0};
}

/* 14:05, 14:05:20, 14:05:20.5; how many code points, 0 for none. */
static size_t clock_at(const struct ag_text *t, size_t at, struct ag_written_time *time)
{
    size_t n = number(t, at, 2, &time->hour);
    size_t more;

    if (n == 0 || time->hour > 24 || t->cp[at + n] != ':' || number(t, at + n + 1, 2, &time->minute) != 2 ||
        time->minute > 59)
        return 0;
    n += 3;
    if (t->cp[at + n] == ':' && number(t, at + n + 1, 2, &time->second) == 2) {
        if (time->second > 59)
            return 0;
        n += 3;
        if (t->cp[at + n] == '.' && digit(t->cp[at + n + 1])) {
            int scale = 100000;
            for (more = n + 1; digit(t->cp[at + more]); more++, scale /= 10)
                time->microsecond += scale * (int)(t->cp[at + more] - '0');
            n = more;
        }
    }
    return digit(t->cp[at + n]) ? 0 : n;
}

/* Z, +09:00, +0900, +09; how many code points. */
static size_t offset_at(const struct ag_text *t, size_t at, struct ag_written_time *time)
{
    int hours;
    int minutes = 0;
    size_t n;

    if (t->cp[at] == 'z' && !alnum(t->cp[at + 1])) {
        time->zoned = true;
        return 1;
    }
    if ((t->cp[at] != '+' && t->cp[at] != '-') || number(t, at + 1, 2, &hours) != 2 || hours > 14)
        return 0;
    n = 3;
    if (t->cp[at + n] == ':')
        n++;
    if (number(t, at + n, 2, &minutes) == 2)
        n += 2;
    else if (t->cp[at + n - 1] == ':')
        n--;
    if (digit(t->cp[at + n]) || minutes > 59)
        return 0;
    time->zoned = true;
    time->offset = (t->cp[at] == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
    return n;
}

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : days[month - 1];
}

/* 2026-03-15, 2026/3/15, 2026.3.15, with a time behind it or not; 2026-03. */
static size_t date_at(const struct ag_text *t, size_t at, struct ag_scan *scan)
{
    struct ag_written_time time = no_time();
    size_t n = number(t, at, 4, &time.year);
    uint32_t mark = t->cp[at + 4];
    size_t m;
    size_t more;

    if (n != 4 || time.year < 1970 || time.year > 2199 || (mark != '-' && mark != '/' && mark != '.'))
        return 0;
    m = number(t, at + 5, 2, &time.month);
    if (m == 0 || time.month < 1 || time.month > 12)
        return 0;
    n = 5 + m;
    scan->concept = AG_C_YEAR_MONTH;
    scan->time = time;
    if (t->cp[at + n] != mark || !digit(t->cp[at + n + 1]))
        return mark == '-' && m == 2 && !alnum(t->cp[at + n]) ? n : 0;
    m = number(t, at + n + 1, 2, &time.day);
    if (m == 0 || time.day < 1 || time.day > days_in(time.year, time.month))
        return 0;
    n += 1 + m;
    if (t->cp[at + n] == '.' && !digit(t->cp[at + n + 1]) && mark == '.')
        n++;
    scan->concept = AG_C_DATE;
    scan->time = time;
    if ((t->cp[at + n] == 't' || t->cp[at + n] == ' ') && (more = clock_at(t, at + n + 1, &time)) > 0) {
        n += 1 + more;
        n += offset_at(t, at + n, &time);
        scan->concept = AG_C_INSTANT;
        scan->time = time;
    }
    return digit(t->cp[at + n]) ? 0 : n;
}

/* 3/15: month and day, where that is possible. */
static size_t month_date_at(const struct ag_text *t, size_t at, struct ag_written_time *time)
{
    size_t n = number(t, at, 2, &time->month);
    size_t m;

    if (n == 0 || t->cp[at + n] != '/' || time->month < 1 || time->month > 12)
        return 0;
    m = number(t, at + n + 1, 2, &time->day);
    if (m == 0 || time->day < 1 || time->day > days_in(2024, time->month) || alnum(t->cp[at + n + 1 + m]) ||
        t->cp[at + n + 1 + m] == '/')
        return 0;
    return n + 1 + m;
}

static size_t decimal_at(const struct ag_text *t, size_t at, double *out)
{
    char digits[32];
    size_t len = 0;
    size_t n = 0;

    for (; digit(t->cp[at + n]) ||
           (t->cp[at + n] == ',' && n > 0 && digit(t->cp[at + n + 1]) && digit(t->cp[at + n + 2]) &&
            digit(t->cp[at + n + 3]) && !digit(t->cp[at + n + 4]));
         n++) {
        if (t->cp[at + n] != ',') {
            if (len >= 20)
                return 0;
            digits[len++] = (char)t->cp[at + n];
        }
    }
    if (n > 0 && t->cp[at + n] == '.' && digit(t->cp[at + n + 1])) {
        digits[len++] = '.';
        for (n++; digit(t->cp[at + n]); n++) {
            if (len >= 30)
                return 0;
            digits[len++] = (char)t->cp[at + n];
        }
    }
    digits[len] = '\0';
    *out = strtod(digits, NULL);
    /* 3.8.0 is a version, no number. */
    return t->cp[at + n] == '.' && digit(t->cp[at + n + 1]) ? 0 : n;
}

/* p95, p99.9 */
static size_t percentile_at(const struct ag_text *t, size_t at, double *out)
{
    size_t n = t->cp[at] == 'p' ? decimal_at(t, at + 1, out) : 0;

    if (n == 0 || *out <= 0 || *out >= 100 || alnum(t->cp[at + 1 + n]) ||
        (t->cp[at + 1 + n] == '-' && alnum(t->cp[at + 2 + n])))
        return 0;
    *out /= 100;
    return 1 + n;
}

static size_t address_at(const struct ag_text *t, size_t at)
{
    char text[64];
    unsigned char parsed[16];
    size_t n = 0;

    while (n < sizeof text - 1 && (hex(t->cp[at + n]) || t->cp[at + n] == '.' || t->cp[at + n] == ':')) {
        text[n] = (char)t->cp[at + n];
        n++;
    }
    while (n > 0 && (text[n - 1] == '.' || (text[n - 1] == ':' && (n < 2 || text[n - 2] != ':'))))
        n--;
    text[n] = '\0';
    if (n < 3 || alnum(t->cp[at + n]))
        return 0;
    if (inet_pton(AF_INET, text, parsed) == 1)
        return n;
    return strstr(text, ":") && strchr(strstr(text, ":") + 1, ':') && inet_pton(AF_INET6, text, parsed) == 1
               ? n
               : 0;
}

/* /api/orders/{id}: until something that does not belong to a path; a full stop at its end is the sentence's.
 */
static size_t path_at(const struct ag_text *t, size_t at)
{
    size_t n = 1;

    if (t->cp[at] != '/' ||
        !(alnum(t->cp[at + 1]) || t->cp[at + 1] == '{' || t->cp[at + 1] == '_' || t->cp[at + 1] == ':'))
        return 0;
    while (alnum(t->cp[at + n]) ||
           (t->cp[at + n] != 0 && t->cp[at + n] < 0x80 && strchr("/-_.{}:*~%$+=&?", (int)t->cp[at + n])))
        n++;
    while (n > 1 && strchr(".?:=&/", (int)t->cp[at + n - 1]))
        n--;
    return n > 1 ? n : 0;
}

static bool has_slash(const struct ag_text *t, size_t at)
{
    while (alnum(t->cp[at]) || t->cp[at] == '-' || t->cp[at] == '_')
        at++;
    return t->cp[at] == '/';
}

static size_t word_at(const struct ag_text *t, size_t at)
{
    size_t n = 0;

    while (alnum(t->cp[at + n]) || t->cp[at + n] == '_' ||
           (n > 0 && joint(t->cp[at + n]) && alnum(t->cp[at + n + 1]) && !is_seam(t, at + n) &&
            !is_between_hours(t, at + n)))
        n++;
    return n;
}

static size_t quoted_at(const struct ag_text *t, size_t at)
{
    uint32_t mark = t->cp[at];
    size_t n = 1;

    if (mark != '"' && mark != '\'' && mark != '`')
        return 0;
    if (mark == '\'' && at > 0 && (alnum(t->cp[at - 1]) || ag_is_hangul(t->cp[at - 1])))
        return 0;
    for (; at + n < t->len; n++) {
        if (t->cp[at + n] == mark && n > 1 && !(mark == '\'' && alnum(t->cp[at + n + 1])))
            return n + 1;
    }
    return 0;
}

/* An IANA zone name, as typed. */
static size_t zone_at(const struct ag_text *t, size_t at, struct lm_arena *arena, const char **name)
{
    size_t n = 0;
    bool slash = false;
    char *typed;

    while (n < 48 &&
           (alnum(t->cp[at + n]) || ((t->cp[at + n] == '/' || t->cp[at + n] == '_' || t->cp[at + n] == '-') &&
                                     n > 0 && letter(t->cp[at + n + 1])))) {
        slash = slash || t->cp[at + n] == '/';
        n++;
    }
    if (!slash || !letter(t->cp[at]))
        return 0;
    typed = ag_text_typed(t, at, at + n, arena);
    if (!typed || !ag_zone_known(typed))
        return 0;
    *name = typed;
    return n;
}

static enum ag_concept mark_of(uint32_t c)
{
    switch (c) {
    case ',':
    case 0x3001:
    case 0xB7:
    case '&':
    case '+':
    case '/':
    case '|':
        return AG_C_COMMA;
    case '-':
    case '~':
        return AG_C_DASH;
    case '=':
    case ':':
        return AG_C_EQUALS;
    case '.':
    case '?':
    case '!':
    case ';':
    case '(':
    case ')':
    case '[':
    case ']':
    case 0x3002:
    case 0x2026:
        return AG_C_STOP;
    case '>':
        return AG_C_ABOVE;
    case '<':
        return AG_C_BELOW;
    case '%':
        return AG_C_PERCENT;
    default:
        return AG_C_OTHER;
    }
}

static size_t add(struct ag_scan *out, size_t count, enum ag_concept concept, size_t len, unsigned cost)
{
    if (len == 0 || count == AG_MAX_SCANS)
        return count;
    out[count] =
        (struct ag_scan){.concept = concept, .len = len, .cost = cost, .time = no_time(), .value = ""};
    return count + 1;
}

static size_t scan_digits(const struct ag_text *t, size_t at, struct ag_scan *out, size_t count)
{
    struct ag_scan scan = {.value = "", .cost = COST_FORM};
    double value = 0;
    size_t n;

    scan.len = date_at(t, at, &scan);
    if (scan.len > 0 && count < AG_MAX_SCANS)
        out[count++] = scan;
    scan = (struct ag_scan){.concept = AG_C_CLOCK, .value = "", .cost = COST_FORM, .time = no_time()};
    scan.len = clock_at(t, at, &scan.time);
    if (scan.len > 0 && count < AG_MAX_SCANS)
        out[count++] = scan;
    scan = (struct ag_scan){.concept = AG_C_MONTH_DATE, .value = "", .cost = COST_FORM, .time = no_time()};
    scan.len = month_date_at(t, at, &scan.time);
    if (scan.len > 0 && count < AG_MAX_SCANS)
        out[count++] = scan;
    n = decimal_at(t, at, &value);
    if (n > 0 && count < AG_MAX_SCANS) {
        count = add(out, count, AG_C_NUMBER, n, COST_NUMBER);
        out[count - 1].number = value;
    }
    return count;
}

/* The digit or power a Sino-Korean syllable stands for, or -1. */
static int sino(uint32_t c)
{
    static const struct {
        uint32_t syllable;
        int value;
    } numerals[] = {{0xC77C, 1}, {0xC774, 2}, {0xC0BC, 3}, {0xC0AC, 4},  {0xC624, 5},   {0xC721, 6},
                    {0xCE60, 7}, {0xD314, 8}, {0xAD6C, 9}, {0xC2ED, 10}, {0xBC31, 100}, {0xCC9C, 1000}};

    for (size_t i = 0; i < sizeof numerals / sizeof *numerals; i++) {
        if (numerals[i].syllable == c)
            return numerals[i].value;
    }
    return -1;
}

/* 삼십 before 분, 오 before 분: only where a unit or counter follows, for the syllables have other uses. */
static size_t sino_at(const struct ag_text *t, size_t at, double *out)
{
    static const uint32_t counters[] = {0xCD08, 0xBD84, 0xC2DC, 0xC77C, 0xC8FC, 0xAC1C,
                                        0xAC74, 0xBA85, 0xBC88, 0xD68C, 0xB144, 0xC6D4};
    int total = 0;
    int last = 0;
    size_t n = 0;
    size_t next;

    for (int value; n < 8 && (value = sino(t->cp[at + n])) > 0; n++) {
        if (value >= 10) {
            total += (last ? last : 1) * value;
            last = 0;
        } else if (last) {
            break;
        } else {
            last = value;
        }
    }
    next = at + n + (n > 1 && t->cp[at + n] == ' ');
    for (size_t i = 0; n > 0 && i < sizeof counters / sizeof *counters; i++) {
        if (t->cp[next] == counters[i]) {
            *out = total + last;
            return n;
        }
    }
    return 0;
}

size_t ag_scan(const struct ag_text *t, size_t at, struct lm_arena *arena, struct ag_scan out[AG_MAX_SCANS])
{
    uint32_t c = t->cp[at];
    uint32_t before = at > 0 ? t->cp[at - 1] : ' ';
    const char *name = NULL;
    double value = 0;
    size_t count = add(out, 0, AG_C_QUOTED, quoted_at(t, at), 1);
    size_t n;

    if (alnum(c) && ag_scan_starts(t, at)) {
        /* Behind a letter only where a word ends there: "top5". */
        if (digit(c) && !digit(before) && !(before == '.' && at > 1 && digit(t->cp[at - 2])))
            count = scan_digits(t, at, out, count);
        else if (digit(c) || !alnum(before)) {
            n = percentile_at(t, at, &value);
            if (n > 0) {
                count = add(out, count, AG_C_PERCENTILE, n, COST_FORM);
                out[count - 1].number = value;
            }
        }
        if (!alnum(before)) {
            count = add(out, count, AG_C_ADDRESS, address_at(t, at), COST_FORM);
            count = add(out, count, AG_C_WORD, word_at(t, at), COST_UNKNOWN);
            n = zone_at(t, at, arena, &name);
            if (n > 0) {
                count = add(out, count, AG_C_ZONE, n, COST_FORM);
                out[count - 1].value = name;
            }
        }
        return count;
    }
    if (c == '_' && !alnum(before))
        return add(out, count, AG_C_WORD, word_at(t, at), COST_UNKNOWN);
    /* 평균/p95 are two words; 주문/api/orders is a path all the same. */
    if (c == '/' && !alnum(before) && !(ag_is_hangul(before) && !has_slash(t, at + 1)))
        count = add(out, count, AG_C_PATH, path_at(t, at), COST_FORM);
    if (ag_is_hangul(c)) {
        n = ag_is_hangul(before) ? 0 : sino_at(t, at, &value);
        if (n > 0) {
            count = add(out, count, AG_C_NUMBER, n, COST_NUMBER + 2);
            out[count - 1].number = value;
        }
        for (n = 1; n <= 12 && ag_is_hangul(t->cp[at + n - 1]) && count < AG_MAX_SCANS; n++) {
            /* Long unknown words matter only whole or without a particle of one to three syllables. */
            bool last = !ag_is_hangul(t->cp[at + n]);
            bool near_end = !ag_is_hangul(t->cp[at + n + 1]) || !ag_is_hangul(t->cp[at + n + 2]) ||
                            !ag_is_hangul(t->cp[at + n + 3]);
            if (last || near_end || n <= 3)
                count = add(out, count, AG_C_HANGUL, n, COST_HANGUL + COST_SYLLABLE * (unsigned)n);
        }
        return count;
    }
    if (c == '>' || c == '<') {
        bool equal = t->cp[at + 1] == '=';
        return add(out, count, equal ? (c == '>' ? AG_C_AT_LEAST : AG_C_AT_MOST) : mark_of(c), equal ? 2 : 1,
                   COST_FORM);
    }
    if (c == 0x2265 || c == 0x2264)
        return add(out, count, c == 0x2265 ? AG_C_AT_LEAST : AG_C_AT_MOST, 1, COST_FORM);
    if (utf8proc_category((utf8proc_int32_t)c) == UTF8PROC_CATEGORY_SO || (c >= 0xFE00 && c <= 0xFE0F) ||
        utf8proc_category((utf8proc_int32_t)c) == UTF8PROC_CATEGORY_SK)
        return add(out, count, c == '`' || c == '^' ? AG_C_OTHER : AG_C_STOP, 1, COST_FORM);
    if (c == ':' && (t->cp[at + 1] == ' ' || t->cp[at + 1] == 0))
        return add(out, count, AG_C_STOP, 1, COST_FORM);
    return add(out, count, mark_of(c), 1, COST_FORM);
}
