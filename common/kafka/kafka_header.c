#include "common/kafka/kafka_header.h"

bool lm_kafka_header(const rd_kafka_message_t *message, const char *name, struct lm_slice *out)
{
    rd_kafka_headers_t *headers;
    const void *value;
    size_t size;

    *out = (struct lm_slice){NULL, 0};
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_header_get_last(headers, name, &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR || value == NULL)
        return false;
    *out = (struct lm_slice){value, size};
    return true;
}

bool lm_kafka_header_number(const rd_kafka_message_t *message, const char *name, int64_t max, int64_t *out)
{
    struct lm_slice text;

    *out = 0;
    if (!lm_kafka_header(message, name, &text))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        int digit = text.data[i] - '0';
        if (digit < 0 || digit > 9 || *out > (max - digit) / 10)
            return false;
        *out = *out * 10 + digit;
    }
    return text.len > 0;
}
