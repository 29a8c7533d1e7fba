/* What the tests of the record share: an arena, short ways to decode, and where foreign vectors are. */
#ifndef LOGMILL_TESTS_RECORD_FIXTURE_H
#define LOGMILL_TESTS_RECORD_FIXTURE_H

#include "common/record/record_avro.h"
#include "common/record/record_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { FIXTURE_ARENA = 8 << 20 };

struct fixture {
    struct lm_arena arena;
    struct lm_buffer buffer;
    struct lm_record record;
    struct lm_error error;
};

static inline int fixture_open(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    lm_arena_init(&f->arena, FIXTURE_ARENA);
    lm_buffer_init(&f->buffer, FIXTURE_ARENA);
    *state = f;
    return 0;
}

static inline int fixture_close(void **state)
{
    struct fixture *f = *state;

    lm_arena_free(&f->arena);
    lm_buffer_free(&f->buffer);
    free(f);
    return 0;
}

#define FIXTURE_TEST(function) cmocka_unit_test_setup_teardown(function, fixture_open, fixture_close)

static inline struct lm_slice slice_of(const char *text)
{
    return (struct lm_slice){text, strlen(text)};
}

static inline void assert_slice(struct lm_slice slice, const char *expected)
{
    if (expected == NULL) {
        assert_null(slice.data);
        return;
    }
    if (slice.data == NULL || slice.len != strlen(expected) || memcmp(slice.data, expected, slice.len) != 0)
        fail_msg("got \"%.*s\", expected \"%s\"", (int)slice.len, slice.data != NULL ? slice.data : "(null)",
                 expected);
}

/* A file under LOGMILL_DATA_DIR, by default the folder next to the repository. NULL where it is absent; free
 * it. */
static inline char *read_data_file(const char *name, size_t *len)
{
    const char *folder = getenv("LOGMILL_DATA_DIR");
    char path[4096];

    snprintf(path, sizeof path, "%s/%s", folder != NULL ? folder : LOGMILL_DEFAULT_DATA_DIR, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        printf("%s is not there: set LOGMILL_DATA_DIR to the folder with the conformance vectors\n", path);
        return NULL;
    }
    char *text = calloc(1, 1 << 20);
    *len = fread(text, 1, (1 << 20) - 1, file);
    fclose(file);
    return text;
}

#endif
