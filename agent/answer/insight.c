/*
 * What the result says: which sentences, and about which cells. The words are in phrases_en.c and
 * phrases_ko.c; every number is taken from the table.
 */
#include "agent/answer/alike.h"
#include "agent/answer/phrases.h"

#include <math.h>

static void say_number(struct ag_said *said)
{
    const struct ag_table *table = said->table;
    enum ag_phrase phrase = AG_SAY_NUMBER;
    size_t counted = said->column;
    switch (table->intent->measure.fn) {
    case AG_COUNT:
        phrase = AG_SAY_COUNT;
        break;
    case AG_DISTINCT:
        phrase = AG_SAY_DISTINCT;
        break;
    case AG_FIRST_SEEN:
    case AG_LAST_SEEN:
        phrase = table->intent->measure.fn == AG_FIRST_SEEN ? AG_SAY_FIRST_SEEN : AG_SAY_LAST_SEEN;
        counted = said->other = ag_table_named(table, "count");
        break;
    case AG_SHARE:
        phrase = AG_SAY_SHARE;
        break;
    default:
        break;
    }
    said->one = ag_table_number(table, 0, counted) == 1;
    ag_put_phrase(said, phrase);
}

/* Hours and days of the week come in their own order, not by size. */
static void say_groups(struct ag_said *said)
{
    const struct ag_intent *intent = said->table->intent;
    bool by_clock = intent->group_count > 0 &&
                    (intent->groups[0].field == AG_HOUR_OF_DAY || intent->groups[0].field == AG_DAY_OF_WEEK);
    said->row = by_clock && intent->order != AG_FEWEST ? said->facts->peak : 0;
    ag_put_phrase(said, AG_SAY_GROUPS);
    said->number = (int64_t)ag_alike_shown(said->table);
    if (said->number > 0) {
        ag_put_phrase(said, AG_SAY_ALIKE);
    }
}

static void say_times_median(struct ag_said *said, double median)
{
    said->base = median;
    said->figure = ag_table_number(said->table, said->row, said->column);
    ag_put_phrase(said, AG_SAY_TIMES_MEDIAN);
}

static void say_series(struct ag_said *said)
{
    const struct ag_table *table = said->table;
    const struct ag_intent *intent = table->intent;
    bool series = intent->shape == AG_SERIES;
    bool count = intent->measure.fn == AG_COUNT;
    said->row = series ? said->facts->peak : 0;
    if (count && series && !table->truncated) {
        said->number = (int64_t)said->facts->sum;
        said->one = said->facts->sum == 1;
        ag_put_phrase(said, AG_SAY_SERIES_TOTAL);
    } else {
        bool fewest = intent->shape == AG_BUSIEST && intent->order == AG_FEWEST;
        ag_put_phrase(said, fewest  ? AG_SAY_SERIES_LOWEST
                            : count ? AG_SAY_SERIES_MOST
                                    : AG_SAY_SERIES_HIGHEST);
    }
    if (intent->shape == AG_SPIKE && table->has_median && table->median > 0) {
        say_times_median(said, table->median);
    } else if (series && said->facts->stands_out) {
        say_times_median(said, said->facts->median);
    }
}

/* "is it worse than yesterday?": by the comparison alone, where it has both sides. */
static void say_yes_or_no(const struct ag_said *said)
{
    enum ag_claim claim = said->table->intent->claim;
    double now = ag_table_number(said->table, 0, said->column);
    double then = ag_table_number(said->table, 0, said->other);
    if (claim == AG_NO_CLAIM || isnan(now) || isnan(then)) {
        return;
    }
    ag_put_phrase(said, (claim == AG_CLAIM_MORE ? now > then : now < then) ? AG_SAY_YES : AG_SAY_NO);
}

static void say_comparison(struct ag_said *said)
{
    said->other = said->facts->previous;
    say_yes_or_no(said);
    ag_put_phrase(said,
                  said->table->intent->measure.fn == AG_COUNT ? AG_SAY_COMPARED_COUNT : AG_SAY_COMPARED);
    said->figure = ag_table_number(said->table, 0, said->column);
    said->base = ag_table_number(said->table, 0, said->other);
    ag_put_phrase(said, isnan(said->figure) || isnan(said->base) ? AG_SAY_NOT_COMPARABLE
                        : said->figure > said->base              ? AG_SAY_UP
                        : said->figure < said->base              ? AG_SAY_DOWN
                                                                 : AG_SAY_UNCHANGED);
}

/* The change as a whole, then what rose with it. */
static void say_evidence(struct ag_said *said)
{
    say_comparison(said);
    ag_put_phrase(said, said->table->row_count > 1 ? AG_SAY_MORE_OF : AG_SAY_MORE_OF_NOTHING);
}

static void say_list(struct ag_said *said)
{
    const struct ag_table *table = said->table;
    size_t message = ag_table_named(table, "message");
    said->number = (int64_t)table->row_count;
    said->one = table->row_count == 1;
    /* "the latest 3": there may be others, so the rows are not how many there were. */
    bool as_many_as_asked = table->intent->limit > 0 && table->row_count == (size_t)table->intent->limit;
    ag_put_phrase(said, table->truncated   ? AG_SAY_LIST_CUT
                        : as_many_as_asked ? AG_SAY_LIST_FULL
                                           : AG_SAY_LIST);
    if (ag_table_instant(table, 0, ag_table_named(table, "created_at"), &said->from_us) &&
        message < table->column_count && table->rows[0][message] != NULL) {
        ag_put_phrase(said, AG_SAY_FIRST_ROW);
    }
}

/* What fell silent, or appeared. */
static void say_change(struct ag_said *said)
{
    size_t count = said->table->row_count;
    said->number = (int64_t)count;
    said->one = count == 1;
    if (said->table->intent->shape == AG_NEW) {
        ag_put_phrase(said, count == 0 ? AG_SAY_NONE_NEW : AG_SAY_NEW);
    } else {
        ag_put_phrase(said, count == 0 ? AG_SAY_NONE_SILENT : count == 1 ? AG_SAY_ONE_SILENT : AG_SAY_SILENT);
    }
}

/* Who had none of something; nobody, where all had or there were no records at all. */
static void say_without(struct ag_said *said)
{
    said->number = (int64_t)said->table->row_count;
    said->one = said->table->row_count == 1;
    ag_put_phrase(said, said->table->row_count == 0 ? AG_SAY_NONE_WITHOUT
                        : said->table->truncated    ? AG_SAY_WITHOUT_CUT
                                                    : AG_SAY_WITHOUT);
}

static void say_names(struct ag_said *said)
{
    said->number = (int64_t)said->table->row_count;
    said->one = said->table->row_count == 1;
    ag_put_phrase(said, said->table->truncated ? AG_SAY_NAMES_CUT : AG_SAY_NAMES);
}

/* The first of each, be it of each group or of each bucket. */
static void say_each(struct ag_said *said)
{
    bool fewest = said->table->intent->order == AG_FEWEST;
    said->one = true;
    if (said->facts->bucket < said->table->column_count) {
        ag_put_phrase(said, fewest ? AG_SAY_EACH_TIME_FEWEST : AG_SAY_EACH_TIME_MOST);
    } else {
        ag_put_phrase(said, fewest ? AG_SAY_EACH_FEWEST : AG_SAY_EACH_MOST);
    }
}

/* How many groups there are. */
static void say_counted(struct ag_said *said)
{
    const struct ag_intent *intent = said->table->intent;
    said->one = ag_table_number(said->table, 0, said->column) == 1;
    ag_put_phrase(said, intent->shape == AG_WITHOUT        ? AG_SAY_COUNTED_WITHOUT
                        : intent->compare == AG_NO_COMPARE ? AG_SAY_COUNTED
                        : intent->order == AG_FEWEST       ? AG_SAY_COUNTED_FELL
                                                           : AG_SAY_COUNTED_ROSE);
}

void ag_insight(const struct ag_table *table, struct lm_buffer *out)
{
    const struct ag_intent *intent = table->intent;
    const struct ag_facts facts = ag_facts_of(table);
    struct ag_said said = {.table = table,
                           .facts = &facts,
                           .phrases = intent->language == AG_KO ? &ag_phrases_ko : &ag_phrases_en,
                           .out = out,
                           .column = facts.measure};
    if (intent->part_count > 0) {
        said.number = (int64_t)facts.named;
        ag_put_phrase(&said, table->row_count == 0               ? AG_SAY_NOTHING
                             : facts.group < table->column_count ? AG_SAY_PARTS_BY
                                                                 : AG_SAY_PARTS);
    } else if (intent->counted) {
        say_counted(&said);
    } else if (intent->summed) {
        ag_put_phrase(&said, AG_SAY_SUMMED);
    } else if (intent->shape == AG_SILENT || intent->shape == AG_NEW) {
        say_change(&said);
    } else if (intent->shape == AG_WITHOUT) {
        say_without(&said);
    } else if (table->row_count == 0 && intent->compare == AG_COMPARE_WINDOW && intent->rank &&
               intent->measure.fn == AG_COUNT) {
        ag_put_phrase(&said, intent->order == AG_FEWEST ? AG_SAY_NONE_FELL : AG_SAY_NONE_ROSE);
    } else if (table->row_count == 0 && intent->threshold.set) {
        /* None over the threshold is not none at all. */
        ag_put_phrase(&said, intent->group_count > 0 ? AG_SAY_NONE_MET : AG_SAY_NONE_MET_ALONE);
    } else if (ag_table_empty(table)) {
        ag_put_phrase(&said, table->few_count > 0 ? AG_SAY_TOO_FEW : AG_SAY_NOTHING);
    } else if (table->sql->lists_rows) {
        say_list(&said);
    } else if (intent->measure.fn == AG_NAMES) {
        say_names(&said);
    } else if (intent->shape == AG_EVIDENCE) {
        say_evidence(&said);
    } else if (intent->each > 0) {
        say_each(&said);
    } else if (facts.bucket < table->column_count) {
        say_series(&said);
    } else if (facts.previous < table->column_count) {
        say_comparison(&said);
    } else if (facts.group < table->column_count) {
        say_groups(&said);
    } else {
        say_number(&said);
    }
    if (!intent->window.stated && intent->window.from_us != INT64_MIN) {
        ag_put_phrase(&said, AG_SAY_WINDOW_ASSUMED);
    }
}
