/*
 * daemon/store/store.c: opens the outbox, commits groups, and closes it.
 *
 * Happy path: store_open takes the lock, opens and checks both files, brings them to this program's
 * schema and verifies the chain of the journal; store_load (load.c) fills the state; then
 * store_commit for each group, with a slice of folding when enough has gathered, and store_fold
 * when there is nothing else to do.
 *
 * Failures: whatever fails in a commit, a fold or a check-point is final: the first error is kept,
 * every later call returns it, and closing leaves the disk as it is. A start finds the last commit
 * that reached the disk, which may include a group whose commit was reported as failed; nobody was
 * told anything about that one.
 *
 * Invariants: those of store.h, and
 *  5. lsn, hash and the fold's position in memory are those of the last committed transaction.
 *  6. Only one process and one `struct store` uses a directory: flock on brug.lock, held as long as
 *     the store is open.
 */
#include "daemon/store/inside.h"
#include "daemon/store/schema.h"
#include "daemon/store/sql.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define OUTBOX_CACHE_BYTES (16u << 20)
#define SCRATCH_BYTES_MAX ((size_t)1 << 30) /* a group is bounded by its owner */
#define PATH_BYTES_MAX 4096
#define WAL_FRAME_BYTES (8192u + 24u)
#define FOLDED_RECORD_BYTES_MIN 80u /* of an acknowledgement */
#define END_OF_COPY_BYTES 2048u

#define CHECKPOINT_PAGES_DEFAULT 800
#define FOLD_SLICE_BYTES_DEFAULT (256u << 10)
#define FOLD_LAG_BYTES_DEFAULT (64u << 20)

enum error store_failed(struct store *s, struct driver *d, enum error e, const char *problem)
{
    if (s->failed == ERROR_NONE) {
        s->failed = e;
        s->problem = problem != NULL ? problem : d != NULL ? driver_problem(d) : error_text(e);
    }
    return e;
}

struct digest journal_hash(const struct digest *prev_hash, uint64_t first_lsn, uint64_t count,
                           struct slice records)
{
    uint8_t numbers[16];
    for (unsigned i = 0; i < 8; i++) {
        numbers[i] = (uint8_t)(first_lsn >> (56 - 8 * i));
        numbers[8 + i] = (uint8_t)(count >> (56 - 8 * i));
    }
    struct slice parts[] = {digest_slice(prev_hash), slice_of(numbers, sizeof numbers), records};
    return digest_of(parts, 3);
}

enum error journal_row_check(struct driver *d, unsigned statement, uint64_t prev_lsn,
                             const struct digest *prev_hash, struct journal_row *out,
                             const char **problem)
{
    struct journal_row row = {
        .first_lsn = driver_column_u64(d, statement, 0),
        .count = driver_column_u64(d, statement, 1),
        .records = driver_column_slice(d, statement, 4),
    };
    enum error e = digest_from_slice(&row.prev_hash, driver_column_slice(d, statement, 2));
    if (e == ERROR_NONE)
        e = digest_from_slice(&row.hash, driver_column_slice(d, statement, 3));
    *out = row;
    *problem = "a row of the journal is missing";
    if (row.first_lsn != prev_lsn + 1 || row.count == 0 || row.count > UINT32_MAX)
        return ERROR_CORRUPT;
    *problem = "the chain of the journal is broken";
    if (e != ERROR_NONE || !digest_equal(&row.prev_hash, prev_hash))
        return ERROR_CORRUPT;
    *problem = "a row of the journal was changed";
    struct digest hash = journal_hash(prev_hash, row.first_lsn, row.count, row.records);
    if (!digest_equal(&hash, &row.hash))
        return ERROR_CORRUPT;
    *problem = NULL;
    return ERROR_NONE;
}

enum error journal_row_read(struct store *s, uint64_t prev_lsn, const struct digest *prev_hash,
                            struct journal_row *out)
{
    const char *problem;
    enum error e = journal_row_check(s->outbox, JOURNAL_READ, prev_lsn, prev_hash, out, &problem);
    return e == ERROR_NONE ? e : store_failed(s, NULL, e, problem);
}

/* ---- opening ---- */

static enum error open_directory(struct store *s, const char *path, const char **problem)
{
    struct stat st;
    s->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->directory < 0 || fstat(s->directory, &st) != 0) {
        *problem = errno == EACCES ? "the store's directory may not be read"
                                   : "the store's directory is not there";
        return errno == EACCES ? ERROR_PERMISSION : ERROR_IO;
    }
    if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        *problem = "the store's directory is open to others: its mode must be 0700";
        return ERROR_PERMISSION;
    }
    s->lock = openat(s->directory, "brug.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->lock < 0) {
        *problem = "brug.lock cannot be made";
        return errno == EACCES || errno == EPERM || errno == EROFS ? ERROR_PERMISSION : ERROR_IO;
    }
    if (flock(s->lock, LOCK_EX | LOCK_NB) != 0) {
        *problem = "another process uses the store";
        return errno == EWOULDBLOCK ? ERROR_LOCKED : ERROR_IO;
    }
    return ERROR_NONE;
}

static enum error insert_meta(struct store *s)
{
    struct driver *d = s->outbox;
    driver_bind_u64(d, META_INSERT, 1, OUTBOX_STEP_COUNT);
    driver_bind_slice(d, META_INSERT, 2, id_slice(&s->generation));
    driver_bind_u64(d, META_INSERT, 3, 0);
    driver_bind_u64(d, META_INSERT, 4, 0);
    driver_bind_slice(d, META_INSERT, 5, digest_slice(&s->folded.hash));
    driver_bind_u64(d, META_INSERT, 6, 0);
    return driver_execute(d, META_INSERT);
}

static enum error read_meta(struct store *s)
{
    struct driver *d = s->outbox;
    struct fold_position at;
    bool has_row;
    enum error e = driver_step(d, META_READ, &has_row);
    if (e != ERROR_NONE)
        goto end;
    e = ERROR_CORRUPT;
    if (!has_row || id_from_slice(&s->generation, driver_column_slice(d, META_READ, 0)) ||
        digest_from_slice(&at.hash, driver_column_slice(d, META_READ, 3)))
        goto end;
    at.lsn = driver_column_u64(d, META_READ, 1);
    at.whole_lsn = driver_column_u64(d, META_READ, 2);
    at.newest_ms = (int64_t)driver_column_u64(d, META_READ, 4);
    if (at.whole_lsn > at.lsn || at.lsn > INT64_MAX || at.newest_ms < 0)
        goto end;
    s->folded = at;
    e = ERROR_NONE;
end:
    driver_reset(d, META_READ);
    return e;
}

/* Those that a database of its schema has. */
static enum error check_live_tables(struct store *s)
{
    uint64_t schema = 1;
    enum error e = ERROR_NONE;
    for (size_t i = 0; e == ERROR_NONE && i < OUTBOX_LIVE_TABLE_COUNT; i++) {
        const struct live_table *t = &OUTBOX_LIVE_TABLES[i];
        if (t->since > schema)
            e = driver_query_u64(s->outbox, "SELECT schema_number FROM meta WHERE one = 1",
                                 &schema);
        if (e == ERROR_NONE && t->since <= schema)
            e = driver_check_table(s->outbox, t->name);
    }
    return e;
}

static enum error open_outbox(struct store *s, const char *path, const struct store_options *o,
                              bool *is_new, const char **problem)
{
    static const struct schema schema = {OUTBOX_STEPS, OUTBOX_STEP_COUNT, OUTBOX_SQL,
                                         OUTBOX_STATEMENT_COUNT, META_SCHEMA};
    struct driver_options options = {
        path,
        o->vfs,
        OUTBOX_APPLICATION_ID,
        OUTBOX_CACHE_BYTES,
        {"brug.db has a page that is not as it was written: the disk changed it",
         "brug.db-wal is not as it was written: what was confirmed would be missing",
         "brug.db is damaged: SQLite finds a table that is not sound"},
    };
    enum error e = driver_open(&s->outbox, &options, is_new, problem);
    if (e == ERROR_STORE_FORMAT)
        *problem = "brug.db is not a database of this program";
    if (e != ERROR_NONE)
        return e;
    if (!*is_new)
        e = check_live_tables(s);
    if (e == ERROR_NONE)
        e = schema_begin(s->outbox, &schema, *is_new);
    if (e == ERROR_NONE && *is_new)
        e = insert_meta(s);
    else if (e == ERROR_NONE)
        e = figures_fill(s);
    if (e == ERROR_NONE)
        e = driver_commit(s->outbox);
    return e == ERROR_NONE ? read_meta(s) : e;
}

/* From the fold's position to the last committed row. */
static enum error verify_journal(struct store *s)
{
    struct journal_row row = {.hash = s->folded.hash};
    uint64_t end = s->folded.whole_lsn;
    bool has_row;
    driver_bind_u64(s->outbox, JOURNAL_READ, 1, 0);
    driver_bind_u64(s->outbox, JOURNAL_READ, 2, INT64_MAX);
    enum error e;
    while ((e = driver_step(s->outbox, JOURNAL_READ, &has_row)) == ERROR_NONE && has_row) {
        struct digest prev_hash = row.hash;
        e = journal_row_read(s, end, &prev_hash, &row);
        if (e != ERROR_NONE)
            break;
        end = row.first_lsn + (row.count - 1);
        s->lag_bytes += row.records.len;
        if (end == s->audited_lsn && !digest_equal(&row.hash, &s->audited_hash))
            e = store_failed(s, NULL, ERROR_CORRUPT,
                             "audit.db has another row under this lsn than the journal");
        if (e != ERROR_NONE)
            break;
    }
    driver_reset(s->outbox, JOURNAL_READ);
    s->lsn = end;
    s->hash = row.hash;
    return e;
}

/* What is elsewhere must not be ahead of the journal: then its last rows would be gone. */
static enum error check_ends(struct store *s)
{
    bool has_row;
    driver_bind_u64(s->outbox, PACK_FIND, 1, INT64_MAX);
    enum error e = driver_step(s->outbox, PACK_FIND, &has_row);
    bool is_ahead =
        e == ERROR_NONE && has_row && driver_column_u64(s->outbox, PACK_FIND, 0) > s->lsn;
    driver_reset(s->outbox, PACK_FIND);
    if (e != ERROR_NONE)
        return e;
    if (is_ahead || s->folded.lsn > s->lsn)
        return store_failed(s, NULL, ERROR_CORRUPT, "the last rows of the journal are missing");
    if (s->audited_lsn > s->lsn)
        return store_failed(s, NULL, ERROR_CORRUPT,
                            "brug.db is older than audit.db: its last commits are missing");
    if (s->audited_lsn < s->folded.lsn)
        return store_failed(s, NULL, ERROR_CORRUPT,
                            "audit.db is older than brug.db: its last rows are missing");
    if (s->audited_lsn == s->folded.whole_lsn && !digest_equal(&s->audited_hash, &s->folded.hash))
        return store_failed(s, NULL, ERROR_CORRUPT,
                            "audit.db has another row under this lsn than the journal");
    return ERROR_NONE;
}

static enum error open_files(struct store *s, const struct store_options *o, const char **problem)
{
    char path[PATH_BYTES_MAX];
    bool is_new;
    if (snprintf(path, sizeof path, "%s/brug.db", o->directory) >= (int)sizeof path - 16) {
        *problem = "the path of the store's directory is too long";
        return ERROR_BOUND;
    }
    enum error e = open_outbox(s, path, o, &is_new, problem);
    if (e != ERROR_NONE)
        return e;
    (void)snprintf(path, sizeof path, "%s/audit.db", o->directory); /* as long as the one before */
    e = audit_open(s, path, o->vfs, is_new, problem);
    if (e != ERROR_NONE)
        return e;
    /* SQLite does not sync the directory for the names of its main files. */
    if (is_new && fsync(s->directory) != 0) {
        *problem = "the store's directory cannot be synced";
        return ERROR_IO;
    }
    e = verify_journal(s);
    return e == ERROR_NONE ? check_ends(s) : e;
}

/* A line for what no check of ours has put into words. */
static const char *problem_of(const struct store *s, enum error e)
{
    const struct driver *drivers[] = {s->outbox, s->audit};
    if (s->problem != NULL)
        return s->problem;
    for (size_t i = 0; i < 2; i++)
        if (e == ERROR_CORRUPT && drivers[i] != NULL && driver_problem(drivers[i]) != NULL)
            return driver_problem(drivers[i]);
    return e == ERROR_STORE_FORMAT ? "the store was written by a newer version of this program"
                                   : error_text(e);
}

static void keep_options(struct store *s, const struct store_options *o)
{
    s->checkpoint_pages = o->checkpoint_pages ? o->checkpoint_pages : CHECKPOINT_PAGES_DEFAULT;
    s->fold_slice_bytes = o->fold_slice_bytes ? o->fold_slice_bytes : FOLD_SLICE_BYTES_DEFAULT;
    s->fold_lag_bytes_max = o->fold_lag_bytes_max ? o->fold_lag_bytes_max : FOLD_LAG_BYTES_DEFAULT;
    s->fold_gather_bytes = o->fold_gather_bytes ? o->fold_gather_bytes : s->fold_slice_bytes;
    if (o->fold_gather_bytes > s->fold_lag_bytes_max / 2)
        s->fold_gather_bytes = s->fold_lag_bytes_max / 2;
    s->reserve_bytes = o->reserve_bytes;
    s->unstored_bytes = o->unstored_bytes;
    s->ask_free_bytes = o->free_bytes;
    s->generation = id_v4(o->random);
    memcpy(s->hash_seed, o->random, sizeof s->hash_seed);
}

enum error store_open(struct store **out, const struct store_options *o, const char **problem)
{
    const char *line = NULL;
    struct store *s = calloc(1, sizeof *s);
    *problem = error_text(ERROR_NO_MEMORY);
    if (s == NULL)
        return ERROR_NO_MEMORY;
    s->directory = s->lock = -1;
    buf_init(&s->scratch, SCRATCH_BYTES_MAX);
    keep_options(s, o);
    enum error e = ERROR_NO_MEMORY;
    s->arena = arena_new();
    if (s->arena != NULL)
        e = open_directory(s, o->directory, &line);
    if (e == ERROR_NONE)
        e = open_files(s, o, &line);
    if (e != ERROR_NONE) {
        *problem = line != NULL ? line : problem_of(s, e);
        (void)store_failed(s, NULL, e, *problem);
        store_close(s);
        return e;
    }
    store_check_room(s);
    *problem = NULL;
    *out = s;
    return ERROR_NONE;
}

void store_close(struct store *s)
{
    if (s == NULL)
        return;
    driver_close(s->outbox, s->failed == ERROR_NONE);
    driver_close(s->audit, s->failed == ERROR_NONE);
    if (s->lock >= 0)
        (void)close(s->lock); /* gives the lock back; nothing was written */
    if (s->directory >= 0)
        (void)close(s->directory);
    arena_free(s->arena);
    buf_fini(&s->scratch);
    free(s);
}

/* ---- committing ---- */

static enum error insert_journal(struct store *s, const struct group *g, const struct digest *hash)
{
    struct driver *d = s->outbox;
    driver_bind_u64(d, JOURNAL_INSERT, 1, g->first_lsn);
    driver_bind_u64(d, JOURNAL_INSERT, 2, g->count);
    driver_bind_slice(d, JOURNAL_INSERT, 3, digest_slice(&s->hash));
    driver_bind_slice(d, JOURNAL_INSERT, 4, digest_slice(hash));
    driver_bind_slice(d, JOURNAL_INSERT, 5, buf_slice(&g->records));
    return driver_execute(d, JOURNAL_INSERT);
}

static enum error insert_bodies(struct store *s, const struct group *g)
{
    struct driver *d = s->outbox;
    enum error e = pack_build(&s->scratch, g);
    if (e == ERROR_NONE && s->scratch.len > 0) {
        driver_bind_u64(d, PACK_INSERT, 1, g->first_lsn);
        driver_bind_slice(d, PACK_INSERT, 2, buf_slice(&s->scratch));
        e = driver_execute(d, PACK_INSERT);
    }
    for (size_t i = 0; e == ERROR_NONE && i < g->body_count; i++) {
        const struct body *b = g->bodies[i].body;
        bool is_tags = g->bodies[i].is_tags;
        unsigned statement = is_tags ? TAGS_ADD : BODY_INSERT;
        if (!is_tags && b->len <= STORE_BODY_BYTES_PACKED_MAX)
            continue;
        driver_bind_u64(d, statement, 1, g->bodies[i].lsn);
        driver_bind_slice(d, statement, 2, slice_of(b->bytes, b->len));
        e = is_tags ? driver_execute_wiping(d, statement) : driver_execute(d, statement);
    }
    return e;
}

/*
 * How much to fold with this commit: nothing until enough has gathered, then more than comes. A burst that
 * ends before is folded when it is over, and costs those who wait for its commits nothing.
 */
static size_t fold_bytes_due(const struct store *s, const struct group *g)
{
    if (s->lag_bytes < s->fold_gather_bytes)
        return 0;
    size_t twice = g->records.len * 2;
    return twice > s->fold_slice_bytes ? twice : s->fold_slice_bytes;
}

/* All that one transaction holds, up to but without its end. */
static enum error write_group(struct store *s, const struct group *g, const struct digest *hash,
                              struct fold_position *to, uint64_t *folded_bytes)
{
    enum error e = driver_begin(s->outbox);
    if (e == ERROR_NONE)
        e = insert_journal(s, g, hash);
    if (e == ERROR_NONE)
        e = insert_bodies(s, g);
    if (e != ERROR_NONE)
        return store_failed(s, e == ERROR_BOUND ? NULL : s->outbox, e, NULL);
    size_t due = fold_bytes_due(s, g);
    return due == 0 ? ERROR_NONE : fold_slice(s, due, to, folded_bytes);
}

static enum error end_transaction(struct store *s, enum error e)
{
    if (e == ERROR_NONE) {
        e = driver_commit(s->outbox);
        if (e == ERROR_NONE)
            return e;
        (void)store_failed(s, s->outbox, e, NULL);
    }
    driver_rollback(s->outbox);
    return e;
}

enum error store_commit(struct store *s, const struct group *g)
{
    assert(g->count > 0 && g->first_lsn == s->lsn + 1);
    struct fold_position to = s->folded;
    uint64_t folded_bytes = 0;
    enum error e = store_tidy(s);
    if (e != ERROR_NONE)
        return e;
    struct digest hash = journal_hash(&s->hash, g->first_lsn, g->count, buf_slice(&g->records));
    e = end_transaction(s, write_group(s, g, &hash, &to, &folded_bytes));
    if (e != ERROR_NONE)
        return e;
    s->lsn += g->count;
    s->hash = hash;
    s->folded = to;
    s->lag_bytes += g->records.len;
    s->lag_bytes -= folded_bytes;
    s->waiting = g->waiting;
    store_check_room(s);
    return ERROR_NONE;
}

enum error store_fold(struct store *s, bool *is_done)
{
    struct fold_position to;
    uint64_t folded_bytes;
    if (s->failed != ERROR_NONE)
        return s->failed;
    if (s->folded.lsn == s->lsn) {
        *is_done = true;
        return store_tidy(s);
    }
    enum error e = driver_begin(s->outbox);
    if (e != ERROR_NONE)
        return store_failed(s, s->outbox, e, NULL);
    e = end_transaction(s, fold_slice(s, s->fold_slice_bytes, &to, &folded_bytes));
    if (e != ERROR_NONE)
        return e;
    s->folded = to;
    s->lag_bytes -= folded_bytes;
    *is_done = s->folded.lsn == s->lsn;
    return store_tidy(s);
}

static enum error tidy_one(struct store *s, struct driver *d)
{
    if (driver_pages_pending(d) < s->checkpoint_pages)
        return ERROR_NONE;
    enum error e = driver_checkpoint(d);
    return e == ERROR_NONE ? e : store_failed(s, d, e, NULL);
}

enum error store_tidy(struct store *s)
{
    if (s->failed != ERROR_NONE)
        return s->failed;
    enum error e = tidy_one(s, s->outbox);
    return e == ERROR_NONE ? tidy_one(s, s->audit) : e;
}

/* ---- what it tells ---- */

struct id store_generation(const struct store *s) { return s->generation; }
uint64_t store_lsn(const struct store *s) { return s->lsn; }
uint64_t store_folded_lsn(const struct store *s) { return s->folded.lsn; }
bool store_has_room(const struct store *s) { return s->free_bytes >= store_needed_bytes(s); }
bool store_is_behind(const struct store *s) { return s->lag_bytes > s->fold_lag_bytes_max; }
uint64_t store_free_bytes(const struct store *s) { return s->free_bytes; }

/*
 * What must still fit on the disk when no new letter is accepted any more.
 *   - What is accepted while the disk is being asked.
 *   - Both WALs at their longest: a transaction on top of what makes a check-point due. A fold may touch a page of
 *     its own for each of its shortest records, in the audit file only the next ones.
 *   - The journal that is not folded, once more in the audit file, and what gathers behind it.
 *   - For each copy that waits its end: a row of the journal and of the audit file, alone in its group, and the
 *     longer row of its message (tests/store/test_store_reserve.c measures it).
 */
uint64_t store_needed_bytes(const struct store *s)
{
    uint64_t slice_bytes = s->fold_slice_bytes;
    uint64_t wal_bytes = 2 * (uint64_t)s->checkpoint_pages * WAL_FRAME_BYTES;
    uint64_t fold_bytes = slice_bytes * (WAL_FRAME_BYTES / FOLDED_RECORD_BYTES_MIN + 8);
    uint64_t journal_bytes = s->lag_bytes + 2 * (uint64_t)s->fold_gather_bytes;
    uint64_t fixed_bytes = s->unstored_bytes + wal_bytes + fold_bytes + journal_bytes;
    return (fixed_bytes > s->reserve_bytes ? fixed_bytes : s->reserve_bytes) +
           s->waiting * END_OF_COPY_BYTES;
}

/* A disk that does not say how much is free counts as full. */
void store_check_room(struct store *s)
{
    struct statvfs v;
    if (s->ask_free_bytes != NULL)
        s->free_bytes = s->ask_free_bytes();
    else if (fstatvfs(s->directory, &v) == 0)
        s->free_bytes = (uint64_t)v.f_bavail * v.f_frsize;
    else
        s->free_bytes = 0;
}
