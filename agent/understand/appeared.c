/*
 * What is new: against the time it was missing from, and never seen before.
 */
#include "agent/understand/compare.h"

#include "agent/understand/time.h"

#include <string.h>

/* New is what was not there in the month before the window. */
static void not_for_a_month(struct ag_parse *p)
{
    struct ag_intent *in = p->intent;
    struct lm_error error;

    if (ag_intent_resolve(in, p->now, &error) < 0 || in->window.from_us == INT64_MIN)
        return;
    ag_set_against(p, ag_span_text(p, in->window.from_us - 30 * AG_DAY, in->window.from_us));
    ag_assume(p, "never_before", "처음은 그 앞 30일 동안 없던 것으로 보았습니다.",
              "New is what was not seen in the 30 days before.");
}

/* "new error types today that we did not see yesterday": the whole of yesterday. */
void ag_new_since(struct ag_parse *p)
{
    bool second = p->times[1].from_us > p->times[0].from_us;
    size_t said = p->said[AG_C_NEW];
    const char *word = said ? ag_word(p, said - 1) : "";
    size_t len = strlen(word);

    /* "today, never seen before today" */
    if (strcmp(p->times[0].symbolic, p->times[1].symbolic) == 0) {
        ag_set_window(p, p->times[0].symbolic, true);
        not_for_a_month(p);
        return;
    }
    if (len > 6 && strcmp(word + len - 6, "before") == 0 &&
        (p->times[0].from == said || p->times[1].from == said)) {
        ag_stop(p, AG_NOT_UNDERSTOOD,
                ag_say(p, "언제 나타난 것을 찾을지 알 수 없습니다.", "It is not said when they came."), NULL);
        return;
    }
    ag_set_window(p, p->times[second].symbolic, true);
    ag_set_against(p, p->times[!second].symbolic);
}

/* 어제 없던 에러, "error types we didn't see yesterday": the one time said is the one they were missing from.
 */
bool ag_was_absent(const struct ag_parse *p)
{
    const struct ag_time_found *f = &p->times[0];
    size_t at = p->said[AG_C_NEW] - 1;
    const char *word = ag_said(p, AG_C_NEW) ? ag_word(p, at) : "";

    if (p->time_count != 1 || p->intent->shape != AG_NEW || strstr(word, "전") ||
        !(strstr(word, "없") || strstr(word, "안 보") || strstr(word, "못") || strstr(word, "not") ||
          strstr(word, "n't")))
        return false;
    return ag_is_korean(p, at) ? f->to > 0 && f->to <= at && ag_before(p, at) == f->to - 1
                               : f->from == at + 1;
}

/* What has come since: in the day, week, month it is now. */
void ag_came_since(struct ag_parse *p)
{
    char name[16];
    int k;

    if (!ag_calendar_of(p->times[0].symbolic, name, &k) || k >= 0) {
        ag_stop(p, AG_NEEDS_CLARIFICATION,
                ag_say(p, "언제 나타난 것을 찾을지 알 수 없습니다.", "It is not said when they came."),
                ag_say(p, "예: \"오늘 나왔는데 어제는 없던 에러 타입\"",
                       "For example \"error types today that were not there yesterday\"."));
        return;
    }
    ag_set_window(p, ag_sayf(p, "%s 0", name), false);
    ag_set_against(p, p->times[0].symbolic);
    ag_assume(p, "came_since", "그때 없다가 지금까지 나타난 것을 찾았습니다.",
              "Those that were not there then and have come by now.");
}

/* 이번주에 처음 등장한, "never seen before": not only not in the window before. */
void ag_never_before(struct ag_parse *p)
{
    struct ag_intent *in = p->intent;
    size_t said = p->said[AG_C_NEW];
    const char *how = !said                               ? NULL
                      : ag_reads(p, said - 1, AG_C_FIRST) ? "ever"
                                                          : ag_reads_value(p, said - 1, AG_C_NEW);

    if (in->shape == AG_NEW && in->compare != AG_COMPARE_WINDOW && how && strcmp(how, "ever") == 0)
        not_for_a_month(p);
}
