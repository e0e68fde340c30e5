/*
 * daemon/net/output.c: from frames to the socket.
 *
 * Happy path: frames of a wake-up gather in `out`; one SSL_write turns them into ciphertext in the net's
 * scratch, one write call gives it to the socket, and nothing is left. What the socket does not take goes
 * into `inflight` until libuv has written it; meanwhile nothing more is encrypted, except what TLS itself
 * says (key updates, alerts), which goes `behind`. Large frames are encrypted piece by piece. An `out`
 * that was emptied is given to the next connection that needs one: growing one anew for each wake-up costs
 * more than what is written into it.
 *
 * At unsent_bytes_max, or when the budget of all is spent, the connection is `over`: the owner is told,
 * and it is not read until half of its output has left and the budget has room; then on_drained.
 */
#include "daemon/net/internal.h"
#include <assert.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#define PIECES_PER_FLUSH 8 /* then others have their turn */
/* Beyond unsent_bytes_max: one largest frame and the answers to what was asked before reading stopped.
 * A peer that asks for more than this without reading is cut off. */
#define UNSENT_BYTES_EXTRA (64u << 20)

static size_t unsent_bytes(const struct connection *c)
{
    return c->out.len - c->out_sent + c->inflight.len;
}

static bool has_budget(const struct net *n)
{
    return n->output_bytes < n->options.output_bytes_total_max;
}

static void charge(struct connection *c, size_t bytes)
{
    struct net *n = c->net;
    n->output_bytes -= c->output_charged;
    n->output_bytes += bytes;
    c->output_charged = bytes;
}

static void wake_waiters(struct net *n)
{
    if (!has_budget(n))
        return;
    list_for_each (e, next, &n->output_waiters) {
        struct connection *c = container_of(e, struct connection, output_waiting);
        list_unlink(&c->output_waiting);
        c->is_waiting_output = false;
        connection_wake(c);
    }
}

/* Its own output has left: it may go on if the budget of all has room, else it waits for that. */
void connection_end_over(struct connection *c)
{
    struct net *n = c->net;
    if (!c->is_over || c->is_waiting_output || c->state != CONNECTION_OPEN ||
        unsent_bytes(c) > n->options.unsent_bytes_max / 2)
        return;
    if (!has_budget(n)) {
        c->is_waiting_output = true;
        list_append(&n->output_waiters, &c->output_waiting);
        return;
    }
    c->is_over = false;
    n->has_woken = true;
    n->events.on_drained(n->ctx, c->session);
}

/* After output has left, or was dropped. */
static void settle(struct connection *c)
{
    struct net *n = c->net;
    charge(c, unsent_bytes(c));
    if (c->is_over && c->state == CONNECTION_OPEN &&
        unsent_bytes(c) <= n->options.unsent_bytes_max / 2)
        connection_wake(c); /* told in a turn of its own */
    wake_waiters(n);
}

void connection_drop_output(struct connection *c)
{
    buf_fini(&c->out);
    c->out_sent = 0;
    if (c->is_waiting_output)
        list_unlink(&c->output_waiting);
    c->is_waiting_output = false;
    settle(c);
}

/* ---- spare buffers ---- */

static void take_spare(struct connection *c)
{
    struct net *n = c->net;
    size_t len_max = c->out.len_max;
    if (c->out.data || n->spare_output_count == 0)
        return;
    c->out = n->spare_outputs[--n->spare_output_count];
    c->out.len_max = len_max;
}

static void give_back(struct connection *c)
{
    struct net *n = c->net;
    if (c->out.capacity > SPARE_BYTES_MAX || n->spare_output_count == SPARE_OUTPUTS_MAX) {
        buf_fini(&c->out);
        return;
    }
    buf_clear(&c->out);
    n->spare_outputs[n->spare_output_count++] = c->out;
    buf_init(&c->out, c->out.len_max);
}

void output_fini(struct net *n)
{
    while (n->spare_output_count > 0)
        buf_fini(&n->spare_outputs[--n->spare_output_count]);
}

/* ---- queueing ---- */

bool connection_queue(struct connection *c, const struct slice *parts, size_t count)
{
    struct net *n = c->net;
    take_spare(c);
    c->out.len_max = c->out_sent + n->options.unsent_bytes_max + UNSENT_BYTES_EXTRA;
    for (size_t i = 0; i < count; i++) {
        enum error e = buf_append_slice(&c->out, parts[i]);
        if (e) {
            c->is_broken = true;
            connection_end(c, END_CLOSED, e == ERROR_BOUND ? ERROR_WRITE_STALLED : e);
            return false;
        }
    }
    charge(c, unsent_bytes(c));
    if (list_is_empty(&c->dirty))
        list_append(&n->dirty, &c->dirty);
    net_schedule(n);
    if (unsent_bytes(c) >= n->options.unsent_bytes_max || !has_budget(n))
        c->is_over = true;
    return !c->is_over;
}

/* ---- writing ---- */

static void on_socket_failed(struct connection *c)
{
    c->is_dead = c->is_broken = true;
    connection_end(c, END_CLOSED, ERROR_IO);
}

static void on_written(uv_write_t *request, int status);

static void write_inflight(struct connection *c)
{
    uv_buf_t buf = uv_buf_init((char *)c->inflight.data, (unsigned)c->inflight.len);
    c->write.data = c;
    if (uv_write(&c->write, (uv_stream_t *)&c->tcp, &buf, 1, on_written)) {
        on_socket_failed(c);
        return;
    }
    c->is_writing = true;
    c->stall_left_bytes = uv_stream_get_write_queue_size((uv_stream_t *)&c->tcp);
    c->stall_due_ms = net_now_ms(c->net) + c->net->options.write_stall_ms_max;
    connection_set_due(c, c->due_ms);
}

static void on_written(uv_write_t *request, int status)
{
    struct connection *c = request->data;
    c->is_writing = false;
    c->stall_due_ms = NEVER_MS;
    buf_fini(&c->inflight);
    if (c->state == CONNECTION_GONE) {
        settle(c);
        return;
    }
    if (status < 0) {
        on_socket_failed(c);
    } else if (c->behind.len > 0) {
        c->inflight = c->behind;
        buf_init(&c->behind, c->behind.len_max);
        write_inflight(c);
    } else {
        connection_flush(c);
    }
    settle(c);
    connection_tell(c);
}

/* What the socket takes at once needs no buffer. */
static size_t try_write(struct connection *c, struct slice bytes)
{
    uv_buf_t buf = uv_buf_init((char *)bytes.data, (unsigned)bytes.len);
    int sent = uv_try_write((uv_stream_t *)&c->tcp, &buf, 1);
    if (sent < 0 && sent != UV_EAGAIN)
        on_socket_failed(c);
    return sent > 0 ? (size_t)sent : 0;
}

void connection_push(struct connection *c)
{
    struct buf *scratch = &c->net->scratch;
    struct slice rest = buf_slice(scratch), sent;
    if (rest.len == 0)
        return;
    bool is_alive = c->state != CONNECTION_GONE && !c->is_dead;
    if (is_alive && c->is_writing) {
        if (buf_append_slice(&c->behind, rest))
            on_socket_failed(c);
    } else if (is_alive) {
        bool is_taken = slice_take(&rest, try_write(c, rest), &sent);
        assert(is_taken); /* a socket takes no more than there is */
        if (rest.len > 0 && !c->is_dead) {
            c->inflight.len_max = rest.len;
            if (buf_append_slice(&c->inflight, rest))
                on_socket_failed(c);
            else
                write_inflight(c);
        }
    }
    buf_clear(scratch);
}

/* False when there is nothing to encrypt, or TLS failed. */
static bool encrypt_piece(struct connection *c)
{
    size_t left = c->out.len - c->out_sent, written;
    if (left == 0)
        return false;
    ERR_clear_error();
    if (!SSL_write_ex(c->ssl, c->out.data + c->out_sent, left < PIECE_BYTES ? left : PIECE_BYTES,
                      &written)) {
        c->is_broken = true;
        connection_end(c, END_CLOSED, ERROR_TLS_BROKEN);
        return false;
    }
    c->out_sent += written;
    if (c->out_sent == c->out.len) {
        give_back(c);
        c->out_sent = 0;
    } else if (c->out_sent > c->out.len / 2) { /* moves each byte once at most, on average */
        buf_consume(&c->out, c->out_sent);
        c->out_sent = 0;
    }
    return true;
}

/* All is written: close_notify, then FIN. */
static void say_goodbye(struct connection *c)
{
    if (!c->has_said_goodbye) {
        c->has_said_goodbye = true;
        if (!c->is_broken && SSL_is_init_finished(c->ssl)) {
            ERR_clear_error();
            (void)SSL_shutdown(c->ssl); /* the peer's own close_notify is not waited for */
            connection_push(c);
        }
    }
    if (!c->is_writing && !c->is_dead)
        connection_linger(c);
}

void connection_flush(struct connection *c)
{
    struct net *n = c->net;
    bool can_write =
        !c->is_broken && (c->state == CONNECTION_OPEN || c->state == CONNECTION_FLUSHING);
    list_unlink(&c->dirty);
    for (unsigned i = 0; can_write && !c->is_writing && !c->is_dead; i++) {
        if (i == PIECES_PER_FLUSH) {
            list_append(&n->dirty, &c->dirty);
            net_schedule(n);
            break;
        }
        if (!encrypt_piece(c))
            break;
        connection_push(c);
    }
    settle(c);
    bool is_all_sent = !c->is_writing && (c->is_broken || c->out.len == c->out_sent);
    if (c->state == CONNECTION_FLUSHING && is_all_sent && !c->is_dead)
        say_goodbye(c);
}
