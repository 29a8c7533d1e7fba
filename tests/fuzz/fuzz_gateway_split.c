/* Any bytes as a request's body: the records found lie in it one behind the other, and the search ends. The
 * first byte chooses the form. */
#include "producer/gateway/split.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum gw_form forms[] = {GW_ONE, GW_LOGS, GW_STREAM};
    struct gw_split split;
    struct lm_error error;
    struct lm_slice record;
    const char *body, *behind;

    if (size == 0)
        return 0;
    body = behind = (const char *)data + 1;
    if (gw_split_open(&split, forms[data[0] % 3], body, size - 1, &error) != 0) {
        if (error.decision != LM_DEAD_LETTER)
            abort();
        return 0;
    }
    while (gw_split_next(&split, &record) > 0) {
        if (record.len == 0 || record.data < behind || record.data + record.len > body + size - 1)
            abort();
        behind = record.data + record.len;
    }
    return 0;
}
