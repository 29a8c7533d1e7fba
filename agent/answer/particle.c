/*
 * Korean particles by the last sound: 은 or 는, 이 or 가. Hangul says it itself (final consonant or none);
 * digits by how they are read (3 is 삼); Latin letters by name where they stand for themselves (URL is
 * 유알엘), else by how such words are usually read (timeout is 타임아웃, service is 서비스).
 */
#include "agent/answer/table.h"

#include <string.h>

enum sound { VOWEL, CONSONANT, RIEUL };

static enum sound of_hangul(unsigned code)
{
    unsigned last = (code - 0xAC00) % 28;
    return last == 0 ? VOWEL : last == 8 ? RIEUL : CONSONANT;
}

/* 영 일 이 삼 사 오 육 칠 팔 구 */
static enum sound of_digit(char c)
{
    switch (c) {
    case '1':
    case '7':
    case '8':
        return RIEUL;
    case '0':
    case '3':
    case '6':
        return CONSONANT;
    default:
        return VOWEL;
    }
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static char lower(char c)
{
    return is_upper(c) ? (char)(c - 'A' + 'a') : c;
}

static bool is_vowel(char c)
{
    return c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || is_upper(c);
}

/* `text` ends in a Latin letter. */
static enum sound of_word(const char *text, size_t len)
{
    char last = text[len - 1];
    char before = len > 1 && is_letter(text[len - 2]) ? text[len - 2] : '\0';
    bool letter_names = is_upper(last) && (before == '\0' || (is_upper(before) && !is_vowel(lower(before))));
    char c = lower(last);
    char b = lower(before);
    bool silent_e = c == 'e' && !letter_names && len > 2;
    if (c == 'l' || (silent_e && b == 'l')) {
        return RIEUL; /* mobile, console */
    }
    if (c == 'm' || c == 'n' || (silent_e && (b == 'm' || b == 'n' || b == 'p'))) {
        return CONSONANT; /* chrome, pipeline, type */
    }
    if (letter_names) {
        return c == 'r' ? RIEUL : VOWEL;
    }
    bool closed =
        b == 'c' ? c == 'k' : is_vowel(b) && (c == 't' || c == 'k' || c == 'p' || c == 'c' || c == 'b');
    if (closed || (c == 'g' && b == 'n')) {
        return CONSONANT;
    }
    return VOWEL;
}

static enum sound last_sound(const char *text, size_t len)
{
    /* What stands in brackets behind a word does not change its particle: 365건(53.6%)으로. */
    if (len > 0 && text[len - 1] == ')') {
        size_t open = len;
        while (open > 0 && text[open - 1] != '(') {
            open--;
        }
        if (open > 1 && text[open - 2] != ' ') {
            len = open - 1;
        }
    }
    /* Brackets and quotes are not read. */
    while (len > 0 && strchr(")]}\"'.…", text[len - 1]) != NULL) {
        len--;
    }
    while (len >= 3 && memcmp(text + len - 3, "…", 3) == 0) {
        len -= 3;
    }
    if (len == 0) {
        return VOWEL;
    }
    unsigned char c = (unsigned char)text[len - 1];
    if (c >= '0' && c <= '9') {
        return of_digit((char)c);
    }
    if (is_letter((char)c)) {
        return of_word(text, len);
    }
    if (c == '%') {
        return VOWEL; /* 퍼센트 */
    }
    if (len >= 3 && (c & 0xC0) == 0x80) {
        const unsigned char *u = (const unsigned char *)text + len - 3;
        unsigned code = ((u[0] & 0x0FU) << 12) | ((u[1] & 0x3FU) << 6) | (u[2] & 0x3FU);
        if ((u[0] & 0xF0) == 0xE0 && code >= 0xAC00 && code <= 0xD7A3) {
            return of_hangul(code);
        }
    }
    return VOWEL;
}

void ag_put_particle(struct lm_buffer *out, enum ag_particle particle)
{
    static const char *const forms[][2] = {
        [AG_EUN_NEUN] = {"는", "은"}, [AG_I_GA] = {"가", "이"},      [AG_EUL_REUL] = {"를", "을"},
        [AG_GWA_WA] = {"와", "과"},   [AG_EURO_RO] = {"로", "으로"},
    };
    enum sound sound = last_sound(out->data, out->len);
    bool closed = sound == CONSONANT || (sound == RIEUL && particle != AG_EURO_RO);
    lm_buffer_append_text(out, forms[particle][closed]);
}
