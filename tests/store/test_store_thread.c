/* tests/store/test_store_thread.c: the store on its own thread: what is handed over comes back,
 * durable or failed; nothing is lost at the end. */
#include "tests/lib/directory.h"
#include "tests/lib/fault_vfs.h"
#include "tests/lib/outbox.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#define SECONDS_MAX 30

struct bell {
    pthread_mutex_t mutex;
    pthread_cond_t rung;
    bool is_rung;
};

static void ring(void *ctx)
{
    struct bell *b = ctx;
    pthread_mutex_lock(&b->mutex);
    b->is_rung = true;
    pthread_cond_signal(&b->rung);
    pthread_mutex_unlock(&b->mutex);
}

/* False after so long without a ring. */
static bool wait_for_ring(struct bell *b)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += SECONDS_MAX;
    int code = 0;
    pthread_mutex_lock(&b->mutex);
    while (!b->is_rung && code == 0)
        code = pthread_cond_timedwait(&b->rung, &b->mutex, &until);
    b->is_rung = false;
    pthread_mutex_unlock(&b->mutex);
    return code == 0;
}

struct thread_test {
    char *directory;
    struct store_thread *thread;
    struct bell bell;
    struct history history;
    struct state *state;
};

static void begin(struct thread_test *t, const char *vfs, uint64_t seed)
{
    *t = (struct thread_test){.directory = directory_new(),
                              .bell = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false}};
    struct store_options o = outbox_options(t->directory);
    const char *problem;
    struct store *s;
    o.vfs = vfs;
    assert_int_equal(store_open(&s, &o, &problem), ERROR_NONE);
    t->state = state_empty(store_generation(s));
    assert_int_equal(store_thread_start(&t->thread, &s, ring, &t->bell), ERROR_NONE);
    assert_null(s);
    history_init(&t->history, seed);
}

static struct group *next_group(struct thread_test *t)
{
    struct group *g =
        t->history.lsn == 0 ? history_directory(&t->history) : history_group(&t->history, 20);
    state_apply_group(t->state, g);
    return g;
}

static void end(struct thread_test *t)
{
    state_free(t->state);
    history_fini(&t->history);
    directory_free(t->directory);
}

/* A start finds all that was handed over. */
static void assert_all_there(struct thread_test *t)
{
    struct store *s = outbox_open(t->directory);
    struct state *loaded = outbox_load(s);
    struct digest found = state_digest_of(loaded), expected = state_digest_of(t->state);
    assert_int_equal(store_lsn(s), t->history.lsn);
    assert_memory_equal(&found, &expected, sizeof found);
    state_free(loaded);
    store_close(s);
}

static void test_groups_become_durable(void **unused)
{
    struct thread_test t;
    struct store_results r;
    begin(&t, NULL, 1);
    for (unsigned i = 0; i < 40; i++) {
        struct group *g = next_group(&t);
        uint64_t lsn = 0;
        store_thread_commit(t.thread, g);
        while (lsn == 0) {
            assert_true(wait_for_ring(&t.bell));
            store_thread_collect(t.thread, &r);
            assert_int_equal(r.failed, ERROR_NONE);
            lsn = r.durable_lsn;
            assert_true((lsn != 0) == (r.group != NULL));
        }
        assert_ptr_equal(r.group, g);
        assert_int_equal(lsn, t.history.lsn);
        assert_true(r.has_room);
        assert_false(r.is_behind);
        group_free(r.group);
    }
    store_thread_collect(t.thread, &r);
    assert_int_equal(r.durable_lsn, 0);
    assert_null(r.group);
    store_thread_stop(t.thread);
    assert_all_there(&t);
    end(&t);
}

/* Loads go on between commits, all come back, each with its own answer. */
static void test_loads_between_commits(void **unused)
{
    struct thread_test t;
    struct store_results r;
    unsigned asked = 0, answered = 0, found = 0;
    bool is_committing = false;
    begin(&t, NULL, 2);
    for (unsigned groups = 0; groups < 20 || is_committing || answered < asked;) {
        if (!is_committing && groups < 20) {
            store_thread_commit(t.thread, next_group(&t));
            is_committing = true;
            groups++;
            for (unsigned i = 0; i < 150; i++, asked++) {
                struct load *l = load_new(LOAD_BODY);
                l->body_lsn = 1 + history_random(&t.history, t.history.lsn);
                store_thread_load(t.thread, l);
            }
        }
        assert_true(wait_for_ring(&t.bell));
        do {
            store_thread_collect(t.thread, &r);
            assert_int_equal(r.failed, ERROR_NONE);
            if (r.group != NULL)
                is_committing = false;
            group_free(r.group);
            for (size_t i = 0; i < r.load_count; i++, answered++) {
                found += r.loads[i]->result == ERROR_NONE;
                assert_true(r.loads[i]->result == ERROR_NONE ||
                            r.loads[i]->result == ERROR_NOT_FOUND);
                load_free(r.loads[i]);
            }
        } while (r.load_count == 64);
    }
    assert_int_equal(asked, answered);
    assert_true(found > 100);
    store_thread_stop(t.thread);
    assert_all_there(&t);
    end(&t);
}

/* Left alone, the thread folds everything. */
static void test_folds_when_idle(void **unused)
{
    struct thread_test t;
    struct store_results r;
    begin(&t, NULL, 3);
    for (unsigned i = 0; i < 3; i++) {
        store_thread_commit(t.thread, next_group(&t));
        do {
            assert_true(wait_for_ring(&t.bell));
            store_thread_collect(t.thread, &r);
        } while (r.group == NULL);
        group_free(r.group);
    }
    for (unsigned i = 0; i < SECONDS_MAX * 100 && r.folded_lsn < t.history.lsn; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        store_thread_collect(t.thread, &r);
    }
    assert_int_equal(r.folded_lsn, t.history.lsn);
    store_thread_stop(t.thread);
    assert_int_equal(outbox_sql(t.directory, "brug.db", "SELECT count(*) FROM journal"), 0);
    assert_all_there(&t);
    end(&t);
}

/* What was handed over before the stop is done, though nobody collects it. */
static void test_stop_finishes_what_was_handed_over(void **unused)
{
    struct thread_test t;
    for (unsigned round = 0; round < 20; round++) {
        begin(&t, NULL, 100 + round);
        store_thread_commit(t.thread, next_group(&t));
        for (unsigned i = 0; i < round; i++) {
            struct load *l = load_new(LOAD_BODY);
            l->body_lsn = 3;
            store_thread_load(t.thread, l);
        }
        store_thread_stop(t.thread);
        assert_all_there(&t);
        end(&t);
    }
}

/* After a failed write nothing is durable any more, whatever else is handed over. */
static void test_a_failure_is_posted(void **unused)
{
    struct thread_test t;
    struct store_results r = {0};
    uint64_t durable = 0;
    begin(&t, FAULT_VFS, 5);
    fault_vfs_fail(FAULT_SYNCS, 8, true);
    while (r.failed == ERROR_NONE) {
        store_thread_commit(t.thread, next_group(&t));
        do {
            assert_true(wait_for_ring(&t.bell));
            store_thread_collect(t.thread, &r);
            if (r.durable_lsn > 0)
                durable = r.durable_lsn;
        } while (r.group == NULL && r.failed == ERROR_NONE);
        if (r.failed != ERROR_NONE && r.group != NULL)
            break;
        group_free(r.group);
        r.group = NULL;
    }
    group_free(r.group);
    assert_int_equal(r.failed, ERROR_IO);
    assert_non_null(r.problem);
    struct load *l = load_new(LOAD_BODY);
    l->body_lsn = 1;
    store_thread_load(t.thread, l);
    store_thread_stop(t.thread);
    fault_vfs_fail(0, 0, false);
    struct store *s = outbox_open(t.directory);
    assert_true(durable > 0 && store_lsn(s) >= durable);
    store_close(s);
    end(&t);
}

static int set_up(void **unused)
{
    fault_vfs_register();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups_become_durable),
        cmocka_unit_test(test_loads_between_commits),
        cmocka_unit_test(test_folds_when_idle),
        cmocka_unit_test(test_stop_finishes_what_was_handed_over),
        cmocka_unit_test(test_a_failure_is_posted),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
