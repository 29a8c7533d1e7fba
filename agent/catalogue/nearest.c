/*
 * Names that are alike, by a bounded Damerau-Levenshtein distance (optimal string alignment). What sorts most
 * of them out is a lower bound by letters: an edit takes away at most one letter that only one of the two
 * has, and brings at most one that only the other has (the frequency distance of Kahveci and Singh, "An
 * Efficient Index Structure for String Databases", VLDB 2001, here of 64 classes of letters that are there or
 * not, one word a name). As soon as there are as many names as are wanted, the limit is what the last of them
 * is away.
 */
#include "agent/catalogue/catalogue.h"

#include <string.h>
#include <utf8proc.h>

#define MAX_EDIT 64
#define MAX_NEAREST 16
#define TOO_FAR 1000U

static size_t decode(const char *text, size_t len, int32_t out[MAX_EDIT])
{
    size_t n = 0;
    size_t at = 0;

    while (at < len) {
        utf8proc_int32_t cp;
        utf8proc_ssize_t step =
            utf8proc_iterate((const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)(len - at), &cp);
        if (step <= 0 || n == MAX_EDIT)
            return MAX_EDIT + 1;
        out[n++] = cp;
        at += (size_t)step;
    }
    return n;
}

unsigned ag_edit_distance(const char *a, size_t a_len, const char *b, size_t b_len, unsigned limit)
{
    int32_t x[MAX_EDIT];
    int32_t y[MAX_EDIT];
    unsigned rows[3][MAX_EDIT + 1];
    size_t n = decode(a, a_len, x);
    size_t m = decode(b, b_len, y);

    if (n > MAX_EDIT || m > MAX_EDIT || (n > m ? n - m : m - n) > limit)
        return limit + 1;
    for (size_t j = 0; j <= m; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= n; i++) {
        unsigned *row = rows[i % 3];
        const unsigned *before = rows[(i + 2) % 3];
        const unsigned *two_before = rows[(i + 1) % 3];
        unsigned best = row[0] = (unsigned)i;
        for (size_t j = 1; j <= m; j++) {
            unsigned cost = before[j - 1] + (x[i - 1] != y[j - 1]);
            if (before[j] + 1 < cost)
                cost = before[j] + 1;
            if (row[j - 1] + 1 < cost)
                cost = row[j - 1] + 1;
            if (i > 1 && j > 1 && x[i - 1] == y[j - 2] && x[i - 2] == y[j - 1] &&
                two_before[j - 2] + 1 < cost)
                cost = two_before[j - 2] + 1;
            row[j] = cost;
            best = cost < best ? cost : best;
        }
        if (best > limit)
            return limit + 1;
    }
    return rows[n % 3][m] <= limit ? rows[n % 3][m] : limit + 1;
}

void ag_letters(const char *text, size_t len, struct ag_letters *out)
{
    *out = (struct ag_letters){.classes = 0};
    for (size_t at = 0; at < len;) {
        utf8proc_int32_t cp;
        utf8proc_ssize_t step =
            utf8proc_iterate((const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)(len - at), &cp);
        if (step <= 0)
            break;
        out->classes |= UINT64_C(1) << ((uint32_t)cp % 64);
        out->count++;
        at += (size_t)step;
    }
}

static unsigned bits(uint64_t classes)
{
    return (unsigned)__builtin_popcountll(classes);
}

/* No distance is below it. */
static unsigned least_distance(const struct ag_letters *a, const struct ag_letters *b)
{
    unsigned longer = a->count > b->count ? a->count - b->count : b->count - a->count;
    unsigned only_a = bits(a->classes & ~b->classes);
    unsigned only_b = bits(b->classes & ~a->classes);
    unsigned letters = only_a > only_b ? only_a : only_b;

    return longer > letters ? longer : letters;
}

/* Where a letter stands in what is sought: bit i for place i. */
struct places {
    utf8proc_int32_t letter;
    uint64_t at;
};

struct sought {
    const char *folded;
    size_t len;
    struct ag_letters letters;
    uint64_t ascii[128];
    struct places others[MAX_EDIT];
    size_t other_count;
};

static uint64_t *places_of(struct sought *sought, utf8proc_int32_t letter)
{
    size_t i = 0;

    if (letter < 128)
        return &sought->ascii[letter];
    while (i < sought->other_count && sought->others[i].letter != letter)
        i++;
    if (i == sought->other_count)
        sought->others[sought->other_count++] = (struct places){.letter = letter};
    return &sought->others[i].at;
}

static void seek(struct sought *sought, const char *folded, size_t len)
{
    int32_t letters[MAX_EDIT];
    size_t n = decode(folded, len, letters);

    *sought = (struct sought){.folded = folded, .len = len};
    ag_letters(folded, len, &sought->letters);
    for (size_t i = 0; i < n && n <= MAX_EDIT; i++)
        *places_of(sought, letters[i]) |= UINT64_C(1) << i;
}

static uint64_t places(const struct sought *sought, utf8proc_int32_t letter)
{
    if (letter < 128)
        return letter >= 0 ? sought->ascii[letter] : 0;
    for (size_t i = 0; i < sought->other_count; i++) {
        if (sought->others[i].letter == letter)
            return sought->others[i].at;
    }
    return 0;
}

/* ag_edit_distance() of a name and what is sought, a column of the table in a word at once: H. Hyyrö, "A
 * Bit-Vector Algorithm for Computing Levenshtein and Damerau Edit Distances", Nordic Journal of Computing 10
 * (2003). */
static unsigned distance_of(const struct ag_name *name, const struct sought *sought, unsigned limit)
{
    const char *text = name->folded;
    unsigned m = sought->letters.count;
    unsigned left = name->letters.count;
    unsigned distance = m;
    uint64_t last = UINT64_C(1) << (m - 1) % 64;
    uint64_t down = UINT64_MAX; /* one more than the cell above it; `up`: one less */
    uint64_t up = 0;
    uint64_t diagonal = 0; /* no more than the cell before and above it */
    uint64_t before = 0;

    if (m == 0 || m > MAX_EDIT || left > MAX_EDIT)
        return m == 0 ? left : limit + 1;
    for (; left > 0; left--) {
        utf8proc_int32_t letter = (unsigned char)*text;
        utf8proc_ssize_t step = 1;
        if (letter >= 128)
            step = utf8proc_iterate((const utf8proc_uint8_t *)text, -1, &letter);
        text += step > 0 ? step : 1;
        uint64_t here = places(sought, letter);
        uint64_t swapped = ((~diagonal & here) << 1) & before;
        diagonal = (((here & down) + down) ^ down) | here | up | swapped;
        uint64_t right = up | ~(diagonal | down);
        uint64_t back = diagonal & down;
        distance += (right & last) != 0;
        distance -= (back & last) != 0;
        if (distance > limit + left - 1)
            return limit + 1;
        right = right << 1 | 1;
        back <<= 1;
        down = back | ~(diagonal | right);
        up = right & diagonal;
        before = here;
    }
    return distance;
}

/* Smaller is closer; TOO_FAR beyond `limit`. What holds all of it ("payment" in "payment-service") is next to
 * equal. */
static unsigned closeness(const struct ag_name *name, const struct sought *sought, unsigned limit)
{
    bool holds =
        sought->len >= 3 && sought->len < 64 && (sought->letters.classes & ~name->letters.classes) == 0;
    unsigned distance;

    if (holds && strstr(name->folded, sought->folded) != NULL)
        return 1;
    if (least_distance(&name->letters, &sought->letters) > limit)
        return TOO_FAR;
    distance = distance_of(name, sought, limit);
    return distance > limit ? TOO_FAR : distance * 2;
}

/* The names so far, best first. */
struct ranked {
    unsigned cost[MAX_NEAREST];
    const struct ag_name **names;
    size_t count, max;
};

static void put(struct ranked *ranked, const struct ag_name *name, unsigned cost)
{
    size_t at = ranked->count;

    while (at > 0 && (ranked->cost[at - 1] > cost ||
                      (ranked->cost[at - 1] == cost && ranked->names[at - 1]->n < name->n)))
        at--;
    if (at >= ranked->max)
        return;
    if (ranked->count < ranked->max)
        ranked->count++;
    for (size_t k = ranked->count - 1; k > at; k--) {
        ranked->cost[k] = ranked->cost[k - 1];
        ranked->names[k] = ranked->names[k - 1];
    }
    ranked->cost[at] = cost;
    ranked->names[at] = name;
}

size_t ag_catalogue_nearest(const struct ag_catalogue *c, enum ag_kind kind, const char *folded, size_t len,
                            const struct ag_name **out, size_t max)
{
    struct sought sought;
    struct ranked ranked = {.names = out, .max = max < MAX_NEAREST ? max : MAX_NEAREST};
    unsigned limit = (unsigned)(len / 2 + 2);

    if (ranked.max == 0)
        return 0;
    seek(&sought, folded, len);
    for (int k = 0; k < AG_KIND_COUNT; k++) {
        size_t n = kind == AG_KIND_COUNT || k == (int)kind ? ag_catalogue_count(c, (enum ag_kind)k) : 0;
        for (size_t i = 0; i < n; i++) {
            const struct ag_name *name = ag_catalogue_at(c, (enum ag_kind)k, i);
            unsigned cost = closeness(name, &sought, limit);
            if (cost == TOO_FAR)
                continue;
            put(&ranked, name, cost);
            if (ranked.count == ranked.max && ranked.cost[ranked.max - 1] / 2 < limit)
                limit = ranked.cost[ranked.max - 1] / 2;
        }
    }
    return ranked.count;
}
