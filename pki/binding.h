/*
 * pki/binding.h: what makes a directory entry believable (design §3).
 *
 * A binding is the exact serialised brug.v1.Binding: the ids of organisation, person and
 * endpoint and both public keys, signed with the identity key. A countersignature is a believed
 * colleague's signature over the binding's SHA-256. This floor knows no protobuf: the caller
 * decodes, and hands the fields in a struct binding_claim.
 */
#ifndef PKI_BINDING_H
#define PKI_BINDING_H

#include "pki/trust.h"

/* Each signature is over its label, 0x00, and the bytes, so none can be taken for another. */
#define BINDING_LABEL "brug/1 binding"
#define BINDING_COUNTERSIGNATURE_LABEL "brug/1 countersignature"

struct digest binding_digest(struct slice binding);
enum error binding_sign(EVP_PKEY *identity, struct slice binding, struct buf *signature) MUST_CHECK;
/* ERROR_BAD_SIGNATURE, or ERROR_TLS_WEAK when identity_key is no P-256 key. */
enum error binding_verify(struct slice identity_key, struct slice binding, struct slice signature)
    MUST_CHECK;
enum error binding_countersign(EVP_PKEY *colleague, struct slice binding, struct buf *signature)
    MUST_CHECK;
enum error binding_verify_countersignature(struct slice colleague_key, struct slice binding,
                                           struct slice signature) MUST_CHECK;

/* One directory entry, as its own fields say. Slices are borrowed. */
struct binding_claim {
    struct slice binding, signature;
    struct id listed_organisation; /* under which the directory lists the entry */
    /* of the binding */
    struct id municipality, organisation, person, endpoint;
    struct slice identity_key, sealing_key; /* SubjectPublicKeyInfo */
    /* beside it */
    struct slice identity_certificate, sealing_certificate; /* DER */
    const struct slice *intermediates;                      /* DER each */
    size_t intermediate_count;
};

/* An anchor vouches only for organisations of one municipality, or for one organisation. */
struct anchor_scope {
    struct digest anchor;   /* certificate_digest of the anchor */
    struct id municipality; /* none: any, if organisation is set */
    struct id organisation; /* none: all of the municipality */
};

#define BINDING_INTERMEDIATES_MAX 4u

/*
 * Judges an entry as a client must; the relay does the same when one is added. On failure *what
 * names what is wrong in a few fixed words. ERROR_NOT_BELIEVED, ERROR_BAD_SIGNATURE, or what
 * trust_verify says of a certificate. On success *names is what the identity certificate
 * certifies.
 */
enum error binding_judge(const struct binding_claim *claim, struct trust *t,
                         const struct anchor_scope *scopes, size_t n, int64_t now_ms,
                         struct certificate_identity *names, const char **what) MUST_CHECK;

#endif
