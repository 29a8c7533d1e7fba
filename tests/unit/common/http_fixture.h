/*
 * An HTTP server with a route for each kind of answer, and its clients: raw sockets in the same thread,
 * pumped together with the loop. No call waits without turning the loop; a test that hangs dies with SIGALRM.
 */
#ifndef LOGMILL_TESTS_HTTP_FIXTURE_H
#define LOGMILL_TESTS_HTTP_FIXTURE_H

#include "common/http/http_server.h"

enum { FIXTURE_WAITING = 256, FIXTURE_ANSWER = 4 << 20 };

struct fixture {
    uv_loop_t loop;
    struct lm_http_server *server;
    struct lm_metrics *metrics;
    unsigned short port;
    int closed, handled, abandoned;
    size_t last_body_len;                             /* of /echo */
    struct lm_http_request *waiting[FIXTURE_WAITING]; /* the /later requests not answered yet */
    int waiting_count;
    bool listen_for_abandoned; /* the next /later requests say when they are */
    bool close_in_handler;     /* /echo closes the server, then answers */
    char *answer;              /* what hear() read, of FIXTURE_ANSWER bytes at most, NUL behind it */
    size_t answer_len;
    bool answer_end; /* EOF or reset */
};

/*
 * The routes: POST /echo (2 MiB) and /small (10 bytes) give the body back, GET /show, GET /in/{name} and
 * POST /{index}/_bulk say what the handler saw, GET /big is 1 MiB of text, GET and POST /later wait for
 * answer_waiting(). A larger struct may begin with this one: begin, end are its opening and its closing,
 * which fails if anything is left on the loop or a request is never given back; 0 or -1. The struct itself is
 * the caller's; fixture_open and fixture_close are setup and teardown of a test that needs no more than it.
 */
int fixture_begin(struct fixture *f);
int fixture_end(struct fixture *f);
int fixture_open(void **state);
int fixture_close(void **state);

/* A handler for a route of the test's own: says what it saw. */
void on_show(struct lm_http_request *request, void *context);
/* Counts, for lm_http_server_close. */
void on_closed(void *context);

/* A connected client; close(2) it. */
int dial(const struct fixture *f);
/* The loop once, and a millisecond. */
void turn(struct fixture *f);
void wait_for(struct fixture *f, const int *what, int value);
/* Sends all of it; what a server that has hung up does not take is dropped. */
void say(struct fixture *f, int fd, const char *text);
void say_bytes(struct fixture *f, int fd, const char *bytes, size_t len);
/* Reads until `until` stands in the answer `times` times, or the connection ends; NULL: until it ends. */
const char *hear(struct fixture *f, int fd, const char *until, size_t times);
/* What comes within 100 turns of the loop. */
void hear_briefly(struct fixture *f, int fd);
/* dial, say, hear, close. */
const char *ask(struct fixture *f, const char *text, const char *until);
bool readable(int fd);
/* Until something, or the end, can be read; of what went wrong without memory nothing may come. */
void wait_for_answer(struct fixture *f, int fd);
/* Answers every /later request. */
void answer_waiting(struct fixture *f);
size_t count_of(const char *text, const char *what);

#endif
