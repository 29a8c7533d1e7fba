/*
 * logmill-gateway: HTTP in, Kafka out. The steps of its life; what it does with a request is in ingest.c.
 */
#include "common/clock.h"
#include "common/http/admin.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/service.h"
#include "producer/gateway/ingest.h"

#include <librdkafka/rdkafka.h>
#include <string.h>

#define CONDITION_TICK_MS 1000
#define ANSWER_MS 1000 /* of a stop's time, kept to answer what waited in vain */

struct gateway {
    struct gw_config config;
    struct lm_service service;
    struct lm_metrics *metrics;
    struct lm_http_server *server;
    struct lm_admin *admin;
    struct lm_condition *kafka;
    struct gw_ingest *ingest;
    uv_timer_t conditions;
    bool started;       /* else a signal has nothing to stop: the start is being abandoned */
    int64_t stop_by_us; /* monotonic; 0 while running */
    struct lm_config_reloading reloading;
};

static void on_conditions(uv_timer_t *timer)
{
    struct gateway *gateway = timer->data;

    lm_condition_set(gateway->kafka, gw_ingest_trouble(gateway->ingest));
}

static void on_ingest_closed(void *context)
{
    struct gateway *gateway = context;

    lm_service_release(&gateway->service);
}

/* No request is left: what is queued to Kafka goes last, in the time that is left. */
static void on_server_closed(void *context)
{
    struct gateway *gateway = context;
    int64_t left_us = gateway->stop_by_us - lm_clock_mono_us();

    gateway->server = NULL;
    gw_ingest_close(gateway->ingest, left_us > 0 ? (unsigned)(left_us / 1000) : 0, on_ingest_closed, gateway);
}

static unsigned stop(void *context, bool now)
{
    struct gateway *gateway = context;
    int64_t wait_ms = gateway->config.stop_timeout;

    if (!gateway->started) {
        return 0;
    }
    if (now) { /* the second signal: whoever waits is answered at once, and nothing is waited for */
        gateway->stop_by_us = lm_clock_mono_us();
        gw_ingest_hurry(gateway->ingest, 0);
        if (gateway->server) {
            lm_http_server_close(gateway->server, ANSWER_MS, NULL, NULL);
        }
        return ANSWER_MS;
    }
    gateway->stop_by_us = lm_clock_mono_us() + wait_ms * 1000;
    uv_close((uv_handle_t *)&gateway->conditions, NULL);
    gw_ingest_hurry(gateway->ingest, wait_ms > ANSWER_MS ? (unsigned)wait_ms - ANSWER_MS : 0);
    lm_http_server_close(gateway->server, (unsigned)wait_ms, on_server_closed, gateway);
    return (unsigned)wait_ms;
}

static int open_outward(struct gateway *gateway, struct lm_error *error)
{
    const struct gw_ingest_options ingest = {&gateway->service.loop, &gateway->config, gateway->metrics};
    const struct lm_http_options http = {
        .loop = &gateway->service.loop, .listen = gateway->config.listen, .metrics = gateway->metrics};

    if (gw_ingest_open(&ingest, &gateway->ingest, error) != 0) {
        return -1;
    }
    if (lm_http_server_open(&http, &gateway->server, error) != 0) {
        return -1;
    }
    if (gw_ingest_routes(gateway->ingest, gateway->server, error) != 0 ||
        lm_admin_open(gateway->server, gateway->metrics, &gateway->admin, error) != 0) {
        return -1;
    }
    gateway->kafka = lm_admin_condition(gateway->admin, "kafka");
    if (!gateway->kafka) {
        return lm_error_set(error, LM_FATAL, "memory", "no memory to start");
    }
    uv_timer_init(&gateway->service.loop, &gateway->conditions);
    gateway->conditions.data = gateway;
    uv_timer_start(&gateway->conditions, on_conditions, 0, CONDITION_TICK_MS);
    gateway->started = true;
    return 0;
}

/* A start that failed half-way: what was opened closes, and the loop ends. */
static void abandon_start(struct gateway *gateway)
{
    if (gateway->server) {
        lm_http_server_close(gateway->server, 0, on_server_closed, gateway);
    } else if (gateway->ingest) {
        gw_ingest_close(gateway->ingest, 0, on_ingest_closed, gateway);
    } else {
        lm_service_release(&gateway->service);
    }
}

int main(int argc, char **argv)
{
    struct gateway gateway;
    struct lm_error error = {0};
    int status = 1;

    memset(&gateway, 0, sizeof(gateway));
    gateway.reloading = (struct lm_config_reloading){.program = &gw_config_program,
                                                     .values = &gateway.config,
                                                     .size = sizeof(gateway.config),
                                                     .argc = argc,
                                                     .argv = argv};
    switch (lm_config_load(&gw_config_program, &gateway.config, argc, argv, NULL, NULL, stdout, stderr)) {
    case LM_CONFIG_RUN:
        break;
    case LM_CONFIG_EXIT_OK:
        lm_config_free(&gw_config_program, &gateway.config);
        return 0;
    case LM_CONFIG_EXIT_USAGE:
        lm_config_free(&gw_config_program, &gateway.config);
        return 2;
    }
    lm_log_open("logmill-gateway", (enum lm_log_level)gateway.config.log_level);
    gateway.metrics = lm_metrics_new();
    if (!gateway.metrics || lm_service_open(&gateway.service, stop, &gateway, &error) != 0) {
        lm_log_error(LM_LOG_FATAL, "gateway", &error, "cannot start");
        goto done;
    }
    gateway.service.reloading = &gateway.reloading;
    if (open_outward(&gateway, &error) != 0) {
        lm_log_error(LM_LOG_FATAL, "gateway", &error, "cannot start");
        abandon_start(&gateway);
        lm_service_abandon(&gateway.service);
        goto done;
    }
    lm_log(LM_LOG_INFO, "gateway", "ready: logmill-gateway %s on %s, Kafka at %s (librdkafka %s)",
           LOGMILL_VERSION, lm_http_server_url(gateway.server), gateway.config.brokers,
           rd_kafka_version_str());
    status = lm_service_run(&gateway.service) == 0 ? 0 : 1;
done:
    lm_admin_free(gateway.admin);
    lm_metrics_free(gateway.metrics);
    lm_config_free(&gw_config_program, &gateway.config);
    return status;
}
