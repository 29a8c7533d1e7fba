#include "common/log.h"
#include "consumer/consumer.h"

#include <stdlib.h>

struct program {
    struct co_config config;
    struct co_consumer *consumer;
    struct lm_config_reloading reloading;
};

static unsigned on_stop(void *context, bool now)
{
    const struct program *program = context;
    return co_consumer_stop(program->consumer, now);
}

static int check(const void *values, struct lm_error *error)
{
    bool subscribed[LM_CATEGORY_COUNT];
    return co_config_check(values, subscribed, error);
}

static int run(struct program *program)
{
    struct lm_service service;
    struct lm_error error;
    int status = EXIT_SUCCESS;

    program->consumer = program->reloading.context = co_consumer_new();
    if (program->consumer == NULL || lm_service_open(&service, on_stop, program, &error) != 0) {
        lm_log(LM_LOG_FATAL, "main", "cannot start: %s",
               program->consumer == NULL ? "no memory" : error.text);
        co_consumer_free(program->consumer);
        return EXIT_FAILURE;
    }
    service.reloading = &program->reloading;
    if (co_consumer_open(&service, &program->config, program->consumer, &error) != 0) {
        lm_log_error(LM_LOG_FATAL, "main", &error, "cannot start");
        lm_service_abandon(&service);
        status = EXIT_FAILURE;
    } else if (lm_service_run(&service) != 0) {
        status = EXIT_FAILURE;
    }
    co_consumer_free(program->consumer);
    return status;
}

int main(int argc, char **argv)
{
    struct program program = {.reloading = {.program = &co_config_program,
                                            .values = &program.config,
                                            .size = sizeof(program.config),
                                            .argc = argc,
                                            .argv = argv,
                                            .check = check,
                                            .apply = co_consumer_reconfigure}};
    struct lm_error error;
    int status = 2; /* used wrongly */

    switch (lm_config_load(&co_config_program, &program.config, argc, argv, NULL, NULL, stdout, stderr)) {
    case LM_CONFIG_EXIT_OK:
        status = EXIT_SUCCESS;
        break;
    case LM_CONFIG_EXIT_USAGE:
        break;
    case LM_CONFIG_RUN:
        if (check(&program.config, &error) != 0) {
            fprintf(stderr, "%s: %s\n", co_config_program.name, error.text);
            break;
        }
        lm_log_open(co_config_program.name, (enum lm_log_level)program.config.log_level);
        status = run(&program);
        break;
    }
    lm_config_free(&co_config_program, &program.config);
    return status;
}
