/*
 * client/inbox.c: receiving (see inbox.h).
 *
 * Happy path: header decoded and checked, not here before, row and sealed bytes inserted, letter opened and its
 * signer judged, state READY, Ack due.
 * Failures: a letter that fails a check is UNREADABLE, kept as it came, and told so in its Ack; one whose signer is
 * not believed yet is CONFIRM, acknowledged as stored, and judged again later; an unknown kind is UPDATE.
 * A HISTORY is a cover: what it brings gets a row of its own, unless it is here already, as if it had come by itself; the
 * cover has no case and no other side, and is shown to nobody once it holds.
 * Invariants: a message (organisation, id) has one row, whatever is delivered again [T6]; letter text is never
 * released before every check held.
 */
#include "client/inbox.h"

#include "client/casefile.h"
#include "client/handed.h"
#include "client/home.h"
#include "client/letters.h"
#include "client/pins.h"
#include "proto/check.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include "rules/codes.h"

#include <stdlib.h>
#include <string.h>

#define HISTORY BRUG__V1__KIND__KIND_HISTORY

/* ---- judging ---- */

struct judge {
    struct brug *b;
    const struct letters_row *row;
    struct digest signer;
};

static enum error judge_signer(void *ctx, X509 *signer)
{
    struct judge *j = ctx;
    const Brug__V1__Sender *from = j->row->decoded->from;
    struct id endpoint = client_field_id(from->endpoint);
    struct id person = client_field_id(from->person);
    j->signer = certificate_key_digest(signer);
    return pins_judge_signer(j->b, &j->row->organisation, &endpoint, &person, signer);
}

static enum error save_ready(struct brug *b, const struct judge *j, const struct letter *l)
{
    const Brug__V1__SeenMessage *seen = l->content->seen;
    return DB_RUN(b->db,
                  "UPDATE message SET state = ?2, code = 0, digest = ?3, signer = ?4, seen_id = ?5,"
                  " seen_digest = ?6 WHERE number = ?1",
                  DB_INT(j->row->number), DB_INT(STORE_READY), DB_DIGEST(&l->digest),
                  DB_DIGEST(&j->signer), seen ? DB_BLOB(check_slice(seen->message_id)) : DB_NULL,
                  seen ? DB_BLOB(check_slice(seen->letter_digest)) : DB_NULL);
}

/* Also tells the relay, if it was not told another thing before. */
static enum error save_state(struct brug *b, int64_t number, enum store_state state,
                             enum error code)
{
    return DB_RUN(b->db,
                  "UPDATE message SET state = ?2, code = ?3,"
                  " ack_code = CASE WHEN ack = 1 AND ?2 = 3 THEN ?3 ELSE ack_code END"
                  " WHERE number = ?1",
                  DB_INT(number), DB_INT(state), DB_INT(code));
}

static bool is_for_us(const struct brug *b, const struct letters_row *row)
{
    struct id to = client_field_id(row->decoded->to);
    return id_equal(&to, &b->self.organisation) ||
           id_equal(&row->organisation, &b->self.organisation);
}

/* A case runs between two organisations. With a third one's letter among its letters, however well signed, an answer
 * could go to the wrong side. Letters to colleagues are of any case. */
static enum error check_case(struct brug *b, const struct id *case_id, const struct id *other)
{
    struct db_cursor c;
    if (id_is_none(case_id) || id_equal(other, &b->self.organisation))
        return ERROR_NONE;
    enum error e = DB_SELECT(b->db, &c,
                             "SELECT 1 FROM message WHERE case_id = ?1 AND state IN (1, 18) AND"
                             " length(other) = 16 AND other NOT IN (?2, ?3) LIMIT 1",
                             DB_ID(case_id), DB_ID(other), DB_ID(&b->self.organisation));
    if (e != ERROR_NONE)
        return e;
    bool has_others = db_next(&c);
    e = db_done(&c);
    return e == ERROR_NONE && has_others ? ERROR_LETTER_HEADER : e;
}

/* ---- what a HISTORY brings ---- */

struct author_judge {
    struct brug *b;
    bool is_complete; /* the directory: who is not in it is gone */
    struct digest key;
};

/* As of a letter that came first-hand; of whom the directory does not show any more, by the giver's word. */
static enum error judge_author(void *ctx, const struct handed_step *step)
{
    struct author_judge *j = ctx;
    const Brug__V1__Sender *from = step->header->from;
    struct id organisation = client_field_id(from->organisation);
    struct id endpoint = client_field_id(from->endpoint);
    struct id person = client_field_id(from->person);
    j->key = certificate_key_digest(step->signer);
    enum error e = pins_judge_signer(j->b, &organisation, &endpoint, &person, step->signer);
    if (!step->cover->author || (e != ERROR_LETTER_SIGNER && e != ERROR_NOT_FOUND) ||
        (e == ERROR_NOT_FOUND && !j->is_complete))
        return e;
    return pins_judge_handed(j->b, &organisation, &endpoint, &person, step->signer,
                             step->cover->author, step->header->written_at_ms);
}

/* *number 0: it is not here. A letter that is here must be the same one. */
static enum error find_here(struct brug *b, const struct id *organisation,
                            const struct id *message_id, const struct digest *digest,
                            int64_t *number)
{
    struct db_cursor c;
    bool is_same = true;
    enum error e = DB_SELECT(b->db, &c,
                             "SELECT number, digest IS NULL OR digest = ?3 FROM message WHERE"
                             " organisation = ?1 AND message_id = ?2",
                             DB_ID(organisation), DB_ID(message_id), DB_DIGEST(digest));
    if (e != ERROR_NONE)
        return e;
    *number = 0;
    if (db_next(&c)) {
        *number = db_int(&c, 0);
        is_same = db_int(&c, 1) != 0;
    }
    e = db_done(&c);
    return e == ERROR_NONE && !is_same ? ERROR_LETTER_HEADER : e;
}

static enum error insert_brought(struct brug *b, int64_t cover, const struct handed *h,
                                 const struct digest *signer, const struct id *other)
{
    const Brug__V1__Header *header = h->decoded;
    const Brug__V1__SeenMessage *seen = h->letter->content->seen;
    struct id organisation = client_field_id(header->from->organisation);
    enum error e = DB_RUN(
        b->db,
        "INSERT INTO message(is_sent, organisation, message_id, state, kind, case_id, other, "
        "header,"
        " has_letter, digest, signer, seen_id, seen_digest, written_at_ms, stored_at_ms,"
        " received_at_ms, brought_by, was_opened)"
        " VALUES(0, ?1, ?2, 1, ?3, ?4, ?5, ?6, 1, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        DB_ID(&organisation), DB_BLOB(check_slice(header->message_id)), DB_INT(header->kind),
        DB_BLOB(check_slice(header->case_id)), DB_ID(other), DB_BLOB(buf_slice(&h->header)),
        DB_DIGEST(&h->letter->digest), DB_DIGEST(signer),
        seen ? DB_BLOB(check_slice(seen->message_id)) : DB_NULL,
        seen ? DB_BLOB(check_slice(seen->letter_digest)) : DB_NULL, DB_INT(header->written_at_ms),
        DB_INT(h->stored_at_ms), DB_INT(client_now_ms(b)), DB_INT(cover), DB_INT(h->was_opened));
    int64_t number = db_last_row(b->db);
    if (e == ERROR_NONE)
        e = casefile_want_of(b, number);
    if (e == ERROR_NONE)
        client_event(b, BRUG_EVENT_RECEIVED, 0, number, &organisation);
    return e;
}

static enum error take_brought(struct brug *b, int64_t cover, const struct handed *h,
                               const struct digest *signer)
{
    int64_t number = 0;
    struct id organisation = client_field_id(h->decoded->from->organisation);
    struct id message_id = client_field_id(h->decoded->message_id);
    struct id case_id = client_field_id(h->decoded->case_id);
    struct id other = id_equal(&organisation, &b->self.organisation)
                          ? client_field_id(h->decoded->to)
                          : organisation;
    enum error e = find_here(b, &organisation, &message_id, &h->letter->digest, &number);
    if (e != ERROR_NONE || number != 0)
        return e;
    e = check_case(b, &case_id, &other);
    return e == ERROR_NONE ? insert_brought(b, cover, h, signer, &other) : e;
}

static enum error judge_history(struct brug *b, const struct letters_row *row,
                                const struct letter *l, bool is_complete)
{
    struct author_judge j = {.b = b, .is_complete = is_complete};
    struct handed handed;
    enum error e =
        handed_open(row->decoded, l->content, &b->self.organisation, judge_author, &j, &handed);
    if (e != ERROR_NONE)
        return e;
    e = take_brought(b, row->number, &handed, &j.key);
    handed_fini(&handed);
    return e;
}

/* ---- the judgement of a letter ---- */

static enum error save_failure(struct brug *b, int64_t number, enum error e, bool is_complete)
{
    if (client_is_of_store(e))
        return e;
    switch (e) {
    case ERROR_NOT_FOUND:
        if (is_complete)
            return save_state(b, number, STORE_UNREADABLE, ERROR_LETTER_SIGNER);
        return save_state(b, number, STORE_CONFIRM, e);
    case ERROR_CONFIRM:
    case ERROR_TLS_CRL_STALE:
    case ERROR_CRYPTO:
        return save_state(b, number, STORE_CONFIRM, e);
    case ERROR_UPDATE_CLIENT: /* of what a HISTORY brings */
        return save_state(b, number, STORE_UPDATE, e);
    default:
        return save_state(
            b, number, STORE_UNREADABLE,
            error_is_on_wire((int)e) && e >= ERROR_LETTER_PROFILE ? e : ERROR_LETTER_SIGNER);
    }
}

static enum error judge_letter(struct brug *b, const struct letters_row *row, struct slice sealed,
                               bool is_complete)
{
    struct judge j = {.b = b, .row = row};
    struct letter *letter = NULL;
    enum error e = is_for_us(b, row) ? ERROR_NONE : ERROR_LETTER_NOT_FOR_ME;
    if (e == ERROR_NONE && sealed.len == 0)
        e = ERROR_LETTER_PROFILE;
    if (e == ERROR_NONE)
        e = letter_open(&b->keys, buf_slice(&row->header), sealed, judge_signer, &j, &letter);
    if (e == ERROR_NONE && row->decoded->kind == HISTORY)
        e = judge_history(b, row, letter, is_complete);
    else if (e == ERROR_NONE)
        e = check_case(b, &row->case_id, &row->other);
    if (e == ERROR_NONE)
        e = save_ready(b, &j, letter);
    else
        e = save_failure(b, row->number, e, is_complete);
    letter_free(letter);
    return e;
}

static enum error judge_number(struct brug *b, int64_t number, bool is_complete)
{
    struct letters_row row;
    struct buf sealed;
    buf_init(&sealed, CLIENT_SEALED_BYTES_MAX);
    enum error e = letters_load(b, number, &row);
    if (e != ERROR_NONE)
        return e;
    e = letters_load_sealed(b, number, &sealed);
    if (e == ERROR_NONE || e == ERROR_NOT_FOUND)
        e = judge_letter(b, &row, buf_slice(&sealed), is_complete);
    buf_fini(&sealed);
    letters_row_free(&row);
    return e;
}

/* The sender may stand in pages that are not here yet: all are fetched, then the letter is judged for good [P-114]. While some are
 * still to come, that round goes on, else it would begin again with each municipality and never end. */
static enum error want_sender(struct brug *b, int64_t number)
{
    return DB_RUN(b->db,
                  "UPDATE municipality SET wanted = 1 WHERE EXISTS(SELECT 1 FROM message WHERE"
                  " number = ?1 AND state = ?2 AND code = ?3)"
                  " AND NOT EXISTS(SELECT 1 FROM municipality WHERE wanted = 1)",
                  DB_INT(number), DB_INT(STORE_CONFIRM), DB_INT(ERROR_NOT_FOUND));
}

static enum error next_waiting(struct brug *b, int64_t after, int64_t *number)
{
    struct db_cursor c;
    enum error e = DB_SELECT(b->db, &c,
                             "SELECT number FROM message WHERE state = 2 AND number > ?1"
                             " ORDER BY number LIMIT 1",
                             DB_INT(after));
    if (e != ERROR_NONE)
        return e;
    *number = db_next(&c) ? db_int(&c, 0) : 0;
    return db_done(&c);
}

enum error inbox_judge_waiting(struct brug *b, bool is_complete)
{
    int64_t number = 0;
    for (;;) {
        enum error e = next_waiting(b, number, &number);
        if (e != ERROR_NONE || number == 0)
            return e;
        e = db_begin(b->db);
        if (e == ERROR_NONE) {
            e = judge_number(b, number, is_complete);
            e = db_end(b->db, e == ERROR_NONE ? want_sender(b, number) : e);
        }
        if (e != ERROR_NONE)
            return e;
    }
}

/* ---- delivery ---- */

/* A row that is there already: the Ack is due again, nothing else [T6]. */
static enum error find_repeat(struct brug *b, const struct id *organisation,
                              const struct id *message_id, int64_t *number)
{
    struct db_cursor c;
    enum error e = DB_SELECT(b->db, &c,
                             "SELECT number FROM message WHERE organisation = ?1 AND"
                             " message_id = ?2",
                             id_is_none(organisation) ? DB_BLOB(SLICE_NONE) : DB_ID(organisation),
                             DB_ID(message_id));
    if (e != ERROR_NONE)
        return e;
    *number = db_next(&c) ? db_int(&c, 0) : 0;
    return db_done(&c);
}

static enum error note_repeat(struct brug *b, int64_t number)
{
    enum error e =
        DB_RUN(b->db, "UPDATE message SET repeats = repeats + 1, ack = 1 WHERE number = ?1",
               DB_INT(number));
    if (e == ERROR_NONE)
        client_event(b, BRUG_EVENT_REPEATED, 0, number, NULL);
    return e;
}

struct incoming {
    const Brug__V1__Deliver *deliver;
    const Brug__V1__Header *header;
    enum error header_error;
    struct id organisation, message_id, case_id, other;
    bool is_relay_made, is_known_kind, is_history;
    bool is_from_file; /* the relay is told nothing of it */
};

static enum error read_ids(const struct brug *b, struct incoming *in)
{
    const Brug__V1__Header *h = in->header;
    if (check_id(h->message_id, &in->message_id) != ERROR_NONE)
        return ERROR_FRAME_MALFORMED;
    in->organisation = h->from ? client_field_id(h->from->organisation) : ID_NONE;
    in->is_relay_made = id_is_none(&in->organisation);
    in->case_id = client_field_id(h->case_id);
    struct id to = client_field_id(h->to);
    in->other = id_equal(&in->organisation, &b->self.organisation) ? to : in->organisation;
    in->is_known_kind = codes_find(CODE_LIST_KIND, (int)h->kind) != NULL;
    in->is_history = h->kind == HISTORY;
    if (in->is_history) /* a cover: what it brings has them */
        in->case_id = in->other = ID_NONE;
    return ERROR_NONE;
}

static enum error insert_row(struct brug *b, const struct incoming *in, enum store_state state,
                             enum error code)
{
    const Brug__V1__Envelope *envelope = in->deliver->envelope;
    enum error e = DB_RUN(
        b->db,
        "INSERT INTO message(is_sent, organisation, message_id, state, code, kind, case_id, other,"
        " header, has_letter, written_at_ms, stored_at_ms, received_at_ms, ack, ack_code)"
        " VALUES(0, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?14, ?13)",
        in->is_relay_made ? DB_BLOB(SLICE_NONE) : DB_ID(&in->organisation), DB_ID(&in->message_id),
        DB_INT(state), DB_INT(code), DB_INT(in->header->kind),
        id_is_none(&in->case_id) ? DB_BLOB(SLICE_NONE) : DB_ID(&in->case_id),
        id_is_none(&in->other) ? DB_BLOB(SLICE_NONE) : DB_ID(&in->other),
        DB_BLOB(check_slice(envelope->header)), DB_INT(envelope->sealed.len > 0),
        DB_INT(in->header->written_at_ms), DB_INT(in->deliver->stored_at_ms),
        DB_INT(client_now_ms(b)), DB_INT(state == STORE_UNREADABLE ? code : ERROR_NONE),
        DB_INT(in->is_from_file ? STORE_ACK_NONE : STORE_ACK_DUE));
    int64_t number = db_last_row(b->db);
    if (e == ERROR_NONE && envelope->sealed.len > 0)
        e = DB_RUN(b->db, "INSERT INTO sealed(number, bytes) VALUES(?1, ?2)", DB_INT(number),
                   DB_BLOB(check_slice(envelope->sealed)));
    if (e == ERROR_NONE && state == STORE_CONFIRM)
        e = judge_number(b, number, false);
    if (e == ERROR_NONE)
        e = want_sender(b, number);
    if (e == ERROR_NONE && state != STORE_UNREADABLE)
        e = casefile_want_of(b, number);
    bool is_shown = !in->is_history &&
                    in->header->kind != BRUG__V1__KIND__KIND_FAMILY_KEY; /* nobody's to read */
    if (e == ERROR_NONE && is_shown)
        client_event(b, BRUG_EVENT_RECEIVED, code, number, &in->organisation);
    return e;
}

static enum error insert_new(struct brug *b, const struct incoming *in)
{
    if (in->header_error == ERROR_UPDATE_SENDER)
        return insert_row(b, in, STORE_UPDATE, ERROR_UPDATE_CLIENT);
    if (in->header_error != ERROR_NONE)
        return insert_row(b, in, STORE_UNREADABLE, ERROR_LETTER_HEADER);
    if (in->is_relay_made)
        return insert_row(b, in, STORE_RELAY, ERROR_NONE);
    if (!in->is_known_kind)
        return insert_row(b, in, STORE_UPDATE, ERROR_UPDATE_CLIENT);
    return insert_row(b, in, STORE_CONFIRM, ERROR_NOT_FOUND);
}

enum error inbox_deliver(struct brug *b, const Brug__V1__Deliver *d)
{
    struct incoming in = {.deliver = d};
    ProtobufCMessage *m = NULL;
    const char *field = NULL;
    int64_t number = 0;
    struct slice header = check_slice(d->envelope->header);
    struct arena *a = arena_new();
    if (!a)
        return ERROR_NO_MEMORY;
    arena_reset(a, frame_budget(header.len));
    enum error e = frame_decode(a, &brug__v1__header__descriptor, header, &m);
    if (e == ERROR_NONE) {
        in.header = (const Brug__V1__Header *)m;
        in.header_error = check_received_header(in.header, &field);
        e = read_ids(b, &in);
    } else if (e != ERROR_NO_MEMORY) {
        e = ERROR_FRAME_MALFORMED;
    }
    if (e == ERROR_NONE)
        e = find_repeat(b, &in.organisation, &in.message_id, &number);
    if (e == ERROR_NONE)
        e = number != 0 ? note_repeat(b, number) : insert_new(b, &in);
    arena_free(a);
    return e;
}

/* ---- a file ---- */

static enum error find_outcome(struct brug *b, int64_t number, enum inbox_outcome *out)
{
    struct db_cursor c;
    enum error e = DB_SELECT(b->db, &c,
                             "SELECT state, EXISTS(SELECT 1 FROM message b WHERE"
                             " b.brought_by = ?1) FROM message WHERE number = ?1",
                             DB_INT(number));
    if (e != ERROR_NONE)
        return e;
    bool is_there = db_next(&c);
    int64_t state = is_there ? db_int(&c, 0) : STORE_UNREADABLE;
    bool has_brought = is_there && db_int(&c, 1) != 0;
    *out = state == STORE_CONFIRM ? INBOX_WAITS
           : state != STORE_READY ? INBOX_REFUSED
           : has_brought          ? INBOX_TAKEN
                                  : INBOX_KNOWN;
    return db_done(&c);
}

static enum error take_recovered(struct brug *b, struct incoming *in, enum inbox_outcome *out)
{
    int64_t number = 0;
    enum error e = read_ids(b, in);
    if (e == ERROR_NONE)
        e = find_repeat(b, &in->organisation, &in->message_id, &number);
    if (e != ERROR_NONE)
        return e;
    *out = INBOX_KNOWN;
    if (number != 0)
        return ERROR_NONE;
    struct client_events mark = client_events_mark(b);
    e = db_begin(b->db);
    if (e != ERROR_NONE)
        return e;
    e = insert_row(b, in, STORE_CONFIRM, ERROR_NOT_FOUND);
    if (e == ERROR_NONE)
        e = find_repeat(b, &in->organisation, &in->message_id, &number);
    if (e == ERROR_NONE)
        e = find_outcome(b, number, out);
    if (e == ERROR_NONE && *out != INBOX_REFUSED)
        return db_commit(b->db);
    db_rollback(b->db);
    client_events_drop_since(b, mark);
    return e;
}

enum error inbox_recover(struct brug *b, const Brug__V1__Envelope *envelope,
                         enum inbox_outcome *out)
{
    Brug__V1__Deliver deliver = BRUG__V1__DELIVER__INIT;
    struct incoming in = {.deliver = &deliver, .is_from_file = true};
    ProtobufCMessage *m = NULL;
    const char *field = NULL;
    struct arena *a = NULL;
    deliver.envelope = (Brug__V1__Envelope *)(uintptr_t)envelope; /* it is only read */
    enum error e =
        home_decode(&brug__v1__header__descriptor, check_slice(envelope->header), &a, &m);
    in.header = (const Brug__V1__Header *)m;
    *out = INBOX_REFUSED;
    if (e == ERROR_NONE && envelope->sealed.len > 0 &&
        check_handed_header(in.header, &field) == ERROR_NONE && check_is_recovered(in.header))
        e = take_recovered(b, &in, out);
    arena_free(a);
    return e == ERROR_USAGE ? ERROR_NONE : e;
}

enum error inbox_acked(struct brug *b, int64_t number)
{
    return DB_RUN(b->db, "UPDATE message SET ack = 2 WHERE number = ?1", DB_INT(number));
}
