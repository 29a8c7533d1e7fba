/*
 * Linking words to names really in the data: exact, by the parts of a name ("결제 서비스", "payment"), by
 * several words that together are a name ("failed logins"), and by a slip of the pen. What looks like a name
 * and is none says so.
 */
#include "agent/understand/link.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define MAX_ROOT 48
#define MAX_SEARCHES 16

static const struct {
    enum ag_field field;
    enum ag_kind kind;
} kinds_of_fields[] = {
    {AG_SERVICE, AG_KIND_SERVICE},
    {AG_ENVIRONMENT, AG_KIND_ENVIRONMENT},
    {AG_HOST, AG_KIND_HOST},
    {AG_COMPONENT, AG_KIND_COMPONENT},
    {AG_MODULE, AG_KIND_MODULE},
    {AG_ENDPOINT, AG_KIND_ENDPOINT},
    {AG_ERROR_TYPE, AG_KIND_ERROR_TYPE},
    {AG_EVENT_TYPE, AG_KIND_EVENT_TYPE},
};

/* The kind a field word names ("컴포넌트", "host"), or AG_KIND_COUNT. */
static enum ag_kind kind_said(const struct ag_parse *p, size_t i)
{
    const struct ag_reading *r =
        i < p->tokens->count && !p->tokens->items[i].rule ? p->tokens->items[i].readings : NULL;

    for (; r; r = r->next) {
        if (r->concept != AG_C_FIELD)
            continue;
        for (size_t k = 0; k < sizeof kinds_of_fields / sizeof *kinds_of_fields; k++) {
            if (strcmp(r->value, ag_field_name(kinds_of_fields[k].field)) == 0)
                return kinds_of_fields[k].kind;
        }
    }
    return AG_KIND_COUNT;
}

static bool grouping(const struct ag_parse *p, size_t i)
{
    size_t before = i > 0 ? ag_before(p, i) : SIZE_MAX;

    return ag_is(p->tokens, i + 1, AG_C_BY) ||
           (before != SIZE_MAX && ag_is(p->tokens, before, AG_C_BY_BEFORE));
}

/* -- spelling -- */

static bool only_letters(const char *text)
{
    for (; *text; text++) {
        if (!isalpha((unsigned char)*text))
            return false;
    }
    return true;
}

static bool is_part_of_a_name(const struct ag_parse *p, const char *word)
{
    const struct ag_name *found[1];
    size_t len = strlen(word);
    char single[MAX_ROOT];

    for (int kind = 0; kind < AG_KIND_COUNT; kind++) {
        if (ag_catalogue_with_part(p->catalogue, (enum ag_kind)kind, word, found, 1) > 0)
            return true;
    }
    if (len < 4 || len >= sizeof single || word[len - 1] != 's')
        return false;
    memcpy(single, word, len - 1);
    single[len - 1] = '\0';
    return ag_catalogue_with_part(p->catalogue, AG_KIND_SERVICE, single, found, 1) > 0;
}

void ag_spelling_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;
    bool after_value = false;

    for (size_t i = 0; i < t->count; i++) {
        struct ag_token *token = &t->items[i];
        const struct ag_reading *meant;
        /* What follows "containing" is searched for as it is. */
        after_value = ag_is(t, i, AG_C_CONTAINS) && !ag_is_korean(p, i);
        if (!ag_is(t, i, AG_C_WORD) || token->name_count > 0 || after_value || !only_letters(token->text) ||
            p->searches >= MAX_SEARCHES || is_part_of_a_name(p, token->text))
            continue;
        p->searches++;
        meant = ag_vocabulary_typo(p->vocabulary, token->text, strlen(token->text));
        if (!meant)
            continue;
        token->readings = meant;
        ag_assume(p, "spelling", ag_sayf(p, "\"%s\"은(는) 오타로 보고 고쳐 읽었습니다.", token->text),
                  ag_sayf(p, "\"%s\" was read as a misspelling.", token->text));
    }
}

/* -- unknown names -- */

void ag_unknown_name(struct ag_parse *p, enum ag_kind kind, size_t from, size_t to)
{
    const struct ag_name *near[AG_MAX_SUGGESTIONS];
    const char *folded =
        ag_text_utf8(&p->text, p->tokens->items[from].from, p->tokens->items[to - 1].to, p->arena);
    const char *written = ag_typed(p, p->tokens->items[from].from, p->tokens->items[to - 1].to);
    static const char *const ko[AG_KIND_COUNT] = {"서비스",     "환경",      "호스트", "컴포넌트",     "모듈",
                                                  "엔드포인트", "에러 타입", "이벤트", "메타데이터 키"};
    static const char *const en[AG_KIND_COUNT] = {"service",    "environment", "host",
                                                  "component",  "module",      "endpoint",
                                                  "error type", "event type",  "metadata key"};
    size_t n = folded && strlen(folded) < 200 ? ag_catalogue_nearest(p->catalogue, kind, folded,
                                                                     strlen(folded), near, AG_MAX_SUGGESTIONS)
                                              : 0;

    /* Where nothing is alike, what is there helps. */
    if (n == 0 && kind != AG_KIND_COUNT) {
        for (; n < AG_MAX_SUGGESTIONS && n < ag_catalogue_count(p->catalogue, kind); n++)
            near[n] = ag_catalogue_at(p->catalogue, kind, n);
    }
    for (size_t k = 0; k < n; k++)
        ag_suggest(p, ag_keep(p, near[k]->value, strlen(near[k]->value)));
    if (kind == AG_KIND_COUNT)
        kind = AG_KIND_SERVICE;
    ag_stop(
        p, AG_UNKNOWN_ENTITY,
        p->language == AG_KO ? ag_sayf(p, "%s \"%s\"은(는) 로그에 없습니다.", ko[kind], written)
                             : ag_sayf(p, "There is no %s \"%s\" in the logs.", en[kind], written),
        n ? ag_say(p, "아래 이름 가운데 하나인지 확인해 주세요.", "Perhaps one of the suggestions is meant.")
          : NULL);
}

/* -- exact names -- */

const struct ag_name *ag_name_of_kind(const struct ag_token *token, enum ag_kind kind)
{
    for (size_t k = 0; k < token->name_count; k++) {
        if (token->names[k]->kind == kind)
            return token->names[k];
    }
    return NULL;
}

/* Names that nobody would write by accident: with a digit, a joint, or two capitals' worth of parts. */
static bool is_distinctive(const struct ag_name *name)
{
    size_t parts = 0;

    for (const char *c = name->parts; *c; c++)
        parts += *c == ' ';
    return parts > 2 || strpbrk(name->value, "0123456789-_./") != NULL;
}

/* The kind said beside a name, and which tokens say it. "order-service 서비스", "component stock-sync", "host
 * web-03". */
static enum ag_kind kind_beside(const struct ag_parse *p, size_t *from, size_t *to)
{
    enum ag_kind behind = kind_said(p, *to);
    enum ag_kind before;
    size_t b = *from > 0 ? ag_before(p, *from) : SIZE_MAX;

    if (behind != AG_KIND_COUNT && !ag_is(p->tokens, *to + 1, AG_C_BY) &&
        !ag_is(p->tokens, *to + 1, AG_C_DISTINCT)) {
        *to += 1;
        return behind;
    }
    if (b == SIZE_MAX)
        return AG_KIND_COUNT;
    if (ag_is(p->tokens, b, AG_C_EQUALS) && b > 0)
        b--;
    before = kind_said(p, b);
    if (before != AG_KIND_COUNT && !grouping(p, b) && !ag_is(p->tokens, *from - 1, AG_C_BY)) {
        *from = b;
        return before;
    }
    return AG_KIND_COUNT;
}

static const struct ag_name *choose(const struct ag_token *token)
{
    static const enum ag_kind order[] = {AG_KIND_SERVICE,    AG_KIND_HOST,        AG_KIND_ERROR_TYPE,
                                         AG_KIND_EVENT_TYPE, AG_KIND_ENVIRONMENT, AG_KIND_COMPONENT,
                                         AG_KIND_MODULE};

    for (size_t k = 0; k < sizeof order / sizeof *order; k++) {
        const struct ag_name *name = ag_name_of_kind(token, order[k]);
        if (name)
            return name;
    }
    return NULL;
}

static void exact_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count; i++) {
        struct ag_token *token = &t->items[i];
        bool plain = ag_is(t, i, AG_C_WORD) || ag_is(t, i, AG_C_HANGUL) || ag_is(t, i, AG_C_QUOTED) ||
                     ag_is(t, i, AG_C_PATH);
        size_t from = i;
        size_t to = i + 1;
        enum ag_kind said;
        const struct ag_name *name;
        if (token->rule || token->name_count == 0)
            continue;
        said = kind_beside(p, &from, &to);
        name = said == AG_KIND_COUNT ? NULL : ag_name_of_kind(token, said);
        if (!name) {
            from = i;
            to = i + 1;
            name = choose(token);
            /* A common word is a name only where its kind is said, or where it means nothing else. */
            if (!name || (!plain && !is_distinctive(name) && name->kind != AG_KIND_EVENT_TYPE))
                continue;
            if (!is_distinctive(name) && !plain && !ag_reads(p, i, AG_C_DOMAIN))
                continue;
        }
        ag_mention_add(p, from, to, ag_kind_field(name->kind), NULL, AG_IN,
                       ag_keep(p, name->value, strlen(name->value)), "name");
    }
}

/* -- names by several words -- */

/* Is `part` one of the comma-separated roots? */
static bool has_root(const char *roots, const char *part, size_t len)
{
    while (*roots) {
        size_t n = strcspn(roots, ",");
        if (n == len && memcmp(roots, part, len) == 0)
            return true;
        roots += n + (roots[n] == ',');
    }
    return false;
}

/* Does token `i` stand for this part of a name? */
static bool means_part(const struct ag_parse *p, size_t i, const char *part, size_t len)
{
    const struct ag_token *token = &p->tokens->items[i];
    size_t n = strlen(token->text);

    if (token->rule)
        return false;
    for (const struct ag_reading *r = token->readings; r; r = r->next) {
        if (r->concept == AG_C_DOMAIN && has_root(r->value, part, len))
            return true;
    }
    if ((unsigned char)token->text[0] >= 0x80)
        return false;
    return (n == len && memcmp(token->text, part, len) == 0) ||
           (n == len + 1 && token->text[len] == 's' && memcmp(token->text, part, len) == 0);
}

/* Do the tokens from `i` on, in any order, stand for all parts of a name? The token behind them, or `i`. */
static size_t spells(const struct ag_parse *p, size_t i, const struct ag_name *name)
{
    uint32_t seen = 0;
    size_t parts = 0;
    size_t at = i;
    size_t end = i;

    for (const char *c = name->parts + 1; *c; c = strchr(c, ' ') + 1)
        parts++;
    if (parts < 2 || parts > 5)
        return i;
    for (size_t n = 0; n < parts; n++) {
        size_t k = 0;
        bool hit = false;
        while (n > 0 && ag_is(p->tokens, at, AG_C_PARTICLE))
            at++;
        if (at >= p->tokens->count)
            return i;
        for (const char *c = name->parts + 1; *c && !hit; c = strchr(c, ' ') + 1, k++) {
            size_t len = strcspn(c, " ");
            if (!(seen >> k & 1) && means_part(p, at, c, len)) {
                seen |= 1U << k;
                hit = true;
            }
        }
        if (!hit)
            return i;
        end = ++at;
    }
    return end;
}

static void spelled_rule(struct ag_parse *p)
{
    static const enum ag_kind kinds[] = {AG_KIND_EVENT_TYPE, AG_KIND_ERROR_TYPE, AG_KIND_COMPONENT,
                                         AG_KIND_SERVICE, AG_KIND_HOST};
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count; i++) {
        bool done = false;
        if (t->items[i].rule ||
            !(ag_is(t, i, AG_C_DOMAIN) || ag_is(t, i, AG_C_WORD) || ag_is(t, i, AG_C_FAIL)))
            continue;
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds && !done; k++) {
            const struct ag_name *best = NULL;
            size_t best_end = i;
            size_t ties = 0;
            for (size_t n = 0; n < ag_catalogue_count(p->catalogue, kinds[k]); n++) {
                const struct ag_name *name = ag_catalogue_at(p->catalogue, kinds[k], n);
                size_t end = spells(p, i, name);
                ties = end > best_end ? 1 : end == best_end && end > i ? ties + 1 : ties;
                if (end > best_end) {
                    best_end = end;
                    best = name;
                }
            }
            if (best && ties == 1) {
                size_t from = i;
                size_t to = best_end;
                enum ag_kind said = kind_said(p, to);
                if (said == kinds[k] || (kinds[k] == AG_KIND_SERVICE && ag_is(t, to, AG_C_SERVICE_WORD)))
                    to += !ag_is(t, to + 1, AG_C_BY);
                ag_mention_add(p, from, to, ag_kind_field(kinds[k]), NULL, AG_IN,
                               ag_keep(p, best->value, strlen(best->value)), "name in words");
                done = true;
            }
        }
    }
}

/* -- names by one part -- */

static size_t add_candidates(const struct ag_parse *p, enum ag_kind kind, const char *root, size_t len,
                             const struct ag_name **out, size_t count)
{
    const struct ag_name *found[AG_MAX_CANDIDATES];
    char part[MAX_ROOT];
    size_t n;

    if (len == 0 || len >= sizeof part)
        return count;
    memcpy(part, root, len);
    part[len] = '\0';
    n = ag_catalogue_with_part(p->catalogue, kind, part, found, AG_MAX_CANDIDATES);
    for (size_t i = 0; i < n && i < AG_MAX_CANDIDATES; i++) {
        bool known = false;
        for (size_t k = 0; k < count; k++)
            known = known || out[k] == found[i];
        if (!known && count < AG_MAX_CANDIDATES)
            out[count++] = found[i];
    }
    return count;
}

/* Names of `kind` that token `i` may stand for: its own letters first; only when there are none, the roots of
 * its meaning. */
size_t ag_candidates(const struct ag_parse *p, size_t i, enum ag_kind kind, const struct ag_name **out)
{
    const struct ag_token *token = &p->tokens->items[i];
    const char *roots = ag_value(p->tokens, i, AG_C_DOMAIN);
    size_t len = strlen(token->text);
    size_t count = add_candidates(p, kind, token->text, len, out, 0);

    if (count == 0 && len > 3 && (unsigned char)token->text[0] < 0x80)
        count = token->text[len - 1] == 's' ? add_candidates(p, kind, token->text, len - 1, out, 0) : 0;
    /* The first root that names something decides: 결제 is payment before it is billing. */
    while (roots && *roots && count == 0) {
        size_t n = strcspn(roots, ",");
        count = add_candidates(p, kind, roots, n, out, 0);
        roots += n + (roots[n] == ',');
    }
    return count;
}

static void ask_which(struct ag_parse *p, size_t i, const struct ag_name **names, size_t count)
{
    for (size_t k = 0; k < count && k < AG_MAX_SUGGESTIONS; k++)
        ag_suggest(p, ag_keep(p, names[k]->value, strlen(names[k]->value)));
    ag_stop(p, AG_NEEDS_CLARIFICATION,
            p->language == AG_KO ? ag_sayf(p, "\"%s\"에 맞는 이름이 여럿입니다.", ag_word(p, i))
                                 : ag_sayf(p, "\"%s\" could be one of several names.", ag_word(p, i)),
            ag_say(p, "이름을 그대로 적어 주세요.", "Use the exact name."));
    p->which = i + 1;
}

/* Is the domain meaning what the token is about, and not one of its grammatical ones? */
bool ag_is_mainly_domain(const struct ag_parse *p, size_t i)
{
    const struct ag_token *token = &p->tokens->items[i];

    return !token->rule && (token->readings->concept == AG_C_DOMAIN || token->readings->concept == AG_C_WORD);
}

static enum ag_kind wanted_kind(const struct ag_parse *p, size_t i, size_t *to)
{
    enum ag_kind behind = kind_said(p, i + 1);

    if (ag_is(p->tokens, i + 1, AG_C_BY))
        return AG_KIND_COUNT;
    if (ag_is(p->tokens, i + 1, AG_C_SERVICE_WORD) && !ag_is(p->tokens, i + 2, AG_C_BY)) {
        *to = i + 2;
        return AG_KIND_SERVICE;
    }
    if (behind == AG_KIND_COMPONENT || behind == AG_KIND_MODULE || behind == AG_KIND_ERROR_TYPE) {
        if (ag_is(p->tokens, i + 2, AG_C_BY))
            return AG_KIND_COUNT;
        *to = i + 2;
        return behind;
    }
    return AG_KIND_COUNT;
}

/* May token `i` be described by a name: errors, logs, a level, latency, 서비스? */
static bool takes_a_name(const struct ag_parse *p, size_t i)
{
    static const enum ag_concept nouns[] = {AG_C_ERROR,   AG_C_LEVEL,        AG_C_LOG,
                                            AG_C_RATE,    AG_C_FAIL_RATE,    AG_C_DURATION,
                                            AG_C_REQUEST, AG_C_SERVICE_WORD, AG_C_STATUS_CLASS};

    for (size_t k = 0; k < sizeof nouns / sizeof *nouns; k++) {
        if (ag_is(p->tokens, i, nouns[k]))
            return true;
    }
    return false;
}

/* A word of asking that is also a service ("검색 에러", "errors in search"): the name is meant where a name
 * would stand. */
static void ambiguous_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count && !p->stopped; i++) {
        const struct ag_name *names[AG_MAX_CANDIDATES];
        const struct ag_name *exact = ag_name_of_kind(&t->items[i], AG_KIND_SERVICE);
        size_t count = exact ? 1 : 0;
        bool led = i > 0 && ag_is(t, i - 1, AG_C_PREPOSITION) && !ag_is_korean(p, i - 1);
        bool named = takes_a_name(p, ag_after(p, i));
        if (t->items[i].rule || ag_is_mainly_domain(p, i) || ag_is(t, i, AG_C_FIELD) ||
            ag_is(t, i, AG_C_ERROR) || !(led || named))
            continue;
        if (exact)
            names[0] = exact;
        else if (ag_is(t, i, AG_C_DOMAIN))
            count = ag_candidates(p, i, AG_KIND_SERVICE, names);
        if (count == 0 && ag_is(t, i, AG_C_LOG) && ag_is(t, i + 1, AG_C_SERVICE_WORD))
            ag_unknown_name(p, AG_KIND_SERVICE, i, i + 1);
        if (count == 0)
            continue;
        if (count > 1 || (i == 0 && !ag_is_korean(p, i) && !ag_is(t, i + 1, AG_C_SERVICE_WORD))) {
            ask_which(p, i, names, count);
            return;
        }
        ag_mention_add(p, i, ag_is(t, i + 1, AG_C_SERVICE_WORD) && !ag_is(t, i + 2, AG_C_BY) ? i + 2 : i + 1,
                       AG_SERVICE, NULL, AG_IN, ag_keep(p, names[0]->value, strlen(names[0]->value)), "name");
        ag_assume(p, "linked_name",
                  ag_sayf(p, "\"%s\"은(는) %s(으)로 보았습니다.", ag_word(p, i), names[0]->value),
                  ag_sayf(p, "\"%s\" is taken to be %s.", ag_word(p, i), names[0]->value));
    }
}

/* 결제한 사용자, 주문했던: something done, not the service for it. */
static bool is_done(const struct ag_parse *p, size_t i)
{
    static const char *const endings[] = {"한", "했", "하는", "하던", "했던", "할", "하고"};

    if (!ag_is_korean(p, i) || i + 1 >= p->tokens->count || !p->tokens->items[i + 1].glued ||
        !ag_reads(p, i + 1, AG_C_ENDING))
        return false;
    for (size_t k = 0; k < sizeof endings / sizeof *endings; k++) {
        if (strcmp(ag_word(p, i + 1), endings[k]) == 0)
            return strcmp(endings[k], "하고") != 0 || !ag_reads(p, i + 1, AG_C_PARTICLE);
    }
    return false;
}

static void part_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count && !p->stopped; i++) {
        const struct ag_name *names[AG_MAX_CANDIDATES];
        size_t to = i + 1;
        enum ag_kind wanted;
        enum ag_kind kind;
        size_t count;
        if (!(ag_is(t, i, AG_C_DOMAIN) || ag_is(t, i, AG_C_WORD)))
            continue;
        if (is_done(p, i))
            continue;
        wanted = wanted_kind(p, i, &to);
        if (wanted == AG_KIND_COUNT && !ag_is_mainly_domain(p, i))
            continue;
        kind = wanted == AG_KIND_COUNT ? AG_KIND_SERVICE : wanted;
        count = ag_candidates(p, i, kind, names);
        if (count == 0 && wanted != AG_KIND_COUNT) {
            if (ag_is(t, i, AG_C_DOMAIN) || kind != AG_KIND_SERVICE || strlen(ag_word(p, i)) > 2)
                ag_unknown_name(p, kind, i, i + 1);
            continue;
        }
        if (count == 0)
            continue;
        if (count > 1) {
            ask_which(p, i, names, count);
            continue;
        }
        ag_mention_add(p, i, to, ag_kind_field(kind), NULL, AG_IN,
                       ag_keep(p, names[0]->value, strlen(names[0]->value)), "name by part");
        if (kind == AG_KIND_SERVICE && strcmp(names[0]->folded, ag_word(p, i)) != 0)
            ag_assume(p, "linked_name",
                      ag_sayf(p, "\"%s\"은(는) %s(으)로 보았습니다.", ag_word(p, i), names[0]->value),
                      ag_sayf(p, "\"%s\" is taken to be %s.", ag_word(p, i), names[0]->value));
    }
}

/* -- environments -- */

static const struct ag_name *environment_of(const struct ag_parse *p, const char *names)
{
    while (*names) {
        size_t n = strcspn(names, ",");
        for (size_t k = 0; k < ag_catalogue_count(p->catalogue, AG_KIND_ENVIRONMENT); k++) {
            const struct ag_name *name = ag_catalogue_at(p->catalogue, AG_KIND_ENVIRONMENT, k);
            if (strlen(name->folded) == n && memcmp(name->folded, names, n) == 0)
                return name;
        }
        names += n + (names[n] == ',');
    }
    return NULL;
}

static void environment_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count; i++) {
        const char *names = ag_value(t, i, AG_C_ENVIRONMENT);
        const struct ag_name *name;
        size_t from = i;
        size_t to = i + 1;
        if (!names || (ag_is(t, to, AG_C_SERVICE_WORD) && !ag_is(t, to + 1, AG_C_BY)))
            continue;
        name = environment_of(p, names);
        if (kind_said(p, to) == AG_KIND_ENVIRONMENT && !ag_is(t, to + 1, AG_C_BY))
            to++;
        else if (i > 0 && kind_said(p, i - 1) == AG_KIND_ENVIRONMENT && !grouping(p, i - 1))
            from = i - 1;
        if (!name) {
            ag_unknown_name(p, AG_KIND_ENVIRONMENT, i, i + 1);
            return;
        }
        ag_mention_add(p, from, to, AG_ENVIRONMENT, NULL, AG_IN, ag_keep(p, name->value, strlen(name->value)),
                       "environment");
    }
}

/* -- words that look like names -- */

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text);
    size_t m = strlen(end);

    return n > m && strcmp(text + n - m, end) == 0;
}

static enum ag_kind looks_like(const struct ag_parse *p, size_t i)
{
    static const char *const services[] = {"-service", "-api",     "-svc",      "-server",   "-gateway",
                                           "-web",     "-app",     "-batch",    "-worker",   "-job",
                                           "_service", "-backend", "-frontend", "-consumer", "-producer"};
    const char *text = ag_word(p, i);
    const struct ag_name *found[1];
    const char *dash = strchr(text, '-');
    size_t b = i > 0 ? ag_before(p, i) : SIZE_MAX;

    if (kind_said(p, ag_after(p, i)) != AG_KIND_COUNT)
        return kind_said(p, ag_after(p, i));
    if (b != SIZE_MAX && kind_said(p, b) != AG_KIND_COUNT && !grouping(p, b) && strpbrk(text, "0123456789-_"))
        return kind_said(p, b);
    for (size_t k = 0; k < sizeof services / sizeof *services; k++) {
        if (ends_with(text, services[k]))
            return AG_KIND_SERVICE;
    }
    if (ends_with(text, "exception") || ends_with(text, "error") || (ends_with(text, "timeout") && !dash))
        return AG_KIND_ERROR_TYPE;
    /* web-99 beside web-03: a host of a family known. */
    if (dash && dash > text && isdigit((unsigned char)text[strlen(text) - 1])) {
        char part[MAX_ROOT];
        size_t len = (size_t)(dash - text);
        if (len < sizeof part) {
            memcpy(part, text, len);
            part[len] = '\0';
            if (ag_catalogue_with_part(p->catalogue, AG_KIND_HOST, part, found, 1) > 0)
                return AG_KIND_HOST;
        }
    }
    return AG_KIND_COUNT;
}

/* One slip in a long name that is no word of its own: "paymnet-service". */
static bool slip(struct ag_parse *p, size_t i, enum ag_kind kind)
{
    const struct ag_name *near[2];
    const char *text = ag_word(p, i);
    size_t len = strlen(text);
    size_t n;
    size_t from = i;
    size_t to = i + 1;
    const char *dash;

    if (len < 8 || p->searches >= MAX_SEARCHES)
        return false;
    p->searches++;
    n = ag_catalogue_nearest(p->catalogue, kind, text, len, near, 2);
    if (n == 0 || ag_edit_distance(text, len, near[0]->folded, strlen(near[0]->folded), 1) != 1 ||
        (n > 1 && ag_edit_distance(text, len, near[1]->folded, strlen(near[1]->folded), 1) == 1))
        return false;
    /* A digit wrong is another host, a known word is another name (cart-service, card-service). */
    if (strpbrk(text, "0123456789") || strpbrk(near[0]->folded, "0123456789"))
        return false;
    dash = strpbrk(text, "-_");
    {
        char part[MAX_ROOT];
        struct ag_match matches[AG_MAX_CANDIDATES];
        uint32_t cps[MAX_ROOT];
        size_t got;
        size_t m = dash ? (size_t)(dash - text) : len;
        if (m >= sizeof part)
            return false;
        memcpy(part, text, m);
        part[m] = '\0';
        for (size_t k = 0; k < m; k++)
            cps[k] = (unsigned char)part[k];
        got = ag_vocabulary_match(p->vocabulary, cps, m, matches, AG_MAX_CANDIDATES);
        for (size_t k = 0; k < got; k++) {
            if (matches[k].len == m)
                return false;
        }
        if (m < 4)
            return false;
    }
    if (kind_beside(p, &from, &to) != AG_KIND_COUNT && ag_name_of_kind(&p->tokens->items[i], kind))
        return false;
    ag_mention_add(p, from, to, ag_kind_field(kind), NULL, AG_IN,
                   ag_keep(p, near[0]->value, strlen(near[0]->value)), "misspelt name");
    ag_assume(p, "spelling", ag_sayf(p, "\"%s\"은(는) %s의 오타로 보았습니다.", text, near[0]->value),
              ag_sayf(p, "\"%s\" was read as %s.", text, near[0]->value));
    return true;
}

static void stranger_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count && !p->stopped; i++) {
        enum ag_kind kind;
        if (!(ag_is(t, i, AG_C_WORD) || ag_is(t, i, AG_C_HANGUL)))
            continue;
        kind = looks_like(p, i);
        if (kind == AG_KIND_COUNT && !strchr(ag_word(p, i), '-'))
            continue;
        if ((kind == AG_KIND_SERVICE || kind == AG_KIND_ERROR_TYPE) && slip(p, i, kind))
            continue;
        ag_unknown_name(p, kind, i, i + 1);
    }
}

void ag_names_rule(struct ag_parse *p)
{
    environment_rule(p);
    spelled_rule(p);
    exact_rule(p);
    ag_metadata_rule(p);
    part_rule(p);
    if (!p->stopped)
        ambiguous_rule(p);
    if (!p->stopped)
        stranger_rule(p);
    if (!p->stopped)
        ag_quoted_rule(p);
}
