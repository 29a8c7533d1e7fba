/*
 * Patterns put together of their pieces.
 */
#include "agent/answer/phrases.h"

#include <string.h>

static const struct {
    const char *name;
    enum ag_particle particle;
} particles[] = {{"은", AG_EUN_NEUN}, {"이", AG_I_GA}, {"로", AG_EURO_RO}};

static bool is_named(const char *name, const char *text, size_t len)
{
    return strlen(name) == len && memcmp(name, text, len) == 0;
}

static const struct ag_piece *find(const struct ag_piece *pieces, const char *name, size_t len)
{
    while (pieces->name != NULL && !is_named(pieces->name, name, len)) {
        pieces++;
    }
    return pieces->name != NULL ? pieces : NULL;
}

static bool put_piece(const struct ag_said *said, const char *name, size_t len)
{
    const struct ag_piece *piece = find(ag_pieces_counted, name, len);
    piece = piece != NULL ? piece : find(ag_pieces_named, name, len);
    if (piece != NULL) {
        piece->put(said);
        return true;
    }
    for (size_t i = 0; i < sizeof particles / sizeof *particles; i++) {
        if (is_named(particles[i].name, name, len)) {
            ag_put_particle(said->out, particles[i].particle);
            return true;
        }
    }
    return false;
}

void ag_put_pattern(const struct ag_said *said, const char *pattern)
{
    while (*pattern != '\0') {
        size_t text = strcspn(pattern, "{");
        lm_buffer_append(said->out, pattern, text);
        pattern += text;
        size_t piece = strcspn(pattern, "}");
        if (piece > 0 && pattern[piece] == '}' && put_piece(said, pattern + 1, piece - 1)) {
            pattern += piece + 1;
        } else {
            lm_buffer_append(said->out, pattern, piece);
            pattern += piece;
        }
    }
}

void ag_put_phrase(const struct ag_said *said, enum ag_phrase phrase)
{
    ag_put_pattern(said, said->phrases->patterns[phrase]);
}
