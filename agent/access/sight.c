#include "agent/access/sight.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROLE_START "logmill_scope_"

struct ag_sights {
    struct ag_sights_options options;
    struct ag_sight *first;
    unsigned open; /* names that are still closing, and the close itself */
    bool closing;
    void (*closed)(void *context);
    void *closed_context;
};

struct ag_sights *ag_sights_new(const struct ag_sights_options *options)
{
    struct ag_sights *sights = calloc(1, sizeof(*sights));
    if (sights != NULL) {
        sights->options = *options;
    }
    return sights;
}

static void free_sight(struct ag_sight *sight)
{
    json_decref(sight->services);
    json_decref(sight->environments);
    free(sight);
}

static void release(void *context)
{
    struct ag_sights *sights = context;
    if (--sights->open > 0 || !sights->closing) {
        return;
    }
    void (*closed)(void *) = sights->closed;
    void *closed_context = sights->closed_context;
    free(sights);
    if (closed != NULL) {
        closed(closed_context);
    }
}

static void close_names(struct ag_sight *sight)
{
    if (sight->own_names && sight->names != NULL) {
        sight->sights->open++;
        ag_names_close(sight->names, release, sight->sights);
    }
    sight->names = NULL;
}

struct ag_sight *ag_sight_hold(struct ag_sight *sight)
{
    sight->holders++;
    return sight;
}

void ag_sight_drop(struct ag_sight *sight)
{
    if (sight == NULL || --sight->holders > 0) {
        return;
    }
    if (sight->sights != NULL) {
        struct ag_sight **at = &sight->sights->first;
        while (*at != sight) {
            at = &(*at)->next;
        }
        *at = sight->next;
        close_names(sight);
    }
    free_sight(sight);
}

/* It goes into the text of a statement: the name of a scope's role and nothing else. */
static bool is_scope_role(const char *role)
{
    const size_t start = strlen(ROLE_START);
    const size_t digits = strncmp(role, ROLE_START, start) == 0 ? strspn(role + start, "0123456789") : 0;
    return digits > 0 && role[start + digits] == '\0' && start + digits < AG_SCOPE_ROLE_SIZE;
}

static int read_list(const char *json, json_t **owner, const char **out, size_t *count)
{
    *count = 0;
    if (json == NULL) {
        return 0;
    }
    *owner = json_loads(json, 0, NULL);
    const size_t size = json_array_size(*owner);
    if (size == 0 || size > AG_SCOPE_NAMES) {
        return -1;
    }
    for (size_t i = 0; i < size; i++) {
        out[i] = json_string_value(json_array_get(*owner, i));
        if (out[i] == NULL) {
            return -1;
        }
    }
    *count = size;
    return 0;
}

static struct ag_sight *make(struct ag_sights *sights, const char *role, int64_t version,
                             const char *services, const char *environments, bool masked)
{
    struct lm_error error;
    struct ag_sight *sight = calloc(1, sizeof(*sight));
    if (sight == NULL || (role[0] != '\0' && !is_scope_role(role)) ||
        read_list(services, &sight->services, sight->scope.services, &sight->scope.service_count) != 0 ||
        read_list(environments, &sight->environments, sight->scope.environments,
                  &sight->scope.environment_count) != 0) {
        if (sight != NULL) {
            free_sight(sight);
        }
        return NULL;
    }
    snprintf(sight->role, sizeof(sight->role), "%s", role);
    sight->version = version;
    sight->mask = masked ? sights->options.mask : NULL;
    sight->own_names = role[0] != '\0' || sight->mask != NULL;
    sight->names = sights->options.everything;
    if (sight->own_names) {
        struct ag_names_options names = sights->options.names;
        names.role = sight->role;
        names.mask = sight->mask;
        names.condition = NULL;
        names.metrics = NULL;
        if (ag_names_open(&names, &sight->names, &error) != 0) {
            free_sight(sight);
            return NULL;
        }
    }
    sight->sights = sights;
    sight->next = sights->first;
    sights->first = sight;
    return sight;
}

struct ag_sight *ag_sights_find(struct ag_sights *sights, const char *role, int64_t version,
                                const char *services, const char *environments, bool masked)
{
    const struct ag_mask *mask = masked ? sights->options.mask : NULL;
    for (struct ag_sight *sight = sights->first; sight != NULL; sight = sight->next) {
        if (strcmp(sight->role, role) == 0 && sight->version == version && sight->mask == mask) {
            return ag_sight_hold(sight);
        }
    }
    struct ag_sight *sight = make(sights, role, version, services, environments, masked);
    return sight != NULL ? ag_sight_hold(sight) : NULL;
}

void ag_sights_close(struct ag_sights *sights, void (*closed)(void *context), void *context)
{
    sights->closed = closed;
    sights->closed_context = context;
    sights->closing = true;
    sights->open++;
    while (sights->first != NULL) {
        struct ag_sight *sight = sights->first;
        sights->first = sight->next;
        close_names(sight);
        sight->sights = NULL;
    }
    release(sights);
}
