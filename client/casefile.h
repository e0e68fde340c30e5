/*
 * client/casefile.h: cases as the relay last told of them, kept for when it cannot be asked; and which are to be asked of
 * again. All of it is the relay's word [P-115].
 *
 * A case is wanted once something happened in it that the last answer cannot know of: a letter of ours was stored or
 * refused, a letter came, one was opened. `wanted` counts these, so that an answer which was on its way meanwhile does not
 * pass for the newest.
 */
#ifndef CLIENT_CASEFILE_H
#define CLIENT_CASEFILE_H

#include "client/client.h"
#include "rules/case.h"

struct casefile {
    struct arena *arena;
    const Brug__V1__Case *row;
    struct case_file c; /* the same, as it is judged */
    int64_t told_at_ms;
    int64_t included; /* letters of ours up to this number are in it */
};

/* ERROR_NOT_FOUND: the relay never told of it. casefile_free. */
enum error casefile_load(struct brug *b, const struct id *case_id, struct casefile *out) MUST_CHECK;
void casefile_free(struct casefile *f);

enum error casefile_want(struct brug *b, const struct id *case_id) MUST_CHECK;
/* The case of a message, if it has one. */
enum error casefile_want_of(struct brug *b, int64_t number) MUST_CHECK;
/* All open cases, or all. */
enum error casefile_want_all(struct brug *b, bool with_ended) MUST_CHECK;
/* Whether anything is still to be asked. */
enum error casefile_is_wanted(struct brug *b, bool *wanted) MUST_CHECK;

/*
 * Answers of the relay, inside a transaction. `asked`: `wanted` when it was asked. FRAME_MALFORMED: it is not a case of
 * ours, or not a sound one.
 */
enum error casefile_keep(struct brug *b, const Brug__V1__Case *row, int64_t asked, int64_t round)
    MUST_CHECK;
enum error casefile_unwant(struct brug *b, const struct id *case_id) MUST_CHECK;
enum error casefile_forget(struct brug *b, const struct id *case_id) MUST_CHECK;

#endif
