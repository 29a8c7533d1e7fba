/*
 * The stages of understanding one question, and what they share.
 */
#include "agent/understand/understand.h"

#include "agent/understand/parse.h"
#include "agent/understand/time.h"
#include "agent/understand/window.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *ag_say(const struct ag_parse *p, const char *ko, const char *en)
{
    return p->language == AG_KO ? ko : en;
}

const char *ag_keep(struct ag_parse *p, const char *text, size_t len)
{
    char *copy = lm_arena_copy(p->arena, text, len);

    p->memory = p->memory || !copy;
    return copy ? copy : "";
}

const char *ag_sayf(struct ag_parse *p, const char *format, ...)
{
    char text[1024];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0)
        n = 0;
    if ((size_t)n >= sizeof text) {
        n = (int)sizeof text - 1;
        while (n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80)
            n--;
    }
    return ag_keep(p, text, (size_t)n);
}

void ag_stop(struct ag_parse *p, enum ag_outcome outcome, const char *message, const char *hint)
{
    if (p->stopped)
        return;
    p->stopped = true;
    p->out->outcome = outcome;
    p->out->message = message;
    p->out->hint = hint;
}

void ag_assume(struct ag_parse *p, const char *code, const char *ko, const char *en)
{
    struct ag_understanding *out = p->out;

    for (size_t i = 0; i < out->assumption_count; i++) {
        if (strcmp(out->assumptions[i].code, code) == 0)
            return;
    }
    if (out->assumption_count < AG_MAX_ASSUMPTIONS)
        out->assumptions[out->assumption_count++] = (struct ag_assumption){code, ag_say(p, ko, en)};
}

void ag_suggest(struct ag_parse *p, const char *name)
{
    if (p->out->suggestion_count < AG_MAX_SUGGESTIONS)
        p->out->suggestions[p->out->suggestion_count++] = name;
}

bool ag_take(struct ag_parse *p, enum ag_concept concept)
{
    for (size_t i = 0; i < p->tokens->count; i++) {
        if (!ag_is(p->tokens, i, concept))
            continue;
        ag_consume(p->tokens, i, i + 1, ag_concept_name(concept));
        if (p->said[concept] == 0)
            p->said[concept] = i + 1;
    }
    return p->said[concept] != 0;
}

bool ag_said(const struct ag_parse *p, enum ag_concept concept)
{
    return p->said[concept] != 0;
}

const char *ag_word(const struct ag_parse *p, size_t i)
{
    return i < p->tokens->count ? p->tokens->items[i].text : "";
}

bool ag_says(const struct ag_parse *p, size_t i, const char *const *words, size_t count)
{
    const char *word = ag_word(p, i);

    for (size_t k = 0; k < count; k++) {
        if (strcmp(word, words[k]) == 0)
            return true;
    }
    return false;
}

bool ag_begins_with_one_of(const char *word, const char *const *words, size_t count)
{
    for (size_t k = 0; k < count; k++) {
        if (strncmp(word, words[k], strlen(words[k])) == 0)
            return true;
    }
    return false;
}

bool ag_is_korean(const struct ag_parse *p, size_t i)
{
    return (unsigned char)ag_word(p, i)[0] >= 0xE0;
}

const char *ag_reads_value(const struct ag_parse *p, size_t i, enum ag_concept concept)
{
    if (i >= p->tokens->count)
        return NULL;
    for (const struct ag_reading *r = p->tokens->items[i].readings; r; r = r->next) {
        if (r->concept == concept)
            return r->value;
    }
    return NULL;
}

bool ag_reads(const struct ag_parse *p, size_t i, enum ag_concept concept)
{
    return ag_reads_value(p, i, concept) != NULL;
}

static bool passes(const struct ag_parse *p, size_t i)
{
    return ag_reads(p, i, AG_C_PARTICLE) || strcmp(ag_word(p, i), "the") == 0 ||
           strcmp(ag_word(p, i), "a") == 0 || strcmp(ag_word(p, i), "an") == 0;
}

size_t ag_after(const struct ag_parse *p, size_t i)
{
    for (i++; i < p->tokens->count && passes(p, i); i++) {}
    return i;
}

size_t ag_before(const struct ag_parse *p, size_t i)
{
    while (i-- > 0) {
        if (!passes(p, i))
            return i;
    }
    return SIZE_MAX;
}

bool ag_joins_list(const struct ag_parse *p, size_t i)
{
    const struct ag_tokens *t = p->tokens;
    const char *w = ag_word(p, i);

    return ag_is(t, i, AG_C_AND) || ag_is(t, i, AG_C_OR) || ag_is(t, i, AG_C_COMMA) ||
           (ag_is(t, i, AG_C_PARTICLE) &&
            (strcmp(w, "랑") == 0 || strcmp(w, "이랑") == 0 || strcmp(w, "와") == 0 || strcmp(w, "과") == 0 ||
             strcmp(w, "하고") == 0 || strcmp(w, "나") == 0 || strcmp(w, "이나") == 0));
}

bool ag_names_field(const struct ag_parse *p, size_t i, const char *name)
{
    const struct ag_reading *r = i < p->tokens->count ? p->tokens->items[i].readings : NULL;

    for (; r; r = r->next) {
        if (r->concept == AG_C_FIELD && strcmp(r->value, name) == 0)
            return true;
    }
    return false;
}

bool ag_grouped_by(const struct ag_parse *p, size_t i)
{
    size_t before = i > 0 ? ag_before(p, i) : SIZE_MAX;

    return ag_is(p->tokens, i + 1, AG_C_BY) ||
           (before != SIZE_MAX && ag_is(p->tokens, before, AG_C_BY_BEFORE));
}

void ag_mention_add(struct ag_parse *p, size_t from, size_t to, enum ag_field field, const char *key,
                    enum ag_op op, const char *value, const char *rule)
{
    ag_consume(p->tokens, from, to, rule);
    if (p->mention_count < AG_MAX_MENTIONS)
        p->mentions[p->mention_count++] =
            (struct ag_mention){.from = from, .to = to, .field = field, .key = key, .op = op, .value = value};
    else
        ag_stop(p, AG_NOT_UNDERSTOOD, ag_say(p, "조건이 너무 많습니다.", "There are too many conditions."),
                NULL);
}

bool ag_mentions_field(const struct ag_parse *p, enum ag_field field)
{
    for (size_t i = 0; i < p->mention_count; i++) {
        if (p->mentions[i].field == field)
            return true;
    }
    return false;
}

const struct ag_mention *ag_mention_starting(const struct ag_parse *p, size_t from)
{
    for (size_t k = 0; k < p->mention_count; k++) {
        if (p->mentions[k].from == from)
            return &p->mentions[k];
    }
    return NULL;
}

const struct ag_mention *ag_mention_ending(const struct ag_parse *p, size_t to)
{
    for (size_t k = 0; k < p->mention_count; k++) {
        if (p->mentions[k].to == to)
            return &p->mentions[k];
    }
    return NULL;
}

const char *ag_outcome_name(enum ag_outcome outcome)
{
    static const char *const names[] = {"understood",     "not_understood", "needs_clarification",
                                        "unknown_entity", "refused",        "bad_request"};

    return (size_t)outcome < sizeof names / sizeof *names ? names[outcome] : "";
}

/* -- the stages -- */

static enum ag_language language_of(const struct ag_text *text)
{
    for (size_t i = 0; i < text->len; i++) {
        if (ag_is_hangul(text->cp[i]) || (text->cp[i] >= 0x1100 && text->cp[i] <= 0x11FF))
            return AG_KO;
    }
    return AG_EN;
}

static void bad_text(struct ag_parse *p, enum ag_text_fault fault)
{
    switch (fault) {
    case AG_TEXT_CONTROL:
        ag_stop(p, AG_BAD_QUESTION, "The question holds control characters.", "Send plain text.");
        break;
    case AG_TEXT_NOT_UTF8:
        ag_stop(p, AG_BAD_QUESTION, "The question is not valid UTF-8.", "Send UTF-8.");
        break;
    case AG_TEXT_LONG:
        ag_stop(p, AG_BAD_QUESTION, "The question is longer than 2,000 characters.", "Ask in fewer words.");
        break;
    default:
        ag_stop(p, AG_BAD_QUESTION, "The question is empty.",
                "Ask about the logs, for example \"errors today\".");
        break;
    }
}

/* Finds everything the question names; nothing is decided but refusals. */
static void collect(struct ag_parse *p)
{
    static void (*const rules[])(struct ag_parse *) = {
        ag_idioms_rule,     ag_compound_rule, ag_wording_rule,   ag_spelling_rule, ag_refusal_rule,
        ag_background_rule, ag_burst_rule,    ag_gloss_rule,     ag_cross_rule,    ag_zone_rule,
        ag_numbers_rule,    ag_text_rule,     ag_ids_rule,       ag_status_rule,   ag_times_find,
        ag_recurring_rule,  ag_except_rule,   ag_names_rule,     ag_level_rule,    ag_negation_rule,
        ag_instead_rule,    ag_part_rule,     ag_one_level_rule, ag_rate_of_rule,  ag_targets_rule,
        ag_swap_rule,       ag_than_rule,     ag_exceeds_rule,   ag_change_rule,
    };

    for (size_t i = 0; i < sizeof rules / sizeof *rules && !p->stopped; i++)
        rules[i](p);
}

static bool is_vague(const struct ag_parse *p)
{
    for (size_t i = 0; i < p->tokens->count; i++) {
        if (ag_is(p->tokens, i, AG_C_VAGUE))
            return true;
    }
    return false;
}

/* 주문 몇 건, "how many payments": whether its records or what it deals in is meant nobody said. */
static bool counts_a_name(const struct ag_parse *p)
{
    const struct ag_intent *in = p->intent;
    const struct ag_mention *m = &p->mentions[0];
    const char *rule = p->mention_count == 1 ? p->tokens->items[m->from].rule : NULL;

    return rule && m->field == AG_SERVICE && m->to == m->from + 1 && strcmp(rule, "name by part") == 0 &&
           in->measure.fn == AG_COUNT && in->filter_count == 1 && in->group_count == 0 &&
           (in->shape == AG_PLAIN || in->shape == AG_SERIES) && ag_said(p, AG_C_COUNT) &&
           !ag_said(p, AG_C_LOG);
}

/* Turns what was found into an intent. */
static void decide(struct ag_parse *p)
{
    if (ag_follow_up(p)) {
        if (!p->stopped)
            ag_leftover_rule(p);
        return;
    }
    ag_measure_rule(p);
    if (p->stopped)
        return;
    if (!ag_has_subject(p) || is_vague(p) || counts_a_name(p)) {
        ag_take(p, AG_C_VAGUE);
        ag_take(p, AG_C_PRONOUN);
        ag_leftover_rule(p);
        if (!p->stopped)
            ag_ask_what(p);
        return;
    }
    ag_anchor_rule(p);
    ag_leftover_rule(p);
    if (!p->stopped)
        ag_windows_rule(p);
    if (!p->stopped)
        ag_counted_check(p);
    if (!p->stopped)
        ag_exceeds_check(p);
    if (!p->stopped)
        ag_claim_rule(p);
}

static int understand(struct ag_parse *p)
{
    enum ag_text_fault fault =
        ag_text_fold(p->question->text, p->question->len, AG_QUESTION_MAX_CHARS, p->arena, &p->text);
    int made;

    if (fault == AG_TEXT_MEMORY)
        return -1;
    if (fault != AG_TEXT_GOOD) {
        bad_text(p, fault);
        return 0;
    }
    if (!p->clause)
        p->language = language_of(&p->text);
    p->out->language = p->intent->language = p->language;
    p->tokens = lm_arena_alloc(p->arena, sizeof *p->tokens);
    if (!p->tokens)
        return -1;
    made = ag_tokenize(&p->text, p->vocabulary, p->catalogue, p->arena, p->tokens);
    if (made < 0)
        return -1;
    if (made > 0) {
        ag_stop(p, AG_NOT_UNDERSTOOD, ag_say(p, "질문이 너무 깁니다.", "The question has too many words."),
                ag_say(p, "짧게 나눠 물어봐 주세요.", "Ask in fewer words."));
        return 0;
    }
    collect(p);
    if (!p->stopped)
        decide(p);
    return p->memory ? -1 : 0;
}

static struct ag_parse *new_parse(struct lm_arena *arena)
{
    struct ag_parse *p = lm_arena_alloc(arena, sizeof *p);

    if (p)
        *p = (struct ag_parse){.clause = false};
    return p;
}

/* Reads one question, without offering choices between names. */
static int read_question(struct ag_parse *p, const struct ag_question *question,
                         const struct ag_vocabulary *vocabulary, const struct ag_catalogue *catalogue,
                         struct lm_arena *arena, struct ag_understanding *out, struct lm_error *error)
{
    int result;

    *out = (struct ag_understanding){.outcome = AG_UNDERSTOOD};
    *p = (struct ag_parse){.question = question,
                           .vocabulary = vocabulary,
                           .catalogue = catalogue,
                           .arena = arena,
                           .out = out,
                           .intent = &out->intent,
                           .now = question->now_us,
                           .language = p->language,
                           .clause = p->clause};
    ag_intent_init(&out->intent);
    p->zone_name = ag_keep(p, question->zone, strlen(question->zone));
    p->zone = ag_zone_new(question->zone);
    if (!p->zone)
        return lm_error_set(error, LM_FATAL, "bad_request", "unknown time zone");
    result = understand(p);
    ag_zone_free(p->zone);
    p->zone = NULL;
    if (result < 0)
        return lm_error_set(error, LM_RETRY, "memory", "not enough memory to read a question");
    return 0;
}

int ag_read_clause(struct ag_parse *inner, const struct ag_question *question, const struct ag_parse *whole,
                   struct ag_understanding *out, struct lm_error *error)
{
    *inner = (struct ag_parse){.language = whole->language, .clause = true};
    return read_question(inner, question, whole->vocabulary, whole->catalogue, whole->arena, out, error);
}

/* The question with the word that could be several names replaced by one of them. */
static const char *with_name(struct ag_parse *p, const char *name)
{
    const struct ag_token *token = &p->tokens->items[p->which - 1];
    const char *raw = p->question->text;
    size_t from = p->text.from[token->from];
    size_t to = p->text.to[token->to - 1];

    return ag_sayf(p, "%.*s%s%.*s", (int)from, raw, name, (int)(p->question->len - to), raw + to);
}

/* "user service errors" where there are two: each name with the intent it would give. One level deep, five
 * names at most. */
static int offer_names(struct ag_parse *p, struct lm_error *error)
{
    struct ag_understanding *out = p->out;
    struct ag_parse *inner = new_parse(p->arena);
    struct ag_understanding *chosen = lm_arena_alloc(p->arena, sizeof *chosen);

    if (!inner || !chosen)
        return lm_error_set(error, LM_RETRY, "memory", "not enough memory to read a question");
    for (size_t i = 0; i < out->suggestion_count && out->choice_count < AG_MAX_CHOICES; i++) {
        struct ag_question question = *p->question;
        struct ag_intent *intent;
        question.text = with_name(p, out->suggestions[i]);
        question.len = strlen(question.text);
        if (read_question(inner, &question, p->vocabulary, p->catalogue, p->arena, chosen, error) < 0)
            return -1;
        if (chosen->outcome != AG_UNDERSTOOD)
            continue;
        intent = lm_arena_alloc(p->arena, sizeof *intent);
        if (!intent)
            return lm_error_set(error, LM_RETRY, "memory", "not enough memory to read a question");
        *intent = chosen->intent;
        out->choices[out->choice_count++] = (struct ag_choice){out->suggestions[i], question.text, intent};
    }
    return 0;
}

/* What makes no follow-up may be a question of its own: "slowest services" behind another one. */
static int read_alone(const struct ag_question *question, const struct ag_vocabulary *vocabulary,
                      const struct ag_catalogue *catalogue, struct lm_arena *arena,
                      struct ag_understanding *out, struct lm_error *error)
{
    struct ag_parse *p = new_parse(arena);
    struct ag_understanding *own = lm_arena_alloc(arena, sizeof *own);
    struct ag_question alone = *question;

    if (!p || !own)
        return lm_error_set(error, LM_RETRY, "memory", "not enough memory to read a question");
    alone.previous = NULL;
    if (read_question(p, &alone, vocabulary, catalogue, arena, own, error) < 0)
        return -1;
    if (own->outcome == AG_UNDERSTOOD)
        *out = *own;
    return 0;
}

int ag_understand(const struct ag_question *question, const struct ag_vocabulary *vocabulary,
                  const struct ag_catalogue *catalogue, struct lm_arena *arena, struct ag_understanding *out,
                  struct lm_error *error)
{
    struct ag_parse *p = new_parse(arena);

    if (!p)
        return lm_error_set(error, LM_RETRY, "memory", "not enough memory to read a question");
    if (read_question(p, question, vocabulary, catalogue, arena, out, error) < 0)
        return -1;
    if (!question->previous && ag_parts_rule(p, error) < 0)
        return -1;
    if (question->previous && out->outcome == AG_NOT_UNDERSTOOD)
        return read_alone(question, vocabulary, catalogue, arena, out, error);
    /* Long questions are not read five times over. */
    if (out->outcome == AG_NEEDS_CLARIFICATION && p->which > 0 && question->len < 400)
        return offer_names(p, error);
    return 0;
}
