/*
 * Message patterns: numbers, hex, UUIDs, addresses, paths and quoted text of a message become <*>; the 64-bit
 * hash of the masked text (XXH3, seed 0, as a signed number) is the pattern's id, the same in every process.
 * The agent merges alike ones when it reports.
 *
 * Of the message's first line that is not blank, at most 512 bytes are read, in one pass; the first rule that
 * fits wins:
 * - quoted text ("…", '…' or `…`, opened at the start or after one of " ([{=:,<" and closed before no letter
 * or digit): the quotes stay, what is between them is masked;
 * - a path (/a/b, //host/a, C:\a\b, opened likewise or after "://"), up to a blank, quote, bracket, comma or
 *   semicolon, without a full stop or colon at its end; a slash alone stays;
 * - a UUID;
 * - hex after 0x;
 * - an IPv6 address that holds a digit and "::" or seven colons;
 * - an IPv4 address, with its port;
 * - a word of 8 or more hex digits, at least one of them decimal;
 * - a run of decimal digits, wherever it stands: 5200ms, user-db-3, E5040 and 1.5 give <*>ms, user-db-<*>,
 *   E<*> and <*>.<*>.
 */
#ifndef LOGMILL_COMMON_PATTERN_H
#define LOGMILL_COMMON_PATTERN_H

#include "common/buffer.h"

#include <stdint.h>

/* Writes the template to `out` (cleared first; valid UTF-8 if the message is) and returns its id, which does
 * not depend on `out` having had room. Any thread. */
int64_t lm_pattern(const char *message, size_t len, struct lm_buffer *out);

#endif
