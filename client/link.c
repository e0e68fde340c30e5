/*
 * client/link.c: see link.h.
 *
 * Happy path: the name is looked up, addresses are tried one after the other, the handshake runs, bytes flow.
 * OpenSSL reads and writes the socket itself; it is asked for each step only what it said it waits for.
 * Invariant: OpenSSL's error queue is empty before each call into it, so that SSL_get_error tells of that call.
 */
#include "client/link.h"

#include "pki/tls.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINK_WRITE_BYTES_MAX (64u << 10)

struct link {
    int epoll;
    int fd;
    uint32_t interest; /* as registered */
    enum link_state state;
    bool was_refused;
    SSL *ssl;
    SSL_CTX *context; /* borrowed */
    BIO_METHOD *bio;
    char host[256];
    struct addrinfo *addresses, *next;
};

/* ---- the socket as OpenSSL sees it ---- */

static int on_bio_write(BIO *b, const char *from, int len)
{
    int fd = -1;
    (void)BIO_get_fd(b, &fd); /* -1 when there is none: then send fails */
    BIO_clear_retry_flags(b);
    int n = (int)send(fd, from, len > 0 ? (size_t)len : 0, MSG_NOSIGNAL);
    if (n <= 0 && BIO_sock_should_retry(n))
        BIO_set_retry_write(b);
    return n;
}

/* OpenSSL's own socket, but a peer that is gone is an error and no SIGPIPE, which would end the program that uses the
 * library. */
static BIO_METHOD *bio_method_new(void)
{
    const BIO_METHOD *own = BIO_s_socket();
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOCKET, "brug socket");
    if (m && BIO_meth_set_write(m, on_bio_write) && BIO_meth_set_read(m, BIO_meth_get_read(own)) &&
        BIO_meth_set_ctrl(m, BIO_meth_get_ctrl(own)) &&
        BIO_meth_set_create(m, BIO_meth_get_create(own)) &&
        BIO_meth_set_destroy(m, BIO_meth_get_destroy(own)))
        return m;
    BIO_meth_free(m);
    return NULL;
}

static enum error attach_socket(struct link *l)
{
    BIO *b = BIO_new(l->bio);
    if (!b)
        return ERROR_NO_MEMORY;
    (void)BIO_set_fd(b, l->fd, BIO_NOCLOSE); /* always 1 */
    SSL_set_bio(l->ssl, b, b);
    return ERROR_NONE;
}

/* ---- beginning and ending ---- */

struct link *link_new(int epoll)
{
    struct link *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->epoll = epoll;
    l->fd = -1;
    l->bio = bio_method_new();
    if (l->bio)
        return l;
    free(l);
    return NULL;
}

static void drop_socket(struct link *l)
{
    SSL_free(l->ssl);
    l->ssl = NULL;
    if (l->fd >= 0)
        (void)close(l->fd); /* leaves the epoll by itself */
    l->fd = -1;
    l->interest = 0;
    l->state = LINK_CLOSED;
}

static void drop_all(struct link *l)
{
    drop_socket(l);
    if (l->addresses)
        freeaddrinfo(l->addresses);
    l->addresses = l->next = NULL;
}

void link_close(struct link *l)
{
    if (l->state == LINK_OPEN) {
        ERR_clear_error();
        (void)SSL_shutdown(l->ssl); /* a courtesy: one try */
        ERR_clear_error();
    }
    drop_all(l);
}

void link_free(struct link *l)
{
    if (!l)
        return;
    link_close(l);
    BIO_meth_free(l->bio);
    free(l);
}

enum link_state link_state(const struct link *l) { return l->state; }
bool link_was_refused(const struct link *l) { return l->was_refused; }

static enum error set_interest(struct link *l, uint32_t interest)
{
    struct epoll_event event = {.events = interest};
    if (interest == l->interest)
        return ERROR_NONE;
    int op = l->interest ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (epoll_ctl(l->epoll, op, l->fd, &event) != 0)
        return ERROR_IO;
    l->interest = interest;
    return ERROR_NONE;
}

/* ---- connecting ---- */

static enum error start_handshake(struct link *l)
{
    int one = 1;
    (void)setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* only speed */
    l->ssl = SSL_new(l->context);
    if (!l->ssl)
        return ERROR_NO_MEMORY;
    enum error e = attach_socket(l);
    if (e == ERROR_NONE)
        e = tls_set_host(l->ssl, l->host);
    if (e != ERROR_NONE)
        return e;
    SSL_set_connect_state(l->ssl);
    l->state = LINK_HANDSHAKE;
    return ERROR_NONE;
}

/* The next address that does not fail at once. */
static enum error try_next(struct link *l)
{
    while (l->next) {
        const struct addrinfo *a = l->next;
        l->next = a->ai_next;
        drop_socket(l);
        l->fd = socket(a->ai_family, a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (l->fd < 0)
            continue;
        int rc = connect(l->fd, a->ai_addr, a->ai_addrlen);
        if (rc != 0 && errno != EINPROGRESS)
            continue;
        l->state = LINK_CONNECTING;
        return set_interest(l, EPOLLOUT);
    }
    drop_all(l);
    return ERROR_IO;
}

enum error link_open(struct link *l, SSL_CTX *context, const char *host, unsigned port)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    char service[8];
    link_close(l);
    l->was_refused = false;
    hints.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV;
    (void)snprintf(service, sizeof service, "%u", port & 0xffff); /* always fits */
    (void)snprintf(l->host, sizeof l->host, "%s", host);          /* checked at enrolment */
    l->context = context;
    if (getaddrinfo(host, service, &hints, &l->addresses) != 0) {
        hints.ai_flags =
            AI_NUMERICSERV; /* AI_ADDRCONFIG hides loopback on machines without a network */
        if (getaddrinfo(host, service, &hints, &l->addresses) != 0) {
            l->addresses = NULL;
            return ERROR_IO;
        }
    }
    l->next = l->addresses;
    return try_next(l);
}

static enum error finish_connect(struct link *l)
{
    int failed = 0;
    socklen_t len = sizeof failed;
    struct sockaddr_storage peer;
    socklen_t peer_len = sizeof peer;
    if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &failed, &len) != 0 || failed != 0)
        return try_next(l);
    if (getpeername(l->fd, (struct sockaddr *)&peer, &peer_len) != 0)
        return errno == ENOTCONN ? ERROR_NONE : try_next(l);
    enum error e = start_handshake(l);
    return e == ERROR_NONE ? set_interest(l, EPOLLIN | EPOLLOUT) : e;
}

/* ---- TLS ---- */

/* What a call that returned rc <= 0 means: ERROR_NONE when it only waits. */
static enum error after_call(struct link *l, int rc, bool *is_ended)
{
    switch (SSL_get_error(l->ssl, rc)) {
    case SSL_ERROR_WANT_READ:
        return set_interest(l, EPOLLIN);
    case SSL_ERROR_WANT_WRITE:
        return set_interest(l, EPOLLIN | EPOLLOUT);
    case SSL_ERROR_ZERO_RETURN:
        *is_ended = true;
        return ERROR_NONE;
    default:
        l->was_refused = tls_was_refused(l->ssl);
        return tls_failed(l->ssl);
    }
}

static enum error shake_hands(struct link *l)
{
    bool is_ended = false;
    ERR_clear_error();
    int rc = SSL_do_handshake(l->ssl);
    if (rc == 1) {
        l->state = LINK_OPEN;
        return set_interest(l, EPOLLIN);
    }
    enum error e = after_call(l, rc, &is_ended);
    return e == ERROR_NONE && is_ended ? ERROR_TLS_BROKEN : e;
}

enum error link_advance(struct link *l)
{
    enum error e = ERROR_NONE;
    if (l->state == LINK_CONNECTING)
        e = finish_connect(l);
    if (e == ERROR_NONE && l->state == LINK_HANDSHAKE)
        e = shake_hands(l);
    if (e != ERROR_NONE)
        drop_all(l);
    return e;
}

enum error link_read(struct link *l, struct buf *in, size_t bytes_max, size_t *got, bool *is_ended)
{
    uint8_t *place = NULL;
    size_t room = in->len_max - in->len;
    size_t want = bytes_max < room ? bytes_max : room;
    size_t before = in->len;
    *got = 0;
    *is_ended = false;
    if (want == 0)
        return ERROR_NONE;
    enum error e = buf_extend(in, want, &place);
    if (e != ERROR_NONE)
        return e;
    ERR_clear_error();
    int rc = SSL_read(l->ssl, place, (int)(want < INT_MAX ? want : INT_MAX));
    in->len = before + (rc > 0 ? (size_t)rc : 0);
    if (rc > 0) {
        *got = (size_t)rc;
        return ERROR_NONE;
    }
    e = after_call(l, rc, is_ended);
    if (e != ERROR_NONE)
        drop_all(l);
    return e;
}

enum error link_write(struct link *l, struct buf *out)
{
    bool is_ended = false;
    while (out->len > 0) {
        size_t len = out->len < LINK_WRITE_BYTES_MAX ? out->len : LINK_WRITE_BYTES_MAX;
        ERR_clear_error();
        int rc = SSL_write(l->ssl, out->data, (int)len);
        if (rc > 0) {
            buf_consume(out, (size_t)rc);
            continue;
        }
        enum error e = after_call(l, rc, &is_ended);
        if (e == ERROR_NONE && is_ended)
            e = ERROR_TLS_BROKEN;
        if (e != ERROR_NONE)
            drop_all(l);
        return e;
    }
    return set_interest(l, EPOLLIN);
}
