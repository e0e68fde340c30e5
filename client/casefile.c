/* client/casefile.c: the table of cases (see casefile.h). */
#include "client/casefile.h"

#include "client/home.h"
#include "proto/check.h"
#include "proto/frame.h"
#include "rules/case_row.h"

#define CASEFILE_BYTES_MAX (64u << 10)

void casefile_free(struct casefile *f)
{
    arena_free(f->arena);
    *f = (struct casefile){.arena = NULL};
}

static enum error read_facts(struct slice facts, struct casefile *f)
{
    ProtobufCMessage *m = NULL;
    enum error e = home_decode(&brug__v1__case__descriptor, facts, &f->arena, &m);
    if (e != ERROR_NONE)
        return e == ERROR_USAGE ? ERROR_CORRUPT : e;
    f->row = (const Brug__V1__Case *)m;
    return case_row_read(f->row, &f->c);
}

enum error casefile_load(struct brug *b, const struct id *case_id, struct casefile *out)
{
    struct db_cursor c;
    struct casefile f = {.arena = NULL};
    enum error e = DB_SELECT(b->db, &c,
                             "SELECT facts, told_at_ms, included FROM casefile WHERE case_id = ?1"
                             " AND length(facts) > 0",
                             DB_ID(case_id));
    if (e != ERROR_NONE)
        return e;
    enum error read = ERROR_NOT_FOUND;
    if (db_next(&c)) {
        f.told_at_ms = db_int(&c, 1);
        f.included = db_int(&c, 2);
        read = read_facts(db_blob(&c, 0), &f);
    }
    e = db_done(&c);
    e = e == ERROR_NONE ? read : e;
    if (e == ERROR_NONE)
        *out = f;
    else
        casefile_free(&f);
    return e;
}

/* ---- what is to be asked ---- */

enum error casefile_want(struct brug *b, const struct id *case_id)
{
    return DB_RUN(b->db,
                  "INSERT INTO casefile(case_id, facts, ended, told_at_ms, included, wanted, round)"
                  " VALUES(?1, x'', 0, 0, 0, 1, 0)"
                  " ON CONFLICT(case_id) DO UPDATE SET wanted = wanted + 1",
                  DB_ID(case_id));
}

enum error casefile_want_of(struct brug *b, int64_t number)
{
    return DB_RUN(b->db,
                  "INSERT INTO casefile(case_id, facts, ended, told_at_ms, included, wanted, round)"
                  " SELECT case_id, x'', 0, 0, 0, 1, 0 FROM message WHERE number = ?1 AND"
                  " length(case_id) = 16 ON CONFLICT(case_id) DO UPDATE SET wanted = wanted + 1",
                  DB_INT(number));
}

enum error casefile_want_all(struct brug *b, bool with_ended)
{
    return store_put_int(b->db, "cases_wanted", with_ended ? 2 : 1);
}

enum error casefile_is_wanted(struct brug *b, bool *wanted)
{
    struct db_cursor c;
    int64_t list = 0;
    enum error e = store_get_int(b->db, "cases_wanted", 0, &list);
    if (e == ERROR_NONE)
        e = db_select(b->db, &c, "SELECT 1 FROM casefile WHERE wanted > 0 LIMIT 1", NULL, 0);
    if (e != ERROR_NONE)
        return e;
    bool found = db_next(&c);
    e = db_done(&c);
    if (e == ERROR_NONE)
        *wanted = found || list != 0;
    return e;
}

/* ---- answers ---- */

static bool is_ours(const struct brug *b, const Brug__V1__Case *row)
{
    struct id practice = client_field_id(row->practice);
    struct id team = client_field_id(row->team);
    return id_equal(&practice, &b->self.organisation) || id_equal(&team, &b->self.organisation);
}

/* Answers about one case come in order [P-23]: what has its receipt is in this one, and nothing else of ours. */
static enum error find_included(struct brug *b, const struct id *case_id, int64_t *number)
{
    struct db_cursor c;
    enum error e = DB_SELECT(b->db, &c,
                             "SELECT max(number) FROM message WHERE case_id = ?1 AND is_sent = 1"
                             " AND state = 18",
                             DB_ID(case_id));
    if (e != ERROR_NONE)
        return e;
    *number = db_next(&c) && !db_is_null(&c, 0) ? db_int(&c, 0) : 0;
    return db_done(&c);
}

static enum error put_facts(struct brug *b, const Brug__V1__Case *row, const struct case_file *c,
                            int64_t asked, int64_t round)
{
    struct buf facts;
    int64_t included = 0;
    buf_init(&facts, CASEFILE_BYTES_MAX);
    enum error e = frame_append_bare(&facts, &row->base);
    if (e == ERROR_NONE)
        e = find_included(b, &c->id, &included);
    if (e == ERROR_NONE)
        e = DB_RUN(b->db,
                   "INSERT INTO casefile(case_id, facts, ended, told_at_ms, included, wanted,"
                   " round) VALUES(?1, ?2, ?3, ?4, ?5, 0, ?7) ON CONFLICT(case_id) DO UPDATE SET"
                   " facts = ?2, ended = ?3, told_at_ms = ?4, included = ?5, round = ?7,"
                   " wanted = CASE WHEN wanted = ?6 THEN 0 ELSE wanted END",
                   DB_ID(&c->id), DB_BLOB(buf_slice(&facts)), DB_INT(c->ended_at_ms != 0),
                   DB_INT(client_now_ms(b)), DB_INT(included), DB_INT(asked), DB_INT(round));
    buf_fini(&facts);
    return e;
}

enum error casefile_keep(struct brug *b, const Brug__V1__Case *row, int64_t asked, int64_t round)
{
    struct case_file c;
    if (!is_ours(b, row) || case_row_read(row, &c) != ERROR_NONE)
        return ERROR_FRAME_MALFORMED;
    return put_facts(b, row, &c, asked, round);
}

enum error casefile_unwant(struct brug *b, const struct id *case_id)
{
    return DB_RUN(b->db, "UPDATE casefile SET wanted = 0 WHERE case_id = ?1", DB_ID(case_id));
}

enum error casefile_forget(struct brug *b, const struct id *case_id)
{
    return DB_RUN(b->db, "DELETE FROM casefile WHERE case_id = ?1", DB_ID(case_id));
}
