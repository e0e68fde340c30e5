/*
 * pki/certificate.h: X.509 certificates and requests, read strictly.
 *
 * Free a certificate with X509_free. Failures not named here: ERROR_NO_MEMORY, ERROR_CRYPTO.
 */
#ifndef PKI_CERTIFICATE_H
#define PKI_CERTIFICATE_H

#include "base/digest.h"
#include "base/id.h"
#include <openssl/types.h>

enum certificate_use {
    CERTIFICATE_RELAY,    /* TLS server only */
    CERTIFICATE_IDENTITY, /* TLS client authentication and signing */
    CERTIFICATE_SEALING,  /* key agreement only */
    CERTIFICATE_ANCHOR,   /* CA */
};

#define CERTIFICATE_BYTES_MAX 8192u

/* One certificate in DER, of at most CERTIFICATE_BYTES_MAX with no byte after it.
 * ERROR_TLS_BROKEN, ERROR_BOUND. */
enum error certificate_from_der(X509 **out, struct slice der) MUST_CHECK;
enum error certificate_to_der(X509 *c, struct buf *out) MUST_CHECK;
void certificate_free(X509 *c);
/* All certificates of a PEM file in order, as DER one after the other (der_take parts them);
 * between 1 and max, each one readable, else ERROR_CONFIG. Also ERROR_NOT_FOUND,
 * ERROR_PERMISSION, ERROR_IO, ERROR_BOUND. */
enum error certificates_read_file(const char *path, struct buf *ders, size_t max, size_t *n)
    MUST_CHECK;

struct digest certificate_digest(X509 *c);     /* SHA-256 of its DER */
struct digest certificate_key_digest(X509 *c); /* SHA-256 of its SubjectPublicKeyInfo */
/* True if `spki` is exactly the certificate's SubjectPublicKeyInfo. */
bool certificate_has_key(X509 *c, struct slice spki);
/* ms since 1970. ERROR_TLS_BROKEN when a time in it is not well formed. */
enum error certificate_validity(X509 *c, int64_t *from_ms, int64_t *until_ms) MUST_CHECK;

/* Key usage, extended key usage and basic constraints say this use and no other:
 * ERROR_TLS_WRONG_USE; ERROR_TLS_BROKEN when an extension is not well formed. A sealing
 * certificate also has a subject key identifier, because letters name their readers by it. */
enum error certificate_check_use(X509 *c, enum certificate_use use) MUST_CHECK;
/* The key is strong (key_is_strong), the signature SHA-256 and up: ERROR_TLS_WEAK. */
enum error certificate_check_strength(X509 *c) MUST_CHECK;

/* Whom a certificate names: the SAN's URI, the subject's O and CN. */
struct certificate_identity {
    struct id organisation;
    struct id person; /* none for a practice system and a recovery entry */
    struct id endpoint;
    char organisation_name[256];
    char common_name[256];
};

#define CERTIFICATE_URI_BYTES (5 + 3 * 36 + 2 + 1)
/* "brug:ORG/PERSON/ENDPOINT", or "brug:ORG//ENDPOINT"; returns out. */
char *certificate_uri(const struct certificate_identity *who, char out[CERTIFICATE_URI_BYTES]);
/* ERROR_TLS_WRONG_USE when there is no such URI, or more than one, or a SAN that is not well
 * formed, or O or CN is missing, repeated, too long or not clean text. */
enum error certificate_identity(X509 *c, struct certificate_identity *out) MUST_CHECK;

#define REQUEST_BYTES_MAX 4096u
/* PKCS#10 with the subject's O and CN and the URI, signed with the key. ERROR_USAGE when a name
 * is empty, not clean text, or longer than X.520's 64 characters. */
enum error request_make(EVP_PKEY *key, const struct certificate_identity *who, struct buf *der)
    MUST_CHECK;
/* The P-256 key of a request whose own signature verifies. ERROR_BAD_SIGNATURE, ERROR_TLS_BROKEN,
 * ERROR_TLS_WEAK. */
enum error request_public_der(struct slice request, struct buf *out) MUST_CHECK;

#endif
