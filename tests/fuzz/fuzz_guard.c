/*
 * The guard over any bytes: it never crashes, and what it lets run is a fixed point, judged again it passes
 * as the same text.
 */
#include "agent/guard/guard.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct ag_guard_limits limits = {.now_us = INT64_C(1773812120000000)};
    struct ag_guard_verdict verdict, again;
    char *sql = malloc(size + 1);
    if (sql == NULL) {
        return 0;
    }
    memcpy(sql, data, size);
    sql[size] = '\0';
    if (ag_guard(sql, &limits, &verdict, NULL) == 0 && verdict.pass) {
        if (strlen(verdict.sql) <= AG_GUARD_MAX_SQL) {
            if (ag_guard(verdict.sql, &limits, &again, NULL) != 0 || !again.pass ||
                strcmp(again.sql, verdict.sql) != 0) {
                abort();
            }
            ag_guard_verdict_free(&again);
        }
    }
    ag_guard_verdict_free(&verdict);
    free(sql);
    return 0;
}
