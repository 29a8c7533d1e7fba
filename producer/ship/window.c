#include "producer/ship/window.h"

#include <stdlib.h>

struct sh_sent *sh_window_prepare(struct sh_window *window, int64_t end)
{
    struct sh_sent *sent = calloc(1, sizeof(*sent));

    if (sent) {
        sent->window = window;
        sent->end = end;
    }
    return sent;
}

void sh_window_add(struct sh_sent *sent)
{
    struct sh_window *window = sent->window;

    if (window->newest) {
        window->newest->next = sent;
    } else {
        window->oldest = sent;
    }
    window->newest = sent;
    window->count++;
}

void sh_window_end(struct sh_sent *sent, enum sh_fate fate)
{
    struct sh_window *window = sent->window;

    window->count--;
    sent->settled = fate != SH_UNDELIVERED;
    if (fate == SH_UNDELIVERED) {
        window->gap = true;
    }
    while (window->oldest && window->oldest->settled) {
        struct sh_sent *done = window->oldest;

        window->oldest = done->next;
        window->delivered = done->end;
        free(done);
    }
    if (!window->oldest) {
        window->newest = NULL;
    }
    if (window->moved) {
        window->moved(window, window->context);
    }
}

bool sh_window_passed_gap(const struct sh_window *window)
{
    for (const struct sh_sent *sent = window->oldest; sent; sent = sent->next) {
        if (sent->settled) {
            return true;
        }
    }
    return false;
}

void sh_window_clear(struct sh_window *window)
{
    while (window->oldest) {
        struct sh_sent *left = window->oldest;

        window->oldest = left->next;
        free(left);
    }
    window->newest = NULL;
    window->count = 0;
}
