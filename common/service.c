#include "common/service.h"

#include "common/log.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#define MAX_DESCRIPTORS 65536

static const char component[] = "service";

void lm_service_stop(struct lm_service *service)
{
    if (service->signals < 3)
        service->signals++;
    if (service->signals == 1) {
        lm_log(LM_LOG_INFO, component,
               "stopping: letting what is under way finish; a second signal skips that");
        service->stop(service->context, false);
    } else if (service->signals == 2) {
        lm_log(LM_LOG_WARN, component, "stopping at once: asked a second time");
        service->stop(service->context, true);
    }
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct lm_service *service = handle->data;
    if (number != SIGHUP)
        lm_service_stop(service);
    else if (service->reloading != NULL && service->signals == 0)
        (void)lm_config_reload(service->reloading);
}

static int listen_for(struct lm_service *service, uv_signal_t *handle, int number)
{
    int rc = uv_signal_init(&service->loop, handle);
    if (rc != 0)
        return rc;
    handle->data = service;
    return uv_signal_start(handle, on_signal, number);
}

static void close_signal(uv_signal_t *handle)
{
    /* Zeroed by lm_service_open where it was never initialised. */
    if (handle->loop != NULL && !uv_is_closing((uv_handle_t *)handle))
        uv_close((uv_handle_t *)handle, NULL);
}

void lm_service_release(struct lm_service *service)
{
    close_signal(&service->term);
    close_signal(&service->interrupt);
    close_signal(&service->hangup);
}

/* Every connection takes a descriptor or two, and the usual soft limit is 1,024; the hard one is what counts.
 * Bounded, for some systems allow a thousand million and something may look at each of them. */
static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= MAX_DESCRIPTORS)
        return;
    limit.rlim_cur = limit.rlim_max < MAX_DESCRIPTORS ? limit.rlim_max : MAX_DESCRIPTORS;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        lm_log(LM_LOG_WARN, component, "the limit of open files could not be raised: %s", strerror(errno));
}

int lm_service_open(struct lm_service *service, void (*stop)(void *context, bool now), void *context,
                    struct lm_error *error)
{
    *service = (struct lm_service){.stop = stop, .context = context};
    raise_descriptors();
    int rc = uv_loop_init(&service->loop);
    if (rc != 0)
        return lm_error_set(error, LM_FATAL, "event_loop", "the event loop could not be made: %s",
                            uv_strerror(rc));
    rc = listen_for(service, &service->term, SIGTERM);
    if (rc == 0)
        rc = listen_for(service, &service->interrupt, SIGINT);
    if (rc == 0)
        rc = listen_for(service, &service->hangup, SIGHUP);
    if (rc != 0) {
        lm_service_release(service);
        (void)uv_run(&service->loop, UV_RUN_DEFAULT);
        (void)uv_loop_close(&service->loop);
        return lm_error_set(error, LM_FATAL, "event_loop", "signals could not be watched: %s",
                            uv_strerror(rc));
    }
    /* A closed socket or pipe is then an error of the write that met it, not the end of the process. */
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ignore, NULL);
    return 0;
}

static void report_left_handle(uv_handle_t *handle, void *context)
{
    (void)context;
    const char *name = uv_handle_type_name(uv_handle_get_type(handle));
    lm_log(LM_LOG_ERROR, component, "a handle of type %s was left open at the end",
           name != NULL ? name : "unknown");
}

int lm_service_run(struct lm_service *service)
{
    (void)uv_run(&service->loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&service->loop) == 0)
        return 0;
    uv_walk(&service->loop, report_left_handle, NULL);
    return -1;
}
