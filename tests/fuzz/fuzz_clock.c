/* Any bytes as an RFC 3339 time: what is accepted must come back the same through the writer. */
#include "common/clock.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lm_error error;
    int64_t us, again;
    if (lm_rfc3339_parse((const char *)data, size, &us, &error) != 0)
        return 0;
    char text[LM_RFC3339_SIZE];
    size_t len = lm_rfc3339_format(us, text);
    if (lm_rfc3339_parse(text, len, &again, &error) != 0 || again != us)
        abort();
    return 0;
}
