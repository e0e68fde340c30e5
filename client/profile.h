/*
 * client/profile.h: whether received bytes are a letter of the sealing profile, before OpenSSL sees
 * any of them.
 *
 * The profile is far narrower than CMS (RFC 5652, 5083, 5084, 5753): one grammar in DER that
 * leaves a parser no choice. It closes short tags, CBC relabelling, long nonces, deep nesting,
 * other digests, other kinds of recipient, unsigned attributes and BER. The grammar stands in
 * profile.c [P-103]. Pure: allocates nothing; results borrow the bytes. Failure: LETTER_PROFILE,
 * and *where names the field (a static string).
 */
#ifndef CLIENT_PROFILE_H
#define CLIENT_PROFILE_H

#include "base/buf.h"
#include "proto/limits.h"

/* All readers, all recovery entries and the sender's own copy. */
#define PROFILE_RECIPIENTS_MAX (LIMIT_READERS + LIMIT_COPIES + 1u)
/* Subject key identifiers: RFC 5280 names 8 and 20 bytes, RFC 7093 up to 64. */
#define PROFILE_KEY_ID_BYTES_MIN 8u
#define PROFILE_KEY_ID_BYTES_MAX 64u

struct profile_outer {
    size_t n; /* recipients */
    struct slice key_ids[PROFILE_RECIPIENTS_MAX];
    struct slice encrypted; /* as many bytes as what it decrypts to */
};

struct profile_inner {
    struct slice content;
    struct slice certificate;
    struct slice key_id; /* that the signer is named by */
};

/* A ContentInfo with AuthEnvelopedData, and no byte after it. */
enum error profile_check_outer(struct slice sealed, struct profile_outer *out, const char **where)
    MUST_CHECK;
/* A ContentInfo with SignedData, and no byte after it. */
enum error profile_check_inner(struct slice signed_data, struct profile_inner *out,
                               const char **where) MUST_CHECK;

#endif
