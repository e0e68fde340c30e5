/*
 * pki/trust.c: the one judgement of a certificate; see trust.h.
 *
 * Happy path: OpenSSL builds the chain to one of the anchors and checks signatures, times, path
 * length and name constraints (RFC 5280 §6); then every element is looked at for strength, the
 * leaf for its use, and everything under the anchor for revocation. Lists are looked up here and
 * not by OpenSSL, because two anchors may bear the same name, and because a list must be
 * replaceable by a newer one. Failures: each step has its code, and the first one counts; a list
 * that is missing, stale, of the future or not verifiable is TLS_CRL_STALE, so that whoever
 * withholds it gains nothing.
 *
 * Invariants
 *
 *  1. Of each anchor at most one list is held, and its signature has been verified.
 *
 *  2. A list whose issuer is no anchor is only believed once the chain in hand verified it, and until
 *
 *     then displaces nothing.
 *
 */
#include "pki/trust.h"
#include "pki/crl.h"
#include "pki/failure.h"
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#define INTERMEDIATES_MAX 8 /* that a peer may send, in any order */

struct held_crl {
    struct crl crl;
    X509 *anchor; /* of the store, that signed it; NULL when not known yet */
};

struct trust {
    X509_STORE *store;
    X509 *anchors[TRUST_ANCHORS_MAX]; /* owned by the store */
    size_t anchor_count;
    struct held_crl crls[TRUST_CRLS_MAX];
    size_t crl_count;
    bool is_crl_optional;
};

struct trust *trust_new(void)
{
    struct trust *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->store = X509_STORE_new();
    if (!t->store) {
        (void)failure_of_openssl();
        free(t);
        return NULL;
    }
    return t;
}

void trust_free(struct trust *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->crl_count; i++)
        crl_fini(&t->crls[i].crl);
    X509_STORE_free(t->store);
    free(t);
}

void trust_set_crl_required(struct trust *t, bool required) { t->is_crl_optional = !required; }

/* ---- anchors ---- */

static enum error check_anchor(const struct trust *t, X509 *c)
{
    enum error e = certificate_check_use(c, CERTIFICATE_ANCHOR);
    if (!e)
        e = certificate_check_strength(c);
    if (!e && X509_self_signed(c, 1) != 1)
        e = failure_as(ERROR_TLS_WRONG_USE);
    for (size_t i = 0; !e && i < t->anchor_count; i++)
        if (X509_cmp(t->anchors[i], c) == 0)
            e = ERROR_EXISTS;
    return e;
}

enum error trust_add_anchor(struct trust *t, struct slice der)
{
    X509 *c = NULL;
    if (t->anchor_count == TRUST_ANCHORS_MAX)
        return ERROR_BOUND;
    enum error e = certificate_from_der(&c, der);
    if (!e)
        e = check_anchor(t, c);
    if (!e && !X509_STORE_add_cert(t->store, c))
        e = failure_of_openssl();
    if (!e)
        t->anchors[t->anchor_count++] = c;
    X509_free(c); /* the store has its own reference */
    return e;
}

/* ---- revocation lists ---- */

/* The anchor that signed it. ERROR_BAD_SIGNATURE if one has its name and key identifier but did
 * not. */
static enum error find_signer(const struct trust *t, const struct crl *c, X509 **anchor)
{
    enum error e = ERROR_NONE;
    *anchor = NULL;
    for (size_t i = 0; i < t->anchor_count; i++) {
        if (!crl_is_of(c, t->anchors[i]))
            continue;
        if (crl_is_signed_by(c, t->anchors[i])) {
            *anchor = t->anchors[i];
            return ERROR_NONE;
        }
        e = ERROR_BAD_SIGNATURE;
    }
    return e;
}

static struct held_crl *find_crl_of(struct trust *t, const X509 *anchor)
{
    for (size_t i = 0; anchor && i < t->crl_count; i++)
        if (t->crls[i].anchor == anchor)
            return &t->crls[i];
    return NULL;
}

static bool has_same_crl(const struct trust *t, const struct crl *c)
{
    for (size_t i = 0; i < t->crl_count; i++)
        if (X509_CRL_match(t->crls[i].crl.list, c->list) == 0)
            return true;
    return false;
}

enum error trust_add_crl(struct trust *t, struct slice der)
{
    struct held_crl held;
    enum error e = crl_from_der(&held.crl, der);
    if (e)
        return e;
    e = find_signer(t, &held.crl, &held.anchor);
    struct held_crl *old = e ? NULL : find_crl_of(t, held.anchor);
    if (!e && (old ? !crl_is_newer(&held.crl, &old->crl) : has_same_crl(t, &held.crl)))
        e = ERROR_EXISTS;
    if (!e && !old && t->crl_count == TRUST_CRLS_MAX)
        e = ERROR_BOUND;
    if (e) {
        crl_fini(&held.crl);
        return e;
    }
    if (old)
        crl_fini(&old->crl);
    else
        old = &t->crls[t->crl_count++];
    *old = held;
    return ERROR_NONE;
}

int64_t trust_crl_until_ms(const struct trust *t)
{
    int64_t earliest = INT64_MAX;
    for (size_t i = 0; i < t->crl_count; i++)
        if (t->crls[i].crl.until_ms < earliest)
            earliest = t->crls[i].crl.until_ms;
    return earliest;
}

/* The newest verified list of the issuer; NULL if there is none. */
static const struct crl *find_crl(const struct trust *t, X509 *issuer)
{
    const struct crl *newest = NULL;
    for (size_t i = 0; i < t->crl_count; i++) {
        const struct held_crl *held = &t->crls[i];
        if (held->anchor ? X509_cmp(held->anchor, issuer) != 0 : !crl_is_of(&held->crl, issuer))
            continue;
        if (newest && !crl_is_newer(&held->crl, newest))
            continue;
        if (held->anchor || crl_is_signed_by(&held->crl, issuer))
            newest = &held->crl;
    }
    return newest;
}

static enum error check_revocation(const struct trust *t, STACK_OF(X509) *chain, int64_t now_ms)
{
    for (int i = 0; i + 1 < sk_X509_num(chain); i++) {
        const struct crl *crl = find_crl(t, sk_X509_value(chain, i + 1));
        if (crl && crl_revokes(crl, sk_X509_value(chain, i)))
            return ERROR_TLS_REVOKED; /* also by a list that is out of date */
        if (!t->is_crl_optional && (!crl || now_ms < crl->from_ms || now_ms >= crl->until_ms))
            return ERROR_TLS_CRL_STALE;
    }
    return ERROR_NONE;
}

/* ---- chains ---- */

static bool may_be_judged(X509 *c)
{
    int len = i2d_X509(c, NULL);
    return len > 0 && (size_t)len <= CERTIFICATE_BYTES_MAX;
}

static enum error check_sizes(X509 *leaf, STACK_OF(X509) *intermediates)
{
    if (!may_be_judged(leaf))
        return failure_as(ERROR_TLS_BROKEN);
    if (sk_X509_num(intermediates) > INTERMEDIATES_MAX)
        return ERROR_TLS_UNKNOWN_CA;
    for (int i = 0; i < sk_X509_num(intermediates); i++)
        if (!may_be_judged(sk_X509_value(intermediates, i)))
            return failure_as(ERROR_TLS_BROKEN);
    return ERROR_NONE;
}

/* A name with a wildcard, or with a NUL inside, names nobody. */
static bool name_is_plain(const ASN1_STRING *name)
{
    size_t len = (size_t)ASN1_STRING_length(name);
    const unsigned char *data = ASN1_STRING_get0_data(name);
    return len == 0 || (!memchr(data, '*', len) && !memchr(data, 0, len));
}

static enum error check_names(X509 *leaf)
{
    bool is_good = true;
    GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; is_good && i < sk_GENERAL_NAME_num(names); i++) {
        int kind;
        const ASN1_STRING *value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &kind);
        if (kind == GEN_DNS || kind == GEN_URI || kind == GEN_EMAIL)
            is_good = name_is_plain(value);
    }
    GENERAL_NAMES_free(names);
    return failure_as(is_good ? ERROR_NONE : ERROR_TLS_WRONG_USE);
}

static enum error error_of_chain(int found)
{
    switch (found) {
    case X509_V_OK:
        return ERROR_NONE;
    case X509_V_ERR_CERT_NOT_YET_VALID:
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return ERROR_TLS_EXPIRED;
    case X509_V_ERR_INVALID_PURPOSE:
    case X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION:
    case X509_V_ERR_PERMITTED_VIOLATION:
    case X509_V_ERR_EXCLUDED_VIOLATION:
        return ERROR_TLS_WRONG_USE;
    case X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD:
    case X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD:
    case X509_V_ERR_INVALID_EXTENSION:
        return ERROR_TLS_BROKEN;
    case X509_V_ERR_EC_KEY_EXPLICIT_PARAMS:
        return ERROR_TLS_WEAK;
    case X509_V_ERR_OUT_OF_MEM:
        return ERROR_NO_MEMORY;
    default:
        return ERROR_TLS_UNKNOWN_CA;
    }
}

static int purpose_of(enum certificate_use use)
{
    switch (use) {
    case CERTIFICATE_RELAY:
        return X509_PURPOSE_SSL_SERVER;
    case CERTIFICATE_IDENTITY:
        return X509_PURPOSE_SSL_CLIENT;
    default:
        return X509_PURPOSE_ANY; /* OpenSSL knows none for key agreement */
    }
}

static enum error build_chain(X509_STORE_CTX *context, enum certificate_use use, int64_t now_ms)
{
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(context);
    X509_VERIFY_PARAM_set_time(param, (time_t)(now_ms / 1000));
    X509_VERIFY_PARAM_set_depth(param, TRUST_CHAIN_MAX - 2); /* counts the intermediates */
    if (!X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT) ||
        !X509_VERIFY_PARAM_set_purpose(param, purpose_of(use)))
        return failure_of_openssl();
    int held = X509_verify_cert(context);
    enum error e = error_of_chain(X509_STORE_CTX_get_error(context));
    if (held != 1 && !e)
        e = ERROR_CRYPTO;
    return failure_as(e);
}

static enum error judge_chain(const struct trust *t, STACK_OF(X509) *chain, int64_t now_ms)
{
    enum error e = ERROR_NONE;
    for (int i = 0; !e && i < sk_X509_num(chain); i++)
        e = certificate_check_strength(sk_X509_value(chain, i));
    if (!e)
        e = check_names(sk_X509_value(chain, 0));
    if (!e)
        e = check_revocation(t, chain, now_ms);
    return e;
}

enum error trust_verify(struct trust *t, X509 *leaf, STACK_OF(X509) *intermediates,
                        enum certificate_use use, int64_t now_ms, struct digest *anchor)
{
    enum error e = check_sizes(leaf, intermediates);
    if (!e)
        e = certificate_check_use(leaf, use);
    if (e)
        return e;
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    if (!context || !X509_STORE_CTX_init(context, t->store, leaf, intermediates)) {
        X509_STORE_CTX_free(context);
        return failure_of_openssl();
    }
    e = build_chain(context, use, now_ms);
    STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(context);
    if (!e)
        e = judge_chain(t, chain, now_ms);
    if (!e)
        *anchor = certificate_digest(sk_X509_value(chain, sk_X509_num(chain) - 1));
    X509_STORE_CTX_free(context);
    return e;
}
