/* Which files may be applied to which database. */
#include "ctl/migrations.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* A folder of its own for each test, removed afterwards. */
static int make_folder(void **state)
{
    char *folder = strdup("/tmp/logmill-migrations-XXXXXX");
    if (folder == NULL || mkdtemp(folder) == NULL)
        return -1;
    *state = folder;
    return 0;
}

static int remove_folder(void **state)
{
    char *folder = *state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    const int code = system(command);
    free(folder);
    return code;
}

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* As if the database said that the file was applied with this text. */
static void mark_applied(struct ct_migrations *migrations, int number, const char *name, const char *checksum)
{
    migrations->applied =
        realloc(migrations->applied, (migrations->applied_count + 1) * sizeof *migrations->applied);
    assert_non_null(migrations->applied);
    struct ct_applied *applied = &migrations->applied[migrations->applied_count++];
    memset(applied, 0, sizeof *applied);
    applied->number = number;
    applied->name = strdup(name);
    applied->applied_at = strdup("2026-03-18T00:00:00Z");
    applied->version = strdup("0.1.0");
    snprintf(applied->checksum, sizeof applied->checksum, "%s", checksum);
}

static void three_files(struct ct_migrations *migrations, const char *folder)
{
    struct lm_error error;
    write_file(folder, "0002_b.sql", "SELECT 2;");
    write_file(folder, "0001_a.sql", "SELECT 1;");
    write_file(folder, "0003_c.sql", "SELECT 3;");
    write_file(folder, "README.md", "not a migration");
    assert_int_equal(ct_migrations_load(migrations, folder, &error), 0);
}

static void files_are_read_in_the_order_of_their_numbers(void **state)
{
    struct ct_migrations migrations;
    three_files(&migrations, *state);
    assert_int_equal(migrations.file_count, 3);
    assert_string_equal(migrations.files[0].name, "0001_a.sql");
    assert_string_equal(migrations.files[2].text, "SELECT 3;");
    /* printf 'SELECT 1;' | sha256sum */
    assert_string_equal(migrations.files[0].checksum,
                        "17db4fd369edb9244b9f91d9aeed145c3d04ad8ba6e95d06247f07a63527d11a");
    ct_migrations_free(&migrations);
}

static void built_in_files_are_those_of_the_repository(void **state)
{
    (void)state;
    struct ct_migrations migrations;
    struct lm_error error;
    assert_int_equal(ct_migrations_load(&migrations, "", &error), 0);
    assert_true(migrations.file_count >= 7);
    assert_string_equal(migrations.files[0].name, "0001_roles.sql");
    for (size_t i = 0; i < migrations.file_count; i++)
        assert_int_equal(migrations.files[i].number, (int)i + 1);
    ct_migrations_free(&migrations);
}

static void nothing_applied_leaves_all_pending(void **state)
{
    struct ct_migrations migrations;
    struct lm_error error;
    size_t pending = 0;
    three_files(&migrations, *state);
    assert_int_equal(ct_migrations_plan(&migrations, &pending, &error), 0);
    assert_int_equal(pending, 3);
    ct_migrations_free(&migrations);
}

static void some_applied_leaves_the_later_ones_pending(void **state)
{
    struct ct_migrations migrations;
    struct lm_error error;
    size_t pending = 0;
    three_files(&migrations, *state);
    mark_applied(&migrations, 1, "0001_a.sql", migrations.files[0].checksum);
    mark_applied(&migrations, 2, "0002_b.sql", migrations.files[1].checksum);
    assert_int_equal(ct_migrations_plan(&migrations, &pending, &error), 0);
    assert_int_equal(pending, 1);
    ct_migrations_free(&migrations);
}

static void a_changed_applied_file_is_refused_by_name(void **state)
{
    struct ct_migrations migrations;
    struct lm_error error;
    size_t pending = 9;
    three_files(&migrations, *state);
    mark_applied(&migrations, 1, "0001_a.sql", migrations.files[1].checksum);
    assert_int_equal(ct_migrations_plan(&migrations, &pending, &error), -1);
    assert_int_equal(error.decision, LM_FATAL);
    assert_non_null(strstr(error.text, "0001_a.sql was changed"));
    assert_int_equal(pending, 0);
    ct_migrations_free(&migrations);
}

static void an_applied_file_that_vanished_is_refused_by_name(void **state)
{
    struct ct_migrations migrations;
    struct lm_error error;
    size_t pending = 0;
    three_files(&migrations, *state);
    for (int i = 0; i < 3; i++)
        mark_applied(&migrations, i + 1, migrations.files[i].name, migrations.files[i].checksum);
    mark_applied(&migrations, 4, "0004_d.sql", migrations.files[0].checksum);
    assert_int_equal(ct_migrations_plan(&migrations, &pending, &error), -1);
    assert_non_null(strstr(error.text, "0004_d.sql was applied"));
    ct_migrations_free(&migrations);
}

static void a_file_slipped_in_before_an_applied_one_is_refused(void **state)
{
    struct ct_migrations migrations;
    struct lm_error error;
    size_t pending = 0;
    three_files(&migrations, *state);
    mark_applied(&migrations, 1, "0001_a.sql", migrations.files[0].checksum);
    mark_applied(&migrations, 3, "0003_c.sql", migrations.files[2].checksum);
    assert_int_equal(ct_migrations_plan(&migrations, &pending, &error), -1);
    assert_non_null(strstr(error.text, "0002_b.sql was not applied"));
    ct_migrations_free(&migrations);
}

static void refused_names(void **state)
{
    static const char *const names[] = {"12_a.sql", "0001a.sql", "abcd_a.sql", "0001_.sql"};
    const char *folder = *state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct ct_migrations migrations;
        struct lm_error error;
        write_file(folder, names[i], "SELECT 1;");
        assert_int_equal(ct_migrations_load(&migrations, folder, &error), -1);
        assert_non_null(strstr(error.text, names[i]));
        ct_migrations_free(&migrations);
        char path[256];
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        assert_int_equal(unlink(path), 0);
    }
}

static void a_number_twice_is_refused(void **state)
{
    struct ct_migrations migrations;
    struct lm_error error;
    write_file(*state, "0001_a.sql", "SELECT 1;");
    write_file(*state, "0001_b.sql", "SELECT 2;");
    assert_int_equal(ct_migrations_load(&migrations, *state, &error), -1);
    assert_non_null(strstr(error.text, "same number"));
    ct_migrations_free(&migrations);
}

static void a_folder_without_migrations_is_refused(void **state)
{
    struct ct_migrations migrations;
    struct lm_error error;
    assert_int_equal(ct_migrations_load(&migrations, *state, &error), -1);
    assert_non_null(strstr(error.text, "--sql-dir"));
    ct_migrations_free(&migrations);
    assert_int_equal(ct_migrations_load(&migrations, "/no/such/folder", &error), -1);
    assert_non_null(strstr(error.text, "/no/such/folder"));
    ct_migrations_free(&migrations);
}

static void a_nul_in_a_file_is_refused(void **state)
{
    char path[256];
    snprintf(path, sizeof path, "%s/0001_a.sql", (const char *)*state);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite("SELECT\0 1", 1, 9, file), 9);
    assert_int_equal(fclose(file), 0);
    struct ct_migrations migrations;
    struct lm_error error;
    assert_int_equal(ct_migrations_load(&migrations, *state, &error), -1);
    assert_non_null(strstr(error.text, "NUL"));
    ct_migrations_free(&migrations);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(files_are_read_in_the_order_of_their_numbers),
        cmocka_unit_test(built_in_files_are_those_of_the_repository),
        IN_FOLDER(nothing_applied_leaves_all_pending),
        IN_FOLDER(some_applied_leaves_the_later_ones_pending),
        IN_FOLDER(a_changed_applied_file_is_refused_by_name),
        IN_FOLDER(an_applied_file_that_vanished_is_refused_by_name),
        IN_FOLDER(a_file_slipped_in_before_an_applied_one_is_refused),
        IN_FOLDER(refused_names),
        IN_FOLDER(a_number_twice_is_refused),
        IN_FOLDER(a_folder_without_migrations_is_refused),
        IN_FOLDER(a_nul_in_a_file_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
