/*
 * Shapes that are more than a measure by groups: series, the busiest time, spikes, what fell silent, what is
 * new, what there is.
 */
#include "agent/understand/decision.h"
#include "agent/understand/window.h"

#include <string.h>

void ag_series_rule(struct decision *d)
{
    struct ag_intent *intent = d->intent;
    const char *per = ag_use(d, AG_C_PER) ? ag_heard_value(d, AG_C_PER) : "";
    bool series = ag_use(d, AG_C_SERIES);
    const char *by_time = ag_use(d, AG_C_BY_TIME) ? ag_heard_value(d, AG_C_BY_TIME) : "";

    if (*per == 's' && !series && !*by_time && d->p->found.bucket_us == 0 && intent->measure.fn == AG_COUNT) {
        ag_use(d, AG_C_AVERAGE);
        intent->measure.fn = AG_RATE;
        intent->measure.rate_unit_us = AG_SECOND;
        return;
    }
    if (*per && (ag_heard(d, AG_C_AVERAGE) || strstr(ag_word(d->p, d->p->said[AG_C_PER] - 1), "평균")) &&
        intent->measure.fn == AG_COUNT) {
        ag_use(d, AG_C_AVERAGE);
        intent->measure.fn = AG_RATE;
        intent->measure.rate_unit_us = ag_unit_us(*per);
        return;
    }
    /* 지금 분당 몇 건: how fast they come in, and not the course of it */
    if ((*per == 'm' || *per == 'h') && ag_means_now(d->p) && !series && !*by_time &&
        d->p->found.bucket_us == 0 && intent->measure.fn == AG_COUNT && intent->group_count == 0) {
        intent->measure.fn = AG_RATE;
        intent->measure.rate_unit_us = ag_unit_us(*per);
        return;
    }
    if (!*per && !series && !*by_time && d->p->found.bucket_us == 0)
        return;
    /* The course of a trace or session is its records, in order; of a user where an order is said. */
    if (series && !*per && !*by_time && d->p->found.bucket_us == 0 && intent->group_count == 0 &&
        (ag_has_field(intent, AG_TRACE_ID) || ag_has_field(intent, AG_SESSION_ID) ||
         (ag_has_field(intent, AG_USER_ID) && ag_heard(d, AG_C_OLDEST)))) {
        ag_set_measure(d, AG_LIST, AG_NO_FIELD);
        ag_use(d, AG_C_OLDEST);
        intent->order = AG_OLDEST;
        return;
    }
    /* "when did they peak, by hour": which of the hours. */
    if (intent->shape == AG_BUSIEST && *by_time && !series &&
        (intent->bucket_us == 0 || intent->bucket_us == ag_unit_us(*by_time))) {
        intent->bucket_us = ag_unit_us(*by_time);
        return;
    }
    if (intent->shape != AG_PLAIN || intent->measure.fn == AG_NAMES || intent->measure.fn == AG_FIRST_SEEN ||
        intent->measure.fn == AG_LAST_SEEN) {
        ag_stop(d->p, AG_NOT_UNDERSTOOD,
                ag_say(d->p, "시간별로 나눌 수 없는 질문입니다.", "This cannot be shown over time."), NULL);
        return;
    }
    if (intent->measure.fn == AG_LIST)
        ag_count_instead(d->p);
    intent->shape = AG_SERIES;
    intent->bucket_us = d->p->found.bucket_us ? d->p->found.bucket_us
                        : *by_time            ? ag_unit_us(*by_time)
                        : *per                ? ag_unit_us(*per)
                                              : 0;
}

static bool describes_errors(const struct decision *d, enum ag_concept concept)
{
    size_t at = d->p->said[concept];

    return at && ag_reads(d->p, ag_after(d->p, at - 1), AG_C_ERROR);
}

/* "peak requests per minute", 분당 최대 요청 수: the fullest of the buckets. */
static bool peak_per(struct decision *d)
{
    const char *per = ag_heard(d, AG_C_PER) ? ag_heard_value(d, AG_C_PER) : "";
    bool peak = ag_heard(d, AG_C_BUSIEST) || ag_heard(d, AG_C_MAXIMUM) || ag_heard(d, AG_C_HIGHEST);

    if (peak && *per == 's' && d->intent->group_count == 0 && !ag_heard(d, AG_C_AVERAGE)) {
        ag_stop(d->p, AG_NOT_UNDERSTOOD,
                ag_say(d->p, "초 단위의 최댓값은 구하지 않습니다.", "The peak of a second is not told."),
                ag_say(d->p, "예: \"분당 최대 요청 수\"", "For example \"peak requests per minute\"."));
        return true;
    }
    if (!peak || !*per || *per == 's' || ag_heard(d, AG_C_DURATION) || ag_heard(d, AG_C_AVERAGE) ||
        d->p->found.p_count > 0 || d->p->found.bucket_us || d->p->target_count > 0 ||
        d->intent->group_count > 0 || ag_heard(d, AG_C_RATE) || ag_heard(d, AG_C_SLOW) ||
        strstr(ag_word(d->p, d->p->said[AG_C_PER] - 1), "평균"))
        return false;
    ag_use(d, AG_C_PER);
    ag_use(d, AG_C_BUSIEST);
    ag_use(d, AG_C_MAXIMUM);
    ag_use(d, AG_C_HIGHEST);
    d->p->said[AG_C_PER] = 0;
    ag_take(d->p, AG_C_TIME_SLOT);
    ag_take(d->p, AG_C_WHEN); /* "and when?": the bucket says so */
    d->intent->shape = AG_BUSIEST;
    d->intent->bucket_us = ag_unit_us(*per);
    d->intent->order = AG_MOST;
    d->intent->limit = 1;
    return true;
}

/* 에러가 제일 많은 요일이 언제야: a day of the week, not one day. */
static bool asks_which_weekday(struct decision *d)
{
    const struct ag_target *target = ag_free_target(d);

    return target && (target->field == AG_DAY_OF_WEEK || target->field == AG_HOUR_OF_DAY) &&
           d->intent->group_count == 0;
}

/* "which 10 minutes", "which 10 minute window", "busiest 5 minutes" */
static bool asks_which_span(const struct decision *d)
{
    size_t bucket = d->p->said[AG_C_BUCKET];

    return d->p->found.bucket_us && bucket > 1 &&
           (ag_reads(d->p, bucket - 2, AG_C_WHICH) || ag_reads(d->p, bucket - 2, AG_C_BUSIEST) ||
            ag_reads(d->p, bucket - 2, AG_C_QUIETEST) || ag_reads(d->p, bucket - 2, AG_C_MOST));
}

/* "which hour had the most", 가장 바쁜 시간대, 언제 제일 많았어 */
bool ag_busiest_rule(struct decision *d)
{
    static const enum ag_concept many[] = {AG_C_MOST, AG_C_HIGHEST, AG_C_BUSIEST, AG_C_MAXIMUM};
    static const enum ag_concept few[] = {AG_C_FEWEST, AG_C_LOWEST, AG_C_QUIETEST, AG_C_MINIMUM};
    bool extreme = ag_heard(d, AG_C_BUSIEST) || ag_heard(d, AG_C_QUIETEST);
    bool most = ag_heard(d, AG_C_MOST) || ag_heard(d, AG_C_HIGHEST) || ag_heard(d, AG_C_FEWEST) ||
                ag_heard(d, AG_C_LOWEST);
    bool slot = false;

    if (peak_per(d))
        return true;
    if (!extreme && !most)
        return false;
    /* "quiet errors" are no quiet hour. */
    if (describes_errors(d, AG_C_QUIETEST) || describes_errors(d, AG_C_BUSIEST))
        return false;
    if (asks_which_weekday(d)) {
        ag_take(d->p, AG_C_WHEN);
        return false;
    }
    slot = ag_take(d->p, AG_C_TIME_SLOT);
    slot = ag_take(d->p, AG_C_WHEN) || slot;
    slot = slot || asks_which_span(d);
    if (!slot && !ag_heard(d, AG_C_BUSIEST) && !ag_heard(d, AG_C_QUIETEST))
        return false;
    if (!slot && (d->p->target_count > 0 || d->intent->group_count > 0)) {
        /* "the busiest service" */
        ag_use(d, AG_C_BUSIEST);
        ag_use(d, AG_C_QUIETEST);
        ag_group_free_targets(d);
        d->intent->rank = true;
        d->intent->order = ag_heard(d, AG_C_QUIETEST) ? AG_FEWEST : AG_MOST;
        return false;
    }
    d->intent->shape = AG_BUSIEST;
    d->intent->bucket_us =
        ag_unit_us(ag_heard(d, AG_C_TIME_SLOT) ? ag_heard_value(d, AG_C_TIME_SLOT)[0] : 'h');
    if (d->p->found.bucket_us)
        d->intent->bucket_us = d->p->found.bucket_us, d->p->found.bucket_us = 0;
    d->intent->order = ag_use_any(d, few, 4) ? AG_FEWEST : AG_MOST;
    ag_use_any(d, many, 4);
    return true;
}

/* Is it asked about one that writes records, and may fall silent? */
static bool names_a_writer(const struct decision *d)
{
    return ag_has_field(d->intent, AG_SERVICE) || ag_has_field(d->intent, AG_HOST) ||
           ag_has_field(d->intent, AG_COMPONENT);
}

/* "has batch stopped in the last 30 minutes": what fell silent before a short window has nothing in it. */
static bool silent_throughout(const struct decision *d)
{
    const struct ag_parse *p = d->p;

    return p->time_count == 1 && !p->times[0].past_is_vague && p->times[0].to_us >= p->now &&
           p->now - p->times[0].from_us <= AG_HOUR && d->intent->group_count == 0 && p->target_count == 0 &&
           names_a_writer(d);
}

/* "logged something today but nothing in the last hour": the longer window says where to look. */
static bool silent_but_seen(struct decision *d, struct ag_target *target)
{
    struct ag_parse *p = d->p;
    bool second = p->times[1].from_us > p->times[0].from_us;
    const struct ag_time_found silent = p->times[second];
    const struct ag_time_found seen = p->times[!second];

    if (silent.past_is_vague || silent.to_us < p->now || seen.to_us < p->now ||
        strncmp(silent.symbolic, "last ", 5) != 0)
        return false;
    ag_group_by(d, target);
    d->intent->shape = AG_SILENT;
    d->intent->silent_us = p->now - silent.from_us;
    ag_set_measure(d, AG_LAST_SEEN, AG_NO_FIELD);
    p->times[0] = seen;
    p->time_count = 1;
    return true;
}

/* "nothing since 13:00", "quiet since noon": the word has the since of the time behind it. */
static bool says_since(const char *word)
{
    size_t len = strlen(word);

    return len > 6 && strcmp(word + len - 6, " since") == 0;
}

/* "had no logs yesterday", "logged nothing between 12 and 13": what was silent only then is not looked for.
 */
static bool silent_in_the_past(struct ag_parse *p)
{
    ag_stop(p, AG_NOT_UNDERSTOOD,
            ag_say(p, "지난 기간에만 기록이 없던 것은 아직 찾지 못합니다.",
                   "What had no records in a window that is over cannot be looked for yet."),
            ag_say(p, "예: \"최근 1시간 로그 안 찍은 서비스\"",
                   "For example \"which services logged nothing in the last hour\"."));
    return true;
}

/* "which services haven't logged anything in the last hour", "since noon", "today": seen before, and not in
 * that time. */
static bool silent_for_so_long(struct decision *d)
{
    struct ag_parse *p = d->p;
    const char *word = ag_word(p, p->said[AG_C_STOPPED] - 1);
    bool none = strstr(word, "anything") || strstr(word, "nothing") || strstr(word, "logged") ||
                strstr(word, "zero") || strstr(word, "no logs") || strstr(word, "without") ||
                strstr(word, "haven't") || strstr(word, "hasn't") || strstr(word, "안 ");
    bool nothing = none || strstr(word, "been") || says_since(word);
    struct ag_target *target = ag_free_target(d);

    if (says_since(word) && !target && d->intent->group_count == 0 && p->time_count > 0)
        return silent_in_the_past(p);
    if (nothing && target && p->time_count == 2 && d->intent->group_count == 0)
        return silent_but_seen(d, target);
    if (!nothing || !target || p->time_count != 1 || p->times[0].past_is_vague || d->intent->group_count > 0)
        return false;
    if (!none && !says_since(word) && strncmp(p->times[0].symbolic, "last ", 5) != 0)
        return false; /* "been quiet today": quiet by now */
    if (p->times[0].to_us < p->now && !says_since(word))
        return silent_in_the_past(p);
    ag_group_by(d, target);
    d->intent->shape = AG_SILENT;
    d->intent->silent_us = p->now - p->times[0].from_us;
    ag_set_measure(d, AG_LAST_SEEN, AG_NO_FIELD);
    p->times[0].symbolic = "last 30 day";
    p->times[0].from_us = p->now - 30 * AG_DAY;
    ag_assume(p, "silent_since", "최근 30일에 기록이 있었으나 말한 시간 동안 없는 것을 찾았습니다.",
              "Looked for what was seen in the last 30 days and not in the time said.");
    return true;
}

/* "since when is payment-service silent", 언제부터 로그가 안 들어와요, "when did it stop logging": the last
 * it left. */
static bool silent_since_when(struct decision *d)
{
    bool how_long = ag_asks_how_long(d->p);

    if (!names_a_writer(d) || d->intent->group_count > 0 || ag_free_target(d) ||
        (ag_heard(d, AG_C_COUNT) && !how_long))
        return false;
    if (!ag_use(d, AG_C_FIRST) && !ag_take(d->p, AG_C_WHEN) && !how_long)
        return false;
    ag_take(d->p, AG_C_WHEN);
    ag_set_measure(d, AG_LAST_SEEN, AG_NO_FIELD);
    ag_assume(d->p, "silent_is_last_seen", "언제부터 없는지는 마지막 기록의 시각으로 답합니다.",
              "Since when it is silent is told by the time of its last record.");
    return true;
}

/* "stop logging", "please go silent": told to the machine, not asked. */
static bool is_told(const struct decision *d)
{
    size_t at = d->p->said[AG_C_STOPPED] ? d->p->said[AG_C_STOPPED] - 1 : 0;
    const char *word = ag_word(d->p, at);

    if (strncmp(word, "stop ", 5) != 0 && strncmp(word, "go ", 3) != 0)
        return false;
    while (at > 0 && ag_reads(d->p, at - 1, AG_C_NOISE) && strcmp(ag_word(d->p, at - 1), "did") != 0)
        at--;
    return at == 0;
}

/* 왜 이렇게 조용하지, 마지막 로그 언제야: why is wondered about, when is asked. */
static void wonders_why_silent(struct decision *d)
{
    struct ag_parse *p = d->p;
    size_t why = p->said[AG_C_WHY];
    size_t quiet = p->said[AG_C_QUIETEST];
    bool final = false;
    bool when = false;

    for (size_t i = quiet; quiet && i < p->tokens->count; i++) {
        final = final || ag_reads(p, i, AG_C_FINAL);
        when = when || ag_reads(p, i, AG_C_WHEN);
    }
    if (!why || !final || !when || ag_after(p, why - 1) != quiet - 1 || !names_a_writer(d))
        return;
    p->said[AG_C_WHY] = p->said[AG_C_QUIETEST] = 0;
    ag_assume(p, "silent_is_last_seen", "왜 조용한지는 알 수 없어, 마지막 기록의 시각으로 답합니다.",
              "Why it is silent is not known; the time of its last record is told.");
}

bool ag_stopped_rule(struct decision *d)
{
    wonders_why_silent(d);
    /* "silent errors" are not what fell silent. */
    if (ag_heard(d, AG_C_COUNT) && ag_has_error_filter(d->intent) && d->intent->group_count == 0 &&
        !ag_free_target(d))
        return false;
    if (is_told(d) || !ag_use(d, AG_C_STOPPED))
        return false;
    if (silent_since_when(d))
        return true;
    if (silent_for_so_long(d))
        return true;
    if (silent_throughout(d)) {
        ag_set_measure(d, AG_COUNT, AG_NO_FIELD);
        ag_use(d, AG_C_COUNT);
        ag_assume(d->p, "silent_is_none", "멈췄는지는 그 기간의 기록 수로 보았습니다: 없으면 0건입니다.",
                  "Whether it stopped is told by its records in that window: none if it did.");
        return true;
    }
    d->intent->shape = AG_SILENT;
    d->intent->silent_us = 15 * AG_MINUTE;
    ag_set_measure(d, AG_LAST_SEEN, AG_NO_FIELD);
    if (d->intent->group_count == 0 && ag_free_target(d))
        ag_group_by(d, ag_free_target(d));
    if (d->intent->group_count == 0) /* web-03 죽었어 asks of the host */
        ag_group_by_field(d, ag_has_field(d->intent, AG_HOST) ? AG_HOST : AG_SERVICE);
    if (d->intent->group_count > 1)
        d->intent->group_count = 1;
    ag_assume(d->p, "silent", "창 안에 기록이 있었으나 마지막 15분 동안 없는 것을 멈춘 것으로 보았습니다.",
              "Stopped means: seen in the window, and silent for its last 15 minutes.");
    return true;
}

/* 오늘 처음 발생한 에러 타입: those that appeared in a time said, not when they did. */
static bool appeared_first(const struct decision *d, const struct ag_target *target)
{
    const struct ag_parse *p = d->p;
    size_t at = p->said[AG_C_FIRST];

    if (!at || !target || target->field != AG_ERROR_TYPE || p->time_count != 1 || ag_heard(d, AG_C_COUNT) ||
        !ag_is_korean(p, at - 1) || target->from < at)
        return false;
    for (size_t i = at; i < p->tokens->count; i++) {
        if (ag_reads(p, i, AG_C_WHEN))
            return false;
        if (i < target->from && !ag_reads(p, i, AG_C_VERB) && !ag_reads(p, i, AG_C_ENDING) &&
            !ag_reads(p, i, AG_C_PARTICLE))
            return false;
    }
    return true;
}

bool ag_new_rule(struct decision *d)
{
    struct ag_target *target = ag_free_target(d);

    if (!ag_heard(d, AG_C_NEW) && appeared_first(d, target))
        d->p->said[AG_C_NEW] = d->p->said[AG_C_FIRST];
    if (!ag_heard(d, AG_C_NEW))
        return false;
    if (!target && d->intent->group_count == 0 && ag_has_error_filter(d->intent)) {
        ag_group_errors(d);
    }
    if (!target && d->intent->group_count != 1)
        return false;
    if (target && target->field == AG_USER_ID && ag_heard(d, AG_C_COUNT) && d->intent->filter_count > 0)
        return false; /* errors of new users are no new users */
    ag_use(d, AG_C_NEW);
    ag_use(d, AG_C_FIRST);
    d->intent->shape = AG_NEW;
    ag_set_measure(d, AG_COUNT, AG_NO_FIELD);
    if (target)
        ag_group_by(d, target);
    return true;
}

bool ag_asks_which_error(const struct ag_parse *p)
{
    for (size_t i = 0; i < p->tokens->count; i++) {
        size_t next = ag_after(p, i);
        const char *word = ag_word(p, i);
        bool which = ag_reads(p, i, AG_C_WHICH) || strcmp(word, "what") == 0;
        if (which && ag_reads(p, next, AG_C_ERROR))
            return true;
    }
    return false;
}

/* "what was causing the errors": of errors said behind it, with nothing but names between. */
static bool causes_errors(const struct decision *d)
{
    const struct ag_parse *p = d->p;
    size_t at = p->said[AG_C_CAUSE];

    if (!at || !ag_has_error_filter(d->intent) || !(ag_heard(d, AG_C_SHOW) || ag_heard(d, AG_C_WHICH)))
        return false;
    for (size_t i = at; i < p->tokens->count && i < at + 5; i++) {
        if (ag_reads(p, i, AG_C_ERROR))
            return true;
        if (!ag_reads(p, i, AG_C_NOISE) && !ag_reads(p, i, AG_C_PREPOSITION) && !ag_mention_starting(p, i) &&
            !ag_reads(p, i, AG_C_SERVICE_WORD))
            return false;
    }
    return false;
}

/* 어느 서비스 때문이었어, "which host was it due to": the field asked for stands before it, or nothing is
 * named behind. Errors "due to payment-service" are of a cause that no record says. */
static bool asks_whose_fault(struct decision *d)
{
    const struct ag_parse *p = d->p;
    size_t at = p->said[AG_C_CAUSE] - 1;
    const struct ag_target *target = ag_free_target(d);
    size_t next = ag_after(p, at);
    const char *where = ag_reads_value(p, at > 0 ? ag_before(p, at) : SIZE_MAX, AG_C_WHICH);

    if (strcmp(ag_heard_value(d, AG_C_CAUSE), "last") != 0)
        return true;
    if (!target && d->intent->group_count == 0 && ag_is_korean(p, at) && where && *where) {
        ag_group_by_field(d, ag_field_named(where));
        return true;
    }
    if (!target || !ag_heard(d, AG_C_WHICH))
        return false;
    if (ag_is_korean(p, at))
        return ag_after(p, target->to - 1) == at;
    return next == p->tokens->count || ag_reads(p, next, AG_C_STOP) ||
           (p->time_count > 0 && p->times[0].from >= next && p->times[0].from <= next + 1);
}

/* "what's blowing up": which it is, and not when. */
static bool is_asked_what(const struct decision *d)
{
    static const char *const asking[] = {"what", "what's", "whats", "what is", "what are", "what was"};
    static const char *const blown[] = {"blowing up", "blew up", "blown up", "blow up"};
    size_t at = d->p->said[AG_C_SPIKE];

    return ag_says(d->p, 0, asking, sizeof asking / sizeof *asking) && at >= 2 && at <= 3 &&
           ag_says(d->p, at - 1, blown, sizeof blown / sizeof *blown);
}

bool ag_spike_rule(struct decision *d)
{
    bool spike = ag_heard(d, AG_C_SPIKE);

    if (ag_heard(d, AG_C_CAUSE) && !asks_whose_fault(d))
        return false;
    /* "why did errors spike" asks for what rose with it. */
    if (ag_heard(d, AG_C_WHY) && !ag_free_target(d) && d->intent->group_count == 0)
        return false;
    if (!spike && !ag_heard(d, AG_C_CAUSE))
        return false;
    if (!ag_heard(d, AG_C_CAUSE) && (ag_free_target(d) || d->intent->group_count > 0))
        return false; /* "services that surged" would need a comparison of each with itself */
    if (spike && !ag_heard(d, AG_C_CAUSE) && ag_asks_which_error(d->p)) {
        ag_stop(d->p, AG_NOT_UNDERSTOOD,
                ag_say(d->p, "언제 늘었는지는 답하지만, 늘어난 것이 무엇인지는 따로 물어봐 주세요.",
                       "When there were more is told; ask separately which errors they were."),
                ag_say(d->p, "예: \"어제 15시부터 16시까지 재고 서비스 에러 타입별 건수\"",
                       "For example \"errors by error type between 15:00 and 16:00\"."));
        return true;
    }
    if (spike && is_asked_what(d)) {
        ag_stop(d->p, AG_NEEDS_CLARIFICATION,
                ag_say(d->p, "무엇의 무엇이 늘었는지 따로 물어봐 주세요.",
                       "It is not said of what it should be told which there is most of."),
                ag_say(d->p, "예: \"지금 에러가 가장 많은 서비스\"",
                       "For example \"which services have the most errors right now\"."));
        return true;
    }
    ag_use(d, AG_C_SPIKE);
    if (ag_free_target(d) || d->intent->group_count > 0) {
        /* "which component is responsible for the spike": who did most of it. */
        ag_use(d, AG_C_CAUSE);
        ag_use(d, AG_C_WHY);
        ag_use(d, AG_C_MOST);
        ag_group_free_targets(d);
        ag_set_measure(d, AG_COUNT, AG_NO_FIELD);
        d->intent->rank = true;
        d->intent->order = AG_MOST;
        if (spike && !ag_has_field(d->intent, AG_LEVEL) && !ag_has_field(d->intent, AG_HTTP_STATUS) &&
            !ag_has_field(d->intent, AG_STATUS_CLASS) && !ag_heard(d, AG_C_REQUEST)) {
            ag_add_errors(d->p);
            ag_assume(d->p, "spike_of_errors", "급증은 에러의 급증으로 보았습니다.",
                      "The spike is taken to be one of errors.");
        }
        return true;
    }
    if (!spike && causes_errors(d)) {
        /* "what was causing the errors": which they were. */
        ag_use(d, AG_C_CAUSE);
        ag_set_measure(d, AG_COUNT, AG_NO_FIELD);
        ag_group_by_field(d, AG_ERROR_TYPE);
        d->intent->rank = true;
        d->intent->order = AG_MOST;
        ag_assume(d->p, "errors_by_type", "에러를 에러 타입별로 세었습니다.",
                  "Errors are counted by error type.");
        return true;
    }
    if (!spike)
        return false;
    ag_take(d->p, AG_C_TIME_SLOT);
    ag_take(d->p, AG_C_WHEN);
    ag_use(d, AG_C_MOST); /* a spike is the furthest above by itself */
    d->intent->shape = AG_SPIKE;
    ag_set_measure(d, AG_COUNT, AG_NO_FIELD);
    d->intent->bucket_us = d->p->found.bucket_us;
    /* "which day did errors spike" */
    if (d->intent->bucket_us == 0 && ag_heard(d, AG_C_TIME_SLOT) &&
        strcmp(ag_heard_value(d, AG_C_TIME_SLOT), "d") == 0)
        d->intent->bucket_us = AG_DAY;
    d->p->found.bucket_us = 0;
    return true;
}

/* The one condition that was denied of everything a group has, or SIZE_MAX where it is not that plain. */
static size_t denied_filter(const struct ag_intent *intent)
{
    size_t found = SIZE_MAX;

    for (size_t i = 0; i < intent->filter_count; i++) {
        if (intent->filters[i].op != AG_NOT_IN)
            continue;
        if (found != SIZE_MAX)
            return SIZE_MAX;
        found = i;
    }
    return found;
}

bool ag_without_rule(struct decision *d)
{
    struct ag_intent *intent = d->intent;
    struct ag_target *target = ag_free_target(d);
    size_t denied = denied_filter(intent);
    struct ag_filter filter;

    /* "no errors by service" is a break-down, whatever it means. */
    if (!(d->p->negated_whole || d->p->left_out) || denied == SIZE_MAX || !target ||
        intent->group_count > 0 || ag_heard(d, AG_C_COUNT) || ag_heard(d, AG_C_COUNT_PEOPLE) ||
        ag_heard(d, AG_C_REQUEST))
        return false;
    ag_group_by(d, target);
    if (ag_free_target(d) || intent->groups[0].field == intent->filters[denied].field)
        return false;
    filter = intent->filters[denied];
    filter.op = AG_IN;
    ag_filter_remove(intent, denied);
    intent->filters[intent->filter_count++] = filter;
    intent->shape = AG_WITHOUT;
    ag_set_measure(d, AG_COUNT, AG_NO_FIELD);
    ag_assume(d->p, "had_records", "이 기간에 기록이 하나라도 있는 것 가운데에서 찾았습니다.",
              "Looked for among those that have any record in this window.");
    return true;
}

/* carrier 값 뭐뭐 있어, "list the topics", "which regions are there": the values of a key that there are,
 * each with its records. */
static bool values_of_key(struct decision *d, struct ag_target *target)
{
    ag_group_by(d, target);
    if (ag_free_target(d))
        return false;
    ag_use(d, AG_C_DISTINCT);
    ag_filter_add(d->p, AG_METADATA, target->key, AG_NOT_NULL, NULL);
    ag_set_measure(d, AG_COUNT, AG_NO_FIELD);
    d->p->asks_values = true;
    return true;
}

/* What there is: 서비스 목록, "which services are there". */
bool ag_list_names_rule(struct decision *d)
{
    struct ag_target *target = ag_free_target(d);
    bool asks =
        ag_heard(d, AG_C_LIST) || ag_heard(d, AG_C_WHICH) || ag_heard(d, AG_C_SHOW) || ag_heard(d, AG_C_IS);

    if (!target || !asks || d->intent->group_count > 0 || ag_has_field(d->intent, AG_LEVEL) ||
        ag_has_field(d->intent, AG_HTTP_STATUS) || ag_has_field(d->intent, AG_STATUS_CLASS) ||
        ag_has_field(d->intent, AG_MESSAGE) || ag_has_field(d->intent, AG_ERROR_TYPE) ||
        ag_has_field(d->intent, AG_EVENT_TYPE) || ag_heard(d, AG_C_MOST) || ag_heard(d, AG_C_FEWEST) ||
        ag_heard(d, AG_C_TOP) || ag_heard(d, AG_C_BOTTOM) || ag_heard(d, AG_C_HIGHEST) ||
        ag_heard(d, AG_C_LOWEST) || ag_heard(d, AG_C_REQUEST) || d->p->found.threshold.set ||
        d->p->found.length_set)
        return false;
    if (ag_heard(d, AG_C_SUMMARY)) {
        /* 문제 있는 서비스: which kind of trouble is not said. */
        ag_ask_what(d->p);
        return true;
    }
    if (target->field == AG_METADATA)
        return values_of_key(d, target);
    if (target->field == AG_PATTERN || target->field == AG_DURATION)
        return false;
    ag_consume(d->p->tokens, target->from, target->to, "names");
    target->grouped = true;
    ag_set_measure(d, AG_NAMES, target->field);
    return !ag_free_target(d);
}
