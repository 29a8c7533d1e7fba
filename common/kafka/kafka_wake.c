/*
 * librdkafka calls back from its own threads, under the queue's lock; all that happens there is
 * uv_async_send. It calls only when a queue turns from empty to not empty: whoever reads reads it empty, or
 * asks to be woken again.
 */
#include "common/kafka/kafka_wake.h"

#include "common/log.h"

#include <string.h>
#include <syslog.h>

#define POLL_MS 1000

/* ---- waking ---- */

static void on_async(uv_async_t *async)
{
    struct lm_kafka_wake *wake = async->data;
    wake->ready(wake->context);
}

static void on_timer(uv_timer_t *timer)
{
    struct lm_kafka_wake *wake = timer->data;
    wake->ready(wake->context);
}

int lm_kafka_wake_open(struct lm_kafka_wake *wake, uv_loop_t *loop, void (*ready)(void *context),
                       void *context, struct lm_error *error)
{
    memset(wake, 0, sizeof(*wake));
    wake->ready = ready;
    wake->context = context;
    int code = uv_async_init(loop, &wake->async, on_async);
    if (code != 0)
        return lm_error_set(error, LM_FATAL, "loop", "cannot make a wake-up for Kafka: %s",
                            uv_strerror(code));
    uv_timer_init(loop, &wake->timer);
    wake->async.data = wake;
    wake->timer.data = wake;
    wake->open_handles = 2;
    uv_timer_start(&wake->timer, on_timer, POLL_MS, POLL_MS);
    return 0;
}

/* A thread of librdkafka's. */
static void on_queue(rd_kafka_t *rk, void *opaque)
{
    struct lm_kafka_wake *wake = opaque;
    (void)rk;
    uv_async_send(&wake->async);
}

void lm_kafka_wake_attach(struct lm_kafka_wake *wake, rd_kafka_queue_t *queue)
{
    rd_kafka_queue_cb_event_enable(queue, on_queue, wake);
    uv_async_send(&wake->async); /* what came before is not announced */
}

void lm_kafka_wake_detach(rd_kafka_queue_t *queue)
{
    rd_kafka_queue_cb_event_enable(queue, NULL, NULL);
}

void lm_kafka_wake_again(struct lm_kafka_wake *wake)
{
    uv_async_send(&wake->async);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct lm_kafka_wake *wake = handle->data;
    if (--wake->open_handles == 0 && wake->closed != NULL)
        wake->closed(wake->context);
}

void lm_kafka_wake_close(struct lm_kafka_wake *wake, void (*closed)(void *context))
{
    wake->closed = closed;
    uv_close((uv_handle_t *)&wake->async, on_handle_closed);
    uv_close((uv_handle_t *)&wake->timer, on_handle_closed);
}

/* ---- configuration ---- */

/* Any thread of librdkafka's. */
static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    enum lm_log_level ours = level <= LOG_CRIT ? LM_LOG_ERROR
                             : level <= LOG_WARNING
                                 ? LM_LOG_WARN /* a broker out of reach is "error" there, and passes */
                             : level <= LOG_INFO ? LM_LOG_INFO
                                                 : LM_LOG_DEBUG;
    /* Every producer sets it on purpose: that librdkafka calls it experimental is no news to its operator. */
    if (strcmp(facility, "CONFWARN") == 0 && strstr(text, "enable.gapless.guarantee is experimental") != NULL)
        ours = LM_LOG_DEBUG;
    lm_log(ours, "kafka", "%s %s: %s", rk != NULL ? rd_kafka_name(rk) : "librdkafka", facility, text);
}

int lm_kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value, struct lm_error *error)
{
    char complaint[256];
    if (rd_kafka_conf_set(conf, name, value, complaint, sizeof(complaint)) == RD_KAFKA_CONF_OK)
        return 0;
    return lm_error_set(error, LM_FATAL, "kafka_property", "kafka.%s cannot be set: %s", name, complaint);
}

int lm_kafka_conf(const char *brokers, const struct lm_config_map *properties, rd_kafka_conf_t **out,
                  struct lm_error *error)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (lm_kafka_conf_set(conf, "bootstrap.servers", brokers, error) != 0 ||
        lm_kafka_conf_set(conf, "client.id", "logmill", error) != 0 ||
        lm_kafka_conf_set(conf, "socket.nagle.disable", "true", error) != 0 ||
        lm_kafka_conf_set(conf, "socket.keepalive.enable", "true", error) != 0 ||
        lm_kafka_conf_set(conf, "log.connection.close", "false", error) !=
            0) /* an idle connection closed by the broker is no event */
        goto refused;
    for (size_t i = 0; properties != NULL && i < properties->count; i++) {
        if (lm_kafka_conf_set(conf, properties->names[i], properties->values[i], error) != 0)
            goto refused;
    }
    rd_kafka_conf_set_log_cb(conf, on_log);
    *out = conf;
    return 0;
refused:
    rd_kafka_conf_destroy(conf);
    return -1;
}
