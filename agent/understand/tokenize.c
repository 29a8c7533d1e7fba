/*
 * The cheapest reading of a text, by dynamic programming over its code points: every word known, every form,
 * every name that could start at a place is an edge to where it ends.
 */
#include "agent/understand/tokens.h"

#include "agent/understand/scan.h"

#include <stdlib.h>
#include <string.h>

#define COST_NAME 8
#define COST_WORD 10
#define COST_SUFFIX 3
#define COST_ENDING 6
#define COST_SLIP 24
#define MAX_SLIPPED 4 /* words looked at for slips */
#define COST_STRAY 200
#define COST_NONE UINT32_MAX
#define MAX_MATCHES 24
#define MAX_NAME_CHARS 128

struct step {
    uint32_t cost;
    uint32_t from;
    bool is_space;
    bool is_name;
    bool is_slip;
    struct ag_scan scan; /* .len 0 for a word of the vocabulary or a name */
    const struct ag_reading *readings;
};

struct lattice {
    const struct ag_text *text;
    const struct ag_vocabulary *vocabulary;
    const struct ag_catalogue *catalogue;
    struct lm_arena *arena;
    struct step *steps;
    char *utf8;                  /* the matching text */
    uint32_t *bytes;             /* bytes[i]: offset of cp[i] in utf8 */
    size_t slipped[MAX_SLIPPED]; /* where words begin that hold something nobody knows */
    size_t slipped_count;
};

static void relax(struct lattice *l, size_t from, size_t to, uint32_t cost, const struct step *step)
{
    uint32_t total = l->steps[from].cost + cost;

    if (total < l->steps[to].cost) {
        l->steps[to] = *step;
        l->steps[to].cost = total;
        l->steps[to].from = (uint32_t)from;
    }
}

/* A particle must fit what it follows: 은 after a consonant, 는 after a vowel, 로 after a vowel or ㄹ. */
static bool particle_fits(const char *value, uint32_t before)
{
    if (*value == '\0' || !ag_is_hangul(before))
        return true;
    switch (*value) {
    case 'c':
        return ag_has_final(before);
    case 'v':
        return !ag_has_final(before);
    case 'r':
        return !ag_has_final(before) || ag_final_is_rieul(before);
    default:
        return true;
    }
}

/* 음, 다, 중 are fillers where a word ends, never the beginning of one that nobody knows (다음, 중요한). */
static bool closes_a_word(const struct ag_text *t, size_t end)
{
    uint32_t behind = end < t->len ? t->cp[end] : ' ';

    return !ag_is_hangul(behind) || behind == 0xB294 /* 는 */ || behind == 0xB3C4 /* 도 */ ||
           behind == 0xC758 /* 의 */ || behind == 0xC5D4 /* 엔 */;
}

static bool is_lone_filler(const struct ag_reading *readings)
{
    for (; readings; readings = readings->next) {
        if (readings->concept != AG_C_NOISE && readings->concept != AG_C_PREPOSITION && !readings->suffix)
            return false;
    }
    return true;
}

static bool reading_fits(const struct ag_reading *reading, uint32_t before)
{
    if (reading->suffix && (before == ' ' || before == 0))
        return false;
    /* 15일까지 is no question (-일까). */
    if (reading->concept == AG_C_ENDING && before >= '0' && before <= '9')
        return false;
    return reading->concept != AG_C_PARTICLE || particle_fits(reading->value, before);
}

/* "top5", "last30": words that want a number may have it right behind. */
static bool wants_a_number(const struct ag_reading *readings)
{
    for (; readings; readings = readings->next) {
        if (readings->concept == AG_C_TOP || readings->concept == AG_C_BOTTOM ||
            readings->concept == AG_C_LAST || readings->concept == AG_C_PAST)
            return true;
    }
    return false;
}

static bool digit_follows(const struct ag_text *t, size_t at)
{
    return t->cp[at] >= '0' && t->cp[at] <= '9';
}

static void add_words(struct lattice *l, size_t at)
{
    const struct ag_text *t = l->text;
    struct ag_match matches[MAX_MATCHES];
    uint32_t before = at > 0 ? t->cp[at - 1] : 0;
    size_t n;

    if (!ag_scan_starts(t, at))
        return;
    n = ag_vocabulary_match(l->vocabulary, t->cp + at, t->len - at, matches, MAX_MATCHES);
    for (size_t i = 0; i < n; i++) {
        struct step step = {.readings = matches[i].readings};
        bool fits = false;
        bool only_suffix = true;
        bool continues = false; /* glued to Latin letters, as one of its readings may be: WARN이상 */
        bool ending = matches[i].readings->concept == AG_C_ENDING;
        if (!ag_scan_ends(t, at + matches[i].len) &&
            !(digit_follows(t, at + matches[i].len) && wants_a_number(matches[i].readings)))
            continue;
        for (const struct ag_reading *r = matches[i].readings; r; r = r->next) {
            bool good = reading_fits(r, before);
            fits = fits || good;
            only_suffix = only_suffix && !(good && !r->suffix);
            continues = continues || (good && r->suffix && before > ' ' && before < 0x80);
        }
        if (fits && !only_suffix && matches[i].len == 1 && ag_is_hangul(t->cp[at]) &&
            is_lone_filler(matches[i].readings) && !closes_a_word(t, at + 1))
            continue;
        if (fits)
            relax(l, at, at + matches[i].len,
                  only_suffix || continues ? (ending ? COST_ENDING : COST_SUFFIX) : COST_WORD, &step);
    }
}

static bool is_vocabulary(const struct lattice *l, size_t at, size_t len)
{
    struct ag_match matches[MAX_MATCHES];
    size_t n = ag_vocabulary_match(l->vocabulary, l->text->cp + at, len, matches, MAX_MATCHES);

    return n > 0 && matches[n - 1].len == len && !matches[n - 1].readings->suffix;
}

static void add_names(struct lattice *l, size_t at)
{
    const struct ag_text *t = l->text;
    const struct ag_name *name;
    struct step step = {.is_name = true};
    unsigned spaces = 0;

    if (!ag_scan_starts(t, at) ||
        !ag_catalogue_may_start(l->catalogue, l->utf8 + l->bytes[at], l->bytes[t->len] - l->bytes[at]))
        return;
    for (size_t n = 1; n <= MAX_NAME_CHARS && at + n <= t->len; n++) {
        if (t->cp[at + n - 1] == ' ' && ++spaces > 2)
            return;
        if (!ag_scan_ends(t, at + n) || t->cp[at + n - 1] == ' ')
            continue;
        if (ag_catalogue_find(l->catalogue, l->utf8 + l->bytes[at], l->bytes[at + n] - l->bytes[at], &name,
                              1) == 0)
            continue;
        if (!is_vocabulary(l, at, n))
            relax(l, at, at + n, COST_NAME, &step);
    }
}

/* 에럭, 져번주: at the beginning of a word that cannot be read otherwise. */
static void add_slips(struct lattice *l, size_t at)
{
    const struct ag_text *t = l->text;
    struct ag_match matches[MAX_MATCHES];
    size_t n;
    bool wanted = false;

    for (size_t i = 0; i < l->slipped_count; i++)
        wanted = wanted || l->slipped[i] == at;
    n = wanted ? ag_vocabulary_slips(l->vocabulary, t->cp + at, t->len - at, matches, MAX_MATCHES) : 0;
    for (size_t i = 0; i < n; i++) {
        struct step step = {.readings = matches[i].readings, .is_slip = true};
        relax(l, at, at + matches[i].len, COST_SLIP, &step);
    }
}

static void add_edges(struct lattice *l, size_t at)
{
    struct ag_scan scans[AG_MAX_SCANS];
    struct step step = {.is_space = true};
    size_t n;

    if (l->text->cp[at] == ' ') {
        relax(l, at, at + 1, 0, &step);
        return;
    }
    add_words(l, at);
    add_slips(l, at);
    add_names(l, at);
    n = ag_scan(l->text, at, l->arena, scans);
    for (size_t i = 0; i < n; i++) {
        step = (struct step){.scan = scans[i]};
        relax(l, at, at + scans[i].len, scans[i].cost, &step);
    }
    step = (struct step){.scan = {.concept = AG_C_OTHER, .len = 1, .value = ""}};
    relax(l, at, at + 1, COST_STRAY, &step);
}

static int prepare(struct lattice *l)
{
    const struct ag_text *t = l->text;

    l->steps = lm_arena_alloc(l->arena, (t->len + 1) * sizeof *l->steps);
    l->bytes = lm_arena_alloc(l->arena, (t->len + 1) * sizeof *l->bytes);
    l->utf8 = ag_text_utf8(t, 0, t->len, l->arena);
    if (!l->steps || !l->bytes || !l->utf8)
        return -1;
    l->bytes[0] = 0;
    for (size_t i = 0; i < t->len; i++)
        l->bytes[i + 1] = l->bytes[i] + (t->cp[i] < 0x80      ? 1
                                         : t->cp[i] < 0x800   ? 2
                                         : t->cp[i] < 0x10000 ? 3
                                                              : 4);
    return 0;
}

/* Readings that cannot hold at this place are left out; a token keeps its list otherwise. */
static const struct ag_reading *fitting(const struct ag_reading *readings, uint32_t before,
                                        struct lm_arena *arena)
{
    const struct ag_reading *first = NULL;
    struct ag_reading *last = NULL;

    for (const struct ag_reading *r = readings; r; r = r->next) {
        struct ag_reading *copy;
        if (!reading_fits(r, before))
            continue;
        copy = lm_arena_alloc(arena, sizeof *copy);
        if (!copy)
            return readings;
        *copy = *r;
        copy->next = NULL;
        if (last)
            last->next = copy;
        else
            first = copy;
        last = copy;
    }
    return first;
}

static enum ag_concept name_concept(uint32_t first)
{
    return first == '/' ? AG_C_PATH : first < 0x80 ? AG_C_WORD : AG_C_HANGUL;
}

static int make_token(struct lattice *l, size_t from, size_t to, struct ag_token *out)
{
    const struct step *step = &l->steps[to];
    uint32_t before = from > 0 ? l->text->cp[from - 1] : 0;
    size_t found;

    *out =
        (struct ag_token){.from = from, .to = to, .slip = step->is_slip, .glued = from > 0 && before != ' '};
    out->text = lm_arena_copy(l->arena, l->utf8 + l->bytes[from], l->bytes[to] - l->bytes[from]);
    if (!out->text)
        return -1;
    if (step->readings) {
        out->readings = fitting(step->readings, before, l->arena);
    } else {
        out->own.concept = step->is_name ? name_concept(l->text->cp[from]) : step->scan.concept;
        out->own.value = step->is_name ? "" : step->scan.value;
        out->number = step->scan.number;
        out->time = step->scan.time;
    }
    if (step->scan.concept != AG_C_QUOTED) {
        found = ag_catalogue_find(l->catalogue, out->text, strlen(out->text), out->names, AG_TOKEN_NAMES);
        out->name_count = found < AG_TOKEN_NAMES ? found : AG_TOKEN_NAMES;
    }
    return 0;
}

static void read_text(struct lattice *l)
{
    for (size_t i = 0; i <= l->text->len; i++)
        l->steps[i] = (struct step){.cost = i == 0 ? 0 : COST_NONE};
    for (size_t i = 0; i < l->text->len; i++) {
        if (l->steps[i].cost != COST_NONE)
            add_edges(l, i);
    }
}

/* The words, from space to space, in which the cheapest reading has Hangul that nobody knows. */
static void find_slipped(struct lattice *l)
{
    for (size_t at = l->text->len; at > 0; at = l->steps[at].from) {
        size_t start = l->steps[at].from;
        if (l->steps[at].is_space || l->steps[at].readings || l->steps[at].scan.concept != AG_C_HANGUL)
            continue;
        while (start > 0 && l->text->cp[start - 1] != ' ')
            start--;
        if (l->slipped_count == 0 ||
            (l->slipped[l->slipped_count - 1] != start && l->slipped_count < MAX_SLIPPED))
            l->slipped[l->slipped_count++] = start;
    }
}

int ag_tokenize(const struct ag_text *text, const struct ag_vocabulary *vocabulary,
                const struct ag_catalogue *catalogue, struct lm_arena *arena, struct ag_tokens *out)
{
    struct lattice l = {.text = text, .vocabulary = vocabulary, .catalogue = catalogue, .arena = arena};
    size_t count = 0;
    size_t k;

    out->text = text;
    out->count = 0;
    if (prepare(&l) < 0)
        return -1;
    read_text(&l);
    find_slipped(&l);
    if (l.slipped_count > 0)
        read_text(&l);
    for (size_t at = text->len; at > 0; at = l.steps[at].from)
        count += !l.steps[at].is_space;
    if (count > AG_MAX_TOKENS)
        return 1;
    out->count = k = count;
    for (size_t at = text->len; at > 0; at = l.steps[at].from) {
        if (l.steps[at].is_space)
            continue;
        if (make_token(&l, l.steps[at].from, at, &out->items[--k]) < 0)
            return -1;
    }
    for (k = 0; k < count; k++) {
        struct ag_token *t = &out->items[k];
        if (!t->readings)
            t->readings = &t->own;
        /* "more than one": a thing in other places. "an" is an article before it is a number. */
        for (const struct ag_reading *r = t->readings; r && r != &t->own; r = r->next) {
            if (r->concept == AG_C_NUMBER && r->value[0] &&
                (r == t->readings || t->readings->concept == AG_C_THING))
                t->number = (double)strtol(r->value, NULL, 10);
        }
    }
    return 0;
}

bool ag_is(const struct ag_tokens *tokens, size_t i, enum ag_concept concept)
{
    return ag_value(tokens, i, concept) != NULL;
}

const char *ag_value(const struct ag_tokens *tokens, size_t i, enum ag_concept concept)
{
    if (i >= tokens->count || tokens->items[i].rule)
        return NULL;
    for (const struct ag_reading *r = tokens->items[i].readings; r; r = r->next) {
        if (r->concept == concept)
            return r->value;
    }
    return NULL;
}

bool ag_is_whole(const struct ag_tokens *tokens, size_t i, int low, int high, int *out)
{
    double value;

    if (!ag_is(tokens, i, AG_C_NUMBER))
        return false;
    value = tokens->items[i].number;
    if (!(value >= low && value <= high) || value != (double)(int)value)
        return false;
    *out = (int)value;
    return true;
}

bool ag_is_unit(const struct ag_tokens *tokens, size_t i, const char *unit)
{
    const struct ag_reading *r =
        i < tokens->count && !tokens->items[i].rule ? tokens->items[i].readings : NULL;

    for (; r; r = r->next) {
        if (r->concept == AG_C_UNIT && strcmp(r->value, unit) == 0)
            return true;
    }
    return false;
}

void ag_token_remove(struct ag_tokens *tokens, size_t i)
{
    for (; i + 1 < tokens->count; i++) {
        struct ag_token *t = &tokens->items[i];
        bool own = t[1].readings == &t[1].own;
        *t = t[1];
        if (own)
            t->readings = &t->own;
    }
    tokens->count--;
}

void ag_consume(struct ag_tokens *tokens, size_t from, size_t to, const char *rule)
{
    for (size_t i = from; i < to && i < tokens->count; i++) {
        if (!tokens->items[i].rule)
            tokens->items[i].rule = rule;
    }
}
