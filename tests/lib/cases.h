/*
 * tests/lib/cases.h: what the tables `casefile` and `case_event` must hold of a history, from its records alone, and
 * what they hold.
 */
#ifndef TESTS_LIB_CASES_H
#define TESTS_LIB_CASES_H

#include "tests/lib/outbox.h"
#include <sqlite3.h>

struct cases {
    struct digest rows;   /* of each case: what its last move says, else what opened it */
    struct digest events; /* each move of a case, whole, under its lsn */
};

/* When these groups, the first of a store, are folded. */
struct cases cases_of_groups(struct group *const *groups, unsigned count);
/* ERROR_CORRUPT when it does not read. */
enum error cases_read(sqlite3 *c, struct cases *out) MUST_CHECK;
/* Of a closed store. */
enum error cases_of_store(const char *directory, struct cases *out) MUST_CHECK;
/* NULL, or what is wrong. */
const char *cases_compare(const struct cases *found, const struct cases *expected) MUST_CHECK;

#endif
