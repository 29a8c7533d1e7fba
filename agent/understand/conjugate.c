/*
 * Syllables taken apart into lead, vowel and final and put together again (Unicode 3.12).
 */
#include "agent/understand/conjugate.h"

#include "agent/text.h"

#include <string.h>

#define FIRST 0xAC00U
#define VOWELS 21U
#define FINALS 28U

/* Numbers of the letters used here, in the order of Unicode. */
enum { V_A = 0, V_AE = 1, V_EO = 4, V_E = 5, V_YEO = 6, V_O = 8, V_WA = 9, V_WAE = 10, V_OE = 11 };
enum { V_U = 13, V_WO = 14, V_EU = 18, V_I = 20 };
enum { L_RIEUL = 5, L_IEUNG = 11, L_HIEUT = 18 };
enum {
    F_NONE = 0,
    F_NIEUN = 4,
    F_RIEUL = 8,
    F_RIEUL_MIEUM = 10,
    F_MIEUM = 16,
    F_BIEUP = 17,
    F_SSANG_SIOT = 20
};

struct syllable {
    unsigned lead, vowel, final;
};

static struct syllable taken_apart(uint32_t cp)
{
    uint32_t index = cp - FIRST;

    return (struct syllable){index / (VOWELS * FINALS), index / FINALS % VOWELS, index % FINALS};
}

static uint32_t composed(struct syllable s)
{
    return FIRST + (s.lead * VOWELS + s.vowel) * FINALS + s.final;
}

static void add_form(struct ag_form *out, size_t *count, const uint32_t *cp, size_t len)
{
    out[*count].len = len;
    memcpy(out[(*count)++].cp, cp, len * sizeof *cp);
}

/* The stem with another final in its last syllable. */
static void add_final(struct ag_form *out, size_t *count, const uint32_t *stem, size_t len, unsigned final)
{
    uint32_t cp[AG_MAX_STEM];
    struct syllable last = taken_apart(stem[len - 1]);

    last.final = final;
    memcpy(cp, stem, len * sizeof *cp);
    cp[len - 1] = composed(last);
    add_form(out, count, cp, len);
}

static bool is_bright(unsigned vowel)
{
    return vowel == V_A || vowel == V_O;
}

/* The stem as it stands before the past and -요: 튀어, 몰려, 나, 올라. Length of `cp`. */
static size_t infinitive(const uint32_t *stem, size_t len, uint32_t *cp)
{
    struct syllable last = taken_apart(stem[len - 1]);
    struct syllable before = len > 1 && ag_is_hangul(stem[len - 2]) ? taken_apart(stem[len - 2])
                                                                    : (struct syllable){0, V_EO, F_NONE};

    memcpy(cp, stem, len * sizeof *cp);
    if (last.final != F_NONE)
        goto appended;
    if (last.lead == L_HIEUT && last.vowel == V_A) {
        last.vowel = V_AE; /* 하: 해 */
    } else if (last.vowel == V_EU && last.lead == L_RIEUL && len > 1 && before.final == F_NONE) {
        before.final = F_RIEUL; /* 오르: 올라 */
        last.vowel = is_bright(before.vowel) ? V_A : V_EO;
        cp[len - 2] = composed(before);
    } else if (last.vowel == V_EU) {
        last.vowel = is_bright(before.vowel) ? V_A : V_EO;
    } else if (last.vowel == V_O) {
        last.vowel = V_WA;
    } else if (last.vowel == V_U) {
        last.vowel = V_WO;
    } else if (last.vowel == V_I) {
        last.vowel = V_YEO;
    } else if (last.vowel == V_OE) {
        last.vowel = V_WAE;
    } else if (last.vowel != V_A && last.vowel != V_EO && last.vowel != V_AE && last.vowel != V_E &&
               last.vowel != V_YEO) {
        goto appended;
    }
    cp[len - 1] = composed(last);
    return len;
appended:
    cp[len] = composed((struct syllable){L_IEUNG, is_bright(last.vowel) ? V_A : V_EO, F_NONE});
    return len + 1;
}

size_t ag_conjugate(const uint32_t *stem, size_t len, struct ag_form out[AG_MAX_FORMS])
{
    uint32_t cp[AG_MAX_STEM + 1];
    struct syllable last;
    size_t count = 0;
    size_t n;

    if (len == 0 || len > AG_MAX_STEM || !ag_is_hangul(stem[len - 1]))
        return 0;
    last = taken_apart(stem[len - 1]);
    add_form(out, &count, stem, len);
    if (last.final == F_NONE || last.final == F_RIEUL) {
        add_final(out, &count, stem, len, F_NIEUN);
        add_final(out, &count, stem, len, last.final == F_NONE ? F_MIEUM : F_RIEUL_MIEUM);
        add_final(out, &count, stem, len, F_BIEUP);
        /* 늘: 느는, 느니 */
        add_final(out, &count, stem, len, last.final == F_NONE ? F_RIEUL : F_NONE);
    }
    n = infinitive(stem, len, cp);
    /* A lone syllable (떠, 와) is too much else. */
    if (n > 1 && (n != len || memcmp(cp, stem, n * sizeof *cp) != 0))
        add_form(out, &count, cp, n);
    last = taken_apart(cp[n - 1]);
    last.final = F_SSANG_SIOT;
    cp[n - 1] = composed(last);
    add_form(out, &count, cp, n);
    return count;
}

size_t ag_loosely_spelt(const uint32_t *cp, size_t len, unsigned which, uint32_t *out)
{
    size_t count = 0;

    for (size_t i = 0; i < len; i++) {
        out[i] = cp[i];
        if (!ag_is_hangul(cp[i]) || taken_apart(cp[i]).final != F_SSANG_SIOT)
            continue;
        if (count < 8 * sizeof which && which >> count & 1U)
            out[i]--; /* ㅅ comes right before ㅆ */
        count++;
    }
    return count;
}

/* Letters mistaken for each other have the same number here. */
static const unsigned char lead_kinds[19] = {1, 1, 10, 2, 2, 11, 12, 3, 3, 4, 4, 13, 5, 5, 5, 1, 2, 3, 14};
static const unsigned char vowel_kinds[VOWELS] = {1, 2, 1, 2,  3, 2,  3, 2,  4,  10, 5,
                                                  5, 4, 6, 11, 5, 12, 6, 13, 14, 15};

bool ag_is_slip(const uint32_t *a, const uint32_t *b, size_t len)
{
    unsigned slips = 0;

    for (size_t i = 0; i < len && slips < 2; i++) {
        struct syllable x;
        struct syllable y;
        if (a[i] == b[i])
            continue;
        if (!ag_is_hangul(a[i]) || !ag_is_hangul(b[i]))
            return false;
        x = taken_apart(a[i]);
        y = taken_apart(b[i]);
        if (lead_kinds[x.lead] != lead_kinds[y.lead] || vowel_kinds[x.vowel] != vowel_kinds[y.vowel])
            return false;
        slips += (unsigned)((x.lead != y.lead) + (x.vowel != y.vowel) + (x.final != y.final));
    }
    return slips == 1;
}
