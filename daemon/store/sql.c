/*
 * daemon/store/sql.c: the schemas and the statements.
 *
 * Tables that hold bodies or long rows have an integer key, so that long values lie in chains of
 * their own; those with short rows and a compound key are WITHOUT ROWID: one tree instead of two.
 * Message ids come first in their keys: as UUIDv7 they arrive in order of time, so inserts go to
 * the right edge and the start reads one range. So do events of cases, by lsn; the time line of one case is found by an
 * index of short entries. Figures are counted as events are folded, so that a start reads counts and no history. Tags of
 * cases are written and dropped by driver_execute_wiping alone, so that none outlives its case in a page.
 */
#include "daemon/store/sql.h"

const char *const OUTBOX_STEPS[OUTBOX_STEP_COUNT] = {
    /* 1 */
    "CREATE TABLE meta("
    " one INTEGER PRIMARY KEY CHECK (one = 1),"
    " schema_number INTEGER NOT NULL,"
    " generation BLOB NOT NULL,"
    " folded_lsn INTEGER NOT NULL,"
    " whole_lsn INTEGER NOT NULL,"  /* the end of the last journal row that was folded whole */
    " whole_hash BLOB NOT NULL,"    /* of that row */
    " newest_ms INTEGER NOT NULL);" /* the latest time in a UUIDv7 of `message` */
    "CREATE TABLE journal("
    " first_lsn INTEGER PRIMARY KEY,"
    " count INTEGER NOT NULL,"
    " prev_hash BLOB NOT NULL,"
    " hash BLOB NOT NULL,"
    " records BLOB NOT NULL);"
    "CREATE TABLE pack(first_lsn INTEGER PRIMARY KEY, bodies BLOB NOT NULL);"
    "CREATE TABLE body(lsn INTEGER PRIMARY KEY, bytes BLOB NOT NULL);"
    "CREATE TABLE message("
    " id BLOB NOT NULL,"
    " org BLOB NOT NULL,"        /* 16 zero bytes: made by the relay */
    " waiting INTEGER NOT NULL," /* readers whose copy waits */
    " row BLOB NOT NULL,"        /* KnownMessage */
    " PRIMARY KEY(id, org)) WITHOUT ROWID;"
    "CREATE TABLE delivery("
    " endpoint BLOB NOT NULL,"
    " sequence INTEGER NOT NULL,"
    " id BLOB NOT NULL,"
    " org BLOB NOT NULL,"
    " PRIMARY KEY(endpoint, sequence)) WITHOUT ROWID;"
    "CREATE TABLE mailbox("
    " endpoint BLOB NOT NULL PRIMARY KEY,"
    " sequence INTEGER NOT NULL) WITHOUT ROWID;" /* the last that was given */
    "CREATE TABLE directory("
    " type INTEGER NOT NULL," /* RecordType */
    " id BLOB NOT NULL,"
    " row BLOB NOT NULL," /* the record's payload */
    " PRIMARY KEY(type, id)) WITHOUT ROWID;"
    "CREATE TABLE casefile(case_id BLOB NOT NULL PRIMARY KEY, row BLOB NOT NULL) WITHOUT ROWID;",
    /* 2 */
    "CREATE TABLE case_event("
    " lsn INTEGER PRIMARY KEY,"
    " case_id BLOB NOT NULL,"
    " record BLOB NOT NULL);" /* CaseMoved, as it stood in the journal */
    "CREATE INDEX case_event_of_case ON case_event(case_id);",
    /* 3 */
    "CREATE TABLE case_tags("
    " lsn INTEGER PRIMARY KEY,"
    " case_id BLOB,"        /* this and the next once the record is folded */
    " record BLOB,"         /* CaseTags, as it stood in the journal */
    " kept BLOB NOT NULL);" /* TagsKept, which stands nowhere else */
    "CREATE INDEX case_tags_of_case ON case_tags(case_id);",
    /* 4 */
    "CREATE TABLE figure("
    " municipality BLOB NOT NULL,"
    " team BLOB NOT NULL,"
    " practice BLOB NOT NULL,"
    " day INTEGER NOT NULL,"
    " event INTEGER NOT NULL," /* enum figure_event */
    " code INTEGER NOT NULL,"
    " count INTEGER NOT NULL,"
    " PRIMARY KEY(municipality, team, practice, day, event, code)) WITHOUT ROWID;"
    "CREATE TABLE figure_table("
    " municipality BLOB NOT NULL,"
    " team BLOB NOT NULL,"
    " from_day INTEGER NOT NULL,"
    " until_day INTEGER NOT NULL,"
    " row BLOB NOT NULL," /* FiguresPublished */
    " PRIMARY KEY(municipality, team, from_day, until_day)) WITHOUT ROWID;",
};

const char *const OUTBOX_SQL[OUTBOX_STATEMENT_COUNT] = {
    [META_INSERT] =
        "INSERT INTO meta(one, schema_number, generation, folded_lsn, whole_lsn, whole_hash,"
        " newest_ms) VALUES(1, $1, $2, $3, $4, $5, $6)",
    [META_SCHEMA] = "UPDATE meta SET schema_number = $1 WHERE one = 1",
    [META_READ] = "SELECT generation, folded_lsn, whole_lsn, whole_hash, newest_ms FROM meta"
                  " WHERE one = 1",
    [META_FOLDED] = "UPDATE meta SET folded_lsn = $1, whole_lsn = $2, whole_hash = $3,"
                    " newest_ms = $4 WHERE one = 1",
    [JOURNAL_INSERT] = "INSERT INTO journal(first_lsn, count, prev_hash, hash, records)"
                       " VALUES($1, $2, $3, $4, $5)",
    [JOURNAL_READ] = "SELECT first_lsn, count, prev_hash, hash, records FROM journal"
                     " WHERE first_lsn >= $1 AND first_lsn <= $2 ORDER BY first_lsn",
    [JOURNAL_LAST] = "SELECT records FROM journal ORDER BY first_lsn DESC LIMIT 1",
    [JOURNAL_DELETE] = "DELETE FROM journal WHERE first_lsn < $1",
    [PACK_INSERT] = "INSERT INTO pack(first_lsn, bodies) VALUES($1, $2)",
    [PACK_FIND] =
        "SELECT first_lsn FROM pack WHERE first_lsn <= $1 ORDER BY first_lsn DESC LIMIT 1",
    [BODY_INSERT] = "INSERT INTO body(lsn, bytes) VALUES($1, $2)",
    [BODY_READ] = "SELECT bytes FROM body WHERE lsn = $1",
    [MESSAGE_PUT] = "INSERT INTO message(id, org, waiting, row) VALUES($1, $2, $3, $4)"
                    " ON CONFLICT(id, org) DO UPDATE"
                    " SET waiting = excluded.waiting, row = excluded.row",
    [MESSAGE_READ] = "SELECT row FROM message WHERE id = $1 AND org = $2",
    [MESSAGE_RANGE] = "SELECT row FROM message WHERE id >= $1 AND id <= $2 ORDER BY id, org",
    [MESSAGE_AFTER] = "SELECT id, org, row FROM message WHERE (id, org) > ($1, $2)"
                      " ORDER BY id, org LIMIT $3",
    [DELIVERY_PUT] = "INSERT INTO delivery(endpoint, sequence, id, org) VALUES($1, $2, $3, $4)"
                     " ON CONFLICT(endpoint, sequence) DO UPDATE"
                     " SET id = excluded.id, org = excluded.org",
    [DELIVERY_DELETE] = "DELETE FROM delivery WHERE endpoint = $1 AND sequence = $2",
    [DELIVERY_COUNT] = "SELECT count(*) FROM delivery",
    [DELIVERY_READ] = "SELECT endpoint, id, org FROM delivery WHERE id < $1 OR id > $2"
                      " ORDER BY endpoint, sequence",
    [DELIVERY_AFTER] = "SELECT endpoint, sequence, id, org FROM delivery"
                       " WHERE (endpoint, sequence) > ($1, $2) ORDER BY endpoint, sequence"
                       " LIMIT $3",
    [MAILBOX_RAISE] = "INSERT INTO mailbox(endpoint, sequence) VALUES($1, $2)"
                      " ON CONFLICT(endpoint) DO UPDATE SET sequence = excluded.sequence"
                      " WHERE excluded.sequence > mailbox.sequence",
    [DIRECTORY_PUT] = "INSERT INTO directory(type, id, row) VALUES($1, $2, $3)"
                      " ON CONFLICT(type, id) DO UPDATE SET row = excluded.row",
    [DIRECTORY_READ] = "SELECT d.type, d.row, coalesce(m.sequence, 0) FROM directory d"
                       " LEFT JOIN mailbox m ON m.endpoint = d.id ORDER BY d.type, d.id",
    [CASE_PUT] = "INSERT INTO casefile(case_id, row) VALUES($1, $2)"
                 " ON CONFLICT(case_id) DO UPDATE SET row = excluded.row",
    [CASE_EVENT_ADD] = "INSERT INTO case_event(lsn, case_id, record) VALUES($1, $2, $3)",
    [CASE_READ] = "SELECT row FROM casefile ORDER BY case_id",
    [TAGS_ADD] = "INSERT INTO case_tags(lsn, kept) VALUES($1, $2)",
    [TAGS_NAME] = "UPDATE case_tags SET case_id = $1, record = $2 WHERE lsn = $3",
    [TAGS_DROP] = "DELETE FROM case_tags WHERE case_id = $1",
    [TAGS_READ] = "SELECT record, kept FROM case_tags WHERE case_id IS NOT NULL ORDER BY lsn",
    [TAGS_FIND] = "SELECT kept FROM case_tags WHERE lsn = $1",
    [CASE_FIND] = "SELECT count(*) FROM casefile WHERE case_id = $1",
    [CASE_EVENT_READ] = "SELECT record FROM case_event ORDER BY lsn",
    [FIGURE_ADD] = "INSERT INTO figure(municipality, team, practice, day, event, code, count)"
                   " VALUES($1, $2, $3, $4, $5, $6, 1)"
                   " ON CONFLICT(municipality, team, practice, day, event, code) DO UPDATE"
                   " SET count = figure.count + 1",
    [FIGURE_READ] = "SELECT municipality, team, practice, day, event, code, count FROM figure"
                    " ORDER BY municipality, team, practice, day, event, code",
    [FIGURE_CLOSED] = "SELECT coalesce(max(until_day), 0) FROM figure_table"
                      " WHERE municipality = $1 AND team = $2",
    [PUBLISHED_PUT] = "INSERT INTO figure_table(municipality, team, from_day, until_day, row)"
                      " VALUES($1, $2, $3, $4, $5)"
                      " ON CONFLICT(municipality, team, from_day, until_day) DO NOTHING",
    [PUBLISHED_READ] = "SELECT row FROM figure_table"
                       " ORDER BY municipality, team, from_day, until_day",
};

const struct live_table OUTBOX_LIVE_TABLES[OUTBOX_LIVE_TABLE_COUNT] = {
    {"sqlite_schema", 1}, {"meta", 1},      {"journal", 1}, {"mailbox", 1},      {"directory", 1},
    {"casefile", 1},      {"case_tags", 3}, {"figure", 4},  {"figure_table", 4},
};

const char *const AUDIT_STEPS[AUDIT_STEP_COUNT] = {
    /* 1 */
    "CREATE TABLE meta("
    " one INTEGER PRIMARY KEY CHECK (one = 1),"
    " schema_number INTEGER NOT NULL,"
    " generation BLOB NOT NULL);"
    "CREATE TABLE audit("
    " first_lsn INTEGER PRIMARY KEY,"
    " count INTEGER NOT NULL,"
    " prev_hash BLOB NOT NULL,"
    " hash BLOB NOT NULL,"
    " records BLOB NOT NULL);",
};

const char *const AUDIT_SQL[AUDIT_STATEMENT_COUNT] = {
    [AUDIT_META_INSERT] = "INSERT INTO meta(one, schema_number, generation) VALUES(1, $1, $2)",
    [AUDIT_META_SCHEMA] = "UPDATE meta SET schema_number = $1 WHERE one = 1",
    [AUDIT_META_READ] = "SELECT generation FROM meta WHERE one = 1",
    [AUDIT_INSERT] = ("INSERT INTO audit(first_lsn, count, prev_hash, hash, records)"
                      " VALUES($1, $2, $3, $4, $5)"),
    [AUDIT_READ] = "SELECT count, hash FROM audit WHERE first_lsn = $1",
    [AUDIT_LAST] = ("SELECT first_lsn, count, hash, records FROM audit"
                    " ORDER BY first_lsn DESC LIMIT 1"),
    [AUDIT_RANGE] = ("SELECT first_lsn, count, prev_hash, hash, records FROM audit"
                     " WHERE first_lsn >= $1 AND first_lsn <= $2 ORDER BY first_lsn"),
};
