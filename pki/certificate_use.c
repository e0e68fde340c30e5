/*
 * pki/certificate_use.c: what a certificate may be used for, and whether it is strong enough.
 *
 * One table holds the policy: for each use the key usages that must be there, those that may be
 * there besides, and the same for the extended ones. Keys stay apart by it: what identifies
 * never seals, what serves never is a client.
 */
#include "pki/certificate.h"
#include "pki/failure.h"
#include "pki/key.h"
#include <assert.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>

/* Extended usages by which one key could pass for two things. Others that OpenSSL does not name
 * (a smart card's, say) do no harm. */
#define XKU_ALL \
    (XKU_SSL_SERVER | XKU_SSL_CLIENT | XKU_SMIME | XKU_CODE_SIGN | XKU_SGC | XKU_OCSP_SIGN | \
     XKU_TIMESTAMP | XKU_DVCS | XKU_ANYEKU)
#define KU_ALL \
    (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION | KU_KEY_ENCIPHERMENT | KU_DATA_ENCIPHERMENT | \
     KU_KEY_AGREEMENT | KU_KEY_CERT_SIGN | KU_CRL_SIGN | KU_ENCIPHER_ONLY | KU_DECIPHER_ONLY)

static const struct use_rule {
    bool is_ca;
    bool needs_extended;
    uint32_t usage, usage_besides;
    uint32_t extended, extended_besides;
} use_rules[] = {
    [CERTIFICATE_RELAY] = {.needs_extended = true,
                           .usage = KU_DIGITAL_SIGNATURE,
                           .usage_besides = KU_KEY_ENCIPHERMENT | KU_KEY_AGREEMENT,
                           .extended = XKU_SSL_SERVER},
    [CERTIFICATE_IDENTITY] = {.needs_extended = true,
                              .usage = KU_DIGITAL_SIGNATURE,
                              .usage_besides = KU_NON_REPUDIATION,
                              .extended = XKU_SSL_CLIENT,
                              .extended_besides = XKU_SMIME},
    [CERTIFICATE_SEALING] = {.usage = KU_KEY_AGREEMENT, .extended_besides = XKU_SMIME},
    [CERTIFICATE_ANCHOR] = {.is_ca = true,
                            .usage = KU_KEY_CERT_SIGN,
                            .usage_besides = KU_ALL,
                            .extended_besides = XKU_ALL},
};

static bool usages_fit(uint32_t has, uint32_t must, uint32_t may, uint32_t all)
{
    return (has & must) == must && (has & all & ~(must | may)) == 0;
}

enum error certificate_check_use(X509 *c, enum certificate_use use)
{
    assert((size_t)use < sizeof use_rules / sizeof *use_rules);
    const struct use_rule *rule = &use_rules[use];
    uint32_t flags = X509_get_extension_flags(c);
    uint32_t usage = X509_get_key_usage(c), extended = X509_get_extended_key_usage(c);
    if (flags & EXFLAG_INVALID)
        return failure_as(ERROR_TLS_BROKEN);
    if ((flags & EXFLAG_V1) || !(flags & EXFLAG_KUSAGE) || !!(flags & EXFLAG_CA) != rule->is_ca)
        return failure_as(ERROR_TLS_WRONG_USE);
    if (!(flags & EXFLAG_XKUSAGE) && rule->needs_extended)
        return failure_as(ERROR_TLS_WRONG_USE);
    if (!(flags & EXFLAG_XKUSAGE))
        extended = 0;
    if (!usages_fit(usage, rule->usage, rule->usage_besides, KU_ALL) ||
        !usages_fit(extended, rule->extended, rule->extended_besides, XKU_ALL))
        return failure_as(ERROR_TLS_WRONG_USE);
    if (use == CERTIFICATE_SEALING && !X509_get0_subject_key_id(c))
        return failure_as(ERROR_TLS_WRONG_USE);
    return failure_as(ERROR_NONE);
}

static bool signature_is_strong(X509 *c)
{
    int digest = NID_undef, key = NID_undef;
    if (!X509_get_signature_info(c, &digest, &key, NULL, NULL))
        return false;
    if (key == NID_ED25519)
        return true;
    return digest == NID_sha256 || digest == NID_sha384 || digest == NID_sha512;
}

enum error certificate_check_strength(X509 *c)
{
    const EVP_PKEY *key = X509_get0_pubkey(c);
    bool is_strong = key && key_is_strong(key) && signature_is_strong(c);
    return failure_as(is_strong ? ERROR_NONE : ERROR_TLS_WEAK);
}
