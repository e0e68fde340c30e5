/*
 * pki/certificate.c: certificates as bytes: read strictly, written, hashed; see certificate.h.
 *
 * Only DER is a certificate here: what OpenSSL's lenient reader takes but would write otherwise
 * is refused, so that a certificate has one form and its digest means one thing.
 */
#include "pki/certificate.h"
#include "pki/der.h"
#include "pki/failure.h"
#include "pki/pem.h"
#include <assert.h>
#include <openssl/x509.h>
#include <string.h>

#define PEM_FILE_BYTES_MAX 262144

static bool is_written_as(X509 *c, struct slice der)
{
    unsigned char again[CERTIFICATE_BYTES_MAX], *at = again;
    int len = i2d_X509(c, NULL);
    if (len <= 0 || (size_t)len != der.len || i2d_X509(c, &at) != len)
        return false;
    return memcmp(again, der.data, der.len) == 0;
}

enum error certificate_from_der(X509 **out, struct slice der)
{
    if (der.len > CERTIFICATE_BYTES_MAX)
        return ERROR_BOUND;
    const unsigned char *at = der.data;
    X509 *c = der.len > 0 ? d2i_X509(NULL, &at, (long)der.len) : NULL;
    if (!c || !is_written_as(c, der)) {
        X509_free(c);
        return failure_as(ERROR_TLS_BROKEN);
    }
    *out = c;
    return failure_as(ERROR_NONE);
}

enum error certificate_to_der(X509 *c, struct buf *out)
{
    unsigned char *der = NULL;
    int len = i2d_X509(c, &der);
    if (len <= 0)
        return failure_of_openssl();
    enum error e = buf_append(out, der, (size_t)len);
    OPENSSL_free(der);
    return e;
}

void certificate_free(X509 *c) { X509_free(c); }

static enum error check_each(struct slice ders)
{
    struct slice one;
    while (ders.len > 0) {
        X509 *c = NULL;
        if (!der_take(&ders, &one) || certificate_from_der(&c, one) != ERROR_NONE)
            return ERROR_CONFIG;
        X509_free(c);
    }
    return ERROR_NONE;
}

enum error certificates_read_file(const char *path, struct buf *ders, size_t max, size_t *n)
{
    struct buf pem, found;
    size_t count = 0;
    buf_init(&pem, PEM_FILE_BYTES_MAX);
    buf_init(&found, PEM_FILE_BYTES_MAX);
    enum error e = buf_read_file(&pem, path);
    if (!e)
        e = pem_append_ders(buf_slice(&pem), "CERTIFICATE", &found, max, &count);
    if (!e && count == 0)
        e = ERROR_CONFIG;
    if (!e)
        e = check_each(buf_slice(&found));
    if (!e)
        e = buf_append_slice(ders, buf_slice(&found));
    if (!e)
        *n = count;
    buf_fini_secret(&pem); /* a key may stand in the same file */
    buf_fini(&found);
    return e;
}

/* What was read can be written again; only memory can be missing, and then nothing goes on. */
static struct digest digest_and_free(unsigned char *der, int len)
{
    assert(len > 0);
    struct digest d = digest_of_slice(slice_of(der, (size_t)len));
    OPENSSL_free(der);
    return d;
}

struct digest certificate_digest(X509 *c)
{
    unsigned char *der = NULL;
    int len = i2d_X509(c, &der);
    return digest_and_free(der, len);
}

struct digest certificate_key_digest(X509 *c)
{
    unsigned char *der = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(c), &der);
    return digest_and_free(der, len);
}

bool certificate_has_key(X509 *c, struct slice spki)
{
    unsigned char *der = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(c), &der);
    bool has = len > 0 && slice_equal(slice_of(der, (size_t)len), spki);
    OPENSSL_free(der);
    return has;
}

enum error certificate_validity(X509 *c, int64_t *from_ms, int64_t *until_ms)
{
    int64_t from, until;
    if (!der_time_ms(X509_get0_notBefore(c), &from) || !der_time_ms(X509_get0_notAfter(c), &until))
        return failure_as(ERROR_TLS_BROKEN);
    *from_ms = from;
    *until_ms = until;
    return ERROR_NONE;
}
