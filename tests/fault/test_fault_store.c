/*
 * tests/fault/test_fault_store.c: every call under the store fails, the n-th for all n, once and for good: with an I/O
 * error, a full disk, half of the work done, a sync that fails and forgets the unsynced pages.
 *
 * The outcome of each: what was confirmed is there, the store is dead after its first failure, a load that
 * fails says so, and a start without faults finds groups whole and in order. The same judge must flag disks
 * that say OK and do nothing.
 *
 * Environment: CALLS that are tried of each kind and way at most.
 */
#include "tests/lib/directory.h"
#include "tests/lib/fault_vfs.h"
#include "tests/lib/proof.h"
#include "tests/lib/story.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define GROUPS 14

struct way {
    const char *name;
    unsigned kinds;
    enum fault_how how;
    bool database_only;
};

static const struct way WAYS[] = {
    {"a write that fails", FAULT_WRITES, FAULT_EIO, false},
    {"a write to a full disk", FAULT_WRITES, FAULT_FULL, false},
    {"half a write", FAULT_WRITES, FAULT_SHORT, false},
    {"a write of the check-point", FAULT_WRITES, FAULT_EIO, true},
    {"a sync that fails", FAULT_SYNCS, FAULT_EIO, false},
    {"a sync that forgets", FAULT_SYNCS, FAULT_DROPS, false},
    {"a sync of the check-point", FAULT_SYNCS, FAULT_EIO, true},
    {"a sync of the check-point that forgets", FAULT_SYNCS, FAULT_DROPS, true},
    {"a read that fails", FAULT_READS, FAULT_EIO, false},
    {"half a read", FAULT_READS, FAULT_SHORT, false},
    {"a truncation that fails", FAULT_TRUNCATES, FAULT_EIO, false},
    {"a deletion that fails", FAULT_DELETES, FAULT_EIO, false},
    {"an open that fails", FAULT_OPENS, FAULT_EIO, false},
    {"a size that cannot be told", FAULT_SIZES, FAULT_EIO, false},
    {"a lock that fails", FAULT_LOCKS, FAULT_EIO, false},
    {"a look for a file that fails", FAULT_ACCESSES, FAULT_EIO, false},
    {"a full disk or a failing sync", FAULT_CHANGES | FAULT_SYNCS, FAULT_FULL, false},
};

struct tally {
    uint64_t calls, failures, violations;
    char why[300];
};

static void note(struct tally *t, const struct way *w, unsigned n, bool stays, const char *what)
{
    if (t->violations++ == 0)
        snprintf(t->why, sizeof t->why, "%s, call %u%s: %s", w->name, n, stays ? ", for good" : "",
                 what);
}

/* ---- the life of a store ---- */

static void arm(const struct way *w, unsigned n, bool stays)
{
    fault_vfs_how(w->how);
    fault_vfs_databases_only(w->database_only);
    fault_vfs_fail(w->kinds, n, stays);
}

static void disarm(void)
{
    static const struct way none = {"nothing", 0, FAULT_FULL, false};
    arm(&none, 0, false);
}

/* One call fails; false: there is no n-th one. */
static bool fail_one(const struct story *y, const struct way *w, unsigned n, bool stays,
                     struct tally *t)
{
    char *directory = directory_new(), why[200];
    fault_vfs_keep(w->how == FAULT_DROPS || w->how == FAULT_LIE);
    arm(w, n, stays);
    struct story_run r = story_run(y, directory, FAULT_VFS, y->count, NULL);
    bool has_failed = fault_vfs_failed();
    disarm();
    if (w->how == FAULT_LIE) /* and then the power goes */
        fault_vfs_cut(directory, n);
    fault_vfs_keep(false);
    t->calls += has_failed;
    t->failures += r.failed != ERROR_NONE;
    if (r.is_tried_after)
        note(t, w, n, stays, "a dead store did something more");
    if (!has_failed && r.confirmed != y->count)
        note(t, w, n, stays, "a failure without a fault");
    if (story_judge(y, directory, NULL, r.confirmed, why) != STORY_RIGHT)
        note(t, w, n, stays, why);
    directory_free(directory);
    return has_failed;
}

static unsigned count_calls(const struct story *y, const struct way *w)
{
    char *directory = directory_new();
    arm(w, UINT32_MAX, false);
    (void)story_run(y, directory, FAULT_VFS, y->count, NULL);
    unsigned calls = fault_vfs_calls();
    disarm();
    directory_free(directory);
    return calls;
}

/* All calls, or so many that lie evenly among them. */
static void fail_each(const struct story *y, const struct way *w, uint64_t max, struct tally *t)
{
    unsigned calls = count_calls(y, w), stride = (unsigned)(calls / max + 1);
    assert_true(calls > 0);
    uint64_t failures = t->failures;
    for (unsigned n = 1; n <= calls; n += stride) {
        (void)fail_one(y, w, n, false, t);
        (void)fail_one(y, w, n, true, t);
    }
    print_message("# %s: %u calls, every %u, %d lives ended early\n", w->name, calls, stride,
                  (int)(t->failures - failures));
}

/* ---- a store that only reads ---- */

/* Returns whether the fault was told. */
static bool fail_one_read(const struct story *y, const struct way *w, unsigned n, bool stays,
                          const char *directory, struct tally *t)
{
    char *copy = directory_copy(directory), why[200];
    arm(w, n, stays);
    enum story_verdict v = story_judge(y, copy, FAULT_VFS, y->count, why);
    t->calls += fault_vfs_failed();
    if (v == STORY_WRONG)
        note(t, w, n, stays, why);
    disarm();
    directory_free(copy);
    return v == STORY_REFUSED;
}

/* Opens a store that is there, loads, asks for everything: with a fault it says so or tells the truth. */
static void fail_reading(const struct story *y, uint64_t max, struct tally *t)
{
    static const struct way reads[] = {
        {"reading: an error", FAULT_READS | FAULT_SIZES, FAULT_EIO, false},
        {"reading: half", FAULT_READS, FAULT_SHORT, false},
    };
    char *directory = directory_new(), why[200];
    assert_int_equal(story_run(y, directory, NULL, y->count, NULL).confirmed, y->count);
    for (unsigned i = 0; i < 2; i++) {
        const struct way *w = &reads[i];
        char *copy = directory_copy(directory);
        arm(w, UINT32_MAX, false);
        assert_int_equal(story_judge(y, copy, FAULT_VFS, y->count, why), STORY_RIGHT);
        unsigned calls = fault_vfs_calls(), stride = (unsigned)(calls / max + 1), refused = 0;
        directory_free(copy);
        for (unsigned n = 1; n <= calls; n += stride) {
            refused += fail_one_read(y, w, n, false, directory, t);
            refused += fail_one_read(y, w, n, true, directory, t);
        }
        print_message("# %s: %u calls, every %u, %u told\n", w->name, calls, stride, refused);
        assert_true(refused > 0);
    }
    directory_free(directory);
}

static const struct way asking = {"asking", FAULT_READS, FAULT_EIO, false};

/* Asks an open store, in so many calls; returns whether the fault was told. */
static bool fail_one_question(const struct story *y, const struct store_options *o, unsigned n,
                              bool stays, unsigned *calls, struct tally *t)
{
    const char *problem;
    char why[200];
    struct store *s;
    assert_int_equal(store_open(&s, o, &problem), ERROR_NONE);
    arm(&asking, n, stays);
    enum story_verdict v = story_ask(y, s, why);
    t->calls += fault_vfs_failed();
    if (v == STORY_WRONG || (v == STORY_RIGHT && fault_vfs_failed()))
        note(t, &asking, n, stays, why);
    *calls = fault_vfs_calls();
    disarm();
    store_close(s);
    return v == STORY_REFUSED;
}

/* A store that was opened well, with nothing in its cache but what a start reads: cold loads meet the faults. A load
 * that fails is never "not found": the relay would take a repeat for new. */
static void fail_asking(const struct story *y, uint64_t max, struct tally *t)
{
    char *directory = directory_new();
    struct store_options o = story_options(directory, FAULT_VFS);
    assert_int_equal(story_run(y, directory, NULL, y->count, NULL).confirmed, y->count);
    struct store *s = outbox_open(directory);
    outbox_fold_all(s);
    store_close(s);
    unsigned calls, ignored, refused = 0;
    (void)fail_one_question(y, &o, UINT32_MAX, false, &calls, t); /* none fails: they are counted */
    for (unsigned n = 1; n <= calls; n += (unsigned)(calls / max + 1)) {
        refused += fail_one_question(y, &o, n, false, &ignored, t);
        refused += fail_one_question(y, &o, n, true, &ignored, t);
    }
    print_message("# asking: %u calls, %u told\n", calls, refused);
    assert_true(refused > 0);
    directory_free(directory);
}

/* ---- controls ---- */

static bool is_flagged(const struct story *y, const struct way *w)
{
    struct tally t = {0};
    unsigned calls = count_calls(y, w);
    for (unsigned n = 1; n <= calls && t.violations == 0; n += calls / 40 + 1)
        (void)fail_one(y, w, n, true, &t);
    print_message("# control '%s': %s\n", w->name, t.why);
    return t.violations > 0;
}

static void test_every_call_fails(void **unused)
{
    static const struct way controls[] = {
        {"writes that are not made", FAULT_WRITES, FAULT_LIE, false},
        {"syncs that are not made", FAULT_SYNCS, FAULT_LIE, false},
        {"check-points that are not made", FAULT_WRITES, FAULT_LIE, true},
    };
    const unsigned control_count = sizeof controls / sizeof controls[0];
    struct story y;
    struct tally t = {0};
    unsigned flagged = 0;
    double began = proof_seconds();
    uint64_t max = proof_size("CALLS", 20, 4000) / OUTBOX_TEST_PART + 1;
    story_init(&y, 11, GROUPS, 20);
    for (size_t i = 0; i < sizeof WAYS / sizeof WAYS[0]; i++)
        fail_each(&y, &WAYS[i], max, &t);
    fail_reading(&y, max, &t);
    fail_asking(&y, max, &t);
    for (unsigned i = 0; i < control_count; i++)
        flagged += is_flagged(&y, &controls[i]);
    struct proof p = {.claim = "store: any call may fail, nothing confirmed is lost",
                      .unit = "calls",
                      .done = t.calls,
                      .violations = t.violations,
                      .controls = control_count,
                      .controls_failed = flagged,
                      .seconds = proof_seconds() - began};
    proof_report(&p);
    if (t.violations > 0)
        fail_msg("%s", t.why);
    assert_int_equal(flagged, control_count);
    story_fini(&y);
}

/* ---- a check-point whose error SQLite would keep to itself ---- */

/* With the last group committed and folded, only check-points are left to fail: they are told, and the next start
 * makes them again. */
static void test_a_failed_checkpoint_is_told(void **unused)
{
    static const struct way ways[] = {
        {"a write", FAULT_WRITES, FAULT_EIO, true},
        {"a sync", FAULT_SYNCS, FAULT_EIO, true},
    };
    struct story y;
    char why[200];
    story_init(&y, 17, 6, 20);
    for (unsigned i = 0; i < 2; i++)
        for (unsigned at_close = 0; at_close < 2; at_close++) {
            char *directory = directory_new();
            struct store_options o = story_options(directory, FAULT_VFS);
            const char *problem;
            struct store *s;
            bool is_done = false;
            o.checkpoint_pages = 4;
            assert_int_equal(store_open(&s, &o, &problem), ERROR_NONE);
            for (unsigned g = 0; g + 1 < y.count; g++)
                assert_int_equal(store_commit(s, y.groups[g]), ERROR_NONE);
            outbox_fold_all(s);
            assert_int_equal(store_commit(s, y.groups[y.count - 1]), ERROR_NONE);
            arm(&ways[i], 1, true);
            if (!at_close) {
                assert_int_equal(store_fold(s, &is_done), ERROR_IO);
                assert_int_equal(store_fold(s, &is_done), ERROR_IO);
            }
            store_close(s);
            assert_true(fault_vfs_failed());
            assert_int_equal(store_open(&s, &o, &problem), ERROR_IO); /* still failing: told */
            assert_non_null(problem);
            disarm();
            if (story_judge(&y, directory, NULL, y.count, why) != STORY_RIGHT)
                fail_msg("%s", why);
            directory_free(directory);
        }
    story_fini(&y);
}

static int set_up(void **unused)
{
    fault_vfs_register();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_call_fails),
        cmocka_unit_test(test_a_failed_checkpoint_is_told),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
