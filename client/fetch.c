/*
 * client/fetch.c: fetching the directory, page by page, and what follows from it.
 *
 * Happy path: Welcome or DirectoryMoved shows a higher epoch than the last complete fetch; pages with revocation
 * lists are stored as they come; after the last page what vanished is removed, colleagues' countersignatures count,
 * letters that waited are judged or sealed. A refusal DIRECTORY_CHANGED of a letter fetches only its organisations.
 * Failures: a page of an older epoch than was ever seen is not taken (the relay would hide a change), and nothing
 * more is fetched in this session. A lost session begins the fetch anew.
 */
#include "client/session_inside.h"

#include "client/home.h"
#include "client/inbox.h"
#include "client/keep.h"
#include "client/outbox.h"
#include "client/pins.h"
#include "proto/check.h"
#include "proto/frame.h"
#include "rules/roles.h"

#include <string.h>

/* ---- what is wanted ---- */

enum error fetch_is_wanted(struct brug *b, bool *wanted)
{
    struct db_cursor c;
    enum error e = db_select(b->db, &c,
                             "SELECT 1 FROM municipality WHERE wanted = 1 UNION ALL"
                             " SELECT 1 FROM organisation WHERE wanted = 1 LIMIT 1",
                             NULL, 0);
    if (e != ERROR_NONE)
        return e;
    bool found = db_next(&c);
    e = db_done(&c);
    if (e == ERROR_NONE)
        *wanted = found;
    return e;
}

static enum error note_epoch(struct session *s, const Brug__V1__Epoch *epoch)
{
    struct db *db = s->b->db;
    s->fetch.is_overtaken = s->fetch.is_overtaken || epoch->epoch > s->fetch.epoch;
    enum error e = DB_RUN(db, "INSERT OR IGNORE INTO municipality(municipality) VALUES(?1)",
                          DB_BLOB(check_slice(epoch->municipality)));
    if (e == ERROR_NONE)
        e = DB_RUN(db,
                   "UPDATE municipality SET wanted = 1 WHERE municipality = ?1 AND"
                   " (epoch < ?2 OR fetched_at_ms = 0)",
                   DB_BLOB(check_slice(epoch->municipality)), DB_INT(epoch->epoch));
    return e;
}

enum error fetch_on_welcome(struct session *s, const Brug__V1__Welcome *w)
{
    enum error e = ERROR_NONE;
    s->fetch.is_blocked = roles_may(w->role, OPERATION_GET_DIRECTORY) == SCOPE_NONE;
    for (size_t i = 0; e == ERROR_NONE && i < w->n_epochs; i++)
        e = note_epoch(s, w->epochs[i]);
    return e;
}

enum error fetch_on_moved(struct session *s, const Brug__V1__Epoch *epoch)
{
    return note_epoch(s, epoch);
}

static enum error remove_unlisted(struct db *db)
{
    return db_run(db,
                  "DELETE FROM organisation WHERE organisation NOT IN"
                  " (SELECT organisation FROM listing)",
                  NULL, 0);
}

/* ---- asking ---- */

static enum error ask_page(struct session *s)
{
    Brug__V1__ClientFrame f = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__GetDirectory get = BRUG__V1__GET_DIRECTORY__INIT;
    ProtobufCBinaryData asked[sizeof s->fetch.asked / sizeof s->fetch.asked[0]];
    for (size_t i = 0; i < s->fetch.asked_count; i++)
        asked[i] = client_id_field(&s->fetch.asked[i]);
    get.municipality = client_id_field(&s->fetch.municipality);
    get.organisations = asked;
    get.n_organisations = s->fetch.asked_count;
    get.after = client_id_field(&s->fetch.after);
    get.with_crls = id_is_none(&s->fetch.after);
    f.frame_case = BRUG__V1__CLIENT_FRAME__FRAME_GET_DIRECTORY;
    f.get_directory = &get;
    return session_ask(s, &f, REQUEST_DIRECTORY, 0, NULL);
}

static enum error choose_municipality(struct session *s, bool *found)
{
    struct db_cursor c;
    enum error e = db_select(s->b->db, &c,
                             "SELECT municipality, round FROM municipality WHERE wanted = 1"
                             " ORDER BY municipality LIMIT 1",
                             NULL, 0);
    if (e != ERROR_NONE)
        return e;
    *found = db_next(&c);
    if (*found) {
        s->fetch.municipality = db_id(&c, 0);
        s->fetch.round = db_int(&c, 1) + 1;
        s->fetch.is_partial = false;
        s->fetch.asked_count = 0;
    }
    return db_done(&c);
}

static enum error choose_organisations(struct session *s, bool *found)
{
    struct db_cursor c;
    struct fetch *f = &s->fetch;
    enum error e = db_select(s->b->db, &c,
                             "SELECT l.municipality, l.round, o.organisation FROM organisation o"
                             " JOIN listing l ON l.organisation = o.organisation"
                             " WHERE o.wanted = 1 ORDER BY l.municipality, o.organisation",
                             NULL, 0);
    if (e != ERROR_NONE)
        return e;
    f->asked_count = 0;
    while (f->asked_count < sizeof f->asked / sizeof f->asked[0] && db_next(&c)) {
        struct id municipality = db_id(&c, 0);
        if (f->asked_count == 0) {
            f->municipality = municipality;
            f->round = db_int(&c, 1);
        }
        if (id_equal(&municipality, &f->municipality))
            f->asked[f->asked_count++] = db_id(&c, 2);
    }
    *found = f->asked_count > 0;
    f->is_partial = true;
    return db_done(&c);
}

enum error fetch_pump(struct session *s)
{
    struct fetch *f = &s->fetch;
    bool found = false;
    if (f->is_active || f->is_blocked || !session_may_ask(s, REQUEST_DIRECTORY))
        return ERROR_NONE;
    enum error e = choose_municipality(s, &found);
    if (e == ERROR_NONE && !found)
        e = choose_organisations(s, &found);
    if (e != ERROR_NONE || !found)
        return e;
    f->after = ID_NONE;
    f->epoch = 0;
    f->has_new_crls = f->is_overtaken = false;
    e = ask_page(s);
    f->is_active = e == ERROR_NONE;
    return e;
}

/* ---- after a municipality ---- */

static enum error settle_one(struct brug *b, const struct id *organisation)
{
    struct belief *belief = NULL;
    enum error e = pins_judge(b, organisation, &belief);
    if (e == ERROR_NOT_FOUND)
        return ERROR_NONE;
    if (e != ERROR_NONE)
        return e;
    e = pins_settle(b, belief);
    if (e == ERROR_NONE && belief->state != BRUG_TRUST_BELIEVED)
        client_event(b, BRUG_EVENT_TRUST, (int)belief->error, 0, organisation);
    belief_free(belief);
    return e;
}

static enum error settle_known(struct brug *b)
{
    struct db_cursor c;
    struct id organisation = ID_NONE;
    for (;;) {
        enum error e = DB_SELECT(b->db, &c,
                                 "SELECT organisation FROM known WHERE organisation > ?1"
                                 " ORDER BY organisation LIMIT 1",
                                 DB_ID(&organisation));
        if (e != ERROR_NONE)
            return e;
        bool found = db_next(&c);
        if (found)
            organisation = db_id(&c, 0);
        e = db_done(&c);
        if (e == ERROR_NONE && found)
            e = settle_one(b, &organisation);
        if (e != ERROR_NONE || !found)
            return e;
    }
}

/* The directory is here as far as this municipality goes: what waited for it is judged, or sealed, by what it is now. */
static enum error judge_again(struct session *s)
{
    bool more = true;
    s->fetch.is_active = false;
    s->is_dirty = true;
    familykey_mark(s);
    enum error e = remove_unlisted(s->b->db);
    if (e == ERROR_NONE)
        e = fetch_is_wanted(s->b, &more);
    if (e == ERROR_NONE && s->fetch.has_new_crls)
        e = home_load_trust(s->b);
    if (e == ERROR_NONE)
        e = settle_known(s->b);
    if (e == ERROR_NONE)
        e = inbox_judge_waiting(s->b, !s->fetch.is_partial && !more);
    return e == ERROR_NONE ? outbox_retry_waiting(s->b) : e;
}

static void block(struct session *s)
{
    familykey_mark(s);
    s->fetch.is_active = false;
    s->fetch.is_blocked = true;
}

/* The organisation does not work in that municipality any more: what it listed is nobody's to address. The highest epoch
 * stays, else the relay could forget it for us. */
static enum error forget_municipality(struct session *s)
{
    struct db *db = s->b->db;
    enum error e = DB_RUN(db, "DELETE FROM municipality WHERE municipality = ?1 AND highest = 0",
                          DB_ID(&s->fetch.municipality));
    if (e == ERROR_NONE)
        e = DB_RUN(db,
                   "UPDATE municipality SET epoch = 0, wanted = 0, fetched_at_ms = 0"
                   " WHERE municipality = ?1",
                   DB_ID(&s->fetch.municipality));
    if (e == ERROR_NONE)
        e = DB_RUN(db, "DELETE FROM listing WHERE municipality = ?1",
                   DB_ID(&s->fetch.municipality));
    return e;
}

enum error fetch_on_refused(struct session *s, enum error code)
{
    if (code != ERROR_NO_SUCH_OBJECT || !s->fetch.is_active) {
        block(s);
        return ERROR_NONE;
    }
    enum error e = forget_municipality(s);
    return e == ERROR_NONE ? judge_again(s) : e;
}

/* ---- storing ---- */

static enum error store_crls(struct session *s, const Brug__V1__Directory *d)
{
    enum error e = s->is_trust_ahead ? home_load_trust(s->b) : ERROR_NONE;
    if (e == ERROR_NONE)
        s->is_trust_ahead = false;
    for (size_t i = 0; e == ERROR_NONE && i < d->n_crls; i++) {
        bool is_new = false;
        e = keep_crl(s->b, check_slice(d->crls[i]), &is_new);
        s->fetch.has_new_crls = s->fetch.has_new_crls || is_new;
    }
    return e;
}

/* ---- after the last page ---- */

static enum error remove_vanished(struct session *s)
{
    struct db *db = s->b->db;
    enum error e = ERROR_NONE;
    if (s->fetch.is_partial)
        /* those still wanted were asked for and did not come */
        e = DB_RUN(db,
                   "DELETE FROM listing WHERE municipality = ?1 AND organisation IN"
                   " (SELECT organisation FROM organisation WHERE wanted = 1)",
                   DB_ID(&s->fetch.municipality));
    else
        e = DB_RUN(db, "DELETE FROM listing WHERE municipality = ?1 AND round <> ?2",
                   DB_ID(&s->fetch.municipality), DB_INT(s->fetch.round));
    if (e == ERROR_NONE && !s->fetch.is_partial)
        e = DB_RUN(db,
                   "UPDATE municipality SET epoch = ?2, highest = max(highest, ?2), wanted = ?5,"
                   " round = ?3, fetched_at_ms = ?4 WHERE municipality = ?1",
                   DB_ID(&s->fetch.municipality), DB_INT(s->fetch.epoch), DB_INT(s->fetch.round),
                   DB_INT(client_now_ms(s->b)), DB_INT(s->fetch.is_overtaken));
    return e;
}

static enum error finish(struct session *s)
{
    enum error e = remove_vanished(s);
    return e == ERROR_NONE ? judge_again(s) : e;
}

static enum error highest_epoch(struct session *s, int64_t *out)
{
    struct db_cursor c;
    enum error e =
        DB_SELECT(s->b->db, &c, "SELECT highest FROM municipality WHERE municipality = ?1",
                  DB_ID(&s->fetch.municipality));
    if (e != ERROR_NONE)
        return e;
    *out = db_next(&c) ? db_int(&c, 0) : 0;
    return db_done(&c);
}

enum error fetch_on_page(struct session *s, const Brug__V1__Directory *d)
{
    struct fetch *f = &s->fetch;
    int64_t highest = 0;
    if (!f->is_active ||
        !slice_equal(check_slice(d->epoch->municipality), id_slice(&f->municipality)))
        return ERROR_FRAME_MALFORMED;
    enum error e = highest_epoch(s, &highest);
    if (e == ERROR_NONE && (int64_t)d->epoch->epoch < highest) {
        block(s);
        client_event(s->b, BRUG_EVENT_TRUST, ERROR_NOT_BELIEVED, 0, NULL);
        return ERROR_NONE;
    }
    if (id_is_none(&f->after))
        f->epoch = d->epoch->epoch;
    if (e == ERROR_NONE)
        e = store_crls(s, d);
    for (size_t i = 0; e == ERROR_NONE && i < d->n_organisations; i++)
        e = keep_organisation(s->b, &f->municipality, f->round, d->organisations[i]);
    if (e != ERROR_NONE)
        return e;
    struct id next = client_field_id(d->next);
    if (id_is_none(&next))
        return finish(s);
    if (!id_is_none(&f->after) && id_compare(&next, &f->after) <= 0)
        return ERROR_FRAME_MALFORMED;
    f->after = next;
    return ask_page(s);
}
