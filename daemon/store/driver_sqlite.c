/*
 * daemon/store/driver_sqlite.c: the SQL driver over SQLite.
 *
 * Invariants
 *  1. One connection per file, exclusive for its whole life: SQLite 3.7.0-3.51.2 can corrupt a WAL
 *     that two connections check-point. In exclusive mode the index of the WAL lies in our memory;
 *     there is no -shm file.
 *  2. SQLite never check-points by itself: its automatic check-points swallow the errors of fsync.
 *     driver_checkpoint looks at what came of it, and closing makes none unless it is asked for.
 *  3. secure_delete is off. What is deleted are ids, digests, and letters sealed for keys that are
 *     not on this machine, and the journal's rows live on in the audit file. Zeroing reaches
 *     neither the WAL nor what a disk moved away, so it would promise more than it holds, and it
 *     costs more than half of the speed of a delete. It is on only while driver_execute_wiping runs.
 *  4. No memory mapping: a read error must come back as an error, not as a signal.
 *  5. SQLite reads and writes through a layer of ours that finds what the disk changed (pages.h).
 */
#include "daemon/store/driver.h"
#include "daemon/store/pages.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)

struct driver {
    struct pages *pages;
    sqlite3 *connection;
    sqlite3_stmt *begin, *commit;
    sqlite3_blob *part;
    sqlite3_stmt **statements;
    size_t statement_count;
    size_t pages_pending;
    enum error bind_failed; /* told by the next step */
    const char *problem;
    struct driver_lines damage;
};

static enum error damaged(struct driver *d, const char *problem)
{
    d->problem = problem;
    return ERROR_CORRUPT;
}

/* Keeps the static text of what went wrong and gives the error for it. */
static enum error failed(struct driver *d, int code)
{
    if (code == PAGES_DAMAGED)
        return damaged(d, d->damage.page);
    if (code == PAGES_WAL_DAMAGED)
        return damaged(d, d->damage.log);
    if ((code & 0xff) == SQLITE_CORRUPT)
        return damaged(d, d->damage.table);
    d->problem = sqlite3_errstr(code);
    switch (code & 0xff) {
    case SQLITE_NOMEM:
        return ERROR_NO_MEMORY;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERROR_LOCKED;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
        return ERROR_PERMISSION;
    case SQLITE_NOTADB:
        return ERROR_STORE_FORMAT;
    case SQLITE_CONSTRAINT: /* a key that is there twice: the tables contradict the journal */
    case SQLITE_MISMATCH:
    case SQLITE_ERROR: /* the schema lacks what it should have */
    case SQLITE_SCHEMA:
    case SQLITE_TOOBIG:
        return ERROR_CORRUPT;
    default:
        return ERROR_IO;
    }
}

const char *driver_problem(const struct driver *d) { return d->problem; }

enum error driver_run(struct driver *d, const char *sql)
{
    int code = sqlite3_exec(d->connection, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? ERROR_NONE : failed(d, code);
}

/* Runs one query; the first row's first column as text must be (or begin with) what is expected. */
static enum error expect_text(struct driver *d, const char *sql, const char *expected)
{
    sqlite3_stmt *statement;
    int code = sqlite3_prepare_v2(d->connection, sql, -1, &statement, NULL);
    if (code != SQLITE_OK)
        return failed(d, code);
    code = sqlite3_step(statement);
    const char *text = code == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
    bool is_expected = text != NULL && strcmp(text, expected) == 0;
    int end = sqlite3_finalize(statement);
    if (is_expected)
        return ERROR_NONE;
    return failed(d, code == SQLITE_ROW || end == SQLITE_OK ? SQLITE_CORRUPT : end);
}

enum error driver_query_u64(struct driver *d, const char *sql, uint64_t *out)
{
    sqlite3_stmt *statement;
    int code = sqlite3_prepare_v2(d->connection, sql, -1, &statement, NULL);
    if (code != SQLITE_OK)
        return failed(d, code);
    code = sqlite3_step(statement);
    uint64_t value = code == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(statement, 0) : 0;
    int end = sqlite3_finalize(statement);
    if (code != SQLITE_ROW)
        return failed(d, end == SQLITE_OK ? SQLITE_CORRUPT : end);
    *out = value;
    return ERROR_NONE;
}

enum error driver_check_table(struct driver *d, const char *table)
{
    char *sql = sqlite3_mprintf("PRAGMA quick_check(%Q)", table);
    if (sql == NULL)
        return failed(d, SQLITE_NOMEM);
    enum error e = expect_text(d, sql, "ok");
    sqlite3_free(sql);
    return e;
}

static enum error prepare(struct driver *d, const char *sql, sqlite3_stmt **out)
{
    int code = sqlite3_prepare_v3(d->connection, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
    return code == SQLITE_OK ? ERROR_NONE : failed(d, code);
}

/* Called by SQLite after each commit in WAL mode. */
static int on_wal(void *ctx, sqlite3 *connection, const char *name, int pages)
{
    struct driver *d = ctx;
    d->pages_pending = pages > 0 ? (size_t)pages : 0;
    return SQLITE_OK;
}

static enum error checkpoint(struct driver *d, int mode)
{
    int in_wal = -1, moved = -1;
    int code = sqlite3_wal_checkpoint_v2(d->connection, NULL, mode, &in_wal, &moved);
    if (code != SQLITE_OK)
        return failed(d, code);
    if (in_wal != moved)
        return failed(d, SQLITE_BUSY);
    d->pages_pending = 0;
    return ERROR_NONE;
}

/* Ours, or nobody's yet. Reads only. */
static enum error check_ours(struct driver *d, uint32_t application_id, bool *is_marked,
                             bool *is_empty)
{
    uint64_t tables, mark;
    enum error e = driver_query_u64(d, "SELECT count(*) FROM sqlite_schema", &tables);
    if (e == ERROR_NONE)
        e = driver_query_u64(d, "PRAGMA application_id", &mark);
    if (e != ERROR_NONE)
        return e;
    *is_marked = mark == application_id;
    *is_empty = tables == 0;
    if (*is_marked || (mark == 0 && *is_empty))
        return pages_are_summed(d->connection) ? ERROR_NONE : damaged(d, d->damage.page);
    d->problem = "it is another program's database";
    return ERROR_STORE_FORMAT;
}

static enum error set_up(struct driver *d, const struct driver_options *o, bool *is_empty)
{
    static const char BEFORE[] = "PRAGMA locking_mode=EXCLUSIVE; PRAGMA trusted_schema=OFF;"
                                 "PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY;"
                                 "PRAGMA cell_size_check=ON;"
                                 "PRAGMA page_size=" TEXT(PAGES_BYTES) "; PRAGMA auto_vacuum=NONE;";
    static const char AFTER[] = "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0;"
                                "PRAGMA secure_delete=OFF;";
    bool is_marked;
    int reserved = PAGES_RESERVED_BYTES;
    int code = sqlite3_db_config(d->connection, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_db_config(d->connection, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    if (code != SQLITE_OK)
        return failed(d, code);
    enum error e = driver_run(d, BEFORE);
    if (e != ERROR_NONE)
        return e;
    code = sqlite3_file_control(d->connection, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
    e = code == SQLITE_OK ? ERROR_NONE : failed(d, code);
    if (e == ERROR_NONE)
        e = check_ours(d, o->application_id, &is_marked, is_empty);
    if (e == ERROR_NONE)
        e = expect_text(d, "PRAGMA journal_mode=WAL", "wal");
    if (e == ERROR_NONE)
        e = driver_run(d, AFTER);
    if (e != ERROR_NONE)
        return e;
    char *sql = sqlite3_mprintf("PRAGMA cache_size=-%u; PRAGMA application_id=%u;",
                                (unsigned)(o->cache_bytes / 1024), (unsigned)o->application_id);
    if (sql == NULL)
        return failed(d, SQLITE_NOMEM);
    if (is_marked)
        *strchr(sql, ';') = '\0';
    e = driver_run(d, sql);
    sqlite3_free(sql);
    if (e != ERROR_NONE)
        return e;
    e = prepare(d, "BEGIN IMMEDIATE", &d->begin);
    if (e == ERROR_NONE)
        e = prepare(d, "COMMIT", &d->commit);
    if (e != ERROR_NONE)
        return e;
    sqlite3_wal_hook(d->connection, on_wal, d);
    return checkpoint(d, SQLITE_CHECKPOINT_TRUNCATE);
}

enum error driver_open(struct driver **out, const struct driver_options *o, bool *is_empty,
                       const char **problem)
{
    assert(o->application_id != 0);
    struct driver *d = calloc(1, sizeof *d);
    if (d != NULL)
        d->pages = pages_new(o->vfs);
    if (d == NULL || d->pages == NULL) {
        free(d);
        *problem = error_text(ERROR_NO_MEMORY);
        return ERROR_NO_MEMORY;
    }
    d->damage = o->damage;
    int flags =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int code = sqlite3_open_v2(o->path, &d->connection, flags, pages_name(d->pages));
    enum error e = code == SQLITE_OK ? set_up(d, o, is_empty) : failed(d, code);
    if (e != ERROR_NONE) {
        *problem = d->problem;
        driver_close(d, false);
        return e;
    }
    *out = d;
    return ERROR_NONE;
}

void driver_close(struct driver *d, bool is_sound)
{
    if (d == NULL)
        return;
    for (size_t i = 0; i < d->statement_count; i++)
        sqlite3_finalize(d->statements[i]);
    free(d->statements);
    sqlite3_finalize(d->begin);
    sqlite3_finalize(d->commit);
    /* The next start makes it again, checked. */
    if (is_sound)
        (void)sqlite3_wal_checkpoint_v2(d->connection, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL,
                                        NULL);
    sqlite3_close_v2(d->connection);
    pages_free(d->pages);
    free(d);
}

enum error driver_prepare(struct driver *d, const char *const *sql, size_t n)
{
    assert(d->statements == NULL);
    d->statements = calloc(n, sizeof *d->statements);
    if (d->statements == NULL)
        return failed(d, SQLITE_NOMEM);
    d->statement_count = n;
    enum error e = ERROR_NONE;
    for (size_t i = 0; e == ERROR_NONE && i < n; i++)
        e = prepare(d, sql[i], &d->statements[i]);
    return e;
}

static sqlite3_stmt *statement_of(const struct driver *d, unsigned statement)
{
    assert(statement < d->statement_count);
    return d->statements[statement];
}

static void note_bind(struct driver *d, int code)
{
    if (code != SQLITE_OK)
        d->bind_failed = failed(d, code);
}

void driver_bind_u64(struct driver *d, unsigned statement, unsigned parameter, uint64_t v)
{
    note_bind(d, sqlite3_bind_int64(statement_of(d, statement), (int)parameter, (int64_t)v));
}

void driver_bind_slice(struct driver *d, unsigned statement, unsigned parameter, struct slice s)
{
    const void *data = s.len == 0 ? "" : (const void *)s.data;
    note_bind(d, sqlite3_bind_blob64(statement_of(d, statement), (int)parameter, data, s.len,
                                     SQLITE_STATIC));
}

enum error driver_step(struct driver *d, unsigned statement, bool *has_row)
{
    enum error e = d->bind_failed;
    d->bind_failed = ERROR_NONE;
    if (e != ERROR_NONE)
        return e;
    int code = sqlite3_step(statement_of(d, statement));
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        return failed(d, code);
    *has_row = code == SQLITE_ROW;
    return ERROR_NONE;
}

uint64_t driver_column_u64(struct driver *d, unsigned statement, unsigned column)
{
    return (uint64_t)sqlite3_column_int64(statement_of(d, statement), (int)column);
}

struct slice driver_column_slice(struct driver *d, unsigned statement, unsigned column)
{
    sqlite3_stmt *s = statement_of(d, statement);
    const void *data = sqlite3_column_blob(s, (int)column);
    if (data != NULL)
        return slice_of(data, (size_t)sqlite3_column_bytes(s, (int)column));
    if (sqlite3_errcode(d->connection) == SQLITE_NOMEM)
        d->bind_failed = failed(d, SQLITE_NOMEM);
    return SLICE_NONE;
}

void driver_reset(struct driver *d, unsigned statement)
{
    /* Its code repeats the failure that the step has told already. */
    (void)sqlite3_reset(statement_of(d, statement));
}

enum error driver_execute(struct driver *d, unsigned statement)
{
    bool has_row;
    enum error e = driver_step(d, statement, &has_row);
    driver_reset(d, statement);
    return e;
}

/* Without it what is deleted stays in its page, what is moved stays where it was too, and a page that becomes free keeps
 * all that it had. */
enum error driver_execute_wiping(struct driver *d, unsigned statement)
{
    enum error e = driver_run(d, "PRAGMA secure_delete=ON");
    if (e == ERROR_NONE)
        e = driver_execute(d, statement);
    enum error end = driver_run(d, "PRAGMA secure_delete=OFF");
    return e == ERROR_NONE ? end : e;
}

enum error driver_part_open(struct driver *d, const char *table, const char *column, uint64_t key)
{
    assert(d->part == NULL);
    int code = sqlite3_blob_open(d->connection, "main", table, column, (int64_t)key, 0, &d->part);
    if (code == SQLITE_OK)
        return ERROR_NONE;
    d->part = NULL;
    return code == SQLITE_ERROR ? ERROR_NOT_FOUND : failed(d, code);
}

enum error driver_part_read(struct driver *d, size_t offset, size_t len, uint8_t *out)
{
    size_t size = (size_t)sqlite3_blob_bytes(d->part);
    if (len > size || offset > size - len)
        return failed(d, SQLITE_CORRUPT);
    int code = len == 0 ? SQLITE_OK : sqlite3_blob_read(d->part, out, (int)len, (int)offset);
    return code == SQLITE_OK ? ERROR_NONE : failed(d, code);
}

void driver_part_close(struct driver *d)
{
    (void)sqlite3_blob_close(d->part); /* repeats the code of the read */
    d->part = NULL;
}

static enum error run_prepared(struct driver *d, sqlite3_stmt *statement)
{
    int code = sqlite3_step(statement);
    (void)sqlite3_reset(statement); /* repeats the code of the step */
    return code == SQLITE_DONE ? ERROR_NONE : failed(d, code);
}

enum error driver_begin(struct driver *d) { return run_prepared(d, d->begin); }

enum error driver_commit(struct driver *d) { return run_prepared(d, d->commit); }

void driver_rollback(struct driver *d)
{
    /* What was not committed is gone, also when this fails; the problem stays the first one. */
    if (!sqlite3_get_autocommit(d->connection))
        (void)sqlite3_exec(d->connection, "ROLLBACK", NULL, NULL, NULL);
}

size_t driver_pages_pending(const struct driver *d) { return d->pages_pending; }

enum error driver_checkpoint(struct driver *d) { return checkpoint(d, SQLITE_CHECKPOINT_PASSIVE); }
