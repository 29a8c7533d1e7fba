/*
 * What bursts is errors: "which service blew up most", 뭐가 제일 많이 터졌어, where nothing else is said that
 * did. 타임아웃 터진 서비스 and 요청이 터졌어 say what.
 */
#include "agent/understand/link.h"

#include <string.h>

/* Is something named that may have burst: records of some kind, a number of theirs, an error of some name? */
static bool says_what_burst(const struct ag_parse *p)
{
    static const enum ag_concept kinds[] = {
        AG_C_ERROR,   AG_C_LEVEL,    AG_C_FAIL,         AG_C_STATUS_CLASS, AG_C_RATE,     AG_C_FAIL_RATE,
        AG_C_REQUEST, AG_C_RESPONSE, AG_C_LOG,          AG_C_PATTERN,      AG_C_DURATION, AG_C_QUOTED,
        AG_C_SLOW,    AG_C_WORD,     AG_C_EVENT_ANCHOR, AG_C_CONTAINS,     AG_C_HANGUL,   AG_C_SUMMARY,
        AG_C_WITHOUT, AG_C_NOT,      AG_C_NEW,          AG_C_SPIKE};
    static const char *const fields[] = {"error_type", "error_code", "event_type", "http_status",
                                         "message",    "level",      "tag",        "stack_trace"};

    for (size_t i = 0; i < p->tokens->count; i++) {
        const struct ag_name *found[AG_MAX_CANDIDATES];
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
            if (ag_is(p->tokens, i, kinds[k]))
                return true;
        }
        if (ag_is(p->tokens, i, AG_C_NUMBER) && p->tokens->items[i].number >= 100)
            return true; /* a status */
        for (size_t k = 0; k < sizeof fields / sizeof *fields; k++) {
            if (ag_names_field(p, i, fields[k]) && ag_is(p->tokens, i, AG_C_FIELD))
                return true;
        }
        if (ag_is(p->tokens, i, AG_C_DOMAIN) && ag_candidates(p, i, AG_KIND_SERVICE, found) == 0)
            return true;
        if (ag_name_of_kind(&p->tokens->items[i], AG_KIND_ERROR_TYPE) ||
            ag_name_of_kind(&p->tokens->items[i], AG_KIND_EVENT_TYPE))
            return true;
    }
    return false;
}

void ag_burst_rule(struct ag_parse *p)
{
    static const struct ag_reading error = {.concept = AG_C_ERROR, .value = ""};
    static const char *const bursts[] = {"터진", "터졌", "터짐", "터져", "터지", "터졌던"};

    if (p->question->previous || says_what_burst(p))
        return;
    for (size_t i = 0; i < p->tokens->count; i++) {
        if (!ag_is(p->tokens, i, AG_C_VERB) || !ag_says(p, i, bursts, sizeof bursts / sizeof *bursts) ||
            (i > 0 && strcmp(ag_word(p, i - 1), "안") == 0))
            continue;
        p->tokens->items[i].readings = &error;
        ag_assume(p, "burst_of_errors", "터진 것은 에러로 보았습니다.", "What burst is taken to be errors.");
        return;
    }
}
