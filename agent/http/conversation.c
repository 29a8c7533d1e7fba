#include "agent/http/conversation.h"

#include "agent/http/handshake.h"
#include "agent/http/message.h"
#include "agent/http/socket.h"
#include "common/clock.h"
#include "common/log.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum question_state {
    QUESTION_FREE,
    QUESTION_ASKED, /* waits for admission */
    QUESTION_RUNNING
};

struct question {
    enum question_state state;
    struct ag_conversation *of;
    char id[AG_MESSAGE_ID_SIZE];
    struct ag_admission admission; /* while ASKED */
    json_t *request;
    struct ag_run *run; /* while RUNNING */
};

struct ag_conversation {
    struct ag_conversations *all;
    struct ag_conversation *next, *previous;
    struct lm_http_request *http;
    struct ag_socket *socket;      /* NULL before the upgrade */
    struct ag_caller *caller;      /* held; NULL before admission */
    struct ag_admission admission; /* to the conversation, and again with every ping */
    bool asking;
    char address[64];
    char accept[32];
    bool logmill;
    struct question questions[AG_CONVERSATION_QUESTIONS];
};

static const char *const state_names[] = {"free", "asked", "running"};

static void change_state(struct question *question, enum question_state to)
{
    lm_log(LM_LOG_DEBUG, "conversation", "question %s: %s -> %s", question->id, state_names[question->state],
           state_names[to]);
    question->state = to;
}

/* ---- what the client hears ---- */

static bool send_event(void *to, const char *data, size_t len)
{
    const struct question *question = to;
    return ag_socket_send(question->of->socket, data, len);
}

static size_t unsent(void *to)
{
    const struct question *question = to;
    return ag_socket_unsent(question->of->socket);
}

static bool is_idle(const struct ag_conversation *conversation)
{
    for (size_t i = 0; i < AG_CONVERSATION_QUESTIONS; i++) {
        if (conversation->questions[i].state != QUESTION_FREE) {
            return false;
        }
    }
    return true;
}

static void close_if_stopping(struct ag_conversation *conversation)
{
    if (conversation->all->stopping && conversation->socket != NULL && is_idle(conversation)) {
        ag_socket_close(conversation->socket, AG_SOCKET_GOING_AWAY, "the agent is stopping");
    }
}

static void end_question(void *to, bool complete)
{
    struct question *question = to;
    (void)complete; /* what was not taken has closed the socket */
    json_decref(question->request);
    question->request = NULL;
    question->run = NULL;
    change_state(question, QUESTION_FREE);
    close_if_stopping(question->of);
}

static const struct ag_events_sink question_sink = {
    .send = send_event, .unsent = unsent, .end = end_question};

static void end_nothing(void *to, bool complete)
{
    (void)to;
    (void)complete;
}

static const struct ag_events_sink message_sink = {.send = send_event, .unsent = unsent, .end = end_nothing};

/* To a message that became no question. */
static void refuse(struct ag_conversation *conversation, const char *id, const char *code,
                   const char *message, const char *hint)
{
    struct question nobody = {.of = conversation};
    struct ag_events events = {.sink = &message_sink, .to = &nobody, .id = id};
    struct ag_failure failure = {.code = NULL};
    ag_failure_set(&failure, code, message, hint);
    ag_events_fail(&events, &failure);
}

static void fail(struct question *question, const struct ag_failure *failure)
{
    struct ag_events events = {.sink = &question_sink, .to = question, .id = question->id};
    ag_events_fail(&events, failure);
}

/* ---- the life of a conversation ---- */

static void free_conversation(struct ag_conversation *conversation)
{
    struct ag_conversations *all = conversation->all;
    *(conversation->previous != NULL ? &conversation->previous->next : &all->first) = conversation->next;
    if (conversation->next != NULL) {
        conversation->next->previous = conversation->previous;
    }
    lm_gauge_set(all->open, --all->count);
    if (conversation->asking) {
        ag_access_forget(&conversation->admission);
    }
    ag_caller_drop(conversation->caller);
    free(conversation);
}

static void end_questions(struct ag_conversation *conversation)
{
    for (size_t i = 0; i < AG_CONVERSATION_QUESTIONS; i++) {
        struct question *question = &conversation->questions[i];
        if (question->state == QUESTION_ASKED) {
            ag_access_forget(&question->admission);
        } else if (question->state == QUESTION_RUNNING) {
            ag_run_abandon(question->run);
        }
        json_decref(question->request);
        question->request = NULL;
    }
}

static void on_closed(unsigned code, void *context)
{
    struct ag_conversation *conversation = context;
    struct lm_http_request *http = conversation->http;
    struct lm_metrics *metrics = conversation->all->runs->metrics;
    struct lm_buffer label;
    char text[16];
    snprintf(text, sizeof(text), "%u", code);
    lm_buffer_init(&label, 256);
    lm_metrics_label(&label, "code", text);
    lm_counter_add(lm_counter(metrics, "logmill_agent_websockets_closed_total", lm_buffer_text(&label),
                              "WebSockets closed, by the code sent; 1006: the peer had gone."),
                   1);
    lm_buffer_free(&label);
    end_questions(conversation);
    free_conversation(conversation);
    lm_http_upgrade_end(http);
}

/* The client has gone before the upgrade, or the server waits no longer. */
static void on_abandoned(struct lm_http_request *http, void *context)
{
    struct ag_conversation *conversation = context;
    (void)http;
    if (conversation->socket != NULL) {
        ag_socket_drop(conversation->socket);
    }
    end_questions(conversation);
    free_conversation(conversation);
}

/* ---- questions ---- */

static void on_admitted(struct ag_caller *caller, const struct ag_failure *failure, void *context)
{
    struct question *question = context;
    struct ag_conversation *conversation = question->of;
    if (failure != NULL) {
        const bool barred = strcmp(failure->code, "unauthorized") == 0;
        fail(question, failure);
        if (barred) {
            ag_socket_close(conversation->socket, AG_SOCKET_POLICY, "the API key is no longer good");
        }
        return;
    }
    const struct ag_asked asked = {.id = question->id,
                                   .address = conversation->address,
                                   .request = question->request,
                                   .sink = &question_sink,
                                   .to = question};
    change_state(question, QUESTION_RUNNING);
    ag_run_ask(conversation->all->runs, caller, &asked, &question->run);
    json_decref(question->request); /* which was read; the question may be over, too */
    question->request = NULL;
}

static struct question *find_question(struct ag_conversation *conversation, const char *id)
{
    for (size_t i = 0; i < AG_CONVERSATION_QUESTIONS; i++) {
        struct question *question = &conversation->questions[i];
        if (question->state != QUESTION_FREE && strcmp(question->id, id) == 0) {
            return question;
        }
    }
    return NULL;
}

static struct question *find_free(struct ag_conversation *conversation)
{
    for (size_t i = 0; i < AG_CONVERSATION_QUESTIONS; i++) {
        if (conversation->questions[i].state == QUESTION_FREE) {
            return &conversation->questions[i];
        }
    }
    return NULL;
}

static void ask(struct ag_conversation *conversation, struct ag_message *message)
{
    if (find_question(conversation, message->id) != NULL) {
        refuse(conversation, NULL, "bad_request", "a question of this id is under way", NULL);
        return;
    }
    if (conversation->all->stopping) {
        refuse(conversation, message->id, "unavailable", "the agent is stopping", "ask again in a moment");
        return;
    }
    struct question *question = find_free(conversation);
    if (question == NULL) {
        refuse(conversation, message->id, "too_many_requests",
               "as many questions as one connection may have are under way already",
               "ask again when one of them is done");
        return;
    }
    memcpy(question->id, message->id, sizeof(question->id));
    question->of = conversation;
    question->request = message->request;
    message->request = NULL;
    question->admission = (struct ag_admission){
        .right = AG_RIGHT_READ, .cost = AG_COST_QUESTION, .told = on_admitted, .context = question};
    change_state(question, QUESTION_ASKED);
    ag_access_ask_again(conversation->all->access, &conversation->caller->key, &question->admission);
}

static void cancel(struct ag_conversation *conversation, const char *id)
{
    struct question *question = find_question(conversation, id);
    if (question == NULL) {
        return;
    }
    if (question->state == QUESTION_RUNNING) {
        ag_run_cancel(question->run);
        return;
    }
    struct ag_events events = {.sink = &question_sink, .to = question, .id = question->id};
    ag_access_forget(&question->admission);
    ag_events_cancel(&events);
}

static void on_message(const char *text, size_t len, void *context)
{
    struct ag_conversation *conversation = context;
    struct ag_message message;
    struct lm_error error;
    if (ag_message_read(text, len, &message, &error) != 0) {
        /* The id of a question under way is that question's. */
        const bool names = message.id[0] != '\0' && find_question(conversation, message.id) == NULL;
        refuse(conversation, names ? message.id : NULL, "bad_request", error.text, NULL);
    } else if (message.type == AG_MESSAGE_CANCEL) {
        cancel(conversation, message.id);
    } else {
        ask(conversation, &message);
    }
    ag_message_clear(&message);
}

static void on_still_admitted(struct ag_caller *caller, const struct ag_failure *failure, void *context)
{
    struct ag_conversation *conversation = context;
    (void)caller;
    conversation->asking = false;
    if (failure != NULL && strcmp(failure->code, "unauthorized") == 0) {
        ag_socket_close(conversation->socket, AG_SOCKET_POLICY, "the API key is no longer good");
    }
}

static void on_alive(void *context)
{
    struct ag_conversation *conversation = context;
    if (conversation->asking) {
        return;
    }
    conversation->asking = true;
    conversation->admission = (struct ag_admission){
        .right = AG_RIGHT_READ, .cost = 0, .told = on_still_admitted, .context = conversation};
    ag_access_ask_again(conversation->all->access, &conversation->caller->key, &conversation->admission);
}

/* ---- the handshake ---- */

static void on_upgraded(struct lm_http_request *http, int fd, const char *early, size_t len, void *context)
{
    struct ag_conversation *conversation = context;
    const struct ag_config *config = conversation->all->runs->config;
    const struct ag_socket_options options = {.loop = conversation->all->runs->loop,
                                              .fd = fd,
                                              .max_message = AG_CONVERSATION_MESSAGE,
                                              .max_unsent = AG_CONVERSATION_UNSENT,
                                              .ping_ms = (unsigned)config->websocket_ping_ms,
                                              .message = on_message,
                                              .alive = on_alive,
                                              .closed = on_closed,
                                              .context = conversation};
    conversation->socket = ag_socket_open(&options, early, len);
    if (conversation->socket == NULL) {
        free_conversation(conversation);
        lm_http_upgrade_end(http);
        return;
    }
    close_if_stopping(conversation);
}

static void give_up(struct ag_conversation *conversation, const struct ag_failure *failure)
{
    struct lm_http_request *http = conversation->http;
    free_conversation(conversation);
    lm_http_on_abandoned(http, NULL, NULL);
    ag_failure_reply(http, failure);
}

static void on_caller(struct ag_caller *caller, const struct ag_failure *failure, void *context)
{
    struct ag_conversation *conversation = context;
    const struct lm_http_upgrade upgrade = {
        .protocol = "websocket", .upgraded = on_upgraded, .context = conversation};
    conversation->asking = false;
    if (failure != NULL) {
        give_up(conversation, failure);
        return;
    }
    conversation->caller = ag_caller_hold(caller);
    lm_http_reply_header(conversation->http, "Sec-WebSocket-Accept", conversation->accept);
    if (conversation->logmill) {
        lm_http_reply_header(conversation->http, "Sec-WebSocket-Protocol", "logmill");
    }
    if (lm_http_upgrade(conversation->http, &upgrade) != 0) {
        struct ag_failure unable = {.code = NULL};
        ag_failure_set(&unable, "unavailable", "the agent is stopping, or out of memory", NULL);
        give_up(conversation, &unable);
    }
}

static struct ag_conversation *new_conversation(struct ag_conversations *all, struct lm_http_request *http,
                                                const struct ag_handshake *handshake)
{
    struct ag_conversation *conversation = calloc(1, sizeof(*conversation));
    if (conversation == NULL) {
        return NULL;
    }
    conversation->all = all;
    conversation->http = http;
    snprintf(conversation->address, sizeof(conversation->address), "%s", lm_http_peer(http));
    memcpy(conversation->accept, handshake->accept, sizeof(conversation->accept));
    conversation->logmill = handshake->logmill;
    conversation->next = all->first;
    if (all->first != NULL) {
        all->first->previous = conversation;
    }
    all->first = conversation;
    lm_gauge_set(all->open, ++all->count);
    lm_http_on_abandoned(http, on_abandoned, conversation);
    return conversation;
}

static int read_handshake(const struct ag_conversations *all, const struct lm_http_request *http,
                          struct ag_handshake *out, struct ag_failure *failure)
{
    const struct ag_config *config = all->runs->config;
    const struct ag_handshake_headers headers = {.upgrade = lm_http_header(http, "Upgrade"),
                                                 .connection = lm_http_header(http, "Connection"),
                                                 .version = lm_http_header(http, "Sec-WebSocket-Version"),
                                                 .key = lm_http_header(http, "Sec-WebSocket-Key"),
                                                 .protocols = lm_http_header(http, "Sec-WebSocket-Protocol"),
                                                 .origin = lm_http_header(http, "Origin"),
                                                 .host = lm_http_header(http, "Host")};
    if (ag_handshake_read(&headers, &config->cors_origins, out, failure) != 0) {
        return -1;
    }
    if (strcmp(lm_http_method(http), "GET") != 0) {
        ag_failure_set(failure, "bad_request", "a WebSocket begins with GET", NULL);
        return -1;
    }
    if (all->stopping || all->count >= (unsigned)config->websocket_connections) {
        ag_failure_set(failure, "unavailable",
                       all->stopping ? "the agent is stopping"
                                     : "as many WebSockets as allowed are open already",
                       "connect again in a moment, or use POST /query");
        return -1;
    }
    return 0;
}

static void ask_to_enter(struct ag_conversation *conversation, const struct ag_handshake *handshake)
{
    struct ag_conversations *all = conversation->all;
    struct ag_shown_key key;
    conversation->asking = true;
    conversation->admission = (struct ag_admission){
        .right = AG_RIGHT_READ, .cost = AG_COST_PAGE, .told = on_caller, .context = conversation};
    if (handshake->shows != AG_SHOWN_TICKET) {
        const char *shown =
            handshake->shows == AG_SHOWN_KEY ? handshake->shown : ag_access_key(conversation->http);
        ag_access_ask(all->access, shown, &conversation->admission);
    } else if (ag_ticket_take(all->tickets, handshake->shown, lm_clock_mono_us(), &key)) {
        ag_access_ask_again(all->access, &key, &conversation->admission);
    } else {
        ag_access_ask(all->access, "", &conversation->admission); /* refused as a bad key is */
    }
}

static void on_request(struct lm_http_request *http, void *context)
{
    struct ag_conversations *all = context;
    struct ag_handshake handshake;
    struct ag_failure failure = {.code = NULL};
    struct ag_conversation *conversation = NULL;
    if (read_handshake(all, http, &handshake, &failure) == 0) {
        conversation = new_conversation(all, http, &handshake);
        if (conversation == NULL) {
            ag_failure_set(&failure, "unavailable", "out of memory for the WebSocket", NULL);
        }
    }
    if (conversation == NULL) {
        if (strcmp(failure.code, "upgrade_required") == 0) {
            lm_http_reply_header(http, "Upgrade", "websocket");
            lm_http_reply_header(http, "Sec-WebSocket-Version", "13");
        }
        ag_failure_reply(http, &failure);
    } else {
        ask_to_enter(conversation, &handshake);
    }
    OPENSSL_cleanse(handshake.shown, sizeof(handshake.shown));
}

int ag_conversations_route(struct ag_conversations *all, struct lm_http_server *http, struct lm_error *error)
{
    const struct lm_http_route route = {
        .method = "GET", .path = "/ws/query", .handler = on_request, .context = all};
    return lm_http_server_route(http, &route) == 0
               ? 0
               : lm_error_set(error, LM_FATAL, "memory", "out of memory for the routes");
}

void ag_conversations_stop(struct ag_conversations *all)
{
    all->stopping = true;
    for (struct ag_conversation *at = all->first; at != NULL; at = at->next) {
        close_if_stopping(at);
    }
}
