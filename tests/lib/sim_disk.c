/*
 * tests/lib/sim_disk.c: see sim_disk.h.
 *
 * An end makes a new disk of the old one: after a kill with all that was written, after a power cut with what was
 * synced and some of the rest, a third of the time with garbage in what was under way. The old store is closed over a disk that is off.
 */
#include "tests/lib/sim_disk.h"
#include "daemon/store/inside.h"
#include "tests/lib/directory.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define LOADS_AT_ONCE 64u

/* ---- life ---- */

static void insert(struct sim_disk *d, struct power_disk *disk)
{
    d->disk = disk;
    power_mount(d->directory, disk);
    power_keep(disk, POWER_PENDING);
}

void sim_disk_init(struct sim_disk *d, const struct store_options *o)
{
    memset(d, 0, sizeof *d);
    d->directory = directory_new();
    power_vfs_register(false);
    insert(d, power_disk_new());
    d->options = *o;
    d->options.directory = d->directory;
    d->options.vfs = POWER_VFS;
}

static void drop_work(struct sim_disk *d)
{
    for (size_t i = 0; i < d->wanted_count; i++)
        load_free(d->wanted[i]);
    for (size_t i = 0; i < d->loaded_count; i++)
        load_free(d->loaded[i]);
    d->wanted_count = d->loaded_count = 0;
    group_free(d->results.group);
    memset(&d->results, 0, sizeof d->results);
    d->job = d->last_job = SIM_NO_JOB;
    d->is_told = d->loads_are_next = false;
}

/* Leaves the disk as it is. */
static void drop_store(struct sim_disk *d)
{
    power_off(d->disk);
    store_close(d->store);
    d->store = NULL;
}

void sim_disk_fini(struct sim_disk *d)
{
    char lock[512];
    drop_store(d);
    drop_work(d);
    group_free(d->group);
    power_disk_free(d->disk);
    power_disk_free(d->before);
    (void)snprintf(lock, sizeof lock, "%s/brug.lock", d->directory);
    assert_int_equal(unlink(lock), 0);
    assert_int_equal(rmdir(d->directory), 0); /* all other files were on the disk of our making */
    free(d->directory);
}

static void post_figures(struct sim_disk *d)
{
    const struct store *s = d->store;
    d->results.has_room = store_has_room(s);
    d->results.is_behind = store_is_behind(s);
    d->results.folded_lsn = store_folded_lsn(s);
    d->results.free_bytes = store_free_bytes(s);
    d->results.failed = s->failed;
    d->results.problem = s->problem;
}

enum error sim_disk_open(struct sim_disk *d, int64_t low_water_ms, const uint64_t seed[2],
                         unsigned calls, struct state **out, const char **problem)
{
    if (calls)
        power_off_after(d->disk, calls);
    enum error e = store_open(&d->store, &d->options, problem);
    if (!e) {
        *out = state_new(seed);
        assert_non_null(*out);
        e = store_load(d->store, *out, low_water_ms, problem);
    }
    if (!e && power_is_off(d->disk))
        e = ERROR_IO; /* its consequence was still to come */
    power_off_after(d->disk, UINT64_MAX);
    if (!e) {
        post_figures(d);
        return e;
    }
    if (d->store) {
        state_free(*out);
        drop_store(d);
    }
    *out = NULL;
    return e;
}

/* ---- work ---- */

void sim_disk_commit(struct sim_disk *d, struct group *g)
{
    assert_null(d->group);
    d->group = g;
}

void sim_disk_load(struct sim_disk *d, struct load *l)
{
    assert_true(d->wanted_count < SIM_LOADS_MAX);
    d->wanted[d->wanted_count++] = l;
}

enum sim_job sim_disk_begin(struct sim_disk *d)
{
    if (d->job != SIM_NO_JOB || !d->store || d->results.failed)
        return SIM_NO_JOB;
    if (d->is_told)
        d->job = SIM_TIDY;
    else if (d->wanted_count > 0 && (d->loads_are_next || !d->group))
        d->job = SIM_LOADS;
    else if (d->group)
        d->job = SIM_COMMIT;
    else if (store_folded_lsn(d->store) < store_lsn(d->store))
        d->job = SIM_FOLD;
    return d->job;
}

static bool work_commit(struct sim_disk *d)
{
    if (d->forgets) {
        power_disk_free(d->before);
        d->before = power_disk_clone(d->disk);
    }
    enum error e = store_commit(d->store, d->group);
    post_figures(d);
    if (e)
        return true;
    assert_null(d->results.group);
    d->results.durable_lsn = store_lsn(d->store);
    d->results.group = d->group;
    d->group = NULL;
    d->is_told = d->loads_are_next = true;
    return true;
}

static bool work_tidy(struct sim_disk *d)
{
    d->is_told = false;
    enum error e = store_tidy(d->store);
    post_figures(d);
    return e != ERROR_NONE;
}

static bool work_loads(struct sim_disk *d)
{
    size_t n = d->wanted_count < LOADS_AT_ONCE ? d->wanted_count : LOADS_AT_ONCE;
    for (size_t i = 0; i < n; i++) {
        assert_true(d->loaded_count < SIM_LOADS_MAX);
        store_load_one(d->store, d->wanted[i]);
        d->loaded[d->loaded_count++] = d->wanted[i];
    }
    d->wanted_count -= n;
    memmove(d->wanted, d->wanted + n, d->wanted_count * sizeof d->wanted[0]);
    d->loads_are_next = false;
    return true;
}

static bool work_fold(struct sim_disk *d)
{
    bool is_done, was_behind = d->results.is_behind;
    enum error e = store_fold(d->store, &is_done);
    post_figures(d);
    return e != ERROR_NONE || was_behind != d->results.is_behind;
}

static bool work(struct sim_disk *d, enum sim_job job)
{
    switch (job) {
    case SIM_COMMIT:
        return work_commit(d);
    case SIM_TIDY:
        return work_tidy(d);
    case SIM_LOADS:
        return work_loads(d);
    case SIM_FOLD:
        return work_fold(d);
    default:
        return false;
    }
}

bool sim_disk_work(struct sim_disk *d, unsigned calls)
{
    enum sim_job job = d->job;
    d->job = SIM_NO_JOB;
    d->last_job = job;
    if (calls)
        power_off_after(d->disk, calls);
    bool is_posted = work(d, job);
    power_off_after(d->disk, UINT64_MAX);
    if (!power_is_off(d->disk))
        return is_posted;
    if (d->results.durable_lsn) { /* it came so far, and then the process knew no more */
        d->group = d->results.group;
        d->results.group = NULL;
        d->results.durable_lsn = 0;
    }
    d->results.failed = ERROR_IO;
    return true;
}

void sim_disk_collect(struct sim_disk *d, struct store_results *out)
{
    size_t n = d->loaded_count < LOADS_AT_ONCE ? d->loaded_count : LOADS_AT_ONCE;
    *out = d->results;
    memcpy(out->loads, d->loaded, n * sizeof d->loaded[0]);
    out->load_count = n;
    d->loaded_count -= n;
    memmove(d->loaded, d->loaded + n, d->loaded_count * sizeof d->loaded[0]);
    d->results.group = NULL;
    d->results.durable_lsn = 0;
}

/* ---- ends ---- */

/* So far came the job that was under way. */
static void work_in_part(struct sim_disk *d, unsigned calls)
{
    bool is_done;
    enum error e = ERROR_NONE;
    power_off_after(d->disk, calls);
    if (d->job == SIM_COMMIT)
        e = store_commit(d->store, d->group);
    else if (d->job == SIM_FOLD)
        e = store_fold(d->store, &is_done);
    else if (d->job == SIM_TIDY)
        e = store_tidy(d->store);
    (void)e; /* nobody will hear of it */
}

/* After a kill all that was written is there, seed 1 says. */
static struct power_disk *left(struct sim_disk *d, enum sim_end how, uint64_t seed)
{
    if (d->forgets && d->before)
        return power_disk_clone(d->before);
    return power_cut(d->disk, how == SIM_KILL ? 1 : seed, how == SIM_POWER_CUT && seed % 3 == 0);
}

void sim_disk_end(struct sim_disk *d, enum sim_end how, unsigned calls, uint64_t seed)
{
    if (calls > 0 && d->store)
        work_in_part(d, calls);
    struct power_disk *next = left(d, how, seed);
    drop_store(d);
    drop_work(d);
    power_disk_free(d->disk);
    insert(d, next);
}
