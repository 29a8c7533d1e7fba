/*
 * Asking back: what the question names is kept, and two to five ways to complete it are offered, each with
 * its intent.
 */
#include "agent/understand/parse.h"
#include "agent/understand/time.h"

#include <string.h>

/* The question without its closing marks, to be completed. */
static const char *stem(struct ag_parse *p)
{
    size_t len = p->text.len;
    char *text;

    while (len > 0 && (p->text.cp[len - 1] == '?' || p->text.cp[len - 1] == '.' ||
                       p->text.cp[len - 1] == '!' || p->text.cp[len - 1] == ' '))
        len--;
    text = ag_text_typed(&p->text, 0, len, p->arena);
    p->memory = p->memory || !text;
    return text ? text : "";
}

static void base_intent(struct ag_parse *p, struct ag_intent *out)
{
    ag_intent_init(out);
    out->language = p->language;
    out->zone = p->zone_name;
    out->window.symbolic = p->time_count == 1 ? p->times[0].symbolic : "last 1 hour";
    out->window.stated = p->time_count == 1;
    for (size_t i = 0; i < p->mention_count && out->filter_count < AG_MAX_FILTERS; i++) {
        const struct ag_mention *m = &p->mentions[i];
        struct ag_filter *f = &out->filters[out->filter_count];
        if (m->op != AG_IN || m->field == AG_LEVEL)
            continue;
        *f = (struct ag_filter){
            .field = m->field, .key = m->key, .op = m->negated ? AG_NOT_IN : AG_IN, .value_count = 1};
        f->values[0] = m->value;
        out->filter_count++;
    }
}

static void offer(struct ag_parse *p, const char *label, const char *question, const struct ag_intent *intent)
{
    struct ag_intent *copy = lm_arena_alloc(p->arena, sizeof *copy);
    struct lm_error error;

    if (!copy) {
        p->memory = true;
        return;
    }
    *copy = *intent;
    if (ag_intent_resolve(copy, p->now, &error) < 0 || p->out->choice_count == AG_MAX_CHOICES)
        return;
    p->out->choices[p->out->choice_count++] = (struct ag_choice){label, question, copy};
}

static void errors_only(struct ag_intent *intent)
{
    struct ag_filter *f =
        &intent->filters[intent->filter_count < AG_MAX_FILTERS ? intent->filter_count++ : AG_MAX_FILTERS - 1];

    *f = (struct ag_filter){.field = AG_LEVEL, .op = AG_IN, .value_count = 2};
    f->values[0] = "ERROR";
    f->values[1] = "FATAL";
}

static void offer_slow(struct ag_parse *p)
{
    struct ag_intent in;

    base_intent(p, &in);
    in.measure.fn = AG_PERCENTILE;
    in.measure.field = AG_DURATION;
    in.measure.p[0] = 0.95;
    in.measure.p_count = 1;
    in.group_count = 1;
    in.rank = true;
    in.order = AG_MOST;
    in.groups[0].field = AG_ENDPOINT;
    offer(p, ag_say(p, "느린 엔드포인트", "slow endpoints"),
          ag_say(p, "느린 엔드포인트 보여줘", "slowest endpoints"), &in);
    in.groups[0].field = AG_SERVICE;
    offer(p, ag_say(p, "느린 서비스", "slow services"), ag_say(p, "느린 서비스 보여줘", "slowest services"),
          &in);
    base_intent(p, &in);
    in.measure.fn = AG_LIST;
    in.order = AG_SLOWEST;
    in.limit = 10;
    offer(p, ag_say(p, "가장 오래 걸린 요청", "slowest requests"),
          ag_say(p, "가장 느린 요청 10개", "10 slowest requests"), &in);
}

static void offer_general(struct ag_parse *p)
{
    const char *question = p->mention_count > 0 || p->time_count > 0 ? stem(p) : "";
    const char *gap = *question ? " " : "";
    struct ag_intent in;

    base_intent(p, &in);
    in.measure.fn = AG_COUNT;
    offer(p, ag_say(p, "로그 건수", "number of logs"),
          ag_sayf(p, "%s%s%s", question, gap, ag_say(p, "로그 몇 건?", "log count")), &in);
    errors_only(&in);
    offer(p, ag_say(p, "에러 건수", "number of errors"),
          ag_sayf(p, "%s%s%s", question, gap, ag_say(p, "에러 몇 건?", "error count")), &in);
    in.measure.fn = AG_LIST;
    in.order = AG_NEWEST;
    offer(p, ag_say(p, "최신 에러", "latest errors"),
          ag_sayf(p, "%s%s%s", question, gap, ag_say(p, "에러 목록", "latest errors")), &in);
    base_intent(p, &in);
    in.measure.fn = AG_COUNT;
    in.group_count = 1;
    in.groups[0].field = AG_LEVEL;
    offer(p, ag_say(p, "레벨별 건수", "logs by level"),
          ag_sayf(p, "%s%s%s", question, gap, ag_say(p, "레벨별 로그 건수", "log count by level")), &in);
}

void ag_ask_what(struct ag_parse *p)
{
    bool slow = ag_said(p, AG_C_SLOW) || ag_said(p, AG_C_SLOWEST) || ag_said(p, AG_C_FAST) ||
                ag_said(p, AG_C_FASTEST);

    if (p->stopped)
        return;
    if (!slow && p->mention_count == 0 && p->time_count == 0 && p->target_count == 0 &&
        !ag_said(p, AG_C_VAGUE) && !ag_said(p, AG_C_SHOW)) {
        ag_stop(p, AG_NOT_UNDERSTOOD,
                ag_say(p, "로그에 대한 질문이 아닌 것 같습니다.", "This does not seem to be about logs."),
                ag_say(p,
                       "로그의 건수, 목록, 순위, 응답 시간, 추이를 물을 수 있습니다. 예: \"어제 서비스별 "
                       "에러 건수\"",
                       "Counts, lists, rankings, latencies and trends of logs can be asked for, such as "
                       "\"errors by service yesterday\"."));
        return;
    }
    ag_stop(p, AG_NEEDS_CLARIFICATION,
            slow ? ag_say(p, "무엇이 느린지 알 수 없습니다.", "It is not said what is slow.")
                 : ag_say(p, "무엇을 알고 싶은지 분명하지 않습니다.", "It is not clear what is asked for."),
            ag_say(p, "아래에서 고르거나 더 자세히 물어봐 주세요.",
                   "Choose one of these, or ask in more detail."));
    if (slow)
        offer_slow(p);
    else
        offer_general(p);
}
