/*
 * client/db.h: the client's SQLite store as a few calls. Knows no table.
 *
 * One connection. Rollback journal and not WAL: a second command of the same profile writes to the same
 * file, and SQLite before 3.51.3 can damage a WAL that two connections check-point. synchronous=FULL, so
 * a commit that returned is on disk; secure_delete, so what is deleted is overwritten.
 *
 *     struct db_cursor c;
 *     e = DB_SELECT(db, &c, "SELECT a, b FROM t WHERE c = ?1", DB_INT(7));
 *     while (e == ERROR_NONE && db_next(&c)) ... db_int(&c, 0) ...
 *     if (e == ERROR_NONE) e = db_done(&c);
 *
 * Failures: ERROR_LOCKED (another process held it for 10 s), ERROR_CORRUPT, ERROR_NO_MEMORY, ERROR_IO. After any of them
 * the next call may go well again.
 */
#ifndef CLIENT_DB_H
#define CLIENT_DB_H

#include "base/digest.h"
#include "base/id.h"
#include <sqlite3.h>

struct db;

enum db_type { DB_TYPE_NULL, DB_TYPE_INT, DB_TYPE_BLOB, DB_TYPE_TEXT };

struct db_value {
    enum db_type type;
    int64_t number;
    struct slice bytes;
};

#define DB_INT(v) ((struct db_value){.type = DB_TYPE_INT, .number = (int64_t)(v)})
#define DB_BLOB(s) ((struct db_value){.type = DB_TYPE_BLOB, .bytes = (s)})
#define DB_TEXT(t) ((struct db_value){.type = DB_TYPE_TEXT, .bytes = slice_text(t)})
#define DB_NULL ((struct db_value){.type = DB_TYPE_NULL})
#define DB_ID(id) DB_BLOB(id_slice(id))
#define DB_DIGEST(d) DB_BLOB(digest_slice(d))

/* Creates the file (mode 0600) if need be and brings it to the last of `migrations`, each in one
 * transaction with its number. ERROR_STORE_FORMAT when the file is newer than they are. */
enum error db_open(struct db **out, const char *path, const char *const *migrations, size_t n)
    MUST_CHECK;
void db_close(struct db *db);
/* What SQLite said of the last call that failed, and how many failed so far. */
const char *db_error_line(const struct db *db);
uint64_t db_failures(const struct db *db);

/* Transactions nest: only the outermost one commits; a rollback inside makes it fail. */
enum error db_begin(struct db *db) MUST_CHECK;
enum error db_commit(struct db *db) MUST_CHECK;
void db_rollback(struct db *db);
/* Commits if e is ERROR_NONE, else rolls back; returns what failed. */
enum error db_end(struct db *db, enum error e) MUST_CHECK;

/* A number that changes when another connection has committed. */
int64_t db_data_version(struct db *db);
int64_t db_last_row(struct db *db);
int64_t db_changes(struct db *db);

enum error db_run(struct db *db, const char *sql, const struct db_value *values, size_t n)
    MUST_CHECK;

struct db_cursor {
    struct db *db;
    sqlite3_stmt *statement;
    bool is_cached;
    int result;
};

enum error db_select(struct db *db, struct db_cursor *c, const char *sql,
                     const struct db_value *values, size_t n) MUST_CHECK;
bool db_next(struct db_cursor *c);
/* Ends the cursor, at its end or before; the first failure. */
enum error db_done(struct db_cursor *c) MUST_CHECK;
int64_t db_int(struct db_cursor *c, int column);
/* Lives until the next call on the cursor. */
struct slice db_blob(struct db_cursor *c, int column);
/* ID_NONE for NULL and for what is no id. */
struct id db_id(struct db_cursor *c, int column);
bool db_is_null(struct db_cursor *c, int column);

#define DB_VALUES(...) \
    (const struct db_value[]) { __VA_ARGS__ }
#define DB_COUNT(...) (sizeof(DB_VALUES(__VA_ARGS__)) / sizeof(struct db_value))
#define DB_RUN(db, sql, ...) db_run(db, sql, DB_VALUES(__VA_ARGS__), DB_COUNT(__VA_ARGS__))
#define DB_SELECT(db, c, sql, ...) \
    db_select(db, c, sql, DB_VALUES(__VA_ARGS__), DB_COUNT(__VA_ARGS__))

#endif
