/*
 * daemon/net/connection.c: a connection's life, from accept to the last close callback (see the picture
 * in internal.h).
 *
 * Failures: whatever ends a connection is noted by connection_end, where only the first cause counts,
 * and told by connection_tell from a libuv callback: a limit while the owner may still send, an end when
 * nothing more can come. A dead socket is closed at once; else what is queued, the alert or close_notify
 * still leaves within write_stall_ms_max, and the peer's bytes are discarded meanwhile.
 */
#include "daemon/net/internal.h"
#include <assert.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_UPDATE_WINDOW_MS 60000

static void on_gone(uv_handle_t *h)
{
    struct connection *c = h->data;
    struct net *n = c->net;
    SSL_free(c->ssl);
    buf_fini(&c->held);
    buf_fini(&c->partial);
    buf_fini(&c->out);
    buf_fini(&c->inflight);
    buf_fini(&c->behind);
    list_unlink(&c->all);
    n->connection_count--;
    free(c);
    net_on_handle_closed(n);
}

static void forget_session(struct connection *c)
{
    if (c->by_session.key_len == 0)
        return;
    map_remove(&c->net->by_session, &c->by_session);
    c->by_session.key_len = 0;
}

void connection_destroy(struct connection *c)
{
    if (c->state == CONNECTION_GONE)
        return;
    c->state = CONNECTION_GONE;
    forget_session(c);
    connection_release_handshake(c, false);
    connection_drop_input(c);
    connection_drop_output(c);
    heap_remove(&c->net->deadlines, &c->deadline);
    list_unlink(&c->ready);
    list_unlink(&c->dirty);
    list_unlink(&c->stopped);
    uv_close((uv_handle_t *)&c->tcp, on_gone);
}

/* ---- deadlines ---- */

static void arm(struct connection *c, bool is_forced)
{
    struct heap *h = &c->net->deadlines;
    int64_t due_ms = c->due_ms < c->stall_due_ms ? c->due_ms : c->stall_due_ms;
    if (!is_forced && c->deadline.due_ms <= due_ms)
        return; /* it wakes early and looks again */
    heap_remove(h, &c->deadline);
    enum error e = heap_insert(h, &c->deadline, due_ms); /* in the room it has just left */
    assert(!e);
    net_arm(c->net);
}

void connection_set_due(struct connection *c, int64_t due_ms)
{
    c->due_ms = due_ms;
    arm(c, false);
}

/* The socket took nothing for write_stall_ms_max, or it took some. */
static void on_stall_due(struct connection *c, int64_t now_ms)
{
    size_t left = uv_stream_get_write_queue_size((uv_stream_t *)&c->tcp);
    if (left < c->stall_left_bytes) {
        c->stall_left_bytes = left;
        c->stall_due_ms = now_ms + c->net->options.write_stall_ms_max;
        return;
    }
    c->stall_due_ms = NEVER_MS;
    connection_end(c, END_LIMIT, ERROR_WRITE_STALLED);
}

static void on_due(struct connection *c, int64_t now_ms)
{
    const struct net_options *o = &c->net->options;
    switch (c->state) {
    case CONNECTION_HANDSHAKE:
        c->is_broken = c->is_dead = true;
        connection_end(c, END_CLOSED, ERROR_HELLO_TIMEOUT);
        break;
    case CONNECTION_OPEN:
        if (connection_may_take(c))
            connection_end(c, END_LIMIT, c->is_welcomed ? ERROR_IDLE_TIMEOUT : ERROR_HELLO_TIMEOUT);
        /* else it was silent because nobody listened */
        c->due_ms = now_ms + (c->is_welcomed ? o->idle_ms_max : o->hello_ms_max);
        break;
    case CONNECTION_FLUSHING:
    case CONNECTION_LINGERING:
        connection_destroy(c);
        break;
    case CONNECTION_GONE:
        break;
    }
}

void connection_on_time(struct connection *c)
{
    int64_t now_ms = net_now_ms(c->net);
    if (c->stall_due_ms <= now_ms)
        on_stall_due(c, now_ms);
    if (c->due_ms <= now_ms)
        on_due(c, now_ms);
    connection_tell(c);
    if (c->state != CONNECTION_GONE)
        arm(c, true);
}

/* ---- accepting ---- */

static void on_tls_message(int is_written, int version, int type, const void *bytes, size_t len,
                           SSL *ssl, void *arg)
{
    struct connection *c = arg;
    if (is_written || type != SSL3_RT_HANDSHAKE || len == 0 ||
        *(const uint8_t *)bytes != SSL3_MT_KEY_UPDATE)
        return;
    int64_t now_ms = net_now_ms(c->net);
    if (now_ms - c->key_updates_since_ms >= KEY_UPDATE_WINDOW_MS) {
        c->key_updates_since_ms = now_ms;
        c->key_updates = 0;
    }
    if (++c->key_updates > c->net->options.key_updates_per_minute_max)
        connection_end(c, END_LIMIT, ERROR_TLS_KEY_UPDATES);
}

static enum error begin_tls(struct connection *c)
{
    c->ssl = SSL_new(c->net->tls);
    if (!c->ssl)
        return ERROR_NO_MEMORY;
    SSL_set_accept_state(c->ssl);
    SSL_set_mode(c->ssl, SSL_MODE_RELEASE_BUFFERS);
    SSL_clear_mode(c->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE); /* all records of a piece at once */
    SSL_set_msg_callback(c->ssl, on_tls_message);
    SSL_set_msg_callback_arg(c->ssl, c);
    return bio_attach(c);
}

static void read_address(struct connection *c, struct sockaddr_storage *peer)
{
    char ip[46] = "unknown";
    int len = sizeof *peer;
    memset(peer, 0, sizeof *peer);
    if (uv_tcp_getpeername(&c->tcp, (struct sockaddr *)peer, &len))
        peer->ss_family = AF_UNSPEC;
    if (peer->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)peer;
        (void)uv_ip4_name(v4, ip, sizeof ip); /* long enough for every address */
        (void)snprintf(c->address, sizeof c->address, "%s:%u", ip, ntohs(v4->sin_port));
    } else if (peer->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)peer;
        (void)uv_ip6_name(v6, ip, sizeof ip);
        (void)snprintf(c->address, sizeof c->address, "[%s]:%u", ip, ntohs(v6->sin6_port));
    } else {
        (void)snprintf(c->address, sizeof c->address, "%s", ip);
    }
}

/* What an accepted connection needs before its first byte. */
static enum error admit(struct connection *c)
{
    struct net *n = c->net;
    struct sockaddr_storage peer;
    read_address(c, &peer);
    enum error e = heap_insert(&n->deadlines, &c->deadline, c->due_ms);
    if (e)
        return e;
    if (n->connection_count > n->options.connections_max)
        return ERROR_TOO_MANY_CONNECTIONS;
    c->source = source_enter(&n->sources, (const struct sockaddr *)&peer,
                             (unsigned)n->options.handshakes_per_source_max, net_now_ms(n));
    if (!c->source)
        return ERROR_TOO_MANY_CONNECTIONS;
    n->handshake_count++;
    e = map_insert(&n->by_session, &c->by_session, &c->session, sizeof c->session);
    if (e)
        return e;
    (void)uv_tcp_nodelay(&c->tcp, 1); /* slower without it, not wrong */
    return begin_tls(c);
}

static struct connection *connection_new(struct net *n)
{
    struct connection *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->net = n;
    c->session = ++n->session_last;
    c->due_ms = net_now_ms(n) + n->options.handshake_ms_max;
    c->stall_due_ms = NEVER_MS;
    c->frame_bytes_max = n->options.frame_bytes_before_welcome;
    buf_init(&c->held, READ_BYTES);
    buf_init(&c->partial, SIZE_MAX);
    buf_init(&c->out, SIZE_MAX);
    buf_init(&c->inflight, SIZE_MAX);
    buf_init(&c->behind, READ_BYTES);
    heap_node_init(&c->deadline);
    list_init(&c->all);
    list_init(&c->ready);
    list_init(&c->dirty);
    list_init(&c->stopped);
    list_init(&c->input_waiting);
    list_init(&c->output_waiting);
    return c;
}

bool connection_accept(struct net *n, uv_stream_t *server)
{
    struct connection *c = connection_new(n);
    if (!c || uv_tcp_init(n->loop, &c->tcp)) {
        free(c);
        n->must_accept = true; /* again at the next wake-up */
        return false;
    }
    c->tcp.data = c;
    list_append(&n->connections, &c->all);
    n->connection_count++;
    n->handles_open++;
    if (uv_accept(server, (uv_stream_t *)&c->tcp)) {
        connection_destroy(c);
        return true;
    }
    enum error e = admit(c);
    if (e) {
        c->is_broken = c->is_dead = true;
        connection_end(c, END_CLOSED, e);
        connection_tell(c);
        return true;
    }
    net_arm(n);
    connection_update_reading(c);
    return true;
}

void connection_release_handshake(struct connection *c, bool has_failed)
{
    struct net *n = c->net;
    if (!c->source)
        return;
    source_leave(&n->sources, c->source, has_failed, net_now_ms(n));
    c->source = NULL;
    n->handshake_count--;
    n->must_accept = true;
    net_schedule(n);
}

/* ---- the end ---- */

void connection_wake(struct connection *c)
{
    if (c->state == CONNECTION_GONE)
        return;
    list_unlink(&c->ready);
    list_append(&c->net->ready, &c->ready);
    net_schedule(c->net);
}

void connection_end(struct connection *c, enum connection_end end, enum error code)
{
    if (c->end == END_NONE) {
        c->end =
            c->state == CONNECTION_HANDSHAKE ? END_CLOSED : end; /* no owner to hear of a limit */
        c->end_code = code;
    }
    connection_wake(c);
}

/* The owner knows it no more; what is queued still leaves. */
static void leave(struct connection *c)
{
    c->state = CONNECTION_FLUSHING;
    forget_session(c);
    connection_drop_input(c);
    if (c->is_broken)
        connection_drop_output(c);
    if (c->deadline.position != HEAP_OUT)
        connection_set_due(c, net_now_ms(c->net) + c->net->options.write_stall_ms_max);
    list_unlink(&c->dirty);
    list_append(&c->net->dirty, &c->dirty);
    net_schedule(c->net);
    connection_update_reading(c);
}

void connection_close(struct connection *c)
{
    if (c->state != CONNECTION_OPEN)
        return;
    if (c->end_code == ERROR_WRITE_STALLED)
        c->is_dead = true; /* it had its time */
    leave(c);
    connection_wake(c);
}

void connection_tell(struct connection *c)
{
    struct net *n = c->net;
    if (c->state == CONNECTION_OPEN && c->end == END_LIMIT) {
        n->has_woken = true;
        n->events.on_limit(n->ctx, c->session, c->end_code);
        connection_close(c);
    } else if (c->end == END_CLOSED && c->state <= CONNECTION_OPEN) {
        bool was_connected = c->state == CONNECTION_OPEN;
        connection_release_handshake(c, !was_connected);
        leave(c);
        n->has_woken = true;
        n->events.on_closed(n->ctx, c->session, c->end_code, was_connected, c->address);
    }
    if (c->is_dead)
        connection_destroy(c);
}

void connection_run(struct connection *c)
{
    connection_end_over(c);
    connection_turn(c);
}

static void on_shut_down(uv_shutdown_t *request, int status)
{
    struct connection *c = request->data;
    if (c->state == CONNECTION_LINGERING && (status || c->has_peer_ended))
        connection_destroy(c);
}

void connection_linger(struct connection *c)
{
    const struct net_options *o = &c->net->options;
    int linger_ms = o->write_stall_ms_max < LINGER_MS ? o->write_stall_ms_max : LINGER_MS;
    SSL_free(c->ssl);
    c->ssl = NULL;
    c->state = CONNECTION_LINGERING;
    c->shutdown.data = c;
    if (uv_shutdown(&c->shutdown, (uv_stream_t *)&c->tcp, on_shut_down)) {
        connection_destroy(c);
        return;
    }
    connection_set_due(c, net_now_ms(c->net) + linger_ms);
}
