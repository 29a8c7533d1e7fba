#include "common/http/http_client.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

struct lm_http_call {
    struct lm_http_client *client;
    struct lm_http_call_options options; /* callbacks only; the texts are libcurl's */
    CURL *easy;
    struct curl_slist *headers;
    char problem[CURL_ERROR_SIZE];
    struct lm_http_call *next, **link; /* in the client's list */
};

struct lm_http_client {
    uv_loop_t *loop;
    CURLM *multi;
    uv_timer_t timer;
    struct lm_http_call *calls;
    unsigned open_handles; /* the timer and libcurl's sockets */
    bool closing;
    void (*closed)(void *context);
    void *closed_context;
};

/* A socket of libcurl's; it is not ours to close. */
struct watched {
    struct lm_http_client *client;
    uv_poll_t poll;
    curl_socket_t socket;
};

static void release(struct lm_http_client *client)
{
    if (--client->open_handles > 0)
        return;
    void (*closed)(void *) = client->closed;
    void *context = client->closed_context;
    free(client);
    if (closed != NULL)
        closed(context);
}

static void call_free(struct lm_http_call *call)
{
    *call->link = call->next;
    if (call->next != NULL)
        call->next->link = call->link;
    (void)curl_multi_remove_handle(call->client->multi, call->easy);
    curl_easy_cleanup(call->easy);
    curl_slist_free_all(call->headers);
    free(call);
}

static const char *kind_of(CURLcode code)
{
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return "timeout";
    case CURLE_WRITE_ERROR:
        return "aborted";
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_PEER_FAILED_VERIFICATION:
        return "tls";
    default:
        return "unreachable";
    }
}

static void finish(struct lm_http_call *call, CURLcode code)
{
    struct lm_http_call_options options = call->options;
    struct lm_error error;
    long status = 0;

    (void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK)
        (void)lm_error_set(&error, LM_RETRY, kind_of(code), "%s",
                           call->problem[0] != '\0' ? call->problem : curl_easy_strerror(code));
    call_free(call);
    options.done((int)status, code != CURLE_OK ? &error : NULL, options.context);
}

/* A `done` may start and cancel calls, or close the client. */
static void take_results(struct lm_http_client *client)
{
    CURLMsg *message;
    int left;

    while (!client->closing && (message = curl_multi_info_read(client->multi, &left)) != NULL) {
        struct lm_http_call *call = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call);
        finish(call, code);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct lm_http_client *client = timer->data;
    int running;

    (void)curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    take_results(client);
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
    struct watched *watched = poll->data;
    struct lm_http_client *client = watched->client;
    int flags = status < 0 ? CURL_CSELECT_ERR : 0, running;

    flags |= (events & UV_READABLE) != 0 ? CURL_CSELECT_IN : 0;
    flags |= (events & UV_WRITABLE) != 0 ? CURL_CSELECT_OUT : 0;
    (void)curl_multi_socket_action(client->multi, watched->socket, flags, &running);
    take_results(client);
}

static void on_poll_closed(uv_handle_t *handle)
{
    struct watched *watched = handle->data;
    struct lm_http_client *client = watched->client;

    free(watched);
    release(client);
}

static struct watched *watch(struct lm_http_client *client, curl_socket_t socket)
{
    struct watched *watched = calloc(1, sizeof(*watched));

    if (watched == NULL || uv_poll_init_socket(client->loop, &watched->poll, socket) != 0) {
        free(watched);
        return NULL;
    }
    watched->client = client;
    watched->socket = socket;
    watched->poll.data = watched;
    client->open_handles++;
    (void)curl_multi_assign(client->multi, socket, watched);
    return watched;
}

/* libcurl's: what it waits for on a socket. */
static int on_watch(CURL *easy, curl_socket_t socket, int what, void *context, void *socket_context)
{
    struct lm_http_client *client = context;
    struct watched *watched = socket_context;
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (watched == NULL)
            return 0;
        (void)curl_multi_assign(client->multi, socket, NULL);
        uv_close((uv_handle_t *)&watched->poll, on_poll_closed);
        return 0;
    }
    if (watched == NULL && (watched = watch(client, socket)) == NULL)
        return -1;
    return uv_poll_start(&watched->poll, events, on_socket) == 0 ? 0 : -1;
}

/* libcurl's: when it wants to be called at the latest. */
static int on_timeout(CURLM *multi, long timeout_ms, void *context)
{
    struct lm_http_client *client = context;

    (void)multi;
    if (timeout_ms < 0)
        (void)uv_timer_stop(&client->timer);
    else if (!client->closing)
        (void)uv_timer_start(&client->timer, on_timer, (uint64_t)timeout_ms, 0);
    return 0;
}

static size_t on_data(char *data, size_t size, size_t count, void *context)
{
    struct lm_http_call *call = context;
    bool more = call->options.data == NULL || call->options.data(data, size * count, call->options.context);
    return more ? size * count : CURL_WRITEFUNC_ERROR;
}

/* A line of the header with its end; the empty one closes it. What is informational (1xx) is followed by
 * another header. */
static size_t on_header(char *data, size_t size, size_t count, void *context)
{
    struct lm_http_call *call = context;
    curl_off_t retry_after = 0;
    long status = 0;

    if (call->options.head != NULL && count * size > 0 && (data[0] == '\r' || data[0] == '\n')) {
        (void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
        (void)curl_easy_getinfo(call->easy, CURLINFO_RETRY_AFTER, &retry_after);
        if (status >= 200)
            call->options.head((int)status, (long)retry_after, call->options.context);
    }
    return size * count;
}

static void on_timer_closed(uv_handle_t *handle)
{
    release(handle->data);
}

int lm_http_client_open(uv_loop_t *loop, struct lm_http_client **out, struct lm_error *error)
{
    struct lm_http_client *client = calloc(1, sizeof(*client));

    if (client == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK ||
        (client->multi = curl_multi_init()) == NULL) {
        free(client);
        return lm_error_set(error, LM_FATAL, "memory", "no memory for an HTTP client");
    }
    client->loop = loop;
    client->open_handles = 1;
    (void)uv_timer_init(loop, &client->timer);
    client->timer.data = client;
    (void)curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_watch);
    (void)curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
    (void)curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
    (void)curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
    *out = client;
    return 0;
}

void lm_http_client_close(struct lm_http_client *client, void (*closed)(void *context), void *context)
{
    client->closing = true;
    client->closed = closed;
    client->closed_context = context;
    while (client->calls != NULL)
        call_free(client->calls);
    (void)curl_multi_cleanup(client->multi);
    uv_close((uv_handle_t *)&client->timer, on_timer_closed);
}

/* False as soon as libcurl refuses an option. */
static bool set_options(struct lm_http_call *call, const struct lm_http_call_options *options)
{
    CURL *easy = call->easy;
    CURLcode bad = curl_easy_setopt(easy, CURLOPT_URL, options->url);

    bad = bad != 0 ? bad : curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    bad = bad != 0 ? bad : curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    bad = bad != 0 ? bad : curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
    bad = bad != 0 ? bad : curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->problem);
    bad = bad != 0 ? bad : curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_data);
    bad = bad != 0 ? bad : curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    bad = bad != 0 ? bad : curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    bad = bad != 0 ? bad : curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
    bad = bad != 0 ? bad : curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, options->connect_timeout_ms);
    bad = bad != 0 ? bad : curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, options->timeout_ms);
    bad = bad != 0 ? bad : curl_easy_setopt(easy, CURLOPT_USERAGENT, "logmill/" LOGMILL_VERSION);
    bad = bad != 0 ? bad : curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
    if (options->ca_file != NULL)
        bad = bad != 0 ? bad : curl_easy_setopt(easy, CURLOPT_CAINFO, options->ca_file);
    if (options->bearer != NULL) {
        bad = bad != 0 ? bad : curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        bad = bad != 0 ? bad : curl_easy_setopt(easy, CURLOPT_XOAUTH2_BEARER, options->bearer);
    } else if (options->user != NULL) {
        bad = bad != 0 ? bad : curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        bad = bad != 0 ? bad : curl_easy_setopt(easy, CURLOPT_USERNAME, options->user);
        bad = bad != 0 ? bad : curl_easy_setopt(easy, CURLOPT_PASSWORD, options->password);
    }
    if (options->body != NULL) {
        bad = bad != 0 ? bad
                       : curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)options->body_len);
        bad = bad != 0 ? bad : curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, options->body);
    }
    return bad == CURLE_OK;
}

static bool copy_headers(struct lm_http_call *call, const char *const *headers)
{
    for (size_t i = 0; headers != NULL && headers[i] != NULL; i++) {
        struct curl_slist *longer = curl_slist_append(call->headers, headers[i]);
        if (longer == NULL)
            return false;
        call->headers = longer;
    }
    return true;
}

int lm_http_call_start(struct lm_http_client *client, const struct lm_http_call_options *options,
                       struct lm_http_call **out, struct lm_error *error)
{
    struct lm_http_call *call = calloc(1, sizeof(*call));

    if (call == NULL || (call->easy = curl_easy_init()) == NULL || !copy_headers(call, options->headers)) {
        (void)lm_error_set(error, LM_RETRY, "memory", "no memory for an HTTP request");
        goto refused;
    }
    call->client = client;
    call->options = *options;
    if (!set_options(call, options)) {
        (void)lm_error_set(error, LM_FATAL, "configuration", "libcurl refuses an option of a request to %s",
                           options->url);
        goto refused;
    }
    if (curl_multi_add_handle(client->multi, call->easy) != CURLM_OK) {
        (void)lm_error_set(error, LM_RETRY, "memory", "no memory for an HTTP request");
        goto refused;
    }
    call->next = client->calls;
    call->link = &client->calls;
    if (call->next != NULL)
        call->next->link = &call->next;
    client->calls = call;
    *out = call;
    return 0;

refused:
    if (call != NULL) {
        curl_easy_cleanup(call->easy);
        curl_slist_free_all(call->headers);
        free(call);
    }
    return -1;
}

void lm_http_call_cancel(struct lm_http_call *call)
{
    call_free(call);
}
