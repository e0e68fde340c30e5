/*
 * client/history.h: handing earlier letters on to a colleague (kind HISTORY): which ones, to whom, and what goes into each.
 *
 * What is handed on stands in `given` from the moment that it was decided, so that the same letter is not given to the same
 * endpoint twice; the letter itself is opened only when its HISTORY is sealed (outbox.c).
 */
#ifndef CLIENT_HISTORY_H
#define CLIENT_HISTORY_H

#include "client/pins.h"

/* Who gets a HISTORY: all endpoints of a person, or a practice system. */
struct history_taker {
    struct id person;   /* ID_NONE: a practice system … */
    struct id endpoint; /* … of this endpoint */
};

/* Of a HISTORY that was decided. ERROR_NO_READER: none of its endpoints reads any more. */
enum error history_find_taker(struct brug *b, const struct belief *own, int64_t number,
                              struct history_taker *out) MUST_CHECK;
bool history_is_taker(const struct brug *b, const struct history_taker *taker,
                      const struct belief_entry *entry);
/* The HISTORY was sealed to this endpoint too. Inside a transaction. */
enum error history_note_reader(struct brug *b, int64_t number, const struct id *endpoint)
    MUST_CHECK;

struct letter;

/* What goes into a HISTORY; history_content_fini. */
struct history_content {
    Brug__V1__Content content; /* its digests and seen are the sealer's */
    Brug__V1__HistoryLetter history;
    struct letter *letter;
    struct buf header, entry;
    struct arena *arena; /* of the author's entry */
    uint8_t zeros[DIGEST_BYTES];
};
/* LETTER_CONTENT: it went through too many hands already; and what letters_open says. */
enum error history_content_make(struct brug *b, int64_t number, struct history_content *out)
    MUST_CHECK;
void history_content_fini(struct history_content *h);

/*
 * Decides to hand on to a colleague what it lacks of a case (ID_NONE: of all that have not ended), as `actor`. Inside a transaction.
 * *cases and *letters count what was decided now. ERROR_NOT_FOUND: no such colleague with an endpoint that reads; ERROR_CONFIRM:
 * one of its endpoints is not believed.
 */
enum error history_give(struct brug *b, const struct history_taker *taker, const struct id *actor,
                        const struct id *case_id, size_t *cases, size_t *letters) MUST_CHECK;

#endif
