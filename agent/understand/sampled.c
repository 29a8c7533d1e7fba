/*
 * Values of fields that are not catalogued, by what a sample of the rows held: us-west-2 is a region,
 * pl-20042 has the form of the users' ids, 2.15.0 is a version, 체크아웃 페이지 is the one path with that
 * part.
 */
#include "agent/understand/link.h"

#include <ctype.h>
#include <string.h>

#define MAX_MET 8
#define MAX_PLACE 32

static void add(struct ag_parse *p, size_t from, size_t to, enum ag_field field, const char *key,
                const char *value)
{
    ag_mention_add(p, from, to, field, key ? ag_keep(p, key, strlen(key)) : NULL, AG_IN,
                   ag_keep(p, value, strlen(value)), "sampled");
    ag_assume(p, "linked_value",
              ag_sayf(p, "\"%s\"은(는) %s%s 값으로 보았습니다.", value, key ? "metadata." : "",
                      key ? key : ag_field_name(field)),
              ag_sayf(p, "\"%s\" is taken to be a value of %s%s.", value, key ? "metadata." : "",
                      key ? key : ag_field_name(field)));
}

/* 2.15.0: digits, joined by two points at least. */
static bool is_version(const char *word)
{
    size_t points = 0;

    for (const char *c = word + (*word == 'v'); *c; c++) {
        points += *c == '.';
        if (!isdigit((unsigned char)*c) && (*c != '.' || !isdigit((unsigned char)c[1])))
            return false;
    }
    return points >= 2;
}

/* The metadata's key for versions, if there is one such key. */
static const char *version_key(const struct ag_parse *p)
{
    static const char *const keys[] = {"version", "app_version", "release",
                                       "build",   "app.version", "service_version"};

    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        if (ag_catalogue_exact(p->catalogue, AG_KIND_METADATA_KEY, keys[k]))
            return keys[k];
    }
    return NULL;
}

/* The word said beside a value for what it is: 리전, region, version, user. */
static size_t past_kind(const struct ag_parse *p, size_t i, enum ag_field field, const char *key)
{
    const char *roots = ag_reads_value(p, i, AG_C_DOMAIN);
    bool said = !p->tokens->items[i < p->tokens->count ? i : 0].rule &&
                (key ? strcmp(ag_word(p, i), key) == 0 || (roots && strncmp(roots, key, strlen(key)) == 0)
                     : ag_names_field(p, i, ag_field_name(field)));

    return i < p->tokens->count && said && !ag_grouped_by(p, i) ? i + 1 : i;
}

/* May a word stand for a value: nobody knows it, or it has a digit or a joint? */
static bool may_be_value(const struct ag_parse *p, size_t i)
{
    const struct ag_token *token = &p->tokens->items[i];

    return !token->rule && token->name_count == 0 && (unsigned char)token->text[0] < 0x80 &&
           strlen(token->text) > 1 &&
           (token->readings->concept == AG_C_WORD || token->readings->concept == AG_C_CITY ||
            (strpbrk(token->text, "0123456789") && strpbrk(token->text, "-_.")));
}

/* "since the 2.15.0 rollout" is what that version did. */
static size_t since_version(struct ag_parse *p, size_t *from, size_t to)
{
    size_t before = *from > 0 ? ag_before(p, *from) : SIZE_MAX;

    if (!ag_is(p->tokens, to, AG_C_EVENT_ANCHOR))
        return to;
    if (before != SIZE_MAX && !ag_is_korean(p, before) &&
        (ag_reads(p, before, AG_C_SINCE) || ag_reads(p, before, AG_C_AFTER))) {
        *from = before;
        p->since_version = true;
        return to + 1;
    }
    if (ag_is_korean(p, to) &&
        (ag_reads(p, ag_after(p, to), AG_C_SINCE) || ag_reads(p, ag_after(p, to), AG_C_AFTER))) {
        p->since_version = true;
        return ag_after(p, to) + 1;
    }
    return to;
}

static void value_rule(struct ag_parse *p, size_t i)
{
    const struct ag_sample *met[MAX_MET];
    size_t n = ag_samples_find(ag_catalogue_samples(p->catalogue), ag_word(p, i), met, MAX_MET);
    const char *key = n == 0 && is_version(ag_word(p, i)) ? version_key(p) : NULL;
    size_t from = i;
    size_t to;

    if (n > 1) {
        ag_stop(p, AG_NEEDS_CLARIFICATION,
                p->language == AG_KO ? ag_sayf(p, "\"%s\" 값을 가진 항목이 여럿입니다.", ag_word(p, i))
                                     : ag_sayf(p, "\"%s\" is a value of several fields.", ag_word(p, i)),
                ag_sayf(p, ag_say(p, "예: \"%s %s\"", "For example \"%s %s\"."),
                        met[0]->key ? met[0]->key : ag_field_name(met[0]->field), ag_word(p, i)));
        return;
    }
    if (n == 0 && !key)
        return;
    key = n == 1 ? met[0]->key : key;
    to = past_kind(p, i + 1, n == 1 ? met[0]->field : AG_METADATA, key);
    if (key && is_version(ag_word(p, i)))
        to = since_version(p, &from, to);
    add(p, from, to, n == 1 ? met[0]->field : AG_METADATA, key,
        n == 1 && met[0]->value ? met[0]->value
                                : ag_typed(p, p->tokens->items[i].from, p->tokens->items[i].to));
}

/* 부산, 서울 리전: a place that the values of one field write in other letters. */
static void find_place(struct ag_parse *p, size_t i)
{
    const char *written = ag_value(p->tokens, i, AG_C_PLACE);
    const struct ag_sample *met[MAX_MET];
    const struct ag_sample *found = NULL;
    char one[MAX_PLACE];

    if (ag_is(p->tokens, i + 1, AG_C_SERVICE_WORD) && !ag_grouped_by(p, i + 1))
        return; /* a service called so */
    while (written && *written) {
        size_t n = strcspn(written, ",");
        if (n < sizeof one) {
            size_t count;
            memcpy(one, written, n);
            one[n] = '\0';
            count = ag_samples_find(ag_catalogue_samples(p->catalogue), one, met, MAX_MET);
            if (count > 1 || (count == 1 && (found || !met[0]->value)))
                return;
            found = count == 1 ? met[0] : found;
        }
        written += n + (written[n] == ',');
    }
    if (found)
        add(p, i, past_kind(p, i + 1, found->field, found->key), found->field, found->key, found->value);
}

/* 페이지, "page"; 결제창, where the word is written with what the page is of. */
static bool is_page_word(const struct ag_parse *p, size_t i)
{
    return i < p->tokens->count && !p->tokens->items[i].rule &&
           (ag_names_field(p, i, "page_path") ||
            (strcmp(ag_word(p, i), "창") == 0 && p->tokens->items[i].glued));
}

/* How many parts has a path, and is `word` one of them, or the stem of one? */
static size_t path_parts(const char *path, const char *word, size_t len, bool *has)
{
    size_t parts = 0;

    *has = false;
    while (*path) {
        size_t n;
        path += strspn(path, "/-_.");
        n = strcspn(path, "/-_.");
        parts += n > 0;
        *has = *has || (n > 0 && (n == len || n == len + 1) && memcmp(path, word, len) == 0 &&
                        (n == len || path[len] == 's'));
        path += n;
    }
    return parts;
}

/* The one page with this word as a part; of several the one that is nothing more. NULL where that is not so.
 */
static const char *page_with(const struct ag_parse *p, const char *word, size_t len)
{
    const struct ag_samples *samples = ag_catalogue_samples(p->catalogue);
    const char *found = NULL;
    size_t fewest = SIZE_MAX;
    bool tie = false;

    for (size_t i = 0; i < ag_samples_count(samples); i++) {
        const struct ag_sample *s = ag_samples_at(samples, i);
        bool has;
        size_t parts;
        if (s->field != AG_PAGE_PATH || !s->value)
            continue;
        parts = path_parts(s->folded, word, len, &has);
        if (!has)
            continue;
        tie = parts == fewest || (found && fewest != 1 && parts != 1);
        if (parts < fewest) {
            fewest = parts;
            found = s->value;
        }
    }
    return tie ? NULL : found;
}

/* 체크아웃 페이지, "checkout page": the path that has the word, or a root of its meaning, as a part. */
static void page_rule(struct ag_parse *p, size_t i)
{
    const char *roots = ag_value(p->tokens, i, AG_C_DOMAIN);
    const char *path = NULL;

    /* 예약 페이지 로딩 시간: the page, and how long it takes to load */
    bool loads =
        ag_reads(p, i + 1, AG_C_PAGE_LOAD) && (strncmp(ag_word(p, i + 1), "페이지", strlen("페이지")) == 0 ||
                                               strncmp(ag_word(p, i + 1), "page", 4) == 0);

    if (p->tokens->items[i].rule || !(loads || is_page_word(p, i + 1)) || ag_grouped_by(p, i + 1) ||
        !(roots || ag_is(p->tokens, i, AG_C_WORD)))
        return;
    if ((unsigned char)ag_word(p, i)[0] < 0x80)
        path = page_with(p, ag_word(p, i), strlen(ag_word(p, i)));
    while (!path && roots && *roots) {
        size_t n = strcspn(roots, ",");
        path = page_with(p, roots, n);
        roots += n + (roots[n] == ',');
    }
    if (path)
        add(p, i, loads ? i + 1 : i + 2, AG_PAGE_PATH, NULL, path);
}

void ag_place_rule(struct ag_parse *p)
{
    for (size_t i = 0; i < p->tokens->count; i++)
        find_place(p, i);
}

void ag_sampled_rule(struct ag_parse *p)
{
    for (size_t i = 0; i < p->tokens->count && !p->stopped; i++) {
        page_rule(p, i);
        if (may_be_value(p, i))
            value_rule(p, i);
    }
}
