/*
 * Metadata keys and the values beside them: tenant_id별, "region kr", kr 리전, metadata.pod=x.
 */
#include "agent/understand/link.h"

#include <string.h>

#define MAX_MET 8

/* The key called by one of these roots. */
static const struct ag_name *key_called(const struct ag_parse *p, const char *roots)
{
    while (roots && *roots) {
        size_t n = strcspn(roots, ",");
        for (size_t k = 0; k < ag_catalogue_count(p->catalogue, AG_KIND_METADATA_KEY); k++) {
            const struct ag_name *key = ag_catalogue_at(p->catalogue, AG_KIND_METADATA_KEY, k);
            if (strlen(key->folded) == n && memcmp(key->folded, roots, n) == 0)
                return key;
        }
        roots += n + (roots[n] == ',');
    }
    return NULL;
}

/* Was this word met as a value of `key`? */
static bool is_met(const struct ag_parse *p, size_t i, const char *key)
{
    const struct ag_sample *met[MAX_MET];
    size_t n = i < p->tokens->count && !p->tokens->items[i].rule
                   ? ag_samples_find(ag_catalogue_samples(p->catalogue), ag_word(p, i), met, MAX_MET)
                   : 0;

    for (size_t k = 0; k < n && k < MAX_MET; k++) {
        if (met[k]->field == AG_METADATA && strcmp(met[k]->key, key) == 0)
            return true;
    }
    return false;
}

/* 병원별, 어느 병원이, 에러 많은 병원, 에러 난 병원: what tells records apart, and no part of a name. */
static bool stands_for_each(const struct ag_parse *p, size_t i)
{
    static const enum ag_concept describing[] = {AG_C_MOST,    AG_C_FEWEST, AG_C_HIGHEST, AG_C_LOWEST,
                                                 AG_C_SLOWEST, AG_C_WHICH,  AG_C_VERB,    AG_C_TOP};
    bool before = false;

    if (ag_reads(p, i + 1, AG_C_BY) || ag_reads(p, i + 1, AG_C_BY_AFTER) ||
        (ag_reads(p, i + 1, AG_C_PARTICLE) && ag_reads(p, i + 2, AG_C_BY_AFTER)))
        return true;
    if (i == 0)
        return false;
    for (size_t k = 0; k < sizeof describing / sizeof *describing; k++)
        before = before || ag_reads(p, i - 1, describing[k]);
    return ag_reads(p, i - 1, AG_C_BY_BEFORE) ||
           (before && (ag_is_korean(p, i) || ag_reads(p, i - 1, AG_C_WHICH)));
}

/* hanbit 병원: the key that tells organizations apart, beside one of its values or where they are asked for.
 */
static const struct ag_name *organization_key(const struct ag_parse *p, size_t i)
{
    const struct ag_name *key = key_called(p, ag_value(p->tokens, i, AG_C_ORGANIZATION));

    if (!key)
        return NULL;
    return stands_for_each(p, i) || (i > 0 && is_met(p, i - 1, key->value)) ||
                   is_met(p, ag_after(p, i), key->value)
               ? key
               : NULL;
}

static const char *metadata_key(struct ag_parse *p, size_t i)
{
    const struct ag_token *token = &p->tokens->items[i];
    const struct ag_name *name = ag_name_of_kind(token, AG_KIND_METADATA_KEY);
    const struct ag_name *found[AG_MAX_CANDIDATES];

    if (token->rule)
        return NULL;
    if (!name && strncmp(token->text, "metadata.", 9) == 0 &&
        ag_catalogue_find(p->catalogue, token->text + 9, strlen(token->text + 9), found, 1) > 0)
        name = found[0]->kind == AG_KIND_METADATA_KEY ? found[0] : NULL;
    if (!name && ag_is_mainly_domain(p, i)) {
        /* A whole key first: "region" is region before it is aws_region. */
        name = key_called(p, ag_value(p->tokens, i, AG_C_DOMAIN));
        if (!name && ag_candidates(p, i, AG_KIND_METADATA_KEY, found) == 1)
            name = found[0];
    }
    if (!name && (name = organization_key(p, i)) != NULL)
        ag_assume(p, "linked_key",
                  ag_sayf(p, "\"%s\"은(는) metadata.%s(으)로 나눕니다.", token->text, name->value),
                  ag_sayf(p, "\"%s\" is told by metadata.%s.", token->text, name->value));
    return name ? ag_keep(p, name->value, strlen(name->value)) : NULL;
}

static bool is_metadata_word(const struct ag_parse *p, size_t i)
{
    const char *field = ag_value(p->tokens, i, AG_C_FIELD);

    return field && strcmp(field, "metadata") == 0 && !p->tokens->items[i].rule;
}

/* Where "metadata" is said of the key at `i`: metadata region, metadata의 region, "the metadata key region",
 * "metadata field region". The token at which it begins, or `i`. */
static size_t led_by_metadata(const struct ag_parse *p, size_t i, const char *key)
{
    static const char *const links[] = {"의", "에", "에서", "중", "key", "field", "키", "필드", "값", "내"};
    static const char *const deployed[] = {"배포된", "배포한", "deployed"};
    size_t at = i;

    /* 배포 버전, "release version": what was deployed, and no event. 오늘 배포된 버전 are some of them. */
    if (i > 0 && ag_is(p->tokens, i - 1, AG_C_EVENT_ANCHOR) && strstr(key, "version") &&
        !ag_says(p, i - 1, deployed, sizeof deployed / sizeof *deployed))
        return i - 1;
    for (int n = 0; n < 3 && at > 0; n++) {
        at--;
        if (is_metadata_word(p, at))
            return at;
        if (!ag_says(p, at, links, sizeof links / sizeof *links) && !ag_reads(p, at, AG_C_PARTICLE))
            break;
    }
    return i;
}

/* "region = kr in metadata", "by region in the metadata": where the key is, said behind it. The token behind,
 * or `at`. */
static size_t past_metadata(const struct ag_parse *p, size_t at)
{
    static const char *const links[] = {"in", "from", "of", "the"};
    size_t end = at;

    while (ag_says(p, end, links, sizeof links / sizeof *links))
        end++;
    return end > at && is_metadata_word(p, end) ? end + 1 : at;
}

/* "KE (airline)", kr(region): the key of the value before it, in brackets. */
static bool is_bracketed_key(const struct ag_parse *p, size_t i)
{
    return i > 1 && strcmp(ag_word(p, i - 1), "(") == 0 && strcmp(ag_word(p, i + 1), ")") == 0;
}

/* "tenants suffering errors", "the region affected": what they do, not their name. */
static bool is_participle(const struct ag_parse *p, size_t i)
{
    const char *word = ag_word(p, i);
    size_t n = strlen(word);

    return ag_is(p->tokens, i, AG_C_WORD) && i > 0 && !ag_is(p->tokens, i - 1, AG_C_EQUALS) && n > 5 &&
           (strcmp(word + n - 3, "ing") == 0 || strcmp(word + n - 2, "ed") == 0);
}

/* A value nobody catalogues beside a key. */
static bool is_free_value(const struct ag_parse *p, size_t i)
{
    const struct ag_tokens *t = p->tokens;

    if (i >= t->count || t->items[i].rule || (t->items[i].name_count > 0 && !ag_is(t, i, AG_C_WORD)))
        return false;
    if (is_participle(p, i))
        return false;
    if (ag_is(t, i, AG_C_NUMBER))
        return !ag_is(t, i + 1, AG_C_COUNTER) && !ag_is(t, i + 1, AG_C_UNIT) &&
               !ag_is(t, i + 1, AG_C_PERCENT);
    return ag_is(t, i, AG_C_WORD) || ag_is(t, i, AG_C_QUOTED) ||
           (ag_is(t, i, AG_C_CITY) && !ag_is_korean(p, i));
}

static const char *free_value(struct ag_parse *p, size_t i)
{
    return ag_is(p->tokens, i, AG_C_QUOTED) ? ag_quoted(p, i)
                                            : ag_typed(p, p->tokens->items[i].from, p->tokens->items[i].to);
}

/* "which region is seeing errors" asks for the value. */
static bool asks_which(const struct ag_parse *p, size_t i)
{
    return ag_reads(p, i, AG_C_WHICH) || strcmp(ag_word(p, i), "what") == 0;
}

bool ag_is_never_a_number(const struct ag_parse *p, const char *key)
{
    const struct ag_samples *samples = ag_catalogue_samples(p->catalogue);
    bool met = false;

    for (size_t i = 0; i < ag_samples_count(samples); i++) {
        const struct ag_sample *s = ag_samples_at(samples, i);
        if (s->field != AG_METADATA || strcmp(s->key, key) != 0)
            continue;
        if (s->folded[0] != '\0' && s->folded[strspn(s->folded, "0123456789.#")] == '\0')
            return false;
        met = true;
    }
    return met;
}

/* "epoch above 25", epoch이 25 넘는: a number directly behind the key is one of its values, where nothing is
 * counted by it. The token behind, or `at`. */
static size_t compared(struct ag_parse *p, const char *key, size_t at)
{
    const struct ag_tokens *t = p->tokens;
    size_t end = at;

    while (end < t->count && t->items[end].rule && strcmp(t->items[end].rule, "threshold") == 0) {
        if (ag_reads(p, end, AG_C_COUNTER) || ag_reads(p, end, AG_C_PERCENT))
            return at;
        end++;
    }
    if (end == at || p->found.threshold_at <= at || p->found.threshold_at > end ||
        ag_reads(p, end, AG_C_UNIT) || ag_is_never_a_number(p, key))
        return at;
    if (!ag_is_korean(p, end) && (ag_reads(p, end, AG_C_ERROR) || ag_reads(p, end, AG_C_LEVEL) ||
                                  ag_reads(p, end, AG_C_LOG) || ag_reads(p, end, AG_C_REQUEST) ||
                                  ag_reads(p, end, AG_C_FIELD) || ag_reads(p, end, AG_C_STATUS_CLASS)))
        return at;
    return end;
}

#define MAX_PIECES 8

/* branch가 여의도인: a value of `key` that a sample of the rows holds, in whatever pieces its letters were
 * read; the longest that begins at token `at`. The token behind it, or `at`. */
static size_t sampled_value(struct ag_parse *p, const char *key, size_t at, const char **value)
{
    const struct ag_samples *samples = ag_catalogue_samples(p->catalogue);
    const struct ag_token *items = p->tokens->items;
    size_t end = at;

    for (size_t to = at; to < p->tokens->count && to < at + MAX_PIECES && !items[to].rule; to++) {
        const struct ag_sample *met[MAX_MET];
        const char *text;
        size_t n;
        if (to > at && !items[to].glued)
            break;
        text = ag_text_utf8(&p->text, items[at].from, items[to].to, p->arena);
        n = text && (unsigned char)text[0] >= 0x80 ? ag_samples_find(samples, text, met, MAX_MET) : 0;
        for (size_t k = 0; k < n && k < MAX_MET; k++) {
            if (met[k]->field != AG_METADATA || !met[k]->value || strcmp(met[k]->key, key) != 0)
                continue;
            *value = ag_keep(p, met[k]->value, strlen(met[k]->value));
            end = to + 1;
        }
    }
    return end;
}

/* The same before the key: 여의도 branch. The token at which it begins, or `from`. */
static size_t sampled_before(struct ag_parse *p, const char *key, size_t from, const char **value)
{
    size_t start = from;

    while (start > 0 && from - start < MAX_PIECES) {
        start--;
        if (!p->tokens->items[start].glued)
            return sampled_value(p, key, start, value) == from ? start : from;
    }
    return from;
}

void ag_metadata_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count && !p->stopped; i++) {
        const char *key = metadata_key(p, i);
        size_t from = key ? led_by_metadata(p, i, key) : i;
        size_t at = i + 1;
        size_t behind;
        size_t before;
        const char *met = NULL;
        bool by;
        if (!key) {
            if (strncmp(ag_word(p, i), "metadata.", 9) == 0 && !t->items[i].rule)
                ag_unknown_name(p, AG_KIND_METADATA_KEY, i, i + 1);
            continue;
        }
        if (is_bracketed_key(p, i) && is_free_value(p, i - 2)) {
            ag_mention_add(p, i - 2, i + 2, AG_METADATA, key, AG_IN, free_value(p, i - 2), "metadata");
            continue;
        }
        by = ag_is(t, at, AG_C_BY) || ag_is(t, at, AG_C_BY_AFTER) ||
             (from > 0 && (ag_is(t, from - 1, AG_C_BY_BEFORE) || asks_which(p, from - 1)));
        while (!by && (ag_is(t, at, AG_C_PARTICLE) || ag_is(t, at, AG_C_EQUALS) ||
                       strcmp(ag_word(p, at), "is") == 0))
            at++;
        /* kr 리전이랑 jp 리전: each behind its value */
        if (!by && from > 0 && ag_is_korean(p, i) && is_free_value(p, from - 1) && ag_joins_list(p, i + 1))
            at = i;
        behind = by || at == i ? at : sampled_value(p, key, at, &met);
        before = by || met ? from : sampled_before(p, key, from, &met);
        if (met) {
            size_t to = behind > at ? behind : i + 1;
            ag_mention_add(p, before, past_metadata(p, to), AG_METADATA, key, AG_IN, met, "metadata");
            if (behind > at && strcmp(ag_word(p, behind), "인") == 0)
                ag_consume(t, behind, behind + 1, "metadata");
            continue;
        }
        behind = by || at == i ? at : compared(p, key, at);
        if (behind > at) {
            ag_mention_add(p, from, past_metadata(p, behind), AG_METADATA, key, p->found.threshold.op,
                           ag_sayf(p, "%.15g", p->found.threshold.value), "metadata");
            p->found.threshold.set = false;
        } else if (!by && at > i && is_free_value(p, at)) {
            size_t to = past_metadata(p, at + 1);
            ag_mention_add(p, from, to, AG_METADATA, key, AG_IN, free_value(p, at), "metadata");
            if (strcmp(ag_word(p, to), "인") == 0)
                ag_consume(t, to, to + 1, "metadata");
        } else if (!by && from > 0 && is_free_value(p, from - 1)) {
            ag_mention_add(p, from - 1, past_metadata(p, i + 1), AG_METADATA, key, AG_IN,
                           free_value(p, from - 1), "metadata");
        } else if (p->target_count < AG_MAX_TARGETS) {
            size_t to = ag_past_value_word(p, i + 1);
            p->targets[p->target_count++] =
                (struct ag_target){.from = from, .to = to, .field = AG_METADATA, .key = key};
            ag_consume(t, from, past_metadata(p, to), "metadata key");
        }
    }
}
