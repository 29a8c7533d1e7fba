#include "ctl/migrations.h"

#include "common/embedded.h"
#include "ctl/database.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX ((size_t)4 << 20)

extern const struct lm_embedded ct_embedded_migrations[]; /* the files of sql/ at build time */

static int out_of_memory(struct lm_error *error)
{
    return lm_error_set(error, LM_FATAL, "memory", "out of memory while reading the migrations");
}

/* The number of "NNNN_words.sql", or -1. */
static int number_of(const char *name)
{
    const size_t len = strlen(name);
    if (len < 10 || name[4] != '_' || strcmp(name + len - 4, ".sql") != 0)
        return -1;
    int number = 0;
    for (size_t i = 0; i < 4; i++) {
        if (!isdigit((unsigned char)name[i]))
            return -1;
        number = number * 10 + (name[i] - '0');
    }
    return number;
}

static int checksum(const char *text, size_t len, char out[65], struct lm_error *error)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (EVP_Digest(text, len, digest, &size, EVP_sha256(), NULL) != 1 || size != 32)
        return lm_error_set(error, LM_FATAL, "sha256", "OpenSSL cannot compute SHA-256");
    for (unsigned i = 0; i < size; i++)
        snprintf(out + (size_t)2 * i, 3, "%02x", digest[i]);
    return 0;
}

/* Adds a file; takes copies. */
static int add_file(struct ct_migrations *migrations, const char *name, const char *text, size_t len,
                    struct lm_error *error)
{
    const int number = number_of(name);
    if (number < 0)
        return lm_error_set(error, LM_FATAL, "migration",
                            "%s: a migration is named NNNN_words.sql, like 0008_alerts.sql", name);
    if (memchr(text, '\0', len) != NULL)
        return lm_error_set(error, LM_FATAL, "migration", "%s holds a NUL byte: it is no SQL text", name);
    struct ct_migration *files = realloc(migrations->files, (migrations->file_count + 1) * sizeof *files);
    if (files == NULL)
        return out_of_memory(error);
    migrations->files = files;
    struct ct_migration *file = &files[migrations->file_count];
    memset(file, 0, sizeof *file);
    file->number = number;
    file->name = strdup(name);
    file->text = strndup(text, len);
    migrations->file_count++;
    if (file->name == NULL || file->text == NULL)
        return out_of_memory(error);
    return checksum(text, len, file->checksum, error);
}

static int add_from_directory(struct ct_migrations *migrations, const char *directory, const char *name,
                              char *buffer, struct lm_error *error)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s/%s", directory, name) >= (int)sizeof path)
        return lm_error_set(error, LM_FATAL, "migration", "%s: the path is too long", name);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return lm_error_set(error, LM_FATAL, "migration", "cannot read %s: %s", path, strerror(errno));
    const size_t len = fread(buffer, 1, FILE_MAX + 1, file);
    const bool failed = ferror(file) != 0;
    fclose(file);
    if (failed)
        return lm_error_set(error, LM_FATAL, "migration", "cannot read %s", path);
    if (len > FILE_MAX)
        return lm_error_set(error, LM_FATAL, "migration", "%s is larger than 4 MiB", path);
    return add_file(migrations, name, buffer, len, error);
}

static int load_directory(struct ct_migrations *migrations, const char *directory, struct lm_error *error)
{
    int result = -1;
    char *buffer = malloc(FILE_MAX + 1);
    if (buffer == NULL)
        return out_of_memory(error);
    DIR *folder = opendir(directory);
    if (folder == NULL) {
        lm_error_set(error, LM_FATAL, "migration", "cannot open the folder of migrations %s: %s", directory,
                     strerror(errno));
        goto free_buffer;
    }
    const struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        const size_t len = strlen(entry->d_name);
        if (entry->d_name[0] == '.' || len < 4 || strcmp(entry->d_name + len - 4, ".sql") != 0)
            continue;
        if (add_from_directory(migrations, directory, entry->d_name, buffer, error) != 0)
            goto close_folder;
    }
    if (migrations->file_count == 0)
        lm_error_set(error, LM_FATAL, "migration",
                     "%s holds no *.sql: set --sql-dir to the folder of migrations", directory);
    else
        result = 0;
close_folder:
    closedir(folder);
free_buffer:
    free(buffer);
    return result;
}

static int by_number(const void *a, const void *b)
{
    const struct ct_migration *left = a, *right = b;
    return (left->number > right->number) - (left->number < right->number);
}

int ct_migrations_load(struct ct_migrations *migrations, const char *directory, struct lm_error *error)
{
    memset(migrations, 0, sizeof *migrations);
    if (directory[0] != '\0') {
        if (load_directory(migrations, directory, error) != 0)
            return -1;
    } else {
        for (const struct lm_embedded *file = ct_embedded_migrations; file->name != NULL; file++) {
            if (add_file(migrations, file->name, file->text, file->len, error) != 0)
                return -1;
        }
    }
    qsort(migrations->files, migrations->file_count, sizeof *migrations->files, by_number);
    for (size_t i = 1; i < migrations->file_count; i++) {
        const struct ct_migration *file = &migrations->files[i];
        if (file[-1].number == file->number)
            return lm_error_set(error, LM_FATAL, "migration",
                                "%s and %s have the same number: give the newer one the next free number",
                                file[-1].name, file->name);
    }
    return 0;
}

int ct_migrations_read_applied(struct ct_migrations *migrations, PGconn *connection, struct lm_error *error)
{
    PGresult *table =
        ct_database_query(connection, "SELECT to_regclass('public.logmill_migration') IS NOT NULL", error);
    if (table == NULL)
        return -1;
    const bool exists = PQgetvalue(table, 0, 0)[0] == 't';
    PQclear(table);
    if (!exists)
        return 0;

    PGresult *rows =
        ct_database_query(connection,
                          "SELECT number, name, checksum, "
                          "to_char(applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), version "
                          "FROM public.logmill_migration ORDER BY number",
                          error);
    if (rows == NULL)
        return -1;
    int result = 0;
    const int count = PQntuples(rows);
    migrations->applied = calloc((size_t)count + 1, sizeof *migrations->applied);
    if (migrations->applied == NULL)
        result = out_of_memory(error);
    for (int i = 0; i < count && result == 0; i++) {
        struct ct_applied *applied = &migrations->applied[migrations->applied_count++];
        applied->number = atoi(PQgetvalue(rows, i, 0));
        applied->name = strdup(PQgetvalue(rows, i, 1));
        snprintf(applied->checksum, sizeof applied->checksum, "%s", PQgetvalue(rows, i, 2));
        applied->applied_at = strdup(PQgetvalue(rows, i, 3));
        applied->version = strdup(PQgetvalue(rows, i, 4));
        if (applied->name == NULL || applied->applied_at == NULL || applied->version == NULL)
            result = out_of_memory(error);
    }
    PQclear(rows);
    return result;
}

int ct_migrations_plan(const struct ct_migrations *migrations, size_t *pending, struct lm_error *error)
{
    *pending = 0;
    size_t i = 0;
    for (size_t k = 0; k < migrations->applied_count; k++) {
        const struct ct_applied *applied = &migrations->applied[k];
        if (i < migrations->file_count && migrations->files[i].number < applied->number)
            return lm_error_set(
                error, LM_FATAL, "migration",
                "%s was not applied, but %s, which comes after it, was: give it the next free number",
                migrations->files[i].name, applied->name);
        if (i == migrations->file_count || migrations->files[i].number != applied->number)
            return lm_error_set(
                error, LM_FATAL, "migration",
                "%s was applied on %s by Logmill %s, but this logmill-ctl has no migration of that "
                "number: use one at least as new as the database",
                applied->name, applied->applied_at, applied->version);
        if (strcmp(migrations->files[i].checksum, applied->checksum) != 0)
            return lm_error_set(
                error, LM_FATAL, "migration",
                "%s was changed after it was applied (as %s on %s by Logmill %s): put the file back as "
                "it was and make the change in a new one",
                migrations->files[i].name, applied->name, applied->applied_at, applied->version);
        i++;
    }
    *pending = migrations->file_count - i;
    return 0;
}

void ct_migrations_free(struct ct_migrations *migrations)
{
    for (size_t i = 0; i < migrations->file_count; i++) {
        free(migrations->files[i].name);
        free(migrations->files[i].text);
    }
    for (size_t i = 0; i < migrations->applied_count; i++) {
        free(migrations->applied[i].name);
        free(migrations->applied[i].applied_at);
        free(migrations->applied[i].version);
    }
    free(migrations->files);
    free(migrations->applied);
    memset(migrations, 0, sizeof *migrations);
}
