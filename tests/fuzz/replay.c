/*
 * A main for a fuzzer's entry point where libFuzzer is not there: runs it over every file of the folders (or
 * files) named on the command line, so that the seeds are a test with every compiler.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SEED_MAX = 1 << 20 };

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *whole = malloc(SEED_MAX);

    if (file == NULL || whole == NULL) {
        perror(path);
        exit(1);
    }
    size_t size = fread(whole, 1, SEED_MAX, file);
    fclose(file);
    /* In a block of its own size, so that a read behind it is seen. */
    uint8_t *exact = realloc(whole, size > 0 ? size : 1);
    LLVMFuzzerTestOneInput(exact != NULL ? exact : whole, size);
    free(exact != NULL ? exact : whole);
    return 1;
}

static int replay(const char *path)
{
    struct stat status;
    char name[4096];
    int count = 0;

    if (stat(path, &status) == 0 && !S_ISDIR(status.st_mode))
        return replay_file(path);
    DIR *folder = opendir(path);
    if (folder == NULL) {
        perror(path);
        exit(1);
    }
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        count += replay_file(name);
    }
    closedir(folder);
    return count;
}

int main(int argc, char **argv)
{
    int count = 0;

    for (int i = 1; i < argc; i++)
        count += replay(argv[i]);
    printf("%d inputs replayed\n", count);
    return count > 0 ? 0 : 1;
}
