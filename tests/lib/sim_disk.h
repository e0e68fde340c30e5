/*
 * tests/lib/sim_disk.h: the real store in simulated storage: a storage thread that works when it is told to,
 * and a disk that a kill or a power cut leaves as a real one could.
 *
 * The order of work is that of daemon/store/thread.c: a group as soon as there is one, between two commits
 * the loads that came, check-points after the commit was told, folding when nothing is wanted. The owner says when
 * a job ends; what it brings lies in the results until they are collected.
 */
#ifndef TESTS_LIB_SIM_DISK_H
#define TESTS_LIB_SIM_DISK_H

#include "daemon/store/store.h"
#include "tests/lib/power_vfs.h"

#define SIM_LOADS_MAX 1024u

enum sim_job { SIM_NO_JOB, SIM_COMMIT, SIM_TIDY, SIM_LOADS, SIM_FOLD };
enum sim_end { SIM_KILL, SIM_POWER_CUT };

struct sim_disk {
    char *directory; /* where it is mounted; holds the lock file */
    struct power_disk *disk;
    struct store_options options;
    struct store *store; /* NULL while nothing runs */
    struct group
        *group; /* handed over and not told to be durable; after an end: it may be on disk */
    struct load *wanted[SIM_LOADS_MAX], *loaded[SIM_LOADS_MAX];
    size_t wanted_count, loaded_count;
    enum sim_job job, last_job;
    bool is_told;        /* the group of the results is durable; check-points are next */
    bool loads_are_next; /* after a commit */
    struct store_results results;
    bool forgets; /* a control: an end leaves the disk as before the last commit */
    struct power_disk *before;
};

void sim_disk_init(struct sim_disk *d, const struct store_options *o);
void sim_disk_fini(struct sim_disk *d);

/* Opens and loads. When `calls` is not 0 the power goes after so many operations of the disk: an error. */
enum error sim_disk_open(struct sim_disk *d, int64_t low_water_ms, const uint64_t seed[2],
                         unsigned calls, struct state **out, const char **problem);
void sim_disk_commit(struct sim_disk *d, struct group *g); /* takes g */
void sim_disk_load(struct sim_disk *d, struct load *l);    /* takes l */
/* Begins the next job when none is under way; SIM_NO_JOB: nothing to do. */
enum sim_job sim_disk_begin(struct sim_disk *d);
/* Ends the job under way; with `calls`, the disk fails after so many operations. True when there is something to
 * collect. */
bool sim_disk_work(struct sim_disk *d, unsigned calls);
/* As store_thread_collect. */
void sim_disk_collect(struct sim_disk *d, struct store_results *out);
/* The process or the machine ends, `calls` operations into the job under way (0: before the first). */
void sim_disk_end(struct sim_disk *d, enum sim_end how, unsigned calls, uint64_t seed);

#endif
