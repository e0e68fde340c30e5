/*
 * client/letter.h: writing and opening a sealed letter (design §4, the sealing rules of PROTOCOL.md).
 * Pure of files and sockets; keys come from the caller.
 *
 * Writing: Content (nonce, digests, padding to a bucket) -> SignedData -> AuthEnvelopedData for all recipients.
 * Opening: profile check of the exact grammar, decryption, profile check of the inner part, signature, signer,
 * header digest, content: nothing is released before everything holds. Failures are the LETTER_* codes.
 */
#ifndef CLIENT_LETTER_H
#define CLIENT_LETTER_H

#include "base/digest.h"
#include "base/id.h"
#include "brug/v1/content.pb-c.h"
#include <openssl/types.h>

struct letter_keys {
    EVP_PKEY *identity_key;
    X509 *identity_certificate;
    EVP_PKEY *sealing_key;
    X509 *sealing_certificate;
};

/*
 * Seals `content` (its nonce, header_digest and padding are filled in here; all else is the caller's) for the
 * recipients' sealing certificates; the own certificate of `keys` is added by this function. `random32` comes from the caller.
 * *letter_digest = SHA-256(header ‖ SHA-256(Content)).
 */
enum error letter_seal(const struct letter_keys *keys, struct slice header,
                       const Brug__V1__Content *content, X509 *const *recipients, size_t n,
                       const uint8_t random32[32], struct buf *sealed, struct digest *letter_digest)
    MUST_CHECK;

/* Says whether the certificate inside the letter is the believed identity certificate of the sender that the header names;
 * ERROR_NONE, ERROR_LETTER_SIGNER, ERROR_NOT_BELIEVED or ERROR_CONFIRM (a person must confirm first: the letter waits). */
typedef enum error letter_signer_cb(void *ctx, X509 *signer);

struct letter {
    Brug__V1__Content *content; /* unpacked; checked by check_content; its header_digest held */
    struct digest digest;       /* the letter's digest */
    struct buf signed_data;     /* DER, for HISTORY */
};

/* `for_me`: LETTER_NOT_FOR_ME when no recipient is the sealing certificate's key identifier. */
enum error letter_open(const struct letter_keys *keys, struct slice header, struct slice sealed,
                       letter_signer_cb *signer, void *ctx, struct letter **out) MUST_CHECK;
void letter_free(struct letter *l); /* wipes; accepts NULL */

#endif
