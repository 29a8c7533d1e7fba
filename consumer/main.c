#include "common/log.h"
#include "consumer/consumer.h"

#include <stdlib.h>

static int run(const struct co_config *config)
{
    struct lm_service service;
    struct lm_error error;
    struct co_consumer *consumer = co_consumer_new();
    int status = EXIT_SUCCESS;

    if (consumer == NULL || lm_service_open(&service, co_consumer_stop, consumer, &error) != 0) {
        lm_log(LM_LOG_FATAL, "main", "cannot start: %s", consumer == NULL ? "no memory" : error.text);
        co_consumer_free(consumer);
        return EXIT_FAILURE;
    }
    if (co_consumer_open(&service, config, consumer, &error) != 0) {
        lm_log_error(LM_LOG_FATAL, "main", &error, "cannot start");
        status = EXIT_FAILURE;
    }
    if (lm_service_run(&service) != 0)
        status = EXIT_FAILURE;
    co_consumer_free(consumer);
    return status;
}

int main(int argc, char **argv)
{
    struct co_config config = {0};
    bool subscribed[LM_CATEGORY_COUNT];
    struct lm_error error;
    int status = 2; /* used wrongly */

    switch (lm_config_load(&co_config_program, &config, argc, argv, NULL, NULL, stdout, stderr)) {
    case LM_CONFIG_EXIT_OK:
        status = EXIT_SUCCESS;
        break;
    case LM_CONFIG_EXIT_USAGE:
        break;
    case LM_CONFIG_RUN:
        if (co_config_check(&config, subscribed, &error) != 0) {
            fprintf(stderr, "%s: %s\n", co_config_program.name, error.text);
            break;
        }
        lm_log_open(co_config_program.name, (enum lm_log_level)config.log_level);
        status = run(&config);
        break;
    }
    lm_config_free(&co_config_program, &config);
    return status;
}
