/*
 * client/store.h: the tables of a profile, and its small settings.
 *
 * Names, birth dates and letter texts never stand in the store in the clear: a letter lies there sealed as it came
 * or went, a letter that is not sealed to its readers yet is sealed to the own key alone, and lists and searches
 * open letters for the answer. What stands beside them (ids, kinds, times, the clear header) is what the relay knows too.
 *
 * Every change of state is one transaction; what a crash cuts off is done again:
 *   received   sealed bytes and row, then its Ack; a repeat only makes the Ack due again
 *   sent       sealed bytes and row, then Submit; identical bytes until an answer is in the row
 *   opened     the mark, then Opened, until Noted
 */
#ifndef CLIENT_STORE_H
#define CLIENT_STORE_H

#include "client/db.h"

/* Values of message.state; those of brug.h where people see them. */
enum store_state {
    STORE_READY = 1,
    STORE_CONFIRM = 2, /* its signer is not judged or not confirmed yet */
    STORE_UNREADABLE = 3,
    STORE_UPDATE = 4,
    STORE_RELAY = 5,
    STORE_DRAFT = 16,  /* sealed to the own key only; header without readers */
    STORE_SEALED = 17, /* exact bytes; no receipt yet */
    STORE_STORED = 18,
    STORE_REFUSED = 19,
    STORE_DISCARDED = 20,
};

/* Values of message.ack. */
enum store_ack { STORE_ACK_NONE = 0, STORE_ACK_DUE = 1, STORE_ACK_DONE = 2 };
/* Values of message.opened and message.track. */
enum store_telling { STORE_NOT = 0, STORE_TO_TELL = 1, STORE_TOLD = 2 };

enum error store_open_at(struct db **out, const char *path) MUST_CHECK;

/* Settings: small values by name. ERROR_NOT_FOUND. */
enum error store_put(struct db *db, const char *name, struct slice value) MUST_CHECK;
enum error store_put_int(struct db *db, const char *name, int64_t value) MUST_CHECK;
enum error store_get(struct db *db, const char *name, struct buf *out) MUST_CHECK;
enum error store_get_id(struct db *db, const char *name, struct id *out) MUST_CHECK;
/* `fallback` when it is not there */
enum error store_get_int(struct db *db, const char *name, int64_t fallback, int64_t *out)
    MUST_CHECK;
/* Cut to out_len with the NUL; "" when it is not there. */
enum error store_get_text(struct db *db, const char *name, char *out, size_t out_len) MUST_CHECK;
enum error store_remove(struct db *db, const char *name) MUST_CHECK;

#endif
