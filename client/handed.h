/*
 * client/handed.h: the earlier letter inside a HISTORY. Pure: no store, no clock, no socket.
 *
 * A HISTORY carries the header and the SignedData of a letter that its giver had. If the giver had it by a HISTORY, it
 * carries that one, and so on down to the letter itself: each hand has signed for the next, and each had what it gave.
 *
 *     HISTORY of C to D [ HISTORY of B to C [ the letter of A, which B read ] ]
 *
 * What is not so is LETTER_HEADER (another case, another letter, a giver who did not have it, a case of others),
 * LETTER_CONTENT (more than HANDED_DEPTH_MAX hands), UPDATE_CLIENT (a kind that this version does not know), or what is
 * wrong with a letter on the way (letter.h).
 */
#ifndef CLIENT_HANDED_H
#define CLIENT_HANDED_H

#include "client/letter.h"

#define HANDED_DEPTH_MAX 8u

/* One of the letters inside: who must have signed it, and what the one around it says of that. */
struct handed_step {
    const Brug__V1__Header *header;
    const Brug__V1__HistoryLetter *cover;
    X509 *signer;
    bool is_last; /* the letter itself */
};

/* Whether the signer is believed to be who the header names: ERROR_NONE, or what handed_open returns. */
typedef enum error handed_signer_cb(void *ctx, const struct handed_step *step);

struct handed {
    struct letter *letter;
    struct buf header; /* exact bytes */
    struct arena *arena;
    const Brug__V1__Header *decoded;
    int64_t stored_at_ms; /* of the letter, as its first giver was told; 0: not known */
    bool was_opened;      /* by somebody of the giver's organisation */
    unsigned depth;       /* how many letters lay around it */
};

/*
 * `outer` and `content` are those of a HISTORY that was opened and is signed by whom it names; `own` is the organisation of
 * this profile. handed_fini.
 */
enum error handed_open(const Brug__V1__Header *outer, const Brug__V1__Content *content,
                       const struct id *own, handed_signer_cb *is_signer, void *ctx,
                       struct handed *out) MUST_CHECK;
void handed_fini(struct handed *h); /* the letter too, if it is still there */

#endif
