/*
 * tests/lib/story.h: a store's life for the proofs: a history in groups, what is true after each of them, and
 * the judge who compares what a store tells with it.
 *
 * The truth comes from the records alone and from a store that nothing ever went wrong for.
 */
#ifndef TESTS_LIB_STORY_H
#define TESTS_LIB_STORY_H

#include "tests/lib/cases.h"

struct story {
    unsigned count;
    struct group **groups;
    struct digest *digests; /* of the state after each */
    struct cases *cases;    /* in the tables, when each is folded */
    uint64_t *ends;         /* the lsn after each */
    struct history history;
    struct buf *rows;   /* of each message of the history when all is folded, from a sound store */
    struct buf *bodies; /* as stored */
};

/* `groups` of about so many records, some bodies big; the first is the directory. */
void story_init(struct story *y, uint64_t seed, unsigned groups, unsigned records);
void story_fini(struct story *y);
/* Small slices and check-points, so that a short story has many. */
struct store_options story_options(const char *directory, const char *vfs);

struct story_run {
    unsigned confirmed; /* groups whose commit was told to be on disk */
    bool was_opened;
    enum error failed;   /* the first failure, or none */
    bool is_tried_after; /* the dead store did something more: a violation */
};

/* Opens, commits the first groups with a fold after every third, closes; stops at the first failure. `on_confirmed`
 * (or NULL) hears of each group as soon as it is confirmed. */
struct story_run story_run(const struct story *y, const char *directory, const char *vfs,
                           unsigned groups, void (*on_confirmed)(unsigned count));

enum story_verdict {
    STORY_RIGHT,   /* all that it tells is true, all that was confirmed is there */
    STORY_REFUSED, /* the start, a load or a fold said that something is damaged or cannot be read */
    STORY_WRONG,   /* it told something that is not true, or lost what was confirmed */
};

/* Opens the store through this VFS, loads, asks for every message and body, folds, loads again, and closes it to look at
 * the tables of cases. `why` gets a line. */
enum story_verdict story_judge(const struct story *y, const char *directory, const char *vfs,
                               unsigned confirmed, char why[200]);
/* Asks an open store, which has the whole story folded, for every message and body. */
enum story_verdict story_ask(const struct story *y, struct store *s, char why[200]);

#endif
