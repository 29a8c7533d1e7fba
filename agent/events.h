/*
 * POST /query with Accept: text/event-stream: the way of a question through its stages as server-sent events.
 * Every event is one JSON object: id (of the request), seq (from 1), type, node, progress, and for some field
 * and content:
 *
 *   node_start, node_end  of the stages in order; a stage done again starts and ends again
 *   token                 the next piece of the insight (field "insight"); left out where the client is slow
 *   result | error        once, last; content is the answer of /query, or the failure
 *
 * What is unfit before the first stage is answered by its HTTP status. A client that goes away cancels its
 * question. Loop thread.
 */
#ifndef LOGMILL_AGENT_EVENTS_H
#define LOGMILL_AGENT_EVENTS_H

#include <stdbool.h>
#include <stddef.h>

struct ag_run;

struct ag_events {
    bool open;
    bool broken; /* an event was not taken: the stream is no longer whole */
    unsigned seq;
    bool started; /* a node has */
    size_t node;  /* the last one started */
};

/* The client would rather have events than one answer. */
bool ag_events_wanted(const char *accept);
/* Opens the stream; false without memory. */
bool ag_events_open(struct ag_run *run);
/* The run begins run->stage. Nothing where it has no stream. */
void ag_events_stage(struct ag_run *run);
/* The run is over: tells what came of it and ends the stream. */
void ag_events_finish(struct ag_run *run);

#endif
