/*
 * How far each file was delivered, remembered over restarts in one JSON file that is replaced as a whole.
 *
 * A position is the offset up to which everything was acknowledged. Besides, it holds the cuts: offsets
 * beyond it where a record was sent because its wait was over. They are written before that record is sent,
 * so that after a crash it is not joined with lines that came later. Losing the file loses no record: ids and
 * sequences are derived again, and the consumer drops the repeats.
 */
#ifndef LOGMILL_PRODUCER_SHIP_POSITIONS_H
#define LOGMILL_PRODUCER_SHIP_POSITIONS_H

#include "producer/ship/identity.h"

#include <stddef.h>

#define SH_MAX_CUTS 64

struct sh_position {
    struct sh_identity identity;
    uint64_t generation;
    int64_t offset;
    int64_t cuts[SH_MAX_CUTS]; /* ascending, all beyond `offset` */
    size_t cut_count;
    int64_t seen_us; /* wall clock when the file was last open */
    char *path;      /* last seen under; for the reader of the file */
};

struct sh_positions;

/* `path` "" keeps them in memory only. Holds a lock on PATH.lock until freed: two shippers would overwrite
 * each other's positions. A file that cannot be parsed is set aside as PATH.broken with a warning: delivery
 * begins anew. What was not open for 30 days, and is no longer where it was, is forgotten. LM_FATAL where it
 * cannot be read, its folder cannot be written, or another process has the lock. */
int sh_positions_open(const char *path, struct sh_positions **out, struct lm_error *error) LM_MUST_CHECK;
void sh_positions_free(struct sh_positions *positions);

/* The position of that file, made with offset 0 where it is new. NULL without memory. Valid until the
 * positions are freed. */
struct sh_position *sh_positions_of(struct sh_positions *positions, const struct sh_identity *identity,
                                    const char *path);
/* Everything up to `offset` is delivered: cuts at or below it are forgotten. */
void sh_position_advance(struct sh_positions *positions, struct sh_position *position, int64_t offset);
/* A record ends at `offset` because its wait was over. 0, or -1 where no more cuts can be held (wait for
 * acknowledgements). */
int sh_position_cut(struct sh_positions *positions, struct sh_position *position,
                    int64_t offset) LM_MUST_CHECK;
bool sh_position_is_cut(const struct sh_position *position, int64_t offset);
/* The file is still open: its position is kept for another 30 days. */
void sh_position_touch(struct sh_positions *positions, struct sh_position *position);
/* The id can no longer be used: a random generation, and reading begins at `offset` under it. */
void sh_position_renew(struct sh_positions *positions, struct sh_position *position, int64_t offset);

/* Writes them if anything changed since. */
int sh_positions_save(struct sh_positions *positions, struct lm_error *error) LM_MUST_CHECK;

#endif
