/*
 * client/pins.h: what this profile believes, kept in the store: pinned entries, confirmed organisations, own
 * countersignatures. The judgement itself is belief.h; this fills its basis and keeps its results.
 */
#ifndef CLIENT_PINS_H
#define CLIENT_PINS_H

#include "brug/v1/admin.pb-c.h"
#include "client/belief.h"
#include "client/client.h"

/* Values of pin.by. */
enum pin_by { PIN_BY_SELF = 1, PIN_BY_PERSON = 2, PIN_BY_COLLEAGUE = 3 };

/* The own organisation is known from the enrolment, and the own endpoint is believed. Inside a transaction. */
enum error pins_begin(struct brug *b, const Brug__V1__EnrolAnswer *answer) MUST_CHECK;

/* An organisation of the stored directory, judged now. ERROR_NOT_FOUND. */
enum error pins_judge(struct brug *b, const struct id *organisation, struct belief **out)
    MUST_CHECK;
/* Keeps what a judgement found: entries that a colleague vouched for are pinned, copies are refreshed. Inside a transaction. */
enum error pins_settle(struct brug *b, const struct belief *belief) MUST_CHECK;

/* Whether letters can be sealed to all of an organisation: ERROR_NONE, ERROR_CONFIRM, ERROR_NOT_BELIEVED, ERROR_NO_READER,
 * TLS_CRL_STALE, NOT_FOUND (it is not in the directory here). */
enum error pins_may_seal(const struct belief *belief) MUST_CHECK;

/*
 * Whether `signer` is the believed identity certificate of this endpoint of this organisation, of this person
 * (not looked at for a practice system; ID_NONE: it must be a recovery entry). ERROR_NONE; ERROR_LETTER_SIGNER; ERROR_CONFIRM: a person must confirm first;
 * ERROR_NOT_FOUND: the directory here does not have the organisation, or not the endpoint; ERROR_TLS_CRL_STALE: lists must be fetched first.
 */
enum error pins_judge_signer(struct brug *b, const struct id *organisation,
                             const struct id *endpoint, const struct id *person, X509 *signer)
    MUST_CHECK;

/*
 * The same for whom neither the directory nor a pin shows any more, on the word of a believed colleague, who handed the
 * letter on with the entry that was believed when the letter came: the entry must stand by our own anchors at the time
 * of the letter (a list that revokes it now says nothing of then), no other binding of the endpoint may be known, and the
 * directory may not show the endpoint as one that is refused.
 */
enum error pins_judge_handed(struct brug *b, const struct id *organisation,
                             const struct id *endpoint, const struct id *person, X509 *signer,
                             const Brug__V1__EndpointEntry *entry, int64_t at_ms) MUST_CHECK;
/* A copy of the entry as it was last believed, packed. ERROR_NOT_FOUND. */
enum error pins_entry(struct brug *b, const struct id *organisation, const struct id *endpoint,
                      struct buf *out) MUST_CHECK;

/* Entry copies of endpoints that were believed at some time, for names of people who left. ERROR_NOT_FOUND. */
enum error pins_name(struct brug *b, const struct id *organisation, const struct id *person,
                     char *out, size_t out_len) MUST_CHECK;
/* Whether an endpoint that was believed at some time is a practice system's; false when it is not known. */
enum error pins_is_system(struct brug *b, const struct id *organisation, const struct id *endpoint,
                          bool *out) MUST_CHECK;

#endif
