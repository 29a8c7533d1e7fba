/*
 * Measures with words of their own: rates, different values, first and last.
 */
#include "agent/understand/decision.h"

#include <string.h>

/* Does a condition on levels leave no errors, or errors alone? "without debug" leaves both sides of a rate.
 */
static bool narrows_levels(const struct ag_intent *intent)
{
    for (size_t i = 0; i < intent->filter_count; i++) {
        const struct ag_filter *f = &intent->filters[i];
        if (f->field == AG_LEVEL &&
            (f->op != AG_NOT_IN || strcmp(f->values[0], "ERROR") == 0 || strcmp(f->values[0], "FATAL") == 0))
            return true;
    }
    return false;
}

/* 총 요청 대비 실패 비율: what the share is of, and no other time. */
static void share_of_requests(struct decision *d)
{
    struct ag_parse *p = d->p;
    size_t at = p->said[AG_C_COMPARE];
    size_t before = at > 1 ? ag_before(p, at - 1) : SIZE_MAX;

    if (!at || strncmp(ag_word(p, at - 1), "대비", strlen("대비")) != 0 || before == SIZE_MAX ||
        !(ag_heard(d, AG_C_PERCENT) || ag_heard(d, AG_C_FAIL_RATE)) ||
        !(ag_reads(p, before, AG_C_REQUEST) || ag_reads(p, before, AG_C_LOG)))
        return;
    p->said[AG_C_COMPARE] = 0;
}

/* Shares: error rate, failure rate, "what percentage of … are …". True when it decided. */
bool ag_rate_rule(struct decision *d)
{
    struct ag_intent *intent = d->intent;
    bool percent = ag_heard(d, AG_C_PERCENT);
    bool of_status = ag_has_field(intent, AG_STATUS_CLASS) || ag_has_field(intent, AG_HTTP_STATUS);

    share_of_requests(d);
    if (d->p->outcome_share) {
        /* Of the events that ended either way, those that ended so. */
        ag_use(d, AG_C_PERCENT);
        struct ag_filter of = {.field = AG_EVENT_TYPE, .op = AG_IN, .value_count = 1};
        of.values[0] = d->p->outcome_share;
        if (intent->filter_count < AG_MAX_FILTERS)
            intent->filters[intent->filter_count++] = of;
        ag_set_measure(d, AG_SHARE, AG_NO_FIELD);
        return true;
    }
    /* "failed with 5xx": the status says what failing is. */
    if (of_status && (ag_heard(d, AG_C_FAIL_RATE) || (percent && ag_heard(d, AG_C_FAIL)))) {
        ag_use(d, AG_C_FAIL_RATE);
        ag_use(d, AG_C_FAIL);
        percent = true;
    } else if (ag_use(d, AG_C_FAIL_RATE) || (percent && ag_heard(d, AG_C_FAIL))) {
        ag_use(d, AG_C_PERCENT);
        ag_use(d, AG_C_FAIL);
        ag_set_measure(d, AG_FAILURE_RATE, AG_NO_FIELD);
        ag_assume(d->p, "failures_are_5xx", "실패는 상태 코드가 있는 기록 가운데 5xx로 보았습니다.",
                  "Failures are 5xx among the records with a status.");
        return true;
    }
    /* What the failure rate leaves. */
    if (!of_status && intent->filter_count + 2 <= AG_MAX_FILTERS && ag_use(d, AG_C_OK_RATE)) {
        ag_use(d, AG_C_PERCENT); /* 성공률 몇 퍼 */
        ag_filter_add(d->p, AG_HTTP_STATUS, NULL, AG_NOT_NULL, NULL);
        ag_filter_add(d->p, AG_STATUS_CLASS, NULL, AG_NOT_IN, "5xx");
        ag_set_measure(d, AG_SHARE, AG_NO_FIELD);
        ag_assume(d->p, "success_is_not_5xx",
                  "성공은 상태 코드가 있는 기록 가운데 5xx가 아닌 것으로 보았습니다.",
                  "Successes are what is not 5xx among the records with a status.");
        return true;
    }
    /* "5xx error rate": of requests, those with that status. */
    if (ag_heard(d, AG_C_RATE) && of_status) {
        ag_use(d, AG_C_RATE);
        percent = true;
    }
    if ((ag_heard(d, AG_C_RATE) && !of_status) || (percent && ag_has_error_filter(intent))) {
        ag_use(d, AG_C_RATE);
        ag_use(d, AG_C_PERCENT);
        ag_drop_error_filter(intent);
        if (narrows_levels(intent) || (ag_heard(d, AG_C_COUNT) && !percent && ag_counts_as_well(d))) {
            ag_stop(
                d->p, AG_NOT_UNDERSTOOD,
                ag_say(d->p, "에러율과 함께 다른 것을 셀 수 없습니다.",
                       "An error rate is of all levels, and asked for alone."),
                ag_say(d->p, "예: \"결제 서비스 에러율\"", "For example \"error rate of payment-service\"."));
            return true;
        }
        ag_set_measure(d, AG_ERROR_RATE, AG_NO_FIELD);
        if (ag_heard(d, AG_C_REQUEST))
            ag_add_requests(d);
        else
            ag_assume(d->p, "error_rate", "에러율은 전체 기록 가운데 ERROR와 FATAL의 비율입니다.",
                      "The error rate is ERROR and FATAL among all records.");
        return true;
    }
    if (percent && intent->filter_count > 0) {
        /* The last condition of a status or level is what the share is of. */
        for (size_t i = intent->filter_count; i-- > 0;) {
            struct ag_filter f = intent->filters[i];
            if (f.field != AG_LEVEL && f.field != AG_HTTP_STATUS && f.field != AG_STATUS_CLASS)
                continue;
            ag_use(d, AG_C_PERCENT);
            ag_filter_remove(intent, i);
            if (f.field != AG_LEVEL)
                ag_filter_add(d->p, AG_HTTP_STATUS, NULL, AG_NOT_NULL, NULL);
            if (intent->filter_count < AG_MAX_FILTERS)
                intent->filters[intent->filter_count++] = f;
            ag_set_measure(d, AG_SHARE, AG_NO_FIELD);
            return true;
        }
    }
    return false;
}

static bool is_countable(enum ag_field field)
{
    return field != AG_MESSAGE && field != AG_DURATION && field != AG_METADATA && field != AG_LEVEL;
}

bool ag_lists_count(const struct ag_parse *p, const struct ag_target *target)
{
    return (ag_is_korean(p, target->from) || ag_is_korean(p, target->to)) && ag_joins_list(p, target->to) &&
           ag_reads(p, target->to + 1, AG_C_COUNT);
}

bool ag_counts_target(const struct decision *d, const struct ag_target *target)
{
    size_t next = ag_after(d->p, target->to - 1);
    size_t before = target->from > 0 ? ag_before(d->p, target->from) : SIZE_MAX;
    const struct ag_mention *whose = ag_mention_ending(d->p, target->from);
    bool korean;

    if (ag_lists_count(d->p, target))
        return false;
    /* "how many kr players"; "how many error users" may be either's number */
    if (whose && !whose->negated && whose->from > 0 && !ag_is_korean(d->p, target->from) &&
        whose->field != AG_LEVEL && whose->field != AG_HTTP_STATUS && whose->field != AG_STATUS_CLASS)
        before = ag_before(d->p, whose->from);
    while (before != SIZE_MAX && before > 0 &&
           (ag_reads(d->p, before, AG_C_DISTINCT) || ag_reads(d->p, before, AG_C_PREPOSITION) ||
            ag_reads(d->p, before, AG_C_SLOW) || strcmp(ag_word(d->p, before), "of the") == 0 ||
            strcmp(ag_word(d->p, before), "our") == 0))
        before = ag_before(d->p, before);
    while (ag_reads(d->p, next, AG_C_DISTINCT) || strcmp(ag_word(d->p, next), "총") == 0)
        next = ag_after(d->p, next);
    korean = ag_is_korean(d->p, target->from) || ag_is_korean(d->p, next);
    if (ag_reads(d->p, target->to, AG_C_ERROR) || ag_reads(d->p, target->to, AG_C_REQUEST))
        return false; /* "client errors" are no clients */
    return (korean && (ag_reads(d->p, next, AG_C_COUNT) || ag_reads(d->p, next, AG_C_COUNT_PEOPLE))) ||
           (before != SIZE_MAX && ag_reads(d->p, before, AG_C_COUNT) &&
            (!ag_is_korean(d->p, before) || strncmp(ag_word(d->p, before), "몇", strlen("몇")) == 0));
}

/* "distinct errors": different in what is not said. */
static bool distinct_of_records(const struct decision *d)
{
    size_t at = d->p->said[AG_C_DISTINCT];
    size_t next = at ? ag_after(d->p, at - 1) : SIZE_MAX;

    return at && !ag_is_korean(d->p, at - 1) &&
           (ag_reads(d->p, next, AG_C_ERROR) || ag_reads(d->p, next, AG_C_LEVEL)) &&
           !ag_reads(d->p, next, AG_C_FIELD);
}

/* 몇 종류의 에러: different in what is not said. */
static bool counts_kinds(const struct decision *d)
{
    const char *word = ag_heard(d, AG_C_COUNT) ? ag_word(d->p, d->p->said[AG_C_COUNT] - 1) : "";

    return strcmp(word, "몇 종류") == 0 || strcmp(word, "몇 가지") == 0;
}

/* 서비스 종류 알려줘, "show me the distinct services". 고유 사용자 알려줘 may be of their number. */
static bool shows_kinds(const struct decision *d, const struct ag_target *target)
{
    size_t at = d->p->said[AG_C_DISTINCT] - 1;

    return ag_is_korean(d->p, at) ? strcmp(ag_word(d->p, at), "종류") == 0 : target->field != AG_USER_ID;
}

/* 브라우저 종류 뭐뭐 있어, "which different browsers": what they are, not how many. */
static bool asks_what(const struct decision *d, const struct ag_target *target)
{
    size_t at = d->p->said[AG_C_DISTINCT] - 1;

    /* 어떤 error_type들이 기록되는지 종류만 알려줘 */
    if (ag_is_korean(d->p, at) && shows_kinds(d, target) && ag_reads(d->p, ag_after(d->p, at), AG_C_SHOW))
        return true;
    if (ag_after(d->p, target->to - 1) != at && ag_after(d->p, at) != target->from)
        return false;
    for (size_t i = 0; i < d->p->tokens->count; i++) {
        if (ag_reads(d->p, i, AG_C_SHOW) && ag_is_korean(d->p, i) && i > target->from &&
            (strncmp(ag_word(d->p, i), "뭐", strlen("뭐")) == 0 ||
             strncmp(ag_word(d->p, i), "무엇", strlen("무엇")) == 0))
            return true;
    }
    return ag_heard(d, AG_C_WHICH) || (ag_heard(d, AG_C_SHOW) && shows_kinds(d, target));
}

/* 몇 번, 얼마, "how often": of something that happens or grows, not of different ones. */
static bool asks_how_often(const struct decision *d)
{
    static const char *const words[] = {"번", "회", "횟수", "얼마", "times", "often", "much", "frequency"};
    const char *word = ag_heard(d, AG_C_COUNT) ? ag_word(d->p, d->p->said[AG_C_COUNT] - 1) : "";

    for (size_t k = 0; k < sizeof words / sizeof *words; k++) {
        if (strstr(word, words[k]))
            return true;
    }
    return false;
}

/* 어느 서비스가 몇 번, 무슨 요일에 몇 건씩: the records of each, not how many of them there are. */
static bool counts_of_each(const struct decision *d, const struct ag_target *target)
{
    static const char *const of_records[] = {"번", "건", "회"};
    size_t before = target->from > 0 ? ag_before(d->p, target->from) : SIZE_MAX;
    const char *word;

    if (before == SIZE_MAX || !ag_is_korean(d->p, before) || !ag_reads(d->p, before, AG_C_WHICH) ||
        !ag_heard(d, AG_C_COUNT) || d->p->said[AG_C_COUNT] <= target->to)
        return false;
    word = ag_word(d->p, d->p->said[AG_C_COUNT] - 1);
    for (size_t k = 0; k < sizeof of_records / sizeof *of_records; k++) {
        if (strstr(word, of_records[k]))
            return true;
    }
    return false;
}

/* How many different values a key of the metadata or the tags have, which no record has as a field of its
 * own: as many as there are groups of at least one record. */
static bool counts_values(struct decision *d, struct ag_target *target)
{
    if ((target->field != AG_METADATA && target->field != AG_TAG) || d->intent->group_count > 0 ||
        !(ag_heard(d, AG_C_DISTINCT) ||
          (ag_counts_target(d, target) && !asks_how_often(d) &&
           (target->field == AG_TAG || ag_is_never_a_number(d->p, target->key)))))
        return false;
    ag_group_by(d, target);
    ag_use(d, AG_C_DISTINCT);
    d->p->said[AG_C_COUNT] = 0;
    d->p->counted = true;
    ag_set_measure(d, AG_COUNT, AG_NO_FIELD);
    d->p->asks_values = true;
    d->intent->threshold = (struct ag_threshold){.set = true, .op = AG_AT_LEAST, .value = 1};
    d->intent->rank = true;
    return true;
}

/* How many different ones. */
bool ag_distinct_rule(struct decision *d)
{
    struct ag_target *target = ag_free_target(d);
    bool people = ag_heard(d, AG_C_COUNT_PEOPLE);

    if (target && !people && counts_of_each(d, target)) {
        ag_group_by(d, target);
        return false;
    }
    if (target && !people && (!ag_heard(d, AG_C_COUNT) || asks_how_often(d)) && ag_heard(d, AG_C_DISTINCT) &&
        (ag_heard(d, AG_C_LIST) || asks_what(d, target))) {
        ag_use(d, AG_C_DISTINCT);
        return false;
    }
    if (distinct_of_records(d))
        return false;
    if (!target && !people && counts_kinds(d)) {
        ag_stop(d->p, AG_NOT_UNDERSTOOD,
                ag_say(d->p, "무엇의 종류를 세는지 알 수 없습니다.", "It is not said kinds of what."),
                ag_say(d->p, "예: \"에러 타입 몇 가지?\"", "For example \"how many error types?\""));
        return true;
    }
    if (target && people && target->field != AG_USER_ID)
        target = NULL; /* "endpoints by number of users" */
    if (target && !people && counts_values(d, target))
        return true;
    if (target && is_countable(target->field) &&
        (ag_heard(d, AG_C_DISTINCT) || people || ag_counts_target(d, target))) {
        ag_consume(d->p->tokens, target->from, target->to, "distinct");
        target->grouped = true;
        ag_use(d, AG_C_DISTINCT);
        ag_use(d, AG_C_COUNT_PEOPLE);
        ag_set_measure(d, AG_DISTINCT, people ? AG_USER_ID : target->field);
        /* 기사님 몇 명, user_id 중복 빼고: the field is said twice. */
        while ((target = ag_free_target(d)) != NULL && target->field == d->intent->measure.field) {
            ag_consume(d->p->tokens, target->from, target->to, "said twice");
            target->grouped = true;
        }
        return true;
    }
    if (people) {
        ag_use(d, AG_C_COUNT_PEOPLE);
        ag_use(d, AG_C_DISTINCT);
        ag_set_measure(d, AG_DISTINCT, AG_USER_ID);
        return true;
    }
    return false;
}

bool ag_asks_what_it_was(const struct ag_parse *p, size_t when)
{
    size_t before = when > 1 ? ag_before(p, when - 1) : SIZE_MAX;
    /* "what was it and when" */
    bool joined = before != SIZE_MAX && ag_reads(p, before, AG_C_AND) && ag_reads(p, when - 1, AG_C_WHEN);

    for (size_t i = joined ? 0 : when; i < p->tokens->count; i++) {
        const char *word = ag_word(p, i);
        if (ag_reads(p, i, AG_C_SHOW) &&
            (strncmp(word, "뭐", strlen("뭐")) == 0 || strncmp(word, "뭔", strlen("뭔")) == 0 ||
             strncmp(word, "무엇", strlen("무엇")) == 0 || strncmp(word, "what", strlen("what")) == 0))
            return true;
    }
    return false;
}

void ag_what_they_were(struct decision *d)
{
    static const char *const words[] = {"뭐였", "뭐야", "뭔", "뭐지", "뭐임", "뭐예요", "뭐에요", "무엇"};
    struct ag_parse *p = d->p;
    const struct ag_intent *in = d->intent;
    bool asked = false;

    if (in->measure.fn != AG_COUNT || in->group_count > 0 || in->shape != AG_PLAIN || p->target_count > 0 ||
        !ag_heard(d, AG_C_COUNT) || !ag_has_error_filter(in) || ag_has_field(in, AG_ERROR_TYPE) ||
        in->measure.also_count > 0)
        return;
    for (size_t i = p->said[AG_C_COUNT]; i < p->tokens->count; i++) {
        const char *word = ag_word(p, i);
        for (size_t k = 0; k < sizeof words / sizeof *words; k++)
            asked = asked || (ag_reads(p, i, AG_C_SHOW) && strncmp(word, words[k], strlen(words[k])) == 0);
        asked = asked ||
                (ag_is_korean(p, i) && ag_reads(p, i, AG_C_WHICH) && ag_reads(p, i + 1, AG_C_ERROR)) ||
                (strcmp(word, "뭐") == 0 && ag_reads(p, i + 1, AG_C_ENDING) && p->tokens->items[i + 1].glued);
    }
    if (asked)
        ag_group_errors(d);
}

/* "when did it last happen and on which host", 마지막으로 언제 어느 호스트에서: the one record has both. */
static bool asks_where_as_well(struct decision *d)
{
    struct ag_parse *p = d->p;
    struct ag_target *target = ag_free_target(d);
    size_t before = target && target->from > 0 ? ag_before(p, target->from) : SIZE_MAX;

    if (!target || p->target_count != 1 || target->field == AG_METADATA || d->intent->group_count > 0 ||
        p->found.limit > 0 || before == SIZE_MAX || !ag_reads(p, before, AG_C_WHICH) ||
        before < p->said[AG_C_WHEN])
        return false;
    ag_consume(p->tokens, target->from, target->to, "shown");
    p->target_count = 0;
    return true;
}

/* "what time did the first one happen", 처음 난 게 몇 시야: when, and no hour of the day. */
static void take_what_time(struct ag_parse *p)
{
    static const char *const words[] = {"what time", "몇 시", "몇시"};

    for (size_t i = 0; i < p->tokens->count; i++) {
        if (!ag_is(p->tokens, i, AG_C_TIME_SLOT) || !ag_says(p, i, words, sizeof words / sizeof *words))
            continue;
        ag_consume(p->tokens, i, i + 1, ag_concept_name(AG_C_WHEN));
        p->said[AG_C_WHEN] = i + 1;
    }
}

/* "time of the most recent FATAL", "date and time of the first error": when that was. */
static void take_time_of(struct ag_parse *p)
{
    static const char *const words[] = {"time", "date", "day"};
    static const enum ag_concept ends[] = {AG_C_NEWEST, AG_C_OLDEST, AG_C_FIRST, AG_C_FINAL, AG_C_LAST};

    for (size_t i = 0; i + 2 < p->tokens->count; i++) {
        size_t end = ag_after(p, i + 1);
        size_t start = i;
        bool one = false;
        for (size_t k = 0; k < sizeof ends / sizeof *ends; k++)
            one = one || ag_reads(p, end, ends[k]);
        if (p->tokens->items[i].rule || !one || !ag_says(p, i, words, sizeof words / sizeof *words) ||
            strncmp(ag_word(p, i + 1), "of", 2) != 0)
            continue;
        if (i > 1 && ag_reads(p, i - 1, AG_C_AND) && ag_says(p, i - 2, words, sizeof words / sizeof *words))
            start = i - 2;
        ag_consume(p->tokens, start, i + 1, ag_concept_name(AG_C_WHEN));
        p->said[AG_C_WHEN] = start + 1;
    }
}

bool ag_asks_how_long(const struct ag_parse *p)
{
    for (size_t i = 0; i < p->tokens->count; i++) {
        const char *word = ag_word(p, i);
        if (strncmp(word, "얼마나", strlen("얼마나")) == 0 || strncmp(word, "how long", 8) == 0)
            return true;
    }
    return false;
}

/* First and last. */
bool ag_seen_rule(struct decision *d)
{
    bool when = false;
    bool last;
    bool show = ag_heard(d, AG_C_SHOW) && !ag_heard(d, AG_C_COUNT);

    take_time_of(d->p);
    if (!ag_heard(d, AG_C_COUNT) && ag_use(d, AG_C_STILL)) {
        ag_set_measure(d, AG_LAST_SEEN, AG_NO_FIELD);
        return true;
    }
    last = ag_take(d->p, AG_C_FINAL) || (!ag_heard(d, AG_C_NEWEST) && ag_take(d->p, AG_C_LAST));
    if (!ag_heard(d, AG_C_FIRST) && !last) {
        /* "when was the latest error" */
        if (ag_heard(d, AG_C_NEWEST) && ag_take(d->p, AG_C_WHEN)) {
            ag_use(d, AG_C_NEWEST);
            if (ag_asks_what_it_was(d->p, d->p->said[AG_C_WHEN]))
                ag_list_one(d, AG_NEWEST);
            else
                ag_set_measure(d, AG_LAST_SEEN, AG_NO_FIELD);
            return true;
        }
        return false;
    }
    if (!d->p->found.threshold.set)
        take_what_time(d->p);
    when = ag_take(d->p, AG_C_WHEN);
    if (ag_heard(d, AG_C_FIRST) && last)
        return false;
    if (when && asks_where_as_well(d)) {
        ag_use(d, AG_C_FIRST);
        ag_list_one(d, last ? AG_NEWEST : AG_OLDEST);
        return true;
    }
    if ((ag_heard(d, AG_C_COUNT) && !when) || ag_free_target(d)) {
        /* A number of firsts, or who was first. */
        if (last)
            ag_stop(d->p, AG_NOT_UNDERSTOOD,
                    ag_say(d->p, "마지막이 무엇을 뜻하는지 알 수 없습니다.",
                           "It is not clear what \"last\" asks for here."),
                    NULL);
        return false;
    }
    ag_use(d, AG_C_FIRST);
    if ((!when && (show || d->p->found.limit > 0)) ||
        (when && ag_asks_what_it_was(d->p, d->p->said[AG_C_WHEN]))) {
        ag_list_one(d, last ? AG_NEWEST : AG_OLDEST);
        return true;
    }
    ag_set_measure(d, last ? AG_LAST_SEEN : AG_FIRST_SEEN, AG_NO_FIELD);
    return true;
}
