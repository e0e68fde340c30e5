/*
 * client/letter.c: opening a sealed letter; see letter.h.
 *
 * Happy path: the header names this endpoint; the sealed bytes are in the profile and have a
 * recipient with our key identifier; they decrypt; what comes out is in the profile, signed by
 * exactly the certificate in it, which the caller believes to be the sender's; the content
 * decodes, holds together, fills a bucket and names this very header. Then, and only then, the
 * caller gets it.
 * Failures: the code of the first step that does not hold. Which part of decryption failed (the
 * key's wrap or the tag) is not told, so that nobody can use us as an oracle.
 * Invariants: (1) OpenSSL sees no byte before profile_check_*; (2) what is used (content,
 * certificate) is what OpenSSL verified, not another reading of the same bytes; (3) the plaintext
 * is wiped on every way out.
 */
#include "client/letter.h"
#include "client/padding.h"
#include "client/profile.h"
#include "pki/failure.h"
#include "pki/key.h"
#include "proto/arena.h"
#include "proto/check.h"
#include "proto/frame.h"
#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdlib.h>

/* Memory that ran out inside OpenSSL is not the letter's fault: the letter may be tried again. */
static enum error blame_letter(enum error e)
{
    return failure_of_openssl() == ERROR_NO_MEMORY ? ERROR_NO_MEMORY : e;
}

static enum error blame_decoded(const struct arena *a, enum error e)
{
    return arena_lacked_memory(a) ? ERROR_NO_MEMORY : e;
}

/* ---- the header: is this endpoint meant? ---- */

static bool is_me(ProtobufCBinaryData id, const struct id *me)
{
    return slice_equal(check_slice(id), id_slice(me));
}

static bool is_any_me(const ProtobufCBinaryData *ids, size_t n, const struct id *me)
{
    for (size_t i = 0; i < n; i++)
        if (is_me(ids[i], me))
            return true;
    return false;
}

static bool is_named(const Brug__V1__Header *h, const struct id *me)
{
    return is_any_me(h->readers, h->n_readers, me) || is_any_me(h->copies, h->n_copies, me) ||
           (h->from && is_me(h->from->endpoint, me));
}

/* `me` NULL: whoever it is for. */
static enum error check_addressed(struct slice header, const struct id *me, Brug__V1__Kind *kind)
{
    ProtobufCMessage *message;
    struct arena *arena = NULL;
    enum error e = ERROR_LETTER_HEADER;
    if (header.len > LIMIT_HEADER_BYTES)
        return e;
    if (!(arena = arena_new()))
        return ERROR_NO_MEMORY;
    arena_reset(arena, frame_budget(header.len));
    e = frame_decode(arena, &brug__v1__header__descriptor, header, &message);
    const Brug__V1__Header *h = (const Brug__V1__Header *)message;
    if (e != ERROR_NONE)
        e = blame_decoded(arena, ERROR_LETTER_HEADER);
    else if (me && !is_named(h, me))
        e = ERROR_LETTER_NOT_FOR_ME;
    else
        *kind = h->kind;
    arena_free(arena);
    return e;
}

/* ---- outer ---- */

static enum error check_recipient(const struct profile_outer *outer, X509 *certificate)
{
    const ASN1_OCTET_STRING *id = X509_get0_subject_key_id(certificate);
    if (!id)
        return failure_as(ERROR_LETTER_NOT_FOR_ME);
    struct slice mine = slice_of(ASN1_STRING_get0_data(id), (size_t)ASN1_STRING_length(id));
    for (size_t i = 0; i < outer->n; i++)
        if (slice_equal(outer->key_ids[i], mine))
            return ERROR_NONE;
    return ERROR_LETTER_NOT_FOR_ME;
}

/* All of `der` as one ContentInfo. */
static enum error read_cms(struct slice der, CMS_ContentInfo **out)
{
    const uint8_t *at = der.data;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &at, (long)der.len);
    if (!cms || at != der.data + der.len) {
        CMS_ContentInfo_free(cms);
        return blame_letter(ERROR_LETTER_PROFILE);
    }
    *out = cms;
    return ERROR_NONE;
}

static enum error decrypt_cms(const struct letter_keys *keys, CMS_ContentInfo *cms,
                              struct buf *signed_data)
{
    BUF_MEM *memory = NULL;
    enum error e;
    BIO *plain = BIO_new(BIO_s_mem()); /* wipes its memory whenever it moves and when it is freed */
    if (!plain)
        return failure_of_openssl();
    if (CMS_decrypt(cms, keys->sealing_key, keys->sealing_certificate, NULL, plain, CMS_BINARY) !=
            1 ||
        BIO_get_mem_ptr(plain, &memory) <= 0)
        e = blame_letter(ERROR_LETTER_DECRYPT);
    else
        e = buf_append(signed_data, memory->data, memory->length);
    BIO_free(plain);
    return e;
}

static enum error decrypt(const struct letter_keys *keys, struct slice sealed,
                          struct buf *signed_data)
{
    struct profile_outer outer;
    const char *where;
    CMS_ContentInfo *cms;
    enum error e = profile_check_outer(sealed, &outer, &where);
    if (e == ERROR_NONE)
        e = check_recipient(&outer, keys->sealing_certificate);
    if (e == ERROR_NONE)
        e = read_cms(sealed, &cms);
    if (e != ERROR_NONE)
        return e;
    e = decrypt_cms(keys, cms, signed_data);
    CMS_ContentInfo_free(cms);
    return e;
}

/* ---- inner ---- */

/* By exactly the one certificate inside, which the signer's key identifier must name. Chains are
 * not built here: the caller says whom it believes. */
static enum error verify(CMS_ContentInfo *cms, letter_signer_cb *is_signer, void *ctx)
{
    STACK_OF(X509) *certificates = CMS_get1_certs(cms);
    X509 *signer = sk_X509_value(certificates, 0);
    enum error e;
    if (!signer)
        e = blame_letter(ERROR_LETTER_PROFILE);
    else if (!key_is_p256(X509_get0_pubkey(signer)))
        e = blame_letter(ERROR_LETTER_PROFILE);
    else if (CMS_verify(cms, NULL, NULL, NULL, NULL, CMS_BINARY | CMS_NO_SIGNER_CERT_VERIFY) != 1)
        e = blame_letter(ERROR_LETTER_SIGNATURE);
    else
        e = is_signer(ctx, signer);
    sk_X509_pop_free(certificates, X509_free);
    return e;
}

/* A letter's bytes and the header that it must have been written for. */
struct written_for {
    struct slice header;
    Brug__V1__Kind kind;
};

static enum error decode_content(struct slice bytes, const struct written_for *f, struct letter *l)
{
    const char *field;
    ProtobufCMessage *message;
    struct digest header_digest = digest_of_slice(f->header);
    if (!padding_is_bucket(bytes.len))
        return ERROR_LETTER_CONTENT;
    arena_reset(l->arena, frame_budget(bytes.len));
    enum error e = frame_decode(l->arena, &brug__v1__content__descriptor, bytes, &message);
    if (e != ERROR_NONE)
        return blame_decoded(l->arena, ERROR_LETTER_CONTENT);
    l->content = (Brug__V1__Content *)message;
    e = check_content(l->content, &field);
    if (e != ERROR_NONE)
        return e;
    if (!slice_equal(check_slice(l->content->header_digest), digest_slice(&header_digest)))
        return ERROR_LETTER_HEADER;
    if ((f->kind == BRUG__V1__KIND__KIND_HISTORY) != (l->content->history != NULL) ||
        (f->kind == BRUG__V1__KIND__KIND_FAMILY_KEY) != (l->content->family_key.len > 0))
        return ERROR_LETTER_CONTENT;
    struct digest content_digest = digest_of_slice(bytes);
    l->digest = digest_of((struct slice[]){f->header, digest_slice(&content_digest)}, 2);
    return ERROR_NONE;
}

static void free_with_plaintext(CMS_ContentInfo *cms, ASN1_OCTET_STRING *content)
{
    if (content)
        OPENSSL_cleanse(content->data, (size_t)content->length);
    CMS_ContentInfo_free(cms);
}

static enum error read_signed(const struct written_for *f, letter_signer_cb *is_signer, void *ctx,
                              struct letter *l)
{
    struct profile_inner inner;
    const char *where;
    CMS_ContentInfo *cms;
    enum error e = profile_check_inner(buf_slice(&l->signed_data), &inner, &where);
    if (e == ERROR_NONE)
        e = read_cms(buf_slice(&l->signed_data), &cms);
    if (e != ERROR_NONE)
        return e;
    ASN1_OCTET_STRING **place = CMS_get0_content(cms);
    ASN1_OCTET_STRING *content = place ? *place : NULL;
    if (!content)
        e = blame_letter(ERROR_LETTER_PROFILE);
    if (e == ERROR_NONE)
        e = verify(cms, is_signer, ctx);
    if (e == ERROR_NONE)
        e = decode_content(
            slice_of(ASN1_STRING_get0_data(content), (size_t)ASN1_STRING_length(content)), f, l);
    free_with_plaintext(cms, content);
    return e;
}

/* ---- a letter ---- */

static struct letter *letter_new(size_t sealed_len)
{
    struct letter *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    buf_init(&l->signed_data, sealed_len);
    l->arena = arena_new();
    if (!l->arena) {
        letter_free(l);
        return NULL;
    }
    return l;
}

/* `keys` NULL: the bytes are the inner part already. */
static enum error open_once(const struct letter_keys *keys, const struct written_for *f,
                            struct slice bytes, letter_signer_cb *is_signer, void *ctx,
                            struct letter **out)
{
    enum error e;
    struct letter *l = letter_new(bytes.len);
    if (!l)
        return ERROR_NO_MEMORY;
    ERR_clear_error();
    e = keys ? decrypt(keys, bytes, &l->signed_data) : buf_append_slice(&l->signed_data, bytes);
    if (e == ERROR_NONE)
        e = read_signed(f, is_signer, ctx, l);
    if (e != ERROR_NONE) {
        letter_free(l);
        return e;
    }
    *out = l;
    return ERROR_NONE;
}

/* OpenSSL does not always say that it ran out of memory: what it finds wrong with a letter counts
 * only when it finds it again. */
static bool is_openssl_verdict(enum error e)
{
    return e == ERROR_LETTER_PROFILE || e == ERROR_LETTER_DECRYPT || e == ERROR_LETTER_SIGNATURE;
}

static enum error open_twice(const struct letter_keys *keys, const struct written_for *f,
                             struct slice bytes, letter_signer_cb *is_signer, void *ctx,
                             struct letter **out)
{
    enum error e = open_once(keys, f, bytes, is_signer, ctx, out);
    if (is_openssl_verdict(e))
        e = open_once(keys, f, bytes, is_signer, ctx, out);
    return failure_as(e); /* OpenSSL queues errors that it got over, too */
}

enum error letter_open(const struct letter_keys *keys, struct slice header, struct slice sealed,
                       letter_signer_cb *is_signer, void *ctx, struct letter **out)
{
    struct written_for f = {.header = header};
    enum error e = check_addressed(header, &keys->endpoint, &f.kind);
    return e == ERROR_NONE ? open_twice(keys, &f, sealed, is_signer, ctx, out) : e;
}

enum error letter_open_signed(struct slice header, struct slice signed_data,
                              letter_signer_cb *is_signer, void *ctx, struct letter **out)
{
    struct written_for f = {.header = header};
    enum error e = check_addressed(header, NULL, &f.kind);
    return e == ERROR_NONE ? open_twice(NULL, &f, signed_data, is_signer, ctx, out) : e;
}

void letter_free(struct letter *l)
{
    if (!l)
        return;
    arena_free_secret(l->arena);
    buf_fini_secret(&l->signed_data);
    free(l);
}
