/*
 * What bounds a relation in time: a conjunct that compares its bare time column with a constant. The constant
 * is folded to an instant that is never later than what PostgreSQL will compute, whatever its time zone:
 * where the zone, the length of a month or a truncation leaves room, the earliest reading is taken. Whatever
 * cannot be folded bounds nothing.
 */
#include "agent/guard/check.h"
#include "common/clock.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define ZONE_SLACK_US (16 * LM_HOUR_US) /* PostgreSQL takes offsets below 16 hours */
#define DAY_SLACK_US (25 * LM_HOUR_US)  /* a day on which a clock is put back */
#define MAX_US (INT64_C(8000) * 366 * LM_DAY_US)

struct interval {
    int64_t months;
    int64_t days;
    int64_t us;
};

static int64_t days_from_civil(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2 ? 1 : 0;
    const int64_t era = year / 400;
    const int64_t of_era = year - era * 400;
    const int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* Exactly `width` digits; moves *at. -1 when they are not there. */
static int64_t digits(const char **at, int width)
{
    int64_t value = 0;
    for (int i = 0; i < width; i++) {
        if (!isdigit((unsigned char)**at)) {
            return -1;
        }
        value = value * 10 + (**at - '0');
        (*at)++;
    }
    return value;
}

static void skip_spaces(const char **at)
{
    while (**at == ' ') {
        (*at)++;
    }
}

static bool read_date(const char **at, int64_t *us)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const int64_t year = digits(at, 4);
    if (year < 1900 || *(*at)++ != '-') {
        return false;
    }
    const int64_t month = digits(at, 2);
    if (month < 1 || month > 12 || *(*at)++ != '-') {
        return false;
    }
    const int64_t day = digits(at, 2);
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (day < 1 || day > lengths[month - 1] + (month == 2 && leap ? 1 : 0)) {
        return false;
    }
    *us = days_from_civil(year, month, day) * LM_DAY_US;
    return true;
}

/* HH:MM[:SS[.fraction]] */
static bool read_clock(const char **at, int64_t *us)
{
    const int64_t hour = digits(at, 2);
    if (hour < 0 || hour > 24 || *(*at)++ != ':') {
        return false;
    }
    const int64_t minute = digits(at, 2);
    if (minute < 0 || minute > 59) {
        return false;
    }
    int64_t value = hour * LM_HOUR_US + minute * LM_MINUTE_US;
    if (**at == ':') {
        (*at)++;
        const int64_t second = digits(at, 2);
        if (second < 0 || second > 60) {
            return false;
        }
        value += second * LM_SECOND_US;
        if (**at == '.') {
            (*at)++;
            int64_t unit = LM_SECOND_US / 10;
            for (; isdigit((unsigned char)**at); (*at)++) {
                value += (**at - '0') * unit;
                unit /= 10;
            }
        }
    }
    *us = value;
    return true;
}

/* Z, UTC, +09, +0900, +09:00; nothing: the session's zone, which may be anything. */
static bool read_zone(const char **at, int64_t *earlier_us)
{
    if (**at == '\0') {
        *earlier_us = ZONE_SLACK_US;
        return true;
    }
    if (strcmp(*at, "Z") == 0 || strcmp(*at, "z") == 0 || strcmp(*at, "UTC") == 0) {
        *at += strlen(*at);
        *earlier_us = 0;
        return true;
    }
    const char sign = **at;
    if (sign != '+' && sign != '-') {
        return false;
    }
    (*at)++;
    const int64_t hours = digits(at, 2);
    int64_t minutes = 0;
    if (**at == ':') {
        (*at)++;
        minutes = digits(at, 2);
    } else if (isdigit((unsigned char)**at)) {
        minutes = digits(at, 2);
    }
    if (hours < 0 || hours > 15 || minutes < 0 || minutes > 59) {
        return false;
    }
    const int64_t offset = hours * LM_HOUR_US + minutes * LM_MINUTE_US;
    *earlier_us = sign == '+' ? offset : -offset;
    return true;
}

/* Only ISO dates: '-infinity', 'epoch', 'today', BC years and zone names are no constants here. */
static bool fold_text(const char *text, int64_t *us)
{
    const char *at = text;
    int64_t day_us = 0, clock_us = 0, earlier_us = 0;
    skip_spaces(&at);
    if (!read_date(&at, &day_us)) {
        return false;
    }
    if (*at == 'T') {
        at++;
        if (!read_clock(&at, &clock_us)) {
            return false;
        }
    } else {
        skip_spaces(&at);
        if (isdigit((unsigned char)*at) && !read_clock(&at, &clock_us)) {
            return false;
        }
    }
    skip_spaces(&at);
    if (!read_zone(&at, &earlier_us)) {
        return false;
    }
    skip_spaces(&at);
    if (*at != '\0') {
        return false;
    }
    *us = day_us + clock_us - earlier_us;
    return true;
}

struct unit {
    const char *name;
    int64_t months, days, us;
};

static const struct unit units[] = {
    {"year", 12, 0, 0},
    {"years", 12, 0, 0},
    {"month", 1, 0, 0},
    {"months", 1, 0, 0},
    {"mon", 1, 0, 0},
    {"mons", 1, 0, 0},
    {"week", 0, 7, 0},
    {"weeks", 0, 7, 0},
    {"day", 0, 1, 0},
    {"days", 0, 1, 0},
    {"hour", 0, 0, LM_HOUR_US},
    {"hours", 0, 0, LM_HOUR_US},
    {"minute", 0, 0, LM_MINUTE_US},
    {"minutes", 0, 0, LM_MINUTE_US},
    {"min", 0, 0, LM_MINUTE_US},
    {"mins", 0, 0, LM_MINUTE_US},
    {"second", 0, 0, LM_SECOND_US},
    {"seconds", 0, 0, LM_SECOND_US},
    {"sec", 0, 0, LM_SECOND_US},
    {"secs", 0, 0, LM_SECOND_US},
    {"d", 0, 1, 0},
    {"h", 0, 0, LM_HOUR_US},
    {"m", 0, 0, LM_MINUTE_US},
    {"s", 0, 0, LM_SECOND_US},
    {"w", 0, 7, 0},
};

static const struct unit *find_unit(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strlen(units[i].name) == len && strncasecmp(units[i].name, name, len) == 0) {
            return &units[i];
        }
    }
    return NULL;
}

static bool within_reason(int64_t us)
{
    return us > -MAX_US && us < MAX_US;
}

/* "2 days 3 hours", "01:30:00", "-1 week": whole numbers only. */
static bool interval_text(const char *at, struct interval *out)
{
    *out = (struct interval){0};
    bool any = false;
    for (skip_spaces(&at); *at != '\0'; skip_spaces(&at)) {
        const bool negative = *at == '-';
        if (*at == '-' || *at == '+') {
            at++;
        }
        const char *clock = at;
        int64_t clock_us = 0;
        if (!within_reason(out->us)) {
            return false;
        }
        if (read_clock(&clock, &clock_us)) {
            at = clock;
            out->us += negative ? -clock_us : clock_us;
            any = true;
            continue;
        }
        int64_t value = 0;
        int count = 0;
        for (; isdigit((unsigned char)*at) && count < 9; at++, count++) {
            value = value * 10 + (*at - '0');
        }
        skip_spaces(&at);
        const char *name = at;
        while (isalpha((unsigned char)*at)) {
            at++;
        }
        const struct unit *unit = find_unit(name, (size_t)(at - name));
        if (count == 0 || count > 7 || unit == NULL) {
            return false;
        }
        value = negative ? -value : value;
        out->months += value * unit->months;
        out->days += value * unit->days;
        out->us += value * unit->us;
        any = true;
    }
    return any;
}

static const char *constant_text(const PgQuery__Node *node)
{
    if (node == NULL || node->node_case != PG_QUERY__NODE__NODE_A_CONST || node->a_const->isnull ||
        node->a_const->val_case != PG_QUERY__A__CONST__VAL_SVAL) {
        return NULL;
    }
    return node->a_const->sval->sval;
}

static bool constant_int(const PgQuery__Node *node, int64_t *value)
{
    if (node == NULL || node->node_case != PG_QUERY__NODE__NODE_A_CONST || node->a_const->isnull ||
        node->a_const->val_case != PG_QUERY__A__CONST__VAL_IVAL) {
        return false;
    }
    *value = node->a_const->ival->ival;
    return true;
}

/* The name of the type a cast makes, where it is plain; else "". */
static const char *cast_type(const PgQuery__TypeCast *cast)
{
    const PgQuery__TypeName *type = cast->type_name;
    if (type == NULL || type->n_names == 0 || type->n_typmods > 0 || type->n_array_bounds > 0) {
        return "";
    }
    const PgQuery__Node *last = type->names[type->n_names - 1];
    return last->node_case == PG_QUERY__NODE__NODE_STRING ? last->string->sval : "";
}

static const char *operator_name(const PgQuery__Node *node)
{
    if (node == NULL || node->node_case != PG_QUERY__NODE__NODE_A_EXPR ||
        node->a_expr->kind != PG_QUERY__A__EXPR__KIND__AEXPR_OP) {
        return "";
    }
    const char *name = ag_single_name(node->a_expr->name, node->a_expr->n_name);
    return name != NULL ? name : "";
}

static bool fold_interval(const PgQuery__Node *node, struct interval *out)
{
    if (node == NULL) {
        return false;
    }
    if (node->node_case == PG_QUERY__NODE__NODE_TYPE_CAST) {
        const char *text = constant_text(node->type_cast->arg);
        return text != NULL && strcmp(cast_type(node->type_cast), "interval") == 0 &&
               interval_text(text, out);
    }
    if (strcmp(operator_name(node), "*") == 0) {
        int64_t times = 0;
        const PgQuery__Node *a = node->a_expr->lexpr, *b = node->a_expr->rexpr;
        if (!(constant_int(b, &times) && fold_interval(a, out)) &&
            !(constant_int(a, &times) && fold_interval(b, out))) {
            return false;
        }
        return !__builtin_mul_overflow(out->months, times, &out->months) &&
               !__builtin_mul_overflow(out->days, times, &out->days) &&
               !__builtin_mul_overflow(out->us, times, &out->us);
    }
    return false;
}

/* The earliest instant `*us + interval` can be; months are 28 to 31 days, a day may have 25 hours. */
static bool add_interval(int64_t *us, const struct interval *interval, bool subtract)
{
    const int64_t sign = subtract ? -1 : 1;
    const int64_t limit = INT64_C(100000);
    if (llabs(interval->months) > limit || llabs(interval->days) > limit || !within_reason(interval->us)) {
        return false;
    }
    const int64_t months = sign * interval->months;
    const int64_t years = months / 12;
    const int64_t rest = months % 12;
    int64_t days = sign * interval->days;
    days += months < 0 ? years * 366 + rest * 31 : years * 365 + rest * 28;
    *us += days * LM_DAY_US + sign * interval->us;
    if (days != 0) {
        *us -= LM_HOUR_US;
    }
    return within_reason(*us);
}

static bool truncation(const char *unit, int64_t *us)
{
    static const struct {
        const char *name;
        int64_t us;
    } lengths[] = {{"second", LM_SECOND_US},    {"minute", LM_MINUTE_US}, {"hour", 2 * LM_HOUR_US},
                   {"day", DAY_SLACK_US},       {"week", 8 * LM_DAY_US},  {"month", 32 * LM_DAY_US},
                   {"quarter", 93 * LM_DAY_US}, {"year", 367 * LM_DAY_US}};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        if (strcasecmp(lengths[i].name, unit) == 0) {
            *us = lengths[i].us;
            return true;
        }
    }
    return false;
}

/* Letters, '_' and '/' only: a POSIX zone with digits may shift by a week. */
static bool zone_is_named(const PgQuery__Node *node)
{
    const char *text = constant_text(node);
    if (text == NULL || *text == '\0') {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (!isalpha((unsigned char)*text) && *text != '_' && *text != '/') {
            return false;
        }
    }
    return true;
}

static bool fold_time(const struct ag_check *check, const PgQuery__Node *node, int64_t *us);

static bool fold_call(const struct ag_check *check, const PgQuery__FuncCall *call, int64_t *us)
{
    const PgQuery__Node *last = call->funcname[call->n_funcname - 1];
    const char *name = last->node_case == PG_QUERY__NODE__NODE_STRING ? last->string->sval : "";
    if (call->over != NULL || call->agg_filter != NULL) {
        return false;
    }
    if (strcmp(name, "now") == 0 && call->n_args == 0) {
        *us = check->limits->now_us;
        return true;
    }
    if (strcmp(name, "date_trunc") == 0 &&
        (call->n_args == 2 || (call->n_args == 3 && zone_is_named(call->args[2])))) {
        const char *unit = constant_text(call->args[0]);
        int64_t length = 0;
        if (unit == NULL || !truncation(unit, &length) || !fold_time(check, call->args[1], us)) {
            return false;
        }
        *us -= length;
        return true;
    }
    if (strcmp(name, "timezone") == 0 && call->n_args == 2 && zone_is_named(call->args[0]) &&
        fold_time(check, call->args[1], us)) {
        *us -= ZONE_SLACK_US;
        return true;
    }
    int64_t seconds = 0;
    if (strcmp(name, "to_timestamp") == 0 && call->n_args == 1 && constant_int(call->args[0], &seconds)) {
        *us = seconds * LM_SECOND_US;
        return true;
    }
    return false;
}

static bool fold_cast(const struct ag_check *check, const PgQuery__TypeCast *cast, int64_t *us)
{
    const char *type = cast_type(cast);
    const bool date = strcmp(type, "date") == 0;
    if (!date && strcmp(type, "timestamptz") != 0 && strcmp(type, "timestamp") != 0) {
        return false;
    }
    if (!fold_time(check, cast->arg, us)) {
        return false;
    }
    /* A timestamp drops the zone its text names; a date drops the time of day. */
    if (strcmp(type, "timestamptz") != 0) {
        *us -= ZONE_SLACK_US;
    }
    if (date) {
        *us -= DAY_SLACK_US;
    }
    return true;
}

static bool fold_sum(const struct ag_check *check, const PgQuery__Node *node, int64_t *us)
{
    const char *name = operator_name(node);
    const bool minus = strcmp(name, "-") == 0;
    if ((!minus && strcmp(name, "+") != 0) || node->a_expr->lexpr == NULL ||
        !fold_time(check, node->a_expr->lexpr, us)) {
        return false;
    }
    struct interval interval = {0};
    int64_t days = 0;
    if (constant_int(node->a_expr->rexpr, &days)) {
        interval.days = days; /* only a date takes a number, and then it is days */
    } else if (!fold_interval(node->a_expr->rexpr, &interval)) {
        return false;
    }
    return add_interval(us, &interval, minus);
}

static bool fold_time(const struct ag_check *check, const PgQuery__Node *node, int64_t *us)
{
    if (node == NULL) {
        return false;
    }
    switch (node->node_case) {
    case PG_QUERY__NODE__NODE_A_CONST: {
        const char *text = constant_text(node);
        return text != NULL && fold_text(text, us);
    }
    case PG_QUERY__NODE__NODE_TYPE_CAST:
        return fold_cast(check, node->type_cast, us);
    case PG_QUERY__NODE__NODE_FUNC_CALL:
        return fold_call(check, node->func_call, us);
    case PG_QUERY__NODE__NODE_A_EXPR:
        return fold_sum(check, node, us);
    case PG_QUERY__NODE__NODE_SQLVALUE_FUNCTION:
        *us = check->limits->now_us;
        if (node->sqlvalue_function->op == PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_DATE) {
            *us -= DAY_SLACK_US;
        }
        return true;
    default:
        return false;
    }
}

/* The FROM item whose bare time column `node` is, or -1. */
static int time_column_of(const PgQuery__Node *node, const struct ag_scope *scope)
{
    if (node == NULL || node->node_case != PG_QUERY__NODE__NODE_COLUMN_REF) {
        return -1;
    }
    const PgQuery__ColumnRef *column = node->column_ref;
    struct ag_resolved resolved = {0};
    if (column->n_fields == 0 || column->n_fields > 2) {
        return -1;
    }
    const char *names[2] = {NULL, NULL};
    for (size_t i = 0; i < column->n_fields; i++) {
        if (column->fields[i]->node_case != PG_QUERY__NODE__NODE_STRING) {
            return -1;
        }
        names[i] = column->fields[i]->string->sval;
    }
    const bool qualified = column->n_fields == 2;
    if (ag_scope_resolve(scope, qualified ? names[0] : NULL, qualified ? names[1] : names[0], &resolved) !=
            AG_LOOKUP_FOUND ||
        !resolved.local || !resolved.time_column) {
        return -1;
    }
    return (int)resolved.source;
}

/* `column` compared so that it is at or after `constant`. */
static void apply_one(struct ag_check *check, const PgQuery__Node *column, const PgQuery__Node *constant,
                      struct ag_scope *scope, size_t from, size_t to)
{
    int64_t us = 0;
    const int source = time_column_of(column, scope);
    if (source < 0 || (size_t)source < from || (size_t)source >= to || !fold_time(check, constant, &us)) {
        return;
    }
    if (us < check->earliest_us) {
        check->too_early = true;
        return;
    }
    scope->sources[source].bounded = true;
}

void ag_bound_apply(struct ag_check *check, const PgQuery__Node *condition, struct ag_scope *scope,
                    size_t from, size_t to)
{
    if (condition == NULL) {
        return;
    }
    if (condition->node_case == PG_QUERY__NODE__NODE_BOOL_EXPR &&
        condition->bool_expr->boolop == PG_QUERY__BOOL_EXPR_TYPE__AND_EXPR) {
        for (size_t i = 0; i < condition->bool_expr->n_args; i++) {
            ag_bound_apply(check, condition->bool_expr->args[i], scope, from, to);
        }
        return;
    }
    if (condition->node_case != PG_QUERY__NODE__NODE_A_EXPR) {
        return;
    }
    const PgQuery__AExpr *expr = condition->a_expr;
    if (expr->kind == PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN) {
        if (expr->rexpr->node_case == PG_QUERY__NODE__NODE_LIST && expr->rexpr->list->n_items == 2) {
            apply_one(check, expr->lexpr, expr->rexpr->list->items[0], scope, from, to);
        }
        return;
    }
    const char *name = operator_name(condition);
    if (strcmp(name, ">=") == 0 || strcmp(name, ">") == 0 || strcmp(name, "=") == 0) {
        apply_one(check, expr->lexpr, expr->rexpr, scope, from, to);
    }
    if (strcmp(name, "<=") == 0 || strcmp(name, "<") == 0 || strcmp(name, "=") == 0) {
        apply_one(check, expr->rexpr, expr->lexpr, scope, from, to);
    }
}

bool ag_bound_window(struct ag_check *check, const PgQuery__Node *lower, const PgQuery__Node *upper)
{
    int64_t from_us = 0, to_us = 0;
    if (!fold_time(check, lower, &from_us) || !fold_time(check, upper, &to_us)) {
        return false;
    }
    check->too_early = check->too_early || from_us < check->earliest_us;
    return from_us >= check->earliest_us;
}

bool ag_bound_null(const PgQuery__Node *node)
{
    return node != NULL && node->node_case == PG_QUERY__NODE__NODE_A_CONST && node->a_const->isnull;
}

bool ag_bound_zone(const PgQuery__Node *node)
{
    return ag_bound_null(node) || zone_is_named(node);
}
