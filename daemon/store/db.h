/*
 * daemon/store/db.h: a small SQL driver: what the store needs of a database and nothing more.
 *
 * One `struct db` is one connection to one database, used by one thread at a time. The SQL stands once, in
 * sql.c, for all drivers: parameters are $1, $2, … in order of first appearance, values are 64-bit
 * integers and bytes, and a driver translates the type words INTEGER and BLOB and the ending WITHOUT ROWID if its
 * database has others. db_sqlite.c implements it.
 *
 * Happy path: db_open, migrations by db_run, db_prepare once, then db_begin, for each statement bind and
 * db_execute (or db_step until there is no row, and db_reset), db_commit.
 *
 * Failures: a bind that fails is reported by the next step of that statement. After a failed db_commit or
 * db_checkpoint nothing is known about the disk: the caller closes with is_sound false and never retries.
 * Errors: ERROR_IO (a full disk too), ERROR_CORRUPT, ERROR_NO_MEMORY, ERROR_LOCKED, ERROR_PERMISSION, ERROR_STORE_FORMAT.
 */
#ifndef DAEMON_STORE_DB_H
#define DAEMON_STORE_DB_H

#include "base/buf.h"

struct db;

struct db_options {
    const char *path;
    const char *vfs;         /* NULL: the default */
    uint32_t application_id; /* marks a database as ours */
    size_t cache_bytes;
};

/*
 * Opens or creates, alone and exclusively, makes durable what an earlier process left half-way (a checked
 * check-point), and tells whether there are no tables yet. A database that is not ours is not touched: ERROR_STORE_FORMAT.
 * *problem is a static line.
 */
enum error db_open(struct db **out, const struct db_options *o, bool *is_empty,
                   const char **problem) MUST_CHECK;
/* Accepts NULL. With is_sound a last check-point is made; else the disk is left as it is. */
void db_close(struct db *d, bool is_sound);
/* A static line about the last failed call. */
const char *db_problem(const struct db *d);

/* Statements without parameters and results; several, with ';' between. */
enum error db_run(struct db *d, const char *sql) MUST_CHECK;
/* The first column of the first row. ERROR_CORRUPT when there is none. */
enum error db_query_u64(struct db *d, const char *sql, uint64_t *out) MUST_CHECK;
/* Whether the database itself finds this table sound. ERROR_CORRUPT. */
enum error db_check_table(struct db *d, const char *table) MUST_CHECK;

/* Prepares statements 0 … n-1; once. The texts live as long as the connection. */
enum error db_prepare(struct db *d, const char *const *sql, size_t n) MUST_CHECK;
/* Parameters count from 1; bytes are borrowed until db_reset or db_execute. */
void db_bind_u64(struct db *d, unsigned statement, unsigned parameter, uint64_t v);
void db_bind_slice(struct db *d, unsigned statement, unsigned parameter, struct slice s);
enum error db_step(struct db *d, unsigned statement, bool *has_row) MUST_CHECK;
/* Columns count from 0; bytes live until the next step or reset. */
uint64_t db_column_u64(struct db *d, unsigned statement, unsigned column);
struct slice db_column_slice(struct db *d, unsigned statement, unsigned column);
void db_reset(struct db *d, unsigned statement);
/* A statement without result rows: step and reset. */
enum error db_execute(struct db *d, unsigned statement) MUST_CHECK;

/* Reads part of the bytes in `column` of the row whose integer key is `key`, without reading the whole.
 * ERROR_NOT_FOUND without such a row, ERROR_CORRUPT when it has fewer bytes. */
enum error db_read_part(struct db *d, const char *table, const char *column, uint64_t key,
                        size_t offset, size_t len, uint8_t *out) MUST_CHECK;

enum error db_begin(struct db *d) MUST_CHECK;
enum error db_commit(struct db *d) MUST_CHECK; /* on disk when it returns */
void db_rollback(struct db *d);                /* nothing to roll back: nothing happens */

/* Pages that wait for a check-point. */
size_t db_pages_pending(const struct db *d);
/* Moves them into the database, all of them, or fails. */
enum error db_checkpoint(struct db *d) MUST_CHECK;

#endif
