/*
 * logmill-ctl dlq: the records that could not be stored, in the topics <topic>.dlq. Each subcommand is a
 * function here; which letters it is about is a filter (dlq_filter.c), reading them a scan (dlq_scan.c).
 * Nothing holds more than one letter (replay: a window of them) in memory, however many there are.
 */
#ifndef LOGMILL_CTL_DLQ_H
#define LOGMILL_CTL_DLQ_H

#include "ctl/command.h"
#include "ctl/dlq/letter.h"

#include <signal.h>

/* ---- which letters ---- */

/* TOPIC[/PARTITION[@FIRST[-[LAST]]]]. */
struct ct_dlq_place {
    char topic[250];     /* without .dlq */
    bool lies;           /* where letters lie, not where their records came from */
    int32_t partition;   /* -1: all */
    int64_t first, last; /* inclusive */
};

enum ct_dlq_time { CT_DLQ_TIME_OF_LETTER, CT_DLQ_TIME_OF_RECORD };

struct ct_dlq_filter {
    struct ct_dlq_place *places; /* any of them; none: the topics of all categories */
    size_t place_count;
    char **topics; /* whose dead letters are read, each once, without .dlq */
    size_t topic_count;
    bool named; /* the topics were named: one that is not there is an error */
    const struct lm_config_list *classes;
    enum ct_dlq_time time_of;
    int64_t since_us, until_us; /* INT64_MIN, INT64_MAX: no bound */
};

/* From options and the arguments behind the subcommand. -1: said on context->errors (the text begins with the
 * subcommand). Free in every case. */
int ct_dlq_filter_init(const struct ct_context *context, const char *subcommand,
                       struct ct_dlq_filter *filter) LM_MUST_CHECK;
void ct_dlq_filter_free(struct ct_dlq_filter *filter);
bool ct_dlq_filter_takes(const struct ct_dlq_filter *filter, const struct ct_letter *letter);
/* The offsets [*first, *end) of a dead-letter topic's partition that can hold what the filter takes. */
void ct_dlq_filter_range(const struct ct_dlq_filter *filter, const char *topic, int32_t partition,
                         int64_t *first, int64_t *end);

/* TOPIC of a place: a category stands for its topic. -1: no such place. */
int ct_dlq_place_parse(const char *text, const char *topic_prefix, struct ct_dlq_place *place) LM_MUST_CHECK;
/* RFC 3339, or a duration: that long before now_us. -1: neither. */
int ct_dlq_time_parse(const char *text, int64_t now_us, int64_t *us) LM_MUST_CHECK;

/* ---- reading them ---- */

/* One partition of a dead-letter topic as it is when the scan begins: what is written later is not read. */
struct ct_dlq_part {
    char topic[255]; /* with .dlq */
    int32_t partition;
    int64_t low;        /* the topic's first offset */
    int64_t first, end; /* what is to be read */
};

struct ct_dlq_scan;

/* Finds the partitions and where to begin in each. NULL: said on context->errors. `stop` (may be NULL): not
 * zero ends the scan early. */
struct ct_dlq_scan *ct_dlq_scan_open(const struct ct_context *context, const struct ct_dlq_filter *filter,
                                     const char *subcommand, const volatile sig_atomic_t *stop);
void ct_dlq_scan_close(struct ct_dlq_scan *scan);
/* The partitions, ordered by topic and number; *count of them. */
const struct ct_dlq_part *ct_dlq_scan_parts(const struct ct_dlq_scan *scan, size_t *count);
/* The next letter that the filter takes, partition after partition, in order; it is valid until the next
 * call. 1, 0: no more (or stopped), -1: said on context->errors. */
int ct_dlq_scan_next(struct ct_dlq_scan *scan, struct ct_letter *letter) LM_MUST_CHECK;
/* The partition that is being read, and offsets of it and of the rest not looked at yet. */
const struct ct_dlq_part *ct_dlq_scan_at(const struct ct_dlq_scan *scan, int64_t *left);
/* The offset of the first letter of a partition written at or after `us`, at most part->end. 0, or -1: said
 * on context->errors. */
int ct_dlq_scan_offset_at(struct ct_dlq_scan *scan, const struct ct_dlq_part *part, int64_t us,
                          int64_t *offset) LM_MUST_CHECK;
/* The client, for other questions. */
rd_kafka_t *ct_dlq_scan_client(const struct ct_dlq_scan *scan);

/* ---- counting them ---- */

struct ct_dlq_count {
    struct lm_slice topic, class; /* in the arena */
    int64_t letters, bytes;
};

/* By source topic and class. Zeroed is empty, but for the arena. */
struct ct_dlq_counts {
    struct ct_dlq_count *rows;
    size_t row_count, row_cap;
    struct lm_arena arena;
};

void ct_dlq_counts_init(struct ct_dlq_counts *counts);
void ct_dlq_counts_free(struct ct_dlq_counts *counts);
/* 0, or -1 without memory. Beyond a thousand rows the classes of a topic count as "(other)". */
int ct_dlq_counts_add(struct ct_dlq_counts *counts, const struct ct_letter *letter) LM_MUST_CHECK;
void ct_dlq_counts_print(const struct ct_dlq_counts *counts, bool json, FILE *out);

/* ---- which were put back before ---- */

struct ct_dlq_marks;

/* On the database of the configuration. NULL: *error. */
struct ct_dlq_marks *ct_dlq_marks_open(const struct ct_context *context, struct lm_error *error);
void ct_dlq_marks_close(struct ct_dlq_marks *marks);
/* The letters of a partition come next. -1: *error. */
int ct_dlq_marks_begin(struct ct_dlq_marks *marks, const struct ct_dlq_part *part,
                       struct lm_error *error) LM_MUST_CHECK;
/* Whether this one was put back before. Letters come in order of their offsets. */
bool ct_dlq_marks_has(struct ct_dlq_marks *marks, const struct ct_letter *letter);
/* Notes that the letters with these offsets, in order, were put back. -1: *error, nothing was noted. */
int ct_dlq_marks_add(struct ct_dlq_marks *marks, const struct ct_dlq_part *part, const int64_t *offsets,
                     size_t count, struct lm_error *error) LM_MUST_CHECK;
/* Forgets what lies below `low`. -1: *error. */
int ct_dlq_marks_forget(struct ct_dlq_marks *marks, const char *topic, int32_t partition, int64_t low,
                        struct lm_error *error) LM_MUST_CHECK;

/* ---- subcommands ---- */

enum ct_exit ct_dlq_list(const struct ct_context *context, const struct ct_dlq_filter *filter);
enum ct_exit ct_dlq_show(const struct ct_context *context, const struct ct_dlq_filter *filter);
enum ct_exit ct_dlq_replay(const struct ct_context *context, const struct ct_dlq_filter *filter);
enum ct_exit ct_dlq_purge(const struct ct_context *context, const struct ct_dlq_filter *filter);

#endif
