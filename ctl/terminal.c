#include "ctl/terminal.h"

#include "common/utf8.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <utf8proc.h>

/* Controls, and what makes a terminal write from right to left or nothing at all. */
static bool is_unsafe(const char *at, size_t size, uint32_t *code)
{
    const unsigned char *byte = (const unsigned char *)at;

    *code = size == 1   ? byte[0]
            : size == 2 ? (byte[0] & 0x1fu) << 6 | (byte[1] & 0x3fu)
            : size == 3 ? (byte[0] & 0x0fu) << 12 | (byte[1] & 0x3fu) << 6 | (byte[2] & 0x3fu)
                        : (byte[0] & 0x07u) << 18 | (byte[1] & 0x3fu) << 12 | (byte[2] & 0x3fu) << 6 |
                              (byte[3] & 0x3fu);
    return *code < 0x20 || (*code >= 0x7f && *code < 0xa0) || (*code >= 0x200b && *code <= 0x200f) ||
           (*code >= 0x2028 && *code <= 0x202e) || (*code >= 0x2060 && *code <= 0x206f) || *code == 0xfeff ||
           *code == 0x061c || *code >= 0xe0000;
}

void ct_terminal_append_safe(struct lm_buffer *out, const char *text, size_t len, size_t max)
{
    uint32_t code;

    while (len > 0) {
        size_t size = lm_utf8_sequence(text, len);
        if (max-- == 0) {
            lm_buffer_append_text(out, "…");
            return;
        }
        if (size == 0) {
            lm_buffer_printf(out, "\\x%02X", (unsigned)(unsigned char)*text);
            size = 1;
        } else if (is_unsafe(text, size, &code)) {
            lm_buffer_printf(out, code < 0x80 ? "\\x%02X" : "\\u{%X}", code);
        } else {
            lm_buffer_append(out, text, size);
        }
        text += size;
        len -= size;
    }
}

/* Columns of the character at `at`, *size bytes long. */
static size_t character(const char *at, size_t len, size_t *size)
{
    utf8proc_int32_t code;
    utf8proc_ssize_t taken = utf8proc_iterate((const utf8proc_uint8_t *)at, (utf8proc_ssize_t)len, &code);

    *size = taken > 0 ? (size_t)taken : 1;
    int columns = taken > 0 ? utf8proc_charwidth(code) : 1;
    return columns > 0 ? (size_t)columns : 0;
}

size_t ct_terminal_width(const char *text, size_t len)
{
    size_t columns = 0, size;

    for (size_t i = 0; i < len; i += size)
        columns += character(text + i, len - i, &size);
    return columns;
}

/* The longest beginning that takes at most `columns`; *taken is what it takes. */
static size_t beginning(const char *text, size_t len, size_t columns, size_t *taken)
{
    size_t at = 0, size;

    *taken = 0;
    while (at < len) {
        size_t more = character(text + at, len - at, &size);
        if (*taken + more > columns)
            break;
        *taken += more;
        at += size;
    }
    return at;
}

void ct_terminal_append_cell(struct lm_buffer *out, const char *text, size_t columns, enum ct_align align)
{
    size_t len = strlen(text), taken, kept = beginning(text, len, columns, &taken);
    bool cut = kept < len;

    if (cut) {
        kept = beginning(text, len, columns > 0 ? columns - 1 : 0, &taken);
        taken += columns > 0;
    }
    if (align == CT_RIGHT)
        lm_buffer_printf(out, "%*s", (int)(columns - taken), "");
    lm_buffer_append(out, text, kept);
    if (cut && columns > 0)
        lm_buffer_append_text(out, "…");
    if (align == CT_LEFT)
        lm_buffer_printf(out, "%*s", (int)(columns - taken), "");
}

struct ct_terminal ct_terminal_of(FILE *out)
{
    const char *no_colour = getenv("NO_COLOR"), *kind = getenv("TERM");
    struct ct_terminal terminal = {0};
    struct winsize size;
    int fd = fileno(out);

    if (fd < 0 || isatty(fd) != 1)
        return terminal;
    terminal.columns = ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
    terminal.colour = (no_colour == NULL || *no_colour == '\0') && kind != NULL && strcmp(kind, "dumb") != 0;
    return terminal;
}
