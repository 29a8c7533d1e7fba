#include "agent/cache/resp.h"

#include "common/clock.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

struct expected {
    ag_reply_handler handler;
    void *context;
    int64_t at_us;
};

struct ag_resp {
    redisReader *reader;
    size_t max_reply;
    struct expected window[AG_RESP_WINDOW]; /* a ring */
    size_t first, count;
    bool stopped;
};

/* ---- replies, as hiredis has them made ---- */

static struct ag_reply *new_reply(enum ag_reply_type type, const char *text, size_t len)
{
    struct ag_reply *reply = malloc(sizeof(*reply) + len + 1);
    if (reply != NULL) {
        *reply = (struct ag_reply){.type = type, .len = len};
        memcpy(reply->text, text, len);
        reply->text[len] = '\0';
    }
    return reply;
}

static void *make_text(const redisReadTask *task, char *text, size_t len)
{
    return new_reply(task->type == REDIS_REPLY_ERROR    ? AG_REPLY_ERROR
                     : task->type == REDIS_REPLY_STATUS ? AG_REPLY_STATUS
                                                        : AG_REPLY_TEXT,
                     text, len);
}

/* hiredis takes it for a lack of memory and ends the conversation: nothing that is asked is answered by an
 * array, and one that claims two thousand million elements is not to be made. */
static void *make_array(const redisReadTask *task, int count)
{
    (void)task;
    (void)count;
    return NULL;
}

static void *make_number(const redisReadTask *task, long long number)
{
    struct ag_reply *reply = new_reply(AG_REPLY_NUMBER, "", 0);
    (void)task;
    if (reply != NULL) {
        reply->number = number;
    }
    return reply;
}

static void *make_nil(const redisReadTask *task)
{
    (void)task;
    return new_reply(AG_REPLY_NIL, "", 0);
}

static redisReplyObjectFunctions makers = {make_text, make_array, make_number, make_nil, free};

struct ag_resp *ag_resp_new(size_t max_reply)
{
    struct ag_resp *resp = calloc(1, sizeof(*resp));
    redisReader *reader = redisReaderCreateWithFunctions(&makers);
    if (resp == NULL || reader == NULL) {
        free(resp);
        if (reader != NULL) {
            redisReaderFree(reader);
        }
        return NULL;
    }
    resp->reader = reader;
    resp->max_reply = max_reply;
    return resp;
}

void ag_resp_free(struct ag_resp *resp)
{
    if (resp != NULL) {
        redisReaderFree(resp->reader);
        free(resp);
    }
}

int ag_resp_write(struct ag_resp *resp, const struct ag_resp_argument *arguments, size_t count,
                  ag_reply_handler handler, void *context, struct lm_buffer *out)
{
    const char *texts[AG_RESP_ARGUMENTS];
    size_t lens[AG_RESP_ARGUMENTS];
    char *command = NULL;
    if (resp->stopped || resp->count == AG_RESP_WINDOW || count > AG_RESP_ARGUMENTS) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        texts[i] = arguments[i].data;
        lens[i] = arguments[i].len;
    }
    const int len = redisFormatCommandArgv(&command, (int)count, texts, lens);
    if (len < 0) {
        return -1;
    }
    lm_buffer_append(out, command, (size_t)len);
    redisFreeCommand(command);
    if (out->failed) {
        return -1;
    }
    resp->window[(resp->first + resp->count++) % AG_RESP_WINDOW] =
        (struct expected){.handler = handler, .context = context, .at_us = lm_clock_mono_us()};
    return 0;
}

static int take_reply(struct ag_resp *resp, struct ag_reply *reply, struct lm_error *error)
{
    if (resp->count == 0) {
        free(reply);
        return lm_error_set(error, LM_RETRY, "protocol", "the server answered what was not asked");
    }
    const struct expected expected = resp->window[resp->first];
    resp->first = (resp->first + 1) % AG_RESP_WINDOW;
    resp->count--;
    if (expected.handler != NULL) {
        expected.handler(reply, expected.context);
    }
    free(reply);
    return 0;
}

int ag_resp_feed(struct ag_resp *resp, const char *data, size_t len, struct lm_error *error)
{
    redisReader *reader = resp->reader;
    if (resp->stopped) {
        return 0;
    }
    if (len > resp->max_reply || reader->len - reader->pos > resp->max_reply - len) {
        return lm_error_set(error, LM_RETRY, "protocol", "a reply is longer than %zu bytes", resp->max_reply);
    }
    if (redisReaderFeed(reader, data, len) != REDIS_OK) {
        return lm_error_set(error, LM_RETRY, "memory", "out of memory for a reply");
    }
    for (;;) {
        void *reply = NULL;
        if (redisReaderGetReply(reader, &reply) != REDIS_OK) {
            return lm_error_set(error, LM_RETRY, "protocol", "the server's answer is not RESP: %s",
                                reader->errstr);
        }
        if (reply == NULL) {
            return 0;
        }
        if (take_reply(resp, reply, error) != 0) {
            return -1;
        }
        if (resp->stopped) {
            return 0;
        }
    }
}

void ag_resp_stop(struct ag_resp *resp)
{
    resp->stopped = true;
    resp->count = 0;
}

int64_t ag_resp_oldest_us(const struct ag_resp *resp)
{
    return resp->count > 0 ? resp->window[resp->first].at_us : 0;
}
