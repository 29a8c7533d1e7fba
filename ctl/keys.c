/*
 * logmill-ctl keys create|list|revoke: the API keys of the agent. A key is made here and shown once; the
 * database gets its SHA-256. What is revoked stays in the list: the audit log speaks of it.
 */
#include "common/api_key.h"
#include "common/buffer.h"
#include "ctl/command.h"
#include "ctl/database.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <string.h>

#define MAX_SCOPE_NAMES 32

static const char *const roles[] = {"viewer", "operator", "admin"};

/* SHA-256 as PostgreSQL reads bytea. */
static int hash_key(const char *key, char out[2 + 64 + 1], struct lm_error *error)
{
    unsigned char digest[32];
    if (EVP_Digest(key, strlen(key), digest, NULL, EVP_sha256(), NULL) != 1)
        return lm_error_set(error, LM_FATAL, "memory", "SHA-256 cannot be computed");
    strcpy(out, "\\x");
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(out + 2 + 2 * i, 3, "%02x", digest[i]);
    return 0;
}

/* A list as JSON; "" for an empty one. */
static void write_list(const struct lm_config_list *list, struct lm_buffer *out)
{
    for (size_t i = 0; i < list->count; i++) {
        lm_buffer_append_char(out, i == 0 ? '[' : ',');
        lm_buffer_append_json(out, list->items[i], strlen(list->items[i]));
    }
    if (list->count > 0)
        lm_buffer_append_char(out, ']');
}

static int check_scope(const char *what, const struct lm_config_list *list, struct lm_error *error)
{
    if (list->count > MAX_SCOPE_NAMES)
        return lm_error_set(error, LM_FATAL, "usage", "a key is for at most %d of --%s", MAX_SCOPE_NAMES,
                            what);
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i][0] == '\0')
            return lm_error_set(error, LM_FATAL, "usage", "--%s is empty", what);
    }
    return 0;
}

static int store(const struct ct_config *config, PGconn *connection, const char *prefix, const char *hash,
                 struct lm_error *error)
{
    static const char sql[] =
        "SELECT logmill.make_key($1, $2::bytea, $3, $4, "
        "(SELECT array_agg(j) FROM json_array_elements_text(nullif($5, '')::json) AS j), "
        "(SELECT array_agg(j) FROM json_array_elements_text(nullif($6, '')::json) AS j), $7::interval)";
    struct lm_buffer services, environments;
    char expires[40];
    int code = -1;
    snprintf(expires, sizeof expires, "%" PRId64 " milliseconds", config->expires_ms);
    lm_buffer_init(&services, 64u << 10);
    lm_buffer_init(&environments, 64u << 10);
    write_list(&config->service, &services);
    write_list(&config->environment, &environments);
    const char *const values[] = {prefix,
                                  hash,
                                  config->name,
                                  roles[config->role],
                                  lm_buffer_text(&services),
                                  lm_buffer_text(&environments),
                                  config->expires_ms > 0 ? expires : NULL};
    if (values[4] == NULL || values[5] == NULL) {
        lm_error_set(error, LM_FATAL, "memory", "out of memory for the key");
    } else {
        PGresult *result = ct_database_query_with(connection, sql, 7, values, error);
        code = result != NULL ? 0 : -1;
        PQclear(result);
    }
    lm_buffer_free(&services);
    lm_buffer_free(&environments);
    return code;
}

static int create(const struct ct_context *context, PGconn *connection, struct lm_error *error)
{
    const struct ct_config *config = context->config;
    char key[LM_API_KEY_SIZE];
    char prefix[LM_API_KEY_PREFIX_SIZE];
    char hash[2 + 64 + 1];
    if (check_scope("service", &config->service, error) != 0 ||
        check_scope("environment", &config->environment, error) != 0 || lm_api_key_make(key, error) != 0 ||
        hash_key(key, hash, error) != 0)
        return -1;
    if (!lm_api_key_parse(key, prefix))
        return lm_error_set(error, LM_FATAL, "key", "the key made is not of its own form");
    if (store(config, connection, prefix, hash, error) != 0)
        return -1;
    fprintf(context->errors, "key %s made: role %s. It is shown this once, and stored nowhere.\n", prefix,
            roles[config->role]);
    fprintf(context->out, "%s\n", key);
    return 0;
}

static int list(const struct ct_context *context, PGconn *connection, struct lm_error *error)
{
    PGresult *rows = ct_database_query(
        connection,
        "SELECT k.prefix, k.role, CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked' "
        "WHEN k.expires_at <= clock_timestamp() THEN 'expired' ELSE 'valid' END, "
        "coalesce(array_to_string(s.services, ','), '*') || ' in ' || "
        "coalesce(array_to_string(s.environments, ','), '*'), "
        "to_char(k.created_at, 'YYYY-MM-DD HH24:MI'), "
        "coalesce(to_char(k.expires_at, 'YYYY-MM-DD HH24:MI'), 'never'), "
        "coalesce(to_char(k.last_used_at, 'YYYY-MM-DD HH24:MI'), 'never'), k.name "
        "FROM logmill.access_key k LEFT JOIN logmill.access_scope s ON s.id = k.scope ORDER BY k.created_at",
        error);
    if (rows == NULL)
        return -1;
    const int count = PQntuples(rows);
    for (int i = 0; i < count; i++) {
        fprintf(context->out, "%s  %-8s  %-7s  %s  created %s  expires %s  used %s  %s\n",
                PQgetvalue(rows, i, 0), PQgetvalue(rows, i, 1), PQgetvalue(rows, i, 2),
                PQgetvalue(rows, i, 3), PQgetvalue(rows, i, 4), PQgetvalue(rows, i, 5),
                PQgetvalue(rows, i, 6), PQgetvalue(rows, i, 7));
    }
    if (count == 0)
        fprintf(context->out, "no key has been made\n");
    PQclear(rows);
    return 0;
}

static int revoke(const struct ct_context *context, PGconn *connection, struct lm_error *error)
{
    const char *const prefix = context->arguments[1];
    PGresult *result = ct_database_query_with(connection,
                                              "UPDATE logmill.access_key SET revoked_at = "
                                              "coalesce(revoked_at, clock_timestamp()) WHERE prefix = $1",
                                              1, &prefix, error);
    if (result == NULL)
        return -1;
    const bool found = strcmp(PQcmdTuples(result), "1") == 0;
    PQclear(result);
    if (!found)
        return lm_error_set(error, LM_FATAL, "unknown", "there is no key with the prefix \"%s\"", prefix);
    fprintf(context->out, "key %s revoked: agents refuse it within 10 s\n", prefix);
    return 0;
}

static const struct {
    const char *name;
    size_t arguments; /* with its own name */
    int (*run)(const struct ct_context *context, PGconn *connection, struct lm_error *error);
} actions[] = {{"create", 1, create}, {"list", 1, list}, {"revoke", 2, revoke}};

static enum ct_exit run(const struct ct_context *context)
{
    struct lm_error error;
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        if (strcmp(actions[i].name, context->arguments[0]) != 0 ||
            actions[i].arguments != context->argument_count)
            continue;
        PGconn *connection = ct_database_open(context->config->postgres_url, NULL, &error);
        const int code = connection != NULL ? actions[i].run(context, connection, &error) : -1;
        PQfinish(connection);
        if (code != 0)
            fprintf(context->errors, "logmill-ctl keys: %s\n", error.text);
        return code == 0 ? CT_DONE : CT_FAILED;
    }
    fprintf(context->errors, "usage: logmill-ctl keys create|list|revoke PREFIX\n");
    return CT_USAGE;
}

const struct ct_command ct_keys_command = {
    .name = "keys",
    .arguments = "create|list|revoke PREFIX",
    .summary = "API keys of the agent: --role, --name, --expires, --service, --environment",
    .arguments_min = 1,
    .arguments_max = 2,
    .run = run,
};
