#include "consumer/batch/piece.h"

/* One COPY costs as much as some fifty rows: at one refusal in a thousand rows about 250 are best. */
#define PIECE_FIRST 256
#define PIECE_MIN 16

size_t co_piece_refused(size_t rows)
{
    if (rows > 2 * PIECE_FIRST)
        return PIECE_FIRST;
    return rows / 2 > PIECE_MIN ? rows / 2 : PIECE_MIN;
}

size_t co_piece_passed(size_t rows)
{
    return rows + rows / 4 < CO_PIECE_WHOLE ? rows + rows / 4 : CO_PIECE_WHOLE;
}
