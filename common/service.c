#include "common/service.h"

#include "common/log.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define MAX_DESCRIPTORS 65536
#define CLOSING_MS 15000

static const char component[] = "service";

/* The thread that ends the process when `over` has not come in time. */
struct lm_service_end {
    uv_thread_t thread;
    uv_mutex_t mutex; /* of what follows */
    uv_cond_t wake;
    uint64_t since_ns, due_ns; /* uv_hrtime */
    int status;
    bool over;
};

/* ---- the end ---- */

static void watch_end(void *context) /* its own thread */
{
    struct lm_service_end *end = context;
    uint64_t now_ns;

    uv_mutex_lock(&end->mutex);
    while (!end->over && (now_ns = uv_hrtime()) < end->due_ns)
        (void)uv_cond_timedwait(&end->wake, &end->mutex, end->due_ns - now_ns);
    if (!end->over) {
        lm_log(LM_LOG_WARN, component,
               "the end takes longer than %llu ms: something hangs. Ending without it; what was acknowledged "
               "is safe",
               (unsigned long long)((end->due_ns - end->since_ns) / 1000000));
        _exit(end->status);
    }
    uv_mutex_unlock(&end->mutex);
}

/* NULL: no memory, or no thread. */
static struct lm_service_end *start_watch(uint64_t since_ns, uint64_t due_ns, int status)
{
    struct lm_service_end *end = calloc(1, sizeof(*end));

    if (end == NULL)
        return NULL;
    end->since_ns = since_ns;
    end->due_ns = due_ns;
    end->status = status;
    if (uv_mutex_init(&end->mutex) != 0)
        goto mutex_failed;
    if (uv_cond_init(&end->wake) != 0)
        goto cond_failed;
    if (uv_thread_create(&end->thread, watch_end, end) != 0)
        goto thread_failed;
    return end;

thread_failed:
    uv_cond_destroy(&end->wake);
cond_failed:
    uv_mutex_destroy(&end->mutex);
mutex_failed:
    free(end);
    return NULL;
}

void lm_service_end_within(struct lm_service *service, unsigned ms)
{
    struct lm_service_end *end = service->end;
    uint64_t now_ns = uv_hrtime();
    uint64_t due_ns = now_ns + ((uint64_t)ms + service->closing_ms) * 1000000;

    if (end == NULL) {
        service->end = start_watch(now_ns, due_ns, service->cut_status);
        return;
    }
    uv_mutex_lock(&end->mutex);
    end->status = service->cut_status;
    if (due_ns < end->due_ns)
        end->due_ns = due_ns;
    uv_cond_signal(&end->wake);
    uv_mutex_unlock(&end->mutex);
}

/* The end has come by itself. */
static void end_watch(struct lm_service *service)
{
    struct lm_service_end *end = service->end;

    if (end == NULL)
        return;
    uv_mutex_lock(&end->mutex);
    end->over = true;
    uv_cond_signal(&end->wake);
    uv_mutex_unlock(&end->mutex);
    (void)uv_thread_join(&end->thread);
    uv_cond_destroy(&end->wake);
    uv_mutex_destroy(&end->mutex);
    free(end);
    service->end = NULL;
}

/* ---- signals ---- */

void lm_service_stop(struct lm_service *service)
{
    if (service->signals < 3)
        service->signals++;
    if (service->signals == 1) {
        lm_log(LM_LOG_INFO, component,
               "stopping: letting what is under way finish; a second signal skips that");
        lm_service_end_within(service, service->stop(service->context, false));
    } else if (service->signals == 2) {
        lm_log(LM_LOG_WARN, component, "stopping at once: asked a second time");
        lm_service_end_within(service, service->stop(service->context, true));
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

/* From here on the signal does nothing: its default would end a process that is about to end by itself, and
 * whoever asked twice would hear of a death by signal. */
static void close_signal(uv_signal_t *handle)
{
    int number = handle->signum;

    /* Zeroed by lm_service_open where it was never initialised. */
    if (handle->loop == NULL || uv_is_closing((uv_handle_t *)handle))
        return;
    uv_close((uv_handle_t *)handle, NULL);
    if (number != 0)
        (void)signal(number, SIG_IGN);
}

void lm_service_release(struct lm_service *service)
{
    close_signal(&service->term);
    close_signal(&service->interrupt);
    close_signal(&service->hangup);
}

/* ---- the loop ---- */

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

int lm_service_open(struct lm_service *service, unsigned (*stop)(void *context, bool now), void *context,
                    struct lm_error *error)
{
    *service = (struct lm_service){
        .stop = stop, .context = context, .closing_ms = CLOSING_MS, .cut_status = EXIT_SUCCESS};
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
    end_watch(service);
    if (uv_loop_close(&service->loop) == 0)
        return 0;
    uv_walk(&service->loop, report_left_handle, NULL);
    return -1;
}

void lm_service_abandon(struct lm_service *service)
{
    service->cut_status = EXIT_FAILURE;
    lm_service_end_within(service, 0);
    (void)!lm_service_run(service);
}
