/*
 * The interpretation in Korean.
 */
#include "agent/answer/table.h"

static void say(struct lm_buffer *out, const char *text)
{
    lm_buffer_append_text(out, text);
}

/* "서비스가 payment-service인"; `linked` to one more: "서비스가 payment-service이고". */
static void put_filter(struct lm_buffer *out, const struct ag_filter *filter, bool linked)
{
    static const char *const endings[][2] = {
        [AG_IN] = {"인", "이고"},
        [AG_NOT_IN] = {" 아닌", " 아니고"},
        [AG_AT_LEAST] = {" 이상인", " 이상이고"},
        [AG_ABOVE] = {" 초과인", " 초과이고"},
        [AG_BELOW] = {" 미만인", " 미만이고"},
        [AG_AT_MOST] = {" 이하인", " 이하이고"},
        [AG_BETWEEN] = {" 이하인", " 이하이고"},
        [AG_CONTAINS] = {" 들어 있는", " 들어 있고"},
        [AG_NOT_CONTAINS] = {" 들어 있지 않은", " 들어 있지 않고"},
        [AG_PREFIX] = {" 시작하는", " 시작하고"},
        [AG_NOT_PREFIX] = {" 시작하지 않는", " 시작하지 않고"},
        [AG_IS_NULL] = {" 없는", " 없고"},
        [AG_NOT_NULL] = {" 있는", " 있고"},
    };
    if (filter->field == AG_REQUEST) {
        enum ag_op op = filter->op == AG_IS_NULL ? AG_NOT_IN : AG_IN;
        say(out, op == AG_IN ? "요청" : "요청이");
        say(out, endings[op][linked]);
        return;
    }
    ag_put_field(out, filter->field, filter->key, AG_KO);
    if (filter->op == AG_CONTAINS || filter->op == AG_NOT_CONTAINS) {
        say(out, "에 ");
        ag_put_values(out, filter, " 또는 ", true, AG_KO);
        ag_put_particle(out, AG_I_GA);
    } else if (filter->op == AG_PREFIX || filter->op == AG_NOT_PREFIX) {
        ag_put_particle(out, AG_I_GA);
        say(out, " ");
        ag_put_values(out, filter, " 또는 ", true, AG_KO);
        ag_put_particle(out, AG_EURO_RO);
    } else {
        ag_put_particle(out, AG_I_GA);
        if (filter->op != AG_IS_NULL && filter->op != AG_NOT_NULL) {
            say(out, " ");
            ag_put_values(out, filter,
                          filter->op == AG_BETWEEN  ? " 이상 "
                          : filter->op == AG_NOT_IN ? ", "
                                                    : " 또는 ",
                          false, AG_KO);
        }
        if (filter->op == AG_NOT_IN) {
            ag_put_particle(out, AG_I_GA);
        }
    }
    say(out, endings[filter->op][linked]);
}

static void put_filters(struct lm_buffer *out, const struct ag_intent *intent, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        put_filter(out, &intent->filters[i], i + 1 < count);
        say(out, " ");
    }
}

static void put_window(struct lm_buffer *out, const struct ag_zone *zone, int64_t from_us, int64_t to_us,
                       bool all)
{
    if (all) {
        say(out, "보관된 전체 기간");
        return;
    }
    ag_put_instant(out, zone, from_us, NULL);
    say(out, "부터 ");
    ag_put_instant(out, zone, to_us, &from_us);
    say(out, "까지");
}

static void put_percentiles(struct lm_buffer *out, const struct ag_intent *intent)
{
    for (size_t i = 0; i < intent->measure.p_count; i++) {
        lm_buffer_printf(out, "%sp%.6g", i > 0 ? ", " : "", intent->measure.p[i] * 100);
    }
}

/* 기록의 소요 시간 평균, p95, 최대 */
static void put_statistics(struct lm_buffer *out, const struct ag_intent *intent)
{
    static const char *const names[] = {[AG_AVG] = "평균", [AG_MIN] = "최소",   [AG_MAX] = "최대",
                                        [AG_SUM] = "합",   [AG_COUNT] = "건수", [AG_ERROR_RATE] = "오류율"};
    say(out, "기록의 ");
    if (ag_intent_measures_key(intent)) {
        ag_put_name(out, intent->measure.key);
        say(out, " 값 ");
    } else {
        say(out, "소요 시간 ");
    }
    for (size_t i = 0; i < 1 + intent->measure.also_count; i++) {
        enum ag_measure_fn fn = i == 0 ? intent->measure.fn : intent->measure.also[i - 1];
        say(out, i > 0 ? ", " : "");
        if (fn == AG_PERCENTILE) {
            put_percentiles(out, intent);
        } else {
            say(out, names[fn]);
        }
    }
}

static void put_measured(struct lm_buffer *out, const struct ag_intent *intent)
{
    switch (intent->measure.fn) {
    case AG_DISTINCT:
        say(out, "기록에 나타난 서로 다른 ");
        say(out, ag_label(intent->measure.field, AG_KO, true));
        say(out, intent->measure.also_count > 0 ? "의 수와 기록의 수" : "의 수");
        break;
    case AG_ERROR_RATE:
        say(out, "기록의 오류율(오류 ÷ 전체 기록)");
        break;
    case AG_FAILURE_RATE:
        say(out, "요청의 실패율(5xx ÷ 상태 코드가 있는 요청)");
        break;
    case AG_SHARE:
        say(out, "기록 중 ");
        if (intent->filter_count > 0) {
            put_filter(out, &intent->filters[intent->filter_count - 1], false);
        }
        say(out, " 것의 비율");
        break;
    case AG_AVG:
        say(out, "기록의 평균 소요 시간");
        break;
    case AG_MIN:
        say(out, "기록의 가장 짧은 소요 시간");
        break;
    case AG_MAX:
        say(out, "기록의 가장 긴 소요 시간");
        break;
    case AG_SUM:
        say(out, "기록의 소요 시간 합");
        break;
    case AG_PERCENTILE:
        say(out, "기록의 소요 시간 ");
        put_percentiles(out, intent);
        break;
    case AG_RATE:
        if (intent->measure.rate_unit_us == AG_DAY) {
            say(out, "하루당 기록 수");
        } else {
            struct lm_buffer width;
            lm_buffer_init(&width, 64);
            ag_put_width(&width, intent->measure.rate_unit_us, AG_KO);
            const char *text = lm_buffer_text(&width);
            say(out, text == NULL                                         ? ""
                     : text[0] == '1' && (text[1] < '0' || text[1] > '9') ? text + 1
                                                                          : text);
            say(out, "당 기록 수");
            lm_buffer_free(&width);
        }
        break;
    case AG_FIRST_SEEN:
        say(out, "기록이 처음 나타난 때");
        break;
    case AG_LAST_SEEN:
        say(out, "기록이 마지막으로 나타난 때");
        break;
    case AG_NAMES:
        say(out, "기록에 나타난 ");
        say(out, ag_label(intent->measure.field, AG_KO, true));
        break;
    case AG_LIST:
        say(out, "기록");
        break;
    default:
        say(out, "기록의 수");
        break;
    }
}

/* What is computed, with its object particle. */
static void put_measure(struct lm_buffer *out, const struct ag_intent *intent)
{
    if (intent->shape == AG_EVIDENCE) {
        say(out, "기록 중 더 많아진 것");
    } else if (ag_intent_measures_key(intent) ||
               (intent->measure.also_count > 0 && intent->measure.fn != AG_DISTINCT)) {
        put_statistics(out, intent);
    } else {
        put_measured(out, intent);
    }
    ag_put_particle(out, AG_EUL_REUL);
    say(out, " ");
}

static void put_groups(struct lm_buffer *out, const struct ag_intent *intent)
{
    for (size_t i = 0; i < intent->group_count; i++) {
        ag_put_field(out, intent->groups[i].field, intent->groups[i].key, AG_KO);
        say(out, i + 1 < intent->group_count ? "·" : "별로 ");
    }
}

static void put_list_order(struct lm_buffer *out, enum ag_order order)
{
    say(out, order == AG_OLDEST    ? "오래된 것부터 "
             : order == AG_SLOWEST ? "느린 것부터 "
             : order == AG_FASTEST ? "빠른 것부터 "
             : order == AG_NEWEST  ? "최신 것부터 "
                                   : "");
}

static void put_end(struct lm_buffer *out, const struct ag_intent *intent, int64_t bucket_us)
{
    if (intent->threshold.set) {
        static const char *const signs[] = {[AG_AT_LEAST] = "이상인",
                                            [AG_ABOVE] = "을 넘는",
                                            [AG_BELOW] = "보다 작은",
                                            [AG_AT_MOST] = "이하인"};
        enum ag_op op = intent->threshold.op;
        if (intent->threshold.of != NULL) {
            ag_put_name(out, intent->threshold.of);
            say(out, op == AG_BELOW ? "보다 작은 것만 " : "보다 큰 것만 ");
        } else {
            ag_put_number(out, intent->threshold.value);
            say(out, op == AG_AT_LEAST || op == AG_AT_MOST ? " " : "");
            say(out, op >= AG_AT_LEAST && op <= AG_AT_MOST ? signs[op] : "을 넘는");
            say(out, " 것만 ");
        }
    }
    if (intent->counted) {
        say(out, "골라 몇인지 셉니다.");
        return;
    }
    if (intent->summed) {
        say(out, "골라 모두 더합니다.");
        return;
    }
    if (intent->each > 0) {
        say(out, "구해 ");
        if (intent->shape == AG_SERIES) {
            ag_put_width(out, bucket_us, AG_KO);
        } else {
            ag_put_field(out, intent->groups[0].field, intent->groups[0].key, AG_KO);
        }
        lm_buffer_printf(out,
                         intent->order == AG_FEWEST ? "마다 하위 %d개를 보여 줍니다."
                                                    : "마다 상위 %d개를 보여 줍니다.",
                         intent->each);
        return;
    }
    if (intent->limit > 0 && intent->measure.fn == AG_LIST) {
        lm_buffer_printf(out, "%d건 ", intent->limit);
    } else if (intent->limit > 0 && intent->shape == AG_PLAIN) {
        bool fewest = intent->order == AG_FEWEST;
        lm_buffer_printf(out,
                         !intent->rank ? "구해 %d개를 보여 줍니다."
                         : fewest      ? "구해 하위 %d개를 보여 줍니다."
                                       : "구해 상위 %d개를 보여 줍니다.",
                         intent->limit);
        return;
    }
    switch (intent->shape) {
    case AG_BUSIEST:
        say(out, intent->order == AG_FEWEST ? "나누어 가장 적은 구간을 찾습니다."
                                            : "나누어 가장 많은 구간을 찾습니다.");
        break;
    case AG_SPIKE:
        say(out, "나누어 갑자기 늘어난 구간을 찾습니다.");
        break;
    default:
        say(out, intent->measure.fn == AG_LIST || intent->measure.fn == AG_NAMES ? "보여 줍니다."
                 : intent->compare == AG_COMPARE_WINDOW                          ? "비교합니다."
                                                                                 : "구합니다.");
        break;
    }
}

static void put_change(struct lm_buffer *out, const struct ag_reading *reading)
{
    const struct ag_intent *intent = reading->intent;
    if (intent->shape == AG_SILENT) {
        ag_put_width(out, reading->silent_us, AG_KO);
        say(out, " 넘게 조용한 ");
    } else {
        say(out, "처음 나타난 ");
    }
    if (intent->group_count > 0) {
        ag_put_field(out, intent->groups[0].field, intent->groups[0].key, AG_KO);
    } else {
        say(out, ag_label(intent->shape == AG_SILENT ? AG_SERVICE : AG_ERROR_TYPE, AG_KO, false));
    }
    ag_put_particle(out, AG_EUL_REUL);
    say(out, " 찾습니다.");
}

/* Who had none of something. */
static void put_without(struct lm_buffer *out, const struct ag_intent *intent)
{
    say(out, "기록은 있으나 ");
    put_filter(out, &intent->filters[intent->filter_count - 1], false);
    say(out, " 것은 없는 ");
    ag_put_field(out, intent->groups[0].field, intent->groups[0].key, AG_KO);
    ag_put_particle(out, intent->counted ? AG_I_GA : AG_EUL_REUL);
    say(out, intent->counted ? " 몇인지 셉니다." : " 찾습니다.");
}

/* Each part with all of its conditions. */
static void put_parts(struct lm_buffer *out, const struct ag_reading *reading)
{
    for (size_t part = 1; part <= reading->intent->part_count; part++) {
        struct ag_intent one;
        ag_intent_of_part(reading->intent, part, &one);
        say(out, part > 1 ? ", " : "");
        put_filters(out, &one, one.filter_count);
        put_measured(out, &one);
    }
    ag_put_particle(out, AG_EUL_REUL);
    say(out, " ");
    put_groups(out, reading->intent);
    put_end(out, reading->intent, reading->bucket_us);
}

void ag_interpretation_ko(const struct ag_reading *reading, struct lm_buffer *out)
{
    const struct ag_intent *intent = reading->intent;
    put_window(out, reading->zone, reading->from_us, reading->to_us, reading->all);
    if (intent->compare == AG_COMPARE_WINDOW) {
        ag_put_particle(out, AG_GWA_WA);
        say(out, " ");
        put_window(out, reading->zone, intent->against.from_us, intent->against.to_us, false);
    }
    lm_buffer_printf(out, "(%s) ", intent->zone);
    if (intent->part_count > 0) {
        put_parts(out, reading);
        return;
    }
    put_filters(out, intent, reading->filters);
    if (reading->change) {
        say(out, "기록에서 ");
        put_change(out, reading);
        return;
    }
    if (intent->shape == AG_WITHOUT) {
        put_without(out, intent);
        return;
    }
    put_measure(out, intent);
    put_groups(out, intent);
    if (reading->bucket_us > 0) {
        ag_put_width(out, reading->bucket_us, AG_KO);
        say(out, " 단위로 ");
    }
    if (intent->measure.fn == AG_LIST) {
        put_list_order(out, reading->order);
    }
    put_end(out, intent, reading->bucket_us);
}
