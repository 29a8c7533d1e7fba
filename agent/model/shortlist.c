/*
 * The names a question is about, as far as letters tell: a name that stands in the question, then those that
 * share words with it or with the English roots of its Korean words, then the most frequent services,
 * environments and error types.
 */
#include "agent/model/prompt.h"

#include "agent/understand/tokens.h"
#include "agent/understand/understand.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#define MAX_CHARS 64
#define MAX_WORDS 48
#define MAX_WORD 40
#define SHORTEST_WORD 3

/* What a name scores by: itself in the question, a word it has as a part, letters it has somewhere, its kind.
 */
enum { SCORE_ITSELF = 100, SCORE_PART = 20, SCORE_LETTERS = 8, SCORE_KIND = 1 };

struct words {
    char text[MAX_WORDS][MAX_WORD + 3]; /* " word " */
    size_t count;
    char *question; /* folded */
};

struct pick {
    const struct ag_name *name;
    int score;
};

static void add_word(struct words *words, const char *text, size_t len)
{
    if (words->count == MAX_WORDS || len < 2 || len > MAX_WORD) {
        return;
    }
    char *word = words->text[words->count++];
    word[0] = ' ';
    memcpy(word + 1, text, len);
    memcpy(word + 1 + len, " ", 2);
}

static void add_roots(struct words *words, const char *roots)
{
    while (*roots != '\0') {
        const size_t len = strcspn(roots, ",");
        add_word(words, roots, len);
        roots += len + (roots[len] == ',');
    }
}

static int find_words(const struct ag_prompt *prompt, struct lm_arena *arena, struct words *words)
{
    struct ag_text text;
    struct ag_tokens *tokens = lm_arena_alloc(arena, sizeof(*tokens));
    words->question = ag_fold(prompt->question, prompt->question_len);
    if (tokens == NULL || words->question == NULL ||
        ag_text_fold(prompt->question, prompt->question_len, AG_QUESTION_MAX_CHARS, arena, &text) !=
            AG_TEXT_GOOD) {
        return -1;
    }
    const int made = ag_tokenize(&text, prompt->vocabulary, prompt->catalogue, arena, tokens);
    if (made < 0) {
        return -1;
    }
    for (size_t i = 0; made == 0 && i < tokens->count; i++) {
        const struct ag_token *token = &tokens->items[i];
        for (const struct ag_reading *r = token->readings; r != NULL; r = r->next) {
            if (r->concept == AG_C_DOMAIN) {
                add_roots(words, r->value);
            }
        }
        if (token->readings->concept == AG_C_DOMAIN || token->readings->concept == AG_C_WORD ||
            token->name_count > 0) {
            add_word(words, token->text, strlen(token->text));
        }
    }
    return 0;
}

/* Letters, marks, digits, punctuation, symbols and plain spaces only: no control or format characters, no
 * line separators. */
static bool is_plain(const char *text)
{
    size_t chars = 0;
    while (*text != '\0') {
        utf8proc_int32_t cp = 0;
        const utf8proc_ssize_t len = utf8proc_iterate((const utf8proc_uint8_t *)text, -1, &cp);
        const utf8proc_category_t category = len > 0 ? utf8proc_category(cp) : UTF8PROC_CATEGORY_CC;
        if (category >= UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_CN || ++chars > MAX_CHARS) {
            return false;
        }
        text += len;
    }
    return chars > 0;
}

static bool may_be_named(const struct ag_prompt *prompt, const struct ag_name *name)
{
    if (name->kind != AG_KIND_METADATA_KEY) {
        return true;
    }
    for (size_t i = 0; i < prompt->metadata_keys->count; i++) {
        if (strcmp(prompt->metadata_keys->items[i], name->value) == 0) {
            return true;
        }
    }
    return false;
}

/* Without a word in common. The operator has listed the keys of the metadata to have them named. */
static const int kind_scores[AG_KIND_COUNT] = {[AG_KIND_SERVICE] = SCORE_KIND,
                                               [AG_KIND_ENVIRONMENT] = SCORE_KIND,
                                               [AG_KIND_ERROR_TYPE] = SCORE_KIND,
                                               [AG_KIND_METADATA_KEY] = SCORE_PART};

static int score(const struct words *words, const struct ag_name *name)
{
    int sum = kind_scores[name->kind];
    if (strstr(words->question, name->folded) != NULL) {
        sum += SCORE_ITSELF;
    }
    for (size_t i = 0; i < words->count; i++) {
        const char *word = words->text[i];
        const size_t len = strlen(word) - 2;
        if (strstr(name->parts, word) != NULL) {
            sum += SCORE_PART;
        } else if (len >= SHORTEST_WORD &&
                   memmem(name->folded, strlen(name->folded), word + 1, len) != NULL) {
            sum += SCORE_LETTERS;
        }
    }
    return sum;
}

static bool goes_before(const struct pick *a, const struct pick *b)
{
    if (a->score != b->score) {
        return a->score > b->score;
    }
    return a->name->n != b->name->n ? a->name->n > b->name->n : strcmp(a->name->value, b->name->value) < 0;
}

/* The best so far, best first. */
static void insert(struct pick *picks, size_t *count, struct pick pick)
{
    size_t at = *count < AG_PROMPT_NAMES ? (*count)++ : AG_PROMPT_NAMES - 1;
    if (at == AG_PROMPT_NAMES - 1 && picks[at].name != NULL && !goes_before(&pick, &picks[at])) {
        return;
    }
    for (; at > 0 && goes_before(&pick, &picks[at - 1]); at--) {
        picks[at] = picks[at - 1];
    }
    picks[at] = pick;
}

static json_t *as_json(const struct pick *picks, size_t count)
{
    json_t *names = json_object();
    for (size_t i = 0; i < count; i++) {
        const char *kind = ag_kind_name(picks[i].name->kind);
        json_t *list = json_object_get(names, kind);
        if (list == NULL) {
            list = json_array();
            if (json_object_set_new(names, kind, list) != 0) {
                json_decref(names);
                return NULL;
            }
        }
        if (json_array_append_new(list, json_string(picks[i].name->value)) != 0) {
            json_decref(names);
            return NULL;
        }
    }
    return names;
}

json_t *ag_prompt_names(const struct ag_prompt *prompt, struct lm_arena *arena)
{
    struct words *words = lm_arena_alloc(arena, sizeof(*words));
    struct pick picks[AG_PROMPT_NAMES] = {{.name = NULL}};
    size_t count = 0;
    if (words == NULL) {
        return NULL;
    }
    *words = (struct words){.count = 0};
    const int found = find_words(prompt, arena, words);
    for (int kind = 0; found == 0 && kind < AG_KIND_COUNT; kind++) {
        const size_t of_kind = ag_catalogue_count(prompt->catalogue, (enum ag_kind)kind);
        for (size_t i = 0; i < of_kind; i++) {
            const struct ag_name *name = ag_catalogue_at(prompt->catalogue, (enum ag_kind)kind, i);
            const struct pick pick = {.name = name, .score = score(words, name)};
            if (pick.score > 0 && may_be_named(prompt, name) && is_plain(name->value)) {
                insert(picks, &count, pick);
            }
        }
    }
    free(words->question);
    return found == 0 ? as_json(picks, count) : NULL;
}
