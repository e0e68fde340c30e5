/*
 * daemon/net/net.h: TLS connections over libuv, cut into frames. Knows nothing of what frames mean.
 *
 * Happy path: accept, handshake (judged by pki's TLS policy), on_connected, on_frame for every whole
 * frame, net_send queues answers that net_flush writes with one SSL_write per connection and wake-up.
 * Failures: every failure of a connection ends in on_closed exactly once with its code, after which the
 * session id means nothing. A code that the peer should hear is sent by the owner (GoAway) before net_close.
 *
 * Invariants
 *  1. A session id is never used again; calls with an unknown id do nothing.
 *  2. Ciphertext and plaintext that wait per connection are bounded; at the bound reading stops.
 *  3. Memory of a connection is freed only after libuv's close callback.
 */
#ifndef DAEMON_NET_NET_H
#define DAEMON_NET_NET_H

#include "base/buf.h"
#include "base/digest.h"
#include <openssl/types.h>
#include <uv.h>

struct net;

struct net_peer {
    struct digest key; /* SHA-256 of SubjectPublicKeyInfo */
    struct digest anchor;
    int64_t not_after_ms;
    char address[64]; /* for the log */
};

struct net_events {
    void (*on_connected)(void *ctx, uint64_t session, const struct net_peer *peer);
    void (*on_frame)(void *ctx, uint64_t session,
                     struct slice frame); /* borrowed; net_close may be called inside */
    void (*on_drained)(void *ctx, uint64_t session);
    /* A limit of net's own (FRAME_TOO_LARGE, HELLO_TIMEOUT, IDLE_TIMEOUT, WRITE_STALLED, FRAME_TRUNCATED, …) on a connection
     * that was connected: the owner may send a last frame and must call net_close. */
    void (*on_limit)(void *ctx, uint64_t session, enum error code);
    /* Gone. `was_connected` false: the handshake failed; the code says why. Called once, not after net_close.
     * Of a connection that was: NONE after close_notify, IO when it just ended, TLS_BROKEN, FRAME_TRUNCATED. */
    void (*on_closed)(void *ctx, uint64_t session, enum error code, bool was_connected,
                      const char *address);
    /* All input of this wake-up was handed over. */
    void (*on_wake_end)(void *ctx);
};

struct net_options {
    SSL_CTX *tls;
    size_t connections_max, handshakes_max, handshakes_per_source_max;
    int handshake_ms_max, hello_ms_max, idle_ms_max, write_stall_ms_max;
    size_t frame_bytes_before_welcome;
    size_t unsent_bytes_max;      /* a connection, plaintext and ciphertext */
    size_t input_bytes_total_max; /* of partly received frames over all connections */
    size_t output_bytes_total_max;
    unsigned key_updates_per_minute_max;
};

enum error net_new(struct net **out, uv_loop_t *loop, const struct net_options *o,
                   const struct net_events *e, void *ctx) MUST_CHECK;
/* "127.0.0.1:7410", "[::1]:0"; *port is the one bound. */
enum error net_listen(struct net *n, const char *address, uint16_t *port) MUST_CHECK;
/* ERROR_CONFIG unless net_listen could take it. */
enum error net_check_address(const char *address) MUST_CHECK;
enum error net_listen_fd(struct net *n, int fd) MUST_CHECK; /* socket activation */
void net_stop_listening(struct net *n);
/* Replaces the context for connections to come. */
void net_set_tls(struct net *n, SSL_CTX *tls);

bool net_send(struct net *n, uint64_t session, const struct slice *parts,
              size_t count); /* false: at its limit */
void net_flush(struct net *n);
void net_set_frame_max(struct net *n, uint64_t session,
                       size_t frame_bytes_max); /* Welcome: hello timer ends, idle timer begins */
void net_pause(struct net *n, uint64_t session, bool is_paused); /* 0: all */
void net_close(struct net *n,
               uint64_t session); /* after what is queued, within write_stall_ms_max */
size_t net_connection_count(const struct net *n);
/* Closes everything; done_cb when the last close callback ran; then net_free. */
void net_shutdown(struct net *n, void (*done_cb)(void *ctx));
void net_free(struct net *n);

#endif
