/*
 * client/letters.h: letters of the store: their rows, and opening them again.
 */
#ifndef CLIENT_LETTERS_H
#define CLIENT_LETTERS_H

#include "brug/v1/wire.pb-c.h"
#include "client/client.h"

#define LETTERS_HEADER_BYTES_MAX (32u << 10)

/* The row of a message, its header decoded; letters_row_free. */
struct letters_row {
    int64_t number;
    bool is_sent;
    int state;
    int code;
    struct id organisation, message_id, case_id, other;
    struct digest digest, signer; /* all zero: none yet */
    bool has_signer;
    struct id seen_id;
    int64_t written_at_ms, stored_at_ms, received_at_ms, opened_at_ms;
    struct id opened_by;
    int64_t tracked_at_ms;
    int64_t brought_by; /* the HISTORY in which it lies; 0: it came first-hand */
    bool was_opened;    /* by a colleague, as the giver says */
    struct buf header;  /* exact bytes */
    struct arena *arena;
    const Brug__V1__Header *decoded;
};

/* ERROR_NOT_FOUND. */
enum error letters_load(struct brug *b, int64_t number, struct letters_row *out) MUST_CHECK;
void letters_row_free(struct letters_row *r);
/* ERROR_NOT_FOUND: there is none (made by the relay). */
enum error letters_load_sealed(struct brug *b, int64_t number, struct buf *out) MUST_CHECK;

/*
 * Opens a letter that was accepted or written here before: the signer must have the key that was believed then. (The certificate
 * may have run out since, and the directory may have moved on; the letter stays what it was.)
 */
enum error letters_open(struct brug *b, const struct letters_row *row, struct letter **out)
    MUST_CHECK;

/* What every header of ours says: who sends it, and when. Its fields borrow; what else its kind needs is the caller's. */
void letters_begin_header(const struct brug *b, Brug__V1__Kind kind, const struct id *message_id,
                          Brug__V1__Sender *from, Brug__V1__Header *out);

/* Whether `seen` of a letter names one that this profile does not have. */
enum error letters_is_missing_before(struct brug *b, const struct letters_row *row, bool *out)
    MUST_CHECK;

/* Another case of the family, as the relay names it; the director is of the own organisation. */
struct words;
enum error letters_fill_linked(struct brug *b, struct words *w, const struct id *case_id,
                               const struct id *director, bool is_same_child,
                               struct brug_linked *out) MUST_CHECK;

/* yyyymmdd and the wire's days since 1970; 0 stays 0, and what is no date gives 0. */
uint32_t letters_days_of_date(uint32_t yyyymmdd);
uint32_t letters_date_of_days(uint32_t days);
/* The date in Amsterdam. */
uint32_t letters_date_of_ms(int64_t ms);

#endif
