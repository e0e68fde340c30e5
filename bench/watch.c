/* bench/watch.c: see watch.h. */
#include "bench/watch.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_BYTES 4096
#define SECTOR_BYTES 512u

/* A small file as text; empty when it cannot be read. */
static const char *read_text(char out[TEXT_BYTES], const char *path)
{
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(out, 1, TEXT_BYTES - 1, f) : 0;
    if (f)
        (void)fclose(f);
    out[n] = 0;
    return out;
}

static uint64_t number_after(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

/* The n-th number, from 0, of a line of them. */
static uint64_t number_at(const char *text, unsigned n)
{
    char *end = (char *)text;
    uint64_t v = strtoull(text, &end, 10);
    while (n-- > 0)
        v = strtoull(end, &end, 10);
    return v;
}

static double cpu_s(const char *stat)
{
    const char *rest = strrchr(stat, ')'); /* a process may be named anything */
    if (!rest || strlen(rest) < 5)
        return 0;
    rest += 4; /* the state is a letter: from field 4 on */
    uint64_t ticks = number_at(rest, 14 - 4) + number_at(rest, 15 - 4);
    return (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

struct watched watch(pid_t pid, const char *device)
{
    struct watched w = {0};
    char path[256], text[TEXT_BYTES];
    if (pid > 0) {
        (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
        w.cpu_s = cpu_s(read_text(text, path));
        (void)snprintf(path, sizeof path, "/proc/%d/io", (int)pid);
        w.written_bytes = number_after(read_text(text, path), "wchar: ");
        w.stored_bytes = number_after(text, "\nwrite_bytes: ");
        (void)snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
        w.pss_bytes = number_after(read_text(text, path), "\nPss:") * 1024;
    }
    if (device) {
        (void)snprintf(path, sizeof path, "/sys/block/%s/stat", device);
        w.device_bytes = number_at(read_text(text, path), 6) * SECTOR_BYTES;
    }
    return w;
}
