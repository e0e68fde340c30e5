/*
 * client/letter.h: writing and opening a sealed letter (design §4, the sealing rules of
 * PROTOCOL.md). Pure of files and sockets; keys come from the caller.
 *
 * Writing: Content (nonce, digests, padding to a bucket), SignedData, AuthEnvelopedData for all
 * recipients, and our own profile check of the result.
 * Opening [P-112]: "am I a reader", profile check of the exact grammar, decryption, profile check
 * of the inner part, signature, signer, content, header digest. Nothing is released before all of
 * it holds.
 * Failures are the LETTER_* codes for what is wrong with the letter, which lasts; NO_MEMORY and
 * CRYPTO are not the letter's fault. OpenSSL's error queue is empty afterwards.
 */
#ifndef CLIENT_LETTER_H
#define CLIENT_LETTER_H

#include "base/digest.h"
#include "base/id.h"
#include "brug/v1/content.pb-c.h"
#include <openssl/types.h>

struct arena;

struct letter_keys {
    struct id endpoint; /* whose keys these are; of a recovery entry, the entry's id */
    EVP_PKEY *identity_key;
    X509 *identity_certificate;
    EVP_PKEY *sealing_key;
    X509 *sealing_certificate;
};

/*
 * Seals `content` (its nonce, header_digest and padding are filled in here; all else is the
 * caller's) for the recipients' sealing certificates; the own certificate of `keys` is added by
 * this function. `random32` comes from the caller. The result is appended to `sealed`.
 * *letter_digest = SHA-256(header || SHA-256(Content)).
 * LETTER_CONTENT for content that readers would refuse, MESSAGE_TOO_LARGE (also when `sealed` may
 * not become so long), TOO_MANY_READERS, TLS_WEAK for a certificate whose key is not P-256,
 * TLS_WRONG_USE for one without a key identifier, LETTER_PROFILE when two recipients have the same
 * one.
 */
enum error letter_seal(const struct letter_keys *keys, struct slice header,
                       const Brug__V1__Content *content, X509 *const *recipients, size_t n,
                       const uint8_t random32[32], struct buf *sealed, struct digest *letter_digest)
    MUST_CHECK;

/* Says whether the certificate inside the letter is the believed identity certificate of the sender
 * that the header names: ERROR_NONE, ERROR_LETTER_SIGNER, ERROR_NOT_BELIEVED or ERROR_CONFIRM (a
 * person must confirm first: the letter waits); letter_open returns what it says. */
typedef enum error letter_signer_cb(void *ctx, X509 *signer);

struct letter {
    Brug__V1__Content *content; /* unpacked; checked by check_content; its header_digest held */
    struct digest digest;       /* the letter's digest */
    struct buf signed_data;     /* DER, for HISTORY */
    struct arena *arena;        /* where the content lives */
};

/*
 * LETTER_NOT_FOR_ME when keys->endpoint is neither a reader, nor a copy, nor the sender in the
 * header, or no recipient is named by the sealing certificate's key identifier. A letter that this
 * endpoint sent opens too.
 */
enum error letter_open(const struct letter_keys *keys, struct slice header, struct slice sealed,
                       letter_signer_cb *is_signer, void *ctx, struct letter **out) MUST_CHECK;
/* The inner part alone, that another letter carried: who may read it is the caller's matter (handed.h). */
enum error letter_open_signed(struct slice header, struct slice signed_data,
                              letter_signer_cb *is_signer, void *ctx, struct letter **out)
    MUST_CHECK;
void letter_free(struct letter *l); /* wipes; accepts NULL */

#endif
