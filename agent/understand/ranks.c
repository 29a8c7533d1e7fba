/*
 * What is left when no measure spoke for itself: rankings, break-downs, lists and plain counts.
 */
#include "agent/understand/decision.h"

#include <string.h>

/* 가장 에러가 적은, 제일 응답이 빠른: the word of degree apart from what it is of. */
static bool is_degree_alone(const struct decision *d)
{
    static const char *const words[] = {"가장", "제일", "젤"};
    size_t at = d->p->said[AG_C_MOST];

    return at && ag_says(d->p, at - 1, words, sizeof words / sizeof *words) && !ag_heard(d, AG_C_HIGHEST) &&
           !ag_heard(d, AG_C_TOP) && (d->p->said[AG_C_FEWEST] > at || d->p->said[AG_C_LOWEST] > at);
}

static bool rank_words(struct decision *d)
{
    static const enum ag_concept few[] = {AG_C_FEWEST, AG_C_LOWEST, AG_C_BOTTOM};
    static const enum ag_concept many[] = {AG_C_MOST, AG_C_HIGHEST, AG_C_TOP};
    bool least = ag_use_any(d, few, 3);
    bool most = ag_use_any(d, many, 3) && !(least && is_degree_alone(d));

    if (!least && !most)
        return false;
    if (least && most)
        ag_stop(d->p, AG_NOT_UNDERSTOOD,
                ag_say(d->p, "많은 순인지 적은 순인지 알 수 없습니다.",
                       "It is not clear whether the most or the fewest are asked for."),
                NULL);
    d->intent->rank = true;
    d->intent->order = least ? AG_FEWEST : AG_MOST;
    return true;
}

/* The field several values of which are asked about ("order or payment"), or none. */
static enum ag_field several(const struct ag_intent *intent)
{
    for (size_t i = 0; i < intent->filter_count; i++) {
        const struct ag_filter *f = &intent->filters[i];
        if (f->op == AG_IN && f->value_count > 1 && f->field != AG_LEVEL && f->field != AG_METADATA)
            return f->field;
    }
    return AG_NO_FIELD;
}

/* 서비스의 호스트, 사용자가 제일 많은 서비스: two fields that are not listed side by side. */
static bool of_one_another(const struct decision *d)
{
    const struct ag_target *first = NULL;

    for (size_t k = 0; k < d->p->target_count; k++) {
        const struct ag_target *target = &d->p->targets[k];
        bool listed = false;
        if (target->grouped || !ag_is_korean(d->p, target->from))
            continue;
        for (size_t i = first ? first->to : 0; first && i < target->from; i++)
            listed = listed || ag_joins_list(d->p, i);
        if (first && !listed && target->field != AG_ERROR_TYPE && first->field != AG_ERROR_TYPE)
            return true;
        first = target;
    }
    return false;
}

/* Errors by what they say, where messages were asked for; else by their type. */
void ag_group_errors(struct decision *d)
{
    const char *word = ag_heard(d, AG_C_ERROR) ? ag_word(d->p, d->p->said[AG_C_ERROR] - 1) : "";

    if (strstr(word, "message") || strstr(word, "메시지") || strstr(word, "메세지")) {
        ag_group_by_field(d, AG_PATTERN);
        ag_assume(d->p, "messages_by_pattern", "숫자와 이름만 다른 메시지는 같은 것으로 보았습니다.",
                  "Messages that differ in numbers and names only are taken as one.");
        return;
    }
    ag_group_by_field(d, AG_ERROR_TYPE);
    ag_assume(d->p, "errors_by_type", "에러를 에러 타입별로 나누었습니다.",
              "Errors are told apart by error type.");
}

/* 지난주보다 많이 늘었어?, 크게 줄었나: how much, and no ranking of what changed. */
static void degree_of_change(struct decision *d)
{
    static const char *const words[] = {"많이", "많은"};
    size_t at = d->p->said[AG_C_MOST];

    if (at && ag_says(d->p, at - 1, words, sizeof words / sizeof *words) &&
        ag_reads(d->p, at, AG_C_COMPARE) && d->p->target_count == 0 && !ag_heard(d, AG_C_WHICH) &&
        !ag_heard(d, AG_C_SHOW))
        d->p->said[AG_C_MOST] = 0;
}

/* 어떤 에러가 어제보다 늘었어?: those whose number changed most. */
static void which_errors_changed(struct decision *d)
{
    bool changed = false;

    for (size_t i = 0; i < d->p->tokens->count; i++) {
        const char *way = ag_reads_value(d->p, i, AG_C_COMPARE);
        changed = changed || (way && *way);
    }
    if (!changed || !ag_heard(d, AG_C_COMPARE) || ag_heard(d, AG_C_MOST) || d->p->target_count > 0 ||
        d->intent->group_count > 0 || !ag_has_error_filter(d->intent) || !ag_asks_which_error(d->p))
        return;
    ag_group_errors(d);
    d->intent->rank = true;
    d->intent->order = AG_MOST;
}

/* 에러 많이 났어, "were there many errors": how many there were. */
static bool asks_whether_many(const struct decision *d)
{
    static const char *const words[] = {"많이", "많았", "many", "a lot of", "lots of"};
    size_t at = d->p->said[AG_C_MOST];

    return at && ag_says(d->p, at - 1, words, sizeof words / sizeof *words) && !ag_heard(d, AG_C_WHICH) &&
           !ag_heard(d, AG_C_SHOW) && !ag_heard(d, AG_C_TOP) && !ag_heard(d, AG_C_HIGHEST) &&
           !ag_heard(d, AG_C_WHY) && d->p->found.limit == 0;
}

void ag_rank_rule(struct decision *d)
{
    struct ag_target *target = ag_free_target(d);
    bool ranked;

    degree_of_change(d);
    which_errors_changed(d);
    if (!ag_heard(d, AG_C_MOST) && !ag_heard(d, AG_C_FEWEST) && !ag_heard(d, AG_C_HIGHEST) &&
        !ag_heard(d, AG_C_LOWEST) && !ag_heard(d, AG_C_TOP) && !ag_heard(d, AG_C_BOTTOM))
        return;
    if (!target && d->intent->group_count == 0 && asks_whether_many(d)) {
        ag_use(d, AG_C_MOST);
        d->p->said[AG_C_COUNT] = d->p->said[AG_C_MOST];
        return;
    }
    if (!target && d->intent->group_count == 0) {
        const char *where = ag_heard(d, AG_C_WHICH) ? ag_heard_value(d, AG_C_WHICH) : "";
        enum ag_field listed = several(d->intent);
        if (listed != AG_NO_FIELD) {
            ag_group_by_field(d, listed);
        } else if (strcmp(where, "user_id") == 0) {
            ag_group_by_field(d, AG_USER_ID);
        } else if (ag_has_error_filter(d->intent) && *where == '\0' && d->intent->measure.fn != AG_DISTINCT) {
            ag_group_errors(d);
        } else if (*where) {
            ag_group_by_field(d, AG_SERVICE);
            ag_assume(d->p, "where_is_service", "어디인지는 서비스로 보았습니다.",
                      "Where is taken to be which service.");
        } else {
            return;
        }
    }
    if (strcmp(ag_word(d->p, d->p->said[AG_C_MOST] ? d->p->said[AG_C_MOST] - 1 : SIZE_MAX), "worst") == 0 &&
        d->intent->measure.fn == AG_COUNT && d->intent->filter_count == 0) {
        ag_ask_what(d->p);
        return;
    }
    ranked = rank_words(d);
    if (ranked && of_one_another(d)) {
        ag_stop(d->p, AG_NOT_UNDERSTOOD,
                ag_say(d->p, "한 번에 한 가지의 순위만 물을 수 있습니다.", "Ask for one ranking at a time."),
                ag_say(d->p, "예: \"에러가 가장 많은 서비스\"",
                       "For example \"services with the most errors\"."));
        return;
    }
    if (ranked)
        ag_group_free_targets(d);
}

/* A field left: "services with errors", 에러 난 서비스, 10건 이상인 서비스, 같은 IP에서. */
/* Does the field stand right before what it describes, as in "service errors" or 서비스 에러? */
static bool describes(const struct decision *d, const struct ag_target *target)
{
    size_t next = target->to;

    return ag_reads(d->p, next, AG_C_ERROR) || ag_reads(d->p, next, AG_C_RATE) ||
           ag_reads(d->p, next, AG_C_LOG) || ag_reads(d->p, next, AG_C_LEVEL) ||
           ag_reads(d->p, next, AG_C_DURATION) || ag_reads(d->p, next, AG_C_REQUEST);
}

/* 크롬 사용자 에러율, "mobile users' errors": whose, by a value said right before. */
static bool are_of_a_value(const struct decision *d, const struct ag_target *target)
{
    const struct ag_mention *m = ag_mention_ending(d->p, target->from);

    return target->field == AG_USER_ID && m && !m->negated &&
           (m->field == AG_BROWSER || m->field == AG_DEVICE || m->field == AG_METADATA);
}

/* "did any host have errors": whichever it is. */
static bool is_any(const struct ag_parse *p, size_t i)
{
    const char *before = i > 0 ? ag_word(p, i - 1) : "";
    size_t len = strlen(before);

    return len >= 3 && strcmp(before + len - 3, "any") == 0;
}

/* Is the field what the conditions are said of: 에러 난 서비스, "hosts with errors"? */
static bool is_head(const struct decision *d, const struct ag_target *target)
{
    const char *word = ag_word(d->p, target->from);
    size_t len = strlen(word);

    if (d->p->language == AG_EN)
        return ((len > 1 && word[len - 1] == 's') || is_any(d->p, target->from)) && !describes(d, target);
    for (size_t i = 0; i < d->p->mention_count; i++) {
        if (d->p->mentions[i].from > target->from)
            return false;
    }
    return d->p->mention_count > 0;
}

/* "show me the errors with their user ids": beside the records, or counted by? */
static bool goes_with(const struct ag_parse *p, const struct ag_target *target)
{
    static const char *const with[] = {"with", "including", "along with", "together with"};
    static const char *const whose[] = {"their", "its", "the"};
    size_t i = target->from;

    while (i > 0 && ag_says(p, i - 1, whose, sizeof whose / sizeof *whose))
        i--;
    return i > 1 && ag_says(p, i - 1, with, sizeof with / sizeof *with) && p->found.limit == 0 &&
           !p->found.threshold.set;
}

/* One trace or session is read from its beginning. */
static bool follows_one(const struct ag_intent *intent)
{
    for (size_t i = 0; i < intent->filter_count; i++) {
        const struct ag_filter *f = &intent->filters[i];
        if ((f->field == AG_TRACE_ID || f->field == AG_SESSION_ID) && f->op == AG_IN)
            return true;
    }
    return false;
}

/* 순서대로 by itself is the order of time; behind another word it is that word's. */
static bool says_in_order(const struct decision *d)
{
    static const char *const words[] = {"순서대로", "순서로"};
    size_t at = d->p->said[AG_C_ORDER];

    return at && ag_says(d->p, at - 1, words, sizeof words / sizeof *words) && !ag_heard(d, AG_C_SLOW) &&
           !ag_heard(d, AG_C_DURATION);
}

void ag_left_target_rule(struct decision *d)
{
    struct ag_target *target = ag_free_target(d);
    bool narrowed = d->intent->filter_count > 0;
    bool same;

    if (target && goes_with(d->p, target)) {
        ag_stop(d->p, AG_NEEDS_CLARIFICATION,
                ag_say(d->p, "기록을 보여 줄지, 그것별로 셀지 알 수 없습니다.",
                       "It is not clear whether the records are to be shown, or counted by that."),
                ag_say(d->p, "예: \"에러 보여줘\", \"사용자별 에러\"",
                       "For example \"show errors\" (with all their fields), or \"errors by user\"."));
        return;
    }

    if (!target && d->intent->group_count == 0 && ag_heard(d, AG_C_DISTRIBUTION) &&
        ag_has_error_filter(d->intent) && d->intent->measure.fn != AG_DISTINCT) {
        ag_use(d, AG_C_DISTRIBUTION);
        ag_group_errors(d);
    }
    if (!target)
        return;
    same = ag_use(d, AG_C_SAME);
    if (d->p->found.threshold.set || d->p->found.length_set || same || ag_use(d, AG_C_DISTRIBUTION)) {
        ag_group_free_targets(d);
        d->intent->rank = d->p->found.threshold.set;
        return;
    }
    /* "the services of that trace, in order": of time */
    if (says_in_order(d) && follows_one(d->intent))
        return;
    if (ag_heard(d, AG_C_ORDER)) {
        ag_group_free_targets(d);
        d->intent->rank = true;
        d->intent->order = AG_MOST;
        return;
    }
    if ((target->field == AG_SERVICE || are_of_a_value(d, target)) && describes(d, target) &&
        !ag_heard(d, AG_C_WHICH)) {
        /* "service errors": the word adds nothing. */
        ag_consume(d->p->tokens, target->from, target->to, "service");
        target->grouped = true;
        ag_left_target_rule(d);
        return;
    }
    if ((target->field == AG_LEVEL || target->field == AG_HTTP_STATUS || target->field == AG_STATUS_CLASS) &&
        !ag_heard(d, AG_C_COUNT)) {
        ag_group_free_targets(d);
        return;
    }
    if (ag_lists_count(d->p, target) ||
        ((ag_heard(d, AG_C_WHICH) || (narrowed && is_head(d, target))) && !ag_heard(d, AG_C_COUNT))) {
        ag_group_free_targets(d);
        d->intent->rank = true;
        d->intent->order = AG_MOST;
    }
}

/* "errors last week, total" asks for a number; "all errors" does not. */
bool ag_wants_total(const struct decision *d)
{
    for (size_t i = 0; i < d->p->tokens->count; i++) {
        const char *value = ag_reads_value(d->p, i, AG_C_TOTAL);
        if (value && *value && d->p->tokens->items[i].rule &&
            strcmp(d->p->tokens->items[i].rule, "total") == 0)
            return true;
    }
    return false;
}

static bool says_around(const struct ag_parse *p)
{
    for (size_t i = 0; i < p->tokens->count; i++) {
        if (ag_reads(p, i, AG_C_AROUND) && p->tokens->items[i].rule)
            return true;
    }
    return false;
}

static bool says_rows(const struct ag_parse *p)
{
    for (size_t i = 0; i < p->tokens->count; i++) {
        const char *word = ag_word(p, i);
        /* "warnings in the last hour pls": give me them */
        if (strcmp(word, "pls") == 0 || strcmp(word, "please") == 0 || strcmp(word, "plz") == 0)
            return true;
        if (ag_reads(p, i, AG_C_EVERY) || (ag_reads(p, i, AG_C_ERROR) && (strstr(ag_word(p, i), "message") ||
                                                                          strstr(ag_word(p, i), "log"))))
            return true;
    }
    return says_around(p);
}

/* "errors today excluding staging": nobody said show, list, logs or latest. English names what is to be
 * counted so; Korean does not tell. */
static bool names_an_amount(const struct decision *d)
{
    static const enum ag_concept rows[] = {
        AG_C_LOG,     AG_C_SHOW,    AG_C_LIST,     AG_C_WHICH, AG_C_NEWEST, AG_C_OLDEST,      AG_C_IS,
        AG_C_REQUEST, AG_C_HISTORY, AG_C_RESPONSE, AG_C_FIRST, AG_C_TOTAL,  AG_C_EVENT_ANCHOR};
    static const enum ag_field looked_up[] = {AG_USER_ID, AG_TRACE_ID, AG_SESSION_ID, AG_CLIENT_IP,
                                              AG_MESSAGE, AG_SPAN_ID,  AG_TAG,        AG_EVENT_TYPE};

    if (d->p->language != AG_EN || d->p->time_count == 0 || d->p->found.limit > 0 || d->p->found.length_set ||
        !ag_has_field(d->intent, AG_LEVEL))
        return false;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (ag_heard(d, rows[i]))
            return false;
    }
    /* "every FATAL today", "error messages", "errors around 2 pm", "at 14:05" are to be read. */
    if ((d->p->times[0].instant && d->p->times[0].precision != 'h') || says_rows(d->p))
        return false;
    for (size_t i = 0; i < sizeof looked_up / sizeof *looked_up; i++) {
        if (ag_has_field(d->intent, looked_up[i]))
            return false;
    }
    return true;
}

static bool wants_list(const struct decision *d)
{
    return !names_an_amount(d) && !ag_heard(d, AG_C_COUNT) && !ag_wants_total(d) &&
           !ag_heard(d, AG_C_COUNT_PEOPLE) && d->intent->group_count == 0;
}

/* 마지막 에러 뭐였어, 가장 최근 로그 뭐야: one of it. 뭐뭐 and 에러들 are of several. */
static bool asks_which_was_last(const struct ag_parse *p, size_t at)
{
    static const char *const last[] = {"마지막", "가장 최근", "제일 최근"};
    size_t noun = ag_after(p, at);

    if (!ag_says(p, at, last, sizeof last / sizeof *last) || strncmp(ag_word(p, noun + 1), "들", 3) == 0 ||
        !(ag_reads(p, noun, AG_C_ERROR) || ag_reads(p, noun, AG_C_LEVEL) || ag_reads(p, noun, AG_C_LOG)))
        return false;
    for (size_t i = noun + 1; i < p->tokens->count; i++) {
        if (strncmp(ag_word(p, i), "뭐뭐", strlen("뭐뭐")) == 0 || strncmp(ag_word(p, i), "뭐 ", 4) == 0)
            return false;
    }
    return ag_asks_what_it_was(p, noun);
}

/* "the latest error": one of it. */
static bool is_one(const struct ag_parse *p, size_t at)
{
    size_t noun = ag_after(p, at);
    const char *word;
    size_t len;

    while (noun < p->tokens->count && (ag_reads(p, noun + 1, AG_C_LOG) || ag_reads(p, noun + 1, AG_C_ERROR)))
        noun++;
    word = ag_word(p, noun);
    len = strlen(word);
    if (asks_which_was_last(p, at))
        return true;
    return !ag_is_korean(p, at) && len > 1 && word[len - 1] != 's' &&
           (ag_reads(p, noun, AG_C_ERROR) || ag_reads(p, noun, AG_C_LEVEL) || ag_reads(p, noun, AG_C_LOG));
}

void ag_list_order(struct decision *d)
{
    struct ag_intent *intent = d->intent;

    if (d->p->found.limit == 0 && ag_heard(d, AG_C_NEWEST) && is_one(d->p, d->p->said[AG_C_NEWEST] - 1))
        d->p->found.limit = 1;
    if (ag_use(d, AG_C_OLDEST))
        intent->order = AG_OLDEST;
    else if (ag_use(d, AG_C_NEWEST) || d->p->found.limit_newest)
        intent->order = AG_NEWEST;
    else if (says_in_order(d))
        intent->order = AG_OLDEST;
    if (intent->order == AG_ORDER_DEFAULT)
        intent->order =
            d->p->found.limit_oldest || follows_one(intent) || says_around(d->p) ? AG_OLDEST : AG_NEWEST;
}

/* 무슨 일 있었는지 순서대로, "what happened in session …": told by the records themselves. */
static bool asks_what_happened_in_order(const struct decision *d)
{
    return ag_heard(d, AG_C_OLDEST) || says_in_order(d) ||
           (follows_one(d->intent) && strcmp(ag_heard_value(d, AG_C_SUMMARY), "happened") == 0);
}

void ag_plain_rule(struct decision *d)
{
    struct ag_intent *intent = d->intent;

    if (ag_heard(d, AG_C_SUMMARY) && intent->group_count == 0 && !ag_heard(d, AG_C_COUNT) &&
        !ag_heard(d, AG_C_COMPARE) && !asks_what_happened_in_order(d)) {
        ag_set_measure(d, AG_COUNT, AG_NO_FIELD);
        ag_group_by_field(d, AG_LEVEL);
        ag_assume(d->p, "summary_by_level", "요약으로 레벨별 건수를 보여 줍니다.",
                  "As a summary, records are counted by level.");
        return;
    }
    if (ag_use(d, AG_C_WHY)) {
        if (!ag_has_error_filter(intent) || intent->group_count > 0) {
            d->used[AG_C_WHY] = false;
            return;
        }
        ag_set_measure(d, AG_COUNT, AG_NO_FIELD);
        ag_use(d, AG_C_MOST);
        ag_use(d, AG_C_SPIKE);
        intent->shape = AG_EVIDENCE;
        ag_assume(d->p, "evidence", "원인을 단정하지 않고, 앞 기간보다 늘어난 것을 근거로 보여 줍니다.",
                  "No cause is claimed: what there is more of than before is shown as evidence.");
        return;
    }
    if (ag_asks_where(d) != AG_NO_FIELD) {
        enum ag_field field = ag_asks_where(d);
        ag_set_measure(d, AG_COUNT, AG_NO_FIELD);
        ag_group_by_field(d, field);
        intent->rank = true;
        intent->order = AG_MOST;
        if (field == AG_SERVICE)
            ag_assume(d->p, "where_is_service", "어디인지는 서비스로 보았습니다.",
                      "Where is taken to be which service.");
        return;
    }
    if (wants_list(d) && intent->shape == AG_PLAIN && !ag_heard(d, AG_C_COMPARE) &&
        !ag_heard(d, AG_C_BEFORE_AFTER) && !ag_heard(d, AG_C_SERIES) && !ag_heard(d, AG_C_BY_TIME) &&
        !ag_heard(d, AG_C_PER) && d->p->found.bucket_us == 0) {
        ag_set_measure(d, AG_LIST, AG_NO_FIELD);
        ag_use(d, AG_C_HISTORY);
        ag_list_order(d);
        return;
    }
    if (names_an_amount(d) && intent->group_count == 0 && intent->shape == AG_PLAIN &&
        !ag_heard(d, AG_C_COUNT) && !ag_heard(d, AG_C_COMPARE))
        ag_assume(d->p, "counted", "건수로 답했습니다.", "Counted; say \"show\" to see the records.");
    ag_set_measure(d, AG_COUNT, AG_NO_FIELD);
}

/* "how many warnings and how many errors": a number of each. "로그 건수는 몇 건" is one number. */
static bool counted_twice(const struct decision *d)
{
    bool counted = false;
    bool named = false;

    for (size_t i = 0; i < d->p->tokens->count; i++) {
        const char *rule = d->p->tokens->items[i].rule;
        bool count = ag_reads(d->p, i, AG_C_COUNT) && rule && strcmp(rule, "count") == 0;
        if (count && counted && named)
            return true;
        counted = counted || count;
        named = counted && (named || ag_reads(d->p, i, AG_C_ERROR) || ag_reads(d->p, i, AG_C_LEVEL) ||
                            ag_reads(d->p, i, AG_C_REQUEST) || ag_reads(d->p, i, AG_C_STATUS_CLASS));
    }
    return false;
}

/* Does token `i` join two names that are both meant? */
static bool joins_and(const struct ag_parse *p, size_t i)
{
    static const char *const particles[] = {"랑", "이랑", "와", "과", "하고"};

    return ag_reads(p, i, AG_C_AND) ||
           (ag_reads(p, i, AG_C_PARTICLE) && ag_says(p, i, particles, sizeof particles / sizeof *particles));
}

/* hanbit이랑 saebom 에러율, 운영 스테이징 에러율, "p95 of payment and order": what is no sum is of each. */
static bool measures_of_several(const struct decision *d)
{
    const struct ag_parse *p = d->p;
    enum ag_measure_fn fn = d->intent->measure.fn;

    if (fn != AG_ERROR_RATE && fn != AG_FAILURE_RATE && fn != AG_AVG && fn != AG_PERCENTILE)
        return false;
    for (size_t a = 0; a < p->mention_count && !ag_are_put_together(p); a++) {
        const struct ag_mention *left = &p->mentions[a];
        const struct ag_mention *right;
        size_t at = left->to;
        if (left->op != AG_IN || left->negated || left->field == AG_LEVEL)
            continue;
        while (joins_and(p, at))
            at++;
        right = ag_mention_starting(p, at);
        if (right && right->field == left->field && right->op == AG_IN && !right->negated)
            return true;
    }
    return false;
}

/* 운영 에러율 스테이징 에러율, "payment error rate, order error rate": a rate said once more for another
 * name. */
static bool rates_in_a_row(const struct ag_parse *p)
{
    size_t rates = 0;
    size_t first = 0; /* where the last rate but one and the last one stand */
    size_t last = 0;

    for (size_t i = 0; i < p->tokens->count; i++) {
        if (!(ag_reads(p, i, AG_C_RATE) || ag_reads(p, i, AG_C_FAIL_RATE)))
            continue;
        rates++;
        first = last;
        last = i;
    }
    for (size_t k = 0; rates == 2 && k < p->mention_count * p->mention_count; k++) {
        const struct ag_mention *a = &p->mentions[k / p->mention_count];
        const struct ag_mention *b = &p->mentions[k % p->mention_count];
        bool parted =
            (a->to <= first && b->from > first) || (a->to <= last && a->from > first && b->from > last);
        if (parted && a->field == b->field && a->op == AG_IN && b->op == AG_IN && !a->negated &&
            !b->negated && strcmp(a->value, b->value) != 0)
            return true;
    }
    return false;
}

/* "for edge-proxy and for book-search": a preposition that is said again names each by itself. */
static bool named_apart(const struct ag_parse *p)
{
    for (size_t k = 0; k < p->mention_count; k++) {
        const struct ag_mention *left = &p->mentions[k];
        const struct ag_mention *right = ag_mention_starting(p, left->to + 2);
        if (left->from > 0 && ag_reads(p, left->to, AG_C_AND) &&
            ag_reads(p, left->to + 1, AG_C_PREPOSITION) &&
            strcmp(ag_word(p, left->from - 1), ag_word(p, left->to + 1)) == 0 && right &&
            right->field == left->field && left->op == AG_IN && right->op == AG_IN)
            return true;
    }
    return false;
}

/* 결제랑 주문 각각 에러 타입별로, "by level for payment and for order": each by its types. */
static bool leaves_room(const struct decision *d)
{
    const struct ag_intent *in = d->intent;

    if (in->group_count == 0)
        return true;
    if (in->group_count > 1 || !(ag_heard(d, AG_C_EACH) || named_apart(d->p)) || in->rank || in->limit > 0 ||
        in->shape != AG_PLAIN)
        return false;
    for (size_t i = 0; i < in->filter_count; i++) {
        if (in->filters[i].field == in->groups[0].field)
            return false;
    }
    return true;
}

/* 각각, and comparing two services: the field with several values becomes the break-down. */
void ag_each_rule(struct decision *d)
{
    bool wanted = ag_heard(d, AG_C_EACH) || counted_twice(d) || ag_asks_again(d->p) ||
                  measures_of_several(d) || rates_in_a_row(d->p) ||
                  (d->intent->group_count == 1 && named_apart(d->p)) ||
                  (ag_heard(d, AG_C_COMPARE) && d->p->time_count < 2 && !ag_heard(d, AG_C_SAME_TIME) &&
                   !ag_heard(d, AG_C_SHIFT));

    if (!wanted || d->p->part_at || !leaves_room(d))
        return;
    for (size_t i = 0; i < d->intent->filter_count; i++) {
        const struct ag_filter *f = &d->intent->filters[i];
        if (f->op != AG_IN || f->value_count < 2 || ag_is_error_filter(f) || ag_said_as_one(d->p, f->field))
            continue;
        ag_group_by(d, &(struct ag_target){.field = f->field, .key = f->key});
        d->p->said[AG_C_COMPARE] = 0;
        if (d->intent->measure.fn == AG_LIST) {
            ag_set_measure(d, AG_COUNT, AG_NO_FIELD);
            d->intent->order = AG_ORDER_DEFAULT;
        }
        return;
    }
    if (counted_twice(d))
        ag_stop(d->p, AG_NOT_UNDERSTOOD,
                ag_say(d->p, "두 가지를 한꺼번에 셀 수 없습니다.", "Ask for one of the two at a time."),
                NULL);
}
