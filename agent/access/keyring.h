/*
 * Keys as the agent knows them: looked up by prefix through the store, kept for 10 s, so that a key that was
 * revoked is refused at the latest then. Only digests are held and compared, in constant time. Loop thread.
 */
#ifndef LOGMILL_AGENT_ACCESS_KEYRING_H
#define LOGMILL_AGENT_ACCESS_KEYRING_H

#include "agent/access/rates.h"
#include "agent/access/sight.h"
#include "agent/database/store.h"
#include "common/api_key.h"

#define AG_DIGEST_SIZE 32 /* SHA-256 */

/* What a key may do. */
enum ag_key_role { AG_VIEWER, AG_OPERATOR, AG_ADMIN };
const char *ag_key_role_name(enum ag_key_role role);

/* A key as somebody showed it: nothing of its secret but the SHA-256. Zeroed: none was shown. */
struct ag_shown_key {
    char prefix[LM_API_KEY_PREFIX_SIZE];
    uint8_t digest[AG_DIGEST_SIZE];
};

/* Who asks; counted. */
struct ag_caller {
    unsigned holders;
    struct ag_shown_key key; /* prefix "": nobody had to show one */
    enum ag_key_role role;
    struct ag_sight *sight;
};
struct ag_caller *ag_caller_hold(struct ag_caller *caller);
void ag_caller_drop(struct ag_caller *caller);

enum ag_key_verdict { AG_KEY_GOOD, AG_KEY_BAD, AG_KEY_UNKNOWABLE /* the store cannot be asked */ };

/* One that waits for a verdict; memory of the caller's. */
struct ag_key_waiter {
    struct ag_key_waiter *next;
    struct ag_key_entry *entry; /* while it waits */
    struct ag_shown_key shown;
    /* Once, maybe from inside ag_keyring_ask. `caller` and `bucket` are there with AG_KEY_GOOD, valid during
     * the call. */
    void (*told)(enum ag_key_verdict verdict, struct ag_caller *caller, const struct ag_bucket *bucket,
                 void *context);
    void *context;
};

struct ag_keyring;

struct ag_keyring_options {
    uv_loop_t *loop;
    struct ag_store *store;
    struct ag_sights *sights;
    bool open_without_keys; /* as long as no key was ever made, who shows none is an admin */
};

/* NULL without memory. */
struct ag_keyring *ag_keyring_new(const struct ag_keyring_options *options);
/* Is the key that the waiter shows good? */
void ag_keyring_ask(struct ag_keyring *keyring, struct ag_key_waiter *waiter);
void ag_keyring_forget(struct ag_key_waiter *waiter);
/* What the key of this prefix has left, valid until the loop goes on; NULL: it is not known any more. */
struct ag_bucket *ag_keyring_bucket(struct ag_keyring *keyring, const char *prefix);
/* Nobody waits any more. Closes on the loop and calls `closed` once; before the store closes. */
void ag_keyring_close(struct ag_keyring *keyring, void (*closed)(void *context), void *context);

#endif
