/*
 * The smallest useful program: sends a few records and says what became of them.
 *
 *     logmill-example BROKERS [TOPIC_PREFIX [SECONDS]]
 *
 * SECONDS is how long it waits for Kafka, twice: for the records, and as it closes; 10.
 */
#include <logmill.h>

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    struct logmill_options options = {
        .brokers = argc > 1 ? argv[1] : NULL,
        .topic_prefix = argc > 2 ? argv[2] : NULL,
        .service = "example",
        .environment = "development",
    };
    const unsigned wait_ms = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) * 1000 : 10000;
    struct logmill *log;
    struct logmill_stats stats;
    char why[256];

    if (logmill_open(&options, &log, why, sizeof(why)) != LOGMILL_OK) {
        fprintf(stderr, "logmill-example: %s\n", why);
        return 1;
    }
    for (int i = 1; i <= 10; i++) {
        struct logmill_field fields[] = {
            logmill_text("component", "cart"),    logmill_text("user_id", "u1234"),
            logmill_integer("http_status", 201),  logmill_number("duration_ms", 12.5 * i),
            logmill_integer("order", 884000 + i), logmill_text("tag", "example"),
        };
        if (logmill_log(log, LOGMILL_INFO, "order placed", fields, sizeof(fields) / sizeof(fields[0])) !=
            LOGMILL_OK) {
            fprintf(stderr, "logmill-example: record %d was not accepted\n", i);
        }
    }
    if (logmill_log_event(log, LOGMILL_SUMMARY, LOGMILL_WARN, 0, "example finished", NULL, 0) != LOGMILL_OK) {
        fprintf(stderr, "logmill-example: the summary was not accepted\n");
    }
    if (logmill_flush(log, wait_ms) != LOGMILL_OK) {
        fprintf(stderr, "logmill-example: not everything was delivered within %u s\n", wait_ms / 1000);
    }
    logmill_get_stats(log, &stats);
    printf("accepted %llu, delivered %llu, dropped %llu\n", (unsigned long long)stats.accepted,
           (unsigned long long)stats.delivered, (unsigned long long)stats.dropped);
    return logmill_close(log, wait_ms) == LOGMILL_OK && stats.delivered == stats.accepted ? 0 : 1;
}
