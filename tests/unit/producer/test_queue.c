/* The client library's queue: bounds, order, and what a flush waits for. */
#include "producer/lib/queue.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static struct pl_entry *push(struct pl_queue *queue, size_t len)
{
    struct pl_entry *entry = calloc(1, sizeof(*entry) + len);

    assert_non_null(entry);
    entry->len = len;
    pthread_mutex_lock(&queue->lock);
    assert_true(pl_queue_has_room(queue, len));
    pl_queue_push(queue, entry);
    pthread_mutex_unlock(&queue->lock);
    return entry;
}

static void has_no_room_beyond_its_records(void **state)
{
    struct pl_queue queue;

    (void)state;
    assert_int_equal(pl_queue_init(&queue, 2, 1000), 0);
    push(&queue, 1);
    push(&queue, 1);
    assert_false(pl_queue_has_room(&queue, 1));
    pl_queue_free(&queue);
}

static void has_no_room_beyond_its_bytes(void **state)
{
    struct pl_queue queue;

    (void)state;
    assert_int_equal(pl_queue_init(&queue, 100, 1000), 0);
    push(&queue, 600);
    assert_true(pl_queue_has_room(&queue, 400));
    assert_false(pl_queue_has_room(&queue, 401));
    assert_false(pl_queue_has_room(&queue, (size_t)-1));
    pl_queue_free(&queue);
}

static void keeps_counting_what_was_taken_but_has_not_ended(void **state)
{
    struct pl_queue queue;
    bool closing;
    struct pl_entry *first, *second;

    (void)state;
    assert_int_equal(pl_queue_init(&queue, 2, 1000), 0);
    first = push(&queue, 10);
    second = push(&queue, 20);
    assert_ptr_equal(pl_queue_take_all(&queue, &closing), first);
    assert_false(closing);
    assert_ptr_equal(first->next_queued, second);
    assert_null(second->next_queued);
    queue.closing = true;
    assert_null(pl_queue_take_all(&queue, &closing));
    assert_true(closing);
    assert_false(pl_queue_has_room(&queue, 1));
    pl_queue_end(&queue, second, PL_DELIVERED);
    assert_int_equal(queue.stats.pending, 1);
    assert_int_equal(queue.stats.pending_bytes, 10);
    assert_int_equal(queue.stats.delivered, 1);
    pl_queue_end(&queue, first, PL_REFUSED);
    assert_int_equal(queue.stats.refused, 1);
    assert_int_equal(queue.stats.accepted, queue.stats.delivered + queue.stats.refused);
    pl_queue_free(&queue);
}

static void wait_times_out_while_an_older_entry_is_out_even_if_newer_ones_ended(void **state)
{
    struct pl_queue queue;
    bool closing;
    struct pl_entry *newer;

    (void)state;
    assert_int_equal(pl_queue_init(&queue, 10, 1000), 0);
    push(&queue, 1);
    newer = push(&queue, 1);
    (void)!pl_queue_take_all(&queue, &closing);
    pl_queue_end(&queue, newer, PL_DELIVERED);
    assert_int_equal(pl_queue_wait(&queue, 20), -1);
    pl_queue_free(&queue);
}

struct ending {
    struct pl_queue *queue;
    struct pl_entry *entry;
};

static void *end_entry(void *argument)
{
    struct ending *ending = argument;

    pl_queue_end(ending->queue, ending->entry, PL_DELIVERED);
    return NULL;
}

static void wait_returns_when_another_thread_ends_the_last_entry(void **state)
{
    struct pl_queue queue;
    bool closing;
    struct ending ending;
    pthread_t thread;

    (void)state;
    assert_int_equal(pl_queue_init(&queue, 10, 1000), 0);
    ending = (struct ending){&queue, push(&queue, 1)};
    (void)!pl_queue_take_all(&queue, &closing);
    assert_int_equal(pthread_create(&thread, NULL, end_entry, &ending), 0);
    assert_int_equal(pl_queue_wait(&queue, 10000), 0);
    pthread_join(thread, NULL);
    assert_int_equal(queue.stats.pending, 0);
    pl_queue_free(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_no_room_beyond_its_records),
        cmocka_unit_test(has_no_room_beyond_its_bytes),
        cmocka_unit_test(keeps_counting_what_was_taken_but_has_not_ended),
        cmocka_unit_test(wait_times_out_while_an_older_entry_is_out_even_if_newer_ones_ended),
        cmocka_unit_test(wait_returns_when_another_thread_ends_the_last_entry),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
