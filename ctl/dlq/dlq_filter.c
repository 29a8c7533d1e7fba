#include "common/clock.h"
#include "ctl/dlq/dlq.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEAD_LETTERS ".dlq"

int ct_dlq_time_parse(const char *text, int64_t now_us, int64_t *us)
{
    int64_t ms;

    if (lm_config_duration(text, &ms) == 0) {
        if (ms > now_us / 1000)
            return -1;
        *us = now_us - ms * 1000;
        return 0;
    }
    return lm_rfc3339_parse(text, strlen(text), us, NULL);
}

/* Takes digits from *text. */
static bool take_number(const char **text, int64_t max, int64_t *out)
{
    char *end;

    if (**text < '0' || **text > '9')
        return false;
    errno = 0;
    *out = strtoll(*text, &end, 10);
    *text = end;
    return errno == 0 && *out <= max;
}

/* "@FIRST", "@FIRST-" or "@FIRST-LAST". */
static bool take_offsets(const char **text, struct ct_dlq_place *place)
{
    if (**text != '@')
        return true;
    (*text)++;
    if (!take_number(text, INT64_MAX - 1, &place->first))
        return false;
    place->last = place->first;
    if (**text != '-')
        return true;
    (*text)++;
    place->last = INT64_MAX - 1;
    return **text == '\0' || (take_number(text, INT64_MAX - 1, &place->last) && place->last >= place->first);
}

/* Takes ".dlq" off; whether it was there. */
static bool cut_suffix(char *topic)
{
    size_t len = strlen(topic), suffix = strlen(DEAD_LETTERS);

    if (len <= suffix || strcmp(topic + len - suffix, DEAD_LETTERS) != 0)
        return false;
    topic[len - suffix] = '\0';
    return true;
}

int ct_dlq_place_parse(const char *text, const char *topic_prefix, struct ct_dlq_place *place)
{
    size_t len = strcspn(text, "/");
    enum lm_category category;
    int64_t partition;
    int written;

    *place = (struct ct_dlq_place){.partition = -1, .last = INT64_MAX - 1};
    const char *prefix = lm_category_parse(text, len, &category) == 0 ? topic_prefix : "";
    written = snprintf(place->topic, sizeof(place->topic), "%s%.*s", prefix, (int)len, text);
    if (len == 0 || len > 249 || written < 0 || (size_t)written >= sizeof(place->topic))
        return -1;
    place->lies = cut_suffix(place->topic);
    text += len;
    if (*text == '/') {
        text++;
        if (!take_number(&text, INT32_MAX, &partition) || !take_offsets(&text, place))
            return -1;
        place->partition = (int32_t)partition;
    }
    return *text == '\0' ? 0 : -1;
}

static int no_memory(const struct ct_context *context, const char *subcommand)
{
    fprintf(context->errors, "logmill-ctl dlq %s: out of memory\n", subcommand);
    return -1;
}

static int add_topic(struct ct_dlq_filter *filter, const char *topic)
{
    for (size_t i = 0; i < filter->topic_count; i++) {
        if (strcmp(filter->topics[i], topic) == 0)
            return 0;
    }
    char **wider = realloc(filter->topics, (filter->topic_count + 1) * sizeof(*wider));
    if (wider == NULL)
        return -1;
    filter->topics = wider;
    filter->topics[filter->topic_count] = strdup(topic);
    return filter->topics[filter->topic_count] == NULL ? -1 : (filter->topic_count++, 0);
}

static int add_place(const struct ct_context *context, const char *subcommand, const char *text,
                     struct ct_dlq_filter *filter)
{
    struct ct_dlq_place *place = &filter->places[filter->place_count];

    if (ct_dlq_place_parse(text, context->config->topic_prefix, place) != 0) {
        fprintf(context->errors,
                "logmill-ctl dlq %s: \"%s\" is no place: say TOPIC, TOPIC/PARTITION, TOPIC/PARTITION@OFFSET "
                "or TOPIC/PARTITION@FIRST-LAST; a topic that ends in .dlq is where letters lie, any other "
                "where their records came from\n",
                subcommand, text);
        return -1;
    }
    filter->place_count++;
    return add_topic(filter, place->topic) == 0 ? 0 : no_memory(context, subcommand);
}

static int add_categories(const struct ct_context *context, struct ct_dlq_filter *filter)
{
    char topic[300];

    for (int i = 0; i < LM_CATEGORY_COUNT; i++) {
        (void)snprintf(topic, sizeof(topic), "%s%s", context->config->topic_prefix,
                       lm_category_name((enum lm_category)i));
        if (add_topic(filter, topic) != 0)
            return -1;
    }
    return 0;
}

static int read_time(const struct ct_context *context, const char *subcommand, const char *name,
                     const char *text, int64_t *us)
{
    if (*text == '\0' || ct_dlq_time_parse(text, lm_clock_wall_us(), us) == 0)
        return 0;
    fprintf(context->errors,
            "logmill-ctl dlq %s: --%s \"%s\" is no time: say 2026-03-18T05:35:20Z, or how long ago: 30m, 2h, "
            "3d\n",
            subcommand, name, text);
    return -1;
}

int ct_dlq_filter_init(const struct ct_context *context, const char *subcommand, struct ct_dlq_filter *filter)
{
    const struct ct_config *config = context->config;
    size_t most = config->topic.count + context->argument_count;

    *filter = (struct ct_dlq_filter){.classes = &config->class,
                                     .time_of = (enum ct_dlq_time)config->time_of,
                                     .since_us = INT64_MIN,
                                     .until_us = INT64_MAX};
    filter->places = calloc(most + 1, sizeof(*filter->places));
    if (filter->places == NULL)
        return no_memory(context, subcommand);
    for (size_t i = 0; i < config->topic.count; i++) {
        if (add_place(context, subcommand, config->topic.items[i], filter) != 0)
            return -1;
    }
    for (size_t i = 1; i < context->argument_count; i++) { /* behind the subcommand */
        if (add_place(context, subcommand, context->arguments[i], filter) != 0)
            return -1;
    }
    filter->named = filter->place_count > 0;
    if (!filter->named && add_categories(context, filter) != 0)
        return no_memory(context, subcommand);
    return read_time(context, subcommand, "since", config->since, &filter->since_us) == 0 &&
                   read_time(context, subcommand, "until", config->until, &filter->until_us) == 0
               ? 0
               : -1;
}

void ct_dlq_filter_free(struct ct_dlq_filter *filter)
{
    for (size_t i = 0; i < filter->topic_count; i++)
        free(filter->topics[i]);
    free(filter->topics);
    free(filter->places);
}

static bool is_text(struct lm_slice slice, const char *text)
{
    return slice.len == strlen(text) && memcmp(slice.data, text, slice.len) == 0;
}

/* Without its ".dlq", as places have it. */
static bool lies_in(const struct ct_letter *letter, const char *topic)
{
    size_t len = strlen(topic);
    return strncmp(letter->topic, topic, len) == 0 && strcmp(letter->topic + len, DEAD_LETTERS) == 0;
}

static bool place_takes(const struct ct_dlq_place *place, const struct ct_letter *letter)
{
    int32_t partition = place->lies ? letter->partition : letter->from_partition;
    int64_t offset = place->lies ? letter->offset : letter->from_offset;

    if (place->partition < 0) /* a whole topic: what lies in its dead-letter topic came from there */
        return lies_in(letter, place->topic);
    if (place->lies ? !lies_in(letter, place->topic)
                    : !letter->has_origin || !is_text(letter->from_topic, place->topic))
        return false;
    return partition == place->partition && offset >= place->first && offset <= place->last;
}

bool ct_dlq_filter_takes(const struct ct_dlq_filter *filter, const struct ct_letter *letter)
{
    int64_t us = filter->time_of == CT_DLQ_TIME_OF_RECORD ? letter->from_time_us : letter->time_us;
    bool taken = filter->place_count == 0;

    for (size_t i = 0; !taken && i < filter->place_count; i++)
        taken = place_takes(&filter->places[i], letter);
    if (!taken || us < filter->since_us || us >= filter->until_us)
        return false;
    taken = filter->classes->count == 0;
    for (size_t i = 0; !taken && i < filter->classes->count; i++)
        taken = is_text(letter->class, filter->classes->items[i]);
    return taken;
}

void ct_dlq_filter_range(const struct ct_dlq_filter *filter, const char *topic, int32_t partition,
                         int64_t *first, int64_t *end)
{
    if (filter->place_count == 0) {
        *first = 0;
        *end = INT64_MAX;
        return;
    }
    *first = INT64_MAX;
    *end = 0;
    for (size_t i = 0; i < filter->place_count; i++) {
        const struct ct_dlq_place *place = &filter->places[i];
        if (strcmp(place->topic, topic) != 0 ||
            (place->lies && place->partition >= 0 && place->partition != partition))
            continue;
        int64_t from = place->lies ? place->first : 0, to = place->lies ? place->last + 1 : INT64_MAX;
        *first = from < *first ? from : *first;
        *end = to > *end ? to : *end;
    }
}
