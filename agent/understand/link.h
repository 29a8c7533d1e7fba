/*
 * Private to names.c, spelling.c, metadata.c and search.c: what linking words to names is made of.
 */
#ifndef LOGMILL_AGENT_UNDERSTAND_LINK_H
#define LOGMILL_AGENT_UNDERSTAND_LINK_H

#include "agent/understand/parse.h"

#define AG_MAX_CANDIDATES 8

/* The text typed for cp[from, to), in NFC; "" without memory, noted. */
const char *ag_typed(struct ag_parse *p, size_t from, size_t to);
/* The inside of the quotes of token `i`, as typed. */
const char *ag_quoted(struct ag_parse *p, size_t i);
/* Is token `i`'s first meaning a domain word, or is it a word nobody knows? */
bool ag_is_mainly_domain(const struct ag_parse *p, size_t i);
/* Names of `kind` that token `i` may stand for, by part: its own letters first, then the roots of its
 * meaning. */
size_t ag_candidates(const struct ag_parse *p, size_t i, enum ag_kind kind, const struct ag_name **out);
/* Outcome unknown_entity for tokens [from, to), with the closest names of `kind` (AG_KIND_COUNT: of any). */
void ag_unknown_name(struct ag_parse *p, enum ag_kind kind, size_t from, size_t to);
/* The token's catalogue name of this kind, or NULL. */
const struct ag_name *ag_name_of_kind(const struct ag_token *token, enum ag_kind kind);

/* The kind a field word names ("컴포넌트", "host") and nobody consumed, or AG_KIND_COUNT. */
enum ag_kind ag_kind_said(const struct ag_parse *p, size_t i);
/* The kind said beside the name at [*from, *to), which then covers the word that says it; else
 * AG_KIND_COUNT. "order-service 서비스", "component stock-sync", "host web-03". */
enum ag_kind ag_kind_beside(const struct ag_parse *p, size_t *from, size_t *to);

/* compound.c: of services with a part in common, the one that is that part and "service" and no more (환자
 * 서비스, of patient-app and patient-service) is put first; how many there are then. */
size_t ag_plain_service(const struct ag_name **names, size_t count);
/* compound.c: do the word right before token `i` and that one, taken for `name`, each mean a part of another
 * service (병원 예약)? Asks back then: it may be one name or two. */
bool ag_one_name_or_two(struct ag_parse *p, size_t i, const struct ag_name *name);
/* outcomes.c: is token `i` something done and not the service for it: 결제한 사용자, "signed in"? */
bool ag_is_done(const struct ag_parse *p, size_t i);
/* outcomes.c: the one event of what token `i` says that ended well, that failed, or that is the attempt
 * itself (login_attempt); NULL for none or several. */
const struct ag_name *ag_event_succeeded(const struct ag_parse *p, size_t i);
const struct ag_name *ag_event_failed(const struct ag_parse *p, size_t i);
const struct ag_name *ag_event_attempted(const struct ag_parse *p, size_t i);
/* spelling.c: words that look like names and are none, or are one with a slip. */
void ag_stranger_rule(struct ag_parse *p);
/* apposition.c: "u1077 이 고객" names the user twice. */
void ag_apposition_rule(struct ag_parse *p);
/* sampled.c: values met in a sample of the rows. */
void ag_sampled_rule(struct ag_parse *p);
/* sampled.c: places, whose names the data may write in other letters; before metadata keys, which may name
 * their kind. */
void ag_place_rule(struct ag_parse *p);
/* called.c: may token `i` be described by a name: errors, logs, a level, latency, 서비스? */
bool ag_takes_a_name(const struct ag_parse *p, size_t i);
/* called.c: the names that token `i` stands for where it is no service's: of one component, or of endpoints.
 * Sets their kind, and `to` behind what belongs to them; 0: none. */
size_t ag_called(const struct ag_parse *p, size_t i, const struct ag_name **names, enum ag_kind *kind,
                 size_t *to) LM_MUST_CHECK;
/* error_words.c: errors called by a word of their names */
void ag_error_words_rule(struct ag_parse *p);
/* metadata.c */
void ag_metadata_rule(struct ag_parse *p);
/* search.c: quoted texts nobody else took. */
void ag_quoted_rule(struct ag_parse *p);
/* search.c: words before 로그 that are no names. */
void ag_untitled_text_rule(struct ag_parse *p);

#endif
