/*
 * What was tried, however it ended: 로그인 시도, "login attempts", "users who tried to log in". Where the
 * data has both outcomes of it (login_success and login_failed) an attempt is either, one that failed is the
 * one, and the share of those that failed is that of both. What leaves no such events is held back: the
 * records of a service that deals in it are no attempts.
 */
#include "agent/understand/link.h"

#include <string.h>

static bool may_be_tried(const struct ag_parse *p, size_t i)
{
    return i < p->tokens->count && !p->tokens->items[i].rule && ag_is(p->tokens, i, AG_C_DOMAIN);
}

/* What was tried: 로그인 시도, "attempts to log in", "attempts at login"; SIZE_MAX where that is not said. */
static size_t tried_at(const struct ag_parse *p, size_t i)
{
    size_t what = i > 0 ? ag_before(p, i) : SIZE_MAX;
    size_t next = ag_after(p, i);

    if (strncmp(ag_word(p, next), "to ", 3) == 0 && may_be_tried(p, next))
        return next;
    if (what != SIZE_MAX && may_be_tried(p, what))
        return what;
    what = ag_after(p, i);
    while (!ag_is_korean(p, i) && ag_is(p->tokens, what, AG_C_PREPOSITION))
        what = ag_after(p, what);
    return !ag_is_korean(p, i) && may_be_tried(p, what) ? what : SIZE_MAX;
}

static bool says_success(const struct ag_parse *p, size_t i)
{
    const char *roots = ag_value(p->tokens, i, AG_C_DOMAIN);

    return roots && strncmp(roots, "success", strlen("success")) == 0;
}

/* Where it is said behind the attempt how it ended: "attempts today that failed", 시도 중에 실패한; SIZE_MAX:
 * nowhere. */
static size_t ended_at(const struct ag_parse *p, size_t i)
{
    static const enum ag_concept between[] = {AG_C_PARTICLE,    AG_C_NOISE,   AG_C_IS,    AG_C_VERB,
                                              AG_C_PREPOSITION, AG_C_PRONOUN, AG_C_THING, AG_C_ENDING};

    for (size_t at = i + 1; at < p->tokens->count; at++) {
        bool passed = p->tokens->items[at].rule != NULL;
        if (ag_is(p->tokens, at, AG_C_FAIL) || ag_is(p->tokens, at, AG_C_FAIL_RATE) ||
            ag_is(p->tokens, at, AG_C_OK_RATE) || says_success(p, at))
            return at;
        for (size_t k = 0; k < sizeof between / sizeof *between; k++)
            passed = passed || ag_reads(p, at, between[k]);
        if (!passed)
            return SIZE_MAX;
    }
    return SIZE_MAX;
}

/* "that failed" far from the attempt, or a rate of something else. */
static bool says_an_outcome(const struct ag_parse *p)
{
    for (size_t i = 0; i < p->tokens->count; i++) {
        if (ag_is(p->tokens, i, AG_C_FAIL) || ag_is(p->tokens, i, AG_C_FAIL_RATE) ||
            ag_is(p->tokens, i, AG_C_OK_RATE) || says_success(p, i))
            return true;
    }
    return false;
}

/* 결제 시도했다가 에러 난: errors of that service are asked for. */
static bool says_errors(const struct ag_parse *p)
{
    for (size_t i = 0; i < p->tokens->count; i++) {
        if (ag_reads(p, i, AG_C_ERROR) || ag_reads(p, i, AG_C_LEVEL) || ag_reads(p, i, AG_C_STATUS_CLASS) ||
            ag_reads(p, i, AG_C_RATE))
            return true;
    }
    return false;
}

static bool says_a_share(const struct ag_parse *p)
{
    for (size_t i = 0; i < p->tokens->count; i++) {
        if (ag_reads(p, i, AG_C_PERCENT))
            return true;
    }
    return false;
}

static void add(struct ag_parse *p, size_t what, const struct ag_name *name)
{
    ag_mention_add(p, what, what + 1, AG_EVENT_TYPE, NULL, AG_IN,
                   ag_keep(p, name->value, strlen(name->value)), "attempt");
}

static void assume(struct ag_parse *p, size_t what, const struct ag_name *one, const struct ag_name *other)
{
    const char *joined =
        other ? ag_sayf(p, "%s, %s", one->value, other->value) : ag_keep(p, one->value, strlen(one->value));

    ag_assume(p, "attempted_event",
              ag_sayf(p, "\"%s\" 시도는 %s 이벤트로 보았습니다.", ag_word(p, what), joined),
              ag_sayf(p, "Attempts of \"%s\" are taken to be the events %s.", ag_word(p, what), joined));
}

static void ask_event(struct ag_parse *p, size_t what)
{
    ag_stop(p, AG_NOT_UNDERSTOOD,
            p->language == AG_KO
                ? ag_sayf(p, "\"%s\" 시도가 어느 이벤트인지 알 수 없습니다.", ag_word(p, what))
                : ag_sayf(p, "It is not clear which events attempts of \"%s\" are.", ag_word(p, what)),
            ag_say(p, "예: \"결제 서비스 에러 몇 건\", \"결제 서비스 마지막 로그\"",
                   "For example \"errors of payment-service\" or \"last log of payment-service\"."));
}

/* Both outcomes are known. */
static void either(struct ag_parse *p, size_t what, size_t ended, const struct ag_name *good,
                   const struct ag_name *bad)
{
    bool fails =
        ended != SIZE_MAX && (ag_is(p->tokens, ended, AG_C_FAIL) || ag_is(p->tokens, ended, AG_C_FAIL_RATE));
    bool rate = ended != SIZE_MAX &&
                (ag_is(p->tokens, ended, AG_C_FAIL_RATE) || ag_is(p->tokens, ended, AG_C_OK_RATE));
    const struct ag_name *one = fails ? bad : good;

    if (ended != SIZE_MAX) {
        ag_consume(p->tokens, ended, ended + 1, "attempt");
        if (!rate && !says_a_share(p)) {
            add(p, what, one);
            assume(p, what, one, NULL);
            return;
        }
        p->outcome_share = ag_keep(p, one->value, strlen(one->value));
    }
    add(p, what, good);
    add(p, what, bad);
    assume(p, what, good, bad);
}

/* 오늘 시도 몇 건: of what nobody said. 시도했다가 tells only that something was done. */
static bool is_left_open(const struct ag_parse *p, size_t i)
{
    size_t next = ag_after(p, i);

    return ag_is_korean(p, i) && (next == p->tokens->count || ag_reads(p, next, AG_C_COUNT) ||
                                  ag_reads(p, next, AG_C_WHEN) || ag_reads(p, next, AG_C_STOP));
}

static void attempt_rule(struct ag_parse *p, size_t i)
{
    size_t before = i > 0 ? ag_before(p, i) : SIZE_MAX;
    const struct ag_mention *named = before == SIZE_MAX ? NULL : ag_mention_ending(p, before + 1);
    size_t what = tried_at(p, i);
    size_t ended = ended_at(p, i);
    const struct ag_name *itself;
    const struct ag_name *good;
    const struct ag_name *bad;

    if (!ag_is(p->tokens, i, AG_C_ATTEMPT) || p->tokens->items[i].name_count > 0)
        return;
    /* "failed login attempts": the event was spelled already. */
    if (named && named->field == AG_EVENT_TYPE) {
        ag_consume(p->tokens, i, i + 1, "attempt");
        return;
    }
    if (what == SIZE_MAX) {
        if (is_left_open(p, i))
            ag_stop(p, AG_NOT_UNDERSTOOD, "무엇의 시도인지 알 수 없습니다.",
                    "예: \"오늘 로그인 시도 몇 건\"");
        return;
    }
    itself = ag_event_attempted(p, what);
    good = ag_event_succeeded(p, what);
    bad = ag_event_failed(p, what);
    if (good && bad && (ended != SIZE_MAX || !says_an_outcome(p))) {
        ag_consume(p->tokens, i, i + 1, "attempt");
        either(p, what, ended, good, bad);
    } else if (itself && !says_an_outcome(p)) {
        ag_consume(p->tokens, i, i + 1, "attempt");
        add(p, what, itself);
        assume(p, what, itself, NULL);
    } else if (!says_errors(p) && !says_an_outcome(p)) {
        ask_event(p, what);
    }
}

void ag_attempts_rule(struct ag_parse *p)
{
    for (size_t i = 0; i < p->tokens->count && !p->stopped; i++)
        attempt_rule(p, i);
}
