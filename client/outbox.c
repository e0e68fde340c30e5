/*
 * client/outbox.c: sealing and the life of a letter of ours (diagram in outbox.h).
 *
 * Happy path: the writer (draft.c) left a DRAFT; outbox_next opens it with the own key, takes the readers from the
 * believed directory, writes the header anew, seals to all of them, stores the bytes, and gives the number to the session.
 * Failures: nobody to trust yet, or nothing in the directory: the letter waits (retry_at_ms NEVER) until
 * outbox_retry_waiting; a passing refusal: it waits by the clock, doubling from 2 s to 10 minutes.
 * A HISTORY is not drafted: what it hands on is opened and sealed for its taker when it goes (history.c).
 * Invariants: a letter that was ever submitted changes its bytes only together with its id; it never has readers
 * whose entries were not all believed at the moment of sealing [T31].
 */
#include "client/outbox.h"

#include "client/casefile.h"
#include "client/history.h"
#include "client/letters.h"
#include "client/pins.h"
#include "proto/check.h"
#include "proto/frame.h"
#include "proto/limits.h"

#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#define OUTBOX_BACKOFF_MS_MIN 2000
#define OUTBOX_BACKOFF_MS_MAX (10 * 60 * 1000)
#define OUTBOX_WAIT_MS_MAX (3600ll * 1000) /* whatever the relay or a clock of before says */
#define OUTBOX_KEEP_MS (30ll * 24 * 3600 * 1000)
#define OUTBOX_RECIPIENTS_MAX (LIMIT_READERS + LIMIT_COPIES)

/* ---- who reads ---- */

struct readers {
    struct id readers[LIMIT_READERS];
    size_t reader_count;
    struct id copies[LIMIT_COPIES];
    size_t copy_count;
    X509 *certificates[OUTBOX_RECIPIENTS_MAX];
    size_t certificate_count;
    ProtobufCBinaryData reader_fields[LIMIT_READERS];
    ProtobufCBinaryData copy_fields[LIMIT_COPIES];
};

static void free_readers(struct readers *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->certificate_count; i++)
        X509_free(r->certificates[i]);
    free(r);
}

static enum error add_reader(struct readers *r, const struct belief_entry *entry)
{
    if (entry->is_recovery ? r->copy_count == LIMIT_COPIES : r->reader_count == LIMIT_READERS)
        return ERROR_TOO_MANY_READERS;
    enum error e = certificate_from_der(&r->certificates[r->certificate_count],
                                        check_slice(entry->entry->sealing_certificate));
    if (e != ERROR_NONE)
        return e;
    r->certificate_count++;
    if (entry->is_recovery)
        r->copies[r->copy_count++] = entry->endpoint;
    else
        r->readers[r->reader_count++] = entry->endpoint;
    return ERROR_NONE;
}

static enum error add_organisation(const struct brug *b, struct readers *r,
                                   const struct belief *belief)
{
    enum error e = pins_may_seal(belief);
    for (size_t i = 0; e == ERROR_NONE && i < belief->entry_count; i++)
        if (!id_equal(&belief->entries[i].endpoint, &b->self.endpoint))
            e = add_reader(r, &belief->entries[i]);
    return e;
}

/* The relay must list this endpoint as it is; else others would seal to another key in its place. */
static enum error check_self(const struct brug *b, const struct belief *own)
{
    const struct belief_entry *self = belief_find(own, &b->self.endpoint);
    return self && digest_equal(&self->digest, &b->self.binding_digest) ? ERROR_NONE
                                                                        : ERROR_NOT_BELIEVED;
}

static int compare_ids(const void *a, const void *b) { return id_compare(a, b); }

static void sort_readers(struct readers *r)
{
    qsort(r->readers, r->reader_count, sizeof r->readers[0], compare_ids);
    qsort(r->copies, r->copy_count, sizeof r->copies[0], compare_ids);
    for (size_t i = 0; i < r->reader_count; i++)
        r->reader_fields[i] = client_id_field(&r->readers[i]);
    for (size_t i = 0; i < r->copy_count; i++)
        r->copy_fields[i] = client_id_field(&r->copies[i]);
}

struct sealing {
    struct brug *b;
    const struct letters_row *row;
    struct belief *own, *to;
    struct readers *readers;
    struct letter *draft;
    struct id message_id, in_reply_to;
    struct buf header, sealed;
    struct digest digest;
};

static bool is_history(const struct sealing *s)
{
    return s->row->decoded->kind == BRUG__V1__KIND__KIND_HISTORY;
}

/* Only the taker's endpoints, and the recovery entries, need to be believed. */
static enum error add_taker(struct sealing *s)
{
    const struct belief *own = s->own;
    struct history_taker taker;
    enum error e = history_find_taker(s->b, own, s->row->number, &taker);
    for (size_t i = 0; e == ERROR_NONE && i < own->entry_count; i++) {
        const struct belief_entry *entry = &own->entries[i];
        if (!entry->is_recovery && !history_is_taker(s->b, &taker, entry))
            continue;
        e = entry->state == BRUG_TRUST_BELIEVED ? add_reader(s->readers, entry) : ERROR_CONFIRM;
    }
    return e == ERROR_NONE && s->readers->reader_count == 0 ? ERROR_NO_READER : e;
}

static enum error find_readers(struct sealing *s)
{
    struct id to = client_field_id(s->row->decoded->to);
    bool is_own = id_equal(&to, &s->b->self.organisation);
    s->readers = calloc(1, sizeof *s->readers);
    if (!s->readers)
        return ERROR_NO_MEMORY;
    enum error e = pins_judge(s->b, &s->b->self.organisation, &s->own);
    if (e == ERROR_NONE && !is_own)
        e = pins_judge(s->b, &to, &s->to);
    if (e == ERROR_NONE)
        e = check_self(s->b, s->own);
    if (e == ERROR_NONE)
        e = is_history(s) ? add_taker(s) : add_organisation(s->b, s->readers, s->own);
    if (e == ERROR_NONE && s->to)
        e = add_organisation(s->b, s->readers, s->to);
    if (e == ERROR_NONE)
        sort_readers(s->readers);
    return e;
}

/* ---- what is told: of a person's letters, not of the program's own ---- */

static void tell(struct brug *b, enum brug_event_type type, enum error code, int64_t number,
                 int kind)
{
    if (kind != BRUG_KIND_FAMILY_KEY)
        client_event(b, type, (int)code, number, NULL);
}

/* ---- drafts ---- */

enum error outbox_insert(struct brug *b, const struct outbox_draft *d, int64_t *number)
{
    struct db *db = b->db;
    struct digest signer = certificate_key_digest(b->keys.identity_certificate);
    const Brug__V1__Header *h = d->header;
    bool is_cover = h->kind == BRUG__V1__KIND__KIND_HISTORY;
    enum error e = db_begin(db);
    if (e != ERROR_NONE)
        return e;
    e = DB_RUN(db,
               "INSERT INTO message(is_sent, organisation, message_id, state, code, kind, case_id,"
               " other, header, has_letter, signer, written_at_ms, received_at_ms)"
               " VALUES(1, ?1, ?2, 16, ?3, ?4, ?5, ?6, ?7, 1, ?8, ?9, ?9)",
               DB_ID(&b->self.organisation), DB_BLOB(check_slice(h->message_id)), DB_INT(d->code),
               DB_INT(h->kind), DB_BLOB(is_cover ? SLICE_NONE : check_slice(h->case_id)),
               DB_BLOB(is_cover ? SLICE_NONE : check_slice(h->to)), DB_BLOB(d->header_bytes),
               DB_DIGEST(&signer), DB_INT(h->written_at_ms));
    *number = db_last_row(db);
    if (e == ERROR_NONE && !is_cover)
        e = DB_RUN(db, "INSERT INTO sealed(number, bytes) VALUES(?1, ?2)", DB_INT(*number),
                   DB_BLOB(d->sealed));
    return db_end(db, e);
}

/* ---- sealing ---- */

static enum error choose_id(struct sealing *s, bool needs_new)
{
    uint8_t random[10];
    int64_t now_ms = 0;
    s->message_id = s->row->message_id;
    if (!needs_new)
        return ERROR_NONE;
    enum error e = client_random(random, sizeof random);
    if (e == ERROR_NONE)
        e = client_relay_now_ms(s->b, &now_ms);
    if (e == ERROR_NONE)
        s->message_id = id_v7(now_ms, random);
    return e;
}

static enum error find_epoch(struct brug *b, const struct id *municipality, uint64_t *out)
{
    struct db_cursor c;
    enum error e = DB_SELECT(b->db, &c, "SELECT epoch FROM municipality WHERE municipality = ?1",
                             DB_ID(municipality));
    if (e != ERROR_NONE)
        return e;
    *out = db_next(&c) ? (uint64_t)db_int(&c, 0) : 0;
    return db_done(&c);
}

/* A letter of ours that this one answers may have got another id when it was sealed again. */
static enum error find_reply(struct sealing *s)
{
    struct db_cursor c;
    s->in_reply_to = client_field_id(s->row->decoded->in_reply_to);
    if (id_is_none(&s->in_reply_to))
        return ERROR_NONE;
    enum error e = DB_SELECT(s->b->db, &c,
                             "SELECT m.message_id FROM former f JOIN message m ON"
                             " m.number = f.number WHERE f.message_id = ?1",
                             DB_ID(&s->in_reply_to));
    if (e != ERROR_NONE)
        return e;
    if (db_next(&c))
        s->in_reply_to = db_id(&c, 0);
    return db_done(&c);
}

static enum error write_header(struct sealing *s)
{
    Brug__V1__Header h = *s->row->decoded; /* its fields are borrowed */
    struct id municipality = client_field_id(h.municipality);
    const char *field = NULL;
    h.message_id = client_id_field(&s->message_id);
    h.n_readers = s->readers->reader_count;
    h.readers = s->readers->reader_fields;
    h.n_copies = s->readers->copy_count;
    h.copies = s->readers->copy_fields;
    h.in_reply_to = client_id_field(&s->in_reply_to);
    enum error e = find_epoch(s->b, &municipality, &h.epoch);
    if (e == ERROR_NONE)
        e = check_header(&h, &field);
    return e == ERROR_NONE ? frame_append_bare(&s->header, &h.base) : e;
}

/* The newest letter of the case that this profile had when it sealed. */
static enum error find_seen(struct sealing *s, Brug__V1__SeenMessage *seen, uint8_t id[ID_BYTES],
                            uint8_t digest[DIGEST_BYTES], bool *found)
{
    struct db_cursor c;
    *found = false;
    if (id_is_none(&s->row->case_id))
        return ERROR_NONE;
    enum error e = DB_SELECT(s->b->db, &c,
                             "SELECT message_id, digest FROM message WHERE case_id = ?1 AND"
                             " digest IS NOT NULL AND number <> ?2 AND state IN (1, 18)"
                             " ORDER BY stored_at_ms DESC, number DESC LIMIT 1",
                             DB_ID(&s->row->case_id), DB_INT(s->row->number));
    if (e != ERROR_NONE)
        return e;
    if (db_next(&c) && db_blob(&c, 0).len == ID_BYTES) {
        memcpy(id, db_blob(&c, 0).data, ID_BYTES);
        struct slice d = db_blob(&c, 1);
        *found = d.len == DIGEST_BYTES;
        if (*found)
            memcpy(digest, d.data, DIGEST_BYTES);
    }
    seen->message_id = (ProtobufCBinaryData){ID_BYTES, id};
    seen->letter_digest = (ProtobufCBinaryData){DIGEST_BYTES, digest};
    return db_done(&c);
}

static enum error seal(struct sealing *s, const Brug__V1__Content *written)
{
    Brug__V1__Content content = *written;
    Brug__V1__SeenMessage seen = BRUG__V1__SEEN_MESSAGE__INIT;
    uint8_t seen_id[ID_BYTES];
    uint8_t seen_digest[DIGEST_BYTES];
    uint8_t random[32];
    bool has_seen = false;
    const struct belief *to = s->to ? s->to : s->own;
    content.sender_roster_digest = client_field(digest_slice(&s->own->roster_digest));
    content.to_roster_digest = client_field(digest_slice(&to->roster_digest));
    content.padding = client_field(SLICE_NONE);
    enum error e = find_seen(s, &seen, seen_id, seen_digest, &has_seen);
    content.seen = has_seen ? &seen : NULL;
    if (e == ERROR_NONE)
        e = client_random(random, sizeof random);
    if (e == ERROR_NONE)
        e = letter_seal(&s->b->keys, buf_slice(&s->header), &content, s->readers->certificates,
                        s->readers->certificate_count, random, &s->sealed, &s->digest);
    return e;
}

static enum error save_sealed(struct sealing *s)
{
    struct db *db = s->b->db;
    enum error e = db_begin(db);
    if (e != ERROR_NONE)
        return e;
    if (!id_equal(&s->message_id, &s->row->message_id))
        e = DB_RUN(db, "INSERT INTO former(message_id, number, at_ms) VALUES(?1, ?2, ?3)",
                   DB_ID(&s->row->message_id), DB_INT(s->row->number), DB_INT(client_now_ms(s->b)));
    if (e == ERROR_NONE)
        e = DB_RUN(
            db,
            "UPDATE message SET state = 17, code = 0, message_id = ?2, header = ?3,"
            " digest = ?4, needs_new_id = 0, retry_at_ms = 0 WHERE number = ?1 AND state = 16",
            DB_INT(s->row->number), DB_ID(&s->message_id), DB_BLOB(buf_slice(&s->header)),
            DB_DIGEST(&s->digest));
    if (e == ERROR_NONE && db_changes(db) == 0)
        e = ERROR_EXISTS; /* another process gave it up meanwhile */
    if (e == ERROR_NONE)
        e = DB_RUN(db, "INSERT OR REPLACE INTO sealed(number, bytes) VALUES(?1, ?2)",
                   DB_INT(s->row->number), DB_BLOB(buf_slice(&s->sealed)));
    for (size_t i = 0; e == ERROR_NONE && is_history(s) && i < s->readers->reader_count; i++)
        e = history_note_reader(s->b, s->row->number, &s->readers->readers[i]);
    return db_end(db, e);
}

static enum error seal_draft(struct sealing *s)
{
    enum error e = letters_open(s->b, s->row, &s->draft);
    return e == ERROR_NONE ? seal(s, s->draft->content) : e;
}

static enum error seal_history(struct sealing *s)
{
    struct history_content h;
    enum error e = history_content_make(s->b, s->row->number, &h);
    if (e != ERROR_NONE)
        return e;
    e = seal(s, &h.content);
    history_content_fini(&h);
    return e;
}

static void free_sealing(struct sealing *s)
{
    belief_free(s->own);
    belief_free(s->to);
    free_readers(s->readers);
    letter_free(s->draft);
    buf_fini(&s->header);
    buf_fini(&s->sealed);
}

static enum error seal_row(struct brug *b, const struct letters_row *row, bool needs_new_id)
{
    struct sealing s = {.b = b, .row = row};
    buf_init(&s.header, LIMIT_HEADER_BYTES);
    buf_init(&s.sealed, CLIENT_SEALED_BYTES_MAX);
    enum error e = find_readers(&s);
    if (e == ERROR_NONE)
        e = choose_id(&s, needs_new_id);
    if (e == ERROR_NONE)
        e = find_reply(&s);
    if (e == ERROR_NONE)
        e = write_header(&s);
    if (e == ERROR_NONE)
        e = is_history(&s) ? seal_history(&s) : seal_draft(&s);
    if (e == ERROR_NONE)
        e = save_sealed(&s);
    free_sealing(&s);
    return e;
}

static bool can_never_be(const struct letters_row *row, enum error e)
{
    if (row->decoded->kind == BRUG__V1__KIND__KIND_HISTORY && e == ERROR_NO_READER)
        return true; /* the taker has gone */
    return e == ERROR_LETTER_CONTENT || e == ERROR_MESSAGE_TOO_LARGE ||
           e == ERROR_TOO_MANY_READERS || e == ERROR_LETTER_SIGNER;
}

/* What failed, as a state: what waits for the directory or a person, what the letter can never be, and what the process lacks. */
static enum error save_seal_failure(struct brug *b, const struct letters_row *row, enum error e)
{
    bool is_final = can_never_be(row, e);
    if (client_is_of_store(e))
        return e;
    enum error saved =
        DB_RUN(b->db,
               "UPDATE message SET state = ?2, code = ?3, retry_at_ms = ?4 WHERE number = ?1 AND"
               " state = 16", /* not what another process gave up meanwhile */
               DB_INT(row->number), DB_INT(is_final ? STORE_REFUSED : STORE_DRAFT), DB_INT(e),
               DB_INT(OUTBOX_NEVER));
    if (saved == ERROR_NONE && db_changes(b->db) > 0)
        tell(b, is_final ? BRUG_EVENT_REFUSED : BRUG_EVENT_WAITING, e, row->number,
             (int)row->decoded->kind);
    return saved;
}

static enum error seal_number(struct brug *b, int64_t number, bool needs_new_id, bool *is_sealed)
{
    struct letters_row row;
    enum error e = letters_load(b, number, &row);
    if (e != ERROR_NONE)
        return e;
    e = seal_row(b, &row, needs_new_id);
    *is_sealed = e == ERROR_NONE;
    if (e == ERROR_EXISTS)
        e = ERROR_NONE;
    else if (e != ERROR_NONE)
        e = save_seal_failure(b, &row, e);
    letters_row_free(&row);
    return e;
}

/* ---- what goes next ---- */

struct due {
    int64_t number;
    int state;
    bool needs_new_id;
};

/* In order of number; a letter waits for every earlier one of its case. A pause that ends later than any is long was
 * begun by a clock that has been set back since: it is over. */
static enum error find_due(struct brug *b, int64_t after, struct due *out)
{
    struct db_cursor c;
    out->number = 0;
    enum error e = DB_SELECT(
        b->db, &c,
        "SELECT number, state, needs_new_id FROM message m WHERE is_sent = 1 AND state IN (16, 17)"
        " AND number > ?1 AND (retry_at_ms <= ?2 OR retry_at_ms BETWEEN ?3 AND ?4 - 1)"
        " AND NOT EXISTS(SELECT 1 FROM message e WHERE"
        " e.case_id = m.case_id AND length(m.case_id) > 0 AND e.number < m.number AND"
        " e.is_sent = 1 AND e.state IN (16, 17)) ORDER BY number LIMIT 1",
        DB_INT(after), DB_INT(client_now_ms(b)), DB_INT(client_now_ms(b) + OUTBOX_WAIT_MS_MAX + 1),
        DB_INT(OUTBOX_NEVER));
    if (e != ERROR_NONE)
        return e;
    if (db_next(&c)) {
        out->number = db_int(&c, 0);
        out->state = (int)db_int(&c, 1);
        out->needs_new_id = db_int(&c, 2) != 0;
    }
    return db_done(&c);
}

enum error outbox_next(struct brug *b, int64_t after, int64_t *number)
{
    struct due due = {.number = after};
    for (;;) {
        bool is_sealed = true;
        enum error e = find_due(b, due.number, &due);
        if (e == ERROR_NONE && due.number != 0 && due.state == STORE_DRAFT)
            e = seal_number(b, due.number, due.needs_new_id, &is_sealed);
        if (e != ERROR_NONE)
            return e;
        if (!is_sealed)
            continue;
        *number = due.number;
        return ERROR_NONE;
    }
}

enum error outbox_due_ms(struct brug *b, int64_t *due_ms)
{
    struct db_cursor c;
    enum error e = DB_SELECT(b->db, &c,
                             "SELECT min(retry_at_ms) FROM message WHERE is_sent = 1 AND"
                             " state IN (16, 17) AND retry_at_ms > ?1",
                             DB_INT(client_now_ms(b)));
    if (e != ERROR_NONE)
        return e;
    *due_ms = db_next(&c) && !db_is_null(&c, 0) ? db_int(&c, 0) : OUTBOX_NEVER;
    return db_done(&c);
}

/* Codes of a draft that only a person or the directory can help; else the letter goes by itself. */
#define OUTBOX_BUSY_SQL \
    "SELECT 1 FROM message m WHERE is_sent = 1 AND state IN (16, 17) AND retry_at_ms < ?1" \
    " AND NOT EXISTS(SELECT 1 FROM message e WHERE e.case_id = m.case_id AND" \
    " length(m.case_id) > 0 AND e.number < m.number AND e.is_sent = 1 AND" \
    " e.state IN (16, 17) AND e.retry_at_ms = ?1) LIMIT 1"

enum error outbox_is_busy(struct brug *b, bool *busy)
{
    struct db_cursor c;
    enum error e = DB_SELECT(b->db, &c, OUTBOX_BUSY_SQL, DB_INT(OUTBOX_NEVER));
    if (e != ERROR_NONE)
        return e;
    bool found = db_next(&c);
    e = db_done(&c);
    if (e == ERROR_NONE)
        *busy = found;
    return e;
}

/* ---- answers ---- */

/* A letter of ours, of which the relay says something. */
struct sent {
    int64_t attempts;
    struct id message_id, other;
    int kind;
};

static enum error load_sent(struct brug *b, int64_t number, struct sent *out)
{
    struct db_cursor c;
    enum error e = DB_SELECT(b->db, &c,
                             "SELECT attempts, message_id, other, kind FROM message WHERE"
                             " number = ?1",
                             DB_INT(number));
    if (e != ERROR_NONE)
        return e;
    bool found = db_next(&c);
    if (found)
        *out = (struct sent){db_int(&c, 0), db_id(&c, 1), db_id(&c, 2), (int)db_int(&c, 3)};
    e = db_done(&c);
    return e == ERROR_NONE && !found ? ERROR_NOT_FOUND : e;
}

enum error outbox_stored(struct brug *b, int64_t number, int64_t stored_at_ms)
{
    enum error e = DB_RUN(b->db,
                          "UPDATE message SET state = 18, code = 0, stored_at_ms = ?2, track ="
                          " kind <> ?3 WHERE number = ?1 AND state = 17",
                          DB_INT(number), DB_INT(stored_at_ms), DB_INT(BRUG_KIND_FAMILY_KEY));
    if (e != ERROR_NONE || db_changes(b->db) == 0)
        return e;
    struct sent sent;
    e = load_sent(b, number, &sent);
    if (e != ERROR_NONE)
        return e;
    tell(b, BRUG_EVENT_STORED, ERROR_NONE, number, sent.kind);
    return casefile_want_of(b, number);
}

static int64_t backoff_ms(int64_t attempts)
{
    int64_t ms = OUTBOX_BACKOFF_MS_MIN;
    for (int64_t i = 0; i < attempts && ms < OUTBOX_BACKOFF_MS_MAX; i++)
        ms *= 2;
    return ms < OUTBOX_BACKOFF_MS_MAX ? ms : OUTBOX_BACKOFF_MS_MAX;
}

/* When the same bytes may go again, or NEVER for a new id at once. */
static int64_t when_clock_allows(const struct id *message_id, int64_t server_now_ms)
{
    int64_t wait = id_v7_ms(message_id) - LIMIT_CLOCK_AHEAD_MS - server_now_ms;
    if (id_version(message_id) != 7 || wait > OUTBOX_WAIT_MS_MAX)
        return OUTBOX_NEVER;
    return wait > 0 ? wait : 0;
}

static enum error seal_again(struct brug *b, int64_t number, enum error code, int64_t retry_at_ms)
{
    return DB_RUN(b->db,
                  "UPDATE message SET state = 16, code = ?2, needs_new_id = 1, digest = NULL,"
                  " retry_at_ms = ?3, attempts = attempts + 1 WHERE number = ?1 AND state = 17",
                  DB_INT(number), DB_INT(code), DB_INT(retry_at_ms));
}

static enum error try_again(struct brug *b, int64_t number, enum error code, int64_t after_ms)
{
    return DB_RUN(b->db,
                  "UPDATE message SET code = ?2, retry_at_ms = ?3, attempts = attempts + 1"
                  " WHERE number = ?1 AND state = 17",
                  DB_INT(number), DB_INT(code), DB_INT(client_now_ms(b) + after_ms));
}

static enum error want_organisations(struct brug *b, const struct id *other)
{
    return DB_RUN(b->db, "UPDATE organisation SET wanted = 1 WHERE organisation IN (?1, ?2)",
                  DB_ID(other), DB_ID(&b->self.organisation));
}

enum error outbox_refused(struct brug *b, int64_t number, enum error code, bool passing,
                          uint32_t retry_after_ms, int64_t server_ahead_ms)
{
    struct sent sent;
    enum error e = load_sent(b, number, &sent);
    if (e != ERROR_NONE)
        return e;
    int64_t wait = backoff_ms(sent.attempts);
    wait = wait > (int64_t)retry_after_ms ? wait : (int64_t)retry_after_ms;
    wait = wait < OUTBOX_WAIT_MS_MAX ? wait : OUTBOX_WAIT_MS_MAX;
    if (code == ERROR_DIRECTORY_CHANGED) {
        e = want_organisations(b, &sent.other);
        return e == ERROR_NONE ? seal_again(b, number, code, OUTBOX_NEVER) : e;
    }
    if (code == ERROR_CLOCK_AHEAD) {
        int64_t clock = when_clock_allows(&sent.message_id, client_now_ms(b) + server_ahead_ms);
        if (clock == OUTBOX_NEVER)
            return seal_again(b, number, code, 0);
        return try_again(b, number, code, clock > wait ? clock : wait);
    }
    if (passing)
        return try_again(b, number, code, wait);
    if (sent.kind == BRUG_KIND_FAMILY_KEY) /* nobody wrote it, and another takes its place */
        return DB_RUN(b->db, "DELETE FROM message WHERE number = ?1", DB_INT(number));
    e = DB_RUN(b->db, "UPDATE message SET state = 19, code = ?2 WHERE number = ?1 AND state = 17",
               DB_INT(number), DB_INT(code));
    if (e != ERROR_NONE)
        return e;
    client_event(b, BRUG_EVENT_REFUSED, (int)code, number, NULL);
    return casefile_want_of(b, number); /* it is not as we thought */
}

enum error outbox_retry_waiting(struct brug *b)
{
    /* after repeated DIRECTORY_CHANGED by the clock, so that a relay that never agrees is not asked without end */
    return DB_RUN(b->db,
                  "UPDATE message SET retry_at_ms = CASE WHEN attempts < 3 THEN 0 ELSE"
                  " ?1 + min(?2, 2000 * (1 << min(attempts, 20))) END"
                  " WHERE is_sent = 1 AND state = 16 AND retry_at_ms = ?3",
                  DB_INT(client_now_ms(b)), DB_INT(OUTBOX_BACKOFF_MS_MAX), DB_INT(OUTBOX_NEVER));
}

enum error outbox_send_again(struct brug *b, int64_t complete_until_ms)
{
    return DB_RUN(b->db,
                  "UPDATE message SET state = 17, retry_at_ms = 0 WHERE is_sent = 1 AND state = 18"
                  " AND stored_at_ms > ?1 AND stored_at_ms > ?2",
                  DB_INT(complete_until_ms), DB_INT(client_now_ms(b) - OUTBOX_KEEP_MS));
}
