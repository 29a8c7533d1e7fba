/*
 * Metrics registry with Prometheus text exposition (version 0.0.4). Metrics are created at start or when a label set
 * first appears, live as long as the registry, and are updated with relaxed atomics from any thread.
 */
#ifndef LOGMILL_COMMON_METRICS_H
#define LOGMILL_COMMON_METRICS_H

#include "common/buffer.h"

#include <stdint.h>

struct lm_metrics;
struct lm_counter;
struct lm_gauge;
struct lm_histogram;

struct lm_metrics *lm_metrics_new(void); /* NULL: no memory. Comes with process_* (start time, resident bytes, fds). */
void lm_metrics_free(struct lm_metrics *metrics);

/* `labels` is NULL or "topic=\"logs.raw\",partition=\"0\"" (escaped by lm_metrics_label). The same name and labels give
 * the same metric. Never NULL: where memory or the bound of 10,000 series strikes, an unregistered sink is returned. */
struct lm_counter *lm_counter(struct lm_metrics *metrics, const char *name, const char *labels, const char *help);
struct lm_gauge *lm_gauge(struct lm_metrics *metrics, const char *name, const char *labels, const char *help);
/* `bounds`: ascending upper bounds, `count` <= 32; +Inf is added. */
struct lm_histogram *lm_histogram(struct lm_metrics *metrics, const char *name, const char *labels, const char *help,
                                  const double *bounds, unsigned count);

void lm_counter_add(struct lm_counter *counter, uint64_t n);
uint64_t lm_counter_get(const struct lm_counter *counter);
void lm_gauge_set(struct lm_gauge *gauge, double value);
double lm_gauge_get(const struct lm_gauge *gauge);
void lm_histogram_observe(struct lm_histogram *histogram, double value);

/* Writes name="value" with the value escaped, preceded by a comma if `out` is not empty. */
void lm_metrics_label(struct lm_buffer *out, const char *name, const char *value);
void lm_metrics_write(struct lm_metrics *metrics, struct lm_buffer *out);

#endif
