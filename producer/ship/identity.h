/*
 * Which file this is, so that it can be told again after a rename, a restart, and without any memory of it:
 * device, inode, birth time and the hash of its first line. With the machine's id they make the source that
 * the consumer knows it by (design.md 3, "Repeats from producers").
 */
#ifndef LOGMILL_PRODUCER_SHIP_IDENTITY_H
#define LOGMILL_PRODUCER_SHIP_IDENTITY_H

#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>

struct sh_identity {
    uint64_t device, inode;
    int64_t born_ns;     /* 0 where the file system does not know */
    uint64_t first_line; /* XXH3-64 of the first line, of 1 KiB at most */
};

/*
 * 1 and *out; 0 while the first line is not complete (`complete`: take what is there); -1 where the file
 * cannot be read. Reads the file's beginning; its offset does not move.
 */
int sh_identity_of(int fd, bool complete, struct sh_identity *out, struct lm_error *error) LM_MUST_CHECK;
bool sh_identity_equal(const struct sh_identity *a, const struct sh_identity *b);
/* The id of the stream read from that file. `generation` is 0 until the id can no longer be used: the file
 * was cut back, or a record of it failed for good. Never 0. */
int64_t sh_identity_source(const struct sh_identity *identity, uint64_t generation);
/* A random 64-bit number, never 0: a source for standard input, a new generation. */
int64_t sh_random_source(void);

#endif
