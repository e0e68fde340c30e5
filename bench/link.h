/*
 * bench/link.h: one TLS 1.3 connection over a non-blocking socket, tuned to cost little: what OpenSSL
 * writes is gathered in memory and sent with one system call, what arrives is read in large pieces.
 *
 * `in` holds what was received, for the owner to consume; `out` what is to be sent with the next
 * link_flush. The owner waits for what link_wants says, edge or level.
 */
#ifndef BENCH_LINK_H
#define BENCH_LINK_H

#include "bench/common.h"
#include <openssl/types.h>

#define LINK_ALPN "brug/1"

struct link {
    int fd;
    SSL *ssl;
    struct buf in, out;
    size_t unsent; /* encrypted bytes that the socket did not take yet */
    bool is_open;  /* the handshake is done */
};

/* A context with the policy of PROTOCOL.md section 1; dies when a file is missing. */
SSL_CTX *link_context(bool is_server, const char *anchors);
/* The key and the certificates of one PEM file or of two. */
void link_identity(SSL_CTX *context, const char *certificates, const char *key);

/* Takes the socket. */
void link_init(struct link *l, SSL_CTX *context, int fd, bool is_server);
void link_fini(struct link *l);
/* Reads all there is, or goes on with the handshake. False when the connection is at its end: what was
 * received before lies in `in`. */
bool link_read(struct link *l) MUST_CHECK;
/* Sends `out` and what was left; false when the connection is broken. */
bool link_flush(struct link *l) MUST_CHECK;
/* Gives back the memory of an empty `in` and `out`. */
void link_trim(struct link *l);
uint32_t link_wants(const struct link *l); /* epoll's events */

/* A socket of 127.0.0.1 that never blocks. */
int link_connect(const char *host, uint16_t port);
int link_listen(uint16_t port);

#endif
