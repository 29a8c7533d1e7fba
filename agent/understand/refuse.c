/*
 * What is not answered: wishes to destroy or to run SQL, wishes about the machine itself, forecasts, and
 * whatever no rule consumed.
 */
#include "agent/understand/parse.h"

#include <string.h>

static void refuse(struct ag_parse *p)
{
    ag_stop(p, AG_REFUSED,
            ag_say(p, "로그를 바꾸거나 지우는 일, SQL 실행은 하지 않습니다. 읽기만 합니다.",
                   "Logs are only read here: nothing is changed or deleted, and no SQL is run."),
            ag_say(p, "예: \"어제 에러 건수\", \"최근 1시간 서비스별 에러\"",
                   "For example \"errors yesterday\" or \"errors by service in the last hour\"."));
}

/* Words of courtesy may stand before a command. */
static bool begins(const struct ag_parse *p, size_t i)
{
    static const char *const asking[] = {"did", "does", "has", "have", "was", "were", "is", "are"};

    for (size_t k = 0; k < i; k++) {
        for (size_t n = 0; n < sizeof asking / sizeof *asking; n++) {
            if (strcmp(ag_word(p, k), asking[n]) == 0)
                return false;
        }
        if (!ag_is(p->tokens, k, AG_C_NOISE) && !ag_is(p->tokens, k, AG_C_STOP) &&
            !ag_is(p->tokens, k, AG_C_COMMA) && !ag_is(p->tokens, k, AG_C_EQUALS) &&
            !ag_is(p->tokens, k, AG_C_WORD) && !ag_is(p->tokens, k, AG_C_AND))
            return false;
    }
    return true;
}

/* Korean commands stand at the end: nothing but endings and courtesy follows. */
static bool closes(const struct ag_parse *p, size_t i)
{
    for (size_t k = i + 1; k < p->tokens->count; k++) {
        if (!ag_is(p->tokens, k, AG_C_NOISE) && !ag_is(p->tokens, k, AG_C_STOP) &&
            !ag_is(p->tokens, k, AG_C_ENDING) && !ag_is(p->tokens, k, AG_C_PARTICLE) &&
            !ag_is(p->tokens, k, AG_C_SHOW) && !ag_is(p->tokens, k, AG_C_VERB))
            return false;
    }
    return true;
}

/* "logs containing delete", "DELETE /api/orders", a name of the data. */
static bool is_innocent(const struct ag_parse *p, size_t i)
{
    size_t next = ag_after(p, i);
    size_t before = i > 0 ? ag_before(p, i) : SIZE_MAX;

    if (ag_is(p->tokens, next, AG_C_CONTAINS) || ag_is(p->tokens, i + 1, AG_C_PATH) ||
        ag_is(p->tokens, i + 1, AG_C_REQUEST))
        return true;
    return before != SIZE_MAX && ag_is(p->tokens, before, AG_C_CONTAINS);
}

/* "did errors drop compared to yesterday": what went down. A command begins with the verb, or has what it is
 * to destroy behind it. */
static bool declines(const struct ag_parse *p, size_t i)
{
    static const enum ag_concept behind[] = {AG_C_COMPARE, AG_C_STOP,    AG_C_COMMA, AG_C_AND,
                                             AG_C_OR,      AG_C_DAY_REF, AG_C_SINCE, AG_C_AFTER,
                                             AG_C_DURING,  AG_C_NOW,     AG_C_SPAN,  AG_C_THIS};
    static const char *const words[] = {"in",  "on",      "at",   "for", "from",
                                        "off", "between", "over", "by",  "last"};
    size_t next = i + 1;

    if (!ag_reads(p, i, AG_C_COMPARE) || begins(p, i))
        return false;
    if (ag_says(p, next, words, sizeof words / sizeof *words))
        return true;
    for (size_t n = 0; n < sizeof behind / sizeof *behind; n++) {
        if (ag_reads(p, next, behind[n]))
            return true;
    }
    return next == p->tokens->count;
}

void ag_refusal_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;

    for (size_t i = 0; i < t->count && !p->stopped; i++) {
        if (ag_is(t, i, AG_C_PROMPT)) {
            ag_stop(p, AG_REFUSED,
                    ag_say(p, "내부 지시나 설정은 답하지 않습니다.",
                           "Instructions and settings of this system are not disclosed."),
                    ag_say(p, "로그에 대해 물어봐 주세요. 예: \"오늘 에러 건수\"",
                           "Ask about the logs, for example \"errors today\"."));
        } else if (ag_is(t, i, AG_C_SQL) && !is_innocent(p, i)) {
            refuse(p);
        } else if (ag_is(t, i, AG_C_DESTROY) && !is_innocent(p, i) && !declines(p, i)) {
            refuse(p);
        } else if (ag_is(t, i, AG_C_DESTROY_VERB) && !is_innocent(p, i) && !ag_turns(p, i) &&
                   (ag_is_korean(p, i) ? closes(p, i) : begins(p, i))) {
            refuse(p);
        } else if (ag_is(t, i, AG_C_FORECAST) && !is_innocent(p, i)) {
            ag_stop(p, AG_NOT_UNDERSTOOD,
                    ag_say(p, "앞으로의 일은 예측하지 않습니다.", "What is to come is not predicted here."),
                    ag_say(p, "지난 기록에 대해 물어봐 주세요. 예: \"최근 7일 일별 에러 추이\"",
                           "Ask about the past, for example \"errors by day over the last 7 days\"."));
        }
    }
}

/* "5xx today - how many?": a dash between spaces, with nothing named on one of its sides. */
static bool parts_sentences(const struct ag_parse *p, size_t i)
{
    const struct ag_tokens *t = p->tokens;
    bool before = p->target_count > 0;
    bool behind = p->target_count > 0;

    if (!ag_is(t, i, AG_C_DASH) || t->items[i].glued || i + 1 >= t->count || t->items[i + 1].glued)
        return false;
    for (size_t k = 0; k < p->mention_count; k++) {
        before = before || p->mentions[k].to <= i;
        behind = behind || p->mentions[k].from > i;
    }
    return !(before && behind);
}

/* 정확히 10건: courtesy elsewhere, but not before a number. 한 번만 asks nicely only where
 * something is to be shown. */
static bool limits_a_number(const struct ag_parse *p, size_t i)
{
    static const char *const exact[] = {"정확히", "정확하게", "딱"};
    static const char *const once[] = {"한번만", "한 번만"};
    size_t next = ag_after(p, i);

    /* 딱 5개만: as many rows as that. */
    if (strcmp(ag_word(p, i), "딱") == 0 && next < p->tokens->count && p->tokens->items[next].rule &&
        strcmp(p->tokens->items[next].rule, "limit") == 0)
        return false;
    if (ag_says(p, i, exact, sizeof exact / sizeof *exact))
        return ag_reads(p, next, AG_C_NUMBER) && !ag_reads(p, next + 1, AG_C_UNIT);
    return ag_says(p, i, once, sizeof once / sizeof *once) && next < p->tokens->count &&
           !ag_reads(p, next, AG_C_SHOW) && !ag_reads(p, next, AG_C_ENDING) &&
           !ag_reads(p, next, AG_C_STOP) && !ag_reads(p, next, AG_C_NOISE);
}

/* "every FATAL today", "every failed login", "every deployment": all records of that kind. Of a service or an
 * hour it says what to break down by. */
static bool is_every_record(const struct ag_parse *p, size_t i)
{
    static const enum ag_concept records[] = {AG_C_LEVEL,    AG_C_ERROR,        AG_C_LOG, AG_C_REQUEST,
                                              AG_C_RESPONSE, AG_C_STATUS_CLASS, AG_C_FAIL};
    static const enum ag_field kinds[] = {AG_EVENT_TYPE, AG_ERROR_TYPE, AG_LEVEL, AG_HTTP_STATUS,
                                          AG_STATUS_CLASS};
    const struct ag_mention *m = ag_mention_starting(p, i);

    for (size_t k = 0; k < sizeof records / sizeof *records; k++) {
        if (ag_reads(p, i, records[k]))
            return true;
    }
    for (size_t k = 0; m && k < sizeof kinds / sizeof *kinds; k++) {
        if (m->field == kinds[k] && !m->negated)
            return true;
    }
    return ag_said(p, AG_C_EVENT_ANCHOR) && ag_reads(p, i, AG_C_EVENT_ANCHOR);
}

/* May a token be left alone? Only what adds nothing to what was understood. */
/* "today's errors - top 3 services": dashes that stand alone part what is before from what is behind them,
 * where they are no range. "errors today - staging" may as well mean all but staging. */
static bool is_pause(const struct ag_parse *p, size_t i)
{
    const struct ag_token *token = &p->tokens->items[i];
    size_t from = token->from, to = token->to;

    if (strcmp(token->text, "-") != 0 || ag_reads(p, i + 1, AG_C_LEVEL) || ag_reads(p, i + 1, AG_C_ERROR) ||
        ag_mention_starting(p, i + 1))
        return false;
    while (from > 0 && p->text.cp[from - 1] == '-')
        from--;
    while (to < p->text.len && p->text.cp[to] == '-')
        to++;
    return from > 0 && to < p->text.len && p->text.cp[from - 1] == ' ' && p->text.cp[to] == ' ';
}

static bool may_stay(const struct ag_parse *p, size_t i)
{
    static const enum ag_concept harmless[] = {
        AG_C_PARTICLE, AG_C_ENDING, AG_C_VERB,  AG_C_NOISE, AG_C_PREPOSITION, AG_C_AND,   AG_C_COMMA,
        AG_C_STOP,     AG_C_THING,  AG_C_IS,    AG_C_SHOW,  AG_C_LOG,         AG_C_TOTAL, AG_C_ONLY,
        AG_C_EACH,     AG_C_LIST,   AG_C_WHICH, AG_C_ORDER, AG_C_DURING,
    };

    /* What caused what is not in the records. */
    if (strncmp(ag_word(p, i), "caus", 4) == 0 && strcmp(ag_word(p, i + 1), "by") == 0)
        return false;
    /* "instead of errors, warnings": which of the two is wanted, a comma does not say. */
    if (i > 0 && strcmp(ag_word(p, i), "of") == 0 && strcmp(ag_word(p, i - 1), "instead") == 0)
        return false;
    /* "!payment-service" is a negation in other languages than ours. */
    if (strcmp(ag_word(p, i), "!") == 0 && i + 1 < p->tokens->count && p->tokens->items[i + 1].glued &&
        !ag_is(p->tokens, i + 1, AG_C_STOP))
        return false;
    if (limits_a_number(p, i))
        return false;
    if (parts_sentences(p, i) || is_pause(p, i))
        return true;
    /* "how many times was /api/carts called" */
    if (strcmp(ag_word(p, i), "called") == 0 && ag_mention_ending(p, i) &&
        ag_mention_ending(p, i)->field == AG_ENDPOINT)
        return true;
    /* 에러 튄 건 어느 서비스야: what did, and no number. */
    if (strcmp(ag_word(p, i), "건") == 0 && i > 0 &&
        (ag_reads(p, i - 1, AG_C_SPIKE) || ag_reads(p, i - 1, AG_C_VERB)))
        return true;
    /* 처음 나온 게 언제고 지금까지 몇 건: all there is. */
    if (ag_is(p->tokens, i, AG_C_SO_FAR) &&
        (p->intent->measure.fn == AG_FIRST_SEEN || p->intent->measure.fn == AG_LAST_SEEN))
        return true;
    /* 지금까지 전부: all there is, where no other time is said. */
    if (ag_is(p->tokens, i, AG_C_SO_FAR) && p->time_count == 0 && ag_reads(p, ag_after(p, i), AG_C_TOTAL))
        return true;
    /* "services involved in trace …", u1077이 거쳐간 서비스 are those of its records. */
    if (ag_is(p->tokens, i, AG_C_PART_OF) &&
        (ag_mentions_field(p, AG_TRACE_ID) || ag_mentions_field(p, AG_SESSION_ID) ||
         ag_mentions_field(p, AG_USER_ID)))
        return true;
    if (ag_is(p->tokens, i, AG_C_EVERY) && !ag_is_korean(p, i) && is_every_record(p, i + 1))
        return true;
    for (size_t k = 0; k < sizeof harmless / sizeof *harmless; k++) {
        if (ag_is(p->tokens, i, harmless[k]))
            return true;
    }
    return false;
}

/* u1077 활동 로그, "today's activity of u1077": of somebody named. Whose else it is no record says. */
static bool is_nobodys_activity(const struct ag_parse *p, size_t i)
{
    const char *log = ag_reads_value(p, i, AG_C_LOG);
    const char *history = ag_reads_value(p, i, AG_C_HISTORY);

    return ((log && strcmp(log, "activity") == 0) || (history && strcmp(history, "activity") == 0)) &&
           !ag_mentions_field(p, AG_USER_ID) && !ag_mentions_field(p, AG_SESSION_ID) &&
           !ag_mentions_field(p, AG_CLIENT_IP) && !ag_mentions_field(p, AG_TRACE_ID);
}

/* "or" joins values of one condition, or it is not understood. */
static bool harmless_or(const struct ag_parse *p, size_t i)
{
    enum ag_field before = AG_NO_FIELD;
    enum ag_field behind = AG_NO_FIELD;
    size_t nearest = 0;
    size_t next = SIZE_MAX;

    for (size_t k = 0; k < p->mention_count; k++) {
        const struct ag_mention *m = &p->mentions[k];
        if (m->to <= i && m->to >= nearest) {
            nearest = m->to;
            before = m->field;
        }
        if (m->from > i && m->from < next) {
            next = m->from;
            behind = m->field;
        }
    }
    return before != AG_NO_FIELD && before == behind;
}

void ag_leftover_rule(struct ag_parse *p)
{
    struct ag_tokens *t = p->tokens;
    const char *words = "";
    size_t count = 0;

    for (size_t i = 0; i < t->count && count < 4; i++) {
        if (!is_nobodys_activity(p, i) &&
            (t->items[i].rule || may_stay(p, i) || (ag_is(t, i, AG_C_OR) && harmless_or(p, i))))
            continue;
        words = count == 0 ? ag_sayf(p, "\"%s\"", t->items[i].text)
                           : ag_sayf(p, "%s, \"%s\"", words, t->items[i].text);
        count++;
    }
    if (count == 0)
        return;
    ag_stop(
        p, AG_NOT_UNDERSTOOD,
        p->language == AG_KO ? ag_sayf(p, "%s을(를) 알아듣지 못했습니다.", words)
                             : ag_sayf(p, "%s was not understood.", words),
        ag_say(p,
               "로그의 건수, 목록, 순위, 응답 시간, 추이를 물을 수 있습니다. 예: \"어제 서비스별 에러 건수\"",
               "Counts, lists, rankings, latencies and trends of logs can be asked for, such as \"errors by "
               "service yesterday\"."));
}

bool ag_has_subject(const struct ag_parse *p)
{
    static const enum ag_concept subjects[] = {
        AG_C_LOG,          AG_C_REQUEST,  AG_C_RESPONSE,  AG_C_COUNT,   AG_C_COUNT_PEOPLE, AG_C_RATE,
        AG_C_FAIL_RATE,    AG_C_OK_RATE,  AG_C_PERCENT,   AG_C_SLOW,    AG_C_SLOWEST,      AG_C_FAST,
        AG_C_FASTEST,      AG_C_DURATION, AG_C_PAGE_LOAD, AG_C_BUSIEST, AG_C_QUIETEST,     AG_C_SPIKE,
        AG_C_STOPPED,      AG_C_SUMMARY,  AG_C_HISTORY,   AG_C_PER,     AG_C_STILL,        AG_C_LOGIN_TRY,
        AG_C_EVENT_ANCHOR, AG_C_FAIL,
    };
    static const enum ag_field fields[] = {
        AG_LEVEL,      AG_HTTP_STATUS, AG_STATUS_CLASS, AG_MESSAGE,   AG_ERROR_TYPE,
        AG_EVENT_TYPE, AG_USER_ID,     AG_SESSION_ID,   AG_TRACE_ID,  AG_SPAN_ID,
        AG_ERROR_CODE, AG_CLIENT_IP,   AG_TAG,          AG_PAGE_PATH, AG_STACK_TRACE,
    };

    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++) {
        if (ag_said(p, subjects[i]))
            return true;
    }
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (ag_mentions_field(p, fields[i]))
            return true;
    }
    for (size_t i = 0; i < p->target_count; i++) {
        const struct ag_target *target = &p->targets[i];
        bool ranked = ag_said(p, AG_C_TOP) || ag_said(p, AG_C_BOTTOM) || ag_said(p, AG_C_MOST) ||
                      ag_said(p, AG_C_DISTRIBUTION);
        /* "by service" alone is the end of some other question. */
        if (p->intent->measure.fn == AG_NAMES || p->intent->measure.fn == AG_DISTINCT ||
            p->intent->shape == AG_NEW || ranked || target->field == AG_ERROR_TYPE ||
            target->field == AG_PATTERN ||
            (!ag_said(p, AG_C_BY) && (p->mention_count > 0 || p->time_count > 0) &&
             (target->field == AG_LEVEL || target->field == AG_HTTP_STATUS ||
              target->field == AG_STATUS_CLASS)))
            return true;
    }
    if (p->asks_values || ag_intent_measures_key(p->intent))
        return true;
    /* "payment failures" are errors by now. */
    if (ag_said(p, AG_C_FAIL) && p->intent->filter_count > 1)
        return true;
    /* "did payment-service get noisier today": how much a service says is how many records it leaves. */
    for (size_t i = 0; i < p->tokens->count; i++) {
        if (strstr(ag_word(p, i), "noisi") || strstr(ag_word(p, i), "quieter") ||
            strstr(ag_word(p, i), "louder"))
            return true;
    }
    /* "when did we last hear from payment-service" */
    if (p->intent->filter_count > 0 &&
        (p->intent->measure.fn == AG_FIRST_SEEN || p->intent->measure.fn == AG_LAST_SEEN))
        return true;
    return p->found.p_count > 0 || p->found.length_set;
}
