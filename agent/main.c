/* logmill-agent: arguments → configuration → log → loop → server → "ready". Stopping is ag_server_stop's. */
#include "agent/config.h"
#include "agent/guard/guard.h"
#include "agent/http/server.h"
#include "common/log.h"
#include "common/service.h"

#include <pg_query.h>
#include <stdio.h>

struct program {
    struct ag_config config;
    struct lm_service service;
    struct ag_server *server;
    struct lm_config_reloading reloading;
};

static void on_stopped(void *context)
{
    struct program *program = context;
    lm_service_release(&program->service);
}

static unsigned on_stop(void *context, bool now)
{
    struct program *program = context;
    return program->server != NULL ? ag_server_stop(program->server, now, on_stopped, program) : 0;
}

static int run(struct program *program)
{
    struct lm_error error;
    lm_log_open("logmill-agent", (enum lm_log_level)program->config.log_level);
    ag_guard_widen_stack();
    if (lm_service_open(&program->service, on_stop, program, &error) != 0) {
        lm_log_error(LM_LOG_FATAL, "main", &error, "cannot start");
        return 1;
    }
    program->service.reloading = &program->reloading;
    if (ag_server_open(&program->service.loop, &program->config, &program->server, &error) != 0) {
        lm_log_error(LM_LOG_FATAL, "main", &error, "cannot start");
        lm_service_release(&program->service);
        lm_service_abandon(&program->service);
        return 1;
    }
    lm_log(LM_LOG_INFO, "main", "ready: %s, logmill %s, SQL as of PostgreSQL %s",
           ag_server_url(program->server), LOGMILL_VERSION, PG_MAJORVERSION);
    return lm_service_run(&program->service) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct program program = {.reloading = {.program = &ag_config_program,
                                            .values = &program.config,
                                            .size = sizeof(program.config),
                                            .argc = argc,
                                            .argv = argv}};
    int code = 1;
    switch (lm_config_load(&ag_config_program, &program.config, argc, argv, NULL, NULL, stdout, stderr)) {
    case LM_CONFIG_RUN:
        code = run(&program);
        break;
    case LM_CONFIG_EXIT_OK:
        code = 0;
        break;
    case LM_CONFIG_EXIT_USAGE:
        code = 2;
        break;
    }
    lm_config_free(&ag_config_program, &program.config);
    return code;
}
