/*
 * client/outbox.h: letters of ours on their way to the relay.
 *
 *     DRAFT --seal--> SEALED --receipt--> STORED
 *       ^               |  \--final refusal--> REFUSED
 *       +--directory changed, clock ahead (a new id)
 *
 * DRAFT: sealed to the own key only, header without readers. It becomes SEALED when it can be sent: all readers
 * believed, and no earlier letter of its case still under way (its receivers would call the earlier one missing, and
 * the relay would refuse what comes before the referral). The exact bytes are stored before they are sent, and are sent
 * again, the same, until an answer is stored.
 */
#ifndef CLIENT_OUTBOX_H
#define CLIENT_OUTBOX_H

#include "brug/v1/wire.pb-c.h"
#include "client/client.h"

#define OUTBOX_NEVER INT64_MAX /* retry_at_ms of what waits for the directory or for a person */

/* A new letter, sealed to the own key alone; of a HISTORY the header only: it is a cover, of no case and no other side here, and
 * its content is made when it is sealed. */
struct outbox_draft {
    const Brug__V1__Header *header; /* its exact bytes, too */
    struct slice header_bytes, sealed;
    enum error code; /* what keeps it here, as it looks now; ERROR_NONE: nothing */
};
enum error outbox_insert(struct brug *b, const struct outbox_draft *d, int64_t *number) MUST_CHECK;

/* The next letter that may be sent now, after number `after`: 0 when there is none. Seals it if need be; what cannot be
 * sealed is marked as waiting and passed over. */
enum error outbox_next(struct brug *b, int64_t after, int64_t *number) MUST_CHECK;
/* When the next one becomes due by time alone; OUTBOX_NEVER. */
enum error outbox_due_ms(struct brug *b, int64_t *due_ms) MUST_CHECK;
/* Whether any letter has no receipt yet and waits for no person. */
enum error outbox_is_busy(struct brug *b, bool *busy) MUST_CHECK;

/* Answers, inside a transaction. `server_ahead_ms`: the relay's clock minus ours. */
enum error outbox_stored(struct brug *b, int64_t number, int64_t stored_at_ms) MUST_CHECK;
enum error outbox_refused(struct brug *b, int64_t number, enum error code, bool passing,
                          uint32_t retry_after_ms, int64_t server_ahead_ms) MUST_CHECK;
/* The directory or what is believed changed: what waits for it is tried again. */
enum error outbox_retry_waiting(struct brug *b) MUST_CHECK;
/* The relay restored an older copy: what it receipted after complete_until_ms is sent again. Inside a transaction. */
enum error outbox_send_again(struct brug *b, int64_t complete_until_ms) MUST_CHECK;

#endif
