/*
 * Words nobody knows: a slip of the pen in a word or in a name is read as what was meant; what looks like a
 * name and is none says so, with the names that are alike.
 */
#include "agent/understand/link.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define MAX_PART 48
#define MAX_SEARCHES 16

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

/* -- misspelt words -- */

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
    char single[MAX_PART];

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

/* "lats week": "last week" is a word of its own and means another week than last and week do. */
static bool is_last_unit(const struct ag_parse *p, size_t i, const struct ag_reading *meant)
{
    const char *unit = ag_value(p->tokens, i + 1, AG_C_UNIT);

    return (meant->concept == AG_C_LAST || meant->concept == AG_C_THIS) && unit && strchr("wMqyd", *unit);
}

/* "errors in 2day": today as it is written in a chat, or two days. */
static void ask_which_2day(struct ag_parse *p)
{
    static const char *const leads[] = {"in", "over", "for", "during", "than", "every", "each", "per", "a"};

    for (size_t i = 1; i < p->tokens->count; i++) {
        if (strcmp(ag_word(p, i), "2day") != 0 ||
            !(ag_says(p, i - 1, leads, sizeof leads / sizeof *leads) || ag_reads(p, i + 1, AG_C_AGO)))
            continue;
        ag_stop(p, AG_NEEDS_CLARIFICATION,
                ag_say(p, "오늘인지 이틀인지 분명하지 않습니다.",
                       "It is not clear whether today or two days are meant."),
                ag_say(p, "예: \"오늘 에러\", \"최근 2일 에러\"",
                       "For example \"errors today\" or \"errors in the last 2 days\"."));
    }
}

void ag_spelling_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;
    bool after_value = false;

    ask_which_2day(p);

    for (size_t i = 0; i < t->count; i++) {
        struct ag_token *token = &t->items[i];
        const struct ag_reading *meant;
        if (token->slip)
            ag_assume(p, "spelling", ag_sayf(p, "\"%s\"은(는) 오타로 보고 고쳐 읽었습니다.", token->text),
                      ag_sayf(p, "\"%s\" was read as a misspelling.", token->text));
        /* What follows "containing" is searched for as it is. */
        after_value = ag_is(t, i, AG_C_CONTAINS) && !ag_is_korean(p, i);
        if (!ag_is(t, i, AG_C_WORD) || token->name_count > 0 || after_value || !only_letters(token->text) ||
            p->searches >= MAX_SEARCHES || is_part_of_a_name(p, token->text))
            continue;
        p->searches++;
        meant = ag_vocabulary_typo(p->vocabulary, token->text, strlen(token->text));
        if (!meant || is_last_unit(p, i, meant))
            continue;
        token->readings = meant;
        ag_assume(p, "spelling", ag_sayf(p, "\"%s\"은(는) 오타로 보고 고쳐 읽었습니다.", token->text),
                  ag_sayf(p, "\"%s\" was read as a misspelling.", token->text));
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

    if (ag_kind_said(p, ag_after(p, i)) != AG_KIND_COUNT)
        return ag_kind_said(p, ag_after(p, i));
    if (b != SIZE_MAX && ag_kind_said(p, b) != AG_KIND_COUNT && !ag_grouped_by(p, b) &&
        strpbrk(text, "0123456789-_"))
        return ag_kind_said(p, b);
    for (size_t k = 0; k < sizeof services / sizeof *services; k++) {
        if (ends_with(text, services[k]))
            return AG_KIND_SERVICE;
    }
    if (ends_with(text, "exception") || ends_with(text, "error") || (ends_with(text, "timeout") && !dash))
        return AG_KIND_ERROR_TYPE;
    /* web-99 beside web-03: a host of a family known. */
    if (dash && dash > text && isdigit((unsigned char)text[strlen(text) - 1])) {
        char part[MAX_PART];
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
        char part[MAX_PART];
        struct ag_match matches[AG_MAX_CANDIDATES];
        uint32_t cps[MAX_PART];
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
        if (m < 4 || ag_vocabulary_is_ordinary(p->vocabulary, part, m))
            return false;
    }
    if (ag_kind_beside(p, &from, &to) != AG_KIND_COUNT && ag_name_of_kind(&p->tokens->items[i], kind))
        return false;
    ag_mention_add(p, from, to, ag_kind_field(kind), NULL, AG_IN,
                   ag_keep(p, near[0]->value, strlen(near[0]->value)), "misspelt name");
    ag_assume(p, "spelling", ag_sayf(p, "\"%s\"은(는) %s의 오타로 보았습니다.", text, near[0]->value),
              ag_sayf(p, "\"%s\" was read as %s.", text, near[0]->value));
    return true;
}

void ag_stranger_rule(struct ag_parse *p)
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
