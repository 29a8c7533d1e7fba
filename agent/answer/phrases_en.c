/*
 * The insight in English.
 */
#include "agent/answer/phrases.h"

static void put_subject(const struct ag_intent *intent, struct lm_buffer *out, bool one)
{
    struct ag_subject subject = ag_subject_of(intent);
    if (subject.others > 0 && subject.only == NULL) {
        lm_buffer_append_text(out, "matching ");
    }
    if (subject.errors) {
        lm_buffer_append_text(out, one ? "error" : "errors");
    } else {
        if (subject.level != NULL && !subject.level_or_above) {
            lm_buffer_printf(out, "%s ", subject.level);
        }
        lm_buffer_append_text(out, one ? "record" : "records");
        if (subject.level_or_above) {
            lm_buffer_printf(out, " at %s or above", subject.level);
        }
    }
    if (subject.service != NULL) {
        lm_buffer_append_text(out, " in ");
        ag_put_name(out, subject.service);
    }
    if (subject.only != NULL) {
        lm_buffer_append_text(out, " with ");
        ag_put_only(out, subject.only, AG_EN);
    }
}

const struct ag_phrases ag_phrases_en = {
    .language = AG_EN,
    .put_subject = put_subject,
    .patterns =
        {
            [AG_SAY_NOTHING] = "There are no {subjects} {window}.",
            [AG_SAY_TOO_FEW] = "Nothing has enough {subjects} {window} to be ranked by them.",
            [AG_SAY_COUNT] = "{value} {subject} {window}.",
            [AG_SAY_DISTINCT] = "{value} different {field} among {subjects} {window}.",
            [AG_SAY_FIRST_SEEN] = "First seen at {value}; {other} {subject} {window}.",
            [AG_SAY_LAST_SEEN] = "Last seen at {value}; {other} {subject} {window}.",
            [AG_SAY_SHARE] = "The {measure} among {subjects} is {value}{more measures}{basis}, {window}.",
            [AG_SAY_NUMBER] = "The {measure} of {subjects} is {value}{more measures}{basis}, {window}.",
            [AG_SAY_PARTS] = "{parts}, {window}.",
            [AG_SAY_PARTS_BY] = "{among}{group} has {parts}, {window}.",
            [AG_SAY_GROUPS] =
                "{among}{group} {superlative}{leads by}: {value}{leader share}{runner-up}, {window}.",
            [AG_SAY_EACH_MOST] = "For each {label} the highest {measure} of {subjects} {window}: {leaders}",
            [AG_SAY_EACH_FEWEST] = "For each {label} the lowest {measure} of {subjects} {window}: {leaders}",
            [AG_SAY_EACH_TIME_MOST] =
                "For every {width} the highest {measure} of {subjects} {window}: {leaders}",
            [AG_SAY_EACH_TIME_FEWEST] =
                "For every {width} the lowest {measure} of {subjects} {window}: {leaders}",
            [AG_SAY_COUNTED] = "The {measure} of {subjects} is {threshold} for {value} {label}, {window}.",
            [AG_SAY_SUMMED] =
                "{value} {subjects} in all of the {label} for which their number is {threshold}, {window}.",
            [AG_SAY_COUNTED_ROSE] =
                "The {measure} of {subjects} was higher {window} than {other window} for {value} {label}.",
            [AG_SAY_COUNTED_FELL] =
                "The {measure} of {subjects} was lower {window} than {other window} for {value} {label}.",
            [AG_SAY_COUNTED_WITHOUT] = "{value} {label} had records but no {subjects} {window}.",
            [AG_SAY_SERIES_TOTAL] = "{count} {subject} {window}, the most {bucket}{bucket group}: {value}.",
            [AG_SAY_SERIES_MOST] =
                "The {measure} of {subjects} {window} was highest {bucket}{bucket group}: {value}.",
            [AG_SAY_SERIES_HIGHEST] =
                "The {measure} of {subjects} {window} was highest {bucket}{bucket group}: {value}.",
            [AG_SAY_SERIES_LOWEST] =
                "The {measure} of {subjects} {window} was lowest {bucket}{bucket group}: {value}.",
            [AG_SAY_TIMES_MEDIAN] = " That is {times} times the median of {base}.",
            [AG_SAY_YES] = "Yes: ",
            [AG_SAY_NO] = "No: ",
            [AG_SAY_COMPARED_COUNT] =
                "{compared group}{value} {window}, {other} {other window} ({measure} of "
                "{subjects}). ",
            [AG_SAY_COMPARED] = "{compared group}{value} {window}, {other} {other window} ({measure} of "
                                "{subjects}). ",
            [AG_SAY_NOT_COMPARABLE] = "One side has no value, so they cannot be compared.",
            [AG_SAY_UNCHANGED] = "Nothing changed.",
            [AG_SAY_UP] = "Up by {difference}.",
            [AG_SAY_DOWN] = "Down by {difference}.",
            [AG_SAY_LIST] = "{count} {subject} {window}.",
            [AG_SAY_LIST_CUT] = "{count} {subject} {window}; there are more.",
            [AG_SAY_LIST_FULL] = "{count} {subject} {window}, as many as were asked for.",
            [AG_SAY_FIRST_ROW] = " The first one shown: {from}, {service}, {message}.",
            [AG_SAY_NONE_SILENT] = "No {label} have been silent for the last {silence}.",
            [AG_SAY_ONE_SILENT] = "1 {label} has been silent for the last {silence}; last seen: {seen}",
            [AG_SAY_SILENT] = "{number} {label} have been silent for the last {silence}; last seen: {seen}",
            [AG_SAY_NONE_NEW] = "No new {label} appeared {window}.",
            [AG_SAY_NEW] = "{number} new {label} appeared {window}; first seen: {seen}",
            [AG_SAY_NAMES] = "{number} {field} {window}: {names}",
            [AG_SAY_NAMES_CUT] = "{number} or more {field} {window}: {names}",
            [AG_SAY_MORE_OF] = " What rose with it: {evidence}. This is what changed, not a proven cause.",
            [AG_SAY_MORE_OF_NOTHING] = " There is nothing there was more of than before.",
            [AG_EVIDENCE_ITEM] = "{dimension} {group} from {other} to {value}",
            [AG_SAY_NONE_ROSE] = "No {label} had more {subjects} {window} than {other window}.",
            [AG_SAY_NONE_FELL] = "No {label} had fewer {subjects} {window} than {other window}.",
            [AG_SAY_NONE_MET] = "No {label} met that condition {window}.",
            [AG_SAY_NONE_MET_ALONE] = "Nothing met that condition {window}.",
            [AG_SAY_NONE_WITHOUT] = "No {label} with records were without {subjects} {window}.",
            [AG_SAY_WITHOUT] = "{number} {label} had records but no {subjects} {window}: {names}",
            [AG_SAY_WITHOUT_CUT] = "{number} or more {label} had records but no {subjects} {window}: {names}",
            [AG_SAY_ALIKE] =
                " {count} patterns that differ in a name only were put together; <*> stands for it.",
            [AG_SAY_WINDOW_ASSUMED] = " No time was named, so this window was taken.",
            [AG_WINDOW_ALL] = "in everything kept",
            [AG_WINDOW_DAY] = "on {day}",
            [AG_WINDOW_SPAN] = "from {from} to {to}",
            [AG_PERIOD_SPAN] = "at {from}–{to}",
            [AG_PERIOD_DAY] = "on {day}",
            [AG_PERIOD_LONG] = "in the period from {day}",
            [AG_MORE_MEASURES] = ", {measure} is {value}",
            [AG_PART_ITEM] = "{column}: {value}",
            [AG_BASIS_PART] = " ({value} of {other})",
            [AG_BASIS_SAMPLE] = " (1 sample)",
            [AG_BASIS_SAMPLES] = " ({count} samples)",
            [AG_PART_ERRORS] = "share of errors",
            [AG_PART_VALUE] = "share with {part value}",
            [AG_PART_OTHER] = "matching share",
            [AG_AMONG_NAMED] = "Of {number} {groups}, ",
            [AG_AMONG_SHOWN] = "",
            [AG_COMBINATIONS] = "combinations",
            [AG_VALUE_OF] = "value of {key}",
            [AG_VALUES_OF] = "values of {key}",
            [AG_LEADS_BY_COUNT] = " {subjects}",
            [AG_LEADS_BY_TIME] = "",
            [AG_LEADS_BY_MEASURE] = " {measure} of {subjects}",
            [AG_LEADER_SHARE] = " ({share} of {total})",
            [AG_RUNNER_UP] = ", followed by {group} with {value}",
            [AG_BUCKET_GROUP] = " for {group}",
            [AG_COMPARED_GROUP] = "{group}: ",
            [AG_POINTS] = "{points} percentage points",
            [AG_CHANGE_PERCENT] = " ({percent})",
            [AG_EACH_ITEM] = "{group} {value}",
            [AG_EACH_TIME_ITEM] = "{from} {group} {value}",
            [AG_THRESHOLD_AT_LEAST] = "at least {limit}",
            [AG_THRESHOLD_ABOVE] = "more than {limit}",
            [AG_THRESHOLD_BELOW] = "less than {limit}",
            [AG_THRESHOLD_AT_MOST] = "at most {limit}",
            [AG_SEEN_AT] = " ({from})",
            [AG_NAMES_END] = ".",
            [AG_NAMES_OTHERS] = " and others.",
            [AG_NO_VALUE] = "no value",
        },
    .measures =
        {
            [AG_COUNT] = {"number", "has the most", "has the fewest"},
            [AG_DISTINCT] = {"number of different {fields}", "has the highest", "has the lowest"},
            [AG_ERROR_RATE] = {"error rate", "has the highest", "has the lowest"},
            [AG_FAILURE_RATE] = {"failure rate", "has the highest", "has the lowest"},
            [AG_SHARE] = {"{part}", "has the highest", "has the lowest"},
            [AG_AVG] = {"average duration", "has the highest", "has the lowest"},
            [AG_MIN] = {"shortest duration", "has the highest", "has the lowest"},
            [AG_MAX] = {"longest duration", "has the highest", "has the lowest"},
            [AG_SUM] = {"total duration", "has the highest", "has the lowest"},
            [AG_PERCENTILE] = {"{percentile} duration", "has the highest", "has the lowest"},
            [AG_RATE] = {"number per {per}", "has the highest", "has the lowest"},
            [AG_FIRST_SEEN] = {"number", "came first", "came first"},
            [AG_LAST_SEEN] = {"number", "came last", "came last"},
            [AG_LIST] = {"number", "has the highest", "has the lowest"},
            [AG_NAMES] = {"number", "has the highest", "has the lowest"},
        },
    .of_keys = {[AG_AVG] = "average {measured key}",
                [AG_MIN] = "smallest {measured key}",
                [AG_MAX] = "largest {measured key}",
                [AG_SUM] = "sum of {measured key}",
                [AG_PERCENTILE] = "{percentile} of {measured key}"},
    .per = {"second", "minute", "hour", "day", "unit of time"},
    .spans = {{" day", " days"}, {" hour", " hours"}, {" minute", " minutes"}, {" second", " seconds"}},
    .records = "",
    .values = "",
    .users = "",
    .unitless = "",
};
