/*
 * daemon/store/thread.c: one store on a thread of its own.
 *
 * The owner hands over a group or loads and is woken when something finished; it then collects. The
 * storage thread commits a group as soon as there is one: the next group gathers at the owner while
 * this one is being written, so the disk itself sets the size of groups and no timer is needed.
 * Between commits it serves loads and a slice of an account. When nothing came for a moment it folds, a slice at
 * a time.
 *
 * Happy path: store_thread_commit → store_commit → "durable up to" is posted → wake → check-points
 * that are due.
 *
 * Failures: after the first failed write nothing more is done; the failure is posted, and what is
 * handed over later stays until store_thread_stop frees it.
 *
 * Invariants
 *  1. The store is touched by the storage thread alone; everything shared lies under the mutex.
 *  2. wake is called without the mutex, after the result can be collected.
 *  3. A group that was handed over is either posted as durable or the failure is.
 */
#include "base/clock.h"
#include "daemon/store/inside.h"
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#define LOADS_BETWEEN_COMMITS 64
/* Folding at once would delay the next commit and write what is about to be acknowledged. */
#define QUIET_BEFORE_FOLD_MS 50
/* While there is no room, how often to look whether somebody made some. */
#define ROOM_CHECK_MS 1000

/* Loads in order, a ring. The core's waiting room limits how many there are, so it may abort for
 * memory. */
struct load_queue {
    struct load **loads;
    size_t first, count, capacity;
};

struct store_thread {
    struct store *store; /* the storage thread's */
    store_wake_cb *wake;
    void *wake_ctx;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t handed_over;
    /* under the mutex */
    struct group *group; /* to be committed */
    struct load_queue wanted, loaded;
    struct account *account; /* under way */
    struct store_results results;
    bool is_stopping;
};

static void queue_grow(struct load_queue *q)
{
    size_t capacity = q->capacity == 0 ? 64 : q->capacity * 2;
    struct load **loads = calloc(capacity, sizeof *loads);
    assert(loads != NULL);
    for (size_t i = 0; i < q->count; i++)
        loads[i] = q->loads[(q->first + i) % q->capacity];
    free(q->loads);
    *q = (struct load_queue){loads, 0, q->count, capacity};
}

static void queue_put(struct load_queue *q, struct load *l)
{
    if (q->count == q->capacity)
        queue_grow(q);
    q->loads[(q->first + q->count) % q->capacity] = l;
    q->count++;
}

static struct load *queue_take(struct load_queue *q)
{
    if (q->count == 0)
        return NULL;
    struct load *l = q->loads[q->first];
    q->first = (q->first + 1) % q->capacity;
    q->count--;
    return l;
}

static void queue_fini(struct load_queue *q)
{
    struct load *l;
    while ((l = queue_take(q)) != NULL)
        load_free(l);
    free(q->loads);
}

/* ---- the storage thread; the mutex is held when each of these is called and returns ---- */

static void post_figures(struct store_thread *t)
{
    const struct store *s = t->store;
    t->results.has_room = store_has_room(s);
    t->results.is_behind = store_is_behind(s);
    t->results.folded_lsn = store_folded_lsn(s);
    t->results.free_bytes = store_free_bytes(s);
    t->results.needed_bytes = store_needed_bytes(s);
    if (t->results.failed == ERROR_NONE && s->failed != ERROR_NONE) {
        t->results.failed = s->failed;
        t->results.problem = s->problem;
    }
}

static void wake_owner(struct store_thread *t)
{
    pthread_mutex_unlock(&t->mutex);
    t->wake(t->wake_ctx);
    pthread_mutex_lock(&t->mutex);
}

static void do_commit(struct store_thread *t)
{
    struct group *g = t->group;
    pthread_mutex_unlock(&t->mutex);
    enum error e = store_commit(t->store, g);
    pthread_mutex_lock(&t->mutex);
    post_figures(t);
    if (e == ERROR_NONE) {
        t->group = NULL;
        t->results.group = g;
        t->results.durable_lsn = store_lsn(t->store);
    }
    pthread_mutex_unlock(&t->mutex);
    t->wake(t->wake_ctx);
    enum error tidied = store_tidy(t->store);
    pthread_mutex_lock(&t->mutex);
    post_figures(t);
    if (e == ERROR_NONE && tidied != ERROR_NONE)
        wake_owner(t);
}

/* Some of the loads, then the next commit has its turn. */
static void do_loads(struct store_thread *t)
{
    for (size_t i = 0; i < LOADS_BETWEEN_COMMITS; i++) {
        struct load *l = queue_take(&t->wanted);
        if (l == NULL)
            break;
        pthread_mutex_unlock(&t->mutex);
        store_load_one(t->store, l);
        pthread_mutex_lock(&t->mutex);
        queue_put(&t->loaded, l);
    }
    wake_owner(t);
}

/* Returns whether there is more to fold. */
static bool do_fold(struct store_thread *t)
{
    bool is_done = true;
    pthread_mutex_unlock(&t->mutex);
    enum error e = store_fold(t->store, &is_done);
    pthread_mutex_lock(&t->mutex);
    bool was_behind = t->results.is_behind;
    post_figures(t);
    if (e != ERROR_NONE || was_behind != t->results.is_behind)
        wake_owner(t);
    return e == ERROR_NONE && !is_done;
}

/* A slice, if it can go on. */
static void do_account(struct store_thread *t)
{
    struct account *a = t->account;
    bool is_done = false;
    if (a == NULL || account_waits_for_commit(a, t->store))
        return;
    pthread_mutex_unlock(&t->mutex);
    enum error e = account_step(a, t->store, &is_done);
    pthread_mutex_lock(&t->mutex);
    if (e == ERROR_NONE && !is_done)
        return;
    t->account = NULL;
    t->results.account = a;
    t->results.account_failed = e;
    wake_owner(t);
}

static void do_check_room(struct store_thread *t)
{
    bool had_room = t->results.has_room;
    store_check_room(t->store);
    post_figures(t);
    if (had_room != t->results.has_room)
        wake_owner(t);
}

/* False when so much time has passed without anything handed over. */
static bool wait_for(struct store_thread *t, long ms)
{
    int64_t until_ms = clock_now().mono_ms + ms;
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    return pthread_cond_timedwait(&t->handed_over, &t->mutex, &until) != ETIMEDOUT;
}

static bool has_work(const struct store_thread *t)
{
    return t->group != NULL || t->wanted.count > 0 || t->account != NULL || t->is_stopping;
}

/* Nothing was handed over: fold after a while, or wait. */
static void do_idle(struct store_thread *t)
{
    const struct store *s = t->store;
    if (t->account != NULL && !account_waits_for_commit(t->account, s)) {
        do_account(t);
    } else if (store_folded_lsn(s) < store_lsn(s)) {
        if (wait_for(t, QUIET_BEFORE_FOLD_MS))
            return;
        while (!has_work(t) && do_fold(t))
            continue;
    } else if (!t->results.has_room) {
        if (!wait_for(t, ROOM_CHECK_MS))
            do_check_room(t);
    } else {
        (void)pthread_cond_wait(&t->handed_over, &t->mutex); /* fails for no condition of ours */
    }
}

static void *run(void *ctx)
{
    struct store_thread *t = ctx;
    pthread_mutex_lock(&t->mutex);
    for (;;) {
        if (t->results.failed != ERROR_NONE) {
            if (t->is_stopping)
                break;
            (void)pthread_cond_wait(&t->handed_over, &t->mutex); /* as above */
            continue;
        }
        bool had_group = t->group != NULL;
        if (had_group)
            do_commit(t);
        if (had_group)
            do_account(t);
        if (t->wanted.count > 0)
            do_loads(t);
        else if (!had_group && t->is_stopping)
            break;
        else if (!had_group)
            do_idle(t);
    }
    pthread_mutex_unlock(&t->mutex);
    store_close(t->store);
    return NULL;
}

/* ---- the owner's thread ---- */

static enum error init_waiting(struct store_thread *t)
{
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0)
        return ERROR_NO_MEMORY;
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC); /* every Linux has it */
    int failed = pthread_cond_init(&t->handed_over, &attributes);
    (void)pthread_condattr_destroy(&attributes); /* nothing to be done about it */
    if (failed)
        return ERROR_NO_MEMORY;
    if (pthread_mutex_init(&t->mutex, NULL) != 0) {
        (void)pthread_cond_destroy(&t->handed_over); /* nobody waits */
        return ERROR_NO_MEMORY;
    }
    return ERROR_NONE;
}

static void free_all(struct store_thread *t)
{
    (void)pthread_cond_destroy(&t->handed_over); /* nobody waits */
    (void)pthread_mutex_destroy(&t->mutex);
    queue_fini(&t->wanted);
    queue_fini(&t->loaded);
    group_free(t->group);
    group_free(t->results.group);
    account_free(t->account);
    account_free(t->results.account);
    free(t);
}

enum error store_thread_start(struct store_thread **out, struct store **s, store_wake_cb *wake,
                              void *ctx)
{
    struct store_thread *t = calloc(1, sizeof *t);
    if (t == NULL)
        return ERROR_NO_MEMORY;
    t->store = *s;
    t->wake = wake;
    t->wake_ctx = ctx;
    enum error e = init_waiting(t);
    if (e != ERROR_NONE) {
        free(t);
        return e;
    }
    post_figures(t);
    if (pthread_create(&t->thread, NULL, run, t) != 0) {
        free_all(t);
        return ERROR_NO_MEMORY;
    }
    *s = NULL;
    *out = t;
    return ERROR_NONE;
}

void store_thread_commit(struct store_thread *t, struct group *g)
{
    pthread_mutex_lock(&t->mutex);
    assert(t->group == NULL);
    t->group = g;
    pthread_cond_signal(&t->handed_over);
    pthread_mutex_unlock(&t->mutex);
}

void store_thread_load(struct store_thread *t, struct load *l)
{
    pthread_mutex_lock(&t->mutex);
    queue_put(&t->wanted, l);
    pthread_cond_signal(&t->handed_over);
    pthread_mutex_unlock(&t->mutex);
}

void store_thread_account(struct store_thread *t, struct account *a)
{
    pthread_mutex_lock(&t->mutex);
    assert(t->account == NULL);
    t->account = a;
    pthread_cond_signal(&t->handed_over);
    pthread_mutex_unlock(&t->mutex);
}

void store_thread_collect(struct store_thread *t, struct store_results *out)
{
    pthread_mutex_lock(&t->mutex);
    *out = t->results;
    out->load_count = 0;
    while (out->load_count < sizeof out->loads / sizeof out->loads[0] && t->loaded.count > 0)
        out->loads[out->load_count++] = queue_take(&t->loaded);
    t->results.durable_lsn = 0;
    t->results.group = NULL;
    t->results.account = NULL;
    pthread_mutex_unlock(&t->mutex);
}

void store_thread_stop(struct store_thread *t)
{
    pthread_mutex_lock(&t->mutex);
    t->is_stopping = true;
    pthread_cond_signal(&t->handed_over);
    pthread_mutex_unlock(&t->mutex);
    int failed = pthread_join(t->thread, NULL);
    assert(failed == 0);
    free_all(t);
}
