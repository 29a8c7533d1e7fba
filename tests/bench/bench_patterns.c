/*
 * What the parts of a row that know names cost, in CPU time on one core:
 *   bench_patterns FILE…   masking and hashing each line of log files (kept in memory, read again and again)
 *   bench_patterns         the names of made-up records: seven texts and three metadata keys each
 */
#include "common/pattern/pattern.h"
#include "consumer/batch/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BYTES_MAX = 64 << 20, ROUNDS = 9, RECORDS = 400, BATCHES = 500 };

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Lines of the file; the ids are mixed into *sum so that nothing is left out. */
static size_t mask_lines(const char *text, size_t len, struct lm_buffer *template, int64_t *sum)
{
    size_t lines = 0;

    for (const char *at = text, *end = text + len; at < end; lines++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (stop == NULL)
            stop = end;
        *sum ^= lm_pattern(at, (size_t)(stop - at), template);
        at = stop + 1;
    }
    return lines;
}

static int bench_file(const char *name)
{
    FILE *file = fopen(name, "rb");
    char *text = malloc(BYTES_MAX);
    if (file == NULL || text == NULL) {
        fprintf(stderr, "bench_patterns: cannot read %s\n", name);
        free(text);
        return EXIT_FAILURE;
    }
    const size_t len = fread(text, 1, BYTES_MAX, file);
    fclose(file);
    struct lm_buffer template;
    lm_buffer_init(&template, LM_PATTERN_MAX);
    double best = 0;
    int64_t sum = 0;
    size_t lines = 1;
    for (int round = 0; round < ROUNDS; round++) {
        const double begin = cpu_seconds();
        lines = mask_lines(text, len, &template, &sum);
        const double rate = (double)lines / (cpu_seconds() - begin);
        best = rate > best ? rate : best;
    }
    printf("%s: %.0f lines/s, %.0f ns a line of %.0f bytes (%llx)\n", name, best, 1e9 / best,
           (double)len / (double)lines, (unsigned long long)sum);
    lm_buffer_free(&template);
    free(text);
    return EXIT_SUCCESS;
}

static char texts[RECORDS][8][32];
static struct lm_record records[RECORDS];

static void set_text(int i, enum lm_text field, int slot, const char *format, int value)
{
    const int len = snprintf(texts[i][slot], sizeof texts[i][slot], format, value);
    records[i].text[field] = (struct lm_slice){texts[i][slot], (size_t)len};
}

static void make_records(void)
{
    for (int i = 0; i < RECORDS; i++) {
        lm_record_init(&records[i]);
        records[i].timestamp_us = i;
        set_text(i, LM_SERVICE, 0, "service-%d", rand() % 12);
        set_text(i, LM_HOST, 1, "host-%d", rand() % 48);
        set_text(i, LM_COMPONENT, 2, "component-%d", rand() % 3);
        set_text(i, LM_MODULE, 3, "com.example.module%d", rand() % 4);
        set_text(i, LM_ENDPOINT, 4, "/api/v1/items/%d", rand() % 8);
        set_text(i, LM_EVENT_TYPE, 5, "request.%d", 1);
        set_text(i, LM_METADATA, 6, "{\"retry\":%d,\"zone\":\"a\",\"az\":1}", rand() % 9);
        records[i].text[LM_ENVIRONMENT] = rand() % 5 ? LM_SLICE("production") : LM_SLICE("staging");
    }
}

static int bench_names(void)
{
    struct co_names *names = co_names_new(10000);
    uint32_t place;

    if (names == NULL)
        return EXIT_FAILURE;
    make_records();
    const double begin = cpu_seconds();
    for (int batch = 0; batch < BATCHES; batch++) {
        for (int i = 0; i < RECORDS; i++) {
            if (co_names_add(names, &records[i], &place) != 0)
                return EXIT_FAILURE;
        }
    }
    printf("names: %.0f ns a row\n", (cpu_seconds() - begin) * 1e9 / BATCHES / RECORDS);
    co_names_free(names);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    int code = argc > 1 ? EXIT_SUCCESS : bench_names();

    for (int i = 1; i < argc && code == EXIT_SUCCESS; i++)
        code = bench_file(argv[i]);
    return code;
}
