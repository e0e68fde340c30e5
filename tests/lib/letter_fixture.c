/* tests/lib/letter_fixture.c: see letter_fixture.h. */
#include "tests/lib/letter_fixture.h"
#include "brug/v1/wire.pb-c.h"
#include "pki/key.h"
#include "proto/frame.h"
#include "tests/lib/pki_fixture.h"
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_MAX ((size_t)64 << 20)

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "letter fixture: %s\n", what);
    ERR_print_errors_fp(stderr);
    abort();
}
#define MUST(e) must(e, #e)

/* ---- parties ---- */

static X509 *make_certificate(enum certificate_use use, unsigned number, EVP_PKEY *key)
{
    const struct fixture_wish wish = {.use = use, .who = fixture_who(number), .key = key};
    return fixture_self_signed(&wish, NULL);
}

void party_init(struct party *p, unsigned number, const char *curve)
{
    struct letter_keys *k = &p->keys;
    k->endpoint = fixture_who(number).endpoint;
    k->identity_key = EVP_EC_gen(curve);
    k->sealing_key = EVP_EC_gen(curve);
    MUST(k->identity_key && k->sealing_key);
    k->identity_certificate = make_certificate(CERTIFICATE_IDENTITY, number, k->identity_key);
    k->sealing_certificate = make_certificate(CERTIFICATE_SEALING, number, k->sealing_key);
}

void party_fini(struct party *p)
{
    EVP_PKEY_free(p->keys.identity_key);
    EVP_PKEY_free(p->keys.sealing_key);
    X509_free(p->keys.identity_certificate);
    X509_free(p->keys.sealing_certificate);
}

/* ---- header and content ---- */

static ProtobufCBinaryData binary(const void *data, size_t len)
{
    return (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)data};
}

void fixture_header(struct buf *out, const struct party *from, const struct party *const *readers,
                    size_t n, unsigned case_number)
{
    fixture_header_with_copy(out, from, readers, n, NULL, case_number);
}

void fixture_header_with_copy(struct buf *out, const struct party *from,
                              const struct party *const *readers, size_t n,
                              const struct party *copy, unsigned case_number)
{
    Brug__V1__Header h = BRUG__V1__HEADER__INIT;
    Brug__V1__Sender sender = BRUG__V1__SENDER__INIT;
    struct id message = id_v7(1000000 + case_number, (const uint8_t[10]){1});
    struct id case_id = fixture_id(0x40000 + case_number), practice = fixture_id(0x10001);
    struct id team = fixture_id(0x10002);
    struct id person = fixture_id(0x20001);
    ProtobufCBinaryData *ids = calloc(n ? n : 1, sizeof *ids);
    MUST(ids != NULL);
    for (size_t i = 0; i < n; i++)
        ids[i] = binary(readers[i]->keys.endpoint.bytes, ID_BYTES);
    sender.organisation = binary(practice.bytes, ID_BYTES);
    sender.endpoint = binary(from->keys.endpoint.bytes, ID_BYTES);
    sender.person = binary(person.bytes, ID_BYTES);
    h.protocol = h.profile = 1;
    h.kind = BRUG__V1__KIND__KIND_NOTE;
    h.message_id = binary(message.bytes, ID_BYTES);
    h.case_id = binary(case_id.bytes, ID_BYTES);
    h.from = &sender;
    h.to = binary(team.bytes, ID_BYTES);
    h.n_readers = n;
    h.readers = ids;
    ProtobufCBinaryData copies[1];
    if (copy) {
        copies[0] = binary(copy->keys.endpoint.bytes, ID_BYTES);
        h.copies = copies;
        h.n_copies = 1;
    }
    h.written_at_ms = 1000000;
    buf_init(out, BYTES_MAX);
    MUST(frame_append_bare(out, &h.base) == ERROR_NONE);
    free(ids);
}

void fixture_content(Brug__V1__Content *content, Brug__V1__Letter *letter, const char *text)
{
    static const uint8_t DIGEST[DIGEST_BYTES] = {9};
    brug__v1__content__init(content);
    brug__v1__letter__init(letter);
    letter->text = (char *)(uintptr_t)text;
    letter->subject = (char *)(uintptr_t) "hulpvraag in grote lijnen";
    content->letter = letter;
    content->sender_roster_digest = binary(DIGEST, sizeof DIGEST);
    content->to_roster_digest = binary(DIGEST, sizeof DIGEST);
}

struct digest fixture_seal(struct buf *out, const struct party *from,
                           const struct party *const *readers, size_t n, struct slice header,
                           const char *text)
{
    Brug__V1__Content content;
    Brug__V1__Letter letter;
    struct digest digest;
    X509 **certificates = calloc(n ? n : 1, sizeof *certificates);
    MUST(certificates != NULL);
    for (size_t i = 0; i < n; i++)
        certificates[i] = readers[i]->keys.sealing_certificate;
    fixture_content(&content, &letter, text);
    buf_init(out, BYTES_MAX);
    MUST(letter_seal(&from->keys, header, &content, certificates, n, (const uint8_t[32]){42}, out,
                     &digest) == ERROR_NONE);
    free(certificates);
    return digest;
}

enum error fixture_is_signer(void *ctx, X509 *signer)
{
    return X509_cmp(ctx, signer) == 0 ? ERROR_NONE : ERROR_LETTER_SIGNER;
}

/* ---- CMS ---- */

static void append_der(struct buf *out, CMS_ContentInfo *cms)
{
    uint8_t *der = NULL;
    int len = i2d_CMS_ContentInfo(cms, &der);
    buf_init(out, BYTES_MAX);
    MUST(len > 0 && buf_append(out, der, (size_t)len) == ERROR_NONE);
    OPENSSL_free(der);
}

void fixture_sign(struct buf *out, const struct party *by, struct slice content,
                  const struct cms_options *o)
{
    unsigned flags = o->sign_flags ? o->sign_flags : CMS_NOSMIMECAP | CMS_USE_KEYID;
    const EVP_MD *md = o->sign_digest ? o->sign_digest : EVP_sha256();
    flags |= CMS_BINARY | CMS_PARTIAL;
    BIO *in = BIO_new_mem_buf(content.data, (int)content.len);
    CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, flags);
    MUST(in && cms);
    CMS_SignerInfo *signer =
        CMS_add1_signer(cms, by->keys.identity_certificate, by->keys.identity_key, md, flags);
    MUST(signer != NULL);
    if (o->second)
        MUST(CMS_add1_signer(cms, o->second->keys.identity_certificate,
                             o->second->keys.identity_key, md, flags));
    if (o->extra_certificate)
        MUST(CMS_add1_cert(cms, o->extra_certificate));
    if (o->has_unsigned_attribute)
        MUST(CMS_unsigned_add1_attr_by_txt(signer, "description", V_ASN1_UTF8STRING, "x", 1));
    MUST(CMS_final(cms, in, NULL, flags));
    append_der(out, cms);
    BIO_free(in);
    CMS_ContentInfo_free(cms);
}

void fixture_encrypt(struct buf *out, struct slice plain, const struct party *const *recipients,
                     size_t n, const struct cms_options *o)
{
    const EVP_CIPHER *cipher = o->cipher ? o->cipher : EVP_aes_256_gcm();
    unsigned flags = o->recipient_flags ? o->recipient_flags : CMS_USE_KEYID;
    BIO *in = BIO_new_mem_buf(plain.data, (int)plain.len);
    CMS_ContentInfo *cms = CMS_encrypt(NULL, NULL, cipher, CMS_BINARY | CMS_PARTIAL);
    MUST(in && cms);
    for (size_t i = 0; i < n; i++) {
        CMS_RecipientInfo *r = CMS_add1_recipient_cert(cms, recipients[i]->keys.sealing_certificate,
                                                       flags | CMS_KEY_PARAM);
        MUST(r != NULL);
        MUST(EVP_PKEY_CTX_set_ecdh_kdf_md(CMS_RecipientInfo_get0_pkey_ctx(r),
                                          o->kdf ? o->kdf : EVP_sha256()) > 0);
    }
    MUST(CMS_final(cms, in, NULL, CMS_BINARY));
    append_der(out, cms);
    BIO_free(in);
    CMS_ContentInfo_free(cms);
}

void fixture_decrypt(struct buf *signed_data, const struct party *by, struct slice sealed)
{
    const uint8_t *at = sealed.data;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &at, (long)sealed.len);
    BIO *out = BIO_new(BIO_s_mem());
    BUF_MEM *memory;
    MUST(cms && out);
    MUST(CMS_decrypt(cms, by->keys.sealing_key, by->keys.sealing_certificate, NULL, out,
                     CMS_BINARY));
    BIO_get_mem_ptr(out, &memory);
    buf_init(signed_data, BYTES_MAX);
    MUST(buf_append(signed_data, memory->data, memory->length) == ERROR_NONE);
    BIO_free(out);
    CMS_ContentInfo_free(cms);
}
