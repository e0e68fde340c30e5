/* pki/crl.c: one revocation list (RFC 5280 §5), read strictly; see crl.h. */
#include "pki/crl.h"
#include "pki/der.h"
#include "pki/failure.h"
#include "pki/pem.h"
#include "pki/trust.h"
#include <openssl/objects.h>
#include <openssl/x509v3.h>

#define PEM_FILE_BYTES_MAX (2 * TRUST_CRL_BYTES_MAX)

/* What would make the list mean less than it seems stands in critical extensions: the issuing
 * distribution point, the delta indicator, an entry's own issuer (RFC 5280 §5.2.4, §5.2.5,
 * §5.3.3). */
static bool is_complete(X509_CRL *list)
{
    if (X509_CRL_get_version(list) != X509_CRL_VERSION_2 ||
        X509_CRL_get_ext_by_critical(list, 1, -1) >= 0 ||
        X509_CRL_get_ext_by_NID(list, NID_delta_crl, -1) >= 0)
        return false;
    STACK_OF(X509_REVOKED) *entries = X509_CRL_get_REVOKED(list);
    for (int i = 0; i < sk_X509_REVOKED_num(entries); i++)
        if (X509_REVOKED_get_ext_by_critical(sk_X509_REVOKED_value(entries, i), 1, -1) >= 0)
            return false;
    return true;
}

static bool signature_is_strong(X509_CRL *list)
{
    int digest, key;
    if (!OBJ_find_sigid_algs(X509_CRL_get_signature_nid(list), &digest, &key))
        return false;
    if (key == NID_ED25519 || key == NID_rsassaPss)
        return true; /* of rsassaPss the digest stands in the parameters, which verifying reads */
    return digest == NID_sha256 || digest == NID_sha384 || digest == NID_sha512;
}

static bool is_whole(const X509_CRL *list, const unsigned char *at, struct slice der)
{
    return list && at == der.data + der.len;
}

enum error crl_from_der(struct crl *out, struct slice der)
{
    if (der.len == 0 || der.len > TRUST_CRL_BYTES_MAX)
        return ERROR_TLS_BROKEN;
    enum error e = ERROR_NONE;
    const unsigned char *at = der.data;
    struct crl c = {.list = d2i_X509_CRL(NULL, &at, (long)der.len)};
    if (!is_whole(c.list, at, der) || !is_complete(c.list) ||
        !der_time_ms(X509_CRL_get0_lastUpdate(c.list), &c.from_ms) ||
        !der_time_ms(X509_CRL_get0_nextUpdate(c.list), &c.until_ms))
        e = ERROR_TLS_BROKEN;
    else if (!signature_is_strong(c.list))
        e = ERROR_TLS_WEAK;
    if (e)
        crl_fini(&c);
    else
        *out = c;
    return failure_as(e);
}

void crl_fini(struct crl *c) { X509_CRL_free(c->list); }

bool crl_is_of(const struct crl *c, X509 *issuer)
{
    if (X509_NAME_cmp(X509_CRL_get_issuer(c->list), X509_get_subject_name(issuer)) != 0)
        return false;
    AUTHORITY_KEYID *akid = X509_CRL_get_ext_d2i(c->list, NID_authority_key_identifier, NULL, NULL);
    const ASN1_OCTET_STRING *skid = X509_get0_subject_key_id(issuer);
    bool is_same = !akid || !akid->keyid || !skid || ASN1_OCTET_STRING_cmp(akid->keyid, skid) == 0;
    AUTHORITY_KEYID_free(akid);
    (void)failure_as(ERROR_NONE);
    return is_same;
}

bool crl_is_signed_by(const struct crl *c, X509 *issuer)
{
    EVP_PKEY *key = X509_get0_pubkey(issuer);
    bool holds =
        key && (X509_get_key_usage(issuer) & KU_CRL_SIGN) && X509_CRL_verify(c->list, key) == 1;
    (void)failure_as(ERROR_NONE);
    return holds;
}

static int compare_numbers(const struct crl *a, const struct crl *b)
{
    ASN1_INTEGER *of_a = X509_CRL_get_ext_d2i(a->list, NID_crl_number, NULL, NULL);
    ASN1_INTEGER *of_b = X509_CRL_get_ext_d2i(b->list, NID_crl_number, NULL, NULL);
    int order = of_a && of_b ? ASN1_INTEGER_cmp(of_a, of_b) : 0;
    ASN1_INTEGER_free(of_a);
    ASN1_INTEGER_free(of_b);
    (void)failure_as(ERROR_NONE);
    return order;
}

bool crl_is_newer(const struct crl *a, const struct crl *b)
{
    if (a->from_ms != b->from_ms)
        return a->from_ms > b->from_ms;
    return compare_numbers(a, b) > 0;
}

bool crl_revokes(const struct crl *c, X509 *certificate)
{
    X509_REVOKED *entry;
    return X509_CRL_get0_by_cert(c->list, &entry, certificate) != 0;
}

/* ---- files ---- */

static enum error check_each(struct slice ders)
{
    struct slice one;
    while (ders.len > 0) {
        struct crl c;
        if (!der_take(&ders, &one) || crl_from_der(&c, one) != ERROR_NONE)
            return ERROR_CONFIG;
        crl_fini(&c);
    }
    return ERROR_NONE;
}

enum error crls_read_file(const char *path, struct buf *ders, size_t max, size_t *n)
{
    struct buf file, found;
    size_t count = 0;
    buf_init(&file, PEM_FILE_BYTES_MAX);
    buf_init(&found, PEM_FILE_BYTES_MAX);
    enum error e = buf_read_file(&file, path);
    struct slice rest = buf_slice(&file), one;
    if (!e && der_take(&rest, &one) && rest.len == 0) {
        count = 1;
        e = max > 0 ? buf_append_slice(&found, one) : ERROR_BOUND;
    } else if (!e) {
        e = pem_append_ders(buf_slice(&file), "X509 CRL", &found, max, &count);
    }
    if (!e && count == 0)
        e = ERROR_CONFIG;
    if (!e)
        e = check_each(buf_slice(&found));
    if (!e)
        e = buf_append_slice(ders, buf_slice(&found));
    if (!e)
        *n = count;
    buf_fini(&file);
    buf_fini(&found);
    return e;
}
