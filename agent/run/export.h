/*
 * POST /export: the rows of a question as CSV (RFC 4180) or NDJSON. Listed records are streamed from a cursor
 * as the client takes them, beyond the 10,000 rows of an answer; whatever else was asked (counts, series,
 * comparisons) is made as for /query and sent whole.
 *
 * An export is all that was asked for or it is visibly not: what fails after the first byte, or has more
 * records than export.max_rows, is broken off without the last chunk. Loop thread unless said.
 */
#ifndef LOGMILL_AGENT_RUN_EXPORT_H
#define LOGMILL_AGENT_RUN_EXPORT_H

#include "agent/answer/answer.h"
#include "agent/request.h"
#include "common/buffer.h"
#include "common/http/http_server.h"

#include <libpq-fe.h>

struct ag_run;

struct ag_export {
    enum ag_format format;
    bool open;       /* the stream has begun: a failure can only break it off */
    json_t *columns; /* array of {name, type, unit?} */
    size_t rows;     /* sent */
    size_t bytes;
};

/* What the client accepts; AG_FORMAT_NONE where that is neither. CSV where it does not matter. */
enum ag_format ag_export_accepted(const char *accept);
/* "text/csv; …" */
const char *ag_export_type(enum ag_format format);
/* Appends rows (array of objects) in the order of `columns`; with a header line for CSV where `first`. Any
 * thread. */
void ag_export_write(enum ag_format format, const json_t *columns, const json_t *rows, bool first,
                     bool escape_formulas, struct lm_buffer *out);

/* An ag_execute_rows of a run: sends these, and ends the run where it has all or cannot go on. */
bool ag_export_rows(const PGresult *rows, void *run);
/* The rest of a streamed export whose run is over: what is missing to begin and to end it. */
void ag_export_finish(struct ag_run *run);

#endif
