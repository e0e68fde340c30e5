/*
 * client/seal.c: writing a sealed letter; see letter.h.
 *
 * Happy path: the Content is filled up to a bucket and packed; signed into a SignedData; encrypted
 * into an AuthEnvelopedData, each recipient with an ephemeral key of its own; what came out passes
 * our own profile check and is appended to the caller's buffer. Failures: letter.h names them.
 * Invariants: (1) every copy of the plaintext that this file or OpenSSL's CMS makes is wiped
 * before it is freed; (2) nothing is appended that readers would refuse.
 */
#include "client/letter.h"
#include "client/padding.h"
#include "client/profile.h"
#include "pki/failure.h"
#include "pki/key.h"
#include "proto/check.h"
#include "proto/frame.h"
#include <openssl/cms.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#define SIGNED_OVERHEAD_BYTES_MAX (LIMIT_CERTIFICATE_BYTES + 1024u)

/* ---- Content ---- */

static ProtobufCBinaryData binary(const uint8_t *data, size_t len)
{
    /* protobuf-c reads what it packs; its type has no const */
    return (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)data};
}

static enum error pack_content(Brug__V1__Content *content, struct buf *out)
{
    uint8_t *zeros = NULL;
    size_t padding;
    content->padding = binary(NULL, 0);
    size_t len = brug__v1__content__get_packed_size(content);
    if (len > LIMIT_CONTENT_BYTES)
        return ERROR_MESSAGE_TOO_LARGE;
    enum error e = padding_needed(len, &padding);
    if (e != ERROR_NONE)
        return e;
    if (padding > 0 && !(zeros = calloc(1, padding)))
        return ERROR_NO_MEMORY;
    content->padding = binary(zeros, padding);
    e = frame_append_bare(out, &content->base);
    content->padding = binary(NULL, 0);
    free(zeros);
    return e;
}

static enum error fill_content(const Brug__V1__Content *content, struct slice header,
                               const uint8_t random32[32], struct buf *out)
{
    const char *field;
    Brug__V1__Content filled = *content;
    struct digest header_digest = digest_of_slice(header);
    filled.nonce = binary(random32, 32);
    filled.header_digest = binary(header_digest.bytes, DIGEST_BYTES);
    filled.padding = binary(NULL, 0);
    enum error e = check_content(&filled, &field);
    return e == ERROR_NONE ? pack_content(&filled, out) : e;
}

/* ---- CMS ---- */

/* Runs the content through `cms`. Not CMS_final, whose buffers are not wiped. */
static bool finish_cms(CMS_ContentInfo *cms, struct slice content)
{
    BIO *chain = CMS_dataInit(cms, NULL);
    bool ok = chain && BIO_write(chain, content.data, (int)content.len) == (int)content.len &&
              BIO_flush(chain) == 1 && CMS_dataFinal(cms, chain) == 1;
    BIO_free_all(chain);
    return ok;
}

static void free_with_plaintext(CMS_ContentInfo *cms)
{
    ASN1_OCTET_STRING **content = cms ? CMS_get0_content(cms) : NULL;
    if (content && *content)
        OPENSSL_cleanse((*content)->data, (size_t)(*content)->length);
    CMS_ContentInfo_free(cms);
}

static enum error append_der(CMS_ContentInfo *cms, struct buf *out)
{
    uint8_t *place;
    int len = i2d_CMS_ContentInfo(cms, NULL);
    if (len <= 0)
        return failure_of_openssl();
    enum error e = buf_extend(out, (size_t)len, &place);
    if (e == ERROR_NONE && i2d_CMS_ContentInfo(cms, &place) != len)
        e = failure_of_openssl();
    return e == ERROR_BOUND ? ERROR_MESSAGE_TOO_LARGE : e;
}

static enum error check_certificate(X509 *certificate)
{
    if (!X509_get0_subject_key_id(certificate))
        return failure_as(ERROR_TLS_WRONG_USE);
    return key_is_p256(X509_get0_pubkey(certificate)) ? ERROR_NONE : failure_as(ERROR_TLS_WEAK);
}

static enum error sign_content(const struct letter_keys *keys, struct slice content,
                               struct buf *out)
{
    const unsigned flags = CMS_BINARY | CMS_NOSMIMECAP | CMS_USE_KEYID | CMS_PARTIAL;
    enum error e = check_certificate(keys->identity_certificate);
    if (e != ERROR_NONE)
        return e;
    CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, flags);
    if (!cms ||
        !CMS_add1_signer(cms, keys->identity_certificate, keys->identity_key, EVP_sha256(),
                         flags) ||
        !finish_cms(cms, content))
        e = failure_of_openssl();
    else
        e = append_der(cms, out);
    free_with_plaintext(cms);
    return e;
}

/* Key agreement with SHA-256: OpenSSL's own choice is SHA-1. */
static enum error add_recipient(CMS_ContentInfo *cms, X509 *certificate)
{
    enum error e = check_certificate(certificate);
    if (e != ERROR_NONE)
        return e;
    CMS_RecipientInfo *recipient =
        CMS_add1_recipient_cert(cms, certificate, CMS_USE_KEYID | CMS_KEY_PARAM);
    EVP_PKEY_CTX *agreement = recipient ? CMS_RecipientInfo_get0_pkey_ctx(recipient) : NULL;
    if (!agreement || EVP_PKEY_CTX_set_ecdh_kdf_md(agreement, EVP_sha256()) <= 0)
        return failure_of_openssl();
    return ERROR_NONE;
}

static enum error add_recipients(CMS_ContentInfo *cms, X509 *own, X509 *const *recipients, size_t n)
{
    enum error e = add_recipient(cms, own);
    for (size_t i = 0; e == ERROR_NONE && i < n; i++)
        if (X509_cmp(recipients[i], own) != 0)
            e = add_recipient(cms, recipients[i]);
    return e;
}

static enum error encrypt(struct slice signed_data, X509 *own, X509 *const *recipients, size_t n,
                          struct buf *out)
{
    CMS_ContentInfo *cms =
        CMS_encrypt(NULL, NULL, EVP_aes_256_gcm(), CMS_BINARY | CMS_USE_KEYID | CMS_PARTIAL);
    enum error e = cms ? add_recipients(cms, own, recipients, n) : failure_of_openssl();
    if (e == ERROR_NONE && !finish_cms(cms, signed_data))
        e = failure_of_openssl();
    if (e == ERROR_NONE)
        e = append_der(cms, out);
    CMS_ContentInfo_free(cms);
    return e;
}

/* ---- a letter ---- */

static enum error sign_checked(const struct letter_keys *keys, struct slice content,
                               struct buf *out)
{
    struct profile_inner inner;
    const char *where;
    enum error e = sign_content(keys, content, out);
    if (e == ERROR_NONE)
        e = profile_check_inner(buf_slice(out), &inner, &where);
    if (e == ERROR_NONE && !slice_equal(inner.content, content))
        e = ERROR_CRYPTO;
    return e;
}

static enum error encrypt_checked(struct slice signed_data, X509 *own, X509 *const *recipients,
                                  size_t n, struct buf *sealed)
{
    struct profile_outer outer;
    const char *where;
    struct buf out;
    buf_init(&out, LIMIT_MESSAGE_BYTES_MAX);
    enum error e = encrypt(signed_data, own, recipients, n, &out);
    if (e == ERROR_NONE)
        e = profile_check_outer(buf_slice(&out), &outer, &where);
    if (e == ERROR_NONE && outer.encrypted.len != signed_data.len)
        e = ERROR_CRYPTO;
    if (e == ERROR_NONE)
        e = buf_append_slice(sealed, buf_slice(&out));
    buf_fini(&out);
    return e == ERROR_BOUND ? ERROR_MESSAGE_TOO_LARGE : e;
}

static enum error seal_once(const struct letter_keys *keys, struct slice header,
                            const Brug__V1__Content *content, X509 *const *recipients, size_t n,
                            const uint8_t random32[32], struct buf *sealed,
                            struct digest *letter_digest)
{
    struct buf plain, signed_data;
    buf_init(&plain, LIMIT_CONTENT_BYTES);
    buf_init(&signed_data, LIMIT_CONTENT_BYTES + SIGNED_OVERHEAD_BYTES_MAX);
    enum error e = fill_content(content, header, random32, &plain);
    if (e == ERROR_NONE)
        e = sign_checked(keys, buf_slice(&plain), &signed_data);
    if (e == ERROR_NONE)
        e = encrypt_checked(buf_slice(&signed_data), keys->sealing_certificate, recipients, n,
                            sealed);
    if (e == ERROR_NONE) {
        struct digest content_digest = digest_of_slice(buf_slice(&plain));
        *letter_digest = digest_of((struct slice[]){header, digest_slice(&content_digest)}, 2);
    }
    buf_fini_secret(&signed_data);
    buf_fini_secret(&plain);
    return e;
}

/* OpenSSL does not always say that it ran out of memory: a certificate or a result counts as bad
 * only when it is so again. */
static bool is_openssl_verdict(enum error e)
{
    return e == ERROR_TLS_WEAK || e == ERROR_TLS_WRONG_USE || e == ERROR_LETTER_PROFILE;
}

enum error letter_seal(const struct letter_keys *keys, struct slice header,
                       const Brug__V1__Content *content, X509 *const *recipients, size_t n,
                       const uint8_t random32[32], struct buf *sealed, struct digest *letter_digest)
{
    if (n >= PROFILE_RECIPIENTS_MAX)
        return ERROR_TOO_MANY_READERS;
    enum error e = seal_once(keys, header, content, recipients, n, random32, sealed, letter_digest);
    if (is_openssl_verdict(e))
        e = seal_once(keys, header, content, recipients, n, random32, sealed, letter_digest);
    return failure_as(e); /* OpenSSL queues errors that it got over, too */
}
