/* Any bytes as a configuration file: loaded or refused with a message, and what was loaded is shown. */
#include "common/config/config.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct settings {
    char *brokers;
    char *postgres_url;
    struct lm_config_map kafka;
    int log_level;
    int64_t window_raw;
    bool follow;
    struct lm_config_list files;
};

static const struct lm_config_option options[] = {
    LM_CONFIG_BROKERS(struct settings),
    LM_CONFIG_POSTGRES_URL(struct settings),
    LM_CONFIG_KAFKA(struct settings),
    LM_CONFIG_LOG_LEVEL(struct settings),
    {.name = "window.raw",
     .type = LM_CONFIG_DURATION,
     .offset = offsetof(struct settings, window_raw),
     .max = 1000,
     .description = "A duration."},
    {.name = "follow",
     .type = LM_CONFIG_BOOL,
     .offset = offsetof(struct settings, follow),
     .description = "A yes or no."},
    {.name = "files",
     .type = LM_CONFIG_LIST,
     .offset = offsetof(struct settings, files),
     .description = "A list."},
};

static const struct lm_config_program program = {
    .name = "fuzz",
    .summary = "Is fuzzed.",
    .arguments = "",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static FILE *nowhere;
    char path[64];
    char *argv[] = {(char *)"fuzz", (char *)"--config", path, (char *)"--print-config"};
    struct settings settings = {0};

    if (nowhere == NULL)
        nowhere = fopen("/dev/null", "w");
    int fd = memfd_create("config", MFD_CLOEXEC);
    if (nowhere == NULL || fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    enum lm_config_outcome outcome =
        lm_config_load(&program, &settings, 4, argv, NULL, NULL, nowhere, nowhere);
    if (outcome == LM_CONFIG_RUN)
        abort(); /* --print-config or errors: there is no third */
    lm_config_free(&program, &settings);
    (void)close(fd);
    return 0;
}
