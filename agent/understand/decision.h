/*
 * Deciding what is measured: the rules of measure.c, filters.c, durations.c, measures.c, shapes.c and ranks.c
 * look at the words taken as flags and fill the intent. A rule that uses a flag says so; a strong flag nobody
 * used makes the question not understood. Rules that return bool return whether they decided.
 */
#ifndef LOGMILL_AGENT_UNDERSTAND_DECISION_H
#define LOGMILL_AGENT_UNDERSTAND_DECISION_H

#include "agent/understand/parse.h"

struct decision {
    struct ag_parse *p;
    struct ag_intent *intent;
    bool used[AG_C_COUNT_OF];
    bool different; /* the threshold is of different values of a field: ag_different_rule */
};

/* measure.c: flags. ag_use marks one as used and says whether it was there; ag_heard only asks. */
bool ag_use(struct decision *d, enum ag_concept concept);
bool ag_use_any(struct decision *d, const enum ag_concept *concepts, size_t n);
bool ag_heard(const struct decision *d, enum ag_concept concept);
/* The vocabulary's value of the word heard; "" where it was not. */
const char *ag_heard_value(const struct decision *d, enum ag_concept concept);

/* measure.c: measure and groups. */
void ag_set_measure(struct decision *d, enum ag_measure_fn fn, enum ag_field field);
void ag_group_by(struct decision *d, struct ag_target *target);
void ag_group_by_field(struct decision *d, enum ag_field field);
/* The first field named that is not grouped by yet, or NULL. */
struct ag_target *ag_free_target(struct decision *d);
void ag_group_free_targets(struct decision *d);

/* filters.c */
/* "errors last week, total" asks for a number; "all errors" does not. */
bool ag_wants_total(const struct decision *d);
bool ag_same_key(const char *a, const char *b);
/* Are all values of that field meant by one word (로그인 시도, "timeout errors"), which lists nothing? */
bool ag_said_as_one(const struct ag_parse *p, enum ag_field field);
void ag_filter_add(struct ag_parse *p, enum ag_field field, const char *key, enum ag_op op,
                   const char *value);
void ag_filter_remove(struct ag_intent *intent, size_t i);
void ag_filters_from_mentions(struct ag_parse *p);
bool ag_is_error_filter(const struct ag_filter *f);
bool ag_has_error_filter(const struct ag_intent *intent);
void ag_drop_error_filter(struct ag_intent *intent);
void ag_add_errors(struct ag_parse *p);
bool ag_has_field(const struct ag_intent *intent, enum ag_field field);
/* Only records that are requests, where no other condition says so. */
void ag_add_requests(struct decision *d);

/* durations.c */
/* "by number of errors, in order of latency" asks for two numbers. */
bool ag_counts_as_well(const struct decision *d);
/* So many records in that order; one where no number was said. */
void ag_list_one(struct decision *d, enum ag_order order);
/* 평균 응답시간 가장 긴 서비스: of averages, the longest is an order and no statistic. Before
 * the flags. */
void ag_longest_average(struct ag_parse *p);
bool ag_key_rule(struct decision *d); /* 평균 loss, "max battery by hub": numbers of a key of the metadata */
bool ag_duration_rule(struct decision *d);
bool ag_slow_rule(struct decision *d);

/* measures.c */
bool ag_rate_rule(struct decision *d);
bool ag_distinct_rule(struct decision *d);
/* 서비스랑 횟수, ip와 건수: the field and the number of each. */
bool ag_lists_count(const struct ag_parse *p, const struct ag_target *target);
/* Is "how many" said right at the field: 서비스 몇 개, "how many hosts", 에러 타입 수? */
bool ag_counts_target(const struct decision *d, const struct ag_target *target);
bool ag_seen_rule(struct decision *d);
/* 에러 몇 건이고 주로 뭐였어: how many there were of each kind. */
void ag_what_they_were(struct decision *d);
/* Is it asked how long: 안 들어온 지 얼마나 됐어, "how long has it been silent"? */
bool ag_asks_how_long(const struct ag_parse *p);

/* counted.c: "how many services had more than 10 errors"; before the measure is decided. */
void ag_counted_rule(struct decision *d);

/* changed.c: 어제보다 에러율 높은 서비스, "which services spiked"; before the measure is decided. */
void ag_changed_rule(struct decision *d);
/* Is the field what the sentence asks for: "which services …", "services with …", … 서비스 있어? */
bool ag_is_asked_for(const struct ag_parse *p, const struct ag_target *target);

/* exceeds.c: 결제보다 느린 서비스, "services with more errors than payment"; before the measure is decided.
 */
void ag_exceeds_groups(struct decision *d);

/* threshold.c: conditions on durations and on what is measured of groups. */
void ag_length_rule(struct decision *d);
/* "users with errors in more than 2 services", 사용자 5명 이상이 겪은 에러 타입: true when it decided. */
bool ag_different_rule(struct decision *d);
void ag_threshold_rule(struct decision *d);

/* shares.c: "2초 넘는 요청 비율", 에러 중 FATAL 비율, "what share of errors come from payment". The parts are
 * told from the whole before filters are made of them; true when it decided. */
void ag_share_parts(struct ag_parse *p);
bool ag_share_rule(struct decision *d);

/* only.c: who had nothing else ("users who only hit checkout") is held back. `broken_down`: by a field said
 * with by. */
void ag_only_rule(struct ag_parse *p, bool broken_down);

/* steps.c: questions of several steps are held back. */
void ag_steps_rule(struct ag_parse *p);
/* "the slowest endpoint of each service", 서비스별 에러 타입 상위 3개: sets intent->each. `divided`: by so
 * many fields said with by or each. */
void ag_of_each_rule(struct decision *d, size_t divided);
/* "endpoints": are more than the first asked for, without saying how many? */
bool ag_asks_for_many(const struct ag_parse *p, const struct ag_group *ranked);
/* each.c: "which service had the most errors in each hour". */
void ag_of_each_bucket_rule(struct decision *d, size_t divided);
/* Are two names set against each other, each at a time of its own: "payment today vs order yesterday"? */
bool ag_is_crossed(const struct ag_parse *p);
/* Is a second question asked that is a name: "… in payment? And order?"; one without a counterpart is held
 * back. */
bool ag_asks_again(struct ag_parse *p);

/* several.c: several measures in one question; true when it decided. */
bool ag_several_rule(struct decision *d);

/* shapes.c */
/* 뭐가 튀었던데 무슨 에러였어, "what errors spiked": what they were, not when or how many. */
bool ag_asks_which_error(const struct ag_parse *p);
void ag_series_rule(struct decision *d);
bool ag_busiest_rule(struct decision *d);
bool ag_stopped_rule(struct decision *d);
bool ag_new_rule(struct decision *d);
bool ag_spike_rule(struct decision *d);
bool ag_list_names_rule(struct decision *d);
/* "services with no errors": who had none of something. */
bool ag_without_rule(struct decision *d);

/* asked_where.c: the field that "where" or "who" asks for of what went wrong or was done; AG_NO_FIELD where
 * they ask nothing of the kind. */
enum ag_field ag_asks_where(const struct decision *d);

/* ranks.c */
void ag_rank_rule(struct decision *d);
/* Groups errors by their type, or by their pattern where messages were asked for. */
void ag_group_errors(struct decision *d);
void ag_left_target_rule(struct decision *d);
void ag_plain_rule(struct decision *d);
void ag_each_rule(struct decision *d);
/* The order of rows: as said, or newest first, or oldest first along a trace or session. */
void ag_list_order(struct decision *d);
/* messages.c: messages that are ranked are told apart by pattern. */
void ag_messages_rule(struct decision *d);
/* again.c: nothing is named but the records, or the errors, of the question before. */
bool ag_asks_for_its_records(const struct ag_parse *p);
bool ag_asks_for_its_errors(const struct ag_parse *p);
/* again.c, of a follow-up: those records instead of what was measured. */
bool ag_show_its_records(struct ag_parse *p);
/* again.c: is it asked who had none of something? */
bool ag_asks_who_had_none(const struct ag_parse *p);
/* again.c, of a follow-up: what was measured, set against the time said. */
bool ag_compare_again(struct ag_parse *p);
/* again.c, of a follow-up: what was counted or listed by error type, where that is `asked` for. */
bool ag_name_its_errors(struct ag_parse *p, bool asked);
/* affected.c: asks back where it is not said by what somebody was affected. */
void ag_affected_rule(struct decision *d);

#endif
