/*
 * The reader of the tests' one-line intents.
 */
#include "tests/unit/agent/intent_spec.h"

#include "common/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *trimmed(char *text)
{
    while (*text == ' ') {
        text++;
    }
    for (char *end = text + strlen(text); end > text && end[-1] == ' ';) {
        *--end = '\0';
    }
    return text;
}

/* The rest of `text` behind `word`, or NULL when it does not begin with it. */
static char *after(char *text, const char *word)
{
    size_t len = strlen(word);
    if (strncmp(text, word, len) != 0 || (text[len] != '\0' && text[len] != ' ')) {
        return NULL;
    }
    return trimmed(text + len);
}

static bool field_of(char *text, struct lm_arena *arena, enum ag_field *field, const char **key)
{
    char *dot = strncmp(text, "metadata.", 9) == 0 ? text + 8 : NULL;
    if (dot != NULL) {
        *dot = '\0';
        *key = lm_arena_copy(arena, dot + 1, strlen(dot + 1));
    }
    for (int i = 1; i < AG_FIELD_COUNT; i++) {
        if (strcmp(ag_field_name((enum ag_field)i), text) == 0) {
            *field = (enum ag_field)i;
            return true;
        }
    }
    return false;
}

static bool window_of(char *text, struct lm_arena *arena, struct ag_window *window)
{
    window->symbolic = lm_arena_copy(arena, text, strlen(text));
    window->stated = true;
    if (strcmp(text, "all") == 0) {
        window->from_us = INT64_MIN;
        window->to_us = SPEC_NOW;
        window->open = true;
        return true;
    }
    char *slash = strchr(text, '/');
    if (slash == NULL) {
        return false;
    }
    struct lm_error error;
    bool known = lm_rfc3339_parse(text, (size_t)(slash - text), &window->from_us, &error) == 0 &&
                 lm_rfc3339_parse(slash + 1, strlen(slash + 1), &window->to_us, &error) == 0;
    window->open = window->to_us == SPEC_NOW;
    return known;
}

static bool filter_of(char *text, struct lm_arena *arena, struct ag_intent *intent)
{
    char *field = strtok_r(text, " ", &text);
    unsigned part = field != NULL ? (unsigned)strtoul(field, NULL, 10) : 0;
    if (part > 0) {
        field = strtok_r(NULL, " ", &text);
    }
    char *op = strtok_r(NULL, " ", &text);
    if (field == NULL || op == NULL || intent->filter_count == AG_MAX_FILTERS) {
        return false;
    }
    struct ag_filter *filter = &intent->filters[intent->filter_count++];
    filter->part = part;
    if (!field_of(field, arena, &filter->field, &filter->key)) {
        return false;
    }
    int i = 0;
    while (i <= AG_NOT_NULL && strcmp(ag_op_name((enum ag_op)i), op) != 0) {
        i++;
    }
    filter->op = (enum ag_op)i;
    for (char *value = strtok_r(NULL, "|", &text); value != NULL; value = strtok_r(NULL, "|", &text)) {
        if (filter->value_count < AG_MAX_VALUES) {
            filter->values[filter->value_count++] = lm_arena_copy(arena, value, strlen(value));
        }
    }
    return i <= AG_NOT_NULL;
}

static bool measure_of(char *text, struct lm_arena *arena, struct ag_intent *intent)
{
    char *rest;
    if ((rest = after(text, "p")) != NULL) {
        intent->measure.fn = AG_PERCENTILE;
        intent->measure.field = AG_DURATION;
        for (char *p = strtok_r(rest, " ", &rest); p != NULL; p = strtok_r(NULL, " ", &rest)) {
            intent->measure.p[intent->measure.p_count++] = atof(p);
        }
        return true;
    }
    if ((rest = after(text, "rate")) != NULL) {
        intent->measure.fn = AG_RATE;
        intent->measure.rate_unit_us = atoll(rest) * LM_SECOND_US;
        return true;
    }
    for (int i = 0; i <= AG_NAMES; i++) {
        enum ag_measure_fn fn = (enum ag_measure_fn)i;
        if ((rest = after(text, ag_measure_name(fn))) != NULL) {
            intent->measure.fn = fn;
            if (fn == AG_AVG || fn == AG_MIN || fn == AG_MAX || fn == AG_SUM) {
                intent->measure.field = AG_DURATION;
            }
            return *rest == '\0' || field_of(rest, arena, &intent->measure.field, &intent->measure.key);
        }
    }
    return false;
}

/* part errors count, part slow p 0.95 */
static bool part_of(char *text, struct lm_arena *arena, struct ag_intent *intent)
{
    struct ag_intent one = {.part_count = 0};
    char *name = strtok_r(text, " ", &text);
    if (name == NULL || intent->part_count == AG_MAX_MEASURED_PARTS || !measure_of(text, arena, &one)) {
        return false;
    }
    if (intent->part_count == 0) {
        intent->measure = one.measure;
    }
    intent->parts[intent->part_count++] = (struct ag_measured_part){
        lm_arena_copy(arena, name, strlen(name)), one.measure.fn, one.measure.field, one.measure.p[0]};
    return true;
}

/* also max p 0.95 */
static bool also_of(char *text, struct ag_intent *intent)
{
    for (char *word = strtok_r(text, " ", &text); word != NULL; word = strtok_r(NULL, " ", &text)) {
        int fn = AG_AVG;
        if (strcmp(word, "p") == 0) {
            fn = AG_PERCENTILE;
            intent->measure.p[intent->measure.p_count++] = atof(strtok_r(NULL, " ", &text));
        }
        while (fn < AG_PERCENTILE && strcmp(ag_measure_name((enum ag_measure_fn)fn), word) != 0) {
            fn++;
        }
        intent->measure.also[intent->measure.also_count++] = (enum ag_measure_fn)fn;
    }
    return intent->measure.also_count > 0;
}

static bool threshold_of(char *text, struct ag_intent *intent)
{
    char *op = strtok_r(text, " ", &text);
    for (int i = AG_AT_LEAST; op != NULL && i <= AG_AT_MOST; i++) {
        if (strcmp(ag_op_name((enum ag_op)i), op) == 0) {
            intent->threshold.set = true;
            intent->threshold.op = (enum ag_op)i;
            intent->threshold.value = atof(text);
            return true;
        }
    }
    return false;
}

static bool shape_of(char *clause, struct ag_intent *intent)
{
    for (int i = AG_SERIES; i <= AG_EVIDENCE; i++) {
        char *rest = after(clause, ag_shape_name((enum ag_shape)i));
        if (rest != NULL) {
            intent->shape = (enum ag_shape)i;
            int64_t width = atoll(rest) * LM_SECOND_US;
            if (i == AG_SILENT) {
                intent->silent_us = width;
            } else {
                intent->bucket_us = width;
            }
            return true;
        }
    }
    return false;
}

static bool order_of(const char *name, struct ag_intent *intent)
{
    for (int i = 0; i <= AG_FASTEST; i++) {
        if (strcmp(ag_order_name((enum ag_order)i), name) == 0) {
            intent->order = (enum ag_order)i;
            return true;
        }
    }
    return false;
}

static bool clause_of(char *clause, struct lm_arena *arena, struct ag_intent *intent)
{
    char *rest;
    if ((rest = after(clause, "where")) != NULL) {
        return filter_of(rest, arena, intent);
    }
    if ((rest = after(clause, "by")) != NULL) {
        struct ag_group *group = &intent->groups[intent->group_count++ % AG_MAX_GROUPS];
        return field_of(rest, arena, &group->field, &group->key);
    }
    if ((rest = after(clause, "in")) != NULL) {
        return window_of(rest, arena, &intent->window);
    }
    if ((rest = after(clause, "against")) != NULL) {
        intent->compare = AG_COMPARE_WINDOW;
        return window_of(rest, arena, &intent->against);
    }
    if ((rest = after(clause, "claim")) != NULL) {
        intent->claim = strcmp(rest, "more") == 0 ? AG_CLAIM_MORE : AG_CLAIM_LESS;
        return true;
    }
    if ((rest = after(clause, "part")) != NULL) {
        return part_of(rest, arena, intent);
    }
    if ((rest = after(clause, "also")) != NULL) {
        return also_of(rest, intent);
    }
    if ((rest = after(clause, "each")) != NULL) {
        intent->each = atoi(rest);
        return true;
    }
    if ((rest = after(clause, "limit")) != NULL) {
        intent->limit = atoi(rest);
        return true;
    }
    if ((rest = after(clause, "order")) != NULL) {
        return order_of(rest, intent);
    }
    if ((rest = after(clause, "having")) != NULL) {
        return threshold_of(rest, intent);
    }
    if ((rest = after(clause, "above")) != NULL || (rest = after(clause, "below")) != NULL) {
        intent->threshold = (struct ag_threshold){.set = true,
                                                  .op = clause[0] == 'a' ? AG_ABOVE : AG_BELOW,
                                                  .of = lm_arena_copy(arena, rest, strlen(rest))};
        return true;
    }
    if ((rest = after(clause, "zone")) != NULL) {
        intent->zone = lm_arena_copy(arena, rest, strlen(rest));
        return true;
    }
    if (strcmp(clause, "rank") == 0) {
        intent->rank = true;
        return true;
    }
    if (strcmp(clause, "counted") == 0) {
        intent->counted = true;
        return true;
    }
    if (strcmp(clause, "summed") == 0) {
        intent->summed = true;
        return true;
    }
    if (strcmp(clause, "unstated") == 0) {
        intent->window.stated = false;
        return true;
    }
    if (strcmp(clause, "ko") == 0 || strcmp(clause, "en") == 0) {
        intent->language = clause[0] == 'k' ? AG_KO : AG_EN;
        return true;
    }
    return shape_of(clause, intent);
}

bool intent_spec_parse(const char *line, struct lm_arena *arena, struct ag_intent *intent)
{
    ag_intent_init(intent);
    intent->zone = "Asia/Seoul";
    intent->language = AG_EN;
    intent->window = (struct ag_window){.symbolic = "last 1 hour",
                                        .from_us = SPEC_NOW - LM_HOUR_US,
                                        .to_us = SPEC_NOW,
                                        .stated = true,
                                        .open = true};
    char *copy = lm_arena_copy(arena, line, strlen(line));
    char *rest = copy;
    bool first = true;
    for (char *clause = strtok_r(copy, ";", &rest); clause != NULL; clause = strtok_r(NULL, ";", &rest)) {
        clause = trimmed(clause);
        if (!(first ? measure_of(clause, arena, intent) : clause_of(clause, arena, intent))) {
            fprintf(stderr, "intent_spec: \"%s\" in \"%s\" is not known\n", clause, line);
            return false;
        }
        first = false;
    }
    return true;
}
