/*
 * pki/binding.c: signing bindings, and judging a directory entry; see binding.h.
 *
 * Nothing here rests on the relay's word: each step compares the signed binding, the two
 * certificates and the anchors of the one who judges. The first step that fails names itself.
 */
#include "pki/binding.h"
#include "pki/failure.h"
#include "pki/key.h"
#include <openssl/x509.h>

struct digest binding_digest(struct slice binding) { return digest_of_slice(binding); }

enum error binding_sign(EVP_PKEY *identity, struct slice binding, struct buf *signature)
{
    return key_sign(identity, BINDING_LABEL, binding, signature);
}

static enum error verify_with(struct slice spki, const char *label, struct slice bytes,
                              struct slice signature)
{
    EVP_PKEY *key = NULL;
    enum error e = key_from_public_der(&key, spki);
    if (!e)
        e = key_verify(key, label, bytes, signature);
    key_free(key);
    return e;
}

enum error binding_verify(struct slice identity_key, struct slice binding, struct slice signature)
{
    return verify_with(identity_key, BINDING_LABEL, binding, signature);
}

enum error binding_countersign(EVP_PKEY *colleague, struct slice binding, struct buf *signature)
{
    struct digest d = binding_digest(binding);
    return key_sign(colleague, BINDING_COUNTERSIGNATURE_LABEL, digest_slice(&d), signature);
}

enum error binding_verify_countersignature(struct slice colleague_key, struct slice binding,
                                           struct slice signature)
{
    struct digest d = binding_digest(binding);
    return verify_with(colleague_key, BINDING_COUNTERSIGNATURE_LABEL, digest_slice(&d), signature);
}

/* ---- judging an entry ---- */

struct entry {
    const struct binding_claim *claim;
    struct trust *trust;
    const struct anchor_scope *scopes;
    size_t scope_count;
    int64_t now_ms;
    X509 *identity, *sealing;
    STACK_OF(X509) *intermediates;
    struct certificate_identity names; /* of the identity certificate */
};

/* A certificate that cannot be read makes nobody believe the entry. */
static enum error disbelief(enum error e)
{
    return e == ERROR_NO_MEMORY || e == ERROR_CRYPTO ? e : ERROR_NOT_BELIEVED;
}

static enum error read_certificates(struct entry *entry)
{
    const struct binding_claim *claim = entry->claim;
    enum error e = certificate_from_der(&entry->identity, claim->identity_certificate);
    if (!e)
        e = certificate_from_der(&entry->sealing, claim->sealing_certificate);
    if (!e && claim->intermediate_count > BINDING_INTERMEDIATES_MAX)
        e = ERROR_NOT_BELIEVED;
    entry->intermediates = e ? NULL : sk_X509_new_null();
    if (!e && !entry->intermediates)
        e = failure_of_openssl();
    for (size_t i = 0; !e && i < claim->intermediate_count; i++) {
        X509 *c = NULL;
        e = certificate_from_der(&c, claim->intermediates[i]);
        if (!e && !sk_X509_push(entry->intermediates, c)) {
            X509_free(c);
            e = failure_of_openssl();
        }
    }
    return e ? disbelief(e) : ERROR_NONE;
}

static enum error check_ids(struct entry *entry)
{
    const struct binding_claim *claim = entry->claim;
    bool holds = id_equal(&claim->listed_organisation, &claim->organisation) &&
                 !id_is_none(&claim->municipality) && !id_is_none(&claim->organisation) &&
                 !id_is_none(&claim->endpoint);
    return holds ? ERROR_NONE : ERROR_NOT_BELIEVED;
}

static enum error check_signature(struct entry *entry)
{
    const struct binding_claim *claim = entry->claim;
    return binding_verify(claim->identity_key, claim->binding, claim->signature);
}

static enum error check_keys(struct entry *entry)
{
    const struct binding_claim *claim = entry->claim;
    EVP_PKEY *sealing = NULL;
    enum error e = key_from_public_der(&sealing, claim->sealing_key);
    key_free(sealing);
    if (e)
        return e;
    bool holds = !slice_equal(claim->identity_key, claim->sealing_key) &&
                 certificate_has_key(entry->identity, claim->identity_key) &&
                 certificate_has_key(entry->sealing, claim->sealing_key);
    return holds ? ERROR_NONE : ERROR_NOT_BELIEVED;
}

static enum error check_names(const struct binding_claim *claim, X509 *c,
                              struct certificate_identity *names)
{
    enum error e = certificate_identity(c, names);
    if (e)
        return disbelief(e);
    bool holds = id_equal(&names->organisation, &claim->organisation) &&
                 id_equal(&names->person, &claim->person) &&
                 id_equal(&names->endpoint, &claim->endpoint);
    return holds ? ERROR_NONE : ERROR_NOT_BELIEVED;
}

static enum error check_identity_names(struct entry *entry)
{
    return check_names(entry->claim, entry->identity, &entry->names);
}

static enum error check_sealing_names(struct entry *entry)
{
    struct certificate_identity names;
    return check_names(entry->claim, entry->sealing, &names);
}

static bool scope_covers(const struct anchor_scope *s, const struct binding_claim *claim)
{
    if (id_is_none(&s->municipality) && id_is_none(&s->organisation))
        return false;
    return (id_is_none(&s->municipality) || id_equal(&s->municipality, &claim->municipality)) &&
           (id_is_none(&s->organisation) || id_equal(&s->organisation, &claim->organisation));
}

static enum error check_chain(const struct entry *entry, X509 *c, enum certificate_use use)
{
    struct digest anchor;
    enum error e = trust_verify(entry->trust, c, entry->intermediates, use, entry->now_ms, &anchor);
    if (e)
        return e;
    for (size_t i = 0; i < entry->scope_count; i++)
        if (digest_equal(&entry->scopes[i].anchor, &anchor) &&
            scope_covers(&entry->scopes[i], entry->claim))
            return ERROR_NONE;
    return ERROR_NOT_BELIEVED;
}

static enum error check_identity_chain(struct entry *entry)
{
    return check_chain(entry, entry->identity, CERTIFICATE_IDENTITY);
}

static enum error check_sealing_chain(struct entry *entry)
{
    return check_chain(entry, entry->sealing, CERTIFICATE_SEALING);
}

static const struct step {
    const char *what;
    enum error (*check)(struct entry *entry);
} steps[] = {
    {"the ids of the binding", check_ids},
    {"the form of the certificates", read_certificates},
    {"the keys", check_keys},
    {"the signature of the binding", check_signature},
    {"the names in the identity certificate", check_identity_names},
    {"the names in the sealing certificate", check_sealing_names},
    {"the identity certificate", check_identity_chain},
    {"the sealing certificate", check_sealing_chain},
};

enum error binding_judge(const struct binding_claim *claim, struct trust *t,
                         const struct anchor_scope *scopes, size_t n, int64_t now_ms,
                         struct certificate_identity *names, const char **what)
{
    struct entry entry = {
        .claim = claim, .trust = t, .scopes = scopes, .scope_count = n, .now_ms = now_ms};
    enum error e = ERROR_NONE;
    for (size_t i = 0; !e && i < sizeof steps / sizeof *steps; i++) {
        e = steps[i].check(&entry);
        if (e)
            *what = steps[i].what;
    }
    if (!e)
        *names = entry.names;
    sk_X509_pop_free(entry.intermediates, X509_free);
    X509_free(entry.identity);
    X509_free(entry.sealing);
    return e;
}
