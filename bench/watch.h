/* bench/watch.h: what a server process has used so far, from /proc and /sys. */
#ifndef BENCH_WATCH_H
#define BENCH_WATCH_H

#include "bench/common.h"
#include <sys/types.h>

struct watched {
    double cpu_s;           /* user and system */
    uint64_t written_bytes; /* handed to write() and its kin: files and sockets */
    uint64_t stored_bytes;  /* of these, dirtied pages of files: what is charged to the process */
    uint64_t device_bytes;  /* written by the whole disk; 0 without one */
    uint64_t pss_bytes;
};

/* `device`: a name in /sys/block, or NULL. `pid` 0: nothing but the device. */
struct watched watch(pid_t pid, const char *device);

#endif
