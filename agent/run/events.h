/*
 * The way of a question through its stages as events, for whoever wants them: POST /query with Accept:
 * text/event-stream, and GET /ws/query (conversation.h). Every event is one JSON object: id (of the request
 * or question), seq (from 1), type, node, progress, and for some field and content:
 *
 *   node_start, node_end  of the stages in order; a stage done again starts and ends again
 *   token                 the next piece of the insight (field "insight"); left out where the client is slow
 *   result | error        once, last; content is the answer of /query, or the failure
 *   cancelled             last instead of them, where the client said so
 *
 * Over HTTP, what is unfit before the first stage is answered by its status, and a client that goes away
 * cancels its question. Loop thread.
 */
#ifndef LOGMILL_AGENT_RUN_EVENTS_H
#define LOGMILL_AGENT_RUN_EVENTS_H

#include <stdbool.h>
#include <stddef.h>

struct ag_failure;
struct ag_run;

/* How events get to the client. */
struct ag_events_sink {
    bool server_sent; /* framed as server-sent events; else the bare object */
    /* One event, all of it or nothing; false: not taken. */
    bool (*send)(void *to, const char *data, size_t len);
    /* Bytes the client has yet to take. */
    size_t (*unsent)(void *to);
    /* Once, after the last event. Not `complete`: some were not taken. */
    void (*end)(void *to, bool complete);
};

struct ag_events {
    const struct ag_events_sink *sink; /* NULL: nobody wants to hear, or all was said */
    void *to;
    const char *id; /* NULL: of no question */
    bool broken;    /* an event was not taken: what was said is no longer whole */
    unsigned seq;
    bool started; /* a node has */
    size_t node;  /* the last one started */
};

/* The client would rather have events than one answer. */
bool ag_events_wanted(const char *accept);
/* Answers the run's request with a stream of events; false without memory. */
bool ag_events_open(struct ag_run *run);
/* The run begins run->stage. Nothing where nobody wants to hear. */
void ag_events_stage(struct ag_run *run);
/* A piece of text of `field`; nothing where nobody wants to hear, or the client is slow. */
void ag_events_token(struct ag_run *run, const char *field, const char *text, size_t len);
/* The run is over: tells what came of it, and that was all. */
void ag_events_finish(struct ag_run *run);
/* The same for a question that was not answered, of a run or before there is one. */
void ag_events_fail(struct ag_events *events, const struct ag_failure *failure);
void ag_events_cancel(struct ag_events *events);

#endif
