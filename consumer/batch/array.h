/* Arrays that grow as a batch is filled; their owner keeps the count and frees them with free(). */
#ifndef LOGMILL_CONSUMER_BATCH_ARRAY_H
#define LOGMILL_CONSUMER_BATCH_ARRAY_H

#include "common/error.h"

#include <stddef.h>

/* Room for one more element of `size` bytes: `array` is the address of the pointer to the elements, *cap how
 * many fit, 0 with a NULL pointer at first. 0, or -1 without memory: nothing has changed then. */
int co_array_room(void *array, size_t count, size_t *cap, size_t size) LM_MUST_CHECK;

#endif
