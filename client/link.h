/*
 * client/link.h: one connection to the relay: TCP, TLS, bytes. Never blocks, except in the look-up of a name.
 *
 *     CLOSED --link_open--> CONNECTING --> HANDSHAKE --> OPEN
 *        ^---------------- link_close, or a failure ------/
 *
 * link_advance does what can be done now; link_read and link_write move bytes once it is OPEN. The descriptor is kept
 * in the caller's epoll with the interest that the state needs. Errors are TLS_* codes, FRAME_TRUNCATED
 * (the peer ended), IO, NO_MEMORY; after one the link is CLOSED.
 */
#ifndef CLIENT_LINK_H
#define CLIENT_LINK_H

#include "base/buf.h"
#include <openssl/types.h>

struct link;

enum link_state { LINK_CLOSED, LINK_CONNECTING, LINK_HANDSHAKE, LINK_OPEN };

/* `epoll` and `context` are borrowed and outlive the link. */
struct link *link_new(int epoll);
void link_free(struct link *l);
enum link_state link_state(const struct link *l);

enum error link_open(struct link *l, SSL_CTX *context, const char *host, unsigned port) MUST_CHECK;
enum error link_advance(struct link *l) MUST_CHECK;
/* Appends at most bytes_max bytes; *got 0: nothing there now. ERROR_NONE with *is_ended: the peer closed in order. */
enum error link_read(struct link *l, struct buf *in, size_t bytes_max, size_t *got, bool *is_ended)
    MUST_CHECK;
/* Sends from the front of `out` what goes, and consumes it. */
enum error link_write(struct link *l, struct buf *out) MUST_CHECK;
/* The last TLS failure is what the relay said of our certificate, not what we found about it. */
bool link_was_refused(const struct link *l);
/* Says goodbye if it can. */
void link_close(struct link *l);

#endif
