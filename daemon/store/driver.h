/*
 * daemon/store/driver.h: a small SQL driver: what the store needs of a database and nothing more.
 *
 * One `struct driver` is one connection to one database, used by one thread at a time. The SQL
 * stands once, in sql.c, for all drivers: parameters are $1, $2, … in order of first appearance,
 * values are 64-bit integers and bytes, and a driver translates the type words INTEGER and BLOB and
 * the ending WITHOUT ROWID if its database has others. driver_sqlite.c implements it.
 *
 * Happy path: driver_open, migrations by driver_run, driver_prepare once, then driver_begin, for
 * each statement bind and driver_execute (or driver_step until there is no row, and driver_reset),
 * driver_commit.
 *
 * Failures: a bind that fails is reported by the next step of that statement. After a failed
 * driver_commit or driver_checkpoint nothing is known about the disk: the caller closes with
 * is_sound false and never retries. Errors: ERROR_IO (a full disk too), ERROR_CORRUPT,
 * ERROR_NO_MEMORY, ERROR_LOCKED, ERROR_PERMISSION, ERROR_STORE_FORMAT.
 */
#ifndef DAEMON_STORE_DRIVER_H
#define DAEMON_STORE_DRIVER_H

#include "base/buf.h"

struct driver;

struct driver_options {
    const char *path;
    const char *vfs;         /* NULL: the default */
    uint32_t application_id; /* marks a database as ours */
    size_t cache_bytes;
    struct driver_lines {
        const char *page, *log, *table;
    } damage; /* static lines that name the file whose page, WAL or table is damaged */
};

/*
 * Opens or creates, alone and exclusively, makes durable what an earlier process left half-way (a
 * checked check-point), and tells whether there are no tables yet. A database that is not ours is
 * not touched: ERROR_STORE_FORMAT. *problem is a static line.
 */
enum error driver_open(struct driver **out, const struct driver_options *o, bool *is_empty,
                       const char **problem) MUST_CHECK;
/* Accepts NULL. With is_sound a last check-point is made; else the disk is left as it is. */
void driver_close(struct driver *d, bool is_sound);
/* A static line about the last failed call. */
const char *driver_problem(const struct driver *d);

/* Statements without parameters and results; several, with ';' between. */
enum error driver_run(struct driver *d, const char *sql) MUST_CHECK;
/* The first column of the first row. ERROR_CORRUPT when there is none. */
enum error driver_query_u64(struct driver *d, const char *sql, uint64_t *out) MUST_CHECK;
/* Whether the database itself finds this table sound. ERROR_CORRUPT. */
enum error driver_check_table(struct driver *d, const char *table) MUST_CHECK;

/* Prepares statements 0 … n-1; once. The texts live as long as the connection. */
enum error driver_prepare(struct driver *d, const char *const *sql, size_t n) MUST_CHECK;
/* Parameters count from 1; bytes are borrowed until driver_reset or driver_execute. */
void driver_bind_u64(struct driver *d, unsigned statement, unsigned parameter, uint64_t v);
void driver_bind_slice(struct driver *d, unsigned statement, unsigned parameter, struct slice s);
enum error driver_step(struct driver *d, unsigned statement, bool *has_row) MUST_CHECK;
/* Columns count from 0; bytes live until the next step or reset. */
uint64_t driver_column_u64(struct driver *d, unsigned statement, unsigned column);
struct slice driver_column_slice(struct driver *d, unsigned statement, unsigned column);
void driver_reset(struct driver *d, unsigned statement);
/* A statement without result rows: step and reset. */
enum error driver_execute(struct driver *d, unsigned statement) MUST_CHECK;
/* The same, and what it deletes from a table, or moves within it, is overwritten. For tables that only such statements
 * change. */
enum error driver_execute_wiping(struct driver *d, unsigned statement) MUST_CHECK;

/*
 * Reads parts of the bytes in `column` of the row whose integer key is `key`, without reading the
 * whole; one at a time, and closed before the transaction ends. ERROR_NOT_FOUND without such a row,
 * ERROR_CORRUPT when it has fewer bytes.
 */
enum error driver_part_open(struct driver *d, const char *table, const char *column, uint64_t key)
    MUST_CHECK;
enum error driver_part_read(struct driver *d, size_t offset, size_t len, uint8_t *out) MUST_CHECK;
void driver_part_close(struct driver *d); /* none is open: nothing happens */

enum error driver_begin(struct driver *d) MUST_CHECK;
enum error driver_commit(struct driver *d) MUST_CHECK; /* on disk when it returns */
void driver_rollback(struct driver *d);                /* nothing to roll back: nothing happens */

/* Pages that wait for a check-point. */
size_t driver_pages_pending(const struct driver *d);
/* Moves them into the database, all of them, or fails. */
enum error driver_checkpoint(struct driver *d) MUST_CHECK;

#endif
