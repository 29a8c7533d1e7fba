/*
 * One conversation with a Redis server, in RESP2, without its transport: commands become bytes, bytes become
 * replies, which come in the order of the commands. hiredis writes and reads the protocol; what it would let
 * a server do to us is bounded here: a reply is a text, a number or nothing, never an array, and of a size.
 * One thread at a time.
 */
#ifndef LOGMILL_AGENT_CACHE_RESP_H
#define LOGMILL_AGENT_CACHE_RESP_H

#include "common/buffer.h"

#include <stdint.h>

#define AG_RESP_WINDOW 256  /* commands without a reply, at most */
#define AG_RESP_ARGUMENTS 6 /* of a command, at most */

enum ag_reply_type { AG_REPLY_TEXT, AG_REPLY_STATUS, AG_REPLY_NUMBER, AG_REPLY_NIL, AG_REPLY_ERROR };

struct ag_reply {
    enum ag_reply_type type;
    long long number;
    size_t len; /* of `text`: of TEXT, STATUS and ERROR */
    char text[];
};

/* `reply` is valid during the call, which may write further commands or stop the conversation. */
typedef void (*ag_reply_handler)(const struct ag_reply *reply, void *context);

struct ag_resp;

/* A longer reply, in bytes, is an error. NULL without memory. */
struct ag_resp *ag_resp_new(size_t max_reply);
void ag_resp_free(struct ag_resp *resp);

struct ag_resp_argument {
    const char *data;
    size_t len;
};
/* Appends the command to `out` and expects its reply; `handler` may be NULL. -1: the window is full, memory
 * is short, or `out` failed. */
int ag_resp_write(struct ag_resp *resp, const struct ag_resp_argument *arguments, size_t count,
                  ag_reply_handler handler, void *context, struct lm_buffer *out) LM_MUST_CHECK;
/* Bytes as they came, in any pieces: each reply that is whole is handed to its command's handler. -1
 * (LM_RETRY "protocol"): this is not RESP2, or no answer to anything asked; the conversation is over. */
int ag_resp_feed(struct ag_resp *resp, const char *data, size_t len, struct lm_error *error) LM_MUST_CHECK;
/* No handler is called any more. */
void ag_resp_stop(struct ag_resp *resp);
/* Monotonic time at which the command that is answered next was written; 0: none is. */
int64_t ag_resp_oldest_us(const struct ag_resp *resp);

#endif
