/*
 * The window of a question that says no time, and moments it points to without saying when they were.
 */
#include "agent/understand/decision.h"

#include <string.h>

void ag_ask_when(struct ag_parse *p)
{
    ag_stop(
        p, AG_NEEDS_CLARIFICATION,
        ag_say(p, "어느 시점을 말하는지 알 수 없습니다.", "It is not clear which moment is meant."),
        ag_say(p, "시각을 적어 주세요. 예: \"13시 50분 전후 에러 비교\", \"오늘 10시 이후 에러\"",
               "Name the time, for example \"errors before and after 13:50\" or \"errors since 10:00\"."));
}

static bool has_filter(const struct ag_intent *intent, enum ag_field field)
{
    for (size_t i = 0; i < intent->filter_count; i++) {
        if (intent->filters[i].field == field && intent->filters[i].op == AG_IN)
            return true;
    }
    return false;
}

static void assume_window(struct ag_parse *p, const char *symbolic, const char *ko, const char *en)
{
    p->intent->window.symbolic = symbolic;
    p->intent->window.stated = false;
    ag_assume(p, "default_window", ko, en);
}

static bool groups_days(const struct ag_intent *in)
{
    for (size_t i = 0; i < in->group_count; i++) {
        if (in->groups[i].field == AG_DAY_OF_WEEK)
            return true;
    }
    return false;
}

bool ag_means_now(const struct ag_parse *p)
{
    return p->time_count == 1 && p->times[0].past_is_vague &&
           strcmp(p->times[0].symbolic, "last 1 minute") == 0;
}

/* No time was said: what is asked decides. */
static void default_window(struct ag_parse *p)
{
    const struct ag_intent *in = p->intent;
    bool now = ag_means_now(p);
    bool by_time = in->shape == AG_SERIES || in->shape == AG_BUSIEST;

    if (ag_said(p, AG_C_HISTORY))
        assume_window(p, "last 30 day", "이력은 최근 30일을 보았습니다.",
                      "For a history the last 30 days are searched.");
    else if (in->measure.fn == AG_LIST && in->limit == 1 &&
             (in->order == AG_NEWEST || in->order == AG_OLDEST))
        assume_window(p, "all", "시간 제한 없이 보관된 모든 기록에서 찾았습니다.",
                      "Everything kept is searched.");
    else if (in->measure.fn == AG_LIST && in->limit > 0 && in->order == AG_NEWEST &&
             has_filter(in, AG_EVENT_TYPE))
        assume_window(p, "last 30 day", "그런 이벤트를 최근 30일에서 찾았습니다.",
                      "Such events are searched in the last 30 days.");
    else if (p->since_version)
        assume_window(p, "last 30 day", "그 버전이 낸 기록을 최근 30일에서 찾았습니다.",
                      "What that version did is searched in the last 30 days.");
    else if (groups_days(in))
        ag_stop(p, AG_NEEDS_CLARIFICATION,
                ag_say(p, "어느 기간의 요일인지 알 수 없습니다.", "It is not said over which weeks."),
                ag_say(p, "예: \"지난달 요일별 에러\"", "For example \"errors by weekday last month\"."));
    else if (in->measure.fn == AG_FIRST_SEEN || (in->measure.fn == AG_LAST_SEEN && in->shape != AG_SILENT) ||
             has_filter(in, AG_TRACE_ID) || has_filter(in, AG_SESSION_ID))
        assume_window(p, "all", "시간 제한 없이 보관된 모든 기록을 보았습니다.",
                      "Everything kept is searched.");
    else if (in->measure.fn == AG_NAMES || in->shape == AG_SILENT || in->shape == AG_NEW ||
             (in->shape == AG_SERIES && in->threshold.set))
        assume_window(p, "last 24 hour", "시간을 말하지 않아 최근 24시간을 보았습니다.",
                      "No time was said: the last 24 hours.");
    else if (now && in->measure.fn == AG_RATE && in->measure.rate_unit_us == AG_HOUR)
        assume_window(p, "last 1 hour", "지금은 최근 1시간으로 보았습니다.",
                      "Now is taken as the last hour.");
    else if ((by_time && in->bucket_us >= AG_DAY) ||
             (in->measure.fn == AG_RATE && in->measure.rate_unit_us >= AG_DAY))
        ag_stop(p, AG_NEEDS_CLARIFICATION,
                ag_say(p, "며칠을 볼지 알 수 없습니다.", "It is not said over how many days."),
                ag_say(p, "예: \"최근 7일 일별 에러 추이\"",
                       "For example \"errors by day over the last 7 days\"."));
    else if ((by_time && in->bucket_us >= AG_HOUR) ||
             (in->measure.fn == AG_RATE && in->measure.rate_unit_us >= AG_HOUR))
        assume_window(p, "last 24 hour", "시간을 말하지 않아 최근 24시간을 보았습니다.",
                      "No time was said: the last 24 hours.");
    else if (now && !by_time && in->group_count == 0 && in->measure.field != AG_DURATION)
        assume_window(p, "last 1 minute", "지금은 최근 1분으로 보았습니다.",
                      "Now is taken as the last minute.");
    else
        assume_window(p, "last 1 hour", "시간을 말하지 않아 최근 1시간을 보았습니다.",
                      "No time was said: the last hour.");
}

/* A word of relation that no time has taken: "since the deployment", 배포 이후. */
static bool relates(const struct ag_parse *p, size_t i, bool before)
{
    static const enum ag_concept relations[] = {AG_C_SINCE, AG_C_AFTER, AG_C_BEFORE, AG_C_FROM, AG_C_TO};

    if (i >= p->tokens->count || p->tokens->items[i].rule)
        return false;
    for (size_t k = 0; k < sizeof relations / sizeof *relations; k++) {
        if (ag_reads(p, i, relations[k]) && (before || relations[k] != AG_C_TO))
            return true;
    }
    return false;
}

/* 오늘 10시 이후 배포 있었나, "deployments after 10:00": the deployments themselves, not what a moment is
 * told by. */
static bool is_asked_about(const struct ag_parse *p, size_t at)
{
    const struct ag_intent *in = p->intent;
    bool records = (in->measure.fn == AG_COUNT || in->measure.fn == AG_LIST) && in->group_count == 0;

    return records && !ag_has_field(in, AG_LEVEL) && !ag_has_field(in, AG_HTTP_STATUS) &&
           !ag_has_field(in, AG_STATUS_CLASS) && !ag_has_field(in, AG_ERROR_TYPE) &&
           (!ag_said(p, AG_C_LOG) || ag_reads(p, ag_after(p, at), AG_C_LOG)) && !ag_said(p, AG_C_REQUEST) &&
           !relates(p, ag_after(p, at), false) &&
           !(at > 0 && ag_before(p, at) != SIZE_MAX && relates(p, ag_before(p, at), true));
}

/* 오늘 13:50 배포된 서비스 에러: whose errors they are, and no moment. */
static bool describes_what_follows(const struct ag_parse *p, size_t at)
{
    static const char *const forms[] = {"배포된", "배포한", "deployed"};
    const struct ag_intent *in = p->intent;
    bool measured = ag_has_field(in, AG_LEVEL) || in->measure.fn == AG_ERROR_RATE ||
                    in->measure.fn == AG_FAILURE_RATE || in->measure.fn == AG_SHARE ||
                    in->measure.field == AG_DURATION;

    return ag_says(p, at, forms, sizeof forms / sizeof *forms) && measured &&
           (ag_reads(p, at + 1, AG_C_FIELD) || ag_reads(p, at + 1, AG_C_DOMAIN) ||
            ag_reads(p, at + 1, AG_C_SERVICE_WORD) ||
            (ag_mention_starting(p, at + 1) && ag_mention_starting(p, at + 1)->field != AG_LEVEL));
}

/* "since the last deployment" has no time anybody said; "how many deployments" is a kind of event. */
static void anchor(struct ag_parse *p)
{
    size_t at = p->said[AG_C_EVENT_ANCHOR] - 1;
    size_t next = ag_after(p, at);
    size_t before = at > 0 ? ag_before(p, at) : SIZE_MAX;
    const struct ag_name *found[4];
    size_t n = 0;
    static const char *const roots[] = {"deployment", "deploy", "deployed", "release"};
    struct ag_filter *filter;
    bool timed = false; /* "deployments since Monday": the word behind belongs to the time */

    if (describes_what_follows(p, at)) {
        ag_stop(p, AG_NOT_UNDERSTOOD,
                ag_say(p, "배포된 것이 무엇인지로 고르지는 못합니다.",
                       "Records cannot be picked by what was deployed."),
                ag_say(p, "예: \"오늘 배포 목록\", \"13시 50분 이후 결제 서비스 에러\"",
                       "For example \"deployments today\" or \"errors since 13:50\"."));
        return;
    }
    if (p->time_count > 0 &&
        (ag_said(p, AG_C_BEFORE_AFTER) || (p->times[0].instant && !is_asked_about(p, at))))
        return; /* the time was said beside it */
    for (size_t k = 0; k < p->time_count; k++)
        timed = timed || (!ag_is_korean(p, at) && (p->times[k].from == next || p->times[k].from == next + 1));
    if ((!timed && relates(p, next, false)) || ag_reads(p, next, AG_C_AGO) || ag_said(p, AG_C_BEFORE_AFTER) ||
        ag_said(p, AG_C_NEW) || relates(p, before, true)) {
        ag_ask_when(p);
        return;
    }
    for (size_t i = 0; i < sizeof roots / sizeof *roots && n == 0; i++)
        n = ag_catalogue_with_part(p->catalogue, AG_KIND_EVENT_TYPE, roots[i], found, 4);
    if (n == 1 && p->intent->filter_count < AG_MAX_FILTERS && !has_filter(p->intent, AG_EVENT_TYPE)) {
        filter = &p->intent->filters[p->intent->filter_count++];
        *filter = (struct ag_filter){.field = AG_EVENT_TYPE, .op = AG_IN, .value_count = 1};
        filter->values[0] = ag_keep(p, found[0]->value, strlen(found[0]->value));
        if (p->intent->measure.fn == AG_LIST && p->intent->group_count == 0 && ag_take(p, AG_C_WHEN)) {
            bool record = ag_asks_what_it_was(p, p->said[AG_C_WHEN]);
            p->intent->measure.fn = record ? AG_LIST : AG_LAST_SEEN;
            p->intent->order = record ? AG_NEWEST : AG_ORDER_DEFAULT;
            p->intent->limit = record ? 1 : 0;
            return;
        }
        if (p->time_count == 0 &&
            (strncmp(ag_word(p, at), "last", 4) == 0 || strncmp(ag_word(p, at), "the last", 8) == 0 ||
             strncmp(ag_word(p, at), "latest", 6) == 0 ||
             strncmp(ag_word(p, at), "마지막", strlen("마지막")) == 0)) {
            p->intent->measure.fn = AG_LIST;
            p->intent->order = AG_NEWEST;
            p->intent->limit = 1;
            p->said[AG_C_HISTORY] = at + 1;
        }
        return;
    }
    if (!has_filter(p->intent, AG_EVENT_TYPE))
        ag_ask_when(p);
}

void ag_anchor_rule(struct ag_parse *p)
{
    if (ag_said(p, AG_C_EVENT_ANCHOR))
        anchor(p);
}

/* 지금까지 without a beginning: all there is, where all of it is asked for. */
void ag_unsaid_window(struct ag_parse *p)
{
    for (size_t i = 0; i < p->tokens->count; i++) {
        if (!ag_is(p->tokens, i, AG_C_SO_FAR))
            continue;
        if (ag_reads(p, ag_after(p, i), AG_C_TOTAL))
            assume_window(p, "all", "지금까지의 모든 기록을 보았습니다.", "Everything kept is searched.");
        else
            ag_stop(p, AG_NEEDS_CLARIFICATION,
                    ag_say(p, "언제부터인지 알 수 없습니다.", "It is not said from when."),
                    ag_say(p, "예: \"오늘 지금까지 에러 건수\"", "For example \"errors so far today\"."));
        return;
    }
    if (ag_has_field(p->intent, AG_DAY_OF_WEEK))
        ag_stop(
            p, AG_NEEDS_CLARIFICATION,
            ag_say(p, "어느 기간의 평일이나 주말인지 알 수 없습니다.", "It is not said over which weeks."),
            ag_say(p, "예: \"지난달 평일 에러\"", "For example \"errors on weekdays last month\"."));
    else
        default_window(p);
}
