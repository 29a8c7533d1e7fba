/*
 * One request on its way: its records are decoded, published, and answered for when the brokers have
 * acknowledged the last of them. Loop thread.
 *
 * 2xx is sent only after every accepted record was acknowledged. A wait that runs out is 503: its records
 * stay queued and may still arrive, so a client that repeats the request sends them twice unless they carry
 * source and sequence. A request belongs to one source at most (that of its first record, where neither
 * header nor query names one): while it, or what it left queued, is under way, another is 409.
 */
#ifndef LOGMILL_PRODUCER_GATEWAY_INGEST_H
#define LOGMILL_PRODUCER_GATEWAY_INGEST_H

#include "common/http/http_server.h"
#include "common/kafka/kafka_producer.h"
#include "common/metrics.h"
#include "producer/gateway/config.h"
#include "producer/gateway/split.h"

struct gw_ingest;

struct gw_ingest_options {
    uv_loop_t *loop;
    const struct gw_config *config;
    struct lm_metrics *metrics;
};

/* Opens the Kafka producer and the timer of the deadlines. */
int gw_ingest_open(const struct gw_ingest_options *options, struct gw_ingest **out,
                   struct lm_error *error) LM_MUST_CHECK;
/* Adds the routes that take records. */
int gw_ingest_routes(struct gw_ingest *ingest, struct lm_http_server *server,
                     struct lm_error *error) LM_MUST_CHECK;
/* NULL, or a sentence why records cannot be taken just now. Valid until the next call. */
const char *gw_ingest_trouble(struct gw_ingest *ingest);
/* The gateway stops: requests that still wait for Kafka in `within_ms` are answered 503 then. After
 * gw_ingest_close: shortens its deadline. */
void gw_ingest_hurry(struct gw_ingest *ingest, unsigned within_ms);
/* After the HTTP server has closed: gives what is queued up to `deadline_ms`, then calls `closed` once; freed
 * by then. */
void gw_ingest_close(struct gw_ingest *ingest, unsigned deadline_ms, void (*closed)(void *context),
                     void *context);

#endif
