/*
 * What two protocols look like on the wire: Anthropic's Messages API (anthropic-version 2023-06-01) and the
 * chat completions that OpenAI and many other servers speak. A request is one system prompt and one user
 * message; a reply is one text: that of a forced tool's input where there is one, else what the model wrote.
 *
 * Servers that speak a protocol differ in what they take. A dialect says what is left out; ag_wire_learn
 * finds it in the way a server refuses a request. Nothing here is believed about a reply but its length:
 * whoever reads it validates it. Any thread; no state but the caller's.
 */
#ifndef LOGMILL_AGENT_MODEL_WIRE_H
#define LOGMILL_AGENT_MODEL_WIRE_H

#include "common/buffer.h"
#include "common/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define AG_REPLY_MAX ((size_t)64 << 10) /* bytes of a reply's text */

enum ag_wire_protocol { AG_WIRE_ANTHROPIC, AG_WIRE_OPENAI };

/* How a chat completion is told the form of its reply. */
enum ag_wire_format { AG_WIRE_JSON_SCHEMA, AG_WIRE_JSON_OBJECT, AG_WIRE_PLAIN };

struct ag_wire_dialect {
    enum ag_wire_format format;
    bool fixed_format;      /* nothing is learnt about it */
    bool completion_tokens; /* max_completion_tokens instead of max_tokens */
    bool no_usage;          /* no stream_options */
    bool free_choice;       /* a tool cannot be forced */
};

struct ag_wire_request {
    enum ag_wire_protocol protocol;
    const char *model;
    const char *system;
    const char *user;
    const json_t *schema; /* of the reply; NULL: plain text is wanted */
    int max_tokens;
};

/* The body of a streamed request; malloc'd JSON, NULL without memory. */
char *ag_wire_body(const struct ag_wire_request *request, const struct ag_wire_dialect *dialect, size_t *len);

enum ag_wire_stop { AG_STOP_NONE, AG_STOP_DONE, AG_STOP_LENGTH, AG_STOP_REFUSED };

/* A reply as far as it has come. */
struct ag_wire_reply {
    enum ag_wire_protocol protocol;
    struct lm_buffer text;
    struct lm_buffer tool;
    int tool_index; /* of the one tool block that counts; -1: none yet */
    bool ended;     /* the protocol's own end was seen */
    enum ag_wire_stop stop;
    int64_t input_tokens;  /* -1: not told */
    int64_t output_tokens; /* the same */
};

void ag_wire_reply_init(struct ag_wire_reply *reply, enum ag_wire_protocol protocol);
void ag_wire_reply_free(struct ag_wire_reply *reply);
/* What the model has said so far. */
const struct lm_buffer *ag_wire_said(const struct ag_wire_reply *reply);
/* Takes the data of one event of the stream. 0, or -1: LM_RETRY "garbage", "too_large", "overloaded" (an
 * error that came in the stream). */
int ag_wire_event(struct ag_wire_reply *reply, const char *data, size_t len,
                  struct lm_error *error) LM_MUST_CHECK;
/* Takes the body of a server that does not stream. The same. */
int ag_wire_whole(struct ag_wire_reply *reply, const char *body, size_t len,
                  struct lm_error *error) LM_MUST_CHECK;
/* The stream is over: is the reply whole? 0, or -1: LM_RETRY "cut", "length", "refusal", "empty". */
int ag_wire_end(const struct ag_wire_reply *reply, struct lm_error *error) LM_MUST_CHECK;

/* The error that an HTTP status and its body mean: LM_RETRY "rate_limited", "overloaded", "server"; LM_FATAL
 * "key", "request". Its text quotes nothing of the body but the name of the error's kind. */
void ag_wire_refusal(int status, const char *body, size_t len, struct lm_error *error);
/* Does the server refuse something that can be left out? Then the dialect leaves it out, and true. */
bool ag_wire_learn(struct ag_wire_dialect *dialect, enum ag_wire_protocol protocol, int status,
                   const char *body, size_t len);

#endif
