#include "agent/understand/complete.h"

#include "agent/text.h"
#include "agent/understand/vocabulary.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* Questions read for one completion. */
#define MAX_READ 120
#define MAX_COMPLETIONS 24 /* of the last word */
/* Names that start with it come first, then words, then names with such a part. */
#define MIDDLE_RANK (INT64_C(1) << 60)

/* How a question goes on, the likeliest first. */
static const char *const en_endings[] = {"",
                                         " today",
                                         " errors today",
                                         " in the last hour",
                                         " by service today",
                                         " yesterday",
                                         " error rate today",
                                         " p95 latency today",
                                         " per hour today",
                                         " compared with yesterday",
                                         " logs in the last hour"};
static const char *const ko_endings[] = {"",
                                         " 몇 건",
                                         " 오늘 몇 건",
                                         " 에러 몇 건",
                                         " 오늘 에러 몇 건",
                                         " 오늘 서비스별",
                                         " 에러율 오늘",
                                         " p95 응답시간 오늘",
                                         " 오늘 시간대별 추이",
                                         " 어제와 비교",
                                         " 로그 보여줘",
                                         " 최근 1시간"};
static const char *const en_starts[] = {"how many errors in the last hour?",
                                        "errors by service today",
                                        "which service has the highest error rate today?",
                                        "p95 latency by endpoint today",
                                        "errors per hour today",
                                        "errors today vs yesterday",
                                        "top 5 error types today",
                                        "why did errors rise today?"};
static const char *const ko_starts[] = {
    "최근 1시간 에러 몇 건?",    "오늘 서비스별 에러 건수", "오늘 에러율이 가장 높은 서비스는?",
    "엔드포인트별 p95 응답시간", "오늘 시간대별 에러 추이", "오늘 에러 어제와 비교해줘",
    "오늘 에러 유형 상위 5개",   "오늘 에러가 왜 늘었어?"};
#define COUNT(a) (sizeof(a) / sizeof *(a))

struct completion {
    const char *text; /* of the last word */
    const char *kind;
    int64_t rank;
};

struct suggesting {
    const struct ag_question *typed;
    const struct ag_vocabulary *vocabulary;
    const struct ag_catalogue *catalogue;
    struct lm_arena *arena;
    struct ag_suggested *out;
    const char *intents[AG_SUGGESTED]; /* of what is offered */
    size_t count;
    size_t read;
    bool stranger; /* what was read last has a name that nobody knows */
    char *word;    /* what is typed of the last word, folded */
    size_t word_len;
    bool word_known; /* it is a word as it stands */
    struct completion completions[MAX_COMPLETIONS];
    size_t completion_count;
};

/* The intent of a question as text, in the arena; NULL where it is not understood, or enough have been read.
 */
static const char *intent_of(struct suggesting *s, const char *text)
{
    struct ag_question question = *s->typed;
    struct ag_understanding understanding;
    struct lm_arena arena;
    struct lm_error error;
    json_t *intent = NULL;
    const char *copy = NULL;
    char *dumped = NULL;

    if (s->read >= MAX_READ)
        return NULL;
    s->read++;
    s->stranger = false;
    question.text = text;
    question.len = strlen(text);
    lm_arena_init(&arena, AG_UNDERSTAND_ARENA);
    if (ag_understand(&question, s->vocabulary, s->catalogue, &arena, &understanding, &error) == 0) {
        s->stranger = understanding.outcome == AG_UNKNOWN_ENTITY;
        if (understanding.outcome == AG_UNDERSTOOD)
            intent = ag_intent_to_json(&understanding.intent);
    }
    if (intent)
        dumped = json_dumps(intent, AG_JSON_FLAGS);
    if (dumped)
        copy = lm_arena_copy(s->arena, dumped, strlen(dumped));
    free(dumped);
    json_decref(intent);
    lm_arena_free(&arena);
    return copy;
}

/* Once, however many ways there are to ask it. */
static void offer(struct suggesting *s, const char *text, const char *kind)
{
    const char *intent = s->count < AG_SUGGESTED ? intent_of(s, text) : NULL;

    if (!intent)
        return;
    for (size_t i = 0; i < s->count; i++) {
        if (strcmp(s->intents[i], intent) == 0)
            return;
    }
    s->intents[s->count] = intent;
    s->out[s->count++] = (struct ag_suggested){text, kind};
}

static const char *joined(struct suggesting *s, const char *head, size_t len, const char *tail)
{
    size_t tail_len = strlen(tail);
    char *text = lm_arena_alloc(s->arena, len + tail_len + 1);

    if (!text)
        return NULL;
    memcpy(text, head, len);
    memcpy(text + len, tail, tail_len + 1);
    return text;
}

/* Where the last word begins. */
static size_t last_word(const char *text, size_t len)
{
    while (len > 0 && text[len - 1] != ' ')
        len--;
    return len;
}

static int by_rank(const void *a, const void *b)
{
    const struct completion *x = a;
    const struct completion *y = b;
    int order = x->rank != y->rank ? (x->rank < y->rank) - (x->rank > y->rank) : strcmp(x->text, y->text);

    return order != 0 ? order : strcmp(x->kind, y->kind);
}

/* Keeps the first MAX_COMPLETIONS by rank. */
static void complete(struct suggesting *s, const char *text, const char *kind, int64_t rank)
{
    const struct completion one = {text, kind, rank};
    struct completion *last = s->completions;

    if (s->completion_count < MAX_COMPLETIONS) {
        s->completions[s->completion_count++] = one;
        return;
    }
    for (size_t i = 1; i < MAX_COMPLETIONS; i++) {
        if (by_rank(&s->completions[i], last) > 0)
            last = &s->completions[i];
    }
    if (by_rank(&one, last) < 0)
        *last = one;
}

static void complete_name(const struct ag_name *name, bool whole, void *context)
{
    int64_t n = name->n < MIDDLE_RANK ? name->n : MIDDLE_RANK - 1;

    complete(context, name->value, ag_kind_name(name->kind), (whole ? 2 * MIDDLE_RANK : 0) + n);
}

static bool complete_word(const char *surface, const struct ag_reading *readings, void *context)
{
    struct suggesting *s = context;
    size_t len = strlen(surface);

    if (strcmp(surface, s->word) == 0)
        s->word_known = true;
    if (len > s->word_len && !readings->suffix && strncmp(surface, s->word, s->word_len) == 0 &&
        readings->concept != AG_C_NOISE && readings->concept != AG_C_ENDING &&
        readings->concept != AG_C_DESTROY && readings->concept != AG_C_DESTROY_VERB)
        complete(s, surface, "word", 2 * MIDDLE_RANK - (int64_t)len); /* the shortest first */
    return true;
}

static bool is_korean(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] >= 0xE0)
            return true;
    }
    return false;
}

static void offer_endings(struct suggesting *s, const char *start, size_t len, const char *kind, size_t most)
{
    bool korean = is_korean(s->typed->text, s->typed->len);
    const char *const *endings = korean ? ko_endings : en_endings;
    size_t n = korean ? COUNT(ko_endings) : COUNT(en_endings);
    size_t until = s->count + most;

    for (size_t i = 0; i < n && s->count < until && s->count < AG_SUGGESTED; i++) {
        const char *text = joined(s, start, len, endings[i]);
        s->stranger = false;
        if (text)
            offer(s, text, i == 0 ? kind : "question");
        if (s->stranger)
            return; /* and stays so however it goes on */
    }
}

static void offer_completions(struct suggesting *s, size_t head)
{
    ag_catalogue_starting(s->catalogue, s->word, s->word_len, complete_name, s);
    ag_vocabulary_each(s->vocabulary, complete_word, s);
    qsort(s->completions, s->completion_count, sizeof *s->completions, by_rank);
    if (s->word_known)
        offer_endings(s, s->typed->text, s->typed->len, "question", AG_SUGGESTED / 2);
    for (size_t i = 0; i < s->completion_count && s->count < AG_SUGGESTED; i++) {
        const char *text = joined(s, s->typed->text, head, s->completions[i].text);
        if (text)
            offer_endings(s, text, strlen(text), s->completions[i].kind, i < 2 ? 3 : 1);
    }
}

size_t ag_complete(const struct ag_question *typed, const struct ag_vocabulary *vocabulary,
                   const struct ag_catalogue *catalogue, struct lm_arena *arena,
                   struct ag_suggested out[AG_SUGGESTED])
{
    struct suggesting s = {
        .typed = typed, .vocabulary = vocabulary, .catalogue = catalogue, .arena = arena, .out = out};
    size_t len = typed->len;
    size_t head = last_word(typed->text, len);

    if (len > AG_SUGGEST_MAX_BYTES)
        return 0;
    if (strspn(typed->text, " ") >= len) {
        for (size_t i = 0; i < COUNT(en_starts) && s.count < AG_SUGGESTED; i++)
            offer(&s, i % 2 == 0 ? ko_starts[i] : en_starts[i], "question");
        return s.count;
    }
    while (len > 0 && typed->text[len - 1] == ' ')
        len--;
    if (head < typed->len) {
        s.word = ag_fold(typed->text + head, typed->len - head);
        s.word_len = s.word ? strlen(s.word) : 0;
        if (s.word_len > 0)
            offer_completions(&s, head);
        free(s.word);
    }
    /* What is typed so far may already be the start of one. */
    offer_endings(&s, typed->text, len, "question", AG_SUGGESTED);
    return s.count;
}
