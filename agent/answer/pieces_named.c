/*
 * Pieces of patterns that name things: what is counted, groups, fields, names, a message.
 */
#include "agent/answer/phrases.h"

#include <string.h>

#define NAMED 5
#define QUOTED 80

static void put(const struct ag_said *said, const char *text)
{
    lm_buffer_append_text(said->out, text);
}

static void put_subject(const struct ag_said *said)
{
    said->phrases->put_subject(said->table->intent, said->out, said->one);
}

static void put_subjects(const struct ag_said *said)
{
    said->phrases->put_subject(said->table->intent, said->out, false);
}

static void put_field(const struct ag_said *said)
{
    put(said, ag_label(said->table->intent->measure.field, said->phrases->language, !said->one));
}

static void put_fields(const struct ag_said *said)
{
    put(said, ag_label(said->table->intent->measure.field, said->phrases->language, true));
}

/* What the first group is of. */
static void put_label(const struct ag_said *said)
{
    const struct ag_intent *intent = said->table->intent;
    if (intent->group_count > 0 && intent->groups[0].key != NULL) {
        ag_put_phrase(said, said->one ? AG_VALUE_OF : AG_VALUES_OF);
        return;
    }
    enum ag_field field = intent->group_count > 0      ? intent->groups[0].field
                          : intent->shape == AG_SILENT ? AG_SERVICE
                          : intent->shape == AG_NEW    ? AG_ERROR_TYPE
                                                       : intent->measure.field;
    put(said, ag_label(field, said->phrases->language, !said->one));
}

static void put_key(const struct ag_said *said)
{
    ag_put_name(said->out, said->table->intent->groups[0].key);
}

static void put_measured_key(const struct ag_said *said)
{
    ag_put_name(said->out, said->table->intent->measure.key);
}

static void put_groups(const struct ag_said *said)
{
    if (said->table->intent->group_count > 1) {
        ag_put_phrase(said, AG_COMBINATIONS);
    } else {
        put_label(said);
    }
}

/* payment-service · /api/pay */
static void put_group(const struct ag_said *said)
{
    const struct ag_table *table = said->table;
    size_t index = 0;
    for (size_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].role == AG_ROLE_GROUP) {
            bool asked = index < table->intent->group_count;
            put(said, index > 0 ? " · " : "");
            ag_put_group_value(said->out, asked ? table->intent->groups[index].field : AG_NO_FIELD,
                               table->rows[said->row][i], said->phrases->language);
            index++;
        }
    }
}

static void put_among(const struct ag_said *said)
{
    const struct ag_table *table = said->table;
    struct ag_said among = *said;
    bool known = table->row_count > 1 && !table->truncated && !table->sql->limit_stated;
    among.number = (int64_t)said->facts->named;
    ag_put_phrase(&among, known ? AG_AMONG_NAMED : AG_AMONG_SHOWN);
}

static void put_leads_by(const struct ag_said *said)
{
    enum ag_measure_fn fn = said->table->intent->measure.fn;
    ag_put_phrase(said, fn == AG_COUNT                              ? AG_LEADS_BY_COUNT
                        : fn == AG_FIRST_SEEN || fn == AG_LAST_SEEN ? AG_LEADS_BY_TIME
                                                                    : AG_LEADS_BY_MEASURE);
}

static void put_superlative(const struct ag_said *said)
{
    const struct ag_intent *intent = said->table->intent;
    /* Numbers are high or low, where durations are long or short. */
    enum ag_measure_fn fn = ag_intent_measures_key(intent) ? AG_ERROR_RATE : intent->measure.fn;
    put(said,
        intent->order == AG_FEWEST ? said->phrases->measures[fn].fewest : said->phrases->measures[fn].most);
}

static void put_leader_share(const struct ag_said *said)
{
    if (said->facts->has_share && said->row == 0) {
        ag_put_phrase(said, AG_LEADER_SHARE);
    }
}

static void put_runner_up(const struct ag_said *said)
{
    struct ag_said next = *said;
    next.row = 1;
    if (said->table->row_count > 1 && said->row == 0) {
        ag_put_phrase(&next, AG_RUNNER_UP);
    }
}

static void put_bucket_group(const struct ag_said *said)
{
    if (said->facts->group < said->table->column_count) {
        ag_put_phrase(said, AG_BUCKET_GROUP);
    }
}

static void put_compared_group(const struct ag_said *said)
{
    if (said->table->intent->shape != AG_EVIDENCE && said->facts->group < said->table->column_count) {
        ag_put_phrase(said, AG_COMPARED_GROUP);
    }
}

/* What a share is of: the last filter. */
static const struct ag_filter *part_of(const struct ag_said *said)
{
    return &said->table->intent->filters[said->table->intent->filter_count - 1];
}

static void put_part(const struct ag_said *said)
{
    const struct ag_filter *part = part_of(said);
    bool one = part->op == AG_IN && part->value_count == 1;
    ag_put_phrase(said, ag_only_errors(part) ? AG_PART_ERRORS : one ? AG_PART_VALUE : AG_PART_OTHER);
}

static void put_part_value(const struct ag_said *said)
{
    const struct ag_filter *part = part_of(said);
    if (part->key == NULL) {
        put(said, ag_label(part->field, said->phrases->language, false));
        put(said, " ");
    }
    ag_put_group_value(said->out, part->field, part->values[0], said->phrases->language);
}

/* The groups that fell silent or appeared, with when they were seen. */
static void put_seen(const struct ag_said *said)
{
    size_t count = said->table->row_count;
    struct ag_said each = *said;
    for (each.row = 0; each.row < count && each.row < NAMED; each.row++) {
        put(said, each.row > 0 ? ", " : "");
        put_group(&each);
        if (ag_table_instant(said->table, each.row, said->column, &each.from_us)) {
            ag_put_phrase(&each, AG_SEEN_AT);
        }
    }
    ag_put_phrase(said, count > NAMED ? AG_NAMES_OTHERS : AG_NAMES_END);
}

static bool leads(const struct ag_table *table, size_t row, size_t divider)
{
    return row == 0 || strcmp(table->rows[row - 1][divider], table->rows[row][divider]) != 0;
}

/* The first of each value of the first group, or of each bucket. */
static void put_leaders(const struct ag_said *said)
{
    const struct ag_table *table = said->table;
    bool by_time = said->facts->bucket < table->column_count;
    size_t divider = by_time ? said->facts->bucket : said->facts->group;
    struct ag_said each = *said;
    size_t put_so_far = 0, all = 0;
    for (each.row = 0; each.row < table->row_count; each.row++) {
        if (!leads(table, each.row, divider) || all++ >= NAMED) {
            continue;
        }
        put(said, put_so_far++ > 0 ? ", " : "");
        if (by_time && !ag_table_instant(table, each.row, divider, &each.from_us)) {
            continue;
        }
        ag_put_phrase(&each, by_time ? AG_EACH_TIME_ITEM : AG_EACH_ITEM);
    }
    ag_put_phrase(said, all > NAMED ? AG_NAMES_OTHERS : AG_NAMES_END);
}

/* The field a row of evidence is of, as it is called: "version" is a key of metadata. */
static void put_dimension(const struct ag_said *said)
{
    static const enum ag_field fields[] = {AG_SERVICE,   AG_ENVIRONMENT, AG_HOST,
                                           AG_COMPONENT, AG_ENDPOINT,    AG_ERROR_TYPE};
    const char *name = said->table->rows[said->row][ag_table_named(said->table, "dimension")];
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (strcmp(ag_field_name(fields[i]), name) == 0) {
            name = ag_label(fields[i], said->phrases->language, false);
        }
    }
    put(said, name);
}

/* What rose most, behind the row of all. */
static void put_evidence(const struct ag_said *said)
{
    struct ag_said each = *said;
    for (each.row = 1; each.row < said->table->row_count && each.row <= NAMED; each.row++) {
        put(said, each.row > 1 ? ", " : "");
        ag_put_phrase(&each, AG_EVIDENCE_ITEM);
    }
}

static void put_names(const struct ag_said *said)
{
    const struct ag_table *table = said->table;
    enum ag_field field =
        table->intent->group_count > 0 ? table->intent->groups[0].field : table->intent->measure.field;
    for (size_t i = 0; i < table->row_count && i < NAMED * 2; i++) {
        put(said, i > 0 ? ", " : "");
        ag_put_group_value(said->out, field, table->rows[i][said->facts->group], said->phrases->language);
    }
    ag_put_phrase(said, table->row_count > NAMED * 2 ? AG_NAMES_OTHERS : AG_NAMES_END);
}

static void put_service(const struct ag_said *said)
{
    ag_put_name(said->out, said->table->rows[said->row][ag_table_named(said->table, "service")]);
}

static void put_message(const struct ag_said *said)
{
    ag_put_quoted(said->out, said->table->rows[said->row][ag_table_named(said->table, "message")], QUOTED);
}

static void put_measure(const struct ag_said *said)
{
    const struct ag_column *column = &said->table->columns[said->column];
    bool measure = column->role == AG_ROLE_MEASURE;
    enum ag_measure_fn fn = measure ? column->measures : said->table->intent->measure.fn;
    bool of_key = ag_intent_measures_key(said->table->intent) && ag_measure_is_statistic(fn);
    ag_put_pattern(said, of_key ? said->phrases->of_keys[fn] : said->phrases->measures[fn].name);
}

const struct ag_piece ag_pieces_named[] = {
    {"bucket group", put_bucket_group},
    {"subject", put_subject},
    {"subjects", put_subjects},
    {"field", put_field},
    {"fields", put_fields},
    {"label", put_label},
    {"key", put_key},
    {"measured key", put_measured_key},
    {"groups", put_groups},
    {"group", put_group},
    {"among", put_among},
    {"leads by", put_leads_by},
    {"superlative", put_superlative},
    {"leader share", put_leader_share},
    {"runner-up", put_runner_up},
    {"compared group", put_compared_group},
    {"part", put_part},
    {"part value", put_part_value},
    {"leaders", put_leaders},
    {"seen", put_seen},
    {"dimension", put_dimension},
    {"evidence", put_evidence},
    {"names", put_names},
    {"service", put_service},
    {"message", put_message},
    {"measure", put_measure},
    {NULL, NULL},
};
