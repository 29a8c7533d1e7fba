#include "tests/unit/agent/names_file.h"

#include <stdio.h>
#include <string.h>

static enum ag_field field_named(const char *name)
{
    for (int f = AG_NO_FIELD + 1; f < AG_FIELD_COUNT; f++) {
        if (strcmp(ag_field_name((enum ag_field)f), name) == 0)
            return (enum ag_field)f;
    }
    return AG_NO_FIELD;
}

static int add(struct ag_catalogue *catalogue, struct ag_samples *samples, const char *kind,
               const char *value)
{
    const char *key = strncmp(kind, "metadata.", 9) == 0 ? kind + 9 : NULL;
    enum ag_field field = key ? AG_METADATA : field_named(kind);

    if (ag_kind_from_name(kind) >= 0)
        return ag_catalogue_add(catalogue, (enum ag_kind)ag_kind_from_name(kind), value, 1);
    return field == AG_NO_FIELD ? -1 : ag_samples_add(samples, field, key, value);
}

struct ag_catalogue *names_file_read(const char *path)
{
    FILE *file = fopen(path, "r");
    struct ag_catalogue *catalogue = ag_catalogue_new();
    struct ag_samples *samples = ag_samples_new();
    bool good = file && catalogue && samples;
    char line[1024];

    while (good && fgets(line, sizeof line, file)) {
        char *value = strchr(line, '\t');
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '#' || !value)
            continue;
        *value++ = '\0';
        good = add(catalogue, samples, line, value) == 0;
    }
    if (file)
        fclose(file);
    good = good && ag_samples_seal(samples) == 0 && ag_catalogue_seal(catalogue) == 0;
    if (good)
        ag_catalogue_set_samples(catalogue, samples);
    ag_samples_drop(samples);
    if (!good) {
        ag_catalogue_free(catalogue);
        return NULL;
    }
    return catalogue;
}
