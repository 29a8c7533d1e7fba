#include "common/utf8.h"

static int continues(unsigned char c)
{
    return (c & 0xC0) == 0x80;
}

size_t lm_utf8_sequence(const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text;
    unsigned char low = 0x80, high = 0xBF; /* bounds of the second byte */

    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xC2 || p[0] > 0xF4)
        return 0;
    if (p[0] < 0xE0)
        return len >= 2 && continues(p[1]) ? 2 : 0;
    if (p[0] == 0xE0)
        low = 0xA0;
    else if (p[0] == 0xED)
        high = 0x9F;
    else if (p[0] == 0xF0)
        low = 0x90;
    else if (p[0] == 0xF4)
        high = 0x8F;
    if (len < 3 || p[1] < low || p[1] > high || !continues(p[2]))
        return 0;
    if (p[0] < 0xF0)
        return 3;
    return len >= 4 && continues(p[3]) ? 4 : 0;
}

/* Three bytes as most of what is beyond ASCII takes, Korean included: any but those that begin with E0, whose
 * second byte has a lower bound. */
static inline bool is_common_three(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;

    return p[0] > 0xE0 && p[0] < 0xF0 && continues(p[1]) && continues(p[2]) && (p[0] != 0xED || p[1] < 0xA0);
}

const char *lm_utf8_run(const char *text, const char *end)
{
    while (text < end && (unsigned char)*text >= 0x80) {
        if (end - text >= 3 && is_common_three(text)) {
            text += 3;
            continue;
        }
        size_t step = lm_utf8_sequence(text, (size_t)(end - text));
        if (step == 0)
            break;
        text += step;
    }
    return text;
}

enum lm_utf8_verdict lm_utf8_check_any(const char *text, size_t len)
{
    size_t i = 0;

    while (i < len) {
        while (len - i >= LM_BLOCK) {
            unsigned other = lm_block_not_ascii(text + i);
            if (other != 0) {
                i += (size_t)__builtin_ctz(other);
                break;
            }
            i += LM_BLOCK;
        }
        if (i == len)
            break;
        if (text[i] == '\0')
            return LM_UTF8_NUL;
        if ((unsigned char)text[i] < 0x80) {
            i++;
            continue;
        }
        unsigned whole = len - i >= LM_BLOCK ? lm_block_whole(text + i, lm_block_not_ascii(text + i)) : 0;
        if (whole > 0) {
            i += whole;
            continue;
        }
        size_t run = (size_t)(lm_utf8_run(text + i, text + len) - (text + i));
        if (run == 0)
            return LM_UTF8_INVALID;
        i += run;
    }
    return LM_UTF8_OK;
}

size_t lm_utf8_write(uint32_t code, char *out)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xC0 | (code >> 6));
        out[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xE0 | (code >> 12));
        out[1] = (char)(0x80 | ((code >> 6) & 0x3F));
        out[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | (code >> 18));
    out[1] = (char)(0x80 | ((code >> 12) & 0x3F));
    out[2] = (char)(0x80 | ((code >> 6) & 0x3F));
    out[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

size_t lm_utf8_cut(const char *text, size_t len, size_t max)
{
    if (len <= max)
        return len;
    while (max > 0 && continues((unsigned char)text[max]))
        max--;
    return max;
}
