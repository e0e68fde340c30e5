/*
 * daemon/net/internal.h: the objects of the network thread, shared by the files of this floor only:
 * net.c (wake-ups, timers, the public calls), listener.c (accepting), connection.c (a connection's
 * life), input.c (from the socket to frames), output.c (from frames to the socket), bio.c, source.c.
 *
 *                         handshake done            net_close, or the peer's end
 *     accept -> HANDSHAKE --------------> OPEN ----------------------------------> FLUSHING
 *                   |                       |                                         | all written,
 *                   | failed: alert         | socket dead                             | close_notify, FIN
 *                   v                       v                                         v
 *                FLUSHING                 GONE <---- peer's FIN, or its time is up - LINGERING
 *
 * FLUSHING and LINGERING read and discard, so that the peer is not reset before it saw the last frame.
 *
 * Invariants
 *  1. Calls of the owner only queue and mark; SSL runs in a turn of one connection or in its flush, and
 *     events are told only from libuv callbacks, never from within a call of the owner.
 *  2. `scratch` is empty between two connections: what TLS writes is pushed to the socket, or into the
 *     connection's own buffers, before another connection has its turn.
 *  3. `held` ciphertext is empty whenever the socket is read.
 *  4. input_bytes and output_bytes are the sums of what the connections are charged with.
 *  5. Of the connections that wait for the input budget one is always let through when nobody has
 *     been let through, so that the budget cannot lock itself.
 *  6. A connection is in the heap of deadlines from accept until uv_close.
 */
#ifndef DAEMON_NET_INTERNAL_H
#define DAEMON_NET_INTERNAL_H

#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "daemon/net/net.h"
#include "daemon/net/source.h"
#include <openssl/bio.h>

#define READ_BYTES (64u << 10)
#define READ_BYTES_TIGHT (4u << 10)  /* a read when the input budget is short */
#define PLAINTEXT_BYTES (16u << 10)  /* a TLS record holds at most this */
#define PIECE_BYTES (128u << 10)     /* encrypted at once */
#define SPARE_OUTPUTS_MAX 16u        /* empty output buffers that are kept for the next wake-up */
#define SPARE_BYTES_MAX (256u << 10) /* of one of them */
#define LINGER_MS 2000
#define NEVER_MS INT64_MAX

struct net {
    uv_loop_t *loop;
    struct net_options options;
    struct net_events events;
    void *ctx;
    SSL_CTX *tls;
    BIO_METHOD *bio;

    uv_check_t check; /* after each poll: ends the wake-up */
    uv_idle_t idle;   /* active while `ready` or must_accept asks for a turn */
    uv_timer_t timer; /* for the first of `deadlines` */
    struct heap deadlines;
    int64_t timer_due_ms;
    unsigned handles_open; /* whose close callback has not run */

    struct list listeners;
    struct list connections;
    struct list ready;          /* has something to do in a turn of its own */
    struct list dirty;          /* has something to encrypt or to end */
    struct list stopped;        /* found net paused and stopped reading */
    struct list input_waiters;  /* wait for the input budget, in order */
    struct list output_waiters; /* drained, but the output budget is still short */
    struct map by_session;
    struct sources sources;
    uint64_t session_last;
    size_t connection_count, handshake_count;
    size_t let_through_count; /* connections inside a frame that the input budget let through */
    size_t input_bytes, output_bytes;
    bool is_paused, has_woken, must_accept;
    const struct connection *turn; /* whose turn it is, or NULL */

    uint8_t *ciphertext; /* READ_BYTES */
    uint8_t *plaintext;  /* PLAINTEXT_BYTES */
    struct buf scratch;  /* ciphertext of the connection whose turn it is */
    struct buf spare_outputs[SPARE_OUTPUTS_MAX];
    size_t spare_output_count;
    void (*done_cb)(void *ctx);
};

struct listener {
    struct list all;
    uv_tcp_t tcp;
    struct net *net;
    bool is_waiting; /* a connection waits to be accepted until a handshake has ended */
};

enum connection_state {
    CONNECTION_HANDSHAKE,
    CONNECTION_OPEN,
    CONNECTION_FLUSHING,
    CONNECTION_LINGERING,
    CONNECTION_GONE
};
/* What the owner is to be told. */
enum connection_end { END_NONE, END_LIMIT, END_CLOSED };

struct connection {
    struct net *net;
    uv_tcp_t tcp;
    uv_write_t write;
    uv_shutdown_t shutdown;
    struct list all, ready, dirty, stopped, input_waiting, output_waiting;
    struct map_node by_session;
    uint64_t session;
    SSL *ssl;
    enum connection_state state;
    enum connection_end end;
    enum error end_code;

    struct slice input; /* ciphertext of this turn */
    struct buf held;    /* ciphertext that a turn left behind */
    struct buf partial; /* plaintext that is not a whole frame yet, or waits for a pause to end */
    size_t frame_bytes_max;
    size_t input_wanted;  /* what it waits for */
    size_t input_charged; /* to the budget */
    size_t unfinished_bytes;

    struct buf out; /* plaintext; the first out_sent bytes are encrypted already */
    size_t out_sent;
    struct buf inflight; /* ciphertext in uv_write */
    struct buf behind;   /* ciphertext after it: key updates, alerts */
    size_t output_charged;

    struct heap_node deadline;
    int64_t due_ms; /* of the handshake, Hello, silence, the flush or the linger, by state */
    int64_t stall_due_ms;
    size_t stall_left_bytes;
    int64_t key_updates_since_ms;
    unsigned key_updates;
    struct source *source; /* while it counts as a handshake */

    bool is_welcomed, is_paused, is_reading, is_writing;
    bool is_over; /* its output is over a limit: no reading */
    bool is_waiting_input, is_waiting_output;
    bool is_let_through; /* inside a frame that is charged to the input budget */
    bool is_broken;      /* TLS can say nothing more */
    bool is_dead;        /* the socket neither */
    bool has_said_goodbye, has_peer_ended;
    char address[64];
};

/* ---- net.c ---- */
int64_t net_now_ms(const struct net *n);
void net_schedule(
    struct net *n); /* a turn for `ready` and waiting listeners without waiting for input */
void net_arm(struct net *n);
void net_on_handle_closed(struct net *n);

/* ---- listener.c ---- */
void listeners_accept_waiting(struct net *n);
void listener_close(struct listener *l);

/* ---- bio.c ---- */
BIO_METHOD *bio_method_new(void); /* reads connection->input, writes net->scratch */
enum error bio_attach(struct connection *c);

/* ---- connection.c ---- */
/* Accepts from `server`; tells and closes by itself when a limit says so. False: not yet, no memory. */
bool connection_accept(struct net *n, uv_stream_t *server);
void connection_release_handshake(struct connection *c, bool has_failed);
void connection_wake(struct connection *c);
/* The first end counts; told at the end of the turn, or in the next one. */
void connection_end(struct connection *c, enum connection_end end, enum error code);
void connection_tell(struct connection *c);
void connection_close(struct connection *c);   /* OPEN -> FLUSHING */
void connection_linger(struct connection *c);  /* FLUSHING -> LINGERING */
void connection_destroy(struct connection *c); /* -> GONE */
void connection_on_time(struct connection *c);
void connection_set_due(struct connection *c, int64_t due_ms);
void connection_run(struct connection *c); /* its turn from `ready` */

/* ---- input.c ---- */
void connection_turn(struct connection *c);
void connection_update_reading(struct connection *c);
bool connection_may_take(const struct connection *c);
void connection_drop_input(struct connection *c);

/* ---- output.c ---- */
bool connection_queue(struct connection *c, const struct slice *parts, size_t count);
void connection_push(struct connection *c);
void connection_flush(struct connection *c);
void connection_end_over(struct connection *c);
void connection_drop_output(struct connection *c);
void output_fini(struct net *n); /* frees the spare buffers */

#endif
