/* tests/lib/directory.c: see directory.h. */
#include "tests/lib/directory.h"
#include "base/buf.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *must_have(void *p)
{
    if (p == NULL)
        abort();
    return p;
}

char *directory_new(void)
{
    const char *base = getenv("BRUG_TEST_MEMORY");
    char path[512];
    if (base == NULL)
        base = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/brug-test-XXXXXX", base != NULL ? base : "/tmp");
    return must_have(strdup(must_have(mkdtemp(path))));
}

void directory_file(char *out, size_t out_len, const char *path, const char *name)
{
    snprintf(out, out_len, "%s/%s", path, name);
}

void directory_free(char *path)
{
    struct dirent *entry;
    char file[1024];
    DIR *d = opendir(path);
    while (d != NULL && (entry = readdir(d)) != NULL) {
        directory_file(file, sizeof file, path, entry->d_name);
        (void)unlink(file); /* "." and ".." refuse */
    }
    if (d != NULL)
        closedir(d);
    rmdir(path);
    free(path);
}

static void copy_file(const char *from, const char *to)
{
    struct buf b;
    buf_init(&b, SIZE_MAX / 2);
    if (buf_read_file(&b, from) != ERROR_NONE)
        abort();
    FILE *f = must_have(fopen(to, "wb"));
    if (fwrite(b.data, 1, b.len, f) != b.len || fclose(f) != 0)
        abort();
    buf_fini(&b);
}

char *directory_copy(const char *path)
{
    char *copy = directory_new(), from[1024], to[1024];
    struct dirent *entry;
    DIR *d = must_have(opendir(path));
    while ((entry = readdir(d)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        directory_file(from, sizeof from, path, entry->d_name);
        directory_file(to, sizeof to, copy, entry->d_name);
        copy_file(from, to);
    }
    closedir(d);
    return copy;
}
