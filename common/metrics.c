/*
 * A family is a metric's name with its help and kind; a series is a family with one set of labels. Families
 * keep the order of their creation, series that within their family, so that the exposition is grouped by
 * name as the format asks. Look-ups go through a hash table under a lock; a metric never moves once made, so
 * updates need no lock.
 */
#include "common/metrics.h"

#include "common/clock.h"
#include "common/log.h"

#include <dirent.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { MAX_SERIES = 10000, MAX_BOUNDS = 32, BUCKETS = 1024 };

enum kind { KIND_COUNTER, KIND_GAUGE, KIND_HISTOGRAM };

static const char *const kind_names[] = {"counter", "gauge", "histogram"};

struct lm_counter {
    _Atomic uint64_t value;
};

struct lm_gauge {
    _Atomic uint64_t bits; /* of a double */
};

struct lm_histogram {
    const double *bounds; /* the family's */
    unsigned count;
    _Atomic uint64_t sum_bits; /* of a double */
    _Atomic uint64_t buckets[MAX_BOUNDS + 1];
};

struct family {
    struct family *next;
    char *name;
    char *help;
    enum kind kind;
    double bounds[MAX_BOUNDS];
    unsigned bound_count;
    struct series *first, *last;
};

struct series {
    struct series *next;           /* in the family */
    struct series *next_in_bucket; /* in the hash table */
    struct family *family;
    char *labels; /* "" for none */
    union {
        struct lm_counter counter;
        struct lm_gauge gauge;
        struct lm_histogram *histogram;
    } metric;
};

struct lm_metrics {
    pthread_mutex_t lock;
    struct family *first, *last;
    struct series *table[BUCKETS];
    unsigned series_count;
    bool complained;
    double start_time;
    /* Where updates go that have no series. */
    struct lm_counter lost_counter;
    struct lm_gauge lost_gauge;
    struct lm_histogram lost_histogram;
};

static uint64_t to_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static double from_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* When this process started, in seconds since the epoch: field 22 of its stat, in clock ticks since boot. */
static double process_start_time(void)
{
    double now = (double)lm_clock_wall_us() / 1e6;
    char text[1024];
    FILE *file = fopen("/proc/self/stat", "re");
    if (file == NULL)
        return now;
    size_t len = fread(text, 1, sizeof(text) - 1, file);
    (void)fclose(file);
    text[len] = '\0';
    /* The second field, the command in parentheses, may hold anything; what follows the last one is numbers.
     */
    const char *p = strrchr(text, ')');
    for (int field = 2; p != NULL && field < 22; field++)
        p = strchr(p + 1, ' ');
    struct timespec boot;
    if (p == NULL || clock_gettime(CLOCK_BOOTTIME, &boot) != 0)
        return now;
    double uptime = (double)boot.tv_sec + (double)boot.tv_nsec / 1e9;
    return now - uptime + strtod(p, NULL) / (double)sysconf(_SC_CLK_TCK);
}

struct lm_metrics *lm_metrics_new(void)
{
    struct lm_metrics *metrics = calloc(1, sizeof(*metrics));
    if (metrics == NULL)
        return NULL;
    if (pthread_mutex_init(&metrics->lock, NULL) != 0) {
        free(metrics);
        return NULL;
    }
    metrics->start_time = process_start_time();
    return metrics;
}

static void series_free(struct series *series)
{
    if (series == NULL)
        return;
    if (series->family->kind == KIND_HISTOGRAM)
        free(series->metric.histogram);
    free(series->labels);
    free(series);
}

static void family_free(struct family *family)
{
    if (family == NULL)
        return;
    for (struct series *series = family->first; series != NULL;) {
        struct series *next = series->next;
        series_free(series);
        series = next;
    }
    free(family->name);
    free(family->help);
    free(family);
}

void lm_metrics_free(struct lm_metrics *metrics)
{
    if (metrics == NULL)
        return;
    for (struct family *family = metrics->first; family != NULL;) {
        struct family *next = family->next;
        family_free(family);
        family = next;
    }
    (void)pthread_mutex_destroy(&metrics->lock);
    free(metrics);
}

/* What the caller asks for, from public function to registry. */
struct request {
    enum kind kind;
    const char *name;
    const char *labels;
    const char *help;
    const double *bounds;
    unsigned bound_count;
};

/* FNV-1a over the name, a separator and the labels. */
static unsigned bucket_of(const struct request *request)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    for (const char *p = request->name; *p != '\0'; p++)
        hash = (hash ^ (unsigned char)*p) * UINT64_C(0x100000001B3);
    hash *= UINT64_C(0x100000001B3);
    for (const char *p = request->labels; *p != '\0'; p++)
        hash = (hash ^ (unsigned char)*p) * UINT64_C(0x100000001B3);
    return (unsigned)(hash % BUCKETS);
}

static struct family *find_family(struct lm_metrics *metrics, const char *name)
{
    for (struct family *family = metrics->first; family != NULL; family = family->next) {
        if (strcmp(family->name, name) == 0)
            return family;
    }
    return NULL;
}

static struct family *new_family(const struct request *request)
{
    struct family *family = calloc(1, sizeof(*family));
    if (family == NULL)
        return NULL;
    family->kind = request->kind;
    family->bound_count = request->bound_count < MAX_BOUNDS ? request->bound_count : MAX_BOUNDS;
    if (family->bound_count > 0)
        memcpy(family->bounds, request->bounds, family->bound_count * sizeof(*family->bounds));
    family->name = strdup(request->name);
    family->help = strdup(request->help != NULL ? request->help : "");
    if (family->name == NULL || family->help == NULL) {
        family_free(family);
        return NULL;
    }
    return family;
}

static struct series *new_series(struct family *family, const char *labels)
{
    struct series *series = calloc(1, sizeof(*series));
    if (series == NULL)
        return NULL;
    series->family = family;
    series->labels = strdup(labels);
    bool whole = series->labels != NULL;
    if (whole && family->kind == KIND_HISTOGRAM) {
        series->metric.histogram = calloc(1, sizeof(*series->metric.histogram));
        whole = series->metric.histogram != NULL;
        if (whole) {
            series->metric.histogram->bounds = family->bounds;
            series->metric.histogram->count = family->bound_count;
        }
    }
    if (!whole) {
        series_free(series);
        return NULL;
    }
    return series;
}

/* Adds the series, and its family where the name is new. NULL and *reason where it cannot be. Under the lock.
 */
static struct series *add_series(struct lm_metrics *metrics, const struct request *request,
                                 const char **reason)
{
    struct family *family = find_family(metrics, request->name);
    if (family != NULL && family->kind != request->kind) {
        *reason = "its name is taken by a metric of another kind";
        return NULL;
    }
    if (metrics->series_count >= MAX_SERIES) {
        *reason = "there are 10,000 series already; a label takes too many values";
        return NULL;
    }
    *reason = "no memory was left";
    bool is_new = family == NULL;
    if (is_new)
        family = new_family(request);
    struct series *series = family != NULL ? new_series(family, request->labels) : NULL;
    if (series == NULL) {
        if (is_new)
            family_free(family);
        return NULL;
    }
    if (is_new) {
        *(metrics->last != NULL ? &metrics->last->next : &metrics->first) = family;
        metrics->last = family;
    }
    *(family->last != NULL ? &family->last->next : &family->first) = series;
    family->last = series;
    struct series **bucket = &metrics->table[bucket_of(request)];
    series->next_in_bucket = *bucket;
    *bucket = series;
    metrics->series_count++;
    return series;
}

/* Finds or makes the series; NULL where only the sink is left. */
static struct series *obtain(struct lm_metrics *metrics, const struct request *request)
{
    const char *reason = NULL;
    bool complain = false;

    (void)pthread_mutex_lock(&metrics->lock);
    struct series *series = metrics->table[bucket_of(request)];
    while (series != NULL &&
           (series->family->kind != request->kind || strcmp(series->family->name, request->name) != 0 ||
            strcmp(series->labels, request->labels) != 0))
        series = series->next_in_bucket;
    if (series == NULL)
        series = add_series(metrics, request, &reason);
    if (series == NULL) {
        complain = !metrics->complained;
        metrics->complained = true;
    }
    (void)pthread_mutex_unlock(&metrics->lock);
    if (complain)
        lm_log(LM_LOG_ERROR, "metrics", "%s{%s} is not counted, and maybe others: %s", request->name,
               request->labels, reason);
    return series;
}

struct lm_counter *lm_counter(struct lm_metrics *metrics, const char *name, const char *labels,
                              const char *help)
{
    if (metrics == NULL)
        return NULL;
    struct request request = {
        .kind = KIND_COUNTER, .name = name, .labels = labels != NULL ? labels : "", .help = help};
    struct series *series = obtain(metrics, &request);
    return series != NULL ? &series->metric.counter : &metrics->lost_counter;
}

struct lm_gauge *lm_gauge(struct lm_metrics *metrics, const char *name, const char *labels, const char *help)
{
    if (metrics == NULL)
        return NULL;
    struct request request = {
        .kind = KIND_GAUGE, .name = name, .labels = labels != NULL ? labels : "", .help = help};
    struct series *series = obtain(metrics, &request);
    return series != NULL ? &series->metric.gauge : &metrics->lost_gauge;
}

struct lm_histogram *lm_histogram(struct lm_metrics *metrics, const char *name, const char *labels,
                                  const char *help, const double *bounds, unsigned count)
{
    if (metrics == NULL)
        return NULL;
    struct request request = {.kind = KIND_HISTOGRAM,
                              .name = name,
                              .labels = labels != NULL ? labels : "",
                              .help = help,
                              .bounds = bounds,
                              .bound_count = count};
    struct series *series = obtain(metrics, &request);
    return series != NULL ? series->metric.histogram : &metrics->lost_histogram;
}

void lm_counter_add(struct lm_counter *counter, uint64_t n)
{
    if (counter != NULL)
        (void)atomic_fetch_add_explicit(&counter->value, n, memory_order_relaxed);
}

uint64_t lm_counter_get(const struct lm_counter *counter)
{
    return counter != NULL ? atomic_load_explicit(&counter->value, memory_order_relaxed) : 0;
}

void lm_gauge_set(struct lm_gauge *gauge, double value)
{
    if (gauge != NULL)
        atomic_store_explicit(&gauge->bits, to_bits(value), memory_order_relaxed);
}

double lm_gauge_get(const struct lm_gauge *gauge)
{
    return gauge != NULL ? from_bits(atomic_load_explicit(&gauge->bits, memory_order_relaxed)) : 0;
}

void lm_histogram_observe(struct lm_histogram *histogram, double value)
{
    if (histogram == NULL)
        return;
    unsigned i = 0;
    /* Written so that NaN, which compares false with everything, lands in +Inf. */
    while (i < histogram->count && !(value <= histogram->bounds[i]))
        i++;
    (void)atomic_fetch_add_explicit(&histogram->buckets[i], 1, memory_order_relaxed);
    uint64_t old = atomic_load_explicit(&histogram->sum_bits, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&histogram->sum_bits, &old, to_bits(from_bits(old) + value),
                                                  memory_order_relaxed, memory_order_relaxed)) {}
}

void lm_metrics_label(struct lm_buffer *out, const char *name, const char *value)
{
    if (out->len > 0)
        lm_buffer_append_char(out, ',');
    lm_buffer_printf(out, "%s=\"", name);
    while (*value != '\0') {
        size_t plain = strcspn(value, "\\\"\n");
        lm_buffer_append_utf8(out, value, plain);
        value += plain;
        if (*value != '\0') {
            lm_buffer_append_char(out, '\\');
            lm_buffer_append_char(out, *value == '\n' ? 'n' : *value);
            value++;
        }
    }
    lm_buffer_append_char(out, '"');
}

/* A number as short as reads back the same; the three that are none as the format names them. */
static void append_number(struct lm_buffer *out, double value)
{
    if (isnan(value)) {
        lm_buffer_append_text(out, "NaN");
    } else if (isinf(value)) {
        lm_buffer_append_text(out, value > 0 ? "+Inf" : "-Inf");
    } else {
        char text[32];
        (void)snprintf(text, sizeof(text), "%.15g", value);
        if (strtod(text, NULL) != value)
            (void)snprintf(text, sizeof(text), "%.17g", value);
        lm_buffer_append_text(out, text);
    }
}

static void write_head(struct lm_buffer *out, const char *name, const char *help, const char *kind)
{
    lm_buffer_printf(out, "# HELP %s ", name);
    for (; *help != '\0'; help++) {
        if (*help == '\\')
            lm_buffer_append_text(out, "\\\\");
        else if (*help == '\n')
            lm_buffer_append_text(out, "\\n");
        else
            lm_buffer_append_char(out, *help);
    }
    lm_buffer_printf(out, "\n# TYPE %s %s\n", name, kind);
}

static void write_single(struct lm_buffer *out, const char *name, const char *help, const char *kind,
                         double value)
{
    write_head(out, name, help, kind);
    lm_buffer_printf(out, "%s ", name);
    append_number(out, value);
    lm_buffer_append_char(out, '\n');
}

/* Writes name, suffix and labels, with a closing le="bound" where `bound` is not NULL, and a space. */
static void write_series_name(struct lm_buffer *out, const struct series *series, const char *suffix,
                              const double *bound)
{
    lm_buffer_printf(out, "%s%s", series->family->name, suffix);
    if (series->labels[0] != '\0' || bound != NULL) {
        lm_buffer_printf(out, "{%s", series->labels);
        if (bound != NULL) {
            lm_buffer_printf(out, "%sle=\"", series->labels[0] != '\0' ? "," : "");
            append_number(out, *bound);
            lm_buffer_append_char(out, '"');
        }
        lm_buffer_append_char(out, '}');
    }
    lm_buffer_append_char(out, ' ');
}

static void write_histogram(struct lm_buffer *out, const struct series *series)
{
    const struct lm_histogram *histogram = series->metric.histogram;
    uint64_t total = 0;
    for (unsigned i = 0; i <= histogram->count; i++) {
        double bound = i < histogram->count ? histogram->bounds[i] : (double)INFINITY;
        total += atomic_load_explicit(&histogram->buckets[i], memory_order_relaxed);
        write_series_name(out, series, "_bucket", &bound);
        lm_buffer_printf(out, "%llu\n", (unsigned long long)total);
    }
    write_series_name(out, series, "_sum", NULL);
    append_number(out, from_bits(atomic_load_explicit(&histogram->sum_bits, memory_order_relaxed)));
    lm_buffer_append_char(out, '\n');
    /* From the buckets just read, so that it equals the bucket +Inf while others count on. */
    write_series_name(out, series, "_count", NULL);
    lm_buffer_printf(out, "%llu\n", (unsigned long long)total);
}

static void write_series(struct lm_buffer *out, const struct series *series)
{
    switch (series->family->kind) {
    case KIND_COUNTER:
        write_series_name(out, series, "", NULL);
        lm_buffer_printf(out, "%llu\n", (unsigned long long)lm_counter_get(&series->metric.counter));
        break;
    case KIND_GAUGE:
        write_series_name(out, series, "", NULL);
        append_number(out, lm_gauge_get(&series->metric.gauge));
        lm_buffer_append_char(out, '\n');
        break;
    case KIND_HISTOGRAM:
        write_histogram(out, series);
        break;
    }
}

/* Resident bytes of this process, or -1. */
static double resident_bytes(void)
{
    long long pages = -1;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL)
        return -1;
    if (fscanf(file, "%*s %lld", &pages) != 1)
        pages = -1;
    (void)fclose(file);
    return pages < 0 ? -1 : (double)pages * (double)sysconf(_SC_PAGESIZE);
}

/* Open descriptors of this process, or -1. */
static double open_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    if (directory == NULL)
        return -1;
    int count = -1; /* the directory's own */
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL)
        count += entry->d_name[0] != '.';
    (void)closedir(directory);
    return count;
}

static void write_process(const struct lm_metrics *metrics, struct lm_buffer *out)
{
    write_single(out, "process_start_time_seconds", "When the process started, in seconds since the epoch.",
                 "gauge", metrics->start_time);
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        write_single(out, "process_cpu_seconds_total", "Processor time spent, user and system.", "counter",
                     (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
    double value = resident_bytes();
    if (value >= 0)
        write_single(out, "process_resident_memory_bytes", "Memory in use, in bytes.", "gauge", value);
    value = open_descriptors();
    if (value >= 0)
        write_single(out, "process_open_fds", "Open file descriptors.", "gauge", value);
}

void lm_metrics_write(struct lm_metrics *metrics, struct lm_buffer *out)
{
    write_process(metrics, out);
    (void)pthread_mutex_lock(&metrics->lock);
    for (const struct family *family = metrics->first; family != NULL; family = family->next) {
        write_head(out, family->name, family->help, kind_names[family->kind]);
        for (const struct series *series = family->first; series != NULL; series = series->next)
            write_series(out, series);
    }
    (void)pthread_mutex_unlock(&metrics->lock);
}
