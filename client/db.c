/*
 * client/db.c: SQLite behind client/db.h.
 *
 * Happy path: statements are prepared once, keyed by the address of their text (all are literals), and
 * reused. A statement that is in use already is prepared a second time and finalised after.
 * Failures: every SQLite code becomes one of ours; a failed begin, run or commit leaves the transaction
 * rolled back at its outermost end.
 * Invariant: after an I/O error the connection is not used again. When a sync fails, the system may lose what was
 * written, the rollback journal with it; SQLite then rolls back nothing, takes its changed pages for clean, and mixes them
 * into the file later. The next call, outside of all transactions and cursors, connects anew.
 */
#include "client/db.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DB_CACHE_MAX 128
#define DB_BUSY_MS 10000
#define DB_APPLICATION_ID 0x42525547 /* "BRUG" */

struct db_cached {
    const char *sql;
    sqlite3_stmt *statement;
    bool in_use;
};

struct db {
    sqlite3 *handle;
    char *path;
    unsigned depth;
    unsigned cursors; /* open */
    bool is_failed;   /* something inside the open transaction was rolled back */
    bool is_broken;   /* an I/O error: to be connected anew */
    struct db_cached cache[DB_CACHE_MAX];
    size_t cached;
    uint64_t failures;
    char line[256]; /* of the last failure; a rollback after it says nothing more */
};

static enum error error_of(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return ERROR_NONE;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERROR_LOCKED;
    case SQLITE_NOMEM:
        return ERROR_NO_MEMORY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ERROR_CORRUPT;
    case SQLITE_PERM:
    case SQLITE_READONLY:
        return ERROR_PERMISSION;
    default:
        return ERROR_IO;
    }
}

static enum error note(struct db *db, int rc)
{
    enum error e = error_of(rc);
    if (e != ERROR_NONE) {
        db->failures++;
        db->is_broken = db->is_broken || (rc & 0xff) == SQLITE_IOERR;
        (void)snprintf(db->line, sizeof db->line, "%s",
                       sqlite3_errmsg(db->handle)); /* may be cut */
    }
    return e;
}

static enum error run_text(struct db *db, const char *sql)
{
    return note(db, sqlite3_exec(db->handle, sql, NULL, NULL, NULL));
}

static enum error read_number(struct db *db, const char *sql, int64_t *out)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(db->handle, sql, -1, &s, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(s);
        if (rc == SQLITE_ROW)
            *out = sqlite3_column_int64(s, 0);
        else if (rc == SQLITE_DONE)
            rc = SQLITE_CORRUPT;
    }
    (void)sqlite3_finalize(s); /* repeats what rc says already */
    return note(db, rc);
}

static enum error migrate(struct db *db, const char *const *migrations, size_t n)
{
    enum error e = db_begin(db);
    if (e != ERROR_NONE)
        return e;
    int64_t version = 0;
    int64_t application = 0;
    e = read_number(db, "PRAGMA user_version", &version);
    if (e == ERROR_NONE)
        e = read_number(db, "PRAGMA application_id", &application);
    if (e == ERROR_NONE &&
        (version < 0 || (uint64_t)version > n || (version > 0 && application != DB_APPLICATION_ID)))
        e = ERROR_STORE_FORMAT;
    for (size_t i = (size_t)version; e == ERROR_NONE && i < n; i++) {
        char numbers[96];
        (void)snprintf(numbers, sizeof numbers,
                       "PRAGMA user_version = %zu; PRAGMA application_id = %d", i + 1,
                       DB_APPLICATION_ID);
        e = run_text(db, migrations[i]);
        if (e == ERROR_NONE)
            e = run_text(db, numbers);
    }
    return db_end(db, e);
}

static enum error connect_file(struct db *db)
{
    mode_t before = umask(0077);
    int rc =
        sqlite3_open_v2(db->path, &db->handle,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    (void)umask(before); /* gives back the mask of before; it cannot fail */
    enum error e = note(db, rc);
    if (e == ERROR_NONE) {
        (void)sqlite3_extended_result_codes(db->handle, 1); /* finer codes are folded again */
        e = note(db, sqlite3_busy_timeout(db->handle, DB_BUSY_MS));
    }
    if (e == ERROR_NONE)
        e = run_text(db, "PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = FULL;"
                         "PRAGMA secure_delete = ON; PRAGMA foreign_keys = ON;"
                         "PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF");
    return e;
}

static void disconnect(struct db *db)
{
    for (size_t i = 0; i < db->cached; i++)
        (void)sqlite3_finalize(db->cache[i].statement); /* its last failure was seen by its user */
    db->cached = 0;
    (void)sqlite3_close_v2(db->handle); /* an open transaction rolls back */
    db->handle = NULL;
}

/* Before each use: the connection is whole, and inside a transaction it still has one. */
static enum error check_connection(struct db *db)
{
    if (db->depth > 0 || db->cursors > 0)
        return db->is_broken || (db->depth > 0 && sqlite3_get_autocommit(db->handle)) ? ERROR_IO
                                                                                      : ERROR_NONE;
    if (!db->is_broken)
        return ERROR_NONE;
    disconnect(db);
    db->is_broken = false;
    enum error e = connect_file(db);
    db->is_broken = e != ERROR_NONE;
    return e;
}

/*
 * A process that was killed may have left a commit that is seen and not durable: it emptied its journal, which undoes
 * the commit while it is there, and did not come to the sync. Nothing may be told of what the power could still take
 * back. After the first read: it rolls back what was not committed.
 */
static enum error settle_journal(struct db *db)
{
    const char *path = sqlite3_filename_journal(sqlite3_db_filename(db->handle, "main"));
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    int ignored;
    sqlite3_file *f = calloc(1, (size_t)vfs->szOsFile);
    if (!f)
        return ERROR_NO_MEMORY;
    int rc = vfs->xOpen(vfs, path, f, SQLITE_OPEN_READWRITE | SQLITE_OPEN_MAIN_JOURNAL, &ignored);
    if (rc == SQLITE_OK)
        rc = f->pMethods->xSync(f, SQLITE_SYNC_NORMAL);
    else if ((rc & 0xff) == SQLITE_CANTOPEN) /* nobody committed yet */
        rc = SQLITE_OK;
    if (f->pMethods)
        (void)f->pMethods->xClose(f); /* nothing was written */
    free(f);
    enum error e = note(db, rc);
    if (e != ERROR_NONE)
        (void)snprintf(db->line, sizeof db->line, "the journal cannot be synced"); /* fits */
    return e;
}

enum error db_open(struct db **out, const char *path, const char *const *migrations, size_t n)
{
    struct db *db = calloc(1, sizeof *db);
    if (!db)
        return ERROR_NO_MEMORY;
    db->path = strdup(path);
    enum error e = db->path ? connect_file(db) : ERROR_NO_MEMORY;
    if (e == ERROR_NONE)
        e = migrate(db, migrations, n);
    if (e == ERROR_NONE)
        e = settle_journal(db);
    if (e != ERROR_NONE) {
        db_close(db);
        return e;
    }
    *out = db;
    return ERROR_NONE;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    disconnect(db);
    free(db->path);
    free(db);
}

const char *db_error_line(const struct db *db) { return db->line; }
uint64_t db_failures(const struct db *db) { return db->failures; }

enum error db_begin(struct db *db)
{
    if (db->depth == 0) {
        enum error e = check_connection(db);
        if (e == ERROR_NONE)
            e = run_text(db, "BEGIN IMMEDIATE");
        if (e != ERROR_NONE)
            return e;
        db->is_failed = false;
    }
    db->depth++;
    return ERROR_NONE;
}

void db_rollback(struct db *db)
{
    assert(db->depth > 0);
    db->is_failed = true;
    if (--db->depth == 0)
        /* SQLite may have rolled back by itself already */
        (void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

enum error db_commit(struct db *db)
{
    assert(db->depth > 0);
    if (db->depth > 1) {
        db->depth--;
        return db->is_failed ? ERROR_IO : ERROR_NONE;
    }
    enum error e = db->is_failed ? ERROR_IO : check_connection(db);
    if (e == ERROR_NONE)
        e = run_text(db, "COMMIT");
    if (e != ERROR_NONE) {
        db_rollback(db);
        return e;
    }
    db->depth = 0;
    return ERROR_NONE;
}

enum error db_end(struct db *db, enum error e)
{
    if (e == ERROR_NONE)
        return db_commit(db);
    db_rollback(db);
    return e;
}

int64_t db_data_version(struct db *db)
{
    int64_t version = 0;
    struct db_cursor c;
    if (db_select(db, &c, "PRAGMA data_version", NULL, 0) != ERROR_NONE)
        return -1;
    if (db_next(&c))
        version = db_int(&c, 0);
    return db_done(&c) == ERROR_NONE ? version : -1;
}

int64_t db_last_row(struct db *db) { return sqlite3_last_insert_rowid(db->handle); }

int64_t db_changes(struct db *db) { return sqlite3_changes64(db->handle); }

static struct db_cached *find_cached(struct db *db, const char *sql)
{
    for (size_t i = 0; i < db->cached; i++)
        if (db->cache[i].sql == sql)
            return &db->cache[i];
    return NULL;
}

static enum error take_statement(struct db *db, struct db_cursor *c, const char *sql)
{
    struct db_cached *known = find_cached(db, sql);
    c->is_cached = known && !known->in_use;
    if (c->is_cached) {
        known->in_use = true;
        c->statement = known->statement;
        return ERROR_NONE;
    }
    bool keep = !known && db->cached < DB_CACHE_MAX;
    int rc = sqlite3_prepare_v3(db->handle, sql, -1, keep ? SQLITE_PREPARE_PERSISTENT : 0,
                                &c->statement, NULL);
    if (rc != SQLITE_OK)
        return note(db, rc);
    if (keep) {
        db->cache[db->cached++] =
            (struct db_cached){.sql = sql, .statement = c->statement, .in_use = true};
        c->is_cached = true;
    }
    return ERROR_NONE;
}

static int bind_value(sqlite3_stmt *s, int position, const struct db_value *v)
{
    static const char empty[1] = "";
    const void *data = v->bytes.data ? (const void *)v->bytes.data : empty;
    switch (v->type) {
    case DB_TYPE_INT:
        return sqlite3_bind_int64(s, position, v->number);
    case DB_TYPE_BLOB:
        return sqlite3_bind_blob64(s, position, data, v->bytes.len, SQLITE_STATIC);
    case DB_TYPE_TEXT:
        return sqlite3_bind_text64(s, position, data, v->bytes.len, SQLITE_STATIC, SQLITE_UTF8);
    default:
        return sqlite3_bind_null(s, position);
    }
}

enum error db_select(struct db *db, struct db_cursor *c, const char *sql,
                     const struct db_value *values, size_t n)
{
    *c = (struct db_cursor){.db = db, .result = SQLITE_OK};
    enum error e = check_connection(db);
    if (e == ERROR_NONE)
        e = take_statement(db, c, sql);
    if (e != ERROR_NONE)
        return e;
    db->cursors++;
    for (size_t i = 0; i < n && c->result == SQLITE_OK; i++)
        c->result = bind_value(c->statement, (int)i + 1, &values[i]);
    return c->result == SQLITE_OK ? ERROR_NONE : db_done(c);
}

bool db_next(struct db_cursor *c)
{
    if (c->result != SQLITE_OK && c->result != SQLITE_ROW)
        return false;
    c->result = sqlite3_step(c->statement);
    return c->result == SQLITE_ROW;
}

enum error db_done(struct db_cursor *c)
{
    enum error e = note(c->db, c->result);
    c->db->cursors--;
    (void)sqlite3_reset(c->statement);          /* c->result has the failure */
    (void)sqlite3_clear_bindings(c->statement); /* always SQLITE_OK */
    if (c->is_cached) {
        for (size_t i = 0; i < c->db->cached; i++)
            if (c->db->cache[i].statement == c->statement)
                c->db->cache[i].in_use = false;
    } else {
        (void)sqlite3_finalize(c->statement); /* as above */
    }
    c->statement = NULL;
    return e;
}

enum error db_run(struct db *db, const char *sql, const struct db_value *values, size_t n)
{
    struct db_cursor c;
    enum error e = db_select(db, &c, sql, values, n);
    if (e != ERROR_NONE)
        return e;
    while (db_next(&c))
        ;
    return db_done(&c);
}

int64_t db_int(struct db_cursor *c, int column)
{
    return sqlite3_column_int64(c->statement, column);
}

struct slice db_blob(struct db_cursor *c, int column)
{
    const void *data = sqlite3_column_blob(c->statement, column);
    int len = sqlite3_column_bytes(c->statement, column);
    return data && len > 0 ? slice_of(data, (size_t)len) : SLICE_NONE;
}

struct id db_id(struct db_cursor *c, int column)
{
    struct id id;
    return id_from_slice(&id, db_blob(c, column)) == ERROR_NONE ? id : ID_NONE;
}

bool db_is_null(struct db_cursor *c, int column)
{
    return sqlite3_column_type(c->statement, column) == SQLITE_NULL;
}
