/*
 * How many rows go into one COPY. All of a batch, as long as PostgreSQL takes them; where it refuses rows,
 * pieces with a savepoint each, so that a refused row costs its piece and not the batch. The size follows the
 * refusals: down by half with each, up by a quarter with each piece that passed. Pure.
 */
#ifndef LOGMILL_CONSUMER_BATCH_PIECE_H
#define LOGMILL_CONSUMER_BATCH_PIECE_H

#include <stddef.h>

/* More than any batch holds: no pieces. */
#define CO_PIECE_WHOLE ((size_t)1 << 20)

/* The next size after a row of a COPY of `rows` rows was refused, or after all of them were taken. */
size_t co_piece_refused(size_t rows);
size_t co_piece_passed(size_t rows);

#endif
