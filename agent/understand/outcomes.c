/*
 * Things done, by the events they leave. Where the data has both outcomes of something (login_success and
 * login_failed), a verb means the one that came about (로그인한 사용자, "who signed in"), and a rate of
 * failure or success is that outcome's share of both. Error types by the short names they go by (NPE).
 */
#include "agent/understand/link.h"

#include <string.h>

static const char *const failures[] = {"failed", "failure",  "fail",    "error",
                                       "denied", "rejected", "declined"};
static const char *const successes[] = {"success",  "succeeded", "successful", "completed",
                                        "approved", "done",      "ok"};

static bool says_how_it_ended(const char *root, size_t len)
{
    for (size_t e = 0; e < sizeof failures / sizeof *failures; e++) {
        if (strlen(failures[e]) == len && memcmp(failures[e], root, len) == 0)
            return true;
    }
    for (size_t e = 0; e < sizeof successes / sizeof *successes; e++) {
        if (strlen(successes[e]) == len && memcmp(successes[e], root, len) == 0)
            return true;
    }
    return false;
}

/* Is one of the comma-separated roots a part of the name? */
static bool has_a_root(const struct ag_name *name, const char *roots)
{
    while (roots && *roots) {
        size_t n = strcspn(roots, ",");
        if (!says_how_it_ended(roots, n) && ag_name_has_part(name, roots, n))
            return true;
        roots += n + (roots[n] == ',');
    }
    return false;
}

/* Is the event about what the word says: its own letters, or a root of its meaning? How it ended is not what
 * it is about. */
static bool is_about(const struct ag_parse *p, size_t i, const struct ag_name *name)
{
    const char *roots = ag_reads_value(p, i, AG_C_DOMAIN);
    const char *word = ag_word(p, i);
    size_t len = strlen(word);

    if (says_how_it_ended(word, len))
        return false;
    if (ag_name_has_part(name, word, len) ||
        (len > 3 && word[len - 1] == 's' && ag_name_has_part(name, word, len - 1)))
        return true;
    return has_a_root(name, roots);
}

/* The one event of what token `i` says that ended in one of `ends`, or NULL. */
static const struct ag_name *event_that(const struct ag_parse *p, size_t i, const char *const *ends, size_t n)
{
    const struct ag_name *found = NULL;

    for (size_t k = 0; k < ag_catalogue_count(p->catalogue, AG_KIND_EVENT_TYPE); k++) {
        const struct ag_name *name = ag_catalogue_at(p->catalogue, AG_KIND_EVENT_TYPE, k);
        bool ended = false;
        for (size_t e = 0; e < n; e++)
            ended = ended || ag_name_has_part(name, ends[e], strlen(ends[e]));
        if (!ended || !is_about(p, i, name))
            continue;
        if (found)
            return NULL;
        found = name;
    }
    return found;
}

static bool says_error_only(const char *rest)
{
    return strcmp(rest, "error") == 0 || strcmp(rest, "exception") == 0;
}

const struct ag_name *ag_event_failed(const struct ag_parse *p, size_t i)
{
    return event_that(p, i, failures, sizeof failures / sizeof *failures);
}

const struct ag_name *ag_event_succeeded(const struct ag_parse *p, size_t i)
{
    return event_that(p, i, successes, sizeof successes / sizeof *successes);
}

const struct ag_name *ag_event_attempted(const struct ag_parse *p, size_t i)
{
    static const char *const words[] = {"attempt", "attempted", "tried", "try"};

    return event_that(p, i, words, sizeof words / sizeof *words);
}

static bool may_be_done(const struct ag_parse *p, size_t i)
{
    return i < p->tokens->count && !p->tokens->items[i].rule && ag_is(p->tokens, i, AG_C_DOMAIN);
}

static void add_event(struct ag_parse *p, size_t from, size_t to, const struct ag_name *name)
{
    ag_mention_add(p, from, to, AG_EVENT_TYPE, NULL, AG_IN, ag_keep(p, name->value, strlen(name->value)),
                   "outcome");
}

/* Is the name about just what another one is about, and ended otherwise: login_failed beside login_success?
 */
static bool is_other_outcome(const struct ag_name *name, const struct ag_name *of)
{
    bool shares = false;

    if (name == of)
        return false;
    for (const char *c = of->parts + 1; *c; c = strchr(c, ' ') + 1) {
        size_t n = strcspn(c, " ");
        if (says_how_it_ended(c, n))
            continue;
        if (!ag_name_has_part(name, c, n))
            return false;
        shares = true;
    }
    return shares;
}

/* 로그인 성공이랑 실패, "failed and successful logins": the outcome listed beside an event is the other one
 * of the same. */
static void sibling_rule(struct ag_parse *p, size_t k)
{
    const struct ag_mention m = p->mentions[k];
    const struct ag_name *of;
    const struct ag_name *found = NULL;
    size_t at = m.to;
    bool fails;

    if (m.field != AG_EVENT_TYPE || ag_catalogue_find(p->catalogue, m.value, strlen(m.value), &of, 1) == 0)
        return;
    while (ag_joins_list(p, at) || ag_is(p->tokens, at, AG_C_COMPARE))
        at++;
    if (at == m.to && m.from > 1 &&
        (ag_joins_list(p, m.from - 1) || ag_is(p->tokens, m.from - 1, AG_C_COMPARE)))
        at = m.from - 2;
    else if (at == m.to)
        return;
    fails = ag_is(p->tokens, at, AG_C_FAIL);
    if (!fails && !(ag_is(p->tokens, at, AG_C_DOMAIN) &&
                    strncmp(ag_value(p->tokens, at, AG_C_DOMAIN), "success", 7) == 0))
        return;
    for (size_t n = 0; n < ag_catalogue_count(p->catalogue, AG_KIND_EVENT_TYPE); n++) {
        const struct ag_name *name = ag_catalogue_at(p->catalogue, AG_KIND_EVENT_TYPE, n);
        const char *const *ends = fails ? failures : successes;
        size_t end_count = fails ? sizeof failures / sizeof *failures : sizeof successes / sizeof *successes;
        bool ended = false;
        for (size_t e = 0; e < end_count; e++)
            ended = ended || ag_name_has_part(name, ends[e], strlen(ends[e]));
        if (!ended || !is_other_outcome(name, of))
            continue;
        if (found)
            return;
        found = name;
    }
    if (found)
        add_event(p, at, at + 1, found);
}

/* NPE, OOM: an error type's whole name but for its "Error". */
static void error_called(struct ag_parse *p, size_t i)
{
    const char *root = ag_value(p->tokens, i, AG_C_DOMAIN);
    const struct ag_name *found = NULL;
    size_t len = root ? strcspn(root, ",") : 0;

    if (len < 6 || root[len] == ',')
        return;
    for (size_t k = 0; k < ag_catalogue_count(p->catalogue, AG_KIND_ERROR_TYPE); k++) {
        const struct ag_name *name = ag_catalogue_at(p->catalogue, AG_KIND_ERROR_TYPE, k);
        const char *rest = name->folded + len;
        if (strncmp(name->folded, root, len) != 0 || !says_error_only(rest))
            continue;
        if (found)
            return;
        found = name;
    }
    if (!found)
        return;
    ag_mention_add(p, i, i + 1, AG_ERROR_TYPE, NULL, AG_IN, ag_keep(p, found->value, strlen(found->value)),
                   "error called");
    ag_assume(p, "linked_name", ag_sayf(p, "\"%s\"은(는) %s(으)로 보았습니다.", ag_word(p, i), found->value),
              ag_sayf(p, "\"%s\" is taken to be %s.", ag_word(p, i), found->value));
}

/* 로그인 실패율, "login failure rate", "success rate of logins". */
static void rate_rule(struct ag_parse *p, size_t i)
{
    const struct ag_name *good;
    const struct ag_name *bad;
    bool fails = ag_is(p->tokens, i, AG_C_FAIL_RATE);
    size_t what = i > 0 ? ag_before(p, i) : SIZE_MAX;

    if (!may_be_done(p, what)) {
        what = ag_after(p, i);
        while (ag_is(p->tokens, what, AG_C_PREPOSITION) && !ag_is_korean(p, what))
            what = ag_after(p, what);
    }
    if (!may_be_done(p, what))
        return;
    good = ag_event_succeeded(p, what);
    bad = ag_event_failed(p, what);
    if (!good || !bad)
        return;
    add_event(p, what, what + 1, good);
    add_event(p, what, what + 1, bad);
    p->outcome_share = ag_keep(p, fails ? bad->value : good->value, strlen(fails ? bad->value : good->value));
    ag_consume(p->tokens, i, i + 1, "outcome rate");
    ag_assume(p, "outcome_share",
              ag_sayf(p, "%s와(과) %s 가운데 %s의 비율입니다.", good->value, bad->value, p->outcome_share),
              ag_sayf(p, "The share of %s among %s and %s.", p->outcome_share, good->value, bad->value));
}

/* 로그인 5번 이상 실패한, "failed to log in": an outcome with something consumed between it and what it is
 * of. */
static void apart_rule(struct ag_parse *p, size_t i)
{
    const struct ag_tokens *t = p->tokens;
    const struct ag_name *event;
    size_t at = i;

    if (!may_be_done(p, i))
        return;
    if (ag_is_korean(p, i)) {
        for (at = i + 1; at < t->count && (t->items[at].rule || ag_is(t, at, AG_C_PARTICLE)); at++) {}
        if (at == i + 1)
            return;
    } else {
        at = i > 0 && strncmp(ag_word(p, i), "to ", 3) == 0 ? ag_before(p, i) : SIZE_MAX;
    }
    if (!ag_is(t, at, AG_C_FAIL) || !(event = ag_event_failed(p, i)))
        return;
    ag_consume(p->tokens, at, at + 1, "outcome");
    add_event(p, i, i + 1, event);
    ag_assume(p, "done_event",
              ag_sayf(p, "\"%s\"은(는) %s 이벤트로 보았습니다.", ag_word(p, i), event->value),
              ag_sayf(p, "\"%s\" is taken to be the event %s.", ag_word(p, i), event->value));
}

/* 로그인한, 로그인했던; "signed in" */
bool ag_is_done(const struct ag_parse *p, size_t i)
{
    static const char *const endings[] = {"한", "했", "하는", "하던", "할", "하고", "하면서"};

    if (!ag_is_korean(p, i))
        return strcmp(ag_word(p, i), "signed in") == 0;
    /* 로그인 몇 번 했어 */
    if (ag_reads(p, i + 1, AG_C_COUNT) && strncmp(ag_word(p, i + 2), "했", strlen("했")) == 0)
        return true;
    /* 로그인 했어, 로그인을 했나 */
    if (strncmp(ag_word(p, ag_after(p, i)), "했", strlen("했")) == 0)
        return true;
    if (i + 1 >= p->tokens->count || !p->tokens->items[i + 1].glued || !ag_reads(p, i + 1, AG_C_ENDING))
        return false;
    for (size_t k = 0; k < sizeof endings / sizeof *endings; k++) {
        if (strncmp(ag_word(p, i + 1), endings[k], strlen(endings[k])) == 0)
            return strcmp(ag_word(p, i + 1), "하고") != 0 || !ag_reads(p, i + 1, AG_C_PARTICLE);
    }
    return false;
}

/* "signed in users" are there already; "users who signed in" did so. */
static bool describes(const struct ag_parse *p, size_t i)
{
    return !ag_is_korean(p, i) && ag_reads(p, i + 1, AG_C_FIELD);
}

/* Is what the "in" behind token `i` leads to a noun: "logged in the last hour"? */
static bool in_leads_on(const struct ag_parse *p, size_t i)
{
    static const char *const words[] = {"the",  "our",   "a",   "an",   "this", "that",
                                        "each", "every", "all", "past", "last"};

    return ag_says(p, i + 2, words, sizeof words / sizeof *words);
}

/* Does token `i` pick one of what was done: the last, the first, the latest? */
static bool is_one_of_several(const struct ag_parse *p, size_t i)
{
    return ag_reads(p, i, AG_C_FINAL) || ag_reads(p, i, AG_C_LAST) || ag_reads(p, i, AG_C_FIRST) ||
           ag_reads(p, i, AG_C_NEWEST);
}

/* "when did u1001 last log in"; "u1001 logs in payment" are records of theirs. */
static bool is_asked_with_did(const struct ag_parse *p, size_t who)
{
    const char *word = who > 0 ? ag_word(p, who - 1) : "";
    size_t len = strlen(word);

    return len >= 3 && strcmp(word + len - 3, "did") == 0;
}

/* "what did u1077 log in payment": what, and no signing in. */
static bool asks_what_they_did(const struct ag_parse *p, size_t who)
{
    size_t did = who > 0 ? who - 1 : 0;

    return strcmp(ag_word(p, did), "what did") == 0 ||
           (did > 0 && strcmp(ag_word(p, did), "did") == 0 && strcmp(ag_word(p, did - 1), "what") == 0);
}

/* "who logged in today", "users that have logged in", "did u1077 log out": of people. */
static bool signs(const struct ag_parse *p, size_t i, const char *way)
{
    static const char *const forms[] = {"logged", "logs", "log", "logging"};
    size_t who = i;

    if (!ag_says(p, i, forms, sizeof forms / sizeof *forms) || strcmp(ag_word(p, i + 1), way) != 0)
        return false;
    while (who-- > 0) {
        const char *which = ag_reads_value(p, who, AG_C_WHICH);
        const struct ag_mention *m = ag_mention_ending(p, who + 1);
        if (m && m->field == AG_USER_ID)
            return (strcmp(ag_word(p, i), "logged") == 0 || is_asked_with_did(p, m->from)) &&
                   !asks_what_they_did(p, m->from);
        if (ag_names_field(p, who, "user_id") || ag_reads(p, who, AG_C_COUNT_PEOPLE) ||
            (which && strcmp(which, "user_id") == 0))
            return true;
        if (!ag_reads(p, who, AG_C_NOISE) && !ag_reads(p, who, AG_C_IS) && !ag_reads(p, who, AG_C_VERB) &&
            !ag_reads(p, who, AG_C_PRONOUN) && !is_one_of_several(p, who) &&
            strcmp(ag_word(p, who), "successfully") != 0)
            return false;
    }
    return false;
}

static bool came_about(const struct ag_name *name)
{
    for (size_t e = 0; e < sizeof successes / sizeof *successes; e++) {
        if (ag_name_has_part(name, successes[e], strlen(successes[e])))
            return true;
    }
    return false;
}

/* The one event about one of these roots, of those that came about where that is asked; NULL for none or
 * several. */
static const struct ag_name *only_event(const struct ag_parse *p, const char *roots, bool good)
{
    const struct ag_name *found = NULL;

    for (size_t k = 0; k < ag_catalogue_count(p->catalogue, AG_KIND_EVENT_TYPE); k++) {
        const struct ag_name *name = ag_catalogue_at(p->catalogue, AG_KIND_EVENT_TYPE, k);
        if (!has_a_root(name, roots) || (good && !came_about(name)))
            continue;
        if (found)
            return NULL;
        found = name;
    }
    return found;
}

/* "did u1077 log out": the one event of leaving, or it is not clear what is meant. */
static void signed_out_rule(struct ag_parse *p, size_t i)
{
    const struct ag_name *found;

    if (!signs(p, i, "out"))
        return;
    found = only_event(p, "logout,signout,logoff", false);
    if (!found) {
        ag_stop(p, AG_NOT_UNDERSTOOD, "There is no one event of logging out.",
                "For example \"events of user u1077 today\".");
        return;
    }
    add_event(p, i, i + 2, found);
    ag_assume(p, "done_event", "", ag_sayf(p, "\"log out\" is taken to be the event %s.", found->value));
}

static void signed_in_rule(struct ag_parse *p, size_t i)
{
    const struct ag_name *found;

    if (!signs(p, i, "in"))
        return;
    found = only_event(p, "login,signin,logon", true);
    /* "users logged in the last hour" may be either. */
    if (!found || in_leads_on(p, i) ||
        (strcmp(ag_word(p, i + 2), "and") == 0 && strcmp(ag_word(p, i + 3), "out") == 0)) {
        ag_stop(p, AG_NOT_UNDERSTOOD, "It is not clear whether those are meant who logged in.",
                "For example \"users who signed in today\" or \"distinct users today\".");
        return;
    }
    add_event(p, i - (i > 0 && strcmp(ag_word(p, i - 1), "successfully") == 0),
              i + 2 + (strcmp(ag_word(p, i + 2), "successfully") == 0), found);
    ag_assume(p, "done_event", "", ag_sayf(p, "\"logged in\" is taken to be the event %s.", found->value));
}

/* 마지막 로그인 언제, "when was the last login": one of the times it was done, which is no record of a
 * service that deals in it. */
static bool is_one_done(const struct ag_parse *p, size_t i)
{
    size_t before = i > 0 ? ag_before(p, i) : SIZE_MAX;
    size_t next = ag_after(p, i);

    return may_be_done(p, i) && !ag_reads(p, i, AG_C_EVENT_ANCHOR) && before != SIZE_MAX &&
           is_one_of_several(p, before) &&
           (next >= p->tokens->count || ag_reads(p, next, AG_C_WHEN) || ag_reads(p, next, AG_C_STOP) ||
            ag_reads(p, next, AG_C_ENDING) || ag_reads(p, next, AG_C_PREPOSITION) ||
            ag_reads(p, next, AG_C_SHOW) || p->tokens->items[next].rule);
}

static void one_done_rule(struct ag_parse *p, size_t i)
{
    const struct ag_name *good = is_one_done(p, i) ? ag_event_succeeded(p, i) : NULL;
    bool when = false;

    for (size_t k = 0; k < p->tokens->count; k++)
        when = when || ag_is(p->tokens, k, AG_C_WHEN);
    if (!is_one_done(p, i) || (!good && !when))
        return;
    if (!good) {
        ag_stop(p, AG_NOT_UNDERSTOOD,
                p->language == AG_KO
                    ? ag_sayf(p, "\"%s\"이(가) 어느 이벤트인지 알 수 없습니다.", ag_word(p, i))
                    : ag_sayf(p, "It is not clear which event \"%s\" is.", ag_word(p, i)),
                ag_say(p, "예: \"결제 서비스 마지막 로그 언제야?\"",
                       "For example \"when was the last log of payment-service?\""));
        return;
    }
    add_event(p, i, i + 1, good);
    ag_assume(p, "done_event", ag_sayf(p, "\"%s\"은(는) %s 이벤트로 보았습니다.", ag_word(p, i), good->value),
              ag_sayf(p, "\"%s\" is taken to be the event %s.", ag_word(p, i), good->value));
}

void ag_outcomes_rule(struct ag_parse *p)
{
    size_t mentions = p->mention_count;

    for (size_t i = 0; i < p->tokens->count && !p->stopped; i++)
        signed_in_rule(p, i);
    for (size_t i = 0; i < p->tokens->count && !p->stopped; i++)
        signed_out_rule(p, i);
    for (size_t k = 0; k < mentions; k++)
        sibling_rule(p, k);
    for (size_t i = 0; i < p->tokens->count; i++)
        error_called(p, i);
    for (size_t i = 0; i < p->tokens->count; i++) {
        const struct ag_name *good;
        apart_rule(p, i);
        one_done_rule(p, i);
        if (ag_is(p->tokens, i, AG_C_FAIL_RATE) || ag_is(p->tokens, i, AG_C_OK_RATE)) {
            rate_rule(p, i);
        } else if (may_be_done(p, i) && ag_is_done(p, i) && !describes(p, i) &&
                   (good = ag_event_succeeded(p, i)) != NULL) {
            add_event(p, i, i + 1, good);
            ag_assume(p, "done_event",
                      ag_sayf(p, "\"%s\"은(는) %s 이벤트로 보았습니다.", ag_word(p, i), good->value),
                      ag_sayf(p, "\"%s\" is taken to be the event %s.", ag_word(p, i), good->value));
        }
    }
}
