/*
 * Korean verbs as the vocabulary writes them: by their stem. From 튀 come 튄, 튈, 튐, 튑, 튀어, 튀었; what
 * else may follow (-고, -는, -던, -어요, -습니다) are endings of their own. Regular stems, those in ㄹ, 르,
 * 하 and the vowels that melt into the past (뜨 → 떴, 몰리 → 몰렸); others are written out in the vocabulary.
 */
#ifndef LOGMILL_AGENT_UNDERSTAND_CONJUGATE_H
#define LOGMILL_AGENT_UNDERSTAND_CONJUGATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AG_MAX_STEM 24
#define AG_MAX_FORMS 8

struct ag_form {
    uint32_t cp[AG_MAX_STEM + 2];
    size_t len;
};

/* The forms of stem[0..len), the stem itself first; how many. 0 where it is longer than AG_MAX_STEM or does
 * not end in a Hangul syllable. Code points in NFC. */
size_t ag_conjugate(const uint32_t *stem, size_t len, struct ag_form out[AG_MAX_FORMS]);

/* Is a[0..len) b[0..len) but for one letter people mistype: a tense consonant for a plain one, a vowel that
 * sounds alike, a final more, less or another? 에럭, 애러, 져번주, 써비스. */
bool ag_is_slip(const uint32_t *a, const uint32_t *b, size_t len);

/* Syllables [0, len) with ㅅ for each final ㅆ that `which` picks, one bit a final from the first on, as they
 * are typed in haste (햇어, 엿음). How many finals ㅆ there are; `out` may be `cp`'s length. */
size_t ag_loosely_spelt(const uint32_t *cp, size_t len, unsigned which, uint32_t *out);

#endif
