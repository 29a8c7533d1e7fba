/*
 * Follow-ups: a question that leaves out what the one before it said. The slots it names are replaced, the
 * rest is kept.
 */
#include "agent/understand/decision.h"
#include "agent/understand/time.h"
#include "agent/understand/window.h"

#include <string.h>

/* 어떤 에러였어?, "what errors were they": of what was spoken of. */
static bool asks_which_it_was(const struct ag_parse *p)
{
    static const char *const past[] = {"였",     "이었", "였어",   "이었어", "였나",
                                       "이었나", "였지", "이었지", "였는지", "이었는지"};

    if (p->time_count > 0)
        return false;
    for (size_t i = 1; i < p->tokens->count; i++) {
        for (size_t k = 0; k < sizeof past / sizeof *past; k++) {
            if (strcmp(ag_word(p, i), past[k]) == 0 && p->tokens->items[i].glued &&
                ag_reads(p, i, AG_C_ENDING) &&
                (ag_reads(p, i - 1, AG_C_ERROR) || ag_reads(p, i - 1, AG_C_FIELD)))
                return true;
        }
    }
    return false;
}

static bool follows(struct ag_parse *p)
{
    static const enum ag_concept complete[] = {AG_C_COUNT,     AG_C_COUNT_PEOPLE, AG_C_SUMMARY, AG_C_RATE,
                                               AG_C_FAIL_RATE, AG_C_PERCENT,      AG_C_SLOWEST, AG_C_SLOW,
                                               AG_C_STOPPED,   AG_C_SPIKE,        AG_C_BUSIEST, AG_C_WHY};
    bool pointed = false;
    bool whole = false;
    bool object = false;

    if (ag_asks_for_its_records(p) || ag_asks_for_its_errors(p))
        return true;
    for (size_t i = 0; i < p->tokens->count; i++) {
        pointed = pointed || ag_is(p->tokens, i, AG_C_FOLLOW) || ag_said(p, AG_C_FOLLOW) ||
                  ag_is(p->tokens, i, AG_C_SHIFT) ||
                  (ag_is(p->tokens, i, AG_C_SAME_TIME) && p->tokens->count < 8) ||
                  ag_is(p->tokens, i, AG_C_PRONOUN);
        object = object || ag_is(p->tokens, i, AG_C_LOG) || ag_is(p->tokens, i, AG_C_REQUEST) ||
                 ag_is(p->tokens, i, AG_C_DURATION) || ag_is(p->tokens, i, AG_C_RESPONSE);
        for (size_t k = 0; k < sizeof complete / sizeof *complete; k++)
            whole = whole || ag_is(p->tokens, i, complete[k]);
    }
    object = object || ag_mentions_field(p, AG_LEVEL) || ag_mentions_field(p, AG_HTTP_STATUS) ||
             ag_mentions_field(p, AG_STATUS_CLASS) || ag_mentions_field(p, AG_MESSAGE);
    if (pointed || asks_which_it_was(p))
        return true;
    for (size_t i = 0; i < p->tokens->count; i++)
        whole = whole || (object && (ag_is(p->tokens, i, AG_C_SHOW) || ag_is(p->tokens, i, AG_C_WHICH) ||
                                     ag_is(p->tokens, i, AG_C_LIST)));
    /* "errors today" with nothing pointing back is a question of its own; "오늘은?" is not. */
    return !(whole && object) && !(object && p->time_count > 0);
}

/* "now errors", "now in staging": what comes next, and no time. */
static void pass_over_now(struct ag_parse *p)
{
    size_t next = 1;

    while (ag_is(p->tokens, next, AG_C_STOP))
        next++;
    if (p->time_count == 1 && p->times[0].from == 0 && p->times[0].to == 1 &&
        strcmp(ag_word(p, 0), "now") == 0 && next < p->tokens->count)
        p->time_count = 0;
}

/* Without a previous question, words that point at one leave nothing to answer. */
static bool points(const struct ag_parse *p)
{
    bool pronoun = false;

    for (size_t i = 0; i < p->tokens->count; i++) {
        if (ag_is(p->tokens, i, AG_C_FOLLOW) && !ag_is(p->tokens, i, AG_C_NOISE))
            return true;
        pronoun = pronoun || (ag_is(p->tokens, i, AG_C_PRONOUN) && !ag_is(p->tokens, i, AG_C_NOISE));
    }
    return pronoun;
}

static bool same_family(enum ag_field a, enum ag_field b)
{
    return a == b || (a == AG_HTTP_STATUS && b == AG_STATUS_CLASS) ||
           (a == AG_STATUS_CLASS && b == AG_HTTP_STATUS);
}

static void drop_filters(struct ag_intent *intent, enum ag_field field, const char *key)
{
    size_t kept = 0;

    for (size_t i = 0; i < intent->filter_count; i++) {
        const struct ag_filter *f = &intent->filters[i];
        bool same = same_family(f->field, field) &&
                    (field != AG_METADATA || (f->key && key && strcmp(f->key, key) == 0)) &&
                    field != AG_MESSAGE;
        if (!same)
            intent->filters[kept++] = *f;
    }
    intent->filter_count = kept;
}

/* "but not FATAL" after a question about errors, which are ERROR and FATAL: what is left of the values
 * wanted. */
static bool narrows(struct ag_parse *p, const struct ag_mention *m)
{
    for (size_t k = 0; m->negated && m->op == AG_IN && m->value && k < p->intent->filter_count; k++) {
        struct ag_filter *f = &p->intent->filters[k];
        size_t kept = 0;
        if (f->field != m->field || f->op != AG_IN || f->value_count < 2 || !ag_same_key(f->key, m->key))
            continue;
        for (size_t v = 0; v < f->value_count; v++) {
            if (strcmp(f->values[v], m->value) != 0)
                f->values[kept++] = f->values[v];
        }
        if (kept == f->value_count)
            continue;
        f->value_count = kept;
        return true;
    }
    return false;
}

static void replace_filters(struct ag_parse *p)
{
    struct ag_intent *in = p->intent;

    if (p->mention_count == 1 && narrows(p, &p->mentions[0]))
        return;
    for (size_t i = 0; i < p->mention_count; i++)
        drop_filters(in, p->mentions[i].field, p->mentions[i].key);
    for (size_t i = 0; i < p->mention_count; i++) {
        const struct ag_mention *m = &p->mentions[i];
        enum ag_op op = !m->negated            ? m->op
                        : m->op == AG_IN       ? AG_NOT_IN
                        : m->op == AG_CONTAINS ? AG_NOT_CONTAINS
                        : m->op == AG_PREFIX   ? AG_NOT_PREFIX
                                               : m->op;
        struct ag_filter *f = NULL;
        if (m->negated && op == m->op) {
            ag_stop(p, AG_NOT_UNDERSTOOD,
                    ag_say(p, "이 조건은 뺄 수 없습니다.", "This condition cannot be taken back."), NULL);
            return;
        }
        for (size_t k = 0; k < in->filter_count; k++) {
            if (in->filters[k].field == m->field && in->filters[k].op == op &&
                (op == AG_IN || op == AG_NOT_IN) && m->field != AG_METADATA)
                f = &in->filters[k];
        }
        if (!f) {
            if (in->filter_count == AG_MAX_FILTERS) {
                ag_stop(p, AG_NOT_UNDERSTOOD,
                        ag_say(p, "조건이 너무 많습니다.", "There are too many conditions."), NULL);
                return;
            }
            f = &in->filters[in->filter_count++];
            *f = (struct ag_filter){.field = m->field, .key = m->key, .op = op};
        }
        if (m->value && f->value_count < AG_MAX_VALUES)
            f->values[f->value_count++] = m->value;
    }
}

/* "and the morning?" after a question about yesterday: yesterday's. NULL when the previous window was no
 * single day. */
static const char *on_previous_day(struct ag_parse *p, const struct ag_intent *previous)
{
    const struct ag_time_found *f = &p->times[0];
    int64_t day = previous->window.from_us == INT64_MIN
                      ? INT64_MIN
                      : ag_zone_floor(p->zone, previous->window.from_us, 'd');
    int64_t base = ag_zone_floor(p->zone, f->from_us, 'd');
    int64_t days;
    char a[40];
    char b[40];

    if (!f->dateless || day == INT64_MIN || previous->window.to_us - previous->window.from_us > 30 * AG_HOUR)
        return NULL;
    days = (day - base + (day > base ? AG_DAY / 2 : -AG_DAY / 2)) / AG_DAY;
    ag_zone_format(p->zone, ag_zone_add(p->zone, f->from_us, 'd', days), a);
    ag_zone_format(p->zone, ag_zone_add(p->zone, f->to_us, 'd', days), b);
    return ag_zone_add(p->zone, f->from_us, 'd', days) < p->now ? ag_sayf(p, "%s/%s", a, b) : NULL;
}

static bool replace_window(struct ag_parse *p)
{
    struct ag_intent *in = p->intent;
    const char *unit = ag_take(p, AG_C_SHIFT) ? ag_reads_value(p, p->said[AG_C_SHIFT] - 1, AG_C_SHIFT) : NULL;

    bool same_time = ag_take(p, AG_C_SAME_TIME);

    if (same_time && (p->time_count != 1 || unit || in->compare != AG_NO_COMPARE)) {
        ag_stop(p, AG_NEEDS_CLARIFICATION,
                ag_say(p, "어느 날의 같은 시간인지 알 수 없습니다.", "It is not said on which day."),
                ag_say(p, "예: \"어제 같은 시간엔?\"", "For example \"and at the same time yesterday?\"."));
        return false;
    }
    if (p->time_count > 1 || (p->time_count == 1 && unit)) {
        ag_stop(p, AG_NOT_UNDERSTOOD, ag_say(p, "시간이 둘 이상 있습니다.", "More than one time was said."),
                NULL);
        return false;
    }
    if (unit) {
        const char *shifted = ag_shift_window(p, in->window.symbolic, unit);
        if (!shifted) {
            ag_stop(p, AG_NEEDS_CLARIFICATION,
                    ag_say(p, "그 기간의 앞은 정할 수 없습니다.", "There is nothing before that window."),
                    NULL);
            return false;
        }
        in->window.symbolic = shifted;
    } else if (same_time) {
        /* 어제 같은 시간엔?: the hours spoken of, on that day. */
        const char *moved = ag_same_clock(p, in->window.symbolic, &p->times[0]);
        if (!moved) {
            ag_stop(p, AG_NEEDS_CLARIFICATION,
                    ag_say(p, "하루보다 긴 기간에는 같은 시간이 없습니다.",
                           "A window of more than a day has no same time on another."),
                    NULL);
            return false;
        }
        in->window.symbolic = moved;
    } else if (p->time_count == 1) {
        const char *same_day = on_previous_day(p, in);
        in->window.symbolic = same_day ? same_day : p->times[0].symbolic;
    } else {
        return false;
    }
    in->window.stated = true;
    in->compare = AG_NO_COMPARE;
    return true;
}

static void count_instead_of_list(struct ag_intent *in)
{
    if (in->measure.fn == AG_LIST || in->measure.fn == AG_NAMES || in->measure.fn == AG_DISTINCT ||
        in->measure.fn == AG_FIRST_SEEN || in->measure.fn == AG_LAST_SEEN) {
        in->measure.fn = AG_COUNT;
        in->measure.field = AG_NO_FIELD;
    }
    if (in->order == AG_NEWEST || in->order == AG_OLDEST || in->order == AG_SLOWEST ||
        in->order == AG_FASTEST)
        in->order = AG_ORDER_DEFAULT;
}

static bool replace_groups(struct ag_parse *p)
{
    struct ag_intent *in = p->intent;
    bool ranked = in->rank && in->shape == AG_PLAIN && in->group_count == 1 && p->target_count == 1 &&
                  (in->order == AG_MOST || in->order == AG_FEWEST);

    if (p->target_count == 0)
        return false;
    if (p->target_count > AG_MAX_GROUPS) {
        ag_stop(p, AG_NOT_UNDERSTOOD,
                ag_say(p, "두 가지까지만 나눠 볼 수 있습니다.",
                       "A break-down by at most two fields is possible."),
                NULL);
        return false;
    }
    /* "which services were those?" of what was counted */
    if (in->counted && p->target_count == 1 && p->targets[0].field == in->groups[0].field &&
        ag_same_key(p->targets[0].key, in->groups[0].key)) {
        ag_consume(p->tokens, p->targets[0].from, p->targets[0].to, "group");
        in->counted = false;
        return true;
    }
    /* 호스트로는? of services that were counted */
    if (in->counted && p->target_count == 1 && !p->targets[0].grouped && in->shape == AG_PLAIN) {
        ag_consume(p->tokens, p->targets[0].from, p->targets[0].to, "group");
        in->groups[0] = (struct ag_group){p->targets[0].field, p->targets[0].key};
        return true;
    }
    in->group_count = 0;
    for (size_t i = 0; i < p->target_count; i++) {
        ag_consume(p->tokens, p->targets[i].from, p->targets[i].to, "group");
        in->groups[in->group_count++] = (struct ag_group){p->targets[i].field, p->targets[i].key};
    }
    count_instead_of_list(in);
    if (in->shape == AG_BUSIEST || in->shape == AG_SPIKE || in->shape == AG_SILENT || in->shape == AG_NEW)
        in->shape = AG_PLAIN;
    /* 호스트 3대, then 서비스 기준으로는?: as many of them, by the same measure. */
    if (!ranked) {
        in->rank = false;
        in->order = AG_ORDER_DEFAULT;
        in->limit = 0;
    }
    in->threshold.set = false;
    return true;
}

/* The error rate of errors would be one: their filter is what the rate is of. */
static void drop_error_levels(struct ag_intent *in)
{
    size_t kept = 0;

    for (size_t i = 0; i < in->filter_count; i++) {
        if (in->filters[i].field != AG_LEVEL)
            in->filters[kept++] = in->filters[i];
    }
    in->filter_count = kept;
}

static bool replace_measure(struct ag_parse *p)
{
    static const struct {
        enum ag_concept concept;
        enum ag_measure_fn fn;
        enum ag_field field;
    } measures[] = {
        {AG_C_RATE, AG_ERROR_RATE, AG_NO_FIELD}, {AG_C_FAIL_RATE, AG_FAILURE_RATE, AG_NO_FIELD},
        {AG_C_AVERAGE, AG_AVG, AG_DURATION},     {AG_C_MAXIMUM, AG_MAX, AG_DURATION},
        {AG_C_MINIMUM, AG_MIN, AG_DURATION},     {AG_C_COUNT_PEOPLE, AG_DISTINCT, AG_USER_ID},
    };
    struct ag_intent *in = p->intent;
    bool changed = false;
    bool duration = ag_take(p, AG_C_DURATION);

    for (size_t i = 0; i < sizeof measures / sizeof *measures && !changed; i++) {
        if (measures[i].field == AG_DURATION && !duration && in->measure.field != AG_DURATION)
            continue;
        if (!ag_take(p, measures[i].concept))
            continue;
        in->measure.fn = measures[i].fn;
        in->measure.field = measures[i].field;
        in->measure.also_count = 0;
        changed = true;
    }
    if (!changed && (p->found.p_count > 0 || (duration && !p->found.length_set))) {
        in->measure.fn = AG_PERCENTILE;
        in->measure.field = AG_DURATION;
        in->measure.also_count = 0;
        in->measure.p_count = p->found.p_count ? p->found.p_count : 1;
        in->measure.p[0] = 0.95;
        if (p->found.p_count)
            memcpy(in->measure.p, p->found.p, sizeof in->measure.p);
        changed = true;
    }
    if (changed && in->measure.fn == AG_ERROR_RATE)
        drop_error_levels(in);
    if (changed) {
        if (in->shape != AG_SERIES)
            in->shape = AG_PLAIN;
        in->threshold.set = false;
        if (in->order == AG_NEWEST || in->order == AG_OLDEST)
            in->order = AG_ORDER_DEFAULT;
        return true;
    }
    if (ag_take(p, AG_C_COUNT) && p->target_count == 0) {
        count_instead_of_list(in);
        if (in->group_count == 0)
            in->limit = 0; /* of the last 10 there are 10 */
        if (in->measure.fn != AG_COUNT) {
            in->measure.fn = AG_COUNT;
            in->measure.field = AG_NO_FIELD;
            in->measure.also_count = 0;
        }
        return true;
    }
    if (p->target_count == 0 && ag_take(p, AG_C_LIST)) {
        in->measure.fn = AG_LIST;
        in->measure.field = AG_NO_FIELD;
        in->measure.also_count = 0;
        in->group_count = 0;
        in->shape = AG_PLAIN;
        in->rank = false;
        in->threshold.set = false;
        in->order = AG_NEWEST;
        return true;
    }
    return false;
}

/* "break it down by day": the unit's first letter, or "". */
static const char *broken_down_by_unit(struct ag_parse *p)
{
    for (size_t i = 1; i < p->tokens->count; i++) {
        const char *unit = ag_value(p->tokens, i, AG_C_UNIT);
        if (!unit || !strchr("mhdwM", *unit) || unit[1] != '\0' || !ag_is(p->tokens, i - 1, AG_C_BY_BEFORE))
            continue;
        ag_consume(p->tokens, i - 1, i + 1, "by");
        return unit;
    }
    return "";
}

static bool replace_shape(struct ag_parse *p)
{
    struct ag_intent *in = p->intent;
    const char *by = ag_take(p, AG_C_BY_TIME) ? ag_reads_value(p, p->said[AG_C_BY_TIME] - 1, AG_C_BY_TIME)
                                              : broken_down_by_unit(p);
    const char *per = ag_take(p, AG_C_PER) ? ag_reads_value(p, p->said[AG_C_PER] - 1, AG_C_PER) : "";
    bool series = ag_take(p, AG_C_SERIES);
    bool changed = false;

    if (*by || *per || series || p->found.bucket_us) {
        count_instead_of_list(in);
        in->rank = in->each > 0 && in->shape == AG_SERIES; /* of each day instead of each hour */
        in->shape = AG_SERIES;
        in->limit = 0;
        in->bucket_us = p->found.bucket_us ? p->found.bucket_us
                        : *by              ? ag_unit_us(*by)
                        : *per             ? ag_unit_us(*per)
                                           : 0;
        changed = true;
    }
    if (p->found.limit > 0) {
        *(in->each > 0 ? &in->each : &in->limit) = p->found.limit;
        if (in->group_count > 0) {
            in->rank = true;
            if (in->order == AG_ORDER_DEFAULT)
                in->order = AG_MOST;
        }
        changed = true;
    }
    if (p->found.threshold.set && in->group_count > 0) {
        in->threshold = p->found.threshold;
        changed = true;
    } else if (p->found.threshold.set) {
        ag_stop(p, AG_NOT_UNDERSTOOD,
                ag_say(p, "무엇별로 세어 비교할지 알 수 없습니다.",
                       "It is not said what the number is to be counted by."),
                NULL);
    }
    return changed;
}

static bool replace_order(struct ag_parse *p)
{
    struct ag_intent *in = p->intent;
    bool many = ag_take(p, AG_C_MOST) || ag_take(p, AG_C_HIGHEST) || ag_take(p, AG_C_TOP);
    bool few = ag_take(p, AG_C_FEWEST) || ag_take(p, AG_C_LOWEST) || ag_take(p, AG_C_BOTTOM);
    bool newest = ag_take(p, AG_C_NEWEST);
    bool oldest = ag_take(p, AG_C_OLDEST);

    ag_take(p, AG_C_ORDER);
    /* 마지막은?, of when it was first */
    if (newest && !many && !few && !oldest && in->measure.fn == AG_FIRST_SEEN) {
        in->measure.fn = AG_LAST_SEEN;
        return true;
    }
    if (in->measure.fn == AG_LIST && (newest || oldest)) {
        in->order = oldest ? AG_OLDEST : AG_NEWEST;
        return true;
    }
    /* 그중 제일 많은 거 시간대별로: the course of that one is a question of two steps. */
    if ((many || few) && in->group_count > 0 && in->shape == AG_SERIES &&
        p->question->previous->shape != AG_SERIES && p->found.limit == 0) {
        ag_stop(p, AG_NOT_UNDERSTOOD,
                ag_say(p, "먼저 어느 것이 가장 많은지, 다음에 그것의 추이를 물어봐 주세요.",
                       "Ask first which there are most of, then for its course."),
                NULL);
        return false;
    }
    if ((many || few) && in->group_count > 0) {
        in->rank = true;
        in->order = few ? AG_FEWEST : AG_MOST;
        return true;
    }
    if (many || few || newest || oldest)
        ag_stop(p, AG_NOT_UNDERSTOOD,
                ag_say(p, "앞의 답에는 이 순서를 쓸 수 없습니다.",
                       "That order does not fit the previous answer."),
                NULL);
    return false;
}

/* The names of a previous intent must be known to this caller as well. */
static bool relink(struct ag_parse *p)
{
    const char *unknown = ag_catalogue_unknown(p->catalogue, p->intent, NULL);

    if (unknown)
        ag_stop(p, AG_UNKNOWN_ENTITY,
                p->language == AG_KO ? ag_sayf(p, "\"%s\"은(는) 로그에 없습니다.", unknown)
                                     : ag_sayf(p, "There is no \"%s\" in the logs.", unknown),
                NULL);
    return !unknown;
}

/* Of several things asked for, what all have can be changed: the window, the groups, a further condition. */
static void check_parts(struct ag_parse *p, const struct ag_intent *previous)
{
    const struct ag_intent *in = p->intent;
    bool changed = in->measure.fn != previous->measure.fn || in->measure.field != previous->measure.field ||
                   in->measure.p[0] != previous->measure.p[0] || in->shape != previous->shape ||
                   in->limit > 0 || in->rank || in->threshold.set;

    for (size_t k = 0; k < p->mention_count; k++) {
        for (size_t i = 0; i < previous->filter_count; i++)
            changed = changed || (previous->filters[i].part != 0 &&
                                  same_family(previous->filters[i].field, p->mentions[k].field));
    }
    if (in->part_count > 0 && changed)
        ag_stop(p, AG_NEEDS_CLARIFICATION,
                ag_say(p, "앞에서 따로 물은 값들 가운데 무엇을 바꿀지 알 수 없습니다.",
                       "It is not clear which of the things asked for before is to be changed."),
                ag_say(p, "질문을 온전히 적어 주세요. 예: \"어제 결제 서비스 에러 건수\"",
                       "Ask in full, for example \"payment-service errors yesterday\"."));
}

static void take_fillers(struct ag_parse *p)
{
    static const enum ag_concept fillers[] = {AG_C_FOLLOW, AG_C_PRONOUN, AG_C_ONLY,     AG_C_SHOW,
                                              AG_C_WHICH,  AG_C_LOG,     AG_C_TOTAL,    AG_C_EACH,
                                              AG_C_IS,     AG_C_REQUEST, AG_C_RESPONSE, AG_C_DISTRIBUTION,
                                              AG_C_NOW,    AG_C_SAME,    AG_C_BY_AFTER};

    for (size_t i = 0; i < sizeof fillers / sizeof *fillers; i++)
        ag_take(p, fillers[i]);
}

bool ag_follow_up(struct ag_parse *p)
{
    const struct ag_intent *previous = p->question->previous;
    struct lm_error error;
    bool changed;

    if (previous)
        pass_over_now(p);
    if (!previous) {
        /* "and fatal only?" goes on with something. */
        if ((points(p) && !ag_has_subject(p)) || (p->tokens->count > 1 && ag_reads(p, 0, AG_C_AND))) {
            ag_stop(p, AG_NEEDS_CLARIFICATION,
                    ag_say(p, "앞선 질문이 없어 무엇을 가리키는지 알 수 없습니다.",
                           "There is no previous question this could refer to."),
                    ag_say(p, "질문을 온전히 적어 주세요. 예: \"어제 결제 서비스 에러 건수\"",
                           "Ask in full, for example \"payment-service errors yesterday\"."));
            return true;
        }
        return false;
    }
    /* What was held against one of its groups, or summed over them, has no slots to replace. */
    if (!follows(p) || previous->threshold.of || previous->summed)
        return false;
    if (ag_asks_who_had_none(p)) {
        ag_stop(p, AG_NEEDS_CLARIFICATION,
                ag_say(p, "무엇이 없었던 것을 찾는 질문은 온전히 적어 주세요.",
                       "Ask in full for who had none of something."),
                ag_say(p, "예: \"오늘 에러 없는 서비스\"", "For example \"services without errors today\"."));
        return true;
    }
    if (ag_intent_copy(previous, p->arena, p->intent) < 0) {
        p->memory = true;
        return true;
    }
    p->intent->language = p->language;
    if (strcmp(p->zone_name, p->question->zone) != 0)
        p->intent->zone = p->zone_name;
    if (!relink(p))
        return true;
    /* 어떤 에러들이야: those spoken of, be they FATAL alone. */
    if (ag_asks_for_its_errors(p) && ag_has_field(p->intent, AG_LEVEL))
        p->mention_count = 0;
    if (ag_compare_again(p)) {
        take_fillers(p);
        return true;
    }
    changed = replace_window(p);
    changed = ag_name_counted(p) || changed;
    changed = replace_groups(p) || changed;
    changed = ag_name_its_errors(p, asks_which_it_was(p)) || changed;
    changed = replace_measure(p) || changed;
    changed = replace_shape(p) || changed;
    changed = replace_order(p) || changed;
    replace_filters(p);
    changed = changed || p->mention_count > 0;
    if (p->found.length_set && p->intent->filter_count < AG_MAX_FILTERS) {
        struct ag_filter *f = &p->intent->filters[p->intent->filter_count++];
        *f = (struct ag_filter){.field = AG_DURATION, .op = p->found.length_op, .value_count = 1};
        f->values[0] = ag_sayf(p, "%.15g", p->found.length_ms);
        changed = true;
    }
    changed = changed || ag_show_its_records(p);
    if (!ag_intent_ranks_each(p->intent))
        p->intent->each = 0;
    if (!ag_intent_counts_groups(p->intent))
        p->intent->counted = false;
    take_fillers(p);
    check_parts(p, previous);
    if (!changed && !p->stopped && !ag_said(p, AG_C_FOLLOW))
        ag_stop(p, AG_NEEDS_CLARIFICATION,
                ag_say(p, "앞의 질문에서 무엇을 바꿀지 알 수 없습니다.",
                       "It is not clear what to change in the previous question."),
                ag_say(p, "예: \"어제는?\", \"서비스별로\", \"결제 서비스만\"",
                       "For example \"and yesterday?\", \"by service\", \"only errors\"."));
    if (!p->stopped && ag_intent_resolve(p->intent, p->now, &error) < 0)
        ag_stop(p, AG_NEEDS_CLARIFICATION,
                ag_say(p, "시간을 알아들을 수 없습니다.", "The time could not be understood."), NULL);
    return true;
}
