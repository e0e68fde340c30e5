/*
 * client/inbox.h: letters from others.
 *
 * A delivery is stored with its sealed bytes and its Ack made due in one transaction; judging it is part of the same
 * one where it can be judged yet. Only after the commit the Ack leaves.
 */
#ifndef CLIENT_INBOX_H
#define CLIENT_INBOX_H

#include "brug/v1/wire.pb-c.h"
#include "client/client.h"

/* Inside a transaction. What is wrong with the message is a state of its row; errors are of the store and of memory.
 * ERROR_FRAME_MALFORMED: a header that cannot even be acknowledged. */
enum error inbox_deliver(struct brug *b, const Brug__V1__Deliver *d) MUST_CHECK;
/* Judges again what waits for the directory or for a person. `is_complete`: the directory was just fetched, so a signer that
 * is not in it is refused. */
enum error inbox_judge_waiting(struct brug *b, bool is_complete) MUST_CHECK;

/* What became of a letter that a recovery file brought. */
enum inbox_outcome { INBOX_TAKEN, INBOX_KNOWN, INBOX_WAITS, INBOX_REFUSED };
/* A HISTORY that the organisation's recovery entry made; inside a transaction of its own. What is refused leaves nothing behind. */
enum error inbox_recover(struct brug *b, const Brug__V1__Envelope *envelope,
                         enum inbox_outcome *out) MUST_CHECK;
enum error inbox_acked(struct brug *b, int64_t number) MUST_CHECK;

#endif
