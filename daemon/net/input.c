/*
 * daemon/net/input.c: from the socket to frames.
 *
 * Happy path: libuv reads into one shared buffer; the connection's turn lets TLS take all of it, cuts
 * frames out of the shared plaintext and hands them over; only a frame that is not whole yet is kept.
 * A turn is bounded by what was read, and ends early when the owner pauses or closes the connection, or
 * its output or the input budget is at a limit; ciphertext that is left is held, and the turn that
 * follows goes on with it (connection_wake) before the socket is read again.
 *
 * The budget: a frame is charged with its whole length as soon as its prefix shows it; when that is more
 * than the budget has left, the connection waits its turn and nothing of it is lost. What waits holds at
 * most READ_BYTES of ciphertext and PLAINTEXT_BYTES, READ_BYTES_TIGHT when the budget is short.
 */
#include "daemon/net/internal.h"
#include "pki/certificate.h"
#include "pki/tls.h"
#include "proto/frame.h"
#include <assert.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

#define PROGRESS_BYTES (64u << 10)        /* of an unfinished frame that count as a sign of life */
#define PARTIAL_SHRINK_BYTES (128u << 10) /* more memory than this is not kept for a short rest */
#define PREFIX_BYTES_MAX 5

bool connection_may_take(const struct connection *c)
{
    return c->state == CONNECTION_OPEN && c->end == END_NONE && !c->is_paused && !c->is_over &&
           !c->is_waiting_input && !c->net->is_paused;
}

/* ---- the input budget ---- */

static void charge(struct connection *c, size_t bytes)
{
    c->net->input_bytes -= c->input_charged;
    c->net->input_bytes += bytes;
    c->input_charged = bytes;
}

static void set_let_through(struct connection *c, bool is_let_through)
{
    if (c->is_let_through != is_let_through)
        c->net->let_through_count += is_let_through ? 1 : (size_t)-1;
    c->is_let_through = is_let_through;
}

static bool fits(const struct connection *c, size_t wanted)
{
    const struct net *n = c->net;
    size_t others = n->input_bytes - c->input_charged;
    size_t max = n->options.input_bytes_total_max;
    return n->let_through_count == 0 || (others <= max && wanted <= max - others);
}

static void let_waiters_through(struct net *n)
{
    list_for_each (e, next, &n->input_waiters) {
        struct connection *c = container_of(e, struct connection, input_waiting);
        if (!fits(c, c->input_wanted))
            return;
        list_unlink(&c->input_waiting);
        c->is_waiting_input = false;
        set_let_through(c, true);
        charge(c, c->input_wanted > c->input_charged ? c->input_wanted : c->input_charged);
        connection_wake(c);
    }
}

/* Room for a frame of `wanted` bytes, or a place in the queue. */
static void reserve(struct connection *c, size_t wanted)
{
    struct net *n = c->net;
    if (c->is_let_through)
        return;
    if (list_is_empty(&n->input_waiters) && fits(c, wanted)) {
        set_let_through(c, true);
        charge(c, wanted);
        return;
    }
    c->input_wanted = wanted;
    c->is_waiting_input = true;
    list_append(&n->input_waiters, &c->input_waiting);
}

/* At the end of a turn: what it really holds, and its frame's length while it is inside one. */
static void settle(struct connection *c)
{
    size_t kept = c->partial.len + c->held.len;
    bool is_inside = c->is_let_through && c->input_wanted > 0;
    charge(c, is_inside && c->input_wanted > kept ? c->input_wanted : kept);
    let_waiters_through(c->net);
}

void connection_drop_input(struct connection *c)
{
    if (c->is_waiting_input)
        list_unlink(&c->input_waiting);
    c->is_waiting_input = false;
    set_let_through(c, false);
    charge(c, 0);
    if (c->net->turn != c) { /* its turn frees them at its end */
        buf_fini(&c->held);
        buf_fini(&c->partial);
    }
    let_waiters_through(c->net);
}

/* ---- frames ---- */

static void note_life(struct connection *c)
{
    c->unfinished_bytes = 0;
    if (c->is_welcomed) /* later than what is armed, so the heap need not know */
        c->due_ms = net_now_ms(c->net) + c->net->options.idle_ms_max;
}

/* Hands over the whole frames at the front of *in, as long as the owner takes them. */
static void take_frames(struct connection *c, struct slice *in)
{
    struct net *n = c->net;
    while (in->len > 0 && connection_may_take(c)) {
        struct slice frame;
        bool is_complete;
        size_t wanted = 0;
        enum error e = frame_next(in, c->frame_bytes_max, &frame, &is_complete, &wanted);
        if (e) {
            connection_end(c, END_LIMIT, e);
            return;
        }
        if (!is_complete) {
            if (wanted > 0) {
                c->input_wanted = wanted;
                reserve(c, wanted);
            }
            return;
        }
        c->input_wanted = 0;
        set_let_through(c, false);
        note_life(c);
        n->events.on_frame(n->ctx, c->session, frame);
    }
}

static void take_partial(struct connection *c)
{
    struct slice rest = buf_slice(&c->partial);
    if (rest.len == 0)
        return;
    take_frames(c, &rest);
    buf_consume(&c->partial, c->partial.len - rest.len);
}

/* SSL_read gave nothing: no more input, the peer's orderly end, or a failure. */
static void on_no_plaintext(struct connection *c, int result)
{
    switch (SSL_get_error(c->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return;
    case SSL_ERROR_ZERO_RETURN:
        if (c->partial.len > 0)
            connection_end(c, END_LIMIT, ERROR_FRAME_TRUNCATED);
        else
            connection_end(c, END_CLOSED, ERROR_NONE);
        return;
    default:
        c->is_broken = true;
        connection_end(c, END_CLOSED, tls_failed(c->ssl));
    }
}

/* One record's worth; false when the turn is over. */
static bool take_some(struct connection *c)
{
    struct net *n = c->net;
    take_partial(c);
    if (!connection_may_take(c))
        return false;
    ERR_clear_error();
    int got = SSL_read(c->ssl, n->plaintext, PLAINTEXT_BYTES);
    if (got <= 0) {
        on_no_plaintext(c, got);
        return false;
    }
    struct slice in = slice_of(n->plaintext, (size_t)got);
    c->unfinished_bytes += in.len;
    if (c->unfinished_bytes >= PROGRESS_BYTES)
        note_life(c);
    if (c->partial.len == 0)
        take_frames(c, &in);
    if (c->state == CONNECTION_OPEN && buf_append_slice(&c->partial, in))
        connection_end(c, END_LIMIT, ERROR_NO_MEMORY);
    return true;
}

/* ---- the handshake ---- */

static enum error read_peer(const struct connection *c, struct net_peer *peer)
{
    int64_t from_ms;
    X509 *certificate = SSL_get0_peer_certificate(c->ssl);
    if (!certificate)
        return ERROR_TLS_NO_CERTIFICATE;
    peer->key = certificate_key_digest(certificate);
    peer->anchor = tls_peer_anchor(c->ssl);
    memcpy(peer->address, c->address, sizeof peer->address);
    return certificate_validity(certificate, &from_ms, &peer->not_after_ms);
}

static void on_handshake_failed(struct connection *c, enum error code)
{
    c->is_broken = true;
    connection_end(c, END_CLOSED, code);
}

static void shake_hands(struct connection *c)
{
    struct net *n = c->net;
    struct net_peer peer = {0};
    ERR_clear_error();
    int result = SSL_accept(c->ssl);
    if (result != 1) {
        if (SSL_get_error(c->ssl, result) != SSL_ERROR_WANT_READ)
            on_handshake_failed(c, tls_failed(c->ssl));
        return;
    }
    enum error e = read_peer(c, &peer);
    if (e) {
        on_handshake_failed(c, e);
        return;
    }
    connection_release_handshake(c, false);
    c->state = CONNECTION_OPEN;
    connection_set_due(c, net_now_ms(n) + n->options.hello_ms_max);
    n->events.on_connected(n->ctx, c->session, &peer);
}

/* ---- a turn ---- */

/* A long buffer that a large frame left behind is not kept for the first bytes of the next one. */
static void shrink_partial(struct connection *c)
{
    struct buf small;
    if (c->partial.capacity <= PARTIAL_SHRINK_BYTES || c->partial.len > PLAINTEXT_BYTES ||
        c->input_wanted > PARTIAL_SHRINK_BYTES)
        return;
    buf_init(&small, c->partial.len_max);
    if (buf_append_slice(&small, buf_slice(&c->partial)))
        return; /* keep the large one */
    buf_fini(&c->partial);
    c->partial = small;
}

/* What the turn did not take stays in memory only if it must. */
static void keep_rest(struct connection *c, bool was_held)
{
    if (c->state != CONNECTION_HANDSHAKE && c->state != CONNECTION_OPEN) {
        buf_fini(&c->held);
        buf_fini(&c->partial);
        return;
    }
    if (was_held)
        buf_consume(&c->held, c->held.len - c->input.len);
    else if (buf_append_slice(&c->held, c->input))
        connection_end(c, END_LIMIT, ERROR_NO_MEMORY);
    if (c->held.len == 0)
        buf_fini(&c->held);
    if (c->partial.len == 0)
        buf_fini(&c->partial);
    shrink_partial(c);
    settle(c);
}

static void turn(struct connection *c, struct slice input, bool was_held)
{
    struct net *n = c->net;
    assert(!n->turn && n->scratch.len == 0);
    n->turn = c;
    n->has_woken = true;
    c->input = input;
    if (c->state == CONNECTION_HANDSHAKE)
        shake_hands(c);
    while (connection_may_take(c) && take_some(c))
        ;
    keep_rest(c, was_held);
    c->input = SLICE_NONE;
    n->turn = NULL;
    connection_push(c);
}

void connection_turn(struct connection *c)
{
    if (connection_may_take(c))
        turn(c, buf_slice(&c->held), true);
    connection_tell(c);
    connection_update_reading(c);
}

/* ---- the socket ---- */

static void on_socket_end(struct connection *c, bool is_orderly)
{
    enum error code = c->state == CONNECTION_OPEN ? ERROR_IO : ERROR_TLS_BROKEN;
    c->has_peer_ended = true;
    if (!is_orderly || c->state == CONNECTION_LINGERING)
        c->is_dead = true;
    if (c->state == CONNECTION_HANDSHAKE)
        c->is_broken = true;
    else if (c->state == CONNECTION_OPEN && (c->partial.len > 0 || SSL_has_pending(c->ssl)))
        code = ERROR_FRAME_TRUNCATED;
    bool may_answer = is_orderly && code == ERROR_FRAME_TRUNCATED;
    connection_end(c, may_answer ? END_LIMIT : END_CLOSED, code);
    connection_tell(c);
    connection_update_reading(c);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct connection *c = stream->data;
    if (n == UV_ENOBUFS) { /* on_alloc found it blocked */
        connection_update_reading(c);
    } else if (n < 0) {
        on_socket_end(c, n == UV_EOF);
    } else if (n > 0 && c->state <= CONNECTION_OPEN) {
        turn(c, slice_of(buf->base, (size_t)n), false);
        connection_tell(c);
        connection_update_reading(c);
    }
}

/* Whether bytes may come: all but an open connection's are needed or discarded at once. */
static bool wants_input(const struct connection *c)
{
    if (c->has_peer_ended || c->state == CONNECTION_GONE)
        return false;
    return c->state != CONNECTION_OPEN || (connection_may_take(c) && c->held.len == 0);
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    struct connection *c = h->data;
    struct net *n = c->net;
    bool is_tight = n->input_bytes > n->options.input_bytes_total_max / 2;
    if (wants_input(c))
        *buf = uv_buf_init((char *)n->ciphertext, is_tight ? READ_BYTES_TIGHT : READ_BYTES);
    else
        *buf = uv_buf_init(NULL, 0);
}

void connection_update_reading(struct connection *c)
{
    bool wants = wants_input(c);
    uv_stream_t *stream = (uv_stream_t *)&c->tcp;
    if (c->state == CONNECTION_GONE)
        return;
    if (wants && !c->is_reading) {
        c->is_reading = uv_read_start(stream, on_alloc, on_read) == 0;
        if (!c->is_reading) {
            c->is_dead = true;
            connection_end(c, END_CLOSED, ERROR_IO);
        }
    } else if (!wants && c->is_reading) {
        (void)uv_read_stop(stream); /* always succeeds */
        c->is_reading = false;
    }
    if (!wants && c->net->is_paused && list_is_empty(&c->stopped))
        list_append(&c->net->stopped, &c->stopped);
}
