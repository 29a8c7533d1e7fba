/*
 * Our settings joined to the user's connection string. The user's word stands wherever both speak, except for
 * what the rest of the code relies on (UTF-8, our session settings, which are added behind the user's
 * `options`).
 *
 * A string may name several hosts. libpq goes on to the next host when one refuses, but never when one is
 * silent: PQconnectPoll has no time-out. So the lists can be rotated, and the owner of the timer starts again
 * with the next host in front.
 */
#include "common/postgres/postgres_internal.h"

#include "common/buffer.h"

#include <stdlib.h>
#include <string.h>

#define MAX_KEYWORDS 64
#define MAX_OPTIONS_BYTES 8192

struct pg_conninfo {
    PQconninfoOption *parsed;
    char *options;          /* the user's and ours */
    char *application_name; /* may be NULL */
    unsigned hosts;
};

struct keywords {
    const char *names[MAX_KEYWORDS + 1];
    const char *values[MAX_KEYWORDS + 1];
    unsigned count;
};

static const char *value_of(const struct pg_conninfo *info, const char *keyword)
{
    for (const PQconninfoOption *option = info->parsed; option->keyword != NULL; option++) {
        if (strcmp(option->keyword, keyword) == 0)
            return option->val != NULL && option->val[0] != '\0' ? option->val : NULL;
    }
    return NULL;
}

static unsigned count_items(const char *list)
{
    unsigned items = 1;
    for (const char *p = list; *p != '\0'; p++)
        items += *p == ',';
    return items;
}

/* The environment variable that libpq would take where the string is silent. */
static const char *value_or_environment(const struct pg_conninfo *info, const char *keyword,
                                        const char *variable)
{
    const char *value = value_of(info, keyword);
    return value != NULL ? value : getenv(variable);
}

static int join_options(struct pg_conninfo *info, const char *settings)
{
    struct lm_buffer joined;
    lm_buffer_init(&joined, MAX_OPTIONS_BYTES);
    const char *theirs = value_or_environment(info, "options", "PGOPTIONS");
    if (theirs != NULL)
        lm_buffer_append_text(&joined, theirs);
    if (settings != NULL) {
        lm_buffer_append_char(&joined, ' ');
        lm_buffer_append_text(&joined, settings);
    }
    if (lm_buffer_text(&joined) == NULL) {
        lm_buffer_free(&joined);
        return -1;
    }
    info->options = lm_buffer_detach(&joined, NULL);
    return 0;
}

int pg_conninfo_open(const char *conninfo, const char *application_name, const char *settings,
                     struct pg_conninfo **out, struct lm_error *error)
{
    struct pg_conninfo *info = calloc(1, sizeof(*info));
    if (info == NULL)
        return lm_error_set(error, LM_RETRY, "memory", "out of memory while opening a PostgreSQL connection");
    char *complaint = NULL;
    info->parsed = PQconninfoParse(conninfo != NULL ? conninfo : "", &complaint);
    if (info->parsed == NULL) {
        /* libpq's sentence repeats only the offending keyword, not the whole string: no password gets out. */
        size_t len = complaint != NULL ? strcspn(complaint, "\n") : 0;
        lm_error_set(error, LM_FATAL, "conninfo", "the PostgreSQL connection string cannot be read: %.*s",
                     (int)len, complaint != NULL ? complaint : "");
        PQfreemem(complaint);
        pg_conninfo_free(info);
        return -1;
    }
    info->application_name = application_name != NULL ? strdup(application_name) : NULL;
    if ((application_name != NULL && info->application_name == NULL) || join_options(info, settings) != 0) {
        pg_conninfo_free(info);
        return lm_error_set(error, LM_RETRY, "memory", "out of memory while opening a PostgreSQL connection");
    }
    const char *hosts = value_or_environment(info, "hostaddr", "PGHOSTADDR");
    if (hosts == NULL)
        hosts = value_or_environment(info, "host", "PGHOST");
    info->hosts = hosts != NULL ? count_items(hosts) : 1;
    *out = info;
    return 0;
}

void pg_conninfo_free(struct pg_conninfo *info)
{
    if (info == NULL)
        return;
    PQconninfoFree(info->parsed);
    free(info->options);
    free(info->application_name);
    free(info);
}

unsigned pg_conninfo_hosts(const struct pg_conninfo *info)
{
    return info->hosts;
}

/* "a,b,c" rotated by 1 is "b,c,a". A single item stands for every host and stays as it is. NULL without
 * memory. */
static char *rotate(const char *list, unsigned by)
{
    const char *from = list;
    if (count_items(list) > 1) {
        for (unsigned i = 0; i < by; i++) {
            const char *comma = strchr(from, ',');
            from = comma != NULL ? comma + 1 : list;
        }
    }
    if (from == list)
        return strdup(list);
    size_t tail = strlen(from);
    size_t head = (size_t)(from - list) - 1; /* without the comma before `from` */
    char *rotated = malloc(tail + head + 2);
    if (rotated == NULL)
        return NULL;
    memcpy(rotated, from, tail);
    rotated[tail] = ',';
    memcpy(rotated + tail + 1, list, head);
    rotated[tail + 1 + head] = '\0';
    return rotated;
}

static void add(struct keywords *keywords, const char *name, const char *value)
{
    if (value == NULL || keywords->count == MAX_KEYWORDS)
        return;
    keywords->names[keywords->count] = name;
    keywords->values[keywords->count++] = value;
}

static void add_default(struct keywords *keywords, const struct pg_conninfo *info, const char *name,
                        const char *value)
{
    if (value_of(info, name) == NULL)
        add(keywords, name, value);
}

PGconn *pg_conninfo_connect(const struct pg_conninfo *info, unsigned first)
{
    static const struct {
        const char *name, *variable;
    } lists[] = {{"host", "PGHOST"}, {"hostaddr", "PGHOSTADDR"}, {"port", "PGPORT"}};
    char *rotated[3] = {NULL, NULL, NULL};
    PGconn *conn = NULL;
    struct keywords keywords = {.count = 0};

    for (const PQconninfoOption *option = info->parsed; option->keyword != NULL; option++) {
        if (strcmp(option->keyword, "options") != 0 && strcmp(option->keyword, "client_encoding") != 0 &&
            strcmp(option->keyword, "host") != 0 && strcmp(option->keyword, "hostaddr") != 0 &&
            strcmp(option->keyword, "port") != 0)
            add(&keywords, option->keyword, option->val);
    }
    for (size_t i = 0; i < 3; i++) {
        const char *list = value_or_environment(info, lists[i].name, lists[i].variable);
        if (list == NULL)
            continue;
        rotated[i] = rotate(list, first % info->hosts);
        if (rotated[i] == NULL)
            goto out;
        add(&keywords, lists[i].name, rotated[i]);
    }
    add(&keywords, "options", info->options);
    add(&keywords, "client_encoding", "UTF8");
    add_default(&keywords, info, "fallback_application_name", info->application_name);
    /* A server that vanished without a word is noticed within about a minute, not after the kernel's two
     * hours. */
    add_default(&keywords, info, "keepalives_idle", "30");
    add_default(&keywords, info, "keepalives_interval", "10");
    add_default(&keywords, info, "keepalives_count", "3");
    add_default(&keywords, info, "tcp_user_timeout", "60000");
    conn = PQconnectStartParams(keywords.names, keywords.values, 0);
out:
    for (size_t i = 0; i < 3; i++)
        free(rotated[i]);
    return conn;
}
