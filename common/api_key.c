#include "common/api_key.h"

#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include <zlib.h>

#define PREFIX_AT 3
#define PREFIX_LEN 8
#define SECRET_AT (PREFIX_AT + PREFIX_LEN + 1)
#define SECRET_LEN 32
#define CHECK_AT (SECRET_AT + SECRET_LEN + 1)
#define CHECK_LEN 6
_Static_assert(CHECK_AT + CHECK_LEN + 1 == LM_API_KEY_SIZE, "the parts fill the key");

static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
#define BASE (sizeof(digits) - 1)

/* Random digits without bias: bytes beyond the last multiple of 62 are thrown away. */
static int random_digits(char *out, size_t count, struct lm_error *error)
{
    while (count > 0) {
        uint8_t bytes[64];
        if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) {
            return lm_error_set(error, LM_FATAL, "random", "the system gives no random bytes");
        }
        for (size_t i = 0; i < sizeof(bytes) && count > 0; i++) {
            if (bytes[i] < 256 / BASE * BASE) {
                *out++ = digits[bytes[i] % BASE];
                count--;
            }
        }
    }
    return 0;
}

static void write_check(const char *key, char out[CHECK_LEN])
{
    uint32_t crc = (uint32_t)crc32(0, (const unsigned char *)key, CHECK_AT - 1);
    for (size_t i = CHECK_LEN; i > 0; i--) {
        out[i - 1] = digits[crc % BASE];
        crc /= BASE;
    }
}

int lm_api_key_make(char out[LM_API_KEY_SIZE], struct lm_error *error)
{
    memcpy(out, "lm_", PREFIX_AT);
    if (random_digits(out + PREFIX_AT, PREFIX_LEN, error) != 0 ||
        random_digits(out + SECRET_AT, SECRET_LEN, error) != 0) {
        return -1;
    }
    out[SECRET_AT - 1] = out[CHECK_AT - 1] = '_';
    write_check(out, out + CHECK_AT);
    out[LM_API_KEY_SIZE - 1] = '\0';
    return 0;
}

static bool are_digits(const char *text, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (memchr(digits, text[i], BASE) == NULL) {
            return false;
        }
    }
    return true;
}

bool lm_api_key_parse(const char *text, char prefix[LM_API_KEY_PREFIX_SIZE])
{
    char check[CHECK_LEN];
    if (strnlen(text, LM_API_KEY_SIZE) != LM_API_KEY_SIZE - 1 || memcmp(text, "lm_", PREFIX_AT) != 0 ||
        text[SECRET_AT - 1] != '_' || text[CHECK_AT - 1] != '_' ||
        !are_digits(text + PREFIX_AT, PREFIX_LEN) || !are_digits(text + SECRET_AT, SECRET_LEN)) {
        return false;
    }
    write_check(text, check);
    if (memcmp(check, text + CHECK_AT, CHECK_LEN) != 0) {
        return false;
    }
    memcpy(prefix, text + PREFIX_AT, PREFIX_LEN);
    prefix[PREFIX_LEN] = '\0';
    return true;
}
