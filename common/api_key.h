/*
 * The form of an API key: lm_<8 prefix>_<32 secret>_<6 check>, all base62. The prefix names the key and may
 * be shown; the secret is 190 random bits; the check is the CRC-32 of what stands before it, so that a
 * mistyped or made-up key is known without asking anybody. Keys are stored as their SHA-256, which the two
 * programs that handle them compute. Any thread.
 */
#ifndef LOGMILL_COMMON_API_KEY_H
#define LOGMILL_COMMON_API_KEY_H

#include "common/error.h"

#include <stdbool.h>

#define LM_API_KEY_PREFIX_SIZE 9 /* with the NUL */
#define LM_API_KEY_SIZE (3 + 8 + 1 + 32 + 1 + 6 + 1)

/* A new key, NUL-terminated. 0, or -1 with LM_FATAL when the system gives no random bytes. */
int lm_api_key_make(char out[LM_API_KEY_SIZE], struct lm_error *error) LM_MUST_CHECK;
/* Is `text` (hostile) of that form, with the right check? Then `prefix` is filled. */
bool lm_api_key_parse(const char *text, char prefix[LM_API_KEY_PREFIX_SIZE]) LM_MUST_CHECK;

#endif
