#include "consumer/batch/array.h"

#include <stdlib.h>
#include <string.h>

int co_array_room(void *array, size_t count, size_t *cap, size_t size)
{
    if (count < *cap)
        return 0;
    size_t wider = *cap == 0 ? 64 : *cap * 2;
    void *elements;
    memcpy(&elements, array, sizeof(elements)); /* the caller's pointer is of another type */
    elements = realloc(elements, wider * size);
    if (elements == NULL)
        return -1;
    memcpy(array, &elements, sizeof(elements));
    *cap = wider;
    return 0;
}
