/*
 * tests/fuzz/replay.c: a main for fuzz targets that runs their corpus once, without libFuzzer.
 *
 *     fuzz_x             replays tests/fuzz/corpus/x/ (from the project's root)
 *     fuzz_x FILE...     replays these
 *
 * Speaks TAP, one test for all inputs: the target fails by ending the process. Each input is copied
 * into memory of exactly its size, so that a sanitizer sees a read beyond it.
 */
#include "base/buf.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_BYTES_MAX ((size_t)64 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

static bool replay(const char *path)
{
    struct buf b;
    bool done = false;
    buf_init(&b, INPUT_BYTES_MAX);
    enum error e = buf_read_file(&b, path);
    uint8_t *exact = e ? NULL : malloc(b.len > 0 ? b.len : 1);
    if (!exact) {
        printf("# %s: %s\n", path, error_text(e ? e : ERROR_NO_MEMORY));
        goto end;
    }
    if (b.len > 0)
        memcpy(exact, b.data, b.len);
    fprintf(stderr, "replaying %s\n", path);
    (void)LLVMFuzzerTestOneInput(exact, b.len); /* 0, or -1 for an input a fuzzer should not keep */
    done = true;
end:
    free(exact);
    buf_fini(&b);
    return done;
}

static int replay_folder(const char *folder, unsigned *count)
{
    char path[1300];
    int failed = 0;
    DIR *entries = opendir(folder);
    if (!entries)
        return 1;
    for (struct dirent *entry; (entry = readdir(entries));) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        failed += !replay(path);
        (*count)++;
    }
    closedir(entries);
    return failed;
}

int main(int argc, char **argv)
{
    char folder[1024];
    unsigned count = 0;
    int failed = 0;
    const char *name = strrchr(argv[0], '/');
    name = name ? name + 1 : argv[0];
    if (strncmp(name, "fuzz_", 5) == 0)
        name += 5;
    if (LLVMFuzzerInitialize)
        (void)LLVMFuzzerInitialize(&argc, &argv); /* libFuzzer ignores its result too */
    for (int i = 1; i < argc; i++, count++)
        failed += !replay(argv[i]);
    if (argc == 1) {
        snprintf(folder, sizeof folder, "tests/fuzz/corpus/%s", name);
        failed = replay_folder(folder, &count);
    }
    bool passed = failed == 0 && count > 0;
    printf("1..1\n%sok 1 - %s: %u inputs replayed\n", passed ? "" : "not ", name, count);
    return passed ? 0 : 1;
}
