#include "common/pattern/pattern.h"

#include "common/byte_block.h"
#include "common/pattern/pattern_internal.h"
#include "common/utf8.h"

#include <string.h>
#include <xxhash.h>

enum { MASK_LEN = 3 };

#define D LM_PB_DIGIT
#define X LM_PB_HEX
#define L LM_PB_LETTER
#define S LM_PB_BLANK
#define O LM_PB_OTHER
#define M LM_PB_MARK
#define Q LM_PB_QUOTE
#define H LM_PB_HIGH
#define H16 H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H
#define S8 S, S, S, S, S, S, S, S
const uint16_t lm_pattern_byte[256] = {
    S8, S8, S8, S8,
    /*   ! " # $ % & ' ( ) * + , - . / */
    S, M, Q, M, M, M, M, Q, O, O, M, M, O, LM_PB_LINK, LM_PB_DOT, LM_PB_SLASH,
    /* 0-9 : ; < = > ? */
    D, D, D, D, D, D, D, D, D, D, LM_PB_COLON, O, O, LM_PB_EQUALS, O, M,
    /* @ A-O */
    LM_PB_AT, X, X, X, X, X, X, L, L, L, L, L, L, L, L, L,
    /* P-Z [ \ ] ^ _ */
    L, L, L, L, L, L, L, L, L, L, L, O, LM_PB_BACKSLASH, O, M, LM_PB_LINK,
    /* ` a-o */
    Q, X, X, X, X, X, X, L, L, L, L, L, L, L, L, L,
    /* p-z { | } ~ DEL */
    L, L, L, L, L, L, L, L, L, L, L, O, O, O, M, S, H16, H16, H16, H16, H16, H16, H16, H16};
#undef D
#undef X
#undef L
#undef S
#undef O
#undef M
#undef Q
#undef H
#undef H16
#undef S8

/* The word that may be followed by somebody's name. */
enum expect { EXPECT_NOTHING, EXPECT_LOGIN, EXPECT_USER };

struct walk {
    size_t len, at; /* of the line */
    size_t n;       /* bytes in `out` */
    /* The last word that was masked, as it stands in `out`; equal ones in a row are shown once. */
    size_t mask_start, mask_end;
    unsigned unclosed; /* quotes known to have no end on this line, a bit each */
    bool tells;        /* the value to come is what the message says: read, not masked */
    char telling;      /* the quote that ends it, or NUL */
    enum expect expect;
    /* Room for a block behind each: words are looked at and copied sixteen bytes at a time. */
    char out[LM_PATTERN_MAX + LM_BLOCK];
    char text[LM_PATTERN_INPUT_MAX + LM_BLOCK];
};

static unsigned kind_at(const struct walk *w, size_t at)
{
    return at < w->len ? lm_pattern_kind(w->text[at]) : LM_PB_END;
}

static void put_char(struct walk *w, char c)
{
    if (w->n < LM_PATTERN_MAX)
        w->out[w->n++] = c;
}

/* Of the line. */
static void put(struct walk *w, const char *text, size_t len)
{
    size_t room = LM_PATTERN_MAX - w->n;

    if (len > room)
        len = room;
    if (len <= LM_BLOCK)
        memcpy(w->out + w->n, text, LM_BLOCK);
    else
        memcpy(w->out + w->n, text, len);
    w->n += len;
}

static void put_mask_text(struct walk *w)
{
    size_t room = LM_PATTERN_MAX - w->n;

    memcpy(w->out + w->n, "<*>", MASK_LEN);
    w->n += room < MASK_LEN ? room : MASK_LEN;
}

/* One blank for any number of them, none at the end. */
static void put_blank(struct walk *w)
{
    if (w->n > 0 && w->out[w->n - 1] != ' ')
        put_char(w, ' ');
}

/* The masked word out[start..n) is taken back where it stands in a row with its equal: "1, 2, 3" is "<*>". */
static void masked_from(struct walk *w, size_t start)
{
    size_t len = w->n - start;
    size_t gap = start - w->mask_end;
    const char *between = w->out + w->mask_end;

    if (w->mask_end > 0 && gap >= 1 && gap <= 2 && w->mask_end - w->mask_start == len &&
        (between[0] == ' ' || between[0] == ',' || between[0] == ';') && (gap == 1 || between[1] == ' ') &&
        memcmp(w->out + w->mask_start, w->out + start, len) == 0) {
        w->n = w->mask_end;
        return;
    }
    w->mask_start = start;
    w->mask_end = w->n;
}

static void put_mask(struct walk *w)
{
    size_t start = w->n;

    put_mask_text(w);
    masked_from(w, start);
}

static bool equal(const char *text, size_t len, const char *word)
{
    return strlen(word) == len && memcmp(text, word, len) == 0;
}

/* Fields of structured lines that say what happened rather than to whom. */
static bool is_telling_key(const char *text, size_t len)
{
    static const struct lm_pattern_words keys = {{[3] = "msgloglvlerr",
                                                  [4] = "text",
                                                  [5] = "eventlevelerrorcause",
                                                  [6] = "reason",
                                                  [7] = "message",
                                                  [8] = "severity"}};

    return lm_pattern_is_listed(text, len, &keys);
}

/* "key": behind { or a comma. */
static bool is_json_key(const struct walk *w, size_t close)
{
    size_t before = w->at;

    if (w->text[w->at] != '"' || (kind_at(w, close) & LM_PB_COLON) == 0)
        return false;
    while (before > 0 && (kind_at(w, before - 1) & (LM_PB_BLANK | LM_PB_BACKSLASH)) != 0)
        before--;
    return before > 0 && (w->text[before - 1] == '{' || w->text[before - 1] == ',');
}

/* What stands between quotes is masked, but for the key of a JSON member and the method of a request line. */
static void put_quoted(struct walk *w, const char *text, size_t len)
{
    static const char *const methods[] = {"GET ", "POST ", "PUT ", "HEAD ", "DELETE ", "PATCH ", "OPTIONS "};
    size_t close = w->at + len + 2, start = w->n;
    bool key = len > 0 && is_json_key(w, close);

    put_char(w, text[-1]);
    if (key) {
        put(w, text, len);
        w->tells = is_telling_key(text, len);
    } else {
        for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
            size_t method = strlen(methods[i]);
            if (len > method && memcmp(text, methods[i], method) == 0)
                put(w, text, method);
        }
        put_mask_text(w);
    }
    put_char(w, text[-1]);
    if (!key)
        masked_from(w, start);
    w->at = close;
}

/* A quote opens at a word's start and closes at a word's end; the same character again, an apostrophe say,
 * stands for itself. */
static void take_quote(struct walk *w)
{
    char quote = w->text[w->at];
    unsigned bit = quote == '"' ? 1 : quote == '\'' ? 2 : 4;
    bool opens = w->at == 0 || (kind_at(w, w->at - 1) & (LM_PB_WORD & ~LM_PB_COLON)) == 0;

    if (w->telling == quote && w->text[w->at - 1] != '\\') {
        w->telling = '\0';
    } else if (opens && w->tells) {
        w->telling = quote;
        w->tells = false;
    } else if (opens && w->telling != quote && (w->unclosed & bit) == 0) {
        for (size_t i = w->at + 1; i < w->len; i++) {
            if (w->text[i] == '\\') {
                i++;
            } else if (w->text[i] == quote &&
                       (kind_at(w, i + 1) & (LM_PB_DIGIT | LM_PB_HEX | LM_PB_LETTER)) == 0) {
                put_quoted(w, w->text + w->at + 1, i - w->at - 1);
                return;
            }
        }
        w->unclosed |= bit;
    }
    put_char(w, quote);
    w->at++;
}

/* key=value: what is masked is the value, also an empty one; not ==, =>, nor what brackets or quotes hold. */
static void take_equals(struct walk *w)
{
    bool key = w->at > 0 && (kind_at(w, w->at - 1) & (LM_PB_WORD & ~LM_PB_MARK)) != 0;
    unsigned next = kind_at(w, w->at + 1);
    size_t end = w->at + 1, start = w->at;

    put_char(w, '=');
    w->at = end;
    while (key && start > 0 && (kind_at(w, start - 1) & (LM_PB_HEX | LM_PB_LETTER)) != 0)
        start--;
    if (key && is_telling_key(w->text + start, end - 1 - start)) {
        w->tells = next == LM_PB_QUOTE;
        return;
    }
    if (!key || (next & (LM_PB_OTHER | LM_PB_EQUALS | LM_PB_QUOTE)) != 0) {
        bool empty = key && end < w->len && memchr(",;)", w->text[end], 3) != NULL;
        if (empty)
            put_mask_text(w);
        return;
    }
    while ((kind_at(w, end) & (LM_PB_WORD | LM_PB_HIGH)) != 0 ||
           (end + 1 < w->len && w->text[end] == '=' && (kind_at(w, end + 1) & LM_PB_WORD) != 0))
        end++;
    put_mask_text(w);
    w->at = end;
}

/* A number may be followed by its unit: 5 ms, 3.2 KB, 10:15 AM; 5µs, whose µ ends the word. */
static void take_unit(struct walk *w)
{
    const char *rest = w->text + w->at;

    if (w->len - w->at >= 3 && (memcmp(rest, "\xc2\xb5s", 3) == 0 || memcmp(rest, "\xce\xbcs", 3) == 0)) {
        w->at += 3;
        return;
    }
    if (kind_at(w, w->at) == LM_PB_BLANK && w->at + 1 < w->len) {
        size_t unit = lm_pattern_unit(w->text + w->at + 1, w->len - w->at - 1);
        w->at += unit > 0 ? unit + 1 : 0;
    }
}

/* Words such as "is" and "logged", which are nobody's name. */
static bool is_no_name(const char *text, size_t len)
{
    static const struct lm_pattern_words words = {{[2] = "istoatoninorofby",
                                                   [3] = "washasnotandfor",
                                                   [4] = "fromwithuserdata",
                                                   [5] = "login",
                                                   [6] = "logout",
                                                   [7] = "invalidillegalunknownsessionrequest"}};

    if (len > 2 &&
        (memcmp(text + len - 2, "ed", 2) == 0 || (len > 3 && memcmp(text + len - 3, "ing", 3) == 0)))
        return true;
    return lm_pattern_is_listed(text, len, &words);
}

/* After a word as it is: whether the next may be a name. "for user kim", "password for kim from". */
static enum expect expect_after(enum expect before, const char *text, size_t len)
{
    if (len == 3 && equal(text, len, "for"))
        return before == EXPECT_LOGIN ? EXPECT_USER : EXPECT_LOGIN;
    if (len == 4 && (equal(text, len, "user") || equal(text, len, "User")))
        return before == EXPECT_NOTHING ? EXPECT_NOTHING : EXPECT_USER;
    switch (len) {
    case 2:
        return equal(text, len, "by") || equal(text, len, "of") ? EXPECT_LOGIN : EXPECT_NOTHING;
    case 7:
        return equal(text, len, "invalid") || equal(text, len, "Invalid") || equal(text, len, "illegal")
                   ? EXPECT_LOGIN
                   : EXPECT_NOTHING;
    case 8:
        return equal(text, len, "password") ? EXPECT_LOGIN : EXPECT_NOTHING;
    case 9:
        return equal(text, len, "publickey") ? EXPECT_LOGIN : EXPECT_NOTHING;
    default:
        return EXPECT_NOTHING;
    }
}

/* "ready: true", "ready:false": bytes of the word before what is masked; its length where nothing is. */
static size_t before_truth(const struct walk *w, const char *text, size_t len)
{
    static const char *const truths[] = {"true", "false"};

    for (size_t i = 0; i < 2; i++) {
        size_t n = strlen(truths[i]);
        if (len < n || memcmp(text + len - n, truths[i], n) != 0)
            continue;
        size_t start = w->at + len - n;
        if (start > 0 && w->text[start - 1] == ' ')
            start--;
        if (start > 0 && w->text[start - 1] == ':' && (len == n || w->text[start] != ' '))
            return len - n;
    }
    return len;
}

static void take_plain_word(struct walk *w, const char *text, size_t len)
{
    enum expect expect = w->expect;
    size_t before = text[len - 1] == 'e' && len >= 4 ? before_truth(w, text, len) : len;

    if (before < len) {
        put(w, text, before);
        put_mask_text(w);
        w->at += len;
        return;
    }
    if (text[0] >= 'A' && text[0] <= 'W' && lm_pattern_is_date_word(text, len, w->len - w->at)) {
        w->at += len;
        put_mask(w);
        return;
    }
    w->at += len;
    w->expect = expect_after(expect, text, len);
    if (expect == EXPECT_USER && !is_no_name(text, len)) {
        put_mask(w);
        return;
    }
    put(w, text, len);
}

/* Length of the word at the start of `text` and the kinds of its bytes. */
static size_t word_length(const char *text, size_t left, unsigned *seen)
{
    size_t len = 0;

    *seen = 0;
    for (; len < left; len++) {
        unsigned kind = lm_pattern_kind(text[len]);
        if ((kind & LM_PB_WORD) == 0 &&
            !(text[len] == ',' && len > 0 && len + 1 < left &&
              lm_pattern_kind(text[len - 1]) == LM_PB_DIGIT && lm_pattern_kind(text[len + 1]) == LM_PB_DIGIT))
            break;
        *seen |= kind;
    }
    return len;
}

/* Digits with nothing that would make a longer word of them, as most values are: their length, or 0. */
static size_t plain_number(const char *text)
{
    size_t len = 0;

    while (lm_pattern_kind(text[len]) == LM_PB_DIGIT)
        len++;
    return (lm_pattern_kind(text[len]) & LM_PB_WORD) == 0 && text[len] != ',' ? len : 0;
}

static void take_word(struct walk *w)
{
    const char *text = w->text + w->at;
    size_t left = w->len - w->at, number;
    unsigned seen, other = lm_block_not_letter(text);

    /* Most words are short and have nothing but letters: their end is known without a look at each. */
    if (other != 0 && (lm_pattern_kind(text[__builtin_ctz(other)]) & LM_PB_WORD) == 0) {
        take_plain_word(w, text, (size_t)__builtin_ctz(other));
        return;
    }
    if ((number = plain_number(text)) > 0) {
        w->expect = EXPECT_NOTHING;
        put_mask(w);
        w->at += number;
        take_unit(w);
        return;
    }
    if (text[0] == ':' && text[1] != ':') { /* behind a JSON key or a bracket */
        w->expect = EXPECT_NOTHING;
        put_char(w, ':');
        w->at++;
        return;
    }
    size_t len = word_length(text, left, &seen);
    if ((seen & (LM_PB_DIGIT | LM_PB_DOT | LM_PB_SLASH | LM_PB_AT | LM_PB_BACKSLASH)) == 0) {
        take_plain_word(w, text, len);
        return;
    }
    bool named = w->expect == EXPECT_USER;
    w->expect = EXPECT_NOTHING;
    struct lm_pattern_word word = lm_pattern_word(text, len, left, seen);
    if (named && word.end == 0)
        word.end = len;
    if (word.end == 0) {
        put(w, text, len);
        w->at += len;
        return;
    }
    size_t start = w->n;
    put(w, text, named ? 0 : word.keep);
    put_mask_text(w);
    masked_from(w, start);
    w->at += word.end;
    if (word.keep == 0 && (seen & LM_PB_DIGIT) != 0)
        take_unit(w);
}

/* "<1 sec": less or more than a number is a number. */
static bool is_bound(const struct walk *w)
{
    char c = w->text[w->at];
    return (c == '<' || c == '>') && w->at > 0 && kind_at(w, w->at - 1) == LM_PB_BLANK &&
           kind_at(w, w->at + 1) == LM_PB_DIGIT && memchr(w->text + w->at, '>', w->len - w->at) == NULL;
}

/* Colours and other instructions to a terminal: ESC [ … letter. */
static size_t escape(const struct walk *w)
{
    size_t end = w->at + 2;

    if (w->text[w->at] != '\x1b' || w->at + 1 >= w->len || w->text[w->at + 1] != '[')
        return 0;
    while (end < w->len && (kind_at(w, end) & (LM_PB_HEX | LM_PB_LETTER)) == 0)
        end++;
    return end < w->len ? end + 1 - w->at : 0;
}

static void take_blank(struct walk *w)
{
    size_t skip = escape(w);

    if (skip == 0) {
        put_blank(w);
        skip = 1;
    }
    w->at += skip;
}

static void take_other(struct walk *w, unsigned kind)
{
    w->expect = EXPECT_NOTHING;
    if (kind == LM_PB_QUOTE) {
        take_quote(w);
    } else if (kind == LM_PB_EQUALS) {
        take_equals(w);
    } else {
        if (!is_bound(w))
            put_char(w, w->text[w->at]);
        w->at++;
    }
}

static void walk_line(struct walk *w)
{
    while (w->at < w->len && w->n < LM_PATTERN_MAX) {
        unsigned kind = lm_pattern_kind(w->text[w->at]);
        if ((kind & LM_PB_WORD) != 0)
            take_word(w);
        else if (kind == LM_PB_BLANK)
            take_blank(w);
        else
            take_other(w, kind);
    }
}

/* The first line that is not blank, with zeros behind it; no character is cut in two. */
static void find_line(struct walk *w, const char *message, size_t len)
{
    const char *end;

    while (len > 0 && lm_pattern_kind(*message) == LM_PB_BLANK && *message != '\x1b') {
        message++;
        len--;
    }
    w->len = len > LM_PATTERN_INPUT_MAX ? lm_utf8_cut(message, len, LM_PATTERN_INPUT_MAX) : len;
    if (w->len > 0 && (end = memchr(message, '\n', w->len)) != NULL)
        w->len = (size_t)(end - message);
    if (w->len > 0 && (end = memchr(message, '\r', w->len)) != NULL)
        w->len = (size_t)(end - message);
    if (w->len > 0)
        memcpy(w->text, message, w->len);
    memset(w->text + w->len, 0, LM_BLOCK);
}

/* A full template may end inside a character; none ends in a blank. */
static void finish(struct walk *w)
{
    size_t last = w->n;

    while (last > 0 && w->n - last < 4 && ((unsigned char)w->out[last - 1] & 0xC0) == 0x80)
        last--;
    if (last > 0 && (unsigned char)w->out[last - 1] >= 0xC0 &&
        lm_utf8_sequence(w->out + last - 1, w->n - last + 1) == 0)
        w->n = last - 1;
    while (w->n > 0 && w->out[w->n - 1] == ' ')
        w->n--;
}

int64_t lm_pattern(const char *message, size_t len, struct lm_buffer *out)
{
    struct walk w;

    find_line(&w, message, len);
    w.at = w.n = w.mask_start = w.mask_end = 0;
    w.unclosed = 0;
    w.tells = false;
    w.telling = '\0';
    w.expect = EXPECT_NOTHING;
    walk_line(&w);
    finish(&w);
    lm_buffer_clear(out);
    lm_buffer_append(out, w.out, w.n);
    return (int64_t)XXH3_64bits(w.out, w.n);
}
