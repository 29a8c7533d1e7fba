#include "common/pattern/pattern.h"
#include "common/utf8.h"
#include "tests/fuzz/round_trip.h"

#include <ctype.h>
#include <xxhash.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lm_buffer out;
    const char *text = (const char *)data;

    lm_buffer_init(&out, 4096);
    int64_t id = lm_pattern(text, size, &out);
    fuzz_require(!out.failed && out.len <= 3 * 512, "a template is too long");
    fuzz_require((int64_t)XXH3_64bits(out.len > 0 ? out.data : "", out.len) == id,
                 "the id is not that of the template");
    if (lm_utf8_check(text, size) == LM_UTF8_OK)
        fuzz_require(lm_utf8_check(out.data, out.len) == LM_UTF8_OK, "a template is no good text");
    for (size_t i = 0; i < out.len; i++)
        fuzz_require(!isdigit((unsigned char)out.data[i]), "a digit is left");
    lm_buffer_free(&out);
    return 0;
}
