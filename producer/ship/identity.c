#include "producer/ship/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define FIRST_LINE_MAX 1024

int sh_identity_of(int fd, bool complete, struct sh_identity *out, struct lm_error *error)
{
    char first[FIRST_LINE_MAX];
    struct statx status;
    const char *newline;
    ssize_t got;

    if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &status) != 0) {
        return lm_error_set(error, LM_RETRY, "file", "its state cannot be read: %s", strerror(errno));
    }
    got = pread(fd, first, sizeof(first), 0);
    if (got < 0) {
        return lm_error_set(error, LM_RETRY, "file", "it cannot be read: %s", strerror(errno));
    }
    newline = memchr(first, '\n', (size_t)got);
    if (!newline && got < FIRST_LINE_MAX && !complete) {
        return 0;
    }
    *out = (struct sh_identity){
        .device = ((uint64_t)status.stx_dev_major << 32) | status.stx_dev_minor,
        .inode = status.stx_ino,
        .born_ns = status.stx_mask & STATX_BTIME
                       ? (int64_t)status.stx_btime.tv_sec * 1000000000 + status.stx_btime.tv_nsec
                       : 0,
        .first_line = XXH3_64bits(first, newline ? (size_t)(newline - first) : (size_t)got),
    };
    return 1;
}

bool sh_identity_equal(const struct sh_identity *a, const struct sh_identity *b)
{
    return a->device == b->device && a->inode == b->inode && a->born_ns == b->born_ns &&
           a->first_line == b->first_line;
}

/* The machine's id, or its name where it has none: device and inode numbers mean nothing beyond it. */
static size_t machine_id(char *out, size_t size)
{
    FILE *file = fopen("/etc/machine-id", "re");
    size_t len = file ? fread(out, 1, size - 1, file) : 0;

    if (file) {
        fclose(file);
    }
    if (len == 0 && gethostname(out, size) == 0) {
        out[size - 1] = '\0';
        len = strlen(out);
    }
    return len;
}

int64_t sh_identity_source(const struct sh_identity *identity, uint64_t generation)
{
    char machine[256];
    size_t len = machine_id(machine, sizeof(machine));
    const uint64_t parts[] = {XXH3_64bits(machine, len),   identity->device,     identity->inode,
                              (uint64_t)identity->born_ns, identity->first_line, generation};
    uint64_t source = XXH3_64bits(parts, sizeof(parts));

    return source == 0 ? 1 : (int64_t)source;
}

int64_t sh_random_source(void)
{
    int64_t source = 0;

    /* getrandom of 8 bytes neither blocks nor fails once the system has started. */
    while (source == 0) {
        if (getrandom(&source, sizeof(source), 0) != (ssize_t)sizeof(source)) {
            source = 0;
        }
    }
    return source;
}
