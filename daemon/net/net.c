/*
 * daemon/net/net.c: the wake-up, the timers and the public calls.
 *
 * A wake-up: libuv polls and calls on_read of each connection with input; `check`, which runs right after,
 * tells the owner that all was handed over and flushes what the owner queued. Work that no input brings
 * (a pause that ended, room in a budget, a connection to be told of) waits in `ready` and makes `idle`
 * active, so that the loop does not sleep over it.
 *
 * Failures of one connection never come out of here; what can fail is making a net and listening.
 */
#include "daemon/net/internal.h"
#include <assert.h>
#include <openssl/bio.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#define SCRATCH_BYTES_MAX (1u << 20) /* a turn's answers of TLS, or a piece with its overhead */

int64_t net_now_ms(const struct net *n) { return (int64_t)uv_now(n->loop); }

/* ---- wake-ups ---- */

static void flush_dirty(struct net *n)
{
    struct list now;
    list_init(&now);
    list_for_each (e, next, &n->dirty) {
        list_unlink(e);
        list_append(&now, e);
    }
    while (!list_is_empty(&now)) /* flushing may mark it again, for the next wake-up */
        connection_flush(container_of(list_first(&now), struct connection, dirty));
}

static void end_wake_up(struct net *n)
{
    if (n->has_woken) {
        n->has_woken = false;
        if (n->events.on_wake_end)
            n->events.on_wake_end(n->ctx);
    }
    flush_dirty(n);
}

static void on_check(uv_check_t *check)
{
    struct net *n = check->data;
    if (n->must_accept) {
        n->must_accept = false;
        listeners_accept_waiting(n);
    }
    end_wake_up(n);
    if (list_is_empty(&n->ready) && list_is_empty(&n->dirty))
        uv_idle_stop(&n->idle);
}

static void on_idle(uv_idle_t *idle)
{
    struct net *n = idle->data;
    struct list now;
    list_init(&now);
    list_for_each (e, next, &n->ready) {
        list_unlink(e);
        list_append(&now, e);
    }
    while (!list_is_empty(&now)) {
        struct connection *c = container_of(list_first(&now), struct connection, ready);
        list_unlink(&c->ready);
        connection_run(c);
    }
}

void net_schedule(struct net *n)
{
    if (!n->done_cb)
        (void)uv_idle_start(&n->idle, on_idle); /* fails only without a callback */
}

static void on_timer(uv_timer_t *timer)
{
    struct net *n = timer->data;
    struct heap_node *first;
    n->timer_due_ms = NEVER_MS;
    while ((first = heap_first(&n->deadlines)) && first->due_ms <= net_now_ms(n))
        connection_on_time(container_of(first, struct connection, deadline));
    net_arm(n);
    end_wake_up(n); /* polling comes next and may sleep */
}

void net_arm(struct net *n)
{
    const struct heap_node *first = heap_first(&n->deadlines);
    int64_t now_ms = net_now_ms(n);
    if (!first || first->due_ms >= n->timer_due_ms || n->done_cb)
        return;
    n->timer_due_ms = first->due_ms;
    uint64_t wait_ms = first->due_ms > now_ms ? (uint64_t)(first->due_ms - now_ms) : 0;
    (void)uv_timer_start(&n->timer, on_timer, wait_ms, 0); /* fails only without a callback */
}

/* ---- making and ending ---- */

static void init_lists(struct net *n)
{
    list_init(&n->listeners);
    list_init(&n->connections);
    list_init(&n->ready);
    list_init(&n->dirty);
    list_init(&n->stopped);
    list_init(&n->input_waiters);
    list_init(&n->output_waiters);
    heap_init(&n->deadlines);
    buf_init(&n->scratch, SCRATCH_BYTES_MAX);
    n->timer_due_ms = NEVER_MS;
}

static void init_handles(struct net *n)
{
    /* None of these three can fail. */
    (void)uv_check_init(n->loop, &n->check);
    (void)uv_idle_init(n->loop, &n->idle);
    (void)uv_timer_init(n->loop, &n->timer);
    n->check.data = n->idle.data = n->timer.data = n;
    n->handles_open = 3;
    (void)uv_check_start(&n->check, on_check);
}

enum error net_new(struct net **out, uv_loop_t *loop, const struct net_options *o,
                   const struct net_events *e, void *ctx)
{
    uint64_t seeds[4];
    struct net *n = calloc(1, sizeof *n);
    if (!n)
        return ERROR_NO_MEMORY;
    init_lists(n);
    n->loop = loop;
    n->options = *o;
    n->events = *e;
    n->ctx = ctx;
    n->bio = bio_method_new();
    n->ciphertext = malloc(READ_BYTES);
    n->plaintext = malloc(PLAINTEXT_BYTES);
    bool is_seeded = RAND_bytes((unsigned char *)seeds, sizeof seeds) == 1;
    map_init(&n->by_session, seeds);
    sources_init(&n->sources, seeds + 2);
    if (!n->bio || !n->ciphertext || !n->plaintext || !is_seeded) {
        net_free(n);
        return is_seeded ? ERROR_NO_MEMORY : ERROR_CRYPTO;
    }
    net_set_tls(n, o->tls);
    init_handles(n);
    *out = n;
    return ERROR_NONE;
}

void net_set_tls(struct net *n, SSL_CTX *tls)
{
    SSL_CTX_up_ref(tls);
    SSL_CTX_free(n->tls);
    n->tls = tls;
}

void net_free(struct net *n)
{
    if (!n)
        return;
    assert(n->handles_open == 0);
    sources_fini(&n->sources);
    map_fini(&n->by_session);
    heap_fini(&n->deadlines);
    buf_fini(&n->scratch);
    output_fini(n);
    SSL_CTX_free(n->tls);
    BIO_meth_free(n->bio);
    free(n->ciphertext);
    free(n->plaintext);
    free(n);
}

void net_on_handle_closed(struct net *n)
{
    assert(n->handles_open > 0);
    n->handles_open--;
    if (n->handles_open == 0 && n->done_cb)
        n->done_cb(n->ctx);
}

static void on_own_handle_closed(uv_handle_t *h) { net_on_handle_closed(h->data); }

void net_stop_listening(struct net *n)
{
    list_for_each (e, next, &n->listeners) {
        listener_close(container_of(e, struct listener, all));
    }
}

void net_shutdown(struct net *n, void (*done_cb)(void *ctx))
{
    assert(done_cb && !n->done_cb);
    n->done_cb = done_cb;
    net_stop_listening(n);
    list_for_each (e, next, &n->connections) {
        connection_destroy(container_of(e, struct connection, all));
    }
    uv_close((uv_handle_t *)&n->check, on_own_handle_closed);
    uv_close((uv_handle_t *)&n->idle, on_own_handle_closed);
    uv_close((uv_handle_t *)&n->timer, on_own_handle_closed);
}

/* ---- one session ---- */

static struct connection *find(const struct net *n, uint64_t session)
{
    struct map_node *found = map_find(&n->by_session, &session, sizeof session);
    struct connection *c = found ? container_of(found, struct connection, by_session) : NULL;
    return c && c->state == CONNECTION_OPEN ? c : NULL;
}

bool net_send(struct net *n, uint64_t session, const struct slice *parts, size_t count)
{
    struct connection *c = find(n, session);
    return !c || connection_queue(c, parts, count);
}

void net_flush(struct net *n)
{
    if (!n->turn) /* else at the end of this wake-up */
        flush_dirty(n);
}

void net_set_frame_max(struct net *n, uint64_t session, size_t frame_bytes_max)
{
    struct connection *c = find(n, session);
    if (!c)
        return;
    c->frame_bytes_max = frame_bytes_max;
    c->is_welcomed = true;
    connection_set_due(c, net_now_ms(n) + n->options.idle_ms_max);
}

static void pause_all(struct net *n, bool is_paused)
{
    n->is_paused = is_paused; /* each stops when it is next asked for a buffer */
    if (is_paused)
        return;
    list_for_each (e, next, &n->stopped) {
        struct connection *c = container_of(e, struct connection, stopped);
        list_unlink(&c->stopped);
        connection_wake(c);
    }
}

void net_pause(struct net *n, uint64_t session, bool is_paused)
{
    struct connection *c = session ? find(n, session) : NULL;
    if (session == 0) {
        pause_all(n, is_paused);
    } else if (c) {
        c->is_paused = is_paused;
        if (!is_paused)
            connection_wake(c);
    }
}

void net_close(struct net *n, uint64_t session)
{
    struct connection *c = find(n, session);
    if (c)
        connection_close(c);
}

size_t net_connection_count(const struct net *n) { return n->connection_count; }
