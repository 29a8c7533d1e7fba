#include "producer/lib/queue.h"

#include <stdlib.h>
#include <time.h>

int pl_queue_init(struct pl_queue *queue, size_t max_records, size_t max_bytes)
{
    pthread_condattr_t attributes;

    *queue = (struct pl_queue){.max_records = max_records, .max_bytes = max_bytes};
    if (pthread_mutex_init(&queue->lock, NULL) != 0) {
        return -1;
    }
    if (pthread_condattr_init(&attributes) != 0) {
        goto fail_lock;
    }
    /* A deadline must not move when the wall clock is set. */
    if (pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) != 0 ||
        pthread_cond_init(&queue->progress, &attributes) != 0) {
        goto fail_attributes;
    }
    pthread_condattr_destroy(&attributes);
    return 0;

fail_attributes:
    pthread_condattr_destroy(&attributes);
fail_lock:
    pthread_mutex_destroy(&queue->lock);
    return -1;
}

void pl_queue_free(struct pl_queue *queue)
{
    while (queue->oldest) {
        struct pl_entry *entry = queue->oldest;
        queue->oldest = entry->next;
        free(entry);
    }
    pthread_cond_destroy(&queue->progress);
    pthread_mutex_destroy(&queue->lock);
}

bool pl_queue_has_room(const struct pl_queue *queue, size_t len)
{
    return queue->stats.pending < queue->max_records && len <= queue->max_bytes &&
           queue->stats.pending_bytes <= queue->max_bytes - len;
}

void pl_queue_push(struct pl_queue *queue, struct pl_entry *entry)
{
    entry->next_queued = NULL;
    entry->next = NULL;
    entry->previous = queue->newest;
    entry->ticket = ++queue->stats.accepted;
    if (queue->newest) {
        queue->newest->next = entry;
    } else {
        queue->oldest = entry;
    }
    queue->newest = entry;
    if (queue->last_queued) {
        queue->last_queued->next_queued = entry;
    } else {
        queue->first_queued = entry;
    }
    queue->last_queued = entry;
    queue->stats.pending++;
    queue->stats.pending_bytes += entry->len;
}

struct pl_entry *pl_queue_take_all(struct pl_queue *queue, bool *closing)
{
    struct pl_entry *list;

    pthread_mutex_lock(&queue->lock);
    list = queue->first_queued;
    queue->first_queued = NULL;
    queue->last_queued = NULL;
    *closing = queue->closing;
    pthread_mutex_unlock(&queue->lock);
    return list;
}

void pl_queue_end(struct pl_queue *queue, struct pl_entry *entry, enum pl_outcome outcome)
{
    pthread_mutex_lock(&queue->lock);
    if (entry->previous) {
        entry->previous->next = entry->next;
    } else {
        queue->oldest = entry->next;
    }
    if (entry->next) {
        entry->next->previous = entry->previous;
    } else {
        queue->newest = entry->previous;
    }
    queue->stats.pending--;
    queue->stats.pending_bytes -= entry->len;
    switch (outcome) {
    case PL_DELIVERED:
        queue->stats.delivered++;
        break;
    case PL_REFUSED:
        queue->stats.refused++;
        break;
    case PL_LOST:
        queue->stats.lost++;
        break;
    }
    pthread_cond_broadcast(&queue->progress);
    pthread_mutex_unlock(&queue->lock);
    free(entry);
}

int pl_queue_wait(struct pl_queue *queue, unsigned deadline_ms)
{
    struct timespec until;
    uint64_t last;
    int result = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(deadline_ms / 1000);
    until.tv_nsec += (long)(deadline_ms % 1000) * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    pthread_mutex_lock(&queue->lock);
    last = queue->stats.accepted;
    while (result == 0 && queue->oldest && queue->oldest->ticket <= last) {
        if (pthread_cond_timedwait(&queue->progress, &queue->lock, &until) != 0 && queue->oldest &&
            queue->oldest->ticket <= last) {
            result = -1;
        }
    }
    pthread_mutex_unlock(&queue->lock);
    return result;
}
