/* bench/link.c: see link.h. */
#include "bench/link.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES 65536u
#define RECORD_BYTES 16384u
#define BACKLOG 4096

/* ---- contexts ---- */

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                       const unsigned char *in, unsigned in_len, void *unused)
{
    static const unsigned char ours[] = {sizeof LINK_ALPN - 1, 'b', 'r', 'u', 'g', '/', '1'};
    (void)ssl;
    (void)unused;
    return SSL_select_next_proto((unsigned char **)out, out_len, ours, sizeof ours, in, in_len) ==
                   OPENSSL_NPN_NEGOTIATED
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static void offer_alpn(SSL_CTX *c, bool is_server)
{
    static const unsigned char ours[] = {sizeof LINK_ALPN - 1, 'b', 'r', 'u', 'g', '/', '1'};
    if (is_server)
        SSL_CTX_set_alpn_select_cb(c, choose_alpn, NULL);
    else if (SSL_CTX_set_alpn_protos(c, ours, sizeof ours))
        die("cannot offer ALPN");
}

SSL_CTX *link_context(bool is_server, const char *anchors)
{
    SSL_CTX *c = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
    if (!c || !SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION))
        die("cannot make a TLS context");
    if (SSL_CTX_load_verify_locations(c, anchors, NULL) != 1)
        die("cannot read the anchors in %s", anchors);
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(c, 0);
    SSL_CTX_set_options(c, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_NO_AUTO_CHAIN); /* as our clients: no anchor is sent along */
    SSL_CTX_set_read_ahead(c, 1);
    SSL_CTX_set_default_read_buffer_len(c, READ_BYTES);
    offer_alpn(c, is_server);
    return c;
}

void link_identity(SSL_CTX *context, const char *certificates, const char *key)
{
    if (SSL_CTX_use_certificate_chain_file(context, certificates) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
        die("cannot read %s and %s", certificates, key);
}

/* ---- sockets ---- */

static int new_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    if (fd < 0)
        die("cannot make a socket: %s", strerror(errno));
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    return fd;
}

static struct sockaddr_in address(const char *host, uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, host, &a.sin_addr) != 1)
        die("%s is no IPv4 address", host);
    return a;
}

int link_connect(const char *host, uint16_t port)
{
    struct sockaddr_in a = address(host, port);
    int fd = new_socket();
    if (connect(fd, (struct sockaddr *)&a, sizeof a) && errno != EINPROGRESS) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

int link_listen(uint16_t port)
{
    struct sockaddr_in a = address("127.0.0.1", port);
    int fd = new_socket();
    if (bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, BACKLOG))
        die("cannot listen on port %u: %s", port, strerror(errno));
    return fd;
}

/* ---- a connection ---- */

void link_init(struct link *l, SSL_CTX *context, int fd, bool is_server)
{
    int one = 1;
    *l = (struct link){.fd = fd, .ssl = SSL_new(context)};
    BIO *in = BIO_new_socket(fd, BIO_NOCLOSE), *out = BIO_new(BIO_s_mem());
    if (!l->ssl || !in || !out)
        die("out of memory");
    SSL_set_bio(l->ssl, in, out);
    if (is_server)
        SSL_set_accept_state(l->ssl);
    else
        SSL_set_connect_state(l->ssl);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    buf_init(&l->in, BYTES_MAX);
    buf_init(&l->out, BYTES_MAX);
}

void link_fini(struct link *l)
{
    SSL_free(l->ssl);
    buf_fini(&l->in);
    buf_fini(&l->out);
    (void)close(l->fd);
}

/* What OpenSSL has written. */
static bool send_encrypted(struct link *l)
{
    BIO *b = SSL_get_wbio(l->ssl);
    char *data, scratch[RECORD_BYTES];
    long len = BIO_get_mem_data(b, &data);
    l->unsent = len > 0 ? (size_t)len : 0;
    if (l->unsent == 0)
        return true;
    ssize_t n = write(l->fd, data, l->unsent); /* counted in wchar, like a libuv server's */
    if (n < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOTCONN;
    l->unsent -= (size_t)n;
    if (l->unsent == 0)
        return BIO_reset(b) == 1;
    for (size_t left = (size_t)n; left > 0;) {
        int k = BIO_read(b, scratch, (int)(left < sizeof scratch ? left : sizeof scratch));
        left -= (size_t)k;
    }
    return true;
}

/* The handshake's buffer goes; most connections of the idle kind never need another. */
static bool handshake(struct link *l)
{
    int k = SSL_do_handshake(l->ssl);
    int why = SSL_get_error(l->ssl, k);
    bool is_sent = send_encrypted(l);
    if (k == 1 && is_sent && l->unsent == 0) {
        BIO *fresh = BIO_new(BIO_s_mem());
        if (fresh)
            SSL_set0_wbio(l->ssl, fresh);
    }
    l->is_open = k == 1;
    return is_sent && (k == 1 || why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE);
}

bool link_read(struct link *l)
{
    ERR_clear_error();
    if (!l->is_open && !handshake(l))
        return false;
    if (!l->is_open)
        return true;
    for (;;) { /* until WANT_READ: what lies inside OpenSSL raises no event */
        uint8_t *to;
        need(buf_extend(&l->in, RECORD_BYTES, &to), "receive");
        int n = SSL_read(l->ssl, to, (int)RECORD_BYTES);
        l->in.len -= n > 0 ? RECORD_BYTES - (size_t)n : RECORD_BYTES;
        if (n <= 0)
            return SSL_get_error(l->ssl, n) == SSL_ERROR_WANT_READ;
    }
}

bool link_flush(struct link *l)
{
    if (l->is_open && l->unsent == 0 && l->out.len > 0) {
        ERR_clear_error();
        if (SSL_write(l->ssl, l->out.data, (int)l->out.len) != (int)l->out.len)
            return false; /* a BIO in memory takes all */
        buf_clear(&l->out);
    }
    return send_encrypted(l);
}

static void trim(struct buf *b)
{
    if (b->len == 0 && b->capacity > 0) {
        buf_fini(b);
        buf_init(b, BYTES_MAX);
    }
}

void link_trim(struct link *l)
{
    trim(&l->in);
    trim(&l->out);
}

uint32_t link_wants(const struct link *l) { return EPOLLIN | (l->unsent > 0 ? EPOLLOUT : 0u); }
