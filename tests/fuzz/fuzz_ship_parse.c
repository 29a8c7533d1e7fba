/* Any bytes as a log file: whatever lines they hold become records that can be stored, end where the next
 * begins, and come out the same when the bytes arrive in other pieces. The first two bytes choose format and
 * pieces. */
#include "producer/ship/join.h"
#include "producer/ship/parse.h"

#include <stdlib.h>

#define MAX_RECORD 1024

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    int64_t end; /* of the last record */
    uint64_t records, ends;
};

static void take(const struct sh_entry *entry, struct outcome *outcome)
{
    static const struct lm_config_list no_tags;
    const struct sh_labels labels = {.category = LM_RAW,
                                     .service = "fuzz",
                                     .environment = "test",
                                     .log_type = "BACKEND",
                                     .host = "h",
                                     .tags = &no_tags,
                                     .path = "/a\xff.log",
                                     .utc = true};
    struct lm_arena arena;
    struct lm_record record;
    struct lm_error error;

    if (entry->start < outcome->end || entry->end <= entry->start)
        abort();
    outcome->end = entry->end;
    outcome->records++;
    outcome->ends = outcome->ends * 31 + (uint64_t)entry->end;
    lm_arena_init(&arena, 1 << 24);
    if (sh_parse(entry, &labels, &arena, &record, &error) != 0 || record.text[LM_MESSAGE].len == 0)
        abort();
    lm_arena_free(&arena);
}

static void drain(struct sh_lines *lines, struct sh_join *join, bool at_end, struct outcome *outcome)
{
    struct sh_line line;
    struct sh_entry entry;
    int joined;

    while (sh_lines_next(lines, at_end, &line) > 0) {
        joined = sh_join_line(join, &line, &entry);
        if (joined < 0)
            abort();
        if (joined > 0)
            take(&entry, outcome);
    }
    if (at_end && sh_join_flush(join, &entry) > 0)
        take(&entry, outcome);
}

static struct outcome read_in_pieces(enum sh_format format, const char *data, size_t size, size_t piece)
{
    struct outcome outcome = {0};
    struct sh_lines lines;
    struct sh_join join;

    sh_lines_init(&lines, 0, MAX_RECORD);
    sh_join_init(&join, format, true, MAX_RECORD);
    for (size_t at = 0; at < size; at += piece) {
        if (sh_lines_add(&lines, data + at, size - at < piece ? size - at : piece) != 0)
            abort();
        drain(&lines, &join, false, &outcome);
    }
    drain(&lines, &join, true, &outcome);
    sh_join_free(&join);
    sh_lines_free(&lines);
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum sh_format formats[] = {SH_AUTO, SH_PLAIN, SH_JSON, SH_LOG4J};
    const char *text = (const char *)data + 2;
    struct outcome whole, pieces;
    enum sh_format format;

    if (size < 3 || size > 100000)
        return 0;
    format = formats[data[0] % 4];
    whole = read_in_pieces(format, text, size - 2, size);
    pieces = read_in_pieces(format, text, size - 2, (size_t)data[1] + 1);
    if (whole.records != pieces.records || whole.ends != pieces.ends)
        abort();
    return 0;
}
