/*
 * How a question was understood, said back in one sentence.
 */
#include "agent/answer/table.h"

#define MAX_INTERPRETATION 8192

void ag_put_width(struct lm_buffer *out, int64_t us, enum ag_language language)
{
    static const struct {
        int64_t us;
        const char *ko;
        const char *en;
    } units[] = {
        {365 * AG_DAY, "년", "year"},   {91 * AG_DAY, "분기", "quarter"},
        {30 * AG_DAY, "개월", "month"}, {7 * AG_DAY, "주", "week"},
        {AG_DAY, "일", "day"},          {AG_HOUR, "시간", "hour"},
        {AG_MINUTE, "분", "minute"},    {AG_SECOND, "초", "second"},
    };
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (us < units[i].us || us % units[i].us != 0) {
            continue;
        }
        long long n = (long long)(us / units[i].us);
        if (language == AG_KO) {
            lm_buffer_printf(out, "%lld%s", n, units[i].ko);
        } else if (n == 1) {
            lm_buffer_append_text(out, units[i].en);
        } else {
            lm_buffer_printf(out, "%lld %ss", n, units[i].en);
        }
        return;
    }
}

static struct ag_reading read_intent(const struct ag_intent *intent, const struct ag_sql *sql,
                                     const struct ag_zone *zone)
{
    bool part = (intent->measure.fn == AG_SHARE || intent->shape == AG_WITHOUT) && intent->filter_count > 0;
    return (struct ag_reading){
        .intent = intent,
        .zone = zone,
        .filters = intent->filter_count - part,
        .from_us = sql != NULL ? sql->from_us : intent->window.from_us,
        .to_us = sql != NULL ? sql->to_us : intent->window.to_us,
        .all = intent->window.from_us == INT64_MIN,
        .change = intent->shape == AG_SILENT || intent->shape == AG_NEW,
        .bucket_us = sql != NULL ? sql->bucket_us : 0,
        .order = sql != NULL ? sql->list_order : intent->order,
        .silent_us = intent->silent_us > 0 ? intent->silent_us : 15 * AG_MINUTE,
    };
}

const char *ag_interpretation(const struct ag_intent *intent, const struct ag_sql *sql,
                              struct lm_arena *arena)
{
    struct lm_buffer out;
    lm_buffer_init(&out, MAX_INTERPRETATION);
    struct ag_zone *zone = ag_zone_new(intent->zone);
    const char *copy = NULL;
    if (zone != NULL) {
        struct ag_reading reading = read_intent(intent, sql, zone);
        if (intent->language == AG_KO) {
            ag_interpretation_ko(&reading, &out);
        } else {
            ag_interpretation_en(&reading, &out);
        }
        const char *text = lm_buffer_text(&out);
        copy = text == NULL ? NULL : lm_arena_copy(arena, text, out.len);
    }
    lm_buffer_free(&out);
    ag_zone_free(zone);
    return copy;
}
