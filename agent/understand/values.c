/*
 * Conditions with values of their own: users, traces, codes, tags, addresses, paths, browsers.
 */
#include "agent/understand/parse.h"

#include <ctype.h>
#include <string.h>

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
    return ag_is(t, i, AG_C_NUMBER) && isdigit((unsigned char)ag_word(p, i)[0]) &&
           !ag_is(t, i + 1, AG_C_COUNTER) && !ag_is(t, i + 1, AG_C_UNIT) && !ag_is(t, i + 1, AG_C_OCLOCK) &&
           !ag_is(t, i + 1, AG_C_PERCENT);
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
           strcmp(ag_word(p, i), "id") == 0 || strcmp(ag_word(p, i), "named") == 0 ||
           strcmp(ag_word(p, i), "called") == 0 || strcmp(ag_word(p, i), "with") == 0)
        i++;
    return i;
}

/* "users with retries", 유저의 timeout 로그: a plain word behind those is what they had, no name of theirs.
 */
static bool is_plain_word(const struct ag_parse *p, size_t link, size_t at)
{
    bool names = false;

    for (size_t i = link; i < at; i++)
        names = names || !(ag_is(p->tokens, i, AG_C_PARTICLE) || strcmp(ag_word(p, i), "with") == 0);
    return !names && ag_is(p->tokens, at, AG_C_WORD) && !strpbrk(ag_word(p, at), "0123456789") &&
           strcmp(ag_word(p, at + 1), "인") != 0;
}

static bool takes_value(enum ag_field field)
{
    return field == AG_USER_ID || field == AG_SESSION_ID || field == AG_TRACE_ID || field == AG_SPAN_ID ||
           field == AG_ERROR_CODE || field == AG_TAG || field == AG_BROWSER || field == AG_DEVICE;
}

/* Whose id a word is by its first letters: u1234, user-77, s-9. AG_NO_FIELD: it does not say. */
static enum ag_field id_by_letters(const char *word)
{
    static const struct {
        const char *prefix;
        enum ag_field field;
    } kinds[] = {{"u", AG_USER_ID},          {"user-", AG_USER_ID}, {"user_", AG_USER_ID},
                 {"user", AG_USER_ID},       {"s-", AG_SESSION_ID}, {"sess-", AG_SESSION_ID},
                 {"session-", AG_SESSION_ID}};

    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        size_t n = strlen(kinds[k].prefix);
        if (strncmp(word, kinds[k].prefix, n) == 0 && strlen(word) >= n + 3 &&
            word[n + strspn(word + n, "0123456789")] == '\0')
            return kinds[k].field;
    }
    return AG_NO_FIELD;
}

/* u1001 세션: the sessions of that user, where token `i` names them. */
static bool is_of_another(const struct ag_parse *p, size_t id, size_t i)
{
    const char *name = ag_reads_value(p, i, AG_C_FIELD);
    enum ag_field field = name ? ag_field_named(name) : AG_NO_FIELD;
    const struct ag_sample *met[2];
    bool users = id_by_letters(ag_word(p, id)) == AG_USER_ID ||
                 (ag_samples_find(ag_catalogue_samples(p->catalogue), ag_word(p, id), met, 2) == 1 &&
                  met[0]->field == AG_USER_ID);

    return users && (field == AG_SESSION_ID || field == AG_TRACE_ID);
}

/* "kr-1 users", kr-1 유저: a value of the metadata, and so whose they are; no id of theirs. */
static bool is_met_in_metadata(const struct ag_parse *p, size_t i)
{
    const struct ag_sample *met[8];
    size_t n = ag_samples_find(ag_catalogue_samples(p->catalogue), ag_word(p, i), met, 8);
    bool metadata = false;

    for (size_t k = 0; k < n && k < 8; k++) {
        if (met[k]->field == AG_USER_ID || met[k]->field == AG_SESSION_ID)
            return false;
        metadata = metadata || (met[k]->field == AG_METADATA && met[k]->value);
    }
    return metadata;
}

static void id_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count; i++) {
        const char *name = ag_value(t, i, AG_C_FIELD);
        enum ag_field field = name ? ag_field_named(name) : AG_NO_FIELD;
        size_t at = past_link(p, i + 1);
        size_t before = i > 0 ? i - 1 : SIZE_MAX;
        if (!takes_value(field) || ag_is(t, i + 1, AG_C_BY))
            continue;
        if (i > 0 && ag_is(t, ag_before(p, i), AG_C_BY_BEFORE))
            continue;
        if (is_value(p, at) && t->items[at].name_count == 0 && !is_plain_word(p, i + 1, at) &&
            (at > i + 1 || !ag_is(t, at, AG_C_WORD) || strpbrk(t->items[at].text, "0123456789"))) {
            ag_mention_add(p, i, at + 1, field, NULL, AG_IN, value_text(p, at), "identifier");
            if (strcmp(ag_word(p, at + 1), "인") == 0)
                ag_consume(t, at + 1, at + 2, "identifier");
        } else if (before != SIZE_MAX && ag_is(t, before, AG_C_WORD) && t->items[before].name_count == 0 &&
                   strpbrk(t->items[before].text, "0123456789") && !is_of_another(p, before, i) &&
                   !is_met_in_metadata(p, before)) {
            /* u1234 사용자 */
            ag_mention_add(p, before, i + 1, field, NULL, AG_IN, value_text(p, before), "identifier");
        }
    }
}

/* pt20417, m-50012: letters and at least four digits. */
static bool is_numbered(const char *word)
{
    size_t letters = strspn(word, "abcdefghijklmnopqrstuvwxyz");
    size_t at = letters + (word[letters] == '-' || word[letters] == '_');
    size_t digits = strspn(word + at, "0123456789");

    return letters > 0 && letters <= 8 && digits >= 4 && word[at + digits] == '\0';
}

/* pt20417 님, pt20417's, "what did pt20417 do", pt20417 뭐 했는지: what is spoken of as a person. */
static bool is_a_person(struct ag_parse *p, size_t i, size_t *to)
{
    struct ag_tokens *t = p->tokens;
    const char *next = ag_word(p, i + 1);

    *to = i + 1;
    if (strcmp(next, "님") == 0 || strcmp(next, "씨") == 0 || strcmp(next, "'s") == 0) {
        *to = i + 2;
        return true;
    }
    if (i > 0 && strcmp(next, "do") == 0 &&
        (strcmp(ag_word(p, i - 1), "did") == 0 || strcmp(ag_word(p, i - 1), "what did") == 0)) {
        *to = i + 2;
        return true;
    }
    /* "when was pt20417 last seen", "what was pt20417 doing" */
    if (i > 0 &&
        (strcmp(ag_word(p, i - 1), "was") == 0 || strcmp(ag_word(p, i - 1), "is") == 0 ||
         strcmp(ag_word(p, i - 1), "when was") == 0 || strcmp(ag_word(p, i - 1), "what was") == 0 ||
         strcmp(ag_word(p, i - 1), "what is") == 0) &&
        (strncmp(next, "last seen", 9) == 0 || strncmp(next, "last active", 11) == 0 ||
         strcmp(next, "doing") == 0 ||
         (strcmp(next, "last") == 0 && strcmp(ag_word(p, i + 2), "active") == 0)))
        return true;
    for (size_t k = i + 1; k < t->count; k++) {
        const char *what = ag_word(p, k);
        bool asks =
            strncmp(what, "뭐", 3) == 0 || strncmp(what, "뭘", 3) == 0 || strncmp(what, "무엇", 6) == 0;
        size_t verb = k + 1 + ag_reads(p, k + 1, AG_C_PARTICLE);
        if (asks && (strstr(what, "했") || strncmp(ag_word(p, verb), "했", 3) == 0))
            return true;
    }
    return false;
}

/* A number with letters that nobody catalogues, spoken of as a person. */
static bool person_rule(struct ag_parse *p, size_t i)
{
    size_t to;

    if (!is_numbered(ag_word(p, i)) || !is_a_person(p, i, &to))
        return false;
    ag_mention_add(p, i, to, AG_USER_ID, NULL, AG_IN, value_text(p, i), "person");
    ag_assume(p, "bare_identifier", ag_sayf(p, "\"%s\"은(는) 사용자로 보았습니다.", ag_word(p, i)),
              ag_sayf(p, "\"%s\" is taken to be a user.", ag_word(p, i)));
    return true;
}

/* u1234, user-77: nobody says what it is because its letter does. */
static void bare_id_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count; i++) {
        const char *word = ag_word(p, i);
        size_t before = i > 0 ? ag_before(p, i) : SIZE_MAX;
        enum ag_field field;
        if (!ag_is(t, i, AG_C_WORD) || t->items[i].name_count > 0)
            continue;
        /* Said beside a field or key, it is that one's value. */
        if (before != SIZE_MAX && (ag_reads(p, before, AG_C_FIELD) || ag_reads(p, before, AG_C_DOMAIN) ||
                                   ag_reads(p, before, AG_C_EQUALS) || ag_reads(p, before, AG_C_CONTAINS) ||
                                   t->items[before].name_count > 0))
            continue;
        if (((ag_reads(p, i + 1, AG_C_FIELD) || ag_reads(p, i + 1, AG_C_DOMAIN)) &&
             !is_of_another(p, i, i + 1)) ||
            person_rule(p, i))
            continue;
        field = id_by_letters(word);
        if (field == AG_NO_FIELD)
            continue;
        ag_mention_add(p, i, i + 1, field, NULL, AG_IN, value_text(p, i), "bare identifier");
        ag_assume(p, "bare_identifier",
                  ag_sayf(p, "\"%s\"은(는) %s로 보았습니다.", word, field == AG_USER_ID ? "사용자" : "세션"),
                  ag_sayf(p, "\"%s\" is taken to be a %s.", word, field == AG_USER_ID ? "user" : "session"));
    }
}

/* Page views are records of a page. */
static void page_view_rule(struct ag_parse *p)
{
    for (size_t i = 0; i < p->tokens->count; i++) {
        if (!ag_is(p->tokens, i, AG_C_PAGE_VIEW))
            continue;
        ag_mention_add(p, i, i + 1, AG_PAGE_PATH, NULL, AG_NOT_NULL, NULL, "page views");
        p->said[AG_C_COUNT] = i + 1;
    }
}

/* 태그 canary 붙은: the word that says a tag hangs on it. */
static bool hangs_on(const struct ag_parse *p, size_t i)
{
    static const char *const words[] = {"붙은", "붙어", "달린", "달려", "가진", "있는"};

    i += ag_reads(p, i, AG_C_PARTICLE);
    return ag_says(p, i, words, sizeof words / sizeof *words);
}

/* "tagged with "security" or "audit"": either. Both, or one without the other, a single condition does not
 * say. */
static void further_tag(struct ag_parse *p, size_t at)
{
    size_t next = at;

    while (ag_joins_list(p, next) || ag_is(p->tokens, next, AG_C_NOT))
        next++;
    if (next == at || !ag_is(p->tokens, next, AG_C_QUOTED))
        return;
    if (next == at + 1 && ag_is(p->tokens, at, AG_C_OR))
        ag_mention_add(p, next, next + 1, AG_TAG, NULL, AG_IN, value_text(p, next), "tag");
    else
        ag_stop(p, AG_NOT_UNDERSTOOD,
                ag_say(p, "태그 여럿을 함께 가진 기록은 아직 찾지 못합니다.",
                       "Records with several tags at once cannot be asked for yet."),
                NULL);
}

/* "with the vip tag", "carrying a canary tag" */
static bool carries(const struct ag_parse *p, size_t i)
{
    static const char *const articles[] = {"the", "a", "an"};

    return ag_says(p, i, articles, sizeof articles / sizeof *articles) || ag_reads(p, i, AG_C_PREPOSITION);
}

/* "tagged with security", 태그가 canary인, canary 태그: a tag may be any word. */
static void tag_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count; i++) {
        bool tagged = ag_is(t, i, AG_C_TAGGED);
        bool field = ag_names_field(p, i, "tag") && !t->items[i].rule;
        size_t at = past_link(p, i + 1);
        size_t value = SIZE_MAX;
        if ((!tagged && !field) || ag_names_field(p, i + 1, "category") || ag_is(t, i + 1, AG_C_BY))
            continue;
        if (i > 0 && (ag_is(t, i - 1, AG_C_BY_BEFORE) || ag_is(t, i - 1, AG_C_WHICH)))
            continue;
        if (tagged && i > 1 && ag_is(t, i - 1, AG_C_DASH) && t->items[i].glued && t->items[i - 1].glued) {
            value = i - 2;
            ag_consume(t, i - 1, i, "tag");
        } else if (tagged && ag_is_korean(p, i))
            value = ag_before(p, i);
        else if (at < t->count && !t->items[at].rule && (tagged || at > i + 1 || ag_is(t, at, AG_C_QUOTED)))
            value = at;
        else if (field && at == i + 1 && at < t->count && !t->items[at].rule && hangs_on(p, at + 1)) {
            value = at;
            ag_consume(t, at + 1, at + 2 + ag_reads(p, at + 1, AG_C_PARTICLE), "tag");
        } else if (field && ag_is_korean(p, i) && i > 0 && !t->items[i - 1].rule &&
                   (unsigned char)ag_word(p, i - 1)[0] < 0x80)
            value = i - 1;
        else if (field && !ag_is_korean(p, i) && i > 1 &&
                 (ag_is(t, i - 1, AG_C_WORD) || ag_is(t, i - 1, AG_C_DOMAIN)) && carries(p, i - 2))
            value = i - 1;
        if (value == SIZE_MAX || t->items[value].rule || ag_is(t, value, AG_C_STOP) ||
            ag_is(t, value, AG_C_PREPOSITION))
            continue;
        {
            size_t from = value < i ? value : i;
            size_t to = value < i ? i + 1 : value + 1;
            ag_mention_add(p, from, to, AG_TAG, NULL, AG_IN, value_text(p, value), "tag");
            if (strcmp(ag_word(p, to), "인") == 0 || ag_is(t, to, AG_C_TAGGED))
                ag_consume(t, to, to + 1, "tag");
            further_tag(p, to);
        }
    }
}

static bool about_pages(const struct ag_parse *p)
{
    for (size_t i = 0; i < p->tokens->count; i++) {
        if (ag_reads(p, i, AG_C_PAGE_LOAD) || ag_names_field(p, i, "page_path") ||
            strncmp(ag_word(p, i), "visit", 5) == 0 || strncmp(ag_word(p, i), "방문", strlen("방문")) == 0)
            return true;
    }
    return false;
}

static void unknown_path(struct ag_parse *p, size_t i)
{
    const struct ag_name *near[AG_MAX_SUGGESTIONS];
    size_t n = ag_catalogue_nearest(p->catalogue, AG_KIND_ENDPOINT, ag_word(p, i), strlen(ag_word(p, i)),
                                    near, AG_MAX_SUGGESTIONS);

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
        if (i > 0 && !page && ag_names_field(p, i - 1, "endpoint") && !t->items[i - 1].rule)
            start = i - 1;
        else if (i > 1 && !page && ag_is(t, i - 1, AG_C_EQUALS) && ag_names_field(p, i - 2, "endpoint") &&
                 !t->items[i - 2].rule)
            start = i - 2;
        if (!page && ag_names_field(p, end, "endpoint") && !t->items[end].rule && !ag_is(t, end + 1, AG_C_BY))
            end++;
        if (page && !name) {
            if (ag_names_field(p, end, "page_path") && !t->items[end].rule)
                end++;
            ag_mention_add(p, start, end, AG_PAGE_PATH, NULL, AG_IN, value_text(p, i), "path");
        } else if (name) {
            ag_mention_add(p, start, end, AG_ENDPOINT, NULL, AG_IN,
                           ag_keep(p, name->value, strlen(name->value)), "path");
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

/* A question all in capitals tells no GET from a get. */
static bool shouts(struct ag_parse *p)
{
    const char *typed = ag_text_typed(&p->text, 0, p->text.len, p->arena);

    for (; typed && *typed; typed++) {
        if (islower((unsigned char)*typed) || (unsigned char)*typed >= 0x80)
            return false;
    }
    return true;
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
        bool method; /* delete 요청, put 메서드: only English begins with a verb */
        if (!value)
            continue;
        method =
            p->language == AG_KO && (ag_is(t, i + 1, AG_C_REQUEST) || ag_names_field(p, i + 1, "method"));
        if (method || ag_reads(p, i + 1, AG_C_PATH) || (is_upper(p, i) && !shouts(p)) ||
            (is_upper(p, i) && (ag_is(t, i + 1, AG_C_REQUEST) || ag_names_field(p, i + 1, "method") ||
                                ag_names_field(p, i + 1, "endpoint") || ag_is(t, i + 1, AG_C_ERROR))) ||
            (i > 0 && ag_names_field(p, i - 1, "method") && is_upper(p, i)) ||
            (i > 1 && ag_is(t, i - 1, AG_C_EQUALS) && ag_names_field(p, i - 2, "method"))) {
            bool before = i > 0 && ag_names_field(p, i - 1, "method") && !t->items[i - 1].rule;
            bool after = ag_names_field(p, i + 1, "method") && !t->items[i + 1].rule;
            size_t equals =
                i > 1 && ag_is(t, i - 1, AG_C_EQUALS) && ag_names_field(p, i - 2, "method") ? i - 2 : i;
            ag_mention_add(p, before ? i - 1 : equals, after ? i + 2 : i + 1, AG_METHOD, NULL, AG_IN, value,
                           "method");
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
            if (before != SIZE_MAX && ag_names_field(p, before, "client_ip") && !t->items[before].rule)
                start = before;
            ag_mention_add(p, start, i + 1, AG_CLIENT_IP, NULL, AG_IN, value_text(p, i), "address");
            if (ag_names_field(p, i + 1, "client_ip") && !t->items[i + 1].rule)
                ag_consume(t, i + 1, i + 2, "address");
        } else if (ag_is(t, i, AG_C_WORD) && t->items[i].name_count == 0 && is_hex_id(t->items[i].text)) {
            /* 7c9e… 이 트레이스 */
            size_t noun = i + 1 + (strcmp(ag_word(p, i + 1), "이") == 0);
            size_t end = ag_names_field(p, noun, "trace_id") && !t->items[noun].rule ? noun + 1 : i + 1;
            ag_mention_add(p, i, end, AG_TRACE_ID, NULL, AG_IN, value_text(p, i), "trace id");
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
        field = ag_field_named(name);
        if (ag_is(t, end, AG_C_SERVICE_WORD) && !ag_is(t, end + 1, AG_C_BY))
            continue; /* a service's name, not a kind of log */
        named = ag_names_field(p, end, name) && !t->items[end].rule && !ag_is(t, end + 1, AG_C_BY);
        if (named)
            end++;
        if (i > 0 && !named && !t->items[i - 1].rule && ag_names_field(p, i - 1, name)) {
            start = i - 1;
            named = true;
        }
        if (field == AG_CATEGORY && !named && !ag_is(t, end, AG_C_LOG) && !ag_is(t, end, AG_C_COMMA) &&
            !ag_is(t, end, AG_C_AND))
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
    bare_id_rule(p);
    page_view_rule(p);
    address_rule(p);
    path_rule(p);
    value_rule(p);
    health_rule(p);
}
