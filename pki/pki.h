/*
 * pki/pki.h: certificates, chains, revocation lists, keys and bindings, over OpenSSL; for net, ops and
 * the client. It keeps files and sockets out except where a function says it reads a file.
 *
 * Sizes in bytes; times in ms since 1970. Objects are opaque; free functions accept NULL.
 * Failures are one of the TLS_* codes, BAD_SIGNATURE, NOT_BELIEVED, NO_MEMORY, CRYPTO, or as stated.
 */
#ifndef PKI_PKI_H
#define PKI_PKI_H

#include "base/digest.h"
#include "base/id.h"
#include <openssl/types.h>

/* ---- keys: P-256 only in this version ---- */
enum error key_generate(EVP_PKEY **out) MUST_CHECK;
/* PEM, mode 0600, refuses to overwrite (ERROR_EXISTS); reading refuses a mode others can read (ERROR_PERMISSION). */
enum error key_write_file(EVP_PKEY *key, const char *path) MUST_CHECK;
enum error key_read_file(EVP_PKEY **out, const char *path) MUST_CHECK;
enum error key_public_der(EVP_PKEY *key, struct buf *out) MUST_CHECK; /* SubjectPublicKeyInfo */
/* ERROR_TLS_WEAK unless P-256 */
enum error key_from_public_der(EVP_PKEY **out, struct slice der) MUST_CHECK;
/* ECDSA with SHA-256 over "label" 0x00 bytes; signature in DER. Verify: ERROR_BAD_SIGNATURE. */
enum error key_sign(EVP_PKEY *key, const char *label, struct slice bytes, struct buf *signature)
    MUST_CHECK;
enum error key_verify(EVP_PKEY *key, const char *label, struct slice bytes, struct slice signature)
    MUST_CHECK;
#define KEY_LABEL_BINDING "brug/1 binding"
#define KEY_LABEL_COUNTERSIGNATURE "brug/1 countersignature"

/* ---- certificates ---- */
enum certificate_use {
    CERTIFICATE_RELAY,
    CERTIFICATE_IDENTITY,
    CERTIFICATE_SEALING,
    CERTIFICATE_ANCHOR
};

enum error certificate_from_der(X509 **out, struct slice der) MUST_CHECK; /* no bytes after it */
enum error certificate_to_der(X509 *c, struct buf *out) MUST_CHECK;
/* All certificates of a PEM file, in order, as DER; at most `max`. ERROR_CONFIG when there is none. */
enum error certificates_read_file(const char *path, struct buf *ders, size_t max, size_t *n)
    MUST_CHECK;
struct digest certificate_digest(X509 *c);     /* SHA-256 of its DER */
struct digest certificate_key_digest(X509 *c); /* SHA-256 of its SubjectPublicKeyInfo */

/* "brug:ORG/PERSON/ENDPOINT" of the SAN (PERSON empty for a practice system and a recovery entry), O and CN.
 * ERROR_TLS_WRONG_USE when it has no such URI, or more than one, or it is not well formed. */
struct certificate_identity {
    struct id organisation, person, endpoint;
    char organisation_name[256]; /* O */
    char common_name[256];       /* CN */
};
enum error certificate_identity(X509 *c, struct certificate_identity *out) MUST_CHECK;

/* Request for a certificate: PKCS#10 with subject O/CN and the SAN URI, signed with the key; and what it asks for. */
enum error request_make(EVP_PKEY *key, const struct certificate_identity *who, struct buf *der)
    MUST_CHECK;
/* verifies the self-signature */
enum error request_public_der(struct slice request_der, struct buf *out) MUST_CHECK;

/* ---- trust: anchors, revocation lists, chains ---- */
/* anchors with CRLs; immutable while verifying; reload by making a new one and swapping */
struct trust;

struct trust *trust_new(void);
void trust_free(struct trust *t);
enum error trust_add_anchor(struct trust *t, struct slice der) MUST_CHECK;
/* A CRL must be signed by an anchor (or by an intermediate seen later in a chain). A newer one replaces an older one of the
 * same issuer; an older one is ignored and reported as ERROR_EXISTS. */
enum error trust_add_crl(struct trust *t, struct slice der) MUST_CHECK;
/* default true: without a CRL in force, TLS_CRL_STALE */
void trust_set_crl_required(struct trust *t, bool required);
/*
 * Verifies chain, validity at now_ms, revocation of every certificate in it, key use, key and signature
 * strength (EC P-256/P-384 or RSA >= 3072; SHA-256 and up), path length, no wildcard. *anchor is the digest of the anchor reached.
 * TLS_UNKNOWN_CA, TLS_EXPIRED, TLS_REVOKED, TLS_WRONG_USE, TLS_CRL_STALE, TLS_WEAK.
 */
enum error trust_verify(struct trust *t, X509 *leaf, STACK_OF(X509) *intermediates,
                        enum certificate_use use, int64_t now_ms, struct digest *anchor) MUST_CHECK;

/* ---- bindings (design §3); `binding` is the exact serialised brug.v1.Binding ---- */
/* Same as key_sign/key_verify with their labels; the countersignature is over SHA-256(binding). */
struct digest binding_digest(struct slice binding);

/* ---- TLS policy in one place ---- */
/*
 * A context with TLS 1.3 only, mutual, ALPN brug/1, the suites and groups of domain.md, no tickets, no
 * 0-RTT, no renegotiation, no compression, SSL_MODE_RELEASE_BUFFERS. `chain` is the own certificate first.
 * The peer's certificate is judged by trust_verify at its time of use through *trust (so a reload swaps the
 * pointer): `verdict` then holds the code, and the handshake fails with the matching alert.
 */
struct tls_policy {
    bool is_server;
    EVP_PKEY *key;
    X509 *certificate;
    STACK_OF(X509) *chain;
    struct trust *const *trust;
    int64_t (*now_ms)(void *ctx);
    void *now_ctx;
};
enum error tls_context_new(SSL_CTX **out, const struct tls_policy *policy) MUST_CHECK;
/* After a failed or finished handshake: what was found about the peer (ERROR_NONE when all held), also from a received alert
 * (client side: the relay's alert mapped back to TLS_* codes). */
enum error tls_verdict(const SSL *ssl);
struct digest tls_peer_anchor(const SSL *ssl); /* after a finished handshake */
const char *tls_level(void);                   /* one line for `brugctl status` */

#endif
