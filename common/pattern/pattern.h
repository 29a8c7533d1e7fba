/*
 * Message patterns: what changes from one message of a kind to the next becomes <*>; the 64-bit hash of the
 * masked text (XXH3, seed 0, as a signed number) is the pattern's id. It depends on the bytes alone: no
 * locale, no byte order, no state, so that it is the same in every process and build. One pass, no
 * allocation.
 *
 * Of the message's first line that is not blank at most LM_PATTERN_INPUT_MAX bytes are read, until the
 * template is LM_PATTERN_MAX bytes long: what is cut depends on the template, not on how long the values in
 * it were. Any number of blanks is one; colours of a terminal are left out.
 *
 * The line is read word by word (pattern_internal.h says what a word is). In this order:
 *  1. quoted text ("…", '…', `…`): "<*>". Kept: keys of JSON members, the method of a request line ("GET
 *     <*>"), and what msg, message, event, level, error, reason … hold, which is read like any other text;
 *  2. key=value: key=<*>, also for an empty value; the same keys are excepted; key: true, key: false;
 *  3. a month or weekday before a date;
 *  4. a name after "for user", "invalid user", "password for" …;
 *  5. a URL;
 *  6. a path: /a, ~/a, ../a, a/b/c, a/b.c, C:\a, \\host\a, HKLM\a; and/or stays;
 *  7. an address with @; Class@1b2c becomes Class@<*>;
 *  8. a host name (by its top-level domain), or any dotted name with a port;
 *  9. hex identifiers, UUIDs, MAC and IPv6 addresses;
 * 10. any other word with a digit: IPv4 addresses, times, dates, versions, hex, numbers with sign, decimals,
 *     exponent, thousands or a unit (5200ms, 3.2GB, 85%). A name of one word before the value stays: blk_17,
 *     node-D3, size:5 become blk_<*>, node-<*>, size:<*>; #5 becomes #<*>;
 * 11. the unit behind a number: 5 ms, 3.2 KB, 10 seconds, 10:15 PM;
 * 12. less or more than a number: <1 sec;
 * 13. equal masked words in a row are one: "1, 2, 3", "blk_1 blk_2", "2015-10-17 15:38:00";
 * 14. everything else stays. Korean, like all text beyond ASCII, is never cut up: in 3건을 and 주문12번 only
 *     the digits are masked.
 */
#ifndef LOGMILL_COMMON_PATTERN_H
#define LOGMILL_COMMON_PATTERN_H

#include "common/buffer.h"

#include <stdint.h>

enum { LM_PATTERN_MAX = 512, LM_PATTERN_INPUT_MAX = 4096 };

/* Writes the template to `out` (cleared first; valid UTF-8 if the message is) and returns its id, which does
 * not depend on `out` having had room. Any thread. */
int64_t lm_pattern(const char *message, size_t len, struct lm_buffer *out);

#endif
