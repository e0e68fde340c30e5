/*
 * tests/lib/pki_fixture.h: certificates made on the spot for tests: good ones, and broken in one way.
 *
 * Everything is in force at FIXTURE_NOW_MS, from a day before until a year after. What cannot be made
 * ends the test program.
 */
#ifndef TESTS_LIB_PKI_FIXTURE_H
#define TESTS_LIB_PKI_FIXTURE_H

#include "pki/certificate.h"
#include "pki/trust.h"
#include <openssl/types.h>

#define FIXTURE_NOW_MS INT64_C(1795372200000) /* 2026-11-22T18:30:00Z */
#define FIXTURE_DAY_MS INT64_C(86400000)
#define FIXTURE_FROM_MS (FIXTURE_NOW_MS - FIXTURE_DAY_MS)
#define FIXTURE_UNTIL_MS (FIXTURE_NOW_MS + 365 * FIXTURE_DAY_MS)

/* A CA: an anchor, or an intermediate under another one. */
struct fixture_ca {
    EVP_PKEY *key;
    X509 *certificate;
};

/* What is wished of a certificate; what is 0 or NULL is as the use needs it. The texts are those of
 * OpenSSL's x509v3_config; "" leaves the extension out. */
struct fixture_wish {
    enum certificate_use use;
    struct certificate_identity who; /* identity and sealing */
    const char *name;                /* CN of a relay or a CA */
    EVP_PKEY *key;                   /* P-256 */
    int64_t from_ms, until_ms;
    const char *usage, *extended, *alternative, *constraints, *key_id;
    const char *digest; /* "SHA256" */
};

void fixture_ca_init(struct fixture_ca *ca, const char *name);
void fixture_ca_init_under(struct fixture_ca *ca, const char *name, const struct fixture_ca *over);
void fixture_ca_fini(struct fixture_ca *ca);
/* Anything that fixture_wish can say of an anchor. */
void fixture_ca_init_as(struct fixture_ca *ca, const struct fixture_wish *wish,
                        const struct fixture_ca *over);

/* The certificate; *key (if asked for) is the key that it carries, to be freed by the caller. */
X509 *fixture_issue(const struct fixture_ca *ca, const struct fixture_wish *wish, EVP_PKEY **key);
/* Signed by its own key. */
X509 *fixture_self_signed(const struct fixture_wish *wish, EVP_PKEY **key);
/* A relay's certificate for localhost, 127.0.0.1 and ::1. */
X509 *fixture_relay(const struct fixture_ca *ca, EVP_PKEY **key);

/* One endpoint with both its keys and certificates. `number` gives it its ids and names: 0x12 is endpoint
 * 2 of person 2 of organisation 1. */
struct fixture_endpoint {
    struct certificate_identity who;
    EVP_PKEY *identity_key, *sealing_key;
    X509 *identity, *sealing;
};
void fixture_endpoint_init(struct fixture_endpoint *e, const struct fixture_ca *ca,
                           unsigned number);
void fixture_endpoint_fini(struct fixture_endpoint *e);
struct certificate_identity fixture_who(unsigned number);
/* A v4 UUID of the number. */
struct id fixture_id(unsigned number);

/* A list of the CA's, appended as DER. `number`: the CRL number. */
void fixture_crl(const struct fixture_ca *ca, int64_t from_ms, int64_t until_ms, long number,
                 X509 *const *revoked, size_t n, struct buf *der);
/* Trust in the CA, with a list in force that revokes these. */
struct trust *fixture_trust(const struct fixture_ca *ca, X509 *const *revoked, size_t n);

/* One side of TLS as the relay or a client has it, at FIXTURE_NOW_MS. `trust` is borrowed and outlives it. */
enum error fixture_tls_context(SSL_CTX **out, bool is_server, X509 *c, EVP_PKEY *key,
                               struct trust *const *trust);

#endif
