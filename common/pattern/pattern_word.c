/*
 * What of a word changes from one message of a kind to the next. The rules look at the shape of the word
 * alone, in a fixed order; the first that fits decides.
 */
#include "common/pattern/pattern_internal.h"

#include <string.h>

enum { HASH_MIN = 4, HEX_MIN = 6, DATE_WORD_MAX = 9, LONGEST_UNIT = 7 };

bool lm_pattern_is_listed(const char *text, size_t len, const struct lm_pattern_words *words)
{
    const char *word = len <= LM_PATTERN_WORD_MAX ? words->by_length[len] : NULL;

    if (word == NULL)
        return false;
    for (; *word != '\0'; word += len) {
        if (*word == *text && memcmp(word, text, len) == 0)
            return true;
    }
    return false;
}

static bool is(const char *text, size_t len, unsigned kinds)
{
    for (size_t i = 0; i < len; i++) {
        if ((lm_pattern_kind(text[i]) & kinds) == 0)
            return false;
    }
    return true;
}

/* Without a sentence's marks at the end. */
static size_t trimmed(const char *text, size_t len)
{
    for (; len > 0; len--) {
        char last = text[len - 1];
        if (last != '.' && last != ':' && last != '!' && last != '?' && last != '-')
            break;
    }
    return len;
}

/* Where a URL or a path ends: at a blank, quote, bracket, semicolon, a comma before a blank, beyond ASCII. */
static size_t reach(const char *text, size_t left)
{
    size_t n = 0;

    for (; n < left; n++) {
        unsigned kind = lm_pattern_kind(text[n]);
        if ((kind & (LM_PB_WORD | LM_PB_EQUALS)) != 0)
            continue;
        if (text[n] == ',' && n + 1 < left && (lm_pattern_kind(text[n + 1]) & LM_PB_WORD) != 0)
            continue;
        break;
    }
    return trimmed(text, n);
}

static struct lm_pattern_word masked(size_t keep, size_t end)
{
    return (struct lm_pattern_word){keep, end};
}

/* scheme://anything */
static bool is_url(const char *text, size_t len)
{
    const char *colon = memchr(text, ':', len);

    return colon != NULL && colon > text && (size_t)(text + len - colon) > 2 && colon[1] == '/' &&
           colon[2] == '/';
}

static bool is_path(const char *text, size_t len, unsigned seen)
{
    if ((seen & LM_PB_BACKSLASH) != 0) {
        /* C:\a, \\host\a, HKLM\a; not an escape or a line's end. */
        const char *at = memchr(text, '\\', len);
        size_t where = (size_t)(at - text);
        return where + 2 < len &&
               (where > 1 || at[1] == '\\' || (where == 0 && memchr(at + 1, '\\', len - 1) != NULL));
    }
    if (text[0] == '/' || (len > 1 && (text[0] == '~' || text[0] == '.') && text[1] == '/') ||
        (len > 2 && memcmp(text, "../", 3) == 0)) {
        size_t slashes = 0;
        while (slashes < len && (text[slashes] == '/' || text[slashes] == '.' || text[slashes] == '~'))
            slashes++;
        return slashes < len && text[slashes] != '*';
    }
    /* a/b/c or a/b.c, but neither and/or nor a version or a fraction */
    const char *slash = memchr(text, '/', len);
    size_t rest = (size_t)(text + len - slash) - 1;
    return (seen & LM_PB_DIGIT) == 0 && rest > 0 &&
           (memchr(slash + 1, '/', rest) != NULL || (seen & LM_PB_DOT) != 0);
}

/* Ends in a top-level domain that is no word of Java's packages or of property names. */
static bool ends_in_domain(const char *text, size_t len)
{
    static const struct lm_pattern_words domains = {
        {[2] = "krjpcntwhksgvnthukdefrnlruuaplczsechatbeesptgrtrrohueuuscamxbrarclcoaunzzailir",
         [3] = "comnetorgedugovmilbizsvclan",
         [4] = "infoarpa",
         [5] = "local",
         [8] = "internal",
         [11] = "localdomain"}};
    size_t n = 0;

    while (n < len && n <= LM_PATTERN_WORD_MAX && text[len - 1 - n] != '.')
        n++;
    return n < len && text[len - 1 - n] == '.' && lm_pattern_is_listed(text + len - n, n, &domains);
}

static size_t digits_behind(const char *text, size_t len)
{
    size_t n = 0;

    while (n < len && text[n] >= '0' && text[n] <= '9')
        n++;
    return n;
}

/* Something and a port. */
static bool has_port(const char *text, size_t len)
{
    const char *colon = memchr(text, ':', len);
    size_t before = colon == NULL ? len : (size_t)(colon - text) + 1;

    return before > 1 && before < len && digits_behind(text + before, len - before) == len - before;
}

/* host.domain.tld, also with a port; any dotted name with a port. */
static bool is_host(const char *text, size_t len)
{
    const char *colon = memchr(text, ':', len);
    size_t name = colon == NULL ? len : (size_t)(colon - text);
    bool port = has_port(text, len);

    if (memchr(text, '.', name) == NULL || text[0] == '.' || (colon != NULL && !port))
        return false;
    for (size_t i = 0; i < name; i++) {
        if (text[i] >= 'A' && text[i] <= 'Z')
            return port;
    }
    return port || ends_in_domain(text, name);
}

/* Class@1b2c keeps the class; anything else with @ inside is somebody's address. */
static struct lm_pattern_word at_sign(const char *text, size_t end)
{
    const char *at = memchr(text, '@', end);
    size_t where = at == NULL ? end : (size_t)(at - text);
    size_t rest = end - where;

    if (where == 0 || rest < 2)
        return masked(0, 0);
    if (rest > HASH_MIN && is(at + 1, rest - 1, LM_PB_DIGIT | LM_PB_HEX))
        return masked(where + 1, end);
    return masked(0, end);
}

/* A sign, or dots that lead up to the value. */
static bool is_lead(char c)
{
    return c == '-' || c == '+' || c == '.' || c == ':' || c == '~';
}

/*
 * Of a word with digits the name before them stays where it is one word and one joining mark: blk_17,
 * node-D3 and size:5 become blk_<*>, node-<*> and size:<*>; 5200ms, http2, user-db-3, v1.2 become <*>.
 */
static struct lm_pattern_word with_digits(const char *text, size_t end)
{
    size_t name = 0, start = 0;

    while (start < end && is_lead(text[start]))
        start++;
    if (start < end && (text[start] == '#' || text[start] == '$'))
        return masked(start + 1, end);
    name = start;
    while (name < end && (lm_pattern_kind(text[name]) & (LM_PB_HEX | LM_PB_LETTER)) != 0)
        name++;
    size_t value = name;
    while (value < end && (lm_pattern_kind(text[value]) & (LM_PB_DIGIT | LM_PB_HEX | LM_PB_LETTER)) == 0)
        value++;
    /* MSRA-SA-41/10.1.2.3:9000, web-12:8080: a host is all of it. */
    if (name == start || value == name || has_port(text + value, end - value))
        return masked(0, end);
    for (size_t i = value; i < end; i++) {
        unsigned kind = lm_pattern_kind(text[i]);
        if ((kind & LM_PB_DIGIT) != 0)
            return masked(name + 1, end);
        if ((kind & (LM_PB_HEX | LM_PB_LETTER)) == 0)
            break;
    }
    return masked(0, end);
}

struct lm_pattern_word lm_pattern_word(const char *text, size_t len, size_t left, unsigned seen)
{
    if ((seen & (LM_PB_SLASH | LM_PB_BACKSLASH)) != 0) {
        if ((seen & LM_PB_COLON) != 0 && is_url(text, len))
            return masked(0, reach(text, left));
        if (is_path(text, len, seen)) {
            size_t end = reach(text, left);
            return end > 1 ? masked(0, end) : masked(0, 0);
        }
    }
    size_t end = trimmed(text, len);
    if (end == 0)
        return masked(0, 0);
    if ((seen & LM_PB_AT) != 0) {
        struct lm_pattern_word word = at_sign(text, end);
        if (word.end > 0)
            return word;
    }
    if ((seen & LM_PB_DOT) != 0 && (seen & LM_PB_SLASH) == 0 && is_host(text, end))
        return masked(0, end);
    if ((seen & LM_PB_DIGIT) == 0)
        return masked(0, 0);
    /* Identifiers in hex, hardware and network addresses: deadbeef-…, ac:de:48:…, fe80::1 */
    if (end >= HEX_MIN && (seen & (LM_PB_LETTER | LM_PB_SLASH | LM_PB_MARK)) == 0 &&
        is(text, end, LM_PB_DIGIT | LM_PB_HEX | LM_PB_LINK | LM_PB_COLON | LM_PB_DOT))
        return masked(0, end);
    return with_digits(text, end);
}

size_t lm_pattern_unit(const char *text, size_t left)
{
    static const struct lm_pattern_words units = {
        {[1] = "Bbsh",
         [2] = "msnsusKBkBMBGBTBhrAMPMampm",
         [3] = "secminKiBMiBGiBTiBhrsdayUTCGMTKSTJSTESTEDTCSTCDTPSTPDTCET",
         [4] = "bytesecsminshourdaysCEST",
         [5] = "byteshours",
         [6] = "secondminute",
         [7] = "secondsminutes"}};
    static const char firsts[] = "ABCEGJKMPTUabdhkmnpsu"; /* what they begin with */
    size_t n = 0;

    if (left == 0 || memchr(firsts, text[0], sizeof(firsts) - 1) == NULL)
        return 0;
    while (n < left && n <= LONGEST_UNIT && (lm_pattern_kind(text[n]) & (LM_PB_HEX | LM_PB_LETTER)) != 0)
        n++;
    /* "5 s." is a unit, "5 s-1" is not. */
    if (n == 0 || n > LONGEST_UNIT ||
        (n < left && (lm_pattern_kind(text[n]) & LM_PB_WORD & ~(LM_PB_DOT | LM_PB_COLON)) != 0))
        return 0;
    return lm_pattern_is_listed(text, n, &units) ? n : 0;
}

bool lm_pattern_is_date_word(const char *text, size_t len, size_t left)
{
    static const struct lm_pattern_words days = {{[3] = "SunMonTueWedThuFriSat",
                                                  [6] = "SundayMondayFriday",
                                                  [7] = "Tuesday",
                                                  [8] = "ThursdaySaturday",
                                                  [9] = "Wednesday"}};
    static const struct lm_pattern_words months = {{[3] = "JanFebMarAprMayJunJulAugSepOctNovDec",
                                                    [4] = "JuneJuly",
                                                    [5] = "MarchApril",
                                                    [6] = "August",
                                                    [7] = "JanuaryOctober",
                                                    [8] = "FebruaryNovemberDecember",
                                                    [9] = "September"}};
    size_t next = len;

    if (len < 3 || len > DATE_WORD_MAX || left < len + 2)
        return false;
    while (next < left && (text[next] == ' ' || text[next] == ','))
        next++;
    if (next == len || next == left)
        return false;
    bool day = text[next] >= '0' && text[next] <= '9';
    if (!day && (text[next] < 'A' || text[next] > 'S'))
        return false;
    return (day && lm_pattern_is_listed(text, len, &months)) || lm_pattern_is_listed(text, len, &days);
}
