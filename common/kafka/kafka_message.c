/* One block of memory a message, its headers apart (librdkafka makes those). The list it stands in is the
 * producer's. */
#include "common/kafka/kafka_message.h"

#include "common/clock.h"

#include <stdlib.h>
#include <string.h>

size_t kafka_headers_bytes(const rd_kafka_headers_t *headers)
{
    size_t bytes = 0;
    const char *name;
    const void *value;
    size_t len;
    for (size_t i = 0; headers != NULL &&
                       rd_kafka_header_get_all(headers, i, &name, &value, &len) == RD_KAFKA_RESP_ERR_NO_ERROR;
         i++)
        bytes += strlen(name) + len;
    return bytes;
}

struct kafka_message *kafka_message_new(const struct lm_kafka_message *from, size_t bytes)
{
    size_t topic_size = strlen(from->topic) + 1;
    struct kafka_message *message =
        calloc(1, sizeof(*message) + topic_size + from->key_len + from->value_len + 2);
    if (message == NULL)
        return NULL;
    message->headers = from->headers != NULL ? rd_kafka_headers_copy(from->headers) : NULL;
    char *text = (char *)(message + 1);
    message->topic = memcpy(text, from->topic, topic_size);
    text += topic_size;
    if (from->key != NULL)
        message->key = memcpy(text, from->key, from->key_len);
    text += from->key_len + 1;
    if (from->value != NULL)
        message->value = memcpy(text, from->value, from->value_len);
    message->partition = from->partition;
    message->key_len = from->key_len;
    message->value_len = from->value_len;
    message->bytes = bytes;
    /* Fixed now, so that a message sent again carries the same time. */
    message->timestamp_ms = from->timestamp_ms != 0 ? from->timestamp_ms : lm_clock_wall_us() / 1000;
    message->opaque = from->opaque;
    return message;
}

void kafka_message_free(struct kafka_message *message)
{
    if (message->headers != NULL)
        rd_kafka_headers_destroy(message->headers);
    free(message);
}

rd_kafka_resp_err_t kafka_message_produce(rd_kafka_t *rk, struct kafka_message *message)
{
    rd_kafka_headers_t *headers = message->headers != NULL ? rd_kafka_headers_copy(message->headers) : NULL;
    rd_kafka_resp_err_t code =
        rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(message->topic), RD_KAFKA_V_PARTITION(message->partition),
                          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                          RD_KAFKA_V_KEY((void *)(uintptr_t)message->key, message->key_len),
                          RD_KAFKA_V_VALUE((void *)(uintptr_t)message->value, message->value_len),
                          RD_KAFKA_V_TIMESTAMP(message->timestamp_ms), RD_KAFKA_V_OPAQUE(message),
                          RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR && headers != NULL)
        rd_kafka_headers_destroy(headers); /* librdkafka takes them only when it takes the message */
    return code;
}

bool kafka_message_at_fault(rd_kafka_resp_err_t code)
{
    switch ((int)code) {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
        return true;
    default:
        return false;
    }
}

bool kafka_topic_unknown(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC || code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION ||
           code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || code == RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION;
}
