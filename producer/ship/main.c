/*
 * logmill-ship: standard input and files to Kafka. The steps of its life; what it does is in ship.c.
 */
#include "common/log.h"
#include "producer/ship/ship.h"

#include <fcntl.h>
#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <unistd.h>

struct program {
    struct sh_config config;
    struct lm_service service;
    struct lm_metrics *metrics;
    struct ship *ship;
    struct lm_config_reloading reloading;
};

static unsigned stop(void *context, bool now)
{
    struct program *program = context;

    ship_stop(program->ship, now);
    return now ? 0 : (unsigned)program->config.stop_timeout;
}

/* A closed standard input must not become the number of some socket of ours, and then be read as input. */
static void occupy_standard_input(void)
{
    if (fcntl(STDIN_FILENO, F_GETFD) < 0) {
        (void)!open("/dev/null", O_RDONLY);
    }
}

/* The exit code of a run with the configuration loaded. */
static int run(struct program *program, const char *const *paths, size_t path_count)
{
    struct lm_error error = {0};
    int status = 1;

    lm_log_open("logmill-ship", (enum lm_log_level)program->config.log_level);
    program->metrics = lm_metrics_new();
    if (!program->metrics || lm_service_open(&program->service, stop, program, &error) != 0) {
        lm_log_error(LM_LOG_FATAL, "ship", &error, "cannot start");
        goto done;
    }
    program->service.reloading = &program->reloading;
    if (ship_open(
            &(struct ship_options){&program->service, &program->config, program->metrics, paths, path_count},
            &program->ship, &error) != 0) {
        lm_log_error(LM_LOG_FATAL, "ship", &error, "cannot start");
        if (program->ship) {
            ship_stop(program->ship, true);
        } else {
            lm_service_release(&program->service);
        }
        lm_service_abandon(&program->service);
        goto done;
    }
    lm_log(LM_LOG_INFO, "ship", "ready: logmill-ship %s, Kafka at %s (librdkafka %s)", LOGMILL_VERSION,
           program->config.brokers, rd_kafka_version_str());
    if (lm_service_run(&program->service) == 0 && ship_complete(program->ship)) {
        status = 0;
    }
done:
    ship_free(program->ship);
    lm_metrics_free(program->metrics);
    return status;
}

int main(int argc, char **argv)
{
    struct program program = {.reloading = {.program = &sh_config_program,
                                            .values = &program.config,
                                            .size = sizeof(program.config),
                                            .argc = argc,
                                            .argv = argv}};
    const char **paths = calloc((size_t)argc + 1, sizeof(*paths));
    size_t path_count = 0;
    int status = 1;

    occupy_standard_input();
    if (!paths) {
        return 1;
    }
    switch (
        lm_config_load(&sh_config_program, &program.config, argc, argv, paths, &path_count, stdout, stderr)) {
    case LM_CONFIG_RUN:
        status = run(&program, paths, path_count);
        break;
    case LM_CONFIG_EXIT_OK:
        status = 0;
        break;
    case LM_CONFIG_EXIT_USAGE:
        status = 2;
        break;
    }
    lm_config_free(&sh_config_program, &program.config);
    free(paths);
    return status;
}
