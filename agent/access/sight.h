/*
 * What a caller sees: everything, or the services and environments of a scope, with or without what is
 * masked. Callers with the same rights share one sight, and its names, which are read as the scope's own
 * role. Loop thread; what a sight points to may be read by any thread while it is held.
 */
#ifndef LOGMILL_AGENT_ACCESS_SIGHT_H
#define LOGMILL_AGENT_ACCESS_SIGHT_H

#include "agent/catalogue/mask.h"
#include "agent/catalogue/names.h"

#define AG_SCOPE_ROLE_SIZE 64
#define AG_SCOPE_NAMES 32

/* The services and environments of a scope; a count of 0 is all of them. */
struct ag_scope {
    const char *services[AG_SCOPE_NAMES];
    size_t service_count;
    const char *environments[AG_SCOPE_NAMES];
    size_t environment_count;
};

struct ag_sight {
    unsigned holders;
    char role[AG_SCOPE_ROLE_SIZE]; /* the database role its statements run as; "": the reader itself */
    int64_t version;               /* of the scope's lists */
    struct ag_scope scope;
    const struct ag_mask *mask; /* NULL: nothing is hidden */
    struct ag_names *names;     /* that may be known; NULL once everything closes */
    /* the registry's */
    struct ag_sights *sights;
    struct ag_sight *next;
    json_t *services, *environments; /* own the scope's texts */
    bool own_names;
};

struct ag_sights;

struct ag_sights_options {
    struct ag_names_options names; /* of the sights made; role and mask are set by them */
    struct ag_names *everything;   /* the names of who sees all; outlives the sights */
    const struct ag_mask *mask;    /* outlives them too */
};

/* NULL without memory. */
struct ag_sights *ag_sights_new(const struct ag_sights_options *options);
/*
 * The sight of this scope role ("" for no scope), made where there is none; `services` and `environments` are
 * JSON arrays of texts or NULL. One holder more. NULL without memory, or for a role that is not a scope's.
 */
struct ag_sight *ag_sights_find(struct ag_sights *sights, const char *role, int64_t version,
                                const char *services, const char *environments, bool masked);
struct ag_sight *ag_sight_hold(struct ag_sight *sight);
void ag_sight_drop(struct ag_sight *sight);
/* Before the pool closes; holders may still hold. Freed when `closed` is called, once. */
void ag_sights_close(struct ag_sights *sights, void (*closed)(void *context), void *context);

#endif
