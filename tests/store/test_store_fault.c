/* tests/store/test_store_fault.c: the power goes at any time; the disk fills. Whatever was committed is
 * there, and whatever is there was decided. */
#include "tests/lib/fault_vfs.h"
#include "tests/lib/outbox.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>
#include <cmocka.h>

#define GROUPS 14

/* The groups, and the state's digest after each. */
struct story {
    struct group *groups[GROUPS];
    struct digest digests[GROUPS];
    uint64_t ends[GROUPS];
    struct history history;
};

static void story_init(struct story *y, uint64_t seed)
{
    struct state *state = state_empty(ID_NONE);
    history_init(&y->history, seed);
    y->history.big_body_percent = 4;
    for (unsigned i = 0; i < GROUPS; i++) {
        y->groups[i] = i == 0 ? history_directory(&y->history) : history_group(&y->history, 20);
        state_apply_group(state, y->groups[i]);
        y->digests[i] = state_digest_of(state);
        y->ends[i] = y->history.lsn;
    }
    state_free(state);
}

static void story_fini(struct story *y)
{
    for (unsigned i = 0; i < GROUPS; i++)
        group_free(y->groups[i]);
    history_fini(&y->history);
}

static struct store_options options_of(const char *directory, const char *vfs)
{
    struct store_options o = outbox_options(directory);
    o.vfs = vfs;
    o.checkpoint_pages = 12;
    o.fold_slice_bytes = 1500;
    return o;
}

struct outcome {
    unsigned committed; /* groups whose commit succeeded */
    bool was_opened;
    enum error failed;
};

/* Opens, commits with folds between, closes; stops at the first failure. */
static struct outcome run_story(const struct story *y, const char *directory, const char *vfs,
                                unsigned groups_max)
{
    struct outcome r = {0};
    struct store_options o = options_of(directory, vfs);
    const char *problem;
    struct store *s;
    bool is_done;
    r.failed = store_open(&s, &o, &problem);
    if (r.failed != ERROR_NONE) {
        assert_non_null(problem);
        return r;
    }
    r.was_opened = true;
    for (unsigned i = 0; i < groups_max && r.failed == ERROR_NONE; i++) {
        r.failed = store_commit(s, y->groups[i]);
        if (r.failed != ERROR_NONE)
            break;
        r.committed++;
        if (i % 3 == 2)
            r.failed = store_fold(s, &is_done);
    }
    if (r.failed != ERROR_NONE) { /* dead: nothing is tried again */
        unsigned calls = fault_vfs_calls();
        bool unused;
        assert_int_equal(store_fold(s, &unused), r.failed);
        if (r.committed < GROUPS) {
            assert_int_equal(store_commit(s, y->groups[r.committed]), r.failed);
            assert_int_equal(store_lsn(s), r.committed == 0 ? 0 : y->ends[r.committed - 1]);
        }
        assert_int_equal(fault_vfs_calls(), calls);
        store_close(s);
        assert_int_equal(fault_vfs_calls(), calls); /* closing leaves the disk as it is */
        return r;
    }
    store_close(s);
    return r;
}

/* A start finds a state that the story had, at or after its last commit that succeeded. */
static void assert_consistent(const struct story *y, const char *directory, unsigned committed,
                              const char *what, uint64_t number)
{
    struct store_options o = options_of(directory, NULL);
    const char *problem;
    struct store *s;
    enum error e = store_open(&s, &o, &problem);
    if (e != ERROR_NONE)
        fail_msg("%s %d: the store does not open: %s: %s", what, (int)number, error_name(e),
                 problem);
    uint64_t lsn = store_lsn(s);
    unsigned at = 0;
    while (at < GROUPS && y->ends[at] < lsn)
        at++;
    if (lsn == 0) {
        if (committed != 0)
            fail_msg("%s %d: all is gone", what, (int)number);
        store_close(s);
        return;
    }
    if (at == GROUPS || y->ends[at] != lsn || at + 1 < committed)
        fail_msg("%s %d: found lsn %d after %u commits", what, (int)number, (int)lsn, committed);
    struct state *state = outbox_load(s);
    struct digest found = state_digest_of(state);
    if (!digest_equal(&found, &y->digests[at]))
        fail_msg("%s %d: another state at lsn %d", what, (int)number, (int)lsn);
    state_free(state);
    outbox_fold_all(s);
    state = outbox_load(s);
    found = state_digest_of(state);
    if (!digest_equal(&found, &y->digests[at]))
        fail_msg("%s %d: another state after folding", what, (int)number);
    state_free(state);
    store_close(s);
}

/* The power goes after some commits, in the middle of a write or a sync, with what was not synced
 * lost in part. */
static void test_power_cuts(void **unused)
{
    struct story y;
    story_init(&y, 12);
    for (uint64_t seed = 1; seed <= 300 / OUTBOX_TEST_PART; seed++) {
        char *directory = directory_new(), *left = directory_new();
        fault_vfs_keep(true);
        fault_vfs_fail(FAULT_CHANGES | FAULT_SYNCS, 1 + (unsigned)(seed * 7919 % 700), true);
        struct outcome r = run_story(&y, directory, FAULT_VFS, GROUPS);
        fault_vfs_fail(0, 0, false);
        fault_vfs_cut(left, seed);
        fault_vfs_keep(false);
        assert_consistent(&y, left, r.committed, "power cut", seed);
        directory_free(directory);
        directory_free(left);
    }
    story_fini(&y);
}

/* A process ended between writing and syncing. What the next start finds, it may tell; so from then
 * on it must be on disk for good, though that start has not committed anything yet. */
static void test_what_a_start_finds_is_durable(void **unused)
{
    struct story y;
    unsigned unsynced = 0;
    story_init(&y, 15);
    for (unsigned n = 8; n <= 40; n += OUTBOX_TEST_PART > 1 ? 3 : 1) {
        char *directory = directory_new(), *left = directory_new();
        struct store_options o = options_of(directory, FAULT_VFS);
        const char *problem;
        struct store *s;
        fault_vfs_keep(true);
        fault_vfs_fail(FAULT_SYNCS, n, true);
        struct outcome r = run_story(&y, directory, FAULT_VFS, GROUPS);
        fault_vfs_fail(0, 0, false);
        assert_int_equal(store_open(&s, &o, &problem), ERROR_NONE);
        uint64_t lsn = store_lsn(s);
        unsynced += lsn > (r.committed == 0 ? 0 : y.ends[r.committed - 1]);
        for (uint64_t seed = 1; seed <= 5; seed++) {
            fault_vfs_cut(left, seed);
            struct store *after = outbox_open(left);
            if (store_lsn(after) < lsn)
                fail_msg("sync %u, seed %d: lsn %d was found, then %d", n, (int)seed, (int)lsn,
                         (int)store_lsn(after));
            store_close(after);
        }
        store_close(s);
        fault_vfs_keep(false);
        directory_free(directory);
        directory_free(left);
    }
    assert_true(unsynced > 0);
    story_fini(&y);
}

/* A store that was closed in good order: nothing of it is lost. */
static void test_power_cut_after_the_end(void **unused)
{
    struct story y;
    story_init(&y, 13);
    for (uint64_t seed = 1; seed <= 20; seed++) {
        char *directory = directory_new(), *left = directory_new();
        fault_vfs_keep(true);
        struct outcome r = run_story(&y, directory, FAULT_VFS, GROUPS);
        assert_int_equal(r.committed, GROUPS);
        fault_vfs_cut(left, seed);
        fault_vfs_keep(false);
        assert_consistent(&y, left, GROUPS, "power cut after the end", seed);
        directory_free(directory);
        directory_free(left);
    }
    story_fini(&y);
}

/* Fills the disk: there is a word of warning first, then a commit fails; what was committed is there. */
static void test_disk_full(void **unused)
{
    struct history w;
    char *directory = directory_new();
    if (mount("brug-test", directory, "tmpfs", 0, "size=64m,mode=0700") != 0) {
        print_message("SKIP: a small file system needs the right to mount one\n");
        directory_free(directory);
        skip();
    }
    struct store_options o = options_of(directory, NULL);
    const char *problem;
    struct store *s;
    enum error e = ERROR_NONE;
    bool was_told = false;
    o.reserve_bytes = 1 << 20;
    assert_int_equal(store_open(&s, &o, &problem), ERROR_NONE);
    assert_true(store_has_room(s));
    struct state *state = state_empty(store_generation(s));
    struct digest before = {{0}}, after = state_digest_of(state);
    history_init(&w, 14);
    while (e == ERROR_NONE) {
        struct group *g = w.lsn == 0 ? history_directory(&w) : history_load(&w, 20, 1000, true);
        state_apply_group(state, g);
        before = after;
        after = state_digest_of(state);
        was_told |= !store_has_room(s);
        e = store_commit(s, g);
        group_free(g);
    }
    uint64_t committed = store_lsn(s);
    assert_int_equal(e, ERROR_IO);
    assert_true(was_told && committed > 100);
    store_close(s);
    assert_int_equal(mount("brug-test", directory, "tmpfs", MS_REMOUNT, "size=96m,mode=0700"), 0);
    s = outbox_open(directory);
    struct state *loaded = outbox_load(s);
    struct digest found = state_digest_of(loaded);
    assert_true(store_lsn(s) >= committed);
    assert_true(digest_equal(&found, store_lsn(s) == committed ? &before : &after));
    state_free(loaded);
    store_close(s);
    assert_int_equal(umount(directory), 0);
    state_free(state);
    history_fini(&w);
    directory_free(directory);
}

static int set_up(void **unused)
{
    fault_vfs_register();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_power_cuts),
        cmocka_unit_test(test_what_a_start_finds_is_durable),
        cmocka_unit_test(test_power_cut_after_the_end),
        cmocka_unit_test(test_disk_full),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
