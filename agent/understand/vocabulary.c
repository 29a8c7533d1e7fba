/*
 * A trie over code points whose edges live in one hash table (node, code point) → node; readings hang at
 * nodes. Built once.
 */
#include "agent/understand/vocabulary.h"

#include "agent/catalogue/catalogue.h"
#include "agent/text.h"
#include "agent/understand/conjugate.h"
#include "common/arena.h"
#include "common/embedded.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#define MAX_BYTES ((size_t)16 << 20)
#define MAX_SURFACE 64
#define MAX_PATHS 8

extern const struct lm_embedded ag_vocabulary_files[]; /* of agent/vocabulary */

struct edge {
    uint64_t key; /* node << 32 | code point; 0: free */
    uint32_t node;
};

struct surface {
    const char *text;
    const struct ag_reading *readings;
    struct surface *next;
};

struct node {
    struct ag_reading *readings;
    struct surface *surface;
    bool ordinary;
};

struct ag_vocabulary {
    struct lm_arena arena;
    struct edge *edges;
    size_t edge_cap; /* power of two */
    size_t edge_count;
    struct node *nodes;
    uint32_t node_count;
    uint32_t node_cap;
    struct surface *surfaces;
};

static uint32_t find_edge(const struct ag_vocabulary *v, uint32_t node, uint32_t cp)
{
    uint64_t key = (uint64_t)node << 32 | cp;
    size_t at = (size_t)(key * UINT64_C(0x9E3779B97F4A7C15) >> 20) & (v->edge_cap - 1);

    for (; v->edges[at].key != 0; at = (at + 1) & (v->edge_cap - 1)) {
        if (v->edges[at].key == key)
            return v->edges[at].node;
    }
    return 0;
}

static void put_edge(struct ag_vocabulary *v, uint64_t key, uint32_t node)
{
    size_t at = (size_t)(key * UINT64_C(0x9E3779B97F4A7C15) >> 20) & (v->edge_cap - 1);

    while (v->edges[at].key != 0)
        at = (at + 1) & (v->edge_cap - 1);
    v->edges[at] = (struct edge){key, node};
}

static int grow_edges(struct ag_vocabulary *v)
{
    struct edge *old = v->edges;
    size_t cap = v->edge_cap;

    v->edge_cap = cap ? cap * 2 : 4096;
    v->edges = calloc(v->edge_cap, sizeof *v->edges);
    if (!v->edges) {
        v->edges = old;
        v->edge_cap = cap;
        return -1;
    }
    for (size_t i = 0; i < cap; i++) {
        if (old[i].key != 0)
            put_edge(v, old[i].key, old[i].node);
    }
    free(old);
    return 0;
}

/* A new node's number, 0 without memory (node 0 is unused, 1 the root). */
static uint32_t new_node(struct ag_vocabulary *v)
{
    if (v->node_count == v->node_cap) {
        uint32_t cap = v->node_cap ? v->node_cap * 2 : 4096;
        struct node *nodes = realloc(v->nodes, cap * sizeof *nodes);
        if (!nodes)
            return 0;
        v->nodes = nodes;
        v->node_cap = cap;
    }
    v->nodes[v->node_count] = (struct node){0};
    return v->node_count++;
}

static uint32_t child(struct ag_vocabulary *v, uint32_t node, uint32_t cp)
{
    uint32_t found = find_edge(v, node, cp);

    if (found)
        return found;
    if (2 * (v->edge_count + 1) > v->edge_cap && grow_edges(v) < 0)
        return 0;
    found = new_node(v);
    if (!found)
        return 0;
    put_edge(v, (uint64_t)node << 32 | cp, found);
    v->edge_count++;
    return found;
}

static int add_reading(struct ag_vocabulary *v, uint32_t at, const char *folded,
                       const struct ag_reading *reading)
{
    struct ag_reading *copy = lm_arena_alloc(&v->arena, sizeof *copy);
    struct node *node = &v->nodes[at];

    if (!copy)
        return -1;
    *copy = *reading;
    copy->next = NULL;
    if (node->readings) {
        struct ag_reading *last = node->readings;
        for (; last->next; last = (struct ag_reading *)(uintptr_t)last->next) {}
        last->next = copy;
        return 0;
    }
    node->readings = copy;
    node->surface = lm_arena_alloc(&v->arena, sizeof *node->surface);
    if (!node->surface)
        return -1;
    *node->surface = (struct surface){lm_arena_copy(&v->arena, folded, strlen(folded)), copy, v->surfaces};
    v->surfaces = node->surface;
    return node->surface->text ? 0 : -1;
}

static int add_written(struct ag_vocabulary *v, const char *text, size_t len, struct ag_reading reading)
{
    char *folded;
    uint32_t node = 1;
    size_t at = 0;
    size_t total;
    int result;

    if (len > 1 && text[0] == '-') {
        reading.suffix = true;
        text++;
        len--;
    }
    folded = ag_fold(text, len);
    if (!folded)
        return -1;
    total = strlen(folded);
    while (at < total && node) {
        utf8proc_int32_t cp;
        at += (size_t)utf8proc_iterate((const utf8proc_uint8_t *)folded + at, (utf8proc_ssize_t)(total - at),
                                       &cp);
        node = child(v, node, (uint32_t)cp);
    }
    if (node && reading.concept == AG_C_ORDINARY) {
        v->nodes[node].ordinary = true;
        result = 0;
    } else {
        result = node ? add_reading(v, node, folded, &reading) : -1;
    }
    free(folded);
    return result;
}

/* The code points of a text of at most `max` of them; SIZE_MAX where it is longer or no UTF-8. */
static size_t code_points(const char *text, size_t len, uint32_t *out, size_t max)
{
    size_t count = 0;

    for (size_t at = 0; at < len; count++) {
        utf8proc_int32_t cp;
        utf8proc_ssize_t got =
            utf8proc_iterate((const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)(len - at), &cp);
        if (got <= 0 || count == max)
            return SIZE_MAX;
        out[count] = (uint32_t)cp;
        at += (size_t)got;
    }
    return count;
}

/* Every form of a verb, whose stem is written `튀~`. */
static int add_stem(struct ag_vocabulary *v, const char *text, size_t len, struct ag_reading reading)
{
    struct ag_form forms[AG_MAX_FORMS];
    uint32_t stem[AG_MAX_STEM];
    size_t count = code_points(text, len, stem, AG_MAX_STEM);
    size_t n = count == SIZE_MAX ? 0 : ag_conjugate(stem, count, forms);

    for (size_t i = 0; i < n; i++) {
        char form[4 * (AG_MAX_STEM + 2)];
        size_t bytes = 0;
        for (size_t k = 0; k < forms[i].len; k++)
            bytes += (size_t)utf8proc_encode_char((utf8proc_int32_t)forms[i].cp[k],
                                                  (utf8proc_uint8_t *)form + bytes);
        if (add_written(v, form, bytes, reading) < 0)
            return -1;
    }
    return n > 0 ? 0 : -1;
}

/* One surface of a line into the trie. */
static int add_surface(struct ag_vocabulary *v, const char *text, size_t len, struct ag_reading reading)
{
    return len > 1 && text[len - 1] == '~' ? add_stem(v, text, len - 1, reading)
                                           : add_written(v, text, len, reading);
}

static int bad_line(struct lm_error *error, const char *file, size_t line, const char *what)
{
    return lm_error_set(error, LM_FATAL, "vocabulary", "%s, line %zu: %s", file, line, what);
}

static int add_line(struct ag_vocabulary *v, char *line, const char *file, size_t number,
                    struct lm_error *error)
{
    char *concept = strchr(line, '\t');
    char *value = concept ? strchr(concept + 1, '\t') : NULL;
    char *end;
    struct ag_reading reading = {.value = ""};
    int found;

    if (line[0] == '\0' || line[0] == '#')
        return 0;
    if (!concept)
        return bad_line(error, file, number, "expected surface, tab, concept");
    *concept ++ = '\0';
    if (value) {
        *value++ = '\0';
        end = strchr(value, '\t');
        if (end)
            return bad_line(error, file, number, "more than three columns");
        reading.value = lm_arena_copy(&v->arena, value, strlen(value));
        if (!reading.value)
            return bad_line(error, file, number, "the vocabulary is too large");
    }
    found = ag_concept_from_name(concept);
    if (found <= 0)
        return bad_line(error, file, number, "unknown concept");
    reading.concept = (enum ag_concept)found;
    for (char *surface = line; surface; surface = end) {
        end = strchr(surface, '|');
        if (end)
            *end++ = '\0';
        if (*surface == '\0' || strlen(surface) > 3 * MAX_SURFACE)
            return bad_line(error, file, number, "a surface is empty or too long");
        if (add_surface(v, surface, strlen(surface), reading) < 0)
            return bad_line(error, file, number, "not UTF-8, or the vocabulary is too large");
    }
    return 0;
}

static int add_lines(struct ag_vocabulary *v, const char *data, size_t len, const char *file,
                     struct lm_error *error)
{
    const char *at = data;
    size_t number = 0;

    while (at < data + len) {
        const char *end = memchr(at, '\n', (size_t)(data + len - at));
        size_t n = end ? (size_t)(end - at) : (size_t)(data + len - at);
        char *line = malloc(n + 1);
        int result;
        if (!line)
            return bad_line(error, file, number, "not enough memory");
        memcpy(line, at, n);
        line[n] = '\0';
        if (n > 0 && line[n - 1] == '\r')
            line[n - 1] = '\0';
        result = add_line(v, line, file, ++number, error);
        free(line);
        if (result < 0)
            return -1;
        at = end ? end + 1 : data + len;
    }
    return 0;
}

static int add_file(struct ag_vocabulary *v, const char *path, struct lm_error *error)
{
    FILE *file = fopen(path, "rb");
    char *data;
    size_t len;
    int result;

    if (!file)
        return lm_error_set(error, LM_FATAL, "vocabulary", "%s cannot be read", path);
    data = malloc(MAX_BYTES / 4);
    if (!data) {
        fclose(file);
        return lm_error_set(error, LM_FATAL, "vocabulary", "%s: not enough memory", path);
    }
    len = fread(data, 1, MAX_BYTES / 4, file);
    if (len == MAX_BYTES / 4 || ferror(file))
        result =
            lm_error_set(error, LM_FATAL, "vocabulary", "%s cannot be read whole; the limit is 4 MiB", path);
    else
        result = add_lines(v, data, len, path, error);
    free(data);
    fclose(file);
    return result;
}

bool ag_vocabulary_is_ordinary(const struct ag_vocabulary *v, const char *word, size_t len)
{
    uint32_t node = 1;

    for (size_t i = 0; i < len && node; i++)
        node = find_edge(v, node, (unsigned char)word[i]);
    return node != 0 && v->nodes[node].ordinary;
}

static bool has_domain(const struct ag_vocabulary *v, const char *word, size_t len)
{
    uint32_t node = 1;

    for (size_t i = 0; i < len && node; i++)
        node = find_edge(v, node, (unsigned char)word[i]);
    for (const struct ag_reading *r = node ? v->nodes[node].readings : NULL; r; r = r->next) {
        if (r->concept == AG_C_DOMAIN)
            return true;
    }
    return false;
}

/* The English roots of domain words are words themselves, each meaning itself first. */
static int add_roots(struct ag_vocabulary *v)
{
    for (const struct surface *s = v->surfaces; s; s = s->next) {
        for (const struct ag_reading *r = s->readings; r; r = r->next) {
            const char *at = r->concept == AG_C_DOMAIN ? r->value : "";
            while (*at) {
                size_t len = strcspn(at, ",");
                if (len >= 3 && !memchr(at, '_', len) && !has_domain(v, at, len)) {
                    struct ag_reading root = {.concept = AG_C_DOMAIN};
                    root.value = lm_arena_copy(&v->arena, at, len);
                    if (!root.value || add_surface(v, at, len, root) < 0)
                        return -1;
                }
                at += len + (at[len] == ',');
            }
        }
    }
    return 0;
}

/* 햇어, 엿음: whatever ends in ㅆ may be typed with ㅅ where that is no word of its own. No surface: it is
 * not offered to anybody. */
static int add_loosely_spelt(struct ag_vocabulary *v)
{
    for (const struct surface *s = v->surfaces; s; s = s->next) {
        uint32_t cps[MAX_SURFACE];
        uint32_t loose[MAX_SURFACE];
        size_t len = code_points(s->text, strlen(s->text), cps, MAX_SURFACE);
        size_t finals = len == SIZE_MAX ? 0 : ag_loosely_spelt(cps, len, 0, loose);
        for (unsigned which = 1; finals <= 4 && which < 1U << finals; which++) {
            uint32_t node = 1;
            ag_loosely_spelt(cps, len, which, loose);
            for (size_t i = 0; i < len && node; i++)
                node = child(v, node, loose[i]);
            if (!node)
                return -1;
            if (!v->nodes[node].readings)
                v->nodes[node].readings = (struct ag_reading *)(uintptr_t)s->readings;
        }
    }
    return 0;
}

static int fill(struct ag_vocabulary *v, const char *path, struct lm_error *error)
{
    if (grow_edges(v) < 0 || (v->node_count = 0, new_node(v) != 0) || new_node(v) != 1)
        return lm_error_set(error, LM_FATAL, "vocabulary", "not enough memory");
    for (const struct lm_embedded *file = ag_vocabulary_files; file->name; file++) {
        if (add_lines(v, file->text, file->len, file->name, error) < 0)
            return -1;
    }
    if (path && add_file(v, path, error) < 0)
        return -1;
    return add_roots(v) == 0 && add_loosely_spelt(v) == 0
               ? 0
               : lm_error_set(error, LM_FATAL, "vocabulary", "not enough memory");
}

struct ag_vocabulary *ag_vocabulary_new(const char *path, struct lm_error *error)
{
    struct ag_vocabulary *v = calloc(1, sizeof *v);

    if (!v) {
        lm_error_set(error, LM_FATAL, "vocabulary", "not enough memory");
        return NULL;
    }
    lm_arena_init(&v->arena, MAX_BYTES);
    if (fill(v, path, error) < 0) {
        ag_vocabulary_free(v);
        return NULL;
    }
    return v;
}

void ag_vocabulary_free(struct ag_vocabulary *v)
{
    if (!v)
        return;
    lm_arena_free(&v->arena);
    free(v->edges);
    free(v->nodes);
    free(v);
}

static bool joins(uint32_t cp)
{
    return cp == ' ' || cp == '-' || cp == '_';
}

struct path {
    uint32_t node;
    size_t at;
};

/* Keeps matches shortest first and each length once. */
static size_t add_match(struct ag_match *out, size_t count, size_t max, size_t len,
                        const struct ag_reading *readings)
{
    for (size_t i = 0; i < count; i++) {
        if (out[i].len == len)
            return count;
    }
    if (count < max)
        out[count++] = (struct ag_match){len, readings};
    return count;
}

size_t ag_vocabulary_match(const struct ag_vocabulary *v, const uint32_t *text, size_t len,
                           struct ag_match *out, size_t max)
{
    struct path paths[MAX_PATHS];
    size_t count = 0;
    size_t active = 1;

    paths[0] = (struct path){1, 0};
    /* All paths advance together; a space in a surface may stand for nothing, which adds a path. */
    while (active > 0) {
        struct path next[MAX_PATHS];
        size_t n = 0;
        for (size_t i = 0; i < active; i++) {
            struct path p = paths[i];
            uint32_t gap = find_edge(v, p.node, ' ');
            uint32_t on;
            if (v->nodes[p.node].readings && p.at > 0)
                count = add_match(out, count, max, p.at, v->nodes[p.node].readings);
            /* As it is written first: of two surfaces of one length that one counts. */
            if (p.at < len && text[p.at] != ' ' && n < MAX_PATHS &&
                (on = find_edge(v, p.node, text[p.at])) != 0)
                next[n++] = (struct path){on, p.at + 1};
            if (gap && n < MAX_PATHS) {
                if (p.at < len && joins(text[p.at]))
                    next[n++] = (struct path){gap, p.at + 1};
                else if ((on = p.at < len ? find_edge(v, gap, text[p.at]) : 0) != 0)
                    next[n++] = (struct path){on, p.at + 1};
            }
        }
        memcpy(paths, next, n * sizeof *next);
        active = n;
    }
    return count;
}

/* A slip must not lead to a word that adds nothing: what was meant would be lost. */
static bool says_something(const struct ag_reading *readings)
{
    for (; readings; readings = readings->next) {
        if (readings->concept != AG_C_NOISE && readings->concept != AG_C_VERB &&
            readings->concept != AG_C_PREPOSITION && readings->concept != AG_C_IS &&
            readings->concept != AG_C_THING && readings->concept != AG_C_PRONOUN)
            return true;
    }
    return false;
}

/* "lats", "huor": two letters side by side in each other's place, of a word of time. Other words of four
 * letters are too near to each other: form is not from. */
static bool is_swapped_time_word(const char *word, size_t len, const char *text,
                                 const struct ag_reading *readings)
{
    bool time = false;
    size_t k = 0;

    for (const struct ag_reading *r = readings; r; r = r->next)
    time = time || r->concept == AG_C_LAST || r->concept == AG_C_PAST || r->concept == AG_C_THIS ||
           r->concept == AG_C_UNIT;
    while (time && k < len && word[k] == text[k])
        k++;
    return time && k + 1 < len && word[k] == text[k + 1] && word[k + 1] == text[k] &&
           memcmp(word + k + 2, text + k + 2, len - k - 2) == 0;
}

const struct ag_reading *ag_vocabulary_typo(const struct ag_vocabulary *v, const char *word, size_t len)
{
    const struct ag_reading *best = NULL;
    unsigned limit = len >= 8 ? 2 : 1;
    unsigned best_distance = limit + 1;
    bool tie = false;
    bool best_omits = false;

    if (len < 4 || ag_vocabulary_is_ordinary(v, word, len))
        return NULL;
    for (const struct surface *s = v->surfaces; len == 4 && s; s = s->next) {
        if (strlen(s->text) == len && is_swapped_time_word(word, len, s->text, s->readings))
            return s->readings;
    }
    for (const struct surface *s = v->surfaces; s; s = s->next) {
        size_t n = strlen(s->text);
        unsigned distance;
        bool omits;
        if (n < 5 || (unsigned char)s->text[0] >= 0x80 || s->readings->suffix || s->text[0] != word[0] ||
            (n > len ? n - len : len - n) > limit)
            continue;
        /* Four letters are too few for one to be another: down is not dawn, used is not user. */
        if (len == 4 && n != 5)
            continue;
        distance = ag_edit_distance(word, len, s->text, n, limit);
        if (distance > limit)
            continue;
        /* Two slips at the very end are another word: business is not busiest. */
        if (distance > 1 && (n < 9 || word[len - 1] != s->text[n - 1]))
            continue;
        omits = n > len;
        if (distance == best_distance && best->concept != s->readings->concept && omits == best_omits)
            tie = true;
        /* A letter left out is likelier than one put in: servce is service and not serve. */
        if (distance < best_distance || (distance == best_distance && omits && !best_omits)) {
            best_distance = distance;
            best = s->readings;
            best_omits = omits;
            tie = false;
        }
    }
    return tie || !best || !says_something(best) ? NULL : best;
}

#define MAX_SLIP 6

/* Words of measuring and ordering are too near to others (작은, 잦은); what is asked about and when is not.
 */
static bool may_be_mistyped(const struct ag_reading *readings)
{
    static const enum ag_concept concepts[] = {
        AG_C_ERROR,        AG_C_LEVEL,  AG_C_LOG,      AG_C_REQUEST, AG_C_RESPONSE,     AG_C_FIELD,
        AG_C_SERVICE_WORD, AG_C_COUNT,  AG_C_DURATION, AG_C_RATE,    AG_C_COUNT_PEOPLE, AG_C_DAY_REF,
        AG_C_CALENDAR,     AG_C_RECENT, AG_C_WEEKDAY,  AG_C_WEEKEND, AG_C_SLOW};

    for (size_t i = 0; i < sizeof concepts / sizeof *concepts; i++) {
        if (readings->concept == concepts[i])
            return !readings->suffix;
    }
    return false;
}

/* The surface as Hangul syllables; 0 where it is anything else, or too long. */
static size_t syllables_of(const char *text, uint32_t out[MAX_SLIP])
{
    size_t count = code_points(text, strlen(text), out, MAX_SLIP);

    if (count < 2 || count == SIZE_MAX)
        return 0;
    for (size_t i = 0; i < count; i++) {
        if (!ag_is_hangul(out[i]))
            return 0;
    }
    return count;
}

size_t ag_vocabulary_slips(const struct ag_vocabulary *v, const uint32_t *text, size_t len,
                           struct ag_match *out, size_t max)
{
    const struct ag_reading *found[MAX_SLIP + 1] = {NULL};
    bool tie[MAX_SLIP + 1] = {false};
    size_t count = 0;

    for (const struct surface *s = v->surfaces; s; s = s->next) {
        uint32_t cps[MAX_SLIP];
        size_t n = may_be_mistyped(s->readings) ? syllables_of(s->text, cps) : 0;
        if (n < 2 || n > len || !ag_is_slip(text, cps, n))
            continue;
        tie[n] = tie[n] || (found[n] && found[n]->concept != s->readings->concept);
        found[n] = s->readings;
    }
    for (size_t n = 2; n <= MAX_SLIP; n++) {
        if (found[n] && !tie[n] && count < max)
            out[count++] = (struct ag_match){n, found[n]};
    }
    return count;
}

void ag_vocabulary_each(const struct ag_vocabulary *v,
                        bool (*visit)(const char *surface, const struct ag_reading *readings, void *context),
                        void *context)
{
    for (const struct surface *s = v->surfaces; s; s = s->next) {
        if (!visit(s->text, s->readings, context))
            return;
    }
}
