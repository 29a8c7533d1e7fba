#include "ctl/dlq/dlq.h"

#include <string.h>

struct subcommand {
    const char *name;
    enum ct_exit (*run)(const struct ct_context *context, const struct ct_dlq_filter *filter);
    const char *options;
};

static const struct subcommand subcommands[] = {
    {"list", ct_dlq_list,
     "list [PLACE …] [--topic T] [--class C] [--since T] [--until T] [--time-of record] [--limit N] "
     "[--count] [--json]"},
    {"show", ct_dlq_show, "show TOPIC/PARTITION@OFFSET … [--json]"},
    {"replay", ct_dlq_replay,
     "replay [PLACE …] [--topic T] [--class C] [--since T] [--until T] [--time-of record] [--limit N] "
     "[--again] [--dry-run]"},
    {"purge", ct_dlq_purge, "purge --before TIME [TOPIC[/PARTITION] …] [--topic T] [--yes] [--dry-run]"},
};
#define SUBCOMMAND_COUNT (sizeof(subcommands) / sizeof(subcommands[0]))

static enum ct_exit usage(const struct ct_context *context)
{
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++)
        fprintf(context->errors, "%s logmill-ctl dlq %s\n", i == 0 ? "usage:" : "      ",
                subcommands[i].options);
    fprintf(context->errors,
            "A place is TOPIC, TOPIC/PARTITION, TOPIC/PARTITION@OFFSET or TOPIC/PARTITION@FIRST-LAST: in a "
            "topic that ends in .dlq\nwhere letters lie, in any other where their records came from. A time "
            "is RFC 3339, or how long ago: 30m, 2h, 3d.\n");
    return CT_USAGE;
}

static enum ct_exit run_dlq(const struct ct_context *context)
{
    enum ct_exit code = CT_USAGE;
    struct ct_dlq_filter filter;

    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++) {
        if (strcmp(context->arguments[0], subcommands[i].name) != 0)
            continue;
        if (ct_dlq_filter_init(context, subcommands[i].name, &filter) == 0)
            code = subcommands[i].run(context, &filter);
        ct_dlq_filter_free(&filter);
        return code;
    }
    return usage(context);
}

const struct ct_command ct_dlq_command = {
    .name = "dlq",
    .arguments = "list|show|replay|purge …",
    .summary = "the records that could not be stored: lists them, puts them back, deletes old ones",
    .arguments_min = 1,
    .arguments_max = 1000,
    .run = run_dlq,
};
