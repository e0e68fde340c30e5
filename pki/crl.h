/* pki/crl.h: one revocation list, read strictly; for trust.c. */
#ifndef PKI_CRL_H
#define PKI_CRL_H

#include "base/buf.h"
#include <openssl/types.h>

struct crl {
    X509_CRL *list;
    int64_t from_ms, until_ms; /* thisUpdate, nextUpdate */
};

/* A complete v2 list in DER with a nextUpdate: no indirect, partial or delta list, because a
 * reader that passes over those would call a revoked certificate good. ERROR_TLS_BROKEN;
 * ERROR_TLS_WEAK. */
enum error crl_from_der(struct crl *out, struct slice der) MUST_CHECK;
void crl_fini(struct crl *c);
bool crl_is_of(const struct crl *c, X509 *issuer);        /* by name and key identifier */
bool crl_is_signed_by(const struct crl *c, X509 *issuer); /* and may sign lists */
/* By thisUpdate; within one second by the list's number. */
bool crl_is_newer(const struct crl *a, const struct crl *b);
bool crl_revokes(const struct crl *c, X509 *certificate);

#endif
