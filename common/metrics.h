/*
 * Metrics registry with Prometheus text exposition (version 0.0.4). Metrics are created at start or when a
 * label set first appears, live as long as the registry, and are updated with relaxed atomics from any
 * thread. Creating and writing take the registry's lock, from any thread; updating takes none.
 */
#ifndef LOGMILL_COMMON_METRICS_H
#define LOGMILL_COMMON_METRICS_H

#include "common/buffer.h"

#include <stdint.h>

struct lm_metrics;
struct lm_counter;
struct lm_gauge;
struct lm_histogram;

/* NULL: no memory. Comes with process_resident_memory_bytes, process_start_time_seconds, process_open_fds and
 * process_cpu_seconds_total. */
struct lm_metrics *lm_metrics_new(void);
/* No metric of it may be used any more. NULL is allowed. */
void lm_metrics_free(struct lm_metrics *metrics);

/*
 * `labels` is NULL or "topic=\"logs.raw\",partition=\"0\"" (escaped by lm_metrics_label). `name` follows
 * Prometheus' rules; a counter's ends in _total. Name, labels and help are copied. The same name and labels
 * give the same metric; the help of the name's first use counts. Never NULL: where memory or the bound of
 * 10,000 series strikes, or the name is taken by another kind, a sink that is not shown is returned (with one
 * log line for the registry). Only `metrics` NULL gives NULL, which the updating functions accept and ignore.
 * Owned by the registry.
 */
struct lm_counter *lm_counter(struct lm_metrics *metrics, const char *name, const char *labels,
                              const char *help);
struct lm_gauge *lm_gauge(struct lm_metrics *metrics, const char *name, const char *labels, const char *help);
/* `bounds`: ascending upper bounds, `count` <= 32; +Inf is added. All series of a name have the first's
 * bounds. */
struct lm_histogram *lm_histogram(struct lm_metrics *metrics, const char *name, const char *labels,
                                  const char *help, const double *bounds, unsigned count);

void lm_counter_add(struct lm_counter *counter, uint64_t n);
uint64_t lm_counter_get(const struct lm_counter *counter);
void lm_gauge_set(struct lm_gauge *gauge, double value);
double lm_gauge_get(const struct lm_gauge *gauge);
void lm_histogram_observe(struct lm_histogram *histogram, double value);

/* Writes name="value" with the value escaped and its UTF-8 repaired, preceded by a comma if `out` is not
 * empty. */
void lm_metrics_label(struct lm_buffer *out, const char *name, const char *value);
/* Appends the exposition. A buffer that is too small ends up failed. */
void lm_metrics_write(struct lm_metrics *metrics, struct lm_buffer *out);

#endif
