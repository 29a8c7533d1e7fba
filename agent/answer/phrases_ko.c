/*
 * The insight in Korean.
 */
#include "agent/answer/phrases.h"

static void put_subject(const struct ag_intent *intent, struct lm_buffer *out, bool one)
{
    (void)one;
    struct ag_subject subject = ag_subject_of(intent);
    if (subject.service != NULL) {
        ag_put_name(out, subject.service);
        lm_buffer_append_text(out, subject.others > 0 && subject.only == NULL ? "에서 " : " ");
    }
    if (subject.only != NULL) {
        ag_put_only(out, subject.only, AG_KO);
        lm_buffer_append_text(out, " ");
    } else if (subject.others > 0) {
        lm_buffer_append_text(out, "조건에 맞는 ");
    }
    if (subject.errors) {
        lm_buffer_append_text(out, "오류");
        return;
    }
    if (subject.level != NULL) {
        lm_buffer_printf(out, "%s%s ", subject.level, subject.level_or_above ? " 이상" : "");
    }
    lm_buffer_append_text(out, "기록");
}

const struct ag_phrases ag_phrases_ko = {
    .language = AG_KO,
    .put_subject = put_subject,
    .patterns =
        {
            [AG_SAY_NOTHING] = "{window} {subject}{이} 없습니다.",
            [AG_SAY_TOO_FEW] = "{window} {subject}{이} 순위를 매길 만큼 있는 것이 없습니다.",
            [AG_SAY_COUNT] = "{window} {subject}{은} 모두 {value}입니다.",
            [AG_SAY_DISTINCT] = "{window} {subject}의 {measure}{은} {value}{more measures}입니다{basis}.",
            [AG_SAY_FIRST_SEEN] = "{window} {subject} 중 처음은 {value}이고, 모두 {other}입니다.",
            [AG_SAY_LAST_SEEN] = "{window} {subject} 중 마지막은 {value}이고, 모두 {other}입니다.",
            [AG_SAY_SHARE] = "{window} {subject}의 {measure}{은} {value}{more measures}입니다{basis}.",
            [AG_SAY_NUMBER] = "{window} {subject}의 {measure}{은} {value}{more measures}입니다{basis}.",
            [AG_SAY_PARTS] = "{window} {parts}입니다.",
            [AG_SAY_PARTS_BY] = "{window} {group}{은} {parts}입니다.",
            [AG_SAY_GROUPS] = "{window} {subject}{among}{group}{이} {leads by}{value}{leader share}{로} "
                              "{superlative}.{runner-up}",
            [AG_SAY_EACH_MOST] = "{window} {subject} {measure}{이} {label}마다 가장 큰 것은 {leaders}",
            [AG_SAY_EACH_FEWEST] = "{window} {subject} {measure}{이} {label}마다 가장 작은 것은 {leaders}",
            [AG_SAY_EACH_TIME_MOST] = "{window} {subject} {measure}{이} {width}마다 가장 큰 것은 {leaders}",
            [AG_SAY_EACH_TIME_FEWEST] =
                "{window} {subject} {measure}{이} {width}마다 가장 작은 것은 {leaders}",
            [AG_SAY_COUNTED] = "{window} {subject}의 {measure}{이} {threshold}인 {label}{은} {value}입니다.",
            [AG_SAY_SUMMED] = "{window} {subject}의 {measure}{이} {threshold}인 {label}{은} 모두 합해 "
                              "{value}입니다.",
            [AG_SAY_COUNTED_ROSE] = "{other window}보다 {window} {subject}의 {measure}{이} 늘어난 "
                                    "{label}{은} {value}입니다.",
            [AG_SAY_COUNTED_FELL] = "{other window}보다 {window} {subject}의 {measure}{이} 줄어든 "
                                    "{label}{은} {value}입니다.",
            [AG_SAY_COUNTED_WITHOUT] =
                "{window} 기록은 있으나 {subjects}{이} 없던 {label}{은} {value}입니다.",
            [AG_SAY_SERIES_TOTAL] = "{window} {subject}{은} 모두 {count}건이고, {bucket}{bucket group}에 "
                                    "{value}{로} 가장 많았습니다.",
            [AG_SAY_SERIES_MOST] = "{window} {subject}의 {measure}{은} {bucket}{bucket group}에 {value}{로} "
                                   "가장 많았습니다.",
            [AG_SAY_SERIES_HIGHEST] = "{window} {subject}의 {measure}{은} {bucket}{bucket group}에 "
                                      "{value}{로} 가장 높았습니다.",
            [AG_SAY_SERIES_LOWEST] = "{window} {subject}의 {measure}{은} {bucket}{bucket group}에 "
                                     "{value}{로} 가장 적었습니다.",
            [AG_SAY_TIMES_MEDIAN] = " 중앙값 {base}의 {times}배입니다.",
            [AG_SAY_YES] = "예. ",
            [AG_SAY_NO] = "아니요. ",
            [AG_SAY_COMPARED_COUNT] =
                "{subject}{compared group}: {window} {value}, {other window} {other}입니다. ",
            [AG_SAY_COMPARED] = "{subject}의 {measure}{compared group}: {window} {value}, "
                                "{other window} {other}입니다. ",
            [AG_SAY_NOT_COMPARABLE] = "한쪽에 값이 없어 비교할 수 없습니다.",
            [AG_SAY_UNCHANGED] = "변화가 없습니다.",
            [AG_SAY_UP] = "{difference} 늘었습니다.",
            [AG_SAY_DOWN] = "{difference} 줄었습니다.",
            [AG_SAY_LIST] = "{window} {subject} {count}건입니다.",
            [AG_SAY_LIST_CUT] = "{window} {subject} {count}건을 보여 줍니다. 더 있습니다.",
            [AG_SAY_LIST_FULL] = "{window} {subject} {count}건을 청한 만큼 보여 줍니다.",
            [AG_SAY_FIRST_ROW] = " 맨 앞은 {from} {service}의 {message}입니다.",
            [AG_SAY_NONE_SILENT] = "마지막 {silence} 동안 조용한 {label}{은} 없습니다.",
            [AG_SAY_ONE_SILENT] = "마지막 {silence} 동안 조용한 {label} {number}개는 {seen}",
            [AG_SAY_SILENT] = "마지막 {silence} 동안 조용한 {label} {number}개는 {seen}",
            [AG_SAY_NONE_NEW] = "{window} 새로 나타난 {label}{은} 없습니다.",
            [AG_SAY_NEW] = "{window} 새로 나타난 {label} {number}개는 {seen}",
            [AG_SAY_NAMES] = "{window} 나타난 {field} {number}개는 {names}",
            [AG_SAY_NAMES_CUT] = "{window} 나타난 {field} {number}개 이상은 {names}",
            [AG_SAY_MORE_OF] = " 함께 늘어난 것: {evidence}. 달라진 것을 보였을 뿐 원인이라는 뜻은 아닙니다.",
            [AG_SAY_MORE_OF_NOTHING] = " 앞 기간보다 늘어난 것은 없습니다.",
            [AG_EVIDENCE_ITEM] = "{dimension} {group} {other}→{value}",
            [AG_SAY_NONE_ROSE] = "{other window}보다 {window} {subjects}{이} 늘어난 {label}{은} 없습니다.",
            [AG_SAY_NONE_FELL] = "{other window}보다 {window} {subjects}{이} 줄어든 {label}{은} 없습니다.",
            [AG_SAY_NONE_MET] = "{window} 그 조건에 맞는 {label}{은} 없습니다.",
            [AG_SAY_NONE_MET_ALONE] = "{window} 그 조건에 맞는 것은 없습니다.",
            [AG_SAY_NONE_WITHOUT] = "{window} 기록이 있으면서 {subjects}{이} 없던 {label}{은} 없습니다.",
            [AG_SAY_WITHOUT] = "{window} 기록은 있으나 {subjects}{이} 없던 {label} {number}개는 {names}",
            [AG_SAY_WITHOUT_CUT] =
                "{window} 기록은 있으나 {subjects}{이} 없던 {label} {number}개 이상은 {names}",
            [AG_SAY_ALIKE] = " 이름만 다른 패턴 {count}개를 합치고 그 자리를 <*>로 적었습니다.",
            [AG_SAY_WINDOW_ASSUMED] = " 기간을 말하지 않아 이 기간을 보았습니다.",
            [AG_WINDOW_ALL] = "보관된 전체 기간에서",
            [AG_WINDOW_DAY] = "{day} 하루",
            [AG_WINDOW_SPAN] = "{from}부터 {to}까지",
            [AG_PERIOD_SPAN] = "{from}–{to}",
            [AG_PERIOD_DAY] = "{day}",
            [AG_PERIOD_LONG] = "{day}부터의 구간",
            [AG_MORE_MEASURES] = ", {measure}{은} {value}",
            [AG_PART_ITEM] = "{column} {value}",
            [AG_BASIS_PART] = "({other} 중 {value})",
            [AG_BASIS_SAMPLE] = "(표본 {count}개)",
            [AG_BASIS_SAMPLES] = "(표본 {count}개)",
            [AG_PART_ERRORS] = "오류의 비율",
            [AG_PART_VALUE] = "{part value}의 비율",
            [AG_PART_OTHER] = "조건에 맞는 것의 비율",
            [AG_AMONG_NAMED] = "의 {groups} {number}개 중 ",
            [AG_AMONG_SHOWN] = ": ",
            [AG_COMBINATIONS] = "조합",
            [AG_VALUE_OF] = "{key}",
            [AG_VALUES_OF] = "{key}",
            [AG_LEADS_BY_COUNT] = "",
            [AG_LEADS_BY_TIME] = "",
            [AG_LEADS_BY_MEASURE] = "{measure} ",
            [AG_LEADER_SHARE] = "(전체 {total}건의 {share})",
            [AG_RUNNER_UP] = " 다음은 {group} {value}입니다.",
            [AG_BUCKET_GROUP] = " {group}",
            [AG_COMPARED_GROUP] = ", {group}",
            [AG_POINTS] = "{points}%p",
            [AG_CHANGE_PERCENT] = "({percent})",
            [AG_EACH_ITEM] = "{group} {value}",
            [AG_EACH_TIME_ITEM] = "{from} {group} {value}",
            [AG_THRESHOLD_AT_LEAST] = "{limit} 이상",
            [AG_THRESHOLD_ABOVE] = "{limit} 초과",
            [AG_THRESHOLD_BELOW] = "{limit} 미만",
            [AG_THRESHOLD_AT_MOST] = "{limit} 이하",
            [AG_SEEN_AT] = "({from})",
            [AG_NAMES_END] = "입니다.",
            [AG_NAMES_OTHERS] = " 등입니다.",
            [AG_NO_VALUE] = "값 없음",
        },
    .measures =
        {
            [AG_COUNT] = {"건수", "가장 많습니다", "가장 적습니다"},
            [AG_DISTINCT] = {"서로 다른 {fields}", "가장 많습니다", "가장 적습니다"},
            [AG_ERROR_RATE] = {"오류율", "가장 높습니다", "가장 낮습니다"},
            [AG_FAILURE_RATE] = {"요청 실패율", "가장 높습니다", "가장 낮습니다"},
            [AG_SHARE] = {"{part}", "가장 높습니다", "가장 낮습니다"},
            [AG_AVG] = {"평균 소요 시간", "가장 깁니다", "가장 짧습니다"},
            [AG_MIN] = {"가장 짧은 소요 시간", "가장 깁니다", "가장 짧습니다"},
            [AG_MAX] = {"가장 긴 소요 시간", "가장 깁니다", "가장 짧습니다"},
            [AG_SUM] = {"소요 시간의 합", "가장 깁니다", "가장 짧습니다"},
            [AG_PERCENTILE] = {"{percentile} 소요 시간", "가장 깁니다", "가장 짧습니다"},
            [AG_RATE] = {"{per}당 건수", "가장 많습니다", "가장 적습니다"},
            [AG_FIRST_SEEN] = {"건수", "가장 이릅니다", "가장 이릅니다"},
            [AG_LAST_SEEN] = {"건수", "가장 최근입니다", "가장 최근입니다"},
            [AG_LIST] = {"건수", "가장 깁니다", "가장 짧습니다"},
            [AG_NAMES] = {"건수", "가장 깁니다", "가장 짧습니다"},
        },
    .of_keys = {[AG_AVG] = "{measured key} 평균",
                [AG_MIN] = "{measured key} 최솟값",
                [AG_MAX] = "{measured key} 최댓값",
                [AG_SUM] = "{measured key} 합",
                [AG_PERCENTILE] = "{measured key} {percentile}"},
    .per = {"초", "분", "시간", "하루", "단위 시간"},
    .spans = {{"일", "일"}, {"시간", "시간"}, {"분", "분"}, {"초", "초"}},
    .records = "건",
    .values = "개",
    .users = "명",
    .unitless = "건",
};
