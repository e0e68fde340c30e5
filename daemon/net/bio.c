/*
 * daemon/net/bio.c: TLS's view of a connection: it reads what libuv has just read, and writes into the
 * one buffer that is pushed to the socket at the end of the turn. Nothing is copied into memory BIOs.
 */
#include "daemon/net/internal.h"
#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <string.h>

static int on_bio_read(BIO *b, char *to, int len)
{
    struct connection *c = BIO_get_data(b);
    struct slice taken;
    BIO_clear_retry_flags(b);
    size_t wanted = len > 0 ? (size_t)len : 0;
    size_t n = wanted < c->input.len ? wanted : c->input.len;
    /* After an end nothing more is read, so that a run of records without data cannot go on. */
    if (n == 0 || c->end != END_NONE || !slice_take(&c->input, n, &taken)) {
        BIO_set_retry_read(b);
        return -1;
    }
    memcpy(to, taken.data, n);
    return (int)n;
}

static int on_bio_write(BIO *b, const char *from, int len)
{
    struct connection *c = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    if (len <= 0 || buf_append(&c->net->scratch, from, (size_t)len))
        return -1;
    return len;
}

static long on_bio_ctrl(BIO *b, int command, long number, void *pointer)
{
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static int on_bio_create(BIO *b)
{
    BIO_set_init(b, 1);
    return 1;
}

BIO_METHOD *bio_method_new(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "brug connection");
    if (m && BIO_meth_set_read(m, on_bio_read) && BIO_meth_set_write(m, on_bio_write) &&
        BIO_meth_set_ctrl(m, on_bio_ctrl) && BIO_meth_set_create(m, on_bio_create))
        return m;
    BIO_meth_free(m);
    return NULL;
}

enum error bio_attach(struct connection *c)
{
    BIO *b = BIO_new(c->net->bio);
    if (!b)
        return ERROR_NO_MEMORY;
    BIO_set_data(b, c);
    SSL_set_bio(c->ssl, b, b);
    return ERROR_NONE;
}
