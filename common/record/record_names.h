/*
 * The names under which JSON records bring our fields: our own and those of others (design.md 2 and 7). One
 * table; the page for people is schemas/README.md, and a test compares the two.
 */
#ifndef LOGMILL_COMMON_RECORD_NAMES_H
#define LOGMILL_COMMON_RECORD_NAMES_H

#include "common/record/record.h"

#include <stddef.h>
#include <stdint.h>

/* What a name fills: a text of the record (enum lm_text), or one of these. */
enum lm_record_slot {
    LM_SLOT_TIMESTAMP = LM_TEXT_COUNT,
    LM_SLOT_CATEGORY,
    LM_SLOT_LEVEL,
    LM_SLOT_HTTP_STATUS,
    LM_SLOT_DURATION,
    LM_SLOT_TAGS,
    LM_SLOT_SOURCE,
    LM_SLOT_SEQUENCE,
    LM_SLOT_COUNT
};

/* How the value behind a name is read. What does not fit goes under metadata. */
enum lm_record_reading {
    LM_READ_OWN_TIME,     /* number: microseconds; text: RFC 3339. Refused where it is no time */
    LM_READ_TIME,         /* number: seconds, ms, µs or ns by magnitude; text: RFC 3339 */
    LM_READ_CATEGORY,     /* one of the four */
    LM_READ_LEVEL,        /* a level's name; number: 0-7 syslog's, from 10 bunyan's and pino's */
    LM_READ_OTLP_LEVEL,   /* number: 1-24 */
    LM_READ_PYTHON_LEVEL, /* number: 10-50 */
    LM_READ_SYSLOG_LEVEL, /* number: 0-7, a facility above the lowest three bits ignored */
    LM_READ_OWN_MESSAGE,  /* anything; an object or array as its JSON text */
    LM_READ_STRING,       /* a string that is not empty */
    LM_READ_LINE,         /* the same, without a line break at its end */
    LM_READ_TEXT,         /* a string, number or boolean */
    LM_READ_STATUS,       /* number 100-599 */
    LM_READ_INTEGER,      /* a whole number */
    LM_READ_NUMBER,
    LM_READ_ADDRESS, /* an IP address */
    LM_READ_TAGS,    /* an array of texts, or one text */
    LM_READ_METADATA /* an object, or a string that holds one. Refused otherwise */
};

struct lm_record_name {
    char name[28];
    uint8_t len;     /* of the name */
    uint8_t slot;    /* enum lm_text or enum lm_record_slot */
    uint8_t rank;    /* of two names for one slot the lower wins; 0 is our own */
    uint8_t reading; /* enum lm_record_reading */
};

/* The entry for a name, or NULL. By a hash and a table of it in the source. Any thread. */
const struct lm_record_name *lm_record_name_find(const char *name, size_t len);

/* Where the look-up of a name of one byte at least starts, below LM_RECORD_NAME_PLACES; for tests. */
enum { LM_RECORD_NAME_BITS = 9, LM_RECORD_NAME_PLACES = 1 << LM_RECORD_NAME_BITS };
size_t lm_record_name_start(const char *name, size_t len);

/* The whole table, for tests. */
const struct lm_record_name *lm_record_names(size_t *count);

#endif
