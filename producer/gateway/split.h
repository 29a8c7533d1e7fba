/*
 * Finds the records in a body: one object, {"logs": […]}, an array, objects one after another or one a line.
 *
 * It looks at brackets and quotes only, so that a record with a fault in it (an invalid character, \u0000, a
 * bad number) is still found as one record, named in the answer and harms no other; the record decoder checks
 * what is in it. Where a record's brackets do not match, reading goes on at the next line. Outside an array
 * no string goes over a line's end, so that a quote left open ends with its line.
 *
 * One pass over the body, and one more where brackets stay open to its end: after that, records are looked
 * for within their lines.
 */
#ifndef LOGMILL_PRODUCER_GATEWAY_SPLIT_H
#define LOGMILL_PRODUCER_GATEWAY_SPLIT_H

#include "common/record/record.h"

enum gw_form {
    GW_ONE,   /* the whole body is one record */
    GW_LOGS,  /* an object with an array under "logs" (or an array by itself) */
    GW_STREAM /* an array, or records one after another, with or without line ends and commas between */
};

struct gw_split {
    const char *at, *end;
    bool in_array;
    bool one_line; /* brackets stayed open to the body's end once: records end with their lines */
    bool ended;
};

/* Over `len` bytes, which must outlive the split. 0, or -1 with LM_DEAD_LETTER "body" where no record can be
 * looked for. */
int gw_split_open(struct gw_split *split, enum gw_form form, const char *body, size_t len,
                  struct lm_error *error) LM_MUST_CHECK;
/* 1 and the next record's text, good or bad; 0 at the end. */
int gw_split_next(struct gw_split *split, struct lm_slice *record) LM_MUST_CHECK;

#endif
