/*
 * pki/trust.h: trust anchors, revocation lists, and the one judgement of a certificate.
 *
 * A struct trust is filled once and then only read, from one thread; to reload, a new one is
 * made and swapped in.
 */
#ifndef PKI_TRUST_H
#define PKI_TRUST_H

#include "pki/certificate.h"

#define TRUST_ANCHORS_MAX 64u
#define TRUST_CRLS_MAX 256u
#define TRUST_CRL_BYTES_MAX (4u << 20)
#define TRUST_CHAIN_MAX 4u /* leaf, two intermediates, anchor */

STACK_OF(X509); /* its functions come with <openssl/x509.h> */
struct trust;

struct trust *trust_new(void); /* NULL without memory */
void trust_free(struct trust *t);

/* A self-signed CA certificate that may sign certificates. ERROR_TLS_BROKEN, ERROR_TLS_WRONG_USE,
 * ERROR_TLS_WEAK; ERROR_EXISTS for one that is there already; ERROR_BOUND. */
enum error trust_add_anchor(struct trust *t, struct slice der) MUST_CHECK;
/* A complete CRL, v2 with a nextUpdate. When its issuer is an anchor its signature is verified
 * here (ERROR_BAD_SIGNATURE), so add anchors first; else when a chain with that issuer is judged.
 * A newer one replaces an older one of the same issuer; an older or equal one changes nothing:
 * ERROR_EXISTS. ERROR_TLS_BROKEN, ERROR_TLS_WEAK, ERROR_BOUND. */
enum error trust_add_crl(struct trust *t, struct slice der) MUST_CHECK;
/* All lists of a PEM file, or the one of a DER file, as DER one after the other: between 1 and
 * max, else ERROR_CONFIG. Also ERROR_NOT_FOUND, ERROR_PERMISSION, ERROR_IO, ERROR_BOUND. */
enum error crls_read_file(const char *path, struct buf *ders, size_t max, size_t *n) MUST_CHECK;
/* True at first: a chain without a CRL in force for every certificate under the anchor is
 * TLS_CRL_STALE. */
void trust_set_crl_required(struct trust *t, bool required);
/* The earliest nextUpdate of all CRLs, ms since 1970; INT64_MAX when there is none. */
int64_t trust_crl_until_ms(const struct trust *t);

/*
 * Judges a chain at now_ms: up to an anchor, in force, revoked by no CRL in force, meant for
 * `use`, strong enough, short enough, no wildcard. *anchor is the digest of the anchor reached.
 * ERROR_TLS_UNKNOWN_CA, ERROR_TLS_EXPIRED, ERROR_TLS_REVOKED, ERROR_TLS_WRONG_USE,
 * ERROR_TLS_CRL_STALE, ERROR_TLS_WEAK; ERROR_TLS_BROKEN for what cannot be read.
 */
enum error trust_verify(struct trust *t, X509 *leaf, STACK_OF(X509) *intermediates,
                        enum certificate_use use, int64_t now_ms, struct digest *anchor) MUST_CHECK;

#endif
