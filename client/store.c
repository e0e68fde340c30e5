/*
 * client/store.c: the schema in numbered steps, and the settings.
 *
 * A step that was released is never changed; a later one is added at the end.
 */
#include "client/store.h"

#include <string.h>

#define STORE_SETTING_BYTES_MAX (8u << 20)

static const char *const MIGRATIONS[] = {
    "CREATE TABLE setting(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"

    /* a letter, received or sent */
    "CREATE TABLE message("
    " number INTEGER PRIMARY KEY AUTOINCREMENT,"
    " is_sent INTEGER NOT NULL,"
    " organisation BLOB NOT NULL," /* of the sender; empty: made by the relay */
    " message_id BLOB NOT NULL,"
    " state INTEGER NOT NULL," /* enum store_state */
    " code INTEGER NOT NULL DEFAULT 0,"
    " kind INTEGER NOT NULL,"
    " case_id BLOB NOT NULL,"
    " other BLOB NOT NULL,"  /* the organisation on the other side */
    " header BLOB NOT NULL," /* exact bytes */
    " has_letter INTEGER NOT NULL,"
    " digest BLOB,"                    /* of the letter, once it was sealed or opened */
    " signer BLOB,"                    /* SHA-256 of the signer's key, once believed */
    " seen_id BLOB, seen_digest BLOB," /* what its sender had seen */
    " written_at_ms INTEGER NOT NULL,"
    " stored_at_ms INTEGER NOT NULL DEFAULT 0,"
    " received_at_ms INTEGER NOT NULL DEFAULT 0,"
    " opened_at_ms INTEGER NOT NULL DEFAULT 0,"
    " opened_by BLOB,"
    " opened INTEGER NOT NULL DEFAULT 0," /* enum store_telling */
    " ack INTEGER NOT NULL DEFAULT 0,"    /* enum store_ack */
    " ack_code INTEGER NOT NULL DEFAULT 0,"
    " repeats INTEGER NOT NULL DEFAULT 0,"
    " attempts INTEGER NOT NULL DEFAULT 0,"
    " retry_at_ms INTEGER NOT NULL DEFAULT 0,"
    " needs_new_id INTEGER NOT NULL DEFAULT 0,"
    " track INTEGER NOT NULL DEFAULT 0," /* enum store_telling */
    " tracked_at_ms INTEGER NOT NULL DEFAULT 0,"
    " UNIQUE(organisation, message_id));"
    "CREATE INDEX message_case ON message(case_id, number);"
    "CREATE INDEX message_outbox ON message(number) WHERE is_sent = 1 AND state IN (16, 17);"
    "CREATE INDEX message_ack ON message(number) WHERE ack = 1;"
    "CREATE INDEX message_opened ON message(number) WHERE opened = 1;"
    "CREATE INDEX message_track ON message(number) WHERE track = 1;"
    "CREATE INDEX message_confirm ON message(number) WHERE state = 2;"
    "CREATE TABLE sealed(number INTEGER PRIMARY KEY REFERENCES message(number) ON DELETE CASCADE,"
    " bytes BLOB NOT NULL);"
    /* ids that a letter of ours had before it was sealed again */
    "CREATE TABLE former(message_id BLOB PRIMARY KEY,"
    " number INTEGER NOT NULL REFERENCES message(number) ON DELETE CASCADE,"
    " at_ms INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE fact("
    " number INTEGER NOT NULL REFERENCES message(number) ON DELETE CASCADE,"
    " endpoint BLOB NOT NULL, person BLOB NOT NULL,"
    " fetched_at_ms INTEGER NOT NULL, unreadable INTEGER NOT NULL,"
    " opened_at_ms INTEGER NOT NULL, opened_by BLOB NOT NULL,"
    " cancelled_at_ms INTEGER NOT NULL,"
    " PRIMARY KEY(number, endpoint)) WITHOUT ROWID;"

    /* the directory as the relay gave it */
    "CREATE TABLE municipality(municipality BLOB PRIMARY KEY,"
    " epoch INTEGER NOT NULL DEFAULT 0,"   /* of the last complete fetch */
    " highest INTEGER NOT NULL DEFAULT 0," /* that was ever seen */
    " wanted INTEGER NOT NULL DEFAULT 0,"  /* a fetch is due */
    " round INTEGER NOT NULL DEFAULT 0,"
    " fetched_at_ms INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
    "CREATE TABLE organisation(organisation BLOB PRIMARY KEY, entry BLOB NOT NULL,"
    " fetched_at_ms INTEGER NOT NULL, wanted INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE listing(municipality BLOB NOT NULL, organisation BLOB NOT NULL,"
    " round INTEGER NOT NULL, PRIMARY KEY(municipality, organisation)) WITHOUT ROWID;"
    "CREATE TABLE crl(issuer BLOB PRIMARY KEY, der BLOB NOT NULL);"

    /* what this profile believes */
    "CREATE TABLE known(organisation BLOB PRIMARY KEY, name TEXT NOT NULL,"
    " at_ms INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE pin(organisation BLOB NOT NULL, endpoint BLOB NOT NULL,"
    " binding BLOB NOT NULL," /* SHA-256 */
    " entry BLOB NOT NULL,"   /* the directory entry as it was when it was last believed */
    " by INTEGER NOT NULL,"   /* enum pin_by */
    " at_ms INTEGER NOT NULL,"
    " PRIMARY KEY(organisation, endpoint));"
    "CREATE TABLE countersignature(endpoint BLOB PRIMARY KEY, signature BLOB NOT NULL,"
    " told INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;",

    /* cases as the relay last told of them */
    "CREATE TABLE casefile(case_id BLOB PRIMARY KEY,"
    " facts BLOB NOT NULL,"         /* a serialised Case; empty: it never told */
    " ended INTEGER NOT NULL,"      /* as facts say */
    " told_at_ms INTEGER NOT NULL," /* by the own clock */
    " included INTEGER NOT NULL,"   /* letters of ours up to this number are in it */
    " wanted INTEGER NOT NULL,"     /* how often it became due to ask again; 0: it is not */
    " round INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX casefile_wanted ON casefile(case_id) WHERE wanted > 0;",

    /* letters that somebody handed on lie inside the HISTORY that brought them */
    "ALTER TABLE message ADD COLUMN brought_by INTEGER NOT NULL DEFAULT 0;" /* its number; 0: came first-hand */
    "ALTER TABLE message ADD COLUMN was_opened INTEGER NOT NULL DEFAULT 0;" /* by a colleague, as the giver says */
    "CREATE INDEX message_brought ON message(brought_by) WHERE brought_by > 0;"
    /* what we hand on: which letter, to which endpoints as far as they are known, by which HISTORY */
    "CREATE TABLE given(history INTEGER NOT NULL REFERENCES message(number) ON DELETE CASCADE,"
    " letter INTEGER NOT NULL REFERENCES message(number) ON DELETE CASCADE,"
    " endpoint BLOB NOT NULL, PRIMARY KEY(history, endpoint)) WITHOUT ROWID;"
    "CREATE INDEX given_letter ON given(letter, endpoint);",
};

enum error store_open_at(struct db **out, const char *path)
{
    return db_open(out, path, MIGRATIONS, sizeof MIGRATIONS / sizeof MIGRATIONS[0]);
}

enum error store_put(struct db *db, const char *name, struct slice value)
{
    return DB_RUN(db, "INSERT OR REPLACE INTO setting(name, value) VALUES(?1, ?2)", DB_TEXT(name),
                  DB_BLOB(value));
}

enum error store_put_int(struct db *db, const char *name, int64_t value)
{
    return DB_RUN(db, "INSERT OR REPLACE INTO setting(name, value) VALUES(?1, ?2)", DB_TEXT(name),
                  DB_INT(value));
}

enum error store_get(struct db *db, const char *name, struct buf *out)
{
    struct db_cursor c;
    enum error e = DB_SELECT(db, &c, "SELECT value FROM setting WHERE name = ?1", DB_TEXT(name));
    if (e != ERROR_NONE)
        return e;
    enum error kept = ERROR_NOT_FOUND;
    if (db_next(&c))
        kept = buf_append_slice(out, db_blob(&c, 0));
    e = db_done(&c);
    return e != ERROR_NONE ? e : kept;
}

enum error store_get_int(struct db *db, const char *name, int64_t fallback, int64_t *out)
{
    struct db_cursor c;
    enum error e = DB_SELECT(db, &c, "SELECT value FROM setting WHERE name = ?1", DB_TEXT(name));
    if (e != ERROR_NONE)
        return e;
    int64_t value = db_next(&c) ? db_int(&c, 0) : fallback;
    e = db_done(&c);
    if (e == ERROR_NONE)
        *out = value;
    return e;
}

enum error store_get_id(struct db *db, const char *name, struct id *out)
{
    struct buf b;
    buf_init(&b, STORE_SETTING_BYTES_MAX);
    enum error e = store_get(db, name, &b);
    if (e == ERROR_NONE)
        e = id_from_slice(out, buf_slice(&b)) == ERROR_NONE ? ERROR_NONE : ERROR_CORRUPT;
    buf_fini(&b);
    return e;
}

enum error store_get_text(struct db *db, const char *name, char *out, size_t out_len)
{
    struct buf b;
    buf_init(&b, STORE_SETTING_BYTES_MAX);
    enum error e = store_get(db, name, &b);
    if (e == ERROR_NONE || e == ERROR_NOT_FOUND) {
        size_t len = b.len < out_len - 1 ? b.len : out_len - 1;
        if (len > 0)
            memcpy(out, b.data, len);
        out[len] = 0;
        e = ERROR_NONE;
    }
    buf_fini(&b);
    return e;
}

enum error store_remove(struct db *db, const char *name)
{
    return DB_RUN(db, "DELETE FROM setting WHERE name = ?1", DB_TEXT(name));
}
