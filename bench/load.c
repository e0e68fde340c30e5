/* bench/load.c: see load.h. Opens the sessions, turns the workers until all is done, and adds up. */
#include "bench/load.h"
#include "bench/session.h"
#include <errno.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#define EVENTS 256
#define WAIT_MS 5       /* how long a thread sleeps before it looks what the other one did */
#define OPENING_MAX 32u /* connections in their handshake at once */
#define PROGRESS_NS UINT64_C(250000000)
#define WORKERS 2u

static uint64_t ns_of(double seconds) { return (uint64_t)(seconds * 1e9); }

const struct world_target *plan_target(const struct plan *p, size_t n)
{
    for (size_t i = 0; i < p->world->target_count; i++)
        if (p->world->targets[i].reader_count == p->readers && n-- == 0)
            return &p->world->targets[i];
    die("the world has no %zu organisations with %zu readers", p->targets, p->readers);
}

uint64_t sent_to_target(const struct plan *p, uint64_t sent, size_t target)
{
    return (sent + p->targets - 1 - target) / p->targets;
}

static bool has_senders(const struct plan *p)
{
    return p->mode == MODE_PUBLISH || p->mode == MODE_DELIVER || p->mode == MODE_TURNS;
}

static bool has_readers(const struct plan *p)
{
    return p->mode == MODE_DELIVER || p->mode == MODE_TURNS || p->mode == MODE_DRAIN;
}

/* ---- a worker ---- */

static void fill(uint8_t *to, size_t len)
{
    uint32_t x = 0x9e3779b9u;
    for (size_t i = 0; i < len; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        to[i] = (uint8_t)x;
    }
}

static void publish_counts(struct worker *w)
{
    struct run *r = w->run;
    if (w->sent > 0 || w->confirmed > 0) {
        atomic_store_explicit(&r->sent, w->sent, memory_order_relaxed);
        atomic_store_explicit(&r->confirmed, w->confirmed, memory_order_relaxed);
    }
    if (w->delivered > 0) {
        atomic_store_explicit(&r->delivered, w->delivered, memory_order_relaxed);
        atomic_store_explicit(&r->acked, w->acked, memory_order_relaxed);
    }
}

/* One round of events; then senders whose turn depends on others publish. */
static void worker_turn(struct worker *w, int wait_ms)
{
    struct epoll_event events[EVENTS];
    int n = epoll_wait(w->epoll, events, EVENTS, wait_ms);
    w->now_ns = now_ns();
    for (int i = 0; i < n; i++)
        session_event(events[i].data.ptr);
    publish_counts(w);
}

static bool sender_is_done(const struct session *s)
{
    const struct plan *p = s->worker->run->plan;
    bool has_ended = p->messages > 0 ? s->sender->sent >= s->sender->quota
                                     : s->worker->now_ns >= s->worker->run->end_ns;
    return has_ended && s->sender->confirmed == s->sender->sent;
}

static bool senders_are_done(struct worker *w)
{
    for (size_t i = 0; i < w->count; i++)
        if (w->sessions[i].sender && !sender_is_done(&w->sessions[i]))
            return false;
    return true;
}

static uint64_t expected_from(const struct session *reader, size_t sender)
{
    const struct run *r = reader->worker->run;
    return sent_to_target(r->plan, r->sent_by[sender], reader->reader->target);
}

static bool reader_is_done(const struct session *s)
{
    const struct reader *r = s->reader;
    for (size_t i = 0; i < s->worker->run->plan->connections; i++)
        if (r->seen[i].count < expected_from(s, i))
            return false;
    return r->owed_count == 0 && r->window.idle_count == r->window.size;
}

static bool readers_are_done(struct worker *w)
{
    for (size_t i = 0; i < w->count; i++)
        if (w->sessions[i].reader && !reader_is_done(&w->sessions[i]))
            return false;
    return true;
}

static void announce_sent(struct worker *w)
{
    for (size_t i = 0; i < w->count; i++)
        if (w->sessions[i].sender)
            w->run->sent_by[w->sessions[i].index] = w->sessions[i].sender->sent;
    atomic_store_explicit(&w->run->is_sent, true, memory_order_release);
}

static uint64_t progress(const struct run *r)
{
    return atomic_load_explicit(&r->confirmed, memory_order_relaxed) +
           atomic_load_explicit(&r->acked, memory_order_relaxed) +
           atomic_load_explicit(&r->delivered, memory_order_relaxed);
}

static void show(const struct run *r, uint64_t now, uint64_t *shown_ns)
{
    if (!r->plan->shows_progress || now - *shown_ns < PROGRESS_NS)
        return;
    *shown_ns = now;
    double s = (double)(now - r->start_ns) / 1e9;
    uint64_t confirmed = atomic_load_explicit(&r->confirmed, memory_order_relaxed);
    uint64_t acked = atomic_load_explicit(&r->acked, memory_order_relaxed);
    fprintf(stderr, "\r%6.1f s  confirmed %9llu  acknowledged %9llu  %8.0f/s ", s,
            (unsigned long long)confirmed, (unsigned long long)acked,
            (double)(acked > 0 ? acked : confirmed) / (s > 0 ? s : 1));
}

/* Turns until all senders have their receipts and all readers their messages, or nothing moves. */
static void *worker_run(void *argument)
{
    struct worker *w = argument;
    struct run *r = w->run;
    uint64_t moved_ns = now_ns(), moved = progress(r), shown_ns = moved_ns;
    bool sends = false, is_announced = false;
    for (size_t i = 0; i < w->count; i++)
        sends = sends || w->sessions[i].sender;
    while (!atomic_load_explicit(&r->is_over, memory_order_relaxed)) {
        for (size_t i = 0; sends && i < w->count; i++)
            if (w->sessions[i].sender && w->sessions[i].stage == STAGE_READY)
                session_pump(&w->sessions[i]);
        if (sends && !is_announced && senders_are_done(w)) {
            is_announced = true;
            announce_sent(w);
        }
        if (atomic_load_explicit(&r->is_sent, memory_order_acquire) && readers_are_done(w))
            break;
        worker_turn(w, WAIT_MS);
        uint64_t now = progress(r);
        if (now != moved) {
            moved = now;
            moved_ns = w->now_ns;
        }
        if (w->now_ns - moved_ns > ns_of(r->plan->patience_s) || faults_sum(&w->faults) > 0)
            atomic_store(&r->is_over, true);
        if (w->sessions[0].sender || !has_senders(r->plan))
            show(r, w->now_ns, &shown_ns);
    }
    return NULL;
}

/* ---- opening ---- */

/* Opens sessions, a few at a time, until all are ready; what is refused is tried again until `retry_s`. */
static void open_all(struct worker *w)
{
    uint64_t until = now_ns() + ns_of(w->run->plan->retry_s), moved_ns = now_ns();
    size_t moved = 0;
    while (w->ready < w->count && faults_sum(&w->faults) == 0) {
        size_t opening = 0;
        for (size_t i = 0; i < w->count && opening < OPENING_MAX; i++) {
            if (w->sessions[i].stage == STAGE_CLOSED)
                session_open(&w->sessions[i]);
            opening += w->sessions[i].stage == STAGE_GREETING;
        }
        worker_turn(w, WAIT_MS);
        if (opening == 0 && w->now_ns > until)
            fault(&w->faults, &w->faults.broken, "nobody listens");
        if (w->ready != moved) {
            moved = w->ready;
            moved_ns = w->now_ns;
        }
        if (w->now_ns - moved_ns > ns_of(w->run->plan->patience_s + w->run->plan->retry_s))
            fault(&w->faults, &w->faults.broken, "%zu of %zu connections were opened", moved,
                  w->count);
    }
}

/* One connection after the other, `connections` at a time, for `seconds`. */
static void connect_run(struct worker *w)
{
    struct run *r = w->run;
    while (w->now_ns < r->end_ns && faults_sum(&w->faults) == 0) {
        for (size_t i = 0; i < w->count; i++) {
            if (w->sessions[i].stage == STAGE_READY)
                session_close(&w->sessions[i]);
            if (w->sessions[i].stage == STAGE_CLOSED)
                session_open(&w->sessions[i]);
        }
        worker_turn(w, WAIT_MS);
        w->last_ns = w->now_ns;
    }
}

/* ---- the run ---- */

static void add_sessions(struct worker *w, enum kind kind, size_t count)
{
    for (size_t i = 0; i < count; i++)
        session_init(&w->sessions[w->count++], w, kind, i);
}

static void make_workers(struct worker *workers, struct run *r)
{
    const struct plan *p = r->plan;
    size_t readers = p->readers * p->targets;
    struct worker *reading = &workers[p->threads - 1];
    for (unsigned i = 0; i < p->threads; i++) {
        struct worker *w = &workers[i];
        w->run = r;
        w->context = link_context(false, p->anchors);
        w->epoll = epoll_create1(EPOLL_CLOEXEC);
        w->sessions = need_memory(p->connections + readers, sizeof *w->sessions);
        if (w->epoll < 0)
            die("cannot make an epoll");
    }
    if (p->mode == MODE_IDLE)
        add_sessions(&workers[0], KIND_IDLE, p->connections);
    if (has_senders(p) || p->mode == MODE_CONNECT)
        add_sessions(&workers[0], KIND_SENDER, p->connections);
    if (has_readers(p))
        add_sessions(reading, KIND_READER, readers);
}

static void free_worker(struct worker *w)
{
    for (size_t i = 0; i < w->count; i++)
        session_fini(&w->sessions[i]);
    free(w->sessions);
    SSL_CTX_free(w->context);
    (void)close(w->epoll);
}

static double client_cpu_s(void)
{
    struct rusage u;
    if (getrusage(RUSAGE_SELF, &u))
        return 0;
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* What was confirmed, or of an earlier run should have been, and did not come. */
static void count_lost(struct worker *w)
{
    struct run *r = w->run;
    for (size_t i = 0; i < w->count; i++) {
        const struct session *s = &w->sessions[i];
        if (s->sender && s->sender->sent > s->sender->confirmed) {
            uint64_t n = s->sender->sent - s->sender->confirmed;
            fault(&w->faults, &w->faults.lost, "%llu messages have no receipt",
                  (unsigned long long)n);
            w->faults.lost += n - 1;
        }
        for (size_t k = 0; s->reader && k < r->plan->connections; k++) {
            uint64_t expected = expected_from(s, k), came = s->reader->seen[k].count;
            if (came >= expected)
                continue;
            fault(&w->faults, &w->faults.lost, "%llu messages of sender %zu did not arrive",
                  (unsigned long long)(expected - came), k);
            w->faults.lost += expected - came - 1;
        }
    }
}

static void add_up(struct outcome *out, const struct worker *w, const struct run *r)
{
    out->sent += w->sent;
    out->confirmed += w->confirmed;
    out->delivered += w->delivered;
    out->acked += w->acked;
    out->opened += w->opened;
    if (w->first_receipt_ns > 0)
        out->first_receipt_ns = w->first_receipt_ns;
    if (w->last_ns > r->start_ns && (double)(w->last_ns - r->start_ns) / 1e9 > out->seconds)
        out->seconds = (double)(w->last_ns - r->start_ns) / 1e9;
    times_merge(&out->confirm, &w->confirm);
    times_merge(&out->deliver, &w->deliver);
    times_merge(&out->open, &w->open);
    faults_merge(&out->faults, &w->faults);
}

/* Of an earlier run everything was sent. */
static void expect_earlier(struct run *r)
{
    const struct plan *p = r->plan;
    for (size_t i = 0; i < p->connections; i++)
        r->sent_by[i] = p->messages / p->connections + (i < p->messages % p->connections);
    atomic_store(&r->is_sent, true);
}

static void measure(struct worker *workers, struct run *r, struct outcome *out)
{
    const struct plan *p = r->plan;
    pthread_t second;
    double cpu = client_cpu_s();
    r->start_ns = now_ns();
    r->end_ns = r->start_ns + ns_of(p->seconds);
    workers[0].now_ns = r->start_ns;
    if (p->mode == MODE_CONNECT) {
        connect_run(&workers[0]);
    } else if (p->mode == MODE_IDLE) {
        while (workers[0].now_ns < r->start_ns + ns_of(p->hold_s))
            worker_turn(&workers[0], WAIT_MS);
    } else {
        if (p->mode == MODE_DRAIN)
            expect_earlier(r);
        if (p->threads > 1 && pthread_create(&second, NULL, worker_run, &workers[1]))
            die("cannot start a thread");
        (void)worker_run(&workers[0]);
        if (p->threads > 1)
            (void)pthread_join(second, NULL);
    }
    out->client_cpu_s = client_cpu_s() - cpu;
    out->after = watch(p->pid, p->device);
}

void load_run(const struct plan *plan, struct outcome *out)
{
    struct worker *workers = need_memory(WORKERS, sizeof *workers);
    struct run r = {.plan = plan, .number = plan->run};
    *out = (struct outcome){0};
    while (r.number == 0)
        if (RAND_bytes((uint8_t *)&r.number, sizeof r.number) != 1)
            die("no random bytes");
    r.filling = need_memory(plan->bytes, 1);
    fill(r.filling, plan->bytes);
    if (plan->mode == MODE_IDLE)
        out->before = watch(plan->pid, plan->device);
    make_workers(workers, &r);
    for (unsigned i = 0; i < plan->threads && plan->mode != MODE_CONNECT; i++)
        open_all(&workers[i]);
    if (plan->mode != MODE_IDLE)
        out->before = watch(plan->pid, plan->device);
    if (faults_sum(&workers[0].faults) + faults_sum(&workers[1].faults) == 0)
        measure(workers, &r, out);
    if (plan->shows_progress)
        fputs("\r\033[K", stderr);
    bool is_complete = faults_sum(&workers[0].faults) + faults_sum(&workers[1].faults) == 0;
    for (unsigned i = 0; i < plan->threads; i++) {
        if (is_complete) /* else it was broken off, and what is missing says nothing */
            count_lost(&workers[i]);
        add_up(out, &workers[i], &r);
        free_worker(&workers[i]);
    }
    out->run = r.number;
    free(r.filling);
    free(workers);
}
