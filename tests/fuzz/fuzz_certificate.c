/*
 * tests/fuzz/fuzz_certificate.c: what pki reads from peers and files: certificates, revocation lists, requests,
 * public keys, signatures. Beyond not crashing: what is accepted is written as it was read, no stranger is
 * believed, and OpenSSL's error queue is left empty.
 */
#include "pki/binding.h"
#include "pki/der.h"
#include "pki/key.h"
#include "pki/trust.h"
#include <assert.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#define NOW_MS INT64_C(1795372200000)
#define BYTES_MAX 16384

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void certificate(struct trust *t, struct slice s)
{
    struct certificate_identity who;
    struct digest anchor;
    struct buf again;
    char uri[CERTIFICATE_URI_BYTES];
    int64_t from_ms, until_ms;
    X509 *c = NULL;
    enum error e = certificate_from_der(&c, s);
    assert(!e == !!c);
    if (e)
        return;
    buf_init(&again, BYTES_MAX);
    e = certificate_to_der(c, &again);
    assert(!e && slice_equal(buf_slice(&again), s));
    buf_fini(&again);
    (void)certificate_key_digest(c);
    (void)!certificate_check_strength(c);
    if (certificate_validity(c, &from_ms, &until_ms) == ERROR_NONE)
        assert(from_ms <= INT64_MAX && until_ms <= INT64_MAX);
    if (certificate_identity(c, &who) == ERROR_NONE)
        assert(certificate_uri(&who, uri)[0] == 'b' && who.common_name[0] != 0);
    STACK_OF(X509) *between = sk_X509_new_null();
    assert(between && sk_X509_push(between, c));
    for (int use = CERTIFICATE_RELAY; use <= CERTIFICATE_SEALING; use++) {
        e = trust_verify(t, c, between, (enum certificate_use)use, NOW_MS, &anchor);
        assert(e);
    }
    sk_X509_free(between);
    certificate_free(c);
}

static void anchor_and_list(struct slice s)
{
    struct trust *t = trust_new();
    struct slice rest = s, one;
    assert(t);
    while (der_take(&rest, &one)) {
        (void)!trust_add_anchor(t, one);
        (void)!trust_add_crl(t, one);
    }
    certificate(t, s);
    trust_free(t);
}

static void keys(struct slice s)
{
    struct buf out;
    EVP_PKEY *key = NULL;
    buf_init(&out, BYTES_MAX);
    enum error e = request_public_der(s, &out);
    assert(!e == (out.len > 0));
    buf_clear(&out);
    if (key_from_public_der(&key, s) == ERROR_NONE) {
        e = key_public_der(key, &out);
        assert(!e && slice_equal(buf_slice(&out), s));
        e = key_verify(key, BINDING_LABEL, s, s);
        assert(e);
    }
    key_free(key);
    key = NULL;
    (void)!key_from_pem(&key, s);
    key_free(key);
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice s = slice_of(data, size);
    anchor_and_list(s);
    keys(s);
    assert(ERR_peek_error() == 0);
    return 0;
}
