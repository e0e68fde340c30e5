/*
 * daemon/store/schema.h: brings a database to the schema of this program, forward only.
 */
#ifndef DAEMON_STORE_SCHEMA_H
#define DAEMON_STORE_SCHEMA_H

#include "daemon/store/driver.h"

/* Every schema has a table `meta` with one row and its column schema_number. */
struct schema {
    const char *const *steps; /* the n-th makes schema n + 1 out of n */
    size_t step_count;
    const char *const *statements;
    size_t statement_count;
    unsigned set_number; /* the statement that writes schema_number */
};

/*
 * Begins a transaction, takes the steps that are missing and prepares the statements. The caller
 * inserts the row of `meta` into a database that was empty, and commits. ERROR_STORE_FORMAT: made
 * by a newer program, nothing was changed.
 */
enum error schema_begin(struct driver *d, const struct schema *x, bool is_empty) MUST_CHECK;

#endif
