/*
 * Files that the build puts into a program, byte for byte: common/embed.cmake writes a table of them, which
 * ends with a NULL name. Whoever uses one declares it: `extern const struct lm_embedded SYMBOL[];`
 */
#ifndef LOGMILL_COMMON_EMBEDDED_H
#define LOGMILL_COMMON_EMBEDDED_H

#include <stddef.h>

struct lm_embedded {
    const char *name; /* without its folder */
    const char *text; /* NUL-terminated */
    size_t len;       /* without that NUL */
};

#endif
