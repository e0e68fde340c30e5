/*
 * daemon/store/audit.c: the audit file: whole journal rows by first_lsn, for good.
 *
 * It is a database of its own, because two SQLite files do not commit as one in WAL mode: it is
 * written and committed before the fold that removes the row from the journal. A crash between the
 * two leaves rows in both; putting such a row again changes nothing, and a row that differs stops
 * the store.
 *
 * Invariant: rows follow each other without a gap, each chained to the one before; audited_lsn is
 * the end of the last, never below folded_lsn and never above the last committed lsn.
 */
#include "daemon/store/inside.h"
#include "daemon/store/schema.h"
#include "daemon/store/sql.h"

#define CACHE_BYTES (2u << 20)

static enum error insert_meta(struct store *s)
{
    driver_bind_u64(s->audit, AUDIT_META_INSERT, 1, AUDIT_STEP_COUNT);
    driver_bind_slice(s->audit, AUDIT_META_INSERT, 2, id_slice(&s->generation));
    return driver_execute(s->audit, AUDIT_META_INSERT);
}

/* The file must be of this store. */
static enum error check_generation(struct store *s, const char **problem)
{
    bool has_row;
    enum error e = driver_step(s->audit, AUDIT_META_READ, &has_row);
    if (e == ERROR_NONE &&
        (!has_row || !slice_equal(driver_column_slice(s->audit, AUDIT_META_READ, 0),
                                  id_slice(&s->generation)))) {
        *problem = "audit.db is of another store than brug.db (another generation)";
        e = ERROR_CORRUPT;
    }
    driver_reset(s->audit, AUDIT_META_READ);
    return e;
}

static enum error read_last(struct store *s)
{
    bool has_row;
    enum error e = driver_step(s->audit, AUDIT_LAST, &has_row);
    if (e == ERROR_NONE && has_row) {
        uint64_t first_lsn = driver_column_u64(s->audit, AUDIT_LAST, 0);
        uint64_t count = driver_column_u64(s->audit, AUDIT_LAST, 1);
        if (first_lsn == 0 || first_lsn > INT64_MAX || count == 0 || count > UINT32_MAX ||
            digest_from_slice(&s->audited_hash, driver_column_slice(s->audit, AUDIT_LAST, 2)))
            e = ERROR_CORRUPT;
        else
            s->audited_lsn = first_lsn + (count - 1);
    }
    driver_reset(s->audit, AUDIT_LAST);
    return e;
}

enum error audit_open(struct store *s, const char *path, const char *vfs, bool is_new_outbox,
                      const char **problem)
{
    static const struct schema schema = {AUDIT_STEPS, AUDIT_STEP_COUNT, AUDIT_SQL,
                                         AUDIT_STATEMENT_COUNT, AUDIT_META_SCHEMA};
    struct driver_options options = {
        path,
        vfs,
        AUDIT_APPLICATION_ID,
        CACHE_BYTES,
        {"audit.db has a page that is not as it was written: the disk changed it",
         "audit.db-wal is not as it was written: what was confirmed would be missing",
         "audit.db is damaged: SQLite finds a table that is not sound"},
    };
    bool is_empty;
    enum error e = driver_open(&s->audit, &options, &is_empty, problem);
    if (e == ERROR_STORE_FORMAT)
        *problem = "audit.db is not a database of this program";
    if (e != ERROR_NONE)
        return e;
    if (is_new_outbox && !is_empty) {
        *problem = "audit.db is there, but brug.db is missing";
        return ERROR_CORRUPT;
    }
    if (is_empty && s->folded.lsn > 0) {
        *problem = "brug.db is there, but audit.db is missing";
        return ERROR_CORRUPT;
    }
    e = schema_begin(s->audit, &schema, is_empty);
    if (e == ERROR_NONE && is_empty)
        e = insert_meta(s);
    if (e == ERROR_NONE)
        e = driver_commit(s->audit);
    if (e == ERROR_NONE)
        e = check_generation(s, problem);
    return e == ERROR_NONE ? read_last(s) : e;
}

/* A row that was put before must be the same one. */
static enum error check_same(struct store *s, const struct journal_row *row)
{
    bool has_row, is_same = false;
    driver_bind_u64(s->audit, AUDIT_READ, 1, row->first_lsn);
    enum error e = driver_step(s->audit, AUDIT_READ, &has_row);
    if (e == ERROR_NONE)
        is_same =
            has_row && driver_column_u64(s->audit, AUDIT_READ, 0) == row->count &&
            slice_equal(driver_column_slice(s->audit, AUDIT_READ, 1), digest_slice(&row->hash));
    driver_reset(s->audit, AUDIT_READ);
    if (e == ERROR_NONE && !is_same)
        return store_failed(s, NULL, ERROR_CORRUPT,
                            "audit.db has another row under this lsn than the journal");
    return e == ERROR_NONE ? e : store_failed(s, s->audit, e, NULL);
}

enum error audit_put(struct store *s, const struct journal_row *row)
{
    if (row->first_lsn <= s->audited_lsn)
        return check_same(s, row);
    if (row->first_lsn != s->audited_lsn + 1 || !digest_equal(&row->prev_hash, &s->audited_hash))
        return store_failed(s, NULL, ERROR_CORRUPT, "audit.db does not continue in the journal");
    enum error e = s->is_auditing ? ERROR_NONE : driver_begin(s->audit);
    if (e != ERROR_NONE)
        return store_failed(s, s->audit, e, NULL);
    s->is_auditing = true;
    driver_bind_u64(s->audit, AUDIT_INSERT, 1, row->first_lsn);
    driver_bind_u64(s->audit, AUDIT_INSERT, 2, row->count);
    driver_bind_slice(s->audit, AUDIT_INSERT, 3, digest_slice(&row->prev_hash));
    driver_bind_slice(s->audit, AUDIT_INSERT, 4, digest_slice(&row->hash));
    driver_bind_slice(s->audit, AUDIT_INSERT, 5, row->records);
    e = driver_execute(s->audit, AUDIT_INSERT);
    if (e != ERROR_NONE)
        return store_failed(s, s->audit, e, NULL);
    s->audited_lsn = row->first_lsn + (row->count - 1);
    s->audited_hash = row->hash;
    return ERROR_NONE;
}

enum error audit_commit(struct store *s)
{
    if (!s->is_auditing)
        return ERROR_NONE;
    s->is_auditing = false;
    enum error e = driver_commit(s->audit);
    return e == ERROR_NONE ? e : store_failed(s, s->audit, e, NULL);
}
