/*
 * tests/lib/letter_fixture.h: endpoints with keys and certificates, a header and a letter, and CMS
 * made with other options than the profile's. Everything asserts: a fixture does not fail.
 */
#ifndef TESTS_LIB_LETTER_FIXTURE_H
#define TESTS_LIB_LETTER_FIXTURE_H

#include "client/letter.h"
#include <openssl/cms.h>

struct party {
    struct letter_keys keys;
};

/* Self-signed certificates with a key identifier, for keys of `curve` ("P-256"). */
void party_init(struct party *p, unsigned number, const char *curve);
void party_fini(struct party *p);

/* A serialised header from `from` to the readers, of case `number`. Out is initialised here. */
void fixture_header(struct buf *out, const struct party *from, const struct party *const *readers,
                    size_t n, unsigned case_number);
/* The same with one recovery entry. */
void fixture_header_with_copy(struct buf *out, const struct party *from,
                              const struct party *const *readers, size_t n,
                              const struct party *copy, unsigned case_number);
/* A content that passes check_content but for what letter_seal fills in; borrows letter and
 * text. */
void fixture_content(Brug__V1__Content *content, Brug__V1__Letter *letter, const char *text);

/* letter_seal for the readers; out is initialised here. */
struct digest fixture_seal(struct buf *out, const struct party *from,
                           const struct party *const *readers, size_t n, struct slice header,
                           const char *text);
/* A believer: ctx is the X509 that the signer must be; else LETTER_SIGNER. */
enum error fixture_is_signer(void *ctx, X509 *signer);

/* ---- CMS with any options; out is initialised here ---- */
struct cms_options {
    unsigned sign_flags;        /* 0: the profile's */
    const EVP_MD *sign_digest;  /* NULL: SHA-256 */
    const struct party *second; /* a second signer */
    X509 *extra_certificate;
    bool has_unsigned_attribute;
    const EVP_CIPHER *cipher; /* NULL: AES-256-GCM */
    unsigned recipient_flags; /* 0: by key identifier */
    const EVP_MD *kdf;        /* NULL: SHA-256 */
};
void fixture_sign(struct buf *out, const struct party *by, struct slice content,
                  const struct cms_options *options);
void fixture_encrypt(struct buf *out, struct slice plain, const struct party *const *recipients,
                     size_t n, const struct cms_options *options);
/* The SignedData inside, by OpenSSL alone: no check of ours. */
void fixture_decrypt(struct buf *signed_data, const struct party *by, struct slice sealed);

#endif
