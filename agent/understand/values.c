/*
 * Conditions with values of their own: levels, statuses, users, traces, codes, tags, addresses, paths, browsers; and what a
 * negation takes back.
 */
#include "agent/understand/parse.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static bool joins_list(const struct ag_parse *p, size_t i)
{
    const struct ag_tokens *t = p->tokens;
    const char *w = ag_word(p, i);

    return ag_is(t, i, AG_C_AND) || ag_is(t, i, AG_C_OR) || ag_is(t, i, AG_C_COMMA) ||
           (ag_is(t, i, AG_C_PARTICLE) && (strcmp(w, "랑") == 0 || strcmp(w, "이랑") == 0 || strcmp(w, "와") == 0 ||
                                           strcmp(w, "과") == 0 || strcmp(w, "하고") == 0 || strcmp(w, "나") == 0 || strcmp(w, "이나") == 0));
}

/* -- levels ------------------------------------------------------------------------------------------------------------- */

static bool field_is(const struct ag_parse *p, size_t i, const char *name)
{
    const struct ag_reading *r = i < p->tokens->count ? p->tokens->items[i].readings : NULL;

    for (; r; r = r->next) {
        if (r->concept == AG_C_FIELD && strcmp(r->value, name) == 0)
            return true;
    }
    return false;
}

static bool grouped_by(const struct ag_parse *p, size_t i)
{
    size_t before = i > 0 ? ag_before(p, i) : SIZE_MAX;

    return ag_is(p->tokens, i + 1, AG_C_BY) || (before != SIZE_MAX && ag_is(p->tokens, before, AG_C_BY_BEFORE));
}

void ag_level_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count; i++) {
        const char *level = ag_value(t, i, AG_C_LEVEL);
        bool error = ag_is(t, i, AG_C_ERROR);
        size_t end = i + 1;
        size_t start = i;
        enum ag_op op = AG_IN;
        if (!level && !error)
            continue;
        /* "WARN 레벨", "level WARN" */
        if (field_is(p, end, "level") && !t->items[end].rule && !grouped_by(p, end))
            end++;
        while (ag_is(t, end, AG_C_LOG) && ag_is_korean(p, end))
            end++;
        if (i > 0 && field_is(p, i - 1, "level") && !t->items[i - 1].rule && !grouped_by(p, i - 1))
            start = i - 1;
        else if (i > 1 && ag_is(t, i - 1, AG_C_EQUALS) && field_is(p, i - 2, "level"))
            start = i - 2;
        if (ag_is(t, end, AG_C_AT_LEAST))
            op = AG_AT_LEAST;
        else if (ag_is(t, end, AG_C_AT_MOST))
            op = AG_AT_MOST;
        else if (i > 0 && ag_is(t, i - 1, AG_C_AT_LEAST))
            op = AG_AT_LEAST, start = i - 1;
        if (op != AG_IN && ag_is(t, end, AG_C_AT_LEAST) + ag_is(t, end, AG_C_AT_MOST) > 0)
            end++;
        if (op == AG_AT_LEAST || op == AG_AT_MOST) {
            ag_mention_add(p, start, end, AG_LEVEL, NULL, op, level ? level : "ERROR", "level");
        } else if (error) {
            ag_mention_add(p, start, end, AG_LEVEL, NULL, AG_IN, "ERROR", "level");
            ag_mention_add(p, start, end, AG_LEVEL, NULL, AG_IN, "FATAL", "level");
            p->said[AG_C_ERROR] = i + 1;
        } else {
            ag_mention_add(p, start, end, AG_LEVEL, NULL, AG_IN, level, "level");
        }
    }
}

static bool listed_with(const struct ag_parse *p, size_t a, size_t b)
{
    for (size_t i = a; i < b; i++) {
        if (joins_list(p, i))
            return true;
    }
    return false;
}

static void drop_level(struct ag_parse *p, const char *but)
{
    size_t kept = 0;

    for (size_t k = 0; k < p->mention_count; k++) {
        const struct ag_mention *m = &p->mentions[k];
        if (m->field != AG_LEVEL || m->op != AG_IN || m->negated || strcmp(m->value, but) == 0)
            p->mentions[kept++] = *m;
    }
    p->mention_count = kept;
}

/* "FATAL 에러", "errors, FATAL only": a level named beside "error" and not listed with it is the level meant. */
void ag_one_level_rule(struct ag_parse *p)
{
    const struct ag_mention *error = NULL;
    const struct ag_mention *level = NULL;
    const char *value;
    bool only;

    for (size_t k = 0; k < p->mention_count; k++) {
        const struct ag_mention *m = &p->mentions[k];
        bool is_error = false;
        if (m->field != AG_LEVEL || m->op != AG_IN || m->negated)
            continue;
        for (size_t i = m->from; i < m->to; i++)
            is_error = is_error || ag_reads(p, i, AG_C_ERROR);
        if (is_error)
            error = m;
        else if (level)
            return;
        else
            level = m;
    }
    if (!error || !level)
        return;
    value = level->value;
    only = ag_reads(p, level->to, AG_C_ONLY) || (level->from > 0 && ag_reads(p, level->from - 1, AG_C_ONLY)) ||
           (ag_reads(p, level->to, AG_C_PARTICLE) && strcmp(ag_word(p, level->to), "만") == 0);
    if (!only && (level->from < error->from ? listed_with(p, level->to, error->from) : listed_with(p, error->to, level->from)))
        return;
    if (strcmp(value, "FATAL") != 0 && !only) {
        ag_stop(p, AG_NOT_UNDERSTOOD, ag_say(p, "두 레벨 가운데 무엇인지 알 수 없습니다.", "It is not clear which of the two levels is meant."), NULL);
        return;
    }
    drop_level(p, value);
}

/* -- statuses ----------------------------------------------------------------------------------------------------------- */

static bool is_status_number(const struct ag_parse *p, size_t i)
{
    const struct ag_token *token = i < p->tokens->count ? &p->tokens->items[i] : NULL;

    return token && ag_is(p->tokens, i, AG_C_NUMBER) && strlen(token->text) == 3 && token->text[0] >= '1' && token->text[0] <= '5' &&
           isdigit((unsigned char)token->text[1]) && isdigit((unsigned char)token->text[2]);
}

static bool is_status_noun(const struct ag_parse *p, size_t i)
{
    return ag_is(p->tokens, i, AG_C_RESPONSE) || ag_is(p->tokens, i, AG_C_ERROR) || ag_is(p->tokens, i, AG_C_REQUEST) ||
           (field_is(p, i, "http_status") && !p->tokens->items[i].rule);
}

static bool is_status_plural(const struct ag_parse *p, size_t i)
{
    return i < p->tokens->count && p->tokens->items[i].glued && strcmp(p->tokens->items[i].text, "s") == 0 && !p->tokens->items[i].rule;
}

/* 404 or 502 by itself: nothing else is counted or asked for by that number. */
static bool is_bare_status(const struct ag_parse *p, size_t i)
{
    static const enum ag_concept counted[] = {AG_C_COUNTER, AG_C_UNIT, AG_C_OCLOCK, AG_C_PERCENT, AG_C_LOG, AG_C_LEVEL, AG_C_AT_LEAST,
                                              AG_C_AT_MOST, AG_C_ABOVE, AG_C_BELOW, AG_C_DASH, AG_C_NUMBER};
    static const enum ag_concept counts[] = {AG_C_TOP, AG_C_BOTTOM, AG_C_NEWEST, AG_C_OLDEST, AG_C_LAST, AG_C_FIRST, AG_C_RECENT, AG_C_AT_LEAST,
                                             AG_C_AT_MOST, AG_C_ABOVE, AG_C_BELOW, AG_C_DASH, AG_C_NUMBER, AG_C_DOMAIN, AG_C_WORD};
    bool glued_unit = i + 1 < p->tokens->count && p->tokens->items[i + 1].glued && ag_is(p->tokens, i + 1, AG_C_UNIT);

    if (ag_word(p, i)[0] != '4' && ag_word(p, i)[0] != '5')
        return false;
    for (size_t k = 0; k < sizeof counted / sizeof *counted; k++) {
        if (ag_is(p->tokens, i + 1, counted[k]) && !(counted[k] == AG_C_PERCENT && !glued_unit && !p->tokens->items[i + 1].glued))
            return false;
    }
    for (size_t k = 0; k < sizeof counts / sizeof *counts && i > 0; k++) {
        if (ag_is(p->tokens, i - 1, counts[k]) && p->tokens->items[i - 1].name_count == 0)
            return false;
    }
    return true;
}

/* A status number stands beside a word that says what it is. */
static bool status_near(const struct ag_parse *p, size_t i)
{
    size_t before = i > 0 ? ag_before(p, i) : SIZE_MAX;
    size_t next = ag_after(p, i);

    if (is_status_plural(p, i + 1) || is_status_noun(p, next))
        return true;
    if (before == SIZE_MAX)
        return is_bare_status(p, i);
    if (ag_is(p->tokens, before, AG_C_EQUALS) && before > 0)
        before = ag_before(p, before);
    if (strncmp(ag_word(p, before), "http", 4) == 0)
        return true;
    return (before != SIZE_MAX && field_is(p, before, "http_status") && !p->tokens->items[before].rule) || is_bare_status(p, i);
}

static void status_list(struct ag_parse *p, size_t i)
{
    struct ag_tokens *t = p->tokens;
    size_t end = i;

    /* 404, 404와 500, 404s or 500s */
    while (is_status_number(p, end)) {
        size_t next = end + 1;
        ag_mention_add(p, end, next, AG_HTTP_STATUS, NULL, AG_IN, t->items[end].text, "status");
        if (is_status_plural(p, next))
            ag_consume(t, next, next + 1, "status"), next++;
        end = next;
        while (joins_list(p, next))
            next++;
        if (next > end && is_status_number(p, next)) {
            ag_consume(t, end, next, "status");
            end = next;
        }
    }
    while (is_status_noun(p, end)) {
        ag_consume(t, end, end + 1, "status");
        end++;
    }
}

static void status_compare(struct ag_parse *p, size_t i, enum ag_op op, size_t end)
{
    ag_mention_add(p, i, end, AG_HTTP_STATUS, NULL, op, p->tokens->items[i].text, "status");
}

void ag_status_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count; i++) {
        const char *status_class = ag_value(t, i, AG_C_STATUS_CLASS);
        size_t before = i > 0 ? ag_before(p, i) : SIZE_MAX;
        if (status_class) {
            size_t end = i + 1;
            ag_mention_add(p, i, i + 1, AG_STATUS_CLASS, NULL, AG_IN, status_class, "status");
            while (is_status_noun(p, end) && !grouped_by(p, end)) {
                ag_consume(t, end, end + 1, "status");
                end++;
            }
            if (before != SIZE_MAX && field_is(p, before, "http_status") && !t->items[before].rule && !grouped_by(p, before))
                ag_consume(t, before, before + 1, "status");
            continue;
        }
        if (!is_status_number(p, i) || !status_near(p, i))
            continue;
        if (before != SIZE_MAX && field_is(p, before, "http_status") && !t->items[before].rule)
            ag_consume(t, before, before + 1, "status");
        if (before != SIZE_MAX && ag_is(t, before, AG_C_EQUALS))
            ag_consume(t, ag_before(p, before), before + 1, "status");
        if (ag_is(t, i + 1, AG_C_AT_LEAST))
            status_compare(p, i, AG_AT_LEAST, i + 2);
        else if (ag_is(t, i + 1, AG_C_AT_MOST))
            status_compare(p, i, AG_AT_MOST, i + 2);
        else if (ag_is(t, i + 1, AG_C_BELOW))
            status_compare(p, i, AG_BELOW, i + 2);
        else
            status_list(p, i);
    }
    /* "status >= 500" */
    for (size_t i = 0; i + 2 < t->count; i++) {
        if (field_is(p, i, "http_status") && !t->items[i].rule && is_status_number(p, i + 2)) {
            enum ag_op op = ag_is(t, i + 1, AG_C_AT_LEAST) ? AG_AT_LEAST : ag_is(t, i + 1, AG_C_ABOVE) ? AG_ABOVE
                            : ag_is(t, i + 1, AG_C_BELOW)   ? AG_BELOW    : ag_is(t, i + 1, AG_C_AT_MOST) ? AG_AT_MOST : AG_IN;
            if (op != AG_IN) {
                ag_consume(t, i, i + 2, "status");
                status_compare(p, i + 2, op, i + 3);
            }
        }
    }
}

/* -- identifiers -------------------------------------------------------------------------------------------------------- */

static bool is_hex_id(const char *text)
{
    size_t digits = 0;
    size_t n = 0;

    for (; text[n]; n++) {
        if (!isxdigit((unsigned char)text[n]) && text[n] != '-')
            return false;
        digits += isxdigit((unsigned char)text[n]) != 0;
    }
    return digits >= 16 && digits <= 40;
}

/* May token `i` be a value nobody catalogues: u1234, P1001, 42, "alice"? */
static bool is_value(const struct ag_parse *p, size_t i)
{
    const struct ag_tokens *t = p->tokens;

    if (ag_is(t, i, AG_C_QUOTED) || ag_is(t, i, AG_C_WORD))
        return true;
    return ag_is(t, i, AG_C_NUMBER) && isdigit((unsigned char)ag_word(p, i)[0]) && !ag_is(t, i + 1, AG_C_COUNTER) &&
           !ag_is(t, i + 1, AG_C_UNIT) && !ag_is(t, i + 1, AG_C_OCLOCK) && !ag_is(t, i + 1, AG_C_PERCENT);
}

static const char *value_text(struct ag_parse *p, size_t i)
{
    const struct ag_token *token = &p->tokens->items[i];
    bool quoted = ag_is(p->tokens, i, AG_C_QUOTED);
    char *text = ag_text_typed(&p->text, token->from + quoted, token->to - quoted, p->arena);

    p->memory = p->memory || !text;
    return text ? text : "";
}

/* Behind a field: particles, "is", "=", "id". */
static size_t past_link(const struct ag_parse *p, size_t i)
{
    const struct ag_tokens *t = p->tokens;

    while (ag_is(t, i, AG_C_PARTICLE) || ag_is(t, i, AG_C_EQUALS) || strcmp(ag_word(p, i), "is") == 0 ||
           strcmp(ag_word(p, i), "id") == 0 || strcmp(ag_word(p, i), "named") == 0 || strcmp(ag_word(p, i), "called") == 0 ||
           strcmp(ag_word(p, i), "with") == 0)
        i++;
    return i;
}

static bool takes_value(enum ag_field field)
{
    return field == AG_USER_ID || field == AG_SESSION_ID || field == AG_TRACE_ID || field == AG_SPAN_ID || field == AG_ERROR_CODE ||
           field == AG_TAG || field == AG_CLIENT_IP || field == AG_BROWSER || field == AG_DEVICE;
}

static enum ag_field field_named(const char *name)
{
    for (int f = AG_NO_FIELD + 1; f < AG_FIELD_COUNT; f++) {
        if (strcmp(ag_field_name((enum ag_field)f), name) == 0)
            return (enum ag_field)f;
    }
    return AG_NO_FIELD;
}

static void id_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count; i++) {
        const char *name = ag_value(t, i, AG_C_FIELD);
        enum ag_field field = name ? field_named(name) : AG_NO_FIELD;
        size_t at = past_link(p, i + 1);
        size_t before = i > 0 ? i - 1 : SIZE_MAX;
        if (!takes_value(field) || ag_is(t, i + 1, AG_C_BY))
            continue;
        if (is_value(p, at) && t->items[at].name_count == 0) {
            ag_mention_add(p, i, at + 1, field, NULL, AG_IN, value_text(p, at), "identifier");
            if (strcmp(ag_word(p, at + 1), "인") == 0)
                ag_consume(t, at + 1, at + 2, "identifier");
        } else if (before != SIZE_MAX && ag_is(t, before, AG_C_WORD) && t->items[before].name_count == 0 &&
                   strpbrk(t->items[before].text, "0123456789")) {
            /* u1234 사용자 */
            ag_mention_add(p, before, i + 1, field, NULL, AG_IN, value_text(p, before), "identifier");
        }
    }
}

/* "tagged with security", 태그가 canary인, canary 태그: a tag may be any word. */
static void tag_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count; i++) {
        bool tagged = ag_is(t, i, AG_C_TAGGED);
        bool field = field_is(p, i, "tag") && !t->items[i].rule;
        size_t at = past_link(p, i + 1);
        size_t value = SIZE_MAX;
        if ((!tagged && !field) || field_is(p, i + 1, "category") || ag_is(t, i + 1, AG_C_BY))
            continue;
        if (i > 0 && (ag_is(t, i - 1, AG_C_BY_BEFORE) || ag_is(t, i - 1, AG_C_WHICH)))
            continue;
        if (tagged && ag_is_korean(p, i))
            value = ag_before(p, i);
        else if (at < t->count && !t->items[at].rule && (tagged || at > i + 1 || ag_is(t, at, AG_C_QUOTED)))
            value = at;
        else if (field && ag_is_korean(p, i) && i > 0 && !t->items[i - 1].rule && (unsigned char)ag_word(p, i - 1)[0] < 0x80)
            value = i - 1;
        if (value == SIZE_MAX || t->items[value].rule || ag_is(t, value, AG_C_STOP) || ag_is(t, value, AG_C_PREPOSITION))
            continue;
        {
            size_t from = value < i ? value : i;
            size_t to = value < i ? i + 1 : value + 1;
            ag_mention_add(p, from, to, AG_TAG, NULL, AG_IN, value_text(p, value), "tag");
            if (strcmp(ag_word(p, to), "인") == 0 || ag_is(t, to, AG_C_TAGGED))
                ag_consume(t, to, to + 1, "tag");
        }
    }
}

static bool about_pages(const struct ag_parse *p)
{
    for (size_t i = 0; i < p->tokens->count; i++) {
        if (ag_reads(p, i, AG_C_PAGE_LOAD) || field_is(p, i, "page_path") || strncmp(ag_word(p, i), "visit", 5) == 0 ||
            strncmp(ag_word(p, i), "방문", strlen("방문")) == 0)
            return true;
    }
    return false;
}

static void unknown_path(struct ag_parse *p, size_t i)
{
    const struct ag_name *near[AG_MAX_SUGGESTIONS];
    size_t n = ag_catalogue_nearest(p->catalogue, AG_KIND_ENDPOINT, ag_word(p, i), strlen(ag_word(p, i)), near, AG_MAX_SUGGESTIONS);

    for (size_t k = 0; k < n; k++)
        ag_suggest(p, ag_keep(p, near[k]->value, strlen(near[k]->value)));
    ag_stop(p, AG_UNKNOWN_ENTITY,
            p->language == AG_KO ? ag_sayf(p, "엔드포인트 \"%s\"은(는) 로그에 없습니다.", ag_word(p, i))
                                 : ag_sayf(p, "There is no endpoint \"%s\" in the logs.", ag_word(p, i)),
            n ? ag_say(p, "비슷한 이름을 확인해 주세요.", "Perhaps one of the suggestions is meant.") : NULL);
}

static void path_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count; i++) {
        size_t start = i;
        size_t end = i + 1;
        bool page = about_pages(p);
        const struct ag_name *name = NULL;
        if (!ag_is(t, i, AG_C_PATH))
            continue;
        for (size_t k = 0; k < t->items[i].name_count; k++) {
            if (t->items[i].names[k]->kind == AG_KIND_ENDPOINT)
                name = t->items[i].names[k];
        }
        if (i > 0 && !page && field_is(p, i - 1, "endpoint") && !t->items[i - 1].rule)
            start = i - 1;
        if (!page && field_is(p, end, "endpoint") && !t->items[end].rule && !ag_is(t, end + 1, AG_C_BY))
            end++;
        if (page && !name) {
            if (field_is(p, end, "page_path") && !t->items[end].rule)
                end++;
            ag_mention_add(p, start, end, AG_PAGE_PATH, NULL, AG_IN, value_text(p, i), "path");
        } else if (name) {
            ag_mention_add(p, start, end, AG_ENDPOINT, NULL, AG_IN, ag_keep(p, name->value, strlen(name->value)), "path");
        } else {
            unknown_path(p, i);
            return;
        }
    }
}

static bool is_upper(const struct ag_parse *p, size_t i)
{
    const struct ag_token *token = &p->tokens->items[i];
    const char *typed = p->text.raw + p->text.from[token->from];

    return isupper((unsigned char)typed[0]) && isupper((unsigned char)typed[1]);
}

/* GET /api/users, POST 요청, "method GET"; "get" alone is a verb. */
static void method_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count; i++) {
        const char *value = NULL;
        for (const struct ag_reading *r = t->items[i].rule ? NULL : t->items[i].readings; r; r = r->next) {
            if (r->concept == AG_C_VALUE && strncmp(r->value, "method=", 7) == 0)
                value = r->value + 7;
        }
        if (!value)
            continue;
        if (ag_reads(p, i + 1, AG_C_PATH) || (is_upper(p, i) && (ag_is(t, i + 1, AG_C_REQUEST) || field_is(p, i + 1, "method"))) ||
            (i > 0 && field_is(p, i - 1, "method") && is_upper(p, i))) {
            bool before = i > 0 && field_is(p, i - 1, "method") && !t->items[i - 1].rule;
            bool after = field_is(p, i + 1, "method") && !t->items[i + 1].rule;
            ag_mention_add(p, before ? i - 1 : i, after ? i + 2 : i + 1, AG_METHOD, NULL, AG_IN, value, "method");
        }
    }
}

static void address_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count; i++) {
        size_t start = i;
        if (ag_is(t, i, AG_C_ADDRESS)) {
            size_t before = i > 0 ? ag_before(p, i) : SIZE_MAX;
            if (before != SIZE_MAX && field_is(p, before, "client_ip") && !t->items[before].rule)
                start = before;
            ag_mention_add(p, start, i + 1, AG_CLIENT_IP, NULL, AG_IN, value_text(p, i), "address");
            if (field_is(p, i + 1, "client_ip") && !t->items[i + 1].rule)
                ag_consume(t, i + 1, i + 2, "address");
        } else if (ag_is(t, i, AG_C_WORD) && t->items[i].name_count == 0 && is_hex_id(t->items[i].text)) {
            ag_mention_add(p, i, i + 1, AG_TRACE_ID, NULL, AG_IN, value_text(p, i), "trace id");
        }
    }
}

/* Browsers, devices, kinds of logs and categories by the words people use. */
static void value_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count; i++) {
        const char *value = ag_value(t, i, AG_C_VALUE);
        const char *equals = value ? strchr(value, '=') : NULL;
        char name[32];
        enum ag_field field;
        size_t start = i;
        size_t end = i + 1;
        bool named;
        if (!equals || (size_t)(equals - value) >= sizeof name || strncmp(value, "method=", 7) == 0)
            continue;
        memcpy(name, value, (size_t)(equals - value));
        name[equals - value] = '\0';
        field = field_named(name);
        if (ag_is(t, end, AG_C_SERVICE_WORD))
            continue; /* a service's name, not a kind of log */
        named = field_is(p, end, name) && !t->items[end].rule && !ag_is(t, end + 1, AG_C_BY);
        if (named)
            end++;
        if (i > 0 && !named && !t->items[i - 1].rule && field_is(p, i - 1, name)) {
            start = i - 1;
            named = true;
        }
        if (field == AG_CATEGORY && !named && !ag_is(t, end, AG_C_LOG) && !ag_is(t, end, AG_C_COMMA) && !ag_is(t, end, AG_C_AND))
            continue; /* "summary" and "training" are words like others */
        ag_mention_add(p, start, end, field, NULL, AG_IN, equals + 1, "value");
    }
}

static void health_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count; i++) {
        if (!ag_is(t, i, AG_C_HEALTH))
            continue;
        ag_mention_add(p, i, i + 1, AG_ENDPOINT, NULL, AG_PREFIX, "/health", "health checks");
        ag_assume(p, "health_checks", "헬스 체크는 /health로 시작하는 엔드포인트로 보았습니다.",
                  "Health checks are taken to be endpoints that start with /health.");
    }
}

void ag_ids_rule(struct ag_parse *p)
{
    method_rule(p);
    tag_rule(p);
    id_rule(p);
    address_rule(p);
    path_rule(p);
    value_rule(p);
    health_rule(p);
}

/* -- negation ----------------------------------------------------------------------------------------------------------- */

static struct ag_mention *ending_at(struct ag_parse *p, size_t end)
{
    for (size_t k = 0; k < p->mention_count; k++) {
        if (p->mentions[k].to == end)
            return &p->mentions[k];
    }
    return NULL;
}

static struct ag_mention *starting_at(struct ag_parse *p, size_t start)
{
    for (size_t k = 0; k < p->mention_count; k++) {
        if (p->mentions[k].from == start)
            return &p->mentions[k];
    }
    return NULL;
}

/* All mentions over the same tokens: "error" is two levels. */
static void negate(struct ag_parse *p, size_t from, size_t to)
{
    for (size_t k = 0; k < p->mention_count; k++) {
        if (p->mentions[k].from == from && p->mentions[k].to == to)
            p->mentions[k].negated = true;
    }
}

/* Words that may stand between a name and its negation. */
static bool is_filler(const struct ag_parse *p, size_t i)
{
    const struct ag_tokens *t = p->tokens;

    return ag_is(t, i, AG_C_LOG) || ag_is(t, i, AG_C_PARTICLE) || ag_is(t, i, AG_C_SERVICE_WORD) || ag_is(t, i, AG_C_FIELD) ||
           ag_is(t, i, AG_C_THING) || ag_is(t, i, AG_C_NOISE) || ag_is(t, i, AG_C_PREPOSITION) || ag_is(t, i, AG_C_REQUEST) ||
           ag_is(t, i, AG_C_ENDING) || ag_is(t, i, AG_C_VERB);
}

/* Korean: what stands before, and what is joined to that. */
static bool negate_before(struct ag_parse *p, size_t at)
{
    bool any = false;
    size_t end = at;

    for (;;) {
        const struct ag_mention *m;
        size_t start;
        while (!(m = ending_at(p, end)) && end > 0 && (is_filler(p, end - 1) || joins_list(p, end - 1)) &&
               !(any && !joins_list(p, end - 1) && !is_filler(p, end - 1)))
            end--;
        if (!m)
            return any;
        start = m->from;
        negate(p, m->from, m->to);
        ag_consume(p->tokens, m->to, at, "not");
        any = true;
        if (start == 0 || !joins_list(p, start - 1))
            return true;
        end = start;
    }
}

/* English: what stands behind, and what is joined to that. */
static bool negate_after(struct ag_parse *p, size_t at)
{
    bool any = false;
    size_t start = at + 1;

    for (;;) {
        const struct ag_mention *m;
        while (!(m = starting_at(p, start)) && start < p->tokens->count && is_filler(p, start))
            start++;
        if (!m)
            return any;
        negate(p, m->from, m->to);
        any = true;
        start = m->to;
        while (m && start < p->tokens->count && (is_filler(p, start) && !starting_at(p, start) && !ag_is(p->tokens, start, AG_C_PREPOSITION)))
            start++;
        if (!joins_list(p, start))
            return true;
        while (joins_list(p, start))
            start++;
        if (!starting_at(p, start))
            return true;
    }
}

static bool negated_field(const struct ag_parse *p, size_t i)
{
    for (size_t k = 0; k < p->mention_count; k++) {
        if (p->mentions[k].negated && field_is(p, i, ag_field_name(p->mentions[k].field)))
            return true;
    }
    return false;
}

void ag_negation_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count; i++) {
        if (!ag_is(t, i, AG_C_NOT))
            continue;
        if (!(ag_is_korean(p, i) ? negate_before(p, i) : negate_after(p, i)))
            continue;
        ag_consume(t, i, i + 1, "not");
        /* 운영이 아닌 환경 */
        if (ag_is_korean(p, i) && ag_is(t, i + 1, AG_C_FIELD) && !ag_is(t, i + 2, AG_C_BY) && negated_field(p, i + 1))
            ag_consume(t, i + 1, i + 2, "not");
    }
}
