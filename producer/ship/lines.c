#include "producer/ship/lines.h"

#include <string.h>

/* Room for several lines read at once besides a longest one. */
#define SLACK ((size_t)1 << 20)

void sh_lines_init(struct sh_lines *lines, int64_t offset, size_t max_line)
{
    *lines = (struct sh_lines){.offset = offset, .max_line = max_line};
    lm_buffer_init(&lines->bytes, max_line + SLACK);
}

void sh_lines_free(struct sh_lines *lines)
{
    lm_buffer_free(&lines->bytes);
}

int sh_lines_add(struct sh_lines *lines, const char *data, size_t len)
{
    if (lines->taken > 0) {
        lines->bytes.len -= lines->taken;
        memmove(lines->bytes.data, lines->bytes.data + lines->taken, lines->bytes.len);
        lines->taken = 0;
    }
    if (lm_buffer_reserve(&lines->bytes, len) != 0) {
        lines->bytes.failed = false;
        return -1;
    }
    lm_buffer_append(&lines->bytes, data, len);
    return 0;
}

/* Where to cut `text` of more than `max` bytes: before the character that would be split. */
static size_t cut_at(const char *text, size_t max)
{
    size_t cut = max;

    while (cut > max - 4 && ((unsigned char)text[cut] & 0xC0) == 0x80) {
        cut--;
    }
    return ((unsigned char)text[cut] & 0xC0) == 0x80 ? max : cut;
}

int sh_lines_next(struct sh_lines *lines, bool at_end, struct sh_line *out)
{
    const char *text = lines->bytes.data + lines->taken;
    size_t left = lines->bytes.len - lines->taken, len, consumed;
    const char *newline;
    bool piece_of_earlier = lines->in_pieces;

    if (left == 0) {
        return 0;
    }
    newline = memchr(text, '\n', left);
    len = newline ? (size_t)(newline - text) : left;
    if (len > lines->max_line) {
        len = cut_at(text, lines->max_line);
        consumed = len;
        lines->in_pieces = true;
    } else if (newline) {
        consumed = len + 1;
        lines->in_pieces = false;
        if (len > 0 && text[len - 1] == '\r') {
            len--;
        }
    } else if (at_end) {
        consumed = len;
        lines->in_pieces = false;
    } else {
        return 0;
    }
    *out = (struct sh_line){.text = {text, len},
                            .start = lines->offset,
                            .end = lines->offset + (int64_t)consumed,
                            .piece_of_earlier = piece_of_earlier};
    lines->taken += consumed;
    lines->offset += (int64_t)consumed;
    return 1;
}
